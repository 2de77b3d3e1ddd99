"""LightGBM's OpenCL learner (device_type="gpu"), on any OpenCL device, PoCL too.

On Debian: apt-get install pocl-opencl-icd ocl-icd-libopencl1. The first run compiles
LightGBM's kernels, which takes half a minute.
"""

import numpy as np
import pytest
from host_drivers import LightGBMDriver
from optional import lightgbm

from focalboost import FocalLoss, SoftmaxFocalLoss

pytestmark = pytest.mark.slow

CPU = {"max_bin": 63}
#: In single precision near-ties between splits are decided otherwise.
OPENCL = {**CPU, "device_type": "gpu", "gpu_use_dp": True}


@pytest.fixture(scope="module", autouse=True)
def device():
    """Skip where LightGBM finds no OpenCL device, or was built without OpenCL."""
    data = lightgbm.Dataset(np.arange(40.0).reshape(-1, 1), np.arange(40) % 2)
    params = {**OPENCL, "objective": "binary", "verbosity": -1, "num_threads": 1}
    try:
        lightgbm.train({**params, "min_data_in_leaf": 1}, data, 1)
    except lightgbm.basic.LightGBMError as error:
        pytest.skip(f"no OpenCL device: {error}")


@pytest.mark.parametrize(
    ("loss", "data"),
    [
        (FocalLoss(2), "rare"),
        (FocalLoss((0, 2), 0.3), "rare"),
        (SoftmaxFocalLoss(3), "faults"),
    ],
    ids=str,
)
def test_the_model_is_that_of_the_cpu(loss, data, request):
    X, y = request.getfixturevalue(data)
    host, weight = LightGBMDriver(), 1 + X[:, 0] ** 2
    cpu, opencl = (
        host.train(host.data(X, y, weight), 20, params, loss=loss)
        for params in (CPU, OPENCL)
    )
    np.testing.assert_allclose(host.raw(opencl, X), host.raw(cpu, X), atol=1e-6)
    np.testing.assert_allclose(
        host.probability(opencl, X), host.probability(cpu, X), atol=1e-6
    )


def test_the_classifier(rare):
    X, y = rare
    host = LightGBMDriver()
    cpu, opencl = (
        host.estimator(n_estimators=10, **params).fit(X, y).predict_proba(X)
        for params in (CPU, OPENCL)
    )
    np.testing.assert_allclose(opencl, cpu, atol=1e-6)
