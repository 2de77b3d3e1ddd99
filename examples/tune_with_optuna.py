"""Tune gamma, alpha and the trees with Optuna, and stop hopeless trials early.

Every round of a training reports the average precision of its probabilities on rows
held out for that; Optuna's pruner ends trainings that are behind others at the same
round. The focal loss itself is no measure to compare trials by: it is another one for
every gamma.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from command_line import OneLineParser, at_least, check_packages

if TYPE_CHECKING:
    import numpy as np
    from fraud_data import Problem
    from numpy.typing import NDArray

PACKAGES = {
    "numpy": "numpy",
    "pandas": "pandas",
    "sklearn": "scikit-learn",
    "xgboost": "xgboost",
    "optuna": "optuna",
    "focalboost": "focalboost",
}


def command_line() -> OneLineParser:
    """Describe the options."""
    parser = OneLineParser("tune_with_optuna.py", description=__doc__)
    add, count = parser.add_argument, at_least(1, int)
    shown = "; %(default)s unless given"
    add("--trials", type=count, default=30, help="trainings to start" + shown)
    add("--rounds", type=count, default=100, help="most boosting rounds" + shown)
    add("--rows", type=count, default=100_000, help="transactions simulated" + shown)
    imbalance = "honest ones for each fraud" + shown
    add("--imbalance", type=at_least(1, float), default=300, help=imbalance)
    add("--seed", type=at_least(0, int), default=0, help="of all chance" + shown)
    return parser


def suggested(trial: Any) -> dict[str, Any]:
    """The parameters of one trial; the default gamma of 2 and no alpha among them."""
    both = trial.suggest_float("gamma of frauds", 0, 3)
    other = trial.suggest_float("gamma of honest ones", 0, 5)
    weighted = trial.suggest_categorical("alpha is used", [False, True])
    return {
        "focal_gamma": (both, other),
        "focal_alpha": trial.suggest_float("alpha", 0.1, 0.9) if weighted else None,
        "max_depth": trial.suggest_int("max_depth", 2, 7),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "min_child_weight": trial.suggest_float("min_child_weight", 0.01, 10, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 30, log=True),
        "subsample": trial.suggest_float("subsample", 0.5, 1),
    }


def fitted(problem: Problem, options: argparse.Namespace, trial: Any = None) -> Any:
    """The estimator of a trial, or with the defaults, stopped at its best round."""
    from optuna import TrialPruned
    from sklearn.metrics import average_precision_score
    from xgboost.callback import TrainingCallback

    from focalboost import FocalXGBClassifier

    class Report(TrainingCallback):
        """Reports every fifth round, and ends the training if the pruner says so."""

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            value = evals_log["validation_0"]["average_precision"][-1]
            if trial is not None and epoch % 5 == 0:
                trial.report(value, epoch)
                if trial.should_prune():
                    raise TrialPruned
            return False

    def average_precision(
        y_true: NDArray[np.float32], probability: NDArray[np.float64]
    ) -> float:
        return float(average_precision_score(y_true, probability))

    from xgboost.callback import EarlyStopping

    model = FocalXGBClassifier(
        n_estimators=options.rounds,
        n_jobs=1,
        random_state=options.seed,
        eval_metric=average_precision,
        callbacks=[Report(), EarlyStopping(rounds=15, maximize=True, save_best=True)],
        **({} if trial is None else suggested(trial)),
    )
    X, y = problem.features, problem.y_true
    train, validation = problem.train, problem.validation
    pairs = [(X.iloc[validation], y[validation])]
    return model.fit(X.iloc[train], y[train], eval_set=pairs, verbose=False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Tune on simulated transactions, and print what that was worth on later ones."""
    parser = command_line()
    options = parser.parse_args(arguments)
    check_packages(parser, PACKAGES)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

    import optuna
    from fraud_data import simulated_problem
    from sklearn.metrics import average_precision_score

    problem = simulated_problem(options.rows, options.imbalance, options.seed)
    X, y = problem.features, problem.y_true

    def precision(model: Any, rows: NDArray[np.int64]) -> float:
        probability = model.predict_proba(X.iloc[rows])[:, 1]
        return float(average_precision_score(y[rows], probability))

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=options.seed),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=10),
    )
    study.optimize(
        lambda trial: precision(fitted(problem, options, trial), problem.validation),
        options.trials,
    )
    best = fitted(problem, options, optuna.trial.FixedTrial(study.best_params))
    pruned = sum(trial.state.name == "PRUNED" for trial in study.trials)
    print(f"{problem.title}; {options.trials} trials, {pruned} of them pruned")
    print(f"best loss: {best.focal_loss_}")
    for name, value in study.best_params.items():
        print(f"    {name}: {value if isinstance(value, bool) else f'{value:.4g}'}")
    print(f"{'average precision':24}{'validation':>12}{'test':>8}")
    for name, model in (("defaults", fitted(problem, options)), ("tuned", best)):
        found = [precision(model, rows) for rows in (problem.validation, problem.test)]
        print(f"{name:24}{found[0]:12.3f}{found[1]:8.3f}")


if __name__ == "__main__":
    main()
