"""Training on a cluster: Dask with both hosts, Spark with XGBoost.

``xgboost.train`` and ``lightgbm.train`` of this package train on Dask collections.
``FocalDaskXGBClassifier`` and ``FocalDaskLGBMClassifier`` are the hosts' own Dask
classifiers with the focal loss. ``spark`` fits XGBoost's Spark classifier. Class
masses, baseline and class weights are those of all rows, wherever they lie.
"""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from focalboost._hosts._imports import import_on_demand, those_installed

if TYPE_CHECKING:
    from focalboost.distributed._lightgbm_classifier import FocalDaskLGBMClassifier
    from focalboost.distributed._xgboost_classifier import FocalDaskXGBClassifier

__all__ = ["FocalDaskLGBMClassifier", "FocalDaskXGBClassifier"]

_ON_DEMAND = {
    "FocalDaskLGBMClassifier": (
        "focalboost.distributed._lightgbm_classifier",
        ("distributed", "lightgbm"),
    ),
    "FocalDaskXGBClassifier": (
        "focalboost.distributed._xgboost_classifier",
        ("distributed", "xgboost"),
    ),
}


def _is_before_3(package: str) -> bool:
    """Whether a package has XGBoost before 3.0, whose classifiers share no bases."""
    try:
        return int(version(package).partition(".")[0]) < 3
    except PackageNotFoundError:
        return False


__all__ = those_installed(__all__, _ON_DEMAND)
if any(map(_is_before_3, ("xgboost", "xgboost-cpu"))):
    __all__ = [name for name in __all__ if name != "FocalDaskXGBClassifier"]


def __getattr__(name: str) -> Any:
    return import_on_demand(__name__, name, _ON_DEMAND)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
