"""Focal loss against what else there is: in short, by host, and set by set."""

from quality.intervals import by_problem
from quality.markdown import (
    WORDS,
    bullets,
    counts,
    interval,
    listed,
    number,
    paragraph,
    sentence,
    table,
)
from quality.outcomes import (
    AP,
    CERTIFIED,
    DEFAULTS,
    FIVE,
    GAMMA_CHOSEN,
    LOG_LOSS,
    PLAIN,
    RATIO,
    REGULARISED,
    RESAMPLED,
    ROOT_RATIO,
    WEIGHT_CHOSEN,
    Outcomes,
)

HOSTS = {"both": "both hosts", "xgboost": "XGBoost", "lightgbm": "LightGBM"}
BASELINES = (
    *(LOG_LOSS, DEFAULTS, REGULARISED, CERTIFIED, ROOT_RATIO, RATIO, FIVE),
    *(*RESAMPLED, WEIGHT_CHOSEN),
)
#: What stands in short.
SUMMED = (
    ("Focal loss with γ = 2", PLAIN, (LOG_LOSS, CERTIFIED, ROOT_RATIO, RATIO, "SMOTE")),
    ("Focal loss with γ chosen", GAMMA_CHOSEN, (LOG_LOSS, WEIGHT_CHOSEN)),
    ("Log loss with the certified curvature", CERTIFIED, (LOG_LOSS, DEFAULTS)),
)
#: Where focal loss is set beside another, set by set.
PAIRS = (
    (PLAIN, LOG_LOSS),
    (GAMMA_CHOSEN, WEIGHT_CHOSEN),
    (PLAIN, ROOT_RATIO),
    (PLAIN, RATIO),
    (PLAIN, "SMOTE"),
)


#: The answer to the report's title, by what the comparison with weights says.
ANSWERS = {
    "above": "Yes, against weights of the ratio",
    "level": "Not beyond the noise",
    "below": "No",
}


def summary(o: Outcomes, more: list[str]) -> list[str]:
    """The answer in a few lines, and what else there is to say."""
    ratio, log_loss = (
        o.compare("both", PLAIN, reference, o.judged).difference
        for reference in (RATIO, LOG_LOSS)
    )
    lead = (
        f"{ANSWERS[ratio.verdict]}: focal loss with γ = 2 is {WORDS[ratio.verdict]} "
        f"log loss with weights of the ratio ({interval(ratio)}). Against a log loss "
        "whose trees are chosen in the same search it is a matter of little: "
        f"{WORDS[log_loss.verdict]} it ({interval(log_loss)})."
    )
    texts = []
    for title, method, references in SUMMED:
        for reference in references:
            one = o.compare("both", method, reference, o.judged)
            texts.append(sentence(title, reference, one))
    texts += [*probabilities(o), *safety(o), *more]
    return ["## In short", "", *paragraph(lead), *bullets(texts)]


def probabilities(o: Outcomes) -> list[str]:
    """What the probabilities are worth, in sentences."""
    real = o.judged
    loss = o.wide("both", "relative_log_loss", real).groupby("problem").mean()
    median = {
        m: number(loss[m].median(), 2) for m in (LOG_LOSS, PLAIN, ROOT_RATIO, RATIO)
    }
    worse = {
        method: int((loss[method] > 1).sum())
        for method in (LOG_LOSS, PLAIN, ROOT_RATIO, RATIO, FIVE, *RESAMPLED)
    }
    return [
        "Log loss of the probabilities over that of the constant, median: "
        f"{listed([f'{method} {value}' for method, value in median.items()])}.",
        f"Probabilities worse than the constant's, of {len(real)} sets: "
        f"{listed([f'{method} {count}' for method, count in worse.items()])}.",
    ]


def safety(o: Outcomes) -> list[str]:
    """Where rankings are lost, in a sentence."""
    own = o.fits[o.fits["problem"].isin(o.judged)]
    lost = own.groupby(["host", "method"])["lost"].sum()
    parts = [
        f"{title}: "
        + listed(
            [
                f"{m} {lost[host, m]}"
                for m in (DEFAULTS, LOG_LOSS, CERTIFIED, PLAIN, RATIO)
            ]
        )
        for host, title in list(HOSTS.items())[1:]
    ]
    n_fits = len(o.wide("both", AP, o.judged))
    return [
        "Rankings that are lost (less than a tenth of the best method's average "
        f"precision), of {n_fits} fits: {'; '.join(parts)}.",
    ]


def against(o: Outcomes) -> list[str]:
    """Focal loss against each baseline, by host."""
    lines = [
        "## Against what, and on which host",
        "",
        *paragraph(
            "Differences in average precision on real sets, and won / tied / lost sets "
            "(in brackets the signs of the means). A set is won or lost where its own "
            "interval over seeds leaves 0 out."
        ),
    ]
    for method in (PLAIN, GAMMA_CHOSEN):
        rows = []
        for reference in BASELINES:
            cells = [f"minus {reference}"]
            for host in HOSTS:
                one = o.compare(host, method, reference, o.judged)
                cells += [interval(one.difference), counts(one)]
            rows.append(cells)
        header = [f"**{method}**"]
        for title in HOSTS.values():
            header += [title, "w / t / l"]
        lines += table(header, rows)
    return lines


def set_by_set(o: Outcomes) -> list[str]:
    """The problems on which focal loss certainly wins or loses."""
    both = o.wide("both", AP, list(o.problems.index))
    texts = []
    for method, reference in PAIRS:
        found = by_problem(both[method] - both[reference], o.problems)
        sides = []
        for verdict, word in (("above", "wins on"), ("below", "loses on")):
            names = [
                f"{name} ({number(one.value, 3, '+')})"
                for name, one in found.items()
                if one.verdict == verdict
            ]
            sides.append(f"{word} {listed(names)}")
        texts.append(f"{method} against {reference}: {'; '.join(sides)}.")
    intro = (
        "Sets whose interval over seeds leaves 0 out, both hosts averaged, simulated "
        f"and synthetic ones included ({len(o.problems)} in all; one in twenty would "
        "be expected by chance)."
    )
    return [
        "## Where focal loss wins and loses",
        "",
        *paragraph(intro),
        *bullets(texts),
    ]


def preferring(o: Outcomes) -> list[str]:
    """When to take log loss, and when weights."""
    texts = []
    for host, title in HOSTS.items():
        words = []
        for reference in (LOG_LOSS, ROOT_RATIO, RATIO):
            one = o.compare(host, reference, PLAIN, o.judged).difference
            word = WORDS[one.verdict]
            words.append(f"{reference} is {word} {PLAIN} ({interval(one)})")
        texts.append(f"On {title} {'; '.join(words)}.")
    return [
        "## When to prefer log loss or weights",
        "",
        *bullets([*texts, *_advice(o)]),
    ]


def _advice(o: Outcomes) -> list[str]:
    """What follows, by what the intervals say."""
    plain = o.compare("both", PLAIN, LOG_LOSS, o.judged).difference
    advice = {
        "above": "it ranks worse than focal loss, certainly though not by much",
        "level": "it ranks as well as focal loss, as far as these sets can tell",
        "below": "it ranks better than focal loss",
    }[plain.verdict]
    wide = o.wide("both", AP, list(o.problems.index))
    texts = [
        f"Log loss, tuned over regularised trees: {advice}; mean differences outside "
        f"{number(plain.low, 3, '+')} to {number(plain.high, 3, '+')} are not "
        "compatible with these sets."
    ]
    for method, title in ((ROOT_RATIO, "the root of the ratio"), (RATIO, "the ratio")):
        one = o.compare("both", method, LOG_LOSS, o.judged)
        found = by_problem(wide[method] - wide[LOG_LOSS], o.problems)
        names = [name for name, seen in found.items() if seen.verdict == "above"]
        texts.append(
            f"{sentence(f'Weighting by {title}', LOG_LOSS, one)} Where its own "
            f"interval is above log loss's: {listed(names)}."
        )
    return texts
