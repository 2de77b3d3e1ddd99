"""The example of Ray Train, run as it stands."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from optional import optional

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "ray_train.py"


def test_the_workers_of_ray_end_with_one_model(tmp_path):
    optional("ray.train.xgboost", "ray[train]")
    paths = os.pathsep.join(path for path in sys.path if path)
    run = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
        timeout=600,
        check=True,
    )
    assert "The workers' models are equal: True" in run.stdout
    first, second = map(
        int, re.search(r"workers: \[(\d+), (\d+)\]", run.stdout).groups()
    )
    assert first != second
    total = float(re.search(r"of all training rows: (\S+)", run.stdout)[1])
    assert total == pytest.approx(first + second, abs=0.01)
