"""LightGBM models that stand on their own, and the text they are made from."""

import numpy as np
import pytest
from optional import lightgbm
from scipy.special import expit

import focalboost.lightgbm
from focalboost import FocalLoss, focal_objective
from focalboost.lightgbm import finalise
from focalboost.lightgbm._model import errors_explained, has_split, provenance_of
from focalboost.lightgbm._text import finalised_text

QUIET = {"num_threads": 1, "verbosity": -1}
BASELINE = -2.5

BOOSTINGS = {
    "gbdt": {},
    "dart": {"boosting": "dart"},
    "goss": {"data_sample_strategy": "goss"},
    "bagging": {"bagging_fraction": 0.5, "bagging_freq": 1},
    "linear": {"linear_tree": True},
}


def trained(X, y, params=(), **options):
    """An unfinished booster, trained from BASELINE with a callable objective."""
    params = {**QUIET, "objective": focal_objective(), **dict(params)}
    options.setdefault("categorical_feature", "auto")
    train_set = lightgbm.Dataset(X, y, init_score=np.full(len(y), BASELINE), **options)
    return lightgbm.train(params, train_set, 10)


pytestmark = pytest.mark.filterwarnings("ignore:Training starts from raw prediction")


@pytest.mark.parametrize("params", BOOSTINGS.values(), ids=BOOSTINGS.keys())
def test_the_baseline_is_added_exactly(params, rare):
    booster = trained(*rare, params)
    before = booster.predict(rare[0], raw_score=True)
    assert finalise(booster, BASELINE) is booster
    raw = booster.predict(rare[0], raw_score=True)
    np.testing.assert_allclose(raw, before + BASELINE, rtol=0, atol=1e-14)
    np.testing.assert_allclose(booster.predict(rare[0]), expit(raw), rtol=1e-14)


@pytest.mark.parametrize("params", BOOSTINGS.values(), ids=BOOSTINGS.keys())
def test_finalising_is_idempotent(params, rare):
    booster = finalise(trained(*rare, params), BASELINE)
    text = booster.model_to_string()
    assert finalise(booster, 17.0).model_to_string() == text


@pytest.mark.parametrize("params", BOOSTINGS.values(), ids=BOOSTINGS.keys())
def test_contributions_add_up_to_the_raw_prediction(params, rare):
    if "linear_tree" in params:
        pytest.skip("LightGBM has no contributions for linear trees")
    booster = finalise(trained(*rare, params), BASELINE)
    sums = booster.predict(rare[0], pred_contrib=True).sum(axis=1)
    raw = booster.predict(rare[0], raw_score=True)
    np.testing.assert_allclose(sums, raw, rtol=0, atol=1e-10)


def test_each_single_iteration_contains_the_baseline_once(rare):
    booster = trained(*rare)
    before = booster.predict(rare[0], raw_score=True, num_iteration=3)
    finalise(booster, BASELINE)
    raw = booster.predict(rare[0], raw_score=True, num_iteration=3)
    np.testing.assert_allclose(raw, before + BASELINE, rtol=0, atol=1e-14)


def test_a_constant_model(rare):
    X = np.ones((len(rare[1]), 1))
    with pytest.warns(UserWarning, match="has learned nothing"):
        booster = focalboost.lightgbm.train(
            {**QUIET, "feature_pre_filter": False, "min_data_in_leaf": 3999},
            lightgbm.Dataset(np.hstack([X, rare[0]]), rare[1]),
            5,
        )
    raw = booster.predict(np.hstack([X, rare[0]]), raw_score=True)
    np.testing.assert_allclose(raw, FocalLoss().baseline(rare[1]), rtol=1e-12)


def test_categories_and_names_are_kept(rare):
    pandas = pytest.importorskip("pandas")
    X, y = rare
    frame = pandas.DataFrame(X, columns=["a", "größe", "c", "d", "Tree=0"])
    frame["d"] = pandas.Categorical(np.where(X[:, 3] > 0, "objective=x", "Tree=0"))
    booster = trained(frame, y)
    before = booster.predict(frame, raw_score=True)
    finalise(booster, BASELINE)
    assert booster.feature_name() == list(frame.columns)
    assert booster.pandas_categorical == [["Tree=0", "objective=x"]]
    np.testing.assert_allclose(
        booster.predict(frame, raw_score=True), before + BASELINE, rtol=0, atol=1e-14
    )


def test_an_early_stopped_booster_keeps_its_state(rare):
    X, y = rare
    data = lightgbm.Dataset(X[:2500], y[:2500])
    booster = focalboost.lightgbm.train(
        {**QUIET, "early_stopping_round": 3, "learning_rate": 0.5},
        data,
        200,
        [lightgbm.Dataset(X[2500:], y[2500:], reference=data)],
    )
    assert 0 < booster.best_iteration < 200
    assert booster.best_score["valid_0"].keys() == {"relative_focal_loss"}
    assert booster.num_trees() == booster.best_iteration


def test_a_text_without_trees_raises():
    with pytest.raises(ValueError, match="a LightGBM model with at least one tree"):
        finalised_text("tree\nversion=v4\n", 0.0)


def test_a_model_of_lightgbm_s_own_objective_is_left_alone(rare):
    X, y = rare
    booster = lightgbm.train(
        {**QUIET, "objective": "binary"}, lightgbm.Dataset(X, y), 3
    )
    text = booster.model_to_string()
    assert finalise(booster, BASELINE).model_to_string() == text


def test_a_model_of_another_objective_is_refused(rare):
    data = lightgbm.Dataset(*rare)
    booster = lightgbm.train({**QUIET, "objective": "regression"}, data, 3)
    with pytest.raises(ValueError, match="got 'objective=regression'"):
        finalise(booster, BASELINE)


def test_a_booster_in_training_is_refused(rare):
    params = {**QUIET, "objective": focal_objective()}
    data = lightgbm.Dataset(*rare)
    booster = lightgbm.train(params, data, 3, keep_training_booster=True)
    message = (
        r"^booster must be one whose training has ended; got <lightgbm.*Booster .*>\. "
        r"Train with keep_training_booster=False, or call booster\.free_dataset\(\)\.$"
    )
    with pytest.raises(ValueError, match=message):
        finalise(booster, BASELINE)
    booster.update(fobj=focal_objective())


def several_trees(rare):
    """An unfinished booster of three classes."""
    X, _ = rare
    y = np.digitize(X[:, 0], [0.0, 1.0])
    params = {**QUIET, "objective": focal_objective(n_classes=3), "num_class": 3}
    return lightgbm.train(params, lightgbm.Dataset(X, y), 2)


def test_a_baseline_of_another_size_is_refused(rare):
    message = (
        r"^baseline must be a number, or 3 of them, as the model has 3 for each row; "
        r"got array\(\[1\., 1\.\]\)\. Pass the constant init_score of its training\.$"
    )
    with pytest.raises(ValueError, match=message):
        finalise(several_trees(rare), np.ones(2))


def test_a_model_of_other_classes_is_not_continued(rare):
    booster = finalise(several_trees(rare))
    message = (
        r"^init_model must be a model with 1 raw prediction\(s\) for each row; got 3\. "
        r"Use a model of the same classes\.$"
    )
    with pytest.raises(ValueError, match=message):
        focalboost.lightgbm.train(QUIET, lightgbm.Dataset(*rare), 2, init_model=booster)


def test_an_unfinished_model_is_not_continued(rare):
    message = (
        r"^init_model must be a model that predicts probabilities; "
        r"got 'a model trained with a callable objective'\. "
        r"Call focalboost\.lightgbm\.finalise\(booster, baseline\) on it first\.$"
    )
    booster = trained(*rare)
    with pytest.raises(ValueError, match=message):
        focalboost.lightgbm.train(QUIET, lightgbm.Dataset(*rare), 2, init_model=booster)


def test_a_model_to_continue_may_be_a_file(rare, tmp_path):
    path = tmp_path / "model.txt"
    with pytest.raises(ValueError, match=r"^init_model must be the path of a file"):
        focalboost.lightgbm.train(QUIET, lightgbm.Dataset(*rare), 2, init_model=3)
    path.write_text("no model")
    with pytest.raises(ValueError, match=r"^init_model must be a whole LightGBM model"):
        focalboost.lightgbm.train(QUIET, lightgbm.Dataset(*rare), 2, init_model=path)
    finalise(trained(*rare), loss=FocalLoss()).save_model(path)
    data = lightgbm.Dataset(*rare)
    assert focalboost.lightgbm.train(QUIET, data, 2, init_model=path).num_trees() == 12


def test_all_trees_are_finalised_whichever_is_the_best(rare):
    booster = trained(*rare)
    before = booster.predict(rare[0], raw_score=True, num_iteration=-1)
    booster.best_iteration = 3
    finalise(booster, BASELINE)
    raw = booster.predict(rare[0], raw_score=True, num_iteration=-1)
    np.testing.assert_allclose(raw, before + BASELINE, rtol=0, atol=1e-14)


def test_the_loss_is_noted_if_it_is_known(rare):
    assert provenance_of(finalise(trained(*rare)), "booster") is None
    loss = FocalLoss((1, 3), 0.25)
    booster = finalise(trained(*rare), loss=loss)
    assert provenance_of(booster, "booster").loss == loss


def test_without_a_baseline_the_raw_predictions_stay(rare):
    booster = trained(*rare)
    before = booster.predict(rare[0], raw_score=True)
    raw = finalise(booster).predict(rare[0], raw_score=True)
    np.testing.assert_array_equal(raw, before)


@pytest.mark.parametrize("given", [{}, {"min_child_weight": 7}])
def test_a_leaf_without_rows_is_put_down_to_its_parameter(given):
    error = lightgbm.basic.LightGBMError(
        "Check failed: best_split_info.right_count > 0"
    )
    value = given.get("min_child_weight", 0.001)
    message = (
        f"^min_sum_hessian_in_leaf must be so large that a leaf has rows; got {value}. "
        "Use 1e-3 or more, divide sample weights by their mean, and leave out "
        "use_quantized_grad.$"
    )
    with pytest.raises(ValueError, match=message), errors_explained(given):
        raise error


def test_other_errors_of_lightgbm_stay_as_they_are():
    error = lightgbm.basic.LightGBMError("out of memory")
    with (
        pytest.raises(lightgbm.basic.LightGBMError, match=r"^out of memory$"),
        errors_explained({}),
    ):
        raise error


def test_a_tree_of_two_leaves_has_a_split(rare):
    assert has_split(trained(*rare, {"num_leaves": 2}))


def test_the_booster_in_memory_names_its_objective(rare):
    booster = finalise(trained(*rare), BASELINE)
    assert booster.params["objective"] == "binary"
