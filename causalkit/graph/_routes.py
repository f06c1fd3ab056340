"""The routes from causes to effects in a graph of any kind: which nodes an effect passes, and where it can be confounded.

The generalised adjustment criterion (Perković, Textor, Kalisch and Maathuis 2018) asks three things of a set
Z, relative to causes X and effects Y:

* amenability, a property of the graph alone: every proper possibly directed path from X to Y begins with a visible arrow;
* no member of Z is forbidden: a possible descendant of a node (not in X) on such a path;
* Z blocks all proper paths from X to Y that are not directed.

*Proper* is a path that meets X in its first node only. An arrow X → V is visible where no hidden common cause of X and V fits; in graphs
without hidden causes every arrow is. If the first two hold, the third can be read off any one member of the class: remove the first arrows of
the directed paths and ask whether Z separates X from Y in what is left (van der Zander, Liśkiewicz and Textor 2019). For graphs
with background knowledge see Perković, Kalisch and Maathuis (2017).

A class says less than its members. In an amenable one a node lies on a proper possibly directed path from X to Y if and only if
arrows lead to it from X and it is a possible ancestor of Y: an unshielded path that begins with an arrow consists of arrows (Meek's rule 1).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache

import numpy as np

from causalkit.exceptions import GraphError, GraphKindError
from causalkit.graph._bits import all_reachable, closure, members, rows_to_masks, transposed
from causalkit.graph._graph import CausalGraph
from causalkit.graph._marks import GraphKind, Mark
from causalkit.graph._possible import possibly_reachable, steps_ahead
from causalkit.graph._separation import Separator

KNOWN = (GraphKind.DAG, GraphKind.ADMG)
PATTERNS = (GraphKind.CPDAG, GraphKind.MPDAG)
ANCESTRAL = (GraphKind.MAG, GraphKind.PAG)


class Routes:
    """The structure of a graph, prepared for many questions about its effects.

    What nodes and edges carry beside it, such as the role of a node, does not count here: equal graphs share one object.

    Parameters
    ----------
    graph : CausalGraph
        A DAG, ADMG, CPDAG, MPDAG, MAG or PAG without undirected edges that mean selection.
    """

    def __init__(self, graph: CausalGraph) -> None:
        _check_kind(graph)
        self.graph = graph
        self.everything = (1 << graph.n_nodes) - 1
        self.children: list[int] = graph._child_masks
        self.parents: list[int] = graph._parent_masks
        self.adjacent: list[int] = graph._adjacency_masks

    # -- possible ancestors and descendants ----------------------------------------------------------------------------

    @cached_property
    def _ahead(self) -> list[int]:
        """Sets of nodes to which an edge could point."""
        return self.children if self.graph.kind in KNOWN else steps_ahead(self.graph.marks)

    @cached_property
    def _behind(self) -> list[int]:
        return transposed(self._ahead)

    def possible_descendants(self, start: int, avoid: int = 0) -> int:
        """Return the nodes at the end of a possibly directed path that does not enter `avoid`, with `start` itself."""
        return self._reach(start, self._ahead, avoid)

    def possible_ancestors(self, goal: int, avoid: int = 0) -> int:
        """Return the nodes at the beginning of a possibly directed path that does not enter `avoid`, with `goal` itself."""
        return self._reach(goal, self._behind, avoid)

    def _reach(self, start: int, step: list[int], avoid: int) -> int:
        if self.graph.kind in (*KNOWN, GraphKind.MAG):
            return closure(start, step, within=~avoid)
        return possibly_reachable(step, self.adjacent, start, avoid)

    # -- routes from causes to effects -----------------------------------------------------------------------------------

    def between(self, causes: int, effects: int) -> int:
        """Return the nodes on proper directed paths from the causes to the effects, without the causes; needs amenability."""
        if self.graph.kind in KNOWN and causes.bit_count() == 1:
            return self._descendants[causes.bit_length() - 1] & self.ancestors(effects)
        below = 0
        for cause in members(causes):
            below |= self.children[cause]
        below = closure(below & ~causes, self.children, within=~causes)
        return below & self.possible_ancestors(effects, avoid=causes)

    @cached_property
    def _descendants(self) -> list[int]:
        """Sets of descendants of each node of a DAG or ADMG, without the node itself."""
        return all_reachable(self.children)

    @cached_property
    def arrow_ancestors(self) -> list[int]:
        """Sets of nodes from which arrows lead to each node, without the node itself."""
        return all_reachable(self.parents)

    def ancestors(self, nodes: int) -> int:
        """Return the ancestors of a set in a DAG or ADMG, with the set itself."""
        found = nodes
        for node in members(nodes):
            found |= self.arrow_ancestors[node]
        return found

    def uncertain_starts(self, causes: int, effects: int) -> Iterator[tuple[int, int]]:
        """Yield the first edges of proper possibly directed paths that are not visible arrows."""
        if self.graph.kind in KNOWN:
            return
        for cause in members(causes):
            into = self._into[cause]
            leads = self.possible_ancestors(effects & ~into, avoid=causes | into)
            for first in members(self._ahead[cause] & leads & ~causes):
                if not self.visible(cause, first):
                    yield cause, first

    @cached_property
    def _into(self) -> list[int]:
        """Sets of nodes from which an edge has an arrowhead at this one."""
        return rows_to_masks((self.graph.marks == Mark.ARROW).T)

    def visible(self, tail: int, head: int) -> bool:
        """Whether an edge is an arrow that no hidden common cause of its two nodes can stand beside (Zhang 2008)."""
        if not self.children[tail] >> head & 1:
            return False
        if self.graph.kind not in ANCESTRAL:
            return True
        seen, waiting = 1 << tail | 1 << head, [tail]
        while waiting:
            node = waiting.pop()
            before = self._into[node] & ~seen
            if before & ~self.adjacent[head]:
                return True
            onward = before & self.parents[head] & self._heads[node]
            seen |= onward
            waiting += members(onward)
        return False

    @cached_property
    def _heads(self) -> list[int]:
        """Sets of nodes at which the edge to this one has an arrowhead."""
        return rows_to_masks(self.graph.marks == Mark.ARROW)

    # -- what is not causal ----------------------------------------------------------------------------------------------

    def without_first_arrows(self, causes: int, effects: int) -> Separator:
        """Return a member of the class without the first arrows of proper directed paths: the proper back-door graph."""
        full, between = self.graph._separator, self.between(causes, effects)
        parents, children = list(full.parents), list(full.children)
        for node in members(between):
            parents[node] &= ~causes
        for cause in members(causes):
            children[cause] &= ~between
        return Separator(parents, children, full.spouses, full.undirected)


@lru_cache(maxsize=16)
def routes(graph: CausalGraph) -> Routes:
    """Prepare a graph, or return what was prepared."""
    return Routes(graph)


def _check_kind(graph: CausalGraph) -> None:
    if not isinstance(graph, CausalGraph):
        raise GraphError(f"graph must be a CausalGraph; got {type(graph).__name__}")
    if graph.kind not in (*KNOWN, *PATTERNS, *ANCESTRAL):
        hint = (
            "to_mpdag() closes it under Meek's rules" if graph.kind is GraphKind.PDAG else "see with_kind()"
        )
        if graph.kind is GraphKind.PDAG and (still_open := graph._open_triple()):
            hint = still_open
        raise GraphKindError(
            f"effects are identified in graphs of kind DAG, ADMG, CPDAG, MPDAG, MAG and PAG; this one is a {graph.kind}: {hint}"
        )
    tails = (graph.marks == Mark.TAIL) & (graph.marks.T != Mark.ARROW)
    if graph.kind in ANCESTRAL and tails.any():
        i, j = np.argwhere(tails)[0]
        raise GraphKindError(
            f"the edge between {graph.nodes[i]!r} and {graph.nodes[j]!r} says that the sample was selected; adjustment in ancestral graphs "
            "is defined without selection only"
        )
