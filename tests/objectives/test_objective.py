"""focal_objective at every call site."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from host_drivers import HOSTS, host_id

from focalboost import FocalLoss, focal_metric, focal_objective
from focalboost.objectives import FocalObjective

LOSS = FocalLoss(2)

#: Weights move the best constant; some tests start elsewhere on purpose.
poor_start = pytest.mark.filterwarnings("ignore:Training starts from raw prediction")


@pytest.fixture
def arrays():
    rng = np.random.default_rng(1)
    y_true = (rng.random(50) < 0.4).astype(np.float32)
    return y_true, rng.normal(size=50), rng.random(50).astype(np.float32)


@pytest.mark.parametrize("host", HOSTS, ids=host_id)
@pytest.mark.parametrize("weighted", [False, True])
def test_native_and_scikit_learn_calls_agree(host, weighted, arrays):
    y_true, raw, weight = arrays
    weight = weight if weighted else None
    data = host.data(raw.reshape(-1, 1), y_true, weight)
    if host.name == "lightgbm":
        data.construct()
    native = focal_objective()(raw, data)
    assert_equal(native, focal_objective()(y_true, raw, weight))
    assert_equal(native, focal_objective()(y_true, raw, sample_weight=weight))
    assert_equal(native, LOSS.gradient_curvature(y_true, raw, weight))


def assert_equal(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)  # one side is float32


def test_exact_curvature_is_the_hessian(arrays):
    y_true, raw, _ = arrays
    exact = focal_objective(curvature="exact")(y_true, raw)
    assert_equal(exact, LOSS.gradient_hessian(y_true, raw))


def test_max_learning_rate_raises_the_floor(arrays):
    y_true, raw, _ = arrays
    _, usual = focal_objective()(y_true, raw)
    _, raised = focal_objective(max_learning_rate=1.0)(y_true, raw)
    assert (raised >= usual).all()
    assert (raised > usual).any()


@pytest.mark.parametrize(
    "dtype", [np.float32, np.float64, np.float16, ">f4", ">f8", np.longdouble]
)
def test_gradients_leave_as_native_float32(dtype, arrays):
    y_true, raw, _ = arrays
    for result in focal_objective()(y_true, raw.astype(dtype)):
        assert result.dtype == np.float32
        assert result.dtype.isnative
        assert result.flags.c_contiguous


def test_strided_and_read_only_raw_predictions_are_read_not_written(arrays):
    y_true, raw, _ = arrays
    strided = np.repeat(raw, 2)[::2]
    strided.flags.writeable = False
    assert_equal(focal_objective()(y_true, strided), focal_objective()(y_true, raw))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_raw_predictions_that_are_not_finite_raise(bad, arrays):
    y_true, raw, _ = arrays
    raw[3] = bad
    with pytest.raises(
        ValueError, match=f"raw_prediction must be finite .*; got {bad}"
    ):
        focal_objective()(y_true, raw)


def test_gradients_too_large_for_float32_raise(arrays):
    y_true, raw, _ = arrays
    with pytest.raises(
        ValueError, match="gradient must be within the range of float32"
    ):
        focal_objective()(y_true, raw, np.full(50, 1e39))


@pytest.mark.parametrize("label", [-1, 2, np.nan])
def test_labels_that_are_not_0_or_1_raise(label, arrays):
    y_true, raw, _ = arrays
    y_true[0] = label
    with pytest.raises(ValueError, match="y_true must be 0 or 1"):
        focal_objective()(y_true, raw)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ({"gamma": -1}, "gamma must be a number from 0"),
        ({"alpha": 1}, "alpha must be a number between 0 and 1"),
        ({"curvature": "hessian"}, "curvature must be one of 'certified' or 'exact'"),
        ({"max_learning_rate": 2}, "max_learning_rate must be a number between 0"),
        ({"max_learning_rate": True}, "max_learning_rate must be a number between 0"),
    ],
)
def test_arguments_out_of_range_raise(argument, message):
    with pytest.raises(ValueError, match=message):
        focal_objective(**argument)


def test_it_is_a_value():
    objective = focal_objective((0, 2), 0.25, "exact", 0.5)
    assert objective == FocalObjective(FocalLoss((0, 2), 0.25), "exact", 0.5)
    assert pickle.loads(pickle.dumps(objective)) == objective
    assert copy.deepcopy(objective) is objective
    assert len({objective, copy.copy(objective)}) == 1


@poor_start
@pytest.mark.filterwarnings("ignore:Cannot compute class probabilities")
@pytest.mark.parametrize("host", HOSTS, ids=host_id)
def test_the_hosts_classifiers_honour_weights(host, mixed):
    X, y = mixed
    options = {"n_jobs": 1, "n_estimators": 5, "objective": focal_objective()}
    model = host.host_classifier(verbosity=-(host.name == "lightgbm"), **options)
    plain, weighted = (
        model.fit(X, y, sample_weight=weight).predict_proba(X).copy()
        for weight in (None, 1 + 9 * y)
    )
    assert abs(plain - weighted).max() > 0.05


@poor_start
@pytest.mark.parametrize("host", HOSTS, ids=host_id)
def test_the_plain_call_of_train_honours_weights(host, mixed):
    X, y = mixed
    raw = [
        host.raw(host.plain_train(host.data(X, y, w), 5, (), focal_objective()), X)
        for w in (None, 1 + 9 * y)
    ]
    assert abs(raw[0] - raw[1]).max() > 0.05


@pytest.mark.parametrize("host", HOSTS, ids=host_id)
def test_a_zero_weight_equals_an_absent_row(host, mixed):
    X, y = mixed
    weight = (np.arange(len(y)) % 3 > 0).astype(float)
    kept = weight > 0
    gradient, curvature = focal_objective()(y, X[:, 0], weight)
    assert not gradient[~kept].any()
    assert not curvature[~kept].any()
    assert_equal(
        (gradient[kept], curvature[kept]), focal_objective()(y[kept], X[kept, 0])
    )


def test_no_warning_for_a_start_at_the_baseline(arrays):
    y_true, _, _ = arrays
    start = np.full(50, LOSS.baseline(y_true))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        focal_objective()(y_true, start)


@pytest.mark.parametrize("shape", [(0,), (0, 0), (0, 3)])
@pytest.mark.parametrize("n_classes", [None, 3])
def test_no_rows(n_classes, shape):
    """What XGBoost hands over on a worker of a cluster that has none."""
    y_true, raw = np.empty(0, np.float32), np.empty(shape, np.float32)
    results = focal_objective(n_classes=n_classes)(y_true, raw)
    expected = (0,) if n_classes is None else (0, 3)
    assert [result.shape for result in results] == [expected, expected]
    assert np.all(
        focal_metric(n_classes=n_classes).sums(y_true, raw.reshape(expected)) == 0
    )
