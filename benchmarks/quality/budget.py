"""Which rows carry the gradient on card fraud, at the start and along the rounds."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from lightgbm import LGBMClassifier
from xgboost import XGBClassifier

from focalboost import FocalLoss
from focalboost.comparison import default_grid
from focalboost.diagnostics import (
    GradientBudget,
    gradient_budget,
    gradient_budget_by_round,
)
from quality.methods import ESTIMATORS
from quality.problems import BY_NAME
from quality.splits import Cap, Caps, Split, split
from quality.tables import AbsentError

CARD_FRAUD = "ulb_creditcard_int"
ROUNDS = (0, 10, 100)
GAMMAS = (0, 0.5, 1, 2, 5, (0, 2))
#: No row of the training part is left out.
WHOLE = Caps(train=Cap(10**9, 0, 10**9))
COLUMNS = ["problem", "host", "method", "rounds", "class", "effective_rows"]
LOG_LOSS, FROM_ZERO, WEIGHTED = "log loss", "log loss from 0", "weights: ratio"


def write_budget(folder: Path, problem: str = CARD_FRAUD) -> None:
    """Train on the problem's first seed, and store the shares as budget.csv."""
    try:
        parts = split(BY_NAME[problem].name, 0, WHOLE)
    except AbsentError as error:
        raise SystemExit(f"{problem}: {error}") from error
    tables = [
        _table(budget).assign(problem=problem, host=host, method=method)
        for host in ESTIMATORS
        for method, budget in _budgets(host, parts)
    ]
    table = pd.concat(tables)
    shares = [name for name in table.columns if name not in COLUMNS]
    folder.mkdir(parents=True, exist_ok=True)
    table[[*COLUMNS, *shares]].to_csv(
        folder / "budget.csv", index=False, float_format="%.6g"
    )


def _budgets(host: str, parts: Split) -> Iterator[tuple[str, GradientBudget]]:
    """The budgets of every method after each of the rounds, on the training rows."""
    X, y = parts.X, parts.y
    weight = np.where(y == 1, np.sum(y == 0) / np.sum(y == 1), 1.0)
    for method, model, weights in (
        (LOG_LOSS, _log_loss(host), None),
        (FROM_ZERO, _log_loss(host, from_zero=True), None),
        (WEIGHTED, _log_loss(host), weight),
        *((f"focal, γ = {gamma}", _focal(host, gamma), None) for gamma in GAMMAS),
    ):
        model.fit(X, y, sample_weight=weights)
        rounds = ROUNDS
        if method == FROM_ZERO:
            start = gradient_budget(y, np.zeros(len(y)), FocalLoss(0))
            yield method, replace(start, n_rounds=0)
            rounds = ROUNDS[1:]
        for budget in gradient_budget_by_round(model, X, y, rounds, weights):
            yield method, budget


def _params(host: str) -> dict[str, Any]:
    """The regularised trees, as LightGBM's log loss may diverge on its own."""
    params = {**default_grid(ESTIMATORS[host])[1], "n_jobs": 1, "random_state": 0}
    params["n_estimators"] = max(ROUNDS)
    return params


def _log_loss(host: str, from_zero: bool = False) -> Any:
    params = _params(host)
    if host == "xgboost":
        return XGBClassifier(**params, base_score=0.5 if from_zero else None)
    return LGBMClassifier(**params, boost_from_average=not from_zero, verbosity=-1)


def _focal(host: str, gamma: Any) -> Any:
    estimator = ESTIMATORS[host]
    shared = estimator.get_params(deep=False)
    return type(estimator)(**{**shared, **_params(host), "focal_gamma": gamma})


def _table(budget: GradientBudget) -> pd.DataFrame:
    """One line for each class: shares of the gradient by p_t, and of the curvature."""
    bounds = [0.0, *budget.edges, 1.0]
    names = [f"p_t {a:g}–{b:g}" for a, b in pairwise(bounds)]
    table = pd.DataFrame(budget.gradient, columns=names)
    rows = pd.DataFrame(budget.n_rows, columns=[f"rows {name}" for name in names])
    table = table.assign(
        rounds=budget.n_rounds,
        effective_rows=budget.effective_rows,
        gradient=budget.gradient_by_class,
        curvature=budget.curvature_by_class,
    )
    table["class"] = budget.classes
    return pd.concat([table, rows], axis=1)
