"""
Stop at the best round
======================

Early stopping ends a training when a metric on validation rows stops improving. The
estimators watch the focal loss itself, divided by the loss of the best constant: 1
means no better than a constant. You can watch the average precision instead. This
example does both, and draws both curves.
"""

# %%
# The payments come in the order of time: train on the first, validate on the next, and
# test on the last.
import matplotlib.pyplot as plt
from sklearn.metrics import average_precision_score, log_loss

from focalboost import FocalXGBClassifier
from focalboost.datasets import make_transactions

payments = make_transactions(100_000, prevalence=1 / 200, random_state=0)
X, y = payments.data[payments.feature_names], payments.target
train, validation = slice(60_000), slice(60_000, 80_000)
test = slice(80_000, None)


def rows(part):
    """Return features and labels of some rows."""
    return X[part], y[part]


# %%
# ``eval_set`` and ``early_stopping_rounds`` are XGBoost's. Without ``eval_metric`` the
# training watches the focal loss. XGBoost calls the average precision "aucpr". Its
# metrics of probabilities, such as "logloss", raise an error, because they would read
# focal scores as probabilities.
models = {
    metric: FocalXGBClassifier(
        focal_gamma=2,
        n_estimators=400,
        learning_rate=0.05,
        max_depth=4,
        early_stopping_rounds=40,
        eval_metric=metric,
        enable_categorical=True,
        n_jobs=1,
    ).fit(*rows(train), eval_set=[rows(validation)], verbose=False)
    for metric in (None, "aucpr")
}

# %%
# ``predict_proba`` uses the rounds up to the best one.
print(f"{'watched':20}{'best round':>12}{'average precision':>20}{'log loss':>10}")
histories = {}
for model in models.values():
    ((name, history),) = model.evals_result()["validation_0"].items()
    histories[name] = history
    probability = model.predict_proba(X[test])[:, 1]
    precision = average_precision_score(y[test], probability)
    print(
        f"{name:20}{model.best_iteration:12}{precision:20.3f}"
        f"{log_loss(y[test], probability):10.4f}"
    )

# %%
# The focal loss falls smoothly. The average precision jumps in the first rounds, since
# it depends on the order of a few frauds. Both curves are flat around their best round,
# so the two models predict nearly equally well.
figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for panel, model, name in zip(panels, models.values(), histories, strict=True):
    panel.plot(histories[name])
    panel.axvline(model.best_iteration, color="grey", linestyle="--")
    panel.set(xlabel="boosting round", ylabel=f"{name}, validation rows")
plt.show()
