"""Votes on colliders and what happens to contradictions, on skeletons written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from causalkit.discovery._orientation import Orienter
from causalkit.discovery._separations import Separation, Separations
from causalkit.discovery._skeleton import Skeleton
from causalkit.graph._pattern import Pattern


def skeleton(edges, d, separations):
    adjacent = np.zeros((d, d), dtype=bool)
    for i, j in edges:
        adjacent[i, j] = adjacent[j, i] = True
    found = Separations(d)
    found.update(
        {pair: tuple(Separation(g, p) for g, p in sets) for pair, sets in separations.items() if sets}
    )
    return Skeleton(adjacent, found)


def orient(found, d, contexts=()):
    orienter = Orienter(Pattern.from_skeleton(found.adjacent), "ABCDEF"[:d], frozenset(contexts))
    orienter.orient_contexts()
    orienter.orient_colliders(found)
    orienter.close()
    return orienter


@pytest.mark.parametrize(
    ("sets", "collider", "noted"),
    [
        ([((), 0.3)], True, False),
        ([((1,), 0.3)], False, False),
        ([((), 0.3), ((1,), 0.6)], False, True),
        ([((), 0.3), ((3,), 0.2), ((1,), 0.6)], True, False),
        ([((1, 3), 0.3), ((3,), 0.2), ((1,), 0.6)], False, False),
    ],
)
def test_majority_of_separating_sets_decides(sets, collider, noted):
    orienter = orient(skeleton([(0, 1), (1, 2)], 4, {(0, 2): sets}), 4)
    assert orienter.pattern.is_directed(0, 1) == orienter.pattern.is_directed(2, 1) == collider
    assert bool(orienter.conflicts) == noted


def test_of_two_contradicting_colliders_the_better_supported_stands():
    """A -> B <- C and B -> C <- D cannot both hold: B - C would need two directions."""
    edges = [(0, 1), (1, 2), (2, 3)]
    for first, second in ((0.6, 0.2), (0.2, 0.6)):
        orienter = orient(skeleton(edges, 4, {(0, 2): [((), first)], (1, 3): [((), second)]}), 4)
        assert orienter.pattern.is_directed(2, 1) == (first > second)
        assert orienter.pattern.is_directed(1, 2) == (second > first)
        assert len(orienter.conflicts) == 1


def test_a_context_is_never_the_middle_of_a_collider():
    orienter = orient(skeleton([(0, 2), (1, 2)], 3, {(0, 1): [((), 0.5)]}), 3, contexts=[2])
    assert orienter.pattern.is_directed(2, 0)
    assert orienter.pattern.is_directed(2, 1)


def test_an_edge_that_the_rules_pull_both_ways_stays_undirected():
    """C -> A - X - Y - B <- C without a collider: A's arrow runs through X to Y, B's through Y to X. Recorded, and no exception."""
    edges = [(4, 0), (0, 1), (1, 2), (2, 3), (4, 3)]
    sets = {(0, 2): [((1,), 0.5)], (1, 3): [((2,), 0.5)], (1, 4): [((0,), 0.5)], (2, 4): [((3,), 0.5)]}
    orienter = orient(skeleton(edges, 5, sets), 5, contexts=[4])
    assert orienter.pattern.is_directed(0, 1)
    assert orienter.pattern.is_directed(3, 2)
    assert orienter.pattern.is_undirected(1, 2)
    assert orienter.conflicts == ["B and C: what else was found demands both directions; the edge has none"]


def test_colliders_are_kept_where_others_contradict_one_another():
    """Two colliders that contradict one another cost one of them, and not the third that has nothing to do with them."""
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]
    sets = {(0, 2): [((), 0.6)], (1, 3): [((), 0.2)], (2, 4): [((3,), 0.5)], (3, 5): [((), 0.1)]}
    orienter = orient(skeleton(edges, 6, sets), 6)
    assert orienter.pattern.is_directed(5, 4)
    assert orienter.pattern.is_directed(3, 4)
    assert len(orienter.conflicts) == 1
