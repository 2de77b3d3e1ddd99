"""Finalises a LightGBM model in its text form.

LightGBM forgets the start of training (init_score) and the link if the objective is a
callable. Both can be written into the text: the baseline into the leaves of the first
iteration, as LightGBM itself does for its own objectives (Tree::AddBias), and the
objective into the header.
"""

import re
from typing import NamedTuple

from focalboost._validation import reject

__all__ = ["finalised_text", "is_finalised", "without_objective"]

#: The header line that makes predict return expit(raw prediction).
OBJECTIVE_LINE = "objective=binary sigmoid:1"

_SHIFTED = ("leaf_value", "leaf_const", "internal_value")


class _Parts(NamedTuple):
    """A model's text: header lines, one block for each tree, and the rest."""

    header: list[str]
    trees: list[str]
    tail: str


def finalised_text(text: str, baseline: float) -> str:
    """Return the text of the same model that predicts expit(raw + baseline)."""
    header, trees, tail = _split(text)
    first_iteration = int(_field(header, "num_tree_per_iteration"))
    if baseline != 0:
        shifted = [_shift(tree, baseline) for tree in trees[:first_iteration]]
        trees = shifted + trees[first_iteration:]
    header = _with_sizes(header, trees)
    position = header.index(f"max_feature_idx={_field(header, 'max_feature_idx')}") + 1
    header.insert(position, OBJECTIVE_LINE)
    tail = re.sub(
        r"^\[objective: .*\]$", "[objective: binary]", tail, count=1, flags=re.M
    )
    return "\n".join(header) + "\n" + "".join(trees) + tail


def is_finalised(text: str) -> bool:
    """Whether a model predicts expit(raw) already; one of another objective raises."""
    header = _split(text).header
    named = [line for line in header if line.startswith("objective=")]
    if named and named[0] != OBJECTIVE_LINE:
        reject(
            "model",
            f"without an objective, or with {OBJECTIVE_LINE!r}",
            named[0],
            "Use a model of focalboost, or of LightGBM's own log loss.",
        )
    return bool(named)


def without_objective(text: str) -> str:
    """Return the text of the same model that predicts raw."""
    return text.replace(f"{OBJECTIVE_LINE}\n", "", 1)


def _split(text: str) -> _Parts:
    body, end, tail = text.partition("end of trees\n")
    header, first, trees = body.partition("Tree=0\n")
    if not (end and first):
        reject(
            "model text",
            "a LightGBM model with at least one tree",
            text[:40],
            "Train for at least one round.",
        )
    blocks = re.split(r"^(?=Tree=\d+$)", first + trees, flags=re.M)
    return _Parts(header.split("\n")[:-1], [b for b in blocks if b], end + tail)


def _field(lines: list[str], name: str) -> str:
    """The value of a line name=value."""
    return next(line.partition("=")[2] for line in lines if line.startswith(f"{name}="))


def _shift(tree: str, baseline: float) -> str:
    """The tree with the baseline added to each of its values."""
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
