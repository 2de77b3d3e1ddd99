"""
Find card fraud at 1:1000
=========================

Compare log loss, class weights, SMOTE and focal loss on both hosts. Without arguments
the data are simulated payments. With ``--data FILE`` they are a CSV or Parquet file, or
an .npz file with one array for each column. The options of a file are those of
``python -m focalboost compare``.
"""

import argparse
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.special import expit, logit
from sklearn import metrics
from sklearn.model_selection import StratifiedGroupKFold, train_test_split

import focalboost
from focalboost.comparison import compare_losses, tuned
from focalboost.datasets import make_transactions
from focalboost.diagnostics import alerts, plot_reliability, reliability

METHODS = ["log loss", "weights: ratio", "weights: 5 × ratio", "SMOTE"]
METHODS += ["focal, γ = 2", "focal, γ = (0, 2)"]
HOSTS = {"XGBoost": "FocalXGBClassifier", "LightGBM": "FocalLGBMClassifier"}
# LightGBM's log loss diverges at 1:1000 with its own defaults of the last two.
TREES = {"max_depth": 4, "learning_rate": 0.05, "reg_lambda": 1, "min_child_weight": 1}
STOP_ON = "average_precision"
TEST_SHARE = 0.3
PACKAGES = {"imblearn": "imbalanced-learn", "xgboost": "xgboost-cpu"}
PACKAGES |= {name: name for name in ("lightgbm", "matplotlib", "pandas", "rich")}


class Problem(NamedTuple):
    """What to learn from; the true log odds only where they are known."""

    title: str
    X: Any
    y: Any
    train: Any
    test: Any
    log_odds: Any = None
    costs: Any = None


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong, and exits with code 2."""

    def error(self, message):
        """Say what is wrong, without the usage."""
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())}\n")


def read_options(parser, arguments):
    """Read the options, and check them before anything is trained."""
    missing = [package for name, package in PACKAGES.items() if not find_spec(name)]
    if missing:
        parser.error(f"packages are missing: pip install {' '.join(missing)}")
    from focalboost.comparison.tables import add_options, options_given

    parser.add_argument("--version", action="version", version=focalboost.__version__)
    add_options(parser.add_argument_group("options of a file"))
    for name, kind, default, text in (
        ("--data", Path, None, "a .csv, .parquet or .npz file"),
        ("--save", Path, None, "a folder to save the models in"),
        ("--picture", Path, Path("fraud_detection.png"), "name of the picture"),
        ("--rows", int, 200_000, "payments to simulate"),
        ("--imbalance", float, 1000, "honest payments for each fraud"),
        ("--seed", int, 0, "of all chance"),
        ("--rounds", int, 500, "most boosting rounds"),
        ("--threads", int, 2, "threads of each fit"),
    ):
        parser.add_argument(name, type=kind, default=default, help=text)
    options = parser.parse_args(arguments)
    described = options_given(options)
    if options.data is None and described:
        parser.error(f"{' '.join(described)} describe a file: add --data FILE")
    if options.time is not None and options.group is not None:
        parser.error("--time and --group exclude each other: give one of them")
    if min(options.rows, options.rounds, options.threads) < 1 or options.seed < 0:
        parser.error("--rows, --rounds and --threads start at 1, --seed at 0")
    if options.picture.suffix.lower() not in (".pdf", ".png", ".svg"):
        parser.error(f"--picture {options.picture}: end the name in .pdf, .png or .svg")
    if not options.picture.parent.is_dir():
        parser.error(f"--picture {options.picture}: create its folder first")
    return options


def by_time(times):
    """Return the rows of the earlier times, and those of the later ones."""
    order = np.argsort(np.asarray(times), kind="stable")
    return np.split(order, [round(len(order) * (1 - TEST_SHARE))])


def simulate(options):
    """Return simulated payments."""
    chance = {"prevalence": 1 / (1 + options.imbalance), "random_state": options.seed}
    payments = make_transactions(options.rows, as_frame=False, **chance)
    X = np.column_stack([payments.data[name] for name in payments.feature_names])
    title = f"Simulated card payments, seed {options.seed}, split by time"
    parts = by_time(payments.data["time"])
    return Problem(title, X, payments.target, *parts, logit(payments.probability))


def read(options):
    """Return the table of a file, split by time, groups, its test rows or at random."""
    from focalboost.comparison.tables import read_named

    table = read_named(options.data, options)
    for remark in table.remarks:
        print(remark)
    y, is_test = table.y_true, table.is_test
    if table.times is not None:
        split, parts = f"by {table.times.name}", by_time(table.times)
    elif table.groups is not None:
        split, chance = f"by {table.groups.name}", {"random_state": options.seed}
        folds = StratifiedGroupKFold(3, shuffle=True, **chance)
        parts = next(folds.split(y, y, table.groups))
    elif is_test is not None:
        split = "by its own test rows"
        parts = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    else:
        split, classes = "at random", y if np.bincount(y).min() > 1 else None
        chance = {"random_state": options.seed, "stratify": classes}
        parts = train_test_split(np.arange(len(y)), test_size=TEST_SHARE, **chance)
    title = f"{options.data.name}, {table.positive} is the class to find, split {split}"
    return Problem(title, table.features, y, *parts, costs=table.costs)


def prepare(options):
    """Return the problem, or raise an error if a part has too few rows of a class."""
    problem = read(options) if options.data else simulate(options)
    advice = "add rows" if options.data else "raise --rows or lower --imbalance"
    for name, rows, least in (("train", problem.train, 4), ("test", problem.test, 1)):
        others, found = np.bincount(problem.y[rows], minlength=2)
        if min(others, found) < least:
            raise ValueError(
                f"the rows to {name} on must be at least {least} of each class; got "
                f"{found} of the class to find and {others} others: {advice}"
            )
    return problem


def estimators(options):
    """Return the estimator of each host, with the same trees for all methods."""
    params = {"n_estimators": options.rounds, "n_jobs": options.threads, **TREES}
    return {host: getattr(focalboost, name)(**params) for host, name in HOSTS.items()}


def compare(problem, estimator, options):
    """Train every method on a host; only the number of rounds is searched."""
    search = {"grid": {}, "stop_on": STOP_ON, "random_state": options.seed}
    parts = [(problem.train, problem.test)]
    return compare_losses(
        estimator, problem.X, problem.y, losses=METHODS, cv=parts, **search
    )


def predictions(problem, comparison):
    """Return the log odds of the test rows by method, and the true ones if known."""
    found = {
        fit.method: fit.log_odds.astype(np.float64)
        for fit in comparison.fits
        if fit.error is None
    }
    if problem.log_odds is not None:
        found["true probabilities"] = problem.log_odds[problem.test]
    return found


def costs_of(problem):
    """Return the costs of the test rows."""
    rows = problem.test
    return tuple(cost[rows] if np.ndim(cost) else cost for cost in problem.costs)


def scores(y, log_odds, costs=None):
    """Return how good a ranking is, how good its probabilities, and what it costs."""
    false_positives, recall, _ = metrics.roc_curve(y, log_odds, drop_intermediate=False)
    top = alerts(y, log_odds, n_alerts=[min(n, len(y)) for n in (100, 1000)])
    found = {
        "average precision": f"{metrics.average_precision_score(y, log_odds):.3f}",
        "recall at 0.1% FPR": f"{recall[false_positives <= 0.001].max():.3f}",
        "in top 100": f"{top.precision[0]:.3f}",
        "in top 1000": f"{top.precision[1]:.4f}",
        "log loss": f"{metrics.log_loss(y, expit(log_odds)):.5f}",
        "Brier score": f"{metrics.brier_score_loss(y, expit(log_odds)):.6f}",
    }
    if costs is not None:
        cost = alerts(y, log_odds, costs=costs)
        place = np.flatnonzero(cost.n_alerts == cost.cheapest)[0]
        found["lowest cost"] = f"{cost.cost[place]:.0f} ({cost.cheapest} alerts)"
    return found


def print_table(problem, found):
    """Print how good every method is on the test rows, and how to read it."""
    import pandas as pd

    y, lines = problem.y[problem.test], []
    costs = None if problem.costs is None else costs_of(problem)
    for host, comparison in found.items():
        fits = {fit.method: fit for fit in comparison.fits}
        for name, log_odds in predictions(problem, comparison).items():
            lines.append({"host": host, "method": name, **scores(y, log_odds, costs)})
            if name in fits:
                lines[-1]["rounds"] = fits[name].n_rounds
                lines[-1]["seconds"] = f"{fits[name].seconds:.1f}"
        for fit in comparison.failures:
            print(f"{host}, {fit.method} failed: {fit.error}")
    print(pd.DataFrame(lines, dtype=object).fillna("").to_string(index=False))
    print(
        f"With {y.sum()} positives to test on, a recall of one half has a standard "
        f"error of {0.5 / y.sum() ** 0.5:.2f}: read smaller differences as chance.\n"
        "Early stopping watches the average precision on a quarter of the training "
        "rows. Class weights and SMOTE shift probabilities on purpose."
    )


def draw(problem, found, path):
    """Write precision-recall curves and reliability, a column for each host."""
    from matplotlib import pyplot

    y = problem.y[problem.test]
    figure = pyplot.figure(figsize=(13, 11), layout="constrained")
    axes = figure.subplots(2, len(found), sharey="row")
    for host, (curves, bins) in zip(found, axes.T, strict=True):
        predicted = predictions(problem, found[host])
        for name, log_odds in predicted.items():
            precision, recall, _ = metrics.precision_recall_curve(y, log_odds)
            curves.step(recall, precision, where="post", label=name)
        curves.set(title=host, xlabel="recall", ylabel="precision")
        curves.legend()
        calibration = {name: reliability(y, expit(x)) for name, x in predicted.items()}
        plot_reliability(calibration, ax=bins)
    figure.suptitle(problem.title, parse_math=False)
    figure.savefig(path, dpi=120)
    print(f"Picture: {path}")


def save(problem, found, options):
    """Train the same models once more, and write them in their hosts' formats."""
    rows = getattr(problem.X, "iloc", problem.X)
    X, y = rows[problem.train], problem.y[problem.train]
    search = {"random_state": options.seed, "stop_on": STOP_ON}
    for host, estimator in estimators(options).items():
        comparison = found[host]
        failed = {fit.method for fit in comparison.failures}
        for method in (one for one in comparison.methods if one.name not in failed):
            best = tuned(method, estimator, {}, X, y, None, **search)
            name = re.sub(r"\W+", "_", f"{host} {method.name}".lower()).strip("_")
            if host == "XGBoost":
                booster = best.model.get_booster()[: best.n_rounds]
                booster.save_model(options.save / f"{name}.json")
            else:
                best.model.booster_.save_model(options.save / f"{name}.txt")
    print(f"Models: {options.save}")


def main(arguments=None):
    """Compare every method on both hosts, print the table, write the picture."""
    # Read when a host is first imported. Its idle threads otherwise spin, and training
    # takes many times as long where other programs use the same cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    parser = Parser("fraud_detection.py", description=__doc__.partition("\n\n")[2])
    options = read_options(parser, arguments)
    from focalboost.comparison.tables import DataError

    try:
        if options.save is not None:
            options.save.mkdir(parents=True, exist_ok=True)
        problem = prepare(options)
    except (DataError, OSError, ValueError) as error:
        parser.error(str(error))
    parts = [problem.y[rows] for rows in (problem.train, problem.test)]
    sizes = [f"{len(y)} rows ({y.sum()} positive)" for y in parts]
    print(f"{problem.title}: {sizes[0]} to train on, {sizes[1]} to test on", flush=True)
    found = {
        host: compare(problem, estimator, options)
        for host, estimator in estimators(options).items()
    }
    print_table(problem, found)
    draw(problem, found, options.picture)
    if options.save is not None:
        save(problem, found, options)


if __name__ == "__main__":
    main()
