"""compare_losses: every method on the same folds, with the same search."""

from __future__ import annotations

import base64
import json
import os
import signal
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from importlib.util import find_spec
from numbers import Integral
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_consistent_length

import focalboost
from focalboost._hosts._files import write_in_one_step
from focalboost._hosts._imports import import_extra, import_host
from focalboost._validation import one_of, open_share, reject
from focalboost.comparison._methods import (
    INSTALL_SMOTE,
    METHODS,
    Method,
    Part,
    TableEncoder,
    as_pandas,
    class_ratio,
    part_of,
)
from focalboost.comparison._result import Comparison, Fit, Scores, chance, scores
from focalboost.comparison._search import (
    STOP_ON,
    Grid,
    at_point,
    last_step,
    parameters_set,
    points_of,
    require_comparable,
    tuned,
)
from focalboost.diagnostics._budget import host_of
from focalboost.estimators._rows import column_of
from focalboost.losses import FocalLoss

LossLike = Method | FocalLoss | str

#: Rows of each class to train on: the search holds out a quarter, and SMOTE needs two
#: positives besides.
MIN_TRAIN = 3

#: Training and test rows.
Fold = tuple[NDArray[np.intp], NDArray[np.intp]]


def compare_losses(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    losses: LossLike | Sequence[LossLike] = METHODS,
    cv: Any = None,
    groups: Any = None,
    grid: Grid | None = None,
    sample_weight: Any = None,
    stop_on: str = "loss",
    false_positive_rate: float = 0.001,
    random_state: int = 0,
    n_jobs: int | None = 1,
    progress: bool = True,
    file: str | Path | None = None,
) -> Comparison:
    """Compare what can be done about rare positives, by paired cross-validation.

    Every method has the same folds, the same seeds and the same search, that of
    ``tuned``. Differences are paired by fold. Their intervals allow for the overlap of
    the training sets, and their p-values are adjusted for the number of methods. A fit
    that fails is listed with its error.

    Parameters
    ----------
    estimator : FocalXGBClassifier, FocalLGBMClassifier or a Pipeline that ends in one
        The host and its parameters, the same for all methods, as in ``fit``. Set gamma,
        alpha and class weights in ``losses`` instead.
    X : array-like or DataFrame of shape (n_samples, n_features)
        Features, with NaN for missing values. Without a pipeline, a ``TableEncoder``
        makes the columns of a data frame numbers and categories: text is taken for
        categories, and dates are left out with a warning.
    y : array-like of shape (n_samples,)
        Labels of two classes. The positive class is the later one in sorted order.
    losses : Method, FocalLoss, str or a sequence of these, default=METHODS
        What to compare. The others are compared with the first one. A str is the name
        of one of ``METHODS``.
    cv : int, splitter or iterable of splits, optional
        Folds. Each needs three rows of each class to train on, and one to test. An int
        means shuffled, stratified folds. The default is
        ``RepeatedStratifiedKFold(n_splits=5, n_repeats=2)``: fewer folds make the
        intervals wide. Use ``TimeSeriesSplit()`` for rows in order of time.
    groups : array-like of shape (n_samples,), optional
        Group of each row, such as its customer. ``cv`` must keep groups together. The
        default is then ``StratifiedGroupKFold`` with 5 folds, or with ``cv`` folds if
        it is an int. The inner holdout of the search splits rows, not groups.
    grid : dict or sequence of dicts, optional
        Points, each of parameters of the host, which replace those of the estimator. In
        a pipeline, names with ``__`` are those of other steps. A dict is one point. The
        default is ``default_grid(estimator)``, which keeps the parameters that you set
        on the estimator, such as ``n_estimators``.
    sample_weight : float or array-like of shape (n_samples,), optional
        Weights of the rows, in training and in all scores.
    stop_on : {"loss", "average_precision"}, default="loss"
        What early stopping watches, as in ``fit``.
    false_positive_rate : float, default=0.001
        False-positive rate at which the recall is measured.
    random_state : int, default=0
        Seed of folds, holdouts, resampling and hosts.
    n_jobs : int or None, default=1
        Number of fits at a time, as in joblib. If it is not 1, each fit has one
        thread, unless you set ``n_jobs`` on the estimator.
    progress : bool, default=True
        Whether to show a progress bar on standard error. This needs rich.
    file : path, optional
        File that keeps every fit as soon as it is done. The same call continues from
        the file, repeats fits that failed, and may add methods.

    Returns
    -------
    Comparison
        Scores, differences and the verdict. The verdict may be to use log loss, or no
        model.

    Raises
    ------
    ValueError
        If an argument is out of range, y has not two classes, ``file`` is from
        another comparison, or all fits fail.
    ModuleNotFoundError
        If SMOTE is among the losses and imbalanced-learn is not installed.

    References
    ----------
    Nadeau & Bengio, *Inference for the Generalization Error*, 2003; Holm, *A Simple
    Sequentially Rejective Multiple Test Procedure*, 1979.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from focalboost import FocalLGBMClassifier, FocalLoss
    >>> from focalboost.comparison import compare_losses
    >>> X, y = make_classification(1000, weights=[0.95], random_state=0)
    >>> found = compare_losses(
    ...     FocalLGBMClassifier(n_jobs=1), X, y,
    ...     losses=["log loss", FocalLoss(gamma=2)], cv=3, progress=False,
    ... )
    >>> found.names
    ('log loss', 'focal, γ = 2')
    >>> found.values("log loss", "log_loss").shape
    (3,)
    """
    if progress:
        import_extra("rich", "pip install rich, or use progress=False")
    one_of("stop_on", stop_on, STOP_ON)
    require_comparable(estimator)
    methods = _methods(losses)
    # Not imported: a broken package is an error of the fits that use it.
    needs_smote = any(method.resampling == "smote" for method in methods)
    if needs_smote and find_spec("imblearn") is None:
        import_extra("imblearn", f"{INSTALL_SMOTE}, or leave SMOTE out of losses")
    check_consistent_length(X, y, groups)
    data = _labelled(table_of(X, estimator), y, sample_weight)
    advice = "Use 0.001 for one false alert in a thousand negatives."
    rate = open_share("false_positive_rate", false_positive_rate, advice)
    if n_jobs != 1 and last_step(estimator).n_jobs is None:
        estimator = at_point(estimator, {"n_jobs": 1})
    points = points_of(grid, estimator)
    for point in points:
        require_comparable(at_point(estimator, point))
    folds = folds_of(cv, data, groups, random_state)
    plan = Plan(estimator, points, data, folds, stop_on, rate, random_state)
    path = None if file is None else Path(file)
    fits = {} if path is None else _read_fits(path, plan.fingerprint())
    keys = [(method, fold) for fold in range(len(folds)) for method in methods]
    todo = [(method, fold) for method, fold in keys if (repr(method), fold) not in fits]
    parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator_unordered")
    found = parallel(joblib.delayed(fitted)(plan, *one) for one in todo)
    if progress:
        found = _with_progress_bar(found, len(keys), len(keys) - len(todo))
    with closing(found):  # after an error the bar must give the cursor back
        for settings, fit in found:
            fits[settings, fit.fold] = fit
            if path is not None:
                with path.open("a", encoding="utf-8") as lines:
                    lines.write(_line(settings, fit) + "\n")
    return _comparison(plan, methods, fits)


def table_of(X: Any, estimator: Any) -> Any:
    """A data frame as that of pandas; columns that no fit can read raise an error."""
    X = as_pandas(X)
    if isinstance(estimator, Pipeline) or not hasattr(X, "dtypes"):
        return X
    dates = TableEncoder().fit(X).dates_
    if len(dates) == X.shape[1]:
        advice = "Use make_pipeline(TableEncoder(date_parts=True), estimator)."
        reject("X", "of a column or more that is no date", dates, advice)
    return X.drop(columns=dates)


def _with_progress_bar(fits: Iterable[Any], total: int, done: int) -> Iterator[Any]:
    """The fits, while a bar on standard error counts them."""
    from rich import progress
    from rich.console import Console

    with progress.Progress(
        progress.TextColumn("fits"),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task("fits", total=total, completed=done)
        for fit in fits:
            yield fit
            bar.advance(task)


def _comparison(
    plan: Plan, methods: tuple[Method, ...], found: dict[tuple[str, int], Fit]
) -> Comparison:
    numbers = range(len(plan.folds))
    fits = tuple(found[repr(method), fold] for method in methods for fold in numbers)
    if all(fit.error is not None for fit in fits):
        errors = {f"{fit.method} with {fit.error}": None for fit in fits}
        raise ValueError(f"All {len(fits)} fits failed: {'; '.join(errors)}")
    constants = []
    for train, test in map(plan.parts, numbers):
        prevalence = float(np.average(train.y, weights=train.weight))
        rate = plan.false_positive_rate
        constants.append(chance(test.y, prevalence, rate, test.weight))
    log_odds = {m.name: np.full(len(plan.data.y), np.nan, np.float32) for m in methods}
    for fit in fits:
        if fit.log_odds is not None:
            log_odds[fit.method][plan.folds[fit.fold][1]] = fit.log_odds
    settings = plan.settings()
    return Comparison(
        methods=methods,
        fits=fits,
        constants=tuple(constants),
        settings={**settings, "transformers": repr(settings["transformers"])},
        first_tests=plan.first_tests,
        test_per_train=float(np.mean([len(b) / len(a) for a, b in plan.folds])),
        y_true=plan.data.y,
        sample_weight=plan.data.weight,
        log_odds=log_odds,
    )


def _methods(losses: LossLike | Sequence[LossLike]) -> tuple[Method, ...]:
    several = [losses] if isinstance(losses, LossLike) else losses
    methods = tuple(map(_method, several))
    names = [method.name for method in methods]
    if not names or len(set(names)) < len(names):
        reject("losses", "methods of different names", names, "Name each once.")
    return methods


def _method(loss: LossLike) -> Method:
    if isinstance(loss, Method):
        return loss
    if isinstance(loss, FocalLoss):
        pair = "({:g}, {:g})".format(*loss.gammas)
        gamma = pair if isinstance(loss.gamma, tuple) else f"{loss.gamma:g}"
        alpha = "" if loss.alpha is None else f", α = {loss.alpha:g}"
        return Method(f"focal, γ = {gamma}{alpha}", loss.gamma, loss.alpha)
    known = {method.name: method for method in METHODS}
    if loss not in known:
        rule = "methods, focal losses or names of METHODS"
        names = ", ".join(map(repr, known))
        reject("losses", rule, loss, f"Use FocalLoss(gamma=2), or one of {names}.")
    return known[loss]


def _labelled(X: Any, y: Any, sample_weight: Any) -> Part:
    labels = column_of(y)
    classes = np.unique(labels)
    if len(classes) != 2:
        advice = "Use y == label for the class to find."
        reject("y", "labels of two classes", classes[:5].tolist(), advice)
    part = part_of(X, labels == classes[1], sample_weight)
    class_ratio(part)  # both classes have weight
    return part


def folds_of(cv: Any, data: Part, groups: Any, random_state: int) -> list[Fold]:
    """The rows of each fold. Both classes must be in both parts."""
    groups = None if groups is None else column_of(groups, "groups")
    if cv is None and groups is None:
        cv = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=random_state)
    elif cv is None:
        cv = 5
    if isinstance(cv, Integral):
        kind = StratifiedKFold if groups is None else StratifiedGroupKFold
        cv = kind(int(cv), shuffle=True, random_state=random_state)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")  # refused below
        splitter = check_cv(cv, data.y, classifier=True)
        folds: list[Fold] = list(splitter.split(data.X, data.y, groups))
    # Rows of weight 0 do not count.
    counted = data.y if data.weight is None else np.where(data.weight > 0, data.y, 2)
    for number, rows in enumerate(folds):
        n_train, n_test = (
            int(np.bincount(counted[part], minlength=2)[:2].min()) for part in rows
        )
        if n_train < MIN_TRAIN or n_test < 1:
            reject(
                "cv",
                f"folds with both classes, {MIN_TRAIN} rows of each to train on",
                f"fold {number} with {n_train} of the rarer one, and {n_test} to test",
                "Use fewer or stratified folds, or add rows of the rarer class.",
            )
    return folds


@dataclass(frozen=True, eq=False)
class Plan:
    """What all fits of a comparison share."""

    estimator: Any
    grid: tuple[dict[str, Any], ...]
    data: Part
    folds: list[Fold]
    stop_on: str
    false_positive_rate: float
    random_state: int
    process: int = field(default_factory=os.getpid)

    @cached_property
    def first_tests(self) -> dict[int, NDArray[np.intp]]:
        """Test rows by fold, for the folds whose test rows are in no earlier fold."""
        is_tested, found = np.zeros(len(self.data.y), bool), {}
        for number, (_, test) in enumerate(self.folds):
            if not is_tested[test].any():
                found[number] = test
            is_tested[test] = True
        return found

    def parts(self, fold: int) -> tuple[Part, Part]:
        """The training rows and the test rows of a fold."""
        train, test = self.folds[fold]
        return self.data.rows(train), self.data.rows(test)

    def settings(self) -> dict[str, Any]:
        """What is the same for every method, for the report."""
        last = last_step(self.estimator)
        host = host_of(last)
        return {
            "estimator": type(last).__name__,
            "transformers": [
                step for _, step in getattr(self.estimator, "steps", [])[:-1]
            ],
            "parameters": {
                name: value
                for name, value in parameters_set(last).items()
                if name not in ("n_jobs", "random_state")
                and not all(name in point for point in self.grid)
            },
            "host": f"{host} {import_host(host).__version__}",
            "focalboost": focalboost.__version__,
            "grid": self.grid,
            "folds": len(self.folds),
            "rows": len(self.data.y),
            "stop_on": self.stop_on,
            "false_positive_rate": self.false_positive_rate,
            "random_state": self.random_state,
        }

    def fingerprint(self) -> str:
        """A digest of all that a fit depends on, besides the method."""
        return str(joblib.hash((self.settings(), self.data, self.folds)))


def fitted(plan: Plan, method: Method, fold: int) -> tuple[str, Fit]:
    """The settings of a method, and its fit on a fold. An error is part of the fit."""
    # All processes get Ctrl-C. A worker that it ended would print a traceback.
    if os.getpid() != plan.process and current_thread() is main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            fit = _scored(plan, method, fold)
        except Exception as error:  # any error of a host belongs in the report
            text = " ".join(f"{type(error).__name__}: {error}".split())
            fit = Fit(method.name, fold, error=text[:300])
    texts = dict.fromkeys(" ".join(str(w.message).split())[:300] for w in caught)
    return repr(method), replace(fit, warnings=tuple(texts))


def _scored(plan: Plan, method: Method, fold: int) -> Fit:
    train, test = plan.parts(fold)
    seed = plan.random_state + fold
    best = tuned(method, plan.estimator, plan.grid, *train, seed, stop_on=plan.stop_on)
    log_odds, factor = best.log_odds(test.X), best.odds_factor
    rate = plan.false_positive_rate
    return Fit(
        method.name,
        fold,
        scores=scores(test.y, log_odds, factor, rate, test.weight),
        params=dict(best.params),
        n_rounds=best.n_rounds,
        seconds=best.seconds,
        odds_factor=factor,
        log_odds=log_odds.astype(np.float32) if fold in plan.first_tests else None,
    )


def _read_fits(path: Path, fingerprint: str) -> dict[tuple[str, int], Fit]:
    """Start a file, or read the fits that it keeps, by settings of the method and fold.

    The file has one line of JSON for each fit, after a first line with a digest of
    what is compared. Fits that failed are not returned.
    """
    if not path.parent.is_dir():
        reject("file", "in a folder that exists", str(path), "Make it first.")
    head = json.dumps({"format": "focalboost comparison 1", "fingerprint": fingerprint})
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    if lines[:1] not in ([], [head]):
        rule = "new, or from a comparison of the same data, folds, estimator and grid"
        reject("file", rule, str(path), "Name another file, or delete this one.")
    fits, whole = {}, [head]
    for line in lines[1:]:
        try:
            entry = json.loads(line)
        except ValueError:  # the process ended while it wrote the line
            continue
        whole.append(line)
        settings = entry.pop("settings")
        if entry["error"] is None:
            entry["scores"] = Scores(**entry["scores"])
            entry["warnings"] = tuple(entry["warnings"])
            if entry["log_odds"] is not None:
                contents = base64.b64decode(entry["log_odds"])
                entry["log_odds"] = np.frombuffer(contents, "<f4")
            fits[settings, entry["fold"]] = Fit(**entry)
    write_in_one_step(path, "\n".join([*whole, ""]).encode("utf-8"))
    return fits


def _line(settings: str, fit: Fit) -> str:
    entry = {"settings": settings, **asdict(fit)}
    if fit.log_odds is not None:
        contents = fit.log_odds.astype("<f4").tobytes()
        entry["log_odds"] = base64.b64encode(contents).decode("ascii")
    return json.dumps(entry, default=_plain_number)


def _plain_number(value: Any) -> Any:
    """A number of NumPy in the grid as a number of Python."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"the grid holds {value!r}: use numbers and text")
