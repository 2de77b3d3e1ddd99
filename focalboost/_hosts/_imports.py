"""Imports optional packages at the point of use, and stays out of MLflow's way."""

import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from focalboost._validation import warn

#: Names that a package imports on demand: their module, and the modules they need.
OnDemand = Mapping[str, tuple[str, tuple[str, ...]]]

#: How the modules are installed that names on demand need.
INSTALL = {
    "distributed": 'pip install "dask[dataframe,distributed]"',
    "lightgbm": "pip install lightgbm",
    "xgboost": "pip install xgboost-cpu (or xgboost, with CUDA)",
}


def import_extra(name: str, advice: str) -> ModuleType:
    """Import a module, or say how to install it."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):
            raise
        raise ModuleNotFoundError(
            f"{name} is not installed: {advice}", name=name
        ) from None


def import_host(name: str) -> ModuleType:
    """Import a host, or say how to install it."""
    return import_extra(name, INSTALL[name])


def those_installed(names: Iterable[str], on_demand: OnDemand) -> list[str]:
    """Return the names without those that need a module which is not installed."""
    needs = {name: on_demand[name][1] for name in on_demand}
    return [name for name in names if all(map(_is_installed, needs.get(name, ())))]


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except (ImportError, ValueError):  # a finder refuses it; it has no specification
        return False


def import_on_demand(package: str, name: str, on_demand: OnDemand) -> Any:
    """Do the work of a package's ``__getattr__``.

    A name whose needs are not installed raises AttributeError, which ``hasattr`` and
    ``help`` expect. ``from package import name`` does not show the text of one, and
    raises ModuleNotFoundError.
    """
    if name not in on_demand:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    module, needs = on_demand[name]
    try:
        for need in needs:
            import_extra(need, INSTALL[need])
        return getattr(importlib.import_module(module), name)
    except ImportError as error:
        caller = sys._getframe(2)  # of the package's __getattr__
        is_statement = caller.f_globals.get("__name__") == "importlib._bootstrap"
        if is_statement or error.name not in needs:
            raise
        raise AttributeError(str(error), name=name) from error


def data_frame(content: Any, **options: Any) -> Any:
    """A DataFrame of columns by name, or of a list of lines."""
    return import_extra("pandas", "pip install pandas").DataFrame(content, **options)


@contextmanager
def without_autologging(host: str) -> Iterator[None]:
    """Switch MLflow's autologging off where it is on, and say what to do instead.

    MLflow patches the hosts' fit and train, and logs the plain model that these return.
    Its predictions are focal scores or raw predictions, not probabilities.
    """
    mlflow = sys.modules.get("mlflow.utils.autologging_utils")
    if mlflow is None or mlflow.autologging_is_disabled(host):
        yield
        return
    warn(
        "MLflow's autologging is switched off during this training. It would log the "
        f"plain model of {host}, whose predictions are focal scores. Log the result "
        f"with mlflow.{host}.log_model."
    )
    with mlflow.disable_autologging():
        yield
