r"""The constant that brings posteriors into balance.

Log loss with an intercept ends in balance: sum(w * p) = sum(w * y) over the training
rows. The focal loss does not. Its posterior is a convex function of the raw prediction
where positives are rare, so raw predictions that regularisation draws towards the
baseline give a mean posterior below the prevalence.

The posterior rises strictly in the raw prediction, so exactly one constant brings a
binary problem into balance, and it leaves the ranking as it is. A softmax has one
constant for each class, up to a constant that all classes share.

The rows may lie in several places, such as the workers of a cluster. All that is needed
of them is a sum over their parts, which a function ``Total`` supplies.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from focalboost._validation import require_finite, thread_count
from focalboost.losses._evaluate import blocks_of, default_threads, for_each, gathered
from focalboost.losses._loss import FocalLoss, Loss, SoftmaxFocalLoss

_Floats = NDArray[np.float64]

#: Of the log-odds of the mean posterior, and so of the sums, relative.
TOLERANCE = 1e-9

#: Raw predictions beyond it count as if they were at it: the posterior there is within
#: 1e-17 of 0 or 1, whatever gamma is.
RANGE = 40.0

#: Bins of 0.02. A bin of width h is off by T'(z)**2 h**2 / 24 of its sum at most, 1e-4
#: at gamma = 2, which secant steps on the rows themselves make less than TOLERANCE.
#: Arrays of more bins take longer to allocate than few rows to sum up.
N_BINS = 1 << 12

#: Rows of each part on which the shifts of several classes are first looked for.
N_SOME = 20_000


class Part(NamedTuple):
    """Some of the rows."""

    y_true: Any
    raw_prediction: Any
    sample_weight: Any = None
    n_threads: int | None = 1


#: Adds up what a function returns for each part of the rows.
Total = Callable[[Callable[[Part], _Floats]], _Floats]


def balancing_shift(
    loss: Loss,
    y_true: Any,
    raw_prediction: Any,
    sample_weight: Any = None,
    *,
    n_threads: int | None = 1,
) -> _Floats:
    """Return the constant that brings posteriors into balance with labels.

    With it, ``sum(w * loss.posterior(raw_prediction + shift))`` is ``sum(w * y)``, for
    each label column and for each class. ``train`` and the estimators add it to their
    models. Use this function for a model that a host has trained with
    ``focal_objective``.

    Parameters
    ----------
    loss : FocalLoss or SoftmaxFocalLoss
        The loss of the training.
    y_true : array of shape (n,) or (n, T)
        Labels, as for the methods of the loss.
    raw_prediction : array of shape (n,), (n, T) or (n, K)
        Raw predictions of the model.
    sample_weight : array of shape (n,), optional
        Weights of the rows.
    n_threads : int or None, default=1
        Number of threads. None takes as many as OpenMP would.

    Returns
    -------
    ndarray of shape (), (T,) or (K,)
        The shift. It is 0 for labels of a single class, which no constant balances.

    Examples
    --------
    >>> import numpy as np
    >>> from focalboost import FocalLoss
    >>> from focalboost.losses import balancing_shift
    >>> loss, y_true = FocalLoss(gamma=2), np.array([0, 0, 0, 1])
    >>> raw_prediction = np.array([-1.5, -1.5, -1.0, 0.5])
    >>> shift = balancing_shift(loss, y_true, raw_prediction)
    >>> float(loss.posterior(raw_prediction + shift).sum().round(6))
    1.0
    """
    arrays = (np.asarray(y_true), raw_prediction, sample_weight)
    _, y, raw, weight = gathered(*arrays, loss._columns)
    require_finite(np, raw)
    part = Part(y, raw, weight, thread_count(n_threads))
    return balancing_shift_of_parts(loss, lambda function: function(part))


def balancing_shift_of_parts(loss: Loss, total: Total, earlier: Any = 0.0) -> _Floats:
    """Return the balancing shift of rows of which only sums over parts are known.

    A shift that the rows do not determine stays at its ``earlier`` value.
    """
    masses = total(partial(_masses, loss))
    if isinstance(loss, SoftmaxFocalLoss):
        return _shift_of_classes(loss, total, masses, np.asarray(earlier))
    earlier = np.broadcast_to(np.squeeze(earlier), masses.shape[1:])
    if masses.ndim == 1:
        positive, negative = masses
        shift = _shift_of_positives(loss, total, positive, negative, float(earlier))
        return np.array(shift)
    columns = (_narrowed(total, partial(_column, i)) for i in range(masses.shape[1]))
    shifts = map(partial(_shift_of_positives, loss), columns, *masses, earlier)
    return np.array(list(shifts))


def _masses(loss: Loss, part: Part) -> _Floats:
    return np.asarray(loss.class_masses(part.y_true, part.sample_weight))


def _narrowed(total: Total, some: Callable[[Part], Part]) -> Total:
    """The total over what a function selects of each part."""
    return lambda function: total(partial(_of_selected, function, some))


# A cluster sends these to its workers, so they are no closures.
def _of_selected(
    function: Callable[[Part], _Floats], some: Callable[[Part], Part], part: Part
) -> _Floats:
    return function(some(part))


def _column(column: int, part: Part) -> Part:
    raw, weight = part.raw_prediction[:, column], part.sample_weight
    if weight is not None and weight.ndim == 2:
        weight = weight[:, column]
    return Part(None, raw, weight, part.n_threads)


def _evenly_spaced(part: Part) -> Part:
    step = -(-len(part.raw_prediction) // N_SOME) or 1
    weight = None if part.sample_weight is None else part.sample_weight[::step]
    raw = part.raw_prediction[::step]
    return part._replace(raw_prediction=raw, sample_weight=weight)


def _posterior_sums(loss: Loss, shift: Any, part: Part) -> _Floats:
    """The sums of the posterior over the rows of a part, for each of its columns."""
    raw, weight = part.raw_prediction, part.sample_weight
    blocks = blocks_of(raw)
    sums = np.zeros((1 + len(blocks), *raw.shape[1:]))

    def add(number: int) -> None:
        rows = blocks[number]
        posterior = loss._posterior(np.asarray(raw[rows], np.float64) + shift)
        if weight is None:
            sums[1 + number] = posterior.sum(axis=0)
        else:
            sums[1 + number] = np.asarray(weight[rows], np.float64) @ posterior

    for_each(add, range(len(blocks)), part.n_threads or default_threads())
    return np.asarray(np.sum(sums, axis=0))


def _histogram(part: Part) -> _Floats:
    """The weight of each bin and its weighted sum of raw predictions, (2, bins)."""
    raw = np.clip(np.asarray(part.raw_prediction, np.float64), -RANGE, RANGE)
    place = np.minimum((raw + RANGE) * (N_BINS / (2 * RANGE)), N_BINS - 1)
    bins = place.astype(np.intp)
    weight = np.ones(len(raw)) if part.sample_weight is None else part.sample_weight
    sums = [np.bincount(bins, each, N_BINS) for each in (weight, raw * weight)]
    return np.stack(sums)


def _shift_of_positives(
    loss: FocalLoss, total: Total, positive: float, negative: float, earlier: float
) -> float:
    """The shift of a binary problem, given its class masses.

    The root is found on the histogram, with one point for each bin, and corrected on
    the rows themselves.
    """
    if not (positive > 0 and negative > 0):
        return earlier
    aim = _log_odds(positive / (positive + negative))

    def excess(total: Total, weight: float, shift: float) -> float:
        """The log-odds of the mean posterior above those of the mean label.

        They are almost linear in the shift, with a slope of 1 + gamma at most.
        """
        found = float(total(partial(_posterior_sums, loss, shift)))
        return _log_odds(found / weight) - aim

    weight, moment = total(_histogram)
    filled = weight > 0
    bins = Part(None, moment[filled] / weight[filled], weight[filled])
    on_bins = partial(excess, lambda function: function(bins), weight.sum())
    on_rows = partial(excess, total, positive + negative)
    shift, slope, error = 0.0, 1 + float(np.mean(loss.gammas)), np.inf
    for rows in (on_bins, on_rows):
        shift, slope, error = _secant(rows, shift, slope)
    return shift if error <= TOLERANCE else _root(on_rows)


def _log_odds(share: float) -> float:
    """Log-odds of a share, finite where the share has rounded to 0 or 1."""
    inside = min(max(share, np.finfo(float).tiny), 1 - np.finfo(float).epsneg)
    return float(np.log(inside) - np.log1p(-inside))


def _secant(
    excess: Callable[[float], float], value: float, slope: float
) -> tuple[float, float, float]:
    """A root of a function that is almost linear, the slope there, and the error.

    One more step after the tolerance is reached leaves only rounding, so the same rows
    give the same root from any start.
    """
    error, is_near = excess(value), False
    for _ in range(20):
        if is_near or error == 0 or not 0 < slope < np.inf:
            break
        is_near = abs(error) <= TOLERANCE
        step = -error / slope
        value, before, error = value + step, error, excess(value + step)
        if not is_near:  # rounding has no slope
            slope = (error - before) / step
    return value, slope, abs(error)


def _root(excess: Callable[[float], float]) -> float:
    """The root of a function that rises, from a bracket that starts at 0."""
    from scipy.optimize import brentq

    start = excess(0.0)
    end = -start or TOLERANCE
    while excess(end) * start > 0:
        end *= 2
    return float(brentq(excess, 0.0, end, xtol=1e-12))


def _shift_of_classes(
    loss: SoftmaxFocalLoss, total: Total, masses: _Floats, earlier: _Floats
) -> _Floats:
    """The shifts of a softmax, given its class masses.

    The root is found on some of the rows, and corrected on all rows. A class
    without weight keeps its earlier shift. So does the class of the largest mass,
    because a constant that all classes share changes nothing.
    """
    free = np.flatnonzero(masses > 0)
    free = free[free != np.argmax(masses)]
    shifts = np.zeros(len(masses)) + earlier
    if free.size == 0:
        return shifts

    def excess(total: Total, values: _Floats) -> Any:
        shifted = shifts.copy()
        shifted[free] = values
        return _excess_of_classes(loss, total, masses, shifted)[free]

    some = _narrowed(total, _evenly_spaced)
    shifts = _near_shifts(loss, some, masses, shifts)
    # The slopes of the log mean posteriors are those of the log loss, times 1 + gamma:
    # the log-odds of a focal posterior are steeper by about that factor.
    products = some(partial(_products, loss, shifts))
    shares = products[np.ix_(free, free)] / products.sum(axis=1)[free, None]
    slopes = np.asarray((1 + np.mean(loss.gammas)) * (np.eye(len(free)) - shares))
    values = shifts[free]
    for rows in (some, total):
        values, slopes, error = _broyden(partial(excess, rows), values, slopes)
    if not error <= TOLERANCE:
        values = _by_turns(partial(excess, total), shifts[free])
    shifts[free] = values
    return shifts


def _near_shifts(
    loss: SoftmaxFocalLoss, total: Total, masses: _Floats, shifts: _Floats
) -> _Floats:
    """Shifts with mean posteriors within a factor of e of the shares of the classes.

    Every class takes the step that it would need alone, as in iterative proportional
    fitting. From farther away steps by the slopes go astray.
    """
    present, reference = masses > 0, np.argmax(masses)
    near = shifts.copy()
    for _ in range(100):
        excess = _excess_of_classes(loss, total, masses, near)
        if np.max(np.abs(excess[present])) <= 1:
            break
        near -= np.where(present, excess / (1 + np.asarray(loss.gammas)), 0)
    return near - np.where(present, near[reference] - shifts[reference], 0)


def _excess_of_classes(
    loss: SoftmaxFocalLoss, total: Total, masses: _Floats, shifts: _Floats
) -> _Floats:
    """Logs of the mean posteriors above those of the shares; finite if these are 0."""
    found = total(partial(_posterior_sums, loss, shifts))
    sums = np.stack([found, masses])
    shares = np.maximum(sums / sums.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    return np.asarray(np.log(shares[0] / shares[1]))


def _broyden(
    excess: Callable[[_Floats], _Floats], values: _Floats, slopes: _Floats
) -> tuple[_Floats, _Floats, float]:
    """A root by the method of Broyden (1965), the slopes there, and the error.

    Every step corrects the slopes by the smallest change that explains the step. That
    takes one sum over the rows, whatever the number of classes. It ends as ``_secant``.
    """
    error, is_near = excess(values), False
    for _ in range(30):
        size = np.max(np.abs(error))
        if is_near or not 0 < size < np.inf:
            break
        is_near = size <= TOLERANCE
        step = -np.linalg.lstsq(slopes, error, rcond=None)[0]
        if not 0 < np.max(np.abs(step)) <= RANGE:
            break
        values, before, error = values + step, error, excess(values + step)
        slopes = slopes + np.outer(error - before - slopes @ step, step) / (step @ step)
    return values, slopes, float(np.max(np.abs(error)))


def _by_turns(excess: Callable[[_Floats], _Floats], values: _Floats) -> _Floats:
    """A root where steps by the slopes go astray: one class after the other."""

    def of_one(values: _Floats, unit: _Floats, step: float) -> float:
        return float(unit @ excess(values + step * unit))

    for _ in range(100):
        for unit in np.eye(len(values)):
            values = values + unit * _root(partial(of_one, values, unit))
        if np.max(np.abs(excess(values))) <= TOLERANCE:
            break
    return values


def _products(loss: SoftmaxFocalLoss, shifts: _Floats, part: Part) -> _Floats:
    """The sums of the products of the posteriors of two classes, (K, K)."""
    posterior = loss._posterior(np.asarray(part.raw_prediction, np.float64) + shifts)
    weight = 1.0 if part.sample_weight is None else part.sample_weight[:, None]
    return np.asarray(posterior.T @ (weight * posterior))
