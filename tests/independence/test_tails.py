"""Tests of p-values: tails of weighted sums of chi-squares, the rest of a spectrum, laws for few rows, parts that are combined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from causalkit.exceptions import ConstantColumnWarning
from causalkit.independence import GCM, KCI, DivideAndCombine
from causalkit.independence._divide import _cauchy
from causalkit.independence._null import _with_rest
from causalkit.independence._tails import weighted_chi_square_tail

DEGREES = [1.0, 2.0, 5.0, 30.0, 200.0, 1e3, 1e4, 1e5]


@pytest.mark.parametrize("dof", DEGREES)
@pytest.mark.parametrize("share", [0.01, 0.5, 0.9, 0.99, 1.0, 1.01, 1.2, 3.0, 10.0])
def test_one_weight_of_any_degrees_of_freedom_is_chi_square(dof, share):
    p, log_p = weighted_chi_square_tail(2 * share * dof, np.array([2.0]), np.array([dof]))
    assert p == pytest.approx(stats.chi2.sf(share * dof, dof), rel=1e-8, abs=1e-300)
    if stats.chi2.sf(share * dof, dof) > 1e-250:
        assert log_p == pytest.approx(stats.chi2.logsf(share * dof, dof), rel=1e-8, abs=1e-12)


def test_the_values_of_the_issue():
    for dof, right in ((200.0, 0.3436), (1000.0, 0.3427)):
        w = np.array([1, 0.3, 1 / dof])
        assert weighted_chi_square_tail(2.3, w, np.array([1, 1, dof]))[0] == pytest.approx(right, abs=2e-4)


@pytest.mark.parametrize("dof", DEGREES)
def test_large_weights_beside_many_small_ones_against_simulation(dof):
    rng, draws = np.random.default_rng(1), 200_000
    x = rng.chisquare(1, draws) + 0.3 * rng.chisquare(1, draws) + rng.chisquare(dof, draws) / dof
    for q in (0.5, 1.2, 2.3, 5.0, 9.0):
        p, _ = weighted_chi_square_tail(q, np.array([1, 0.3, 1 / dof]), np.array([1, 1, dof]))
        assert abs(p - (x > q).mean()) < 4.5 * math.sqrt(p * (1 - p) / draws) + 1e-5


@pytest.mark.parametrize("dof", [200.0, 1e3, 1e5])
def test_many_small_weights_are_a_shift_in_the_limit(dof):
    """An exact form: two equal weights beside a mean of chi-squares; the tail of the sum is exp(-q/2) times the moment at 1/2, far out."""
    w, d = np.array([1.0, 0.5 / dof]), np.array([2.0, dof])
    q = 40.0
    exact = -q / 2 - dof / 2 * math.log1p(-0.5 / dof)
    assert weighted_chi_square_tail(q, w, d)[1] == pytest.approx(exact, rel=1e-6)


def test_the_tail_falls_and_both_tails_meet_at_the_mean():
    w, d = np.array([1.0, 0.3, 1e-3, 1e-5]), np.array([1.0, 2.5, 1e3, 1e5])
    mean = float(w @ d)
    p = [weighted_chi_square_tail(q, w, d)[0] for q in np.linspace(0.02, 4, 120) * mean]
    assert np.all(np.diff(p) <= 1e-12)
    below, above = (weighted_chi_square_tail(mean * (1 + e), w, d)[0] for e in (-1e-9, 1e-9))
    assert below == pytest.approx(above, rel=1e-6)


class TestTheRestOfASpectrum:
    """The clip: what a difference of sums leaves must be possible for the eigenvalues that were not computed."""

    largest = np.array([2.0, 1.0, 0.5])

    @pytest.mark.parametrize("squares", [0.0, 5.2500001, 5.3, 5.4, 6.0, 100.0])
    def test_it_is_possible(self, squares):
        weights, degrees = _with_rest(self.largest, 4.3, squares, 10)
        rest = 4.3 - 3.5
        assert weights[-1] * degrees[-1] == pytest.approx(rest)
        assert 1 - 1e-12 <= degrees[-1] <= 10 + 1e-9
        assert 0 < weights[-1] <= self.largest[-1] + 1e-12

    def test_what_is_possible_is_kept(self):
        rest = np.array([0.4, 0.3, 0.1])
        both = np.append(self.largest, rest)
        weights, degrees = _with_rest(self.largest, both.sum(), np.sum(both**2), 10)
        assert weights[-1] ** 2 * degrees[-1] == pytest.approx(np.sum(rest**2))

    def test_one_small_eigenvalue_left_is_itself(self):
        """Without the bound rest² a rest of .01 would have a weight up to .5 and .02 degrees of freedom."""
        weights, degrees = _with_rest(self.largest, 3.51, 99.0, 10)
        assert (weights[-1], degrees[-1]) == pytest.approx((0.01, 1.0))


def test_all_eigenvalues_and_the_leading_ones_agree_above_3000_rows():
    rng, n = np.random.default_rng(0), 3100
    z = rng.standard_t(2, n)
    noise = rng.standard_t(2, size=(2, n))
    data = np.column_stack([np.tanh(z) + 0.5 * noise[0], np.sin(z) + 0.5 * noise[1], z])
    batch = KCI().fit(data)._pair_batch([((0,), (1,))], (2,))
    found, w = batch.leading_spectrum(0, 20), batch.product(0)
    assert (found.total, found.squares) == pytest.approx((np.trace(w), np.sum(w**2)), rel=1e-9)


class TestCauchy:
    @pytest.mark.parametrize("log_p", [[-600.0, -1.0], [-40.0, -0.5], [-1000.0, -2000.0], [-1000.0, -1000.0]])
    def test_far_tail(self, log_p):
        """[-600, -1] is -inf today with SciPy 1.13, [-1000, -2000] is -600 with every SciPy."""
        exact = math.log(len(log_p)) - np.logaddexp.reduce(-np.array(log_p))
        statistic, found = _cauchy(np.array(log_p))
        assert found == pytest.approx(exact, rel=1e-9)
        assert math.isfinite(statistic)

    @pytest.mark.parametrize("log_p", [-1e-9, -0.1, math.log(0.5), -3.0, -35.0, -59.9, -60.1, -400.0])
    def test_equal_p_values_are_kept(self, log_p):
        assert _cauchy(np.full(3, log_p))[1] == pytest.approx(log_p, rel=1e-6)


def test_gcm_without_set_is_the_exact_test_of_correlation_of_products():
    """Its level at 20 rows with normal noise, where the centred spread of today rejects more often; heavier tails make it conservative."""
    rng, n = np.random.default_rng(0), 20
    p = [GCM().fit(rng.normal(size=(n, 2)))(0, 1).p_value for _ in range(600)]
    assert 0.025 < np.mean(np.array(p) < 0.05) < 0.075


def _no_dependence(seed, n=50):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    return np.column_stack(
        [z + (0.3 + np.abs(z)) * rng.normal(size=n), np.sin(z) + rng.standard_t(4, size=n), z]
    )


def test_laws_for_few_rows_hold_their_level_and_give_no_power_away():
    """Three hundred draws of fifty rows: without the correction a third as many are rejected as the level allows."""
    p = np.array(
        [
            [KCI(few_rows=few).fit(_no_dependence(seed))(0, 1, (2,)).p_value for few in (True, False)]
            for seed in range(300)
        ]
    )
    corrected, plain = (p < 0.05).mean(axis=0)
    assert 0.025 <= corrected <= 0.08
    assert plain < corrected


def test_the_correction_is_that_of_all_permutations():
    """Without conditioning set mean and variance are known; here against permutations that are drawn."""
    rng = np.random.default_rng(0)
    data = np.column_stack([rng.normal(size=60), rng.standard_t(3, size=60)])
    batch = KCI(width=0.3, few_rows=True).fit(data)._pair_batch([((0,), (1,))], ())
    mean, factor = batch.few_rows
    a, b = (batch._host(batch.left, 0), batch._host(batch.right, batch.pairs[0][1]))
    a, b = a @ a.T, b @ b.T
    drawn = [
        float(np.sum(a * b[np.ix_(order, order)])) for order in (rng.permutation(60) for _ in range(8000))
    ]
    scale = float(batch.moments.statistic[0]) / float(np.sum(a * b))
    assert mean[0] == pytest.approx(scale * np.mean(drawn), rel=0.02)
    assert float(batch.moments.variance[0]) / factor[0] ** 2 == pytest.approx(
        scale**2 * np.var(drawn), rel=0.06
    )


def test_with_many_rows_nothing_is_corrected():
    data = _no_dependence(0, 1500)
    p = [KCI(few_rows=few).fit(data)(0, 1, (2,)).p_value for few in (True, False)]
    assert p[0] == pytest.approx(p[1], abs=0.01)


@pytest.mark.parametrize("combine", ["stouffer", "cauchy"])
def test_parts_without_variation_do_not_outweigh_the_others(combine):
    """One row in a thousand is not zero: most parts have none of them, and their p of 1 is no evidence."""
    rng = np.random.default_rng(0)
    x = np.zeros(2000)
    x[rng.choice(2000, 4, replace=False)] = 1
    y = rng.normal(size=2000) + 8 * x
    test = DivideAndCombine("fisher_z", part_rows=100, combine=combine)
    with pytest.warns(ConstantColumnWarning):
        found = test.fit(np.column_stack([x, y]))(0, 1)
    assert found.p_value < 1e-6
    assert found.n < 2000
