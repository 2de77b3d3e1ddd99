"""Reads the columns of CSV, Parquet and .npz files, as they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["Contents", "DataError", "some_of", "table_contents"]

Arrays = dict[str, NDArray[Any]]


class DataError(Exception):
    """Data that cannot be used; the message says in one line what to change."""

    __module__ = "focalboost.diagnostics.tables"


class Contents(NamedTuple):
    """A file as it is: all columns, those that may be the target, its test rows."""

    columns: pd.DataFrame
    targets: pd.DataFrame
    default_target: str | None = None
    is_test: NDArray[np.bool_] | None = None


def table_contents(path: Path) -> Contents:
    """What a file holds, by the ending of its name."""
    readers: dict[str, Callable[[Path], Contents]] = {
        ".csv": _read_csv,
        ".parquet": _read_parquet,
        ".npz": _read_npz,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path}: give a file that ends in {', '.join(readers)}")
    if not path.is_file():
        raise DataError(f"{path} is not there: check the path")
    try:
        contents = reader(path)
    except ImportError as error:
        raise DataError("Parquet needs pyarrow: pip install pyarrow") from error
    except (OSError, ValueError, TypeError, BadZipFile) as error:
        raise DataError(f"{path} is no sound {path.suffix} file: {error}") from error
    if contents.columns.empty:
        raise DataError(f"{path} is empty: give a file with a header and rows")
    return contents


def some_of(values: Iterable[Any]) -> str:
    """The first few values; text in quotes, which show spaces at its ends."""
    shown = [repr(value) if isinstance(value, str) else str(value) for value in values]
    return ", ".join(shown[:8]) + (", ..." if len(shown) > 8 else "")


def _read_csv(path: Path) -> Contents:
    try:
        columns = pd.read_csv(path, low_memory=False)
    except pd.errors.EmptyDataError:
        columns = pd.DataFrame()
    return Contents(columns, columns)


def _read_parquet(path: Path) -> Contents:
    columns = pd.read_parquet(path).rename(columns=str)
    return Contents(columns, columns)


def _read_npz(path: Path) -> Contents:
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    try:
        if "meta" in arrays:
            return _columns_by_meta(arrays)
        return _matrix_and_labels(path, arrays.pop("X"), arrays)
    except KeyError as error:
        raise DataError(
            f"{path} holds {some_of(arrays)} and no {error.args[0]!r}: save features "
            "and labels with np.savez(path, X=X, y=y)"
        ) from error


def _matrix_and_labels(path: Path, X: NDArray[Any], arrays: Arrays) -> Contents:
    """Features in X; every other array of one entry for each row may be the target."""
    if X.ndim != 2:
        raise DataError(f"{path} has X of shape {X.shape}: save it as (rows, columns)")
    targets = {
        name: arrays[name] for name in arrays if arrays[name].shape == X.shape[:1]
    }
    if not targets:
        shapes = ", ".join(f"{name} {arrays[name].shape}" for name in arrays) or "none"
        raise DataError(
            f"{path} has no labels for the {len(X)} rows of X, other arrays are "
            f"{shapes}: save them in one dimension, np.savez(path, X=X, y=y)"
        )
    columns = pd.DataFrame(X, columns=[f"x{i}" for i in range(X.shape[1])])
    default = "y" if "y" in targets else None
    return Contents(columns, pd.DataFrame(targets), default)


def _columns_by_meta(arrays: Arrays) -> Contents:
    """Columns c000, c001, ...; meta names them; y and aux_* are no features."""
    meta = json.loads(str(arrays["meta"]))
    columns = {
        name: _decoded(arrays[f"c{i:03d}"], kind)
        for i, (name, kind) in enumerate(zip(meta["names"], meta["kinds"], strict=True))
    }
    targets = {"y": arrays["y"]}
    targets |= {name[4:]: arrays[name] for name in arrays if name.startswith("aux_")}
    split = targets.pop("split", None)
    is_test = None if split is None else split == 1
    return Contents(pd.DataFrame(columns), pd.DataFrame(targets), "y", is_test)


def _decoded(values: NDArray[Any], kind: str) -> NDArray[Any]:
    """Numbers as they are; of a category the codes, where -1 means missing."""
    return np.where(values < 0, np.nan, values) if kind == "cat" else values
