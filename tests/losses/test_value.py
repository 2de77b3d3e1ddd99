"""A loss is a value: frozen, comparable, printable, picklable."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from checks import LOSSES, each_loss

from focalboost import FocalLoss, SoftmaxFocalLoss


def test_losses_are_equal_when_their_parameters_are():
    assert FocalLoss(2) == FocalLoss(2.0) == FocalLoss(gamma=2, alpha=None)
    assert FocalLoss((1, 4), 0.25) == FocalLoss([1.0, 4.0], 0.25)
    assert FocalLoss(2) != FocalLoss(2, alpha=0.5)
    assert FocalLoss((1, 4)) != FocalLoss((4, 1))
    assert FocalLoss(2) != 2


def test_a_pair_of_equal_gammas_is_one_gamma():
    assert FocalLoss((2, 2)) == FocalLoss(2)
    assert FocalLoss((2, 2)).gamma == 2
    assert FocalLoss((2, 2)).gammas == FocalLoss(2).gammas == (2, 2)


def test_the_default_is_the_paper_s_gamma_without_alpha():
    assert FocalLoss() == FocalLoss(2, None)


@each_loss
def test_equal_losses_have_equal_hashes(loss):
    assert hash(loss) == hash(FocalLoss(loss.gammas, loss.alpha))


def test_losses_are_keys():
    assert (
        len({*LOSSES, *(FocalLoss(loss.gammas, loss.alpha) for loss in LOSSES)}) == 15
    )


@pytest.mark.parametrize(
    ("loss", "text"),
    [
        (FocalLoss(), "FocalLoss(gamma=2.0, alpha=None)"),
        (
            FocalLoss([1, np.float32(4)], 0.25),
            "FocalLoss(gamma=(1.0, 4.0), alpha=0.25)",
        ),
    ],
)
def test_repr_says_what_it_is(loss, text):
    assert repr(loss) == text
    assert eval(text) == loss


@each_loss
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_come_back_equal(loss, protocol):
    assert pickle.loads(pickle.dumps(loss, protocol)) == loss


#: Written when both classes were plain dataclasses.
PICKLED = [
    (
        FocalLoss((0, 2), 0.25),
        b"\x80\x02cfocalboost\nFocalLoss\nq\x00)\x81q\x01}q\x02(X\x05\x00\x00\x00gamma"
        b"q\x03G\x00\x00\x00\x00\x00\x00\x00\x00G@\x00\x00\x00\x00\x00\x00\x00\x86q\x04X"
        b"\x05\x00\x00\x00alphaq\x05G?\xd0\x00\x00\x00\x00\x00\x00ub.",
    ),
    (
        SoftmaxFocalLoss(3, 2, (1, 2, 3)),
        b"\x80\x02cfocalboost\nSoftmaxFocalLoss\nq\x00)\x81q\x01}q\x02(X\t\x00\x00\x00"
        b"n_classesq\x03K\x03X\x05\x00\x00\x00gammaq\x04G@\x00\x00\x00\x00\x00\x00\x00X"
        b"\x05\x00\x00\x00alphaq\x05G?\xf0\x00\x00\x00\x00\x00\x00G@\x00\x00\x00\x00\x00"
        b"\x00\x00G@\x08\x00\x00\x00\x00\x00\x00\x87q\x06ub.",
    ),
]


@pytest.mark.parametrize(("loss", "pickled"), PICKLED, ids=["binary", "softmax"])
def test_old_pickles_can_be_read_and_new_ones_name_the_public_class(loss, pickled):
    assert pickle.loads(pickled) == loss
    assert pickle.dumps(loss, 2) == pickled


@each_loss
def test_copies_are_equal(loss):
    assert copy.copy(loss) == copy.deepcopy(loss) == loss


@pytest.mark.parametrize("name", ["gamma", "alpha", "anything"])
def test_a_loss_is_frozen(name):
    with pytest.raises(dataclasses.FrozenInstanceError, match=name):
        setattr(FocalLoss(), name, 1.0)


def test_replace_makes_another_loss():
    loss = dataclasses.replace(FocalLoss(2, 0.25), gamma=(0, 2))
    assert loss == FocalLoss((0, 2), 0.25)
    with pytest.raises(ValueError, match="gamma must be"):
        dataclasses.replace(loss, gamma=-1)


def test_using_a_loss_leaves_it_as_it_was():
    loss = FocalLoss((0, 2), 0.25)
    before = (repr(loss), dict(vars(loss)))
    loss.gradient_curvature([1, 0], [0.0, 1.0])
    loss.baseline([1, 0])
    assert (repr(loss), vars(loss)) == before


@pytest.mark.parametrize(
    "gamma",
    [(1, 4), [1, 4], np.array([1, 4]), np.array([1.0, 4.0], np.float32), (1, 4.0)],
)
def test_pairs_are_two_floats(gamma):
    assert FocalLoss(gamma).gamma == (1.0, 4.0)
    assert all(type(value) is float for value in FocalLoss(gamma).gamma)


@pytest.mark.parametrize(
    "gamma", [3, 3.0, np.int8(3), np.float32(3), np.float64(3), np.array(3)]
)
def test_gamma_is_a_float(gamma):
    assert type(FocalLoss(gamma).gamma) is float
    assert FocalLoss(gamma).gammas == (3, 3)


@pytest.mark.parametrize("alpha", [0.25, np.float32(0.25), np.float64(0.25)])
def test_alpha_is_a_float(alpha):
    assert type(FocalLoss(alpha=alpha).alpha) is float
    assert FocalLoss(alpha=alpha).alphas == (0.25, 0.75)


def test_without_alpha_both_classes_weigh_one():
    assert FocalLoss().alphas == (1, 1)
