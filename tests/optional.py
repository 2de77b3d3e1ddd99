"""Libraries that tests can do without."""

import importlib

import pytest

__all__ = ["optional"]


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
