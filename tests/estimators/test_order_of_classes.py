"""Two classes in the order of their labels, of which the positive may be common."""

import numpy as np
import pytest

from focalboost import FocalLoss

COMMON = r"Of the labels 'fraud' and 'ok' the later in order is the positive class"


@pytest.fixture
def named(rare):
    """Features and labels of which the later in order is the majority."""
    return rare[0], np.where(rare[1] == 1, "fraud", "ok")


@pytest.mark.parametrize(
    ("params", "now", "other"),
    [
        (
            {"focal_gamma": (0, 2)},
            "focal_gamma={'fraud': 2, 'ok': 0}",
            "focal_gamma={'ok': 2, 'fraud': 0}",
        ),
        (
            {"focal_alpha": 0.75},
            "focal_alpha={'fraud': 0.25, 'ok': 0.75}",
            "focal_alpha={'ok': 0.25, 'fraud': 0.75}",
        ),
    ],
)
def test_common_positives_are_warned_of_once(host, params, now, other, named):
    with pytest.warns(UserWarning, match=COMMON) as record:
        model = host.estimator(n_estimators=2, **params).fit(*named)
    messages = (str(warning.message) for warning in record)
    (message,) = (text for text in messages if text.startswith("Of the labels"))
    assert f"This training uses {now}: type that if it is right, or" in message
    assert message.endswith(f"{other} if 'fraud' is your positive class.")
    for text in (now, other):
        by_label = eval(f"dict({text})")
        loss = host.estimator(n_estimators=2, **by_label).fit(*named).focal_loss_
        assert (loss == model.focal_loss_) is (text == now)


@pytest.mark.parametrize(
    "params",
    [{}, {"focal_gamma": 1}, {"focal_gamma": (1, 1)}, {"focal_alpha": 0.5}],
    ids=str,
)
def test_what_treats_both_classes_alike_is_silent(host, params, named):
    host.estimator(n_estimators=2, **params).fit(*named)


def test_common_and_rare_are_by_weight(host, named):
    X, y = named
    model = host.estimator(n_estimators=2, focal_gamma=(0, 2))
    model.fit(X, y, sample_weight=np.where(y == "fraud", 1000.0, 1.0))
    model.set_params(class_weight="balanced").fit(X, y)
    model.set_params(class_weight={"fraud": 1, "ok": 9})
    with pytest.warns(UserWarning, match=COMMON):
        model.fit(X, y)


def test_alpha_by_label(host, named):
    alpha = {"ok": 0.3, "fraud": 0.7}
    model = host.estimator(n_estimators=2, focal_alpha=alpha).fit(*named)
    assert model.focal_loss_ == FocalLoss(2, 0.3)


@pytest.mark.parametrize(
    ("alpha", "message"),
    [
        ({"ok": 1 / 3, "fraud": 1 / 3}, "focal_alpha must be two numbers that sum"),
        ({"ok": None, "fraud": 0.5}, "focal_alpha must be None, or positive weights"),
        ({"ok": 3, "fraud": 7}, "focal_alpha must be two numbers that sum"),
        ({"ok": 0.3}, r"focal_alpha must be a value for each .*Add \['fraud'\]"),
    ],
)
def test_alphas_that_are_none_are_refused(host, alpha, message, named):
    with pytest.raises(ValueError, match=message):
        host.estimator(focal_alpha=alpha).fit(*named)
