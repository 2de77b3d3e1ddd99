"""Data frames and pipelines: categories, text, dates and missing values in fits."""

import datetime
import pickle
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from host_drivers import HOSTS
from imblearn.under_sampling import RandomUnderSampler
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from focalboost import FocalLoss
from focalboost.comparison import (
    LOG_LOSS,
    Method,
    TableEncoder,
    compare_losses,
    default_grid,
    fit,
    tuned,
    write_report,
)
from focalboost.comparison._methods import Part, rebalanced

LOSSES = ["log loss", "SMOTE", FocalLoss((0, 2))]
GRID = {"n_estimators": 10, "learning_rate": 0.3}


@pytest.fixture(scope="module")
def payments():
    """A table whose label depends on text, a category and a number."""
    rng = np.random.default_rng(0)
    n = 1000
    shop = rng.choice(["fuel", "food", "games", None], n)
    country = pd.Categorical.from_codes(
        rng.integers(-1, 3, n), ["home", "north", "sea"]
    )
    amount = rng.lognormal(size=n)
    log_odds = 4 * (shop == "games") + np.asarray(country == "sea") + amount - 5.5
    X = pd.DataFrame(
        {
            "shop": shop,
            "country": country,
            "amount [EUR]": amount,
            "age": pd.array(rng.integers(18, 90, n), dtype="Int64"),
            "guest": rng.random(n) < 0.1,
        }
    )
    X.loc[::9, "age"] = pd.NA
    return X, rng.random(n) < 1 / (1 + np.exp(-log_odds))


def compared(estimator, X, y, **options):
    options = {"losses": LOSSES, "cv": 2, "grid": GRID, "progress": False, **options}
    return compare_losses(estimator, X, y, **options)


def test_a_data_frame_is_compared_as_it_is(host, payments):
    X, y = payments
    estimator = host.classifier(n_jobs=1)
    before = X.copy()
    found = compared(estimator, X, y)
    assert found.failures == ()
    # Of columns: LightGBM 4.5 also uses what scikit-learn 1.6 has deprecated.
    warned = {text for fit in found.fits for text in fit.warnings}
    assert not [text for text in warned if "categor" in text or "column" in text]
    pd.testing.assert_frame_equal(X, before)
    # Without the text and the category there is little to find.
    numbers = X[["age", "guest", "amount [EUR]"]]
    poor = compared(estimator, numbers, y)
    for name in found.names:
        assert found.mean(name) > poor.mean(name) + 0.05


def test_a_report_is_written_of_a_data_frame(payments, tmp_path):
    X, y = payments
    dated = X.assign(paid=pd.Timestamp("2024-01-01"))
    estimator = HOSTS[0].classifier(n_jobs=1)
    with pytest.warns(UserWarning, match="are dates"):
        found = compared(estimator, dated, y, losses=LOSSES[2:])
    write_report(found, tmp_path / "report.html", estimator, dated)
    assert "Gradient budget" in (tmp_path / "report.html").read_text("utf-8")


def test_tables_of_polars_are_those_of_pandas(host, payments):
    polars = pytest.importorskip("polars")
    X, y = payments
    text = X.astype({"country": object})
    estimator = host.classifier(n_jobs=1)
    found = compared(estimator, polars.from_pandas(text), y)
    expected = compared(estimator, text, y)
    for name in found.names:
        np.testing.assert_array_equal(found.values(name), expected.values(name))


def test_dates_are_left_out_with_a_word_or_are_their_parts(host, payments):
    X, y = payments
    hours = pd.Series(np.where(y, 3, 15) + np.arange(len(y)) % 9, name="h")
    dated = X.assign(paid=pd.Timestamp("2024-01-01") + pd.to_timedelta(hours, "h"))
    estimator = host.classifier(n_jobs=1)
    with pytest.warns(UserWarning, match=r"columns \['paid'\] are dates and are left"):
        found = compared(estimator, dated, y)
    plain = compared(estimator, X, y)
    assert found.mean("log loss") == plain.mean("log loss")
    pipeline = make_pipeline(TableEncoder(date_parts=True), estimator)
    assert compared(pipeline, dated, y).mean("log loss") > plain.mean("log loss") + 0.1


class Counting(FunctionTransformer):
    """Remembers the rows that each copy was fitted on."""

    fits: list = []  # noqa: RUF012

    def fit(self, X, y=None):
        self.fits.append(len(X))
        return super().fit(X, y)


def test_transformers_of_a_pipeline_are_fitted_inside_the_folds(host, payments):
    X, y = payments
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), make_column_selector(pattern="^[sc]")),
        (StandardScaler(), ["amount [EUR]"]),
        sparse_threshold=0,
    )
    Counting.fits.clear()
    pipeline = Pipeline(
        [("rows", Counting()), ("columns", columns), ("model", host.classifier())]
    )
    pipeline.set_params(model__n_jobs=1)
    found = compared(pipeline, X, y, losses=["log loss", FocalLoss(2)])
    assert found.failures == ()
    # Two methods in two folds, each on the rows without holdout and test rows.
    assert Counting.fits == [375] * 4
    assert not hasattr(columns, "transformers_")
    assert "OneHotEncoder" in found.settings["transformers"]
    assert found.settings["parameters"] == {}


def test_a_grid_may_name_parameters_of_other_steps(host, payments):
    X, y = payments
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    pipeline = make_pipeline(encoder, host.classifier(n_jobs=1))
    point = {"n_estimators": 3, "onehotencoder__min_frequency": 50}
    best = tuned(LOG_LOSS, pipeline, point, X[["shop", "country"]], y, None, 0)
    assert best.params == point
    assert best.transformers[0].min_frequency == 50
    assert best.model.n_estimators == 3
    assert default_grid(pipeline) == default_grid(host.classifier())


def test_a_pipeline_is_resumed_from_its_file(host, payments, tmp_path):
    X, y = payments
    path, numbers = tmp_path / "fits.jsonl", X[["amount [EUR]"]]

    def comparison(**options):
        pipeline = make_pipeline(StandardScaler(**options), host.classifier(n_jobs=1))
        losses = ["log loss"]
        return compared(pipeline, numbers, y, losses=losses, file=path)

    first = comparison().values("log loss")
    written = path.read_text("utf-8")
    np.testing.assert_array_equal(comparison().values("log loss"), first)
    assert path.read_text("utf-8") == written
    with pytest.raises(ValueError, match="file must be new"):
        comparison(with_mean=False)


def test_wrong_pipelines_are_refused(host, payments):
    X, y = payments
    sampler = RandomUnderSampler()
    steps = Pipeline([("rows", sampler), ("model", host.classifier())])
    with pytest.raises(
        ValueError, match="step 'rows' must be a transformer; got Rando"
    ):
        compared(steps, X, y)
    with pytest.raises(ValueError, match="estimator must be a FocalXGBClassifier or a"):
        compared(make_pipeline(StandardScaler()), X, y)
    balanced = make_pipeline(StandardScaler(), host.classifier(class_weight="balanced"))
    with pytest.raises(ValueError, match="class_weight must be None"):
        compared(balanced, X, y)
    pipeline, grid = (
        make_pipeline(TableEncoder(), host.classifier()),
        {"eval_metric": 1},
    )
    with pytest.raises(ValueError, match="eval_metric must be None"):
        compared(pipeline, X, y, grid=grid)


def test_columns_that_no_fit_can_read_are_refused_at_once(host, payments):
    X, y = payments
    estimator = host.classifier(n_jobs=1)
    lists = X.assign(a=[[1]] * len(X), b=[b"x"] * len(X))
    with pytest.raises(ValueError, match=r"got \['a', 'b'\]. Use X.drop\(columns="):
        compared(estimator, lists, y)
    twice = pd.concat([X, X["shop"]], axis=1)
    with pytest.raises(ValueError, match=r"column names, parts .*; got \['shop'\]"):
        compared(estimator, twice, y)
    with pytest.raises(ValueError, match=r"columns of X; got \['till'\]"):
        TableEncoder(categorical=["till"]).fit(X)
    dates = pd.DataFrame({"paid": pd.date_range("2024-01-01", periods=len(X))})
    left_out = pytest.warns(UserWarning, match="are dates and are left out")
    message = r"a column or more that is no date; got \['paid'\]. Use make_pipeline"
    with left_out, pytest.raises(ValueError, match=message):
        compared(estimator, dates, y)


def test_every_kind_of_column_becomes_a_number_or_a_category():
    days = pd.date_range("2024-02-29 12:30", periods=3)
    X = pd.DataFrame(
        {
            "whole": [1, 2, 3],
            "flag": [True, None, False],
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "decimal": [Decimal("1.5"), None, Decimal(2)],
            "span": pd.to_timedelta([12, 24, None], unit="h"),
            "empty": [None, None, None],
            "text": ["b", None, "a"],
            "mixed": ["b", 7, None],
            "code": [4, 5, 4],
            "moment": days.where(days.day != 1),
            "zone": days.tz_localize("Asia/Tokyo"),
            "date": [datetime.date(2024, 3, 1), None, datetime.date(2024, 3, 4)],
        }
    )
    encoder = TableEncoder(categorical=["code"], date_parts=True).fit(X)
    found = pickle.loads(pickle.dumps(encoder)).transform(X)
    assert found["flag"].tolist()[::2] == [1.0, 0.0]
    assert found["span"].tolist()[:2] == [0.5, 1.0]
    assert found["decimal"].tolist()[::2] == [1.5, 2.0]
    assert found["moment_hour"][0] == found["zone_hour"][0] == 12.5
    assert found["moment_weekday"].isna().tolist() == [False, True, False]
    assert found["date_day"].tolist()[::2] == [1.0, 4.0]
    categories = found.select_dtypes("category")
    assert list(categories) == ["text", "mixed", "code"]
    assert categories["mixed"].cat.categories.tolist() == ["7", "b"]
    assert set(map(str, found.drop(columns=list(categories)).dtypes)) == {"float64"}
    # A value that no row to train on has is a missing one.
    other = encoder.transform(X.assign(text="c"))
    assert other["text"].isna().all()
    assert other["text"].dtype == found["text"].dtype


CODES = {
    "whole": np.array([4, 5, 4]),
    "small": np.array([4, 5, 4], dtype=np.uint8),
    "floating": np.array([4.0, 5.0, 4.0], dtype=np.float32),
    "nullable": pd.array([4, 5, 4], dtype="Int64"),
    "objects": np.array([4, 5.0, Decimal("4.0")], dtype=object),
    "categories": pd.Categorical([4.0, 5.0, 4.0]),
}


@pytest.mark.parametrize("later", CODES)
@pytest.mark.parametrize("first", CODES)
def test_equal_numbers_are_one_category(first, later):
    encoder = TableEncoder(categorical=["code"])
    encoder.fit(pd.DataFrame({"code": CODES[first]}))
    found = encoder.transform(pd.DataFrame({"code": CODES[later]}))["code"]
    assert found.tolist() == ["4", "5", "4"]


def test_numbers_that_differ_are_different_categories():
    codes = [2**53, 2**53 + 1, 0.5, -1, 1e300, np.inf]
    X = pd.DataFrame({"code": pd.Series(codes, dtype=object)})
    found = TableEncoder(categorical=["code"]).fit_transform(X)["code"]
    assert found.nunique() == len(codes)
    encoder = TableEncoder(categorical=["flag"])
    encoder.fit(pd.DataFrame({"flag": [True, False]}))
    flags = encoder.transform(pd.DataFrame({"flag": [0.0, 1.0, np.nan, 2.0]}))["flag"]
    assert flags.isna().tolist() == [False, False, True, True]


def test_a_missing_value_leaves_the_predictions_of_other_rows(host):
    """A missing value makes whole numbers float64."""
    rng = np.random.default_rng(0)
    shop = rng.integers(0, 10, 500)
    y = rng.random(500) < np.where(shop % 3 == 0, 0.5, 0.02)
    X = pd.DataFrame({"shop": shop, "amount": rng.normal(size=500)})
    options = {"enable_categorical": True} if host.name == "xgboost" else {}
    model = make_pipeline(
        TableEncoder(categorical=["shop"]),
        host.classifier(n_estimators=5, n_jobs=1, **options),
    ).fit(X, y)
    more = pd.concat([X, pd.DataFrame({"shop": [np.nan], "amount": [0.0]})])
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(more)[:-1], expected)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            ["a", "b [EUR]", "c<d", "e:f", "g h"],
            ["a", "column_1", "column_2", "column_3", "g h"],
        ),
        (["=a", "b=c", "", "d\ne"], ["column_0", "b=c", "column_2", "column_3"]),
        (["a b", "a_b", "a c"], ["column_0", "column_1", "a c"]),
        (["a [K]", "column_0", "column_0_"], ["column_0__", "column_0", "column_0_"]),
        (["a:b", "column 0"], ["column_0_", "column 0"]),
    ],
    ids=["refused", "changed", "alike", "taken", "taken in LightGBM"],
)
def test_names_that_hosts_refuse_are_replaced(host, given, expected, rare):
    table, y = rare
    X = pd.DataFrame(table[:300, : len(given)], columns=given)
    found = compared(host.classifier(n_jobs=1), X, y[:300], losses=[FocalLoss(2)])
    assert found.failures == ()
    assert list(TableEncoder().fit_transform(X)) == expected


def test_names_that_are_the_same_text_are_refused(host):
    X = pd.DataFrame(np.zeros((40, 3)), columns=[0, "0", "a"])
    with pytest.raises(ValueError, match=r"column names, parts .*; got \['0'\]"):
        compared(host.classifier(), X, np.arange(40) % 2)


@pytest.mark.parametrize("names", [["paid", "paid_hour"], ["paid_hour", "paid"]])
def test_parts_of_dates_replace_no_other_column(names):
    X = pd.DataFrame({"paid": pd.date_range("2024-01-01", periods=3), "paid_hour": 1.5})
    message = r"parts of dates included; got \['paid_hour'\]. Rename or drop them."
    with pytest.raises(ValueError, match=message):
        TableEncoder(date_parts=True).fit(X[names])
    with pytest.warns(UserWarning, match="are dates and are left out"):
        assert list(TableEncoder().fit_transform(X)) == ["paid_hour"]


def table_of_categories(kinds):
    rng = np.random.default_rng(0)
    y = (rng.random(800) < 0.1).astype(np.int8)
    columns = {
        "shop": pd.Categorical.from_codes(
            np.where(y == 1, rng.integers(-1, 2, 800), rng.integers(-1, 4, 800)),
            ["fuel", "food", "games", "toys"],
        ),
        "amount": np.where(rng.random(800) < 0.2, np.nan, rng.normal(y, 1)),
    }
    return pd.DataFrame({name: columns[name] for name in kinds}), y


# imbalanced-learn calls what SciPy 1.18 has deprecated.
@pytest.mark.filterwarnings("ignore:`[a-z_]*distance[a-z_]*` is deprecated")
@pytest.mark.parametrize("kinds", [["shop"], ["amount"], ["amount", "shop"]])
def test_smote_draws_categories_as_they_are(kinds):
    X, y = table_of_categories(kinds)
    method = Method("SMOTE", resampling="smote")
    train, factor = rebalanced(method, Part(X, y), 0)
    assert np.bincount(train.y).tolist() == [(y == 0).sum()] * 2
    assert factor == pytest.approx((y == 0).sum() / (y == 1).sum())
    pd.testing.assert_frame_equal(train.X[: len(X)], X)
    synthetic, positive = train.X[len(X) :], X[y == 1]
    if "shop" in kinds:
        assert synthetic["shop"].dtype == X["shop"].dtype
        assert set(synthetic["shop"].dropna()) <= set(positive["shop"].dropna())
    if "amount" in kinds:
        assert synthetic["amount"].isna().any()
        assert synthetic["amount"].max() <= positive["amount"].max()


@pytest.mark.parametrize("gamma", [None, (0.0, 2.0)])
@pytest.mark.parametrize("bagging", ["plain", "balanced"])
def test_bagging_averages_models_with_the_prior_put_right(host, bagging, gamma, rare):
    X, y = rare
    method = Method("bagging", bagging=bagging, gamma=gamma)
    rows, stop = (X[:3000], y[:3000], None), (X[3000:], y[3000:], None)
    estimator = host.classifier(n_estimators=30, n_jobs=1, learning_rate=0.1)
    found = fit(method, estimator, *rows, *stop, 0)
    assert len(found.models) == 5
    assert found.odds_factor == 1
    expected = 5.0 if bagging == "balanced" else 1.0
    np.testing.assert_allclose(found.prior_factors, expected, rtol=0.01)
    each = [
        fit_one_odds(found, model, X, factor)
        for model, factor in zip(found.models, found.prior_factors, strict=True)
    ]
    mean = np.mean([odds / (1 + odds) for odds in each], axis=0)
    probability = found.predict_proba(X)[:, 1]
    np.testing.assert_allclose(probability, mean, rtol=1e-6)
    # A fifth of the negatives alone would make it five times as many.
    assert probability[3000:].mean() / y[3000:].mean() == pytest.approx(1, abs=0.5)
    with pytest.raises(ValueError, match=r"model must be asked for without bagging"):
        _ = found.model


def fit_one_odds(found, model, X, factor):
    probability = model.predict_proba(X)[:, 1].astype(np.float64)
    return probability / (1 - probability) / factor


def test_members_share_the_negatives_and_have_every_positive():
    from focalboost.comparison._methods import training_sets

    y = np.repeat([0, 1], [97, 6]).astype(np.int8)
    rows = np.arange(103)[:, None]
    sets = training_sets(Method("b", bagging="balanced"), Part(rows, y), 0)
    parts = [part.X.ravel() for part, _ in sets]
    for part in parts:
        assert set(np.flatnonzero(y == 1)) <= set(part)
    negatives = np.sort(np.concatenate([part[y[part] == 0] for part in parts]))
    np.testing.assert_array_equal(negatives, np.flatnonzero(y == 0))
    for part, factor in training_sets(Method("b", bagging="plain"), Part(rows, y), 0):
        assert np.bincount(part.y).tolist() == [97, 6]
        assert factor == 1
        assert len(np.unique(part.X)) < 103


def test_bagging_stands_alone():
    with pytest.raises(
        ValueError, match="bagging must be None beside weight or resamp"
    ):
        Method("b", bagging="plain", weight=1.0)
    with pytest.raises(
        ValueError, match="bagging must be one of 'balanced' or 'plain'"
    ):
        Method("b", bagging="boosted")
