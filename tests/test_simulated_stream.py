"""The promises on the simulated stream of card transactions, 1 fraud in 1000."""

import numpy as np
import pytest
from optional import lightgbm
from scipy.special import expit
from sklearn.metrics import average_precision_score, log_loss

from focalboost import FocalLoss, focal_metric
from focalboost.datasets import make_transactions

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated"),
]


@pytest.fixture(scope="module")
def stream():
    """Training and later test part: features, labels and true probabilities of each."""
    payments = make_transactions(200_000, random_state=0, as_frame=False)
    X = np.column_stack([payments.data[name] for name in payments.feature_names])
    parts = slice(140_000), slice(140_000, None)
    return [
        (X[rows], payments.target[rows], payments.probability[rows]) for rows in parts
    ]


class Recorder:
    """The relative focal loss of every round; XGBoost itself keeps six decimals."""

    def __init__(self, loss):
        self.metric = focal_metric(loss.gamma, loss.alpha)
        self.values = [1.0]

    def __call__(self, raw, data):
        result = self.metric(raw, data)
        self.values.append(result[1])
        return result

    @property
    def __name__(self):
        return self.metric.__name__


@pytest.mark.parametrize("gamma", [0, 0.25, 0.5, 1, 2, 5, (0, 2)], ids=str)
def test_training_at_host_defaults_is_stable(host, gamma, stream):
    (X, y, _), (X_test, y_test, _) = stream
    loss = FocalLoss(gamma)
    recorder = Recorder(loss)
    name = "custom_metric" if host.name == "xgboost" else "feval"
    data = host.data(X, y)
    booster = host.train(data, 200, (), [data], loss=loss, **{name: recorder})
    assert len(recorder.values) == 201
    # The margins that XGBoost hands out are float32.
    assert np.diff(recorder.values).max() <= 1e-7
    raw = host.raw(booster, X_test)
    assert abs(raw).max() < 50
    assert average_precision_score(y_test, raw) > 100 * y_test.mean()


@pytest.fixture(scope="module")
def log_loss_models(stream):
    """Test log loss of each host's own log-loss model, by host."""
    return {}


def early_stopped(host, estimator, metric, stream):
    """The estimator, stopped on the last quarter of the training part."""
    X, y, _ = stream[0]
    cut = len(y) * 3 // 4
    arguments = {"eval_set": [(X[cut:], y[cut:])]}
    if host.name == "xgboost":
        estimator.set_params(early_stopping_rounds=20, eval_metric=metric)
        arguments["verbose"] = False
    else:
        arguments["callbacks"] = [lightgbm.early_stopping(20, verbose=False)]
    return estimator.fit(X[:cut], y[:cut], **arguments)


SETTINGS = {"n_estimators": 400, "learning_rate": 0.05, "max_depth": 4, "n_jobs": 1}


def settings(host):
    quiet = {"verbosity": 0 if host.name == "xgboost" else -1}
    return {**SETTINGS, **quiet, "reg_lambda": 1.0}


@pytest.fixture
def host_log_loss(host, stream, log_loss_models):
    if host.name not in log_loss_models:
        X, y, _ = stream[1]
        model = host.host_classifier(**settings(host))
        early_stopped(host, model, "logloss", stream)
        log_loss_models[host.name] = log_loss(y, model.predict_proba(X)[:, 1])
    return log_loss_models[host.name]


@pytest.mark.parametrize("alpha", [None, 0.25], ids=["no alpha", "alpha 0.25"])
@pytest.mark.parametrize("gamma", [0.5, 1, 2, (0, 2)], ids=str)
def test_the_posterior_is_as_good_as_log_loss_s(
    host, gamma, alpha, stream, host_log_loss
):
    X, y, posterior = stream[1]
    model = host.classifier(focal_gamma=gamma, focal_alpha=alpha, **settings(host))
    early_stopped(host, model, None, stream)
    ours = log_loss(y, model.predict_proba(X)[:, 1])
    score = expit(model.predict(X, **host.margin_option()).astype(np.float64))
    bayes, constant = log_loss(y, posterior), log_loss(y, np.full(len(y), y.mean()))
    assert ours < 1.10 * host_log_loss
    assert ours < bayes + 0.25 * (constant - bayes)
    # A small gamma moves the score less.
    assert log_loss(y, score) > (1.15 if gamma == 0.5 else 2) * ours
