"""Looks at losses and models: what they weigh, and which of them to use."""

from focalboost.diagnostics._fitting import Fitted, fit
from focalboost.diagnostics._methods import LOG_LOSS, METHODS, Method
from focalboost.diagnostics._tuning import Tuned, default_grid, tuned

__all__ = [
    "LOG_LOSS",
    "METHODS",
    "Fitted",
    "Method",
    "Tuned",
    "default_grid",
    "fit",
    "tuned",
]
