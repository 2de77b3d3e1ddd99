"""At gamma = 0 with the exact hessian, the model is the host's own log-loss model."""

import numpy as np
import pytest
from host_drivers import LightGBMDriver, XGBoostDriver
from optional import lightgbm, xgboost

import focalboost.lightgbm
from focalboost import FocalLoss

LOG_LOSS = FocalLoss(gamma=0)

#: As many as leave |raw| below 6, where two float32 numbers next to each other are
#: 5e-7 apart and XGBoost's sums of leaves are good to 1e-6.
ROUNDS = 20

XGBOOST = {
    "hist": {},
    "approx": {"tree_method": "approx"},
    "exact": {"tree_method": "exact"},
    "dart": {"booster": "dart", "rate_drop": 0.2, "seed": 3},
    "lossguide": {"grow_policy": "lossguide", "max_leaves": 12, "max_depth": 0},
    "subsample": {"subsample": 0.7, "colsample_bytree": 0.7, "seed": 3},
    "forest": {"num_parallel_tree": 3, "subsample": 0.7, "seed": 3},
    "monotone": {"monotone_constraints": "(1,0,0,0,0)"},
}

#: dart without chance: all trees are dropped in every round. Ours draws one random
#: number less than LightGBM's own; no seed can make that equal.
EVERY_TREE_DROPPED = {
    "boosting": "dart",
    "drop_rate": 1.0,
    "skip_drop": 0.0,
    "uniform_drop": True,
    "max_drop": -1,
}

LIGHTGBM = {
    "plain": {},
    "bagging": {"bagging_fraction": 0.6, "bagging_freq": 1},
    "dart": EVERY_TREE_DROPPED,
    "goss": {"data_sample_strategy": "goss"},
    "linear": {"linear_tree": True},
    "extra": {"extra_trees": True},
    "columns": {"feature_fraction": 0.5, "bagging_fraction": 0.6, "bagging_freq": 1},
    "columns of nodes": {"feature_fraction": 0.8, "feature_fraction_bynode": 0.5},
}


def splits(frame, names):
    return frame.loc[:, names].to_numpy().tolist()


# XGBoost 3.4 says "`booster=dart` is deprecated"; 3.2 knows no other way.
@pytest.mark.filterwarnings("ignore:.*booster=dart.*is deprecated")
@pytest.mark.parametrize("params", XGBOOST.values(), ids=XGBOOST.keys())
def test_xgboost_trains_its_own_log_loss_model(params, mixed):
    X, y = mixed
    driver, data = XGBoostDriver(), xgboost.DMatrix(X, y)
    ours = driver.train(data, ROUNDS, params, loss=LOG_LOSS, curvature="exact")
    prevalence = {"base_score": float(y.mean())}
    theirs = driver.plain_train(data, ROUNDS, {**prevalence, **params})
    columns = ["Tree", "Node", "Feature", "Split"]
    assert splits(ours.trees_to_dataframe(), columns[:3]) == splits(
        theirs.trees_to_dataframe(), columns[:3]
    )
    raw = [driver.raw(booster, data) for booster in (ours, theirs)]
    np.testing.assert_allclose(*raw, rtol=0, atol=1e-6)


@pytest.mark.parametrize("params", LIGHTGBM.values(), ids=LIGHTGBM.keys())
def test_lightgbm_trains_its_own_log_loss_model(params, mixed):
    X, y = mixed
    driver = LightGBMDriver()
    # Small leaves can often be split in two ways with the same gain to the last bit.
    params = {"min_data_in_leaf": 100, **params}
    options = {"loss": LOG_LOSS, "curvature": "exact"}
    ours = driver.train(lightgbm.Dataset(X, y), ROUNDS, params, **options)
    # Left to itself, LightGBM's dart drops its baseline together with its first tree.
    start = LOG_LOSS.baseline(y) if "boosting" in params else None
    theirs = driver.plain_train(lightgbm.Dataset(X, y), ROUNDS, params, init=start)
    columns = ["tree_index", "node_index", "split_feature", "threshold"]
    frames = [
        booster.trees_to_dataframe().loc[:, columns] for booster in (ours, theirs)
    ]
    assert frames[0].equals(frames[1])
    raw = driver.raw(theirs, X) + (start or 0.0)
    np.testing.assert_allclose(driver.raw(ours, X), raw, rtol=0, atol=1e-12)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_the_metrics_of_lightgbm_s_rounds_are_its_own(is_weighted):
    """To the last bit of the start, which decides in AUC what is a tie."""
    params = {"objective": "binary", "metric": "auc", "num_threads": 1, "verbosity": -1}
    loss = {"loss": LOG_LOSS, "curvature": "exact"}

    def history(train, seed, **options):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(600, 6))
        y = (X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=600) > 1).astype(float)
        weight = rng.uniform(0.1, 3, 480) if is_weighted else None
        data = lightgbm.Dataset(X[:480], y[:480], weight=weight)
        validation = lightgbm.Dataset(X[480:], y[480:], reference=data)
        record = lightgbm.record_evaluation(rounds := {})
        options |= {"valid_sets": [validation], "callbacks": [record]}
        train(params, data, ROUNDS, **options)
        return rounds

    for seed in range(20):
        ours = history(focalboost.lightgbm.train, seed, **loss)
        assert ours == history(lightgbm.train, seed)


@pytest.mark.parametrize("alpha", [0.25, 0.9])
def test_alpha_at_gamma_zero_is_a_class_weight(host, mixed, alpha):
    X, y = mixed
    weight = np.where(y == 1, alpha, 1 - alpha)
    # The balance is that of the posterior, which undoes alpha but not the weights.
    options = {"curvature": "exact", "balance": False}
    ours = host.train(host.data(X, y), loss=FocalLoss(0, alpha), **options)
    weighted = host.train(host.data(X, y, weight), loss=LOG_LOSS, **options)
    if host.name == "lightgbm":  # XGBoost's histogram bins heed the weights
        np.testing.assert_allclose(
            host.raw(ours, X), host.raw(weighted, X), rtol=0, atol=1e-6
        )
    mean = [host.raw(booster, X).mean() for booster in (ours, weighted)]
    assert mean[0] == pytest.approx(mean[1], abs=0.05)
