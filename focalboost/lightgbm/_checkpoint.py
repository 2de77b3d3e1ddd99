"""Checkpoints of trainings with LightGBM: finalised models with a note."""

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
from focalboost._provenance import Provenance, note_of
from focalboost.lightgbm._file import booster_of_text, text_of_file
from focalboost.lightgbm._start import Baseline
from focalboost.lightgbm._text import finalised_text, note_in, with_note, without_note
from focalboost.losses import Loss

if TYPE_CHECKING:
    import lightgbm

__all__ = ["Resumed", "Saver", "resumed"]

NAME = "focalboost-checkpoint"


class Resumed(NamedTuple):
    """Where a training goes on: the model so far, and the rounds done and to do."""

    model: "lightgbm.Booster | None"
    done: int
    left: int


def resumed(
    checkpoint: Checkpoint, training: dict[str, Any], start: Resumed
) -> Resumed:
    """Go on from the file, or from the start where there is none."""
    if not Path(checkpoint.path).exists():
        return start
    text = text_of_file(checkpoint.path, "checkpoint")
    progress = read_progress(note_in(text, NAME), checkpoint.path)
    booster = booster_of_text(without_note(text, NAME), "checkpoint")
    left = remaining_rounds(progress, training, start.left, checkpoint.path)
    return Resumed(booster, progress.rounds, left)


class Saver:
    """A callback that saves the model, finalised, whenever it is due."""

    order = 100  # after those that may stop the training

    def __init__(
        self,
        checkpoint: Checkpoint,
        training: dict[str, Any],
        start: Resumed,
        loss: Loss,
        baseline: Baseline,
    ) -> None:
        self.checkpoint, self.training = checkpoint, training
        self.done, self.last = start.done, start.done + start.left
        self.note, self.baseline = note_of(Provenance(loss, None)), baseline

    def __call__(self, env: Any) -> None:
        rounds = self.done + env.iteration - env.begin_iteration + 1
        if not self.checkpoint.is_due(rounds, self.last):
            return
        text = env.model.model_to_string(num_iteration=-1)
        text = finalised_text(text, self.baseline, self.note)
        text = with_note(text, json.dumps(Progress(rounds, self.training)), NAME)
        write_in_one_step(self.checkpoint.path, text.encode())
