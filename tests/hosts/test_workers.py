"""Training in two processes: XGBoost's collective, and LightGBM's machines."""

import json
import re
import warnings

import collectives
import numpy as np
import pytest
from collectives import fit, lightgbm_train, plain_xgboost_train, xgboost_train
from optional import HAS_LIGHTGBM, HAS_XGBOOST, lightgbm, version, xgboost
from scipy.special import expit

from focalboost import FocalLoss, SoftmaxFocalLoss

LOSS = FocalLoss((0, 2), alpha=0.3)


@pytest.fixture(scope="module")
def pair():
    workers = collectives.Pair()
    yield workers
    workers.end()


def rows_of(n_rows, share, seed):
    """Rows with so many positives, of few values: bins do not depend on rows."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 12, size=(n_rows, 3)).astype(np.float64)
    X[:12] = np.arange(12)[:, None]
    order = np.argsort(-(X @ [1, 0.6, -0.4] + rng.normal(scale=2, size=n_rows)))
    y = np.zeros(n_rows)
    y[order[: round(share * n_rows)]] = 1
    return {"data": X, "label": y, "weight": rng.uniform(0.5, 2, size=n_rows)}


def several(rows, kind):
    """The same rows with labels of three classes, or of two columns."""
    X, y = rows["data"], rows["label"]
    other = (X[:, 1] > 8).astype(np.float64)
    if kind == "softmax":
        return {**rows, "label": np.where(y == 1, 2, other)}
    return {**rows, "label": np.column_stack([y, other]) if kind == "labels" else y}


def together(*parts):
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def without(rows, keep):
    return {name: values[keep] for name, values in rows.items()}


FEW, MANY = rows_of(1000, 0.025, 0), rows_of(600, 0.125, 1)
VALID_FEW, VALID_MANY = rows_of(300, 0.03, 2), rows_of(500, 0.1, 3)
LOSSES = {
    "binary": LOSS,
    "softmax": SoftmaxFocalLoss(3, (1, 2, 0.5)),
    "labels": FocalLoss(2),
}


def models(answers):
    """The model of both workers, which is the same, and its evaluations."""
    for answer, _ in answers:
        if isinstance(answer, Exception):
            raise answer
    (first, _), (second, _) = answers
    assert first == second
    return first


def error_of(answers):
    """The error of both workers, which has the same text."""
    (first, _), (second, _) = answers
    assert isinstance(first, ValueError), first
    assert isinstance(second, ValueError), second
    assert str(first) == str(second)
    return str(first)


def raw_of(model, data):
    booster = xgboost.Booster(model_file=bytearray(model))
    return booster.predict(xgboost.DMatrix(data, nthread=1), output_margin=True)


def assert_same(found, alone):
    """The bins are the same, and sums in float64 of so few rows are exact."""
    assert found[0] == alone[0]
    for name, metrics in alone[1].items():
        for metric, values in metrics.items():
            np.testing.assert_allclose(found[1][name][metric], values, rtol=1e-5)


def assert_balanced(model, loss, rows):
    posterior = loss.posterior(raw_of(model, rows["data"]).astype(np.float64))
    label = rows["label"]
    if isinstance(loss, SoftmaxFocalLoss):
        label = np.eye(3)[label.astype(int)]
    weight = rows.get("weight", np.ones(len(label)))
    np.testing.assert_allclose(weight @ posterior, weight @ label, rtol=1e-6)


ONE_CLASS = without(MANY, MANY["label"] == 0)
NO_ROWS = without(MANY, slice(0, 0))
SPLITS = {
    "uneven": (FEW, MANY),
    "one-class": (FEW, ONE_CLASS),
    "no-rows": (FEW, NO_ROWS),
}


@pytest.mark.skipif(not HAS_XGBOOST, reason="xgboost is not installed")
class TestXGBoost:
    @pytest.mark.parametrize("parts", SPLITS.values(), ids=SPLITS)
    @pytest.mark.parametrize("kind", LOSSES)
    def test_the_model_is_that_of_one_machine(self, pair, kind, parts):
        if kind == "labels" and parts[1] is NO_ROWS and version("xgboost") < (3, 2):
            pytest.skip("XGBoost before 3.2 forgets the columns of labels without rows")
        loss = LOSSES[kind]
        parts = [several(part, kind) for part in parts]
        first, second = ({"rows": part, "loss": loss} for part in parts)
        found = models(pair.run(xgboost_train, first, second))
        alone = xgboost_train(together(*parts), loss=loss)
        assert_same(found, alone)
        assert_balanced(found[0], loss, together(*parts))

    @pytest.mark.parametrize("balance", [True, False, "validation"])
    @pytest.mark.parametrize("kind", LOSSES)
    def test_all_stop_in_the_round_of_one_machine(self, pair, kind, balance):
        common = {
            "loss": LOSSES[kind],
            "num_boost_round": 200,
            "early_stopping_rounds": 5,
            "balance": balance,
        }
        parts = [several(part, kind) for part in (FEW, MANY)]
        valid = [several(part, kind) for part in (VALID_FEW, VALID_MANY)]
        both = together(*valid)
        first, second = (
            {"rows": part, "evals": [part, one], **common}
            for part, one in zip(parts, valid, strict=True)
        )
        found = models(pair.run(xgboost_train, first, second))
        whole = together(*parts)
        alone = xgboost_train(whole, evals=[whole, both], **common)
        assert len(found[1]["set1"]["relative_focal_loss"]) < 200
        assert_same(found, alone)
        if balance:
            rows = whole if balance is True else both
            assert_balanced(found[0], common["loss"], rows)

    def test_a_data_set_with_a_margin_on_one_worker_balances_none(self, pair):
        margin = np.full(len(FEW["label"]), -1.0)
        first = {"rows": {**FEW, "base_margin": margin}, "loss": LOSS}
        second = {"rows": NO_ROWS, "loss": LOSS}
        found = models(pair.run(xgboost_train, first, second))
        assert found == models(
            pair.run(
                xgboost_train,
                {**first, "balance": False},
                {**second, "balance": False},
            )
        )

    def test_a_model_is_continued(self, pair):
        first, second = ({"rows": part, "loss": LOSS} for part in (FEW, MANY))
        model, _ = models(pair.run(xgboost_train, first, second))
        options = {"xgb_model": model, "num_boost_round": 3}
        longer = models(
            pair.run(xgboost_train, {**first, **options}, {**second, **options})
        )
        alone = xgboost_train(together(FEW, MANY), loss=LOSS, **options)
        assert_same(longer, alone)
        assert_balanced(longer[0], LOSS, together(FEW, MANY))

    @pytest.mark.parametrize("kind", LOSSES)
    def test_class_masses_set_the_start_of_all(self, pair, kind):
        loss, parts = LOSSES[kind], [several(part, kind) for part in (FEW, MANY)]
        whole = together(*parts)
        masses = loss.class_masses(whole["label"], whole["weight"])
        masses = np.asarray(masses) * np.linspace(2, 3, len(masses)).reshape(
            -1, *[1] * (np.ndim(masses) - 1)
        )
        common = {"loss": loss, "class_masses": masses, "balance": False}
        first, second = ({"rows": part, **common} for part in parts)
        model, _ = models(pair.run(xgboost_train, first, second))
        learner = json.loads(model)["learner"]["learner_model_param"]
        start = np.array(json.loads(learner["base_score"]))
        if kind == "softmax":
            best = loss.baseline_of_masses(masses)
            best = best - best.mean()
        else:
            best = expit(loss.baseline_of_masses(*masses))
        np.testing.assert_allclose(np.ravel(start), np.ravel(best), rtol=1e-5)

    def test_labels_of_one_class_on_all_workers_train(self, pair):
        first, second = ({"rows": part} for part in (ONE_CLASS, ONE_CLASS))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nothing can be learned
            model, _ = models(pair.run(xgboost_train, first, second))
        assert model  # the same on both

    @pytest.mark.parametrize(
        ("rows", "options", "message"),
        [
            (MANY | {"label": MANY["label"] * 2}, {}, "y_true must be 0 or 1"),
            (
                without(MANY, slice(5)) | {"label": None},
                {},
                "dtrain must be with labels",
            ),
            (MANY, {"xgb_model": b"{}"}, "xgb_model must be a whole XGBoost model"),
            (MANY, {"xgb_model": "nowhere.json"}, "nowhere.json"),
            (MANY, {"balance": "validation"}, "balance must be True or False without"),
            (MANY, {"class_masses": (1, 2, 3)}, "class_masses must be finite"),
        ],
        ids=["label", "no-labels", "model", "path", "balance", "masses"],
    )
    @pytest.mark.parametrize("failing", [0, 1])
    def test_an_error_of_one_worker_is_raised_on_both(
        self, pair, rows, options, message, failing
    ):
        given = [{"rows": FEW, "loss": LOSS}, {"rows": rows, "loss": LOSS, **options}]
        error = error_of(pair.run(xgboost_train, *given[:: 1 if failing else -1]))
        assert error.startswith(f"On worker {failing}: ")
        assert message in error

    def test_a_wrong_evaluation_label_of_one_worker_is_an_error_on_both(self, pair):
        wrong = VALID_MANY | {"label": VALID_MANY["label"] * 2}
        first = {"rows": FEW, "evals": [VALID_FEW]}
        second = {"rows": MANY, "evals": [wrong]}
        for balance in (True, "validation"):
            first["balance"] = second["balance"] = balance
            error = error_of(pair.run(xgboost_train, first, second))
            assert error.startswith("On worker 1: y_true must be 0 or 1")

    def test_evaluation_sets_of_one_worker_are_refused(self, pair):
        second = {"rows": MANY, "evals": [VALID_MANY]}
        first = {"rows": FEW, "evals": [VALID_FEW], "n_evals": 0}
        error = error_of(pair.run(xgboost_train, first, second))
        assert "evals must be of the same length on every worker; got [0, 1]" in error
        nothing = without(VALID_MANY, slice(0, 0))
        first = {"rows": FEW, "evals": [nothing], "early_stopping_rounds": 3}
        found = models(
            pair.run(xgboost_train, first, second | {"early_stopping_rounds": 3})
        )
        whole = together(FEW, MANY)
        alone = xgboost_train(whole, evals=[VALID_MANY], early_stopping_rounds=3)
        assert_same(found, alone)

    def test_columns_of_a_worker_without_rows_are_asked_for(self, pair):
        rows = several(NO_ROWS, "labels") | {"label": np.zeros(0)}
        error = error_of(
            pair.run(xgboost_train, {"rows": several(FEW, "labels")}, {"rows": rows})
        )
        assert "Pass labels of shape (0, T) where a worker has no rows." in error

    def test_a_checkpoint_is_refused(self, pair, tmp_path):
        given = {"rows": FEW, "checkpoint": str(tmp_path / "model.ubj")}
        error = error_of(pair.run(xgboost_train, given, given))
        assert "checkpoint must be None where several machines train" in error
        assert not any(tmp_path.iterdir())

    def test_the_estimator_is_refused(self, pair):
        given = {"X": FEW["data"], "y": FEW["label"]}
        one_class = {"X": given["X"][:9], "y": np.zeros(9)}
        error = error_of(pair.run(fit, given, one_class))
        assert "focalboost.xgboost.train with labels 0 to K - 1" in error


@pytest.mark.skipif(not HAS_XGBOOST, reason="xgboost is not installed")
class TestTheObjectiveAlone:
    """XGBoost's own train in a collective with focal_objective and focal_metric."""

    def run(self, pair, score, parts=(FEW, MANY)):
        params = {"objective": "binary:logistic", "base_score": score}
        first, second = ({"rows": part, "params": params} for part in parts)
        return pair.run(plain_xgboost_train, first, second)

    @pytest.mark.parametrize("parts", SPLITS.values(), ids=SPLITS)
    def test_the_best_start_of_all_rows_raises_no_warning(self, pair, parts):
        whole, loss = together(*parts), FocalLoss(2)
        best = float(expit(loss.baseline(whole["label"], whole["weight"])))
        answers = self.run(pair, best, parts)
        models(answers)
        assert not [text for _, caught in answers for text in caught if "focal" in text]

    def test_the_default_start_is_told_without_the_number_of_one_worker(self, pair):
        answers = self.run(pair, 0.5)
        models(answers)
        for _, caught in answers:
            (text,) = caught
            assert "Call focalboost.xgboost.train" in text
            assert not re.search(r"\d", text)

    def test_a_worker_of_one_class_says_nothing(self, pair):
        answers = self.run(pair, 0.5, (FEW, ONE_CLASS))
        models(answers)
        assert [len(caught) for _, caught in answers] == [1, 0]


@pytest.mark.skipif(not HAS_LIGHTGBM, reason="lightgbm is not installed")
class TestLightGBM:
    def run(self, pair, first, second, params=None, **common):
        first_port, second_port = collectives.free_ports()
        machines = f"127.0.0.1:{first_port},127.0.0.1:{second_port}"
        params = {"machines": machines, "tree_learner": "data", **(params or {})}
        given = [
            {**part, **common, "params": {**params, "local_listen_port": port}}
            for part, port in zip(
                (first, second), (first_port, second_port), strict=True
            )
        ]
        return pair.run(lightgbm_train, *given, collective=False)

    @pytest.mark.parametrize("second", [MANY, ONE_CLASS], ids=["uneven", "one-class"])
    @pytest.mark.parametrize("kind", ["binary", "softmax"])
    def test_with_class_masses_all_start_from_the_baseline_of_all_rows(
        self, pair, kind, second
    ):
        loss, parts = LOSSES[kind], [several(part, kind) for part in (FEW, second)]
        whole = together(*parts)
        masses = np.sum(
            [loss.class_masses(part["label"], part["weight"]) for part in parts], axis=0
        )
        common = {"loss": loss, "class_masses": masses, "balance": False}
        first, second = ({"rows": part} for part in parts)
        models(self.run(pair, first, second, **common))
        slow = {"learning_rate": 1e-9}
        model, _ = models(self.run(pair, first, second, params=slow, **common))
        booster = lightgbm.Booster(model_str=model)
        start = booster.predict(whole["data"][:1], raw_score=True)[0]
        best = loss.baseline(whole["label"], whole["weight"])
        np.testing.assert_allclose(start, best, atol=1e-6)

    def test_the_same_validation_rows_stop_all_in_the_same_round(self, pair):
        loss = LOSSES["binary"]
        masses = np.sum(
            [loss.class_masses(p["label"], p["weight"]) for p in (FEW, MANY)], axis=0
        )
        common = {"loss": loss, "class_masses": masses, "balance": False}
        common |= {"validation": VALID_MANY, "early_stopping": 2}
        model, _ = models(self.run(pair, {"rows": FEW}, {"rows": MANY}, **common))
        assert lightgbm.Booster(model_str=model).num_trees() < 200
