"""Gradient and hessian of the softmax focal loss, beside what other packages compute.

python benchmarks/softmax_peers.py [--rows N] [--seed N] [--results FILE]

Random labels and raw predictions, moderate (standard deviation 3), large (30) and
extreme (300), are given to the objectives of gbdtCBL and imlightgbm in the layout that
their hosts use, and to SoftmaxFocalLoss. Differences are absolute, and relative to the
largest entry of our row if that is 1e-6 or more, over the rows where the peer is
finite. A row is off if an entry differs by more than 1e-12. Rows in range have no
raw prediction that gbdtCBL's softmax changes (see RANGE and DEPTH): those that are off
there have another formula. The hessian ratio is the median of peer / ours where ours is
1e-6 or more: a factor in a peer's hessian would show there, and a clipped hessian as a
smallest value of 0 or more where ours is negative. Prints the table and stores it in
benchmarks/results/softmax_peers.csv; a package that is not there is listed as not
installed.
"""

import argparse
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

import focalboost
from focalboost import SoftmaxFocalLoss

ROOT = Path(__file__).parent
CLASSES = (3, 5, 20)
GAMMAS = (0, 0.5, 1, 2, 5)
SPREADS = {"moderate": 3.0, "large": 30.0, "extreme": 300.0}
#: Of |peer - ours|. The peers form 1 - p by subtraction, which keeps it to about 1e-16.
TOLERANCE = 1e-12
#: Entries below it have no relative difference that means something.
SMALLEST = 1e-6
#: gbdtCBL cuts raw predictions off at 88.7 and adds 1e-16 to the sum of exp: with a
#: largest raw prediction of -5 that changes p by 1.5e-14.
RANGE = (-5.0, 88.7)
#: The exp of a true class further than that below the largest is 0: log(0), or a mask.
DEPTH = 700.0


class Peer(NamedTuple):
    """A package, the host it is for, and how its objective is called."""

    package: str
    host: str
    gradient_hessian: Callable[..., Any]


class Rows(NamedTuple):
    """Labels, and raw predictions of shape (n, K)."""

    y_true: Any
    raw_prediction: Any


def random_rows(n_samples: int, n_classes: int, spread: float, seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    y_true = rng.integers(n_classes, size=n_samples)
    y_true[:n_classes] = np.arange(n_classes)  # gbdtCBL counts the classes it sees
    return Rows(y_true, rng.normal(0, spread, (n_samples, n_classes)))


def gbdtcbl_xgboost(rows: Rows, gamma: float) -> Any:
    objective = import_module("gbdtCBL.xgbmulti").XGBFLMulti(gamma)
    return objective(rows.y_true, rows.raw_prediction)


def gbdtcbl_lightgbm(rows: Rows, gamma: float) -> Any:
    """Class after class in one array, as LightGBM's estimators took it."""
    objective = import_module("gbdtCBL.lgbmulti").LGBFLMulti(gamma)
    shape = rows.raw_prediction.shape
    flat = objective(rows.y_true, rows.raw_prediction)
    return tuple(part.reshape(shape, order="F") for part in flat)


def imlightgbm_engine(rows: Rows, gamma: float) -> Any:
    """The objective that its ``train`` chooses, with its check of gamma."""
    engine = import_module("imlightgbm.engine")
    parameters = import_module("imlightgbm.parameters")
    objective = engine.select_objective(
        "multiclass_focal",
        alpha=parameters.select_alpha("multiclass_focal", None),
        gamma=parameters.select_gamma("multiclass_focal", gamma),
        num_class=rows.raw_prediction.shape[1],
    )
    features = np.zeros((len(rows.y_true), 1))
    data = import_module("lightgbm").Dataset(features, rows.y_true)
    return objective(np.asfortranarray(rows.raw_prediction), data)


PEERS = (
    Peer("gbdtCBL", "XGBoost", gbdtcbl_xgboost),
    Peer("gbdtCBL", "LightGBM", gbdtcbl_lightgbm),
    Peer("imlightgbm", "LightGBM", imlightgbm_engine),
)


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def compare(peer: Peer, rows: Rows, gamma: float) -> dict[str, Any]:
    """Return the differences, or what the peer says instead of a result."""
    loss = SoftmaxFocalLoss(rows.raw_prediction.shape[1], gamma)
    ours = loss.gradient_hessian(rows.y_true, rows.raw_prediction)
    try:
        with np.errstate(all="ignore"):
            theirs = peer.gradient_hessian(rows, gamma)
    except ValueError as error:
        return {"status": f"refused: {error}"}
    finite = np.isfinite(np.concatenate(theirs, axis=1)).all(axis=1)
    inside = in_range(rows.raw_prediction) & finite
    result: dict[str, Any] = {
        "status": "ok",
        "rows_not_finite": int((~finite).sum()),
        "rows_in_range": int(inside.sum()),
    }
    for name, own, other in zip(("gradient", "hessian"), ours, theirs, strict=True):
        result |= differences(name, own[finite], other[finite])
        off_inside = is_off(own[inside], other[inside])
        result[f"{name}_rows_off_in_range"] = int(off_inside.sum())
    return result | shape_of_hessian(ours[1][finite], theirs[1][finite])


def in_range(raw: Any) -> Any:
    largest = raw.max(axis=1)
    low, high = RANGE
    return (low <= largest) & (largest <= high) & (raw.min(axis=1) > largest - DEPTH)


def is_off(own: Any, other: Any) -> Any:
    return abs(other - own).max(axis=1) > TOLERANCE


def differences(name: str, own: Any, other: Any) -> dict[str, float]:
    difference, size = abs(other - own).max(axis=1), abs(own).max(axis=1)
    sizeable = size >= SMALLEST
    return {
        f"{name}_difference": difference.max(initial=0),
        f"{name}_relative": (difference[sizeable] / size[sizeable]).max(initial=0),
        f"{name}_rows_off": int(is_off(own, other).sum()),
    }


def shape_of_hessian(own: Any, other: Any) -> dict[str, float]:
    """What shows a factor or a clipping."""
    sizeable = abs(own) >= SMALLEST
    return {
        "hessian_ratio": float(np.median(other[sizeable] / own[sizeable])),
        "smallest_hessian": float(other.min()),
        "our_smallest_hessian": float(own.min()),
    }


def table(n_samples: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield one line for each peer, number of classes, gamma and spread."""
    for peer in PEERS:
        line: dict[str, Any] = {"peer": peer.package, "host": peer.host}
        if (found := installed(peer.package)) is None:
            yield line | {"status": "not installed"}
            continue
        line["peer_version"] = found
        for spread, deviation in SPREADS.items():
            for n_classes in CLASSES:
                rows = random_rows(n_samples, n_classes, deviation, seed)
                for gamma in GAMMAS:
                    where = {"spread": spread, "n_classes": n_classes, "gamma": gamma}
                    yield line | where | compare(peer, rows, gamma)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    results = ROOT / "results" / "softmax_peers.csv"
    parser.add_argument("--results", type=Path, default=results)
    options = parser.parse_args()
    if options.rows < max(CLASSES):
        parser.error(f"--rows {options.rows}: one row for each class, {max(CLASSES)}")
    compared = pd.DataFrame(table(options.rows, options.seed))
    shown = compared.drop(columns="peer_version", errors="ignore")
    print(shown.to_string(index=False, float_format="{:.3g}".format, na_rep=""))
    packages = ("numpy", "scipy", "scikit-learn", "lightgbm")
    compared["versions"] = " ".join(
        [f"focalboost {focalboost.__version__}"]
        + [f"{name} {installed(name)}" for name in packages if installed(name)]
    )
    compared["rows"], compared["seed"] = options.rows, options.seed
    compared.to_csv(options.results, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
