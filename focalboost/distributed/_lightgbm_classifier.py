"""FocalDaskLGBMClassifier."""

import inspect
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from lightgbm.dask import DaskLGBMClassifier
from numpy.typing import NDArray

from focalboost._host import as_list
from focalboost._provenance import Provenance, note_of, warn_of_another_loss
from focalboost._validation import reject
from focalboost.distributed._cluster import client_of
from focalboost.distributed._predict import by_partition
from focalboost.distributed._table import Table
from focalboost.distributed._target import SpreadTarget, summaries_of
from focalboost.distributed.lightgbm import fitted_host
from focalboost.estimators import FocalLGBMClassifier
from focalboost.estimators._base import (
    loss_of,
    refuse_other_labels,
    require_rounds,
    without_own,
)
from focalboost.lightgbm._model import continuable, provenance_of
from focalboost.lightgbm._params import Plan, make_plan
from focalboost.losses import Loss, SoftmaxFocalLoss

__all__ = ["FocalDaskLGBMClassifier"]


def _signature() -> inspect.Signature:
    """The parameters of FocalLGBMClassifier, and the client."""
    own = inspect.signature(FocalLGBMClassifier.__init__)
    client = inspect.Parameter("client", inspect.Parameter.KEYWORD_ONLY, default=None)
    *others, kwargs = own.parameters.values()
    return own.replace(parameters=[*others, client, kwargs])


class FocalDaskLGBMClassifier(FocalLGBMClassifier, DaskLGBMClassifier):
    """LightGBM's classifier with the focal loss on a Dask cluster.

    It is ``FocalLGBMClassifier`` on Dask arrays and data frames: labels of any kind are
    encoded over all partitions, each of which may lack some, and class weights,
    baseline and the metric that stops early are those of all rows. ``predict_proba`` is
    the class-posterior, as a Dask array. ``save_model`` and ``load_model`` are those of
    ``FocalLGBMClassifier``, which loads the files as well.

    Parameters
    ----------
    client : distributed.Client or None, default=None
        None is the client that Dask uses by default.
    **kwargs
        As in ``FocalLGBMClassifier``. A ``metric`` is refused, as LightGBM knows none
        for the rows of all workers.

    Attributes
    ----------
    focal_loss_, classes_
        As in ``FocalLGBMClassifier``.

    Raises
    ------
    ValueError
        In ``fit``, as ``FocalLGBMClassifier`` does.

    Examples
    --------
    >>> import dask.array
    >>> from dask.distributed import Client
    >>> from focalboost.distributed import FocalDaskLGBMClassifier
    >>> X = dask.array.arange(600.0, chunks=300).reshape(-1, 1)
    >>> y = dask.array.where(X[:, 0] > 550, "fraud", "other")
    >>> options = {"n_workers": 1, "processes": False, "dashboard_address": ":0"}
    >>> with Client(**options) as client:
    ...     model = FocalDaskLGBMClassifier(n_estimators=20, verbosity=-1).fit(X, y)
    ...     model.predict_proba(X).compute().shape
    Finding random open ports for workers
    (600, 2)
    """

    __module__ = "focalboost.distributed"

    def __init__(self, *, client: Any = None, **kwargs: Any) -> None:
        super().__init__(client=client, **kwargs)

    # help(), and scikit-learn with LightGBM 4.5, find the parameters here.
    __init__.__signature__ = _signature()  # type: ignore[attr-defined]

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
        *,
        eval_X: Any = None,
        eval_y: Any = None,
        callbacks: Sequence[Any] | None = None,
        init_model: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Fit the model; arguments as in ``DaskLGBMClassifier.fit``.

        ``init_score``, ``eval_init_score`` and ``eval_class_weight`` are refused, and
        so is an ``eval_metric``, as in ``metric``; class weights count in evaluation
        sets as well.
        """
        refused = {
            "init_score": init_score,
            "eval_init_score": eval_init_score,
            "eval_class_weight": eval_class_weight,
            "eval_metric": eval_metric,
        }
        _refuse(refused)
        require_rounds(self.n_estimators)
        client = client_of(self.client)
        parts = _computed(client, summaries_of(y, sample_weight))
        target = SpreadTarget(parts, self.class_weight)
        order = target.classes, target.masses
        loss = loss_of(self.focal_gamma, self.focal_alpha, *order)
        params = without_own(self.get_params(deep=False))
        del params["client"], params["n_estimators"]
        limit = self.focal_max_learning_rate
        plan = make_plan(params, loss, None, max_learning_rate=limit)
        sets = _sets(eval_set, eval_X, eval_y)
        weights = [*(eval_sample_weight or ())]
        weights += [None] * (len(sets) - len(weights))
        evaluation = [
            _table(client, loss, target, features, truth, weight)
            for (features, truth), weight in zip(sets, weights, strict=True)
        ]
        host = fitted_host(
            client,
            plan,
            loss,
            _table(client, loss, target, X, y, sample_weight, parts),
            evaluation,
            note_of(Provenance(loss, target.classes)),
            n_estimators=self.n_estimators,
            eval_names=eval_names,
            init_model=_continued(init_model, plan, loss, target.classes),
            callbacks=list(callbacks or ()),
            **kwargs,
        )
        own = {*self.get_params(deep=False), *plan.params, "_le", "_other_params"}
        learned = {k: v for k, v in vars(host).items() if k not in own}
        self.__dict__.update(learned)
        self._learned(loss, target.classes)
        self._has_names_of_table = isinstance(kwargs.get("feature_name", "auto"), str)
        return self

    def to_local(self) -> FocalLGBMClassifier:
        """Return the same model as an estimator of a single process."""
        model: FocalLGBMClassifier = self._lgb_dask_to_local(FocalLGBMClassifier)
        return model

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
        return self._answers(
            "predict",
            X,
            raw_score=raw_score,
            start_iteration=start_iteration,
            num_iteration=num_iteration,
            pred_leaf=pred_leaf,
            pred_contrib=pred_contrib,
            validate_features=validate_features,
            **kwargs,
        )

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
        """Return the class-posterior in the order of classes_, (n_samples, K)."""
        return self._answers(
            "predict_proba",
            X,
            raw_score=raw_score,
            start_iteration=start_iteration,
            num_iteration=num_iteration,
            pred_leaf=pred_leaf,
            pred_contrib=pred_contrib,
            validate_features=validate_features,
            **kwargs,
        )

    def decision_function(self, X: Any, **options: Any) -> Any:
        """Return the logit of the posterior, or the log posterior of each class."""
        return self._answers("decision_function", X, **options)

    def _answers(self, method: str, X: Any, **options: Any) -> Any:
        """The answers of the model of a single process, by partition."""
        model, classes = self.to_local(), self.classes_
        if options.get("pred_leaf") or options.get("pred_contrib"):
            return getattr(DaskLGBMClassifier, method)(self, X, **options)
        row: Any = np.zeros(len(classes))
        is_raw = method == "decision_function" or options.get("raw_score")
        if is_raw and not isinstance(self.focal_loss_, SoftmaxFocalLoss):
            row = 0.0
        if method == "predict" and not is_raw:
            row = classes[0]
        return by_partition(model, method, X, row, **options)


def _refuse(arguments: dict[str, Any]) -> None:
    """Reject what cannot be done for the rows of all workers."""
    advice = "Train in a single process for that."
    for name, value in arguments.items():
        if value is not None:
            reject(name, "None on a cluster", value, advice)


def _sets(eval_set: Any, eval_X: Any, eval_y: Any) -> list[Any]:
    """The evaluation sets, given in either way."""
    if eval_X is None and eval_y is None:
        return as_list(eval_set) if not isinstance(eval_set, tuple) else [eval_set]
    if eval_set is not None or eval_X is None or eval_y is None:
        reject(
            "eval_X",
            "given together with eval_y, and without eval_set",
            type(eval_X).__name__,
            "Use eval_X=(X1, X2), eval_y=(y1, y2).",
        )
    several = isinstance(eval_X, tuple)
    return list(zip(eval_X, eval_y, strict=True)) if several else [(eval_X, eval_y)]


def _computed(client: Any, calls: list[Any]) -> Any:
    return client.gather(client.compute(calls))


def _table(
    client: Any,
    loss: Loss,
    target: SpreadTarget,
    X: Any,
    y: Any,
    sample_weight: Any,
    parts: Any = None,
) -> Table:
    """The rows of a data set, with encoded labels and the classes' weights."""
    if parts is None:
        parts = _computed(client, summaries_of(y, sample_weight))
    rows = target.rows(X, y, sample_weight, None, parts)
    return Table.of(client, loss, rows.X, rows.y, rows.sample_weight)


def _continued(init_model: Any, plan: Plan, loss: Loss, classes: NDArray[Any]) -> Any:
    if init_model is None:
        return None
    model = continuable(init_model, plan.params)
    known = provenance_of(model, "init_model")
    refuse_other_labels(known, classes, "init_model")
    warn_of_another_loss(known, loss, "init_model")
    return model
