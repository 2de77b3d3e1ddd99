"""Evaluation sets and metrics of FocalXGBClassifier, in the forms XGBoost takes."""

import numpy as np
import pytest
from host_drivers import XGBoostDriver
from optional import HAS_XGBOOST, version
from sklearn.metrics import log_loss

from focalboost import focal_metric


def evaluated(eval_metric, X, y, weight=None, **params):
    """A model, and the last value of each metric on one evaluation set.

    It is a model without balance, as the values of the rounds are those before it.
    """
    params |= {"eval_metric": eval_metric, "focal_balance": False}
    model = XGBoostDriver().estimator(n_estimators=3, **params)
    model.fit(
        X, y, eval_set=[(X[:900], y[:900])], verbose=False,
        sample_weight_eval_set=None if weight is None else [weight],
    )  # fmt: skip
    history = model.evals_result()["validation_0"]
    return model, {name: values[-1] for name, values in history.items()}


def weighted_error(y_true, y_score, sample_weight=None):
    return float(np.average((y_score > 0.5) != y_true, weights=sample_weight))


def any_options(y_true, y_score, **options):
    return weighted_error(y_true, y_score, **options)


def no_weights(y_true, y_score):
    return weighted_error(y_true, y_score)


@pytest.mark.parametrize("metric", [weighted_error, any_options, no_weights])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_metric_gets_weights_if_it_takes_them(metric, weighted, mixed):
    X, y = mixed
    weight = np.exp(X[:900, 1]) if weighted else None
    model, found = evaluated(metric, X, y, weight)
    used = None if metric is no_weights else weight
    expected = weighted_error(y[:900], model.predict_proba(X[:900])[:, 1], used)
    assert found == {metric.__name__: pytest.approx(expected, abs=1e-6)}


def test_class_weights_are_weights_of_a_metric(mixed):
    X, y = mixed
    model, found = evaluated(weighted_error, X, y, class_weight={0: 1, 1: 5})
    posterior = model.predict_proba(X[:900])[:, 1]
    expected = weighted_error(y[:900], posterior, 1 + 4 * y[:900])
    assert found["weighted_error"] == pytest.approx(expected, abs=1e-6)


has_lists = pytest.mark.skipif(
    HAS_XGBOOST and version("xgboost") < (3, 2),
    reason="XGBoost before 3.2 takes names alone in a list of metrics",
)


@has_lists
def test_a_metric_in_a_list_gets_the_posterior(mixed):
    X, y = mixed
    model, found = evaluated(["auc", log_loss], X, y)
    posterior = model.predict_proba(X[:900])[:, 1]
    assert set(found) == {"auc", "log_loss"}
    assert found["log_loss"] == pytest.approx(log_loss(y[:900], posterior), abs=1e-6)


@pytest.mark.parametrize(
    "metric",
    [focal_metric(1), pytest.param(["auc", focal_metric(1)], marks=has_lists)],
    ids=["alone", "in a list"],
)
def test_a_focal_metric_gets_raw_predictions(metric, mixed):
    X, y = mixed
    model, found = evaluated(metric, X, y)
    raw = model.predict(X[:900], output_margin=True)
    expected = focal_metric(1)(y[:900], raw)
    assert found["relative_focal_loss"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("n_weights", [0, 1, 3])
def test_weights_are_for_each_evaluation_set(n_weights, mixed):
    X, y = mixed
    model = XGBoostDriver().estimator(n_estimators=2)
    message = f"sample_weight_eval_set must be one entry for each .* got {n_weights}"
    with pytest.raises(ValueError, match=message):
        model.fit(
            X, y, eval_set=[(X, y), (X, y)], verbose=False,
            sample_weight_eval_set=[np.ones(len(y))] * n_weights,
        )  # fmt: skip


def test_weights_that_belong_to_no_set_are_refused(rare):
    X, y = rare
    weight = np.ones(900)
    sets = {"eval_set": [(X[:900], y[:900])], "verbose": False}
    message = "sample_weight_eval_set must be one entry for each evaluation set"
    for params in ({}, {"class_weight": "balanced"}):
        model = XGBoostDriver().estimator(n_estimators=2, **params)
        for options in (sets, {}):
            with pytest.raises(ValueError, match=message):
                model.fit(X, y, sample_weight_eval_set=weight, **options)
        with pytest.raises(KeyError):
            model.fit(X, y, sample_weight_eval_set={5: weight}, **sets)
