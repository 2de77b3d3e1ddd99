"""The digest of a saved file: it finds accidents, and is no proof of an origin."""

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from host_drivers import XGBoostDriver
from optional import xgboost
from saved_files import each_file


def saved_by(host, table, folder):
    """The path of an estimator that a host has saved."""
    path = folder / f"model.{host.formats[0]}"
    host.estimator(n_estimators=2).fit(*table).save_model(path)
    return path


def as_booster(path):
    return xgboost.Booster(model_file=path)


@each_file
def test_a_digest_is_that_of_the_file_without_it(host, name, rare, tmp_path):
    host.estimator(n_estimators=2).fit(*rare).save_model(tmp_path / name)
    content = (tmp_path / name).read_bytes()
    place = re.search(rb"focalboost_sha256[^0-9a-f]{1,12}([0-9a-f]{64})", content)
    unsigned = content.replace(place[1], b"0" * 64)
    assert hashlib.sha256(unsigned).hexdigest().encode() == place[1]


@pytest.mark.parametrize("read", [str, Path.read_bytes, as_booster])
def test_what_is_trained_from_a_file_has_not_its_digest(read, rare, tmp_path):
    host = XGBoostDriver()
    path = saved_by(host, rare, tmp_path)
    model = host.estimator(n_estimators=2)
    model.fit(*rare, xgb_model=read(path))
    assert "focalboost_sha256" not in model.get_booster().attributes()
    model.get_booster().save_model(path)
    loaded = host.estimator()
    loaded.load_model(path)
    np.testing.assert_array_equal(
        loaded.predict_proba(rare[0]), model.predict_proba(rare[0])
    )


def test_a_booster_that_is_trained_from_stays_as_it_is(rare, tmp_path):
    booster = as_booster(saved_by(XGBoostDriver(), rare, tmp_path))
    before = booster.attributes()
    XGBoostDriver().estimator(n_estimators=2).fit(*rare, xgb_model=booster)
    assert booster.attributes() == before


@pytest.mark.parametrize("name", ["model.json", "model.ubj"])
def test_threads_that_save_a_model_write_the_same_file(name, rare, tmp_path):
    model = XGBoostDriver().estimator(n_estimators=20).fit(*rare)
    before = model.get_booster().attributes()
    model.save_model(tmp_path / name)
    paths = [tmp_path / f"{i}-{name}" for i in range(60)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(model.save_model, paths))
    assert {path.read_bytes() for path in paths} == {(tmp_path / name).read_bytes()}
    assert model.get_booster().attributes() == before


def test_a_file_without_a_place_for_the_digest_is_an_error(monkeypatch, rare, tmp_path):
    model = XGBoostDriver().estimator(n_estimators=2).fit(*rare)
    monkeypatch.setattr(xgboost.Booster, "set_attr", lambda self, **attributes: None)
    with pytest.raises(RuntimeError, match="without a place to sign it"):
        model.save_model(tmp_path / "model.json")
    assert list(tmp_path.iterdir()) == []
