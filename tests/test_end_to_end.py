"""The whole job on a table of payments, from the training to the served graph."""

import joblib
import numpy as np
import pytest
from optional import FocalLGBMClassifier, FocalXGBClassifier, lightgbm, optional
from payments import NUMBERS, TEXT, make_payments
from sklearn.compose import make_column_transformer
from sklearn.metrics import average_precision_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OrdinalEncoder

from focalboost.diagnostics import alerts, cheapest_threshold, reliability

REVIEW = 5

# onnxmltools calls what NumPy and onnx deprecate.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated"),
]


@pytest.fixture(scope="module")
def payments():
    """Training, validation and test rows, in the order of time."""
    optional("pandas")
    table = make_payments()
    # ONNX has neither missing text nor dates.
    table["currency"] = table["currency"].fillna("none")
    table["hour"] = table["time"].dt.hour
    return table[:60_000], table[60_000:80_000], table[80_000:]


def encoder():
    """Codes for text and categories, which may be new later; the rest as it is."""
    unknown = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    columns = make_column_transformer(
        (OrdinalEncoder(**unknown), TEXT), ("passthrough", ["hour", *NUMBERS])
    )
    return columns.set_output(transform="pandas")


def estimator_and_options(host, validation):
    """An estimator, and how its fit stops early."""
    common = {"focal_gamma": {"no": 2, "yes": 0}, "n_jobs": 1, "learning_rate": 0.1}
    options = {"eval_set": [validation]}
    if host.name == "xgboost":
        model = FocalXGBClassifier(
            n_estimators=400, early_stopping_rounds=20, max_depth=4, **common
        )
        return model, {**options, "verbose": False}
    model = FocalLGBMClassifier(
        n_estimators=400, num_leaves=15, min_child_samples=50, verbosity=-1, **common
    )
    return model, {**options, "callbacks": [lightgbm.early_stopping(20, verbose=False)]}


def fitted(host, train, validation):
    """A pipeline that has stopped early on the validation rows."""
    columns = encoder().fit(train)
    pair = columns.transform(validation), validation["fraud"]
    model, options = estimator_and_options(host, pair)
    pipeline = Pipeline([("columns", columns), ("model", model)])
    options = {f"model__{name}": value for name, value in options.items()}
    return pipeline.fit(train, train["fraud"], **options)


def fraud_of(pipeline, rows):
    """The probability of fraud."""
    place = pipeline.classes_.tolist().index("yes")
    return pipeline.predict_proba(rows)[:, place]


def served(graph, rows):
    """Labels and probabilities from ONNX Runtime, fed column by column."""
    onnxruntime = optional("onnxruntime")
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    given = {}
    for node in session.get_inputs():
        column = rows[node.name]
        if node.type == "tensor(string)":
            values = column.astype(object).to_numpy()
        else:
            values = column.to_numpy(np.float64, na_value=np.nan)
        given[node.name] = values.reshape(-1, 1)
    return given, *session.run(["label", "probabilities"], given)


def test_from_the_table_to_the_served_graph(host, payments, tmp_path):
    optional("onnxmltools")
    optional("skl2onnx")
    from focalboost.export import to_onnx

    train, validation, test = payments
    pipeline = fitted(host, train, validation)
    attribute = "best_iteration" + ("_" if host.name == "lightgbm" else "")
    assert 5 < getattr(pipeline["model"], attribute) < 390

    probability = fraud_of(pipeline, test)
    y = (test["fraud"] == "yes").to_numpy()
    assert average_precision_score(y, probability) > 30 * y.mean()
    assert probability.sum() == pytest.approx(y.sum(), rel=0.5)
    assert reliability(y, probability).relative_calibration_error < 0.5

    amount = validation["amount"].to_numpy()
    known = (validation["fraud"] == "yes").to_numpy()
    loss = fraud_of(pipeline, validation) * amount
    found = cheapest_threshold(known, loss, {"alert": REVIEW, "miss": amount})
    assert found.cost < amount[known].sum()
    amount = test["amount"].to_numpy()
    for threshold in (found.threshold, REVIEW):  # a right probability needs no search
        n_alerts = int(np.sum(probability * amount >= threshold))
        costs = {"alert": REVIEW, "miss": amount}
        curve = alerts(y, probability * amount, n_alerts=n_alerts, costs=costs)
        assert curve.cost[0] < 0.9 * amount[y].sum()

    joblib.dump(pipeline, tmp_path / "pipeline.joblib")
    loaded = joblib.load(tmp_path / "pipeline.joblib")
    np.testing.assert_array_equal(fraud_of(loaded, test), probability)

    given, label, served_probability = served(to_onnx(loaded, train[:10]), test)
    assert set(given) == {"hour", *NUMBERS, *TEXT}
    expected = loaded.predict_proba(test)
    np.testing.assert_allclose(served_probability, expected, rtol=2e-5)
    decided = abs(expected[:, 1] - 0.5) > 1e-4
    np.testing.assert_array_equal(label[decided], loaded.predict(test)[decided])
