"""The training that FocalLGBMClassifier has LightGBM's own classifier do."""

from typing import Any, NamedTuple

from lightgbm import Booster, LGBMClassifier
from lightgbm.basic import LightGBMError

from focalboost._provenance import warn_of_another_loss
from focalboost._tracking import without_autologging
from focalboost.estimators._base import learned_by, refuse_other_labels
from focalboost.estimators._lightgbm_evaluation import Evaluation
from focalboost.estimators._rows import TrainingRows
from focalboost.lightgbm._model import (
    constant_params,
    continuable,
    is_without_features,
    provenance_of,
)
from focalboost.lightgbm._start import Baseline, constant_scores
from focalboost.lightgbm._text import without_objective
from focalboost.losses import Loss

__all__ = ["Start", "started", "trained"]


class Start(NamedTuple):
    """Where a training starts from."""

    model: Any  #: a model to go on from, or None
    baseline: Baseline  #: what finalise has to add to the trees
    init_score: Any
    eval_init_score: Any


def started(
    given: Start,
    rows: TrainingRows,
    loss: Loss,
    params: dict[str, Any],
    evaluation: Evaluation,
) -> Start:
    """The start that is given, or else from the baseline."""
    if given.model is not None:
        model: Booster = continuable(given.model, params)
        known = provenance_of(model, "init_model")
        refuse_other_labels(known, rows.target.classes, "init_model")
        warn_of_another_loss(known, loss, "init_model")
        return given._replace(model=model)
    if given.init_score is not None:
        return given
    baseline = loss.baseline(rows.y, rows.weight)
    scores = evaluation.init_scores(baseline, given.eval_init_score)
    return Start(None, baseline, constant_scores(baseline, len(rows.y)), scores)


def trained(
    params: dict[str, Any], data: dict[str, Any], **arguments: Any
) -> tuple[LGBMClassifier, dict[str, Any]]:
    """LightGBM's own classifier, fitted, and what it has learned.

    Where no feature can be split it is a constant, as with an objective of its own.
    """
    try:
        return _fitted(params, data, **arguments)
    except LightGBMError as error:
        is_constant = is_without_features(error, params)
        if not is_constant or arguments["init_model"] is not None:
            raise
    constant = {**params, **constant_params(params), "n_estimators": 1}
    model, learned = _fitted(constant, data, init_score=arguments["init_score"])
    text = without_objective(model.booster_.model_to_string())
    model.booster_.model_from_string(text)
    return model, learned


def _fitted(
    params: dict[str, Any], data: dict[str, Any], **arguments: Any
) -> tuple[LGBMClassifier, dict[str, Any]]:
    model = LGBMClassifier(**params)
    with without_autologging("lightgbm"):
        model.fit(**data, **arguments)
    # _le is of the codes; and pickles of it tie models to scikit-learn.
    return model, learned_by(model, "_other_params", "_le")
