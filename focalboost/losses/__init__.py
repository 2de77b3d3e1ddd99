"""The mathematics: losses as values, element-wise, on any array-API namespace."""

from focalboost.losses._loss import FocalLoss

__all__ = ["FocalLoss"]
