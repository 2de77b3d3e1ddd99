"""Files become numbers and labels, or are refused with what to change."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

from focalboost.diagnostics.tables import DataError, read_table

N_ROWS = 200


@pytest.fixture
def payments():
    rng = np.random.default_rng(0)
    columns = {"amount": rng.lognormal(size=N_ROWS), "hour": rng.integers(24, size=200)}
    fraud = (np.arange(N_ROWS) % 20 == 3).astype(int)
    return pd.DataFrame({"day": np.arange(N_ROWS) / 8, **columns, "fraud": fraud})


@pytest.fixture
def awkward(payments):
    """Dates, labels that are text, missing values, a name that both hosts refuse."""
    start = pd.Timestamp("2024-01-01 00:00:00.123")
    return payments.rename(columns={"amount": 'amount "EUR" [cents]'}).assign(
        time=start + pd.to_timedelta(payments["day"], "D"),
        fraud=np.where(payments["fraud"] == 1, "yes", "no"),
        hour=payments["hour"].where(payments.index % 5 > 0),
    )


def test_csv_and_parquet_are_read_alike(awkward, tmp_path):
    awkward.to_csv(tmp_path / "payments.csv", index=False)
    awkward.to_parquet(tmp_path / "payments.parquet")
    csv, parquet = (
        read_table(tmp_path / f"payments.{ending}", "fraud")
        for ending in ("csv", "parquet")
    )
    for table in (csv, parquet):
        assert (table.positive, table.time) == ("fraud = yes", "time")
        assert table.is_test is None
        np.testing.assert_array_equal(table.y_true, awkward["fraud"] == "yes")
    pd.testing.assert_frame_equal(csv.features, parquet.features)
    expected = awkward.drop(columns="fraud").assign(time=awkward["day"])
    pd.testing.assert_frame_equal(csv.features, expected, check_dtype=False)


def written(frame, folder):
    path = folder / "payments.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", ["TimeStamp", "time"])
def test_a_column_with_the_name_of_a_time_is_one(payments, tmp_path, name):
    path = written(payments.rename(columns={"day": name}), tmp_path)
    table = read_table(path, "fraud")
    assert table.time == name
    np.testing.assert_array_equal(table.features[name], payments["day"])


def test_the_time_may_be_named_and_need_not_be_there(payments, tmp_path):
    path = written(payments, tmp_path)
    assert read_table(path, "fraud").time is None
    assert read_table(path, "fraud", "hour").time == "hour"
    with pytest.raises(
        DataError, match="no column 'week': give --time one of 'day', 'am"
    ):
        read_table(path, "fraud", "week")


def test_numbers_that_are_text_are_numbers(payments, tmp_path):
    text = payments["hour"].astype(str).where(payments.index % 5 > 0)
    payments.assign(hour=text).to_parquet(tmp_path / "payments.parquet")
    features = read_table(tmp_path / "payments.parquet", "fraud").features
    expected = payments["hour"].where(payments.index % 5 > 0)
    np.testing.assert_array_equal(features["hour"], expected)


def test_the_rarer_of_two_values_is_the_class_to_find(payments, tmp_path):
    kind = np.where(payments["fraud"] == 1, 7, 2)
    table = read_table(written(payments.assign(fraud=kind), tmp_path), "fraud")
    assert table.positive == "fraud = 7"
    np.testing.assert_array_equal(table.y_true, payments["fraud"])


def prepared(path, payments, **more):
    """An .npz as benchmarks have them; its second column is a category."""
    hour = payments["hour"].to_numpy()
    meta = {"names": ["amount", "hour"], "kinds": ["num", "cat"]}
    np.savez(
        path,
        c000=payments["amount"],
        c001=np.where(hour == 5, -1, hour),
        y=payments["fraud"],
        meta=json.dumps(meta),
        **more,
    )
    return path


def test_an_npz_knows_its_target_and_its_test_rows(payments, tmp_path):
    split = (np.arange(N_ROWS) >= 150).astype(int)
    late = (payments["hour"] > 20).astype(int)
    path = tmp_path / "payments.npz"
    prepared(path, payments, aux_split=split, aux_late=late)
    table = read_table(path)
    assert (table.positive, table.time) == ("y = 1", None)
    np.testing.assert_array_equal(table.is_test, split == 1)
    np.testing.assert_array_equal(table.features["amount"], payments["amount"])
    hour = payments["hour"].where(payments["hour"] != 5)
    np.testing.assert_array_equal(table.features["hour"], hour)
    other = read_table(path, "late")
    np.testing.assert_array_equal(other.y_true, late)
    with pytest.raises(
        DataError, match="no column 'split': give --target one of 'y', 'l"
    ):
        read_table(path, "split")


def test_an_npz_without_test_rows(payments, tmp_path):
    assert read_table(prepared(tmp_path / "some.npz", payments)).is_test is None


BAD_TABLES = {
    "missing target": (lambda t: t.drop(columns="fraud"), "no column 'fraud'"),
    "one class": (lambda t: t.assign(fraud=0), "is 0 in all rows, one class only"),
    "three classes": (lambda t: t.assign(fraud=t.index % 3), "not binary, its 3"),
    "many classes": (lambda t: t.assign(fraud=t.index), ", ...: make it 1 for"),
    "missing labels": (
        lambda t: t.assign(fraud=t.fraud.where(t.day > 1)),
        "lacks 9 labels: drop these rows",
    ),
    "text": (
        lambda t: t.assign(hour=t.hour.astype(str).where(t.index != 7, "noon")),
        "column 'hour' holds text ('noon' in row 8)",
    ),
    "infinite": (lambda t: t.assign(hour=np.inf), "'hour' holds infinite values"),
    "no rows": (lambda t: t[:0], "is empty: give a file with a header and rows"),
    "no features": (lambda t: t[["fraud"]], "no column besides 'fraud'"),
    "bad dates": (lambda t: t.assign(time="soon"), "neither a number nor a date in"),
}


@pytest.mark.parametrize("fault", BAD_TABLES)
def test_bad_tables_are_refused(fault, payments, tmp_path):
    spoil, message = BAD_TABLES[fault]
    with pytest.raises(DataError) as error:
        read_table(written(spoil(payments), tmp_path), "fraud")
    assert message in str(error.value)


def test_without_a_target_the_columns_are_named(payments, tmp_path):
    message = "target: give --target one of 'day', 'amount', 'hour', 'fraud'"
    with pytest.raises(DataError, match=message):
        read_table(written(payments, tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "empty"),
        ("broken.parquet", b"PAR1, or not", "no sound .parquet file"),
        ("broken.npz", b"not a zip", "no sound .npz file"),
        ("binary.csv", b"\xff\xfe\x00\x81", "no sound .csv file"),
        ("payments.xlsx", b"", "ends in .csv, .parquet, .npz"),
    ],
)
def test_files_of_another_kind_are_refused(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_table(tmp_path / name, "fraud")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv is not there: check the path"):
        read_table(tmp_path / "nowhere.csv", "fraud")


def test_parquet_without_pyarrow_says_what_to_install(payments, tmp_path, monkeypatch):
    path = tmp_path / "payments.parquet"
    payments.to_parquet(path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match="pip install pyarrow"):
        read_table(path, "fraud")
