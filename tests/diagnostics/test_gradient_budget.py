"""Shares of gradient and curvature, against sums of exact derivatives row by row."""

import lightgbm
import mpmath as mp
import numpy as np
import pytest
import xgboost
from optional import version
from oracles import closed_forms, rho

from focalboost import FocalLoss, FocalXGBClassifier, SoftmaxFocalLoss
from focalboost.diagnostics import gradient_budget, gradient_budget_by_round

LOSSES = [FocalLoss(0), FocalLoss(2), FocalLoss((0, 2)), FocalLoss(2, alpha=0.25)]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    y_true = np.repeat([0, 1], [60, 6])
    return y_true, rng.normal(-2, 3, size=66), rng.uniform(0.1, 5, size=66)


def expected_shares(y_true, raw, weight, loss, curvature, difficulty, edges):
    """The sums as the documentation states them, in arbitrary precision."""
    gradient, curvatures, rows = (mp.zeros(2, len(edges) + 1) for _ in range(3))
    squares = [mp.mpf(0), mp.mpf(0)]
    gammas, alphas = loss.gammas[::-1], loss.alphas[::-1]  # by label
    floor = (1 + max(gammas)) * rho(0.3)
    for y, z, w in zip(y_true, raw, weight, strict=True):
        sign = 2 * int(y) - 1
        forms = closed_forms(sign * float(z), gammas[y])
        size = mp.mpf(float(w)) * mp.mpf(alphas[y]) * abs(forms.slope)
        exact = mp.mpf(float(w)) * mp.mpf(alphas[y]) * abs(forms.hessian)
        certified = size * max((1 + gammas[y]) * forms.p, floor)
        p_t = forms.p
        if difficulty == "posterior":
            p_t = loss.posterior(np.float64(z)) if y else 1 - loss.posterior(z)
        place = sum(p_t >= edge for edge in edges)
        rows[y, place] += 1
        gradient[y, place] += size
        squares[y] += size**2
        curvatures[y, place] += certified if curvature == "certified" else exact
    by_class = [sum(gradient[y, :]) for y in (0, 1)]
    effective = [by_class[y] ** 2 / squares[y] for y in (0, 1)]
    return rows, gradient / sum(gradient), curvatures / sum(curvatures), effective


@pytest.mark.parametrize("difficulty", ["posterior", "score"])
@pytest.mark.parametrize("curvature", ["certified", "exact"])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_shares_are_those_of_the_exact_derivatives(loss, curvature, difficulty, rows):
    edges = (0.05, 0.5, 0.9, 0.99)
    y_true, raw, weight = rows
    budget = gradient_budget(
        y_true, raw, loss, weight, curvature=curvature, difficulty=difficulty,
        edges=edges,
    )  # fmt: skip
    n_rows, gradient, curvatures, effective = expected_shares(
        y_true, raw, weight, loss, curvature, difficulty, edges
    )
    np.testing.assert_array_equal(budget.n_rows, np.array(n_rows.tolist(), int))
    as_array = [np.array(m.tolist(), float) for m in (gradient, curvatures)]
    np.testing.assert_allclose(budget.gradient, as_array[0], rtol=1e-12)
    np.testing.assert_allclose(budget.curvature, as_array[1], rtol=1e-12)
    np.testing.assert_allclose(budget.effective_rows, np.array(effective, float))
    assert budget.gradient.sum() == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("imbalance", [1, 10, 1000, 100_000])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_negatives_carry_half_of_the_gradient_at_the_best_constant(loss, imbalance):
    y_true = np.repeat([0, 1], [3 * imbalance, 3])
    weight = np.random.default_rng(0).exponential(size=len(y_true))
    raw = np.full(len(y_true), loss.baseline(y_true, weight))
    budget = gradient_budget(y_true, raw, loss, weight)
    np.testing.assert_allclose(budget.gradient_by_class, 0.5, rtol=1e-9)


def test_from_zero_the_negatives_drown_the_positives_under_any_gamma():
    y_true = np.repeat([0, 1], [999, 1])
    for loss in LOSSES[:2]:
        shares = gradient_budget(y_true, np.zeros(1000), loss).gradient_by_class
        np.testing.assert_allclose(shares, [0.999, 0.001], rtol=1e-12)


def test_at_equal_posteriors_focusing_spends_no_more_on_hard_negatives():
    """A negative's |gradient| is that of a positive there times the posterior odds.

    Where the posterior is small the positive's is about 1 under any gamma, so an easy
    negative has what it has under log loss; a hard one has less.
    """
    rng = np.random.default_rng(0)
    log_odds = rng.normal(-6, 2, size=20_000)
    posterior = 1 / (1 + np.exp(-log_odds))
    y_true = rng.random(20_000) < posterior
    hard, easy = [], []
    for gamma in (0, 1, 2, 5):
        loss = FocalLoss(gamma)
        budget = gradient_budget(y_true, loss.inverse_posterior(posterior), loss)
        shares = budget.gradient[0] / budget.gradient[0].sum()
        hard.append(shares[:2].sum())
        easy.append(shares[4:].sum())
    assert hard == sorted(hard, reverse=True)
    assert easy == sorted(easy)


def test_several_classes_count_the_derivative_of_the_true_class():
    rng = np.random.default_rng(0)
    loss, y_true = SoftmaxFocalLoss(3, gamma=1), rng.integers(0, 3, 50)
    raw = rng.normal(size=(50, 3))
    size = np.abs(loss.gradient(y_true, raw))[np.arange(50), y_true]
    budget = gradient_budget(y_true, raw, loss)
    expected = np.bincount(y_true, size) / size.sum()
    np.testing.assert_allclose(budget.gradient_by_class, expected, rtol=1e-12)


def test_two_classes_of_a_softmax_have_the_binary_shares(rows):
    y_true, raw, weight = rows
    both = np.column_stack([np.zeros_like(raw), raw])
    softmax = gradient_budget(y_true, both, SoftmaxFocalLoss(2, gamma=2), weight)
    binary = gradient_budget(y_true, raw, FocalLoss(2), weight)
    np.testing.assert_allclose(softmax.gradient, binary.gradient, rtol=1e-10)
    np.testing.assert_array_equal(softmax.n_rows, binary.n_rows)


def test_the_budgets_of_rounds_are_those_of_their_raw_predictions(host, rare):
    X, y = rare
    quiet = {"verbosity": 0} if host.name == "xgboost" else {"verbosity": -1}
    quiet["focal_balance"] = False
    model = host.classifier(n_estimators=12, n_jobs=1, **quiet).fit(X, y)
    start, early, end = gradient_budget_by_round(model, X, y, (0, 5, 12))
    assert [b.n_rounds for b in (start, early, end)] == [0, 5, 12]
    loss = model.focal_loss_
    baseline = np.full(len(y), loss.baseline(y))
    # XGBoost keeps its start in float32.
    at_start = gradient_budget(y, baseline, loss)
    np.testing.assert_allclose(start.gradient, at_start.gradient, atol=1e-6)
    option = {"xgboost": "output_margin", "lightgbm": "raw_score"}[host.name]
    raw = np.asarray(model.predict(X, **{option: True}), np.float64)
    np.testing.assert_array_equal(end.gradient, gradient_budget(y, raw, loss).gradient)
    assert start.effective_rows[0] > early.effective_rows[0] > end.effective_rows[0]


@pytest.mark.parametrize("data", ["rare", "faults"])
def test_the_balance_is_no_part_of_the_training(host, data, request):
    X, y = request.getfixturevalue(data)
    plain, balanced = (
        host.estimator(n_estimators=3, focal_balance=balance).fit(X, y)
        for balance in (False, True)
    )
    assert abs(plain.predict_proba(X) - balanced.predict_proba(X)).max() > 1e-3
    both = (gradient_budget_by_round(m, X, y, (0, 1, 3)) for m in (plain, balanced))
    for expected, found in zip(*both, strict=True):
        np.testing.assert_allclose(found.gradient, expected.gradient, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_hosts_own_log_loss_is_known_with_its_start_and_hessian(rare, weighted):
    X, y = rare
    weight = np.where(y == 1, 30.0, 1.0) if weighted else None
    # XGBoost before 3.1 starts one Newton step away from 0, and not from the mean.
    from_mean = version("xgboost") >= (3, 1)
    for cls in [xgboost.XGBClassifier] * from_mean + [lightgbm.LGBMClassifier]:
        model = cls(n_estimators=3, n_jobs=1, verbosity=-(cls.__name__[0] == "L"))
        model.fit(X, y, sample_weight=weight)
        start, end = gradient_budget_by_round(model, X, y, (0, 3), weight)
        np.testing.assert_allclose(start.gradient_by_class, 0.5, atol=1e-4)
        p = np.average(y, weights=weight)
        by_class = np.bincount(y.astype(int), weight)
        expected = by_class * p * (1 - p)
        share = expected / expected.sum()
        np.testing.assert_allclose(start.curvature_by_class, share, atol=1e-6)
        assert end.effective_rows[0] < start.effective_rows[0]


def test_a_budget_is_a_table(rows):
    y_true, raw, _ = rows
    budget = gradient_budget(y_true, raw, FocalLoss(2), edges=(0.5,))
    table = budget.to_pandas()
    assert list(table["class"]) == [0, 0, 1, 1]
    assert list(table["p_t from"]) == [0, 0.5, 0, 0.5]
    np.testing.assert_array_equal(table["gradient"], budget.gradient.ravel())


def test_a_budget_of_a_model_has_its_rounds_in_the_table(host, rare):
    X, y = rare
    model = host.estimator(n_estimators=2).fit(X, y)
    (budget,) = gradient_budget_by_round(model, X, y, [1])
    table = budget.to_pandas()
    assert next(iter(table)) == "rounds"
    assert set(table["rounds"]) == {1}


def test_several_classes_start_from_their_baseline(host, faults):
    X, y = faults
    model = host.estimator(n_estimators=2, focal_balance=False).fit(X, y)
    start, end = gradient_budget_by_round(model, X, y, (0, 2))
    loss = model.focal_loss_
    rows = np.broadcast_to(loss.baseline(y), (len(y), 3))
    expected = gradient_budget(y, rows, loss)
    np.testing.assert_allclose(start.gradient, expected.gradient, atol=1e-6)
    raw = np.asarray(model.predict(X, **host.margin_option()), np.float64)
    np.testing.assert_array_equal(end.gradient, gradient_budget(y, raw, loss).gradient)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_true": [0, 0.5]}, "y_true must be a whole number from 0 to 1"),
        ({"y_true": ["ok", "fraud"]}, "y_true must be 0 and 1, or codes 0, ..., K - 1"),
        ({"raw_prediction": [0, np.nan]}, "raw_prediction must be finite"),
        ({"loss": "log loss"}, "loss must be a FocalLoss or a SoftmaxFocalLoss"),
        ({"sample_weight": [0, 0]}, "y_true must be labels of rows with a gradient"),
        ({"edges": (0.5, 0.1)}, "edges must be increasing numbers"),
        ({"edges": (0.5, np.nan)}, "edges must be increasing numbers"),
        ({"edges": [[0.1, 0.5]]}, "edges must be increasing numbers"),
        ({"curvature": "hessian"}, "curvature must be one of"),
        ({"difficulty": "raw"}, "difficulty must be one of"),
    ],
)
def test_wrong_arguments_are_named(change, message):
    right = {"y_true": [0, 1], "raw_prediction": [0.0, 1.0], "loss": FocalLoss(2)}
    with pytest.raises(ValueError, match=message):
        gradient_budget(**{**right, **change})


LABELLED = {"words": ("ok", "fraud"), "signs": (-1, 1), "booleans": (False, True)}


@pytest.mark.parametrize("kind", LABELLED)
def test_labels_are_those_that_the_model_was_trained_on(host, rare, kind):
    X, y = rare
    labels = np.array(LABELLED[kind])[y.astype(int)]
    quiet = {"verbosity": 0} if host.name == "xgboost" else {"verbosity": -1}
    params = {"n_estimators": 3, "n_jobs": 1, **quiet}
    model = host.classifier(**params).fit(X, labels)
    codes = (labels == model.classes_[1]).astype(int)
    plain = host.classifier(**params).fit(X, codes)
    (found,) = gradient_budget_by_round(model, X, labels, (3,))
    (expected,) = gradient_budget_by_round(plain, X, codes, (3,))
    np.testing.assert_array_equal(found.gradient, expected.gradient)
    np.testing.assert_array_equal(found.n_rows, expected.n_rows)


def test_a_single_number_is_taken_for_one(host, rare):
    X, y = rare
    model = host.classifier(n_estimators=2, n_jobs=1).fit(X, y)
    (budget,) = gradient_budget_by_round(model, X, y, 2, edges=0.5)
    assert (budget.n_rounds, budget.edges) == (2, (0.5,))


def test_labels_that_the_model_does_not_know_are_refused(host, rare):
    X, y = rare
    words = np.where(y == 1, "fraud", "ok")
    model = host.classifier(n_estimators=2, n_jobs=1).fit(X, words)
    message = r"y_true must be made of the labels \['fraud', 'ok'\]"
    with pytest.raises(ValueError, match=message):
        gradient_budget_by_round(model, X, y, (2,))
    with pytest.raises(ValueError, match=message):
        gradient_budget_by_round(model, X, np.char.upper(words), (2,))


def test_rounds_that_a_model_lacks_are_refused(rare):
    X, y = rare
    model = xgboost.XGBClassifier(n_estimators=2, n_jobs=1).fit(X, y)
    with pytest.raises(ValueError, match="rounds must be at most the 2"):
        gradient_budget_by_round(model, X, y, (3,))
    other = xgboost.XGBClassifier(objective="binary:hinge", n_estimators=2).fit(X, y)
    with pytest.raises(
        ValueError, match="model must be trained with log loss or focal"
    ):
        gradient_budget_by_round(other, X, y, (1,))


@pytest.mark.filterwarnings("ignore:.*booster=gblinear. is deprecated")
@pytest.mark.parametrize("cls", [FocalXGBClassifier, xgboost.XGBClassifier])
def test_linear_models_do_not_keep_their_rounds(cls, rare):
    X, y = rare
    linear = {"booster": "gblinear", "updater": "coord_descent", "n_jobs": 1}
    model = cls(**linear, n_estimators=6).fit(X, y)
    for rounds in ((0, 10, 100), 3, 6):
        with pytest.raises(ValueError, match="model must be of trees; got"):
            gradient_budget_by_round(model, X, y, rounds)
