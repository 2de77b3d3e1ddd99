"""Gradients on the GPU on which XGBoost grows its trees.

For a custom objective XGBoost copies raw predictions and labels to the host, even with
device="cuda". It takes device arrays back as they are. So raw predictions move to the
device once in each round, and labels and weights stay there between rounds.

This is from the sources of XGBoost 3.4 and CuPy. It is tested with another array
namespace on another device, and has never run on a GPU.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from focalboost._hosts._imports import import_extra
from focalboost._validation import reject
from focalboost.objectives._grammar import Arguments, DataSet


class _Kept(NamedTuple):
    """The labels and weights of a data set when they were copied to the device."""

    device: str
    on_host: tuple[Any, Any]
    on_device: tuple[Any, Any]


_kept: WeakKeyDictionary[DataSet, _Kept] = WeakKeyDictionary()


def has_gpu(device: str) -> bool:
    """Whether CuPy is installed and finds a GPU."""
    try:
        return bool(_cupy(device).cuda.is_available())
    except ModuleNotFoundError:
        return False


@contextmanager
def on_device(arguments: Arguments, device: str) -> Iterator[Arguments]:
    """Yield the arguments as arrays on ``device``, and make that device current."""
    cupy = _cupy(device)
    if not cupy.cuda.is_available():
        reject(
            "device",
            "None where there is no CUDA device",
            device,
            "Leave it out: XGBoost also takes gradients from the host.",
        )
    with cupy.cuda.Device(int(device.partition(":")[2] or 0)):
        y_true, weight = _moved(arguments, device, cupy.asarray)
        raw = cupy.asarray(arguments.raw_prediction)
        yield Arguments(y_true, raw, weight, arguments.data_set)


def _moved(arguments: Arguments, device: str, move: Any) -> tuple[Any, Any]:
    """Labels and weights on the device, copied only if the host's have changed."""
    on_host = (arguments.y_true, arguments.sample_weight)
    data_set = arguments.data_set
    kept = None if data_set is None else _kept.get(data_set)
    if kept and kept.device == device and all(map(_same, kept.on_host, on_host)):
        return kept.on_device
    y_true, weight = (None if part is None else move(part) for part in on_host)
    if data_set is not None:
        _kept[data_set] = _Kept(device, on_host, (y_true, weight))
    return y_true, weight


def _same(first: Any, second: Any) -> bool:
    """Whether two arrays, or two Nones, are equal. This takes as long as one copy."""
    if first is None or second is None:
        return first is second
    return np.array_equal(first, second)


def _cupy(device: str) -> Any:
    name, _, ordinal = str(device).partition(":")
    if name != "cuda" or not (ordinal.isdigit() or ordinal == ""):
        reject("device", "'cuda', 'cuda:N' or None", device, 'Use device="cuda".')
    return import_extra(
        "cupy", "pip install cupy-cuda12x, or cupy-cuda13x for CUDA 13."
    )
