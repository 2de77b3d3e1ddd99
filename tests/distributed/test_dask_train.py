"""Training on two processes gives the model of one."""

import re

import numpy as np
import pytest
from clusters import as_frame, spread
from optional import lightgbm, xgboost

import focalboost.distributed.lightgbm
import focalboost.distributed.xgboost
import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss, SoftmaxFocalLoss, focal_metric

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Finding random open ports"),
]

LOSSES = [FocalLoss(), FocalLoss((0, 2), 0.3), SoftmaxFocalLoss(3, (0, 1, 2))]

#: LightGBM's min_data_in_leaf counts other rows on several workers, with its own
#: objective as well.
LIGHTGBM = {"verbosity": -1, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 5}
XGBOOST = {"max_depth": 4, "verbosity": 0}


def filled(collection):
    """The same without empty partitions.

    XGBoost's DaskDMatrix fails on one that has moved to another worker, as Dask gives
    it no aligned memory there.
    """
    if getattr(collection, "chunks", None) is None or 0 not in collection.chunks[0]:
        return collection
    return collection.blocks[[i for i, n in enumerate(collection.chunks[0]) if n > 0]]


class XGBoost:
    """Both trainings with XGBoost."""

    def on_cluster(self, client, X, y, weight=None, rounds=10, valid=(), **options):
        from xgboost import dask

        data = dask.DaskDMatrix(client, *map(filled, (X, y)), weight=filled(weight))
        sets = [
            dask.DaskDMatrix(
                client,
                *map(filled, given[:2]),
                weight=filled(given[2]) if len(given) == 3 else None,
            )
            for given in valid
        ]
        return focalboost.distributed.xgboost.train(
            client,
            XGBOOST | options.pop("params", {}),
            data,
            rounds,
            evals=[(data_set, f"set{i}") for i, data_set in enumerate(sets)],
            verbose_eval=False,
            **options,
        )

    def alone(self, X, y, weight=None, rounds=10, valid=(), **options):
        history = {}
        sets = [xgboost.DMatrix(*given[:2], **named(given)) for given in valid]
        booster = focalboost.xgboost.train(
            {**XGBOOST, "nthread": 1, **options.pop("params", {})},
            xgboost.DMatrix(X, y, weight=weight),
            rounds,
            evals=[(data_set, f"set{i}") for i, data_set in enumerate(sets)],
            evals_result=history,
            verbose_eval=False,
            **options,
        )
        return {"booster": booster, "history": history}

    def raw(self, booster, X):
        return booster.predict(xgboost.DMatrix(X), output_margin=True)

    def stopping(self, rounds):
        return {"early_stopping_rounds": rounds}

    def rounds(self, booster):
        return booster.num_boosted_rounds()

    continued, task = "xgb_model", "fn-|lambda-"  # from 3.0, before


class LightGBM:
    """Both trainings with LightGBM."""

    def on_cluster(self, client, X, y, weight=None, rounds=10, valid=(), **options):
        return focalboost.distributed.lightgbm.train(
            client,
            LIGHTGBM | options.pop("params", {}),
            X,
            y,
            rounds,
            sample_weight=weight,
            valid_sets=valid,
            valid_names=[f"set{i}" for i in range(len(valid))],
            **options,
        )

    def alone(self, X, y, weight=None, rounds=10, valid=(), **options):
        history = {}
        sets = [lightgbm.Dataset(*given[:2], **named(given)) for given in valid]
        booster = focalboost.lightgbm.train(
            {**LIGHTGBM, "num_threads": 1, **options.pop("params", {})},
            lightgbm.Dataset(X, y, weight=weight),
            rounds,
            valid_sets=sets or None,
            valid_names=[f"set{i}" for i in range(len(sets))] or None,
            callbacks=[lightgbm.record_evaluation(history)],
            **options,
        )
        return {"booster": booster, "history": history}

    def raw(self, booster, X):
        return booster.predict(X, raw_score=True)

    def stopping(self, rounds):
        return {"params": {"early_stopping_round": rounds}}

    def rounds(self, booster):
        return booster.current_iteration()

    continued, task = "init_model", "_train_part-"


def named(given):
    return {"weight": given[2]} if len(given) == 3 else {}


@pytest.fixture(params=[XGBoost(), LightGBM()], ids=["xgboost", "lightgbm"])
def host(request):
    return request.param


def target(loss, table, classes):
    return classes if isinstance(loss, SoftmaxFocalLoss) else table[1]


def options_of(loss):
    several = isinstance(loss, SoftmaxFocalLoss)
    return {"loss": loss, "params": {"num_class": 3} if several else {}}


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_model_is_that_of_one_process(host, client, table, classes, loss):
    X, _, weight = table
    y = target(loss, table, classes)
    rows = tuple(map(spread, (X, y, weight)))
    found = host.on_cluster(client, *rows, valid=[rows], **options_of(loss))
    expected = host.alone(X, y, weight, valid=[(X, y, weight)], **options_of(loss))
    raws = [host.raw(result["booster"], X) for result in (found, expected)]
    np.testing.assert_allclose(*raws, atol=1e-6)
    histories = [result["history"]["set0"] for result in (found, expected)]
    np.testing.assert_allclose(
        *(history["relative_focal_loss"] for history in histories), atol=1e-6
    )


def test_both_workers_train(host, client, table):
    """Dask may still move a chunk to the other worker, but not in every training."""
    assert any(len(workers_of_training(host, client, table)) == 2 for _ in range(10))


def workers_of_training(host, client, table):
    import distributed

    with distributed.get_task_stream(client) as stream:
        host.on_cluster(client, *map(spread, table))
    tasks = [(task["key"], task["worker"]) for task in stream.data]
    return {worker for key, worker in tasks if re.match(host.task, str(key))}


@pytest.mark.parametrize(
    ("params", "setting"),
    [
        ({"eta": 0.29}, "learning_rate: 0.29"),
        ({"num_leaf": 3}, "num_leaves: 3"),
        ({"l2_regularization": 50}, "lambda_l2: 50"),
        ({"sub_row": 0.5, "subsample_freq": 1}, "bagging_fraction: 0.5"),
        ({"sub_feature": 0.4}, "feature_fraction: 0.4"),
        ({"max_tree_output": 0.02}, "max_delta_step: 0.02"),
        ({"random_seed": 7}, "seed: 7"),
    ],
    ids=str,
)
def test_lightgbm_s_other_names_count(client, table, params, setting):
    X, y, _ = table
    found = LightGBM().on_cluster(client, spread(X), spread(y), rounds=1, params=params)
    assert f"[{setting}]" in found["booster"].model_to_string()


@pytest.mark.parametrize("name", ["num_iterations", "n_estimators"])
def test_lightgbm_s_rounds_may_be_among_the_parameters(client, table, name):
    X, y, _ = table
    params = {name: 3}
    found = LightGBM().on_cluster(client, spread(X), spread(y), params=params)
    assert found["booster"].current_iteration() == 3


def test_data_frames(host, client, table):
    X, y, _ = table
    found = host.on_cluster(client, as_frame(X), as_frame(y))["booster"]
    expected = host.alone(X, y)["booster"]
    frame = as_frame(X, 1).compute()
    np.testing.assert_allclose(host.raw(found, frame), host.raw(expected, X), atol=1e-6)


@pytest.mark.parametrize("n_partitions", [(4, 1), (1, 8)])
def test_a_worker_without_rows_of_a_frame(host, client, table, n_partitions):
    """XGBoost does not tell it the names of the columns, and then asks for them."""
    X, y, _ = table
    rows, valid = ([as_frame(a, n) for a in (X, y)] for n in n_partitions)
    found = host.on_cluster(client, *rows, valid=[tuple(valid)])
    expected = host.alone(X, y, valid=[(X, y)])
    histories = [
        result["history"]["set0"]["relative_focal_loss"] for result in (found, expected)
    ]
    np.testing.assert_allclose(*histories, atol=1e-5)


def test_the_metric_is_that_of_all_rows(host, client, table):
    """A mean over the workers would be another: their rows weigh differently."""
    X, y, weight = table
    rows = tuple(map(spread, (X, y, weight)))
    part = tuple(spread(array[300:1500], (100, 1100)) for array in (X, y, weight))
    options = {"balance": False}  # rounds are evaluated before it
    result = host.on_cluster(client, *rows, valid=[part, rows[:2]], **options)
    metric, history = focal_metric(), result["history"]
    for name, given in (
        ("set0", [array[300:1500] for array in (X, y, weight)]),
        ("set1", [X, y, None]),
    ):
        raw = host.raw(result["booster"], given[0])
        expected = metric.relative_loss(given[1], raw, given[2])
        last = history[name]["relative_focal_loss"][-1]
        assert last == pytest.approx(expected, abs=1e-6)


def test_all_workers_stop_at_the_same_round(host, client, table):
    X, y, weight = table
    noise = np.random.default_rng(1).permutation(y)
    rows = tuple(map(spread, (X, y, weight)))
    valid = [(spread(X[:500], (100, 400)), spread(noise[:500], (100, 400)))]
    stopping = host.stopping(3)
    found = host.on_cluster(client, *rows, rounds=60, valid=valid, **stopping)
    expected = host.alone(
        X, y, weight, rounds=60, valid=[(X[:500], noise[:500])], **host.stopping(3)
    )
    n_rounds = [host.rounds(result["booster"]) for result in (found, expected)]
    assert n_rounds[0] == n_rounds[1] < 60
    assert found["booster"].best_iteration == expected["booster"].best_iteration


def test_a_continued_model(host, client, table):
    X, y, weight = table
    rows = tuple(map(spread, (X, y, weight)))
    first = host.alone(X, y, weight, rounds=5)["booster"]
    found = host.on_cluster(client, *rows, rounds=5, **{host.continued: first})
    expected = host.alone(X, y, weight, rounds=10)
    raws = [host.raw(result["booster"], X) for result in (found, expected)]
    np.testing.assert_allclose(*raws, atol=1e-6)


@pytest.mark.parametrize("loss", [LOSSES[0], LOSSES[2]], ids=str)
def test_a_worker_without_rows(client, table, classes, loss):
    """XGBoost gives it raw predictions of any shape; LightGBM leaves it out."""
    from xgboost import dask

    X, y = table[0], target(loss, table, classes)
    n_rows = len(X)
    data = dask.DaskDMatrix(client, *(spread(a, (n_rows, 0)) for a in (X, y)))
    workers = list(client.scheduler_info()["workers"])
    parts = [part for parts in data.worker_map.values() for part in parts]
    data.worker_map = {}
    for worker, part in zip(workers, parts, strict=True):
        client.replicate([part], workers=[worker])
        data.worker_map[worker] = [part]
    options = options_of(loss)
    found = focalboost.distributed.xgboost.train(
        client,
        XGBOOST | options["params"],
        data,
        5,
        loss=loss,
        evals=[(data, "set0")],
        verbose_eval=False,
    )
    expected = XGBoost().alone(X, y, rounds=5, valid=[(X, y)], **options)
    raws = [XGBoost().raw(result["booster"], X) for result in (found, expected)]
    np.testing.assert_allclose(*raws, atol=1e-6)
    histories = [result["history"]["set0"] for result in (found, expected)]
    np.testing.assert_allclose(
        *(history["relative_focal_loss"] for history in histories), atol=1e-6
    )


def test_more_partitions_than_rows_to_evaluate(client, table):
    X, y, _ = table
    valid = [(spread(X[:2], (2,)), spread(y[:2], (2,)))]
    with pytest.raises(ValueError, match="evaluation set 0 must be at least 3 rows"):
        LightGBM().on_cluster(client, spread(X), spread(y), valid=valid)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y, w: (y + 1, w), "y_true must be 0 or 1"),
        (lambda y, w: (y, -w), "sample_weight must be finite and >= 0"),
        (lambda y, w: (np.where(w > 9, np.nan, y), w), "y_true must be 0 or 1"),
    ],
)
def test_labels_and_weights_are_checked_before_training(
    host, client, table, change, message
):
    X, y, weight = table
    rows = (spread(X), *map(spread, change(y, weight)))
    with pytest.raises(ValueError, match=message):
        host.on_cluster(client, *rows)


def test_partitions_that_do_not_fit(client, table):
    X, y, _ = table
    with pytest.raises(ValueError, match="y must be in 4 partitions, as X is; got 1"):
        LightGBM().on_cluster(client, spread(X), spread(y, (len(y),)))


def test_lightgbm_s_own_metrics_are_refused(client, table):
    X, y, _ = table
    with pytest.raises(ValueError, match="metric must be left out"):
        LightGBM().on_cluster(client, spread(X), spread(y), params={"metric": "auc"})
