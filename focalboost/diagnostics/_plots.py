"""Pictures of the results, with matplotlib: axes in or none, axes out."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from focalboost._imports import import_extra
from focalboost._validation import one_of, reject
from focalboost.diagnostics._alerts import Alerts
from focalboost.diagnostics._budget import GradientBudget
from focalboost.diagnostics._comparison import Comparison
from focalboost.diagnostics._reliability import Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_alerts", "plot_comparison", "plot_gradient_budget", "plot_reliability"]

T = TypeVar("T")

#: Axis labels by attribute.
_WORDS = {
    "n_alerts": "alerts",
    "false_positive_rate": "false-positive rate",
    "recall": "recall",
    "precision": "precision",
    "cost": "cost",
    "average_precision": "average precision",
    "log_loss": "log loss",
    "corrected_log_loss": "log loss, corrected",
    "brier": "Brier score",
}


def plot_gradient_budget(
    budgets: GradientBudget | Mapping[str, GradientBudget] | Sequence[GradientBudget],
    *,
    of: str = "gradient",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw shares of |gradient| or curvature as stacked bars, one for each budget.

    Parameters
    ----------
    budgets : GradientBudget, mapping of str to GradientBudget, or sequence
        A mapping names the bars; of a sequence the rounds do.
    of : {"gradient", "curvature"}, default="gradient"
        What to draw. Negatives are blue, positives red, hard rows dark.
    ax : matplotlib Axes, optional
        Where to draw; by default new axes.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost import FocalLoss
    >>> from focalboost.diagnostics import gradient_budget, plot_gradient_budget
    >>> y_true, loss = np.repeat([0, 1], [99, 1]), FocalLoss(2)
    >>> ax = plot_gradient_budget(
    ...     {"from 0": gradient_budget(y_true, np.zeros(100), loss)}
    ... )
    >>> ax.get_xlabel()
    'share of |gradient|'
    """
    one_of("of", of, ("gradient", "curvature"))
    named = _named_budgets(budgets)
    axes = _axes(ax)
    for place, budget in enumerate(named.values()):
        _draw_bar(axes, place, budget, of, with_labels=place == 0)
    axes.axvline(0.5, color="black", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(named)), list(named))
    axes.invert_yaxis()
    name = "|gradient|" if of == "gradient" else "curvature"
    axes.set(xlim=(0, 1), xlabel=f"share of {name}")
    axes.legend(fontsize="x-small", loc="upper left", bbox_to_anchor=(1, 1))
    return axes


def plot_reliability(
    results: Reliability | Mapping[str, Reliability], *, ax: "Axes | None" = None
) -> "Axes":
    """Draw observed against predicted shares of positives on logarithmic axes.

    Parameters
    ----------
    results : Reliability, or mapping of str to Reliability
        A mapping names the lines. Bins without positives are drawn at the lower edge.
    ax : matplotlib Axes, optional
        Where to draw; by default new axes.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> from focalboost.diagnostics import plot_reliability, reliability
    >>> ax = plot_reliability(reliability([0, 1, 0, 1], [0.1, 0.4, 0.5, 0.9]))
    >>> ax.get_xscale(), ax.get_yscale()
    ('log', 'log')
    """
    named = _by_name(results)
    axes = _axes(ax)
    lowest = _lowest_decade(named)
    for name, result in named.items():
        observed = np.maximum(result.observed, lowest)
        errors = np.abs(np.maximum([result.low, result.high], lowest) - observed)
        error = result.relative_calibration_error
        axes.errorbar(
            np.maximum(result.predicted, lowest),
            observed,
            errors,
            fmt=".-",
            linewidth=1,
            capsize=2,
            label=f"{name}, error {error:.2g} × prevalence" if name else None,
        )
    axes.plot([lowest, 1], [lowest, 1], "k:", linewidth=1)
    axes.set(xscale="log", yscale="log", xlim=(lowest, 1.2), ylim=(lowest, 1.2))
    axes.set(xlabel="predicted probability", ylabel="share of positives")
    return _with_legend(axes, named)


def plot_alerts(
    results: Alerts | Mapping[str, Alerts],
    *,
    y: str = "recall",
    x: str = "n_alerts",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw recall, precision or cost against the number of alerts, with intervals.

    Parameters
    ----------
    results : Alerts, or mapping of str to Alerts
        A mapping names the lines.
    y : {"recall", "precision", "cost"}, default="recall"
        What to draw; the cost has to have been asked for.
    x : {"n_alerts", "false_positive_rate"}, default="n_alerts"
        Against what, on a logarithmic axis.
    ax : matplotlib Axes, optional
        Where to draw; by default new axes.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> from focalboost.diagnostics import alerts, plot_alerts
    >>> ax = plot_alerts(alerts([0, 1, 0, 1], [1, 4, 2, 3]), y="precision")
    >>> ax.get_ylabel()
    'precision'
    """
    one_of("y", y, ("recall", "precision", "cost"))
    one_of("x", x, ("n_alerts", "false_positive_rate"))
    named = _by_name(results)
    axes = _axes(ax)
    for name, result in named.items():
        if getattr(result, y) is None:
            reject(
                "y", "a cost that was asked for", y, "Use alerts(..., costs=(1, 9))."
            )
        places = getattr(result, x)
        (line,) = axes.step(places, getattr(result, y), where="post", label=name)
        low, high = (getattr(result, f"{y}_{end}") for end in ("low", "high"))
        axes.fill_between(
            places, low, high, step="post", color=line.get_color(), alpha=0.12
        )
    axes.set(xscale="log", xlabel=_WORDS[x], ylabel=_WORDS[y])
    return _with_legend(axes, named)


def plot_comparison(
    comparison: Comparison,
    *,
    metric: str = "average_precision",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the difference of every method to the first, with 95 % intervals.

    Parameters
    ----------
    comparison : Comparison
        What ``compare_losses`` returns.
    metric : str, default="average_precision"
        As in ``Comparison.values``.
    ax : matplotlib Axes, optional
        Where to draw; by default new axes.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import FocalXGBClassifier
    >>> from focalboost.diagnostics import compare_losses, plot_comparison
    >>> X, y = make_classification(500, weights=[0.9], random_state=0)
    >>> found = compare_losses(
    ...     FocalXGBClassifier(n_jobs=1), X, y,
    ...     losses=["log loss", "focal, γ = 2"], cv=3, progress=False,
    ... )
    >>> ax = plot_comparison(found)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['focal, γ = 2']
    """
    reference = comparison.reference
    names = [name for name in comparison.names if name != reference]
    found = [comparison.difference(name, reference, metric) for name in names]
    axes = _axes(ax)
    for place, difference in enumerate(found):
        if np.isfinite(difference.mean):
            ends = (difference.low, difference.high)
            axes.plot(ends, (place, place), color="tab:blue", linewidth=1.5)
            axes.plot(difference.mean, place, "o", color="tab:blue", markersize=4)
    axes.axvline(0, color="black", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.set_xlabel(f"{_WORDS[metric]}, difference to {reference}")
    return axes


def _by_name(results: T | Mapping[str, T]) -> dict[str, T]:
    """The results of a mapping, or a single one without a name."""
    return dict(results) if isinstance(results, Mapping) else {"": results}


def _with_legend(axes: "Axes", named: Mapping[str, Any]) -> "Axes":
    """The axes with a legend, if there are names."""
    if any(named):
        axes.legend(fontsize="x-small")
    return axes


def _named_budgets(
    budgets: GradientBudget | Mapping[str, GradientBudget] | Sequence[GradientBudget],
) -> dict[str, GradientBudget]:
    if isinstance(budgets, GradientBudget):
        budgets = [budgets]
    if isinstance(budgets, Mapping):
        return dict(budgets)
    return {
        str(number) if budget.n_rounds is None else f"{budget.n_rounds} rounds": budget
        for number, budget in enumerate(budgets)
    }


def _draw_bar(
    axes: "Axes", place: int, budget: GradientBudget, of: str, with_labels: bool
) -> None:
    """The easy rows of each class at the outside, the hard ones in the middle."""
    shares = getattr(budget, of)
    n_bins = shares.shape[1]
    maps = ("Blues", "Reds", "Greens", "Purples", "Oranges", "Greys")
    left = 0.0
    for code in budget.classes:
        easy_first = range(n_bins)[::-1] if code == 0 else range(n_bins)
        colours = _colours(maps[code % len(maps)], n_bins)
        for index in easy_first:
            share = float(shares[code, index])
            label = _bin_name(budget, code, index) if with_labels else None
            axes.barh(place, share, left=left, color=colours[index], label=label)
            left += share


def _colours(name: str, n_bins: int) -> Any:
    colormaps = import_extra("matplotlib", _ADVICE).colormaps
    return colormaps[name](np.linspace(0.95, 0.25, n_bins))


def _bin_name(budget: GradientBudget, code: int, index: int) -> str:
    bounds = (0.0, *budget.edges, 1.0)
    kinds = ("negatives", "positives")
    kind = kinds[code] if len(budget.classes) == 2 else f"class {code}"
    return f"{kind}, p_t {bounds[index]:g} to {bounds[index + 1]:g}"


def _lowest_decade(named: Mapping[str, Reliability]) -> float:
    """A power of ten below what is observed, at which shares of 0 are drawn."""
    positive = np.concatenate(
        [values[values > 0] for r in named.values() for values in (r.observed, r.low)]
    )
    lowest = positive.min() if positive.size else 1e-3
    return float(10.0 ** np.floor(np.log10(lowest)))


_ADVICE = "pip install 'focalboost[diagnostics]'"


def _axes(ax: "Axes | None") -> "Axes":
    if ax is not None:
        return ax
    axes: Axes = import_extra("matplotlib.pyplot", _ADVICE).figure().add_subplot()
    return axes
