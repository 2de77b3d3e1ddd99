"""The formulas of the posterior as programs, for languages other than Python.

The formulas are written once, for any array namespace. Here they run in a namespace
that writes down what is computed. ONNX graphs and C code are made of the result.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from focalboost.losses import FocalLoss
from focalboost.losses._link import log_odds, log_weight

#: The name of a result or of an input, or a number.
Operand = str | float


class Operation(NamedTuple):
    """One step of a program."""

    result: str
    name: str
    operands: tuple[Operand, ...]


class Program(NamedTuple):
    """Operations in order, and the name of the last result."""

    operations: list[Operation]
    result: str


def log_odds_program(loss: FocalLoss) -> Program:
    """The log-odds of the posterior of a raw prediction "raw"."""
    positive, negative = np.log(loss.alphas)

    def formula(raw: Any, xp: Any) -> Any:
        return log_odds(raw, loss.gammas, xp) - (positive - negative)

    return _program(formula, "raw")


def log_weight_program() -> Program:
    """The log posterior of a class, without its alpha, up to a constant of the row.

    The inputs are "margin" and "gamma". The margin is the raw prediction of the class
    minus the logsumexp of those of the others. Subtract the logarithm of alpha.
    """
    return _program(log_weight, "margin", "gamma")


def _program(formula: Callable[..., Any], *inputs: str) -> Program:
    """The program of a formula of these inputs and a namespace."""
    recorder = _Recorder()
    result = formula(*(_Number(recorder, name) for name in inputs), xp=recorder)
    steps = recorder.results.items()
    return Program([Operation(name, *key) for key, name in steps], result.name)


class _Recorder:
    """An array namespace whose functions write down their calls, each call once."""

    def __init__(self) -> None:
        self.results: dict[tuple[str, tuple[Operand, ...]], str] = {}

    def apply(self, operation: str, *operands: Any) -> "_Number":
        named = (o.name if isinstance(o, _Number) else float(o) for o in operands)
        key = (operation, tuple(named))
        return _Number(self, self.results.setdefault(key, f"v{len(self.results)}"))

    def __getattr__(self, operation: str) -> Callable[..., "_Number"]:
        return partial(self.apply, operation)

    def full_like(self, x: "_Number", value: float) -> float:
        return value


class _Number:
    """The name of a number, which writes down what is done with it."""

    def __init__(self, recorder: _Recorder, name: str) -> None:
        self.recorder = recorder
        self.name = name

    def __add__(self, other: Any) -> "_Number":
        return self.recorder.apply("add", self, other)

    def __radd__(self, other: Any) -> "_Number":
        return self.recorder.apply("add", other, self)

    def __sub__(self, other: Any) -> "_Number":
        return self.recorder.apply("subtract", self, other)

    def __rsub__(self, other: Any) -> "_Number":
        return self.recorder.apply("subtract", other, self)

    def __mul__(self, other: Any) -> "_Number":
        return self.recorder.apply("multiply", self, other)

    def __rmul__(self, other: Any) -> "_Number":
        return self.recorder.apply("multiply", other, self)

    def __truediv__(self, other: Any) -> "_Number":
        return self.recorder.apply("divide", self, other)

    def __neg__(self) -> "_Number":
        return self.recorder.apply("negative", self)

    def __lt__(self, other: Any) -> "_Number":
        return self.recorder.apply("less", self, other)

    def __gt__(self, other: Any) -> "_Number":
        return self.recorder.apply("greater", self, other)

    def __ge__(self, other: Any) -> "_Number":
        return self.recorder.apply("greater_equal", self, other)
