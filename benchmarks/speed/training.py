"""How long whole trainings take beside the host's own log loss and the peers.

python benchmarks/speed/training.py [--rows N ...] [--threads N ...] [--results FILE]

Every repetition trains each method once, in turn, on data sets that are built, so that
all see the same state of the machine; a ratio is the median of those to the host's own
log loss in the same repetition. At gamma = 0 with the exact hessian the trees are the
host's own, which is checked; at gamma = 2 trees differ from method to method, and with
them the host's time: what the objective itself takes is timed beside the whole. Set
OMP_WAIT_POLICY=passive, and run it on a quiet machine. Prints the table and stores it
in benchmarks/results/training.csv.
"""

import argparse
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial, wraps
from pathlib import Path
from typing import Any, NamedTuple

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from evaluations import Problem, machine, missing_peers, peers, versions
from scipy.special import expit

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss, focal_objective
from focalboost.objectives import FocalObjective

RESULTS = Path(__file__).parents[1] / "results" / "training.csv"
FEATURES, RATE = 30, 0.1

#: Rows times rounds of one training.
MOST_ROWS_TRAINED = 25_000_000

OURS: list[tuple[str, float, dict[str, Any]]] = [
    ("focalboost", 0, {"loss": FocalLoss(0), "curvature": "exact"}),
    ("focalboost", 2, {"loss": FocalLoss(2)}),
]

#: What trains for a number of rounds on prepared data, and returns the booster.
Train = Callable[[int], Any]


class Stopwatch:
    """The seconds spent in the functions that it has been given."""

    seconds = 0.0

    def of(self, function: Any) -> Any:
        """The function, timed."""

        @wraps(function)
        def timed(*arguments: Any) -> Any:
            start = time.perf_counter()
            result = function(*arguments)
            self.seconds += time.perf_counter() - start
            return result

        return timed


OBJECTIVES = Stopwatch()


class Replayed:
    """The gradients of a training, kept and given again.

    What a custom objective costs the host if it does no arithmetic.
    """

    def __init__(self) -> None:
        self.objective = focal_objective(0, curvature="exact")
        self.kept: list[Any] = []
        self.round = 0

    def __call__(self, raw: Any, data: Any) -> Any:
        if self.round == len(self.kept):
            self.kept.append(self.objective(raw, data))
        self.round += 1
        return self.kept[self.round - 1]

    def train(self, params: Any, data: Any, rounds: int) -> Any:
        self.round = 0
        return xgboost.train(params, data, rounds, obj=self)


class Methods(NamedTuple):
    """Name, gamma and training of each method, the host's own first."""

    trainings: list[tuple[str, float, Train]]
    raw: Callable[[Any], Any]  #: the raw predictions of a booster
    leaves: Callable[[Any], int]  #: the leaves of all its trees


def table(rows: int, columns: int = FEATURES) -> tuple[Any, Any]:
    """Features, and labels of which two in a hundred are 1."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, columns), np.float32)
    log_odds = -6 + 2 * X[:, 0] + X[:, 1] * X[:, 2] + X[:, 3]
    return X, (rng.random(rows) < expit(log_odds)).astype(np.float32)


def on_xgboost(X: Any, y: Any, threads: int) -> Methods:
    data = xgboost.DMatrix(X, y, nthread=threads)
    params = {"nthread": threads, "learning_rate": RATE, "verbosity": 0}
    scores = [float(y.mean()), float(expit(FocalLoss(2).baseline(y)))]
    own, focal = (
        {**params, "objective": "binary:logistic", "base_score": score}
        for score in scores
    )
    trainings: Any = [("own", 0, partial(xgboost.train, own, data))]
    for name, gamma, options in OURS:
        train = partial(focalboost.xgboost.train, params, data, **options)
        trainings.append((name, gamma, train))
    trainings.append(("replayed gradients", 0, partial(Replayed().train, own, data)))
    for name, function in peers(Problem(len(y), 0, "float32", 2.0)):
        train = partial(xgboost.train, focal, data, obj=native(function))
        trainings.append((name, 2, train))
    return Methods(
        trainings,
        lambda booster: booster.predict(data, output_margin=True),
        lambda booster: sum(tree.count("leaf=") for tree in booster.get_dump()),
    )


def on_lightgbm(X: Any, y: Any, threads: int) -> Methods:
    params = {"num_threads": threads, "learning_rate": RATE, "verbosity": -1}
    data = lightgbm.Dataset(X, y, params=params, free_raw_data=False).construct()
    own = {**params, "objective": "binary"}
    trainings: Any = [("own", 0, partial(lightgbm.train, own, data))]
    for name, gamma, options in OURS:
        train = partial(focalboost.lightgbm.train, params, data, **options)
        trainings.append((name, gamma, train))
    for name, function in peers(Problem(len(y), 0, "float64", 2.0)):
        focal = {**params, "objective": native(function)}
        trainings.append((name, 2, partial(lightgbm.train, focal, data)))
    return Methods(
        trainings,
        lambda booster: booster.predict(X, raw_score=True),
        lambda booster: int(booster.trees_to_dataframe()["left_child"].isna().sum()),
    )


def native(function: Any) -> Any:
    """A peer's function of labels and raw predictions, as the hosts call it."""
    return OBJECTIVES.of(lambda raw, data: function(data.get_label(), raw))


def measure(
    host: str, rows: int, threads: int, rounds: int, limit: float
) -> Iterator[dict[str, Any]]:
    """Train every method in turn, for `limit` seconds but at least 3 times."""
    X, y = table(rows)
    prepare = {"xgboost": on_xgboost, "lightgbm": on_lightgbm}[host]
    methods, raw, leaves = prepare(X, y, threads)
    boosters = [train(rounds) for _, _, train in methods]
    difference = raw(boosters[1]) - raw(boosters[0])
    equal = float(abs(difference - np.mean(difference)).max())
    times: list[list[tuple[float, float]]] = []
    start = time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < limit:
        times.append([_seconds(train, rounds) for _, _, train in methods])
    seconds, of_objectives = np.moveaxis(times, 2, 0)
    ratios = seconds / seconds[:, :1]
    for column, (name, gamma, _) in enumerate(methods):
        yield {
            "host": host,
            "method": name,
            "gamma": gamma,
            "rows": rows,
            "threads": threads,
            "rounds": rounds,
            "leaves": leaves(boosters[column]),
            "seconds": np.median(seconds[:, column]),
            "ratio": np.median(ratios[:, column]),
            "fastest_ratio": seconds[:, column].min() / seconds[:, 0].min(),
            "objective_milliseconds": 1e3
            * np.median(of_objectives[:, column])
            / rounds,
            "repetitions": len(times),
            "largest_difference_to_own": equal if column == 1 else np.nan,
        }


def _seconds(train: Train, rounds: int) -> tuple[float, float]:
    """Of a training, and of the objective in it."""
    OBJECTIVES.seconds = 0.0
    start = time.perf_counter()
    train(rounds)
    return time.perf_counter() - start, OBJECTIVES.seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    sizes = [100_000, 1_000_000, 5_000_000]
    parser.add_argument("--rows", type=int, nargs="+", default=sizes)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, help="20, or 5 of 5 million rows")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    warnings.filterwarnings("ignore")  # of peers and their starts
    FocalObjective.of = OBJECTIVES.of(FocalObjective.of)
    if missing_peers():
        print("not installed, so left out:", ", ".join(missing_peers()))
    found: list[dict[str, Any]] = []
    for rows in options.rows:
        for threads in options.threads:
            for host in ("xgboost", "lightgbm"):
                rounds = options.rounds or min(20, MOST_ROWS_TRAINED // rows)
                found += measure(host, rows, threads, rounds, options.seconds)
                frame = pd.DataFrame(found)
                text = frame.tail(9).to_string(header=False, float_format="%.3g")
                print(text, flush=True)
    frame["machine"], frame["versions"], frame["seed"] = machine(), versions(), 0
    frame["hosts"] = f"xgboost {xgboost.__version__} lightgbm {lightgbm.__version__}"
    print(frame.iloc[:, :12].to_string(index=False, float_format="{:.3g}".format))
    frame.to_csv(options.results, index=False, float_format="%.4g")


if __name__ == "__main__":
    main()
