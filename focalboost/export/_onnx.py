"""ONNX graphs of estimators: the trees, and the posterior of their raw predictions.

onnxmltools converts the trees to a classifier that ends in a link. Here they become a
regressor that gives raw predictions from the right start. Models that onnxmltools would
convert wrongly are refused.
"""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._imports import import_extra, import_host
from focalboost._validation import reject
from focalboost.estimators._base import FocalClassifierMixin
from focalboost.export._formulas import (
    Operand,
    Program,
    log_odds_program,
    log_weight_program,
)
from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss

if TYPE_CHECKING:
    import lightgbm
    import xgboost

#: The operator sets of the graphs. ONNX Runtime has them since 1.12 (2022).
OPSETS = {"": 17, "ai.onnx.ml": 1}
IR_VERSION = 8

_OPERATIONS = {
    "add": "Add",
    "subtract": "Sub",
    "multiply": "Mul",
    "divide": "Div",
    "negative": "Neg",
    "less": "Less",
    "greater": "Greater",
    "greater_equal": "GreaterOrEqual",
    "abs": "Abs",
    "exp": "Exp",
    "minimum": "Min",
    "where": "Where",
}

_TREELESS = "ONNX has no trees but those whose leaves are numbers."


class Columns(NamedTuple):
    """An input of a graph: some columns of the features."""

    name: str
    kind: int  #: of ONNX, such as TensorProto.FLOAT
    width: int


def graph_of(model: FocalClassifierMixin, inputs: Sequence[Columns] = ()) -> Any:
    """The graph of a fitted estimator; its input is "X" unless others are given."""
    classes, loss, trees = model.classes_, model.focal_loss_, _trees_of(model)
    graph = _Graph()
    onnx, types = graph.onnx, graph.onnx.TensorProto
    inputs = inputs or [Columns("X", types.FLOAT, trees.n_features)]
    raw = graph.add(
        "TreeEnsembleRegressor",
        graph.features(inputs),
        domain="ai.onnx.ml",
        n_targets=trees.n_outputs,
        **trees.attributes,
    )
    posterior = _posterior(graph, loss, graph.cast(raw, "DOUBLE"), trees.n_outputs)
    info = onnx.helper.make_tensor_value_info
    several = trees.n_outputs > 1 and isinstance(loss, FocalLoss)
    label, kind = _labels(graph, classes, posterior.code)
    shape = ["n", trees.n_outputs] if several else ["n"]
    width = trees.n_outputs if several else len(classes)
    return graph.model(
        [info(name, kind, ["n", width]) for name, kind, width in inputs],
        {
            "label": (label, info("label", kind, shape)),
            "probabilities": (
                graph.cast(posterior.probability, "FLOAT"),
                info("probabilities", types.FLOAT, ["n", width]),
            ),
        },
    )


class _Graph:
    """Nodes and constants. Methods add some, and return the name of the result."""

    def __init__(self) -> None:
        self.onnx = _import_onnx()
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def add(self, operator: str, *inputs: str, domain: str = "", **attrs: Any) -> str:
        result = f"{operator}_{len(self._nodes)}"
        make_node = self.onnx.helper.make_node
        self._nodes.append(
            make_node(operator, inputs, [result], result, domain=domain, **attrs)
        )
        return result

    def constant(self, values: Any) -> str:
        name = f"constant_{len(self._constants)}"
        array = self.onnx.numpy_helper.from_array(np.asarray(values), name)
        self._constants.append(array)
        return name

    def cast(self, name: str, dtype: str) -> str:
        """Convert to "FLOAT", "DOUBLE" or "INT64"."""
        return self.add("Cast", name, to=getattr(self.onnx.TensorProto, dtype))

    def features(self, inputs: Sequence[Columns]) -> str:
        """The columns of all inputs as one float32 array."""
        float32 = self.onnx.TensorProto.FLOAT
        names = [
            name if kind == float32 else self.cast(name, "FLOAT")
            for name, kind, _ in inputs
        ]
        return names[0] if len(names) == 1 else self.add("Concat", *names, axis=1)

    def run(self, program: Program, **inputs: str) -> str:
        """Add a program. The inputs are names in the graph."""
        names = dict(inputs)

        def name_of(operand: Operand) -> str:
            return (
                names[operand] if isinstance(operand, str) else self.constant(operand)
            )

        for result, operation, operands in program.operations:
            names[result] = self._apply(operation, *map(name_of, operands))
        return names[program.result]

    def _apply(self, operation: str, *operands: str) -> str:
        if operation == "log1p":
            return self._log1p(*operands)
        if operation == "sinh":
            return self._sinh(*operands)
        return self.add(_OPERATIONS[operation], *operands)

    def _log1p(self, x: str) -> str:
        """log(u) * x / (u - 1) for u = 1 + x, and x if u is 1.

        ONNX has no log1p. Here the rounding error of u cancels (Kahan).
        """
        one = self.constant(1.0)
        u = self.add("Add", one, x)
        scaled = self.add("Mul", self.add("Log", u), x)
        quotient = self.add("Div", scaled, self.add("Sub", u, one))
        return self.add("Where", self.add("Equal", u, one), x, quotient)

    def _sinh(self, x: str) -> str:
        """(exp(x) - exp(-x)) / 2: the sinh of ONNX Runtime is not for float64."""
        difference = self.add(
            "Sub", self.add("Exp", x), self.add("Exp", self.add("Neg", x))
        )
        return self.add("Mul", difference, self.constant(0.5))

    def model(self, inputs: Any, outputs: dict[str, tuple[str, Any]]) -> Any:
        """Return the checked model. Outputs are results in the graph, with types."""
        helper, opset = self.onnx.helper, self.onnx.helper.make_opsetid
        for name, (result, _) in outputs.items():
            self._nodes.append(helper.make_node("Identity", [result], [name], name))
        graph = helper.make_graph(
            self._nodes,
            "focalboost",
            inputs,
            [value for _, value in outputs.values()],
            self._constants,
        )
        model = helper.make_model(
            graph,
            producer_name="focalboost",
            ir_version=IR_VERSION,
            opset_imports=[opset(*item) for item in OPSETS.items()],
        )
        self.onnx.checker.check_model(model)
        return model


class _Trees(NamedTuple):
    """The attributes of a TreeEnsembleRegressor of raw predictions."""

    attributes: dict[str, Any]
    n_features: int
    n_outputs: int


def _trees_of(model: Any) -> _Trees:
    """The trees of an estimator of either host."""
    if not hasattr(model, "get_booster"):
        return _lightgbm_trees(model.booster_)
    if not math.isnan(model.missing):
        advice = "Train with NaN for missing values."
        reject("missing", "NaN for an export", model.missing, advice)
    return _xgboost_trees(model.get_booster())


def _xgboost_trees(booster: "xgboost.Booster") -> _Trees:
    """The trees of an XGBoost booster, up to its best round."""
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
    model, weights = _trees_and_weights(learner["gradient_booster"])
    learner["gradient_booster"] = {"name": "gbtree", "model": model}
    plain = import_host("xgboost").XGBClassifier()
    plain.load_model(bytearray(json.dumps(saved), "utf-8"))
    n_features = plain.n_features_in_
    classifier = _converted("convert_xgboost", plain, n_features)
    of_leaf = classifier["class_treeids"]
    leaves = np.array(classifier["class_weights"]) * np.array(weights)[of_leaf]
    start = _raw_base_score(learner)
    regressor = _regressor(classifier) | {
        "target_ids": np.array(model["tree_info"])[of_leaf].tolist(),
        "target_weights": leaves.tolist(),
        "base_values": start,
    }
    return _Trees(regressor, n_features, len(start))


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


def _raw_base_score(learner: dict[str, Any]) -> list[float]:
    """The raw predictions before the first tree, in float32 as in XGBoost."""
    scores = np.array(
        json.loads(learner["learner_model_param"]["base_score"]), dtype=np.float32
    ).reshape(-1)
    if learner["objective"]["name"] == "binary:logistic":
        one = np.float32(1)
        scores = -np.log(one / scores - one)
    n_outputs = max(
        int(learner["learner_model_param"][name])
        for name in ("num_class", "num_target")
    )
    start: list[float] = np.broadcast_to(scores, max(n_outputs, 1)).tolist()
    return start


def _lightgbm_trees(booster: "lightgbm.Booster") -> _Trees:
    """The trees of a LightGBM booster, up to its best round."""
    dump = booster.dump_model()
    rule = "False for an export"
    if any(node["missing_type"] == "Zero" for node in _splits(dump)):
        advice = "ONNX has no missing value but NaN: replace zeros by NaN."
        reject("zero_as_missing", rule, True, advice)
    if "leaf_coeff" in json.dumps(dump["tree_info"]):
        reject("linear_tree", rule, True, _TREELESS)
    n_features = booster.num_feature()
    # Splits of missing values from all others have the largest float64 as threshold.
    with np.errstate(over="ignore"):
        classifier = _converted("convert_lightgbm", booster, n_features, zipmap=False)
        classifier["nodes_values"] = _rounded_down(classifier, dump)
    n_outputs = booster.num_model_per_iteration()
    return _Trees(_regressor(classifier), n_features, n_outputs)


def _splits(dump: dict[str, Any]) -> Any:
    """Every split of every tree, with the number of its tree."""
    for number, tree in enumerate(dump["tree_info"]):
        pending = [tree["tree_structure"]]
        while pending:
            node = pending.pop()
            if "split_feature" in node:
                yield {**node, "tree": number}
                pending += [node["left_child"], node["right_child"]]


def _rounded_down(classifier: dict[str, Any], dump: dict[str, Any]) -> list[float]:
    """The thresholds rounded down to float32: a float32 x <= t keeps its side.

    LightGBM's thresholds t are float64. Rounded to the nearest float32, t could move up
    to a feature that was above it.
    """
    down = {}
    for node in _splits(dump):
        if node["decision_type"] == "<=":
            nearest = np.float32(node["threshold"])
            below = np.nextafter(nearest, np.float32(-np.inf))
            value = nearest if float(nearest) <= node["threshold"] else below
            down[node["tree"], node["split_feature"], nearest] = float(value)
    keys = zip(
        classifier["nodes_treeids"],
        classifier["nodes_featureids"],
        np.array(classifier["nodes_values"], dtype=np.float32),
        strict=True,
    )
    modes = classifier["nodes_modes"]
    return [
        down[key] if mode == b"BRANCH_LEQ" else float(key[2])
        for key, mode in zip(keys, modes, strict=True)
    ]


def _converted(function: str, model: Any, n_features: int, **options: Any) -> Any:
    """The attributes of the one node of trees that onnxmltools writes."""
    tools = _import_onnx("onnxmltools")
    types = _import_onnx("onnxmltools.convert.common.data_types")
    inputs = [("X", types.FloatTensorType([None, n_features]))]
    converted = getattr(tools, function)(model, initial_types=inputs, **options)
    helper = _import_onnx().helper
    (trees,) = (
        node
        for node in converted.graph.node
        if node.op_type == "TreeEnsembleClassifier"
    )
    return {item.name: helper.get_attribute_value(item) for item in trees.attribute}


def _regressor(classifier: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a regressor with the same trees and without a link."""
    return {
        name.replace("class_", "target_"): list(values)
        for name, values in classifier.items()
        if name.startswith(("nodes_", "class_"))
    }


def _import_onnx(name: str = "onnx") -> Any:
    """Import a module of onnx or onnxmltools."""
    return import_extra(name, "pip install onnx onnxmltools")


class _Posterior(NamedTuple):
    """Names in a graph."""

    probability: str
    code: str  #: the position of the likeliest label


def _posterior(graph: _Graph, loss: Loss, raw: str, n_outputs: int) -> _Posterior:
    """Add the posterior of raw predictions in float64, (n, n_outputs)."""
    if isinstance(loss, SoftmaxFocalLoss):
        return _posterior_of_classes(graph, loss, raw)
    odds = graph.run(log_odds_program(loss), raw=raw)
    positive = graph.add("Greater", odds, graph.constant(0.0))
    probability = graph.add("Sigmoid", odds)
    code = graph.cast(positive, "INT64")
    if n_outputs > 1:
        return _Posterior(probability, code)
    negative = graph.add("Sigmoid", graph.add("Neg", odds))
    both = graph.add("Concat", negative, probability, axis=1)
    return _Posterior(both, graph.add("Squeeze", code, graph.constant([1])))


def _posterior_of_classes(
    graph: _Graph, loss: SoftmaxFocalLoss, raw: str
) -> _Posterior:
    """Add the posterior of a softmax.

    The logsumexp in a margin is that of the other classes alone, gathered for every
    class, so that nothing cancels.
    """
    n_classes = loss.n_classes
    others = [[j for j in range(n_classes) if j != k] for k in range(n_classes)]
    gathered = graph.add("Gather", raw, graph.constant(others), axis=1)
    rest = graph.add("ReduceLogSumExp", gathered, axes=[2], keepdims=0)
    margin = graph.add("Sub", raw, rest)
    gamma = graph.constant([loss.gammas])
    weight = graph.run(log_weight_program(), margin=margin, gamma=gamma)
    if loss.alpha is not None:
        weight = graph.add("Sub", weight, graph.constant([np.log(loss.alpha)]))
    code = graph.add("ArgMax", weight, axis=1, keepdims=0)
    return _Posterior(graph.add("Softmax", weight, axis=1), code)


def _labels(graph: _Graph, classes: NDArray[Any], code: str) -> tuple[str, Any]:
    """Add the labels of codes, and return their type as well."""
    types = graph.onnx.TensorProto
    if classes.dtype.kind in "iub":
        values, kind = classes.astype(np.int64), types.INT64
    elif classes.dtype.kind == "f":
        values, kind = classes.astype(np.float32), types.FLOAT
    elif all(isinstance(label, str) for label in classes):
        values, kind = classes.astype(object), types.STRING
    else:
        rule = "labels that are numbers or text, for an export"
        reject("y", rule, classes.tolist(), "Relabel y before fit.")
    return graph.add("Gather", graph.constant(values), code, axis=0), kind
