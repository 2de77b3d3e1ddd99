"""Times functions in turn, so that all see the same state of the machine."""

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from evaluations import machine, versions

RESULTS = Path(__file__).parents[1] / "results"


def parser_of(documentation: str, name: str) -> argparse.ArgumentParser:
    """The options that all benchmarks of pairs have."""
    parser = argparse.ArgumentParser(description=documentation.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--results", type=Path, default=RESULTS / f"{name}.csv")
    return parser


def in_turn(
    functions: dict[str, Callable[[], Any]], pairs: int
) -> Iterable[dict[str, Any]]:
    """Yield the medians of each function, beside the first one, the host's own.

    The time of the processor alone is beside that of the clock: on a busy machine it
    moves less.
    """
    for function in functions.values():
        function()
    times = np.array([[_seconds(f) for f in functions.values()] for _ in range(pairs)])
    for column, name in enumerate(functions):
        own, host = times[:, column], times[:, 0]
        (ratio, of_processor) = np.median(own / host, axis=0)
        yield {
            "method": name,
            "milliseconds": 1e3 * np.median(own[:, 0]),
            "more_milliseconds": 1e3 * np.median(own[:, 0] - host[:, 0]),
            "more_milliseconds_of_processor": 1e3 * np.median(own[:, 1] - host[:, 1]),
            "ratio": ratio,
            "ratio_of_processor": of_processor,
            "pairs": pairs,
        }


def _seconds(function: Callable[[], Any]) -> tuple[float, float]:
    """Of the clock, and of the processor."""
    start, of_processor = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start, time.process_time() - of_processor


def store(rows: Iterable[dict[str, Any]], path: Path) -> None:
    """Print every row when it is there, and store them with versions."""
    found = []
    for row in rows:
        print(*(f"{v:.4g}" if isinstance(v, float) else v for v in row.values()))
        found.append(row)
    hosts = f"xgboost {xgboost.__version__} lightgbm {lightgbm.__version__}"
    frame = pd.DataFrame(found).assign(machine=machine(), versions=versions(), seed=0)
    frame.assign(hosts=hosts).to_csv(path, index=False, float_format="%.4g")
