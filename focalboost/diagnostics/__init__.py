"""Look at predictions and losses: alerts, reliability, gradient budgets, plots."""

from focalboost.diagnostics._budget import (
    GradientBudget,
    gradient_budget,
    gradient_budget_by_round,
)
from focalboost.diagnostics._plots import (
    plot_alerts,
    plot_gradient_budget,
    plot_reliability,
)
from focalboost.diagnostics._predictions import (
    AlertOverlap,
    Alerts,
    CheapestThreshold,
    Reliability,
    alert_overlap,
    alerts,
    cheapest_threshold,
    reliability,
)

__all__ = [
    "AlertOverlap",
    "Alerts",
    "CheapestThreshold",
    "GradientBudget",
    "Reliability",
    "alert_overlap",
    "alerts",
    "cheapest_threshold",
    "gradient_budget",
    "gradient_budget_by_round",
    "plot_alerts",
    "plot_gradient_budget",
    "plot_reliability",
    "reliability",
]
