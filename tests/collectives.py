"""Two processes that train together, with XGBoost or with LightGBM."""

import importlib
import multiprocessing
import socket
import warnings
from contextlib import ExitStack

#: Seconds after which a worker counts as waiting for the other.
PATIENCE = 60


class Pair:
    """Two processes that run functions of this module, again and again."""

    def __init__(self):
        context = multiprocessing.get_context("spawn")
        self.pipes, self.processes = [], []
        for _ in range(2):
            pipe, far_end = context.Pipe()
            process = context.Process(target=_serve, args=(far_end,), daemon=True)
            process.start()
            self.pipes.append(pipe)
            self.processes.append(process)

    def run(self, function, first, second, collective=True):
        """What a function returns on both workers: (answer or error, warnings)."""
        with ExitStack() as tracking:
            settings = _settings(tracking) if collective else None
            for rank, given in enumerate((first, second)):
                self.pipes[rank].send((function.__name__, given, rank, settings))
            if not all(pipe.poll(PATIENCE) for pipe in self.pipes):
                self.end()
                raise TimeoutError("a worker waits for the other")
            return [pipe.recv() for pipe in self.pipes]

    def end(self):
        for process in self.processes:
            process.terminate()
            process.join()


def _settings(tracking):
    """What the workers have to know of a new tracker, which numbers them in order."""
    tracker = importlib.import_module("xgboost.tracker").RabitTracker
    tracker = tracker(host_ip="127.0.0.1", n_workers=2, sortby="task")
    tracker.start()
    tracking.callback(tracker.wait_for, PATIENCE)
    return tracker.worker_args()


def _serve(pipe):
    while True:
        name, given, rank, settings = pipe.recv()
        with ExitStack() as context:
            caught = context.enter_context(warnings.catch_warnings(record=True))
            warnings.simplefilter("always")
            if settings is not None:
                join = importlib.import_module("xgboost.collective").CommunicatorContext
                context.enter_context(join(**settings, dmlc_task_id=str(rank)))
            try:
                answer = globals()[name](**given)
            except Exception as error:
                answer = error.with_traceback(None)
        pipe.send((answer, [str(one.message) for one in caught]))


def free_ports():
    """Two ports of this machine that nobody uses."""
    with ExitStack() as sockets:
        bound = [sockets.enter_context(socket.socket()) for _ in range(2)]
        for one in bound:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in bound]


def matrix(rows):
    """A DMatrix of a dict of its arguments."""
    return importlib.import_module("xgboost").DMatrix(**rows, nthread=1)


def xgboost_train(rows, params=None, evals=(), n_evals=None, **options):
    """The model of focalboost.xgboost.train as JSON, and its evaluations.

    All workers have to make as many matrices, but need not evaluate them all.
    """
    train = importlib.import_module("focalboost.xgboost").train
    settings = {"max_depth": 3, "nthread": 1, **(params or {})}
    history = {}
    booster = train(
        settings,
        matrix(rows),
        options.pop("num_boost_round", 10),
        evals=[(matrix(one), f"set{i}") for i, one in enumerate(evals)][:n_evals],
        evals_result=history,
        verbose_eval=False,
        **options,
    )
    return bytes(booster.save_raw("json")), history


def plain_xgboost_train(rows, params):
    """The model of XGBoost's own train with focal_objective and focal_metric."""
    xgboost = importlib.import_module("xgboost")
    focalboost = importlib.import_module("focalboost")
    data, history = matrix(rows), {}
    booster = xgboost.train(
        {"max_depth": 3, "nthread": 1, **params},
        data,
        5,
        obj=focalboost.focal_objective(),
        custom_metric=focalboost.focal_metric(),
        evals=[(data, "train")],
        evals_result=history,
        verbose_eval=False,
    )
    return bytes(booster.save_raw("json")), history


def fit(X, y):
    """Fit FocalXGBClassifier."""
    importlib.import_module("focalboost").FocalXGBClassifier(n_jobs=1).fit(X, y)


def lightgbm_train(rows, params, validation=None, early_stopping=None, **options):
    """The trees of focalboost.lightgbm.train as text."""
    lightgbm = importlib.import_module("lightgbm")
    train = importlib.import_module("focalboost.lightgbm").train
    data = lightgbm.Dataset(**rows)
    valid = [lightgbm.Dataset(**validation, reference=data)] if validation else None
    settings = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5, **params}
    if early_stopping:
        settings |= {"early_stopping_round": early_stopping, "num_iterations": 200}
    booster = train(settings, data, 20, valid, **options)
    return booster.model_to_string().partition("\nparameters:")[0], None
