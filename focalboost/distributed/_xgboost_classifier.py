"""FocalDaskXGBClassifier."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from xgboost.dask import DaskDMatrix, DaskQuantileDMatrix, DaskXGBClassifier

from focalboost._host import as_list
from focalboost._provenance import Provenance, warn_of_another_loss
from focalboost._validation import reject
from focalboost.distributed._predict import by_partition
from focalboost.distributed._target import Rows, SpreadTarget, summaries_of
from focalboost.distributed.xgboost import train
from focalboost.estimators import FocalXGBClassifier
from focalboost.estimators._base import (
    loss_of,
    refuse_other_labels,
    require_rounds,
)
from focalboost.estimators._rows import pairs_of
from focalboost.losses import SoftmaxFocalLoss
from focalboost.xgboost._model import booster_of, provenance_of, set_provenance

__all__ = ["FocalDaskXGBClassifier"]


#: What an estimator of a single process has no use for.
_CLUSTER = ("_client", "_asynchronous", "coll_cfg")


def without_cluster(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters of an estimator of a single process."""
    return {name: params[name] for name in params if name not in _CLUSTER}


class FocalDaskXGBClassifier(FocalXGBClassifier, DaskXGBClassifier):
    """XGBoost's classifier with the focal loss on a Dask cluster.

    It is ``FocalXGBClassifier`` on Dask arrays and data frames: labels of any kind are
    encoded over all partitions, and class weights, baseline and the metric that stops
    early are those of all rows. ``predict_proba`` is the class-posterior, as a Dask
    array. ``save_model`` and ``load_model`` are those of ``FocalXGBClassifier``, which
    loads the files as well.

    Parameters
    ----------
    coll_cfg, **kwargs
        As in ``xgboost.dask.DaskXGBClassifier`` and ``FocalXGBClassifier``. A callable
        ``eval_metric`` is refused, and so are labels of several columns.

    Attributes
    ----------
    client : distributed.Client
        The client, by default the one that Dask uses.
    focal_loss_, classes_
        As in ``FocalXGBClassifier``.

    Raises
    ------
    ValueError
        In ``fit``, as ``FocalXGBClassifier`` does.

    Examples
    --------
    >>> import dask.array
    >>> from dask.distributed import Client
    >>> from focalboost.distributed import FocalDaskXGBClassifier
    >>> X = dask.array.arange(600.0, chunks=200).reshape(-1, 1)
    >>> y = dask.array.where(X[:, 0] > 550, "fraud", "other")
    >>> options = {"n_workers": 1, "processes": False, "dashboard_address": ":0"}
    >>> with Client(**options) as client:
    ...     model = FocalDaskXGBClassifier(n_estimators=20).fit(X, y)
    ...     model.predict_proba(X).compute().shape
    (600, 2)
    """

    __module__ = "focalboost.distributed"

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
    ) -> Any:
        """Fit the model; arguments as in ``DaskXGBClassifier.fit``.

        With an asynchronous client it has to be awaited.
        """
        return self._client_sync(
            self._fit_async,
            X=X,
            y=y,
            sample_weight=sample_weight,
            base_margin=base_margin,
            eval_set=eval_set,
            verbose=verbose,
            xgb_model=xgb_model,
            sample_weight_eval_set=sample_weight_eval_set,
            base_margin_eval_set=base_margin_eval_set,
            feature_weights=feature_weights,
        )

    async def _fit_async(
        self,
        X: Any,
        y: Any,
        *,
        sample_weight: Any,
        base_margin: Any,
        eval_set: Sequence[tuple[Any, Any]] | None,
        verbose: Any,
        xgb_model: Any,
        sample_weight_eval_set: Sequence[Any] | None,
        base_margin_eval_set: Sequence[Any] | None,
        feature_weights: Any,
    ) -> "FocalDaskXGBClassifier":
        if self.n_estimators is not None:
            require_rounds(self.n_estimators)
        parts = await self._computed(summaries_of(y, sample_weight))
        target = SpreadTarget(parts, self.class_weight)
        order = target.classes, target.masses
        loss = loss_of(self.focal_gamma, self.focal_alpha, *order)
        model = self._model_to_continue(xgb_model, loss, target)
        rows = target.rows(X, y, sample_weight, base_margin, parts)
        dtrain = await self._matrix(rows, feature_weights=feature_weights)
        evals = []
        for i, (features, truth) in enumerate(pairs_of(eval_set)):
            weight = _entry("sample_weight_eval_set", sample_weight_eval_set, i)
            margin = _entry("base_margin_eval_set", base_margin_eval_set, i)
            known = await self._computed(summaries_of(truth, weight))
            rows = target.rows(features, truth, weight, margin, known)
            evals.append((await self._matrix(rows, ref=dtrain), f"validation_{i}"))
        collective = getattr(self, "coll_cfg", None)
        result = await train(
            self.client,
            self._booster_params(loss),
            dtrain,
            self.get_num_boosting_rounds(),
            loss=loss,
            max_learning_rate=self.focal_max_learning_rate,
            evals=evals or None,
            early_stopping_rounds=self.early_stopping_rounds,
            xgb_model=model,
            verbose_eval=verbose,
            callbacks=self.callbacks,
            **({} if collective is None else {"coll_cfg": collective}),
        )
        self._Booster = result["booster"]
        self.__dict__.pop("evals_result_", None)
        if evals:
            self.evals_result_ = result["history"]
        self.focal_loss_, self._classes = loss, target.classes
        self.n_classes_ = len(target.classes)
        set_provenance(self._Booster, Provenance(loss, target.classes))
        return self

    async def _computed(self, calls: list[Any]) -> Any:
        """The results of delayed calls."""
        client: Any = self.client
        return await client.gather(client.compute(calls))

    def _model_to_continue(self, xgb_model: Any, loss: Any, target: Any) -> Any:
        if xgb_model is None:
            return None
        booster = booster_of(xgb_model)
        known = provenance_of(booster, "xgb_model")
        refuse_other_labels(known, target.classes, "xgb_model")
        warn_of_another_loss(known, loss, "xgb_model")
        return booster

    async def _matrix(self, rows: Rows, **options: Any) -> Any:
        """The data set of a training; quantiles take less memory, for ``hist``."""
        reference = options.pop("ref", None)
        kind = DaskDMatrix
        if self.tree_method in (None, "auto", "hist"):
            kind = DaskQuantileDMatrix
            options |= {"max_bin": self.max_bin, "ref": reference}
        return await kind(
            self.client,
            rows.X,
            rows.y,
            weight=rows.sample_weight,
            base_margin=rows.margin,
            missing=self.missing,
            feature_types=self.feature_types,
            enable_categorical=self.enable_categorical,
            **options,
        )

    def _booster_params(self, loss: Any) -> dict[str, Any]:
        params: dict[str, Any] = self.get_xgb_params()
        if params.get("objective") == "binary:logistic":  # XGBoost's default
            params["objective"] = None
        metrics = self.eval_metric
        if any(map(callable, as_list(metrics))):
            reject(
                "eval_metric",
                "left out for the relative focal loss of all rows, or the name of a "
                "metric of the ranking",
                metrics,
                "XGBoost would take the mean of a callable over the workers, whatever "
                "their rows weigh.",
            )
        return params

    def to_local(self) -> FocalXGBClassifier:
        """Return the same model as an estimator of a single process."""
        model = FocalXGBClassifier(**without_cluster(self.get_params(deep=False)))
        fitted = {name: v for name, v in vars(self).items() if name not in _CLUSTER}
        model.__dict__.update(fitted)
        return model

    async def _predict_async(
        self, data: Any, *, output_margin: bool, base_margin: Any, **options: Any
    ) -> Any:
        loss, classes = self._fitted_loss(), self.classes_
        row: Any = classes[0]
        if output_margin:
            several = isinstance(loss, SoftmaxFocalLoss)
            row = np.zeros(len(classes) if several else (), np.float32)
            options["output_margin"] = True
        return by_partition(
            self.to_local(), "predict", data, row, base_margin, **options
        )

    async def _predict_proba_async(
        self, X: Any, validate_features: bool, base_margin: Any, iteration_range: Any
    ) -> Any:
        options = {"validate_features": validate_features}
        options |= {"iteration_range": iteration_range}
        row = np.zeros(len(self.classes_))
        model = self.to_local()
        return by_partition(model, "predict_proba", X, row, base_margin, **options)

    async def _decision_async(self, X: Any, *, base_margin: Any, **options: Any) -> Any:
        several = isinstance(self._fitted_loss(), SoftmaxFocalLoss)
        row = np.zeros(len(self.classes_) if several else ())
        model = self.to_local()
        return by_partition(model, "decision_function", X, row, base_margin, **options)

    def _fitted_loss(self) -> Any:
        self.get_booster()  # not fitted: XGBoost words this error
        return self.focal_loss_

    predict = DaskXGBClassifier.predict
    predict_proba = DaskXGBClassifier.predict_proba
    apply = DaskXGBClassifier.apply

    def decision_function(
        self,
        X: Any,
        validate_features: bool = True,
        base_margin: Any = None,
        iteration_range: Any = None,
    ) -> Any:
        """Return the logit of the posterior, or the log posterior of each class."""
        return self._client_sync(
            self._decision_async,
            X=X,
            validate_features=validate_features,
            base_margin=base_margin,
            iteration_range=iteration_range,
        )


def _entry(name: str, values: Sequence[Any] | None, position: int) -> Any:
    if values is None:
        return None
    if position >= len(values):
        reject(
            name,
            "one entry for each evaluation set",
            len(values),
            "Use None for a set without.",
        )
    return values[position]
