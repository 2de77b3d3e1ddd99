"""The compiled formulas: the numbers of the formulas, for every kind of array."""

import sys

import numpy as np
import pytest
from checks import LOSSES, losses, numbers, random_property
from compiled import EVERY_LOSS, SOFTMAX_LOSSES, by_formulas, each_raw_dtype, needed
from hypothesis import given
from hypothesis import strategies as st

from focalboost import FocalLoss, SoftmaxFocalLoss, focal_objective
from focalboost.losses import _evaluate

pytestmark = [needed, pytest.mark.usefixtures("counted")]

N_ROWS = 1003  # a remainder in every tile

#: To a unit in the last place where double has been rounded; float has its own errors.
RTOL = {"float64": 1.2e-7, "float32": 4e-6}


def arrays_of(loss, dtype, n=N_ROWS, scale=6):
    """Labels, raw predictions and weights."""
    rng = np.random.default_rng(0)
    n_classes = getattr(loss, "n_classes", None)
    raw = scale * rng.normal(size=(n, n_classes) if n_classes else n)
    y = rng.integers(n_classes or 2, size=n).astype(np.float32)
    return y, raw.astype(dtype), rng.lognormal(size=n).astype(np.float32)


def assert_close(actual, expected, dtype):
    for one, other in zip(actual, expected, strict=True):
        assert one.dtype == np.float32
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=RTOL[dtype], atol=1e-38)


@each_raw_dtype
@pytest.mark.parametrize("loss", EVERY_LOSS, ids=repr)
def test_gradient_and_curvature_are_those_of_the_formulas(loss, dtype, counted):
    y, raw, weight = arrays_of(loss, dtype)
    for weights in ((), (weight,)):
        actual = loss.gradient_curvature(y, raw, *weights, dtype="float32")
        expected = by_formulas(loss.gradient_curvature, y, raw, *weights)
        assert_close(actual, expected, dtype)
    assert counted == [True, True]


def reversed_rows(array):
    return np.ascontiguousarray(array[::-1])[::-1]


def every_second_row(array):
    return np.repeat(array, 2, axis=0)[::2]


def inner_columns(array):
    if array.ndim == 1:
        return np.stack([array, array, array], axis=1)[:, 1]
    return np.pad(array, ((0, 0), (1, 2)))[:, 1:-2]


@pytest.mark.parametrize(
    "layout", [np.asfortranarray, reversed_rows, every_second_row, inner_columns]
)
@pytest.mark.parametrize("loss", [LOSSES[6], SOFTMAX_LOSSES[3]], ids=repr)
@each_raw_dtype
def test_any_layout_in_memory(loss, dtype, layout, counted):
    y, raw, weight = arrays_of(loss, dtype)
    expected = loss.gradient_curvature(y, raw, weight, dtype="float32")
    laid_out = [layout(array) for array in (y, raw, weight)]
    actual = loss.gradient_curvature(*laid_out, dtype="float32")
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)
        assert np.isfortran(one) == np.isfortran(laid_out[1])
    assert counted == [True, True]


@pytest.mark.parametrize("kind", [bool, np.int8, np.int64, np.float16, ">f4", "f8"])
def test_labels_and_weights_of_any_dtype(kind, counted):
    loss = FocalLoss(2.3, 0.3)
    y, raw, _ = arrays_of(loss, "float32")
    expected = loss.gradient_curvature(y, raw, y + 1)
    weight = (y + 1) if kind is bool else (y + 1).astype(kind)
    actual = loss.gradient_curvature(y.astype(kind), raw, weight)
    np.testing.assert_array_equal(actual, expected)
    assert counted == [True, True]


@pytest.mark.parametrize("n_weights", [None, 1, 2])
@each_raw_dtype
def test_labels_of_several_columns(dtype, n_weights, counted):
    loss = FocalLoss((0, 2))
    y, raw, weight = arrays_of(loss, dtype, 999)
    y, raw, weight = (array.reshape(333, 3) for array in (y, raw, weight))
    given = () if n_weights is None else (weight[:, 0] if n_weights == 1 else weight,)
    actual = loss.gradient_curvature(y, raw, *given, dtype="float32")
    assert_close(actual, by_formulas(loss.gradient_curvature, y, raw, *given), dtype)
    assert counted == [True]


@pytest.mark.parametrize("loss", [LOSSES[3], LOSSES[-1], *SOFTMAX_LOSSES], ids=repr)
@each_raw_dtype
def test_a_row_does_not_depend_on_its_place(loss, dtype, monkeypatch):
    y, raw, weight = arrays_of(loss, dtype)
    whole = loss.gradient_curvature(y, raw, weight, dtype="float32")
    for rows in (slice(1), slice(1, 2), slice(700, 703), slice(255, 600)):
        part = loss.gradient_curvature(
            y[rows], raw[rows], weight[rows], dtype="float32"
        )
        for one, other in zip(part, whole, strict=True):
            np.testing.assert_array_equal(one, other[rows])
    monkeypatch.setattr(_evaluate, "BLOCK", 50)
    monkeypatch.setattr(_evaluate, "ENTRIES_OF_A_THREAD", 1)
    for n_threads in (1, 2, 5):
        again = loss.gradient_curvature(
            y, raw, weight, dtype="float32", n_threads=n_threads
        )
        np.testing.assert_array_equal(again, whole)


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("raw", np.nan, "raw_prediction must be finite"),
        ("raw", -np.inf, "raw_prediction must be finite"),
        ("raw", np.inf, "raw_prediction must be finite"),
        ("raw", -1.1e30, "raw_prediction must be finite"),
        ("raw", 1.1e30, "raw_prediction must be finite"),
        ("y", 2.0, "y_true must be 0 or 1"),
        ("y", np.nan, "y_true must be 0 or 1"),
        ("weight", -1.0, "sample_weight must be finite and >= 0"),
        ("weight", np.nan, "sample_weight must be finite and >= 0"),
        ("weight", np.inf, "sample_weight must be finite and >= 0"),
    ],
)
@pytest.mark.parametrize("position", [0, 300, N_ROWS - 1])
@pytest.mark.parametrize("several", [False, True])
def test_the_formulas_word_the_errors(where, value, message, position, several):
    loss = SoftmaxFocalLoss(2) if several else FocalLoss()
    y, raw, weight = arrays_of(loss, "float32")
    {"y": y, "raw": raw, "weight": weight}[where][position] = value
    if several:
        message = message.replace("0 or 1", "a whole number from 0 to 1")
    with pytest.raises(ValueError, match=message):
        loss.gradient_curvature(y, raw, weight)


@pytest.mark.parametrize("column", [0, 1, 2])
def test_an_error_in_any_column_is_an_error(column):
    raw = np.zeros((N_ROWS, 3), np.float32)
    raw[0, column] = np.nan
    with pytest.raises(ValueError, match="raw_prediction must be finite"):
        FocalLoss().gradient_curvature(np.zeros_like(raw), raw)


@pytest.mark.parametrize(
    ("weight_of_one", "rate"), [(3.3e38, 0.3), (1e39, 0.3), (1e38, 1)]
)
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("several", [False, True])
def test_results_beyond_float32_are_an_error(several, label, weight_of_one, rate):
    """Of a hard row of weight 1 the gradient reaches 1.1, the curvature 4 at rate 1."""
    loss = SoftmaxFocalLoss(2) if several else FocalLoss()
    raw = np.full(N_ROWS, 4.0 - 8 * label)
    weight = np.ones(N_ROWS)
    weight[500] = weight_of_one
    raw = np.stack([0 * raw, raw], axis=1) if several else raw
    with pytest.raises(ValueError, match="must be within the range of float32"):
        loss.gradient_curvature(
            np.full(N_ROWS, label), raw, weight, max_learning_rate=rate, dtype="float32"
        )


@pytest.mark.parametrize("name", ["y_true", "sample_weight"])
def test_what_is_no_number_is_named(name):
    y, raw, weight = arrays_of(LOSSES[0], "float32")
    given = {"y_true": y, "sample_weight": weight}
    given[name] = given[name].astype(str)
    with pytest.raises(ValueError, match=f"^{name} must be an array of real numbers"):
        FocalLoss().gradient_curvature(raw_prediction=raw, **given)


def test_arrays_of_other_namespaces_are_the_formulas(counted):
    xp = pytest.importorskip("array_api_strict")
    y, raw, _ = map(xp.asarray, arrays_of(LOSSES[0], "float32"))
    gradient, _ = FocalLoss().gradient_curvature(y, raw)
    assert type(gradient) is type(raw)
    assert counted == []


def test_soft_labels_are_the_formulas(counted):
    loss = FocalLoss(1)
    y, raw, weight = arrays_of(loss, "float32")
    y[900] = 0.25
    actual = loss.gradient_curvature(y, raw, weight)
    assert counted == [False]
    expected = by_formulas(loss.gradient_curvature, y, raw, weight)
    assert_close(actual, expected, "float32")


@pytest.mark.parametrize("loss", [FocalLoss(0.1), SoftmaxFocalLoss(2, 0.1)], ids=repr)
def test_weights_beyond_float32_are_the_formulas(loss, counted):
    """They bring q below the normal numbers back, whose power the kernel has not."""
    raw = np.array([709.5, 0]) if isinstance(loss, FocalLoss) else np.diag([709.5, 0])
    y, weight = np.array([1, 0]), np.array([1e305, 1])
    y = y if isinstance(loss, FocalLoss) else 1 - y
    actual = loss.gradient_curvature(y, raw, weight, dtype="float32")
    assert counted == [False]
    expected = by_formulas(loss.gradient_curvature, y, raw, weight)
    assert_close(actual, expected, "float64")


def test_rows_of_no_weight_are_the_common_case(counted):
    for loss in (FocalLoss(), SoftmaxFocalLoss(3)):
        y, raw, weight = arrays_of(loss, "float32")
        weight[::2] = 0
        results = loss.gradient_curvature(y, raw, weight)
        assert not any(np.any(result[::2]) for result in results)
    assert counted == [True, True]


def misaligned(array):
    """The array at an odd address, in a dtype that names the byte order.

    NumPy says in a buffer's format that it is not aligned, but not for such a dtype.
    """
    dtype = array.dtype.newbyteorder("<" if sys.byteorder == "little" else ">")
    memory = np.zeros(array.nbytes + 16, np.uint8)
    start = 1 + memory.ctypes.data % 2
    moved = np.ndarray(array.shape, dtype, memory, start)
    moved[...] = array
    assert moved.ctypes.data % 2
    return moved


@pytest.mark.parametrize("loss", [FocalLoss(2), SoftmaxFocalLoss(3)], ids=repr)
@each_raw_dtype
def test_misaligned_arrays_give_the_same(loss, dtype, counted):
    y, raw, weight = arrays_of(loss, dtype)
    expected = loss.gradient_curvature(y, raw, weight, dtype="float32")
    for place in range(3):
        arrays = [y, raw, weight]
        arrays[place] = misaligned(arrays[place])
        actual = loss.gradient_curvature(*arrays, dtype="float32")
        assert_close(actual, expected, dtype)
    assert counted == [True, False, False, False]


def test_what_the_kernel_cannot_read_is_declined():
    """Nothing is written, and nothing beyond an array is read."""
    binary = _evaluate._installed_kernel().binary
    y, raw, results = np.zeros(5, "f4"), np.zeros(5, "f4"), np.ones((2, 5), "f4")
    options = ((2.0, 2.0), (1.0, 1.0), 0.3, False)
    for arrays in (
        (raw.astype(">f4"), y, None, *results),
        (raw.astype("f2"), y, None, *results),
        (misaligned(raw), y, None, *results),
        (raw, misaligned(y), None, *results),
        (raw, y, misaligned(y), *results),
        (raw, y, None, misaligned(results[0]), results[1]),
        (raw, y, None, results[0], misaligned(results[1])),
        (misaligned(raw.astype("f8")), y, None, *results),
        (
            np.lib.stride_tricks.as_strided(np.zeros(9, "f4"), (5,), (6,)),
            y,
            None,
            *results,
        ),
        (raw[0].reshape(()), y, None, *results),
        (raw.reshape(5, 1, 1), y, None, *results),
        (raw, y[:4], None, *results),
        (raw[:4], y, None, *results[:, :4]),
        (raw, y, y[:4], *results),
        (raw, y, None, results[0].astype("f8"), results[1]),
        (raw, y, None, results[0], results[1].astype("f8")),
        (raw, y.astype("i4"), None, *results),
    ):
        assert binary(*arrays, *options) is False
    assert np.all(results == 1)
    read_only = np.broadcast_to(results[0], 5)
    for two in ((results[0], read_only), (read_only, results[1])):
        with pytest.raises(ValueError, match="read-only"):
            binary(raw, y, None, *two, *options)


@each_raw_dtype
@pytest.mark.parametrize("loss", EVERY_LOSS, ids=repr)
def test_arrays_of_a_host_give_the_same_in_one_call(loss, dtype, counted):
    """A dtype by name takes the way of all other arrays."""
    y, raw, weight = arrays_of(loss, dtype)
    for weights in ((), (weight,), (weight.astype(np.float64),)):
        at_once = loss.gradient_curvature(y, raw, *weights, dtype=np.float32)
        expected = loss.gradient_curvature(y, raw, *weights, dtype="float32")
        np.testing.assert_array_equal(at_once, expected)
    assert counted == [True] * 6


@pytest.mark.parametrize("n", [1, 255, 256, 257, N_ROWS])
@each_raw_dtype
@pytest.mark.parametrize("loss", EVERY_LOSS, ids=repr)
def test_sums_are_those_of_the_formulas(loss, dtype, n, counted):
    """Tiles are filled up with rows that count nothing."""
    y, raw, weight = arrays_of(loss, dtype, n)
    for weights in (None, weight, weight.astype(np.float64)):
        actual = loss._sums(y, raw, weights)
        total = np.sum(by_formulas(loss.loss, y, raw, weights))
        masses = by_formulas(lambda y, _, w: loss.class_masses(y, w), y, raw, weights)
        expected = np.concatenate([[total], np.ravel(masses)])
        assert actual.shape == expected.shape
        np.testing.assert_allclose(actual, expected, rtol=2e-13)
    assert counted == [True] * 3


def test_sums_of_label_columns(counted):
    rng = np.random.default_rng(0)
    loss, raw = FocalLoss((1, 2), 0.3), rng.normal(size=(300, 4))
    y = rng.integers(2, size=raw.shape).astype(np.float32)
    of_rows = rng.lognormal(size=300)
    for order, weight in (("C", None), ("F", None), ("C", of_rows), ("F", of_rows)):
        actual = loss._sums(y, np.asarray(raw, order=order), weight)
        columns = [loss._sums(y[:, i], raw[:, i], weight) for i in range(4)]
        expected = [sum(column[0] for column in columns)]
        expected += [column[k] for k in (1, 2) for column in columns]
        np.testing.assert_allclose(actual, expected, rtol=1e-13)
    assert counted == [True] * 20


def test_one_weight_for_each_row_of_label_columns(counted):
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=(300, 4)).astype(np.float32)
    arrays = y, rng.normal(size=y.shape), rng.lognormal(size=300)
    at_once = FocalLoss().gradient_curvature(*arrays, dtype=np.float32)
    expected = FocalLoss().gradient_curvature(*arrays, dtype="float32")
    np.testing.assert_array_equal(at_once, expected)
    assert counted == [True, True]


@pytest.mark.parametrize(
    ("loss", "y", "raw", "weight", "message"),
    [
        (FocalLoss(), [0, 2], [0, 0], None, "y_true"),
        (FocalLoss(), [0, 1], [0, np.inf], None, "raw_prediction"),
        (FocalLoss(), [0, 1], [0, 0], [1, -1], "sample_weight"),
        (SoftmaxFocalLoss(2), [0, 2], np.zeros((2, 2)), None, "y_true"),
        (SoftmaxFocalLoss(2), [0, -1], np.zeros((2, 2)), None, "y_true"),
        (SoftmaxFocalLoss(2), [0, 0.5], np.zeros((2, 2)), None, "y_true"),
        (SoftmaxFocalLoss(2), [0, 1], [[0, 0], [0, np.nan]], None, "raw_prediction"),
        (SoftmaxFocalLoss(2), [0, 1], np.zeros((2, 2)), [np.nan, 1], "sample_weight"),
    ],
)
def test_sums_decline_what_the_formulas_refuse(loss, y, raw, weight, message, counted):
    arrays = [None if a is None else np.array(a, np.float64) for a in (y, raw, weight)]
    with pytest.raises(ValueError, match=message):
        loss._sums(*arrays)
    assert counted == [False]


def test_sums_of_soft_labels(counted):
    y, raw = np.array([0.25, 1]), np.array([-1.0, 2])
    expected = [FocalLoss().loss(y, raw).sum(), 1.25, 0.75]
    np.testing.assert_allclose(FocalLoss()._sums(y, raw, None), expected, rtol=1e-15)
    assert counted == [False]


@pytest.mark.parametrize(
    ("y", "raw", "weight", "n_threads", "message"),
    [
        (np.zeros(3), np.zeros(2), None, 1, "y_true"),
        (np.zeros(2), np.zeros(2), np.ones(3), 1, "sample_weight"),
        (np.zeros(2, "M8[s]"), np.zeros(2), None, 1, "y_true"),
        (np.zeros(2), np.array([0, np.nan]), None, 1, "raw_prediction"),
        (np.full(2, 2.0), np.zeros(2), None, 1, "y_true"),
        (np.zeros(2), np.zeros(2), np.array([1.0, -1.0]), 1, "sample_weight"),
        (np.zeros(2), np.zeros(2), None, 0, "n_threads"),
    ],
)
def test_one_call_refuses_what_many_do(y, raw, weight, n_threads, message):
    options = {"dtype": np.float32, "n_threads": n_threads}
    with pytest.raises(ValueError, match=message):
        FocalLoss().gradient_curvature(y, raw, weight, **options)


@random_property
@given(losses(), st.data())
def test_random_losses(loss, data):
    raw = data.draw(numbers(6, -800, 800))
    y = data.draw(numbers(6, 0, 1)).round()
    actual = loss.gradient_curvature(y, raw, dtype="float32")
    assert_close(actual, by_formulas(loss.gradient_curvature, y, raw), "float64")


@pytest.mark.parametrize(
    ("shape", "count"), [(99, 0), (199, 1), (200, 2), ((70, 3), 2), (900, 4)]
)
def test_a_thread_is_worth_its_start(shape, count, monkeypatch):
    given = []
    monkeypatch.setattr(_evaluate, "ENTRIES_OF_A_THREAD", 100)
    monkeypatch.setattr(_evaluate, "for_each", lambda *call: given.append(call[2]))
    zeros = np.zeros(shape, np.float32)
    FocalLoss().gradient_curvature(zeros, zeros, n_threads=4)
    assert given == [count]


def test_the_objective_is_compiled(counted):
    y, raw, weight = arrays_of(LOSSES[0], "float64")
    for options in ({}, {"curvature": "exact"}, {"n_classes": 2}):
        table = np.stack([-raw, raw], axis=1) if options.get("n_classes") else raw
        focal_objective(**options)(y, table, weight)
    assert counted == [True, True, True]


@pytest.mark.parametrize("weighted", [False, True])
def test_trainings_are_compiled(host, rare, weighted, counted):
    """What the hosts hand over: LightGBM's labels are views of ctypes arrays."""
    X, y = rare
    weight = np.linspace(0.5, 2, len(y)) if weighted else None
    data = host.data(X, y, weight)
    host.train(data, 3, loss=FocalLoss(2), evals=[data])
    assert len(counted) >= 6
    assert all(counted)
