"""The pictures of a comparison's report, as SVG."""

import io
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit

from focalboost._imports import import_extra
from focalboost.diagnostics._alert_overlap import alert_overlap
from focalboost.diagnostics._alerts import Alerts, alerts
from focalboost.diagnostics._budget import GradientBudget, gradient_budget_by_round
from focalboost.diagnostics._comparison import Comparison
from focalboost.diagnostics._fitting import fit
from focalboost.diagnostics._methods import Method
from focalboost.diagnostics._plots import (
    plot_alerts,
    plot_comparison,
    plot_gradient_budget,
    plot_reliability,
)
from focalboost.diagnostics._rebalance import Part, weighted
from focalboost.diagnostics._reliability import Reliability, reliability
from focalboost.losses import FocalLoss

__all__ = ["Picture", "pictures"]

#: Rounds after which the gradient budget is shown.
ROUNDS = (0, 10, 100)


class Picture(NamedTuple):
    """A picture with what is to be seen in it."""

    title: str
    caption: str
    svg: str


def pictures(comparison: Comparison, estimator: Any, X: Any) -> Iterator[Picture]:
    """Draw what the comparison found, for a few of its methods."""
    shown = _shown_methods(comparison)
    names = tuple(method.name for method in shown)
    yield Picture(
        "Differences in average precision",
        f"Means over the folds, each method minus {comparison.reference}, with 95 % "
        "intervals (corrected for the overlap of the training sets, not for the number "
        "of methods). An interval across the dotted line is compatible with no "
        "difference.",
        _svg(1, lambda axes: plot_comparison(comparison, ax=axes[0])),
    )
    if not names:
        return
    found = {name: _alerts(comparison, name) for name in names}
    yield Picture(
        "Alerts",
        "What the rows with the largest scores find, on rows that the models have not "
        f"seen; the bands are 95 % intervals for one model. {_overlap(comparison)}",
        _svg(2, lambda axes: _draw_alerts(found, axes)),
    )
    reliabilities = _reliabilities(shown, comparison)
    yield Picture(
        "Reliability",
        "Probabilities as each method serves them; the dotted line is right. Bins hold "
        "equally many expected positives, with 95 % intervals; bins without positives "
        "are drawn at the lower edge. The focal score is what the trees of a focal "
        "loss sum to, which is not served.",
        _svg(1, lambda axes: plot_reliability(reliabilities, ax=axes[0])),
    )
    budgets = _budgets(shown, comparison, estimator, X)
    yield Picture(
        "Gradient budget",
        "Which rows the loss spends its gradient and curvature on, after 0, 10 and "
        "100 rounds, or as many as early stopping left: negatives blue, positives red, "
        "hard rows dark; p_t is the posterior of the true class. At the start "
        "negatives carry exactly half of the gradient under any loss, whatever the "
        "imbalance.",
        _svg(2, lambda axes: _draw_budgets(budgets, axes)),
    )


def _shown_methods(comparison: Comparison) -> tuple[Method, ...]:
    """The reference, what is recommended, and the best of each kind."""
    usable = [m for m in comparison.methods if _has_predictions(comparison, m.name)]

    def best(kind: Callable[[Method], bool]) -> list[Method]:
        chosen = [method for method in usable if kind(method)]
        return sorted(chosen, key=lambda m: -comparison.mean(m.name))[:1]

    use = (comparison.reference, comparison.verdict.use)
    chosen = [
        *(method for method in usable if method.name in use),
        *best(lambda m: m.is_focal and m.gamma != 0),
        *best(lambda m: m.weight > 0),
        *best(lambda m: m.resampling is not None),
    ]
    return tuple(dict.fromkeys(chosen))


def _has_predictions(comparison: Comparison, name: str) -> bool:
    return bool(np.isfinite(comparison.log_odds[name]).any())


def _predicted(comparison: Comparison, name: str) -> Part:
    """The rows that a method has predicted, with labels, log-odds and weights."""
    log_odds = comparison.log_odds[name].astype(np.float64)
    rows = np.flatnonzero(np.isfinite(log_odds))
    return Part(log_odds, comparison.y_true, comparison.sample_weight).rows(rows)


def _alerts(comparison: Comparison, name: str) -> Alerts:
    predicted = _predicted(comparison, name)
    return alerts(predicted.y, predicted.X)


def _draw_alerts(found: dict[str, Alerts], axes: Any) -> None:
    plot_alerts(found, y="recall", x="false_positive_rate", ax=axes[0])
    plot_alerts(found, y="precision", ax=axes[1])
    axes[0].set_xlim(left=0.1 / next(iter(found.values())).n_negative)


def _overlap(comparison: Comparison) -> str:
    """Which positives the best focal loss finds and the reference misses."""
    shown, reference = _shown_methods(comparison), comparison.reference
    focal = [m.name for m in shown if m.is_focal and m.gamma and m.name != reference]
    if not focal or not _has_predictions(comparison, reference):
        return ""
    name = focal[-1]
    pair = [comparison.log_odds[one] for one in (name, reference)]
    rows = np.isfinite(pair).all(axis=0)
    y_true = comparison.y_true[rows]
    n_alerts = int(y_true.sum())
    overlap = alert_overlap(y_true, pair[0][rows], pair[1][rows], n_alerts)
    return (
        f"With {n_alerts} alerts, as many as there are positives, {name} finds "
        f"{len(overlap.only_first)} that {reference} misses, and misses "
        f"{len(overlap.only_second)} that it finds; both find {len(overlap.both)} "
        f"(McNemar's p = {overlap.p_value:.2g})."
    )


def _reliabilities(
    shown: tuple[Method, ...], comparison: Comparison
) -> dict[str, Reliability]:
    results = {}
    for method in shown:
        log_odds, y_true, weight = _predicted(comparison, method.name)
        results[method.name] = reliability(y_true, expit(log_odds), weight)
    focal = [method for method in shown if method.is_focal and method.gamma != 0]
    for method in focal[:1]:
        log_odds, y_true, weight = _predicted(comparison, method.name)
        loss = FocalLoss(method.gamma or 0, method.alpha)
        # Beyond 36 a probability in float64 is 1, which has no raw prediction.
        raw = loss.inverse_posterior(expit(np.clip(log_odds, -700, 36)))
        name = f"focal score of {method.name}"
        results[name] = reliability(y_true, expit(raw), weight)
    return results


def _budgets(
    shown: tuple[Method, ...], comparison: Comparison, estimator: Any, X: Any
) -> dict[str, GradientBudget]:
    """Budgets of models trained on the first fold's training rows."""
    test = comparison.first_tests[min(comparison.first_tests)]
    train = np.setdiff1d(np.arange(len(comparison.y_true)), test)
    data = Part(X, comparison.y_true, comparison.sample_weight)
    rows, stop = data.rows(train), data.rows(test)
    budgets = {}
    for method in shown:
        if method.resampling is not None:
            continue
        fitted = fit(method, estimator, *rows, *stop, 0)
        weight = weighted(rows, fitted.odds_factor).weight
        for n_rounds in dict.fromkeys(min(n, fitted.n_rounds) for n in ROUNDS):
            (budget,) = gradient_budget_by_round(
                fitted.model, rows.X, rows.y, [n_rounds], weight
            )
            budgets[f"{method.name}, {n_rounds} rounds"] = budget
    return budgets


def _draw_budgets(budgets: dict[str, GradientBudget], axes: Any) -> None:
    plot_gradient_budget(budgets, of="gradient", ax=axes[0])
    plot_gradient_budget(budgets, of="curvature", ax=axes[1])
    axes[0].get_legend().remove()
    axes[1].set_yticklabels([])


def _svg(n_axes: int, draw: Callable[[Any], Any]) -> str:
    """A drawing as SVG that is the same whenever it is made."""
    matplotlib = import_extra("matplotlib", "pip install 'focalboost[diagnostics]'")
    figures = import_extra("matplotlib.figure", "pip install matplotlib")
    figure = figures.Figure(figsize=(5.6 * n_axes + 2, 5), layout="constrained")
    draw(figure.subplots(1, n_axes, squeeze=False)[0])
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "focalboost"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()
