"""Numbers that underflow are 0, even if NumPy is told to raise an error."""

import numpy as np
import pytest

from focalboost import FocalLoss, SoftmaxFocalLoss, focal_metric, focal_objective
from focalboost.objectives import _start

pytestmark = pytest.mark.usefixtures("form", "errors_raised")

#: Where exp, p, q, their products and their float32 forms underflow, and their ends.
RAW = np.array([-1e30, -1e4, -800, -90, 0, 1e-310, 1e-42, 90, 800, 1e4, 1e30])
N_ROWS = len(RAW)
TABLE = np.stack([RAW, RAW[::-1], np.roll(RAW, 3)], axis=1)
WEIGHTS = {
    "none": None,
    "ones": np.ones(N_ROWS),
    "float32": np.full(N_ROWS, 1e-44, np.float32),
    "float64": np.full(N_ROWS, 5e-324),
}
RISING = np.array([5e-324, *np.geomspace(1e-300, 1, N_ROWS - 1)])
MASSES = [(5e-324, 1.0), (1e-310, 1e300), (5e-324, 5e-324), (1.0, 5e-324)]

ORDINARY = [FocalLoss(), FocalLoss(0), FocalLoss((0.5, 2.3), 0.25), SoftmaxFocalLoss(3)]
BINARY = [
    *ORDINARY[:3],
    FocalLoss(1000),
    FocalLoss((0, 1000)),
    FocalLoss((0.5, 2.3), 1e-300),
]
SOFTMAX = [
    ORDINARY[3],
    SoftmaxFocalLoss(3, 0),
    SoftmaxFocalLoss(3, 1000),
    SoftmaxFocalLoss(3, (0, 1000, 1.3), (1e-300, 1e-30, 1)),
]

each_binary = pytest.mark.parametrize("loss", BINARY, ids=repr)
each_softmax = pytest.mark.parametrize("loss", SOFTMAX, ids=repr)
each_weight = pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])

QUANTITIES = ("loss", "gradient", "hessian", "curvature")
PAIRS = ("gradient_hessian", "gradient_curvature")


@pytest.fixture
def errors_raised():
    with np.errstate(all="raise"):
        yield


def cast(array, dtype):
    with np.errstate(under="ignore"):
        return array.astype(dtype)


def assert_finite(*results):
    for result in results:
        assert np.all(np.isfinite(result))


def assert_derivatives_finite(loss, y_true, raw, weight):
    arrays = (y_true, raw, weight)
    assert_finite(*(getattr(loss, name)(*arrays) for name in QUANTITIES))
    for name in PAIRS:
        assert_finite(*getattr(loss, name)(*arrays, dtype="float32"))
        assert_finite(*getattr(loss, name)(*arrays, dtype="float64"))


@each_dtype
@each_weight
@each_binary
def test_derivatives_of_the_binary_loss(loss, weight, dtype):
    for label in (0, 1, 0.3, 1e-310):
        y_true = np.full(N_ROWS, label)
        assert_derivatives_finite(loss, y_true, cast(RAW, dtype), weight)


@each_dtype
@each_weight
@each_softmax
def test_derivatives_of_the_softmax_loss(loss, weight, dtype):
    y_true = np.arange(N_ROWS) % 3
    assert_derivatives_finite(loss, y_true, cast(TABLE, dtype), weight)
    assert_finite(loss.full_hessian(y_true, cast(TABLE, dtype), weight))


@each_dtype
@each_binary
def test_the_link_of_the_binary_loss(loss, dtype):
    raw = cast(RAW, dtype)
    assert_finite(loss.posterior(raw), loss.posterior_log_odds(raw))
    assert_finite(loss.inverse_posterior([5e-324, 1e-300, 0.5, 1 - 1e-16]))


@each_dtype
@each_softmax
def test_the_link_of_the_softmax_loss(loss, dtype):
    table = cast(TABLE, dtype)
    assert_finite(loss.posterior(table), loss.log_posterior(table))
    assert_finite(loss.inverse_posterior([[5e-324, 0.5, 0.5], [0.2, 0.3, 0.5]]))


@each_weight
@each_binary
def test_constants_of_the_binary_loss(loss, weight):
    assert_finite(*loss.class_masses(np.full(N_ROWS, 1e-310), weight))
    assert_finite(loss.baseline(np.arange(N_ROWS) % 2, weight))
    for masses in MASSES:
        assert_finite(loss.baseline_of_masses(*masses))
        assert_finite(loss.constant_loss(-40.0, masses))
        assert_finite(loss.best_constant_loss(masses))


@each_weight
@each_softmax
def test_constants_of_rows_of_the_softmax_loss(loss, weight):
    y_true = np.arange(N_ROWS) % 3
    assert_finite(loss.class_masses(y_true, weight), loss.baseline(y_true, weight))


@each_softmax
def test_constants_of_masses_of_the_softmax_loss(loss):
    for pair in MASSES:
        masses = [*pair, 1.0]
        assert_finite(loss.baseline_of_masses(masses))
        assert_finite(loss.constant_loss([-40.0, 0, 40], masses))
        assert_finite(loss.best_constant_loss(masses))


@pytest.mark.parametrize("curvature", ["certified", "exact"])
@each_dtype
@each_weight
@pytest.mark.parametrize("loss", [*BINARY, *SOFTMAX], ids=repr)
def test_objective(loss, weight, dtype, curvature):
    n_classes = getattr(loss, "n_classes", None)
    objective = focal_objective(loss.gamma, loss.alpha, curvature, n_classes=n_classes)
    raw = cast(TABLE if n_classes else RAW, dtype)
    assert_finite(*objective(np.arange(N_ROWS) % (n_classes or 2), raw, weight))


@each_dtype
@pytest.mark.parametrize("loss", ORDINARY, ids=repr)
def test_metric(loss, dtype):
    n_classes = getattr(loss, "n_classes", None)
    metric = focal_metric(loss.gamma, loss.alpha, n_classes=n_classes)
    raw = cast(TABLE if n_classes else RAW, dtype)
    raw[abs(raw) > 1e29] = 1e29  # 1e30 in float32 is above 1e30
    y_true = np.arange(N_ROWS) % (n_classes or 2)
    for weight in (None, RISING):
        assert_finite(metric(y_true, raw, weight))


def test_the_warning_about_the_start():
    _start._warned.clear()
    y_true = np.zeros(3000, np.float32)
    y_true[0] = 1
    objective = focal_objective(0, max_learning_rate=1.0)
    with pytest.warns(UserWarning, match="Training starts from raw prediction 700"):
        objective(y_true, np.full(3000, 700.0), np.where(y_true, 5e-324, 1))
