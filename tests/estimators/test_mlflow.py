"""MLflow keeps the estimators, and its autologging does not keep others for them."""

import warnings

import numpy as np
import pytest
from optional import FocalLGBMClassifier, FocalXGBClassifier, lightgbm

import focalboost.lightgbm

mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")

pytestmark = [
    pytest.mark.filterwarnings("default"),  # MLflow's own
]


@pytest.fixture
def tracked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    yield
    for flavour in (mlflow.xgboost, mlflow.lightgbm, mlflow.sklearn):
        flavour.autolog(disable=True)


def test_an_estimator_is_saved_and_loaded(host, rare, tracked):
    X, y = rare
    model = host.estimator(n_estimators=3).fit(X, np.where(y == 1, "fraud", "ok"))
    trusted = {}
    if host.name == "lightgbm":
        trusted["skops_trusted_types"] = [
            *("focalboost.FocalLGBMClassifier", "focalboost.FocalLoss"),
            *("lightgbm.basic.Booster", "collections.OrderedDict"),
        ]
    flavour = getattr(mlflow, host.name)
    flavour.save_model(model, "model", pip_requirements=[], **trusted)
    loaded = flavour.load_model("model")
    assert type(loaded) is type(model)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def lightgbm_s_train(X, y):
    params = {"num_threads": 1, "verbosity": -1}
    return focalboost.lightgbm.train(params, lightgbm.Dataset(X, y), 2)


TRAININGS = {
    "xgboost": FocalXGBClassifier(n_estimators=2, n_jobs=1).fit,
    "lightgbm": FocalLGBMClassifier(n_estimators=2, n_jobs=1, verbosity=-1).fit,
    "lightgbm train": lightgbm_s_train,
}


@pytest.mark.parametrize("training", TRAININGS)
def test_autologging_is_left_out_and_that_is_said(training, rare, tracked):
    host = training.partition(" ")[0]
    getattr(mlflow, host).autolog(silent=True)
    with pytest.warns(UserWarning, match=rf"with mlflow\.{host}\.log_model"):
        TRAININGS[training](*rare)
    assert mlflow.last_active_run() is None


def test_nothing_is_said_where_autologging_is_off(rare):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        FocalXGBClassifier(n_estimators=2, n_jobs=1).fit(*rare)
