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
    changes,
    loss_of,
    without_own,
)
from focalboost.estimators._lightgbm_evaluation import Evaluation, on_posterior
from focalboost.estimators._target import Target
from focalboost.lightgbm._model import (
    constant_params,
    continuable,
    finalise,
    has_split,
    is_without_features,
)
from focalboost.lightgbm._params import make_plan
from focalboost.lightgbm._start import Baseline, constant_scores
from focalboost.lightgbm._text import without_objective
from focalboost.losses import FocalLoss, Loss

__all__ = ["FocalLGBMClassifier"]

#: start_iteration, num_iteration and validate_features of a prediction.
_Span = tuple[int, int | None, bool]


class FocalLGBMClassifier(FocalClassifierMixin, LGBMClassifier):
    """LightGBM's classifier with the focal loss, for two classes or more.

    ``predict_proba`` is the class-posterior, not the focal score; ``decision_function``
    is its logit, or for more than two classes its logarithm;
    ``predict(X, raw_score=True)`` the raw prediction. The fitted booster is a plain
    LightGBM model. For labels (n, T) wrap it in
    ``sklearn.multioutput.MultiOutputClassifier``.

    Parameters
    ----------
    focal_gamma : float, sequence of floats or dict, default=2.0
        Focusing parameter, >= 0, or one for each class: a pair (positive, negative)
        for two classes, of which the positive one is the later in the order of the
        labels, K numbers in that order for K classes, or a dict by label.
    focal_alpha : float, sequence of floats, dict or None, default=None
        Class-balance weight in (0, 1) of the positive class; for K > 2 classes K
        positive weights, or a dict by label. Undone in the probabilities.
    focal_max_learning_rate : float or None, default=None
        The largest learning rate that a callback will set, in (0, 2); None for the
        parameter ``learning_rate``, or 0.3 if that is larger.
    class_weight : dict, "balanced", "effective" or None, default=None
        Weights of the classes, in evaluation sets without an ``eval_class_weight`` as
        well; a statement about the population, not undone in the probabilities.
        "effective" is by the effective number of samples
        (1 - 0.9999**n) / (1 - 0.9999) of Cui et al. 2019.
    boosting_type, num_leaves, max_depth, learning_rate, n_estimators, \
subsample_for_bin, objective, min_split_gain, min_child_weight, min_child_samples, \
subsample, subsample_freq, colsample_bytree, reg_alpha, reg_lambda, random_state, \
n_jobs, importance_type, **kwargs
        As in ``lightgbm.LGBMClassifier``. An ``objective`` other than LightGBM's own
        log loss, ``is_unbalance``, ``scale_pos_weight`` and ``boosting_type="rf"`` are
        refused.

    Attributes
    ----------
    focal_loss_ : FocalLoss or SoftmaxFocalLoss
        The loss of the fitted model; the softmax is for more than two classes.
    classes_ : ndarray of shape (n_classes,)
        The labels in order; of two, the second is the positive class.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter contradicts the focal loss or y has a single class.

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
        focal_gamma: Any = 2.0,
        focal_alpha: Any = None,
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
        target = Target(y, self.class_weight)
        loss = loss_of(self.focal_gamma, self.focal_alpha, target.classes)
        weight = target.weigh(target.encoded, sample_weight)
        evaluation = Evaluation(target, eval_set, eval_X, eval_y)
        params = without_own(self.get_params(deep=False))
        limit = self.focal_max_learning_rate
        plan = make_plan(params, loss, eval_metric, max_learning_rate=limit)
        baseline: Baseline = 0.0
        if init_model is not None:
            init_model = continuable(init_model, plan.params)
        elif init_score is None:
            baseline = loss.baseline(target.encoded, weight)
            init_score = constant_scores(baseline, len(target.encoded))
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

    def _learned(self, loss: Loss, target: Target) -> None:
        """Set what LightGBM's class would have set without a callable objective."""
        self.focal_loss_ = loss
        self._objective = "binary" if isinstance(loss, FocalLoss) else "multiclass"
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
        """Return the likeliest label, or what LightGBM returns for an option."""
        options = (raw_score, pred_leaf, pred_contrib)
        span = (start_iteration, num_iteration, validate_features)
        if any(options):
            return self._host_predict(X, options, span, kwargs)
        return self._likeliest(self._raw(X, span, kwargs), self.classes_)

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
        """Return the class-posterior, shape (n_samples, K), in the order of classes_.

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
        """Return the logit of the posterior, or the log posterior of each class."""
        span = (start_iteration, num_iteration, validate_features)
        return self._decision(self._raw(X, span, kwargs))

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
        model.set_params(**constant_params(params), n_estimators=1).fit(
            **data, init_score=start
        )
        text = without_objective(model.booster_.model_to_string())
        model.booster_.model_from_string(text)
    return model, changes(before, model.__dict__)
