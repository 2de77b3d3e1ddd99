"""The warning of a poor start, and the parameters it names."""

import re
import warnings
from functools import partial

import numpy as np
import pytest
from host_drivers import XGBoostDriver
from optional import lightgbm, xgboost

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss, focal_objective
from focalboost.objectives import _start

START = "Training starts from raw prediction"
QUIET = {"nthread": 1, "verbosity": 0}
QUIET_LGB = {"num_threads": 1, "verbosity": -1}


@pytest.fixture(autouse=True)
def forgetful():
    """Every test sees the first warning."""
    _start._warned.clear()


def caught(function):
    """The messages of the warnings of a poor start."""
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        function()
    return [str(item.message) for item in record if START in str(item.message)]


def test_xgboost_without_objective_is_told_what_to_add(rare):
    dtrain = xgboost.DMatrix(*rare)
    objective = focal_objective()
    (message,) = caught(lambda: xgboost.train(QUIET, dtrain, 3, obj=objective))
    assert "raw prediction 0.5, but" in message
    added = eval(re.search(r"\{.*\}", message).group())
    assert set(added) == {"objective", "base_score"}
    assert not caught(lambda: xgboost.train(QUIET | added, dtrain, 3, obj=objective))


def test_what_the_message_adds_gives_the_model_of_train(rare):
    dtrain = xgboost.DMatrix(*rare)
    (message,) = caught(lambda: xgboost.train(QUIET, dtrain, 1, obj=focal_objective()))
    added = eval(re.search(r"\{.*\}", message).group())
    plain = xgboost.train(QUIET | added, dtrain, 10, obj=focal_objective())
    ours = focalboost.xgboost.train(QUIET, dtrain, 10, balance=False)
    # base_score is printed with six digits
    np.testing.assert_allclose(plain.predict(dtrain), ours.predict(dtrain), rtol=1e-4)


def test_the_margin_without_objective_is_reported_even_for_even_classes():
    X = np.arange(100.0).reshape(-1, 1)
    dtrain = xgboost.DMatrix(X, X[:, 0] >= 45)
    (message,) = caught(lambda: xgboost.train(QUIET, dtrain, 2, obj=focal_objective()))
    assert '"objective": "binary:logistic"' in message


def test_lightgbm_is_told_its_init_score(rare):
    X, y = rare
    params = QUIET_LGB | {"objective": focal_objective()}
    (message,) = caught(lambda: lightgbm.train(params, lightgbm.Dataset(X, y), 3))
    train_set = lightgbm.Dataset(X, y).construct()
    eval(re.search(r"train_set.set_init_score\(.*?\)\)", message).group())
    assert not caught(lambda: lightgbm.train(params, train_set, 3))
    baseline = FocalLoss(2).baseline(y)
    np.testing.assert_allclose(train_set.get_init_score(), baseline, rtol=1e-5)


def test_the_hosts_classifiers_are_told(host, rare):
    X, y = rare
    options = {"n_jobs": 1, "n_estimators": 3, "objective": focal_objective()}
    model = host.host_classifier(verbosity=-(host.name == "lightgbm"), **options)
    (message,) = caught(lambda: model.fit(X, y))
    assert "FocalXGBClassifier" in message
    score = re.search(r"base_score=([\d.]+)", message).group(1)
    init = re.search(r"np.full\(len\(y\), ([-\d.]+)\)", message).group(1)
    assert float(score) == pytest.approx(1 / (1 + np.exp(-float(init))), rel=1e-5)
    assert float(init) == pytest.approx(FocalLoss(2).baseline(y), rel=1e-5)


def test_it_warns_once_under_python_s_own_filter(rare):
    dtrain = xgboost.DMatrix(rare[0][:, :1] * 0, rare[1])  # stays constant
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("default")
        params = QUIET | {"objective": "binary:logistic", "learning_rate": 1e-9}
        xgboost.train(params, dtrain, 4, obj=focal_objective())
    assert sum(START in str(item.message) for item in record) == 1


def fitted_from(base_score, X, y):
    estimator = XGBoostDriver().estimator(base_score=base_score, n_estimators=3)
    return lambda: estimator.fit(X, y)


@pytest.mark.parametrize("base_score", [0.9, "0.9", [0.9], 0.02])
def test_a_base_score_that_is_a_poor_start_is_told(base_score, rare):
    (message,) = caught(fitted_from(base_score, *rare))
    assert "smallest focal loss is -1.33796. Leave base_score out" in message


@pytest.mark.parametrize("base_score", [0.208, 0.2, None])
def test_a_base_score_that_is_no_poor_start_is_silent(base_score, rare):
    assert not caught(fitted_from(base_score, *rare))


def test_a_base_score_given_to_train_is_told(rare):
    dtrain = xgboost.DMatrix(*rare)
    params = QUIET | {"base_score": 0.9}
    (message,) = caught(lambda: focalboost.xgboost.train(params, dtrain, 3))
    assert message.startswith(f"{START} 2.19722, but")


@pytest.mark.parametrize("base_score", [0.9, [5, 0, 0]])
def test_a_base_score_of_several_classes_is_told(base_score, faults):
    (message,) = caught(fitted_from(base_score, *faults))
    assert message.startswith(f"{START} [")


@pytest.mark.parametrize("base_score", [1.5, "none"])
def test_a_base_score_that_is_none_is_left_to_xgboost(base_score, rare):
    with pytest.raises(xgboost.core.XGBoostError):
        fitted_from(base_score, *rare)()


def test_a_base_score_of_a_single_class_has_no_best_start(rare):
    dtrain = xgboost.DMatrix(rare[0], np.zeros(len(rare[1])))
    params = QUIET | {"base_score": 0.9}
    assert not caught(lambda: focalboost.xgboost.train(params, dtrain, 1))


def test_every_training_from_a_poor_start_is_told(rare):
    dtrain, objective = xgboost.DMatrix(*rare), focal_objective()
    named = QUIET | {"objective": "binary:logistic", "base_score": 0.5}
    told = []
    for params in (QUIET, named, named):
        told += caught(partial(xgboost.train, params, dtrain, 3, obj=objective))
    starts = [re.search(r"prediction (.*), but", message)[1] for message in told]
    assert starts == ["0.5", "0", "0"]


def test_every_fit_of_a_host_s_classifier_is_told(host, rare):
    options = {"n_jobs": 1, "n_estimators": 3, "objective": focal_objective()}
    model = host.host_classifier(verbosity=-(host.name == "lightgbm"), **options)
    assert [len(caught(lambda: model.fit(*rare))) for _ in range(2)] == [1, 1]


def test_a_data_set_of_lightgbm_is_told_again(rare):
    params = QUIET_LGB | {"objective": focal_objective()}
    train_set = lightgbm.Dataset(*rare)
    trainings = [caught(lambda: lightgbm.train(params, train_set, 3)) for _ in range(2)]
    assert [len(messages) for messages in trainings] == [1, 1]


def test_raw_predictions_that_differ_are_not_a_start(rare):
    _, y = rare
    assert not caught(lambda: focal_objective()(y, np.linspace(-1, 1, len(y))))


def test_a_single_class_has_no_best_start():
    assert not caught(lambda: focal_objective()(np.zeros(9), np.zeros(9)))


@pytest.mark.parametrize(("distance", "warns"), [(0.2, False), (2.0, True)])
def test_a_start_is_poor_from_a_tenth_more_loss_on(distance, warns, rare):
    _, y = rare
    start = np.full(len(y), FocalLoss(2).baseline(y) - distance)
    assert bool(caught(lambda: focal_objective()(y, start))) is warns


def test_every_training_that_stalls_is_told():
    """None of them has a prediction that differs, as the hessians are too small."""
    y = np.repeat([0.0, 1.0], [1980, 20])
    data = [np.random.default_rng(i).normal(size=(2000, 3)) for i in range(2)]
    stalling = {**QUIET, "min_child_weight": 1e9}
    own = {**QUIET_LGB, "objective": focal_objective(), "min_sum_hessian_in_leaf": 1e9}

    def train_all():
        for X in data:
            xgboost.train(stalling, xgboost.DMatrix(X, y), 3, obj=focal_objective())
            lightgbm.train(own, lightgbm.Dataset(X, y), 3)

    assert len(caught(train_all)) == 4


def test_a_training_that_stalls_beside_another_one_is_told_once():
    y = np.repeat([0.0, 1.0], [1980, 20])
    X = np.random.default_rng(0).normal(size=(2000, 3)) + y[:, np.newaxis]
    objective, pairs = focal_objective(), []
    for smallest in (1e9, 0):
        data = xgboost.DMatrix(X, y)
        params = {**QUIET, "min_child_weight": smallest}
        pairs.append((xgboost.Booster(params, [data]), data))

    def update_in_turn():
        for i in range(4):
            for booster, data in pairs:
                booster.update(data, i, objective)

    assert len(caught(update_in_turn)) == 2


def test_losses_that_underflow_are_no_poor_start():
    y_true, raw, weight = np.array([0.0, 1.0, 1.0]), np.zeros(3), np.full(3, 1e-30)
    assert not caught(lambda: focal_objective(1000)(y_true, raw, weight))


def test_a_constant_is_told_again_after_raw_predictions_that_differ():
    y_true, raw, objective = (
        np.array([0.0, 1.0, 1.0]),
        np.full(3, -3.0),
        focal_objective(),
    )
    for count in (1, 0):
        assert len(caught(lambda: objective(y_true, raw))) == count
    objective(y_true, raw + y_true)
    assert len(caught(lambda: objective(y_true, raw))) == 1
