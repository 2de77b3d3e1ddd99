"""Graphs of ONNX, written node by node."""

from typing import Any

import numpy as np

from focalboost._imports import import_extra
from focalboost.export._trace import Operand, Program

__all__ = ["Graph", "import_onnx"]

#: The operator sets of the graphs, which ONNX Runtime has since 1.12 (2022).
OPSETS = {"": 17, "ai.onnx.ml": 1}
IR_VERSION = 8

_OPERATIONS = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "negative": "Neg",
    "less": "Less",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "abs": "Abs",
    "exp": "Exp",
    "minimum": "Min",
    "where": "Where",
}


def import_onnx(name: str = "onnx") -> Any:
    """Import a module of the extra."""
    return import_extra(name, "pip install 'focalboost[onnx]'")


class Graph:
    """Nodes and constants; every method adds some and returns the name of a result."""

    def __init__(self) -> None:
        self.onnx = import_onnx()
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def add(self, operator: str, *inputs: str, domain: str = "", **attrs: Any) -> str:
        """Add a node."""
        result = f"{operator}_{len(self._nodes)}"
        helper = self.onnx.helper
        self._nodes.append(
            helper.make_node(operator, inputs, [result], domain=domain, **attrs)
        )
        return result

    def constant(self, values: Any) -> str:
        """Add a constant, float64 unless it has another dtype."""
        array = np.asarray(values)
        name = f"constant_{len(self._constants)}"
        self._constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def cast(self, name: str, dtype: str) -> str:
        """Add a conversion, to "FLOAT", "DOUBLE" or "INT64"."""
        return self.add("Cast", name, to=getattr(self.onnx.TensorProto, dtype))

    def run(self, program: Program, **inputs: str) -> str:
        """Add a program, with the names of its inputs in the graph."""
        names = dict(inputs)

        def name_of(operand: Operand) -> str:
            return (
                names[operand] if isinstance(operand, str) else self.constant(operand)
            )

        for result, operation, operands in program.operations:
            names[result] = self._apply(operation, *map(name_of, operands))
        return names[program.result]

    def _apply(self, operation: str, *operands: str) -> str:
        if operation == "log1p":
            return self._log1p(*operands)
        if operation == "sinh":
            return self._sinh(*operands)
        return self.add(_OPERATIONS[operation], *operands)

    def _log1p(self, x: str) -> str:
        """log(u) * x / (u - 1) of u = 1 + x, and x where u is 1.

        The rounding error of u cancels (Kahan); ONNX has no log1p.
        """
        one = self.constant(1.0)
        u = self.add("Add", one, x)
        scaled = self.add("Mul", self.add("Log", u), x)
        quotient = self.add("Div", scaled, self.add("Sub", u, one))
        return self.add("Where", self.add("Equal", u, one), x, quotient)

    def _sinh(self, x: str) -> str:
        """(exp(x) - exp(-x)) / 2; ONNX Runtime has none of float64."""
        difference = self.add(
            "Sub", self.add("Exp", x), self.add("Exp", self.add("Neg", x))
        )
        return self.add("Mul", difference, self.constant(0.5))

    def model(self, inputs: Any, outputs: dict[str, tuple[str, Any]]) -> Any:
        """Return the checked model; outputs are results in the graph, with types."""
        helper, opset = self.onnx.helper, self.onnx.helper.make_opsetid
        for name, (result, _) in outputs.items():
            self._nodes.append(helper.make_node("Identity", [result], [name]))
        graph = helper.make_graph(
            self._nodes,
            "focalboost",
            inputs,
            [value for _, value in outputs.values()],
            self._constants,
        )
        model = helper.make_model(
            graph,
            producer_name="focalboost",
            ir_version=IR_VERSION,
            opset_imports=[opset(*item) for item in OPSETS.items()],
        )
        self.onnx.checker.check_model(model)
        return model
