"""Parameters, evaluation, attributes and copies that both hosts have."""

import copy
import io
import pickle
import tempfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from optional import lightgbm, optional
from sklearn.base import clone, is_classifier

from focalboost.estimators._base import OWN_PARAMS
from usages import Table

usage = Table()


def evaluated(case, model, **arguments):
    """Fit with an evaluation set that is not the training set."""
    quiet = {"verbose": False} if case.host == "xgboost" else {}
    return model.fit(
        case.X[:160],
        case.y[:160],
        eval_set=[(case.X[160:], case.y[160:])],
        **quiet,
        **arguments,
    )


@usage
def parameters(case):
    own = set(OWN_PARAMS)
    return sorted(set(case.make().get_params()) - own)


@usage
def parameters_are_set(case):
    model = case.make().set_params(max_depth=2, learning_rate=0.2)
    return model.get_params()["max_depth"], model.learning_rate


@usage
def parameters_that_the_class_does_not_name(case):
    extra = case.by_host({"seed": 3}, {"bagging_seed": 3})
    return case.make(**extra).get_params()[next(iter(extra))]


@usage
def parameters_of_a_fitted_model_are_set(case):
    model = case.make().fit(case.X, case.three)
    before = model.predict_proba(case.X)
    again = model.set_params(n_jobs=2, learning_rate=0.7).predict_proba(case.X)
    copied = pickle.loads(pickle.dumps(model)).predict_proba(case.X)
    return np.array_equal(again, before), np.array_equal(copied, before)


@usage
def the_objective_of_three_classes(case):
    return case.make().fit(case.X, case.three).get_params()["objective"]


@usage
def a_clone_of_a_model_of_three_classes(case):
    model = clone(case.make().fit(case.X, case.three))
    return model.fit(case.X, case.three).predict_proba(case.X)


@usage
def weights_by_position(case):
    warned = pytest.warns(FutureWarning) if case.host == "xgboost" else nullcontext()
    with warned:
        return case.make().fit(case.X, case.y, 1.0 + case.y).predict_proba(case.X)


@usage
def more_classes_than_there_are(case):
    model = case.make(num_class=5).fit(case.X, case.three)
    return model.predict_proba(case.X), model.n_classes_


@usage
def no_metric_in_a_list(case):
    params, arguments = case.by_host(
        ({"eval_metric": []}, {}), ({}, {"eval_metric": [None]})
    )
    return evaluated(case, case.make(**params), **arguments).evals_result_


@usage
def clones(case):
    model = case.make(max_depth=3)
    return clone(model).get_params() == model.get_params()


@usage
def an_estimator_is_shown(case):
    return type(repr(case.make())), "<div" in case.make()._repr_html_()


@usage
def it_is_a_classifier(case):
    return is_classifier(case.make())


@usage
def monotone_constraints(case):
    model = case.make(monotone_constraints=case.by_host("(1,0,0,0)", [1, 0, 0, 0]))
    grid = np.zeros((50, 4))
    grid[:, 0] = np.linspace(-3, 3, 50)
    probability = model.fit(case.X, case.y).predict_proba(grid)[:, 1]
    return bool(np.all(np.diff(probability) >= 0))


@usage
def interaction_constraints(case):
    groups = case.by_host("[[0, 1], [2, 3]]", [[0, 1], [2, 3]])
    model = case.make(interaction_constraints=groups)
    return model.fit(case.X, case.y).predict_proba(case.X)


@usage
def sampled_rows_and_columns(case):
    model = case.make(subsample=0.7, colsample_bytree=0.5, random_state=0)
    return model.fit(case.X, case.y).predict_proba(case.X)


@usage
def a_seed_repeats_a_fit(case):
    def probability(seed):
        params = {"subsample": 0.6, **case.by_host({}, {"subsample_freq": 1})}
        model = case.make(random_state=seed, **params)
        return model.fit(case.X, case.y).predict_proba(case.X)

    same, other = (np.array_equal(probability(0), probability(s)) for s in (0, 1))
    return same, other


@usage
def a_random_state_object(case):
    model = case.make(random_state=np.random.RandomState(0), subsample=0.5)
    return model.fit(case.X, case.y).predict(case.X)


@usage
def two_threads(case):
    return case.make(n_jobs=2).fit(case.X, case.y).predict_proba(case.X)


@usage
def dart(case):
    name = case.by_host("booster", "boosting_type")
    return case.make(**{name: "dart"}).fit(case.X, case.y).predict_proba(case.X)


@usage
def an_evaluation_set(case):
    return evaluated(case, case.make()).evals_result_


@usage
def two_evaluation_sets(case):
    quiet = {"verbose": False} if case.host == "xgboost" else {}
    sets = [(case.X, case.y), (case.X[:50], case.y[:50])]
    return case.make().fit(case.X, case.y, eval_set=sets, **quiet).evals_result_


@usage
def weights_of_an_evaluation_set(case):
    name = case.by_host("sample_weight_eval_set", "eval_sample_weight")
    return evaluated(case, case.make(), **{name: [np.ones(80)]}).evals_result_


@usage
def a_metric_by_name(case):
    params, arguments = case.by_host(
        ({"eval_metric": "auc"}, {}), ({"metric": "None"}, {"eval_metric": "auc"})
    )
    return evaluated(case, case.make(**params), **arguments).evals_result_


@usage
def a_metric_as_a_function(case):
    def accuracy(y_true, y_score):
        value = float(np.mean((np.asarray(y_score) > 0.5) == y_true))
        return case.by_host(value, ("accuracy", value, True))

    params, arguments = case.by_host(
        ({"eval_metric": accuracy}, {}), ({}, {"eval_metric": accuracy})
    )
    model = evaluated(case, case.make(**params), **arguments)
    return "accuracy" in next(iter(model.evals_result_.values()))


def early_stopped(case):
    """An estimator that has stopped before its last round."""
    params, arguments = _stopping(case)
    return evaluated(case, case.make(n_estimators=200, **params), **arguments)


@usage
def early_stopping(case):
    model = early_stopped(case)
    best = case.by_host("best_iteration", "best_iteration_")
    score = case.by_host("best_score", "best_score_")
    return 0 < getattr(model, best) < 199, getattr(model, score)


def _stopping(case):
    if case.host == "xgboost":
        return {"early_stopping_rounds": 5}, {}
    return {}, {"callbacks": [lightgbm.early_stopping(5, verbose=False)]}


@usage
def the_best_round_is_used(case):
    model = early_stopped(case)
    if case.host == "xgboost":
        chosen = {"iteration_range": (0, model.best_iteration + 1)}
    else:
        chosen = {"num_iteration": model.best_iteration_}
    explicit = model.predict_proba(case.X, **chosen)
    return np.array_equal(explicit, model.predict_proba(case.X))


@usage
def going_on_from_an_estimator(case):
    return _continued(case, case.fitted)


@usage
def going_on_from_itself(case):
    model = case.fitted
    name = case.by_host("xgb_model", "init_model")
    return _rounds(case, model.fit(case.X, case.y, **{name: model}))


@usage
def going_on_from_a_booster(case):
    return _continued(case, _booster(case, case.fitted))


@usage
def going_on_from_a_file(case):
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / case.by_host("model.json", "model.txt"))
        _booster(case, case.fitted).save_model(path)
        return _continued(case, path)


def _booster(case, model):
    return model.get_booster() if case.host == "xgboost" else model.booster_


def _continued(case, model):
    name = case.by_host("xgb_model", "init_model")
    return _rounds(case, case.make().fit(case.X, case.y, **{name: model}))


def _rounds(case, model):
    booster = _booster(case, model)
    count = case.by_host("num_boosted_rounds", "current_iteration")
    return str(getattr(booster, count)())


@usage
def fitting_again(case):
    model = case.make()
    model.fit(case.X[:, :2], case.y).fit(case.X, case.three)
    return model.predict_proba(case.X), model.n_features_in_, model.n_classes_


@usage
def classes(case):
    return case.fitted.classes_, case.fitted.n_classes_


@usage
def names_of_features(case):
    model = case.make().fit(case.frame, case.y)
    return list(model.feature_names_in_), model.n_features_in_


@usage
def features_without_names(case):
    return hasattr(case.fitted, "feature_names_in_"), case.fitted.n_features_in_


@usage
def importances(case):
    return case.fitted.feature_importances_


@usage
def importances_by_gain(case):
    return case.make(importance_type="gain").fit(case.X, case.y).feature_importances_


@usage
def accuracy(case):
    model = case.fitted
    weight = 1.0 + case.y
    return model.score(case.X, case.y), model.score(case.X, case.y, weight)


@usage
def raw_predictions(case):
    option = case.by_host("output_margin", "raw_score")
    return case.fitted.predict(case.X, **{option: True})


@usage
def leaves(case):
    model = case.fitted
    if case.host == "xgboost":
        return model.apply(case.X)
    return model.predict(case.X, pred_leaf=True)


@usage
def trees_as_a_table(case):
    return list(_booster(case, case.fitted).trees_to_dataframe().columns)


@usage
def a_booster(case):
    return _booster(case, case.fitted)


@usage
def a_pickle(case):
    model = case.fitted
    copied = pickle.loads(pickle.dumps(model))
    return np.array_equal(copied.predict_proba(case.X), model.predict_proba(case.X))


@usage
def a_joblib_file(case):
    joblib = optional("joblib")
    file = io.BytesIO()
    joblib.dump(case.fitted, file)
    file.seek(0)
    return joblib.load(file).predict_proba(case.X)


@usage
def a_cloudpickle(case):
    cloudpickle = optional("cloudpickle")
    return pickle.loads(cloudpickle.dumps(case.fitted)).predict_proba(case.X)


@usage
def a_deep_copy(case):
    return copy.deepcopy(case.fitted).predict_proba(case.X)


@usage
def metadata_requests(case):
    requests = {name for name in dir(case.make()) if name.endswith("_request")}
    return sorted(requests - {"set_decision_function_request"})  # of ours alone


@usage
def unknown_attributes(case):
    return hasattr(case.fitted, "transform"), hasattr(case.fitted, "partial_fit")
