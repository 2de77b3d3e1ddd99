"""The methods of a comparison, and the rows and columns that each trains on."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing, resample
from sklearn.utils.validation import check_is_fitted

from focalboost._hosts._imports import import_extra
from focalboost._validation import (
    class_balance,
    focusing_parameter,
    one_of,
    reject,
    require_two_classes,
    warn,
)
from focalboost.estimators._rows import row_weights

if TYPE_CHECKING:
    import pandas as pd

#: Neighbours between which SMOTE draws its rows, as in the paper.
SMOTE_NEIGHBORS = 5

INSTALL_SMOTE = "pip install imbalanced-learn"

#: Models of a bagging method.
N_MEMBERS = 5

#: What pandas infers of a column, and what becomes of it.
_KINDS = {
    **dict.fromkeys(("integer", "floating", "mixed-integer-float"), "number"),
    **dict.fromkeys(("boolean", "decimal", "empty"), "number"),
    **dict.fromkeys(("timedelta", "timedelta64"), "duration"),
    **dict.fromkeys(("string", "categorical", "mixed-integer"), "category"),
    **dict.fromkeys(("datetime", "datetime64", "date"), "date"),
}

#: Names that one host or the other refuses, or changes in its model.
_REFUSED = re.compile(r'[][<>{}":,\x00\n\r]|^=|^$')

#: The parts of a date, each a column.
_PARTS = ("month", "day", "weekday", "hour")


@dataclass(frozen=True)
class Method:
    """What a fit does about rare positives. All else is the same for every method.

    Parameters
    ----------
    name : str
        Name in tables.
    gamma : float, (float, float) or None, default=None
        Focusing parameter of the focal loss with the certified curvature. 0 is the log
        loss with that curvature. None is the host's own log loss.
    alpha : float or None, default=None
        Class-balance weight of the focal loss, in (0, 1).
    weight : float, default=0.0
        Positives get the weight ``weight * ratio**power``. The ratio is the weight of
        the negatives over the weight of the positives in the training rows. 0 means no
        weights.
    power : float, default=1.0
        Exponent of the ratio. 0.5 is its square root.
    resampling : {"smote", "undersample"} or None, default=None
        Brings the training rows to a ratio of 1:1. "smote" adds synthetic positives
        (Chawla et al. 2002) and needs imbalanced-learn. It is SMOTENC where columns are
        categories, and SMOTEN where all are. "undersample" draws as many negatives as
        there are positives.
    bagging : {"balanced", "plain"} or None, default=None
        Averages the probabilities of five models. "balanced" trains each on all
        positives and a fifth of the negatives, and divides its odds by the factor that
        this shifts them by. "plain" trains each on a bootstrap sample of all rows
        (Breiman 1996), with as many of each class as there are.

    Raises
    ------
    ValueError
        If an argument is out of range, alpha is given without gamma, or bagging is
        given with weights or resampling.

    Examples
    --------
    >>> from focalboost.comparison import METHODS, Method
    >>> Method("focal, γ = 3", gamma=3)
    Method(name='focal, γ = 3', gamma=3.0, alpha=None, weight=0.0, power=1.0, \
resampling=None, bagging=None)
    >>> METHODS[0].name
    'log loss'
    """

    __module__ = "focalboost.comparison"

    name: str
    gamma: float | tuple[float, float] | None = None
    alpha: float | None = None
    weight: float = 0.0
    power: float = 1.0
    resampling: str | None = None
    bagging: str | None = None

    def __post_init__(self) -> None:
        if self.gamma is not None:
            object.__setattr__(self, "gamma", focusing_parameter(self.gamma))
        object.__setattr__(self, "alpha", class_balance(self.alpha))
        if self.alpha is not None and self.gamma is None:
            reject("alpha", "None if gamma is None", self.alpha, "Use gamma=0.")
        for name in ("weight", "power"):
            value: Any = getattr(self, name)
            if not 0 <= value < float("inf"):
                reject(name, "a finite number >= 0", value, f"Use {name}=1.")
        if self.resampling is not None:
            one_of("resampling", self.resampling, ("smote", "undersample"))
        if self.bagging is not None:
            one_of("bagging", self.bagging, ("balanced", "plain"))
            if self.shifts_probabilities:
                rule = "None beside weight or resampling"
                reject("bagging", rule, self.bagging, "Use two methods.")

    @property
    def is_focal(self) -> bool:
        """Whether the loss is this package's, and not the host's own log loss."""
        return self.gamma is not None

    @property
    def is_log_loss(self) -> bool:
        """Whether the loss is log loss, the host's own or the certified one."""
        return self.gamma in (None, 0) and self.alpha is None

    @property
    def shifts_probabilities(self) -> bool:
        """Whether weights or resampling shift the probabilities."""
        return bool(self.weight or self.resampling)


#: The host's own log loss: what the host does without this package.
LOG_LOSS = Method("log loss")

METHODS = (
    LOG_LOSS,
    Method("log loss, certified", gamma=0.0),
    Method("weights: ratio", weight=1.0),
    Method("weights: √ratio", weight=1.0, power=0.5),
    Method("weights: 5 × ratio", weight=5.0),
    Method("SMOTE", resampling="smote"),
    Method("undersampling", resampling="undersample"),
    Method("balanced bagging", bagging="balanced"),
    Method("bagging", bagging="plain"),
    Method("focal, γ = 0.5", gamma=0.5),
    Method("focal, γ = 1", gamma=1.0),
    Method("focal, γ = 2", gamma=2.0),
    Method("focal, γ = 5", gamma=5.0),
    Method("focal, γ = 2, α = 0.25", gamma=2.0, alpha=0.25),
    Method("focal, γ = (0, 1)", gamma=(0.0, 1.0)),
    Method("focal, γ = (0, 2)", gamma=(0.0, 2.0)),
    Method("focal, γ = (0, 4)", gamma=(0.0, 4.0)),
    Method("focal, γ = (1, 4)", gamma=(1.0, 4.0)),
)


def kind_of(column: "pd.Series") -> str | None:
    """Return number, duration, category or date, or None for anything else."""
    from pandas.api.types import infer_dtype

    return _KINDS.get(infer_dtype(column, skipna=True))


class TableEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Make the columns of a data frame numbers and categories, which both hosts take.

    Numbers and booleans become float64, with NaN for missing values, and time spans
    become days. Text and categories become categories of the values in the rows that
    the encoder is fitted on. Another value is then a missing one. Equal numbers are one
    category: 3 and 3.0. Dates are left out with a warning, or become their parts.

    A name that a host refuses, such as "a [K]", becomes column_0, column_1, ..., by its
    place. So do names that LightGBM cannot tell apart, such as "a b" and "a_b".

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
        If two columns have one name, a column has the name of a part of a date, or a
        column is of another kind, such as lists.

    Examples
    --------
    >>> import pandas as pd
    >>> from focalboost.comparison import TableEncoder
    >>> X = pd.DataFrame({"amount": [9, 120], "shop": ["fuel", None]})
    >>> TableEncoder().fit_transform(X).dtypes.astype(str).tolist()
    ['float64', 'category']
    """

    __module__ = "focalboost.comparison"

    def __init__(self, categorical: Iterable[str] = (), date_parts: bool = False):
        self.categorical = categorical
        self.date_parts = date_parts

    def fit(self, X: "pd.DataFrame", y: Any = None) -> "TableEncoder":
        """Take the categories from the rows of a data frame."""
        absent = [name for name in self.categorical if name not in X.columns]
        if absent:
            advice = f"Use names of {list(X.columns)}."
            reject("categorical", "columns of X", absent, advice)
        kinds = {
            name: "category" if name in self.categorical else kind_of(column)
            for name, column in X.items()
        }
        other = [name for name, kind in kinds.items() if kind is None]
        if other:
            advice = f"Use X.drop(columns={other})."
            reject("X", "numbers, text, categories or dates", other, advice)
        self.kinds_ = kinds
        self.dates_ = [name for name, kind in kinds.items() if kind == "date"]
        parts = [f"{name}_{part}" for name in self.dates_ for part in _PARTS]
        counts = Counter([*map(str, X.columns), *(parts if self.date_parts else ())])
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            rule = "of different column names, parts of dates included"
            reject("X", rule, twice, "Rename or drop them.")
        self.categories_ = {
            name: _text(X[name]).astype("category").cat.categories
            for name, kind in kinds.items()
            if kind == "category"
        }
        if self.dates_ and not self.date_parts:
            warn(
                f"columns {self.dates_} are dates and are left out: use "
                "make_pipeline(TableEncoder(date_parts=True), estimator) for their "
                "months, days, weekdays and hours"
            )
        return self

    def transform(self, X: "pd.DataFrame") -> "pd.DataFrame":
        """Return numbers and categories as a new data frame."""
        import pandas as pd

        check_is_fitted(self)
        columns: dict[str, Any] = {}
        for name, kind in self.kinds_.items():
            column = X[name]
            if kind == "date":
                columns |= parts_of_dates(name, column) if self.date_parts else {}
            elif kind == "category":
                values = self.categories_[name]
                codes = values.get_indexer(_text(column))  # -1 for all other values
                columns[name] = pd.Categorical.from_codes(codes, values)
            else:
                if kind == "duration":
                    column = pd.to_timedelta(column) / np.timedelta64(1, "D")
                columns[name] = column.to_numpy(dtype=np.float64, na_value=np.nan)
        table = pd.DataFrame(columns, index=X.index)
        return table.set_axis(_names_for_hosts(list(map(str, columns))), axis=1)


def _names_for_hosts(names: list[str]) -> list[str]:
    """The names, but for those that a host refuses or cannot tell from another one."""
    in_lightgbm = [name.replace(" ", "_") for name in names]
    counts, renamed = Counter(in_lightgbm), []
    for i, (name, alike) in enumerate(zip(names, in_lightgbm, strict=True)):
        if _REFUSED.search(name) or counts[alike] > 1:
            name = f"column_{i}"
            while name in counts:
                name += "_"
        renamed.append(name)
    return renamed


def _text(column: "pd.Series") -> "pd.Series":
    """Values as text, which a model file of either host can hold."""
    return column.astype(object).where(column.notna()).map(_word, na_action="ignore")


def _word(value: Any) -> str:
    """A value as text. Equal numbers of any type are the same text."""
    is_number = isinstance(value, Real | Decimal | np.bool_)
    if is_number and value % 1 == 0:
        return str(int(value))
    return str(float(value) if is_number else value)


def parts_of_dates(name: str, column: "pd.Series") -> dict[str, Any]:
    """Return month, day, weekday and hour as float64, by the names of their columns."""
    import pandas as pd

    when = pd.to_datetime(column).dt
    hour = when.hour + when.minute / 60
    parts = zip(_PARTS, (when.month, when.day, when.day_of_week, hour), strict=True)
    return {f"{name}_{part}": numbers.astype(float) for part, numbers in parts}


class Part(NamedTuple):
    """Features, labels 0 and 1, and weights or None."""

    X: Any
    y: NDArray[np.int8]
    weight: NDArray[np.float64] | None = None

    def rows(self, positions: NDArray[np.intp]) -> "Part":
        """Return the rows at these positions."""
        weight = None if self.weight is None else self.weight[positions]
        return Part(_safe_indexing(self.X, positions), self.y[positions], weight)


def part_of(X: Any, y: Any, sample_weight: Any) -> Part:
    """Features, labels and weights as they are given to ``fit``."""
    labels = np.asarray(y)
    if not np.isin(labels, (0, 1)).all():
        advice = "Use y == label for the class to find."
        reject("y", "labels 0 and 1", np.unique(labels)[:5].tolist(), advice)
    weight = row_weights(sample_weight, labels)
    return Part(as_pandas(X), labels.astype(np.int8), weight)


def as_pandas(X: Any) -> Any:
    """A table of polars or Arrow as one of pandas, and others with rows to select."""
    if isinstance(X, list | tuple):
        return np.asarray(X)
    if hasattr(X, "tocsr"):
        return X.tocsr()
    return X.to_pandas() if hasattr(X, "to_pandas") else X


def class_ratio(part: Part) -> float:
    """The weight of the negatives over the weight of the positives, both above 0."""
    weight = np.ones(len(part.y)) if part.weight is None else part.weight
    positive, negative = (float(weight[part.y == k].sum()) for k in (1, 0))
    require_two_classes(positive, negative)
    return negative / positive


def weighted(part: Part, of_positive: float) -> Part:
    """Multiply the weights of the positives."""
    if of_positive == 1:
        return part
    weight = np.where(part.y == 1, of_positive, 1.0)
    return part._replace(weight=weight if part.weight is None else weight * part.weight)


def training_sets(
    method: Method, train: Part, random_state: int
) -> list[tuple[Part, float]]:
    """The rows of each model, and the factor that they multiply the odds by.

    imbalanced-learn's BalancedBaggingClassifier gives its members no rows to stop on.
    """
    if method.bagging is None:
        return [rebalanced(method, train, random_state)]
    if method.bagging == "balanced":  # all positives, and a share of the negatives
        positive, negative = _by_class(train.y)
        shuffled = np.random.default_rng(random_state).permutation(negative)
        shares = np.array_split(shuffled, min(N_MEMBERS, len(negative)))
        members = [np.sort(np.concatenate([positive, share])) for share in shares]
    else:
        rng = np.random.RandomState(random_state)  # what resample takes
        draw = partial(resample, np.arange(len(train.y)), stratify=train.y)
        members = [draw(random_state=rng) for _ in range(N_MEMBERS)]
    ratio, parts = class_ratio(train), map(train.rows, members)
    return [(part, ratio / class_ratio(part)) for part in parts]


def rebalanced(method: Method, train: Part, random_state: int) -> tuple[Part, float]:
    """The rows to train on, and the factor that multiplies the odds of a positive.

    The same factor weighs the positives of the rows for early stopping, which then
    have the same share of positives as the rows to train on.
    """
    ratio = class_ratio(train)
    if method.resampling == "smote":
        train = _with_synthetic_positives(train, random_state)
    elif method.resampling == "undersample":
        positive, negative = _by_class(train.y)
        n_negative = min(len(positive), len(negative))
        rng = np.random.default_rng(random_state)
        drawn = rng.choice(negative, n_negative, replace=False)
        train = train.rows(np.sort(np.concatenate([positive, drawn])))
    factor = ratio / class_ratio(train)
    if method.weight:
        of_positive = method.weight * class_ratio(train) ** method.power
        return weighted(train, of_positive), factor * of_positive
    return train, factor


def _by_class(y: NDArray[np.int8]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    return np.flatnonzero(y == 1), np.flatnonzero(y == 0)


def _with_synthetic_positives(train: Part, random_state: int) -> Part:
    """As many positives as negatives; neighbours are those on standardised columns.

    Whether a value is missing is a column too. The means in place of missing values
    would otherwise mark every synthetic row.
    """
    X, y, weight = train
    advice = "Leave SMOTE out of losses."
    if weight is not None:
        reject("sample_weight", "None for SMOTE", weight, advice)
    if issparse(X):
        reject("X", "dense for SMOTE", type(X), advice)
    numbers, codes = _numbers_and_codes(X)
    fill = SimpleImputer(keep_empty_features=True, add_indicator=True)
    scale = make_pipeline(fill, StandardScaler())
    scaled = scale.fit_transform(numbers) if numbers.size else numbers
    n_numbers = scaled.shape[1]

    sampling = import_extra("imblearn.over_sampling", INSTALL_SMOTE)
    n_neighbors = min(SMOTE_NEIGHBORS, int(y.sum()) - 1)
    options = {"k_neighbors": n_neighbors, "random_state": random_state}
    if not codes.size:
        sampler = sampling.SMOTE(**options)
    elif not numbers.size:
        sampler = sampling.SMOTEN(**options)
    else:
        places = list(range(n_numbers, n_numbers + codes.shape[1]))
        sampler = sampling.SMOTENC(places, **options)

    rows, y = sampler.fit_resample(np.hstack([scaled, codes]), y)
    drawn = rows[len(scaled) :]
    synthetic = drawn[:, :n_numbers]
    if numbers.size:
        synthetic = _in_units_of(numbers, scale, synthetic)
    numbers = np.vstack([numbers, synthetic])
    codes = np.vstack([codes, drawn[:, n_numbers:]])
    return Part(_like(X, numbers, codes), y)


def _numbers_and_codes(X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The numbers of a table, and the codes of its categories, -1 for missing ones."""
    if not hasattr(X, "select_dtypes"):
        numbers = np.asarray(X, dtype=np.float64)
        return numbers, np.empty((len(numbers), 0))
    numbers = X.select_dtypes(exclude="category").to_numpy(np.float64, na_value=np.nan)
    codes = X.select_dtypes("category").apply(lambda column: column.cat.codes)
    return numbers, codes.to_numpy(np.float64)


def _in_units_of(
    numbers: NDArray[np.float64], scale: Any, scaled: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Synthetic rows on the scale of the real ones, missing values among them."""
    drawn = scale[-1].inverse_transform(scaled)
    n_columns = numbers.shape[1]
    synthetic, is_missing = drawn[:, :n_columns], drawn[:, n_columns:] > 0.5
    columns = scale[0].indicator_.features_
    synthetic[:, columns] = np.where(is_missing, np.nan, synthetic[:, columns])
    # Fractions in a column of whole numbers would mark every synthetic row as well.
    is_whole = (np.nan_to_num(numbers) % 1 == 0).all(axis=0)
    return np.asarray(np.where(is_whole, synthetic.round(), synthetic))


def _like(X: Any, numbers: NDArray[np.float64], codes: NDArray[np.float64]) -> Any:
    """Numbers and codes as a table of the kind of X."""
    if not hasattr(X, "select_dtypes"):
        return numbers
    import pandas as pd

    categories = X.select_dtypes("category").columns
    table = pd.DataFrame(numbers, columns=X.columns.drop(categories))
    for name, column in zip(categories, codes.astype(int).T, strict=True):
        table[name] = pd.Categorical.from_codes(column, dtype=X[name].dtype)
    return table[X.columns]
