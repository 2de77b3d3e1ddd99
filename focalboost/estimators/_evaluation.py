"""Evaluation sets and metrics, in the form that each host wants."""

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from numbers import Real
from typing import Any

import numpy as np

from focalboost._validation import reject
from focalboost.estimators._rows import (
    TrainingRows,
    pairs_of,
    require_names_of_training,
)
from focalboost.estimators._target import effective_weights
from focalboost.lightgbm._data_sets import Baseline, constant_scores
from focalboost.losses import Loss
from focalboost.objectives import FocalMetric


class PosteriorMetric:
    """A user's metric of (labels, probabilities, ...), as a host calls it.

    With a callable objective the hosts hand raw predictions to metrics.
    """

    def __init__(self, loss: Loss, function: Callable[..., Any]) -> None:
        self.loss = loss
        self.function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    @property
    def parameters(self) -> Mapping[str, Parameter]:
        """The parameters of the user's function."""
        return signature(self.function).parameters

    def posterior(self, raw_prediction: Any) -> Any:
        """The probabilities: of the positive class, or of every class; float64."""
        return self.loss._posterior(np.asarray(raw_prediction, dtype=np.float64))


class Evaluation:
    """The evaluation sets of one fit, given as eval_set or as eval_X and eval_y."""

    def __init__(
        self, rows: TrainingRows, eval_set: Any, eval_X: Any, eval_y: Any
    ) -> None:
        self._rows = rows
        self._given = {"eval_set": eval_set, "eval_X": eval_X, "eval_y": eval_y}
        if eval_set is None and eval_X is not None and eval_y is not None:
            several = isinstance(eval_X, tuple) and isinstance(eval_y, tuple)
            eval_set = (
                zip(eval_X, eval_y, strict=True) if several else [(eval_X, eval_y)]
            )
        self._pairs = [
            rows.evaluated(X, y, with_weights=False) for X, y in pairs_of(eval_set)
        ]
        for X, _ in self._pairs:
            require_names_of_training(X, rows.X)

    def arguments(self) -> dict[str, Any]:
        """The sets with encoded labels, under the names they were given by.

        Unused names are left out, because LightGBM before 4.7 lacks eval_X and eval_y.
        """
        given = {name: v for name, v in self._given.items() if v is not None}
        if set(given) == {"eval_set"}:
            return {"eval_set": self._pairs}
        if set(given) == {"eval_X", "eval_y"}:
            features, labels = zip(*self._pairs, strict=True)
            return {"eval_X": features, "eval_y": labels}
        return given  # none, or a mixture that LightGBM words an error for

    def init_scores(self, baseline: Baseline, given: Any) -> list[Any] | None:
        """The baseline for every set that has no init_score of its own."""
        if not self._pairs:
            return None
        return [
            constant_scores(baseline, len(y)) if own is None else own
            for (_, y), own in zip(self._pairs, self._spread(given), strict=True)
        ]

    def weights(self, sample_weight: Any, class_weight: Any) -> Any:
        """The weights of each set times y's class weights, unless it has its own."""
        if self._rows.target.class_weight is None:
            return sample_weight
        return [
            weight if own is not None else self._rows.weigh(y, weight)
            for (_, y), weight, own in zip(
                self._pairs,
                self._spread(sample_weight),
                self._spread(class_weight),
                strict=True,
            )
        ]

    def class_weights(self, class_weight: Any) -> Any:
        """Class weights with their labels encoded, as those of the sets are."""
        if class_weight is None:
            return None
        return [
            self._encoded_weights(y, own)
            for (_, y), own in zip(self._pairs, self._spread(class_weight), strict=True)
        ]

    def _encoded_weights(self, y: Any, own: Any) -> Any:
        """The class weights of one set, by encoded label."""
        codes = {label: code for code, label in enumerate(self._rows.target.classes)}
        if isinstance(own, dict):
            return {codes[label]: weight for label, weight in own.items()}
        if own != "effective":
            return own
        counts = np.bincount(np.asarray(y, np.intp), minlength=len(codes))
        return dict(enumerate(effective_weights(counts)))

    def _spread(self, given: Any) -> list[Any]:
        """One entry for each set, of a list that may be short or a dict by position."""
        positions = range(len(self._pairs))
        if given is None:
            return [None for _ in positions]
        if isinstance(given, dict):
            return [given.get(i) for i in positions]
        return [given[i] if i < len(given) else None for i in positions]


def on_posterior(loss: Loss, metric: Any) -> Any:
    """A metric for LightGBM; a user's callable gets the posterior."""
    if isinstance(metric, FocalMetric):
        return metric.for_lightgbm
    is_focal = isinstance(getattr(metric, "__self__", None), FocalMetric)
    is_hosts = isinstance(metric, str) or is_focal
    return metric if is_hosts else _LightGBMMetric(loss, metric)


class _LightGBMMetric(PosteriorMetric):
    # Three parameters: LightGBM counts them, and passes the weights as the third. The
    # user's function may take two, or four with groups, which no classifier has.
    def __call__(self, y_true: Any, raw_prediction: Any, sample_weight: Any) -> Any:
        arguments = (y_true, self.posterior(raw_prediction), sample_weight, None)
        named = (Parameter.KEYWORD_ONLY, Parameter.VAR_KEYWORD)
        kinds = [parameter.kind for parameter in self.parameters.values()]
        n_positional = sum(kind not in named for kind in kinds)
        result = self.function(*arguments[:n_positional])
        if isinstance(result, Real):
            reject(
                "eval_metric",
                "a function that returns (name, value, is_higher_better)",
                self.function,
                f"Use lambda y, p: ({self.__name__!r}, {self.__name__}(y, p), True), "
                "or False for a loss.",
            )
        return result


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
    """Metrics for XGBoost; a user's callable gets the posterior."""
    if callable(eval_metric) and not isinstance(eval_metric, FocalMetric):
        return _XGBoostMetric(loss, eval_metric)
    if isinstance(eval_metric, list | tuple):
        return [metrics(loss, metric) for metric in eval_metric]
    return eval_metric


class _XGBoostMetric(PosteriorMetric):
    # XGBoost passes sample_weight by name, and only if there are weights.
    def __call__(self, y_true: Any, raw_prediction: Any, **weights: Any) -> Any:
        kinds = [parameter.kind for parameter in self.parameters.values()]
        if (
            "sample_weight" not in self.parameters
            and Parameter.VAR_KEYWORD not in kinds
        ):
            weights = {}
        return self.function(y_true, self.posterior(raw_prediction), **weights)
