"""Adjustment distances against gadjid and against linear models; marks, orders and chance."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings

from causalkit import CausalGraph
from causalkit.evaluation import aid, mark_confusion, order_accuracy, overlap, sid
from causalkit.exceptions import GraphError, GraphKindError, ParameterError
from causalkit.graph import random_dag
from tests.graph.strategies import dags
from tests.strength.linear import is_unbiased

STRATEGIES = ("parent", "ancestor", "oset")


def two(seed, d=8):
    rng = np.random.default_rng(seed)
    names = [f"V{k}" for k in range(d)]
    return [random_dag(names, expected_degree=2.5, rng=rng) for _ in range(2)]


def as_gadjid(graph):
    """1 at [i, j] for i -> j; 2 at one of [i, j], [j, i] for i - j."""
    arrow = (graph.marks == 2) & (graph.marks.T == 3)
    line = np.triu((graph.marks == 3) & (graph.marks.T == 3))
    return (arrow + 2 * line).astype(np.int8)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("kinds", [("DAG", "DAG"), ("CPDAG", "CPDAG"), ("DAG", "CPDAG"), ("CPDAG", "DAG")])
def test_against_gadjid(strategy, kinds):
    gadjid = pytest.importorskip("gadjid")
    theirs = {"parent": gadjid.parent_aid, "ancestor": gadjid.ancestor_aid, "oset": gadjid.oset_aid}[strategy]
    for seed in range(25):
        graphs = [g if kind == "DAG" else g.to_cpdag() for g, kind in zip(two(seed), kinds, strict=True)]
        share, mistakes = theirs(*map(as_gadjid, graphs), edge_direction="from row to column")
        mine = aid(*graphs, strategy=strategy)
        assert mine.mistakes == mistakes, (seed, *map(str, graphs))
        assert mine.normalized == pytest.approx(share)


@pytest.mark.parametrize("seed", range(6))
def test_sid_counts_biased_effects(seed):
    """Against linear models of the true graph: adjust for the estimated parents, or claim that there is no effect on a parent."""
    true, other = two(seed, d=6)
    wrong = 0
    for x, y in permutations(true.nodes, 2):
        parents = other.parents(x)
        wrong += y in true.descendants(x) if y in parents else not is_unbiased(true, (x,), y, parents)
    assert sid(true, other) == wrong


@settings(max_examples=40, deadline=None)
@given(dags(6))
def test_a_graph_has_no_distance_from_itself_or_from_itself_listed_otherwise(g):
    for strategy in STRATEGIES:
        assert aid(g, g, strategy=strategy).mistakes == 0
        assert aid(g.to_cpdag(), g.to_cpdag().reorder(g.nodes[::-1]), strategy=strategy).mistakes == 0


def test_published_example():
    """Peters and Bühlmann (2015): a graph with one more edge has distance 0, one with an edge missing has not."""
    true = CausalGraph.parse("A -> B; A -> C; B -> C")
    less = true.without_edge("A", "B")
    assert sid(less, true) == 0
    assert sid(true, less) > 0


def test_confusion_of_marks():
    true = CausalGraph.parse("A -> C; B -> C; C -> D").to_pag()
    found = CausalGraph.parse("A -> C; B o-> C; D; A o-o D", kind="PAG").reorder(["D", "A", "B", "C"])
    counts = mark_confusion(true, found).counts
    assert counts.sum() == 12
    assert counts.tolist() == [[4, 2, 0, 0], [0, 1, 0, 1], [1, 0, 2, 0], [1, 0, 0, 0]]
    assert "circle" in str(mark_confusion(true, found))
    with pytest.raises(GraphKindError, match="ADMG"):
        mark_confusion(CausalGraph.parse("A <-> B", kind="ADMG"), CausalGraph.parse("A -> B"))


def test_overlap_by_chance_is_not_significant():
    p = [overlap(*two(seed, d=12), n_permutations=99).p_value for seed in range(60)]
    assert np.mean(np.array(p) <= 0.05) <= 0.12
    g, h = two(0, d=12)
    assert overlap(g, g).p_value == 0.001
    assert overlap(g, h).expected < g.n_edges
    assert overlap(g, g.to_cpdag(), skeleton=True).shared == g.n_edges
    assert overlap(g, h, rng=3) == overlap(g, h, rng=3)


def test_order():
    g = random_dag(10, rng=1)
    assert order_accuracy(g, g.topological_order()) == 1
    assert order_accuracy(g, g.topological_order()[::-1]) == 0
    assert order_accuracy(CausalGraph.parse("A --- B", kind="CPDAG"), ["B", "A"]) == 1
    with pytest.raises(ParameterError, match="each of the 10 nodes"):
        order_accuracy(g, g.nodes[:3])


def test_what_cannot_be_compared():
    g = CausalGraph.parse("A -> B")
    with pytest.raises(GraphKindError, match="CPDAGs"):
        aid(g, g.with_kind("PAG"))
    with pytest.raises(GraphKindError, match="sid compares DAGs"):
        sid(g, g.to_cpdag())
    with pytest.raises(GraphError, match="different nodes"):
        aid(g, CausalGraph.parse("A -> C"))
    with pytest.raises(ParameterError, match="strategy"):
        aid(g, g, strategy="best")


def test_overlap_knows_one_edge_in_two_forms():
    """The same edge is <-> among the marks of a MAG and in the plane of an ADMG; beside it another may stand."""
    mag = CausalGraph.parse("A <-> B; B -> C", kind="MAG")
    assert overlap(mag, mag.with_kind("ADMG")).shared == 2
    bow = CausalGraph.parse("A -> B; A <-> B; B -> C", kind="ADMG")
    assert overlap(bow, CausalGraph.parse("A -> B; B -> C")).shared == 2
    assert overlap(bow, bow).shared == 3
