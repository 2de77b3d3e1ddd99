"""The mathematics: losses as values, element-wise, on any array-API namespace."""

from focalboost.losses._compiled import is_compiled
from focalboost.losses._loss import FocalLoss
from focalboost.losses._softmax_loss import SoftmaxFocalLoss

__all__ = ["FocalLoss", "Loss", "SoftmaxFocalLoss", "is_compiled"]

#: The losses that a host can be trained with.
Loss = FocalLoss | SoftmaxFocalLoss
