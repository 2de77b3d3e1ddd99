"""The finaliser on texts short enough to write down what becomes of every line."""

import pytest

from focalboost.lightgbm._text import (
    finalised_text,
    is_finalised,
    note_in,
    number_of_scores,
    objective_name,
    signable_text,
    value_in,
    with_note,
    without_note,
)

#: A tree of LightGBM 4, and with 2 added to its values.
TREE = """\
Tree={number}
num_leaves=2
split_feature=0
leaf_value=0.25 -0.5
leaf_weight=3.5 9.25
internal_value=0.125
is_linear=1
leaf_const=0.75 1
leaf_coeff=2 4
shrinkage=0.1


"""

SHIFTED = """\
Tree={number}
num_leaves=2
split_feature=0
leaf_value=2.25 1.5
leaf_weight=3.5 9.25
internal_value=2.125
is_linear=1
leaf_const=2.75 3.0
leaf_coeff=2 4
shrinkage=1


"""

HEADER = """\
tree
version=v4
num_class={scores}
num_tree_per_iteration={scores}
max_feature_idx=1
{objective}feature_names=größe num_tree_per_iteration=7 Tree=0
tree_sizes={sizes}

"""

TAIL = """\
end of trees

feature_importances:
größe=1

parameters:
[boosting: gbdt]
[objective: {objective}]
[metric: ]
{note}
end of parameters

pandas_categorical:[["[objective: a]", "Tree=0"]]
"""

OBJECTIVES = {1: "binary sigmoid:1", 3: "multiclass num_class:3"}


def model(scores, trees, *, is_final=False, note=""):
    """The text of a model; a tree is a template."""
    blocks = [tree.format(number=i) for i, tree in enumerate(trees)]
    name = OBJECTIVES[scores]
    header = HEADER.format(
        scores=scores,
        objective=f"objective={name}\n" if is_final else "",
        sizes=" ".join(str(len(block)) for block in blocks),
    )
    objective = name.split()[0] if is_final else "custom"
    return header + "".join(blocks) + TAIL.format(objective=objective, note=note)


PLAIN = model(1, [TREE] * 11)


def test_one_score_is_added_to_the_first_tree():
    expected = model(1, [SHIFTED] + [TREE] * 10, is_final=True)
    assert finalised_text(PLAIN, 2.0) == expected


def test_every_class_has_its_score_added_to_its_first_tree():
    plain = model(3, [TREE] * 6)
    expected = model(3, [TREE, SHIFTED, SHIFTED] + [TREE] * 3, is_final=True)
    assert finalised_text(plain, [0.0, 2.0, 2.0]) == expected
    same = model(3, [SHIFTED] * 3, is_final=True)
    assert finalised_text(model(3, [TREE] * 3), 2.0) == same


@pytest.mark.parametrize("shift", [0.1, -7.3, 1e-300, 12345.678])
def test_sums_are_kept_to_the_last_bit(shift):
    text = finalised_text(PLAIN, shift)
    values = text.partition("leaf_value=")[2].partition("\n")[0].split()
    assert [float(value) for value in values] == [0.25 + shift, -0.5 + shift]


def test_a_note_stands_behind_the_parameters():
    note = 'a: [b]\n{"größe": 1, c.d}'
    line = "[focalboost a%3A [b]%0A{%22gr%C3%B6%C3%9Fe%22%3A 1, c.d}: ]\n"
    text = finalised_text(PLAIN, 2.0, note)
    assert text == model(1, [SHIFTED] + [TREE] * 10, is_final=True, note=line)
    assert note_in(text) == note
    assert note_in(PLAIN) is None


def test_notes_of_two_names_are_kept_apart():
    text = with_note(with_note(PLAIN, "one"), "two", "other")
    notes = [note_in(text), note_in(text, "other"), note_in(text, "oth")]
    assert notes == ["one", "two", None]
    assert without_note(text, "other") == with_note(PLAIN, "one")
    assert without_note(text, "oth") == text


def test_a_finalised_text_is_known():
    assert not is_finalised(PLAIN)
    for scores in (1, 3):
        assert is_finalised(model(scores, [TREE] * 3, is_final=True))


@pytest.mark.parametrize(
    ("scores", "found"),
    [
        (1, "regression"),
        (1, "binary sigmoid:2"),
        (1, "multiclass num_class:3"),
        (3, "binary sigmoid:1"),
        (3, "multiclass num_class:2"),
        (3, "multiclassova num_class:3 sigmoid:1"),
    ],
)
def test_a_text_of_another_objective_is_refused(scores, found):
    text = model(scores, [TREE] * 3, is_final=True)
    line = f"objective={OBJECTIVES[scores]}"
    message = (
        f"^model must be without an objective, or with '{line}'; "
        f"got 'objective={found}'. Use a model of focalboost, or of LightGBM's own"
    )
    with pytest.raises(ValueError, match=message):
        is_finalised(text.replace(line, f"objective={found}"))


def test_the_number_of_scores_is_that_of_the_header():
    assert (number_of_scores(PLAIN), objective_name(PLAIN)) == (1, "binary")
    several = model(3, [TREE] * 3)
    assert (number_of_scores(several), objective_name(several)) == (3, "multiclass")


@pytest.mark.parametrize("line", ["\nTree=0\n", "end of trees\n"])
def test_a_text_without_trees_is_refused(line):
    assert line in PLAIN
    with pytest.raises(ValueError, match=r"^model text must be ") as error:
        finalised_text(PLAIN.replace(line, ""), 2.0)
    rule = (
        "a LightGBM model with at least one tree; got 'tree\\nversion=v4\\nnum_class=1"
    )
    assert str(error.value).startswith(f"model text must be {rule}")
    assert str(error.value).endswith(" Train for at least one round.")


def test_what_is_signed_stands_first():
    text = signable_text(PLAIN, "name=value")
    start = f"tree\nfocalboost_sha256={'0' * 64}\nname=value\nversion=v4\n"
    assert text == PLAIN.replace("tree\nversion=v4\n", start, 1)
    assert value_in(text, "name") == "value"
    assert value_in(PLAIN, "name") is None
