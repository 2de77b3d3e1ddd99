"""
Watch a model as it ages
========================

Fraud changes. A model that was right in its first weeks may miss more, or expect too
few, later on. Two numbers a week show it: the average precision, and the sum of the
probabilities over the number of frauds. This example follows a model that is trained
once, and one that is trained on with each week.
"""

# %%
# A stream of 120 days. Card testing becomes more frequent, skimmed terminals less so.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import average_precision_score

from focalboost import FocalLGBMClassifier
from focalboost.datasets import make_transactions

payments = make_transactions(400_000, prevalence=1 / 400, random_state=0)
X, y = payments.data[payments.feature_names], payments.target
time = payments.data["time"]
week = ((time - time.min()).dt.days // 7).to_numpy()
first, weeks = week < 6, range(6, 17)

# %%
# Both models start from the first six weeks.
settings = {"num_leaves": 15, "min_child_samples": 50, "verbosity": -1, "n_jobs": 1}
settings |= {"focal_gamma": (0, 2), "reg_lambda": 5}
once = FocalLGBMClassifier(n_estimators=80, **settings).fit(X[first], y[first])
kept = once

# %%
# Each week is predicted first. Its labels are known afterwards, and the second model
# adds five trees with them. The labels of real payments take weeks to arrive.
precision = {"trained once": [], "trained on": []}
balance = {"trained once": [], "trained on": []}
for number in weeks:
    rows = week == number
    for name, model in (("trained once", once), ("trained on", kept)):
        probability = model.predict_proba(X[rows])[:, 1]
        precision[name].append(average_precision_score(y[rows], probability))
        balance[name].append(probability.sum() / y[rows].sum())
    kept = FocalLGBMClassifier(n_estimators=5, **settings).fit(
        X[rows], y[rows], init_model=kept
    )

for name in precision:
    print(
        f"{name}: average precision {np.mean(precision[name]):.3f}, "
        f"expected / found {np.mean(balance[name]):.2f}"
    )

# %%
# A week has some fifty frauds, so both curves are noisy: do not retrain for one bad
# week. Five trees a week change little here, in either number. Keep both models for a
# while, and look at more weeks than one before you replace a model.
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for name in precision:
    axes[0].plot(weeks, precision[name], "o-", label=name)
    axes[1].plot(weeks, balance[name], "o-", label=name)
axes[0].set(xlabel="week", ylabel="average precision", ylim=0)
axes[1].set(xlabel="week", ylabel="sum of probabilities / frauds", ylim=0)
axes[1].axhline(1, color="grey", linestyle="--")
axes[0].legend()
