"""The test sessions that .ci/run runs, two at a time.

Each tests a copy of this folder. `readme` runs the README's command, which installs
the package in place; the others install the wheel in the folder FOCALBOOST_CI, and
their copy is without the package, so that nothing but the wheel can be imported.
"""

import os
import re
import shlex
import shutil
from contextlib import contextmanager
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parents[1]
WORK = Path(os.environ["FOCALBOOST_CI"])
OLDEST, NEWEST = "3.11", "3.13"
#: The losses import no host: two versions of NumPy, the oldest and the newest, do.
LOSSES = ("tests/losses",)
#: What people read, and what works on tables, is tested with one version of each host.
DOCUMENTS = tuple(
    f"tests/test_{name}.py" for name in ("documentation", "examples", "small_examples")
)
TABLES = ("tests/comparison", "tests/diagnostics")
#: Formulas against many digits, and what follows from them: no version of NumPy
#: changes it.
PRECISION = tuple(
    f"tests/losses/test_{name}.py"
    for name in (
        *("balance", "certificate", "oracle", "posterior", "relations", "softmax"),
        "underflow",
    )
)
#: Searches for counterexamples, with the newest versions.
SEARCHES = (
    "tests/hosts/test_histories.py",
    *(f"tests/{room}/test_properties.py" for room in ("hosts", "losses", "objectives")),
)
#: No host changes what these find.
STUDIES = tuple(
    f"tests/test_{name}.py" for name in ("study", "multiclass_benchmarks", "datasets")
)
#: What other tools do with models: the oldest and the newest versions of the hosts do.
TOOLS_BESIDE = (
    *("tests/export/test_other_tools.py", "tests/export/test_onnx.py"),
    *("tests/estimators/test_ecosystem.py", "tests/test_multiclass_example.py"),
)
#: Imports are read in the sessions that lack something, and in one that lacks nothing.
PACKAGE = ("tests/test_package.py",)
#: Every room that imports a host, and what works without one. All of it is tested with
#: both hosts as well, and what takes long there only there.
ROOMS = (
    *(f"tests/hosts/test_{name}.py" for name in ("balance", "cv", "train")),
    *(f"tests/{room}" for room in ("objectives", "estimators", "export")),
    *TABLES,
    *("tests/test_one_host.py", "tests/test_end_to_end.py"),
)
WITH_BOTH = (
    *SEARCHES,
    *TOOLS_BESIDE,
    *(f"tests/estimators/test_{name}.py" for name in ("balance", "multiclass")),
    *(f"tests/comparison/test_{name}.py" for name in ("columns", "command", "report")),
)

#: What every test file needs; more makes more of the tests run.
TOOLS = ("pytest", "hypothesis", "mpmath", "array-api-strict", "cloudpickle", "pandas")


def has(version):
    return shutil.which(f"python{version}") is not None


#: What is installed, in turn, where one host is missing.
ALONE = {"neither": [], "xgboost": ["xgboost-cpu"], "lightgbm": ["lightgbm"]}

#: Where there is neither of the two, any Python will have to do.
OLD = OLDEST if has(OLDEST) else "3"
NEW = NEWEST if has(NEWEST) else OLD


@nox.session(venv_backend="none")
@nox.parametrize("version", [nox.param(name, id=name) for name in sorted({OLD, NEW})])
def readme(session, version):
    """The README's test command."""
    left_out = LOSSES + TABLES + STUDIES + DOCUMENTS + PACKAGE + SEARCHES + TOOLS_BESIDE
    run_readme(session, version, () if version == NEW else without(left_out))


@nox.session(venv_backend="none")
def slow(session):
    """The slow tests, on the newest versions."""
    run_readme(session, NEW, ("-m", "slow"))


def run_readme(session, version, options):
    """Run the README's test command with this Python and more options."""
    text = (ROOT / "README.md").read_text("utf-8")
    part = text.partition("<!-- tests -->")[2].partition("<!-- /tests -->")[0]
    folder = copied(session.name)
    session.chdir(folder)
    binaries = folder / "binaries"
    binaries.mkdir()
    (binaries / "python3").symlink_to(shutil.which(f"python{version}"))
    env = {
        "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
        "PYTEST_ADDOPTS": addopts(session.name, *options),
    }
    command = re.search(r"^python3 .*", part, re.M)[0]
    with reported(session, session.name, folder / ".venv" / "bin" / "python", *options):
        session.run("bash", "-c", command, env=env, external=True)


@nox.session(python=OLD)
def oldest(session):
    """The oldest releases that pyproject.toml allows."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    pins = re.findall(r'"([\w-]+)(?:\[.*?\])?>=([\d.]+)"', text)
    lines = [f"{name}=={version}.*" for name, version in pins]
    constraints = WORK / "oldest.txt"
    constraints.write_text("\n".join([*lines, "xgboost-cpu==2.1.*"]))
    # Old releases use what new ones of their own dependencies have deprecated.
    options = [f"-Wignore::{kind}Warning" for kind in ("Deprecation", "Future")]
    options += without(DOCUMENTS + TABLES + STUDIES + PRECISION + PACKAGE + SEARCHES)
    packages = (f"{wheel()}[test]", "xgboost-cpu", "-c", str(constraints))
    # imbalanced-learn on scikit-learn 1.6 needs it beside array-api-compat.
    checked(session, *packages, options=options, SCIPY_ARRAY_API="1")


@nox.session(python=NEW)
def alone(session):
    """Neither host, and each without the other."""
    session.install(wheel(), *TOOLS)
    for name, packages in ALONE.items():
        if packages:
            session.install(*packages)
        tested(session, f"alone({name})", (*ROOMS, *PACKAGE, *without(WITH_BOTH)))
        if packages:
            session.run("pip", "uninstall", "--quiet", "--yes", *packages)


@nox.session(python=OLD)
def platforms(session):
    """XGBoost on a local Spark and on two workers of Ray Train, and MLflow."""
    hosts = ("xgboost-cpu", "lightgbm")
    session.install(f"{wheel()}[spark,ray]", *TOOLS, *hosts, "mlflow-skinny", "skops")
    rooms = ("distributed/test_spark", "estimators/test_mlflow", "test_ray_example")
    tested(session, session.name, [f"tests/{room}.py" for room in rooms])


@nox.session(python=NEW)
def site(session):
    """The documentation, built without a warning and shown in a browser."""
    packages = (f"{wheel()}[docs]", *TOOLS, "selenium", "xgboost-cpu")
    checked(session, *packages, options=("tests/test_site.py",))


@nox.session(python=NEW)
def package(session):
    """The source distribution: a wheel is built from it, and its tests pass."""
    session.install("build", "twine", "xgboost-cpu", *TOOLS)
    folder = copied(session.name, history=True)
    session.chdir(folder)
    session.run("python", "-m", "build")  # the wheel from the source distribution
    (sdist,), (built,) = (list((folder / "dist").glob(f"*.{e}")) for e in ("gz", "whl"))
    session.run("twine", "check", "--strict", str(sdist), str(built))
    session.install(str(built))
    session.chdir(folder / "dist")
    session.run("python", "-c", "import focalboost.losses as f; assert f.is_compiled()")
    if not (ROOT / ".git").exists():
        session.log("without the history the source distribution has no tests")
        return
    shutil.unpack_archive(sdist, folder / "unpacked")
    (source,) = (folder / "unpacked").iterdir()
    shutil.rmtree(source / "focalboost")  # the tests import the wheel
    session.chdir(source)
    with reported(session, session.name, "python", "tests/objectives"):
        env = {"PYTEST_ADDOPTS": addopts(session.name)}
        session.run("pytest", "tests/objectives", env=env)


@nox.session(python=NEW)
def lint(session):
    """Lint, and types with both hosts installed."""
    session.install(f"{wheel()}[dev]", "xgboost-cpu")
    session.chdir(copied(session.name))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy", "--python-executable", f"{session.bin}/python")


def without(tests):
    return tuple(f"--ignore={test}" for test in tests)


def wheel():
    return str(next(WORK.glob("*.whl")))


def checked(session, *packages, options=(), **env):
    """Run the tests with these packages."""
    session.install(*packages)
    tested(session, session.name, options, **env)


def tested(session, name, options, **env):
    """Run the tests with what is installed, and report it under a name."""
    session.chdir(copied(name, package=False))
    with reported(session, name, "python", *options):
        env |= {"PYTEST_ADDOPTS": addopts(name)}
        session.run("pytest", *options, env=env)


def copied(name, *, package=True, history=False):
    """A fresh copy of this folder, with the data beside it.

    The history says which files belong into the source distribution.
    """
    place = WORK / "copies" / file_name(name)
    shutil.rmtree(place, ignore_errors=True)
    left_out = [".venv*", "*.so", "build", "dist", "*.egg-info"]
    left_out += [".git"] * (not history) + ["focalboost"] * (not package)
    folder = place / "main"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*left_out))
    if (ROOT.parent / "shared").is_dir():
        (place / "shared").symlink_to(ROOT.parent / "shared")
    return folder


def file_name(name):
    return re.sub(r"[^\w.]+", "-", name).strip("-")


def results(name):
    return WORK / f"{file_name(name)}.xml"


def addopts(name, *options):
    return shlex.join([f"--junitxml={results(name)}", "--durations=10", *options])


@contextmanager
def reported(session, name, python, *options):
    """Add a line to the table, come what may, with the versions of this Python."""
    try:
        yield
    finally:
        script, what = ROOT / ".ci" / "report.py", [name, " ".join(options)]
        if results(name).exists():
            session.run(
                str(python), str(script), str(results(name)), *what, external=True
            )
