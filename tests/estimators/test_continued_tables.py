"""A table that continues or refits a LightGBM model has its columns and categories."""

import numpy as np
import pytest
from optional import FocalLGBMClassifier, lightgbm

import focalboost.lightgbm

pandas = pytest.importorskip("pandas")

QUIET = {"num_threads": 1, "verbosity": -1}
ESTIMATOR = {"n_jobs": 1, "verbosity": -1, "n_estimators": 3}


def month(kinds, n=3000, seed=0):
    """Rows of some kinds, of which D is risky."""
    rng = np.random.default_rng(seed)
    kind, amount = rng.choice(list(kinds), n), rng.normal(size=n)
    risk = 1 / (1 + np.exp(3.5 - 4 * (kind == "D") - amount))
    kind = pandas.Categorical(kind, categories=list(kinds))
    table = pandas.DataFrame({"amount": amount, "kind": kind})
    return table, (rng.random(n) < risk).astype(int)


def fitted(X, y, model):
    return FocalLGBMClassifier(**ESTIMATOR).fit(X, y, init_model=model).booster_


def trained(X, y, model):
    data = lightgbm.Dataset(X, y)
    return focalboost.lightgbm.train(QUIET, data, 3, init_model=model)


def cross_validated(X, y, model):
    data, options = lightgbm.Dataset(X, y), {"nfold": 2, "return_cvbooster": True}
    found = focalboost.lightgbm.cv(QUIET, data, 3, init_model=model, **options)
    return found["cvbooster"].boosters[0]


def refitted(X, y, model):
    return focalboost.lightgbm.refit(model, X, y)


CONTINUED = [fitted, trained, cross_validated]


@pytest.mark.parametrize("kinds", ["BCDE", "CDEFG", "EDCBA"])
@pytest.mark.parametrize("continued", CONTINUED)
def test_categories_have_the_codes_of_the_model(continued, kinds):
    model = FocalLGBMClassifier(**ESTIMATOR).fit(*month("ABCDE")).booster_
    X, y = month(kinds, seed=1)
    again = continued(X, y, model)
    rows = month("ABCDE", seed=2)[0]
    found, expected = (
        one.predict(rows, raw_score=True, num_iteration=3) for one in (again, model)
    )
    assert np.ptp(found - expected) < 1e-9  # but for the balance
    assert X["kind"].cat.categories.tolist() == list(kinds)


def test_categories_of_a_data_set_that_is_built():
    model = trained(*month("ABCDE"), None)
    options = {"params": QUIET, "free_raw_data": False}
    same = lightgbm.Dataset(*month("ABCDEF", seed=1), **options).construct()
    focalboost.lightgbm.train(QUIET, same, 2, init_model=model)
    other = lightgbm.Dataset(*month("BCDE", seed=1), **options).construct()
    with pytest.raises(ValueError, match="train_set must be of categories in the ord"):
        focalboost.lightgbm.train(QUIET, other, 2, init_model=model)


@pytest.mark.parametrize("continued", CONTINUED)
def test_the_columns_of_categories_are_those_of_the_model(continued):
    X, y = month("ABCDE")
    both = X.assign(other=X["kind"])
    with pytest.raises(ValueError, match="with as many columns of categories as the"):
        continued(both, y, trained(X, y, None))


@pytest.mark.parametrize("continued", [*CONTINUED, refitted])
def test_columns_are_in_the_order_of_the_model(continued):
    X, y = month("ABCDE")
    model = trained(X, y, None)
    rule = r"must be of the columns of the model in their order, \['amount', 'kind'\]"
    with pytest.raises(ValueError, match=rule):
        continued(X[["kind", "amount"]], y, model)
    continued(X.rename(columns={"kind": "sort"}), y, model)


def test_a_refit_needs_rows():
    X, y = month("ABCDE")
    with pytest.raises(ValueError, match="y must be labels of one row or more"):
        refitted(X[:0], y[:0], trained(X, y, None))
