"""Votes on colliders and what happens to contradictions, on skeletons and evidence written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from causalkit.discovery._colliders import TripleEvidence, _judge
from causalkit.discovery._orientation import Orienter
from causalkit.discovery._separations import ConditioningSet, Separations
from causalkit.discovery._skeleton import Skeleton
from causalkit.graph._pattern import Pattern

NOBODY = np.zeros((6, 6), dtype=bool)


def orient(edges, d, triples, contexts=()):
    adjacent = np.zeros((d, d), dtype=bool)
    for i, j in edges:
        adjacent[i, j] = adjacent[j, i] = True
    orienter = Orienter(Pattern.from_skeleton(adjacent), "ABCDEF"[:d], frozenset(contexts))
    orienter.orient_contexts()
    orienter.orient_colliders(triples)
    orienter.close()
    return orienter


def collider(i, k, j, p=0.5):
    return TripleEvidence(i, k, j, "collider", n_sets=1, n_without=1, p_value=p, p_given_middle=1e-4)


def chain(i, k, j):
    return TripleEvidence(i, k, j, "no collider", n_sets=1, p_value=0.5)


def judged(sets, rule="majority", doubtful=NOBODY):
    """Judge A - B - C from p-values by conditioning set; what is not named is dependent."""
    tested = {given: ConditioningSet(given, p, float(np.log(p)), p > 0.05) for given, p in sets.items()}
    for given in list(tested):
        beside = tuple(sorted({*given, 1}))
        tested.setdefault(beside, ConditioningSet(beside, 1e-3, float(np.log(1e-3)), False))
    skeleton = Skeleton(NOBODY, Separations(6), NOBODY, doubtful)
    separating = [t for t in tested.values() if t.separates]
    return _judge((0, 1, 2), separating, tested, skeleton, rule)


@pytest.mark.parametrize(
    ("sets", "majority", "conservative", "max_p"),
    [
        ({(): 0.3}, "collider", "collider", "collider"),
        ({(1,): 0.3}, "no collider", "no collider", "no collider"),
        ({(): 0.3, (1,): 0.6}, "ambiguous", "ambiguous", "no collider"),
        ({(): 0.6, (1,): 0.3}, "ambiguous", "ambiguous", "ambiguous"),
        ({(): 0.3, (3,): 0.2, (1, 3): 0.01, (1,): 0.04}, "collider", "collider", "collider"),
        ({(): 0.01, (1, 3): 0.3, (3,): 0.2, (1,): 0.6}, "no collider", "ambiguous", "no collider"),
        ({(): 0.01, (1,): 0.01}, "ambiguous", "ambiguous", "ambiguous"),
    ],
)
def test_separating_sets_vote(sets, majority, conservative, max_p):
    found = [judged(sets, rule).verdict for rule in ("majority", "conservative", "max_p")]
    assert found == [majority, conservative, max_p]


def test_a_collider_must_show_dependence_given_the_middle():
    """The set with the largest p-value leaves the middle out, and with the middle added it separates still."""
    found = judged({(): 0.9, (1,): 0.4}, rule="max_p")
    assert (found.n_sets, found.n_without, found.verdict) == (2, 1, "ambiguous")
    assert "given the middle" in found.reason
    assert found.p_given_middle == 0.4


def test_an_edge_that_the_tests_would_have_removed_makes_its_triples_ambiguous():
    doubtful = np.zeros((6, 6), dtype=bool)
    doubtful[0, 1] = doubtful[1, 0] = True
    assert judged({(): 0.3}, doubtful=doubtful).verdict == "ambiguous"
    assert judged({(1,): 0.3}, doubtful=doubtful).verdict == "ambiguous"


def test_of_two_contradicting_colliders_the_better_supported_stands():
    """A -> B <- C and B -> C <- D cannot both hold: B - C would need two directions."""
    edges = [(0, 1), (1, 2), (2, 3)]
    for first, second in ((0.6, 0.2), (0.2, 0.6)):
        orienter = orient(edges, 4, [collider(0, 1, 2, first), collider(1, 2, 3, second)])
        assert orienter.pattern.is_directed(2, 1) == (first > second)
        assert orienter.pattern.is_directed(1, 2) == (second > first)
        assert len(orienter.conflicts) == 1


def test_a_collider_that_was_left_out_is_no_chain():
    """B -> C <- D was left out for A -> B <- C, so that C -> B says nothing of D - C by rule 1 either way."""
    orienter = orient(
        [(0, 1), (1, 2), (2, 3), (3, 4)],
        5,
        [collider(0, 1, 2, 0.6), collider(1, 2, 3, 0.2), collider(2, 3, 4, 0.1)],
    )
    assert orienter.pattern.is_directed(4, 3)
    assert orienter.pattern.is_directed(2, 3)
    assert len(orienter.conflicts) == 1


def test_a_context_is_never_the_middle_of_a_collider():
    orienter = orient([(0, 2), (1, 2)], 3, [], contexts=[2])
    assert orienter.pattern.is_directed(2, 0)
    assert orienter.pattern.is_directed(2, 1)


def test_an_edge_that_the_rules_pull_both_ways_stays_undirected():
    """C -> A - X - Y - B <- C without a collider: A's arrow runs through X to Y, B's through Y to X. Recorded, and no exception."""
    edges = [(4, 0), (0, 1), (1, 2), (2, 3), (4, 3)]
    orienter = orient(
        edges, 5, [chain(0, 1, 2), chain(1, 2, 3), chain(1, 0, 4), chain(2, 3, 4)], contexts=[4]
    )
    assert orienter.pattern.is_directed(0, 1)
    assert orienter.pattern.is_directed(3, 2)
    assert orienter.pattern.is_undirected(1, 2)
    assert orienter.conflicts == ["B and C: what else was found demands both directions; the edge has none"]


def test_colliders_are_kept_where_others_contradict_one_another():
    """Two colliders that contradict one another cost one of them, and not the third that has nothing to do with them."""
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]
    triples = [collider(0, 1, 2, 0.6), collider(1, 2, 3, 0.2), chain(2, 3, 4), collider(3, 4, 5, 0.1)]
    orienter = orient(edges, 6, triples)
    assert orienter.pattern.is_directed(5, 4)
    assert orienter.pattern.is_directed(3, 4)
    assert len(orienter.conflicts) == 1


def test_the_receipt_counts_sets():
    orienter = orient([(0, 1), (1, 2)], 3, [TripleEvidence(0, 1, 2, "collider", "", 7, 5, 0.31, 0.002)])
    note = orienter.receipts[0, 1].note
    assert "in 2 of 7 sets" in note
    assert "p = 0.31" in note
    assert "p = 0.002" in note
