"""Collections and options that trainings on a cluster take, and those they refuse."""

from functools import wraps

import numpy as np
import pytest
import scipy.sparse
from clusters import as_frame, spread
from optional import FocalXGBClassifier, lightgbm, version
from sklearn.metrics import roc_auc_score

import focalboost.distributed
import focalboost.distributed.lightgbm
import focalboost.distributed.xgboost
import focalboost.lightgbm
from focalboost import SoftmaxFocalLoss, focal_metric

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


def spread_whole(array):
    return spread(array, (len(array),))


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


@has_xgboost_3
def test_xgboost_s_estimator_says_which_xgboost_it_needs():
    from focalboost.distributed._xgboost_classifier import require_xgboost_3 as require

    with pytest.raises(ImportError, match=r"needs XGBoost 3\.0 or newer, and 2\.1\.4"):
        require("2.1.4")
    require("3.0.0")
    require("10.1")


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        pytest.param(xgboost_estimator, "scale_pos_weight", marks=has_xgboost_3),
        pytest.param(xgboost_estimator, "quantile_alpha", marks=has_xgboost_3),
        (lightgbm_estimator, "pos_subsample"),
        (lightgbm_estimator, "fair_c"),
    ],
)
def test_parameters_that_only_other_objectives_read(estimator, name, client, table):
    X, y, _ = table
    with pytest.raises(ValueError, match=f"{name} must be"):
        estimator(**{name: 0.5}).fit(spread(X), spread(y))


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
    rows = spread(X), spread(y)
    with pytest.raises(ValueError, match=r"sample_weight must be a single column; got"):
        train(client, *rows, sample_weight=spread(both))
    with pytest.raises(ValueError, match="y must be an array of real numbers"):
        train(client, rows[0], spread(np.where(y > 0, "fraud", "ok")))


def test_a_continued_training_evaluates_the_whole_model(client, table):
    X, y, _ = table
    rows = spread(X), spread(y)
    first = train(client, *rows)["booster"]
    options = {"balance": False}  # rounds are evaluated before it
    found = train(client, *rows, init_model=first, valid_sets=[rows], **options)
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
    model = lightgbm_estimator(focal_balance=False)  # rounds are evaluated before it
    model.fit(*rows, **parts, eval_sample_weight=[spread(weight)])
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
    for options in ({"eval_set": [rows]}, {}):
        with pytest.raises(ValueError, match=message.replace("1", "2")):
            xgboost_estimator().fit(*rows, **options, **{name: [spread(weight)] * 2})


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


@each_estimator
@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_sparse_rows_are_predicted(estimator, method, client, table):
    X, y, _ = table
    rows = spread(X).map_blocks(scipy.sparse.csr_matrix)
    model = estimator().fit(rows, spread(y))
    found = getattr(model, method)(rows).compute()
    alone = getattr(model.to_local(), method)(scipy.sparse.csr_matrix(X))
    np.testing.assert_allclose(found, alone, atol=1e-6)


@each_estimator
@pytest.mark.parametrize("kind", [spread, as_frame])
def test_labels_of_several_columns_are_refused(estimator, kind, client, table):
    X, y, _ = table
    both = np.column_stack([y, X[:, 1] > 10]).astype(int)
    with pytest.raises(ValueError, match="y must be a single column of labels on a cl"):
        estimator().fit(kind(X), kind(both))
    with pytest.raises(ValueError, match="y must be a single column of labels on a cl"):
        estimator().fit(kind(X), kind(y), eval_set=[(kind(X), kind(both))])


def test_labels_of_several_columns_are_taken_by_train(client, table):
    import xgboost.dask

    X, y, _ = table
    both = np.column_stack([y, X[:, 1] > 10]).astype(int)
    data = xgboost.dask.DaskDMatrix(client, spread(X), spread(both))
    found = focalboost.distributed.xgboost.train(client, {"max_depth": 3}, data, ROUNDS)
    alone = FocalXGBClassifier(**COMMON, verbosity=0, n_jobs=1).fit(X, both)
    raw = found["booster"].predict(xgboost.DMatrix(X), output_margin=True)
    expected = alone.predict(X, output_margin=True)
    np.testing.assert_allclose(raw, expected, atol=1e-4)


@has_xgboost_3
@pytest.mark.parametrize("kind", [np.asarray, list, spread_whole])
def test_weights_of_features_are_taken_from_the_constructor(kind, client, table):
    X, y, _ = table
    rows, sampled = (spread(X), spread(y)), {"colsample_bynode": 0.2}
    weights = kind(np.array([0, 1, 0, 0, 0.0]))
    by_fit = xgboost_estimator(**sampled).fit(*rows, feature_weights=weights)
    model = xgboost_estimator(**sampled, feature_weights=weights).fit(*rows)
    assert np.flatnonzero(model.feature_importances_).tolist() == [1]
    np.testing.assert_array_equal(
        model.predict_proba(rows[0]).compute(), by_fit.predict_proba(rows[0]).compute()
    )


@each_estimator
def test_an_objective_of_one_s_own_is_refused(estimator, client, table):
    X, y, _ = table
    with pytest.raises(ValueError, match="objective must be 'binary"):
        estimator(objective=lambda y, raw: (raw, raw)).fit(spread(X), spread(y))


@has_xgboost_3
def test_the_objective_is_that_of_the_model(client, table, classes):
    X, y, _ = table
    model = xgboost_estimator().fit(spread(X), spread(classes))
    before = model.predict_proba(spread(X)).compute()
    assert model.get_params()["objective"] == "multi:softprob"
    assert model.to_local().objective == "multi:softprob"
    model.set_params(max_depth=2)
    np.testing.assert_array_equal(model.predict_proba(spread(X)).compute(), before)
    assert model.fit(spread(X), spread(y)).objective == "binary:logistic"


@each_estimator
def test_spare_classes_are_left_out(estimator, client, table, classes):
    X, *_ = table
    rows = spread(X), spread(classes)
    found = estimator(num_class=5).fit(*rows).predict_proba(rows[0]).compute()
    expected = estimator().fit(*rows).predict_proba(rows[0]).compute()
    # A chunk may move to the other worker, and sums have another order then.
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_columns_are_taken_as_rows_by_train(client, table, classes):
    import xgboost.dask

    loss, raw = SoftmaxFocalLoss(3), []
    for form in (np.ravel, lambda array: array[:, None]):
        y, weight = (spread(form(array)) for array in (classes, table[2]))
        data = xgboost.dask.DaskDMatrix(client, spread(table[0]), y, weight=weight)
        found = focalboost.distributed.xgboost.train(client, {}, data, 3, loss=loss)
        rows = xgboost.DMatrix(table[0])
        raw.append(found["booster"].predict(rows, output_margin=True))
    np.testing.assert_array_equal(*raw)


def test_evaluation_sets_may_be_any_iterable_and_scores_are_warned_of(client, table):
    import xgboost.dask

    X, y, _ = table
    data = xgboost.dask.DaskDMatrix(client, spread(X), spread(y))
    train, sets = focalboost.distributed.xgboost.train, [(data, "rows")]
    found = train(client, {}, data, 2, evals=iter(sets))
    assert len(found["history"]["rows"]["relative_focal_loss"]) == 2
    with pytest.warns(UserWarning, match="XGBoost minimises roc_auc_score"):
        train(client, {}, data, 2, evals=sets, custom_metric=of_xgboost(roc_auc_score))


def of_xgboost(score):
    @wraps(score)
    def metric(raw, data):
        return score.__name__, score(data.get_label(), raw)

    return metric


def test_xgboost_s_train_takes_arguments_by_position(client, table):
    import xgboost.dask

    X, y, _ = table
    data = xgboost.dask.DaskDMatrix(client, spread(X), spread(y))
    train = focalboost.distributed.xgboost.train
    with pytest.warns(FutureWarning, match="Pass `evals` as keyword args"):
        found = train(client, {"max_depth": 3}, data, ROUNDS, [(data, "rows")])
    assert len(found["history"]["rows"]["relative_focal_loss"]) == ROUNDS
    with pytest.raises(ValueError, match="obj must be left out"):
        train(client, {"max_depth": 3}, data, ROUNDS, obj=lambda raw, data: (raw, raw))


@pytest.mark.parametrize("checks", [False, True, None])
def test_names_of_tables_on_a_cluster(checks, client, table):
    X, y, _ = table
    frame = as_frame(X).rename(columns=str)
    model = lightgbm_estimator().fit(frame, as_frame(y))
    renamed = frame.rename(columns=lambda name: f"new {name}")
    answer = model.predict_proba(renamed, validate_features=checks)
    if checks is False:
        expected = model.predict_proba(frame).compute()
        np.testing.assert_array_equal(answer.compute(), expected)
    else:
        with pytest.raises((ValueError, lightgbm.basic.LightGBMError)):
            answer.compute()


@pytest.mark.parametrize("kind", ["binary", "classes"])
def test_lightgbm_without_a_feature_to_split_is_a_constant(
    kind, client, table, classes
):
    X, y, _ = table
    y = classes if kind == "classes" else y
    with pytest.warns(UserWarning, match="The model has learned nothing"):
        model = lightgbm_estimator(min_data_in_leaf=10**6).fit(spread(X), spread(y))
    found = model.predict_proba(spread(X)).compute()
    share = np.bincount(y.astype(int)) / len(y)
    np.testing.assert_allclose(found, np.tile(share, (len(y), 1)), rtol=1e-6)


def test_workers_of_xgboost_have_the_configuration_of_the_client(client, table):
    import xgboost.dask

    class Verbosity(xgboost.callback.TrainingCallback):
        def after_iteration(self, model, epoch, evals_log):
            found = xgboost.get_config()["verbosity"]
            model.set_attr(verbosity=str(found))
            return False

    X, y, _ = table
    data = xgboost.dask.DaskDMatrix(client, spread(X), spread(y))
    train, params = focalboost.distributed.xgboost.train, {"max_depth": 2}
    with xgboost.config_context(verbosity=0):
        found = train(client, params, data, 2, callbacks=[Verbosity()])
    assert found["booster"].attr("verbosity") == "0"


def kinds_of(values, categories):
    """A table on the cluster with a column of categories."""
    import dask.dataframe
    import pandas as pd

    kind = pd.Categorical(values, categories=list(categories))
    table = pd.DataFrame({"kind": kind, "place": np.arange(len(kind)) % 7})
    return dask.dataframe.from_pandas(table, npartitions=2)


@pytest.mark.parametrize("by_estimator", [False, True])
def test_lightgbm_continues_with_the_codes_of_the_model(by_estimator, client):
    kinds = np.random.default_rng(0).choice(list("ABCD"), 2000)
    y = spread((kinds == "D").astype(float), (1000, 1000))
    first = train(client, kinds_of(kinds, "ABCD"), y)["booster"]
    X = kinds_of(np.where(kinds == "A", "B", kinds), "DCB")
    if by_estimator:
        again = lightgbm_estimator().fit(X, y, init_model=first).booster_
    else:
        again = train(client, X, y, init_model=first)["booster"]
    rows = kinds_of(kinds, "ABCD").compute()
    found, expected = (
        one.predict(rows, raw_score=True, num_iteration=ROUNDS)
        for one in (again, first)
    )
    assert np.ptp(found - expected) < 1e-9  # but for the balance
    with pytest.raises(ValueError, match="X must be of the columns of the model"):
        train(client, X[["place", "kind"]], y, init_model=first)
