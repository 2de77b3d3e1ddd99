"""``python -m focalboost compare``, as a process and in this one."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from optional import version
from sklearn.datasets import make_classification

from focalboost import _command
from focalboost._command import main


@pytest.fixture(scope="module")
def table():
    X, y = make_classification(600, 6, weights=[0.93], class_sep=1.5, random_state=0)
    columns = [f"[column] <{i}>" for i in range(6)]
    frame = pd.DataFrame(X, columns=columns).where(X < 3)
    return frame.assign(fraud=np.where(y == 1, "yes", "no"))


#: matplotlib before 3.10 warns when it is imported beside a newer pyparsing.
STRICT = ("-W", "error") if version("matplotlib") >= (3, 10) else ()

QUICK = ("--folds", "2", "--repeats", "1", "--rounds", "10")


def run(folder, *arguments):
    """Run the command in a folder."""
    return subprocess.run(
        [sys.executable, *STRICT, "-m", "focalboost", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def message_of(result):
    """Assert that a run ended as bad input has to, and return what it said."""
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def test_the_command_prints_a_table_and_writes_a_report(
    table, tmp_path, monkeypatch, capsys
):
    table.to_csv(tmp_path / "payments.csv", index=False)
    arguments = ("compare", "payments.csv", "--target", "fraud", *QUICK)
    result = run(tmp_path, *arguments, "--resume", "fits.jsonl")
    assert result.returncode == 0, result.stderr
    assert "fraud = yes is the class to find" in result.stdout
    lines = result.stdout.splitlines()
    for name in ("log loss ", "weights: ratio", "SMOTE", "focal, γ = (0, 2)"):
        cells = next(line for line in lines if line.strip().startswith(name)).split()
        assert any(0 < float(cell) <= 1 for cell in cells if cell.startswith("0."))
    assert "Use " in result.stdout
    assert "Report: comparison.html" in result.stdout
    assert "16/16" in result.stderr
    assert (tmp_path / "comparison.html").read_text("utf-8").startswith("<!DOCTYPE")

    monkeypatch.chdir(tmp_path)
    capsys.readouterr()
    main([*arguments, "--resume", "fits.jsonl", "--report", "again.html"])
    again = capsys.readouterr().out.replace("again.html", "comparison.html")
    assert again == result.stdout
    first, second = Path("comparison.html"), Path("again.html")
    assert second.read_text("utf-8") == first.read_text("utf-8")
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--resume", "fits.jsonl", "--seed", "1"])
    assert ended.value.code == 2
    message = "file must be new, or of a comparison of the same data"
    assert message in capsys.readouterr().err


def test_parquet_is_read_and_the_host_chosen(table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table.to_parquet("payments.parquet")
    options = ("--target", "fraud", "--host", "xgboost", *QUICK)
    main(["compare", "payments.parquet", *options])
    assert "2 folds; xgboost " in capsys.readouterr().out


def test_times_among_the_columns_are_remarked_on(table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    days = pd.date_range("2024-01-01", periods=len(table)).where(table.index != 5)
    table.assign(paid=days).to_parquet("payments.parquet")
    main(["compare", "payments.parquet", "--target", "fraud", *QUICK])
    said = "is a time, and rows are cross-validated in shuffled folds"
    assert said in " ".join(capsys.readouterr().out.split())
    assert said in Path("comparison.html").read_text("utf-8")


BAD = {
    "no command": ((), "the following arguments are required: COMMAND"),
    "no data": (("compare",), "the following arguments are required: DATA"),
    "another command": (("tune",), "invalid choice: 'tune'"),
    "no file": (("compare", "no.csv", "--target", "y"), "no.csv is not there"),
    "no target": (("compare", "p.csv"), "give --target one of"),
    "another target": (("compare", "p.csv", "--target", "y"), "has no column 'y'"),
    "folds": (("compare", "p.csv", "--folds", "1"), "'1' is not a whole number >= 2"),
    "rounds": (("compare", "p.csv", "--rounds", "-3"), "'-3' is not a whole number"),
    "host": (("compare", "p.csv", "--host", "catboost"), "invalid choice: 'catboost'"),
    "report": (("compare", "p.csv", "--report", "no/r.html"), "create its folder"),
    "resume": (("compare", "p.csv", "--resume", "no/f"), "create its folder"),
    "report folder": (("compare", "p.csv", "--report", "."), "--report . is a folder"),
    "resume folder": (("compare", "p.csv", "--resume", "."), "--resume . is a folder"),
    "few": (("compare", "p.csv", "--target", "rare"), "3 rows of the rarer class"),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_arguments_end_with_one_line(fault, table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments, message = BAD[fault]
    rare = (np.arange(len(table)) < 3).astype(int)
    frame = table.assign(rare=rare)
    if fault == "few":
        frame = frame.drop(columns="fraud")
    frame.to_csv("p.csv", index=False)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    out = "" if fault == "few" else out  # the data have been described by then
    result = subprocess.CompletedProcess(arguments, ended.value.code, out, err)
    said = message_of(result)
    assert said.startswith("python -m focalboost")
    assert message in said


ONE_FILE = {
    "data and report": (("--report", "p.csv"), "DATA and --report are one file"),
    "another spelling": (("--report", "./p.csv"), "DATA and --report are one file"),
    "a link": (("--report", "link.csv"), "DATA and --report are one file"),
    "data and resume": (("--resume", "p.csv"), "DATA and --resume are one file"),
    "resume and report": (
        ("--resume", "new.html", "--report", "./new.html"),
        "--report and --resume are one file",
    ),
}


@pytest.mark.parametrize("fault", ONE_FILE)
def test_no_file_is_written_over_by_another(
    fault, table, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    table.to_csv("p.csv", index=False)
    Path("link.csv").symlink_to("p.csv")
    before = Path("p.csv").read_bytes()
    options, message = ONE_FILE[fault]
    with pytest.raises(SystemExit) as ended:
        main(["compare", "p.csv", "--target", "fraud", *QUICK, *options])
    result = subprocess.CompletedProcess((), ended.value.code, *capsys.readouterr())
    assert message in message_of(result)
    assert Path("p.csv").read_bytes() == before
    assert sorted(os.listdir()) == ["link.csv", "p.csv"]


def test_bad_data_end_a_process_without_a_traceback(table, tmp_path):
    table.to_csv(tmp_path / "payments.csv", index=False)
    result = run(tmp_path, "compare", "payments.csv", "--target", table.columns[0])
    assert "is not binary" in message_of(result)


@pytest.mark.parametrize(
    ("missing", "extra"),
    [
        (["pandas"], "diagnostics"),
        (["matplotlib"], "diagnostics"),
        (["rich"], "diagnostics"),
        (["lightgbm", "xgboost"], "lightgbm"),
    ],
)
def test_missing_packages_end_with_what_to_install(missing, extra, monkeypatch, capsys):
    found = _command.find_spec
    monkeypatch.setattr(
        _command, "find_spec", lambda name: None if name in missing else found(name)
    )
    with pytest.raises(SystemExit) as ended:
        main(["compare", "payments.csv"])
    result = subprocess.CompletedProcess((), ended.value.code, *capsys.readouterr())
    assert f"pip install 'focalboost[{extra}]'" in message_of(result)


def test_smote_is_left_out_without_its_package(table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    table.to_csv("p.csv", index=False)
    found = _command.find_spec
    monkeypatch.setattr(
        _command, "find_spec", lambda name: None if name == "imblearn" else found(name)
    )
    main(["compare", "p.csv", "--target", "fraud", *QUICK])
    out, err = capsys.readouterr()
    assert "SMOTE is left out" in out
    assert "pip install imbalanced-learn" in out
    assert "14/14" in err


def test_a_host_that_is_asked_for_has_to_be_there(monkeypatch, capsys):
    found = _command.find_spec
    monkeypatch.setattr(
        _command, "find_spec", lambda name: None if name == "xgboost" else found(name)
    )
    with pytest.raises(SystemExit):
        main(["compare", "payments.csv", "--host", "xgboost"])
    assert "pip install 'focalboost[xgboost]'" in capsys.readouterr().err
