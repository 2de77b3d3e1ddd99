"""Rows that estimators are given: weights that count, weights of 0, odd arrays."""

import gc
import pickle
import weakref

import numpy as np
import pytest
import scipy.sparse
from host_drivers import LightGBMDriver, XGBoostDriver
from optional import HAS_LIGHTGBM, version

from focalboost import FocalLoss, focal_metric

# LightGBM 4.7 prefers eval_X and eval_y, which 4.5 does not know.
pytestmark = pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")


def sparse_rows(X):
    return scipy.sparse.csr_matrix(X)


def a_pandas_frame(X):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(X, columns=list("abcde"))


def a_polars_frame(X):
    polars = pytest.importorskip("polars")
    if HAS_LIGHTGBM and version("lightgbm") < (4, 7):
        pytest.skip("LightGBM before 4.7 does not read Polars")
    return polars.DataFrame(X, schema=list("abcde"))


def an_arrow_table(X):
    arrow = pytest.importorskip("pyarrow")
    return arrow.table({name: X[:, i] for i, name in enumerate("abcde")})


def a_lazy_polars_frame(X):
    return a_polars_frame(X).lazy()


FRAMES = [a_pandas_frame, a_polars_frame, an_arrow_table]
SPARSE = [sparse_rows, scipy.sparse.coo_matrix, scipy.sparse.bsr_matrix]
KINDS = [np.asarray, list, *SPARSE, *FRAMES, a_lazy_polars_frame]


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_of_weight_0_is_no_row(host, kind, mixed):
    X, y = mixed
    weight = np.arange(len(y)) % 4.0
    without = host.estimator(n_estimators=5)
    without.fit(kind(X[weight > 0]), y[weight > 0], sample_weight=weight[weight > 0])
    model = host.estimator(n_estimators=5).fit(kind(X), y, sample_weight=weight)
    np.testing.assert_array_equal(
        model.predict_proba(kind(X)), without.predict_proba(kind(X))
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("flat", [False, True])
def test_a_start_of_rows_of_weight_0(host, n_classes, flat, faults):
    X, y = faults
    y = np.minimum(y, n_classes - 1)
    weight = (np.arange(len(y)) % 3 > 0).astype(float)
    kept = weight > 0
    columns = () if n_classes == 2 else (3,)
    start = np.random.default_rng(0).normal(size=(len(y), *columns))
    name = "base_margin" if host.name == "xgboost" else "init_score"

    def form(scores):
        order = "C" if host.name == "xgboost" else "F"
        return scores.ravel(order) if flat else scores

    def raw(X, y, start, weight=None):
        model = host.estimator(n_estimators=3)
        model.fit(X, y, sample_weight=weight, **{name: form(start)})
        return model.predict(X_all, **host.margin_option())

    X_all = X
    np.testing.assert_array_equal(
        raw(X, y, start, weight), raw(X[kept], y[kept], start[kept])
    )


@pytest.mark.parametrize("class_weight", [None, {0: 1, 1: 3}])
def test_weights_may_be_a_column(host, class_weight, mixed):
    X, y = mixed
    weight = 1 + np.arange(len(y)) % 3

    def fitted(weight):
        model = host.estimator(n_estimators=3, class_weight=class_weight)
        options = {}
        if host.name == "xgboost":  # LightGBM refuses a column for a set
            options = {"sample_weight_eval_set": [weight], "verbose": False}
            options["eval_set"] = [(X, 1 - y)]
        return model.fit(X, y, sample_weight=weight, **options)

    one, other = fitted(weight), fitted(weight.reshape(-1, 1))
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    if host.name == "xgboost":
        assert one.evals_result_ == other.evals_result_


def test_weights_may_be_what_only_numpy_s_array_reads(host, mixed):
    X, y = mixed
    weight = 1 + np.arange(len(y)) % 3

    class Weights:
        def __array__(self, dtype=None, copy=None):
            return np.asarray(weight, dtype=dtype)

        def __array_function__(self, *arguments):
            raise TypeError("no function of NumPy takes it")

    found, expected = (
        host.estimator(n_estimators=2).fit(X, y, sample_weight=given).predict_proba(X)
        for given in (Weights(), weight)
    )
    np.testing.assert_array_equal(found, expected)


def test_balanced_weights_count_the_rows_that_count(host, mixed):
    X, y = mixed
    weight = np.where(y == 1, np.arange(len(y)) % 2, 1.0)
    kept = weight > 0
    model = host.estimator(n_estimators=5, class_weight="balanced")
    expected = model.fit(X[kept], y[kept]).predict_proba(X)
    model.fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_the_training_set_is_evaluated_as_it_is_trained_on(host, mixed):
    X, y = mixed
    weight = np.arange(len(y)) % 4.0
    params = {"eval_set": [(X, y)]}
    if host.name == "xgboost":
        params |= {"sample_weight_eval_set": [weight], "verbose": False}
    # Rounds are evaluated before the balance.
    model = host.estimator(n_estimators=3, focal_balance=False)
    model.fit(X, y, sample_weight=weight, **params)
    raw = model.predict(X, **host.margin_option())
    (recorded,) = model.evals_result_.values()
    assert recorded["relative_focal_loss"][-1] == pytest.approx(
        focal_metric()(y, raw, weight), abs=2e-6
    )


def test_weights_of_the_training_set_are_given_again(host, mixed):
    """As another object, with those of the rows that do not count."""
    X, y = mixed
    weight = np.arange(len(y)) % 4.0
    name, params = "eval_sample_weight", {"eval_set": [(X, y)]}
    if host.name == "xgboost":
        name, params["verbose"] = "sample_weight_eval_set", False
    params[name] = [weight.tolist()]
    weights = {"class_weight": {0: 1, 1: 5}}
    # Rounds are evaluated before the balance.
    model = host.estimator(n_estimators=3, focal_balance=False, **weights)
    model.fit(X, y, sample_weight=weight, **params)
    raw = model.predict(X, **host.margin_option())
    (recorded,) = model.evals_result_.values()
    assert recorded["relative_focal_loss"][-1] == pytest.approx(
        focal_metric()(y, raw, weight * (1 + 4 * y)), abs=2e-6
    )
    params[name] = [weight[:9]]
    with pytest.raises(ValueError, match=r"sample_weight must be of shape \(3000,\)"):
        model.fit(X, y, sample_weight=weight, **params)


@pytest.mark.filterwarnings("ignore:The model has learned nothing")
def test_a_class_of_weight_0_has_a_start(host, mixed):
    X, y = mixed
    model = host.estimator(n_estimators=2).fit(X, y, sample_weight=y)
    assert np.all(abs(model.predict_proba(X)[:, 0] - 1e-6) < 1e-6)
    assert model.classes_.tolist() == [0, 1]


@pytest.mark.parametrize("params", [{}, {"tree_method": "exact"}])
@pytest.mark.parametrize("data", ["mixed", "faults"])
def test_a_row_of_weight_4_is_four_rows_to_xgboost(params, data, request):
    """Powers of two: products of other weights are rounded to float32."""
    X, y = request.getfixturevalue(data)
    X = X.round(1)  # with fewer values than bins
    times = np.array([0, 1, 2, 4, 8])[np.arange(len(y)) % 5]
    model = XGBoostDriver().estimator(n_estimators=20, **params)
    repeated = model.fit(X.repeat(times, axis=0), y.repeat(times)).predict_proba(X)
    weighted = model.fit(X, y, sample_weight=times).predict_proba(X)
    np.testing.assert_array_equal(weighted, repeated)


def test_bins_of_xgboost_move_with_weights_unless_they_hold_every_value(mixed):
    X, y = mixed
    times = 2 ** (np.arange(len(y)) % 4)

    def difference(**params):
        model = XGBoostDriver().estimator(n_estimators=5, **params)
        repeated = model.fit(X.repeat(times, axis=0), y.repeat(times)).predict_proba(X)
        weighted = model.fit(X, y, sample_weight=times).predict_proba(X)
        return abs(weighted - repeated).max()

    assert difference(tree_method="exact") == difference(max_bin=len(X)) == 0
    assert difference() > 0.01


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.zeros(3000), "sample_weight must be above zero for at least one row"),
        (np.full(3000, -1.0), "sample_weight must be finite and >= 0"),
        (np.full(3000, np.nan), "sample_weight must be finite and >= 0"),
        (np.ones(2999), r"sample_weight must be of shape \(3000,\)"),
        (np.ones((3000, 2)), r"sample_weight must be of shape \(3000,\)"),
    ],
    ids=["zero", "negative", "missing", "short", "matrix"],
)
def test_weights_that_are_none_are_refused(host, weight, message, mixed):
    with pytest.raises(ValueError, match=message):
        host.estimator().fit(*mixed, sample_weight=weight)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_no_rows_have_no_predictions(host, n_classes, faults):
    X, y = faults[0], np.minimum(faults[1], n_classes - 1)
    model = host.estimator(n_estimators=2).fit(X, y)
    for none in (X[:0], a_pandas_frame(X)[:0], sparse_rows(X)[:0]):
        assert model.predict_proba(none).shape == (0, n_classes)
        assert model.predict(none).shape == (0,)
        several = (n_classes,) if n_classes > 2 else ()
        assert model.decision_function(none).shape == (0, *several)
    with pytest.raises(ValueError, match=r"X has 4 features, but .* expecting 5"):
        model.predict(X[:0, 1:])


@pytest.mark.parametrize("form", [np.asarray, list])
def test_a_single_evaluation_set_may_stand_alone(host, form, mixed):
    X, y = map(form, mixed)
    quiet = {"verbose": False} if host.name == "xgboost" else {}
    histories = [
        host.estimator(n_estimators=2).fit(X, y, eval_set=sets, **quiet).evals_result_
        for sets in ((X, y), [(X, y)], ((X, y),))
    ]
    assert histories[0] == histories[1] == histories[2]
    with pytest.raises(ValueError, match="eval_set must be a list of pairs"):
        host.estimator(n_estimators=2).fit(X, y, eval_set=[X, y], **quiet)


def test_one_number_weighs_every_row(host, mixed):
    X, y = mixed
    one = host.estimator(n_estimators=3).fit(X, y, sample_weight=2)
    many = host.estimator(n_estimators=3).fit(X, y, sample_weight=np.full(3000, 2.0))
    np.testing.assert_array_equal(one.predict_proba(X), many.predict_proba(X))


@pytest.mark.parametrize("dtype", [">f8", ">f4", ">i4", "float16", "longdouble"])
def test_numbers_of_any_kind_and_byte_order(host, dtype, mixed):
    X, y = (8 * mixed[0]).round(), mixed[1]
    plain = host.estimator(n_estimators=3).fit(X, y)
    other = host.estimator(n_estimators=3).fit(X.astype(dtype), y.astype(">f8"))
    for model in (plain, other):
        np.testing.assert_array_equal(
            model.predict_proba(X.astype(dtype)), plain.predict_proba(X)
        )


@pytest.mark.parametrize(("data", "several"), [("mixed", ()), ("faults", (3,))])
def test_no_rows_have_no_answers_from_xgboost(data, several, request):
    X, y = request.getfixturevalue(data)
    model = XGBoostDriver().estimator(n_estimators=2).fit(X, y)
    assert model.predict(X[:0]).shape == (0,)
    assert model.decision_function(X[:0]).shape == (0, *several)
    assert model.predict_proba(X[:0]).shape == (0, len(model.classes_))


@pytest.mark.parametrize("n_estimators", [0, -1, 2.5, "3"])
def test_a_number_of_rounds_that_trains_nothing_is_refused(host, n_estimators, mixed):
    with pytest.raises(ValueError, match="n_estimators must be a whole number >= 1"):
        host.estimator(n_estimators=n_estimators).fit(*mixed)


def test_missing_labels_are_refused(host, mixed):
    X, y = mixed
    with pytest.raises(ValueError, match="Input y contains NaN"):
        host.estimator().fit(X, np.where(y == 1, np.nan, y))
    with pytest.raises(ValueError, match="y must be labels, one for each row"):
        host.estimator().fit(X, None)


def test_arrays_of_another_form_are_refused(host, mixed):
    X, y = mixed
    model = host.estimator(n_estimators=2).fit(X, y)
    for method in (model.predict, model.predict_proba, model.decision_function):
        with pytest.raises(ValueError, match=r"X has 4 features, but .* expecting 5"):
            method(X[:, 1:])
        with pytest.raises(ValueError, match="Reshape your data"):
            method(X[0])
    with pytest.raises(ValueError, match="Complex data not supported"):
        model.fit(X * 1j, y)


def test_nothing_in_a_fitted_estimator_holds_the_training_data(host, rare):
    X, y, weight = np.array(rare[0]), np.array(rare[1]), np.ones(len(rare[1]))
    quiet = {"verbose": False} if host.name == "xgboost" else {}
    model = host.estimator(n_estimators=3)
    model.fit(X, y, sample_weight=weight, eval_set=[(X, y)], **quiet)
    held = [weakref.ref(array) for array in (X, y, weight)]
    del X, y, weight
    gc.collect()
    assert [reference() is None for reference in held] == [True] * 3
    assert largest_array_in(model) < 100


def largest_array_in(value, seen=None):
    """The size of the largest array that can be reached from a value's attributes."""
    seen = set() if seen is None else seen
    if id(value) in seen:
        return 0
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        return value.size
    inside = value.values() if isinstance(value, dict) else ()
    if isinstance(value, list | tuple | set):
        inside = value
    elif hasattr(value, "__dict__"):
        inside = vars(value).values()
    return max((largest_array_in(item, seen) for item in inside), default=0)


def test_a_pickle_does_not_grow_with_the_rows(host, rare):
    X, y = rare

    def size(times):
        model = host.estimator(n_estimators=2, max_depth=2)
        return len(pickle.dumps(model.fit(np.tile(X, (times, 1)), np.tile(y, times))))

    assert size(8) < 1.05 * size(1)


@pytest.mark.parametrize("source", ["estimator", "train"])
def test_continuing_with_another_loss_warns(host, source, mixed):
    X, y = mixed
    first = host.estimator(n_estimators=2, focal_gamma=1, focal_alpha=0.3).fit(X, y)
    if source == "train":
        first = host.train(host.data(X, y), 2, loss=FocalLoss(1, 0.3))
    same = host.estimator(n_estimators=2, focal_gamma=1, focal_alpha=0.3)
    same.fit(X, y, **host.continued(first))
    message = (
        r"was trained with FocalLoss\(gamma=1.0, alpha=0.3\), and training continues"
    )
    for loss in ({"focal_gamma": 2, "focal_alpha": 0.3}, {"focal_gamma": 1}):
        with pytest.warns(UserWarning, match=message):
            host.estimator(n_estimators=2, **loss).fit(X, y, **host.continued(first))


def test_going_on_with_other_labels_is_refused(host, mixed):
    X, y = mixed
    first = host.estimator(n_estimators=2).fit(X, np.where(y == 1, "fraud", "ok"))
    second = host.estimator(n_estimators=2)
    message = r"y must be made of the labels \['fraud', 'ok"
    with pytest.raises(ValueError, match=message):
        second.fit(X, np.where(y == 1, "a", "b"), **host.continued(first))
    assert not hasattr(second, "classes_")


def test_a_deep_leaf_of_lightgbm_counts_rows_of_weight(mixed):
    X, y = mixed
    few = np.zeros(len(y))
    few[:60] = 1
    model = LightGBMDriver().estimator(n_estimators=1, min_child_samples=31)
    with pytest.warns(UserWarning, match="has learned nothing"):
        model.fit(X, y, sample_weight=few)


def test_classes_are_those_of_the_estimator_s_host(host):
    assert issubclass(host.classifier, host.host_classifier)
    assert host.classifier.__module__ == FocalLoss.__module__ == "focalboost"
