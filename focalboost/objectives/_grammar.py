"""What the hosts hand to a callable, and what they take back.

The native functions of both call it with (raw predictions, data set), and the
scikit-learn classes with (labels, raw predictions[, weights]). "No weights" is an empty
array in XGBoost and None in LightGBM.

Several workers may call it together, each with its own rows: those of XGBoost's
collective (Ray Train, Dask, Spark, a tracker). Every worker has to take part in every
sum, in the same order. An error that one worker alone raises would leave the others
waiting, so the workers first tell each other whether one of them has failed.
"""

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import reject
from focalboost.losses import FocalLoss, Loss, SoftmaxFocalLoss
from focalboost.losses._evaluate import Array


@runtime_checkable
class DataSet(Protocol):
    """What xgboost.DMatrix and lightgbm.Dataset have in common."""

    def get_label(self) -> Any: ...
    def get_weight(self) -> Any: ...


#: A number, or one for each class.
Parameter = float | Sequence[float]


class Arguments(NamedTuple):
    """The arguments of a loss, and the data set if the host has passed one."""

    y_true: Array
    raw_prediction: Array
    sample_weight: Array | None
    data_set: DataSet | None


class HostCallable(ABC):
    """What the objective and the metric share: values that hosts may copy and call."""

    # Three parameters, the last named sample_weight: LightGBM counts them, and
    # XGBoost looks for the name.
    def __call__(self, first: Any, second: Any, sample_weight: Any = None) -> Any:
        """Return what the host wants for (raw, data set) or (labels, raw[, weight])."""
        if not isinstance(second, DataSet):
            return self.of(Arguments(first, second, sample_weight, None))
        y_true, weight = labels_of(second), weights_of(second)
        return self.of(Arguments(y_true, first, weight, second))

    @abstractmethod
    def of(self, arguments: Arguments) -> Any:
        """Return what the host wants for the arguments of a loss."""

    def kept(self, y_true: Any, sample_weight: Any) -> tuple[Any, Any]:
        """Return labels and weights in the form that rounds of a training reuse."""
        return y_true, sample_weight

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def for_training(function: Any, callbacks: Sequence[Any] | None) -> Any:
    """The objective or metric in the form in which ``xgboost.train`` should get it.

    Callbacks may give a data set other labels and weights between two rounds. Where
    there are some, each round reads them again.
    """
    is_own = isinstance(function, HostCallable)
    return _ReadingOnce(function) if is_own and not callbacks else function


class _ReadingOnce:
    """A function of (raw predictions, data set) that keeps labels and weights.

    XGBoost copies them for each call, which takes as long as the gradients of ten
    thousand rows. What is kept goes with the training, which alone has this object.
    """

    def __init__(self, function: HostCallable) -> None:
        self._function = function
        self._kept: WeakKeyDictionary[DataSet, tuple[Any, Any]] = WeakKeyDictionary()

    def __call__(self, raw_prediction: Any, data_set: DataSet) -> Any:
        if data_set not in self._kept:
            arrays = labels_of(data_set), weights_of(data_set)
            self._kept[data_set] = self._function.kept(*arrays)
        y_true, weight = self._kept[data_set]
        return self._function.of(Arguments(y_true, raw_prediction, weight, data_set))

    def __reduce__(self) -> Any:
        return _ReadingOnce, (self._function,)  # a worker reads its own data set


def named_loss(gamma: Any, alpha: Any, n_classes: int | None) -> Loss:
    """Return the binary loss, or the softmax loss of n_classes classes."""
    if n_classes is None:
        return FocalLoss(gamma, alpha)
    return SoftmaxFocalLoss(n_classes, gamma, alpha)


def checked(loss: Loss, arguments: Arguments) -> Arguments:
    """Return arguments that have the form of the loss."""
    y_true, raw_prediction = arguments[:2]
    n_classes = loss._columns
    given_shape = np.shape(raw_prediction)
    if 0 in given_shape and np.size(y_true) == 0:
        # A worker without rows: XGBoost gives raw predictions of any shape.
        shape = np.shape(y_true) if n_classes is None else (0, n_classes)
        return arguments._replace(raw_prediction=np.reshape(raw_prediction, shape))
    if n_classes is None and len(given_shape) == 2 and np.ndim(y_true) == 1:
        given = given_shape[1]
        rule = f"{given}, as the raw predictions have {given} columns"
        option = f"(n_classes={given})"
        advice = f"Use focal_objective{option} and focal_metric{option}."
        reject("n_classes", rule, None, advice)
    return arguments


def labels_of(data_set: Any) -> Any:
    """Return the labels of a data set: (n,), or (n, T) of T labels for each row."""
    labels = data_set.get_label()
    # XGBoost before 3.2 returns the rows flat.
    if is_from("xgboost", data_set) and len(labels) > data_set.num_row() > 0:
        return labels.reshape(data_set.num_row(), -1)
    return labels


def weights_of(data_set: DataSet) -> Any:
    """Return the weights of a data set, or None if every row has the weight 1."""
    weight = data_set.get_weight()
    return None if weight is None or len(weight) == 0 else weight


def is_from(host: str, data_set: DataSet | None) -> bool:
    """Whether the data set belongs to a host. Without its import there is none."""
    module = sys.modules.get(host)
    if module is None or data_set is None:
        return False
    return isinstance(data_set, module.DMatrix if host == "xgboost" else module.Dataset)


def n_workers() -> int:
    """The number of workers that train together; 1 without a collective."""
    library = sys.modules.get("xgboost")
    return 1 if library is None else int(library.collective.get_world_size())


def over_workers(function: Callable[[], Any]) -> NDArray[np.float64]:
    """The sum over all workers of what a function returns on each of them."""
    with failing_together():
        sums = np.asarray(function(), dtype=np.float64)
    if n_workers() == 1:
        return sums
    # Two masses for each column are all that the rows of a worker decide.
    advice = "Pass labels of shape (0, T) where a worker has no rows."
    require_same("y_true", "of as many columns", sums.size // 2, advice)
    # XGBoost before 3.4 returns a flat array.
    return _allreduced(sums, "SUM").reshape(sums.shape)


@contextmanager
def failing_together() -> Iterator[None]:
    """If the block raises an error on some workers, raise it on all of them."""
    if n_workers() == 1:
        yield
        return
    own: Exception | None = None
    try:
        yield
    except Exception as error:
        own = error
    collective, nobody = sys.modules["xgboost"].collective, n_workers()
    rank = nobody if own is None else collective.get_rank()
    first = int(_allreduced(np.array([rank]), "MIN")[0])
    if first < nobody:
        message = collective.broadcast(str(own), first)
        raise ValueError(f"On worker {first}: {message}") from own


def require_same(name: str, rule: str, count: int, advice: str) -> None:
    """Check that a count is the same on all workers."""
    if n_workers() > 1:
        least, minus_most = _allreduced(np.array([count, -count]), "MIN").tolist()
        if least != -minus_most:
            reject(name, f"{rule} on every worker", [least, -minus_most], advice)


def _allreduced(values: NDArray[Any], operation: str) -> NDArray[Any]:
    collective = sys.modules["xgboost"].collective
    return np.asarray(collective.allreduce(values, collective.Op[operation]))
