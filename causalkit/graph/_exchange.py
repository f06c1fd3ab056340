"""Graphs in the forms of other libraries and languages.

Methods of :class:`causalkit.CausalGraph`; what each form looks like is in the modules `_matrices`, `_languages` and `_objects`. Whatever both sides can say
comes back as it was; what the other side cannot say is an error that names it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalkit.graph import _languages, _matrices, _objects
from causalkit.graph._conversions import GraphConversions
from causalkit.graph._convert import default_names
from causalkit.graph._marks import GraphKind, as_kind


class GraphExchange(GraphConversions):
    """A graph that can be exchanged with other libraries."""

    # -- matrices ----------------------------------------------------------------------------------------------------------

    def to_gadjid(self) -> NDArray[np.int8]:
        """Write the matrix of gadjid, to be read ``"from row to column"``: 1 is →, one 2 per pair is —.

        Returns
        -------
        numpy.ndarray of int8, shape (d, d)
            The matrix.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B").to_gadjid().tolist()
        [[0, 1], [0, 0]]
        """
        return _matrices.to_gadjid(self)

    @classmethod
    def from_gadjid(
        cls, matrix: ArrayLike, nodes: Iterable[str] | None = None, kind: GraphKind | str = GraphKind.CPDAG
    ) -> Self:
        """Read the matrix of gadjid, from row to column.

        Parameters
        ----------
        matrix : array_like of int, shape (d, d)
            0, 1 and 2.
        nodes : iterable of str, optional
            Names; ``X1, X2, ...`` by default.
        kind : GraphKind or str, default="CPDAG"
            Kind of the result.

        Returns
        -------
        CausalGraph
            The graph.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.from_gadjid([[0, 2], [0, 0]]))
        X1 --- X2
        """
        marks = _matrices.gadjid_to_marks(matrix)
        return cls(kind, default_names(nodes, len(marks)), marks)

    def to_bnlearn(self) -> NDArray[np.int_]:
        """Write the ``amat`` of bnlearn, which gCastle has too: 1 at ``[i, j]`` is i → j, at both places i — j.

        Returns
        -------
        numpy.ndarray of int, shape (d, d)
            The matrix.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A --- B", kind="CPDAG").to_bnlearn().tolist()
        [[0, 1], [1, 0]]
        """
        return _matrices.to_bnlearn(self)

    @classmethod
    def from_bnlearn(
        cls, matrix: ArrayLike, nodes: Iterable[str] | None = None, kind: GraphKind | str = GraphKind.CPDAG
    ) -> Self:
        """Read the ``amat`` of bnlearn, or the matrix of gCastle.

        Parameters
        ----------
        matrix : array_like of int, shape (d, d)
            Zeros and ones.
        nodes : iterable of str, optional
            Names; ``X1, X2, ...`` by default.
        kind : GraphKind or str, default="CPDAG"
            Kind of the result.

        Returns
        -------
        CausalGraph
            The graph.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.from_bnlearn([[0, 1], [0, 0]], kind="DAG"))
        X1 -> X2
        """
        marks = _matrices.bnlearn_to_marks(matrix)
        return cls(kind, default_names(nodes, len(marks)), marks)

    def to_weights(self) -> NDArray[np.float64]:
        """Write the strength of i → j at ``[i, j]``, 1 where an edge has none; ``.T`` of it is what lingam calls B.

        Returns
        -------
        numpy.ndarray of float, shape (d, d)
            Weights of a DAG.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B").to_weights().tolist()
        [[0.0, 1.0], [0.0, 0.0]]
        """
        return _matrices.to_weights(self)

    @classmethod
    def from_weights(
        cls, matrix: ArrayLike, nodes: Iterable[str] | None = None, *, threshold: float = 0.0
    ) -> Self:
        """Read a DAG from weights, as NOTEARS and others learn them; for lingam's B, give ``B.T``.

        Parameters
        ----------
        matrix : array_like of float, shape (d, d)
            The weight of i → j at ``[i, j]``.
        nodes : iterable of str, optional
            Names; ``X1, X2, ...`` by default.
        threshold : float, default=0
            Weights not larger than this in size are no edges.

        Returns
        -------
        CausalGraph
            A DAG whose edges have ``strength``.

        Raises
        ------
        InvalidGraphError
            If the edges form a cycle.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> g = CausalGraph.from_weights([[0, -0.7], [0.05, 0]], threshold=0.1)
        >>> print(g, g.edges[0].data["strength"])
        X1 -> X2 -0.7
        """
        marks, strength = _matrices.weights_to_graph(matrix, threshold)
        data = {"strength": strength} if strength else None
        return cls(GraphKind.DAG, default_names(nodes, len(marks)), marks, edge_data=data)

    def to_tigramite(self) -> NDArray[np.str_]:
        """Write the array of strings of tigramite, such as ``'-->'``; with lagged nodes, shape (N, N, lags + 1).

        Returns
        -------
        numpy.ndarray of str, shape (N, N) or (N, N, L + 1)
            ``[i, j, k]`` is the edge from variable i, k steps back, to variable j now. Unoriented edges of a CPDAG are ``'o-o'``.

        Notes
        -----
        A lagged node has the attributes ``lag`` (negative) and ``variable``, the name of the node that it is at another time.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B").to_tigramite().tolist()
        [['', '-->'], ['<--', '']]
        """
        return _matrices.to_tigramite(self)

    @classmethod
    def from_tigramite(
        cls, graph: Any, variables: Iterable[str] | None = None, kind: GraphKind | str = GraphKind.DAG
    ) -> Self:
        """Read the array of strings of tigramite.

        Parameters
        ----------
        graph : array_like of str, shape (N, N) or (N, N, L + 1)
            Such as ``results["graph"]``.
        variables : iterable of str, optional
            Names; ``X1, X2, ...`` by default.
        kind : GraphKind or str, default="DAG"
            Kind of the result; for ``"CPDAG"`` and its kin ``'o-o'`` is read as undirected.

        Returns
        -------
        CausalGraph
            With lags, nodes named ``X[-1]`` follow the others, with the attributes ``lag`` and ``variable``, and ``meta`` says that the graph is
            stationary.

        Examples
        --------
        >>> import numpy as np
        >>> from causalkit import CausalGraph
        >>> strings = np.full((2, 2, 2), "", dtype="<U3")
        >>> strings[0, 1, 1] = "-->"
        >>> print(CausalGraph.from_tigramite(strings, ["rain", "river"]).edges[0])
        rain[-1] -> river
        """
        stated = as_kind(kind)
        nodes, edges, data = _matrices.tigramite_to_edges(graph, variables, stated)
        found = cls._from_edges(stated, nodes, edges, data)
        return found.with_meta(stationary=True) if data else found

    # -- languages -------------------------------------------------------------------------------------------------------------

    def to_tetrad(self) -> str:
        """Write the text form of Tetrad; its matrix form is that of `to_pcalg_pag`.

        Returns
        -------
        str
            Names must be free of white space, commas, semicolons and brackets; a hidden node is written in parentheses, a selected one in brackets.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.parse("A o-> B", kind="PAG").to_tetrad())
        Graph Nodes:
        A;B
        <BLANKLINE>
        Graph Edges:
        1. A o-> B
        <BLANKLINE>
        """
        return _languages.write_tetrad(self)

    @classmethod
    def from_tetrad(cls, text: str, kind: GraphKind | str = GraphKind.DAG) -> Self:
        """Read the text form of Tetrad.

        Parameters
        ----------
        text : str
            With lines ``Graph Nodes:`` and ``Graph Edges:``. Nodes in parentheses are hidden, those in brackets selected on; the probability that a bootstrap
            gives to an edge as it is drawn is its ``confidence``.
        kind : GraphKind or str, default="DAG"
            Kind of the result; the text does not say.

        Returns
        -------
        CausalGraph
            The graph.

        Raises
        ------
        ParseError
            If the text cannot be read.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> g = CausalGraph.parse("A -> B; C -> B")
        >>> CausalGraph.from_tetrad(g.to_tetrad()) == g
        True
        """
        return cls._from_edges(as_kind(kind), *_languages.read_tetrad(text))

    def to_lavaan(self) -> str:
        """Write the model syntax of lavaan: ``y ~ x`` and ``x ~~ y``; a variance per node keeps their order.

        Returns
        -------
        str
            Of a DAG or ADMG; names must be R names. A hidden node with children is written with ``=~``; other roles are refused.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.parse("A -> B").to_lavaan())
        A ~~ A
        B ~~ B
        B ~ A
        <BLANKLINE>
        """
        return _languages.write_lavaan(self)

    @classmethod
    def from_lavaan(cls, text: str, kind: GraphKind | str | None = None) -> Self:
        """Read regressions and covariances in the model syntax of lavaan.

        Parameters
        ----------
        text : str
            Lines such as ``y ~ x1 + x2``, ``x1 ~~ x2`` and ``f =~ x1 + x2``, whose left side is hidden; a line that ends with an operator goes on.
            Numbers before ``*`` are strengths; names of parameters, intercepts (``~ 1``), definitions (``:=``), constraints and comments are skipped.
        kind : GraphKind or str, optional
            By default ADMG if there are covariances, else DAG.

        Returns
        -------
        CausalGraph
            The graph.

        Raises
        ------
        ParseError
            If a line cannot be read.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.from_lavaan("y ~ x + z; x ~~ z").kind)
        ADMG
        """
        found, nodes, edges, data = _languages.read_lavaan(text)
        return cls._from_edges(found if kind is None else as_kind(kind), nodes, edges, data)

    def to_mermaid(self) -> str:
        """Write a flow chart of Mermaid, which many pages draw.

        Returns
        -------
        str
            The text.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.parse("A -> B").to_mermaid())
        flowchart TD
          n0["A"]
          n1["B"]
          n0 --> n1
        <BLANKLINE>
        """
        return _languages.write_mermaid(self)

    def to_gml(self) -> str:
        """Write GML; every arc carries the glyph of its edge in the attribute ``edge``.

        Returns
        -------
        str
            The text.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> "->" in CausalGraph.parse("A -> B").to_gml().replace("&gt;", ">").replace("&#62;", ">")
        True
        """
        return _languages.write_gml(self)

    @classmethod
    def from_gml(cls, text: str, kind: GraphKind | str | None = None) -> Self:
        """Read GML: what `to_gml` wrote, or a plain directed or undirected graph.

        Parameters
        ----------
        text : str
            The text.
        kind : GraphKind or str, optional
            By default what the text says, else DAG or UG.

        Returns
        -------
        CausalGraph
            The graph.

        Raises
        ------
        ParseError
            If the text cannot be read.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> g = CausalGraph.parse("A o-> B", kind="PAG")
        >>> CausalGraph.from_gml(g.to_gml()) == g
        True
        """
        return cls._from_edges(*_languages.read_gml(text, None if kind is None else as_kind(kind)))

    def to_graphml(self) -> str:
        """Write GraphML; every arc carries the glyph of its edge in the attribute ``edge``.

        Returns
        -------
        str
            The text.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> "->" in CausalGraph.parse("A -> B").to_graphml().replace("&gt;", ">").replace("&#62;", ">")
        True
        """
        return _languages.write_graphml(self)

    @classmethod
    def from_graphml(cls, text: str, kind: GraphKind | str | None = None) -> Self:
        """Read GraphML: what `to_graphml` wrote, or a plain directed or undirected graph.

        Parameters
        ----------
        text : str
            The text.
        kind : GraphKind or str, optional
            By default what the text says, else DAG or UG.

        Returns
        -------
        CausalGraph
            The graph.

        Raises
        ------
        ParseError
            If the text cannot be read.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> g = CausalGraph.parse("A o-> B", kind="PAG")
        >>> CausalGraph.from_graphml(g.to_graphml()) == g
        True
        """
        return cls._from_edges(*_languages.read_graphml(text, None if kind is None else as_kind(kind)))

    # -- objects ---------------------------------------------------------------------------------------------------------------

    def to_pgmpy(self) -> Any:
        """Write pgmpy's ``DAG``, or its ``PDAG`` for a class of DAGs; needs pgmpy.

        Returns
        -------
        pgmpy.base.DAG or pgmpy.base.PDAG
            Nodes whose role is latent are its latents.
        """
        return _objects.to_pgmpy(self)

    @classmethod
    def from_pgmpy(cls, graph: Any, kind: GraphKind | str | None = None) -> Self:
        """Read pgmpy's ``DAG`` or ``PDAG``, or a model that is one.

        Parameters
        ----------
        graph : pgmpy.base.DAG or pgmpy.base.PDAG
            The graph.
        kind : GraphKind or str, optional
            By default DAG or PDAG; say ``"CPDAG"`` if it is one.

        Returns
        -------
        CausalGraph
            Latents have the role latent.
        """
        guess, nodes, edges, data = _objects.from_pgmpy(graph)
        return cls._from_edges(guess if kind is None else as_kind(kind), nodes, edges, data)

    def to_dowhy(self) -> Any:
        """Write the networkx ``DiGraph`` that DoWhy takes.

        Returns
        -------
        networkx.DiGraph
            Of a DAG; nodes whose role is latent have the attribute ``observed="no"``.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B").to_dowhy().nodes["A"]
        {'observed': 'yes'}
        """
        return _objects.to_dowhy(self)

    @classmethod
    def from_dowhy(cls, graph: Any) -> Self:
        """Read a DAG in DoWhy's form.

        Parameters
        ----------
        graph : networkx.DiGraph, or an object of DoWhy that holds one
            The graph.

        Returns
        -------
        CausalGraph
            A DAG; nodes that are not observed have the role latent.

        Examples
        --------
        >>> import networkx as nx
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.from_dowhy(nx.DiGraph([("A", "B")])))
        A -> B
        """
        nodes, edges, data = _objects.from_dowhy(graph)
        return cls._from_edges(GraphKind.DAG, nodes, edges, data)

    def to_pywhy(self) -> dict[str, Any]:
        """Write one networkx graph per type of edge, the form in which pywhy-graphs keeps and takes them.

        Returns
        -------
        dict of str to networkx graph
            ``"directed"``, ``"bidirected"``, ``"undirected"`` and ``"circle"``; an arc in the last has a circle at its head.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> parts = CausalGraph.parse("A o-> B", kind="PAG").to_pywhy()
        >>> list(parts["directed"].edges), list(parts["circle"].edges)
        ([('A', 'B')], [('B', 'A')])
        """
        return _objects.to_pywhy(self)

    @classmethod
    def from_pywhy(cls, graph: Mapping[str, Any] | Any, kind: GraphKind | str = GraphKind.ADMG) -> Self:
        """Read one networkx graph per type of edge, or a graph of pywhy-graphs.

        Parameters
        ----------
        graph : mapping of str to networkx graph, or a graph of pywhy-graphs
            Types as in `to_pywhy`.
        kind : GraphKind or str, default="ADMG"
            Kind of the result.

        Returns
        -------
        CausalGraph
            The graph.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> g = CausalGraph.parse("A o-> B", kind="PAG")
        >>> CausalGraph.from_pywhy(g.to_pywhy(), kind="PAG") == g
        True
        """
        return cls._from_edges(as_kind(kind), *_objects.from_pywhy(graph))
