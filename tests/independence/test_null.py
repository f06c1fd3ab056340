"""Tails of null laws against closed forms, other libraries and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from causalkit.independence import Permutation, Spectral, center_gram
from causalkit.independence._null import (
    chi_square_tail,
    gamma_tail,
    log_gammaincc,
    spectral_weights,
    weighted_chi_square_tail,
)


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


def test_elementwise_product_is_the_gram_matrix_of_eigenvector_products():
    rng = np.random.default_rng(1)
    a, b = (center_gram(m @ m.T) for m in rng.normal(size=(2, 25, 4)))
    u = explicit_products(a, b)
    np.testing.assert_allclose(u @ u.T, a * b, atol=1e-10)
    weights = np.linalg.eigvalsh(u.T @ u)[::-1]
    found = spectral_weights(a, b, 1e-9)
    np.testing.assert_allclose(found, weights[: len(found)], rtol=1e-8)


def test_permutation_within_groups_moves_nothing_across_them():
    groups = np.array([0, 1, 0, 1, 2, 0])
    a = b = (groups[:, None] == groups[None, :]).astype(float)
    result = Permutation(50).within(a, b, groups, np.random.default_rng(0))
    assert result.p_value == 1.0


def test_spectral_and_gamma_agree_near_five_percent():
    rng = np.random.default_rng(2)
    a, b = (center_gram(np.exp(-0.5 * (x[:, None] - x) ** 2)) for x in rng.normal(size=(2, 100)))
    exact = Spectral().unconditional(a, b)
    assert exact.p_value == pytest.approx(gamma_tail(exact.statistic, *moments(a, b))[0], abs=0.03)


def moments(a, b):
    n = len(a)
    return np.trace(a) * np.trace(b) / n, 2 * np.sum(a**2) * np.sum(b**2) / n**2


def test_inflation_is_the_ratio_of_the_means_of_statistic_and_null():
    """White noise on both sides of a regression with many degrees of freedom: simulate both means."""
    from causalkit.independence import Gaussian
    from causalkit.independence._regression import Residual, Smoother, inflation, thin_eigen

    n, draws = 60, 20_000
    basis, values = thin_eigen(center_gram(Gaussian(0.05)(np.linspace(0, 1, n)[:, None])))
    smoother = Smoother(basis, values / (values + 0.1))
    maker = np.eye(n) - 1 / n - (basis * smoother.shrink) @ basis.T
    np.testing.assert_allclose(smoother.residual_square(), maker @ maker, atol=1e-10)
    x, y = maker @ np.random.default_rng(0).normal(size=(2, n, draws))
    statistic, null_mean = np.sum(x * y, axis=0) ** 2, np.sum(x**2 * y**2, axis=0)
    expected = inflation(*[Residual(maker, maker @ maker)] * 2, 1.0)
    assert expected > 1.1
    error = np.std(statistic) / np.sqrt(draws) / null_mean.mean()
    assert abs(statistic.mean() / null_mean.mean() - expected) < 4 * error


def test_leave_one_out_is_exact():
    """The shortcut equals refitting ridge regression with a free mean without each row in turn."""
    from causalkit.independence._regression import Smoother, thin_eigen

    n, ridge = 25, 0.7
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n, 3)), rng.normal(size=(n, 2))
    basis, values = thin_eigen(center_gram(x @ x.T))
    found = Smoother(basis, values / (values + ridge)).leave_one_out(y - y.mean(0))
    expected = 0.0
    for i in range(n):
        a, b = np.delete(x, i, 0), np.delete(y, i, 0)
        ac = a - a.mean(0)
        slope = np.linalg.solve(ac.T @ ac + ridge * np.eye(3), ac.T @ (b - b.mean(0)))
        expected += np.sum((y[i] - b.mean(0) - (x[i] - a.mean(0)) @ slope) ** 2)
    assert found == pytest.approx(expected, rel=1e-8)
