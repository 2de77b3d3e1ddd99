"""Other packages' focal losses and CatBoost, with the search that our methods get.

imlightgbm, bokbokbok and gbdtCBL are on PyPI; they pin other versions of the hosts, so
install them with pip's --no-deps. Each is called as its documentation does, from where
the host starts, and its score is read as it reads it: expit(raw). What they get from
here is the tuning (grid, holdout, early stopping) and, to stop on, our focal metric, as
theirs take raw scores for probabilities.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import lightgbm
import numpy as np
import xgboost
from scipy.special import expit
from sklearn.metrics import average_precision_score, log_loss
from sklearn.model_selection import train_test_split

from focalboost import FocalLGBMClassifier, FocalXGBClassifier, focal_metric
from focalboost.comparison import default_grid
from focalboost.comparison._search import MOST_ROUNDS, PATIENCE, VALIDATION_SHARE
from quality.fits import Fit

#: The papers' default, and the one that every peer has.
GAMMA = 2.0
#: CatBoost's default trees, and smaller, regularised ones.
CATBOOST_GRID = (
    {**MOST_ROUNDS, "max_depth": 6, "reg_lambda": 3},
    {**MOST_ROUNDS, "max_depth": 4, "reg_lambda": 10},
)
CATBOOST_LOSSES = {
    "CatBoost log loss": "Logloss",
    "CatBoost Focal, γ = 2": f"Focal:focal_alpha=0.5;focal_gamma={GAMMA}",
}


class Part(NamedTuple):
    """Features and labels."""

    X: Any
    y: Any


class Trained(NamedTuple):
    """Gives the raw predictions of rows with the rounds that are kept."""

    raw: Callable[[Any], Any]
    n_rounds: int


def fit_peer(
    host: str, name: str, X: Any, y: Any, X_test: Any, n_rounds: int, seed: int
) -> Fit:
    """Train a peer at both points of its grid; the best on the validation rows."""
    train, valid = holdout(X, y, seed)
    train_on_host = {
        "xgboost": partial(_xgboost, OBJECTIVES.get(name)),
        "lightgbm": partial(_lightgbm, OBJECTIVES.get(name)),
        "catboost": partial(_catboost, CATBOOST_LOSSES.get(name)),
    }[host]
    found = []
    for number, point in enumerate(_grid(host)):
        limited = {**point, "n_estimators": min(n_rounds, point["n_estimators"])}
        trained = train_on_host(train, valid, limited, seed)
        raw = trained.raw(valid.X)
        if not np.isfinite(raw).all():
            raise FloatingPointError("raw predictions that are not finite")
        precision = float(average_precision_score(valid.y, raw))
        loss = float(log_loss(valid.y, expit(raw), labels=[0, 1]))
        found.append((-precision, loss, number, trained))
    precision, loss, number, trained = min(found, key=lambda one: one[:3])
    raw = np.asarray(trained.raw(X_test), np.float64)
    p = expit(raw)
    return Fit(raw, p, p, trained.n_rounds, number, -precision, loss)


def holdout(X: Any, y: Any, seed: int) -> tuple[Part, Part]:
    """The same rows that ``focalboost.comparison.tuned`` holds out."""
    rows = np.arange(len(y))
    train, valid = train_test_split(
        rows, test_size=VALIDATION_SHARE, stratify=y, random_state=seed
    )
    return Part(X[train], y[train]), Part(X[valid], y[valid])


def _grid(host: str) -> tuple[Mapping[str, Any], ...]:
    if host == "catboost":
        return CATBOOST_GRID
    estimator = {"xgboost": FocalXGBClassifier, "lightgbm": FocalLGBMClassifier}[host]
    return default_grid(estimator())


def _bokbokbok() -> Callable[[Any, Any], Any]:
    from bokbokbok.loss_functions.classification import WeightedFocalLoss

    return WeightedFocalLoss(gamma=GAMMA)


def _imlightgbm() -> Callable[[Any, Any], Any]:
    from imlightgbm.objective import binary_focal_lgb_objective

    return partial(binary_focal_lgb_objective, gamma=GAMMA)


def _gbdt_cbl() -> Callable[[Any, Any], Any]:
    from gbdtCBL.binary import FLLoss

    loss = FLLoss(GAMMA)
    return lambda raw, data: loss(data.get_label(), raw)


#: Functions of raw predictions and a host's data set.
OBJECTIVES = {
    "bokbokbok, γ = 2": _bokbokbok,
    "imlightgbm, γ = 2": _imlightgbm,
    "gbdtCBL, γ = 2": _gbdt_cbl,
}
#: Where each peer takes part, and its distribution.
PEERS = {
    ("xgboost", "bokbokbok, γ = 2"): "bokbokbok",
    ("xgboost", "gbdtCBL, γ = 2"): "gbdtCBL",
    ("lightgbm", "bokbokbok, γ = 2"): "bokbokbok",
    ("lightgbm", "gbdtCBL, γ = 2"): "gbdtCBL",
    ("lightgbm", "imlightgbm, γ = 2"): "imlightgbm",
    **{("catboost", name): "catboost" for name in CATBOOST_LOSSES},
}


def _xgboost(objective: Any, train: Part, valid: Part, point: Any, seed: int) -> Any:
    params = {**point, "seed": seed, "nthread": 1}
    n_rounds = params.pop("n_estimators")
    train_set, valid_set = (xgboost.DMatrix(part.X, part.y) for part in (train, valid))
    booster = xgboost.train(
        params,
        train_set,
        n_rounds,
        obj=objective(),
        custom_metric=focal_metric(GAMMA),
        evals=[(valid_set, "valid")],
        early_stopping_rounds=PATIENCE,
        maximize=False,
        verbose_eval=False,
    )
    kept = int(booster.best_iteration) + 1

    def raw(X: Any) -> Any:
        rows = xgboost.DMatrix(X)
        return booster.predict(rows, output_margin=True, iteration_range=(0, kept))

    return Trained(raw, kept)


def _lightgbm(objective: Any, train: Part, valid: Part, point: Any, seed: int) -> Any:
    params = {**point, "seed": seed, "num_threads": 1, "verbosity": -1}
    n_rounds = params.pop("n_estimators")
    train_set = lightgbm.Dataset(train.X, train.y)
    booster = lightgbm.train(
        {**params, "objective": objective(), "metric": "None"},
        train_set,
        n_rounds,
        valid_sets=[lightgbm.Dataset(valid.X, valid.y, reference=train_set)],
        feval=focal_metric(GAMMA),
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
    )
    kept = int(booster.best_iteration)
    return Trained(partial(booster.predict, num_iteration=kept, raw_score=True), kept)


def _catboost(loss: str, train: Part, valid: Part, point: Any, seed: int) -> Any:
    from catboost import CatBoostClassifier

    model = CatBoostClassifier(
        **point,
        loss_function=loss,
        random_seed=seed,
        thread_count=1,
        early_stopping_rounds=PATIENCE,
        allow_writing_files=False,
        verbose=False,
    )
    model.fit(train.X, train.y, eval_set=(valid.X, valid.y))
    kept = int(model.tree_count_)
    return Trained(partial(model.predict, prediction_type="RawFormulaVal"), kept)
