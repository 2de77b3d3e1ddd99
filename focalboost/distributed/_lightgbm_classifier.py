"""FocalDaskLGBMClassifier: FocalLGBMClassifier on a Dask cluster."""

import functools
import inspect
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from lightgbm.dask import DaskLGBMClassifier

from focalboost._hosts._params import checked_balance
from focalboost._validation import reject, whole_number
from focalboost.distributed._cluster import (
    SpreadTarget,
    answers_of,
    client_of,
    summaries_of,
)
from focalboost.distributed.lightgbm import fitted_host
from focalboost.estimators import FocalLGBMClassifier
from focalboost.estimators._lightgbm import model_and_labels
from focalboost.estimators._rows import for_each, pairs_given
from focalboost.lightgbm._data_sets import as_in_model


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
        options = {**given.arguments, **given.arguments.get("kwargs", {})}
        options = {n: options[n] for n in options if n not in ("self", "X", "kwargs")}
        if options.get("pred_contrib"):  # those of sparse rows are a list
            return getattr(DaskLGBMClassifier, name)(self, X, **options)
        return answers_of(self.to_local(), name, X, **options)

    answers.__signature__ = inspect.signature(method)  # type: ignore[attr-defined]
    return answers


class FocalDaskLGBMClassifier(FocalLGBMClassifier, DaskLGBMClassifier):
    """LightGBM's classifier with the focal loss on a Dask cluster.

    It is ``FocalLGBMClassifier`` on Dask arrays and data frames. Labels, class weights,
    baseline, metric and answers are as those of ``FocalDaskXGBClassifier``.
    ``save_model`` writes a file that ``FocalLGBMClassifier`` loads as well. An
    evaluation set has at least as many rows as X has partitions with rows.

    Parameters
    ----------
    client : distributed.Client or None, default=None
        None is the client that Dask uses by default.
    **kwargs
        As in ``FocalLGBMClassifier``, and so are attributes and the errors of ``fit``.
        A ``metric`` raises an error, because LightGBM has none for the rows of all
        workers.

    See Also
    --------
    focalboost.FocalLGBMClassifier : ``focal_gamma`` and the other parameters.

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
        refused = {
            "init_score": init_score,
            "eval_init_score": eval_init_score,
            "eval_class_weight": eval_class_weight,
            "eval_metric": eval_metric,
        }
        for name, value in refused.items():
            if value is not None:
                reject(name, "None on a cluster", value, "Train in a single process.")
        whole_number("n_estimators", self.n_estimators, 1)
        client = client_of(self.client)
        found = summaries_of(client, y, sample_weight)
        model, of_model = model_and_labels(init_model)
        if model is not None:
            X = as_in_model(model, X, kwargs.get("feature_name"))
        target = SpreadTarget(self, found, of_model)
        loss, classes = target.loss, target.classes
        plan = self._plan(loss, None)
        pairs = pairs_given(eval_set, eval_X, eval_y)
        weights = for_each("eval_sample_weight", eval_sample_weight, pairs)
        evaluation = [
            target.table(summaries_of(client, truth, weight), features, truth, weight)
            for (features, truth), weight in zip(pairs, weights, strict=True)
        ]
        host = fitted_host(
            client,
            plan,
            target.table(found, X, y, sample_weight),
            evaluation,
            target=(np.arange(len(classes)), target.masses),
            balance=checked_balance(self.focal_balance, "focal_balance", bool(pairs)),
            classes=classes,
            n_estimators=self.n_estimators,
            eval_names=eval_names,
            init_model=init_model,
            callbacks=callbacks,
            **kwargs,
        )
        self._learned_by(host, loss, classes, kwargs.get("feature_name", "auto"))
        return self

    def to_local(self) -> FocalLGBMClassifier:
        """Return the same model as an estimator of a single process."""
        model: FocalLGBMClassifier = self._lgb_dask_to_local(FocalLGBMClassifier)
        return model

    predict = _by_partition("predict")
    predict_proba = _by_partition("predict_proba")
    decision_function = _by_partition("decision_function")
