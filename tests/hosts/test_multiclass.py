"""train with the softmax focal loss, and the models that come out of it."""

import re
import warnings

import numpy as np
import pytest
from host_drivers import LightGBMDriver, XGBoostDriver
from optional import lightgbm, xgboost
from scipy.special import softmax
from sklearn.metrics import log_loss

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss, SoftmaxFocalLoss, focal_metric, focal_objective
from focalboost.lightgbm import finalise
from focalboost.objectives import _start

LOG_LOSS = SoftmaxFocalLoss(3, gamma=0)
LOSSES = [
    LOG_LOSS,
    SoftmaxFocalLoss(3, 0.5),
    SoftmaxFocalLoss(3, 2),
    SoftmaxFocalLoss(3, (0, 1, 2), (0.5, 1, 2)),
]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)


def centred(raw):
    """Raw predictions without what is common to a row."""
    raw = np.asarray(raw, dtype=np.float64)
    return raw - raw.mean(axis=1, keepdims=True)


@each_loss
def test_the_start_is_the_baseline(host, loss, faults):
    X, y = faults
    weight = 1 + X[:, 0] ** 2
    data = host.data(X, y, weight)
    # The balance would bring any constant to the baseline.
    options = {"loss": loss, "balance": False}
    booster = host.train(data, 1, {"learning_rate": 1e-9}, **options)
    raw = centred(host.raw(booster, X))
    expected = centred(np.tile(loss.baseline(y, weight), (len(y), 1)))
    np.testing.assert_allclose(raw, expected, rtol=2e-6)  # XGBoost's are float32


@each_loss
def test_predict_is_the_softmax_of_the_raw_prediction(host, loss, faults):
    X, y = faults
    booster = host.train(host.data(X, y), loss=loss)
    scores = host.probability(booster, X)
    np.testing.assert_allclose(scores, softmax(host.raw(booster, X), 1), rtol=2e-6)


@each_loss
def test_the_posterior_has_a_better_log_loss_than_the_score(host, loss, faults):
    X, y = faults
    raw = np.float64(host.raw(host.train(host.data(X, y), 30, loss=loss), X))
    of_posterior = log_loss(y, loss.posterior(raw))
    of_score = log_loss(y, softmax(raw, axis=1))
    if loss == LOG_LOSS:
        assert of_posterior == pytest.approx(of_score, rel=1e-12)
    else:
        assert of_posterior < 0.9 * of_score


@each_loss
@pytest.mark.parametrize("rate", [0.1, 0.9])
def test_no_round_raises_the_loss(host, loss, rate, faults):
    X, y = faults
    weight = np.exp(np.random.default_rng(0).normal(size=len(y)))
    params = {"learning_rate": rate, "lambda": 0}
    data = host.data(X, y, weight)
    booster = host.train(data, 30, params, loss=loss, balance=False)
    totals = [
        loss.loss(y, np.float64(host.raw(booster, X, rounds)), weight).sum()
        for rounds in range(1, 31)
    ]
    assert np.all(np.diff(totals) <= 1e-6 * totals[0])
    assert totals[-1] < 0.8 * totals[0]


@each_loss
def test_the_metric_seen_in_training_is_that_of_the_predictions(host, loss, faults):
    X, y = faults
    weight = 1 + X[:, 0] ** 2
    train, valid = slice(0, 2000), slice(2000, None)
    data = host.data(X[train], y[train], weight[train])
    other = host.data(X[valid], y[valid], weight[valid], reference=data)
    result, record = host.recorder()
    record["balance"] = False  # rounds are evaluated before it
    booster = host.train(data, 10, evals=[data, other], loss=loss, **record)
    metric = focal_metric(loss.gamma, loss.alpha, n_classes=3)
    for position, rows in enumerate((train, valid)):
        seen = host.history(result, position)
        expected = metric(y[rows], host.raw(booster, X[rows], 10), weight[rows])
        assert seen[-1] == pytest.approx(expected, abs=1e-6)
        assert seen[-1] < seen[0] < 1


def test_early_stopping(host, faults):
    X, y = faults
    data = host.data(X[:1500], y[:1500])
    other = host.data(X[1500:], y[1500:], reference=data)
    result, record = host.recorder()
    params = {"learning_rate": 0.3}
    loss = SoftmaxFocalLoss(3)
    host.train(data, 300, params, [other], stopping_rounds=5, loss=loss, **record)
    seen = host.history(result)
    assert len(seen) < 300
    assert int(np.argmin(seen)) == len(seen) - 6


def test_the_number_of_classes_in_params_chooses_the_softmax(host, faults):
    X, y = faults
    named = host.train(host.data(X, y), 3, {"num_class": 3})
    given = host.train(host.data(X, y), 3, loss=SoftmaxFocalLoss(3))
    np.testing.assert_array_equal(host.raw(named, X), host.raw(given, X))


def test_two_classes_of_a_softmax_are_the_binary_model(host, mixed):
    """Both margins of the softmax move half as far: twice 1/2 of the binary step."""
    X, y = mixed
    params = {"lambda": 0, "min_data_in_leaf": 100, "min_child_weight": 0}
    if host.name == "xgboost":
        del params["min_data_in_leaf"]
    binary = host.train(host.data(X, y), 5, params, loss=FocalLoss((2, 0.5)))
    both = host.train(host.data(X, y), 5, params, loss=SoftmaxFocalLoss(2, (0.5, 2)))
    raw = host.raw(both, X)
    np.testing.assert_allclose(
        raw[:, 1] - raw[:, 0], host.raw(binary, X), rtol=0, atol=1e-5
    )


XGBOOST = {
    "hist": {},
    "approx": {"tree_method": "approx"},
    "exact": {"tree_method": "exact"},
    "subsample": {"subsample": 0.7, "colsample_bytree": 0.7, "seed": 3},
    "forest": {"num_parallel_tree": 3, "subsample": 0.7, "seed": 3},
    "vector leaf": {"multi_strategy": "multi_output_tree", "tree_method": "hist"},
}

LIGHTGBM = {
    "plain": {},
    "bagging": {"bagging_fraction": 0.6, "bagging_freq": 1},
    "goss": {"data_sample_strategy": "goss"},
    "linear": {"linear_tree": True},
    "extra": {"extra_trees": True},
}


def trees(booster, columns):
    return booster.trees_to_dataframe().loc[:, columns].to_numpy().tolist()


@pytest.mark.parametrize("params", XGBOOST.values(), ids=XGBOOST.keys())
def test_xgboost_trains_its_own_softmax_model(params, faults):
    host, data = XGBoostDriver(), xgboost.DMatrix(*faults)
    ours = host.train(data, 20, params, loss=LOG_LOSS, curvature="exact")
    named = {"objective": "multi:softprob", "num_class": 3}
    theirs = xgboost.train({**dict(host.quiet), **named, **params}, data, 20)
    if "multi_strategy" not in params:  # no frame for vector leaves in XGBoost 3.2
        columns = ["Tree", "Node", "Feature"]
        assert trees(ours, columns) == trees(theirs, columns)
    raw = [centred(host.raw(booster, data)) for booster in (ours, theirs)]
    np.testing.assert_allclose(*raw, rtol=0, atol=1e-6)


@pytest.mark.parametrize("params", LIGHTGBM.values(), ids=LIGHTGBM.keys())
def test_lightgbm_trains_its_own_softmax_model(params, faults):
    X, y = faults
    host = LightGBMDriver()
    params = {"min_data_in_leaf": 100, **params}
    options = {"loss": LOG_LOSS, "curvature": "exact"}
    ours = host.train(lightgbm.Dataset(X, y), 20, params, **options)
    named = {"objective": "multiclass", "num_class": 3}
    theirs = lightgbm.train(
        {**dict(host.quiet), **named, **params}, lightgbm.Dataset(X, y), 20
    )
    columns = ["tree_index", "node_index", "split_feature", "threshold"]
    frames = [
        booster.trees_to_dataframe().loc[:, columns] for booster in (ours, theirs)
    ]
    assert frames[0].equals(frames[1])
    np.testing.assert_allclose(
        centred(host.raw(ours, X)), centred(host.raw(theirs, X)), rtol=0, atol=1e-12
    )


def test_the_factor_of_the_host(host, faults):
    """The plain calls get the factor of their host, whoever calls the objective."""
    X, y = faults
    objective = focal_objective(0, curvature="exact", n_classes=3)
    raw = np.random.default_rng(1).normal(size=(len(y), 3))
    data = host.data(X, y)
    if host.name == "lightgbm":
        raw, factor = np.asfortranarray(raw), 3 / 2
        data.construct()
    else:
        raw, factor = raw.astype(np.float32), 2
    expected = factor * LOG_LOSS.hessian(y, raw)
    for gradient, curvature in (objective(raw, data), objective(y, raw)):
        np.testing.assert_allclose(curvature, expected, rtol=2e-7)
        assert gradient.flags.f_contiguous == raw.flags.f_contiguous
        assert gradient.dtype == curvature.dtype == np.float32


@pytest.fixture
def first(host, faults):
    return host.train(host.data(*faults), 5, loss=SoftmaxFocalLoss(3))


def test_continuing_is_training_on(host, faults, first):
    X, y = faults
    loss = SoftmaxFocalLoss(3)
    both = host.train(host.data(X, y), 5, loss=loss, **host.continued(first))
    once = host.train(host.data(X, y), 10, loss=loss)
    np.testing.assert_allclose(host.raw(both, X), host.raw(once, X), atol=1e-5)


@pytest.mark.parametrize("other", [FocalLoss(), SoftmaxFocalLoss(4)], ids=str)
def test_a_model_of_other_classes_is_not_continued(host, faults, first, other):
    X, y = faults
    labels = np.minimum(y, 1) if other == FocalLoss() else np.arange(len(y)) % 4
    with pytest.raises(ValueError, match=r"(xgb|init)_model must be a model with"):
        host.train(host.data(X, labels), 5, loss=other, **host.continued(first))


@pytest.mark.parametrize("shift", [np.array([0.5, -1.0, 2.0]), 0.25])
@pytest.mark.parametrize("params", [{}, {"linear_tree": True}], ids=["gbdt", "linear"])
def test_lightgbm_s_baseline_is_added_exactly(shift, params, faults):
    X, y = faults
    objective = focal_objective(n_classes=3)
    settings = {"num_threads": 1, "verbosity": -1, "num_class": 3, **params}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Training starts from raw prediction")
        booster = lightgbm.train(
            {**settings, "objective": objective}, lightgbm.Dataset(X, y), 5
        )
    before = booster.predict(X, raw_score=True)
    finalise(booster, shift)
    after = booster.predict(X, raw_score=True)
    np.testing.assert_allclose(after, before + shift, rtol=0, atol=1e-14)
    np.testing.assert_allclose(booster.predict(X), softmax(after, 1), rtol=1e-13)
    assert finalise(booster, 3.0).predict(X, raw_score=True).tolist() == after.tolist()
    # Contributions come class by class, with the baseline in the last column.
    if not params:
        parts = booster.predict(X, pred_contrib=True).reshape(len(y), 3, -1)
        np.testing.assert_allclose(parts.sum(axis=2), after, rtol=0, atol=1e-10)


@pytest.mark.filterwarnings("ignore:Training starts from raw prediction")
def test_lightgbm_s_baseline_has_as_many_numbers_as_classes(faults):
    X, y = faults
    params = {"objective": "none", "num_class": 3, "verbosity": -1}
    booster = lightgbm.Booster(params, lightgbm.Dataset(X, y))
    booster.update(fobj=focal_objective(n_classes=3))
    with pytest.raises(ValueError, match="baseline must be a number, or 3 of them"):
        finalise(booster.free_dataset(), np.zeros(2))


@pytest.mark.filterwarnings("ignore:Training starts from raw prediction")
def test_cross_validation_of_the_hosts(host, faults):
    """xgb.cv and lgb.cv with the plain callables."""
    X, y = faults
    objective, metric = focal_objective(n_classes=3), focal_metric(n_classes=3)
    data = host.data(X, y)
    if host.name == "xgboost":
        start = SoftmaxFocalLoss(3).baseline(y).tolist()
        params = {"objective": "multi:softprob", "num_class": 3, "base_score": start}
        found = xgboost.cv(
            {**params, "disable_default_eval_metric": 1, "nthread": 1},
            data,
            10,
            obj=objective,
            custom_metric=metric,
            as_pandas=False,
        )["test-relative_focal_loss-mean"]
    else:
        params = {"objective": objective, "num_class": 3, "metric": "None"}
        params |= {"num_threads": 1, "verbosity": -1}
        found = lightgbm.cv(params, data, 10, feval=metric)
        found = found["valid relative_focal_loss-mean"]
    assert found[-1] < 0.9 * found[0]


def test_a_dataset_serves_other_losses_in_turn(faults):
    X, y = faults
    host, data = LightGBMDriver(), lightgbm.Dataset(X, y, free_raw_data=False)
    first = host.train(data, 3, loss=SoftmaxFocalLoss(3))
    host.train(data, 3, loss=LOG_LOSS)
    data.set_label(np.minimum(y, 1))
    host.train(data, 3, loss=FocalLoss())
    data.set_label(y)
    again = host.train(data, 3, loss=SoftmaxFocalLoss(3))
    np.testing.assert_array_equal(host.raw(again, X), host.raw(first, X))


def test_lightgbm_without_features_is_the_constant(faults):
    _, y = faults
    loss = SoftmaxFocalLoss(3)
    with pytest.warns(UserWarning, match="The model has learned nothing"):
        booster = LightGBMDriver().train(
            lightgbm.Dataset(np.zeros((len(y), 1)), y), 5, loss=loss
        )
    raw = booster.predict(np.zeros((1, 1)), raw_score=True)
    np.testing.assert_allclose(raw[0], loss.baseline(y), rtol=1e-12)
    frequency = np.bincount(y.astype(int)) / len(y)
    np.testing.assert_allclose(loss.posterior(raw)[0], frequency, rtol=1e-12)


CONFLICTS = [
    ("xgboost", {"objective": "multi:softmax"}, "must be 'multi:softprob'"),
    ("xgboost", {"objective": "binary:logistic"}, "must be 'multi:softprob'"),
    ("xgboost", {"num_class": 4}, "num_class must be 3"),
    ("xgboost", {"eval_metric": "mlogloss"}, "got 'mlogloss'"),
    ("lightgbm", {"objective": "binary"}, "must be 'multiclass' or 'softmax'"),
    ("lightgbm", {"objective": "multiclassova"}, "must be 'multiclass' or 'softmax'"),
    ("lightgbm", {"num_classes": 4}, "num_classes must be 3"),
    ("lightgbm", {"metric": "multi_logloss"}, "got 'multi_logloss'"),
]


@pytest.mark.parametrize(("name", "params", "message"), CONFLICTS)
def test_conflicts_are_refused(name, params, message, faults):
    host = XGBoostDriver() if name == "xgboost" else LightGBMDriver()
    with pytest.raises(ValueError, match=re.escape(message)):
        host.train(host.data(*faults), 2, params, loss=SoftmaxFocalLoss(3))


def test_neutral_parameters_are_accepted(host, faults):
    named = {"xgboost": "multi:softprob", "lightgbm": "softmax"}
    params = {"objective": named[host.name], "num_class": 3}
    X, y = faults
    plain = host.train(host.data(X, y), 2, loss=SoftmaxFocalLoss(3))
    both = host.train(host.data(X, y), 2, params, loss=SoftmaxFocalLoss(3))
    np.testing.assert_array_equal(host.raw(plain, X), host.raw(both, X))


def test_a_class_without_rows_keeps_its_start(host, faults):
    X, y = faults
    loss = SoftmaxFocalLoss(4)
    booster = host.train(host.data(X, y), 20, loss=loss)
    posterior = loss.posterior(host.raw(booster, X))
    assert np.all(posterior[:, 3] < 1e-5)
    balance = posterior.sum(axis=0)[:3] / np.bincount(y.astype(int))
    np.testing.assert_allclose(balance, 1, atol=1e-5)


def test_labels_beyond_the_classes_are_refused(host, faults):
    X, y = faults
    with pytest.raises(ValueError, match="y_true must be a whole number from 0 to 1"):
        host.train(host.data(X, y), 2, loss=SoftmaxFocalLoss(2))


@pytest.fixture
def forgetful():
    _start._warned.clear()


def caught(function):
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        function()
    messages = [str(item.message) for item in record]
    return [text for text in messages if "Training starts from raw prediction" in text]


def test_xgboost_is_told_what_to_add(forgetful, faults):
    X, y = faults
    data, objective = xgboost.DMatrix(X, y), focal_objective(n_classes=3)
    params = {"nthread": 1, "verbosity": 0}
    (message,) = caught(
        lambda: xgboost.train({**params, "num_class": 3}, data, 3, obj=objective)
    )
    added = eval(re.search(r"\{.*\}", message).group())
    assert set(added) == {"objective", "num_class", "base_score"}
    assert not caught(lambda: xgboost.train(params | added, data, 3, obj=objective))
    plain = xgboost.train(params | added, data, 10, obj=objective)
    options = {"loss": SoftmaxFocalLoss(3), "balance": False}
    ours = focalboost.xgboost.train(params, data, 10, **options)
    np.testing.assert_allclose(plain.predict(data), ours.predict(data), rtol=1e-4)


def test_lightgbm_is_told_what_to_add(forgetful, faults):
    X, y = faults
    params = {"num_threads": 1, "verbosity": -1, "num_class": 3}
    params["objective"] = focal_objective(n_classes=3)
    train_set = lightgbm.Dataset(X, y)
    (message,) = caught(lambda: lightgbm.train(params, train_set, 3))
    call = re.search(
        r"Call (train_set.set_init_score\(.*?\)\)), do the same", message
    ).group(1)
    exec(call, {"np": np, "train_set": train_set})
    assert not caught(lambda: lightgbm.train(params, train_set, 3))


def test_the_hosts_own_classifiers_are_told_what_to_add(host, forgetful, faults):
    X, y = faults
    classifier = host.host_classifier
    names = {"objective": focal_objective(n_classes=3), "n_estimators": 2, "n_jobs": 1}
    (message,) = caught(lambda: classifier(**names).fit(X, y))
    if host.name == "xgboost":
        score = re.search(r"base_score=(\[.*?\])", message).group(1)
        assert not caught(lambda: classifier(**names, base_score=eval(score)).fit(X, y))
    else:
        start = re.search(r"init_score=(np.tile\(.*?\)\))", message).group(1)
        start = eval(start, {"np": np, "y": y, "len": len})
        assert not caught(lambda: classifier(**names).fit(X, y, init_score=start))


@pytest.mark.parametrize("make", [focal_objective, focal_metric])
def test_rows_of_classes_ask_for_their_number(make, faults):
    _, y = faults
    with pytest.raises(ValueError, match=r"Use focal_objective\(n_classes=3\)"):
        make(gamma=2)(y, np.zeros((len(y), 3)))


def test_the_metric_of_parts_of_the_classes():
    """Classes without rows are left out by the best constant, as it would at inf."""
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(60, 4))
    y = rng.choice([0, 2], size=60, p=[0.7, 0.3])
    loss = SoftmaxFocalLoss(4, (1, 0, 2, 5), (1, 2, 3, 4))
    value = focal_metric(loss.gamma, loss.alpha, n_classes=4)(y, raw)
    constants = [SoftmaxFocalLoss(2, (1, 2), (1, 3)).baseline(y // 2)]
    far = np.array([constants[0][0], -800, constants[0][1], -800])
    reference = loss.loss(y, np.tile(far, (60, 1))).sum()
    assert value == pytest.approx(loss.loss(y, raw).sum() / reference, rel=1e-12)
    single = focal_metric(n_classes=4)(np.full(60, 2), np.zeros((60, 4)))
    assert single == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("loss", LOSSES[1:], ids=str)
def test_the_posterior_of_a_known_problem(host, loss):
    """A single feature with as many values as leaves: the minimiser, group by group."""
    X, y, truth = make_faults_by_group()
    params = {"learning_rate": 1.0, "lambda": 0, "max_depth": 4, "num_leaves": 8}
    params |= {"min_child_weight": 0, "min_data_in_leaf": 1}
    if host.name == "xgboost":
        params = {k: params[k] for k in ("learning_rate", "lambda", "max_depth")}
        params["min_child_weight"] = 0
    booster = host.train(host.data(X, y), 400, params, loss=loss)
    posterior = loss.posterior(np.float64(host.raw(booster, X)))
    np.testing.assert_allclose(posterior, truth, rtol=0, atol=2e-3)


def make_faults_by_group():
    """Eight groups of 1000 rows with class frequencies that are known exactly."""
    frequency = np.array([[900 - 90 * g, 80 + 60 * g, 20 + 30 * g] for g in range(8)])
    X = np.repeat(np.arange(8.0), 1000).reshape(-1, 1)
    y = np.concatenate([np.repeat(np.arange(3), counts) for counts in frequency])
    return X, y.astype(np.float64), np.repeat(frequency / 1000, 1000, axis=0)
