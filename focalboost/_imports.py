"""Imports what is not required, at the point of use."""

import importlib
from types import ModuleType

__all__ = ["import_extra"]


def import_extra(name: str, advice: str) -> ModuleType:
    """Import a module, or say how it is installed."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ModuleNotFoundError(
            f"{name} is not installed: {advice}", name=name
        ) from None
