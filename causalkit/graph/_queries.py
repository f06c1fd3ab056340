"""Questions that a graph answers by itself: neighbours, ancestors, orders and separation.

Every method takes and returns names, in data order, so that results can be compared and printed as they are.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np

from causalkit.exceptions import GraphError, GraphKindError, NotExtendableError
from causalkit.graph import _classes, _pag, _projection
from causalkit.graph._bits import closure, mask_of, members, topological_order, transposed
from causalkit.graph._core import GraphCore, as_names
from causalkit.graph._marks import GraphKind, Mark, glyph
from causalkit.graph._pattern import Pattern
from causalkit.graph._possible import possibly_reachable, steps_ahead
from causalkit.graph._separation import Separator

PATTERNS = (GraphKind.CPDAG, GraphKind.MPDAG, GraphKind.PDAG)
POSSIBLE = (GraphKind.CPDAG, GraphKind.MPDAG, GraphKind.MAG, GraphKind.PAG)


class GraphQueries(GraphCore):
    """A graph that answers questions about its nodes."""

    def parents(self, node: str) -> tuple[str, ...]:
        """Return the nodes with an edge ``-> node``.

        Parameters
        ----------
        node : str
            A node.

        Returns
        -------
        tuple of str
            Names in data order.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> C; B -> C").parents("C")
        ('A', 'B')
        """
        return self._names(members(self._parent_masks[self.index(node)]))

    def children(self, node: str) -> tuple[str, ...]:
        """Return the nodes with an edge ``node ->``.

        Parameters
        ----------
        node : str
            A node.

        Returns
        -------
        tuple of str
            Names in data order.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B; A -> C").children("A")
        ('B', 'C')
        """
        return self._names(members(self._child_masks[self.index(node)]))

    def spouses(self, node: str) -> tuple[str, ...]:
        """Return the nodes joined to `node` by a bidirected edge.

        Parameters
        ----------
        node : str
            A node.

        Returns
        -------
        tuple of str
            Names in data order.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A <-> B", kind="ADMG").spouses("A")
        ('B',)
        """
        return self._names(members(self._spouse_masks[self.index(node)]))

    def undirected_neighbors(self, node: str) -> tuple[str, ...]:
        """Return the nodes joined to `node` by an undirected edge.

        Parameters
        ----------
        node : str
            A node.

        Returns
        -------
        tuple of str
            Names in data order.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A --- B; C -> B", kind="PDAG").undirected_neighbors("B")
        ('A',)
        """
        return self._names(members(self._undirected_masks[self.index(node)]))

    def neighbors(self, node: str) -> tuple[str, ...]:
        """Return the nodes joined to `node` by an edge of any type.

        Parameters
        ----------
        node : str
            A node.

        Returns
        -------
        tuple of str
            Names in data order.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B; B -> C").neighbors("B")
        ('A', 'C')
        """
        return self._names(members(self._adjacency_masks[self.index(node)]))

    def has_edge(self, u: str, v: str) -> bool:
        """Whether any edge joins two nodes.

        Parameters
        ----------
        u, v : str
            Two nodes.

        Returns
        -------
        bool
            True for an edge of any type.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B; C").has_edge("B", "A")
        True
        """
        return bool(self._adjacency_masks[self.index(u)] >> self.index(v) & 1)

    def has_directed_edge(self, u: str, v: str) -> bool:
        """Whether the edge ``u -> v`` is there.

        Parameters
        ----------
        u, v : str
            Two nodes.

        Returns
        -------
        bool
            True for exactly this arrow.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B").has_directed_edge("B", "A")
        False
        """
        return bool(self._directed[self.index(u), self.index(v)])

    def edge_between(self, u: str, v: str) -> str | None:
        """Return the edge between two nodes as text read from `u` to `v`, such as ``'o->'``, or None.

        Parameters
        ----------
        u, v : str
            Two nodes.

        Returns
        -------
        str or None
            The edge as text; for A → B beside A ↔ B the directed one.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B").edge_between("B", "A")
        '<-'
        """
        i, j = self.index(u), self.index(v)
        if self.marks[i, j] == Mark.NONE:
            return "<->" if self.bidirected[i, j] else None
        return glyph(Mark(int(self.marks[j, i])), Mark(int(self.marks[i, j])))

    # -- ancestors -----------------------------------------------------------------------------------------------------

    def ancestors(self, nodes: str | Iterable[str]) -> tuple[str, ...]:
        """Return every node with a directed path into `nodes`; the nodes themselves are not included.

        Parameters
        ----------
        nodes : str or iterable of str
            One node or several.

        Returns
        -------
        tuple of str
            Names in data order.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B; B -> C; D -> C").ancestors("C")
        ('A', 'B', 'D')
        """
        return self._outside(nodes, self._parent_masks)

    def descendants(self, nodes: str | Iterable[str]) -> tuple[str, ...]:
        """Return every node that a directed path from `nodes` leads to; the nodes themselves are not included.

        Parameters
        ----------
        nodes : str or iterable of str
            One node or several.

        Returns
        -------
        tuple of str
            Names in data order.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B; B -> C").descendants("A")
        ('B', 'C')
        """
        return self._outside(nodes, self._child_masks)

    def possible_ancestors(self, nodes: str | Iterable[str]) -> tuple[str, ...]:
        """Return every node that is an ancestor of `nodes` in at least one graph of the class.

        Parameters
        ----------
        nodes : str or iterable of str
            One node or several.

        Returns
        -------
        tuple of str
            Names in data order.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A --- B; B --- C", kind="CPDAG").possible_ancestors("A")
        ('B', 'C')
        """
        return self._possible(nodes, forward=False)

    def possible_descendants(self, nodes: str | Iterable[str]) -> tuple[str, ...]:
        """Return every node that is a descendant of `nodes` in at least one graph of the class.

        Parameters
        ----------
        nodes : str or iterable of str
            One node or several.

        Returns
        -------
        tuple of str
            Names in data order, without `nodes` themselves.

        Raises
        ------
        GraphKindError
            For a PDAG, which need not be closed under Meek's rules (see `to_mpdag`), an undirected graph and kind UNKNOWN.

        Notes
        -----
        A possibly directed path, of which no edge can point backwards, can be shortened to one without shielded
        triples, and on such a path it is enough to look at each edge (Perković, Kalisch and Maathuis 2017, Lemma 3.6;
        Zhang 2008, Lemma B.1). So the walk below follows unshielded triples only.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A --- B; B --- C", kind="CPDAG").possible_descendants("A")
        ('B', 'C')
        """
        return self._possible(nodes, forward=True)

    def _possible(self, nodes: str | Iterable[str], *, forward: bool) -> tuple[str, ...]:
        if self.kind in (GraphKind.DAG, GraphKind.ADMG):
            return self.descendants(nodes) if forward else self.ancestors(nodes)
        if self.kind not in POSSIBLE:
            msg = f"possible ancestors are defined for DAG, ADMG, {', '.join(POSSIBLE)}; this graph is a {self.kind}. Use to_mpdag() first"
            raise GraphKindError(msg)
        start = mask_of(self.index(name) for name in as_names(nodes))
        ahead = steps_ahead(self.marks)
        reached = possibly_reachable(ahead if forward else transposed(ahead), self._adjacency_masks, start)
        return self._names(members(reached & ~start))

    def _outside(self, nodes: str | Iterable[str], step: list[int]) -> tuple[str, ...]:
        start = mask_of(self.index(name) for name in as_names(nodes))
        return self._names(members(closure(start, step) & ~start))

    def topological_order(self) -> tuple[str, ...]:
        """Return the nodes with every parent before its children; ties keep data order.

        Returns
        -------
        tuple of str
            All nodes.

        Raises
        ------
        GraphError
            If directed edges form a cycle, which only a graph of kind UNKNOWN can have.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("C -> B; B -> A").topological_order()
        ('C', 'B', 'A')
        """
        order = topological_order(self._parent_masks)
        if order is None:
            raise GraphError("the directed edges form a cycle, so that no topological order exists")
        return self._names(order)

    # -- separation ----------------------------------------------------------------------------------------------------

    @cached_property
    def _separator(self) -> Separator:
        """Neighbour sets of this graph, or of one member of its class: all members have the same separations."""
        if self.kind is GraphKind.UNKNOWN:
            msg = "separation is not defined for a graph of kind UNKNOWN; say what its marks mean with with_kind()"
            raise GraphKindError(msg)
        if self.meta.get("stationary"):
            msg = "a stationary graph leaves out the edges among earlier steps, and paths through the past; write the steps out with unroll()"
            raise GraphError(msg)
        if self.kind in PATTERNS:
            parents = _classes.extension(Pattern.from_marks(self.marks))
            if parents is None:
                raise NotExtendableError("no directed acyclic graph has these edges and colliders")
            return Separator.of_dag(parents)
        if self.kind is GraphKind.PAG:
            return Separator.of_marks(_pag.member(self.marks))
        return Separator(self._parent_masks, self._child_masks, self._spouse_masks, self._undirected_masks)

    def separated(
        self, x: str | Iterable[str], y: str | Iterable[str], given: str | Iterable[str] = ()
    ) -> bool:
        """Whether every path between `x` and `y` is blocked by `given` (d-separation, m-separation).

        Parameters
        ----------
        x, y : str or iterable of str
            Two nodes, or two disjoint sets of nodes.
        given : str or iterable of str, default=()
            The nodes conditioned on; disjoint from `x` and `y`.

        Returns
        -------
        bool
            True if separated.

        Raises
        ------
        GraphKindError
            If the graph is of kind UNKNOWN.
        GraphError
            If the three sets overlap.

        Notes
        -----
        Linear in the number of edges per query after a preparation that is done once per graph.

        References
        ----------
        T. Richardson, "Markov properties for acyclic directed mixed graphs", Scandinavian Journal of Statistics 30,
        2003, section 2.1.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> g = CausalGraph.parse("A -> C; B -> C; C -> D")
        >>> g.separated("A", "B"), g.separated("A", "B", given="D")
        (True, False)
        """
        left, right, middle = self._disjoint(x, y, given, "given")
        return not self._separator.connected(left, right, middle | self._selected(left | right))

    def _selected(self, asked: int) -> int:
        """Return the nodes that the rows were selected on, none of which can be asked about."""
        chosen = self._having_role("selection")
        if chosen & asked:
            msg = f"the rows were selected on {self._names(members(chosen & asked))}, so that it does not vary in them; its role 'selection' says so"
            raise GraphError(msg)
        return chosen

    def _disjoint(
        self, x: str | Iterable[str], y: str | Iterable[str], third: str | Iterable[str], name: str
    ) -> tuple[int, int, int]:
        """Read three sets of nodes that must not overlap."""
        a, b, c = (mask_of(self.index(n) for n in as_names(nodes)) for nodes in (x, y, third))
        overlap = a & b | a & c | b & c
        if overlap:
            msg = f"x, y and {name} must be disjoint; {self._names(members(overlap))} are in more than one"
            raise GraphError(msg)
        return a, b, c

    def minimal_separator(
        self,
        x: str | Iterable[str],
        y: str | Iterable[str],
        *,
        include: str | Iterable[str] = (),
        within: str | Iterable[str] | None = None,
    ) -> tuple[str, ...] | None:
        """Return a set that separates `x` and `y` and of which no smaller part does.

        Parameters
        ----------
        x, y : str or iterable of str
            Two nodes, or two disjoint sets of nodes.
        include : str or iterable of str, default=()
            Nodes that must be in the set; only the others are minimal then.
        within : str or iterable of str, optional
            Nodes that may be in the set; by default all others.

        Returns
        -------
        tuple of str or None
            The set, which may be empty; None if no allowed set separates them. Of several minimal sets it is the one nearest to `x`.

        Raises
        ------
        GraphKindError
            If the graph is of kind UNKNOWN.
        GraphError
            If `x`, `y` and `include` overlap, or `include` is not in `within`.

        Notes
        -----
        Linear in the number of edges.

        References
        ----------
        B. van der Zander, M. Liśkiewicz, J. Textor, "Separators and adjustment sets in causal graphs: complete criteria and an
        algorithmic framework", Artificial Intelligence 270, 2019, section 4.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> g = CausalGraph.parse("A -> B; B -> C; A -> D; D -> C")
        >>> g.minimal_separator("A", "C"), g.minimal_separator("A", "C", within=["B"])
        (('B', 'D'), None)
        """
        left, right, inside = self._disjoint(x, y, include, "include")
        everything = (1 << self.n_nodes) - 1
        allowed = everything if within is None else mask_of(self.index(n) for n in as_names(within))
        if inside & ~allowed:
            msg = f"include must be part of within; {self._names(members(inside & ~allowed))} are not"
            raise GraphError(msg)
        chosen = self._selected(left | right)
        found = self._separator.minimal(left, right, inside | chosen, allowed | chosen)
        return None if found is None else self._names(members(found & ~chosen))

    def districts(self) -> tuple[tuple[str, ...], ...]:
        """Return the sets of nodes that paths of bidirected edges connect, also called c-components.

        Returns
        -------
        tuple of tuple of str
            Every node is in one district; sorted by first member.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B; A <-> C; D", kind="ADMG").districts()
        (('A', 'C'), ('B',), ('D',))
        """
        found = _projection.districts(self._spouse_masks)
        return tuple(self._names(members(district)) for district in found)

    def unshielded_colliders(self) -> tuple[tuple[str, str, str], ...]:
        """Return all (a, b, c) with arrowheads at b on both edges a–b and b–c, and a and c not adjacent.

        Returns
        -------
        tuple of (str, str, str)
            Sorted by the middle node; the ends in data order.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B; C -> B").unshielded_colliders()
        (('A', 'B', 'C'),)
        """
        into = self.marks == Mark.ARROW
        found = []
        for b in range(self.n_nodes):
            sources = np.flatnonzero(into[:, b] | self.bidirected[:, b]).tolist()
            for k, a in enumerate(sources):
                found += [(a, b, c) for c in sources[k + 1 :] if not self._adjacency_masks[a] >> c & 1]
        return tuple((self.nodes[a], self.nodes[b], self.nodes[c]) for a, b, c in found)
