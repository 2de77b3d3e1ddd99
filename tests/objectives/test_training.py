"""Labels and weights are read once in a training, unless a callback may set others."""

import gc
import pickle
import weakref

import numpy as np
import pytest
from optional import FocalXGBClassifier, xgboost

import focalboost.xgboost
from focalboost import FocalLoss, focal_metric, focal_objective
from focalboost.objectives import for_training

PARAMS = {"max_depth": 2, "nthread": 1}


class Counted(xgboost.DMatrix):
    """A data set that counts how often it is read."""

    reads = 0

    def get_label(self):
        self.reads += 1
        return super().get_label()


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    return X, (X[:, 0] + rng.normal(size=300) > 1).astype(np.float32), rng.random(300)


def trained(data_set, rounds, **options):
    options = {"verbose_eval": False, "evals": [(data_set, "train")], **options}
    return focalboost.xgboost.train(PARAMS, data_set, rounds, **options)


def reads_of(arrays, rounds, **options):
    X, y, weight = arrays
    data_set = Counted(X, y, weight=weight)
    trained(data_set, rounds, **options)
    return data_set.reads


def test_labels_are_read_once_in_a_training(arrays):
    assert reads_of(arrays, 2) == reads_of(arrays, 12)


class SettingWeights(xgboost.callback.TrainingCallback):
    def __init__(self, data_set, weight):
        self.data_set, self.weight = data_set, weight

    def after_iteration(self, model, epoch, evals_log):
        self.data_set.set_weight(self.weight)
        return False


def test_weights_that_a_callback_sets_count_from_the_next_round(arrays):
    X, y, weight = arrays
    data_set = xgboost.DMatrix(X, y, weight=weight)
    history = {}
    callbacks = [SettingWeights(data_set, weight**4)]
    options = {"balance": False, "evals_result": history, "callbacks": callbacks}
    booster = trained(data_set, 2, **options)
    raw = booster.predict(xgboost.DMatrix(X), output_margin=True)
    expected = focal_metric().relative_loss(y, raw, np.float32(weight**4))
    assert history["train"]["relative_focal_loss"][-1] == pytest.approx(expected)


def test_what_is_read_goes_with_the_training(arrays):
    X, y, weight = arrays
    data_set = xgboost.DMatrix(X, y, weight=weight)
    objective = for_training(focal_objective(), None)
    raw = np.zeros(len(y), np.float32) + y
    kept = weakref.ref(objective)
    first = objective(raw, data_set)
    data_set.set_weight(2 * weight)
    np.testing.assert_array_equal(objective(raw, data_set), first)
    again = pickle.loads(pickle.dumps(objective))
    np.testing.assert_array_equal(again(raw, data_set)[0], 2 * first[0])
    del objective
    gc.collect()
    assert kept() is None


def test_the_estimator_trains_the_model_of_train(arrays):
    X, y, weight = arrays
    params = {"max_depth": 2, "n_jobs": 1, "n_estimators": 5, "tree_method": "exact"}
    model = FocalXGBClassifier(**params).fit(X, y, sample_weight=weight)
    data_set = xgboost.DMatrix(X, y, weight=weight)
    settings = {**PARAMS, "tree_method": "exact"}
    booster = focalboost.xgboost.train(settings, data_set, 5, loss=FocalLoss())
    np.testing.assert_array_equal(
        model.get_booster().predict(data_set), booster.predict(data_set)
    )


def test_weights_count_with_several_labels():
    """Whether XGBoost returns rows of labels as rows, or flat as before 3.2."""
    rng = np.random.default_rng(0)
    X, labels, weight = (
        rng.normal(size=(90, 2)),
        rng.random((90, 2)) > 0.7,
        rng.random(90),
    )
    data_set = xgboost.DMatrix(X, labels.astype(np.float32), weight=weight)
    raw = rng.normal(size=(90, 2)).astype(np.float32)
    found = np.array(focal_objective()(raw, data_set))
    for k in range(2):
        alone = xgboost.DMatrix(X, labels[:, k], weight=weight)
        expected = np.array(focal_objective()(raw[:, k], alone))
        np.testing.assert_array_equal(found[..., k], expected)
