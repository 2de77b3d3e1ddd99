"""focal_objective: gradient and curvature for a host."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from focalboost._hosts._imports import import_extra
from focalboost._validation import learning_rate_limit, one_of, reject, thread_count
from focalboost.losses import FocalLoss, Loss
from focalboost.objectives._grammar import (
    Arguments,
    HostCallable,
    Parameter,
    checked,
    is_from,
    named_loss,
)
from focalboost.objectives._start import warn_of_poor_start

#: What a host gets in place of the hessian.
Curvature = Literal["certified", "exact"]


def focal_objective(
    gamma: Parameter = 2.0,
    alpha: Parameter | None = None,
    curvature: Curvature = "certified",
    max_learning_rate: float = 0.3,
    *,
    n_classes: int | None = None,
    n_threads: int | None = None,
    device: str | None = None,
) -> "FocalObjective":
    """Return the focal loss as an objective for any interface of both hosts.

    Pass it as ``xgb.train(params, dtrain, obj=...)``, as ``params["objective"]`` of
    ``lgb.train``, or as ``objective=`` of ``XGBClassifier`` and ``LGBMClassifier``.
    Sample weights count in each of them.

    If the host starts far from the best constant, a warning says what to add.
    ``focalboost.xgboost.train``, ``focalboost.lightgbm.train`` and the estimators set
    the start, and make the model predict probabilities.

    Parameters
    ----------
    gamma, alpha : as in ``FocalLoss``
        With ``n_classes``, as in ``SoftmaxFocalLoss``.
    curvature : {"certified", "exact"}, default="certified"
        What replaces the hessian. "certified" is positive and bounds the hessian. With
        it no round raises the training loss, on the conditions that
        ``FocalLoss.gradient_curvature`` states. "exact" is the hessian itself, which is
        negative for the hardest rows if gamma > 0. At gamma = 0 the model is the host's
        own log-loss model. LightGBM's ``dart`` is an exception, and in a call of
        LightGBM's own functions so is a ``feature_fraction`` below 1: they draw other
        trees and columns for a callable objective. For the softmax, "exact" is the
        diagonal of the hessian times the host's own factor, 2 in XGBoost and
        K/(K - 1) in LightGBM. It is no bound for K > 2.
    max_learning_rate : float, default=0.3
        The largest learning rate for which "certified" holds, in (0, 2).
    n_classes : int, optional
        K, for the softmax focal loss of ``num_class`` raw predictions for each row.
        Without it, every raw prediction is one binary problem, and labels (n, T) are T
        of them (multilabel, in XGBoost).
    n_threads : int, optional
        Threads for gradient and curvature. By default it is OMP_NUM_THREADS or one for
        each processor, as for the hosts. A host does not pass on its own setting, but
        ``train`` and the estimators do. The results are the same for any number.
    device : str, optional
        "cuda" or "cuda:N" for gradients on a GPU, for XGBoost on the same device. This
        needs CuPy, and has not been run on a GPU yet. Without it, XGBoost on any device
        takes gradients from the host.

    Returns
    -------
    FocalObjective
        The callable, a stateless value that can be pickled.

    Raises
    ------
    ValueError
        If an argument is out of range. In training, if a label is not in [0, 1], a
        weight is negative, or a number is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost import focal_objective
    >>> objective = focal_objective(gamma=2)
    >>> gradient, curvature = objective(np.array([0.0, 1.0]), np.array([-0.5, 0.5]))
    >>> gradient
    array([ 0.137937, -0.137937], dtype=float32)
    """
    return FocalObjective(
        named_loss(gamma, alpha, n_classes),
        curvature,
        max_learning_rate,
        n_threads=n_threads,
        device=device,
    )


@dataclass(frozen=True)
class FocalObjective(HostCallable):
    """A focal loss as the custom objective of a host; see ``focal_objective``.

    It is a stateless value: hosts may copy, pickle and share it.

    Parameters
    ----------
    loss : FocalLoss or SoftmaxFocalLoss
        The loss.
    curvature, max_learning_rate, n_threads, device : as in ``focal_objective``
        See there.
    checks_start : bool, default=True
        Whether to warn if training starts far from the best constant.
    """

    loss: Loss
    curvature: Curvature = "certified"
    max_learning_rate: float = 0.3
    #: Whether to warn of a poor start; False if the caller has set the start.
    checks_start: bool = True
    n_threads: int | None = None
    device: str | None = None  #: of the gradients, for XGBoost; None is the host

    def __post_init__(self) -> None:
        one_of("curvature", self.curvature, ("certified", "exact"))
        limit = learning_rate_limit(self.max_learning_rate)
        object.__setattr__(self, "max_learning_rate", limit)
        object.__setattr__(self, "n_threads", thread_count(self.n_threads))

    def of(self, arguments: Arguments) -> tuple[Any, ...]:
        """Return gradient and curvature of the arguments of a loss.

        Both are float32 arrays of the shape of the raw predictions.
        """
        arguments = checked(self.loss, arguments)
        if self.device is None:
            derivatives = self._derivatives(arguments)
        else:
            y_true, raw_prediction, weight, data_set = arguments
            with current_device(self.device) as moved:
                arrays = moved(y_true), moved(raw_prediction), moved(weight)
                derivatives = self._derivatives(Arguments(*arrays, data_set))
        if self.checks_start:
            warn_of_poor_start(self.loss, arguments)
        return derivatives

    def kept(self, y_true: Any, sample_weight: Any) -> tuple[Any, Any]:
        """Return labels and weights on the device."""
        if self.device is None:
            return y_true, sample_weight
        with current_device(self.device) as moved:
            return moved(y_true), moved(sample_weight)

    def _derivatives(self, arguments: Arguments) -> tuple[Any, ...]:
        loss, arrays = self.loss, arguments[:3]
        options: Any = {"dtype": np.float32, "n_threads": self.n_threads}
        if self.curvature == "certified":
            eta = self.max_learning_rate
            return loss.gradient_curvature(*arrays, max_learning_rate=eta, **options)
        if isinstance(loss, FocalLoss):
            return loss.gradient_hessian(*arrays, **options)
        of_lightgbm = loss.n_classes / (loss.n_classes - 1)
        factor = of_lightgbm if _is_for_lightgbm(arguments) else 2.0

        def scaled(rows: Any, xp: Any) -> tuple[Any, Any]:
            gradient, hessian = loss._formulas.gradient_hessian(rows, xp)
            return gradient, factor * hessian

        return loss._evaluate(scaled, arrays, **options)


def _is_for_lightgbm(arguments: Arguments) -> bool:
    """Whether LightGBM calls.

    In the scikit-learn call the raw predictions tell the host: LightGBM's are float64,
    and XGBoost's are float32.
    """
    if arguments.data_set is not None:
        return is_from("lightgbm", arguments.data_set)
    dtype = getattr(arguments.raw_prediction, "dtype", None)
    return str(dtype).endswith("float64")  # of any namespace


def has_gpu(device: str) -> bool:
    """Whether CuPy is installed and finds a GPU."""
    try:
        return bool(_cupy(device).cuda.is_available())
    except ModuleNotFoundError:
        return False


@contextmanager
def current_device(device: str) -> Iterator[Callable[[Any], Any]]:
    """Make a device current, and yield a function that moves arrays to it.

    For a custom objective XGBoost copies raw predictions and labels to the host, even
    with device="cuda". It takes device arrays back as they are. This is from the
    sources of XGBoost 3.4 and CuPy. It is tested with another array namespace on
    another device, and has never run on a GPU.
    """
    cupy = _cupy(device)
    if not cupy.cuda.is_available():
        advice = "Leave it out: XGBoost also takes gradients from the host."
        reject("device", "None where there is no CUDA device", device, advice)
    with cupy.cuda.Device(int(device.partition(":")[2] or 0)):
        yield lambda array: None if array is None else cupy.asarray(array)


def _cupy(device: str) -> Any:
    name, _, ordinal = str(device).partition(":")
    if name != "cuda" or not (ordinal.isdigit() or ordinal == ""):
        reject("device", "'cuda', 'cuda:N' or None", device, 'Use device="cuda".')
    advice = "pip install cupy-cuda12x, or cupy-cuda13x for CUDA 13."
    return import_extra("cupy", advice)
