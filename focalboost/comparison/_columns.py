"""The columns of a data frame, made what both hosts take: numbers and categories."""

import re
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from focalboost._hosts._imports import import_extra
from focalboost._validation import reject

if TYPE_CHECKING:
    import pandas as pd

#: What pandas infers of a column, and what becomes of it.
_KINDS = {
    **dict.fromkeys(("integer", "floating", "mixed-integer-float"), "number"),
    **dict.fromkeys(("boolean", "decimal", "empty"), "number"),
    **dict.fromkeys(("timedelta", "timedelta64"), "duration"),
    **dict.fromkeys(("string", "categorical", "mixed-integer"), "category"),
    **dict.fromkeys(("datetime", "datetime64", "date"), "date"),
}


#: Characters that one host or the other refuses in names.
_REFUSED = re.compile(r'[][<>{}":,]')


def _pandas() -> Any:
    return import_extra("pandas", "pip install pandas")


def kind_of(column: "pd.Series") -> str | None:
    """Return number, duration, category or date, or None for anything else."""
    return _KINDS.get(_pandas().api.types.infer_dtype(column, skipna=True))


class TableEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Make the columns of a data frame numbers and categories, which both hosts take.

    Numbers and booleans become float64, with NaN for missing values, and time spans
    become days. Text and categories become categories of the values in the rows that
    the encoder is fitted on. Another value is then a missing one. Dates are left out
    with a warning, or become their parts. A name that a host refuses, such as "a [K]",
    becomes column_0, column_1, ..., by its place.

    Parameters
    ----------
    categorical : sequence of str, default=()
        Columns of numbers whose values are names, such as the code of a shop.
    date_parts : bool, default=False
        Whether a date becomes its month, day, weekday (0 for Monday) and hour.

    Attributes
    ----------
    categories_ : dict of str to Index
        Values of each category, as text.
    dates_ : list of str
        Columns of dates.

    Raises
    ------
    ValueError
        If two columns have one name, or a column is of another kind, such as lists.

    Examples
    --------
    >>> import pandas as pd
    >>> from focalboost.comparison import TableEncoder
    >>> X = pd.DataFrame({"amount": [9, 120], "shop": ["fuel", None]})
    >>> TableEncoder().fit_transform(X).dtypes.astype(str).tolist()
    ['float64', 'category']
    """

    __module__ = "focalboost.comparison"

    def __init__(
        self, categorical: Iterable[str] = (), date_parts: bool = False
    ) -> None:
        self.categorical = categorical
        self.date_parts = date_parts

    def fit(self, X: "pd.DataFrame", y: Any = None) -> "TableEncoder":
        """Take the categories from the rows of a data frame."""
        twice = X.columns[X.columns.duplicated()].tolist()
        if twice:
            reject("X", "of different column names", twice, "Rename or drop them.")
        absent = [name for name in self.categorical if name not in X.columns]
        if absent:
            advice = f"Use names of {list(X.columns)}."
            reject("categorical", "columns of X", absent, advice)
        kinds = {
            name: "category" if name in self.categorical else kind_of(X[name])
            for name in X.columns
        }
        other = [name for name, kind in kinds.items() if kind is None]
        if other:
            advice = f"Use X.drop(columns={other})."
            reject("X", "numbers, text, categories or dates", other, advice)
        self.kinds_ = kinds
        self.dates_ = [name for name, kind in kinds.items() if kind == "date"]
        self.categories_ = {
            name: _text(X[name]).astype("category").cat.categories
            for name, kind in kinds.items()
            if kind == "category"
        }
        if self.dates_ and not self.date_parts:
            warnings.warn(
                f"columns {self.dates_} are dates and are left out: use "
                "make_pipeline(TableEncoder(date_parts=True), estimator) for their "
                "months, days, weekdays and hours",
                stacklevel=2,
            )
        return self

    def transform(self, X: "pd.DataFrame") -> "pd.DataFrame":
        """Return numbers and categories as a new data frame."""
        check_is_fitted(self)
        columns: dict[str, Any] = {}
        for name, kind in self.kinds_.items():
            columns |= self._encoded(name, kind, X[name])
        names = [
            f"column_{i}" if _REFUSED.search(str(name)) else str(name)
            for i, name in enumerate(columns)
        ]
        return _pandas().DataFrame(columns, index=X.index).set_axis(names, axis=1)

    def _encoded(
        self, name: str, kind: str | None, column: "pd.Series"
    ) -> dict[str, Any]:
        if kind == "category":
            values = self.categories_[name]
            codes = values.get_indexer(_text(column))  # -1 for all other values
            return {name: _pandas().Categorical.from_codes(codes, values)}
        if kind == "date":
            return parts_of_dates(name, column) if self.date_parts else {}
        if kind == "duration":
            column = _pandas().to_timedelta(column) / np.timedelta64(1, "D")
        return {name: column.to_numpy(dtype=np.float64, na_value=np.nan)}


def _text(column: "pd.Series") -> "pd.Series":
    """Values as text, which a model file of either host can hold."""
    return column.astype(object).where(column.notna()).map(str, na_action="ignore")


def parts_of_dates(name: str, column: "pd.Series") -> dict[str, Any]:
    """Return month, day, weekday and hour as float64, by the names of their columns."""
    when = _pandas().to_datetime(column).dt
    parts = {"month": when.month, "day": when.day, "weekday": when.day_of_week}
    parts["hour"] = when.hour + when.minute / 60
    return {f"{name}_{part}": numbers.astype(float) for part, numbers in parts.items()}
