"""Callables for the hosts' own train functions and classifiers."""

from focalboost.objectives._device import has_gpu
from focalboost.objectives._grammar import labels_of, weights_of
from focalboost.objectives._metric import FocalMetric, focal_metric
from focalboost.objectives._objective import (
    Curvature,
    FocalObjective,
    focal_objective,
)
from focalboost.objectives._start import warn_of_poor_base_score
from focalboost.objectives._training import for_training

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
