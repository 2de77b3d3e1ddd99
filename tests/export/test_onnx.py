"""ONNX graphs give the probabilities of the estimator on every row."""

import numpy as np
import pytest
from exported import SIMULATED, each_host, each_problem, fitted, simulated
from optional import FocalLGBMClassifier, FocalXGBClassifier, xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    StandardScaler,
    TargetEncoder,
)

from focalboost.export import register_converters, to_onnx
from focalboost.xgboost._params import has_base_scores

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxmltools", reason="onnxmltools is not installed")
skl2onnx = pytest.importorskip("skl2onnx", reason="skl2onnx is not installed")

#: Raw predictions are sums of float32 numbers, with an error of up to 2e-6 after some
#: tens of trees; the log-odds move (1 + gamma) times as far, a probability relatively
#: no more than they.
RTOL = 2e-5

# onnxmltools calls what NumPy and onnx deprecate.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def served(model, X):
    """Labels and probabilities from ONNX Runtime."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        to_onnx(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    assert [node.name for node in session.get_inputs()] == ["X"]
    return session.run(["label", "probabilities"], {"X": X.astype(np.float32)})


def assert_served(model, X):
    label, probability = served(model, X)
    assert probability.dtype == np.float32
    np.testing.assert_allclose(probability, model.predict_proba(X), rtol=RTOL)
    decided = abs(model.predict_proba(X).max(axis=1) - 0.5) > 1e-5
    np.testing.assert_array_equal(label[decided], model.predict(X)[decided])


@each_problem
@each_host
def test_every_row_has_its_probability(problem, name):
    problem, model = fitted(problem, name)
    assert_served(model, problem.X)


@pytest.mark.parametrize("alpha", [None, 0.25])
@pytest.mark.parametrize("gamma", [0, 0.5, 2, (0, 2), (3, 1)])
def test_every_loss(gamma, alpha):
    for name in ("xgboost", "lightgbm"):
        problem = simulated("missing values")
        loss = {"focal_gamma": gamma, "focal_alpha": alpha}
        assert_served(problem.fitted(name, 10, **loss), problem.X)


@pytest.mark.parametrize("alpha", [None, [1, 5, 0.1]])
@pytest.mark.parametrize("gamma", [0, 2, [0, 0.5, 3]])
def test_every_loss_of_three_classes(gamma, alpha):
    for name in ("xgboost", "lightgbm"):
        problem = simulated("three classes")
        loss = {"focal_gamma": gamma, "focal_alpha": alpha}
        assert_served(problem.fitted(name, 10, **loss), problem.X)


def test_a_focal_score_would_not_do():
    """The tolerance tells the posterior from what the host's own graph would give."""
    problem = simulated("dense")
    model = problem.fitted("xgboost")
    score = model.get_booster().predict(xgboost.DMatrix(problem.X))
    probability = served(model, problem.X)[1][:, 1]
    assert np.median(abs(score / probability - 1)) > 0.1


@each_host
def test_extreme_predictions(name):
    problem = simulated("dense")
    params = {"learning_rate": 1.0, "reg_lambda": 0, "focal_gamma": 0, "max_depth": 2}
    params |= {"min_child_weight": 0} if name == "xgboost" else {}
    model = problem.fitted(name, 100, **params, focal_alpha=None)
    probability = served(model, problem.X)[1]
    assert probability.min() < 1e-6
    assert_served(model, problem.X)


@each_host
def test_missing_values_that_training_had_not(name):
    X = simulated("missing values").X
    assert_served(simulated("dense").fitted(name), X)


@each_host
@pytest.mark.parametrize(
    "labels",
    [np.array(["no", "yes"]), np.array([False, True]), np.array([3, 7]), [1.0, 2.0]],
    ids=["text", "booleans", "integers", "numbers"],
)
def test_labels_of_any_kind(name, labels):
    problem = simulated("dense")
    model = problem.fitted(name, 5)
    model.fit(problem.X, np.asarray(labels)[problem.y])
    label = served(model, problem.X)[0]
    np.testing.assert_array_equal(label, model.predict(problem.X))


@each_host
def test_labels_without_a_type_in_onnx_are_refused(name):
    problem = simulated("dense")
    days = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]")[problem.y]
    model = problem.fitted(name, 2).fit(problem.X, days)
    with pytest.raises(ValueError, match="y must be labels that are numbers or text"):
        to_onnx(model)


def test_features_with_names_are_numbered():
    pandas = pytest.importorskip("pandas")
    problem = simulated("dense")
    frame = pandas.DataFrame(problem.X, columns=["a b", "c", "d", "e"])
    for estimator in (FocalXGBClassifier(), FocalLGBMClassifier(verbosity=-1)):
        model = estimator.set_params(n_estimators=5, n_jobs=1).fit(frame, problem.y)
        probability = served(model, problem.X)[1]
        expected = model.predict_proba(frame)
        np.testing.assert_allclose(probability, expected, rtol=RTOL)


def test_thresholds_between_neighbouring_float32_numbers():
    """Rounded to the nearest, half of such thresholds lie on the number above."""
    rng = np.random.default_rng(0)
    steps = rng.integers(0, 200, size=(2000, 3))
    X = (1 + steps * 2.0**-23).astype(np.float32)
    y = (steps[:, 0] > 50).astype(int) ^ (steps[:, 1] > 120)
    model = FocalLGBMClassifier(
        n_estimators=10, n_jobs=1, verbosity=-1, min_data_in_bin=1, min_child_samples=1
    )
    assert_served(model.fit(X, y), X)


def test_infinite_features_are_not_taken_for_missing_values():
    X = np.random.default_rng(0).normal(size=(500, 1))
    X[::2] = np.nan
    model = FocalLGBMClassifier(n_estimators=3, n_jobs=1, verbosity=-1)
    model.fit(X, np.arange(500) % 2)
    assert_served(model, np.array([[np.inf], [0], [np.nan]], np.float32))


def test_thresholds_that_round_to_the_same_float32_number():
    steps = np.random.default_rng(0).integers(-3, 4, size=(4000, 1))
    model = FocalLGBMClassifier(n_estimators=3, n_jobs=1, verbosity=-1)
    model.fit(1 + steps * 2.0**-30, steps[:, 0] == 0)
    assert_served(model, np.ones((1, 1), np.float32))


@pytest.mark.parametrize(
    "params",
    [
        {"booster": "dart", "rate_drop": 0.4},
        {"num_parallel_tree": 3, "subsample": 0.5},
        {"min_child_weight": 1e9},
        {"tree_method": "exact"},
        {"base_score": 0.3},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("ignore:.*booster=dart. is deprecated")
@pytest.mark.filterwarnings("ignore:The model has learned nothing")
@pytest.mark.filterwarnings("ignore:Training starts from raw prediction")
@pytest.mark.parametrize("table", ["dense", "three classes"])
def test_xgboost_s_other_trees(params, table):
    if table == "three classes" and "base_score" in params:
        if not has_base_scores():
            pytest.skip("XGBoost before 3.1 has one base_score")
        params = {"base_score": [0.2, 0.3, -0.1]}
    problem = simulated(table)
    model = FocalXGBClassifier(n_estimators=15, n_jobs=1, **params)
    assert_served(model.fit(problem.X, problem.y), problem.X)


@pytest.mark.parametrize(
    "params",
    [{"boosting_type": "dart"}, {"data_sample_strategy": "goss"}, {"max_depth": 1}],
    ids=str,
)
def test_lightgbm_s_other_trees(params):
    problem = simulated("missing values")
    assert_served(problem.fitted("lightgbm", 15, **params), problem.X)


def test_several_labels():
    X = simulated("dense").X
    Y = np.column_stack([simulated("dense").y, X[:, 1] > 0]).astype(int)
    model = FocalXGBClassifier(n_estimators=10, n_jobs=1).fit(X, Y)
    label, probability = served(model, X)
    np.testing.assert_allclose(probability, model.predict_proba(X), rtol=RTOL)
    np.testing.assert_array_equal(label, model.predict(X))


def test_an_early_stopped_model_ends_at_its_best_round():
    problem = simulated("dense")
    model = FocalXGBClassifier(
        n_estimators=300, n_jobs=1, learning_rate=0.5, early_stopping_rounds=3
    )
    sets = [(problem.X[1000:], problem.y[1000:])]
    model.fit(problem.X[:1000], problem.y[:1000], eval_set=sets, verbose=False)
    assert_served(model, problem.X)


def everyday(n=1500):
    """A table with columns of all kinds, and labels that need each of them."""
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(5)
    flag, whole = rng.random(n) < 0.3, rng.integers(0, 6, size=n)
    table = pandas.DataFrame(
        {
            "an amount": rng.lognormal(3, 1, size=n),
            "flag": flag,
            "flag or not": pandas.array(flag, dtype="boolean"),
            "whole": pandas.array(whole, dtype="Int64"),
            "number": pandas.array(rng.normal(size=n), dtype="Float64"),
            "small": rng.integers(0, 9, size=n).astype("int8"),
            "kind": pandas.Categorical.from_codes(
                rng.integers(0, 30, size=n), [f"kind {i}" for i in range(30)]
            ),
            "text": rng.choice(["a", "b", "c"], size=n).astype(object),
            "day": pandas.date_range("2024-01-01", periods=n, freq="h"),
        }
    )
    kinds = table["kind"].cat.codes.isin([2, 3, 11]).to_numpy()
    score = 2 * flag + (whole > 3) + 2 * kinds + table["number"].to_numpy(float)
    score += (table["text"] == "b").to_numpy() + rng.logistic(size=n)
    for i, name in enumerate(["an amount", "flag or not", "whole", "number", "kind"]):
        table.loc[i :: 7 + i, name] = None
    return table, (score > 4).astype(int)


def column(values):
    """A column of a table as a client of the graph gives it."""
    dtype = getattr(values.dtype, "categories", values).dtype
    if dtype.kind in "fiub":
        return values.to_numpy(np.float64, na_value=np.nan).reshape(-1, 1)
    return values.astype(object).to_numpy().reshape(-1, 1)


def served_table(graph, X):
    """Inputs, labels and probabilities of the graph of a pipeline."""
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [node.name for node in session.get_inputs()]
    given = {name: column(X[name]) for name in names} if "X" not in names else {"X": X}
    return names, *session.run(["label", "probabilities"], given)


def assert_table_served(pipeline, X):
    probability = served_table(to_onnx(pipeline, X), X)[2]
    np.testing.assert_allclose(probability, pipeline.predict_proba(X), rtol=RTOL)


def small_estimator(name, **params):
    if name == "xgboost":
        return FocalXGBClassifier(n_estimators=8, n_jobs=1, **params)
    return FocalLGBMClassifier(n_estimators=8, n_jobs=1, verbosity=-1, **params)


NUMBERS = ["an amount", "flag", "flag or not", "whole", "number", "small"]


@each_host
@pytest.mark.parametrize(
    "columns", [["flag", "an amount"], [*NUMBERS, "kind"]], ids=["bool", "all"]
)
def test_tables_with_bool_nullable_and_categorical_columns(name, columns):
    table, y = everyday()
    options = {"enable_categorical": True} if name == "xgboost" else {}
    model = small_estimator(name, **options).fit(table[columns], y)
    with np.errstate(all="raise"):
        to_onnx(model)
    codes = table.assign(kind=table["kind"].cat.codes.replace(-1, np.nan))
    X = np.hstack([column(codes[one]) for one in columns])
    label, probability = served(model, X)
    expected = model.predict_proba(table[columns])
    np.testing.assert_allclose(probability, expected, rtol=RTOL)
    assert expected[:, 1].max() > 3 * expected[:, 1].min()
    decided = abs(expected[:, 1] - 0.5) > 1e-5
    np.testing.assert_array_equal(
        label[decided], model.predict(table[columns])[decided]
    )


def encoded(*transformers, **options):
    """A first step for the table, whose result keeps the names and types of columns."""
    return make_column_transformer(*transformers, **options).set_output(
        transform="pandas"
    )


UNKNOWN = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
STEPS = {
    "ordinal": lambda: [
        encoded((OrdinalEncoder(**UNKNOWN), ["text"]), ("passthrough", NUMBERS))
    ],
    "one hot": lambda: [
        encoded(
            (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), ["text"]),
            ("passthrough", NUMBERS[:2]),
        )
    ],
    "by kind": lambda: [
        encoded(
            (OrdinalEncoder(), make_column_selector(pattern="text")),
            ("passthrough", make_column_selector(dtype_include=["number", "bool"])),
        )
    ],
    "scaled": lambda: [
        encoded(
            (make_pipeline(SimpleImputer(), StandardScaler()), ["an amount", "flag"]),
            (TargetEncoder(), ["text"]),
        )
    ],
}


@each_host
@pytest.mark.parametrize("steps", STEPS)
def test_a_pipeline_of_a_table(name, steps):
    table, y = everyday()
    labels = np.array(["honest", "fraud"])[y]
    pipeline = make_pipeline(*STEPS[steps](), small_estimator(name))
    pipeline.fit(table, labels)
    graph = to_onnx(pipeline, table[:3])
    names, label, probability = served_table(graph, table)
    assert "day" not in names
    assert "an amount" in names
    assert probability.dtype == np.float32
    expected = pipeline.predict_proba(table)
    np.testing.assert_allclose(probability, expected, rtol=RTOL)
    decided = abs(expected[:, 1] - 0.5) > 1e-5
    np.testing.assert_array_equal(label[decided], pipeline.predict(table)[decided])


@each_host
def test_steps_that_are_no_column_transformer(name):
    """Scaled values lie on XGBoost's thresholds, to the last bit of float32."""
    table, y = everyday()
    table = table[["an amount", "small", "flag"]]
    scaled, selected = (
        [SimpleImputer(), StandardScaler()],
        [SimpleImputer(), SelectKBest(k=2)],
    )
    for steps in ([], scaled[1:], scaled, selected):
        model = make_pipeline(*steps, small_estimator(name))
        for X in (table, table.to_numpy(float)):
            expected = model.fit(X, y).predict_proba(X)
            names, _, probability = served_table(to_onnx(model, X[:1]), X)
            assert names == (["X"] if X is not table else list(table))
            np.testing.assert_allclose(probability, expected, rtol=RTOL)


@each_host
@pytest.mark.parametrize("kind", ["dense", "three classes"])
def test_sklearn_onnx_converts_registered_estimators(name, kind):
    """Its own recipe, alone and inside another model of scikit-learn."""
    register_converters()
    register_converters()  # again does no harm
    problem = simulated(kind)
    model = problem.fitted(name, 8)
    X = problem.X.astype(np.float32)
    meta = OneVsRestClassifier(small_estimator(name)).fit(X, problem.y)
    for estimator, inner in ((model, model), (meta, type(model))):
        options = {id(estimator): {"zipmap": False}}
        if inner is not model:
            options[inner] = {"zipmap": False}
        graph = skl2onnx.to_onnx(
            estimator, X[:1], options=options, target_opset={"": 17, "ai.onnx.ml": 3}
        )
        session = onnxruntime.InferenceSession(graph.SerializeToString())
        probability = session.run(None, {session.get_inputs()[0].name: X})[1]
        expected = estimator.predict_proba(X)
        np.testing.assert_allclose(probability, expected, rtol=RTOL, atol=1e-7)


@each_host
@pytest.mark.parametrize("kind", ["dense", "three classes"])
def test_a_calibrated_estimator_is_served_as_it_was_calibrated(name, kind):
    """scikit-learn calibrates decision_function, which is no probability."""
    register_converters()
    problem = simulated(kind)
    X = problem.X.astype(np.float32)
    model = CalibratedClassifierCV(small_estimator(name), cv=2).fit(X, problem.y)
    options = {id(model): {"zipmap": False}}
    graph = skl2onnx.to_onnx(
        model, X[:1], options=options, target_opset={"": 17, "ai.onnx.ml": 3}
    )
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    probability = session.run(None, {"X": X})[1]
    np.testing.assert_allclose(
        probability, model.predict_proba(X), rtol=RTOL, atol=1e-6
    )


@each_host
def test_sklearn_onnx_gives_dictionaries_by_default(name):
    register_converters()
    problem = simulated("dense")
    model = problem.fitted(name, 4)
    model.fit(problem.X, np.array(["no", "yes"])[problem.y])
    X = problem.X[:20].astype(np.float32)
    graph = skl2onnx.to_onnx(model, X, target_opset={"": 17, "ai.onnx.ml": 3})
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    rows = session.run(None, {"X": X})[1]
    found = [[row["no"], row["yes"]] for row in rows]
    np.testing.assert_allclose(found, model.predict_proba(X), rtol=RTOL)


def test_several_labels_in_a_pipeline():
    X = simulated("dense").X.astype(float)
    Y = np.column_stack([simulated("dense").y, X[:, 1] > 0]).astype(int)
    model = make_pipeline(StandardScaler(), small_estimator("xgboost")).fit(X, Y)
    _, label, probability = served_table(to_onnx(model, X[:1]), X)
    np.testing.assert_allclose(probability, model.predict_proba(X), rtol=RTOL)
    np.testing.assert_array_equal(label, model.predict(X))


def test_pipelines_that_would_be_served_otherwise_are_refused():
    table, y = everyday()

    def refused(message, steps, X, name="lightgbm"):
        model = make_pipeline(*steps, small_estimator(name)).fit(table, y)
        with pytest.raises(ValueError, match=message):
            to_onnx(model, X)

    ordinal = STEPS["ordinal"]()
    refused("X must be a row or more of the table, for a Pipeline", ordinal, None)
    dates = [encoded((OrdinalEncoder(), ["day"]), ("passthrough", ["small"]))]
    refused(r"X must be without dates .* \['day'\]", dates, table[:3])
    text = [encoded(("passthrough", ["kind", "small"]))]
    refused("a pipeline that gives numbers to the estimator", text, table[:3])
    sparse = [make_column_transformer((OneHotEncoder(), ["text"]), sparse_threshold=1)]
    message = "dense features for an export of XGBoost"
    refused(message, sparse, table[:3], "xgboost")
    model = make_pipeline(*sparse, small_estimator("lightgbm")).fit(table, y)
    probability = served_table(to_onnx(model, table[:1]), table)[2]
    np.testing.assert_allclose(probability, model.predict_proba(table), rtol=RTOL)


@each_host
@pytest.mark.parametrize("factor", [1, 10], ids=["as the codes", "others"])
def test_categories_of_numbers_are_refused(name, factor):
    """Hosts read their codes, and the column of a graph would have their values."""
    table, y = everyday()
    numbers = (factor * table["small"]).astype("category")
    table = table[["flag"]].assign(kind=numbers)
    options = {"enable_categorical": True} if name == "xgboost" else {}
    model = small_estimator(name, **options)
    scaled = encoded((StandardScaler(), ["flag"]), remainder="passthrough")
    for steps, column in (([], "kind"), ([scaled], "remainder__kind")):
        pipeline = make_pipeline(*steps, model).fit(table, y)
        message = rf"gives numbers to the estimator; got \['{column}'\]. Encode text"
        with pytest.raises(ValueError, match=message):
            to_onnx(pipeline, table[:3])
    ordinal = encoded((OrdinalEncoder(), ["kind"]), remainder="passthrough")
    assert_table_served(make_pipeline(ordinal, model).fit(table, y), table)


@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
@each_host
@pytest.mark.parametrize("steps", [[], [SelectKBest(k=2)]], ids=["alone", "selected"])
def test_imputers_that_add_or_drop_columns_are_refused(name, steps):
    table, y = everyday()
    table = table[["an amount", "small", "flag"]].astype(float)
    message = "SimpleImputer adds no column and drops none; got SimpleImputer"
    for imputer, X in (
        (SimpleImputer(add_indicator=True), table),
        (SimpleImputer(), table.assign(small=np.nan)),
    ):
        model = make_pipeline(imputer, *steps, small_estimator(name)).fit(X, y)
        with pytest.raises(ValueError, match=message):
            to_onnx(model, X[:3])


@each_host
def test_imputers_of_empty_columns_and_of_numbers(name):
    table, y = everyday()
    table = table[["an amount", "small"]].astype(float)
    empty, filled = table.assign(small=np.nan), table.fillna(0)
    for imputer, X in (
        (SimpleImputer(keep_empty_features=True), empty),
        (SimpleImputer(missing_values=0.0), filled),
        (SimpleImputer(missing_values=0, strategy="median"), filled),
    ):
        assert_table_served(make_pipeline(imputer, small_estimator(name)).fit(X, y), X)


def test_other_widths_than_those_of_training_are_refused():
    register_converters()
    table, y = everyday()
    X = table[["an amount", "small"]].to_numpy(np.float32)
    model = make_pipeline(SimpleImputer(add_indicator=True), small_estimator("xgboost"))
    with pytest.raises(ValueError, match=r"gives 3 features to the estimator .* got 2"):
        skl2onnx.to_onnx(model.fit(X, y), X[:1])


ONE_HOT = OneHotEncoder(sparse_output=False)


@each_host
@pytest.mark.parametrize("encoder", [OrdinalEncoder(), ONE_HOT], ids=["ordinal", "hot"])
def test_encoders_of_numbers_with_missing_values_are_refused(name, encoder):
    table, y = everyday()
    X = table[["whole", "small"]].astype(float)
    for rows in (X, X.to_numpy()):
        model = make_pipeline(encoder, small_estimator(name)).fit(rows, y)
        column = "'whole'" if rows is X else "0"
        with pytest.raises(ValueError, match=f"categories of {column}; got"):
            to_onnx(model, rows[1:3])  # which have none
    encoder = OrdinalEncoder(encoded_missing_value=-1)
    assert_table_served(make_pipeline(encoder, small_estimator(name)).fit(X, y), X)


def test_encoders_that_mix_up_categories_are_refused():
    table, y = everyday()

    def exported(encoder, column, values):
        X = table[["small"]].assign(**{column: values})
        first = make_column_transformer((encoder, [column]), remainder="passthrough")
        return to_onnx(make_pipeline(first, small_estimator("lightgbm")).fit(X, y), X)

    text = table["text"].where(table["small"] > 2, np.nan)
    with pytest.raises(ValueError, match="missing values among the categories of 'k'"):
        exported(OrdinalEncoder(), "k", text)
    identifiers = 10**8 + table["small"].astype("int64")
    with pytest.raises(ValueError, match="categories of 'k' differ in float32"):
        exported(OrdinalEncoder(), "k", identifiers)
    exported(ONE_HOT, "k", identifiers)
    exported(OrdinalEncoder(), "k", identifiers.astype(str))


@each_host
def test_a_graph_of_other_probabilities_is_refused(name):
    """sklearn-onnx truncates numbers, and gives 2.5 the column of 2."""
    table, _ = everyday()
    X = table[["small"]].astype(float)
    one_hot = OneHotEncoder(sparse_output=False, handle_unknown="ignore")
    model = make_pipeline(one_hot, small_estimator(name)).fit(X, X["small"] == 2)
    assert_table_served(model, X)
    for rows in (X, X.to_numpy()):
        model.fit(rows, X["small"] == 2)
        with pytest.raises(ValueError, match="graph has the same probabilities"):
            to_onnx(model, rows[X["small"] == 2] + 0.5)


def test_a_graph_with_a_step_of_no_standard_is_not_compared():
    table, y = everyday()
    words = make_column_transformer((CountVectorizer(token_pattern="[a-z]+"), "text"))
    model = make_pipeline(words, small_estimator("lightgbm")).fit(table, y)
    assert "Tokenizer" in {node.op_type for node in to_onnx(model, table).graph.node}


def test_tables_whose_columns_cannot_be_inputs_are_refused():
    pandas, polars = map(pytest.importorskip, ("pandas", "polars"))
    X, y = simulated("dense").X[:, :2].astype(float), simulated("dense").y
    model = make_pipeline(StandardScaler(), small_estimator("lightgbm"))
    for names in (["label", "a"], ["a", "probabilities"], ["", "a"], [0, 1]):
        table = pandas.DataFrame(X, columns=names)
        with pytest.raises(ValueError, match=r"names of text.* Rename these columns"):
            to_onnx(model.fit(table, y), table)
    table = polars.DataFrame(X, schema=["a", "b"])
    with pytest.raises(ValueError, match=r"a table of pandas.*Use .*X.to_pandas\(\)"):
        to_onnx(model.fit(table, y), table)
    assert_table_served(model, pandas.DataFrame(X, columns=["a", "b"]))


def test_a_category_column_of_many_values_is_refused_for_xgboost():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 1500, size=(6000, 1)).astype(np.float32)
    y = (rng.random(1500) < 0.5)[X[:, 0].astype(int)]
    model = small_estimator("xgboost", feature_types=["c"], enable_categorical=True)
    with pytest.raises(
        ValueError, match=r"recursion limit; got .* Join rare categories"
    ):
        to_onnx(model.fit(X, y))


def test_steps_that_would_be_computed_otherwise_are_refused():
    pandas = pytest.importorskip("pandas")
    X = simulated("dense").X.astype(np.float32)
    y = simulated("dense").y

    def exported(*steps, X=X):
        model = make_pipeline(*steps, small_estimator("xgboost")).fit(X, y)
        graph = to_onnx(model, X[:9])
        return served_table(graph, X.astype(float))[2], model.predict_proba(X)

    for rows in (X, pandas.DataFrame(X, columns=list(map(str, range(X.shape[1]))))):
        with pytest.raises(
            ValueError, match=r"Fit the pipeline on X.astype\('float64'"
        ):
            exported(StandardScaler(), X=rows)
    for steps in ((), ("passthrough",), (SimpleImputer(),)):
        np.testing.assert_allclose(*exported(*steps), rtol=RTOL)
    for step in (PolynomialFeatures(2), PowerTransformer(), KMeans(2)):
        with pytest.raises(ValueError, match="Compute this step before the pipeline"):
            exported(step, X=X.astype(float))


UNFIT = {
    "gblinear": (FocalXGBClassifier, {"booster": "gblinear"}, "booster must be one of"),
    "missing": (FocalXGBClassifier, {"missing": -1.0}, "missing must be NaN"),
    "linear_tree": (FocalLGBMClassifier, {"linear_tree": True}, "linear_tree must be"),
    "zeros": (FocalLGBMClassifier, {"zero_as_missing": True}, "zero_as_missing must"),
}


@pytest.mark.filterwarnings("ignore:.*booster=gblinear. is deprecated")
@pytest.mark.parametrize("kind", UNFIT)
def test_models_without_trees_of_numbers_are_refused(kind):
    classifier, params, message = UNFIT[kind]
    problem = simulated("dense")
    quiet = {"verbosity": -1} if classifier is FocalLGBMClassifier else {}
    model = classifier(n_estimators=3, n_jobs=1, **params, **quiet)
    model.fit(np.maximum(problem.X, 0), problem.y)
    with pytest.raises(ValueError, match=message):
        to_onnx(model)


def test_leaves_of_vectors_are_refused():
    X = simulated("dense").X
    model = FocalXGBClassifier(n_estimators=2, multi_strategy="multi_output_tree")
    model.fit(X, (X[:, :2] > 0).astype(int))
    with pytest.raises(ValueError, match="multi_strategy must be"):
        to_onnx(model)


def test_what_is_no_fitted_estimator_is_refused():
    with pytest.raises(NotFittedError):
        to_onnx(FocalXGBClassifier())
    with pytest.raises(ValueError, match="model must be a FocalXGBClassifier, a Focal"):
        to_onnx(xgboost.XGBClassifier())


def test_the_simulated_tables_have_what_they_say():
    assert not np.isnan(simulated("dense").X).any()
    assert all(np.isnan(simulated(name).X).any() for name in SIMULATED[1:])
    assert len(np.unique(simulated("three classes").y)) == 3
