"""Mean ranks with intervals, in the manner of critical-difference diagrams."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from quality.outcomes import HOSTS, Outcomes
from quality.ranking import ranks


def draw_ranking(o: Outcomes, path: Path) -> None:
    """Draw one panel for each host; the bar is as long as Nemenyi's difference."""
    figure = Figure(figsize=(10, 5.2), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True)
    for axes, host in zip(panels, ("xgboost", "lightgbm"), strict=True):
        found, _, distance = ranks(o, host)
        names = sorted(found, key=lambda name: found[name].value, reverse=True)
        for place, name in enumerate(names):
            one = found[name]
            color = "C0" if name.startswith("focal") else "0.4"
            axes.plot([one.low, one.high], [place, place], color=color, linewidth=1.5)
            axes.plot(one.value, place, "o", color=color, markersize=4)
        best = found[names[-1]].value
        axes.plot([best, best + distance], [len(names)] * 2, color="C3", linewidth=2)
        axes.set_yticks(
            [*range(len(names)), len(names)],
            [*names, "critical difference"],
            fontsize=8,
        )
        axes.set_title(HOSTS[host], fontsize=10)
        axes.set_xlabel("mean rank on real sets, 1 is best")
        axes.grid(axis="x", color="0.9")
    # The same bytes for the same numbers.
    with mpl.rc_context({"svg.hashsalt": "quality", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})
