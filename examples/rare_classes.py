"""
Find several rare classes
=========================

Machines run well, leak, or have a short circuit. Two of the three classes are rare. One
softmax model gives a probability to each class, and each rare class is then a question
of its own: which machines should be looked at first?
"""

# %%
# One machine in 50 leaks, and one in 200 has a short circuit.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split

from focalboost import FocalLGBMClassifier
from focalboost.diagnostics import alerts

X, code = make_classification(
    40_000,
    n_features=8,
    n_informative=5,
    n_classes=3,
    n_clusters_per_class=1,
    weights=[0.975, 0.02],
    flip_y=0.005,
    random_state=0,
)
y = np.array(["fine", "leak", "short"])[code]
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
for label, count in zip(*np.unique(y_train, return_counts=True), strict=True):
    print(label, count)

# %%
# ``focal_gamma`` is one number for all classes, or one for each label. γ = 0 is log
# loss.
gammas = {
    "log loss": 0,
    "γ = 1": 1,
    "γ by label": {"fine": 1, "leak": 0.5, "short": 0},
}
settings = {"n_estimators": 60, "num_leaves": 7, "reg_lambda": 5, "n_jobs": 1}
models = {
    name: FocalLGBMClassifier(focal_gamma=gamma, verbosity=-1, **settings).fit(
        X_train, y_train
    )
    for name, gamma in gammas.items()
}

# %%
# Accuracy says nothing here: "fine" for every machine is right in 97 of 100. The
# average precision of each rare class against all others says how well it is ranked,
# and the sum of its probabilities says how many of its machines are expected.
rare = ["leak", "short"]
for name, model in models.items():
    probability = dict(zip(model.classes_, model.predict_proba(X_test).T, strict=True))
    for label in rare:
        precision = average_precision_score(y_test == label, probability[label])
        expected, found = probability[label].sum(), (y_test == label).sum()
        print(f"{name:10} {label:5} average precision {precision:.3f}", end=", ")
        print(f"{expected:.0f} expected and {found} found")

# %%
# The losses differ by a few hundredths, which 71 short circuits cannot tell apart, so
# log loss would do here. Compare them by cross-validation on your own table before you
# choose. The curves show how many machines of a class are among the first ones that you
# look at.
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
n_alerts = np.unique(np.geomspace(5, 1000, 25).astype(int))
for label, ax in zip(rare, axes, strict=True):
    for name, model in models.items():
        score = model.predict_proba(X_test)[:, list(model.classes_).index(label)]
        found = alerts(y_test == label, score, n_alerts=n_alerts).to_pandas()
        ax.plot(found["n_alerts"], found["recall"], label=name)
    ax.set(title=label, xscale="log", xlabel="machines looked at", ylim=(0, 1))
axes[0].set_ylabel("share of the class that is found")
axes[0].legend()
plt.show()
