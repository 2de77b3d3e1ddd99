"""Parameters set on a fitted model leave it as it is, and tell what it is."""

import copy
import pickle

import numpy as np
import pytest
from host_drivers import HOSTS
from optional import FocalXGBClassifier, xgboost
from sklearn.base import clone

QUICK = {"n_estimators": 3, "max_depth": 3}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(240, 4))
TWO = (X[:, 0] + RNG.logistic(size=240) > 1).astype(int)
TARGETS = {
    "two": TWO,
    "three": TWO + (X[:, 2] > 0.8) * TWO,
    "labels": np.column_stack([TWO, X[:, 1] > 0]).astype(int),
}
LINKS = {
    "two": "binary:logistic",
    "three": "multi:softprob",
    "labels": "binary:logistic",
}


def saved_and_loaded(model, tmp_path):
    model.save_model(tmp_path / "model.ubj")
    other = type(model)()
    other.load_model(tmp_path / "model.ubj")
    return other


COPIES = {
    "itself": lambda model, path: model,
    "a copy": lambda model, path: copy.deepcopy(model),
    "a pickle": lambda model, path: pickle.loads(pickle.dumps(model)),
    "a file": saved_and_loaded,
}
CASES = [
    pytest.param(host, name, id=f"{host.name}-{name}")
    for host in HOSTS
    for name in TARGETS
    if host.name == "xgboost" or name != "labels"
]
XGBOOST_CASES = [case for case in CASES if case.id.startswith("xgboost")]


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize(("host", "name"), CASES)
def test_a_fitted_model_stays_as_it_is(host, name, copied, tmp_path):
    fitted = host.estimator(**QUICK).fit(X, TARGETS[name])
    before = fitted.predict_proba(X)
    model = COPIES[copied](fitted, tmp_path)
    model.set_params(max_depth=2, learning_rate=0.5, focal_gamma=1)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    again = saved_and_loaded(model, tmp_path)
    np.testing.assert_array_equal(again.predict_proba(X), before)
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(model)).predict_proba(X), before
    )


@pytest.mark.parametrize(("host", "name"), XGBOOST_CASES)
def test_the_booster_predicts_as_before(host, name):
    model = host.estimator(**QUICK).fit(X, TARGETS[name])
    rows = xgboost.DMatrix(X)
    before = model.get_booster().predict(rows)
    model.set_params(n_jobs=2)
    np.testing.assert_array_equal(model.get_booster().predict(rows), before)


@pytest.mark.parametrize("value", [0.2, None])
@pytest.mark.filterwarnings("ignore:Training starts from raw prediction")
def test_an_intercept_in_balance_stays(value):
    model = FocalXGBClassifier(**QUICK, n_jobs=1, base_score=0.3).fit(X, TWO)
    before = model.predict_proba(X)
    model.set_params(n_jobs=2)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    model.set_params(base_score=value)  # for the next fit
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert model.get_params()["base_score"] == value


@pytest.mark.parametrize("name", ["n_jobs", "max_depth"])
def test_the_booster_gets_what_is_set(name):
    model = FocalXGBClassifier(**QUICK, n_jobs=1).fit(X, TWO)
    model.set_params(**{name: 2})
    config = model.get_booster().save_config().replace(" ", "")
    assert f'"{name}":"2"' in config


@pytest.mark.parametrize("copied", COPIES)
@pytest.mark.parametrize(("host", "name"), XGBOOST_CASES)
def test_the_objective_is_that_of_the_model(host, name, copied, tmp_path):
    fitted = host.estimator(**QUICK).fit(X, TARGETS[name])
    model = COPIES[copied](fitted, tmp_path)
    assert model.objective == LINKS[name]
    assert model.get_params()["objective"] == LINKS[name]
    assert model.get_xgb_params()["objective"] == LINKS[name]
    others = set(LINKS.values()) - {LINKS[name]}
    assert not any(other in repr(model) for other in others)


@pytest.mark.parametrize("given", [None, "binary:logistic", "multi:softprob"])
@pytest.mark.parametrize("then", TARGETS)
@pytest.mark.parametrize("first", TARGETS)
def test_a_model_and_its_clone_can_be_fitted_to_other_labels(first, then, given):
    model = FocalXGBClassifier(**QUICK, n_jobs=1, objective=given)
    model.fit(X, TARGETS[first])
    new = clone(model)
    assert new.get_params() == model.get_params()
    expected = FocalXGBClassifier(**QUICK, n_jobs=1).fit(X, TARGETS[then])
    for one in (new, model):
        found = one.fit(X, TARGETS[then])
        assert found.objective == LINKS[then]
        np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))


@pytest.mark.parametrize("name", TARGETS)
def test_no_other_objective_is_taken(name):
    for objective in ("multi:softmax", "reg:squarederror", lambda y, raw: (raw, raw)):
        model = FocalXGBClassifier(**QUICK, objective=objective)
        with pytest.raises(ValueError, match="objective must be"):
            model.fit(X, TARGETS[name])


@pytest.mark.parametrize("name", ["two", "three"])
def test_fit_writes_what_the_host_writes(name, host):
    quiet = {"verbosity": 0 if host.name == "xgboost" else -1, "n_jobs": 1}
    theirs = host.host_classifier(**QUICK, **quiet).fit(X, TARGETS[name])
    ours = host.classifier(**QUICK, **quiet).fit(X, TARGETS[name])
    # but for LightGBM's encoder of labels, which no method of ours reads
    assert {*vars(theirs)} - {"_le"} <= {*vars(ours)}
    for key, value in theirs.get_params().items():
        assert repr(ours.get_params()[key]) == repr(value), key
