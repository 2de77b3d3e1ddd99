"""Balance of LightGBM models: the raw predictions of a training, kept at its end."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._imports import import_host
from focalboost._hosts._params import Balance, one_value
from focalboost.lightgbm._params import BOOSTING, EARLY_STOPPING
from focalboost.losses import Loss
from focalboost.losses._balance import Part, balancing_shift_of_parts


def watched(
    shift: "Shift | None",
    params: Mapping[str, Any],
    callbacks: Sequence[Callable[..., Any]] | None,
) -> tuple[Mapping[str, Any], list[Callable[..., Any]]]:
    """Return parameters and callbacks of a training whose scores are kept.

    Early stopping by a parameter becomes the callback that LightGBM would make of it.
    """
    given = [*(callbacks or ())]
    if shift is None:
        return params, given
    rounds = one_value(params, EARLY_STOPPING)
    if isinstance(rounds, int) and rounds > 0:
        params = {k: v for k, v in params.items() if k not in EARLY_STOPPING}
        stop = import_host("lightgbm").early_stopping(
            rounds,
            first_metric_only=params.get("first_metric_only", False),
            min_delta=params.get("early_stopping_min_delta", 0.0),
            verbose=one_value(params, ("verbosity", "verbose"), 1) > 0,
        )
        given.append(stop)
    watching: list[Callable[..., Any]] = [shift]
    for callback in given:
        is_before = getattr(callback, "before_iteration", False)
        watching.append(callback if is_before else _Watched(callback, shift))
    return params, watching


class Shift:
    """A callback that keeps the raw predictions after the last round that counts.

    LightGBM drops them with its data sets when training ends. The trees after the best
    round of an early stop are rolled back, which LightGBM leaves out of its model as
    well. A round in which no leaf can be split, as happens with bagging, adds no tree,
    so the trees after each round are counted.

    A model that has all its rounds, but was saved before its balance, is trained for
    one round that is rolled back; ``only`` is the number of iterations that it has.
    """

    order = 29  # just before LightGBM's early stopping

    def __init__(
        self,
        balance: Balance,
        loss: Loss,
        n_threads: int | None,
        earlier: NDArray[np.float64],
        *,
        only: int | None = None,
    ) -> None:
        self._of_validation = balance == "validation"
        self._loss, self._n_threads, self._earlier = loss, n_threads, earlier
        self._only = only
        self._part: Part | None = None
        self._iterations: list[int] = []

    def __call__(self, env: Any) -> None:
        self._iterations.append(env.model.current_iteration())
        if env.iteration + 1 == env.end_iteration:
            self.keep(env.model, self._only)

    def stop(self, env: Any, best_iteration: int) -> None:
        """Keep the raw predictions of the best round, counted like ``iteration``."""
        rounds_since = env.iteration - best_iteration
        self.keep(env.model, self._iterations[-1 - rounds_since])

    def keep(self, model: Any, n_iterations: int | None = None) -> None:
        """Keep the rows to balance, after the iterations given, or all."""
        if n_iterations is not None:
            for _ in range(model.current_iteration() - n_iterations):
                model.rollback_one_iter()
        parts: list[Part] = []

        def part_of(raw: Any, data_set: Any) -> tuple[str, float, bool]:
            label, weight = data_set.get_label(), data_set.get_weight()
            part = Part(np.asarray(label), np.array(raw), weight, self._n_threads)
            parts.append(part)
            return "", 0.0, False

        if self._of_validation:
            model.eval_valid(part_of)
        if not parts:  # the evaluation set is the training set
            _evaluate_training_rows(model, part_of)
        self._part = parts[-1]

    def value(self) -> NDArray[np.float64]:
        """Return the shift of the model; one without a round needs none."""
        part = self._part
        if part is None:
            return self._earlier
        return balancing_shift_of_parts(
            self._loss, lambda function: function(part), self._earlier
        )


def _evaluate_training_rows(model: Any, function: Callable[..., Any]) -> None:
    """Call a metric. With dart LightGBM would take trees out of the model for that."""
    if one_value(model.params, BOOSTING) != "dart":
        model.eval_train(function)
        return
    rows = model.train_set.subset(range(model.train_set.num_data()))
    rows.free_raw_data = True  # the bins are enough
    model.eval(rows, "training", function)


class _Watched:
    """A user's callback. If it stops the training, the scores are kept."""

    def __init__(self, callback: Callable[..., Any], shift: Shift) -> None:
        if hasattr(callback, "order"):  # LightGBM gives others one by their place
            self.order = callback.order
        self._callback, self._shift = callback, shift

    def __call__(self, env: Any) -> None:
        try:
            self._callback(env)
        except import_host("lightgbm").callback.EarlyStopException as stop:
            self._shift.stop(env, stop.best_iteration)
            raise
