"""Messages that name the cause of a mistake, and what to type."""

import inspect
import re
import warnings
from functools import partial

import numpy as np
import pytest
from host_drivers import LightGBMDriver, XGBoostDriver
from optional import FocalXGBClassifier, xgboost
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss, SoftmaxFocalLoss, focal_metric, focal_objective


def test_several_classes_without_num_class(host, faults):
    with pytest.raises(ValueError, match="num_class=K in the params of train"):
        host.train(host.data(*faults), 2)


def test_an_evaluation_set_without_labels(host, mixed):
    X, y = mixed
    name = {"xgboost": "evals", "lightgbm": "valid_sets"}[host.name]
    with pytest.raises(ValueError, match=f"^{name} must be with labels; got 'none'"):
        host.train(host.data(X, y), 2, evals=[host.data(X, None)])


def test_a_metric_of_one_s_own_may_do_without_labels(mixed):
    X, y = mixed
    data, unlabelled, seen = xgboost.DMatrix(X, y), [(xgboost.DMatrix(X), "new")], {}
    options = {"evals": unlabelled, "evals_result": seen, "verbose_eval": False}
    options["custom_metric"] = lambda raw, _: ("mean", float(raw.mean()))
    focalboost.xgboost.train({"nthread": 1}, data, 2, **options)
    assert len(seen["new"]["mean"]) == 2
    with pytest.raises(ValueError, match="evals must be with labels"):
        focalboost.xgboost.train(
            {"nthread": 1}, data, 2, **options, balance="validation"
        )


def test_a_gamma_that_leaves_nothing_to_learn(host, mixed):
    with pytest.warns(UserWarning, match="The focusing parameter is 50, which makes"):
        host.train(host.data(*mixed), 2, loss=FocalLoss(gamma=50))
    with pytest.warns(UserWarning, match=r"vanish\. Use one from 0 to 5"):
        host.estimator(n_estimators=2, focal_gamma=50).fit(*mixed)


def test_a_pair_of_alphas_becomes_a_dict(host, mixed):
    X, y = mixed
    labels = np.where(y > 0, "yes", "no")
    for pair, advice in (
        ((0.25, 0.75), "Use focal_alpha={'no': 0.25, 'yes': 0.75}."),
        (np.array([1, 9]), "Use class_weight={'no': 1, 'yes': 9}."),
    ):
        model = host.estimator(n_estimators=2, focal_alpha=pair)
        with pytest.raises(ValueError, match=re.escape(advice)):
            model.fit(X, labels)


def test_the_weight_of_positives(host, mixed):
    rule = r"^scale_pos_weight must be 1; got 500\. .* use class_weight=\{1: 500\}"
    for call in (
        lambda: host.estimator(scale_pos_weight=500).fit(*mixed),
        lambda: host.train(host.data(*mixed), 2, {"scale_pos_weight": 500}),
    ):
        with pytest.raises(ValueError, match=rule):
            call()


def test_class_weights_are_those_of_estimators(host, mixed):
    for call in (host.train, partial(host.cv, folds=None)):
        with pytest.raises(ValueError, match="class_weight must be left out; got 'bal"):
            call(host.data(*mixed), 2, params={"class_weight": "balanced"})


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        (focal_objective(2), "Use loss=FocalLoss(gamma=2.0, alpha=None)."),
        (focal_metric(0), "Use loss=FocalLoss(gamma=0.0, alpha=None)."),
        (2, "Use loss=FocalLoss(gamma=2)."),
        ((0, 2), "Use loss=FocalLoss(gamma=2)."),
    ],
)
def test_what_is_no_loss(host, given, advice, mixed):
    with pytest.raises(ValueError, match=re.escape(advice)):
        host.train(host.data(*mixed), 2, loss=given)


@pytest.mark.parametrize(
    "given", [FocalLoss(3), focal_objective(3), SoftmaxFocalLoss(3, 3)], ids=str
)
@pytest.mark.parametrize("name", ["objective", "loss", "obj"])
def test_a_loss_among_the_parameters(host, name, given, mixed):
    with pytest.raises(ValueError, match=f"{name} must be left out; .*focal_gamma=3.0"):
        host.estimator(**{name: given}).fit(*mixed)
    with pytest.raises(ValueError, match="With train, use loss="):
        host.train(host.data(*mixed), 2, {name: given})


@pytest.mark.parametrize("given", [FocalLoss(3), focal_objective(3)], ids=str)
def test_an_objective_beside_the_loss(given, mixed):
    advice = r"obj must be left out; got .* Use loss=FocalLoss\(gamma=3.0, alpha=None"
    with pytest.raises(ValueError, match=advice):
        focalboost.xgboost.train({}, xgboost.DMatrix(*mixed), 2, obj=given)


def test_gamma_of_xgboost_in_place_of_the_focusing_parameter(mixed):
    message = "the focusing parameter is 2.0. With an estimator, use focal_gamma=5"
    for call in (
        lambda: FocalXGBClassifier(gamma=5, n_estimators=2).fit(*mixed),
        lambda: XGBoostDriver().train(xgboost.DMatrix(*mixed), 2, {"gamma": 5}),
    ):
        with pytest.warns(UserWarning, match=f"{message}.*write min_split_loss=5"):
            call()


@pytest.mark.parametrize(
    "params",
    [
        {"gamma": 0.1},
        {"gamma": 0},
        {"min_split_loss": 5},
        {"gamma": 5, "focal_gamma": 1},
        {"gamma": 5, "focal_gamma": (0, 2)},
        {"alpha": 0.25},
    ],
    ids=str,
)
def test_gamma_of_xgboost_that_is_meant(params, mixed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        FocalXGBClassifier(n_estimators=2, n_jobs=1, **params).fit(*mixed)


@pytest.mark.parametrize("name", ["gamma", "alpha"])
@pytest.mark.parametrize("pair", [(0, 2), [0.25, 0.75], {0: 1, 1: 2}], ids=str)
def test_a_pair_of_numbers_for_a_parameter_of_xgboost(name, pair, mixed):
    advice = re.escape(f"With an estimator, use focal_{name}={pair}.")
    with pytest.raises(ValueError, match=f"{name} must be a number.*{advice}"):
        FocalXGBClassifier(**{name: pair}).fit(*mixed)
    with pytest.raises(ValueError, match=re.escape(f"use loss=FocalLoss({name}=")):
        XGBoostDriver().train(xgboost.DMatrix(*mixed), 2, {name: pair})


def test_a_score_that_xgboost_minimises(mixed):
    X, y = mixed
    model = FocalXGBClassifier(n_estimators=2, eval_metric=average_precision_score)
    with pytest.warns(UserWarning, match="XGBoost minimises average_precision_score"):
        model.fit(X, y, eval_set=[(X, y)], verbose=False)

    model.set_params(eval_metric=partial(roc_auc_score, max_fpr=0.1))
    with pytest.warns(UserWarning, match="XGBoost minimises roc_auc_score"):
        model.fit(X, y, eval_set=[(X, y)], verbose=False)
    assert list(model.evals_result_["validation_0"]) == ["roc_auc_score"]

    def my_score(raw, data_set):
        return "mine", average_precision_score(data_set.get_label(), raw)

    data_set = xgboost.DMatrix(X, y)
    with pytest.warns(UserWarning, match="a function that returns 1 - my_score"):
        XGBoostDriver().train(data_set, 2, evals=[data_set], custom_metric=my_score)


def test_a_score_that_xgboost_maximises(mixed):
    X, y = mixed
    stop = xgboost.callback.EarlyStopping(rounds=2, maximize=True)
    options = {"n_estimators": 3, "eval_metric": average_precision_score}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = FocalXGBClassifier(**options, callbacks=[stop])
        model.fit(X, y, eval_set=[(X, y)], verbose=False)
        FocalXGBClassifier(n_estimators=2, eval_metric=log_loss).fit(X, y)


# LightGBM 4.7 prefers eval_X and eval_y, which 4.5 does not know.
@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
@pytest.mark.parametrize("metric", [average_precision_score, log_loss])
def test_a_metric_of_scikit_learn_in_lightgbm(metric, mixed):
    X, y = mixed
    name = metric.__name__
    advice = f"Use lambda y, p: ('{name}', {name}(y, p), True), or False for a loss."
    model = LightGBMDriver().estimator(n_estimators=2)
    with pytest.raises(ValueError, match=re.escape(advice)):
        model.fit(X, y, eval_set=[(X, y)], eval_metric=metric)


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
@pytest.mark.parametrize(
    ("metric", "call"),
    [
        (partial(roc_auc_score, max_fpr=0.1), "('roc_auc_score', metric(y, p), True)"),
        (lambda y, p: roc_auc_score(y, p), "('<lambda>', metric(y, p), True)"),
    ],
    ids=["partial", "lambda"],
)
def test_a_metric_without_a_name_of_its_own_in_lightgbm(metric, call, mixed):
    X, y = mixed
    model = LightGBMDriver().estimator(n_estimators=2)
    with pytest.raises(ValueError, match=re.escape(f"Use lambda y, p: {call}")):
        model.fit(X, y, eval_set=[(X, y)], eval_metric=metric)


@pytest.mark.parametrize("weight", [1e20, 1e36])
def test_weights_whose_sums_xgboost_cannot_square(weight, mixed):
    X, y = mixed
    weights = np.full(len(y), weight)
    rule = r"sample_weight must be of a total of at most 1e\+18 with XGBoost"
    with pytest.raises(ValueError, match=rule):
        FocalXGBClassifier().fit(X, y, sample_weight=weights)
    with pytest.raises(ValueError, match=rule):
        XGBoostDriver().train(xgboost.DMatrix(X, y, weight=weights), 2)


def test_the_largest_weights_train(host, mixed):
    """Those of 1e18 in all with XGBoost, and 1e37 each with LightGBM."""
    X, y = mixed
    weight = 1e18 / len(y) * (1 - 1e-6) if host.name == "xgboost" else 1e37
    plain, large = (
        host.train(host.data(X, y, weight=np.full(len(y), size)), 20)
        for size in (1e3, weight)
    )
    shares = [np.corrcoef(host.raw(model, X), y)[0, 1] for model in (plain, large)]
    assert shares[1] == pytest.approx(shares[0], abs=0.01)


def test_a_warning_points_at_the_line_that_called(host, rare):
    """Between that line and the warning are wrappers of the hosts and of contextlib."""
    X, y = rare
    model = host.train(host.data(X, y), 2, loss=FocalLoss(1))
    calls = {
        "was trained with": lambda: host.train(
            host.data(X, y), 2, **host.continued(model)
        ),
        "The focusing parameter is 50": lambda: host.estimator(focal_gamma=50).fit(
            X, y
        ),
        "look like focal scores": lambda: FocalLoss().posterior(np.linspace(0, 1, 100)),
        "Training starts from": lambda: host.plain_train(
            host.data(X, y), 2, objective=focal_objective()
        ),
    }
    for text, call in calls.items():
        with pytest.warns(UserWarning, match=text) as caught:
            call()
        (found,) = (one for one in caught if text in str(one.message))
        assert found.filename in (__file__, inspect.getfile(type(host)))
