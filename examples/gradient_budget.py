"""
See which rows carry the gradient
=================================

It is often said that easy negatives drown the rare positives in the gradient. This
example measures it. A gradient budget is the share of the absolute gradient that each
class, and each group of easy and hard rows, carries in a round.
"""

# %%
# One payment in 500 is a fraud. Two models have the same trees, and differ in the loss.
import matplotlib.pyplot as plt
import numpy as np

from focalboost import FocalLGBMClassifier, FocalLoss
from focalboost.datasets import make_transactions
from focalboost.diagnostics import (
    gradient_budget,
    gradient_budget_by_round,
    plot_gradient_budget,
)

payments = make_transactions(50_000, prevalence=1 / 500, random_state=0)
X, y = payments.data[payments.feature_names], payments.target

# %%
# At the start
# ------------
# A training from a raw prediction of 0 gives nearly all of the gradient to the
# negatives. A training from the best constant gives exactly one half to each class,
# whatever the loss and the imbalance. Drowning is a matter of the start.
for gamma in (0, 2):
    loss = FocalLoss(gamma)
    for name, start in (("0", 0.0), ("baseline", loss.baseline(y))):
        budget = gradient_budget(y, np.full(len(y), start), loss)
        share = budget.gradient_by_class[0]
        print(f"γ = {gamma}, start at {name:9} share of negatives {share:.3f}")

# %%
# Round by round
# --------------
# p_t is the probability that the model gives to the row's own class: easy rows have a
# large one. All negatives are alike at the start, and carry a half of the gradient.
# After 100 rounds the easiest of them, those above 0.999, are nine rows of ten. They
# carry less than a fifth of the gradient, with log loss and with focal loss alike.
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for ax, gamma in zip(axes, (0, 2), strict=True):
    model = FocalLGBMClassifier(
        focal_gamma=gamma, n_estimators=100, num_leaves=15, n_jobs=1, verbosity=-1
    ).fit(X, y)
    budgets = gradient_budget_by_round(model, X, y, (0, 10, 30, 100))
    plot_gradient_budget(budgets, ax=ax)
    ax.set_title("log loss (γ = 0)" if gamma == 0 else f"focal loss (γ = {gamma})")
