"""Checkpoints of trainings with XGBoost: UBJSON models with a note."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from focalboost._checkpoint import (
    Checkpoint,
    Progress,
    read_progress,
    remaining_rounds,
)
from focalboost._files import write_in_one_step
from focalboost._host import import_host
from focalboost._provenance import Provenance
from focalboost.losses import Loss
from focalboost.xgboost._file import booster_of_file
from focalboost.xgboost._model import set_provenance

if TYPE_CHECKING:
    import xgboost

__all__ = ["Resumed", "resumed", "saver"]

ATTRIBUTE = "focalboost_checkpoint"


class Resumed(NamedTuple):
    """Where a training goes on: the model so far, and the rounds done and to do."""

    model: "xgboost.Booster | None"
    done: int
    left: int


def resumed(
    checkpoint: Checkpoint, training: dict[str, Any], start: Resumed
) -> Resumed:
    """Go on from the file, or from the start where there is none."""
    if not Path(checkpoint.path).exists():
        return start
    booster = booster_of_file(checkpoint.path, "checkpoint")
    progress = read_progress(booster.attr(ATTRIBUTE), checkpoint.path)
    left = remaining_rounds(progress, training, start.left, checkpoint.path)
    booster.set_attr(**{ATTRIBUTE: None})
    return Resumed(booster, progress.rounds, left)


def saver(
    checkpoint: Checkpoint, training: dict[str, Any], start: Resumed, loss: Loss
) -> Any:
    """A callback that saves the model whenever it is due."""
    library = import_host("xgboost")

    class Saver(library.callback.TrainingCallback):  # type: ignore[misc, name-defined]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            rounds = start.done + epoch + 1
            if checkpoint.is_due(rounds, start.done + start.left):
                note = json.dumps(Progress(rounds, training))
                set_provenance(model, Provenance(loss, None))
                model.set_attr(**{ATTRIBUTE: note})
                write_in_one_step(checkpoint.path, model.save_raw("ubj"))
                model.set_attr(**{ATTRIBUTE: None})
            return False

    return Saver()
