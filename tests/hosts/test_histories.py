"""Histories of a model, drawn at random: fit, continue, save, load, copy, predict.

Whatever has happened to a model in between, it predicts like one that was trained
straight through the same trainings, which is the oracle.
"""

import copy
import pickle
import tempfile
import warnings
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from host_drivers import HOSTS
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from scipy.special import expit, softmax

from focalboost import Checkpoint, FocalLoss, SoftmaxFocalLoss

#: Float32 sums of trees for XGBoost, float64 for LightGBM.
TOLERANCE = {"xgboost": 1e-6, "lightgbm": 1e-12}

BINARY = [FocalLoss(), FocalLoss((0, 2), 0.3)]
SOFTMAX = [SoftmaxFocalLoss(3), SoftmaxFocalLoss(3, (0, 1, 2))]

RNG = np.random.default_rng(0)
#: Whole numbers, of which all rows and the first part have the same bins.
X = RNG.integers(0, 12, (300, 3)).astype(np.float64)
SCORE = X[:, 0] + X[:, 1] + RNG.normal(size=300)
WEIGHT = RNG.uniform(0.5, 2, 300)


class Training(NamedTuple):
    """One call of train, or of fit."""

    loss: object
    rounds: int
    depth: int
    weighted: bool

    @property
    def params(self):
        several = isinstance(self.loss, SoftmaxFocalLoss)
        return {"max_depth": self.depth} | ({"num_class": 3} if several else {})

    @property
    def labels(self):
        edges = [13, 18] if isinstance(self.loss, SoftmaxFocalLoss) else [16]
        return np.digitize(SCORE, edges).astype(np.float64)

    @property
    def weight(self):
        return WEIGHT if self.weighted else None

    def run(self, host, before=None, **options):
        """The booster of this training, from a model or from the start."""
        if before is not None:
            options |= host.continued(before)
        data = host.data(X, self.labels, self.weight)
        return host.train(data, self.rounds, self.params, loss=self.loss, **options)


def quietly(call, *arguments, changed=False, **options):
    """Call, and hold it to a warning of another loss where there is one."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call(*arguments, **options)
    messages = [str(one.message) for one in caught if one.category is UserWarning]
    assert len(messages) == changed, messages
    assert all("was trained with" in message for message in messages)
    return result


@cache
def straight(host, history):
    """The booster of these trainings, one after the other; the oracle."""
    *earlier, last = history
    if not earlier:
        return last.run(host)
    before = straight(host, tuple(earlier))
    return quietly(last.run, host, before, changed=earlier[-1].loss != last.loss)


SHAPES = {
    "which": st.integers(0, 1),
    "rounds": st.integers(1, 4),
    "depth": st.integers(1, 3),
    "weighted": st.booleans(),
}


class History(RuleBasedStateMachine):
    """What a booster goes through."""

    def __init__(self, host, losses):
        super().__init__()
        self.host, self.losses = host, losses
        self.folder = tempfile.TemporaryDirectory()

    def teardown(self):
        self.folder.cleanup()

    def training(self, which, rounds, depth, weighted):
        return Training(self.losses[which], rounds, depth, weighted)

    @initialize(**SHAPES)
    def begin(self, **shape):
        self.fit(self.training(**shape))

    @rule(**SHAPES)
    def start_again(self, **shape):
        self.fit(self.training(**shape))

    @rule(**SHAPES)
    def go_on(self, **shape):
        self.go_on_with(self.training(**shape))

    @rule(rounds=st.integers(1, 3))
    def go_on_with_the_same(self, rounds):
        """Of the same settings, which is one training of the sum of the rounds."""
        last = self.history[-1]._replace(rounds=rounds)
        self.go_on_with(last)
        if len(self.history) == 2 and self.history[0]._replace(rounds=rounds) == last:
            whole = last._replace(rounds=self.history[0].rounds + rounds).run(self.host)
            raws = self.host.raw(whole, X), self.host.raw(self.booster, X)
            np.testing.assert_allclose(*raws, rtol=0, atol=1e-5)

    def fit(self, training):
        self.booster, self.history = training.run(self.host), (training,)

    def go_on_with(self, training):
        changed = training.loss != self.history[-1].loss
        arguments = self.host, self.booster
        self.booster = quietly(training.run, *arguments, changed=changed)
        self.history += (training,)

    @rule(which=st.integers(0, 1))
    def through_a_file(self, which):
        formats = self.host.formats
        path = Path(self.folder.name, f"model.{formats[which % len(formats)]}")
        self.booster.save_model(path)
        self.booster = self.host.loaded(path)

    @rule(function=st.sampled_from([copy.copy, copy.deepcopy]))
    def copied(self, function):
        self.booster = function(self.booster)

    @rule()
    def pickled(self):
        self.booster = pickle.loads(pickle.dumps(self.booster))

    @rule(rounds=st.integers(1, 4), every=st.integers(1, 3))
    def resumed(self, rounds, every):
        """The last training again, that stopped after some rounds."""
        *earlier, last = self.history
        before = straight(self.host, tuple(earlier)) if earlier else None
        changed = bool(earlier) and earlier[-1].loss != last.loss
        checkpoint = Checkpoint(Path(self.folder.name, "checkpoint"), every)
        checkpoint.path.unlink(missing_ok=True)
        short = last._replace(rounds=min(rounds, last.rounds))
        options = {"changed": changed, "checkpoint": checkpoint}
        for training in (short, last):
            self.booster = quietly(training.run, self.host, before, **options)

    @rule(rounds=st.integers(1, 4))
    def predicts_with_its_first_rounds(self, rounds):
        rounds = min(rounds, sum(training.rounds for training in self.history))
        expected = straight(self.host, self.history)
        raws = [self.host.raw(one, X, rounds) for one in (self.booster, expected)]
        np.testing.assert_allclose(*raws, rtol=0, atol=self.tolerance)

    @property
    def tolerance(self):
        return TOLERANCE[self.host.name]

    @invariant()
    def predicts_like_the_oracle(self):
        raw = self.host.raw(self.booster, X)
        expected = self.host.raw(straight(self.host, self.history), X)
        np.testing.assert_allclose(raw, expected, rtol=0, atol=self.tolerance)
        link = expit(raw) if raw.ndim == 1 else softmax(raw, axis=1)
        score = self.host.probability(self.booster, X)
        np.testing.assert_allclose(score, link, rtol=0, atol=1e-6)


NAMES = np.array(["fine", "leak", "short"])


class FittedHistory(History):
    """What an estimator goes through; the oracle is still `train`."""

    def fit(self, training, **options):
        loss, labels = training.loss, NAMES[training.labels.astype(int)]
        model = self.host.estimator(
            n_estimators=training.rounds,
            focal_gamma=loss.gamma,
            focal_alpha=loss.alpha,
            max_depth=training.depth,
        )
        self.model = model.fit(X, labels, sample_weight=training.weight, **options)
        if not options:
            self.history = (training,)

    def go_on_with(self, training):
        changed = training.loss != self.history[-1].loss
        before = self.host.continued(self.model)
        quietly(self.fit, training, changed=changed, **before)
        self.history += (training,)

    @property
    def booster(self):
        is_xgboost = self.host.name == "xgboost"
        return self.model.get_booster() if is_xgboost else self.model.booster_

    @rule(which=st.integers(0, 1))
    def through_a_file(self, which):
        formats = self.host.formats
        path = Path(self.folder.name, f"model.{formats[which % len(formats)]}")
        self.model.save_model(path)
        self.model = self.host.estimator()
        self.model.load_model(path)

    @rule(function=st.sampled_from([copy.copy, copy.deepcopy]))
    def copied(self, function):
        self.model = function(self.model)

    @rule()
    def pickled(self):
        self.model = pickle.loads(pickle.dumps(self.model))

    resumed = None

    @invariant()
    def predicts_the_posterior(self):
        raw = self.host.raw(straight(self.host, self.history), X)
        last = self.history[-1]
        expected = last.loss.posterior(raw.astype(np.float64))
        found = self.model.predict_proba(X)
        assert self.model.focal_loss_ == last.loss
        kinds = NAMES[: found.shape[1]]
        np.testing.assert_array_equal(self.model.classes_, kinds)
        if expected.ndim == 1:
            expected = np.column_stack([1 - expected, expected])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
        assert set(self.model.predict(X)) <= set(kinds)


@pytest.mark.parametrize("losses", [BINARY, SOFTMAX], ids=["binary", "softmax"])
@pytest.mark.parametrize("machine", [History, FittedHistory])
def test_a_history(host, machine, losses):
    run_state_machine_as_test(
        lambda: machine(host, losses),
        settings=settings(max_examples=6, stateful_step_count=8),
    )


def test_an_oracle_that_differs_is_noticed():
    """The machine can fail: here each training of the oracle has a round more."""
    if not HOSTS:
        pytest.skip("no host is installed")

    class Wrong(History):
        def fit(self, training):
            super().fit(training)
            self.history = (training._replace(rounds=training.rounds + 1),)

    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        run_state_machine_as_test(
            lambda: Wrong(HOSTS[0], BINARY),
            settings=settings(max_examples=2, phases=[Phase.generate]),
        )
