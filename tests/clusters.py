"""Arrays as collections of a Dask cluster."""

#: Rows of each partition: one is empty, and another has no positives in the tests.
CHUNKS = (1000, 0, 700, 1300)
WITHOUT_POSITIVES = slice(1000, 1700)


def spread(array, chunks=CHUNKS):
    """An array as a Dask array."""
    import dask.array

    return dask.array.from_array(array, chunks=(chunks, *array.shape[1:]))


def as_frame(array, n_partitions=3):
    """An array as a Dask data frame, or series."""
    import dask.dataframe
    import pandas as pd

    kind = pd.Series if array.ndim == 1 else pd.DataFrame
    return dask.dataframe.from_pandas(kind(array), npartitions=n_partitions)
