"""What both estimators share: the loss of their parameters, and probabilities."""

from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils.validation import check_is_fitted

from focalboost._provenance import Provenance, note_of, read_note
from focalboost._validation import (
    class_alphas,
    class_balance,
    class_gammas,
    focusing_parameter,
    reject,
)
from focalboost.estimators._order import alpha_of_two, warn_of_common_positives
from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss

__all__ = [
    "FocalClassifierMixin",
    "PosteriorMetric",
    "learned_by",
    "loss_of",
    "refuse_other_labels",
    "require_rounds",
    "without_own",
]

#: The parameters that the estimators add. LightGBM knows class_weight as well, but the
#: weights are multiplied here, for both hosts alike.
OWN_PARAMS = ("focal_gamma", "focal_alpha", "focal_max_learning_rate", "class_weight")


def loss_of(
    gamma: Any, alpha: Any, classes: NDArray[Any], masses: NDArray[Any] | None
) -> Loss:
    """The loss that the parameters name for these classes.

    The masses are the weights of the classes; None where their order has a meaning.
    """
    given = {"focal_gamma": gamma, "focal_alpha": alpha}
    if isinstance(gamma, Mapping):
        gamma = _by_class("focal_gamma", gamma, classes)
        if len(classes) == 2:
            gamma = gamma[::-1]  # (positive, negative)
    if isinstance(alpha, Mapping):
        alpha = _by_class("focal_alpha", alpha, classes)
        if len(classes) == 2:
            alpha = alpha_of_two(alpha)
    if len(classes) == 2:
        gamma = focusing_parameter(gamma, "focal_gamma")
        loss = FocalLoss(gamma, class_balance(alpha, "focal_alpha"))
        if masses is not None:
            warn_of_common_positives(loss, given, classes, masses)
        return loss
    gamma = class_gammas(gamma, len(classes), "focal_gamma")
    alpha = class_alphas(alpha, len(classes), "focal_alpha")
    return SoftmaxFocalLoss(len(classes), gamma, alpha)


def _by_class(
    name: str, values: Mapping[Any, float], classes: NDArray[Any]
) -> list[float]:
    """The values in the order of the classes; other labels may have one as well."""
    labels = classes.tolist()
    missing = [label for label in labels if label not in values]
    if missing:
        reject(
            name,
            f"a value for each of the labels {labels}",
            values,
            f"Add {missing}, or use one number for all.",
        )
    return [values[label] for label in labels]


class FocalClassifierMixin:
    """Parameters, fitted loss and probabilities of a focal classifier."""

    focal_gamma: Any
    focal_alpha: Any
    focal_max_learning_rate: float | None
    class_weight: Any
    focal_loss_: Loss
    _classes: NDArray[Any] | None

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels in order; of two, the second is the positive class."""
        check_is_fitted(self)
        return np.asarray(self._classes)

    def _require_table(self, X: Any, fitted: bool) -> None:
        """Reject a table that the host would misread."""

    def _require_labels_with_a_form(self) -> None:
        """Reject labels that a model's own file cannot hold."""
        note = note_of(Provenance(self.focal_loss_, self.classes_))
        if read_note(note, "model").classes is None:
            reject(
                "y",
                "labels that are numbers, text, booleans or dates, to be saved",
                self.classes_.tolist(),
                "Relabel y before fit, or keep the model with pickle.",
            )

    def _decision(self, raw_prediction: Any) -> NDArray[np.float64]:
        """The logit of the posterior, or the log posteriors of several classes."""
        raw = np.asarray(raw_prediction, dtype=np.float64)
        if isinstance(self.focal_loss_, SoftmaxFocalLoss):
            return np.asarray(self.focal_loss_.log_posterior(raw))
        return np.asarray(self.focal_loss_.posterior_log_odds(raw))

    def _posterior(self, raw_prediction: Any) -> NDArray[np.float64]:
        """The posterior of each class, or label, with its full relative accuracy."""
        if isinstance(self.focal_loss_, SoftmaxFocalLoss):
            raw = np.asarray(raw_prediction, dtype=np.float64)
            return np.asarray(self.focal_loss_.posterior(raw))
        log_odds = self._decision(raw_prediction)
        if log_odds.ndim == 2:
            return np.asarray(expit(log_odds))
        return np.column_stack([expit(-log_odds), expit(log_odds)])

    def _likeliest(self, raw_prediction: Any, classes: NDArray[Any]) -> NDArray[Any]:
        """The label of the class with the largest posterior."""
        decision = self._decision(raw_prediction)
        if isinstance(self.focal_loss_, SoftmaxFocalLoss):
            likeliest = np.argmax(decision, axis=1)
        else:
            likeliest = (decision > 0).astype(np.intp)
        return np.asarray(classes[likeliest])


class PosteriorMetric:
    """A user's metric of (labels, probabilities, ...), called by a host.

    With a callable objective the hosts give metrics raw predictions.
    """

    def __init__(self, loss: Loss, function: Callable[..., Any]) -> None:
        self.loss = loss
        self.function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The parameters of the user's function."""
        return signature(self.function).parameters

    def posterior(self, raw_prediction: Any) -> Any:
        """The probabilities: of the positive class, or of every class; float64."""
        return self.loss.posterior(np.asarray(raw_prediction, dtype=np.float64))


def refuse_other_labels(
    found: Provenance | None, classes: NDArray[Any], name: str
) -> None:
    """Reject a model to continue that was trained on other labels, if it is known."""
    if found is None or found.classes is None:
        return
    if not np.array_equal(found.classes, classes):
        reject(
            name,
            f"a model of the labels {classes.tolist()}, as y is",
            found.classes.tolist(),
            "Its trees would stand for other classes: relabel y.",
        )


def require_rounds(n_estimators: Any) -> None:
    """Reject a number of rounds that is not a whole number, or that trains nothing."""
    if not isinstance(n_estimators, Integral) or n_estimators < 1:
        reject(
            "n_estimators",
            "a whole number >= 1",
            n_estimators,
            "A model without rounds is a constant: use sklearn.dummy.DummyClassifier.",
        )


def without_own(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters that are the host's alone."""
    return {name: params[name] for name in params if name not in OWN_PARAMS}


def learned_by(model: Any, *internal: str) -> dict[str, Any]:
    """What a host's fitted model knows beside its parameters, to the last attribute.

    Those that fitting has left as they were are among them: in an estimator that has
    been fitted before they take the place of what was learned then.
    """
    own = {*model.get_params(), *internal}
    return {name: value for name, value in vars(model).items() if name not in own}
