"""Refits the leaves of a LightGBM model with the focal loss."""

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._note import Provenance, note_of
from focalboost._hosts._params import (
    balance_to_make,
    checked_balance,
    checked_loss,
    learning_rate_bound,
    thread_setting,
)
from focalboost._validation import (
    codes_of,
    reject,
    require_length,
    require_weights_of_hosts,
)
from focalboost.lightgbm import _model, _text
from focalboost.lightgbm._data_sets import names_of, require_places_of
from focalboost.lightgbm._params import DEFAULT_LEARNING_RATE, LEARNING_RATE
from focalboost.losses import Loss
from focalboost.losses._balance import Part, balancing_shift_of_parts
from focalboost.objectives import Curvature, FocalObjective

if TYPE_CHECKING:
    from os import PathLike

    import lightgbm

#: The parameters of a step of refit, with LightGBM's defaults.
_STEP = {
    "learning_rate": DEFAULT_LEARNING_RATE,
    "lambda_l1": 0.0,
    "lambda_l2": 0.0,
    "max_delta_step": 0.0,  # any step
    "min_sum_hessian_in_leaf": 1e-3,
}


def refit(
    booster: "lightgbm.Booster | lightgbm.LGBMModel | str | PathLike[str]",
    X: Any,
    y: Any,
    *,
    loss: Loss | None = None,
    decay_rate: float = 0.9,
    weight: Any = None,
    curvature: Curvature = "certified",
    balance: bool = True,
) -> "lightgbm.Booster":
    """Refit the leaves of a LightGBM model to new data, with the focal loss.

    The trees keep their splits. Tree by tree, every leaf gets the value

        decay_rate * old + (1 - decay_rate) * new,
        new = -shrinkage * G / (C + lambda_l2),

    where G and C sum the focal gradient and curvature of its rows, at the raw
    predictions of the trees before it. The first trees contain the baseline, so the
    baseline of the new data is mixed in the same way: their ``new`` has it added, and
    their G and C are those at that baseline. LightGBM does not note their shrinkage, so
    that of the second iteration stands for it.

    LightGBM's own ``Booster.refit`` takes steps of the log loss. A focal model that is
    refitted with it predicts probabilities that are several times too small. It starts
    from raw predictions of 0, so that its leaves differ from these at gamma 0 as well.

    Parameters
    ----------
    booster : lightgbm.Booster, FocalLGBMClassifier or path
        A finalised model of ``focalboost.lightgbm``, or an estimator. It stays as it
        is. Load only files that you trust.
    X : array-like of shape (n, n_features)
        The new features, in any form that ``booster.predict`` takes.
    y : array of shape (n,)
        The new labels: those that an estimator was trained on, or else 0 to K - 1. Some
        classes may be missing.
    loss : FocalLoss or SoftmaxFocalLoss, optional
        The loss. By default it is the one that the model was trained with.
    decay_rate : float, default=0.9
        The share of the old values, from 0 to 1. At 0 all leaf values are new. At 1
        the result is a copy of the model.
    weight : array of shape (n,), optional
        Weights of the rows.
    curvature : {"certified", "exact"}, default="certified"
        As in ``focal_objective``.
    balance : bool, default=True
        Balance the new model on the new data, as ``train`` does.

    Returns
    -------
    lightgbm.Booster
        The new model. It has the rounds that predictions of the old one use.

    Raises
    ------
    ValueError
        If the model has linear trees, or says no loss and none is given; and as in
        ``train``.

    Notes
    -----
    ``lambda_l1``, ``lambda_l2``, ``max_delta_step`` and ``min_sum_hessian_in_leaf``
    are those of the training. A leaf with a smaller sum of curvatures, or without rows,
    takes no step: its ``new`` is 0 (or the baseline). ``path_smooth`` and monotone
    constraints do not count, as in LightGBM's own refit.

    Examples
    --------
    >>> import lightgbm, numpy as np, focalboost.lightgbm
    >>> X = np.arange(400.0).reshape(-1, 1)
    >>> train_set = lightgbm.Dataset(X, label=X[:, 0] >= 340)
    >>> booster = focalboost.lightgbm.train({"verbosity": -1}, train_set, 50)
    >>> y_new = X[:, 0] >= 380
    >>> new = focalboost.lightgbm.refit(booster, X, y_new, decay_rate=0.5)
    >>> new.num_trees()
    50
    """
    balance = bool(checked_balance(balance, "balance", False))
    if not (isinstance(decay_rate, Real) and 0 <= decay_rate <= 1):
        advice = "Use decay_rate=0.9, as LightGBM does."
        reject("decay_rate", "a number from 0 to 1", decay_rate, advice)
    given = _model.booster_of(booster, "booster")
    require_places_of(given, names_of(X), "X")
    text = given.model_to_string()
    known = _provenance(text, loss)
    loss = known.loss
    _model.require_continuable(text, loss, "booster")
    if "\nleaf_const=" in text:
        advice = "Train it without linear_tree."
        reject("booster", "a model whose leaves are constants", "linear_tree", advice)
    if decay_rate == 1:
        return _model.booster_of_text(text, "booster")
    if known.unbalanced is not None:
        text = _text.shifted_text(text, -np.asarray(known.unbalanced))
    labels = np.ravel(y)
    if len(labels) == 0:
        reject("y", "labels of one row or more", "no row", "Pass rows.")
    if known.classes is not None:
        labels = codes_of(labels, known.classes, "y")
    if weight is not None:
        require_weights_of_hosts(weight)
    leaf = np.asarray(given.predict(X, pred_leaf=True), np.intp)
    require_length("y", labels, len(leaf))
    objective = _objective_of(text, loss, curvature)
    rows = Part(labels, None, weight)
    values, raw = _refitted(text, leaf, rows, objective, decay_rate)
    text, shift = _text.with_leaves(text, values), None
    if balance_to_make(balance, loss, curvature):
        part, earlier = rows._replace(raw_prediction=raw), known.unbalanced or 0.0
        shift = balancing_shift_of_parts(loss, lambda f: f(part), earlier).tolist()
        text = _text.shifted_text(text, np.asarray(shift))
    note = note_of(Provenance(loss, known.classes, shift))
    return _model.booster_of_text(_text.with_note(text, note), "booster")


def _provenance(text: str, loss: Loss | None) -> Provenance:
    """What a model was trained with, with the loss that is given, if one is."""
    known = _model.provenance_in(text, "booster")
    if loss is not None:
        loss = checked_loss(loss, None)
        return Provenance(loss, None) if known is None else known._replace(loss=loss)
    if known is None:
        rule = "a FocalLoss or a SoftmaxFocalLoss for a model which has no note of it"
        advice = "Use loss=FocalLoss(gamma=2), with the gamma of its training."
        reject("loss", rule, loss, advice)
    return known


def _objective_of(text: str, loss: Loss, curvature: Curvature) -> FocalObjective:
    """The objective of the training, with its learning rate and threads."""
    params = _text.parameters_in(text)
    bound = learning_rate_bound(params, LEARNING_RATE, DEFAULT_LEARNING_RATE, None)
    threads = thread_setting(params)
    return FocalObjective(loss, curvature, bound, checks_start=False, n_threads=threads)


def _refitted(
    text: str,
    leaf: NDArray[np.intp],
    rows: Part,
    objective: FocalObjective,
    decay_rate: float,
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """The new values of all leaves, and the raw predictions of the new model."""
    trees, params = _text.leaves_of(text), _text.parameters_in(text)
    step = {name: float(params.get(name, _STEP[name])) for name in _STEP}
    y_true, weight = rows.y_true, rows.sample_weight
    start = np.atleast_1d(objective.loss.baseline(y_true, weight))
    n_scores, values = len(start), list[NDArray[np.float64]]()
    raw, leaf = np.tile(start, (len(y_true), 1)), leaf.reshape(len(y_true), -1)
    for first in range(0, len(trees), n_scores):
        flat = raw if n_scores > 1 else raw[:, 0]
        sums = objective(y_true, flat, weight)
        if first == 0:
            raw = np.zeros_like(raw)  # the new first trees contain the baseline
        for k, (old, shrinkage) in enumerate(trees[first : first + n_scores]):
            of_tree, base = leaf[:, first + k], 0.0
            slope, bend = (
                np.bincount(of_tree, part.reshape(raw.shape)[:, k], len(old))
                for part in sums
            )
            if first == 0:
                base = start[k]
                # LightGBM notes a shrinkage of 1 where a baseline is added. The next
                # trees have that of the same training.
                if shrinkage == 1:
                    rates = [rate for _, rate in trees[n_scores:]]
                    shrinkage = rates[0] if rates else step["learning_rate"]
            new = base + shrinkage * _steps(slope, bend, step)
            values.append(decay_rate * old + (1 - decay_rate) * new)
            raw[:, k] += values[-1][of_tree]
    return values, raw if n_scores > 1 else raw[:, 0]


def _steps(
    slope: NDArray[np.float64], bend: NDArray[np.float64], step: dict[str, float]
) -> NDArray[np.float64]:
    """The steps of leaves before shrinkage, from their sums."""
    size = np.maximum(np.abs(slope) - step["lambda_l1"], 0)
    total = bend + step["lambda_l2"]
    counts = (bend >= step["min_sum_hessian_in_leaf"]) & (total > 0)
    sizes = np.divide(size, total, where=counts, out=np.zeros(len(slope)))
    limit = step["max_delta_step"] or np.inf
    return np.asarray(np.clip(-np.sign(slope) * sizes, -limit, limit))
