"""``python -m focalboost compare``, as a process and in this one."""

import os
import re
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import pytest
from commands import run
from sklearn.datasets import make_classification

import focalboost
from focalboost.comparison import _command, _compare
from focalboost.comparison._command import main


@pytest.fixture(scope="module")
def table():
    X, y = make_classification(600, 6, weights=[0.93], class_sep=1.5, random_state=0)
    columns = [f"[column] <{i}>" for i in range(6)]
    frame = pd.DataFrame(X, columns=columns).where(X < 3)
    return frame.assign(fraud=np.where(y == 1, "yes", "no"))


QUICK = ("--folds", "2", "--repeats", "1", "--rounds", "10")


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
    pages = [
        Path(name).read_text("utf-8") for name in ("comparison.html", "again.html")
    ]
    # The date and the command line are in one line.
    made, again = (re.sub("<p .*python -m focalboost .*</p>", "", p) for p in pages)
    assert made == again
    assert pages[0].count(f"{date.today():%Y-%m-%d}") == 1
    assert (
        "python -m focalboost compare payments.csv --target fraud --folds" in pages[0]
    )
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--resume", "fits.jsonl", "--seed", "1"])
    assert ended.value.code == 2
    message = "error: --resume must be new, or from a comparison of the same data"
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
    said = "a time, and rows are split at random."
    assert said in " ".join(capsys.readouterr().out.split())
    assert said in Path("comparison.html").read_text("utf-8")


EVERYDAY = ("--drop", "note", "--categorical", "shop", "--positive", "yes")


@pytest.fixture(scope="module")
def everyday(table):
    n = len(table)
    return table.assign(
        paid=pd.date_range("2024-01-01", periods=n, freq="h").astype(str),
        customer_id=np.arange(n) % 150,
        note=[f"n{i}" for i in range(n)],
        shop=np.arange(n) % 7,
        city=np.where(np.arange(n) % 11, "north", None),
        fraud=table["fraud"].where(table.index % 5 > 0, "odd"),
    )


def test_folds_go_forward_in_time(everyday, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    everyday.sample(frac=1, random_state=0).to_csv("p.csv", index=False)
    seen = spied(monkeypatch)
    options = ("--target", "fraud", "--time", "paid", "--cost", "2", "40", *EVERYDAY)
    main(["compare", "p.csv", *options, "--folds", "2", "--rounds", "5"])
    X, y_true, cv = seen["X"], seen["y"], seen["cv"]
    np.testing.assert_array_equal(X["customer_id"], everyday["customer_id"])
    np.testing.assert_array_equal(y_true, everyday["fraud"] == "yes")
    assert all(train.max() < test.min() for train, test in cv)
    assert not {"paid", "note", "fraud"} & set(X)
    assert X["shop"].dtype == "category"
    out = " ".join(capsys.readouterr().out.split())
    assert "look like identifiers: 'customer_id'. Leave them out with --drop" in out
    assert "optimistic" not in out
    assert "2 folds" in out


def test_rows_of_one_time_are_in_one_part(everyday, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    days = pd.to_datetime(everyday["paid"]).dt.date
    everyday.assign(paid=days.astype(str)).to_csv("p.csv", index=False)
    seen = spied(monkeypatch)
    options = ("--target", "fraud", "--time", "paid", *EVERYDAY)
    main(["compare", "p.csv", *options, "--folds", "3", "--rounds", "5"])
    for train, test in seen["cv"]:
        assert days.iloc[train].max() < days.iloc[test].min()
        assert days.iloc[train].nunique() == len(days.iloc[: test[0]].unique()) - (
            days.iloc[test[0] - 1] == days.iloc[test[0]]
        )


def test_a_folder_that_cannot_be_written_to_ends_the_run_at_once(
    table, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    table.to_csv("p.csv", index=False)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(SystemExit):
        main(["compare", "p.csv", "--target", "fraud"])
    said = "comparison.html cannot be written: name a file in a folder that is there"
    assert said in capsys.readouterr().err


def test_groups_stay_together(everyday, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    everyday.to_parquet("p.parquet")
    seen = spied(monkeypatch)
    options = ("--target", "fraud", "--group", "customer_id", *EVERYDAY, "--date-parts")
    main(["compare", "p.parquet", *options, *QUICK])
    for train, test in seen["cv"]:
        groups = everyday["customer_id"]
        assert not set(groups.iloc[train]) & set(groups.iloc[test])
    assert "customer_id" not in seen["X"]
    assert "paid_hour" in seen["X"]
    assert "identifiers" not in capsys.readouterr().out


def spied(monkeypatch):
    """What the command hands to compare_losses."""
    from focalboost import comparison

    seen, original = {}, comparison.compare_losses

    def watched(estimator, X, y, **options):
        seen.update(X=X, y=y, **options)
        return original(estimator, X, y, **{**options, "losses": ["log loss"]})

    monkeypatch.setattr(comparison, "compare_losses", watched)
    return seen


@pytest.mark.parametrize("resume", [(), ("--resume", "fits.jsonl")])
def test_an_interruption_ends_with_how_to_go_on(
    resume, table, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    table.to_csv("p.csv", index=False)
    original, calls = _compare.fitted, []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(_compare, "fitted", interrupted)
    with pytest.raises(SystemExit) as ended:
        main(["compare", "p.csv", "--target", "fraud", *QUICK, *resume])
    assert ended.value.code == 130
    err = capsys.readouterr().err
    assert "Traceback" not in err
    said = "With --resume FILE, fits are kept and the same command continues."
    if resume:
        assert len(Path("fits.jsonl").read_text("utf-8").splitlines()) == 3
    assert err.endswith(f"\npython -m focalboost compare: stopped. {said}\n")


@pytest.mark.skipif(os.name != "posix", reason="other systems send other signals")
def test_a_signal_ends_a_process_with_one_line(table, tmp_path):
    table.to_csv(tmp_path / "p.csv", index=False)
    options = ("--target", "fraud", "--rounds", "300", "--resume", "fits.jsonl")
    process = subprocess.Popen(
        [sys.executable, "-m", "focalboost", "compare", "p.csv", *options],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        # Processes in the background of a shell do not hear of interrupts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    process.stdout.readline()  # which is the class to find
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.endswith("fits are kept and the same command continues.\n")


def test_failures_of_all_fits_end_with_their_cause(
    table, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    table.to_csv("p.csv", index=False)

    def failing(*arguments, **options):
        raise MemoryError("no room")

    monkeypatch.setattr(_compare, "tuned", failing)
    with pytest.raises(SystemExit) as ended:
        main(["compare", "p.csv", "--target", "fraud", *QUICK])
    assert ended.value.code == 2
    err = capsys.readouterr().err
    assert "All 16 fits failed: log loss with MemoryError: no room; " in err


def test_versions_are_those_that_are_installed(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"focalboost {focalboost.__version__}, Python 3.")
    assert f"lightgbm {lightgbm.__version__}" in out


BAD = {
    "two orders": (
        ("compare", "p.csv", "--time", "a", "--group", "b"),
        "--time and --group exclude each other: give one of them",
    ),
    "repeats": (
        ("compare", "p.csv", "--time", "a", "--repeats", "2"),
        "folds of --time are not repeated: leave out --repeats",
    ),
    "a label": (
        ("compare", "p.csv", "--target", "fraud", "--positive", "maybe"),
        "has no label 'maybe': give --positive one of 'no', 'yes'",
    ),
    "costs": (
        ("compare", "p.csv", "--target", "fraud", "--cost", "1"),
        "costs are finite numbers >= 0: give --cost ALERT MISS",
    ),
    "a cost": (("compare", "p.csv", "--cost", "much"), "invalid float value: 'much'"),
    "a point": (("compare", "p.csv", "--decimal", ";"), "invalid choice: ';'"),
    "no command": ((), "the following arguments are required: COMMAND"),
    "no data": (("compare",), "the following arguments are required: DATA"),
    "another command": (("tune",), "invalid choice: 'tune'"),
    "no file": (("compare", "no.csv", "--target", "y"), "no.csv is not there"),
    "no target": (("compare", "p.csv"), "give --target one of"),
    "another target": (("compare", "p.csv", "--target", "y"), "has no column 'y'"),
    "folds": (("compare", "p.csv", "--folds", "1"), "'1' is not a whole number >= 2"),
    "rounds": (("compare", "p.csv", "--rounds", "-3"), "'-3' is not a whole number"),
    "host": (("compare", "p.csv", "--host", "catboost"), "invalid choice: 'catboost'"),
    "report": (("compare", "p.csv", "--report", "no/r.html"), "no/r.html cannot be w"),
    "resume": (("compare", "p.csv", "--resume", "no/f"), "no/f cannot be written"),
    "report folder": (("compare", "p.csv", "--report", "."), ". cannot be written"),
    "resume folder": (("compare", "p.csv", "--resume", "."), ". cannot be written"),
    "few": (
        ("compare", "p.csv", "--target", "rare"),
        "--folds must be folds with both",
    ),
    "few for two folds": (
        ("compare", "p.csv", "--target", "rare", "--folds", "2"),
        "got 'fold 0 with 1 of the rarer one, and 2 to test'. Use fewer",
    ),
    "few groups": (
        ("compare", "p.csv", "--target", "fraud", "--group", "half"),
        "compare: error: ",  # that of scikit-learn, or of a fold without a group
    ),
    "groups of a class": (
        ("compare", "p.csv", "--target", "fraud", "--group", "label", "--folds", "2"),
        "of the rarer one, and 0 to test'. Use fewer or stratified folds",
    ),
    "one time": (
        ("compare", "p.csv", "--target", "fraud", "--time", "one"),
        "got 'fold 0 with 0 of the rarer one, and",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_bad_arguments_end_with_one_line(fault, table, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments, message = BAD[fault]
    rare = (np.arange(len(table)) < 3).astype(int)
    half = np.arange(len(table)) % 2
    frame = table.assign(rare=rare, half=half, label=table["fraud"], one=1)
    if "rare" in arguments:
        frame = frame.drop(columns="fraud")
    frame.to_csv("p.csv", index=False)
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    out = out.removeprefix("p.csv: rare = 1 is the class to find.\n")
    out = out.removeprefix("p.csv: fraud = yes is the class to find.\n")
    result = subprocess.CompletedProcess(arguments, ended.value.code, out, err)
    said = message_of(result)
    assert said.startswith("python -m focalboost")
    assert message in said


ONE_FILE = {
    "data and report": ("--report", "p.csv"),
    "another spelling": ("--report", "./p.csv"),
    "a link": ("--report", "link.csv"),
    "data and resume": ("--resume", "p.csv"),
    "resume and report": ("--resume", "new.html", "--report", "./new.html"),
}


@pytest.mark.parametrize("fault", ONE_FILE)
def test_no_file_is_written_over_by_another(
    fault, table, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    table.to_csv("p.csv", index=False)
    Path("link.csv").symlink_to("p.csv")
    before = Path("p.csv").read_bytes()
    options = ONE_FILE[fault]
    with pytest.raises(SystemExit) as ended:
        main(["compare", "p.csv", "--target", "fraud", *QUICK, *options])
    result = subprocess.CompletedProcess((), ended.value.code, *capsys.readouterr())
    assert "are one file: name another" in message_of(result)
    assert Path("p.csv").read_bytes() == before
    assert sorted(os.listdir()) == ["link.csv", "p.csv"]


def test_bad_data_end_a_process_without_a_traceback(table, tmp_path):
    table.to_csv(tmp_path / "payments.csv", index=False)
    result = run(tmp_path, "compare", "payments.csv", "--target", table.columns[0])
    assert "is not binary" in message_of(result)


@pytest.mark.parametrize(
    ("missing", "packages"),
    [
        (["pandas"], "pandas"),
        (["matplotlib"], "matplotlib"),
        (["pandas", "rich"], "pandas rich"),
        (["lightgbm", "xgboost"], "lightgbm"),
    ],
)
def test_missing_packages_end_with_what_to_install(
    missing, packages, monkeypatch, capsys
):
    found = _command.find_spec
    monkeypatch.setattr(
        _command, "find_spec", lambda name: None if name in missing else found(name)
    )
    with pytest.raises(SystemExit) as ended:
        main(["compare", "payments.csv"])
    result = subprocess.CompletedProcess((), ended.value.code, *capsys.readouterr())
    assert message_of(result).endswith(f": pip install {packages}\n")


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
    assert "needs xgboost: pip install xgboost" in capsys.readouterr().err
