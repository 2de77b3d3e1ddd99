"""scikit-learn's own checks of estimators: none fails, and few are expected to."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from estimator_checks import ESTIMATORS, expected_failures
from optional import FocalLGBMClassifier, FocalXGBClassifier
from sklearn.utils import get_tags

SCRIPT = Path(__file__).parents[1] / "estimator_checks.py"
NAMES = ("FocalXGBClassifier", "FocalLGBMClassifier", "FocalLGBMClassifier, trees")


@pytest.fixture(scope="module")
def reports():
    """Run in a process of its own: SciPy reads the variable when it is imported."""
    result = subprocess.run(
        [sys.executable, str(SCRIPT), *NAMES],
        env={**os.environ, "SCIPY_ARRAY_API": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    (line,) = (x for x in result.stdout.splitlines() if x.startswith("REPORTS "))
    return json.loads(line.removeprefix("REPORTS "))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_check_fails(name, reports):
    failed = [result for result in reports[name] if result["status"] == "failed"]
    assert not failed
    assert sum(result["status"] == "passed" for result in reports[name]) > 55


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_check_is_run(name, reports):
    assert all(result["status"] != "skipped" for result in reports[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_expected_failure_still_fails(name, reports):
    found = {x["check_name"] for x in reports[name] if x["status"] == "xfail"}
    assert found == set(expected_failures(ESTIMATORS[name]))


def test_tags_say_what_the_estimators_can_do():
    for estimator in (FocalXGBClassifier(), FocalLGBMClassifier()):
        tags = get_tags(estimator)
        assert not tags.no_validation  # arrays are checked
        assert tags.input_tags.allow_nan
        assert tags.input_tags.sparse
        assert not tags.input_tags.string
        assert tags.estimator_type == "classifier"
    assert get_tags(FocalXGBClassifier(booster="gblinear")).non_deterministic
    assert not get_tags(FocalLGBMClassifier()).classifier_tags.multi_label
