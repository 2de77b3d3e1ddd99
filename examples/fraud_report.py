"""The table and the picture of the fraud example."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from fraud_data import Problem
from fraud_methods import HOSTS, METHODS, PATIENCE, TREES, Fit, Settings
from fraud_scores import FALSE_POSITIVE_RATE, Scores, scores
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from sklearn.metrics import precision_recall_curve

COLUMNS = {
    "average\nprecision": "{0.average_precision:.3f}",
    f"recall at\n{FALSE_POSITIVE_RATE:.1%} false\npositives": "{0.recall:.3f}",
    "precision\ntop 100": "{0.precision_100:.3f}",
    "precision\ntop 1000": "{0.precision_1000:.4f}",
    "log\nloss": "{0.log_loss:.5f}",
    "Brier\nscore": "{0.brier:.6f}",
}
TABLE_WIDTH = 124
OPTIMUM = "Bayes optimum"
SMALLEST_GROUP = 25  # rows of the largest probabilities; each next group is twice it


def print_report(problem: Problem, settings: Settings, fits: list[Fit]) -> None:
    """Print what was compared and how, the table, and how to read it."""
    # Narrower, as rich takes a pipe or a file to be, the numbers would be cut.
    console = Console(width=max(Console().width, TABLE_WIDTH), highlight=False)
    for line in (problem.title, _split_in_words(problem), _settings_in_words(settings)):
        console.print(line, markup=False)
    console.print(_table(problem, fits))
    for note in _notes(problem):
        console.print(note, markup=False)


def _split_in_words(problem: Problem) -> str:
    parts = [
        f"{name} {rows.size} rows ({problem.y_true[rows].sum()} positive)"
        for name, rows in problem.parts.items()
    ]
    return f"Split {problem.split}: {', '.join(parts)}."


def _settings_in_words(settings: Settings) -> str:
    trees = ", ".join(f"{name} {value}" for name, value in TREES.items())
    return (
        f"All methods: {trees}, else the host's defaults; at most {settings.n_rounds} "
        "rounds, early stopping on the validation part by the loss that is trained, "
        f"with its weights, after {PATIENCE} rounds; {settings.n_threads} threads."
    )


def _table(problem: Problem, fits: list[Fit]) -> Table:
    table = Table(box=SIMPLE_HEAD, collapse_padding=True)
    for name in ("host", "method"):
        table.add_column(name, no_wrap=True)
    for name in (*COLUMNS, "rounds", "training\nseconds"):
        table.add_column(name, justify="right", no_wrap=True)
    y_true = problem.y_true[problem.test]
    for fit in fits:
        cells = _cells(scores(y_true, fit.posterior))
        is_last = fit.method == METHODS[-1]
        rounds, seconds = str(fit.n_rounds), f"{fit.seconds:.1f}"
        table.add_row(
            fit.host, fit.method.name, *cells, rounds, seconds, end_section=is_last
        )
    if problem.posterior is not None:
        cells = _cells(scores(y_true, problem.posterior[problem.test]))
        table.add_row("", OPTIMUM, *cells)
    return table


def _cells(result: Scores) -> list[str]:
    return [cell.format(result) for cell in COLUMNS.values()]


def _notes(problem: Problem) -> Iterator[str]:
    n_rows, n_positive = problem.test.size, problem.y_true[problem.test].sum()
    if n_rows < 1000:
        yield f"The test part has {n_rows} rows: its top 1000 are all of them."
    yield (
        f"With {n_positive} positives in the test part, a recall of one half has a "
        f"standard error of {0.5 / n_positive**0.5:.2f}: read smaller differences as "
        "chance."
    )
    yield (
        "A loss can be at its best on the validation part before the ranking is, with "
        "class weights most of all: their models may be stopped early."
    )
    yield (
        "Probabilities are judged as each model gives them; class weights and SMOTE "
        "shift them on purpose."
    )
    if problem.posterior is not None:
        yield (
            f"{OPTIMUM}: the probabilities that the labels were drawn with; on few "
            "labels a model can be above it by chance."
        )


def draw(problem: Problem, fits: list[Fit], path: Path) -> None:
    """Write precision-recall curves and reliability, a column for each host."""
    figure = Figure(figsize=(12, 10), layout="constrained")
    axes = figure.subplots(2, len(HOSTS), sharey="row", squeeze=False)
    for host, (curves, reliability) in zip(HOSTS, axes.T, strict=True):
        lines = {fit.method.name: fit.posterior for fit in fits if fit.host == host}
        _draw_precision_recall(curves, problem, lines)
        _draw_reliability(reliability, problem, lines)
        curves.set_title(host)
    axes[0, 0].legend(fontsize="small")
    figure.suptitle(problem.title, parse_math=False)
    figure.savefig(path, dpi=120)


def _draw_precision_recall(
    ax: Axes, problem: Problem, lines: dict[str, NDArray[np.float64]]
) -> None:
    y_true = problem.y_true[problem.test]
    for name, posterior in lines.items():
        precision, recall, _ = precision_recall_curve(y_true, posterior)
        ax.step(recall, precision, where="post", label=name, linewidth=1.2)
    if problem.posterior is not None:
        optimum = problem.posterior[problem.test]
        precision, recall, _ = precision_recall_curve(y_true, optimum)
        ax.step(recall, precision, "k", where="post", label=OPTIMUM, linewidth=1.2)
    ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))


def _draw_reliability(
    ax: Axes, problem: Problem, lines: dict[str, NDArray[np.float64]]
) -> None:
    y_true = problem.y_true[problem.test]
    for name, posterior in lines.items():
        ax.plot(*_reliability(y_true, posterior), ".-", label=name, linewidth=1.2)
    # Shares of 0 have to be seen as well, which a logarithmic axis would not show.
    lowest = 10.0 ** np.floor(np.log10(y_true.mean() / 10))
    ax.plot([lowest, 1], [lowest, 1], "k:", linewidth=1)
    ax.set_xscale("log")
    ax.set_yscale("symlog", linthresh=lowest)
    ax.set(xlim=(lowest, 1.5), ylim=(-lowest / 5, 1.5))
    ax.set(xlabel="mean probability in a group of rows", ylabel="share of positives")


def _reliability(
    y_true: NDArray[np.int8], posterior: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean probability and share of positives in groups that double in size.

    Groups of one size would hold the few large probabilities all in one.
    """
    order = np.argsort(-posterior, kind="stable")
    edges = SMALLEST_GROUP * (2 ** np.arange(40) - 1)
    groups = np.split(order, edges[(edges > 0) & (edges < order.size)])
    means = [(posterior[rows].mean(), y_true[rows].mean()) for rows in groups]
    predicted, observed = np.array(means).T
    return predicted, observed
