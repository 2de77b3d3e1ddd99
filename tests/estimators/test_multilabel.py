"""The estimators with labels of several columns."""

import numpy as np
import pytest
import scipy.sparse
from host_drivers import LightGBMDriver, XGBoostDriver
from optional import FocalXGBClassifier, xgboost
from sklearn.multioutput import MultiOutputClassifier

import focalboost.xgboost
from focalboost import FocalLoss, focal_metric


@pytest.fixture(scope="module")
def several():
    """Two binary labels for each row."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(1500, 4))
    noise = rng.logistic(size=(1500, 2))
    return X, (X[:, :2] * 2 + noise > [3, 1]).astype(np.float64)


@pytest.mark.parametrize("strategy", ["one_output_per_tree", "multi_output_tree"])
def test_xgboost_s_multilabel(strategy, several):
    X, Y = several
    params = {"n_estimators": 20, "multi_strategy": strategy, "focal_alpha": 0.3}
    model = XGBoostDriver().estimator(**params).fit(X, Y)
    raw = np.float64(model.predict(X, output_margin=True))
    loss = FocalLoss(2, 0.3)
    np.testing.assert_allclose(model.predict_proba(X), loss.posterior(raw), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)
    start = {"learning_rate": 1e-9, "focal_balance": False}
    constant = XGBoostDriver().estimator(n_estimators=1, **start)
    raw = constant.fit(X, Y).predict(X, output_margin=True)
    np.testing.assert_allclose(raw[0], FocalLoss().baseline(Y), rtol=1e-6)


def test_every_label_of_xgboost_s_multilabel_is_a_binary_model(several):
    X, Y = several
    weight = np.exp(X[:, 3])
    driver = XGBoostDriver()
    both = driver.estimator(n_estimators=10).fit(X, Y, sample_weight=weight)
    for column in range(2):
        one = driver.estimator(n_estimators=10)
        one.fit(X, Y[:, column], sample_weight=weight)
        np.testing.assert_allclose(
            both.predict_proba(X)[:, column], one.predict_proba(X)[:, 1], rtol=1e-5
        )


def test_xgboost_s_multilabel_is_saved_and_stopped_early(several, tmp_path):
    X, Y = several
    model = XGBoostDriver().estimator(n_estimators=200, early_stopping_rounds=3)
    # Rounds are evaluated before the balance.
    model.set_params(learning_rate=0.5, focal_balance=False)
    model.fit(X[:1000], Y[:1000], eval_set=[(X[1000:], Y[1000:])], verbose=False)
    assert model.best_iteration < 190
    raw = model.predict(X[1000:], output_margin=True)
    assert focal_metric()(Y[1000:], raw) == pytest.approx(model.best_score, abs=2e-6)
    model.save_model(tmp_path / "model.json")
    loaded = FocalXGBClassifier()
    loaded.load_model(tmp_path / "model.json")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize(("first", "then"), [(2, 1), (1, 2), (2, 3)])
def test_a_model_of_other_columns_is_not_continued(first, then, several):
    X, Y = several
    columns = {1: Y[:, 0], 2: Y, 3: np.column_stack([Y, Y[:, 0]])}
    model = XGBoostDriver().estimator(n_estimators=2).fit(X, columns[first])
    rule = rf"y must be labels of {first} column\(s\), as xgb_model has; got {then}"
    with pytest.raises(ValueError, match=rule):
        XGBoostDriver().estimator().fit(X, columns[then], xgb_model=model)
    dtrain = xgboost.DMatrix(X, columns[then])
    with pytest.raises(ValueError, match=rule):
        focalboost.xgboost.train({}, dtrain, xgb_model=model)


def test_multilabel_of_sparse_indicators(several):
    X, Y = several
    dense = XGBoostDriver().estimator(n_estimators=2).fit(X, Y.astype(int))
    model = XGBoostDriver().estimator(n_estimators=2).fit(X, scipy.sparse.csr_matrix(Y))
    np.testing.assert_array_equal(model.predict_proba(X), dense.predict_proba(X))


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_matrix])
def test_labels_of_an_evaluation_set_are_encoded_as_those_of_training(kind, several):
    X, Y = several
    # Rounds are evaluated before the balance.
    model = XGBoostDriver().estimator(n_estimators=2, focal_balance=False)
    model.fit(X, kind(Y), eval_set=[(X[:300], kind(Y[:300]))], verbose=False)
    raw = model.predict(X[:300], output_margin=True)
    seen = model.evals_result()["validation_0"]["relative_focal_loss"][-1]
    assert focal_metric()(Y[:300], raw) == pytest.approx(seen, abs=2e-6)


def test_no_rows_have_as_many_columns_as_any(several):
    X, Y = several
    Y = np.column_stack([Y, Y[:, 0] * Y[:, 1]])
    model = XGBoostDriver().estimator(n_estimators=2).fit(X, Y)
    for answer in (model.predict, model.predict_proba, model.decision_function):
        assert answer(X[:0]).shape == (0, 3)


def test_a_label_that_is_never_set_trains_and_stays_improbable(several):
    X, Y = several
    model = XGBoostDriver().estimator(n_estimators=5).fit(X, Y * [1, 0])
    assert model.predict_proba(X)[:, 1].max() < 1e-3


def test_class_weight_is_refused_for_multilabel(several):
    X, Y = several
    with pytest.raises(ValueError, match="class_weight must be None for labels with"):
        XGBoostDriver().estimator(class_weight="balanced").fit(X, Y)


def test_multilabel_through_multioutputclassifier(host, several):
    X, Y = several
    model = MultiOutputClassifier(host.estimator(n_estimators=10)).fit(X, Y)
    for column, probability in enumerate(model.predict_proba(X)):
        one = host.estimator(n_estimators=10).fit(X, Y[:, column])
        np.testing.assert_array_equal(probability, one.predict_proba(X))
    assert model.predict(X).shape == Y.shape


def test_lightgbm_names_multioutputclassifier(several):
    with pytest.raises(ValueError, match="MultiOutputClassifier"):
        LightGBMDriver().estimator().fit(*several)
