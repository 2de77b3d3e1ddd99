"""Tables for LightGBM: names of columns, and columns that it cannot read."""

import pickle

import numpy as np
import pytest
from optional import FocalLGBMClassifier, optional

pytestmark = [
    pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated"),
    pytest.mark.filterwarnings("ignore:X does not have valid feature names"),
]

OTHER_NAMES = "The feature names should match those that were passed during fit"


def as_pandas(X, names):
    return optional("pandas").DataFrame(X, columns=names)


def as_polars(X, names):
    pytest.importorskip("lightgbm", minversion="4.7")
    return optional("polars").DataFrame(X, schema=names)


def as_arrow(X, names):
    pytest.importorskip("lightgbm", minversion="4.6")  # 4.5 does not keep their names
    return optional("pyarrow").table(dict(zip(names, X.T, strict=True)))


each_table = pytest.mark.parametrize("table", [as_pandas, as_polars, as_arrow])
NAMES = list("abcde")


def fitted(X, y, **arguments):
    model = FocalLGBMClassifier(n_estimators=3, n_jobs=1, verbosity=-1)
    return model.fit(X, y, **arguments)


@each_table
def test_columns_in_another_order_are_refused(table, rare, tmp_path):
    X, y = rare
    model = fitted(table(X, NAMES), y)
    model.save_model(tmp_path / "model.txt")
    loaded = FocalLGBMClassifier()
    loaded.load_model(tmp_path / "model.txt")
    for one in (model, loaded, pickle.loads(pickle.dumps(model))):
        for method in (one.predict, one.predict_proba, one.decision_function):
            with pytest.raises(ValueError, match=f"{OTHER_NAMES}.*\n.*same order"):
                method(table(X[:, ::-1], NAMES[::-1]))
        np.testing.assert_array_equal(
            one.predict_proba(table(X, NAMES)), model.predict_proba(X)
        )


@each_table
def test_other_columns_are_refused(table, rare):
    X, y = rare
    model = fitted(table(X, NAMES), y)
    with pytest.raises(ValueError, match=f"{OTHER_NAMES}.*\n.*unseen.*\n- z\n"):
        model.predict(table(X, list("abcdz")))
    with pytest.raises(ValueError, match=f"{OTHER_NAMES}.*\n.*missing:\n- e\n"):
        model.predict(table(X[:, :4], NAMES[:4]))


@each_table
def test_an_evaluation_set_of_other_columns_is_refused(table, rare):
    X, y = rare
    reversed_set = table(X[:, ::-1], NAMES[::-1]), y
    with pytest.raises(ValueError, match=r"eval_set must be of the columns \['a', 'b'"):
        fitted(table(X, NAMES), y, eval_set=[reversed_set])


def test_names_with_spaces(rare):
    X, y = rare
    spaced = as_pandas(X, ["a b", *"bcde"])
    model = fitted(spaced, y)
    np.testing.assert_array_equal(model.predict(spaced), model.predict(X))


@pytest.mark.parametrize("names", [["=a", *"bcde"], ["==a b", "b=c", *"cde"]])
def test_names_with_signs_of_equality(names, rare):
    X, y = rare
    table = as_pandas(X, names)
    model = fitted(table, y)
    np.testing.assert_array_equal(model.predict(table), model.predict(X))


@pytest.mark.parametrize("names", [range(5), NAMES])
def test_names_that_say_nothing_are_taken_by_position(names, rare):
    X, y = rare
    fitted_to = {"numbers": as_pandas(X, range(5)), "none": X}
    expected = fitted(X, y).predict_proba(X)
    for training in fitted_to.values():
        model = fitted(training, y)
        np.testing.assert_array_equal(
            model.predict_proba(as_pandas(X, range(5))), expected
        )
    named = fitted(as_pandas(X, names), y, feature_name=list("pqrst"))
    np.testing.assert_array_equal(
        named.predict_proba(as_pandas(X, names)), named.predict_proba(X)
    )


def categories_of_polars(labels):
    polars = optional("polars")
    return polars.DataFrame({"a": polars.Series(labels, dtype=polars.Categorical)})


def enumeration_of_polars(labels):
    polars = optional("polars")
    kind = polars.Enum(["x", "y"])
    return polars.DataFrame({"a": polars.Series(labels, dtype=kind)})


def text_of_polars(labels):
    return optional("polars").DataFrame({"a": labels})


def categories_of_arrow(labels):
    arrow = optional("pyarrow")
    return arrow.table({"a": arrow.array(labels).dictionary_encode()})


def text_of_arrow(labels):
    return optional("pyarrow").table({"a": labels})


UNREADABLE = [
    *(categories_of_polars, enumeration_of_polars, text_of_polars),
    *(categories_of_arrow, text_of_arrow),
]


@pytest.mark.parametrize("table", UNREADABLE)
def test_columns_that_end_lightgbm_are_refused(table, rare):
    X, y = rare
    bad = table(["x", "y"] * (len(y) // 2))
    model = fitted(X[:, :1].copy(), y)
    for call in (model.predict, model.predict_proba, lambda bad: fitted(bad, y)):
        with pytest.raises(
            ValueError, match="column 'a' of X must be of numbers or bo"
        ):
            call(bad)
    with pytest.raises(ValueError, match=r"Pass X.to_pandas\(\)"):
        fitted(X[:, :1].copy(), y, eval_set=[(bad, y)])


def test_the_advice_for_columns_that_end_lightgbm_works(rare):
    labels = np.where(rare[0][:, 0] > 0, "x", "y").tolist()
    X = categories_of_polars(labels).to_pandas()
    assert fitted(X, rare[1]).predict_proba(X).shape == (len(labels), 2)
