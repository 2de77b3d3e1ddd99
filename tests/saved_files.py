"""Files in which estimators are saved: one for each format of each host."""

import numpy as np
import pytest
from host_drivers import HOSTS
from optional import FocalXGBClassifier

NAMES = np.array(["ok", "fraud"])


def file_formats(host):
    return ("model.json", "model.ubj") if host.name == "xgboost" else ("model.txt",)


def with_files():
    return [(host, name) for host in HOSTS for name in file_formats(host)]


each_file = pytest.mark.parametrize(
    ("host", "name"), with_files(), ids=lambda value: getattr(value, "name", value)
)


def booster_of(model):
    is_xgb = isinstance(model, FocalXGBClassifier)
    return model.get_booster() if is_xgb else model.booster_
