"""Models outside Python: ONNX graphs and C code that end in the posterior."""

from focalboost.export._formulas import posterior_source
from focalboost.export._onnx import register_converters, to_onnx

__all__ = ["posterior_source", "register_converters", "to_onnx"]
