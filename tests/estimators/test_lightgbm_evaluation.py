"""Evaluation arguments of FocalLGBMClassifier.fit, and what LightGBM says of others."""

import inspect

import numpy as np
import pytest
from optional import FocalLGBMClassifier, lightgbm
from sklearn.base import clone

import focalboost.lightgbm
from focalboost import FocalLoss, focal_metric

NAME = "relative_focal_loss"

pytestmark = pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")

has_eval_pair = pytest.mark.skipif(
    "eval_X" not in inspect.signature(lightgbm.LGBMClassifier.fit).parameters,
    reason="LightGBM before 4.7 has no eval_X",
)


@pytest.fixture
def model():
    """Without balance, as the values of the rounds are those before it."""
    options = {"n_jobs": 1, "verbosity": -1, "focal_balance": False}
    return FocalLGBMClassifier(n_estimators=5, **options)


def recorded(model, name="valid_0"):
    return model.evals_result_[name][NAME][-1]


def expected(model, X, y, weight=None, start=0.0):
    return focal_metric()(y, model.predict(X, raw_score=True) + start, weight)


def test_a_tuple_is_one_set(model, rare):
    X, y = rare
    model.fit(X[:2500], y[:2500], eval_set=(X[2500:], y[2500:]))
    assert recorded(model) == pytest.approx(expected(model, X[2500:], y[2500:]))


@has_eval_pair
@pytest.mark.parametrize("several", [False, True])
def test_features_and_labels_apart(model, several, rare):
    X, y = rare
    A, b = X[2500:], np.where(y[2500:] == 1, "yes", "no")
    given = {"eval_X": (A, A[:900]), "eval_y": (b, b[:900])}
    given = given if several else {"eval_X": A, "eval_y": b}
    model.fit(X[:2500], np.where(y[:2500] == 1, "yes", "no"), **given)
    assert recorded(model) == pytest.approx(expected(model, A, y[2500:]))
    if several:
        second = expected(model, A[:900], y[2500:3400])
        assert recorded(model, "valid_1") == pytest.approx(second)


def test_the_training_set_is_recognised(model, rare):
    model.fit(*rare, eval_set=[rare])
    assert list(model.evals_result_) == ["training"]
    assert recorded(model, "training") == pytest.approx(expected(model, *rare))


@pytest.mark.parametrize("form", [list, dict])
def test_eval_class_weight_replaces_class_weight(model, form, rare):
    X, y = rare
    labels = np.where(y == 1, "yes", "no")
    own = {"no": 1, "yes": 3}
    model.set_params(class_weight={"no": 1, "yes": 5})
    sets = [(X[2500:], labels[2500:]), (X[:900], labels[:900])]
    given = [own] if form is list else {0: own}
    model.fit(X[:2500], labels[:2500], eval_set=sets, eval_class_weight=given)
    first = expected(model, X[2500:], y[2500:], 1 + 2 * y[2500:])
    assert recorded(model) == pytest.approx(first)
    second = expected(model, X[:900], y[:900], 1 + 4 * y[:900])
    assert recorded(model, "valid_1") == pytest.approx(second)


def test_an_init_score_replaces_the_baseline(model, rare):
    X, y = rare
    start = np.full(2500, -3.0)
    model.fit(
        X[:2500],
        y[:2500],
        init_score=start,
        eval_set=[(X[2500:], y[2500:])],
        eval_init_score=[np.full(1500, -3.0)],
    )
    assert recorded(model) == pytest.approx(
        expected(model, X[2500:], y[2500:], start=-3.0)
    )


def test_an_eval_init_score_alone_is_added_to_the_baseline(model, rare):
    """As LightGBM adds its own start to it."""
    X, y = rare
    model.fit(
        X[:2500],
        y[:2500],
        eval_set=[(X[2500:], y[2500:])],
        eval_init_score=[np.full(1500, 1.0)],
    )
    assert recorded(model) == pytest.approx(
        expected(model, X[2500:], y[2500:], start=1.0)
    )


def test_named_metrics_replace_the_focal_one(model, rare):
    model.fit(*rare, eval_set=[rare], eval_metric=["auc", "average_precision"])
    assert list(model.evals_result_["training"]) == ["auc", "average_precision"]


def test_a_metric_parameter_replaces_the_focal_one(model, rare):
    model.set_params(metric="auc").fit(*rare, eval_set=[rare])
    assert list(model.evals_result_["training"]) == ["auc"]


@pytest.mark.parametrize("metric", [focal_metric(1), focal_metric(1).for_lightgbm])
def test_a_focal_metric_of_another_gamma(model, metric, rare):
    model.set_params(metric="None").fit(*rare, eval_set=[rare], eval_metric=metric)
    raw = model.predict(rare[0], raw_score=True)
    assert recorded(model, "training") == pytest.approx(focal_metric(1)(rare[1], raw))


@pytest.mark.parametrize("n_parameters", [2, 3, 4])
def test_callables_of_two_to_four_parameters(model, n_parameters, rare):
    X, y = rare
    seen = []

    def record(*arguments):
        seen.append(arguments)
        return "record", 0.0, False

    signatures = {
        2: lambda y_true, p: record(y_true, p),
        3: lambda y_true, p, weight: record(y_true, p, weight),
        4: lambda y_true, p, weight, group: record(y_true, p, weight, group),
    }
    weight = 1 + X[:, 0] ** 2
    model.fit(X, y, weight, eval_set=[(X, y)], eval_metric=signatures[n_parameters])
    arguments = seen[-1]
    np.testing.assert_allclose(arguments[1], model.predict_proba(X)[:, 1], rtol=1e-12)
    if n_parameters > 2:
        np.testing.assert_allclose(arguments[2], weight, rtol=1e-6)
    if n_parameters > 3:
        assert arguments[3] is None


@pytest.mark.parametrize("option", ["raw_score", "pred_leaf", "pred_contrib"])
def test_options_return_what_lightgbm_returns(model, option, rare):
    X, y = rare
    model.fit(X, y)
    expected = model.booster_.predict(X, **{option: True})
    for method in (model.predict, model.predict_proba):
        np.testing.assert_array_equal(method(X, **{option: True}), expected)


def test_prediction_ranges_and_parameters_pass_through(model, rare, capfd):
    X, y = rare
    model.set_params(verbosity=1).fit(X, y)
    capfd.readouterr()
    first = model.predict_proba(X, num_iteration=2, num_threads=1)
    raw = model.booster_.predict(X, raw_score=True, num_iteration=2)
    np.testing.assert_allclose(first[:, 1], FocalLoss().posterior(raw), rtol=1e-12)
    assert "Unknown parameter" not in "".join(capfd.readouterr())


def test_errors_of_lightgbm_are_passed_on(model, rare):
    with pytest.raises(lightgbm.basic.LightGBMError, match="num_leaves"):
        model.set_params(num_leaves=1).fit(*rare)


@pytest.mark.filterwarnings("ignore:The model has learned nothing")
def test_a_continuation_without_features_to_split_keeps_the_model(model, rare):
    X, y = rare
    first = model.fit(X, y)
    both = clone(model).fit(np.zeros_like(X), y, init_model=first)
    np.testing.assert_array_equal(both.predict_proba(X), first.predict_proba(X))


@pytest.mark.parametrize(
    "name", ["eval_sample_weight", "eval_class_weight", "eval_init_score"]
)
@pytest.mark.parametrize("of_set", [np.ones(900), 2.0])
def test_what_belongs_to_sets_is_a_list_or_dict(name, of_set, rare):
    X, y = rare
    model = FocalLGBMClassifier(verbosity=-1, n_jobs=1, n_estimators=2)
    with pytest.raises(ValueError, match=f"{name} must be a list of one entry for"):
        model.fit(X, y, eval_set=[(X[:900], y[:900])], **{name: of_set})


def test_class_weights_of_a_set_are_by_its_own_labels(rare):
    X, y = rare
    negatives = X[y == 0][:300]
    pair = negatives, np.zeros(300)
    model = FocalLGBMClassifier(verbosity=-1, n_jobs=1, n_estimators=2)

    def total(y_true, y_score, weight):
        return "total", float(len(y_true) if weight is None else weight.sum()), False

    sets = {"eval_set": [pair, pair], "eval_metric": total}
    model.fit(X, y, eval_class_weight=["balanced", {0: 3}], **sets)
    history = model.evals_result_
    assert history["valid_0"]["total"][-1] == 300  # LightGBM leaves out weights of 1
    assert history["valid_1"]["total"][-1] == 900
    with pytest.raises(ValueError, match=r"class_weight must be a dict by label"):
        model.fit(X, y, eval_class_weight=[3.0, None], **sets)
    with pytest.raises(ValueError, match=r"eval_class_weight must be by label.*typo"):
        model.fit(X, y, eval_class_weight=[{"typo": 3}] * 2, **sets)


def test_no_evaluation_set_comes_in_every_form(rare):
    for nothing in ([], (), None):
        model = FocalLGBMClassifier(verbosity=-1, n_jobs=1, n_estimators=2)
        assert model.fit(*rare, eval_set=nothing).evals_result_ == {}


@has_eval_pair
@pytest.mark.parametrize(
    ("features", "labels", "given"),
    [
        (2, 1, "a tuple of 2, as eval_X is; got 'a tuple of 1'"),
        (2, None, "a tuple of 2, as eval_X is; got 'no tuple'"),
        (1, None, "a tuple of 1, as eval_X is; got 'no tuple'"),
        (None, 2, "no tuple, as eval_X is; got 'a tuple of 2'"),
    ],
)
def test_as_many_labels_as_features(model, features, labels, given, rare):
    X, y = (
        one if count is None else (one,) * count
        for one, count in zip(rare, (features, labels), strict=True)
    )
    with pytest.raises(ValueError, match=f"^eval_y must be {given}"):
        model.fit(*rare, eval_X=X, eval_y=y)


@pytest.mark.parametrize("count", [1, 5])
def test_an_eval_init_score_has_a_value_for_each_row(model, count, rare):
    start = [np.ones(count)]
    with pytest.raises(ValueError, match=rf"^eval_init_score .* got \({count},\)"):
        model.fit(*rare, eval_set=[rare], eval_init_score=start)
    validation = lightgbm.Dataset(*rare, init_score=start[0])
    with pytest.raises((ValueError, lightgbm.basic.LightGBMError), match=r"[Ii]nit"):
        focalboost.lightgbm.train(
            {"verbosity": -1}, lightgbm.Dataset(*rare), 2, valid_sets=[validation]
        )


@pytest.mark.parametrize("given", [("eval_X",), ("eval_y",), ("eval_X", "eval_set")])
def test_half_of_an_evaluation_set_is_refused(given, model, rare):
    sets = {"eval_X": rare[0], "eval_y": rare[1], "eval_set": [rare]}
    with pytest.raises(ValueError, match="eval_X must be given together with eval_y"):
        model.fit(*rare, **{name: sets[name] for name in given})
