"""A fit leaves nothing of an earlier one."""

import numpy as np
import pytest
from optional import lightgbm, pandas

# LightGBM 4.7 prefers eval_X and eval_y, which 4.5 does not know.
pytestmark = pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")


@pytest.fixture
def refitted(host, mixed):
    """An estimator that was fitted with names and stopped early before."""
    X, y = mixed
    frame = pandas.DataFrame(X, columns=list("abcde"))
    model = host.estimator(n_estimators=60, learning_rate=0.5)
    if host.name == "xgboost":
        model.set_params(early_stopping_rounds=1)
        model.fit(frame[:900], y[:900], eval_set=[(frame, y)], verbose=False)
        assert model.best_iteration > 0
        return model.set_params(early_stopping_rounds=None).fit(X, y)
    stopping = [lightgbm.early_stopping(1, verbose=False)]
    model.fit(frame[:900], y[:900], eval_set=[(frame, y)], callbacks=stopping)
    assert model.best_iteration_ > 0
    return model.fit(X, y)


def test_a_refit_is_a_first_fit(host, refitted, mixed):
    first = host.estimator(**refitted.get_params()).fit(*mixed)
    known, expected = vars(refitted), vars(first)
    assert set(known) == set(expected)
    for name in set(known) - {"_Booster"}:
        np.testing.assert_equal(known[name], expected[name], name)
    np.testing.assert_array_equal(
        refitted.predict_proba(mixed[0]), first.predict_proba(mixed[0])
    )


def test_names_of_an_earlier_fit_are_forgotten(refitted, mixed):
    refitted.predict(mixed[0])  # without a warning of features without names
    assert not set("abcde") & set(getattr(refitted, "feature_names_in_", ()))
