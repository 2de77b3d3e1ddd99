"""Pick the alert threshold for a cost: from the probability itself, and by search.

An alert costs a review, a fraud without an alert its loss. With probabilities that are
right, an alert pays where probability * loss > review. scikit-learn searches the same
threshold on held-out rows. What a focal score would do at the first is shown beside it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from command_line import OneLineParser, at_least, check_packages

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PACKAGES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "pandas": "pandas",
    "sklearn": "scikit-learn",
    "lightgbm": "lightgbm",
    "focalboost": "focalboost",
}


def command_line() -> OneLineParser:
    """Describe the options."""
    parser = OneLineParser("alert_threshold.py", description=__doc__)
    add, count = parser.add_argument, at_least(1, int)
    shown = "; %(default)s unless given"
    add("--review", type=at_least(0.01, float), default=5, help="cost" + shown)
    add("--loss", type=at_least(0.01, float), default=200, help="of a fraud" + shown)
    add("--rows", type=count, default=100_000, help="transactions simulated" + shown)
    imbalance = "honest ones for each fraud" + shown
    add("--imbalance", type=at_least(1, float), default=300, help=imbalance)
    add("--seed", type=at_least(0, int), default=0, help="of all chance" + shown)
    return parser


def cost(
    y_true: NDArray[np.int8], alert: NDArray[np.bool_], options: argparse.Namespace
) -> float:
    """The cost of 1000 transactions."""
    missed = options.loss * (y_true * ~alert).sum()
    return float(1000 * (options.review * alert.sum() + missed) / len(y_true))


def searched_threshold(
    model: Any, X: Any, y_true: NDArray[np.int8], options: argparse.Namespace
) -> float:
    """The threshold with the smallest cost on rows that the model has not seen."""
    from sklearn.frozen import FrozenEstimator
    from sklearn.metrics import make_scorer
    from sklearn.model_selection import TunedThresholdClassifierCV

    def cost_of(y_true: NDArray[np.int8], y_pred: NDArray[np.int8]) -> float:
        return cost(y_true, y_pred == 1, options)

    search = TunedThresholdClassifierCV(
        FrozenEstimator(model),
        scoring=make_scorer(cost_of, greater_is_better=False),
        thresholds=1000,
        cv="prefit",
        refit=False,
    )
    return float(search.fit(X, y_true).best_threshold_)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train on simulated transactions, and print the cost of each way to alert."""
    parser = command_line()
    options = parser.parse_args(arguments)
    if options.review >= options.loss:
        parser.error("--review: an alert never pays unless it costs less than --loss")
    check_packages(parser, PACKAGES)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

    from fraud_data import simulated_problem
    from scipy.special import expit

    from focalboost import FocalLGBMClassifier

    problem = simulated_problem(options.rows, options.imbalance, options.seed)
    X, y = problem.features, problem.y_true
    model = FocalLGBMClassifier(focal_gamma=2, n_jobs=1, verbosity=-1, random_state=0)
    model.set_params(num_leaves=15, reg_lambda=5, n_estimators=60)
    model.fit(X.iloc[problem.train], y[problem.train])

    validation, test = (X.iloc[rows] for rows in (problem.validation, problem.test))
    pays = options.review / options.loss
    found = searched_threshold(model, validation, y[problem.validation], options)
    probability = model.predict_proba(test)[:, 1]
    score = expit(model.predict(test, raw_score=True))
    ways = {
        "no alert": probability > 1,
        "the likelier class, probability > 0.5": probability > 0.5,
        f"review / loss, probability > {pays:.4f}": probability > pays,
        f"searched, probability > {found:.4f}": probability > found,
        f"focal score > {pays:.4f}, a mistake": score > pays,
    }
    print(f"{problem.title}; {int(y[problem.test].sum())} frauds in the test part")
    print(f"An alert costs {options.review:g}, a missed fraud {options.loss:g}.")
    print(f"{'':45}{'alerts':>8}{'caught':>8}{'cost of 1000':>14}")
    for name, alert in ways.items():
        caught = int((alert & (y[problem.test] == 1)).sum())
        total = cost(y[problem.test], alert, options)
        print(f"{name:45}{int(alert.sum()):8}{caught:8}{total:14.1f}")


if __name__ == "__main__":
    main()
