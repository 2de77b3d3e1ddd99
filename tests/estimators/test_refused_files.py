"""Files that are not to be loaded, and what is said of them."""

import contextlib
import json
import pickle
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from host_drivers import LightGBMDriver
from saved_files import NAMES, booster_of, each_file, file_formats, with_files

from focalboost import FocalLoss
from focalboost._hosts._note import Provenance, note_of, read_note


@pytest.fixture(scope="module")
def content(rare, tmp_path_factory):
    """A saved file, by host and name."""
    X, y = rare
    folder = tmp_path_factory.mktemp("saved")
    files = {}
    for host, name in with_files():
        model = host.estimator(n_estimators=2, max_depth=2)
        model.fit(X, NAMES[y.astype(int)]).save_model(folder / name)
        files[host.name, name] = (folder / name).read_bytes()
    return files


def refused(host, path, X):
    """Load a file that is to be refused, and leave the estimator as it is."""
    model = host.estimator(n_estimators=2).fit(X[:300], X[:300, 0] > 0)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=r"^fname must be .*; got ") as error:
        model.load_model(path)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    return str(error.value)


@each_file
def test_a_file_that_is_cut_short_is_refused(host, name, content, rare, tmp_path):
    whole = content[host.name, name]
    path = tmp_path / name
    for length in [*range(0, len(whole), len(whole) // 40), len(whole) - 2]:
        path.write_bytes(whole[:length])
        refused(host, path, rare[0])


@each_file
def test_a_file_that_is_edited_is_refused(host, name, content, rare, tmp_path):
    whole = content[host.name, name]
    path = tmp_path / name
    rng = np.random.default_rng(0)
    # Without the name of the digest it is a file like the booster's own.
    signature = whole.index(b"focalboost_sha256")
    for position in rng.integers(len(whole), size=40):
        if signature <= position < signature + len("focalboost_sha256"):
            continue
        edited = bytearray(whole)
        edited[position] ^= 1
        path.write_bytes(edited)
        refused(host, path, rare[0])


def test_lines_ended_otherwise_are_refused(content, rare, tmp_path):
    if ("lightgbm", "model.txt") not in content:
        pytest.skip("lightgbm is not installed")
    converted = content["lightgbm", "model.txt"].replace(b"\n", b"\r\n")
    (tmp_path / "model.txt").write_bytes(converted)
    refused(LightGBMDriver(), tmp_path / "model.txt", rare[0])


@each_file
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"2.0", b"-2."),
        (b"fraud", b"zzzzz"),
        (b"null", b"1.5 "),
        (b"alpha", b"alphb"),
    ],
)
def test_a_booster_s_file_with_another_note_is_refused(
    host, name, old, new, rare, tmp_path
):
    X, y = rare
    model = host.estimator(n_estimators=2).fit(X, NAMES[y.astype(int)])
    path = tmp_path / name
    booster_of(model).save_model(path)
    whole = path.read_bytes()
    start = whole.index(b"gamma", whole.index(b"focalboost"))
    end = whole.index(b"dtype", start)
    note = whole[start:end]
    assert old in note
    path.write_bytes(whole[:start] + note.replace(old, new) + whole[end:])
    assert "gamma, alpha and labels" in refused(host, path, X)


FOREIGN = {
    "empty": b"",
    "text": b"tree\nnot a model\n",
    "json": b'{"learner": {}, "version": [9, 2, 3]}',
    "ubjson": b"{L" + bytes(7) + b"\x07version[#L" + bytes(7) + b"\x01i\x01}",
    "picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_of_another_kind_is_refused(host, kind, rare, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(FOREIGN[kind])
    refused(host, path, rare[0])


def test_a_file_of_the_other_host_is_refused(host, content, rare, tmp_path):
    others = [files for (name, _), files in content.items() if name != host.name]
    for file in others:
        (tmp_path / "model").write_bytes(file)
        refused(host, tmp_path / "model", rare[0])


def test_a_plain_model_is_refused(host, rare, tmp_path):
    X, y = rare
    plain = host.host_classifier(n_estimators=2, n_jobs=1).fit(X, y.astype(int))
    path = tmp_path / file_formats(host)[0]
    is_xgb = host.name == "xgboost"
    (plain.get_booster() if is_xgb else plain.booster_).save_model(path)
    assert "a model saved by Focal" in refused(host, path, X)
    booster = host.train(host.data(X, y), 2)  # knows its loss, and no labels
    booster.save_model(path)
    assert "a model saved by Focal" in refused(host, path, X)


def test_what_is_no_path_is_refused(host):
    with pytest.raises(ValueError, match="the path of a file"):
        host.estimator().load_model(3)


def test_a_file_that_is_not_there(host, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        host.estimator().load_model(tmp_path / "nowhere")


def saved_by_the_booster(host, name, model, folder):
    """The content of a file that has no digest."""
    booster_of(model).save_model(folder / name)
    return (folder / name).read_bytes()


@each_file
def test_a_note_of_more_classes_than_labels_is_refused(host, name, rare, tmp_path):
    X, y = rare
    model = host.estimator(n_estimators=2).fit(X, NAMES[y.astype(int)])
    content = saved_by_the_booster(host, name, model, tmp_path)
    place = content.index(b"null", content.index(b"n_classes"))
    (tmp_path / name).write_bytes(content[:place] + b"3   " + content[place + 4 :])
    assert "has been edited or damaged (2 labels)" in refused(host, tmp_path / name, X)


@each_file
def test_trees_of_another_loss_than_that_of_the_note_are_refused(
    host, name, rare, faults, tmp_path
):
    X, y = rare
    two = host.estimator(n_estimators=2).fit(X, y)
    three = host.estimator(n_estimators=2).fit(*faults)
    if host.name == "xgboost":
        note = three.get_booster().attr("focalboost")
        two.get_booster().set_attr(focalboost=note)
        saved_by_the_booster(host, name, two, tmp_path)
    else:
        texts = [saved_by_the_booster(host, name, m, tmp_path) for m in (two, three)]
        notes = [re.search(rb"^\[focalboost .*\]$", text, re.M)[0] for text in texts]
        (tmp_path / name).write_bytes(texts[0].replace(*notes))
    message = {"xgboost": "a model with", "lightgbm": "a model of Softmax"}[host.name]
    assert message in refused(host, tmp_path / name, X)


def test_what_the_host_says_of_a_file_is_passed_on(host, rare, tmp_path):
    path = tmp_path / "model"
    if host.name == "xgboost":
        path.write_bytes(FOREIGN["json"])
        assert "XGBoost says: " in refused(host, path, rare[0])
    else:
        model = host.estimator(n_estimators=2).fit(*rare)
        content = saved_by_the_booster(host, "model", model, tmp_path)
        path.write_bytes(content.replace(b"max_feature_idx=", b"max_feature_ids="))
        message = "LightGBM says: Model file doesn't specify max_feature_idx"
        assert message in refused(host, path, rare[0])


@pytest.mark.parametrize(
    "edit",
    [
        *(
            {"dtype": dtype}
            for dtype in ("<U500000000", "|S999999999", "(9999,9999)f8")
        ),
        {"n_classes": 10**9, "classes": ["a"]},
        {"n_classes": 10**9},
    ],
    ids=str,
)
def test_a_note_cannot_ask_for_memory(edit):
    """Labels take the memory of their values, whatever the note says of them."""
    known = json.loads(note_of(Provenance(FocalLoss(), np.array(["a", "bc"]))))
    if edit == {"n_classes": 10**9}:
        del known["classes"]
    tracemalloc.start()
    try:
        with contextlib.suppress(ValueError):
            found = read_note(json.dumps(known | edit), "model")
            assert found.classes is None or found.classes.tolist() == ["a", "bc"]
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


class Payload:
    """Unpickled, it creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", [0, pickle.HIGHEST_PROTOCOL])
def test_loading_runs_no_code(host, protocol, rare, tmp_path):
    trace = tmp_path / "trace"
    payload = pickle.dumps(Payload(trace), protocol)
    (tmp_path / "model.json").write_bytes(payload)
    refused(host, tmp_path / "model.json", rare[0])
    assert not trace.exists()
    pickle.loads(payload)
    assert trace.exists()  # so it would have


@each_file
def test_code_as_a_label_is_a_label(host, name, rare, tmp_path):
    X, y = rare
    code = f"__import__('pathlib').Path({str(tmp_path / 'trace')!r}).touch()"
    labels = np.array(["ok", code])[y.astype(int)]
    host.estimator(n_estimators=2).fit(X, labels).save_model(tmp_path / name)
    loaded = host.estimator()
    loaded.load_model(tmp_path / name)
    assert set(loaded.classes_) == {"ok", code}
    assert not (tmp_path / "trace").exists()
