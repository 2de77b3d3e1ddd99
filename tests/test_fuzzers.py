"""A short run of the fuzzers."""

import multiprocessing
import tempfile

import fuzzers
import pytest

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["finaliser", "loaders"])
def test_a_batch(kind):
    """In a process of its own, which a crash would end."""
    context = multiprocessing.get_context("spawn")
    files = fuzzers.seeds() if kind == "loaders" else {}
    with tempfile.TemporaryDirectory() as folder:
        arguments = (kind, 0, folder, files, 60)
        process = context.Process(target=fuzzers.run_batch, args=arguments)
        process.start()
        process.join(600)
        is_late = process.is_alive()
        process.kill()
        process.join()
        assert not is_late
        assert process.exitcode == 0
