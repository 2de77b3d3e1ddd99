"""XGBoost models: which are continued, and what they know of their training."""

import json
from typing import TYPE_CHECKING, Any

from focalboost._host import import_host
from focalboost._provenance import Provenance, note_of, read_note
from focalboost.xgboost._file import booster_of_file

if TYPE_CHECKING:
    import xgboost

__all__ = ["DIGEST", "booster_of", "is_linear", "provenance_of", "set_provenance"]

#: The attribute of a model that says what it was trained with.
ATTRIBUTE = "focalboost"

#: The attribute of a saved model with the digest of its file. It finds accidents, and
#: says nothing of who wrote the file.
DIGEST = "focalboost_sha256"


def set_provenance(booster: "xgboost.Booster", provenance: Provenance) -> None:
    """Note in a model what it was trained with."""
    booster.set_attr(**{ATTRIBUTE: note_of(provenance)})


def provenance_of(booster: "xgboost.Booster", name: str) -> Provenance | None:
    """What a model says of its training, if it does; a damaged note is an error."""
    note = booster.attr(ATTRIBUTE)
    return None if note is None else read_note(note, name)


def booster_of(xgb_model: Any) -> "xgboost.Booster":
    """The booster of an estimator, of a file or its bytes, or the booster itself.

    An early-stopped model ends at its best round, as if trained no further: XGBoost
    would keep the rounds after it, and later predict without those that follow. A
    linear model has no rounds to leave out, and predicts as after its last. What is
    trained from a file is not what the digest in it was taken of.
    """
    library = import_host("xgboost")
    if isinstance(xgb_model, library.XGBModel):
        xgb_model = xgb_model.get_booster()
    if not isinstance(xgb_model, library.Booster):
        xgb_model = booster_of_file(xgb_model, "xgb_model")
    booster: xgboost.Booster = xgb_model
    best, digest = booster.attr("best_iteration"), booster.attr(DIGEST)
    if best is None and digest is None:
        return booster
    if best is None or is_linear(booster):
        booster = booster.copy()
    else:
        booster = booster[: int(best) + 1]
    booster.set_attr(**dict.fromkeys(("best_iteration", "best_score", DIGEST)))
    return booster


def is_linear(booster: "xgboost.Booster") -> bool:
    """Whether a model is of ``gblinear``, without trees."""
    learner = json.loads(booster.save_config())["learner"]
    return bool(learner["gradient_booster"]["name"] == "gblinear")
