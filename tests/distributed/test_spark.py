"""XGBoost's Spark classifier with the focal loss, on a local Spark of two processes."""

import os
import sys

import numpy as np
import pytest
from optional import xgboost

import focalboost.xgboost
from focalboost import FocalLoss, SoftmaxFocalLoss

pyspark = pytest.importorskip("pyspark", reason="Spark is not installed")
pd = pytest.importorskip("pandas")

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

FEATURES = [f"f{i}" for i in range(5)]
PARAMS = {"max_depth": 3, "n_estimators": 10}


@pytest.fixture(scope="module")
def spark():
    from pyspark.sql import SparkSession

    before = dict(os.environ)
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    session = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="module")
def data(spark, table, classes):
    X, y, weight = table
    frame = pd.DataFrame(X, columns=FEATURES)
    frame = frame.assign(y=y, classes=classes, weight=weight.astype(float))
    frame["is_validation"] = np.arange(len(frame)) % 4 == 0
    return spark.createDataFrame(frame)


def estimator(**params):
    from xgboost.spark import SparkXGBClassifier

    columns = {"features_col": FEATURES, "label_col": "y", "verbose": False}
    return SparkXGBClassifier(**{**columns, "num_workers": 2, **PARAMS, **params})


def alone(table, y, loss, rounds=10, **params):
    X, _, weight = table
    data = xgboost.DMatrix(X, y, weight=weight, feature_names=FEATURES)
    params = {"max_depth": 3, "nthread": 1, **params}
    booster = focalboost.xgboost.train(params, data, rounds, loss=loss)
    return booster, booster.predict(data, output_margin=True)


def column(frame, name):
    values = [row[0] for row in frame.select(name).collect()]
    return np.array([getattr(v, "toArray", lambda v=v: v)() for v in values])


@pytest.mark.parametrize("loss", [FocalLoss((0, 2), 0.3), SoftmaxFocalLoss(3)], ids=str)
def test_the_model_is_that_of_one_process(spark, data, table, classes, loss, tmp_path):
    from xgboost.spark import SparkXGBClassifierModel

    from focalboost.distributed import spark as focal

    several = isinstance(loss, SoftmaxFocalLoss)
    y, name = (classes, "classes") if several else (table[1], "y")
    given = estimator(label_col=name, weight_col="weight")
    model = focal.fit(given, data, loss=loss)
    params = {"num_class": 3} if several else {}
    _, raw = alone(table, y, loss, **params)
    scored = focal.with_posterior(model.transform(data), loss)
    found = column(scored, "rawPrediction")
    np.testing.assert_allclose(found if several else found[:, 1], raw, atol=1e-6)
    expected = loss.posterior(raw.astype(np.float64))
    posterior = column(scored, "posterior")
    np.testing.assert_allclose(posterior.sum(axis=1), 1)
    np.testing.assert_allclose(
        posterior if several else posterior[:, 1], expected, atol=1e-6
    )
    model.write().overwrite().save(str(tmp_path / "model"))
    loaded = SparkXGBClassifierModel.load(str(tmp_path / "model"))
    again = column(loaded.transform(data), "rawPrediction")
    np.testing.assert_array_equal(again, found)
    assert "obj" not in given.getOrDefault("arbitrary_params_dict")


def test_validation_rows_stop_early_and_are_not_trained_on(spark, data, table):
    from focalboost.distributed import spark as focal

    given = estimator(
        validation_indicator_col="is_validation",
        early_stopping_rounds=2,
        n_estimators=200,
        learning_rate=0.9,
    )
    model = focal.fit(given, data)
    X, y, _ = table
    held_out = np.arange(len(X)) % 4 == 0
    train, valid = (
        xgboost.DMatrix(X[rows], y[rows], feature_names=FEATURES)
        for rows in (~held_out, held_out)
    )
    booster = focalboost.xgboost.train(
        {"max_depth": 3, "nthread": 1, "learning_rate": 0.9},
        train,
        200,
        evals=[(valid, "valid")],
        early_stopping_rounds=2,
        verbose_eval=False,
    )
    assert model.get_booster().best_iteration == booster.best_iteration < 195


def test_a_continued_model_is_that_of_one_process(spark, data, table):
    from focalboost.distributed import spark as focal

    loss = FocalLoss(1)
    first, _ = alone(table, table[1], loss)
    given = estimator(weight_col="weight", xgb_model=first)
    model = focal.fit(given, data, loss=loss)
    _, raw = alone(table, table[1], loss, rounds=20)
    found = column(model.transform(data), "rawPrediction")
    np.testing.assert_allclose(found[:, 1], raw, atol=1e-6)


def test_the_posterior_adds_up_to_the_labels(spark, data, table):
    from focalboost.distributed import spark as focal

    loss, (_, y, weight) = FocalLoss((0, 2), 0.3), table
    model = focal.fit(estimator(weight_col="weight"), data, loss=loss)
    scored = focal.with_posterior(model.transform(data), loss)
    total = weight.astype(float)
    assert total @ column(scored, "posterior")[:, 1] == pytest.approx(total @ y, 1e-6)


@pytest.mark.parametrize("loss", [FocalLoss((0, 2), 0.3), SoftmaxFocalLoss(3)], ids=str)
def test_the_posterior_of_raw_predictions_as_spark_has_them(loss):
    """What Spark's own processes call, for rows of (-raw, raw) or of all classes."""
    from focalboost.distributed.spark import _of_spark
    from focalboost.estimators._base import posterior_of_each

    def posterior(rows):
        return posterior_of_each(loss, _of_spark(loss, rows))

    raw = np.array([[-200.0], [-2.5], [0.3], [40.0]])
    if isinstance(loss, SoftmaxFocalLoss):
        rows = np.column_stack([raw, 1 - raw, raw / 2])
        np.testing.assert_array_equal(posterior(rows), loss.posterior(rows))
    else:
        found = posterior(np.column_stack([-raw, raw]))
        np.testing.assert_allclose(found[:, 1], loss.posterior(raw[:, 0]), rtol=1e-14)
        np.testing.assert_allclose(found.sum(axis=1), 1)
        assert found[0, 1] > 0 < found[3, 0]  # however small


def test_conflicts_are_errors(spark, data):
    from focalboost.distributed import spark as focal

    with pytest.raises(ValueError, match="eval_metric"):
        focal.fit(estimator(eval_metric="logloss"), data)
    with pytest.raises(ValueError, match="y_true must be 0 or 1"):
        focal.fit(estimator(label_col="classes"), data)
    with pytest.raises(ValueError, match="balance must be True or False without"):
        focal.fit(estimator(), data, balance="validation")


def test_no_data_stay_in_the_cache(spark, data):
    from focalboost.distributed import spark as focal

    focal.fit(estimator(), data)
    assert spark.sparkContext._jsc.getPersistentRDDs().isEmpty()
