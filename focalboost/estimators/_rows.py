"""The rows of one call: features and weights as a host can read them.

scikit-learn checks arrays and sequences here. Tables of pandas, Polars, Arrow and cuDF
and arrays on a GPU go to the host as they are, which knows more of them.
"""

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import _safe_indexing, check_array
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    _num_samples,
    check_consistent_length,
)

from focalboost._validation import (
    reject,
    require_length,
    require_positive_total,
    require_weights,
    require_weights_of_hosts,
)
from focalboost.estimators._target import Indicators, Target

#: The column types of Polars and Arrow that LightGBM reads; others end the process.
READABLE = {
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float", "double", "float32", "float64", "bool", "boolean"),
}


def features(X: Any, estimator: Any, min_samples: int = 0, fitted: bool = True) -> Any:
    """Features in a form that the host reads correctly.

    XGBoost ignores the byte order of an array, and would read other numbers.
    """
    if _is_checked(X, estimator, min_samples, fitted):
        return X
    if type(X).__name__ == "LazyFrame":  # of Polars
        X = X.collect()
    if not (issparse(X) or _is_array_like(X)) or estimator._reads(X):
        estimator._require_table(X, fitted)
        return X
    checked = check_array(
        X,
        accept_sparse=True,
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


def _is_array_like(X: Any) -> bool:
    """Whether NumPy can read it, and it is no table."""
    if isinstance(X, list | tuple):
        return True
    on_device = hasattr(X, "__cuda_array_interface__")
    return hasattr(X, "__array__") and not hasattr(X, "columns") and not on_device


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
        target_of: Callable[..., Target | Indicators],
    ) -> None:
        self._given = (estimator, X, y, sample_weight)
        self.X = features(X, estimator, min_samples=2, fitted=False)
        check_consistent_length(self.X, y)
        weight = _row_weights(sample_weight, y)
        self.target = target_of(y, estimator.class_weight, weight)
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
        if isinstance(self.target, Indicators):
            return None
        n_classes = len(self.target.classes)
        codes = self.y.astype(np.intp)
        return np.bincount(codes, self.weight, n_classes).astype(np.float64)

    def starts(self, scores: Any, by_class: bool = False) -> Any:
        """Raw predictions to start from, one for each row, or for each of its classes.

        A flat array of several classes is ordered by class if ``by_class``, and by
        row otherwise.
        """
        if scores is None or self._counting is None:
            return scores
        values, n_rows = np.asarray(scores), len(self.target.encoded)
        if values.ndim > 1 or values.size <= n_rows:
            return values[self._counting]
        if by_class:
            return values.reshape(-1, n_rows)[:, self._counting].ravel()
        return values.reshape(n_rows, -1)[self._counting]

    def evaluated(self, X: Any, y: Any, with_weights: bool) -> tuple[Any, Any]:
        """Features and encoded labels of an evaluation set.

        If the set is the training data, these are the very objects that the host
        trains on: hosts compare by identity. They are not if rows were left out and the
        host takes weights for the set, because these weights are for all rows.
        """
        estimator, training_X, training_y, _ = self._given
        fits = self._counting is None or not with_weights
        if fits and X is training_X and y is training_y:
            return self.X, self.y
        return features(X, estimator, fitted=False), self.target.encode(y)

    def weigh(self, encoded: NDArray[Any], sample_weight: Any) -> Any:
        """Weights of an evaluation set times the class weights; None for neither."""
        if encoded is self.y and sample_weight is self._given[-1]:
            return self.weight
        if encoded is self.y and sample_weight is not None:
            sample_weight = self._counted(sample_weight)
        return self.target.weigh(encoded, sample_weight)

    def _counted(self, sample_weight: Any) -> Any:
        """Weights of all rows that were given, without those that do not count."""
        require_length("sample_weight", sample_weight, len(self.target.encoded))
        if self._counting is None:
            return sample_weight
        return np.asarray(sample_weight)[self._counting]


def rows_at(X: Any, positions: NDArray[np.intp]) -> Any:
    """Some rows of an array or a table; scikit-learn 1.6 knows no Arrow tables."""
    is_arrow = type(X).__module__.startswith("pyarrow")
    return X.take(positions) if is_arrow else _safe_indexing(X, positions)


def _row_weights(sample_weight: Any, y: Any) -> NDArray[np.float64] | None:
    """One weight for each row, not all of them 0; None for no weights."""
    if sample_weight is None:
        return None
    n_rows = _num_samples(y)
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_rows, sample_weight)
    weight = np.asarray(
        check_array(
            sample_weight,
            dtype=np.float64,
            ensure_2d=False,
            ensure_all_finite=False,
            input_name="sample_weight",
        )
    )
    require_length("sample_weight", weight, n_rows)
    require_weights(np, weight)
    require_positive_total(float(weight.sum()))
    return weight


def require_numbers(X: Any) -> None:
    """Check that LightGBM can read the columns of a table of Polars or Arrow."""
    if type(X).__module__.partition(".")[0] not in ("polars", "pyarrow"):
        return
    types = X.dtypes if hasattr(X, "dtypes") else X.schema.types
    for name, kind in zip(_columns(X), map(str, types), strict=True):
        if kind.lower() not in READABLE:
            reject(
                f"column {name!r} of X",
                "of numbers or booleans",
                kind,
                "Pass X.to_pandas(): LightGBM reads pandas' categories, and text after "
                "astype('category').",
            )


def require_fitted_names(X: Any, estimator: Any) -> None:
    """Check that a table has the columns of the training, in their order.

    LightGBM writes spaces as underscores, and numbers columns without names.
    """
    names = _names(X)
    known = getattr(estimator, "feature_names_in_", None)
    if names is None or known is None:
        return
    known = np.asarray(known).tolist()
    if known not in (names, [f"Column_{i}" for i in range(len(known))]):
        _check_feature_names(estimator, X, reset=False)  # scikit-learn's words


def require_names_of_training(X: Any, training_X: Any) -> None:
    """Check that an evaluation set has the columns of the training set."""
    names, known = _names(X), _names(training_X)
    if names is not None and known is not None and names != known:
        reject(
            "eval_set",
            f"of the columns {known}, as X is",
            names,
            "Pass X_valid[list(X.columns)].",
        )


def _names(X: Any) -> list[str] | None:
    """The names of the columns as LightGBM writes them; None if they are no text."""
    names = _columns(X)
    if not names or not all(isinstance(name, str) for name in names):
        return None
    return [name.replace(" ", "_") for name in names]


def _columns(X: Any) -> list[Any]:
    """The names of the columns, whatever they are."""
    names = getattr(X, "column_names", getattr(X, "columns", ()))  # Arrow's first
    return names.tolist() if hasattr(names, "tolist") else list(names)
