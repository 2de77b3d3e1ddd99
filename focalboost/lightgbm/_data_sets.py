"""What a LightGBM training takes from its data sets: columns, start and balance."""

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from focalboost._hosts._checkpoint import digest
from focalboost._hosts._imports import import_host
from focalboost._hosts._params import (
    Balance,
    checked_masses,
    one_value,
    rows_of_masses,
)
from focalboost._validation import reject, require_length, require_weights_of_hosts
from focalboost.lightgbm._params import BOOSTING, EARLY_STOPPING
from focalboost.losses import FocalLoss, Loss
from focalboost.losses._balance import Part, balancing_shift_of_parts
from focalboost.objectives import weights_of

if TYPE_CHECKING:
    import lightgbm

#: What a data set holds for each row.
_FIELDS = ("label", "weight", "init_score")

#: How a data set begins that LightGBM has saved.
_BINARY = b"______LightGBM_Binary_File_Token______"

#: A raw prediction, or one for each class.
Baseline = float | NDArray[np.float64]

_ADVICE = "Use lightgbm.Dataset(X, label=y)."


def constant_scores(baseline: Baseline, n_rows: int) -> NDArray[np.float64]:
    """The baseline as init_score: LightGBM keeps the rows of a class together."""
    return np.repeat(np.asarray(baseline, dtype=np.float64), n_rows)


def starting_from(
    baseline: Baseline, n_rows: int, own: Any = None, name: str = "init_score"
) -> NDArray[np.float64]:
    """The baseline as init_score, on top of one that a data set has."""
    start = constant_scores(baseline, n_rows)
    if own is None:
        return start
    scores = np.ravel(np.asarray(own), order="F")
    require_length(name, scores, len(start))
    return np.asarray(start + scores)


def baseline_of(loss: Loss, y_true: Any, sample_weight: Any) -> Baseline:
    """The baseline, which for the log loss is rounded as LightGBM rounds its own.

    The last bit decides which leaves tie, and with them LightGBM's metrics of ranking.
    """
    if loss.is_log_loss and isinstance(loss, FocalLoss):
        positive, negative = loss.class_masses(y_true, sample_weight)
        share = float(positive / (positive + negative))
        if 0 < share < 1:
            return math.log(share / (1 - share))
    return loss.baseline(y_true, sample_weight)


@contextmanager
def starting_score(
    loss: Loss,
    params: Mapping[str, Any],
    init_model: Any,
    data_sets: list["lightgbm.Dataset"],
    class_masses: Any = None,
) -> Iterator[Baseline]:
    """Yield the baseline, the init_score of data sets that have none; then clean up.

    The first data set is the one to train on. The baseline is 0 for a model to continue
    and for an init_score of the user's there. That of another set is added to it, as
    LightGBM adds its own start.
    """
    train_set, before = data_sets[0], list[Any]()
    baseline: Baseline = 0.0
    for data_set in data_sets:
        forget_model(data_set)
    try:
        if init_model is None:
            of_others = (_label(other, params, train_set) for other in data_sets[1:])
            labels = [_label(train_set, params), *of_others]
        elif init_score_of(train_set) is not None:
            rule = "without an init_score where init_model is given"
            advice = "The model's predictions would replace it. Leave out one."
            reject("train_set", rule, "an init_score", advice)
        before = [init_score_of(data_set) for data_set in data_sets]
        if init_model is None and before[0] is None:
            of_rows = np.asarray(loss.class_masses(labels[0], _weight(train_set)))
            masses = checked_masses(class_masses, of_rows)
            baseline = baseline_of(loss, *rows_of_masses(loss, masses))
            for data_set, own, score in zip(data_sets, labels, before, strict=True):
                data_set.set_init_score(starting_from(baseline, len(own), score))
        yield baseline
    finally:
        for data_set, score in zip(data_sets, before, strict=False):
            data_set._predictor = None
            _clear_init_score(data_set)
            if score is not None:
                data_set.set_init_score(score)
        for data_set in data_sets:
            if _is_built(data_set) and data_set.free_raw_data:
                data_set.data = None


def require_data_set(name: str, data_set: Any) -> None:
    """Check that something is a LightGBM data set."""
    if not isinstance(data_set, import_host("lightgbm").Dataset):
        reject(name, "a lightgbm.Dataset", type(data_set).__name__, _ADVICE)


def names_of(X: Any) -> list[str] | None:
    """The names of the columns as LightGBM writes them; None if they are no text."""
    names = columns_of(X)
    if not names or not all(isinstance(name, str) for name in names):
        return None
    return [name.replace(" ", "_") for name in names]


def columns_of(X: Any) -> list[Any]:
    """The names of the columns, whatever they are."""
    names = getattr(X, "column_names", getattr(X, "columns", ()))  # Arrow's first
    return names.tolist() if hasattr(names, "tolist") else list(names)


def fit_to_model(train_set: "lightgbm.Dataset", model: "lightgbm.Booster") -> None:
    """Give a data set the columns and categories of a model to continue."""
    source = _whole(train_set)
    if _is_built(source):
        require_places_of(model, source.get_feature_name(), "train_set")
        known, own = model.pandas_categorical or [], source.pandas_categorical or []
        if known != [new[: len(old)] for old, new in zip(known, own, strict=False)]:
            rule = "of categories in the order of init_model"
            advice = "Use the table, in a Dataset that is not built."
            reject("train_set", rule, own, advice)
        return
    source.data = as_in_model(model, source.data, source.feature_name, "train_set")


def as_in_model(
    model: "lightgbm.Booster",
    X: Any,
    feature_name: Any = "auto",
    argument: str = "X",
) -> Any:
    """A table to continue a model with: its columns in place, categories by its codes.

    LightGBM's trees read columns by their places and categories by their codes. It
    numbers the categories of each table anew, and the trees of the model would read the
    new numbers. Categories that the model does not know get the next codes.
    """
    names = feature_name if isinstance(feature_name, list) else names_of(X)
    require_places_of(model, names, argument)
    known = model.pandas_categorical
    if not known or not hasattr(X, "select_dtypes"):
        return X
    columns, coded = X.select_dtypes("category").columns, X.copy(deep=False)
    if len(columns) != len(known):
        rule = f"with as many columns of categories as the model, {len(known)}"
        reject(argument, rule, len(columns), 'Use X.astype({name: "category"}).')
    for name, categories in zip(columns, known, strict=True):
        in_model = set(categories)
        new = [each for each in X[name].cat.categories if each not in in_model]
        coded[name] = X[name].cat.set_categories([*categories, *new])
    return coded


def require_places_of(
    model: "lightgbm.Booster", names: list[str] | None, argument: str
) -> None:
    """Check that no column of a model is in another place, by which it is read."""
    known = model.feature_name()
    pairs = zip(names or (), known, strict=False)
    if any(name != other and name in known for name, other in pairs):
        rule = f"of the columns of the model in their order, {known}"
        reject(argument, rule, names, "Put them in that order, as X[columns].")


def digests_of(
    train_set: "lightgbm.Dataset", params: Mapping[str, Any]
) -> dict[str, str | None]:
    """The digests of what a training set holds. It is built for that.

    Features are saved in bins, so their digest does not depend on where they are: in
    any kind of array, in a file, or only in LightGBM's memory.
    """
    forget_model(train_set)
    _label(train_set, params)
    _require_continuable(train_set)
    _weight(train_set)  # its check comes before LightGBM replaces large ones
    _build(train_set, params)
    with TemporaryDirectory() as folder:
        file = Path(folder, "bins")
        train_set.save_binary(file)
        features = digest(np.memmap(file, mode="r"))
    return {
        "labels": digest(train_set.get_label()),
        "weights": digest(_weight(train_set)),
        "features": features,
    }


def _require_continuable(train_set: "lightgbm.Dataset") -> None:
    """Check that LightGBM can continue: a model has to predict the features then."""
    data, start = _whole(train_set).data, b""
    if isinstance(data, str | os.PathLike):
        with suppress(OSError), Path(data).open("rb") as file:
            start = file.read(len(_BINARY))
    has_start = init_score_of(train_set) is not None
    if has_start or start == _BINARY or isinstance(data, list):
        rule = "None for a train set with init_score, or in a binary file or a list"
        advice = f"LightGBM cannot continue with it. {_ADVICE}"
        reject("checkpoint", rule, "a checkpoint", advice)


def _build(
    data_set: "lightgbm.Dataset",
    params: Mapping[str, Any],
    reference: "lightgbm.Dataset | None" = None,
) -> None:
    """Bring the data into LightGBM's memory, as lightgbm.train does.

    The raw data stay until training ends: a model that continues has to predict them.
    LightGBM drops what has been set in a subset before it is built.
    """
    if _is_built(data_set):
        return
    data, given = data_set.data, {name: getattr(data_set, name) for name in _FIELDS}
    data_set._update_params({**params, "objective": "none"})
    if reference is not None:
        data_set.set_reference(reference)
    data_set.construct()
    for name, value in given.items():
        if value is not None and _is_subset(data_set):
            getattr(data_set, f"set_{name}")(value)
    if data_set.data is None:
        data_set.data = data


def forget_model(data_set: "lightgbm.Dataset") -> None:
    """Drop what a continuation or a failed construction has left behind.

    After lightgbm.train has continued a model, the data set keeps the model's
    predictions as init_score, and they look like the user's. After a failed
    construction it keeps a null pointer, and setters crash. Getters return the first
    value that they have seen, whatever set_field has changed since then.
    """
    if _is_subset(data_set) and data_set.reference is not None:
        forget_model(data_set.reference)
    if not _is_built(data_set):
        data_set._handle = None
    if data_set._predictor is not None:
        data_set._predictor = None
        _clear_init_score(data_set)
    if _is_built(data_set):
        for name in _FIELDS:
            setattr(data_set, name, data_set.get_field(name))


def _label(
    data_set: "lightgbm.Dataset",
    params: Mapping[str, Any],
    reference: "lightgbm.Dataset | None" = None,
) -> NDArray[Any]:
    """The labels. Those of a file or a subset are read as lightgbm.train reads them."""
    # Weights and scores may lie beside a file.
    if _is_subset(data_set) or isinstance(data_set.data, str | os.PathLike):
        if reference is not None:
            _build(reference, params)
        _build(data_set, params, reference)
    if data_set.label is None:
        name = "train_set" if reference is None else "valid_sets"
        reject(name, "with labels", "none", _ADVICE)
    return np.ravel(np.asarray(data_set.label))


def parameters_of(
    train_set: "lightgbm.Dataset", params: Mapping[str, Any]
) -> dict[str, Any]:
    """The parameters to train with. A subset has those of its data set's features."""
    return {**params, **(train_set.get_params() if _is_subset(train_set) else {})}


def _is_subset(data_set: "lightgbm.Dataset") -> bool:
    return data_set.used_indices is not None


def _whole(data_set: "lightgbm.Dataset") -> Any:
    """The data set of which one is a subset, or itself."""
    return data_set.reference if _is_subset(data_set) else data_set


def _weight(data_set: "lightgbm.Dataset") -> Any:
    """The weights as LightGBM keeps them, so that a set has them built or not."""
    weight = weights_of(data_set) if _is_built(data_set) else data_set.weight
    if weight is None:
        return None
    require_weights_of_hosts(weight)
    return np.asarray(weight, dtype=np.float32)


def init_score_of(data_set: "lightgbm.Dataset") -> Any:
    """The init_score of a data set, built or not, or None."""
    return data_set.get_init_score() if _is_built(data_set) else data_set.init_score


def _is_built(data_set: "lightgbm.Dataset") -> bool:
    """Whether the data are in LightGBM's own memory; getters raise before that."""
    return bool(data_set._handle)


def _clear_init_score(data_set: "lightgbm.Dataset") -> None:
    """set_init_score(None) would leave the scores in LightGBM's own memory."""
    data_set.init_score = None
    if _is_built(data_set):
        data_set.set_field("init_score", None)
    else:
        data_set._handle = None  # a construction may have failed


def watched(
    shift: "Shift | None",
    params: Mapping[str, Any],
    callbacks: Sequence[Callable[..., Any]] | None,
    done: int = 0,
) -> tuple[Mapping[str, Any], list[Callable[..., Any]]]:
    """Return parameters and callbacks of a training whose scores are kept.

    The callbacks count the rounds that earlier calls have done. Early stopping by a
    parameter becomes the callback that LightGBM would make of it.
    """
    given = list(dict.fromkeys(callbacks or ()))  # LightGBM calls each once
    rounds = one_value(params, EARLY_STOPPING)
    if shift is not None and isinstance(rounds, int) and rounds > 0:
        params = {k: v for k, v in params.items() if k not in EARLY_STOPPING}
        stop = import_host("lightgbm").early_stopping(
            rounds,
            first_metric_only=params.get("first_metric_only", False),
            min_delta=params.get("early_stopping_min_delta", 0.0),
            verbose=one_value(params, ("verbosity", "verbose"), 1) > 0,
        )
        given.append(stop)
    watching = [_Watched(callback, shift, done) for callback in given]
    own = [KeepParameters()] if shift is None else [KeepParameters(), shift]
    return params, [*own, *watching]


class _Watched:
    """A user's callback. If it stops the training, the scores are kept.

    Before the round it counts the rounds of earlier calls, as a schedule has to.
    Callbacks after the round set up in the first round of a call.
    """

    def __init__(
        self, callback: Callable[..., Any], shift: "Shift | None", done: int
    ) -> None:
        if hasattr(callback, "order"):  # LightGBM gives others one by their place
            self.order = callback.order
        self.before_iteration = getattr(callback, "before_iteration", False)
        self._callback, self._shift, self._done = callback, shift, done

    def __call__(self, env: Any) -> None:
        if self.before_iteration:  # a tuple before LightGBM 4.6
            values = env._asdict() if hasattr(env, "_asdict") else vars(env)
            begin = env.begin_iteration - self._done
            env = type(env)(**{**values, "begin_iteration": begin})
        try:
            self._callback(env)
        except import_host("lightgbm").callback.EarlyStopException as stop:
            if self._shift is not None:
                self._shift.stop(env, stop.best_iteration)
            raise


class KeepParameters:
    """A callback that keeps LightGBM from setting the parameters a second time.

    It does so before its first step with a callable objective, to take its own
    objective away. There is none, but its sampler of columns begins anew, so that it
    draws otherwise than for LightGBM's own objective, and the call fails if no feature
    can be split.

    Its dart reads a flag that is set only when scores are read, or after a step. So the
    scores are read first, and then dart's random numbers begin anew.
    """

    before_iteration = True

    def __call__(self, env: Any) -> None:
        for booster in getattr(env.model, "boosters", [env.model]):  # those of cv
            is_first = env.iteration == env.begin_iteration
            if is_first and one_value(booster.params, BOOSTING) == "dart":
                booster.eval_train(lambda raw, data_set: ("", 0.0, False))
                with suppress(import_host("lightgbm").basic.LightGBMError):
                    booster.reset_parameter({"objective": "none"})
            booster._Booster__set_objective_to_none = True


@dataclass(eq=False)  # LightGBM keeps callbacks in a set
class Shift:
    """A callback that keeps the raw predictions after the last round that counts.

    LightGBM drops them with its data sets when training ends. The trees after the best
    round of an early stop are rolled back, which LightGBM leaves out of its model as
    well. A round in which no leaf can be split, as happens with bagging, adds no tree,
    so the trees after each round are counted.
    """

    balance: Balance
    loss: Loss
    n_threads: int | None
    earlier: NDArray[np.float64]
    _part: Part | None = None
    _iterations: list[int] = field(default_factory=list)

    def __call__(self, env: Any) -> None:
        self._iterations.append(env.model.current_iteration())
        if env.iteration + 1 == env.end_iteration:
            self.keep(env.model)

    def stop(self, env: Any, best_iteration: int) -> None:
        """Keep the raw predictions of the best round, counted like ``iteration``."""
        rounds_since = env.iteration - best_iteration
        self.keep(env.model, self._iterations[-1 - rounds_since])

    def keep(self, model: Any, n_iterations: int | None = None) -> None:
        """Keep the rows to balance, after the iterations given, or all."""
        if n_iterations is not None:
            for _ in range(model.current_iteration() - n_iterations):
                model.rollback_one_iter()
        if self.balance == "validation":
            model.eval_valid(self._keep_part)
        elif one_value(model.params, BOOSTING) != "dart":
            model.eval_train(self._keep_part)
        else:  # LightGBM would take trees out of the model for that
            rows = model.train_set.subset(range(model.train_set.num_data()))
            rows.free_raw_data = True  # the bins are enough
            model.eval(rows, "training", self._keep_part)

    def _keep_part(self, raw: Any, data_set: Any) -> tuple[str, float, bool]:
        """Keep the rows of a data set, in the form of a metric; the last one counts."""
        label, weight = np.asarray(data_set.get_label()), data_set.get_weight()
        self._part = Part(label, np.array(raw), weight, self.n_threads)
        return "", 0.0, False

    def value(self) -> NDArray[np.float64]:
        """Return the shift of the model; one without a round needs none."""
        part = self._part
        if part is None:
            return self.earlier
        return balancing_shift_of_parts(self.loss, lambda f: f(part), self.earlier)
