"""scikit-learn classifiers: the hosts' own, with the focal loss."""

from typing import TYPE_CHECKING, Any

from focalboost._host import import_host

if TYPE_CHECKING:
    from focalboost.estimators._lightgbm import FocalLGBMClassifier
    from focalboost.estimators._xgboost import FocalXGBClassifier

__all__ = ["FocalLGBMClassifier", "FocalXGBClassifier"]


def __getattr__(name: str) -> Any:
    """Import an estimator when it is asked for, as its host may not be installed."""
    if name == "FocalXGBClassifier":
        import_host("xgboost")
        from focalboost.estimators._xgboost import FocalXGBClassifier

        return FocalXGBClassifier
    if name == "FocalLGBMClassifier":
        import_host("lightgbm")
        from focalboost.estimators._lightgbm import FocalLGBMClassifier

        return FocalLGBMClassifier
    raise AttributeError(f"module 'focalboost.estimators' has no attribute {name!r}")
