"""What a method hands back, whoever trained it."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Fit:
    """What a method gives for the test rows.

    Attributes
    ----------
    score : ndarray of shape (n_samples,)
        What ranks the rows: a log odds.
    posterior, corrected : ndarray of shape (n_samples,)
        The probabilities as the method gives them, and without what its weights or
        resampling do to the odds.
    n_rounds : int
        The rounds that early stopping kept.
    point : int
        The grid point that was chosen, from 0.
    average_precision, log_loss : float
        On the inner validation rows, the log loss of the corrected probabilities.
    """

    score: Any
    posterior: Any
    corrected: Any
    n_rounds: int
    point: int
    average_precision: float
    log_loss: float

    @property
    def is_finite(self) -> bool:
        """Whether every score and probability is a number."""
        return bool(np.isfinite([self.score, self.posterior, self.corrected]).all())
