"""What is timed: this package and its peers on one call of a host, on the same data.

A peer takes part where it can be imported; each is given the call that it is made for.
imbalance-xgboost, imlightgbm, bokbokbok and gbdtCBL are on PyPI; they pin other
versions of the hosts, so install them with pip's --no-deps.
"""

import importlib
import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import focalboost
from focalboost import FocalLoss, SoftmaxFocalLoss, focal_objective
from focalboost.losses import is_compiled

#: Modules and classes or functions of the peers.
BINARY_PEERS = {
    "bokbokbok": ("bokbokbok.loss_functions.classification", "WeightedFocalLoss"),
    "imbalance-xgboost": ("imxgboost.focal_loss", "Focal_Binary_Loss"),
    "imlightgbm": ("imlightgbm.objective", "binary_focal_objective"),
    "gbdtCBL": ("gbdtCBL.binary", "FLLoss"),
}
SOFTMAX_PEERS = {
    "imlightgbm": ("imlightgbm.objective", "multiclass_focal_objective"),
    "gbdtCBL": ("gbdtCBL.xgbmulti", "XGBFLMulti"),
}


@dataclass(frozen=True)
class Problem:
    """Labels and raw predictions of one size and dtype; 0 classes means binary."""

    rows: int
    n_classes: int
    dtype: str
    gamma: float

    def arrays(self) -> tuple[Any, Any]:
        """Return float32 labels, as hosts store them, and raw predictions.

        They are made without temporaries of their length, for the benchmark of memory.
        """
        rng = np.random.default_rng(0)
        shape = (self.rows, self.n_classes) if self.n_classes else self.rows
        raw = rng.standard_normal(shape, np.dtype(self.dtype).type)
        raw *= 3
        labels = rng.random(self.rows, np.float32)
        labels *= self.n_classes or 1 / 0.9  # 1 positive in 10
        np.floor(labels, out=labels)
        return labels, raw


class Labels:
    """What peers read of a host's data set."""

    def __init__(self, labels: Any) -> None:
        self.labels = labels

    def get_label(self) -> Any:
        return self.labels


def own(problem: Problem, n_threads: int) -> dict[str, Callable[[Any, Any], Any]]:
    """Functions of labels and raw predictions, on so many threads.

    A host's call, the same without the compiled kernel, and the loss in its own dtype.
    """
    gamma, n_classes = problem.gamma, problem.n_classes
    loss = SoftmaxFocalLoss(n_classes, gamma) if n_classes else FocalLoss(gamma)
    objective = focal_objective(gamma, n_classes=n_classes or None, n_threads=n_threads)
    return {
        "focal_objective": objective,
        "focal_objective on NumPy": patch("focalboost.losses._evaluate._kernel", None)(
            objective.__call__
        ),
        "gradient_curvature": lambda y, raw: loss.gradient_curvature(
            y, raw, n_threads=n_threads
        ),
    }


def peers(problem: Problem) -> Iterator[tuple[str, Callable[[Any, Any], Any]]]:
    """Yield the name of each peer that can be imported, and its function."""
    gamma, n_classes = problem.gamma, problem.n_classes
    for name, (module, attribute) in (
        SOFTMAX_PEERS if n_classes else BINARY_PEERS
    ).items():
        found = _attribute(module, attribute)
        if found is None:
            continue
        if name == "bokbokbok":
            function = found(gamma=gamma)
            yield name, lambda y, raw, f=function: f(raw, Labels(y))
        elif name == "imbalance-xgboost":
            function = found(gamma).focal_binary_object
            yield name, lambda y, raw, f=function: f(raw, Labels(y))
        elif name == "imlightgbm":
            options = {"num_class": n_classes} if n_classes else {}
            yield name, lambda y, raw, f=found, o=options: f(y, raw, gamma=gamma, **o)
        else:
            yield name, found(gamma)


def _attribute(module: str, attribute: str) -> Any:
    try:
        return getattr(importlib.import_module(module), attribute)
    except ImportError:
        return None


def missing_peers() -> list[str]:
    """Names of the peers that cannot be imported."""
    everyone = {**BINARY_PEERS, **SOFTMAX_PEERS}
    return [name for name, where in everyone.items() if _attribute(*where) is None]


def machine() -> str:
    """The processor, and how many of its cores this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else "?"
    model, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        lines = info.read_text().splitlines()
        names = [line.split(":")[1] for line in lines if line.startswith("model name")]
        model = names[0].strip() if names else model
    return f"{model} {cores} cores {platform.system()}"


def versions() -> str:
    """Versions of this package and of what its speed depends on."""
    modules = (focalboost, np)
    names = [f"{module.__name__} {module.__version__}" for module in modules]
    return " ".join(names) + (" compiled" if is_compiled() else " not compiled")
