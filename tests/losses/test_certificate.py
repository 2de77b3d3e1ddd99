"""With the certified curvature no boosting round raises the training loss."""

from dataclasses import dataclass

import numpy as np
import pytest
from checks import (
    assert_loss_never_rises,
    boosted,
    each_loss,
    losses,
    numbers,
    random_property,
    worst_leaf,
)
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from focalboost import FocalLoss

N_ROWS = 12

#: Trees as what they do to the training rows: the leaf of each row, in each round.
trees = st.lists(
    st.lists(st.integers(0, 3), min_size=N_ROWS, max_size=N_ROWS).map(np.array),
    min_size=1,
    max_size=6,
)
labels = st.lists(st.sampled_from([0.0, 1.0]), min_size=N_ROWS, max_size=N_ROWS)
hard_labels = labels.map(np.array)
soft_labels = numbers(N_ROWS, 0, 1)
learning_rates = st.sampled_from([0.3, 0.1]) | st.floats(1e-3, 0.3)
any_learning_rates = st.floats(1e-3, 1.99)
penalties = st.sampled_from([0.0, 1.0]) | st.floats(0, 100)
# Weights over eight orders of magnitude: what is rare may also weigh much.
weights = numbers(N_ROWS, -9, 9).map(np.exp)
starts = st.one_of(numbers(N_ROWS, -bound, bound) for bound in (1, 8, 30))

certificate = settings(random_property, max_examples=250)


@certificate
@given(losses(), hard_labels, starts, trees, learning_rates, penalties, weights)
def test_no_round_raises_the_loss(loss, y_true, raw, rounds, eta, penalty, weight):
    options = {"penalty": penalty, "weight": weight, "max_learning_rate": 0.3}
    assert_loss_never_rises(loss, y_true, raw, rounds, learning_rate=eta, **options)


@certificate
@given(losses(), soft_labels, starts, trees, learning_rates, penalties, weights)
def test_no_round_raises_the_loss_of_soft_labels(
    loss, y_true, raw, rounds, eta, penalty, weight
):
    options = {"penalty": penalty, "weight": weight, "max_learning_rate": 0.3}
    assert_loss_never_rises(loss, y_true, raw, rounds, learning_rate=eta, **options)


@certificate
@given(losses(), hard_labels, starts, trees, any_learning_rates, weights)
def test_no_round_raises_the_loss_at_any_learning_rate_that_was_announced(
    loss, y_true, raw, rounds, eta, weight
):
    options = {"learning_rate": eta, "max_learning_rate": eta, "weight": weight}
    assert_loss_never_rises(loss, y_true, raw, rounds, **options)


@pytest.mark.parametrize("learning_rate", [1e-4, 1e-2, 0.1, 0.3, 0.9, 1.9])
@each_loss
def test_not_even_the_worst_leaf_raises_the_loss(loss, learning_rate):
    assert worst_leaf(loss, learning_rate).rise < 0


@dataclass(frozen=True)
class PartOfFloor(FocalLoss):
    """A curvature with a part of the floor: 0 is none, 1 the certified curvature.

    The floor of a learning rate of 1e-300 is none.
    """

    part: float = 0.0

    def gradient_curvature(self, y_true, raw, weight=None, *, max_learning_rate=0.3):
        gradient, bound = super().gradient_curvature(
            y_true, raw, weight, max_learning_rate=1e-300
        )
        rho = max_learning_rate / np.log(2 / max_learning_rate)
        floor = self.part * (1 + max(self.gammas)) * rho
        return gradient, np.maximum(bound, floor * np.abs(gradient))


@dataclass(frozen=True)
class ExactHessian(FocalLoss):
    def gradient_curvature(self, y_true, raw, weight=None, *, max_learning_rate=0.3):
        return self.gradient_hessian(y_true, raw, weight)


@dataclass(frozen=True)
class ClippedHessian(FocalLoss):
    def gradient_curvature(self, y_true, raw, weight=None, *, max_learning_rate=0.3):
        gradient, hessian = self.gradient_hessian(y_true, raw, weight)
        return gradient, np.maximum(hessian, 1e-16)


def one_hard_positive(loss):
    """One positive among 50 negatives in one leaf, all of them taken for negative."""
    y_true = np.eye(1, 51)[0]
    one_leaf = np.zeros(51, dtype=int)
    start = np.full(51, -20.0)
    assert_loss_never_rises(loss, y_true, start, [one_leaf] * 3, learning_rate=0.3)


@pytest.mark.parametrize("gamma", [0, 0.5, 2, 5, (0, 2)])
def test_one_hard_positive_among_negatives_is_no_danger(gamma):
    one_hard_positive(FocalLoss(gamma))


@pytest.mark.parametrize("gamma", [0, 0.5, 2, 5, (0, 2)])
@pytest.mark.parametrize("planted", [PartOfFloor, ExactHessian, ClippedHessian])
def test_without_the_floor_one_hard_positive_raises_the_loss(planted, gamma):
    with pytest.raises(AssertionError, match="round 0"):
        one_hard_positive(planted(gamma))


@pytest.mark.parametrize("planted", [PartOfFloor, ExactHessian, ClippedHessian])
def test_the_random_trees_find_a_missing_floor(planted):
    @settings(certificate, phases=[Phase.generate], report_multiple_bugs=False)
    @given(losses(), hard_labels, starts, trees)
    def no_round_raises_the_loss(loss, y_true, raw, rounds):
        wrong = planted(loss.gamma, loss.alpha)
        assert_loss_never_rises(wrong, y_true, raw, rounds, learning_rate=0.3)

    with pytest.raises(AssertionError, match="round"):
        no_round_raises_the_loss()


@pytest.mark.parametrize("gamma", [0, 0.5, 2, 5, (0, 2)])
def test_half_of_the_floor_is_not_enough(gamma):
    """At small learning rates; at 0.3 half would do, and a fifth does not."""
    assert worst_leaf(PartOfFloor(gamma, part=1.0), 1e-4).rise < 0
    assert worst_leaf(PartOfFloor(gamma, part=0.5), 1e-4).rise > 0
    assert worst_leaf(PartOfFloor(gamma, part=0.2), 0.3).rise > 0


@pytest.mark.parametrize("gamma", [0, 0.5, 2, 5, (0, 2)])
def test_the_worst_leaf_is_one_that_boosting_would_make(gamma):
    loss = PartOfFloor(gamma, part=0.5)
    leaf = worst_leaf(loss, 1e-4)
    data = (leaf.y_true, leaf.raw, [np.array([0, 0])])
    options = {"weight": leaf.weight, "learning_rate": 1e-4}
    with pytest.raises(AssertionError, match="round 0"):
        assert_loss_never_rises(loss, *data, **options)
    assert_loss_never_rises(FocalLoss(gamma), *data, **options)


@each_loss
def test_no_leaf_moves_further_than_its_trust_region(loss):
    """D = log(2 / eta) / (1 + gamma), reached by the hardest rows."""
    y_true, raw = np.array([1.0, 0.0]), np.array([-40.0, 40.0])
    (moved,) = boosted(loss, y_true, raw, [np.array([0, 1])], learning_rate=0.3)
    furthest = np.log(2 / 0.3) / (1 + max(loss.gammas))
    # Numbers near 40 are 7e-15 apart.
    np.testing.assert_allclose(np.abs(moved - raw), furthest, rtol=0, atol=2e-14)


@each_loss
def test_boosting_converges_to_the_baseline(loss):
    """One leaf of all rows: the loss falls until the constant is the best one."""
    y_true = np.array([1.0, 0.0, 0.0, 0.0])
    rounds = [np.zeros(4, dtype=int)] * 300
    for state in boosted(loss, y_true, np.full(4, 3.0), rounds, learning_rate=0.3):
        last = state
    assert last[0] == pytest.approx(loss.baseline(y_true), abs=1e-8)
