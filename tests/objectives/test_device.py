"""Gradients on a device, with array_api_strict in the place of CuPy.

Its device "device1" refuses what would be a hidden transfer to the host. With an
interface to memory XGBoost takes its arrays as those of a GPU.
"""

import sys
from contextlib import nullcontext
from types import SimpleNamespace

import array_api_strict as xp
import numpy as np
import pytest
from optional import FocalXGBClassifier, version, xgboost

import focalboost.xgboost
from focalboost import SoftmaxFocalLoss, focal_objective
from focalboost.objectives import has_gpu

DEVICE = xp.Device("device1")
StrictArray = type(xp.asarray(0.0))


def fallback():
    """What XGBoost does without a GPU; it says so itself at most once in a process."""
    return pytest.warns(UserWarning, match="found no GPU and trained on the CPU")


class FakeCuPy:
    """What is used of CuPy."""

    # array-api-compat asks whether arrays are CuPy's.
    ndarray = generic = type("ndarray", (), {})

    def __init__(self, available=True):
        self.moved, self.devices = [], []
        self.cuda = SimpleNamespace(
            is_available=lambda: available, Device=self.current_device
        )

    def current_device(self, ordinal):
        self.devices.append(ordinal)
        return nullcontext()

    def asarray(self, array):
        if isinstance(array, StrictArray):
            return array
        assert isinstance(array, np.ndarray)
        self.moved.append(array)
        return xp.asarray(array, device=DEVICE)


@pytest.fixture
def cupy(monkeypatch):
    fake = FakeCuPy()
    monkeypatch.setitem(sys.modules, "cupy", fake)

    def interface(array):
        assert array.device == DEVICE
        memory = array._array.__array_interface__
        known = {name: memory[name] for name in ("shape", "typestr", "data", "strides")}
        return {**known, "version": 3, "stream": None}

    monkeypatch.setattr(
        StrictArray, "__cuda_array_interface__", property(interface), raising=False
    )
    return fake


def on_host(array):
    if version("numpy") < (2,):
        pytest.skip("array-api-strict moves arrays with NumPy 2")
    return np.asarray(array.to_device(xp.Device("CPU_DEVICE")))


@pytest.mark.usefixtures("formulas_alone")
@pytest.mark.parametrize("curvature", ["certified", "exact"])
@pytest.mark.parametrize("n_classes", [None, 3])
def test_nothing_goes_back_to_the_host(cupy, curvature, n_classes):
    rng = np.random.default_rng(0)
    raw = rng.normal(size=(50, 3) if n_classes else 50).astype(np.float32)
    y = np.arange(50, dtype=np.float32) % (n_classes or 2)
    weight = rng.random(50).astype(np.float32)
    options = {"gamma": (0, 1, 2) if n_classes else (0, 2), "n_classes": n_classes}
    objective = focal_objective(**options, curvature=curvature, device="cuda")
    plain = focal_objective(**options, curvature=curvature)
    for actual, expected in zip(
        objective(y, raw, weight), plain(y, raw, weight), strict=True
    ):
        assert type(actual) is StrictArray
        assert actual.device == DEVICE
        assert actual.dtype == xp.float32
        np.testing.assert_allclose(on_host(actual), expected, rtol=3e-7)
    assert [array.size for array in cupy.moved] == [50, raw.size, 50]


def test_labels_that_are_set_are_seen(cupy):
    X = np.arange(40.0).reshape(-1, 1)
    data = xgboost.DMatrix(X, np.arange(40) % 2, weight=np.ones(40))
    objective = focal_objective(device="cuda:2")
    raw = np.linspace(-1, 1, 40, dtype=np.float32)
    first = objective(raw, data)[0]
    data.set_label(np.arange(40) % 3 == 0)  # seen, though the data set is the same
    second = objective(raw, data)[0]
    assert set(cupy.devices) == {2}
    assert not np.array_equal(on_host(first), on_host(second))


@pytest.mark.usefixtures("formulas_alone")
def test_weights_that_come_to_a_data_set_are_seen(cupy):
    data = xgboost.DMatrix(np.arange(40.0).reshape(-1, 1), np.arange(40) % 2)
    objective = focal_objective(device="cuda")
    raw = np.linspace(-1, 1, 40, dtype=np.float32)
    objective(raw, data)
    data.set_weight(np.linspace(1, 2, 40))
    weighted = objective(raw, data)[0]
    assert [array.size for array in cupy.moved] == [40] * (2 + 3)
    expected = focal_objective()(raw, data)[0]
    np.testing.assert_allclose(on_host(weighted), expected, rtol=3e-7)


@pytest.mark.parametrize("loss", [None, SoftmaxFocalLoss(3)], ids=str)
def test_train_with_gradients_of_a_device(cupy, loss, rare, faults):
    X, y = rare if loss is None else faults
    data = xgboost.DMatrix(X, y, weight=1 + X[:, 0] ** 2)
    params = {"nthread": 1, "verbosity": 0}
    expected = focalboost.xgboost.train(params, data, 10, loss=loss)
    assert not cupy.moved
    params["device"] = "cuda"  # XGBoost falls back to the CPU; the gradients do not
    with fallback():
        booster = focalboost.xgboost.train(params, data, 10, loss=loss)
    assert len(cupy.moved) == 10 + 2
    np.testing.assert_allclose(booster.predict(data), expected.predict(data), rtol=1e-5)


def test_the_classifier_with_gradients_of_a_device(cupy, rare):
    X, y = rare
    params = {"n_estimators": 5, "n_jobs": 1, "verbosity": 0}
    with fallback():
        model = FocalXGBClassifier(**params, device="cuda").fit(X, y)
    assert len(cupy.moved) == 5 * 2  # XGBClassifier shows labels, and no data set
    expected = FocalXGBClassifier(**params).fit(X, y).predict_proba(X)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-5)


def test_train_on_cuda_without_cupy_takes_gradients_of_the_host(rare):
    X, y = rare
    data = xgboost.DMatrix(X, y)
    params = {"nthread": 1, "verbosity": 0, "device": "cuda"}
    with fallback():
        booster = focalboost.xgboost.train(params, data, 3)
    expected = focalboost.xgboost.train({"nthread": 1}, data, 3)
    np.testing.assert_array_equal(booster.predict(data), expected.predict(data))


def test_an_objective_without_cupy_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    objective = focal_objective(device="cuda")
    with pytest.raises(ModuleNotFoundError, match="pip install cupy-cuda12x"):
        objective(np.array([0.0, 1.0]), np.zeros(2))


def test_an_objective_without_a_gpu_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", FakeCuPy(available=False))
    assert not has_gpu("cuda")
    with pytest.raises(ValueError, match="device must be None where there is no CUDA"):
        focal_objective(device="cuda")(np.array([0.0, 1.0]), np.zeros(2))


@pytest.mark.parametrize("device", ["gpu", "cuda:x", 0])
def test_other_devices_are_refused(device):
    with pytest.raises(ValueError, match="device must be 'cuda', 'cuda:N' or None"):
        focal_objective(device=device)(np.array([0.0, 1.0]), np.zeros(2))
