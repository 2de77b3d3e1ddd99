"""The section on gradient drowning, from budget.csv."""

from pathlib import Path

import pandas as pd

from quality.budget import CARD_FRAUD, FROM_ZERO, LOG_LOSS, ROUNDS, WEIGHTED
from quality.markdown import number, table
from quality.outcomes import HOSTS

FOCAL = "focal, γ = 2"
#: Rows that the posterior gives their true class at least so much are easy.
EASY = ("p_t 0.99–0.999", "p_t 0.999–1")
HARD = ("p_t 0–0.1", "p_t 0.1–0.5")


def drowning(folder: Path) -> list[str]:
    """Whether negatives drown positives: the paragraph, and the table."""
    path = folder / "budget.csv"
    if not path.exists():
        return []
    budget = pd.read_csv(path)
    budget = budget.assign(
        easy=budget[list(EASY)].sum(axis=1), hard=budget[list(HARD)].sum(axis=1)
    )
    by = budget.set_index(["host", "method", "rounds", "class"])
    return [
        "## Do easy negatives drown hard positives?",
        "",
        *_paragraph(by),
        "",
        "Shares of the sum of |gradient| on the training rows of card fraud "
        f"({budget['problem'].iloc[0]}), in %;",
        "easy: the posterior gives the true class at least 0.99, hard: less than 0.5.",
        "Effective negatives: (Σ|g|)² / Σg², so many rows of equal gradient.",
        "",
        *table(_header(), _rows(by)),
    ]


def _header() -> list[str]:
    return [
        *("", "", "rounds", "negatives", "easy negatives", "hard negatives"),
        *("positives", "hard positives", "effective negatives", "negatives' curvature"),
    ]


def _rows(by: pd.DataFrame) -> list[list[str]]:
    rows = []
    for host, title in HOSTS.items():
        if host not in by.index.get_level_values("host"):
            continue
        for method in by.loc[host].index.get_level_values("method").unique():
            for n in ROUNDS:
                negative, positive = (
                    by.loc[host, method, n, label] for label in (0, 1)
                )
                shares = [
                    *(negative["gradient"], negative["easy"], negative["hard"]),
                    *(positive["gradient"], positive["hard"]),
                ]
                cells = [title, method, str(n), *(_percent(s) for s in shares)]
                cells.append(f"{negative['effective_rows']:.0f}")
                rows.append([*cells, _percent(negative["curvature"])])
    return rows


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _paragraph(by: pd.DataFrame) -> list[str]:
    """In words: what the start does, and what γ does."""

    def range_of(method: str, n: int, label: int, column: str) -> str:
        values = [by.loc[host, method, n, label][column] for host in _hosts(by)]
        low, high = min(values), max(values)
        return _percent(low) + ("" if high - low < 5e-4 else f" to {_percent(high)}")

    def effective(method: str, n: int) -> str:
        values = [by.loc[host, method, n, 0]["effective_rows"] for host in _hosts(by)]
        return " and ".join(f"{value:.0f}" for value in sorted(values))

    def rows_of(n: int, label: int) -> int:
        host = _hosts(by)[0]
        line = by.loc[host, LOG_LOSS, n, label]
        return int(sum(line[name] for name in by.columns if name.startswith("rows ")))

    from_zero, from_start = (
        range_of(method, 0, 0, "gradient") for method in (FROM_ZERO, LOG_LOSS)
    )
    later = {
        method: [range_of(method, n, 0, "gradient") for n in ROUNDS[1:]]
        for method in (FROM_ZERO, LOG_LOSS, WEIGHTED, FOCAL)
    }
    focal_start = range_of(FOCAL, 0, 0, "gradient")
    weighted_start = range_of(WEIGHTED, 0, 0, "gradient")
    holds = "Partly: even when" if _drowns(by) else "No, once"
    return [
        f"{holds} training starts where the loss is smallest. From raw predictions of 0",
        f"the {rows_of(0, 0)} negatives carry {from_zero} % of log loss's |gradient|, "
        f"beside {rows_of(0, 1)} positives: that is the drowning picture, and it is the "
        f"start's doing. From the best constant they carry {from_start} %, with the",
        f"weights of the ratio {weighted_start} % and with focal loss of γ = 2 "
        f"{focal_start} %, as at any constant where the gradient sums to zero.",
        f"After 10 and 100 rounds their share is {later[LOG_LOSS][0]} and "
        f"{later[LOG_LOSS][1]} % with log loss, {later[WEIGHTED][0]} and "
        f"{later[WEIGHTED][1]} % with weights, {later[FOCAL][0]} and {later[FOCAL][1]} %",
        f"with focal loss; from 0 it is {later[FROM_ZERO][0]} and "
        f"{later[FROM_ZERO][1]} %. What γ changes is which negatives these are: after",
        f"100 rounds easy ones carry {range_of(LOG_LOSS, 100, 0, 'easy')} % of all "
        f"gradient with log loss and {range_of(FOCAL, 100, 0, 'easy')} % with focal",
        f"loss (at the start {range_of(LOG_LOSS, 0, 0, 'easy')} and "
        f"{range_of(FOCAL, 0, 0, 'easy')} %), and the effective number of negatives",
        f"falls from {effective(LOG_LOSS, 0)} to {effective(LOG_LOSS, 100)} with log "
        f"loss by itself, to {effective(FOCAL, 100)} with focal loss and to",
        f"{effective(WEIGHTED, 100)} with weights.",
    ]


def _hosts(by: pd.DataFrame) -> list[str]:
    return list(by.index.get_level_values("host").unique())


def _drowns(by: pd.DataFrame) -> bool:
    """Whether log loss's negatives carry two thirds or more after the right start."""
    shares = [
        by.loc[host, LOG_LOSS, n, 0]["gradient"] for host in _hosts(by) for n in ROUNDS
    ]
    return max(shares) > 2 / 3


__all__ = ["CARD_FRAUD", "drowning", "number"]
