"""to_onnx: estimators by themselves, and whole pipelines by sklearn-onnx."""

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline

from focalboost import estimators
from focalboost._hosts._imports import import_extra
from focalboost._validation import reject
from focalboost.estimators._base import FocalClassifierMixin
from focalboost.export._onnx import IR_VERSION, OPSETS, Columns, graph_of

#: Types of features with which scikit-learn computes in float32.
_NARROW = (np.float16, np.float32)

#: The operator sets of a pipeline. Encoders of text need a newer one than trees.
OPSETS_OF_PIPELINES = {**OPSETS, "ai.onnx.ml": 3}


def to_onnx(model: Any, X: Any = None) -> Any:
    """Return a fitted estimator or pipeline as an ONNX graph that gives posteriors.

    Any ONNX runtime serves the graph, without focalboost and without the host.

    * The input ``X`` of an estimator is float32 of shape (n_samples, n_features), with
      NaN for missing values and with categories as their codes.
    * A pipeline of a table has an input of shape (n_samples, 1) for each column that it
      uses, with the column's name: float64 for numbers and booleans, with NaN for
      missing values, and strings for text and categories, which cannot be missing. A
      pipeline of an array has the input ``X`` in float64.
    * The output ``label`` of shape (n_samples,) is the likeliest label.
    * The output ``probabilities`` is float32 of shape (n_samples, n_classes), as in
      ``predict_proba``. For labels of shape (n_samples, T), both outputs have this
      shape.

    onnxmltools converts the trees, and sklearn-onnx the other steps of a pipeline. The
    formula of ``loss.posterior`` follows in float64 (operator set 17). An ONNX runtime
    sums trees in float32, so the log-odds differ from those of the estimator by about
    1e-6. Features are rounded to float32: a float64 feature may fall on the other side
    of a threshold.

    Parameters
    ----------
    model : FocalXGBClassifier, FocalLGBMClassifier or Pipeline
        A fitted estimator, or a fitted pipeline of scikit-learn that ends in one. The
        graph has the rounds up to the best one.
    X : DataFrame or array, optional
        For a pipeline, a row or more of the table that it predicts, such as
        ``X_train[:10]``. It gives names and types to the inputs.

    Returns
    -------
    onnx.ModelProto
        The graph.

    Raises
    ------
    ValueError
        If the leaves are not numbers (``gblinear``, ``linear_tree``,
        ``multi_output_tree``), the missing value is not NaN, or ONNX has no type for
        the labels. If a pipeline uses dates, gives text to the estimator, or gives
        sparse features to XGBoost, whose zeros are missing values.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import FocalXGBClassifier
    >>> from focalboost.export import to_onnx
    >>> X, y = make_classification(random_state=0)
    >>> model = to_onnx(FocalXGBClassifier(n_estimators=5).fit(X, y))
    >>> [output.name for output in model.graph.output]
    ['label', 'probabilities']
    """
    if isinstance(model, FocalClassifierMixin):
        return graph_of(model)
    if not isinstance(model, Pipeline):
        reject(
            "model",
            "a FocalXGBClassifier, a FocalLGBMClassifier or a Pipeline",
            model,
            "Fit one, or use posterior_source for other models.",
        )
    return _graph_of_pipeline(model, X)


def register_converters() -> None:
    """Register the estimators with sklearn-onnx.

    After this call ``skl2onnx.to_onnx`` and ``skl2onnx.convert_sklearn`` convert the
    estimators, in pipelines and other models of scikit-learn as well, and their
    probabilities are the class-posterior. The converters of onnxmltools for
    ``XGBClassifier`` and ``LGBMClassifier`` would give focal scores. Features that are
    sparse in training have to be dense for XGBoost: it reads their zeros as missing
    values, and ONNX does not.

    Examples
    --------
    >>> from skl2onnx import to_onnx
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import FocalXGBClassifier
    >>> from focalboost.export import register_converters
    >>> register_converters()
    >>> X, y = make_classification(random_state=0)
    >>> estimator = FocalXGBClassifier(n_estimators=5).fit(X, y)
    >>> model = to_onnx(
    ...     estimator, X[:1].astype("float32"), options={"zipmap": False},
    ...     target_opset={"": 17, "ai.onnx.ml": 1}
    ... )
    >>> [output.name for output in model.graph.output]
    ['label', 'probabilities']
    """
    tools = _import_tools("skl2onnx")
    for name in estimators.__all__:
        tools.update_registered_converter(
            getattr(estimators, name),
            f"Focalboost{name}",
            _set_types,
            _convert,
            options={
                "nocl": [True, False],
                "zipmap": [True, False, "columns"],
                "output_class_labels": [False, True],
            },
        )


def _set_types(operator: Any) -> None:
    """Tell sklearn-onnx the types of both outputs."""
    types = _import_tools("skl2onnx.common.data_types")
    by_kind = {
        types.onnx.TensorProto.INT64: types.Int64TensorType,
        types.onnx.TensorProto.FLOAT: types.FloatTensorType,
        types.onnx.TensorProto.STRING: types.StringTensorType,
    }
    # It asks for the nodes after that, with the same operator.
    operator.focalboost_graph = graph_of(operator.raw_operator, _columns(operator))
    outputs = operator.focalboost_graph.graph.output
    for variable, output in zip(operator.outputs, outputs, strict=True):
        tensor = output.type.tensor_type
        width = [one.dim_value for one in tensor.shape.dim[1:]]
        variable.type = by_kind[tensor.elem_type]([None, *width])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the graph of an estimator to that of sklearn-onnx."""
    add_graph = _import_tools("skl2onnx.helpers").add_onnx_graph
    add_graph(scope, operator, container, operator.focalboost_graph)


def _columns(operator: Any) -> list[Columns]:
    """The inputs that sklearn-onnx has for an estimator."""
    types = _import_tools("skl2onnx.common.data_types")
    columns = [
        Columns(one.onnx_name, types.guess_proto_type(one.type), one.type.shape[1])
        for one in operator.inputs
    ]
    text = [one.name for one in columns if one.kind == types.onnx.TensorProto.STRING]
    if text:
        reject(
            "model",
            "a pipeline that gives numbers to the estimator",
            text,
            "Encode text and categories in the pipeline, as OrdinalEncoder does.",
        )
    return columns


def _graph_of_pipeline(pipeline: Pipeline, X: Any) -> Any:
    """The graph of a pipeline, whose inputs are named and typed by rows of a table."""
    if X is None:
        advice = "Use to_onnx(pipeline, X_train[:10])."
        reject("X", "a row or more of the table, for a Pipeline", X, advice)
    estimator = pipeline.steps[-1][1]
    steps = [step for step in pipeline.steps if step[1] not in (None, "passthrough")]
    pipeline = Pipeline(steps)
    _refuse_sparse_features(pipeline, X)
    _refuse_float32(pipeline, X)
    register_converters()
    onnx = _import_tools("onnx")
    inference_error = onnx.shape_inference.InferenceError
    try:
        model = _import_tools("skl2onnx").convert_sklearn(
            _of_columns(pipeline, X),
            name="focalboost",
            initial_types=_types_of(X),
            final_types=[("label", None), ("probabilities", None)],
            options={id(estimator): {"zipmap": False}},
            target_opset=OPSETS_OF_PIPELINES,
            custom_conversion_functions={SimpleImputer: _impute},
        )
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model, full_check=True)
    except (RuntimeError, onnx.checker.ValidationError, inference_error) as error:
        reject(
            "model",
            "a pipeline of steps that sklearn-onnx converts in float64",
            [name for name, _ in steps[:-1]],
            f"sklearn-onnx says: {error} Compute this step before the pipeline.",
        )
    if hasattr(X, "columns"):
        _name_inputs(model.graph, X)
    return model


def _refuse_sparse_features(pipeline: Pipeline, X: Any) -> None:
    """Reject zeros that XGBoost reads as missing values, and ONNX does not."""
    is_xgboost = hasattr(pipeline.steps[-1][1], "get_booster")
    if is_xgboost and len(pipeline) > 1 and issparse(pipeline[:-1].transform(X)):
        reject(
            "model",
            "a pipeline of dense features for an export of XGBoost",
            "sparse features, whose zeros are missing values",
            "Train with OneHotEncoder(sparse_output=False) and "
            "ColumnTransformer(..., sparse_threshold=0).",
        )


def _refuse_float32(pipeline: Pipeline, X: Any) -> None:
    """Reject features that scikit-learn computes in float32, and the graph in float64.

    The last bit decides on which side of a threshold a row falls.
    """
    if len(pipeline) == 1 or not hasattr(X, "astype"):
        return
    dtypes = dict(X.dtypes) if hasattr(X, "dtypes") else {"X": X.dtype}
    narrow = {name: "float64" for name, dtype in dtypes.items() if dtype in _NARROW}
    if not narrow:
        return
    wide = X.astype(narrow if hasattr(X, "dtypes") else "float64")
    own, other = (
        np.asarray(pipeline[:-1].transform(rows), np.float32) for rows in (X, wide)
    )
    if not np.array_equal(own, other, equal_nan=True):
        reject(
            "X",
            "of float64, as the pipeline computes with float32 numbers otherwise",
            sorted(map(str, narrow)),
            "Fit the pipeline on X.astype('float64'), and export it with such rows.",
        )


def _of_columns(pipeline: Pipeline, X: Any) -> Pipeline:
    """The pipeline, with a first step that joins the columns of a table.

    sklearn-onnx joins them in float32 otherwise.
    """
    if not hasattr(X, "columns") or isinstance(pipeline[0], ColumnTransformer):
        return pipeline
    join = ColumnTransformer([("columns", "passthrough", list(X.columns))])
    join.set_output(transform="pandas").fit(X)
    return Pipeline([("columns", join), *pipeline.steps])


def _types_of(X: Any) -> list[tuple[str, Any]]:
    """Names and types of the inputs. Numbers are float64, as scikit-learn computes.

    A scaled feature in float32 may fall on the other side of a threshold: those of
    XGBoost are values of the training rows.
    """
    types = _import_tools("skl2onnx.common.data_types")
    if not hasattr(X, "columns"):
        return [("X", types.DoubleTensorType([None, np.shape(X)[1]]))]
    kinds = [
        types.DoubleTensorType if _kind(X[name]) in "fiub" else types.StringTensorType
        for name in X.columns
    ]
    return [
        (name, kind([None, 1])) for name, kind in zip(X.columns, kinds, strict=True)
    ]


def _kind(column: Any) -> str:
    """NumPy's letter for the kind of a column: that of its categories, if it has."""
    dtype = getattr(column.dtype, "categories", column).dtype
    return str(dtype.kind)


def _impute(scope: Any, operator: Any, container: Any) -> None:
    """SimpleImputer in float64: the operator of ONNX knows float32 alone."""
    imputer, (result,) = operator.raw_operator, operator.outputs
    types = _import_tools("skl2onnx.common.data_types")
    convert = _import_tools("skl2onnx.operator_converters.imputer_op")
    is_float64 = all(
        isinstance(one.type, types.DoubleTensorType) for one in operator.inputs
    )
    # NaN differs from itself.
    is_nan = imputer.missing_values != imputer.missing_values
    if not (is_float64 and is_nan and len(operator.inputs) == 1):
        convert.convert_sklearn_imputer(scope, operator, container)
        return
    given = operator.inputs[0].onnx_name
    values, is_missing = map(scope.get_unique_variable_name, ("values", "is_missing"))
    double, statistics = types.onnx.TensorProto.DOUBLE, imputer.statistics_
    container.add_initializer(values, double, [1, len(statistics)], statistics)
    container.add_node("IsNaN", given, is_missing)
    container.add_node("Where", [is_missing, values, given], result.onnx_name)


def _name_inputs(graph: Any, X: Any) -> None:
    """Give the inputs the names of their columns, and drop those that nothing reads.

    sklearn-onnx keeps letters, digits and underscores of a name. Dates cannot stay.
    """
    names = dict(zip((one.name for one in graph.input), X.columns, strict=True))
    read = {name for node in graph.node for name in node.input}
    used = [one for one in graph.input if one.name in read]
    dates = [names[one.name] for one in used if _kind(X[names[one.name]]) in "mM"]
    if dates:
        reject(
            "X",
            "without dates in the columns that the pipeline uses",
            dates,
            "ONNX has none: make numbers of them before the pipeline, as the hour.",
        )
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    for one in used:
        one.name = names[one.name]
    del graph.input[:]
    graph.input.extend(used)


def _import_tools(name: str) -> Any:
    return import_extra(name, "pip install onnx onnxmltools skl2onnx")
