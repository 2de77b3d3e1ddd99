"""The tables and figures of RESULTS.md, from the journal alone."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib import pyplot
from scipy.stats import bootstrap, permutation_test

from study import methods
from study.methods import CERTIFIED, HOSTS, LOG_LOSS, PRIMARY
from study.problems import BY_NAME, SETS, SMOKE
from study.scores import KINDS, RANKING

MARGIN = 0.005
N_RESAMPLES = 10_000
GAMMA_CHOSEN = "focal, γ chosen"
SECONDARY = (
    *("focal, γ = 2", "focal, γ = (0, 4)", "focal, γ = (1, 4)"),
    *(CERTIFIED, GAMMA_CHOSEN),
)
#: What every method is compared with.
REFERENCES = (LOG_LOSS, PRIMARY, "log loss, bagged")
AP = "average_precision"
BY_LOG_LOSS, BY_AP = "validation_log_loss", "validation_average_precision"
WHO = ["problem", "split", "host", "method"]
#: The real sets, and what a smoke run has in their place.
JUDGED = [SMOKE.name, *(one.name for one in SETS if one.part != "simulated")]
SOURCE = {name: problem.source for name, problem in BY_NAME.items()}
PART = {name: problem.part for name, problem in BY_NAME.items()}


class Difference(NamedTuple):
    """A mean over sources, its 95 % bootstrap interval, and a sign-flip p-value."""

    mean: float
    low: float
    high: float
    p: float
    ahead: int
    behind: int
    n_sources: int

    @property
    def verdict(self) -> str:
        """What the interval says, given the margin that was fixed beforehand."""
        if self.n_sources < 2:
            return "not decided"
        if self.low > 0 or self.high < 0:
            within = max(-self.low, self.high) <= MARGIN
            word = "better" if self.low > 0 else "worse"
            return f"{word}, within the margin" if within else word
        is_level = self.low >= -MARGIN and self.high <= MARGIN
        return "level" if is_level else "not decided"


def chosen(rows: pd.DataFrame, k: int | None = None, by: str = BY_LOG_LOSS) -> Any:
    """The best of the first `k` configurations of each method on each split.

    A fit that failed cannot be chosen. Where all failed, the method counts as the
    constant: its average precision is the prevalence, its relative log loss 1.
    """
    if k is not None:
        rows = rows[rows["configuration"] < k]
    value = rows[by] if by == BY_LOG_LOSS else -rows[by]
    value = value.where(rows["status"] == "ok", np.inf).fillna(np.inf)
    best = rows.loc[value.groupby([rows[name] for name in WHO]).idxmin()].copy()
    share = rows.groupby(["problem", "split"])["prevalence"].transform("max")
    failed = best["status"] != "ok"
    best.loc[failed, AP] = share[best.index[failed]]
    for kind in KINDS:
        best.loc[failed, f"relative_log_loss_{kind}"] = 1.0
    return best


def with_gamma_chosen(rows: pd.DataFrame) -> pd.DataFrame:
    """Add the search in which every configuration brings its γ too: as many fits."""
    brought = rows["method"] == rows["configuration"].map(methods.drawn_gamma)
    added = rows[brought].assign(method=GAMMA_CHOSEN)
    return pd.concat([rows, added], ignore_index=True)


def per_problem(best: pd.DataFrame, method: str, reference: str, measure: str) -> Any:
    """The difference of a method on each problem, over splits and hosts.

    On a host the reference is that of the same host, elsewhere the mean of both.
    """
    ours, theirs = (
        best[best["method"] == name].set_index(WHO[:3])[measure]
        for name in (method, reference)
    )
    if not set(ours.index.get_level_values("host")) & set(HOSTS):
        ours, theirs = (one.groupby(WHO[:2]).mean() for one in (ours, theirs))
    return (ours - theirs).dropna().groupby("problem").mean()


def difference(values: pd.Series) -> Difference:
    """Average the problems of a source, and then the sources."""
    by_source = values.groupby(values.index.map(SOURCE)).mean().to_numpy()
    n, ahead = len(by_source), int((by_source > 0).sum())
    behind = int((by_source < 0).sum())
    mean = float(by_source.mean()) if n else np.nan
    if n < 2 or np.ptp(by_source) == 0:
        return Difference(mean, mean, mean, np.nan, ahead, behind, n)
    options = {"n_resamples": N_RESAMPLES, "rng": np.random.default_rng(0)}
    found = bootstrap((by_source,), np.mean, method="percentile", **options)
    options["rng"] = np.random.default_rng(0)
    test = permutation_test(
        (by_source,), np.mean, permutation_type="samples", **options
    )
    low, high = found.confidence_interval
    return Difference(mean, low, high, float(test.pvalue), ahead, behind, n)


def holm(p: pd.Series) -> pd.Series:
    """Holm's adjusted p-values."""
    ordered = p.sort_values()
    factors = len(p) - np.arange(len(p))
    return np.minimum(1, (ordered * factors).cummax()).reindex(p.index)


def table_of(differences: dict[Any, Difference], names: list[str]) -> pd.DataFrame:
    rows = [
        (*(key if isinstance(key, tuple) else (key,)), *one, one.verdict)
        for key, one in differences.items()
    ]
    return pd.DataFrame(rows, columns=[*names, *Difference._fields, "verdict"])


def hypotheses(rows: pd.DataFrame) -> pd.DataFrame:
    """The primary hypothesis and the secondary ones, with Holm's correction."""
    best = chosen(rows)
    found = {
        name: difference(per_problem(best, name, LOG_LOSS, AP))
        for name in (PRIMARY, *SECONDARY)
    }
    table = table_of(found, ["method"]).set_index("method")
    table.insert(0, "hypothesis", ["primary", *["secondary"] * len(SECONDARY)])
    secondary = table["hypothesis"] == "secondary"
    table["p_holm"] = holm(table.loc[secondary, "p"])
    return table.reset_index()


def readings(rows: pd.DataFrame) -> pd.DataFrame:
    """The same differences chosen otherwise, by host, by part and by imbalance."""
    best = chosen(rows)
    by_precision = chosen(rows, by=BY_AP)
    share = best.groupby("problem")["prevalence"].mean()
    views: dict[str, Any] = {
        "chosen by validation average precision": (by_precision, None),
        **{host: (best[best["host"] == host], None) for host in HOSTS},
        **{
            part: (best, [n for n in share.index if PART[n] == part])
            for part in ("random", "ordered")
        },
        "rarer than 1:50": (best, share.index[share < 0.02]),
        "1:50 and more": (best, share.index[share >= 0.02]),
    }
    found = {
        (view, name): difference(
            per_problem(
                some if names is None else some[some["problem"].isin(names)],
                *(name, LOG_LOSS, AP),
            )
        )
        for view, (some, names) in views.items()
        for name in (PRIMARY, *SECONDARY)
    }
    return table_of(found, ["view", "method"])


def everyone(rows: pd.DataFrame) -> pd.DataFrame:
    """Every method against each reference, from as many configurations and splits."""
    most = 1 + rows.groupby("method")["configuration"].max()
    found = {}
    for reference in (name for name in REFERENCES if name in most):
        for name in most.index.drop(reference):
            pair = rows[rows["method"].isin([name, reference])]
            best = chosen(pair, min(most[name], most[reference]))
            for measure in RANKING:
                values = per_problem(best, name, reference, measure)
                found[reference, measure, name] = difference(values)
    return table_of(found, ["reference", "measure", "method"])


def in_common(rows: pd.DataFrame) -> pd.DataFrame:
    """The splits and configurations that every method has."""
    methods_of = rows.groupby(["split", "configuration"])["method"].nunique()
    shared = methods_of.index[methods_of == rows["method"].nunique()]
    keys = pd.MultiIndex.from_frame(rows[["split", "configuration"]])
    return rows[keys.isin(shared)]


def probabilities(rows: pd.DataFrame) -> pd.DataFrame:
    """Medians over problems of what the probabilities are worth, for each kind."""
    best = chosen(rows)
    columns = [name for name in best if name.endswith(KINDS)]
    means = best.groupby(["method", "problem"])[columns].mean()
    return means.groupby("method").median().T.reset_index(names="measure")


def costs(rows: pd.DataFrame) -> pd.DataFrame:
    """Seconds and rounds of a fit, and the share of the fits that failed."""
    failed = (rows["status"] != "ok").groupby([rows["host"], rows["method"]]).mean()
    numbers = rows.groupby(["host", "method"])[["seconds", "rounds"]].median()
    return numbers.assign(failed=failed).reset_index()


def curves(rows: pd.DataFrame) -> pd.DataFrame:
    """Differences by the number of configurations of the search."""
    most = 1 + int(rows["configuration"].max())
    steps = [k for k in (1, 2, 4, 8, 16, 25) if k <= most]
    found = {}
    for k in steps:
        best = chosen(rows, k)
        for name in (PRIMARY, *SECONDARY):
            values = per_problem(best, name, LOG_LOSS, AP)
            found[name, k] = difference(values)
    return table_of(found, ["method", "configurations"])


def small_models(rows: pd.DataFrame) -> pd.DataFrame:
    """Each certified loss against the host's log loss, by host and size."""
    found = {}
    for (host, trees, depth), some in rows.groupby(["host", "trees", "depth"]):
        best = chosen(some)
        for name in methods.SMALL[1:]:
            values = per_problem(best, name, LOG_LOSS, AP)
            found[host, trees, depth, name] = difference(values)
    table = table_of(found, ["host", "trees", "depth", "method"])
    latency = rows.groupby(["host", "trees", "depth"])["latency"].median() * 1e6
    return table.join(latency.rename("one_row_µs"), on=["host", "trees", "depth"])


def streams(rows: pd.DataFrame) -> pd.DataFrame:
    """The simulated streams: means over draws beside the optimum."""
    columns = [*RANKING, "relative_log_loss_own", "relative_log_loss_corrected"]
    best = chosen(rows)
    return best.groupby(["problem", "method"])[columns].mean().reset_index()


def analyse(rows: pd.DataFrame, folder: Path) -> None:
    """Write every table as CSV, and every figure."""
    for name, table in tables(rows):
        table.to_csv(folder / f"{name}.csv", index=False, float_format="%.5g")
        if name in FIGURES:
            FIGURES[name](table, folder / f"{name}.svg")
    print(f"{len(rows)} rows; tables and figures are in {folder}")


def tables(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Every table that the journal has rows for, with its name."""
    is_stream = rows["stage"].str.contains("stream")
    on_streams, failed = rows[is_stream], rows[rows["status"] != "ok"]
    rows = rows[~is_stream & rows["problem"].isin(JUDGED)]
    of = dict(list(rows.groupby("stage")))
    if "primary" in of:
        of["primary"] = with_gamma_chosen(of["primary"])
        yield "hypotheses", hypotheses(of["primary"])
        yield "readings", readings(of["primary"])
        yield "curves", curves(of["primary"])
        names = [name for name in ("primary", "peers", "rivals") if name in of]
        every = pd.concat([of[name] for name in names], ignore_index=True)
        yield "methods", everyone(every)
        yield "probabilities", probabilities(in_common(every))
        yield "costs", costs(in_common(every))
    if "small" in of:
        yield "small", small_models(of["small"])
    if len(on_streams):
        yield "streams", streams(on_streams)
    keys = ["stage", "host", "method", "status", "reason"]
    yield "failures", failed.groupby(keys, dropna=False).size().reset_index(name="fits")


def _draw_methods(table: pd.DataFrame, path: Path) -> None:
    """Difference to the tuned log loss, with intervals."""
    is_shown = (table["reference"] == LOG_LOSS) & (table["measure"] == AP)
    some = table[is_shown].sort_values("mean")
    figure, axes = pyplot.subplots(figsize=(7, 0.3 * len(some) + 1))
    axes.axvspan(-MARGIN, MARGIN, color="0.9")
    axes.axvline(0, color="0.5", lw=1)
    axes.hlines(some["method"], some["low"], some["high"], color="C0")
    axes.plot(some["mean"], some["method"], "o", color="C0")
    axes.set_xscale("symlog", linthresh=0.02)
    ticks = [-0.2, -0.1, -0.05, -0.02, -0.01, 0, 0.01, 0.02]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xlabel("average precision minus that of log loss, same search")
    _store(figure, path)


def _draw_curves(table: pd.DataFrame, path: Path) -> None:
    figure, axes = pyplot.subplots(figsize=(6, 4))
    axes.axhspan(-MARGIN, MARGIN, color="0.9")
    for name, some in table.groupby("method", sort=False):
        axes.plot(some["configurations"], some["mean"], "o-", label=name)
    axes.set_xscale("log", base=2)
    axes.set_xlabel("configurations")
    axes.set_ylabel("average precision minus that of log loss")
    axes.legend(fontsize="small")
    _store(figure, path)


def _draw_small(table: pd.DataFrame, path: Path) -> None:
    panels = list(table.groupby(["host", "depth"]))
    figure, all_axes = pyplot.subplots(
        1, len(panels), figsize=(3.2 * len(panels), 3.5), sharey=True, squeeze=False
    )
    sizes = sorted(int(trees) for trees in table["trees"].unique())
    for axes, ((host, depth), some) in zip(all_axes[0], panels, strict=True):
        for place, (name, one) in enumerate(some.groupby("method", sort=False)):
            error = [one["mean"] - one["low"], one["high"] - one["mean"]]
            apart = one["trees"] * 1.07**place
            axes.errorbar(apart, one["mean"], error, fmt="o", ms=4, label=name)
        axes.axhline(0, color="0.5", lw=1)
        axes.set_xscale("log")
        axes.set_xticks(sizes, map(str, sizes))
        axes.minorticks_off()
        axes.set(title=f"{host}, depth {depth:.0f}", xlabel="trees")
    all_axes[0, 0].set_ylabel("average precision minus that of log loss")
    all_axes[0, 0].legend(fontsize="x-small")
    _store(figure, path)


def _store(figure: Any, path: Path) -> None:
    """The same figure makes the same file."""
    with pyplot.rc_context({"svg.hashsalt": path.name}):
        figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)


FIGURES: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "methods": _draw_methods,
    "curves": _draw_curves,
    "small": _draw_small,
}
