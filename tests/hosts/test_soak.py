"""Long trainings on hard data stay finite, and no round raises the loss."""

import numpy as np
import pytest
from host_drivers import LightGBMDriver

from focalboost import FocalLoss

pytestmark = pytest.mark.slow

ROUNDS = 10_000


@pytest.fixture(scope="module")
def hard():
    """One positive in a million by weight, weights over 12 decades, a tenth noise."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 4))
    y = (X[:, 0] + X[:, 1] > 3).astype(np.float64)
    noise = rng.random(len(y)) < 0.1
    y[noise] = rng.random(noise.sum()) < 0.05
    weight = 10 ** rng.uniform(-6, 6, len(y))
    share = weight[y == 0].sum() / weight[y == 1].sum()
    weight[y == 1] *= share / 1e6
    return X, y, weight


PARAMS = {
    "xgboost": {"min_child_weight": 0, "lambda": 0},
    "lightgbm": {"min_data_in_leaf": 1},
}


def test_ten_thousand_rounds(host, hard):
    """gamma = 5 at the largest learning rate that the certificate holds for."""
    X, y, weight = hard
    data, loss = host.data(X, y, weight), FocalLoss(5)
    history, recorder = host.recorder()
    params = {"learning_rate": 0.3, "max_depth": 3, **PARAMS[host.name]}
    booster = host.train(data, ROUNDS, params, [data], loss=loss, **recorder)
    relative = np.array(host.history(history))
    assert len(relative) == ROUNDS
    assert np.isfinite(host.raw(booster, data if host.name == "xgboost" else X)).all()
    assert relative[-1] < 0.5
    # XGBoost's raw predictions are float32, and its metrics have six decimals.
    allowed = 1e-6 if host.name == "xgboost" else 1e-12
    assert np.diff(relative).max() <= allowed


def test_weights_that_leave_no_curvature(hard):
    """LightGBM aborts on leaves in which it counts no rows; the error says why."""
    X, y, weight = hard
    host, params = (
        LightGBMDriver(),
        {"min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 0},
    )
    data = host.data(X, y, weight * 1e-3)
    with pytest.raises(ValueError, match="min_sum_hessian_in_leaf must be so large"):
        host.train(data, 1000, {"learning_rate": 0.3, **params}, loss=FocalLoss(5))
