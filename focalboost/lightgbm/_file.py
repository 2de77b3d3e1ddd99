"""LightGBM models from files.

LightGBM goes by the lengths that a file names. Of one that is cut short, or whose line
ends have been converted, it reads past the end, and the interpreter crashes: a file is
looked through first.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from focalboost._host import import_host
from focalboost._trial import is_usable
from focalboost._validation import reject
from focalboost.lightgbm._text import has_its_parameters, has_its_trees

if TYPE_CHECKING:
    import lightgbm

__all__ = ["booster_of_file", "booster_of_text", "text_of_file"]

_ADVICE = "It is of another kind, has been edited, or is cut short: save it again."

#: What the last line of a model is, or begins with.
_ENDS = ("end of parameters", "end of parser", "pandas_categorical:")


def booster_of_file(path: Any, name: str) -> "lightgbm.Booster":
    """The booster in a file that LightGBM has saved; others are an error."""
    return booster_of_text(text_of_file(path, name), name)


def text_of_file(path: Any, name: str) -> str:
    """The text in a file, which need not be a model."""
    try:
        content = Path(os.fspath(path)).read_bytes()
    except TypeError:
        reject(name, "the path of a file", path, "Pass a str or a pathlib.Path.")
    try:
        return content.decode()
    except UnicodeDecodeError:
        reject(name, "a LightGBM model, which is a text file", path, _ADVICE)


def booster_of_text(text: str, name: str) -> "lightgbm.Booster":
    """The booster of a model's text, which is tried out first.

    A text that is not whole, or of no use, is an error.
    """
    last = text.rstrip("\n").rpartition("\n")[2]
    if not text.startswith("tree\n") or not last.startswith(_ENDS):
        reject(name, "a whole LightGBM model", _excerpt(text), _ADVICE)
    if not has_its_trees(text):
        reject(name, "a model with the trees that it lists", _excerpt(text), _ADVICE)
    if not has_its_parameters(text):
        reject(name, "a model with whole parameters", _excerpt(text), _ADVICE)
    library = import_host("lightgbm")
    if not is_usable(library, text.encode()):
        reject(name, "a LightGBM model that can be used", _excerpt(text), _ADVICE)
    try:
        booster: lightgbm.Booster = library.Booster(model_str=text)
    except (library.basic.LightGBMError, ValueError) as error:
        reject(name, "a LightGBM model", _excerpt(text), f"LightGBM says: {error}")
    return booster


def _excerpt(text: str) -> str:
    """Where a text begins and ends."""
    return text if len(text) < 60 else f"{text[:30]} ... {text[-30:]}"
