"""Finalises a LightGBM model in its text form.

LightGBM forgets the start of training (init_score) and the link if the objective is a
callable. Both can be written into the text: the baseline into the leaves of the first
iteration, as LightGBM itself does for its own objectives (Tree::AddBias), and the
objective into the header. An iteration has one tree, or one for each class.
"""

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import reject

__all__ = [
    "finalised_text",
    "has_its_parameters",
    "has_its_trees",
    "is_finalised",
    "note_in",
    "number_of_scores",
    "objective_name",
    "with_note",
    "without_note",
    "without_objective",
]

#: With the line end before it, as a feature may be named Tree=0.
_FIRST, _END = "\nTree=0\n", "end of trees\n"

#: A note among the parameters, which LightGBM keeps when it saves a loaded model. It
#: stands where the name of a parameter does, as LightGBM passes over a parameter
#: without a value and warns of a name that it does not know.
_NOTE = r"^\[{name} (.*): \]$"

_SHIFTED = ("leaf_value", "leaf_const", "internal_value")


class _Parts(NamedTuple):
    """A model's text: header lines, one block for each tree, and the rest."""

    header: list[str]
    trees: list[str]
    tail: str


def finalised_text(
    text: str, baseline: float | NDArray[np.float64], note: str | None = None
) -> str:
    """Return the text of the same model that predicts from raw + baseline.

    A note is for whoever continues or loads it; see ``note_in``.
    """
    header, trees, tail = _split(text)
    shifts = np.broadcast_to(baseline, number_of_scores(text)).tolist()
    if len(trees) < len(shifts):
        reject(
            "model text",
            f"with a tree for each of {len(shifts)} raw predictions",
            len(trees),
            "Save the model again.",
        )
    for position, shift in enumerate(shifts):
        trees[position] = _shift(trees[position], shift)
    header = _with_sizes(header, trees)
    position = header.index(f"max_feature_idx={_field(header, 'max_feature_idx')}") + 1
    header.insert(position, _objective_line(text))
    named = f"[objective: {objective_name(text)}]"
    tail = re.sub(r"^\[objective: .*\]$", named, tail, flags=re.M)
    text = "\n".join(header) + "\n" + "".join(trees) + tail
    return text if note is None else with_note(text, note)


def is_finalised(text: str) -> bool:
    """Whether a model predicts scores already; one of another objective raises."""
    header = _header(text)
    named = [line for line in header if line.startswith("objective=")]
    if named and named[0] != _objective_line(text):
        reject(
            "model",
            f"without an objective, or with {_objective_line(text)!r}",
            named[0],
            "Use a model of focalboost, or of LightGBM's own log loss.",
        )
    return bool(named)


def without_objective(text: str) -> str:
    """Return the text of the same model that predicts raw."""
    return text.replace(f"{_objective_line(text)}\n", "")


def with_note(text: str, note: str, name: str = "focalboost") -> str:
    """The text of the same model with a note behind its parameters."""
    # LightGBM splits the line at colons.
    line = f"[{name} {quote(note, safe=' ,.{}[]')}: ]"
    end = r"\n+end of parameters$"
    return re.sub(end, f"\n{line}\\g<0>", text, flags=re.M)


def note_in(text: str, name: str = "focalboost") -> str | None:
    """The note of a model, or None."""
    found = re.search(_NOTE.format(name=name), text, flags=re.M)
    return None if found is None else unquote(found[1])


def without_note(text: str, name: str) -> str:
    """The text of the same model without a note."""
    return re.sub(_NOTE.format(name=name) + r"\n", "", text, flags=re.M)


def number_of_scores(text: str) -> int:
    """The number of raw predictions for a row: 1, or that of the classes."""
    return int(_field(_header(text), "num_tree_per_iteration"))


def objective_name(text: str) -> str:
    """LightGBM's own objective for as many raw predictions."""
    return "binary" if number_of_scores(text) == 1 else "multiclass"


def _objective_line(text: str) -> str:
    """The header line that makes predict return expit(raw), or the softmax."""
    scores = number_of_scores(text)
    link = "sigmoid:1" if scores == 1 else f"num_class:{scores}"
    return f"objective={objective_name(text)} {link}"


def _split(text: str) -> _Parts:
    header = _header(text)
    body, end, tail = text.partition(_END)
    first = body.index(_FIRST) + 1
    blocks = re.split(r"^(?=Tree=\d+$)", body[first:], flags=re.M)
    return _Parts(header, [b for b in blocks if b], end + tail)


def _header(text: str) -> list[str]:
    header, first, trees = text.partition(_FIRST)
    if not first or _END not in trees:
        reject(
            "model text",
            "a LightGBM model with at least one tree",
            text[:40],
            "Train for at least one round.",
        )
    return header.split("\n")


def has_its_trees(text: str) -> bool:
    """Whether a text has the trees whose lengths it lists, one after the other."""
    if _FIRST not in text or _END not in text:
        return False
    header, trees, _ = _split(text)
    return _with_sizes(header, trees) == header


_PARAMETER = re.compile(r"\[[^:]+: .*\]")


def has_its_parameters(text: str) -> bool:
    """Whether every parameter has a name and a value, which LightGBM takes on trust."""
    _, _, rest = text.partition("\nparameters:")
    lines = rest.partition("\nend of parameters")[0].split("\n")
    return all(_PARAMETER.fullmatch(line) for line in lines if line)


def _field(lines: list[str], name: str) -> str:
    """The value of a line name=value."""
    found = [line for line in lines if line.startswith(f"{name}=")]
    if not found:
        reject("model text", f"with a line {name}=", lines[:3], "Save the model again.")
    return found[0].partition("=")[2]


def _shift(tree: str, baseline: float) -> str:
    """The tree with the baseline added to each of its values."""
    if baseline == 0:
        return tree
    lines = [_shift_line(line, baseline) for line in tree.split("\n")]
    return "\n".join(lines)


def _shift_line(line: str, baseline: float) -> str:
    name, _, values = line.partition("=")
    if name == "shrinkage":
        return "shrinkage=1"
    if name not in _SHIFTED:
        return line
    return f"{name}=" + " ".join(repr(float(v) + baseline) for v in values.split())


def _with_sizes(header: list[str], trees: list[str]) -> list[str]:
    """The header with the byte lengths of the trees, which the loader goes by."""
    sizes = "tree_sizes=" + " ".join(str(len(tree.encode())) for tree in trees)
    return [sizes if line.startswith("tree_sizes=") else line for line in header]
