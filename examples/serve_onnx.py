"""
Serve a model as ONNX
=====================

An ONNX graph runs in ONNX Runtime, which needs neither focalboost nor XGBoost. The
graph of :func:`~focalboost.export.to_onnx` ends in the posterior, so a server returns
probabilities and not focal scores.
"""

# %%
# ONNX reads one array of float32. ``as_frame=False`` returns arrays with categories as
# codes and NaN for missing values. The rows are in the order of time.
import matplotlib.pyplot as plt
import numpy as np
import onnxruntime
from scipy.special import expit

from focalboost import FocalXGBClassifier
from focalboost.datasets import make_transactions
from focalboost.export import to_onnx

payments = make_transactions(50_000, prevalence=1 / 300, random_state=0, as_frame=False)
columns = [payments.data[name] for name in payments.feature_names]
X = np.column_stack(columns).astype(np.float32)
y = np.where(payments.target == 1, "fraud", "honest")
train, test = slice(35_000), slice(35_000, None)

# %%
# The labels are text, so the gammas are written by label.
model = FocalXGBClassifier(
    focal_gamma={"fraud": 0, "honest": 2},
    n_estimators=60,
    max_depth=4,
    learning_rate=0.1,
    n_jobs=1,
)
model.fit(X[train], y[train])
graph = to_onnx(model).SerializeToString()
print(f"{len(graph) / 1024:.0f} KiB, {model.focal_loss_}")

# %%
# A server does the rest. The columns of the probabilities are those of
# ``model.classes_``.
settings = onnxruntime.SessionOptions()
settings.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(
    graph, settings, providers=["CPUExecutionProvider"]
)
labels, served = session.run(["label", "probabilities"], {"X": X[test]})

fraud = model.classes_.tolist().index("fraud")
expected = model.predict_proba(X[test])
difference = np.max(np.abs(served - expected) / expected)
print(f"Labels: {', '.join(np.unique(labels))}")
print(f"Largest relative difference from predict_proba: {difference:.1e}")
print(f"Mean probability of fraud: {served[:, fraud].mean():.5f}")
print(f"Share of frauds: {(y[test] == 'fraud').mean():.5f}")

# %%
# The graph returns what ``predict_proba`` returns. The focal score, which a saved
# booster returns, has the same order and is many times too large.
raw = model.predict(X[test], output_margin=True)
score = expit(raw if fraud == 1 else -raw)
print(f"Mean focal score of fraud: {score.mean():.5f}")
figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
ax.plot(expected[:, fraud], score, ".", markersize=3, label="focal score")
ax.plot(expected[:, fraud], served[:, fraud], ".", markersize=3, label="ONNX graph")
ax.set(xscale="log", yscale="log", xlabel="posterior of fraud by predict_proba")
ax.set_ylabel("what a server may return")
ax.legend()
plt.show()
