"""Usages of LGBMClassifier alone."""

import numpy as np
from optional import lightgbm, optional

from usages import Table
from usages.training import evaluated

usage = Table()


def probability(case, **params):
    return case.make(**params).fit(case.X, case.y).predict_proba(case.X)


@usage
def no_metric_among_metrics(case):
    model = evaluated(case, case.make(), eval_metric=["auc", None])
    return "auc" in model.evals_result_["valid_0"]


@usage
def none_in_a_list_of_the_constructor(case):
    return evaluated(case, case.make(metric=[None])).evals_result_


@usage
def the_word_for_no_metric_in_fit(case):
    return evaluated(case, case.make(), eval_metric="None").evals_result_


@usage
def no_metric_of_the_constructor(case):
    return evaluated(case, case.make(metric="None")).evals_result_


@usage
def names_that_are_not_compared(case):
    model = case.make().fit(case.frame, case.y)
    renamed = case.frame.rename(columns=str.upper)
    return [
        getattr(model, method)(renamed, validate_features=False)
        for method in ("predict", "predict_proba")
    ]


@usage
def names_that_are_not_compared_of_leaves(case):
    model = case.make().fit(case.frame, case.y)
    renamed = case.frame.rename(columns=str.upper)
    return model.predict(renamed, pred_leaf=True, validate_features=False)


@usage
def text_as_labels(case):
    labels = np.where(case.y == 1, "yes", "no")
    model = case.make().fit(case.X, labels)
    return model.classes_.tolist(), model.predict(case.X)


@usage
def class_weights(case):
    return probability(case, class_weight={0: 1, 1: 5})


@usage
def balanced_class_weights(case):
    return probability(case, class_weight="balanced")


@usage
def goss(case):
    return probability(case, data_sample_strategy="goss")


@usage
def linear_trees(case):
    return probability(case, linear_tree=True)


@usage
def bagging(case):
    return probability(case, subsample=0.5, subsample_freq=1)


@usage
def an_alias(case):
    return case.make(min_data_in_leaf=5).fit(case.X, case.y).predict(case.X)


@usage
def attributes_of_the_fit(case):
    model = case.fitted
    return model.n_iter_, model.n_estimators_, model.n_features_, model.fitted_


@usage
def the_objective(case):
    return case.fitted.objective_


@usage
def names_without_a_frame(case):
    return case.fitted.feature_name_


@usage
def names_as_an_argument(case):
    return case.make().fit(case.X, case.y, feature_name=list("abcd")).feature_name_


@usage
def categories_by_position(case):
    X = case.X.copy()
    X[:, 3] = np.digitize(X[:, 3], [-1, 0, 1])
    model = case.make().fit(X, case.y, categorical_feature=[3])
    return model.predict_proba(X)


@usage
def scores_by_set_and_metric(case):
    return evaluated(case, case.make()).best_score_


@usage
def names_of_sets(case):
    return list(evaluated(case, case.make(), eval_names=["held out"]).evals_result_)


@usage
def the_training_set_is_recognised(case):
    model = case.make().fit(case.X, case.y, eval_set=[(case.X, case.y)])
    return list(model.evals_result_)


@usage
def several_metrics(case):
    metrics = ["auc", "average_precision"]
    model = evaluated(case, case.make(metric="None"), eval_metric=metrics)
    return sorted(model.evals_result_["valid_0"])


@usage
def a_schedule_of_learning_rates(case):
    callback = lightgbm.reset_parameter(learning_rate=lambda round: 0.1 * 0.9**round)
    return case.make().fit(case.X, case.y, callbacks=[callback]).predict(case.X)


@usage
def a_callback(case):
    rounds = []
    case.make().fit(
        case.X, case.y, callbacks=[lambda env: rounds.append(env.iteration)]
    )
    return str(rounds)


@usage
def some_rounds(case):
    return case.fitted.predict_proba(case.X, num_iteration=2)


@usage
def rounds_from_the_second(case):
    return case.fitted.predict_proba(case.X, start_iteration=1)


@usage
def threads_at_prediction(case):
    return case.fitted.predict_proba(case.X, num_threads=1)


@usage
def contributions(case):
    return case.fitted.predict(case.X, pred_contrib=True)


@usage
def contributions_of_three_classes(case):
    model = case.make().fit(case.X, case.three)
    return model.predict_proba(case.X, pred_contrib=True)


@usage
def raw_predictions_of_three_classes(case):
    model = case.make().fit(case.X, case.three)
    return model.predict(case.X, raw_score=True)


@usage
def names_are_compared(case):
    model = case.make().fit(case.frame, case.y)
    try:
        model.predict(case.frame[list("badc")], validate_features=True)
    except lightgbm.basic.LightGBMError:
        return "LightGBMError"
    return "no error"


@usage
def the_booster_predicts(case):
    return case.fitted.booster_.predict(case.X)


@usage
def plotted_metric(case):
    optional("matplotlib").use("Agg")
    return lightgbm.plot_metric(evaluated(case, case.make()))


@usage
def a_model_as_json(case):
    return sorted(case.fitted.booster_.dump_model())
