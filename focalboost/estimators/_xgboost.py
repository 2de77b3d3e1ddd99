"""FocalXGBClassifier: XGBoost's scikit-learn classifier with the focal loss."""

import json
import os
from collections.abc import Sequence
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import Tags
from xgboost import Booster, DMatrix, XGBClassifier, XGBModel
from xgboost.core import _deprecate_positional_args

from focalboost._hosts._files import write_in_one_step
from focalboost._hosts._imports import without_autologging
from focalboost._hosts._note import Provenance, warn_of_another_loss
from focalboost._hosts._params import (
    Balance,
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
    features,
    one_for_each,
    pairs_of,
    target_of,
)
from focalboost.losses import Loss
from focalboost.objectives import FocalMetric
from focalboost.objectives._grammar import n_workers
from focalboost.xgboost import _model, _params
from focalboost.xgboost._model import balancing
from focalboost.xgboost._params import OBJECTIVES
from focalboost.xgboost._train import warn_of_fallback

#: Parameters that a fitted booster keeps as its training has set them.
_OF_TRAINING = ("objective", "num_class", "base_score")

_Iterations = tuple[int | np.integer[Any], int | np.integer[Any]] | None


class _Training(XGBClassifier):
    """XGBoost's own classifier, of codes of K classes, some of which may have no row.

    XGBoost itself wants a row of each: it counts the labels, and compares them with its
    ``classes_``. The data sets of the training are kept for the balance.
    """

    classes_: NDArray[Any] = np.arange(0)  #: those of which there is a row
    n_classes_ = property(lambda self: self.n_codes, lambda self, found: None)
    n_codes: int
    continues: bool
    data_sets: list[DMatrix]

    def _create_dmatrix(self, ref: Any, **options: Any) -> Any:
        if self.continues:
            # XGBoost reads the trees of a model on the bins of a QuantileDMatrix, and
            # would start, and be balanced, from other raw predictions than the model's.
            data_set = DMatrix(**options, nthread=self.n_jobs)
        else:
            data_set = super()._create_dmatrix(ref, **options)
        # XGBoost copies both for every call of an objective or a metric. Nobody else
        # has this data set, so nobody sets others.
        label, weight = data_set.get_label(), data_set.get_weight()
        vars(data_set).update(get_label=lambda: label, get_weight=lambda: weight)
        self.data_sets.append(data_set)
        return data_set


class FocalXGBClassifier(FocalClassifierMixin, XGBClassifier):
    """XGBoost's classifier with the focal loss, for two classes or more.

    ``predict_proba`` returns the class-posterior, not the focal score.
    ``decision_function`` returns its logit, or for more than two classes its logarithm.
    ``predict(X, output_margin=True)`` returns the raw prediction. The fitted booster is
    a plain XGBoost model. Labels (n, T) of 0 and 1 are T binary problems (multilabel)
    with probabilities (n, T). Several classes or labels need XGBoost 3.1.

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
        Weights of the classes, in evaluation sets as well. They state what the
        population is, so the probabilities do not undo them. "effective" weighs by the
        effective number of samples (1 - 0.9999**n) / (1 - 0.9999) of Cui et al. 2019.
    **kwargs
        As in ``xgboost.XGBClassifier``, also ``gamma`` (the minimum split loss) and
        ``alpha`` (the L1 penalty). ``fit`` sets ``objective`` to "binary:logistic" or
        "multi:softprob". Another one and ``scale_pos_weight`` raise an error. A
        ``base_score`` replaces the baseline; a poor one raises a warning. The default
        ``eval_metric`` is the relative focal loss. A callable gets (labels, posterior),
        and XGBoost minimises it. Its name of the average precision is "aucpr".

    Attributes
    ----------
    focal_loss_ : FocalLoss or SoftmaxFocalLoss
        The loss of the fitted model; the softmax is for more than two classes.
    classes_ : ndarray of shape (n_classes,)
        The labels in order; of two, the second is the positive class.
    n_classes_ : int
        The number of labels; 2 for labels (n, T).
    evals_result_ : dict
        Metrics by evaluation set, name and round. They are those before the balance.
    best_iteration, best_score : int, float
        The best round, counted from 0, and its metric, with early stopping.
        Predictions use the rounds up to it.
    intercept_ : ndarray of shape (1,), (n_classes,) or (T,)
        What the trees add to, the baseline and the balance: a focal score, or for more
        than two classes raw predictions.
    n_features_in_, feature_names_in_, feature_importances_, coef_ : as in \
``XGBClassifier``
        As in ``xgboost.XGBClassifier``.

    Raises
    ------
    ValueError
        In ``fit``, if a parameter contradicts the focal loss, or if y has a single
        class and there is no model to continue.

    Notes
    -----
    Training leaves out rows of weight 0. A row of a whole weight counts as that many
    rows on the same bins, up to the rounding of float32, unless rows are sampled. The
    bins are the same with ``tree_method="exact"``, or if no feature has more than
    ``max_bin`` values. Otherwise they are quantiles, which move with weights. Pickle,
    joblib and skops keep a model, and so does ``save_model`` in XGBoost's format.
    ``focalboost.export.to_onnx`` makes an ONNX graph of it.

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
    _target_of = staticmethod(target_of)
    _reads_series = True

    # XGBoost's own parameter is first: it takes it by position, with a warning.
    @_deprecate_positional_args
    def __init__(
        self,
        *,
        objective: Any = "binary:logistic",
        focal_gamma: Any = 2.0,
        focal_alpha: Any = None,
        focal_max_learning_rate: float | None = None,
        focal_balance: Balance = True,
        class_weight: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(objective=objective, **kwargs)
        self.focal_gamma = focal_gamma
        self.focal_alpha = focal_alpha
        self.focal_max_learning_rate = focal_max_learning_rate
        self.focal_balance = focal_balance
        self.class_weight = class_weight

    def get_xgb_params(self) -> dict[str, Any]:
        """Return the parameters of the booster."""
        return without_own(super().get_xgb_params())

    def set_params(self, **params: Any) -> Self:
        """Set parameters. A fitted model keeps its objective and its intercept."""
        booster = self.__dict__.pop("_Booster", None)  # XGBoost would set all of them
        try:
            super().set_params(**params)
        finally:
            if booster is not None:
                self._Booster = booster
        if booster is not None and params:
            settings = self.get_xgb_params()
            booster.set_param(
                {n: settings[n] for n in settings if n not in _OF_TRAINING}
            )
        return self

    @_deprecate_positional_args
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
        """Fit the model; arguments as in ``XGBClassifier.fit``.

        With ``xgb_model`` the labels are those of that model, and y may lack some.
        """
        instead = "train with labels 0 to K - 1, or FocalDaskXGBClassifier"
        require_one_process("fit", n_workers(), f"focalboost.xgboost.{instead}")
        if self.n_estimators is not None:
            whole_number("n_estimators", self.n_estimators, 1)
        model, of_model = model_and_labels(xgb_model)
        rows = TrainingRows(self, X, y, sample_weight, of_model)
        classes = rows.target.classes
        loss = loss_of(self, classes, rows.masses if model is None else None)
        host = self._host(loss, rows, model)
        if model is not None:
            known = _model.provenance_of(model, "xgb_model")
            warn_of_another_loss(known, loss, "xgb_model")
        pairs = pairs_of(eval_set)
        weights = one_for_each("sample_weight_eval_set", sample_weight_eval_set, pairs)
        sets, weights = rows.evaluation(pairs, weights, by_weight=True)
        keeper = balancing(
            loss,
            rows.balance(sets, weights),
            host.data_sets,
            self.n_jobs or None,
            ends_at_best=True,
        )
        host.callbacks = [*(self.callbacks or ()), keeper]  # others may cut the model
        with without_autologging("xgboost"):
            host.fit(
                rows.X,
                rows.y,
                sample_weight=rows.weight,
                base_margin=rows.starts("base_margin", base_margin),
                eval_set=sets,
                verbose=verbose,
                xgb_model=model,
                sample_weight_eval_set=weights,
                base_margin_eval_set=base_margin_eval_set,
                feature_weights=feature_weights,
            )
        booster = host.get_booster()
        warn_of_fallback(self.device, booster)
        warn_of_no_split(_model.has_split(booster), loss)
        is_update = _params.is_update(self.get_xgb_params())
        booster, before = keeper.balanced(booster, is_update)
        _model.set_provenance(booster, Provenance(loss, classes, before))
        self._learned(booster, loss, classes, vars(host).get("evals_result_"))
        return self

    def _host(
        self, loss: Loss, rows: TrainingRows, xgb_model: Booster | None
    ) -> _Training:
        """The plain XGBClassifier that does the training."""
        params = self._params_of_labels(self.get_params(deep=False), loss)
        if _params.is_update(params):
            _params.check_update(
                params, xgb_model, self.get_num_boosting_rounds(), "n_estimators"
            )
            params["tree_method"] = "approx"  # it is ignored, but takes a plain DMatrix
        limit, target = self.focal_max_learning_rate, (rows.y, rows.weight)
        plan = _params.make_plan(
            params, loss, target, xgb_model, max_learning_rate=limit
        )
        metric = plan.metric or _on_posterior(loss, params["eval_metric"])
        own = {"eval_metric": metric, "objective": plan.objective}
        host = _Training(**{**plan.params, **own})
        host.classes_, host.n_codes = np.unique(rows.y), len(rows.target.classes)
        host.continues, host.data_sets = xgb_model is not None, []
        return host

    def _learned(
        self, booster: Booster, loss: Loss, classes: NDArray[Any], evals_result: Any
    ) -> None:
        """Set what a fitted model has. The objective names the link, as in XGBoost."""
        self._Booster = booster
        self.focal_loss_, self._classes, self.n_classes_ = loss, classes, len(classes)
        self.__dict__.pop("evals_result_", None)
        if evals_result:
            self.evals_result_ = evals_result
        name = _params.fixed_params(loss)["objective"]
        if self.objective != name:  # scikit-learn compares identities
            self.objective = name

    def _params_of_labels(self, params: dict[str, Any], loss: Loss) -> dict[str, Any]:
        """XGBoost's parameters without those that it sets itself from the labels."""
        found = without_spare_classes(without_own(params), ("num_class",), loss)
        is_known = isinstance(self.objective, str) and self.objective in OBJECTIVES
        return {**found, "objective": None if is_known else self.objective}

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.no_validation = tags.input_tags.string = False
        tags.non_deterministic = self.booster == "gblinear"  # without locks
        several = _params.has_base_scores()
        tags.classifier_tags.multi_class = tags.classifier_tags.multi_label = several
        return tags

    @_deprecate_positional_args
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
        return raw if output_margin else self._likeliest(raw)

    def predict_proba(
        self,
        X: Any,
        validate_features: bool = True,
        base_margin: Any = None,
        iteration_range: _Iterations = None,
    ) -> NDArray[np.float64]:
        """Return the class-posterior in the order of ``classes_``, (n_samples, K).

        For labels (n, T) return the probability of 1 for each, (n_samples, T).
        """
        raw = self._raw(X, validate_features, base_margin, iteration_range)
        return self._posterior(raw)

    def decision_function(
        self,
        X: Any,
        validate_features: bool = True,
        base_margin: Any = None,
        iteration_range: _Iterations = None,
    ) -> NDArray[np.float64]:
        """Return the logit of the posterior, or the log posterior of each class."""
        raw = self._raw(X, validate_features, base_margin, iteration_range)
        return self._decision(raw)

    def _raw(self, X: Any, validate: bool, base_margin: Any, iterations: Any) -> Any:
        # XGBClassifier's own predict would set the verbosity a second time.
        raw = XGBModel.predict(
            self,
            features(X, self),
            output_margin=True,
            validate_features=validate,
            base_margin=base_margin,
            iteration_range=iterations,
        )
        if len(raw) > 0:
            return raw
        n_scores = np.size(self.intercept_)  # of classes, or of labels
        return raw.reshape((0, n_scores) if n_scores > 1 else 0)

    def apply(self, X: Any, iteration_range: _Iterations = None) -> NDArray[Any]:
        """Return the leaf of every tree for each row, as ``XGBClassifier.apply``."""
        return super().apply(features(X, self), iteration_range)

    def save_model(self, fname: str | os.PathLike[str]) -> None:
        """Save the model in XGBoost's own format: JSON if the name ends so, or UBJSON.

        XGBoost loads the file without focalboost. ``load_model`` restores gamma, alpha
        and the labels as well. Raises ValueError for labels that JSON cannot hold.
        """
        booster = self.get_booster().copy()  # other threads may be saving as well
        self._require_labels_with_a_form()
        kind = json.dumps({"_estimator_type": self._get_type()})  # as XGBoost does
        booster.set_attr(scikit_learn=kind)
        is_json = Path(fname).suffix == ".json"
        content = _model.signed_content(booster, "json" if is_json else "ubj")
        write_in_one_step(os.path.expanduser(fname), content)  # as XGBoost does

    def load_model(self, fname: Any) -> None:
        """Load a model that an estimator of this class has saved.

        ``fname`` is a path, or the bytes of a file. Load only files that you trust.
        focal_gamma and focal_alpha become those of the model, so ``fit`` trains with
        them. Raises ValueError, and leaves the estimator as it is, if the file is of
        another kind, is damaged, or is read otherwise by this version of XGBoost than
        by the version that wrote it.
        """
        booster = _model.booster_of_file(fname, "fname")
        known = _model.provenance_of(booster, "fname")
        if known is None or known.classes is None:
            reject(
                "fname",
                "a model saved by FocalXGBClassifier",
                fname,
                "Load others with xgboost.XGBClassifier or xgboost.Booster.",
            )
        config = _params.require_model_of(known.loss, booster, "fname")
        booster.set_attr(scikit_learn=None)
        booster.set_param({"n_jobs": self.n_jobs})
        base_score = self.base_score
        self._learned(booster, known.loss, known.classes, None)
        self._load_model_attributes(config)
        self.base_score = base_score  # that of the model would not suit other labels
        self.focal_gamma, self.focal_alpha = known.loss.gamma, known.loss.alpha


def model_and_labels(xgb_model: Any) -> tuple[Booster | None, LabelsOfModel | None]:
    """The booster of a model to continue, and the labels that it stands for."""
    if xgb_model is None:
        return None, None
    model = _model.booster_of(xgb_model)
    known = _model.provenance_of(model, "xgb_model")
    return model, labels_of_model(xgb_model, known, _model.n_scores_of(model))


def _on_posterior(loss: Loss, metric: Any) -> Any:
    """A metric, or several, for XGBoost; a user's callable gets the posterior."""
    if isinstance(metric, list | tuple):
        return [_on_posterior(loss, one) for one in metric]
    if isinstance(metric, FocalMetric) or not callable(metric):
        return metric
    parameters = signature(metric).parameters
    is_open = Parameter.VAR_KEYWORD in (one.kind for one in parameters.values())
    takes_weights = "sample_weight" in parameters or is_open

    # XGBoost passes sample_weight by name, and only if there are weights.
    def of_raw(y_true: Any, raw_prediction: Any, **weights: Any) -> Any:
        options = weights if takes_weights else {}
        return metric(y_true, posterior(loss, raw_prediction), **options)

    of_raw.__name__ = name_of(metric)
    return of_raw
