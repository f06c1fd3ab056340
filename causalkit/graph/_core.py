"""The state of a graph: nodes, marks, and what is known about nodes and edges.

Everything here is immutable. The matrix of marks is read-only, equality and hash follow from the structure, and an edit
returns a new graph. That is what lets results be cache keys and be shared between threads without copies.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalkit.exceptions import GraphError, NodeNotFoundError
from causalkit.graph._bits import mask_of, rows_to_masks, true_pairs
from causalkit.graph._checks import MarkArray, check_marks, check_node_data, check_nodes, check_plane
from causalkit.graph._edges import Columns, Edge, freeze_columns, make_edge, row, select
from causalkit.graph._invariants import check_invariants
from causalkit.graph._marks import GraphKind, Mark, as_kind


def as_names(nodes: str | Iterable[str]) -> tuple[str, ...]:
    """Read one name or several."""
    if isinstance(nodes, str):
        return (nodes,)
    given: Any = nodes
    names = tuple(given) if isinstance(given, Iterable) else (given,)
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong:
        msg = f"nodes are asked for by name; got {wrong[0]!r}"
        raise GraphError(msg)
    return names


class GraphCore:
    """Nodes, marks and data of a graph; :class:`causalkit.CausalGraph` adds what can be asked of it."""

    def __init__(
        self,
        kind: GraphKind | str,
        nodes: Iterable[str],
        marks: ArrayLike,
        *,
        bidirected: ArrayLike | None = None,
        node_data: Mapping[str, Mapping[str, Any]] | None = None,
        edge_data: Mapping[str, Sequence[Any]] | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        self._kind = as_kind(kind)
        self._nodes = check_nodes(nodes)
        self._marks = check_marks(marks, len(self._nodes))
        self._bidirected = check_plane(bidirected, len(self._nodes), self._kind)
        self._node_data = check_node_data(node_data, self._nodes)
        self._meta: Mapping[str, Any] = MappingProxyType(dict(meta or {}))
        self._edge_data = freeze_columns(edge_data, len(self._pairs) + len(self._bidirected_pairs))
        check_invariants(self)

    # -- structure -------------------------------------------------------------------------------------------------

    @property
    def kind(self) -> GraphKind:
        """Kind of the graph; see :class:`GraphKind`."""
        return self._kind

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes, in data order."""
        return self._nodes

    @property
    def marks(self) -> MarkArray:
        """Read-only array (d, d); entry ``[i, j]`` is the :class:`Mark` at j of the edge between i and j."""
        return self._marks

    @property
    def bidirected(self) -> NDArray[np.bool_]:
        """Read-only symmetric array (d, d) of the ↔ edges of an ADMG that may stand beside a directed edge."""
        return self._bidirected

    @property
    def meta(self) -> Mapping[str, Any]:
        """How the graph came about: algorithm, parameters, seed, counts."""
        return self._meta

    @property
    def node_data(self) -> Mapping[str, Mapping[str, Any]]:
        """What is known about each node: ``role``, ``context_type``, ``lag`` and free attributes."""
        return self._node_data

    @property
    def edge_data(self) -> Columns:
        """What is known about each edge, in columns aligned with :attr:`edges`."""
        return self._edge_data

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self._nodes)

    @property
    def n_edges(self) -> int:
        """Number of edges; A → B and A ↔ B of one ADMG count as two."""
        return len(self._pairs) + len(self._bidirected_pairs)

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """All edges, sorted by the positions of their nodes; bidirected edges of an ADMG come last."""
        plain = [self._edge(i, j, k) for k, (i, j) in enumerate(self._pairs)]
        first = len(plain)
        names, arrow = self._nodes, Mark.ARROW
        bows = [
            make_edge(names[i], names[j], arrow, arrow, row(self._edge_data, first + k))
            for k, (i, j) in enumerate(self._bidirected_pairs)
        ]
        return (*plain, *bows)

    def _edge(self, i: int, j: int, k: int) -> Edge:
        mark_i, mark_j = Mark(int(self._marks[j, i])), Mark(int(self._marks[i, j]))
        return make_edge(self._nodes[i], self._nodes[j], mark_i, mark_j, row(self._edge_data, k))

    @cached_property
    def _pairs(self) -> list[tuple[int, int]]:
        return true_pairs(np.triu(self._marks != Mark.NONE))

    @cached_property
    def _bidirected_pairs(self) -> list[tuple[int, int]]:
        return true_pairs(np.triu(self._bidirected)) if self._bidirected.any() else []

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: k for k, name in enumerate(self._nodes)}

    def _having_role(self, role: str) -> int:
        """Return the nodes that have a role, as a mask."""
        return mask_of(self._index[n] for n, data in self.node_data.items() if data.get("role") == role)

    def index(self, node: str) -> int:
        """Return the position of a node in :attr:`nodes`.

        Parameters
        ----------
        node : str
            A node.

        Returns
        -------
        int
            Row and column of the node in :attr:`marks`.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B").index("B")
        1
        """
        try:
            return self._index[node]
        except (KeyError, TypeError):
            known = ", ".join(map(repr, self._nodes[:12])) + (", ..." if self.n_nodes > 12 else "")
            msg = f"{node!r} is not a node; the nodes are {known}"
            raise NodeNotFoundError(msg) from None

    def _names(self, mask_members: Iterable[int]) -> tuple[str, ...]:
        return tuple(self._nodes[k] for k in mask_members)

    # -- sets of neighbours, as bit masks ----------------------------------------------------------------------------

    @cached_property
    def _parent_masks(self) -> list[int]:
        return rows_to_masks(self._directed.T)

    @cached_property
    def _child_masks(self) -> list[int]:
        return rows_to_masks(self._directed)

    @cached_property
    def _adjacency_masks(self) -> list[int]:
        return rows_to_masks((self._marks != Mark.NONE) | self._bidirected)

    @cached_property
    def _undirected_masks(self) -> list[int]:
        return rows_to_masks((self._marks == Mark.TAIL) & (self._marks.T == Mark.TAIL))

    @cached_property
    def _spouse_masks(self) -> list[int]:
        both = (self._marks == Mark.ARROW) & (self._marks.T == Mark.ARROW)
        return rows_to_masks(both | self._bidirected)

    @cached_property
    def _directed(self) -> NDArray[np.bool_]:
        """Boolean array, true at [i, j] where i → j."""
        return np.asarray((self._marks == Mark.ARROW) & (self._marks.T == Mark.TAIL))

    @property
    def _exogenous(self) -> list[int]:
        """Positions of context nodes that nothing may point at."""
        data = self._node_data.items()
        return [
            self.index(n) for n, a in data if a.get("role") == "context" and a.get("exogenous") is not False
        ]

    # -- equality ----------------------------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GraphCore):
            return NotImplemented
        return (
            self._kind is other._kind
            and self._nodes == other._nodes
            and np.array_equal(self._marks, other._marks)
            and np.array_equal(self._bidirected, other._bidirected)
        )

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self._kind, self._nodes, self._marks.tobytes(), self._bidirected.tobytes()))

    def equals(self, other: GraphCore, *, ignore_order: bool = False) -> bool:
        """Whether two graphs have the same kind, nodes and edges.

        Parameters
        ----------
        other : CausalGraph
            The graph to compare with.
        ignore_order : bool, default=False
            If true, the order in which the nodes are listed does not matter.

        Returns
        -------
        bool
            True if the graphs are equal.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B").equals(CausalGraph.parse("B <- A"), ignore_order=True)
        True
        """
        if not ignore_order or set(self._nodes) != set(other._nodes):
            return self == other
        return self == other.reorder(self._nodes)

    def __reduce__(self) -> tuple[Any, ...]:
        plane = self._bidirected if self._kind is GraphKind.ADMG else None
        node_data = {name: dict(values) for name, values in self._node_data.items()}
        state = (
            str(self._kind),
            self._nodes,
            self._marks,
            plane,
            node_data,
            dict(self._edge_data),
            dict(self._meta),
        )
        return _rebuild, (type(self), *state)

    # -- edits ---------------------------------------------------------------------------------------------------------

    def _copy(self, **changes: Any) -> Self:
        """Return a graph with some constructor arguments replaced."""
        state: dict[str, Any] = {
            "kind": self._kind,
            "nodes": self._nodes,
            "marks": self._marks,
            "bidirected": self._bidirected if self._kind is GraphKind.ADMG else None,
            "node_data": self._node_data,
            "edge_data": self._edge_data,
            "meta": self._meta,
        }
        state.update(changes)
        return type(self)(state.pop("kind"), state.pop("nodes"), state.pop("marks"), **state)

    def reorder(self, nodes: Iterable[str]) -> Self:
        """Return the same graph with its nodes listed in another order.

        Parameters
        ----------
        nodes : iterable of str
            All nodes, in the new order.

        Returns
        -------
        CausalGraph
            The new graph.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B").reorder(["B", "A"]).nodes
        ('B', 'A')
        """
        order = as_names(nodes)
        if len(order) != self.n_nodes or set(order) != set(self._nodes):
            msg = f"the new order must list each of the {self.n_nodes} nodes once; got {order!r}"
            raise GraphError(msg)
        return self.subgraph(order)

    def subgraph(self, nodes: Iterable[str]) -> Self:
        """Return the graph on some of the nodes, with the edges among them, in the order given.

        Parameters
        ----------
        nodes : iterable of str
            The nodes to keep.

        Returns
        -------
        CausalGraph
            The new graph; a subgraph of a CPDAG or MPDAG is a PDAG.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.parse("A -> B; B -> C").subgraph(["C", "B"]))
        C, B; B -> C
        """
        keep = as_names(nodes)
        at = [self.index(name) for name in keep]
        plane = self._bidirected[np.ix_(at, at)] if self._kind is GraphKind.ADMG else None
        new = edge_keys(self._marks[np.ix_(at, at)], plane)
        old = {key: k for k, key in enumerate(edge_keys(self._marks, self._bidirected))}
        columns = select(self._edge_data, [old[_key(at[i], at[j], bow)] for i, j, bow in new])
        kind = self._kind if self._closed_under_subgraphs or len(keep) == self.n_nodes else GraphKind.PDAG
        node_data = {name: self._node_data[name] for name in keep if name in self._node_data}
        return self._copy(
            kind=kind,
            nodes=keep,
            marks=self._marks[np.ix_(at, at)],
            bidirected=plane,
            node_data=node_data,
            edge_data=columns,
        )

    @property
    def _closed_under_subgraphs(self) -> bool:
        return self._kind not in (GraphKind.CPDAG, GraphKind.MPDAG)

    def relabel(self, names: Mapping[str, str]) -> Self:
        """Return the same graph with some nodes renamed by ``{old: new}``.

        Parameters
        ----------
        names : mapping of str to str
            New names for some nodes.

        Returns
        -------
        CausalGraph
            The new graph.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.parse("A -> B").relabel({"A": "age"}))
        age -> B
        """
        for name in names:
            self.index(name)
        new = [names.get(name, name) for name in self._nodes]
        data = {names.get(name, name): values for name, values in self._node_data.items()}
        meta = dict(self._meta)
        if isinstance(types := meta.get("column_types"), Mapping):
            meta["column_types"] = {names.get(name, name): kind for name, kind in types.items()}
        if "ambiguous_triples" in meta:
            meta["ambiguous_triples"] = [
                [*(names.get(name, name) for name in triple), reason]
                for *triple, reason in meta["ambiguous_triples"]
            ]
        return self._copy(nodes=new, node_data=data, meta=meta)

    def _read_as(self, target: GraphKind) -> Self:
        """Return the same marks as another kind."""
        marks, plane = _move_bidirected(
            self._marks, self._bidirected, self._nodes, to_plane=target is GraphKind.ADMG
        )
        order = {key: k for k, key in enumerate(edge_keys(self._marks, self._bidirected))}
        keep = [order.get((i, j, bow), order.get((i, j, not bow))) for i, j, bow in edge_keys(marks, plane)]
        return self._copy(kind=target, marks=marks, bidirected=plane, edge_data=select(self._edge_data, keep))

    def with_meta(self, **entries: Any) -> Self:
        """Return the same graph with entries added to :attr:`meta`.

        Parameters
        ----------
        **entries
            Values that JSON can hold.

        Returns
        -------
        CausalGraph
            The new graph.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B").with_meta(author="me").meta["author"]
        'me'
        """
        return self._copy(meta={**self._meta, **entries})

    def with_node_data(self, node: str, **attributes: Any) -> Self:
        """Return the same graph with attributes of one node set, for example ``role="context"``.

        Parameters
        ----------
        node : str
            A node.
        **attributes
            For example ``role="context"``, ``lag=-1``, or free ones.

        Returns
        -------
        CausalGraph
            The new graph.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B").with_node_data("A", role="context").node_data["A"]["role"]
        'context'
        """
        self.index(node)
        merged = {**self._node_data.get(node, {}), **attributes}
        return self._copy(node_data={**self._node_data, node: merged})

    def with_edge(self, u: str, v: str, mark_u: Mark = Mark.TAIL, mark_v: Mark = Mark.ARROW) -> Self:
        """Return a graph with the edge u–v added or replaced; by default ``u -> v``.

        Parameters
        ----------
        u, v : str
            The two nodes.
        mark_u, mark_v : Mark, default=Mark.TAIL, Mark.ARROW
            The mark at each of them.

        Returns
        -------
        CausalGraph
            The new graph; data of the other edges are kept.

        Raises
        ------
        InvalidGraphError
            If the new graph breaks a rule of its kind, for example by a directed cycle.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> str(CausalGraph.parse("A -> B; C").with_edge("B", "C"))
        'A -> B; B -> C'
        """
        i, j = self.index(u), self.index(v)
        mark_u, mark_v = _as_mark(mark_u), _as_mark(mark_v)
        marks = self._marks.copy()
        if self._kind is GraphKind.ADMG and mark_u is Mark.ARROW and mark_v is Mark.ARROW:
            plane = self._bidirected.copy()
            plane[i, j] = plane[j, i] = True
            return self._with_structure(marks, plane)
        marks[j, i], marks[i, j] = mark_u, mark_v
        return self._with_structure(marks, self._bidirected)

    def without_edge(self, u: str, v: str) -> Self:
        """Return a graph without any edge between two nodes; raises if there is none.

        Parameters
        ----------
        u, v : str
            Two nodes.

        Returns
        -------
        CausalGraph
            The new graph; both edges of a bow are removed.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.parse("A -> B").without_edge("A", "B"))
        A; B
        """
        i, j = self.index(u), self.index(v)
        if self._marks[i, j] == Mark.NONE and not self._bidirected[i, j]:
            msg = f"there is no edge between {u!r} and {v!r} to remove"
            raise GraphError(msg)
        marks, plane = self._marks.copy(), self._bidirected.copy()
        marks[i, j] = marks[j, i] = Mark.NONE
        plane[i, j] = plane[j, i] = False
        return self._with_structure(marks, plane)

    def orient(self, u: str, v: str) -> Self:
        """Return a graph in which the existing edge between u and v is ``u -> v``.

        Parameters
        ----------
        u, v : str
            Two adjacent nodes.

        Returns
        -------
        CausalGraph
            The new graph.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.parse("A --- B", kind="PDAG").orient("A", "B"))
        A -> B
        """
        if self._marks[self.index(u), self.index(v)] == Mark.NONE:
            msg = f"there is no edge between {u!r} and {v!r} to orient; use with_edge to add one"
            raise GraphError(msg)
        return self.with_edge(u, v)

    def _with_structure(self, marks: MarkArray, plane: NDArray[np.bool_]) -> Self:
        """Replace marks; keep the data of the edges whose marks did not change."""
        old = {key: k for k, key in enumerate(edge_keys(self._marks, self._bidirected))}
        keep = [
            old.get((i, j, bow)) if bow or self._same_marks(marks, i, j) else None
            for i, j, bow in edge_keys(marks, plane)
        ]
        bidirected = plane if self._kind is GraphKind.ADMG else None
        return self._copy(marks=marks, bidirected=bidirected, edge_data=select(self._edge_data, keep))

    def _same_marks(self, marks: MarkArray, i: int, j: int) -> bool:
        return bool(marks[i, j] == self._marks[i, j] and marks[j, i] == self._marks[j, i])


def _rebuild(
    cls: type[GraphCore],
    kind: str,
    nodes: tuple[str, ...],
    marks: MarkArray,
    bidirected: NDArray[np.bool_] | None,
    node_data: Mapping[str, Mapping[str, Any]],
    edge_data: Mapping[str, Sequence[Any]],
    meta: Mapping[str, Any],
) -> GraphCore:
    """Build a graph again in another process."""
    return cls(kind, nodes, marks, bidirected=bidirected, node_data=node_data, edge_data=edge_data, meta=meta)


def _move_bidirected(
    marks: MarkArray, plane: NDArray[np.bool_], nodes: tuple[str, ...], *, to_plane: bool
) -> tuple[MarkArray, NDArray[np.bool_] | None]:
    """Move ↔ edges between the matrix of marks and the plane that only an ADMG has."""
    marks = marks.copy()
    if to_plane:
        both = (marks == Mark.ARROW) & (marks.T == Mark.ARROW)
        marks[both] = Mark.NONE
        return marks, plane | both
    if (plane & (marks != Mark.NONE)).any():
        i, j = np.argwhere(plane & (marks != Mark.NONE))[0].tolist()
        msg = f"{nodes[i]!r} and {nodes[j]!r} are joined by both -> and <->; only an ADMG can hold two edges between two nodes"
        raise GraphError(msg)
    marks[plane] = Mark.ARROW
    return marks, None


def _as_mark(mark: Any) -> Mark:
    try:
        return Mark(mark)
    except ValueError:
        msg = f"{mark!r} is no mark; allowed are Mark.CIRCLE, Mark.ARROW and Mark.TAIL"
        raise GraphError(msg) from None


def _key(i: int, j: int, bow: bool) -> tuple[int, int, bool]:
    return (min(i, j), max(i, j), bow)


def edge_keys(marks: MarkArray, plane: NDArray[np.bool_] | None) -> list[tuple[int, int, bool]]:
    """List edges in the order of :attr:`GraphCore.edges`; the flag says whether the edge is in the bidirected plane."""
    keys = [(i, j, False) for i, j in np.argwhere(np.triu(marks)).tolist()]
    return keys if plane is None else keys + [(i, j, True) for i, j in np.argwhere(np.triu(plane)).tolist()]
