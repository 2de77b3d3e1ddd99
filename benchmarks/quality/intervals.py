"""How sure a difference is: over the seeds of a problem, and over families."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

LEVEL = 0.95
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

    def text(self, digits: int = 3, signed: bool = True) -> str:
        """As in tables: value [low, high]."""
        sign = "+" if signed else ""
        values = [
            f"{v:{sign}.{digits}f}" for v in (self.value, self.low, self.high)
        ]
        value, low, high = (v.replace("-", "−") for v in values)
        return f"{value} [{low}, {high}]"


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


def over_families(by_problem: pd.Series, families: pd.Series) -> Interval:
    """Mean over families of the mean over their problems; bootstrap over families."""
    means = by_problem.groupby(families.loc[by_problem.index].to_numpy()).mean()
    values = means.to_numpy(float)
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


def over_seeds(differences: Any, test_per_train: float) -> Interval:
    """Student's interval with the variance of overlapping splits.

    Training parts of different seeds share rows; the variance of a mean of n splits is
    (1/n + test rows / training rows) times that of one (Nadeau & Bengio 2003).
    """
    differences = np.asarray(differences, float)
    n, mean = len(differences), float(np.mean(differences))
    if n < 2:
        return Interval(mean, -np.inf, np.inf)
    error = np.std(differences, ddof=1) * np.sqrt(1 / n + test_per_train)
    reach = float(stats.t.ppf((1 + LEVEL) / 2, n - 1) * error)
    return Interval(mean, mean - reach, mean + reach)


def compare(
    wide: pd.DataFrame, method: str, reference: str, problems: pd.DataFrame
) -> Comparison:
    """Compare two columns of a table by problem and seed."""
    differences = wide[method] - wide[reference]
    by_problem = differences.groupby("problem").mean()
    verdicts = [v.verdict for v in _by_problem(differences, problems)]
    return Comparison(
        over_families(by_problem, problems["family"]),
        verdicts.count("above"),
        verdicts.count("level"),
        verdicts.count("below"),
        int((by_problem > 0).sum()),
        int((by_problem < 0).sum()),
    )


def _by_problem(differences: pd.Series, problems: pd.DataFrame) -> list[Interval]:
    return list(intervals_by_problem(differences, problems).values())


def intervals_by_problem(
    differences: pd.Series, problems: pd.DataFrame
) -> dict[str, Interval]:
    """The interval over seeds of each problem."""
    share = problems["n_test"] / problems["n_train"]
    # Thinned test parts are larger than what they overlap in; 3 : 7 is the split.
    return {
        str(name): over_seeds(group, min(share[name], 3 / 7))
        for name, group in differences.groupby("problem")
    }


def mean_ranks(
    by_problem: pd.DataFrame, families: pd.Series
) -> tuple[dict[str, Interval], float, float]:
    """Mean ranks (1 is best), Friedman's p, and Nemenyi's critical difference.

    Ranks are taken in each family's mean, so that a family counts once.
    """
    means = by_problem.groupby(families.loc[by_problem.index].to_numpy()).mean()
    ranks = means.rank(axis=1, ascending=False)
    n, k = ranks.shape
    of_each = pd.Series(ranks.index, index=ranks.index)
    found = {name: over_families(ranks[name], of_each) for name in ranks}
    p = float(stats.friedmanchisquare(*(means[name] for name in means)).pvalue)
    quantile = stats.studentized_range.ppf(LEVEL, k, np.inf) / np.sqrt(2)
    return found, p, float(quantile * np.sqrt(k * (k + 1) / (6 * n)))
