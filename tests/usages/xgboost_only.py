"""Usages of XGBClassifier alone."""

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from optional import xgboost

from focalboost.estimators._base import OWN_PARAMS
from usages import Table
from usages.training import evaluated

usage = Table()


def probability(case, **params):
    return case.make(**params).fit(case.X, case.y).predict_proba(case.X)


@usage
def the_objective_of_two_classes(case):
    return case.fitted.get_xgb_params()["objective"]


@usage
def the_objective_of_a_loaded_model(case):
    model = case.make().fit(case.X, case.three)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(path)
        loaded = case.classifier()
        loaded.load_model(path)
    before = loaded.predict_proba(case.X)
    after = loaded.set_params(n_jobs=1).predict_proba(case.X)
    return loaded.objective, np.array_equal(before, after)


@usage
def the_objective_by_position(case):
    with pytest.warns(FutureWarning, match="Pass `objective` as keyword args"):
        return case.classifier("binary:logistic").objective


@usage
def an_option_of_predict_by_position(case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of XGBoost 3
        return case.fitted.predict(case.X, True)


@usage
def a_learning_rate_of_a_scheduler_alone(case):
    schedule = xgboost.callback.LearningRateScheduler(lambda epoch: 0.3)
    model = case.make(learning_rate=0, callbacks=[schedule]).fit(case.X, case.y)
    return len(np.unique(model.predict(case.X, output_margin=True))) > 1


@usage
def a_learning_rate_of_0(case):
    model = case.make(learning_rate=0).fit(case.X, case.y)
    return len(np.unique(model.predict(case.X, output_margin=True)))


@usage
def exact_trees(case):
    return probability(case, tree_method="exact")


@usage
def approximate_trees(case):
    return probability(case, tree_method="approx")


@usage
def trees_by_leaves(case):
    return probability(case, grow_policy="lossguide", max_leaves=7)


@usage
def several_trees_a_round(case):
    return probability(case, num_parallel_tree=3, subsample=0.8)


@usage
def a_linear_model(case):
    model = case.make(booster="gblinear", updater="coord_descent")
    model.fit(case.X, case.y)
    return model.coef_, model.intercept_, model.predict_proba(case.X)


@usage
def a_start_by_base_score(case):
    return case.make(base_score=0.45).fit(case.X, case.y).intercept_


@usage
def another_missing_value(case):
    return probability(case, missing=-1.0)


@usage
def types_of_features(case):
    X = case.X.copy()
    X[:, 3] = (X[:, 3] > 0).astype(int)
    model = case.make(feature_types=["q", "q", "q", "c"], enable_categorical=True)
    return model.fit(X, case.y).predict_proba(X)


@usage
def weights_of_features(case):
    params = {"feature_weights": np.arange(1, 5.0), "colsample_bynode": 0.5}
    return probability(case, **params, tree_method="approx")


@usage
def a_callback(case):
    class Count(xgboost.callback.TrainingCallback):
        rounds = 0

        def after_iteration(self, model, epoch, evals_log):
            self.rounds += 1
            return False

    count = Count()
    probability(case, callbacks=[count])
    return str(count.rounds)


@usage
def a_stop_by_callback(case):
    stop = xgboost.callback.EarlyStopping(rounds=3, save_best=True)
    model = evaluated(case, case.make(n_estimators=100, callbacks=[stop]))
    return model.get_booster().num_boosted_rounds() < 100


@usage
def results_as_a_method(case):
    return evaluated(case, case.make()).evals_result()


@usage
def some_rounds(case):
    return case.fitted.predict_proba(case.X, iteration_range=(0, 2))


@usage
def leaves_of_some_rounds(case):
    return case.fitted.apply(case.X, iteration_range=(0, 2))


@usage
def a_start_at_prediction(case):
    model = case.fitted
    return (
        model.predict_proba(case.X, base_margin=np.full(240, 1.0)),
        model.predict(case.X, base_margin=np.full(240, 1.0)),
    )


@usage
def contributions(case):
    data = xgboost.DMatrix(case.X)
    return case.fitted.get_booster().predict(data, pred_contribs=True)


@usage
def names_are_compared(case):
    model = case.make().fit(case.frame, case.y)
    try:
        model.predict(case.frame[["b", "a", "c", "d"]])
    except ValueError:
        return "ValueError"
    return model.predict(case.frame[list("badc")], validate_features=False)


@usage
def parameters_of_the_booster(case):
    own = set(OWN_PARAMS)
    return sorted(set(case.make().get_xgb_params()) - own)


@usage
def number_of_rounds(case):
    return case.make().get_num_boosting_rounds()


@usage
def a_model_file(case):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.ubj"
        case.fitted.save_model(path)
        loaded = case.classifier()
        loaded.load_model(path)
        return loaded.predict(case.X), loaded.n_classes_, loaded.n_features_in_


@usage
def the_host_s_class_loads_the_file(case):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        case.fitted.save_model(path)
        loaded = xgboost.XGBClassifier()
        loaded.load_model(path)
        return loaded.predict_proba(case.X)


@usage
def several_labels(case):
    labels = np.column_stack([case.y, case.X[:, 1] > 0]).astype(int)
    model = case.make().fit(case.X, labels)
    return model.predict_proba(case.X), np.shape(model.predict(case.X))
