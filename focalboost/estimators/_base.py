"""What all estimators share: the loss that their parameters name, and probabilities."""

import math
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils.validation import check_is_fitted

from focalboost._hosts._note import Provenance, note_of, read_note
from focalboost._hosts._params import Balance
from focalboost._validation import (
    class_alphas,
    class_balance,
    focusing_parameter,
    reject,
    warn,
)
from focalboost.estimators._rows import LabelsOfModel, Target
from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss

#: The parameters that the estimators add. LightGBM has class_weight as well, but here
#: the weights are multiplied for both hosts alike.
OWN_PARAMS = (
    *("focal_gamma", "focal_alpha", "focal_max_learning_rate", "focal_balance"),
    "class_weight",
)

#: Masses that class weights make equal differ in their last bits.
ROUNDING = 1e-6


def loss_of(estimator: Any, classes: NDArray[Any], masses: NDArray[Any] | None) -> Loss:
    """The loss that the parameters of an estimator name for these classes.

    Their masses are looked at for a warning; None for no warning.
    """
    gamma, alpha = estimator.focal_gamma, estimator.focal_alpha
    gammas = _by_class("focal_gamma", gamma, classes)
    alphas = _by_class("focal_alpha", alpha, classes)
    if len(classes) > 2:
        gammas = focusing_parameter(gammas, "focal_gamma", len(classes))
        alphas = class_alphas(alphas, len(classes), "focal_alpha")
        return SoftmaxFocalLoss(len(classes), gammas, alphas)
    if isinstance(gamma, Mapping):
        gammas = gammas[::-1]  # (positive, negative)
    if isinstance(alpha, Mapping):
        alphas = _alpha_of_two(alphas)
    elif np.ndim(alpha) == 1 and len(alpha) == 2:
        _refuse_pair(alpha, classes)
    loss = FocalLoss(
        focusing_parameter(gammas, "focal_gamma"), class_balance(alphas, "focal_alpha")
    )
    if masses is not None:
        given = {"focal_gamma": gamma, "focal_alpha": alpha}
        _warn_of_common_positives(loss, given, classes, masses[1] / masses.sum())
    return loss


def _by_class(name: str, values: Any, classes: NDArray[Any]) -> Any:
    """The values of a dict in the order of the classes; other values as they are."""
    if not isinstance(values, Mapping):
        return values
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


def _refuse_pair(alphas: Any, classes: NDArray[Any]) -> None:
    """Reject weights of two classes, which do not say which is which."""
    pairs = dict(zip(classes.tolist(), np.asarray(alphas).tolist(), strict=True))
    name = "focal_alpha" if math.isclose(sum(pairs.values()), 1) else "class_weight"
    rule = f"the weight of the label {classes.tolist()[1]!r}, or a dict by label"
    reject("focal_alpha", rule, alphas, f"Use {name}={pairs}.")


def _alpha_of_two(alphas: list[Any]) -> float:
    """The alpha of the positive class, given those of both classes in order."""
    shares = class_alphas(alphas, 2, "focal_alpha") or ()
    if not math.isclose(sum(shares), 1):
        advice = "Use class_weight for weights that do not."
        reject("focal_alpha", "two numbers that sum to 1", alphas, advice)
    return shares[1]


def _warn_of_common_positives(
    loss: FocalLoss, given: Mapping[str, Any], classes: NDArray[Any], share: float
) -> None:
    """Warn if parameters without labels treat positives differently, and most are."""
    pairs = {"focal_gamma": loss.gammas[::-1], "focal_alpha": loss.alphas[::-1]}
    told = {
        name: pair
        for name, pair in pairs.items()
        if pair[0] != pair[1] and not isinstance(given[name], Mapping)
    }
    if not told or not share > 0.5 + ROUNDING:
        return
    negative, positive = labels = classes.tolist()
    warn(
        f"Of the labels {negative!r} and {positive!r} the later in order is the "
        f"positive class: {positive!r}, and it has {share:.0%} of the weight. "
        f"This training uses {_typed(told, labels)}: type that if it is right, or "
        f"{_typed(told, labels[::-1])} if {negative!r} is your positive class."
    )


def _typed(pairs: dict[str, tuple[float, float]], labels: list[Any]) -> str:
    """The parameters as they can be typed."""
    one, other = labels
    return " and ".join(
        f"{name}={{{one!r}: {pair[0]:g}, {other!r}: {pair[1]:g}}}"
        for name, pair in pairs.items()
    )


class FocalClassifierMixin:
    """Parameters, fitted loss and probabilities of a focal classifier."""

    focal_balance: Balance = True  # estimators pickled by version 0.1.0 lack it
    focal_loss_: Loss
    _classes: NDArray[Any] | None

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels in order; of two, the second is the positive class."""
        check_is_fitted(self)
        return np.asarray(self._classes)

    #: Reads the labels; those of XGBoost may have several columns.
    _target_of: Callable[..., Target] = Target

    #: Whether the host reads a Series of pandas, as one feature.
    _reads_series = False

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
            return np.asarray(self.focal_loss_._log_posterior(raw))
        return np.asarray(self.focal_loss_._posterior_log_odds(raw))

    def _posterior(self, raw_prediction: Any) -> NDArray[np.float64]:
        return posterior_of_each(self.focal_loss_, raw_prediction)

    def _likeliest(self, raw_prediction: Any) -> NDArray[Any]:
        """The label of the class with the largest posterior."""
        decision = self._decision(raw_prediction)
        if isinstance(self.focal_loss_, SoftmaxFocalLoss):
            return np.asarray(self.classes_[np.argmax(decision, axis=1)])
        return np.asarray(self.classes_[(decision > 0).astype(np.intp)])


def posterior_of_each(loss: Loss, raw_prediction: Any) -> NDArray[np.float64]:
    """The posterior of each class, or label, with its full relative accuracy."""
    raw = np.asarray(raw_prediction, dtype=np.float64)
    if isinstance(loss, SoftmaxFocalLoss):
        return np.asarray(loss._posterior(raw))
    log_odds = np.asarray(loss._posterior_log_odds(raw))
    if log_odds.ndim == 2:
        return np.asarray(expit(log_odds))
    return np.asarray(expit(np.multiply.outer(log_odds, (-1.0, 1.0))))


def posterior(loss: Loss, raw_prediction: Any) -> Any:
    """The posterior of the positive class, or of every class, for a user's metric."""
    return loss._posterior(np.asarray(raw_prediction, dtype=np.float64))


def labels_of_model(
    given: Any, known: Provenance | None, n_scores: int
) -> LabelsOfModel:
    """The labels of a model to continue: of its note, or of LightGBM's classifier.

    A model that knows only the number of its classes takes the labels of y, or 0, ...,
    K - 1 if y lacks some.
    """
    noted = None if known is None else known.classes
    classes = getattr(given, "_classes", None) if noted is None else noted
    codes = np.arange(max(n_scores, 2))

    def in_place_of(found: NDArray[Any]) -> NDArray[Any]:
        if classes is None:
            return found if len(found) >= len(codes) else codes
        return np.asarray(classes)

    return in_place_of


def require_one_process(name: str, n_processes: int, instead: str) -> None:
    """Reject a training of several processes, which may have other labels."""
    if n_processes > 1:
        advice = f"Each would encode its own labels. Use {instead}."
        reject(name, "left to a single process", n_processes, advice)


def without_own(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters that are the host's alone."""
    return {name: params[name] for name in params if name not in OWN_PARAMS}


def without_spare_classes(
    params: dict[str, Any], names: tuple[str, ...], loss: Loss
) -> dict[str, Any]:
    """The parameters without a number of classes that y does not have.

    The hosts' classifiers count the labels, and ignore a larger number.
    """
    n_classes = loss.n_classes if isinstance(loss, SoftmaxFocalLoss) else np.inf
    return {
        name: value
        for name, value in params.items()
        if not (
            name in names and isinstance(value, Integral) and int(value) > n_classes
        )
    }
