"""FocalXGBClassifier."""

import json
from collections.abc import Sequence
from inspect import Parameter
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_consistent_length, check_is_fitted
from xgboost import Booster, XGBClassifier

from focalboost._host import warn_of_no_split
from focalboost._validation import reject
from focalboost.estimators._base import (
    FocalClassifierMixin,
    PosteriorMetric,
    changes,
    loss_of,
    without_own,
)
from focalboost.estimators._target import Indicators, Target, target_of
from focalboost.losses import Loss
from focalboost.objectives import FocalMetric
from focalboost.xgboost._params import booster_of, make_plan
from focalboost.xgboost._train import has_split, warn_of_fallback

__all__ = ["FocalXGBClassifier"]

_Iterations = tuple[int | np.integer[Any], int | np.integer[Any]] | None


class FocalXGBClassifier(FocalClassifierMixin, XGBClassifier):
    """XGBoost's classifier with the focal loss, for two classes or more.

    ``predict_proba`` is the class-posterior, not the focal score; ``decision_function``
    is its logit, or for more than two classes its logarithm;
    ``predict(X, output_margin=True)`` the raw prediction. The fitted booster is a plain
    XGBoost model. Labels (n, T) of 0 and 1 are T binary problems (multilabel), and
    probabilities (n, T) then. Several classes or labels need XGBoost 3.1.

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
        Weights of the classes, in evaluation sets as well; a statement about the
        population, not undone in the probabilities. "effective" is by the effective
        number of samples (1 - 0.9999**n) / (1 - 0.9999) of Cui et al. 2019.
    **kwargs
        Every parameter of ``xgboost.XGBClassifier``. ``objective`` and
        ``scale_pos_weight`` are refused. The default ``eval_metric`` is the relative
        focal loss; callables get (labels, posterior).

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
    >>> from focalboost import FocalXGBClassifier
    >>> X, y = make_classification(weights=[0.95], random_state=0)
    >>> model = FocalXGBClassifier(focal_gamma=1, n_estimators=20).fit(X, y)
    >>> model.predict_proba(X).shape
    (100, 2)
    """

    def __init__(
        self,
        *,
        focal_gamma: Any = 2.0,
        focal_alpha: Any = None,
        focal_max_learning_rate: float | None = None,
        class_weight: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.focal_gamma = focal_gamma
        self.focal_alpha = focal_alpha
        self.focal_max_learning_rate = focal_max_learning_rate
        self.class_weight = class_weight

    def get_xgb_params(self) -> dict[str, Any]:
        """Return the parameters of the booster."""
        return without_own(super().get_xgb_params())

    @property
    def classes_(self) -> NDArray[Any]:
        """The labels in order; of two, the second is the positive class."""
        check_is_fitted(self, "_classes")
        classes: NDArray[Any] = self._classes
        return classes

    def fit(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any = None,
        base_margin: Any = None,
        eval_set: Sequence[tuple[Any, Any]] | None = None,
        verbose: bool | int | None = True,
        xgb_model: Any = None,
        sample_weight_eval_set: Sequence[Any] | None = None,
        base_margin_eval_set: Sequence[Any] | None = None,
        feature_weights: Any = None,
    ) -> Self:
        """Fit the model; arguments as in ``XGBClassifier.fit``."""
        check_consistent_length(X, y)
        target = target_of(y, self.class_weight)
        loss = loss_of(self.focal_gamma, self.focal_alpha, target.classes)
        if xgb_model is not None:
            xgb_model = booster_of(xgb_model)
        weight = target.weigh(target.encoded, sample_weight)
        params = self._host_params(loss, (target.encoded, weight), xgb_model)
        model = XGBClassifier(**params)
        before = dict(model.__dict__)
        pairs, weights = _evaluation(target, eval_set, sample_weight_eval_set)
        model.fit(
            X,
            target.encoded,
            sample_weight=weight,
            base_margin=base_margin,
            eval_set=pairs,
            verbose=verbose,
            xgb_model=xgb_model,
            sample_weight_eval_set=weights,
            base_margin_eval_set=base_margin_eval_set,
            feature_weights=feature_weights,
        )
        warn_of_fallback(self.device, model.get_booster())
        warn_of_no_split(has_split(model.get_booster()))
        self.__dict__.pop("evals_result_", None)
        self.__dict__.update(changes(before, model.__dict__))
        self.focal_loss_, self._classes = loss, target.classes
        self.get_booster().set_attr(focalboost=_provenance(loss, target))
        return self

    def load_model(self, fname: Any) -> None:
        """Load a model that was saved by an estimator of this class."""
        text = Booster(model_file=fname).attr("focalboost")
        if text is None:  # nothing has been replaced yet
            reject(
                "fname",
                "a model saved by FocalXGBClassifier",
                fname,
                "Load others with xgboost.XGBClassifier or xgboost.Booster.",
            )
        super().load_model(fname)
        known = json.loads(text)
        self._classes = np.array(known["classes"])
        self.focal_loss_ = loss_of(known["gamma"], known["alpha"], self._classes)

    def _host_params(
        self, loss: Loss, target: tuple[Any, Any], xgb_model: Any
    ) -> dict[str, Any]:
        """The parameters of the plain XGBClassifier that does the training."""
        params = without_own(self.get_params(deep=False))
        if params["objective"] == "binary:logistic":  # XGBoost's default
            params["objective"] = None
        limit = self.focal_max_learning_rate
        plan = make_plan(params, loss, target, xgb_model, max_learning_rate=limit)
        metric = plan.metric or _metrics(loss, params["eval_metric"])
        return {**plan.params, "eval_metric": metric, "objective": plan.objective}

    def predict(
        self,
        X: Any,
        *,
        output_margin: bool = False,
        validate_features: bool = True,
        base_margin: Any = None,
        iteration_range: _Iterations = None,
    ) -> Any:
        """Return the likeliest label, or with ``output_margin`` the raw prediction."""
        raw = self._raw(X, validate_features, base_margin, iteration_range)
        return raw if output_margin else self._likeliest(raw, self.classes_)

    def predict_proba(
        self,
        X: Any,
        validate_features: bool = True,
        base_margin: Any = None,
        iteration_range: _Iterations = None,
    ) -> NDArray[np.float64]:
        """Return the class-posterior in the order of classes_, (n_samples, K).

        For labels (n, T) it is the probability of 1 for each, (n_samples, T).
        """
        return self._posterior(
            self._raw(X, validate_features, base_margin, iteration_range)
        )

    def decision_function(
        self,
        X: Any,
        validate_features: bool = True,
        base_margin: Any = None,
        iteration_range: _Iterations = None,
    ) -> NDArray[np.float64]:
        """Return the logit of the posterior, or the log posterior of each class."""
        return self._decision(
            self._raw(X, validate_features, base_margin, iteration_range)
        )

    def _raw(self, X: Any, validate: bool, base_margin: Any, iterations: Any) -> Any:
        return super().predict(
            X,
            output_margin=True,
            validate_features=validate,
            base_margin=base_margin,
            iteration_range=iterations,
        )


def _provenance(loss: Loss, target: Target | Indicators) -> str | None:
    """What predict_proba needs beside the trees, for the model's attributes.

    None for labels that JSON has no form for, such as dates: such a model can be
    pickled, and not be loaded by load_model.
    """
    classes = target.classes.tolist()
    known = {"gamma": loss.gamma, "alpha": loss.alpha, "classes": classes}
    try:
        return json.dumps(known)
    except TypeError:
        return None


def _evaluation(
    target: Target | Indicators, eval_set: Any, sample_weight: Sequence[Any] | None
) -> tuple[Any, Any]:
    """Evaluation sets with encoded labels, and their weights."""
    if eval_set is None:
        return None, sample_weight
    pairs = [(X, target.encode(y)) for X, y in eval_set]
    given = [None] * len(pairs) if sample_weight is None else sample_weight
    if len(given) != len(pairs):
        return pairs, given  # XGBoost words this error
    weights = [
        target.weigh(encoded, weight)
        for (_, encoded), weight in zip(pairs, given, strict=True)
    ]
    return pairs, weights


def _metrics(loss: Loss, eval_metric: Any) -> Any:
    """The user's metrics, callables seeing posteriors."""
    if callable(eval_metric) and not isinstance(eval_metric, FocalMetric):
        return _Metric(loss, eval_metric)
    if isinstance(eval_metric, list | tuple):
        return [_metrics(loss, metric) for metric in eval_metric]
    return eval_metric


class _Metric(PosteriorMetric):
    # XGBoost passes sample_weight by name, and only if there are weights.
    def __call__(self, y_true: Any, raw_prediction: Any, **weights: Any) -> Any:
        kinds = [parameter.kind for parameter in self.parameters.values()]
        if (
            "sample_weight" not in self.parameters
            and Parameter.VAR_KEYWORD not in kinds
        ):
            weights = {}
        return self.function(y_true, self.posterior(raw_prediction), **weights)
