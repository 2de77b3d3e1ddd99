"""The posterior as C code, to apply to the raw predictions of an exported model."""

from textwrap import dedent, indent
from typing import Any

from focalboost._validation import reject
from focalboost.export._c_names import is_taken
from focalboost.export._formulas import log_odds_program, log_weight_program
from focalboost.export._trace import Operand, Program
from focalboost.losses import FocalLoss, SoftmaxFocalLoss

__all__ = ["posterior_source"]

_OPERATIONS = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "negative": "-{}",
    "less": "{} < {}",
    "greater": "{} > {}",
    "greater_equal": "{} >= {}",
    "abs": "fabs({})",
    "exp": "exp({})",
    "log1p": "log1p({})",
    "sinh": "sinh({})",
    "minimum": "fmin({}, {})",
    "where": "{} ? {} : {}",
}

_BINARY = """\
#include <math.h>

/* P(y = 1 | x) of a raw prediction of {loss}.
   Of a focal score s = expit(raw) it is {name}(log(s) - log1p(-s)). */
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

/* P(y = k | x), k = 0 to {last}, of a row of raw predictions of
   {loss}.
   Of focal scores (softmax of the row) it is that of their logarithms. */
static void {name}(const double *raw, double *probability)
{{
    static const double gamma[] = {{{gammas}}};
    static const double alpha[] = {{{alphas}}};
    double largest = -HUGE_VAL, total = 0.0;
    for (int k = 0; k < {n_classes}; ++k) {{
        double top = -HUGE_VAL, others = 0.0;
        for (int j = 0; j < {n_classes}; ++j)
            if (j != k) top = fmax(top, raw[j]);
        for (int j = 0; j < {n_classes}; ++j)
            if (j != k) others += exp(raw[j] - top);
        double margin = raw[k] - top - log(others);
        probability[k] = {name}_log_weight(margin, gamma[k]) - log(alpha[k]);
        largest = fmax(largest, probability[k]);
    }}
    for (int k = 0; k < {n_classes}; ++k)
        total += probability[k] = exp(probability[k] - largest);
    for (int k = 0; k < {n_classes}; ++k)
        probability[k] /= total;
}}
"""


def posterior_source(loss: Any, name: str = "posterior") -> str:
    """Return C code (C99, and C++) of the class-posterior of a raw prediction.

    For a ``FocalLoss`` it is ``double posterior(double raw)``, for a
    ``SoftmaxFocalLoss`` ``void posterior(const double *raw, double *probability)`` of a
    row. Apply it to what a C service gets from LightGBM's if-else code, treelite or a
    host's C API, which know nothing of the focal loss. It is the formula of
    ``loss.posterior`` in float64, and agrees with it to the last bits.

    Parameters
    ----------
    loss : FocalLoss, SoftmaxFocalLoss or estimator
        The loss of the model, or a fitted estimator, which has it as ``focal_loss_``.
    name : str, default="posterior"
        The name of the function.

    Raises
    ------
    ValueError
        If there is no loss, or the name is no identifier, or one that C, C++ or math.h
        has taken.

    Examples
    --------
    >>> from focalboost import FocalLoss
    >>> from focalboost.export import posterior_source
    >>> print(posterior_source(FocalLoss(gamma=0)).splitlines()[4])
    static double posterior(double raw)
    """
    if not name.isidentifier() or not name.isascii() or is_taken(name):
        rule = "an identifier of C that C, C++ and math.h leave free"
        reject("name", rule, name, "Use name='posterior'.")
    loss = getattr(loss, "focal_loss_", loss)
    if isinstance(loss, FocalLoss):
        return _filled(_BINARY, log_odds_program(loss), name=name, loss=loss)
    if not isinstance(loss, SoftmaxFocalLoss):
        reject(
            "loss",
            "a FocalLoss, a SoftmaxFocalLoss, or a fitted estimator of focalboost",
            loss,
            "Call fit first, or use focal_loss_.",
        )
    n_classes = loss.n_classes
    return _filled(
        _SOFTMAX,
        log_weight_program(),
        name=name,
        loss=loss,
        n_classes=n_classes,
        last=n_classes - 1,
        gammas=", ".join(map(repr, loss.gammas)),
        alphas=", ".join(map(repr, loss.alpha or (1.0,) * n_classes)),
    )


def _filled(template: str, program: Program, **parts: object) -> str:
    """The template with the program's statements."""
    lines = [
        f"{'int' if 'greater' in name or name == 'less' else 'double'} {result} = "
        f"{_OPERATIONS[name].format(*map(_word, operands))};"
        for result, name, operands in program.operations
    ]
    body = indent("\n".join(lines), "    ")
    return dedent(template).format(body=body, result=program.result, **parts)


def _word(operand: Operand) -> str:
    """A name, or a number with all its digits."""
    return operand if isinstance(operand, str) else repr(operand)
