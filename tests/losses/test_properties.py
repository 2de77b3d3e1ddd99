"""Losses on arrays of any shape, dtype and layout, drawn at random."""

import numpy as np
from checks import losses, numbers, random_property
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import softmax

from focalboost import FocalLoss, SoftmaxFocalLoss

FLOATS = (np.float16, np.float32, np.float64, np.longdouble, ">f4", ">f8")
WHOLE = (bool, np.int8, np.uint16, np.int64, ">i4")
QUANTITIES = ("loss", "gradient", "hessian", "curvature")

LAYOUTS = {
    "contiguous": np.ascontiguousarray,
    "by columns": np.asfortranarray,
    "every second": lambda a: np.repeat(a, 2, axis=-1)[..., ::2],
    "reversed": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
    "unaligned": lambda a: np.frombuffer(
        b"\0" + a.tobytes(), a.dtype, a.size, 1
    ).reshape(a.shape),
    "read-only": lambda a: np.broadcast_to(a, a.shape),
}
layouts = st.sampled_from(list(LAYOUTS)).map(LAYOUTS.get)


@st.composite
def arrays(draw, shape, dtypes, low, high):
    """An array of one of the dtypes, laid out in one of the ways."""
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    exact = st.integers(low, high) if dtype.kind in "biu" else st.floats(low, high)
    values = np.array(draw(hnp.arrays(np.float64, shape, elements=exact)))
    array = values.astype(dtype)
    return draw(layouts)(array) if array.ndim and array.size else array


#: NumPy 1 computes with float32 numbers that are no arrays in float64.
LEAST = 0 if np.__version__ >= "2" else 1


@st.composite
def problems(draw):
    """Labels, raw predictions and weights or None, of one shape."""
    shape = draw(hnp.array_shapes(min_dims=LEAST, max_dims=3, min_side=0, max_side=5))
    return (
        draw(arrays(shape, FLOATS + WHOLE, 0, 1)),
        draw(arrays(shape, (*FLOATS, np.int8, np.int64), -30, 30)),
        draw(st.none() | arrays(shape, (*FLOATS, np.uint16), 0, 100)),
    )


def computed_dtype(raw):
    """float32 for narrow floating numbers, else float64."""
    return np.dtype(
        np.float32 if raw.dtype.kind + str(raw.itemsize) in NARROW else "f8"
    )


NARROW = ("f2", "f4")


@given(losses(), problems())
@random_property
def test_dtypes_and_layouts_are_those_of_plain_arrays(loss, problem):
    copies = [None if a is None else np.array(a) for a in problem]
    dtype = computed_dtype(problem[1])
    plain = [None if a is None else np.array(a, dtype) for a in problem]
    for quantity in QUANTITIES:
        found = getattr(loss, quantity)(*problem)
        expected = getattr(loss, quantity)(*plain)
        assert found.dtype == dtype
        assert np.shape(found) == problem[1].shape
        assert np.all(np.isfinite(found))
        # A strided loop of NumPy may round otherwise in the last places.
        size = 20 * np.finfo(dtype).eps * (np.abs(expected) + 1)
        assert np.all(np.abs(found - expected) <= size)
    for array, before in zip(problem, copies, strict=True):
        np.testing.assert_array_equal(array, before)


@given(losses(), problems())
@example(FocalLoss(7), (np.zeros(1), np.full(1, -14, np.float16), None))
@random_property
def test_values_are_bounded(loss, problem):
    """Curvature is positive, a gradient points to the label and is bounded."""
    y_true, raw, weight = problem
    gradient, curvature = loss.gradient_curvature(y_true, raw, weight)
    assert np.all(loss.loss(y_true, raw, weight) >= 0)
    w = np.ones(np.shape(raw)) if weight is None else np.asarray(weight, np.float64)
    y = np.asarray(y_true, np.float64)
    exact = loss.curvature(y, np.asarray(raw, np.float64), w)
    underflows = exact < np.finfo(curvature.dtype).tiny
    assert np.all((curvature > 0) | underflows)
    assert np.all(curvature >= 0)
    assert np.all((gradient <= 0) | (y < 1))
    assert np.all((gradient >= 0) | (y > 0))
    largest = (1 + max(loss.gammas)) * max(loss.alphas) * w
    assert np.all(np.abs(gradient) <= largest * (1 + 1e-6))


@st.composite
def softmax_problems(draw):
    """A softmax loss, labels, raw predictions (n, K) and weights or None."""
    n_classes, n_rows = draw(st.integers(2, 5)), draw(st.integers(0, 6))
    focusing = st.sampled_from([0.0, 0.5, 1.0, 2.0]) | st.floats(0, 8)
    gamma = draw(focusing | st.tuples(*[focusing] * n_classes))
    alpha = draw(st.none() | st.tuples(*[st.floats(0.01, 10)] * n_classes))
    return (
        SoftmaxFocalLoss(n_classes, gamma, alpha),
        draw(arrays((n_rows,), (np.int8, np.int64, *FLOATS), 0, n_classes - 1)).round(),
        draw(arrays((n_rows, n_classes), FLOATS, -30, 30)),
        draw(st.none() | arrays((n_rows,), FLOATS, 0, 100)),
    )


@given(softmax_problems())
@random_property
def test_softmax_dtypes_and_layouts_are_those_of_plain_arrays(problem):
    loss, y_true, raw, weight = problem
    dtype = computed_dtype(raw)
    plain = [None if a is None else np.array(a, dtype) for a in (y_true, raw, weight)]
    pairs = (
        (loss.gradient_hessian(y_true, raw, weight), loss.gradient_hessian(*plain)),
        (loss.gradient_curvature(y_true, raw, weight), loss.gradient_curvature(*plain)),
        ((loss.loss(y_true, raw, weight),), (loss.loss(*plain),)),
    )
    for found, expected in pairs:
        for one, other in zip(found, expected, strict=True):
            assert one.dtype == dtype
            assert np.all(np.isfinite(one))
            size = 50 * np.finfo(dtype).eps * (np.abs(other) + 1)
            assert np.all(np.abs(one - other) <= size)


@given(softmax_problems(), st.floats(-30, 30))
@random_property
def test_softmax_relations(problem, constant):
    loss, y_true, raw, weight = problem
    raw = np.array(raw, np.float64)
    gradient, curvature = loss.gradient_curvature(y_true, raw, weight)
    scale = np.abs(gradient).sum(axis=1) + 1
    np.testing.assert_array_less(np.abs(gradient.sum(axis=1)), 1e-12 * scale)
    assert np.all(curvature >= 0)
    if weight is None:
        assert np.all(curvature > 0)
    moved = loss.loss(y_true, raw + constant, weight)
    np.testing.assert_allclose(
        moved, loss.loss(y_true, raw, weight), rtol=1e-9, atol=1e-12
    )


@given(losses(), numbers(6, -20, 20))
@random_property
def test_the_posterior_is_inverted(loss, raw):
    posterior = loss.posterior(raw)
    assert np.all((posterior >= 0) & (posterior <= 1))
    # Close to 1 a posterior has fewer digits of what is left.
    inside = np.abs(loss.posterior_log_odds(raw)) < 15
    back = loss.inverse_posterior(posterior[inside])
    np.testing.assert_allclose(back, raw[inside], rtol=1e-6, atol=1e-6)


@given(softmax_problems())
@random_property
def test_the_softmax_posterior_is_a_distribution(problem):
    loss, _, raw, _ = problem
    raw = np.array(raw, np.float64)
    posterior = loss.posterior(raw)
    np.testing.assert_allclose(posterior.sum(axis=1), 1, rtol=1e-12)
    assert np.all(posterior >= 0)
    if loss.gammas == (0.0,) * loss.n_classes and loss.alpha is None:
        np.testing.assert_allclose(posterior, softmax(raw, axis=1), rtol=1e-9)


@given(st.floats(0, 8), st.floats(0, 8), numbers(6, -20, 20))
@random_property
def test_a_softmax_of_two_classes_is_the_binary_loss(first, second, raw):
    y_true = np.array([0, 1, 1, 0, 1, 0])
    binary, several = FocalLoss((second, first)), SoftmaxFocalLoss(2, (first, second))
    columns = np.column_stack([np.zeros(6), raw])
    np.testing.assert_allclose(
        several.loss(y_true, columns), binary.loss(y_true, raw), rtol=1e-12
    )
    gradient, _ = several.gradient_hessian(y_true, columns)
    np.testing.assert_allclose(
        gradient[:, 1], binary.gradient(y_true, raw), rtol=1e-11, atol=1e-300
    )
