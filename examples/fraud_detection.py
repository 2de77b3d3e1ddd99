"""Find card fraud at 1:1000: log loss, class weights, SMOTE and focal loss compared.

Without arguments on transactions that the example simulates itself; with --data FILE
on a CSV or Parquet file, or on an .npz with one array for each column.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from command_line import OneLineParser, at_least, check_packages, check_picture

if TYPE_CHECKING:
    from fraud_data import Problem

PACKAGES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "pandas": "pandas",
    "sklearn": "scikit-learn",
    "imblearn": "imbalanced-learn",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
    "focalboost": "focalboost",
    "matplotlib": "matplotlib",
    "rich": "rich",
}


def command_line() -> OneLineParser:
    """Describe the options."""
    parser = OneLineParser("fraud_detection.py", description=__doc__)
    add = parser.add_argument
    count, picture = at_least(1, int), Path("fraud_detection.png")
    add("--data", type=Path, metavar="FILE", help="a .csv, .parquet or .npz file")
    add("--target", metavar="COLUMN", help="the column of labels, with two values")
    add("--time", metavar="COLUMN", help="split by this column instead of at random")
    add("--save", type=Path, metavar="DIR", help="where to save the models, if at all")
    shown = "; %(default)s unless given"
    add("--picture", type=Path, default=picture, metavar="FILE", help="name" + shown)
    add("--rows", type=count, default=200_000, help="transactions simulated" + shown)
    imbalance = "honest ones for each fraud" + shown
    add("--imbalance", type=at_least(1, float), default=1000, help=imbalance)
    add("--seed", type=at_least(0, int), default=0, help="of all chance" + shown)
    add("--rounds", type=count, default=500, help="most boosting rounds" + shown)
    add("--threads", type=count, default=2, help="for each fit" + shown)
    return parser


def check_outputs(parser: OneLineParser, options: argparse.Namespace) -> None:
    """End if a result could not be written, before anything is trained."""
    check_picture(parser, "--picture", options.picture)
    if options.save is not None:
        try:
            options.save.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            parser.error(f"--save {options.save}: name another folder ({error})")


def read_problem(parser: OneLineParser, options: argparse.Namespace) -> Problem:
    """Return the user's data or the simulation, split; end if the data are no use."""
    from fraud_data import problem_from_file, simulated_problem

    from focalboost.diagnostics.tables import DataError

    try:
        if options.data is None:
            return simulated_problem(options.rows, options.imbalance, options.seed)
        return problem_from_file(
            options.data, options.target, options.time, options.seed
        )
    except DataError as error:
        parser.error(str(error))


def main(arguments: Sequence[str] | None = None) -> None:
    """Train every method on both hosts, print the table, write the picture."""
    parser = command_line()
    options = parser.parse_args(arguments)
    if options.data is None and (options.target or options.time):
        parser.error("--target and --time describe a file: add --data FILE")
    check_packages(parser, PACKAGES)
    check_outputs(parser, options)
    # Read when a host is first imported. Its idle threads otherwise spin, and where
    # other programs use the same cores that makes training many times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    problem = read_problem(parser, options)

    from fraud_methods import Settings, fit_all, save
    from fraud_report import draw, print_report

    settings = Settings(options.rounds, options.threads, options.seed)
    fits = fit_all(problem, settings)
    print_report(problem, settings, fits)
    draw(problem, fits, options.picture)
    print(f"Picture: {options.picture}")
    if options.save is not None:
        save(fits, options.save)
        print(
            f"Models: {len(fits)} files in {options.save}; a focal one gives the focal "
            "score, and FocalLoss(gamma).posterior(raw prediction) the probability"
        )


if __name__ == "__main__":
    main()
