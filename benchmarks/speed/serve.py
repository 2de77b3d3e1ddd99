"""How long predictions of a few rows and loads of a model take beside the host's own.

python benchmarks/speed/serve.py [--pairs N] [--trees N ...] [--results FILE]

predict_proba of the estimators on NumPy arrays and pandas tables, of models of 100
trees on 30 features, and load_model beside the host's own Booster of the same file. One
thread. Prints the table and stores it in benchmarks/results/serve.csv.
"""

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import lightgbm
import pandas as pd
import xgboost
from pairs import in_turn, parser_of, store
from training import table

from focalboost import FocalLGBMClassifier, FocalXGBClassifier

ONE_THREAD: dict[str, Any] = {"n_jobs": 1}
HOSTS: dict[str, Any] = {
    "xgboost": (xgboost.XGBClassifier, FocalXGBClassifier, {**ONE_THREAD}),
    "lightgbm": (
        lightgbm.LGBMClassifier,
        FocalLGBMClassifier,
        {**ONE_THREAD, "verbosity": -1},
    ),
}
FORMATS = {"xgboost": ("json", "ubj"), "lightgbm": ("txt",)}


def predictions(host: str, pairs: int) -> Iterator[dict[str, Any]]:
    X, y = table(3000)
    frame = pd.DataFrame(X, columns=[f"feature {i}" for i in range(X.shape[1])])
    *kinds, params = HOSTS[host]
    for name, data in (("numpy", X), ("pandas", frame)):
        own, ours = (kind(**params).fit(data, y) for kind in kinds)
        for n_rows in (1, 100):
            functions = {
                "own": partial(own.predict_proba, data[:n_rows]),
                "focalboost": partial(ours.predict_proba, data[:n_rows]),
            }
            for row in in_turn(functions, 20 * pairs):
                yield {"host": host, "what": f"{n_rows} rows, {name}", **row}


def loads(host: str, trees: int, pairs: int) -> Iterator[dict[str, Any]]:
    X, y = table(4000)
    _, kind, params = HOSTS[host]
    model = kind(n_estimators=trees, **params).fit(X, y)
    with tempfile.TemporaryDirectory() as folder:
        for name in FORMATS[host]:
            path = Path(folder, f"model.{name}")
            model.save_model(path)
            booster = {"xgboost": xgboost, "lightgbm": lightgbm}[host].Booster
            functions = {
                "own": partial(booster, model_file=path),
                "focalboost": partial(kind(**params).load_model, path),
            }
            for row in in_turn(functions, pairs):
                yield {"host": host, "what": f"load {name}, {trees} trees", **row}


def rows(options: Any) -> Iterator[dict[str, Any]]:
    for host in HOSTS:
        yield from predictions(host, options.pairs)
        for trees in options.trees:
            yield from loads(host, trees, options.pairs)


if __name__ == "__main__":
    parser = parser_of(__doc__, "serve")
    parser.add_argument("--trees", type=int, nargs="+", default=[100, 1000])
    options = parser.parse_args()
    store(rows(options), options.results)
