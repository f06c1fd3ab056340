"""Members of equivalence classes: all, their number, one at random."""

from __future__ import annotations

from collections import Counter
from itertools import permutations
from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from causalkit import BackgroundKnowledge, CausalGraph
from causalkit.exceptions import GraphError, GraphKindError
from causalkit.graph import _members, random_dag
from causalkit.graph._members import MemberCounter, enumerate_members
from causalkit.graph._pattern import Pattern
from tests.graph.strategies import dags
from tests.graph.test_small_worlds import classes


def complete(d):
    return CausalGraph.from_adjacency(np.triu(np.ones((d, d), dtype=int), 1))


@pytest.mark.parametrize("d", [1, 2, 3, 4])
def test_members_are_exactly_those_of_the_class(d):
    for members in classes(d):
        found = list(members[0].to_cpdag().class_members())
        assert set(found) == set(members)
        assert len(found) == len(members) == members[0].class_size()


@settings(max_examples=150, deadline=None)
@given(dags(7), st.randoms(use_true_random=False))
def test_size_of_a_class_with_knowledge_is_the_number_of_members(g, random):
    """Knowledge puts arrows inside undirected components, where the formula does not apply."""
    arrows = random.sample(list(g.edges), min(2, g.n_edges))
    mpdag = g.to_cpdag().to_mpdag(BackgroundKnowledge(required=[_ends(e) for e in arrows]))
    members = list(mpdag.class_members())
    assert len(set(members)) == len(members) == mpdag.class_size()
    assert all(m.to_cpdag() == g.to_cpdag() for m in members)
    assert g in members
    assert mpdag.sample_member(rng=1) in members


def _ends(edge):
    return (edge.u, edge.v) if edge.mark_v.name == "ARROW" else (edge.v, edge.u)


@pytest.mark.parametrize("d", [2, 5, 30])
def test_complete_graphs_have_a_member_for_each_order(d):
    assert complete(d).class_size() == factorial(d)


def test_a_tree_has_a_member_for_each_root():
    star = CausalGraph.parse("; ".join(f"C -> L{k}" for k in range(200)))
    assert star.class_size() == 201


def test_members_are_drawn_with_equal_probability():
    """A chordal graph with cliques of several sizes, and one with knowledge; 300 draws per member; seeds are fixed."""
    for text, knowledge in (
        ("A -> B; A -> C; B -> C; C -> D; B -> D; D -> E", None),
        ("A -> B; A -> C; B -> C; C -> D; B -> D; D -> E", BackgroundKnowledge(required=[("C", "D")])),
    ):
        g = CausalGraph.parse(text).to_cpdag().to_mpdag(knowledge)
        members, rng = list(g.class_members()), np.random.default_rng(0)
        counts = Counter(g.sample_member(rng) for _ in range(300 * len(members)))
        assert set(counts) <= set(members)
        assert stats.chisquare([counts[m] for m in members]).pvalue > 1e-3


@pytest.mark.parametrize("listed", [0, 1000])
def test_many_are_drawn_with_equal_probability(listed, monkeypatch):
    """Two components, one of them with an arrow inside; listed and drawn by number, or drawn one by one."""
    monkeypatch.setattr(_members, "MAX_LISTED", listed)
    text = "A -> B; A -> C; B -> C; C -> D; B -> D; P -> Q; Q -> R; P -> R"
    knowledge = BackgroundKnowledge(required=[("C", "D")])
    mpdag = CausalGraph.parse(text).to_cpdag().to_mpdag(knowledge)
    pattern, size = Pattern.from_marks(mpdag.marks), mpdag.class_size()
    edges = list(pattern.undirected_edges())
    members = {tuple(bool(parents[v] >> u & 1) for u, v in edges) for parents in enumerate_members(pattern)}
    drawn = MemberCounter().draw_many(pattern, 300 * size, np.random.default_rng(0))
    counts = Counter(map(tuple, drawn.tolist()))
    assert set(counts) <= members
    assert len(members) == size
    assert stats.chisquare([counts[m] for m in members]).pvalue > 1e-3


def test_draws_from_a_class_that_knowledge_cut_take_no_more_steps_than_counting():
    """5040 members behind three arrows inside one clique; 2000 draws used to be refused."""
    names = complete(8).nodes
    knowledge = BackgroundKnowledge(required=[(names[k], names[k + 1]) for k in (0, 2, 4)])
    mpdag = complete(8).to_cpdag().to_mpdag(knowledge)
    assert mpdag.class_size() == factorial(8) // 8
    drawn = MemberCounter().draw_many(Pattern.from_marks(mpdag.marks), 2000, np.random.default_rng(0))
    edges = list(Pattern.from_marks(mpdag.marks).undirected_edges())
    first = drawn[:, edges.index((0, 2))].mean()
    orders = [p for p in permutations(range(8)) if all(p.index(k) < p.index(k + 1) for k in (0, 2, 4))]
    exact = np.mean([p.index(0) < p.index(2) for p in orders])
    assert abs(first - exact) < 4 * np.sqrt(0.25 / 2000)


def test_same_seed_same_member():
    g = random_dag(30, expected_degree=4, rng=3)
    assert g.sample_member(rng=5) == g.sample_member(rng=5)


def test_listing_is_lazy():
    members = complete(12).class_members()
    assert len({next(members) for _ in range(5)}) == 5


def test_classes_of_other_kinds_are_refused():
    with pytest.raises(GraphKindError, match="class_size needs"):
        CausalGraph.parse("A o-o B", kind="PAG").class_size()


def test_counting_with_much_knowledge_is_bounded(monkeypatch):
    monkeypatch.setattr(_members, "MAX_SPLITS", 3)
    g = (
        complete(9)
        .to_cpdag()
        .to_mpdag(BackgroundKnowledge(required=[("X1", "X2"), ("X3", "X4"), ("X5", "X6")]))
    )
    with pytest.raises(GraphError, match="class_members"):
        g.class_size()
