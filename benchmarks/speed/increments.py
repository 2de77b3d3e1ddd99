"""How long a model takes that grows in many increments, beside the host's own.

OMP_WAIT_POLICY=passive python benchmarks/speed/increments.py [--increments N]
    [--pairs N] [--results FILE]

Every increment continues the model by 10 rounds on a data set that is built anew, of
2000 rows and 20 columns, one thread. Prints the table and stores it in
benchmarks/results/increments.csv.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import lightgbm
import xgboost
from pairs import in_turn, parser_of, store
from training import table

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss

PARAMS: dict[str, dict[str, Any]] = {
    "xgboost": {"max_depth": 4, "nthread": 1, "verbosity": 0},
    "lightgbm": {"num_leaves": 15, "num_threads": 1, "verbosity": -1},
}
OWN = {"xgboost": "binary:logistic", "lightgbm": "binary"}
MODEL = {"xgboost": "xgb_model", "lightgbm": "init_model"}


def grow(train: Any, host: str, params: Any, increments: int, **options: Any) -> Any:
    """A model of so many increments."""
    X, y = table(2000, 20)
    model = None
    for _ in range(increments):
        if host == "xgboost":
            data: Any = xgboost.DMatrix(X, y, nthread=1)
        else:
            data = lightgbm.Dataset(X, y)
        model = train(params, data, 10, **{MODEL[host]: model}, **options)
    return model


def rows(options: Any) -> Iterator[dict[str, Any]]:
    for host, library in (("xgboost", xgboost), ("lightgbm", lightgbm)):
        params, ours = PARAMS[host], getattr(focalboost, host)
        own = {**params, "objective": OWN[host]}
        gammas = {"loss": FocalLoss(2)}, {"loss": FocalLoss(0), "curvature": "exact"}
        functions = {"own": partial(grow, library.train, host, own, options.increments)}
        for given in gammas:
            name = f"gamma = {given['loss'].gamma:g}"
            functions[name] = partial(
                grow, ours.train, host, params, options.increments, **given
            )
        for row in in_turn(functions, options.pairs):
            yield {"host": host, "increments": options.increments, **row}


if __name__ == "__main__":
    parser = parser_of(__doc__, "increments")
    parser.add_argument("--increments", type=int, default=100)
    options = parser.parse_args()
    store(rows(options), options.results)
