"""How training fails without a certified curvature and the right start, and with them.

python benchmarks/stalling.py [--rows N] [--rounds N] [--results FILE]

On the simulated stream at 1:1000, both hosts at their defaults: the host's own log
loss; the exact hessian and the hessian clipped at 1e-6 (what other packages hand over),
started from the prevalence or from the focal baseline; and this package. Prints the
table and stores it in benchmarks/results/stalling.csv.
"""

import argparse
import platform
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss, focal_metric
from focalboost.datasets import make_transactions

ROOT = Path(__file__).parent
GAMMAS = [0, 0.25, 0.5, 1, 2, 5, (0, 2)]


@dataclass(frozen=True)
class Problem:
    """Training and test part of the stream, split by time."""

    X: Any
    y: Any
    X_test: Any
    y_test: Any


def problem(rows: int) -> Problem:
    payments = make_transactions(rows, random_state=0, as_frame=False)
    X = np.column_stack([payments.data[name] for name in payments.feature_names])
    y = payments.target.astype(np.float64)
    cut = int(0.7 * rows)  # the stream is in order of time
    return Problem(X[:cut], y[:cut], X[cut:], y[cut:])


def clipped(loss: FocalLoss, raw: Any, data: Any) -> tuple[Any, Any]:
    gradient, hessian = loss.gradient_hessian(data.get_label(), raw)
    return gradient, np.maximum(hessian, 1e-6)


def exact(loss: FocalLoss, raw: Any, data: Any) -> tuple[Any, Any]:
    return loss.gradient_hessian(data.get_label(), raw)


class Recorder:
    """The relative focal loss of every round, and the largest raw prediction."""

    def __init__(self, loss: FocalLoss, start: float, y_true: Any) -> None:
        self.metric = focal_metric(loss.gamma)
        self.values = [self.metric(y_true, np.full(len(y_true), start))]
        self.largest = 0.0

    def __call__(self, raw: Any, data: Any) -> Any:
        """Evaluate a round, as either host's metric."""
        result = self.metric(raw, data)
        self.values.append(result[1])
        self.largest = max(self.largest, float(abs(raw).max()))
        return result


def on_xgboost(p: Problem, rounds: int, objective: Any, start: float, note: Any) -> Any:
    data = xgboost.DMatrix(p.X, p.y)
    params = {
        "objective": "binary:logistic",
        "base_score": float(expit(start)),
        "disable_default_eval_metric": 1,
        "nthread": 1,
    }
    booster = xgboost.train(
        params,
        data,
        rounds,
        obj=objective,
        # Without obj= XGBoost gives metrics probabilities.
        custom_metric=note if objective else lambda q, d: note(logit(q), d),
        evals=[(data, "train")],
        verbose_eval=False,
    )
    return booster.predict(xgboost.DMatrix(p.X_test), output_margin=True)


def on_lightgbm(
    p: Problem, rounds: int, objective: Any, start: float, note: Any
) -> Any:
    init = np.full(len(p.y), start)
    data = lightgbm.Dataset(p.X, p.y, init_score=init)
    params = {"objective": objective or "binary", "metric": "None", "num_threads": 1}
    edges = 1e-300, 1 - 2**-53  # its own objective gives metrics probabilities
    booster = lightgbm.train(
        {**params, "verbosity": -1},
        data,
        rounds,
        [data],
        feval=note if objective else lambda q, d: note(logit(q.clip(*edges)), d),
    )
    return start + booster.predict(p.X_test, raw_score=True)


def ours(p: Problem, rounds: int, host: str, loss: FocalLoss, note: Any) -> Any:
    if host == "xgboost":
        data = xgboost.DMatrix(p.X, p.y)
        booster = focalboost.xgboost.train(
            {"nthread": 1},
            data,
            rounds,
            loss=loss,
            custom_metric=note,
            evals=[(data, "train")],
            verbose_eval=False,
        )
        return booster.predict(xgboost.DMatrix(p.X_test), output_margin=True)
    data = lightgbm.Dataset(p.X, p.y)
    params = {"num_threads": 1, "verbosity": -1}
    booster = focalboost.lightgbm.train(
        params, data, rounds, [data], feval=note, loss=loss
    )
    return booster.predict(p.X_test, raw_score=True)


def methods(p: Problem, host: str) -> Any:
    """Yield a name, a loss, a start, and a function of (rounds, note) that trains."""
    plain = partial({"xgboost": on_xgboost, "lightgbm": on_lightgbm}[host], p)
    prevalence = float(logit(p.y.mean()))
    own = partial(plain, objective=None, start=prevalence)
    yield "own log loss", FocalLoss(0), prevalence, own
    for gamma in GAMMAS[1:]:
        loss = FocalLoss(gamma)
        for name, curvature in (("exact", exact), ("clipped", clipped)):
            starts = {"prevalence": prevalence, "baseline": loss.baseline(p.y)}
            for where, start in starts.items():
                train = partial(plain, objective=partial(curvature, loss), start=start)
                yield f"{name} hessian from the {where}", loss, start, train
    for gamma in GAMMAS:
        loss = FocalLoss(gamma)
        train = partial(ours, p, host=host, loss=loss)
        yield "focalboost", loss, loss.baseline(p.y), train


def measure(p: Problem, host: str, rounds: int, method: Any) -> dict[str, Any]:
    name, loss, start, train = method
    note = Recorder(loss, start, p.y)
    raw = train(rounds=rounds, note=note)
    finite = np.isfinite(raw).all()
    rises = np.diff(note.values)
    return {
        "host": host,
        "method": name,
        "gamma": str(loss.gamma),
        "average_precision": average_precision_score(p.y_test, raw)
        if finite
        else np.nan,
        "rounds_that_raise_the_loss": int((rises > 1e-7).sum()),
        "final_relative_loss": note.values[-1],
        "largest_raw_prediction": max(note.largest, float(abs(raw).max())),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=200)
    results = ROOT / "results" / "stalling.csv"
    parser.add_argument("--results", type=Path, default=results)
    options = parser.parse_args()
    warnings.filterwarnings("ignore", ".*no further splits|.*has learned nothing")
    p = problem(options.rows)
    table = pd.DataFrame(
        measure(p, host, options.rounds, method)
        for host in ("xgboost", "lightgbm")
        for method in methods(p, host)
    )
    table["versions"] = " ".join(
        f"{module.__name__} {module.__version__}"
        for module in (focalboost, xgboost, lightgbm, np)
    )
    table["seed"], table["rows"], table["rounds"] = 0, options.rows, options.rounds
    print(f"prevalence in the test part {p.y_test.mean():.5f}, {platform.machine()}")
    print(table.iloc[:, :7].to_string(index=False, float_format="{:.4g}".format))
    table.to_csv(options.results, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
