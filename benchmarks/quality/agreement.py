"""Whether compare_losses, on all rows of three sets, says what the benchmark says."""

from pathlib import Path

import pandas as pd

from focalboost.comparison import compare_losses
from quality.intervals import Interval, by_problem
from quality.markdown import interval, paragraph, table
from quality.methods import ESTIMATORS
from quality.outcomes import Outcomes
from quality.problems import BY_NAME
from quality.tables import AbsentError

AP, REFERENCE = "average_precision", "log loss"
SETS = ("mammography", "wilt", "ulb_creditcard_casecontrol")
METHODS = ("weights: ratio", "SMOTE", "focal, γ = 2", "focal, γ = (0, 2)")
COLUMNS = ["problem", "host", "method", "difference", "low", "high"]


def write_agreement(folder: Path, host: str = "lightgbm") -> None:
    """Cross-validate on the sets, and store the differences as agreement.csv."""
    lines = []
    for name in SETS:
        try:
            rows = BY_NAME[name].table(0)
        except AbsentError as error:
            raise SystemExit(f"{name}: {error}") from error
        found = compare_losses(
            ESTIMATORS[host],
            rows.X,
            rows.y_true,
            losses=[REFERENCE, *METHODS],
            progress=False,
        )
        for method in METHODS:
            one = found.difference(method, REFERENCE)
            lines.append((name, host, method, one.mean, one.low, one.high))
    written = pd.DataFrame(lines, columns=COLUMNS)
    written.to_csv(folder / "agreement.csv", index=False, float_format="%.5g")


def agreement(o: Outcomes, folder: Path) -> list[str]:
    """The section of the report."""
    path = folder / "agreement.csv"
    if not path.exists():
        return []
    rows, overlaps, inside = [], [], []
    for line in pd.read_csv(path).itertuples():
        if line.problem not in o.problems.index:
            continue
        wide = o.wide(line.host, AP, [line.problem])
        differences = wide[line.method] - wide[REFERENCE]
        ours = by_problem(differences, o.problems)[line.problem]
        theirs = Interval(line.difference, line.low, line.high)
        overlaps.append(ours.low <= theirs.high and theirs.low <= ours.high)
        inside.append(ours.low <= theirs.value <= ours.high)
        cells = [line.problem, line.method, interval(ours), interval(theirs)]
        rows.append([*cells, "yes" if overlaps[-1] else "no"])
    header = ["", "minus log loss", "benchmark", "compare_losses", "intervals overlap"]
    return [
        "## Does `compare_losses` say the same?",
        "",
        *paragraph(
            "Five folds twice on all rows, LightGBM, against the benchmark's splits: "
            f"the intervals overlap in {sum(overlaps)} of {len(overlaps)} cases, and "
            f"{sum(inside)} of its estimates lie in the benchmark's interval."
        ),
        *table(header, rows),
    ]
