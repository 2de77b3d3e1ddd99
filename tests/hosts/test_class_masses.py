"""class_masses of both train functions, and what LightGBM's machines cannot add up."""

import numpy as np
import pytest
from optional import FocalLGBMClassifier, lightgbm, xgboost

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss, SoftmaxFocalLoss

TWO = "127.0.0.1:12400,127.0.0.1:12401"
SEVERAL = [
    {"machines": TWO},
    {"workers": TWO},
    {"nodes": TWO},
    {"machines": TWO.split(",")},
    {"num_machines": 2},
    {"num_machine": "2"},
]


def slow(host):
    return {"learning_rate": 1e-9, **dict(host.quiet)}


@pytest.mark.parametrize("factor", [1, 3])
def test_they_set_the_start(host, factor, rare):
    X, y = rare
    loss = FocalLoss(2)
    positive, negative = loss.class_masses(y)
    masses = (factor * positive, negative)
    booster = host.train(
        host.data(X, y), 1, slow(host), loss=loss, class_masses=masses, balance=False
    )
    np.testing.assert_allclose(
        host.raw(booster, X), loss.baseline_of_masses(*masses), rtol=2e-6
    )


def test_those_of_the_rows_change_nothing(host, rare):
    X, y = rare
    loss, weight = FocalLoss(2), (1 + X[:, 0] ** 2).astype(np.float32)
    masses = loss.class_masses(y, weight)
    found, expected = (
        host.raw(host.train(host.data(X, y, weight), loss=loss, **options), X)
        for options in ({"class_masses": masses}, {})
    )
    np.testing.assert_array_equal(found, expected)


def test_they_set_the_start_of_each_class(host, faults):
    X, y = faults
    loss = SoftmaxFocalLoss(3, 2)
    masses = loss.class_masses(y) * [1, 2, 4]
    booster = host.train(
        host.data(X, y), 1, slow(host), loss=loss, class_masses=masses, balance=False
    )
    start = host.raw(booster, X)[0]
    best = loss.baseline_of_masses(masses)
    np.testing.assert_allclose(start - start.mean(), best - best.mean(), atol=2e-6)


@pytest.mark.parametrize(
    ("masses", "message"),
    [
        ((1e5,), r"finite numbers >= 0 of the shape \(2,\)"),
        ((1e5, 1e5, 1e5), "finite numbers >= 0"),
        (1e5, "finite numbers >= 0"),
        ("many", "finite numbers >= 0"),
        ((1e5, float("nan")), "finite numbers >= 0"),
        ((1e5, float("inf")), "finite numbers >= 0"),
        ((1e5, -1), "finite numbers >= 0"),
        (([1e5], [1e5]), "finite numbers >= 0"),
        ((1, 1e5), "at least those of the rows here"),
        ((1e5, 100), "at least those of the rows here"),
    ],
)
def test_wrong_ones_are_refused(host, masses, message, rare):
    with pytest.raises(ValueError, match=f"class_masses must be {message}"):
        host.train(host.data(*rare), class_masses=masses)


@pytest.mark.parametrize("params", SEVERAL, ids=str)
@pytest.mark.parametrize("balance", [True, False])
def test_several_machines_need_them(params, balance, rare):
    data = lightgbm.Dataset(*rare)
    with pytest.raises(ValueError, match="class_masses=total, balance=False"):
        focalboost.lightgbm.train(params, data, balance=balance)


@pytest.mark.parametrize("params", SEVERAL, ids=str)
@pytest.mark.parametrize("balance", [True, "validation"])
def test_several_machines_cannot_balance(params, balance, rare):
    data, other = lightgbm.Dataset(*rare), lightgbm.Dataset(*rare)
    with pytest.raises(ValueError, match="balance must be False on several machines"):
        focalboost.lightgbm.train(
            params, data, valid_sets=[other], balance=balance, class_masses=(1e5, 1e5)
        )


def test_several_machines_cannot_keep_a_checkpoint(tmp_path, rare):
    options = {"class_masses": (1e5, 1e5), "balance": False}
    message = "checkpoint must be None where several machines train"
    with pytest.raises(ValueError, match=message):
        focalboost.lightgbm.train(
            {"machines": TWO},
            lightgbm.Dataset(*rare),
            checkpoint=tmp_path / "model.txt",
            **options,
        )


@pytest.mark.parametrize("is_training", [True, False])
def test_several_machines_read_no_file_before_they_are_connected(
    is_training, tmp_path, rare
):
    X, y = rare
    path = tmp_path / "rows.csv"
    np.savetxt(path, np.column_stack([y, X]), delimiter=",")
    data = lightgbm.Dataset(X, y)
    train_set = lightgbm.Dataset(path) if is_training else data
    valid_sets = None if is_training else [lightgbm.Dataset(path, reference=data)]
    with pytest.raises(ValueError, match="must be of arrays or tables"):
        focalboost.lightgbm.train(
            {"machines": TWO},
            train_set,
            valid_sets=valid_sets,
            class_masses=(1e5, 1e5),
            balance=False,
        )


@pytest.mark.parametrize(
    "params", [{"num_machines": 1}, {"machines": "127.0.0.1:12400"}], ids=str
)
def test_one_machine_needs_nothing(params, rare):
    train = focalboost.lightgbm.train
    found, expected = (
        train({"verbosity": -1, **more}, lightgbm.Dataset(*rare), 3).model_to_string()
        for more in (params, {})
    )
    parts = [text.partition("\nparameters:")[0] for text in (found, expected)]
    assert parts[0] == parts[1]


@pytest.mark.parametrize("params", SEVERAL, ids=str)
@pytest.mark.parametrize("share", [0, 1])
def test_the_estimator_is_refused_on_several_machines(params, share, rare):
    X, y = rare
    with pytest.raises(
        ValueError, match="machines must be left to a single process; got 2"
    ):
        FocalLGBMClassifier(**params).fit(X, y * share)


def test_a_worker_of_its_own_asks_for_labels(rare):
    data = xgboost.DMatrix(rare[0][:0])
    with pytest.raises(ValueError, match="dtrain must be with labels"):
        focalboost.xgboost.train({}, data)
