"""Writes RESULTS.md: every number and every verdict in it comes from the files."""

from pathlib import Path

from quality import appendix, conditions, ranking, verdicts
from quality.agreement import agreement
from quality.drowning import drowning
from quality.markdown import listed, paragraph
from quality.outcomes import HOSTS, Outcomes, read
from quality.pictures import draw_ranking

COMMANDS = (
    "python benchmarks/quality run --jobs 2",
    "python benchmarks/quality budget",
    "python benchmarks/quality agreement",
    "python benchmarks/quality report",
)


def write_report(folder: Path, output: Path) -> None:
    """Write the report of a run's folder, and its picture."""
    o = read(folder)
    draw_ranking(o, folder / "ranking.svg")
    parts = [
        _head(o),
        verdicts.summary(o, [*ranking.in_short(o), *conditions.in_short(o)]),
        verdicts.against(o),
        verdicts.set_by_set(o),
        ranking.ranking(o),
        conditions.imbalance(o),
        conditions.noise(o),
        conditions.asymmetric(o),
        conditions.starting_point(o),
        verdicts.preferring(o),
        ranking.peers(o),
        drowning(folder),
        agreement(o, folder),
        appendix.failures(o),
        appendix.everything(o),
        appendix.sets(o),
    ]
    lines = [line for part in parts for line in part]
    output.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def _head(o: Outcomes) -> list[str]:
    kinds = o.problems["kind"].value_counts()
    real = o.problems[o.problems["kind"] == "real"]
    single = o.fits[~o.fits["method"].str.endswith(" chosen")]
    of_host = single.groupby("host")["method"].nunique()
    settings, caps = o.made_by["settings"], o.made_by["settings"]["caps"]
    seeds = list(map(str, sorted(o.fits["seed"].unique())))
    numbers = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
    methods = listed([f"{n} on {HOSTS[host]}" for host, n in of_host.items()])
    versions = listed([f"{name} {v}" for name, v in o.made_by["versions"].items()])
    return [
        "# Does focal loss find what weights miss?",
        "",
        *paragraph(
            "Made by `python benchmarks/quality report`, all numbers and verdicts."
        ),
        *paragraph(
            f"{len(o.problems)} problems ({numbers}; the real ones of "
            f"{real['family'].nunique()} sources), seeds {listed(seeds)}; methods: "
            f"{methods}; {len(single)} fits, each a line of `results/quality/fits.csv`."
            + ("" if len(real) else " No real set was run: others stand for them.")
        ),
        *paragraph(
            "Each method of each seed gets the same search: a quarter of the training "
            "rows, stratified, ends each training early (30 rounds without a gain in "
            "the loss that is trained) and picks one of two points (the host's default "
            "trees; smaller, regularised ones) by average precision; learning rate "
            f"0.1, at most {settings['rounds']} rounds. What is called chosen picks "
            "among four methods on the same validation rows. The test part is not "
            "looked at before. Rows are split 7 : 3 by class, or as the set or the "
            f"time says. Of the training part {_cap(caps['train'])} are kept, of the "
            f"test part {_cap(caps['test'])} with the same imbalance; a fit may take "
            f"{settings['limit']:g} s. A fit that failed counts as the constant."
        ),
        *paragraph(
            "Differences are of average precision unless said otherwise. Intervals "
            "over sets are 95 % bootstrap intervals over families (sets of one source "
            "count once); intervals of one set are Nadeau and Bengio's over its seeds. "
            "They are not adjusted for their number: of forty verdicts two are wrong "
            "by chance."
        ),
        *paragraph(
            f"{versions}; {o.made_by['machine']}, {o.made_by['jobs']} fits at a time, "
            "one thread each, beside other programs; wall time "
            f"{o.made_by['wall_seconds'] / 60:.0f} minutes. To repeat it:"
        ),
        "```",
        *COMMANDS,
        "```",
        "",
    ]


def _cap(cap: dict[str, int]) -> str:
    return (
        f"{cap['rows']} rows, or as many as hold {cap['positives']} positives but at "
        f"most {cap['most']},"
    )
