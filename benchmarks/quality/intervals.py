"""How sure a difference is: over the seeds of a problem, and over families."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from focalboost.comparison._result import LEVEL, paired_difference
from quality.splits import TEST_SHARE

RESAMPLES = 4000


@dataclass(frozen=True)
class Interval:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """How the interval lies to 0."""
        return "above" if self.low > 0 else "below" if self.high < 0 else "level"


@dataclass(frozen=True)
class Comparison:
    """A method against another.

    Attributes
    ----------
    difference : Interval
        Mean over families.
    won, tied, lost : int
        Problems whose own interval over seeds lies above 0, holds it, or lies below.
    ahead, behind : int
        Problems whose mean is above 0, or below.
    """

    difference: Interval
    won: int
    tied: int
    lost: int
    ahead: int
    behind: int


def over_families(means: pd.Series, families: pd.Series) -> Interval:
    """Mean over families of the mean over their problems; bootstrap over families."""
    values = _of_families(means, families).to_numpy(float)
    if len(values) < 2:
        return Interval(float(values.mean()), -np.inf, np.inf)
    resampled = stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=LEVEL,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    low, high = resampled.confidence_interval
    return Interval(float(values.mean()), float(low), float(high))


def compare(
    wide: pd.DataFrame, method: str, reference: str, problems: pd.DataFrame
) -> Comparison:
    """Compare two columns of a table by problem and seed."""
    differences = wide[method] - wide[reference]
    means = differences.groupby("problem").mean()
    verdicts = [one.verdict for one in by_problem(differences, problems).values()]
    return Comparison(
        over_families(means, problems["family"]),
        verdicts.count("above"),
        verdicts.count("level"),
        verdicts.count("below"),
        int((means > 0).sum()),
        int((means < 0).sum()),
    )


def by_problem(differences: pd.Series, problems: pd.DataFrame) -> dict[str, Interval]:
    """The mean over seeds of each problem, with Nadeau and Bengio's interval."""
    found = {}
    for name, group in differences.groupby("problem"):
        sizes = problems.loc[name]
        # Thinned test parts are more rows than the split's share of training rows.
        share = min(sizes["n_test"] / sizes["n_train"], TEST_SHARE / (1 - TEST_SHARE))
        # Every seed of the stream is a stream of its own, and no rows are shared.
        share = 0.0 if sizes["kind"] == "simulated" else share
        values = group.to_numpy(float)
        paired = paired_difference(values, np.zeros_like(values), share)
        found[str(name)] = Interval(float(values.mean()), paired.low, paired.high)
    return found


def _of_families(means: Any, families: pd.Series) -> Any:
    """The mean over the problems of each family."""
    return means.groupby(families.loc[means.index].to_numpy()).mean()


def mean_ranks(
    means: pd.DataFrame, families: pd.Series
) -> tuple[dict[str, Interval], float, float]:
    """Mean ranks (1 is best), Friedman's p, and Nemenyi's critical difference.

    Ranks are taken in each family's mean, so that a family counts once.
    """
    means = _of_families(means, families)
    ranks = means.rank(axis=1, ascending=False)
    n, k = ranks.shape
    of_each = pd.Series(ranks.index, index=ranks.index)
    found = {name: over_families(ranks[name], of_each) for name in ranks}
    p = float(stats.friedmanchisquare(*(means[name] for name in means)).pvalue)
    quantile = stats.studentized_range.ppf(LEVEL, k, np.inf) / np.sqrt(2)
    return found, p, float(quantile * np.sqrt(k * (k + 1) / (6 * n)))
