"""A table of hostile input: every case has a stated result, or a stated error."""

import gc
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from optional import (
    HAS_XGBOOST,
    FocalLGBMClassifier,
    FocalXGBClassifier,
    lightgbm,
    version,
    xgboost,
)

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import (
    Checkpoint,
    FocalLoss,
    SoftmaxFocalLoss,
    focal_metric,
    focal_objective,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:The model has learned nothing"),
    pytest.mark.filterwarnings("ignore:The training starts"),
]

N = 200
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3))
Y = (X[:, 0] > 1).astype(np.float64)
ONES = np.ones(N)
RAW = RNG.normal(size=N)
LOSS = FocalLoss()


def at(array, value, position=3):
    """The array with another value at one place."""
    array = np.array(array, dtype=np.float64)
    array[position] = value
    return array


# -- How each entry is called ---------------------------------------------------------

XGBOOST = {"nthread": 1, "verbosity": 0}
LIGHTGBM = {"num_threads": 1, "verbosity": -1, "min_data_in_leaf": 5}


def by_xgboost(y=Y, weight=None, features=X, params=(), **options):
    data = xgboost.DMatrix(features, y, weight=weight)
    booster = focalboost.xgboost.train({**XGBOOST, **dict(params)}, data, 3, **options)
    return booster.predict(data, output_margin=True)


def by_lightgbm(y=Y, weight=None, features=X, params=(), **options):
    data = lightgbm.Dataset(features, y, weight=weight)
    settings = {**LIGHTGBM, **dict(params)}
    booster = focalboost.lightgbm.train(settings, data, 3, **options)
    return booster.predict(features, raw_score=True)


TRAIN = {"xgboost.train": by_xgboost, "lightgbm.train": by_lightgbm}


def xgb_classifier(**params):
    return FocalXGBClassifier(n_estimators=3, n_jobs=1, verbosity=0, **params)


def lgbm_classifier(**params):
    options = {"n_jobs": 1, "verbosity": -1, "min_child_samples": 5}
    return FocalLGBMClassifier(n_estimators=3, **options, **params)


ESTIMATORS = {"FocalXGB": xgb_classifier, "FocalLGBM": lgbm_classifier}


def fitted(estimator, y=Y, features=X, params=(), **options):
    model = estimator(**dict(params)).fit(features, y, **options)
    probability = model.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    return probability


# -- The table ------------------------------------------------------------------------
# Errors are (exception, words); what works is None, and its numbers have to be finite.

LABEL_0_1 = (ValueError, "y_true must be 0 or 1")
NO_WEIGHT = (ValueError, "y_true must be labels of rows with finite weights")
FINITE_RAW = (ValueError, "raw_prediction must be finite and within 1e30 of 0")
WEIGHTS = (ValueError, "sample_weight must be finite and >= 0")
XGBOOST_ERROR = xgboost.core.XGBoostError if HAS_XGBOOST else ValueError
BY_XGBOOST = (XGBOOST_ERROR, "Label contains NaN, infinity")

#: Losses, objectives and metrics: arrays in, arrays out.
ARRAYS = {
    "label nan": ({"y": at(Y, np.nan)}, LABEL_0_1),
    "label inf": ({"y": at(Y, np.inf)}, LABEL_0_1),
    "label -1": ({"y": 2 * Y - 1}, LABEL_0_1),
    "label 2": ({"y": Y + 1}, LABEL_0_1),
    "label of text": ({"y": np.array(["a"] * N)}, (ValueError, "real numbers")),
    "label complex": ({"y": Y + 0j}, (ValueError, "y_true must be an array of real")),
    "label too short": (
        {"y": Y[:-1]},
        (ValueError, r"y_true must be of shape \(200,"),
    ),
    "label 2-D": ({"y": Y[:, None]}, (ValueError, r"y_true must be of shape \(200,")),
    "label soft": ({"y": 0.9 * Y}, None),
    "label bool": ({"y": Y > 0}, None),
    "label int8": ({"y": Y.astype(np.int8)}, None),
    "label of objects": ({"y": Y.astype(object)}, None),
    "label big-endian": ({"y": Y.astype(">f4")}, None),
    "label a pandas column": ({"y": pd.Series(Y)}, None),
    "label nullable": ({"y": pd.Series(Y).astype("Int64")}, None),
    "label of categories": ({"y": pd.Series(Y).astype("category")}, None),
    "raw nan": ({"raw": at(RAW, np.nan)}, FINITE_RAW),
    "raw inf": ({"raw": at(RAW, -np.inf)}, FINITE_RAW),
    "raw 1e31": ({"raw": at(RAW, 1e31)}, FINITE_RAW),
    "raw 1e30": ({"raw": at(RAW, 1e30)}, None),
    "raw float16": ({"raw": RAW.astype(np.float16)}, None),
    "raw longdouble": ({"raw": RAW.astype(np.longdouble)}, None),
    "raw big-endian": ({"raw": RAW.astype(">f4")}, None),
    "raw integers": ({"raw": RAW.astype(int)}, None),
    "raw not contiguous": ({"raw": np.repeat(RAW, 2)[::2]}, None),
    "raw reversed": ({"raw": RAW[::-1]}, None),
    "raw unaligned": ({"raw": np.frombuffer(b"\0" + RAW.tobytes(), "f8", N, 1)}, None),
    "raw of text": ({"raw": np.array(["1"] * N)}, (ValueError, "real numbers")),
    "raw complex": (
        {"raw": RAW + 0j},
        (ValueError, "raw_prediction must be an array"),
    ),
    "raw of another shape": (
        {"raw": RAW[:-1]},
        (ValueError, r"shape \(199,\); got \(2"),
    ),
    "weight negative": ({"weight": at(ONES, -1)}, WEIGHTS),
    "weight nan": ({"weight": at(ONES, np.nan)}, WEIGHTS),
    "weight inf": ({"weight": at(ONES, np.inf)}, WEIGHTS),
    "weight too short": (
        {"weight": ONES[:-1]},
        (ValueError, r"weight must be of shape"),
    ),
    "weight of text": ({"weight": np.array(["1"] * N)}, (ValueError, "real numbers")),
    "weight 1e30": ({"weight": 1e30 * ONES}, None),
    "weight 1e-30": ({"weight": 1e-30 * ONES}, None),
    "weight of 60 decades": ({"weight": np.logspace(-30, 30, N)}, None),
}

#: What gamma and alpha must not be, wherever they are given.
PARAMETERS = {
    "gamma nan": ({"gamma": np.nan}, "gamma must be a number from 0 to 1000"),
    "gamma inf": ({"gamma": np.inf}, "gamma must be a number from 0 to 1000"),
    "gamma negative": ({"gamma": -0.1}, "gamma must be a number from 0 to 1000"),
    "gamma of text": ({"gamma": "2"}, "gamma must be a number from 0 to 1000"),
    "gamma bool": ({"gamma": True}, "gamma must be a number from 0 to 1000"),
    "gamma None": ({"gamma": None}, "gamma must be a number from 0 to 1000"),
    "gamma of three": ({"gamma": [1, 2, 3]}, "gamma must be a number from 0 to 1000"),
    "gamma a table": ({"gamma": [[1, 2]]}, "gamma must be a number from 0 to 1000"),
    "gamma complex": ({"gamma": 1j}, "gamma must be a number from 0 to 1000"),
    "gamma huge": ({"gamma": 10**400}, "gamma must be a number from 0 to 1000"),
    "alpha 0": ({"alpha": 0}, "alpha must be a number between 0 and 1"),
    "alpha 1": ({"alpha": 1}, "alpha must be a number between 0 and 1"),
    "alpha nan": ({"alpha": np.nan}, "alpha must be a number between 0 and 1"),
    "alpha of text": ({"alpha": "balanced"}, "alpha must be a number between 0 and 1"),
    "alpha bool": ({"alpha": True}, "alpha must be a number between 0 and 1"),
    "alpha an array": ({"alpha": [0.5]}, "alpha must be a number between 0 and 1"),
}

#: XGBoost learns nothing beyond it.
TOO_HEAVY = (ValueError, "sample_weight must be of a total of at most 1e.18")

#: Both hosts' train. A pair of errors is for XGBoost and LightGBM.
TRAININGS = {
    "label nan": ({"y": at(Y, np.nan)}, BY_XGBOOST, LABEL_0_1),
    "label inf": ({"y": at(Y, np.inf)}, BY_XGBOOST, LABEL_0_1),
    "label -1": ({"y": 2 * Y - 1}, LABEL_0_1),
    "label 2": ({"y": Y + 1}, LABEL_0_1),
    "label of one class": ({"y": 0 * Y}, None),
    "label missing": ({"y": None}, (ValueError, "must be with labels; got 'none'")),
    "label of text": (
        {"y": np.where(Y > 0, "a", "b")},
        (XGBOOST_ERROR, "not supported"),
        (ValueError, "y_true must be an array of real numbers"),
    ),
    "label nullable with NA": (
        {"y": pd.Series(at(Y, np.nan)).astype("Int64")},
        BY_XGBOOST,
        LABEL_0_1,
    ),
    "label nullable": ({"y": pd.Series(Y).astype("Int64")}, None),
    "label boolean": ({"y": pd.Series(Y > 0).astype("boolean")}, None),
    "label soft": ({"y": 0.9 * Y}, None),
    "no rows": (
        {"y": Y[:0], "features": X[:0]},
        (ValueError, "must be with labels|y_true"),
    ),
    "weight negative": (
        {"weight": -ONES},
        (XGBOOST_ERROR, "Weights must be positive"),
        (ValueError, "sample_weight must be finite and >= 0"),
    ),
    "weight zero": ({"weight": 0 * ONES}, NO_WEIGHT),
    "weight of one class": ({"weight": 1 - Y}, None),
    "weight too short": (
        {"weight": ONES[:-1]},
        (ValueError, r"must be of shape \(200,"),
    ),
    "weight 1e30": ({"weight": 1e30 * ONES}, TOO_HEAVY, None),
    "weight 1e-30": ({"weight": 1e-30 * ONES}, None),
    "weight of 60 decades": ({"weight": np.logspace(-30, 30, N)}, TOO_HEAVY, None),
    "features missing": ({"features": np.nan * X}, None),
    "features constant": ({"features": 0 * X}, None),
    "loss of text": ({"loss": "focal"}, (ValueError, "loss must be a FocalLoss or a")),
    "loss a class": ({"loss": FocalLoss}, (ValueError, "loss must be a FocalLoss or")),
    "loss of three classes": ({"loss": SoftmaxFocalLoss(3)}, None),
    "curvature unknown": (
        {"curvature": "clip"},
        (ValueError, "curvature must be one"),
    ),
    "learning rate 0": (
        {"params": {"eta": 0}},
        None,
        (ValueError, "rate must be a number"),
    ),
    "learning rate nan": ({"params": {"eta": np.nan}}, (ValueError, "rate must be a")),
    "learning rate 2": ({"params": {"eta": 2}}, (ValueError, "between 0 and 2, both")),
    "learning rate of text": ({"params": {"eta": "0.1"}}, None),
    "learning rate a word": ({"params": {"eta": "fast"}}, (ValueError, "got 'fast'")),
    "bound below the rate": (
        {"params": {"eta": 0.2}, "max_learning_rate": 0.1},
        (ValueError, "max_learning_rate must be at least the learning rate"),
    ),
    "objective": (
        {"params": {"objective": "regression"}},
        (ValueError, "objective must be 'binary"),
    ),
    "scale_pos_weight": (
        {"params": {"scale_pos_weight": 9}},
        (ValueError, "scale_pos_weight must be 1; got 9"),
    ),
    "num_class": (
        {"params": {"num_class": 3}, "loss": LOSS},
        (ValueError, "num_class"),
    ),
    "focal_gamma": ({"params": {"focal_gamma": 1}}, (ValueError, "must be left out")),
    "checkpoint a number": ({"checkpoint": 3}, (ValueError, "checkpoint must be")),
}

UNKNOWN_TYPE = (ValueError, "Unknown label type")

#: Both estimators.
FITS = {
    "y nan": ({"y": at(Y, np.nan)}, (ValueError, "Input y contains NaN")),
    "y inf": ({"y": at(Y, np.inf)}, (ValueError, "Input y contains infinity")),
    "y -1 and 1": ({"y": 2 * Y - 1}, None),
    "y continuous": ({"y": X[:, 0]}, UNKNOWN_TYPE),
    "y soft": ({"y": 0.9 * Y}, UNKNOWN_TYPE),
    "y of one class": (
        {"y": 0 * Y},
        (ValueError, "y must be labels of two classes or"),
    ),
    "y None": ({"y": None}, (ValueError, "y must be labels, one for each row")),
    "y too short": ({"y": Y[:-1]}, (ValueError, "inconsistent numbers of samples")),
    "y of text": ({"y": np.where(Y > 0, "fraud", "other")}, None),
    "y of bytes": (
        {"y": np.where(Y > 0, b"a", b"b")},
        (TypeError, "bytes") if version("sklearn") >= (1, 7) else None,
    ),
    "y of two kinds": (
        {"y": np.array(["a", 1] * (N // 2), dtype=object)},
        (ValueError, r"y must be labels of one kind.*got \['int', 'str'\]"),
    ),
    "y with None": (
        {"y": np.array(["a", None] * (N // 2), dtype=object)},
        (ValueError, "y must be labels of one kind, none missing"),
    ),
    "y of categories": ({"y": pd.Categorical(np.where(Y > 0, "a", "b"))}, None),
    "y nullable": ({"y": pd.Series(Y).astype("Int64")}, None),
    "y nullable with NA": (
        {"y": pd.Series(at(Y, np.nan)).astype("Int64")},
        (ValueError, r"y must be labels, none missing; got '\d+ missing'. Drop rows"),
    ),
    "y of text with NA": (
        {"y": pd.Series(np.where(Y > 0, "a", None)).astype("string")},
        (ValueError, r"y must be labels, none missing; got '\d+ missing'. Drop rows"),
    ),
    "y boolean": ({"y": pd.Series(Y > 0).astype("boolean")}, None),
    "y of dates": ({"y": np.where(Y > 0, *np.array(["2020", "2021"], "M8[Y]"))}, None),
    "y complex": ({"y": Y + 0j}, (ValueError, "Complex data not supported")),
    "no rows": (
        {"y": Y[:0], "features": X[:0]},
        (ValueError, r"Found array with 0 sample"),
    ),
    "one row": (
        {"y": Y[:1], "features": X[:1]},
        (ValueError, r"Found array with 1 sample"),
    ),
    "features 1-D": ({"features": X[:, 0]}, (ValueError, "Expected 2D array, got 1D")),
    "features 3-D": ({"features": X[:, :, None]}, (ValueError, "with dim 3")),
    "features of text": ({"features": X.astype(str)}, (ValueError, "strings")),
    "features of objects": ({"features": X.astype(object)}, None),
    "features float16": ({"features": X.astype(np.float16)}, None),
    "features big-endian": ({"features": X.astype(">f8")}, None),
    "weight negative": ({"sample_weight": -ONES}, WEIGHTS),
    "weight nan": ({"sample_weight": at(ONES, np.nan)}, WEIGHTS),
    "weight zero": (
        {"sample_weight": 0 * ONES},
        (ValueError, "above zero for at least"),
    ),
    "weight too short": (
        {"sample_weight": ONES[1:]},
        (ValueError, "must be of shape"),
    ),
    "weight 2-D": (
        {"sample_weight": X},
        (ValueError, r"sample_weight must be of shape"),
    ),
    "weight of text": ({"sample_weight": ["a"] * N}, (ValueError, "to float: 'a'")),
    "weight of one class": ({"sample_weight": 1 - Y}, None),
    "weight 1e39": ({"sample_weight": 1e39 * ONES}, (ValueError, "at most 1e.38")),
    "weight 1e30": ({"sample_weight": 1e30 * ONES}, TOO_HEAVY, None),
    "weight a number": ({"sample_weight": 2.0}, None),
    "class weight a word": (
        {"params": {"class_weight": "heavy"}},
        (ValueError, "class_weight"),
    ),
    "class weight negative": (
        {"params": {"class_weight": {0: -1, 1: 1}}},
        (ValueError, "class_weight must be made of finite numbers >= 0"),
    ),
    "gamma of a label missing": (
        {"params": {"focal_gamma": {0: 1}}},
        (ValueError, r"focal_gamma must be a value for each of the labels"),
    ),
    "parameter misspelled": (
        {"params": {"focal_gama": 1}},
        (ValueError, "focal_gama must be left out"),
    ),
    "objective": ({"params": {"objective": "rank:map"}}, (ValueError, "objective")),
    "learning rate": ({"params": {"learning_rate": 5}}, (ValueError, "learning_rate")),
    "evaluated on other labels": (
        {"eval_set": [(X, Y + 1)]},
        (ValueError, "eval_set must be made of the labels"),
    ),
}


def check(call, error):
    """Call, and hold the outcome to the table."""
    if error is not None:
        kind, words = error
        with pytest.raises(kind, match=words):
            call()
        return
    results = call()
    for result in results if isinstance(results, tuple) else (results,):
        assert np.all(np.isfinite(result))


def table(cases):
    return pytest.mark.parametrize("case", cases.values(), ids=list(cases))


@table(ARRAYS)
@pytest.mark.parametrize("entry", ["loss", "gradient_curvature", "objective", "metric"])
def test_arrays(case, entry):
    given, error = case
    arrays = {"y": Y, "raw": RAW, "weight": None, **given}
    calls = {
        "loss": LOSS.loss,
        "gradient_curvature": LOSS.gradient_curvature,
        "objective": focal_objective(gamma=2),
        "metric": focal_metric(gamma=2),
    }
    check(lambda: calls[entry](*arrays.values()), error)


@table(PARAMETERS)
@pytest.mark.parametrize(
    "entry",
    [FocalLoss, focal_objective, focal_metric, *ESTIMATORS],
    ids=lambda entry: getattr(entry, "__name__", None),
)
def test_parameters(case, entry):
    given, words = case
    if entry in ESTIMATORS:
        params = {f"focal_{name}": value for name, value in given.items()}
        check(lambda: fitted(ESTIMATORS[entry], params=params), (ValueError, words))
    else:
        check(lambda: entry(**given), (ValueError, words))


@table(TRAININGS)
@pytest.mark.parametrize("entry", TRAIN)
def test_training(case, entry):
    given, *errors = case
    error = errors[-1] if entry == "lightgbm.train" else errors[0]
    check(lambda: TRAIN[entry](**given), error)


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
@table(FITS)
@pytest.mark.parametrize("entry", ESTIMATORS)
def test_estimators(case, entry):
    given, *errors = case
    error = errors[-1] if "LGBM" in entry else errors[0]
    check(lambda: fitted(ESTIMATORS[entry], **given), error)


# -- Data sets, threads, processes and files ------------------------------------------


@pytest.mark.parametrize("data", [X, None, [[1]], pd.DataFrame(X)], ids=type)
def test_what_is_no_data_set(host, data):
    words = {
        "xgboost": r"dtrain must be an xgboost\.DMatrix; got",
        "lightgbm": r"train_set must be a lightgbm\.Dataset; got",
    }
    with pytest.raises(ValueError, match=words[host.name]):
        host.train(data)


def test_what_is_no_validation_set(host):
    words = {
        "xgboost": r"evals must be an xgboost\.DMatrix",
        "lightgbm": r"valid_sets must be a lightgbm\.Dataset",
    }[host.name]
    with pytest.raises(ValueError, match=words):
        host.train(host.data(X, Y), evals=[X])


@pytest.mark.parametrize("entry", TRAIN)
def test_a_data_set_whose_owner_is_gone(entry):
    """The arrays that a data set was made of are freed before it is trained on."""
    expected = TRAIN[entry]()
    features, labels = X.copy(), Y.copy()
    if entry == "xgboost.train":
        data = xgboost.DMatrix(features, labels)
        del features, labels
        gc.collect()
        booster = focalboost.xgboost.train(XGBOOST, data, 3)
        found = booster.predict(xgboost.DMatrix(X), output_margin=True)
    else:
        data = lightgbm.Dataset(features, labels)
        del features, labels
        gc.collect()
        booster = focalboost.lightgbm.train(LIGHTGBM, data, 3)
        found = booster.predict(X, raw_score=True)
    np.testing.assert_array_equal(found, expected)


def test_an_objective_shared_by_threads():
    """One value in many trainings at once, each with its own data."""
    objective = focal_objective(gamma=2, n_threads=2)
    parts = [(np.roll(Y, i), np.roll(RAW, i)) for i in range(16)]
    expected = [objective(y, raw) for y, raw in parts]
    barrier = threading.Barrier(4)

    def call(part):
        if part < 4:
            barrier.wait(timeout=60)
        return objective(*parts[part])

    with ThreadPoolExecutor(4) as pool:
        for found, other in zip(pool.map(call, range(16)), expected, strict=True):
            np.testing.assert_array_equal(found, other)


@pytest.mark.parametrize("entry", ESTIMATORS)
def test_a_fitted_model_shared_by_threads(entry):
    model = ESTIMATORS[entry]().fit(X, Y)
    expected = model.predict_proba(X)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: model.predict_proba(X), range(12)):
            np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "value", [LOSS, focal_objective(), focal_metric(), Checkpoint("x")], ids=repr
)
def test_values_cross_processes(value):
    assert pickle.loads(pickle.dumps(value)) == value


def saved(entry, tmp_path):
    """A fitted model's file, and an estimator that loads it."""
    model = ESTIMATORS[entry]().fit(X, Y)
    path = tmp_path / ("model.json" if entry == "FocalXGB" else "model.txt")
    model.save_model(path)
    return path, ESTIMATORS[entry]()


@pytest.mark.parametrize("entry", ESTIMATORS)
@pytest.mark.parametrize("share", [0, 0.01, 0.3, 0.9, 0.999])
def test_a_model_file_that_is_cut_short(entry, share, tmp_path):
    path, estimator = saved(entry, tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="fname must be"):
        estimator.load_model(path)


@pytest.mark.parametrize("entry", ESTIMATORS)
def test_a_model_file_that_has_been_edited(entry, tmp_path):
    path, estimator = saved(entry, tmp_path)
    content = path.read_bytes()
    digits = [i for i, byte in enumerate(content) if chr(byte) in "123456789"]
    middle = digits[len(digits) // 2]
    changed = b"1" if content[middle : middle + 1] != b"1" else b"2"
    path.write_bytes(content[:middle] + changed + content[middle + 1 :])
    with pytest.raises(ValueError, match="fname must be"):
        estimator.load_model(path)


@pytest.mark.parametrize("entry", ESTIMATORS)
def test_a_model_file_of_a_plain_host(entry, tmp_path):
    path = tmp_path / ("model.json" if entry == "FocalXGB" else "model.txt")
    if entry == "FocalXGB":
        xgboost.XGBClassifier(n_estimators=2, n_jobs=1).fit(X, Y).save_model(path)
    else:
        model = lightgbm.LGBMClassifier(n_estimators=2, n_jobs=1, verbosity=-1)
        model.fit(X, Y).booster_.save_model(path)
    with pytest.raises(
        ValueError, match=r"fname must be a (model saved by|file as) Focal"
    ):
        ESTIMATORS[entry]().load_model(path)


@pytest.mark.parametrize("entry", ESTIMATORS)
def test_a_model_file_of_the_other_host(entry, tmp_path):
    other = next(name for name in ESTIMATORS if name != entry)
    path, _ = saved(other, tmp_path)
    with pytest.raises(ValueError, match="fname must be"):
        ESTIMATORS[entry]().load_model(path)


@pytest.mark.parametrize("entry", ESTIMATORS)
def test_a_model_file_that_is_not_there(entry, tmp_path):
    with pytest.raises(FileNotFoundError):
        ESTIMATORS[entry]().load_model(tmp_path / "nothing")


def test_the_table_is_long_enough():
    assert sum(map(len, (ARRAYS, PARAMETERS, TRAININGS, FITS))) >= 80
