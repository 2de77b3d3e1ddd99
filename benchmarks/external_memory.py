"""How much memory a training takes whose data come in batches and stay on disk.

python benchmarks/external_memory.py [--rows N] [--features N] [--rounds N]

Each host trains in a process of its own, on batches that are made as they are read:
XGBoost from ExtMemQuantileDMatrix, whose pages lie in files, and LightGBM from a
Sequence, which it bins. The baseline takes one pass over the labels. Printed and stored
is the largest resident memory of the process, pages of files that the system may drop
at any time included. Linux only.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from scipy.special import expit

import focalboost
import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss

RESULTS = Path(__file__).parent / "results" / "external_memory.csv"
BATCH = 1_000_000
GIGABYTE = 1e9


def batch(number: int, rows: int, features: int) -> tuple[Any, Any]:
    """Features and labels of a batch, one positive in a hundred; always the same."""
    rng = np.random.default_rng(number)
    X = rng.standard_normal((rows, features), np.float32)
    log_odds = -7 + 2 * X[:, 0] + X[:, 1] * X[:, 2]
    return X, (rng.random(rows, np.float32) < expit(log_odds)).astype(np.float32)


def sizes(rows: int) -> Iterator[tuple[int, int]]:
    """Yield number and rows of each batch."""
    for number, start in enumerate(range(0, rows, BATCH)):
        yield number, min(BATCH, rows - start)


class Batches(xgboost.DataIter):
    """Batches for XGBoost, with a cache on disk."""

    def __init__(self, rows: int, features: int, folder: str) -> None:
        self.rows, self.features = rows, features
        self.batches = sizes(rows)
        super().__init__(cache_prefix=f"{folder}/cache", release_data=True)

    def next(self, input_data: Any) -> bool:
        number, rows = next(self.batches, (0, 0))
        if rows > 0:
            X, y = batch(number, rows, self.features)
            input_data(data=X, label=y)
        return rows > 0

    def reset(self) -> None:
        self.batches = sizes(self.rows)


class Rows(lightgbm.Sequence):
    """Rows for LightGBM, of which the batch read last is kept."""

    batch_size = 100_000

    def __init__(self, number: int, rows: int, features: int) -> None:
        self.place, self.kept = (number, rows, features), np.empty((0, 0))

    def __getitem__(self, index: Any) -> Any:
        if self.kept.size == 0:
            self.kept = batch(*self.place)[0]
        part = self.kept[index].astype(np.float64)
        if isinstance(index, slice) and index.stop >= len(self):
            self.kept = np.empty((0, 0))
        return part

    def __len__(self) -> int:
        return self.place[1]


def on_xgboost(rows: int, features: int, rounds: int, loss: FocalLoss) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        data = xgboost.ExtMemQuantileDMatrix(Batches(rows, features, folder))
        params = {"nthread": 2, "verbosity": 0, "max_depth": 6}
        booster = focalboost.xgboost.train(params, data, rounds, loss=loss)
        return lambda X: booster.predict(xgboost.DMatrix(X), output_margin=True)


def on_lightgbm(rows: int, features: int, rounds: int, loss: FocalLoss) -> Any:
    params = {"num_threads": 2, "verbosity": -1, "num_leaves": 63}
    y = np.concatenate([batch(n, size, features)[1] for n, size in sizes(rows)])
    parts = [Rows(n, size, features) for n, size in sizes(rows)]
    data = lightgbm.Dataset(parts, y, params=params)
    booster = focalboost.lightgbm.train(params, data, rounds, loss=loss)
    return lambda X: booster.predict(X, raw_score=True)


HOSTS = {"xgboost": on_xgboost, "lightgbm": on_lightgbm}


def measure(host: str, rows: int, features: int, rounds: int) -> dict[str, Any]:
    """Train in this process; the loss is that of a batch which was not trained on."""
    loss, start = FocalLoss(gamma=2), time.perf_counter()
    predict = HOSTS[host](rows, features, rounds, loss)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    X, y = batch(10**6, 200_000, features)
    relative = focalboost.focal_metric(gamma=2).relative_loss(y, predict(X))
    return {
        "host": host,
        "rows": rows,
        "features": features,
        "rounds": rounds,
        "seconds": seconds,
        "peak_gigabytes": peak / GIGABYTE,
        "raw_gigabytes": 4 * rows * features / GIGABYTE,
        "relative_focal_loss": relative,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=50_000_000)
    parser.add_argument("--features", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--hosts", nargs="+", choices=HOSTS, default=list(HOSTS))
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = [options.rows, options.features, options.rounds]
    if options.child:
        print(json.dumps(measure(options.hosts[0], *sizes)))
        return
    found = []
    for host in options.hosts:
        numbers = zip(
            ("--rows", "--features", "--rounds"), map(str, sizes), strict=True
        )
        arguments = [word for pair in numbers for word in pair]
        command = [sys.executable, __file__, "--child", "--hosts", host, *arguments]
        output = subprocess.check_output(command, text=True)
        found.append(json.loads(output.splitlines()[-1]))
        print(pd.DataFrame(found).to_string(index=False), flush=True)
    frame = pd.DataFrame(found)
    frame["versions"] = (
        f"focalboost {focalboost.__version__} xgboost {xgboost.__version__} "
        f"lightgbm {lightgbm.__version__} numpy {np.__version__}"
    )
    frame.to_csv(options.results, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
