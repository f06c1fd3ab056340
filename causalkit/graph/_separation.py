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

from causalkit.graph._bits import closure, members


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

    def reachable(self, sources: int, given: int) -> int:
        """Return all nodes to which an open path leads from `sources`; members of `given` are never among them."""
        open_colliders = closure(given, self.parents)
        seen_plain = seen_arrow = 0
        plain, arrow = sources & ~given, 0
        while plain or arrow:
            seen_plain |= plain
            seen_arrow |= arrow
            next_plain, next_arrow = self._step(plain, arrow, given, open_colliders)
            plain, arrow = next_plain & ~seen_plain, next_arrow & ~seen_arrow
        return (seen_plain | seen_arrow) & ~given

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
