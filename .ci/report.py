"""The table of the sessions.

Without arguments it prints the head; with them it writes the line of one session, with
the versions of the Python it runs in:

    python report.py RESULTS.xml NAME OPTIONS
"""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from xml.etree import ElementTree

COLUMNS = {
    "NumPy": ("numpy",),
    "SciPy": ("scipy",),
    "scikit-learn": ("scikit-learn",),
    "XGBoost": ("xgboost-cpu", "xgboost"),
    "LightGBM": ("lightgbm",),
    "Dask": ("dask",),
    "PySpark": ("pyspark",),
}
HEAD = [
    "session",
    "Python",
    *COLUMNS,
    "tests",
    "passed",
    "skipped",
    "failed",
    "seconds",
]


def version_of(names: tuple[str, ...]) -> str:
    """The version of the first of these packages that is installed."""
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return "–"


def line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def cells(results: Path, name: str, options: str) -> list[str]:
    """What one session has run, by pytest's own account."""
    suite = next(ElementTree.parse(results).iter("testsuite"))
    total, skipped, *bad = (
        int(suite.get(key, 0)) for key in ("tests", "skipped", "failures", "errors")
    )
    counts = [total - skipped - sum(bad), skipped, sum(bad)]
    versions = map(version_of, COLUMNS.values())
    seconds = f"{float(suite.get('time', 0)):.0f}"
    head = [name, platform.python_version(), *versions, options or "all"]
    return [*head, *map(str, counts), seconds]


if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(line(HEAD) + line(["---"] * len(HEAD)), end="")
    else:
        results = Path(sys.argv[1])
        row = line(cells(results, *sys.argv[2:]))
        results.with_suffix(".row").write_text(row, "utf-8")
