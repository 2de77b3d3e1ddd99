"""
Compare losses on a table of your own
=====================================

:func:`~focalboost.comparison.compare_losses` answers whether focal loss helps on a
table. It trains every loss on the same folds with the same search, and pairs the
results by fold. Its verdict may be to stay with log loss.
"""

# %%
# The table is a small stream of payments, with one fraud in fifty. Put your own data
# frame in its place.
import matplotlib.pyplot as plt

from focalboost import FocalLGBMClassifier, FocalLoss
from focalboost.comparison import compare_losses, plot_comparison
from focalboost.datasets import make_transactions

payments = make_transactions(10_000, prevalence=1 / 50, random_state=0)
X, y = payments.data[payments.feature_names], payments.target

# %%
# A loss is a :class:`~focalboost.FocalLoss` or the name of one of the methods in
# ``focalboost.comparison.METHODS``. The others are compared with the first one.
# Parameters that you set on the estimator are kept in every fit.
found = compare_losses(
    FocalLGBMClassifier(n_estimators=100, n_jobs=1),
    X,
    y,
    losses=["log loss", "weights: ratio", FocalLoss(gamma=2), FocalLoss(gamma=(0, 2))],
    cv=5,
    progress=False,
)
summary = found.summary_to_pandas().set_index("method")
print(summary[["average_precision", "log_loss", "difference", "low", "high"]].round(4))

# %%
# The verdict says which loss to use and why. Its tests allow for the overlap of the
# training sets and for the number of losses.
print(found.verdict.text)

# %%
# The differences from log loss have 95 % intervals. An interval that contains 0 is no
# evidence for either loss. Here no loss ranks the payments better beyond chance, and
# class weights spoil the log loss.
figure, panels = plt.subplots(1, 2, figsize=(10, 3), layout="constrained", sharey=True)
for panel, metric in zip(panels, ("average_precision", "log_loss"), strict=True):
    plot_comparison(found, metric=metric, ax=panel)
plt.show()
