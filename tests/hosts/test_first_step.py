"""LightGBM sets its parameters again before its first step with a callable objective.

Then it fails if no feature can be split, and its random numbers begin anew.
"""

import numpy as np
import pytest
from optional import FocalLGBMClassifier, lightgbm

import focalboost.lightgbm
from focalboost import FocalLoss, SoftmaxFocalLoss

pytestmark = [
    # LightGBM 4.7 prefers eval_X and eval_y, which 4.5 does not know.
    pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated"),
    pytest.mark.filterwarnings("ignore:The model has learned nothing"),
]
QUIET = {"num_threads": 1, "verbosity": -1}

#: Fewer rows than two leaves need, so that no feature can be split.
N_ROWS = 30
X = np.random.default_rng(0).normal(size=(N_ROWS, 4))
TWO, THREE = np.arange(N_ROWS) % 3 == 0, np.arange(N_ROWS) % 3

BOOSTINGS = {
    "gbdt": {},
    "dart": {"boosting": "dart"},
    "goss": {"data_sample_strategy": "goss"},
    "bagging": {"bagging_fraction": 0.5, "bagging_freq": 1},
    "columns": {"feature_fraction": 0.5},
    "linear": {"linear_tree": True},
}


def evaluated(train, objective):
    """The metrics of a training that may stop early, and its best round."""
    found, seen = {}, []
    data = lightgbm.Dataset(X, TWO)
    booster = train(
        {**QUIET, **objective},
        data,
        6,
        valid_sets=[data, lightgbm.Dataset(X[:12], TWO[:12], reference=data)],
        valid_names=["train", "valid"],
        callbacks=[
            lightgbm.record_evaluation(found),
            lightgbm.early_stopping(2, verbose=False),
            lambda env: seen.append(env.iteration),
        ],
    )
    metrics = [values for of_set in found.values() for values in of_set.values()]
    return list(found), [len(values) for values in metrics], seen, booster


def test_a_training_without_features_is_evaluated_as_by_the_host():
    *found, booster = evaluated(focalboost.lightgbm.train, {})
    *expected, theirs = evaluated(lightgbm.train, {"objective": "binary"})
    assert found == expected
    assert booster.best_iteration == theirs.best_iteration == 1
    metrics = booster.best_score["train"]
    assert metrics["relative_focal_loss"] == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("y", [TWO, THREE], ids=["two", "three"])
def test_an_estimator_without_features_is_evaluated(y):
    model = FocalLGBMClassifier(n_estimators=4, verbosity=-1, n_jobs=1)
    model.fit(X, y, eval_set=[(X, y)])
    metrics = model.evals_result_["training"]["relative_focal_loss"]
    np.testing.assert_allclose(metrics, np.ones(4), atol=1e-12)
    share = np.bincount(y) / N_ROWS
    np.testing.assert_allclose(model.predict_proba(X), [share] * N_ROWS, rtol=1e-9)


def test_folds_without_features_are_evaluated():
    history = focalboost.lightgbm.cv(QUIET, lightgbm.Dataset(X, TWO), 4, nfold=3)
    metrics = history["valid relative_focal_loss-mean"]
    assert len(metrics) == 4
    assert metrics == pytest.approx([metrics[0]] * 4)


@pytest.mark.parametrize("params", BOOSTINGS.values(), ids=BOOSTINGS)
@pytest.mark.parametrize("several", [False, True])
def test_every_boosting_without_features_is_a_constant_in_balance(params, several):
    loss, y = (SoftmaxFocalLoss(3), THREE) if several else (FocalLoss(), TWO)
    params = {**QUIET, **params, **({"num_class": 3} if several else {})}
    weight = np.linspace(0.5, 2, N_ROWS)
    data = lightgbm.Dataset(X, y, weight=weight)
    booster = focalboost.lightgbm.train(params, data, 4, loss=loss)
    posterior = loss.posterior(booster.predict(X, raw_score=True))
    expected = np.bincount(y, np.float32(weight)) if several else weight[y].sum()
    np.testing.assert_allclose(weight @ posterior, expected, rtol=1e-6)
    assert np.all(posterior == posterior[0])


@pytest.mark.parametrize("first", [False, True])
def test_a_batch_without_features_leaves_the_trees_of_a_model(first, rare):
    few, many = lightgbm.Dataset(X, TWO), lightgbm.Dataset(rare[0][:, :4], rare[1])
    batches = [few, many] if first else [many, few]
    model = focalboost.lightgbm.train(QUIET, batches[0], 5)
    both = focalboost.lightgbm.train(QUIET, batches[1], 5, init_model=model)
    assert both.num_trees() == (6 if first else 5)
    rows, y = (rare[0][:, :4], rare[1]) if first else (X, TWO)
    posterior = FocalLoss().posterior(both.predict(rows, raw_score=True))
    assert posterior.sum() == pytest.approx(y.sum(), rel=1e-6)


def test_dart_repeats(rare):
    """LightGBM reads a flag of its dart before it is set, so memory must not be 0."""
    rows, y = rare[0][:1000], rare[1][:1000]

    def dirtied():
        # What a C++ object of any size may be placed in
        for size in (500, 600, 700, 800, 900, 1000, 1100, 1300, 1500, 2000, 4000):
            _ = [np.full(size, 255, np.uint8) for _ in range(200)]

    def trained():
        data = lightgbm.Dataset(rows, y).construct()
        dirtied()
        params = {**QUIET, "boosting": "dart", "drop_rate": 0.5}
        booster = focalboost.lightgbm.train(params, data, 15)
        return booster.predict(rows, raw_score=True)

    first = trained()
    for _ in range(8):
        np.testing.assert_array_equal(trained(), first)
