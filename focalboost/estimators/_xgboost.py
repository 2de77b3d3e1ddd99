"""FocalXGBClassifier."""

from collections.abc import Sequence
from typing import Any, Self

from xgboost import XGBClassifier

from focalboost._host import warn_of_no_split
from focalboost._provenance import Provenance, warn_of_another_loss
from focalboost._tracking import without_autologging
from focalboost.estimators._base import (
    learned_by,
    loss_of,
    refuse_other_labels,
    require_rounds,
    without_own,
)
from focalboost.estimators._rows import TrainingRows
from focalboost.estimators._target import target_of
from focalboost.estimators._xgboost_evaluation import (
    WeightedObjective,
    evaluation,
    metrics,
)
from focalboost.estimators._xgboost_fitted import FittedXGBClassifier
from focalboost.losses import Loss
from focalboost.xgboost._model import booster_of, provenance_of, set_provenance
from focalboost.xgboost._params import make_plan
from focalboost.xgboost._train import has_split, warn_of_fallback

__all__ = ["FocalXGBClassifier"]


class FocalXGBClassifier(FittedXGBClassifier):
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
        Class-balance weight in (0, 1) of the positive class, or a dict by label of two
        that sum to 1; for K > 2 classes K positive weights, or a dict by label. Undone
        in the probabilities.
    focal_max_learning_rate : float or None, default=None
        The largest learning rate that a callback will set, in (0, 2); None for the
        parameter ``learning_rate``, or 0.3 if that is larger.
    class_weight : dict, "balanced", "effective" or None, default=None
        Weights of the classes, in evaluation sets as well; a statement about the
        population, not undone in the probabilities. "effective" is by the effective
        number of samples (1 - 0.9999**n) / (1 - 0.9999) of Cui et al. 2019.
    **kwargs
        Every parameter of ``xgboost.XGBClassifier``; its ``gamma`` and ``alpha`` are
        the minimum split loss and the L1 penalty, as there. ``objective`` and
        ``scale_pos_weight`` are refused; a ``base_score`` replaces the baseline, and
        is warned of where it is a poor start. The default ``eval_metric`` is the
        relative focal loss; callables get (labels, posterior), and XGBoost minimises
        them. Its own name of the average precision is "aucpr".

    Attributes
    ----------
    focal_loss_ : FocalLoss or SoftmaxFocalLoss
        The loss of the fitted model; the softmax is for more than two classes.
    classes_ : ndarray of shape (n_classes,)
        The labels in order; of two, the second is the positive class.
    n_classes_ : int
        The number of labels; 2 for labels (n, T).
    n_features_in_ : int
        The number of features.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names.
    feature_importances_ : ndarray of shape (n_features_in_,)
        Shares of the gain of all splits, or of ``importance_type``.
    evals_result_ : dict
        Metrics by evaluation set, name and round, if there was an ``eval_set``.
    best_iteration, best_score : int, float
        The best round, counted from 0, and its metric, with early stopping.
        Predictions use the rounds up to it.
    intercept_ : ndarray of shape (1,), (n_classes,) or (T,)
        What the trees add to: the baseline as a focal score, or for more than two
        classes as raw predictions.
    coef_ : ndarray
        The coefficients of ``booster="gblinear"``.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter contradicts the focal loss or y has a single class.

    Notes
    -----
    A row of weight 0 is left out of training. A row of a whole weight up to 8 counts
    exactly as that many rows on the same bins, unless rows are sampled; the bins are
    the same with ``tree_method="exact"``, or if no feature has more than ``max_bin``
    values, and quantiles otherwise, which move with weights. Models are kept by pickle,
    joblib and skops, and by ``save_model`` and ``load_model`` in XGBoost's format;
    ``focalboost.export.to_onnx`` makes ONNX graphs of them.

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

    __module__ = "focalboost"  # what a pickle names must stay where it is

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
        rows = TrainingRows(self, X, y, sample_weight, target_of)
        classes = rows.target.classes
        loss = loss_of(self.focal_gamma, self.focal_alpha, classes, rows.masses)
        if self.n_estimators is not None:
            require_rounds(self.n_estimators)
        if xgb_model is not None:
            xgb_model = booster_of(xgb_model)
        model = XGBClassifier(**self._host_params(loss, rows, xgb_model))
        if xgb_model is not None:
            known = provenance_of(xgb_model, "xgb_model")
            refuse_other_labels(known, classes, "xgb_model")
            warn_of_another_loss(known, loss, "xgb_model")
        pairs, weights = evaluation(rows, eval_set, sample_weight_eval_set)
        with without_autologging("xgboost"):
            model.fit(
                rows.X,
                rows.y,
                sample_weight=rows.weight,
                base_margin=rows.starts(base_margin),
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
        self.__dict__.update(learned_by(model, "kwargs"))
        self.focal_loss_, self._classes = loss, classes
        set_provenance(self.get_booster(), Provenance(loss, classes))
        return self

    def _host_params(
        self, loss: Loss, rows: TrainingRows, xgb_model: Any
    ) -> dict[str, Any]:
        """The parameters of the plain XGBClassifier that does the training."""
        params = without_own(self.get_params(deep=False))
        if params["objective"] == "binary:logistic":  # XGBoost's default
            params["objective"] = None
        limit, target = self.focal_max_learning_rate, (rows.y, rows.weight)
        plan = make_plan(params, loss, target, xgb_model, max_learning_rate=limit)
        return {
            **plan.params,
            "eval_metric": plan.metric or metrics(loss, params["eval_metric"]),
            "objective": WeightedObjective(plan.objective),
        }
