"""Tables from CSV, Parquet and .npz files, as features and binary labels.

Every fault of a file is a DataError, in one line for the command line. It says which
option or change helps.
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from focalboost.comparison._command import (
    OPTIONS,
    DataError,
    add_options,
    options_given,
)
from focalboost.comparison._methods import kind_of, parts_of_dates

__all__ = [
    "DataError",
    "LabelledTable",
    "add_options",
    "options_given",
    "read_named",
    "read_table",
]

TIME_NAMES = ("time", "timestamp", "datetime")
SEPARATORS = {",": ",", ";": "';'", "\t": "tab", "|": "'|'"}  # as they are typed
IDENTIFIER_NAME = re.compile(r"(^|[\W_])(id|uuid|guid)$|[a-z]I[Dd]$")

#: A number with a decimal point, or with thousands.
THOUSANDS = re.compile(r"\s*[+-]?[1-9]\d{0,2}\.\d{3}\s*")

#: A number with thousands separators, a sign of a currency or per cent.
WRITTEN_NUMBER = re.compile(
    r"[+-]?[^\w\s]?\s?(\d{1,3}([,.' ]\d{3})+|\d+)([.,]\d+)?([eE][+-]?\d+)?"
    r"(\s?[^\w\s]|\s[A-Za-z]{3})?"
)

#: Three parts that may be a date, which pandas judges. The version 1.2.10 is none.
WRITTEN_DATE = re.compile(
    r"(\d{4}[./ -]\w{1,3}[./ -]\d{1,2}|\d{1,2}[./ -]\w{1,3}[./ -]\d{4}"
    r"|\d\d[./-]\w{2,3}[./-]\d\d)\b.*"
)

ADVICE_ON_CSV = (
    "correct it, its --separator or --decimal, or give its --encoding, such as cp1252 "
    "or utf-16"
)

#: The files that are read, by the ends of their names, and what helps if that fails.
FILES = {
    ".csv": ADVICE_ON_CSV,
    ".csv.gz": ADVICE_ON_CSV,
    ".parquet": "write it with DataFrame.to_parquet",
    ".npz": "write it with np.savez(path, X=X, y=y)",
}

#: Share of different values from which a column looks like an identifier.
IDENTIFIER_SHARE = 0.9


@dataclass(frozen=True, eq=False)
class LabelledTable:
    """Features and labels of a file."""

    features: pd.DataFrame  #: columns of float64, of text and of categories
    y_true: NDArray[np.int8]  #: 1 for the class to find
    positive: str  #: the target, with its value that is 1
    times: pd.Series | None  #: what orders the rows
    groups: pd.Series | None  #: what holds rows together
    costs: tuple[Any, Any] | None  #: of an alert, and of a miss or of one in each row
    is_test: NDArray[np.bool_] | None  #: if the file names test rows, and without times
    remarks: list[str]  #: what a reader of the result has to know


def read_table(
    path: Path,
    target: str | None = None,
    *,
    positive: str | None = None,
    drop: Sequence[str] = (),
    time: str | None = None,
    group: str | None = None,
    categorical: Sequence[str] = (),
    date_parts: bool = False,
    cost: Sequence[float] | None = None,
    cost_column: str | None = None,
    separator: str | None = None,
    decimal: str | None = None,
    encoding: str | None = None,
) -> LabelledTable:
    r"""Read and check a file. The arguments are the options of the command line.

    Only an .npz file has a default target. A fault of the file is a DataError.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from focalboost.comparison.tables import read_table
    >>> path = Path(mkdtemp()) / "payments.csv"
    >>> _ = path.write_text("amount,fraud\n9.5,no\n120,yes\n3,no\n")
    >>> table = read_table(path, "fraud")
    >>> table.positive, table.y_true.tolist()
    ('fraud = yes', [0, 1, 0])
    """
    form = {"separator": separator, "decimal": decimal, "encoding": encoding}
    contents = _contents(path, {k: v for k, v in form.items() if v is not None})
    target = target or contents.default_target
    if target not in contents.targets:
        fault = f"has no column {target!r}" if target else "does not name its target"
        names = _some_of(contents.targets)
        raise DataError(f"{path} {fault}: give --target one of {names}")
    columns = contents.columns.drop(columns=target, errors="ignore")
    single = {"time": [time], "group": [group], "cost-column": [cost_column]}
    known = {None, *columns}
    for option, asked in {"drop": drop, "categorical": categorical, **single}.items():
        absent = [name for name in asked if name not in known]
        if absent:
            fault = f"has no column {_some_of(absent)} besides its target"
            advice = f"give --{option} one of {_some_of(columns)}"
            raise DataError(f"{path} {fault}: {advice}")
    times, labels = None, contents.targets[target]
    if time is not None:
        times = _times(columns[time]).sort_values(kind="stable")
        labels, columns = labels.loc[times.index], columns.loc[times.index]
    groups = None if group is None else columns[group]
    if groups is not None and groups.isna().any():
        fault = f"group column {group!r} lacks {groups.isna().sum()} values"
        raise DataError(f"{fault}: fill them, each with a value of its own")
    y_true, shown = _binary(labels, positive)
    left = columns.drop(columns=[*drop, *filter(None, (time, group))])
    features = {
        str(name): column.astype("category")
        if name in categorical and kind_of(column) is not None
        else _typed(column, decimal or ".")
        for name, column in left.items()
    }
    settled = ["date"] * date_parts + ["time"] * (time is not None)
    return LabelledTable(
        features=_table(features, date_parts),
        y_true=y_true,
        positive=shown,
        times=times,
        groups=groups,
        costs=_costs(cost, None if cost_column is None else columns[cost_column]),
        is_test=None if times is not None else contents.is_test,
        remarks=list(_remarks(features, settled)),
    )


def read_named(path: Path, options: argparse.Namespace) -> LabelledTable:
    """Read a file with the options of a parser."""
    given = {name: getattr(options, name) for name in OPTIONS}
    return read_table(path, **{k: v for k, v in given.items() if v is not None})


class _Contents(NamedTuple):
    """All columns of a file, those that may be the target, and its test rows."""

    columns: pd.DataFrame
    targets: pd.DataFrame
    default_target: str | None = None
    is_test: NDArray[np.bool_] | None = None


def _contents(path: Path, form: dict[str, str]) -> _Contents:
    ending = next(filter(path.name.lower().endswith, FILES), None)
    if ending is None:
        raise DataError(f"{path}: give a file that ends in {', '.join(FILES)}")
    read = {".parquet": _read_parquet, ".npz": _read_npz}.get(ending, _read_csv)
    if form and read is not _read_csv:
        options = " ".join(f"--{name}" for name in form)
        raise DataError(f"{path} is not a CSV file: leave out {options}")
    if not path.is_file():
        raise DataError(f"{path} is not there: check the path")
    try:
        return read(path, **form)
    except (
        OSError,
        ImportError,
        ValueError,
        LookupError,
        TypeError,
        BadZipFile,
    ) as error:
        fault = f"{path} cannot be read as {ending}: {' '.join(str(error).split())}"
        raise DataError(f"{fault}: {FILES[ending]}") from error


def _read_csv(
    path: Path, separator: str = ",", decimal: str = ".", encoding: str = "utf-8"
) -> _Contents:
    separator = {"tab": "\t", r"\t": "\t"}.get(separator, separator)
    read = partial(pd.read_csv, path, sep=separator, encoding=encoding, engine="c")
    # The names before pandas changes those that are there twice.
    header = read(header=None, nrows=1, dtype=str, na_filter=False).iloc[0].tolist()
    for other, typed in SEPARATORS.items():
        if len(header) == 1 and other != separator and other in header[0]:
            fault = f"is separated by {typed}"
            raise DataError(f"{path} {fault}: add --separator {typed}")
    _require_unique(header, f"{path} has")
    # With a longer row, which is an error here, the first column becomes an index.
    read(header=None, nrows=2)
    columns = read(decimal=decimal, low_memory=False)
    return _Contents(columns, columns)


def _require_unique(names: Sequence[str], what_has_them: str) -> None:
    index = pd.Index(names)
    if index.has_duplicates:
        twice = f"columns named {_some_of(index[index.duplicated()].unique())}"
        raise DataError(f"{what_has_them} several {twice}: rename them")


def _read_parquet(path: Path) -> _Contents:
    table = pd.read_parquet(path)
    is_named = any(name is not None for name in table.index.names)
    table = table.reset_index(drop=not is_named)
    columns = table.set_axis(map(str, table.columns), axis=1)
    return _Contents(columns, columns)


def _read_npz(path: Path) -> _Contents:
    with np.load(path, allow_pickle=False) as arrays:
        if "meta" in arrays:
            return _columns_by_meta(arrays)
        # Any other array with one entry for each row may be the target.
        X = pd.DataFrame(arrays["X"]).add_prefix("x")
        others = {name: arrays[name] for name in arrays if name != "X"}
    targets = {name: y for name, y in others.items() if y.shape == (len(X),)}
    if not targets:
        fault = f"has no labels, one for each of the {len(X)} rows of X"
        raise DataError(f"{path} {fault}: {FILES['.npz']}")
    return _Contents(X, pd.DataFrame(targets), "y" if "y" in targets else None)


def _columns_by_meta(arrays: Mapping[str, NDArray[Any]]) -> _Contents:
    """Columns c000, c001, ... with their names in meta; y and aux_* are targets."""
    meta = json.loads(str(arrays["meta"]))
    _require_unique(meta["names"], "meta has")
    columns: dict[str, Any] = {}
    for i, (name, kind) in enumerate(zip(meta["names"], meta["kinds"], strict=True)):
        values = arrays[f"c{i:03d}"]
        if kind == "cat":  # the code -1 is a missing value
            values = pd.Series(values, dtype=object).where(values >= 0)
            values = values.astype("category")
        columns[name] = values
    targets = {"y": arrays["y"]}
    targets |= {name[4:]: arrays[name] for name in arrays if name.startswith("aux_")}
    split = targets.pop("split", None)
    is_test = None if split is None else split == 1
    return _Contents(pd.DataFrame(columns), pd.DataFrame(targets), "y", is_test)


def _some_of(values: Iterable[Any]) -> str:
    """The first few values. Text is quoted, so that spaces at its ends show."""
    shown = [repr(value) if isinstance(value, str) else str(value) for value in values]
    return ", ".join(shown[:8]) + (", ..." if len(shown) > 8 else "")


def _binary(labels: pd.Series, positive: str | None) -> tuple[NDArray[np.int8], str]:
    """Labels as 0 and 1: 1 is the label to find, or 1, or the rarer of two others."""
    name, n_missing = f"target {labels.name!r}", int(labels.isna().sum())
    if n_missing:
        raise DataError(
            f"{name} lacks {n_missing} labels: drop these rows, or write other words "
            "if labels are None, NA or null"
        )
    values = list(labels.value_counts().index)
    if len(values) < 2:
        found = f"one class only ({_some_of(values) or 'no rows'})"
        raise DataError(f"{name} has {found}: add rows of the other class")
    label = 1 if set(values) == {0, 1} else values[-1]
    if positive is not None:
        names = (positive, f"{positive}.0")  # a whole number may be float64
        label = next((one for one in values if str(one) in names), None)
        if label is None:
            fault = f"{name} has no label {positive!r}"
            raise DataError(f"{fault}: give --positive one of {_some_of(values)}")
    elif len(values) > 2:
        raise DataError(
            f"{name} is not binary, its {len(values)} labels are {_some_of(values)}: "
            "name the one to find with --positive, all others are then the rest"
        )
    return (labels == label).to_numpy(dtype=np.int8), f"{labels.name} = {label}"


def _times(column: pd.Series) -> pd.Series:
    """Numbers as they are, all else as dates; none may be missing."""
    times = column
    if not pd.api.types.is_numeric_dtype(column) and kind_of(column) != "duration":
        numbers = pd.to_numeric(column.astype(str), errors="coerce")
        times = numbers if numbers.notna().mean() > 0.5 else _dates(column)
    if times.isna().any():
        raise DataError(
            f"time column {column.name!r} has neither a number nor a date in row "
            f"{int(times.isna().argmax()) + 1}: correct or drop such rows, or name "
            "another column with --time"
        )
    return times


def _dates(column: pd.Series) -> pd.Series:
    """Dates of one form throughout: that of ISO 8601, or that of the first date."""
    read = partial(pd.to_datetime, column, errors="coerce", utc=True)
    standard = read(format="ISO8601")
    if standard.notna().all():
        return standard
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of the form that is guessed
        found = [read(dayfirst=False), read(dayfirst=True)]
    whole = [dates for dates in found if dates.notna().all()]
    if len(whole) == 2 and not whole[0].equals(whole[1]):
        typed = shlex.quote(str(column.name))
        raise DataError(
            f"column {column.name!r} holds dates such as {column.iloc[0]!r}, with the "
            "day or the month first: write them as YYYY-MM-DD, or leave them out with "
            f"--drop {typed}"
        )
    return max([standard, *found], key=lambda dates: dates.notna().sum())


def _costs(
    cost: Sequence[float] | None, column: pd.Series | None
) -> tuple[Any, Any] | None:
    """The cost of an alert, and the cost of a miss."""
    if cost is None and column is None:
        return None
    costs: list[Any] = list(cost or ())
    if column is not None:
        numbers = pd.to_numeric(column.astype(str), errors="coerce")
        costs.append(numbers.to_numpy())
    if len(costs) != 2 or not all(np.all((c >= 0) & (c < np.inf)) for c in costs):
        raise DataError(
            "costs are finite numbers >= 0: give --cost ALERT MISS, or --cost ALERT "
            "--cost-column COLUMN with such a number in every row"
        )
    return costs[0], costs[1]


def _typed(column: pd.Series, decimal: str) -> pd.Series:
    """Text that is numbers or dates throughout as what it is; numbers as float64.

    Beside a decimal comma, 1.858 may be 1858: such text is no number.
    """
    kind = kind_of(column)
    if kind == "number":
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        return _finite(pd.Series(numbers, index=column.index, name=column.name))
    if kind != "category" or column.dtype == "category":
        return column
    values = column.dropna()
    numbers = pd.to_numeric(values.astype(object), errors="coerce")
    with_point = values[values.astype(str).str.contains(".", regex=False)].astype(str)
    are_thousands = len(with_point) and with_point.str.fullmatch(THOUSANDS).all()
    if numbers.notna().all() and not (decimal == "," and are_thousands):
        return _finite(numbers.astype(np.float64).reindex(column.index))
    if decimal == ".":
        text = values.astype(str).str.replace(",", ".", regex=False)
        if pd.to_numeric(text, errors="coerce").notna().all():
            raise DataError(
                f"column {column.name!r} holds numbers with a comma: add --decimal , "
                "(it reads 1,234 as 1.234), or where commas separate thousands write "
                f"1234 or add --drop {shlex.quote(str(column.name))}"
            )
    dates = pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601")
    if dates.isna().any() and values.astype(str).str.fullmatch(WRITTEN_DATE).all():
        dates = _dates(values)
    return column if dates.isna().any() else dates.reindex(column.index)


def _finite(numbers: pd.Series) -> pd.Series:
    """Numbers that all methods can read."""
    if np.isinf(numbers).any():
        fault = f"column {numbers.name!r} is infinite in some rows"
        raise DataError(f"{fault}: add --drop {shlex.quote(str(numbers.name))}")
    return numbers


def _table(features: dict[str, pd.Series], date_parts: bool) -> pd.DataFrame:
    """Columns without dates, or with their parts."""
    columns: list[tuple[str, Any]] = []
    for name, column in features.items():
        if kind_of(column) != "date":
            columns.append((name, column))
        elif date_parts:
            columns += parts_of_dates(name, column).items()
    if not columns:
        raise DataError(
            "no column is a feature: add columns, or --date-parts for dates"
        )
    _require_unique([name for name, _ in columns], "--date-parts makes")
    return pd.DataFrame(dict(columns))


#: What is said of columns, by what they look like.
_REMARKS = {
    "date": "Dates are left out: {names}. To use their month, day, weekday and hour, "
    "add --date-parts.",
    "time": "{names}: a time, and rows are split at random. If you will predict later "
    "rows from earlier ones, these scores may be optimistic: use --time {first}.",
    "numbers": "Numbers with text in or among them are taken for categories: {names}. "
    "Write them as plain numbers, or leave them out with --drop {typed}.",
    "identifier": "These look like identifiers: {names}. Leave them out with --drop "
    "{typed}, or keep the rows of each together with --group.",
}


def _remarks(features: dict[str, pd.Series], settled: list[str]) -> Iterator[str]:
    """What columns look like, in words, but for what the options have settled."""
    marks = {name: _marks(column) for name, column in features.items()}
    for mark, text in _REMARKS.items():
        names = [name for name, found in marks.items() if mark in found]
        if names and mark not in settled:
            typed, first = shlex.join(names), shlex.quote(names[0])
            yield text.format(names=_some_of(names), typed=typed, first=first)


def _marks(column: pd.Series) -> tuple[str, ...]:
    """What a column looks like, if that is a trap."""
    name, kind, values = str(column.name), kind_of(column), column.dropna()
    if kind == "date":
        return ("date", "time")
    if name.lower() in TIME_NAMES:
        return ("time",)
    is_text = kind == "category" and column.dtype != "category"
    if is_text and values.astype(str).str.fullmatch(WRITTEN_NUMBER).mean() > 0.5:
        return ("numbers",)
    if not is_text and (kind != "number" or (values % 1 != 0).any()):
        return ()
    is_unique = len(values) > 20 and values.nunique() > IDENTIFIER_SHARE * len(values)
    return ("identifier",) if is_unique or IDENTIFIER_NAME.search(name) else ()
