"""
Pick the threshold of an alert by the amounts at stake
======================================================

An alert costs a review. A fraud without an alert costs its amount. With probabilities
that are right, an alert pays where ``probability * amount > review``, and no search is
needed. This example compares that rule with a threshold that is searched on validation
rows, and with the mistake of taking the focal score for a probability.
"""

# %%
# The payments come in the order of time: train on the first, search on the next, and
# test on the last.
import matplotlib.pyplot as plt
from scipy.special import expit

from focalboost import FocalLGBMClassifier
from focalboost.datasets import make_transactions
from focalboost.diagnostics import alerts, cheapest_threshold, plot_alerts

REVIEW = 5

payments = make_transactions(100_000, prevalence=1 / 300, random_state=0)
X, y = payments.data[payments.feature_names], payments.target
amount = payments.data["amount"].to_numpy()
train, validation, test = slice(56_000), slice(56_000, 70_000), slice(70_000, None)

model = FocalLGBMClassifier(
    focal_gamma=2, n_estimators=60, num_leaves=15, reg_lambda=5, n_jobs=1, verbosity=-1
)
model.fit(X[train], y[train])

# %%
# :func:`~focalboost.diagnostics.cheapest_threshold` searches the threshold of the
# probability. Its interval is wide, because the validation rows have few frauds.
searched = cheapest_threshold(
    y[validation],
    model.predict_proba(X[validation])[:, 1],
    costs={"alert": REVIEW, "miss": amount[validation]},
)
print(f"Searched threshold: {searched.threshold:.4f}")
print(f"95 % of the resamples: {searched.low:.4f} to {searched.high:.4f}")

# %%
# The five rules on the test rows. ``predict_proba`` returns the posterior. The focal
# score is what the host's own link makes of the raw prediction.
probability = model.predict_proba(X[test])[:, 1]
score = expit(model.predict(X[test], raw_score=True))
expected_loss = probability * amount[test]
rules = {
    "no alert": probability > 1,
    "probability > 0.5": probability > 0.5,
    "searched threshold": probability >= searched.threshold,
    "probability * amount > review": expected_loss > REVIEW,
    "focal score * amount > review": score * amount[test] > REVIEW,
}
print(f"{'':32}{'alerts':>8}{'caught':>8}{'cost':>10}")
for name, alert in rules.items():
    missed = (y[test] == 1) & ~alert
    cost = REVIEW * alert.sum() + amount[test][missed].sum()
    caught = (y[test][alert] == 1).sum()
    print(f"{name:32}{alert.sum():8}{caught:8}{cost:10,.0f}")

# %%
# The rule of the amounts is the cheapest, and the focal score alerts on far too many
# payments. The curves show the cost of every number of alerts, with the alerts in the
# order of the probability, and in the order of probability times amount. A dot marks
# the smallest cost, which is known only in hindsight.
costs = (REVIEW, amount[test])
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
curves = {
    "order of probability": alerts(y[test], probability, costs=costs),
    "order of probability * amount": alerts(y[test], expected_loss, costs=costs),
}
plot_alerts(curves, y="cost", ax=ax)
ax.axvline((expected_loss > REVIEW).sum(), color="grey", linestyle="--")
ax.set(xlim=(1, 2000), ylim=(0, 10_000))
ax.set_title("Dashed: alerts by probability * amount > review")
plt.show()
