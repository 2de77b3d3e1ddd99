"""What both estimators share: labels, weights, and the way back to probabilities."""

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from focalboost._validation import (
    class_balance,
    focusing_parameter,
    reject,
    require_length,
)
from focalboost.losses import FocalLoss

__all__ = [
    "FocalClassifierMixin",
    "PosteriorMetric",
    "Target",
    "changes",
    "without_own",
]

#: The parameters that the estimators add. LightGBM knows class_weight as well, but the
#: weights are multiplied here, for both hosts alike.
OWN_PARAMS = ("focal_gamma", "focal_alpha", "focal_max_learning_rate", "class_weight")


class Target:
    """The labels of one fit: their encoding as 0 and 1, and the weight of each class.

    All labels and weights that a host gets go through here. The training labels, if
    they are given again for evaluation, stay one object: the hosts recognise their
    training set by it.
    """

    def __init__(self, y: Any, class_weight: Any) -> None:
        labels = column_or_1d(y)
        check_classification_targets(labels)
        self.encoder = LabelEncoder().fit(labels)
        self.classes = self.encoder.classes_
        if len(self.classes) != 2:
            reject(
                "y",
                "labels of two classes",
                self.classes[:5].tolist(),
                "Pass rows of both classes; for more than two, wrap the estimator in "
                "sklearn.multiclass.OneVsRestClassifier.",
            )
        self._source = y
        self.encoded = self._codes(labels)
        self.class_weight = None
        if class_weight is not None:
            self.class_weight = compute_class_weight(
                class_weight, classes=self.classes, y=labels
            )

    def encode(self, y: Any) -> NDArray[np.intp]:
        """Labels as 0 and 1; an unknown one is an error."""
        if y is self._source:
            return self.encoded
        labels = column_or_1d(y)
        unknown = np.setdiff1d(labels, self.classes)
        if len(unknown) > 0:
            reject(
                "eval_set",
                f"labelled with {self.classes.tolist()}, as y is",
                unknown[:5].tolist(),
                "Drop these rows, or relabel them.",
            )
        return self._codes(labels)

    def _codes(self, labels: Any) -> NDArray[np.intp]:
        return np.asarray(self.encoder.transform(labels), dtype=np.intp)

    def weigh(self, encoded: NDArray[np.intp], sample_weight: Any) -> Any:
        """The sample weights times the class weights; None for neither."""
        if self.class_weight is None:
            return sample_weight
        of_class = self.class_weight[encoded]
        if sample_weight is None:
            return of_class
        require_length("sample_weight", sample_weight, len(encoded))
        return np.asarray(sample_weight, dtype=np.float64) * of_class


class FocalClassifierMixin:
    """Parameters, fitted loss and probabilities of a focal classifier."""

    focal_gamma: float | tuple[float, float]
    focal_alpha: float | None
    focal_max_learning_rate: float | None
    class_weight: Any
    focal_loss_: FocalLoss

    def _named_loss(self) -> FocalLoss:
        """The loss that the parameters name; fitting stores it as focal_loss_."""
        gamma = focusing_parameter(self.focal_gamma, "focal_gamma")
        return FocalLoss(gamma, class_balance(self.focal_alpha, "focal_alpha"))

    def _log_odds(self, raw_prediction: Any) -> NDArray[np.float64]:
        raw = np.asarray(raw_prediction, dtype=np.float64)
        return np.asarray(self.focal_loss_.posterior_log_odds(raw))

    def _posterior(self, raw_prediction: Any) -> NDArray[np.float64]:
        """P(y = 0 | x) and P(y = 1 | x), both with their full relative accuracy."""
        log_odds = self._log_odds(raw_prediction)
        return np.column_stack([expit(-log_odds), expit(log_odds)])

    def _likelier(self, raw_prediction: Any, classes: NDArray[Any]) -> NDArray[Any]:
        """The label of the class with the larger posterior."""
        return classes[(self._log_odds(raw_prediction) > 0).astype(np.intp)]


class PosteriorMetric:
    """A user's metric of (labels, probabilities, ...), called by a host.

    With a callable objective the hosts give metrics raw predictions.
    """

    def __init__(self, loss: FocalLoss, function: Callable[..., Any]) -> None:
        self.loss = loss
        self.function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The parameters of the user's function."""
        return signature(self.function).parameters

    def posterior(self, raw_prediction: Any) -> Any:
        """The probabilities of the positive class, float64."""
        return self.loss.posterior(np.asarray(raw_prediction, dtype=np.float64))


def without_own(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters that are the host's alone."""
    return {name: params[name] for name in params if name not in OWN_PARAMS}


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """The attributes that fitting has set."""
    return {
        name: value
        for name, value in after.items()
        if name not in before or before[name] is not value
    }
