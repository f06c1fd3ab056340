"""Tests that what is said of sets and effects holds: selection, the front door, overlap, default models, codes read as numbers."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from causalkit import CausalGraph
from causalkit.exceptions import (
    ColumnTypeWarning,
    DataError,
    GraphError,
    ParameterError,
    PositivityError,
    RedundantColumnWarning,
)
from causalkit.graph._problem import read_problem
from causalkit.strength import adjustment_sets, causal_strength, check_adjustment, identify, refute
from causalkit.strength._columns import lack_of_fit
from causalkit.strength._frontdoor import front_door, is_front_door
from causalkit.strength._general import general_estimand

TRIANGLE = CausalGraph.parse("z -> x; z -> y; x -> y")
WARD = "dag{ sick -> ward; smoke -> ward; smoke -> cough; ward [selected] }"


def expit(v):
    return 1 / (1 + np.exp(-v))


# -- selection -------------------------------------------------------------------------------------------------------------

# Graph, exposure, outcome, adjusted, selected, verdict: DAGitty's own tests (test/test/selection-nodes.js and adjustment-dags.js at 7a65777) as facts.
SIMPLE = "S1 -> X; X -> Y; S2 -> Y"
ZED = "S1 -> X; Z -> X; Z -> Y; S2 -> Y"
AFTER = "X -> S1; Z -> X; Z -> Y; S2 -> Y"
DAGITTY = [
    (SIMPLE, "X", "Y", "", "", True),
    (SIMPLE, "X", "Y", "", "S1", True),
    (SIMPLE, "X", "Y", "", "S2", False),
    (SIMPLE, "X", "Y", "S2", "S1", True),
    (SIMPLE, "X", "Y", "S1", "S2", False),
    (ZED, "X", "Y", "", "S1", False),
    (ZED, "X", "Y", "Z S2", "S1", True),
    (AFTER, "X", "Y", "", "S1", False),
    (AFTER, "X", "Y", "Z S2", "S1", False),
    ("Z -> a; a -> b; b -> c; Z -> b; Z -> c; a -> c; c -> s", "a", "c", "Z", "s", False),
]


@pytest.mark.parametrize(("text", "cause", "effect", "given", "selected", "valid"), DAGITTY)
def test_selection_as_dagitty_has_it(text, cause, effect, given, selected, valid):
    g = CausalGraph.parse(text)
    for node in selected.split():
        g = g.with_node_data(node, role="selection")
    assert bool(check_adjustment(g, cause, effect, given.split())) is valid


def test_dagittys_example_of_didelez_has_no_set():
    """`listMsasTotalEffect` returns [] where outcome and selection are connected in the back-door graph (TCI -> S)."""
    text = "Age -> HRT; Age -> Occ; Age -> S; Age -> TCI; HRT -> TCI; Occ -> Smo; Occ -> Thist; Smo -> HRT; Smo -> TCI; TCI -> S; Thist -> TCI"
    g = CausalGraph.parse(text)
    assert list(adjustment_sets(g, "HRT", "TCI")) == [("Age", "Smo")]
    chosen = g.with_node_data("S", role="selection")
    assert list(adjustment_sets(chosen, "HRT", "TCI")) == []
    assert identify(chosen, "HRT", "TCI").kind == "none"


def test_sets_under_selection_do_not_name_the_selected():
    before = CausalGraph.parse(ZED.replace("; S2 -> Y", "; X -> Y")).with_node_data("S1", role="selection")
    assert list(adjustment_sets(before, "X", "Y")) == [("Z",)]
    assert identify(before, "X", "Y", strategy="temporal").adjustment_set == ("Z",)


def test_sick_and_cough():
    g = CausalGraph.from_dagitty(WARD)
    assert g.node_data["ward"]["role"] == "selection"
    assert not g.separated("sick", "cough")
    assert g.separated("sick", "cough", "smoke")
    check = check_adjustment(g, "sick", "cough", ())
    assert not check
    assert check.open_path == "sick -> ward <- smoke -> cough"
    assert "selected on ward" in str(check)
    assert "selected on ward" in identify(g, "sick", "cough").reason
    arrow = identify(g.with_edge("sick", "cough"), "sick", "cough")
    assert arrow.kind == "none"
    with pytest.raises(GraphError, match="selected on"):
        identify(g, "sick", "ward")
    with pytest.raises(GraphError, match="selected on"):
        g.separated("ward", "cough")
    assert CausalGraph.from_dagitty(g.to_dagitty()) == g


def test_rows_that_were_not_selected_are_refused():
    g = CausalGraph.from_dagitty("dag{ sick -> ward; sick -> cough; smoke -> cough; ward [selected] }")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 2, (400, 4)), columns=["sick", "smoke", "ward", "cough"])
    with pytest.raises(DataError, match="selected on 'ward'"):
        causal_strength(g, "sick", "cough", data=frame)
    found = causal_strength(g, "sick", "cough", data=frame[frame.ward == 1])
    assert "ward selected" in str(found)


def _dags(d):
    pairs, seen = list(itertools.combinations(range(d), 2)), set()
    for order in itertools.permutations(range(d)):
        for bits in itertools.product((0, 1), repeat=len(pairs)):
            a = np.zeros((d, d), dtype=int)
            for (i, j), bit in zip(pairs, bits, strict=True):
                a[order[i], order[j]] = bit
            if a.tobytes() not in seen:
                seen.add(a.tobytes())
                yield a


def _joint(a, seed, do=None):
    """Return the joint table of binary nodes with random tables, one node possibly set."""
    rng, d = np.random.default_rng(seed), len(a)
    whole = np.ones((2,) * d)
    for v in range(d):
        above = np.flatnonzero(a[:, v])
        p = rng.uniform(0.1, 0.9, (2,) * len(above))
        table = np.stack([1 - p, p], -1)
        if do == v:
            table = np.zeros_like(table)
            table[..., 1] = 1
        order = [*above, v]
        shape = [2 if k in order else 1 for k in range(d)]
        whole = whole * table.transpose(np.argsort(order)).reshape(shape)
    return whole


def _adjusted(whole, x, y, s, z):
    """Return sum over z of P(y = 1 | x = 1, z, s = 1) P(z | s = 1)."""
    rows = np.take(whole, [1], axis=s)
    others = tuple(k for k in range(whole.ndim) if k not in (x, y, s, *z))
    xyz = rows.sum(axis=others, keepdims=True)
    xz = xyz.sum(axis=y, keepdims=True)
    share = xz.sum(axis=x, keepdims=True)
    summed = (xyz / xz * share / share.sum()).sum(axis=tuple(z), keepdims=True)
    return float(np.take(np.take(summed, [1], axis=x), [1], axis=y).sum())


@pytest.mark.parametrize("part", [0, *(pytest.param(k, marks=pytest.mark.slow) for k in range(1, 8))])
def test_selection_in_every_dag_of_four_nodes_against_exact_numbers(part):
    names = "ABCD"
    for k, a in enumerate(_dags(4)):
        if k % 8 != part:
            continue
        base, whole = CausalGraph.from_adjacency(a, list(names)), _joint(a, k)
        for x, y, s in itertools.permutations(range(4), 3):
            g = base.with_node_data(names[s], role="selection")
            rest = ({0, 1, 2, 3} - {x, y, s}).pop()
            truth = _joint(a, k, do=x).sum(axis=tuple(n for n in range(4) if n != y))[1]
            for z in ((), (rest,)):
                right = bool(abs(_adjusted(whole, x, y, s, z) - truth) < 1e-9)
                assert bool(check_adjustment(g, names[x], names[y], [names[n] for n in z])) is right


# -- the front door ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", range(8))
def test_front_door_in_every_mixed_graph_of_four_nodes(part):
    """Found if and only if some set is one (all subsets tried), never a larger one, and never where the general algorithm finds a hedge."""
    pairs = list(itertools.combinations(range(4), 2))
    for k, bits in enumerate(itertools.product((0, 1), repeat=12)):
        if k % 8 != part:
            continue
        a, both = np.zeros((4, 4), dtype=int), np.zeros((4, 4), dtype=bool)
        for (i, j), arrow, arc in zip(pairs, bits[:6], bits[6:], strict=True):
            a[i, j], both[i, j], both[j, i] = arrow, arc, arc
        base = CausalGraph.from_adjacency(a, list("ABCD"))
        g = CausalGraph("ADMG", base.nodes, base.marks, bidirected=both)
        for x, y in itertools.combinations("ABCD", 2):
            problem = read_problem(g, x, y, None, (), ())
            if problem.is_zero or problem.canonical is not None:
                continue
            good = [m for m in range(1, 16) if not m & ~problem.allowed and is_front_door(problem, m)]
            found = front_door(problem)
            assert (found is None) == (not good), str(g)
            if found is not None:
                assert found in good
                assert not any(m != found and not m & ~found for m in good)
                assert general_estimand(problem) is not None


# -- strategies (these hold today, but nothing would notice if `parents` and `temporal` returned None) -------------------------


def test_parents_and_temporal_find_their_set_wherever_it_is_valid():
    found = 0
    for a in _dags(4):
        g = CausalGraph.from_adjacency(a, list("ABCD"))
        for x, y in itertools.permutations(g.nodes, 2):
            sets = {
                "parents": g.parents(x),
                "temporal": tuple(n for n in g.nodes if n not in (x, *g.descendants(x))),
            }
            for strategy, expected in sets.items():
                answer = identify(g, x, y, strategy=strategy)
                if y in g.descendants(x):
                    # All is observed, so that both are valid.
                    assert answer.adjustment_set == expected
                    found += 1
                else:
                    assert answer.kind == "zero"
    assert found > 1000


# -- overlap -----------------------------------------------------------------------------------------------------------------


def six_columns(n=1500, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 4, (n, 6))
    e = expit(0.45 * (z - 1.5) @ np.array([1, 1, -1, 0.7, -0.7, 0.5]))
    x = (rng.random(n) < e).astype(int)
    y = x + z @ np.array([1, 0.5, -0.5, 0.3, 0.2, 0.1]) + rng.normal(size=n)
    graph = CausalGraph.parse("; ".join(f"z{k} -> x; z{k} -> y" for k in range(6)) + "; x -> y")
    return graph, pd.DataFrame(z, columns=[f"z{k}" for k in range(6)]).assign(x=x, y=y)


@pytest.mark.parametrize("estimator", ["auto", "aipw", "ipw", "matching"])
def test_many_sparse_strata_are_no_lack_of_overlap(estimator):
    graph, frame = six_columns()
    found = causal_strength(graph, "x", "y", data=frame, estimator=estimator)
    assert found.value == pytest.approx(1, abs=0.25)
    assert found.overlap.supported > 0.95
    if estimator == "auto":
        assert found.estimator == "aipw"
        assert any("lack an arm because they have few rows" in note for note in found.notes)


def always_treated(n=1500, seed=2):
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 4, n)
    x = np.where(z == 3, 1, rng.integers(0, 2, n))
    return pd.DataFrame({"z": z, "x": x, "y": x + 2.0 * (z == 3) + rng.normal(size=n)})


@pytest.mark.parametrize("estimator", ["plugin", "ipw", "aipw"])
def test_a_stratum_that_is_always_treated_is_refused_or_left_out(estimator):
    frame = always_treated()
    with pytest.raises(PositivityError):
        causal_strength(TRIANGLE, "x", "y", data=frame, estimator=estimator)
    found = causal_strength(TRIANGLE, "x", "y", data=frame, estimator=estimator, empty="trim")
    assert found.value == pytest.approx(1, abs=0.2)
    assert found.overlap.supported == pytest.approx((frame.z < 3).mean(), abs=0.01)


def test_a_straight_line_of_the_user_is_contradicted_by_the_stratum():
    from sklearn.linear_model import LogisticRegression

    with pytest.raises(PositivityError, match="z = 3"):
        causal_strength(
            TRIANGLE, "x", "y", data=always_treated(), estimator="ipw", propensity_model=LogisticRegression()
        )


@pytest.mark.parametrize("estimator", ["auto", "aipw", "ipw"])
def test_rare_labels_are_refused_or_pooled(estimator):
    rng = np.random.default_rng(1)
    label, u = rng.integers(0, 700, 3000), rng.normal(size=700)
    x = (rng.random(3000) < expit(u[label])).astype(int)
    frame = pd.DataFrame({"z": [f"h{k}" for k in label], "x": x, "y": x + rng.normal(size=3000)})
    with pytest.raises(PositivityError, match="rows in an arm"):
        causal_strength(TRIANGLE, "x", "y", data=frame, estimator=estimator)
    pooled = causal_strength(TRIANGLE, "x", "y", data=frame, estimator=estimator, rare_labels="group")
    assert any("pooled" in note for note in pooled.notes)


def test_nothing_is_smoothed():
    with pytest.raises(ParameterError, match="empty is 'smooth'"):
        causal_strength(TRIANGLE, "x", "y", data=always_treated(), empty="smooth")
    with pytest.raises(PositivityError) as error:
        causal_strength(TRIANGLE, "x", "y", data=always_treated())
    assert "smooth" not in str(error.value)


# -- the default models ------------------------------------------------------------------------------------------------------


def curved(n=1000, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    x = (rng.random(n) < expit(0.8 * (z**2 - 1))).astype(int)
    return pd.DataFrame({"z": z, "x": x, "y": x + 2 * z**2 + rng.normal(size=n)})


def test_straight_lines_that_do_not_fit_are_named_and_replaced():
    found = causal_strength(TRIANGLE, "x", "y", data=curved())
    assert found.value == pytest.approx(1, abs=0.35)
    assert any("straight lines do not fit the outcome" in note for note in found.notes)


def straight(n=1000, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    x = (rng.random(n) < expit(z)).astype(int)
    return pd.DataFrame({"z": z, "x": x, "y": x + z + rng.normal(size=n)})


def test_straight_lines_that_fit_stay():
    assert causal_strength(TRIANGLE, "x", "y", data=straight()).notes == ()


@pytest.mark.slow
@pytest.mark.parametrize("world", ["straight", "curved"])
def test_default_intervals_cover_the_truth(world):
    """Two hundred draws at 95 %, whichever models are chosen; straight lines alone cover 0 of the curved ones."""
    hits = 0
    for seed in range(200):
        frame = curved(600, seed) if world == "curved" else straight(600, seed)
        low, high = causal_strength(TRIANGLE, "x", "y", data=frame).interval
        hits += low <= 1 <= high
    assert hits >= 180


def test_straight_lines_alone_miss_a_curve():
    from sklearn.linear_model import LinearRegression, LogisticRegression

    models = {"outcome_model": LinearRegression(), "propensity_model": LogisticRegression()}
    assert causal_strength(TRIANGLE, "x", "y", data=curved(), **models).interval[0] > 1.5


@pytest.mark.parametrize("seed", range(3))
def test_what_a_cluster_has_in_common_is_no_curve(seed):
    """Columns are fixed within clusters, and so is a part of the noise: taken row by row, every line is refuted."""
    rng = np.random.default_rng(seed)
    c = np.repeat(np.arange(60), 15)
    z, u = rng.normal(size=(2, 60))[:, c]
    x = (rng.random(900) < expit(z)).astype(int)
    frame = pd.DataFrame({"z": z, "x": x, "y": x + z + u + rng.normal(size=900), "c": c})
    found = causal_strength(TRIANGLE, "x", "y", data=frame, clusters="c", n_resamples=20)
    assert not any("straight lines" in note for note in found.notes)
    curve = causal_strength(
        TRIANGLE, "x", "y", data=frame.assign(y=frame.y + 3 * z**2), clusters="c", n_resamples=20
    )
    assert any("straight lines do not fit the outcome" in note for note in curve.notes)


def test_a_dose_is_not_a_straight_line_in_silence():
    rng = np.random.default_rng(5)
    z = rng.normal(size=1000)
    x = z + rng.normal(size=1000)
    frame = pd.DataFrame({"z": z, "x": x, "y": x**2 + z + 0.5 * rng.normal(size=1000)})
    found = causal_strength(TRIANGLE, "x", "y", data=frame, cause_values=(0.0, 2.0), n_resamples=20)
    assert found.value == pytest.approx(4, abs=0.3)
    assert any("straight lines do not fit" in note for note in found.notes)


# -- codes that are read as numbers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [20, 60, 300, 900])
def test_codes_jump_and_quantities_do_not(number):
    rng = np.random.default_rng(number)
    code, u = rng.integers(0, number, 2000), rng.normal(size=number)
    assert lack_of_fit(code.astype(float), u[code] + rng.normal(size=2000)) < 1e-4
    assert lack_of_fit(code.astype(float), np.sin(3 * code / number) + rng.normal(size=2000)) > 1e-4


def test_hospital_numbers_are_warned_of():
    rng = np.random.default_rng(6)
    h, u = rng.integers(0, 60, 2000), rng.normal(size=60)
    x = (rng.random(2000) < expit(u[h])).astype(int)
    frame = pd.DataFrame({"z": h, "x": x, "y": x + 2 * u[h] + rng.normal(size=2000)})
    with pytest.warns(ColumnTypeWarning, match="60 different whole numbers"):
        causal_strength(TRIANGLE, "x", "y", data=frame)


@pytest.mark.slow
def test_refute_warns_of_hospital_numbers_too():
    """As numbers they refute the right graph, as labels they do not."""
    rng = np.random.default_rng(7)
    h, u = rng.integers(0, 40, 3000), rng.normal(size=40)
    x = (rng.random(3000) < expit(u[h])).astype(int)
    frame = pd.DataFrame(
        {"z": h, "w": rng.integers(0, 2, 3000), "x": x, "y": x + 2 * u[h] + rng.normal(size=3000)}
    )
    graph = CausalGraph.parse("z -> x; z -> y; x -> y; w -> y")
    with pytest.warns(ColumnTypeWarning, match="'z' holds 40"):
        found = causal_strength(graph, "x", "y", data=frame)
    with pytest.warns(ColumnTypeWarning, match="'z' holds 40"):
        refute(found, frame, tests=["adjustment_sets"])
    kinds = {"z": "categorical"}
    found = causal_strength(graph, "x", "y", data=frame, column_types=kinds, estimator="aipw")
    assert refute(found, frame, tests=["adjustment_sets"])["adjustment_sets"].p_value > 0.05


def test_a_copy_of_the_cause_is_warned_of():
    rng = np.random.default_rng(0)
    z = rng.normal(size=500)
    frame = pd.DataFrame({"z": z, "x": z + 0.01 * rng.normal(size=500)})
    frame["y"] = frame.x + rng.normal(size=500)
    with pytest.warns(RedundantColumnWarning, match="the cause 'x' is nearly a copy of 'z'"):
        causal_strength(TRIANGLE, "x", "y", data=frame, cause_values=(0.0, 1.0), n_resamples=20)


def test_the_effect_under_another_name_is_warned_of():
    rng = np.random.default_rng(0)
    y = rng.normal(size=500)
    frame = pd.DataFrame({"z": 2.2 * y + 1, "x": rng.integers(0, 2, 500), "y": y})
    with pytest.warns(RedundantColumnWarning, match="the effect 'y' is nearly a copy of 'z'"):
        causal_strength(TRIANGLE, "x", "y", data=frame)
