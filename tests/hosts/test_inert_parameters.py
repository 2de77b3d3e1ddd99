"""Parameters that a host reads through its own objective change the model or raise.

The lists are those of the hosts' sources and documentation: LightGBM 4.7 and XGBoost
3.4, all names of each parameter.
"""

import numpy as np
import pytest
from optional import (
    FocalLGBMClassifier,
    FocalXGBClassifier,
    lightgbm,
    xgboost,
)

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import SoftmaxFocalLoss

LIGHTGBM = {
    **dict.fromkeys(("objective", "objective_type", "app", "application"), "huber"),
    "loss": "huber",
    **dict.fromkeys(("num_class", "num_classes"), 3),
    **dict.fromkeys(("is_unbalance", "unbalance", "unbalanced_sets"), True),
    "scale_pos_weight": 20.0,
    "sigmoid": 3.0,
    "boost_from_average": False,
    "reg_sqrt": True,
    "alpha": 0.1,
    "fair_c": 9.0,
    "poisson_max_delta_step": 0.1,
    "tweedie_variance_power": 1.1,
    "lambdarank_truncation_level": 2,
    "lambdarank_norm": False,
    "lambdarank_position_bias_regularization": 1.0,
    "objective_seed": 11,
    "multi_error_top_k": 2,
    **dict.fromkeys(("pos_bagging_fraction", "pos_sub_row"), 0.3),
    **dict.fromkeys(("pos_subsample", "pos_bagging"), 0.3),
    **dict.fromkeys(("neg_bagging_fraction", "neg_sub_row"), 0.3),
    **dict.fromkeys(("neg_subsample", "neg_bagging"), 0.3),
    "bagging_by_query": True,
    **dict.fromkeys(("max_delta_step", "max_tree_output", "max_leaf_output"), 0.01),
}

XGBOOST = {
    "objective": "count:poisson",
    "num_class": 3,
    "scale_pos_weight": 20,
    "base_score": 0.4,
    "boost_from_average": 0,
    "max_delta_step": 0.01,
    "aft_loss_distribution": "logistic",
    "aft_loss_distribution_scale": 3.0,
    "expectile_alpha": 0.2,
    "quantile_alpha": 0.2,
    "huber_slope": 9.0,
    "tweedie_variance_power": 1.1,
    "lambdarank_bias_norm": 2.0,
    "lambdarank_normalization": False,
    "lambdarank_num_pair_per_sample": 2,
    "lambdarank_pair_method": "mean",
    "lambdarank_score_normalization": False,
    "lambdarank_unbiased": True,
}

#: With what each estimator and train are asked to be quiet and quick.
QUICK = {"lightgbm": {"verbosity": -1, "num_threads": 1, "bagging_freq": 1}}
QUICK["xgboost"] = {"nthread": 1}

CASES = [("lightgbm", *case) for case in LIGHTGBM.items()]
CASES += [("xgboost", *case) for case in XGBOOST.items()]


def trained(host, X, y, params):
    params = {**QUICK[host], **params}
    if host == "lightgbm":
        booster = focalboost.lightgbm.train(params, lightgbm.Dataset(X, y), 5)
        return booster.predict(X)
    booster = focalboost.xgboost.train(params, xgboost.DMatrix(X, y), 5)
    return booster.predict(xgboost.DMatrix(X))


def fitted(host, X, y, params):
    kind = FocalLGBMClassifier if host == "lightgbm" else FocalXGBClassifier
    quick = {"n_estimators": 5, **({"verbosity": -1} if host == "lightgbm" else {})}
    return kind(**quick, n_jobs=1, **params).fit(X, y).predict_proba(X)


@pytest.mark.filterwarnings("ignore:Training starts from raw prediction")
@pytest.mark.filterwarnings("ignore:Found.*in params. Will use it")
@pytest.mark.filterwarnings("ignore:.*keyword has been found in `params`")
@pytest.mark.parametrize("predicted", [trained, fitted])
@pytest.mark.parametrize(("host", "name", "value"), CASES, ids=str)
def test_a_parameter_changes_the_model_or_is_refused(
    host, name, value, predicted, mixed
):
    X, y = mixed
    try:
        found = predicted(host, X, y, {name: value})
    except ValueError as error:
        assert str(error).startswith(f"{name} must be")  # noqa: PT017
        return
    assert not np.array_equal(found, predicted(host, X, y, {}))


@pytest.mark.parametrize(
    ("metric", "params"),
    [
        ("auc_mu", {"auc_mu_weights": [0, 1, 2, 1, 0, 1, 1, 1, 0], "num_class": 3}),
        ("ndcg", {"label_gain": [0, 3], "ndcg_at": [5]}),
        ("map", {"eval_at": 5}),
    ],
)
def test_parameters_of_metrics_are_taken_with_them(metric, params, mixed, faults):
    X, y = faults if "num_class" in params else mixed
    data_set = lightgbm.Dataset(X, y, group=[1000] * (len(y) // 1000))
    loss = SoftmaxFocalLoss(3) if "num_class" in params else None
    params = {**QUICK["lightgbm"], "metric": metric, **params}
    focalboost.lightgbm.train(params, data_set, 3, [data_set], loss=loss)


def test_the_gain_of_a_metric_is_taken_with_it_in_xgboost(mixed):
    data_set = xgboost.DMatrix(*mixed, qid=np.arange(len(mixed[1])) // 1000)
    params = {"eval_metric": "ndcg@10", "ndcg_exp_gain": False}
    evals = [(data_set, "train")]
    focalboost.xgboost.train(params, data_set, 3, evals=evals, verbose_eval=False)
