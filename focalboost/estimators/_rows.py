"""The rows of one call: features, labels and weights as a host can read them.

scikit-learn checks arrays and sequences here. Tables of pandas, Polars, Arrow and cuDF
and arrays on a GPU go to the host as they are, which knows more of them.
"""

import operator
import re
from collections.abc import Callable
from inspect import signature
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing, check_array
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _num_samples,
    check_consistent_length,
    column_or_1d,
)

from focalboost._hosts._params import Balance, checked_balance
from focalboost._validation import (
    codes_of,
    reject,
    require_length,
    require_positive_total,
    require_weights,
    require_weights_of_hosts,
)
from focalboost.lightgbm._data_sets import columns_of, names_of

#: The column types of Polars and Arrow that LightGBM reads; others end the process.
READABLE = re.compile(r"u?int(8|16|32|64)|float(32|64)?|double|bool(ean)?", re.I)

#: The share of new information in one more row of a class, in the effective number of
#: samples: the largest with which Cui et al. experiment.
EFFECTIVE_BETA = 0.9999


def features(X: Any, estimator: Any, min_samples: int = 0, fitted: bool = True) -> Any:
    """Features in a form that the host reads correctly.

    XGBoost ignores the byte order of an array, and would read other numbers.
    """
    if _is_checked(X, estimator, min_samples, fitted):
        return X
    if type(X).__name__ == "LazyFrame":  # of Polars
        X = X.collect()
    is_column = estimator._reads_series and hasattr(X, "iloc")
    on_device = hasattr(X, "__cuda_array_interface__")
    if is_column or on_device or hasattr(X, "columns"):
        return X
    checked = check_array(
        X,
        accept_sparse=("csr", "csc"),  # others become the first
        ensure_all_finite=False,  # NaN is a missing value, inf the host's to judge
        ensure_min_samples=min_samples,
        estimator=estimator,
        input_name="X",
    )
    if fitted:
        _check_n_features(estimator, checked, reset=False)
    return checked.astype(checked.dtype.newbyteorder("="), copy=False)


def _is_checked(X: Any, estimator: Any, min_samples: int, fitted: bool) -> bool:
    """Whether the checks would return X as it is: they take as long as one row."""
    return (
        type(X) is np.ndarray
        and X.dtype in (np.float32, np.float64)  # in native byte order
        and X.ndim == 2
        and len(X) >= min_samples
        and (X.shape[1] == estimator.n_features_in_ if fitted else X.shape[1] > 0)
    )


def rows_at(X: Any, positions: NDArray[np.intp]) -> Any:
    """Some rows of an array or a table; scikit-learn 1.6 knows no Arrow tables."""
    is_arrow = type(X).__module__.startswith("pyarrow")
    return X.take(positions) if is_arrow else _safe_indexing(X, positions)


#: Returns the labels of a model to continue in place of those that y has.
LabelsOfModel = Callable[[NDArray[Any]], NDArray[Any]]


class Target:
    """Labels of two or more classes, encoded as 0 to K - 1, and the classes' weights.

    "balanced" and "effective" weights count the rows of each label: one, or ``counts``.
    """

    def __init__(
        self,
        y: Any,
        class_weight: Any,
        counts: NDArray[Any] | None,
        of_model: LabelsOfModel | None = None,
    ) -> None:
        labels = column_of(y)
        check_classification_targets(labels)
        self.classes: NDArray[Any] = np.unique(labels)
        if of_model is not None:
            self.classes = of_model(self.classes)
        if len(self.classes) < 2:
            reject(
                "y",
                "labels of two classes or more",
                self.classes.tolist(),
                "Pass rows of another class, or continue a model of two classes: one "
                "class alone does not say whether it is the positive one.",
            )
        advice = "Relabel y: the model to continue stands for these labels."
        self.encoded: NDArray[Any] = codes_of(labels, self.classes, "y", advice)
        of_classes = np.bincount(self.encoded, counts, len(self.classes))
        self.class_weight = class_weights(class_weight, self.classes, of_classes)

    def encode(self, y: Any) -> NDArray[Any]:
        """Labels of an evaluation set as 0 to K - 1; an unknown one is an error."""
        advice = "Drop these rows, or relabel them."
        return codes_of(column_of(y), self.classes, "eval_set", advice)

    def weigh(self, encoded: NDArray[Any], sample_weight: Any, own: Any = None) -> Any:
        """The sample weights times the class weights, or the set's own class weights.

        None for neither.
        """
        weights = self.class_weight if own is None else self._own(own, encoded)
        if weights is None:
            return sample_weight
        if sample_weight is None:
            return weights[encoded]
        of_rows = _flat(sample_weight)
        require_length("sample_weight", of_rows, len(encoded))
        return of_rows * weights[encoded]

    def _own(
        self, class_weight: Any, encoded: NDArray[Any]
    ) -> NDArray[np.float64] | None:
        """The class weights of an evaluation set, by the classes that it has."""
        labels = self.classes.tolist()
        counts = np.bincount(encoded, minlength=len(labels))
        if isinstance(class_weight, dict):
            unknown = sorted(class_weight.keys() - set(labels), key=str)
            if unknown:
                advice = f"Use labels of {labels}."
                reject("eval_class_weight", "by label", unknown, advice)
            of_all = dict.fromkeys(labels, 1.0) | class_weight
            return class_weights(of_all, self.classes, counts)
        there = counts > 0
        found = np.ones(len(counts))
        found[there] = class_weights(class_weight, self.classes[there], counts[there])
        return found


class Indicators(Target):
    """Labels (n, T) of T binary problems (multilabel): 1 for yes, 0 for no."""

    def __init__(self, y: Any, class_weight: Any) -> None:
        if class_weight is not None:
            reject(
                "class_weight",
                "None for labels with several columns",
                class_weight,
                "Use focal_alpha, or sample_weight with one weight for each row.",
            )
        self.classes, self.class_weight = np.array([0, 1]), None
        self.encoded = self.encode(y)

    def encode(self, y: Any) -> NDArray[Any]:
        """Labels as an array of 0 and 1."""
        if hasattr(y, "toarray"):
            y = y.toarray()
        return np.asarray(check_array(y, dtype=np.float64, input_name="y"))


def target_of(
    y: Any,
    class_weight: Any,
    counts: NDArray[Any] | None,
    of_model: LabelsOfModel | None = None,
) -> Target:
    """The labels, of several columns or of one."""
    shape = y.shape if hasattr(y, "shape") else np.asarray(y).shape
    if len(shape) == 2 and type_of_target(y) == "multilabel-indicator":
        return Indicators(y, class_weight)
    return Target(y, class_weight, counts, of_model)


def column_of(y: Any, name: str = "y") -> NDArray[Any]:
    """Labels as an array (n,), none of them missing."""
    if y is None:
        reject(
            "y",
            "labels, one for each row",
            None,
            "A classifier requires y to be passed, but the target y is None.",
        )
    if hasattr(getattr(y, "dtype", None), "na_value"):  # of pandas alone
        n_missing = int(y.isna().sum())
        if n_missing:
            advice = "Drop rows without one."
            reject(name, "labels, none missing", f"{n_missing} missing", advice)
        y = np.asarray(y)  # scikit-learn would turn whole numbers into floats
    labels = check_array(y, ensure_2d=False, dtype=None, input_name=name)
    if labels.dtype.kind == "O":
        labels = _of_one_kind(labels, name)
    if labels.ndim == 2 and labels.shape[1] > 1:
        reject(
            "y",
            "a single column of labels",
            labels.shape,
            "Wrap the estimator in sklearn.multioutput.MultiOutputClassifier.",
        )
    return np.asarray(column_or_1d(labels, warn=True))


def _of_one_kind(labels: NDArray[Any], name: str) -> NDArray[Any]:
    """Objects that can be sorted. Whole numbers among them become numbers of NumPy."""
    try:
        np.unique(labels)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in labels.flat})
        advice = f"Drop rows without one, and use {name}.astype(str)."
        reject(name, "labels of one kind, none missing", kinds, advice)
    whole = (bool, np.bool_, Integral)
    are_whole = all(isinstance(label, whole) for label in labels.flat)
    return np.array(labels.tolist()) if are_whole else labels


def class_weights(
    class_weight: Any, classes: NDArray[Any], counts: NDArray[Any]
) -> NDArray[np.float64] | None:
    """The weight of each class, by its rows of positive weight; None for none."""
    if class_weight is None:
        return None
    by_count = {"effective": effective_weights, "balanced": _balanced_weights}
    if isinstance(class_weight, str) and class_weight in by_count:
        return by_count[class_weight](counts)
    if not isinstance(class_weight, dict):
        reject(
            "class_weight",
            "a dict by label, 'balanced', 'effective' or None",
            class_weight,
            "Use class_weight={label: weight}.",
        )
    missing = [label for label in classes if label not in class_weight]
    if missing and len(missing) + len(class_weight) > len(classes):
        reject(
            "class_weight",
            f"by label, and y has the labels {classes.tolist()}",
            class_weight,
            f"Add {np.asarray(missing).tolist()}, or leave out labels that y lacks.",
        )
    weights = np.array([class_weight.get(label, 1) for label in classes], np.float64)
    if not (np.all((weights >= 0) & np.isfinite(weights)) and weights.any()):
        reject(
            "class_weight",
            "made of finite numbers >= 0, not all of them 0",
            class_weight,
            "Use 0 for a class that should not count.",
        )
    return weights


def _balanced_weights(counts: NDArray[Any]) -> NDArray[np.float64]:
    """scikit-learn's "balanced": a class without rows of positive weight gets 0."""
    return _inverse(len(counts) * counts / counts.sum())


def effective_weights(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Weights by the effective number of rows, such that the mean row weighs 1.

    n rows of a class have the effective number (1 - beta**n) / (1 - beta). Cui et al.,
    *Class-Balanced Loss Based on Effective Number of Samples*, 2019, normalise to a
    sum of K instead, which would change what the hosts' penalties mean.
    """
    weights = _inverse(-np.expm1(counts * np.log(EFFECTIVE_BETA)))
    return np.asarray(weights * (counts.sum() / (weights @ counts)))


def _inverse(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(1, shares, where=shares > 0, out=np.zeros(len(shares)))


class TrainingRows:
    """The checked training data of one fit, without the rows of weight 0.

    Hosts would count such a row in a leaf, or take the threshold of a split from it.
    """

    def __init__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        sample_weight: Any,
        of_model: LabelsOfModel | None,
    ) -> None:
        self._estimator, self._given = estimator, (X, y, sample_weight)
        least = 2 if of_model is None else 1
        self.X = features(X, estimator, min_samples=least, fitted=False)
        check_consistent_length(self.X, y)
        weight = row_weights(sample_weight, y)
        counts = None if weight is None else weight > 0
        self.target: Target = estimator._target_of(
            y, estimator.class_weight, counts, of_model
        )
        self.y = self.target.encoded
        self._counting: NDArray[np.intp] | None = None
        if weight is not None and not weight.all():
            self._counting = np.flatnonzero(weight)
            self.X = rows_at(self.X, self._counting)
            self.y, weight = self.y[self._counting], weight[self._counting]
        self.weight = self.target.weigh(self.y, weight)
        if self.weight is not None:
            require_weights_of_hosts(self.weight)

    @property
    def masses(self) -> NDArray[np.float64] | None:
        """The weight of each class; None for labels of several columns."""
        if self.y.ndim == 2:
            return None
        n_classes = len(self.target.classes)
        return np.bincount(self.y, self.weight, n_classes).astype(np.float64)

    def starts(self, name: str, scores: Any, by_class: bool = False) -> Any:
        """Raw predictions to start from, a row of them for each row that counts.

        Flat ones of several classes are in the order of the rows, or of the classes.
        """
        if scores is None or self._counting is None:
            return scores
        order: Any = "F" if by_class else "C"
        of_rows, n_rows = np.asarray(scores), len(self.target.encoded)
        if of_rows.ndim == 1 and of_rows.size % n_rows == 0:
            of_rows = of_rows.reshape(n_rows, -1, order=order)
        if of_rows.ndim != 2 or len(of_rows) != n_rows:
            rule = f"of shape ({n_rows},) or ({n_rows}, n_classes)"
            reject(name, rule, np.shape(scores), "Pass one row for each row of X.")
        return of_rows[self._counting].ravel(order)

    def evaluation(
        self, pairs: list[Any], weights: Any, of_classes: Any = None, *, by_weight: bool
    ) -> tuple[list[tuple[Any, Any]], list[Any]]:
        """Evaluation sets with encoded labels, and their weights."""
        of_classes = of_classes or [None] * len(pairs)
        found = [
            self._evaluated(X, y, weight, of_class, by_weight)
            for (X, y), weight, of_class in zip(pairs, weights, of_classes, strict=True)
        ]
        return [(X, y) for X, y, _ in found], [weight for _, _, weight in found]

    def balance(self, sets: list[tuple[Any, Any]], weights: list[Any]) -> Balance:
        """The balance to make; hosts build a last set that is the training set once."""
        asked = self._estimator.focal_balance
        balance = checked_balance(asked, "focal_balance", bool(sets))
        if balance == "validation":
            last, own = (*sets[-1], weights[-1]), (self.X, self.y, self.weight)
            return all(map(operator.is_, last, own)) or balance
        return balance

    def _evaluated(
        self, X: Any, y: Any, sample_weight: Any, class_weight: Any, by_weight: bool
    ) -> tuple[Any, Any, Any]:
        """Features, encoded labels and weights of one set.

        If the set is the training data, these are the very objects that the host
        trains on: hosts compare by identity, and that of the weights if ``by_weight``.
        """
        is_training = X is self._given[0] and y is self._given[1]
        encoded = self.target.encoded if is_training else self.target.encode(y)
        weight = self.target.weigh(encoded, sample_weight, class_weight)
        has_all = sample_weight is self._given[2] and self._counting is None
        if is_training and (has_all or not by_weight):
            return self.X, self.y, self.weight
        return features(X, self._estimator, fitted=False), encoded, weight


def for_each(name: str, given: Any, pairs: list[Any]) -> list[Any]:
    """One entry for each set, of a list that may be short or a dict by position."""
    if not isinstance(given, list | tuple | dict | None):
        rule = "a list of one entry for each evaluation set, or a dict"
        reject(name, rule, type(given).__name__, f"Use {name}=[...].")
    if not isinstance(given, dict):
        given = dict(enumerate(given or ()))
    return [given.get(i) for i in range(len(pairs))]


def one_for_each(name: str, given: Any, pairs: list[Any]) -> list[Any]:
    """One entry for each set, of a list as long, or None for none."""
    values = [None] * len(pairs) if given is None else given
    if len(values) != len(pairs):
        rule = "one entry for each evaluation set"
        reject(name, rule, len(values), "Use None for a set without.")
    return [values[i] for i in range(len(pairs))]


def pairs_of(eval_set: Any) -> list[Any]:
    """Evaluation sets as a list of pairs; a single pair may stand alone."""
    if eval_set is None:
        return []
    if isinstance(eval_set, tuple) and len(eval_set) == 2 and not _is_pair(eval_set[0]):
        eval_set = [eval_set]
    pairs = list(eval_set)
    if not all(isinstance(pair, tuple | list) and len(pair) == 2 for pair in pairs):
        reject(
            "eval_set",
            "a list of pairs of features and labels",
            [type(pair).__name__ for pair in pairs[:5]],
            "Use eval_set=[(X_valid, y_valid)].",
        )
    return pairs


def _is_pair(value: Any) -> bool:
    """Whether it is features and labels, and not the rows of a list of lists."""
    if isinstance(value, list):
        return len(value) == 2 and hasattr(value[0], "shape")
    return isinstance(value, tuple)


def pairs_given(eval_set: Any, eval_X: Any, eval_y: Any) -> list[Any]:
    """Evaluation sets for LightGBM, given in either way, as a list of pairs."""
    if eval_X is None and eval_y is None:
        return pairs_of(eval_set)
    if eval_set is not None or eval_X is None or eval_y is None:
        rule = "given together with eval_y, and without eval_set"
        advice = "Use eval_X=(X1, X2), eval_y=(y1, y2)."
        reject("eval_X", rule, type(eval_X).__name__, advice)
    kinds = [
        f"a tuple of {len(given)}" if isinstance(given, tuple) else "no tuple"
        for given in (eval_X, eval_y)
    ]
    if kinds[0] != kinds[1]:
        advice = "Use eval_X=(X1, X2), eval_y=(y1, y2)."
        reject("eval_y", f"{kinds[0]}, as eval_X is", kinds[1], advice)
    several = isinstance(eval_X, tuple)
    return list(zip(eval_X, eval_y, strict=True)) if several else [(eval_X, eval_y)]


def as_arguments(fit: Callable[..., Any], pairs: list[Any]) -> dict[str, Any]:
    """Evaluation sets as LightGBM's ``fit`` takes them."""
    if "eval_X" not in signature(fit).parameters:  # before 4.7
        return {"eval_set": pairs}
    halves = (tuple(pair[i] for pair in pairs) for i in (0, 1))
    return dict(zip(("eval_X", "eval_y"), halves, strict=True))


def row_weights(sample_weight: Any, y: Any) -> NDArray[np.float64] | None:
    """One weight for each row, not all of them 0; None for no weights."""
    if sample_weight is None:
        return None
    n_rows, weight = _num_samples(y), _flat(sample_weight)
    if weight.ndim == 0:
        weight = np.full(n_rows, weight)
    require_length("sample_weight", weight, n_rows)
    require_weights(np, weight)
    require_positive_total(float(weight.sum()))
    return weight


def _flat(sample_weight: Any) -> NDArray[np.float64]:
    """Weights (n,), which XGBoost takes as a column as well."""
    weight = np.asarray(sample_weight, dtype=np.float64)
    return weight.ravel() if weight.shape[1:] == (1,) else weight


def require_numbers(X: Any) -> None:
    """Check that LightGBM can read the columns of a table of Polars or Arrow."""
    if type(X).__module__.partition(".")[0] not in ("polars", "pyarrow"):
        return
    types = X.dtypes if hasattr(X, "dtypes") else X.schema.types
    for name, kind in zip(columns_of(X), map(str, types), strict=True):
        if not READABLE.fullmatch(kind):
            reject(
                f"column {name!r} of X",
                "of numbers or booleans",
                kind,
                "Pass X.to_pandas(): LightGBM reads pandas' categories, and text after "
                "astype('category').",
            )


def require_fitted_names(X: Any, estimator: Any) -> None:
    """Check that a table has the columns of the training, in their order.

    LightGBM writes spaces as underscores, and numbers columns without names. It may
    read the first name without a sign of equality that it begins with.
    """
    names = names_of(X)
    known = getattr(estimator, "feature_names_in_", None)
    if names is None or known is None:
        return
    known = np.asarray(known).tolist()
    read = [names[0].lstrip("="), *names[1:]]
    if known not in (names, read, [f"Column_{i}" for i in range(len(known))]):
        _check_feature_names(estimator, X, reset=False)  # scikit-learn's words


def require_names_of_training(X: Any, training_X: Any) -> None:
    """Check that an evaluation set has the columns of the training set."""
    names, known = names_of(X), names_of(training_X)
    if names is not None and known is not None and names != known:
        reject(
            "eval_set",
            f"of the columns {known}, as X is",
            names,
            "Pass X_valid[list(X.columns)].",
        )
