"""Adjustment sets of least cost, and all minimal ones, as cuts of a moral graph.

A set separates two nodes in the proper back-door graph if it separates them in the moral graph of their ancestors: every district
(nodes that ↔ connects) and its parents become a clique (Richardson and Spirtes 2002, section 3). There a set of least cost is a
minimum cut, and all minimal sets can be listed one after the other with polynomial time between two (Takata 2010): a minimal
separator is the border of the connected part around the cause, and these parts can be grown node by node.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from causalkit.graph._bits import closure, members
from causalkit.graph._problem import Problem
from causalkit.graph._projection import districts


class MoralGraph:
    """Moral graph of the ancestors of causes, effects and required nodes, in which only usable nodes are left to cut.

    Nodes that must be in the set are taken away; a node that may not be in it is replaced by edges among its neighbours. What remains
    are causes, effects and usable nodes.
    """

    def __init__(self, problem: Problem) -> None:
        g, keep = problem.backdoor, problem.causes | problem.effects
        relevant = g.anterior(keep | problem.required)
        self.neighbors = _moral(g.parents, g.spouses, g.undirected, relevant)
        for node in members(relevant & problem.required):
            self._take_away(node)
        for node in members(relevant & ~problem.usable & ~keep):
            self._bridge(node)
        self.causes, self.effects = problem.causes, problem.effects

    def _take_away(self, node: int) -> None:
        for other in members(self.neighbors[node]):
            self.neighbors[other] &= ~(1 << node)
        self.neighbors[node] = 0

    def _bridge(self, node: int) -> None:
        around = self.neighbors[node]
        self._take_away(node)
        for other in members(around):
            self.neighbors[other] |= around & ~(1 << other)

    def border(self, nodes: int) -> int:
        """Return the neighbours of a set of nodes."""
        found = 0
        for node in members(nodes):
            found |= self.neighbors[node]
        return found & ~nodes

    # -- all minimal separators --------------------------------------------------------------------------------------------

    def minimal_separators(self) -> Iterator[int]:
        """Yield each once; the part around the causes grows by a node of its border, or never contains that node."""
        waiting = [(self.causes, 0)]
        while waiting:
            part, never = waiting.pop()
            grown = self._full(part)
            if grown is None or grown & never:
                continue
            free = self.border(grown) & ~never
            if not free:
                yield self.border(grown)
                continue
            node = free & -free
            waiting += [(grown | node, never), (grown, never | node)]

    def _full(self, part: int) -> int | None:
        """Grow a part around the causes to the smallest whose border also touches everything around the effects; None if there is none."""
        if (part | self.border(part)) & self.effects:
            return None
        beyond = closure(self.effects, self.neighbors, within=~(part | self.border(part)))
        cut = self.border(beyond)
        return closure(self.causes, self.neighbors, within=~cut)

    # -- the cheapest ------------------------------------------------------------------------------------------------------

    def cheapest_separator(self, costs: Mapping[int, float]) -> int | None:
        """Return a separator of least total cost: a minimum cut of the graph with every node split in two."""
        import networkx as nx

        if (self.causes | self.border(self.causes)) & self.effects:
            return None
        flow = nx.DiGraph()
        flow.add_nodes_from(["source", "sink"])
        for node, mask in enumerate(self.neighbors):
            for other in members(mask):
                flow.add_edge(self._outer(node, "out"), self._outer(other, "in"))
            if not (self.causes | self.effects) >> node & 1:
                flow.add_edge((node, "in"), (node, "out"), capacity=costs[node])
        _, (reached, _) = nx.minimum_cut(flow, "source", "sink")
        cut = 0
        for node in range(len(self.neighbors)):
            if (node, "in") in reached and (node, "out") not in reached:
                cut |= 1 << node
        return cut

    def _outer(self, node: int, side: str) -> object:
        if self.causes >> node & 1:
            return "source"
        return "sink" if self.effects >> node & 1 else (node, side)


def _moral(
    parents: Sequence[int], spouses: Sequence[int], undirected: Sequence[int], relevant: int
) -> list[int]:
    neighbors = [u & relevant if relevant >> k & 1 else 0 for k, u in enumerate(undirected)]
    inside = [s & relevant if relevant >> k & 1 else 0 for k, s in enumerate(spouses)]
    for district in districts(inside):
        if not district & relevant:
            continue
        clique = district
        for node in members(district):
            clique |= parents[node] & relevant
        for node in members(clique):
            neighbors[node] |= clique & ~(1 << node)
    return neighbors
