"""Models that earlier versions have saved are loaded by this one."""

import pickle
from pathlib import Path

import joblib
import numpy as np
import pytest
from optional import FocalLGBMClassifier, FocalXGBClassifier, optional

GOLDEN = Path(__file__).parents[1] / "golden"
FILES = sorted(p for p in GOLDEN.glob("*/*.*") if p.suffix != ".npy")

# XGBoost says that a pickle is of another version.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*If you are loading a serialized model",
    "ignore:Exception ignored on calling ctypes callback",
)


def loaded(path):
    if path.suffix in (".pickle", ".cloudpickle"):
        return pickle.loads(path.read_bytes())
    if path.suffix == ".joblib":
        return joblib.load(path)
    if path.suffix == ".skops":
        io = optional("skops.io", "skops")
        return io.load(path, trusted=io.get_untrusted_types(file=path))
    is_xgb = path.name.startswith("xgboost")
    model = FocalXGBClassifier() if is_xgb else FocalLGBMClassifier()
    model.load_model(path)
    return model


def test_there_is_a_file_of_every_format():
    suffixes = {path.suffix for path in FILES}
    assert suffixes == {
        *(".pickle", ".cloudpickle", ".joblib", ".skops", ".json", ".ubj", ".txt")
    }
    assert all(path.stat().st_size < 20_000 for path in FILES)


@pytest.mark.parametrize(
    "path", FILES, ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_a_golden_file_is_loaded(path):
    host = optional(path.name.partition("-")[0].partition(".")[0])
    if path.name.startswith("xgboost-three") and host.__version__ < "3.1":
        pytest.skip("XGBoost before 3.1 has no such models")
    features, expected = (
        np.load(path.with_name(f"{name}.npy")) for name in ("features", path.stem)
    )
    probability = loaded(path).predict_proba(features)
    np.testing.assert_allclose(probability, expected, rtol=1e-12)
