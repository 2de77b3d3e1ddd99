"""What users do with a host's classifier, each usage as a function of a `Case`.

test_drop_in.py runs every usage once with the host's class and once with ours, and
compares the forms of what comes out.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Case", "Table", "form_of"]


def _labels(X):
    noise = np.random.default_rng(1).logistic(size=len(X))
    return (2 * X[:, 0] + X[:, 1] + noise > 1).astype(int)


@dataclass(frozen=True)
class Case:
    """A classifier to use, and data to use it on."""

    classifier: Any
    host: str

    X = np.random.default_rng(0).normal(size=(240, 4))
    y = _labels(X)
    three = y + (X[:, 2] > 0.8) * y  #: labels of three classes

    def make(self, **params):
        """An estimator of the class, small, quiet and on one thread."""
        quiet = {"verbosity": 0 if self.host == "xgboost" else -1}
        return self.classifier(**{"n_estimators": 4, "n_jobs": 1, **quiet, **params})

    @property
    def fitted(self):
        return self.make().fit(self.X, self.y)

    @property
    def frame(self):
        import pandas

        return pandas.DataFrame(self.X, columns=list("abcd"))

    @property
    def categories(self):
        """A frame with a column of categories and missing values."""
        frame = self.frame
        names = np.array(["red", "green", "blue"])
        frame["c"] = names[(self.X[:, 2] > 0).astype(int) + (self.X[:, 3] > 0)]
        frame["c"] = frame["c"].astype("category")
        return frame.mask(np.random.default_rng(2).random(frame.shape) < 0.1)

    def by_host(self, xgboost, lightgbm):
        """The host's own name or value for something that both have."""
        return xgboost if self.host == "xgboost" else lightgbm


class Table(dict):
    """Usages by their names."""

    def __call__(self, function):
        """Enter a usage; a decorator."""
        self[function.__name__.strip("_")] = function
        return function


def form_of(value):
    """The type of a result, its shape and the kind of its numbers, all the way down.

    Probabilities of ours are float64 where XGBoost's are float32, so that of a dtype
    the kind is compared. Names of metrics differ.
    """
    if isinstance(value, float | np.floating):
        return "a number"
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return type(value).__name__, value.shape, np.dtype(value.dtype).kind
    if isinstance(value, dict):
        return {_name(key): form_of(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value).__name__, [form_of(item) for item in value]
    if hasattr(value, "columns"):
        return type(value).__name__, value.shape, list(value.columns)
    return value if isinstance(value, str | bool) else type(value).__name__


def _name(key):
    is_metric = "logloss" in str(key) or key == "relative_focal_loss"
    return "the loss" if is_metric else key
