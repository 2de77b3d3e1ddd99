"""Other data for finished trees: LightGBM's refit, and XGBoost's refresh."""

import json

import numpy as np
import pytest
from conftest import make_faults, make_rare
from optional import FocalLGBMClassifier, FocalXGBClassifier, lightgbm, xgboost
from scipy.special import logit

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss, SoftmaxFocalLoss

QUIET = {"num_threads": 1, "verbosity": -1, "num_leaves": 7, "lambda_l2": 1.5}
REFRESH = {"process_type": "update", "updater": "refresh", "nthread": 1, "verbosity": 0}

LOSSES = [FocalLoss(2), FocalLoss((0, 2), 0.3), SoftmaxFocalLoss(3, (0, 2, 1))]

each_loss = pytest.mark.parametrize("loss", LOSSES, ids=repr)


def data_of(loss, seed=0):
    if isinstance(loss, SoftmaxFocalLoss):
        return make_faults(seed=seed)
    return make_rare(3000, intercept=-2, seed=seed)


def trained(loss, balance=True, rounds=15):
    X, y = data_of(loss)
    train_set = lightgbm.Dataset(X, y)
    return focalboost.lightgbm.train(
        QUIET, train_set, rounds, loss=loss, balance=balance
    )


def raw_of(booster, X):
    return booster.predict(X, raw_score=True)


def by_hand(booster, loss, X, y, weight, decay_rate, rate=0.1):
    """The raw predictions of a refit, with leaf values from LightGBM's own methods."""
    leaf = booster.predict(X, pred_leaf=True).astype(int)
    start = np.atleast_1d(loss.baseline(y, weight))
    raw = np.tile(start, (len(y), 1))
    for tree in range(leaf.shape[1]):
        k = tree % len(start)
        if k == 0:
            flat = raw if len(start) > 1 else raw[:, 0]
            slopes, bends = loss.gradient_curvature(y, flat, weight)
            slopes, bends = slopes.reshape(raw.shape), bends.reshape(raw.shape)
            raw = raw.copy() if tree else np.zeros_like(raw)
        first = tree < len(start)
        for one in np.unique(leaf[:, tree]):
            rows = leaf[:, tree] == one
            total, bend = slopes[rows, k].sum(), bends[rows, k].sum()
            step = -total / (bend + QUIET["lambda_l2"]) * (bend >= 1e-3)
            new = start[k] * first + rate * step
            old = booster.get_leaf_output(tree, one)
            raw[rows, k] += decay_rate * old + (1 - decay_rate) * new
    return raw if len(start) > 1 else raw[:, 0]


@each_loss
@pytest.mark.parametrize("decay_rate", [0, 0.5, 0.9])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_refit_is_that_of_a_loop_over_leaves(loss, decay_rate, weighted):
    model = trained(loss, balance=False)
    X, y = data_of(loss, seed=1)
    weight = np.random.default_rng(0).random(len(y)) if weighted else None
    options = {"decay_rate": decay_rate, "weight": weight, "balance": False}
    found = focalboost.lightgbm.refit(model, X, y, **options)
    expected = by_hand(model, loss, X, y, weight, decay_rate)
    np.testing.assert_allclose(raw_of(found, X), expected, rtol=0, atol=1e-5)


@each_loss
def test_a_fresh_refit_to_the_training_data_is_the_model(loss):
    """Every leaf value is the one that training has found."""
    model = trained(loss)
    X, y = data_of(loss)
    again = focalboost.lightgbm.refit(model, X, y, decay_rate=0)
    np.testing.assert_allclose(again.predict(X), model.predict(X), rtol=0, atol=1e-12)


@each_loss
@pytest.mark.parametrize("rates", [(0.3, 0.03), (0.03, 0.3)])
def test_a_model_of_two_learning_rates(loss, rates):
    X, y = data_of(loss)
    model = None
    for rate in rates:
        params, train_set = {**QUIET, "learning_rate": rate}, lightgbm.Dataset(X, y)
        model = focalboost.lightgbm.train(
            params, train_set, 4, init_model=model, loss=loss
        )
    again = focalboost.lightgbm.refit(model, X, y, decay_rate=0)
    np.testing.assert_allclose(again.predict(X), model.predict(X), rtol=0, atol=1e-12)


@pytest.mark.parametrize("decay_rate", [0, 0.5, 0.9])
def test_gamma_0_is_the_refit_of_lightgbm(decay_rate):
    """From 0, where LightGBM starts, which is the baseline of as many positives."""
    X, y = make_rare(3000, intercept=-1)
    params = {**QUIET, "objective": "binary", "boost_from_average": False}
    params["min_sum_hessian_in_leaf"] = 0
    model = lightgbm.train(params, lightgbm.Dataset(X, y), 15)
    X, y = make_rare(3000, intercept=-1, seed=1)
    n_positives = int(y.sum())
    rows = np.r_[np.flatnonzero(y), np.flatnonzero(1 - y)[:n_positives]]
    X, y = X[rows], y[rows]
    options = {"loss": FocalLoss(0), "curvature": "exact"}
    found = focalboost.lightgbm.refit(model, X, y, decay_rate=decay_rate, **options)
    own = model.refit(X, y, decay_rate=decay_rate)
    np.testing.assert_allclose(raw_of(found, X), raw_of(own, X), rtol=0, atol=1e-9)


@each_loss
@pytest.mark.parametrize("decay_rate", [0, 0.9])
def test_a_refitted_model_is_in_balance(loss, decay_rate):
    X, y = data_of(loss, seed=1)
    model = focalboost.lightgbm.refit(trained(loss), X, y, decay_rate=decay_rate)
    posterior = np.asarray(loss.posterior(raw_of(model, X)))
    is_binary = isinstance(loss, FocalLoss)
    expected = y.sum() if is_binary else np.bincount(y.astype(int))
    np.testing.assert_allclose(posterior.sum(axis=0), expected, rtol=1e-7)


def test_a_decay_rate_of_1_copies_the_model():
    loss = FocalLoss()
    model = trained(loss)
    X, y = data_of(loss, seed=1)
    copy = focalboost.lightgbm.refit(model, X, y, decay_rate=1)
    np.testing.assert_array_equal(raw_of(copy, X), raw_of(model, X))
    assert copy is not model


def test_a_refitted_model_knows_its_training(tmp_path):
    """A refit of a refit, of a file, and a continuation go on from its note."""
    loss = FocalLoss((0, 2))
    model = trained(loss)
    X, y = data_of(loss, seed=1)
    before = model.model_to_string()
    new = focalboost.lightgbm.refit(model, X, y)
    assert model.model_to_string() == before
    new.save_model(tmp_path / "model.txt")
    again = focalboost.lightgbm.refit(tmp_path / "model.txt", X, y)
    expected = focalboost.lightgbm.refit(new, X, y)
    np.testing.assert_array_equal(raw_of(again, X), raw_of(expected, X))
    train_set = lightgbm.Dataset(X, y)
    more = focalboost.lightgbm.train(QUIET, train_set, 2, loss=loss, init_model=new)
    assert more.num_trees() == 17
    assert np.all(raw_of(focalboost.lightgbm.refit(more, X, y, decay_rate=0.5), X))


def test_a_refitted_estimator_keeps_its_labels():
    X, y = data_of(FocalLoss(), seed=1)
    names = np.where(y, "yes", "no")
    estimator = FocalLGBMClassifier(n_estimators=5, verbosity=-1, n_jobs=1)
    estimator.fit(*data_of(FocalLoss()))
    estimator.fit(X, names)
    booster = focalboost.lightgbm.refit(estimator, X, names)
    direct = focalboost.lightgbm.refit(estimator.booster_, X, names)
    np.testing.assert_array_equal(booster.predict(X), direct.predict(X))
    with pytest.raises(ValueError, match=r"^y must be made of the labels"):
        focalboost.lightgbm.refit(estimator, X, y)


def test_an_early_stopped_model_has_the_rounds_of_its_predictions():
    loss = FocalLoss()
    X, y = data_of(loss)
    train_set = lightgbm.Dataset(X, y)
    valid_set = train_set.create_valid(*data_of(loss, seed=2))
    stop = [lightgbm.early_stopping(3, verbose=False)]
    params = {**QUIET, "learning_rate": 0.5}
    model = focalboost.lightgbm.train(
        params, train_set, 200, valid_set, loss=loss, callbacks=stop
    )
    again = focalboost.lightgbm.refit(model, X, y, decay_rate=0, balance=False)
    assert again.num_trees() == model.best_iteration < 200
    unbalanced = focalboost.lightgbm.train(
        params, train_set, model.best_iteration, loss=loss, balance=False
    )
    np.testing.assert_allclose(raw_of(again, X), raw_of(unbalanced, X), atol=1e-6)


@pytest.mark.parametrize("limit", ["lambda_l1", "max_delta_step", "lambda_l2"])
def test_a_refit_takes_the_penalties_of_the_training(limit):
    loss = FocalLoss()
    X, y = data_of(loss)
    params = {**QUIET, limit: 0.7}
    model = focalboost.lightgbm.train(params, lightgbm.Dataset(X, y), 10, loss=loss)
    again = focalboost.lightgbm.refit(model, X, y, decay_rate=0)
    np.testing.assert_allclose(again.predict(X), model.predict(X), atol=1e-12)


def test_new_data_of_one_class():
    loss = FocalLoss()
    X, _ = data_of(loss, seed=1)
    model = focalboost.lightgbm.refit(trained(loss), X, np.zeros(len(X)))
    assert raw_of(model, X).mean() < raw_of(trained(loss), X).mean()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decay_rate": 1.1}, "decay_rate must be a number from 0 to 1"),
        ({"decay_rate": np.nan}, "decay_rate must be a number from 0 to 1"),
        ({"decay_rate": "0.5"}, "decay_rate must be a number from 0 to 1; got '0.5'"),
        ({"loss": SoftmaxFocalLoss(3)}, "a model with 3 raw prediction"),
        ({"loss": "focal"}, "loss must be a FocalLoss"),
        ({"balance": "validation"}, "balance must be True or False"),
    ],
)
def test_arguments_of_a_refit(options, message):
    loss = FocalLoss()
    with pytest.raises(ValueError, match=message):
        focalboost.lightgbm.refit(trained(loss, rounds=2), *data_of(loss), **options)


@pytest.mark.parametrize("n_rows", [1, 5, -1])
def test_labels_of_other_rows_are_refused(n_rows):
    X, y = data_of(FocalLoss())
    with pytest.raises(ValueError, match=rf"^y must be of shape \({len(y)},\)"):
        focalboost.lightgbm.refit(trained(FocalLoss(), rounds=2), X, y[:n_rows])


def test_models_that_cannot_be_refitted():
    X, y = data_of(FocalLoss())
    data_set = lightgbm.Dataset(X, y, free_raw_data=False)
    plain = lightgbm.train({**QUIET, "objective": "binary"}, data_set, 2)
    with pytest.raises(ValueError, match=r"loss must be .* which has no note of it"):
        focalboost.lightgbm.refit(plain, X, y)
    params = {**QUIET, "linear_tree": True}
    data_set = lightgbm.Dataset(X, y, params={"linear_tree": True})
    linear = focalboost.lightgbm.train(params, data_set, 2)
    with pytest.raises(ValueError, match="a model whose leaves are constants"):
        focalboost.lightgbm.refit(linear, X, y)


def start_of(booster, loss):
    learner = json.loads(booster.save_config())["learner"]
    score = np.atleast_1d(json.loads(learner["learner_model_param"]["base_score"]))
    return logit(score) if isinstance(loss, FocalLoss) else score


@each_loss
@pytest.mark.parametrize("in_file", [False, True])
def test_a_refresh_is_that_of_a_loop_over_leaves(loss, in_file, tmp_path):
    dtrain = xgboost.DMatrix(*data_of(loss))
    params = {"nthread": 1, "max_depth": 3}
    first = focalboost.xgboost.train(params, dtrain, 8, loss=loss, balance=False)
    X, y = data_of(loss, seed=1)
    data = xgboost.DMatrix(X, y)
    model = first
    if in_file:
        model = tmp_path / "model.ubj"
        first.save_model(model)
    # XGBoost before 3.4 leaves small leaves at 0.
    params = {**REFRESH, "min_child_weight": 0}
    found = focalboost.xgboost.train(
        params, data, 8, loss=loss, xgb_model=model, balance=False
    )
    start = start_of(first, loss)
    leaf = first.predict(data, pred_leaf=True).astype(int).reshape(len(y), -1)
    raw = np.tile(np.float32(start), (len(y), 1))
    for tree in range(leaf.shape[1]):
        k = tree % len(start)
        if k == 0:
            flat = raw if len(start) > 1 else raw[:, 0]
            parts = loss.gradient_curvature(y, flat)
            slopes, bends = (np.reshape(part, raw.shape) for part in parts)
            raw = raw.copy()
        total, bend = (np.bincount(leaf[:, tree], p[:, k]) for p in (slopes, bends))
        raw[:, k] -= (0.3 * total / (bend + 1))[leaf[:, tree]]
    margin = found.predict(data, output_margin=True).reshape(raw.shape)
    np.testing.assert_allclose(margin, raw, rtol=0, atol=2e-5)


@each_loss
def test_a_refreshed_model_is_in_balance(loss):
    params = {"nthread": 1, "max_depth": 3}
    dtrain = xgboost.DMatrix(*data_of(loss))
    first = focalboost.xgboost.train(params, dtrain, 8, loss=loss)
    X, y = data_of(loss, seed=1)
    data = xgboost.DMatrix(X, y)
    model = focalboost.xgboost.train(REFRESH, data, 8, loss=loss, xgb_model=first)
    # A data set that the booster has not seen: it keeps predictions of those it has.
    raw = model.predict(xgboost.DMatrix(X), output_margin=True)
    posterior = np.asarray(loss.posterior(raw.astype(float)))
    is_binary = isinstance(loss, FocalLoss)
    expected = y.sum() if is_binary else np.bincount(y.astype(int))
    np.testing.assert_allclose(posterior.sum(axis=0), expected, rtol=1e-6)
    more = focalboost.xgboost.train(params, data, 2, loss=loss, xgb_model=model)
    assert more.num_boosted_rounds() == 10


def test_a_refresh_to_the_training_data_changes_nothing():
    data = xgboost.DMatrix(*data_of(FocalLoss()))
    model = focalboost.xgboost.train({"nthread": 1}, data, 5)
    for refresh_leaf in (True, False):
        params = {**REFRESH, "refresh_leaf": refresh_leaf}
        again = focalboost.xgboost.train(params, data, 5, xgb_model=model)
        np.testing.assert_allclose(again.predict(data), model.predict(data), atol=1e-6)


def test_estimators_are_refreshed():
    X, y = data_of(FocalLoss())
    model = FocalXGBClassifier(n_estimators=5, n_jobs=1).fit(X, y)
    again = FocalXGBClassifier(n_estimators=5, **REFRESH)
    again.fit(X, y, xgb_model=model)
    found, expected = (one.predict_proba(X) for one in (again, model))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    with pytest.raises(ValueError, match="n_estimators must be 5, the rounds of the"):
        again.set_params(n_estimators=4).fit(X, y, xgb_model=model)


def test_a_refresh_has_to_reach_all_trees(tmp_path):
    data = xgboost.DMatrix(*data_of(FocalLoss()))
    train = focalboost.xgboost.train
    model = train({"nthread": 1}, data, 5)
    for rounds in (3, 6):
        with pytest.raises(ValueError, match="num_boost_round must be 5, the rounds"):
            train(REFRESH, data, rounds, xgb_model=model)
    with pytest.raises(ValueError, match="xgb_model must be a model, for process_type"):
        train(REFRESH, data, 5)
    with pytest.raises(ValueError, match="checkpoint must be None for process_type"):
        train(REFRESH, data, 5, xgb_model=model, checkpoint=tmp_path / "model.ubj")
