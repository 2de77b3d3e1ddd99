"""XGBoost and LightGBM behind one face, so that a test can be said once for both.

HOSTS are those that are installed; a test that names the driver of another is skipped.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from optional import (
    HAS_LIGHTGBM,
    HAS_XGBOOST,
    FocalLGBMClassifier,
    FocalXGBClassifier,
    lightgbm,
    xgboost,
)

import focalboost.lightgbm
import focalboost.xgboost


@dataclass(frozen=True)
class XGBoostDriver:
    name: str = "xgboost"
    classifier: Any = FocalXGBClassifier
    quiet: Any = (("nthread", 1), ("verbosity", 0))
    formats: tuple[str, ...] = ("json", "ubj")

    @property
    def host_classifier(self):
        return xgboost.XGBClassifier

    def data(self, X, y, weight=None, reference=None):
        return xgboost.DMatrix(X, y, weight=weight)

    def train(self, data, rounds=20, params=(), evals=(), **options):
        stop = options.pop("stopping_rounds", None)
        return focalboost.xgboost.train(
            {**dict(self.quiet), **dict(params)},
            data,
            rounds,
            evals=[(item, f"set{i}") for i, item in enumerate(evals)],
            verbose_eval=False,
            early_stopping_rounds=stop,
            **options,
        )

    def cv(self, data, rounds, folds, params=(), **options):
        """The history, and the models of the folds."""
        seen = []

        class Keep(xgboost.callback.TrainingCallback):
            def before_training(self, model):
                seen.extend(fold.bst for fold in model.cvfolds)
                return model

        stop = options.pop("stopping_rounds", None)
        history = focalboost.xgboost.cv(
            {**dict(self.quiet), **dict(params)},
            data,
            rounds,
            folds=folds,
            as_pandas=False,
            early_stopping_rounds=stop,
            callbacks=[Keep()],
            **options,
        )
        return history, seen

    def plain_train(self, data, rounds=20, params=(), objective=None, init=None):
        base = {} if init is None else {"base_score": float(1 / (1 + np.exp(-init)))}
        return xgboost.train(
            {
                **dict(self.quiet),
                "objective": "binary:logistic",
                **base,
                **dict(params),
            },
            data,
            rounds,
            obj=objective,
        )

    def raw(self, booster, X, rounds=0):
        data = X if isinstance(X, xgboost.DMatrix) else xgboost.DMatrix(X)
        return booster.predict(data, output_margin=True, iteration_range=(0, rounds))

    def probability(self, booster, X):
        return booster.predict(xgboost.DMatrix(X))

    def loaded(self, path):
        return xgboost.Booster(model_file=path)

    def history(self, result, position=0):
        return result[f"set{position}"]["relative_focal_loss"]

    def recorder(self):
        result = {}
        return result, {"evals_result": result}

    def continued(self, model):
        return {"xgb_model": model}

    def estimator(self, **params):
        return FocalXGBClassifier(**{"n_jobs": 1, "verbosity": 0, **params})

    def margin_option(self):
        return {"output_margin": True}


@dataclass(frozen=True)
class LightGBMDriver:
    name: str = "lightgbm"
    classifier: Any = FocalLGBMClassifier
    quiet: Any = (("num_threads", 1), ("verbosity", -1), ("deterministic", True))
    formats: tuple[str, ...] = ("txt",)

    @property
    def host_classifier(self):
        return lightgbm.LGBMClassifier

    def data(self, X, y, weight=None, reference=None):
        return lightgbm.Dataset(X, y, weight=weight, reference=reference)

    def train(self, data, rounds=20, params=(), evals=(), **options):
        stop = options.pop("stopping_rounds", None)
        callbacks = options.pop("callbacks", [])
        if stop:
            callbacks.append(lightgbm.early_stopping(stop, verbose=False))
        return focalboost.lightgbm.train(
            {**dict(self.quiet), **dict(params)},
            data,
            rounds,
            valid_sets=list(evals) or None,
            valid_names=[f"set{i}" for i in range(len(evals))] or None,
            callbacks=callbacks or None,
            **options,
        )

    def cv(self, data, rounds, folds, params=(), **options):
        """The history, and the models of the folds."""
        stop = {"early_stopping_round": options.pop("stopping_rounds", None)}
        history = focalboost.lightgbm.cv(
            {**dict(self.quiet), **dict(params), **stop},
            data,
            rounds,
            folds=folds,
            return_cvbooster=True,
            **options,
        )
        models = history.pop("cvbooster")
        return history, models.boosters

    def plain_train(self, data, rounds=20, params=(), objective="binary", init=None):
        if init is not None:
            data.construct()
            data.set_init_score(np.full(data.num_data(), init))
        return lightgbm.train(
            {**dict(self.quiet), "objective": objective or "binary", **dict(params)},
            data,
            rounds,
        )

    def raw(self, booster, X, rounds=None):
        return booster.predict(X, raw_score=True, num_iteration=rounds or None)

    def probability(self, booster, X):
        return booster.predict(X)

    def loaded(self, path):
        return lightgbm.Booster(model_file=path)

    def history(self, result, position=0):
        return result[f"set{position}"]["relative_focal_loss"]

    def recorder(self):
        result = {}
        return result, {"callbacks": [lightgbm.record_evaluation(result)]}

    def continued(self, model):
        return {"init_model": model}

    def estimator(self, **params):
        return FocalLGBMClassifier(**{"n_jobs": 1, "verbosity": -1, **params})

    def margin_option(self):
        return {"raw_score": True}


HOSTS = [XGBoostDriver()] * HAS_XGBOOST + [LightGBMDriver()] * HAS_LIGHTGBM


def host_id(host) -> str:
    return host.name
