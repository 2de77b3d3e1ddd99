"""Objective, evaluation sets and metrics of FocalXGBClassifier, as XGBoost wants."""

from collections.abc import Sequence
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

import numpy as np

from focalboost.estimators._base import PosteriorMetric
from focalboost.estimators._rows import TrainingRows, pairs_of
from focalboost.losses import Loss
from focalboost.objectives import FocalMetric, FocalObjective
from focalboost.objectives._grammar import as_gradients

__all__ = ["WeightedObjective", "evaluation", "metrics"]

#: Bits of a float32 that stay free in gradients: 24 - 3 = 21 are kept.
FREE_BITS = 3


@dataclass(frozen=True)
class WeightedObjective:
    """An objective in whose gradients a row of weight 3 is exactly three rows.

    XGBoost adds up float32 gradients in float64. A row's gradient is rounded to 21 of
    24 bits, a relative change of 2**-21 at most, so that its product with a whole
    weight up to 8 needs no further rounding, and equals the sum over as many rows. The
    trees are the same where the bins are.
    """

    objective: FocalObjective

    def __call__(self, y_true: Any, raw: Any, sample_weight: Any = None) -> Any:
        """Return gradient and curvature, as float32 arrays like raw."""
        if self.objective.device is not None:  # a GPU adds up in fixed point
            return self.objective(y_true, raw, sample_weight)
        parts = map(_rounded, self.objective(y_true, raw))
        if sample_weight is None:
            return tuple(parts)
        weight = sample_weight.reshape(-1, *(1,) * (raw.ndim - 1))
        names = ("gradient", "curvature")
        with np.errstate(over="ignore"):  # as_gradients looks for infinity
            return tuple(
                as_gradients(name, part * weight)
                for name, part in zip(names, parts, strict=True)
            )


def _rounded(values: Any) -> Any:
    """Round float32 numbers to 21 bits, in place."""
    bits = values.view("int32")
    bits += 1 << (FREE_BITS - 1)
    bits &= -(1 << FREE_BITS)
    return values


def evaluation(
    rows: TrainingRows, eval_set: Any, sample_weight: Sequence[Any] | None
) -> tuple[Any, Any]:
    """Evaluation sets with encoded labels, and their weights."""
    if eval_set is None:
        return None, sample_weight
    pairs = [rows.evaluated(X, y, with_weights=True) for X, y in pairs_of(eval_set)]
    given = [None] * len(pairs) if sample_weight is None else sample_weight
    if len(given) != len(pairs):
        return pairs, given  # XGBoost words this error
    weights = [
        rows.weigh(encoded, weight)
        for (_, encoded), weight in zip(pairs, given, strict=True)
    ]
    return pairs, weights


def metrics(loss: Loss, eval_metric: Any) -> Any:
    """The user's metrics, callables seeing posteriors."""
    if callable(eval_metric) and not isinstance(eval_metric, FocalMetric):
        return _Metric(loss, eval_metric)
    if isinstance(eval_metric, list | tuple):
        return [metrics(loss, metric) for metric in eval_metric]
    return eval_metric


class _Metric(PosteriorMetric):
    # XGBoost passes sample_weight by name, and only if there are weights.
    def __call__(self, y_true: Any, raw_prediction: Any, **weights: Any) -> Any:
        kinds = [parameter.kind for parameter in self.parameters.values()]
        if (
            "sample_weight" not in self.parameters
            and Parameter.VAR_KEYWORD not in kinds
        ):
            weights = {}
        return self.function(y_true, self.posterior(raw_prediction), **weights)
