"""SoftmaxFocalLoss against its definition in mpmath, and its relations."""

from functools import cache

import mpmath
import numpy as np
import pytest

from focalboost import FocalLoss, SoftmaxFocalLoss

GAMMAS = {
    "0": lambda k: 0.0,
    "0.5": lambda k: 0.5,
    "2": lambda k: 2.0,
    "3.3": lambda k: 3.3,
    "one each": lambda k: tuple(0.7 * i for i in range(k)),
}
SIZES = [2, 3, 5, 20]


def make_loss(n_classes, name, balanced=True):
    alpha = None if balanced else tuple(1 + 0.5 * np.arange(n_classes))
    return SoftmaxFocalLoss(n_classes, GAMMAS[name](n_classes), alpha)


each = pytest.mark.parametrize("name", GAMMAS)
every_size = pytest.mark.parametrize("n_classes", SIZES)


@cache
def rows(n_classes, dtype=np.float64):
    """Labels, and raw predictions from level to 1e4 apart, float32 numbers."""
    rng = np.random.default_rng(n_classes)
    scales = np.repeat([1e-3, 1.0, 8.0, 30.0, 200.0, 1e4], 6)
    raw = (rng.normal(size=(36, n_classes)) * scales[:, None]).astype(np.float32)
    return np.arange(36) % n_classes, raw.astype(dtype)


def definition(row, label, gamma):
    """-(1 - p)**gamma * log(p) of mpmath numbers."""
    sizes = [mpmath.exp(z) for z in row]
    total = mpmath.fsum(sizes)
    others = mpmath.fsum(size for k, size in enumerate(sizes) if k != label)
    return -((others / total) ** gamma) * mpmath.log(sizes[label] / total)


def derivative(row, label, gamma, *classes):
    """The partial derivative in one class, or the second one in two."""

    def along(*steps):
        moved = list(row)
        for k, step in zip(classes, steps, strict=True):
            moved[k] = moved[k] + step
        return definition(moved, label, gamma)

    zeros = (0,) * len(classes)
    return mpmath.diff(along, zeros, (1,) * len(classes))


@cache
def exact(n_classes, name):
    """Loss, and the closed forms of gradient and terms of the hessian, 60 digits."""
    loss = make_loss(n_classes, name)
    y_true, raw = rows(n_classes)
    with mpmath.workdps(60):
        values = [
            closed_forms([mpmath.mpf(float(z)) for z in row], label, loss.gammas[label])
            for row, label in zip(raw, y_true, strict=True)
        ]
    return tuple(np.array(part, dtype=np.float64) for part in zip(*values, strict=True))


def closed_forms(row, label, gamma):
    gamma = mpmath.mpf(gamma)
    largest = max(row)
    sizes = [mpmath.exp(z - largest) for z in row]
    total = mpmath.fsum(sizes)
    others = mpmath.fsum(size for k, size in enumerate(sizes) if k != label)
    p, q = sizes[label] / total, others / total
    s = mpmath.log1p(others / sizes[label])
    steep = q**gamma * (q + gamma * p * s)
    bend = gamma * p * q**gamma * (2 * q + s * (gamma * p - 1))
    bulk = gamma * p * q**gamma * (2 * q + s * (gamma * p + 1))
    gradient, hessian, terms = [], [], []
    for k, size in enumerate(sizes):
        r = size / others
        rest = mpmath.fsum(other for j, other in enumerate(sizes) if j != k) / total
        first = steep * (p if k == label else r * rest)
        square = 1 if k == label else r**2
        gradient.append(-steep if k == label else steep * r)
        hessian.append(first + bend * square)
        terms.append(first + bulk * square)
    return q**gamma * s, gradient, hessian, terms


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@each
def test_the_closed_forms_are_the_derivatives_of_the_definition(n_classes, name):
    loss = make_loss(n_classes, name)
    y_true, raw = rows(n_classes)
    with mpmath.workdps(60):
        for i in (6, 13, 20):
            row, gamma = [mpmath.mpf(float(z)) for z in raw[i]], loss.gammas[y_true[i]]
            value, gradient, hessian, _ = closed_forms(row, y_true[i], gamma)
            assert abs(value - definition(row, y_true[i], gamma)) < 1e-50 * value
            for k in range(n_classes):
                first = derivative(row, y_true[i], gamma, k)
                second = derivative(row, y_true[i], gamma, k, k)
                bound = mpmath.mpf("1e-20") * (1 + abs(first))
                assert abs(gradient[k] - first) < bound
                assert abs(hessian[k] - second) < mpmath.mpf("1e-15") * (
                    1 + abs(second)
                )


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_row_s_own_gamma_is_not_rounded(dtype):
    """A gamma of 0.3 in float32 would cost ten units in the last place."""
    gammas, (y_true, raw) = (0.3, 7.7, 300.1), rows(3, dtype)
    value = SoftmaxFocalLoss(3, gammas).loss(y_true, raw)
    for label, gamma in enumerate(gammas):
        expected = SoftmaxFocalLoss(3, gamma).loss(y_true, raw)
        own = y_true == label
        np.testing.assert_array_equal(value[own], expected[own])


@pytest.mark.usefixtures("form")
# The differences z_k - max(z) round, and exp amplifies that by their size: float64 near
# 1e4 is good to 1e-12, float32 to 1e-3, and small differences to a few eps.
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@every_size
@each
def test_values_are_right(n_classes, name, dtype):
    loss = make_loss(n_classes, name)
    y_true, raw = rows(n_classes, dtype)
    with np.errstate(all="raise", under="ignore"):
        value = loss.loss(y_true, raw)
        gradient, hessian = loss.gradient_hessian(y_true, raw)
    eps, tiny = np.finfo(dtype).eps, np.finfo(dtype).tiny
    gamma = max(loss.gammas)
    spread = np.ptp(raw.astype(np.float64), axis=1, keepdims=True)
    accuracy = eps * (1 + gamma) * (12 + spread)
    expected, slopes, bends, terms = exact(n_classes, name)
    pairs = [
        (value[:, None], expected[:, None], expected[:, None]),
        (gradient, slopes, np.abs(slopes)),
        (hessian, bends, terms),
    ]
    for got, right, size in pairs:
        assert got.dtype == dtype
        assert np.isfinite(got).all()
        bound = accuracy * size + 4 * tiny * (1 + gamma) ** 2 * (1 + spread)
        assert (np.abs(got.astype(np.float64) - right) <= bound).all()


@pytest.mark.usefixtures("form")
@every_size
@each
def test_the_curvature_bounds_the_hessian_and_is_positive(n_classes, name):
    loss = make_loss(n_classes, name, balanced=False)
    y_true, raw = rows(n_classes)
    gradient, curvature = loss.gradient_curvature(y_true, raw)
    _, hessian = loss.gradient_hessian(y_true, raw)
    assert (curvature >= hessian).all()
    assert ((curvature > 0) | (gradient == 0)).all()


@pytest.mark.parametrize("n_classes", [3, 5])
@each
def test_the_curvature_bounds_the_full_hessian(n_classes, name):
    loss = make_loss(n_classes, name, balanced=False)
    y_true, raw = (part[:24] for part in rows(n_classes))
    full = loss.full_hessian(y_true, raw)
    diagonal = loss.curvature(y_true, raw, max_learning_rate=1e-9)
    gap = np.eye(n_classes) * diagonal[:, :, None] - full
    lowest = np.linalg.eigvalsh(gap).min(axis=1)
    assert (lowest >= -1e-12 * np.abs(full).max(axis=(1, 2))).all()


@every_size
@each
def test_the_full_hessian_is_symmetric_with_zero_row_sums(n_classes, name):
    loss = make_loss(n_classes, name)
    y_true, raw = (part[:18] for part in rows(n_classes))
    full = loss.full_hessian(y_true, raw)
    scale = np.abs(full).max(axis=(1, 2))[:, None] + 1e-300
    assert (np.abs(full.sum(axis=2)) <= 1e-13 * scale).all()
    np.testing.assert_allclose(full, full.transpose(0, 2, 1), rtol=1e-12)
    diagonal = np.diagonal(full, axis1=1, axis2=2)
    hessian = loss.hessian(y_true, raw)
    assert (np.abs(hessian - diagonal) <= 1e-12 * scale).all()


@pytest.mark.usefixtures("form")
@every_size
@each
def test_relations(n_classes, name):
    loss = make_loss(n_classes, name)
    y_true, raw = (part[:18] for part in rows(n_classes))
    gradient, curvature = loss.gradient_curvature(y_true, raw)
    scale = np.abs(gradient).max(axis=1)
    assert (np.abs(gradient.sum(axis=1)) <= 1e-14 * n_classes * scale).all()
    moved = loss.gradient_curvature(y_true, raw + 64.0)
    np.testing.assert_allclose(moved[0], gradient, rtol=1e-11, atol=1e-300)
    weighted = loss.gradient_curvature(y_true, raw, np.full(18, 3.0))
    np.testing.assert_allclose(weighted[0], 3 * gradient, rtol=1e-14)
    np.testing.assert_allclose(weighted[1], 3 * curvature, rtol=1e-14)


@pytest.mark.usefixtures("form")
@each
def test_permuting_classes_permutes(name):
    loss = make_loss(5, name, balanced=False)
    y_true, raw = rows(5)
    order = np.array([3, 0, 4, 1, 2])
    other = SoftmaxFocalLoss(
        5,
        [loss.gammas[k] for k in order],
        [loss.alpha[k] for k in order],
    )
    place = np.argsort(order)
    one = loss.gradient_curvature(y_true, raw)
    two = other.gradient_curvature(place[y_true], raw[:, order])
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a[:, order], b, rtol=1e-12, atol=1e-300)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize("gamma", [0, 0.5, 2, 7.3, (0, 2), (1, 4)], ids=str)
def test_two_classes_are_the_binary_loss_of_the_difference(gamma):
    binary = FocalLoss(gamma, 0.25)
    loss = SoftmaxFocalLoss(2, binary.gammas[::-1], binary.alphas[::-1])
    y_true, raw = rows(2)
    difference = raw[:, 1] - raw[:, 0]
    gradient, hessian = binary.gradient_hessian(y_true, difference)
    ours = loss.gradient_hessian(y_true, raw)
    close = {"rtol": 3e-12, "atol": 1e-300}  # differences to 1e4
    np.testing.assert_allclose(ours[0][:, 1], gradient, **close)
    np.testing.assert_allclose(ours[1], hessian[:, None].repeat(2, 1), **close)
    np.testing.assert_allclose(loss.loss(y_true, raw), binary.loss(y_true, difference))
    curvature = binary.curvature(y_true, difference)
    np.testing.assert_allclose(
        loss.curvature(y_true, raw)[:, 1], 2 * curvature, **close
    )
    np.testing.assert_allclose(
        loss.posterior(raw)[:, 1], binary.posterior(difference), **close
    )


@every_size
@each
def test_the_posterior_is_recovered_from_the_minimiser(n_classes, name):
    loss = make_loss(n_classes, name, balanced=False)
    rng = np.random.default_rng(0)
    posterior = rng.dirichlet(np.full(n_classes, 0.3), size=8) + 1e-9
    posterior /= posterior.sum(axis=1, keepdims=True)
    raw = loss.inverse_posterior(posterior)
    # At the minimiser of the expected loss its gradient is zero in every class.
    expected = sum(
        posterior[:, [k]] * loss.gradient(np.full(8, k), raw) for k in range(n_classes)
    )
    assert np.abs(expected).max() <= 1e-13 * max(loss.alpha)
    np.testing.assert_allclose(loss.posterior(raw), posterior, rtol=1e-10)
    np.testing.assert_allclose(np.exp(raw).sum(axis=1), 1, rtol=1e-12)


@every_size
@each
def test_the_baseline_is_stationary(n_classes, name):
    loss = make_loss(n_classes, name, balanced=False)
    y_true = np.repeat(np.arange(n_classes), 1 + 7 * np.arange(n_classes))
    weight = 0.5 + np.random.default_rng(1).random(len(y_true))
    start = np.tile(loss.baseline(y_true, weight), (len(y_true), 1))
    gradient = loss.gradient(y_true, start, weight)
    assert np.abs(gradient.sum(axis=0)).max() <= 1e-12 * np.abs(gradient).sum()
    shares = np.bincount(y_true, weight) / weight.sum()
    np.testing.assert_allclose(loss.posterior(start[:1])[0], shares, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@each
def test_posteriors_of_extreme_rows(name, dtype):
    loss = make_loss(5, name)
    raw = np.diag([1e4, 800.0, 90.0, 1e30, -1e30]).astype(dtype)
    with np.errstate(all="raise", under="ignore"):
        posterior = loss.posterior(raw)
    assert np.isfinite(posterior).all()
    np.testing.assert_allclose(posterior.sum(axis=1), 1, rtol=4 * np.finfo(dtype).eps)


ROUNDS = 6


def boosted(loss, curvature, seed, eta, l2):
    """The losses of rounds of random partitions, one for each class."""
    rng = np.random.default_rng(seed)
    n, k = 60, loss.n_classes
    y_true = np.minimum(rng.geometric(0.6, n) - 1, k - 1)
    weight = rng.lognormal(0, 2, n)
    raw = np.tile(rng.normal(size=k) * 4, (n, 1))
    losses = [weight @ loss.loss(y_true, raw)]
    for _ in range(ROUNDS):
        gradient, bound = curvature(y_true, raw, weight)
        for c in range(k):
            leaf = rng.integers(rng.integers(1, 8), size=n)
            pull, size = (np.bincount(leaf, a[:, c]) for a in (gradient, bound))
            raw[:, c] -= (eta * pull / (size + l2))[leaf]
        losses.append(weight @ loss.loss(y_true, raw))
    return np.array(losses)


@pytest.mark.parametrize("eta", [0.1, 0.3, 0.9])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
@each
def test_no_round_raises_the_loss(n_classes, name, eta):
    loss = make_loss(n_classes, name, balanced=False)

    def certified(*arrays):
        return loss.gradient_curvature(*arrays, max_learning_rate=max(eta, 0.3))

    for seed in range(20):
        losses = boosted(loss, certified, seed, eta, l2=seed % 2)
        assert (np.diff(losses) <= 1e-12 * losses[:-1]).all()


@pytest.mark.parametrize("missing", ["floor", "factor"])
def test_without_the_floor_or_the_bound_a_round_raises_the_loss(missing):
    loss = make_loss(3, "2")

    def unsafe(*arrays):
        if missing == "floor":
            return loss.gradient_curvature(*arrays, max_learning_rate=1e-9)
        gradient, hessian = loss.gradient_hessian(*arrays)
        return gradient, np.maximum(hessian, 1e-6)

    rises = [
        np.diff(boosted(loss, unsafe, seed, 0.3, l2=1e-9)).max() for seed in range(20)
    ]
    assert max(rises) > 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1,), "n_classes must be a whole number >= 2; got 1"),
        ((2.0,), "n_classes must be a whole number"),
        ((True,), "n_classes must be a whole number"),
        ((3, -1), "gamma must be a number from 0 to 1000, or one for each of 3"),
        ((3, [1, 2]), "gamma must be a number from 0 to 1000, or one for each of 3"),
        ((3, [1, 2, np.nan]), "gamma must be a number"),
        ((3, "2"), "gamma must be a number"),
        ((3, 2, 0.25), "alpha must be None, or positive weights of 3 classes"),
        ((3, 2, [1, 1]), "alpha must be None, or positive weights"),
        ((3, 2, [1, 1, 0]), "alpha must be None, or positive weights"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        SoftmaxFocalLoss(*arguments)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            ([0, 3], np.zeros((2, 3))),
            "y_true must be a whole number from 0 to 2; got 3",
        ),
        (([0, 0.5], np.zeros((2, 3))), "y_true must be a whole number"),
        (([0, np.nan], np.zeros((2, 3))), "y_true must be a whole number"),
        (([0, 1], np.zeros((2, 2))), r"raw_prediction must be of shape \(n, 3\)"),
        (([0], np.zeros(3)), r"raw_prediction must be of shape \(n, 3\); got \(3,\)"),
        (([0, 1, 2], np.zeros((2, 3))), r"y_true must be of shape \(2,\); got \(3,\)"),
        (([0, 1], np.full((2, 3), np.inf)), "raw_prediction must be finite"),
        (([0, 1], np.zeros((2, 3)), [1, -1]), "sample_weight must be finite and >= 0"),
        ((["a"], np.zeros((1, 3))), "y_true must be an array of real numbers"),
        (([0], [["a"] * 3]), "raw_prediction must be an array of real numbers"),
        (([0], np.zeros((1, 3)), ["a"]), "sample_weight must be an array of real"),
    ],
)
def test_arrays_are_checked(arrays, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        SoftmaxFocalLoss(3).gradient(*arrays)


@pytest.mark.parametrize(
    ("y_true", "weight", "message"),
    [
        ([0, 1, 2], [1, 2], r"sample_weight must be of shape \(3,\); got \(2,\)"),
        ([0, 1, 2], ["a", "b", "c"], "sample_weight must be an array of real numbers"),
        ([[0], [1], [2]], None, r"y_true must be of shape \(3,\); got \(3, 1\)"),
    ],
)
def test_the_baseline_checks_its_arrays(y_true, weight, message):
    with pytest.raises(ValueError, match=message):
        SoftmaxFocalLoss(3).baseline(y_true, weight)


@pytest.mark.parametrize("n_classes", [2, 5])
@each
def test_the_loss_of_a_constant_is_that_of_all_rows(n_classes, name):
    loss = make_loss(n_classes, name, balanced=False)
    row, masses = np.linspace(-1, 2, n_classes), np.linspace(0.5, 30, n_classes)
    each_class = loss.loss(np.arange(n_classes), np.tile(row, (n_classes, 1)))
    assert loss.constant_loss(row, masses) == pytest.approx(masses @ each_class)
    short = row.astype(np.float32)
    in_double = loss.constant_loss(short.astype(np.float64), masses)
    assert loss.constant_loss(short, masses) == pytest.approx(in_double, rel=1e-14)
    best, baseline = loss.best_constant_loss(masses), loss.baseline_of_masses(masses)
    assert best == pytest.approx(loss.constant_loss(baseline, masses), rel=1e-14)
    for k in range(n_classes):
        for step in (-0.1, 0.1):
            moved = baseline + step * (np.arange(n_classes) == k)
            assert best < loss.constant_loss(moved, masses)


@pytest.mark.usefixtures("form")
@pytest.mark.parametrize(
    "method", ["loss", "gradient", "hessian", "curvature", "full_hessian"]
)
@each
def test_weights_multiply_and_dtypes_are_kept(name, method):
    loss = make_loss(5, name, balanced=False)
    y_true, raw = (part[:18] for part in rows(5))
    weight = np.linspace(0, 4, 18)
    value = getattr(loss, method)(y_true, raw)
    weighted = getattr(loss, method)(y_true, raw, weight)
    assert value.dtype == weighted.dtype == np.float64
    expected = (weight * value.T).T  # the rows are the first axis
    scale = np.abs(expected).max()
    np.testing.assert_allclose(weighted, expected, rtol=1e-12, atol=1e-14 * scale)
    short = getattr(loss, method)(y_true, raw.astype(np.float32), weight)
    assert short.dtype == np.float32
    assert loss.posterior(raw.astype(np.float32)).dtype == np.float32
    assert loss.log_posterior(raw.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("balanced", [True, False])
@each
def test_classes_without_weight_are_left_out_of_the_best_constant(name, balanced):
    loss = make_loss(5, name, balanced)
    masses, present = np.array([0.0, 3, 0, 0.5, 7]), [1, 3, 4]
    alpha = None if balanced else [loss.alphas[k] for k in present]
    fewer = SoftmaxFocalLoss(3, [loss.gammas[k] for k in present], alpha)
    expected = fewer.best_constant_loss(masses[present])
    assert loss.best_constant_loss(masses) == pytest.approx(expected, rel=1e-14)
    pair = SoftmaxFocalLoss(2, loss.gammas[3:], alpha and loss.alphas[3:])
    expected = pair.best_constant_loss(masses[3:])
    masses[1] = 0
    assert loss.best_constant_loss(masses) == pytest.approx(expected, rel=1e-14)


@each
def test_a_row_of_zeros_stands_for_the_best_constant_of_one_class(name):
    loss = make_loss(3, name, balanced=False)
    expected = 7 * loss.loss([1], np.zeros((1, 3)))[0]
    assert loss.best_constant_loss([0, 7, 0]) == pytest.approx(expected, rel=1e-14)


@each
def test_log_posteriors_are_the_logarithms_of_posteriors(name):
    loss = make_loss(5, name, balanced=False)
    raw = rows(5)[1]
    with np.errstate(all="raise"):
        logarithm, posterior = loss.log_posterior(raw), loss.posterior(raw)
    np.testing.assert_allclose(np.exp(logarithm), posterior, rtol=1e-11, atol=1e-300)
    assert np.isfinite(logarithm).all()
    assert (logarithm <= 0).all()


def test_log_loss_of_a_raw_prediction_does_not_depend_on_the_true_class():
    """The splits of a tree then tie as for the hosts' own log loss."""
    raw = np.random.default_rng(0).normal(size=(1000, 4)).astype(np.float32)
    loss = SoftmaxFocalLoss(4, gamma=0)
    of_0, of_1 = (
        loss.gradient_hessian(np.full(len(raw), label), raw) for label in (0.0, 1.0)
    )
    for one, other in zip(of_0, of_1, strict=True):
        np.testing.assert_array_equal(one[:, 2:], other[:, 2:])


@each
def test_underflow_is_no_error_whatever_numpy_is_told(name):
    loss = make_loss(5, name)
    y_true, raw = rows(5)
    with np.errstate(all="raise"):
        for method in ("loss", "gradient", "hessian", "curvature", "full_hessian"):
            assert np.isfinite(getattr(loss, method)(y_true, raw)).all()
        for method in ("gradient_hessian", "gradient_curvature"):
            assert np.isfinite(
                getattr(loss, method)(y_true, raw, dtype="float32")
            ).all()


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("baseline", "y_true"),
        ("class_masses", "y_true"),
        ("posterior", "raw_prediction"),
        ("log_posterior", "raw_prediction"),
        ("inverse_posterior", "posterior"),
    ],
)
def test_words_are_no_numbers(method, name):
    with pytest.raises(ValueError, match=f"^{name} must be an array of real numbers"):
        getattr(SoftmaxFocalLoss(3), method)([["fraud"] * 3])


@pytest.mark.parametrize(
    ("method", "table", "message"),
    [
        ("posterior", [[0.0, 1]], r"raw_prediction must be of shape \(n, 3\)"),
        ("posterior", [[0.0, 1, np.nan]], "raw_prediction must be finite"),
        ("log_posterior", [[0.0, 1]], r"raw_prediction must be of shape \(n, 3\)"),
        ("inverse_posterior", [[0.5, 0.5]], r"posterior must be of shape \(n, 3\)"),
        ("inverse_posterior", [[0.5, 0.5, 0]], "posterior must be .*; got 0.0"),
    ],
)
def test_the_link_checks_its_arrays(method, table, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        getattr(SoftmaxFocalLoss(3), method)(table)


@pytest.mark.parametrize("gamma", [0, 2, (0, 1, 2)], ids=str)
def test_a_class_without_rows_counts_as_a_millionth(gamma):
    loss = SoftmaxFocalLoss(3, gamma, alpha=(1, 2, 3))
    posterior = loss.posterior(loss.baseline([0, 1, 1])[None, :])
    expected = np.array([[1 / 3, 2 / 3, 1e-6]]) / (1 + 1e-6)
    np.testing.assert_allclose(posterior, expected, rtol=1e-9)


def test_masses_of_other_classes_have_no_baseline():
    with pytest.raises(ValueError, match="masses must be one for each of 3 classes"):
        SoftmaxFocalLoss(3).baseline_of_masses([1, 1])


@pytest.mark.usefixtures("form")
def test_blocks_do_not_change_a_bit(monkeypatch):
    from focalboost.losses import _evaluate

    loss = make_loss(5, "one each", balanced=False)
    y_true, raw = rows(5)
    weight = np.arange(36.0)
    whole = loss.gradient_curvature(y_true, raw, weight)
    value = loss.loss(y_true, raw, weight)
    monkeypatch.setattr(_evaluate, "BLOCK", 35)
    for a, b in zip(
        whole,
        loss.gradient_curvature(y_true, np.asfortranarray(raw), weight),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(value, loss.loss(y_true, raw, weight))


@pytest.mark.usefixtures("formulas_alone")
@pytest.mark.parametrize("place", ["CPU_DEVICE", "device1"])
@each
def test_another_namespace_gives_the_same(name, place):
    strict = pytest.importorskip("array_api_strict")
    device = strict.Device(place)
    loss = make_loss(5, name, balanced=False)
    y_true, raw = rows(5)
    arrays = [strict.asarray(a.astype(float), device=device) for a in (y_true, raw)]
    results = [*loss.gradient_curvature(*arrays), loss.hessian(*arrays)]
    expected = [*loss.gradient_curvature(y_true, raw), loss.hessian(y_true, raw)]
    results.append(loss.posterior(arrays[1]))
    expected.append(loss.posterior(raw))
    for got, right in zip(results, expected, strict=True):
        assert got.device == device
        got = np.asarray(strict.asarray(got, device=strict.Device("CPU_DEVICE")))
        np.testing.assert_allclose(got, right, rtol=1e-12, atol=1e-300)
