"""Tables and words of the report."""

from collections.abc import Iterable, Sequence
from math import isfinite
from textwrap import wrap

from quality.intervals import Comparison, Interval

#: What an interval of a difference says of the first, where more is better.
WORDS = {"above": "better than", "level": "level with", "below": "worse than"}


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines] + [""]


def paragraph(text: str) -> list[str]:
    """The lines of a text, and an empty one."""
    return [*wrap(text, 88, break_long_words=False, break_on_hyphens=False), ""]


def bullets(texts: Iterable[str]) -> list[str]:
    """The lines of a list, and an empty one."""
    lines = []
    for text in texts:
        lines += wrap(
            text,
            88,
            initial_indent="* ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return [*lines, ""]


def number(value: float, digits: int = 3, sign: str = "") -> str:
    """With a true minus sign."""
    return f"{value:{sign}.{digits}f}".replace("-", "−")


def interval(one: Interval, digits: int = 3, sign: str = "+") -> str:
    """As value [low, high], or the value alone, where a single one gave it."""
    value, low, high = (number(v, digits, sign) for v in (one.value, one.low, one.high))
    return f"{value} [{low}, {high}]" if isfinite(one.high - one.low) else value


def counts(one: Comparison) -> str:
    """Won, tied and lost, and in brackets the signs of the means."""
    return f"{one.won} / {one.tied} / {one.lost} ({one.ahead} : {one.behind})"


def sentence(first: str, second: str, one: Comparison) -> str:
    """In words, with the numbers."""
    word = WORDS[one.difference.verdict]
    return (
        f"{first} is {word} {second}: {interval(one.difference)}; won {one.won}, tied "
        f"{one.tied}, lost {one.lost} (means ahead on {one.ahead}, behind on "
        f"{one.behind})."
    )


def listed(names: Sequence[str]) -> str:
    """Names in a sentence."""
    return ", ".join(names) if names else "none"
