"""Mean ranks on each host with what the probabilities are worth, and the peers."""

from collections.abc import Iterator

import pandas as pd

from quality.intervals import Interval, compare, mean_ranks, over_families
from quality.markdown import WORDS, counts, interval, number, paragraph, table
from quality.outcomes import AP, CHOSEN, HOSTS, LOG_LOSS, PLAIN, Outcomes

#: Divided by the constant's, in the last columns of the ranking.
RELATIVE = ("relative_log_loss", "relative_brier", "relative_corrected_log_loss")
OWN_HOSTS = ("xgboost", "lightgbm")


def ranking(o: Outcomes) -> list[str]:
    """Mean ranks, means and differences to log loss."""
    intro = (
        "Real sets; ranks of the mean average precision (1 is best), and differences "
        "to the tuned log loss of the same host. Log loss and Brier score are divided "
        "by the constant's, as the method gives its probabilities and, in the last "
        "column, without what weights and resampling do to the odds; medians."
    )
    lines = ["## Ranking", "", *paragraph(intro)]
    lines += ["![Mean ranks](results/quality/ranking.svg)", ""]
    for host in OWN_HOSTS:
        lines += _ranking_of(o, host)
    return lines


def ranks(o: Outcomes, host: str) -> tuple[dict[str, Interval], float, float]:
    """Mean ranks of the single methods on real sets."""
    wide = o.wide(host, AP, o.judged).groupby("problem").mean()
    single = [name for name in wide if name not in CHOSEN]
    return mean_ranks(wide[single], o.problems["family"])


def _ranking_of(o: Outcomes, host: str) -> list[str]:
    found, p, distance = ranks(o, host)
    families = o.problems["family"]
    recall = o.wide(host, "recall", o.judged).groupby("problem").mean()
    relative = [o.wide(host, m, o.judged).groupby("problem").mean() for m in RELATIVE]
    rows = []
    for method in sorted(found, key=lambda name: found[name].value):
        one = o.compare(host, method, LOG_LOSS, o.judged)
        away = (
            ["", ""] if method == LOG_LOSS else [interval(one.difference), counts(one)]
        )
        rows.append(
            [
                *(method, interval(found[method], 1, "")),
                *(number(o.mean(host, method, o.judged).value), *away),
                number(over_families(recall[method], families).value),
                *(number(values[method].median(), 2) for values in relative),
            ]
        )
    header = ["", "mean rank", "average precision", "minus log loss", "w / t / l"]
    header += ["recall at 0.1 %", "log loss", "Brier", "corrected log loss"]
    title = (
        f"**{HOSTS[host]}** (Friedman p = {p:.1g}; two mean ranks differ by Nemenyi's "
        f"test where they are {distance:.1f} apart):"
    )
    return [*paragraph(title), *table(header, rows)]


def in_short(o: Outcomes) -> list[str]:
    """The peers in a sentence."""
    parts = []
    for host, name, pair in _pairs(o):
        one = compare(pair, name, PLAIN, o.problems).difference
        loss = number(_loss(o, host, name), 2)
        title = name if name.startswith(HOSTS[host]) else f"{name}, on {HOSTS[host]}"
        word = WORDS[one.verdict]
        parts.append(f"{title}: {word} it ({interval(one)}), log loss {loss}")
    title = f"Others, with their relative log loss, against {PLAIN} of this package"
    return [f"{title}: {'; '.join(parts)}."] if parts else []


def peers(o: Outcomes) -> list[str]:
    """Other packages' focal losses at γ = 2, and CatBoost."""
    intro = (
        f"Average precision of other packages' focal losses minus that of {PLAIN} of "
        "this package on the same host (for CatBoost: the mean of both), real sets. "
        "They get the same grid, holdout and early stopping, and our metric to stop "
        "on. The median log loss is relative to the constant's: their scores are taken "
        "for probabilities, as they do. Not ok: fits that failed or are constant; "
        "lost: less than a tenth of the best method's average precision."
    )
    header = ["", "", "minus ours", "w / t / l", "log loss", "not ok", "lost"]
    rows = [_peer(o, *one) for one in _pairs(o)]
    return ["## Peers", "", *paragraph(intro), *table(header, rows)]


def _pairs(o: Outcomes) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """The host and the name of each peer, and its values beside ours."""
    for host in HOSTS:
        wide = o.wide(host, AP, o.judged)
        # CatBoost is set beside the mean of both hosts, on the same splits.
        ours = o.wide(host if host in OWN_HOSTS else "both", AP, o.judged)[PLAIN]
        for name in (name for name in wide if _is_peer(name)):
            yield host, name, pd.DataFrame({name: wide[name], PLAIN: ours})


def _loss(o: Outcomes, host: str, name: str) -> float:
    wide = o.wide(host, "relative_log_loss", o.judged)
    return float(wide[name].groupby("problem").mean().median())


def _peer(o: Outcomes, host: str, name: str, pair: pd.DataFrame) -> list[str]:
    one = compare(pair, name, PLAIN, o.problems)
    fits = o.fits[o.fits["host"].eq(host) & o.fits["method"].eq(name)]
    fits = fits[fits["problem"].isin(o.judged)]
    return [
        *(HOSTS[host], name, interval(one.difference), counts(one)),
        *(number(_loss(o, host, name), 2), str(fits["status"].ne("ok").sum())),
        str(fits["lost"].sum()),
    ]


def _is_peer(name: str) -> bool:
    return name.startswith(("bokbokbok", "imlightgbm", "gbdtCBL", "CatBoost"))
