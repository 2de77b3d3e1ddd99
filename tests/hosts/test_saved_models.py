"""Saved models predict probabilities where focalboost cannot be imported."""

import json
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from host_drivers import LightGBMDriver, XGBoostDriver
from optional import lightgbm
from scipy.special import expit, softmax

from focalboost import SoftmaxFocalLoss
from focalboost.xgboost._params import has_base_scores

PREDICT = """
import json, sys
sys.modules["focalboost"] = None  # makes an import of it fail
import numpy as np
for line in sys.stdin:
    host, features, result, *models = json.loads(line)
    X = np.load(features)
    if host == "xgboost":
        import xgboost
        boosters = [xgboost.Booster(model_file=model) for model in models]
        types = ["q", "q", "q", "q", "c"] if "categorical" in models[0] else None
        data = xgboost.DMatrix(X, feature_types=types)
        raws = [booster.predict(data, output_margin=True) for booster in boosters]
        both = [(b.predict(data), raw) for b, raw in zip(boosters, raws)]
    else:
        import lightgbm
        boosters = [lightgbm.Booster(model_file=model) for model in models]
        both = [(b.predict(X), b.predict(X, raw_score=True)) for b in boosters]
    np.save(result, np.array(both))
    print("done", flush=True)
"""


@pytest.fixture(scope="module")
def server():
    """A process without focalboost, for all tests of this file."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", PREDICT], **pipes) as process:
        yield process


@pytest.fixture
def served(tmp_path, server):
    """Save a model in each format, and use it in the process without focalboost."""

    def serve(host, booster, X, name="model"):
        models = [tmp_path / f"{name}.{suffix}" for suffix in host.formats]
        for model in models:
            booster.save_model(str(model))
        features, result = tmp_path / "X.npy", tmp_path / "result.npy"
        np.save(features, X)
        request = [host.name, *map(str, (features, result, *models))]
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        assert any(line == "done\n" for line in server.stdout)
        return np.load(result).astype(np.float64)

    return serve


def assert_served(host, booster, X, served, name="model", link=expit):
    data = X if name != "categorical" else categorical_data(host, X)
    expected = host.raw(booster, data)
    for probability, raw in served(host, booster, X, name):
        np.testing.assert_allclose(raw, expected, rtol=0, atol=1e-7)
        np.testing.assert_allclose(probability, link(raw), rtol=0, atol=1e-7)


def categorical_data(host, X, y=None):
    if host.name == "lightgbm":
        return X if y is None else lightgbm.Dataset(X, y, categorical_feature=[4])
    import xgboost

    types = ["q", "q", "q", "q", "c"]
    return xgboost.DMatrix(X, y, feature_types=types, enable_categorical=True)


def test_a_model_of_one_training(host, rare, served):
    assert_served(host, host.train(host.data(*rare)), rare[0], served)


def test_a_continued_model(host, rare, served):
    first = host.train(host.data(*rare), 5)
    booster = host.train(host.data(*rare), 5, **host.continued(first))
    assert_served(host, booster, rare[0], served)


def test_a_model_of_several_classes(host, faults, served):
    booster = host.train(host.data(*faults), loss=SoftmaxFocalLoss(3))
    link = partial(softmax, axis=1)
    assert_served(host, booster, faults[0], served, link=link)
    again = host.continued(booster)
    booster = host.train(host.data(*faults), 5, loss=SoftmaxFocalLoss(3), **again)
    assert_served(host, booster, faults[0], served, link=link)


def test_a_model_of_several_labels(rare, served):
    X, y = rare
    host = XGBoostDriver()
    data = host.data(X, np.column_stack([y, X[:, 1] > 1]))
    if not has_base_scores():
        pytest.skip("XGBoost before 3.1 has one base_score")
    assert_served(host, host.train(data), X, served)


def test_a_model_continued_from_a_file(host, rare, served, tmp_path):
    first = host.train(host.data(*rare), 5)
    path = str(tmp_path / f"first.{host.formats[0]}")
    first.save_model(path)
    booster = host.train(host.data(*rare), 5, **host.continued(path))
    direct = host.train(host.data(*rare), 5, **host.continued(first))
    np.testing.assert_allclose(
        host.raw(booster, rare[0]), host.raw(direct, rare[0]), rtol=0, atol=1e-6
    )
    assert_served(host, booster, rare[0], served)


def test_an_early_stopped_model(host, rare, served):
    X, y = rare
    data = host.data(X[:2500], y[:2500])
    other = host.data(X[2500:], y[2500:], reference=data)
    params = {"learning_rate": 0.3}
    booster = host.train(data, 100, params, [other], stopping_rounds=4)
    assert_served(host, booster, X, served)


def test_a_model_with_categories(host, rare, served):
    X, y = rare[0].copy(), rare[1]
    X[:, 4] = np.arange(len(y)) % 7
    booster = host.train(categorical_data(host, X, y))
    assert_served(host, booster, X, served, name="categorical")


def test_a_model_with_missing_values(host, rare, served):
    X = np.where(rare[0] > 1.5, np.nan, rare[0])
    assert_served(host, host.train(host.data(X, rare[1])), X, served)


@pytest.mark.parametrize(
    "params",
    [{"linear_tree": True}, {"boosting": "dart"}, {"data_sample_strategy": "goss"}],
    ids=["linear", "dart", "goss"],
)
def test_lightgbm_s_other_models(params, rare, served):
    host = LightGBMDriver()
    assert_served(host, host.train(host.data(*rare), params=params), rare[0], served)


def test_xgboost_s_file_names_a_built_in_objective(rare, tmp_path):
    host = XGBoostDriver()
    path = tmp_path / "model.json"
    host.train(host.data(*rare), 3).save_model(path)
    learner = json.loads(path.read_text())["learner"]
    assert learner["objective"]["name"] == "binary:logistic"
