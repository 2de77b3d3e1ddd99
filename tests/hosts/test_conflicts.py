"""Parameters that contradict the focal loss are refused, with what to use."""

import re

import numpy as np
import pytest
from optional import lightgbm, xgboost

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss, SoftmaxFocalLoss, focal_objective

XGBOOST = [
    ({"objective": "reg:squarederror"}, "objective must be 'binary:logi"),
    ({"scale_pos_weight": 99}, "use class_weight={1: 99}, with your label in place"),
    ({"balance": False}, "balance must be left out; got False. Estimators have focal"),
    ({"class_masses": (1, 2)}, "train has arguments beside its params: loss=FocalLos"),
    ({"num_class": 1.5}, "pass loss=SoftmaxFocalLoss(1.5)"),
    ({"eval_metric": "logloss"}, "eval_metric must be a metric of the ranking"),
    ({"eval_metric": ["auc", "error"]}, "got 'error'"),
    ({"eval_metric": "mape"}, "got 'mape'. XGBoost would evaluate it on the focal"),
    ({"eval_metric": "error@0.2"}, "XGBoost would evaluate it on the focal score"),
    ({"eval_metric": "average_precision"}, "or 'aucpr' (average precision); got"),
    ({"eval_metric": "f1"}, "which XGBoost minimises: return 1 - score"),
    ({"objective": ["binary:logistic"]}, "objective must be"),
    ({"eta": 2.5}, "learning_rate must be a number between 0 and 2"),
]

LIGHTGBM = [
    ({"objective": "regression"}, "objective must be 'binary'"),
    ({"application": "multiclass"}, "application must be 'binary'"),
    ({"is_unbalance": True}, "is_unbalance must be"),
    ({"unbalance": True}, 'estimator use class_weight="balanced". With train'),
    ({"scale_pos_weight": 99.0}, "give the data set weight=np.where(y == 1, 99.0, 1)"),
    ({"boosting": "rf"}, "random forests take no custom objective"),
    ({"boosting_type": "random_forest"}, "use 'gbdt'"),
    ({"boost_from_average": False}, "give the Dataset an init_score"),
    ({"sigmoid": 2}, "the link is expit"),
    ({"gamma": 5}, "LightGBM has none. Did you mean focal_gamma, or"),
    ({"alpha": 0.25}, "Did you mean focal_alpha, or loss=FocalLoss(alpha=...) of"),
    ({"base_score": 0.9}, "base_score must be left out"),
    ({"bagging_by_query": True}, "bagging_fraction and bagging_freq, which draw row"),
    ({"balance": False}, "balance must be left out; got False. Estimators have focal"),
    ({"curvature": "exact"}, "train has arguments beside its params: loss=FocalLoss("),
    ({"num_class": 2}, "pass loss=SoftmaxFocalLoss(2)"),
    ({"metric": "binary_logloss"}, "metric must be a metric of the ranking"),
    ({"metric": ["auc", "binary_error"]}, "got 'binary_error'. LightGBM would eval"),
    ({"metric": "aucpr"}, "'auc' or 'average_precision'; got 'aucpr'. "),
    ({"metric": "f1"}, "a callable that returns (name, value, is_higher_better)"),
    ({"metrics": "auc,binary_logloss"}, "got 'binary_logloss'"),
    ({"shrinkage_rate": 3}, "learning_rate must be a number between 0 and 2"),
]


def assert_refused(host, data, params, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        host.train(data, 2, params)


@pytest.mark.parametrize(("params", "message"), XGBOOST)
def test_xgboost_refuses(params, message, mixed):
    with pytest.raises(ValueError, match=re.escape(message)):
        focalboost.xgboost.train(params, xgboost.DMatrix(*mixed), 2)


@pytest.mark.parametrize(("params", "message"), LIGHTGBM)
def test_lightgbm_refuses(params, message, mixed):
    with pytest.raises(ValueError, match=re.escape(message)):
        focalboost.lightgbm.train(params, lightgbm.Dataset(*mixed), 2)


NEUTRAL = {
    "xgboost": [
        {"objective": "binary:logistic", "scale_pos_weight": 1.0},
        {"eval_metric": ["auc", "aucpr"]},
        [("eval_metric", "auc"), ("eval_metric", "aucpr"), ("max_depth", 2)],
        {"eta": "0.1", "scale_pos_weight": "1.0"},
        {"base_score": None, "eval_metric": None, "eta": None},
        {"eval_metric": ["auc", "map@100"]},
    ],
    "lightgbm": [
        {"objective": "binary", "is_unbalance": False, "scale_pos_weight": 1},
        {"metric": "auc,average_precision", "boosting": "gbdt"},
        {"metric": ["auc"], "sigmoid": 1.0, "boost_from_average": True},
        {"application": "binary", "verbose": -1},
    ],
}


def test_neutral_values_pass(host, mixed):
    data = host.data(*mixed)
    for params in NEUTRAL[host.name]:
        if host.name == "xgboost":
            focalboost.xgboost.train(params, data, 2, verbose_eval=False)
        else:
            focalboost.lightgbm.train({"verbosity": -1, **params}, data, 2)


def test_metrics_of_probabilities_are_right_at_gamma_zero_in_xgboost(mixed):
    data, result = xgboost.DMatrix(*mixed), {}
    booster = focalboost.xgboost.train(
        {"eval_metric": "logloss"},
        data,
        3,
        loss=FocalLoss(gamma=0),
        balance=False,  # rounds are evaluated before the balance
        evals=[(data, "train")],
        evals_result=result,
        verbose_eval=False,
    )
    p, y = booster.predict(data).astype(float), mixed[1]
    expected = -np.mean(y * np.log(p) + (1 - y) * np.log1p(-p))
    assert result["train"]["logloss"][-1] == pytest.approx(expected, abs=1e-6)


def test_metrics_that_are_named_replace_the_focal_metric(mixed):
    data, result = xgboost.DMatrix(*mixed), {}
    focalboost.xgboost.train(
        {"eval_metric": ["auc", "aucpr"]},
        data,
        3,
        evals=[(data, "train")],
        evals_result=result,
        verbose_eval=False,
    )
    assert list(result["train"]) == ["auc", "aucpr"]


def test_a_feval_replaces_the_focal_metric(mixed):
    train_set, result = lightgbm.Dataset(*mixed), {}
    focalboost.lightgbm.train(
        {"verbosity": -1},
        train_set,
        3,
        [train_set],
        feval=lambda raw, data: ("mean", float(raw.mean()), False),
        callbacks=[lightgbm.record_evaluation(result)],
    )
    assert list(result["training"]) == ["mean"]


def test_no_base_score_and_no_metric_mean_the_defaults(mixed):
    data, result = xgboost.DMatrix(*mixed), {}
    none = {"base_score": None, "eval_metric": []}
    evaluation = {"evals": [(data, "train")], "evals_result": result}
    booster = focalboost.xgboost.train(none, data, 3, verbose_eval=False, **evaluation)
    plain = focalboost.xgboost.train({}, data, 3)
    np.testing.assert_array_equal(booster.predict(data), plain.predict(data))
    assert list(result["train"]) == ["relative_focal_loss"]


@pytest.mark.filterwarnings("ignore:The model has learned nothing")
@pytest.mark.filterwarnings("ignore:Training starts from raw prediction -4.59")
def test_base_score_is_honoured_on_a_fresh_start(mixed):
    data = xgboost.DMatrix(*mixed)
    params = {"base_score": 0.01, "eta": 1e-9}
    booster = focalboost.xgboost.train(params, data, 1, balance=False)
    np.testing.assert_allclose(booster.predict(data), 0.01, rtol=1e-5)


def test_several_classes_need_a_base_score_for_each(monkeypatch, mixed, faults):
    """Which XGBoost has since 3.1; here it is taken to be older."""
    monkeypatch.setattr("focalboost.xgboost._params.has_base_scores", lambda: False)
    with pytest.raises(ValueError, match=r"xgboost must be 3\.1 or newer for several"):
        focalboost.xgboost.train({}, xgboost.DMatrix(*faults), loss=SoftmaxFocalLoss(3))
    focalboost.xgboost.train({"nthread": 1}, xgboost.DMatrix(*mixed), 2)


def test_base_score_is_refused_on_continuation(mixed):
    data = xgboost.DMatrix(*mixed)
    model = focalboost.xgboost.train({}, data, 2)
    with pytest.raises(ValueError, match="another would move its trees"):
        focalboost.xgboost.train({"base_score": 0.5}, data, 2, xgb_model=model)


def test_a_model_of_another_objective_is_not_continued(mixed, tmp_path):
    data = xgboost.DMatrix(*mixed)
    model = xgboost.train({"objective": "reg:squarederror"}, data, 2)
    model.save_model(tmp_path / "model.json")
    for given in (model, tmp_path / "model.json"):
        with pytest.raises(ValueError, match="'objective': 'binary:logistic'"):
            focalboost.xgboost.train({}, data, 2, xgb_model=given)


def test_a_lightgbm_model_of_another_objective_is_not_continued(mixed, tmp_path):
    train_set = lightgbm.Dataset(*mixed, free_raw_data=False)
    quiet = {"verbosity": -1}
    model = lightgbm.train({**quiet, "objective": "regression"}, train_set, 2)
    model.save_model(tmp_path / "model.txt")
    for given in (model, tmp_path / "model.txt"):
        with pytest.raises(ValueError, match="got 'objective=regression'"):
            focalboost.lightgbm.train(quiet, train_set, 2, init_model=given)


def test_an_unfinished_lightgbm_model_is_not_continued(mixed):
    train_set = lightgbm.Dataset(*mixed, free_raw_data=False)
    params = {"verbosity": -1, "objective": focal_objective(0)}
    train_set.set_init_score(np.full(len(mixed[1]), FocalLoss(0).baseline(mixed[1])))
    model = lightgbm.train(params, train_set, 2)
    with pytest.raises(ValueError, match=r"Call focalboost.lightgbm.finalise\(booster"):
        focalboost.lightgbm.train({}, train_set, 2, init_model=model)


def test_a_booster_kept_for_training_is_refused(mixed):
    with pytest.raises(ValueError, match="train it further with init_model"):
        focalboost.lightgbm.train(
            {}, lightgbm.Dataset(*mixed), 2, keep_training_booster=True
        )


def test_a_host_s_own_errors_come_through(host, mixed):
    error = (xgboost.core.XGBoostError, lightgbm.basic.LightGBMError)
    bad = {"max_depth": -7, "num_leaves": -1, "bagging_fraction": -3}
    with pytest.raises(error):
        host.train(host.data(*mixed), 2, bad)
