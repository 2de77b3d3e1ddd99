"""The command line on a hundred thousand everyday rows, 1 in 500 of them positive."""

import pytest
from commands import run
from payments import make_payments


@pytest.fixture(scope="module")
def payments():
    """Text, categories, dates, booleans, nullable numbers, missing values, an id."""
    return make_payments()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "ending"), [("lightgbm", "csv"), ("xgboost", "parquet")]
)
def test_the_command_compares_a_large_table(host, ending, payments, tmp_path):
    if ending == "csv":
        payments.to_csv(tmp_path / "payments.csv", index=False)
    else:
        payments.to_parquet(tmp_path / "payments.parquet")
    result = run(
        tmp_path,
        *("compare", f"payments.{ending}", "--target", "fraud", "--host", host),
        *("--drop", "payment_id", "terminal", "--group", "customer", "--date-parts"),
        *("--cost", 5, "--cost-column", "amount"),
        *("--folds", 2, "--repeats", 1, "--rounds", 5, "--jobs", 2),
    )
    assert result.returncode == 0, result.stderr
    assert "100000 rows, " in result.stdout
    assert " failed with " not in result.stdout
    assert "use --time time" in " ".join(result.stdout.split())  # lines are wrapped
    assert "identifiers" not in result.stdout
    page = (tmp_path / "comparison.html").read_text("utf-8")
    assert "Lowest cost of" in page
    assert f"--host {host} --drop payment_id terminal --group customer" in page
    rows = [line.split() for line in result.stdout.splitlines()]
    (constant,) = [row for row in rows if row[:2] == ["a", "constant"]]
    (focal,) = [row for row in rows if row[:2] == ["focal,", "γ"] and "2" in row[3:4]]
    assert float(focal[4]) > 5 * float(constant[2])
