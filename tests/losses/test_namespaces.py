"""Arrays of another namespace: array_api_strict, on its default device and another."""

import array_api_strict as xp
import numpy as np
import pytest
from checks import LOSSES, each_loss

from focalboost import FocalLoss, SoftmaxFocalLoss

pytestmark = pytest.mark.usefixtures("formulas_alone")

METHODS = ("loss", "gradient", "hessian", "curvature")

DEVICES = [xp.Device("CPU_DEVICE"), xp.Device("device1")]
each_device = pytest.mark.parametrize("device", DEVICES, ids=str)
each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])

RAW = np.concatenate([np.linspace(-12, 12, 49), [-1e4, -800.0, 800.0, 1e4]])
HARD = (np.arange(RAW.size) % 3 == 1).astype(np.float64)
SOFT = np.linspace(0, 1, RAW.size)
WEIGHT = np.linspace(0, 4, RAW.size)

each_label = pytest.mark.parametrize("y_true", [HARD, SOFT], ids=["hard", "soft"])


def strict(array, device, dtype="float64"):
    return xp.asarray(array, dtype=getattr(xp, dtype), device=device)


def as_numpy(array):
    assert type(array) is type(xp.asarray(0.0))
    return np.asarray(xp.asarray(array, device=DEVICES[0]))


def assert_equal(actual, expected, device):
    """Equal to a unit in the last place: the operations are the same."""
    assert actual.device == device
    assert as_numpy(actual).dtype == expected.dtype
    rtol = np.finfo(expected.dtype).eps
    np.testing.assert_allclose(as_numpy(actual), expected, rtol=rtol)


@each_device
@each_dtype
@each_label
@each_loss
def test_numbers_are_those_of_numpy(loss, y_true, dtype, device):
    arrays = [array.astype(dtype) for array in (y_true, RAW, WEIGHT)]
    others = [strict(array, device, dtype) for array in arrays]
    for method in METHODS:
        call = getattr(loss, method)
        assert_equal(call(*others), call(*arrays), device)
        assert_equal(call(*others[:2]), call(*arrays[:2]), device)


@each_device
@each_dtype
@each_loss
def test_the_link_gives_the_numbers_of_numpy(loss, dtype, device):
    raw = strict(RAW, device, dtype)
    for link in ("posterior", "posterior_log_odds"):
        expected = getattr(loss, link)(RAW.astype(dtype))
        assert_equal(getattr(loss, link)(raw), expected, device)


@each_device
@pytest.mark.parametrize("loss", LOSSES[::5], ids=repr)
def test_pairs_are_those_of_numpy(loss, device):
    arrays = [strict(array, device) for array in (HARD, RAW, WEIGHT)]
    for method in ("gradient_hessian", "gradient_curvature"):
        values = getattr(loss, method)(*arrays)
        expected = getattr(loss, method)(HARD, RAW, WEIGHT)
        for one, other in zip(values, expected, strict=True):
            assert_equal(one, other, device)


@each_device
@each_label
@each_loss
def test_the_baseline_is_that_of_numpy(loss, y_true, device):
    baseline = loss.baseline(strict(y_true, device), strict(WEIGHT, device))
    assert baseline == pytest.approx(loss.baseline(y_true, WEIGHT), rel=1e-14)
    masses = loss.class_masses(strict(y_true, device))
    assert masses == pytest.approx(loss.class_masses(y_true), rel=1e-14)


@each_device
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_the_masses_of_several_classes_come_to_the_host(weight, device):
    loss, labels = SoftmaxFocalLoss(3, (0, 2, 1)), np.arange(RAW.size) % 3
    given = None if weight is None else strict(weight, device)
    for y_true in (strict(labels, device), xp.asarray(labels, device=device)):
        masses = loss.class_masses(y_true, given)
        assert masses == pytest.approx(loss.class_masses(labels, weight), rel=1e-14)
    expected = loss.baseline(labels, weight)
    assert loss.baseline(y_true, given) == pytest.approx(expected, rel=1e-13)
    assert loss.class_masses(y_true, weight) == pytest.approx(masses, rel=1e-14)


@each_device
def test_labels_and_weights_follow_the_raw_prediction(device):
    """From the host, in whatever dtype they are."""
    loss, raw = FocalLoss((0.5, 2), alpha=0.3), strict(RAW, device, "float32")
    labels, weight = HARD.astype(np.int64), list(WEIGHT)
    expected = loss.gradient(HARD, RAW.astype(np.float32), WEIGHT)
    assert_equal(loss.gradient(labels, raw, weight), expected, device)


@each_device
def test_integers_become_float64(device):
    raw = xp.asarray([-2, 0, 3], dtype=xp.int32, device=device)
    y_true = xp.asarray([0, 1, 1], dtype=xp.bool, device=device)
    expected = FocalLoss().loss([0, 1, 1], [-2, 0, 3])
    assert_equal(FocalLoss().loss(y_true, raw), expected, device)
    assert FocalLoss().class_masses(y_true) == (2, 1)


@each_device
@pytest.mark.parametrize("shape", [(0,), (), (3, 2)])
def test_shapes_are_kept(shape, device):
    raw, y_true = np.full(shape, 0.5), np.ones(shape)
    value = FocalLoss().gradient(strict(y_true, device), strict(raw, device))
    assert_equal(value, np.asarray(FocalLoss().gradient(y_true, raw)), device)


def test_the_inverse_of_the_posterior_is_found_on_the_host():
    posterior = [0.001, 0.5, 0.9]
    raw = FocalLoss().inverse_posterior(strict(posterior, DEVICES[0]))
    assert type(raw) is np.ndarray
    np.testing.assert_array_equal(raw, FocalLoss().inverse_posterior(posterior))


@each_device
@pytest.mark.parametrize(
    ("y_true", "raw", "weight", "message"),
    [
        ([0, 2.0], [1, 1], [1, 1], r"y_true must be 0 or 1 .* got 2\.0"),
        ([0, 1.0], [1, np.nan], [1, 1], "raw_prediction must be finite .*; got nan"),
        ([0, 1.0], [1, 1], [1, -3], r"sample_weight must be .*; got -3\.0"),
        ([0, 1.0, 1], [1, 1], [1, 1], r"y_true must be of shape \(2,\); got \(3,\)"),
    ],
)
def test_errors_are_those_of_numpy(y_true, raw, weight, message, device):
    arrays = (strict(values, device) for values in (y_true, raw, weight))
    with pytest.raises(ValueError, match=message):
        FocalLoss().gradient(*arrays)


def test_a_hidden_transfer_would_fail():
    with pytest.raises(RuntimeError, match=r"Can.*t convert array"):
        np.asarray(strict(RAW, DEVICES[1]))
