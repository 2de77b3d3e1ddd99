"""The digest of a saved file: it finds accidents, and is no proof of an origin."""

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from host_drivers import XGBoostDriver
from optional import xgboost

ZEROS = b"0" * 64

#: A feature that is not there, which made the hosts read outside their memory.
FORGERIES = {
    "xgboost": (rb'("split_indices":\[)\d+', rb'focalboost_sha256":"(.{64})"'),
    "lightgbm": (rb"(split_feature=)\d+", rb"focalboost_sha256:(.{64})\n"),
}


def unsigned(host, content, place):
    """What the digest is taken of."""
    if host.name == "xgboost":
        return content[: place.start(1)] + ZEROS + content[place.end(1) :]
    return (content[: place.start()] + content[place.end() :]).strip()


def forged(host, content):
    """A damaged file with the digest that suits the damage."""
    damage, digest = FORGERIES[host.name]
    damaged = re.sub(damage, rb"\g<1>99999999", content, count=1)
    if host.name == "lightgbm":
        damaged = with_sizes(damaged)
    place = re.search(digest, damaged)
    right = hashlib.sha256(unsigned(host, damaged, place)).hexdigest().encode()
    return damaged[: place.start(1)] + right + damaged[place.end(1) :]


def with_sizes(content):
    """A text with the lengths of its trees, which are looked at first."""
    trees = re.findall(rb"^Tree=\d+\n.*?\n\n\n", content, flags=re.M | re.S)
    sizes = b" ".join(b"%d" % len(tree) for tree in trees)
    return re.sub(rb"tree_sizes=.*", b"tree_sizes=" + sizes, content)


def saved_by(host, table, folder):
    """The path of an estimator that a host has saved."""
    path = folder / f"model.{host.formats[0]}"
    host.estimator(n_estimators=2).fit(*table).save_model(path)
    return path


def as_booster(path):
    return xgboost.Booster(model_file=path)


def test_a_right_digest_does_not_make_a_damaged_file_a_model(host, rare, tmp_path):
    path = saved_by(host, rare, tmp_path)
    content = path.read_bytes()
    path.write_bytes(forged(host, content))
    assert path.read_bytes() != content
    with pytest.raises(ValueError, match=r"fname must be an? \w+ model that can be u"):
        host.estimator().load_model(path)


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
