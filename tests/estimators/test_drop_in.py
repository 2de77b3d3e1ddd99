"""Whatever users do with a host's classifier they can do with ours."""

import pytest
from host_drivers import HOSTS, host_id
from usages import Case, data, form_of, lightgbm_only, training, xgboost_only

# LightGBM 4.7 prefers eval_X and eval_y, which 4.5 does not know.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated"),
    # What the hosts say of these usages themselves
    pytest.mark.filterwarnings("ignore:.*booster=gblinear. is deprecated"),
    pytest.mark.filterwarnings("ignore:Converting data to scipy sparse matrix"),
]

COMMON = data.usage | training.usage
OWN = {"xgboost": xgboost_only.usage, "lightgbm": lightgbm_only.usage}
USAGES = [
    pytest.param(host, function, id=f"{host.name}-{name}")
    for host in HOSTS
    for name, function in (COMMON | OWN[host.name]).items()
]


def test_there_are_many_usages():
    assert all(len(COMMON) + len(own) >= 60 for own in OWN.values())


@pytest.mark.parametrize(("host", "usage"), USAGES)
def test_a_usage_gives_the_same_form(host, usage):
    theirs = form_of(usage(Case(host.host_classifier, host.name)))
    assert form_of(usage(Case(host.classifier, host.name))) == theirs


@pytest.mark.parametrize("host", HOSTS, ids=host_id)
def test_every_attribute_of_the_host_is_there(host):
    theirs, ours = (
        Case(classifier, host.name).fitted
        for classifier in (host.host_classifier, host.classifier)
    )
    for name in dir(theirs):
        if not name.startswith("_") and hasattr(theirs, name):
            assert form_of(getattr(ours, name)) == form_of(getattr(theirs, name)), name


@pytest.mark.parametrize("host", HOSTS, ids=host_id)
def test_every_attribute_is_documented(host):
    case = Case(host.classifier, host.name)
    model = training.early_stopped(case)
    documented = {
        name.strip()
        for line in type(model).__doc__.splitlines()
        if " : " in line
        for name in line.partition(" : ")[0].split(",")
    }
    names = {name for name in dir(model) if not name.startswith("_")}
    attributes = {
        name
        for name in names - set(model.get_params())
        if hasattr(model, name) and not callable(getattr(model, name))
    }
    assert {"classes_", "focal_loss_", "n_features_in_"} <= attributes
    assert attributes <= documented
