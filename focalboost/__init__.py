"""Focal loss for gradient-boosted trees: XGBoost, LightGBM and scikit-learn."""

from typing import TYPE_CHECKING, Any

from focalboost._hosts._checkpoint import Checkpoint
from focalboost._hosts._imports import import_on_demand, those_installed
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


_ON_DEMAND = {
    "FocalLGBMClassifier": ("focalboost.estimators", ("lightgbm",)),
    "FocalXGBClassifier": ("focalboost.estimators", ("xgboost",)),
}
__all__ = those_installed(__all__, _ON_DEMAND)


def __getattr__(name: str) -> Any:
    return import_on_demand(__name__, name, _ON_DEMAND)


def __dir__() -> list[str]:
    return sorted(__all__)
