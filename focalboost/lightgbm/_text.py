"""Edits the text form of LightGBM models.

LightGBM forgets the start of training (init_score) and the link if the objective is a
callable. To finalise a model is to write both into its text: the baseline into the
leaves of the first iteration (a tree, or one for each class), as LightGBM itself does
for its own objectives (Tree::AddBias), and the objective into the header.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._files import DIGEST, UNSIGNED
from focalboost._validation import reject

#: With the line end before it, as a feature may be named Tree=0.
_FIRST, _END = "\nTree=0\n", "end of trees\n"

#: The line before which notes stand. LightGBM keeps notes when it saves a loaded model:
#: they look like parameters. A note has the place of a parameter's name, because
#: LightGBM ignores a parameter without a value, and warns of a name it does not know.
_END_OF_PARAMETERS = "\nend of parameters"

#: The lines of a tree with values that a constant is added to.
_SHIFTED = re.compile("^(leaf_value|leaf_const|internal_value)=(.*)$", re.M)


class _Parts(NamedTuple):
    """A model's text: header lines, one block for each of the first trees, the rest."""

    header: list[str]
    trees: list[str]
    rest: str

    @property
    def text(self) -> str:
        """The model's text, with the sizes of trees in bytes, which the loader uses."""
        header, n_trees = [*self.header], len(self.trees)
        i = _index(header, "tree_sizes")
        sizes = header[i].removeprefix("tree_sizes=").split(" ", n_trees)
        sizes[:n_trees] = [str(len(tree.encode())) for tree in self.trees]
        header[i] = f"tree_sizes={' '.join(sizes)}"
        return "".join(["\n".join(header), "\n", *self.trees, self.rest])


def finalised_text(
    text: str, baseline: float | NDArray[np.float64], note: str | None = None
) -> str:
    """Return the text of the same model that predicts from raw + baseline."""
    name, with_line = objective_name(text), rf"\g<0>\n{_objective_line(text)}"
    text = shifted_text(text, baseline)
    text = re.sub("^max_feature_idx=.*$", with_line, text, count=1, flags=re.M)
    # The objective stands among the parameters as well.
    head, start, tail = text.rpartition("\n[objective: ")
    if start:
        _, _, rest = tail.partition("\n")
        text = f"{head}{start}{name}]\n{rest}"
    return text if note is None else with_note(text, note)


def shifted_text(text: str, shift: float | NDArray[np.float64]) -> str:
    """Return the text of the same model with a constant added to its first trees."""
    scores = number_of_scores(text)
    header, trees, rest = _split(text, scores)
    shifts = np.broadcast_to(shift, scores).tolist()
    return _Parts(header, list(map(_shifted_tree, trees, shifts)), rest).text


def leaves_of(text: str) -> list[tuple[NDArray[np.float64], float]]:
    """The leaf values of every tree, and what multiplies the steps to them."""
    shrinkages = re.findall("^shrinkage=(.*)$", text, re.M)
    lines = re.findall("^leaf_value=(.*)$", text, re.M)
    pairs = zip(lines, shrinkages, strict=True)
    return [(np.array(line.split(), np.float64), float(each)) for line, each in pairs]


def with_leaves(text: str, values: list[NDArray[np.float64]]) -> str:
    """The text of the same model with other values in its leaves."""
    lines = (f"leaf_value={_line(leaves)}" for leaves in values)
    text = re.sub("^leaf_value=.*$", lambda _: next(lines), text, flags=re.M)
    return _split(text).text  # with the new sizes


def parameters_in(text: str) -> dict[str, str]:
    """The parameters that a model was trained with."""
    block = text[text.rfind("\nparameters:") : text.rfind(_END_OF_PARAMETERS)]
    return dict(re.findall(r"^\[(\w+): (.*)\]$", block, flags=re.M))


def _line(values: Iterable[float]) -> str:
    return " ".join(repr(float(value)) for value in values)


def _shifted_tree(tree: str, shift: float) -> str:
    """The tree with a constant added to each of its values."""
    if shift == 0:
        return tree

    def shifted(line: re.Match[str]) -> str:
        return f"{line[1]}={_line(float(value) + shift for value in line[2].split())}"

    tree = _SHIFTED.sub(shifted, tree)
    return re.sub("^shrinkage=.*$", "shrinkage=1", tree, flags=re.M)


def is_finalised(text: str) -> bool:
    """Whether a model predicts scores already; one of another objective raises."""
    named, own = value_in(text, "objective"), _objective_line(text)
    if named is None:
        return False
    if f"objective={named}" != own:
        rule = f"without an objective, or with {own!r}"
        advice = "Use a model of focalboost, or of LightGBM's own log loss."
        reject("model", rule, f"objective={named}", advice)
    return True


def with_note(text: str, note: str, name: str = "focalboost") -> str:
    """The text of the same model with a note after its parameters."""
    head, end, tail = without_note(text, name).rpartition(_END_OF_PARAMETERS)
    if not end:
        return text
    # LightGBM splits the line at colons.
    line = f"[{name} {quote(note, safe=' ,.{}[]')}: ]"
    return "".join([head.rstrip("\n"), "\n", line, "\n", end, tail])


def note_in(text: str, name: str = "focalboost") -> str | None:
    """The note of a model, or None."""
    start, end = _place_of_note(text, name)
    if start < 0:
        return None
    return unquote(text[start + len(f"\n[{name} ") : end].removesuffix(": ]"))


def without_note(text: str, name: str) -> str:
    """The text of the same model without a note."""
    start, end = _place_of_note(text, name)
    return text if start < 0 else text[:start] + text[end:]


def _place_of_note(text: str, name: str) -> tuple[int, int]:
    """Where the line of a note begins, with the line end before it, and ends."""
    start = text.rfind(f"\n[{name} ", max(text.rfind("\nparameters:"), 0))
    return start, text.find("\n", start + 1)


def signable_text(text: str, line: str) -> str:
    """The text with a place for a digest and a line, which a file cut short keeps."""
    first, end, rest = text.partition("\n")
    return f"{first}{end}{DIGEST}={UNSIGNED}\n{line}\n{rest}"


def value_in(text: str, name: str) -> str | None:
    """The value of a line ``name=value`` of the header, or None."""
    header = _header(text)
    i = _index(header, name)
    return None if i < 0 else header[i].partition("=")[2]


def number_of_scores(text: str) -> int:
    """The number of raw predictions for a row: 1, or that of the classes."""
    return int(value_in(text, "num_tree_per_iteration") or 1)


def objective_name(text: str) -> str:
    """LightGBM's own objective for as many raw predictions."""
    return "binary" if number_of_scores(text) == 1 else "multiclass"


def _objective_line(text: str) -> str:
    """The header line that makes predict return expit(raw), or the softmax."""
    scores = number_of_scores(text)
    link = "sigmoid:1" if scores == 1 else f"num_class:{scores}"
    return f"objective={objective_name(text)} {link}"


def _split(text: str, count: int | None = None) -> _Parts:
    """The text with its first trees apart, or all of them."""
    header, trees = _header(text), list[str]()
    start, end_of_trees = text.index(_FIRST) + 1, text.rindex(_END)
    while start < end_of_trees and (count is None or len(trees) < count):
        following = text.find(f"\nTree={len(trees) + 1}\n", start)
        end = end_of_trees if following < 0 else following + 1
        trees.append(text[start:end])
        start = end
    return _Parts(header, trees, text[start:])


def _header(text: str) -> list[str]:
    end = text.find(_FIRST)
    if end < 0 or text.rfind(_END) < end:
        rule = "a LightGBM model with at least one tree"
        reject("model text", rule, text[:40], "Train for at least one round.")
    return text[:end].split("\n")


def _index(lines: list[str], name: str) -> int:
    """The place of the line name=value, or -1."""
    places = (i for i, line in enumerate(lines) if line.startswith(f"{name}="))
    return next(places, -1)
