"""
Choose gamma by cross-validation
================================

The focusing parameter gamma is a parameter like the depth of the trees: the data
decide. Compare its values by a score that means the same for all of them, such as the
average precision. Do not compare them by the focal loss, which is a different loss for
every gamma. This example searches single values and pairs with scikit-learn's
``GridSearchCV``.
"""

# %%
# A pair gives the positives and the negatives a gamma each. ``(0, 2)`` focuses on hard
# negatives and keeps the log loss of the positives.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from focalboost import FocalLGBMClassifier, FocalLoss
from focalboost.datasets import make_transactions

GAMMAS = [0, 0.5, 1, 2, 5, (0, 2), (1, 4)]

# %%
# The payments come in the order of time, so every fold tests on rows that are later
# than those it trains on.
payments = make_transactions(60_000, prevalence=1 / 100, random_state=0)
X, y = payments.data[payments.feature_names], payments.target

search = GridSearchCV(
    FocalLGBMClassifier(n_estimators=50, num_leaves=15, n_jobs=1, verbosity=-1),
    {"focal_gamma": GAMMAS},
    scoring={"ap": "average_precision", "log_loss": "neg_log_loss"},
    cv=TimeSeriesSplit(4),
    refit="ap",
)
search.fit(X, y)

# %%
# The log loss is a second score that is the same for every gamma, because
# ``predict_proba`` returns the posterior and not the focal score.
found = search.cv_results_
folds = np.array([found[f"split{k}_test_ap"] for k in range(4)])
print(f"{'gamma':>8}{'average precision':>20}{'log loss':>10}")
for gamma, ap, log_loss in zip(
    GAMMAS, found["mean_test_ap"], -found["mean_test_log_loss"], strict=True
):
    print(f"{gamma!s:>8}{ap:20.3f}{log_loss:10.4f}")
print(f"Chosen: {search.best_estimator_.focal_loss_}")

# %%
# Left: a larger gamma takes the loss away from positives that are already found, whose
# raw prediction is above 0. Right: the average precision of every fold is a grey line.
# The folds differ more than the values of gamma do. Compare values within a fold, and
# read little into the third digit.
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
raw = np.linspace(-4, 6, 200)
for gamma in GAMMAS[:5]:
    loss = FocalLoss(gamma=gamma).loss(np.ones(200), raw)
    left.plot(raw, loss, label=f"gamma = {gamma}")
left.set(xlabel="raw prediction of a positive", ylabel="focal loss", ylim=(0, 4))
left.legend()
right.plot(folds.T, color="grey", linewidth=0.8)
right.plot(found["mean_test_ap"], "o-", color="tab:blue", label="mean")
right.set_xticks(range(len(GAMMAS)), map(str, GAMMAS))
right.set(xlabel="gamma", ylabel="average precision")
right.legend()
plt.show()
