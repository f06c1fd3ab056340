"""The causal graph that all parts of the package share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self, final

from causalkit.exceptions import GraphKindError, KnowledgeError, NotExtendableError
from causalkit.graph import _classes, _draw, _meek, _svg
from causalkit.graph._bits import members
from causalkit.graph._conversions import GraphConversions
from causalkit.graph._knowledge import BackgroundKnowledge, apply_knowledge
from causalkit.graph._marks import GraphKind
from causalkit.graph._pattern import Pattern

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CausalGraph"]

_PATTERNS = (GraphKind.DAG, GraphKind.CPDAG, GraphKind.MPDAG, GraphKind.PDAG)


@final
class CausalGraph(GraphConversions):
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
        stated: object = knowledge or BackgroundKnowledge()
        if not isinstance(stated, BackgroundKnowledge):
            msg = f"knowledge must be a BackgroundKnowledge; got {type(knowledge).__name__}"
            raise KnowledgeError(msg)
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
        pattern = Pattern.from_marks(self.marks)
        for c in self._exogenous:
            for v in members(pattern.undirected[c]):
                pattern.orient(c, v)
        _meek.close(pattern)
        parents = _classes.extension(pattern)
        if parents is None:
            raise NotExtendableError(
                "no directed acyclic graph has these edges and exactly these unshielded colliders"
            )
        return self._with_pattern(GraphKind.DAG, Pattern(parents, [0] * self.n_nodes))

    # -- pictures ----------------------------------------------------------------------------------------------------------------

    def to_svg(self) -> str:
        """Draw the graph as SVG text; context nodes are square, knowledge is dashed.

        Returns
        -------
        str
            An ``svg`` element, or a ``div`` that says how large the graph is beyond 120 nodes.

        Examples
        --------
        >>> from causalkit import CausalGraph
        >>> CausalGraph.parse("A -> B").to_svg()[:4]
        '<svg'
        """
        return _svg.write_svg(self)

    def _repr_html_(self) -> str:
        return _svg.write_html(self)

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
