"""Tables and words of the report."""

from collections.abc import Iterable, Sequence

from quality.intervals import Comparison, Interval


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(line)} |" for line in lines] + [""]


def number(value: float, digits: int = 3, sign: str = "") -> str:
    """With a true minus sign."""
    return f"{value:{sign}.{digits}f}".replace("-", "−")


def interval(one: Interval, digits: int = 3, sign: str = "+") -> str:
    """As value [low, high]."""
    value, low, high = (number(v, digits, sign) for v in (one.value, one.low, one.high))
    return f"{value} [{low}, {high}]"


def counts(one: Comparison) -> str:
    """Won, tied and lost, and in brackets the signs of the means."""
    return f"{one.won} / {one.tied} / {one.lost} ({one.ahead} : {one.behind})"


#: What an interval of a difference says of the first, where more is better.
WORDS = {"above": "better than", "level": "level with", "below": "worse than"}


def sentence(first: str, second: str, one: Comparison) -> str:
    """In words, with the numbers."""
    word = WORDS[one.difference.verdict]
    return (
        f"{first} is {word} {second}: {interval(one.difference)} average precision; "
        f"won {one.won}, tied {one.tied}, lost {one.lost} problems "
        f"(means ahead on {one.ahead}, behind on {one.behind})."
    )


def listed(names: Sequence[str]) -> str:
    """Names in a sentence."""
    return ", ".join(names) if names else "none"
