"""Size and power of the kernel test, against exact binomial bands, with fixed seeds.

The bands are those in which the rejection rate of a test with size .05 falls with probability .999. Where the test must not reject
more often than .08 (domains, drift), that is the bound. Every scenario in which another common choice fails has that choice beside
it as a control that must fail: if it did not, the scenario would prove nothing.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from causalkit.independence import KCI, kci_test

ALPHA = 0.05


def band(repetitions):
    """Return the range of rejection rates of an exact test at .05 that holds with probability .999."""
    law = stats.binom(repetitions, ALPHA)
    return law.ppf(0.0005) / repetitions, law.ppf(0.9995) / repetitions


def upper(repetitions, rate=0.08):
    """Return the largest rejection rate compatible with a true rate of at most .08, with probability .999."""
    return stats.binom(repetitions, rate).ppf(0.999) / repetitions


def rejections(draw, repetitions, **options):
    """Return the share of repetitions with p < .05; `draw(rng)` returns the arguments of the test."""
    p = [kci_test(*draw(np.random.default_rng([11, seed])), **options).p_value for seed in range(repetitions)]
    return float(np.mean(np.array(p) < ALPHA))


def unequal(k, n):
    """Return domain labels with sizes from 1 to 20, geometrically."""
    sizes = np.maximum(2, np.round(np.geomspace(1, 20, k) / np.geomspace(1, 20, k).sum() * n)).astype(int)
    sizes[-1] += n - sizes.sum()
    return np.repeat(np.arange(k), sizes)


def by_domain(k, n, *, sizes="equal", slope=0.0):
    """Return a draw of X and Y whose means shift by 2 sd between domains, with a direct effect of the given slope."""

    def draw(rng):
        domain = np.arange(n) % k if sizes == "equal" else unequal(k, n)
        shift = 2 * rng.normal(size=(2, k))
        noise = rng.normal(size=n)
        y = shift[1][domain] + slope * noise + np.sqrt(1 - slope**2) * rng.normal(size=n)
        return shift[0][domain] + noise, y, domain

    return draw


def by_time(cycles, n, slope=0.0):
    """Return a draw of X and Y that drift in sinusoids of random phase, or jump once if `cycles` is 0."""

    def draw(rng):
        time = np.arange(n) / n

        def drift():
            if cycles:
                return 2 * np.sin(2 * np.pi * (cycles * time + rng.random()))
            return 2.0 * (time > rng.uniform(0.2, 0.8))

        noise = rng.normal(size=n)
        y = drift() + slope * noise + np.sqrt(1 - slope**2) * rng.normal(size=n)
        return drift() + noise, y, time

    return draw


LABELS = {"z_types": ["categorical"]}
TIME = {"z_types": ["time"]}


class TestGivenDomain:
    @pytest.mark.parametrize("k", [3, 10])
    def test_level(self, k):
        assert rejections(by_domain(k, 200), 100, **LABELS) <= upper(100)

    def test_numbered_labels_fail_where_the_delta_kernel_holds(self):
        """The control: 20 domains as numbers, as every other implementation has them."""
        assert rejections(by_domain(20, 300), 60) > 0.3
        assert rejections(by_domain(20, 300), 60, **LABELS) <= upper(60)

    @pytest.mark.slow
    @pytest.mark.parametrize("sizes", ["equal", "unequal"])
    @pytest.mark.parametrize("k", [2, 3, 5, 10, 20])
    @pytest.mark.parametrize("n", [300, 500])
    def test_level_in_full(self, n, k, sizes):
        assert rejections(by_domain(k, n, sizes=sizes), 400, **LABELS) <= upper(400)

    @pytest.mark.slow
    @pytest.mark.parametrize(("k", "rate"), [(10, 0.25), (20, 0.7)])
    def test_peer_with_numbered_labels(self, k, rate):
        """causal-learn's test on the same draws rejects a true independence far too often."""
        from causallearn.utils.cit import CIT

        p = [
            CIT(np.column_stack(by_domain(k, 300)(np.random.default_rng([11, s]))), "kci")(0, 1, [2])
            for s in range(100)
        ]
        assert np.mean(np.array(p) < ALPHA) > rate

    @pytest.mark.slow
    @pytest.mark.parametrize(("k", "power"), [(5, 0.90), (10, 0.80), (20, 0.60)])
    def test_power(self, k, power):
        """Coefficient .3 of the standard deviation within domains, n = 300; three standard errors of 400 draws are allowed."""
        slack = 3 * np.sqrt(power * (1 - power) / 400)
        assert rejections(by_domain(k, 300, slope=0.3), 400, **LABELS) >= power - slack

    def test_permutation_within_domains_is_exact(self):
        low, high = band(120)
        assert low <= rejections(by_domain(5, 60), 120, null="permutation", **LABELS) <= high


class TestGivenTime:
    @pytest.mark.parametrize("cycles", [0, 3])
    def test_level(self, cycles):
        assert rejections(by_time(cycles, 200), 80, **TIME) <= upper(80)

    def test_time_as_an_ordinary_number_fails(self):
        """The control: the fixed width and ridge of the original code cannot follow six cycles."""
        fixed = {"regression": 1e-3, "width": "empirical"}
        assert rejections(by_time(6, 300), 60, **fixed) > 0.4
        assert rejections(by_time(6, 300), 60, **TIME) <= upper(60)

    @pytest.mark.slow
    @pytest.mark.parametrize("cycles", [0, 1, 3, 6, 12])
    @pytest.mark.parametrize("n", [300, 500])
    def test_level_in_full(self, n, cycles):
        assert rejections(by_time(cycles, n), 400, **TIME) <= upper(400)

    @pytest.mark.slow
    @pytest.mark.parametrize("cycles", [1, 6])
    def test_power(self, cycles):
        """Following six cycles costs power: what is left must still be several times the level."""
        assert rejections(by_time(cycles, 300, slope=0.3), 200, **TIME) > {1: 0.65, 6: 0.4}[cycles]


FUNCTIONS = [np.tanh, np.sin, np.square, np.cos, lambda v: v]


def given_numbers(n, n_z, tail="normal", shared=0.0, only_first=False):
    """Return a draw in which all of Z, or its first column, acts on X and Y through random functions."""

    def draw(rng):
        z = rng.multivariate_normal(np.zeros(n_z), 0.3 + 0.7 * np.eye(n_z), size=n)
        f, g = rng.choice(len(FUNCTIONS), 2)
        weights = np.eye(n_z)[[0, 0]] if only_first else rng.uniform(0.5, 1, (2, n_z)) / np.sqrt(n_z)
        noise = rng.standard_t(3, size=(3, n)) if tail == "t3" else rng.normal(size=(3, n))
        x = FUNCTIONS[f](z @ weights[0]) + 0.5 * noise[0] + shared * noise[2]
        y = FUNCTIONS[g](z @ weights[1]) + 0.5 * noise[1] + shared * noise[2]
        return x, y, z

    return draw


class TestGivenNumbers:
    def test_level(self):
        assert rejections(given_numbers(150, 3), 100) <= upper(100)

    def test_a_fixed_ridge_fails_on_many_columns(self):
        """The control: five conditioning columns, 300 rows, the ridge of the original code."""
        assert rejections(given_numbers(300, 5, only_first=True), 80, regression=1e-3) > 0.15
        assert rejections(given_numbers(300, 5, only_first=True), 80) <= upper(80)

    @pytest.mark.slow
    @pytest.mark.parametrize("tail", ["normal", "t3"])
    @pytest.mark.parametrize("n_z", [1, 2, 3, 5])
    @pytest.mark.parametrize("n", [200, 500])
    def test_level_in_full(self, n, n_z, tail):
        assert rejections(given_numbers(n, n_z, tail), 300) <= upper(300)

    @pytest.mark.slow
    @pytest.mark.parametrize("n_z", [1, 3])
    def test_power(self, n_z):
        assert rejections(given_numbers(200, n_z, shared=0.5), 100) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "options"),
    [
        (by_domain(10, 1000), LABELS),
        (by_time(6, 1000), TIME),
        (by_time(12, 1000), TIME),
        (given_numbers(1000, 3), {}),
    ],
    ids=["domain", "6 cycles", "12 cycles", "3 numbers"],
)
def test_level_at_a_thousand_rows(draw, options):
    assert rejections(draw, 100, **options) <= upper(100)


class TestUnconditional:
    @pytest.mark.parametrize("kind", ["time", "labels"])
    def test_variables_that_do_not_change_are_rarely_adjacent_to_the_context(self, kind):
        def draw(rng):
            context = np.arange(150) if kind == "time" else np.array(list("abcde"))[np.arange(150) % 5]
            return rng.normal(size=150), context

        assert rejections(draw, 300) <= upper(300, 0.06)

    def test_level_and_uniform_p_values(self):
        p = []
        for seed in range(300):
            x, y = np.random.default_rng([5, seed]).normal(size=(2, 100))
            p.append(kci_test(x, y).p_value)
        low, high = band(300)
        assert low <= np.mean(np.array(p) < ALPHA) <= high

    @pytest.mark.slow
    def test_p_values_are_uniform(self):
        p = [kci_test(*np.random.default_rng([6, s]).normal(size=(2, 500))).p_value for s in range(500)]
        assert stats.kstest(p, "uniform").pvalue > 1e-3

    def test_changes_of_mean_and_of_variance_between_domains_are_seen(self):
        """A mean shift (0, 1.5, 0) that correlation with the labels cannot see, and a tripled variance in one domain."""
        seen = np.zeros(2)
        for seed in range(60):
            rng = np.random.default_rng([8, seed])
            domain = np.arange(300) % 3
            mean = np.array([0, 1.5, 0])[domain] + rng.normal(size=300)
            spread = np.sqrt(np.array([1, 3, 1]))[domain] * rng.normal(size=300)
            test = KCI(column_types=["continuous", "continuous", "categorical"]).fit(
                np.column_stack([mean, spread, domain])
            )
            seen += [test(0, 2).p_value < ALPHA, test(1, 2).p_value < ALPHA]
        assert seen[0] >= 59
        assert seen[1] >= 50
