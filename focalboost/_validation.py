"""Checks of arguments, and the package's one way of an error and of a warning."""

import math
import sys
import warnings
from collections import Counter
from numbers import Integral, Real
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

#: With a larger gamma, the modulating factor of all but the hardest rows underflows.
LARGEST_GAMMA = 1000.0

#: The product of a larger margin and the smallest probability would not be 0.
LARGEST_RAW_PREDICTION = 1e30

#: Hosts hold weights in float32, and LightGBM replaces larger ones with this number.
LARGEST_WEIGHT = 1e38


def reject(name: str, rule: str, value: object, advice: str) -> NoReturn:
    """Raise the ValueError that every check of this package raises."""
    shown = repr(value)
    if len(shown) > 80:
        shown = f"{shown[:77]}..."
    raise ValueError(f"{name} must be {rule}; got {shown}. {advice}")


def warn(message: str) -> None:
    """Raise a UserWarning at the line that called the package or a host.

    Between that line and this one there may be wrappers of the hosts and others.
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_in_between(frame.f_globals):
        frame = frame.f_back
    place = frame.f_code.co_filename, frame.f_lineno, frame.f_globals.get("__name__")
    registry = frame.f_globals.setdefault("__warningregistry__", {})
    warnings.warn_explicit(message, UserWarning, *place, registry)


def _is_in_between(names: dict[str, Any]) -> bool:
    package = str(names.get("__name__")).partition(".")[0]
    return package in ("focalboost", "xgboost", "lightgbm", "contextlib")


def focusing_parameter(
    gamma: Any, name: str = "gamma", n_classes: int | None = None
) -> Any:
    """Return gamma as a float for all classes, or as a tuple of different floats.

    The tuple is a pair (positive, negative), or has one float for each of K classes.
    """
    length, several = 2, "a pair (positive, negative)"
    if n_classes is not None:
        length, several = n_classes, f"one for each of {n_classes} classes"
    values = gamma.tolist() if isinstance(gamma, np.ndarray) else gamma
    if not isinstance(values, list | tuple):
        values, length = [values], 1
    numbers = [_number(value) for value in values]
    are_gammas = all(0 <= number <= LARGEST_GAMMA for number in numbers)
    if len(numbers) != length or not are_gammas:
        rule = f"a number from 0 to {LARGEST_GAMMA:g}, or {several}"
        advice = f"Use {name}=2.0 as in the paper, or {name}=0 for the plain log loss."
        reject(name, rule, gamma, advice)
    return numbers[0] if len(set(numbers)) == 1 else tuple(numbers)


def class_balance(alpha: object, name: str = "alpha") -> float | None:
    """Return alpha as a float in (0, 1), or None."""
    if alpha is None:
        return None
    advice = (
        f"Positives weigh alpha and negatives 1 - alpha. Use {name}=None for no class "
        "balance, or sample_weight for other weights."
    )
    rule = "a number between 0 and 1, both excluded, or None"
    return _below(1, name, alpha, rule, advice)


def class_alphas(
    alpha: Any, n_classes: int, name: str = "alpha"
) -> tuple[float, ...] | None:
    """Return alpha as a tuple of positive floats, one for each class, or None."""
    if alpha is None:
        return None
    values = np.asarray(alpha).tolist() if np.ndim(alpha) == 1 else []
    numbers = [_number(value) for value in values]
    if len(numbers) != n_classes or not all(0 < n < math.inf for n in numbers):
        rule = f"None, or positive weights of {n_classes} classes"
        reject(name, rule, alpha, f"Use {name}=None for equal weights.")
    return tuple(numbers)


def learning_rate_limit(value: object, name: str = "max_learning_rate") -> float:
    """Return a learning rate as a float in (0, 2)."""
    rule = "a number between 0 and 2, both excluded"
    advice = "a rate of 0 trains nothing, and a rate of 2 or more raises the loss."
    return _below(2, name, value, rule, f"Use 0.3: {advice}")


def open_share(name: str, value: Any, advice: str) -> float:
    """Return a number between 0 and 1, both excluded, as a float."""
    return _below(1, name, value, "between 0 and 1, both excluded", advice)


def _below(limit: float, name: str, value: object, rule: str, advice: str) -> float:
    """Return a number between 0 and a limit, both excluded, as a float."""
    number = _number(value)
    if not 0 < number < limit:
        reject(name, rule, value, advice)
    return number


def whole_number(name: str, value: object, least: int, advice: str = "") -> int:
    """Return a whole number that is at least ``least`` as an int."""
    number = _number(value)
    if not isinstance(value, Integral) or not number >= least:
        near = int(number) if least <= number < math.inf else least
        rule = f"a whole number >= {least}"
        reject(name, rule, value, advice or f"Use {name}={near}.")
    return int(value)


def thread_count(n_threads: object) -> int | None:
    """Return a positive number of threads, or None."""
    if n_threads is None:
        return None
    advice = "Use n_threads=None for as many threads as OpenMP uses."
    return whole_number("n_threads", n_threads, 1, advice)


def floating_dtype(dtype: object) -> str | None:
    """Return the name of float32 or float64 in any namespace, or None."""
    if dtype is None:
        return None
    name = getattr(dtype, "__name__", str(dtype)).split(".")[-1]
    if name not in ("float32", "float64"):
        reject("dtype", "float32, float64 or None", dtype, 'Use dtype="float32".')
    return name


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Check that value is one of the allowed words."""
    if not (isinstance(value, str) and value in allowed):
        words = " or ".join(map(repr, allowed))
        reject(name, f"one of {words}", value, f"Use {name}={allowed[0]!r}.")


def numbers_of(given: Any) -> list[Any]:
    """Return one number or several as a list."""
    return [given] if isinstance(given, Real) else list(given)


def _number(value: object) -> float:
    """A real number as a float; NaN for anything else, bool included."""
    if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def binary_labels(y_true: Any) -> NDArray[np.float64]:
    """Return labels 0 and 1 as float64, (n_samples,)."""
    y = numeric_labels(y_true)
    if y.ndim != 1:
        reject("y_true", "of shape (n_samples,)", y.shape, "Pass one column.")
    require_classes(np, y, 2)
    return y


def numeric_labels(y_true: Any) -> NDArray[np.float64]:
    """Return labels as float64. Text raises: only the user knows the class to find."""
    try:
        return np.asarray(y_true, dtype=np.float64)
    except (TypeError, ValueError):
        counts = Counter(np.asarray(y_true).ravel().tolist()).most_common()
        found = [label for label, _ in counts[:5]]
        advice = f"Pass y == {counts[-1][0]!r}, if that is the class to find."
        reject("y_true", "0 and 1, or codes 0, ..., K - 1 of K classes", found, advice)


def codes_of(
    y_true: Any,
    classes: NDArray[Any],
    name: str = "y_true",
    advice: str = "Pass y as you passed it to fit.",
) -> NDArray[np.intp]:
    """Return labels as their positions in the classes that a model was trained on."""
    labels = np.asarray(y_true)
    found, inverse = np.unique(labels, return_inverse=True)
    if classes.dtype.kind in "mM":
        found = found.astype(classes.dtype)  # of the same unit
    positions = {label: code for code, label in enumerate(classes.tolist())}
    given = found.tolist()
    unknown = [label for label in given if label not in positions]
    if unknown:
        reject(name, f"made of the labels {list(positions)}", unknown[:5], advice)
    codes = np.array([positions[label] for label in given], dtype=np.intp)
    return codes[inverse].reshape(labels.shape)


def finite_scores(name: str, score: Any, n_rows: int) -> NDArray[np.float64]:
    """Return finite scores as float64, one for each row."""
    values = np.asarray(score, dtype=np.float64)
    require_shape(name, values, (n_rows,))
    advice = "Look for NaN or inf in the model's predictions."
    _require(np.isfinite(values), np, values, name, "finite", advice)
    return values


def require_length(name: str, array: Any, length: int) -> None:
    """Check that array has one dimension, with one entry for each row."""
    require_shape(name, np.asarray(array), (length,))


def require_shape(name: str, array: Any, shape: tuple[int, ...]) -> None:
    """Check that array has one entry for each row (and column)."""
    if tuple(array.shape) != shape:
        advice = f"Pass one entry of {name} for each row."
        reject(name, f"of shape {shape}", tuple(array.shape), advice)


def require_matrix(name: str, array: Any, n_classes: int) -> None:
    """Check that array has one column for each class."""
    if array.ndim != 2 or array.shape[1] != n_classes:
        advice = "Pass one row for each sample and one column for each class."
        reject(name, f"of shape (n, {n_classes})", tuple(array.shape), advice)


def require_finite(xp: Any, raw_prediction: Any) -> None:
    """Check that no raw prediction is NaN, infinite or absurdly large."""
    is_finite = xp.abs(raw_prediction) <= LARGEST_RAW_PREDICTION
    rule = "finite and within 1e30 of 0"
    advice = "Look for NaN or inf in init_score, base_margin or the model."
    _require(is_finite, xp, raw_prediction, "raw_prediction", rule, advice)


def require_labels(xp: Any, y_true: Any) -> None:
    """Check that every label lies in [0, 1]."""
    advice = (
        "Encode the labels, for instance with y_true = (y == positive_class). For K "
        "classes 0, ..., K - 1 use SoftmaxFocalLoss(K), num_class=K in the params of "
        "train, or focal_objective(n_classes=K)."
    )
    rule = "0 or 1 (or a probability in between)"
    _require((y_true >= 0) & (y_true <= 1), xp, y_true, "y_true", rule, advice)


def require_classes(xp: Any, y_true: Any, n_classes: int) -> None:
    """Check that every label is one of 0, 1, ..., n_classes - 1."""
    is_code = (y_true >= 0) & (y_true < n_classes) & (y_true == xp.floor(y_true))
    rule = f"a whole number from 0 to {n_classes - 1}"
    advice = "Encode the labels, for instance with sklearn.preprocessing.LabelEncoder."
    _require(is_code, xp, y_true, "y_true", rule, advice)


def require_weights(xp: Any, sample_weight: Any) -> None:
    """Check that every weight is finite and not negative."""
    is_weight = (sample_weight >= 0) & xp.isfinite(sample_weight)
    advice = "Use 0 for a row that does not count."
    _require(is_weight, xp, sample_weight, "sample_weight", "finite and >= 0", advice)


def require_weights_of_hosts(sample_weight: Any) -> None:
    """Check that no weight is larger than a host can hold."""
    weight = np.asarray(sample_weight, dtype=np.float64)
    rule, advice = f"at most {LARGEST_WEIGHT:g}", "Divide sample_weight by its mean."
    _require(weight <= LARGEST_WEIGHT, np, weight, "sample_weight", rule, advice)


def require_inside_unit_interval(xp: Any, posterior: Any) -> None:
    """Check that every probability lies strictly between 0 and 1."""
    is_inside = (posterior > 0) & (posterior < 1)
    rule = "between 0 and 1, both excluded"
    advice = "A probability of 0 or 1 has no finite raw prediction."
    _require(is_inside, xp, posterior, "posterior", rule, advice)


def require_scores(xp: Any, score: Any, in_rows: bool = False) -> None:
    """Check that scores lie in [0, 1], and that their rows sum to 1 if they should."""
    is_score = (score >= 0) & (score <= 1)
    advice = "Use loss.posterior(raw_prediction) for raw predictions."
    _require(is_score, xp, score, "score", "between 0 and 1", advice)
    if in_rows and not are_scores_in_rows(xp, score):
        advice = "Pass what a model's own predict returns."
        reject("score", "in rows that sum to 1", score[:3, ...], advice)


def are_scores_in_rows(xp: Any, score: Any) -> bool:
    """Whether every row sums to 1, up to the rounding of many classes in float32."""
    return bool(xp.all(xp.abs(xp.sum(score, axis=-1) - 1) < 1e-3))


def require_range(xp: Any, name: str, array: Any, dtype: str) -> None:
    """Check that no entry has overflowed its dtype."""
    rule, advice = f"within the range of {dtype}", "Divide sample_weight by its mean."
    _require(xp.isfinite(array), xp, array, name, rule, advice)


def _require(
    condition: Any, xp: Any, array: Any, name: str, rule: str, advice: str
) -> None:
    """Check a condition of every entry, and show the first entry that breaks it."""
    if not bool(xp.all(condition)):
        broken = xp.nonzero(~xp.reshape(condition, (-1,)))[0]
        entry = xp.reshape(array, (-1,))[int(broken[0])]
        reject(name, rule, float(entry), advice)


def require_positive_total(total: float) -> None:
    """Check that some row has a positive weight."""
    if not total > 0:
        rule = "above zero for at least one row"
        reject("sample_weight", rule, total, _LEAVE_OUT_WEIGHT)


def require_two_classes(positive_mass: float, negative_mass: float) -> None:
    """Check that both classes have weight."""
    if not (positive_mass > 0 and negative_mass > 0):
        found = {"weight of class 1": positive_mass, "weight of class 0": negative_mass}
        rule = "labels of two classes, both with positive weight"
        advice = "Add rows of the missing class, or correct the weights."
        reject("y_true", rule, found, advice)


def require_masses(masses: NDArray[np.float64], n_classes: int) -> None:
    """Check the weights of classes (or of classes and columns): some class has one."""
    if len(masses) != n_classes:
        advice = "Pass the result of loss.class_masses(y_true, sample_weight)."
        reject("masses", f"one for each of {n_classes} classes", masses, advice)
    if not (np.all((masses >= 0) & np.isfinite(masses)) and np.all(masses.any(axis=0))):
        rule = "labels of rows with finite weights >= 0, some of them above 0"
        found = {"weights of the classes": masses.tolist()}
        reject("y_true", rule, found, _LEAVE_OUT_WEIGHT)


_LEAVE_OUT_WEIGHT = (
    "Leave out sample_weight, or pass a positive weight for rows that count."
)
