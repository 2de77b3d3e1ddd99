"""focalboost.xgboost.train and focalboost.lightgbm.train."""

import warnings

import numpy as np
import pytest
from conftest import make_rare
from optional import lightgbm, xgboost
from scipy.special import expit
from sklearn.metrics import average_precision_score, log_loss

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss, SoftmaxFocalLoss, focal_metric, focal_objective

LOSSES = [FocalLoss(0), FocalLoss(0.5), FocalLoss(2), FocalLoss((0, 2), 0.25)]


def test_a_booster_in_memory_keeps_its_learning_rate_and_no_round_raises_the_loss(
    mixed,
):
    data_set, log_loss = xgboost.DMatrix(*mixed), FocalLoss(0)
    params, result = {"nthread": 1, "max_depth": 6}, {}
    options = {"loss": log_loss, "verbose_eval": False}
    first = focalboost.xgboost.train(
        {**params, "learning_rate": 1.99}, data_set, 1, **options
    )
    focalboost.xgboost.train(
        params,
        data_set,
        8,
        xgb_model=first,
        evals=[(data_set, "train")],
        evals_result=result,
        **options,
    )
    assert np.diff(result["train"]["relative_focal_loss"]).max() <= 1e-9


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_start_is_the_baseline(host, loss, rare):
    X, y = rare
    weight = 1 + X[:, 0] ** 2
    data = host.data(X, y, weight)
    # The balance would bring any constant to the baseline.
    options = {"loss": loss, "balance": False}
    booster = host.train(data, 1, {"learning_rate": 1e-9}, **options)
    # float32 margins in XGBoost
    np.testing.assert_allclose(
        host.raw(booster, X), loss.baseline(y, weight), rtol=2e-6
    )


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_predict_is_expit_of_the_raw_prediction(host, loss, rare):
    X, y = rare
    booster = host.train(host.data(X, y), loss=loss)
    np.testing.assert_allclose(
        host.probability(booster, X), expit(host.raw(booster, X)), rtol=1e-6
    )


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_posterior_has_a_far_better_log_loss_than_the_score(host, loss, rare):
    X, y = rare
    booster = host.train(host.data(X, y), 30, loss=loss)
    raw = host.raw(booster, X).astype(np.float64)
    assert average_precision_score(y, raw) > 10 * y.mean()
    of_posterior = log_loss(y, loss.posterior(raw))
    if loss == FocalLoss(0):
        assert of_posterior == pytest.approx(log_loss(y, expit(raw)), rel=1e-12)
    else:
        assert of_posterior < 0.7 * log_loss(y, expit(raw))


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_metric_seen_in_training_is_that_of_the_predictions(host, loss, rare):
    X, y = rare
    weight = 1 + X[:, 0] ** 2
    train, valid = slice(0, 3000), slice(3000, None)
    data = host.data(X[train], y[train], weight[train])
    other = host.data(X[valid], y[valid], weight[valid], reference=data)
    result, record = host.recorder()
    record["balance"] = False  # rounds are evaluated before it
    booster = host.train(data, 10, evals=[data, other], loss=loss, **record)
    metric = focal_metric(loss.gamma, loss.alpha)
    for position, rows in enumerate((train, valid)):
        seen = host.history(result, position)
        assert len(seen) == 10
        for rounds in (1, 10):
            raw = host.raw(booster, X[rows], rounds)
            expected = metric(y[rows], raw, weight[rows])
            # XGBoost prints six decimals
            assert seen[rounds - 1] == pytest.approx(expected, abs=1e-6)


def test_early_stopping_watches_the_focal_metric(host, rare):
    X, y = rare
    data = host.data(X[:2500], y[:2500])
    other = host.data(X[2500:], y[2500:], reference=data)
    result, record = host.recorder()
    record["balance"] = False  # rounds are evaluated before it
    booster = host.train(
        data, 300, {"learning_rate": 0.3}, [other], stopping_rounds=5, **record
    )
    seen = host.history(result)
    best = int(np.argmin(seen))
    assert len(seen) == best + 1 + 5
    reported = booster.best_iteration + (host.name == "xgboost")
    assert reported == best + 1
    raw = host.raw(booster, X[2500:], best + 1)
    assert seen[best] == pytest.approx(focal_metric()(y[2500:], raw), abs=1e-6)


def test_weights_count_and_zero_weight_is_absent(host, mixed):
    X, y = mixed
    kept = np.arange(len(y)) % 3 > 0
    X = np.round(X)  # one bin per value, the same with and without the rows
    zero = host.train(host.data(X, y, kept.astype(float)), 5, {"min_data_in_leaf": 0})
    absent = host.train(host.data(X[kept], y[kept]), 5, {"min_data_in_leaf": 0})
    double = host.train(host.data(X, y, 1.0 + kept), 5, {"min_data_in_leaf": 0})
    assert abs(host.raw(double, X) - host.raw(zero, X)).max() > 1e-3
    np.testing.assert_allclose(host.raw(zero, X), host.raw(absent, X), atol=1e-5)


def test_an_integer_weight_equals_repeated_rows(host, mixed):
    X, y = mixed
    X = np.round(X)
    times = 1 + np.arange(len(y)) % 3
    params = {"min_data_in_leaf": 0, "min_data_in_bin": 1}
    weighted = host.train(host.data(X, y, times), 5, params)
    repeated = host.train(
        host.data(np.repeat(X, times, axis=0), np.repeat(y, times)), 5, params
    )
    np.testing.assert_allclose(
        host.raw(weighted, X), host.raw(repeated, X), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.9])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_no_round_raises_the_training_loss(host, loss, rate, rare):
    X, y = rare
    data = host.data(X, y)
    result, record = host.recorder()
    params = {"learning_rate": rate, "lambda": 0, "min_child_weight": 0}
    host.train(data, 40, params, [data], loss=loss, **record)
    seen = np.array([1.0, *host.history(result)])
    # six decimals in XGBoost
    assert (np.diff(seen) <= 1e-6).all()


@pytest.mark.parametrize("floor_for", [1e-9, 0.3])
def test_only_the_floor_keeps_lightgbm_from_diverging(floor_for):
    X, y = make_rare(20_000, intercept=-8)
    init_score = np.full(len(y), FocalLoss(0).baseline(y))
    train_set, result = lightgbm.Dataset(X, y, init_score=init_score), {}
    params = {"verbosity": -1, "num_threads": 1, "learning_rate": 0.3}
    lightgbm.train(
        {**params, "objective": focal_objective(0, max_learning_rate=floor_for)},
        train_set,
        40,
        [train_set],
        feval=focal_metric(0),
        callbacks=[lightgbm.record_evaluation(result)],
    )
    seen = np.array([1.0, *result["training"]["relative_focal_loss"]])
    assert (np.diff(seen).max() <= 0) == (floor_for == 0.3)
    assert (seen[-1] > 10) == (floor_for != 0.3)


def test_a_scheduled_learning_rate_needs_its_maximum(host, rare):
    data, rates = host.data(*rare), [0.1] * 3 + [1.5] * 12
    if host.name == "xgboost":
        schedule = {"callbacks": [xgboost.callback.LearningRateScheduler(rates)]}
    else:
        schedule = {"callbacks": [lightgbm.reset_parameter(learning_rate=rates)]}
    result, record = host.recorder()
    callbacks = schedule["callbacks"] + record.pop("callbacks", [])
    options = {"max_learning_rate": 1.5, "callbacks": callbacks, **record}
    params = {"lambda": 0, "min_child_weight": 0}
    host.train(data, 15, params, [data], loss=FocalLoss(0), **options)
    assert np.diff([1.0, *host.history(result)]).max() <= 1e-6


def test_a_maximum_below_the_learning_rate_is_refused(host, rare):
    with pytest.raises(ValueError, match=r"at least the learning rate, 0\.5"):
        host.train(host.data(*rare), 2, {"learning_rate": 0.5}, max_learning_rate=0.1)


def test_something_else_than_a_loss_is_refused(host, rare):
    with pytest.raises(ValueError, match=r"loss must be a FocalLoss or .*; got 2\.0"):
        host.train(host.data(*rare), 2, loss=2.0)


def test_continuing_is_one_training(host, rare):
    X, y = rare
    whole = host.train(host.data(X, y), 12)
    half = host.train(host.data(X, y), 6)
    both = host.train(host.data(X, y), 6, **host.continued(half))
    np.testing.assert_allclose(host.raw(both, X), host.raw(whole, X), rtol=0, atol=1e-5)
    np.testing.assert_allclose(
        host.probability(both, X), expit(host.raw(both, X)), rtol=1e-6
    )


def test_continuing_twice_keeps_the_first_trees(host, rare):
    X, y = rare
    model = first = host.train(host.data(X, y), 4)
    for _ in range(2):
        model = host.train(host.data(X, y), 4, **host.continued(model))
    # Every model has the balance of its own last round.
    shift = np.float64(host.raw(model, X, 4)) - host.raw(first, X)
    np.testing.assert_allclose(shift, shift.mean(), rtol=0, atol=1e-6)


def test_a_model_that_learns_nothing_warns(host, rare):
    _, y = rare
    X = np.arange(len(y), dtype=float).reshape(-1, 1) % 2
    params = {"min_child_weight": 1e9, "min_sum_hessian_in_leaf": 1e9}
    with pytest.warns(UserWarning, match="has learned nothing: no tree has a split"):
        booster = host.train(host.data(X, y), 3, params)
    np.testing.assert_allclose(
        host.probability(booster, X), expit(FocalLoss().baseline(y)), rtol=1e-5
    )


@pytest.mark.filterwarnings("ignore:The model has learned nothing")
@pytest.mark.parametrize("label", [0, 1])
def test_one_class_has_a_start(host, label):
    X = np.arange(50.0).reshape(-1, 1)
    booster = host.train(host.data(X, np.full(50, label)))
    found = FocalLoss().posterior(host.raw(booster, X))
    assert np.all(abs(found - label) < 2e-6)


def test_a_host_model_of_log_loss_warns(host, rare, tmp_path):
    """Its raw predictions are log-odds, which focal steps take for something else."""
    X, y = rare
    first = host.plain_train(host.data(X, y), 3)
    file = tmp_path / "model"
    first.save_model(file)
    message = "does not say which loss it was trained with, and training continues with"
    for model in (first, file):
        options = host.continued(model)
        for loss in (None, FocalLoss(0, alpha=0.3)):
            with pytest.warns(UserWarning, match=message):
                host.train(host.data(X, y), 3, loss=loss, **options)
        host.train(host.data(X, y), 3, loss=FocalLoss(0), **options)


def test_a_host_model_of_several_classes_warns(host, faults):
    X, y = faults
    objective = {"xgboost": "multi:softprob", "lightgbm": "multiclass"}[host.name]
    model = host.host_classifier(n_estimators=3, objective=objective).fit(X, y)
    options = host.continued(model)
    with pytest.warns(UserWarning, match="does not say which loss it was trained with"):
        host.train(host.data(X, y), 3, loss=SoftmaxFocalLoss(3), **options)
    host.train(host.data(X, y), 3, loss=SoftmaxFocalLoss(3, gamma=0), **options)


def test_the_callers_data_and_params_are_left_alone(host, rare):
    X, y = rare
    params = {"learning_rate": 0.2, **dict(host.quiet)}
    before = dict(params)
    data = host.data(X, y)
    first = host.train(data, 5, params)
    assert params == before
    again = host.train(data, 5, params)
    np.testing.assert_array_equal(host.raw(first, X), host.raw(again, X))


def test_training_warns_of_nothing(host, rare):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        host.train(host.data(*rare), 3)


def test_continuing_from_an_estimator(host, rare):
    X, y = rare
    first = host.estimator(n_estimators=5).fit(X, y)
    both = host.train(host.data(X, y), 5, **host.continued(first))
    whole = host.train(host.data(X, y), 10)
    np.testing.assert_allclose(host.raw(both, X), host.raw(whole, X), rtol=0, atol=1e-5)


def test_features_that_cannot_be_split_give_a_constant(host, rare):
    y = rare[1]
    X = np.ones((len(y), 3))
    baseline = FocalLoss().baseline(y)
    data = host.data(X, y)
    with pytest.warns(UserWarning, match="has learned nothing"):
        booster = host.train(data, 5, evals=[data])
    np.testing.assert_allclose(host.raw(booster, X), baseline, rtol=1e-6)
    np.testing.assert_allclose(host.probability(booster, X), expit(baseline), rtol=1e-6)


def test_arguments_by_position_have_xgboost_s_warning(rare):
    data = xgboost.DMatrix(*rare)
    train = focalboost.xgboost.train
    with pytest.warns(FutureWarning, match="Pass `evals` as keyword args"):
        booster = train({"max_depth": 2}, data, 2, [(data, "rows")])
    assert booster.num_boosted_rounds() == 2
    with (
        pytest.warns(FutureWarning, match="Pass `evals, obj` as keyword args"),
        pytest.raises(ValueError, match="obj must be left out"),
    ):
        train({}, data, 2, [], lambda raw, data: (raw, raw))
    with pytest.raises(TypeError, match="no_such"):
        train({}, data, 2, no_such=1)


def test_a_learning_rate_of_0_is_a_start_for_xgboost_s_scheduler(rare):
    data = xgboost.DMatrix(*rare)
    schedule = xgboost.callback.LearningRateScheduler(lambda epoch: 0.3)
    options = {"callbacks": [schedule], "verbose_eval": False}
    booster = focalboost.xgboost.train({"eta": 0}, data, 3, **options)
    assert len(np.unique(booster.predict(data))) > 1
    constant = focalboost.xgboost.train({"learning_rate": 0}, data, 3)
    assert len(np.unique(constant.predict(data))) == 1


def test_a_learning_rate_of_0_is_none_for_lightgbm(rare):
    with pytest.raises(ValueError, match="learning_rate must be a number between 0"):
        focalboost.lightgbm.train({"eta": 0}, lightgbm.Dataset(*rare), 3)


@pytest.mark.parametrize("metrics", [[], [None], [None, "auc"]], ids=str)
def test_no_metric_among_metrics(host, metrics, rare):
    X, y = rare
    result, record = host.recorder()
    data = host.data(X, y)
    name = "eval_metric" if host.name == "xgboost" else "metric"
    host.train(data, 2, {name: metrics}, [host.data(X, y)], **record)
    expected = "auc" if "auc" in metrics else "relative_focal_loss"
    assert list(result["set0"]) == [expected]


def test_a_softmax_of_two_classes(host, rare):
    X, y = rare
    name = "multi:softprob" if host.name == "xgboost" else "multiclass"
    params = {"objective": name, "num_class": 2}
    found = host.train(host.data(X, y), 3, params)
    expected = host.train(host.data(X, y), 3, loss=SoftmaxFocalLoss(2))
    np.testing.assert_array_equal(host.raw(found, X), host.raw(expected, X))
    assert host.raw(found, X).shape == (len(X), 2)


@pytest.mark.parametrize("metrics", [[], [None]], ids=str)
def test_no_function_among_lightgbm_s_metrics(metrics, rare):
    data = lightgbm.Dataset(*rare)
    booster = focalboost.lightgbm.train(
        {"verbosity": -1}, data, 2, [data], feval=metrics
    )
    assert list(booster.best_score["training"]) == ["relative_focal_loss"]


def test_bins_on_which_a_model_would_be_misread_are_warned_of(rare):
    X, y = rare
    first = focalboost.xgboost.train({"nthread": 1}, xgboost.DMatrix(X, y), 2)
    binned = xgboost.QuantileDMatrix(X, y)
    with pytest.warns(UserWarning, match="on the bins of a QuantileDMatrix"):
        focalboost.xgboost.train({"nthread": 1}, binned, 2, xgb_model=first)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        focalboost.xgboost.train({"nthread": 1}, binned, 2)
