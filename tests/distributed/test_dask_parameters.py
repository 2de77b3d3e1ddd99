"""Every parameter of a cluster's classifier has an effect there, or is refused."""

import pytest
from clusters import spread
from every_parameter import effect_of, make_rows, names_of
from optional import version

import focalboost.distributed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Finding random open ports"),
    pytest.mark.filterwarnings("ignore:The argument 'eval_set' is deprecated"),
    pytest.mark.filterwarnings("ignore:Training starts from raw prediction"),
    pytest.mark.filterwarnings("ignore:.*booster=gblinear. is deprecated"),
]
QUIET = {"xgboost": {"verbosity": 0}, "lightgbm": {"verbosity": -1}}
KINDS = {"lightgbm": "FocalDaskLGBMClassifier", "xgboost": "FocalDaskXGBClassifier"}
if version("xgboost") < (3,):
    del KINDS["xgboost"]
CASES = [
    pytest.param(host, getattr(focalboost.distributed, kind), name, id=f"{kind}-{name}")
    for host, kind in KINDS.items()
    for name in names_of(getattr(focalboost.distributed, kind))
]


#: Parameters of the evaluation, which takes its time on a cluster.
OF_EVALUATION = ("early_stopping_rounds", "eval_metric")

#: What was seen of a model, by its parameters.
SEEN = {}


@pytest.mark.parametrize(("host", "kind", "name"), CASES)
def test_a_parameter_has_an_effect_or_is_refused(host, kind, name, client, rows):
    parts = [spread(array, (500, 500)) for array in rows]
    sets = {}
    if name in OF_EVALUATION:  # on labels that the model gets worse at
        sets = {"eval_set": [(parts[0], 1 - parts[1])], "verbose": False}

    def seen(**params):
        key = repr((kind, *sets, sorted(params.items())))
        if key not in SEEN:
            model = kind(**QUIET[host], **params).fit(*parts, **sets)
            SEEN[key] = {
                "probabilities": model.predict_proba(parts[0]).compute(),
                "importances": model.feature_importances_,
                "evaluation": str(getattr(model, "evals_result_", None)),
            }
        return SEEN[key]

    assert effect_of(seen, host, name)


@pytest.fixture(scope="module")
def rows():
    return make_rows()
