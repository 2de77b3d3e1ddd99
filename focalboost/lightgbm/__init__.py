"""LightGBM with the focal loss: train, and models that stand on their own."""

from focalboost.lightgbm._model import finalise
from focalboost.lightgbm._train import train

__all__ = ["finalise", "train"]
