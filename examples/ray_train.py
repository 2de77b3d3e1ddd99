"""
Train on two workers of Ray
===========================

Each worker has a part of the rows. Ray Train starts the workers and connects them.
:func:`focalboost.xgboost.train` adds up the class masses of their rows, so that the
workers start from the same baseline, stop in the same round and end with the same
model. Its probabilities add up over all rows.
"""

import tempfile
from pathlib import Path

import ray
import ray.train
import xgboost
from ray.train.xgboost import XGBoostTrainer

import focalboost.xgboost
from focalboost import FocalLoss
from focalboost.datasets import make_transactions

LOSS = FocalLoss(gamma=(0, 2))


def matrix(X, y):
    """Return rows as XGBoost takes them."""
    return xgboost.DMatrix(X, label=y, enable_categorical=True, nthread=1)


def train_on_worker(config):
    """Train with the rows of this worker."""
    rank = ray.train.get_context().get_world_rank()
    dtrain, validation = (matrix(*part) for part in config["parts"][rank])
    booster = focalboost.xgboost.train(
        {"max_depth": 4, "learning_rate": 0.1, "nthread": 1},
        dtrain,
        200,
        loss=LOSS,
        evals=[(validation, "validation")],
        early_stopping_rounds=10,
        verbose_eval=False,
    )
    # Every worker has the model. Here all save it, to compare; one is enough.
    booster.save_model(Path(config["folder"]) / f"worker{rank}.ubj")


payments = make_transactions(20_000, prevalence=1 / 100, random_state=0)
X, y = payments.data[payments.feature_names], payments.target


def rows(start, end):
    """Return the features and labels of some payments."""
    return X[start:end], y[start:end]


# The training rows and the validation rows of each worker need not be equally many.
parts = [
    (rows(0, 4_000), rows(14_000, 15_000)),
    (rows(4_000, 14_000), rows(15_000, 20_000)),
]
ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
with tempfile.TemporaryDirectory() as folder:
    XGBoostTrainer(
        train_on_worker,
        train_loop_config={"parts": parts, "folder": folder},
        scaling_config=ray.train.ScalingConfig(num_workers=2),
        run_config=ray.train.RunConfig(storage_path=folder),
    ).fit()
    models = [(Path(folder) / f"worker{rank}.ubj").read_bytes() for rank in range(2)]
ray.shutdown()

booster = xgboost.Booster(model_file=bytearray(models[0]))
raw = booster.predict(matrix(*rows(0, 14_000)), output_margin=True)
print(f"Frauds of the workers: {[int(part[1].sum()) for part, _ in parts]}")
print(f"Rounds: {booster.num_boosted_rounds()}")
print(f"The workers' models are equal: {models[0] == models[1]}")
print(f"Sum of the probabilities of all training rows: {LOSS.posterior(raw).sum():.2f}")
print(f"Frauds among them: {y[:14_000].sum()}")
