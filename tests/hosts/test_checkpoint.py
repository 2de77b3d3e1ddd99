"""A training that is killed, and called again, ends with the uninterrupted model."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from host_drivers import LightGBMDriver, XGBoostDriver
from optional import lightgbm, version, xgboost
from scipy.sparse import csr_matrix
from sklearn.model_selection import StratifiedKFold

from focalboost import Checkpoint, FocalLoss, SoftmaxFocalLoss
from focalboost._hosts import _checkpoint
from focalboost._hosts._checkpoint import Run, training_of
from focalboost.lightgbm import _params
from focalboost.xgboost import _model

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
    monkeypatch.setattr(
        "focalboost._hosts._checkpoint.write_in_one_step", lambda *a: written.append(a)
    )
    trained(host, rare, 10, checkpoint=Checkpoint(path, every=4))
    assert len(written) == 3  # rounds 4, 8 and 10


class Clock:
    """A clock that moves when it is told to."""

    now = 0.0

    def __call__(self):
        return self.now

    def tick(self, seconds):
        self.now += seconds


def test_saves_take_a_twentieth_of_the_time(host, rare, path, monkeypatch):
    """A round takes half a second, a save one: the second is due after 40 seconds."""
    clock, saved_at = Clock(), []

    def write(*_):
        clock.tick(1)
        saved_at.append(clock.now)

    monkeypatch.setattr(_checkpoint, "perf_counter", clock)
    monkeypatch.setattr(_checkpoint, "write_in_one_step", write)
    if host.name == "xgboost":
        method = {"before_iteration": lambda *_: clock.tick(0.5) or False}
        kind = xgboost.callback.TrainingCallback
        callback = type("Ticking", (kind,), method)()
    else:

        def callback(env):
            clock.tick(0.5)

        callback.before_iteration = True
    trained(host, rare, 100, callbacks=[callback], checkpoint=path)
    rounds = [2 * (now - i) for i, now in enumerate(saved_at, 1)]
    assert rounds == [1, 78, 100]


@pytest.mark.parametrize(
    ("cost", "expected"), [(1 / 64, 999), (1 / 8, 420), (3, 17), (1000, 1)]
)
def test_saves_of_any_cost_take_a_twentieth(cost, expected, monkeypatch):
    """A round takes a second. The first save tells the cost; the last is not here."""
    clock, left, saved = Clock(), 1000, []
    monkeypatch.setattr(_checkpoint, "perf_counter", clock)
    monkeypatch.setattr(
        _checkpoint, "write_in_one_step", lambda *_: clock.tick(cost) or saved.append(1)
    )
    saves = Run(None, left)
    saves.resume(Checkpoint("no such file"), {}, read=None)
    for done in range(1, left + 1):
        clock.tick(1)
        if saves.note_due(done):
            saves.save(b"")
    assert len(saved) == expected
    assert saves.last_note()


def test_another_training_is_refused(host, rare, path):
    trained(host, rare, 3, checkpoint=path)
    before = path.read_bytes()
    for options, what in (
        ({"loss": FocalLoss(1)}, "loss"),
        ({"params": {"max_depth": 2}}, "params"),
        ({"curvature": "exact"}, "curvature"),
        ({"max_learning_rate": 1.5}, "max_learning_rate"),
        ({"balance": False}, "balance"),
    ):
        with pytest.raises(ValueError, match=rf"of the same.* It differs in {what}\."):
            trained(host, rare, 5, checkpoint=path, **options)
    with pytest.raises(ValueError, match="num_boost_round must be at least the 3"):
        trained(host, rare, 2, checkpoint=path)
    assert path.read_bytes() == before


def other_data(X, y, weight):
    """What differs, and the data with that difference."""
    rng = np.random.default_rng(1)
    order = rng.permutation(len(y))
    within = np.arange(len(y))
    first, second = np.flatnonzero(y == 0)[:2]
    within[[first, second]] = second, first
    cell = X.copy()
    cell[7, 1] = 9
    yield "labels", (X, 1 - y, weight)
    yield "labels", (X, y[order], weight)
    yield "labels", (X[:-1], y[:-1], weight[:-1])
    yield "labels", (X[order], y[order], weight[order])
    yield "weights", (X, y, None)
    yield "weights", (X, y, 2 * weight)
    yield "weights", (X, y, weight[order])
    yield "features", (cell, y, weight)
    yield "features", (X[:, ::-1], y, weight)
    yield "features", (X[:, :-1], y, weight)
    yield "features", (X[order], y, weight)
    yield "features", (X[within], y, weight)


@pytest.mark.parametrize("rounds", [3, 5])
def test_other_data_are_refused(host, rare, path, rounds):
    """Whether training would continue or has ended."""
    X, y = rare
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    host.train(host.data(X, y, weight), 3, checkpoint=path)
    for what, data in other_data(X, y, weight):
        match = rf"of the same training.* It differs in {what}( and weights)?\."
        with pytest.raises(ValueError, match=match):
            host.train(host.data(*data), rounds, checkpoint=path)
    host.train(host.data(X, y, weight), rounds, checkpoint=path)


def test_another_start_is_refused(rare, tmp_path):
    host, path, (X, y) = XGBoostDriver(), tmp_path / "model.ubj", rare

    def data(start):
        given = host.data(X, y)
        given.set_base_margin(np.full(len(y), start))
        return given

    host.train(data(-1), 3, checkpoint=path)
    with pytest.raises(ValueError, match="It differs in base_margin"):
        host.train(data(-2), 3, checkpoint=path)
    with pytest.raises(ValueError, match="It differs in base_margin"):
        trained(host, rare, 3, checkpoint=path)
    host.train(data(-1), 3, checkpoint=path)


@pytest.mark.parametrize("built", [False, True])
def test_lightgbm_cannot_continue_with_an_init_score(built, rare, tmp_path):
    host, data_set = LightGBMDriver(), LightGBMDriver().data(*rare)
    data_set.set_init_score(np.full(len(rare[1]), -1.0))
    if built:
        data_set.construct()
    with pytest.raises(ValueError, match="None for a train set with init_score"):
        host.train(data_set, 3, checkpoint=tmp_path / "model.txt")


def test_the_folder_has_to_exist(host, rare, tmp_path):
    with pytest.raises(ValueError, match="checkpoint must be a file in a folder that"):
        trained(host, rare, checkpoint=tmp_path / "absent" / "model")


#: Learning rates of the rounds.
RATES = [0.3 * 0.8**i for i in range(ROUNDS)]


def schedules(host, form):
    """The rates in a form in which a host takes them, and a schedule of one's own."""
    rates = RATES if form == "list" else lambda round_: RATES[round_]
    if host.name == "lightgbm":
        import lightgbm

        if form != "own":
            return lightgbm.reset_parameter(learning_rate=rates)

        def own(env):
            rate = RATES[env.iteration - env.begin_iteration]
            env.model.reset_parameter({"learning_rate": rate})

        own.before_iteration, own.order = True, 5
        return own
    import xgboost

    if form != "own":
        return xgboost.callback.LearningRateScheduler(rates)

    class Own(xgboost.callback.TrainingCallback):
        def before_iteration(self, model, epoch, evals_log):
            model.set_param("learning_rate", RATES[epoch])
            return False

    return Own()


def ending(host, last):
    """A callback that ends a training with an error after a round."""

    def end(env):
        if env.iteration == last:
            raise KeyboardInterrupt

    end.order = 1000
    if host.name == "lightgbm":
        return end
    import xgboost

    class End(xgboost.callback.TrainingCallback):
        def after_iteration(self, model, epoch, evals_log):
            if epoch == last:
                raise KeyboardInterrupt
            return False

    return End()


def test_the_learning_rate_that_a_booster_keeps_goes_on(rare, tmp_path):
    """XGBoost keeps it in memory, and not in the file of a checkpoint."""
    host, path = XGBoostDriver(), tmp_path / "model.ubj"
    first = trained(host, rare, 2, params={"eta": 0.7})
    options, end = host.continued(first), ending(host, 9)
    killed = {"callbacks": [end], "checkpoint": Checkpoint(path, every=4)}
    with pytest.raises(KeyboardInterrupt):
        trained(host, rare, **killed, **options)
    resumed = trained(host, rare, checkpoint=path, **options)
    assert_same(host, resumed, trained(host, rare, **options), rare[0])


def test_a_path_in_the_home_folder(host, rare, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    name = f"model.{host.formats[-1]}"
    trained(host, rare, 3, checkpoint=f"~/{name}")
    assert (tmp_path / name).exists()


@pytest.mark.parametrize("form", ["function", "list", "own"])
def test_a_schedule_goes_on(host, form, rare, path):
    options = {"checkpoint": Checkpoint(path, every=4)}
    schedule = schedules(host, form)
    with pytest.raises(KeyboardInterrupt):
        trained(host, rare, callbacks=[schedule, ending(host, 9)], **options)
    resumed = trained(host, rare, callbacks=[schedule], **options)
    whole = trained(host, rare, callbacks=[schedules(host, form)])
    assert_same(host, resumed, whole, rare[0])


def test_other_class_masses_are_refused(host, rare, path):
    masses = np.array(FocalLoss().class_masses(rare[1]))
    trained(host, rare, 3, checkpoint=path, class_masses=2 * masses)
    for other in (None, 3 * masses):
        with pytest.raises(ValueError, match=r"It differs in class_masses\."):
            trained(host, rare, checkpoint=path, class_masses=other)
    trained(host, rare, checkpoint=path, class_masses=tuple(2 * masses))


def test_other_weights_of_features_are_refused(rare, tmp_path):
    """XGBoost draws columns by them, which the data set holds."""
    path = tmp_path / "model.ubj"

    def data(weights):
        return xgboost.DMatrix(*rare, feature_weights=weights)

    for rounds in (3, 5):
        XGBoostDriver().train(data([1, 2, 3, 4, 5]), rounds, checkpoint=path)
    for other in (None, [5, 4, 3, 2, 1]):
        with pytest.raises(ValueError, match=r"It differs in feature_weights\. Use"):
            XGBoostDriver().train(data(other), 5, checkpoint=path)


TARGETS = {"binary": 2, "softmax": 3, "multilabel": 2}


@pytest.mark.parametrize("is_sorted", [False, True])
@pytest.mark.parametrize("target", TARGETS)
def test_a_fold_does_not_get_the_model_of_another(host, target, is_sorted, path):
    """Of pure noise. Sorted labels are the same in each fold."""
    if (host.name, target) == ("lightgbm", "multilabel"):
        pytest.skip("LightGBM has no multilabel")
    if host.name == "xgboost" and target != "binary" and version("xgboost") < (3, 1):
        pytest.skip("XGBoost before 3.1 has a single base_score")
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(600, 4)), rng.permutation(600) % TARGETS[target]
    if is_sorted:
        y.sort()
    labels = np.column_stack([y, 1 - y]) if target == "multilabel" else y
    params = {"num_class": 3} if target == "softmax" else {}
    folds = [train for train, _ in StratifiedKFold(5).split(X, y)]
    trained(host, (X[folds[0]], labels[folds[0]]), 5, params=params, checkpoint=path)
    before = path.read_bytes()
    what = "features" if is_sorted else "labels"
    for fold in folds[1:]:
        table = X[fold], labels[fold]
        with pytest.raises(ValueError, match=rf"It differs in {what}\. Use another"):
            trained(host, table, 5, params=params, checkpoint=path)
    assert path.read_bytes() == before


class Rows(lightgbm.Sequence if lightgbm else object):
    """Rows that LightGBM reads in batches."""

    batch_size = 100

    def __init__(self, X):
        self.X = X

    def __getitem__(self, which):
        return self.X[which]

    def __len__(self):
        return len(self.X)


def with_categories(X):
    pandas = pytest.importorskip("pandas")
    kinds = pandas.Categorical(np.where(X[:, 0] > 0, "high", "low"))
    return pandas.DataFrame(X, columns=list("abcdefgh")[: X.shape[1]]).assign(k=kinds)


def arrow(X):
    columns = [f"c{i}" for i in range(X.shape[1])]
    return pytest.importorskip("pyarrow").table(dict(zip(columns, X.T, strict=True)))


FORMS = {
    "array": np.asarray,
    "sparse": csr_matrix,
    "rows": Rows,
    "frame": with_categories,
    "arrow": arrow,
}


@pytest.mark.parametrize("built", [(0, 0), (0, 1), (1, 0), (1, 1)], ids=str)
@pytest.mark.parametrize("form", FORMS)
def test_lightgbm_s_features_in_any_form(form, built, rare, tmp_path):
    """The data set of each call is built before it, or not."""
    path = tmp_path / "model.txt"
    host, (X, y) = LightGBMDriver(), rare

    def data(X, is_built):
        params = dict(host.quiet)
        given = lightgbm.Dataset(FORMS[form](X), y, params=params, free_raw_data=False)
        return given.construct() if is_built else given

    host.train(data(X, built[0]), 3, checkpoint=path)
    other = X.copy()
    other[:2] = X[1::-1]
    for rounds in (3, 5):
        with pytest.raises(ValueError, match="It differs in features"):
            host.train(data(other, built[1]), rounds, checkpoint=path)
    # LightGBM cannot predict Rows to continue, and Arrow tables not before 4.7.
    if form != "rows" and (form != "arrow" or version("lightgbm") >= (4, 7)):
        host.train(data(X, built[1]), 5, checkpoint=path)
    else:
        host.train(data(X, built[1]), 3, checkpoint=path)


@pytest.mark.parametrize("form", ["arrays", "sequences", "binary file"])
def test_lightgbm_s_features_that_no_model_can_predict(form, rare, tmp_path):
    X, y = rare
    file = tmp_path / "table.bin"
    lightgbm.Dataset(X, y).save_binary(file)
    features = {"arrays": [X[:300], X[300:]], "sequences": [Rows(X)]}.get(form, file)
    data = lightgbm.Dataset(features, None if form == "binary file" else y)
    with pytest.raises(ValueError, match="checkpoint must be None for a train"):
        LightGBMDriver().train(data, 3, checkpoint=tmp_path / "model.txt")


def test_lightgbm_s_features_without_raw_data(rare, tmp_path):
    path = tmp_path / "model.txt"
    host, (X, y) = LightGBMDriver(), rare
    params = dict(host.quiet)
    booster = trained(host, rare, 3, checkpoint=path)
    freed = lightgbm.Dataset(X, y, params=params).construct()
    again = host.train(freed, 3, checkpoint=path)
    assert_same(host, again, booster, X)
    other = lightgbm.Dataset(X[::-1].copy(), y, params=params).construct()
    with pytest.raises(ValueError, match="It differs in features"):
        host.train(other, 3, checkpoint=path)


def test_lightgbm_s_features_in_a_file(rare, tmp_path):
    host, (X, y), path = LightGBMDriver(), rare, tmp_path / "model.txt"
    table = tmp_path / "table.csv"
    np.savetxt(table, np.column_stack([y, X]), delimiter=",")
    expected = host.train(lightgbm.Dataset(table))
    host.train(lightgbm.Dataset(table), 3, checkpoint=path)
    booster = host.train(lightgbm.Dataset(table), checkpoint=path)
    assert_same(host, booster, expected, X)
    np.savetxt(table, np.column_stack([y, X[::-1]]), delimiter=",")
    with pytest.raises(ValueError, match="It differs in features"):
        host.train(lightgbm.Dataset(table), checkpoint=path)


def test_raw_data_are_freed_as_lightgbm_frees_them(rare, tmp_path):
    host, path = LightGBMDriver(), tmp_path / "model.txt"
    for rounds in (3, 5):
        data = host.data(*rare)
        host.train(data, rounds, checkpoint=path)
        assert data.data is None


def test_a_lightgbm_data_set_that_is_built_gives_the_same_model(rare):
    """LightGBM keeps weights in float32."""
    host, (X, y) = LightGBMDriver(), rare
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    data = [host.data(X, y, weight) for _ in range(2)]
    data[1].params = dict(host.quiet)
    data[1].construct()
    models = [text_of(host.train(one, 3)) for one in data]
    assert models[0] == models[1]


def external(kind):
    """Data in batches, on disk."""

    def data(X, y, folder):
        class Batches(xgboost.DataIter):
            def __init__(self):
                super().__init__(cache_prefix=str(folder / "cache"))
                self.reset()

            def reset(self):
                self.batches = iter(np.array_split(np.arange(len(y)), 3))

            def next(self, input_data):
                rows = next(self.batches, None)
                if rows is None:
                    return False
                input_data(data=X[rows], label=y[rows])
                return True

        return getattr(xgboost, kind)(Batches())

    return data


XGBOOST_FORMS = {
    "sparse": lambda X, y, _: xgboost.DMatrix(csr_matrix(X), y),
    "frame": lambda X, y, _: xgboost.DMatrix(
        with_categories(X), y, enable_categorical=True
    ),
    "quantiles": lambda X, y, _: xgboost.QuantileDMatrix(X, y),
    "external": external("DMatrix"),
    "external quantiles": external("ExtMemQuantileDMatrix"),
}


@pytest.mark.parametrize("form", XGBOOST_FORMS)
def test_xgboost_s_features_in_any_form(form, rare, tmp_path):
    host, (X, y), path = XGBoostDriver(), rare, tmp_path / "model.ubj"
    if "external q" in form and not hasattr(xgboost, "ExtMemQuantileDMatrix"):
        pytest.skip("this XGBoost has none")

    def data(X):
        return XGBOOST_FORMS[form](X, y, tmp_path)

    host.train(data(X), 3, checkpoint=path)
    others = [X[:, :2], X * 2, X[::-1]]
    if form == "external":
        others = others[:1]
    if form == "external quantiles":
        others = others[:2]
    for other in others:
        with pytest.raises(ValueError, match="It differs in features"):
            host.train(data(other), 5, checkpoint=path)
    host.train(data(X), 5, checkpoint=path)


def test_all_rows_of_xgboost_count(monkeypatch, rare, tmp_path):
    """They are read in blocks."""
    monkeypatch.setattr(_model, "_ROWS", 64)
    host, (X, y), path = XGBoostDriver(), rare, tmp_path / "model.ubj"
    trained(host, rare, 3, checkpoint=path)
    for row in (0, 63, 64, len(y) - 1):
        other = X.copy()
        other[row, 0] += 1
        with pytest.raises(ValueError, match="It differs in features"):
            trained(host, (other, y), 3, checkpoint=path)
    trained(host, rare, 5, checkpoint=path)


@pytest.mark.parametrize("params", [{"num_machines": 2}, {"machines": "a:1,b:2"}])
def test_lightgbm_on_several_machines_is_refused(params, rare, tmp_path):
    path = tmp_path / "model.txt"
    with pytest.raises(ValueError, match="None where several machines train"):
        trained(LightGBMDriver(), rare, 3, params=params, checkpoint=path)


def test_xgboost_on_several_machines_is_refused(rare, tmp_path, monkeypatch):
    path = tmp_path / "model.ubj"
    monkeypatch.setattr(xgboost.collective, "get_world_size", lambda: 2)
    with pytest.raises(ValueError, match="None where several machines train"):
        trained(XGBoostDriver(), rare, 3, checkpoint=path)


#: One call in a process of its own.
CALL = """
import sys
from conftest import make_rare
from host_drivers import HOSTS

host = next(one for one in HOSTS if one.name == sys.argv[1])
X, y = make_rare(1000, -3)
host.train(host.data(X, y, y + 0.3), 3, checkpoint=sys.argv[2])
"""


def test_another_process_continues(host, path):
    from conftest import make_rare

    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "ignore", "-c", CALL, host.name, str(path)]
    subprocess.run(command, env=environment, check=True)
    X, y = make_rare(1000, -3)
    booster = host.train(host.data(X, y, y + 0.3), checkpoint=path)
    assert_same(host, booster, host.train(host.data(X, y, y + 0.3)), X)


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
    with pytest.raises(ValueError, match=r"None}\. It differs in curvature\."):
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
        training_of(FocalLoss(), {"a": value}, "exact", None, True, None, {})["params"]
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


@pytest.mark.parametrize("rounds", [6, ROUNDS], ids=["saved", "all"])
def test_an_interrupt_leaves_a_checkpoint_and_usable_data(host, rounds, rare, path):
    """Ctrl-C is a KeyboardInterrupt in the middle of training.

    The file has six rounds then, and is not yet in balance.
    """
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
    resumed = trained(host, rare, rounds, checkpoint=checkpoint)
    assert_same(host, resumed, trained(host, rare, rounds), rare[0])


@pytest.mark.parametrize("dies", [False, True])
def test_rows_of_one_class_leave_the_balance_as_it_was(host, dies, rare, path):
    """Saves between the rounds keep the shift of the model to continue."""
    X, y = rare
    first = host.train(host.data(X, y), 5)
    options = {"params": {"learning_rate": 1e-9}, **host.continued(first)}
    checkpoint, negatives = Checkpoint(path, every=1), (X[y == 0], y[y == 0])
    if dies:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Run, "last_note", dying)
            with pytest.raises(KeyboardInterrupt):
                trained(host, negatives, 3, checkpoint=checkpoint, **options)
    booster = trained(host, negatives, 3, checkpoint=checkpoint, **options)
    posterior = FocalLoss().posterior(host.raw(booster, X).astype(np.float64))
    assert posterior.sum() == pytest.approx(y.sum(), rel=1e-6)


def dying(run):
    raise KeyboardInterrupt
