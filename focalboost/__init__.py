"""Focal loss for gradient-boosted trees: XGBoost, LightGBM and scikit-learn."""

from typing import TYPE_CHECKING, Any

from focalboost._checkpoint import Checkpoint
from focalboost.losses import FocalLoss, SoftmaxFocalLoss
from focalboost.objectives import focal_metric, focal_objective

if TYPE_CHECKING:
    from focalboost.estimators import FocalLGBMClassifier, FocalXGBClassifier

__version__ = "0.1.0"

__all__ = [
    "Checkpoint",
    "FocalLGBMClassifier",
    "FocalLoss",
    "FocalXGBClassifier",
    "SoftmaxFocalLoss",
    "__version__",
    "focal_metric",
    "focal_objective",
]


def __getattr__(name: str) -> Any:
    """Import an estimator when it is asked for, as its host may not be installed."""
    if name in ("FocalLGBMClassifier", "FocalXGBClassifier"):
        from focalboost import estimators

        return getattr(estimators, name)
    raise AttributeError(f"module 'focalboost' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
