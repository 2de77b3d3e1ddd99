"""An objective or a metric of one training, which reads each data set once."""

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from focalboost.objectives._grammar import Arguments, DataSet, labels_of, weights_of
from focalboost.objectives._metric import FocalMetric
from focalboost.objectives._objective import FocalObjective


def for_training(function: Any, callbacks: Sequence[Any] | None) -> Any:
    """The objective or metric in the form in which ``xgboost.train`` should get it.

    Callbacks may give a data set other labels and weights between two rounds. Where
    there are some, each round reads them again.
    """
    is_own = isinstance(function, FocalObjective | FocalMetric)
    return ReadingOnce(function) if is_own and not callbacks else function


class ReadingOnce:
    """A function of (raw predictions, data set) that keeps labels and weights.

    XGBoost copies them for each call, which takes as long as the gradients of ten
    thousand rows. What is kept goes with the training, which alone has this object.
    """

    def __init__(self, function: FocalObjective | FocalMetric) -> None:
        self._function = function
        self._kept: WeakKeyDictionary[DataSet, tuple[Any, Any]] = WeakKeyDictionary()

    def __call__(self, raw_prediction: Any, data_set: DataSet) -> Any:
        """Return what the function returns."""
        if data_set not in self._kept:
            self._kept[data_set] = labels_of(data_set), weights_of(data_set)
        y_true, weight = self._kept[data_set]
        return self._function.of(Arguments(y_true, raw_prediction, weight, data_set))

    def __reduce__(self) -> Any:
        return ReadingOnce, (self._function,)  # a worker reads its own data set
