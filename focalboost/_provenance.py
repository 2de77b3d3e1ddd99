"""What a saved model knows of its training: the loss, and the labels in order.

It travels in the model's own file, as JSON: in an attribute of an XGBoost model, and
among the parameters of a LightGBM model. Reading it runs no code.
"""

import json
import warnings
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import reject
from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss

__all__ = ["Provenance", "note_of", "read_note", "warn_of_another_loss"]

#: Kinds of labels that have a form in JSON: numbers, text, dates and times, objects.
_KINDS = "biufUmMO"

#: What a note raises that is no JSON, lacks a part, or has one of another kind.
_MISREAD = (ValueError, TypeError, LookupError, ArithmeticError)


class Provenance(NamedTuple):
    """What a model was trained with."""

    loss: Loss
    classes: NDArray[Any] | None  #: None where only codes were seen


def note_of(provenance: Provenance) -> str:
    """The provenance as JSON; without the labels if JSON has no form for them."""
    loss, classes = provenance
    n_classes = loss.n_classes if isinstance(loss, SoftmaxFocalLoss) else None
    known = {"gamma": loss.gamma, "alpha": loss.alpha, "n_classes": n_classes}
    try:
        return json.dumps({**known, **_labels(classes)})
    except TypeError:
        return json.dumps(known)


def _labels(classes: NDArray[Any] | None) -> dict[str, Any]:
    if classes is None or classes.dtype.kind not in _KINDS:
        return {}
    is_time = classes.dtype.kind in "mM"
    values = classes.astype(str) if is_time else classes
    return {"classes": values.tolist(), "dtype": classes.dtype.str}


def read_note(note: str, model: str) -> Provenance:
    """The provenance of a note; an edited one is an error about the named model."""
    try:
        known = json.loads(note)
        loss = _loss(known["gamma"], known["alpha"], known["n_classes"])
        classes = _classes(known)
        n_classes = loss.n_classes if isinstance(loss, SoftmaxFocalLoss) else 2
        if classes is not None and len(classes) != n_classes:
            raise ValueError(f"{len(classes)} labels")
    except (*_MISREAD, MemoryError, RecursionError) as error:
        reject(
            model,
            "a model with gamma, alpha and labels as focalboost writes them",
            note,
            f"Save it again, it has been edited or damaged ({error}).",
        )
    return Provenance(loss, classes)


def _loss(gamma: Any, alpha: Any, n_classes: Any) -> Loss:
    if n_classes is None:
        return FocalLoss(gamma, alpha)
    return SoftmaxFocalLoss(n_classes, gamma, alpha)


def _classes(known: dict[str, Any]) -> NDArray[Any] | None:
    if "classes" not in known:
        return None
    dtype = np.dtype(known["dtype"])
    classes = np.array(known["classes"], dtype=dtype)
    if dtype.kind not in _KINDS or not np.array_equal(classes, np.unique(classes)):
        raise ValueError("labels out of order")
    return classes


def warn_of_another_loss(found: Provenance | None, loss: Loss, name: str) -> None:
    """Warn where a model to continue was trained with another gamma or alpha."""
    if found is not None and found.loss != loss:
        warnings.warn(
            f"{name} was trained with {found.loss}, and is continued with {loss}. Its "
            "trees stay as they are, so the probabilities are right only once the new "
            f"rounds have made up for them; pass loss={found.loss} (to an estimator, "
            "focal_gamma and focal_alpha) to go on with the same loss.",
            UserWarning,
            stacklevel=3,
        )
