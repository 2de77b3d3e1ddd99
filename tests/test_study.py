"""The study: its splits, measures, search, journal and analysis."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.special import logit

pytest.importorskip("pandas")
pytest.importorskip("matplotlib")
pytest.importorskip("pebble")
pytest.importorskip("xgboost")
pytest.importorskip("lightgbm")
import pandas as pd
from failing_study import fails
from study import methods, problems, run, scores
from study.analyse import (
    AP,
    GAMMA_CHOSEN,
    LOG_LOSS,
    Difference,
    chosen,
    difference,
    holm,
    per_problem,
    tables,
    with_gamma_chosen,
)
from study.problems import SETS, SMOKE, AbsentError, Cap, Part

STUDY = Path(__file__).resolve().parents[1] / "benchmarks" / "study"


def parts_of(name, number=0):
    try:
        return problems.split(name, number)
    except AbsentError as error:
        pytest.skip(str(error))


def test_every_prepared_set_is_a_problem_or_left_out_for_a_reason():
    if not problems.PREPARED.is_dir():
        pytest.skip("the prepared sets are not in ../shared/data")
    there = {path.stem for path in problems.PREPARED.glob("*.npz")}
    used = {problem.name.partition("=")[0] for problem in SETS}
    assert used.isdisjoint(problems.LEFT_OUT)
    assert {name.partition(":")[0] for name in {*used, *problems.LEFT_OUT}} >= there


def test_problems_have_names_and_sources_of_their_own():
    assert len({problem.name for problem in SETS}) == len(SETS)
    assert {problem.part for problem in SETS} == {"random", "ordered", "simulated"}


def test_parts_in_time_do_not_overlap():
    train, valid, test = parts_of("nass_cds")[:3]
    year = 6
    assert train.X[:, year].max() <= valid.X[:, year].min()
    assert valid.X[:, year].max() < test.X[:, year].min() == 2001


def test_equal_rows_stay_together():
    train, valid, test = ({*map(bytes, part.X)} for part in parts_of("nasa_pc5")[:3])
    assert train.isdisjoint(valid)
    assert (train | valid).isdisjoint(test)


def test_test_rows_of_a_set_stay_and_training_rows_are_drawn_anew():
    first, second = (parts_of("ann_thyroid3=hypo (1)", number) for number in (0, 1))
    np.testing.assert_array_equal(first.test.X, second.test.X)
    assert not np.array_equal(first.train.X, second.train.X)


def test_random_splits_keep_the_share_of_positives():
    split = parts_of("yeast10=ME3")
    for part in split[:3]:
        assert part.y.mean() == pytest.approx(163 / 1484, abs=0.005)
    assert not np.array_equal(split.test.X, parts_of("yeast10=ME3", 1).test.X)


def test_caps_keep_rows_or_as_many_as_hold_the_positives():
    y = np.repeat([0, 1], [9900, 100])
    assert Cap(20_000, 100, 300_000).size(y) == 10_000
    assert Cap(1000, 10, 300_000).size(y) == 1000
    assert Cap(1000, 50, 300_000).size(y) == 5000
    assert Cap(1000, 50, 2000).size(y) == 2000


@pytest.fixture(scope="module")
def smoke_split():
    return problems.split(SMOKE.name, 0)


def test_weights_stand_for_the_test_rows_that_are_left_out(smoke_split):
    test, (_, truth) = smoke_split.test, smoke_split.truth
    assert test.weight.sum() == pytest.approx(4000, rel=0.03)
    assert set(test.weight[test.y == 1]) == {1.0}
    # The true probabilities are in balance with the labels of all rows.
    assert test.weight @ truth == pytest.approx(test.y.sum(), rel=0.25)


def test_weighted_measures_are_those_of_repeated_rows():
    rng = np.random.default_rng(0)
    y, score = rng.random(3000) < 0.05, rng.normal(size=3000)
    weight = rng.integers(1, 4, 3000)
    weighted = scores.ranking(Part(None, y, weight), score + y)
    repeated = Part(None, np.repeat(y, weight))
    assert scores.ranking(repeated, np.repeat(score + y, weight)) == pytest.approx(
        weighted
    )


def test_tied_rows_count_as_in_a_random_order():
    y = np.arange(2000) % 20 == 0
    found = scores.ranking(Part(None, y), np.zeros(2000))
    assert found["recall_100"] == pytest.approx(100 / 2000)
    assert found["recall_1000"] == pytest.approx(0.5)
    assert found["recall_at_fpr"] == pytest.approx(0.001)


def test_calibration_undoes_a_shift_of_the_odds(smoke_split):
    right = [logit(p) for p in smoke_split.truth]
    fit = scores.Fit(*(scores.Odds(odds + 3, odds) for odds in right), 0)
    found = scores.measured(fit, smoke_split)
    best = found["relative_log_loss_corrected"]
    assert found["relative_log_loss_own"] > 1.5 > 0.8 > best
    assert found["relative_log_loss_beta"] == pytest.approx(best, rel=0.05)
    assert found["relative_log_loss_isotonic"] < 0.8
    assert found["balance_own"] > 3 > 1.4 > found["balance_corrected"]
    assert found["reliability_own"] > 3 * found["reliability_corrected"]


def test_predictions_that_are_not_finite_fail(smoke_split):
    odds = [np.full(len(part.y), np.nan) for part in smoke_split[1:3]]
    fit = scores.Fit(*(scores.Odds(one, one) for one in odds), 0)
    with pytest.raises(FloatingPointError, match="not finite"):
        scores.measured(fit, smoke_split)


def test_every_method_gets_the_same_configurations():
    found = methods.configurations(25)
    assert len(found) == 25
    assert methods.configurations(4) == found[:4]
    assert any(c["min_hessian"] == 0 for c in found)
    assert all(0.05 <= c["learning_rate"] <= 0.3 for c in found)


def test_small_models_have_their_size_on_both_hosts():
    sizes = methods.small_configurations()
    assert len(sizes) == 5 * 2 * methods.N_SMALL
    for c in sizes:
        on_xgboost = methods.host_params("xgboost", c)
        on_lightgbm = methods.host_params("lightgbm", c)
        assert on_xgboost["max_depth"] == on_lightgbm["max_depth"] == c["depth"]
        assert on_lightgbm["num_leaves"] == 2 ** c["depth"]
        assert on_xgboost["n_estimators"] == on_lightgbm["n_estimators"] == c["rounds"]


@pytest.mark.parametrize("host", methods.HOSTS)
def test_odds_of_weights_are_corrected(host, smoke_split):
    (contender,) = (
        one for one in methods.hosted(("weights: ratio",)) if one.host == host
    )
    c = {**methods.configurations(1)[0], "rounds": 5, "depth": 2}
    fit = contender.fit(smoke_split, c, 0)
    y = smoke_split.train.y
    ratio = (y == 0).sum() / y.sum()
    np.testing.assert_allclose(fit.test.own - fit.test.corrected, np.log(ratio))
    assert 0 < fit.latency < 1
    assert 1 <= fit.rounds <= 5


def journal_rows(**columns):
    """Rows of two configurations of two methods on both hosts."""
    index = pd.MultiIndex.from_product(
        [["wilt", "caravan"], [0], methods.HOSTS, [LOG_LOSS, "m"], [0, 1]],
        names=["problem", "split", "host", "method", "configuration"],
    )
    rows = index.to_frame(index=False)
    first = {"status": "ok", "prevalence": 0.1, "validation_log_loss": 1.0, AP: 0.5}
    kinds = {f"relative_log_loss_{kind}": 0.7 for kind in scores.KINDS}
    return rows.assign(validation_average_precision=0.5, **(first | kinds | columns))


def test_the_best_configuration_on_validation_rows_is_chosen():
    rows = journal_rows(
        validation_log_loss=[2.0, 1.0] * 8, average_precision=[0, 1] * 8
    )
    assert set(chosen(rows)["configuration"]) == {1}
    assert set(chosen(rows, 1)["configuration"]) == {0}
    rows["validation_average_precision"] = [0.9, 0.2] * 8
    by = "validation_average_precision"
    assert set(chosen(rows, by=by)["configuration"]) == {0}


def test_a_fit_that_failed_is_not_chosen():
    rows = journal_rows()
    rows.loc[rows["configuration"] == 0, ["status", AP]] = ["failed", np.nan]
    assert set(chosen(rows)["configuration"]) == {1}
    rows.loc[rows["method"] == "m", ["status", AP]] = ["failed", np.nan]
    best = chosen(rows).set_index("method")
    assert set(best.loc["m", AP]) == {0.1}
    assert set(best.loc["m", "relative_log_loss_own"]) == {1.0}
    assert set(best.loc[LOG_LOSS, AP]) == {0.5}


def test_a_method_is_compared_on_its_own_host_or_with_both():
    rows = journal_rows()
    on_xgboost, is_m = rows["host"] == "xgboost", rows["method"] == "m"
    rows.loc[on_xgboost & ~is_m, AP] = 0.3
    assert per_problem(chosen(rows), "m", LOG_LOSS, AP).tolist() == [0.1, 0.1]
    alone = rows[on_xgboost | ~is_m]
    found = per_problem(chosen(alone), "m", LOG_LOSS, AP)
    np.testing.assert_allclose(found, 0.2)
    elsewhere = alone.assign(host=alone["host"].mask(is_m, "catboost"))
    found = per_problem(chosen(elsewhere), "m", LOG_LOSS, AP)
    np.testing.assert_allclose(found, 0.1)


def test_problems_of_one_source_count_once():
    names = ["ulb_creditcard_int", "ulb_creditcard_casecontrol", "wilt"]
    found = difference(pd.Series([0.0, 2.0, 3.0], names))
    assert (found.mean, found.n_sources, found.ahead, found.behind) == (2, 2, 2, 0)
    assert 1 <= found.low <= found.high <= 3


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.001, 0.02, "better"),
        (0.001, 0.004, "better, within the margin"),
        (-0.02, -0.001, "worse"),
        (-0.004, 0.005, "level"),
        (-0.004, 0.006, "not decided"),
    ],
)
def test_verdicts_know_the_margin(low, high, verdict):
    found = Difference((low + high) / 2, low, high, 0.5, 1, 1, 20)
    assert found.verdict == verdict
    assert found._replace(n_sources=1).verdict == "not decided"


def test_an_interval_covers_the_mean_of_the_sources():
    rng = np.random.default_rng(1)
    names = [one.name for one in SETS if one.part != "simulated"]
    found = difference(pd.Series(rng.normal(0.01, 0.01, len(names)), names))
    assert 0 < found.low < found.mean < found.high < 0.02
    assert found.p < 0.01
    assert found.verdict == "better"


def test_holm_is_the_step_down_of_bonferroni():
    found = holm(pd.Series([0.04, 0.01, 0.03, 0.9], list("abcd")))
    assert found.tolist() == pytest.approx([0.09, 0.04, 0.09, 0.9])


def test_gamma_chosen_is_one_search_of_as_many_fits():
    index = pd.MultiIndex.from_product(
        [methods.FAMILY, range(25)], names=["method", "configuration"]
    )
    rows = with_gamma_chosen(index.to_frame(index=False))
    added = rows[rows["method"] == GAMMA_CHOSEN]
    assert sorted(added["configuration"]) == list(range(25))
    members = set(map(methods.drawn_gamma, range(25)))
    assert members == set(methods.FAMILY)


TASKS = [run.Task("primary", SMOKE.name, 0, "xgboost", LOG_LOSS, c) for c in (0, 1)]


def test_a_journal_goes_on_after_a_row_that_was_cut(tmp_path):
    journal = run.Journal(tmp_path)
    journal.open({"a": 1})
    journal.add(TASKS[0], {"status": "ok", AP: 0.25})
    journal.pack()
    journal.add(TASKS[1], {"status": "ok", AP: 0.5})
    text = journal.recent.read_text()
    journal.recent.write_text(text[: text.rindex("0.5")])
    again = run.Journal(tmp_path)
    again.open({"a": 1})
    assert again.done() == {TASKS[0]}
    again.add(TASKS[1], {"status": "ok", AP: 0.5})
    again.pack()
    assert again.done() == set(TASKS)
    assert again.rows()[AP].tolist() == [0.25, 0.5]
    with pytest.raises(SystemExit, match="--results"):
        run.Journal(tmp_path).open({"a": 2})


def test_an_error_is_a_row():
    task = run.Task("rivals", SMOKE.name, 0, "lightgbm", "SMOTE", 99)
    with pytest.raises(IndexError):
        run.measure(task, True)
    found = run.measure(task._replace(configuration=0, problem="nothing"), True)
    assert found["status"] == "failed"
    assert found["reason"] == "KeyError: 'nothing'"


def test_stages_hold_what_the_protocol_says():
    stages = run.stages()
    assert list(stages) == [
        "primary",
        "small",
        "peers",
        "rivals",
        "stream",
        "long stream",
    ]
    for name, stage in stages.items():
        tasks = list(stage.tasks(name))
        assert len(tasks) == len(set(tasks))
    assert len(stages["primary"].configurations) == 25
    assert stages["primary"].n_splits == 5


@pytest.mark.slow
def test_fits_that_crash_or_never_end_are_rows(tmp_path, monkeypatch):
    journal, stage = run.Journal(tmp_path), run.stages(is_smoke=True)["primary"]
    short = replace(stage, contenders=stage.contenders[:1], limit=1.0)
    monkeypatch.setattr(run, "stages", lambda **_: {"primary": short})
    run.run(journal, ["primary"], 1, 1.0, is_smoke=True, measure=fails)
    rows = journal.rows().set_index("configuration")
    assert rows["status"].to_dict() == {0: "crashed", 1: "timed out"}
    assert rows["reason"].to_dict() == {0: "exit code 3", 1: "not done after 1 s"}


@pytest.mark.slow
def test_the_smoke_run_fits_every_contender_and_goes_on(tmp_path):
    command = [sys.executable, STUDY, "run", "--smoke", "--results", tmp_path]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    options = {"check": True, "capture_output": True, "text": True, "cwd": tmp_path}
    command = list(map(str, command))
    subprocess.run(command, env=environment, **options)
    again = subprocess.run(command, env=environment, **options).stdout
    assert "0 fits to do" in again
    rows = run.Journal(tmp_path).rows()
    assert set(rows["status"]) == {"ok"}
    installed = {
        (one.host, one.method)
        for stage in run.stages(is_smoke=True).values()
        for one in stage.contenders
        if one.is_installed
    }
    assert set(rows[["host", "method"]].itertuples(index=False, name=None)) == installed
    for name in ("hypotheses", "methods", "small", "streams", "probabilities"):
        assert not pd.read_csv(tmp_path / f"{name}.csv").empty
    for name in ("methods", "curves", "small"):
        assert (tmp_path / f"{name}.svg").stat().st_size > 5000
    best = rows.set_index("method").loc["Bayes optimum", AP]
    assert best > rows.loc[rows["method"] == LOG_LOSS, AP].max()


RESULTS = STUDY.parent / "results" / "study"
PROJECT = STUDY.parents[1]
MINUS = "[+−]"
INTERVAL = re.compile(rf"({MINUS}\.\d{{3}}) \[(−?\.\d{{3}}), (−?\.\d{{3}})\]")


def quoted(value):
    """A number as the pages write it."""
    return f"{value:+.3f}".replace("0.", ".", 1).replace("-", "−")


def plain(value):
    return quoted(value).removeprefix("+")


def of(row):
    """A difference with its interval and the sources ahead and behind."""
    ends = f"[{plain(row.low)}, {plain(row.high)}]"
    return f"{quoted(row.mean)} {ends} | {row.ahead} : {row.behind}"


def lines_of_pages():
    """The lines of the tables in RESULTS.md, from the stored tables."""
    for row in pd.read_csv(RESULTS / "hypotheses.csv").itertuples():
        p = plain(row.p if row.hypothesis == "primary" else row.p_holm)
        yield f"| {row.method} | {of(row)} | {p} | {row.verdict} |"
    table = pd.read_csv(RESULTS / "readings.csv")
    for row in table[table["method"] == methods.PRIMARY].itertuples():
        yield f"| {row.view} | {of(row)} | {row.verdict} |"
    table = pd.read_csv(RESULTS / "methods.csv")
    against = table[table["reference"] == LOG_LOSS].set_index(["measure", "method"])
    worth = pd.read_csv(RESULTS / "probabilities.csv").set_index("measure")
    for row in against.loc[AP].sort_values("mean", ascending=False).itertuples():
        cells = [row.Index, f"{quoted(row.mean)} [{plain(row.low)}, {plain(row.high)}]"]
        cells += [f"{row.ahead} : {row.behind}"]
        cells += [quoted(against.loc[("recall_at_fpr", row.Index), "mean"])]
        of_method = worth[row.Index]
        cells += [f"{of_method['relative_log_loss_own']:.2f}"]
        cells += [f"{of_method['relative_log_loss_corrected']:.2f}"]
        cells += [f"{of_method['balance_own']:.2f}"]
        yield f"| {' | '.join(cells)} |"
    table = pd.read_csv(RESULTS / "small.csv")
    for (host, depth, trees), some in table.groupby(["host", "depth", "trees"]):
        cells = [host, f"{depth:.0f}", f"{trees:.0f}"]
        cells += [of(row).partition(" |")[0] for row in some.itertuples()]
        yield f"| {' | '.join(cells)} |"
    for row in pd.read_csv(RESULTS / "streams.csv").itertuples():
        cells = [row.problem.removeprefix("stream "), row.method]
        cells += [plain(row.average_precision), plain(row.recall_1000)]
        cells += [f"{row.relative_log_loss_own:.3f}"]
        yield f"| {' | '.join(cells)} |"


def test_the_tables_of_the_page_are_the_stored_ones():
    page = (STUDY.parent / "RESULTS.md").read_text("utf-8").splitlines()
    assert [line for line in lines_of_pages() if line not in page] == []


@pytest.mark.parametrize(
    "name", ["README.md", "benchmarks/RESULTS.md", "docs/explanation/evidence.md"]
)
def test_every_interval_of_a_page_is_in_a_stored_table(name):
    known = set()
    for path in RESULTS.glob("*.csv"):
        table = pd.read_csv(path)
        if "low" in table:
            rows = table[["mean", "low", "high"]].itertuples(index=False)
            # A method can be read from either side.
            for mean, low, high in rows:
                known.add((quoted(mean), quoted(low), quoted(high)))
                known.add((quoted(-mean), quoted(-high), quoted(-low)))
    found = INTERVAL.findall((PROJECT / name).read_text("utf-8"))
    assert len(found) >= 3
    signed = {
        (mean, *(end if end.startswith("−") else f"+{end}" for end in ends))
        for mean, *ends in found
    }
    assert signed <= known


@pytest.mark.slow
def test_the_tables_are_those_of_the_journal():
    for name, table in tables(run.Journal(RESULTS).rows()):
        stored = pd.read_csv(RESULTS / f"{name}.csv")
        alike = {"rtol": 1e-4, "check_dtype": False, "check_names": False}
        pd.testing.assert_frame_equal(table, stored, **alike)
