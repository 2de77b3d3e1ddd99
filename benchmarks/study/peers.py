"""Other packages' focal losses, CatBoost and YDF, in the same search.

imlightgbm, bokbokbok and gbdtCBL pin other versions of the hosts: install them with
pip's --no-deps. Each is called as its documentation says, and its score is read as it
reads it, expit(raw). Early stopping watches this package's focal metric, because theirs
take raw predictions for probabilities. The corrected odds are those of the posterior.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import lightgbm
import numpy as np
import xgboost
from scipy.special import logit

from focalboost import FocalLoss, focal_metric
from study.problems import Part, Split
from study.scores import Fit, Odds

GAMMA = 2.0  # the papers' default, and the one that every peer has
PATIENCE = 30  # that of focalboost.comparison.fit

Raw = Callable[[Any], Any]

#: Where each peer takes part, and the module that it needs.
PEERS = {
    ("xgboost", "bokbokbok, γ = 2"): "bokbokbok",
    ("xgboost", "gbdtCBL, γ = 2"): "gbdtCBL",
    ("lightgbm", "bokbokbok, γ = 2"): "bokbokbok",
    ("lightgbm", "gbdtCBL, γ = 2"): "gbdtCBL",
    ("lightgbm", "imlightgbm, γ = 2"): "imlightgbm",
    ("catboost", "CatBoost log loss"): "catboost",
    ("catboost", "CatBoost Focal, γ = 2"): "catboost",
    ("ydf", "YDF focal, γ = 2"): "ydf",
}


def on_peer(
    host: str, name: str, params_of: Any, split: Split, c: Any, seed: int
) -> Fit:
    """Train a peer with a configuration."""
    if host in ("catboost", "ydf"):
        train = {"catboost": _catboost, "ydf": _ydf}[host]
        raw, rounds = train(name, split, c, seed)
    else:
        params = params_of(host, c)
        train = {"xgboost": _xgboost, "lightgbm": _lightgbm}[host]
        raw, rounds = train(OBJECTIVES[name](), split, params, seed)
    odds = []
    for part in (split.valid, split.test):
        own = np.asarray(raw(part.X), np.float64)
        odds.append(Odds(own, _corrected(own, name)))
    return Fit(*odds, rounds)


def _corrected(raw: Any, name: str) -> Any:
    if name == "CatBoost log loss":
        return raw
    least = np.finfo(np.float64).eps
    return logit(np.clip(FocalLoss(gamma=GAMMA).posterior(raw), least, 1 - least))


def _bokbokbok() -> Any:
    from bokbokbok.loss_functions.classification import WeightedFocalLoss

    return WeightedFocalLoss(gamma=GAMMA)


def _imlightgbm() -> Any:
    from imlightgbm.objective import binary_focal_lgb_objective

    return partial(binary_focal_lgb_objective, gamma=GAMMA)


def _gbdt_cbl() -> Any:
    from gbdtCBL.binary import FLLoss

    loss = FLLoss(GAMMA)
    return lambda raw, data: loss(data.get_label(), raw)


#: Functions that give a function of raw predictions and a host's data set.
OBJECTIVES = {
    "bokbokbok, γ = 2": _bokbokbok,
    "imlightgbm, γ = 2": _imlightgbm,
    "gbdtCBL, γ = 2": _gbdt_cbl,
}


def _xgboost(objective: Any, split: Split, params: Any, seed: int) -> tuple[Raw, int]:
    params = {**params, "seed": seed, "nthread": params.pop("n_jobs")}
    n_rounds = params.pop("n_estimators")
    train, valid = (xgboost.DMatrix(part.X, part.y) for part in split[:2])
    booster = xgboost.train(
        params,
        train,
        n_rounds,
        obj=objective,
        custom_metric=focal_metric(GAMMA),
        evals=[(valid, "valid")],
        early_stopping_rounds=PATIENCE,
        maximize=False,
        verbose_eval=False,
    )
    kept = booster.best_iteration + 1

    def raw(X: Any) -> Any:
        rows = xgboost.DMatrix(X)
        return booster.predict(rows, output_margin=True, iteration_range=(0, kept))

    return raw, kept


def _lightgbm(objective: Any, split: Split, params: Any, seed: int) -> tuple[Raw, int]:
    params = {**params, "seed": seed, "objective": objective, "metric": "None"}
    n_rounds = params.pop("n_estimators")
    train = lightgbm.Dataset(split.train.X, split.train.y)
    booster = lightgbm.train(
        params,
        train,
        n_rounds,
        valid_sets=[lightgbm.Dataset(split.valid.X, split.valid.y, reference=train)],
        feval=focal_metric(GAMMA),
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
    )
    kept = booster.best_iteration
    return partial(booster.predict, num_iteration=kept, raw_score=True), kept


def _catboost(name: str, split: Split, c: Any, seed: int) -> tuple[Raw, int]:
    from catboost import CatBoostClassifier

    focal = f"Focal:focal_alpha=0.5;focal_gamma={GAMMA}"
    model = CatBoostClassifier(
        n_estimators=c.get("rounds", 200),
        learning_rate=c["learning_rate"],
        max_depth=_depth(c),
        l2_leaf_reg=c["l2"],
        rsm=c["columns"],
        subsample=c["rows"],
        bootstrap_type="Bernoulli",
        loss_function="Logloss" if name == "CatBoost log loss" else focal,
        random_seed=seed,
        thread_count=1,
        early_stopping_rounds=PATIENCE,
        allow_writing_files=False,
        verbose=False,
    )
    model.fit(split.train.X, split.train.y, eval_set=split.valid[:2])
    return partial(model.predict, prediction_type="RawFormulaVal"), model.tree_count_


def _ydf(name: str, split: Split, c: Any, seed: int) -> tuple[Raw, int]:
    import ydf

    ydf.verbose(0)
    model = ydf.GradientBoostedTreesLearner(
        label="label",
        loss="BINARY_FOCAL_LOSS",
        focal_loss_gamma=GAMMA,
        focal_loss_alpha=0.5,
        num_trees=c.get("rounds", 200),
        shrinkage=c["learning_rate"],
        max_depth=_depth(c) + 1,  # it counts the root
        min_examples=round(c["min_rows"]),
        l2_regularization=c["l2"],
        num_candidate_attributes_ratio=c["columns"],
        subsample=c["rows"],
        use_hessian_gain=True,
        random_seed=seed,
        num_threads=1,
    ).train(_columns(split.train), valid=_columns(split.valid))
    least = np.finfo(np.float32).eps

    def raw(X: Any) -> Any:
        p = model.predict(_columns(Part(X, None)))
        return logit(np.clip(p.astype(np.float64), least, 1 - least))

    return raw, model.num_trees()


def _columns(part: Part) -> dict[str, Any]:
    columns = {f"x{j}": column for j, column in enumerate(part.X.T)}
    return columns if part.y is None else {**columns, "label": part.y.astype(np.int64)}


def _depth(c: Any) -> int:
    return round(math.log2(c["leaves"]))
