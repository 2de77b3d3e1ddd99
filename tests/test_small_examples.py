"""The scripts of the gallery, run as they stand."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from optional import is_installed

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
TESTED_ELSEWHERE = {"fraud_detection.py", "multiclass_faults.py", "ray_train.py"}
NAMES = sorted({path.name for path in EXAMPLES.glob("*.py")} - TESTED_ELSEWHERE)
QUICK = {"alert_threshold.py", "continue_and_refit.py", "serve_onnx.py"}

#: What a script says that needs a library, beside its imports, and which.
SIGNS = {"SMOTE": "imblearn", "Dask": "dask", "to_onnx": "onnxmltools"}

#: Other packages announce what they will change. The rest is an error.
WARNINGS = [
    "error",
    "ignore::DeprecationWarning",
    "ignore::PendingDeprecationWarning",
    "ignore::FutureWarning",
    "ignore:FigureCanvasAgg is non-interactive:UserWarning",  # plt.show, with a display
]


def skip_without(name):
    """Skip a script whose libraries are not all installed."""
    source = (EXAMPLES / name).read_text(encoding="utf-8")
    modules = re.findall(r"^ *(?:import|from) (\w+)", source, re.M)
    modules += [module for sign, module in SIGNS.items() if sign in source]
    for module in modules:
        if not is_installed(module):
            pytest.skip(f"{module} is not installed")


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What a script prints, run once, in a folder in which it is alone."""

    @cache
    def run(name):
        skip_without(name)
        folder = tmp_path_factory.mktemp(Path(name).stem)
        shutil.copy(EXAMPLES / name, folder)
        filters = [part for rule in WARNINGS for part in ("-W", rule)]
        done = subprocess.run(
            [sys.executable, *filters, name],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"},
            capture_output=True,
            encoding="utf-8",
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in QUICK else pytest.mark.slow)
        for name in NAMES
    ],
)
def test_a_script_runs_and_prints(name, printed):
    assert printed(name).strip()


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_a_script_begins_with_a_title_for_the_gallery(name):
    source = (EXAMPLES / name).read_text(encoding="utf-8")
    title, line = source.split("\n")[1:3]
    assert source.startswith('"""\n')
    assert line == "=" * len(title)


def numbers_of(output, name):
    """The numbers of the row of a table."""
    cells = re.search(rf"^{re.escape(name)}  +(.*)$", output, re.M)[1]
    return [float(cell.replace(",", "")) for cell in cells.split()]


def test_the_threshold_of_the_amounts_is_the_cheapest(printed):
    out = printed("alert_threshold.py")
    cost = {
        name: numbers_of(out, name)[2]
        for name in (
            *("no alert", "probability > 0.5", "searched threshold"),
            *("probability * amount > review", "focal score * amount > review"),
        )
    }
    by_amounts = cost.pop("probability * amount > review")
    assert by_amounts < 0.9 * min(cost.values())
    assert by_amounts < 0.5 * cost["focal score * amount > review"]
    threshold, low, high = map(float, re.findall(r"0\.\d{4}", out)[:3])
    assert low <= threshold <= high


def test_the_models_brought_up_to_date_expect_the_new_number_of_frauds(printed):
    out = printed("continue_and_refit.py")
    frauds = int(re.match(r"(\d+) frauds", out)[1])
    assert numbers_of(out, "old model")[1] < 0.4 * frauds
    for name in ("continued", "refitted"):
        assert numbers_of(out, name)[1] == pytest.approx(frauds, rel=0.25)


def test_the_served_model_is_the_estimator(printed):
    out = printed("serve_onnx.py")
    assert float(re.search(r"from predict_proba: (\S+)", out)[1]) < 2e-5
    mean, share, score = (
        float(re.search(rf"^{name}: (\S+)", out, re.M)[1])
        for name in (
            "Mean probability of fraud",
            "Share of frauds",
            "Mean focal score of fraud",
        )
    )
    assert mean == pytest.approx(share, rel=0.4)
    assert score > 5 * mean


@pytest.mark.slow
def test_tuning_prunes_and_finds_more(printed):
    out = printed("tune_with_optuna.py")
    trials, pruned = map(int, re.search(r"(\d+) trials, (\d+) of them", out).groups())
    assert trials == 20
    assert 0 < pruned < 20
    assert "Best: FocalLoss(gamma=(" in out
    assert numbers_of(out, "tuned")[0] > numbers_of(out, "defaults")[0]


@pytest.fixture
def few_rows(tmp_path, monkeypatch):
    """The comparison of the methods on fewer and smaller streams."""
    skip_without("what_methods_find.py")
    pytest.importorskip("matplotlib").use("Agg")
    source = (EXAMPLES / "what_methods_find.py").read_text(encoding="utf-8")
    sizes, small = "= 8, 120_000, 72_000", "= 2, 20_000, 12_000"
    assert sizes in source
    script = tmp_path / "what_methods_find.py"
    script.write_text(source.replace(sizes, small), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return runpy.run_path(str(script))


def test_the_picture_of_the_methods_has_both_panels(few_rows, tmp_path):
    from matplotlib import pyplot as plt

    methods, figure = few_rows["METHODS"], few_rows["figure"]
    left, right = figure.axes
    curves = {line.get_label(): line.get_ydata() for line in left.lines}
    assert list(curves) == methods
    for recall in curves.values():
        assert recall[0] <= recall[-1] <= 1
    assert [label.get_text() for label in right.get_yticklabels()] == methods
    dots = [line.get_xdata() for line in right.lines if line.get_marker() == "o"]
    assert [len(sums) for sums in dots] == [2] * len(methods)
    picture = tmp_path / "methods.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 60_000
    plt.close(figure)
