"""Notes in a model: its loss, its labels, and a prediction that its readers repeat.

A note travels in the model's own file, as JSON. Reading it runs no code.
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import reject, warn
from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss

#: Kinds of labels that JSON can hold: numbers, text, dates and times, objects.
_KINDS = "biufUmMO"

#: What reading a note raises if it is no JSON, lacks a part, or has a wrong type.
_MISREAD = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError)


class Provenance(NamedTuple):
    """What a model was trained with."""

    loss: Loss
    classes: NDArray[Any] | None  #: None where the labels are not known
    #: What takes balance back: XGBoost's base_score before it, LightGBM's shift.
    unbalanced: float | list[float] | None = None
    #: The shift that a continuation has taken back. Rows of one class get it again.
    earlier: float | list[float] | None = None


def note_of(provenance: Provenance) -> str:
    """The provenance as JSON; without the labels if JSON cannot hold them."""
    loss, classes, unbalanced, earlier = provenance
    known: dict[str, Any] = {
        "gamma": loss.gamma,
        "alpha": loss.alpha,
        "n_classes": loss.n_classes if isinstance(loss, SoftmaxFocalLoss) else None,
    }
    shifts = {"unbalanced": unbalanced, "earlier": earlier}
    known |= {name: value for name, value in shifts.items() if value is not None}
    if classes is None or classes.dtype.kind not in _KINDS:
        return json.dumps(known)
    kind = {"M": "U", "m": "i8"}.get(classes.dtype.kind, classes.dtype)
    labels = {"classes": classes.astype(kind).tolist(), "dtype": classes.dtype.str}
    try:
        return json.dumps({**known, **labels})
    except TypeError:
        return json.dumps(known)


def read_note(note: str, model: str) -> Provenance:
    """The provenance of a note; an edited note is an error about the named model."""
    try:
        known = json.loads(note)
        classes, n_classes = _classes(known), known["n_classes"]
        if classes is not None and len(classes) != (n_classes or 2):
            raise ValueError(f"{len(classes)} labels")
        own, is_binary = (known["gamma"], known["alpha"]), n_classes is None
        loss = FocalLoss(*own) if is_binary else SoftmaxFocalLoss(n_classes, *own)
        shifts = known.get("unbalanced"), known.get("earlier")
    except _MISREAD as error:
        reject(
            model,
            "a model with gamma, alpha and labels as focalboost writes them",
            note,
            f"The file has been edited or damaged ({error}): save the model again.",
        )
    return Provenance(loss, classes, *shifts)


def earlier_balance(found: Provenance | None) -> NDArray[np.float64]:
    """The shift that a continuation with rows of one class puts back."""
    return np.asarray((found and found.earlier) or 0.0)


def _classes(known: dict[str, Any]) -> NDArray[Any] | None:
    if "classes" not in known:
        return None
    dtype = np.dtype(known["dtype"])
    if dtype.kind not in _KINDS:
        raise ValueError(f"labels of dtype {dtype}")
    # The size of text comes from the values: that of the dtype may be gigabytes.
    classes = np.array(known["classes"], dtype="U" if dtype.kind == "U" else dtype)
    if not np.array_equal(classes, np.unique(classes)):
        raise ValueError("labels out of order")
    return classes


def warn_of_another_loss(found: Provenance | None, loss: Loss, name: str) -> None:
    """Warn if a model to continue was trained with another gamma or alpha.

    A model without a note is one of the host's own log loss, as far as is known.
    """
    if found is None and not loss.is_log_loss:
        warn(
            f"{name} does not say which loss it was trained with, and training "
            f"continues with {loss}. Trees of the host's own log loss mean other "
            "probabilities, and the ranking gets worse as well. Train a new model, or "
            "pass gamma=0 to continue with the log loss."
        )
    elif found is not None and found.loss != loss:
        warn(
            f"{name} was trained with {found.loss}, and training continues with "
            f"{loss}. Its trees stay as they are, so the probabilities are right only "
            f"after enough new rounds. Pass loss={found.loss} (to an estimator, "
            "focal_gamma and focal_alpha) to continue with the same loss."
        )


class MissingRow(NamedTuple):
    """The raw prediction of a row of missing values, and the host that computed it."""

    host: str  #: its name and version
    rounds: int  #: of the model; a host keeps the note when it cuts a model
    raw_prediction: list[float]


#: The largest difference, relative to 1 + abs(raw prediction), that two versions of a
#: host may have, in units of eps. The sum of n trees in another order differs by at
#: most n * eps * S if no partial sum exceeds S: 2**14 covers 1000 trees and S = 16. It
#: is 2e-3 in float32 and 4e-12 in float64; a base_score that is misread is off by .1
#: and more.
_ROUNDING = 2**14


def require_same_prediction(
    note: str,
    host: str,
    predict: Callable[[], MissingRow],
    dtype: type[np.floating[Any]],
    model: str,
) -> None:
    """Reject a model that predicts otherwise than in the host that wrote it."""
    written = MissingRow(*json.loads(note))
    if written.host == host:
        return
    found, tolerance = predict(), _ROUNDING * np.finfo(dtype).eps
    given, expected = np.array(found.raw_prediction), np.array(written.raw_prediction)
    is_same = np.all(abs(given - expected) <= tolerance * (1 + np.abs(expected)))
    if written.rounds == found.rounds and not is_same:
        reject(
            model,
            f"a model that this {host} reads like {written.host}, which wrote "
            f"it, with the raw prediction {written.raw_prediction} for a row of "
            "missing values",
            found.raw_prediction,
            f"Install {written.host}, or train the model again.",
        )
