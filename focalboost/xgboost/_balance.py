"""Balance of XGBoost models: a base_score with which posteriors add up."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._imports import import_host
from focalboost._hosts._note import earlier_balance
from focalboost.losses import Loss, SoftmaxFocalLoss
from focalboost.losses._balance import Part, balancing_shift_of_parts
from focalboost.objectives import labels_of, weights_of
from focalboost.objectives._grammar import failing_together, over_workers
from focalboost.xgboost._model import (
    base_score_and_start,
    is_linear,
    learner_of,
    provenance_of,
    set_base_score,
    start_of,
    take_balance_back,
)
from focalboost.xgboost._params import as_base_score

if TYPE_CHECKING:
    import xgboost


def balanced(
    booster: "xgboost.Booster",
    loss: Loss,
    data_set: "xgboost.DMatrix",
    rounds: int | None = None,
    n_threads: int | None = None,
) -> tuple["xgboost.Booster", Any]:
    """The model in balance on a data set, and the base_score it had, or None."""
    shift = _shift(booster, loss, data_set, rounds, n_threads)
    return (booster, None) if shift is None else shifted(booster, loss, shift)


def balancing(
    loss: Loss, data_set: "xgboost.DMatrix | None", n_threads: int | None
) -> Any:
    """A callback that keeps the balancing shift of a training as ``shift``.

    XGBoost continues a copy of a model. Before the first round its balance is taken
    back, and after the last one XGBoost still has the raw predictions of its data sets.
    ``shift`` is None without a data set to balance, or where there is no balance.
    """

    class Balancing(import_host("xgboost").callback.TrainingCallback):  # type: ignore[misc]
        shift: Any = None

        def before_training(self, model: Any) -> Any:
            take_balance_back(model, "xgb_model")
            return model

        def after_training(self, model: Any) -> Any:
            if data_set is not None:
                self.shift = _shift(model, loss, data_set, None, n_threads)
            return model

    return Balancing()


def _shift(
    booster: "xgboost.Booster",
    loss: Loss,
    data_set: "xgboost.DMatrix",
    rounds: int | None,
    n_threads: int | None,
) -> NDArray[np.float64] | None:
    """The balancing shift on the rows of all workers, or None where there is none."""
    # A base_margin takes the place of the base_score.
    if over_workers(lambda: len(data_set.get_base_margin())) > 0:
        return None
    # A linear model adds its first base_score to all its columns.
    if is_linear(booster) and start_of(booster).size > 1:
        return None
    with failing_together():
        labels = labels_of(data_set)
        columns = labels.shape[1:]
        if isinstance(loss, SoftmaxFocalLoss):
            columns = (loss.n_classes,)
        # XGBoost gives the predictions of a worker without rows any shape.
        raw = _raw_predictions(booster, data_set, rounds).reshape(len(labels), *columns)
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
    booster: "xgboost.Booster", data_set: "xgboost.DMatrix", rounds: int | None
) -> NDArray[np.float32]:
    """Raw predictions; XGBoost still has those of the last round of a training.

    With dart these are without the trees that the last round dropped, and a copy
    forgets them. Rounds after an early stop are taken off; a linear model has none.
    """
    kind = learner_of(booster)["gradient_booster"]
    drops = _drops_trees(kind)
    booster = booster.copy() if drops else booster
    raw = booster.predict(data_set, output_margin=True, training=not drops)
    last = booster.num_boosted_rounds()
    if rounds is None or rounds >= last or kind["name"] == "gblinear":
        return np.asarray(raw)
    rest = booster.predict(data_set, output_margin=True, iteration_range=(rounds, last))
    return np.asarray(raw - (rest - start_of(booster)))


def _drops_trees(kind: dict[str, Any]) -> bool:
    """Whether a booster is dart; XGBoost 3.4 names its parameters in every model."""
    settings = kind.get("dart_train_param", {})
    chances = (float(settings.get(name, 0)) for name in ("rate_drop", "one_drop"))
    return kind["name"] == "dart" or any(chance > 0 for chance in chances)


def shifted(
    booster: "xgboost.Booster", loss: Loss, shift: NDArray[np.float64]
) -> tuple["xgboost.Booster", Any]:
    """A copy with a constant added to raw predictions, and the former base_score."""
    copy = booster.copy()  # a booster keeps what it has predicted for a data set
    return copy, shift_base_score(copy, loss, shift)


def shift_base_score(
    booster: "xgboost.Booster", loss: Loss, shift: NDArray[np.float64]
) -> Any:
    """Add a constant to the raw predictions of a model, and return its base_score."""
    before, start = base_score_and_start(booster)
    set_base_score(booster, as_base_score(loss, start + shift))
    return before


def without_predictions(
    booster: "xgboost.Booster", is_update: bool
) -> "xgboost.Booster":
    """A model just trained, which keeps no predictions, as XGBoost 3 leaves it."""
    # A copy of an update forgets its updaters, so that it takes parameters.
    has_none = hasattr(booster, "reset") and not is_update
    return booster if has_none else booster.copy()
