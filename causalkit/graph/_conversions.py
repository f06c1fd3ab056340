"""Reading and writing graphs: text, matrices, objects of other libraries, files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalkit.exceptions import ParseError
from causalkit.graph import _convert, _files, _text
from causalkit.graph._core import edge_keys
from causalkit.graph._marks import GraphKind, Mark, as_kind
from causalkit.graph._queries import GraphQueries
from causalkit.graph.formats import _dagitty, _dot
from causalkit.graph.formats._limits import check_number_of_nodes, read_text


class GraphConversions(GraphQueries):
    """A graph that can be read from and written to other forms."""

    # -- text ------------------------------------------------------------------------------------------------------------

    @classmethod
    def parse(cls, text: str, kind: GraphKind | str = GraphKind.DAG) -> Self:
        """Read a graph from text such as ``"A -> B; B o-o C; D"``.

        Parameters
        ----------
        text : str
            Edges and lone nodes separated by ``;``, ``,`` or line ends. Ends of edges are ``<`` or ``>`` (arrowhead), ``-``
            (tail) and ``o`` (circle). Names with spaces are written in double quotes. Nodes are listed in the order in
            which they are first mentioned.
        kind : GraphKind or str, default="DAG"
            Kind of the graph.

        Returns
        -------
        CausalGraph
            The graph; ``CausalGraph.parse(str(g), kind=g.kind) == g``.

        Raises
        ------
        ParseError
            If the text cannot be read.
        InvalidGraphError
            If the graph breaks a rule of its kind.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B -> C").children("A")
        ('B',)
        """
        nodes, edges = _text.read_text(text)
        return cls._from_edges(as_kind(kind), nodes, [(u, v, left, right) for u, left, right, v in edges])

    @classmethod
    def _from_edges(
        cls,
        kind: GraphKind,
        nodes: Iterable[str],
        edges: Iterable[tuple[str, str, Mark, Mark] | tuple[str, str, Mark, Mark, Mapping[str, Any]]],
        node_data: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Self:
        """Build a graph from edge records, which may end with data, refusing a pair that is listed twice."""
        names = list(nodes)
        check_number_of_nodes(len(names))
        at = {name: k for k, name in enumerate(names)}
        marks = np.zeros((len(names), len(names)), dtype=np.uint8)
        plane = np.zeros(marks.shape, dtype=bool)
        known: dict[tuple[int, int, bool], Mapping[str, Any]] = {}
        for u, v, left, right, *data in edges:
            i, j = at[u], at[v]
            bow = kind is GraphKind.ADMG and left is Mark.ARROW and right is Mark.ARROW
            if plane[i, j] if bow else marks[i, j]:
                msg = f"there are two edges between {u!r} and {v!r}; one pair of nodes has one edge (an ADMG: one -> and one <->)"
                raise ParseError(msg)
            if bow:
                plane[i, j] = plane[j, i] = True
            else:
                marks[j, i], marks[i, j] = left, right
            known[min(i, j), max(i, j), bow] = data[0] if data else {}
        columns = {name: None for data in known.values() for name in data}
        rows = [known[key] for key in edge_keys(marks, plane)] if columns else []
        return cls(
            kind, names, marks, bidirected=plane if plane.any() else None, node_data=node_data,
            edge_data={name: [row.get(name) for row in rows] for name in columns},
        )  # fmt: skip

    def __str__(self) -> str:
        return _text.write_text(self)

    # -- matrices ----------------------------------------------------------------------------------------------------------

    def to_adjacency(self) -> NDArray[np.int_]:
        """Write a DAG as 0/1 matrix (d, d) with 1 at ``[i, j]`` for i → j (rows cause columns).

        Returns
        -------
        numpy.ndarray of int, shape (d, d)
            The matrix; raises `ConversionError` for other kinds than DAG.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B").to_adjacency()
        array([[0, 1],
               [0, 0]])
        """
        return _convert.to_adjacency(self)

    @classmethod
    def from_adjacency(cls, matrix: ArrayLike, nodes: Iterable[str] | None = None) -> Self:
        """Read a DAG from a 0/1 matrix with 1 at ``[i, j]`` for i → j; default names are ``X1, X2, ...``.

        Parameters
        ----------
        matrix : array_like, shape (d, d)
            Zeros and ones.
        nodes : iterable of str, optional
            Names.

        Returns
        -------
        CausalGraph
            A DAG.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.from_adjacency([[0, 1], [0, 0]]))
        X1 -> X2
        """
        marks = _convert.adjacency_to_marks(matrix)
        return cls(GraphKind.DAG, _convert.default_names(nodes, len(marks)), marks)

    def to_pcalg_cpdag(self) -> NDArray[np.int_]:
        """Write pcalg's ``amat.cpdag``, in which 1 at ``[i, j]`` alone is j → i and 1 at both is undirected.

        Returns
        -------
        numpy.ndarray of int, shape (d, d)
            The matrix.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B").to_pcalg_cpdag()
        array([[0, 0],
               [1, 0]])
        """
        return _convert.to_pcalg_cpdag(self)

    @classmethod
    def from_pcalg_cpdag(
        cls, matrix: ArrayLike, nodes: Iterable[str] | None = None, kind: GraphKind | str = GraphKind.CPDAG
    ) -> Self:
        """Read pcalg's ``amat.cpdag``; the kind is CPDAG unless stated.

        Parameters
        ----------
        matrix : array_like, shape (d, d)
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
        >>> print(CausalGraph.from_pcalg_cpdag([[0, 1], [1, 0]]))
        X1 --- X2
        """
        marks = _convert.pcalg_cpdag_to_marks(matrix)
        return cls(kind, _convert.default_names(nodes, len(marks)), marks)

    def to_pcalg_pag(self) -> NDArray[np.int_]:
        """Write pcalg's ``amat.pag`` (0 none, 1 circle, 2 arrowhead, 3 tail, at the column's node).

        Returns
        -------
        numpy.ndarray of int, shape (d, d)
            The matrix, equal to :attr:`marks`.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A o-> B", kind="PAG").to_pcalg_pag()
        array([[0, 2],
               [1, 0]])
        """
        return _convert.to_pcalg_pag(self)

    @classmethod
    def from_pcalg_pag(
        cls, matrix: ArrayLike, nodes: Iterable[str] | None = None, kind: GraphKind | str = GraphKind.PAG
    ) -> Self:
        """Read pcalg's ``amat.pag``; the kind is PAG unless stated.

        Parameters
        ----------
        matrix : array_like, shape (d, d)
            Codes 0 to 3.
        nodes : iterable of str, optional
            Names; ``X1, X2, ...`` by default.
        kind : GraphKind or str, default="PAG"
            Kind of the result.

        Returns
        -------
        CausalGraph
            The graph.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.from_pcalg_pag([[0, 2], [1, 0]]))
        X1 o-> X2
        """
        marks = _convert.square(matrix, "amat.pag")
        return cls(kind, _convert.default_names(nodes, len(marks)), marks)

    # -- other libraries -----------------------------------------------------------------------------------------------------

    def to_networkx(self) -> Any:
        """Write a networkx graph: DiGraph for a DAG, MultiDiGraph with ``type`` for an ADMG, else Graph with ``marks``.

        Returns
        -------
        networkx.DiGraph, networkx.MultiDiGraph or networkx.Graph
            Undirected edges are never written as two arcs: networkx would read them as a cycle.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> list(CausalGraph.parse("A -> B").to_networkx().edges)
        [('A', 'B')]
        """
        return _convert.to_networkx(self)

    @classmethod
    def from_networkx(cls, graph: Any, kind: GraphKind | str | None = None) -> Self:
        """Read a networkx graph: what `to_networkx` wrote, a plain DiGraph (DAG) or a plain Graph (UG).

        Parameters
        ----------
        graph : networkx graph
            DiGraph, MultiDiGraph or Graph with string nodes.
        kind : GraphKind or str, optional
            Kind of the result, where it does not follow.

        Returns
        -------
        CausalGraph
            The graph, with the attributes of its nodes: all of them where `to_networkx` wrote it, else those that have a meaning here.

        Examples
        --------
        >>> import networkx as nx
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.from_networkx(nx.DiGraph([("A", "B")])))
        A -> B
        """
        return cls._from_edges(*_convert.from_networkx(graph, None if kind is None else as_kind(kind)))

    def to_causal_learn(self) -> Any:
        """Write causal-learn's ``GeneralGraph``; needs the extra ``causal-learn``.

        Returns
        -------
        causallearn.graph.GeneralGraph.GeneralGraph
            Its matrix has the mark at the row's node.
        """
        return _convert.to_causal_learn(self)

    @classmethod
    def from_causal_learn(cls, graph: Any, kind: GraphKind | str = GraphKind.UNKNOWN) -> Self:
        """Read causal-learn's ``GeneralGraph``, or what its ``pc`` and ``cdnod`` return.

        Parameters
        ----------
        graph : causallearn GeneralGraph or CausalGraph
            The graph. Its matrix is transposed against this package's: causal-learn has the mark at the row's node.
        kind : GraphKind or str, default="UNKNOWN"
            Kind of the result; ``"CPDAG"`` fails if finite-sample conflicts left something that is none.

        Returns
        -------
        CausalGraph
            The graph with causal-learn's node names.
        """
        nodes, marks, data = _convert.from_causal_learn(graph)
        return cls(kind, nodes, marks, node_data=data)

    # -- files -----------------------------------------------------------------------------------------------------------------

    def to_json(self, *, indent: int | None = None) -> str:
        """Write everything that the graph holds as JSON text, the archival format.

        Parameters
        ----------
        indent : int, optional
            Spaces per level; by default everything is on one line.

        Returns
        -------
        str
            JSON text.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> g = CausalGraph.parse("A -> B")
        >>> CausalGraph.from_json(g.to_json()) == g
        True
        """
        return _files.write_json(self, indent=indent)

    @classmethod
    def from_json(cls, text: str | Path) -> Self:
        """Read JSON text written by `to_json`; raises `ParseError` for anything else.

        Parameters
        ----------
        text : str or pathlib.Path
            JSON text, or the path of a file that holds it.

        Returns
        -------
        CausalGraph
            The graph.
        """
        return cls._from_arguments(
            _files.read_json(read_text(text, _files.MAX_BYTES) if isinstance(text, Path) else text)
        )

    def to_npz(self, path: str | Path) -> None:
        """Write the graph as compressed arrays with a JSON header, for graphs of thousands of nodes.

        Parameters
        ----------
        path : str or path
            File to write.
        """
        _files.write_npz(self, path)

    @classmethod
    def from_npz(cls, path: str | Path) -> Self:
        """Read a file written by `to_npz`.

        Parameters
        ----------
        path : str or path
            File to read.

        Returns
        -------
        CausalGraph
            The graph.
        """
        return cls._from_arguments(_files.read_npz(path))

    @classmethod
    def _from_arguments(cls, arguments: dict[str, Any]) -> Self:
        return cls(arguments.pop("kind"), arguments.pop("nodes"), arguments.pop("marks"), **arguments)

    def to_dot(self) -> str:
        """Write DOT, the language of Graphviz.

        Returns
        -------
        str
            A ``digraph`` whose edges have explicit marks.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.parse("A -> B").to_dot().splitlines()[0])
        digraph DAG {
        """
        return _dot.write_dot(self)

    @classmethod
    def from_dot(cls, text: str, kind: GraphKind | str | None = None) -> Self:
        """Read DOT: what `to_dot` wrote, or a graph from elsewhere, with chains, groups, defaults and ports.

        Parameters
        ----------
        text : str
            A ``digraph`` or ``graph``, of at most 10 million characters, 10,000 nodes and a million edges.
        kind : GraphKind or str, optional
            By default the name of the graph if that is a kind, as `to_dot` writes it; else DAG, or ADMG with ``dir=both``, for a ``digraph`` and UG for a ``graph``.

        Returns
        -------
        CausalGraph
            The graph, with the parts of nodes (``role``, ``exposure``, ...) as node data. Edges that are written again count once; how a graph looks is not kept.

        Raises
        ------
        ParseError
            If the text cannot be read, is too long, or an end of an edge is drawn in a way that means something else than an arrowhead, a tail or a circle.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.from_dot("digraph { node [shape=box]; A -> B -> {C D} }"))
        A -> B; B -> C; B -> D
        """
        found, nodes, edges, data = _dot.read_dot(text)
        return cls._from_edges(found if kind is None else as_kind(kind), nodes, edges, data)

    def to_dagitty(self) -> str:
        """Write DAGitty's text form.

        Returns
        -------
        str
            Text that DAGitty reads.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.parse("A -> B").to_dagitty())
        dag {
        A
        B
        A -> B
        }
        <BLANKLINE>
        """
        return _dagitty.write_dagitty(self)

    @classmethod
    def from_dagitty(cls, text: str, kind: GraphKind | str | None = None) -> Self:
        """Read DAGitty's text form.

        Parameters
        ----------
        text : str
            ``dag { ... }``, ``pdag { ... }``, ``mag { ... }``, ``pag { ... }``, ``graph { ... }``, edges without a header, or the lists of DAGitty's first
            releases; at most 10 million characters, 10,000 nodes and a million edges.
        kind : GraphKind or str, optional
            Kind of the result; by default that of the header, or ADMG for a ``dag`` with ``<->``; a ``graph`` is what its edges make it.

        Returns
        -------
        CausalGraph
            The graph, with ``role``, ``exposure``, ``outcome``, ``adjusted``, positions and labels as node data; the ``beta`` of an edge is its ``strength``.

        Raises
        ------
        ParseError
            If the text cannot be read or is too long, or an option has no meaning.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> g = CausalGraph.from_dagitty("dag { X [exposure] Y [outcome] X -> Y X <- Z -> Y }")
        >>> g.parents("Y"), dict(g.node_data["X"])
        (('X', 'Z'), {'exposure': True})
        """
        found, nodes, edges, data = _dagitty.read_dagitty(text)
        return cls._from_edges(found if kind is None else as_kind(kind), nodes, edges, data)
