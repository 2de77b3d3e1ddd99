"""Finalised and saved models, with baselines, notes, losses and labels at random."""

import copy
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from checks import losses
from host_drivers import HOSTS, host_id
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from optional import lightgbm
from scipy.special import expit

from focalboost import FocalLoss, SoftmaxFocalLoss
from focalboost._hosts._note import Provenance, note_of, read_note
from focalboost.lightgbm import finalise
from focalboost.lightgbm._text import (
    finalised_text,
    is_finalised,
    note_in,
    with_note,
    without_note,
)

quick = settings(max_examples=60)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3)).round(2)
X[RNG.random(X.shape) < 0.1] = np.nan
Y = (np.nan_to_num(X[:, 0]) + RNG.normal(size=200) > 1).astype(int)

numbers = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)


@cache
def unfinished(rounds, boosting):
    """A LightGBM booster of a callable objective, and its raw predictions."""
    params = {"verbosity": -1, "num_threads": 1, "num_leaves": 5, "boosting": boosting}
    params["objective"] = _squares
    booster = lightgbm.train(params, lightgbm.Dataset(X, Y), rounds)
    return booster, booster.predict(X, raw_score=True)


def _squares(raw, data):
    return raw - data.get_label(), np.ones(len(raw))


@given(
    baseline=numbers.filter(lambda b: abs(b) < 1e100),
    rounds=st.integers(1, 4),
    boosting=st.sampled_from(["gbdt", "dart"]),
    loss=losses(),
)
@quick
def test_finalising_adds_the_baseline(baseline, rounds, boosting, loss):
    booster, before = unfinished(rounds, boosting)
    booster = finalise(copy.deepcopy(booster), baseline, loss)
    text = booster.model_to_string()
    raw = booster.predict(X, raw_score=True)
    scale = 1 + abs(baseline)
    np.testing.assert_allclose(raw, before + baseline, rtol=0, atol=1e-14 * scale)
    np.testing.assert_allclose(booster.predict(X), expit(raw), rtol=1e-12)
    assert is_finalised(text)
    assert finalise(booster, 3.0).model_to_string() == text
    assert read_note(note_in(text), "model").loss == loss
    again = lightgbm.Booster(model_str=text)
    np.testing.assert_array_equal(again.predict(X, raw_score=True), raw)


@given(words, words)
@quick
def test_notes_come_back(first, second):
    """Whatever they say, and LightGBM keeps them."""
    booster, _ = unfinished(1, "gbdt")
    text = finalised_text(booster.model_to_string(num_iteration=-1), 0.5, first)
    both = with_note(text, second, "another")
    assert (note_in(both), note_in(both, "another")) == (first, second)
    assert without_note(both, "another") == text
    kept = lightgbm.Booster(model_str=both).model_to_string()
    assert (note_in(kept), note_in(kept, "another")) == (first, second)


kinds = st.one_of(
    st.lists(words, min_size=3, max_size=3, unique=True),
    st.lists(st.integers(-(2**40), 2**40), min_size=3, max_size=3, unique=True),
    st.lists(
        st.integers(-(10**9), 10**9).map(float), min_size=3, max_size=3, unique=True
    ),
    st.lists(
        st.datetimes().map(lambda d: np.datetime64(d, "s")),
        min_size=3,
        max_size=3,
        unique=True,
    ),
).map(lambda values: np.unique(np.array(values)))


@given(losses(), kinds)
@quick
def test_a_note_gives_loss_and_labels_back(loss, kind):
    classes = kind[:2]
    if len(classes) < 2:  # NumPy strips what text ends with: two may be one
        return
    found = read_note(note_of(Provenance(loss, classes)), "model")
    assert found.loss == loss
    np.testing.assert_array_equal(found.classes, classes)
    is_text = classes.dtype.kind == "U"  # as long as the values
    expected = np.array(classes.tolist()) if is_text else classes
    assert found.classes.dtype == expected.dtype


@given(st.integers(2, 6), st.data())
@quick
def test_a_note_gives_a_softmax_back(n_classes, data):
    each = st.tuples(*[st.floats(0, 1000)] * n_classes)
    positive = st.tuples(*[st.floats(1e-6, 1e6)] * n_classes)
    gamma = data.draw(st.floats(0, 1000) | each)
    loss = SoftmaxFocalLoss(n_classes, gamma, data.draw(st.none() | positive))
    assert read_note(note_of(Provenance(loss, None)), "model").loss == loss


@pytest.mark.filterwarnings("ignore:The model has learned nothing")
@pytest.mark.parametrize("host", HOSTS, ids=host_id)
@given(loss=losses(), kind=kinds, several=st.booleans(), rounds=st.integers(1, 3))
@settings(quick, max_examples=25, phases=[Phase.generate])
def test_a_saved_model_predicts_the_same_bits(host, loss, kind, several, rounds):
    if len(kind) < 3:
        return
    codes = Y + (X[:, 1] > 1) * Y if several else Y
    model = host.estimator(n_estimators=rounds)
    model.set_params(focal_gamma=0.5 if several else loss.gamma)
    model.set_params(focal_alpha=None if several else loss.alpha)
    model.fit(X, kind[codes])
    with tempfile.TemporaryDirectory() as folder:
        for suffix in host.formats:
            path = Path(folder, f"model.{suffix}")
            model.save_model(path)
            loaded = host.estimator()
            loaded.load_model(path)
            expected = model.predict_proba(X)
            np.testing.assert_array_equal(loaded.predict_proba(X), expected)
            np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
            np.testing.assert_array_equal(loaded.classes_, model.classes_)
            if not several:
                assert loaded.focal_loss_ == FocalLoss(loss.gamma, loss.alpha)
