"""C code of the posterior, alone and behind LightGBM's own if-else code."""

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from exported import each_problem, simulated
from optional import lightgbm
from scipy.special import expit, logit, softmax

from focalboost import FocalLoss, SoftmaxFocalLoss
from focalboost.export import posterior_source

compiler = pytest.mark.skipif(
    shutil.which("g++") is None or sys.platform != "linux",
    reason="no g++, or another system's libraries",
)

LOSSES = [
    FocalLoss(gamma, alpha)
    for gamma in (0, 0.5, 2, 7.3, (0, 2), (3, 0.5))
    for alpha in (None, 0.01)
]
SOFTMAX_LOSSES = [
    SoftmaxFocalLoss(3, gamma, alpha)
    for gamma in (0, 2, (0, 0.5, 3))
    for alpha in (None, (1, 1e-3, 7))
]
RAW = np.array([-700, -60, -37, -5, -1, -0.3, -1e-9, 0, 1e-5, 0.7, 2, 20, 40, 790.0])


def compile_c(command, code, folder, name):
    """Compile code without a warning, and return the path of the result."""
    language = "c" if command == "gcc" else "c++"
    result = folder / name
    options = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-O1", "-shared", "-fPIC"]
    standard = "-std=c99" if command == "gcc" else "-std=c++11"
    subprocess.run(
        [command, standard, *options, "-x", language, "-", "-o", result, "-lm"],
        input=code,
        text=True,
        check=True,
    )
    return result


@compiler
@pytest.mark.parametrize("command", ["gcc", "g++"])
def test_the_c_code_is_the_posterior(command, tmp_path):
    rows = np.random.default_rng(0).normal(size=(50, 3)) * 9
    rows[0], rows[1] = [0, 0, 0], [900, -900, 3]
    code = ['extern "C" {\n' if command == "g++" else ""]
    for i, loss in enumerate([*LOSSES, *SOFTMAX_LOSSES]):
        source = posterior_source(loss, f"p{i}").replace("#include <math.h>", "")
        call = "double c{0}(double raw) {{ return p{0}(raw); }}\n"
        if isinstance(loss, SoftmaxFocalLoss):
            call = "void c{0}(const double *raw, double *p) {{ p{0}(raw, p); }}\n"
        code += [source, call.format(i)]
    code.append("}" if command == "g++" else "")
    whole = "#include <math.h>\n" + "".join(code)
    library = ctypes.CDLL(str(compile_c(command, whole, tmp_path, "posterior.so")))
    for i, loss in enumerate(LOSSES):
        function = getattr(library, f"c{i}")
        function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double]
        found = [function(raw) for raw in RAW]
        expected = loss.posterior(RAW)  # not below the smallest normal number
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=3e-308)
    for i, loss in enumerate(SOFTMAX_LOSSES, len(LOSSES)):
        pointer = ctypes.POINTER(ctypes.c_double)
        found = np.empty_like(rows)
        for row, result in zip(rows, found, strict=True):
            getattr(library, f"c{i}")(
                row.ctypes.data_as(pointer), result.ctypes.data_as(pointer)
            )
        np.testing.assert_allclose(found, loss.posterior(rows), rtol=1e-12)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_the_posterior_of_a_focal_score(loss):
    raw = RAW[abs(RAW) < 30]
    np.testing.assert_allclose(
        loss.posterior(logit(expit(raw))), loss.posterior(raw), rtol=1e-6
    )


@pytest.mark.parametrize("loss", SOFTMAX_LOSSES, ids=repr)
def test_the_posterior_of_focal_scores_of_classes(loss):
    raw = np.random.default_rng(0).normal(size=(50, 3)) * 9
    score = softmax(raw, axis=1)
    np.testing.assert_allclose(
        loss.posterior(np.log(score)), loss.posterior(raw), rtol=1e-6
    )


@pytest.mark.parametrize("name", ["", "3p", "a b", "p();", "é"])
def test_a_name_that_is_no_identifier_is_refused(name):
    with pytest.raises(ValueError, match="name must be an identifier of C"):
        posterior_source(FocalLoss(), name)


@compiler
@pytest.mark.parametrize("command", ["gcc", "g++"])
def test_names_of_the_code_itself_are_free(command, tmp_path):
    names = ["raw", "t", "probability", "alpha", "k", "top", "total", "others"]
    pointers = ["double (*used[])(double)", "void (*used[])(const double *, double *)"]
    losses = [FocalLoss(2, 0.25), SoftmaxFocalLoss(3)]
    for loss, pointer in zip(losses, pointers, strict=True):
        code = [posterior_source(loss, name) for name in names]
        code.append(f"extern {pointer};\n{pointer} = {{{', '.join(names)}}};\n")
        compile_c(command, "\n".join(code), tmp_path, "names.so")


def test_what_is_no_loss_is_refused():
    with pytest.raises(ValueError, match="loss must be a FocalLoss, a Softmax"):
        posterior_source(2.0)


def test_a_fitted_estimator_stands_for_its_loss(host, rare):
    estimator = host.estimator(focal_gamma=(0, 2), n_estimators=2)
    with pytest.raises(ValueError, match="or a fitted estimator of focalboost"):
        posterior_source(estimator)
    model = estimator.fit(*rare)
    assert posterior_source(model) == posterior_source(FocalLoss((0, 2)))


# What LightGBM's library does for its command line program, which the wheel lacks.
CONVERTER = """
#include <string>
namespace LightGBM {
struct Boosting {
  static Boosting* CreateBoosting(const std::string&, const char*)
      __attribute__((weak));
  static Boosting* CreateBoosting(const std::string&, const char*,
                                  const std::string&, int) __attribute__((weak));
};
struct GBDT { bool SaveModelToIfElse(int, const char*) const; };
}
using LightGBM::Boosting;
int main(int, char** argv) {
  Boosting* (*older)(const std::string&, const char*) = Boosting::CreateBoosting;
  Boosting* (*newer)(const std::string&, const char*, const std::string&, int) =
      Boosting::CreateBoosting;
  Boosting* model = newer ? newer("gbdt", argv[1], "cpu", 1) : older("gbdt", argv[1]);
  return !reinterpret_cast<LightGBM::GBDT*>(model)->SaveModelToIfElse(-1, argv[2]);
}
"""

# The part of LightGBM's own header that its if-else code is written for.
HEADER = """
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <unordered_map>
#include <vector>
namespace LightGBM {
struct PredictionEarlyStopInstance {
  std::function<bool(const double*, int)> callback_function;
  int round_period;
};
struct ObjectiveFunction { void ConvertOutput(const double*, double*) const {} };
typedef std::unordered_map<int, double> Map;
struct GBDT {
  int num_iteration_for_pred_, num_tree_per_iteration_;
  bool average_output_;
  const ObjectiveFunction* objective_function_;
  void PredictRaw(const double*, double*, const PredictionEarlyStopInstance*) const;
  void PredictRawByMap(const Map&, double*, const PredictionEarlyStopInstance*) const;
  void Predict(const double*, double*, const PredictionEarlyStopInstance*) const;
  void PredictByMap(const Map&, double*, const PredictionEarlyStopInstance*) const;
  void PredictLeafIndex(const double*, double*) const;
  void PredictLeafIndexByMap(const Map&, double*) const;
};
}
"""

SERVICE = """
extern "C" void predict(const double* X, int rows, int features, int rounds,
                        int classes, double* result) {
  LightGBM::GBDT model = {rounds, classes, false, nullptr};
  LightGBM::PredictionEarlyStopInstance never = {nullptr, rounds + 1};
  for (int i = 0; i < rows; ++i) {
    std::vector<double> raw(classes);
    model.PredictRaw(X + i * features, raw.data(), &never);
    FORMULA;
  }
}
"""

LIBRARY = Path(lightgbm.basic._LIB._name)


@pytest.fixture(scope="module")
def converter(tmp_path_factory):
    """A program that writes a model as if-else code, from LightGBM's own library."""
    folder = tmp_path_factory.mktemp("converter")
    (folder / "gbdt.h").write_text(HEADER)
    names = ("utils/common", "objective_function", "metric", "prediction_early_stop")
    for name in names:
        path = folder / "LightGBM" / f"{name}.h"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text("")
    program = folder / "convert"
    path = [LIBRARY, f"-Wl,-rpath,{LIBRARY.parent}"]
    built = subprocess.run(
        ["g++", "-x", "c++", "-", "-x", "none", *path, "-o", program],
        input=CONVERTER,
        text=True,
        capture_output=True,
    )
    if built.returncode:
        pytest.skip(f"LightGBM's library does not export its code: {built.stderr}")
    return folder, program


@compiler
@pytest.mark.slow
@each_problem
def test_lightgbm_s_if_else_code_with_the_posterior_behind_it(
    problem, converter, tmp_path
):
    problem = problem().without_missing
    np.testing.assert_allclose(*served(problem, converter, tmp_path), rtol=1e-11)


@compiler
@pytest.mark.slow
def test_lightgbm_s_if_else_code_still_ignores_thresholds_beside_missing_values(
    converter, tmp_path
):
    """LightGBM's pull request 6818; if this fails, the README can say so."""
    found, expected = served(simulated("missing values"), converter, tmp_path)
    assert np.mean(abs(found - expected) > 0.01) > 0.5


def served(problem, converter, folder):
    """What the compiled code gives on every row, and the estimator's probabilities."""
    model = problem.fitted("lightgbm", 10)
    headers, program = converter
    model.save_model(folder / "model.txt")
    code = folder / "model.cpp"
    subprocess.run([program, folder / "model.txt", code], check=True)
    loss = model.focal_loss_
    formula = "result[i] = posterior(raw[0])"
    if isinstance(loss, SoftmaxFocalLoss):
        formula = "posterior(raw.data(), result + i * classes)"
    service = SERVICE.replace("FORMULA", formula)
    code.write_text(code.read_text() + posterior_source(loss) + service)
    result = folder / "model.so"
    subprocess.run(
        ["g++", "-O0", "-shared", "-fPIC", f"-I{headers}", code, "-o", result],
        check=True,
    )
    X = problem.X.astype(np.float64)
    n_outputs = model.booster_.num_model_per_iteration()
    found = np.empty((len(X), n_outputs))
    pointer = ctypes.POINTER(ctypes.c_double)
    ctypes.CDLL(str(result)).predict(
        X.ctypes.data_as(pointer),
        *X.shape,
        model.n_estimators_,
        n_outputs,
        found.ctypes.data_as(pointer),
    )
    expected = model.predict_proba(X)
    return found, expected[:, 1:] if n_outputs == 1 else expected
