"""The formulas of the posterior as programs, for languages other than Python.

The formulas are written once, for any array namespace. Here they run in a namespace
whose numbers write down how they are computed.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Operand", "Operation", "Program", "trace"]

#: The name of a result or of an input, or a number.
Operand = str | float


class Operation(NamedTuple):
    """One step of a program."""

    result: str
    name: str
    operands: tuple[Operand, ...]


class Program(NamedTuple):
    """Operations in their order, and the name of what they give."""

    operations: list[Operation]
    result: str


def trace(formula: Callable[..., "_Number"], *inputs: str) -> Program:
    """Return the program of a formula of numbers with these names, and a namespace."""
    results: _Results = {}
    numbers = [_Number(results, name) for name in inputs]
    result = formula(*numbers, xp=_Namespace).name
    operations = [Operation(value, *key) for key, value in results.items()]
    return Program(operations, result)


#: The name of the result of every operation on operands, each computed once.
_Results = dict[tuple[str, tuple[Operand, ...]], str]


class _Number:
    """A number that knows its name, and writes down what is done with it."""

    def __init__(self, results: "_Results", name: str) -> None:
        self.results = results
        self.name = name

    def apply(self, name: str, *operands: Any) -> "_Number":
        """The result of an operation with these operands."""
        named = (o.name if isinstance(o, _Number) else float(o) for o in operands)
        result = self.results.setdefault((name, tuple(named)), f"v{len(self.results)}")
        return _Number(self.results, result)

    def __add__(self, other: Any) -> "_Number":
        return self.apply("add", self, other)

    def __radd__(self, other: Any) -> "_Number":
        return self.apply("add", other, self)

    def __sub__(self, other: Any) -> "_Number":
        return self.apply("subtract", self, other)

    def __rsub__(self, other: Any) -> "_Number":
        return self.apply("subtract", other, self)

    def __mul__(self, other: Any) -> "_Number":
        return self.apply("multiply", self, other)

    def __rmul__(self, other: Any) -> "_Number":
        return self.apply("multiply", other, self)

    def __truediv__(self, other: Any) -> "_Number":
        return self.apply("divide", self, other)

    def __neg__(self) -> "_Number":
        return self.apply("negative", self)

    def __lt__(self, other: Any) -> "_Number":
        return self.apply("less", self, other)

    def __gt__(self, other: Any) -> "_Number":
        return self.apply("greater", self, other)

    def __ge__(self, other: Any) -> "_Number":
        return self.apply("greater_equal", self, other)


class _Namespace:
    """What the formulas use of an array namespace."""

    @staticmethod
    def abs(x: _Number) -> _Number:
        return x.apply("abs", x)

    @staticmethod
    def exp(x: _Number) -> _Number:
        return x.apply("exp", x)

    @staticmethod
    def log1p(x: _Number) -> _Number:
        return x.apply("log1p", x)

    @staticmethod
    def sinh(x: _Number) -> _Number:
        return x.apply("sinh", x)

    @staticmethod
    def minimum(x: _Number, y: Any) -> _Number:
        return x.apply("minimum", x, y)

    @staticmethod
    def where(condition: _Number, x: Any, y: Any) -> _Number:
        return condition.apply("where", condition, x, y)

    @staticmethod
    def full_like(x: _Number, value: float) -> float:
        return value
