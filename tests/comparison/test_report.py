"""The report of a comparison: one page that loads nothing, and its plots."""

import re

import numpy as np
import pytest
from browser import chromium, requests
from matplotlib.figure import Figure
from sklearn.datasets import make_classification

from focalboost import FocalLGBMClassifier, FocalLoss, FocalXGBClassifier
from focalboost.comparison import Method, compare_losses, plot_comparison, write_report


@pytest.fixture(scope="module")
def compared():
    X, y = make_classification(700, weights=[0.9], class_sep=0.7, random_state=0)
    estimator = FocalLGBMClassifier(n_jobs=1)
    losses = [
        "log loss",
        "weights: ratio",
        Method("<b>smote</b>", resampling="smote"),
        FocalLoss(2),
    ]
    grid = [{"n_estimators": 12, "min_child_samples": 5}]
    weight = np.random.default_rng(0).uniform(0.5, 1.5, 700)
    options = {"losses": losses, "grid": grid, "cv": 3, "progress": False}
    plain = compare_losses(estimator, X, y, **options)
    weighted = compare_losses(estimator, X, y, sample_weight=weight, **options)
    return estimator, X, plain, weighted


def test_points_of_a_comparison_are_the_differences(compared):
    _, _, plain, _ = compared
    ax = Figure().add_subplot()
    assert plot_comparison(plain, metric="brier", ax=ax) is ax
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == list(plain.names[1:])
    centres = [line for line in ax.lines if line.get_marker() == "o"]
    for name, line in zip(names, centres, strict=True):
        expected = plain.difference(name, "log loss", "brier").mean
        assert line.get_xdata()[0] == expected


def test_the_report_is_one_file_that_loads_nothing(compared, tmp_path):
    estimator, X, plain, weighted = compared
    for found in (plain, weighted):
        path = tmp_path / "report.html"
        write_report(found, path, estimator, X, title="a < b & c")
        page = path.read_text("utf-8")
        assert "<title>a &lt; b &amp; c</title>" in page
        assert "<b>smote" not in page
        assert "&lt;b&gt;smote&lt;/b&gt;" in page
        assert found.verdict.text.split(":")[0] in page
        sources = re.findall(r'(?:src|href)="(.{30})', page)
        assert sources == ["data:image/svg+xml;base64,PD94"] * 4
        assert not re.search(r"<script|<link|url\(|@import", page)
    assert "failed with ValueError: sample_weight must be None for SMOTE" in page
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture(scope="module")
def weighted_rows():
    X, y = make_classification(300, weights=[0.9], random_state=0)
    return X, y, np.ones(300)


#: Of 300 rows with weights, under which SMOTE fails.
SMOTE = Method("SMOTE", resampling="smote")
HEADS = ["Differences in average precision", "Alerts", "Reliability", "Gradient budget"]


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        (["log loss"], HEADS),
        ([SMOTE, FocalLoss(2)], HEADS),
    ],
    ids=["no focal loss", "the first failed"],
)
def test_the_report_draws_what_there_is(weighted_rows, tmp_path, losses, expected):
    X, y, weight = weighted_rows
    estimator = FocalLGBMClassifier(n_jobs=1)
    found = compare_losses(
        estimator, X, y, losses=losses, sample_weight=weight, cv=2, progress=False,
        grid=[{"n_estimators": 3, "min_child_samples": 5}],
    )  # fmt: skip
    path = tmp_path / "report.html"
    write_report(found, path, estimator, X)
    page = path.read_text("utf-8")
    figures = re.findall(r"<figure>(.*?)</figure>", page, re.S)
    assert [re.search(f"({'|'.join(HEADS)})", one)[1] for one in figures] == expected
    assert "McNemar" not in page
    assert page.count("failed with") == 2 * (SMOTE in losses)


def test_the_report_says_what_early_stopping_watched(weighted_rows, tmp_path):
    X, y, _ = weighted_rows
    estimator, path = FocalLGBMClassifier(n_jobs=1), tmp_path / "report.html"
    for stop_on, words in (
        ("loss", "on the loss that they train."),
        ("average_precision", "on average precision."),
    ):
        found = compare_losses(
            estimator, X, y, losses=["log loss"], cv=2, progress=False,
            grid={"n_estimators": 3}, stop_on=stop_on,
        )  # fmt: skip
        write_report(found, path, estimator, X)
        assert f"early stopping {words}" in path.read_text("utf-8")


def test_where_all_fits_fail_their_cause_is_raised(weighted_rows):
    X, y, weight = weighted_rows
    options = {"losses": [SMOTE], "sample_weight": weight, "cv": 2, "progress": False}
    cause = "All 2 fits failed: SMOTE with ValueError: sample_weight must be None for"
    with pytest.raises(ValueError, match=cause):
        compare_losses(FocalLGBMClassifier(n_jobs=1), X, y, **options)


def test_the_report_wants_the_rows_that_were_compared(compared, tmp_path):
    estimator, X, plain, _ = compared
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        write_report(plain, tmp_path / "report.html", estimator, X[1:])


@pytest.mark.parametrize("miss", [np.ones(699), np.ones((700, 1)), [np.nan] * 700])
def test_costs_are_those_of_the_rows(compared, tmp_path, miss):
    estimator, X, plain, _ = compared
    path = tmp_path / "report.html"
    with pytest.raises(ValueError, match="costs must be a pair"):
        write_report(plain, path, estimator, X, costs=(1, miss))
    with pytest.raises(ValueError, match='costs must be a dict of "alert" and "miss"'):
        write_report(plain, path, estimator, X, costs={"alert": 1, "misses": miss})


@pytest.mark.filterwarnings("ignore:.*booster=gblinear. is deprecated")
def test_linear_models_have_no_budget_of_their_rounds(weighted_rows, tmp_path):
    X, y, _ = weighted_rows
    linear = {"booster": "gblinear", "updater": "coord_descent", "n_jobs": 1}
    estimator, options = FocalXGBClassifier(**linear), {"cv": 2, "progress": False}
    found = compare_losses(estimator, X, y, losses=[FocalLoss(2)], **options)
    write_report(found, tmp_path / "report.html", estimator, X)
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "Reliability" in page
    assert "Gradient budget" not in page


@pytest.fixture
def browser():
    driver = chromium()
    yield driver
    driver.quit()


def test_a_browser_draws_the_report_and_asks_for_nothing(compared, tmp_path, browser):
    estimator, X, plain, _ = compared
    path = tmp_path / "report.html"
    options = {"title": "a < b", "command": "python -m focalboost compare a.csv"}
    write_report(plain, path, estimator, X, costs=(1, 50), **options)
    browser.get(path.as_uri())
    assert browser.title == "a < b"
    sizes = browser.execute_script(
        "return [...document.images].map(i => [i.complete, i.naturalWidth, i.alt])"
    )
    heads = [*HEADS[:2], "Cost", *HEADS[2:]]
    assert [alt for *_, alt in sizes] == heads
    assert all(complete and width > 300 for complete, width, _ in sizes)
    assert "focalboost compare a.csv" in browser.find_element("tag name", "body").text
    asked = requests(browser)
    assert path.as_uri() in asked
    assert [url for url in asked if not url.startswith("data:")] == [path.as_uri()]
    assert browser.get_log("browser") == []
