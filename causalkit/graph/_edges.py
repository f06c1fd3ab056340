"""Edges as records, and what is known about each edge as columns.

The columns are aligned with the sorted edge list of the graph, so that a table of a thousand edges is a handful of
tuples and not a thousand dictionaries.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, TypeAlias

from causalkit.exceptions import GraphError
from causalkit.graph._marks import Mark, glyph

__all__ = ["EDGE_COLUMNS", "Edge"]

Columns: TypeAlias = Mapping[str, tuple[Any, ...]]

EDGE_COLUMNS = (
    "p_value",
    "statistic",
    "strength",
    "ci_low",
    "ci_high",
    "n",
    "confidence",
    "source",
    "rule",
    "estimand",
    "note",
)
"""Names of the columns that edge data may have."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge: two nodes, the mark at each, and what is known about it.

    Parameters
    ----------
    u, v : str
        The two nodes. A directed edge is stored from its tail to its arrowhead.
    mark_u, mark_v : Mark
        The mark at ``u`` and the mark at ``v``.
    data : mapping, default={}
        Values of the graph's edge columns for this edge; missing values are left out.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> edge = next(iter(CausalGraph.parse("A <-o B", kind="PAG").edges))
    >>> str(edge), edge.u, edge.mark_u.name
    ('B o-> A', 'B', 'CIRCLE')
    """

    u: str
    v: str
    mark_u: Mark
    mark_v: Mark
    data: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return f"{self.u} {glyph(self.mark_u, self.mark_v)} {self.v}"

    @property
    def is_directed(self) -> bool:
        """Whether the edge is ``u -> v``."""
        return self.mark_u is Mark.TAIL and self.mark_v is Mark.ARROW

    @property
    def is_undirected(self) -> bool:
        """Whether the edge is ``u --- v``."""
        return self.mark_u is Mark.TAIL and self.mark_v is Mark.TAIL

    @property
    def is_bidirected(self) -> bool:
        """Whether the edge is ``u <-> v``."""
        return self.mark_u is Mark.ARROW and self.mark_v is Mark.ARROW


def make_edge(u: str, v: str, mark_u: Mark, mark_v: Mark, data: Mapping[str, Any]) -> Edge:
    """Build an edge record, turned so that it reads left to right: circle or tail first, arrowhead last."""
    reading_order = (Mark.TAIL, Mark.CIRCLE, Mark.ARROW)
    if reading_order.index(mark_u) > reading_order.index(mark_v):
        return Edge(v, u, mark_v, mark_u, data)
    return Edge(u, v, mark_u, mark_v, data)


def freeze_columns(columns: Mapping[str, Sequence[Any]] | None, n_edges: int) -> Columns:
    """Check edge columns against the number of edges and make them immutable."""
    frozen = {}
    for name, values in (columns or {}).items():
        if name not in EDGE_COLUMNS:
            msg = f"unknown edge column {name!r}; allowed are {', '.join(EDGE_COLUMNS)}"
            raise GraphError(msg)
        if len(values) != n_edges:
            msg = f"edge column {name!r} has {len(values)} values for {n_edges} edges; give one value (or None) per edge"
            raise GraphError(msg)
        frozen[name] = tuple(_plain(value) for value in values)
    return MappingProxyType(frozen)


def _plain(value: Any) -> Any:
    """Turn a NumPy scalar into the Python scalar that JSON can say."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value


def row(columns: Columns, k: int) -> Mapping[str, Any]:
    """Return what the columns say about edge k, without missing values."""
    return {name: values[k] for name, values in columns.items() if values[k] is not None}


def select(columns: Columns, keep: Iterator[int | None] | Sequence[int | None]) -> dict[str, list[Any]]:
    """Re-align columns with a new edge list: one old position, or None for a new edge, per edge."""
    positions = list(keep)
    return {name: [None if k is None else values[k] for k in positions] for name, values in columns.items()}
