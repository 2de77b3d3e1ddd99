"""Probabilities of fitted estimators add up to the labels, wherever they are served."""

import pickle

import numpy as np
import pytest
from host_drivers import HOSTS, host_id
from hypothesis import given, settings
from hypothesis import strategies as st
from optional import HAS_XGBOOST, FocalXGBClassifier, lightgbm, version
from sklearn.base import clone
from sklearn.utils.class_weight import compute_sample_weight

RTOL = 1e-6

QUICK = {"learning_rate": 0.05, "n_estimators": 10}


def problem(kind, rare, faults):
    """Features, and labels of two or three classes."""
    if kind == "binary":
        X, y = rare
        return X, np.array(["no", "yes"])[y.astype(int)]
    if HAS_XGBOOST and version("xgboost") < (3, 1):
        pytest.skip("XGBoost before 3.1 has a single base_score")
    X, y = faults
    return X, np.array(["a", "b", "c"])[y.astype(int)]


def excess(model, X, y, weight=None):
    """The largest relative difference of summed probabilities and labels."""
    weight = np.ones(len(y)) if weight is None else weight
    labels = y if y.ndim == 2 else y[:, None] == model.classes_
    return np.max(np.abs(weight @ model.predict_proba(X) / (weight @ labels) - 1))


kinds = pytest.mark.parametrize("kind", ["binary", "classes"])


@kinds
@pytest.mark.parametrize("class_weight", [None, "balanced", "by label"])
def test_probabilities_add_up(host, kind, class_weight, rare, faults):
    X, y = problem(kind, rare, faults)
    labels = np.unique(y).tolist()
    alpha = dict(
        zip(labels, [0.2, 0.8] if kind == "binary" else [1, 2, 5], strict=True)
    )
    if class_weight == "by label":
        class_weight = dict(zip(labels, [1, 4, 2], strict=False))
    weight = np.random.default_rng(0).lognormal(size=len(y)).astype(np.float32)
    model = host.estimator(**QUICK, focal_alpha=alpha, class_weight=class_weight)
    model.fit(X, y, sample_weight=weight)
    total = weight.astype(float) * compute_sample_weight(class_weight, y)
    assert excess(model, X, y, total) < RTOL


@kinds
def test_without_the_balance_they_do_not(host, kind, rare, faults):
    X, y = problem(kind, rare, faults)
    model = host.estimator(**QUICK, focal_balance=False).fit(X, y)
    assert excess(model, X, y) > 1e-2


@kinds
def test_copies_and_files_have_the_balance(host, kind, rare, faults, tmp_path):
    X, y = problem(kind, rare, faults)
    model = host.estimator(**QUICK).fit(X, y)
    again = clone(model).fit(X, y)
    path = tmp_path / f"model.{host.formats[0]}"
    model.save_model(path)
    loaded = host.classifier()
    loaded.load_model(path)
    for copy in (again, pickle.loads(pickle.dumps(model)), loaded):
        assert excess(copy, X, y) < RTOL
    onwards = host.estimator(**QUICK).fit(X, y, **host.continued(loaded))
    assert excess(onwards, X, y) < RTOL


@kinds
def test_an_onnx_graph_has_the_balance(host, kind, rare, faults):
    pytest.importorskip("onnxmltools", reason="onnxmltools is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed")
    from focalboost.export import to_onnx

    X, y = problem(kind, rare, faults)
    X = X.astype(np.float32)
    model = host.estimator(**QUICK).fit(X, y)
    session = runtime.InferenceSession(
        to_onnx(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    posterior = session.run(["probabilities"], {"X": X})[0].astype(float).sum(axis=0)
    labels = (y[:, None] == model.classes_).sum(axis=0)
    np.testing.assert_allclose(posterior, labels, rtol=2e-6)


def stopped_early(host, X, y, evaluation, **params):
    if host.name == "xgboost":
        model = host.estimator(n_estimators=100, early_stopping_rounds=5, **params)
        return model.fit(X, y, eval_set=[evaluation], verbose=False)
    model = host.estimator(n_estimators=100, **params)
    stop = lightgbm.early_stopping(5, verbose=False)
    return model.fit(X, y, eval_set=[evaluation], callbacks=[stop])


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
def test_an_early_stopped_model_is_in_balance_at_its_best_round(host, rare):
    X, y = rare
    evaluation = X[2500:], y[2500:]
    model = stopped_early(host, X[:2500], y[:2500], evaluation, learning_rate=0.3)
    assert excess(model, X[:2500], y[:2500]) < RTOL


def test_a_callback_may_name_the_best_round(rare):
    library = pytest.importorskip("xgboost")

    class FifthIsBest(library.callback.TrainingCallback):
        def after_iteration(self, model, epoch, evals_log):
            if epoch == 9:
                model.set_attr(best_iteration="4")
            return False

    model = FocalXGBClassifier(**QUICK, callbacks=[FifthIsBest()]).fit(*rare)
    assert model.best_iteration == 4
    assert excess(model, *rare) < RTOL


@pytest.mark.parametrize("balance", [True, "validation"])
def test_xgboost_s_training_predictions_are_taken(balance, rare, monkeypatch):
    """Predicting a wide sparse QuantileDMatrix takes longer than the training."""
    library = pytest.importorskip("xgboost", minversion="3.0")
    X, y = rare
    model = FocalXGBClassifier(
        n_estimators=100, early_stopping_rounds=5, focal_balance=balance
    )
    made = []
    original = library.Booster.predict

    def predict(booster, data, *arguments, **options):
        made.append((type(data).__name__, options.get("training", False)))
        return original(booster, data, *arguments, **options)

    monkeypatch.setattr(library.Booster, "predict", predict)
    model.fit(X[:2000], y[:2000], eval_set=[(X[2000:], y[2000:])], verbose=False)
    assert model.best_iteration < model.get_booster().num_boosted_rounds() - 1
    # The metric predicts the evaluation set after every round, and the note one row.
    n_metrics = model.get_booster().num_boosted_rounds()
    plain = [kind for kind, is_training in made if not is_training]
    assert plain.count("QuantileDMatrix") == n_metrics
    assert plain.count("DMatrix") == 1


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
def test_the_balance_may_be_that_of_the_validation_rows(host, rare):
    X, y = rare
    evaluation = X[2500:], y[2500:]
    options = {"learning_rate": 0.3, "focal_balance": "validation"}
    model = stopped_early(host, X[:2500], y[:2500], evaluation, **options)
    assert excess(model, *evaluation) < RTOL
    assert excess(model, X[:2500], y[:2500]) > 1e-3


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
def test_the_last_set_may_be_the_training_set(host, rare):
    X, y = (part[:2500] for part in rare)
    sets = [(rare[0][2500:], rare[1][2500:]), (X, y)]
    options = {"verbose": False} if host.name == "xgboost" else {}
    model = host.estimator(**QUICK, focal_balance="validation")
    assert excess(model.fit(X, y, eval_set=sets, **options), X, y) < RTOL


def test_the_training_set_may_be_evaluated_with_other_weights(rare):
    """XGBoost takes it for another one."""
    X, y = rare
    weight = np.random.default_rng(0).lognormal(size=len(y)).astype(np.float32)
    model = FocalXGBClassifier(**QUICK, focal_balance="validation")
    model.fit(X, y, eval_set=[(X, y)], sample_weight_eval_set=[weight], verbose=False)
    assert excess(model, X, y, weight.astype(float)) < RTOL
    assert excess(model, X, y) > 1e-3


def test_validation_rows_have_to_be_there(host, rare):
    with pytest.raises(ValueError, match="focal_balance must be True or False without"):
        host.estimator(focal_balance="validation").fit(*rare)


def test_what_is_no_balance_is_refused(host, rare):
    message = 'focal_balance must be True, False or "validation"; got 1.'
    with pytest.raises(ValueError, match=message):
        host.estimator(focal_balance=1).fit(*rare)


def test_several_labels_are_in_balance(rare):
    if HAS_XGBOOST and version("xgboost") < (3, 1):
        pytest.skip("XGBoost before 3.1 has a single base_score")
    X, y = rare
    labels = np.column_stack([y, X[:, 1] > 1]).astype(int)
    model = FocalXGBClassifier(**QUICK, n_jobs=1).fit(X, labels)
    assert excess(model, X, labels) < RTOL


def test_dart_is_in_balance(host, rare):
    X, y = rare
    kind = {"booster": "dart", "rate_drop": 0.5}
    if host.name == "lightgbm":
        kind = {"boosting_type": "dart"}
    model = host.estimator(**QUICK, **kind).fit(X, y)
    assert excess(model, X, y) < RTOL


def test_data_frames_with_categories_are_in_balance(host, rare):
    pandas = pytest.importorskip("pandas")
    X, y = rare
    frame = pandas.DataFrame(X, columns=[f"f{i}" for i in range(X.shape[1])])
    frame["kind"] = pandas.Categorical(np.where(X[:, 0] > 0, "x", "y"))
    options = {"enable_categorical": True} if host.name == "xgboost" else {}
    model = host.estimator(**QUICK, **options).fit(frame, y)
    assert excess(model, frame, y) < RTOL


@pytest.mark.filterwarnings("ignore:The model has learned nothing")
@pytest.mark.parametrize("host", HOSTS, ids=host_id)
@given(st.integers(0, 100), st.floats(0.02, 0.4), st.sampled_from([0.5, 2, (0, 4)]))
@settings(max_examples=15)
def test_any_prevalence_is_in_balance(host, seed, share, gamma):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(200, 2))
    y = (rng.random(200) < share).astype(int)
    y[:2] = [0, 1]
    weight = rng.integers(1, 4, 200).astype(float)
    model = host.estimator(n_estimators=3, focal_gamma=gamma)
    model.fit(X, y, sample_weight=weight)
    # XGBoost rounds raw predictions of up to 4 to float32, 2.4e-7 apart. The posterior
    # rises 1 + 4 times as fast, and few leaves do not average the rounding out.
    assert excess(model, X, y, weight) < 5 * 2.4e-7 + RTOL


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
@pytest.mark.parametrize("kind", ["binary", "classes", "labels"])
@pytest.mark.parametrize("balance", [True, "validation"])
@pytest.mark.parametrize("gamma", [0, 2])
def test_a_model_of_other_rows_is_balanced_on_the_new_ones(host, kind, balance, gamma):
    """There are more values than bins, so that the new rows have other bins."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3000, 3))
    score = X[:, 0] + rng.normal(size=3000)
    y = np.digitize(score, [1.5] if kind == "binary" else [1, 2])
    if kind == "labels":
        if host.name == "lightgbm":
            pytest.skip("LightGBM has no multilabel")
        y = np.column_stack([y == 1, y == 2]).astype(int)
    if kind != "binary" and HAS_XGBOOST and version("xgboost") < (3, 1):
        pytest.skip("XGBoost before 3.1 has a single base_score")
    old, new, valid = slice(1000), slice(1000, 2000), slice(2000, None)
    quick = {**QUICK, "focal_gamma": gamma}
    first = host.estimator(**quick).fit(X[old], y[old])
    model = host.estimator(**quick, focal_balance=balance)
    options = {"eval_set": [(X[valid], y[valid])], **host.continued(first)}
    model.fit(X[new], y[new], **options)
    rows = new if balance is True else valid
    assert excess(model, X[rows], y[rows]) < RTOL
