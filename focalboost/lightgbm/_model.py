"""LightGBM models: how they come to stand on their own, their files and checkpoints."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._checkpoint import Run
from focalboost._hosts._files import content_of, signed
from focalboost._hosts._imports import import_host
from focalboost._hosts._note import (
    MissingRow,
    Provenance,
    earlier_balance,
    note_of,
    read_note,
    require_same_prediction,
    warn_of_another_loss,
)
from focalboost._hosts._params import Balance, one_value
from focalboost._validation import reject
from focalboost.lightgbm import _text
from focalboost.lightgbm._data_sets import Baseline, Shift
from focalboost.lightgbm._params import MIN_CURVATURE
from focalboost.losses import FocalLoss, Loss
from focalboost.objectives import FocalObjective

if TYPE_CHECKING:
    import lightgbm

#: The note of a checkpoint, which says which training it belongs to.
CHECKPOINT = "focalboost-checkpoint"

#: The header line with the prediction for a row of missing values.
MISSING_ROW = "focalboost_missing_row"

#: What the last line of a model is, or begins with.
_ENDS = ("end of parameters", "end of parser", "pandas_categorical:")

_ADVICE = "It is of another kind, has been edited, or is cut short: save it again."


def finalise(
    booster: "lightgbm.Booster", baseline: Baseline = 0.0, loss: Loss | None = None
) -> "lightgbm.Booster":
    """Make a booster trained with a callable objective a model of its own.

    Adds the baseline (the constant ``init_score`` of its training, a number or one for
    each class) to the first trees and names the objective, so that ``predict`` returns
    ``expit(raw + baseline)``, or the softmax over the classes, and saved copies do so
    anywhere. The booster is changed in place and returned. A booster that is finalised
    already stays as it is. The loss, if given, is noted in the model, so that training
    can warn if it continues with another loss.

    LightGBM's own ``Booster.refit`` and ``init_model`` train log loss on the focal
    scores of the result. Use ``refit`` and ``train`` of this module instead.

    Parameters
    ----------
    booster : lightgbm.Booster
        A booster that was trained with a callable objective.
    baseline : float or sequence of K floats
        The ``init_score`` of its training.
    loss : FocalLoss or SoftmaxFocalLoss, optional
        The loss of its training.

    Returns
    -------
    lightgbm.Booster
        The same booster.

    Raises
    ------
    ValueError
        If the booster has no tree, names another objective, is still in training, or
        has another number of classes than the baseline.

    Examples
    --------
    >>> import lightgbm, numpy as np, focalboost.lightgbm
    >>> from focalboost import FocalLoss, focal_objective
    >>> X = np.arange(200.0).reshape(-1, 1)
    >>> y, loss = (X[:, 0] >= 170).astype(int), FocalLoss(gamma=2)
    >>> baseline = loss.baseline(y)
    >>> start = np.full(200, baseline)
    >>> train_set = lightgbm.Dataset(X, label=y, init_score=start)
    >>> params = {"objective": focal_objective(gamma=2), "verbosity": -1}
    >>> booster = lightgbm.train(params, train_set, 50)
    >>> booster = focalboost.lightgbm.finalise(booster, baseline, loss)
    >>> bool(loss.posterior(booster.predict(X, raw_score=True))[-1] > 0.9)
    True
    """
    if _is_in_training(booster):
        rule = "one whose training has ended"
        advice = "Train with keep_training_booster=False, or call "
        reject("booster", rule, booster, f"{advice}booster.free_dataset().")
    note = None if loss is None else note_of(Provenance(loss, None))
    return finalise_with_note(booster, baseline, note)


def finalise_with_note(
    booster: "lightgbm.Booster", baseline: Baseline, note: str | None
) -> "lightgbm.Booster":
    """Finalise a booster with a note.

    One in training ends it as lightgbm.train would, without rounds after the best one.
    """
    trains = _is_in_training(booster)
    text = booster.model_to_string(num_iteration=None if trains else -1)
    if _text.is_finalised(text):
        return booster
    scores = _text.number_of_scores(text)
    if np.size(baseline) not in (1, scores):
        rule = f"a number, or {scores} of them, as the model has {scores} for each row"
        advice = "Pass the constant init_score of its training."
        reject("baseline", rule, baseline, advice)
    booster.model_from_string(_text.finalised_text(text, baseline, note))
    if trains:
        booster.free_dataset()
    booster.params["objective"] = _text.objective_name(text)  # SHAP reads it here
    return booster


def _is_in_training(booster: "lightgbm.Booster") -> bool:
    return getattr(booster, "train_set", None) is not None


def provenance_of(booster: "lightgbm.Booster", name: str) -> Provenance | None:
    """What a model says of its training, if it does; a damaged note is an error."""
    return provenance_in(booster.model_to_string(num_iteration=1), name)


def provenance_in(text: str, name: str) -> Provenance | None:
    """What the text of a model says of its training."""
    note = _text.note_in(text)
    return None if note is None else read_note(note, name)


def booster_of(model: Any, name: str) -> "lightgbm.Booster":
    """The booster of an estimator or of a file, or the booster itself."""
    library = import_host("lightgbm")
    if isinstance(model, library.LGBMModel):
        model = model.booster_
    if not isinstance(model, library.Booster):
        model = booster_of_text(text_of_file(model, name), name)
    booster: lightgbm.Booster = model
    return booster


def require_continuable(text: str, loss: Loss, name: str) -> None:
    """Check that a model predicts scores by itself, as many as the loss has."""
    expected = 1 if isinstance(loss, FocalLoss) else loss.n_classes
    found = _text.number_of_scores(text)
    if found != expected:
        rule = f"a model with {expected} raw prediction(s) for each row"
        reject(name, rule, found, "Use a model of the same classes.")
    if not _text.is_finalised(text):
        given = "a model trained with a callable objective"
        advice = "Call focalboost.lightgbm.finalise(booster, baseline) on it first."
        reject(name, "a model that predicts probabilities", given, advice)


def model_to_continue(init_model: Any, loss: Loss) -> "lightgbm.Booster | None":
    """The model as training left it; one of another loss raises a warning."""
    if init_model is None:
        return None
    booster = booster_of(init_model, "init_model")
    text = booster.model_to_string(num_iteration=1)
    require_continuable(text, loss, "init_model")
    known = provenance_in(text, "init_model")
    warn_of_another_loss(known, loss, "init_model")
    return unbalanced(booster, known)


def unbalanced(
    booster: "lightgbm.Booster", known: Provenance | None
) -> "lightgbm.Booster":
    """The model as training left it, before it was balanced, given what it says."""
    if known is None or not np.any(known.unbalanced or 0.0):
        return booster
    shift = -np.asarray(known.unbalanced)
    text = _text.shifted_text(booster.model_to_string(num_iteration=-1), shift)
    note = note_of(known._replace(unbalanced=None, earlier=known.unbalanced))
    return booster_of_text(_text.with_note(text, note), "init_model")


def earlier_balance_of(model: "lightgbm.Booster | None") -> NDArray[np.float64]:
    """The shift of a model to continue, for rows of a single class."""
    known = None if model is None else provenance_of(model, "init_model")
    return earlier_balance(known)


def balancing(
    balance: Balance, objective: FocalObjective, model: "lightgbm.Booster | None"
) -> Shift | None:
    """The callback that finds the shift of a training, or None without a balance."""
    if not balance:
        return None
    earlier = earlier_balance_of(model)
    return Shift(balance, objective.loss, objective.n_threads, earlier)


def balance_of(booster: "lightgbm.Booster") -> NDArray[np.float64]:
    """What the balance has added to the raw predictions of a model."""
    known = provenance_of(booster, "model")
    return np.asarray((known and known.unbalanced) or 0.0)


def text_of_file(path: Any, name: str) -> str:
    """The text of a model's file; LightGBM ends the interpreter on a part of one."""
    try:
        text = content_of(path, name).decode()
    except UnicodeDecodeError:
        reject(name, "a LightGBM model, which is a text file", path, _ADVICE)
    if not text.rstrip("\n").rpartition("\n")[2].startswith(_ENDS):
        reject(name, "a whole LightGBM model", path, _ADVICE)
    return text


def booster_of_text(text: str, name: str) -> "lightgbm.Booster":
    """The booster of a model's text; LightGBM says what is wrong with others."""
    library = import_host("lightgbm")
    try:
        booster: lightgbm.Booster = library.Booster(model_str=text)
    except (library.basic.LightGBMError, ValueError) as error:
        reject(name, "a LightGBM model", text, f"LightGBM says: {error}")
    note = _text.value_in(text, MISSING_ROW)
    if note is not None:
        predict = partial(missing_row, booster, booster.current_iteration())
        require_same_prediction(note, _host(), predict, np.float64, name)
    return booster


def signed_content(text: str, missing_row: MissingRow) -> bytearray:
    """The content of a model's file, with lines that LightGBM's loader passes over."""
    line = f"{MISSING_ROW}={json.dumps(missing_row)}"
    return signed(bytearray(_text.signable_text(text, line).encode()))


def missing_row(
    booster: "lightgbm.Booster", rounds: int, baseline: Baseline = 0.0, **options: Any
) -> MissingRow:
    """What a model predicts for a row of missing values."""
    row = np.full((1, booster.num_feature()), np.nan)
    raw = booster.predict(row, num_iteration=rounds, raw_score=True, **options)
    return MissingRow(_host(), rounds, np.ravel(np.asarray(raw) + baseline).tolist())


def _host() -> str:
    """LightGBM and its version."""
    return f"LightGBM {import_host('lightgbm').__version__}"


@contextmanager
def errors_explained(params: Mapping[str, Any]) -> Iterator[None]:
    """Put an error of LightGBM down to the parameter that has caused it."""
    try:
        yield
    except import_host("lightgbm").basic.LightGBMError as error:
        # It estimates the number of rows in a leaf from the curvatures.
        if "best_split_info" not in str(error):
            raise
        least = one_value(params, MIN_CURVATURE, 1e-3)
        advice = (
            "Use 1e-3 or more, divide sample weights by their mean, and leave out "
            "use_quantized_grad."
        )
        rule = "so large that a leaf has rows"
        reject("min_sum_hessian_in_leaf", rule, least, advice)


def has_split(booster: "lightgbm.Booster") -> bool:
    """Whether some tree has a split."""
    return bool(booster.feature_importance("split").any())


def checkpoint_in(path: Any) -> tuple["lightgbm.Booster", str | None]:
    """The model of a checkpoint, and its note of the training."""
    text = text_of_file(path, "checkpoint")
    model = booster_of_text(_text.without_note(text, CHECKPOINT), "checkpoint")
    return model, _text.note_in(text, CHECKPOINT)


def is_complete(run: Run, balance: Balance) -> bool:
    """Whether a checkpoint has the model of all rounds, in balance if it is to be."""
    if run.done == 0 or run.left > 0:
        return False
    known = provenance_of(run.model, "checkpoint")
    return not balance or (known is not None and known.unbalanced is not None)


def take_up(run: Run) -> None:
    """Continue from the model of a checkpoint, without its balance.

    LightGBM trains at least one round. If none is left, the last one is repeated.
    """
    model: lightgbm.Booster = run.model
    if run.left > 0:
        run.model = unbalanced(model, provenance_of(model, "checkpoint"))
        return
    n_before = model.current_iteration() - 1
    text = model.model_to_string(num_iteration=n_before)
    before = booster_of_text(text, "checkpoint") if n_before else None
    run.model, run.done, run.left = before, run.done - 1, 1


def finished(
    booster: "lightgbm.Booster",
    baseline: Baseline,
    loss: Loss,
    shift: NDArray[np.float64] | None,
    classes: Any = None,
) -> "lightgbm.Booster":
    """The booster at the end of a training, with its baseline, shift and note."""
    start = baseline if shift is None else baseline + shift
    note = Provenance(loss, classes, None if shift is None else shift.tolist())
    return finalise_with_note(booster, start, note_of(note))


@dataclass(eq=False)
class Saver:
    """A callback that saves the model, finalised, whenever it is due.

    ``n_threads`` is that of the training: a prediction changes it for all of LightGBM.
    """

    run: Run
    loss: Loss
    baseline: Baseline
    n_threads: int | None

    def __call__(self, env: Any) -> None:
        note = self.run.note_due(env.iteration - env.begin_iteration + 1)
        if note is not None:
            text = env.model.model_to_string(num_iteration=-1)
            earlier = earlier_balance_of(self.run.model).tolist()
            provenance = note_of(Provenance(self.loss, None, earlier=earlier))
            text = _text.finalised_text(text, self.baseline, provenance)
            self._save(text, note, env.model, self.baseline)

    def save_last(self, booster: "lightgbm.Booster") -> None:
        """Save the model that ``train`` returns."""
        note = self.run.last_note()
        if note is not None:
            self._save(booster.model_to_string(num_iteration=-1), note, booster, 0.0)

    def _save(self, text: str, note: str, model: Any, baseline: Baseline) -> None:
        threads = {"num_threads": self.n_threads or 0}
        row = missing_row(model, model.current_iteration(), baseline, **threads)
        self.run.save(signed_content(_text.with_note(text, note, CHECKPOINT), row))
