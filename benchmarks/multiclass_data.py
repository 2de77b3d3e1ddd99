"""The prepared sets of several classes, thinned and split."""

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SETS = (
    "shuttle7",
    "page_blocks5",
    "yeast10",
    "wine_quality7",
    "fars8",
    "ann_thyroid3",
)
#: A class of so many rows or fewer keeps all of them where a set is thinned.
RARE = 500
VALIDATION = TEST = 0.2


@dataclass(frozen=True, eq=False)
class Part:
    """Features, with categories as codes and NaN for missing, and labels 0 to K - 1."""

    X: Any
    y: Any


@dataclass(frozen=True, eq=False)
class Problem:
    """A set of ``n_classes`` classes in three parts; each class is in every part."""

    name: str
    n_classes: int
    train: Part
    validation: Part
    test: Part


def problem(folder: Path, name: str, max_rows: int, seed: int) -> Problem | None:
    """Return a set, or None where it is absent."""
    if not (folder / "load.py").is_file() or not (folder / f"{name}.npz").is_file():
        return None
    spec: Any = importlib.util.spec_from_file_location("load", folder / "load.py")
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    data = loader.load(name)
    rng = np.random.default_rng(seed)
    rows = _thinned(data.y, max_rows, rng)
    X, y = data.X_numeric()[rows], data.y[rows].astype(int)
    parts = (Part(X[chosen], y[chosen]) for chosen in _split(y, rng))
    return Problem(name, len(data.classes), *parts)


def _thinned(y: Any, max_rows: int, rng: np.random.Generator) -> Any:
    """At most so many rows: classes that are not rare lose the same share of theirs."""
    size = np.bincount(y)
    n_rare = size[size <= RARE].sum()
    share = min(1.0, max(0, max_rows - n_rare) / max(1, len(y) - n_rare))
    kept = np.where(size <= RARE, size, np.ceil(share * size).astype(int))
    return np.concatenate(
        [rng.permutation(np.flatnonzero(y == k))[:n] for k, n in enumerate(kept)]
    )


def _split(y: Any, rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """Rows of the three parts, by class; each part gets a row of a class of three."""
    parts: tuple[list[Any], list[Any], list[Any]] = ([], [], [])
    for k in np.unique(y):
        rows = rng.permutation(np.flatnonzero(y == k))
        if len(rows) < 3:
            raise ValueError(f"class {k} has {len(rows)} rows, and three parts need 3")
        n_validation = max(1, round(VALIDATION * len(rows)))
        n_test = max(1, round(TEST * len(rows)))
        edges = [n_validation, n_validation + n_test]
        validation, test, train = np.split(rows, edges)
        for part, chosen in zip(parts, (train, validation, test), strict=True):
            part.append(chosen)
    train, validation, test = (rng.permutation(np.concatenate(part)) for part in parts)
    return train, validation, test
