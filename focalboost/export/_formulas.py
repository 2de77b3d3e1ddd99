"""The formulas of the posterior outside Python: written down step by step, and in C.

The formulas are written once, for NumPy. Here they get numbers that write down what is
computed with them. ONNX graphs and C code are made of that.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from focalboost._validation import reject
from focalboost.losses import FocalLoss, SoftmaxFocalLoss
from focalboost.losses._link import log_odds, log_weight

#: Writes an operation of names and numbers down, and returns the name of its result.
Write = Callable[..., str]


class Written(np.lib.mixins.NDArrayOperatorsMixin):
    """The name of a number. What NumPy computes with it is written down instead."""

    def __init__(self, name: str, write: Write) -> None:
        self.name = name
        self.write = write

    def __array_ufunc__(self, ufunc: Any, method: str, *operands: Any) -> "Written":
        return self._result(ufunc, operands)

    def __array_function__(
        self, function: Any, types: Any, operands: tuple[Any, ...], options: Any
    ) -> Any:
        if function is np.full_like:
            return operands[1]
        return self._result(function, operands)

    def _result(self, function: Any, operands: tuple[Any, ...]) -> "Written":
        named = (x.name if isinstance(x, Written) else float(x) for x in operands)
        return Written(self.write(function.__name__, *named), self.write)


def written_log_odds(loss: FocalLoss, write: Write, raw: str) -> str:
    """Write the log-odds of the posterior of a raw prediction."""
    positive, negative = np.log(loss.alphas)
    result: Written = log_odds(Written(raw, cache(write)), loss.gammas, np)
    result = result - (positive - negative)
    return result.name


def written_log_weight(write: Write, margin: str, gamma: str) -> str:
    """Write the log posterior of a class, up to a constant of the row.

    The margin is the raw prediction of the class minus the logsumexp of those of the
    others. Subtract the logarithm of alpha.
    """
    write = cache(write)
    result: Written = log_weight(Written(margin, write), Written(gamma, write), np)
    return result.name


#: NumPy's functions that are operators or have other names in C.
_OPERATIONS = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "negative": "-{}",
    "less": "{} < {}",
    "greater": "{} > {}",
    "greater_equal": "{} >= {}",
    "absolute": "fabs({})",
    "minimum": "fmin({}, {})",
    "where": "{} ? {} : {}",
}

_BINARY = """\
#include <math.h>

/* P(y = 1 | x) for a raw prediction of {loss}.
   For a focal score s = expit(raw) call {name}(log(s) - log1p(-s)). */
static double {name}(double raw)
{{
{body}
    double t = exp(-fabs({result}));
    return ({result} >= 0.0 ? 1.0 : t) / (1.0 + t);
}}
"""

_SOFTMAX = """\
#include <math.h>

static double {name}_log_weight(double margin, double gamma)
{{
{body}
    return {result};
}}

/* P(y = k | x), 0 <= k < {loss.n_classes}, for a row of raw predictions of
   {loss}.
   For focal scores (softmax of the row) pass their logarithms. */
static void {name}(const double *raw, double *probability)
{{
    static const double gamma[] = {{{gammas}}};
    static const double alpha[] = {{{alphas}}};
    double largest = -HUGE_VAL, total = 0.0;
    for (int k = 0; k < {loss.n_classes}; ++k) {{
        double top = -HUGE_VAL, others = 0.0;
        for (int j = 0; j < {loss.n_classes}; ++j)
            if (j != k) top = fmax(top, raw[j]);
        for (int j = 0; j < {loss.n_classes}; ++j)
            if (j != k) others += exp(raw[j] - top);
        double margin = raw[k] - top - log(others);
        probability[k] = {name}_log_weight(margin, gamma[k]) - log(alpha[k]);
        largest = fmax(largest, probability[k]);
    }}
    for (int k = 0; k < {loss.n_classes}; ++k)
        total += probability[k] = exp(probability[k] - largest);
    for (int k = 0; k < {loss.n_classes}; ++k)
        probability[k] /= total;
}}
"""


def posterior_source(loss: Any, name: str = "posterior") -> str:
    """Return C code (C99, and C++) of the class-posterior of a raw prediction.

    For a ``FocalLoss`` the code is a function ``double posterior(double raw)``. For a
    ``SoftmaxFocalLoss`` it is a function of one row,
    ``void posterior(const double *raw, double *probability)``. Call it on the raw
    predictions of LightGBM's if-else code, of treelite or of a host's C API, which do
    not know the focal loss. The code has the formula of ``loss.posterior`` in float64,
    and agrees with it to the last bits.

    Parameters
    ----------
    loss : FocalLoss, SoftmaxFocalLoss or estimator
        The loss of the model, or a fitted estimator.
    name : str, default="posterior"
        Name of the function.

    Returns
    -------
    str
        The code.

    Raises
    ------
    ValueError
        If there is no loss, or the name is not an identifier.

    Examples
    --------
    >>> from focalboost import FocalLoss
    >>> from focalboost.export import posterior_source
    >>> print(posterior_source(FocalLoss(gamma=0)).splitlines()[4])
    static double posterior(double raw)
    """
    if not (name.isidentifier() and name.isascii()):
        reject("name", "an identifier of C", name, "Use name='posterior'.")
    loss = getattr(loss, "focal_loss_", loss)
    statements: list[str] = []

    def write(operation: str, *operands: str | float) -> str:
        result = f"v{len(statements)}"
        kind = "int" if operation.startswith(("less", "greater")) else "double"
        value = _OPERATIONS.get(operation, f"{operation}({{}})").format(*operands)
        statements.append(f"    {kind} {result} = {value};")
        return result

    if isinstance(loss, FocalLoss):
        template, result = _BINARY, written_log_odds(loss, write, "raw")
    elif isinstance(loss, SoftmaxFocalLoss):
        template, result = _SOFTMAX, written_log_weight(write, "margin", "gamma")
    else:
        rule = "a FocalLoss, a SoftmaxFocalLoss, or a fitted estimator of focalboost"
        reject("loss", rule, loss, "Call fit first, or pass FocalLoss(gamma=2).")
    gammas, alphas = (str(values)[1:-1] for values in (loss.gammas, loss.alphas))
    parts = {"gammas": gammas, "alphas": alphas, "body": "\n".join(statements)}
    return template.format(loss=loss, name=name, result=result, **parts)
