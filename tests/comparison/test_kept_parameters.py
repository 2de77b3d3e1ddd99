"""What is set on the estimator of a comparison, and what the comparison decides."""

import numpy as np
import pytest
from sklearn.datasets import make_classification

from focalboost import FocalLoss
from focalboost.comparison import LOG_LOSS, compare_losses, default_grid, tuned

SET = {
    "lightgbm": {"n_estimators": 7, "num_leaves": 4, "learning_rate": 0.01},
    "xgboost": {"n_estimators": 7, "max_depth": 2, "learning_rate": 0.01},
}
#: By the hosts' other names.
OTHER = {
    "lightgbm": {"num_iterations": 7, "max_leaves": 4, "eta": 0.01, "lambda_l2": 3.0},
    "xgboost": {"eta": 0.01, "lambda": 3.0},
}


@pytest.fixture(scope="module")
def small():
    return make_classification(400, weights=[0.9], class_sep=1.5, random_state=0)


def compared(estimator, X, y, **options):
    options = {"losses": ["log loss", FocalLoss(2)], "cv": 2, **options}
    return compare_losses(estimator, X, y, progress=False, **options)


def test_what_is_set_on_the_estimator_is_not_searched(host, small):
    estimator = host.classifier(n_jobs=1, **SET[host.name])
    for point in default_grid(estimator):
        assert not set(point) & set(SET[host.name])
    found = compared(estimator, *small)
    assert found.settings["parameters"] == SET[host.name]
    assert found.settings["grid"] == default_grid(estimator)
    assert {fit.n_rounds <= 7 for fit in found.fits} == {True}
    for method in (LOG_LOSS, found.methods[1]):
        model = tuned(method, estimator, None, *small, None, 0).model
        params = model.get_params()
        assert {name: params[name] for name in SET[host.name]} == SET[host.name]


def test_other_names_of_a_parameter_count(host):
    estimator = host.classifier(**OTHER[host.name])
    (first, *_) = default_grid(estimator)
    assert not {"learning_rate", "reg_lambda"} & set(first)
    assert ("n_estimators" in first) == (host.name == "xgboost")


def test_grid_points_that_become_the_same_are_one(host):
    every = {name: 2 for point in default_grid(host.classifier()) for name in point}
    assert default_grid(host.classifier(**every)) == ({},)


def test_a_grid_replaces_what_is_set(host, small):
    estimator = host.classifier(n_jobs=1, n_estimators=7, max_depth=2)
    found = compared(estimator, *small, grid=[{"max_depth": 1}, {"max_depth": 3}])
    assert found.settings["parameters"] == {"n_estimators": 7}
    found = compared(estimator, *small, grid=[{"max_depth": 1}, {}])
    assert found.settings["parameters"] == {"n_estimators": 7, "max_depth": 2}


@pytest.mark.parametrize("loss", ["log loss", FocalLoss(2), LOG_LOSS])
def test_a_single_loss_or_grid_point_is_taken_for_one(host, loss, small):
    point = {"n_estimators": 3}
    found = compared(host.classifier(n_jobs=1), *small, losses=loss, grid=point)
    assert len(found.names) == 1
    assert found.settings["grid"] == (point,)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"focal_gamma": 1}, "focal_gamma must be left out; got 1. Put it into losses"),
        ({"focal_alpha": 0.25}, "focal_alpha must be None; got 0.25. Put it into loss"),
        ({"class_weight": "balanced"}, "class_weight must be None"),
        ({"early_stopping_rounds": 5}, "early_stopping_rounds must be None"),
        ({"eval_metric": "auc"}, "eval_metric must be None; got 'auc'. Use stop_on"),
    ],
)
def test_what_the_comparison_decides_is_refused(host, params, message, small):
    with pytest.raises(ValueError, match=message):
        compared(host.classifier(**params), *small)
    with pytest.raises(ValueError, match=message):
        compared(host.classifier(), *small, grid=[{"n_estimators": 5}, params])


def test_the_seed_is_that_of_the_comparison(host, small):
    estimator = host.classifier(n_jobs=1, random_state=3, n_estimators=5)
    one, other = (
        compared(estimator.set_params(random_state=seed), *small) for seed in (3, 4)
    )
    assert one.settings == other.settings
    assert "random_state" not in one.settings["parameters"]
    np.testing.assert_array_equal(one.values("log loss"), other.values("log loss"))
