"""How long trainings on small data take beside the host's own log loss.

OMP_WAIT_POLICY=passive python benchmarks/speed/small.py [--rows N ...]
    [--columns N ...] [--threads N ...] [--rounds N] [--pairs N] [--results FILE]

At gamma = 0 with the exact hessian the trees are the host's own, and the leaves are
printed beside. "stored gradients" is what a custom objective costs XGBoost if it does
nothing. "evaluated" are trainings that evaluate their loss on as many rows again, as
for early stopping; the unit is the host's own of that kind. Prints the table and stores
it in benchmarks/results/small.csv.
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


def trainings(
    host: str, X: Any, y: Any, threads: int, rounds: int, evaluated: bool
) -> dict[str, Any]:
    """What trains, by name, the host's own first. Data sets are built.

    Evaluated is the loss on as many rows again, in each round.
    """
    params = {"learning_rate": RATE, "max_depth": 6}
    if host == "xgboost":
        params |= {"nthread": threads, "verbosity": 0}
        data, valid = (xgboost.DMatrix(X, y, nthread=threads) for _ in range(2))
        own = {"objective": "binary:logistic", "base_score": float(y.mean())}
        options: Any = {"evals": [(valid, "valid")], "verbose_eval": False}
        stored = partial(Replayed().train, params | own, data, rounds)
    else:
        params |= {"num_threads": threads, "verbosity": -1, "force_col_wise": True}
        data = lightgbm.Dataset(X, y, params=params, free_raw_data=False).construct()
        valid = lightgbm.Dataset(X, y, reference=data, free_raw_data=False).construct()
        own, options, stored = {"objective": "binary"}, {"valid_sets": [valid]}, None
    library = {"xgboost": xgboost, "lightgbm": lightgbm}[host]
    ours, name = getattr(focalboost, host), ", evaluated" if evaluated else ""
    evaluation = options if evaluated else {}
    train = partial(library.train, params | own, data, rounds, **evaluation)
    found = {f"own{name}": train}
    for _, gamma, options in OURS:
        given = options | evaluation
        found[f"gamma = {gamma}{name}"] = partial(
            ours.train, params, data, rounds, **given
        )
    return found | ({"stored gradients": stored} if stored and not evaluated else {})


def leaves_of(booster: Any) -> int:
    """The number of leaves of all trees."""
    if isinstance(booster, xgboost.Booster):
        return sum(tree.count("leaf=") for tree in booster.get_dump())
    return int(booster.trees_to_dataframe()["left_child"].isna().sum())


def rows(options: Any) -> Iterator[dict[str, Any]]:
    sizes = product(options.rows, options.columns, options.threads)
    for size, host, evaluated in product(sizes, ("xgboost", "lightgbm"), (False, True)):
        n_rows, columns, threads = size
        X, y = table(n_rows, columns)
        functions = trainings(host, X, y, threads, options.rounds, evaluated)
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
