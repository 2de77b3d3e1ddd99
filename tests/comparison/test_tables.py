"""Files become numbers and labels, or are refused with what to change."""

import gzip
import json
import sys

import numpy as np
import pandas as pd
import pytest

from focalboost.comparison._methods import kind_of
from focalboost.comparison.tables import DataError, read_table

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
        read_table(tmp_path / f"payments.{ending}", "fraud", time="time")
        for ending in ("csv", "parquet")
    )
    for table in (csv, parquet):
        assert table.positive == "fraud = yes"
        assert table.is_test is None
        np.testing.assert_array_equal(table.y_true, awkward["fraud"] == "yes")
    pd.testing.assert_frame_equal(csv.features, parquet.features)
    expected = awkward.drop(columns=["fraud", "time"])
    pd.testing.assert_frame_equal(csv.features, expected, check_dtype=False)
    days = (csv.times - csv.times[0]) / pd.Timedelta(days=1)
    np.testing.assert_allclose(days, awkward["day"], rtol=1e-6)


def written(frame, folder):
    path = folder / "payments.csv"
    frame.to_csv(path, index=False)
    return path


def test_rows_come_in_the_order_of_their_times(payments, tmp_path):
    shuffled = payments.sample(frac=1, random_state=0)
    path = written(shuffled, tmp_path)
    options = {"cost": [1.0], "cost_column": "amount"}
    table = read_table(path, "fraud", time="day", **options)
    np.testing.assert_array_equal(table.times, payments["day"])
    np.testing.assert_array_equal(table.y_true, payments["fraud"])
    np.testing.assert_array_equal(table.features["hour"], payments["hour"])
    np.testing.assert_allclose(table.costs[1], payments["amount"])
    assert list(table.features) == ["amount", "hour"]


@pytest.mark.parametrize(
    "form",
    ["%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y-%m-%d", "%d %b %Y", "%d.%m.%Y %H:%M"],
)
def test_dates_of_any_form_are_in_order(form, tmp_path):
    """pandas reads 01.02 and 13.02 in two ways if it may."""
    days = pd.date_range("2020-01-01", periods=40)
    table = pd.DataFrame({"a": range(40), "t": days.strftime(form), "y": [0, 1] * 20})
    table = table.sample(frac=1, random_state=0)
    found = read_table(written(table, tmp_path), "y", time="t").features["a"]
    assert found.tolist() == list(range(40))


def test_time_spans_are_times(payments, tmp_path):
    spans = pd.to_timedelta(payments["day"], "D")[::-1].to_numpy()
    payments.assign(span=spans).to_parquet(tmp_path / "p.parquet")
    table = read_table(tmp_path / "p.parquet", "fraud", time="span")
    assert table.features["day"].is_monotonic_decreasing


def test_dates_that_may_be_of_two_forms_are_refused(tmp_path):
    table = pd.DataFrame({"a": range(8), "y": [0, 1] * 4})
    table["t"] = [f"0{i}.0{9 - i}.2020" for i in range(1, 9)]
    path = written(table, tmp_path)
    with pytest.raises(DataError, match="write them as YYYY-MM-DD"):
        read_table(path, "y", time="t")
    with pytest.raises(DataError, match="YYYY-MM-DD, or leave them out with --drop t"):
        read_table(path, "y")


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
    assert (table.positive, table.times) == ("y = 1", None)
    np.testing.assert_array_equal(table.is_test, split == 1)
    np.testing.assert_array_equal(table.features["amount"], payments["amount"])
    hour = payments["hour"].where(payments["hour"] != 5)
    assert table.features["hour"].dtype == "category"
    np.testing.assert_array_equal(table.features["hour"].astype(float), hour)
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
    "one class": (
        lambda t: t.assign(fraud=0),
        "has one class only (0): add rows of the oth",
    ),
    "three classes": (
        lambda t: t.assign(fraud=t.index % 3),
        "its 3 labels are 0, 1, 2: name the one to find with --positive",
    ),
    "many classes": (lambda t: t.assign(fraud=t.index), ", ...: name the one"),
    "missing labels": (
        lambda t: t.assign(fraud=t.fraud.where(t.day > 1)),
        "lacks 9 labels: drop these rows",
    ),
    "decimal commas": (
        lambda t: t.assign(hour=t.hour.map(lambda hour: f"{hour},5")),
        "'hour' holds numbers with a comma: add --decimal ,",
    ),
    "commas that may separate thousands": (
        lambda t: t.assign(hour=[*["1,858", "-21,550", "521", None] * 50]),
        "'hour' holds numbers with a comma: add --decimal , (it reads 1,234 as 1.234), "
        "or where commas separate thousands write 1234 or add --drop hour",
    ),
    "decimal commas before three digits": (
        lambda t: t.assign(hour=["1,858", "0,265", "521", None] * 50),
        "'hour' holds numbers with a comma: add --decimal ,",
    ),
    "infinite": (
        lambda t: t.assign(hour=np.inf),
        "infinite in some rows: add --drop hour",
    ),
    "no rows": (lambda t: t[:0], "has one class only (no rows): add rows"),
    "no features": (lambda t: t[["fraud"]], "no column is a feature: add columns"),
    "dates": (
        lambda t: t[["fraud"]].assign(paid="2024-05-01"),
        "no column is a feature: add columns, or --date-parts",
    ),
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
        (
            "broken.parquet",
            b"PAR1, or not",
            "magic bytes .* write it with DataFrame.to_parquet$",
        ),
        ("broken.npz", b"not a zip", r"write it with np.savez\(path, X=X, y=y"),
        ("zipped.csv", gzip.compress(b"a,b\n"), "can't decode byte 0x8b"),
        ("a.csv.gz", gzip.compress(b"caf\xe9,y\n1,0\n"), "--encoding, such as cp1252"),
        ("b.CSV.GZ", gzip.compress("a,y\n1,0\n".encode("utf-16")), "or utf-16$"),
        ("book.csv", b"PK\x03\x04\xff", "can't decode byte 0xff"),
        ("open.csv", b'a,b\n"1,2\n', "string starting at row 1: correct it, its"),
        ("more.csv", b"a,b\n1,2\n3,4,5\n", "in line 3, saw 3: correct it, its"),
        ("blank.csv", b"\nfraud,a,fraud\n0,1,0\n", "several columns named 'fraud'"),
        ("binary.csv", b"a,\x81\n", "give its --encoding, such as cp1252"),
        (
            "wide.csv",
            "a,b\n".encode("utf-16"),
            "give its --encoding, such as cp1252 or utf-16$",
        ),
        ("semicolon.csv", b"a;b\n1,5;2\n", "by ';': add --separator ';'"),
        ("tab.csv", b"a\tb\n1\t2\n", "is separated by tab: add --separator tab"),
        (
            "twice.csv",
            b"fraud,a,fraud\n0,1,0\n",
            "several columns named 'fraud': rename",
        ),
        ("long.csv", b"fraud,a\n0,1,2\n1,2,3\n", "2 fields in line 2, saw 3: correct"),
        ("payments.xlsx", b"", "ends in .csv, .csv.gz, .parquet"),
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
    with pytest.raises(DataError, match="A suitable version of pyarrow"):
        read_table(path, "fraud")


def test_duplicated_names_in_parquet_are_refused(payments, tmp_path):
    pa = pytest.importorskip("pyarrow")
    table = pa.table([[0, 1], [0, 1]], names=["fraud", "fraud"])
    pytest.importorskip("pyarrow.parquet").write_table(table, tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"cannot be read as \.parquet: .*fraud"):
        read_table(tmp_path / "t.parquet", "fraud")


CSV_FORMS = {
    "semicolons": ({"sep": ";", "decimal": ","}, {"separator": ";", "decimal": ","}),
    "tabs": ({"sep": "\t"}, {"separator": "tab"}),
    "tabs as in code": ({"sep": "\t"}, {"separator": r"\t"}),
    "byte-order mark": ({"encoding": "utf-8-sig"}, {}),
    "utf-16": ({"encoding": "utf-16"}, {"encoding": "utf-16"}),
    "cp1252": ({"encoding": "cp1252"}, {"encoding": "cp1252"}),
    "gzip": ({"compression": "gzip"}, {}),
}


@pytest.mark.parametrize("form", CSV_FORMS)
def test_other_forms_of_csv_are_read_with_their_options(form, payments, tmp_path):
    wrote, options = CSV_FORMS[form]
    payments = payments.rename(columns={"amount": "Betrag in €"})
    path = tmp_path / ("p.csv.gz" if form == "gzip" else "p.csv")
    payments.to_csv(path, index=False, **wrote)
    table = read_table(path, "fraud", **options)
    pd.testing.assert_frame_equal(
        table.features, payments.drop(columns="fraud"), check_dtype=False
    )


def test_an_encoding_that_python_lacks_is_named(payments, tmp_path):
    path = written(payments, tmp_path)
    with pytest.raises(DataError, match="unknown encoding: ebcdic: correct it, its"):
        read_table(path, "fraud", encoding="ebcdic")


@pytest.mark.parametrize("separator", [";;", ""])
def test_a_separator_is_one_character(separator, payments, tmp_path):
    path = written(payments, tmp_path)
    with pytest.raises(DataError, match=r"separators > 1 char|single character"):
        read_table(path, "fraud", separator=separator)


def test_a_field_may_be_longer_than_those_of_python_s_reader(payments, tmp_path):
    text = np.where(payments.index == 0, "x" * 200_000, "y")
    table = read_table(written(payments.assign(text=text), tmp_path), "fraud")
    assert len(table.features["text"][0]) == 200_000


def test_an_index_with_a_name_is_a_column_as_in_csv(payments, tmp_path):
    path = tmp_path / "p.parquet"
    payments.assign(customer=payments.index % 20).set_index("customer").to_parquet(path)
    table = read_table(path, "fraud", group="customer")
    assert table.groups.nunique() == 20
    assert list(table.features) == ["day", "amount", "hour"]


def test_names_of_several_levels_are_text(payments, tmp_path):
    payments.columns = pd.MultiIndex.from_product([["a"], payments.columns])
    payments.to_parquet(tmp_path / "p.parquet")
    table = read_table(tmp_path / "p.parquet", "('a', 'fraud')")
    assert next(iter(table.features)) == "('a', 'day')"


def test_columns_of_lists_are_no_times(payments, tmp_path):
    payments.assign(list=[[1, 2]] * N_ROWS).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(DataError, match="time column 'list' has neither a number nor"):
        read_table(tmp_path / "p.parquet", "fraud", time="list")


def test_options_of_csv_are_of_csv_alone(payments, tmp_path):
    payments.to_parquet(tmp_path / "p.parquet")
    with pytest.raises(DataError, match="is not a CSV file: leave out --decimal"):
        read_table(tmp_path / "p.parquet", "fraud", decimal=",")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"drop": ["hour", "a", "b"]},
            "no column 'a', 'b' besides its target: give --d",
        ),
        (
            {"time": "week"},
            "no column 'week' besides its target: give --time one of 'd",
        ),
        ({"group": "fraud"}, "no column 'fraud' besides its target: give --group one"),
        (
            {"categorical": ["a"]},
            "no column 'a' besides its target: give --categorical",
        ),
        ({"cost_column": "a"}, "no column 'a' besides its target: give --cost-column"),
        ({"positive": "2"}, "has no label '2': give --positive one of 0, 1"),
        ({"cost": [1.0]}, "costs are finite numbers >= 0: give --cost ALERT MISS"),
        ({"cost": [1.0, -2.0]}, "costs are finite numbers >= 0: give --cost ALERT"),
        (
            {"cost_column": "amount"},
            "give --cost ALERT MISS, or --cost ALERT --cost-column",
        ),
        (
            {"cost": [1.0], "cost_column": "shop"},
            "--cost-column COLUMN with such a number in every row",
        ),
        (
            {"cost": [1.0], "cost_column": "part"},
            "--cost-column COLUMN with such a number in every row",
        ),
        ({"time": "part"}, "neither a number nor a date in row 5: correct or drop"),
        ({"group": "shop"}, "group column 'shop' lacks 1 values: fill them"),
        ({"time": "shop"}, "time column 'shop' has neither a number nor a date in row"),
    ],
)
def test_options_that_do_not_fit_are_named(options, message, payments, tmp_path):
    shop = np.where(payments.index == 7, None, "fuel")
    part = payments["hour"].astype(str).where(payments.index != 4, "noon")
    part = part.where(payments.index != 2, "-1")
    path = written(payments.assign(shop=shop, part=part), tmp_path)
    with pytest.raises(DataError) as error:
        read_table(path, "fraud", **options)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "amounts",
    [pd.array([1, None], dtype="Int64"), [1.0, np.inf], [1.0, np.nan], [-1, 2]],
)
def test_costs_of_rows_are_finite_numbers(amounts, payments, tmp_path):
    price = pd.Series(amounts).reindex(payments.index % 2).array
    payments.assign(price=price).to_parquet(tmp_path / "p.parquet")
    options = {"cost": [1.0], "cost_column": "price", "drop": ["price"]}
    with pytest.raises(DataError, match="with such a number in every row"):
        read_table(tmp_path / "p.parquet", "fraud", **options)


def test_one_label_of_several_may_be_found(payments, tmp_path):
    kind = np.array(["ok", "stolen", "fake"])[payments.index % 3]
    path = written(payments.assign(fraud=kind), tmp_path)
    table = read_table(path, "fraud", positive="fake")
    assert table.positive == "fraud = fake"
    np.testing.assert_array_equal(table.y_true, kind == "fake")
    number = written(payments.assign(fraud=payments["fraud"] + 0.0), tmp_path)
    assert read_table(number, "fraud", positive="0").y_true.mean() > 0.9


def test_columns_are_what_they_are(payments, tmp_path):
    """Of a table as a payment system writes it, in both kinds of file."""
    n = len(payments)
    table = payments.assign(
        shop=np.where(payments.index % 9, "fuel", None),
        vip=pd.array([None, True, False, True] * (n // 4), dtype="boolean"),
        age=pd.array([None, 30, 40, 50] * (n // 4), dtype="Int64"),
        paid=pd.date_range("2024-05-31 18:30", periods=n, freq="h"),
        code=payments["hour"],
    )
    table.to_parquet(tmp_path / "payments.parquet")
    for path in (tmp_path / "payments.parquet", written(table, tmp_path)):
        options = {"drop": ["day"], "categorical": ["code"], "date_parts": True}
        found = read_table(path, "fraud", **options)
        features = found.features
        assert {kind_of(features[name]) for name in ("shop", "code")} == {"category"}
        assert features["code"].dtype == "category"
        for name in ("amount", "hour", "vip", "age", "paid_hour"):
            assert features[name].dtype == np.float64
        assert features["vip"].isna().sum() == features["age"].isna().sum() == n // 4
        first = ["paid_month", "paid_day", "paid_weekday", "paid_hour"]
        assert features[first].iloc[0].tolist() == [5, 31, 4, 18.5]
        assert not any("Dates are left out" in text for text in found.remarks)
        found = read_table(path, "fraud", drop=["day"])
        assert not any(name.startswith("paid") for name in found.features)


def test_traps_among_the_columns_are_pointed_out(payments, tmp_path):
    n = len(payments)
    table = payments.assign(
        customer_id=np.arange(n) % 20,
        reference=[f"r{i}" for i in range(n)],
        paid=pd.date_range("2024-01-01", periods=n).astype(str),
        hour=payments["hour"].astype(str).where(payments.index != 7, "noon"),
    )
    path = written(table, tmp_path)
    text = " ".join(read_table(path, "fraud").remarks)
    assert "look like identifiers: 'customer_id', 'reference'. Leave them out" in text
    assert "--drop customer_id reference" in text
    assert "Dates are left out: 'paid'" in text
    assert "use --time paid" in text
    assert "text in or among them are taken for categories: 'hour'. Write" in text
    settled = {"time": "paid", "drop": ["hour", "reference"], "group": "customer_id"}
    assert read_table(path, "fraud", **settled).remarks == []


@pytest.mark.parametrize(
    "form", ["{:,.2f}", "${:.2f}", "{:.2f} EUR", "{:.1f} %", "'{:.0f}", "-{:.3e}€"]
)
def test_amounts_with_signs_are_pointed_out(form, payments, tmp_path):
    amount = (1e4 * payments["amount"]).map(form.format)
    path = written(payments.assign(amount=amount), tmp_path)
    (remark,) = read_table(path, "fraud").remarks
    assert "are taken for categories: 'amount'. Write them as plain num" in remark


def test_points_beside_a_decimal_comma_may_separate_thousands(payments, tmp_path):
    path = tmp_path / "payments.csv"
    table = payments.assign(amount=["1.858", "521"] * 100, day=["1.5", "0.25"] * 100)
    table.to_csv(path, index=False, sep=";")
    found = read_table(path, "fraud", separator=";", decimal=",")
    assert found.features["day"].tolist() == [1.5, 0.25] * 100
    (remark,) = found.remarks
    assert "are taken for categories: 'amount'. Write them as plain num" in remark


def test_codes_with_digits_are_neither_amounts_nor_dates(payments, tmp_path):
    codes = (payments.index % 5).map("4:{}.0.0".format)
    version = (payments.index % 5).map("1.{}.10".format)
    columns = {"code": codes, "shop": "24 hours", "version": version}
    path = written(payments.assign(**columns), tmp_path)
    assert read_table(path, "fraud").remarks == []


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%m/%d/%Y %H:%M", "%d-%b-%y"])
def test_dates_of_another_form_are_dates(form, payments, tmp_path):
    days = pd.Series(pd.date_range("2024-01-01", periods=N_ROWS))
    paid = days.dt.strftime(form).where(payments.index % 9 > 0)
    path = written(payments.assign(paid=paid), tmp_path)
    table = read_table(path, "fraud", date_parts=True)
    expected = days.dt.month.where(payments.index % 9 > 0)
    np.testing.assert_array_equal(table.features["paid_month"], expected)


def test_parts_of_dates_replace_no_other_column(payments, tmp_path):
    days = pd.date_range("2024-01-01", periods=N_ROWS)
    path = written(payments.assign(paid=days, paid_hour=payments["hour"]), tmp_path)
    message = "--date-parts makes several columns named 'paid_hour': rename them$"
    with pytest.raises(DataError, match=message):
        read_table(path, "fraud", date_parts=True)
    found = read_table(path, "fraud", date_parts=True, drop=["paid_hour"]).features
    assert (found["paid_hour"] == 0).all()


def test_an_option_is_advised_as_it_is_typed(payments, tmp_path):
    days = pd.date_range("2024-01-01", periods=N_ROWS)
    path = written(payments.assign(**{"paid on": days}), tmp_path)
    assert any(
        "use --time 'paid on'" in one for one in read_table(path, "fraud").remarks
    )


@pytest.mark.parametrize("name", ["TimeStamp", "time"])
def test_a_column_with_the_name_of_a_time_is_pointed_out(payments, tmp_path, name):
    path = written(payments.rename(columns={"day": name}), tmp_path)
    (remark,) = read_table(path, "fraud").remarks
    assert remark.endswith(f"these scores may be optimistic: use --time {name}.")
