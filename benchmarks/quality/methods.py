"""The contenders: the methods of the package on both hosts, and the peers."""

import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from focalboost import FocalLGBMClassifier, FocalXGBClassifier
from focalboost.comparison import LOG_LOSS, METHODS, Method, default_grid, tuned
from quality.fits import Fit
from quality.peers import PEERS, fit_peer

HOSTS = ("xgboost", "lightgbm")
ESTIMATORS = {
    "xgboost": FocalXGBClassifier(n_jobs=1),
    "lightgbm": FocalLGBMClassifier(n_jobs=1, verbosity=-1),
}
#: Both hosts' own number of rounds.
DEFAULT_ROUNDS = 100

#: Features and labels to train on, features to judge on, the most rounds, a seed.
FitCall = Callable[[Any, Any, Any, int, int], Fit]


@dataclass(frozen=True)
class Contender:
    """A method on a host.

    Attributes
    ----------
    host, method : str
        Their names in tables.
    package : str
        The distribution that it needs.
    starts_at_constant : bool
        Whether it starts from the probability of the training rows as they are: a
        larger loss than that is a training that went wrong.
    fit : callable
        Trains it.
    """

    host: str
    method: str
    package: str
    starts_at_constant: bool
    fit: FitCall

    @property
    def is_installed(self) -> bool:
        """Whether the package is there; XGBoost is one of two."""
        names = {"xgboost": ("xgboost", "xgboost-cpu")}
        return any(_version(name) for name in names.get(self.package, (self.package,)))


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _fit_own(
    host: str,
    method: Method,
    grid: Any,
    X: Any,
    y: Any,
    X_test: Any,
    n_rounds: int,
    seed: int,
) -> Fit:
    estimator = ESTIMATORS[host]
    limited = [{**point, **_limit(point, n_rounds)} for point in grid]
    best = tuned(method, estimator, limited, X, y, None, seed)
    return Fit(
        best.log_odds(X_test),
        best.predict_proba(X_test)[:, 1],
        best.corrected_proba(X_test)[:, 1],
        best.n_rounds,
        limited.index(best.params),
        best.average_precision,
        best.log_loss,
    )


def _limit(point: Mapping[str, Any], n_rounds: int) -> dict[str, int]:
    return {"n_estimators": min(n_rounds, point.get("n_estimators", DEFAULT_ROUNDS))}


def _own(host: str) -> list[Contender]:
    """The package's methods, and log loss at each end of the grid."""
    grid = default_grid(ESTIMATORS[host])
    single = [method for method in METHODS if method.bagging is None]
    runs = [(method.name, method, grid) for method in single]
    runs.append(("log loss, host's defaults", LOG_LOSS, ({},)))
    runs.append(("log loss, regularised", LOG_LOSS, grid[1:]))
    return [
        Contender(
            host,
            name,
            host,
            not (method.weight or method.resampling),
            partial(_fit_own, host, method, points),
        )
        for name, method, points in runs
    ]


CONTENDERS = (
    *(contender for host in HOSTS for contender in _own(host)),
    *(
        Contender(host, name, package, False, partial(fit_peer, host, name))
        for (host, name), package in PEERS.items()
    ),
)
BY_KEY = {(contender.host, contender.method): contender for contender in CONTENDERS}
