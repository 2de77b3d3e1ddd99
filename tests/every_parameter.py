"""A value of every parameter of the hosts' classifiers and of ours, and its effect."""

import numpy as np
from optional import xgboost

#: Parameters that change neither a model nor what is made of it, with the reason.
INCIDENTAL = {
    "client": "where the work is done",
    "coll_cfg": "how the workers talk",
    "device": "where the work is done",
    "n_jobs": "threads",
    "validate_parameters": "whether XGBoost warns of unknown parameters",
    "verbosity": "messages",
    "enable_categorical": "whether data frames may have categories",
    "multi_strategy": "for labels (n, T)",
}

CATEGORIES = {
    "feature_types": ["q", "q", "q", "c", "q"],
    "enable_categorical": True,
    "tree_method": "hist",
}

#: A value, and what else has to be set for it to count.
XGBOOST = {
    "base_score": (0.2, {"focal_balance": False}),
    "booster": ("gblinear", {}),
    "callbacks": (None, {}),
    "colsample_bylevel": (0.2, {}),
    "colsample_bynode": (0.2, {}),
    "colsample_bytree": (0.2, {}),
    "early_stopping_rounds": (1, {}),
    "eval_metric": ("auc", {}),
    "feature_types": (CATEGORIES["feature_types"], {"enable_categorical": True}),
    "feature_weights": (np.array([0, 1, 0, 0, 0.0]), {"colsample_bynode": 0.2}),
    "gamma": (0.4, {}),
    "grow_policy": ("lossguide", {"max_leaves": 3, "tree_method": "hist"}),
    "importance_type": ("weight", {}),
    "interaction_constraints": ("[[0], [1], [2, 3, 4]]", {}),
    "learning_rate": (0.05, {}),
    "max_bin": (3, {"tree_method": "hist"}),
    "max_cat_threshold": (1, {**CATEGORIES, "max_cat_to_onehot": 1}),
    "max_cat_to_onehot": (100, CATEGORIES),
    "max_delta_step": (0.01, {}),
    "max_depth": (1, {}),
    "max_leaves": (2, {}),
    "min_child_weight": (30, {}),
    "missing": (0.0, {}),
    "monotone_constraints": ((-1, 0, 0, 0, 0), {}),
    "n_estimators": (2, {}),
    "num_parallel_tree": (3, {"subsample": 0.5}),
    "objective": ("reg:squarederror", {}),
    "random_state": (7, {"subsample": 0.5}),
    "reg_alpha": (3, {}),
    "reg_lambda": (30, {}),
    "sampling_method": ("gradient_based", {"subsample": 0.5}),
    "scale_pos_weight": (3, {}),
    "subsample": (0.3, {}),
    "tree_method": ("approx", {"max_bin": 3}),
}
LIGHTGBM = {
    "boosting_type": ("dart", {"drop_rate": 0.9, "skip_drop": 0.0}),
    "colsample_bytree": (0.3, {}),
    "importance_type": ("gain", {}),
    "learning_rate": (0.02, {}),
    "max_depth": (1, {}),
    "min_child_samples": (200, {}),
    "min_child_weight": (50, {}),
    "min_split_gain": (5, {}),
    "n_estimators": (2, {}),
    "num_leaves": (2, {}),
    "objective": ("regression", {}),
    "random_state": (7, {"subsample": 0.5, "subsample_freq": 1}),
    "reg_alpha": (5, {}),
    "reg_lambda": (50, {}),
    "subsample": (0.3, {"subsample_freq": 1}),
    "subsample_for_bin": (20, {}),
    "subsample_freq": (1, {"subsample": 0.3}),
}
OWN = {
    "class_weight": ("balanced", {}),
    "focal_gamma": (0.5, {}),
    "focal_alpha": (0.2, {}),
    "focal_max_learning_rate": (1.5, {}),
    "focal_balance": (False, {}),
}
VALUES = {"xgboost": XGBOOST | OWN, "lightgbm": LIGHTGBM | OWN}

#: Shallow and few trees.
QUICK = {"n_estimators": 6, "max_depth": 3}


def names_of(kind):
    """The parameters of a class that have an effect."""
    return sorted(set(kind().get_params()) - set(INCIDENTAL))


def effect_of(fitted, host, name):
    """What a value changes, or the refusal of it.

    ``fitted`` fits an estimator with parameters, and returns what can be seen of it:
    arrays and texts by name.
    """
    value, others = VALUES[host][name]
    if name == "callbacks":
        value = [xgboost.callback.LearningRateScheduler(lambda epoch: 0.01)]
    settings = {**QUICK, **others}
    without = {key: settings[key] for key in settings if key != name or key in QUICK}
    try:
        found = fitted(**{**settings, name: value})
    except ValueError as error:
        if type(error).__name__ == "XGBoostError":  # by the host, as some versions do
            return "refused"
        assert str(error).startswith(f"{name} must be")  # noqa: PT017
        return "refused"
    except NotImplementedError:  # by the host: on a cluster, booster="gblinear"
        return "refused"
    before = fitted(**without)
    return [key for key in found if not np.array_equal(found[key], before[key])]


def make_rows():
    """Features of which the fourth has 12 categories, and labels of two classes."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 60, (1000, 5)).astype(np.float64)
    X[:, 3] %= 12
    noise = rng.logistic(size=1000)
    return X, (0.1 * X[:, 0] + (X[:, 3] % 3) + noise > 6.5).astype(int)
