"""The package as a whole: names, version, layers, and life without the hosts."""

import ast
import graphlib
import importlib
import re
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

#: What each room may import; data flows one way.
ALLOWED = {
    "_validation": set(),
    "losses": {"_validation"},
    "_hosts": {"_validation", "losses"},
    "datasets": {"_validation", "_hosts"},
    "objectives": {"_validation", "losses", "_hosts"},
    "xgboost": {"_validation", "losses", "_hosts", "objectives"},
    "lightgbm": {"_validation", "losses", "_hosts", "objectives"},
    "diagnostics": {"_validation", "losses", "_hosts", "xgboost", "lightgbm"},
    "estimators": {
        *("_validation", "losses", "_hosts", "objectives", "xgboost", "lightgbm"),
    },
    "distributed": {
        *("_validation", "losses", "_hosts", "objectives", "xgboost", "lightgbm"),
        "estimators",
    },
    "export": {"_validation", "losses", "_hosts", "estimators"},
    "comparison": {
        *("_validation", "losses", "_hosts", "lightgbm", "estimators", "diagnostics"),
    },
    "__main__": {"comparison"},
    "__init__": {"losses", "_hosts", "objectives", "estimators"},
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


@pytest.mark.parametrize("layer", ALLOWED)
def test_what_is_allowed_is_needed(layer):
    paths = [path for path in PACKAGE.rglob("*.py") if layer_of(path) == layer]
    assert ALLOWED[layer] <= {name for path in paths for name in imports_of(path)}


def outside_functions(tree):
    """What is run, or read by a type checker, when a module is imported."""
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
            yield from outside_functions(node)


def imported_names(path):
    """What module-level imports name: modules, or what modules define."""
    for node in outside_functions(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def circle_in(package):
    """Modules of a package that import each other in a circle, or nothing."""
    modules = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        modules[".".join(parts).removesuffix(".__init__")] = path
    graph = {
        module: {
            name if name in modules else name.rpartition(".")[0]
            for name in imported_names(path)
        }
        for module, path in modules.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return error.args[1]


def test_no_modules_import_each_other():
    assert circle_in(PACKAGE) is None


def test_a_circle_is_found(tmp_path):
    package = tmp_path / "focalboost"
    package.mkdir()
    (package / "one.py").write_text("def f():\n    import focalboost.two\n")
    (package / "two.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from focalboost import three\n"
    )
    (package / "three.py").write_text("import focalboost.one\n")
    assert circle_in(package) is None
    (package / "one.py").write_text("from focalboost.two import name\n")
    assert set(circle_in(package)) == {
        f"focalboost.{n}" for n in ("one", "two", "three")
    }


def test_all_is_sorted_and_complete():
    names = [name for name in focalboost.__all__ if name != "__version__"]
    assert names == sorted(names)
    assert all(hasattr(focalboost, name) for name in names)
    assert set(focalboost.__all__) <= set(dir(focalboost))
    for name, is_there in (
        ("FocalXGBClassifier", HAS_XGBOOST),
        ("FocalLGBMClassifier", HAS_LIGHTGBM),
    ):
        assert (name in focalboost.__all__) == is_there


def test_version_is_the_installed_one():
    assert focalboost.__version__ == metadata.version("focalboost")


@pytest.mark.parametrize(
    "package", ["focalboost", "focalboost.estimators", "focalboost.distributed"]
)
def test_unknown_names_are_attribute_errors(package):
    module = importlib.import_module(package)
    with pytest.raises(AttributeError, match=f"'{package}' has no attribute 'focal'"):
        _ = module.focal


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


NOT_FOUND = "ModuleNotFoundError"

#: Two ways in which a module can be missing.
NOT_INSTALLED = """
import sys
for name in {missing}:
    sys.modules[name] = None
"""
BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {missing}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Block())
"""
PACKAGES = "import focalboost, focalboost.estimators, focalboost.distributed\n"


@pytest.mark.parametrize(
    ("statement", "error", "install"),
    [
        ("focalboost.FocalXGBClassifier", "AttributeError", "xgboost"),
        ("focalboost.FocalLGBMClassifier", "AttributeError", "lightgbm"),
        ("focalboost.estimators.FocalXGBClassifier", "AttributeError", "xgboost"),
        ("focalboost.distributed.FocalDaskXGBClassifier", "AttributeError", "dask"),
        ("from focalboost import FocalXGBClassifier", NOT_FOUND, "xgboost"),
        ("from focalboost.estimators import FocalLGBMClassifier", NOT_FOUND, "light"),
        ("from focalboost.distributed import FocalDaskLGBMClassifier", NOT_FOUND, "d"),
        ("focalboost._hosts._imports.import_host('lightgbm')", NOT_FOUND, "lightgbm"),
    ],
)
def test_what_is_missing_says_how_it_is_installed(statement, error, install):
    code = BLOCKED.format(missing=["xgboost", "lightgbm", "distributed"])
    result = run(code + PACKAGES + statement)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert re.match(rf"{error}: .* is not installed: pip install \W*{install}", last)


XGBOOST = ["FocalXGBClassifier", "FocalDaskXGBClassifier"]
LIGHTGBM = ["FocalLGBMClassifier", "FocalDaskLGBMClassifier"]


@pytest.mark.parametrize(
    ("missing", "absent", "names"),
    [
        (NOT_INSTALLED, ["xgboost"], XGBOOST),
        (NOT_INSTALLED, ["lightgbm"], LIGHTGBM),
        (NOT_INSTALLED, ["distributed"], [XGBOOST[1], LIGHTGBM[1]]),
        (BLOCKED, ["xgboost", "lightgbm"], XGBOOST + LIGHTGBM),
    ],
    ids=["xgboost", "lightgbm", "dask", "both hosts"],
)
def test_python_can_look_at_a_package_of_which_a_part_is_missing(
    missing, absent, names
):
    code = f"""
import inspect, pydoc, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of what others import
for module in (focalboost, focalboost.estimators, focalboost.distributed):
    for name in {names}:
        assert not hasattr(module, name)
        assert getattr(module, name, None) is None
        assert name not in module.__all__ and name not in dir(module)
    assert inspect.getmembers(module)
    assert pydoc.render_doc(module)
from focalboost import *
from focalboost.estimators import *
from focalboost.distributed import *
assert not {{*globals()}} & {{*{names}}}
"""
    result = run(missing.format(missing=absent) + PACKAGES + code)
    assert result.returncode == 0, result.stderr


def test_a_broken_host_is_not_called_missing():
    code = """
import sys
class Broken:
    def find_spec(self, name, path=None, target=None):
        if name == "lightgbm":
            raise ModuleNotFoundError("No module named 'libgomp'", name="libgomp")
sys.meta_path.insert(0, Broken())
from focalboost._hosts._imports import import_host
import_host("lightgbm")
"""
    result = run(code)
    error = result.stderr.splitlines()[-1]
    assert "libgomp" in error
    assert "pip install" not in error
