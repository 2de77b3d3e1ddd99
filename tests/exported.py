"""Models to export, on simulated and on real tables with missing values and categories.

The real tables are prepared .npz files outside this repository, one array for each
column: numbers under c000, c001, ..., those of a categorical column being codes (-1 is
missing) whose names are under l000, ..., and the class of each row under y.
"""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from optional import FocalLGBMClassifier, FocalXGBClassifier

PREPARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Problem:
    """Features as float32, categories as codes, and labels."""

    name: str
    X: np.ndarray
    y: np.ndarray
    categorical: tuple[int, ...] = ()

    @property
    def loss(self):
        """Parameters of a loss that uses all of its freedom."""
        n_classes = len(np.unique(self.y))
        if n_classes == 2:
            return {"focal_gamma": (0.5, 2), "focal_alpha": 0.25}
        gamma = np.resize([0, 1, 2], n_classes).tolist()
        return {"focal_gamma": gamma, "focal_alpha": list(range(1, n_classes + 1))}

    @property
    def without_missing(self):
        """The problem with 0 for missing values."""
        return replace(self, X=np.nan_to_num(self.X))

    def fitted(self, host, n_estimators=20, **params):
        """An estimator of a host, fitted."""
        params = {"n_estimators": n_estimators, "n_jobs": 1, **self.loss, **params}
        if host == "lightgbm":
            model = FocalLGBMClassifier(verbosity=-1, min_child_samples=5, **params)
            categorical = list(self.categorical) or "auto"
            return model.fit(self.X, self.y, categorical_feature=categorical)
        types = ["c" if i in self.categorical else "q" for i in range(self.X.shape[1])]
        model = FocalXGBClassifier(
            feature_types=types, enable_categorical=True, **params
        )
        return model.fit(self.X, self.y)


def _missing(X, rng, share=0.1):
    return np.where(rng.random(X.shape) < share, np.nan, X).astype(np.float32)


@cache
def simulated(name):
    """A small table by its name."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(1500, 4))
    categorical = ()
    score = 2 * X[:, 0] + X[:, 1] * X[:, 2] + rng.logistic(size=1500)
    if name == "categories":
        codes = rng.integers(0, 40, size=1500)
        score += 3 * np.isin(codes, [2, 3, 11, 37])
        X[:, 3], categorical = codes, (3,)
    if name == "three classes":
        return Problem(name, _missing(X, rng), np.digitize(score, [1, 3]))
    missing = 0 if name == "dense" else 0.1
    return Problem(
        name, _missing(X, rng, missing), (score > 3).astype(int), categorical
    )


SIMULATED = ("dense", "missing values", "categories", "three classes")

#: Tables with categories and a missing value; with five classes; of numbers only.
REAL = ("nass_cds", "page_blocks5", "mammography")


@cache
def prepared(name):
    """A real table by its name, or the reason to skip."""
    path = PREPARED / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"the prepared data set {name} is not in ../shared/data")
    arrays: Any = np.load(path)
    n_features = sum(key.startswith("c") for key in arrays if key[1:].isdigit())
    columns = [arrays[f"c{i:03}"].astype(np.float32) for i in range(n_features)]
    categorical = tuple(i for i in range(n_features) if f"l{i:03}" in arrays)
    for i in categorical:
        columns[i][columns[i] < 0] = np.nan
    return Problem(name, np.column_stack(columns), arrays["y"].astype(int), categorical)


def problems():
    """Every problem, the real ones as slow tests."""
    for name in SIMULATED:
        yield pytest.param(lambda name=name: simulated(name), id=name)
    for name in REAL:
        slow = pytest.mark.slow
        yield pytest.param(lambda name=name: prepared(name), id=name, marks=slow)


each_problem = pytest.mark.parametrize("problem", list(problems()))
each_host = pytest.mark.parametrize("name", ["xgboost", "lightgbm"])


def fitted(problem, name, **params):
    """The problem, and an estimator fitted to it."""
    problem = problem()
    return problem, problem.fitted(name, **params)
