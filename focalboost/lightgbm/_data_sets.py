"""Starts a LightGBM training from the baseline, as init_score of every data set."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._checkpoint import digest
from focalboost._hosts._imports import import_host
from focalboost._hosts._masses import checked_masses, masses_of, rows_of_masses
from focalboost._validation import reject, require_weights_of_hosts
from focalboost.losses import Loss
from focalboost.objectives import weights_of

if TYPE_CHECKING:
    import lightgbm

#: What a data set holds for each row.
_FIELDS = ("label", "weight", "init_score")

#: A raw prediction, or one for each class.
Baseline = float | NDArray[np.float64]

_ADVICE = "Use lightgbm.Dataset(X, label=y)."


def constant_scores(baseline: Baseline, n_rows: int) -> NDArray[np.float64]:
    """The baseline as init_score: LightGBM keeps the rows of a class together."""
    return np.repeat(np.asarray(baseline, dtype=np.float64), n_rows)


@contextmanager
def starting_score(
    loss: Loss,
    params: Mapping[str, Any],
    init_model: Any,
    train_set: "lightgbm.Dataset",
    valid_sets: list["lightgbm.Dataset"],
    class_masses: Any = None,
) -> Iterator[Baseline]:
    """Yield the baseline, the init_score of data sets that have none; then clean up.

    It is 0 for a model to continue and for an init_score of the user's.
    """
    others = [data_set for data_set in valid_sets if data_set is not train_set]
    sets, before = [train_set, *others], list[Any]()
    baseline: Baseline = 0.0
    for data_set in sets:
        forget_model(data_set)
    try:
        if init_model is None:
            labels = _label(train_set, params)
            of_others = (_label(other, params, train_set) for other in others)
            sizes = [len(labels), *map(len, of_others)]
        elif init_score_of(train_set) is not None:
            rule = "without an init_score where init_model is given"
            advice = "The model's predictions would replace it. Leave out one."
            reject("train_set", rule, "an init_score", advice)
        before = [init_score_of(data_set) for data_set in sets]
        if init_model is None and before[0] is None:
            masses = masses_of(loss, (labels, _weight(train_set)))
            if class_masses is not None:
                masses = checked_masses(class_masses, masses)
            baseline = loss.baseline(*rows_of_masses(loss, masses))
            for data_set, size, score in zip(sets, sizes, before, strict=True):
                if score is None:
                    data_set.set_init_score(constant_scores(baseline, size))
        yield baseline
    finally:
        for data_set, score in zip(sets, before, strict=False):
            data_set._predictor = None
            _clear_init_score(data_set)
            if score is not None:
                data_set.set_init_score(score)
        for data_set in sets:
            if _is_built(data_set) and data_set.free_raw_data:
                data_set.data = None


def require_data_set(name: str, data_set: Any) -> None:
    """Check that something is a LightGBM data set."""
    if not isinstance(data_set, import_host("lightgbm").Dataset):
        reject(name, "a lightgbm.Dataset", type(data_set).__name__, _ADVICE)


def require_arrays(data_sets: list["lightgbm.Dataset"]) -> None:
    """Reject files, which several machines bin together once they are connected."""
    for data_set in data_sets:
        if isinstance(data_set.data, str | os.PathLike):
            rule = "of arrays or tables on several machines"
            advice = f"Read the file. {_ADVICE}"
            reject("train_set and valid_sets", rule, str(data_set.data), advice)


def digests_of(
    train_set: "lightgbm.Dataset", params: Mapping[str, Any]
) -> dict[str, str | None]:
    """The digests of what a training set holds. It is built for that.

    Features are saved in bins, so their digest does not depend on where they are: in
    any kind of array, in a file, or only in LightGBM's memory.
    """
    forget_model(train_set)
    _label(train_set, params)
    _weight(train_set)
    _build(train_set, params)
    with TemporaryDirectory() as folder:
        file = Path(folder, "bins")
        train_set.save_binary(file)
        features = digest(np.memmap(file, mode="r"))
    return {
        "labels": digest(train_set.get_label()),
        "weights": digest(_weight(train_set)),
        "init_score": digest(init_score_of(train_set)),
        "features": features,
    }


def _build(
    data_set: "lightgbm.Dataset",
    params: Mapping[str, Any],
    reference: "lightgbm.Dataset | None" = None,
) -> None:
    """Bring the data into LightGBM's memory, as lightgbm.train does.

    The raw data stay until training ends: a model that continues has to predict them.
    LightGBM drops what has been set in a subset before it is built.
    """
    if _is_built(data_set):
        return
    data, given = data_set.data, {name: getattr(data_set, name) for name in _FIELDS}
    data_set._update_params({**params, "objective": "none"})
    if reference is not None:
        data_set.set_reference(reference)
    data_set.construct()
    for name, value in given.items():
        if value is not None and _is_subset(data_set):
            getattr(data_set, f"set_{name}")(value)
    if data_set.data is None:
        data_set.data = data


def forget_model(data_set: "lightgbm.Dataset") -> None:
    """Drop what a continuation or a failed construction has left behind.

    After lightgbm.train has continued a model, the data set keeps the model's
    predictions as init_score, and they look like the user's. After a failed
    construction it keeps a null pointer, and setters crash. Getters return the first
    value that they have seen, whatever set_field has changed since then.
    """
    if _is_subset(data_set) and data_set.reference is not None:
        forget_model(data_set.reference)
    if not _is_built(data_set):
        data_set._handle = None
    if data_set._predictor is not None:
        data_set._predictor = None
        _clear_init_score(data_set)
    if _is_built(data_set):
        for field in _FIELDS:
            setattr(data_set, field, data_set.get_field(field))


def _label(
    data_set: "lightgbm.Dataset",
    params: Mapping[str, Any],
    reference: "lightgbm.Dataset | None" = None,
) -> NDArray[Any]:
    """The labels. Those of a file or a subset are read as lightgbm.train reads them."""
    is_file = isinstance(data_set.data, str | os.PathLike)
    if _is_subset(data_set) or (is_file and data_set.label is None):
        if reference is not None:
            _build(reference, params)
        _build(data_set, params, reference)
    if data_set.label is None:
        name = "train_set" if reference is None else "valid_sets"
        reject(name, "with labels", "none", _ADVICE)
    return np.ravel(np.asarray(data_set.label))


def parameters_of(
    train_set: "lightgbm.Dataset", params: Mapping[str, Any]
) -> dict[str, Any]:
    """The parameters to train with. A subset has those of its data set's features."""
    return {**params, **(train_set.get_params() if _is_subset(train_set) else {})}


def _is_subset(data_set: "lightgbm.Dataset") -> bool:
    return data_set.used_indices is not None


def _weight(data_set: "lightgbm.Dataset") -> Any:
    """The weights as LightGBM keeps them, so that a set has them built or not."""
    weight = weights_of(data_set) if _is_built(data_set) else data_set.weight
    if weight is None:
        return None
    require_weights_of_hosts(weight)
    return np.asarray(weight, dtype=np.float32)


def init_score_of(data_set: "lightgbm.Dataset") -> Any:
    """The init_score of a data set, built or not, or None."""
    return data_set.get_init_score() if _is_built(data_set) else data_set.init_score


def _is_built(data_set: "lightgbm.Dataset") -> bool:
    """Whether the data are in LightGBM's own memory; getters raise before that."""
    return bool(data_set._handle)


def _clear_init_score(data_set: "lightgbm.Dataset") -> None:
    """set_init_score(None) would leave the scores in LightGBM's own memory."""
    data_set.init_score = None
    if _is_built(data_set):
        data_set.set_field("init_score", None)
    else:
        data_set._handle = None  # a construction may have failed
