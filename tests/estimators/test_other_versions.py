"""A model that this version of its host reads otherwise than the one that wrote it."""

import json
import re
from functools import partial

import numpy as np
import pytest
from host_drivers import XGBoostDriver
from optional import lightgbm, xgboost
from saved_files import booster_of, each_file

from focalboost._hosts import _note


def saved(host, name, table, folder):
    """A fitted model, and the file that it is saved in."""
    model = host.estimator(n_estimators=3, focal_gamma=1).fit(*table)
    model.save_model(folder / name)
    return model, folder / name


def misread(monkeypatch, host, offset):
    """Let the host predict otherwise, as if it were of another version."""
    module = xgboost if host.name == "xgboost" else lightgbm
    original = module.Booster.predict
    monkeypatch.setattr(module, "__version__", "9.9.9")
    monkeypatch.setattr(
        module.Booster, "predict", lambda *a, **k: original(*a, **k) + offset
    )


NAMES = {"xgboost": "XGBoost", "lightgbm": "LightGBM"}


@each_file
def test_both_versions_are_named(host, name, rare, tmp_path, monkeypatch):
    _, path = saved(host, name, rare, tmp_path)
    version = (xgboost if host.name == "xgboost" else lightgbm).__version__
    host_name = NAMES[host.name]
    misread(monkeypatch, host, 0.8)
    message = (
        rf"fname must be a model that this {host_name} 9\.9\.9 reads like {host_name} "
        rf"{re.escape(version)}, which wrote it, with the raw prediction "
    )
    with pytest.raises(ValueError, match=message):
        host.estimator().load_model(path)


@each_file
def test_rounding_is_no_difference(host, name, rare, tmp_path, monkeypatch):
    _, path = saved(host, name, rare, tmp_path)
    eps = np.finfo(np.float32 if host.name == "xgboost" else np.float64).eps
    misread(monkeypatch, host, 1000 * eps)
    host.estimator().load_model(path)
    misread(monkeypatch, host, 100_000 * eps)
    with pytest.raises(ValueError, match="which wrote it"):
        host.estimator().load_model(path)


@pytest.mark.parametrize("data", ["rare", "faults"])
@each_file
def test_the_prediction_of_a_missing_row_is_in_the_file(
    host, name, data, request, tmp_path
):
    X, y = request.getfixturevalue(data)
    model, path = saved(host, name, (X, y), tmp_path)
    option = "output_margin" if host.name == "xgboost" else "raw_score"
    raw = model.predict(np.full((1, X.shape[1]), np.nan), **{option: True})
    if host.name == "xgboost":
        note = xgboost.Booster(model_file=path).attr("focalboost_missing_row")
    else:
        lines = path.read_text().split("\n")
        note = lines[2].removeprefix("focalboost_missing_row=")
    name_of_host, rounds, written = json.loads(note)
    assert name_of_host.startswith(NAMES[host.name])
    assert rounds == 3
    np.testing.assert_allclose(written, np.ravel(raw), rtol=1e-6)


def test_a_checkpoint_is_compared(host, rare, tmp_path, monkeypatch):
    path = tmp_path / "model"
    host.train(host.data(*rare), 3, checkpoint=path)
    misread(monkeypatch, host, 0.8)
    with pytest.raises(ValueError, match=r"checkpoint must be a model that this .* 9"):
        host.train(host.data(*rare), 5, checkpoint=path)


@pytest.mark.parametrize("as_file", [True, False])
def test_what_xgboost_continues_is_compared(as_file, rare, tmp_path, monkeypatch):
    host, path = XGBoostDriver(), tmp_path / "model.json"
    host.train(host.data(*rare), 3).save_model(path)
    given = path if as_file else xgboost.Booster(model_file=path)
    misread(monkeypatch, host, 0.8)
    with pytest.raises(ValueError, match=r"xgb_model must be a model that this XGB"):
        host.train(host.data(*rare), 5, xgb_model=given)


def test_a_model_that_is_cut_is_another_model(rare, tmp_path):
    """XGBoost keeps the note of the whole model in a part of it."""
    host, path = XGBoostDriver(), tmp_path / "model.json"
    model, _ = saved(host, "whole.json", rare, tmp_path)
    booster_of(model)[:2].save_model(path)
    loaded = host.estimator()
    loaded.load_model(path)
    assert loaded.get_booster().num_boosted_rounds() == 2


def test_the_tolerance_is_that_of_the_dtype():
    note = json.dumps(_note.MissingRow("host 1", 3, [1.0]))
    near = _note.MissingRow("host 2", 3, [1.001])
    check = partial(_note.require_same_prediction, note, "host 2", lambda: near)
    check(np.float32, "model")
    with pytest.raises(ValueError, match="model must be"):
        check(np.float64, "model")
