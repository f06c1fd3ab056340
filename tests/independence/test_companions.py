"""Companions of the kernel test: covariance measure, random features, and parts of the rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from causalkit.exceptions import ConstantColumnWarning, DataError, ParameterError
from causalkit.independence import (
    GCM,
    KCI,
    RCIT,
    DivideAndCombine,
    FisherZ,
    RCoT,
    fisher_z_test,
    gcm_test,
    get_test,
)

N = 200


def draw(seed, q=1, shared=0.0, n=N):
    rng = np.random.default_rng([31, seed])
    z = rng.normal(size=(n, q))
    noise = rng.normal(size=(3, n))
    x = np.sin(z.sum(1)) + 0.5 * noise[0] + shared * noise[2]
    y = np.tanh(z.sum(1)) + 0.5 * noise[1] + shared * noise[2]
    return np.column_stack([x, y, z])


def rate(test, repetitions=150, **options):
    """Return how often independence of the first two columns given the others is rejected at .05."""
    data = [draw(seed, **options) for seed in range(repetitions)]
    return np.mean([test.fit(d)(0, 1, tuple(range(2, d.shape[1]))).p_value < 0.05 for d in data])


class TestGCM:
    def test_level_and_power(self):
        assert rate(GCM(), q=2) < 0.11
        assert rate(GCM(), 40, shared=0.5) > 0.9

    def test_without_set_it_is_nearly_a_test_of_correlation(self):
        x, noise = np.random.default_rng(0).normal(size=(2, 300))
        y = 0.3 * x + noise
        expected = fisher_z_test(x, y).p_value
        assert expected < 1e-5
        assert np.log(gcm_test(x, y).p_value) == pytest.approx(np.log(expected), rel=0.35)

    def test_it_is_blind_where_residuals_are_uncorrelated_and_the_kernel_test_is_not(self):
        x = np.random.default_rng(0).normal(size=400)
        data = np.column_stack([x, x**2 - 1])
        assert GCM().fit(data)(0, 1).p_value > 0.001
        assert KCI().fit(data)(0, 1).p_value < 1e-10

    def test_labels(self):
        rng = np.random.default_rng(0)
        site = rng.integers(0, 4, 300)
        x = site + rng.normal(size=300)
        types = ["continuous", "categorical", "continuous"]
        data = np.column_stack([x, site, rng.normal(size=300)])
        test = GCM(column_types=types).fit(data)
        assert test(0, 1).p_value == 1e-4
        assert test(1, 2).p_value > 0.01
        assert test(0, 1).p_value == test(1, 0).p_value
        given = GCM(column_types=["continuous", "continuous", "categorical"])
        assert given.fit(data[:, [0, 2, 1]])(0, 1, (2,)).p_value > 0.01

    def test_p_values_with_labels_are_uniform(self):
        p = []
        for seed in range(200):
            rng = np.random.default_rng(seed)
            data = np.column_stack([rng.normal(size=100), rng.integers(0, 4, 100)])
            p.append(GCM(n_draws=999, column_types=["continuous", "categorical"]).fit(data)(0, 1).p_value)
        assert stats.kstest(p, "uniform").pvalue > 1e-3

    def test_nothing_left(self):
        data = draw(0)
        with pytest.warns(ConstantColumnWarning):
            assert GCM().fit(np.column_stack([data, np.ones(N)]))(0, 3).p_value == 1.0


@pytest.mark.parametrize("kind", [RCIT, RCoT])
class TestRandomFeatures:
    def test_level_and_power(self, kind):
        assert rate(kind()) < 0.13
        assert rate(kind(), 40, shared=0.7) > 0.6

    def test_seeds_and_orders(self, kind):
        data = draw(0, q=2, shared=0.2)
        p = kind().fit(data)(0, 1, (2, 3)).p_value
        assert p == kind().fit(data)(1, 0, (3, 2)).p_value
        assert p != kind(random_state=1).fit(data)(0, 1, (2, 3)).p_value
        pd = pytest.importorskip("pandas")
        frame = pd.DataFrame(data, columns=list("abcd"))
        here, there = kind().fit(frame)(0, 1, (2, 3)), kind().fit(frame[list("dcba")])(3, 2, (0, 1))
        assert here.p_value == pytest.approx(there.p_value, rel=1e-6)

    def test_bad_input(self, kind):
        pd = pytest.importorskip("pandas")
        with pytest.raises(DataError, match="'site' holds labels"):
            kind().fit(pd.DataFrame({"x": np.arange(20.0), "site": ["a", "b"] * 10}))
        with pytest.raises(ParameterError, match="n_features"):
            kind(n_features=0).fit(draw(0))


def test_more_columns_make_random_features_reject_too_often():
    """The reason why they are for comparison only: five columns, a true independence."""
    assert rate(RCIT(), 60, q=5) > 0.1


class TestDivideAndCombine:
    def test_few_rows_are_tested_whole(self):
        data = draw(0)
        assert DivideAndCombine(FisherZ()).fit(data)(0, 1, (2,)) == FisherZ().fit(data)(0, 1, (2,))

    @pytest.mark.parametrize("combine", ["stouffer", "cauchy"])
    def test_level_and_power(self, combine):
        test = DivideAndCombine("kci", part_rows=50, combine=combine)
        assert rate(test, 100) < 0.125
        assert rate(test, 30, shared=0.6) > 0.8

    def test_uniform_p_values(self):
        test = DivideAndCombine(FisherZ(), part_rows=50)
        p = [test.fit(np.random.default_rng(s).normal(size=(400, 2)))(0, 1).p_value for s in range(300)]
        assert stats.kstest(p, "uniform").pvalue > 1e-3

    def test_sum_of_quantiles(self):
        data = np.random.default_rng(0).normal(size=(300, 2))
        test = DivideAndCombine(FisherZ(), part_rows=100).fit(data)
        parts = [part(0, 1).p_value for part in test._tests]
        assert test(0, 1).p_value == pytest.approx(stats.combine_pvalues(parts, "stouffer").pvalue, rel=1e-9)

    @pytest.mark.parametrize("combine", ["stouffer", "cauchy"])
    def test_strong_dependence_has_a_finite_log(self, combine):
        x = np.random.default_rng(0).normal(size=400)
        noisy = x + 1e-3 * np.random.default_rng(1).normal(size=400)
        test = DivideAndCombine(FisherZ(), part_rows=100, combine=combine)
        result = test.fit(np.column_stack([x, noisy]))(0, 1)
        assert result.log_p_value < -200
        assert np.isfinite(result.log_p_value)

    def test_batches_and_bad_input(self):
        data = draw(0, q=2)
        test = DivideAndCombine("kci", part_rows=60).fit(data)
        triples = [(0, 1, ()), (0, 1, (2, 3))]
        single = [test(*t).p_value for t in triples]
        assert [r.p_value for r in test.batch(triples)] == pytest.approx(single, rel=1e-6)
        with pytest.raises(ParameterError, match="part_rows"):
            DivideAndCombine(part_rows=5).fit(data)
        with pytest.raises(ParameterError, match="combine"):
            DivideAndCombine(combine="fisher").fit(data)


def test_names():
    assert [type(get_test(name)) for name in ("gcm", "rcit", "rcot")] == [GCM, RCIT, RCoT]
