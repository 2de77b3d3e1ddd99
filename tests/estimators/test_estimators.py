"""FocalXGBClassifier and FocalLGBMClassifier."""

import pickle
import warnings

import numpy as np
import pytest
from host_drivers import XGBoostDriver
from optional import FocalLGBMClassifier, FocalXGBClassifier, lightgbm
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from focalboost import FocalLoss, focal_metric

NAME = "relative_focal_loss"

# LightGBM 4.7 prefers eval_X and eval_y, which 4.5 does not know.
pytestmark = pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")


def stopping(host, rounds=5):
    """Constructor and fit arguments for early stopping."""
    if host.name == "xgboost":
        return {"early_stopping_rounds": rounds}, {"verbose": False}
    return {}, {"callbacks": [lightgbm.early_stopping(rounds, verbose=False)]}


def evaluations(model):
    return next(iter(model.evals_result_.values()))


@pytest.mark.parametrize(("gamma", "alpha"), [(2, None), (0.5, 0.25), ((0, 2), 0.75)])
def test_predict_proba_is_the_posterior_of_the_raw_prediction(host, gamma, alpha, rare):
    X, y = rare
    model = host.estimator(focal_gamma=gamma, focal_alpha=alpha).fit(X, y)
    raw = model.predict(X, **host.margin_option()).astype(np.float64)
    loss = FocalLoss(gamma, alpha)
    assert model.focal_loss_ == loss
    proba = model.predict_proba(X)
    assert proba.shape == (len(y), 2)
    np.testing.assert_allclose(proba[:, 1], loss.posterior(raw), rtol=1e-12)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-14)
    decision = model.decision_function(X)
    np.testing.assert_allclose(decision, loss.posterior_log_odds(raw), rtol=1e-12)
    np.testing.assert_allclose(logit(proba[:, 1]), decision, atol=1e-9)
    np.testing.assert_array_equal(model.predict(X), (proba[:, 1] > 0.5).astype(int))


def test_probabilities_are_calibrated_where_the_score_is_not(host):
    from conftest import make_rare

    X, y = make_rare(30_000, intercept=-5.5)
    half = len(y) // 2
    model = host.estimator(n_estimators=60, learning_rate=0.1, max_depth=3)
    model.fit(X[:half], y[:half])
    X, y = X[half:], y[half:]
    score = expit(model.predict(X, **host.margin_option()).astype(float))
    probability = model.predict_proba(X)[:, 1]
    assert probability.mean() == pytest.approx(y.mean(), rel=0.25)
    assert score.mean() > 4 * y.mean()
    assert log_loss(y, probability) < log_loss(y, score) / 2


@pytest.mark.parametrize(
    "labels",
    [["good", "bad"], [False, True], [1, 2], [-1, 1], [0.0, 1.0], ["a", "ä"]],
    ids=str,
)
def test_any_two_labels(host, labels, rare):
    X, y = rare
    named = np.array(sorted(labels))[y.astype(int)]
    model = host.estimator(n_estimators=5).fit(X, named)
    plain = host.estimator(n_estimators=5).fit(X, y)
    np.testing.assert_array_equal(model.classes_, sorted(labels))
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))
    np.testing.assert_array_equal(
        model.predict(X), model.classes_[plain.predict(X).astype(int)]
    )
    assert model.score(X, named) == plain.score(X, y)


def test_a_single_class_raises(host, rare):
    X, y = rare
    with pytest.raises(ValueError, match="y must be labels of two classes or more"):
        host.estimator().fit(X, np.zeros_like(y))


def test_pandas_frames_and_series(host, rare):
    pandas = pytest.importorskip("pandas")
    X, y = rare
    frame = pandas.DataFrame(X, columns=list("abcde"))
    model = host.estimator(n_estimators=5).fit(frame, pandas.Series(y))
    plain = host.estimator(n_estimators=5).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(frame), plain.predict_proba(X))
    assert list(model.feature_names_in_) == list("abcde")


@pytest.mark.parametrize(
    ("dtype", "kind"), [("Int64", "int64"), ("boolean", "bool"), ("UInt8", "uint8")]
)
def test_nullable_labels_keep_their_type(host, dtype, kind, rare):
    pandas = pytest.importorskip("pandas")
    X, y = rare
    labels = pandas.Series(y.astype(kind)).astype(dtype)
    model = host.estimator(n_estimators=2).fit(X, labels)
    assert model.predict(X).dtype == model.classes_.dtype == kind
    with pytest.raises(ValueError, match=r"Input y contains NaN|missing"):
        model.fit(X, labels.where(y == 0))


def test_sample_weight_and_class_weight_multiply(host, mixed):
    X, y = mixed
    weight = 1 + X[:, 1] ** 2
    both = host.estimator(class_weight={0: 1.0, 1: 3.0}).fit(X, y, sample_weight=weight)
    product = host.estimator().fit(X, y, sample_weight=weight * (1 + 2 * y))
    np.testing.assert_allclose(
        both.predict_proba(X), product.predict_proba(X), rtol=1e-6
    )
    ignored = host.estimator().fit(X, y)
    assert abs(both.predict_proba(X) - ignored.predict_proba(X)).max() > 0.05


def test_balanced_class_weight(host, mixed):
    X, y = mixed
    balanced = host.estimator(class_weight="balanced").fit(X, y)
    weight = np.where(y == 1, 0.5 / y.mean(), 0.5 / (1 - y.mean()))
    explicit = host.estimator().fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(
        balanced.predict_proba(X), explicit.predict_proba(X), rtol=1e-6
    )


def test_early_stopping_watches_the_relative_focal_loss(host, rare):
    X, y = rare
    constructor, arguments = stopping(host)
    constructor["focal_balance"] = False  # rounds are evaluated before the balance
    model = host.estimator(n_estimators=300, learning_rate=0.3, **constructor)
    model.fit(X[:2500], y[:2500], eval_set=[(X[2500:], y[2500:])], **arguments)
    seen = evaluations(model)
    assert list(seen) == [NAME]
    best = int(np.argmin(seen[NAME]))
    assert len(seen[NAME]) == best + 6
    raw = model.predict(X[2500:], **host.margin_option())
    assert seen[NAME][best] == pytest.approx(focal_metric()(y[2500:], raw), abs=1e-6)


@pytest.mark.parametrize(
    ("arranged", "n_sets"),
    [
        (lambda a, b: [a, b], 2),
        (lambda a, b: (a, b), 2),
        (lambda a, b: ([*a], [*b]), 2),
        (lambda a, b: a, 1),
        (lambda a, b: [[*a]], 1),
    ],
    ids=["list", "tuple", "lists in a tuple", "one pair", "one list"],
)
def test_evaluation_sets_come_in_every_form(host, arranged, n_sets, mixed):
    X, y = (part[:600] for part in mixed)
    model = host.estimator(n_estimators=3)
    model.fit(X, y, eval_set=arranged((X, y), (X[:500], y[:500])))
    history = model.evals_result() if host.name == "xgboost" else model.evals_result_
    assert len(history) == n_sets


def test_train_and_the_estimator_stop_at_the_same_round(host, rare):
    X, y = rare
    weight = 1 + X[:, 0] ** 2
    train, valid = slice(0, 2500), slice(2500, None)
    data = host.data(X[train], y[train], weight[train])
    other = host.data(X[valid], y[valid], weight[valid], reference=data)
    result, record = host.recorder()
    params = {"learning_rate": 0.3, "max_depth": 4}
    host.train(data, 200, params, [other], stopping_rounds=5, **record)
    constructor, arguments = stopping(host)
    model = host.estimator(n_estimators=200, **params, **constructor)
    name = "sample_weight_eval_set" if host.name == "xgboost" else "eval_sample_weight"
    arguments[name] = [weight[valid]]
    pair = (X[valid], y[valid])
    model.fit(
        X[train], y[train], sample_weight=weight[train], eval_set=[pair], **arguments
    )
    np.testing.assert_allclose(
        evaluations(model)[NAME], host.history(result), atol=2e-6
    )


def test_evaluation_sets_carry_weights_and_class_weights(host, rare):
    X, y = rare
    weight = 1 + X[2500:, 0] ** 2
    name = "sample_weight_eval_set" if host.name == "xgboost" else "eval_sample_weight"
    model = host.estimator(n_estimators=5, focal_balance=False)
    quiet = {"verbose": False} if host.name == "xgboost" else {}
    labels = np.array(["no", "yes"])[y.astype(int)]
    model.set_params(class_weight={"no": 1, "yes": 5})
    model.fit(
        X[:2500],
        labels[:2500],
        eval_set=[(X[2500:], labels[2500:])],
        **{name: [weight]},
        **quiet,
    )
    raw = model.predict(X[2500:], **host.margin_option())
    expected = focal_metric()(y[2500:], raw, weight * (1 + 4 * y[2500:]))
    assert evaluations(model)[NAME][-1] == pytest.approx(expected, abs=2e-6)


def test_unknown_labels_in_an_evaluation_set_raise(host, rare):
    X, y = rare
    with pytest.raises(
        ValueError, match=r"eval_set must be made of the labels \[0.0, 1.0\]"
    ):
        host.estimator().fit(X, y, eval_set=[(X, y + 1)])


def test_callable_metrics_get_the_posterior(host, rare):
    X, y = rare

    def log_loss_of(y_true, y_score):
        value = log_loss(y_true, y_score)
        return value if host.name == "xgboost" else ("log_loss_of", value, False)

    if host.name == "xgboost":
        options = {"eval_metric": log_loss_of, "focal_balance": False}
        model = host.estimator(n_estimators=5, **options)
        model.fit(X, y, eval_set=[(X, y)], verbose=False)
    else:
        model = host.estimator(n_estimators=5, focal_balance=False)
        model.fit(X, y, eval_set=[(X, y)], eval_metric=log_loss_of)
    recorded = evaluations(model)["log_loss_of"][-1]
    assert recorded == pytest.approx(log_loss(y, model.predict_proba(X)), abs=2e-6)


def test_clone_and_params(host):
    model = host.estimator(focal_gamma=(0, 2), focal_alpha=0.3, max_depth=3)
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert copy.set_params(focal_gamma=1).focal_gamma == 1
    assert "focal_gamma=(0, 2)" in repr(model)
    assert isinstance(model, host.host_classifier)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"focal_gamma": -1}, "focal_gamma must be a number from 0"),
        ({"focal_alpha": 2}, "focal_alpha must be a number between 0 and 1"),
        ({"scale_pos_weight": 10}, "scale_pos_weight.* must be 1"),
        ({"objective": "regression"}, "objective.* must be 'binary"),
        ({"learning_rate": 2.5}, "learning_rate must be a number between 0 and 2"),
    ],
)
def test_wrong_parameters_raise_in_fit(host, params, message, rare):
    model = host.estimator(**params)
    with pytest.raises(ValueError, match=message):
        model.fit(*rare)


def test_a_learning_rate_of_0_is_refused_where_lightgbm_refuses_it(rare):
    """XGBoost takes it, as the start of a schedule."""
    with pytest.raises(ValueError, match=r"got 0\. Use 0\.3: a rate of 0 trains"):
        FocalLGBMClassifier(learning_rate=0).fit(*rare)


def test_gamma_and_alpha_are_xgboost_s_own(rare):
    plain = XGBoostDriver().estimator(n_estimators=3).fit(*rare)
    given = {"min_split_loss": 5, "alpha": 0.25}
    model = XGBoostDriver().estimator(n_estimators=3, **given).fit(*rare)
    assert model.focal_loss_ == plain.focal_loss_ == FocalLoss(2)
    assert abs(model.predict_proba(rare[0]) - plain.predict_proba(rare[0])).max() > 0.01


@pytest.mark.parametrize("name", ["gamma", "alpha"])
def test_gamma_and_alpha_are_refused_for_lightgbm(name, rare):
    with pytest.raises(ValueError, match=f"Did you mean focal_{name}"):
        FocalLGBMClassifier(**{name: 0.25}).fit(*rare)


def test_a_metric_of_probabilities_by_name_is_refused(host, rare):
    name = {"xgboost": "logloss", "lightgbm": "binary_logloss"}[host.name]
    constructor = {"eval_metric": name} if host.name == "xgboost" else {"metric": name}
    with pytest.raises(ValueError, match="metric of the ranking"):
        host.estimator(**constructor).fit(*rare)


def test_a_metric_of_probabilities_in_lightgbm_s_fit_is_refused(rare):
    with pytest.raises(ValueError, match="metric of the ranking"):
        FocalLGBMClassifier().fit(*rare, eval_metric=["auc", "binary_error"])


@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_pickle(host, protocol, rare):
    X, y = rare
    model = host.estimator(focal_gamma=(0, 2)).fit(X, y, sample_weight=1 + y)
    loaded = pickle.loads(pickle.dumps(model, protocol))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.focal_loss_ == model.focal_loss_


def test_grid_search_over_gamma_tells_candidates_apart(host, rare):
    X, y = rare
    grid = {"focal_gamma": [0, 0.5, 2, (0, 2)], "focal_alpha": [None, 0.25]}
    search = GridSearchCV(
        host.estimator(n_estimators=10), grid, scoring="neg_log_loss", cv=3
    ).fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) == 8
    best = pickle.loads(pickle.dumps(search.best_estimator_))
    assert average_precision_score(y, best.predict_proba(X)[:, 1]) > 10 * y.mean()


def test_pipeline_with_string_labels(host, rare):
    X, y = rare
    labels = np.where(y == 1, "fraud", "ok")
    model = make_pipeline(StandardScaler(), host.estimator(n_estimators=5))
    proba = model.fit(X, labels).predict_proba(X)
    fraud = list(model.classes_).index("fraud")
    assert average_precision_score(y, proba[:, fraud]) > 10 * y.mean()


@pytest.mark.filterwarnings("ignore:Of the labels .* the later in order")
def test_mirrored_labels_mirror_the_model(host, mixed):
    X, y = mixed
    one = host.estimator(focal_gamma=(0, 2), focal_alpha=0.25).fit(X, y)
    other = host.estimator(focal_gamma=(2, 0), focal_alpha=0.75).fit(X, 1 - y)
    np.testing.assert_allclose(
        one.predict_proba(X), other.predict_proba(X)[:, ::-1], rtol=0, atol=1e-5
    )


def test_changing_a_parameter_after_fit_does_not_change_the_model(host, rare):
    X, y = rare
    model = host.estimator(focal_gamma=2).fit(X, y)
    before = model.predict_proba(X)
    model.set_params(focal_gamma=5, focal_alpha=0.1)
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_fitting_leaves_parameters_alone(host, rare):
    model = host.estimator(focal_gamma=1, class_weight="balanced")
    before = model.get_params()
    model.fit(*rare)
    after = model.get_params()
    assert before == after or {k for k in before if before[k] != after[k]} == {
        "missing"
    }


def test_the_booster_is_the_plain_model(host, rare):
    X, y = rare
    model = host.estimator().fit(X, y)
    booster = model.get_booster() if host.name == "xgboost" else model.booster_
    raw = model.predict(X, **host.margin_option())
    np.testing.assert_allclose(host.probability(booster, X), expit(raw), rtol=1e-6)


def test_fit_warns_of_nothing(host, rare):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        host.estimator(class_weight="balanced").fit(*rare)


def test_continuing_from_a_model(host, rare):
    X, y = rare
    name = "xgb_model" if host.name == "xgboost" else "init_model"
    first = host.estimator(n_estimators=5).fit(X, y)
    second = host.estimator(n_estimators=5).fit(X, y, **{name: first})
    whole = host.estimator(n_estimators=10).fit(X, y)
    np.testing.assert_allclose(
        second.predict_proba(X), whole.predict_proba(X), rtol=0, atol=1e-6
    )


def test_a_single_class_in_a_validation_set_still_evaluates(host, rare):
    X, y = rare
    negatives = X[y == 0][:100]
    quiet = {"verbose": False} if host.name == "xgboost" else {}
    model = host.estimator(n_estimators=3)
    model.fit(X, y, eval_set=[(negatives, np.zeros(100))], **quiet)
    assert np.isfinite(evaluations(model)[NAME]).all()


def test_a_metric_without_weights_and_class_weights(host, rare):
    def accuracy(y_true, y_score):
        value = float(np.mean((y_score > 0.5) == y_true))
        return value if host.name == "xgboost" else ("accuracy", value, True)

    model = host.estimator(n_estimators=3, class_weight="balanced")
    if host.name == "xgboost":
        model.set_params(eval_metric=accuracy)
        model.fit(*rare, eval_set=[rare], verbose=False)
    else:
        model.fit(*rare, eval_set=[rare], eval_metric=accuracy)
    assert evaluations(model)["accuracy"][-1] == pytest.approx(
        model.score(*rare), abs=1e-6
    )


def test_too_few_rows_to_split_give_a_constant(host):
    X, y = np.arange(60.0).reshape(30, 2), np.arange(30) % 3 == 0
    impossible = {"min_child_weight": 1e6} if host.name == "xgboost" else {}
    with pytest.warns(UserWarning, match="has learned nothing"):
        model = host.estimator(**impossible).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], 1 / 3, rtol=1e-5)
    assert pickle.loads(pickle.dumps(model)).predict(X).tolist() == [False] * 30


def test_a_scheduled_learning_rate_has_its_parameter(host, rare):
    with pytest.raises(ValueError, match=r"at least the learning rate, 0\.5"):
        host.estimator(learning_rate=0.5, focal_max_learning_rate=0.4).fit(*rare)
    high = host.estimator(focal_max_learning_rate=1.9, n_estimators=3).fit(*rare)
    usual = host.estimator(n_estimators=3).fit(*rare)
    assert abs(high.predict_proba(rare[0]) - usual.predict_proba(rare[0])).max() > 1e-3


def test_dates_as_labels(host, rare):
    X, y = rare
    dates = np.where(y == 1, np.datetime64("2021-01-01"), np.datetime64("2020-01-01"))
    model = host.estimator(n_estimators=3).fit(X, dates)
    np.testing.assert_array_equal(np.unique(model.classes_), np.unique(dates))
    plain = host.estimator(n_estimators=3).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_features_and_labels_of_different_length(host, rare):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        host.estimator().fit(rare[0], rare[1][:-1])


def test_continuing_an_early_stopped_model_adds_to_its_best_rounds(host, rare):
    X, y = rare
    constructor, arguments = stopping(host, 3)
    constructor["focal_balance"] = False
    first = host.estimator(n_estimators=100, learning_rate=0.5, **constructor)
    first.fit(X[:2500], y[:2500], eval_set=[(X[2500:], y[2500:])], **arguments)
    name = "xgb_model" if host.name == "xgboost" else "init_model"
    second = host.estimator(n_estimators=4, focal_balance=False)
    second.fit(X, y, **{name: first})
    if host.name == "xgboost":
        rounds = first.best_iteration + 1
        assert second.get_booster().num_boosted_rounds() == rounds + 4
        assert second.get_booster().attr("best_iteration") is None
        raw = second.predict(X, output_margin=True, iteration_range=(0, rounds))
    else:
        rounds = first.best_iteration_
        assert second.booster_.num_trees() == rounds + 4
        raw = second.predict(X, raw_score=True, num_iteration=rounds)
    np.testing.assert_allclose(raw, first.predict(X, **host.margin_option()), atol=1e-6)
    assert abs(second.predict(X, **host.margin_option()) - raw).max() > 1e-3


@pytest.mark.filterwarnings("ignore:.*booster=gblinear. is deprecated")
def test_continuing_an_early_stopped_linear_model_adds_to_what_it_predicts(rare):
    X, y = rare
    linear = {"booster": "gblinear", "updater": "coord_descent", "n_jobs": 1}
    linear["focal_balance"] = False
    first = FocalXGBClassifier(**linear, learning_rate=0.3, early_stopping_rounds=1)
    sets = {"eval_set": [(X[:2500], 1 - y[:2500])], "verbose": False}  # rises at once
    first.fit(X[:2500], y[:2500], **sets)
    assert first.best_iteration + 1 < first.get_booster().num_boosted_rounds()
    second = FocalXGBClassifier(**linear, n_estimators=1, learning_rate=1e-9)
    second.fit(X, y, xgb_model=first)
    raws = [model.predict(X, output_margin=True) for model in (first, second)]
    np.testing.assert_allclose(*raws, atol=1e-6)
    assert second.get_booster().attr("best_iteration") is None
    assert first.get_booster().attr("best_iteration") is not None


def test_a_subclass_has_the_parameters_of_its_base(host):
    class Mine(host.classifier):
        def __init__(self, extra=1, **params):
            super().__init__(**params)
            self.extra = extra

    given = {"extra": 3, "n_estimators": 7, "focal_gamma": 1.0, "bagging_seed": 2}
    params = clone(Mine(**given)).get_params()
    assert {name: params[name] for name in given} == given
    assert set(host.classifier().get_params()) < set(params)


@pytest.mark.parametrize("kind", [int, bool])
def test_labels_that_are_python_s_numbers(kind, host, rare):
    X, y = rare
    labels = np.array([kind(one) for one in y], dtype=object)
    model = host.estimator(n_estimators=2).fit(X, labels)
    np.testing.assert_array_equal(model.classes_, np.unique(y.astype(kind)))
    assert model.classes_.dtype == np.array([kind(0)]).dtype


def test_starts_of_another_shape_are_refused_where_some_rows_do_not_count(host, faults):
    X, y = faults
    name = "base_margin" if host.name == "xgboost" else "init_score"
    weight = np.arange(len(y)) % 3
    for start in (np.zeros((3, len(y))), np.zeros(7)):
        with pytest.raises(ValueError, match=rf"{name} must be of shape \(3000,\) or"):
            host.estimator().fit(X, y, sample_weight=weight, **{name: start})


def test_a_series_is_no_pair_of_gammas(host, rare):
    """By position it would reverse one that is by label."""
    pandas = pytest.importorskip("pandas")
    model = host.estimator(focal_gamma=pandas.Series({0: 2.0, 1: 0.0}))
    with pytest.raises(ValueError, match="focal_gamma must be a number from 0"):
        model.fit(*rare)
