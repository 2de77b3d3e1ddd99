"""Tries a model out in a process of its own.

The hosts believe what a model says of itself: one that has been edited or damaged makes
them read and write outside their memory, which ends the interpreter. Whether a model
can be read, and used for a few rows, is found out where that does no harm. The hosts'
C functions are called without the host's package, which takes a tenth of a second.
"""

import math
import subprocess
import sys
from types import ModuleType

__all__ = ["is_usable"]

#: Processor seconds, and more for each byte, after which a model counts as one that
#: never ends, such as a tree that comes back to its root. On a busy machine they may
#: take long: by the clock the limit is a multiple, for systems that do not count.
TIME_LIMIT, SECONDS_PER_BYTE, BY_THE_CLOCK = 10, 1e-6, 30

_COMMON = """
import ctypes, random, sys
try:
    import resource
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[2]), int(sys.argv[2])))
except ImportError:
    pass  # not a Unix
library = ctypes.CDLL(sys.argv[1])
model = sys.stdin.buffer.read()
handle, number, random = ctypes.c_void_p(), ctypes.c_int64(), random.Random(0)
pick = [0.0, 1.0, -1.0, 1e30, -1e30, float("nan")]
def rows(kind, n_features):
    size = 64 * n_features
    values = (random.choice([*pick, random.gauss(0, 3)]) for _ in range(size))
    return (kind * size)(*values)
def call(function, *arguments):
    if getattr(library, function)(*arguments) != 0:
        sys.exit(1)
"""

_LIGHTGBM = """
count, long = ctypes.c_int(), ctypes.c_int64
call(
    "LGBM_BoosterLoadModelFromString", model, ctypes.byref(count), ctypes.byref(handle)
)
call("LGBM_BoosterGetNumFeature", handle, ctypes.byref(count))
call("LGBM_BoosterCalcNumPredict", handle, 64, 1, 0, -1, ctypes.byref(number))
output = (ctypes.c_double * number.value)()
call(
    "LGBM_BoosterPredictForMat", handle, rows(ctypes.c_double, count.value), 1,
    ctypes.c_int32(64), ctypes.c_int32(count.value), 1, 1, 0, -1, b"num_threads=1",
    ctypes.byref(number), output,
)
size = 2 * len(model) + 1_000_000
text = ctypes.create_string_buffer(size)
call("LGBM_BoosterGetLoadedParam", handle, long(size), ctypes.byref(number), text)
call(
    "LGBM_BoosterSaveModelToString", handle, 0, -1, 0, long(size),
    ctypes.byref(number), text,
)
"""

_XGBOOST = """
matrix, shape = ctypes.c_void_p(), ctypes.POINTER(ctypes.c_uint64)()
size, result = ctypes.c_uint64(), ctypes.POINTER(ctypes.c_float)()
n_features, text = ctypes.c_uint64(), ctypes.c_char_p()
call("XGBoosterCreate", None, ctypes.c_uint64(0), ctypes.byref(handle))
call("XGBoosterLoadModelFromBuffer", handle, model, ctypes.c_uint64(len(model)))
call("XGBoosterSetParam", handle, b"nthread", b"1")
call("XGBoosterGetNumFeature", handle, ctypes.byref(n_features))
call(
    "XGDMatrixCreateFromMat", rows(ctypes.c_float, n_features.value),
    ctypes.c_uint64(64), n_features, ctypes.c_float(float("nan")), ctypes.byref(matrix),
)
span = b'"iteration_begin": 0, "iteration_end": 0, "strict_shape": false'
call(
    "XGBoosterPredictFromDMatrix", handle, matrix,
    b'{"type": 1, "training": false, ' + span + b"}",
    ctypes.byref(shape), ctypes.byref(size), ctypes.byref(result),
)
call("XGBoosterSaveJsonConfig", handle, ctypes.byref(size), ctypes.byref(text))
call(
    "XGBoosterSaveModelToBuffer", handle, b'{"format": "json"}',
    ctypes.byref(size), ctypes.byref(text),
)
"""

_CODE = {"lightgbm": _COMMON + _LIGHTGBM, "xgboost": _COMMON + _XGBOOST}


def is_usable(host: ModuleType, content: bytes | bytearray) -> bool:
    """Whether a host can read a model, predict with it, and write it again.

    Where there is no interpreter to run, a model passes untried.
    """
    library = host.basic._LIB if host.__name__ == "lightgbm" else host.core._LIB
    if not sys.executable:
        return True
    limit = math.ceil(TIME_LIMIT + SECONDS_PER_BYTE * len(content))
    code = _CODE[host.__name__]
    command = [sys.executable, "-I", "-S", "-c", code, library._name, str(limit)]
    try:
        trial = subprocess.run(
            command,
            input=bytes(content),
            capture_output=True,
            timeout=BY_THE_CLOCK * limit,
        )
    except subprocess.TimeoutExpired:
        return False
    return trial.returncode == 0
