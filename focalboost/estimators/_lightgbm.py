"""FocalLGBMClassifier: LightGBM's scikit-learn classifier with the focal loss."""

import os
from collections.abc import Callable
from functools import lru_cache
from inspect import Parameter, signature
from numbers import Real
from typing import Any, Self

import numpy as np
from lightgbm import Booster, LGBMClassifier, LGBMModel
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import Tags
from sklearn.utils.validation import _num_samples, check_is_fitted

from focalboost._hosts._files import write_in_one_step
from focalboost._hosts._imports import without_autologging
from focalboost._hosts._params import (
    Balance,
    metrics_in,
    name_of,
    warn_of_no_split,
)
from focalboost._validation import reject, whole_number
from focalboost.estimators._base import (
    FocalClassifierMixin,
    labels_of_model,
    loss_of,
    posterior,
    require_one_process,
    without_own,
    without_spare_classes,
)
from focalboost.estimators._rows import (
    LabelsOfModel,
    TrainingRows,
    as_arguments,
    features,
    for_each,
    pairs_given,
    require_fitted_names,
    require_names_of_training,
    require_numbers,
)
from focalboost.lightgbm import _model, _text
from focalboost.lightgbm._data_sets import (
    Baseline,
    as_in_model,
    baseline_of,
    constant_scores,
    starting_from,
    watched,
)
from focalboost.lightgbm._params import NUM_CLASS, Plan, make_plan, n_machines
from focalboost.losses import FocalLoss, Loss
from focalboost.objectives import FocalMetric

#: The note of the best round of an early-stopped model.
_BEST_ITERATION = "focalboost_best_iteration"


class FocalLGBMClassifier(FocalClassifierMixin, LGBMClassifier):
    """LightGBM's classifier with the focal loss, for two classes or more.

    ``predict_proba`` returns the class-posterior, not the focal score.
    ``decision_function`` returns its logit, or for more than two classes its logarithm.
    ``predict(X, raw_score=True)`` returns the raw prediction. For labels (n, T) wrap
    the estimator in ``sklearn.multioutput.MultiOutputClassifier``.

    Parameters
    ----------
    focal_gamma : float, sequence of floats or dict, default=2.0
        Focusing parameter, >= 0: one number, a pair (positive, negative) for two
        classes, K numbers in the order of the labels for K classes, or a dict by label.
        The later of two labels in order is the positive class.
    focal_alpha : float, sequence of floats, dict or None, default=None
        Class-balance weight. For two classes it is that of the positive class, in
        (0, 1), or a dict by label that sums to 1. For K > 2 classes it is K positive
        weights, or a dict by label. The probabilities undo it.
    focal_max_learning_rate : float or None, default=None
        The largest learning rate that a callback sets, in (0, 2). None means
        ``learning_rate``, or 0.3 if that is larger.
    focal_balance : bool or "validation", default=True
        Add the constant to the model's own intercept with which the weighted sum of
        the probabilities is that of the labels, over the training rows or over the last
        evaluation set.
    class_weight : dict, "balanced", "effective" or None, default=None
        Weights of the classes, in evaluation sets without ``eval_class_weight`` as
        well. They state what the population is, so the probabilities do not undo them.
        "effective" weighs by the effective number of samples
        (1 - 0.9999**n) / (1 - 0.9999) of Cui et al. 2019.
    boosting_type, num_leaves, max_depth, learning_rate, n_estimators, \
subsample_for_bin, objective, min_split_gain, min_child_weight, min_child_samples, \
subsample, subsample_freq, colsample_bytree, reg_alpha, reg_lambda, random_state, \
n_jobs, importance_type, **kwargs : as in ``LGBMClassifier``
        As in ``lightgbm.LGBMClassifier``. An ``objective`` other than LightGBM's own
        log loss, ``is_unbalance``, ``scale_pos_weight``, ``boosting_type="rf"``,
        ``gamma`` and ``alpha`` raise an error.

    Attributes
    ----------
    focal_loss_ : FocalLoss or SoftmaxFocalLoss
        The loss of the fitted model; the softmax is for more than two classes.
    classes_ : ndarray of shape (n_classes,)
        The labels in order; of two, the second is the positive class.
    booster_ : lightgbm.Booster
        A plain LightGBM model with the baseline in its first trees. Its ``predict``
        returns focal scores.
    evals_result_ : dict
        Metrics by evaluation set, name and round. They are those before the balance.
    best_iteration_, best_score_ : int, dict
        The best round, counted from 1, and its metrics, with early stopping.
        Predictions use the rounds up to it.
    n_classes_, n_features_, n_features_in_, feature_name_, feature_names_in_, \
feature_importances_, objective_, n_estimators_, n_iter_, fitted_ : as in \
``LGBMClassifier``
        As in ``lightgbm.LGBMClassifier``.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter contradicts the focal loss, or if y has a single
        class and there is no model to continue.

    Notes
    -----
    Training leaves out rows of weight 0. Other weights do not change what LightGBM
    counts, as for ``min_child_samples``. Pickle, joblib and skops keep a model, and so
    does ``save_model`` in LightGBM's format. ``focalboost.export.to_onnx`` makes an
    ONNX graph of it.

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

    #: False where the names of features were given apart from X.
    _has_names_of_table = True

    # LightGBM's parameters are repeated, as in its own classes, for help() and because
    # LightGBM 4.5 finds them only in the signature. It takes them by position, too.
    def __init__(
        self,
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
        *,
        focal_gamma: Any = 2.0,
        focal_alpha: Any = None,
        focal_max_learning_rate: float | None = None,
        focal_balance: Balance = True,
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
        self.focal_balance = focal_balance

    # LightGBM asks for the parameters in every prediction, of each base class in turn,
    # and scikit-learn reads the signature each time. It takes longer than to predict.
    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, those of ``**kwargs`` among them."""
        return {**BaseEstimator.get_params(self, deep), **self._other_params}

    @classmethod
    @lru_cache
    def _get_param_names(cls) -> list[str]:
        names_of = BaseEstimator._get_param_names.__func__
        kinds = (kind for kind in cls.__mro__ if issubclass(kind, BaseEstimator))
        return sorted({name for kind in kinds for name in names_of(kind)})

    def _process_params(self, stage: str) -> dict[str, Any]:
        return without_own(super()._process_params(stage))

    # LGBMModel.fit has one more argument, group, which no classifier takes.
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

        Without ``eval_metric`` (and ``metric``) evaluation and early stopping use the
        relative focal loss. A callable metric gets (labels, posterior[, weight]) and
        returns (name, value, is_higher_better). With ``init_model`` the labels are
        those of that model, and y may lack some. An ``init_score`` replaces the
        baseline; add it to predictions yourself.
        """
        instead = "train with class_masses, or FocalDaskLGBMClassifier"
        n_processes = n_machines(self.get_params(deep=False))
        require_one_process("machines", n_processes, f"focalboost.lightgbm.{instead}")
        whole_number("n_estimators", self.n_estimators, 1)
        model, of_model = model_and_labels(init_model)
        rows = TrainingRows(self, X, y, sample_weight, of_model)
        require_numbers(rows.X)
        if model is not None:
            rows.X = as_in_model(model, rows.X, feature_name)
        classes = rows.target.classes
        loss = loss_of(self, classes, rows.masses if model is None else None)
        pairs = pairs_given(eval_set, eval_X, eval_y)
        weights = for_each("eval_sample_weight", eval_sample_weight, pairs)
        of_classes = for_each("eval_class_weight", eval_class_weight, pairs)
        starts = for_each("eval_init_score", eval_init_score, pairs)
        sets, weights = rows.evaluation(pairs, weights, of_classes, by_weight=False)
        for features_of_set, _ in sets:
            require_numbers(features_of_set)
            require_names_of_training(features_of_set, rows.X)
        plan = self._plan(loss, eval_metric)
        model = _model.model_to_continue(model, loss)
        baseline: Baseline = 0.0
        init_score = rows.starts("init_score", init_score, by_class=True)
        if model is None and init_score is None:
            # As ``train`` computes it: LightGBM keeps weights in float32.
            weight = None if rows.weight is None else np.float32(rows.weight)
            baseline = baseline_of(loss, rows.y, weight)
            init_score = constant_scores(baseline, len(rows.y))
            starts = [
                starting_from(baseline, len(y_of_set), own, "eval_init_score")
                for (_, y_of_set), own in zip(sets, starts, strict=True)
            ]
        shift = _model.balancing(rows.balance(sets, weights), plan.objective, model)
        settings, watching = watched(shift, plan.params, callbacks)
        metrics = [plan.metric] if plan.metric else metrics_in(eval_metric)
        with without_autologging("lightgbm"), _model.errors_explained(settings):
            # LightGBM's classifier would encode the codes anew.
            host = LGBMModel(**settings)
            host.fit(
                rows.X,
                rows.y,
                sample_weight=rows.weight,
                init_score=init_score,
                init_model=model,
                eval_names=eval_names,
                eval_sample_weight=weights,
                eval_init_score=starts,
                eval_metric=[_on_posterior(loss, metric) for metric in metrics],
                feature_name=feature_name,
                categorical_feature=categorical_feature,
                callbacks=watching,
                **as_arguments(host.fit, sets),
            )
        warn_of_no_split(_model.has_split(host.booster_), loss)
        added = None if shift is None else shift.value()
        _model.finished(host.booster_, baseline, loss, added, classes)
        self._learned_by(host, loss, classes, feature_name)
        return self

    def _plan(self, loss: Loss, eval_metric: Any) -> Plan:
        """The parameters and the metric to train with."""
        params = without_own(self.get_params(deep=False))
        params = without_spare_classes(params, NUM_CLASS, loss)
        limit = self.focal_max_learning_rate
        return make_plan(params, loss, eval_metric, max_learning_rate=limit)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        tags.target_tags.one_d_labels = True
        tags.classifier_tags.multi_label = False
        return tags

    def predict(
        self,
        X: Any,
        raw_score: bool = False,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        pred_leaf: bool = False,
        pred_contrib: bool = False,
        validate_features: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return the likeliest label, or what LightGBM returns for an option.

        A table needs the names of the training. With ``validate_features=False`` its
        columns count by position, and with True LightGBM words the error.
        """
        given = (raw_score, start_iteration, num_iteration, pred_leaf, pred_contrib)
        return self._answer(self._likeliest, X, given, validate_features, kwargs)

    def predict_proba(
        self,
        X: Any,
        raw_score: bool = False,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        pred_leaf: bool = False,
        pred_contrib: bool = False,
        validate_features: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Return the class-posterior in the order of ``classes_``, (n_samples, K).

        With an option, return what LightGBM returns for it.
        """
        given = (raw_score, start_iteration, num_iteration, pred_leaf, pred_contrib)
        return self._answer(self._posterior, X, given, validate_features, kwargs)

    def decision_function(
        self,
        X: Any,
        *,
        start_iteration: int = 0,
        num_iteration: int | None = None,
        validate_features: bool | None = None,
        **kwargs: Any,
    ) -> NDArray[np.float64]:
        """Return the logit of the posterior, or the log posterior of each class."""
        given = (False, start_iteration, num_iteration, False, False)
        answer = self._answer(self._decision, X, given, validate_features, kwargs)
        return np.asarray(answer)

    def _answer(
        self,
        of_raw: Callable[[Any], Any],
        X: Any,
        given: tuple[Any, ...],
        validate_features: bool | None,
        kwargs: dict[str, Any],
    ) -> Any:
        """What LightGBM predicts for an option, or what its raw prediction means."""
        check_is_fitted(self)
        raw_score, *span_and_kinds = given
        is_hosts = raw_score or any(span_and_kinds[2:])
        is_raw = raw_score or not is_hosts
        # LightGBM compares the names of pandas alone.
        by_host = validate_features is False or hasattr(X, "iloc")
        compares = validate_features is None or not (by_host and hasattr(X, "columns"))
        X = features(X, self, fitted=compares)
        require_numbers(X)
        if compares and self._has_names_of_table:
            require_fitted_names(X, self)
        if is_raw and _num_samples(X) == 0:  # LightGBM refuses it
            n_classes = len(self.classes_)
            answer: Any = np.zeros((0, n_classes) if n_classes > 2 else 0)
        else:
            options = (*span_and_kinds, bool(validate_features))
            answer = LGBMModel.predict(self, X, is_raw, *options, **kwargs)
        return answer if is_hosts else of_raw(answer)

    def save_model(self, fname: str | os.PathLike[str]) -> None:
        """Save the model in LightGBM's own format, as text.

        LightGBM loads the file without focalboost. ``load_model`` restores gamma, alpha
        and the labels as well. Raises ValueError for labels that JSON cannot hold.
        """
        check_is_fitted(self)
        self._require_labels_with_a_form()
        booster, best = self.booster_, self._best_iteration or 0
        rounds = best if best > 0 else booster.current_iteration()
        text = booster.model_to_string(num_iteration=rounds)
        text = _text.without_note(text, _BEST_ITERATION)
        if best > 0:
            text = _text.with_note(text, str(best), _BEST_ITERATION)
        content = _model.signed_content(text, _model.missing_row(booster, rounds))
        write_in_one_step(fname, content)

    def load_model(self, fname: str | os.PathLike[str]) -> None:
        """Load a model that an estimator of this class has saved.

        Load only files that you trust. focal_gamma and focal_alpha become those of the
        model, so ``fit`` trains with them. Raises ValueError, and leaves the estimator
        as it is, if the file is of another kind, is damaged, or is read otherwise by
        this version of LightGBM than by the version that wrote it.
        """
        text = _model.text_of_file(fname, "fname")
        booster = _model.booster_of_text(text, "fname")
        known = _model.provenance_in(text, "fname")
        if known is None or known.classes is None:
            reject(
                "fname",
                "a model saved by FocalLGBMClassifier",
                fname,
                "Load others with lightgbm.Booster.",
            )
        expected = 1 if isinstance(known.loss, FocalLoss) else known.loss.n_classes
        if not _text.is_finalised(text) or _text.number_of_scores(text) != expected:
            reject("fname", f"a model of {known.loss}", fname, "Save it again.")
        self._Booster, self.fitted_ = booster, True
        self._n_features = self._n_features_in = booster.num_feature()
        names, n_features = _text.value_in(text, "feature_names"), self._n_features
        made_up = " ".join(f"Column_{i}" for i in range(n_features))
        self._fitted_with_feature_names = names != made_up
        best = _text.note_in(text, _BEST_ITERATION) or ""
        self._evals_result, self._best_score = {}, {}
        self._best_iteration = int(best) if best.isdecimal() else -1
        self._learned(known.loss, known.classes)
        self.focal_gamma, self.focal_alpha = known.loss.gamma, known.loss.alpha

    def _learned_by(
        self, host: Any, loss: Loss, classes: NDArray[Any], feature_name: Any
    ) -> None:
        """Replace what was learned before by what LightGBM's model has learned."""
        params = {*host.get_params(), "_other_params"}
        learned = {name: vars(host)[name] for name in vars(host) if name not in params}
        self.__dict__.update(learned)
        self._has_names_of_table = isinstance(feature_name, str)  # "auto"
        self._learned(loss, classes)

    def _learned(self, loss: Loss, classes: NDArray[Any]) -> None:
        """Set what LightGBM's class sets without a callable objective."""
        self.focal_loss_, self._classes, self._n_classes = loss, classes, len(classes)
        self._objective = "binary" if isinstance(loss, FocalLoss) else "multiclass"
        self._class_map = {label: code for code, label in enumerate(classes)}


def model_and_labels(init_model: Any) -> tuple[Booster | None, LabelsOfModel | None]:
    """The booster of a model to continue, and the labels that it stands for."""
    if init_model is None:
        return None, None
    model = _model.booster_of(init_model, "init_model")
    known = _model.provenance_of(model, "init_model")
    n_scores = model.num_model_per_iteration()
    return model, labels_of_model(init_model, known, n_scores)


def _on_posterior(loss: Loss, metric: Any) -> Any:
    """A metric for LightGBM; a user's callable gets the posterior."""
    if isinstance(metric, FocalMetric):
        return metric.for_lightgbm
    is_focal = isinstance(getattr(metric, "__self__", None), FocalMetric)
    if isinstance(metric, str) or is_focal:
        return metric
    by_name = (Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD)
    kinds = [parameter.kind for parameter in signature(metric).parameters.values()]
    n_positional = sum(kind not in by_name for kind in kinds)

    # Three parameters: LightGBM counts them, and passes the weights as the third. The
    # user's function may take two, or four with groups, which no classifier has.
    def of_raw(y_true: Any, raw_prediction: Any, sample_weight: Any) -> Any:
        arguments = (y_true, posterior(loss, raw_prediction), sample_weight, None)
        result = metric(*arguments[:n_positional])
        if isinstance(result, Real):
            name = name_of(metric)
            own = name if getattr(metric, "__name__", "").isidentifier() else "metric"
            rule = "a function that returns (name, value, is_higher_better)"
            call = f"Use lambda y, p: ({name!r}, {own}(y, p), True)"
            reject("eval_metric", rule, metric, f"{call}, or False for a loss.")
        return result

    return of_raw
