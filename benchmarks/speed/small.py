"""How long trainings on small data take beside the host's own log loss.

OMP_WAIT_POLICY=passive python benchmarks/speed/small.py [--rows N ...]
    [--columns N ...] [--threads N ...] [--rounds N] [--pairs N] [--results FILE]

At gamma = 0 with the exact hessian the trees are the host's own, and the leaves are
printed beside. "stored gradients" is what a custom objective costs XGBoost if it does
nothing. Prints the table and stores it in benchmarks/results/small.csv.
"""

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import lightgbm
import xgboost
from pairs import in_turn, parser_of, store
from training import OURS, RATE, Replayed, table

import focalboost.lightgbm
import focalboost.xgboost


def trainings(host: str, X: Any, y: Any, threads: int, rounds: int) -> dict[str, Any]:
    """What trains, by name, the host's own first. Data sets are built."""
    params = {"learning_rate": RATE, "max_depth": 6}
    if host == "xgboost":
        params |= {"nthread": threads, "verbosity": 0}
        data: Any = xgboost.DMatrix(X, y, nthread=threads)
        own = {"objective": "binary:logistic", "base_score": float(y.mean())}
        stored = partial(Replayed().train, params | own, data, rounds)
    else:
        params |= {"num_threads": threads, "verbosity": -1, "force_col_wise": True}
        data = lightgbm.Dataset(X, y, params=params, free_raw_data=False).construct()
        own, stored = {"objective": "binary"}, None
    library = {"xgboost": xgboost, "lightgbm": lightgbm}[host]
    ours = getattr(focalboost, host)
    found = {"own": partial(library.train, params | own, data, rounds)}
    for _, gamma, options in OURS:
        train = partial(ours.train, params, data, rounds, **options)
        found[f"gamma = {gamma}"] = train
    return found | ({"stored gradients": stored} if stored else {})


def leaves_of(booster: Any) -> int:
    """The number of leaves of all trees."""
    if isinstance(booster, xgboost.Booster):
        return sum(tree.count("leaf=") for tree in booster.get_dump())
    return int(booster.trees_to_dataframe()["left_child"].isna().sum())


def rows(options: Any) -> Iterator[dict[str, Any]]:
    sizes = product(options.rows, options.columns, options.threads)
    for size, host in product(sizes, ("xgboost", "lightgbm")):
        n_rows, columns, threads = size
        X, y = table(n_rows, columns)
        functions = trainings(host, X, y, threads, options.rounds)
        known = {"host": host, "rows": n_rows, "columns": columns, "threads": threads}
        known["rounds"] = options.rounds
        leaves = {name: leaves_of(train()) for name, train in functions.items()}
        for row in in_turn(functions, options.pairs):
            yield {**known, **row, "leaves": leaves[row["method"]]}


if __name__ == "__main__":
    parser = parser_of(__doc__, "small")
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--columns", type=int, nargs="+", default=[10, 30, 100])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=100)
    options = parser.parse_args()
    store(rows(options), options.results)
