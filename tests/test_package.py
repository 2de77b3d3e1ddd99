"""The package as a whole: names, version, layers, and life without the hosts."""

import ast
import importlib
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from optional import HAS_LIGHTGBM, HAS_XGBOOST

import focalboost
from focalboost import FocalLoss

PACKAGE = Path(focalboost.__file__).parent

#: What each layer may import; data flows one way.
_FOR_HOSTS = {
    *("_validation", "losses", "objectives", "_host", "_provenance", "_checkpoint"),
    *("_files", "_tracking", "_trial"),
}
ALLOWED = {
    "_files": set(),
    "_imports": set(),
    "_json": set(),
    "_trial": set(),
    "_tracking": set(),
    "_validation": set(),
    "losses": {"_validation"},
    "objectives": {"_imports", "_validation", "losses"},
    "_host": {"_imports", "_validation", "losses"},
    "_provenance": {"_validation", "losses"},
    "_checkpoint": {"_json", "_validation", "losses", "_provenance"},
    "xgboost": _FOR_HOSTS,
    "lightgbm": _FOR_HOSTS,
    "estimators": {*_FOR_HOSTS, "xgboost", "lightgbm"} - {"_checkpoint"},
    "distributed": {
        *("_imports", "_validation", "losses", "objectives", "_host", "_provenance"),
        *("xgboost", "lightgbm", "estimators"),
    },
    "export": {"_imports", "_validation", "losses", "_host", "estimators"},
    "diagnostics": {
        *("_files", "_imports", "_json", "_validation", "losses", "_host"),
        *("lightgbm", "estimators"),
    },
    "_command": {"diagnostics", "estimators"},
    "__main__": {"_command"},
    "__init__": {"losses", "objectives", "estimators", "_checkpoint"},
}


def imports_of(path):
    """The modules of this package that a file imports."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"relative import in {path}"
            if node.module == "focalboost":
                yield from (alias.name for alias in node.names)
            elif node.module.startswith("focalboost."):
                yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("focalboost."):
                    yield alias.name.split(".")[1]


def layer_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=str)
def test_imports_point_upstream(path):
    layer = layer_of(path)
    assert set(imports_of(path)) - {layer} <= ALLOWED[layer]


def test_a_downstream_import_is_found(tmp_path):
    path = tmp_path / "module.py"
    path.write_text("from focalboost.estimators import FocalXGBClassifier")
    assert set(imports_of(path)) == {"estimators"}


def test_all_is_sorted_and_complete():
    names = [name for name in focalboost.__all__ if name != "__version__"]
    assert names == sorted(names)
    hosts = {"FocalXGBClassifier": HAS_XGBOOST, "FocalLGBMClassifier": HAS_LIGHTGBM}
    there = [name for name in focalboost.__all__ if hosts.get(name, True)]
    assert all(hasattr(focalboost, name) for name in there)
    assert set(focalboost.__all__) <= set(dir(focalboost))


def test_version_is_the_installed_one():
    assert focalboost.__version__ == metadata.version("focalboost")


def test_unknown_names_are_attribute_errors():
    with pytest.raises(AttributeError, match="no attribute 'focal'"):
        focalboost.focal  # noqa: B018
    with pytest.raises(AttributeError, match="no attribute 'focal'"):
        importlib.import_module("focalboost.estimators").focal  # noqa: B018


WITHOUT_HOSTS = """
import sys
sys.modules["xgboost"] = sys.modules["lightgbm"] = None
import focalboost, focalboost.xgboost, focalboost.lightgbm
import numpy as np
y, raw = np.array([0.0, 1.0]), np.zeros(2)
focalboost.focal_objective()(y, raw)
focalboost.focal_metric()(y, raw)
"""


def run(code):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True
    )


def test_import_and_callables_need_no_host():
    result = run(WITHOUT_HOSTS)
    assert result.returncode == 0, result.stderr


WITHOUT_KERNEL = """
import sys
sys.modules["focalboost.losses._kernel"] = None
import numpy as np
from focalboost import focal_objective
from focalboost.losses import is_compiled
assert not is_compiled()
gradient, _ = focal_objective()(np.float32([0, 1]), np.float32([-1, 0.5]))
print(*gradient)
"""


def test_without_compiled_formulas_those_of_numpy_serve():
    result = run(WITHOUT_KERNEL)
    assert result.returncode == 0, result.stderr
    found = [float(text) for text in result.stdout.split()]
    np.testing.assert_allclose(
        found, FocalLoss().gradient([0, 1], [-1, 0.5]), rtol=1e-6
    )


@pytest.mark.parametrize(
    ("statement", "extra"),
    [
        ("focalboost.FocalXGBClassifier", "xgboost"),
        ("focalboost.FocalLGBMClassifier", "lightgbm"),
        ("focalboost.estimators.FocalXGBClassifier", "xgboost"),
        ("focalboost._host.import_host('lightgbm')", "lightgbm"),
    ],
)
def test_a_missing_host_names_its_extra(statement, extra):
    code = f"""
import builtins, sys
original = builtins.__import__
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("xgboost", "lightgbm"):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Block())
import focalboost, focalboost._host, focalboost.estimators
{statement}
"""
    result = run(code)
    assert result.returncode == 1
    assert f"pip install 'focalboost[{extra}]'" in result.stderr


def test_a_broken_host_is_not_called_missing():
    code = """
import sys
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "lightgbm":
            raise ModuleNotFoundError("No module named 'libgomp'", name="libgomp")
sys.meta_path.insert(0, Broken())
from focalboost._host import import_host
import_host("lightgbm")
"""
    result = run(code)
    error = result.stderr.splitlines()[-1]
    assert "libgomp" in error
    assert "pip install" not in error
