"""
What log loss, class weights, SMOTE and focal loss find
=======================================================

Two questions decide between methods for rare positives. How many frauds are among the
payments that you can look at? And are the probabilities right? This example answers
both on simulated card payments, with one fraud in 500 payments. It repeats the
comparison on eight streams, because one stream has too few frauds to tell.
"""

# %%
# The streams
# -----------
# :func:`~focalboost.datasets.make_transactions` returns payments in the order of time.
# Every method trains on the first 60 % and is tested on the rest.
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.metrics import average_precision_score

from focalboost import FocalLGBMClassifier
from focalboost.comparison import compare_losses
from focalboost.datasets import make_transactions
from focalboost.diagnostics import alerts

N_STREAMS, N_PAYMENTS, N_TRAIN = 8, 120_000, 72_000
METHODS = ["log loss", "weights: ratio", "SMOTE", "focal, γ = 2", "focal, γ = (0, 2)"]
N_ALERTS = np.geomspace(20, 5000, 30).astype(int)

# %%
# The comparison
# --------------
# All methods have the same trees. :func:`~focalboost.comparison.compare_losses` stops
# each one at its best round, on a part of the training rows. "weights: ratio" is log
# loss with the number of honest payments for each fraud as the weight of a fraud.
model = FocalLGBMClassifier(
    n_estimators=200, max_depth=4, reg_lambda=1, min_child_weight=1, n_jobs=1
)
recall = {name: [] for name in METHODS}
precision = {name: [] for name in METHODS}
expected = {name: [] for name in METHODS}

for seed in range(N_STREAMS):
    payments = make_transactions(
        N_PAYMENTS, prevalence=1 / 500, random_state=seed, as_frame=False
    )
    X = np.column_stack([payments.data[name] for name in payments.feature_names])
    parts = np.split(np.arange(N_PAYMENTS), [N_TRAIN])
    comparison = compare_losses(
        *(model, X, payments.target),
        losses=METHODS,
        cv=[parts],
        grid={},
        stop_on="average_precision",
        progress=False,
    )
    y_test = payments.target[N_TRAIN:]
    for fit in comparison.fits:
        found = alerts(y_test, fit.log_odds, n_alerts=N_ALERTS)
        recall[fit.method].append(found.recall)
        precision[fit.method].append(average_precision_score(y_test, fit.log_odds))
        expected[fit.method].append(expit(fit.log_odds).sum() / y_test.sum())

# %%
# The table
# ---------
# The second column is the difference from log loss on the same stream, with its
# standard error over the streams.
print(f"{'':20}{'average precision':>18}{'minus log loss':>18}{'sum / frauds':>14}")
for name in METHODS:
    difference = np.subtract(precision[name], precision["log loss"])
    error = difference.std(ddof=1) / N_STREAMS**0.5
    print(
        f"{name:20}{np.mean(precision[name]):18.3f}"
        f"{difference.mean():+10.3f} ± {error:.3f}{np.mean(expected[name]):14.2f}"
    )

# %%
# The picture
# -----------
# Class weights and SMOTE find fewer frauds than log loss, at every number of alerts.
# The sum of their probabilities is about a hundred times the number of frauds. Each dot
# on the right is one stream. Focal loss keeps both the ranking and the probabilities:
# its ranking is not distinguishable from that of log loss, because the difference is
# about one standard error.
colors = ["black", "tab:red", "tab:orange", "tab:blue", "tab:green"]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for place, (name, color) in enumerate(zip(METHODS, colors, strict=True)):
    left.plot(N_ALERTS, np.mean(recall[name], axis=0), color=color, label=name)
    right.plot(expected[name], [place] * N_STREAMS, "o", color=color, alpha=0.5)
left.set(xscale="log", xlabel=f"alerts in {N_PAYMENTS - N_TRAIN:,} payments", ylim=0)
left.set(ylabel="share of frauds found (recall)", title="What is found")
left.legend()
right.axvline(1, color="grey", linestyle="--")
right.set_yticks(range(len(METHODS)), METHODS)
right.invert_yaxis()
right.set(xscale="log", xlabel="sum of probabilities / number of frauds (1 is right)")
right.set_title("What the probabilities say")
figure.savefig("methods.png", dpi=80)
