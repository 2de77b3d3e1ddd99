"""Plots draw what was computed."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from focalboost import FocalLoss
from focalboost.diagnostics import (
    alerts,
    gradient_budget,
    plot_alerts,
    plot_gradient_budget,
    plot_reliability,
    reliability,
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


@pytest.mark.parametrize("mass", ["positives", "rows"])
def test_all_bins_of_reliability_are_shown_where_they_are(mass, ax):
    """Those of tiny probabilities as well, below every share of positives."""
    rng = np.random.default_rng(0)
    probability = 10 ** rng.uniform(-9, 0, size=3000)
    result = reliability(rng.random(3000) < probability, probability, mass=mass)
    plot_reliability({"posterior": result}, ax=ax)
    places = ax.lines[0].get_xdata()
    np.testing.assert_allclose(places, result.predicted)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    assert left < places.min() <= places.max() < right
    shown = ax.lines[0].get_ydata()
    assert low <= shown.min() <= shown.max() < high


def test_bins_of_probability_zero_are_at_the_left_edge(ax):
    result = reliability([0, 0, 1, 0], [0, 0, 0.5, 0.6], mass="rows")
    plot_reliability(result, ax=ax)
    assert ax.get_xlim()[0] < ax.lines[0].get_xdata()[0] <= 0.1


@pytest.mark.parametrize("x", ["n_alerts", "false_positive_rate", "threshold"])
@pytest.mark.parametrize("y", ["recall", "precision", "cost"])
def test_lines_of_alerts_are_what_was_asked_for(rows, ax, x, y):
    result = alerts(*rows, costs=(1, 20))
    assert plot_alerts(result, y=y, x=x, ax=ax) is ax
    line = ax.lines[0]
    np.testing.assert_array_equal(line.get_xdata(), getattr(result, x))
    np.testing.assert_array_equal(line.get_ydata(), getattr(result, y))


def test_a_dot_marks_the_smallest_cost(rows, ax):
    result = alerts(*rows, costs=(1, 20))
    dot = plot_alerts({"focal": result}, y="cost", ax=ax).lines[1]
    assert dot.get_xdata() == [result.cheapest]
    assert dot.get_ydata() == [result.cost.min()]
    assert ax.get_xscale() == "log"


def test_raw_predictions_have_a_linear_axis(rows, ax):
    found = alerts(rows[0], np.log(rows[1]))
    assert plot_alerts(found, x="threshold", ax=ax).get_xscale() == "linear"


def test_a_cost_that_was_not_asked_for_is_refused(rows):
    with pytest.raises(
        ValueError, match="y must be 'recall' or 'precision' for alerts without"
    ):
        plot_alerts(alerts(*rows), y="cost")


def test_without_axes_new_ones_are_made(rows):
    first, second = plot_alerts(alerts(*rows)), plot_alerts(alerts(*rows))
    assert first.figure is not second.figure
