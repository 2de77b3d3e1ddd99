"""What is drawn is what was computed; pages load nothing."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.datasets import make_classification

from focalboost import FocalLGBMClassifier, FocalLoss
from focalboost.diagnostics import (
    Method,
    alerts,
    compare_losses,
    gradient_budget,
    plot_alerts,
    plot_comparison,
    plot_gradient_budget,
    plot_reliability,
    reliability,
    write_report,
)


@pytest.fixture(autouse=True)
def no_figures_left():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    probability = rng.beta(0.1, 5, size=3000)
    return rng.random(3000) < probability, probability


@pytest.fixture
def ax():
    return Figure().add_subplot()


def test_bars_of_a_budget_add_up_to_one(ax):
    y_true = np.repeat([0, 1], [90, 10])
    raw = np.random.default_rng(0).normal(size=100)
    budgets = {g: gradient_budget(y_true, raw, FocalLoss(g)) for g in (0, 2)}
    for of in ("gradient", "curvature"):
        axes = plot_gradient_budget(budgets, of=of, ax=Figure().add_subplot())
        bars = [bar for bar in axes.patches if bar.get_width() > 0]
        for place, budget in enumerate(budgets.values()):
            mine = [b for b in bars if round(b.get_y() + b.get_height() / 2) == place]
            widths = sorted(bar.get_width() for bar in mine)
            shares = getattr(budget, of).ravel()
            np.testing.assert_allclose(widths, sorted(shares[shares > 0]))
            ends = [bar.get_x() + bar.get_width() for bar in mine]
            assert max(ends) == pytest.approx(1)
    assert plot_gradient_budget(budgets[0], ax=ax) is ax


def test_points_of_reliability_are_the_bins(rows, ax):
    result = reliability(*rows)
    assert plot_reliability({"posterior": result}, ax=ax) is ax
    line = ax.lines[0]
    np.testing.assert_allclose(line.get_xdata(), result.predicted)
    shown = np.maximum(result.observed, ax.get_ylim()[0])
    np.testing.assert_allclose(line.get_ydata(), shown)
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert "posterior" in ax.get_legend().get_texts()[0].get_text()


@pytest.mark.parametrize("x", ["n_alerts", "false_positive_rate"])
@pytest.mark.parametrize("y", ["recall", "precision", "cost"])
def test_lines_of_alerts_are_what_was_asked_for(rows, ax, x, y):
    result = alerts(*rows, costs=(1, 20))
    assert plot_alerts(result, y=y, x=x, ax=ax) is ax
    line = ax.lines[0]
    np.testing.assert_array_equal(line.get_xdata(), getattr(result, x))
    np.testing.assert_array_equal(line.get_ydata(), getattr(result, y))


def test_a_cost_that_was_not_asked_for_is_refused(rows):
    with pytest.raises(ValueError, match="y must be a cost that was asked for"):
        plot_alerts(alerts(*rows), y="cost")


def test_without_axes_new_ones_are_made(rows):
    first, second = plot_alerts(alerts(*rows)), plot_alerts(alerts(*rows))
    assert first.figure is not second.figure


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


def test_points_of_a_comparison_are_the_differences(compared, ax):
    _, _, plain, _ = compared
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
        ([SMOTE], HEADS[:1]),
        ([SMOTE, FocalLoss(2)], HEADS),
    ],
    ids=["no focal loss", "all failed", "the first failed"],
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


def test_the_report_wants_the_rows_that_were_compared(compared, tmp_path):
    estimator, X, plain, _ = compared
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        write_report(plain, tmp_path / "report.html", estimator, X[1:])
