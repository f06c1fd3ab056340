"""Tails of null laws against closed forms, other libraries and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from causalkit.exceptions import ParameterError
from causalkit.gpu import get_backend
from causalkit.gpu._cholesky import principal_factor
from causalkit.gpu._ridge import Smoother, leave_one_out_errors
from causalkit.independence import (
    KCI,
    CircularShift,
    Delta,
    Gamma,
    Gaussian,
    HallBuckleyEagleson,
    Permutation,
    Spectral,
    center_gram,
)
from causalkit.independence._residuals import PairBatch, Side
from causalkit.independence._tails import (
    chi_square_tail,
    gamma_tail,
    log_gammaincc,
    weighted_chi_square_tail,
)
from tests.independence.dense import conditional, factor, pair, unconditional

NUMPY = get_backend("numpy")


@pytest.mark.parametrize("q", [1e-6, 0.01, 0.5, 1, 3, 10, 40, 200, 1000])
@pytest.mark.parametrize("dof", [1, 2, 3, 10, 50])
def test_equal_weights_are_chi_square(q, dof):
    p, log_p = weighted_chi_square_tail(q, np.ones(dof))
    assert p == pytest.approx(stats.chi2.sf(q, dof), rel=1e-9, abs=1e-14)
    if stats.chi2.sf(q, dof) < 0.5:
        assert log_p == pytest.approx(stats.chi2.logsf(q, dof), rel=1e-9)


@given(st.lists(st.floats(0.01, 10), min_size=1, max_size=8), st.floats(0.05, 4))
def test_two_copies_of_each_weight_have_a_closed_form(weights, factor):
    """With every weight twice the law is a sum of exponentials: compare with its partial fractions in high precision."""
    mpmath = pytest.importorskip("mpmath")
    w = np.unique(np.round(weights, 2))
    q = factor * 2 * w.sum()
    with mpmath.workdps(60):
        exact = mpmath.fsum(
            mpmath.exp(-q / (2 * mpmath.mpf(a)))
            * mpmath.fprod(mpmath.mpf(a) / (mpmath.mpf(a) - b) for b in w if b != a)
            for a in w
        )
    p, _ = weighted_chi_square_tail(q, np.repeat(w, 2))
    assert p == pytest.approx(float(exact), rel=1e-7, abs=1e-12)


def test_weighted_tail_against_simulation():
    rng = np.random.default_rng(0)
    w = np.array([3.0, 1.0, 0.5, 0.2, 0.1])
    draws = rng.chisquare(1, size=(400_000, 5)) @ w
    for q in np.quantile(draws, [0.1, 0.5, 0.9, 0.99, 0.999]):
        p, _ = weighted_chi_square_tail(float(q), w)
        share = np.mean(draws > q)
        assert abs(p - share) < 4 * math.sqrt(p * (1 - p) / len(draws))


def test_weighted_tail_does_not_underflow():
    _, log_p = weighted_chi_square_tail(1e5, np.array([1.0, 0.5]))
    assert -50_010 < log_p < -49_990
    assert weighted_chi_square_tail(1.0, np.zeros(0)) == (1.0, 0.0)


@pytest.mark.parametrize(("shape", "x"), [(2.0, 3.0), (50.0, 20.0), (0.5, 600.0), (5.0, 690.0)])
def test_log_of_incomplete_gamma(shape, x):
    mpmath = pytest.importorskip("mpmath")
    exact = float(mpmath.log(mpmath.gammainc(shape, x, mpmath.inf, regularized=True)))
    assert log_gammaincc(shape, x) == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(("shape", "x"), [(0.5, 2000.0), (5.0, 5000.0), (300.0, 4000.0)])
def test_log_of_incomplete_gamma_where_it_underflows(shape, x):
    mpmath = pytest.importorskip("mpmath")
    exact = float(mpmath.log(mpmath.gammainc(shape, x, mpmath.inf, regularized=True)))
    assert log_gammaincc(shape, x) == pytest.approx(exact, rel=1e-12)


def test_degenerate_moments_give_p_one():
    assert gamma_tail(1.0, 0.0, 0.0)[0] == 1.0
    assert chi_square_tail(3.0, 0.0) == (1.0, 0.0)


def explicit_products(a, b):
    """Return the matrix of products of scaled eigenvectors that the trace form avoids."""
    (la, va), (lb, vb) = np.linalg.eigh(a), np.linalg.eigh(b)
    fa, fb = va * np.sqrt(np.maximum(la, 0)), vb * np.sqrt(np.maximum(lb, 0))
    return (fa[:, :, None] * fb[:, None, :]).reshape(len(a), -1)


def two_grams(n=60, seed=1):
    rng = np.random.default_rng(seed)
    return [center_gram(m @ m.T) for m in rng.normal(size=(2, n, 4))]


@pytest.mark.numpy_only
def test_elementwise_product_is_the_gram_matrix_of_eigenvector_products():
    a, b = two_grams()
    u = explicit_products(a, b)
    batch = pair(a, b, conditional=True)
    np.testing.assert_allclose(batch.product(0), u @ u.T, atol=1e-10)
    values = np.linalg.eigvalsh(u @ u.T)
    found = batch.leading_spectrum(0, 5)
    np.testing.assert_allclose(found.largest, values[::-1][:5], rtol=1e-9)
    assert (found.total, found.squares) == pytest.approx((values.sum(), np.sum(values**2)))
    expected = tuple(2 ** (k - 1) * m * np.sum(values**k) for k, m in ((1, 1), (2, 1), (3, 2)))
    assert batch.cumulants(0) == pytest.approx(expected)


@pytest.mark.parametrize("has_set", [False, True])
@pytest.mark.numpy_only
def test_moments_are_those_of_the_formulas(has_set):
    a, b = two_grams()
    n, found = len(a), pair(a, b, conditional=has_set).moments
    expected = (
        (np.trace(a * b), 2 * np.sum((a * b) ** 2))
        if has_set
        else (np.trace(a) * np.trace(b) / n, 2 * np.sum(a**2) * np.sum(b**2) / n**2)
    )
    assert found.statistic[0] == pytest.approx(np.sum(a * b), rel=1e-12)
    assert (found.mean[0], found.variance[0]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.numpy_only
def test_small_residuals_do_not_underflow_in_single_precision():
    """Fourth powers of residuals of 1e-7 are no 32-bit floats; the p-value must not notice their scale."""
    a, b = two_grams()
    whole, small = (pair(c * a, c * b, conditional=True) for c in (1.0, 1e-14))
    assert small.moments.variance[0] == pytest.approx(1e-56 * whole.moments.variance[0], rel=1e-5)
    assert Gamma().results(small)[0].p_value == pytest.approx(Gamma().results(whole)[0].p_value, rel=1e-4)


@pytest.mark.numpy_only
def test_effect_size_is_one_for_equal_kernels_and_small_for_independent_ones():
    a, b = two_grams(200)
    assert conditional(Gamma(), a, a).effect_size == pytest.approx(1.0)
    assert abs(conditional(Gamma(), a, b).effect_size) < 0.05


class TestAccuracyOfLaws:
    """All eigenvalues by numerical inversion are exact; every other law is measured against them, in the tail too."""

    rng = np.random.default_rng(5)
    a, b = (center_gram(np.exp(-0.5 * ((x[:, None] - x) / 0.6) ** 2)) for x in rng.normal(size=(2, 150)))

    def laws(self, quantile):
        """Return the exact p-value at a quantile of the null and those of other laws."""
        batch = pair(self.a, self.b, conditional=True)
        weights = np.linalg.eigvalsh(batch.product(0))
        sample = self.rng.chisquare(1, size=(20_000, 150)) @ np.maximum(weights, 0)
        q = float(np.quantile(sample, quantile))
        batch.__dict__["moments"] = type(batch.moments)(np.array([q]), *self.rest(batch))
        return [
            law.results(batch)[0].p_value
            for law in (Spectral(leading=None, cut=0.0), Spectral(), HallBuckleyEagleson(), Gamma())
        ]

    @staticmethod
    def rest(batch):
        return batch.moments.mean, batch.moments.variance, batch.moments.effect

    @pytest.mark.parametrize("quantile", [0.3, 0.9, 0.95, 0.99, 0.999])
    @pytest.mark.numpy_only
    def test_leading_eigenvalues_are_nearly_exact(self, quantile):
        exact, leading, _, gamma = self.laws(quantile)
        assert leading == pytest.approx(exact, rel=0.02)
        assert gamma == pytest.approx(exact, abs=0.05)

    @pytest.mark.numpy_only
    def test_three_cumulants_are_better_than_two_in_the_tail(self):
        exact, _, three, two = self.laws(0.999)
        assert abs(math.log(three / exact)) < 0.5 * abs(math.log(two / exact))


@pytest.mark.numpy_only
def test_permutation_within_groups_moves_nothing_across_them():
    groups = np.array([0.0, 1, 0, 1, 2, 0] * 10)
    rows = np.column_stack([groups, groups + 1, groups])
    test = KCI(null=Permutation(50), column_types=["continuous", "continuous", "categorical"]).fit(rows)
    side = Side(((0,), (1,)), (factor(Delta()(rows[:, :1])),) * 2)
    batch = PairBatch(side, side, ((0, 1),), (2,), False, test._work, 0)
    assert Permutation(50).results(batch)[0].p_value == 1.0


@pytest.mark.numpy_only
def test_spectral_and_gamma_agree_near_five_percent():
    rng = np.random.default_rng(2)
    a, b = (center_gram(np.exp(-0.5 * (x[:, None] - x) ** 2)) for x in rng.normal(size=(2, 100)))
    exact = unconditional(Spectral(leading=None), a, b)
    assert unconditional(Spectral(), a, b).p_value == pytest.approx(exact.p_value, abs=2e-3)
    assert unconditional(Gamma(), a, b).p_value == pytest.approx(exact.p_value, abs=0.03)
    assert unconditional(HallBuckleyEagleson(), a, b).p_value == pytest.approx(exact.p_value, abs=0.03)


@pytest.mark.parametrize("dof", [0.7, 2.0, 11.3])
def test_degrees_of_freedom_need_not_be_whole(dof):
    for q in (0.2, 3.0, 30.0):
        p, _ = weighted_chi_square_tail(2 * q, np.array([2.0]), np.array([dof]))
        assert p == pytest.approx(stats.chi2.sf(q, dof), rel=1e-8, abs=1e-12)


def spectrum(gram):
    """Return eigenvectors and eigenvalues of a centred Gram matrix, as the regression does."""
    return principal_factor(factor(gram).T, NUMPY)


@pytest.mark.numpy_only
def test_inflation_is_the_ratio_of_the_means_of_statistic_and_null():
    """White noise on both sides of a regression with many degrees of freedom: simulate both means."""
    n, draws = 60, 20_000
    basis, values = spectrum(Gaussian(0.05)(np.linspace(0, 1, n)[:, None]))
    smoother = Smoother(basis, values / (values + 0.1))
    maker = np.eye(n) - 1 / n - (basis * smoother.shrink) @ basis.T
    complement = smoother.complement(NUMPY)
    np.testing.assert_allclose(np.eye(n) - complement @ complement.T, maker @ maker, atol=1e-8)
    x, y = maker @ np.random.default_rng(0).normal(size=(2, n, draws))
    statistic, null_mean = np.sum(x * y, axis=0) ** 2, np.sum(x**2 * y**2, axis=0)
    side = Side(((0,), (1,)), (basis, basis), (smoother, smoother))
    work = KCI().fit(np.random.default_rng(0).normal(size=(n, 3)))._work
    expected = PairBatch(side, side, ((0, 1),), (2,), False, work, 0).inflation[0]
    assert expected > 1.1
    error = np.std(statistic) / np.sqrt(draws) / null_mean.mean()
    assert abs(statistic.mean() / null_mean.mean() - expected) < 4 * error


def test_leave_one_out_is_exact():
    """The shortcut equals refitting ridge regression with a free mean without each row in turn."""
    n, ridge = 25, 0.7
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, 3)), rng.normal(size=(n, 2))
    errors = leave_one_out_errors([spectrum(x @ x.T)], [ridge], [y - y.mean(0)], NUMPY, max_degrees=n)
    expected = 0.0
    for i in range(n):
        a, b = np.delete(x, i, 0), np.delete(y, i, 0)
        ac = a - a.mean(0)
        slope = np.linalg.solve(ac.T @ ac + ridge * np.eye(3), ac.T @ (b - b.mean(0)))
        expected += np.sum((y[i] - b.mean(0) - (x[i] - a.mean(0)) @ slope) ** 2)
    assert errors.item() == pytest.approx(expected, rel=1e-8)


class TestCircularShift:
    def series(self, seed, n=240, memory=0.9):
        """Two independent autoregressions."""
        rng = np.random.default_rng(seed)
        x = np.zeros((n, 2))
        e = rng.normal(size=(n, 2))
        for t in range(1, n):
            x[t] = memory * x[t - 1] + np.sqrt(1 - memory**2) * e[t]
        return x

    def test_autocorrelated_series_keep_the_level(self):
        """The gamma law takes every row for new and rejects often; shifts do not."""
        p = {"gamma": [], "shift": []}
        for seed in range(40):
            data = self.series(seed)
            for law, values in p.items():
                values.append(KCI(null=law).fit(data)(0, 1).p_value)
        assert np.mean(np.array(p["gamma"]) <= 0.05) > 0.25
        assert np.mean(np.array(p["shift"]) <= 0.05) <= 0.2

    def test_dependence_is_seen_and_runs_repeat(self):
        data = self.series(0, memory=0.5)
        data[:, 1] += data[:, 0]
        test = KCI(null=CircularShift(n_shifts=99)).fit(data)
        assert test(0, 1).p_value == 0.01 == KCI(null=CircularShift(n_shifts=99)).fit(data)(0, 1).p_value

    def test_labels_are_shifted_within(self):
        groups = np.repeat([0, 1, 2], [30, 10, 60])
        for rows in CircularShift(n_shifts=20)._shifts(groups):
            assert sorted(rows) == list(range(100))
            assert np.array_equal(groups[rows], groups)

    def test_parameters(self):
        for wrong in ({"n_shifts": 0}, {"gap": 0}):
            with pytest.raises(ParameterError):
                CircularShift(**wrong)
