"""scikit-learn's checks of many configurations, each beside the host's own result."""

import warnings
from functools import cache
from unittest import SkipTest

import pytest
from estimator_checks import EQUIVALENCE, expected_failures
from host_drivers import HOSTS
from sklearn.utils.estimator_checks import estimator_checks_generator

from focalboost.estimators._base import OWN_PARAMS

pytestmark = pytest.mark.slow

#: Containers of sparse rows do not depend on parameters, and take a third of the time.
OF_ANY_CONFIGURATION = ("check_estimator_sparse_matrix", "check_estimator_sparse_array")

#: Checks that the class of ``limited`` cannot pass: no module has it, and it takes
#: labels that its tags deny.
OF_LIMITED = {"check_estimators_pickle", "check_classifier_not_supporting_multiclass"}

QUICK = {"n_estimators": 3, "max_depth": 2, "n_jobs": 1}

COMMON = [
    {"learning_rate": 0.05},
    {"learning_rate": 1.0},
    {"importance_type": "gain"},
    {"class_weight": "balanced"},
    {"class_weight": "effective"},
    {"focal_gamma": 0},
    {"focal_gamma": 5},
    {"focal_gamma": (0, 2)},
    {"focal_gamma": (1, 4), "focal_alpha": 0.25},
    {"focal_balance": False},
    {"focal_max_learning_rate": 0.6},
    {"subsample": 0.5, "random_state": 1},
]
CONFIGURATIONS = {
    "xgboost": [
        *COMMON,
        {"booster": "dart", "rate_drop": 0.5},
        {"booster": "gblinear", "updater": "coord_descent"},
        {"tree_method": "exact"},
        {"tree_method": "approx"},
        {"tree_method": "hist", "max_bin": 8},
        {"grow_policy": "lossguide", "max_leaves": 4},
        {"enable_categorical": True},
        {"monotone_constraints": "(1)"},
        {"interaction_constraints": "[[0]]"},
        {"num_parallel_tree": 2},
        {"importance_type": "total_cover"},
    ],
    "lightgbm": [
        *COMMON,
        {"boosting_type": "dart", "random_state": 1},
        {"data_sample_strategy": "goss"},
        {"min_child_samples": 5, "min_child_weight": 0.0},
        {"linear_tree": True},
        {"num_leaves": 3},
        {"extra_trees": True, "n_estimators": 50, "max_depth": -1, "random_state": 1},
        {"max_bin": 8},
        {"early_stopping_round": 2},
        {"reg_alpha": 0.1, "reg_lambda": 1.0},
        {"subsample_freq": 1, "subsample": 0.5, "random_state": 1},
        {"colsample_bytree": 0.5, "random_state": 1},
    ],
}
CASES = [
    pytest.param(host, params, id=f"{host.name}-{params}")
    for host in HOSTS
    for params in CONFIGURATIONS[host.name]
]


def limited(kind, params):
    """The class, for checks on the labels that the parameters are for.

    A pair or an alpha is for two classes, class weights are for one column of labels.
    """
    is_of_two = "focal_alpha" in params or isinstance(params.get("focal_gamma"), tuple)
    if not (is_of_two or "class_weight" in params):
        return kind

    class Limited(kind):
        def __sklearn_tags__(self):
            tags = super().__sklearn_tags__()
            tags.classifier_tags.multi_class &= not is_of_two
            tags.classifier_tags.multi_label = False
            return tags

    return Limited


def failures_of(estimator):
    """The checks that fail, with their errors."""
    failed = {}
    for made, check in estimator_checks_generator(estimator):
        name = check.func.__name__
        if name in OF_ANY_CONFIGURATION:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                check(made)
            except SkipTest:
                pass
            except Exception as error:
                failed[name] = repr(error)
    return failed


@cache
def failures_of_host(kind, params):
    return frozenset(failures_of(kind(**dict(params))))


def test_there_are_many_configurations():
    assert sum(map(len, CONFIGURATIONS.values())) >= 40


@pytest.mark.parametrize(("host", "params"), CASES)
def test_no_check_fails_that_the_host_passes(host, params):
    params = {**QUICK, **params}
    estimator = limited(host.classifier, params)(**params)
    failed, known = failures_of(estimator), set(expected_failures(estimator))
    if type(estimator) is not host.classifier:
        known |= OF_LIMITED
    if "class_weight" in params:  # its words count rows, whatever they weigh
        known |= set(EQUIVALENCE)
    if not failed.keys() <= known:  # the host's checks take as long again
        own = tuple((name, params[name]) for name in params if name not in OWN_PARAMS)
        known |= failures_of_host(host.host_classifier, own)
    assert {name: failed[name] for name in failed if name not in known} == {}
