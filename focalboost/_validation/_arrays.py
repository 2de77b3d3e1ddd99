"""Checks of labels, raw predictions, weights and masses."""

from typing import Any

import numpy as np

from focalboost._validation._reject import reject

__all__ = [
    "require_classes",
    "require_finite",
    "require_inside_unit_interval",
    "require_labels",
    "require_length",
    "require_matrix",
    "require_positive_reference",
    "require_positive_total",
    "require_range",
    "require_shape",
    "require_two_classes",
    "require_weight_of_every_class",
    "require_weights",
    "require_weights_of_hosts",
]


def require_shape(name: str, array: Any, shape: tuple[int, ...]) -> None:
    """Check that array has one entry for each row (and column)."""
    if tuple(array.shape) != tuple(shape):
        reject(
            name,
            f"of shape {tuple(shape)}",
            tuple(array.shape),
            f"Pass one entry of {name} for each row.",
        )


def _require(
    condition: Any, xp: Any, array: Any, name: str, rule: str, way: str
) -> Any:
    """Check a condition of every entry, and show the first that breaks it."""
    if not bool(xp.all(condition)):
        flat = xp.reshape(array, (-1,))
        broken = xp.nonzero(~xp.reshape(condition, (-1,)))[0]
        reject(name, rule, float(flat[int(broken[0])]), way)


#: Beyond it a product of a margin and the smallest probability held is no longer 0.
LARGEST_RAW_PREDICTION = 1e30


def require_finite(xp: Any, raw_prediction: Any) -> None:
    """Check that no raw prediction is NaN, infinite, or absurdly large."""
    _require(
        xp.abs(raw_prediction) <= LARGEST_RAW_PREDICTION,
        xp,
        raw_prediction,
        "raw_prediction",
        "finite and within 1e30 of 0",
        "Look for NaN or inf in init_score, base_margin or the model.",
    )


def require_labels(xp: Any, y_true: Any) -> None:
    """Check that every label lies in [0, 1]; a NaN does not."""
    _require(
        (y_true >= 0) & (y_true <= 1),
        xp,
        y_true,
        "y_true",
        "0 or 1 (or a probability in between)",
        "Encode the labels, for instance with y_true = (y == positive_class).",
    )


def require_classes(xp: Any, y_true: Any, n_classes: int) -> None:
    """Check that every label is one of 0, 1, ..., n_classes - 1."""
    _require(
        (y_true >= 0) & (y_true < n_classes) & (y_true == xp.floor(y_true)),
        xp,
        y_true,
        "y_true",
        f"a whole number from 0 to {n_classes - 1}",
        "Encode the labels, for instance with sklearn.preprocessing.LabelEncoder.",
    )


def require_matrix(name: str, array: Any, n_classes: int) -> None:
    """Check that array has one column for each class."""
    if array.ndim != 2 or array.shape[1] != n_classes:
        reject(
            name,
            f"of shape (n, {n_classes})",
            tuple(array.shape),
            "Pass one row for each sample and one column for each class.",
        )


def require_weight_of_every_class(masses: Any, n_classes: int) -> None:
    """Check that every class carries weight, so that a best constant exists."""
    usable = np.isfinite(masses) & (masses > 0)
    if masses.shape != (n_classes,) or not usable.all():
        reject(
            "y_true",
            f"labels of all {n_classes} classes, each with positive, finite weight",
            masses.tolist(),
            "Add rows of the classes without weight, or leave these classes out.",
        )


def require_weights(xp: Any, sample_weight: Any) -> None:
    """Check that every weight is finite and not negative."""
    _require(
        (sample_weight >= 0) & xp.isfinite(sample_weight),
        xp,
        sample_weight,
        "sample_weight",
        "finite and >= 0",
        "Use 0 for a row that shall not count.",
    )


#: Hosts hold weights in float32; LightGBM takes any that is larger for this one.
LARGEST_WEIGHT = 1e38


def require_weights_of_hosts(sample_weight: Any) -> None:
    """Check that no weight is larger than a host can hold."""
    weight = np.asarray(sample_weight, dtype=np.float64)
    _require(
        weight <= LARGEST_WEIGHT,
        np,
        weight,
        "sample_weight",
        f"at most {LARGEST_WEIGHT:g}",
        "Divide sample_weight by its mean.",
    )


def require_inside_unit_interval(xp: Any, posterior: Any) -> None:
    """Check that every probability lies strictly between 0 and 1."""
    _require(
        (posterior > 0) & (posterior < 1),
        xp,
        posterior,
        "posterior",
        "between 0 and 1, both excluded",
        "A probability of 0 or 1 has no finite raw prediction.",
    )


def require_range(xp: Any, name: str, array: Any, dtype: str) -> None:
    """Check that no entry has overflowed its dtype."""
    _require(
        xp.isfinite(array),
        xp,
        array,
        name,
        f"within the range of {dtype}",
        "Divide sample_weight by its mean.",
    )


def require_length(name: str, array: Any, length: int) -> None:
    """Check that there is one entry for each row."""
    require_shape(name, np.asarray(array), (length,))


def require_two_classes(positive_mass: Any, negative_mass: Any) -> None:
    """Check that both classes carry weight, so that a best constant exists.

    Masses of several columns are arrays; each column has to have both classes.
    """
    masses = np.stack([positive_mass, negative_mass])
    usable = np.all((masses > 0) & np.isfinite(masses), axis=0)
    if usable.all():
        return
    positive, negative = masses[:, ~usable][:, 0].tolist() if usable.ndim else masses
    column = f" (column {int(np.argmin(usable))})" * usable.ndim
    reject(
        "y_true",
        f"labels of two classes, both with positive, finite weight{column}",
        {"weight of class 1": float(positive), "weight of class 0": float(negative)},
        "Add rows of the missing class, or correct the weights: nothing can be "
        "learned from one class.",
    )


def require_positive_reference(loss: float) -> None:
    """Check that the loss of the best constant, to divide by, is no underflow."""
    if not loss > 0:
        reject(
            "gamma",
            "so small that the loss of the best constant is above zero in float64",
            loss,
            "Use a smaller gamma, or multiply the weights by a constant.",
        )


def require_positive_total(total: float) -> None:
    """Check that some row has a positive weight."""
    if not total > 0:
        reject(
            "sample_weight",
            "above zero for at least one row",
            total,
            "Leave out sample_weight, or pass rows that count.",
        )
