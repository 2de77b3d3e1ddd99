"""The programs of a loss, of which ONNX graphs and C code are made."""

from typing import Any

import numpy as np

from focalboost.export._trace import Program, trace
from focalboost.losses import FocalLoss
from focalboost.losses._link import log_odds
from focalboost.losses._softmax_link import log_weight

__all__ = ["log_odds_program", "log_weight_program"]


def log_odds_program(loss: FocalLoss) -> Program:
    """The program of the posterior's log-odds, of a raw prediction "raw"."""
    positive, negative = np.log(loss.alphas)

    def formula(raw: Any, xp: Any) -> Any:
        return log_odds(raw, loss.gammas, xp) - (positive - negative)

    return trace(formula, "raw")


def log_weight_program() -> Program:
    """The program of a class's log posterior, up to a constant that all share.

    It is a function of "margin", a class's raw prediction minus the logsumexp of the
    others', and "gamma"; the logarithm of the class's alpha has to be subtracted.
    """

    def formula(margin: Any, gamma: Any, xp: Any) -> Any:
        return log_weight(margin, gamma, xp)

    return trace(formula, "margin", "gamma")
