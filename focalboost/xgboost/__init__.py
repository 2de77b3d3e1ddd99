"""XGBoost with the focal loss."""

from focalboost.xgboost._cv import cv
from focalboost.xgboost._train import train

__all__ = ["cv", "train"]
