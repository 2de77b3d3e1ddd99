"""
Tune gamma, alpha and the trees with Optuna
===========================================

Optuna suggests gamma and alpha together with the parameters of the trees, and ends a
training early that falls behind others at the same round. Compare trials by a score
that means the same for every gamma, such as the average precision. The focal loss is a
different loss for every gamma.
"""

# %%
# The payments come in the order of time: train on the first, validate on the next, and
# test on the last.
import matplotlib.pyplot as plt
import optuna
from sklearn.base import clone
from sklearn.metrics import average_precision_score
from xgboost.callback import TrainingCallback

from focalboost import FocalXGBClassifier
from focalboost.datasets import make_transactions

payments = make_transactions(40_000, prevalence=1 / 100, random_state=0)
X, y = payments.data[payments.feature_names], payments.target
train, validation, test = slice(22_000), slice(22_000, 28_000), slice(28_000, None)


# %%
# After every round a callback reports the average precision of the validation rows,
# which XGBoost calls "aucpr".
class Report(TrainingCallback):
    """Report every round of a trial, and end it if the pruner says so."""

    def __init__(self, trial):
        self.trial = trial

    def after_iteration(self, model, epoch, evals_log):
        """Return whether to stop; a pruned trial raises its own exception."""
        self.trial.report(evals_log["validation_0"]["aucpr"][-1], epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned
        return False


# %%
# The positives and the negatives have a gamma each.
model = FocalXGBClassifier(
    n_estimators=60, n_jobs=1, enable_categorical=True, eval_metric="aucpr"
)


def tuned(trial, callbacks=None):
    """Return an estimator with the parameters of a trial."""
    gammas = trial.suggest_float("positives", 0, 3), trial.suggest_float("others", 0, 5)
    params = {
        "focal_gamma": gammas,
        "focal_alpha": trial.suggest_float("alpha", 0.1, 0.9),
        "max_depth": trial.suggest_int("max_depth", 2, 7),
        "learning_rate": trial.suggest_float("learning_rate", 0.02, 0.3, log=True),
        "reg_lambda": trial.suggest_float("reg_lambda", 0.1, 30, log=True),
    }
    found = clone(model).set_params(callbacks=callbacks, **params)
    eval_set = [(X[validation], y[validation])]
    return found.fit(X[train], y[train], eval_set=eval_set, verbose=False)


def precision(model, rows):
    """Return the average precision of the posteriors."""
    return average_precision_score(y[rows], model.predict_proba(X[rows])[:, 1])


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(
    direction="maximize",
    sampler=optuna.samplers.TPESampler(seed=0),
    pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=10),
)
study.optimize(
    lambda trial: precision(tuned(trial, [Report(trial)]), validation), n_trials=20
)

# %%
# The validation rows have chosen the best of many trials, so its score there is too
# high. Read the test rows.
models = {
    "defaults": clone(model).fit(X[train], y[train]),
    "tuned": tuned(optuna.trial.FixedTrial(study.best_params)),
}
pruned = [trial.state.name == "PRUNED" for trial in study.trials]
print(f"{len(study.trials)} trials, {sum(pruned)} of them pruned")
print(f"Best: {models['tuned'].focal_loss_}, {study.best_params}")
print(f"{'average precision':24}{'validation':>12}{'test':>8}")
for name, found in models.items():
    print(f"{name:24}{precision(found, validation):12.3f}{precision(found, test):8.3f}")

# %%
# Every line is a trial. Grey lines end where the trial was pruned. The first four
# trials are never pruned.
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for trial, is_pruned in zip(study.trials, pruned, strict=True):
    values = trial.intermediate_values
    ax.plot(list(values), list(values.values()), color="grey" if is_pruned else "C0")
ax.set(xlabel="boosting round", ylabel="average precision, validation rows")
plt.show()
