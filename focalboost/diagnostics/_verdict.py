"""What a comparison says, in plain words."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from focalboost.diagnostics._methods import Method
from focalboost.diagnostics._paired import LEVEL
from focalboost.diagnostics._scores import CONSTANT

if TYPE_CHECKING:
    from focalboost.diagnostics._comparison import Comparison

__all__ = ["Verdict", "verdict"]


@dataclass(frozen=True)
class Verdict:
    """A recommendation.

    Attributes
    ----------
    use : str or None
        The name of the method; None for a constant.
    text : str
        The reasons, in a few sentences.
    """

    use: str | None
    text: str


def verdict(comparison: "Comparison") -> Verdict:
    """Recommend a constant, the reference, or what beats it beyond chance."""
    remark = _failed(comparison)
    above_chance = comparison.p_values_above_chance()
    useful = [name for name, p in above_chance.items() if p < 1 - LEVEL]
    if not useful:
        text = (
            "Use no model: nothing here is better than a constant. No average "
            "precision is above that of random orders "
            f"({comparison.mean(CONSTANT):.4f} on average) beyond chance. Look for "
            "features that tell the classes apart, or for more positives."
        )
        return Verdict(None, text + remark)
    better = _better_than(comparison.reference, comparison)
    winners = [name for name in better if name in useful]
    if not winners and comparison.reference in useful:
        return _reference_verdict(comparison, remark)
    if comparison.reference not in useful:
        remark = f" The ranking of {comparison.reference} is chance.{remark}"
    winners = winners or [max(useful, key=comparison.mean)]
    return _winner_verdict(comparison, winners, remark)


def _better_than(other: str, comparison: "Comparison") -> list[str]:
    """The methods above another beyond chance, the number of methods accounted for."""
    adjusted = comparison.adjusted_p_values(other)
    return [
        name
        for name, p_value in adjusted.items()
        if p_value < 1 - LEVEL and comparison.difference(name, other).mean > 0
    ]


def _reference_verdict(comparison: "Comparison", remark: str) -> Verdict:
    reference = comparison.reference
    others = [name for name in comparison.names if name != reference]
    if not others:
        text = f"There is nothing to compare {reference} with: give more losses."
        return Verdict(reference, text + remark)
    of_others = f"none of the {len(others)} others is"
    if len(others) == 1:
        of_others = f"{others[0]} is not"
    text = f"Use {reference}: {of_others} better beyond chance."
    scored = [
        name for name in others if comparison.difference(name, reference).mean > 0
    ]
    if scored:
        best = max(scored, key=comparison.mean)
        text += (
            f" The highest mean has {best}, {_difference(comparison, best, reference)}."
        )
    worse = [
        name
        for name, p_value in comparison.adjusted_p_values(reference).items()
        if p_value < 1 - LEVEL and comparison.difference(name, reference).mean < 0
    ]
    if worse:
        text += f" Worse beyond chance: {', '.join(worse)}."
    return Verdict(reference, text + remark)


def _winner_verdict(
    comparison: "Comparison", winners: list[str], remark: str
) -> Verdict:
    """The simplest of the methods that are level with the best."""
    reference = comparison.reference
    best = max(winners, key=comparison.mean)
    level = [
        name
        for name in winners
        if name == best or comparison.difference(name, best).high >= 0
    ]
    methods = {method.name: method for method in comparison.methods}
    use = min(level, key=lambda name: _complexity(methods[name], name != best))
    text = (
        f"Use {use}: its average precision is {comparison.mean(use):.3f} against "
        f"{comparison.mean(reference):.3f} of {reference}, "
        f"{_difference(comparison, use, reference)}."
    )
    same = [name for name in level if name != use]
    if same:
        text += f" Level with it: {', '.join(same)}."
    if methods[use].gamma == 0 and methods[use].alpha is None:
        text += " What helps here is the certified curvature, not the focusing."
    if methods[use].weight or methods[use].resampling:
        text += " Its probabilities are shifted: correct them before they are used."
    return Verdict(use, text + remark)


def _complexity(method: Method, is_not_best: bool) -> tuple[int, bool]:
    """Log loss before focal loss, and what keeps probabilities before what does not."""
    shifts = bool(method.weight or method.resampling)
    focuses = method.is_focal and (method.gamma != 0 or method.alpha is not None)
    return (2 * shifts + focuses, is_not_best)


def _difference(comparison: "Comparison", method: str, reference: str) -> str:
    found = comparison.difference(method, reference)
    return (
        f"a difference of {found.mean:+.3f} ({LEVEL:.0%} interval {found.low:+.3f} to "
        f"{found.high:+.3f})"
    )


def _failed(comparison: "Comparison") -> str:
    n_failed = len(comparison.failures)
    if not n_failed:
        return ""
    names = dict.fromkeys(fit.method for fit in comparison.failures)
    fits = "fit" if n_failed == 1 else "fits"
    return f" {n_failed} {fits} failed, of {', '.join(names)}."
