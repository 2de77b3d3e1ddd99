"""Methods: their weights, their resampling, and what they serve."""

import warnings

import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split

from focalboost.comparison import LOG_LOSS, METHODS, Method, default_grid, fit, tuned
from focalboost.comparison._methods import Part, class_ratio, rebalanced


@pytest.fixture(scope="module")
def split(rare):
    """Rows to train and to stop on, in the order of fit's arguments."""
    X, y = rare
    X, X_valid, y, y_valid = train_test_split(X, y, stratify=y, random_state=0)
    return X, y, None, X_valid, y_valid, None


def estimator_of(host, **params):
    return host.classifier(n_estimators=40, n_jobs=1, learning_rate=0.1, **params)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_method_trains_and_ranks_on_both_hosts(host, method, split):
    X_valid, y_valid = split[3:5]
    estimator = estimator_of(host)
    fitted = fit(method, estimator, *split, 0)
    assert not hasattr(estimator, "n_features_in_")
    probability = fitted.predict_proba(X_valid)
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(logit(probability[:, 1]), fitted.log_odds(X_valid))
    prevalence = y_valid.mean()
    assert average_precision_score(y_valid, probability[:, 1]) > 2 * prevalence
    assert 1 <= fitted.n_rounds <= 40


def test_the_names_are_different_and_log_loss_is_first():
    assert len({method.name for method in METHODS}) == len(METHODS) == 18
    assert METHODS[0] is LOG_LOSS


def test_log_loss_is_the_hosts_own_class_with_the_same_parameters(host, split):
    X, y, _, X_valid, y_valid, _ = split
    fitted = fit(LOG_LOSS, estimator_of(host, max_depth=3), *split, 7)
    assert type(fitted.model) is host.host_classifier
    params = {"n_estimators": 40, "n_jobs": 1, "learning_rate": 0.1, "max_depth": 3}
    expected = host.host_classifier(**params, random_state=7)
    if host.name == "xgboost":
        expected.set_params(early_stopping_rounds=30, eval_metric="logloss")
        expected.fit(X, y, eval_set=[(X_valid, y_valid)], verbose=False)
    else:
        stop = lightgbm.early_stopping(30, verbose=False)
        expected.set_params(verbosity=-1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # eval_set is deprecated by LightGBM 4.7
            expected.fit(X, y, eval_set=[(X_valid, y_valid)], callbacks=[stop])
    np.testing.assert_allclose(
        fitted.predict_proba(X_valid), expected.predict_proba(X_valid), rtol=2e-6
    )


def test_a_focal_method_serves_the_estimators_posterior(host, split):
    method = Method("one", gamma=(0, 2), alpha=0.25)
    fitted = fit(method, estimator_of(host), *split, 0)
    assert fitted.model.focal_loss_.gamma == (0.0, 2.0)
    assert fitted.model.focal_loss_.alpha == 0.25
    expected = fitted.model.predict_proba(split[3])
    np.testing.assert_allclose(fitted.predict_proba(split[3]), expected, rtol=1e-12)
    np.testing.assert_array_equal(
        fitted.corrected_proba(split[3]), fitted.predict_proba(split[3])
    )


@pytest.mark.parametrize(
    ("method", "of_positive"),
    [
        (Method("ratio", weight=1.0), 49.0),
        (Method("root", weight=1.0, power=0.5), 7.0),
        (Method("five", weight=5.0), 245.0),
        (Method("focal", gamma=2, weight=1.0), 49.0),
    ],
)
def test_weights_are_multiples_of_the_ratio_of_the_rows_trained_on(method, of_positive):
    y = np.repeat([0, 1], [98, 2]).astype(np.int8)
    train, factor = rebalanced(method, Part(np.zeros((100, 1)), y), 0)
    np.testing.assert_allclose(train.weight, np.where(y == 1, of_positive, 1.0))
    assert factor == pytest.approx(of_positive)


def test_weights_multiply_sample_weights():
    y = np.repeat([0, 1], [10, 2]).astype(np.int8)
    weight = np.where(y == 1, 5.0, 2.0)
    train, _ = rebalanced(Method("ratio", weight=1.0), Part(y[:, None], y, weight), 0)
    np.testing.assert_allclose(train.weight[y == 1], 5.0 * (20 / 10))


def test_weights_reach_the_validation_rows(host, split):
    """Early stopping watches the same population as the training."""
    method = Method("ratio", weight=1.0)
    fitted = fit(method, estimator_of(host), *split, 0)
    if host.name == "xgboost":
        (history,) = fitted.model.evals_result()["validation_0"].values()
    else:
        (history,) = fitted.model.evals_result_["valid_0"].values()
    X_valid, y_valid = split[3:5]
    weight = np.where(y_valid == 1, fitted.odds_factor, 1.0)
    margin = np.where(y_valid == 1, 1, -1) * fitted.log_odds(X_valid)
    loss = np.average(np.logaddexp(0, -margin), weights=weight)
    assert min(history) == pytest.approx(loss, rel=1e-4)


def test_undersampling_keeps_every_positive_and_as_many_negatives(rare):
    X, y = rare
    part = Part(X, y.astype(np.int8), np.ones(len(y)))
    method = Method("under", resampling="undersample")
    train, factor = rebalanced(method, part, 0)
    assert class_ratio(train) == 1
    assert factor == pytest.approx(class_ratio(part))
    assert {tuple(row) for row in X[y == 1]} <= {tuple(row) for row in train.X}
    assert {tuple(row) for row in train.X} <= {tuple(row) for row in X}
    other, _ = rebalanced(method, part, 1)
    assert not np.array_equal(train.X, other.X)


def test_smote_adds_positives_between_positives():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"real": rng.normal(size=300), "whole": rng.integers(0, 9, 300)})
    X.loc[::7, "real"] = np.nan
    y = np.repeat([0, 1], [280, 20]).astype(np.int8)
    train, factor = rebalanced(Method("s", resampling="smote"), Part(X, y), 0)
    assert factor == pytest.approx(14)
    assert np.bincount(train.y).tolist() == [280, 280]
    np.testing.assert_array_equal(train.X[:300], X)
    synthetic = train.X[300:]
    assert list(synthetic.columns) == ["real", "whole"]
    assert (train.y[300:] == 1).all()
    assert (synthetic["whole"] % 1 == 0).all()
    assert synthetic["real"].isna().any()
    positive = X[y == 1]
    assert (
        synthetic["whole"]
        .between(positive["whole"].min(), positive["whole"].max())
        .all()
    )


def test_synthetic_positives_are_not_marked_by_their_missing_values(host):
    # Each row lacks one of two columns: a row with both, or with a mean, is synthetic.
    rng = np.random.default_rng(0)
    which, y = rng.integers(2, size=4000), (rng.random(4000) < 0.02).astype(np.int8)
    X = rng.normal(3 * y[:, None], size=(4000, 2))
    X[np.arange(4000), which] = np.nan
    method = Method("SMOTE", resampling="smote")
    train, _ = rebalanced(method, Part(X, y), 0)
    synthetic = train.X[4000:]
    np.testing.assert_array_equal(np.isnan(synthetic).sum(axis=1), 1)
    means = np.nanmean(X, axis=0)
    assert not np.isclose(synthetic, means, atol=1e-6).any()
    # A marked model separates them in one round, and then gets worse on real rows.
    rows, stop = (X[:3000], y[:3000], None), (X[3000:], y[3000:], None)
    fitted = fit(method, estimator_of(host), *rows, *stop, 0)
    assert fitted.n_rounds > 10


def test_corrected_probabilities_are_divided_odds(host, split):
    fitted = fit(Method("ratio", weight=1.0), estimator_of(host), *split, 0)
    served, corrected = fitted.predict_proba(split[3]), fitted.corrected_proba(split[3])
    odds = (served[:, 1] / served[:, 0]) / (corrected[:, 1] / corrected[:, 0])
    np.testing.assert_allclose(odds, fitted.odds_factor, rtol=1e-6)
    prevalence = split[4].mean()
    served_bias = served[:, 1].mean() / prevalence
    assert served_bias > 3 > corrected[:, 1].mean() / prevalence


def test_early_stopping_can_watch_the_ranking(host, split):
    estimator = estimator_of(host)
    by_loss = fit(LOG_LOSS, estimator, *split, 0)
    for method in (LOG_LOSS, Method("focal", gamma=2)):
        by_ranking = fit(method, estimator, *split, 0, stop_on="average_precision")
        assert 1 <= by_ranking.n_rounds <= 40
        key = {"xgboost": "aucpr", "lightgbm": "average_precision"}[host.name]
        results = getattr(by_ranking.model, "evals_result_", None)
        if results is None or host.name == "xgboost":
            results = by_ranking.model.evals_result()
        (history,) = results.values()
        assert list(history) == [key]
        best = int(np.argmax(history[key])) + 1
        assert by_ranking.n_rounds == best
    assert by_loss.n_rounds >= 1


def test_the_search_takes_the_best_point_of_the_grid(host, rare):
    X, y = rare
    estimator = estimator_of(host)
    grid = [{"max_depth": 1, "n_estimators": 1}, {"max_depth": 4, "n_estimators": 30}]
    best = tuned(LOG_LOSS, estimator, grid, X, y, None, 0)
    singles = [tuned(LOG_LOSS, estimator, [point], X, y, None, 0) for point in grid]
    scores = [single.average_precision for single in singles]
    assert best.average_precision == max(scores)
    assert best.params == grid[int(np.argmax(scores))]
    chosen = singles[int(np.argmax(scores))]
    np.testing.assert_array_equal(best.predict_proba(X), chosen.predict_proba(X))


def test_the_best_of_a_search_corrects_its_probabilities(host, rare):
    X, y = rare
    method, grid = Method("ratio", weight=1.0), [{"n_estimators": 5}]
    best = tuned(method, estimator_of(host), grid, X, y, None, 0)
    log_odds = best.log_odds(X) - np.log(best.odds_factor)
    corrected = best.corrected_proba(X)
    np.testing.assert_allclose(corrected[:, 1], expit(log_odds), rtol=1e-6)
    assert best.odds_factor > 10


def test_the_default_grid_is_one_the_host_knows(host):
    for point in default_grid(host.classifier()):
        assert set(point) <= set(host.classifier().get_params())
        assert point["n_estimators"] == 300


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gamma": -1}, "gamma must be a number"),
        ({"gamma": 2, "alpha": 1}, "alpha must be a number between"),
        ({"alpha": 0.25}, "alpha must be None if gamma is None"),
        ({"weight": -1}, "weight must be a finite number"),
        ({"power": np.nan}, "power must be a finite number"),
        (
            {"resampling": "adasyn"},
            "resampling must be one of 'smote' or 'undersample'",
        ),
    ],
)
def test_wrong_methods_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Method("wrong", **arguments)


def test_wrong_fits_are_refused(host, split):
    X, y, _, X_valid, y_valid, _ = split
    balanced = host.classifier(class_weight="balanced")
    with pytest.raises(ValueError, match="class_weight must be None"):
        fit(LOG_LOSS, balanced, *split, 0)
    with pytest.raises(ValueError, match="stop_on must be one of"):
        fit(LOG_LOSS, host.classifier(), *split, 0, stop_on="auc")
    weighted = (X, y, np.ones(len(y)), X_valid, y_valid, None)
    with pytest.raises(ValueError, match="sample_weight must be None for SMOTE"):
        fit(Method("s", resampling="smote"), host.classifier(), *weighted, 0)
    three = (X, np.arange(len(y)) % 3, None, X_valid, y_valid, None)
    with pytest.raises(ValueError, match=r"y must be labels 0 and 1; got \[0, 1, 2\]"):
        fit(LOG_LOSS, host.classifier(), *three, 0)
    with pytest.raises(ValueError, match="estimator must be a FocalXGBClassifier"):
        fit(LOG_LOSS, average_precision_score, *split, 0)


def test_the_hosts_own_classifiers_are_no_estimators_of_a_comparison(split):
    for cls in (xgboost.XGBClassifier, lightgbm.LGBMClassifier):
        with pytest.raises(ValueError, match="estimator must be"):
            fit(Method("focal", gamma=2), cls(), *split, 0)
