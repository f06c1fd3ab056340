"""Ancestral graphs, their classes and latent projections against enumeration of small worlds."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from itertools import chain, combinations, product

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalkit import CausalGraph, Mark
from causalkit.exceptions import GraphError, GraphKindError, InvalidGraphError
from causalkit.graph import _pag, random_dag
from tests.graph.strategies import admgs, dags

NAMES = "ABCD"
ENDS = {
    0: (0, 0),
    1: (Mark.TAIL, Mark.ARROW),
    2: (Mark.ARROW, Mark.TAIL),
    3: (Mark.ARROW, Mark.ARROW),
    4: (Mark.TAIL, Mark.TAIL),
}


def subsets(items):
    return chain.from_iterable(combinations(items, k) for k in range(len(items) + 1))


def separations(g, nodes=None, given=()):
    """Return every separation of two nodes by a set, as a tuple of booleans."""
    names = sorted(nodes or g.nodes)
    return tuple(
        g.separated(a, b, [*z, *given])
        for a, b in combinations(names, 2)
        for z in subsets([n for n in names if n not in (a, b)])
    )


@cache
def ancestral_graphs(d, types):
    """Return every valid MAG on d nodes with edges of the first types."""
    found, pairs = [], list(combinations(range(d), 2))
    for edges in product(range(types), repeat=len(pairs)):
        marks = np.zeros((d, d), dtype=int)
        for (i, j), edge in zip(pairs, edges, strict=True):
            marks[j, i], marks[i, j] = ENDS[edge]
        try:
            found.append(CausalGraph("MAG", NAMES[:d], marks))
        except InvalidGraphError:
            continue
    return found


@cache
def classes(d, types):
    found = defaultdict(list)
    for g in ancestral_graphs(d, types):
        found[separations(g)].append(g)
    return list(found.values())


def common(members):
    """Return the marks that all members share, circles where they differ."""
    stack = np.array([g.marks for g in members])
    return np.where((stack == stack[0]).all(axis=0), stack[0], Mark.CIRCLE)


WORLDS = [(3, 5), (4, 5)]


@pytest.mark.parametrize(("d", "types"), WORLDS)
def test_pag_is_what_all_members_of_the_class_share(d, types):
    for members in classes(d, types):
        expected = common(members)
        for g in members[:3]:
            np.testing.assert_array_equal(g.to_pag().marks, expected, err_msg=str(g))


@pytest.mark.parametrize(("d", "types"), WORLDS)
def test_member_of_a_pag_is_in_its_class(d, types):
    for members in classes(d, types):
        pag = members[0].to_pag()
        assert separations(pag.to_mag()) == separations(members[0])
        assert separations(pag) == separations(members[0])


@pytest.mark.parametrize(("d", "types"), WORLDS)
def test_graphs_are_equivalent_within_classes_and_not_between(d, types):
    firsts = [members[0] for members in classes(d, types)][::7]
    for g, h in combinations(firsts, 2):
        assert not g.is_markov_equivalent(h)
    for members in classes(d, types)[::5]:
        assert members[0].is_markov_equivalent(members[-1].reorder(tuple(NAMES[:d][::-1])))


@settings(max_examples=150, deadline=None)
@given(admgs(max_nodes=6), st.data())
def test_projections_keep_the_separations_among_observed_nodes(g, data):
    nodes = list(g.nodes)
    hidden = data.draw(st.lists(st.sampled_from(nodes), max_size=2, unique=True))
    rest = [n for n in nodes if n not in hidden]
    selected = data.draw(st.lists(st.sampled_from(rest), max_size=1)) if rest else []
    observed = [n for n in rest if n not in selected]
    if not observed:
        return
    expected = separations(g, observed, given=selected)
    assert separations(g.to_admg(hidden), observed, given=selected) == expected
    mag = g.to_mag(hidden, selected)
    assert separations(mag, observed) == expected
    assert separations(mag.to_pag(), observed) == expected


def test_projection_keeps_what_is_known_about_nodes_and_reads_roles():
    g = CausalGraph.parse("U -> A; U -> B; A -> S; B -> S")
    g = g.with_node_data("U", role="latent").with_node_data("A", unit="mm")
    assert str(g.to_admg()) == "A, B, S; A -> S; B -> S; A <-> B"
    assert g.to_admg().node_data["A"]["unit"] == "mm"
    assert str(g.with_node_data("S", role="selection").to_mag()) == "A --- B"


def test_textbook_graphs():
    """Y-structure: the arrow that is visible in the PAG (Zhang 2008, section 3); and a discriminating path."""
    assert str(CausalGraph.parse("A -> C; B -> C; C -> D").to_pag()) == "A o-> C; B o-> C; C -> D"
    g = CausalGraph.parse("A -> B; B <-> C; C -> D; B -> D", kind="MAG")
    assert g.to_pag().edge_between("C", "D") == "->"
    g = CausalGraph.parse("A -> B; B <-> C; C <-> D; B -> D", kind="MAG")
    assert g.to_pag().edge_between("C", "D") == "<->"


def brute_separators(g, x, y, within):
    return [set(z) for z in subsets(within) if g.separated(x, y, z)]


@settings(max_examples=200, deadline=None)
@given(st.one_of(dags(6), admgs(6), st.sampled_from(ancestral_graphs(4, 5))), st.data())
def test_minimal_separator_is_a_separator_and_minimal(g, data):
    if g.n_nodes < 2:
        return
    x, y = data.draw(st.permutations(g.nodes))[:2]
    others = [n for n in g.nodes if n not in (x, y)]
    within = data.draw(st.lists(st.sampled_from(others), unique=True)) if others else []
    include = data.draw(st.lists(st.sampled_from(within), unique=True, max_size=2)) if within else []
    found = g.minimal_separator(x, y, include=include, within=within)
    possible = [z for z in brute_separators(g, x, y, within) if z >= set(include)]
    if found is None:
        assert not possible
    else:
        assert set(found) in possible
        assert not any(z < set(found) for z in possible)


@pytest.mark.parametrize("g", [g for m in classes(4, 5) for g in m][::60], ids=str)
def test_minimal_separators_in_all_small_worlds(g):
    for x, y in combinations(g.nodes, 2):
        for within in subsets([n for n in g.nodes if n not in (x, y)]):
            found, possible = g.minimal_separator(x, y, within=within), brute_separators(g, x, y, within)
            if found is None:
                assert not possible
            else:
                assert set(found) in possible
                assert not any(z < set(found) for z in possible)


def test_minimal_separator_of_sets_agrees_with_networkx():
    rng = np.random.default_rng(0)
    for seed in range(40):
        g = random_dag(12, expected_degree=3, rng=seed)
        x, y = rng.choice(g.nodes, 2, replace=False).tolist()
        theirs = nx.find_minimal_d_separator(g.to_networkx(), x, y)
        mine = g.minimal_separator(x, y)
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert g.separated(x, y, mine)


def test_bad_separators_are_refused():
    g = CausalGraph.parse("A -> B; B -> C; D")
    with pytest.raises(GraphError, match="disjoint"):
        g.minimal_separator("A", "A")
    with pytest.raises(GraphError, match="part of within"):
        g.minimal_separator("A", "C", include=["B"], within=["D"])
    with pytest.raises(GraphKindError, match="UNKNOWN"):
        g.with_kind("UNKNOWN").minimal_separator("A", "C")


def test_kinds_that_have_no_projection_are_refused():
    g = CausalGraph.parse("A --- B", kind="CPDAG")
    for method in (g.to_admg, g.to_mag, g.to_pag):
        with pytest.raises(GraphKindError, match="this one is a CPDAG"):
            method()
    with pytest.raises(GraphError, match="different nodes"):
        g.is_markov_equivalent(CausalGraph.parse("A -> C"))


def members_without_selection(g, limit):
    """Walk through the directed members of a class: single changes between -> and <-> connect them (Zhang and Spirtes 2005)."""
    wanted, seen, waiting = separations(g), {g}, [g]
    while waiting and len(seen) < limit:
        current = waiting.pop()
        for i, j in np.argwhere(current.marks > 0):
            marks = current.marks.copy()
            marks[i, j] = Mark.TAIL if marks[i, j] == Mark.ARROW else Mark.ARROW
            if marks[i, j] == Mark.TAIL == marks[j, i]:
                continue
            try:
                other = CausalGraph("MAG", current.nodes, marks)
            except InvalidGraphError:
                continue
            if other not in seen and separations(other) == wanted:
                seen.add(other)
                waiting.append(other)
    return seen


@pytest.mark.parametrize(
    ("seeds", "limit", "least"), [(12, 60, 3), pytest.param(60, 300, 15, marks=pytest.mark.slow)]
)
def test_pag_of_six_nodes_is_what_the_walk_through_the_class_shares(seeds, limit, least):
    """Random graphs with hidden nodes and classes that are not too large."""
    checked = 0
    for seed in range(seeds):
        dag = random_dag(9, expected_degree=3.5, rng=seed)
        mag = dag.to_mag(dag.nodes[:3])
        members = members_without_selection(mag, limit)
        if 1 < len(members) < limit:
            checked += 1
            np.testing.assert_array_equal(mag.to_pag().marks, common(list(members)), err_msg=f"seed {seed}")
    assert checked > least


# Worlds in which one mark is put by one rule alone: graph, rule, the tail that it puts.
NEEDS = [
    ("a -> b; a -> c; b -> c; d -> b; b -> e; d -> c; e -> c; f -> c; e -> f; g -> f", "_rule_8", ("b", "c")),
    ("a -> b; a -> c; a -> d; a -> e; b -> c; b -> d; c -> e; d -> e", "_rule_10", ("a", "e")),
]


@pytest.mark.parametrize(("text", "rule", "tail"), NEEDS)
def test_worlds_that_need_a_rule(monkeypatch, text, rule, tail):
    """Without it the tail is a circle, and all members of the class share it."""
    mag = CausalGraph.parse(text).to_mag()
    a, b = (mag.index(n) for n in tail)
    whole = mag.to_pag().marks
    assert whole[b, a] == Mark.TAIL
    members = members_without_selection(mag, 400)
    assert 1 < len(members) < 400
    np.testing.assert_array_equal(whole, common(list(members)))
    monkeypatch.setattr(_pag, "_RULES", tuple(r for r in _pag._RULES if r.__name__ != rule))
    assert _pag.completed(mag.marks)[b, a] == Mark.CIRCLE


def test_a_tail_is_never_walked_into():
    """In A o- B the tail says that B is no effect of A; in A o-o B either may be."""
    g = CausalGraph.parse("A o- B; C o-o D", kind="PAG")
    assert g.possible_descendants("A") == ()
    assert g.possible_descendants("B") == ("A",)
    assert g.possible_ancestors("A") == ("B",)
    assert g.possible_descendants("C") == ("D",)
