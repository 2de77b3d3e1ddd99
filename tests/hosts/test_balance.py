"""Models in balance: posteriors of the training rows add up to their labels."""

import numpy as np
import pytest
from host_drivers import HOSTS, XGBoostDriver, host_id
from optional import HAS_XGBOOST, lightgbm, version, xgboost
from sklearn.metrics import average_precision_score

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss, SoftmaxFocalLoss
from focalboost.xgboost._params import start_of_probability

#: XGBoost has float32 scores, and keeps its base_score in float32.
RTOL = 1e-6

LOSSES = [
    FocalLoss(2),
    FocalLoss(0),
    FocalLoss((0, 2), alpha=0.8),
    SoftmaxFocalLoss(3, 2),
    SoftmaxFocalLoss(3, (0, 1, 4), alpha=(1, 2, 5)),
]


with_base_scores = pytest.mark.skipif(
    HAS_XGBOOST and version("xgboost") < (3, 1), reason="a single base_score"
)


def skip_without_base_scores(host, loss):
    several = isinstance(loss, SoftmaxFocalLoss)
    if several and host.name == "xgboost" and version("xgboost") < (3, 1):
        pytest.skip("XGBoost before 3.1 has a single base_score")


def problem(loss, rare, faults):
    X, y = faults if isinstance(loss, SoftmaxFocalLoss) else rare
    params = {"learning_rate": 0.05}
    if isinstance(loss, SoftmaxFocalLoss):
        params["num_class"] = loss.n_classes
    return X, y, params


def excess(host, loss, booster, X, y, weight=None):
    """The largest relative difference of summed posteriors and labels."""
    weight = np.ones(len(y)) if weight is None else np.float32(weight).astype(float)
    posterior = loss.posterior(host.raw(booster, X).astype(np.float64))
    target = weight @ y
    if isinstance(loss, SoftmaxFocalLoss):
        target = np.bincount(y.astype(int), weight, loss.n_classes)
    return np.max(np.abs(weight @ posterior / target - 1))


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("is_weighted", [False, True])
def test_posteriors_of_the_training_rows_add_up(host, loss, is_weighted, rare, faults):
    skip_without_base_scores(host, loss)
    X, y, params = problem(loss, rare, faults)
    weight = np.random.default_rng(0).lognormal(size=len(y)) if is_weighted else None
    data = host.data(X, y, weight)
    off = host.train(data, 10, params, loss=loss, balance=False)
    on = host.train(host.data(X, y, weight), 10, params, loss=loss)
    assert excess(host, loss, off, X, y, weight) > 1e-2
    assert excess(host, loss, on, X, y, weight) < RTOL


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_continuing_is_one_training_and_in_balance(host, loss, rare, faults):
    skip_without_base_scores(host, loss)
    X, y, params = problem(loss, rare, faults)
    whole = host.train(host.data(X, y), 10, params, loss=loss)
    half = host.train(host.data(X, y), 5, params, loss=loss)
    both = host.train(host.data(X, y), 5, params, loss=loss, **host.continued(half))
    np.testing.assert_allclose(host.raw(both, X), host.raw(whole, X), atol=1e-12)
    assert excess(host, loss, both, X, y) < RTOL
    assert excess(host, loss, half, X, y) < RTOL  # it is left as it was


@pytest.mark.parametrize("kind", ["file", "booster", "unbalanced"])
def test_a_model_to_continue_may_come_from_anywhere(host, kind, rare, tmp_path):
    X, y = rare
    off = {"balance": False} if kind == "unbalanced" else {}
    whole = host.train(host.data(X, y), 10)
    half = host.train(host.data(X, y), 5, **off)
    if kind == "file":
        path = tmp_path / f"model.{host.formats[0]}"
        half.save_model(path)
        half = path
    both = host.train(host.data(X, y), 5, **host.continued(half))
    np.testing.assert_allclose(host.raw(both, X), host.raw(whole, X), atol=1e-12)


@pytest.mark.parametrize("loss", [FocalLoss((0, 2)), SoftmaxFocalLoss(3)], ids=str)
@pytest.mark.parametrize("label", [0, 1])
def test_rows_of_one_class_leave_the_balance_as_it_was(host, loss, label, rare, faults):
    """The new trees are so small that the old rows have to stay in balance."""
    skip_without_base_scores(host, loss)
    X, y, params = problem(loss, rare, faults)
    model = host.train(host.data(X, y), 10, params, loss=loss)
    params, batch = {**params, "learning_rate": 1e-9}, y == label
    for _ in range(2):
        data = host.data(X[batch], y[batch])
        model = host.train(data, 1, params, loss=loss, **host.continued(model))
    assert excess(host, loss, model, X, y) < RTOL


@with_base_scores
def test_columns_of_one_label_leave_their_balance_as_it_was(rare):
    X, y = rare
    labels, loss = np.column_stack([y, X[:, 0] > 1]), FocalLoss(2)
    data = xgboost.DMatrix(X, label=labels)
    model = focalboost.xgboost.train({}, data, 5, loss=loss)
    batch = y == 0
    data = xgboost.DMatrix(X[batch], label=labels[batch])
    model = focalboost.xgboost.train(
        {"learning_rate": 1e-9}, data, 1, loss=loss, xgb_model=model
    )
    posterior = loss.posterior(model.predict(xgboost.DMatrix(X), output_margin=True))
    assert posterior[:, 0].sum() == pytest.approx(labels[:, 0].sum(), rel=RTOL)
    assert posterior[batch, 1].sum() == pytest.approx(labels[batch, 1].sum(), rel=RTOL)


def test_the_log_loss_with_the_exact_curvature_is_the_host_s_own_model(host, rare):
    X, y = rare
    options = {"loss": FocalLoss(0), "curvature": "exact"}
    on = host.train(host.data(X, y), 5, **options)
    off = host.train(host.data(X, y), 5, **options, balance=False)
    np.testing.assert_array_equal(host.raw(on, X), host.raw(off, X))


@pytest.mark.parametrize(
    "host", [h for h in HOSTS if h.name == "lightgbm"], ids=host_id
)
def test_rounds_without_a_tree_are_not_rolled_back(host):
    """Bags in which no leaf can be split leave fewer trees than rounds."""
    rng = np.random.default_rng(0)
    X, valid = rng.normal(size=(2000, 5)), rng.normal(size=(1000, 5))
    y, noise = X[:, 0] > 1.8, 0.2 * rng.normal(size=1000)
    data = host.data(X, y)
    evals = [host.data(valid, valid[:, 0] + noise > 1.8, reference=data)]
    params = {"bagging_freq": 1, "bagging_fraction": 0.8, "min_data_in_leaf": 1}
    params |= {"min_sum_hessian_in_leaf": 19, "learning_rate": 0.2}
    trees = []
    booster = host.train(
        *(data, 200, params, evals),
        loss=FocalLoss(0),
        callbacks=[
            lambda env: trees.append(env.model.num_trees()),
            lightgbm.early_stopping(20, verbose=False),
        ],
    )
    best = booster.best_iteration
    assert booster.num_trees() == trees[best - 1] < best
    assert excess(host, FocalLoss(0), booster, X, y) < RTOL


@pytest.mark.parametrize("asked_by", ["parameter", "callback"])
def test_an_early_stopped_model_is_in_balance_at_its_best_round(host, asked_by, rare):
    X, y = rare
    data = host.data(X[:2500], y[:2500])
    evals = [host.data(X[2500:], y[2500:], reference=data)]
    params, options = {"learning_rate": 0.3}, {"stopping_rounds": 5}
    if asked_by == "parameter" and host.name == "lightgbm":
        params["early_stopping_round"] = options.pop("stopping_rounds")
    if asked_by == "callback" and host.name == "xgboost":
        options = {
            "callbacks": [xgboost.callback.EarlyStopping(rounds=5, save_best=True)]
        }
    booster = host.train(data, 200, params, evals, **options)
    assert excess(host, FocalLoss(), booster, X[:2500], y[:2500]) < RTOL


def test_lightgbm_stops_early_as_without_the_balance(rare):
    X, y = rare
    params = {"verbosity": -1, "num_threads": 1, "early_stopping_round": 4}
    found = []
    for balance in (True, False):
        data = lightgbm.Dataset(X[:2500], y[:2500])
        valid = lightgbm.Dataset(X[2500:], y[2500:], reference=data)
        booster = focalboost.lightgbm.train(
            params, data, 100, valid_sets=[valid], balance=balance
        )
        found.append((booster.best_iteration, booster.num_trees()))
        assert booster.best_score["valid_0"]["relative_focal_loss"] < 1
    assert found[0] == found[1]
    assert 1 < found[0][0] < 96


def test_the_balance_may_be_that_of_the_validation_rows(host, rare):
    X, y = rare
    data = host.data(X[:2500], y[:2500])
    evals = [data, host.data(X[2500:], y[2500:], reference=data)]
    booster = host.train(data, 10, {}, evals, balance="validation")
    assert excess(host, FocalLoss(), booster, X[2500:], y[2500:]) < RTOL
    assert excess(host, FocalLoss(), booster, X[:2500], y[:2500]) > 1e-3


def test_the_last_set_may_be_the_training_set(host, rare):
    X, y = rare
    data = host.data(X[:2500], y[:2500])
    evals = [host.data(X[2500:], y[2500:], reference=data), data]
    booster = host.train(data, 10, {}, evals, balance="validation")
    assert excess(host, FocalLoss(), booster, X[:2500], y[:2500]) < RTOL


@pytest.mark.parametrize(
    ("balance", "message"),
    [
        ("validation", "balance must be True or False without an evaluation set"),
        ("train", "balance must be True, False or \"validation\"; got 'train'"),
        (None, 'balance must be True, False or "validation"; got None'),
        (np.array([True]), 'balance must be True, False or "validation"'),
    ],
)
def test_other_values_are_refused(host, balance, message, rare):
    with pytest.raises(ValueError, match=message):
        host.train(host.data(*rare), 2, balance=balance)


def test_a_parameter_grid_may_be_an_array(host, rare):
    data = host.data(*rare)
    for balance in np.array([True, False]):
        found, expected = (
            host.raw(host.train(data, 2, balance=one), rare[0])
            for one in (balance, bool(balance))
        )
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("host", HOSTS, ids=host_id)
@pytest.mark.parametrize("loss", [FocalLoss(2), FocalLoss((1, 4), 0.9)], ids=str)
def test_the_ranking_does_not_change(host, loss, rare):
    X, y = rare
    on = host.raw(host.train(host.data(X, y), 20, loss=loss), X)
    off = host.raw(host.train(host.data(X, y), 20, loss=loss, balance=False), X)
    shift = on - off
    np.testing.assert_allclose(shift, shift[0], atol=1e-5)
    scores = [average_precision_score(y, raw) for raw in (on, off)]
    # XGBoost rounds raw predictions to float32, which can make or break ties.
    assert scores[0] == pytest.approx(
        scores[1], abs=0 if host.name != "xgboost" else 1e-9
    )


XGBOOST = [
    {"booster": "dart", "rate_drop": 0.5},
    {"booster": "gblinear", "updater": "coord_descent"},
    {"num_parallel_tree": 3, "subsample": 0.5},
    {"multi_strategy": "multi_output_tree"},
    {"tree_method": "approx"},
    {"tree_method": "exact"},
]
LIGHTGBM = [
    {"boosting": "dart"},
    {"linear_tree": True},
    {"boosting": "goss"},
    {"bagging_fraction": 0.5, "bagging_freq": 1},
    {"metric": "auc"},
]


@pytest.mark.parametrize("params", XGBOOST, ids=str)
def test_every_booster_of_xgboost(params, rare):
    X, y = rare
    host = XGBoostDriver()
    booster = host.train(host.data(X, y), 10, params)
    assert excess(host, FocalLoss(), booster, X, y) < RTOL


@with_base_scores
@pytest.mark.parametrize("base_score", [0, 1e-9, 2e-6, 0.3, 0.5, 0.999, 1])
def test_a_base_score_is_read_as_xgboost_reads_it(base_score, rare):
    """XGBoost keeps it 1e-6 from 0 and 1, and takes its log-odds in float32."""
    data = xgboost.DMatrix(*rare)
    params = {"objective": "binary:logistic", "base_score": base_score}
    raw = xgboost.train(params, data, 0).predict(data, output_margin=True)
    assert start_of_probability(np.float64(base_score)) == pytest.approx(raw[0], 1e-7)


@with_base_scores
def test_a_linear_model_of_several_columns_is_left_as_it_is(rare):
    X, y = rare
    data = xgboost.DMatrix(X, label=np.column_stack([y, X[:, 0] > 1]))
    params = {"booster": "gblinear", "updater": "coord_descent"}
    on = focalboost.xgboost.train(params, data, 3)
    off = focalboost.xgboost.train(params, data, 3, balance=False)
    np.testing.assert_array_equal(on.predict(data), off.predict(data))


@pytest.mark.parametrize("params", LIGHTGBM, ids=str)
def test_every_boosting_of_lightgbm(params, rare):
    X, y = rare
    params = {"verbosity": -1, "num_threads": 1, **params}
    booster = focalboost.lightgbm.train(params, lightgbm.Dataset(X, y), 10)
    posterior = FocalLoss().posterior(booster.predict(X, raw_score=True))
    # Leaves of linear_tree are float32 while LightGBM trains.
    assert posterior.sum() == pytest.approx(y.sum(), rel=1e-7)


def test_rows_with_a_base_margin_are_left_as_they_are(rare):
    X, y = rare
    data = xgboost.DMatrix(X, y, base_margin=np.full(len(y), -2.0))
    options = {"num_boost_round": 5}
    on = focalboost.xgboost.train({"nthread": 1}, data, **options)
    off = focalboost.xgboost.train({"nthread": 1}, data, **options, balance=False)
    raws = [model.predict(data, output_margin=True) for model in (on, off)]
    np.testing.assert_array_equal(*raws)


def test_a_user_s_init_score_counts_in_the_balance(rare):
    X, y = rare
    start = np.linspace(-3, -2, len(y))
    data = lightgbm.Dataset(X, y, init_score=start, free_raw_data=False)
    params = {"verbosity": -1, "num_threads": 1}
    booster = focalboost.lightgbm.train(params, data, 10)
    raw = start + booster.predict(X, raw_score=True)
    assert FocalLoss().posterior(raw).sum() == pytest.approx(y.sum(), rel=1e-9)


@with_base_scores
def test_labels_of_several_columns_have_a_balance_each(rare):
    X, y = rare
    labels = np.column_stack([y, X[:, 1] > 1, X[:, 2] > 0.2]).astype(float)
    weight = np.random.default_rng(0).lognormal(size=len(y)).astype(np.float32)
    data = xgboost.DMatrix(X, labels, weight=weight)
    params = {"nthread": 1, "learning_rate": 0.05}
    booster = focalboost.xgboost.train(params, data, 10)
    raw = booster.predict(xgboost.DMatrix(X), output_margin=True)
    found = weight.astype(float) @ FocalLoss().posterior(raw.astype(float))
    np.testing.assert_allclose(found, weight.astype(float) @ labels, rtol=RTOL)


def test_saved_models_have_the_balance(host, rare, tmp_path):
    X, y = rare
    booster = host.train(host.data(X, y), 10)
    for suffix in host.formats:
        path = tmp_path / f"model.{suffix}"
        booster.save_model(path)
        assert excess(host, FocalLoss(), host.loaded(path), X, y) < RTOL


def test_the_data_set_of_the_training_is_predicted_with_the_balance(rare):
    """XGBoost remembers what a booster has predicted for a data set."""
    X, y = rare
    data = xgboost.DMatrix(X, y)
    booster = focalboost.xgboost.train({"nthread": 1}, data, 5)
    fresh = booster.predict(xgboost.DMatrix(X), output_margin=True)
    np.testing.assert_array_equal(booster.predict(data, output_margin=True), fresh)


def test_a_data_set_can_train_again(host, rare):
    X, y = rare
    data = host.data(X, y)
    first, second = (host.raw(host.train(data, 5), X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_whole_weight_is_as_many_rows(host):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 8, (600, 3)).astype(float)
    y = (X[:, 0] + rng.normal(size=600) > 6).astype(float)
    times = rng.integers(1, 4, 600)
    params = {"min_child_weight": 0, "max_depth": 3}
    if host.name == "lightgbm":
        params |= {"min_data_in_leaf": 1, "min_data_in_bin": 1}
    weighted = host.train(host.data(X, y, times), 5, params)
    many = host.data(np.repeat(X, times, axis=0), np.repeat(y, times))
    repeated = host.train(many, 5, params)
    found = [FocalLoss().posterior(host.raw(one, X)) for one in (weighted, repeated)]
    sums = [float(times @ one) for one in found]
    assert sums == pytest.approx([times @ y] * 2, rel=RTOL)


def test_the_order_of_rows_does_not_matter_for_the_balance(host, rare):
    X, y = rare
    order = np.random.default_rng(0).permutation(len(y))
    booster = host.train(host.data(X[order], y[order]), 10)
    assert excess(host, FocalLoss(), booster, X, y) < RTOL
