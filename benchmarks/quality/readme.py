"""The README's section on the benchmark, between its two marks."""

from pathlib import Path

from quality.markdown import WORDS, bullets, counts, interval, number, paragraph, table
from quality.outcomes import (
    ASYMMETRIC,
    CERTIFIED,
    DEFAULTS,
    FIVE,
    FOCAL,
    GAMMA_CHOSEN,
    HOSTS,
    LOG_LOSS,
    PLAIN,
    RATIO,
    RESAMPLED,
    ROOT_RATIO,
    WEIGHT_CHOSEN,
    Outcomes,
)
from quality.ranking import OWN_HOSTS, in_short

START, END = "<!-- quality -->", "<!-- /quality -->"
SHOWN = (
    *(DEFAULTS, LOG_LOSS, CERTIFIED, ROOT_RATIO, RATIO, FIVE, *RESAMPLED),
    *(*FOCAL, ASYMMETRIC[1], ASYMMETRIC[3]),
)


def write_section(o: Outcomes, readme: Path) -> None:
    """Replace what stands between the marks."""
    before, _, rest = readme.read_text("utf-8").partition(START)
    _, _, after = rest.partition(END)
    text = "\n".join(section(o))
    readme.write_text(f"{before}{START}\n{text}\n{END}{after}", encoding="utf-8")


def section(o: Outcomes) -> list[str]:
    """A short table with an honest reading."""
    real = o.problems[o.problems["kind"] == "real"]
    seeds = o.fits["seed"].nunique()
    ratio = real["imbalance"]
    intro = (
        f"Average precision on {len(real)} real sets of {real['family'].nunique()} "
        f"sources (1:{ratio.min():.0f} to 1:{ratio.max():.0f}), {seeds} splits each, "
        "every method with the same search (two points, early stopping). In brackets "
        "95 % intervals over sources; ahead : behind counts sets by the sign of their "
        "mean; the log loss is relative to the constant's, median. Every method on "
        "every set, peers, failures, imbalance and label noise stand in "
        "`benchmarks/RESULTS.md`, made by"
    )
    command = "`python benchmarks/quality run` and `python benchmarks/quality report`"
    return [*paragraph(intro), command, "", *_table(o), *bullets(_reading(o))][:-1]


def _table(o: Outcomes) -> list[str]:
    header = [""]
    for host in OWN_HOSTS:
        header += [HOSTS[host], "minus log loss", "ahead : behind", "log loss"]
    return table(header, [_row(o, method) for method in SHOWN])


def _row(o: Outcomes, method: str) -> list[str]:
    cells = ["log loss, tuned as all are" if method == LOG_LOSS else method]
    for host in OWN_HOSTS:
        loss = o.wide(host, "relative_log_loss", o.judged)[method]
        one = o.compare(host, method, LOG_LOSS, o.judged)
        is_reference = method == LOG_LOSS
        cells += [
            number(o.mean(host, method, o.judged).value),
            "" if is_reference else interval(one.difference),
            "" if is_reference else f"{one.ahead} : {one.behind}",
            number(loss.groupby("problem").mean().median(), 2),
        ]
    return cells


def _reading(o: Outcomes) -> list[str]:
    """In words, for both hosts averaged."""

    def said(method: str, reference: str, host: str = "both") -> str:
        one = o.compare(host, method, reference, o.judged).difference
        return f"{WORDS[one.verdict]} {reference} ({interval(one)})"

    chosen = o.compare("both", GAMMA_CHOSEN, WEIGHT_CHOSEN, o.judged)
    word = WORDS[chosen.difference.verdict]
    return [
        f"Both hosts averaged, focal loss with γ = 2 is {said(PLAIN, RATIO)}, "
        f"{said(PLAIN, 'SMOTE')}, {said(PLAIN, ROOT_RATIO)}, {said(PLAIN, LOG_LOSS)} "
        f"and {said(PLAIN, CERTIFIED)}.",
        f"With γ chosen from four on validation it is {word} log loss with its weights "
        f"chosen from four: {interval(chosen.difference)}, sets won / tied / lost "
        f"{counts(chosen)}.",
        f"Asymmetric focal loss, γ = (0, 2), is {said(ASYMMETRIC[1], LOG_LOSS)} and "
        f"{said(ASYMMETRIC[1], CERTIFIED)}.",
        "What the curvature does without γ: on LightGBM log loss with the certified "
        f"one is {said(CERTIFIED, LOG_LOSS, 'lightgbm')} and "
        f"{said(CERTIFIED, DEFAULTS, 'lightgbm')}; on XGBoost "
        f"{said(CERTIFIED, LOG_LOSS, 'xgboost')}.",
        *in_short(o),
    ]
