"""The mathematics: losses as values, element-wise, on any array-API namespace."""

from focalboost.losses._balance import balancing_shift
from focalboost.losses._evaluate import is_compiled
from focalboost.losses._loss import FocalLoss, Loss, SoftmaxFocalLoss

__all__ = ["FocalLoss", "Loss", "SoftmaxFocalLoss", "balancing_shift", "is_compiled"]
