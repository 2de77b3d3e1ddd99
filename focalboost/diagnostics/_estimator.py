"""The estimator of a comparison: its host, and what its user has set."""

from typing import Any, NoReturn

from focalboost._validation import reject
from focalboost.lightgbm._params import LEARNING_RATE, MIN_CURVATURE, ROUNDS

__all__ = ["host_of", "parameters_set", "require_comparable"]

#: Names that the hosts know parameters of a grid by.
_OTHER_NAMES: dict[str, dict[str, tuple[str, ...]]] = {
    "xgboost": {"learning_rate": ("eta",), "reg_lambda": ("lambda",)},
    "lightgbm": {
        "n_estimators": ROUNDS,
        "learning_rate": LEARNING_RATE,
        "num_leaves": ("num_leaf", "max_leaves", "max_leaf", "max_leaf_nodes"),
        "reg_lambda": ("lambda_l2", "lambda", "l2_regularization"),
        "min_child_weight": MIN_CURVATURE,
    },
}

#: What the methods and every fit decide, and where it is said instead.
_DECIDED = {
    "class_weight": "Each method brings its own weights: put them into losses.",
    "focal_gamma": "Put it into losses, as losses=[FocalLoss(gamma=1)].",
    "focal_alpha": "Put it into losses, as losses=[FocalLoss(gamma=2, alpha=0.25)].",
    "early_stopping_rounds": "Every fit has the same: set n_estimators for fewer.",
    "eval_metric": 'Use stop_on="loss" or stop_on="average_precision".',
}


def host_of(estimator: Any) -> str:
    """The name of the host that an estimator is a classifier of."""
    modules = {cls.__module__.partition(".")[0] for cls in type(estimator).__mro__}
    hosts = modules & {"xgboost", "lightgbm"}
    if len(hosts) != 1:
        _reject_estimator(estimator)
    return hosts.pop()


def parameters_set(estimator: Any) -> dict[str, Any]:
    """The parameters that are not the class's defaults, by the names of a grid."""
    default = type(estimator)().get_params(deep=False)
    found = {
        name: value
        for name, value in estimator.get_params(deep=False).items()
        if name not in default or repr(default[name]) != repr(value)
    }
    others = _OTHER_NAMES[host_of(estimator)]
    known = {other: name for name, names in others.items() for other in names}
    return {known.get(name, name): value for name, value in found.items()}


def require_comparable(estimator: Any) -> None:
    """Check that an estimator leaves to the methods what is theirs."""
    host_of(estimator)
    if "focal_gamma" not in estimator.get_params(deep=False):
        _reject_estimator(estimator)
    given = parameters_set(estimator)
    for name, advice in _DECIDED.items():
        if name in given:
            rule = "left out" if name == "focal_gamma" else "None"
            reject(name, rule, given[name], advice)


def _reject_estimator(estimator: Any) -> NoReturn:
    reject(
        "estimator",
        "a FocalXGBClassifier or a FocalLGBMClassifier",
        estimator,
        "Use estimator=FocalLGBMClassifier().",
    )
