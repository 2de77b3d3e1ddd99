"""The report of a comparison: one HTML file that needs nothing besides itself."""

import base64
from collections.abc import Iterable
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from sklearn.utils.validation import check_consistent_length

from focalboost._files import write_in_one_step
from focalboost.diagnostics._comparison import Comparison
from focalboost.diagnostics._paired import LEVEL
from focalboost.diagnostics._pictures import Picture, pictures
from focalboost.diagnostics._scores import CONSTANT

__all__ = [
    "cells",
    "data_in_words",
    "faults",
    "heads",
    "notes",
    "write_report",
]

#: Heads and formats of the metrics.
_COLUMNS = {
    "average_precision": ("average precision", "{:.3f}"),
    "recall": ("recall at {rate:.3g} false positives", "{:.3f}"),
    "log_loss": ("log loss", "{:.5f}"),
    "corrected_log_loss": ("log loss, corrected", "{:.5f}"),
    "brier": ("Brier score", "{:.6f}"),
}

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
<p class="verdict">$verdict</p>
<p>$data</p>
$remarks
<h2>Scores</h2>
<div class="scroll">
$table
</div>
$notes
$pictures
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
) -> None:
    """Write verdict, table and pictures of a comparison to one HTML file.

    The file holds its pictures and loads nothing.

    Parameters
    ----------
    comparison : Comparison
        What ``compare_losses`` returned.
    path : path
        Of the file, which is replaced if it exists.
    estimator, X
        As given to ``compare_losses``; the gradient budget is of models that are
        trained once more.
    title : str
        Of the page.
    remarks : iterable of str
        Lines about the data.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import FocalXGBClassifier
    >>> from focalboost.diagnostics import compare_losses, write_report
    >>> X, y = make_classification(500, weights=[0.9], random_state=0)
    >>> estimator = FocalXGBClassifier(n_jobs=1)
    >>> found = compare_losses(
    ...     estimator, X, y, losses=["log loss", "focal, γ = 2"], cv=3, progress=False
    ... )
    >>> path = Path(mkdtemp()) / "report.html"
    >>> write_report(found, path, estimator, X)
    >>> path.read_text("utf-8")[:15]
    '<!DOCTYPE html>'
    """
    check_consistent_length(X, comparison.y_true)
    page = _PAGE.substitute(
        title=escape(title),
        verdict=escape(comparison.verdict.text),
        data=escape(data_in_words(comparison)),
        remarks=_paragraphs(remarks),
        table=_table(comparison),
        notes=_paragraphs(notes(comparison)),
        pictures="\n".join(map(_figure, pictures(comparison, estimator, X))),
        faults=_paragraphs(faults(comparison)),
        settings=_settings(comparison),
    )
    write_in_one_step(path, page.encode("utf-8"))


def cells(comparison: Comparison, name: str) -> list[str]:
    """The cells of a method's line, after its name."""
    values = [
        _number(form, comparison.mean(name, metric))
        for metric, (_, form) in _COLUMNS.items()
    ]
    if name in (comparison.reference, CONSTANT):
        return [*values, "", ""]
    found = comparison.difference(name, comparison.reference)
    if not np.isfinite(found.mean):
        return [*values, "", ""]
    interval = f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
    p_value = comparison.adjusted_p_values(comparison.reference)[name]
    return [*values, interval, f"{p_value:.2g}"]


def heads(comparison: Comparison) -> list[str]:
    """The heads of the table."""
    rate = comparison.settings["false_positive_rate"]
    names = [head.format(rate=rate) for head, _ in _COLUMNS.values()]
    return ["method", *names, f"difference ({LEVEL:.0%} interval)", "p"]


def data_in_words(comparison: Comparison) -> str:
    """What was compared on."""
    n_rows, n_positive = len(comparison.y_true), int(comparison.y_true.sum())
    rare = n_rows >= 10 * n_positive
    share = f"1 in {n_rows / n_positive:.0f}" if rare else f"{n_positive / n_rows:.0%}"
    return (
        f"{n_rows} rows, {n_positive} of them positive ({share}); "
        f"{len(comparison.constants)} folds; {comparison.settings['host']}."
    )


def notes(comparison: Comparison) -> list[str]:
    """How to read the table."""
    return [
        "Means over the folds. Differences are in average precision, method minus "
        f"{comparison.reference}, paired by fold (corrected resampled t-test, Nadeau & "
        "Bengio 2003); p is adjusted for the number of methods (Holm).",
        "All methods had the same folds, the same grid and early stopping on the loss "
        "that they train; the best grid point is the one with the best average "
        "precision on an inner holdout.",
        "Log loss and Brier score are of the probabilities that a method serves. "
        "Weights and resampling shift those on purpose; corrected is the log loss "
        "after the odds are divided by that factor.",
    ]


def faults(comparison: Comparison) -> list[str]:
    """Every failure, and every warning with how often it was seen."""
    lines = [
        f"{fit.method}, fold {fit.fold}: failed with {fit.error}"
        for fit in comparison.failures
    ]
    counts: dict[tuple[str, str], int] = {}
    for fit in comparison.fits:
        for text in fit.warnings:
            counts[fit.method, text] = counts.get((fit.method, text), 0) + 1
    lines += [f"{name}, {n} folds: {text}" for (name, text), n in counts.items()]
    return lines or ["No fit failed, and none warned."]


def _number(form: str, value: float) -> str:
    return form.format(value) if np.isfinite(value) else "failed"


def _table(comparison: Comparison) -> str:
    use = comparison.verdict.use or CONSTANT
    lines = ["<table>", _line("th", heads(comparison))]
    for name in (*comparison.names, CONSTANT):
        mark = ' class="use"' if name == use else ""
        lines.append(_line("td", [name, *cells(comparison, name)], mark))
    return "\n".join([*lines, "</table>"])


def _line(tag: str, values: Iterable[str], mark: str = "") -> str:
    parts = "".join(f"<{tag}>{escape(value)}</{tag}>" for value in values)
    return f"<tr{mark}>{parts}</tr>"


def _paragraphs(lines: Iterable[str]) -> str:
    return "\n".join(f'<p class="note">{escape(line)}</p>' for line in lines)


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.svg.encode("utf-8")).decode("ascii")
    title, caption = escape(picture.title), escape(picture.caption)
    return (
        f'<h2>{title}</h2>\n<figure><img alt="{title}" '
        f'src="data:image/svg+xml;base64,{data}">'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def _settings(comparison: Comparison) -> str:
    return "\n".join(
        f"<p><b>{escape(name)}</b>: {escape(str(value))}</p>"
        for name, value in comparison.settings.items()
    )
