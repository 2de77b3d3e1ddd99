"""What a random order of the rows scores, and whether a ranking is above it."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["expected_average_precision", "p_value_above_chance"]

#: Random orders drawn; the smallest p-value is one in so many.
N_DRAWS = 2000


def expected_average_precision(n_rows: int, n_positive: int) -> float:
    """The average precision of a random order, on average over all orders.

    (H_n + (n - H_n) (R - 1) / (n - 1)) / n for n rows, R of them positive, with the
    harmonic number H_n (Bestgen, *Exact Expected Average Precision of the Random
    Baseline*, 2015). It is above R / n, the more the fewer positives there are.
    """
    harmonic = float(np.sum(1 / np.arange(1, n_rows + 1)))
    others = (n_rows - harmonic) * (n_positive - 1) / (n_rows - 1)
    return (harmonic + others) / n_rows


def p_value_above_chance(
    average_precision: float, sizes: Sequence[tuple[int, int]], random_state: int = 0
) -> float:
    """How often random orders have at least this mean average precision over folds.

    ``sizes`` has rows and positives of each fold. Under no relation of features and
    labels any order of a fold's test rows is as likely as any other, so the test needs
    no model of how folds differ; with few folds a t-test would hardly ever reject.
    """
    drawn = _means_of_random_orders(tuple(sizes), random_state)
    return float(1 + np.sum(drawn >= average_precision)) / (1 + N_DRAWS)


@lru_cache(maxsize=4)  # the methods of a comparison have the same folds
def _means_of_random_orders(
    sizes: tuple[tuple[int, int], ...], random_state: int
) -> NDArray[np.float64]:
    rng = np.random.default_rng(random_state)
    return np.asarray(np.mean([_drawn(rng, *size) for size in sizes], axis=0))


def _drawn(
    rng: np.random.Generator, n_rows: int, n_positive: int
) -> NDArray[np.float64]:
    """Average precisions of random orders: those of random places of the positives."""
    found = np.arange(1, n_positive + 1)
    values = np.empty(N_DRAWS)
    for draw in range(N_DRAWS):
        places = rng.choice(n_rows, n_positive, replace=False, shuffle=False)
        places.sort()
        values[draw] = (found / (1 + places)).sum()
    return values / n_positive
