"""The balancing shift: posteriors that add up to the labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from focalboost import FocalLoss, SoftmaxFocalLoss
from focalboost.losses import _balance, balancing_shift
from focalboost.losses._balance import Part, balancing_shift_of_parts

BINARY = [
    FocalLoss(0),
    FocalLoss(0.5),
    FocalLoss(2),
    FocalLoss(5, alpha=0.25),
    FocalLoss((0, 2)),
    FocalLoss((1, 4), alpha=0.9),
    FocalLoss(50),
]
SEVERAL = [
    SoftmaxFocalLoss(3, 0),
    SoftmaxFocalLoss(3, 2),
    SoftmaxFocalLoss(3, (0, 2, 4), alpha=(1, 2, 5)),
    SoftmaxFocalLoss(5, 5),
]


def rows(loss, n=3000, seed=0, shift=1.0):
    """Labels, raw predictions off balance, and weights."""
    rng = np.random.default_rng(seed)
    weight = rng.lognormal(size=n)
    if isinstance(loss, FocalLoss):
        y_true = (rng.random(n) < 0.05).astype(float)
        return y_true, -shift - 1 + 2 * y_true + rng.normal(size=n), weight
    share = 1 / np.arange(1, loss.n_classes + 1) ** 2
    y_true = rng.choice(loss.n_classes, n, p=share / share.sum())
    raw = rng.normal(size=(n, loss.n_classes))
    raw[np.arange(n), y_true] += shift
    return y_true, raw, weight


def sums(loss, y_true, raw, weight, shift):
    """The sums of posteriors and labels, by class."""
    posterior = loss.posterior(np.asarray(raw, float) + shift)
    if isinstance(loss, FocalLoss):
        return weight @ posterior, weight @ y_true
    return weight @ posterior, np.bincount(y_true, weight, loss.n_classes)


@pytest.mark.parametrize("loss", [*BINARY, *SEVERAL], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_posteriors_add_up_to_the_labels(loss, dtype, is_weighted):
    y_true, raw, weight = rows(loss)
    weight = weight if is_weighted else None
    raw = raw.astype(dtype)
    shift = balancing_shift(loss, y_true, raw, weight)
    weight = np.ones(len(raw)) if weight is None else weight
    found, expected = sums(loss, y_true, raw, weight, shift)
    assert np.all(np.abs(shift) < 10)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


@pytest.mark.parametrize("loss", BINARY, ids=str)
def test_a_balanced_model_is_not_shifted(loss):
    y_true, raw, weight = rows(loss)
    shift = balancing_shift(loss, y_true, raw, weight)
    assert abs(balancing_shift(loss, y_true, raw + shift, weight)) < 1e-8


def test_each_label_column_has_a_shift_of_its_own():
    loss = FocalLoss((0, 2))
    rng = np.random.default_rng(0)
    y_true = (rng.random((4000, 3)) < [0.01, 0.1, 0.5]).astype(float)
    raw, weight = rng.normal(size=(4000, 3)) + 2 * y_true, rng.lognormal(size=4000)
    together = balancing_shift(loss, y_true, raw, weight)
    alone = [balancing_shift(loss, y_true[:, t], raw[:, t], weight) for t in range(3)]
    np.testing.assert_allclose(together, alone, rtol=0, atol=_balance.TOLERANCE)


@pytest.mark.parametrize("loss", [FocalLoss(2), SoftmaxFocalLoss(3)], ids=str)
def test_lists_are_taken(loss):
    arrays = rows(loss)
    lists = (array.tolist() for array in arrays)
    np.testing.assert_array_equal(
        balancing_shift(loss, *lists), balancing_shift(loss, *arrays)
    )


def test_weights_may_be_those_of_the_columns():
    loss, rng = FocalLoss(2), np.random.default_rng(0)
    y_true = (rng.random((500, 2)) < 0.2).astype(int)
    raw, weight = rng.normal(size=(500, 2)), rng.lognormal(size=(500, 2))
    alone = [
        balancing_shift(loss, y_true[:, t], raw[:, t], weight[:, t]) for t in range(2)
    ]
    found = balancing_shift(loss, y_true.tolist(), raw.tolist(), weight.tolist())
    np.testing.assert_allclose(found, alone, rtol=0, atol=_balance.TOLERANCE)


@pytest.mark.parametrize("loss", [FocalLoss(2), SoftmaxFocalLoss(3)], ids=str)
def test_arrays_that_do_not_fit_are_refused(loss):
    y_true, raw, weight = rows(loss)
    with pytest.raises(ValueError, match=r"y_true must be of shape \(3000,\)"):
        balancing_shift(loss, y_true[:200], raw)
    with pytest.raises(ValueError, match=r"sample_weight must be of shape \(3000,\)"):
        balancing_shift(loss, y_true, raw, weight[:200])
    with pytest.raises(ValueError, match="raw_prediction must be finite"):
        balancing_shift(loss, y_true, np.where(raw > 0, np.nan, raw))


@pytest.mark.parametrize("size", [1e4, 1e5])
def test_classes_of_posteriors_0_and_1_are_balanced(size):
    rng = np.random.default_rng(0)
    y_true, raw = rng.integers(0, 3, 50), size * rng.normal(size=(50, 3))
    loss = SoftmaxFocalLoss(3)
    found = loss.posterior(raw + balancing_shift(loss, y_true, raw)).sum(axis=0)
    np.testing.assert_allclose(found, np.bincount(y_true), rtol=1e-6)


def test_soft_labels_count_with_their_share():
    loss = FocalLoss(2)
    y_true = np.array([0.1, 0.2, 0.9, 0.0])
    raw = np.array([-1.0, 0.0, 1.0, -2.0])
    shift = balancing_shift(loss, y_true, raw)
    np.testing.assert_allclose(loss.posterior(raw + shift).sum(), 1.2, rtol=1e-9)


@pytest.mark.parametrize("label", [0.0, 1.0])
def test_labels_of_one_class_have_no_balance(label):
    assert balancing_shift(FocalLoss(2), np.full(5, label), np.zeros(5)) == 0.0


def test_a_class_without_rows_keeps_its_raw_predictions():
    loss = SoftmaxFocalLoss(3, 2)
    y_true, raw, _ = rows(loss)
    raw[:, 2] = -20.0
    shift = balancing_shift(loss, np.minimum(y_true, 1), raw)
    assert shift[2] == 0.0
    found = loss.posterior(raw + shift).sum(axis=0)
    np.testing.assert_allclose(found[1], np.minimum(y_true, 1).sum(), rtol=1e-6)


@pytest.mark.parametrize("size", [30.0, 1e4])
def test_a_model_that_is_sure_of_every_row_is_in_balance(size):
    y_true = np.arange(100) % 10 == 0
    raw = np.where(y_true, size, -size)
    assert balancing_shift(FocalLoss(2), y_true.astype(float), raw) == 0.0


def test_raw_predictions_out_of_the_bins_are_balanced():
    loss = FocalLoss(2)
    y_true, raw, weight = rows(loss)
    raw[:3], raw[3:6] = 1e6, -1e6
    shift = balancing_shift(loss, y_true, raw, weight)
    found, expected = sums(loss, y_true, raw, weight, shift)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


@pytest.mark.parametrize("gamma", [0, 2, 20, 300, 1000, (8, 0, 0)], ids=str)
@pytest.mark.parametrize("size", [5, 20, 40])
@pytest.mark.parametrize("is_constant", [False, True])
def test_classes_far_from_balance_are_balanced(gamma, size, is_constant):
    """Some posteriors round to 0, and their slopes say nothing."""
    loss, rng = SoftmaxFocalLoss(3, gamma), np.random.default_rng(1)
    y_true = rng.choice(3, 2000, p=(0.9, 0.07, 0.03))
    n_rows = 1 if is_constant else len(y_true)
    raw = np.tile(rng.uniform(-size, size, (n_rows, 3)), (len(y_true) // n_rows, 1))
    shift = balancing_shift(loss, y_true, raw)
    found, expected = sums(loss, y_true, raw, np.ones(len(y_true)), shift)
    np.testing.assert_allclose(found, expected, rtol=1e-8)


@pytest.mark.parametrize("loss", [BINARY[2], SEVERAL[2]], ids=str)
def test_parts_give_the_shift_of_all_rows(loss):
    y_true, raw, weight = rows(loss)
    cuts = [slice(0, 100), slice(100, 100), slice(100, None)]
    parts = [Part(y_true[cut], raw[cut], weight[cut]) for cut in cuts]

    def total(function):
        return sum(map(function, parts))

    found = balancing_shift_of_parts(loss, total)
    expected = balancing_shift(loss, y_true, raw, weight)
    np.testing.assert_allclose(found, expected, atol=1e-8)


def test_a_class_without_rows_keeps_the_shift_of_an_earlier_training():
    loss, earlier = SEVERAL[1], np.array([0.1, -0.2, 0.7])
    y_true, raw, _ = rows(loss)
    y_true = np.minimum(y_true, 1)
    part = Part(y_true, raw)
    shift = balancing_shift_of_parts(loss, lambda function: function(part), earlier)
    assert shift[[0, 2]].tolist() == earlier[[0, 2]].tolist()
    found = loss.posterior(raw + shift).sum(axis=0)
    assert found[1] == pytest.approx(np.sum(y_true == 1), rel=1e-8)


@pytest.mark.parametrize("loss", [BINARY[2], SEVERAL[1]], ids=str)
def test_blocks_and_threads_do_not_matter(loss, monkeypatch):
    y_true, raw, weight = rows(loss)
    whole = balancing_shift(loss, y_true, raw, weight)
    monkeypatch.setattr("focalboost.losses._evaluate.BLOCK", 64)
    cut = balancing_shift(loss, y_true, raw, weight, n_threads=3)
    np.testing.assert_allclose(cut, whole, rtol=1e-9, atol=1e-9)


def test_without_the_newton_step_on_the_rows_the_sums_are_off(monkeypatch):
    """The histogram alone does not reach the tolerance of the tests above."""
    loss = FocalLoss(5)
    y_true, raw, weight = rows(loss)
    monkeypatch.setattr(_balance, "TOLERANCE", 1.0)
    monkeypatch.setattr(_balance, "N_BINS", 64)
    shift = balancing_shift(loss, y_true, raw, weight)
    found, expected = sums(loss, y_true, raw, weight, shift)
    assert abs(found / expected - 1) > 1e-4


whole_weights = st.lists(st.integers(1, 4), min_size=60, max_size=60)


@given(whole_weights, st.sampled_from([BINARY[2], BINARY[4], SEVERAL[2]]))
@settings(max_examples=30)
def test_a_whole_weight_is_as_many_rows(weights, loss):
    y_true, raw, _ = rows(loss, n=60)
    y_true[:3] = np.arange(3) if isinstance(loss, SoftmaxFocalLoss) else [0, 1, 0]
    weighted = balancing_shift(loss, y_true, raw, np.array(weights, float))
    repeated = balancing_shift(
        loss, np.repeat(y_true, weights), np.repeat(raw, weights, axis=0)
    )
    np.testing.assert_allclose(weighted, repeated, atol=1e-7)


@given(st.randoms(use_true_random=False), st.sampled_from([BINARY[3], SEVERAL[2]]))
@settings(max_examples=30)
def test_the_order_of_rows_does_not_matter(random, loss):
    y_true, raw, weight = rows(loss, n=500)
    order = random.sample(range(500), 500)
    found = balancing_shift(loss, y_true[order], raw[order], weight[order])
    expected = balancing_shift(loss, y_true, raw, weight)
    np.testing.assert_allclose(found, expected, atol=1e-7)


@given(st.permutations(range(3)))
@settings(max_examples=6)
def test_classes_in_another_order_have_the_same_shifts(order):
    loss = SoftmaxFocalLoss(3, (0, 2, 4), alpha=(1, 2, 5))
    y_true, raw, weight = rows(loss, n=500)
    places = np.argsort(order)
    other = SoftmaxFocalLoss(
        3, tuple(loss.gammas[k] for k in order), tuple(loss.alphas[k] for k in order)
    )
    found = balancing_shift(other, places[y_true], raw[:, order], weight)
    expected = balancing_shift(loss, y_true, raw, weight)[order]
    np.testing.assert_allclose(found - found[0], expected - expected[0], atol=1e-7)


def test_swapped_classes_mirror_the_shift():
    loss, mirrored = FocalLoss((1, 4), alpha=0.2), FocalLoss((4, 1), alpha=0.8)
    y_true, raw, weight = rows(loss)
    found = balancing_shift(mirrored, 1 - y_true, -raw, weight)
    np.testing.assert_allclose(
        found, -balancing_shift(loss, y_true, raw, weight), atol=1e-8
    )


def test_two_classes_of_a_softmax_are_the_binary_problem():
    binary, softmax = FocalLoss(2), SoftmaxFocalLoss(2, 2)
    y_true, raw, weight = rows(binary)
    pair = np.stack([-raw / 2, raw / 2], axis=1)
    shifts = balancing_shift(softmax, y_true.astype(int), pair, weight)
    expected = balancing_shift(binary, y_true, raw, weight)
    np.testing.assert_allclose(shifts[1] - shifts[0], expected, atol=1e-8)
