"""XGBoost's Spark classifier with the focal loss.

``SparkXGBClassifier`` refuses a callable ``objective``, and takes ``obj`` as ``train``
does without saying so; with it neither the estimator nor the model can be saved.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from focalboost._host import checked_loss, import_host
from focalboost._imports import import_extra
from focalboost.distributed._cluster import rows_of_masses
from focalboost.losses import Loss, SoftmaxFocalLoss
from focalboost.objectives import Curvature
from focalboost.xgboost._model import booster_of
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
) -> "SparkXGBClassifierModel":
    """Fit an ``xgboost.spark.SparkXGBClassifier`` with the focal loss.

    Objective, baseline and metric are those of ``focalboost.xgboost.train``, the
    baseline that of all rows of the data set that are not for validation. The model is
    a plain one, which can be saved; its ``probability`` is the focal score, and
    ``with_posterior`` adds the posterior.

    Parameters
    ----------
    estimator : SparkXGBClassifier
        With columns and parameters; it is left as it is.
    dataset : pyspark.sql.DataFrame
        Labels are 0 to K - 1.
    loss, curvature, max_learning_rate
        As in ``focalboost.xgboost.train``; for more than two labels the loss has to be
        given.

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
    params = _params(estimator)
    model = params.pop("xgb_model", None)
    model = None if model is None else booster_of(model)
    target = rows_of_masses(loss, _masses(estimator, dataset, loss))
    plan = make_plan(params, loss, target, model, curvature, max_learning_rate)
    trained = estimator.copy()
    trained.setParams(
        obj=plan.objective,
        custom_metric=plan.metric,
        disable_default_eval_metric=1,
    )
    if "base_score" in plan.params:
        trained.setParams(base_score=plan.params["base_score"])
    fitted: SparkXGBClassifierModel = trained.fit(dataset)
    _forget_callables(fitted)
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
    validation = _column(estimator, "validationIndicatorCol")
    rows = dataset if validation is None else dataset.filter(~functions.col(validation))
    mass = functions.count("*") if weight is None else functions.sum(weight)
    found = rows.groupBy(label).agg(mass.alias("mass")).collect()
    labels, masses = (np.array([row[i] for row in found], float) for i in (0, 1))
    return np.asarray(loss.class_masses(labels, masses))


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

    The column is an array of doubles, one for each class; ``loss`` is that of the
    training.
    """
    advice = "pip install 'focalboost[spark]'"
    pandas, functions, ml = (
        import_extra(name, advice)
        for name in ("pandas", "pyspark.sql.functions", "pyspark.ml.functions")
    )

    def posterior(raw: Any) -> Any:
        return pandas.Series(list(_posterior(loss, np.stack(raw.to_numpy()))))

    # Spark reads here what to hand over.
    posterior.__annotations__ = {"raw": pandas.Series, "return": pandas.Series}
    by_batch = functions.pandas_udf(posterior, "array<double>")
    raw = ml.vector_to_array(predictions[raw_prediction_col])
    return predictions.withColumn(posterior_col, by_batch(raw))


def _posterior(loss: Loss, raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """The posterior of rows of Spark's raw predictions, for two classes (-raw, raw)."""
    if isinstance(loss, SoftmaxFocalLoss):
        return np.asarray(loss.posterior(raw))
    log_odds = np.asarray(loss.posterior_log_odds(raw[:, 1]))
    return np.column_stack([expit(-log_odds), expit(log_odds)])
