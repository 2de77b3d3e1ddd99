"""The table of fits, read for the report: whole seeds, methods as columns."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from quality.intervals import Comparison, Interval, compare, over_families
from quality.problems import BY_NAME
from quality.results import KEY

AP = "average_precision"
HOSTS = {"xgboost": "XGBoost", "lightgbm": "LightGBM", "catboost": "CatBoost"}
#: Average precision below that share of the best method's is a ranking that is lost.
LOST = 0.1

LOG_LOSS, CERTIFIED = "log loss", "log loss, certified"
DEFAULTS, REGULARISED = "log loss, host's defaults", "log loss, regularised"
ROOT_RATIO, RATIO, FIVE = "weights: √ratio", "weights: ratio", "weights: 5 × ratio"
RESAMPLED = ("SMOTE", "undersampling")
FOCAL = ("focal, γ = 0.5", "focal, γ = 1", "focal, γ = 2", "focal, γ = 5")
#: The papers' default, and what stands for focal loss where nothing is chosen.
PLAIN = FOCAL[2]
WITH_ALPHA = "focal, γ = 2, α = 0.25"
ASYMMETRIC = (
    *("focal, γ = (0, 1)", "focal, γ = (0, 2)", "focal, γ = (0, 4)"),
    "focal, γ = (1, 4)",
)
GAMMA_CHOSEN, WEIGHT_CHOSEN = "focal, γ chosen", "log loss, weight chosen"
#: Chosen anew in every fit by the inner validation part, from four methods each.
CHOSEN = {
    GAMMA_CHOSEN: FOCAL,
    WEIGHT_CHOSEN: (LOG_LOSS, CERTIFIED, ROOT_RATIO, RATIO),
}


@dataclass(frozen=True, eq=False)
class Outcomes:
    """What a run has measured.

    Attributes
    ----------
    fits : DataFrame
        One row for each fit of the seeds that are whole, and for each choice among
        fits; failures have the scores of the constant, and say so in ``status``.
    sets : DataFrame
        Sizes of the parts, by problem and seed.
    made_by : dict
        Settings, versions, machine and wall time.
    """

    fits: pd.DataFrame
    sets: pd.DataFrame
    made_by: dict[str, Any]

    @cached_property
    def problems(self) -> pd.DataFrame:
        """Kind, family, imbalance and sizes of each problem, in order of imbalance."""
        sizes = self.sets.groupby("problem", sort=False).mean(numeric_only=True)
        known = [BY_NAME[name] for name in sizes.index]
        table = sizes.assign(
            kind=[problem.kind for problem in known],
            family=[problem.family for problem in known],
            noise=[problem.noise for problem in known],
        )
        n_positive = sizes["n_train_positive"]
        table["imbalance"] = (sizes["n_train"] - n_positive) / n_positive
        return table.sort_values("imbalance")

    def names(self, *kinds: str) -> list[str]:
        """The problems of these kinds."""
        return list(self.problems.index[self.problems["kind"].isin(kinds)])

    @property
    def judged(self) -> list[str]:
        """The real sets, or all problems of a run without any."""
        return self.names("real") or list(self.problems.index)

    def wide(self, host: str, metric: str, problems: list[str]) -> pd.DataFrame:
        """A metric by problem and seed, methods as columns.

        ``host`` may be "both", the mean of both hosts for the methods that both have.
        """
        if host == "both":
            found = [
                self.wide(one, metric, problems) for one in ("xgboost", "lightgbm")
            ]
            shared = found[0].columns.intersection(found[1].columns)
            return (found[0][shared] + found[1][shared]) / 2
        chosen = self.fits["host"].eq(host) & self.fits["problem"].isin(problems)
        return self.fits[chosen].pivot(
            index=["problem", "seed"], columns="method", values=metric
        )

    def mean(
        self, host: str, method: str, problems: list[str], metric: str = AP
    ) -> Interval:
        """The mean of a metric over families."""
        by_problem = self.wide(host, metric, problems)[method].groupby("problem").mean()
        return over_families(by_problem, self.problems["family"])

    def compare(
        self, host: str, method: str, reference: str, problems: list[str]
    ) -> Comparison:
        """Average precision of a method against that of another."""
        wide = self.wide(host, AP, problems)
        return compare(wide, method, reference, self.problems)


def read(folder: Path) -> Outcomes:
    """Read the files of a run."""
    fits = pd.read_csv(folder / "fits.csv").drop_duplicates(KEY, keep="last")
    sets = pd.read_csv(folder / "sets.csv").drop_duplicates(KEY[:2], keep="last")
    fits, sets = (_of_whole_seeds(table, fits) for table in (fits, sets))
    fits = _with_the_constant(fits[fits["status"] != "not installed"], sets)
    fits = pd.concat([fits, *(_chosen(fits, *choice) for choice in CHOSEN.items())])
    return Outcomes(fits, sets, json.loads((folder / "run.json").read_text()))


def _of_whole_seeds(table: pd.DataFrame, fits: pd.DataFrame) -> pd.DataFrame:
    size = fits.groupby("seed").size()
    return table[table["seed"].isin(size.index[size == size.max()])]


def _with_the_constant(fits: pd.DataFrame, sets: pd.DataFrame) -> pd.DataFrame:
    """Every fit beside the constant; where a fit failed, the constant's scores."""
    share = sets["n_train_positive"] / sets["n_train"]
    prevalence = sets["n_test_positive"] / sets["n_test"]
    constant = sets[["problem", "seed"]].assign(
        prevalence=prevalence,
        constant_log_loss=-prevalence * np.log(share)
        - (1 - prevalence) * np.log1p(-share),
        constant_brier=prevalence * (1 - share) ** 2 + (1 - prevalence) * share**2,
    )
    fits = fits.merge(constant, on=["problem", "seed"])
    for metric, reference in {
        "average_precision": fits["prevalence"],
        "recall": 0.0,
        "log_loss": fits["constant_log_loss"],
        "corrected_log_loss": fits["constant_log_loss"],
        "brier": fits["constant_brier"],
        "corrected_brier": fits["constant_brier"],
    }.items():
        fits[metric] = fits[metric].fillna(reference)
    fits["relative_log_loss"] = fits["log_loss"] / fits["constant_log_loss"]
    fits["relative_corrected_log_loss"] = (
        fits["corrected_log_loss"] / fits["constant_log_loss"]
    )
    fits["relative_brier"] = fits["brier"] / fits["constant_brier"]
    best = fits.groupby(["problem", "seed"])["average_precision"].transform("max")
    fits["lost"] = fits["average_precision"] < LOST * best
    return fits


def _chosen(fits: pd.DataFrame, name: str, methods: tuple[str, ...]) -> pd.DataFrame:
    """The fit that is best on the inner validation part; of equal ones the first."""
    among = fits[fits["method"].isin(methods)]
    order = among["method"].map(methods.index)
    among = among.assign(order=order).sort_values(
        ["validation_average_precision", "order"], ascending=[False, True]
    )
    best = among.drop_duplicates(["problem", "seed", "host"]).drop(columns="order")
    return best.assign(method=name)
