"""The methods that are compared: what each does about rare positives."""

from dataclasses import dataclass
from typing import Any

from focalboost._validation import class_balance, focusing_parameter, reject

__all__ = ["LOG_LOSS", "METHODS", "RESAMPLINGS", "Method"]

RESAMPLINGS = ("smote", "undersample")

Gamma = float | tuple[float, float]


@dataclass(frozen=True)
class Method:
    """What is done about rare positives; all else is the same for every method.

    Parameters
    ----------
    name : str
        Its name in tables.
    gamma : float, (float, float) or None, default=None
        Focusing parameter of the focal loss with the certified curvature; 0 is the log
        loss with that curvature. None is the host's own log loss.
    alpha : float or None, default=None
        Class-balance weight of the focal loss, in (0, 1).
    weight : float, default=0.0
        A positive weighs ``weight * ratio**power``, where the ratio is the weight of
        the negatives over that of the positives in the rows that are trained on. 0 is
        for no weights.
    power : float, default=1.0
        Exponent of the ratio; 0.5 for its square root.
    resampling : {"smote", "undersample"} or None, default=None
        The training rows are brought to 1:1, with synthetic positives (Chawla et al.
        2002; needs imbalanced-learn) or with as many negatives, drawn at random, as
        there are positives.

    Raises
    ------
    ValueError
        If an argument is out of range, or alpha is given without gamma.

    Examples
    --------
    >>> from focalboost.diagnostics import METHODS, Method
    >>> Method("focal, γ = 3", gamma=3)
    Method(name='focal, γ = 3', gamma=3.0, alpha=None, weight=0.0, power=1.0, \
resampling=None)
    >>> METHODS[0].name
    'log loss'
    """

    __module__ = "focalboost.diagnostics"

    name: str
    gamma: Gamma | None = None
    alpha: float | None = None
    weight: float = 0.0
    power: float = 1.0
    resampling: str | None = None

    def __post_init__(self) -> None:
        if self.gamma is not None:
            object.__setattr__(self, "gamma", focusing_parameter(self.gamma))
        object.__setattr__(self, "alpha", class_balance(self.alpha))
        if self.alpha is not None and self.gamma is None:
            reject("alpha", "None where gamma is None", self.alpha, "Use gamma=0.")
        for name in ("weight", "power"):
            value: Any = getattr(self, name)
            if not 0 <= value < float("inf"):
                reject(name, "a finite number >= 0", value, f"Use {name}=1.")
        if self.resampling not in (None, *RESAMPLINGS):
            rule = "'smote', 'undersample' or None"
            reject("resampling", rule, self.resampling, "Use resampling=None.")

    @property
    def is_focal(self) -> bool:
        """Whether the focal loss is trained, and not the host's own log loss."""
        return self.gamma is not None


#: The host's own log loss, what a user of the host has without this package.
LOG_LOSS = Method("log loss")

METHODS = (
    LOG_LOSS,
    Method("log loss, certified", gamma=0.0),
    Method("weights: ratio", weight=1.0),
    Method("weights: √ratio", weight=1.0, power=0.5),
    Method("weights: 5 × ratio", weight=5.0),
    Method("SMOTE", resampling="smote"),
    Method("undersampling", resampling="undersample"),
    Method("focal, γ = 0.5", gamma=0.5),
    Method("focal, γ = 1", gamma=1.0),
    Method("focal, γ = 2", gamma=2.0),
    Method("focal, γ = 5", gamma=5.0),
    Method("focal, γ = 2, α = 0.25", gamma=2.0, alpha=0.25),
    Method("focal, γ = (0, 1)", gamma=(0.0, 1.0)),
    Method("focal, γ = (0, 2)", gamma=(0.0, 2.0)),
    Method("focal, γ = (0, 4)", gamma=(0.0, 4.0)),
    Method("focal, γ = (1, 4)", gamma=(1.0, 4.0)),
)
