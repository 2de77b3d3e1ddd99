"""Collections and options that trainings on a cluster take, and those they refuse."""

import numpy as np
import pytest
from clusters import spread
from optional import FocalXGBClassifier, version

import focalboost.distributed
import focalboost.distributed.lightgbm
import focalboost.lightgbm
from focalboost import focal_metric
from focalboost.distributed._sums import _Place

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Finding random open ports"),
    pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated"),
]

has_xgboost_3 = pytest.mark.skipif(
    version("xgboost") < (3,), reason="FocalDaskXGBClassifier needs XGBoost 3.0"
)
ROUNDS = 5
COMMON = {"n_estimators": ROUNDS, "max_depth": 3}
LIGHTGBM = {**COMMON, "verbosity": -1, "min_child_samples": 1, "min_child_weight": 5}


def xgboost_estimator(**params):
    """Of a cluster; the attribute is not there with an older XGBoost."""
    kind = focalboost.distributed.FocalDaskXGBClassifier
    return kind(**COMMON, verbosity=0, **params)


def lightgbm_estimator(**params):
    return focalboost.distributed.FocalDaskLGBMClassifier(**LIGHTGBM, **params)


each_estimator = pytest.mark.parametrize(
    "estimator",
    [pytest.param(xgboost_estimator, marks=has_xgboost_3), lightgbm_estimator],
)


def test_xgboost_s_estimator_says_which_xgboost_it_needs():
    require = focalboost.distributed._require_xgboost_3
    with pytest.raises(ImportError, match=r"needs XGBoost 3\.0 or newer, and 2\.1\.4"):
        require("2.1.4")
    require("3.0.0")
    require("10.1")


@each_estimator
def test_features_have_one_chunk_of_columns(estimator, client, table):
    X, y, _ = table
    chunked = spread(X).rechunk({1: 2})
    with pytest.raises(ValueError, match="X must be in one chunk of columns"):
        estimator().fit(spread(X), spread(y)).predict(chunked)


@each_estimator
def test_an_estimator_needs_rows(estimator, client, table):
    X, y, _ = table
    with pytest.raises(ValueError, match="y must be labels of one row or more"):
        estimator().fit(spread(X[:0], (0,)), spread(y[:0], (0,)))


def train(client, *rows, **options):
    params = {"verbosity": -1, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 5}
    return focalboost.distributed.lightgbm.train(
        client, params, *rows, ROUNDS, **options
    )


def test_lightgbm_s_train_needs_rows_and_one_label_for_each(client, table):
    X, y, _ = table
    with pytest.raises(ValueError, match="y must be labels of one row or more"):
        train(client, spread(X[:0], (0,)), spread(y[:0], (0,)))
    both = np.column_stack([y, y])
    with pytest.raises(ValueError, match=r"y must be a single column; got \(\d+, 2\)"):
        train(client, spread(X), spread(both))


def test_a_continued_training_evaluates_the_whole_model(client, table):
    X, y, _ = table
    rows = spread(X), spread(y)
    first = train(client, *rows)["booster"]
    found = train(client, *rows, init_model=first, valid_sets=[rows])
    raw = found["booster"].predict(X, raw_score=True)
    seen = found["history"]["valid_0"]["relative_focal_loss"]
    assert seen[-1] == pytest.approx(focal_metric()(y, raw), abs=1e-6)
    assert len(seen) == ROUNDS


@pytest.mark.parametrize("several", [False, True])
def test_lightgbm_s_evaluation_sets_may_come_in_two_parts(several, client, table):
    X, y, weight = table
    rows = spread(X), spread(y)
    other = spread(X[:900], (500, 400)), spread(y[:900], (500, 400))
    parts = {"eval_X": rows[0], "eval_y": rows[1]}
    sets = [rows]
    if several:
        parts = {"eval_X": (rows[0], other[0]), "eval_y": (rows[1], other[1])}
        sets = [rows, other]
    model = lightgbm_estimator().fit(
        *rows, **parts, eval_sample_weight=[spread(weight)]
    )
    assert len(model.evals_result_) == len(sets)
    raws = [model.predict(X, raw_score=True).compute() for X, _ in sets]
    for (_, truth), raw, w, history in zip(
        sets, raws, (weight, None), model.evals_result_.values(), strict=False
    ):
        expected = focal_metric()(truth.compute(), raw, w)
        assert history["relative_focal_loss"][-1] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("given", [("eval_X",), ("eval_y",), ("eval_X", "eval_set")])
def test_half_of_an_evaluation_set_is_refused(given, client, table):
    X, y, _ = table
    rows = {"eval_X": spread(X), "eval_y": spread(y), "eval_set": []}
    options = {name: rows[name] for name in given}
    with pytest.raises(ValueError, match="eval_X must be given together with eval_y"):
        lightgbm_estimator().fit(spread(X), spread(y), **options)


@has_xgboost_3
@pytest.mark.parametrize("tree_method", ["hist", "approx"])
@pytest.mark.parametrize("objective", [None, "binary:logistic"])
def test_xgboost_s_tree_methods_and_objective(tree_method, objective, client, table):
    X, y, _ = table
    params = {"tree_method": tree_method, "objective": objective}
    model = xgboost_estimator(**params).fit(spread(X), spread(y))
    alone = FocalXGBClassifier(**COMMON, **params, n_jobs=1, verbosity=0).fit(X, y)
    found = model.predict_proba(spread(X)).compute()
    np.testing.assert_allclose(found, alone.predict_proba(X), atol=1e-6)


@has_xgboost_3
@pytest.mark.parametrize("name", ["sample_weight_eval_set", "base_margin_eval_set"])
def test_xgboost_s_evaluation_sets_have_an_entry_each(name, client, table):
    X, y, weight = table
    rows = spread(X), spread(y)
    message = f"{name} must be one entry for each evaluation set; got 1"
    with pytest.raises(ValueError, match=message):
        xgboost_estimator().fit(
            *rows, eval_set=[rows, rows], **{name: [spread(weight)]}
        )


@has_xgboost_3
@pytest.mark.parametrize("method", ["predict_proba", "decision_function", "predict"])
def test_xgboost_predicts_from_a_margin(method, client, table):
    X, y, weight = table
    model = xgboost_estimator().fit(spread(X), spread(y))
    margin = np.log(weight)
    answer = getattr(model, method)(spread(X), base_margin=spread(margin))
    alone = getattr(model.to_local(), method)(X, base_margin=margin)
    np.testing.assert_allclose(answer.compute(), alone, atol=1e-6)
    without = getattr(model.to_local(), method)(X)
    assert not np.allclose(alone, without)
    with pytest.raises(ValueError, match="base_margin must be in 4 partitions, as X"):
        getattr(model, method)(spread(X), base_margin=spread(margin, (len(X),)))


@pytest.mark.parametrize(("port", "rank"), [(7, 1), (8, 3)])
def test_workers_of_one_port_are_told_apart_by_their_host(port, rank, client):
    machines = "10.0.0.1:7,127.0.0.1:7,10.0.0.3:7,127.0.0.1:8"
    params = {"machines": machines, "local_listen_port": port}
    assert client.submit(_Place.of, params, pure=False).result().rank == rank
