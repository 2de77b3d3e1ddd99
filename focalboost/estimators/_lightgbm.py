"""FocalLGBMClassifier."""

from collections.abc import Callable
from typing import Any, Self

from focalboost._host import as_list, warn_of_no_split
from focalboost._provenance import Provenance, note_of
from focalboost.estimators._base import loss_of, require_rounds, without_own
from focalboost.estimators._lightgbm_evaluation import Evaluation, on_posterior
from focalboost.estimators._lightgbm_fitted import FittedLGBMClassifier
from focalboost.estimators._lightgbm_training import Start, started, trained
from focalboost.estimators._rows import TrainingRows
from focalboost.estimators._target import Target
from focalboost.lightgbm._model import finalise_with_note, has_split
from focalboost.lightgbm._params import make_plan

__all__ = ["FocalLGBMClassifier"]


class FocalLGBMClassifier(FittedLGBMClassifier):
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
        Class-balance weight in (0, 1) of the positive class, or a dict by label of two
        that sum to 1; for K > 2 classes K positive weights, or a dict by label. Undone
        in the probabilities.
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
        log loss, ``is_unbalance``, ``scale_pos_weight``, ``boosting_type="rf"``, and
        ``gamma`` and ``alpha`` are refused.

    Attributes
    ----------
    focal_loss_ : FocalLoss or SoftmaxFocalLoss
        The loss of the fitted model; the softmax is for more than two classes.
    classes_ : ndarray of shape (n_classes,)
        The labels in order; of two, the second is the positive class.
    n_classes_ : int
        The number of labels.
    n_features_, n_features_in_ : int
        The number of features.
    feature_name_ : list of str
        Their names, those that LightGBM makes up included.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, if X had names; before LightGBM 4.7 the same as feature_name_.
    feature_importances_ : ndarray of shape (n_features_in_,)
        The number of splits, or what ``importance_type`` says.
    booster_ : lightgbm.Booster
        A plain LightGBM model with the baseline in its first trees, whose ``predict``
        gives focal scores.
    objective_ : str
        LightGBM's name of the link, "binary" or "multiclass".
    n_estimators_, n_iter_ : int
        The number of rounds that were trained.
    evals_result_ : dict
        Metrics by evaluation set, name and round.
    best_iteration_, best_score_ : int, dict
        The best round, counted from 1, and its metrics, with early stopping.
        Predictions use the rounds up to it.
    fitted_ : bool
        True.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter contradicts the focal loss or y has a single class.

    Notes
    -----
    A row of weight 0 is left out of training; other weights do not change what
    LightGBM counts, as for ``min_child_samples``. Models are kept by pickle, joblib
    and skops, and by ``save_model`` and ``load_model`` in LightGBM's format;
    ``focalboost.export.to_onnx`` makes ONNX graphs of them.

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

    __module__ = "focalboost"  # what a pickle names must stay where it is

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
        the relative focal loss. Callable metrics get (labels, posterior[, weight])
        and return (name, value, is_higher_better); LightGBM's own name of the average
        precision is "average_precision".
        An ``init_score`` replaces the baseline, and has to be added to predictions.
        """
        rows = TrainingRows(self, X, y, sample_weight, Target)
        classes = rows.target.classes
        loss = loss_of(self.focal_gamma, self.focal_alpha, classes, rows.masses)
        require_rounds(self.n_estimators)
        evaluation = Evaluation(rows, eval_set, eval_X, eval_y)
        params = without_own(self.get_params(deep=False))
        limit = self.focal_max_learning_rate
        plan = make_plan(params, loss, eval_metric, max_learning_rate=limit)
        init_score = rows.starts(init_score, by_class=True)
        given = Start(init_model, 0.0, init_score, eval_init_score)
        start = started(given, rows, loss, plan.params, evaluation)
        named = [on_posterior(loss, metric) for metric in as_list(eval_metric)]
        model, learned = trained(
            plan.params,
            {"X": rows.X, "y": rows.y, "sample_weight": rows.weight},
            init_score=start.init_score,
            eval_names=eval_names,
            eval_sample_weight=evaluation.weights(
                eval_sample_weight, eval_class_weight
            ),
            eval_class_weight=evaluation.class_weights(eval_class_weight),
            eval_init_score=start.eval_init_score,
            eval_metric=[plan.metric.for_lightgbm] if plan.metric else named,
            feature_name=feature_name,
            categorical_feature=categorical_feature,
            callbacks=callbacks,
            init_model=start.model,
            **evaluation.arguments(),
        )
        warn_of_no_split(has_split(model.booster_))
        note = note_of(Provenance(loss, classes))
        finalise_with_note(model.booster_, start.baseline, note)
        self.__dict__.update(learned)
        self._has_names_of_table = isinstance(feature_name, str)  # "auto"
        self._learned(loss, classes)
        return self
