"""m-separation by reachability: one linear-time walk for every kind of graph.

A path between two nodes is open given a set Z if every collider on it is in Z or has a descendant in Z, and no other
inner node is in Z. A node is a collider on the path if both edges of the path have an arrowhead there. It is enough to
walk over pairs (node, did the walk arrive with an arrowhead?), each visited once; that such a walk, which may revisit
nodes, exists exactly when an open path does is the theorem behind Bayes-ball (Shachter 1998) and holds for ancestral and
acyclic directed mixed graphs alike (Richardson 2003; Richardson and Spirtes 2002). With the sets of neighbours as bit masks a step
of the walk is a handful of integer operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from causalkit.graph._bits import closure, members, rows_to_masks, transposed
from causalkit.graph._marks import Mark


@dataclass(frozen=True, slots=True)
class Separator:
    """Neighbour sets of a graph, ready for many separation queries.

    Parameters
    ----------
    parents, children, spouses, undirected : sequence of int
        For each node the set of nodes joined by →, ←, ↔ and —.
    """

    parents: Sequence[int]
    children: Sequence[int]
    spouses: Sequence[int]
    undirected: Sequence[int]

    @classmethod
    def of_dag(cls, parents: Sequence[int]) -> Separator:
        """Prepare a directed acyclic graph given by its parent sets."""
        return cls(parents, transposed(parents), [0] * len(parents), [0] * len(parents))

    @classmethod
    def of_marks(cls, marks: NDArray[np.uint8]) -> Separator:
        """Prepare an ancestral graph given by its marks."""
        arrow, tail = marks == Mark.ARROW, marks == Mark.TAIL
        directed = arrow & tail.T
        sets = (directed.T, directed, arrow & arrow.T, tail & tail.T)
        return cls(*map(rows_to_masks, sets))

    def reachable(self, sources: int, given: int) -> int:
        """Return all nodes to which an open path leads from `sources`; members of `given` are never among them."""
        return self._walk(sources, given, closure(given, self.parents)) & ~given

    def connected(self, sources: int, targets: int, given: int) -> bool:
        """Whether an open path leads from a source to a target outside `given`."""
        found = self._walk(sources, given, closure(given, self.parents), until=targets & ~given)
        return bool(found & targets & ~given)

    def _walk(self, sources: int, given: int, open_colliders: int, within: int = -1, until: int = 0) -> int:
        """Return all nodes that open paths touch, also those members of `given` at which they end; stop at a node of `until`."""
        seen_plain = seen_arrow = 0
        plain, arrow = sources & ~given, 0
        while (plain or arrow) and not (plain | arrow | seen_plain | seen_arrow) & until:
            seen_plain |= plain
            seen_arrow |= arrow
            next_plain, next_arrow = self._step(plain, arrow, given, open_colliders)
            plain, arrow = next_plain & within & ~seen_plain, next_arrow & within & ~seen_arrow
        return seen_plain | seen_arrow | plain | arrow

    def _step(self, plain: int, arrow: int, given: int, open_colliders: int) -> tuple[int, int]:
        """Leave every node of the frontier; return the nodes entered at a tail and those entered at an arrowhead."""
        to_plain = to_arrow = 0
        for node in members(plain & ~given):
            to_plain |= self.parents[node] | self.undirected[node]
            to_arrow |= self.children[node] | self.spouses[node]
        for node in members(arrow & ~given):
            to_plain |= self.undirected[node]
            to_arrow |= self.children[node]
        for node in members(arrow & open_colliders):
            to_plain |= self.parents[node]
            to_arrow |= self.spouses[node]
        return to_plain, to_arrow

    def anterior(self, nodes: int) -> int:
        """Return the nodes from which a path of — and → leads to `nodes`, and `nodes` themselves."""
        step = [p | u for p, u in zip(self.parents, self.undirected, strict=True)]
        return closure(nodes, step)

    def minimal(self, x: int, y: int, include: int, allowed: int) -> int | None:
        """Return a separator between `include` and `allowed` from which no other member can be taken, or None if there is none.

        Among the nodes anterior to `x`, `y` and `include` a collider never blocks, as in the moral graph. If any
        set separates, all allowed ones among them do; what paths from `x` touch of it is nearest to `x`, and what paths from `y` touch
        of that is minimal (van der Zander, Liśkiewicz and Textor 2019, section 4).
        """
        relevant = self.anterior(x | y | include)
        given = relevant & (allowed | include) & ~(x | y)
        touched = self._walk(x, given, relevant, relevant)
        if touched & y:
            return None
        given &= touched | include
        return given & (self._walk(y, given, relevant, relevant) | include)
