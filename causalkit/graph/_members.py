"""The members of a class of directed acyclic graphs: all of them one by one, their number, one at random.

The class is that of a maximally oriented graph. Either direction of any of its undirected edges is that of some member (Meek
1995), so that directing one edge, closing under Meek's rules and going on never ends without a member: the
time between two members is polynomial. The undirected edges fall into components that are directed independently of one another
(Perković 2020). A component without arrows inside is counted in polynomial time; one with arrows, which come from background knowledge,
is split on an edge until none has, and that can take exponentially many steps (counting is then #P-hard): they are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import GraphError
from causalkit.graph import _meek
from causalkit.graph._bits import components, mask_of, members
from causalkit.graph._counting import ChordalOrientations, choose
from causalkit.graph._pattern import Pattern

Edge: TypeAlias = tuple[int, int]
MAX_SPLITS, MAX_LISTED = 20_000, 1000


def enumerate_members(pattern: Pattern) -> Iterator[list[int]]:
    """Yield the parent sets of every member of a maximally oriented pattern."""
    waiting = [pattern]
    while waiting:
        current = waiting.pop()
        edge = next(current.undirected_edges(), None)
        if edge is None:
            yield current.parents
        else:
            waiting += split(current, edge)


def split(pattern: Pattern, edge: tuple[int, int]) -> list[Pattern]:
    """Return the pattern with one edge directed either way, closed under Meek's rules; the first direction comes last."""
    return [_directed(pattern, *edge[::-1]), _directed(pattern, *edge)]


def _directed(pattern: Pattern, tail: int, head: int) -> Pattern:
    copy = pattern.copy()
    copy.orient(tail, head)
    _meek.close(copy)
    return copy


class MemberCounter:
    """Counts and draws members of maximally oriented patterns over the same nodes, with a bound on the splits."""

    def __init__(self) -> None:
        self._splits = 0
        self._known: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}

    def count(self, pattern: Pattern) -> int:
        """Return the number of members."""
        total = 1
        for component in _components(pattern.undirected):
            total *= self._count_component(pattern, component)
        return total

    def _count_component(self, pattern: Pattern, component: int) -> int:
        if not _has_arrow(pattern, component):
            return ChordalOrientations(pattern.undirected).count(component)
        inside = _restricted(pattern, component)
        key = (tuple(inside.parents), tuple(inside.undirected))
        if key not in self._known:
            self._known[key] = self._count_by_splits(inside)
        return self._known[key]

    def _count_by_splits(self, inside: Pattern) -> int:
        self._splits += 1
        if self._splits > MAX_SPLITS:
            msg = (
                f"more than {MAX_SPLITS} steps are needed to count the members: arrows inside undirected components "
                "make that #P-hard. Use class_members() for some of them"
            )
            raise GraphError(msg)
        edge = next(inside.undirected_edges())
        return sum(self.count(part) for part in split(inside, edge))

    def draw(self, pattern: Pattern, rng: np.random.Generator) -> list[int]:
        """Return the parent sets of a member drawn with equal probability."""
        current = pattern.copy()
        for component in _components(pattern.undirected):
            edges = _edges_inside(pattern, component)
            ahead = next(self._draws(pattern, component, edges, rng))
            for (u, v), forward in zip(edges, ahead, strict=True):
                current.orient(*((u, v) if forward else (v, u)))
        return current.parents

    def draw_many(self, pattern: Pattern, n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
        """Return n members drawn with equal probability, as whether each undirected edge points from its smaller index: shape (n, edges).

        Components are drawn independently of one another; of one with few orientations these are listed once, and drawn by number.
        """
        place = {edge: k for k, edge in enumerate(pattern.undirected_edges())}
        found = np.zeros((n, len(place)), dtype=bool)
        for component in _components(pattern.undirected):
            edges = _edges_inside(pattern, component)
            columns = [place[edge] for edge in edges]
            if self._count_component(pattern, component) <= MAX_LISTED:
                inside = enumerate_members(_restricted(pattern, component))
                listed = np.array([_ahead(edges, parents) for parents in inside], dtype=bool)
                found[:, columns] = listed[rng.integers(len(listed), size=n)]
            else:
                found[:, columns] = list(islice(self._draws(pattern, component, edges, rng), n))
        return found

    def _draws(
        self, pattern: Pattern, component: int, edges: Sequence[Edge], rng: np.random.Generator
    ) -> Iterator[list[bool]]:
        """Yield directions of the undirected edges of a component, drawn with equal probability, for ever."""
        if not _has_arrow(pattern, component):
            orientations = ChordalOrientations(pattern.undirected)
            while True:
                place = {node: k for k, node in enumerate(orientations.draw(component, rng))}
                yield [place[u] < place[v] for u, v in edges]
        halves = split(_restricted(pattern, component), edges[0])
        sizes = [self.count(half) for half in halves]
        while True:
            yield _ahead(edges, self.draw(halves[choose(sizes, rng)], rng))


def _edges_inside(pattern: Pattern, component: int) -> list[Edge]:
    """Return the undirected edges of a component, smaller index first."""
    return [(u, v) for u in members(component) for v in members(pattern.undirected[u] >> u + 1 << u + 1)]


def _ahead(edges: Sequence[Edge], parents: Sequence[int]) -> list[bool]:
    """Return whether each edge points from its first node to its second."""
    return [bool(parents[v] >> u & 1) for u, v in edges]


def _components(undirected: Sequence[int]) -> list[int]:
    """Return the components of undirected edges that have any."""
    return components(undirected, mask_of(k for k, mask in enumerate(undirected) if mask))


def _has_arrow(pattern: Pattern, component: int) -> bool:
    return any(pattern.parents[node] & component for node in members(component))


def _restricted(pattern: Pattern, component: int) -> Pattern:
    """Return the edges among the nodes of a component."""
    inside = [component if component >> k & 1 else 0 for k in range(len(pattern))]
    return Pattern(
        [p & mask for p, mask in zip(pattern.parents, inside, strict=True)],
        [u & mask for u, mask in zip(pattern.undirected, inside, strict=True)],
    )
