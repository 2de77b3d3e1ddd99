"""focal_metric: one number for evaluation and early stopping."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import require_positive_reference, require_positive_total
from focalboost.losses import FocalLoss, Loss
from focalboost.losses._arrays import as_floating
from focalboost.objectives._grammar import Parameter, is_from, named_loss, unpack
from focalboost.objectives._workers import over_workers

__all__ = ["FocalMetric", "focal_metric"]


@dataclass(frozen=True)
class FocalMetric:
    """Focal loss relative to the best constant's; see ``focal_metric``."""

    loss: Loss

    @property
    def __name__(self) -> str:  # XGBClassifier names the metric by it
        return "relative_focal_loss"

    def __call__(self, first: Any, second: Any, sample_weight: Any = None) -> Any:
        """Evaluate (raw, data set) or (labels, raw[, weight]).

        XGBoost gets (name, value), LightGBM (name, value, is_higher_better) and the
        scikit-learn style call the value. The workers of a distributed training with
        XGBoost get the value for the rows of all.
        """
        y_true, raw, weight, data_set = unpack(self.loss, first, second, sample_weight)
        if is_from("lightgbm", data_set):
            return self.for_lightgbm(y_true, raw, weight)
        value = self.of_sums(over_workers(self.sums(y_true, raw, weight)))
        return (self.__name__, value) if is_from("xgboost", data_set) else value

    def for_lightgbm(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any
    ) -> tuple[str, float, bool]:
        """Return (name, value, is_higher_better), for ``LGBMClassifier.fit``.

        LightGBM's class and XGBoost's call a metric alike and expect different
        results, so ``eval_metric=focal_metric().for_lightgbm`` has to say which.
        """
        value = self.relative_loss(y_true, raw_prediction, sample_weight)
        return self.__name__, value, False

    def relative_loss(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> float:
        """Return the mean loss divided by that of the best constant."""
        return self.of_sums(self.sums(y_true, raw_prediction, sample_weight))

    def sums(
        self, y_true: Any, raw_prediction: Any, sample_weight: Any = None
    ) -> NDArray[np.float64]:
        """Return the total loss and the class masses; those of parts of data add up."""
        raw = as_floating("raw_prediction", np.asarray(raw_prediction))[1]
        raw = raw.astype(np.float64, copy=False)
        total = np.sum(self.loss.loss(y_true, raw, sample_weight))
        masses: Any = self.loss.class_masses(y_true, sample_weight)
        return np.concatenate([[total], np.ravel(masses)])

    def of_sums(self, sums: NDArray[np.float64]) -> float:
        """Return the relative loss of data of which the sums are known."""
        masses = sums[1:]
        require_positive_total(float(np.sum(masses)))
        reference = _reference(self.loss, masses.tobytes())
        require_positive_reference(reference)
        return float(sums[0]) / reference

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self


@lru_cache(maxsize=256)
def _reference(loss: Loss, masses: bytes) -> float:
    """The loss of the best constant; it is the same in every round of a training."""
    given: Any = np.frombuffer(masses, dtype=np.float64)
    if isinstance(loss, FocalLoss):
        given = tuple(given.reshape(2, -1))
    return loss.best_constant_loss(given)


def focal_metric(
    gamma: Parameter = 2.0,
    alpha: Parameter | None = None,
    *,
    n_classes: int | None = None,
) -> FocalMetric:
    """Return the relative focal loss as a metric for early stopping.

    value = sum of weighted focal losses / the same for the constant that fits the
    evaluated labels best: 1 is "no better than a constant" and 0 is perfect, for every
    gamma and rarity. Smaller is better. Labels of a single class are compared with
    raw prediction 0, the same score for every class. Labels (n, T) of several binary
    problems (multilabel) are summed over.

    Pass it as ``custom_metric`` to ``xgb.train`` or as ``feval`` to ``lgb.train``,
    together with ``focal_objective``: only then do the hosts hand over raw
    predictions. ``XGBClassifier(eval_metric=...)`` takes it as well, and
    ``LGBMClassifier.fit(eval_metric=...)`` its method ``for_lightgbm``.

    Parameters
    ----------
    gamma, alpha, n_classes
        As in ``focal_objective``.

    Raises
    ------
    ValueError
        As in ``focal_objective``; and in evaluation, if all weights are 0, or so small
        beside a large gamma that the constant's loss underflows.

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost import focal_metric
    >>> y_true = np.array([0.0, 0.0, 0.0, 1.0])
    >>> round(focal_metric(gamma=2)(y_true, np.array([-2.0, -2.0, -2.0, 2.0])), 4)
    0.0125
    """
    return FocalMetric(named_loss(gamma, alpha, n_classes))
