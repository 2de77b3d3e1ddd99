"""Training on a cluster: Dask with both hosts, Spark with XGBoost.

``xgboost.train`` and ``lightgbm.train`` of this package train on Dask collections,
``FocalDaskXGBClassifier`` and ``FocalDaskLGBMClassifier`` are the hosts' own Dask
classifiers with the focal loss, and ``spark`` fits XGBoost's Spark classifier. Class
masses, baseline and weights of classes are those of all rows, wherever they lie.
"""

from typing import TYPE_CHECKING, Any

from focalboost._host import import_host
from focalboost._imports import import_extra

if TYPE_CHECKING:
    from focalboost.distributed._lightgbm_classifier import FocalDaskLGBMClassifier
    from focalboost.distributed._xgboost_classifier import FocalDaskXGBClassifier

__all__ = ["FocalDaskLGBMClassifier", "FocalDaskXGBClassifier"]


def __getattr__(name: str) -> Any:
    """Import a classifier when it is asked for, as Dask may not be installed."""
    if name not in __all__:
        text = f"module 'focalboost.distributed' has no attribute {name!r}"
        raise AttributeError(text)
    import_extra("distributed", "pip install 'focalboost[dask]'")
    if name == "FocalDaskXGBClassifier":
        _require_xgboost_3(import_host("xgboost").__version__)
        from focalboost.distributed._xgboost_classifier import FocalDaskXGBClassifier

        return FocalDaskXGBClassifier
    import_host("lightgbm")
    from focalboost.distributed._lightgbm_classifier import FocalDaskLGBMClassifier

    return FocalDaskLGBMClassifier


def _require_xgboost_3(version: str) -> None:
    """Before it, the bases of XGBoost's two classifiers have no common order."""
    if int(version.partition(".")[0]) < 3:
        raise ImportError(
            f"FocalDaskXGBClassifier needs XGBoost 3.0 or newer, and {version} is "
            "installed: use focalboost.distributed.xgboost.train, or upgrade",
            name="xgboost",
        )
