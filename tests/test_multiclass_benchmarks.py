"""The benchmarks of several classes: what they compare, split, resume and report."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import multiclass
import numpy as np
import pandas as pd
import pytest
import softmax_peers
from multiclass_data import SETS, problem
from multiclass_methods import METHODS, Fit
from multiclass_report import markdown
from softmax_peers import Peer, compare, random_rows

from focalboost import SoftmaxFocalLoss

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
PREPARED = BENCHMARKS.parents[1] / "shared" / "data"


def altered(change):
    """A peer with our formulas, changed."""

    def gradient_hessian(rows, gamma):
        loss = SoftmaxFocalLoss(rows.raw_prediction.shape[1], gamma)
        return change(*loss.gradient_hessian(rows.y_true, rows.raw_prediction))

    return Peer("altered", "none", gradient_hessian)


@pytest.fixture(scope="module")
def rows():
    return random_rows(500, 4, 3.0, 0)


def test_formulas_like_ours_are_found_to_be_the_same(rows):
    same = compare(altered(lambda g, h: (g, h)), rows, 2)
    assert same["status"] == "ok"
    assert same["rows_not_finite"] == 0
    assert 450 < same["rows_in_range"] <= 500
    assert same["gradient_difference"] == same["hessian_difference"] == 0
    assert same["gradient_rows_off"] == same["hessian_rows_off_in_range"] == 0
    assert same["hessian_ratio"] == 1
    assert same["smallest_hessian"] == same["our_smallest_hessian"] < 0


def test_a_factor_a_clipping_and_a_sign_are_found(rows):
    doubled = compare(altered(lambda g, h: (g, 2 * h)), rows, 2)
    assert doubled["hessian_ratio"] == 2
    assert doubled["hessian_relative"] == 1
    assert doubled["hessian_rows_off"] == 500
    assert doubled["gradient_rows_off"] == 0
    clipped = compare(altered(lambda g, h: (g, np.maximum(h, 0))), rows, 2)
    assert clipped["smallest_hessian"] == 0
    assert clipped["hessian_rows_off_in_range"] > 0
    flipped = compare(altered(lambda g, h: (-g, h)), rows, 2)
    assert flipped["gradient_relative"] == 2
    assert flipped["gradient_rows_off_in_range"] == flipped["rows_in_range"]


def test_rows_that_are_not_finite_are_counted_and_left_out(rows):
    def spoil(gradient, hessian):
        hessian = hessian.copy()
        hessian[:7, 2] = np.nan
        return gradient, hessian

    spoiled = compare(altered(spoil), rows, 2)
    assert spoiled["rows_not_finite"] == 7
    assert spoiled["hessian_difference"] == 0


def test_a_refusal_is_listed(rows):
    def refuse(gradient, hessian):
        raise ValueError("no such gamma")

    assert compare(altered(refuse), rows, 0) == {"status": "refused: no such gamma"}


def peers_table(tmp_path, monkeypatch):
    results = tmp_path / "peers.csv"
    arguments = ["softmax_peers.py", "--rows", "500", "--results", str(results)]
    monkeypatch.setattr(sys, "argv", arguments)
    softmax_peers.main()
    return pd.read_csv(results)


def test_a_missing_peer_is_listed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(softmax_peers, "installed", lambda package: None)
    table = peers_table(tmp_path, monkeypatch)
    assert table["peer"].tolist() == ["gbdtCBL", "gbdtCBL", "imlightgbm"]
    assert set(table["status"]) == {"not installed"}
    assert "not installed" in capsys.readouterr().out


@pytest.mark.parametrize("package", ["gbdtCBL", "imlightgbm"])
def test_the_peers_formulas(package, tmp_path, monkeypatch):
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    check_formulas(peers_table(tmp_path, monkeypatch), package)


@pytest.mark.parametrize("package", ["gbdtCBL", "imlightgbm"])
def test_the_stored_comparison(package):
    check_formulas(pd.read_csv(BENCHMARKS / "results" / "softmax_peers.csv"), package)


def check_formulas(table, package):
    """One peer agrees wherever its softmax leaves raw predictions alone."""
    of_peer = table[table["peer"] == package]
    ok = of_peer[of_peer["status"] == "ok"]
    off = ok[["gradient_rows_off_in_range", "hessian_rows_off_in_range"]]
    moderate = ok["spread"] == "moderate"
    if package == "gbdtCBL":
        assert len(ok) == len(of_peer) == 90
        assert (ok["rows_not_finite"] == 0).all()
        assert (off == 0).all(axis=None)
        assert ok.loc[moderate, "gradient_difference"].max() < 1e-12
        assert ok.loc[moderate, "hessian_difference"].max() < 1e-12
        assert ok.loc[moderate, "hessian_ratio"].sub(1).abs().max() < 1e-9
    else:
        refused = of_peer[of_peer["status"] != "ok"]
        assert set(refused["gamma"]) == {0}
        assert ok.loc[moderate, "gradient_difference"].min() > 0.05
        assert (
            off[moderate] > 0.9 * ok.loc[moderate, ["rows_in_range"]].to_numpy()
        ).all(axis=None)


LOADER = """
import numpy as np

class Set:
    classes = list("abcd")

    def __init__(self):
        rng = np.random.default_rng(0)
        self.y = np.repeat([0, 1, 2, 3], [900, 600, 60, 5])
        self.X = rng.normal(size=(len(self.y), 3)) + 3 * np.eye(4)[self.y, :3]

    def X_numeric(self):
        return self.X

def load(name):
    return Set()
"""


@pytest.fixture
def folder(tmp_path):
    """A folder like ../shared/data, with one set of four classes."""
    (tmp_path / "load.py").write_text(LOADER)
    (tmp_path / "yeast10.npz").touch()
    return tmp_path


def test_every_part_has_a_row_of_every_class(folder):
    p = problem(folder, "yeast10", 10_000, seed=3)
    sizes = [np.bincount(part.y).tolist() for part in (p.train, p.validation, p.test)]
    assert sizes == [[540, 360, 36, 3], [180, 120, 12, 1], [180, 120, 12, 1]]
    rows = np.concatenate([part.X for part in (p.train, p.validation, p.test)])
    assert len(np.unique(rows, axis=0)) == 1565
    assert p.n_classes == 4


def test_thinning_keeps_rare_classes_and_the_shares_of_the_others(folder):
    p = problem(folder, "yeast10", 565, seed=0)
    size = sum(np.bincount(part.y) for part in (p.train, p.validation, p.test))
    assert size.tolist() == [300, 200, 60, 5]


def test_another_seed_is_another_split_and_the_same_seed_the_same(folder):
    first, again, other = (
        problem(folder, "yeast10", 500, seed).test.X for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("name", SETS)
def test_the_prepared_sets_can_be_split(name):
    p = problem(PREPARED, name, 20_000, 0)
    if p is None:
        pytest.skip(f"the prepared data set {name} is not in ../shared/data")
    for part in (p.train, p.validation, p.test):
        assert np.bincount(part.y, minlength=p.n_classes).min() >= 1
        assert len(part.y) <= 20_000


def test_scores():
    y_true = np.array([0, 0, 1, 2])
    posterior = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.8, 0.1], [0, 0, 1]])
    found = multiclass.scores(y_true, posterior)
    assert found["average_precision"] == 1
    assert found["recall"] == pytest.approx((0.5 + 1 + 1) / 3)
    assert found["log_loss"] == pytest.approx(-np.log([0.7, 0.2, 0.8, 1]).mean())


def run_multiclass(folder, monkeypatch, capsys, *options):
    """Run the benchmark in this process; return its table and what it prints."""
    results = folder / "multiclass.csv"
    arguments = ["--data", folder, "--results", results, "--rounds", 10, *options]
    monkeypatch.setattr(sys, "argv", ["multiclass.py", *map(str, arguments)])
    multiclass.main()
    return pd.read_csv(results), capsys.readouterr().out


@pytest.fixture
def fake_methods(monkeypatch):
    """Methods that need no training: constant, and right."""

    def right(host, p, max_rounds):
        return Fit(0.9 * np.eye(p.n_classes)[p.test.y] + 0.1 / p.n_classes, 5)

    def constant(host, p, max_rounds):
        return Fit(np.full((len(p.test.y), p.n_classes), 1 / p.n_classes), 1)

    def broken(host, p, max_rounds):
        raise RuntimeError("no\nluck")

    fakes = {"log loss": constant, "right": right, "broken": broken}
    monkeypatch.setattr(multiclass, "METHODS", fakes)
    return fakes


def test_absent_sets_are_skipped_with_a_message(
    folder, fake_methods, monkeypatch, capsys
):
    table, printed = run_multiclass(folder, monkeypatch, capsys, "--seeds", 1)
    assert set(table["data"]) == {"yeast10"}
    assert "shuttle7: not in" in printed


def test_a_second_run_adds_what_is_missing(folder, fake_methods, monkeypatch, capsys):
    options = ("--sets", "yeast10", "--seeds")
    first, _ = run_multiclass(folder, monkeypatch, capsys, *options, 1)
    assert len(first) == 6
    more, _ = run_multiclass(folder, monkeypatch, capsys, *options, 2)
    # The failed fits of the first run are tried again.
    assert len(more) == 6 + 2 + 6
    pd.testing.assert_frame_equal(more[:6], first)


def test_the_report_counts_wins_and_losses_and_names_failures(
    folder, fake_methods, monkeypatch, capsys
):
    run_multiclass(folder, monkeypatch, capsys, "--sets", "yeast10", "--seeds", 2)
    _, printed = run_multiclass(folder, monkeypatch, capsys, "--report")
    tables = printed.split("\n\n")
    loss = next(table for table in tables if table.startswith("| log loss"))
    rows = [line.split(" | ") for line in loss.splitlines()]
    assert [cell.strip("| ") for cell in rows[3]] == [
        "xgboost: right",
        f"{-np.log(0.925):.4f} ± 0.0000",
        "2",
        "0",
    ]
    assert "xgboost: broken: 2 fits failed, the first with RuntimeError: no luck" in (
        printed
    )


def test_the_report_of_a_method_that_is_worse():
    lines = [
        {"data": "a", "host": "h", "seed": s, "method": m, "status": "ok"}
        | {"average_precision": v, "recall": v, "log_loss": v, "versions": "1"}
        for s in (0, 1)
        for m, v in (("log loss", 0.5), ("other", 0.4 + 0.2 * s))
    ]
    table = "\n".join(markdown(pd.DataFrame(lines), "log loss"))
    assert "| h: other | 0.5000 ± 0.1000 | 1 | 1 |" in table
    assert "| h: log loss | 0.5000 ± 0.0000 |  |  |" in table


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
@pytest.mark.filterwarnings("ignore:.*no further splits")
def test_every_method_trains_on_both_hosts(folder, monkeypatch, capsys):
    options = ("--sets", "yeast10", "--seeds", 1, "--rounds", 30)
    table, _ = run_multiclass(folder, monkeypatch, capsys, *options)
    assert table["status"].tolist() == ["ok"] * 2 * len(METHODS)
    assert (table["recall"] > 0.5).all()
    assert (table["log_loss"] < np.log(4)).all()


@pytest.mark.slow
def test_the_benchmark_is_a_script(folder):
    results = folder / "multiclass.csv"
    options = ["--data", folder, "--results", results, "--sets", "shuttle7"]
    command = [sys.executable, BENCHMARKS / "multiclass.py", *options]
    done = subprocess.run(
        list(map(str, command)), check=True, capture_output=True, text=True
    )
    assert "shuttle7: not in" in done.stdout
