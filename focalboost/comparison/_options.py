"""The options of commands that read a table. They need no other package."""

import argparse
from typing import Any

#: The options of a command that reads a table, and how they are described.
OPTIONS: dict[str, dict[str, Any]] = {
    "target": {"metavar": "COLUMN", "help": "column of labels"},
    "positive": {"metavar": "LABEL", "help": "label to find; all others are the rest"},
    "drop": {"nargs": "+", "metavar": "COLUMN", "help": "columns that are no features"},
    "time": {"metavar": "COLUMN", "help": "train on earlier rows, test on later ones"},
    "group": {"metavar": "COLUMN", "help": "keep rows with the same value together"},
    "categorical": {
        "nargs": "+", "metavar": "COLUMN", "help": "columns of numbers that are names"
    },
    "date_parts": {
        "action": "store_true", "help": "use month, day, weekday and hour of dates"
    },
    "cost": {
        "nargs": "+", "type": float, "metavar": "NUMBER",
        "help": "cost of an alert, and cost of a miss",
    },
    "cost_column": {"metavar": "COLUMN", "help": "cost of a miss by row: the amount"},
    "separator": {"help": "of a CSV file, such as ';' or tab"},
    "decimal": {"choices": (".", ","), "help": "decimal point of a CSV file"},
    "encoding": {"help": "of a CSV file, such as cp1252"},
}  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``read_table`` to a parser."""
    for name, settings in OPTIONS.items():
        if settings.get("nargs") == "+":
            settings = {"action": "extend", **settings}
        parser.add_argument(f"--{name.replace('_', '-')}", **settings)


def options_given(options: argparse.Namespace) -> list[str]:
    """Return the options of ``read_table`` that were typed."""
    return [
        f"--{name.replace('_', '-')}"
        for name in OPTIONS
        if getattr(options, name) not in (None, False)
    ]
