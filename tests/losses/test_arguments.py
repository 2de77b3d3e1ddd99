"""Wrong arguments: the message names argument, rule, value and a way out."""

import re

import numpy as np
import pytest
from checks import each_loss

from focalboost import FocalLoss

QUANTITIES = ("loss", "gradient", "hessian", "curvature")
PAIRS = ("gradient_hessian", "gradient_curvature")
each_quantity = pytest.mark.parametrize("quantity", QUANTITIES + PAIRS)


def raises(name, rule, value):
    """Expect an error that says which argument breaks which rule with which value."""
    text = f"{name} must be {rule}; got {value}. "
    return pytest.raises(ValueError, match="^" + re.escape(text))


GAMMA_RULE = "a number from 0 to 1000, or a pair (positive, negative)"
WRONG_NUMBERS = [np.nan, np.inf, -np.inf, -1, -0.001, "2", b"2", True, None, 1j, {1, 2}]
WRONG_PAIRS = [
    *[(1, np.nan), (np.inf, 1), (-1, 1), (1, -1), (1, True), ("1", "2"), (1, None)],
    *[(), (1,), (1, 2, 3), [1, 2, 3], ((1, 2), 3), [[1, 2]]],
]
WRONG_ARRAYS = [
    np.array([1, 2, 3]),
    np.array([2.0]),
    np.array([]),
    np.array([[1.0, 2.0]]),
    np.array([1, np.nan]),
    np.array(-1),
    np.array(True),
    np.array(["1", "2"]),
]


@pytest.mark.parametrize("gamma", WRONG_NUMBERS + WRONG_PAIRS + WRONG_ARRAYS, ids=repr)
def test_gamma_is_checked(gamma):
    with raises("gamma", GAMMA_RULE, repr(gamma)):
        FocalLoss(gamma)


def test_a_gamma_beyond_the_floats_is_not_finite():
    with pytest.raises(ValueError, match="gamma must be a number from 0"):
        FocalLoss(10**400)


ALPHA_RULE = "a number between 0 and 1, both excluded, or None"
WRONG_ALPHAS = [
    *[0, 1, 0.0, 1.0, -0.25, 1.25, np.nan, np.inf, -np.inf, "0.25", True, False, 1j],
    *[(0.25,), (0.25, 0.75), [0.25], np.array(0.25), np.array([0.25, 0.75])],
]


@pytest.mark.parametrize("alpha", WRONG_ALPHAS, ids=repr)
def test_alpha_is_checked(alpha):
    with raises("alpha", ALPHA_RULE, repr(alpha)):
        FocalLoss(alpha=alpha)


def test_errors_say_what_to_type_instead():
    with pytest.raises(ValueError, match=r"Use gamma=2\.0 .* or gamma=0 for"):
        FocalLoss(-1)
    with pytest.raises(ValueError, match="alpha=None for no class balance"):
        FocalLoss(alpha=2)
    with pytest.raises(ValueError, match=r"Encode the labels, .* \(y == positive_"):
        FocalLoss().loss([2], [0.0])


def test_long_values_are_cut_short():
    with pytest.raises(ValueError, match=r"got \[0, 1, .{0,80}\.\.\.\. Use"):
        FocalLoss(list(range(1000)))


LEARNING_RATE_RULE = "a number between 0 and 2, both excluded"


@pytest.mark.parametrize(
    "eta", [0, 2, -0.1, 2.5, np.nan, np.inf, "0.3", True, None, [0.3], np.array(0.3)]
)
@pytest.mark.parametrize("method", ["curvature", "gradient_curvature"])
def test_the_learning_rate_is_checked(method, eta):
    with raises("max_learning_rate", LEARNING_RATE_RULE, repr(eta)):
        getattr(FocalLoss(), method)([1.0], [0.5], max_learning_rate=eta)


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("dtype", ["float16", "int32", "double", np.int64, 32])
def test_the_dtype_of_results_is_checked(pair, dtype):
    with raises("dtype", "float32, float64 or None", repr(dtype)):
        getattr(FocalLoss(), pair)([1.0], [0.5], dtype=dtype)


LABEL_RULE = "0 or 1 (or a probability in between)"


@pytest.mark.parametrize("label", [2, -1, 1.5, -1e-9, np.nan, np.inf, -np.inf])
@each_quantity
def test_labels_are_checked(quantity, label):
    for y_true in ([0, 1, label], [0.5, label, 1]):
        with raises("y_true", LABEL_RULE, float(label)):
            getattr(FocalLoss(), quantity)(y_true, [0.0, 0.5, 1])


@pytest.mark.parametrize("label", [2, -1, np.nan, np.inf])
def test_labels_of_the_baseline_are_checked(label):
    for method in ("baseline", "class_masses"):
        with raises("y_true", LABEL_RULE, float(label)):
            getattr(FocalLoss(), method)([0, 1, label])


RAW_RULE = "finite and within 1e30 of 0"


@pytest.mark.parametrize("raw", [np.nan, np.inf, -np.inf, 2.0**100, -(2.0**120)])
@each_quantity
def test_raw_predictions_are_checked(quantity, raw):
    for dtype in (np.float64, np.float32):
        with raises("raw_prediction", RAW_RULE, raw):
            getattr(FocalLoss(), quantity)([1, 0], np.array([0, raw], dtype))


@pytest.mark.parametrize("method", ["posterior", "posterior_log_odds"])
@pytest.mark.parametrize("raw", [np.nan, np.inf, -np.inf, 2.0**100])
def test_raw_predictions_of_the_link_are_checked(method, raw):
    with raises("raw_prediction", RAW_RULE, raw):
        getattr(FocalLoss(), method)([0.0, raw])


WEIGHT_RULE = "finite and >= 0"


@pytest.mark.parametrize("weight", [-1, -1e-300, np.nan, np.inf, -np.inf])
@each_quantity
def test_weights_are_checked(quantity, weight):
    with raises("sample_weight", WEIGHT_RULE, float(weight)):
        getattr(FocalLoss(), quantity)([1, 0], [0.0, 0.5], [1, weight])


@pytest.mark.parametrize("weight", [-1, np.nan, np.inf])
def test_weights_of_the_baseline_are_checked(weight):
    for method in ("baseline", "class_masses"):
        with raises("sample_weight", WEIGHT_RULE, float(weight)):
            getattr(FocalLoss(), method)([0, 1], [1, weight])


def test_a_weight_too_large_for_float32_is_infinite_there():
    with raises("sample_weight", WEIGHT_RULE, "inf"):
        FocalLoss().loss([1], np.array([0.5], np.float32), [1e300])


@pytest.mark.parametrize(("n_before", "n_after"), [(0, 0), (20_000, 0), (0, 20_000)])
def test_the_first_wrong_value_is_shown_wherever_it_is(n_before, n_after):
    raw = np.concatenate([np.zeros(n_before), [np.nan], np.zeros(n_after)])
    with raises("raw_prediction", RAW_RULE, "nan"):
        FocalLoss().gradient(np.ones_like(raw), raw)
    weight = np.concatenate([np.ones(n_before), [-7.0], np.ones(n_after)])
    with raises("sample_weight", WEIGHT_RULE, -7.0):
        FocalLoss().gradient(np.ones_like(raw), np.zeros_like(raw), weight)


@pytest.mark.parametrize(
    ("y_shape", "raw_shape"),
    [
        ((2,), (3,)),
        ((3, 1), (3,)),
        ((3,), (3, 1)),
        ((), (1,)),
        ((1,), (3,)),
        ((0,), (1,)),
    ],
)
@each_quantity
def test_labels_of_another_shape_are_not_broadcast(quantity, y_shape, raw_shape):
    with raises("y_true", f"of shape {raw_shape}", y_shape):
        getattr(FocalLoss(), quantity)(np.ones(y_shape), np.ones(raw_shape))


@pytest.mark.parametrize(
    ("weight_shape", "raw_shape"),
    [
        ((2,), (3,)),
        ((), (3,)),
        ((1,), (3,)),
        ((3, 1), (3,)),
        ((2,), (3, 2)),
        ((1,), (2, 3)),
    ],
)
@each_quantity
def test_weights_of_another_shape_are_not_broadcast(quantity, weight_shape, raw_shape):
    rule, ones = f"of shape {raw_shape}", np.ones(raw_shape)
    with raises("sample_weight", rule, weight_shape):
        getattr(FocalLoss(), quantity)(ones, ones, np.ones(weight_shape))


@pytest.mark.parametrize("method", ["baseline", "class_masses"])
def test_weights_of_the_baseline_have_the_shape_of_the_labels(method):
    with raises("sample_weight", "of shape (2,)", "(1,)"):
        getattr(FocalLoss(), method)([1, 0], [1])


#: What NumPy has no number for, in arrays of words and in arrays of any objects.
NO_NUMBERS = [
    np.array(["fraud"]),
    np.array(["fraud"], dtype=object),
    np.array([{}], dtype=object),
    np.array([1j]),
]


@pytest.mark.parametrize("wrong", NO_NUMBERS, ids=repr)
@pytest.mark.parametrize("name", ["y_true", "raw_prediction", "sample_weight"])
def test_words_are_no_numbers(name, wrong):
    arguments = {"y_true": [1], "raw_prediction": [0.5], "sample_weight": [2]}
    arguments[name] = wrong
    with raises(name, "an array of real numbers", repr(wrong)):
        FocalLoss().loss(**arguments)


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("baseline", "y_true"),
        ("class_masses", "y_true"),
        ("posterior", "raw_prediction"),
        ("posterior_log_odds", "raw_prediction"),
        ("inverse_posterior", "posterior"),
    ],
)
def test_words_are_no_numbers_for_the_link_either(method, name):
    with pytest.raises(ValueError, match=f"^{name} must be an array of real numbers"):
        getattr(FocalLoss(), method)(["fraud"])


@each_loss
def test_a_missing_value_never_becomes_a_number(loss):
    """Whichever array it is in, of whichever loss."""
    for position in range(3):
        arrays = [np.array([1.0, 0.0]), np.array([0.5, 0.5]), np.array([1.0, 2.0])]
        arrays[position][1] = np.nan
        for quantity in QUANTITIES + PAIRS:
            with pytest.raises(ValueError, match="got nan"):
                getattr(loss, quantity)(*arrays)
