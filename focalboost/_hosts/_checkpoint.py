"""Checkpoint: a training that is killed continues where it was."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from focalboost._hosts._files import write_in_one_step
from focalboost._hosts._note import Provenance, note_of
from focalboost._hosts._params import THREADS, Balance
from focalboost._validation import reject, whole_number
from focalboost.losses import Loss


@dataclass(frozen=True)
class Checkpoint:
    """A file that ``train`` saves its model to now and then, and continues from.

    If the file exists, training continues from it, up to ``num_boost_round`` rounds in
    all. So the same call, repeated after a crash, ends with the model of an
    uninterrupted training. (What is drawn at random, such as rows, features and the
    trees that dart drops, is drawn anew, as in any continued training of the hosts.)
    Callbacks count the rounds from the beginning, so that a schedule of the learning
    rate goes on. Remove the file to start again. The file is a plain model of the host.
    Continue only from files that you trust.

    Parameters
    ----------
    path : str or os.PathLike
        The file, in a folder that exists.
    every : int, optional
        The number of rounds between two saves. By default a save is due when all saves,
        with one more like the last, take at most 5 % of the time since the training
        began. The last round is always saved.

    Raises
    ------
    ValueError
        If ``every`` is not a whole number >= 1. ``train`` raises it if the file is
        damaged, belongs to another training or has more rounds than you ask for. It
        also raises it if training may stop early, because the file does not hold past
        evaluations, and if several machines train.

    Notes
    -----
    The file knows the loss, the curvature, the parameters, the balance and the
    ``class_masses`` of its training. It also has digests of the labels, the weights,
    the ``base_margin`` and the features, in the order of the rows. (LightGBM cannot
    continue with an ``init_score``, so there must be none.) Use another path for each
    fold of a cross-validation.

    XGBoost's features are compared as the ``DMatrix`` holds them. For data in external
    memory the numbers of rows, columns and values and the names and types of columns
    are compared, and for an ``ExtMemQuantileDMatrix`` also the quantiles. LightGBM's
    features are compared in bins. LightGBM writes the bins to a temporary file, which
    takes about a byte for each value. Validation sets, callbacks, metrics and the model
    that training begins with are not compared. Schedules of the hosts' own callbacks go
    on. What another callback has set after a round is not in the file.

    Examples
    --------
    >>> import tempfile, numpy as np, xgboost, focalboost.xgboost
    >>> from focalboost import Checkpoint
    >>> X = np.arange(60.0).reshape(-1, 1)
    >>> dtrain = xgboost.DMatrix(X, label=X[:, 0] > 50)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     checkpoint = Checkpoint(f"{folder}/model.ubj")
    ...     train = focalboost.xgboost.train
    ...     first = train({}, dtrain, 10, checkpoint=checkpoint)
    ...     booster = train({}, dtrain, 20, checkpoint=checkpoint)  # 10 more
    >>> booster.num_boosted_rounds()
    20
    """

    path: str | os.PathLike[str]
    every: int | None = None

    def __post_init__(self) -> None:
        if self.every is not None:
            whole_number("every", self.every, 1)


def checked_checkpoint(
    checkpoint: Any, stops_early: bool, n_machines: int
) -> Checkpoint | None:
    """The checkpoint, given as such or by its path."""
    if checkpoint is None:
        return None
    if isinstance(checkpoint, str | os.PathLike):
        checkpoint = Checkpoint(checkpoint)
    if not isinstance(checkpoint, Checkpoint):
        rule = "a focalboost.Checkpoint or the path of a file"
        reject("checkpoint", rule, checkpoint, 'Use Checkpoint("model.ubj").')
    if n_machines > 1:
        rule = "None where several machines train"
        advice = "Leave it out: they would save and continue at different rounds."
        reject("checkpoint", rule, checkpoint, advice)
    if stops_early:
        rule = "None where training may stop early"
        advice = "Leave out early stopping: the file does not hold past evaluations."
        reject("checkpoint", rule, checkpoint, advice)
    return checkpoint


#: Parameters that do not change a model.
_INCIDENTAL = ("verbosity", "verbose", "silent", *THREADS)


def training_of(
    loss: Loss,
    params: Mapping[str, Any],
    curvature: str,
    max_learning_rate: float | None,
    balance: Balance,
    class_masses: Any,
    digests: Mapping[str, Any],
) -> dict[str, Any]:
    """What tells a training from others, in types of JSON."""
    known = {
        "loss": note_of(Provenance(loss, None)),
        "params": {k: v for k, v in sorted(params.items()) if k not in _INCIDENTAL},
        "curvature": curvature,
        "max_learning_rate": max_learning_rate,
        "balance": balance,
        "class_masses": class_masses,
        **digests,
    }
    as_json: dict[str, Any] = json.loads(json.dumps(known, default=_in_json))
    return as_json


def _in_json(value: Any) -> Any:
    """What stands for a value that JSON cannot hold."""
    plain = value.tolist() if hasattr(value, "tolist") else value
    # A longdouble stays one.
    return repr(value) if plain is value or isinstance(plain, np.generic) else plain


def digest(*parts: Any) -> str | None:
    """The digest of bytes and of arrays of numbers, or None of None."""
    if parts[0] is None:
        return None
    found = hashlib.sha256()
    for part in parts:
        if not isinstance(part, bytes):
            part = np.ascontiguousarray(part)
            found.update(f"{part.dtype}{part.shape}".encode())
        found.update(part)
    return found.hexdigest()[:16]


#: How many times the time of all saves a training takes at least: 5 % are 1 in 20.
_TRAINING_TO_SAVES = 20


class Run:
    """One call of ``train``: the model it starts from, its rounds, and its saves."""

    def __init__(self, model: Any, rounds: int) -> None:
        self.model = model  #: a booster, or None
        self.done, self.left = 0, rounds  #: rounds of earlier calls, and of this one
        self._path, self._every = "", 0  # of the checkpoint, if there is one
        self._training: dict[str, Any] = {}
        self._rounds, self._started = 0, perf_counter()
        self._began = self._took = self._spent = 0.0  # the last save, and all of them

    def resume(
        self,
        checkpoint: Checkpoint,
        expected: dict[str, Any],
        read: Callable[[Any], tuple[Any, str | None]],
    ) -> None:
        """Save to a file, and continue from it if it exists.

        ``read`` returns its booster and its note, which is of the expected training.
        """
        path = os.path.expanduser(checkpoint.path)
        self._path, self._every, self._training = path, checkpoint.every or 0, expected
        if not Path(path).parent.is_dir():
            advice = "Create the folder first."
            reject("checkpoint", "a file in a folder that exists", path, advice)
        if not Path(path).exists():
            return
        self.model, note = read(path)
        advice = f"Use another path, or remove {path!r} to start again."
        if note is None:
            reject("checkpoint", "a file that a checkpoint has written", path, advice)
        self.done, training = json.loads(note)
        other = [k for k in expected if training.get(k) != expected[k]]
        if len(other) > 1 and "features" in other:
            other.remove("features")  # LightGBM's bins depend on parameters and labels
        if other:
            found = {k: training.get(k) for k in other}
            differs = f"It differs in {' and '.join(other)}. {advice}"
            reject("checkpoint", "of the same training", found, differs)
        if self.done > self.left:
            rule = f"at least the {self.done} rounds of the checkpoint"
            reject("num_boost_round", rule, self.left, advice)
        self.left -= self.done

    def note_due(self, rounds: int) -> str | None:
        """The note to save after so many rounds, or None; the last is ``last_note``."""
        if not self._path:
            return None
        self._rounds, self._began = rounds, perf_counter()
        least = _TRAINING_TO_SAVES * (self._spent + self._took)
        is_due = self._began - self._started >= least
        if self._every:
            is_due = (self.done + rounds) % self._every == 0
        return self._note() if is_due and rounds != self.left else None

    def last_note(self) -> str | None:
        """The note to save in balance, or None if training did not reach its end."""
        return self._note() if 0 < self._rounds == self.left else None

    def _note(self) -> str:
        return json.dumps([self.done + self._rounds, self._training])

    def save(self, content: bytes | bytearray) -> None:
        """Write the checkpoint."""
        write_in_one_step(self._path, content)
        self._took = perf_counter() - self._began
        self._spent += self._took
