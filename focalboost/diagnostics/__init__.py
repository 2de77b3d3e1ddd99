"""Looks at losses and models: what they weigh, and which of them to use."""

from focalboost.diagnostics._budget import (
    GradientBudget,
    gradient_budget,
    gradient_budget_by_round,
)
from focalboost.diagnostics._fitting import Fitted, fit
from focalboost.diagnostics._methods import LOG_LOSS, METHODS, Method
from focalboost.diagnostics._tuning import Tuned, default_grid, tuned

__all__ = [
    "LOG_LOSS",
    "METHODS",
    "Fitted",
    "GradientBudget",
    "Method",
    "Tuned",
    "default_grid",
    "fit",
    "gradient_budget",
    "gradient_budget_by_round",
    "tuned",
]
