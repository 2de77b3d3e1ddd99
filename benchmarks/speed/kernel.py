"""How long gradient and curvature of one round take, beside np.exp and the peers.

python benchmarks/speed/kernel.py [--rows N ...] [--seconds S] [--results FILE]

Every repetition times np.exp on the raw predictions (into an array that is there) and
a method after it, so that both see the same state of the machine; a ratio is that of
two medians. Entries are rows times classes, of which K = 0 stands for the binary
loss. Run it with OMP_NUM_THREADS=1 on a quiet machine; threads are those of --threads.
Prints the table and stores it in benchmarks/results/kernel.csv.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from evaluations import Problem, machine, missing_peers, own, peers, versions

RESULTS = Path(__file__).parents[1] / "results" / "kernel.csv"
DTYPES = ("float32", "float64")

#: Beyond it a peer's dozens of temporaries do not fit into the memory of a laptop.
LARGEST_FOR_PEERS = 10_000_000


def problems(sizes: list[int]) -> Iterator[Problem]:
    """Yield sizes at gamma = 2, then gammas and numbers of classes at one size."""
    for dtype in DTYPES:
        for rows in sizes:
            yield Problem(rows, 0, dtype, 2.0)
            yield Problem(max(1, rows // 5), 5, dtype, 2.0)
        middle = min(sizes, key=lambda rows: abs(rows - 1_000_000))
        for gamma in (0.0, 0.5, 1.0, 1.5, 3.0, 2.3):
            yield Problem(middle, 0, dtype, gamma)
        for n_classes in (2, 3, 10, 20, 50):
            yield Problem(max(1, middle // n_classes), n_classes, dtype, 2.0)


def methods(problem: Problem, threads: list[int]) -> Iterator[tuple[str, int, Any]]:
    """Yield name, number of threads and function; peers have one thread."""
    for n_threads in threads:
        for name, function in own(problem, n_threads).items():
            yield name, n_threads, function
    if problem.rows * max(1, problem.n_classes) <= LARGEST_FOR_PEERS:
        for name, function in peers(problem):
            yield name, 1, function


def seconds(function: Callable[..., Any], *arguments: Any, **options: Any) -> float:
    start = time.perf_counter()
    function(*arguments, **options)
    return time.perf_counter() - start


def measure(
    problem: Problem, threads: list[int], limit: float
) -> Iterator[dict[str, Any]]:
    """Time every method beside np.exp, for `limit` seconds.

    A method alternates with np.exp alone: after another one, whose temporaries have
    filled the caches and gone back to the system, it would pay for those.
    """
    labels, raw = problem.arrays()
    for name, n_threads, function in methods(problem, threads):
        exps, times = alternate(labels, raw, function, limit)
        exp, median = np.median(exps), np.median(times)
        yield {
            "method": name,
            "rows": problem.rows,
            "classes": problem.n_classes,
            "dtype": problem.dtype,
            "gamma": problem.gamma,
            "threads": n_threads,
            "milliseconds": 1e3 * median,
            "fastest": 1e3 * min(times),
            "exp": 1e3 * exp,
            "ratio": median / exp,
            "fastest_ratio": min(times) / min(exps),
            "nanoseconds_per_entry": 1e9 * median / raw.size,
            "repetitions": len(times),
        }


def alternate(
    labels: Any, raw: Any, function: Callable[..., Any], limit: float
) -> tuple[list[float], list[float]]:
    """Seconds of np.exp and of the function in turn, at least 3 and at most 100."""
    exps: list[float] = []
    times: list[float] = []
    output = np.empty_like(raw)
    start = time.perf_counter()
    with np.errstate(all="ignore"):
        function(labels, raw)
        while len(exps) < 3 or (
            time.perf_counter() - start < limit and len(exps) < 100
        ):
            exps.append(seconds(np.exp, raw, out=output))
            times.append(seconds(function, labels, raw))
    return exps, times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    sizes = [10**power for power in range(3, 9)]
    parser.add_argument("--rows", type=int, nargs="+", default=sizes)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    if missing_peers():
        print("not installed, so left out:", ", ".join(missing_peers()))
    rows = []
    for problem in problems(options.rows):
        rows += measure(problem, options.threads, options.seconds)
        print(pd.DataFrame(rows).tail(1).to_string(header=False), flush=True)
    table = pd.DataFrame(rows)
    table["machine"], table["versions"], table["seed"] = machine(), versions(), 0
    print(table.iloc[:, :12].to_string(index=False, float_format="{:.3g}".format))
    table.to_csv(options.results, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
