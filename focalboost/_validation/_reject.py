"""The one error that every check raises."""

from typing import NoReturn

__all__ = ["reject"]


def reject(name: str, rule: str, value: object, advice: str) -> NoReturn:
    """Raise the ValueError that every check of this package raises."""
    raise ValueError(f"{name} must be {rule}; got {_shown(value)}. {advice}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
