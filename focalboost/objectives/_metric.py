"""focal_metric: one number for evaluation and early stopping."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import reject, require_positive_total
from focalboost.losses import FocalLoss, Loss
from focalboost.objectives._grammar import (
    Arguments,
    HostCallable,
    Parameter,
    checked,
    is_from,
    named_loss,
    over_workers,
)


def focal_metric(
    gamma: Parameter = 2.0,
    alpha: Parameter | None = None,
    *,
    n_classes: int | None = None,
) -> "FocalMetric":
    """Return the relative focal loss as a metric for early stopping.

    The value is the sum of the weighted focal losses, divided by the same sum for the
    constant that fits the evaluated labels best. For every gamma and rarity, 1 is no
    better than a constant, and 0 is perfect. Smaller is better. Labels of a single
    class are compared with raw prediction 0, the same score for every class. Labels
    (n, T) of several binary problems (multilabel) give one value for all of them.

    Pass it as ``custom_metric`` to ``xgb.train`` or as ``feval`` to ``lgb.train``,
    together with ``focal_objective``: only then do the hosts hand over raw
    predictions. You can also pass it as ``XGBClassifier(eval_metric=...)``, and its
    method ``for_lightgbm`` as ``LGBMClassifier.fit(eval_metric=...)``.

    Parameters
    ----------
    gamma, alpha, n_classes : as in ``focal_objective``
        See there.

    Returns
    -------
    FocalMetric
        The callable, a stateless value that can be pickled.

    Raises
    ------
    ValueError
        As in ``focal_objective``. In evaluation, if all weights are 0, or so small
        beside a large gamma that the loss of the constant underflows.

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost import focal_metric
    >>> y_true = np.array([0.0, 0.0, 0.0, 1.0])
    >>> round(focal_metric(gamma=2)(y_true, np.array([-2.0, -2.0, -2.0, 2.0])), 4)
    0.0125
    """
    return FocalMetric(named_loss(gamma, alpha, n_classes))


@dataclass(frozen=True)
class FocalMetric(HostCallable):
    """The focal loss relative to the best constant; see ``focal_metric``.

    Parameters
    ----------
    loss : FocalLoss or SoftmaxFocalLoss
        The loss.
    """

    loss: Loss

    @property
    def __name__(self) -> str:  # XGBClassifier names the metric by it
        return "relative_focal_loss"

    def of(self, arguments: Arguments) -> Any:
        """Evaluate the arguments of a loss, for the host of their data set.

        XGBoost gets (name, value), and LightGBM (name, value, is_higher_better). The
        scikit-learn style call gets the value. In a distributed training with XGBoost,
        every worker gets the value for the rows of all workers.
        """
        data_set = arguments.data_set
        if is_from("lightgbm", data_set):
            return self.for_lightgbm(*checked(self.loss, arguments)[:3])
        # XGBoost takes the plain mean over the workers, whatever their rows weigh. If
        # every worker returns the value for all rows, so does the mean.
        sums = over_workers(lambda: self.sums(*checked(self.loss, arguments)[:3]))
        value = self.of_sums(sums)
        return (self.__name__, value) if is_from("xgboost", data_set) else value

    def for_lightgbm(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any
    ) -> tuple[str, float, bool]:
        """Return (name, value, is_higher_better), for ``LGBMClassifier.fit``.

        LightGBM's class and XGBoost's class call a metric alike and expect different
        results, so ``eval_metric=focal_metric().for_lightgbm`` says which.
        """
        value = self.relative_loss(y_true, raw_prediction, sample_weight)
        return self.__name__, value, False

    def relative_loss(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> float:
        """Return the mean loss divided by the mean loss of the best constant."""
        return self.of_sums(self.sums(y_true, raw_prediction, sample_weight))

    def sums(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> NDArray[np.float64]:
        """Return the total loss and the class masses. The sums of parts add up."""
        return self.loss._sums(y_true, raw_prediction, sample_weight)

    def of_sums(self, sums: NDArray[np.float64]) -> float:
        """Return the relative loss of data with the given sums."""
        masses = sums[1:]
        require_positive_total(float(np.sum(masses)))
        reference = _reference(self.loss, masses.tobytes())
        if not reference > 0:
            rule = "so small that the loss of the best constant is above 0 in float64"
            advice = "Use a smaller gamma, or multiply the weights by a constant."
            reject("gamma", rule, reference, advice)
        return float(sums[0]) / reference


@lru_cache(maxsize=256)
def _reference(loss: Loss, masses: bytes) -> float:
    """The loss of the best constant, which is the same in every round of a training."""
    given: Any = np.frombuffer(masses, dtype=np.float64)
    if isinstance(loss, FocalLoss):
        given = tuple(given.reshape(2, -1))
    return loss.best_constant_loss(given)
