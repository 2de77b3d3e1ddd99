"""FocalDaskXGBClassifier: FocalXGBClassifier on a Dask cluster."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xgboost
from xgboost.dask import DaskDMatrix, DaskQuantileDMatrix, DaskXGBClassifier

from focalboost._hosts._note import Provenance, earlier_balance
from focalboost._hosts._params import as_list, balances, checked_balance
from focalboost._validation import reject
from focalboost.distributed._balance import balanced_booster
from focalboost.distributed._cluster import by_partition, delayed
from focalboost.distributed._data import Rows, SpreadTarget, summaries_of
from focalboost.distributed.xgboost import train
from focalboost.estimators import FocalXGBClassifier
from focalboost.estimators._base import (
    labels_of_model,
    loss_of,
    require_rounds,
)
from focalboost.estimators._rows import pairs_of
from focalboost.xgboost._model import (
    booster_of,
    n_scores_of,
    provenance_of,
    set_provenance,
)
from focalboost.xgboost._params import is_update


def require_xgboost_3(version: str) -> None:
    """Before it, the bases of XGBoost's two classifiers have no common order."""
    if int(version.partition(".")[0]) < 3:
        raise ImportError(
            f"FocalDaskXGBClassifier needs XGBoost 3.0 or newer, and {version} is "
            "installed. Upgrade XGBoost, or use focalboost.distributed.xgboost.train.",
            name="xgboost",
        )


require_xgboost_3(xgboost.__version__)

#: What an estimator of a single process has no use for.
_CLUSTER = ("_client", "_asynchronous", "coll_cfg")


def _without_cluster(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in values if name not in _CLUSTER}


class FocalDaskXGBClassifier(FocalXGBClassifier, DaskXGBClassifier):
    """XGBoost's classifier with the focal loss on a Dask cluster.

    It is ``FocalXGBClassifier`` on Dask arrays and data frames. Labels of any kind are
    encoded over all partitions, and a partition may lack some. Class weights, baseline
    and the metric of early stopping are those of all rows. ``predict_proba`` returns
    the class-posterior as a Dask array. ``save_model`` writes a file that
    ``FocalXGBClassifier`` loads as well.

    Parameters
    ----------
    coll_cfg, **kwargs : as in the hosts' classes
        As in ``xgboost.dask.DaskXGBClassifier`` and ``FocalXGBClassifier``. A callable
        ``eval_metric`` raises an error, and so do labels of several columns.

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

        With an asynchronous client, await the result.
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
        balance = checked_balance(self.focal_balance, "focal_balance", bool(eval_set))
        parts = await self._computed(summaries_of(y, sample_weight))
        model = of_model = known_model = None
        if xgb_model is not None:
            model = booster_of(xgb_model)
            known_model = provenance_of(model, "xgb_model")
            of_model = labels_of_model(xgb_model, known_model, n_scores_of(model))
        target = SpreadTarget(parts, self.class_weight, of_model)
        masses = target.masses if model is None else None
        loss = loss_of(self.focal_gamma, self.focal_alpha, target.classes, masses)
        rows = target.rows(X, y, sample_weight, base_margin, parts)
        if feature_weights is None:
            feature_weights = self.feature_weights
        if feature_weights is not None:  # an array, or one of Dask, which XGBoost wants
            feature_weights = delayed(np.asarray)(feature_weights)
        has_bins = model is None  # on the bins of new rows XGBoost misreads a model
        options = {"feature_weights": feature_weights}
        dtrain = await self._matrix(rows, has_bins, **options)
        evals = []
        for i, (features, truth) in enumerate(pairs_of(eval_set)):
            weight = _entry("sample_weight_eval_set", sample_weight_eval_set, i)
            margin = _entry("base_margin_eval_set", base_margin_eval_set, i)
            known = await self._computed(summaries_of(truth, weight))
            rows = target.rows(features, truth, weight, margin, known)
            evals.append(
                (await self._matrix(rows, has_bins, ref=dtrain), f"validation_{i}")
            )
        collective = getattr(self, "coll_cfg", None)
        result = await train(
            self.client,
            self._booster_params(loss),
            dtrain,
            self.get_num_boosting_rounds(),
            loss=loss,
            max_learning_rate=self.focal_max_learning_rate,
            balance=False,
            evals=evals or None,
            early_stopping_rounds=self.early_stopping_rounds,
            xgb_model=model,
            verbose_eval=verbose,
            callbacks=self.callbacks,
            coll_cfg=collective,
        )
        booster, before = result["booster"], None
        if balances(balance, loss):
            rows_of = dtrain if balance is True else evals[-1][0]
            best = booster.attr("best_iteration")
            rounds = None if best is None else int(best) + 1
            booster, before = await balanced_booster(
                *(self.client, booster, loss, rows_of),
                earlier_balance(known_model),
                rounds,
            )
        self._Booster = booster
        self.__dict__.pop("evals_result_", None)
        if evals:
            self.evals_result_ = result["history"]
        self.focal_loss_, self._classes = loss, target.classes
        self.n_classes_ = len(target.classes)
        self._name_objective(loss)
        set_provenance(booster, Provenance(loss, target.classes, before))
        return self

    async def _computed(self, calls: list[Any]) -> Any:
        """The results of delayed calls."""
        client: Any = self.client
        return await client.gather(client.compute(calls))

    async def _matrix(self, rows: Rows, has_bins: bool, **options: Any) -> Any:
        """The data set of a training; quantiles take less memory, for ``hist``."""
        reference = options.pop("ref", None)
        kind = DaskDMatrix
        is_hist = self.tree_method in (None, "auto", "hist")
        if has_bins and is_hist and not is_update(self.get_xgb_params()):
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
        params = self._params_of_labels(self.get_xgb_params(), loss)
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
        model = FocalXGBClassifier(**_without_cluster(self.get_params(deep=False)))
        model.__dict__.update(_without_cluster(vars(self)))
        return model

    async def _predict_async(
        self, data: Any, *, output_margin: bool, base_margin: Any, **options: Any
    ) -> Any:
        if output_margin:
            options |= {"output_margin": True, "raw": np.float32}
        return self._answers("predict", data, base_margin, **options)

    async def _predict_proba_async(
        self, X: Any, validate_features: bool, base_margin: Any, iteration_range: Any
    ) -> Any:
        options = {"validate_features": validate_features}
        options |= {"iteration_range": iteration_range}
        return self._answers("predict_proba", X, base_margin, **options)

    async def _decision_async(self, X: Any, *, base_margin: Any, **options: Any) -> Any:
        return self._answers("decision_function", X, base_margin, **options)

    def _answers(self, method: str, X: Any, base_margin: Any, **options: Any) -> Any:
        """The answers of the model of a single process, by partition."""
        self.get_booster()  # not fitted: XGBoost words this error
        return by_partition(self.to_local(), method, X, base_margin, **options)

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
