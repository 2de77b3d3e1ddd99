"""Fits every contender on every problem, each in a process that may fail."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict
from multiprocessing import get_context
from time import perf_counter
from typing import Any

from pebble import ProcessExpired, ProcessPool

from quality.methods import BY_KEY
from quality.problems import BY_NAME
from quality.results import Results, Settings, Task
from quality.scores import judged
from quality.splits import split
from quality.tables import AbsentError


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
