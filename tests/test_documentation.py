"""The README's Python and the examples in docstrings run as they stand."""

import doctest
import importlib
import multiprocessing
import pkgutil
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
from commands import run_script
from optional import is_installed, version

import focalboost
from focalboost import comparison, datasets, diagnostics, distributed, export

README = Path(__file__).parents[1] / "README.md"
DOCS = README.parent / "docs"
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
    "plot_|write_report|pyplot": "matplotlib",
    "make_transactions|pandas": "pandas",
    "optuna": "optuna",
    "LightGBMTunerCV": "optuna_integration",
    "shap": "shap",
    "treelite": "treelite",
    "imblearn|SMOTE": "imblearn",
    "skops": "skops",
    "register_converters": "skl2onnx",
    "compare_losses": "rich",
}


def skip_without(example):
    """Skip an example whose libraries are not all installed."""
    for sign, library in SIGNS.items():
        if re.search(sign, example, re.I) and not is_installed(library):
            pytest.skip(f"{library} is not installed")
    if "DaskXGBClassifier" in example and version("xgboost") < (3,):
        pytest.skip("FocalDaskXGBClassifier needs XGBoost 3.0")
    if "eval_X" in example and version("lightgbm") < (4, 7):
        pytest.skip("LightGBM before 4.7 takes eval_set")


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
    """What a user calls: all of the package, and the functions of its rooms."""
    yield from ((focalboost, n) for n in focalboost.__all__ if n != "__version__")
    yield from ((distributed, n) for n in distributed.__all__ if n[:5] == "Focal")
    for room in (comparison, datasets, diagnostics, export):
        yield from ((room, name) for name in room.__all__ if name.islower())


@pytest.mark.parametrize(("module", "name"), list(public_names()))
def test_public_docstrings_have_an_example_that_runs(module, name, capfd):
    """Classes that name a package as their module are in none of those above."""
    skip_without(name)
    public = getattr(module, name)
    examples = doctest.DocTestFinder(recurse=False).find(public, name, module)
    assert examples[0].examples
    skip_without(examples[0].docstring)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    assert runner.run(examples[0]).failed == 0, capfd.readouterr().out


def blocks(page):
    return re.findall(r"^```python\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


#: What most pages import.
LIBRARIES = (
    *("numpy", "pandas", "matplotlib.pyplot", "sklearn.model_selection", "xgboost"),
    *("lightgbm", "dask.array", "distributed", "focalboost"),
)

PAGES = [page for page in (README, *sorted(DOCS.rglob("*.md"))) if blocks(page)]


def test_pages_have_python():
    assert README in PAGES
    assert len(PAGES) > 15


@pytest.fixture(scope="module")
def forked():
    """Processes that begin with the libraries, whose import takes most of the time."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [name for name in LIBRARIES if is_installed(name.partition(".")[0])]
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MPLBACKEND", "Agg")
        yield context.Process


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_python_of_a_page(page, forked, tmp_path):
    """The blocks of a page run in turn, in a process of their own.

    Its folder is another one: nothing is found by luck in the repository.
    """
    code = "\n".join(blocks(page))
    skip_without(code)
    script = tmp_path / "page.py"
    script.write_text(code, "utf-8")
    process = forked(target=run_script, args=(script,))
    process.start()
    process.join(300)
    said = script.with_suffix(".txt").read_text()
    if "needs XGBoost 3.1" in said:
        pytest.skip("XGBoost before 3.1 has a single base_score")
    assert process.exitcode == 0, said[-2000:]


def test_the_readme_s_table_is_reproducible_by_a_command():
    text = README.read_text("utf-8")
    for line in re.findall(r"^`((?:\w+=\S+ )?python [^`]*)`$", text, re.M):
        script = re.search(r"python (\S+)", line)[1]
        assert (README.parent / script).exists(), line
