"""The losses whose compiled formulas are tested, and what the formulas give instead."""

import numpy as np
import pytest
from checks import LOSSES

from focalboost import FocalLoss, SoftmaxFocalLoss
from focalboost.losses import _evaluate, is_compiled

__all__ = ["EVERY_LOSS", "SOFTMAX_LOSSES", "by_formulas", "each_raw_dtype", "needed"]

needed = pytest.mark.skipif(
    not is_compiled(), reason="no compiler was found at installation"
)

SOFTMAX_LOSSES = [
    SoftmaxFocalLoss(3),
    SoftmaxFocalLoss(5, 0),
    SoftmaxFocalLoss(2, (0.5, 3), (0.25, 0.75)),
    SoftmaxFocalLoss(4, (0, 1, 2.3, 5), (1, 2, 3, 4)),
    SoftmaxFocalLoss(20, 1.37),
    SoftmaxFocalLoss(3, (3, 0.5, 1), (2, 0.7, 1)),
]
#: Products of q and its square root; what lies behind them; and one of each.
POWERS = [
    *(FocalLoss(gamma) for gamma in (2.5, 3.5)),
    *(FocalLoss(gamma, 0.3) for gamma in (4, 4.5, (2.3, 1), (1, 2.3))),
]
EVERY_LOSS = [*LOSSES, *POWERS, *SOFTMAX_LOSSES]

each_raw_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def by_formulas(method, y, raw, *weight, **options):
    """The same from the formulas, in float64."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_evaluate, "_kernel", None)
        return method(y, raw.astype(np.float64), *weight, **options)
