"""Arrays as collections of a Dask cluster."""

import itertools

import numpy as np

from focalboost.distributed._cluster import array_of

#: Rows of each partition: one is empty, and another has no positives in the tests.
CHUNKS = (1000, 0, 700, 1300)
WITHOUT_POSITIVES = slice(1000, 1700)


#: What has been placed on workers: Dask forgets what nobody refers to.
_PLACED = []


def spread(array, chunks=CHUNKS):
    """An array as a Dask array, its chunks on the workers in turn."""
    import dask.array
    import distributed

    client = distributed.default_client()
    workers = itertools.cycle(sorted(client.nthreads()))
    placed = [
        client.persist(dask.array.from_array(part, -1, name=False), workers=[worker])
        for part, worker in zip(
            np.split(array, np.cumsum(chunks)[:-1]), workers, strict=False
        )
    ]
    _PLACED.extend(placed)
    parts = [block.to_delayed().item() for block in placed]
    return array_of(parts, chunks, array.shape[1:], np.empty_like(array[:0]))


def as_frame(array, n_partitions=3):
    """An array as a Dask data frame, or series."""
    import dask.dataframe
    import pandas as pd

    kind = pd.Series if array.ndim == 1 else pd.DataFrame
    return dask.dataframe.from_pandas(kind(array), npartitions=n_partitions)
