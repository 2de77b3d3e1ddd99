"""The estimators inside the tools of the field, each of which runs for real."""

import pickle

import numpy as np
import pytest
import sklearn
from optional import optional
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectFromModel
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    average_precision_score,
    confusion_matrix,
    get_scorer,
    log_loss,
    make_scorer,
)
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    HalvingRandomSearchCV,
    TunedThresholdClassifierCV,
    cross_val_predict,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NAMES = np.array(["ok", "fraud"])


@pytest.fixture(scope="module")
def small(mixed):
    """Some rows of three positives in ten."""
    return mixed[0][:900], mixed[1][:900].astype(int)


@pytest.fixture
def frame(small):
    pandas = optional("pandas")
    X, y = small
    table = pandas.DataFrame(X, columns=list("abcde"))
    table["e"] = np.array(["x", "y", "z"])[(X[:, 4] > 0).astype(int) + (X[:, 3] > 0)]
    return table, NAMES[y]


def test_grid_search_in_processes_tells_gammas_apart(host, small):
    X, y = small
    grid = {"focal_gamma": [0, 0.5, 2, (0, 2)], "focal_alpha": [None, 0.25]}
    search = GridSearchCV(
        host.estimator(n_estimators=8), grid, scoring="neg_log_loss", cv=2, n_jobs=2
    )
    search.fit(X, np.array(["no", "yes"])[y])
    assert len(set(search.cv_results_["mean_test_score"])) == 8
    best = search.best_estimator_
    assert best.focal_loss_.alpha == search.best_params_["focal_alpha"]
    copied = pickle.loads(pickle.dumps(best))
    np.testing.assert_array_equal(copied.predict_proba(X), best.predict_proba(X))


def test_halving_search_in_processes(host, small):
    space = {"focal_gamma": [0, 0.5, 1, 2, 5], "focal_alpha": [None, 0.25, 0.75]}
    search = HalvingRandomSearchCV(
        host.estimator(),
        space,
        resource="n_estimators",
        min_resources=2,
        max_resources=12,
        scoring="neg_log_loss",
        cv=2,
        n_jobs=2,
        random_state=0,
    )
    search.fit(*small)
    assert len(set(search.cv_results_["iter"])) > 1
    assert search.best_estimator_.n_estimators == max(search.cv_results_["n_resources"])
    scores = search.cv_results_["mean_test_score"][search.cv_results_["iter"] == 0]
    assert len(set(scores)) == len(scores)


def test_cross_validated_predictions_in_processes(host, small):
    X, y = small
    model = host.estimator(n_estimators=20)
    options = {"cv": 3, "method": "predict_proba"}
    probability = cross_val_predict(model, X, y, n_jobs=2, **options)
    alone = cross_val_predict(model, X, y, **options)
    np.testing.assert_array_equal(probability, alone)
    assert log_loss(y, probability) < 0.85 * log_loss(y, np.full(len(y), y.mean()))
    decision = cross_val_predict(model, X, y, cv=3, method="decision_function")
    assert average_precision_score(y, decision) == pytest.approx(
        average_precision_score(y, probability[:, 1]), abs=1e-6
    )


def test_a_pipeline_of_columns(host, frame):
    table, labels = frame
    columns = ColumnTransformer(
        [("number", StandardScaler(), list("abcd")), ("text", OneHotEncoder(), ["e"])]
    )
    model = make_pipeline(columns, host.estimator(n_estimators=10))
    model.fit(table, labels)
    assert model.predict_proba(table).shape == (len(table), 2)
    assert set(model.predict(table)) <= set(NAMES)
    assert model[-1].n_features_in_ == 7


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_names_of_features_arrive_through_set_output(host, container, frame):
    optional(container)
    if container == "polars":
        first = {"xgboost": "3.1", "lightgbm": "4.7"}[host.name]
        pytest.importorskip(host.name, minversion=first)
    table, labels = frame
    scaler = StandardScaler().set_output(transform=container)
    model = make_pipeline(scaler, host.estimator(n_estimators=3))
    model.fit(table[list("abcd")], labels)
    assert list(model[-1].feature_names_in_) == list("abcd")
    assert model.predict_proba(table[list("abcd")]).shape == (len(table), 2)


def test_metadata_is_routed(host, small):
    X, y = small
    weight = 1.0 + 9 * y
    with sklearn.config_context(enable_metadata_routing=True):
        model = host.estimator(n_estimators=5).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model)
        grid = {f"{type(model).__name__.lower()}__focal_gamma": [1]}
        scorer = get_scorer("average_precision").set_score_request(sample_weight=False)
        search = GridSearchCV(pipeline, grid, scoring=scorer, cv=2)
        search.fit(X, y, sample_weight=weight)
        routed = search.best_estimator_.predict_proba(X)
    scaled = scaler.fit_transform(X)
    direct = host.estimator(n_estimators=5, focal_gamma=1)
    direct.fit(scaled, y, sample_weight=weight)
    np.testing.assert_array_equal(routed, direct.predict_proba(scaled))
    ignored = direct.fit(scaled, y).predict_proba(scaled)
    assert abs(routed - ignored).max() > 0.1


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibration(host, method, small):
    X, y = small
    model = CalibratedClassifierCV(host.estimator(n_estimators=10), method=method, cv=2)
    probability = model.fit(X[:600], NAMES[y[:600]]).predict_proba(X[600:])
    fraud = list(model.classes_).index("fraud")
    assert log_loss(y[600:], probability[:, fraud]) < 0.55


def test_a_tuned_threshold(host, small):
    X, y = small

    def gain(y_true, y_pred):
        """A caught fraud is worth 10, an alert costs 1."""
        ((_, false), (_, caught)) = confusion_matrix(y_true, y_pred)
        return 10 * caught - (caught + false)

    model = TunedThresholdClassifierCV(
        host.estimator(n_estimators=20), scoring=make_scorer(gain), cv=3
    ).fit(X, y)
    # The best threshold of a probability is the price of an alert over its worth.
    assert 0.02 < model.best_threshold_ < 0.35
    fixed = FixedThresholdClassifier(host.estimator(n_estimators=20), threshold=0.1)
    assert gain(y, fixed.fit(X, y).predict(X)) > gain(y, fixed.estimator_.predict(X))


def test_stacking_and_voting(host, small):
    X, y = small
    members = [
        (f"gamma {gamma}", host.estimator(n_estimators=8, focal_gamma=gamma))
        for gamma in (0, 2)
    ]
    stacked = StackingClassifier(members, LogisticRegression(), cv=2).fit(X, y)
    voted = VotingClassifier(members, voting="soft").fit(X, y)
    mean = np.mean([m.predict_proba(X) for m in voted.estimators_], axis=0)
    np.testing.assert_allclose(voted.predict_proba(X), mean, rtol=1e-12)
    assert stacked.predict_proba(X).shape == (len(y), 2)


def test_bagging(host, small):
    X, y = small
    model = BaggingClassifier(
        host.estimator(n_estimators=5), n_estimators=3, max_features=0.8, random_state=0
    )
    model.fit(X, NAMES[y], sample_weight=1.0 + y)
    assert model.predict_proba(X).shape == (len(y), 2)
    assert len({m.predict_proba(X[:, :4])[0, 0] for m in model.estimators_}) == 3


def test_permutation_importance(host, small):
    X, y = small
    model = host.estimator(n_estimators=10).fit(X, y)
    result = permutation_importance(
        model, X, y, scoring="average_precision", n_repeats=2, random_state=0
    )
    assert np.argmax(result.importances_mean) == 0


def test_selection_by_importance(host, small):
    X, y = small
    selection = SelectFromModel(host.estimator(n_estimators=10)).fit(X, y)
    assert selection.get_support()[0]


@pytest.mark.parametrize("method", ["predict_proba", "decision_function"])
def test_partial_dependence(host, method, frame):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    table, labels = frame
    numbers = table[list("abcd")]
    model = host.estimator(n_estimators=10).fit(numbers, labels)
    display = PartialDependenceDisplay.from_estimator(
        model,
        numbers,
        ["a", ("a", "b")],
        grid_resolution=5,
        response_method=method,
        categorical_features=None,
    )
    assert display.axes_.size == 2
    pyplot.close("all")


@pytest.mark.parametrize("sampler", ["RandomUnderSampler", "SMOTE"])
def test_a_pipeline_of_imbalanced_learn(host, sampler, small):
    package = "imbalanced-learn"
    samplers = vars(optional("imblearn.under_sampling", package)) | vars(
        optional("imblearn.over_sampling", package)
    )
    pipeline = optional("imblearn.pipeline", package)
    X, y = small
    model = pipeline.make_pipeline(
        samplers[sampler](random_state=0), host.estimator(n_estimators=5)
    )
    probability = cross_val_predict(model, X, y, cv=2, method="predict_proba")
    # Resampled to one half, which the probabilities then are of.
    assert probability[:, 1].mean() > 1.2 * y.mean()


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
@pytest.mark.filterwarnings("ignore:.* is experimental")
def test_optuna_prunes_by_the_relative_focal_loss(host, small):
    optuna = optional("optuna")
    callbacks = optional(f"optuna_integration.{host.name}", "optuna-integration")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    X, y = small

    def objective(trial):
        model = host.estimator(
            n_estimators=15,
            focal_gamma=trial.suggest_float("focal_gamma", 0, 3),
            learning_rate=trial.suggest_float("learning_rate", 1e-4, 0.3),
        )
        pairs = {"eval_set": [(X[600:], y[600:])]}
        if host.name == "xgboost":
            name = "validation_0-relative_focal_loss"
            prune = callbacks.XGBoostPruningCallback(trial, name)
            model.set_params(callbacks=[prune]).fit(
                X[:600], y[:600], **pairs, verbose=False
            )
        else:
            prune = callbacks.LightGBMPruningCallback(trial, "relative_focal_loss")
            model.fit(X[:600], y[:600], **pairs, callbacks=[prune])
        return log_loss(y[600:], model.predict_proba(X[600:])[:, 1])

    pruner = optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=3)
    sampler = optuna.samplers.RandomSampler(seed=1)
    study = optuna.create_study(sampler=sampler, pruner=pruner)
    study.optimize(objective, n_trials=8)
    states = {trial.state.name for trial in study.trials}
    assert states == {"COMPLETE", "PRUNED"}
