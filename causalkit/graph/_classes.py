"""From one graph to its equivalence class and back, on patterns.

`completed` turns a directed acyclic graph into the completed graph of its Markov equivalence class: keep the arrows of
unshielded colliders, forget the others, close under Meek's rules (Meek 1995; Andersson, Madigan and Perlman 1997).
`extension` finds a directed acyclic graph with the same skeleton, arrows and unshielded colliders (Dor and Tarsi 1992).
"""

from __future__ import annotations

from collections.abc import Sequence

from causalkit.graph import _meek
from causalkit.graph._bits import members
from causalkit.graph._pattern import Pattern


def completed(parents: Sequence[int]) -> Pattern:
    """Return the completed pattern of a directed acyclic graph given by its parent sets."""
    dag = Pattern(parents, [0] * len(parents))
    compelled = [_collider_parents(dag, node) for node in range(len(dag))]
    undirected = list(dag.adjacent)
    for head, mask in enumerate(compelled):
        undirected[head] &= ~mask
        for tail in members(mask):
            undirected[tail] &= ~(1 << head)
    pattern = Pattern(compelled, undirected)
    _meek.close(pattern)
    return pattern


def _collider_parents(dag: Pattern, node: int) -> int:
    """Return the parents of a node that have a non-adjacent other parent."""
    mask = dag.parents[node]
    found = 0
    for parent in members(mask):
        if mask & ~dag.adjacent[parent] & ~(1 << parent):
            found |= 1 << parent
    return found


def extension(pattern: Pattern) -> list[int] | None:
    """Return the parent sets of a consistent extension, or None if there is none.

    A node can be the sink of what remains if it has no child there and each of its undirected neighbours is adjacent to all
    other nodes adjacent to it, or may form a collider with them there. Taking sinks away one after the other orients every edge.
    """
    parents = list(pattern.parents)
    remaining = (1 << len(pattern)) - 1
    while remaining:
        sink = next((x for x in members(remaining) if _can_be_sink(pattern, x, remaining)), None)
        if sink is None:
            return None
        parents[sink] |= pattern.undirected[sink] & remaining
        remaining &= ~(1 << sink)
    return parents


def _can_be_sink(pattern: Pattern, x: int, remaining: int) -> bool:
    if pattern.children[x] & remaining:
        return False
    around = pattern.adjacent[x] & remaining
    return all(
        pattern.is_ambiguous(y, x, z)
        for y in members(pattern.undirected[x] & remaining)
        for z in members(around & ~pattern.adjacent[y] & ~(1 << y))
    )


def new_colliders(before: Pattern, parents: Sequence[int]) -> list[tuple[int, int, int]]:
    """List unshielded colliders a → b ← c that `parents` has, `before` has not, and does not leave open either."""
    return [
        (a, b, c)
        for b, mask in enumerate(parents)
        for a in members(mask)
        for c in members(mask & ~before.adjacent[a] & ~((1 << (a + 1)) - 1))
        if not (before.is_directed(a, b) and before.is_directed(c, b)) and not before.is_ambiguous(a, b, c)
    ]
