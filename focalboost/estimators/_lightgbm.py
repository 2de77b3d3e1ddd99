"""FocalLGBMClassifier."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from lightgbm import LGBMClassifier, LGBMModel
from numpy.typing import NDArray

from focalboost._host import learning_rate_bound, one_value, warn_of_no_split
from focalboost.estimators._base import (
    FocalClassifierMixin,
    Target,
    changes,
    without_own,
)
from focalboost.estimators._lightgbm_evaluation import Evaluation, on_posterior
from focalboost.lightgbm._params import (
    LEARNING_RATE,
    METRIC,
    refuse_conflicts,
    refuse_probability_metrics,
)
from focalboost.lightgbm._train import finalise, has_split
from focalboost.losses import FocalLoss
from focalboost.objectives import FocalMetric, FocalObjective

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
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, in evaluation sets without an ``eval_class_weight`` as
        well; a statement about the population, not undone in the probabilities.
    **kwargs
        Every parameter of ``lightgbm.LGBMClassifier``. ``objective``,
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
    >>> model = FocalLGBMClassifier(focal_gamma=1, n_estimators=20).fit(X, y)
    >>> model.predict_proba(X).shape
    (500, 2)
    """

    def __init__(
        self,
        *,
        focal_gamma: float | tuple[float, float] = 2.0,
        focal_alpha: float | None = None,
        class_weight: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(class_weight=class_weight, **kwargs)
        self.focal_gamma = focal_gamma
        self.focal_alpha = focal_alpha

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
        baseline = 0.0
        if init_score is None and init_model is None:
            baseline = loss.baseline(target.encoded, weight)
            init_score = np.full(len(target.encoded), baseline)
            eval_init_score = evaluation.init_scores(baseline, eval_init_score)
        model = LGBMClassifier(**self._settings(loss))
        before = dict(model.__dict__)
        model.fit(
            X,
            target.encoded,
            sample_weight=weight,
            init_score=init_score,
            eval_names=eval_names,
            eval_sample_weight=evaluation.weights(
                eval_sample_weight, eval_class_weight
            ),
            eval_class_weight=evaluation.class_weights(eval_class_weight),
            eval_init_score=eval_init_score,
            eval_metric=self._metrics(loss, eval_metric),
            feature_name=feature_name,
            categorical_feature=categorical_feature,
            callbacks=callbacks,
            init_model=init_model,
            **evaluation.arguments(),
        )
        warn_of_no_split(has_split(model.booster_))
        finalise(model.booster_, baseline)
        self.__dict__.update(changes(before, model.__dict__))
        self._learned(loss, target)
        return self

    def _settings(self, loss: FocalLoss) -> dict[str, Any]:
        """The parameters of the plain LGBMClassifier that does the training."""
        params = without_own(self.get_params(deep=False))
        refuse_conflicts(params)
        bound = learning_rate_bound(one_value(params, LEARNING_RATE), None)
        if one_value(params, METRIC) is None:
            params["metric"] = "None"
        return {**params, "objective": FocalObjective(loss, max_learning_rate=bound)}

    def _metrics(self, loss: FocalLoss, eval_metric: Any) -> list[Any]:
        """The user's metrics and, as LightGBM does, the default one."""
        given = eval_metric if isinstance(eval_metric, list) else [eval_metric]
        refuse_probability_metrics(given)
        metrics = [on_posterior(loss, metric) for metric in given if metric is not None]
        if one_value(self.get_params(deep=False), METRIC) is None:
            metrics.append(FocalMetric(loss).for_lightgbm)
        return metrics

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
