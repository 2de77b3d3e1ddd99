"""Training on a cluster: Dask with both hosts, Spark with XGBoost.

``xgboost.train`` and ``lightgbm.train`` of this package train on Dask collections.
``FocalDaskXGBClassifier`` and ``FocalDaskLGBMClassifier`` are the hosts' own Dask
classifiers with the focal loss. ``spark`` fits XGBoost's Spark classifier. Class
masses, baseline and class weights are those of all rows, wherever they lie.
"""

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


__all__ = those_installed(__all__, _ON_DEMAND)


def __getattr__(name: str) -> Any:
    return import_on_demand(__name__, name, _ON_DEMAND)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
