import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fraud_detection import by_time, main
from optional import lightgbm, xgboost
from sklearn.metrics import average_precision_score

from focalboost.comparison.tables import read_table
from focalboost.datasets import make_transactions

ROOT = Path(__file__).resolve().parents[1]
PREPARED = ROOT.parent / "shared" / "data"
SCRIPT = ROOT / "examples" / "fraud_detection.py"

METHODS = {
    *("log loss", "weights: ratio", "weights: 5 × ratio", "SMOTE"),
    *("focal, γ = 2", "focal, γ = (0, 2)"),
}
OPTIMUM = "true probabilities"


def run(folder, *arguments, before=""):
    """Run the fraud example in a folder, after some Python code."""
    arguments = [str(argument) for argument in arguments]
    command = [str(SCRIPT), *arguments]
    if before:
        start = (
            "import runpy, sys; sys.argv = sys.argv[1:]; "
            f"sys.path[0] = {str(SCRIPT.parent)!r}; "
        )
        end = "; runpy.run_path(sys.argv[0], run_name='__main__')"
        command = ["-c", start + before + end, *command]
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
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


def table_rows(output, host):
    """The cells behind the method, for each of a host's rows."""
    rows = {}
    for line in output.splitlines():
        found = re.match(rf" *{host} +(.*?) +(\d\.\d{{3}} .*)", line)
        if found:
            rows[found[1]] = found[2].split()
    return rows


@pytest.fixture
def one_line_error(monkeypatch, tmp_path, capsys):
    """Run the fraud example, which has to end as for bad input, in this process."""

    def error(*arguments):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        return message_of(
            subprocess.CompletedProcess(
                arguments, ended.value.code, *capsys.readouterr()
            )
        )

    return error


@pytest.fixture(scope="module")
def payments():
    """Few rows in numbers, with more frauds among them than there are in life."""
    made = make_transactions(4000, prevalence=1 / 31, random_state=1)
    numbers = {name: made.data[name].cat.codes for name in made.categories}
    table = made.data.assign(**numbers, fraud=made.target)
    return table.drop(columns=["time"])


@pytest.fixture(scope="module")
def default_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fraud")
    result = run(
        folder,
        *("--rows", 20_000, "--imbalance", 200, "--rounds", 20, "--threads", 1),
        *("--picture", "curves.png", "--save", "models"),
    )
    return folder, result


def test_the_fraud_example_prints_every_method_on_both_hosts(default_run):
    _, result = default_run
    assert result.returncode == 0, result.stderr
    assert "simulated" in result.stdout.lower()
    for host in ("XGBoost", "LightGBM"):
        rows = table_rows(result.stdout, host)
        assert set(rows) == {*METHODS, OPTIMUM}
        for name, cells in rows.items():
            # Four shares, log loss, Brier score; rounds and seconds of what is trained.
            assert len(cells) == (6 if name == OPTIMUM else 8)
            assert all(0 <= float(share) <= 1 for share in cells[:4])
            assert name == OPTIMUM or 1 <= int(cells[6]) <= 20
        assert float(rows[OPTIMUM][0]) > float(rows["weights: 5 × ratio"][0])


def test_the_fraud_example_shows_its_progress_on_standard_error(default_run):
    _, result = default_run
    assert result.stderr.count("6/6") == 2
    # LightGBM 4.5 uses what scikit-learn 1.6 has deprecated
    assert not re.search("(?<!Future)Warning:", result.stderr)


def test_the_fraud_example_writes_its_picture(default_run):
    folder, _ = default_run
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_saved_models_are_those_of_the_table_in_their_hosts_formats(default_run):
    folder, result = default_run
    made = make_transactions(20_000, prevalence=1 / 201, random_state=0, as_frame=False)
    _, test = by_time(made.data["time"])
    X = np.column_stack([made.data[name] for name in made.feature_names])[test]
    precision = {"xgboost": [], "lightgbm": []}
    for path in sorted((folder / "models").iterdir()):
        if path.suffix == ".json":
            score = xgboost.Booster(model_file=path).predict(xgboost.DMatrix(X))
        else:
            score = lightgbm.Booster(model_file=path).predict(X)
        assert 0 <= score.min() < score.max() <= 1
        found = average_precision_score(made.target[test], score)
        precision[path.name.partition("_")[0]].append(found)
    for host in ("XGBoost", "LightGBM"):
        rows = table_rows(result.stdout, host)
        printed = [float(rows[name][0]) for name in METHODS]
        # Probabilities in float32 tie where the log odds of the table do not.
        assert sorted(precision[host.lower()]) == pytest.approx(
            sorted(printed), abs=2e-3
        )


@pytest.fixture(scope="module")
def awkward(payments):
    """Dates, labels that are text, missing values, a name that both hosts refuse."""
    start = pd.Timestamp("2024-01-01 00:00:00.123")
    return payments.rename(columns={"amount": 'amount "EUR" [cents]'}).assign(
        time=start + pd.to_timedelta(payments.index, "h"),
        shop=np.where(payments.index % 3, "fuel", "food"),
        fraud=np.where(payments["fraud"] == 1, "yes", "no"),
    )


def test_the_fraud_example_reads_a_file_and_splits_it_by_time(awkward, tmp_path):
    awkward.to_csv(tmp_path / "payments.csv", index=False)
    options = ("--target", "fraud", "--rounds", 3, "--threads", 1, "--time", "time")
    costs = ("--cost", 1, 50, "--save", "models")
    result = run(tmp_path, "--data", "payments.csv", *options, *costs)
    assert result.returncode == 0, result.stderr
    assert "lowest cost" in result.stdout
    assert len(list((tmp_path / "models").iterdir())) == 2 * len(METHODS)
    assert "fraud = yes" in result.stdout
    assert "by time" in result.stdout
    assert OPTIMUM not in result.stdout
    assert set(table_rows(result.stdout, "XGBoost")) == METHODS
    assert (tmp_path / "fraud_detection.png").is_file()


@pytest.mark.slow
def test_the_fraud_example_keeps_groups_together(awkward, tmp_path):
    awkward.to_csv(tmp_path / "payments.csv", index=False, sep=";", decimal=",")
    options = ("--target", "fraud", "--rounds", 2, "--threads", 1, "--drop", "terminal")
    csv = ("--separator", ";", "--decimal", ",", "--group", "customer")
    result = run(tmp_path, "--data", "payments.csv", *options, *csv)
    assert result.returncode == 0, result.stderr
    assert "split by customer" in result.stdout
    assert "Dates are left out: 'time'" in result.stdout
    assert set(table_rows(result.stdout, "XGBoost")) == METHODS


def prepared(name):
    path = PREPARED / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"the prepared data set {name} is not in ../shared/data")
    return path


@pytest.mark.slow
def test_the_fraud_example_reads_a_prepared_set(tmp_path):
    path = prepared("mammography")
    result = run(tmp_path, "--data", path, "--rounds", 2, "--threads", 1)
    assert result.returncode == 0, result.stderr
    assert "at random" in result.stdout
    assert set(table_rows(result.stdout, "LightGBM")) == METHODS


def test_a_prepared_set_of_several_classes_is_refused(one_line_error):
    assert "not binary" in one_line_error("--data", prepared("krvsk18"))


def test_prepared_sets_bring_their_own_test_rows_and_targets():
    flights = read_table(prepared("nyc_flights13"))
    assert flights.is_test.sum() == 84_292
    assert flights.features["plane_year"].isna().any()
    wear = read_table(prepared("ai4i2020"), "TWF")
    assert wear.positive == "TWF = 1"
    assert wear.y_true.sum() == 46
    assert "TWF" not in wear.features


BAD_TABLES = {
    "missing target": (lambda t: t.drop(columns="fraud"), "no column 'fraud'"),
    "decimal commas": (lambda t: t.assign(hour="1,5"), "add --decimal ,"),
    "few frauds": (lambda t: t.assign(fraud=1 * (t.index == 5)), "add rows"),
}


@pytest.mark.parametrize("fault", BAD_TABLES)
def test_bad_data_end_with_one_line(fault, payments, tmp_path, one_line_error):
    spoil, message = BAD_TABLES[fault]
    path = tmp_path / "payments.csv"
    spoil(payments).to_csv(path, index=False)
    assert message in one_line_error("--data", path, "--target", "fraud")


def test_bad_data_end_a_process_without_a_traceback(payments, tmp_path):
    payments.assign(fraud=0).to_csv(tmp_path / "payments.csv")
    result = run(tmp_path, "--data", "payments.csv", "--target", "fraud")
    assert "'fraud' has one class only (0): add rows" in message_of(result)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "nowhere.csv", "--target", "fraud"), "nowhere.csv is not there"),
        (("--target", "fraud"), "--target describe a file: add --data FILE"),
        (("--time", "a", "--data", "b.csv", "--group", "c"), "exclude each other"),
        (("--rows", "many"), "invalid int value: 'many'"),
        (("--rows", "100"), "raise --rows or lower --imbalance"),
        (("--rounds", "0"), "--rows, --rounds and --threads start at 1"),
        (("--imbalance", "nan"), "prevalence must be above 0"),
        (("--picture", "curves.txt"), "end the name in .pdf, .png or .svg"),
        (("--picture", "nowhere/curves.png"), "create its folder"),
    ],
)
def test_bad_arguments_end_with_one_line(arguments, message, one_line_error):
    assert message in one_line_error(*arguments)


@pytest.mark.parametrize("module", ["xgboost", "lightgbm", "imblearn"])
def test_a_missing_package_ends_with_what_to_install(module, tmp_path):
    result = run(tmp_path, before=f"sys.modules[{module!r}] = None")
    package = {"imblearn": "imbalanced-learn"}.get(module, module)
    assert f"pip install {package}" in message_of(result)
