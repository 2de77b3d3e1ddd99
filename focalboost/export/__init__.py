"""Models that leave Python: ONNX graphs and C code that end in the posterior."""

from focalboost.export._onnx import to_onnx
from focalboost.export._source import posterior_source

__all__ = ["posterior_source", "to_onnx"]
