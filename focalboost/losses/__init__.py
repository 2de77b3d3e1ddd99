"""The mathematics: losses as values, element-wise, on any array-API namespace."""

from focalboost.losses._loss import FocalLoss
from focalboost.losses._softmax_loss import SoftmaxFocalLoss

__all__ = ["FocalLoss", "Loss", "SoftmaxFocalLoss"]

#: The losses that a host can be trained with.
Loss = FocalLoss | SoftmaxFocalLoss
