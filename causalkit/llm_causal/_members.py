"""The members of an equivalence class as directions of its undirected edges, and what is true in each of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from causalkit._random import Seed, as_generator
from causalkit.exceptions import GraphKindError
from causalkit.graph import CausalGraph, GraphKind, Mark
from causalkit.graph._members import MemberCounter, enumerate_members
from causalkit.graph._pattern import Pattern

__all__ = ["Members"]


@dataclass(frozen=True)
class Members:
    """Members of a class as directions of its undirected edges.

    Parameters
    ----------
    graph : CausalGraph
        The class.
    edges : tuple of (str, str)
        Edges whose direction differs between members.
    forward : numpy.ndarray of bool, shape (n, u)
        Whether a member has the edge in the order of `edges`.
    exact : bool
        True if these are all members, False if they were drawn.
    """

    graph: CausalGraph
    edges: tuple[tuple[str, str], ...]
    forward: NDArray[np.bool_] = field(repr=False)
    exact: bool

    @classmethod
    def of(cls, graph: CausalGraph, max_members: int, rng: Seed) -> Members:
        """List the members of a class, or draw some of them with equal probability where they are more than `max_members`."""
        if graph.kind not in (GraphKind.CPDAG, GraphKind.MPDAG, GraphKind.DAG):
            raise GraphKindError(
                f"a posterior over a class needs a CPDAG, an MPDAG or a DAG; this graph is a {graph.kind}"
            )
        pattern = Pattern.from_marks(graph.marks)
        edges = list(pattern.undirected_edges())
        counter = MemberCounter()
        exact = graph.kind is GraphKind.DAG or counter.count(pattern) <= max_members
        if exact:
            found = [list(pattern.parents)] if not edges else list(enumerate_members(pattern))
            ahead = [[bool(parents[j] >> i & 1) for i, j in edges] for parents in found]
            forward = np.array(ahead, dtype=bool).reshape(len(found), len(edges))
        else:
            forward = counter.draw_many(pattern, max_members, as_generator(rng))
        names = tuple((graph.nodes[i], graph.nodes[j]) for i, j in edges)
        return cls(graph, names, forward, exact)

    def arrows(self, row: int) -> list[tuple[str, str]]:
        """Return the directions of one of the members, in the order of their names."""
        return sorted(e if ahead else e[::-1] for e, ahead in zip(self.edges, self.forward[row], strict=True))

    def member(self, row: int) -> CausalGraph:
        """Return one of the members."""
        marks = self.graph.marks.copy()
        for (tail, head), ahead in zip(self._places, self.forward[row], strict=True):
            i, j = (tail, head) if ahead else (head, tail)
            marks[i, j], marks[j, i] = Mark.ARROW, Mark.TAIL
        return CausalGraph(GraphKind.DAG, self.graph.nodes, marks)

    @cached_property
    def _places(self) -> list[tuple[int, int]]:
        return [(self.graph.index(u), self.graph.index(v)) for u, v in self.edges]

    @cached_property
    def _arrows(self) -> list[tuple[int, int, NDArray[np.bool_]]]:
        """Pairs of nodes, and in which members an arrow leads from the first to the second."""
        everywhere = np.ones(len(self.forward), dtype=bool)
        fixed = (self.graph.marks == Mark.ARROW) & (self.graph.marks.T == Mark.TAIL)
        found = [(i, j, everywhere) for i, j in np.argwhere(fixed).tolist()]
        for k, (i, j) in enumerate(self._places):
            found += [(i, j, self.forward[:, k]), (j, i, ~self.forward[:, k])]
        return found

    def has_arrow(self, tail: str, head: str) -> NDArray[np.bool_]:
        """Return in which members an arrow leads from one node to another."""
        i, j = self.graph.index(tail), self.graph.index(head)
        found = np.zeros(len(self.forward), dtype=bool)
        for a, b, active in self._arrows:
            found |= active & ((a, b) == (i, j))
        return found

    def is_ancestor(self, tail: str, head: str) -> NDArray[np.bool_]:
        """Return in which members arrows lead from one node to another, directly or not: what is reached grows until it does not."""
        reached = np.zeros((self.graph.n_nodes, len(self.forward)), dtype=bool)
        reached[self.graph.index(tail)] = True
        size = -1
        while size != (size := int(reached.sum())):
            for i, j, active in self._arrows:
                reached[j] |= reached[i] & active
        return np.asarray(reached[self.graph.index(head)] & (tail != head), dtype=bool)
