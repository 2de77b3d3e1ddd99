"""The report of a comparison: its table, its plots, and one HTML file with both."""

import base64
import io
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit
from sklearn.utils.validation import check_consistent_length

from focalboost import diagnostics
from focalboost._hosts._files import write_in_one_step
from focalboost._hosts._imports import import_extra
from focalboost.comparison._compare import table_of
from focalboost.comparison._methods import Method, Part, weighted
from focalboost.comparison._result import CONSTANT, LEVEL, METRICS, Comparison, summary
from focalboost.comparison._search import fit, last_step
from focalboost.diagnostics._plots import axes_of
from focalboost.diagnostics._predictions import checked_costs
from focalboost.losses import FocalLoss

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Rounds whose gradient budget is shown.
ROUNDS = (0, 10, 100)

#: Decimal places of the scores in the table, in the order of METRICS.
_PLACES = (3, 3, 5, 5, 6)

_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto;
  padding: 0 1rem; color: #222; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid #ddd; }
td { white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
tr.use { background: #e8f3e8; font-weight: 600; }
.scroll { overflow-x: auto; }
.verdict { font-size: 1.15rem; border-left: .3rem solid #2a7; padding: .3rem 1rem; }
figure { margin: 1.5rem 0; }
figure img { max-width: 100%; }
figcaption, .note { color: #555; }
</style>
</head>
<body>
<h1>$title</h1>
<p class="note">$made</p>
<p class="verdict">$verdict</p>
<p>$data</p>
$remarks
<h2>Scores</h2>
<div class="scroll">
$table
</div>
$notes
$figures
<h2>Failures and warnings</h2>
$faults
<h2>What was done</h2>
$settings
</body>
</html>
""")


def write_report(
    comparison: Comparison,
    path: str | Path,
    estimator: Any,
    X: Any,
    title: str = "Which loss?",
    remarks: Iterable[str] = (),
    *,
    command: str = "",
    costs: Any = None,
) -> None:
    """Write verdict, table and plots of a comparison to one HTML file.

    The file contains its plots and loads nothing.

    Parameters
    ----------
    comparison : Comparison
        The result of ``compare_losses``.
    path : str or os.PathLike
        The file. An existing file is replaced.
    estimator, X : as in ``compare_losses``
        The arguments of ``compare_losses``. A few methods are trained once more, for
        the plot of the gradient budget.
    title, remarks, command : str, iterable of str, str
        Title of the page, paragraphs about the data, and the command line to show.
    costs : (cost_of_alert, cost_of_miss) or dict, optional
        As in ``alerts``, for a figure of the total cost.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import FocalXGBClassifier
    >>> from focalboost.comparison import compare_losses, write_report
    >>> X, y = make_classification(500, weights=[0.9], random_state=0)
    >>> estimator, losses = FocalXGBClassifier(n_jobs=1), ["log loss", "focal, γ = 2"]
    >>> found = compare_losses(estimator, X, y, losses=losses, cv=3, progress=False)
    >>> path = Path(mkdtemp()) / "report.html"
    >>> write_report(found, path, estimator, X)
    >>> path.read_text("utf-8")[:15]
    '<!DOCTYPE html>'
    """
    check_consistent_length(X, comparison.y_true)
    if costs is not None:
        costs = checked_costs(costs, comparison.y_true.astype(np.float64))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "columns .* are dates")  # said before
        X = table_of(X, estimator)
    settings = comparison.settings
    when = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    made = f"{when}, focalboost {settings['focalboost']}, {settings['host']}"
    page = _PAGE.substitute(
        title=escape(title),
        made=escape(f"{made}: {command}" if command else made),
        verdict=escape(comparison.verdict.text),
        data=escape(data_in_words(comparison)),
        remarks=_paragraphs(remarks),
        table=_html_table(comparison),
        notes=_paragraphs(notes(comparison)),
        figures="\n".join(_figures(comparison, estimator, X, costs)),
        faults=_paragraphs(faults(comparison)),
        settings="\n".join(
            f"<p><b>{escape(name)}</b>: {escape(str(value))}</p>"
            for name, value in settings.items()
        ),
    )
    write_in_one_step(path, page.encode("utf-8"))


def plot_comparison(
    comparison: Comparison,
    *,
    metric: str = "average_precision",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the difference of every method to the reference, with 95 % intervals.

    Parameters
    ----------
    comparison : Comparison
        The result of ``compare_losses``.
    metric : str, default="average_precision"
        As in ``Comparison.values``.
    ax : matplotlib Axes, optional
        Where to draw. The default is a new figure.

    Returns
    -------
    matplotlib Axes

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import FocalXGBClassifier
    >>> from focalboost.comparison import compare_losses, plot_comparison
    >>> X, y = make_classification(500, weights=[0.9], random_state=0)
    >>> estimator, losses = FocalXGBClassifier(n_jobs=1), ["log loss", "focal, γ = 2"]
    >>> found = compare_losses(estimator, X, y, losses=losses, cv=3, progress=False)
    >>> ax = plot_comparison(found)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['focal, γ = 2']
    """
    reference = comparison.reference
    names = [name for name in comparison.names if name != reference]
    axes = axes_of(ax)
    for place, name in enumerate(names):
        found = comparison.difference(name, reference, metric)
        ends = (found.low, found.high)
        axes.plot(ends, (place, place), color="tab:blue", linewidth=1.5)
        axes.plot(found.mean, place, "o", color="tab:blue", markersize=4)
    axes.axvline(0, color="black", linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axes.set_xlabel(f"{METRICS[metric]}, difference to {reference}")
    return axes


def score_table(comparison: Comparison) -> list[list[str]]:
    """The table of the report: a row of heads, and a row for each method."""
    rate = comparison.settings["false_positive_rate"]
    heads = {**METRICS, "recall": f"recall at {rate:.3g} false positives"}
    lines = [["method", *heads.values(), f"difference ({LEVEL:.0%} interval)", "p"]]
    for row in summary(comparison):
        line = [row["method"]]
        for metric, places in zip(METRICS, _PLACES, strict=True):
            is_known = np.isfinite(row[metric])
            line.append(f"{row[metric]:.{places}f}" if is_known else "failed")
        difference, p = "", ""
        if np.isfinite(row.get("difference", np.nan)):
            difference = "{difference:+.3f} ({low:+.3f} to {high:+.3f})".format(**row)
            p = f"{row['p']:.2g}"
        lines.append([*line, difference, p])
    return lines


def data_in_words(comparison: Comparison) -> str:
    """The data that were compared on, in a sentence."""
    n_rows, n_positive = len(comparison.y_true), int(comparison.y_true.sum())
    rare = n_rows >= 10 * n_positive
    share = f"1 in {n_rows / n_positive:.0f}" if rare else f"{n_positive / n_rows:.0%}"
    return (
        f"{n_rows} rows, {n_positive} of them positive ({share}); "
        f"{len(comparison.constants)} folds; {comparison.settings['host']}."
    )


def notes(comparison: Comparison) -> list[str]:
    """How to read the table."""
    watched = {"loss": "the loss that they train"}
    stop_on = comparison.settings["stop_on"]
    return [
        "Scores are means over the folds. A difference is the average precision of a "
        f"method minus that of {comparison.reference}, paired by fold (corrected "
        "resampled t-test, Nadeau & Bengio 2003). p is adjusted for the number of "
        "methods (Holm).",
        "All methods had the same folds, the same grid and early stopping on "
        f"{watched.get(stop_on, 'average precision')}. The best grid point has the "
        "best average precision on an inner holdout.",
        "Log loss and Brier score are those of the probabilities that a method gives. "
        "Weights and resampling shift probabilities on purpose. The corrected log loss "
        "divides the odds by the factor of this shift.",
    ]


def faults(comparison: Comparison) -> list[str]:
    """Every failed fit, and every warning with its number of folds."""
    lines = [
        f"{fit.method}, fold {fit.fold}: failed with {fit.error}"
        for fit in comparison.failures
    ]
    counts = Counter((fit.method, w) for fit in comparison.fits for w in fit.warnings)
    lines += [f"{name}, {n} folds: {text}" for (name, text), n in counts.items()]
    return lines or ["No fit failed, and no fit raised a warning."]


def _html_table(comparison: Comparison) -> str:
    use = comparison.verdict.use or CONSTANT
    lines = ["<table>"]
    for number, cells in enumerate(score_table(comparison)):
        tag = "td" if number else "th"
        mark = ' class="use"' if cells[0] == use else ""
        row = "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)
        lines.append(f"<tr{mark}>{row}</tr>")
    return "\n".join([*lines, "</table>"])


def _paragraphs(lines: Iterable[str]) -> str:
    return "\n".join(f'<p class="note">{escape(line)}</p>' for line in lines)


#: What is said below each figure, by its title.
_CAPTIONS = {
    "Differences in average precision": "Each method minus {reference}: means over the "
    "folds with 95 % intervals. The intervals are corrected for the overlap of the "
    "training sets, not for the number of methods. An interval across the dotted line "
    "is compatible with no difference.",
    "Alerts": "What the rows with the largest scores find, on rows that the models "
    "have not seen. The bands are 95 % intervals for one model. {overlap}",
    "Cost": "What alerts and missed positives cost together, by the number of alerts, "
    "on the same rows. Lowest cost of {cheapest}.",
    "Reliability": "Probabilities as each method gives them. On the dotted line they "
    "are right. Bins hold equally many expected positives, with 95 % intervals. Bins "
    "without positives are drawn at the lower edge. The focal score is the expit of "
    "the raw prediction of a focal loss: it is not a probability.",
    "Gradient budget": "The rows that the loss spends its gradient and curvature on, "
    "after 0, 10 and 100 rounds, or after the last round. Negatives are blue, "
    "positives are red, and hard rows are dark. p_t is the posterior of the true "
    "class. At the start, negatives carry exactly half of the gradient under any loss "
    "and imbalance.",
}


@contextmanager
def _figure(
    parts: list[str], title: str, n_axes: int = 1, **words: str
) -> Iterator[Any]:
    """Give axes to draw on, and add the drawing to the parts of the page.

    The part is HTML with the SVG inside, the same text for the same drawing.
    """
    matplotlib = import_extra("matplotlib", "pip install matplotlib")
    figures = import_extra("matplotlib.figure", "pip install matplotlib")
    figure = figures.Figure(figsize=(4.8 * n_axes + 3.5, 5), layout="constrained")
    yield figure.subplots(1, n_axes, squeeze=False)[0]
    # The names of all axes are the same. One legend stands beside the drawing.
    for axes in figure.axes:
        if axes.get_legend() is not None:
            axes.get_legend().remove()
    named = figure.axes[-1].get_legend_handles_labels()
    if any(named):
        figure.legend(*named, loc="outside right upper")
    out = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "focalboost"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    data = base64.b64encode(out.getvalue()).decode("ascii")
    parts.append(
        f'<h2>{title}</h2>\n<figure><img alt="{title}" '
        f'src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{escape(_CAPTIONS[title].format(**words))}</figcaption></figure>"
    )


def _figures(comparison: Comparison, estimator: Any, X: Any, costs: Any) -> list[str]:
    """Draw the differences, and for a few methods what their predictions are worth."""
    parts: list[str] = []
    reference = comparison.reference
    with _figure(parts, "Differences in average precision", reference=reference) as ax:
        plot_comparison(comparison, ax=ax[0])
    shown = _shown_methods(comparison)
    if not shown:
        return parts
    seen = {method.name: _predicted(comparison, method.name) for method in shown}
    found: dict[str, Any] = {}
    for name, rows in seen.items():
        kept = _is_predicted(comparison, name)
        paid = costs and (costs[0][kept], costs[1][kept])
        found[name] = diagnostics.alerts(rows.y, rows.X, costs=paid)
    with _figure(parts, "Alerts", 2, overlap=_overlap(comparison, shown)) as ax:
        diagnostics.plot_alerts(found, y="recall", x="false_positive_rate", ax=ax[0])
        diagnostics.plot_alerts(found, y="precision", ax=ax[1])
        ax[0].set_xlim(left=0.1 / found[shown[0].name].n_negative)
    if costs is not None:
        cheapest = "; ".join(
            f"{name}: {np.min(result.cost):,.0f} with {result.cheapest} alerts"
            for name, result in found.items()
        )
        with _figure(parts, "Cost", cheapest=cheapest) as ax:
            diagnostics.plot_alerts(found, y="cost", ax=ax[0])
    with _figure(parts, "Reliability") as ax:
        diagnostics.plot_reliability(_reliabilities(shown, seen), ax=ax[0])
    budgets = _budgets(comparison, shown, estimator, X)
    if budgets:
        with _figure(parts, "Gradient budget", 2) as ax:
            diagnostics.plot_gradient_budget(budgets, of="gradient", ax=ax[0])
            diagnostics.plot_gradient_budget(budgets, of="curvature", ax=ax[1])
            ax[1].set_yticklabels([])
    return parts


def _shown_methods(comparison: Comparison) -> list[Method]:
    """The reference, the recommended method, and the best of each kind."""
    usable = [m for m in comparison.methods if _is_predicted(comparison, m.name).any()]
    use = (comparison.reference, comparison.verdict.use)
    shown = [method for method in usable if method.name in use]
    for kind in (
        lambda m: not m.is_log_loss,
        lambda m: m.weight > 0,
        lambda m: m.resampling is not None,
        lambda m: m.bagging is not None,
    ):
        ranked = sorted(filter(kind, usable), key=lambda m: -comparison.mean(m.name))
        shown += ranked[:1]
    return list(dict.fromkeys(shown))


def _is_predicted(comparison: Comparison, name: str) -> Any:
    """Whether a method has predicted each row."""
    return np.isfinite(comparison.log_odds[name])


def _predicted(comparison: Comparison, name: str) -> Part:
    """The rows that a method has predicted, with log-odds in place of features."""
    log_odds = comparison.log_odds[name].astype(np.float64)
    rows = np.flatnonzero(_is_predicted(comparison, name))
    return Part(log_odds, comparison.y_true, comparison.sample_weight).rows(rows)


def _overlap(comparison: Comparison, shown: list[Method]) -> str:
    """Which positives the best focal loss finds and the reference misses."""
    reference = comparison.reference
    focal = [m.name for m in shown if not m.is_log_loss and m.name != reference]
    if not focal or reference not in [method.name for method in shown]:
        return ""
    name = focal[-1]
    rows = _is_predicted(comparison, name) & _is_predicted(comparison, reference)
    first, second = (comparison.log_odds[one][rows] for one in (name, reference))
    y_true = comparison.y_true[rows]
    n_alerts = int(y_true.sum())
    overlap = diagnostics.alert_overlap(y_true, first, second, n_alerts)
    return (
        f"With {n_alerts} alerts, as many as there are positives, {name} finds "
        f"{len(overlap.only_first)} positives that {reference} misses, and misses "
        f"{len(overlap.only_second)} that it finds. Both find {len(overlap.both)} "
        f"(McNemar's p = {overlap.p_value:.2g})."
    )


def _reliabilities(
    shown: list[Method], predicted: Mapping[str, Part]
) -> dict[str, diagnostics.Reliability]:
    results = {
        name: diagnostics.reliability(rows.y, expit(rows.X), rows.weight)
        for name, rows in predicted.items()
    }
    for method in [m for m in shown if not m.is_log_loss and not m.bagging][:1]:
        log_odds, y_true, weight = predicted[method.name]
        loss = FocalLoss(method.gamma or 0, method.alpha)
        # From 37 on a probability in float64 is 1, which has no raw prediction.
        raw = loss.inverse_posterior(expit(np.clip(log_odds, -700, 36)))
        name = f"focal score of {method.name}"
        results[name] = diagnostics.reliability(y_true, expit(raw), weight)
    return results


def _budgets(
    comparison: Comparison, shown: list[Method], estimator: Any, X: Any
) -> dict[str, diagnostics.GradientBudget]:
    """Budgets of models trained on the training rows of the first fold.

    A ``gblinear`` model has none, as it does not keep its rounds.
    """
    if getattr(last_step(estimator), "booster", None) == "gblinear":
        return {}
    test = comparison.first_tests[min(comparison.first_tests)]
    train = np.setdiff1d(np.arange(len(comparison.y_true)), test)
    data = Part(X, comparison.y_true, comparison.sample_weight)
    stop_on = comparison.settings["stop_on"]
    rows, stop = data.rows(train), data.rows(test)
    budgets = {}
    for method in shown:
        if method.resampling is not None or method.bagging is not None:
            continue
        fitted = fit(method, estimator, *rows, *stop, 0, stop_on=stop_on)
        weight = weighted(rows, fitted.odds_factor).weight
        rounds = dict.fromkeys(min(n, fitted.n_rounds) for n in ROUNDS)
        features = fitted.transformed(rows.X)
        for budget in diagnostics.gradient_budget_by_round(
            fitted.model, features, rows.y, rounds, weight
        ):
            budgets[f"{method.name}, {budget.n_rounds} rounds"] = budget
    return budgets
