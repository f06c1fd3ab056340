"""Graph objects of pgmpy, DoWhy and pywhy-graphs; each package is imported only when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from causalkit.exceptions import ConversionError, MissingDependencyError
from causalkit.graph._convert import refuse
from causalkit.graph._marks import GraphKind, Mark
from causalkit.graph.formats._roles import KEYS, attributes_of, node_data_in

if TYPE_CHECKING:
    from causalkit.graph._core import GraphCore

Edges = list[tuple[str, str, Mark, Mark]]
NodeData = dict[str, dict[str, Any]]


def to_pgmpy(graph: GraphCore) -> Any:
    """Build pgmpy's DAG, or its PDAG for a class of DAGs."""
    try:
        from pgmpy.base import DAG, PDAG
    except ImportError:
        raise MissingDependencyError("to_pgmpy needs the package pgmpy: pip install pgmpy") from None
    refuse(graph, (GraphKind.DAG, GraphKind.CPDAG, GraphKind.MPDAG, GraphKind.PDAG), "a graph of pgmpy")
    arrows = [_arrow(e) for e in graph.edges if e.is_directed]
    hidden = _latent(graph)
    if graph.kind is GraphKind.DAG:
        out = DAG()
        out.add_nodes_from(graph.nodes)
        out.add_edges_from(arrows)
        return _with_parts(out, graph, hidden)
    lines = [(e.u, e.v) for e in graph.edges if e.is_undirected]
    out = PDAG(directed_ebunch=arrows, undirected_ebunch=lines)
    out.add_nodes_from(graph.nodes)
    return _with_parts(out, graph, hidden)


def _with_parts(out: Any, graph: GraphCore, hidden: list[str]) -> Any:
    """Give the nodes of a graph of pgmpy what is said of them; hidden ones are its latents."""
    for name in graph.nodes:
        out.nodes[name].update(attributes_of(graph.node_data.get(name, {})))
    out.latents = set(hidden)
    return out


def _parts(other: Any) -> NodeData:
    """Read what a networkx graph says of its nodes."""
    found = {
        str(n): node_data_in(str(n), {key: values[key] for key in KEYS if key in values})
        for n, values in other.nodes(data=True)
    }
    return {name: data for name, data in found.items() if data}


def from_pgmpy(other: Any) -> tuple[GraphKind, list[str], Edges, NodeData]:
    """Read pgmpy's DAG or PDAG, or a model that is one."""
    nodes = [str(n) for n in other.nodes] if hasattr(other, "nodes") else None
    if nodes is None or not hasattr(other, "edges"):
        raise ConversionError(f"expected a DAG or PDAG of pgmpy; got {type(other).__name__}")
    data = _parts(other)
    for n in getattr(other, "latents", ()) or ():
        data.setdefault(str(n), {})["role"] = "latent"
    lines = getattr(other, "undirected_edges", None)
    if lines is None:
        return GraphKind.DAG, nodes, [(str(u), str(v), Mark.TAIL, Mark.ARROW) for u, v in other.edges], data
    edges: Edges = [(str(u), str(v), Mark.TAIL, Mark.ARROW) for u, v in other.directed_edges]
    edges += [(str(u), str(v), Mark.TAIL, Mark.TAIL) for u, v in lines]
    return GraphKind.PDAG, nodes, edges, data


def to_dowhy(graph: GraphCore) -> Any:
    """Build the networkx DiGraph that DoWhy takes; latent nodes have the attribute observed = "no"."""
    import networkx as nx

    refuse(graph, [GraphKind.DAG], "the graph that DoWhy takes")
    out, hidden = nx.DiGraph(), set(_latent(graph))
    for name in graph.nodes:
        parts = attributes_of(graph.node_data.get(name, {}))
        out.add_node(name, **parts, observed="no" if name in hidden else "yes")
    out.add_edges_from(_arrow(e) for e in graph.edges)
    return out


def from_dowhy(other: Any) -> tuple[list[str], Edges, NodeData]:
    """Read a DiGraph in DoWhy's form, or an object that has one as ``_graph`` (a CausalGraph of DoWhy)."""
    inner = getattr(other, "_graph", other)
    if not hasattr(inner, "is_directed") or not inner.is_directed():
        raise ConversionError(f"expected a directed graph in DoWhy's form; got {type(other).__name__}")
    data = _parts(inner)
    return (
        [str(n) for n in inner.nodes],
        [(str(u), str(v), Mark.TAIL, Mark.ARROW) for u, v in inner.edges],
        data,
    )


PYWHY = ("directed", "bidirected", "undirected", "circle")


def to_pywhy(graph: GraphCore) -> dict[str, Any]:
    """Build one networkx graph per type of edge; an arc in "circle" has a circle at its head."""
    import networkx as nx

    out = {name: nx.DiGraph() if name in ("directed", "circle") else nx.Graph() for name in PYWHY}
    for part in out.values():
        part.add_nodes_from((name, attributes_of(graph.node_data.get(name, {}))) for name in graph.nodes)
    for e in graph.edges:
        if e.is_bidirected:
            out["bidirected"].add_edge(e.u, e.v)
        elif e.is_undirected:
            out["undirected"].add_edge(e.u, e.v)
        for u, v, mark in ((e.u, e.v, e.mark_v), (e.v, e.u, e.mark_u)):
            if mark is Mark.ARROW and not e.is_bidirected:
                out["directed"].add_edge(u, v)
            elif mark is Mark.CIRCLE:
                out["circle"].add_edge(u, v)
    return out


def from_pywhy(parts: Any) -> tuple[list[str], Edges, NodeData]:
    """Read one graph per type of edge, or a graph of pywhy-graphs, which has them."""
    found: Mapping[str, Any] = parts if isinstance(parts, Mapping) else _sub_graphs(parts)
    strange = sorted(set(found) - set(PYWHY))
    if strange or not found:
        raise ConversionError(f"types of edges are {', '.join(PYWHY)}; got {strange or 'none'}")
    nodes = list(dict.fromkeys(str(n) for part in found.values() for n in part.nodes))
    marks: dict[tuple[str, str], Mark] = {}
    for name, mark in (("directed", Mark.ARROW), ("circle", Mark.CIRCLE)):
        marks.update({(str(u), str(v)): mark for u, v in (found[name].edges if name in found else ())})
    place = {n: k for k, n in enumerate(nodes)}
    pairs = {(u, v) if place[u] < place[v] else (v, u) for u, v in marks}
    edges: Edges = [
        (u, v, marks.get((v, u), Mark.TAIL), marks.get((u, v), Mark.TAIL))
        for u, v in sorted(pairs, key=lambda p: (place[p[0]], place[p[1]]))
    ]
    for name, mark in (("bidirected", Mark.ARROW), ("undirected", Mark.TAIL)):
        edges += [(str(u), str(v), mark, mark) for u, v in (found[name].edges if name in found else ())]
    data = {name: values for part in found.values() for name, values in _parts(part).items()}
    return nodes, edges, data


def _sub_graphs(other: Any) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = other.get_graphs()
    except (AttributeError, TypeError):
        raise ConversionError(
            f"expected networkx graphs by type of edge, or a graph of pywhy-graphs; got {type(other).__name__}"
        ) from None
    return found


def _arrow(edge: Any) -> tuple[str, str]:
    return (edge.u, edge.v) if edge.mark_v is Mark.ARROW else (edge.v, edge.u)


def _latent(graph: GraphCore) -> list[str]:
    return [name for name in graph.nodes if graph.node_data.get(name, {}).get("role") == "latent"]
