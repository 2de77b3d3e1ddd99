"""The package can be imported without its kernel, and without what it may not need."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from scipy._lib import _ccallback_c

import focalboost
from focalboost import FocalLoss
from focalboost.losses import _evaluate
from focalboost.losses._evaluate import numpy_namespace


def run(code, folder=None):
    """Run code in an interpreter that finds the package in the folder first."""
    path = [] if folder is None else [str(folder)]
    lines = ["import sys", f"sys.path[:0] = {path}", code]
    return subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True
    )


def garbage(path):
    path.with_suffix(SUFFIX).write_bytes(b"no library of any platform")


def empty(path):
    path.with_suffix(SUFFIX).write_bytes(b"")


def another_extension(path):
    """A library of this platform that is no module of that name."""
    shutil.copy(_ccallback_c.__file__, path.with_suffix(SUFFIX))


def another_interface(path):
    path.with_suffix(".py").write_text("INTERFACE = -1\n")


def no_interface(path):
    path.with_suffix(".py").write_text("")


def missing_import(path):
    path.with_suffix(".py").write_text("import libfocal\n")


def crash(path):
    path.with_suffix(".py").write_text("raise SystemError('no init')\n")


SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
USED = """
import warnings
import numpy as np
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import focalboost
    from focalboost.losses import is_compiled
    gradient, _ = focalboost.FocalLoss().gradient_curvature([1.0], np.float32([0]))
assert not is_compiled()
print(focalboost.__file__, gradient[0], *(str(w.message) for w in caught), sep="\\n")
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the package without its kernel: where that would lie."""
    folder = tmp_path / "focalboost"
    ignore = shutil.ignore_patterns("*.so", "*.pyd", "__pycache__")
    shutil.copytree(Path(focalboost.__file__).parent, folder, ignore=ignore)
    return folder


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (garbage, ""),
        (empty, ""),
        (another_extension, "PyInit__kernel"),
        (another_interface, "its interface is -1 and not"),
        (no_interface, "its interface is None and not"),
        (missing_import, "No module named 'libfocal'"),
        (crash, "no init"),
    ],
)
def test_a_broken_kernel_gives_way_to_numpy_with_one_warning(package, broken, reason):
    broken(package / "losses" / "_kernel")
    result = run(USED, package.parent)
    assert result.returncode == 0, result.stderr
    where, gradient, *warned = result.stdout.splitlines()
    assert Path(where).parent == package
    assert float(gradient) == pytest.approx(FocalLoss().gradient([1], [0])[0])
    assert len(warned) == 1
    assert warned[0].startswith("The compiled kernel of focalboost cannot be used (")
    assert reason in warned[0]


def test_a_missing_kernel_is_no_cause_for_a_warning(package):
    result = run(USED, package.parent)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 2


def test_an_undefined_symbol_is_a_broken_kernel(monkeypatch):
    def fail(name):
        raise ImportError(f"{name}: undefined symbol: expf")

    monkeypatch.setattr("importlib.import_module", fail)
    with pytest.warns(RuntimeWarning, match="undefined symbol: expf"):
        assert _evaluate._installed_kernel() is None


def test_the_import_leaves_out_what_takes_long():
    """Together they take longer than NumPy and the rest of the package."""
    slow = ["scipy", "sklearn"]
    if numpy_namespace is np:  # NumPy 2.1 and newer
        slow += ["array_api_compat.numpy", "numpy.f2py"]
    code = f"import focalboost; print([name for name in {slow} if name in sys.modules])"
    result = run(code)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"
