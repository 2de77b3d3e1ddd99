"""Compare losses on a table by cross-validation, and say which to use."""

from focalboost.comparison._compare import compare_losses
from focalboost.comparison._methods import LOG_LOSS, METHODS, Method, TableEncoder
from focalboost.comparison._report import plot_comparison, write_report
from focalboost.comparison._result import Comparison
from focalboost.comparison._search import Fitted, Tuned, default_grid, fit, tuned

__all__ = [
    "LOG_LOSS",
    "METHODS",
    "Comparison",
    "Fitted",
    "Method",
    "TableEncoder",
    "Tuned",
    "compare_losses",
    "default_grid",
    "fit",
    "plot_comparison",
    "tuned",
    "write_report",
]
