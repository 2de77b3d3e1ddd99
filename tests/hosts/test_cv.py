"""focalboost.xgboost.cv and focalboost.lightgbm.cv: each fold is a training."""

import numpy as np
import pytest
from optional import lightgbm, optional, xgboost
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold

import focalboost.lightgbm
import focalboost.xgboost
from focalboost import FocalLoss, SoftmaxFocalLoss, focal_metric, focal_objective
from focalboost.xgboost._params import has_base_scores

LOSSES = [FocalLoss(2), FocalLoss((0, 2), 0.25)]


def folds_of(X, y, n=3):
    return list(StratifiedKFold(n, shuffle=True, random_state=0).split(X, y))


def validation(history, ending="-mean"):
    """The values of the only metric on the validation rows."""
    names = [
        name for name in history if name[0] in "tv" and not name.startswith("train")
    ]
    (name,) = (name for name in names if name.endswith(ending))
    return np.array(history[name])


def trained(host, X, y, weight, rows, rounds, **options):
    """A model of the rows alone, from the bins of all rows where a host has such."""
    whole = host.data(X, y, weight)
    if host.name == "lightgbm":
        return host.train(whole.subset(rows), rounds, **options)
    return host.train(whole.slice(rows), rounds, **options)


@pytest.mark.parametrize("balance", [True, False])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_the_model_of_each_fold_is_that_of_train(host, loss, balance, rare):
    X, y = rare
    weight = 1 + X[:, 0] ** 2
    folds = folds_of(X, y)
    options = {"loss": loss, "balance": balance}
    models = host.cv(host.data(X, y, weight), 8, folds, **options)[1]
    assert len(models) == 3
    for (rows, _), model in zip(folds, models, strict=True):
        expected = trained(host, X, y, weight, rows, 8, **options)
        # XGBoost moves a base_score in float32.
        np.testing.assert_allclose(host.raw(model, X), host.raw(expected, X), rtol=1e-5)
        raw = host.raw(model, X[rows]).astype(np.float64)
        share = weight[rows] @ loss.posterior(raw) / (weight[rows] @ y[rows])
        if balance:
            assert share == pytest.approx(1, rel=1e-5)


def test_the_metric_is_the_mean_over_the_folds(host, rare):
    X, y = rare
    folds, loss = folds_of(X, y), FocalLoss(2)
    history, models = host.cv(host.data(X, y), 6, folds, loss=loss, balance=False)
    values = [
        focal_metric(2)(y[rows], host.raw(model, X[rows]))
        for (_, rows), model in zip(folds, models, strict=True)
    ]
    # XGBoost prints six decimals
    assert validation(history)[-1] == pytest.approx(np.mean(values), abs=1e-6)
    assert len(validation(history)) == 6
    assert all("relative_focal_loss" in name for name in history)


@pytest.mark.parametrize("metric", [None, "auc"])
def test_training_stops_at_the_best_round(host, metric, rare):
    X, y = rare
    folds = folds_of(X, y)
    options = {"loss": FocalLoss(2), "stopping_rounds": 4, "params": {"eta": 0.5}}
    if metric:
        options["metrics"] = metric
    history, models = host.cv(host.data(X, y), 200, folds, **options)
    values = validation(history)
    assert 1 < len(values) < 100
    best = max if metric else min
    assert values[-1] == best(values)
    # The models keep the rounds after it, as the host leaves them.
    if host.name == "lightgbm":
        assert [model.best_iteration for model in models] == [len(values)] * 3
        assert models[0].current_iteration() == len(values) + 4
    else:
        assert models[0].best_iteration == len(values) - 1
        assert models[0].num_boosted_rounds() == len(values) + 4


@pytest.mark.parametrize("balance", [True, "validation"])
def test_models_are_in_balance_as_they_predict(host, balance, rare):
    X, y = rare
    folds, loss = folds_of(X, y), FocalLoss((0.5, 3))
    models = host.cv(
        host.data(X, y), 60, folds, loss=loss, balance=balance, stopping_rounds=3
    )[1]
    for (training, held_out), model in zip(folds, models, strict=True):
        rows = held_out if balance == "validation" else training
        raw = host.raw(model, X[rows]).astype(np.float64)
        assert loss.posterior(raw).sum() == pytest.approx(y[rows].sum(), rel=1e-5)


def test_saved_models_predict_on_their_own(host, rare, tmp_path):
    X, y = rare
    models = host.cv(host.data(X, y), 5, folds_of(X, y), loss=FocalLoss(2))[1]
    for model in models:
        model.save_model(tmp_path / "model.json")
        loaded = host.loaded(tmp_path / "model.json")
        np.testing.assert_allclose(host.raw(loaded, X), host.raw(model, X), rtol=1e-6)
        np.testing.assert_allclose(
            host.probability(loaded, X), host.probability(model, X), rtol=1e-6
        )
    with pytest.warns(UserWarning, match="was trained with FocalLoss"):
        host.train(host.data(X, y), 1, loss=FocalLoss(1), **host.continued(models[0]))


def test_a_softmax(host, faults):
    if host.name == "xgboost" and not has_base_scores():
        pytest.skip("XGBoost before 3.1 has one base_score")
    X, y = faults
    folds, loss = folds_of(X, y), SoftmaxFocalLoss(3, [0, 1, 2])
    history, models = host.cv(host.data(X, y), 2, folds, loss=loss)
    assert validation(history)[-1] < 1
    for (rows, _), model in zip(folds, models, strict=True):
        posterior = loss.posterior(host.raw(model, X[rows]).astype(np.float64))
        expected = np.bincount(y[rows].astype(int))
        np.testing.assert_allclose(posterior.sum(axis=0), expected, rtol=1e-4)


def test_the_log_loss_is_lightgbm_s_own(rare):
    X, y = rare
    params = {"num_threads": 1, "verbosity": -1, "deterministic": True}
    options = {"metrics": "auc", "return_cvbooster": True}
    loss = {"loss": FocalLoss(0), "curvature": "exact"}
    data = lightgbm.Dataset(X, y)
    found = focalboost.lightgbm.cv(params, data, 10, **options, **loss)
    params["objective"] = "binary"
    expected = lightgbm.cv(params, lightgbm.Dataset(X, y), 10, **options)
    assert found.keys() == expected.keys()
    for ours, theirs in zip(
        found["cvbooster"].boosters, expected["cvbooster"].boosters, strict=True
    ):
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-7)


def test_the_log_loss_is_xgboost_s_own(rare):
    def start(dtrain, dtest, params):
        return dtrain, dtest, {**params, "base_score": dtrain.get_label().mean()}

    X, y = rare
    params = {"nthread": 1, "eval_metric": "auc"}
    options = {"stratified": True, "nfold": 4, "as_pandas": False}
    data = xgboost.DMatrix(X, y)
    found = focalboost.xgboost.cv(
        params, data, 10, loss=FocalLoss(0), curvature="exact", **options
    )
    params["objective"] = "binary:logistic"
    expected = xgboost.cv(params, data, 10, fpreproc=start, **options)
    assert found.keys() == expected.keys()
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], atol=2e-6)


def test_the_user_s_fpreproc_comes_first(host, rare):
    """Weights that it gives count in the baseline, and its parameters in training."""
    X, y = rare
    rows = {}

    def weigh(training, held_out, params):
        if host.name == "lightgbm":
            training.construct()
        weight = np.where(training.get_label() == 1, 20.0, 1.0)
        training.set_weight(weight)
        rows.setdefault("weights", []).append(weight)
        return training, held_out, {**params, "learning_rate": 1e-9}

    folds, loss = folds_of(X, y), FocalLoss(2)
    models = host.cv(
        host.data(X, y), 1, folds, loss=loss, fpreproc=weigh, balance=False
    )[1]
    for fold, weight, model in zip(folds, rows["weights"], models, strict=True):
        labels = y[np.sort(fold[0])]
        expected = loss.baseline(labels, np.where(labels == 1, 20.0, 1.0))
        np.testing.assert_allclose(host.raw(model, X), expected, rtol=1e-5)
        assert weight.sum() == 20 * labels.sum() + (1 - labels).sum()


@pytest.mark.parametrize(
    ("added", "message"),
    [
        ({"scale_pos_weight": 9}, "scale_pos_weight must be"),
        ({"learning_rate": 0.7}, "max_learning_rate must be at least the learning"),
    ],
)
def test_parameters_that_fpreproc_adds_are_checked(host, added, message, rare):
    X, y = rare

    def add(training, held_out, params):
        return training, held_out, {**params, **added}

    with pytest.raises(ValueError, match=message):
        host.cv(host.data(X, y), 2, folds_of(X, y), fpreproc=add)


@pytest.mark.parametrize("name", ["logloss", "binary_logloss", "error"])
def test_metrics_of_probabilities_are_refused(host, name, rare):
    X, y = rare
    parameter = "eval_metric" if host.name == "xgboost" else "metric"
    for options in ({"metrics": [name]}, {"params": {parameter: name}}):
        with pytest.raises(ValueError, match="metric must be a metric of the ranking"):
            host.cv(host.data(X, y), 2, folds_of(X, y), **options)


def test_parameters_that_contradict_are_refused(host, rare):
    X, y = rare
    for params, message in (
        ({"scale_pos_weight": 9}, "scale_pos_weight must be"),
        ({"objective": "regression"}, "objective must be"),
        ({"focal_gamma": 2}, "focal_gamma must be left out"),
    ):
        with pytest.raises(ValueError, match=message):
            host.cv(host.data(X, y), 2, folds_of(X, y), params)
    with pytest.raises(ValueError, match="balance must be True, False or"):
        host.cv(host.data(X, y), 2, folds_of(X, y), balance="test")


def test_what_a_host_alone_refuses(rare):
    X, y = rare
    with pytest.raises(ValueError, match="obj must be left out"):
        focalboost.xgboost.cv({}, xgboost.DMatrix(X, y), obj=focal_objective())
    with pytest.raises(ValueError, match="xgb_model must be a model, for process_type"):
        focalboost.xgboost.cv({"process_type": "update"}, xgboost.DMatrix(X, y))
    with pytest.raises(ValueError, match="dtrain must be an xgboost"):
        focalboost.xgboost.cv({}, X)


def test_what_lightgbm_alone_refuses(rare):
    X, y = rare
    data = lightgbm.Dataset(X, y)
    with pytest.raises(ValueError, match="train_set must be a lightgbm"):
        focalboost.lightgbm.cv({}, X)
    with pytest.raises(ValueError, match="num_machines must be 1 for cv"):
        focalboost.lightgbm.cv({"machines": "a:1,b:2"}, data)


def test_folds_without_a_split_warn(host, rare):
    X, y = rare
    params = {"min_child_weight": 1e9}
    with pytest.warns(UserWarning, match="The model has learned nothing"):
        host.cv(host.data(X, y), 1, folds_of(X, y), params)


def test_a_poor_base_score_warns(rare):
    with pytest.warns(UserWarning, match="Leave base_score out"):
        focalboost.xgboost.cv({"base_score": 0.3}, xgboost.DMatrix(*rare), 1)


def test_a_base_margin_is_the_start(rare):
    X, y = rare
    data = xgboost.DMatrix(X, y, base_margin=X[:, 0])
    history = focalboost.xgboost.cv(
        {"learning_rate": 1e-9}, data, 1, folds=folds_of(X, y), as_pandas=False
    )
    expected = [focal_metric()(y[rows], X[rows, 0]) for _, rows in folds_of(X, y)]
    assert validation(history)[0] == pytest.approx(np.mean(expected), rel=1e-4)


def test_an_init_score_is_the_start(rare):
    X, y = rare
    data = lightgbm.Dataset(X, y, init_score=X[:, 0].copy())
    history = focalboost.lightgbm.cv(
        {"learning_rate": 1e-9, "verbosity": -1}, data, 1, folds_of(X, y)
    )
    expected = [focal_metric()(y[rows], X[rows, 0]) for _, rows in folds_of(X, y)]
    assert validation(history)[0] == pytest.approx(np.mean(expected), rel=1e-6)
    np.testing.assert_array_equal(data.get_init_score(), X[:, 0])


def test_an_init_model_is_continued(rare):
    X, y = rare
    params = {"num_threads": 1, "verbosity": -1, "early_stopping_round": 3}
    loss, folds = FocalLoss(2), folds_of(X, y)
    first = focalboost.lightgbm.train(
        {"num_threads": 1, "verbosity": -1}, lightgbm.Dataset(X, y), 4, loss=loss
    )
    data = lightgbm.Dataset(X, y, free_raw_data=False)
    history = focalboost.lightgbm.cv(
        params, data, 60, folds, init_model=first, loss=loss, return_cvbooster=True
    )
    models = history.pop("cvbooster")
    rounds = 4 + len(validation(history))
    assert models.best_iteration == rounds
    raw = [model.predict(X, raw_score=True) for model in models.boosters]
    for (rows, _), model, scores in zip(folds, models.boosters, raw, strict=True):
        assert model.best_iteration == rounds
        assert loss.posterior(scores[rows]).sum() == pytest.approx(y[rows].sum())
    # Nothing of it is left in the data set.
    assert data.get_init_score() is None
    plain = focalboost.lightgbm.cv(params, data, 5, folds, loss=loss)
    fresh = focalboost.lightgbm.cv(params, lightgbm.Dataset(X, y), 5, folds, loss=loss)
    assert plain == fresh


def test_data_sets_in_any_state(rare):
    X, y = rare
    params, options = {"num_threads": 1, "verbosity": -1}, {"loss": FocalLoss(2)}
    half = np.arange(0, len(X), 2)
    data = lightgbm.Dataset(X, y, free_raw_data=False)
    parts = data.subset(half)
    assert focalboost.lightgbm.cv(
        params, parts, 3, **options
    ) == focalboost.lightgbm.cv(params, data.construct().subset(half), 3, **options)
    before = focalboost.lightgbm.cv(params, data, 3, **options)
    focalboost.lightgbm.train(params, data, 2, **options)
    assert focalboost.lightgbm.cv(params, data, 3, **options) == before


# XGBoost 3.4 says "`booster=dart` is deprecated"; 3.2 knows no other way.
@pytest.mark.filterwarnings("ignore:.*booster=dart.*is deprecated")
def test_dart(host, rare):
    X, y = rare
    params = {"booster": "dart", "rate_drop": 0.5}
    if host.name == "lightgbm":
        params = {"boosting": "dart", "drop_rate": 0.5}
    folds, loss = folds_of(X, y), FocalLoss(2)
    models = host.cv(host.data(X, y), 10, folds, params, loss=loss)[1]
    for (rows, _), model in zip(folds, models, strict=True):
        raw = host.raw(model, X[rows]).astype(np.float64)
        assert loss.posterior(raw).sum() == pytest.approx(y[rows].sum(), rel=1e-4)


def test_lightgbm_returns_what_its_cv_returns(rare):
    X, y = rare
    data, params = lightgbm.Dataset(X, y), {"num_iterations": 3, "verbosity": -1}
    history = focalboost.lightgbm.cv(params, data, eval_train_metric=True)
    assert {len(values) for values in history.values()} == {3}
    assert [name.split()[0] for name in history] == ["train", "train", "valid", "valid"]


def test_xgboost_returns_what_its_cv_returns(rare):
    pandas = optional("pandas")
    data, params = xgboost.DMatrix(*rare), [("eval_metric", "auc"), ("nthread", 1)]
    table = focalboost.xgboost.cv(params, data, 3, stratified=True)
    assert isinstance(table, pandas.DataFrame)
    assert list(table) == [
        *("train-auc-mean", "train-auc-std", "test-auc-mean", "test-auc-std"),
    ]
    assert len(table) == 3


def test_optuna_s_tuner_starts_each_fold_at_its_baseline(rare):
    """As the guide on Optuna says."""
    tuners = optional("optuna_integration.lightgbm", "optuna-integration")
    optional("optuna").logging.set_verbosity(30)
    X, y = rare
    loss = FocalLoss(2)

    def start(train_set, valid_set, params):
        labels = train_set.construct().get_label()
        baseline = loss.baseline(labels, train_set.get_weight())
        for rows in (train_set, valid_set.construct()):
            rows.set_init_score(np.full(rows.num_data(), baseline))
        return train_set, valid_set, params

    quiet = {"num_threads": 1, "verbosity": -1, "metric": "average_precision"}
    params = {**quiet, "objective": focal_objective(2)}
    ours = focalboost.lightgbm.cv(quiet, lightgbm.Dataset(X, y), 5, loss=loss)
    assert ours == lightgbm.cv(params, lightgbm.Dataset(X, y), 5, fpreproc=start)
    tuner = tuners.LightGBMTunerCV(
        params,
        lightgbm.Dataset(X, y),
        num_boost_round=5,
        nfold=3,
        fpreproc=start,
        show_progress_bar=False,
        optuna_seed=0,
    )
    tuner.tune_regularization_factors(2)
    best = {**tuner.best_params}
    del best["objective"]
    model = focalboost.lightgbm.train(best, lightgbm.Dataset(X, y), 5, loss=loss)
    assert average_precision_score(y, model.predict(X)) > 0.3


def test_arguments_by_position_are_those_of_xgboost(rare):
    data = xgboost.DMatrix(*rare)
    options = {"as_pandas": False, "verbose_eval": False}
    with pytest.warns(FutureWarning, match="Pass `nfold, stratified` as keyword args"):
        found = focalboost.xgboost.cv({"max_depth": 2}, data, 2, 3, True, **options)
    expected = focalboost.xgboost.cv(
        {"max_depth": 2}, data, 2, nfold=3, stratified=True, **options
    )
    assert found == expected


def test_arguments_by_position_are_those_of_lightgbm(rare):
    params = {"verbosity": -1}
    options = (None, 3, True, True, None, [None], None, None, 1)
    found = focalboost.lightgbm.cv(params, lightgbm.Dataset(*rare), 2, *options)
    expected = focalboost.lightgbm.cv(
        params, lightgbm.Dataset(*rare), 2, nfold=3, seed=1
    )
    assert found == expected


def test_two_classes_have_the_softmax_that_the_objective_names(host, rare):
    X, y = rare
    name = "multi:softprob" if host.name == "xgboost" else "multiclass"
    params = {"objective": name, "num_class": 2}
    models = host.cv(host.data(X, y), 2, folds_of(X, y), params=params)[1]
    assert host.raw(models[0], X).shape == (len(X), 2)
