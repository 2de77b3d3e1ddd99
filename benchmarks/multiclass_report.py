"""The multiclass benchmark's results as markdown."""

from collections.abc import Iterator

import pandas as pd

#: Name, and whether larger is better.
METRICS = {
    "average_precision": ("macro average precision", True),
    "recall": ("macro recall", True),
    "log_loss": ("log loss", False),
}


def latest(results: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """The last row of each fit: a fit that was repeated stands there twice."""
    return results.drop_duplicates(key, keep="last")


def markdown(results: pd.DataFrame, reference: str) -> Iterator[str]:
    """Yield the lines of one table for each metric, and what failed."""
    results = latest(results, ["host", "data", "seed", "method"])
    seeds = sorted(results["seed"].unique())
    yield f"Mean over seeds {', '.join(map(str, seeds))} ± its standard error; wins and"
    yield f"losses are against the same host's {reference}, for each set and seed."
    for metric, (title, larger) in METRICS.items():
        yield ""
        yield from _table(results, metric, title, larger, reference)
    failed = results[results["status"] != "ok"]
    for (host, method), fits in failed.groupby(["host", "method"], sort=False):
        first = fits["status"].iloc[0]
        yield f"\n{host}: {method}: {len(fits)} fits failed, the first with {first}"
    yield f"\n{', '.join(sorted(results['versions'].unique()))}"


def _table(
    results: pd.DataFrame, metric: str, title: str, larger: bool, reference: str
) -> Iterator[str]:
    sets = list(results["data"].unique())
    yield f"| {title} | {' | '.join(sets)} | won | lost |"
    yield "|---" * (len(sets) + 3) + "|"
    for host, of_host in results.groupby("host", sort=False):
        ok = of_host[of_host["status"] == "ok"]
        wide = ok.pivot(index=["data", "seed"], columns="method", values=metric)
        for method in of_host["method"].unique():
            cells = [_mean(wide, method, name) for name in sets]
            counts = _counts(wide, method, larger, reference)
            yield f"| {host}: {method} | {' | '.join([*cells, *counts])} |"


def _mean(wide: pd.DataFrame, method: str, name: str) -> str:
    values = wide.loc[wide.index.get_level_values("data") == name]
    values = values[method].dropna() if method in wide else pd.Series(dtype=float)
    if values.empty:
        return "–"
    if len(values) == 1:
        return f"{values.mean():.4f}"
    return f"{values.mean():.4f} ± {values.sem():.4f}"


def _counts(
    wide: pd.DataFrame, method: str, larger: bool, reference: str
) -> tuple[str, str]:
    if method == reference or not {method, reference} <= set(wide.columns):
        return "", ""
    ahead = (wide[method] - wide[reference]) * (1 if larger else -1)
    return str(int((ahead > 0).sum())), str(int((ahead < 0).sum()))
