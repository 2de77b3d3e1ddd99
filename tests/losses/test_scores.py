"""Focal scores, and what is plainly one where a raw prediction is wanted."""

import warnings

import array_api_strict
import numpy as np
import pytest
from checks import each_loss
from scipy.special import expit, softmax

from focalboost import FocalLoss, SoftmaxFocalLoss

SOFTMAX = [
    SoftmaxFocalLoss(3, g, a) for g in (0, 2, (0, 1, 4)) for a in (None, (1, 2, 3))
]
SCORES = np.linspace(0.01, 0.3, 100)
ROWS = softmax(np.random.default_rng(0).normal(size=(40, 3)), axis=1)
MESSAGE = "so they look like focal scores"


@each_loss
@pytest.mark.parametrize("shape", [(), (7,), (7, 2)])
def test_the_posterior_of_scores(loss, shape):
    raw = np.random.default_rng(0).normal(0, 3, shape)
    found = loss.posterior_of_score(expit(raw))
    np.testing.assert_allclose(found, loss.posterior(raw), rtol=1e-11)


@pytest.mark.parametrize("loss", SOFTMAX, ids=repr)
def test_the_posterior_of_rows_of_scores(loss):
    raw = np.random.default_rng(0).normal(0, 3, (50, 3))
    found = loss.posterior_of_score(softmax(raw, axis=1))
    np.testing.assert_allclose(found, loss.posterior(raw), rtol=1e-10)


@each_loss
def test_scores_of_0_and_1_are_limits(loss):
    assert loss.posterior_of_score([0.0, 1.0]).tolist() == [0, 1]


@pytest.mark.parametrize("loss", SOFTMAX, ids=repr)
def test_rows_with_scores_of_0_are_limits(loss):
    rows = np.array([[0.0, 1.0, 0.0], [0.0, 0.4, 0.6]])
    found = loss.posterior_of_score(rows)
    assert found[0].tolist() == [0, 1, 0]
    near = loss.posterior_of_score(np.array([[1e-200, 0.4, 0.6]]))
    np.testing.assert_allclose(found[1], near[0], rtol=1e-12, atol=1e-150)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_keep_their_dtype(dtype):
    assert FocalLoss().posterior_of_score(SCORES.astype(dtype)).dtype == dtype
    assert SoftmaxFocalLoss(3).posterior_of_score(ROWS.astype(dtype)).dtype == dtype


def test_scores_of_other_namespaces():
    scores = array_api_strict.asarray(SCORES)
    found = FocalLoss().posterior_of_score(scores)
    np.testing.assert_array_equal(found, FocalLoss().posterior_of_score(SCORES))
    with pytest.warns(UserWarning, match=MESSAGE):
        FocalLoss().posterior(scores)


@pytest.mark.parametrize("score", [-0.1, 1.1, np.nan])
def test_what_is_no_score(score):
    with pytest.raises(ValueError, match="score must be between 0 and 1"):
        FocalLoss().posterior_of_score([score])
    with pytest.raises(ValueError, match="score must be between 0 and 1"):
        SoftmaxFocalLoss(2).posterior_of_score([[score, 0.5]])
    with pytest.raises(ValueError, match="score must be in rows that sum to 1"):
        SoftmaxFocalLoss(2).posterior_of_score([[0.2, 0.5]])


CALLS = {
    "posterior": lambda s: FocalLoss().posterior(s),
    "log odds": lambda s: FocalLoss().posterior_log_odds(s),
}
ROW_CALLS = {
    "posterior": lambda s: SoftmaxFocalLoss(3).posterior(s),
    "log posterior": lambda s: SoftmaxFocalLoss(3).log_posterior(s),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize(
    "scores",
    [SCORES, SCORES.astype(np.float32), SCORES.tolist(), SCORES.reshape(-1, 2)],
)
def test_scores_in_place_of_raw_predictions_warn(call, scores):
    with pytest.warns(UserWarning, match=MESSAGE) as found:
        call(scores)
    assert found[0].filename == __file__


@pytest.mark.parametrize("call", ROW_CALLS.values(), ids=ROW_CALLS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rows_of_scores_in_place_of_raw_predictions_warn(call, dtype):
    with pytest.warns(UserWarning, match=MESSAGE) as found:
        call(ROWS.astype(dtype))
    assert found[0].filename == __file__


@pytest.mark.parametrize(
    "raw",
    [SCORES[:99], np.full(200, 0.5), SCORES - 0.02, SCORES + 0.8],
    ids=["few", "one number", "below 0", "above 1"],
)
def test_what_may_be_raw_predictions_does_not_warn(raw):
    FocalLoss().posterior(raw)


def test_rows_that_do_not_sum_to_1_may_be_raw_predictions():
    SoftmaxFocalLoss(3).posterior(ROWS * 0.9)


@pytest.mark.parametrize("loss", [FocalLoss(), SoftmaxFocalLoss(2)], ids=repr)
def test_the_package_may_have_raw_predictions_between_0_and_1(loss):
    from focalboost.estimators._base import posterior_of_each
    from focalboost.losses import balancing_shift

    y_true = np.arange(100) % 2
    raw = SCORES if loss == FocalLoss() else softmax(ROWS[:, :2], axis=1)
    y_true = y_true[: len(raw)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        raw = np.repeat(raw, 3, axis=0)
        balancing_shift(loss, np.repeat(y_true, 3), raw)
        posterior_of_each(loss, raw)
