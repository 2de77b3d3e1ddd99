"""Looks at losses and models: what they weigh, and which of them to use."""

from focalboost.diagnostics._alert_overlap import AlertOverlap, alert_overlap
from focalboost.diagnostics._alerts import Alerts, alerts
from focalboost.diagnostics._budget import (
    GradientBudget,
    gradient_budget,
    gradient_budget_by_round,
)
from focalboost.diagnostics._compare import compare_losses
from focalboost.diagnostics._comparison import Comparison
from focalboost.diagnostics._fitting import Fitted, fit
from focalboost.diagnostics._methods import LOG_LOSS, METHODS, Method
from focalboost.diagnostics._plots import (
    plot_alerts,
    plot_comparison,
    plot_gradient_budget,
    plot_reliability,
)
from focalboost.diagnostics._reliability import Reliability, reliability
from focalboost.diagnostics._report import write_report
from focalboost.diagnostics._tuning import Tuned, default_grid, tuned

__all__ = [
    "LOG_LOSS",
    "METHODS",
    "AlertOverlap",
    "Alerts",
    "Comparison",
    "Fitted",
    "GradientBudget",
    "Method",
    "Reliability",
    "Tuned",
    "alert_overlap",
    "alerts",
    "compare_losses",
    "default_grid",
    "fit",
    "gradient_budget",
    "gradient_budget_by_round",
    "plot_alerts",
    "plot_comparison",
    "plot_gradient_budget",
    "plot_reliability",
    "reliability",
    "tuned",
    "write_report",
]
