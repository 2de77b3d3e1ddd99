"""The command line: ``python -m focalboost compare DATA --target COLUMN``."""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import shlex
import sys
import textwrap
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import focalboost

if TYPE_CHECKING:
    from focalboost.comparison import Comparison

_ESTIMATORS = {"lightgbm": "FocalLGBMClassifier", "xgboost": "FocalXGBClassifier"}

#: The methods without --all.
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
Compare log loss, class weights, SMOTE and focal loss on your table, by cross-validation
with the same search for every method. The command prints a table and a verdict, and
writes a report as one HTML file. The verdict may be to use log loss.
"""

_SEVERAL: dict[str, Any] = {"nargs": "+", "action": "extend"}

#: The options of a command that reads a table, and how they are described.
OPTIONS: dict[str, dict[str, Any]] = {
    "target": {"metavar": "COLUMN", "help": "column of labels"},
    "positive": {"metavar": "LABEL", "help": "label to find; all others are the rest"},
    "drop": {**_SEVERAL, "metavar": "COLUMN", "help": "columns that are no features"},
    "time": {"metavar": "COLUMN", "help": "train on earlier rows, test on later ones"},
    "group": {"metavar": "COLUMN", "help": "keep rows with the same value together"},
    "categorical": {
        **_SEVERAL, "metavar": "COLUMN", "help": "columns of numbers that are names"
    },
    "date_parts": {
        "action": "store_true", "help": "use month, day, weekday and hour of dates"
    },
    "cost": {
        **_SEVERAL, "type": float, "metavar": "NUMBER",
        "help": "cost of an alert, and cost of a miss",
    },
    "cost_column": {"metavar": "COLUMN", "help": "cost of a miss by row: the amount"},
    "separator": {"help": "of a CSV file, such as ';' or tab"},
    "decimal": {"choices": (".", ","), "help": "decimal point of a CSV file"},
    "encoding": {"help": "of a CSV file, such as cp1252"},
}  # fmt: skip


class DataError(Exception):
    """Data or options that cannot be used. The message says in a line what to do."""

    __module__ = "focalboost.comparison.tables"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``read_table`` to a parser."""
    for name, settings in OPTIONS.items():
        parser.add_argument(_flag(name), **settings)


def options_given(options: argparse.Namespace) -> list[str]:
    """Return the options of ``read_table`` that were typed."""
    names = [name for name in OPTIONS if getattr(options, name) not in (None, False)]
    return list(map(_flag, names))


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the arguments name."""
    parser = _Parser("python -m focalboost", description="Focal loss for boosted trees")
    parser.add_argument("--version", action="version", version=_versions())
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    compare = commands.add_parser(
        "compare", help="compare losses on a table", description=_DESCRIPTION
    )
    add, default = compare.add_argument, " (default: %(default)s)"
    count, report = _at_least(1), Path("comparison.html")
    add("data", type=Path, metavar="DATA", help="a CSV, Parquet or .npz file")
    add_options(compare)
    add("--host", choices=_ESTIMATORS, help="library that trains (default: lightgbm)")
    add("--all", action="store_true", help="compare eighteen methods instead of eight")
    add("--folds", type=_at_least(2), default=5, help="number of folds" + default)
    add("--repeats", type=count, help="repetitions of the folds (default: 2)")
    add("--rounds", type=count, default=300, help="most boosting rounds" + default)
    add("--seed", type=_at_least(0), default=0, help="random seed" + default)
    add("--jobs", type=count, default=1, help="number of fits at a time" + default)
    add("--threads", type=count, default=1, help="threads of each fit" + default)
    add("--report", type=Path, default=report, metavar="FILE", help="report" + default)
    add("--resume", type=Path, metavar="FILE", help="keep fits here, and continue here")
    typed = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(arguments)
    try:
        _compare(options, f"{parser.prog} {shlex.join(typed)}")
    except DataError as error:
        compare.error(str(error))
    except KeyboardInterrupt:
        advice = "With --resume FILE, fits are kept and the same command continues."
        compare.exit(130, f"\n{compare.prog}: stopped. {advice}\n")


def _versions() -> str:
    """The versions of this package, of Python and of the installed hosts."""
    found = {"focalboost": focalboost.__version__, "Python": platform.python_version()}
    for name in ("xgboost", "xgboost-cpu", "lightgbm"):
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return ", ".join(f"{name} {number}" for name, number in found.items())


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, with exit code 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())}\n")


def _at_least(minimum: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        if not (text.isdecimal() and int(text) >= minimum):
            message = f"{text!r} is not a whole number >= {minimum}"
            raise argparse.ArgumentTypeError(message)
        return int(text)

    return number


def _compare(options: argparse.Namespace, command: str) -> None:
    host = _host(options.host)
    _check_files(options)
    if options.time is not None and options.group is not None:
        raise DataError("--time and --group exclude each other: give one of them")
    if options.time is not None and options.repeats is not None:
        raise DataError("folds of --time are not repeated: leave out --repeats")
    # A host reads this when it is first imported. Its idle threads would spin.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

    from focalboost import comparison, estimators
    from focalboost.comparison.tables import read_named

    table = read_named(options.data, options)
    print(f"{options.data.name}: {table.positive} is the class to find.", flush=True)
    estimator = getattr(estimators, _ESTIMATORS[host])(n_jobs=options.threads)
    grid = comparison.default_grid(estimator)
    try:
        found = comparison.compare_losses(
            estimator,
            table.features,
            table.y_true,
            losses=_methods(options),
            cv=_folds(options, table),
            grid=[{**point, "n_estimators": options.rounds} for point in grid],
            random_state=options.seed,
            n_jobs=options.jobs,
            file=options.resume,
        )
    except (OSError, ValueError) as error:
        text = str(error).replace("file must", "--resume must", 1)
        raise DataError(text.replace("cv must", "--folds must", 1)) from error
    _print(found, table.remarks)
    comparison.write_report(
        found,
        options.report,
        estimator,
        table.features,
        title=f"Losses on {options.data.name}",
        remarks=table.remarks,
        command=command,
        costs=table.costs,
    )
    print(f"Report: {options.report}")


def _host(asked: str | None) -> str:
    """The host that trains, if it is installed with all that the command needs."""
    host = asked or next(filter(find_spec, _ESTIMATORS), "lightgbm")
    needed = (host, "pandas", "matplotlib", "rich")
    missing = [package for package in needed if find_spec(package) is None]
    if missing:
        advice = " ".join(
            {"xgboost": "xgboost-cpu"}.get(name, name) for name in missing
        )
        raise DataError(f"compare needs {', '.join(missing)}: pip install {advice}")
    return host


def _check_files(options: argparse.Namespace) -> None:
    """Refuse results without a folder, or that would replace data or each other."""
    files = [options.report, *filter(None, [options.resume])]
    for path in files:
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            advice = "name a file in a folder that is there, and that you may write to"
            raise DataError(f"{path} cannot be written: {advice}")
    files.append(options.data)
    if len(set(map(os.path.realpath, files))) < len(files):
        raise DataError("DATA, --report and --resume are one file: name another")


def _methods(options: argparse.Namespace) -> list[str]:
    """The names of the methods, without SMOTE if its package is not installed."""
    from focalboost.comparison import METHODS

    names = [method.name for method in METHODS] if options.all else list(_FEW)
    if find_spec("imblearn") is None:
        names.remove("SMOTE")
        print("SMOTE is left out, it needs a package: pip install imbalanced-learn")
    return names


def _folds(options: argparse.Namespace, table: Any) -> Any:
    """Folds forward in time, of whole groups, or stratified."""
    from sklearn import model_selection

    n_folds, repeats, first = options.folds, options.repeats or 2, options.seed
    if table.times is not None:
        # Dates of Python compare, and so do those of pandas.
        ordered = table.times.array
        return [
            (train[ordered[train] < ordered[test[0]]], test)  # a tie is not earlier
            for train, test in model_selection.TimeSeriesSplit(n_folds).split(ordered)
        ]
    if table.groups is not None:
        return (
            fold
            for seed in range(first, first + repeats)
            for fold in model_selection.StratifiedGroupKFold(
                n_folds, shuffle=True, random_state=seed
            ).split(table.y_true, table.y_true, table.groups)
        )
    return model_selection.RepeatedStratifiedKFold(
        n_splits=n_folds, n_repeats=repeats, random_state=first
    )


def _print(found: Comparison, remarks: Sequence[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from focalboost.comparison import _report

    (first, *heads), *rows = _report.score_table(found)
    table = Table(box=SIMPLE_HEAD, collapse_padding=True)
    table.add_column(first, no_wrap=True)
    for head in heads:
        table.add_column(textwrap.fill(head, 14), justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    # In a pipe or a file, rich takes 80 columns and would cut the numbers.
    console = Console(width=max(Console().width, 132), highlight=False)
    for line in (_report.data_in_words(found), *remarks):
        console.print(line, markup=False)
    console.print(table)
    for line in (*_report.notes(found), *_report.faults(found), found.verdict.text):
        console.print(line, markup=False)
