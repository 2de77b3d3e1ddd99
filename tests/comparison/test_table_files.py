"""Tables from files: what is read, and how faults are worded."""

import json

import numpy as np
import pandas as pd
import pytest

from focalboost.comparison.tables import DataError, read_table

X = np.arange(12.0).reshape(6, 2)
Y = np.array([0, 0, 1, 0, 1, 0])


def saved(folder, **arrays):
    path = folder / "table.npz"
    np.savez(path, **arrays)
    return path


def test_an_npz_may_hold_a_matrix_and_labels(tmp_path):
    table = read_table(saved(tmp_path, X=X, y=Y))
    np.testing.assert_array_equal(table.features, X)
    np.testing.assert_array_equal(table.y_true, Y)
    assert (table.positive, table.times, table.is_test) == ("y = 1", None, None)


def test_the_target_names_the_array_of_labels(tmp_path):
    words = np.where(Y == 1, "bad", "ok")
    path = saved(tmp_path, X=X.astype(np.float32), fraud=words, y=1 - Y)
    table = read_table(path, "fraud")
    assert table.positive == "fraud = bad"
    np.testing.assert_array_equal(table.y_true, Y)
    assert table.features.shape == (6, 2)


def test_an_npz_may_hold_columns_with_their_names(tmp_path):
    meta = json.dumps({"names": ["amount", "shop"], "kinds": ["num", "cat"]})
    arrays = {"c000": X[:, 0], "c001": np.array([0, 1, -1, 1, 0, 0]), "y": Y}
    table = read_table(saved(tmp_path, **arrays, meta=meta))
    assert list(table.features) == ["amount", "shop"]
    assert table.features["shop"].isna().tolist() == [False] * 2 + [True] + [False] * 3


ARRAYS = {
    "no matrix": ({"a": X, "y": Y}, "X is not a file in the archive': write it with"),
    "a lost column": (
        {"meta": json.dumps({"names": ["a"], "kinds": ["num"]}), "y": Y},
        "c000 is not a file in the archive",
    ),
    "no labels": (
        {"X": X},
        "has no labels, one for each of the 6 rows of X: write it with np.savez",
    ),
    "other labels": (
        {"X": X, "y": Y[:4]},
        "has no labels, one for each of the 6 rows of X",
    ),
    "a wide y": (
        {"X": X, "y": Y[:, None]},
        "has no labels, one for each of the 6 rows of X",
    ),
    "no y": (
        {"X": X, "label": Y},
        "does not name its target: give --target one of 'la",
    ),
    "objects": (
        {"X": X.astype(object), "y": Y},
        "cannot be read as .npz: Object array",
    ),
}


@pytest.mark.parametrize("fault", ARRAYS)
def test_a_fault_of_an_npz_says_what_to_save(fault, tmp_path):
    arrays, message = ARRAYS[fault]
    path = saved(tmp_path, **arrays)
    with pytest.raises(DataError) as caught:
        read_table(path)
    assert message in str(caught.value)


def test_names_are_quoted_so_that_spaces_show(tmp_path):
    path = tmp_path / "table.csv"
    pd.DataFrame({"Fraud ": Y, "amount": X[:, 0]}).to_csv(path, index=False)
    with pytest.raises(DataError, match=r"give --target one of 'Fraud ', 'amount'$"):
        read_table(path, "Fraud")


def written(folder, **columns):
    path = folder / "table.csv"
    pd.DataFrame({"amount": X[:, 0], "y": Y, **columns}).to_csv(path, index=False)
    return path


DATES = pd.date_range("2024-01-01", periods=6, freq="12h")


def test_a_time_to_split_by_is_needed_in_every_row(tmp_path):
    path = written(tmp_path, time=DATES.where(DATES.hour > 0))
    with pytest.raises(DataError, match="neither a number nor a date in row 1"):
        read_table(path, "y", time="time")


def test_a_date_that_is_a_feature_may_be_missing(tmp_path):
    path = written(tmp_path, paid=DATES.where(DATES.hour > 0))
    table = read_table(path, "y", date_parts=True)
    days = [np.nan, 1, np.nan, 2, np.nan, 3]
    np.testing.assert_array_equal(table.features["paid_day"], days)


def test_words_that_are_no_dates_are_categories_under_any_name(tmp_path):
    path = written(tmp_path, timestamp=["dawn", *DATES[1:].astype(str)])
    assert read_table(path, "y").features["timestamp"][0] == "dawn"


def test_names_twice_in_the_description_of_an_npz_are_refused(tmp_path):
    meta = json.dumps({"names": ["a", "a"], "kinds": ["num", "num"]})
    path = saved(tmp_path, c000=X[:, 0], c001=X[:, 1], y=Y, meta=meta)
    with pytest.raises(DataError, match="several columns named 'a': rename them"):
        read_table(path)
