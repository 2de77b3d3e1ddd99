"""The sections of the report: each gives lines of markdown from what was measured."""

from itertools import pairwise

import pandas as pd

from quality.intervals import by_problem, compare, mean_ranks, over_families
from quality.markdown import counts, interval, listed, number, sentence, table
from quality.outcomes import (
    ASYMMETRIC,
    FOCAL,
    HOSTS,
    LOG_LOSSES,
    RESAMPLED,
    WEIGHTS,
    Outcomes,
)

AP = "average_precision"
LOG_LOSS, CERTIFIED = LOG_LOSSES
PLAIN, CHOSEN = "focal, γ = 2", "focal, γ chosen"
BASELINES = (
    *(LOG_LOSS, "log loss, host's defaults", "log loss, regularised", CERTIFIED),
    *WEIGHTS,
    *RESAMPLED,
    "log loss, weight chosen",
)
#: Negatives per positive, and how the bins are called.
IMBALANCES = (0, 30, 100, 300, float("inf"))


def where(
    o: Outcomes, host: str, problems: list[str], metric: str = AP
) -> pd.DataFrame:
    """A metric on one host, or on both, averaged."""
    if host == "both":
        return o.both(metric, problems)
    return o.wide(host, metric, problems)


def host_names() -> dict[str, str]:
    return {"both": "both hosts", "xgboost": "XGBoost", "lightgbm": "LightGBM"}


def summary(o: Outcomes) -> list[str]:
    real = o.judged
    both = o.both(AP, real)
    lines = ["## In short", ""]
    one_point, equal = (LOG_LOSS, CERTIFIED, *WEIGHTS[:2], "SMOTE"), BASELINES[-1:]
    pairs = [("Focal loss with γ = 2", PLAIN, reference) for reference in one_point]
    title = "Focal loss with γ chosen on validation"
    pairs += [(title, CHOSEN, reference) for reference in (LOG_LOSS, *equal)]
    for title, method, reference in pairs:
        one = compare(both, method, reference, o.problems)
        lines.append(f"* {sentence(title, reference, one)}")
    return [*lines, ""]


def against(o: Outcomes) -> list[str]:
    """Focal loss against each baseline, by host."""
    real = o.judged
    lines = [
        "## Against what, and on which host",
        "",
        "Differences in average precision on real sets, with 95 % intervals, and won /",
        "tied / lost problems (and signs of the means). A problem is won or lost",
        "where its own interval over seeds leaves 0 out.",
        "",
    ]
    for method in (PLAIN, CHOSEN):
        lines += [f"**{method}** minus:", ""]
        rows = []
        for reference in BASELINES:
            cells = [reference]
            for host in host_names():
                one = compare(where(o, host, real), method, reference, o.problems)
                cells += [interval(one.difference), counts(one)]
            rows.append(cells)
        titles = list(host_names().values())
        header = ["", *(cell for title in titles for cell in (title, "w / t / l"))]
        lines += table(header, rows)
    return lines


def ranking(o: Outcomes) -> list[str]:
    """Mean ranks on each host, and what the probabilities are worth."""
    real = o.judged
    lines = [
        "## Ranking",
        "",
        "Real sets; ranks of the mean average precision (1 is best), and differences",
        "to the tuned log loss of the same host. Log loss and Brier score are divided by",
        "the constant's, as the method gives its probabilities and, in the last column,",
        "without what weights and resampling do to the odds.",
        "",
        "![Mean ranks](results/quality/ranking.svg)",
        "",
    ]
    for host in ("xgboost", "lightgbm"):
        lines += _ranking_of(o, host, real)
    return lines


def ranks(o: Outcomes, host: str) -> tuple[dict, float, float]:
    """Mean ranks of the single methods on real sets."""
    wide = o.wide(host, AP, o.judged).groupby("problem").mean()
    single = [name for name in wide if not name.endswith(" chosen")]
    return mean_ranks(wide[single], o.problems["family"])


def _ranking_of(o: Outcomes, host: str, real: list[str]) -> list[str]:
    found, p, distance = ranks(o, host)
    precision = o.wide(host, AP, real)
    recall = o.wide(host, "recall", real).groupby("problem").mean()
    relative = {
        metric: o.wide(host, metric, real).groupby("problem").mean()
        for metric in (
            *("relative_log_loss", "relative_brier", "relative_corrected_log_loss"),
        )
    }
    families, rows = o.problems["family"], []
    for method in sorted(found, key=lambda name: found[name].value):
        one = compare(precision, method, LOG_LOSS, o.problems)
        means = precision[method].groupby("problem").mean()
        rows.append(
            [
                method,
                interval(found[method], 1, ""),
                number(over_families(means, families).value),
                "" if method == LOG_LOSS else interval(one.difference),
                "" if method == LOG_LOSS else counts(one),
                number(over_families(recall[method], families).value),
                *(number(relative[metric][method].median(), 2) for metric in relative),
            ]
        )
    header = ["", "mean rank", "average precision", "minus log loss"]
    header += [
        "w / t / l",
        "recall at 0.1 %",
        "log loss",
        "Brier",
        "corrected log loss",
    ]
    return [
        f"**{HOSTS[host]}** (Friedman p = {p:.1g}; two mean ranks differ by Nemenyi's "
        f"test where they are {distance:.1f} apart; the last three columns are medians):",
        "",
        *table(header, rows),
    ]


def imbalance(o: Outcomes) -> list[str]:
    """Differences by imbalance, real sets, and on the stream."""
    lines = [
        "## By imbalance",
        "",
        "Differences in average precision, both hosts averaged.",
        "",
    ]
    pairs = [
        (PLAIN, LOG_LOSS),
        ("focal, γ = (0, 2)", LOG_LOSS),
        (CHOSEN, "log loss, weight chosen"),
        ("weights: √ratio", LOG_LOSS),
        ("weights: ratio", LOG_LOSS),
        (PLAIN, "weights: ratio"),
    ]
    rows = []
    ratio = o.problems["imbalance"]
    for low, high in pairwise(IMBALANCES):
        names = [name for name in o.names("real") if low <= ratio[name] < high]
        if names:
            title = (
                f"real, 1:{low:g} to 1:{high:g}"
                if high < 1e9
                else f"real, beyond 1:{low:g}"
            )
            rows.append(_differences(o, title, names, pairs))
    rows += [
        _differences(o, name, [name], pairs)
        for name in o.names("simulated")
        if not o.problems["noise"][name]
    ]
    header = ["", "problems", *(f"{method} − {other}" for method, other in pairs)]
    return [*lines, *table(header, rows)]


def _differences(
    o: Outcomes, title: str, names: list[str], pairs: list[tuple[str, str]]
) -> list[str]:
    both = o.both(AP, names)
    cells = [title, str(len(names))]
    for method, reference in pairs:
        one = compare(both, method, reference, o.problems).difference
        if len(names) == 1:
            one = by_problem(both[method] - both[reference], o.problems)[names[0]]
        cells.append(interval(one))
    return cells


def noise(o: Outcomes) -> list[str]:
    """Average precision on true labels, after training on wrong ones."""
    names = [name for name in o.names("simulated") if _has_noise(o, name)]
    if not names:
        return []
    both = o.both(AP, names)
    rows = []
    for method in (LOG_LOSS, CERTIFIED, *WEIGHTS, *RESAMPLED, *FOCAL, *ASYMMETRIC):
        cells = [method]
        for name in names:
            values = both.loc[[name], method]
            one = by_problem(values - both.loc[[name], LOG_LOSS], o.problems)[name]
            mark = {"above": " ▲", "below": " ▼", "level": ""}[one.verdict]
            cells.append(number(values.mean()) + mark)
        rows.append(cells)
    return [
        "## By label noise",
        "",
        "The stream with wrong labels in the training part and true ones in the test",
        "part: half of the positives labelled negative (missed), or one negative",
        "labelled positive for two positives (false). Mean average precision of both",
        "hosts; ▲ and ▼ mark an interval above or below log loss.",
        "",
        *table(["", *names], rows),
        *_kept(both, names),
    ]


def _has_noise(o: Outcomes, name: str) -> bool:
    """Whether it has wrong labels, or is the clean one beside those that have."""
    family = o.problems["family"] == o.problems["family"][name]
    return bool((o.problems.loc[family, "noise"] != "").any())


def _kept(both: pd.DataFrame, names: list[str]) -> list[str]:
    """What share of its clean average precision each kind of method keeps."""
    means = both.groupby("problem").mean()
    lines = []
    for name in names:
        clean, _, kind = name.partition(", ")
        if kind:
            kept = means.loc[name] / means.loc[clean]
            parts = [f"{m} {kept[m]:.0%}" for m in (LOG_LOSS, "weights: ratio", PLAIN)]
            lines.append(
                f"* {name}: share of the clean average precision: {listed(parts)}."
            )
    return [*lines, ""]


def asymmetric(o: Outcomes) -> list[str]:
    """The pairs (γ+, γ−) against what they should beat."""
    lines = ["## Asymmetric focusing", ""]
    rows = []
    kinds = {"real": o.judged, "stream": o.names("simulated")}
    for method in ASYMMETRIC:
        cells = [method]
        for names in kinds.values():
            if not names:
                continue
            both = o.both(AP, names)
            for reference in (LOG_LOSS, CERTIFIED, PLAIN):
                one = compare(both, method, reference, o.problems)
                cells.append(f"{interval(one.difference)}; {counts(one)}")
        rows.append(cells)
    header = [
        f"{kind}: minus {reference}"
        for kind, names in kinds.items()
        if names
        for reference in (LOG_LOSS, CERTIFIED, PLAIN)
    ]
    lines += table(["", *header], rows)
    real = o.both(AP, kinds["real"])
    for method in ASYMMETRIC:
        one = compare(real, method, LOG_LOSS, o.problems)
        lines.append(f"* {sentence(method, 'log loss', one)}")
    return [*lines, ""]


def starting_point(o: Outcomes) -> list[str]:
    """Which γ and α to begin with."""
    real = o.judged
    families = o.problems["family"]
    rows, best = [], {}
    for host, title in host_names().items():
        precision = where(o, host, real)
        loss = where(o, host, real, "relative_log_loss").groupby("problem").mean()
        tried = [CERTIFIED, *FOCAL, *ASYMMETRIC, "focal, γ = 2, α = 0.25"]
        means = {
            method: over_families(precision[method].groupby("problem").mean(), families)
            for method in tried
        }
        best[host] = max(tried, key=lambda method: means[method].value)
        for method in tried:
            one = compare(precision, method, best[host], o.problems).difference
            away = "best" if method == best[host] else interval(one)
            rows.append(
                [
                    *(title, method, number(means[method].value), away),
                    number(loss[method].median()),
                ]
            )
    both = where(o, "both", real)
    level = [
        method
        for method in (CERTIFIED, *FOCAL, *ASYMMETRIC)
        if method != best["both"]
        and compare(both, method, best["both"], o.problems).difference.verdict
        == "level"
    ]
    alpha = compare(both, "focal, γ = 2, α = 0.25", PLAIN, o.problems)
    return [
        "## Which γ and α to start from",
        "",
        f"Over both hosts {best['both']} has the highest mean average precision, and",
        f"{listed(level)} cannot be told from it.",
        f"α: {sentence('γ = 2 with α = 0.25', 'γ = 2 without α', alpha)}",
        "",
        *table(
            ["", "", "average precision", "minus the best", "median relative log loss"],
            rows,
        ),
    ]


def certain(o: Outcomes) -> list[str]:
    """The problems on which focal loss certainly wins or loses."""
    everything = list(o.problems.index)
    both = o.both(AP, everything)
    lines = ["## Where focal loss wins and loses", ""]
    for method, reference in (
        (PLAIN, LOG_LOSS),
        (CHOSEN, "log loss, weight chosen"),
        (PLAIN, "weights: √ratio"),
        (PLAIN, "weights: ratio"),
        (PLAIN, "SMOTE"),
    ):
        found = by_problem(both[method] - both[reference], o.problems)
        lines.append(f"* {method} against {reference}:")
        for verdict, word in (("above", "wins"), ("below", "loses")):
            names = [
                f"{name} ({number(one.value, 3, '+')})"
                for name, one in found.items()
                if one.verdict == verdict
            ]
            lines.append(f"  * {word}: {listed(names)}")
    return [*lines, ""]


def preferring(o: Outcomes) -> list[str]:
    """When to take log loss, and when weights."""
    real = o.judged
    lines = ["## When to prefer log loss or weights", ""]
    for host, title in host_names().items():
        wide = where(o, host, real)
        for reference in (LOG_LOSS, "weights: √ratio", "weights: ratio"):
            one = compare(wide, reference, PLAIN, o.problems)
            lines.append(f"* {title}: {sentence(reference, PLAIN, one)}")
    loss = o.both("relative_log_loss", real).groupby("problem").mean()
    worse = {
        m: int((loss[m] > 1).sum()) for m in (LOG_LOSS, PLAIN, *WEIGHTS, *RESAMPLED)
    }
    parts = [f"{method} {count}" for method, count in worse.items()]
    return [
        *lines,
        f"* Probabilities worse than the constant's, of {len(real)} real sets: "
        f"{listed(parts)}.",
        "",
    ]


def peers(o: Outcomes) -> list[str]:
    """Other packages' focal losses at γ = 2, and CatBoost."""
    real = o.judged
    rows = []
    for host, title in HOSTS.items():
        wide = o.wide(host, AP, real)
        loss = o.wide(host, "relative_log_loss", real).groupby("problem").mean()
        names = [name for name in wide if _is_peer(name)]
        for name in names:
            # CatBoost is set beside this package's better host, on the same splits.
            ours = where(o, host if host != "catboost" else "both", real)[PLAIN]
            wide_both = pd.DataFrame({name: wide[name], PLAIN: ours})
            one = compare(wide_both, name, PLAIN, o.problems)
            lost = o.fits.query(
                "host == @host and method == @name and problem in @real"
            )
            bad = lost["status"].ne("ok").sum()
            rows.append(
                [
                    *(title, name, interval(one.difference), counts(one)),
                    *(
                        number(loss[name].median(), 2),
                        f"{bad}",
                        f"{lost['lost'].sum()}",
                    ),
                ]
            )
    return [
        "## Peers",
        "",
        "Average precision of other packages' focal losses minus that of `focal, γ = 2`",
        "of this package on the same host (for CatBoost: the mean of both), real sets.",
        "They get the same grid, holdout, early stopping and our metric to stop on.",
        "The median log loss is relative to the constant's: their scores are taken for",
        "probabilities as they do. Lost rankings have less than a tenth of the best",
        "method's average precision.",
        "",
        *table(
            ["", "", "minus ours", "w / t / l", "log loss", "not ok", "lost rankings"],
            rows,
        ),
    ]


def _is_peer(name: str) -> bool:
    return name.startswith(("bokbokbok", "imlightgbm", "gbdtCBL", "CatBoost"))
