"""The trees of a fitted booster as the attributes of a node of ONNX.

onnxmltools converts the trees. It writes classifiers that end in a link; here the raw
predictions are wanted, from the right start, and models that it would convert to others
are refused.
"""

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from focalboost._host import import_host
from focalboost._validation import reject
from focalboost.export._graph import import_onnx

if TYPE_CHECKING:
    import lightgbm
    import xgboost

__all__ = ["Trees", "lightgbm_trees", "xgboost_trees"]

_TREELESS = "ONNX has trees whose leaves are numbers, and no others."


class Trees(NamedTuple):
    """A TreeEnsembleRegressor that gives raw predictions."""

    attributes: dict[str, Any]
    n_features: int
    n_outputs: int


def xgboost_trees(booster: "xgboost.Booster") -> Trees:
    """The trees of an XGBoost booster, up to its best round."""
    best = booster.attr("best_iteration")
    if best is not None:
        booster = booster[: int(best) + 1]
    saved = json.loads(bytes(booster.save_raw("json")))
    learner = saved["learner"]
    model, weights = _trees_and_weights(learner["gradient_booster"])
    learner["gradient_booster"] = {"name": "gbtree", "model": model}
    plain = import_host("xgboost").XGBClassifier()
    plain.load_model(bytearray(json.dumps(saved), "utf-8"))
    plain.get_booster().feature_names = None  # onnxmltools numbers features
    n_features = plain.n_features_in_
    classifier = _converted("convert_xgboost", plain, n_features)
    of_leaf = classifier["class_treeids"]
    leaves = np.array(classifier["class_weights"]) * np.array(weights)[of_leaf]
    start = _raw_base_score(learner)
    attributes = {
        **_regressor(classifier),
        "target_ids": np.array(model["tree_info"])[of_leaf].tolist(),
        "target_weights": leaves.tolist(),
        "base_values": start,
    }
    return Trees(attributes, n_features, len(start))


def _trees_and_weights(booster: dict[str, Any]) -> tuple[dict[str, Any], list[float]]:
    """The model of trees in a saved booster, and the weight of each (dart's)."""
    model = booster.get("gbtree", booster).get("model", {})
    if "trees" not in model:
        reject("booster", "one of trees, to be exported", booster["name"], _TREELESS)
    trees = model["trees"]
    if any(int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in trees):
        reject(
            "multi_strategy",
            "'one_output_per_tree' to be exported",
            "multi_output_tree",
            _TREELESS,
        )
    weights = booster.get("weight_drop", model.get("weight_drop"))
    return model, weights or [1.0] * len(trees)


def _raw_base_score(learner: dict[str, Any]) -> list[float]:
    """The raw predictions that trees add to, in float32 as XGBoost has them."""
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


def lightgbm_trees(booster: "lightgbm.Booster") -> Trees:
    """The trees of a LightGBM booster, up to its best round."""
    dump = booster.dump_model()
    for node in _splits(dump):
        if node["missing_type"] == "Zero":
            reject(
                "zero_as_missing",
                "False to be exported",
                True,
                "ONNX knows no missing value but NaN: replace zeros by NaN.",
            )
    if "leaf_coeff" in json.dumps(dump["tree_info"]):
        reject("linear_tree", "False to be exported", True, _TREELESS)
    n_features = booster.num_feature()
    options = {"zipmap": False}
    classifier = _converted("convert_lightgbm", booster, n_features, **options)
    classifier["nodes_values"] = _rounded_down(classifier, dump)
    n_outputs = booster.num_model_per_iteration()
    return Trees(_regressor(classifier), n_features, n_outputs)


def _splits(dump: dict[str, Any]) -> Any:
    """Every split of every tree, which carries the number of its tree."""
    for number, tree in enumerate(dump["tree_info"]):
        pending = [tree["tree_structure"]]
        while pending:
            node = pending.pop()
            if "split_feature" in node:
                yield {**node, "tree": number}
                pending += [node["left_child"], node["right_child"]]


def _rounded_down(classifier: dict[str, Any], dump: dict[str, Any]) -> list[float]:
    """Thresholds such that a float32 feature falls on the side of LightGBM's own.

    LightGBM's are float64; rounded to the nearest float32 one may come to lie on a
    feature that is above it. For a float32 x, x <= t is x <= t rounded down.
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
    values = zip(keys, classifier["nodes_modes"], strict=True)
    return [
        down[key] if mode == b"BRANCH_LEQ" else float(key[2]) for key, mode in values
    ]


def _converted(function: str, model: Any, n_features: int, **options: Any) -> Any:
    """The attributes of the one node of trees that onnxmltools makes of a model."""
    tools = import_onnx("onnxmltools")
    types = import_onnx("onnxmltools.convert.common.data_types")
    inputs = [("X", types.FloatTensorType([None, n_features]))]
    converted = getattr(tools, function)(model, initial_types=inputs, **options)
    helper = import_onnx().helper
    (trees,) = (
        node
        for node in converted.graph.node
        if node.op_type == "TreeEnsembleClassifier"
    )
    return {item.name: helper.get_attribute_value(item) for item in trees.attribute}


def _regressor(classifier: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a regressor with the same trees, and no link."""
    attributes = {}
    for name, values in classifier.items():
        if name.startswith("nodes_"):
            attributes[name] = list(values)
        elif name.startswith("class_"):
            attributes[name.replace("class", "target", 1)] = list(values)
    return attributes
