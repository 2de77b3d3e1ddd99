"""The section on gradient drowning, from budget.csv."""

from pathlib import Path

import pandas as pd

from quality.budget import FROM_ZERO, LOG_LOSS, ROUNDS, WEIGHTED
from quality.markdown import paragraph, table
from quality.outcomes import HOSTS

FOCAL = "focal, γ = 2"
ALL = (FROM_ZERO, LOG_LOSS, WEIGHTED, FOCAL)
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
        *paragraph(
            "Shares of the sum of |gradient| on the training rows of card fraud "
            f"({budget['problem'].iloc[0]}), in %; regularised trees, learning rate "
            "0.1. Easy: the posterior gives the true class at least 0.99, hard: less "
            "than 0.5 (with weights it is the posterior of the weighted rows). "
            "Effective negatives: (Σ|g|)² / Σg², so many rows of equal gradient."
        ),
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

    def share(method: str, n: int, column: str = "gradient") -> str:
        """Of the negatives, in %, over the hosts."""
        values = [_percent(by.loc[host, method, n, 0][column]) for host in _hosts(by)]
        return "–".join(dict.fromkeys(sorted(values, key=float)))

    def effective(method: str, n: int) -> str:
        values = [by.loc[host, method, n, 0]["effective_rows"] for host in _hosts(by)]
        return "–".join(dict.fromkeys(f"{value:.0f}" for value in sorted(values)))

    holds = "Partly: even when" if _drowns(by) else "No, once"
    later = {
        method: f"{share(method, 10)} and {share(method, 100)} %" for method in ALL
    }
    easy = [share(method, 100, "easy") for method in (LOG_LOSS, FOCAL)]
    return paragraph(
        f"{holds} training starts where the loss is smallest. From raw predictions of "
        f"0 the {_rows_of(by, 0)} negatives carry {share(FROM_ZERO, 0)} % of log "
        f"loss's |gradient|, beside {_rows_of(by, 1)} positives: that is the drowning "
        "picture, and it is the start's doing. From the best constant they carry "
        f"{share(LOG_LOSS, 0)} %, with weights of the ratio {share(WEIGHTED, 0)} % and "
        f"with focal loss of γ = 2 {share(FOCAL, 0)} %, as at any constant where the "
        "gradient sums to zero. After 10 and 100 rounds their share is "
        f"{later[LOG_LOSS]} with log loss, {later[WEIGHTED]} with weights and "
        f"{later[FOCAL]} with focal loss; log loss from 0 is at {later[FROM_ZERO]}. "
        f"{'γ takes' if _spares(by) else 'Nor does γ take'} "
        "the gradient from the easy rows: negatives with a posterior of at least 0.99 "
        f"carry {easy[0]} % of all gradient after 100 rounds of log loss, and "
        f"{easy[1]} % with focal loss, and the effective number of negatives is "
        f"{effective(LOG_LOSS, 0)} at the start and after 100 rounds "
        f"{effective(LOG_LOSS, 100)} with log loss by itself, {effective(FOCAL, 100)} "
        f"with focal loss and {effective(WEIGHTED, 100)} with weights."
    )


def _spares(by: pd.DataFrame) -> bool:
    """Whether focal loss leaves easy negatives less gradient than log loss, late."""
    n = max(ROUNDS)
    return all(
        by.loc[host, FOCAL, n, 0]["easy"] < by.loc[host, LOG_LOSS, n, 0]["easy"]
        for host in _hosts(by)
    )


def _rows_of(by: pd.DataFrame, label: int) -> int:
    line = by.loc[_hosts(by)[0], LOG_LOSS, 0, label]
    return int(sum(line[name] for name in by.columns if name.startswith("rows ")))


def _hosts(by: pd.DataFrame) -> list[str]:
    return list(by.index.get_level_values("host").unique())


def _drowns(by: pd.DataFrame) -> bool:
    """Whether log loss's negatives carry two thirds or more after the right start."""
    shares = [
        by.loc[host, LOG_LOSS, n, 0]["gradient"] for host in _hosts(by) for n in ROUNDS
    ]
    return max(shares) > 2 / 3
