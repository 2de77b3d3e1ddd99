"""Estimators that are saved and loaded."""

import io
import pickle
from pathlib import Path

import cloudpickle
import joblib
import numpy as np
import pytest
from optional import (
    FocalLGBMClassifier,
    FocalXGBClassifier,
    lightgbm,
    optional,
    xgboost,
)
from saved_files import NAMES, booster_of, each_file

from focalboost import FocalLoss


def pickled(model):
    return pickle.loads(pickle.dumps(model, protocol=2))


def cloudpickled(model):
    return pickle.loads(cloudpickle.dumps(model))


def in_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


def in_skops(model):
    io = optional("skops.io", "skops")
    return io.loads(io.dumps(model), trusted=trusted_types(model))


def trusted_types(model):
    """What has to be trusted beyond skops' own list, as the README says it."""
    loss = f"focalboost.{type(model.focal_loss_).__name__}"
    if isinstance(model, FocalXGBClassifier):
        return ["focalboost.FocalXGBClassifier", loss, "xgboost.core.Booster"]
    host = ["lightgbm.basic.Booster", "collections.OrderedDict"]
    return ["focalboost.FocalLGBMClassifier", loss, *host]


@pytest.mark.parametrize("data", ["rare", "faults"])
@pytest.mark.parametrize("copy", [pickled, cloudpickled, in_joblib, in_skops])
def test_a_copy_predicts_the_same(host, copy, data, request):
    X, y = request.getfixturevalue(data)
    model = host.estimator(n_estimators=5, focal_gamma=1).fit(X, y, sample_weight=1 + y)
    loaded = copy(model)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.classes_, model.classes_)
    assert loaded.focal_loss_ == model.focal_loss_
    assert loaded.get_params() == pytest.approx(model.get_params(), nan_ok=True)


@pytest.mark.parametrize("data", ["rare", "faults"])
def test_skops_asks_to_trust_what_the_readme_says(host, data, request):
    io = optional("skops.io", "skops")
    model = host.estimator(n_estimators=2).fit(*request.getfixturevalue(data))
    untrusted = io.get_untrusted_types(data=io.dumps(model))
    assert set(untrusted) == set(trusted_types(model)) | set(untrusted) & {
        "collections.OrderedDict"
    }


def test_pickles_name_what_is_public(host, rare):
    content = pickle.dumps(host.estimator(n_estimators=2).fit(*rare))
    assert b"focalboost._" not in content
    assert b"focalboost.estimators" not in content
    assert b"focalboost.losses" not in content
    assert b"sklearn" not in content


def test_a_path_in_the_home_folder_as_in_xgboost(rare, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    X, y = rare
    model = FocalXGBClassifier(n_estimators=2).fit(X, y)
    model.save_model("~/model.ubj")
    assert (tmp_path / "model.ubj").exists()
    loaded = FocalXGBClassifier()
    loaded.load_model(Path("~/model.ubj"))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    FocalXGBClassifier(n_estimators=1).fit(X, y, xgb_model="~/model.ubj")


LABELS = {
    "integers": np.array([3, -1]),
    "small integers": np.array([0, 1], dtype=np.int8),
    "numbers": np.array([1.0, 2.0]),
    "booleans": np.array([False, True]),
    "text": np.array(['say "no": [x]\n', "yes, α %41"]),
    "objects": np.array(["no", "yes"], dtype=object),
    "days": np.array(["2020-01-01", "2021-05-03"], dtype="datetime64[D]"),
    "spans": np.array([1, 30], dtype="timedelta64[D]"),
}


@each_file
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.filterwarnings("ignore:Of the labels -1 and 3 the later")
def test_a_file_restores_the_probabilities_and_the_labels(
    host, name, labels, rare, tmp_path
):
    X, y = rare
    named = LABELS[labels][y.astype(int)]
    loss = {"focal_gamma": (0, 2), "focal_alpha": 0.3}
    model = host.estimator(n_estimators=5, **loss).fit(X, named)
    model.save_model(tmp_path / name)
    for loaded in (host.estimator(), host.estimator(focal_gamma=0).fit(X[:, :3], y)):
        loaded.load_model(tmp_path / name)
        np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
        assert loaded.predict(X).dtype == model.predict(X).dtype
        np.testing.assert_array_equal(loaded.feature_importances_, importances(model))
        assert loaded.n_features_in_ == 5
        assert loaded.n_classes_ == 2
        assert loaded.focal_loss_ == FocalLoss((0, 2), 0.3)
        assert (loaded.focal_gamma, loaded.focal_alpha) == ((0.0, 2.0), 0.3)


def importances(model):
    return model.feature_importances_


@each_file
def test_a_file_of_several_classes(host, name, faults, tmp_path):
    X, y = faults
    model = host.estimator(n_estimators=3, focal_alpha=[1, 2, 3]).fit(X, y)
    model.save_model(str(tmp_path / name))
    loaded = host.estimator()
    loaded.load_model(str(tmp_path / name))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.decision_function(X), decision(model, X))
    assert loaded.focal_loss_ == model.focal_loss_


def decision(model, X):
    return model.decision_function(X)


@each_file
def test_a_file_of_a_table_with_categories(host, name, rare, tmp_path):
    pandas = pytest.importorskip("pandas")
    X, y = rare
    frame = pandas.DataFrame(X, columns=list("abcde"))
    frame["e"] = pandas.cut(frame["e"], 4, labels=list("wxyz"))
    frame = frame.mask(X > 1.8)
    params = {"enable_categorical": True} if host.name == "xgboost" else {}
    model = host.estimator(n_estimators=5, **params).fit(frame, y)
    model.save_model(tmp_path / name)
    loaded = host.estimator()
    loaded.load_model(tmp_path / name)
    if host.name == "xgboost" and xgboost.__version__ < "3.1":
        return  # the names of categories are not in its files
    np.testing.assert_array_equal(
        loaded.predict_proba(frame), model.predict_proba(frame)
    )
    assert loaded.feature_names_in_.tolist() == list("abcde")


@each_file
@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
def test_a_file_of_an_early_stopped_model(host, name, rare, tmp_path):
    X, y = rare
    sets = {"eval_set": [(X[2500:], y[2500:])]}
    if host.name == "xgboost":
        model = host.estimator(n_estimators=200, early_stopping_rounds=3)
        model.fit(X[:2500], y[:2500], **sets, verbose=False)
    else:
        model = host.estimator(n_estimators=200)
        stop = lightgbm.early_stopping(3, verbose=False)
        model.fit(X[:2500], y[:2500], **sets, callbacks=[stop])
    model.save_model(tmp_path / name)
    loaded = host.estimator()
    loaded.load_model(tmp_path / name)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    best = "best_iteration" if host.name == "xgboost" else "best_iteration_"
    assert getattr(loaded, best) == getattr(model, best) > 0
    loaded.save_model(tmp_path / name)
    loaded.load_model(tmp_path / name)
    assert getattr(loaded, best) == getattr(model, best)
    loaded.set_params(early_stopping_rounds=None)
    loaded.fit(X, y)
    assert getattr(loaded, best, 0) <= 0


@each_file
def test_a_file_has_the_permissions_of_a_new_one(host, name, rare, tmp_path):
    host.estimator(n_estimators=2).fit(*rare).save_model(tmp_path / name)
    (tmp_path / "other").write_text("")
    modes = [(tmp_path / file).stat().st_mode for file in (name, "other")]
    assert modes[0] == modes[1]
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([name, "other"])


@each_file
def test_a_loaded_model_can_be_saved_continued_and_fitted_again(
    host, name, rare, tmp_path
):
    X, y = rare
    model = host.estimator(n_estimators=3, focal_gamma=1).fit(X, NAMES[y.astype(int)])
    model.save_model(tmp_path / name)
    loaded = host.estimator(n_estimators=3)
    loaded.load_model(tmp_path / name)
    loaded.save_model(tmp_path / f"again.{name}")
    loaded.load_model(tmp_path / f"again.{name}")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    more = host.estimator(n_estimators=3, focal_gamma=1)
    more.fit(X, NAMES[y.astype(int)], **host.continued(loaded))
    whole = host.estimator(n_estimators=6, focal_gamma=1).fit(X, NAMES[y.astype(int)])
    np.testing.assert_allclose(
        more.predict_proba(X), whole.predict_proba(X), rtol=0, atol=1e-6
    )
    loaded.fit(X, 1 - y)  # other labels, of another mean, with gamma of the file
    fresh = host.estimator(n_estimators=3, focal_gamma=1).fit(X, 1 - y)
    np.testing.assert_array_equal(loaded.predict_proba(X), fresh.predict_proba(X))


@each_file
def test_a_booster_s_own_file_is_loaded_too(host, name, rare, tmp_path):
    X, y = rare
    model = host.estimator(n_estimators=3).fit(X, NAMES[y.astype(int)])
    booster_of(model).save_model(tmp_path / name)
    loaded = host.estimator()
    loaded.load_model(tmp_path / name)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_lightgbm_keeps_the_note_and_does_not_mention_it(rare, tmp_path, capfd):
    X, y = rare
    model = FocalLGBMClassifier(n_estimators=2, n_jobs=1).fit(X, NAMES[y.astype(int)])
    model.save_model(tmp_path / "model.txt")
    capfd.readouterr()
    booster = lightgbm.Booster(model_file=str(tmp_path / "model.txt"))
    booster.save_model(tmp_path / "again.txt")
    assert "".join(capfd.readouterr()) == ""
    assert booster.params["objective"] == "binary"
    loaded = FocalLGBMClassifier()
    loaded.load_model(tmp_path / "again.txt")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_xgboost_keeps_the_note_from_one_format_to_the_other(rare, tmp_path):
    X, y = rare
    model = FocalXGBClassifier(n_estimators=2, n_jobs=1).fit(X, NAMES[y.astype(int)])
    model.save_model(tmp_path / "model.json")
    booster = xgboost.Booster(model_file=tmp_path / "model.json")
    booster.save_model(tmp_path / "model.ubj")
    with pytest.raises(ValueError, match=r"booster.set_attr\(focalboost_sha256=None"):
        FocalXGBClassifier().load_model(tmp_path / "model.ubj")
    booster.set_attr(focalboost_sha256=None)
    booster.save_model(tmp_path / "model.ubj")
    loaded = FocalXGBClassifier()
    loaded.load_model((tmp_path / "model.ubj").read_bytes())
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert "focalboost_sha256" not in loaded.get_booster().attributes()
    assert "focalboost_sha256" not in model.get_booster().attributes()


def test_labels_without_a_form_in_a_file_are_refused(host, rare, tmp_path):
    X, y = rare
    labels = y.astype(np.longdouble)
    model = host.estimator(n_estimators=2).fit(X, labels)
    with pytest.raises(ValueError, match="y must be labels that are numbers, text"):
        model.save_model(tmp_path / "model.json")
    np.testing.assert_array_equal(pickled(model).predict(X), model.predict(X))
