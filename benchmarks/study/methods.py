"""The contenders, and the configurations that each of them is fitted with."""

import importlib.util
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from timeit import repeat
from typing import Any

import numpy as np
from lightgbm import LGBMClassifier
from scipy.special import logit
from scipy.stats import loguniform, uniform
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterSampler
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from focalboost import FocalLGBMClassifier, FocalXGBClassifier
from focalboost.comparison import METHODS, Method, fit
from study import peers
from study.problems import Split
from study.scores import Fit, Odds

HOSTS = ("xgboost", "lightgbm")
LOG_LOSS, CERTIFIED = "log loss", "log loss, certified"
PRIMARY = "focal, γ = (0, 2)"
#: The family that γ is chosen from: what the first stage fits.
FAMILY = (CERTIFIED, "focal, γ = 2", PRIMARY, "focal, γ = (0, 4)", "focal, γ = (1, 4)")
OTHERS = (
    *("weights: √ratio", "weights: ratio", "SMOTE"),
    *("focal, γ = 0.5", "focal, γ = 1", "focal, γ = (0, 1)"),
)
SMALL = (LOG_LOSS, CERTIFIED, "focal, γ = 2", PRIMARY, "focal, γ = (1, 4)")
BAGS = 5
#: Modules beside the required ones.
NEEDS = {"SMOTE": "imblearn", "log loss, balanced bagging": "imblearn"}

Configuration = Mapping[str, Any]

#: What every configuration draws; a method uses what it has.
_SPACE = {
    "l2": loguniform(0.01, 30),
    "min_hessian": [0.0, 0.001, 0.01, 0.1, 1.0, 10.0],
    "min_rows": loguniform(1, 100),
}
SPACE = {
    **_SPACE,
    "leaves": loguniform(4, 128),
    "learning_rate": loguniform(0.05, 0.3),
    "columns": uniform(0.4, 0.6),
    "rows": uniform(0.5, 0.5),
    "fixed_rounds": loguniform(20, 300),  # of methods that do not stop early
    "C": loguniform(1e-3, 1e2),
}
SMALL_SPACE = {**_SPACE, "learning_rate": loguniform(0.1, 1.0)}
MOST_ROUNDS = 200
TREES, DEPTHS = (5, 10, 20, 40, 80), (3, 5)
N_SMALL = 6


def configurations(number: int) -> list[Configuration]:
    """The first configurations of the search: the same for all methods and problems."""
    return list(ParameterSampler(SPACE, 25, random_state=0))[:number]


def drawn_gamma(configuration: int) -> str:
    """The member of the family that a configuration of "γ chosen" brings with it."""
    return FAMILY[configuration % len(FAMILY)]


def small_configurations(trees: Any = TREES, number: int = N_SMALL) -> list[Any]:
    """The configurations of small models, for each size."""
    fixed = {"columns": 1.0, "rows": 1.0}
    drawn = list(ParameterSampler(SMALL_SPACE, N_SMALL, random_state=1))[:number]
    return [
        {**one, **fixed, "rounds": n, "depth": depth, "leaves": 2**depth}
        for n in trees
        for depth in DEPTHS
        for one in drawn
    ]


def host_params(host: str, c: Configuration) -> dict[str, Any]:
    """The parameters of a configuration in the words of a host's estimator."""
    shared = {
        "n_estimators": c.get("rounds", MOST_ROUNDS),
        "learning_rate": c["learning_rate"],
        "reg_lambda": c["l2"],
        "min_child_weight": c["min_hessian"],
        "colsample_bytree": c["columns"],
        "subsample": c["rows"],
        "n_jobs": 1,
    }
    if host == "xgboost":
        return {**shared, "max_depth": round(math.log2(c["leaves"]))}
    return {
        **shared,
        # At exactly 0 a residue of rounding can look like a leaf, which is an error.
        "min_child_weight": max(1e-6, c["min_hessian"]),
        "num_leaves": round(c["leaves"]),
        "max_depth": c.get("depth", -1),
        "min_child_samples": round(c["min_rows"]),
        "subsample_freq": 1,
        # Its layout, if picked by timing, moves results between runs.
        "deterministic": True,
        "force_col_wise": True,
        "verbosity": -1,
    }


@dataclass(frozen=True)
class Contender:
    """A method on a host, and the module that it needs.

    `fit` takes a split, a configuration and a seed.
    """

    host: str
    method: str
    fit: Callable[[Split, Configuration, int], Fit]
    needs: str = ""

    @property
    def is_installed(self) -> bool:
        """Whether its module is there."""
        return not self.needs or importlib.util.find_spec(self.needs) is not None


def on_host(host: str, method: Method, split: Split, c: Any, seed: int) -> Fit:
    """A method of this package's comparison, with early stopping."""
    kind = {"xgboost": FocalXGBClassifier, "lightgbm": FocalLGBMClassifier}[host]
    estimator = kind(**host_params(host, c))
    train, valid = split.train, split.valid
    fitted = fit(method, estimator, *train, *valid, random_state=seed)
    shift = math.log(fitted.odds_factor)
    found = [fitted.log_odds(part.X) for part in (valid, split.test)]
    latency = float("nan")
    if "depth" in c:
        latency = seconds_for_one_row(host, fitted.model, split.test.X[:1])
    odds = [Odds(own, own - shift) for own in found]
    return Fit(*odds, fitted.n_rounds, latency)


def seconds_for_one_row(host: str, model: Any, row: Any) -> float:
    """The time of the host's own fastest call for one row."""
    if host == "xgboost":
        call = partial(model.get_booster().inplace_predict, row)
    else:
        call = partial(model.booster_.predict, row, raw_score=True)
    return min(repeat(call, number=10, repeat=5)) / 10


def logistic(split: Split, c: Configuration, seed: int) -> Fit:
    """Logistic regression on dummies of the categories and standardised numbers."""
    fill = SimpleImputer(
        strategy="median", add_indicator=True, keep_empty_features=True
    )
    dummies = OneHotEncoder(min_frequency=20, handle_unknown="infrequent_if_exist")
    columns = ColumnTransformer(
        [
            ("categories", dummies, np.flatnonzero(split.is_categorical)),
            (
                "numbers",
                make_pipeline(fill, StandardScaler()),
                np.flatnonzero(~np.asarray(split.is_categorical)),
            ),
        ]
    )
    model = make_pipeline(columns, LogisticRegression(C=c["C"], max_iter=1000))
    return _without_rounds(model, split)


def forest(split: Split, c: Configuration, seed: int) -> Fit:
    """A random forest."""
    model = RandomForestClassifier(
        100,
        max_features=c["columns"],
        min_samples_leaf=round(c["min_rows"]),
        random_state=seed,
    )
    return _without_rounds(model, split)


def bagged(gamma: Any, is_balanced: bool, split: Split, c: Any, seed: int) -> Fit:
    """Five models on rows drawn anew, or on all positives and as many negatives."""
    params = {
        **host_params("lightgbm", c),
        "n_estimators": round(c["fixed_rounds"]),
        "random_state": seed,
    }
    if gamma is None:
        model = LGBMClassifier(**params)
    else:
        model = FocalLGBMClassifier(focal_gamma=gamma, **params)
    if not is_balanced:
        return _without_rounds(BaggingClassifier(model, BAGS, random_state=seed), split)
    from imblearn.ensemble import BalancedBaggingClassifier

    y = split.train.y
    shift = np.log((y == 0).sum() / y.sum())
    bags = BalancedBaggingClassifier(model, BAGS, random_state=seed)
    return _without_rounds(bags, split, shift)


def _without_rounds(model: Any, split: Split, shift: float = 0.0) -> Fit:
    """Fit an estimator; no probability is nearer to 0 or 1 than half a row."""
    least = 0.5 / len(split.train.y)
    model.fit(split.train.X, split.train.y)
    odds = []
    for part in (split.valid, split.test):
        p = model.predict_proba(part.X)[:, 1]
        own = logit(np.clip(p, least, 1 - least))
        odds.append(Odds(own, own - shift))
    return Fit(*odds, 0)


def true_odds(split: Split, c: Configuration, seed: int) -> Fit:
    """The true probabilities: no ranking is better on average."""
    assert split.truth is not None, "only simulated rows have true probabilities"
    return Fit(*(Odds(logit(p), logit(p)) for p in split.truth), 0)


BAYES_OPTIMUM = Contender("none", "Bayes optimum", true_odds)

_METHODS = {method.name: method for method in METHODS}


def hosted(names: tuple[str, ...]) -> list[Contender]:
    """These methods of the package on both hosts."""
    return [
        Contender(
            host, name, partial(on_host, host, _METHODS[name]), NEEDS.get(name, "")
        )
        for host in HOSTS
        for name in names
    ]


def rivals() -> list[Contender]:
    """Weights, SMOTE, other γ, and what is not boosted or not one model."""
    bags = {
        "log loss, bagged": (None, False),
        "focal, γ = (0, 2), bagged": ((0, 2), False),
        "log loss, balanced bagging": (None, True),
    }
    return [
        *hosted(OTHERS),
        Contender("scikit-learn", "logistic regression", logistic),
        Contender("scikit-learn", "random forest", forest),
        *(
            Contender("lightgbm", name, partial(bagged, *how), NEEDS.get(name, ""))
            for name, how in bags.items()
        ),
    ]


def packages() -> list[Contender]:
    """Other packages, where they are installed."""
    return [
        Contender(host, name, partial(peers.on_peer, host, name, host_params), needs)
        for (host, name), needs in peers.PEERS.items()
    ]
