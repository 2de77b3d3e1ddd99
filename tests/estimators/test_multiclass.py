"""The estimators with more than two classes."""

import pickle

import numpy as np
import pytest
from host_drivers import LightGBMDriver
from optional import lightgbm
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsRestClassifier

from focalboost import FocalLoss, SoftmaxFocalLoss, focal_metric
from focalboost.estimators._rows import effective_weights

# LightGBM 4.7 prefers eval_X and eval_y, which 4.5 does not know.
pytestmark = pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")

NAMES = np.array(["none", "leak", "short circuit"])
GAMMAS = {"none": 0.0, "leak": 1.0, "short circuit": 2.0}


def test_the_number_of_classes_chooses_the_loss(host, faults, rare):
    three = host.estimator(n_estimators=2).fit(*faults)
    assert three.focal_loss_ == SoftmaxFocalLoss(3)
    assert host.estimator(n_estimators=2).fit(*rare).focal_loss_ == FocalLoss()


def test_probabilities_are_the_posterior_of_the_raw_prediction(host, faults):
    X, y = faults
    model = host.estimator(focal_gamma=1, focal_alpha=[1, 2, 3]).fit(X, y)
    raw = np.float64(model.predict(X, **host.margin_option()))
    loss = SoftmaxFocalLoss(3, 1, (1, 2, 3))
    probability = model.predict_proba(X)
    np.testing.assert_array_equal(probability, loss.posterior(raw))
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=0, atol=1e-12)
    decision = model.decision_function(X)
    np.testing.assert_allclose(np.exp(decision), probability, rtol=1e-10)
    np.testing.assert_array_equal(model.predict(X), probability.argmax(axis=1))
    assert log_loss(y, probability) < 0.6 * log_loss(
        y, np.tile(np.bincount(y.astype(int)) / len(y), (len(y), 1))
    )


def test_the_classifier_is_train_with_the_posterior(host, faults):
    X, y = faults
    model = host.estimator(n_estimators=10).fit(X, y)
    loss = SoftmaxFocalLoss(3)
    booster = host.train(host.data(X, y), 10, loss=loss)
    expected = loss.posterior(np.float64(host.raw(booster, X)))
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-5)


def test_extreme_rows_have_probabilities(host, faults):
    X, y = faults
    params = {"n_estimators": 200, "learning_rate": 1.0, "reg_lambda": 0}
    model = host.estimator(focal_gamma=0.5, **params).fit(X, y)
    probability = model.predict_proba(X * 1e6)
    assert np.isfinite(probability).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=0, atol=1e-12)


def test_named_classes_come_in_their_order(host, faults):
    X, y = faults
    named = NAMES[y.astype(int)]
    model = host.estimator(n_estimators=5, focal_gamma=GAMMAS).fit(X, named)
    assert model.classes_.tolist() == sorted(NAMES)
    assert model.focal_loss_.gammas == (1.0, 0.0, 2.0)
    plain = host.estimator(n_estimators=5, focal_gamma=[0, 1, 2]).fit(X, y)
    order = np.argsort(NAMES)
    np.testing.assert_allclose(
        model.predict_proba(X), plain.predict_proba(X)[:, order], rtol=1e-4, atol=1e-7
    )
    assert set(model.predict(X)) <= set(NAMES)


def test_values_by_label_serve_parts_of_the_classes(host, faults):
    X, y = faults
    two = y > 0
    named = NAMES[y.astype(int)]
    model = host.estimator(n_estimators=2, focal_gamma=GAMMAS).fit(X[two], named[two])
    assert model.focal_loss_ == FocalLoss((2.0, 1.0))


def test_a_label_without_a_value_is_named(host, faults):
    model = host.estimator(focal_gamma={0: 1.0, 1: 2.0})
    with pytest.raises(ValueError, match=r"focal_gamma must be a value .*Add \[2"):
        model.fit(*faults)


def test_alpha_by_label_is_in_the_order_of_the_classes(host, faults):
    X, y = faults
    alpha = {"none": 1, "leak": 4, "short circuit": 2, "never seen": 9}
    model = host.estimator(n_estimators=2, focal_alpha=alpha)
    model.fit(X, NAMES[y.astype(int)])
    expected = SoftmaxFocalLoss(3, alpha=[alpha[label] for label in model.classes_])
    assert model.focal_loss_ == expected
    with pytest.raises(ValueError, match=r"focal_alpha must be a value .*Add \['none"):
        host.estimator(focal_alpha={"leak": 1.0}).fit(X, NAMES[y.astype(int)])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"focal_gamma": (1, 2)}, "focal_gamma must be a number from 0 to 1000, or"),
        ({"focal_alpha": 0.25}, "focal_alpha must be None, or positive weights of 3"),
        ({"focal_alpha": [1, 2, -1]}, "focal_alpha must be None, or positive"),
    ],
)
def test_parameters_of_two_classes_are_refused_for_three(host, params, message, faults):
    with pytest.raises(ValueError, match=message):
        host.estimator(**params).fit(*faults)


def test_alpha_of_classes_is_refused_for_two(host, rare):
    with pytest.raises(ValueError, match=r"got \[1, 2\]. Use class_weight={0.0:"):
        host.estimator(focal_alpha=[1, 2]).fit(*rare)


def test_a_fold_without_a_class(host, faults):
    X, y = faults
    few = np.flatnonzero(y == 2)[:1]
    rows = np.concatenate([np.flatnonzero(y < 2)[:600], few])
    model = host.estimator(n_estimators=3)
    # scikit-learn says it, and puts the columns in their places
    with pytest.warns(RuntimeWarning, match="Number of classes in training fold"):
        probability = cross_val_predict(
            model, X[rows], y[rows], method="predict_proba", cv=KFold(3)
        )
    assert probability.shape == (len(rows), 3)
    assert probability[-1, 2] == 0  # no other row of this class to learn from


def test_class_weight_is_a_sample_weight(host, faults):
    X, y = faults
    weights = {0: 1.0, 1: 5.0, 2: 3.0}
    weighted = host.estimator(n_estimators=10, class_weight=weights).fit(X, y)
    rows = np.array([1.0, 5.0, 3.0])[y.astype(int)]
    explicit = host.estimator(n_estimators=10).fit(X, y, sample_weight=rows)
    np.testing.assert_array_equal(weighted.predict_proba(X), explicit.predict_proba(X))


@pytest.mark.parametrize("data", ["rare", "faults"])
def test_effective_class_weights(host, data, request):
    X, y = request.getfixturevalue(data)
    counts = np.bincount(y.astype(int))
    weights = (1 - 0.9999) / (1 - 0.9999**counts)
    weights *= len(y) / (weights[y.astype(int)].sum())
    explicit = host.estimator(n_estimators=10).fit(
        X, y, sample_weight=weights[y.astype(int)]
    )
    named = host.estimator(n_estimators=10, class_weight="effective").fit(X, y)
    np.testing.assert_allclose(
        named.predict_proba(X), explicit.predict_proba(X), rtol=1e-5
    )
    balanced = host.estimator(n_estimators=10, class_weight="balanced").fit(X, y)
    assert abs(balanced.predict_proba(X) - named.predict_proba(X)).max() > 1e-3


def test_effective_weights_are_balanced_for_few_rows_and_equal_for_many():
    few = effective_weights(np.array([9, 3]))
    np.testing.assert_allclose(few, [12 / 18, 12 / 6], rtol=1e-3)
    many = effective_weights(np.array([10**6, 10**5]))
    np.testing.assert_allclose(many, [1, 1], rtol=1e-4)


def test_lightgbm_s_evaluation_sets_have_effective_weights_too(faults):
    X, y = faults
    seen = []

    def metric(y_true, probability, weight):
        seen.append(np.unique(weight))
        return "constant", 0.0, False

    LightGBMDriver().estimator(n_estimators=1).fit(
        X,
        y,
        eval_set=[(X[:500], y[:500])],
        eval_class_weight=["effective"],
        eval_metric=metric,
    )
    expected = effective_weights(np.bincount(y[:500].astype(int)))
    np.testing.assert_allclose(seen[0], np.sort(expected), rtol=1e-6)


@pytest.mark.parametrize("weight", ["efective", "balance", 3, [1, 2, 3]])
def test_other_class_weights_are_refused(host, weight, faults):
    words = "class_weight must be a dict by label, 'balanced', 'effective' or None"
    with pytest.raises(ValueError, match=words):
        host.estimator(class_weight=weight).fit(*faults)


def stopping(host):
    """Early stopping after five rounds, as estimator and as fit arguments."""
    if host.name == "xgboost":
        return {"early_stopping_rounds": 5}, {"verbose": False}
    return {}, {"callbacks": [lightgbm.early_stopping(5, verbose=False)]}


def test_early_stopping_watches_the_relative_focal_loss(host, faults):
    X, y = faults
    params, options = stopping(host)
    params["focal_balance"] = False  # rounds are evaluated before the balance
    model = host.estimator(n_estimators=300, learning_rate=0.3, **params)
    model.fit(X[:1500], y[:1500], eval_set=[(X[1500:], y[1500:])], **options)
    best = model.best_iteration if host.name == "xgboost" else model.best_iteration_ - 1
    assert 3 < best < 200
    raw = model.predict(X[1500:], **host.margin_option())
    value = focal_metric(n_classes=3)(y[1500:], raw)
    score = model.best_score if host.name == "xgboost" else model.best_score_
    if host.name == "lightgbm":
        score = score["valid_0"]["relative_focal_loss"]
    assert value == pytest.approx(score, abs=1e-5)


def test_a_metric_gets_the_posterior_of_every_class(host, faults):
    X, y = faults
    shapes = []

    def accuracy(y_true, probability):
        shapes.append(probability.shape)
        np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-12)
        value = float(np.mean(y_true == probability.argmax(axis=1)))
        return ("accuracy", value, True) if host.name == "lightgbm" else value

    params, options = {}, {"eval_set": [(X[:100], y[:100])]}
    if host.name == "xgboost":
        params, options["verbose"] = {"eval_metric": accuracy}, False
    else:
        options["eval_metric"] = accuracy
    host.estimator(n_estimators=2, **params).fit(X, y, **options)
    assert shapes == [(100, 3)] * 2


def test_a_fitted_model_pickles_and_clones(host, faults):
    X, y = faults
    model = host.estimator(n_estimators=3, focal_gamma=GAMMAS)
    model.fit(X, NAMES[y.astype(int)])
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
    again = clone(model).fit(X, NAMES[y.astype(int)])
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_refitting_with_other_classes(host, faults, rare):
    model = host.estimator(n_estimators=3)
    model.fit(*faults).fit(*rare)
    assert model.predict_proba(rare[0]).shape == (len(rare[1]), 2)
    model.fit(*faults)
    assert model.predict_proba(faults[0]).shape == (len(faults[1]), 3)


def test_continuing_a_fitted_model(host, faults):
    X, y = faults
    once = host.estimator(n_estimators=10).fit(X, y)
    first = host.estimator(n_estimators=5).fit(X, y)
    both = host.estimator(n_estimators=5).fit(X, y, **host.continued(first))
    np.testing.assert_allclose(
        both.predict_proba(X), once.predict_proba(X), rtol=0, atol=1e-6
    )


def test_a_constant_feature_gives_the_class_frequencies(host, faults):
    _, y = faults
    with pytest.warns(UserWarning, match="The model has learned nothing"):
        model = host.estimator(n_estimators=3).fit(np.zeros((len(y), 1)), y)
    frequency = np.bincount(y.astype(int)) / len(y)
    np.testing.assert_allclose(
        model.predict_proba(np.zeros((1, 1)))[0], frequency, rtol=1e-5
    )


def test_one_against_the_rest(host, faults):
    X, y = faults
    model = OneVsRestClassifier(host.estimator(n_estimators=20)).fit(X, y)
    probability = model.predict_proba(X)
    assert probability.shape == (len(y), 3)
    binary = host.estimator(n_estimators=20).fit(X, (y == 2).astype(int))
    odds = [estimator.predict_proba(X)[:, 1] for estimator in model.estimators_]
    np.testing.assert_array_equal(odds[2], binary.predict_proba(X)[:, 1])
    assert np.mean(model.predict(X) == y) > 0.85


def test_grid_search_over_gamma(host, faults):
    X, y = faults
    grid = {"focal_gamma": [0, 2, [0, 1, 2]]}
    search = GridSearchCV(host.estimator(n_estimators=5), grid, scoring="neg_log_loss")
    search.fit(X, y, **({"verbose": False} if host.name == "xgboost" else {}))
    assert len(set(search.cv_results_["mean_test_score"])) == 3
    assert search.best_estimator_.predict_proba(X).shape == (len(y), 3)


def test_a_pair_of_gammas_in_grid_search(host, rare):
    grid = {"focal_gamma": [(0, 2), (2, 0), (1, 1)]}
    model = host.estimator(n_estimators=10)
    search = GridSearchCV(model, grid, scoring="average_precision", cv=3).fit(*rare)
    scores = search.cv_results_["mean_test_score"]
    assert len(set(scores)) == 3
    fitted = search.best_estimator_.focal_loss_.gammas
    assert fitted == tuple(map(float, grid["focal_gamma"][int(np.argmax(scores))]))


def test_a_pair_of_gammas_in_optuna(host, rare):
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial):
        pair = [trial.suggest_float(name, 0, 4) for name in ("positive", "negative")]
        model = host.estimator(n_estimators=5, focal_gamma=tuple(pair))
        scores = cross_val_score(model, *rare, scoring="average_precision", cv=2)
        return float(scores.mean())

    sampler = optuna.samplers.RandomSampler(seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=3)
    assert len({trial.value for trial in study.trials}) == 3
