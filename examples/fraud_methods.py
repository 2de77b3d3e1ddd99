"""The methods that the fraud example compares, each trained on both hosts."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import lightgbm
import numpy as np
import pandas as pd
from fraud_data import Problem
from imblearn.over_sampling import SMOTE
from lightgbm import LGBMClassifier
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from focalboost import FocalLGBMClassifier, FocalXGBClassifier

HOSTS = ("XGBoost", "LightGBM")
# LightGBM at its own defaults, without the last two, diverges on log loss at 1:1000.
TREES = {"max_depth": 4, "learning_rate": 0.05, "reg_lambda": 1, "min_child_weight": 1}
PATIENCE = 50


@dataclass(frozen=True)
class Method:
    """What is done about the imbalance.

    Attributes
    ----------
    name : str
        Its name in the table.
    ratios : float
        Weight of a positive in units of negatives per positive; 0 for no weights.
    smote : bool
        Whether the training part is brought to 1:1 with synthetic positives.
    gamma : float, (float, float) or None
        Focusing parameter; None for log loss.
    """

    name: str
    ratios: float = 0.0
    smote: bool = False
    gamma: float | tuple[float, float] | None = None


METHODS = (
    Method("log loss"),
    Method("log loss, weight 1 x ratio", ratios=1.0),
    Method("log loss, weight 5 x ratio", ratios=5.0),
    Method("log loss after SMOTE", smote=True),
    Method("focal loss, gamma 2", gamma=2.0),
    Method("focal loss, gamma (0, 2)", gamma=(0.0, 2.0)),
)


@dataclass(frozen=True)
class Settings:
    """What all fits share besides ``TREES``."""

    n_rounds: int = 500
    n_threads: int = 2
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Fit:
    """A trained model, and the probabilities it gives to the test part."""

    host: str
    method: Method
    model: Any
    posterior: NDArray[np.float64]
    n_rounds: int
    seconds: float


class _Labelled(NamedTuple):
    X: pd.DataFrame
    y: NDArray[np.int8]
    weight: NDArray[np.float64] | None = None


def fit_all(problem: Problem, settings: Settings) -> list[Fit]:
    """Train every method on every host, with a progress bar on standard error."""
    bar = Progress(
        TextColumn("{task.description:36}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    fits = []
    with bar:
        task = bar.add_task("", total=len(HOSTS) * len(METHODS))
        for host in HOSTS:
            for method in METHODS:
                bar.update(task, description=f"{host}: {method.name}")
                fits.append(fit(host, method, problem, settings))
                bar.advance(task)
    return fits


def fit(host: str, method: Method, problem: Problem, settings: Settings) -> Fit:
    """Train one method on one host; the seconds include SMOTE, not the prediction."""
    start = perf_counter()
    features = problem.features
    if method.smote:
        features = _without_missing(features, problem.train)
    train, validation = (
        _Labelled(features.iloc[rows], problem.y_true[rows])
        for rows in (problem.train, problem.validation)
    )
    if method.smote:
        train = _resampled(train, settings.seed)
    if method.ratios:
        weight = method.ratios * np.sum(train.y == 0) / np.sum(train.y == 1)
        train, validation = _weighted(train, weight), _weighted(validation, weight)
    train_on_host = _fit_xgboost if host == "XGBoost" else _fit_lightgbm
    model, n_rounds = train_on_host(method, train, validation, settings)
    seconds = perf_counter() - start
    both = np.asarray(model.predict_proba(features.iloc[problem.test]), np.float64)
    return Fit(host, method, model, both[:, 1], n_rounds, seconds)


def _weighted(part: _Labelled, weight_of_positive: float) -> _Labelled:
    return part._replace(weight=np.where(part.y == 1, weight_of_positive, 1.0))


def _without_missing(features: pd.DataFrame, train: NDArray[np.int64]) -> pd.DataFrame:
    """The features with the training part's medians for what is missing."""
    imputer = SimpleImputer(strategy="median", keep_empty_features=True)
    imputer.set_output(transform="pandas").fit(features.iloc[train])
    return imputer.transform(features)


def _resampled(train: _Labelled, seed: int) -> _Labelled:
    """As many positives as negatives; neighbours are found on standardised columns."""
    scaler = StandardScaler().fit(train.X)
    n_neighbors = min(5, int(np.bincount(train.y).min()) - 1)
    smote = SMOTE(k_neighbors=n_neighbors, random_state=seed)
    scaled, y = smote.fit_resample(scaler.transform(train.X), train.y)
    X = pd.DataFrame(scaler.inverse_transform(scaled), columns=train.X.columns)
    # Fractions between whole numbers would give every synthetic positive away.
    whole = (train.X % 1 == 0).all()
    return _Labelled(X.where(~whole, X.round()), y)


def _fit_xgboost(
    method: Method, train: _Labelled, validation: _Labelled, settings: Settings
) -> tuple[XGBClassifier, int]:
    params: dict[str, Any] = {
        **TREES,
        "n_estimators": settings.n_rounds,
        "n_jobs": settings.n_threads,
        "random_state": settings.seed,
        "early_stopping_rounds": PATIENCE,
    }
    if method.gamma is None:
        model = XGBClassifier(eval_metric="logloss", **params)
    else:
        model = FocalXGBClassifier(focal_gamma=method.gamma, **params)
    model.fit(
        train.X,
        train.y,
        sample_weight=train.weight,
        eval_set=[(validation.X, validation.y)],
        sample_weight_eval_set=_for_one_set(validation.weight),
        verbose=False,
    )
    return model, model.best_iteration + 1


def _fit_lightgbm(
    method: Method, train: _Labelled, validation: _Labelled, settings: Settings
) -> tuple[LGBMClassifier, int]:
    params: dict[str, Any] = {
        **TREES,
        "num_leaves": 2 ** TREES["max_depth"],
        "n_estimators": settings.n_rounds,
        "n_jobs": settings.n_threads,
        "random_state": settings.seed,
        "verbose": -1,
    }
    if method.gamma is None:
        model = LGBMClassifier(**params)
    else:
        model = FocalLGBMClassifier(focal_gamma=method.gamma, **params)
    with warnings.catch_warnings():
        # Its successors, eval_X and eval_y, are not there before LightGBM 4.7.
        warnings.filterwarnings("ignore", "The argument 'eval_set' is deprecated")
        model.fit(
            train.X,
            train.y,
            sample_weight=train.weight,
            eval_set=[(validation.X, validation.y)],
            eval_sample_weight=_for_one_set(validation.weight),
            callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
        )
    return model, model.best_iteration_


def _for_one_set(weight: NDArray[np.float64] | None) -> list[Any] | None:
    """Weights in the list, one entry for each evaluation set, that hosts ask for."""
    return None if weight is None else [weight]


def save(fits: list[Fit], folder: Path) -> None:
    """Write every model in its host's own format, up to the round that was best."""
    for fit in fits:
        name = re.sub(r"\W+", "_", f"{fit.host} {fit.method.name}".lower()).strip("_")
        if fit.host == "XGBoost":
            booster = fit.model.get_booster()[: fit.n_rounds]
            booster.save_model(folder / f"{name}.json")
        else:
            fit.model.booster_.save_model(folder / f"{name}.txt")
