"""Log loss, class weights, softmax focal loss and one-vs-rest on six sets, both hosts.

python benchmarks/multiclass.py [--seeds N] [--rounds N] [--rows N] [--data DIR]
    [--results FILE] [--sets NAME ...] [--report]

Each set is split by class into 60 % training, 20 % validation and 20 % test rows, with
a row of each class in every part; the smallest classes have one row in the test part,
so single figures of theirs are noise. A set of more than --rows rows is thinned: all
rows of classes of at most 500 rows stay, of the others the same share. All methods of
both hosts have the same trees and learning rate 0.1 (see multiclass_methods.py), one
thread, and are stopped after 20 rounds without a gain in their own loss on the
validation part; for one-vs-rest one number of rounds for all classes is chosen
afterwards, by the log loss on the validation part.

Each fit becomes a line of benchmarks/results/multiclass.csv as soon as it is done, and
a second run leaves out the fits that are there, with the same settings and versions.
--report prints that file as markdown and fits nothing.
"""

import argparse
import warnings
from pathlib import Path
from time import perf_counter
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import sklearn
import xgboost
from multiclass_data import SETS, Problem, problem
from multiclass_methods import HOSTS, METHODS
from multiclass_report import markdown
from sklearn.metrics import average_precision_score, balanced_accuracy_score, log_loss

import focalboost

ROOT = Path(__file__).resolve().parent
KEY = ["data", "rows", "rounds", "host", "seed", "method", "versions"]
MEASURED = ["average_precision", "recall", "log_loss", "best_round", "seconds"]
COLUMNS = [*KEY[:-1], *MEASURED, "status", "versions"]
VERSIONS = " ".join(
    f"{module.__name__} {module.__version__}"
    for module in (focalboost, xgboost, lightgbm, sklearn, np)
)


def command_line() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    data = ROOT.parents[1] / "shared" / "data"
    results = ROOT / "results" / "multiclass.csv"
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--results", type=Path, default=results)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--report", action="store_true")
    return parser.parse_args()


def scores(y_true: Any, posterior: Any) -> dict[str, float]:
    """Macro averages, and the log loss; y_true has a row of every class."""
    classes = range(posterior.shape[1])
    precision = [average_precision_score(y_true == k, posterior[:, k]) for k in classes]
    return {
        "average_precision": float(np.mean(precision)),
        "recall": balanced_accuracy_score(y_true, posterior.argmax(axis=1)),
        "log_loss": log_loss(y_true, posterior, labels=list(classes)),
    }


def measure(p: Problem, host: str, method: str, max_rounds: int) -> dict[str, Any]:
    """Return what one fit gave, or how it failed."""
    start = perf_counter()
    try:
        fit = METHODS[method](host, p, max_rounds)
        result = scores(p.test.y, fit.posterior) | {"best_round": fit.n_rounds}
    # A method that fails is a result, and the others go on.
    except Exception as error:
        message = " ".join(str(error).split())[:200]
        return {"status": f"{type(error).__name__}: {message}"}
    return result | {"seconds": perf_counter() - start, "status": "ok"}


def is_done(table: pd.DataFrame, where: dict[str, Any]) -> bool:
    same = (table[KEY] == pd.Series(where)[KEY]).all(axis=1)
    return bool((table.loc[same, "status"] == "ok").any())


def run(options: argparse.Namespace) -> None:
    path = options.results
    if not path.exists():
        pd.DataFrame(columns=COLUMNS).to_csv(path, index=False)
    table = pd.read_csv(path)
    settings = {"rows": options.rows, "rounds": options.rounds, "versions": VERSIONS}
    for seed in range(options.seeds):
        for name in options.sets:
            p = problem(options.data, name, options.rows, seed)
            if p is None:
                print(f"{name}: not in {options.data}, skipped", flush=True)
                continue
            for host in HOSTS:
                for method in METHODS:
                    fit = {"data": name, "host": host, "seed": seed, "method": method}
                    if is_done(table, settings | fit):
                        continue
                    line = settings | fit | measure(p, host, method, options.rounds)
                    row = pd.DataFrame([line], columns=COLUMNS)
                    row.to_csv(
                        path, mode="a", header=False, index=False, float_format="%.6g"
                    )
                    print(*(line.get(c) for c in (*fit, *MEASURED, "status")), sep=", ")


def main() -> None:
    options = command_line()
    if not options.report:
        warnings.filterwarnings("ignore", "The argument 'eval_set' is deprecated")
        warnings.filterwarnings("ignore", ".*no further splits|.*has learned nothing")
        run(options)
    if options.results.exists():
        results = pd.read_csv(options.results)
        print("\n".join(markdown(results, reference=next(iter(METHODS)))))


if __name__ == "__main__":
    main()
