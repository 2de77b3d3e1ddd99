"""Fuzzers of what reads and writes models: the finaliser and the loaders.

python tests/fuzzers.py [finaliser|loaders] [--minutes N] [--seed N]

finaliser: random LightGBM models (classes, categories, missing values, linear leaves,
single leaves, names of features), random baselines and notes. The finalised model has
to predict what the plain one does from the baseline, and loading and saving it again
must not change that.

loaders: files with a digest that are cut, edited, spliced and stretched. Reading one
ends with a model or with a ValueError that names the argument. Anything else is a
finding, also the end of the interpreter. Every batch runs in a process of its own,
which notes the file that it is about to read. Files without a digest are left to the
hosts, so a file that has lost it is not read.

Findings are written to the folder that --findings names.
"""

import argparse
import contextlib
import multiprocessing
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from optional import FocalLGBMClassifier, FocalXGBClassifier, lightgbm, xgboost

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss
from focalboost.lightgbm._model import booster_of_text, finalise_with_note
from focalboost.lightgbm._text import finalised_text, is_finalised, note_in, with_note

__all__ = ["check_finaliser", "check_loaders", "run_batch", "seeds"]

HOST_ERRORS = (xgboost.core.XGBoostError, lightgbm.basic.LightGBMError)

#: Files in a batch, which is one process.
BATCH = 200


# -- The finaliser --------------------------------------------------------------------


def random_model(rng: np.random.Generator) -> tuple[Any, Any, Any]:
    """A booster of a callable objective, features, and the baseline it started from."""
    n_classes = int(rng.choice([1, 1, 3]))
    n_rows, n_features = int(rng.integers(20, 400)), int(rng.integers(1, 5))
    X = rng.normal(size=(n_rows, n_features)).round(2)
    X[rng.random(X.shape) < rng.choice([0, 0.2])] = np.nan
    categories = [0] if rng.random() < 0.3 else []
    if categories:
        X[:, 0] = rng.integers(0, 6, n_rows)
    names = [str(rng.choice(NAMES)) + str(i) for i in range(n_features)]
    labels = rng.integers(0, max(2, n_classes), n_rows).astype(np.float64)
    params = {
        "verbosity": -1,
        "num_threads": 1,
        "num_leaves": int(rng.integers(2, 12)),
        "min_data_in_leaf": int(rng.choice([1, 5, 1000])),
        "linear_tree": bool(rng.random() < 0.2 and not categories),
        "boosting": str(rng.choice(["gbdt", "dart"])),
        "objective": lambda raw, data: _plain(raw, data.get_label()),
    }
    if n_classes > 1:
        params["num_class"] = n_classes
    data = lightgbm.Dataset(
        X, labels, feature_name=names, categorical_feature=categories, params=params
    )
    booster = lightgbm.train(params, data, int(rng.integers(1, 8)))
    baseline = rng.normal(size=n_classes) * rng.choice([0, 1, 1e6])
    return booster, X, float(baseline[0]) if n_classes == 1 else baseline


#: A number follows each of them.
NAMES = ["f", "age in years", "größe", "a=b", "Tree=", "x_1", "年齢", "leaf_value"]


def _plain(raw: Any, labels: Any) -> tuple[Any, Any]:
    """Gradient and curvature of squares, for trees of any kind."""
    target = labels if raw.ndim == 1 else (labels[:, None] == np.arange(raw.shape[1]))
    return (raw - target).astype(np.float32), np.ones(raw.shape, np.float32)


def check_finaliser(seed: int) -> None:
    """Finalise one random model, and hold it to what it was."""
    rng = np.random.default_rng(seed)
    try:
        booster, X, baseline = random_model(rng)
    except lightgbm.basic.LightGBMError as error:
        if "num_features" in str(error) or "JSON" in str(error):
            return  # nothing can be learned, or a name that LightGBM refuses
        raise
    before = booster.predict(X, raw_score=True)
    note = "".join(map(chr, rng.integers(32, 0x2FFF, int(rng.integers(0, 60)))))
    finalise_with_note(booster, baseline, note)
    _assert_shifted(booster, X, before, baseline)
    text = booster.model_to_string(num_iteration=-1)
    assert is_finalised(text)
    assert note_in(text) == note
    assert finalise_with_note(booster, 7.0, None).model_to_string() == text
    again = booster_of_text(text, "model")
    _assert_shifted(again, X, before, baseline)
    assert note_in(again.model_to_string()) == note
    assert note_in(with_note(text, "other", "name"), "name") == "other"


def _assert_shifted(booster: Any, X: Any, before: Any, baseline: Any) -> None:
    after = booster.predict(X, raw_score=True)
    scale = 1 + np.max(np.abs(before)) + np.max(np.abs(baseline))
    np.testing.assert_allclose(after, before + baseline, rtol=0, atol=1e-12 * scale)


def check_mutated_text(text: str) -> None:
    """A text that is no model any more is a ValueError, or stays a model."""
    try:
        finalised_text(text, 0.5, "note")
    except ValueError:
        return


# -- The loaders ----------------------------------------------------------------------


def seeds() -> dict[str, bytes]:
    """One small file of each kind of model."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = (X[:, 0] > 0.5).astype(np.float64)
    several = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
    quiet = {"n_jobs": 1, "n_estimators": 2}
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, labels in (("binary", y), ("softmax", several)):
            model = FocalXGBClassifier(**quiet, verbosity=0).fit(X, labels)
            small = FocalLGBMClassifier(**quiet, verbosity=-1, min_child_samples=5)
            small.fit(X, labels)
            for suffix in ("json", "ubj"):
                path = Path(folder) / f"{name}.{suffix}"
                model.save_model(path)
                files[path.name] = path.read_bytes()
            path = Path(folder) / f"{name}.txt"
            small.save_model(path)
            files[path.name] = path.read_bytes()
    return files


INTERESTING = [
    *(b"", b"\0", b"-1", b"0", b"nan", b"inf", b"1e999", b"99999999999", b"\xff\xff"),
    *(b"}", b"{", b"[", b"]", b'"', b"\n", b"=", b" ", b"Tree=0\n", b"end of trees\n"),
    *(b"[$d#L", b"num_leaves=", b"L\x7f\xff\xff\xff\xff\xff\xff\xff"),
]


def mutated(rng: np.random.Generator, content: bytes, other: bytes) -> bytes:
    """The content with a few changes."""
    for _ in range(int(rng.integers(1, 5))):
        at, end = np.sort(rng.integers(0, len(content) + 1, 2)).tolist()
        kind = rng.integers(6)
        if kind == 0:  # cut
            content = content[:at]
        elif kind == 1:  # other bytes
            place = int(rng.integers(0, max(1, len(content))))
            byte = bytes([int(rng.integers(256))])
            content = content[:place] + byte + content[place + 1 :]
        elif kind == 2:  # leave out
            content = content[:at] + content[min(end, at + 40) :]
        elif kind == 3:  # repeat
            content = content[:end] + content[at : min(end, at + 200)] + content[end:]
        elif kind == 4:  # something of note
            piece = INTERESTING[int(rng.integers(len(INTERESTING)))]
            content = content[:at] + piece + content[at + len(piece) :]
        else:  # the other file goes on
            content = content[:at] + other[min(at, len(other)) :]
    return content


def readers(name: str) -> list[Callable[[Path], Any]]:
    """What reads a file of this kind."""
    X, y = np.arange(40.0).reshape(20, 2), np.arange(20) % 2
    if name.endswith(".txt"):
        return [
            lambda path: FocalLGBMClassifier().load_model(path),
            lambda path: focalboost.lightgbm.train(
                {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 1},
                lightgbm.Dataset(X, y, params={"verbosity": -1}),
                1,
                init_model=path,
                loss=FocalLoss(),
            ),
            lambda path: check_mutated_text(path.read_text(errors="replace")),
        ]
    return [
        lambda path: FocalXGBClassifier().load_model(path),
        lambda path: focalboost.xgboost.train(
            {"nthread": 1, "verbosity": 0},
            xgboost.DMatrix(X, y),
            1,
            xgb_model=path,
            loss=FocalLoss(),
        ),
    ]


#: At its place in UBJSON, JSON or text.
DIGEST = re.compile(rb'focalboost_sha256(":"|SL\0{7}@|=)')


def check_loaders(seed: int, files: dict[str, bytes], path: Path) -> None:
    """Read one file that is not as it was, in every way."""
    rng = np.random.default_rng(seed)
    name, other = rng.choice(list(files), 2).tolist()
    content = mutated(rng, files[name], files[other])
    if not DIGEST.search(content):
        return
    path.write_bytes(content)
    for read in readers(name):
        # Python exceptions that words come with: the host's own are as good.
        with contextlib.suppress(ValueError, UserWarning, *HOST_ERRORS):
            read(path)


# -- Running --------------------------------------------------------------------------


def run_batch(
    kind: str, first: int, folder: str, files: dict[str, bytes], size: int = BATCH
) -> None:
    """Check so many seeds, each noted in a file before."""
    warnings.simplefilter("ignore")
    for seed in range(first, first + size):
        Path(folder, "seed").write_text(str(seed))
        if kind == "finaliser":
            check_finaliser(seed)
        else:
            check_loaders(seed, files, Path(folder, "file"))


def findings(kind: str, minutes: float, first: int, folder: Path) -> Iterator[str]:
    """Yield a line for each batch that did not end well, and keep its file."""
    files = seeds() if kind == "loaders" else {}
    start, batches = time.monotonic(), 0
    fork = multiprocessing.get_context("spawn")
    while time.monotonic() - start < 60 * minutes:
        with tempfile.TemporaryDirectory() as scratch:
            process = fork.Process(target=run_batch, args=(kind, first, scratch, files))
            process.start()
            process.join(600)
            if process.is_alive():
                process.kill()
            seed = Path(scratch, "seed").read_text()
            if process.exitcode != 0:
                file = Path(scratch, "file")
                if file.exists():
                    (folder / f"{kind}-{seed}").write_bytes(file.read_bytes())
                yield f"{kind} seed {seed}: exit code {process.exitcode}"
        batches, first = batches + 1, first + BATCH
    print(f"{kind}: {batches * BATCH} cases in {minutes:g} minutes", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("kind", choices=["finaliser", "loaders"])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--findings", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    found = 0
    for line in findings(options.kind, options.minutes, options.seed, options.findings):
        found += 1
        print(line, flush=True)
    sys.exit(found > 0)


if __name__ == "__main__":
    main()
