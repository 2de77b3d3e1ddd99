"""Checks of arguments, and the only place that words an error about one.

Every message names the argument, the rule, the value, and what to type instead.
"""

from focalboost._validation._arrays import (
    require_classes,
    require_finite,
    require_inside_unit_interval,
    require_labels,
    require_length,
    require_matrix,
    require_positive_reference,
    require_positive_total,
    require_range,
    require_shape,
    require_two_classes,
    require_weight_of_every_class,
    require_weights,
    require_weights_of_hosts,
)
from focalboost._validation._parameters import (
    class_alphas,
    class_balance,
    class_gammas,
    floating_dtype,
    focusing_parameter,
    learning_rate_limit,
    number_of_classes,
    one_of,
    thread_count,
    whole_number,
)
from focalboost._validation._reject import reject

__all__ = [
    "class_alphas",
    "class_balance",
    "class_gammas",
    "floating_dtype",
    "focusing_parameter",
    "learning_rate_limit",
    "number_of_classes",
    "one_of",
    "reject",
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
    "thread_count",
    "whole_number",
]
