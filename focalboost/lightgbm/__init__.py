"""LightGBM with the focal loss: train, cv, refit, and models of their own."""

from focalboost.lightgbm._model import finalise
from focalboost.lightgbm._refit import refit
from focalboost.lightgbm._train import cv, train

__all__ = ["cv", "finalise", "refit", "train"]
