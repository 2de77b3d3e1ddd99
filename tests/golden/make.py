"""Makes the golden files: models of simulated data, in every format they are kept in.

The files of a release are never made again, as later releases have to load them:

    SCIPY_ARRAY_API=1 python tests/golden/make.py 0.1

They are made with the oldest hosts and scikit-learn that are supported, as these have
to be loaded by all newer ones; the rest, models of several classes of XGBoost 3.1, with
the oldest that has them.
"""

import pickle
import sys
import zipfile
from pathlib import Path

import cloudpickle
import joblib
import numpy as np
import skops.io
import xgboost

from focalboost import FocalLGBMClassifier, FocalXGBClassifier

FOLDER = Path(__file__).parent


def features():
    """A grid of points, some of them missing."""
    steps = np.linspace(-2, 2, 7)
    X = np.column_stack([grid.ravel() for grid in np.meshgrid(steps, steps)])
    return np.where(X > 1.9, np.nan, X)


def models():
    """Fitted models by their names."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2))
    X = np.where(rng.random(X.shape) < 0.05, np.nan, X)
    score = np.nansum(X, axis=1) + rng.logistic(size=400)
    y = np.where(score > 2, "fraud", "ok")
    loss = {"focal_gamma": (0.5, 2), "focal_alpha": 0.3}
    small = {"n_estimators": 2, "max_depth": 2, "n_jobs": 1}
    lightgbm = FocalLGBMClassifier(**loss, **small, verbosity=-1)
    yield "lightgbm", lightgbm.fit(X, y)
    yield "xgboost", FocalXGBClassifier(**loss, **small).fit(X, y)
    three = np.digitize(score, [0, 2])
    lightgbm = FocalLGBMClassifier(focal_gamma=1, **small, verbosity=-1)
    yield "lightgbm-three", lightgbm.fit(X, three)
    if int(xgboost.__version__.partition(".")[0]) >= 3:
        xgb = FocalXGBClassifier(focal_alpha=[1, 2, 3], **small)
        yield "xgboost-three", xgb.fit(X, three)


def save(model, path):
    """Keep a model in each format."""
    path.with_suffix(".pickle").write_bytes(pickle.dumps(model, protocol=4))
    path.with_suffix(".cloudpickle").write_bytes(cloudpickle.dumps(model, protocol=4))
    joblib.dump(model, path.with_suffix(".joblib"))
    deflated = zipfile.ZIP_DEFLATED
    skops.io.dump(model, path.with_suffix(".skops"), compression=deflated)
    suffixes = (".json", ".ubj") if "xgboost" in path.name else (".txt",)
    for suffix in suffixes:
        model.save_model(path.with_suffix(suffix))


def main(release):
    """Make the files of a release that are not there yet."""
    folder = FOLDER / release
    folder.mkdir(exist_ok=True)
    np.save(folder / "features.npy", features())
    for name, model in models():
        expected = folder / f"{name}.npy"
        if not expected.exists():
            np.save(expected, model.predict_proba(features()))
            save(model, folder / name)


if __name__ == "__main__":
    main(*sys.argv[1:])
