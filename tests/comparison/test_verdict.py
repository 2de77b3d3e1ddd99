"""The verdict of a comparison, and its data in words."""

from dataclasses import replace

import numpy as np
import pytest

from focalboost.comparison import Comparison, Method
from focalboost.comparison._report import data_in_words
from focalboost.comparison._result import METRICS, Fit, Scores


def made(**values):
    """A comparison of given average precisions, five folds of 200 rows each."""
    n_folds = 5
    rng = np.random.default_rng(0)
    y_true = (np.arange(1000) % 20 == 0).astype(np.int8)
    first_tests = {fold: np.arange(200) + 200 * fold for fold in range(n_folds)}
    known = {
        "log_loss": Method("log loss"),
        "certified": Method("certified", gamma=0),
        "focal": Method("focal", gamma=2),
        "other": Method("other", gamma=1),
        "weights": Method("weights", weight=1.0),
    }
    methods = tuple(known[name] for name in values)
    zero = Scores(*[0.1] * len(METRICS))
    fits, log_odds = [], {}
    for method, (level, is_useful) in zip(methods, values.values(), strict=True):
        noise = (
            0.01 * np.array([1, -1, 0, 1, -1]) * (1 if method.name == "focal" else 0.9)
        )
        for fold in range(n_folds):
            judged = replace(zero, average_precision=level + noise[fold])
            fits.append(Fit(method.name, fold, judged))
        log_odds[method.name] = rng.normal(size=1000) + 3 * is_useful * y_true
    constants = tuple(replace(zero, average_precision=0.06) for _ in range(n_folds))
    return Comparison(
        methods, tuple(fits), constants, {}, first_tests, 0.25, y_true, None, log_odds
    )


def test_the_verdict_is_log_loss_where_none_is_better():
    verdict = made(log_loss=(0.50, 1), focal=(0.501, 1), weights=(0.40, 1)).verdict
    assert verdict.use == "log loss"
    assert "Use log loss: no other method is better beyond chance." in verdict.text
    assert "focal has the highest mean, a difference of +0.001" in verdict.text
    assert "Worse beyond chance: weights." in verdict.text


def test_a_single_method_is_compared_with_nothing():
    verdict = made(log_loss=(0.50, 1)).verdict
    assert verdict.use == "log loss"
    assert verdict.text == "Use log loss, the only method that is judged."


@pytest.mark.parametrize(
    ("n_positive", "share"),
    [(1, "1 in 1000"), (100, "1 in 10"), (400, "40%"), (977, "98%")],
)
def test_the_share_of_positives_is_in_words(n_positive, share):
    found = made(log_loss=(0.50, 1))
    y_true = (np.arange(1000) < n_positive).astype(np.int8)
    found = replace(found, y_true=y_true, settings={"host": "xgboost 3"})
    expected = (
        f"1000 rows, {n_positive} of them positive ({share}); 5 folds; xgboost 3."
    )
    assert data_in_words(found) == expected


def test_the_verdict_is_what_beats_log_loss():
    verdict = made(log_loss=(0.50, 1), focal=(0.60, 1), weights=(0.40, 1)).verdict
    assert verdict.use == "focal"
    assert "0.600 against 0.500 of log loss, a difference of +0.100" in verdict.text


def test_the_verdict_prefers_the_certified_log_loss_where_it_is_level():
    verdict = made(log_loss=(0.4, 1), certified=(0.6, 1), focal=(0.6005, 1)).verdict
    assert verdict.use == "certified"
    assert "Level with it: focal." in verdict.text
    assert "the certified curvature, not the focusing" in verdict.text


def test_the_verdict_warns_of_shifted_probabilities():
    verdict = made(log_loss=(0.4, 1), weights=(0.6, 1)).verdict
    assert verdict.use == "weights"
    assert "probabilities are shifted" in verdict.text


def test_the_verdict_is_not_log_loss_where_its_ranking_is_chance():
    """As on LightGBM where log loss diverges and folds differ too much to tell."""
    verdict = made(log_loss=(0.06, 0), focal=(0.061, 1), other=(0.06, 1)).verdict
    assert verdict.use == "focal"
    assert "The ranking of log loss is chance." in verdict.text


def test_the_verdict_is_no_model_where_no_ranking_is_above_chance():
    verdict = made(log_loss=(0.06, 0), focal=(0.2, 0)).verdict
    assert verdict.use is None
    assert "nothing here is better than a constant" in verdict.text


def failing(comparison, *names):
    """The same comparison with all fits of some methods failed but for the first."""
    fits = [
        Fit(fit.method, fit.fold, error="ValueError")
        if fit.method in names and fit.fold > 0
        else fit
        for fit in comparison.fits
    ]
    return replace(comparison, fits=tuple(fits))


def test_the_reference_is_the_first_method_with_scores_on_two_folds():
    whole = made(log_loss=(0.5, 1), focal=(0.6, 1), weights=(0.4, 1))
    assert whole.reference == "log loss"
    assert failing(whole, "log loss").reference == "focal"
    assert failing(whole, "log loss", "focal").reference == "weights"
    assert failing(whole, *whole.names).reference == "log loss"


def test_differences_are_to_the_reference_that_is_left():
    whole = made(log_loss=(0.5, 1), focal=(0.6, 1), weights=(0.4, 1))
    found = failing(whole, "log loss")
    table = found.summary_to_pandas().set_index("method")
    assert np.isnan(table["difference"]["focal"])
    assert table["difference"]["weights"] < -0.1


def without(comparison, *names):
    """The same comparison where all fits of some methods failed."""
    fits = [
        Fit(fit.method, fit.fold, error="ValueError") if fit.method in names else fit
        for fit in comparison.fits
    ]
    log_odds = {
        name: np.full_like(kept, np.nan) if name in names else kept
        for name, kept in comparison.log_odds.items()
    }
    return replace(comparison, fits=tuple(fits), log_odds=log_odds)


def test_the_verdict_does_not_speak_of_what_was_not_fitted():
    whole = made(log_loss=(0.5, 1), focal=(0.501, 1), weights=(0.4, 1))
    found = without(whole, "focal")
    text = found.verdict.text
    assert text.startswith("Use log loss: no other method is better beyond chance.")
    assert text.endswith(
        " This is no verdict on focal: a difference needs two folds without a failure. "
        "5 fits failed: focal."
    )
    assert np.isnan(found.adjusted_p_values("log loss")["focal"])
    assert np.isnan(found.p_values_above_chance()["focal"])
    # Two tests remain of three, of which Holm multiplies the smaller p-value.
    alone = found.difference("weights", "log loss").p_value
    assert found.adjusted_p_values("log loss")["weights"] == pytest.approx(alone)


def test_the_only_method_that_is_judged_is_said_to_be_that():
    whole = made(log_loss=(0.5, 1), focal=(0.6, 1))
    text = without(whole, "log loss").verdict.text
    assert text.startswith("Use focal, the only method that is judged. This is no ver")
    assert "no verdict on log loss: a difference needs two folds" in text


def test_no_model_is_the_verdict_on_what_was_judged():
    whole = made(log_loss=(0.06, 0), focal=(0.2, 1), weights=(0.06, 0))
    verdict = without(whole, "focal").verdict
    assert verdict.use is None
    assert "Use no model: nothing here is better than a constant." in verdict.text
    assert "This is no verdict on focal: a difference needs two folds" in verdict.text


def test_what_has_scores_on_one_fold_alone_is_not_judged():
    whole = made(log_loss=(0.5, 1), focal=(0.6, 1), weights=(0.4, 1))
    text = failing(whole, "focal").verdict.text
    assert "This is no verdict on focal: a difference needs two folds" in text
    assert text.endswith(" 4 fits failed: focal.")


def test_one_fold_judges_no_difference():
    whole = made(log_loss=(0.5, 1), focal=(0.6, 1))
    one = replace(
        whole,
        fits=tuple(fit for fit in whole.fits if fit.fold == 0),
        constants=whole.constants[:1],
        first_tests={0: whole.first_tests[0]},
    )
    assert one.verdict.use == "log loss"
    expected = (
        "the only method that is judged. This is no verdict on focal: a difference "
    )
    assert expected in one.verdict.text


def test_a_method_that_failed_on_a_fold_is_judged_on_the_others():
    whole = made(log_loss=(0.5, 1), focal=(0.6, 1))
    rows = whole.first_tests[0]
    kept = {name: values.copy() for name, values in whole.log_odds.items()}
    kept["focal"][rows] = np.nan
    fits = [
        Fit("focal", 0, error="ValueError") if (f.method, f.fold) == ("focal", 0) else f
        for f in whole.fits
    ]
    found = replace(whole, fits=tuple(fits), log_odds=kept)
    assert found.verdict.use == "focal"
    assert found.verdict.text.endswith("1 fit failed: focal.")
