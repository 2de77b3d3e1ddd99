"""How much memory gradient and curvature take beside the labels and raw predictions.

python benchmarks/speed/memory.py [--rows N] [--results FILE]

Every row of the table is a fresh process. It holds float32 labels and the raw
predictions, calls the method once on ten rows, notes its resident memory, calls it on
all rows, and reads the highest resident memory of its life; the difference is at least
what the call has taken. The two float32 results alone are 8 bytes for each entry.
Linux only. Prints the table and stores it in benchmarks/results/memory.csv.
"""

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from evaluations import Problem, machine, missing_peers, own, peers, versions

RESULTS = Path(__file__).parents[1] / "results" / "memory.csv"
MEGABYTE = 1_000_000


def resident() -> int:
    """Bytes of memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def highest_resident() -> int:
    """The most bytes that it has ever held; Linux counts kibibytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def extra(problem: Problem, method: str, n_threads: int) -> int:
    """Bytes that one call takes beyond its arguments."""
    labels, raw = problem.arrays()
    function = (own(problem, n_threads) | dict(peers(problem)))[method]
    with np.errstate(all="ignore"):
        few = np.arange(10.0, dtype=np.float32) % (problem.n_classes or 2)
        function(few, raw[:10])
        before = resident()
        results = function(labels, raw)
    assert all(result.size == raw.size for result in results)
    return highest_resident() - before


def cases(rows: int) -> list[tuple[Problem, str, int]]:
    """Problems, methods and threads; a host's call, and the peers on binary labels."""
    table = []
    for dtype in ("float32", "float64"):
        for n_classes in (0, 5):
            problem = Problem(rows // (n_classes or 1), n_classes, dtype, 2.0)
            table += [(problem, "focal_objective", n) for n in (1, 2)]
            table += [(problem, name, 1) for name, _ in peers(problem) if not n_classes]
    return table


def in_fresh_process(problem: Problem, method: str, n_threads: int) -> int:
    fields = [problem.rows, problem.n_classes, problem.dtype, problem.gamma]
    command = [sys.executable, __file__, "--case", *fields, method, n_threads]
    return int(subprocess.check_output(list(map(str, command)), text=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--case", nargs=6, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        rows, n_classes, dtype, gamma, method, n_threads = options.case
        problem = Problem(int(rows), int(n_classes), dtype, float(gamma))
        print(extra(problem, method, int(n_threads)))
        return
    if not sys.platform.startswith("linux"):
        parser.exit(message="memory is measured on Linux only\n")
    if missing_peers():
        print("not installed, so left out:", ", ".join(missing_peers()))
    lines = []
    for problem, method, n_threads in cases(options.rows):
        entries = problem.rows * (problem.n_classes or 1)
        taken = in_fresh_process(problem, method, n_threads)
        lines.append(
            {
                "method": method,
                "rows": problem.rows,
                "classes": problem.n_classes,
                "dtype": problem.dtype,
                "threads": n_threads,
                "megabytes": taken / MEGABYTE,
                "bytes_per_entry": taken / entries,
                "megabytes_beyond_results": (taken - 8 * entries) / MEGABYTE,
            }
        )
    table = pd.DataFrame(lines)
    print(table.to_string(index=False, float_format="{:.4g}".format))
    table["machine"], table["versions"], table["seed"] = machine(), versions(), 0
    table.to_csv(options.results, index=False, float_format="%.5g")


if __name__ == "__main__":
    main()
