"""The causal graph that all parts of the package share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from causalkit.graph import _draw, _svg
from causalkit.graph._graph_lags import GraphLags

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["CausalGraph"]


@final
class CausalGraph(GraphLags):
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

    # -- pictures ----------------------------------------------------------------------------------------------------------------

    def write(self, path: str | Path, format: str | None = None) -> Path:
        """Write the graph to a file, in the format that its name ends with.

        Parameters
        ----------
        path : str or pathlib.Path
            File to write; ``.json`` and ``.npz`` keep everything.
        format : str, optional
            ``"json"``, ``"npz"``, ``"dagitty"``, ``"dot"``, ``"gml"``, ``"graphml"``, ``"tetrad"``, ``"lavaan"``, ``"text"``, ``"mermaid"`` or ``"svg"``, if the name does not say it.

        Returns
        -------
        pathlib.Path
            The file.

        Raises
        ------
        ConversionError
            If the format is not known or cannot say what the graph says.

        See Also
        --------
        causalkit.read_graph : The way in.

        Examples
        --------
        >>> import tempfile, causalkit
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = causalkit.CausalGraph.parse("A -> B").write(folder + "/graph.dot")
        ...     print(causalkit.read_graph(path))
        A -> B
        """
        from causalkit.graph._door import write_graph

        return write_graph(self, path, format)

    def to_svg(self) -> str:
        """Draw the graph as SVG text; context nodes are square, knowledge is dashed, what is ambiguous dotted.

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
