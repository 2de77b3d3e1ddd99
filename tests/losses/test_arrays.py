"""Every kind of NumPy array: dtype, order, shape, size."""

import numpy as np
import pytest
from checks import LOSSES, each_loss

from focalboost import FocalLoss, SoftmaxFocalLoss
from focalboost.losses import _evaluate

pytestmark = pytest.mark.usefixtures("form")

METHODS = ("loss", "gradient", "hessian", "curvature")
each_method = pytest.mark.parametrize("method", METHODS)
LINKS = ("posterior", "posterior_log_odds")

N_ROWS = 64
RAW = np.linspace(-9.5, 8.3, N_ROWS)
HARD = np.arange(N_ROWS) % 3 == 1
SOFT = np.linspace(0, 1, N_ROWS)
PARTLY_SOFT = np.where(RAW > 7, 0.1, HARD)
WEIGHT = np.linspace(0, 4, N_ROWS)

LOSS = FocalLoss((0.7, 2), alpha=0.3)


def all_values(loss, y_true, raw, weight=None):
    return [getattr(loss, method)(y_true, raw, weight) for method in METHODS]


def assert_equal(actual, expected):
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("given", "returned"),
    [
        (np.float64, np.float64),
        (np.float32, np.float32),
        (np.float16, np.float32),
        (np.longdouble, np.float64),
        (np.int64, np.float64),
        (np.uint8, np.float64),
        (bool, np.float64),
        (object, np.float64),
    ],
)
def test_dtypes_of_results(given, returned):
    raw = np.array([0, 1, 1]).astype(given)
    y_true = np.array([1, 0, 1])
    values = all_values(LOSS, y_true, raw, [1, 2, 3])
    values += [getattr(LOSS, link)(raw) for link in LINKS]
    assert {value.dtype for value in values} == {np.dtype(returned)}
    expected = all_values(LOSS, y_true, raw.astype(returned), [1, 2, 3])
    assert_equal(values[:4], expected)


@pytest.mark.parametrize("method", ["gradient_hessian", "gradient_curvature"])
@pytest.mark.parametrize("loss", [LOSS, SoftmaxFocalLoss(4, (0, 1, 2, 3))], ids=str)
@pytest.mark.parametrize("given", ["float32", "float64"])
@pytest.mark.parametrize("wanted", [None, "float32", "float64"])
@pytest.mark.parametrize("block", [7, 1000])
def test_dtypes_that_are_asked_for(loss, method, given, wanted, block, monkeypatch):
    monkeypatch.setattr(_evaluate, "BLOCK", block)
    raw = RAW.reshape(16, 4) if loss is not LOSS else RAW
    y_true = np.resize(HARD, len(raw))
    values = getattr(loss, method)(y_true, raw.astype(given), dtype=wanted)
    assert {value.dtype for value in values} == {np.dtype(wanted or given)}
    expected = getattr(loss, method)(y_true, raw)
    for value, exact in zip(values, expected, strict=True):
        # The hessian crosses zero; 4 is more than its size.
        np.testing.assert_allclose(value, exact, rtol=5e-6, atol=4e-6)


@pytest.mark.parametrize(
    ("method", "name", "raw"),
    [
        ("gradient_hessian", "gradient", -20.0),
        ("gradient_curvature", "gradient", -20.0),
        ("gradient_hessian", "curvature", 0.2),
        ("gradient_curvature", "curvature", 0.2),
    ],
)
def test_what_float32_cannot_hold_is_named(method, name, raw):
    """A hard row's gradient is above its curvature; at 0.2 it is the other way."""
    loss = FocalLoss(5)
    both = getattr(loss, method)([1], [raw])
    sizes = dict(zip(("gradient", "curvature"), np.abs(np.ravel(both)), strict=True))
    assert sizes[name] == max(sizes.values())
    weight = 3.5e38 / sizes[name]
    with pytest.raises(
        ValueError, match=f"^{name} must be within the range of float32"
    ):
        getattr(loss, method)([1], [raw], [weight], dtype="float32")


@pytest.mark.parametrize("container", [list, tuple])
def test_sequences_are_float64_arrays(container):
    raw, y_true = container([0, 1.5, -2]), container([1, 0, 1])
    expected = all_values(LOSS, np.array(y_true), np.array(raw))
    values = all_values(LOSS, y_true, raw)
    assert_equal(values, expected)
    assert {value.dtype for value in values} == {np.dtype(np.float64)}


@pytest.mark.parametrize("dtype", [bool, np.int8, np.float16, np.float32, ">f8"])
def test_labels_take_the_dtype_of_the_raw_prediction(dtype):
    for raw in (RAW, RAW.astype(np.float32)):
        values = all_values(LOSS, HARD.astype(dtype), raw)
        assert_equal(values, all_values(LOSS, HARD.astype(raw.dtype), raw))
        assert {value.dtype for value in values} == {raw.dtype}


def test_weights_take_the_dtype_of_the_raw_prediction():
    raw = RAW.astype(np.float32)
    values = all_values(LOSS, HARD, raw, WEIGHT)
    assert_equal(values, all_values(LOSS, HARD, raw, WEIGHT.astype(np.float32)))
    assert {value.dtype for value in values} == {np.dtype(np.float32)}


def big_endian(array):
    return array.astype(array.dtype.newbyteorder(">"))


def every_second(array):
    """Not contiguous, as a column of a table is."""
    return np.stack([array, array + 7], axis=1)[:, 0]


def reversed_twice(array):
    return np.ascontiguousarray(array[::-1])[::-1]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS = (big_endian, every_second, reversed_twice, read_only)
each_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda f: f.__name__)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("y_true", [HARD, SOFT], ids=["hard", "soft"])
@each_layout
def test_layouts_do_not_matter(layout, y_true, dtype):
    arrays = [np.asarray(array, dtype) for array in (y_true, RAW, WEIGHT)]
    values = all_values(LOSS, *map(layout, arrays))
    # A strided loop of NumPy may round exp and log1p differently in the last place,
    # which the terms of the gradient of a soft label make a few more.
    for one, other in zip(values, all_values(LOSS, *arrays), strict=True):
        assert one.dtype == dtype
        size = 20 * np.finfo(dtype).eps * np.abs(other)
        assert np.all(np.abs(one - other) <= size + 4 * np.finfo(dtype).eps)


@each_layout
def test_layouts_do_not_matter_to_the_link(layout):
    for link in LINKS:
        value = getattr(LOSS, link)(layout(RAW))
        np.testing.assert_allclose(value, getattr(LOSS, link)(RAW), rtol=4e-15)
    assert LOSS.baseline(layout(SOFT), layout(WEIGHT)) == pytest.approx(
        LOSS.baseline(SOFT, WEIGHT), rel=1e-15
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("y_true", [HARD, SOFT], ids=["hard", "soft"])
@each_loss
def test_inputs_are_never_written_to(loss, y_true, dtype):
    arrays = [np.asarray(array, dtype) for array in (y_true, RAW, WEIGHT)]
    copies = [array.copy() for array in arrays]
    values = all_values(loss, *arrays)
    values += [loss.posterior(arrays[1]), loss.posterior_log_odds(arrays[1])]
    loss.baseline(arrays[0], arrays[2])
    assert_equal(arrays, copies)
    # Nor is one handed out for the caller to write to.
    assert not any(np.shares_memory(v, a) for v in values for a in arrays)


@pytest.mark.parametrize("block", [1, 2, 7, 63, 64, 1000])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "y_true", [HARD, SOFT, PARTLY_SOFT], ids=["hard", "soft", "partly soft"]
)
@pytest.mark.parametrize("loss", LOSSES[2::4], ids=repr)
def test_results_are_bitwise_equal_for_any_block_size(
    monkeypatch, loss, y_true, dtype, block
):
    """A block with hard labels only may lie beside one with soft ones."""
    raw, weight = RAW.astype(dtype), WEIGHT.astype(dtype)
    expected = all_values(loss, y_true, raw, weight), all_values(loss, y_true, raw)
    monkeypatch.setattr(_evaluate, "BLOCK", block)
    assert_equal(all_values(loss, y_true, raw, weight), expected[0])
    assert_equal(all_values(loss, y_true, raw), expected[1])


def test_more_rows_than_a_block():
    raw = np.resize(RAW, 3 * _evaluate.BLOCK + 5)
    y_true = np.resize(HARD, raw.size)
    values = all_values(LOSS, y_true, raw)
    for value, short in zip(values, all_values(LOSS, HARD, RAW), strict=True):
        np.testing.assert_array_equal(value, np.resize(short, raw.size))


@pytest.mark.parametrize("block", [1, 7, 10, 1000])
@pytest.mark.parametrize("shape", [(16, 4), (4, 16), (1, 64), (64, 1), (2, 8, 4)])
def test_two_dimensions_are_as_good_as_one(monkeypatch, shape, block):
    flat = all_values(LOSS, SOFT, RAW, WEIGHT)
    monkeypatch.setattr(_evaluate, "BLOCK", block)
    arrays = (array.reshape(shape) for array in (SOFT, RAW, WEIGHT))
    values = all_values(LOSS, *arrays)
    assert {value.shape for value in values} == {shape}
    assert_equal([value.ravel() for value in values], flat)
    np.testing.assert_array_equal(
        LOSS.posterior(RAW.reshape(shape)).ravel(), LOSS.posterior(RAW)
    )


@pytest.mark.parametrize("block", [7, 1000])
@pytest.mark.parametrize("order", ["C", "F"])
def test_results_have_the_memory_order_of_the_raw_predictions(
    monkeypatch, order, block
):
    monkeypatch.setattr(_evaluate, "BLOCK", block)
    raw, y_true = np.asarray(RAW.reshape(16, 4), order=order), HARD.reshape(16, 4)
    for value in all_values(LOSS, y_true, raw):
        assert value.flags.f_contiguous == (order == "F")
        assert value.flags.c_contiguous == (order == "C")


def test_one_weight_per_row_is_spread_over_the_columns():
    raw, y_true, weight = RAW.reshape(16, 4), HARD.reshape(16, 4), WEIGHT[:16]
    spread = np.repeat(weight, 4).reshape(16, 4)
    assert_equal(
        all_values(LOSS, y_true, raw, weight), all_values(LOSS, y_true, raw, spread)
    )


@pytest.mark.parametrize("shape", [(0,), (0, 3), (5, 0)])
def test_empty_arrays_have_empty_results(shape):
    empty = np.empty(shape, np.float32)
    for values in (
        all_values(LOSS, empty, empty),
        all_values(LOSS, empty, empty, empty),
    ):
        assert {value.shape for value in values} == {shape}
        assert {value.dtype for value in values} == {np.dtype(np.float32)}
    assert LOSS.posterior(empty).shape == LOSS.inverse_posterior(empty).shape == shape
    assert np.sum(LOSS.class_masses(empty)) == 0


@pytest.mark.parametrize("scalar", [float, np.float64, np.float32, np.array])
def test_scalars_are_arrays_without_dimensions(scalar):
    expected = all_values(LOSS, [1.0], np.array([0.5]), [3.0])
    values = all_values(LOSS, scalar(1.0), scalar(0.5), scalar(3.0))
    assert {np.shape(value) for value in values} == {()}
    # 0.5 and the weight are float32 numbers; the results are rounded to that.
    np.testing.assert_allclose(values, np.ravel(expected), rtol=5e-7)
    assert LOSS.posterior(scalar(0.5)).shape == ()
    back = LOSS.inverse_posterior(LOSS.posterior(scalar(0.5)))
    assert back == pytest.approx(0.5, abs=5e-7)


@each_method
def test_pandas_columns_are_accepted(method):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"y": HARD, "raw": RAW, "weight": WEIGHT})
    value = getattr(LOSS, method)(table["y"], table["raw"], table["weight"])
    assert type(value) is np.ndarray
    np.testing.assert_array_equal(value, getattr(LOSS, method)(HARD, RAW, WEIGHT))
