"""Classes that a batch, a fold or the weights leave out."""

import numpy as np
import pytest
from optional import FocalXGBClassifier
from sklearn.model_selection import KFold, cross_val_score

NAMES = np.array(["a", "b", "c"])


@pytest.fixture(scope="module")
def named(faults):
    X, y = faults
    return X, NAMES[y.astype(int)]


@pytest.mark.parametrize("kept", ["a", "b", "c", "ac", "bc"])
def test_a_batch_that_lacks_classes_trains_on(host, named, kept):
    X, y = named
    first = host.estimator(n_estimators=3).fit(X, y)
    rows = np.isin(y, list(kept))
    model = host.estimator(n_estimators=3)
    model.fit(X[rows], y[rows], **host.continued(first))
    assert model.classes_.tolist() == first.classes_.tolist() == NAMES.tolist()
    assert model.n_classes_ == 3
    before, after = (one.predict_proba(X) for one in (first, model))
    assert after.shape == (len(X), 3)
    codes = np.isin(NAMES, list(kept))
    assert after[:, codes].sum() > before[:, codes].sum()


def test_a_single_row_trains_on_with_xgboost(mixed):
    X, y = mixed
    first = FocalXGBClassifier(n_estimators=3).fit(X, y)
    model = FocalXGBClassifier(n_estimators=1).fit(X[:1], y[:1], xgb_model=first)
    assert model.classes_.tolist() == [0, 1]


@pytest.mark.parametrize("label", ["ok", "fraud"])
@pytest.mark.parametrize("form", ["estimator", "booster", "file"])
def test_a_batch_of_one_class_trains_on(host, mixed, label, form, tmp_path):
    X, y = mixed
    y = np.where(y, "fraud", "ok")
    first = host.estimator(n_estimators=3).fit(X, y)
    model = first
    if form == "booster":
        model = first.get_booster() if host.name == "xgboost" else first.booster_
    elif form == "file":
        model = tmp_path / f"model.{host.formats[0]}"
        first.save_model(model)
    rows = y == label
    model = host.estimator(n_estimators=3).fit(
        X[rows], y[rows], **host.continued(model)
    )
    assert model.classes_.tolist() == ["fraud", "ok"]
    code = ["fraud", "ok"].index(label)
    means = [one.predict_proba(X)[:, code].mean() for one in (first, model)]
    assert means[1] > means[0]


def test_a_model_of_codes_trains_on_with_some_of_them(host, faults):
    """Models of ``train`` know how many classes they have, and no labels."""
    from focalboost import SoftmaxFocalLoss

    X, y = faults
    first = host.train(host.data(X, y), 3, loss=SoftmaxFocalLoss(3))
    rows = y != 1
    model = host.estimator(n_estimators=3)
    model.fit(X[rows], y[rows], **host.continued(first))
    assert model.classes_.tolist() == [0, 1, 2]
    named = host.estimator(n_estimators=3)
    named.fit(X, NAMES[y.astype(int)], **host.continued(first))
    assert named.classes_.tolist() == NAMES.tolist()


@pytest.mark.parametrize("y", [["x", "a"], [0, 1], [1.0, 1.0]])
def test_labels_that_the_model_does_not_know(host, named, y):
    X, labels = named
    first = host.estimator(n_estimators=2).fit(X, labels)
    with pytest.raises(ValueError, match=r"y must be made of the labels \['a', 'b'"):
        host.estimator().fit(X[:2], y, **host.continued(first))


@pytest.mark.parametrize("label", [0, "b"])
def test_one_class_alone_has_no_model(host, mixed, label):
    X, _ = mixed
    with pytest.raises(ValueError, match="y must be labels of two classes or more"):
        host.estimator().fit(X, [label] * len(X))


def test_class_weights_of_digits_as_text(host, mixed):
    """scikit-learn reads such labels as numbers, and does not find them in the dict."""
    X, y = mixed
    of_text = host.estimator(n_estimators=2, class_weight={"0": 1, "1": 3})
    of_numbers = host.estimator(n_estimators=2, class_weight={0: 1, 1: 3, 7: 2})
    np.testing.assert_array_equal(
        of_text.fit(X, y.astype(int).astype(str)).predict_proba(X),
        of_numbers.fit(X, y).predict_proba(X),
    )


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({0: 1, "1": 3}, r"class_weight must be by label.*Add \[1.*\], or leave out"),
        ({0: 0, 1: 0}, "class_weight must be made of .* not all of them 0"),
    ],
)
def test_class_weights_that_cannot_be(host, class_weight, message, mixed):
    with pytest.raises(ValueError, match=message):
        host.estimator(class_weight=class_weight).fit(*mixed)


@pytest.mark.parametrize("by", ["class_weight", "sample_weight"])
def test_a_class_without_weight_trains(host, named, by):
    X, y = named
    options = {} if by == "class_weight" else {"sample_weight": 1.0 * (y != "b")}
    params = {"class_weight": {"a": 1, "b": 0, "c": 2}} if not options else {}
    model = host.estimator(n_estimators=5, **params).fit(X, y, **options)
    posterior = model.predict_proba(X)
    assert posterior.shape == (len(X), 3)
    assert np.all(posterior[:, 1] < 1e-4)
    assert model.score(X[y != "b"], y[y != "b"]) > 0.8


@pytest.mark.filterwarnings("ignore:The model has learned nothing")
def test_a_positive_class_without_weight_trains(host, mixed):
    model = host.estimator(n_estimators=2, class_weight={0: 1, 1: 0}).fit(*mixed)
    assert np.all(model.predict_proba(mixed[0])[:, 1] < 2e-6)


@pytest.mark.parametrize("label", [0, 1])
def test_a_label_column_of_one_class_trains(mixed, label):
    X, y = mixed
    Y = np.column_stack([y, np.full(len(y), label)])
    model = FocalXGBClassifier(n_estimators=5, n_jobs=1).fit(X, Y)
    posterior = model.predict_proba(X)
    assert np.all(abs(posterior[:, 1] - label) < 1e-5)
    alone = FocalXGBClassifier(n_estimators=5, n_jobs=1).fit(X, y)
    np.testing.assert_allclose(posterior[:, 0], alone.predict_proba(X)[:, 1], atol=1e-5)


def test_folds_without_a_class(host, faults):
    """With a class of three rows in order, two folds of six have all or none of it."""
    X, y = faults
    y = np.where(y == 2, 0, y)
    y[:3] = 2
    scores = cross_val_score(
        host.estimator(n_estimators=5), X, y, cv=KFold(6), error_score="raise"
    )
    assert np.all(scores > 0.8)
