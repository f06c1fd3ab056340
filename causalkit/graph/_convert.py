"""Matrices and objects of other libraries.

Seven libraries encode graphs in seven ways, half of them transposed against the other half; each function below states
the encoding that it reads or writes. An edge that the other side cannot say is an error and never dropped; what is known *about* nodes and edges is kept only by JSON and NPZ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalkit.exceptions import ConversionError, MissingDependencyError
from causalkit.graph._checks import CONTEXT_TYPES, ROLES
from causalkit.graph._marks import GraphKind, Mark, as_kind
from causalkit.graph.formats._roles import KEYS, attributes_of, node_data_in

if TYPE_CHECKING:
    from causalkit.graph._core import GraphCore

Marks = NDArray[np.uint8]
DIRECTED_KINDS = (GraphKind.DAG, GraphKind.PDAG, GraphKind.MPDAG, GraphKind.CPDAG, GraphKind.UG)


def default_names(names: Iterable[str] | None, d: int) -> list[str]:
    """Return the given names, or ``X1, X2, ...``."""
    return [f"X{k + 1}" for k in range(d)] if names is None else list(names)


def square(matrix: ArrayLike, what: str) -> NDArray[Any]:
    """Check that an input is a square matrix."""
    try:
        array = np.asarray(matrix)
    except ValueError:
        msg = f"{what} must be a square matrix; its rows have different lengths"
        raise ConversionError(msg) from None
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        msg = f"{what} must be a square matrix; got shape {array.shape}"
        raise ConversionError(msg)
    return array


def refuse(graph: GraphCore, allowed: Sequence[GraphKind], target: str) -> None:
    """Raise unless the target can say everything that the graph says."""
    if graph.kind not in allowed or graph.bidirected.any():
        kinds = ", ".join(kind for kind in allowed if kind is not GraphKind.ADMG)
        bow = bool((graph.bidirected & (graph.marks != Mark.NONE)).any())
        what = (
            "a <-> edge beside a -> edge"
            if bow
            else f"the edges of this {graph.kind} (with_kind('MAG') may help)"
            if graph.bidirected.any()
            else f"the marks of a {graph.kind}"
        )
        msg = f"{target} cannot hold {what}; it can hold {kinds}. to_json() keeps everything"
        raise ConversionError(msg)


# -- matrices ------------------------------------------------------------------------------------------------------------


def to_adjacency(graph: GraphCore) -> NDArray[np.int_]:
    """Write a DAG as 0/1 matrix with 1 at [i, j] for i → j."""
    refuse(graph, [GraphKind.DAG], "an adjacency matrix")
    return np.asarray(graph.marks == Mark.ARROW, dtype=int)


def adjacency_to_marks(matrix: ArrayLike) -> Marks:
    """Read a 0/1 matrix with 1 at [i, j] for i → j."""
    array = square(matrix, "an adjacency matrix")
    if not np.isin(array, [0, 1]).all():
        msg = f"an adjacency matrix holds 0 and 1 only; got {np.setdiff1d(array, [0, 1])[:3].tolist()}"
        raise ConversionError(msg)
    if np.diagonal(array).any():
        msg = f"entry [{np.flatnonzero(np.diagonal(array))[0]}, same] of the diagonal is 1; a node cannot cause itself"
        raise ConversionError(msg)
    both = np.argwhere((array == 1) & (array.T == 1))
    if both.size:
        i, j = both[0]
        msg = f"entries [{i}, {j}] and [{j}, {i}] are both 1; if that means an undirected edge, use from_pcalg_cpdag"
        raise ConversionError(msg)
    return directed_to_marks(array == 1)


def directed_to_marks(directed: NDArray[np.bool_]) -> Marks:
    """Return the marks of a graph with arrows only."""
    marks = np.zeros(directed.shape, dtype=np.uint8)
    marks[directed] = Mark.ARROW
    marks[directed.T] = Mark.TAIL
    return marks


def to_pcalg_cpdag(graph: GraphCore) -> NDArray[np.int_]:
    """Write pcalg's amat.cpdag: 1 at [i, j] is an arrowhead or an undirected end at **row** i, so j → i is a lone 1."""
    refuse(graph, DIRECTED_KINDS, "pcalg's amat.cpdag")
    undirected = (graph.marks == Mark.TAIL) & (graph.marks.T == Mark.TAIL)
    return np.asarray((graph.marks.T == Mark.ARROW) | undirected, dtype=int)


def pcalg_cpdag_to_marks(matrix: ArrayLike) -> Marks:
    """Read pcalg's amat.cpdag."""
    array = square(matrix, "amat.cpdag")
    if not np.isin(array, [0, 1]).all():
        msg = f"amat.cpdag holds 0 and 1 only; got {np.setdiff1d(array, [0, 1])[:3].tolist()}"
        raise ConversionError(msg)
    one = array == 1
    marks = directed_to_marks(one.T & ~one)
    marks[one & one.T] = Mark.TAIL
    return marks


def to_pcalg_pag(graph: GraphCore) -> NDArray[np.int_]:
    """Write pcalg's amat.pag, which is this package's matrix of marks: entry [i, j] is the mark at **column** j."""
    if graph.bidirected.any():
        refuse(graph, list(GraphKind), "pcalg's amat.pag")
    return graph.marks.astype(int)


# -- networkx ------------------------------------------------------------------------------------------------------------


def to_networkx(graph: GraphCore) -> Any:
    """Write a DiGraph for a DAG, a MultiDiGraph for an ADMG, a Graph with edge attribute ``marks`` for all others."""
    import networkx as nx

    if graph.kind is GraphKind.DAG:
        out = nx.DiGraph()
    elif graph.kind is GraphKind.ADMG:
        out = nx.MultiDiGraph()
    else:
        out = nx.Graph()
    out.graph.update(kind=str(graph.kind))
    out.add_nodes_from((name, dict(graph.node_data.get(name, {}))) for name in graph.nodes)
    for edge in graph.edges:
        attributes = dict(edge.data)
        if graph.kind is GraphKind.ADMG:
            out.add_edge(
                edge.u, edge.v, type="bidirected" if edge.is_bidirected else "directed", **attributes
            )
        elif graph.kind is GraphKind.DAG:
            out.add_edge(edge.u, edge.v, **attributes)
        else:
            marks = {edge.u: edge.mark_u.name.lower(), edge.v: edge.mark_v.name.lower()}
            out.add_edge(edge.u, edge.v, marks=marks, **attributes)
    return out


def from_networkx(
    other: Any, kind: GraphKind | None
) -> tuple[GraphKind, list[str], list[tuple[str, str, Mark, Mark]], dict[str, dict[str, Any]]]:
    """Read a networkx graph written by `to_networkx`, or a plain DiGraph as DAG and a plain Graph as UG."""
    if not hasattr(other, "is_directed"):
        raise ConversionError(f"a networkx graph is expected; got {type(other).__name__}")
    nodes, data = list(other.nodes), _attributes_of_nodes(other)
    loop = next((u for u, v in other.edges() if u == v), None)
    if loop is not None:
        raise ConversionError(f"node {loop!r} has an edge with itself; a node cannot cause itself")
    declared = kind or (as_kind(other.graph["kind"]) if "kind" in other.graph else None)
    if (
        other.is_directed()
        and not other.is_multigraph()
        and any(other.has_edge(v, u) for u, v in other.edges)
    ):
        u, v = next((u, v) for u, v in other.edges if other.has_edge(v, u))
        msg = f"there are arcs {u!r} -> {v!r} and back; an undirected edge is written in a networkx.Graph with the attribute 'marks'"
        raise ConversionError(msg)
    if other.is_directed():
        guess = GraphKind.ADMG if other.is_multigraph() else GraphKind.DAG
        directed = [_directed_edge(u, v, values) for u, v, values in other.edges(data=True)]
        return declared or guess, nodes, directed, data
    guess = GraphKind.UNKNOWN if any("marks" in data for *_, data in other.edges(data=True)) else GraphKind.UG
    return declared or guess, nodes, [_marked_edge(u, v, d) for u, v, d in other.edges(data=True)], data


def _attributes_of_nodes(other: Any) -> dict[str, dict[str, Any]]:
    """Return attributes of nodes; those of a graph from elsewhere only if they have a meaning here."""
    ours = "kind" in other.graph
    kept = {node: dict(values) if ours else _meaning(node, values) for node, values in other.nodes(data=True)}
    return {node: values for node, values in kept.items() if values}


def _meaning(node: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return what attributes from elsewhere say here; a role that is none of ours may be anything."""
    ours = {key: values[key] for key in KEYS if key in values}
    for key, allowed in (("role", ROLES), ("context_type", CONTEXT_TYPES)):
        if ours.get(key, allowed[0]) not in allowed:
            del ours[key]
    return node_data_in(node, ours)


def _directed_edge(u: str, v: str, data: dict[str, Any]) -> tuple[str, str, Mark, Mark]:
    kind = data.get("type", "directed")
    if kind not in ("directed", "bidirected"):
        msg = f"edge {u!r} to {v!r} has type {kind!r}; allowed are 'directed' and 'bidirected'"
        raise ConversionError(msg)
    return (u, v, Mark.TAIL, Mark.ARROW) if kind == "directed" else (u, v, Mark.ARROW, Mark.ARROW)


def _marked_edge(u: str, v: str, data: dict[str, Any]) -> tuple[str, str, Mark, Mark]:
    marks = data.get("marks", {u: "tail", v: "tail"})
    try:
        return u, v, Mark[marks[u].upper()], Mark[marks[v].upper()]
    except (KeyError, AttributeError, TypeError):
        msg = f"edge {u!r}, {v!r} has marks {marks!r}; expected {{node: 'tail' | 'arrow' | 'circle'}} for both ends"
        raise ConversionError(msg) from None


# -- causal-learn ----------------------------------------------------------------------------------------------------------

_TO_CAUSAL_LEARN = {Mark.NONE: 0, Mark.CIRCLE: 2, Mark.ARROW: 1, Mark.TAIL: -1}


def causal_learn_matrix_to_marks(matrix: ArrayLike) -> Marks:
    """Read causal-learn's matrix of marks."""
    array = square(matrix, "causal-learn's matrix")
    codes = {code: mark for mark, code in _TO_CAUSAL_LEARN.items()}
    strange = np.setdiff1d(array, list(codes))
    if strange.size:
        msg = f"causal-learn's matrix holds {strange[:3].tolist()}; 0, -1, 1 and 2 can be read, a double edge or star cannot"
        raise ConversionError(msg)
    marks = np.zeros(array.shape, dtype=np.uint8)
    for code, mark in codes.items():
        marks[code == array.T] = mark
    return marks


def to_causal_learn(graph: GraphCore) -> Any:
    """Build causal-learn's GeneralGraph."""
    general, node_type, edge_type, endpoint = _causal_learn_classes()
    nodes = [node_type(name) for name in graph.nodes]
    for node in nodes:
        for key, value in attributes_of(graph.node_data.get(node.get_name(), {})).items():
            node.add_attribute(key, value)
    out = general(nodes)
    ends = {Mark.TAIL: endpoint.TAIL, Mark.ARROW: endpoint.ARROW, Mark.CIRCLE: endpoint.CIRCLE}
    if graph.bidirected.any():
        refuse(graph, [kind for kind in GraphKind if kind is not GraphKind.ADMG], "causal-learn's matrix")
    for e in graph.edges:
        out.add_edge(
            edge_type(nodes[graph.index(e.u)], nodes[graph.index(e.v)], ends[e.mark_u], ends[e.mark_v])
        )
    return out


def from_causal_learn(other: Any) -> tuple[list[str], Marks, dict[str, dict[str, Any]]]:
    """Read causal-learn's GeneralGraph, or the CausalGraph that its `pc` and `cdnod` return."""
    inner = getattr(other, "G", other)
    if not hasattr(inner, "graph") or not hasattr(inner, "get_nodes"):
        msg = f"expected a causal-learn graph; got {type(other).__name__}"
        raise ConversionError(msg)
    nodes = inner.get_nodes()
    data = {node.get_name(): _causal_learn_node(node) for node in nodes}
    return (
        [node.get_name() for node in nodes],
        causal_learn_matrix_to_marks(inner.graph),
        {name: values for name, values in data.items() if values},
    )


def _causal_learn_node(node: Any) -> dict[str, Any]:
    """Read the part of a node: its type says that it is hidden, its attributes what this package wrote."""
    said = getattr(node, "attributes", {})
    attributes = {key: said[key] for key in KEYS if key in said}
    hidden = str(getattr(getattr(node, "node_type", None), "name", "")) == "LATENT"
    return node_data_in(node.get_name(), {"role": "latent"} | attributes if hidden else attributes)


def _causal_learn_classes() -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any], Any]:
    try:
        from causallearn.graph.Edge import Edge
        from causallearn.graph.Endpoint import Endpoint
        from causallearn.graph.GeneralGraph import GeneralGraph
        from causallearn.graph.GraphNode import GraphNode
    except ImportError:
        msg = "to_causal_learn needs the package causal-learn: pip install 'causalkit[causal-learn]'"
        raise MissingDependencyError(msg) from None
    return GeneralGraph, GraphNode, Edge, Endpoint
