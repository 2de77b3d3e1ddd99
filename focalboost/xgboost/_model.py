"""XGBoost models: their notes, files, checkpoints and balance."""

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from focalboost._hosts._checkpoint import Run, digest
from focalboost._hosts._files import DIGEST, UNSIGNED, content_of, signed
from focalboost._hosts._imports import import_host
from focalboost._hosts._note import (
    MissingRow,
    Provenance,
    earlier_balance,
    note_of,
    read_note,
    require_same_prediction,
)
from focalboost._hosts._params import Balance
from focalboost._validation import reject
from focalboost.losses import Loss, SoftmaxFocalLoss
from focalboost.losses._balance import Part, balancing_shift_of_parts
from focalboost.objectives import labels_of, weights_of
from focalboost.objectives._grammar import failing_together, over_workers
from focalboost.xgboost._params import (
    as_base_score,
    has_base_scores,
    start_of_probability,
)

if TYPE_CHECKING:
    import xgboost

#: The attributes of a model: what it was trained with, what it predicts for a row of
#: missing values, and in a checkpoint which training it belongs to.
PROVENANCE, MISSING_ROW = "focalboost", "focalboost_missing_row"
CHECKPOINT = "focalboost_checkpoint"

_ADVICE = "It is of another kind, has been edited, or is cut short: save it again."


def set_provenance(booster: "xgboost.Booster", provenance: Provenance) -> None:
    """Note in a trained model what it was trained with, and what it predicts."""
    row = json.dumps(_missing_row(booster))
    notes = {PROVENANCE: note_of(provenance), MISSING_ROW: row}
    booster.set_attr(**notes, **{DIGEST: None})  # of a file that it continues


def provenance_of(booster: "xgboost.Booster", name: str) -> Provenance | None:
    """What a model says of its training, if it does; a damaged note is an error."""
    note = booster.attr(PROVENANCE)
    return None if note is None else read_note(note, name)


def booster_of(xgb_model: Any) -> "xgboost.Booster":
    """The booster of an estimator or a file, with the start of its training."""
    booster = in_balance(xgb_model).copy()
    take_balance_back(booster, "xgb_model")
    return booster


def in_balance(xgb_model: Any) -> "xgboost.Booster":
    """The same booster, still in balance. Whoever trains on takes its balance back.

    An early-stopped model ends at its best round, as if training had stopped there.
    XGBoost would keep the rounds after it, and later predict without the new ones. A
    linear model has no rounds to leave out, and predicts as after its last.
    """
    library = import_host("xgboost")
    if isinstance(xgb_model, library.XGBModel):
        xgb_model = xgb_model.get_booster()
    if not isinstance(xgb_model, library.Booster):
        xgb_model = booster_of_file(xgb_model, "xgb_model")
    else:
        _require_same_prediction(xgb_model, "xgb_model")
    booster: xgboost.Booster = xgb_model
    best = booster.attr("best_iteration")
    if best is not None:
        booster = booster.copy() if is_linear(booster) else booster[: int(best) + 1]
        booster.set_attr(best_iteration=None, best_score=None)
    return booster


def take_balance_back(booster: "xgboost.Booster", name: str) -> None:
    """Give a model the start that it had before it was balanced, and note the shift."""
    known = provenance_of(booster, name)
    if known is None or known.unbalanced is None:
        return
    shift = balance_of(booster, name)
    set_base_score(booster, known.unbalanced)
    known = known._replace(unbalanced=None, earlier=shift.tolist())
    booster.set_attr(**{PROVENANCE: note_of(known), MISSING_ROW: None})


def balance_of(booster: "xgboost.Booster", name: str = "model") -> NDArray[np.float64]:
    """What the balance has added to the raw predictions of a model."""
    known = provenance_of(booster, name)
    if known is None or known.unbalanced is None:
        return np.array(0.0)
    learner = learner_of(booster)
    start = _start_of_score(learner, _base_score_in(learner))
    return start - _start_of_score(learner, known.unbalanced)


def n_scores_of(booster: "xgboost.Booster") -> int:
    """The number of raw predictions for a row: that of the classes, 0 for two."""
    return int(learner_of(booster)["learner_model_param"]["num_class"])


def set_base_score(booster: "xgboost.Booster", score: Any) -> None:
    """Set the base_score, a number or a list of those of the columns."""
    # XGBoost before 3.1 takes a single number.
    is_single = isinstance(score, list) and len(score) == 1
    booster.set_param({"base_score": score[0] if is_single else score})


def _base_score_in(learner: dict[str, Any]) -> Any:
    """The base_score in a configuration, as set_base_score takes it."""
    return json.loads(learner["learner_model_param"]["base_score"])


def _start_of_score(learner: dict[str, Any], base_score: Any) -> NDArray[np.float64]:
    """The raw predictions that trees add to."""
    score = np.asarray(base_score, dtype=np.float64)
    is_probability = learner["objective"]["name"] == "binary:logistic"
    return start_of_probability(score) if is_probability else score


def learner_of(booster: "xgboost.Booster") -> dict[str, Any]:
    """The configuration of a model."""
    learner: dict[str, Any] = json.loads(booster.save_config())["learner"]
    return learner


def is_linear(booster: "xgboost.Booster") -> bool:
    """Whether a model is of ``gblinear``, without trees."""
    return bool(learner_of(booster)["gradient_booster"]["name"] == "gblinear")


def has_split(booster: "xgboost.Booster") -> bool:
    """Whether some tree has a split; a linear model always counts."""
    return bool(booster.get_score(importance_type="weight")) or is_linear(booster)


def booster_of_file(source: Any, name: str) -> "xgboost.Booster":
    """The booster in a file, or in the bytes of one."""
    if isinstance(source, str | os.PathLike):
        source = os.path.expanduser(source)
    content = content_of(source, name)
    # XGBoost's reader of UBJSON ends the interpreter on some files that are cut short.
    end = content[-64:].rstrip(b"\n")
    if not (content.startswith(b"{") and b"version" in end and end.endswith(b"}")):
        reject(name, "a whole XGBoost model", source, _ADVICE)
    library = import_host("xgboost")
    try:
        booster: xgboost.Booster = library.Booster(model_file=content)
    except (library.core.XGBoostError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        reject(name, "an XGBoost model", source, f"{_ADVICE} XGBoost says: {reason}")
    _require_same_prediction(booster, name)
    booster.set_attr(**{DIGEST: None})
    return booster


def signed_content(booster: "xgboost.Booster", raw_format: str) -> bytearray:
    """A model in the format "json" or "ubj", with its digest."""
    booster.set_attr(**{DIGEST: UNSIGNED})
    content = signed(booster.save_raw(raw_format))
    booster.set_attr(**{DIGEST: None})
    return content


def _missing_row(booster: "xgboost.Booster") -> MissingRow:
    """What a model predicts for a row of missing values."""
    library = import_host("xgboost")
    nothing = np.empty(0, np.float32), np.empty(0, np.int32), [0, 0]
    row = csr_matrix(nothing, shape=(1, booster.num_features()))
    raw = booster.predict(
        library.DMatrix(row, nthread=1), output_margin=True, validate_features=False
    )
    return MissingRow(_host(), booster.num_boosted_rounds(), raw.ravel().tolist())


def _host() -> str:
    """XGBoost and its version."""
    return f"XGBoost {import_host('xgboost').__version__}"


def _require_same_prediction(booster: "xgboost.Booster", name: str) -> None:
    """Reject a model that XGBoost misreads; before 3.1 it misreads newer ones."""
    note = booster.attr(MISSING_ROW)
    if note is not None:
        predict = partial(_missing_row, booster)
        require_same_prediction(note, _host(), predict, np.float32, name)


def checkpoint_in(path: Any) -> tuple["xgboost.Booster", str | None]:
    """The model of a checkpoint, and its note of the training."""
    booster = booster_of_file(path, "checkpoint")
    note: str | None = booster.attr(CHECKPOINT)
    booster.set_attr(**{CHECKPOINT: None})
    return booster, note


def save_checkpoint(run: Run, note: str | None, booster: "xgboost.Booster") -> None:
    """Save a model with the note of a checkpoint, if there is one."""
    if note is not None:
        booster.set_attr(**{CHECKPOINT: note})
        run.save(signed_content(booster, "ubj"))
        booster.set_attr(**{CHECKPOINT: None})


#: The rows that are read at a time: XGBoost copies them, with 8 bytes for each value.
_ROWS = 2**16


def digests_of(dtrain: "xgboost.DMatrix") -> dict[str, str | None]:
    """The digests of what a data set holds."""
    margin = dtrain.get_base_margin()
    names = repr((dtrain.feature_names, dtrain.feature_types)).encode()
    size = dtrain.num_row(), dtrain.num_col(), dtrain.num_nonmissing()
    return {
        "labels": digest(dtrain.get_label()),
        "weights": digest(weights_of(dtrain)),
        "base_margin": digest(margin if len(margin) else None),
        "feature_weights": digest(dtrain.get_float_info("feature_weights")),
        "features": digest(names, size, *_feature_arrays(dtrain)),
    }


def _feature_arrays(dtrain: "xgboost.DMatrix") -> Iterator[Any]:
    """The features as XGBoost holds them, as far as it gives them away."""
    library = import_host("xgboost")
    if isinstance(dtrain, getattr(library, "ExtMemQuantileDMatrix", ())):
        yield from dtrain.get_quantile_cut()
        return
    rows = np.arange(dtrain.num_row())
    starts = range(0, len(rows), _ROWS)
    blocks: Any = (dtrain.slice(rows[i : i + _ROWS], allow_groups=True) for i in starts)
    if isinstance(dtrain, library.QuantileDMatrix):
        blocks = [dtrain]  # quantiles cannot be cut
    with contextlib.suppress(library.core.XGBoostError):  # external memory
        for block in blocks:
            data = block.get_data()
            yield from (data.indptr, data.indices, data.data)


def from_beginning(callbacks: Sequence[Any] | None, run: Run) -> list[Any]:
    """The callbacks, which count the rounds of earlier calls, as a schedule has to."""
    if run.done == 0 or not callbacks:
        return list(callbacks or ())
    library, done = import_host("xgboost").callback, run.done

    class Counting(library.TrainingCallback):  # type: ignore[name-defined, misc]
        def __init__(self, callback: Any) -> None:
            self.after_training = callback.after_training
            self._callback = callback

        def before_training(self, model: Any) -> Any:
            model = self._callback.before_training(model)
            if isinstance(self._callback, library.LearningRateScheduler):
                # It sets the rate of a round after the one before.
                self._callback.after_iteration(model, done - 1, {})
            return model

        def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> Any:
            return self._callback.before_iteration(model, done + epoch, evals_log)

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> Any:
            return self._callback.after_iteration(model, done + epoch, evals_log)

    return list(map(Counting, callbacks))


def saver(run: Run, loss: Loss) -> Any:
    """A callback that saves the model whenever it is due."""

    class Saver(import_host("xgboost").callback.TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            note = run.note_due(epoch + 1)
            if note is not None:
                earlier = earlier_balance_of(model).tolist()
                set_provenance(model, Provenance(loss, None, earlier=earlier))
                save_checkpoint(run, note, model)
            return False

    return Saver()


@dataclass(eq=False)
class Balancing:
    """The methods of a callback that finds the shift which balances a training.

    XGBoost continues a copy of a model. Before the first round its balance is taken
    back, and after the last one XGBoost still has the raw predictions of its data sets.
    Of these the first is the training set. Predictions may end at the best round, whose
    raw predictions are kept: to predict them anew may take longer than the training.
    """

    loss: Loss
    balance: Balance
    data_sets: Sequence["xgboost.DMatrix"]
    n_threads: int | None
    ends_at_best: bool = False
    _at_best: NDArray[np.float32] | None = None
    _shift: NDArray[np.float64] | None = None

    def before_training(self, model: Any) -> Any:
        take_balance_back(model, "xgb_model")
        return model

    def before_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        n_best = self._n_best(model)
        if n_best is not None and n_best == model.num_boosted_rounds():
            self._at_best = _last_predictions(model, self._rows())
        return False

    def after_training(self, model: Any) -> Any:
        if self.balance:
            n_best, rows = self._n_best(model), self._rows()
            end = None if n_best is None else (n_best, self._at_best)
            self._shift = shift_on(model, self.loss, rows, self.n_threads, end)
        return model

    def _n_best(self, model: Any) -> int | None:
        """The number of rounds up to the best one, if predictions end there."""
        ends_at_best = self.balance and self.ends_at_best
        best = model.attr("best_iteration") if ends_at_best else None
        return None if best is None else int(best) + 1

    def _rows(self) -> "xgboost.DMatrix":
        return self.data_sets[0 if self.balance is True else -1]

    def balanced(
        self, model: "xgboost.Booster", is_update: bool
    ) -> tuple["xgboost.Booster", Any]:
        """The trained model in balance, and the base_score it had, or None."""
        if not has_base_scores():  # it calls back in any order: another may cut it
            self.after_training(model)
        if self._shift is None:
            return model, None
        # XGBoost 3 itself leaves a model without the predictions of its training. A
        # copy of an update forgets its updaters, so that it takes parameters.
        if is_update or not hasattr(model, "reset"):
            model = model.copy()
        return model, shift_base_score(model, self.loss, self._shift)


def balancing(*arguments: Any, **options: Any) -> Any:
    """A ``Balancing`` that XGBoost takes for a callback."""
    kind = import_host("xgboost").callback.TrainingCallback
    return type("Balancing", (Balancing, kind), {})(*arguments, **options)


def shift_on(
    booster: "xgboost.Booster",
    loss: Loss,
    data_set: "xgboost.DMatrix",
    n_threads: int | None,
    end: tuple[int, NDArray[np.float32] | None] | None = None,
) -> NDArray[np.float64] | None:
    """The shift that balances a model on the rows of all workers, if one does.

    The end is the number of rounds that count, and the raw predictions after them.
    """
    # A base_margin takes the place of the base_score.
    if over_workers(lambda: len(data_set.get_base_margin())) > 0:
        return None
    learner = learner_of(booster)
    kind = learner["gradient_booster"]
    # A linear model adds its first base_score to all its columns.
    if kind["name"] == "gblinear" and np.size(_base_score_in(learner)) > 1:
        return None
    with failing_together():
        labels = labels_of(data_set)
        columns = labels.shape[1:]
        if isinstance(loss, SoftmaxFocalLoss):
            columns = (loss.n_classes,)
        # XGBoost gives the predictions of a worker without rows any shape.
        raw = _raw_predictions(booster, kind, data_set, end)
        raw = raw.reshape(len(labels), *columns)
        part = Part(labels, raw, weights_of(data_set), n_threads)
    return balancing_shift_of_parts(
        loss,
        lambda function: over_workers(lambda: function(part)),
        earlier_balance_of(booster),
    )


def earlier_balance_of(booster: "xgboost.Booster") -> NDArray[np.float64]:
    """The shift of the model that this one continues, for rows of a single class."""
    return earlier_balance(provenance_of(booster, "xgb_model"))


def _raw_predictions(
    booster: "xgboost.Booster",
    kind: dict[str, Any],
    data_set: "xgboost.DMatrix",
    end: tuple[int, NDArray[np.float32] | None] | None,
) -> NDArray[np.float32]:
    """Raw predictions; a linear model has no rounds to leave out.

    Those that XGBoost has of dart are without the trees that the last round dropped,
    and trees weigh less since the best round. A copy forgets them.
    """
    rounds, at_best = end or (booster.num_boosted_rounds(), None)
    if not _drops_trees(kind):
        if rounds >= booster.num_boosted_rounds() or kind["name"] == "gblinear":
            return _last_predictions(booster, data_set)
        if at_best is not None:
            return at_best
    span = (0, rounds)
    raw = booster.copy().predict(data_set, output_margin=True, iteration_range=span)
    return np.asarray(raw)


def _last_predictions(
    booster: "xgboost.Booster", data_set: "xgboost.DMatrix"
) -> NDArray[np.float32]:
    """Raw predictions after the last round of a training, which XGBoost still has."""
    raw = booster.predict(data_set, output_margin=True, training=True)
    return np.asarray(raw)


def _drops_trees(kind: dict[str, Any]) -> bool:
    """Whether a booster is dart; XGBoost 3.4 names its parameters in every model."""
    settings = kind.get("dart_train_param", {})
    chances = (float(settings.get(name, 0)) for name in ("rate_drop", "one_drop"))
    return kind["name"] == "dart" or any(chance > 0 for chance in chances)


def shift_base_score(
    booster: "xgboost.Booster", loss: Loss, shift: NDArray[np.float64]
) -> Any:
    """Add a constant to the raw predictions of a model, and return its base_score."""
    learner = learner_of(booster)
    before = _base_score_in(learner)
    start = _start_of_score(learner, before)
    set_base_score(booster, as_base_score(loss, start + shift))
    return before
