"""The problems: what is to be found in which set, and which sets are left out."""

from collections.abc import Callable
from dataclasses import dataclass

from quality.tables import (
    Table,
    keel,
    openml,
    prepared,
    shipped,
    stream,
    with_false,
    with_missed,
)

#: Fewer positives than that in all say nothing about a method.
FEWEST_POSITIVES = 25


@dataclass(frozen=True)
class Problem:
    """A set as a binary problem.

    Attributes
    ----------
    name : str
        Its name in tables.
    kind : str
        "real", "synthetic" (made by the authors of the set) or "simulated" (the
        stream of this project).
    family : str
        Where the rows come from; problems of one family are not independent.
    table : callable
        Gives the rows for a seed; only the simulated ones depend on it.
    noise : str
        What is wrong with the labels that training sees.
    """

    name: str
    kind: str
    family: str
    table: Callable[[int], Table]
    noise: str = ""


def _prepared(name: str, target: str | None = None, kind: str = "real") -> Problem:
    title = name if target is None else f"{name}={target}"
    return Problem(title, kind, _family(name), lambda _: prepared(name, target))


#: Sets of other names whose rows come from the same source.
SAME_SOURCE = {
    "ulb_creditcard_casecontrol": "ulb_creditcard",
    "ulb_creditcard_int": "ulb_creditcard",
    "krvsk18": "krvsk",
    "krvsk_zero": "krvsk",
    "cover_ad": "covertype",
    "covertype4_binary": "covertype",
    "kdd_smtp": "kddcup99",
}


def _family(name: str) -> str:
    base = name.partition(":")[0]
    return SAME_SOURCE.get(base, base)


def _shipped(name: str, function: str) -> Problem:
    return Problem(name, "real", name, lambda _: shipped(function))


def _keel(name: str) -> Problem:
    return Problem(name, "real", name, lambda _: keel(name))


def _openml(name: str, data_id: int) -> Problem:
    return Problem(name, "real", name, lambda _: openml(data_id))


def _stream(imbalance: int, rows: int) -> list[Problem]:
    name = f"stream 1:{imbalance}"

    def clean(seed: int) -> Table:
        return stream(rows, imbalance, seed)

    return [
        Problem(name, "simulated", name, clean),
        Problem(
            f"{name}, half missed",
            "simulated",
            name,
            lambda seed: with_missed(clean(seed), 0.5, seed),
            "half of the positives are labelled negative",
        ),
        Problem(
            f"{name}, half false",
            "simulated",
            name,
            lambda seed: with_false(clean(seed), 0.5, seed),
            "for two true positives a negative is labelled positive",
        ),
    ]


PREPARED_PROBLEMS = (
    _prepared("abalone19"),
    _prepared("ann_thyroid3", "hypo (1)"),
    _prepared("caravan"),
    _prepared("census_kdd"),
    _prepared("cover_ad"),
    _prepared("covertype4_binary"),
    _prepared("fars8", "Injured_Severity_Unknown"),
    _prepared("htru2_pulsar"),
    _prepared("kdd_smtp"),
    _prepared("kddcup99:r2l_dedup"),
    _prepared("kddcup99:r2l_iid"),
    _prepared("kddcup99:u2r_iid"),
    _prepared("krvsk18", "one"),
    _prepared("krvsk_zero"),
    _prepared("mammography"),
    _prepared("nasa_pc5"),
    _prepared("nass_cds"),
    _prepared("nursery5", "very_recom"),
    _prepared("nyc_flights13"),
    _prepared("nyc_flights13:late5h"),
    _prepared("optdigits_ad"),
    _prepared("page_blocks5", "3"),
    _prepared("satimage2"),
    _prepared("seismic_bumps"),
    _prepared("shuttle7", "Fpv Close"),
    _prepared("shuttle7:rare"),
    _prepared("ulb_creditcard_casecontrol"),
    _prepared("ulb_creditcard_int"),
    _prepared("wilt"),
    _prepared("wine_quality7", "3"),
    _prepared("yeast10", "VAC"),
    _prepared("ai4i2020", kind="synthetic"),
    _prepared("ai4i2020:twf", kind="synthetic"),
)
SHIPPED_PROBLEMS = (
    _shipped("car-vgood", "load_car_vgood"),
    _shipped("flare-F", "load_flaref"),
    _shipped("PC1", "load_pc1"),
    _shipped("poker-8-9_vs_5", "load_poker_8_9_vs_5"),
    _shipped("vowel0", "load_vowel0"),
    _keel("segment0"),
)
SIMULATED_PROBLEMS = (
    *_stream(100, 60_000),
    *_stream(1000, 250_000),
    _stream(10_000, 1_000_000)[0],
)
#: Downloaded, and so only run where they are asked for by name.
OPENML_PROBLEMS = (
    _openml("openml/creditcard", 1597),
    _openml("openml/APSFailure", 41138),
    _openml("openml/KDDCup09_churn", 42759),
    _openml("openml/Click_prediction_small", 42733),
)
#: What a run takes on unless it is told.
PROBLEMS = (*PREPARED_PROBLEMS, *SHIPPED_PROBLEMS, *SIMULATED_PROBLEMS)
#: A machine without the prepared sets has these; under a minute with few rounds.
SMOKE_PROBLEMS = (
    Problem("stream 1:30", "simulated", "stream 1:30", lambda s: stream(4000, 30, s)),
)
BY_NAME = {
    problem.name: problem for problem in (*PROBLEMS, *OPENML_PROBLEMS, *SMOKE_PROBLEMS)
}

#: Prepared sets that are no problem here, and why.
LEFT_OUT = {
    "kddcup99": "its rarest class is that of kddcup99:u2r",
    "kddcup99:dedup": "its rarest class is that of kddcup99:u2r_dedup",
    "kddcup99:iid": "its rarest class is that of kddcup99:u2r_iid",
    "kddcup99:r2l": "most of its rows are copies: see kddcup99:r2l_dedup",
    "kddcup99:u2r": "most of its rows are copies: see kddcup99:u2r_iid",
    "kddcup99:u2r_dedup": "its time; kddcup99:u2r_iid is its training part",
}
#: Classes rarer than the one that is to be found in a set of several classes.
RARER_CLASSES = {
    "fars8": "Died_Prior_to_Accident (9 rows)",
    "krvsk18": "zero (27 rows) is krvsk_zero",
    "nursery5": "recommend (2 rows)",
    "shuttle7": "Bpv Close (10 rows) and Bpv Open (13 rows)",
    "wine_quality7": "9 (5 rows)",
    "yeast10": "ERL (5 rows) and POX (20 rows)",
}
