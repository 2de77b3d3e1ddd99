"""Keeps MLflow's autologging from models that it would log wrongly.

It patches the hosts' fit and train, and logs what these return: the host's plain
model, of which estimators and focalboost.lightgbm.train have not made theirs yet. Its
predictions would be focal scores, or raw numbers.
"""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_autologging"]


@contextmanager
def without_autologging(host: str) -> Iterator[None]:
    """Switch autologging off where it is on, and say what to do instead."""
    mlflow = sys.modules.get("mlflow.utils.autologging_utils")
    if mlflow is None or mlflow.autologging_is_disabled(host):
        yield
        return
    warnings.warn(
        "MLflow's autologging has been left out of this training: it would log the "
        f"plain model of {host}, whose predictions are focal scores. Log the result "
        f"with mlflow.{host}.log_model.",
        UserWarning,
        stacklevel=4,
    )
    with mlflow.disable_autologging():
        yield
