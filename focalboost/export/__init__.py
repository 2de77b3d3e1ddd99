"""Models outside Python: ONNX graphs and C code that end in the posterior."""

from focalboost.export._convert import register_converters, to_onnx
from focalboost.export._source import posterior_source

__all__ = ["posterior_source", "register_converters", "to_onnx"]
