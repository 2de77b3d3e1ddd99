"""Callables for the hosts' own train functions and classifiers."""

from focalboost.objectives._grammar import for_training, labels_of, weights_of
from focalboost.objectives._metric import FocalMetric, focal_metric
from focalboost.objectives._objective import (
    Curvature,
    FocalObjective,
    focal_objective,
    has_gpu,
)
from focalboost.objectives._start import warn_of_poor_base_score

__all__ = [
    "Curvature",
    "FocalMetric",
    "FocalObjective",
    "focal_metric",
    "focal_objective",
    "for_training",
    "has_gpu",
    "labels_of",
    "warn_of_poor_base_score",
    "weights_of",
]
