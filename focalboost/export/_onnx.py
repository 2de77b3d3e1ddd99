"""ONNX graphs of estimators and pipelines, which end in the posterior.

onnxmltools converts the trees to a classifier that ends in a link. Here they become a
regressor that gives raw predictions from the right start. sklearn-onnx converts the
other steps of a pipeline. What they would convert wrongly is refused.
"""

import json
import math
import re
import sys
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from focalboost import estimators
from focalboost._hosts._imports import import_extra, import_host
from focalboost._validation import reject
from focalboost.estimators._base import FocalClassifierMixin
from focalboost.export._formulas import Written, written_log_odds, written_log_weight
from focalboost.losses import FocalLoss, SoftmaxFocalLoss

#: The operator sets of an estimator, and the newest that steps of pipelines may need.
#: ONNX Runtime has them since 1.12 (2022).
_OPSETS = {"": 17, "ai.onnx.ml": 1}
_NEWEST_OPSETS = {"": 17, "ai.onnx.ml": 3}
_IR_VERSION = 8

#: NumPy's functions whose names in ONNX are others.
_OPERATORS = {
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "negative": "Neg",
    "greater_equal": "GreaterOrEqual",
    "absolute": "Abs",
    "minimum": "Min",
}

#: The rows of X on which the graph of a pipeline is compared with the pipeline.
_ROWS_COMPARED = 10

_OUTPUTS = ("label", "probabilities")
_TREELESS = "ONNX has no trees but those whose leaves are numbers."


def to_onnx(model: Any, X: Any = None) -> Any:
    """Return a fitted estimator or pipeline as an ONNX graph that gives posteriors.

    Any ONNX runtime serves the graph, without focalboost and without the host.

    * The input ``X`` of an estimator is float32 of shape (n_samples, n_features), with
      NaN for missing values and with categories as their codes.
    * A pipeline of a table has an input of shape (n_samples, 1) for each column that it
      uses, with the column's name: float64 for numbers and booleans, with NaN for
      missing values, and strings for text and categories, which cannot be missing. A
      pipeline of an array has the input ``X`` in float64.
    * The outputs are ``label``, the likeliest, of shape (n_samples,), and
      ``probabilities``, float32 as in ``predict_proba``. For labels of shape
      (n_samples, T), both have this shape.

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
        For a pipeline, rows that it predicts, such as ``X_train[:10]``: an array or a
        table of pandas. They give names and types to the inputs. The graph must give
        the probabilities of the pipeline on the first ten.

    Returns
    -------
    onnx.ModelProto

    Raises
    ------
    ValueError
        If the leaves are not numbers (``gblinear``, ``linear_tree``,
        ``multi_output_tree``), the missing value is not NaN, or ONNX has no type for
        the labels. If a pipeline uses dates, gives text or categories to the estimator,
        gives sparse features to XGBoost, whose zeros are missing values, or has a step
        that sklearn-onnx converts wrongly.
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
    if isinstance(model, Pipeline):
        return _graph_of_pipeline(model, X)
    is_estimator = isinstance(model, FocalClassifierMixin)
    if not is_estimator:
        rule = "a FocalXGBClassifier, a FocalLGBMClassifier or a Pipeline"
        advice = "Fit one, or use posterior_source for other models."
        reject("model", rule, model, advice)
    types = _import_tools("skl2onnx.common.data_types")
    features = types.FloatTensorType([None, model.n_features_in_])
    return _converted_by_sklearn_onnx(model, [("X", features)])


def register_converters() -> None:
    """Register the estimators with sklearn-onnx.

    After this call ``skl2onnx.to_onnx`` and ``skl2onnx.convert_sklearn`` convert the
    estimators, alone and inside other models of scikit-learn, and their probabilities
    are the class-posterior. The converters of onnxmltools would give focal scores.
    Train XGBoost on dense features: it reads zeros of sparse ones as missing values,
    and ONNX does not. Calibrate with ``CalibratedClassifierCV(method="sigmoid")``:
    sklearn-onnx makes steps of ``"isotonic"``, between which scikit-learn interpolates.

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
    register = _import_tools("skl2onnx").update_registered_converter
    names = ("nocl", "output_class_labels", "raw_scores", "zipmap")
    options: dict[str, list[Any]] = {name: [True, False] for name in names}
    options["zipmap"].append("columns")
    for name in estimators.__all__:
        estimator, alias = getattr(estimators, name), f"Focalboost{name}"
        register(estimator, alias, _set_types, _convert, options=options)


def _set_types(operator: Any) -> None:
    """Tell sklearn-onnx the types of both outputs."""
    types = _import_tools("skl2onnx.common.data_types")
    _refuse_other_inputs(operator, types)
    model, (label, probability) = operator.raw_operator, operator.outputs
    is_xgboost = hasattr(model, "get_booster")
    trees = _xgboost_trees(model) if is_xgboost else _lightgbm_trees(model)
    operator.focalboost_trees = trees  # it asks for the nodes with the same operator
    several = isinstance(model.focal_loss_, FocalLoss) and trees["n_targets"] > 1
    width = trees["n_targets"] if several else len(model.classes_)
    ((_, label.type),) = types.guess_data_type(_labels_of(model))
    label.type.shape = [None, width] if several else [None]
    probability.type = types.FloatTensorType([None, width])


def _refuse_other_inputs(operator: Any, types: Any) -> None:
    """Reject inputs of an estimator in a pipeline that are not its features."""
    kinds = {one.onnx_name: one.type for one in operator.inputs}
    text = types.StringTensorType
    _refuse_text([name for name, kind in kinds.items() if isinstance(kind, text)])
    widths = [kind.shape[1] for kind in kinds.values()]
    n_features = operator.raw_operator.n_features_in_
    if None not in widths and sum(widths) != n_features:
        rule = f"one that gives {n_features} features to the estimator in sklearn-onnx"
        advice = "It converts a step otherwise. Compute this step before the model."
        reject("model", rule, int(sum(widths)), advice)


def _refuse_text(columns: list[str]) -> None:
    if columns:
        rule = "a pipeline that gives numbers to the estimator"
        advice = "Encode text and categories in the pipeline, as OrdinalEncoder does."
        reject("model", rule, columns, advice)


def _labels_of(model: Any) -> NDArray[Any]:
    """The labels in a type of ONNX."""
    classes = model.classes_
    numbers = dict.fromkeys("iub", np.int64) | {"f": np.float32}
    dtype = numbers.get(classes.dtype.kind, object)
    if dtype is object and not all(isinstance(label, str) for label in classes):
        rule = "labels that are numbers or text, for an export"
        reject("y", rule, classes.tolist(), "Relabel y before fit.")
    return np.asarray(classes.astype(dtype))


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of an estimator to the graph of sklearn-onnx."""
    model, loss = operator.raw_operator, operator.raw_operator.focal_loss_
    graph = _Graph(scope, container)
    types = graph.onnx.TensorProto
    features = [graph.add("Cast", x.onnx_name, to=types.FLOAT) for x in operator.inputs]
    X = features[0] if len(features) == 1 else graph.add("Concat", *features, axis=1)
    trees, ml = operator.focalboost_trees, "ai.onnx.ml"
    raw = graph.add("TreeEnsembleRegressor", X, domain=ml, **trees)
    raw = graph.add("Cast", raw, to=types.DOUBLE)
    # CalibratedClassifierCV asks for what it has calibrated: decision_function.
    raw_scores = container.get_options(model, {"raw_scores": False})["raw_scores"]
    if isinstance(loss, FocalLoss):
        n_outputs = trees["n_targets"]
        probability, code = _posterior(graph, loss, raw, n_outputs, raw_scores)
    else:
        probability, code = _posterior_of_classes(graph, loss, raw, raw_scores)
    names = [output.onnx_name for output in operator.outputs]
    graph.add("Gather", _labels_of(model), code, axis=0, result=names[0])
    graph.add("Cast", probability, to=types.FLOAT, result=names[1])


def _graph_of_pipeline(pipeline: Pipeline, X: Any) -> Any:
    """The graph of a pipeline, whose inputs are named and typed by rows of a table."""
    if X is None:
        advice = "Use to_onnx(pipeline, X_train[:10])."
        reject("X", "a row or more of the table, for a Pipeline", X, advice)
    steps = [step for step in pipeline.steps if step[1] not in (None, "passthrough")]
    pipeline = Pipeline(steps)
    if hasattr(X, "columns"):
        _refuse_other_tables(X)
    _refuse_other_features(pipeline, X)
    onnx = _import_tools("onnx")
    of_onnx = (onnx.checker.ValidationError, onnx.shape_inference.InferenceError)
    errors = (RuntimeError, IndexError, *of_onnx)
    try:
        model = _converted_by_sklearn_onnx(_of_columns(pipeline, X), _types_of(X))
    except errors as error:
        rule = "a pipeline of steps that sklearn-onnx converts in float64"
        advice = f"sklearn-onnx says: {error} Compute this step before the pipeline."
        reject("model", rule, [name for name, _ in steps[:-1]], advice)
    if hasattr(X, "columns"):
        _name_inputs(model.graph, X)
    _refuse_other_probabilities(model, pipeline, X)
    return model


def _converted_by_sklearn_onnx(model: Any, inputs: list[tuple[str, Any]]) -> Any:
    """The checked graph of an estimator, or of a pipeline that ends in one."""
    register_converters()
    estimator = model[-1] if isinstance(model, Pipeline) else model
    graph = _import_tools("skl2onnx").convert_sklearn(
        model,
        name="focalboost",
        initial_types=inputs,
        final_types=[(name, None) for name in _OUTPUTS],
        options={id(estimator): {"zipmap": False}},
        target_opset=_NEWEST_OPSETS,
        custom_conversion_functions={
            SimpleImputer: _impute,
            OneHotEncoder: _encode,
            OrdinalEncoder: _encode,
        },
    )
    graph.ir_version = _IR_VERSION
    _import_tools("onnx").checker.check_model(graph, full_check=True)
    return graph


def _refuse_other_tables(X: Any) -> None:
    """Reject tables whose columns could not be inputs of a graph."""
    if not hasattr(X, "iloc"):
        advice = "Use to_onnx(pipeline, X.to_pandas())."
        reject("X", "a table of pandas, or an array", type(X), advice)
    names = [one for one in X.columns if not isinstance(one, str) or not one]
    names += [name for name in _OUTPUTS if name in X.columns]
    if names:
        rule = "a table whose columns have names of text, but not those of the outputs"
        reject("X", rule, names, "Rename these columns before fit.")


def _refuse_other_features(pipeline: Pipeline, X: Any) -> None:
    """Reject features that the graph would have otherwise than scikit-learn.

    XGBoost reads zeros of sparse features as missing values, and ONNX does not.
    scikit-learn computes with float32 columns in float32, and the graph in float64: the
    last bit decides on which side of a threshold a row falls.
    """
    transform = pipeline[:-1].transform if len(pipeline) > 1 else None
    features = transform(X) if transform else X
    if hasattr(features, "dtypes"):  # hosts read codes of categories, graphs values
        kinds = zip(features.columns, features.dtypes, strict=True)
        _refuse_text([name for name, kind in kinds if hasattr(kind, "categories")])
    if hasattr(pipeline[-1], "get_booster") and issparse(features):
        rule = "a pipeline of dense features for an export of XGBoost"
        found = "sparse features, whose zeros are missing values"
        advice = (
            "Train with OneHotEncoder(sparse_output=False) and "
            "ColumnTransformer(..., sparse_threshold=0)."
        )
        reject("model", rule, found, advice)
    is_table = hasattr(X, "dtypes")
    dtypes = dict(X.dtypes) if is_table else {"X": np.asarray(X).dtype}
    narrow = [name for name, one in dtypes.items() if one in (np.float16, np.float32)]
    if not (narrow and transform):
        return
    wide = X.astype(dict.fromkeys(narrow, "float64") if is_table else "float64")
    own, other = (np.asarray(one, np.float32) for one in (features, transform(wide)))
    if not np.array_equal(own, other, equal_nan=True):
        rule = "of float64, as the pipeline computes with float32 numbers otherwise"
        advice = "Fit the pipeline on X.astype('float64'), and export with such rows."
        reject("X", rule, narrow, advice)


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
    number, text = (
        kind([None, 1]) for kind in (types.DoubleTensorType, types.StringTensorType)
    )
    return [(name, number if _kind(X[name]) in "fiub" else text) for name in X.columns]


def _kind(column: Any) -> str:
    """NumPy's letter for the kind of a column: that of its categories, if it has."""
    dtype = getattr(column.dtype, "categories", column).dtype
    return str(dtype.kind)


def _impute(scope: Any, operator: Any, container: Any) -> None:
    """SimpleImputer in float64: the operator of ONNX knows float32 alone."""
    imputer, (given, *more) = operator.raw_operator, operator.inputs
    statistics, missing = imputer.statistics_, imputer.missing_values
    if len(imputer.get_feature_names_out()) != len(statistics):
        rule = "a pipeline whose SimpleImputer adds no column and drops none"
        advice = "Use SimpleImputer(keep_empty_features=True, add_indicator=False)."
        reject("model", rule, imputer, advice)
    types = _import_tools("skl2onnx.common.data_types")
    is_float64 = isinstance(given.type, types.DoubleTensorType) and not more
    if not is_float64 or not isinstance(missing, Real):
        _convert_as_sklearn_onnx(scope, operator, container)
        return
    graph, X = _Graph(scope, container), given.onnx_name
    test = ("IsNaN", X) if math.isnan(missing) else ("Equal", X, [float(missing)])
    values = statistics[np.newaxis].astype(np.float64)
    result = operator.outputs[0].onnx_name
    graph.add("Where", graph.add(*test), values, X, result=result)


def _encode(scope: Any, operator: Any, container: Any) -> None:
    """OneHotEncoder or OrdinalEncoder, unless categories would be mixed up."""
    encoder = operator.raw_operator
    names = getattr(encoder, "feature_names_in_", range(encoder.n_features_in_))
    for name, categories in zip(names, encoder.categories_, strict=True):
        _refuse_mixed_up(encoder, name, categories)
    _convert_as_sklearn_onnx(scope, operator, container)


def _refuse_mixed_up(encoder: Any, name: Any, categories: NDArray[Any]) -> None:
    """Reject categories that sklearn-onnx would mix up.

    Its OrdinalEncoder compares numbers in float32, and gives a missing category a code
    where that of scikit-learn gives NaN. Its OneHotEncoder makes integers of numbers.
    """
    is_ordinal = isinstance(encoder, OrdinalEncoder)
    is_number = categories.dtype.kind in "iuf"
    keys = categories.astype(np.float32) if is_ordinal and is_number else categories
    if len(set(keys.tolist())) < len(categories):
        rule = f"a pipeline whose categories of {name!r} differ in float32"
        advice = f"Make text of them before the pipeline: X[{name!r}].astype(str)."
        reject("model", rule, categories.tolist(), advice)
    loses_nan = np.isnan(encoder.encoded_missing_value) if is_ordinal else is_number
    if loses_nan and np.any(categories != categories):
        rule = f"a pipeline without missing values among the categories of {name!r}"
        advice = (
            "Use OrdinalEncoder(encoded_missing_value=-1), or fill missing values "
            "before the encoder."
        )
        reject("model", rule, categories.tolist(), advice)


def _convert_as_sklearn_onnx(scope: Any, operator: Any, container: Any) -> None:
    registered = _import_tools("skl2onnx.common._registration")
    registered.get_converter(operator.type)(scope, operator, container)


def _name_inputs(graph: Any, X: Any) -> None:
    """Give the inputs the names of their columns, and drop those that nothing reads.

    sklearn-onnx keeps letters, digits and underscores of a name. Dates cannot stay.
    """
    names = dict(zip((one.name for one in graph.input), X.columns, strict=True))
    read = {name for node in graph.node for name in node.input}
    used = [one for one in graph.input if one.name in read]
    dates = [names[one.name] for one in used if _kind(X[names[one.name]]) in "mM"]
    if dates:
        rule = "without dates in the columns that the pipeline uses"
        advice = "ONNX has none: make numbers of them before the pipeline, as the hour."
        reject("X", rule, dates, advice)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
    for one in used:
        one.name = names[one.name]
    del graph.input[:]
    graph.input.extend(used)


def _refuse_other_probabilities(graph: Any, pipeline: Pipeline, X: Any) -> None:
    """Reject a graph whose probabilities of some rows are not those of the pipeline."""
    if hasattr(X, "columns"):
        names = [one.name for one in graph.graph.input]
        text = [name for name in names if _kind(X[name]) not in "fiub"]
        X = X.dropna(subset=text).head(_ROWS_COMPARED)
        if X.empty:
            return
        inputs = {name: _column(X[name]) for name in names}
    else:
        X = X[:_ROWS_COMPARED].copy()  # LightGBM may warn of a slice
        rows = X.toarray() if hasattr(X, "toarray") else X
        inputs = {"X": np.asarray(rows, dtype=np.float64)}
    reference = _import_tools("onnx.reference")
    try:
        run = reference.ReferenceEvaluator(graph).run
    except NotImplementedError:  # the standard has no Tokenizer of text
        return
    with np.errstate(all="ignore"):
        (found,) = run(["probabilities"], inputs)
    if not np.allclose(found, pipeline.predict_proba(X), rtol=1e-3, atol=1e-6):
        rule = "a pipeline whose graph has the same probabilities"
        advice = (
            "Either a feature needs more digits than float32 has, or sklearn-onnx "
            "converts a step otherwise: compute it before the pipeline."
        )
        reject("model", rule, list(pipeline.named_steps), advice)


def _column(values: Any) -> NDArray[Any]:
    """A column of a table, as a graph reads it."""
    if _kind(values) in "fiub":
        return np.asarray(values.to_numpy(np.float64, na_value=np.nan))[:, np.newaxis]
    return np.asarray(values.astype(str), dtype=object)[:, np.newaxis]


class _Graph:
    """Nodes and constants. Methods add some, and return the name of the result."""

    def __init__(self, scope: Any, container: Any) -> None:
        self.onnx = _import_tools("onnx")
        self.scope, self.container = scope, container
        container.node_domain_version_pair_sets.update(_OPSETS.items())

    def add(self, operator: str, *inputs: Any, result: str = "", **options: Any) -> str:
        """Add a node of results, which are names, and of constants."""
        names = [x if isinstance(x, str) else self.constant(x) for x in inputs]
        result = result or self.scope.get_unique_variable_name(operator)
        options["name"] = self.scope.get_unique_operator_name(operator)
        node = self.onnx.helper.make_node(operator, names, [result], **options)
        self.container.nodes.append(node)
        return result

    def constant(self, values: Any) -> str:
        name: str = self.scope.get_unique_variable_name("constant")
        array = self.onnx.numpy_helper.from_array(np.asarray(values), name)
        self.container.initializers.append(array)
        return name

    def write(self, function: str, *operands: str | float) -> str:
        """Add what a function of NumPy computes of results and numbers."""
        x: Any = Written(str(operands[0]), self.write)
        if function == "log1p":  # ONNX has none. The error of u cancels (Kahan).
            u = 1 + x
            result: Written = np.where(u == 1, x, np.log(u) * x / (u - 1))
        elif function == "sinh":  # that of ONNX Runtime is not for float64
            result = (np.exp(x) - np.exp(-x)) * 0.5
        else:
            operator = _OPERATORS.get(function, function.capitalize())
            return self.add(operator, *operands)
        return result.name


def _posterior(
    graph: _Graph, loss: FocalLoss, raw: str, n_outputs: int, raw_scores: bool
) -> tuple[str, str]:
    """Add the posterior or its logit, and the codes of the likeliest labels."""
    odds = written_log_odds(loss, graph.write, raw)
    is_positive = graph.add("Greater", odds, 0.0)
    link = "Identity" if raw_scores else "Sigmoid"
    probability = graph.add(link, odds)
    code = graph.add("Cast", is_positive, to=graph.onnx.TensorProto.INT64)
    if n_outputs > 1:
        return probability, code
    negative = graph.add(link, graph.add("Neg", odds))
    both = graph.add("Concat", negative, probability, axis=1)
    return both, graph.add("Squeeze", code, [1])


def _posterior_of_classes(
    graph: _Graph, loss: SoftmaxFocalLoss, raw: str, raw_scores: bool
) -> tuple[str, str]:
    """Add the posterior or its logarithm, and the codes of the likeliest labels.

    The logsumexp in a margin is that of the other classes alone, gathered for every
    class, so that nothing cancels.
    """
    n_classes = loss.n_classes
    others = [[j for j in range(n_classes) if j != k] for k in range(n_classes)]
    gathered = graph.add("Gather", raw, others, axis=1)
    rest = graph.add("ReduceLogSumExp", gathered, axes=[2], keepdims=0)
    margin = graph.add("Sub", raw, rest)
    gammas = graph.constant([loss.gammas])
    weight = written_log_weight(graph.write, margin, gammas)
    if loss.alpha is not None:
        weight = graph.add("Sub", weight, [np.log(loss.alpha)])
    code = graph.add("ArgMax", weight, axis=1, keepdims=0)
    link = "LogSoftmax" if raw_scores else "Softmax"
    return graph.add(link, weight, axis=1), code


def _xgboost_trees(model: Any) -> dict[str, Any]:
    """The attributes of a TreeEnsembleRegressor of raw predictions."""
    if not math.isnan(model.missing):
        advice = "Train with NaN for missing values."
        reject("missing", "NaN for an export", model.missing, advice)
    booster = model.get_booster()
    best = booster.attr("best_iteration")
    if best is not None:
        booster = booster[: int(best) + 1]
    saved = json.loads(bytes(booster.save_raw("json")))
    learner = saved["learner"]
    # onnxmltools knows no split of an indicator, and no names but numbers.
    learner["feature_types"] = [
        kind if kind == "c" else "q" for kind in learner["feature_types"]
    ]
    learner["feature_names"] = []
    saved_trees, weights = _trees_and_weights(learner["gradient_booster"])
    learner["gradient_booster"] = {"name": "gbtree", "model": saved_trees}
    plain = import_host("xgboost").XGBClassifier()
    plain.load_model(bytearray(json.dumps(saved), "utf-8"))
    try:
        trees = _converted("convert_xgboost", plain, plain.n_features_in_)
    except RecursionError:
        rule = "of fewer categories, for onnxmltools has a recursion limit"
        advice = "Join rare categories, or use FocalLGBMClassifier."
        reject("model", rule, sys.getrecursionlimit(), advice)
    of_leaf = trees["target_treeids"]
    leaves = np.array(trees["target_weights"]) * np.array(weights)[of_leaf]
    start = np.asarray(model.intercept_, dtype=np.float32)  # as XGBoost computes
    if isinstance(model.focal_loss_, FocalLoss):
        start = -np.log(1 / start - 1)
    params = learner["learner_model_param"]
    n_outputs = max(1, int(params["num_class"]), int(params["num_target"]))
    return trees | {
        "n_targets": n_outputs,
        "target_ids": np.array(saved_trees["tree_info"])[of_leaf].tolist(),
        "target_weights": leaves.tolist(),
        "base_values": np.broadcast_to(start, n_outputs).tolist(),
    }


def _trees_and_weights(booster: dict[str, Any]) -> tuple[dict[str, Any], list[float]]:
    """The trees of a saved booster, and the weight of each tree (1 but for dart)."""
    model = booster.get("gbtree", booster).get("model", {})
    if "trees" not in model:
        rule = "one of trees for an export"
        reject("booster", rule, booster["name"], _TREELESS)
    trees = model["trees"]
    if any(int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in trees):
        rule = "'one_output_per_tree' for an export"
        reject("multi_strategy", rule, "multi_output_tree", _TREELESS)
    weights = booster.get("weight_drop", model.get("weight_drop"))
    return model, weights or [1.0] * len(trees)


def _lightgbm_trees(model: Any) -> dict[str, Any]:
    """The attributes of a TreeEnsembleRegressor of raw predictions."""
    booster = model.booster_
    dump = json.dumps(booster.dump_model()["tree_info"])
    rule = "False for an export"
    if '"missing_type": "Zero"' in dump:
        advice = "ONNX has no missing value but NaN: replace zeros by NaN."
        reject("zero_as_missing", rule, True, advice)
    if "leaf_coeff" in dump:
        reject("linear_tree", rule, True, _TREELESS)
    # Without their sizes LightGBM reads trees of any length, one after the other.
    text = re.sub(r"(?m)^tree_sizes=.*\n", "", booster.model_to_string())
    text = re.sub("(?m)^threshold=(.*)$", _rounded_down, text)
    booster = import_host("lightgbm").Booster(model_str=text)
    n_outputs = booster.num_model_per_iteration()
    trees = _converted("convert_lightgbm", booster, booster.num_feature(), zipmap=False)
    return trees | {"n_targets": n_outputs}


def _rounded_down(line: re.Match[str]) -> str:
    """The thresholds rounded down to float32: a float32 x <= t keeps its side.

    LightGBM's thresholds t are float64. Rounded to the nearest float32, t could move up
    to a feature that was above it.
    """
    thresholds = np.array(line[1].split(), dtype=np.float64)
    # Thresholds of float64 features may be beyond the range of float32.
    with np.errstate(over="ignore", under="ignore"):
        nearest = thresholds.astype(np.float32)
        below = np.nextafter(nearest, np.float32(-np.inf))
    down = np.where(nearest <= thresholds, nearest, below)
    return f"threshold={' '.join(map(str, down.tolist()))}"


def _converted(
    function: str, model: Any, n_features: int, **options: Any
) -> dict[str, Any]:
    """The trees that onnxmltools writes, as those of a regressor without a link."""
    types = _import_tools("onnxmltools.convert.common.data_types")
    inputs = [("X", types.FloatTensorType([None, n_features]))]
    convert = getattr(_import_tools("onnxmltools"), function)
    nodes = convert(model, initial_types=inputs, **options).graph.node
    (trees,) = (one for one in nodes if one.op_type == "TreeEnsembleClassifier")
    value_of = _import_tools("onnx").helper.get_attribute_value
    return {
        item.name.replace("class_", "target_"): value_of(item)
        for item in trees.attribute
        if item.name.startswith(("nodes_", "class_"))
    }


def _import_tools(name: str) -> Any:
    return import_extra(name, "pip install onnx onnxmltools skl2onnx")
