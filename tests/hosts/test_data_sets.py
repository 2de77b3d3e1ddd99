"""LightGBM's data sets serve again: what a training leaves in them, and what not."""

import numpy as np
import pytest
from optional import lightgbm

import focalboost.lightgbm
from focalboost import FocalLoss, focal_metric

QUIET = {"num_threads": 1, "verbosity": -1}


def test_a_validation_set_that_served_a_continuation_starts_afresh(rare):
    X, y = rare
    train_set = lightgbm.Dataset(X, y, free_raw_data=False)
    valid = lightgbm.Dataset(X[:900], y[:900], reference=train_set, free_raw_data=False)
    first = focalboost.lightgbm.train(QUIET, train_set, 5, [valid])
    focalboost.lightgbm.train(QUIET, train_set, 5, [valid], init_model=first)
    result = {}
    options = {"callbacks": [lightgbm.record_evaluation(result)], "balance": False}
    booster = focalboost.lightgbm.train(QUIET, train_set, 5, [valid], **options)
    raw = booster.predict(X[:900], raw_score=True)
    seen = result["valid_0"]["relative_focal_loss"][-1]
    assert seen == pytest.approx(focal_metric()(y[:900], raw), rel=1e-9)


def test_a_data_set_with_its_own_start_keeps_it(rare):
    X, y = rare
    init = np.where(X[:, 0] > 0, -1.0, -4.0)
    train_set = lightgbm.Dataset(X, y, init_score=init)
    booster = focalboost.lightgbm.train(QUIET, train_set, 5)
    np.testing.assert_array_equal(train_set.get_init_score(), init)
    raw = booster.predict(X, raw_score=True)
    baseline = FocalLoss().baseline(y)
    assert abs(np.median(raw)) < abs(baseline) / 2  # it is not in the trees


def test_a_data_set_can_serve_again_in_any_order(rare):
    X, y = rare
    train_set = lightgbm.Dataset(X, y, free_raw_data=False)
    fresh = focalboost.lightgbm.train(QUIET, train_set, 5)
    assert train_set.get_init_score() is None
    continued = focalboost.lightgbm.train(QUIET, train_set, 5, init_model=fresh)
    again = focalboost.lightgbm.train(QUIET, train_set, 5)
    raw = [b.predict(X, raw_score=True) for b in (fresh, again)]
    np.testing.assert_allclose(*raw, rtol=0, atol=1e-12)
    whole = focalboost.lightgbm.train(QUIET, lightgbm.Dataset(X, y), 10)
    np.testing.assert_allclose(
        continued.predict(X), whole.predict(X), rtol=0, atol=1e-6
    )


def test_a_failed_training_leaves_the_data_set_as_it_was(rare):
    def broken(env):
        raise RuntimeError("broken callback")

    train_set = lightgbm.Dataset(*rare)
    with pytest.raises(RuntimeError, match="broken callback"):
        focalboost.lightgbm.train(QUIET, train_set, 5, callbacks=[broken])
    assert train_set.get_init_score() is None


def test_a_failed_continuation_does_no_harm(rare):
    X, y = rare
    first = focalboost.lightgbm.train(QUIET, lightgbm.Dataset(X, y), 3)
    train_set = lightgbm.Dataset(X, y, free_raw_data=False)
    with pytest.raises(lightgbm.basic.LightGBMError):
        focalboost.lightgbm.train(
            {**QUIET, "max_bin": 1}, train_set, 3, init_model=first
        )
    # LightGBM keeps the parameter in the data set until another one is given.
    again = focalboost.lightgbm.train({**QUIET, "max_bin": 255}, train_set, 3)
    np.testing.assert_allclose(again.predict(X), first.predict(X), rtol=1e-12)


@pytest.mark.parametrize("between", [None, "lightgbm"])
def test_a_continuation_leaves_no_start_behind(between, rare):
    X, y = rare
    train_set = lightgbm.Dataset(X, y)
    first = focalboost.lightgbm.train(QUIET, lightgbm.Dataset(X, y), 5)
    focalboost.lightgbm.train(QUIET, train_set, 5, init_model=first)
    assert train_set.get_init_score() is None
    if between:
        plain = lightgbm.train({**QUIET, "objective": "binary"}, train_set, 5)
        fresh = lightgbm.Dataset(X, y)
        other = lightgbm.train({**QUIET, "objective": "binary"}, fresh, 5)
        np.testing.assert_allclose(plain.predict(X), other.predict(X), rtol=1e-12)
    again = focalboost.lightgbm.train(QUIET, train_set, 5)
    np.testing.assert_allclose(again.predict(X), first.predict(X), rtol=1e-12)


def test_a_start_of_the_user_s_is_not_mixed_with_a_model(rare):
    X, y = rare
    first = focalboost.lightgbm.train(QUIET, lightgbm.Dataset(X, y), 3)
    init_score = np.where(X[:, 0] > 0, -1.0, -4.0)
    train_set = lightgbm.Dataset(X, y, init_score=init_score)
    with pytest.raises(ValueError, match="train_set must be without an init_score"):
        focalboost.lightgbm.train(QUIET, train_set, 3, init_model=first)
    np.testing.assert_array_equal(train_set.get_init_score(), init_score)


def test_a_validation_set_gets_its_own_start_back(rare):
    X, y = rare
    first = focalboost.lightgbm.train(QUIET, lightgbm.Dataset(X, y), 3)
    train_set, own = lightgbm.Dataset(X, y), np.full(900, -1.5)
    valid = lightgbm.Dataset(X[:900], y[:900], reference=train_set, init_score=own)
    focalboost.lightgbm.train(QUIET, train_set, 3, [valid], init_model=first)
    np.testing.assert_array_equal(valid.get_init_score(), own)


def test_the_start_of_a_continuation_by_lightgbm_alone_does_not_stay(rare):
    """LightGBM leaves a model's predictions behind as init_score."""
    X, y = rare
    plain = {**QUIET, "objective": "binary"}
    first = lightgbm.train(plain, lightgbm.Dataset(X, y), 3)
    train_set = lightgbm.Dataset(X, y, free_raw_data=False)
    valid = lightgbm.Dataset(X[:900], y[:900], reference=train_set, free_raw_data=False)
    lightgbm.train(plain, train_set, 3, [valid], init_model=first)
    assert train_set.get_init_score() is not None
    result, options = {}, {"balance": False}  # rounds are evaluated before it
    fresh = focalboost.lightgbm.train(QUIET, lightgbm.Dataset(X, y), 5, **options)
    options["callbacks"] = [lightgbm.record_evaluation(result)]
    booster = focalboost.lightgbm.train(QUIET, train_set, 5, [valid], **options)
    np.testing.assert_array_equal(booster.predict(X), fresh.predict(X))
    raw = booster.predict(X[:900], raw_score=True)
    seen = result["valid_0"]["relative_focal_loss"][-1]
    assert seen == pytest.approx(focal_metric()(y[:900], raw), rel=1e-9)


def test_a_validation_set_of_a_file_has_the_bins_of_the_training_set(rare, tmp_path):
    X, y = rare
    path = tmp_path / "rows.csv"
    np.savetxt(path, np.column_stack([y[:900], X[:900]]), delimiter=",")
    histories = []
    for valid in (
        lightgbm.Dataset(str(path)),
        lightgbm.Dataset(X[:900], y[:900]),
    ):
        histories.append({})
        record = [lightgbm.record_evaluation(histories[-1])]
        train_set = lightgbm.Dataset(X, y)
        focalboost.lightgbm.train(QUIET, train_set, 5, [valid], callbacks=record)
    found, expected = (one["valid_0"]["relative_focal_loss"] for one in histories)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("balance", [True, "validation"])
def test_a_start_of_the_evaluation_set_is_added_to_the_baseline(balance, rare):
    """As LightGBM adds its own start to it."""
    X, y = rare
    seen, start = [], np.where(X[:, 0] > 0, 0.5, -0.5)
    for train, own in (
        (lightgbm.train, {"objective": "binary"}),
        (focalboost.lightgbm.train, {}),
    ):
        data = lightgbm.Dataset(X, y)
        valid = lightgbm.Dataset(X, y, reference=data, init_score=start)
        ours = {"loss": FocalLoss(0), "curvature": "exact", "balance": balance}
        options = {} if own else ours
        log = [lightgbm.record_evaluation(result := {})]
        params = {**QUIET, **own, "metric": "None"}
        train(params, data, 5, [valid], feval=log_loss, callbacks=log, **options)
        seen.append(result["valid_0"]["log loss"])
        np.testing.assert_array_equal(valid.get_init_score(), start)
    np.testing.assert_allclose(*seen, rtol=1e-6)


def log_loss(score, data):
    """Of LightGBM's own probabilities, or of raw predictions."""
    y = data.get_label()
    if score.min() >= 0:
        score = np.log(score) - np.log1p(-score)
    return "log loss", np.mean(np.logaddexp(0, score) - y * score), False


def test_balance_over_an_evaluation_set_counts_its_start(rare):
    X, y = rare
    data, start = lightgbm.Dataset(X, y), np.where(X[:, 0] > 0, 0.5, -0.5)
    valid = lightgbm.Dataset(X, y, reference=data, init_score=start)
    booster = focalboost.lightgbm.train(QUIET, data, 5, [valid], balance="validation")
    posterior = FocalLoss().posterior(booster.predict(X, raw_score=True) + start)
    assert posterior.sum() == pytest.approx(y.sum(), rel=1e-6)
