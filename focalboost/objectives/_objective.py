"""focal_objective: gradient and curvature for a host."""

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import learning_rate_limit, one_of
from focalboost.losses import FocalLoss
from focalboost.objectives._grammar import as_gradients, unpack
from focalboost.objectives._start import warn_of_poor_start

__all__ = ["Curvature", "FocalObjective", "focal_objective"]

#: What a host gets in place of the hessian.
Curvature = Literal["certified", "exact"]

_Gradients = tuple[NDArray[np.float32], NDArray[np.float32]]


@dataclass(frozen=True)
class FocalObjective:
    """A focal loss as the custom objective of a host; see ``focal_objective``.

    It is a stateless value: hosts may copy, pickle and share it.
    """

    loss: FocalLoss
    curvature: Curvature = "certified"
    max_learning_rate: float = 0.3
    checks_start: bool = True  #: False where the start has been seen to

    def __post_init__(self) -> None:
        one_of("curvature", self.curvature, ("certified", "exact"))
        limit = learning_rate_limit(self.max_learning_rate)
        object.__setattr__(self, "max_learning_rate", limit)

    # Three parameters, the last named sample_weight: LightGBM counts them, and
    # XGBoost looks the name up.
    def __call__(
        self, first: Any, second: Any, sample_weight: Any = None
    ) -> _Gradients:
        """Return gradient and curvature of (raw, data set) or (labels, raw[, weight]).

        Both are float32 arrays of the shape of the raw predictions.
        """
        arguments = unpack(first, second, sample_weight)
        if self.checks_start:
            warn_of_poor_start(self.loss, arguments)
        gradient, curvature = self._derivatives(*arguments[:3])
        return as_gradients("gradient", gradient), as_gradients("curvature", curvature)

    def _derivatives(self, y_true: Any, raw: Any, sample_weight: Any) -> Any:
        if self.curvature == "exact":
            return self.loss.gradient_hessian(y_true, raw, sample_weight)
        return self.loss.gradient_curvature(
            y_true, raw, sample_weight, max_learning_rate=self.max_learning_rate
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


def focal_objective(
    gamma: float | tuple[float, float] = 2.0,
    alpha: float | None = None,
    curvature: Curvature = "certified",
    max_learning_rate: float = 0.3,
) -> FocalObjective:
    """Return the focal loss as an objective for either host, any of its interfaces.

    Use it as ``xgb.train(params, dtrain, obj=...)``, as ``params["objective"]`` of
    ``lgb.train``, or as ``objective=`` of ``XGBClassifier`` and ``LGBMClassifier``.
    Sample weights count in each. It warns, and says what to add, where the host
    starts far from the best constant; ``focalboost.xgboost.train``,
    ``focalboost.lightgbm.train`` and the estimators set that, and the probabilities.

    Parameters
    ----------
    gamma, alpha
        As in ``FocalLoss``.
    curvature : {"certified", "exact"}, default="certified"
        What stands in for the hessian. "certified" is positive, bounds it, and lets
        no round raise the training loss, on the conditions that
        ``FocalLoss.gradient_curvature`` states. "exact" is the hessian itself, which is
        negative for the hardest rows if gamma > 0; at gamma = 0 the model is the
        host's own log-loss model.
    max_learning_rate : float, default=0.3
        The largest learning rate for which "certified" holds, in (0, 2).

    Raises
    ------
    ValueError
        If an argument is out of range; in training, if a label is not in [0, 1], a
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
    return FocalObjective(FocalLoss(gamma, alpha), curvature, max_learning_rate)
