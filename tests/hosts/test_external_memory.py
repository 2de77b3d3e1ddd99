"""Data that come in batches, or from a file, train the model of data in memory."""

import numpy as np
import pytest
from optional import HAS_XGBOOST, lightgbm, xgboost
from packaging.version import Version

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss, SoftmaxFocalLoss

ROUNDS = 10
LOSSES = [FocalLoss((0, 2), 0.3), SoftmaxFocalLoss(3)]
each_loss = pytest.mark.parametrize("loss", LOSSES, ids=str)

needs_pages = pytest.mark.skipif(
    HAS_XGBOOST and Version(xgboost.__version__) < Version("3.0"),
    reason="XGBoost before 3.0 has none",
)


class Batches(xgboost.DataIter):
    """Rows in batches, with a cache on disk if there is a prefix."""

    def __init__(self, X, y, weight, prefix=None):
        self.batches = list(
            zip(*(np.array_split(a, 4) for a in (X, y, weight)), strict=True)
        )
        self.position = 0
        super().__init__(cache_prefix=prefix)

    def next(self, input_data):
        if self.position == len(self.batches):
            return False
        X, y, weight = self.batches[self.position]
        input_data(data=X, label=y, weight=weight)
        self.position += 1
        return True

    def reset(self):
        self.position = 0


class Rows(lightgbm.Sequence):
    """Rows as LightGBM reads them from anywhere."""

    batch_size = 500

    def __init__(self, X):
        self.X = X

    def __getitem__(self, index):
        return self.X[index]

    def __len__(self):
        return len(self.X)


@pytest.fixture(scope="module")
def table():
    """Whole numbers, so that every way of reading finds the same bins."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 20, (3000, 4)).astype(np.float64)
    weight = rng.lognormal(size=len(X)).astype(np.float32)
    return X, weight


def target(X, loss):
    several = isinstance(loss, SoftmaxFocalLoss)
    return X[:, 0] // 7 if several else (X[:, 0] + X[:, 1] > 34).astype(float)


def external(kind, rows, tmp_path):
    if kind == "quantiles":
        return xgboost.QuantileDMatrix(Batches(*rows))
    batches = Batches(*rows, prefix=str(tmp_path / "cache"))
    if kind == "pages of quantiles":
        return xgboost.ExtMemQuantileDMatrix(batches)
    return xgboost.DMatrix(batches)


@each_loss
@pytest.mark.parametrize(
    "kind",
    ["quantiles", "pages", pytest.param("pages of quantiles", marks=needs_pages)],
)
def test_xgboost_in_batches(table, loss, kind, tmp_path):
    X, weight = table
    y = target(X, loss)
    params = {"nthread": 1, "verbosity": 0}
    params |= {"num_class": 3} if isinstance(loss, SoftmaxFocalLoss) else {}
    data = external(kind, (X, y, weight), tmp_path)
    history = {}
    booster = focalboost.xgboost.train(
        params,
        data,
        ROUNDS,
        loss=loss,
        evals=[(data, "train")],
        evals_result=history,
        verbose_eval=False,
    )
    whole = xgboost.DMatrix(X, y, weight=weight)
    expected = focalboost.xgboost.train(params, whole, ROUNDS, loss=loss)
    raw, other = (b.predict(whole, output_margin=True) for b in (booster, expected))
    np.testing.assert_allclose(raw, other, atol=1e-6)
    relative = history["train"]["relative_focal_loss"]
    assert relative[-1] < relative[0] < 1


@each_loss
def test_lightgbm_from_sequences(table, loss):
    X, weight = table
    y = target(X, loss)
    parts = [Rows(part) for part in np.array_split(X, 3)]
    found = train_lightgbm(lightgbm.Dataset(parts, y, weight=weight), loss)
    expected = train_lightgbm(lightgbm.Dataset(X, y, weight=weight), loss)
    raw, other = (b.predict(X, raw_score=True) for b in (found, expected))
    np.testing.assert_allclose(raw, other, atol=1e-12)


@each_loss
@pytest.mark.parametrize("two_round", [False, True])
def test_lightgbm_from_a_file(table, loss, two_round, tmp_path):
    X, weight = table
    y = target(X, loss)
    path = tmp_path / "rows.csv"
    np.savetxt(path, np.column_stack([y, X]), delimiter=",", fmt="%g")
    np.savetxt(tmp_path / "rows.csv.weight", weight)
    params = {"two_round": two_round, "verbosity": -1}
    found = train_lightgbm(lightgbm.Dataset(str(path), params=params), loss)
    expected = train_lightgbm(lightgbm.Dataset(X, y, weight=weight), loss)
    raw, other = (b.predict(X, raw_score=True) for b in (found, expected))
    np.testing.assert_allclose(raw, other, atol=1e-6)  # weights from text


def train_lightgbm(data, loss):
    params = {"num_threads": 1, "verbosity": -1}
    params |= {"num_class": 3} if isinstance(loss, SoftmaxFocalLoss) else {}
    return focalboost.lightgbm.train(params, data, ROUNDS, valid_sets=[data], loss=loss)
