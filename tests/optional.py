"""Libraries that tests can do without, the hosts among them.

A host that is not installed has a stand-in: a test that uses it is skipped with the
reason, and so is the file whose parameters use it. Only what tests themselves take
from a host is skipped; where focalboost wants one that is not there, the test fails.
"""

import importlib
import sys
from importlib.util import find_spec

import pytest

import focalboost

__all__ = [
    "HAS_LIGHTGBM",
    "HAS_XGBOOST",
    "FocalLGBMClassifier",
    "FocalXGBClassifier",
    "is_installed",
    "lightgbm",
    "optional",
    "pandas",
    "version",
    "xgboost",
]


def is_installed(name):
    """Whether a module can be imported."""
    return name in sys.modules or find_spec(name) is not None


HAS_XGBOOST = is_installed("xgboost")
HAS_LIGHTGBM = is_installed("lightgbm")


def version(name):
    """The version of an installed module, to compare."""
    parts = importlib.import_module(name).__version__.split(".")[:2]
    return tuple(int(part) for part in parts)


class Missing:
    """In the place of what is not installed, or of what needs it."""

    def __init__(self, library):
        self._library = library

    def __call__(self, *arguments, **options):
        __tracebackhide__ = True  # the reason is told of the test's line
        pytest.skip(f"{self._library} is not installed", allow_module_level=True)

    def __instancecheck__(self, instance):
        return False

    def __getattr__(self, name):
        __tracebackhide__ = True
        if name.startswith("_"):  # pytest looks for marks and names
            raise AttributeError(name)
        return self()


def or_missing(name):
    """A module, or what skips in its place."""
    return importlib.import_module(name) if is_installed(name) else Missing(name)


xgboost = or_missing("xgboost")
lightgbm = or_missing("lightgbm")
pandas = or_missing("pandas")
FocalXGBClassifier = (
    focalboost.FocalXGBClassifier if HAS_XGBOOST else Missing("xgboost")
)
FocalLGBMClassifier = (
    focalboost.FocalLGBMClassifier if HAS_LIGHTGBM else Missing("lightgbm")
)


def optional(name, package=None):
    """Import a module, or skip the test and say what is missing.

    Beside array-api-compat some modules of scikit-learn 1.6, and what imports them,
    need SCIPY_ARRAY_API=1.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        pytest.skip(f"{package or name} is not installed")
    except RuntimeError as error:
        if "SCIPY_ARRAY_API" not in str(error):
            raise
        pytest.skip(f"{name} needs SCIPY_ARRAY_API=1 with scikit-learn 1.6")
