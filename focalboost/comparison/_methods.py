"""The methods of a comparison, and the rows that each of them trains on."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import _safe_indexing, resample

from focalboost._hosts._imports import import_extra
from focalboost._validation import class_balance, focusing_parameter, one_of, reject

#: Neighbours between which SMOTE draws its rows, as in the paper.
SMOTE_NEIGHBORS = 5

#: Models of a bagging method.
N_MEMBERS = 5

_INSTALL_SMOTE = "pip install imbalanced-learn"


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


class Part(NamedTuple):
    """Features, labels 0 and 1, and weights or None."""

    X: Any
    y: NDArray[np.int8]
    weight: NDArray[np.float64] | None = None

    def rows(self, positions: NDArray[np.intp]) -> "Part":
        """Return the rows at these positions."""
        weight = None if self.weight is None else self.weight[positions]
        return Part(_safe_indexing(self.X, positions), self.y[positions], weight)


def class_ratio(part: Part) -> float:
    """The weight of the negatives over the weight of the positives."""
    weight = np.ones(len(part.y)) if part.weight is None else part.weight
    return float(weight[part.y == 0].sum() / weight[part.y == 1].sum())


def weighted(part: Part, of_positive: float) -> Part:
    """Multiply the weights of the positives."""
    if of_positive == 1:
        return part
    weight = np.where(part.y == 1, of_positive, 1.0)
    return part._replace(weight=weight if part.weight is None else weight * part.weight)


def require_samplers(methods: Iterable[Method]) -> None:
    """Check that the package that resamples is installed, if a method needs it."""
    is_needed = any(method.resampling == "smote" for method in methods)
    # Not imported: a broken package is an error of the fits that use it.
    if is_needed and find_spec("imblearn") is None:
        import_extra("imblearn", f"{_INSTALL_SMOTE}, or leave SMOTE out of losses")


def rebalanced(method: Method, train: Part, random_state: int) -> tuple[Part, float]:
    """The rows to train on, and the factor that multiplies the odds of a positive.

    The same factor weighs the positives of the rows for early stopping, which then
    have the same share of positives as the rows to train on.
    """
    ratio = class_ratio(train)
    if method.resampling == "smote":
        train = _with_synthetic_positives(train, random_state)
    elif method.resampling == "undersample":
        train = _with_fewer_negatives(train, random_state)
    factor = ratio / class_ratio(train)
    if method.weight:
        of_positive = method.weight * class_ratio(train) ** method.power
        return weighted(train, of_positive), factor * of_positive
    return train, factor


def training_sets(
    method: Method, train: Part, random_state: int
) -> list[tuple[Part, float]]:
    """The rows of each model, and the factor that they multiply the odds by.

    imbalanced-learn's BalancedBaggingClassifier gives its members no rows to stop on.
    """
    if method.bagging is None:
        return [rebalanced(method, train, random_state)]
    draw = {"balanced": _shares_of_negatives, "plain": _bootstrap_samples}
    ratio = class_ratio(train)
    parts = map(train.rows, draw[method.bagging](train.y, random_state))
    return [(part, ratio / class_ratio(part)) for part in parts]


def _shares_of_negatives(
    y: NDArray[np.int8], random_state: int
) -> list[NDArray[np.intp]]:
    positive, negative = (np.flatnonzero(y == label) for label in (1, 0))
    shuffled = np.random.default_rng(random_state).permutation(negative)
    n_members = min(N_MEMBERS, len(negative))
    shares = np.array_split(shuffled, n_members)
    return [np.sort(np.concatenate([positive, share])) for share in shares]


def _bootstrap_samples(
    y: NDArray[np.int8], random_state: int
) -> list[NDArray[np.intp]]:
    rng = np.random.RandomState(random_state)  # what resample takes
    rows = np.arange(len(y))
    return [resample(rows, stratify=y, random_state=rng) for _ in range(N_MEMBERS)]


def _with_fewer_negatives(train: Part, random_state: int) -> Part:
    """As many negatives as positives, or all negatives if they are fewer."""
    positive, negative = (np.flatnonzero(train.y == label) for label in (1, 0))
    rng = np.random.default_rng(random_state)
    n_negative = min(len(positive), len(negative))
    drawn = rng.choice(negative, n_negative, replace=False)
    return train.rows(np.sort(np.concatenate([positive, drawn])))


def _with_synthetic_positives(train: Part, random_state: int) -> Part:
    """As many positives as negatives; neighbours are those on standardised columns.

    Whether a value is missing is a column too. The means in place of missing values
    would otherwise mark every synthetic row.
    """
    if train.weight is not None:
        advice = "Leave SMOTE out of losses."
        reject("sample_weight", "None for SMOTE", train.weight, advice)
    if issparse(train.X):
        reject("X", "dense for SMOTE", type(train.X), "Leave SMOTE out of losses.")
    numbers, codes = _numbers_and_codes(train.X)
    fill = SimpleImputer(keep_empty_features=True, add_indicator=True)
    scale = make_pipeline(fill, StandardScaler())
    scaled = scale.fit_transform(numbers) if numbers.size else numbers
    sampler = _sampler(scaled.shape[1], codes.shape[1], train.y, random_state)
    rows, y = sampler.fit_resample(np.hstack([scaled, codes]), train.y)
    drawn = rows[len(scaled) :]
    synthetic = drawn[:, : scaled.shape[1]]
    if numbers.size:
        synthetic = _in_units_of(numbers, scale, synthetic)
    numbers = np.vstack([numbers, synthetic])
    codes = np.vstack([codes, drawn[:, scaled.shape[1] :]])
    return Part(_like(train.X, numbers, codes), y)


def _numbers_and_codes(X: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The numbers of a table, and the codes of its categories, -1 for missing ones."""
    if not hasattr(X, "select_dtypes"):
        numbers = np.asarray(X, dtype=np.float64)
        return numbers, np.empty((len(numbers), 0))
    categories = X.select_dtypes("category")
    numbers = X.drop(columns=categories.columns)
    codes = np.empty((len(X), categories.shape[1]))
    for i, name in enumerate(categories):
        codes[:, i] = categories[name].cat.codes
    return numbers.to_numpy(dtype=np.float64, na_value=np.nan), codes


def _sampler(
    n_numbers: int, n_categories: int, y: NDArray[np.int8], random_state: int
) -> Any:
    """SMOTE, or its form for categories that follow the numbers, or stand alone."""
    sampling = import_extra("imblearn.over_sampling", _INSTALL_SMOTE)
    n_neighbors = min(SMOTE_NEIGHBORS, int(y.sum()) - 1)
    options = {"k_neighbors": n_neighbors, "random_state": random_state}
    if not n_categories:
        return sampling.SMOTE(**options)
    if not n_numbers:
        return sampling.SMOTEN(**options)
    places = list(range(n_numbers, n_numbers + n_categories))
    return sampling.SMOTENC(places, **options)


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
    pandas = import_extra("pandas", "pip install pandas")
    categories = X.select_dtypes("category").columns
    table = pandas.DataFrame(numbers, columns=X.columns.drop(categories))
    for name, column in zip(categories, codes.astype(int).T, strict=True):
        table[name] = pandas.Categorical.from_codes(column, dtype=X[name].dtype)
    return table[X.columns]
