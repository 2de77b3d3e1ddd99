"""XGBoost's Spark classifier with the focal loss.

``SparkXGBClassifier`` refuses a callable ``objective``. It accepts ``obj`` as ``train``
does, without saying so, but then neither the estimator nor the model can be saved.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._imports import import_extra, import_host
from focalboost._hosts._note import Provenance, warn_of_another_loss
from focalboost._hosts._params import (
    balance_to_make,
    checked_balance,
    checked_loss,
    rows_of_masses,
    warn_of_no_split,
)
from focalboost.estimators._base import posterior_of_each
from focalboost.losses import Loss, SoftmaxFocalLoss
from focalboost.losses._balance import Part, Total, balancing_shift_of_parts
from focalboost.objectives import Curvature
from focalboost.xgboost._model import (
    booster_of,
    earlier_balance_of,
    has_split,
    provenance_of,
    set_provenance,
    shift_base_score,
)
from focalboost.xgboost._params import make_plan

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from xgboost.spark import SparkXGBClassifier, SparkXGBClassifierModel

__all__ = ["fit", "with_posterior"]


def fit(
    estimator: "SparkXGBClassifier",
    dataset: "DataFrame",
    *,
    loss: Loss | None = None,
    curvature: Curvature = "certified",
    max_learning_rate: float | None = None,
    balance: bool = True,
) -> "SparkXGBClassifierModel":
    """Fit an ``xgboost.spark.SparkXGBClassifier`` with the focal loss.

    Objective, baseline and metric are those of ``focalboost.xgboost.train``. The
    baseline is that of all rows but those for validation. The model is a plain one and
    can be saved. Its ``probability`` is the focal score; ``with_posterior`` adds the
    posterior.

    Parameters
    ----------
    estimator : SparkXGBClassifier
        Its columns and parameters are used. It is not changed.
    dataset : pyspark.sql.DataFrame
        Labels are 0 to K - 1.
    loss, curvature, max_learning_rate, balance : as in ``focalboost.xgboost.train``
        See there. More than two labels need a ``loss``.

    Returns
    -------
    SparkXGBClassifierModel
        The fitted model.

    Raises
    ------
    ValueError
        As in ``focalboost.xgboost.train``.

    Examples
    --------
    ::

        from xgboost.spark import SparkXGBClassifier
        import focalboost.distributed.spark
        from focalboost import FocalLoss

        estimator = SparkXGBClassifier(features_col="features", num_workers=4)
        loss = FocalLoss(gamma=2)
        model = focalboost.distributed.spark.fit(estimator, data, loss=loss)
        model.write().save("model")
        scored = focalboost.distributed.spark.with_posterior(
            model.transform(data), loss
        )
    """
    import_host("xgboost")
    loss = checked_loss(loss, None)
    checked_balance(balance, "balance", has_validation=False)
    params = _params(estimator)
    model = params.pop("xgb_model", None)
    model = None if model is None else booster_of(model)
    target = rows_of_masses(loss, _masses(estimator, dataset, loss))
    plan = make_plan(params, loss, target, model, curvature, max_learning_rate)
    if model is not None:
        warn_of_another_loss(provenance_of(model, "xgb_model"), loss, "xgb_model")
    trained = estimator.copy()
    trained.setParams(
        obj=plan.objective,
        custom_metric=plan.metric,
        disable_default_eval_metric=1,
    )
    if model is not None:
        trained.setParams(xgb_model=model)  # before it was balanced
    if "base_score" in plan.params:
        trained.setParams(base_score=plan.params["base_score"])
    fitted: SparkXGBClassifierModel = trained.fit(dataset)
    _forget_callables(fitted)
    booster, before = fitted.get_booster(), None
    warn_of_no_split(has_split(booster), loss)
    if balance_to_make(balance, loss, curvature):
        scored = fitted.transform(_training_rows(estimator, dataset))
        rows = _labels_and_scores(estimator, scored).persist()
        total, earlier = _total(rows, loss), earlier_balance_of(booster)
        try:
            shift = balancing_shift_of_parts(loss, total, earlier)
        finally:
            rows.unpersist()
        before = shift_base_score(booster, loss, shift)
    set_provenance(booster, Provenance(loss, None, before))
    return fitted


#: The parameters of the estimator that the focal loss has a say in.
_READ = (
    *("objective", "scale_pos_weight", "eval_metric", "base_score", "xgb_model"),
    *("learning_rate", "device"),
)


def _params(estimator: Any) -> dict[str, Any]:
    """What the user has set of them, and parameters that Spark does not know."""
    own = {param.name: value for param, value in estimator.extractParamMap().items()}
    extra: dict[str, Any] = own.pop("arbitrary_params_dict", {})
    return {name: own[name] for name in _READ if own.get(name) is not None} | extra


def _masses(estimator: Any, dataset: Any, loss: Loss) -> NDArray[np.float64]:
    """The class masses of the rows to train on, added up by Spark."""
    from pyspark.sql import functions

    label = estimator.getOrDefault("labelCol")
    weight = _column(estimator, "weightCol")
    rows = _training_rows(estimator, dataset)
    mass = functions.count("*") if weight is None else functions.sum(weight)
    found = rows.groupBy(label).agg(mass.alias("mass")).collect()
    labels, masses = (np.array([row[i] for row in found], float) for i in (0, 1))
    return np.asarray(loss.class_masses(labels, masses))


def _training_rows(estimator: Any, dataset: Any) -> Any:
    """The rows of a data set that are not for validation."""
    from pyspark.sql import functions

    validation = _column(estimator, "validationIndicatorCol")
    return dataset if validation is None else dataset.filter(~functions.col(validation))


def _labels_and_scores(estimator: Any, predictions: Any) -> Any:
    """The columns that a balance needs."""
    from pyspark.ml.functions import vector_to_array
    from pyspark.sql import functions

    weight = _column(estimator, "weightCol")
    mass = functions.lit(1.0) if weight is None else functions.col(weight)
    return predictions.select(
        functions.col(estimator.getOrDefault("labelCol")).alias("label"),
        vector_to_array(estimator.getOrDefault("rawPredictionCol")).alias("raw"),
        mass.alias("weight"),
    )


def _total(frame: Any, loss: Loss) -> Total:
    """What adds up over rows with their raw predictions; Spark does it."""

    def total(function: Callable[[Part], NDArray[np.float64]]) -> NDArray[np.float64]:
        add = partial(_added, function, loss)
        shape = function(_part_of_rows(loss, np.zeros(0), [], np.zeros(0))).shape
        found = frame.mapInPandas(add, "sums array<double>").collect()
        return np.asarray(np.sum([row.sums for row in found], axis=0)).reshape(shape)

    return total


def _added(
    function: Callable[[Part], NDArray[np.float64]], loss: Loss, batches: Iterable[Any]
) -> Iterator[Any]:
    """What a function gives for the rows of a partition, as one row of a data frame."""
    pandas = import_extra("pandas", "pip install pandas")
    for batch in batches:
        part = _part_of_rows(loss, batch["label"], list(batch["raw"]), batch["weight"])
        yield pandas.DataFrame({"sums": [function(part).ravel()]})


def _part_of_rows(loss: Loss, label: Any, raw: list[Any], weight: Any) -> Part:
    n_classes = loss.n_classes if isinstance(loss, SoftmaxFocalLoss) else 2
    scores = _of_spark(loss, np.array(raw, dtype=np.float64).reshape(-1, n_classes))
    return Part(np.asarray(label), scores, np.asarray(weight, dtype=np.float64))


def _of_spark(loss: Loss, raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Raw predictions of Spark's, which are (-raw, raw) for two classes."""
    return raw if isinstance(loss, SoftmaxFocalLoss) else raw[:, 1]


def _column(estimator: Any, name: str) -> str | None:
    """The name of a column, or None if the estimator has none."""
    return estimator.getOrDefault(name) if estimator.isDefined(name) else None


def _forget_callables(model: Any) -> None:
    """Drop what training alone needs, and Spark cannot write."""
    param = model.getParam("arbitrary_params_dict")
    kept = {k: v for k, v in model.getOrDefault(param).items() if not callable(v)}
    model.set(param, kept)


def with_posterior(
    predictions: "DataFrame",
    loss: Loss,
    *,
    raw_prediction_col: str = "rawPrediction",
    posterior_col: str = "posterior",
) -> "DataFrame":
    """Add the class-posteriors to what a model's ``transform`` returns.

    Parameters
    ----------
    predictions : pyspark.sql.DataFrame
        What ``model.transform`` returned.
    loss : FocalLoss or SoftmaxFocalLoss
        The loss of the training.
    raw_prediction_col : str, default="rawPrediction"
        The column of raw predictions.
    posterior_col : str, default="posterior"
        The column to add, an array of doubles, one for each class.

    Returns
    -------
    pyspark.sql.DataFrame
        The predictions with the new column.

    Examples
    --------
    ::

        scored = focalboost.distributed.spark.with_posterior(
            model.transform(data), FocalLoss(gamma=2)
        )
    """
    advice = "pip install pyspark pandas pyarrow"
    pandas, functions, ml = (
        import_extra(name, advice)
        for name in ("pandas", "pyspark.sql.functions", "pyspark.ml.functions")
    )

    def posterior(raw: Any) -> Any:
        rows = _of_spark(loss, np.stack(raw.to_numpy()))
        return pandas.Series(list(posterior_of_each(loss, rows)))

    # Spark reads here what to hand over.
    posterior.__annotations__ = {"raw": pandas.Series, "return": pandas.Series}
    by_batch = functions.pandas_udf(posterior, "array<double>")
    raw = ml.vector_to_array(predictions[raw_prediction_col])
    return predictions.withColumn(posterior_col, by_batch(raw))
