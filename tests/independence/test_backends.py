"""The same answer on every array library, in any batch, with any memory, and for factors instead of matrices."""

from __future__ import annotations

import numpy as np
import pytest

from causalkit._validation import read_table
from causalkit.exceptions import MemoryBudgetError, ParameterError
from causalkit.gpu import get_backend
from causalkit.gpu._fused import gaussian_part
from causalkit.independence import KCI, LeaveOneOut, LowRank, Spectral, kci_test
from causalkit.independence._kernel_factory import KernelFactory
from causalkit.independence._kernels import as_mixture
from tests.gpu.conftest import LIBRARIES, library
from tests.independence.dense import residual_maker

N = 150
RNG = np.random.default_rng(3)
Z = RNG.normal(size=(N, 2))
DATA = np.column_stack(
    [
        np.tanh(Z[:, 0]) + 0.5 * RNG.normal(size=N),
        Z[:, 1] ** 2 + RNG.normal(size=N),
        Z,
        RNG.integers(0, 4, N),
        np.arange(N),
    ]
)
TYPES = ["continuous"] * 4 + ["categorical", "time"]
TRIPLES = [
    (0, 1, ()),
    (0, 1, (2,)),
    (0, 3, (2,)),
    (0, 1, (2, 3)),
    (0, 1, (4,)),
    (0, 1, (5,)),
    (0, 1, (2, 4)),
    (0, 2, (3, 4, 5)),
]


def p_values(triples=TRIPLES, data=DATA, **options):
    return np.array([r.p_value for r in KCI(column_types=TYPES, **options).fit(data).batch(triples)])


OPTIONS = [
    {},
    {"regression": 1e-3},
    {"regression": 1e-3, "form": "joined"},
    {"null": "spectral"},
    {"null": "hbe"},
    {"null": Spectral(leading=None)},
    {"width": "median"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", LIBRARIES[1:])
def test_every_library_gives_the_p_values_of_numpy(name, options):
    np.testing.assert_allclose(p_values(backend=library(name), **options), p_values(**options), atol=1e-5)


@pytest.mark.parametrize("options", OPTIONS[:4], ids=str)
@pytest.mark.parametrize("name", ["numpy", pytest.param("cupy", marks=pytest.mark.gpu)])
def test_fused_kernels_give_the_p_values_of_array_calls(name, options):
    backend = get_backend(name, "cpu" if name == "numpy" else "cuda", fused=True)
    # Other pivots: where the rank of a kernel on Z is bounded, another kernel of that rank.
    np.testing.assert_allclose(p_values(backend=backend, **options), p_values(**options), atol=5e-4)


def test_fused_kernels_need_cupy():
    pytest.importorskip("torch")
    with pytest.raises(ParameterError, match="fused=True needs CuPy"):
        get_backend("torch", fused=True)


def test_every_kernel_on_numbers_is_a_sum_of_gaussians():
    factory = KernelFactory.of(read_table(DATA, TYPES), "empirical", 0.1, 0.5)
    found = 0
    for given in ((2,), (2, 3), (5,), (2, 5), (2, 3, 5), (4,), (2, 4)):
        kernels = [
            factory.conditioning(given),
            factory.joining(given),
            *factory.conditioning_candidates(given),
        ]
        for kernel in kernels:
            mixture = as_mixture(kernel, 6)
            assert (mixture is None) == (4 in given)
            if mixture is not None:
                found += 1
                rows = gaussian_part(factory.values[:9], factory.values, mixture, get_backend("numpy"))
                np.testing.assert_allclose(rows, kernel(factory.values[:9], factory.values), atol=1e-12)
    assert found > 40


@pytest.mark.parametrize("options", OPTIONS[:3], ids=str)
@pytest.mark.numpy_only
def test_a_batch_gives_what_single_tests_give(options):
    single = [p_values([triple], **options)[0] for triple in TRIPLES]
    np.testing.assert_allclose(p_values(**options), single, rtol=1e-6, atol=1e-12)
    backwards = p_values(TRIPLES[::-1], **options)[::-1]
    np.testing.assert_allclose(backwards, single, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("options", OPTIONS[:4], ids=str)
@pytest.mark.numpy_only
def test_memory_changes_nothing_until_it_is_too_small(options):
    np.testing.assert_allclose(p_values(memory_limit=2_000_000, **options), p_values(**options), atol=2e-6)
    with pytest.raises(MemoryBudgetError, match="memory_limit"):
        p_values(memory_limit=20_000, **options)


def whole_matrices(x, y, z, ridge, width):
    """The paper's definition without any factor: p-value by a gamma law."""
    x, y, z = ((v - v.mean(0)) / v.std(0, ddof=1) for v in (x[:, None], y[:, None], z))
    gram = lambda v: np.exp(-0.5 * ((v[:, None] - v[None]) ** 2).sum(2) / width**2)
    centering = np.eye(len(x)) - 1 / len(x)
    r = residual_maker(centering @ gram(z) @ centering, ridge)
    a, b = (r @ centering @ gram(v) @ centering @ r for v in (np.hstack([x, z / 2]), y))
    from scipy import stats

    mean, variance = np.trace(a * b), 2 * np.sum((a * b) ** 2)
    return stats.gamma.sf(np.sum(a * b), mean**2 / variance, scale=variance / mean)


@pytest.mark.parametrize("n_z", [1, 2, 3, 5])
@pytest.mark.parametrize("n", [60, 250, 400])
def test_factors_give_what_whole_matrices_give(n, n_z):
    """The target for the paper's definition is 2.5e-4."""
    rng = np.random.default_rng(n + n_z)
    z = rng.normal(size=(n, n_z))
    x, y = np.sin(z.sum(1)) + rng.normal(size=n), z[:, 0] ** 2 + rng.normal(size=n)
    width = 1.2 if n <= 200 else 0.6
    expected = whole_matrices(x, y, z, 1e-3, width * np.sqrt(n_z))
    options = {"few_rows": False, "regression": 1e-3, "form": "joined"}
    assert kci_test(x, y, z, **options).p_value == pytest.approx(expected, abs=1e-4)
    assert kci_test(x, y, z, factorization="exact", **options).p_value == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("noise", [0.0, 1e-4, 1e-2])
def test_a_variable_that_z_nearly_determines(noise):
    """Factors to 1e-6 of the variable would be noise beside what the regression leaves; they are made again, exactly."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=300)
    x, y = np.sin(z) + noise * rng.normal(size=300), rng.normal(size=300)
    for options in ({}, {"regression": 1e-3, "form": "joined"}):
        here = kci_test(x, y, z, **options).p_value
        assert here == pytest.approx(kci_test(x, y, z, factorization="exact", **options).p_value, abs=0.02)


@pytest.mark.parametrize("noise", [0.03, 0.1, 0.3])
@pytest.mark.parametrize("n_z", [1, 2, 3])
def test_what_a_factor_leaves_out_is_small_beside_what_the_regression_leaves(n_z, noise):
    """With factors to 1e-4 whatever is left of a variable, p-values of such draws are off by up to .01."""
    rng = np.random.default_rng(1)
    for function in (np.sin, np.tanh, np.square, np.cos):
        z = rng.normal(size=(200, n_z))
        x = function(z.sum(1)) + noise * rng.normal(size=200)
        y = z[:, 0] ** 2 + noise * rng.standard_t(3, size=200)
        options = {"regression": 1e-3, "form": "joined"}
        exact = kci_test(x, y, z, factorization="exact", **options).p_value
        assert kci_test(x, y, z, **options).p_value == pytest.approx(exact, abs=2.5e-4)


def test_the_ridge_below_the_best_is_taken_where_it_is_allowed():
    errors = np.array([[np.inf, 3.0, 1.0, 2.0], [5.0, 5.0, 5.0, 5.0]])
    found = [LeaveOneOut(undersmooth=steps)._undersmoothed(errors) for steps in (0, 1, 5)]
    assert found == [(0, 2), (0, 1), (0, 1)]
    assert LeaveOneOut() == LeaveOneOut(undersmooth=1)


def test_a_coarse_kernel_of_many_rows_is_still_a_valid_test():
    """The statistic and its null mean have the same kernel: with one of them exact, p would go to one."""
    rng = np.random.default_rng(2)
    z = rng.normal(size=(3200, 3))
    data = np.column_stack([z[:, 0] + rng.normal(size=3200), z[:, 1] + rng.normal(size=3200), z])
    fine, coarse = (
        KCI(factorization=LowRank(tolerance=t)).fit(data)(0, 1, (2, 3, 4)).p_value for t in (1e-6, 1e-4)
    )
    assert coarse == pytest.approx(fine, abs=0.1)


def test_many_rows_are_sampled_for_the_variance_only():
    rng = np.random.default_rng(0)
    z = rng.normal(size=3500)
    data = np.column_stack([np.sin(z) + rng.normal(size=3500), np.cos(z) + rng.normal(size=3500), z])
    p = [KCI(factorization=LowRank(variance_rows=rows)).fit(data)(0, 1, (2,)).p_value for rows in (500, 3500)]
    assert p[0] == pytest.approx(p[1], abs=0.01)
    assert KCI().fit(data)(0, 1, (2,)).p_value == p[0]
    pd = pytest.importorskip("pandas")
    turned = pd.DataFrame(data, columns=["X1", "X2", "X3"])[["X3", "X2", "X1"]]
    assert KCI().fit(turned)(1, 2, (0,)).p_value == pytest.approx(p[0], abs=1e-6)


def test_float32_input_is_read_as_float64():
    single = DATA[:, :3].astype(np.float32)
    expected = KCI().fit(single.astype(np.float64))(0, 1, (2,)).p_value
    assert KCI().fit(single)(0, 1, (2,)).p_value == expected


def test_more_conditioning_columns_than_rows():
    wide = np.random.default_rng(0).normal(size=(60, 70))
    assert 0 < KCI().fit(wide)(0, 1, tuple(range(2, 70))).p_value <= 1


def test_threads_of_linear_algebra_are_restored():
    """NumPy and SciPy bring one pool each; both are held to one thread inside a test and given back."""
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads():
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    with threadpool_limits(2, "blas"):
        before = threads()
        kci_test(DATA[:, 0], DATA[:, 1], DATA[:, 2])
        assert threads() == before
        with pytest.raises(MemoryBudgetError):
            p_values(memory_limit=20_000)
        assert threads() == before
