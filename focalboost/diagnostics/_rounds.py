"""The raw predictions of the first rounds of a fitted model."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from focalboost._validation import reject, whole_number
from focalboost.diagnostics._estimator import host_of
from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss

__all__ = ["loss_of_model", "raw_prediction_at"]

#: The hosts' names of their own log losses, of two classes and of more.
_LOG_LOSSES = {
    "binary:logistic": 2,
    "binary": 2,
    "multi:softprob": 3,
    "multi:softmax": 3,
    "multiclass": 3,
}


def loss_of_model(model: Any) -> tuple[Loss, str]:
    """The loss that a model was trained with, and which curvature."""
    loss: Loss | None = getattr(model, "focal_loss_", None)
    if loss is not None:
        return loss, "certified"
    host_of(model)
    name = getattr(model, "objective_", None) or model.objective
    kind = _LOG_LOSSES.get(name) if isinstance(name, str) else None
    if kind is None:
        reject("model", "trained with a log loss or a focal loss", name, "Refit it.")
    n_classes = int(model.n_classes_)
    return (FocalLoss(0) if kind == 2 else SoftmaxFocalLoss(n_classes, 0)), "exact"


def raw_prediction_at(
    model: Any, X: Any, n_rounds: int, loss: Loss, y_true: Any, sample_weight: Any
) -> NDArray[np.float64]:
    """The raw predictions of the first rounds; of none, where training starts."""
    whole_number("rounds", n_rounds, 0, "Use rounds=(0, 10, 100).")
    host = host_of(model)
    if n_rounds > (trained := _trained_rounds(model, host)):
        advice = "Train longer, or ask for fewer."
        reject("rounds", f"at most the {trained} of the model", n_rounds, advice)
    if n_rounds == 0:
        start = _start(model, host, loss, y_true, sample_weight)
        return np.broadcast_to(start, (len(y_true), *np.shape(start))).copy()
    options: dict[str, Any] = {
        "xgboost": {"output_margin": True, "iteration_range": (0, n_rounds)},
        "lightgbm": {"raw_score": True, "num_iteration": n_rounds},
    }
    return np.asarray(model.predict(X, **options[host]), dtype=np.float64)


def _trained_rounds(model: Any, host: str) -> int:
    if host == "xgboost":
        return int(model.get_booster().num_boosted_rounds())
    return int(model.booster_.current_iteration())


def _start(model: Any, host: str, loss: Loss, y_true: Any, sample_weight: Any) -> Any:
    """XGBoost keeps it, for two classes as a probability; LightGBM does not."""
    if host == "lightgbm":
        return loss.baseline(y_true, sample_weight)
    intercept = np.asarray(model.intercept_, dtype=np.float64)
    if isinstance(loss, SoftmaxFocalLoss):
        return intercept
    return logit(intercept) if np.ndim(y_true) == 2 else float(logit(intercept[0]))
