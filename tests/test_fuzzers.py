"""A short run of the fuzzers, and what their long runs have found."""

import multiprocessing
import re
import tempfile

import fuzzers
import pytest
from optional import FocalLGBMClassifier, FocalXGBClassifier, xgboost

from focalboost import _trial

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["finaliser", "loaders"])
def test_a_batch(kind):
    """In a process of its own, which a crash would end."""
    context = multiprocessing.get_context("spawn")
    files = fuzzers.seeds() if kind == "loaders" else {}
    with tempfile.TemporaryDirectory() as folder:
        arguments = (kind, 0, folder, files, 60)
        process = context.Process(target=fuzzers.run_batch, args=arguments)
        process.start()
        process.join(600)
        is_late = process.is_alive()
        process.kill()
        process.join()
        assert not is_late
        assert process.exitcode == 0


@pytest.fixture(scope="module")
def files():
    return fuzzers.seeds()


def edited(text, name, change):
    """The text with the first line ``name=`` of a tree changed."""
    found = re.search(rf"^{name}=.*$", text, flags=re.M)
    return text.replace(found[0], change(found[0]), 1)


DAMAGES = {
    "a parameter without a value": lambda t: t.replace("[seed: 0]", "[seed"),
    "a parameter without a bracket": lambda t: t.replace("[seed: 0]", "seed"),
    "a child that is not there": lambda t: edited(
        t, "left_child", lambda line: re.sub(r"=\S+", "=999999", line)
    ),
    "a tree that comes back to its root": lambda t: edited(
        t, "left_child", lambda line: re.sub(r"=\S+", "=0", line)
    ),
    "a feature that is not there": lambda t: edited(
        t, "split_feature", lambda line: re.sub(r"=\S+", "=999999", line)
    ),
    "fewer leaves than are listed": lambda t: edited(
        t, "leaf_value", lambda line: line.rpartition(" ")[0]
    ),
    "no trees": lambda t: t.partition("Tree=0")[0] + "end of trees\n",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))
def test_damaged_texts_do_not_end_the_interpreter(files, damage, tmp_path, monkeypatch):
    """Each of them made LightGBM read outside its memory, or never end."""
    monkeypatch.setattr(_trial, "TIME_LIMIT", 2)
    text = files["binary booster.txt"].decode()
    path = tmp_path / "model.txt"
    path.write_text(resized(damage(text)))
    assert path.read_text() != text
    with pytest.raises(ValueError, match=r"fname must be"):
        FocalLGBMClassifier().load_model(path)


def resized(text):
    """The text with the lengths of its trees, which are looked at first, made right."""
    trees = re.findall(r"^Tree=\d+\n.*?\n\n\n", text, flags=re.M | re.S)
    sizes = " ".join(str(len(tree)) for tree in trees)
    return re.sub(r"^tree_sizes=.*$", f"tree_sizes={sizes}", text, flags=re.M)


def test_an_undamaged_text_is_loaded(files, tmp_path):
    path = tmp_path / "model.txt"
    path.write_text(resized(files["binary booster.txt"].decode()))
    FocalLGBMClassifier().load_model(path)


def test_a_busy_machine_does_not_make_a_model_unusable(files, tmp_path, monkeypatch):
    """What counts is the processor's time, not that of the clock."""
    for name in ("lightgbm", "xgboost"):
        waiting = "import time; time.sleep(1.5)\n" + _trial._CODE[name]
        monkeypatch.setitem(_trial._CODE, name, waiting)
    monkeypatch.setattr(_trial, "TIME_LIMIT", 1)
    for name in ("binary booster.txt", "binary booster.ubj"):
        path = tmp_path / name
        path.write_bytes(files[name])
        is_text = name.endswith("txt")
        (FocalLGBMClassifier if is_text else FocalXGBClassifier)().load_model(path)


def test_a_trial_without_an_end_is_given_up_by_the_clock(monkeypatch, files):
    """Where the system does not count, or the process sleeps."""
    monkeypatch.setitem(_trial._CODE, "xgboost", "import time; time.sleep(60)")
    monkeypatch.setattr(_trial, "TIME_LIMIT", 1)
    monkeypatch.setattr(_trial, "BY_THE_CLOCK", 1)
    assert not _trial.is_usable(xgboost, files["binary booster.ubj"])


def test_a_length_beyond_the_file_does_not_end_the_interpreter(files, tmp_path):
    content = files["binary booster.ubj"]
    at = content.index(b"[$d#L") + len(b"[$d#L")
    path = tmp_path / "model.ubj"
    path.write_bytes(content[:at] + b"\x7f" + content[at + 1 :])
    with pytest.raises(ValueError, match="fname must be"):
        FocalXGBClassifier().load_model(path)
