"""XGBoost models from files.

XGBoost's reader of UBJSON crashes the interpreter on some files that are cut short, so
their end is looked at first.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from focalboost._host import import_host
from focalboost._trial import is_usable
from focalboost._validation import reject

if TYPE_CHECKING:
    import xgboost

__all__ = ["booster_of_content", "booster_of_file", "content_of"]

_ADVICE = "It is of another kind, has been edited, or is cut short: save it again."


def booster_of_file(source: Any, name: str) -> "xgboost.Booster":
    """The booster in a file, or in the bytes of one; others are an error."""
    return booster_of_content(content_of(source, name), name, source)


def booster_of_content(content: bytearray, name: str, source: Any) -> "xgboost.Booster":
    """The booster in the content of a source, which is tried out first."""
    if not _is_whole(content):
        reject(name, "a whole XGBoost model", source, _ADVICE)
    library = import_host("xgboost")
    if not is_usable(library, content):
        reject(name, "an XGBoost model that can be used", source, _ADVICE)
    try:
        booster: xgboost.Booster = library.Booster(model_file=content)
    except (library.core.XGBoostError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        reject(name, "an XGBoost model", source, f"{_ADVICE} XGBoost says: {reason}")
    return booster


def content_of(source: Any, name: str) -> bytearray:
    """The bytes of a file, or those given."""
    if isinstance(source, bytes | bytearray):
        return bytearray(source)
    try:
        return bytearray(Path(os.fspath(source)).read_bytes())
    except TypeError:
        reject(name, "the path of a file, or its bytes", source, "Pass a str or Path.")


def _is_whole(content: bytearray) -> bool:
    """Whether JSON or UBJSON comes to its end, where both have the key "version"."""
    end = content.rstrip(b"\n")[-64:]
    return content.startswith(b"{") and b"version" in end and end.endswith(b"}")
