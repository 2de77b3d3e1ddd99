"""The benchmarks of speed run, and hold what they compare to the same numbers."""

import subprocess
import sys
from pathlib import Path

import pytest

SPEED = Path(__file__).parents[1] / "benchmarks" / "speed"
pytestmark = pytest.mark.slow


def run(name, tmp_path, *options):
    pandas = pytest.importorskip("pandas")
    results = tmp_path / "results.csv"
    command = [sys.executable, SPEED / name, *options, "--results", results]
    subprocess.run(list(map(str, command)), check=True, cwd=tmp_path)
    return pandas.read_csv(results)


def test_kernel(tmp_path):
    table = run("kernel.py", tmp_path, "--rows", "1000", "--seconds", "0.01")
    assert {"focal_objective", "gradient_curvature"} <= set(table["method"])
    assert set(table["threads"]) == {1, 2}
    assert (table["ratio"] > 0).all()


def test_training(tmp_path):
    options = ["--rows", "5000", "--threads", "1", "--rounds", "3", "--seconds", "0"]
    table = run("training.py", tmp_path, *options)
    assert set(table["host"]) == {"xgboost", "lightgbm"}
    same = table.loc[
        (table["method"] == "focalboost") & (table["gamma"] == 0),
        "largest_difference_to_own",
    ]
    assert (same < 1e-5).all()
    assert len(same) == 2
    share = table["objective_milliseconds"] * table["rounds"] / 1e3 / table["seconds"]
    assert (share[table["method"] == "focalboost"] > 0).all()
    assert (share < 1).all()


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("small.py", ["--rows", "500", "--columns", "5", "--rounds", "3"]),
        ("serve.py", ["--trees", "3"]),
        ("increments.py", ["--increments", "2"]),
    ],
)
def test_pairs(name, options, tmp_path):
    table = run(name, tmp_path, *options, "--pairs", "1")
    assert set(table["host"]) == {"xgboost", "lightgbm"}
    assert (table.loc[table["method"] == "own", "ratio"] == 1).all()
    assert (table["ratio"] > 0).all()
    if name == "small.py":
        assert {"own, evaluated", "gamma = 2, evaluated"} <= set(table["method"])
        leaves = table.set_index(["host", "threads", "method"])["leaves"].unstack()
        assert (leaves["own"] == leaves["gamma = 0"]).all()
