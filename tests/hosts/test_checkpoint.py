"""A training that is killed, and called again, ends with the uninterrupted model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from host_drivers import LightGBMDriver, XGBoostDriver
from optional import lightgbm

from focalboost import Checkpoint, FocalLoss, SoftmaxFocalLoss
from focalboost._checkpoint import training_of
from focalboost._files import write_in_one_step
from focalboost.lightgbm import _params

ROUNDS = 20

#: Float32 sums of trees for XGBoost, float64 for LightGBM.
TOLERANCE = {"xgboost": 1e-6, "lightgbm": 1e-12}


@pytest.fixture
def path(host, tmp_path):
    return tmp_path / f"model.{host.formats[-1]}"


def trained(host, table, rounds=ROUNDS, **options):
    X, y = table
    return host.train(host.data(X, y), rounds, **options)


def assert_same(host, booster, expected, X):
    raws = [host.raw(one, X) for one in (booster, expected)]
    np.testing.assert_allclose(*raws, rtol=0, atol=TOLERANCE[host.name])


#: Forks a process for each death before any thread has been started.
SCRIPT = """
import json, os, signal, sys
from conftest import make_rare
from host_drivers import HOSTS
from focalboost import Checkpoint

name, rounds, deaths = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
host = next(one for one in HOSTS if one.name == name)
X, y = make_rare(1000, -3)

def dying(fatal, before, order):
    def callback(env):
        if env.iteration == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
    callback.before_iteration, callback.order = before, order
    if name == "lightgbm":
        return callback
    import xgboost
    def method(self, model, epoch, log):
        if epoch == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        return False
    kind = "before_iteration" if before else "after_iteration"
    return type("Dying", (xgboost.callback.TrainingCallback,), {kind: method})()

for path, *death in deaths:
    if os.fork() == 0:
        checkpoint = Checkpoint(path, every=3)
        callbacks = [dying(*death)]
        host.train(host.data(X, y), rounds, callbacks=callbacks, checkpoint=checkpoint)
        os._exit(0)
    assert os.WTERMSIG(os.wait()[1]) == signal.SIGKILL
"""


@pytest.mark.slow
def test_kill_and_resume(host, tmp_path):
    """SIGKILL at ten random rounds, before or after them, before or after a save."""
    from conftest import make_rare

    rng = np.random.default_rng(len(host.name))
    deaths = [
        (
            str(tmp_path / f"model{i}.{host.formats[-1]}"),
            int(rng.integers(1, ROUNDS)),
            bool(rng.integers(2)),
            int(rng.choice([50, 200])),
        )
        for i in range(10)
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = [host.name, str(ROUNDS), json.dumps(deaths)]
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT, *arguments]
    subprocess.run(command, env=environment, check=True)
    table = make_rare(1000, -3)
    expected = trained(host, table)
    saved = [Path(path).exists() for path, *_ in deaths]
    assert any(saved)
    for path, *_ in deaths:
        booster = trained(host, table, checkpoint=Checkpoint(path, every=3))
        assert_same(host, booster, expected, table[0])


def test_a_checkpoint_is_a_plain_model(host, rare, path):
    booster = trained(host, rare, 6, checkpoint=path)
    X = rare[0]
    if host.name == "xgboost":
        import xgboost

        loaded = xgboost.Booster(model_file=path)
    else:
        import lightgbm

        loaded = lightgbm.Booster(model_file=path)
    assert_same(host, loaded, booster, X)
    np.testing.assert_allclose(
        host.probability(loaded, X), host.probability(booster, X), atol=1e-7
    )


@pytest.mark.parametrize("loss", [FocalLoss((0, 2), 0.3), SoftmaxFocalLoss(3)], ids=str)
def test_more_rounds(host, rare, faults, path, loss):
    several = isinstance(loss, SoftmaxFocalLoss)
    table, options = (faults if several else rare), {"loss": loss}
    options["params"] = {"num_class": 3} if several else {}
    for rounds in (4, 4, ROUNDS):
        booster = trained(host, table, rounds, checkpoint=path, **options)
        assert "checkpoint" not in text_of(booster)
    assert_same(host, booster, trained(host, table, **options), table[0])


def test_rounds_in_lightgbm_s_params_are_those_of_all_calls(rare, tmp_path):
    host = LightGBMDriver()
    for rounds in (3, 3, 5):
        params = {"num_iterations": rounds}
        booster = trained(host, rare, checkpoint=tmp_path / "model", params=params)
        assert booster.num_trees() == rounds
    assert_same(host, booster, trained(host, rare, 5), rare[0])


def test_the_names_of_rounds_are_lightgbm_s(rare):
    host = LightGBMDriver()
    names = lightgbm.basic._ConfigAliases.get_sorted("num_iterations")
    assert tuple(names) == _params.ROUNDS
    for name in names:
        assert trained(host, rare, params={name: 2}).num_trees() == 2


def text_of(booster):
    """Everything that a model says of itself."""
    if hasattr(booster, "model_to_string"):
        return booster.model_to_string()
    return booster.save_raw("json").decode()


def test_a_continued_training(host, rare, path):
    """The rounds of the model that it began with do not count."""
    first = trained(host, rare, 5)
    options = host.continued(first)
    trained(host, rare, 4, checkpoint=path, **options)
    booster = trained(host, rare, 10, checkpoint=path, **options)
    assert_same(host, booster, trained(host, rare, 15), rare[0])


def test_the_file_is_saved_when_due(host, rare, path, monkeypatch):
    written = []
    module = sys.modules[f"focalboost.{host.name}._checkpoint"]
    monkeypatch.setattr(module, "write_in_one_step", lambda *a: written.append(a))
    trained(host, rare, 10, checkpoint=Checkpoint(path, every=4))
    assert len(written) == 3  # rounds 4, 8 and 10


def test_another_training_is_refused(host, rare, path):
    X, y = rare
    trained(host, rare, 3, checkpoint=path)
    before = path.read_bytes()
    for options, table, what in (
        ({"loss": FocalLoss(1)}, rare, "loss"),
        ({"params": {"max_depth": 2}}, rare, "params"),
        ({"curvature": "exact"}, rare, "curvature"),
        ({"max_learning_rate": 1.5}, rare, "max_learning_rate"),
        ({}, (X, 1 - y), "class masses"),
        ({}, (X[:-1], y[:-1]), "rows and class masses"),
    ):
        with pytest.raises(ValueError, match=f"of the same training.* Its {what}"):
            trained(host, table, 5, checkpoint=path, **options)
    with pytest.raises(ValueError, match="num_boost_round must be at least the 3"):
        trained(host, rare, 2, checkpoint=path)
    assert path.read_bytes() == before


def test_threads_and_words_may_change(host, rare, path):
    trained(host, rare, 3, checkpoint=path)
    names = {"xgboost": "nthread", "lightgbm": "num_threads"}
    params = {names[host.name]: 2, "verbosity": 0 if host.name == "xgboost" else -1}
    trained(host, rare, 5, checkpoint=path, params=params)


def test_a_file_that_does_not_know_its_curvature_is_refused(host, rare, path):
    """Its rounds may be those of either curvature."""
    with pytest.MonkeyPatch.context() as patch:
        module = sys.modules[f"focalboost.{host.name}._train"]
        patch.setattr(module, "training_of", without_curvature)
        trained(host, rare, 3, checkpoint=path)
    with pytest.raises(ValueError, match=r"got {'curvature': None}\. Its curvature"):
        trained(host, rare, checkpoint=path)


def without_curvature(*arguments):
    known = training_of(*arguments)
    return {
        k: v for k, v in known.items() if k not in ("curvature", "max_learning_rate")
    }


def test_numbers_of_numpy_are_those_of_python(host, rare, path):
    plain = {"max_depth": 3, "learning_rate": 0.25}
    numpy = {"max_depth": np.int64(3), "learning_rate": np.float32(0.25)}
    trained(host, rare, 3, checkpoint=path, params=numpy)
    booster = trained(host, rare, 5, checkpoint=path, params=plain)
    assert_same(host, booster, trained(host, rare, 5, params=plain), rare[0])


def test_what_json_has_no_form_for_is_told_apart():
    known = [
        training_of(FocalLoss(), {"a": value}, "exact", None, ([0, 1], None))["params"]
        for value in (np.arange(2000), np.longdouble(1), np.longdouble(2), {1}, {2})
    ]
    assert known[0] == {"a": list(range(2000))}
    assert len({str(params) for params in known}) == 5


def test_base_score_of_one_s_own(rare, tmp_path):
    host, path = XGBoostDriver(), tmp_path / "model.ubj"
    params = {"base_score": 0.2}
    trained(host, rare, 3, checkpoint=path, params=params)
    booster = trained(host, rare, checkpoint=path, params=params)
    assert_same(host, booster, trained(host, rare, params=params), rare[0])


def test_a_model_of_no_checkpoint_is_refused(host, rare, path):
    trained(host, rare, 3).save_model(path)
    with pytest.raises(ValueError, match="a file that a checkpoint has written"):
        trained(host, rare, checkpoint=path)


@pytest.mark.parametrize("keep", [0, 1, 50, -30])
def test_a_damaged_file_is_refused(host, rare, path, keep):
    trained(host, rare, 3, checkpoint=path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ValueError, match="checkpoint must be"):
        trained(host, rare, checkpoint=path)


def test_early_stopping_is_refused(host, rare, path):
    data = host.data(*rare)
    with pytest.raises(ValueError, match="checkpoint must be None where training may"):
        host.train(data, 5, evals=[data], stopping_rounds=2, checkpoint=path)


@pytest.mark.parametrize("checkpoint", [3, b"x", ("model", 3)])
def test_other_checkpoints_are_refused(host, rare, checkpoint):
    with pytest.raises(
        ValueError, match=r"checkpoint must be a focalboost\.Checkpoint"
    ):
        trained(host, rare, checkpoint=checkpoint)


@pytest.mark.parametrize("every", [0, -1, 1.5, "1", True])
def test_every_is_checked(every):
    with pytest.raises(ValueError, match="every must be a whole number >= 1"):
        Checkpoint("model", every)


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model"
    write_in_one_step(path, b"old")

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_in_one_step(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("exists", [True, False], ids=["there", "not there yet"])
def test_what_a_link_points_to_is_written(exists, tmp_path):
    (tmp_path / "store").mkdir()
    target, link = tmp_path / "store" / "model", tmp_path / "model"
    if exists:
        target.write_bytes(b"old")
    link.symlink_to(Path("store", "model"))
    write_in_one_step(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert [file.name for file in target.parent.iterdir()] == ["model"]


def test_an_interrupt_leaves_a_checkpoint_and_usable_data(host, rare, path):
    """Ctrl-C is a KeyboardInterrupt in the middle of training."""
    data = host.data(*rare)
    calls = []

    def interrupt(*_):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt

    if host.name == "xgboost":
        import xgboost

        kind = xgboost.callback.TrainingCallback
        method = {"before_iteration": lambda self, *a: interrupt() or False}
        callback = type("Interrupt", (kind,), method)()
    else:
        callback = interrupt
    checkpoint = Checkpoint(path, every=2)
    with pytest.raises(KeyboardInterrupt):
        host.train(data, ROUNDS, callbacks=[callback], checkpoint=checkpoint)
    expected = trained(host, rare)
    assert_same(host, host.train(data, ROUNDS), expected, rare[0])
    # LightGBM needs the features again to continue a model.
    resumed = trained(host, rare, checkpoint=checkpoint)
    assert_same(host, resumed, expected, rare[0])
