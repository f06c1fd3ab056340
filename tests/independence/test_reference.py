"""Agreement with the original implementation: recorded numbers for fixed and for learned kernel widths."""

from __future__ import annotations

import json

import numpy as np
import pytest

from causalkit.independence import KCI, Delta, Gamma, Gaussian, Spectral, center_gram, kci_test
from causalkit.independence._gaussian_process import fit_gaussian_process, principal_targets
from tests.conftest import SHARED
from tests.independence.dense import conditional, residual_maker

FOLDER = SHARED / "reference" / "cdnod"


def load(name):
    """Return the cases of one set, or nothing where the numbers are not at hand."""
    if not FOLDER.is_dir():
        return [], {}
    cases = json.loads((FOLDER / f"{name}.json").read_text())["cases"]
    return cases, np.load(FOLDER / f"{name}.npz", allow_pickle=False)


A, A_ARRAYS = load("A_unconditional")
B, B_ARRAYS = load("B_conditional")


def columns(arrays, case, names):
    return [arrays[f"{case['id']}__{name}"] for name in names]


def z_types(case, width):
    """Name the column that the original recognises as time: the last one, if it is the row number."""
    last_is_time = case["z_columns"].startswith("last column is the time")
    return ["continuous"] * (width - 1) + ["time" if last_is_time else "continuous"]


@pytest.mark.parametrize("case", A, ids=lambda c: c["id"])
def test_unconditional(case):
    x, y = columns(A_ARRAYS, case, "xy")
    expected = case["result"]
    width = "empirical" if case["width_arg"] == 0 else case["width_arg"]
    gamma = kci_test(x, y, width=width, few_rows=False, factorization="exact")
    assert gamma.statistic == pytest.approx(expected["statistic"], rel=1e-9)
    assert gamma.p_value == pytest.approx(expected["p_gamma"], abs=1e-7)
    spectral = kci_test(
        x, y, width=width, few_rows=False, null=Spectral(leading=None, cut=1e-6), factorization="exact"
    )
    assert spectral.p_value == pytest.approx(expected["p_exact"], abs=1e-7)


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("case", B, ids=lambda c: c["id"])
def test_conditional_with_fixed_widths(case, swapped):
    x, y, z = columns(B_ARRAYS, case, "xyz")
    expected = case["results"]["t_nogp_swapped" if swapped else "t_nogp"]
    if swapped:
        x, y = y, x
    options = {
        "width": expected["kernel_width_used"],
        "regression": 1e-3,
        "form": "joined",
        "factorization": "exact",
        "z_types": z_types(case, z.shape[1]),
        "shared": 0.0,
        "time_width": 0.1,
    }
    gamma = kci_test(x, y, z, few_rows=False, null=Gamma(cut=1e-5), **options)
    assert gamma.statistic == pytest.approx(expected["statistic"], rel=1e-7)
    assert gamma.p_value == pytest.approx(expected["p_gamma"], abs=1e-7)
    spectral = kci_test(x, y, z, few_rows=False, null=Spectral(leading=None), **options)
    assert spectral.p_value == pytest.approx(expected["p_exact"], abs=1e-7)


def standardized(values):
    return (values - values.mean(0)) / values.std(0, ddof=1)


def grams(case, expected):
    """Return the centred Gram matrices of (x, z/2) and of y, and standardised z, as the formulas of the original say."""
    x, y, z = (standardized(v) for v in columns(B_ARRAYS, case, "xyz"))
    width = expected["kernel_width_used"] * np.sqrt(z.shape[1])
    first = center_gram(Gaussian(width)(np.hstack([x, z / 2])))
    return first, center_gram(Gaussian(width)(y)), z


def learned_maker(z, log_theta):
    theta = np.exp(log_theta)
    return residual_maker(Gaussian(tuple(theta[:-2]), theta[-2] ** 2)(z), theta[-1] ** 2)


@pytest.mark.parametrize("case", B, ids=lambda c: c["id"])
@pytest.mark.numpy_only
def test_conditional_with_the_recorded_hyperparameters(case):
    expected = case["results"]["t_gp"]
    first, second, z = grams(case, expected)
    rx, ry = (learned_maker(z, expected["gp"][side]["log_theta"]) for side in "xy")
    a, b = rx @ first @ rx, ry @ second @ ry
    result = conditional(Gamma(cut=1e-5), a, b)
    assert result.statistic == pytest.approx(expected["statistic"], rel=1e-7)
    assert result.p_value == pytest.approx(expected["p_gamma"], abs=1e-7)
    assert conditional(Spectral(leading=None), a, b).p_value == pytest.approx(expected["p_exact"], abs=1e-7)


@pytest.mark.parametrize("case", B, ids=lambda c: c["id"])
def test_marginal_likelihood_is_minimised_at_least_as_well(case):
    expected = case["results"]["t_gp"]
    first, second, z = grams(case, expected)
    n = len(first)
    for side, gram, limit in (("x", first, min(400, n // 4)), ("y", second, min(200, n // 5))):
        record = expected["gp"][side]
        targets = principal_targets(gram, limit)
        assert targets.shape[1] == record["n_target_columns"]
        start = np.exp(expected["gp"]["log_theta_start"])
        fit = fit_gaussian_process(z.T, targets, start, bounds=(1e-6, 1e9))
        assert fit.objective <= record["nlml_end"] + 0.01


@pytest.mark.parametrize(
    "case", [c for c in B if c["id"] in ("B_01", "B_02", "B_06", "B_08")], ids=lambda c: c["id"]
)
def test_conditional_with_learned_widths(case):
    x, y, z = columns(B_ARRAYS, case, "xyz")
    expected = case["results"]["t_gp"]
    result = kci_test(
        x, y, z, few_rows=False, form="joined", null=Gamma(cut=1e-5), regression="gaussian_process"
    )
    assert result.statistic == pytest.approx(expected["statistic"], rel=1e-3)
    assert result.p_value == pytest.approx(expected["p_gamma"], abs=1e-3)


@pytest.mark.parametrize("n_z", [0, 1, 3])
@pytest.mark.parametrize("n", [150, 300])
def test_agreement_with_causal_learn(n, n_z):
    """Same widths, ridge and order: the gap left is the peer's truncation of eigenvalues at 1e-5."""
    from causallearn.utils.cit import CIT

    rng = np.random.default_rng(n + n_z)
    z = rng.normal(size=(n, n_z))
    x = np.sin(z.sum(1)) + rng.normal(size=n)
    y = np.tanh(z.sum(1)) + 0.3 * x + rng.normal(size=n)
    data = np.column_stack([x, y, z])
    width = {150: 1.2, 300: 0.7}[n] if n_z else {150: 0.8, 300: 0.5}[n]
    theirs = CIT(data, "kci", approx=True)(0, 1, list(range(2, 2 + n_z)))
    ours = KCI(width=width, regression=1e-3, form="joined", few_rows=False).fit(data)(
        0, 1, tuple(range(2, 2 + n_z))
    )
    assert ours.p_value == pytest.approx(theirs, abs=2.5e-4)


def test_delta_kernel_is_the_limit_of_far_apart_numbers():
    codes = np.array([[0.0], [0.0], [1.0], [2.0]])
    np.testing.assert_allclose(Gaussian(1.0)(codes * 1e3), Delta()(codes), atol=1e-12)
