"""
Train on a Dask cluster
=======================

Rows that lie on several workers train one model. The class masses, the baseline, the
metric and the balance are those of all rows, so the model does not depend on which
worker has which rows.
"""

# %%
# A cluster of two workers, here in threads of this process. ``Client("address:8786")``
# connects to a cluster of machines.
import dask.array as da
import matplotlib.pyplot as plt
import numpy as np
from dask.distributed import Client
from sklearn.metrics import average_precision_score

from focalboost import FocalXGBClassifier
from focalboost.datasets import make_transactions
from focalboost.distributed import FocalDaskXGBClassifier

client = Client(
    n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
)

# %%
# Eight partitions in the order of time. They have different shares of frauds.
payments = make_transactions(80_000, prevalence=1 / 200, random_state=0, as_frame=False)
columns = [payments.data[name] for name in payments.feature_names]
X, y = np.column_stack(columns).astype(np.float32), payments.target
rows, labels = da.from_array(X, chunks=(10_000, -1)), da.from_array(y, chunks=10_000)
print("frauds by partition:", [int(part.sum()) for part in np.split(y, 8)])

# %%
# The estimator is used like the one for a single machine. It finds the client itself.
settings = {"focal_gamma": 2, "n_estimators": 30, "max_depth": 3, "reg_lambda": 5}
model = FocalDaskXGBClassifier(**settings).fit(rows, labels)
probability = model.predict_proba(rows)[:, 1].compute()
print(f"expected {probability.sum():.2f} frauds, found {y.sum()}")
client.close()

# %%
# It is the model of one machine but for the bins of the features, which are quantiles
# that the workers find together.
alone = FocalXGBClassifier(**settings, n_jobs=1).fit(X, y).predict_proba(X)[:, 1]
for name, p in (("two workers", probability), ("one machine", alone)):
    print(f"{name}: average precision {average_precision_score(y, p):.3f}")

figure, ax = plt.subplots(figsize=(5, 5), layout="constrained")
ax.loglog(alone, probability, ".", markersize=2)
ax.set(xlabel="probability, one machine", ylabel="probability, two workers")
