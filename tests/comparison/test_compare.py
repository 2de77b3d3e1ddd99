"""compare_losses: what it compares, what it keeps, and what it concludes."""

import json
import sys

import joblib
import numpy as np
import pytest
import xgboost
from rich.progress import Progress
from scipy import sparse
from sklearn.datasets import make_classification
from sklearn.model_selection import StratifiedKFold, TimeSeriesSplit

import focalboost
from focalboost import FocalLGBMClassifier, FocalLoss, FocalXGBClassifier
from focalboost.comparison import (
    Method,
    _compare,
    _methods,
    compare_losses,
    tuned,
)
from focalboost.comparison._report import faults
from focalboost.comparison._result import METRICS, scores

LOSSES = ("log loss", "weights: ratio", FocalLoss(2), FocalLoss((0, 2)))
GRID = [{"n_estimators": 30, "learning_rate": 0.2, "max_depth": 3}]


@pytest.fixture(scope="module")
def small():
    return make_classification(
        900, n_features=6, weights=[0.93], class_sep=0.8, random_state=3
    )


def compared(X, y, cls=FocalXGBClassifier, **options):
    options = {"losses": LOSSES, "cv": 3, "grid": GRID, "progress": False, **options}
    return compare_losses(cls(n_jobs=1), X, y, **options)


@pytest.fixture(scope="module")
def result(small):
    return compared(*small)


def test_every_method_is_scored_on_every_fold(result):
    assert result.names == (
        "log loss", "weights: ratio", "focal, γ = 2", "focal, γ = (0, 2)",
    )  # fmt: skip
    assert [(fit.method, fit.fold) for fit in result.fits] == [
        (name, fold) for name in result.names for fold in range(3)
    ]
    assert result.failures == ()
    for name in (*result.names, "a constant"):
        for metric in METRICS:
            assert np.isfinite(result.values(name, metric)).all()


def test_the_scores_are_those_of_the_methods_trained_alone(small, result):
    X, y = small
    folds = StratifiedKFold(3, shuffle=True, random_state=0).split(X, y)
    train, test = list(folds)[1]
    for method in result.methods:
        one = tuned(
            method, FocalXGBClassifier(n_jobs=1), GRID, X[train], y[train], None, 1
        )
        log_odds = one.log_odds(X[test])
        expected = scores(y[test], log_odds, one.odds_factor, 0.001)
        (fit,) = [f for f in result.fits if (f.method, f.fold) == (method.name, 1)]
        assert fit.scores == expected
        kept = result.log_odds[method.name][test]
        np.testing.assert_array_equal(kept, log_odds.astype(np.float32))


@pytest.mark.slow  # of starting two processes
def test_it_does_not_depend_on_how_many_fits_run_at_a_time(small, result):
    parallel = compared(*small, n_jobs=2)
    for name in result.names:
        np.testing.assert_array_equal(parallel.values(name), result.values(name))


@pytest.mark.parametrize(
    ("n_jobs", "asked", "used"), [(2, None, 1), (2, 3, 3), (1, None, None)]
)
def test_fits_at_the_same_time_have_a_thread_each(
    small, monkeypatch, n_jobs, asked, used
):
    """Unless the estimator asks for others; alone, a fit has what its host takes."""
    seen, original = [], _compare.fitted

    def watched(plan, method, fold):
        seen.append(plan.estimator.n_jobs)
        return original(plan, method, fold)

    monkeypatch.setattr(_compare, "fitted", watched)
    options = {"losses": LOSSES[:1], "cv": 2, "grid": [{"n_estimators": 2}]}
    with joblib.parallel_config("threading"):
        compare_losses(
            FocalXGBClassifier(n_jobs=asked), *small, n_jobs=n_jobs, **options,
            progress=False,
        )  # fmt: skip
    assert seen == [used] * 2


def test_labels_may_be_words(small, result):
    X, y = small
    words = compared(X, np.where(y == 1, "yes", "no"))
    np.testing.assert_array_equal(words.values("log loss"), result.values("log loss"))


def test_weights_count_in_training_and_in_scores(small):
    """A whole weight is as many rows, but for how the host counts and splits them."""
    X, y = small
    weighted = compared(X, y, sample_weight=np.full(len(y), 2.0))
    plain = compared(X, y)
    for name in ("log loss", "focal, γ = 2"):
        a, b = weighted.values(name), plain.values(name)
        assert np.abs(a - b).max() < 0.15
    alone = np.where(y == 1, 1.0, 1e-6)
    assert compared(X, y, sample_weight=alone).mean("log loss") > 0.99


def test_repetitions_are_more_folds_and_the_first_tests_are_kept(small):
    X, y = small
    found = compare_losses(
        FocalXGBClassifier(n_jobs=1), X, y, losses=LOSSES[:2], grid=GRID, progress=False
    )
    assert len(found.constants) == 10
    assert list(found.first_tests) == [0, 1, 2, 3, 4]
    rows = np.sort(np.concatenate(list(found.first_tests.values())))
    np.testing.assert_array_equal(rows, np.arange(len(y)))
    assert np.isfinite(found.log_odds["log loss"]).all()
    assert found.test_per_train == pytest.approx(0.25, abs=0.01)


def test_a_time_split_works(small):
    found = compared(*small, cv=TimeSeriesSplit(3))
    assert np.isfinite(found.values("focal, γ = 2")).all()
    assert np.isnan(found.log_odds["log loss"][:100]).all()


def test_a_failing_method_is_listed_and_the_others_go_on(small):
    X, y = small
    methods = [*LOSSES[:1], Method("SMOTE", resampling="smote"), FocalLoss(2)]
    found = compared(X, y, losses=methods, sample_weight=np.ones(len(y)))
    assert {fit.method for fit in found.failures} == {"SMOTE"}
    assert len(found.failures) == 3
    assert "sample_weight must be None for SMOTE" in found.failures[0].error
    assert np.isnan(found.values("SMOTE")).all()
    assert "3 fits failed: SMOTE." in found.verdict.text
    table = found.to_pandas()
    assert len(table) == 9
    assert table["error"].notna().sum() == 3
    assert found.summary_to_pandas().set_index("method")["failed"]["SMOTE"] == 3


def test_warnings_of_a_fit_are_kept(small):
    X, y = small
    grid = [{"n_estimators": 5, "min_child_weight": 1e6}]
    found = compared(X, y, losses=["log loss, certified", "focal, γ = 2"], grid=grid)
    assert all("learned nothing" in " ".join(fit.warnings) for fit in found.fits)
    assert found.verdict.use is None
    lines = faults(found)
    assert [line.partition(":")[0] for line in lines] == [
        f"{name}, 3 folds" for name in found.names
    ]
    assert all("learned nothing" in line for line in lines)


def test_a_comparison_goes_on_from_its_file(small, tmp_path, monkeypatch):
    X, y = small
    path = tmp_path / "fits.jsonl"
    first = compared(X, y, losses=LOSSES[:2], file=path)
    text = path.read_text("utf-8")
    assert len(text.splitlines()) == 1 + 2 * 3
    path.write_text(text[: text.rindex('"fold"')], "utf-8")  # killed while it wrote

    trained = []
    original = _compare.tuned
    monkeypatch.setattr(
        _compare,
        "tuned",
        lambda *a, **k: trained.append(a[0].name) or original(*a, **k),
    )
    again = compared(X, y, file=path)
    last = json.loads(text.splitlines()[-1])["method"]
    assert sorted(trained) == sorted([last, *["focal, γ = 2", "focal, γ = (0, 2)"] * 3])
    for name in first.names:
        for metric in METRICS:
            np.testing.assert_array_equal(
                again.values(name, metric), first.values(name, metric)
            )
        np.testing.assert_array_equal(again.log_odds[name], first.log_odds[name])
    trained.clear()
    compared(X, y, file=path)
    assert trained == []


def test_what_failed_is_tried_again(small, tmp_path, monkeypatch):
    X, y = small
    path = tmp_path / "fits.jsonl"
    losses = [*LOSSES[:1], Method("SMOTE", resampling="smote")]
    with monkeypatch.context() as patched:
        patched.setattr(_methods, "SMOTE_NEIGHBORS", "five")
        first = compared(X, y, losses=losses, file=path)
    assert {fit.method for fit in first.failures} == {"SMOTE"}
    again = compared(X, y, losses=losses, file=path)
    assert again.failures == ()
    assert np.isfinite(again.values("SMOTE")).all()
    assert len(path.read_text("utf-8").splitlines()) == 1 + 2 * 3 + 3


def test_numbers_of_numpy_in_a_grid_are_kept_in_the_file(small, tmp_path):
    path = tmp_path / "fits.jsonl"
    grid = [{"n_estimators": np.int64(3), "learning_rate": np.float32(0.25)}]
    compared(*small, losses=LOSSES[:1], grid=grid, file=path)
    (entry, *_) = map(json.loads, path.read_text("utf-8").splitlines()[1:])
    assert entry["params"] == {"n_estimators": 3, "learning_rate": 0.25}
    again = compared(*small, losses=LOSSES[:1], grid=grid, file=path)
    assert again.fits[0].params == grid[0]


def test_a_grid_that_has_no_form_in_a_file_is_refused(small, tmp_path):
    options = {"grid": [{"n_estimators": 3, "importance_type": {"gain"}}]}
    compared(*small, losses=LOSSES[:1], **options)
    with pytest.raises(TypeError, match="use numbers and text"):
        compared(*small, losses=LOSSES[:1], **options, file=tmp_path / "fits.jsonl")


def test_a_missing_package_is_said_before_anything_is_trained(
    small, tmp_path, monkeypatch
):
    monkeypatch.setitem(sys.modules, "imblearn", None)
    path = tmp_path / "fits.jsonl"
    with pytest.raises(ModuleNotFoundError, match="pip install imbalanced-learn, or "):
        compared(*small, losses=["log loss", "SMOTE"], file=path)
    assert not path.exists()


@pytest.mark.parametrize(
    "change", ["rows", "labels", "seed", "folds", "grid", "estimator", "rate"]
)
def test_a_file_of_another_comparison_is_refused(change, small, tmp_path):
    X, y = small
    path = tmp_path / "fits.jsonl"
    compared(X, y, losses=LOSSES[:1], file=path)
    before = path.read_text("utf-8")
    options = {
        "rows": {"X": X + 1e-9},
        "labels": {"y": np.roll(y, 1)},
        "seed": {"random_state": 1},
        "folds": {"cv": 4},
        "grid": {"grid": [{**GRID[0], "max_depth": 4}]},
        "estimator": {"cls": FocalLGBMClassifier},
        "rate": {"false_positive_rate": 0.01},
    }[change]
    with pytest.raises(
        ValueError, match="file must be new, or from a comparison of the"
    ):
        compared(**{"X": X, "y": y, "losses": LOSSES[:1], "file": path, **options})
    assert path.read_text("utf-8") == before


def test_the_settings_name_the_version_of_the_host(result):
    assert result.settings["host"] == f"xgboost {xgboost.__version__}"
    assert result.settings["focalboost"] == focalboost.__version__


def test_the_bar_is_on_standard_error(small, capsys):
    compared(*small, losses=LOSSES[:1], progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "3/3" in err


def test_an_error_between_two_fits_ends_the_bar(small, tmp_path, monkeypatch):
    """A bar that goes on hides the cursor."""
    stopped, original = [], Progress.stop
    monkeypatch.setattr(
        Progress, "stop", lambda bar: stopped.append(bar) or original(bar)
    )
    monkeypatch.setattr(_compare, "_line", lambda *entry: 1 / 0)
    with pytest.raises(ZeroDivisionError) as error:
        compared(*small, losses=LOSSES[:1], progress=True, file=tmp_path / "fits")
    assert stopped, error


@pytest.mark.parametrize("cls", [FocalXGBClassifier, FocalLGBMClassifier])
@pytest.mark.parametrize("seed", [0, 1])
def test_on_noise_nothing_is_better_than_a_constant(cls, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(1000, 5)), rng.random(1000) < 0.04
    found = compared(X, y, cls, losses=[*LOSSES, FocalLoss(5)], random_state=seed)
    assert found.verdict.use is None
    assert "nothing here is better than a constant" in found.verdict.text


def test_where_there_is_something_to_learn_it_is_found(small, result):
    assert result.verdict.use is not None
    assert max(result.p_values_above_chance().values()) < 0.01


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"losses": []}, "losses must be methods of different names"),
        ({"losses": ["log loss", "log loss"]}, "losses must be methods of different"),
        ({"losses": ["hinge"]}, "losses must be methods, focal losses or names"),
        ({"cv": 1}, "by setting n_splits=2 or more"),
        ({"cv": 500}, "cv must be folds with both classes"),
        ({"cv": TimeSeriesSplit(300)}, "cv must be folds with both classes"),
        ({"grid": []}, r"grid must be a point or more; got \[\]. Use grid=\[{}\]"),
        ({"y": np.zeros(900)}, "y must be labels of two classes"),
        ({"y": np.full(900, np.nan)}, "Input y contains NaN"),
        ({"y": [None, "a", "b"] * 300}, "y must be labels of one kind, none missing"),
        ({"groups": ["a", None] * 450}, "groups must be labels of one kind, none miss"),
        ({"y": np.arange(900) % 3}, "y must be labels of two classes"),
        ({"false_positive_rate": 0}, "false_positive_rate must be between"),
        ({"stop_on": "auc"}, "stop_on must be one of"),
        ({"sample_weight": np.full(900, -1)}, "sample_weight must be finite"),
        ({"sample_weight": np.ones(899)}, r"sample_weight must be of shape \(900,\)"),
        ({"sample_weight": np.ones((900, 2))}, "sample_weight must be of shape"),
    ],
)
def test_wrong_arguments_are_named(change, message, small):
    X, y = small
    with pytest.raises(ValueError, match=message):
        compared(**{"X": X, "y": y, **change})


def test_metrics_and_methods_are_asked_for_by_name(result):
    with pytest.raises(ValueError, match="metric must be one of"):
        result.values("log loss", "auc")
    with pytest.raises(ValueError, match="method must be one of"):
        result.values("hinge")


def test_lists_are_compared_like_arrays(small):
    X, y = small
    given = X.tolist(), y.tolist()
    options = {"cv": 2, "losses": ["log loss", FocalLoss(2)], "progress": False}
    estimator = FocalLGBMClassifier(n_estimators=3, n_jobs=1, verbosity=-1)
    results = [
        compare_losses(estimator, *rows, grid=[{}], **options)
        for rows in (given, small)
    ]
    first, second = (result.values("log loss") for result in results)
    np.testing.assert_array_equal(first, second)
    assert not results[0].failures


@pytest.mark.parametrize("rows", ["coo_matrix", "coo_array", "bsr_matrix", "lil_array"])
def test_sparse_rows_of_any_form_are_compared(small, rows):
    X, y = small
    one = {"losses": ["log loss"], "cv": 2}
    found, expected = (
        compared(getattr(sparse, kind)(X), y, **one).values("log loss")
        for kind in (rows, "csr_matrix")
    )
    np.testing.assert_array_equal(found, expected)


def test_weights_may_be_a_column_or_a_number(small):
    X, y = small
    weight, one = np.linspace(0.5, 1.5, len(y)), {"losses": ["log loss"], "cv": 2}
    for given, same in ((weight[:, None], weight), (2.0, np.full(len(y), 2))):
        found, expected = (
            compared(X, y, sample_weight=w, **one).values("log loss")
            for w in (given, same)
        )
        np.testing.assert_array_equal(found, expected)


def test_rows_without_weight_are_no_rows_of_their_class(small):
    X, y = small
    for label in (0, 1):
        with pytest.raises(ValueError, match="both with positive weight"):
            compared(X, y, sample_weight=(y == label).astype(float))
    half = np.arange(len(y)) < 450
    cv = [(np.flatnonzero(half), np.flatnonzero(~half))]
    with pytest.raises(ValueError, match="fold 0 with 0 of the rarer one"):
        compared(X, y, cv=cv, sample_weight=np.where(half & (y == 1), 0.0, 1.0))
    with pytest.raises(ValueError, match="rarer one, and 0 to test"):
        compared(X, y, cv=cv, sample_weight=np.where(~half & (y == 1), 0.0, 1.0))
    few = np.where(y == 1, np.arange(len(y)) == np.argmax(y), 1.0)
    with pytest.raises(ValueError, match="both with positive weight"):
        tuned(_methods.LOG_LOSS, FocalXGBClassifier(n_jobs=1), GRID, X, y, few, 0)


def test_a_grid_of_lists_is_not_one_point(small):
    with pytest.raises(ValueError, match=r"grid must be one point.*ParameterGrid"):
        compared(*small, grid={"max_depth": [2, 3]})


def test_a_file_in_no_folder_is_named(small, tmp_path):
    with pytest.raises(ValueError, match="file must be in a folder that exists"):
        compared(*small, file=tmp_path / "missing" / "fits")
