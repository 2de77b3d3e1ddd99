"""Each benchmark runs, in the smallest configuration that means something."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.slow
def test_stalling(tmp_path):
    pandas = pytest.importorskip("pandas")
    results = tmp_path / "stalling.csv"
    small = ["--rows", "20000", "--rounds", "3", "--results", results]
    command = [sys.executable, BENCHMARKS / "stalling.py", *small]
    subprocess.run(list(map(str, command)), check=True, cwd=tmp_path)
    table = pandas.read_csv(results)
    assert set(table["host"]) == {"xgboost", "lightgbm"}
    ours = table[table["method"] == "focalboost"]
    assert len(ours) == 14
    assert (ours["rounds_that_raise_the_loss"] == 0).all()
