"""The causal graph that all parts of the package share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalkit.exceptions import GraphKindError, NotExtendableError, ParseError
from causalkit.graph import _classes, _convert, _dagitty, _dot, _draw, _files, _svg, _text
from causalkit.graph._knowledge import BackgroundKnowledge, apply_knowledge
from causalkit.graph._marks import GraphKind, Mark, as_kind
from causalkit.graph._pattern import Pattern
from causalkit.graph._queries import GraphQueries

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CausalGraph"]

_PATTERNS = (GraphKind.DAG, GraphKind.CPDAG, GraphKind.MPDAG, GraphKind.PDAG)


@final
class CausalGraph(GraphQueries):
    """An immutable causal graph of a stated kind.

    Parameters
    ----------
    kind : GraphKind or str
        ``"DAG"``, ``"CPDAG"``, ``"MPDAG"``, ``"PDAG"``, ``"ADMG"``, ``"MAG"``, ``"PAG"``, ``"UG"`` or ``"UNKNOWN"``. The
        rules of the kind are checked here.
    nodes : iterable of str
        Unique, non-empty names in data order; d of them.
    marks : array_like of int, shape (d, d)
        Entry ``[i, j]`` is the :class:`Mark` **at j** of the edge between i and j, 0 where there is none. So i → j is
        ``marks[i, j] == Mark.ARROW`` and ``marks[j, i] == Mark.TAIL``.
    bidirected : array_like of bool, shape (d, d), optional
        Edges ↔ of an ADMG; symmetric. Only an ADMG has them here, since there ↔ may stand beside →.
    node_data : mapping of str to mapping, optional
        Attributes of nodes: ``role`` ("system", "context", "latent" or "selection"), ``context_type`` ("time" or
        "domain"), ``lag`` (0 or negative), and free ones.
    edge_data : mapping of str to sequence, optional
        Columns with one value per edge of :attr:`edges`: ``p_value``, ``statistic``, ``strength``, ``ci_low``, ``ci_high``, ``n``,
        ``confidence``, ``source``, ``rule``, ``estimand``, ``note``.
    meta : mapping, optional
        How the graph came about.

    Raises
    ------
    InvalidGraphError
        If a rule of the kind is broken; the message and ``error.witness`` name the nodes that show it.
    GraphError
        If shapes, names or codes are wrong.

    See Also
    --------
    parse : Build a graph from text.
    from_adjacency, from_networkx, from_causal_learn : Build a graph from other forms.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> g = CausalGraph.parse("rain -> wet; sprinkler -> wet; wet -> slippery")
    >>> g
    CausalGraph(kind=DAG, nodes=4, edges=3)
    >>> g.separated("rain", "sprinkler"), g.separated("rain", "sprinkler", given="slippery")
    (True, False)
    >>> print(g.to_cpdag())
    rain -> wet; sprinkler -> wet; wet -> slippery
    """

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
        edges: Iterable[tuple[str, str, Mark, Mark]],
        node_data: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Self:
        """Build a graph from edge records, refusing a pair that is listed twice."""
        names = list(nodes)
        at = {name: k for k, name in enumerate(names)}
        marks = np.zeros((len(names), len(names)), dtype=np.uint8)
        plane = np.zeros(marks.shape, dtype=bool)
        for u, v, left, right in edges:
            i, j = at[u], at[v]
            bow = kind is GraphKind.ADMG and left is Mark.ARROW and right is Mark.ARROW
            if plane[i, j] if bow else marks[i, j]:
                msg = f"there are two edges between {u!r} and {v!r}; one pair of nodes has one edge (an ADMG: one -> and one <->)"
                raise ParseError(msg)
            if bow:
                plane[i, j] = plane[j, i] = True
            else:
                marks[j, i], marks[i, j] = left, right
        return cls(kind, names, marks, bidirected=plane if plane.any() else None, node_data=node_data)

    def __str__(self) -> str:
        return _text.write_text(self)

    def __repr__(self) -> str:
        return f"CausalGraph(kind={self.kind}, nodes={self.n_nodes}, edges={self.n_edges})"

    # -- equivalence classes -----------------------------------------------------------------------------------------------

    def _require(self, allowed: Iterable[GraphKind], what: str) -> None:
        kinds = tuple(allowed)
        if self.kind not in kinds:
            msg = f"{what} needs a graph of kind {' or '.join(kinds)}; this one is a {self.kind}"
            raise GraphKindError(msg)

    def _with_pattern(self, kind: GraphKind, pattern: Pattern) -> Self:
        return type(self)(kind, self.nodes, pattern.marks(), node_data=self.node_data, meta=self.meta)

    def to_cpdag(self) -> Self:
        """Return the completed graph of the Markov equivalence class of a DAG.

        Returns
        -------
        CausalGraph
            A CPDAG: an arrow stands where all members of the class agree. Edge data are not carried over.

        Raises
        ------
        GraphKindError
            If this graph is neither a DAG nor a CPDAG.

        References
        ----------
        C. Meek, "Causal inference and causal explanation with background knowledge", UAI 1995.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> print(CausalGraph.parse("A -> B; B -> C; D -> C").to_cpdag())
        A --- B; B -> C; D -> C
        """
        self._require([GraphKind.DAG, GraphKind.CPDAG], "to_cpdag")
        if self.kind is GraphKind.CPDAG:
            return self
        return self._with_pattern(GraphKind.CPDAG, _classes.completed(self._parent_masks))

    def to_mpdag(self, knowledge: BackgroundKnowledge | None = None) -> Self:
        """Return the maximally oriented graph that follows from this one and background knowledge.

        Parameters
        ----------
        knowledge : BackgroundKnowledge, optional
            Statements about directions. Names that are not nodes of the graph are an error.

        Returns
        -------
        CausalGraph
            An MPDAG: all arrows implied by the class and the knowledge.

        Raises
        ------
        KnowledgeError
            If no member of the class agrees with all statements; ``error.conflict`` is a minimal conflicting subset.
        GraphKindError
            If this graph is not a DAG, CPDAG, MPDAG or PDAG.

        References
        ----------
        E. Perković, M. Kalisch, M. Maathuis, "Interpreting and using CPDAGs with background knowledge", UAI 2017,
        section 2 and algorithm 1.

        Examples
        --------
        >>> from causalkit import BackgroundKnowledge, CausalGraph
        >>> g = CausalGraph.parse("A --- B; B --- C", kind="CPDAG")
        >>> print(g.to_mpdag(BackgroundKnowledge(required=[("A", "B")])))
        A -> B; B -> C
        """
        self._require(_PATTERNS, "to_mpdag")
        pattern = Pattern.from_marks(self.marks)
        stated = knowledge or BackgroundKnowledge()
        for name in stated.names():
            self.index(name)
        apply_knowledge(pattern, self.nodes, stated)
        return self._with_pattern(GraphKind.MPDAG, pattern)

    def to_dag(self) -> Self:
        """Return one DAG of the class: same skeleton, same arrows, no new unshielded collider.

        Returns
        -------
        CausalGraph
            A consistent extension; the same one for the same graph.

        Raises
        ------
        NotExtendableError
            If there is none.
        GraphKindError
            If this graph is not a DAG, CPDAG, MPDAG or PDAG.

        References
        ----------
        D. Dor, M. Tarsi, "A simple algorithm to construct a consistent extension of a partially oriented graph",
        technical report R-185, UCLA, 1992.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A --- B; B --- C", kind="CPDAG").to_dag().unshielded_colliders()
        ()
        """
        self._require(_PATTERNS, "to_dag")
        parents = _classes.extension(Pattern.from_marks(self.marks))
        if parents is None:
            raise NotExtendableError(
                "no directed acyclic graph has these edges and exactly these unshielded colliders"
            )
        return self._with_pattern(GraphKind.DAG, Pattern(parents, [0] * self.n_nodes))

    # -- matrices ----------------------------------------------------------------------------------------------------------

    def to_adjacency(self) -> NDArray[np.int_]:
        """Write a DAG as 0/1 matrix (d, d) with 1 at ``[i, j]`` for i → j (rows cause columns)."""
        return _convert.to_adjacency(self)

    @classmethod
    def from_adjacency(cls, matrix: ArrayLike, nodes: Iterable[str] | None = None) -> Self:
        """Read a DAG from a 0/1 matrix with 1 at ``[i, j]`` for i → j; default names are ``X1, X2, ...``."""
        marks = _convert.adjacency_to_marks(matrix)
        return cls(GraphKind.DAG, _convert.default_names(nodes, len(marks)), marks)

    def to_pcalg_cpdag(self) -> NDArray[np.int_]:
        """Write pcalg's ``amat.cpdag``, in which 1 at ``[i, j]`` alone is j → i and 1 at both is undirected."""
        return _convert.to_pcalg_cpdag(self)

    @classmethod
    def from_pcalg_cpdag(
        cls, matrix: ArrayLike, nodes: Iterable[str] | None = None, kind: GraphKind | str = GraphKind.CPDAG
    ) -> Self:
        """Read pcalg's ``amat.cpdag``; the kind is CPDAG unless stated."""
        marks = _convert.pcalg_cpdag_to_marks(matrix)
        return cls(kind, _convert.default_names(nodes, len(marks)), marks)

    def to_pcalg_pag(self) -> NDArray[np.int_]:
        """Write pcalg's ``amat.pag`` (0 none, 1 circle, 2 arrowhead, 3 tail, at the column's node)."""
        return _convert.to_pcalg_pag(self)

    @classmethod
    def from_pcalg_pag(
        cls, matrix: ArrayLike, nodes: Iterable[str] | None = None, kind: GraphKind | str = GraphKind.PAG
    ) -> Self:
        """Read pcalg's ``amat.pag``; the kind is PAG unless stated."""
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
        """Read a networkx graph: what `to_networkx` wrote, a plain DiGraph (DAG) or a plain Graph (UG)."""
        stated, nodes, edges = _convert.from_networkx(graph, None if kind is None else as_kind(kind))
        return cls._from_edges(stated, nodes, edges)

    def to_causal_learn(self) -> Any:
        """Write causal-learn's ``GeneralGraph``; needs the extra ``causal-learn``."""
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
        nodes, marks = _convert.from_causal_learn(graph)
        return cls(kind, nodes, marks)

    # -- files -----------------------------------------------------------------------------------------------------------------

    def to_json(self, *, indent: int | None = None) -> str:
        """Write everything that the graph holds as JSON text, the archival format."""
        return _files.write_json(self, indent=indent)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read JSON text written by `to_json`; raises `ParseError` for anything else."""
        return cls._from_arguments(_files.read_json(text))

    def to_npz(self, path: str | Path) -> None:
        """Write the graph as compressed arrays with a JSON header, for graphs of thousands of nodes."""
        _files.write_npz(self, path)

    @classmethod
    def from_npz(cls, path: str | Path) -> Self:
        """Read a file written by `to_npz`."""
        return cls._from_arguments(_files.read_npz(path))

    @classmethod
    def _from_arguments(cls, arguments: dict[str, Any]) -> Self:
        return cls(arguments.pop("kind"), arguments.pop("nodes"), arguments.pop("marks"), **arguments)

    def to_dot(self) -> str:
        """Write DOT, the language of Graphviz."""
        return _dot.write_dot(self)

    @classmethod
    def from_dot(cls, text: str, kind: GraphKind | str = GraphKind.DAG) -> Self:
        """Read a flat DOT graph with marks as `to_dot` writes them; plain ``digraph { A -> B }`` is read as DAG."""
        nodes, edges = _dot.read_dot(text)
        return cls._from_edges(as_kind(kind), nodes, edges)

    def to_dagitty(self) -> str:
        """Write DAGitty's text form."""
        return _dagitty.write_dagitty(self)

    @classmethod
    def from_dagitty(cls, text: str, kind: GraphKind | str | None = None) -> Self:
        """Read DAGitty's text form.

        Parameters
        ----------
        text : str
            ``dag { ... }``, ``pdag { ... }``, ``mag { ... }`` or ``pag { ... }``.
        kind : GraphKind or str, optional
            Kind of the result; by default that of the header, or ADMG for a ``dag`` with ``<->``.

        Returns
        -------
        CausalGraph
            The graph, with exposure, outcome, latent and positions as node data.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> g = CausalGraph.from_dagitty("dag { X [exposure] Y [outcome] X -> Y X <- Z -> Y }")
        >>> g.parents("Y"), dict(g.node_data["X"])
        (('X', 'Z'), {'exposure': True})
        """
        found, nodes, edges, data = _dagitty.read_dagitty(text)
        return cls._from_edges(found if kind is None else as_kind(kind), nodes, edges, data)

    # -- pictures ----------------------------------------------------------------------------------------------------------------

    def to_svg(self) -> str:
        """Draw the graph as SVG text; context nodes are square, knowledge is dashed."""
        return _svg.write_svg(self)

    def _repr_html_(self) -> str:
        return self.to_svg()

    def draw(
        self,
        ax: Axes | None = None,
        *,
        layout: str
        | Mapping[str, tuple[float, float]]
        | Callable[[Any], Mapping[str, tuple[float, float]]] = "layered",
    ) -> Axes:
        """Draw the graph with matplotlib.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default new axes of a fitting size.
        layout : "layered", mapping or callable, default="layered"
            Layers from causes to effects, a mapping from node to (x, y), or a function from graph to such a mapping.

        Returns
        -------
        matplotlib.axes.Axes
            The axes.
        """
        return _draw.draw(self, ax, layout)
