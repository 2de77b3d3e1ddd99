"""Blocks on several threads: the same numbers to the last bit, and the same errors."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from focalboost import FocalLoss, SoftmaxFocalLoss, focal_objective
from focalboost.losses import _evaluate, is_compiled

pytestmark = pytest.mark.usefixtures("form")

LOSSES = [FocalLoss((0.5, 2), 0.3), FocalLoss(2.3), SoftmaxFocalLoss(3, (0, 1, 2.3))]
METHODS = ("gradient_curvature", "gradient_hessian")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(_evaluate, "BLOCK", 64)
    monkeypatch.setattr(_evaluate, "ENTRIES_OF_A_THREAD", 1)


def arrays(loss, dtype, n=1001):
    rng = np.random.default_rng(0)
    several = isinstance(loss, SoftmaxFocalLoss)
    raw = 5 * rng.normal(size=(n, 3) if several else n)
    y = rng.integers(3 if several else 2, size=n)
    return y.astype(np.float32), raw.astype(dtype), rng.random(n).astype(np.float32)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_threads_do_not_change_a_bit(loss, dtype, method, monkeypatch):
    given = arrays(loss, dtype)
    one = getattr(loss, method)(*given, n_threads=1)
    for block in (17, 64, 10_000):
        monkeypatch.setattr(_evaluate, "BLOCK", block)
        for n_threads in (1, 2, 7):
            several = getattr(loss, method)(*given, n_threads=n_threads)
            for first, second in zip(one, several, strict=True):
                np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "shape", [(0,), (1,), (64,), (65,), (999,), (99, 3), (20, 500), (7, 33), (5, 0)]
)
def test_blocks_are_few_and_of_almost_one_size(shape, dtype):
    """Of 256 bytes each, here, but more than one row."""
    array = np.empty(shape, dtype)
    blocks = _evaluate.blocks_of(array)
    rows = [np.arange(len(array))[block] for block in blocks]
    np.testing.assert_array_equal(np.concatenate(rows or [[]]), np.arange(len(array)))
    sizes = sorted(map(len, rows))
    bytes_of_row = array.itemsize * max(1, np.prod(shape[1:]))
    assert len(blocks) == np.ceil(len(array) / max(3, 256 // bytes_of_row))
    assert not sizes or sizes[-1] - sizes[0] <= 1
    assert len(array) <= 1 or sizes[0] > 1


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_results_lie_in_one_piece_of_memory(loss, order):
    """The system takes two pieces of a size back after each round."""
    y, raw, _ = arrays(loss, "float32")
    gradient, curvature = loss.gradient_curvature(y, np.asarray(raw, order=order))
    assert gradient.base is curvature.base is not None


@pytest.fixture
def started(monkeypatch):
    """The threads that have been started."""
    threads = []

    class Noted(threading.Thread):
        def start(self):
            threads.append(self)
            super().start()

    monkeypatch.setattr(_evaluate, "Thread", Noted)
    return threads


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_as_many_threads_work_as_are_asked_for(loss, method, started, monkeypatch):
    """One of them is that of the caller."""
    given = arrays(loss, "float32")
    getattr(loss, method)(*given)
    assert len(started) == 0
    getattr(loss, method)(*given, n_threads=3)
    assert len(started) == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    getattr(loss, method)(*given, n_threads=None)
    assert len(started) == 2 + 4


def test_no_more_threads_are_started_than_there_are_items(started):
    _evaluate.for_each(started.count, range(3), 8)
    assert len(started) == 2
    _evaluate.for_each(started.count, range(1), 8)
    assert len(started) == 2


@pytest.mark.parametrize("allowed", [0, 1])
def test_threads_that_the_system_refuses_are_done_without(allowed, monkeypatch):
    started, done = [], []

    class Limited(threading.Thread):
        def start(self):
            if len(started) == allowed:
                raise RuntimeError("can't start new thread")
            started.append(self)
            super().start()

    monkeypatch.setattr(_evaluate, "Thread", Limited)
    _evaluate.for_each(done.append, range(1000), 4)
    assert sorted(done) == list(range(1000))
    assert not any(thread.is_alive() for thread in started)


def test_blocks_run_on_threads_that_end():
    together = threading.Barrier(2)
    names = set()

    def task(_):
        together.wait(timeout=60)  # so that each thread has one of the two items
        names.add(threading.current_thread().name)

    _evaluate.for_each(task, range(2), 2)
    assert len(names) == 2
    assert threading.current_thread().name in names
    assert {thread.name for thread in threading.enumerate()} & names < names


def test_floating_point_errors_are_handled_as_by_the_caller():
    together = threading.Barrier(2)
    found = []

    def task(_):
        together.wait(timeout=10)
        found.append(np.geterr())

    with np.errstate(divide="raise", over="print", invalid="ignore"):
        _evaluate.for_each(task, range(2), 2)
        assert found == [np.geterr()] * 2


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_of_two_errors_that_of_the_first_item_is_raised(kind):
    second = threading.Event()

    def task(item):
        if item == 0:
            second.wait(timeout=10)
        second.set()
        raise kind(item)

    with pytest.raises(kind, match=r"^0$"):
        _evaluate.for_each(task, range(2), 2)


def test_the_first_error_is_raised_and_no_item_is_begun_after_it():
    begun = []

    def task(item):
        begun.append(item)
        if item >= 3:
            raise ValueError(item)

    with pytest.raises(ValueError, match=r"^3$"):
        _evaluate.for_each(task, range(1000), 4)
    assert set(begun) >= {0, 1, 2, 3}
    assert len(begun) < 1000


@pytest.mark.parametrize("n_threads", [1, 4])
def test_the_error_of_a_block_is_raised(n_threads):
    y, raw, weight = arrays(LOSSES[0], "float64")
    raw[700] = np.nan
    weight[900] = -1
    with pytest.raises(ValueError, match="raw_prediction must be finite"):
        LOSSES[0].gradient_curvature(y, raw, weight, n_threads=n_threads)


@pytest.mark.parametrize("n_threads", [0, -1, 1.5, "two"])
def test_the_number_of_threads_is_checked(n_threads):
    with pytest.raises(ValueError, match="n_threads must be a whole number >= 1"):
        focal_objective(n_threads=n_threads)


@pytest.mark.parametrize(
    ("setting", "count"),
    [("3", 3), ("1", 1), (" 2 , 4", 2), ("0", 11), ("-3", 11), ("²", 11), ("", 11)],
)
def test_the_default_is_that_of_openmp(setting, count, monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(11), raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert _evaluate.default_threads() == count


def test_the_default_is_the_processors_of_the_process_or_of_the_machine(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {1, 4, 5}, raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert _evaluate.default_threads() == 3
    monkeypatch.delattr("os.sched_getaffinity")
    assert _evaluate.default_threads() == 8
    monkeypatch.setattr("os.cpu_count", lambda: None)
    assert _evaluate.default_threads() == 1


#: In an interpreter of its own: here other tests' threads may live, and hold locks.
FORK = """
import multiprocessing, sys
import numpy as np
from focalboost import FocalLoss
from focalboost.losses import _evaluate

_evaluate.BLOCK, _evaluate.ENTRIES_OF_A_THREAD = 64, 1
if sys.argv[1] == "formulas":
    _evaluate._kernel = None
raw = np.linspace(-9, 9, 1001)

def gradient():
    return FocalLoss((0.5, 2)).gradient_curvature(raw > 1, raw, n_threads=4)[0]

expected = gradient()
with multiprocessing.get_context("fork").Pool(1) as pool:
    np.testing.assert_array_equal(pool.apply_async(gradient).get(60), expected)
"""


def test_a_forked_process_has_threads_too():
    form = "compiled" if is_compiled() else "formulas"
    command = [sys.executable, "-W", "ignore", "-c", FORK, form]
    subprocess.run(command, check=True, timeout=600)
