"""Every parameter of a classifier changes what can be seen of a model, or raises."""

import pytest
from every_parameter import INCIDENTAL, effect_of, make_rows, names_of
from host_drivers import HOSTS

CASES = [
    pytest.param(host, name, id=f"{host.name}-{name}")
    for host in HOSTS
    for name in names_of(host.classifier)
]


def seen(host, X, y, **params):
    """What can be seen of a model that has evaluated its last rows."""
    sets = {"eval_set": [(X[800:], y[800:])]}
    if host.name == "xgboost":
        sets["verbose"] = False
    model = host.estimator(**params).fit(X[:800], y[:800], **sets)
    return {
        "probabilities": model.predict_proba(X),
        "importances": model.feature_importances_,
        "evaluation": str(model.evals_result_),
    }


@pytest.fixture(scope="module")
def rows():
    return make_rows()


# LightGBM 4.7 prefers eval_X and eval_y, which 4.5 does not know.
@pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated")
@pytest.mark.filterwarnings("ignore:Training starts from raw prediction")
@pytest.mark.filterwarnings("ignore:.*booster=gblinear. is deprecated")
@pytest.mark.parametrize(("host", "name"), CASES)
def test_a_parameter_has_an_effect_or_is_refused(host, name, rows):
    assert effect_of(lambda **params: seen(host, *rows, **params), host.name, name)


def test_parameters_without_an_effect_have_a_reason(host):
    names = set(host.classifier().get_params()) & set(INCIDENTAL)
    assert names <= {"device", "multi_strategy", "n_jobs", *INCIDENTAL}
    assert "n_jobs" in names
