"""Plots of the results with matplotlib: each takes axes or makes new ones."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._imports import import_extra
from focalboost._validation import one_of, reject
from focalboost.diagnostics._budget import GradientBudget
from focalboost.diagnostics._predictions import Alerts, Reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABELS = {
    "n_alerts": "alerts",
    "false_positive_rate": "false-positive rate",
    "threshold": "threshold of the score",
}


def plot_gradient_budget(
    budgets: GradientBudget | Mapping[str, GradientBudget] | Sequence[GradientBudget],
    *,
    of: str = "gradient",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw shares of ``|gradient|`` or curvature as stacked bars, one for each budget.

    Negatives are blue, positives are red, and hard rows are dark.

    Parameters
    ----------
    budgets : GradientBudget, mapping of str to GradientBudget, or sequence
        A mapping gives names to the bars. The bars of a sequence are named by rounds.
    of : {"gradient", "curvature"}, default="gradient"
        What to draw.
    ax : matplotlib Axes, optional
        Where to draw. The default is a new figure.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> from focalboost import FocalLoss
    >>> from focalboost.diagnostics import gradient_budget, plot_gradient_budget
    >>> budget = gradient_budget([0, 0, 1], [0.0, 0.0, 0.0], FocalLoss(2))
    >>> plot_gradient_budget({"from 0": budget}).get_xlabel()
    'share of |gradient|'
    """
    one_of("of", of, ("gradient", "curvature"))
    if not isinstance(budgets, Mapping):
        several = [budgets] if isinstance(budgets, GradientBudget) else budgets
        budgets = {
            str(number) if one.n_rounds is None else f"{one.n_rounds} rounds": one
            for number, one in enumerate(several)
        }
    axes = axes_of(ax)
    for place, budget in enumerate(budgets.values()):
        _draw_bar(axes, place, budget, of)
    axes.axvline(0.5, color="black", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(budgets)), list(budgets))
    axes.invert_yaxis()
    name = "|gradient|" if of == "gradient" else of
    axes.set(xlim=(0, 1), xlabel=f"share of {name}")
    axes.legend(fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    return axes


def plot_reliability(
    results: Reliability | Mapping[str, Reliability], *, ax: "Axes | None" = None
) -> "Axes":
    """Draw observed against predicted shares of positives on logarithmic axes.

    Bins without positives are at the lower edge, and those of probability 0 at the left
    edge.

    Parameters
    ----------
    results : Reliability, or mapping of str to Reliability
        A mapping gives names to the lines.
    ax : matplotlib Axes, optional
        Where to draw. The default is a new figure.

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
    axes = axes_of(ax)
    left = _decade_below([result.predicted for result in named.values()])
    lowest = _decade_below([result.low for result in named.values()])
    for name, result in named.items():
        observed = np.maximum(result.observed, lowest)
        errors = np.abs(np.maximum([result.low, result.high], lowest) - observed)
        error = result.relative_calibration_error
        axes.errorbar(
            np.maximum(result.predicted, left),
            observed,
            errors,
            fmt=".-",
            linewidth=1,
            capsize=2,
            label=f"{name}, error {error:.2g} × prevalence" if name else None,
        )
    axes.plot([min(left, lowest), 1], [min(left, lowest), 1], "k:", linewidth=1)
    # Markers on an edge are drawn whole.
    axes.set(xscale="log", yscale="log", xlim=(left / 1.2, 1.2), ylim=(lowest, 1.2))
    axes.set(xlabel="predicted probability", ylabel="share of positives")
    if any(named):
        axes.legend(fontsize="small")
    return axes


def plot_alerts(
    results: Alerts | Mapping[str, Alerts],
    *,
    y: str = "recall",
    x: str = "n_alerts",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw recall, precision or cost against the number of alerts, with intervals.

    A dot marks the smallest cost.

    Parameters
    ----------
    results : Alerts, or mapping of str to Alerts
        A mapping gives names to the lines.
    y : {"recall", "precision", "cost"}, default="recall"
        What to draw. "cost" needs results of ``alerts(..., costs=...)``.
    x : {"n_alerts", "false_positive_rate", "threshold"}, default="n_alerts"
        The horizontal axis. It is logarithmic if no value is negative.
    ax : matplotlib Axes, optional
        Where to draw. The default is a new figure.

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
    one_of("x", x, tuple(_LABELS))
    named = _by_name(results)
    axes = axes_of(ax)
    for name, result in named.items():
        values = getattr(result, y)
        if values is None:
            advice = "Use alerts(..., costs=(1, 100))."
            reject("y", "'recall' or 'precision' for alerts without costs", y, advice)
        places = getattr(result, x)
        (line,) = axes.step(places, values, where="post", label=name)
        colour = line.get_color()
        low, high = (getattr(result, f"{y}_{end}") for end in ("low", "high"))
        axes.fill_between(places, low, high, step="post", color=colour, alpha=0.12)
        if y == "cost":
            best = np.argmin(values)
            axes.plot(places[best], values[best], "o", color=colour)
    is_positive = all(np.all(getattr(result, x) >= 0) for result in named.values())
    axes.set(xscale="log" if is_positive else "linear", xlabel=_LABELS[x], ylabel=y)
    if any(named):
        axes.legend(fontsize="small")
    return axes


def axes_of(ax: "Axes | None") -> "Axes":
    """The axes, or those of a new figure."""
    if ax is not None:
        return ax
    pyplot = import_extra("matplotlib.pyplot", "pip install matplotlib")
    return cast("Axes", pyplot.figure().add_subplot())


def _by_name(results: Any) -> Mapping[str, Any]:
    """The results of a mapping, or a single one without a name."""
    return results if isinstance(results, Mapping) else {"": results}


def _draw_bar(axes: "Axes", place: int, budget: GradientBudget, of: str) -> None:
    """Draw the easy rows of each class outside, and the hard rows in the middle."""
    from matplotlib import colormaps

    bounds = (0.0, *budget.edges, 1.0)
    dark = np.linspace(0.95, 0.25, len(bounds) - 1)
    maps = ("Blues", "Reds", "Greens", "Purples", "Oranges", "Greys")
    kinds = [f"class {code}" for code in budget.classes]
    if len(kinds) == 2:
        kinds = ["negatives", "positives"]
    left = 0.0
    for code, shares in enumerate(getattr(budget, of)):
        colours = colormaps[maps[code % len(maps)]](dark)
        for i in np.arange(len(shares))[:: 1 if code else -1]:
            name = f"{kinds[code]}, p_t {bounds[i]:g} to {bounds[i + 1]:g}"
            label = name if place == 0 else ""
            axes.barh(place, shares[i], left=left, color=colours[i], label=label)
            left += shares[i]


def _decade_below(shares: Iterable[NDArray[np.float64]]) -> float:
    """The power of ten below all positive shares."""
    every = np.concatenate(list(shares))
    lowest = every[every > 0].min(initial=1.0)
    return float(10.0 ** np.floor(np.log10(min(lowest, 0.1))))
