"""Whether probabilities add up on rows that a model has not seen.

    python benchmarks/balance.py [--seeds N] [--learning-rate R] [--results FILE]

For each binary set of the prepared data (a folder ``shared/data`` beside the checkout),
both hosts, and early stopping on the trained loss: the sum of the predicted
probabilities over the number of positives on test rows. Compared are the host's own log
loss and focal losses, with and without the balance. Prints geometric means over sets,
and how far the sums are off in either direction, and stores every fit in
benchmarks/results/balance.csv.

Log loss with an intercept is in balance on its own training rows when it has converged.
Where the host's log loss is not, within 2 %, it is no reference for test rows. So the
means stand there twice: over all sets, and over those of a converged log loss.
"""

import argparse
import sys
import warnings
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split

from focalboost import FocalLGBMClassifier, FocalXGBClassifier

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
SETS = [
    *("abalone19", "ai4i2020", "caravan", "cover_ad", "htru2_pulsar", "kdd_smtp"),
    *("krvsk_zero", "mammography", "nasa_pc5", "nass_cds", "optdigits_ad", "satimage2"),
    *("seismic_bumps", "ulb_creditcard_int", "wilt", "kddcup99:r2l_iid"),
]
LARGEST = 40_000
CONVERGED = np.log(1.02)
METHODS = {
    "log loss": None,
    "γ = 2, no balance": (2, False),
    "γ = 2": (2, True),
    "γ = 2, validation": (2, "validation"),
    "γ = (0, 2), no balance": ((0, 2), False),
    "γ = (0, 2)": ((0, 2), True),
    "γ = (0, 2), validation": ((0, 2), "validation"),
}


def parts(name: str, seed: int):
    """Training, validation and test rows of a set."""
    sys.path.insert(0, str(DATA))
    from load import load

    data = load(name)
    X, y = data.X_numeric(), np.asarray(data.y)
    if len(y) > LARGEST:
        X, _, y, _ = train_test_split(
            X, y, train_size=LARGEST, stratify=y, random_state=seed
        )
    rest, test = train_test_split(
        np.arange(len(y)), test_size=0.3, stratify=y, random_state=seed
    )
    train, valid = train_test_split(
        rest, test_size=0.25, stratify=y[rest], random_state=seed
    )
    return [(X[rows], y[rows]) for rows in (train, valid, test)]


def fitted(host: str, method, learning_rate: float, train, valid):
    """A model that has stopped early on the validation rows."""
    common = {"n_estimators": 1000, "learning_rate": learning_rate, "n_jobs": 1}
    focal = {}
    if method is not None:
        focal = {"focal_gamma": method[0], "focal_balance": method[1]}
    if host == "xgboost":
        kind = FocalXGBClassifier if focal else xgboost.XGBClassifier
        metric = {} if focal else {"eval_metric": "logloss"}
        model = kind(**common, **focal, **metric, early_stopping_rounds=30)
        return model.fit(*train, eval_set=[valid], verbose=False)
    kind = FocalLGBMClassifier if focal else lightgbm.LGBMClassifier
    fixed = {"deterministic": True, "force_col_wise": True, "verbosity": -1}
    model = kind(**common, **focal, **fixed)
    stop = lightgbm.early_stopping(30, verbose=False)
    return model.fit(*train, eval_set=[valid], callbacks=[stop])


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Geometric means over sets, of the ratios and of max(ratio, 1 / ratio).

    In the first, sums that are too large make up for others that are too small.
    """
    log = np.log(table["ratio"])
    logs = table.assign(ratio=log, off_by=log.abs())
    by = ["rows", "method", "host"]
    by_set = logs.groupby([*by, "set"])[["ratio", "off_by"]].mean()
    means = np.exp(by_set.groupby(by).mean()).unstack()
    return means.reindex(METHODS, level="method").round(3)


def of_converged_log_loss(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of a host and a set on which its log loss is in balance in training."""
    is_reference = (table["method"] == "log loss") & (table["rows"] == "train")
    logs = np.log(table.loc[is_reference].set_index(["host", "set"])["ratio"])
    has_converged = logs.groupby(["host", "set"]).mean().abs() < CONVERGED
    pairs = pd.MultiIndex.from_frame(table[["host", "set"]])
    return table[has_converged.loc[pairs].to_numpy()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--learning-rate", type=float, default=0.05)
    results = ROOT / "benchmarks" / "results" / "balance.csv"
    parser.add_argument("--results", type=Path, default=results)
    options = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(
            "The prepared data sets are not there: shared/data beside the checkout"
        )
    warnings.simplefilter("ignore")
    rows = []
    for name in SETS:
        for seed in range(options.seeds):
            train, valid, test = parts(name, seed)
            for host in ("xgboost", "lightgbm"):
                for method, how in METHODS.items():
                    rate = options.learning_rate
                    model = fitted(host, how, rate, train, valid)
                    for part, (X, y) in (("train", train), ("test", test)):
                        p = model.predict_proba(X)[:, 1].astype(float)
                        ratio = p.sum() / y.sum()
                        score = average_precision_score(y, p)
                        rows.append((name, seed, host, method, part, ratio, score))
        print(name, flush=True)
    columns = ["set", "seed", "host", "method", "rows", "ratio", "average_precision"]
    table = pd.DataFrame(rows, columns=columns)
    table["learning_rate"] = options.learning_rate
    table["xgboost"], table["lightgbm"] = xgboost.__version__, lightgbm.__version__
    table.round(6).to_csv(options.results, index=False)
    print("all sets", summary(table), sep="\n")
    converged = of_converged_log_loss(table)
    for host, sets in converged.groupby("host")["set"].unique().items():
        print(f"converged log loss, {host}: {len(sets)} sets, {', '.join(sets)}")
    print(summary(converged))


if __name__ == "__main__":
    main()
