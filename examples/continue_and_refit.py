"""
Bring a model up to date
========================

A model is older than the payments that it judges. Here the new payments have four
times as many frauds as the old ones. You can continue the training, which adds trees,
or refit the model, which keeps the trees and changes the values of their leaves. Both
need fewer rows than a new training.
"""

# %%
# The old model comes from many payments. The new ones are few, and half of them test.
import matplotlib.pyplot as plt
from sklearn.metrics import average_precision_score

import focalboost.lightgbm
from focalboost import FocalLGBMClassifier
from focalboost.datasets import make_transactions


def payments(n_samples, prevalence, seed):
    """Return features and labels."""
    made = make_transactions(n_samples, prevalence=prevalence, random_state=seed)
    return made.data[made.feature_names], made.target


X_old, y_old = payments(100_000, 1 / 400, 0)
X, y = payments(40_000, 1 / 100, 1)
new, test = slice(20_000), slice(20_000, None)

params = {"focal_gamma": 2, "n_jobs": 1, "num_leaves": 15, "verbosity": -1}
old = FocalLGBMClassifier(n_estimators=100, **params).fit(X_old, y_old)

# %%
# ``init_model`` continues the training. A different gamma or alpha raises a warning.
continued = FocalLGBMClassifier(n_estimators=20, **params)
continued.fit(X[new], y[new], init_model=old)

# %%
# :func:`focalboost.lightgbm.refit` returns a booster. A ``decay_rate`` of 0.5 mixes old
# and new leaf values in equal parts. LightGBM's own ``Booster.refit`` takes steps of
# the log loss, and is wrong for a focal model.
refitted = focalboost.lightgbm.refit(old, X[new], y[new], decay_rate=0.5)
alone = FocalLGBMClassifier(n_estimators=100, **params).fit(X[new], y[new])

posteriors = {
    "old model": old.predict_proba(X[test])[:, 1],
    "continued": continued.predict_proba(X[test])[:, 1],
    "refitted": old.focal_loss_.posterior(refitted.predict(X[test], raw_score=True)),
    "new rows alone": alone.predict_proba(X[test])[:, 1],
}

# %%
# The sum of the probabilities should be the number of frauds. That of the old model is
# a quarter of it. Those of the continued and of the refitted model are close. The
# continued model ranks worse than the old one, because its last trees fit few rows. The
# refitted model does not. The new rows alone are too few to rank as well.
frauds = y[test].sum()
print(f"{frauds} frauds in {len(y[test])} payments")
print(f"{'':16}{'average precision':>20}{'sum of probabilities':>24}")
for name, p in posteriors.items():
    print(f"{name:16}{average_precision_score(y[test], p):20.3f}{p.sum():24.0f}")

# %%
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.barh(list(posteriors), [p.sum() for p in posteriors.values()])
ax.axvline(frauds, color="black", linestyle="--", label="frauds")
ax.set_xlabel("sum of probabilities")
ax.invert_yaxis()
ax.legend()
plt.show()
