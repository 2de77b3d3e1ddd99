"""ONNX graphs of estimators, whose output is the posterior."""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import reject
from focalboost.estimators._base import FocalClassifierMixin
from focalboost.export._formulas import log_odds_program, log_weight_program
from focalboost.export._graph import Graph
from focalboost.export._trees import Trees, lightgbm_trees, xgboost_trees
from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss

__all__ = ["to_onnx"]


def to_onnx(model: Any) -> Any:
    """Return a fitted estimator as an ONNX graph that ends in the class-posterior.

    Any runtime of ONNX serves it without focalboost and without the host. The input is
    ``X``, float32 (n_samples, n_features), with NaN for missing values and categories
    as their codes; the outputs are ``label`` (n_samples,), the likeliest label, and
    ``probabilities``, float32 (n_samples, n_classes), as ``predict_proba`` has them;
    for labels (n, T) both are (n_samples, T). onnxmltools converts the trees, and the
    formula of ``loss.posterior`` is appended in float64 (operator set 17).

    Trees sum float32 numbers there, so that the log-odds differ from the estimator's
    by some 1e-6, and float64 features are rounded to float32: one that then falls on
    the other side of a threshold is another row.

    Parameters
    ----------
    model : FocalXGBClassifier or FocalLGBMClassifier
        A fitted estimator; its rounds up to the best are exported.

    Raises
    ------
    ValueError
        If the leaves of the estimator are no numbers (``gblinear``, ``linear_tree``,
        ``multi_output_tree``), its missing value is not NaN, or ONNX has no type for
        its labels.
    sklearn.exceptions.NotFittedError
        If it is not fitted.

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
    if not isinstance(model, FocalClassifierMixin):
        reject(
            "model",
            "a FocalXGBClassifier or a FocalLGBMClassifier",
            model,
            "Fit one; posterior_source has the formula for other models.",
        )
    classes, loss, trees = model.classes_, model.focal_loss_, _trees_of(model)
    graph = Graph()
    raw = graph.add(
        "TreeEnsembleRegressor",
        "X",
        domain="ai.onnx.ml",
        n_targets=trees.n_outputs,
        **trees.attributes,
    )
    posterior = _posterior(graph, loss, graph.cast(raw, "DOUBLE"), trees.n_outputs)
    onnx, types = graph.onnx, graph.onnx.TensorProto
    info = onnx.helper.make_tensor_value_info
    several = trees.n_outputs > 1 and isinstance(loss, FocalLoss)
    label, kind = _labels(graph, classes, posterior.code)
    shape = ["n", trees.n_outputs] if several else ["n"]
    width = trees.n_outputs if several else len(classes)
    return graph.model(
        [info("X", types.FLOAT, ["n", trees.n_features])],
        {
            "label": (label, info("label", kind, shape)),
            "probabilities": (
                graph.cast(posterior.probability, "FLOAT"),
                info("probabilities", types.FLOAT, ["n", width]),
            ),
        },
    )


def _trees_of(model: Any) -> Trees:
    """The trees of an estimator of either host."""
    if not hasattr(model, "get_booster"):
        return lightgbm_trees(model.booster_)
    if not math.isnan(model.missing):
        reject(
            "missing",
            "NaN to be exported",
            model.missing,
            "Train with NaN for missing values.",
        )
    return xgboost_trees(model.get_booster())


class _Posterior(NamedTuple):
    """Names in a graph."""

    probability: str
    code: str  #: the position of the likeliest label


def _posterior(graph: Graph, loss: Loss, raw: str, n_outputs: int) -> _Posterior:
    """Add the posterior of raw predictions in float64, (n, n_outputs)."""
    if isinstance(loss, SoftmaxFocalLoss):
        return _of_classes(graph, loss, raw)
    odds = graph.run(log_odds_program(loss), raw=raw)
    positive = graph.add("Greater", odds, graph.constant(0.0))
    probability = graph.add("Sigmoid", odds)
    code = graph.cast(positive, "INT64")
    if n_outputs > 1:
        return _Posterior(probability, code)
    negative = graph.add("Sigmoid", graph.add("Neg", odds))
    both = graph.add("Concat", negative, probability, axis=1)
    return _Posterior(both, graph.add("Squeeze", code, graph.constant([1])))


def _of_classes(graph: Graph, loss: SoftmaxFocalLoss, raw: str) -> _Posterior:
    """Add the posterior of a softmax.

    The margins are taken of the raw predictions of the other classes alone, gathered
    for every class, so that nothing cancels.
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


def _labels(graph: Graph, classes: NDArray[Any], code: str) -> tuple[str, Any]:
    """Add the labels at positions, and return their type as well."""
    types = graph.onnx.TensorProto
    if classes.dtype.kind in "iub":
        values, kind = classes.astype(np.int64), types.INT64
    elif classes.dtype.kind == "f":
        values, kind = classes.astype(np.float32), types.FLOAT
    elif all(isinstance(label, str) for label in classes):
        values, kind = classes.astype(object), types.STRING
    else:
        reject(
            "y",
            "labels that are numbers or text, to be exported",
            classes.tolist(),
            "Relabel y before fit.",
        )
    return graph.add("Gather", graph.constant(values), code, axis=0), kind
