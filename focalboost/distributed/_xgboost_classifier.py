"""FocalDaskXGBClassifier: FocalXGBClassifier on a Dask cluster."""

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xgboost
from xgboost.dask import DaskDMatrix, DaskQuantileDMatrix, DaskXGBClassifier

from focalboost._hosts._params import as_list, checked_balance
from focalboost._validation import reject, whole_number
from focalboost.distributed._cluster import (
    SpreadTarget,
    Table,
    answers_of,
    delayed,
    summaries_of,
)
from focalboost.distributed.xgboost import trained
from focalboost.estimators import FocalXGBClassifier
from focalboost.estimators._rows import one_for_each, pairs_of
from focalboost.estimators._xgboost import model_and_labels
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
        The client, by default the one that Dask uses. Other attributes, and the errors
        of ``fit``, are those of ``FocalXGBClassifier``.

    See Also
    --------
    focalboost.FocalXGBClassifier : ``focal_gamma`` and the other parameters.

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
            whole_number("n_estimators", self.n_estimators, 1)
        if any(map(callable, as_list(self.eval_metric))):
            rule = (
                "left out for the relative focal loss of all rows, or the name of a "
                "metric of the ranking"
            )
            advice = "XGBoost would take the mean of a callable over the workers."
            reject("eval_metric", rule, self.eval_metric, advice)
        balance = checked_balance(self.focal_balance, "focal_balance", bool(eval_set))
        model, of_model = model_and_labels(xgb_model)
        found = await summaries_of(self.client, y, sample_weight)
        target = SpreadTarget(self, found, of_model)
        # On the bins of new rows XGBoost misreads a model.
        matrix = functools.partial(self._matrix, has_bins=model is None)
        table = target.table(found, X, y, sample_weight, base_margin)
        if feature_weights is None:
            feature_weights = self.feature_weights
        if feature_weights is not None:
            feature_weights = delayed(np.asarray)(feature_weights)
        dtrain = await matrix(table, feature_weights=feature_weights)
        pairs, evals = pairs_of(eval_set), []
        weights = one_for_each("sample_weight_eval_set", sample_weight_eval_set, pairs)
        margins = one_for_each("base_margin_eval_set", base_margin_eval_set, pairs)
        training = X, y, sample_weight, base_margin
        for i, (features, truth) in enumerate(pairs):
            data, given = dtrain, (features, truth, weights[i], margins[i])
            if not all(map(operator.is_, given, training)):
                found = await summaries_of(self.client, truth, weights[i])
                data = await matrix(target.table(found, *given), ref=dtrain)
            evals.append((data, f"validation_{i}"))
        result = await trained(
            self.client,
            self._params_of_labels(self.get_xgb_params(), target.loss),
            dtrain,
            self.get_num_boosting_rounds(),
            loss=target.loss,
            max_learning_rate=self.focal_max_learning_rate,
            balance=balance,
            evals=evals,
            model=model,
            config=xgboost.get_config(),
            callbacks=self.callbacks,
            classes=target.classes,
            ends_at_best=True,
            early_stopping_rounds=self.early_stopping_rounds,
            verbose_eval=verbose,
            coll_cfg=self.coll_cfg,
        )
        booster, history = result["booster"], result["history"]
        self._learned(booster, target.loss, target.classes, history)
        return self

    async def _matrix(
        self, table: Table, *, has_bins: bool, ref: Any = None, **options: Any
    ) -> Any:
        """The data set of a training; quantiles take less memory, for ``hist``."""
        kind, rows = DaskDMatrix, table.collections()
        is_hist = self.tree_method in (None, "auto", "hist")
        if has_bins and is_hist and not is_update(self.get_xgb_params()):
            kind = DaskQuantileDMatrix
            options |= {"max_bin": self.max_bin, "ref": ref}
        return await kind(
            client=self.client,
            data=rows["X"],
            label=rows["y"],
            weight=rows.get("sample_weight"),
            base_margin=rows.get("base_margin"),
            missing=self.missing,
            feature_types=self.feature_types,
            enable_categorical=self.enable_categorical,
            **options,
        )

    def to_local(self) -> FocalXGBClassifier:
        """Return the same model as an estimator of a single process."""
        model = FocalXGBClassifier(**_without_cluster(self.get_params(deep=False)))
        model.__dict__.update(_without_cluster(vars(self)))
        return model

    async def _answers(self, method: str, X: Any, **options: Any) -> Any:
        """The answers of the model of a single process, by partition."""
        return answers_of(self.to_local(), method, X, **options)

    _predict_async = functools.partialmethod(_answers, "predict")
    _predict_proba_async = functools.partialmethod(_answers, "predict_proba")
    fit = DaskXGBClassifier.fit
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
            self._answers,
            method="decision_function",
            X=X,
            validate_features=validate_features,
            base_margin=base_margin,
            iteration_range=iteration_range,
        )
