"""
Explain a prediction with SHAP
==============================

SHAP splits a prediction into the contributions of the features. A focal model has two
predictions to split: the raw prediction, which the trees sum up, and the posterior,
which is the probability. ``TreeExplainer`` explains the first one fast. An explainer of
``predict_proba`` explains the second one.
"""

# %%
# Eight numbers describe a payment here. -1 stands for a missing value, because
# the explainer of the posterior puts values of other rows in place of missing ones.
import matplotlib.pyplot as plt
import numpy as np
import shap

from focalboost import FocalXGBClassifier
from focalboost.datasets import make_transactions

NAMES = ["amount", "amount_to_usual", "payments_24h", "hours_since_payment"]
NAMES += ["terminal_payments_1h", "terminal_disputes_28d"]
NAMES += ["device_age_days", "contact_age_days"]

payments = make_transactions(50_000, prevalence=1 / 100, random_state=0)
X = payments.data[NAMES].fillna(-1).to_numpy(float)
y = payments.target
train, test = slice(40_000), slice(40_000, None)

model = FocalXGBClassifier(focal_gamma=2, n_estimators=60, max_depth=4, n_jobs=1)
model.fit(X[train], y[train])
probability = model.predict_proba(X[test])[:, 1]
payment = X[test][[probability.argmax()]]

# %%
# The contributions to the raw prediction and the expected value sum up to it.
trees = shap.TreeExplainer(model)
to_raw = trees.shap_values(payment)[0]
raw = model.predict(payment, output_margin=True)[0]
print(f"Raw prediction: {raw:.3f}, sum: {to_raw.sum() + trees.expected_value:.3f}")

# %%
# The explainer of the posterior compares with the rows of a background. The sum
# starts from the mean probability of these rows.
background = X[train][:100]
explainer = shap.explainers.Exact(lambda X: model.predict_proba(X)[:, 1], background)
explained = explainer(payment)
to_posterior = explained.values[0]
total = to_posterior.sum() + explained.base_values[0]
print(f"Posterior: {probability.max():.3f}, sum: {total:.3f}")
for name, a, b in zip(NAMES, to_raw, to_posterior, strict=True):
    print(f"{name:24}{a:+8.3f}{b:+8.3f}")

# %%
# Both explain the same payment. The left one adds up on the scale of the trees, the
# right one in probability, which is the unit that a reviewer reads.
figure, panels = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
order = np.argsort(np.abs(to_posterior))
for panel, values, title in zip(
    panels, (to_raw, to_posterior), ("raw prediction", "posterior"), strict=True
):
    colors = np.where(values[order] > 0, "tab:red", "tab:blue")
    panel.barh(np.array(NAMES)[order], values[order], color=colors)
    panel.set(title=title, xlabel=f"contribution to the {title}")
plt.show()
