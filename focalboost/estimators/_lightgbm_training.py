"""The training that FocalLGBMClassifier has LightGBM's own classifier do."""

from typing import Any

from lightgbm import LGBMClassifier
from lightgbm.basic import LightGBMError

from focalboost._tracking import without_autologging
from focalboost.estimators._base import changes
from focalboost.lightgbm._model import constant_params, is_without_features
from focalboost.lightgbm._text import without_objective

__all__ = ["trained"]


def trained(
    params: dict[str, Any], data: dict[str, Any], **arguments: Any
) -> tuple[LGBMClassifier, dict[str, Any]]:
    """LightGBM's own classifier, fitted, and the attributes that fitting has set.

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
    before = dict(model.__dict__)
    with without_autologging("lightgbm"):
        model.fit(**data, **arguments)
    learned = changes(before, model.__dict__)
    del learned["_le"]  # of the codes; and pickles of it tie models to scikit-learn
    return model, learned
