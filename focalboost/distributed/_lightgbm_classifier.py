"""FocalDaskLGBMClassifier: FocalLGBMClassifier on a Dask cluster."""

import functools
import inspect
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from lightgbm.dask import DaskLGBMClassifier

from focalboost._hosts._note import warn_of_another_loss
from focalboost._hosts._params import as_list, checked_balance
from focalboost._validation import reject
from focalboost.distributed._cluster import by_partition, client_of
from focalboost.distributed._data import SpreadTarget, Table, summaries_of
from focalboost.distributed.lightgbm import fitted_host
from focalboost.estimators import FocalLGBMClassifier
from focalboost.estimators._base import (
    labels_of_model,
    learned_by,
    loss_of,
    require_rounds,
    without_own,
    without_spare_classes,
)
from focalboost.lightgbm._model import (
    booster_of,
    continuable,
    provenance_of,
    unbalanced,
)
from focalboost.lightgbm._params import NUM_CLASS, make_plan
from focalboost.losses import Loss


def _signature() -> inspect.Signature:
    """The parameters of FocalLGBMClassifier, and the client."""
    own = inspect.signature(FocalLGBMClassifier.__init__)
    client = inspect.Parameter("client", inspect.Parameter.KEYWORD_ONLY, default=None)
    *others, kwargs = own.parameters.values()
    return own.replace(parameters=[*others, client, kwargs])


def _by_partition(name: str) -> Any:
    """A method of FocalLGBMClassifier whose answers are a Dask array."""
    method = getattr(FocalLGBMClassifier, name)

    @functools.wraps(method)
    def answers(self: Any, X: Any, *positional: Any, **options: Any) -> Any:
        given = inspect.signature(method).bind(self, X, *positional, **options)
        del given.arguments["self"], given.arguments["X"]
        rest = given.arguments.pop("kwargs", {})
        return self._answers(name, X, **given.arguments, **rest)

    return answers


class FocalDaskLGBMClassifier(FocalLGBMClassifier, DaskLGBMClassifier):
    """LightGBM's classifier with the focal loss on a Dask cluster.

    It is ``FocalLGBMClassifier`` on Dask arrays and data frames. Labels of any kind are
    encoded over all partitions, and a partition may lack some. Class weights, baseline
    and the metric of early stopping are those of all rows. ``predict_proba`` returns
    the class-posterior as a Dask array. ``save_model`` writes a file that
    ``FocalLGBMClassifier`` loads as well.

    Parameters
    ----------
    client : distributed.Client or None, default=None
        None is the client that Dask uses by default.
    **kwargs
        As in ``FocalLGBMClassifier``. A ``metric`` raises an error, because LightGBM
        has none for the rows of all workers.

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

    def __init__(self, *positional: Any, client: Any = None, **kwargs: Any) -> None:
        super().__init__(*positional, client=client, **kwargs)

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

        ``init_score``, ``eval_init_score``, ``eval_class_weight`` and ``eval_metric``
        raise an error. Class weights count in evaluation sets as well.
        """
        _require_none(
            init_score=init_score,
            eval_init_score=eval_init_score,
            eval_class_weight=eval_class_weight,
            eval_metric=eval_metric,
        )
        require_rounds(self.n_estimators)
        client = client_of(self.client)
        parts = _computed(client, summaries_of(y, sample_weight))
        model = of_model = None
        if init_model is not None:
            model = booster_of(init_model, "init_model")
            known = provenance_of(model, "init_model")
            n_scores = model.num_model_per_iteration()
            of_model = labels_of_model(init_model, known, n_scores)
        target = SpreadTarget(parts, self.class_weight, of_model)
        masses = target.masses if model is None else None
        loss = loss_of(self.focal_gamma, self.focal_alpha, target.classes, masses)
        params = without_own(self.get_params(deep=False))
        params = without_spare_classes(params, NUM_CLASS, loss)
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
        if model is not None:
            model = continuable(model, plan.params)
            warn_of_another_loss(known, loss, "init_model")
            model = unbalanced(model)
        host = fitted_host(
            client,
            plan,
            loss,
            _table(client, loss, target, X, y, sample_weight, parts),
            evaluation,
            balance=checked_balance(self.focal_balance, "focal_balance", bool(sets)),
            classes=target.classes,
            n_estimators=self.n_estimators,
            eval_names=eval_names,
            init_model=model,
            callbacks=list(callbacks or ()),
            **kwargs,
        )
        own = [*self.get_params(deep=False), *plan.params, "_le", "_other_params"]
        self.__dict__.update(learned_by(host, *own))
        self._learned(loss, target.classes)
        self._has_names_of_table = isinstance(kwargs.get("feature_name", "auto"), str)
        return self

    def to_local(self) -> FocalLGBMClassifier:
        """Return the same model as an estimator of a single process."""
        model: FocalLGBMClassifier = self._lgb_dask_to_local(FocalLGBMClassifier)
        return model

    predict = _by_partition("predict")
    predict_proba = _by_partition("predict_proba")
    decision_function = _by_partition("decision_function")

    def _answers(self, method: str, X: Any, **options: Any) -> Any:
        """The answers of the model of a single process, by partition."""
        model = self.to_local()
        if options.get("pred_leaf") or options.get("pred_contrib"):
            return getattr(DaskLGBMClassifier, method)(self, X, **options)
        raw = np.float64 if options.get("raw_score") else None
        return by_partition(model, method, X, raw=raw, **options)


def _require_none(**arguments: Any) -> None:
    """Reject what cannot be done for the rows of all workers."""
    for name, value in arguments.items():
        if value is not None:
            reject(name, "None on a cluster", value, "Train in a single process.")


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
