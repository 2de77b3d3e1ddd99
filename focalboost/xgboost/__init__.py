"""XGBoost with the focal loss."""

from focalboost.xgboost._train import cv, train

__all__ = ["cv", "train"]
