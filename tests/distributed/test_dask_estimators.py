"""The estimators on two processes: the answers of the estimators of one."""

import asyncio
import inspect
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from clusters import WITHOUT_POSITIVES, as_frame, spread
from optional import FocalLGBMClassifier, FocalXGBClassifier, version
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from focalboost import focal_metric
from focalboost.distributed import FocalDaskLGBMClassifier

if version("xgboost") < (3,):
    with pytest.raises(ImportError, match=r"needs XGBoost 3\.0 or newer, and 2\.1"):
        from focalboost.distributed import FocalDaskXGBClassifier
    pytest.skip("FocalDaskXGBClassifier needs XGBoost 3.0", allow_module_level=True)
else:
    from focalboost.distributed import FocalDaskXGBClassifier

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Finding random open ports"),
    pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated"),
]

COMMON = {"n_estimators": 8, "max_depth": 3}


@dataclass(frozen=True)
class Host:
    """What the tests have to know of a host's two estimators."""

    on_cluster: Any
    alone: Any
    params: Any
    margin: Any  #: the option for raw predictions
    weights_of_sets: str
    suffix: str
    first_history: Any


XGBOOST = Host(
    FocalDaskXGBClassifier,
    FocalXGBClassifier,
    {**COMMON, "verbosity": 0},
    {"output_margin": True},
    "sample_weight_eval_set",
    ".ubj",
    lambda model: model.evals_result()["validation_0"],
)

#: LightGBM's min_child_samples counts other rows on several workers.
LIGHTGBM = Host(
    FocalDaskLGBMClassifier,
    FocalLGBMClassifier,
    {**COMMON, "verbosity": -1, "min_child_samples": 1, "min_child_weight": 5},
    {"raw_score": True},
    "eval_sample_weight",
    ".txt",
    lambda model: next(iter(model.evals_result_.values())),
)


@pytest.fixture(params=[XGBOOST, LIGHTGBM], ids=["xgboost", "lightgbm"])
def host(request):
    return request.param


def fitted(host, table, y, **params):
    """The same fit on the cluster and in one process."""
    X, _, weight = table
    params = {**host.params, **params}
    rows = [spread(array) for array in (X, y, weight)]
    model = host.on_cluster(**params).fit(
        *rows[:2],
        sample_weight=rows[2],
        eval_set=[tuple(rows[:2])],
        **{host.weights_of_sets: [rows[2]]},
    )
    expected = host.alone(**params, n_jobs=1).fit(
        X,
        y,
        sample_weight=weight,
        eval_set=[(X, y)],
        **{host.weights_of_sets: [weight]},
    )
    return model, expected


@pytest.mark.parametrize(
    "params",
    [
        {},
        {
            "focal_gamma": {"fraud": 2, "other": 0},
            "focal_alpha": {"fraud": 0.7, "other": 0.3},
            "class_weight": "balanced",
        },
        {"class_weight": "effective"},
        {"class_weight": {"fraud": 3, "other": 1}},
    ],
    ids=str,
)
def test_two_classes(host, client, table, params, tmp_path):
    X = table[0]
    y = np.where(table[1] > 0, "fraud", "other")
    model, expected = fitted(host, table, y, **params)
    assert_alike(host, model, expected, X)
    path = tmp_path / f"model{host.suffix}"
    model.save_model(path)
    loaded = host.alone()
    loaded.load_model(path)
    np.testing.assert_array_equal(loaded.predict_proba(X), answers(model, X))


def test_common_positives_are_warned_of_by_the_weight_of_all_rows(host, client, table):
    X, weight = (spread(array) for array in (table[0], 1.0 + 9 * (table[1] <= 0)))
    y = spread(np.where(table[1] > 0, "a", "b"))
    model = host.on_cluster(**host.params, focal_gamma=(0, 2))
    with pytest.warns(UserWarning, match="Of the labels 'a' and 'b' the later"):
        model.fit(X, y, sample_weight=weight)
    model.set_params(class_weight={"a": 999, "b": 1}).fit(X, y, sample_weight=weight)


def test_three_classes_of_which_a_partition_lacks_one(host, client, table, classes):
    y = np.array(["none", "leak", "short"])[classes.astype(int)]
    gamma = {"none": 2, "leak": 1, "short": 0.5}
    model, expected = fitted(host, table, y, focal_gamma=gamma)
    assert_alike(host, model, expected, table[0])


def answers(model, X, method="predict_proba", **options):
    return getattr(model, method)(spread(X), **options).compute()


def assert_alike(host, model, expected, X):
    np.testing.assert_array_equal(model.classes_, expected.classes_)
    for method, options in (
        ("predict_proba", {}),
        ("decision_function", {}),
        ("predict", host.margin),
    ):
        found = answers(model, X, method, **options)
        other = getattr(expected, method)(X, **options)
        assert found.shape == other.shape
        np.testing.assert_allclose(found, other, atol=2e-6)
    np.testing.assert_array_equal(answers(model, X, "predict"), expected.predict(X))
    histories = [
        host.first_history(one)["relative_focal_loss"] for one in (model, expected)
    ]
    np.testing.assert_allclose(*histories, atol=1e-6)
    local = model.to_local()
    assert type(local) is host.alone
    np.testing.assert_array_equal(local.predict_proba(X), answers(model, X))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(answers(again, X), answers(model, X))


def test_data_frames(host, client, table):
    X, y, _ = table
    model = host.on_cluster(**host.params).fit(as_frame(X), as_frame(y))
    expected = host.alone(**host.params, n_jobs=1).fit(X, y)
    found = model.predict_proba(as_frame(X)).compute()
    np.testing.assert_allclose(found, expected.predict_proba(X), atol=1e-6)


def test_xgboost_continues_from_what_a_model_predicts(client):
    """More values than bins, and other rows: their bins are not those of the model."""
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(size=(1000, 2)), 3 * rng.normal(size=(1000, 2))])
    y = (X[:, 0] + rng.normal(size=2000) > 1.5).astype(int)
    old, new = slice(1000), slice(1000, None)
    first = FocalXGBClassifier(n_estimators=20, focal_balance=False, n_jobs=1)
    first.fit(X[old], y[old])
    params = {"n_estimators": 1, "learning_rate": 1e-9, "focal_balance": False}
    model = FocalDaskXGBClassifier(**params)
    rows = spread(X[new], (500, 500)), spread(y[new], (500, 500))
    history = model.fit(*rows, eval_set=[rows], xgb_model=first, verbose=False)
    found = history.evals_result()["validation_0"]["relative_focal_loss"][-1]
    raw = first.predict(X[new], output_margin=True)
    assert found == pytest.approx(focal_metric().relative_loss(y[new], raw), rel=1e-6)


def test_the_training_set_is_built_once(client, table, monkeypatch):
    built, matrix = [], FocalDaskXGBClassifier._matrix

    async def counting(self, *arguments, **options):
        built.append(options)
        return await matrix(self, *arguments, **options)

    monkeypatch.setattr(FocalDaskXGBClassifier, "_matrix", counting)
    rows = spread(table[0]), spread(table[1] > 0)
    model = FocalDaskXGBClassifier(**COMMON).fit(*rows, eval_set=[rows], verbose=False)
    assert len(built) == 1
    assert len(model.evals_result()["validation_0"]["relative_focal_loss"]) > 1


def test_a_continued_model(host, client, table):
    X, y, _ = table
    name = "xgb_model" if host is XGBOOST else "init_model"
    first = host.alone(**host.params, n_jobs=1).fit(X, y)
    model = host.on_cluster(**host.params).fit(spread(X), spread(y), **{name: first})
    expected = host.alone(**host.params, n_jobs=1).fit(X, y, **{name: first})
    found = answers(model, X)
    np.testing.assert_allclose(found, expected.predict_proba(X), atol=1e-6)
    with pytest.raises(ValueError, match="y must be made of the labels"):
        host.on_cluster(**host.params).fit(
            spread(X), spread(np.where(y, "a", "b")), **{name: first}
        )


def test_a_batch_of_one_class_trains_on(host, client, table):
    X, y, _ = table
    name = "xgb_model" if host is XGBOOST else "init_model"
    first = host.alone(**host.params, n_jobs=1).fit(X, y)
    X, y = X[y == y[0]], y[y == y[0]]
    model = host.on_cluster(**host.params).fit(spread(X), spread(y), **{name: first})
    assert model.classes_.tolist() == first.classes_.tolist()
    expected = host.alone(**host.params, n_jobs=1).fit(X, y, **{name: first})
    found = answers(model, X)
    np.testing.assert_allclose(found, expected.predict_proba(X), atol=1e-6)


def test_parameters_are_those_of_one_process(host):
    model = host.on_cluster(focal_gamma=1, learning_rate=0.2)
    params = model.get_params()
    extra = {"coll_cfg"} if host is XGBOOST else {"client"}
    assert params.keys() - host.alone().get_params().keys() <= extra
    assert clone(model).get_params() == params


@pytest.mark.parametrize("name", ["predict", "predict_proba", "decision_function"])
def test_answers_are_asked_for_as_in_one_process(host, name):
    both = host.on_cluster, host.alone
    here, there = (inspect.getfullargspec(getattr(one, name)) for one in both)
    assert (here.args, here.varkw) == (there.args, there.varkw)


def test_what_is_not_fitted(host, client, table):
    with pytest.raises(NotFittedError):
        host.on_cluster().predict_proba(spread(table[0]))


def test_leaves(client, table):
    X, y, _ = table
    whole = (len(X),)
    model = FocalDaskLGBMClassifier(**LIGHTGBM.params).fit(spread(X), spread(y))
    leaves = model.predict(spread(X, whole), pred_leaf=True).compute()
    assert leaves.shape == (len(X), LIGHTGBM.params["n_estimators"])


def test_options_count_by_position(client, table):
    X, y, _ = table
    model = FocalDaskLGBMClassifier(**LIGHTGBM.params).fit(spread(X), spread(y))
    options = (False, 0, 2, False, True, False)  # contributions of two rounds
    for given in ((True, 0, 2, False, False, False), options):
        expected = model.to_local().predict(X, *given)
        found = model.predict(spread(X, (1500, 1500)), *given)
        np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (lambda y: np.where(y > 0, np.nan, 0.0), "Input y contains NaN"),
        (lambda y: np.zeros_like(y), "labels of two classes or more"),
        (lambda y: y + np.arange(len(y)) / 1000, "Unknown label type"),
    ],
)
def test_labels_are_checked(host, client, table, labels, message):
    with pytest.raises(ValueError, match=message):
        host.on_cluster(**host.params).fit(spread(table[0]), spread(labels(table[1])))


def in_one_partition(array):
    return spread(array, (len(array),))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (lambda X, y, w: {"sample_weight": w}, "sample_weight must be a Dask array"),
        (
            lambda X, y, w: {"sample_weight": in_one_partition(w)},
            "sample_weight must be in 4 partitions",
        ),
        (lambda X, y, w: {"sample_weight": spread(-w)}, "sample_weight must be finite"),
        (
            lambda X, y, w: {"eval_set": [(spread(X), spread(y + 1))]},
            "eval_set must be made of the labels",
        ),
    ],
)
def test_arguments_are_checked(host, client, table, options, message):
    X, y, weight = table
    with pytest.raises(ValueError, match=message):
        host.on_cluster(**host.params).fit(
            spread(X), spread(y), **options(X, y, weight)
        )


def test_callable_metrics_are_refused(client, table):
    model = FocalDaskXGBClassifier(eval_metric=lambda y, p: 0.0)
    with pytest.raises(ValueError, match="eval_metric must be left out"):
        model.fit(spread(table[0]), spread(table[1]))


@pytest.mark.parametrize(
    "name", ["init_score", "eval_init_score", "eval_class_weight", "eval_metric"]
)
def test_what_lightgbm_cannot_do_on_a_cluster_is_refused(client, table, name):
    with pytest.raises(ValueError, match=f"{name} must be None on a cluster"):
        FocalDaskLGBMClassifier().fit(spread(table[0]), spread(table[1]), **{name: []})


def test_an_array_in_memory_is_refused(host, client, table):
    X, y, _ = table
    model = host.on_cluster(**host.params).fit(spread(X), spread(y))
    with pytest.raises(ValueError, match="X must be a Dask array or data frame"):
        model.predict_proba(X)


def test_an_asynchronous_client(client, table):
    import dask.array
    import distributed

    X, y, _ = table
    features, labels = (dask.array.from_array(array, 1500) for array in (X, y))

    async def on_cluster():
        address = client.scheduler.address
        async with distributed.Client(address, asynchronous=True) as own:
            model = FocalDaskXGBClassifier(**XGBOOST.params)
            model.client = own
            model = await model.fit(features, labels)
            probability = await model.predict_proba(features)
            return await own.compute(probability)

    found = asyncio.run(on_cluster())
    expected = FocalXGBClassifier(**XGBOOST.params, n_jobs=1).fit(X, y)
    np.testing.assert_allclose(found, expected.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("class_weight", [None, "balanced", "effective"])
def test_rows_of_weight_0_are_left_out(host, client, table, class_weight):
    X, y, weight = table
    weight = np.where(np.arange(len(y)) % 3 == 0, 0, weight)
    weight[WITHOUT_POSITIVES] = 0  # a partition of which nothing is left
    model, expected = fitted(host, (X, y, weight), y, class_weight=class_weight)
    assert_alike(host, model, expected, X)


def test_no_row_counts(host, client, table):
    X, y, _ = table
    with pytest.raises(ValueError, match="sample_weight"):
        host.on_cluster(**host.params).fit(
            spread(X), spread(y), sample_weight=spread(np.zeros(len(y)))
        )
