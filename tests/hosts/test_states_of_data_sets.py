"""Data sets in every state that a host's own train takes."""

import warnings

import numpy as np
import pytest
from optional import HAS_LIGHTGBM, lightgbm, version, xgboost

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss, focal_metric

LIGHTGBM = {"num_threads": 1, "verbosity": -1, "deterministic": True}
XGBOOST = {"nthread": 1, "verbosity": 0}
LOSS = FocalLoss(gamma=2)
LOG_LOSS = {"loss": FocalLoss(gamma=0), "curvature": "exact"}


def test_evaluation_sets_in_any_iterable(mixed):
    data_set, result = xgboost.DMatrix(*mixed), {}
    focalboost.xgboost.train(
        XGBOOST,
        data_set,
        2,
        evals=zip([data_set], ["seen"], strict=True),
        evals_result=result,
        verbose_eval=False,
    )
    assert list(result) == ["seen"]
    recorded, sets = {}, {"seen": lightgbm.Dataset(*mixed)}
    focalboost.lightgbm.train(
        LIGHTGBM,
        sets["seen"],
        2,
        sets.values(),
        list(sets),
        callbacks=[lightgbm.record_evaluation(recorded)],
    )
    assert list(recorded) == ["seen"]


@pytest.fixture
def rows(mixed):
    """Features, labels and whole weights, which a file holds exactly."""
    X, y = mixed
    return X, y, np.random.default_rng(0).integers(1, 4, size=len(y)).astype(float)


def halved(data_set, n_rows):
    return data_set.subset(np.arange(0, n_rows, 2))


class Batches(getattr(lightgbm, "Sequence", object) if lightgbm else object):
    """Rows that LightGBM reads in batches."""

    batch_size = 500

    def __init__(self, rows):
        self.rows = rows

    def __getitem__(self, index):
        return self.rows[index]

    def __len__(self):
        return len(self.rows)


def of_lightgbm(state, X, y, w, folder):
    """A data set in a state, and the step between the rows that it holds."""
    make = lightgbm.Dataset
    table, labels, weights = of_library(state.partition(" ")[0], X, y, w)
    if table is not None:
        labels = labels.astype(bool) if state.endswith("bool") else labels
        return make(table, labels, weight=weights), 1
    whole = make(X, y, weight=w, free_raw_data=state != "subset kept")
    path = folder / "rows.csv"
    if "file" in state:
        np.savetxt(path, np.column_stack([y, X]), delimiter=",", fmt="%.17g")
        np.savetxt(f"{path}.weight", w)
    if state == "binary file":
        whole.save_binary(folder / "rows.bin")
    by_state = {
        "unbuilt": lambda: whole,
        "built": lambda: whole.construct(),
        "setters": lambda: make(X).construct().set_label(y).set_weight(w),
        "fields": lambda: with_fields(make(X).construct(), label=y, weight=w),
        "validation": lambda: make(X, y).create_valid(X, y, weight=w),
        "added": lambda: added(X, y, w),
        "file": lambda: make(path),
        "binary file": lambda: make(folder / "rows.bin"),
        "batches": lambda: make([Batches(X[:900]), Batches(X[900:])], y, weight=w),
        "arrays": lambda: make([X[:900], X[900:]], y, weight=w),
        "column": lambda: make(X, y[:, np.newaxis], weight=w),
        "list": lambda: make(X, y.tolist(), weight=w.tolist()),
        "groups": lambda: make(X, y, weight=w, group=[1000, len(y) - 1000]),
        "subset": lambda: halved(whole, len(y)),
        "subset kept": lambda: halved(whole, len(y)),
        "subset built": lambda: halved(whole, len(y)).construct(),
        "subset of built": lambda: halved(whole.construct(), len(y)),
        "subset of subset": lambda: halved(halved(whole, len(y)), len(y) // 2),
        "subset of file": lambda: halved(make(path), len(y)),
    }
    step = 4 if state.endswith("of subset") else 2 if "subset" in state else 1
    return by_state[state](), step


STATES_OF_LIGHTGBM = [
    *("unbuilt", "built", "setters", "fields", "validation", "file"),
    *("binary file", "batches", "arrays", "column", "list", "groups", "subset"),
    *("subset kept", "subset built", "subset of built", "subset of subset"),
    *("subset of file", "pandas", "pandas bool"),
]
if HAS_LIGHTGBM and version("lightgbm") >= (4, 7):  # others take no such labels
    STATES_OF_LIGHTGBM += ["pyarrow", "polars", "added"]


def with_fields(data_set, **fields):
    for name, values in fields.items():
        data_set.set_field(name, values)
    return data_set


def added(X, y, w):
    left = lightgbm.Dataset(X[:, :3], y, weight=w).construct()
    return left.add_features_from(lightgbm.Dataset(X[:, 3:]).construct())


def of_library(name, X, y, w):
    """Features, labels and weights in a library's own containers, if it is one."""
    if name not in ("pandas", "pyarrow", "polars"):
        return None, None, None
    library = pytest.importorskip(name)
    columns = {f"f{i}": column for i, column in enumerate(X.T)}
    if name == "pyarrow":
        arrays = (library.chunked_array([values]) for values in (y, w))
        return library.table(columns), *arrays
    return library.DataFrame(columns), library.Series(y), library.Series(w)


def assert_in_balance(raw, y, w, tolerance):
    posterior = LOSS.posterior(np.asarray(raw, dtype=np.float64))
    assert w @ posterior == pytest.approx(w @ y, rel=tolerance)


@pytest.mark.filterwarnings("ignore:Converting column-vector")
@pytest.mark.filterwarnings("ignore:Converting data to scipy sparse")
@pytest.mark.filterwarnings("ignore:Overriding the parameters from Reference")
@pytest.mark.filterwarnings("ignore:Resetting categorical features")
@pytest.mark.filterwarnings("ignore:Cannot add features from")
@pytest.mark.parametrize("boosting", ["gbdt", "dart"])
@pytest.mark.parametrize("state", STATES_OF_LIGHTGBM)
def test_lightgbm_trains_in_balance_on(state, boosting, rows, tmp_path):
    X, y, w = rows
    data_set, step = of_lightgbm(state, X, y, w, tmp_path)
    params = {**LIGHTGBM, "boosting": boosting}
    booster = focalboost.lightgbm.train(params, data_set, 8, loss=LOSS)
    raw = booster.predict(X[::step], raw_score=True)
    assert_in_balance(raw, y[::step], w[::step], 1e-9)


@pytest.mark.parametrize("validates", [False, True])
def test_what_lies_beside_a_file_counts_with_labels_of_its_own(
    validates, rows, tmp_path
):
    X, y, w = rows
    path, start = tmp_path / "rows.csv", np.linspace(-1, 1, len(y))
    np.savetxt(path, np.column_stack([y, X]), delimiter=",", fmt="%.17g")
    np.savetxt(f"{path}.weight", w)
    np.savetxt(f"{path}.init", start)
    models = []
    for labels in (None, y):
        data_set = lightgbm.Dataset(str(path), label=labels)
        sets = [lightgbm.Dataset(str(path), label=labels, reference=data_set)]
        booster = focalboost.lightgbm.train(
            LIGHTGBM, data_set, 4, sets if validates else None, loss=LOSS
        )
        models.append(booster.predict(X, raw_score=True))
    np.testing.assert_array_equal(*models)
    assert_in_balance(models[1] + start, y, w, 1e-9)


@pytest.mark.filterwarnings("ignore:Converting column-vector")
@pytest.mark.filterwarnings("ignore:Overriding the parameters from Reference")
@pytest.mark.filterwarnings("ignore:Resetting categorical features")
@pytest.mark.filterwarnings("ignore:Cannot add features from")
@pytest.mark.parametrize("state", STATES_OF_LIGHTGBM)
def test_lightgbm_trains_its_own_log_loss_model_on(state, rows, tmp_path):
    X, y, w = rows
    params = {**LIGHTGBM, "max_bin": 255}
    data_set, _ = of_lightgbm(state, X, y, w, tmp_path)
    ours = focalboost.lightgbm.train(params, data_set, 8, **LOG_LOSS)
    data_set, _ = of_lightgbm(state, X, y, w, tmp_path)
    theirs = lightgbm.train({**params, "objective": "binary"}, data_set, 8)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:Overriding the parameters from Reference")
def test_subsets_have_the_bins_of_their_data_set(rows):
    """Whatever parameters training names, as with lightgbm.train."""
    X, y, _ = rows
    boosters = []
    for train, own in (
        (focalboost.lightgbm.train, LOG_LOSS),
        (lightgbm.train, {}),
    ):
        whole = lightgbm.Dataset(X, y, params={"max_bin": 15, "verbosity": -1})
        params = {**LIGHTGBM, "max_bin": 200} | ({} if own else {"objective": "binary"})
        boosters.append(train(params, halved(whole, len(y)), 5, **own))
    predictions = [booster.predict(X) for booster in boosters]
    np.testing.assert_allclose(*predictions, rtol=1e-9)


def test_subsets_train_and_validate(rows):
    X, y, _ = rows
    whole, history = lightgbm.Dataset(X, y, params=LIGHTGBM), {}
    parts = halved(whole, len(y)), whole.subset(np.arange(1, len(y), 2))
    focalboost.lightgbm.train(
        LIGHTGBM, parts[0], 5, [parts[1]], callbacks=[recorded(history)]
    )
    # What is evaluated is the model before it is balanced.
    before = focalboost.lightgbm.train(LIGHTGBM, parts[0], 5, balance=False)
    raw = before.predict(X[1::2], raw_score=True)
    seen = history["valid_0"]["relative_focal_loss"][-1]
    assert seen == pytest.approx(focal_metric()(y[1::2], raw), rel=1e-9)
    assert parts[0].get_init_score() is None


def recorded(history):
    return lightgbm.record_evaluation(history)


@pytest.mark.parametrize("kind", ["subset", "file"])
def test_a_validation_set_that_is_read_first_leaves_the_bins_to_training(
    kind, rows, tmp_path
):
    X, y, w = rows
    histories = {}, {}
    for history in histories:
        train_set = lightgbm.Dataset(X, y)
        valid = lightgbm.Dataset(X[::2], y[::2])
        if history is histories[0]:
            valid = halved(train_set, len(y))
            if kind == "file":
                valid, _ = of_lightgbm("file", X[::2], y[::2], 0 * w[::2] + 1, tmp_path)
        params = {**LIGHTGBM, "max_bin": 15}
        focalboost.lightgbm.train(
            params, train_set, 5, [valid], callbacks=[recorded(history)]
        )
    found, expected = (one["valid_0"]["relative_focal_loss"] for one in histories)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:Overriding the parameters from Reference")
def test_what_is_set_in_a_subset_before_it_is_built_counts(rows):
    X, y, w = rows
    subset = halved(lightgbm.Dataset(X, y), len(y))
    subset.set_label(X[::2, 0] > 1).set_weight(w[::2].tolist())
    subset.set_init_score(np.full(len(w[::2]), -1.0))
    booster = focalboost.lightgbm.train(LIGHTGBM, subset, 8, loss=LOSS)
    raw = booster.predict(X[::2], raw_score=True) - 1
    assert_in_balance(raw, X[::2, 0] > 1, w[::2], 1e-9)


@pytest.mark.filterwarnings("ignore:Overriding the parameters from Reference")
def test_a_subset_continues_a_model(rows):
    X, y, w = rows
    first = focalboost.lightgbm.train(LIGHTGBM, lightgbm.Dataset(X, y), 3)
    subset = halved(lightgbm.Dataset(X, y, weight=w, free_raw_data=False), len(y))
    booster = focalboost.lightgbm.train(LIGHTGBM, subset, 3, init_model=first)
    assert booster.num_trees() == 6
    assert_in_balance(booster.predict(X[::2], raw_score=True), y[::2], w[::2], 1e-9)


@pytest.mark.filterwarnings("ignore:Overriding the parameters from Reference")
def test_a_subset_has_no_start_of_an_earlier_model(rows):
    """LightGBM leaves a model's predictions in a data set, and copies them."""
    X, y, _ = rows
    plain = {**LIGHTGBM, "objective": "binary"}
    first = lightgbm.train(plain, lightgbm.Dataset(X, y), 3)
    whole = lightgbm.Dataset(X, y, free_raw_data=False)
    lightgbm.train(plain, whole, 3, init_model=first)
    booster, fresh = (
        focalboost.lightgbm.train(LIGHTGBM, halved(data_set, len(y)), 5)
        for data_set in (whole, lightgbm.Dataset(X, y))
    )
    np.testing.assert_array_equal(booster.predict(X), fresh.predict(X))


def test_data_sets_without_labels_are_refused(rows):
    X, y, _ = rows
    with pytest.raises(ValueError, match="train_set must be with labels"):
        focalboost.lightgbm.train(LIGHTGBM, lightgbm.Dataset(X), 3)
    with pytest.raises(ValueError, match="valid_sets must be with labels"):
        focalboost.lightgbm.train(
            LIGHTGBM, lightgbm.Dataset(X, y), 3, [lightgbm.Dataset(X)]
        )
    with pytest.raises(ValueError, match="dtrain must be with labels"):
        focalboost.xgboost.train(XGBOOST, xgboost.DMatrix(X), 3)


def of_xgboost(state, X, y, w, folder):
    """A data set in a state, and the step between the rows that it holds."""
    make, quantile = xgboost.DMatrix, xgboost.QuantileDMatrix
    table, labels, weights = of_library(state, X, y, w)
    if table is not None:
        return make(table, labels, weight=weights), 1
    whole = make(X, y, weight=w)
    if state == "binary file":
        whole.save_binary(folder / "rows.buffer")
    if state == "file":
        np.savetxt(folder / "rows.csv", np.column_stack([w, y, X]), delimiter=",")
    uri = f"{folder / 'rows.csv'}?format=csv&label_column=1&weight_column=0"
    by_state = {
        "plain": lambda: whole,
        "column": lambda: make(X, y[:, np.newaxis], weight=w),
        "list": lambda: make(X, y.tolist(), weight=w.tolist()),
        "setters": lambda: with_info(make(X), label=y, weight=w),
        "groups": lambda: make(X, y, qid=np.arange(len(y)) // 1000),
        "types": lambda: make(X, y, weight=w, feature_types=["q"] * X.shape[1]),
        "slice": lambda: whole.slice(np.arange(0, len(y), 2)),
        "slice of column": lambda: make(X, y[:, np.newaxis], weight=w).slice(
            list(range(0, len(y), 2))
        ),
        "quantile": lambda: quantile(X, y, weight=w),
        "quantile with ref": lambda: quantile(
            X[::2], y[::2], weight=w[::2], ref=quantile(X, y)
        ),
        "binary file": lambda: make(folder / "rows.buffer"),
        "file": lambda: make(uri),
    }
    step = 2 if "slice" in state or "ref" in state else 1
    return by_state[state](), step


def with_info(data_set, **info):
    data_set.set_info(**info)
    return data_set


@pytest.mark.parametrize(
    "state",
    [
        *("plain", "column", "list", "setters", "groups", "types", "slice", "quantile"),
        *("slice of column", "quantile with ref", "binary file", "file"),
        *("pandas", "pyarrow", "polars"),
    ],
)
def test_xgboost_trains_on(state, rows, tmp_path):
    """In balance, and at gamma 0 its own log-loss model."""
    X, y, w = rows
    if state == "groups":
        w = np.ones(len(y))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # XGBoost would have other readers of files
        data_set, step = of_xgboost(state, X, y, w, tmp_path)
    booster = focalboost.xgboost.train(XGBOOST, data_set, 8, loss=LOSS)
    raw = booster.predict(data_set, output_margin=True)
    assert_in_balance(raw, y[::step], w[::step], 1e-6)
    ours = focalboost.xgboost.train(XGBOOST, data_set, 8, **LOG_LOSS)
    mean = np.average(y[::step], weights=w[::step])
    plain = {**XGBOOST, "objective": "binary:logistic", "base_score": mean}
    theirs = xgboost.train(plain, data_set, 8)
    np.testing.assert_allclose(
        ours.predict(data_set), theirs.predict(data_set), atol=1e-6
    )
