"""What ``python -m focalboost`` does: reads a table, compares, prints and reports."""

from __future__ import annotations

import argparse
import os
import textwrap
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from focalboost.diagnostics import Comparison
    from focalboost.diagnostics.tables import LabelledTable

__all__ = ["main"]

_HOSTS = {"lightgbm": "FocalLGBMClassifier", "xgboost": "FocalXGBClassifier"}
_PACKAGES = ("pandas", "matplotlib", "rich")

#: What is compared unless --all is given.
_FEW = (
    "log loss",
    "log loss, certified",
    "weights: ratio",
    "weights: √ratio",
    "SMOTE",
    "focal, γ = 1",
    "focal, γ = 2",
    "focal, γ = (0, 2)",
)

_DESCRIPTION = """\
Compare log loss, class weights, SMOTE and focal loss on a table of your own, by
cross-validation with the same search for every method. Prints a table and a verdict,
which may be to use log loss, and writes a report as one HTML file.
"""


_DATA = """\
a .csv or .parquet file with numeric columns; or an .npz with features in X and labels
in y, or in the array that --target names; or an .npz of columns c000, c001, ... with
their names and kinds, "num" or "cat", as JSON in meta, and labels in y
"""


class _Parser(argparse.ArgumentParser):
    """A parser that words every error in one line and exits with code 2."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, without the usage."""
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name."""
    parser = _Parser("python -m focalboost", description="Focal loss for boosted trees")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    compare = commands.add_parser(
        "compare", help="compare losses on a table", description=_DESCRIPTION
    )
    _add_options(compare)
    _compare(compare, parser.parse_args(arguments))


def _add_options(parser: _Parser) -> None:
    add, shown = parser.add_argument, "; %(default)s unless given"
    count = _at_least(1)
    add("data", type=Path, metavar="DATA", help=_DATA)
    add("--target", metavar="COLUMN", help="the labels, which have two values")
    add("--host", choices=_HOSTS, help="the library that trains; by default lightgbm")
    add("--all", action="store_true", help="all methods and not only eight")
    add("--folds", type=_at_least(2), default=5, help="of the cross-validation" + shown)
    add("--repeats", type=count, default=2, help="of the folds" + shown)
    add("--rounds", type=count, default=300, help="most boosting rounds" + shown)
    add("--seed", type=_at_least(0), default=0, help="of all chance" + shown)
    add("--jobs", type=count, default=1, help="fits at a time" + shown)
    add("--threads", type=count, default=1, help="for each fit" + shown)
    report = Path("comparison.html")
    add("--report", type=Path, default=report, metavar="FILE", help="name" + shown)
    add("--resume", type=Path, metavar="FILE", help="keeps fits, and goes on from them")


def _at_least(minimum: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isdecimal() and int(text) >= minimum):
            message = f"{text!r} is not a whole number >= {minimum}"
            raise argparse.ArgumentTypeError(message)
        return int(text)

    return number


def _compare(parser: _Parser, options: argparse.Namespace) -> None:
    host = _host(parser, options)
    _check_packages(parser)
    _check_files(parser, options)
    # Read when a host is first imported; its idle threads would otherwise spin.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    table = _table(parser, options)

    from focalboost import estimators
    from focalboost.diagnostics import write_report

    estimator = getattr(estimators, _HOSTS[host])(n_jobs=options.threads)
    X = table.features.to_numpy()
    print(f"{options.data.name}: {table.positive} is the class to find.", flush=True)
    found = _compared(parser, options, estimator, X, table.y_true)
    remarks = _remarks(table)
    _print(found, remarks)
    title = f"Losses on {options.data.name}"
    write_report(found, options.report, estimator, X, title, remarks)
    print(f"Report: {options.report}")


def _host(parser: _Parser, options: argparse.Namespace) -> str:
    installed = [host for host in _HOSTS if find_spec(host) is not None]
    if not installed:
        advice = "pip install 'focalboost[lightgbm]'"
        parser.error(f"neither lightgbm nor xgboost is installed: {advice}")
    if options.host is not None and options.host not in installed:
        advice = f"pip install 'focalboost[{options.host}]'"
        parser.error(f"--host {options.host} is not installed: {advice}")
    return str(options.host or installed[0])


def _check_packages(parser: _Parser) -> None:
    missing = [package for package in _PACKAGES if find_spec(package) is None]
    if missing:
        advice = "pip install 'focalboost[diagnostics]'"
        parser.error(f"missing packages {', '.join(missing)}: {advice}")


def _check_files(parser: _Parser, options: argparse.Namespace) -> None:
    """End if a result could not be written, or would replace the data or a result."""
    results = {"--report": options.report}
    if options.resume is not None:
        results["--resume"] = options.resume
    for name, path in results.items():
        if not path.parent.is_dir():
            parser.error(f"{name} {path}: create its folder first")
        if path.is_dir():
            parser.error(f"{name} {path} is a folder: name a file in it")
    files = {"DATA": options.data, **results}
    for (name, path), (other, same) in combinations(files.items(), 2):
        if _is_one_file(path, same):
            parser.error(f"{name} and {other} are one file, {same}: name another")


def _is_one_file(path: Path, other: Path) -> bool:
    """Whether two names, or links, lead to one file, which need not be there yet."""
    if path.exists() and other.exists():
        return path.samefile(other)
    return os.path.realpath(path) == os.path.realpath(other)


def _table(parser: _Parser, options: argparse.Namespace) -> LabelledTable:
    from focalboost.diagnostics.tables import DataError, read_table

    try:
        return read_table(options.data, options.target, by_time=False)
    except DataError as error:
        parser.error(str(error))


def _methods(options: argparse.Namespace) -> list[str]:
    """The names of what is compared, without what takes a package that is missing."""
    from focalboost.diagnostics import METHODS

    names = [method.name for method in METHODS] if options.all else list(_FEW)
    if find_spec("imblearn") is None:
        names.remove("SMOTE")
        print("SMOTE is left out, it needs a package: pip install imbalanced-learn")
    return names


def _compared(
    parser: _Parser, options: argparse.Namespace, estimator: Any, X: Any, y_true: Any
) -> Comparison:
    from sklearn.model_selection import RepeatedStratifiedKFold

    from focalboost.diagnostics import compare_losses, default_grid

    n_rarer = int(min(y_true.sum(), (1 - y_true).sum()))
    # Each fold's training rows are split once more, and SMOTE takes two positives.
    if n_rarer < max(options.folds, 4):
        rule = f"for {options.folds} folds at least {max(options.folds, 4)} are needed"
        parser.error(f"{options.data} has {n_rarer} rows of the rarer class: {rule}")
    cv = RepeatedStratifiedKFold(
        n_splits=options.folds, n_repeats=options.repeats, random_state=options.seed
    )
    rounds = {"n_estimators": options.rounds}
    try:
        return compare_losses(
            estimator,
            X,
            y_true,
            losses=_methods(options),
            cv=cv,
            grid=[{**point, **rounds} for point in default_grid(estimator)],
            random_state=options.seed,
            n_jobs=options.jobs,
            file=options.resume,
        )
    except (OSError, ValueError) as error:
        parser.error(str(error))


def _remarks(table: LabelledTable) -> list[str]:
    """What to keep in mind of the data."""
    if table.time is None:
        return []
    return [
        f"{table.time!r} is a time, and rows are cross-validated in shuffled folds: "
        "where later rows are to be predicted from earlier ones, the scores may be "
        "optimistic. In Python, sort the rows by time, and split them in that order: "
        "compare_losses(..., cv=TimeSeriesSplit())."
    ]


def _print(found: Comparison, remarks: Sequence[str]) -> None:
    """Print what was compared, the table, and the verdict."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from focalboost.diagnostics import _report

    heads = _report.heads(found)
    table = Table(box=SIMPLE_HEAD, collapse_padding=True)
    table.add_column(heads[0], no_wrap=True)
    for head in heads[1:]:
        table.add_column(textwrap.fill(head, 14), justify="right", no_wrap=True)
    for name in (*found.names, "a constant"):
        table.add_row(name, *_report.cells(found, name))
    # Narrower, as rich takes a pipe or a file to be, the numbers would be cut.
    console = Console(width=max(Console().width, 132), highlight=False)
    for line in (_report.data_in_words(found), *remarks):
        console.print(line, markup=False)
    console.print(table)
    for line in (*_report.notes(found), *_report.faults(found), found.verdict.text):
        console.print(line, markup=False)
