import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fraud_detection import main
from optional import lightgbm, xgboost
from scipy import stats
from simulated_transactions import simulate_transactions

from focalboost.diagnostics.tables import read_table

ROOT = Path(__file__).resolve().parents[1]
PREPARED = ROOT.parent / "shared" / "data"
SCRIPT = ROOT / "examples" / "fraud_detection.py"

METHODS = {
    "log loss",
    "log loss, weight 1 x ratio",
    "log loss, weight 5 x ratio",
    "log loss after SMOTE",
    "focal loss, gamma 2",
    "focal loss, gamma (0, 2)",
}


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
    rows = [re.split(r"  +", line.strip()) for line in output.splitlines()]
    return {cells[1]: cells[2:] for cells in rows if cells[0] == host}


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
def transactions():
    """Few rows, with more frauds among them than there are in life."""
    simulated = simulate_transactions(4000, 30, random_state=1)
    return simulated.features.assign(fraud=simulated.y_true)


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
    assert "Bayes optimum" in result.stdout
    for host in ("XGBoost", "LightGBM"):
        rows = table_rows(result.stdout, host)
        assert set(rows) == METHODS
        for cells in rows.values():
            # Four shares, log loss, Brier score, rounds, seconds.
            assert len(cells) == 8
            assert all(0 <= float(share) <= 1 for share in cells[:4])
            assert 1 <= int(cells[6]) <= 20


def test_the_fraud_example_shows_its_progress_on_standard_error(default_run):
    _, result = default_run
    assert "12/12" in result.stderr
    assert "Warning" not in result.stderr


def test_the_fraud_example_writes_its_picture(default_run):
    folder, _ = default_run
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_the_saved_models_are_those_of_the_hosts(default_run):
    folder, _ = default_run
    features = simulate_transactions(20_000, 200).features
    models = sorted((folder / "models").iterdir())
    assert len(models) == 12
    for path in models:
        if path.suffix == ".json":
            booster = xgboost.Booster(model_file=path)
            score = booster.predict(xgboost.DMatrix(features))
        else:
            score = lightgbm.Booster(model_file=path).predict(features)
        assert 0 <= score.min() < score.max() <= 1


@pytest.fixture(scope="module")
def awkward(transactions):
    """Dates, labels that are text, missing values, a name that both hosts refuse."""
    start = pd.Timestamp("2024-01-01 00:00:00.123")
    return transactions.rename(columns={"amount": 'amount "EUR" [cents]'}).assign(
        time=start + pd.to_timedelta(transactions["day"], "D"),
        fraud=np.where(transactions["fraud"] == 1, "yes", "no"),
        account_age_days=transactions["account_age_days"].where(
            transactions.index % 5 > 0
        ),
    )


def test_the_fraud_example_reads_a_file_and_splits_it_by_time(awkward, tmp_path):
    awkward.to_csv(tmp_path / "payments.csv", index=False)
    options = ("--target", "fraud", "--rounds", 3, "--threads", 1)
    result = run(tmp_path, "--data", "payments.csv", *options)
    assert result.returncode == 0, result.stderr
    assert "fraud = yes" in result.stdout
    assert "by time" in result.stdout
    assert "Bayes" not in result.stdout
    assert set(table_rows(result.stdout, "XGBoost")) == METHODS
    assert (tmp_path / "fraud_detection.png").is_file()


def prepared(name):
    path = PREPARED / f"{name}.npz"
    if not path.is_file():
        pytest.skip(f"the prepared data set {name} is not in ../shared/data")
    return path


def test_the_fraud_example_reads_a_prepared_set(tmp_path):
    path = prepared("mammography")
    result = run(tmp_path, "--data", path, "--rounds", 2, "--threads", 1)
    assert result.returncode == 0, result.stderr
    assert "at random" in result.stdout
    assert set(table_rows(result.stdout, "LightGBM")) == METHODS


def test_a_prepared_set_of_several_classes_is_refused(one_line_error):
    assert "not binary" in one_line_error("--data", prepared("krvsk18"))


def test_prepared_sets_bring_their_own_test_rows_and_targets():
    flights = read_table(prepared("nyc_flights13"), None, None)
    assert flights.is_test.sum() == 84_292
    assert flights.features["plane_year"].isna().any()
    wear = read_table(prepared("ai4i2020"), "TWF", None)
    assert wear.positive == "TWF = 1"
    assert wear.y_true.sum() == 46
    assert "TWF" not in wear.features


BAD_TABLES = {
    "missing target": (lambda t: t.drop(columns="fraud"), "no column 'fraud'"),
    "infinite": (lambda t: t.assign(hour=np.inf), "infinite"),
    "few frauds": (lambda t: t.assign(fraud=1 * (t.index == 5)), "add rows"),
}


@pytest.mark.parametrize("fault", BAD_TABLES)
def test_bad_data_end_with_one_line(fault, transactions, tmp_path, one_line_error):
    spoil, message = BAD_TABLES[fault]
    path = tmp_path / "payments.csv"
    spoil(transactions).to_csv(path, index=False)
    assert message in one_line_error("--data", path, "--target", "fraud")


def test_bad_data_end_a_process_without_a_traceback(transactions, tmp_path):
    transactions.assign(hour="noon").to_csv(tmp_path / "payments.csv")
    result = run(tmp_path, "--data", "payments.csv", "--target", "fraud")
    assert "column 'hour' holds text" in message_of(result)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--data", "nowhere.csv", "--target", "fraud"), "nowhere.csv is not there"),
        (("--target", "fraud"), "add --data FILE"),
        (("--rows", "many"), "'many' is not a whole number"),
        (("--rows", "100"), "raise --rows or lower --imbalance"),
        (("--picture", "curves.txt"), "end the name in one of"),
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


@pytest.mark.parametrize("imbalance", [30, 1000, 10_000])
def test_the_simulated_posterior_has_the_rate_asked_for(imbalance):
    simulated = simulate_transactions(30_000, imbalance)
    assert simulated.posterior.mean() == pytest.approx(1 / (imbalance + 1), rel=1e-6)
    assert simulated.posterior.min() > 0
    assert simulated.posterior.max() < 1


def test_the_simulation_is_reproducible():
    first, again = (simulate_transactions(2000, 100, random_state=3) for _ in range(2))
    other = simulate_transactions(2000, 100, random_state=4)
    pd.testing.assert_frame_equal(first.features, again.features)
    np.testing.assert_array_equal(first.y_true, again.y_true)
    np.testing.assert_array_equal(first.posterior, again.posterior)
    assert not first.features.equals(other.features)


def test_the_simulated_features_are_numbers_in_order_of_time():
    features = simulate_transactions(5000, 100).features
    assert np.isfinite(features.to_numpy()).all()
    assert (features.dtypes == np.float64).all()
    assert features["day"].is_monotonic_increasing
    assert features["payments_24h"].max() > 3


def test_the_simulated_labels_follow_the_posterior():
    simulated = simulate_transactions(200_000, 100)
    y_true, posterior = simulated.y_true, simulated.posterior
    order = np.argsort(posterior)
    # Groups of equally many expected frauds, from the least to the most suspect rows.
    expected = np.cumsum(posterior[order])
    group = np.floor(20 * expected / (expected[-1] * (1 + 1e-9))).astype(int)
    surplus = np.bincount(group, (y_true - posterior)[order])
    variance = np.bincount(group, (posterior * (1 - posterior))[order])
    chi2 = float(np.sum(surplus**2 / variance))
    assert stats.chi2.sf(chi2, df=20) > 0.001
    # The same test has to notice a posterior that is a fifth too small.
    shifted = np.bincount(group, (y_true - 0.8 * posterior)[order])
    assert stats.chi2.sf(float(np.sum(shifted**2 / variance)), df=20) < 0.001


def test_every_kind_of_simulated_fraud_occurs_and_some_are_hard():
    hazards = simulate_transactions(200_000, 1000).hazards
    share = hazards.sum() / hazards.to_numpy().sum()
    assert (share > 0.1).all()
    # The share of each kind of fraud that happens where that kind is likely.
    likely = hazards.where(hazards > 0.3).sum() / hazards.sum()
    assert likely["stolen card"] > 0.5
    assert likely["account takeover"] < 0.1
