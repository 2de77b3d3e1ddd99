"""The README's Python and the examples in docstrings run as they stand."""

import doctest
import importlib
import pkgutil
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from optional import version

import focalboost
from focalboost import diagnostics

README = Path(__file__).parents[1] / "README.md"
MODULES = sorted(
    module.name for module in pkgutil.walk_packages(focalboost.__path__, "focalboost.")
)


#: What an example says that needs a library, and which.
SIGNS = {
    "xgb": "xgboost",
    "lightgbm|lgbm|lgb": "lightgbm",
    "dask": "dask",
    "onnx": "onnxruntime",
    "pyspark": "pyspark",
    "plot_|write_report": "matplotlib",
}


def skip_without(example):
    """Skip an example whose libraries are not all installed."""
    for sign, library in SIGNS.items():
        if re.search(sign, example, re.I) and not find_spec(library):
            pytest.skip(f"{library} is not installed")
    if "DaskXGBClassifier" in example and version("xgboost") < (3,):
        pytest.skip("FocalDaskXGBClassifier needs XGBoost 3.0")


def lines_of_examples(name):
    """The name of a module and the code in its docstrings, without importing it."""
    source = find_spec(name).loader.get_source(name) or ""  # none of compiled ones
    code = re.findall(r"^ *(?:>>>|\.\.\.) .*$", source, re.M)
    return "\n".join([name, *code])


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name, capfd):
    skip_without(lines_of_examples(name))
    results = doctest.testmod(
        importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert results.failed == 0, capfd.readouterr().out


def public_names():
    """What a user calls: all of the package, and the functions of its diagnostics."""
    yield from ((focalboost, n) for n in focalboost.__all__ if n != "__version__")
    functions = (n for n in diagnostics.__all__ if n.islower())
    yield from ((diagnostics, name) for name in functions)


@pytest.mark.parametrize(("module", "name"), list(public_names()))
def test_public_docstrings_have_an_example_that_runs(module, name, capfd):
    skip_without(name)
    public = getattr(module, name)
    examples = doctest.DocTestFinder(recurse=False).find(public, name, module)
    assert examples[0].examples
    skip_without(examples[0].docstring)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    assert runner.run(examples[0]).failed == 0, capfd.readouterr().out


def blocks():
    return re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.M | re.S)


def test_the_readme_has_python():
    assert len(blocks()) >= 3


@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
@pytest.mark.parametrize("number", range(len(blocks())))
def test_python_in_the_readme(number, tmp_path, monkeypatch):
    skip_without(blocks()[number])
    monkeypatch.chdir(tmp_path)  # nothing is found by luck in the repository
    exec(compile(blocks()[number], f"README block {number}", "exec"), {})


def test_the_readme_s_table_is_reproducible_by_a_command():
    text = README.read_text("utf-8")
    for line in re.findall(r"^`((?:\w+=\S+ )?python [^`]*)`$", text, re.M):
        script = re.search(r"python (\S+)", line)[1]
        assert (README.parent / script).exists(), line
