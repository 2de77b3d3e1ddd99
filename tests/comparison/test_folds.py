"""The folds of a comparison, of groups of rows as well."""

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut, StratifiedGroupKFold

from focalboost.comparison import compare_losses
from focalboost.comparison._compare import folds_of
from focalboost.comparison._methods import Part

RNG = np.random.default_rng(0)
GROUPS = RNG.integers(0, 40, size=400)
Y = (RNG.random(400) < 0.2).astype(np.int8)
X = RNG.normal(size=(400, 3)) + Y[:, None]
DATA = Part(X, Y)


def times_tested(folds):
    """How often each row is a test row."""
    return np.bincount(np.concatenate([test for _, test in folds]), minlength=len(Y))


@pytest.mark.parametrize("cv", [None, 4, GroupKFold(3), StratifiedGroupKFold(3)])
def test_no_group_is_in_both_parts(cv):
    folds = folds_of(cv, DATA, GROUPS, 0)
    for train, test in folds:
        assert not set(GROUPS[train]) & set(GROUPS[test])
    assert (times_tested(folds) == 1).all()


def test_without_groups_the_default_is_repeated():
    folds = folds_of(None, DATA, None, 0)
    assert len(folds) == 10
    assert (times_tested(folds) == 2).all()


def test_a_number_of_folds_may_be_one_of_numpy():
    for folds in zip(
        *(folds_of(n, DATA, None, 0) for n in (3, np.int64(3))), strict=True
    ):
        np.testing.assert_equal(*folds)


def test_groups_of_one_class_cannot_be_a_fold():
    with pytest.raises(ValueError, match="cv must be folds with both classes"):
        folds_of(LeaveOneGroupOut(), DATA, np.where(Y == 1, 1, 0), 0)


def test_a_fold_has_positives_enough_for_the_search():
    """The search holds out a quarter of the rows: one of two positives, or none."""
    few = np.flatnonzero(Y)[:5]
    y = np.isin(np.arange(len(Y)), few).astype(np.int8)
    assert len(folds_of(3, DATA._replace(y=y), None, 0)) == 3
    with pytest.raises(ValueError, match="with 2 of the rarer one, and"):
        folds_of(2, DATA._replace(y=y), None, 0)


def test_groups_are_those_of_the_comparison(host):
    options = {"losses": ["log loss", "focal, γ = 2"], "cv": 2, "progress": False}
    estimator = host.classifier(n_estimators=5, n_jobs=1)
    found = compare_losses(estimator, X, Y, groups=GROUPS, **options)
    for (_, test), kept in zip(
        folds_of(2, DATA, GROUPS, 0), found.first_tests.values(), strict=True
    ):
        np.testing.assert_array_equal(kept, test)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        compare_losses(estimator, X, Y, groups=GROUPS[1:], **options)
