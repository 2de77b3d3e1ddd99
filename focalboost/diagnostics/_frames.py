"""Results as pandas tables."""

from typing import Any

from focalboost._imports import import_extra

__all__ = ["data_frame"]


def data_frame(content: Any, **options: Any) -> Any:
    """A DataFrame of columns by name, or of a list of lines."""
    pandas = import_extra("pandas", "pip install 'focalboost[diagnostics]'")
    return pandas.DataFrame(content, **options)
