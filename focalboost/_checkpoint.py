"""Checkpoint: a training that is killed goes on where it was.

A checkpoint is a model of the host with a note of its training. It is written beside
the old one and put in its place in one step, so a file is always whole.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from focalboost._json import as_python
from focalboost._provenance import Provenance, note_of
from focalboost._validation import reject, whole_number
from focalboost.losses import Loss

__all__ = [
    "Checkpoint",
    "Progress",
    "checked_checkpoint",
    "read_progress",
    "remaining_rounds",
    "training_of",
]


@dataclass(frozen=True)
class Checkpoint:
    """A file that ``train`` saves its model in every so many rounds, and goes on from.

    If the file is there, training goes on from it, up to ``num_boost_round`` rounds in
    all; the same call, repeated after a crash, ends with the model of an uninterrupted
    training (with the host's own guarantees: rows or features drawn at random are drawn
    anew). Remove the file to start again. It is a plain model of the host.

    Parameters
    ----------
    path : str or os.PathLike
        The file; its folder has to exist.
    every : int, default=10
        Rounds between two saves. The last round is saved as well.

    Raises
    ------
    ValueError
        If ``every`` is not a whole number >= 1; in ``train``, if the file is of another
        training (loss, curvature, parameters, labels or weights), is damaged, or has
        more rounds than are asked for, and if training may stop early, of which a file
        does not know enough.

    Examples
    --------
    >>> import tempfile, numpy as np, xgboost, focalboost.xgboost
    >>> from focalboost import Checkpoint
    >>> X = np.arange(60.0).reshape(-1, 1)
    >>> dtrain = xgboost.DMatrix(X, label=X[:, 0] > 50)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = Checkpoint(f"{folder}/model.ubj", every=5)
    ...     train = focalboost.xgboost.train
    ...     first = train({}, dtrain, 10, checkpoint=checkpoint)
    ...     booster = train({}, dtrain, 20, checkpoint=checkpoint)  # 10 more
    >>> booster.num_boosted_rounds()
    20
    """

    path: str | os.PathLike[str]
    every: int = 10

    def __post_init__(self) -> None:
        whole_number("every", self.every, 1)

    def is_due(self, rounds: int, last: int) -> bool:
        """Whether to save after so many rounds."""
        return rounds % self.every == 0 or rounds == last


class Progress(NamedTuple):
    """How far a training has come, and which it is."""

    rounds: int
    training: dict[str, Any]


def checked_checkpoint(checkpoint: Any, stops_early: Any) -> Checkpoint | None:
    """The checkpoint, given as such or by its path."""
    if checkpoint is None:
        return None
    if isinstance(checkpoint, str | os.PathLike):
        checkpoint = Checkpoint(checkpoint)
    if not isinstance(checkpoint, Checkpoint):
        reject(
            "checkpoint",
            "a focalboost.Checkpoint or the path of a file",
            checkpoint,
            'Use Checkpoint("model.ubj", every=10).',
        )
    if stops_early:
        reject(
            "checkpoint",
            "None where training may stop early",
            checkpoint,
            "Leave out early stopping: a file does not hold the evaluations so far.",
        )
    return checkpoint


#: Parameters on which a model does not depend.
_INCIDENTAL = (
    *("nthread", "n_jobs", "num_threads", "num_thread", "nthreads"),
    *("verbosity", "verbose", "silent"),
)


def training_of(
    loss: Loss,
    params: Mapping[str, Any],
    curvature: str,
    max_learning_rate: float | None,
    target: tuple[Any, Any],
) -> dict[str, Any]:
    """What tells a training from others, as JSON has it (target: labels, weights)."""
    y_true, sample_weight = target
    masses = np.asarray(loss.class_masses(y_true, sample_weight)).tolist()
    settings = {k: v for k, v in sorted(params.items()) if k not in _INCIDENTAL}
    known = {
        "loss": note_of(Provenance(loss, None)),
        "rows": len(y_true),
        "class masses": masses,
        "params": settings,
        "curvature": curvature,
        "max_learning_rate": max_learning_rate,
    }
    as_json: dict[str, Any] = json.loads(json.dumps(known, default=_in_json))
    return as_json


def _in_json(value: Any) -> Any:
    """What stands for a value that JSON has no form for."""
    plain = as_python(value)
    return repr(value) if plain is None else plain


def read_progress(note: str | None, path: Any) -> Progress:
    """The progress that a file notes; a file without a note is no checkpoint."""
    try:
        rounds, training = json.loads(note or "")
        return Progress(int(rounds), dict(training))
    except (ValueError, TypeError):
        reject(
            "checkpoint",
            "a file that a checkpoint has written",
            str(path),
            "Use another path, or remove the file to start again.",
        )


def remaining_rounds(
    found: Progress, expected: dict[str, Any], rounds: int, path: Any
) -> int:
    """How many rounds a training has still to go; that of another is an error."""
    other = [k for k in expected if found.training.get(k) != expected[k]]
    if other:
        reject(
            "checkpoint",
            "of the same training",
            {k: found.training.get(k) for k in other},
            f"Its {' and '.join(other)} differ: use another path, or remove "
            f"{str(path)!r} to start again.",
        )
    if found.rounds > rounds:
        reject(
            "num_boost_round",
            f"at least the {found.rounds} rounds of the checkpoint",
            rounds,
            f"Remove {str(path)!r} to start again.",
        )
    return rounds - found.rounds
