"""focal_metric: relative, weighted, and the same number on every path."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from optional import lightgbm, xgboost

from focalboost import FocalLoss, focal_metric, focal_objective

NAME = "relative_focal_loss"

pytestmark = pytest.mark.filterwarnings("ignore:Training starts from raw prediction")


@pytest.fixture
def arrays():
    rng = np.random.default_rng(2)
    y_true = (rng.random(200) < 0.2).astype(np.float64)
    return y_true, rng.normal(size=200), rng.random(200)


@pytest.mark.parametrize("gamma", [0, 0.5, 2, 5, (0, 2)])
@pytest.mark.parametrize("alpha", [None, 0.25])
def test_the_best_constant_scores_one(gamma, alpha, arrays):
    y_true, _, weight = arrays
    start = np.full(200, FocalLoss(gamma, alpha).baseline(y_true, weight))
    value = focal_metric(gamma, alpha)(y_true, start, weight)
    assert value == pytest.approx(1, abs=1e-12)
    assert focal_metric(gamma, alpha)(y_true, start + 0.1, weight) > 1


def test_perfect_predictions_score_zero(arrays):
    y_true, _, _ = arrays
    assert focal_metric()(y_true, 1000 * (2 * y_true - 1)) == 0


def test_it_is_the_ratio_of_mean_losses(arrays):
    y_true, raw, weight = arrays
    loss = FocalLoss(1.5)
    best = np.full(200, loss.baseline(y_true, weight))
    expected = np.average(loss.loss(y_true, raw), weights=weight) / np.average(
        loss.loss(y_true, best), weights=weight
    )
    assert focal_metric(1.5)(y_true, raw, weight) == pytest.approx(expected, rel=1e-12)


def test_an_integer_weight_equals_repeated_rows(arrays):
    y_true, raw, _ = arrays
    times = np.arange(200) % 4
    repeated = focal_metric()(np.repeat(y_true, times), np.repeat(raw, times))
    assert focal_metric()(y_true, raw, times) == pytest.approx(repeated, rel=1e-12)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_one_class_is_compared_with_one_half(label):
    y_true = np.full(10, label)
    assert focal_metric()(y_true, np.zeros(10)) == pytest.approx(1)
    assert focal_metric()(y_true, np.full(10, 3 * (2 * label - 1))) < 0.01


def test_no_weight_at_all_raises(arrays):
    y_true, raw, _ = arrays
    with pytest.raises(ValueError, match="sample_weight must be above zero for"):
        focal_metric()(y_true, raw, np.zeros(200))


@pytest.mark.parametrize("n_classes", [None, 3])
def test_a_reference_that_underflows_raises(n_classes):
    """0.5**1000 is 1e-301: divided by, with weights of 1e-30 it is nothing."""
    raw = np.eye(3) if n_classes else np.arange(3.0)
    labels = np.array([0, 1, 1])
    metric = focal_metric(1000, n_classes=n_classes)
    assert metric(labels, raw) >= 0
    with pytest.raises(ValueError, match="gamma must be so small that the loss of the"):
        metric(labels, raw, np.full(3, 1e-30))


def test_each_host_gets_its_own_form(arrays):
    y_true, raw, weight = arrays
    value = focal_metric()(y_true, raw, weight)
    dmatrix = xgboost.DMatrix(raw.reshape(-1, 1), y_true, weight=weight)
    name, result = focal_metric()(raw, dmatrix)
    assert (name, result) == (NAME, pytest.approx(value, rel=1e-6))
    data_set = lightgbm.Dataset(raw.reshape(-1, 1), y_true, weight=weight).construct()
    name, result, higher_is_better = focal_metric()(raw, data_set)
    assert (name, result) == (NAME, pytest.approx(value, rel=1e-6))
    assert higher_is_better is False


def test_xgb_train_records_it(rare):
    dtrain, result = xgboost.DMatrix(*rare), {}
    booster = xgboost.train(
        {"nthread": 1, "objective": "binary:logistic", "base_score": 0.15},
        dtrain,
        5,
        obj=focal_objective(),
        custom_metric=focal_metric(),
        evals=[(dtrain, "train")],
        evals_result=result,
        verbose_eval=False,
    )
    raw = booster.predict(dtrain, output_margin=True)
    assert result["train"][NAME][-1] == pytest.approx(
        focal_metric()(rare[1], raw), abs=1e-6
    )


def test_lgb_train_records_it(rare):
    X, y = rare
    init = FocalLoss().baseline(y)
    train_set = lightgbm.Dataset(X, y, init_score=np.full(len(y), init))
    result = {}
    booster = lightgbm.train(
        {"num_threads": 1, "verbosity": -1, "objective": focal_objective()},
        train_set,
        5,
        valid_sets=[train_set],
        feval=focal_metric(),
        callbacks=[lightgbm.record_evaluation(result)],
    )
    assert result["training"][NAME][-1] == pytest.approx(
        focal_metric()(y, booster.predict(X) + init), rel=1e-9
    )


def test_the_hosts_classifiers_take_it(mixed):
    X, y = mixed
    metric, objective = focal_metric(), focal_objective()
    model = xgboost.XGBClassifier(
        n_estimators=3, n_jobs=1, objective=objective, eval_metric=metric
    ).fit(X, y, eval_set=[(X, y)], verbose=False)
    raw = model.predict(X, output_margin=True)
    recorded = model.evals_result()["validation_0"][NAME][-1]
    assert recorded == pytest.approx(metric(y, raw), abs=1e-6)


def test_lightgbm_s_classifier_takes_its_form(mixed):
    X, y = mixed
    model = lightgbm.LGBMClassifier(n_estimators=3, n_jobs=1, verbosity=-1)
    model.set_params(objective=focal_objective(), metric="None")
    metric = focal_metric().for_lightgbm
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The argument 'eval_set' is deprecated")
        model.fit(X, y, eval_set=[(X, y)], eval_metric=metric)
    raw = model.predict(X, raw_score=True)
    recorded = model.evals_result_["training"][NAME][-1]
    assert recorded == pytest.approx(focal_metric()(y, raw), rel=1e-9)


def test_it_is_a_value():
    metric = focal_metric((0, 2), 0.3)
    assert metric == pickle.loads(pickle.dumps(metric)) == focal_metric((0, 2), 0.3)
    assert copy.deepcopy(metric) is metric
    assert metric.__name__ == NAME
