"""What one of LightGBM's workers makes of the sums of all."""

from types import SimpleNamespace

import numpy as np
import pytest

from focalboost import focal_metric
from focalboost.distributed.lightgbm import SumOverWorkers, local_sums


class Doubling:
    """The adder of two workers, of which the other has the same rows."""

    has_ended = False

    def total(self, values, n_workers):
        assert n_workers == 2
        return SimpleNamespace(result=lambda timeout: values * 2)


ALONE = {}
OF_TWO = {"machines": "127.0.0.1:5,127.0.0.1:6"}


def test_the_sums_of_this_worker_have_names_of_their_own():
    metric = focal_metric()
    y, raw, weight = np.array([0, 1, 1]), np.array([-1, 0.5, 2]), np.array([1, 2, 0.5])
    names, values, _ = zip(*local_sums(metric, y, raw, weight), strict=True)
    np.testing.assert_array_equal(values, metric.sums(y, raw, weight))
    assert len(set(names)) == len(names)


class Result(tuple):
    """As LightGBM's since 4.7: a class of its own, made of the parts."""

    __slots__ = ()

    def __new__(cls, *parts):
        return super().__new__(cls, parts)


@pytest.mark.parametrize("kind", [tuple, Result])
@pytest.mark.parametrize(
    ("params", "adder"),
    [(ALONE, None), (OF_TWO, Doubling())],
    ids=["one worker needs no adder", "two workers"],
)
def test_the_metric_takes_the_place_of_the_sums(kind, params, adder):
    """Twice the same rows have the same metric."""
    metric = focal_metric(gamma=1)
    sets = {}
    for name, n_rows in (("first", 30), ("second", 40)):
        rng = np.random.default_rng(n_rows)
        sets[name] = rng.integers(2, size=n_rows), rng.normal(size=n_rows), None
    callback = SumOverWorkers(metric, adder)
    for _ in range(2):
        results = [
            kind([name, *parts]) if kind is tuple else kind(name, *parts)
            for name, given in sets.items()
            for parts in local_sums(metric, *given)
        ]
        kept = results
        callback(SimpleNamespace(evaluation_result_list=results, params=params))
        assert kept == [
            (name, metric.__name__, pytest.approx(metric.relative_loss(*given)), False)
            for name, given in sets.items()
        ]
        assert {type(result) for result in kept} == {kind}


def test_it_comes_before_what_prints_records_and_stops():
    lightgbm = pytest.importorskip("lightgbm")
    later = [
        lightgbm.log_evaluation(),
        lightgbm.record_evaluation({}),
        lightgbm.early_stopping(3, verbose=False),
    ]
    assert SumOverWorkers.order < min(callback.order for callback in later)
    assert not SumOverWorkers.before_iteration
