"""A mutable graph of directed and undirected edges, for the algorithms that orient edges.

It is private: an algorithm builds or copies a pattern, changes it, and freezes it once into a `CausalGraph`, which is
where the rules of the kind are checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit.graph._bits import find_cycle, masks_to_rows, members, rows_to_masks, transposed
from causalkit.graph._marks import Mark

Triple: TypeAlias = tuple[int, int, int]


class Pattern:
    """Sets of parents, children, undirected neighbours and adjacent nodes, kept consistent.

    Unshielded triples (i, k, j), i < j, in `ambiguous` may be colliders or not: no rule may take them for non-colliders.
    """

    __slots__ = ("adjacent", "ambiguous", "children", "parents", "undirected")

    def __init__(
        self, parents: Sequence[int], undirected: Sequence[int], ambiguous: Iterable[Triple] = ()
    ) -> None:
        self.parents = list(parents)
        self.undirected = list(undirected)
        self.ambiguous = set(ambiguous)
        self.children = transposed(self.parents)
        self.adjacent = [
            p | c | u for p, c, u in zip(self.parents, self.children, self.undirected, strict=True)
        ]

    @classmethod
    def from_marks(cls, marks: NDArray[np.uint8]) -> Pattern:
        """Read directed and undirected edges from a matrix of marks."""
        tail, arrow = marks == Mark.TAIL, marks == Mark.ARROW
        return cls(rows_to_masks((arrow & tail.T).T), rows_to_masks(tail & tail.T))

    @classmethod
    def from_skeleton(cls, adjacent: NDArray[np.bool_]) -> Pattern:
        """Start from an undirected graph."""
        return cls([0] * len(adjacent), rows_to_masks(adjacent))

    def copy(self) -> Pattern:
        """Return an independent copy."""
        return Pattern(self.parents, self.undirected, self.ambiguous)

    def __len__(self) -> int:
        return len(self.parents)

    def orient(self, tail: int, head: int) -> None:
        """Turn the undirected edge between two nodes into tail → head."""
        self.undirected[tail] &= ~(1 << head)
        self.undirected[head] &= ~(1 << tail)
        self.parents[head] |= 1 << tail
        self.children[tail] |= 1 << head

    def is_adjacent(self, i: int, j: int) -> bool:
        """Whether any edge joins two nodes."""
        return bool(self.adjacent[i] >> j & 1)

    def is_directed(self, tail: int, head: int) -> bool:
        """Whether the edge tail → head is there."""
        return bool(self.parents[head] >> tail & 1)

    def is_undirected(self, i: int, j: int) -> bool:
        """Whether the edge i — j is there."""
        return bool(self.undirected[i] >> j & 1)

    def is_ambiguous(self, i: int, k: int, j: int) -> bool:
        """Whether it is open that the unshielded triple i, k, j is a collider."""
        return bool(self.ambiguous) and (min(i, j), k, max(i, j)) in self.ambiguous

    def unresolved(self) -> Iterator[Triple]:
        """Yield the ambiguous triples that the arrows leave open: no arrow out of the middle, and not both into it."""
        for i, k, j in sorted(self.ambiguous):
            out = self.children[k] & (1 << i | 1 << j)
            collider = self.is_directed(i, k) and self.is_directed(j, k)
            if not out and not collider:
                yield i, k, j

    def directed_edges(self) -> Iterator[tuple[int, int]]:
        """Yield every directed edge as (tail, head)."""
        for head, mask in enumerate(self.parents):
            for tail in members(mask):
                yield tail, head

    def undirected_edges(self) -> Iterator[tuple[int, int]]:
        """Yield every undirected edge once, smaller index first."""
        for i, mask in enumerate(self.undirected):
            for j in members(mask >> (i + 1) << (i + 1)):
                yield i, j

    def cycle(self) -> tuple[int, ...] | None:
        """Return one directed cycle, or None."""
        return find_cycle(self.children)

    def marks(self) -> NDArray[np.uint8]:
        """Return the matrix of marks."""
        d = len(self)
        directed, undirected = masks_to_rows(self.children, d), masks_to_rows(self.undirected, d)
        marks = np.zeros((d, d), dtype=np.uint8)
        marks[directed] = Mark.ARROW
        marks[directed.T | undirected] = Mark.TAIL
        return marks
