"""Fixtures that all tests share."""

from importlib.util import find_spec

import numpy as np
import pytest
from host_drivers import HOSTS, host_id
from hypothesis import settings
from scipy import special

from focalboost.losses import _evaluate, is_compiled
from focalboost.xgboost._params import has_base_scores

# Every run tries the same examples: what fails once can be repeated.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

#: Files of tests that cannot be read, or that run scripts that cannot, without these.
#: Where a single test needs a library, it is skipped, with the reason.
_HOSTS = ("xgboost", "lightgbm")
_COMPARES = ("pandas", "matplotlib", "rich", "imblearn")
NEEDS = {
    "comparison/test_columns.py": (*_HOSTS, *_COMPARES),
    "comparison/test_command.py": (*_HOSTS, *_COMPARES, "pyarrow"),
    "comparison/test_compare.py": (*_HOSTS, *_COMPARES),
    "comparison/test_large_table.py": (*_HOSTS, *_COMPARES, "pyarrow"),
    "comparison/test_methods.py": (*_HOSTS, *_COMPARES),
    "comparison/test_report.py": (*_HOSTS, *_COMPARES),
    "comparison/test_table_files.py": ("pandas",),
    "comparison/test_tables.py": ("pandas", "pyarrow"),
    "comparison/test_verdict.py": ("pandas",),
    "diagnostics/test_gradient_budget.py": _HOSTS,
    "diagnostics/test_plots.py": ("matplotlib",),
    "distributed/test_dask_arguments.py": (*_HOSTS, "dask"),
    "distributed/test_dask_estimators.py": (*_HOSTS, "dask"),
    "distributed/test_dask_parameters.py": (*_HOSTS, "dask"),
    "distributed/test_dask_train.py": (*_HOSTS, "dask"),
    "distributed/test_dead_worker.py": (*_HOSTS, "dask"),
    "distributed/test_sums.py": ("lightgbm", "dask"),
    "estimators/test_check_estimator_matrix.py": _HOSTS,
    "estimators/test_estimator_checks.py": _HOSTS,
    "hosts/test_class_masses.py": _HOSTS,
    "test_benchmarks.py": (*_HOSTS, "pandas"),
    "test_examples.py": (*_HOSTS, "pandas"),
    "test_fuzzers.py": _HOSTS,
    "test_hostile_input.py": ("pandas",),
    "test_multiclass_benchmarks.py": (*_HOSTS, "pandas"),
    "test_multiclass_example.py": (*_HOSTS, "pandas"),
    "test_simulated_stream.py": (*_HOSTS, "pandas"),
    "test_small_examples.py": (*_HOSTS, "pandas"),
    "test_speed_benchmarks.py": (*_HOSTS, "pandas"),
}
MISSING = {
    name: [library for library in needs if not find_spec(library)]
    for name, needs in NEEDS.items()
}
collect_ignore = [name for name, missing in MISSING.items() if missing]


def pytest_report_header(config):
    """Say what is left out, and why."""
    return [
        f"left out: {name} (needs {' and '.join(MISSING[name])})"
        for name in collect_ignore
    ]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item):
    """Skip what XGBoost before 3.1 cannot do, models of several classes or labels."""
    return (yield from skipping_several_classes())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """The same of the test itself."""
    return (yield from skipping_several_classes())


#: What is said of several classes or labels before XGBoost 3.1, by us and by itself.
ONE_BASE_SCORE = ("xgboost must be 3.1 or newer", "Invalid Parameter format for base_")


def skipping_several_classes():
    try:
        return (yield)
    except BaseException as error:
        cause = error
        while not (cause is None or any(text in str(cause) for text in ONE_BASE_SCORE)):
            cause = cause.__context__
        if cause is None or has_base_scores():
            raise
    pytest.skip("XGBoost before 3.1 has one base_score")


@pytest.fixture(params=HOSTS, ids=host_id)
def host(request):
    """Each of the hosts in turn."""
    return request.param


@pytest.fixture
def formulas_alone(monkeypatch):
    """Leave the compiled form of the formulas aside."""
    monkeypatch.setattr(_evaluate, "_kernel", None)


@pytest.fixture(params=["compiled", "formulas"])
def form(request):
    """Both forms of the formulas in turn."""
    if request.param == "formulas":
        request.getfixturevalue("formulas_alone")
    elif not is_compiled():
        pytest.skip("no compiler was found at installation")


@pytest.fixture
def counted(monkeypatch):
    """Whether the compiled form has done each call, or declined it."""
    kernel, calls = _evaluate._kernel, []

    class Counting:
        def __getattr__(self, name):
            function = getattr(kernel, name)

            def counting(*arguments):
                result = function(*arguments)
                calls.append(result is not None and result is not False)
                return result

            return counting

    monkeypatch.setattr(_evaluate, "_kernel", Counting())
    return calls


@pytest.fixture(scope="session")
def rare():
    """Features and labels with 2 positives in 100, some of them hard to tell."""
    return make_rare(4000, intercept=-5.5)


@pytest.fixture(scope="session")
def mixed():
    """Features and labels with 3 positives in 10."""
    return make_rare(3000, intercept=-1.2)


@pytest.fixture(scope="session")
def faults():
    """Features and labels of three classes, two of them rare."""
    return make_faults()


def make_faults(n_samples=3000, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 5))
    scores = [2 * X[:, 0] + 3, X[:, 1] + X[:, 2], 2 * X[:, 3] * X[:, 4] - 1]
    shares = special.softmax(np.column_stack(scores), axis=1)
    draw = rng.random((n_samples, 1))
    return X, (draw > shares.cumsum(axis=1)).sum(axis=1).astype(np.float64)


def make_rare(n_samples, intercept, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_samples, 5))
    log_odds = intercept + 2 * X[:, 0] + X[:, 1] * X[:, 2]
    return X, (rng.random(n_samples) < special.expit(log_odds)).astype(np.float64)
