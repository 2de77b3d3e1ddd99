"""What the examples share on the command line: errors of one line, checked options."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

PICTURE_FORMATS = (".pdf", ".png", ".svg")


class OneLineParser(argparse.ArgumentParser):
    """A parser that words every error in one line and exits with code 2."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, without the usage."""
        self.exit(2, f"{self.prog}: error: {' '.join(message.split())}\n")


def at_least(minimum: int, kind: type[int] | type[float]) -> Callable[[str], float]:
    """Return a reader of numbers for argparse."""

    def number(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = minimum - 1
        if not minimum <= value < float("inf"):
            name = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"{text!r} is not {name} >= {minimum}")
        return value

    return number


def check_packages(parser: OneLineParser, packages: Mapping[str, str]) -> None:
    """End with the command that installs what is missing, by module and package."""
    missing = [packages[module] for module in packages if find_spec(module) is None]
    if missing:
        parser.error(f"missing packages, install them: pip install {' '.join(missing)}")


def check_picture(parser: OneLineParser, option: str, path: Path) -> None:
    """End if a picture could not be written, before anything is trained."""
    if path.suffix.lower() not in PICTURE_FORMATS:
        endings = ", ".join(PICTURE_FORMATS)
        parser.error(f"{option} {path}: end the name in one of {endings}")
    if not path.parent.is_dir():
        parser.error(f"{option} {path}: create its folder first")
