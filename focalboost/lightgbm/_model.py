"""LightGBM models: which can be continued, and how they come to stand on their own."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from focalboost._host import import_host, one_value
from focalboost._provenance import Provenance, note_of, read_note
from focalboost._validation import reject
from focalboost.lightgbm._file import booster_of_file
from focalboost.lightgbm._params import MIN_CURVATURE, NUM_CLASS
from focalboost.lightgbm._start import Baseline
from focalboost.lightgbm._text import (
    finalised_text,
    is_finalised,
    note_in,
    number_of_scores,
    objective_name,
    without_objective,
)
from focalboost.losses import Loss

if TYPE_CHECKING:
    import lightgbm

__all__ = [
    "constant_model",
    "constant_params",
    "continuable",
    "finalise",
    "finalise_with_note",
    "has_split",
    "is_without_features",
    "provenance_of",
]


def finalise(
    booster: "lightgbm.Booster", baseline: Baseline = 0.0, loss: Loss | None = None
) -> "lightgbm.Booster":
    """Make a booster trained with a callable objective a model of its own.

    Adds the baseline (the constant ``init_score`` of its training, a number or one for
    each class) to the first trees and names the objective, so that ``predict`` returns
    ``expit(raw + baseline)``, or the softmax over the classes, and saved copies do so
    anywhere. The booster is changed in place and returned; one that is finalised
    already is left as it is. The loss, if given, is noted in the model, so that a
    continuation with another one is noticed.

    Raises
    ------
    ValueError
        If the booster has no tree, names another objective, is still in training, or
        has another number of classes than the baseline.
    """
    note = None if loss is None else note_of(Provenance(loss, None))
    return finalise_with_note(booster, baseline, note)


def finalise_with_note(
    booster: "lightgbm.Booster", baseline: Baseline, note: str | None
) -> "lightgbm.Booster":
    """Finalise a booster as ``finalise`` does, with a note of its provenance."""
    if getattr(booster, "train_set", None) is not None:
        reject(
            "booster",
            "one whose training has ended",
            booster,
            "Train with keep_training_booster=False, or call booster.free_dataset().",
        )
    text = booster.model_to_string(num_iteration=-1)
    if is_finalised(text):
        return booster
    scores = number_of_scores(text)
    if np.size(baseline) not in (1, scores):
        reject(
            "baseline",
            f"a number, or {scores} of them, as the model has {scores} for each row",
            baseline,
            "Pass the constant init_score of its training.",
        )
    booster.model_from_string(finalised_text(text, baseline, note))
    booster.params["objective"] = objective_name(text)  # SHAP reads it here
    return booster


def provenance_of(booster: "lightgbm.Booster", name: str) -> Provenance | None:
    """What a model says of its training, if it does; a damaged note is an error."""
    note = note_in(booster.model_to_string(num_iteration=1))
    return None if note is None else read_note(note, name)


def continuable(init_model: Any, params: Mapping[str, Any]) -> "lightgbm.Booster":
    """The model to continue, as a booster that predicts scores by itself."""
    library = import_host("lightgbm")
    if isinstance(init_model, library.LGBMModel):
        init_model = init_model.booster_
    if not isinstance(init_model, library.Booster):
        init_model = booster_of_file(init_model, "init_model")
    booster: lightgbm.Booster = init_model
    text = booster.model_to_string(num_iteration=1)
    expected, found = one_value(params, NUM_CLASS, 1), number_of_scores(text)
    if found != expected:
        reject(
            "init_model",
            f"a model with {expected} raw prediction(s) for each row",
            found,
            "Continue a model of the same classes.",
        )
    if not is_finalised(text):
        reject(
            "init_model",
            "a model that predicts probabilities",
            "a model trained with a callable objective",
            "Call focalboost.lightgbm.finalise(booster, baseline) on it first.",
        )
    return booster


def is_without_features(error: Exception, params: Mapping[str, Any]) -> bool:
    """Whether LightGBM gave up because no feature can be split.

    With an objective of its own it returns a constant model there. What it says of a
    leaf without rows is worded here: it estimates their number from the curvatures.
    """
    if "best_split_info" in str(error):
        reject(
            "min_sum_hessian_in_leaf",
            "so large that a leaf has rows",
            one_value(params, MIN_CURVATURE, 1e-3),
            "Use 1e-3 or more, and divide sample weights by their mean.",
        )
    return "num_features" in str(error)


def constant_model(
    params: Mapping[str, Any], train_set: "lightgbm.Dataset"
) -> "lightgbm.Booster":
    """A model of single leaves of value 0, as a callable objective would leave it."""
    settings = {**params, **constant_params(params)}
    booster: lightgbm.Booster = import_host("lightgbm").train(settings, train_set, 1)
    booster.model_from_string(without_objective(booster.model_to_string()))
    return booster


def constant_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """LightGBM's own objective, of which constant_model takes single leaves.

    They are 0 with an init_score, else LightGBM's own start. Nothing is evaluated, so
    nothing can be stopped early.
    """
    several = one_value(params, NUM_CLASS, 1) > 1
    objective = "multiclass" if several else "binary"
    return {"objective": objective, "early_stopping_round": 0}


def has_split(booster: "lightgbm.Booster") -> bool:
    """Whether some tree has a split."""
    return bool(booster.feature_importance("split").any())
