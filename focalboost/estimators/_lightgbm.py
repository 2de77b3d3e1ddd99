"""FocalLGBMClassifier."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from lightgbm import LGBMClassifier, LGBMModel
from lightgbm.basic import LightGBMError
from numpy.typing import NDArray

from focalboost._host import as_list, warn_of_no_split
from focalboost.estimators._base import (
    FocalClassifierMixin,
    Target,
    changes,
    without_own,
)
from focalboost.estimators._lightgbm_evaluation import Evaluation, on_posterior
from focalboost.lightgbm._model import (
    CONSTANT_PARAMS,
    continuable,
    finalise,
    has_split,
    is_without_features,
)
from focalboost.lightgbm._params import make_plan
from focalboost.lightgbm._text import without_objective
from focalboost.losses import FocalLoss

__all__ = ["FocalLGBMClassifier"]

#: start_iteration, num_iteration and validate_features of a prediction.
_Span = tuple[int, int | None, bool]


class FocalLGBMClassifier(FocalClassifierMixin, LGBMClassifier):
    """LightGBM's classifier with the focal loss, for two classes.

    ``predict_proba`` is the class-posterior, not the focal score; ``decision_function``
    is its logit; ``predict(X, raw_score=True)`` the raw prediction. The fitted booster
    is a plain LightGBM model.

    Parameters
    ----------
    focal_gamma : float or (float, float), default=2.0
        Focusing parameter, >= 0, or a pair for the positive and the negative class.
        The positive class is the later one in the order of the labels.
    focal_alpha : float or None, default=None
        Class-balance weight in (0, 1) of the positive class; undone in the
        probabilities.
    focal_max_learning_rate : float or None, default=None
        The largest learning rate that a callback will set, in (0, 2); None for the
        parameter ``learning_rate``, or 0.3 if that is larger.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, in evaluation sets without an ``eval_class_weight`` as
        well; a statement about the population, not undone in the probabilities.
    boosting_type, num_leaves, max_depth, learning_rate, n_estimators, \
subsample_for_bin, objective, min_split_gain, min_child_weight, min_child_samples, \
subsample, subsample_freq, colsample_bytree, reg_alpha, reg_lambda, random_state, \
n_jobs, importance_type, **kwargs
        As in ``lightgbm.LGBMClassifier``. An ``objective`` other than "binary",
        ``is_unbalance``, ``scale_pos_weight`` and ``boosting_type="rf"`` are refused.

    Attributes
    ----------
    focal_loss_ : FocalLoss
        The loss of the fitted model.
    classes_ : ndarray of shape (2,)
        The labels in order; the second is the positive class.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter contradicts the focal loss or y has not two classes.

    References
    ----------
    Lin et al., *Focal Loss for Dense Object Detection*, 2017; for the probabilities
    Charoenphakdee et al., *On Focal Loss for Class-Posterior Probability Estimation*,
    2021.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import FocalLGBMClassifier
    >>> X, y = make_classification(500, weights=[0.9], random_state=0)
    >>> model = FocalLGBMClassifier(focal_gamma=1, n_estimators=20, verbosity=-1)
    >>> model = model.fit(X, y)
    >>> model.predict_proba(X).shape
    (500, 2)
    """

    # LightGBM's parameters are repeated, as in its own classes, for help() and because
    # LightGBM 4.5 finds them in the signature only.
    def __init__(
        self,
        *,
        focal_gamma: float | tuple[float, float] = 2.0,
        focal_alpha: float | None = None,
        focal_max_learning_rate: float | None = None,
        boosting_type: str = "gbdt",
        num_leaves: int = 31,
        max_depth: int = -1,
        learning_rate: float = 0.1,
        n_estimators: int = 100,
        subsample_for_bin: int = 200000,
        objective: Any = None,
        class_weight: Any = None,
        min_split_gain: float = 0.0,
        min_child_weight: float = 1e-3,
        min_child_samples: int = 20,
        subsample: float = 1.0,
        subsample_freq: int = 0,
        colsample_bytree: float = 1.0,
        reg_alpha: float = 0.0,
        reg_lambda: float = 0.0,
        random_state: Any = None,
        n_jobs: int | None = None,
        importance_type: str = "split",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            boosting_type=boosting_type,
            num_leaves=num_leaves,
            max_depth=max_depth,
            learning_rate=learning_rate,
            n_estimators=n_estimators,
            subsample_for_bin=subsample_for_bin,
            objective=objective,
            class_weight=class_weight,
            min_split_gain=min_split_gain,
            min_child_weight=min_child_weight,
            min_child_samples=min_child_samples,
            subsample=subsample,
            subsample_freq=subsample_freq,
            colsample_bytree=colsample_bytree,
            reg_alpha=reg_alpha,
            reg_lambda=reg_lambda,
            random_state=random_state,
            n_jobs=n_jobs,
            importance_type=importance_type,
            **kwargs,
        )
        self.focal_gamma = focal_gamma
        self.focal_alpha = focal_alpha
        self.focal_max_learning_rate = focal_max_learning_rate

    def _process_params(self, stage: str) -> dict[str, Any]:
        return without_own(super()._process_params(stage))

    # LGBMModel.fit has a further argument, group, that no classifier takes.
    def fit(  # type: ignore[override]
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        init_score: Any = None,
        eval_set: Any = None,
        eval_names: list[str] | None = None,
        eval_sample_weight: Any = None,
        eval_class_weight: Any = None,
        eval_init_score: Any = None,
        eval_metric: Any = None,
        feature_name: Any = "auto",
        categorical_feature: Any = "auto",
        callbacks: list[Callable[..., Any]] | None = None,
        init_model: Any = None,
        *,
        eval_X: Any = None,
        eval_y: Any = None,
    ) -> Self:
        """Fit the model; arguments as in ``LGBMClassifier.fit``.

        Without ``eval_metric`` (and ``metric``) evaluation and early stopping watch
        the relative focal loss. Callable metrics get (labels, posterior[, weight]).
        An ``init_score`` replaces the baseline, and has to be added to predictions.
        """
        loss = self._named_loss()
        target = Target(y, self.class_weight)
        weight = target.weigh(target.encoded, sample_weight)
        evaluation = Evaluation(target, eval_set, eval_X, eval_y)
        params = without_own(self.get_params(deep=False))
        limit = self.focal_max_learning_rate
        plan = make_plan(params, loss, eval_metric, max_learning_rate=limit)
        baseline = 0.0
        if init_model is not None:
            init_model = continuable(init_model)
        elif init_score is None:
            baseline = loss.baseline(target.encoded, weight)
            init_score = np.full(len(target.encoded), baseline)
            eval_init_score = evaluation.init_scores(baseline, eval_init_score)
        named = [on_posterior(loss, metric) for metric in as_list(eval_metric)]
        data = {"X": X, "y": target.encoded, "sample_weight": weight}
        model, fitted = _fitted(
            plan.params,
            data,
            init_score=init_score,
            eval_names=eval_names,
            eval_sample_weight=evaluation.weights(
                eval_sample_weight, eval_class_weight
            ),
            eval_class_weight=evaluation.class_weights(eval_class_weight),
            eval_init_score=eval_init_score,
            eval_metric=[plan.metric.for_lightgbm] if plan.metric else named,
            feature_name=feature_name,
            categorical_feature=categorical_feature,
            callbacks=callbacks,
            init_model=init_model,
            **evaluation.arguments(),
        )
        warn_of_no_split(has_split(model.booster_))
        finalise(model.booster_, baseline)
        self.__dict__.update(fitted)
        self._learned(loss, target)
        return self

    def _learned(self, loss: FocalLoss, target: Target) -> None:
        """Set what LightGBM's class would have set for these labels and 'binary'."""
        self.focal_loss_ = loss
        self._objective = "binary"
        self._le, self._classes = target.encoder, target.classes
        self._class_map = {label: code for code, label in enumerate(target.classes)}

    def predict(
        self,
        X: Any,
        raw_score: bool = False,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        pred_leaf: bool = False,
        pred_contrib: bool = False,
        validate_features: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return the likelier label, or what LightGBM returns for an option."""
        options = (raw_score, pred_leaf, pred_contrib)
        span = (start_iteration, num_iteration, validate_features)
        if any(options):
            return self._host_predict(X, options, span, kwargs)
        return self._likelier(self._raw(X, span, kwargs), self.classes_)

    def predict_proba(
        self,
        X: Any,
        raw_score: bool = False,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        pred_leaf: bool = False,
        pred_contrib: bool = False,
        validate_features: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return the class-posterior, shape (n_samples, 2), in the order of classes_.

        With an option, return what LightGBM returns for it.
        """
        options = (raw_score, pred_leaf, pred_contrib)
        span = (start_iteration, num_iteration, validate_features)
        if any(options):
            return self._host_predict(X, options, span, kwargs)
        return self._posterior(self._raw(X, span, kwargs))

    def decision_function(
        self,
        X: Any,
        *,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        validate_features: bool = False,
        **kwargs: Any,
    ) -> NDArray[np.float64]:
        """Return the logit of the posterior of the positive class."""
        span = (start_iteration, num_iteration, validate_features)
        return self._log_odds(self._raw(X, span, kwargs))

    def _raw(self, X: Any, span: _Span, kwargs: dict[str, Any]) -> Any:
        return self._host_predict(X, (True, False, False), span, kwargs)

    def _host_predict(
        self,
        X: Any,
        options: tuple[bool, bool, bool],
        span: _Span,
        kwargs: dict[str, Any],
    ) -> Any:
        raw_score, pred_leaf, pred_contrib = options
        start_iteration, num_iteration, validate_features = span
        return LGBMModel.predict(
            self,
            X,
            raw_score=raw_score,
            pred_leaf=pred_leaf,
            pred_contrib=pred_contrib,
            start_iteration=start_iteration,
            num_iteration=num_iteration,
            validate_features=validate_features,
            **kwargs,
        )


def _fitted(
    params: dict[str, Any], data: dict[str, Any], **arguments: Any
) -> tuple[LGBMClassifier, dict[str, Any]]:
    """LightGBM's own classifier, fitted, and the attributes that fitting has set.

    Where no feature can be split it is a constant, as with an objective of its own.
    """
    model = LGBMClassifier(**params)
    before = dict(model.__dict__)
    try:
        model.fit(**data, **arguments)
    except LightGBMError as error:
        if arguments["init_model"] is not None or not is_without_features(error):
            raise
        start = arguments["init_score"]
        model.set_params(**CONSTANT_PARAMS, n_estimators=1).fit(
            **data, init_score=start
        )
        text = without_objective(model.booster_.model_to_string())
        model.booster_.model_from_string(text)
    return model, changes(before, model.__dict__)
