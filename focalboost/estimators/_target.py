"""The labels of one fit: their encoding for a host, and the weights of the classes."""

from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_array, column_or_1d

from focalboost._validation import codes_of, reject, require_length

#: The share of new information in one more row of a class, in the effective number of
#: samples: the largest with which Cui et al. experiment.
EFFECTIVE_BETA = 0.9999

#: Class weights that have a name.
WORDS = ("balanced", "effective")


class ModelLabels(NamedTuple):
    """The labels of a model to continue, as far as it knows them."""

    classes: NDArray[Any] | None  #: in order
    n_classes: int

    def in_place_of(self, found: NDArray[Any]) -> NDArray[Any]:
        """The model's labels where y has some of them.

        A model that knows only the number of its classes takes the labels of y, or 0,
        ..., K - 1 if y lacks some.
        """
        if self.classes is None and len(found) >= self.n_classes:
            return found
        return np.arange(self.n_classes) if self.classes is None else self.classes


class Target:
    """Labels of two or more classes, encoded as 0 to K - 1.

    All labels and weights that a host gets go through here. Training labels that are
    given again for evaluation stay one object, because hosts recognise their training
    set by it.
    """

    def __init__(
        self,
        y: Any,
        class_weight: Any,
        sample_weight: NDArray[np.float64] | None,
        of_model: ModelLabels | None = None,
    ) -> None:
        labels = _column(y)
        check_classification_targets(labels)
        self.classes: NDArray[Any] = np.unique(labels)
        if of_model is not None:
            self.classes = of_model.in_place_of(self.classes)
        if len(self.classes) < 2:
            reject(
                "y",
                "labels of two classes or more",
                self.classes.tolist(),
                "Pass rows of another class, or continue a model of two classes: one "
                "class alone does not say whether it is the positive one.",
            )
        self._source = y
        advice = "Relabel y: the model to continue stands for these labels."
        self.encoded = codes_of(labels, self.classes, "y", advice)
        counting = slice(None) if sample_weight is None else sample_weight > 0
        counts = np.bincount(self.encoded[counting], minlength=len(self.classes))
        self.class_weight = class_weights(class_weight, self.classes, counts)

    def encode(self, y: Any) -> NDArray[np.intp]:
        """Labels as 0 to K - 1; an unknown one is an error."""
        if y is self._source:
            return self.encoded
        advice = "Drop these rows, or relabel them."
        return codes_of(_column(y), self.classes, "eval_set", advice)

    def weigh(self, encoded: NDArray[Any], sample_weight: Any) -> Any:
        """The sample weights times the class weights; None for neither."""
        if self.class_weight is None:
            return sample_weight
        of_class = self.class_weight[encoded]
        if sample_weight is None:
            return of_class
        require_length("sample_weight", sample_weight, len(encoded))
        return np.asarray(sample_weight, dtype=np.float64) * of_class


def _column(y: Any) -> NDArray[Any]:
    """Labels as an array (n,), none of them missing."""
    if y is None:
        reject(
            "y",
            "labels, one for each row",
            None,
            "A classifier requires y to be passed, but the target y is None.",
        )
    labels = check_array(_of_numpy(y), ensure_2d=False, dtype=None, input_name="y")
    if labels.dtype.kind == "O":
        _require_one_kind(labels)
        if all(isinstance(label, bool | Integral | np.bool_) for label in labels.flat):
            labels = np.array(labels.tolist())
    if labels.ndim == 2 and labels.shape[1] > 1:
        reject(
            "y",
            "a single column of labels",
            labels.shape,
            "Wrap the estimator in sklearn.multioutput.MultiOutputClassifier.",
        )
    return np.asarray(column_or_1d(labels, warn=True))


def _of_numpy(y: Any) -> Any:
    """Nullable labels of pandas in NumPy's type, if none is missing.

    scikit-learn would turn whole numbers and booleans into floats.
    """
    dtype = getattr(getattr(y, "dtype", None), "numpy_dtype", None)
    if dtype is None or dtype.kind not in "biuf" or y.isna().any():
        return y
    return y.to_numpy(dtype=dtype)


def _require_one_kind(labels: NDArray[Any]) -> None:
    """Check that labels of any objects have an order."""
    try:
        np.unique(labels)
    except TypeError:
        kinds = sorted({type(label).__name__ for label in labels.ravel()})
        reject("y", "labels of one kind, none missing", kinds, "Use y.astype(str).")


class Indicators:
    """Labels (n, T) of T binary problems (multilabel): 1 for yes, 0 for no."""

    classes = np.array([0, 1])
    class_weight = None

    def __init__(self, y: Any, class_weight: Any) -> None:
        if class_weight is not None:
            reject(
                "class_weight",
                "None for labels with several columns",
                class_weight,
                "Use focal_alpha, or sample_weight with one weight for each row.",
            )
        self.encoded = self.encode(y)

    @staticmethod
    def encode(y: Any) -> NDArray[np.float64]:
        """Labels as an array of 0 and 1."""
        if hasattr(y, "toarray"):
            y = y.toarray()
        return np.asarray(check_array(y, dtype=np.float64, input_name="y"))

    @staticmethod
    def weigh(encoded: NDArray[Any], sample_weight: Any) -> Any:
        """The sample weights."""
        return sample_weight


def target_of(
    y: Any,
    class_weight: Any,
    sample_weight: NDArray[np.float64] | None = None,
    of_model: ModelLabels | None = None,
) -> Target | Indicators:
    """The labels, of several columns or of one.

    "balanced" and other weights by frequency count the rows of positive weight.
    """
    shape = y.shape if hasattr(y, "shape") else np.asarray(y).shape
    if len(shape) == 2 and type_of_target(y) == "multilabel-indicator":
        return Indicators(y, class_weight)
    return Target(y, class_weight, sample_weight, of_model)


def class_weights(
    class_weight: Any, classes: NDArray[Any], counts: NDArray[Any]
) -> NDArray[np.float64] | None:
    """The weight of each class, by its rows of positive weight; None for none."""
    if class_weight is None:
        return None
    require_class_weight(class_weight)
    by_count = {"effective": effective_weights, "balanced": _balanced_weights}
    if isinstance(class_weight, str):
        return by_count[class_weight](counts)
    given = np.asarray(
        compute_class_weight(class_weight, classes=classes, y=classes), np.float64
    )
    if not np.all((given >= 0) & np.isfinite(given)):
        reject(
            "class_weight",
            "made of finite numbers >= 0",
            class_weight,
            "Use 0 for a class that should not count.",
        )
    return given


def _balanced_weights(counts: NDArray[Any]) -> NDArray[np.float64]:
    """scikit-learn's "balanced": a class without rows of positive weight gets 0."""
    shares = len(counts) * counts / counts.sum()
    weights = np.divide(1, shares, where=counts > 0, out=np.zeros(len(counts)))
    return np.asarray(weights)


def require_class_weight(class_weight: Any) -> None:
    """Reject a class_weight that is neither a dict nor a known word nor None."""
    is_word = isinstance(class_weight, str) and class_weight in WORDS
    if not (is_word or isinstance(class_weight, dict)):
        reject(
            "class_weight",
            "a dict by label, 'balanced', 'effective' or None",
            class_weight,
            "Use class_weight={label: weight}.",
        )


def effective_weights(counts: NDArray[Any]) -> NDArray[np.float64]:
    """Weights by the effective number of rows, such that the mean row weighs 1.

    n rows of a class have the effective number (1 - beta**n) / (1 - beta). Cui et al.,
    *Class-Balanced Loss Based on Effective Number of Samples*, 2019, normalise to a
    sum of K instead, which would change what the hosts' penalties mean.
    """
    effective = -np.expm1(counts * np.log(EFFECTIVE_BETA))
    weights = np.divide(1, effective, where=counts > 0, out=np.zeros(len(counts)))
    return np.asarray(weights * (counts.sum() / (weights @ counts)))
