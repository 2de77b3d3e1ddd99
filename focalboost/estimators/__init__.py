"""scikit-learn classifiers: the hosts' own, with the focal loss."""

from typing import TYPE_CHECKING, Any

from focalboost._hosts._imports import import_on_demand, those_installed

if TYPE_CHECKING:
    from focalboost.estimators._lightgbm import FocalLGBMClassifier
    from focalboost.estimators._xgboost import FocalXGBClassifier

__all__ = ["FocalLGBMClassifier", "FocalXGBClassifier"]

_ON_DEMAND = {
    "FocalLGBMClassifier": ("focalboost.estimators._lightgbm", ("lightgbm",)),
    "FocalXGBClassifier": ("focalboost.estimators._xgboost", ("xgboost",)),
}
__all__ = those_installed(__all__, _ON_DEMAND)


def __getattr__(name: str) -> Any:
    return import_on_demand(__name__, name, _ON_DEMAND)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
