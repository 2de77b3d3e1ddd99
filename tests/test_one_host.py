"""What works with the hosts that are installed, be they two, one or none."""

import importlib

import numpy as np
import pytest
from optional import HAS_LIGHTGBM, HAS_XGBOOST
from scipy.special import expit

import focalboost
from focalboost import FocalLoss, focal_metric, focal_objective

ROUNDS = 10


def test_losses_objectives_and_metrics(rare):
    X, y = rare
    raw = X[:, 0].astype(np.float32)
    gradient, curvature = focal_objective(gamma=2)(y, raw)
    assert gradient.shape == curvature.shape == y.shape
    assert focal_metric(gamma=2)(y, raw) > 0


def test_a_training(host, rare):
    X, y = rare
    data, loss = host.data(X, y), FocalLoss(1)
    booster = host.train(data, ROUNDS, loss=loss)
    raw = np.asarray(host.raw(booster, X), dtype=np.float64)
    np.testing.assert_allclose(host.probability(booster, X), expit(raw), atol=1e-6)
    assert abs(loss.posterior(raw).mean() - y.mean()) < 0.01


def test_an_estimator(host, rare, tmp_path):
    X, y = rare
    model = host.estimator(n_estimators=ROUNDS).fit(X, np.where(y > 0, "a", "b"))
    path = tmp_path / f"model.{host.formats[0]}"
    model.save_model(path)
    loaded = host.estimator()
    loaded.load_model(path)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(
    ("name", "host", "is_there"),
    [
        ("FocalXGBClassifier", "xgboost", HAS_XGBOOST),
        ("FocalLGBMClassifier", "lightgbm", HAS_LIGHTGBM),
    ],
)
def test_a_missing_host_says_how_it_is_installed(name, host, is_there):
    if is_there:
        pytest.skip(f"{host} is installed")
    assert not hasattr(focalboost, name)
    with pytest.raises(AttributeError, match=rf"pip install {host}"):
        getattr(focalboost, name)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install {host}"):
        exec(f"from focalboost import {name}")
    module = importlib.import_module(f"focalboost.{host}")
    with pytest.raises(ModuleNotFoundError, match=rf"pip install \W*.*{host}"):
        module.train({}, None)
