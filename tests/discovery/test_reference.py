"""Agreement of Phase III, driving forces and whole runs with recorded numbers of the original implementation."""

from __future__ import annotations

import json

import numpy as np
import pytest

from causalkit import CausalGraph, Mark
from causalkit.discovery import (
    CDNOD,
    IndependentChange,
    KernelEmbedding,
    dependence_score,
    gaussian_gram,
    mechanism_gram,
)
from causalkit.discovery._contexts import ContextPoints
from causalkit.discovery._driving_force import PrincipalAxes
from causalkit.discovery._embedding import squared_distances
from causalkit.independence import Gaussian, Spectral, kci_test
from tests.conftest import SHARED

FOLDER = SHARED / "reference" / "cdnod"


def load(name):
    """Return the cases of one set, or nothing where the numbers are not at hand."""
    if not FOLDER.is_dir():
        return [], {}
    cases = json.loads((FOLDER / f"{name}.json").read_text())["cases"]
    return cases, np.load(FOLDER / f"{name}.npz", allow_pickle=False)


C, C_ARRAYS = load("C_direction")
D, D_ARRAYS = load("D_driving_force")
E, E_ARRAYS = load("E_full_run")


def standardized(values):
    return (values - values.mean(0)) / values.std(0, ddof=1)


def median_with_zeros(gram):
    """The original's width: the median over all pairs of rows, those with equal context included."""
    return float(np.median(squared_distances(gram)[np.tril_indices(len(gram), -1)]))


def original_gaussian(gram):
    return gaussian_gram(gram, median_with_zeros(gram))


def fixed_grams(x, y, c, width):
    """M of P(effect | causes) and of P(causes) with the original's fixed widths and ridge 2."""
    context = Gaussian(1.0)(c)
    causes, effect = Gaussian(width)(x), Gaussian(width)(y)
    return mechanism_gram(effect, context, causes, ridge=2.0), mechanism_gram(causes, context, ridge=2.0)


def learned_grams(x, y, c, width, conditional, marginal):
    """The same with learned length-scales, signal and noise; the marginal keeps the fixed width for the causes."""
    *scales, time_scale, signal, noise = np.exp(conditional)
    causes = Gaussian(tuple(scales), signal**2)(x)
    context = Gaussian(min(time_scale, 1e4), signal**2)(c)
    joint = Gaussian((*scales, min(time_scale, 1e4)), signal**2)(np.hstack([x, c]))
    first = mechanism_gram(Gaussian(width)(y), context, causes, ridge=noise**2, joint=joint)
    scale, signal, noise = np.exp(marginal)
    context = Gaussian(min(scale, 1e4), signal**2)(c)
    return first, mechanism_gram(Gaussian(width)(x), context, ridge=noise**2)


def hypotheses(mode):
    return [
        pytest.param(case, entry, id=f"{case['id']}-{k}")
        for case in C
        for k, entry in enumerate(case["results"][mode])
    ]


def sides(case, entry):
    x = C_ARRAYS[f"{case['id']}__X"]
    causes = standardized(x[:, [k - 1 for k in entry["cause_columns"]]])
    return causes, standardized(x[:, [entry["effect_column"] - 1]]), C_ARRAYS[f"{case['id']}__c"]


def check_scores(entry, conditional, marginal, rel):
    assert median_with_zeros(conditional) == pytest.approx(entry["sigma2_conditional"], rel=rel)
    assert median_with_zeros(marginal) == pytest.approx(entry["sigma2_marginal"], rel=rel)
    first, second = original_gaussian(conditional), original_gaussian(marginal)
    assert dependence_score(second, first, "none") == pytest.approx(entry["statistic"], rel=rel)
    assert dependence_score(second, first, "trace") == pytest.approx(entry["statistic_normalised"], rel=rel)


@pytest.mark.parametrize(("case", "entry"), hypotheses("fixed"))
def test_direction_with_fixed_widths(case, entry):
    conditional, marginal = fixed_grams(*sides(case, entry), entry["kernel_width_used"])
    check_scores(entry, conditional, marginal, 1e-6 if "domain" in case["c_index"] else 1e-7)


@pytest.mark.parametrize(("case", "entry"), hypotheses("gp"))
def test_direction_with_the_recorded_hyperparameters(case, entry):
    theta = entry["gp_conditional"]["log_theta"], entry["gp_marginal"]["log_theta"]
    conditional, marginal = learned_grams(*sides(case, entry), entry["kernel_width_used"], *theta)
    check_scores(entry, conditional, marginal, 1e-6 if "domain" in case["c_index"] else 1e-7)


@pytest.mark.parametrize("case", [c for c in C if c["matrices"]], ids=lambda c: c["id"])
def test_direction_matrix_by_matrix(case):
    entry = case["results"]["fixed"][0]
    conditional, marginal = fixed_grams(*sides(case, entry), entry["kernel_width_used"])
    name = f"{case['id']}__fixed__"
    np.testing.assert_allclose(conditional, C_ARRAYS[name + "M_linear_conditional"], rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(marginal, C_ARRAYS[name + "M_linear_marginal"], rtol=1e-8, atol=1e-14)
    np.testing.assert_allclose(
        original_gaussian(conditional), C_ARRAYS[name + "M_gauss_conditional"], rtol=1e-7
    )


# -- driving forces ------------------------------------------------------------------------------------------------------


def force_gram(case, mode, values, c, n_parents):
    result = case["results"][mode]
    width = result["kernel_width_used"]
    scaled = values / values.std(0, ddof=1)
    effect = Gaussian(width)(scaled[:, [-1]])
    parents = scaled[:, :n_parents]
    if mode == "fixed":
        causes = Gaussian(width)(parents) if n_parents else None
        return mechanism_gram(effect, Gaussian(1.0)(c), causes, ridge=result["ridge"])
    *scales, time_scale, signal, noise = np.exp(result["gp"]["log_theta"])
    context = Gaussian(time_scale, signal**2)(c)
    joint = Gaussian((*scales, time_scale), signal**2)(np.hstack([parents, c]))
    causes = Gaussian(tuple(scales), signal**2)(parents)
    return mechanism_gram(effect, context, causes, ridge=noise**2, joint=joint)


@pytest.mark.parametrize("mode", ["fixed", "gp"])
@pytest.mark.parametrize("case", D, ids=lambda c: c["id"])
def test_driving_forces(case, mode):
    """Spectra to 1e-7; components up to the mean and the scale that the original leaves in them."""
    values, c = D_ARRAYS[f"{case['id']}__X"], D_ARRAYS[f"{case['id']}__c"]
    expected = case["results"][mode]
    gram = force_gram(case, mode, values, c, values.shape[1] - 1)
    gauss = original_gaussian(gram)
    share = np.full(len(c), 1 / len(c))
    for kind, matrix in (("gauss", gauss), ("linear", gram)):
        force = PrincipalAxes.of(matrix, share, 3)
        recorded = np.array(expected[f"eigenvalues_{kind}_top10"])[:5]
        np.testing.assert_allclose(force.eigenvalues[:5], recorded, rtol=1e-6, atol=1e-9 * recorded[0])
        theirs = D_ARRAYS[f"{case['id']}__{mode}__components_{kind}"]
        for k in range(2):
            assert abs(np.corrcoef(force.coordinates[:, k], theirs[:, k])[0, 1]) > 1 - 1e-6


def test_rows_with_equal_context_are_one_point():
    """The spectrum over five domains equals that over all rows."""
    case = next((c for c in D if c["id"] == "D_03"), None)
    if case is None:
        pytest.skip("reference numbers are not at hand")
    values, c = D_ARRAYS["D_03__X"], D_ARRAYS["D_03__c"]
    scaled = values / values.std(0, ddof=1)
    width = case["results"]["fixed"]["kernel_width_used"]
    points, rows = np.unique(c[:, 0], return_inverse=True)
    at = Gaussian(1.0)(c, points[:, None])
    grams = Gaussian(width)(scaled[:, [1]]), Gaussian(1.0)(c), Gaussian(width)(scaled[:, [0]])
    gram = mechanism_gram(grams[0], grams[1], grams[2], ridge=1.0, at=at)
    sigma2 = case["results"]["fixed"]["sigma2"]
    force = PrincipalAxes.of(gaussian_gram(gram, sigma2), np.bincount(rows) / len(rows), 3)
    recorded = np.array(case["results"]["fixed"]["eigenvalues_gauss_top10"])
    np.testing.assert_allclose(force.eigenvalues[:4], recorded[:4], rtol=1e-7)


# -- whole runs ------------------------------------------------------------------------------------------------------------


def columns_of(case, node):
    """Return the columns of a node of the original's search; the last node is the context."""
    x = np.column_stack([E_ARRAYS[f"{case['id']}__X"], E_ARRAYS[f"{case['id']}__c"]])
    labels = case.get("dlabel")
    if not labels:
        return x[:, [node - 1]]
    groups = [*labels, [x.shape[1]]]
    return x[:, [k - 1 for k in groups[node - 1]]]


def replay(case, test):
    """Repeat one recorded test with its widths."""
    z = np.column_stack([columns_of(case, k) for k in test["given"]]) if test["given"] else None
    n, width = case["n"], case["width_arg"] or None
    if width is None:
        width = "empirical"
    n_nodes = len(case["result"]["g_skeleton"])
    time_last = z is not None and test["given"][-1] == n_nodes and case["c_index"].startswith("time")
    types = None if z is None else ["continuous"] * (z.shape[1] - 1) + ["time" if time_last else "continuous"]
    options = {
        "regression": 1e-3,
        "form": "joined",
        "factorization": "exact",
        "shared": 0.0,
        "z_types": types,
        "null": Spectral(leading=None, cut=1e-5 if test["given"] else 1e-6),
    }
    x, y = columns_of(case, test["i"]), columns_of(case, test["j"])
    return kci_test(x, y, z, width=width, few_rows=False, time_width=case["widthT_arg"] or 0.1, **options), n


FIXED = [c for c in E if c["if_GP1"] == 0 and not c.get("dlabel")]


@pytest.mark.parametrize("case", [c for c in E if c["if_GP1"] == 0], ids=lambda c: c["id"])
def test_every_recorded_test_of_a_run(case):
    """Variables of several columns too, except given two of them, whose columns the original enters twice."""
    for test in case["result"]["tests"]:
        if case.get("dlabel") and len(test["given"]) > 1:
            continue
        result, _ = replay(case, test)
        assert result.statistic == pytest.approx(test["statistic"], rel=1e-6)
        assert result.p_value == pytest.approx(test["p_exact"], abs=1e-6)
        if not test["borderline"]:
            assert (result.p_value > case["alpha"]) == test["independent"]


def to_graph(matrix):
    """Read the original's matrix: 1 at [i, j] alone is i -> j, -1 at both is undirected."""
    a = np.array(matrix)
    marks = np.zeros(a.shape, dtype=np.uint8)
    marks[(a == 1) & (a.T == 0)] = Mark.ARROW
    marks[(a.T == 1) & (a == 0)] = Mark.TAIL
    marks[a == -1] = Mark.TAIL
    names = [f"X{k + 1}" for k in range(len(a) - 1)] + ["context"]
    return CausalGraph("UNKNOWN", names, marks)


@pytest.mark.parametrize(
    "case", [c for c in FIXED if c["result"]["n_borderline"] == 0], ids=lambda c: c["id"]
)
def test_runs_without_borderline_tests_give_the_same_graph_before_phase_three(case):
    """Our search asks fewer tests (it stops once a pair is separated) and must still arrive at the same graph."""
    from causalkit.independence import KCI

    kind = "time" if case["c_index"].startswith("time") else "ordinal"
    test = KCI(
        few_rows=False,
        regression=1e-3,
        form="joined",
        shared=0.0,
        null=Spectral(leading=None),
        factorization="exact",
    )
    model = CDNOD(
        ci_test=test,
        alpha=case["alpha"],
        max_cond_size=case["maxFanIn"],
        independent_change=None,
        n_components=0,
        column_types={"context": kind},
    ).fit(E_ARRAYS[f"{case['id']}__X"], context=E_ARRAYS[f"{case['id']}__c"])
    expected = to_graph(case["result"]["g_inv"])
    found = model.graph_.with_kind("UNKNOWN")
    np.testing.assert_array_equal(found.marks > 0, expected.marks > 0)
    system = [n for n in expected.nodes if n != "context"]
    np.testing.assert_array_equal(found.subgraph(system).marks, expected.subgraph(system).marks)
    assert [int(name[1:]) for name in model.changing_] == case["result"]["changing_variables"]


@pytest.mark.parametrize("case", [c for c in E if c["result"]["direction_scores"]], ids=lambda c: c["id"])
def test_direction_scores_of_runs(case):
    """Scores with the recorded hyperparameters, and the sink that they choose."""
    x, c = E_ARRAYS[f"{case['id']}__X"], E_ARRAYS[f"{case['id']}__c"]
    scores = {}
    for entry in case["result"]["direction_scores"]:
        causes = standardized(x[:, [k - 1 for k in entry["causes"]]])
        effect = standardized(x[:, [entry["effect"] - 1]])
        theta = entry["log_theta_conditional"], entry["log_theta_marginal"]
        conditional, marginal = learned_grams(causes, effect, c, case["width_arg"] or 0.1, *theta)
        score = dependence_score(original_gaussian(marginal), original_gaussian(conditional), "none")
        assert score == pytest.approx(entry["statistic"], rel=1e-5)
        scores[entry["effect"]] = score
    sink = min(scores, key=scores.get)
    assert np.array(case["result"]["gns"])[[k - 1 for k in scores if k != sink], sink - 1].tolist() == [1]


# -- what the original gets wrong ----------------------------------------------------------------------------------------------


def test_two_domains_carry_no_information_about_direction():
    """For two equally large domains the original's score is the same constant for any data and both directions."""
    rng = np.random.default_rng(0)
    c = np.repeat([[1.0], [2.0]], 50, axis=0)
    constant = ((1 - np.exp(-0.5)) / 2) ** 2
    for _ in range(5):
        x = rng.normal(size=(100, 1)) + c
        y = c * x + rng.normal(size=(100, 1))
        at = (c == np.array([[1.0, 2.0]])).astype(float)
        delta = at @ at.T
        grams = Gaussian(0.5)(y), Gaussian(0.5)(x)
        conditional = gaussian_gram(mechanism_gram(grams[0], delta, grams[1], ridge=1.0, at=at))
        marginal = gaussian_gram(mechanism_gram(grams[1], delta, ridge=1.0, at=at))
        assert dependence_score(marginal, conditional, "none") == pytest.approx(constant, rel=1e-12)
        assert dependence_score(marginal, conditional, "alignment") == pytest.approx(1.0, rel=1e-9)


def test_unequal_domains_are_no_division_by_zero():
    """Most pairs of rows share a domain, so that the original's median is zero and its score is NaN; ours is a number."""
    rng = np.random.default_rng(1)
    domain = np.repeat(np.arange(6), [240, 12, 12, 12, 12, 12])
    x = rng.normal(size=6)[domain] + rng.normal(size=300)
    y = rng.normal(size=6)[domain] * x + rng.normal(size=300)
    from causalkit._validation import Table

    points = ContextPoints.of(Table(("c",), domain[:, None].astype(float), ("categorical",)))
    table = Table(("x", "y"), np.column_stack([x, y]), ("continuous", "continuous"))
    scorer = IndependentChange(embedding=KernelEmbedding())
    assert np.isfinite(scorer.score(table, "y", ["x"], points).statistic)
    over_rows = mechanism_gram(
        Gaussian(0.5)(y[:, None]), (domain[:, None] == domain).astype(float), ridge=1.0
    )
    assert median_with_zeros(over_rows) == pytest.approx(0, abs=1e-12)
