"""Reads CSV, Parquet and .npz files into numeric features and binary labels.

For command lines: every fault of a file is one line that says what to change.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from focalboost.diagnostics._table_files import DataError, some_of, table_contents

__all__ = ["DataError", "LabelledTable", "read_table"]

TIME_NAMES = ("time", "timestamp", "datetime")  # found without being named


@dataclass(frozen=True, eq=False)
class LabelledTable:
    """What a file holds.

    Attributes
    ----------
    features : DataFrame of shape (n_samples, n_features)
        Columns of float64, NaN for missing values.
    y_true : ndarray of shape (n_samples,)
        1 for the class to find, else 0.
    positive : str
        The target, and its value that is 1 here.
    time : str or None
        The feature that is a time, if there is one.
    is_test : ndarray of shape (n_samples,) or None
        The test rows that the file itself names, if it does.
    """

    features: pd.DataFrame
    y_true: NDArray[np.int8]
    positive: str
    time: str | None
    is_test: NDArray[np.bool_] | None


def read_table(
    path: Path,
    target: str | None = None,
    time: str | None = None,
    *,
    by_time: bool = True,
) -> LabelledTable:
    r"""Read and check a file; an .npz may know its target, the others must be told.

    Parameters
    ----------
    path : Path
        A .csv or .parquet file; an .npz with the features in ``X``, shape (n_samples,
        n_features), and the labels in ``y`` or another array, which ``target`` names;
        or an .npz with an array for each column (c000, c001, ...), their names and
        kinds ("num" or "cat") as JSON in ``meta``, and the labels in ``y``.
    target : str, optional
        The column of labels, which have two values: 0 and 1, or the rarer is 1.
    time : str, optional
        A column of dates or numbers that gives the order of the rows; by default one
        of dates, or one that is named so.
    by_time : bool, default=True
        Whether the rows are to be split by their times, of which then none may be
        missing. Otherwise these are a feature like others.

    Raises
    ------
    DataError
        If the file cannot be used as it is.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from focalboost.diagnostics.tables import read_table
    >>> path = Path(mkdtemp()) / "payments.csv"
    >>> _ = path.write_text("amount,fraud\n9.5,no\n120,yes\n3,no\n")
    >>> table = read_table(path, "fraud")
    >>> table.positive, table.y_true.tolist()
    ('fraud = yes', [0, 1, 0])
    """
    contents = table_contents(path)
    target = target or contents.default_target
    if target not in contents.targets:
        fault = f"has no column {target!r}" if target else "does not say its target"
        names = some_of(contents.targets)
        raise DataError(f"{path} {fault}: give --target one of {names}")
    columns = contents.columns.drop(columns=target, errors="ignore")
    if columns.shape[1] == 0:
        raise DataError(f"{path} has no column besides {target!r}: add features")
    if time is not None and time not in columns:
        names = some_of(columns)
        raise DataError(f"{path} has no column {time!r}: give --time one of {names}")
    y_true, positive = _binary(contents.targets[target])
    # Test rows that come with a file say more than a column that looks like a time.
    if time is None and (contents.is_test is None or not by_time):
        time = _time_column(columns)
    if time is not None:
        columns = columns.assign(**{time: _times(columns[time], needed=by_time)})
    numbers = {name: _numbers(column) for name, column in columns.items()}
    features = pd.DataFrame(numbers)
    return LabelledTable(features, y_true, positive, time, contents.is_test)


def _binary(labels: pd.Series) -> tuple[NDArray[np.int8], str]:
    """Labels as 0 and 1, where 1 is the value 1 or, of two others, the rarer."""
    name, n_missing = labels.name, int(labels.isna().sum())
    if n_missing:
        raise DataError(f"target {name!r} lacks {n_missing} labels: drop these rows")
    counts = labels.value_counts()
    values = list(counts.index)
    if len(values) == 1:
        raise DataError(
            f"target {name!r} is {some_of(values)} in all rows, one class only: "
            "add rows of the other class"
        )
    if len(values) > 2:
        raise DataError(
            f"target {name!r} is not binary, its {len(values)} values are "
            f"{some_of(values)}: make it 1 for the class to find, 0 for the rest"
        )
    positive = 1 if set(values) == {0, 1} else values[-1]
    return (labels == positive).to_numpy(dtype=np.int8), f"{name} = {positive}"


def _time_column(columns: pd.DataFrame) -> str | None:
    """The first column that is a time by its type or its name."""
    for name, column in columns.items():
        is_date = pd.api.types.is_datetime64_any_dtype(column)
        if is_date or str(name).lower() in TIME_NAMES:
            return str(name)
    return None


def _times(column: pd.Series, needed: bool) -> pd.Series:
    """Numbers and dates as they are, text as dates; where needed, one in every row."""
    times = column
    if not pd.api.types.is_numeric_dtype(column):
        times = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
    is_missing = times.isna().to_numpy()
    if needed and is_missing.any():
        raise DataError(
            f"time column {column.name!r} has neither a number nor a date in row "
            f"{int(is_missing.argmax()) + 1}: mend or drop such rows, or split by "
            "another column with --time"
        )
    is_no_date = is_missing & column.notna().to_numpy()
    return column if is_no_date.any() else times


def _numbers(column: pd.Series) -> NDArray[np.float64]:
    """A column as float64, dates as days since the first."""
    if pd.api.types.is_datetime64_any_dtype(column):
        column = (column - column.min()) / pd.Timedelta(days=1)
    numbers: NDArray[np.float64]
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        entries = column.astype(object)
        numbers = pd.to_numeric(entries, errors="coerce").to_numpy(dtype=np.float64)
        _refuse_text(entries, np.isnan(numbers) & entries.notna().to_numpy())
    if np.isinf(numbers).any():
        raise DataError(
            f"column {column.name!r} holds infinite values: make them finite or empty"
        )
    return numbers


def _refuse_text(entries: pd.Series, is_text: NDArray[np.bool_]) -> None:
    if is_text.any():
        row = int(is_text.argmax())
        raise DataError(
            f"column {entries.name!r} holds text ({str(entries.iloc[row])[:30]!r} in "
            f"row {row + 1}): drop it, or encode it as numbers, for example with "
            "scikit-learn's OrdinalEncoder"
        )
