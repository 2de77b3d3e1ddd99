"""What every fit of a comparison shares, and one fit."""

import warnings
from dataclasses import dataclass
from importlib import metadata
from typing import Any

import joblib
import numpy as np

from focalboost.diagnostics._estimator import host_of, parameters_set
from focalboost.diagnostics._folds import Fold
from focalboost.diagnostics._journal import Fit
from focalboost.diagnostics._methods import Method
from focalboost.diagnostics._rebalance import Part
from focalboost.diagnostics._scores import Scores, chance, scores
from focalboost.diagnostics._tuning import tuned

__all__ = ["Plan", "fitted"]


@dataclass(frozen=True, eq=False)
class Plan:
    """What all fits share."""

    estimator: Any
    grid: tuple[dict[str, Any], ...]
    data: Part
    folds: list[Fold]
    stop_on: str
    false_positive_rate: float
    random_state: int

    def parts(self, fold: int) -> tuple[Part, Part]:
        train, test = self.folds[fold]
        return self.data.rows(train), self.data.rows(test)

    def is_first_test(self, fold: int) -> bool:
        """Whether no row of the fold is a test row of an earlier one."""
        earlier = [test for _, test in self.folds[:fold]]
        return not (
            earlier and np.isin(self.folds[fold][1], np.concatenate(earlier)).any()
        )

    def constant(self, fold: int) -> Scores:
        """What to expect of a constant on a fold."""
        train, test = self.parts(fold)
        prevalence = float(np.average(train.y, weights=train.weight))
        return chance(test.y, prevalence, self.false_positive_rate, test.weight)

    def settings(self) -> dict[str, Any]:
        """All that was the same for every method."""
        host = host_of(self.estimator)
        return {
            "estimator": type(self.estimator).__name__,
            "parameters": _parameters(self),
            "host": f"{host} {_version(host)}",
            "focalboost": _version("focalboost"),
            "grid": self.grid,
            "folds": len(self.folds),
            "rows": len(self.data.y),
            "stop_on": self.stop_on,
            "false_positive_rate": self.false_positive_rate,
            "random_state": self.random_state,
        }

    def fingerprint(self) -> str:
        """A digest of all that decides a fit, besides the method."""
        return str(joblib.hash((self.settings(), self.data, self.folds)))


def fitted(plan: Plan, method: Method, fold: int) -> tuple[str, Fit]:
    """One method on one fold; what goes wrong is part of the result."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            fit = _scored(plan, method, fold)
        except Exception as error:  # of the host, whatever it is: it must be listed
            text = " ".join(f"{type(error).__name__}: {error}".split())
            fit = Fit(method.name, fold, error=text[:300])
    texts = dict.fromkeys(" ".join(str(w.message).split())[:300] for w in caught)
    return repr(method), Fit(**{**fit.__dict__, "warnings": tuple(texts)})


def _scored(plan: Plan, method: Method, fold: int) -> Fit:
    train, test = plan.parts(fold)
    seed = plan.random_state + fold
    best = tuned(method, plan.estimator, plan.grid, *train, seed, stop_on=plan.stop_on)
    log_odds = best.log_odds(test.X)
    factor = best.fitted.odds_factor
    judged = scores(test.y, log_odds, factor, plan.false_positive_rate, test.weight)
    return Fit(
        method.name,
        fold,
        judged,
        params=dict(best.params),
        n_rounds=best.n_rounds,
        seconds=best.seconds,
        odds_factor=factor,
        log_odds=log_odds.astype(np.float32) if plan.is_first_test(fold) else None,
    )


def _parameters(plan: Plan) -> dict[str, Any]:
    """The parameters that are set, besides those that every grid point replaces."""
    replaced = set.intersection(*map(set, plan.grid)) if plan.grid else set()
    elsewhere = {"n_jobs", "random_state", *replaced}
    given = parameters_set(plan.estimator)
    return {name: given[name] for name in given if name not in elsewhere}


def _version(package: str) -> str:
    """The installed version; the module xgboost comes from either of two packages."""
    for name in (package, f"{package}-cpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return "of unknown version"
