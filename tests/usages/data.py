"""Kinds of data, weights and labels that both hosts take."""

import importlib

import numpy as np
import scipy.sparse
from optional import optional

from usages import Table

usage = Table()


def predicted(case, X, y=None, **arguments):
    """Labels and probabilities of a fit on these data."""
    model = case.make().fit(X, case.y if y is None else y, **arguments)
    return model.predict(X), model.predict_proba(X)


@usage
def fit_returns_the_estimator(case):
    model = case.make()
    return model.fit(case.X, case.y) is model


@usage
def a_series_as_one_feature(case):
    pandas = optional("pandas")
    try:
        return predicted(case, pandas.Series(case.X[:, 0], name="a"))
    except ValueError as error:
        return type(error).__name__


@usage
def a_series_without_a_name(case):
    pandas = optional("pandas")
    try:
        return predicted(case, pandas.Series(case.X[:, 0]))
    except ValueError as error:
        return type(error).__name__


@usage
def lists(case):
    return predicted(case, case.X.tolist(), case.y.tolist())


@usage
def pandas_frame_and_series(case):
    pandas = optional("pandas")
    return predicted(case, case.frame, pandas.Series(case.y))


@usage
def pandas_frame_of_labels(case):
    pandas = optional("pandas")
    model = case.make().fit(case.frame, pandas.DataFrame({"y": case.y})["y"])
    return model.predict(case.frame)


@usage
def pandas_with_integer_and_bool_columns(case):
    frame = case.frame
    frame["b"], frame["c"] = frame["b"].round().astype(int), frame["c"] > 0
    return predicted(case, frame)


@usage
def pandas_nullable_columns(case):
    frame = case.frame
    frame["b"] = frame["b"].round().astype("Int64")
    return predicted(case, frame.convert_dtypes())


@usage
def pandas_categories_and_missing_values(case):
    params = case.by_host({"enable_categorical": True}, {})
    model = case.make(**params).fit(case.categories, case.y)
    return model.predict_proba(case.categories)


@usage
def polars_frame(case):
    polars = optional("polars")
    if case.host == "lightgbm" and not _lightgbm_reads_polars():
        return None
    return predicted(case, polars.from_pandas(case.frame))


@usage
def arrow_table(case):
    arrow = optional("pyarrow")
    columns = {name: case.frame[name].to_numpy() for name in "abcd"}
    return predicted(case, arrow.table(columns))


def _lightgbm_reads_polars():
    import lightgbm

    return tuple(map(int, lightgbm.__version__.split(".")[:2])) >= (4, 7)


@usage
def sparse_rows(case):
    return predicted(case, scipy.sparse.csr_matrix(case.X))


@usage
def sparse_columns(case):
    return predicted(case, scipy.sparse.csc_matrix(case.X))


@usage
def sparse_array(case):
    return predicted(case, scipy.sparse.csr_array(np.where(case.X > 1, case.X, 0)))


@usage
def read_only_arrays(case):
    X, y = case.X.copy(), case.y.copy()
    X.flags.writeable = y.flags.writeable = False
    return predicted(case, X, y)


@usage
def a_memory_map(case):
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        X = np.memmap(file.name, dtype=np.float64, mode="w+", shape=case.X.shape)
        X[:] = case.X
        return predicted(case, X)


@usage
def every_second_row(case):
    return predicted(case, np.repeat(case.X, 2, axis=0)[::2], np.repeat(case.y, 2)[::2])


@usage
def rows_in_reverse(case):
    return predicted(case, case.X[::-1], case.y[::-1])


@usage
def fortran_order(case):
    return predicted(case, np.asfortranarray(case.X))


@usage
def float32(case):
    return predicted(case, case.X.astype(np.float32))


@usage
def integers(case):
    return predicted(case, (10 * case.X).astype(np.int16))


@usage
def booleans(case):
    return predicted(case, case.X > 0)


@usage
def objects(case):
    return predicted(case, case.X.astype(object))


@usage
def missing_values(case):
    return predicted(case, np.where(case.X > 1, np.nan, case.X))


@usage
def float_labels(case):
    return case.make().fit(case.X, case.y.astype(float)).classes_.tolist() == [0, 1]


@usage
def three_classes(case):
    return predicted(case, case.X, case.three)


@usage
def weights(case):
    return predicted(case, case.X, sample_weight=1 + case.X[:, 0] ** 2)


@usage
def weights_in_a_series(case):
    pandas = optional("pandas")
    return predicted(case, case.frame, sample_weight=pandas.Series(1.0 + case.y))


@usage
def weights_in_a_list(case):
    return predicted(case, case.X, sample_weight=(1.0 + case.y).tolist())


@usage
def whole_weights(case):
    return predicted(case, case.X, sample_weight=1 + case.y)


@usage
def a_start_for_every_row(case):
    start = np.full(240, -0.5)
    name = case.by_host("base_margin", "init_score")
    model = case.make().fit(case.X, case.y, **{name: start})
    return model.predict_proba(case.X)


@usage
def a_start_for_every_class(case):
    start = np.zeros((240, 3))
    name = case.by_host("base_margin", "init_score")
    model = case.make().fit(case.X, case.three, **{name: start})
    return model.predict_proba(case.X)


@usage
def other_features_are_an_error(case):
    try:
        case.fitted.predict(case.X[:, :2])
    except ValueError as error:
        return type(error).__name__
    return "no error"


@usage
def prediction_before_fit_is_an_error(case):
    from sklearn.exceptions import NotFittedError

    try:
        case.make().predict(case.X)
    except NotFittedError:
        return "NotFittedError"
    return "no error"


@usage
def plotted_importances(case):
    optional("matplotlib").use("Agg")
    host = importlib.import_module(case.host)
    return host.plot_importance(case.fitted)
