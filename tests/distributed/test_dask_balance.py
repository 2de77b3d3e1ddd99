"""Models that are trained on a cluster are in balance over the rows of all workers."""

import numpy as np
import pytest
from clusters import spread
from optional import HAS_XGBOOST, version

from focalboost import FocalLoss, SoftmaxFocalLoss

pytest.importorskip("dask", reason="Dask is not installed")

LOSSES = [FocalLoss((0, 2), alpha=0.8), SoftmaxFocalLoss(3, 2, alpha=(1, 2, 5))]


def labels_of(loss, table, classes):
    if isinstance(loss, SoftmaxFocalLoss):
        if HAS_XGBOOST and version("xgboost") < (3, 1):
            pytest.skip("XGBoost before 3.1 has a single base_score")
        return classes
    return table[1]


def excess(loss, raw, y, weight):
    weight = weight.astype(np.float64)
    posterior = loss.posterior(np.asarray(raw, np.float64))
    target = weight @ y
    if isinstance(loss, SoftmaxFocalLoss):
        target = np.bincount(y.astype(int), weight, loss.n_classes)
    return float(np.max(np.abs(weight @ posterior / target - 1)))


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("is_on", [True, False])
def test_train_of_xgboost(client, loss, is_on, table, classes):
    import xgboost.dask

    import focalboost.distributed.xgboost

    X, _, weight = table
    y = labels_of(loss, table, classes)
    params = {"nthread": 1, "learning_rate": 0.05}
    params |= {"num_class": 3} if y is classes else {}
    data = xgboost.dask.DaskDMatrix(client, spread(X), spread(y), weight=spread(weight))
    booster = focalboost.distributed.xgboost.train(
        client, params, data, 10, loss=loss, balance=is_on
    )["booster"]
    raw = booster.predict(xgboost.DMatrix(X), output_margin=True)
    assert (excess(loss, raw, y, weight) < 1e-6) is is_on


@pytest.mark.parametrize("loss", LOSSES, ids=str)
@pytest.mark.parametrize("is_on", [True, False])
def test_train_of_lightgbm(client, loss, is_on, table, classes):
    import focalboost.distributed.lightgbm

    X, _, weight = table
    y = labels_of(loss, table, classes)
    params = {"verbosity": -1, "learning_rate": 0.05}
    params |= {"num_class": 3} if y is classes else {}
    booster = focalboost.distributed.lightgbm.train(
        client,
        params,
        spread(X),
        spread(y),
        10,
        sample_weight=spread(weight),
        loss=loss,
        balance=is_on,
    )["booster"]
    raw = booster.predict(X, raw_score=True)
    assert (excess(loss, raw, y, weight) < 1e-6) is is_on


@pytest.mark.parametrize("name", ["FocalDaskXGBClassifier", "FocalDaskLGBMClassifier"])
@pytest.mark.parametrize("on", ["training", "validation"])
def test_estimators(client, name, on, table):
    import focalboost.distributed

    if "XGB" in name and version("xgboost") < (3, 0):
        pytest.skip("XGBoost before 3.0 cannot share the classifier's bases")
    X, y, weight = table
    options = {"verbosity": -1} if "LGBM" in name else {"early_stopping_rounds": 3}
    options["focal_balance"] = "validation" if on == "validation" else True
    model = getattr(focalboost.distributed, name)(n_estimators=30, **options)
    model.client = client
    half = spread(X[:1500], (800, 700)), spread(y[:1500], (800, 700))
    model.fit(spread(X), spread(y), sample_weight=spread(weight), eval_set=[half])
    posterior = model.predict_proba(spread(X)).compute()[:, 1]
    if on == "training":
        total = weight.astype(np.float64)
        assert total @ posterior == pytest.approx(total @ y, rel=1e-6)
    else:
        assert posterior[:1500].sum() == pytest.approx(y[:1500].sum(), rel=1e-6)
