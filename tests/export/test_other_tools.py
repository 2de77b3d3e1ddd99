"""treelite, SHAP and tables of trees read the hosts' models that estimators hold."""

import numpy as np
import pytest
from exported import each_host, each_problem, fitted, simulated
from optional import FocalXGBClassifier, xgboost
from scipy.special import expit, logit, softmax

from focalboost import SoftmaxFocalLoss


def raw_of(model, X):
    option = "output_margin" if isinstance(model, FocalXGBClassifier) else "raw_score"
    return np.asarray(model.predict(X, **{option: True}), np.float64)


def score_of(model, raw):
    """The focal scores: what a tool that knows the host's model alone gives."""
    several = isinstance(model.focal_loss_, SoftmaxFocalLoss)
    return softmax(raw, axis=1) if several else expit(raw)


class TestTreelite:
    @pytest.fixture(autouse=True)
    def treelite(self):
        return pytest.importorskip("treelite", reason="treelite is not installed")

    @staticmethod
    def imported(treelite, model):
        if isinstance(model, FocalXGBClassifier):
            return treelite.frontend.from_xgboost(model.get_booster())
        return treelite.frontend.from_lightgbm(model.booster_)

    @each_problem
    @each_host
    def test_every_row_has_its_probability(self, treelite, problem, name):
        problem, model = fitted(problem, name)
        imported = self.imported(treelite, model)

        def predicted(**options):
            found = treelite.gtil.predict(imported, problem.X, nthread=1, **options)
            return np.asarray(found, np.float64)[:, 0]

        raw, score = predicted(pred_margin=True), predicted()
        raw, score = (x[:, 0] if x.shape[1] == 1 else x for x in (raw, score))
        np.testing.assert_allclose(raw, raw_of(model, problem.X), rtol=0, atol=5e-6)
        np.testing.assert_allclose(score, score_of(model, raw), rtol=0, atol=2e-6)
        posterior = model.focal_loss_.posterior(raw)
        expected = model.predict_proba(problem.X)
        expected = expected[:, 1] if posterior.ndim == 1 else expected
        np.testing.assert_allclose(posterior, expected, rtol=2e-5)

    @pytest.mark.parametrize("suffix", ["json", "ubj"])
    def test_a_saved_file_is_read(self, treelite, suffix, tmp_path):
        problem, path = simulated("dense"), tmp_path / f"model.{suffix}"
        model = problem.fitted("xgboost")
        model.save_model(path)
        imported = treelite.frontend.load_xgboost_model(str(path))
        score = treelite.gtil.predict(imported, problem.X, nthread=1).ravel()
        posterior = model.focal_loss_.posterior(logit(score.astype(np.float64)))
        expected = model.predict_proba(problem.X)[:, 1]
        np.testing.assert_allclose(posterior, expected, rtol=2e-5)

    def test_lightgbm_s_saved_file_is_read(self, treelite, tmp_path):
        problem = simulated("categories")
        model = problem.fitted("lightgbm")
        model.save_model(tmp_path / "model.txt")
        imported = treelite.frontend.load_lightgbm_model(str(tmp_path / "model.txt"))
        score = treelite.gtil.predict(imported, problem.X, nthread=1).ravel()
        posterior = model.focal_loss_.posterior(logit(score.astype(np.float64)))
        expected = model.predict_proba(problem.X)[:, 1]
        np.testing.assert_allclose(posterior, expected, rtol=2e-5)


class TestSHAP:
    @pytest.fixture(autouse=True)
    def shap(self):
        return pytest.importorskip("shap", reason="shap is not installed")

    @pytest.mark.filterwarnings("ignore:LightGBM binary classifier with TreeExplainer")
    @each_problem
    @each_host
    def test_values_add_up_to_the_raw_prediction(self, shap, problem, name):
        problem, model = fitted(problem, name)
        X = problem.X[:1000]
        explainer = shap.TreeExplainer(model)
        values = np.asarray(explainer.shap_values(data_of(model, X)))
        total = values.sum(axis=1) + np.asarray(explainer.expected_value)
        np.testing.assert_allclose(total, raw_of(model, X), rtol=0, atol=2e-5)

    @each_host
    def test_values_of_the_score_in_probability_space(self, shap, name):
        problem = simulated("dense")
        model = problem.fitted(name)
        background, X = problem.X[:50], problem.X[50:250]
        explainer = shap.TreeExplainer(
            model,
            background,
            model_output="probability",
            feature_perturbation="interventional",
        )
        values = np.asarray(explainer.shap_values(X))
        score = expit(raw_of(model, X))
        total = values.sum(axis=1) + explainer.expected_value
        np.testing.assert_allclose(total, score, rtol=0, atol=2e-6)

    @each_host
    def test_values_of_the_posterior(self, shap, name):
        problem = simulated("missing values")
        model = problem.fitted(name, 10)
        background, X = np.nan_to_num(problem.X[:20]), problem.X[50:60]
        explainer = shap.explainers.Exact(
            lambda X: model.predict_proba(X)[:, 1], background
        )
        values = explainer(X)
        total = values.values.sum(axis=1) + values.base_values
        expected = model.predict_proba(X)[:, 1]
        np.testing.assert_allclose(total, expected, rtol=0, atol=1e-9)


def data_of(model, X):
    """Features in a form in which SHAP's XGBoost and LightGBM know categories."""
    if not isinstance(model, FocalXGBClassifier):
        return X
    types = model.get_booster().feature_types
    return xgboost.DMatrix(X, feature_types=types, enable_categorical=True)


@each_problem
@each_host
def test_the_hosts_own_contributions_add_up(problem, name):
    problem, model = fitted(problem, name)
    if name == "lightgbm":
        values = model.predict(problem.X, pred_contrib=True)
        n_outputs = model.booster_.num_model_per_iteration()
        values = values.reshape(len(problem.X), n_outputs, -1)
        values = values[:, 0] if n_outputs == 1 else values
    else:
        data = data_of(model, problem.X)
        values = model.get_booster().predict(data, pred_contribs=True)
    total = values.sum(axis=-1)
    np.testing.assert_allclose(total, raw_of(model, problem.X), rtol=0, atol=3e-5)


@each_host
def test_a_table_of_trees_holds_every_leaf(name):
    problem = simulated("missing values")
    model = problem.fitted(name, 5)
    X = problem.X[:200]
    if name == "xgboost":
        table = model.get_booster().trees_to_dataframe()
        leaves = table[table["Feature"] == "Leaf"].set_index(["Tree", "Node"])["Gain"]
        start, found = logit(float(model.intercept_[0])), model.apply(X)
    else:
        table = model.booster_.trees_to_dataframe()
        table = table[table["left_child"].isna()]
        names = table["node_index"].str.extract(r"L(\d+)")[0].astype(int)
        keys = [table["tree_index"], names]
        leaves = table["value"].set_axis(keys)
        start, found = 0.0, model.predict(X, pred_leaf=True)
    raw = [
        start + sum(leaves.loc[tree, int(leaf)] for tree, leaf in enumerate(row))
        for row in found
    ]
    np.testing.assert_allclose(raw, raw_of(model, X), rtol=0, atol=2e-6)
