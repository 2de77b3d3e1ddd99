"""Which positives the alerts of one model find and those of another miss."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, rankdata

from focalboost.diagnostics._alerts import checked_counts
from focalboost.diagnostics._frames import data_frame
from focalboost.diagnostics._labels import binary_labels, finite_scores

__all__ = ["AlertOverlap", "alert_overlap"]


@dataclass(frozen=True, eq=False)
class AlertOverlap:
    """The positives that two models find with the same number of alerts.

    Attributes
    ----------
    n_alerts : int
        Of each model.
    both, only_first, only_second, neither : ndarray of int
        Positions of the positives, those that are hardest for both first.
    first_rank, second_rank : ndarray of int, shape (n_samples,)
        Place of each row in the order of each model, 1 for the largest score; rows of
        equal score share the last place of theirs.
    p_value : float
        Of no difference in recall, two-sided (McNemar's exact test).
    """

    __module__ = "focalboost.diagnostics"

    n_alerts: int
    both: NDArray[np.intp]
    only_first: NDArray[np.intp]
    only_second: NDArray[np.intp]
    neither: NDArray[np.intp]
    first_rank: NDArray[np.int64]
    second_rank: NDArray[np.int64]
    p_value: float

    def to_pandas(self) -> Any:
        """Return a DataFrame with one line for each positive."""
        groups = {
            "both": self.both,
            "only the first": self.only_first,
            "only the second": self.only_second,
            "neither": self.neither,
        }
        rows = np.concatenate(list(groups.values()))
        sizes = [len(group) for group in groups.values()]
        return data_frame(
            {
                "row": rows,
                "found by": np.repeat(list(groups), sizes),
                "first rank": self.first_rank[rows],
                "second rank": self.second_rank[rows],
            }
        )


def alert_overlap(y_true: Any, first: Any, second: Any, n_alerts: int) -> AlertOverlap:
    """Return which positives one model finds and another misses.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        Labels 0 and 1, or booleans: ``y == "fraud"`` of words.
    first, second : array-like of shape (n_samples,)
        Scores of two models, larger for what is more likely positive.
    n_alerts : int
        The rows that get an alert from each. Rows of equal score that do not all fit
        get none.

    Raises
    ------
    ValueError
        If an argument is out of range.

    References
    ----------
    McNemar, *Note on the Sampling Error of the Difference Between Correlated
    Proportions*, 1947.

    Examples
    --------
    >>> from focalboost.diagnostics import alert_overlap
    >>> y_true = [1, 1, 1, 0, 0, 0]
    >>> overlap = alert_overlap(y_true, [9, 8, 1, 2, 3, 4], [9, 1, 8, 2, 3, 4], 2)
    >>> overlap.only_first, overlap.only_second
    (array([1]), array([2]))
    """
    y = binary_labels(y_true)
    given = {"first": first, "second": second}
    scores = [finite_scores(name, values, len(y)) for name, values in given.items()]
    limit = int(checked_counts(n_alerts, len(y))[0])
    ranks = [rankdata(-values, method="max").astype(np.int64) for values in scores]
    by_first, by_second = (rank <= limit for rank in ranks)
    hardness = np.minimum(*ranks)

    def positives(chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
        rows = np.flatnonzero((y == 1) & chosen)
        return rows[np.argsort(-hardness[rows], kind="stable")]

    only_first = positives(by_first & ~by_second)
    only_second = positives(by_second & ~by_first)
    n_only = len(only_first) + len(only_second)
    p_value = binomtest(len(only_first), n_only).pvalue if n_only else 1.0
    return AlertOverlap(
        limit,
        positives(by_first & by_second),
        only_first,
        only_second,
        positives(~by_first & ~by_second),
        ranks[0],
        ranks[1],
        float(p_value),
    )
