"""The members of a class of directed acyclic graphs: all of them one by one, their number, one at random.

The class is that of a maximally oriented graph. Either direction of any of its undirected edges is that of some member (Meek
1995), so that directing one edge, closing under Meek's rules and going on never ends without a member: the
time between two members is polynomial. The undirected edges fall into components that are directed independently of one another
(Perković 2020). A component without arrows inside is counted in polynomial time; one with arrows, which come from background knowledge,
is split on an edge until none has, and that can take exponentially many steps (counting is then #P-hard): they are bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from causalkit.exceptions import GraphError
from causalkit.graph import _meek
from causalkit.graph._bits import components, mask_of, members
from causalkit.graph._counting import ChordalOrientations, choose
from causalkit.graph._pattern import Pattern

MAX_SPLITS = 20_000


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

    def count(self, pattern: Pattern) -> int:
        """Return the number of members."""
        total = 1
        for component in _components(pattern.undirected):
            total *= self._count_component(pattern, component)
        return total

    def _count_component(self, pattern: Pattern, component: int) -> int:
        if not _has_arrow(pattern, component):
            return ChordalOrientations(pattern.undirected).count(component)
        self._splits += 1
        if self._splits > MAX_SPLITS:
            msg = (
                f"more than {MAX_SPLITS} steps are needed to count the members: arrows inside undirected components "
                "make that #P-hard. Use class_members() for some of them"
            )
            raise GraphError(msg)
        inside = _restricted(pattern, component)
        edge = next(inside.undirected_edges())
        return sum(self.count(part) for part in split(inside, edge))

    def draw(self, pattern: Pattern, rng: np.random.Generator) -> list[int]:
        """Return the parent sets of a member drawn with equal probability."""
        current = pattern.copy()
        for component in _components(pattern.undirected):
            for tail, head in self._draw_component(pattern, component, rng):
                current.orient(tail, head)
        return current.parents

    def _draw_component(
        self, pattern: Pattern, component: int, rng: np.random.Generator
    ) -> list[tuple[int, int]]:
        """Return the arrows that replace the undirected edges of a component."""
        inside = _restricted(pattern, component)
        if not _has_arrow(pattern, component):
            order = ChordalOrientations(pattern.undirected).draw(component, rng)
            place = {node: k for k, node in enumerate(order)}
            return [(u, v) if place[u] < place[v] else (v, u) for u, v in inside.undirected_edges()]
        halves = split(inside, next(inside.undirected_edges()))
        half = halves[choose([self.count(part) for part in halves], rng)]
        parents = self.draw(half, rng)
        return [(u, v) if parents[v] >> u & 1 else (v, u) for u, v in inside.undirected_edges()]


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
