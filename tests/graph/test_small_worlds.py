"""Every DAG with at most four nodes: classes, closures, separation and possible descendants against enumeration."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from itertools import combinations, product

import networkx as nx
import numpy as np
import pytest

from causalkit import BackgroundKnowledge, CausalGraph, Mark
from causalkit.exceptions import KnowledgeError, NotExtendableError
from causalkit.graph import _classes, _meek
from causalkit.graph._pattern import Pattern
from tests.conftest import all_dags

NAMES = "ABCD"


@cache
def graphs(d):
    return [CausalGraph.from_adjacency(a, NAMES[:d]) for a in all_dags(d)]


@cache
def classes(d):
    """Group DAGs by skeleton and unshielded colliders (Verma and Pearl 1990)."""
    found = defaultdict(list)
    for g in graphs(d):
        found[(g.marks > 0).tobytes(), g.unshielded_colliders()].append(g)
    return list(found.values())


def common_arrows(members):
    """Return the marks that all members of a class share, with undirected edges where they disagree."""
    arrows = np.all([g.marks == Mark.ARROW for g in members], axis=0)
    edge = members[0].marks > 0
    return np.where(arrows, Mark.ARROW, np.where(edge, Mark.TAIL, 0))


@pytest.mark.parametrize(("d", "n_graphs", "n_classes"), [(1, 1, 1), (2, 3, 2), (3, 25, 11), (4, 543, 185)])
def test_counts_of_graphs_and_classes_are_the_published_ones(d, n_graphs, n_classes):
    """Numbers of labelled DAGs (OEIS A003024) and of Markov equivalence classes (OEIS A007984)."""
    assert len(graphs(d)) == n_graphs
    assert len(classes(d)) == n_classes


@pytest.mark.parametrize("d", [2, 3, 4])
def test_cpdag_is_what_all_members_of_the_class_share(d):
    for members in classes(d):
        expected = common_arrows(members)
        for g in members:
            np.testing.assert_array_equal(g.to_cpdag().marks, expected)


@pytest.mark.parametrize("d", [2, 3, 4])
def test_extension_of_a_cpdag_is_a_member_of_its_class(d):
    for members in classes(d):
        assert members[0].to_cpdag().to_dag() in members


@pytest.mark.parametrize("d", [3, 4])
def test_knowledge_closure_is_what_the_agreeing_members_share(d):
    """For one or two required arrows: Meek's rules give exactly what the remaining members of the class share."""
    for members in classes(d):
        cpdag = members[0].to_cpdag()
        undirected = [(e.u, e.v) for e in cpdag.edges if e.is_undirected]
        directions = [pair for u, v in undirected for pair in ((u, v), (v, u))]
        for required in [*combinations(directions, 1), *combinations(directions, 2)]:
            check_knowledge(members, cpdag, required)


def check_knowledge(members, cpdag, required):
    if required[0] == required[-1][::-1]:
        return
    agreeing = [g for g in members if all(g.has_directed_edge(*pair) for pair in required)]
    knowledge = BackgroundKnowledge(required=required)
    if agreeing:
        np.testing.assert_array_equal(cpdag.to_mpdag(knowledge).marks, common_arrows(agreeing))
    else:
        with pytest.raises(KnowledgeError) as caught:
            cpdag.to_mpdag(knowledge)
        assert set(caught.value.conflict) <= {f"required {a} -> {b}" for a, b in required}


def test_rule_four_needs_its_non_adjacency_condition():
    """The case that implementations without the condition get wrong: with b — d present nothing follows."""
    with_condition = CausalGraph.parse("a --- b; a --- d; a --- c; d -> c; c -> b", kind="PDAG")
    assert with_condition.to_mpdag().has_directed_edge("a", "b")
    without = CausalGraph.parse("a --- b; a --- d; a --- c; d -> c; c -> b; d -> b", kind="PDAG").to_mpdag()
    assert not without.has_directed_edge("a", "b")


def all_pdags(d):
    """Yield every graph of directed and undirected edges."""
    pairs = list(combinations(range(d), 2))
    for states in product(range(4), repeat=len(pairs)):
        parents, undirected = [0] * d, [0] * d
        for (i, j), state in zip(pairs, states, strict=True):
            if state == 1:
                parents[j] |= 1 << i
            elif state == 2:
                parents[i] |= 1 << j
            elif state == 3:
                undirected[i] |= 1 << j
                undirected[j] |= 1 << i
        yield Pattern(parents, undirected)


def consistent_extensions(pattern, dags):
    """List the DAGs with the pattern's skeleton, arrows and no further unshielded collider, by brute force."""
    marks = pattern.marks()
    for g in dags:
        same = np.array_equal(g.marks > 0, marks > 0)
        arrows = (marks == Mark.ARROW) & (marks.T == Mark.TAIL)
        if (
            same
            and (g.marks[arrows] == Mark.ARROW).all()
            and not _classes.new_colliders(pattern, g._parent_masks)
        ):
            yield g


@pytest.mark.parametrize("d", [3, pytest.param(4, marks=pytest.mark.slow)])
def test_extension_and_closure_of_every_mixed_pattern(d):
    """Dor and Tarsi find an extension exactly when there is one; Meek's rules never orient against all of them."""
    for pattern in all_pdags(d):
        members = list(consistent_extensions(pattern, graphs(d)))
        parents = _classes.extension(pattern)
        if not members:
            assert parents is None or pattern.cycle() is not None
            continue
        assert parents in [g._parent_masks for g in members]
        closed = pattern.copy()
        _meek.close(closed)
        shared = common_arrows(members)
        oriented = (closed.marks() == Mark.ARROW) & (closed.marks().T == Mark.TAIL)
        assert (shared[oriented] == Mark.ARROW).all()


@pytest.mark.parametrize("d", [2, 3, 4])
def test_separation_agrees_with_networkx(d):
    for g in graphs(d):
        peer = g.to_networkx()
        for x, y in combinations(g.nodes, 2):
            rest = [n for n in g.nodes if n not in (x, y)]
            for size in range(len(rest) + 1):
                for given in combinations(rest, size):
                    assert g.separated(x, y, given) == nx.is_d_separator(peer, {x}, {y}, set(given))


@pytest.mark.parametrize("d", [3, 4])
def test_possible_descendants_are_the_descendants_in_some_member(d):
    for members in classes(d):
        cpdag = members[0].to_cpdag()
        check_possible(cpdag, members)
        undirected = [(e.u, e.v) for e in cpdag.edges if e.is_undirected]
        for u, v in undirected:
            required = BackgroundKnowledge(required=[(u, v)])
            check_possible(cpdag.to_mpdag(required), [g for g in members if g.has_directed_edge(u, v)])


def check_possible(graph, members):
    for node in graph.nodes:
        below = {n for g in members for n in g.descendants(node)}
        assert set(graph.possible_descendants(node)) == below
        above = {n for g in members for n in g.ancestors(node)}
        assert set(graph.possible_ancestors(node)) == above


def latent_projection(dag, hidden):
    """Project a DAG on its observed nodes by the definition, path by path (Verma 1993)."""
    seen = [n for n in dag.nodes if n not in hidden]
    directed, bidirected = np.zeros((len(seen),) * 2, int), np.zeros((len(seen),) * 2, bool)
    peer = dag.to_networkx()
    through = peer.subgraph([*hidden])
    for i, a in enumerate(seen):
        for j, b in enumerate(seen):
            reach = set(peer.successors(a)) | {
                x
                for h in set(peer.successors(a)) & set(hidden)
                for m in nx.descendants(through, h) | {h}
                for x in peer[m]
            }
            directed[i, j] = b in reach
    for h in hidden:
        below = {x for m in nx.descendants(through, h) | {h} for x in peer[m] if x in seen}
        for a, b in combinations([n for n in seen if n in below], 2):
            bidirected[seen.index(a), seen.index(b)] = bidirected[seen.index(b), seen.index(a)] = True
    marks = CausalGraph.from_adjacency(directed, seen).marks
    return CausalGraph("ADMG", seen, marks, bidirected=bidirected)


def test_separation_in_an_admg_is_that_of_the_dag_with_its_latent_nodes():
    for dag in graphs(4):
        for hidden in ("A", "B"):
            admg = latent_projection(dag, [hidden])
            for x, y in combinations(admg.nodes, 2):
                rest = [n for n in admg.nodes if n not in (x, y)]
                for given in [(), *combinations(rest, 1)]:
                    assert admg.separated(x, y, given) == dag.separated(x, y, given)


def test_invalid_kinds_are_refused_exactly():
    """Among all graphs on three nodes, exactly the 11 completed graphs pass as CPDAG."""
    valid = 0
    for pattern in all_pdags(3):
        try:
            CausalGraph("CPDAG", "ABC", pattern.marks())
        except (NotExtendableError, ValueError):
            continue
        valid += 1
    assert valid == 11
