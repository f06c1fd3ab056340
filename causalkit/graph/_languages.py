"""Texts in which other programs keep graphs: Tetrad, lavaan, Mermaid, GML and GraphML.

A name that a format cannot say is an error and never changed. GML and GraphML are written and read by networkx, with the glyph of every
edge in an attribute ``edge``.
"""

from __future__ import annotations

import html
import io
import re
from typing import TYPE_CHECKING, Any

from causalkit.exceptions import ConversionError, ParseError
from causalkit.graph._bounds import check_length
from causalkit.graph._convert import refuse
from causalkit.graph._marks import MARKS_OF_LONG, GraphKind, Mark, as_kind, glyph, long_glyph, marks_of
from causalkit.graph._roles import role_in

if TYPE_CHECKING:
    from causalkit.graph._core import GraphCore

Edges = list[tuple[str, str, Mark, Mark]]

# -- Tetrad ----------------------------------------------------------------------------------------------------------------

_TETRAD_EDGE = re.compile(r"\d+\.\s+(\S+)\s+([<o-]-[>o-])\s+(\S+)((?:\s+(?:dd|pd|nl|pl))*)\s*")


def write_tetrad(graph: GraphCore) -> str:
    """Write nodes and numbered edges."""
    _check_names(graph, r"[^\s;,]+", "Tetrad's text", "white space, commas or semicolons")
    lines = ["Graph Nodes:", ";".join(graph.nodes), "", "Graph Edges:"]
    for k, e in enumerate(graph.edges, start=1):
        lines.append(f"{k}. {e.u} {long_glyph(e.mark_u, e.mark_v)} {e.v}")
    return "\n".join([*lines, ""])


def read_tetrad(text: str) -> tuple[list[str], Edges]:
    """Read nodes and edges; the letters behind an edge that say how sure Tetrad is are skipped."""
    check_length(text)
    lines = [line.strip() for line in text.splitlines()]
    if "Graph Nodes:" not in lines or "Graph Edges:" not in lines:
        raise ParseError("a graph of Tetrad has a line 'Graph Nodes:' and a line 'Graph Edges:'")
    first, last = lines.index("Graph Nodes:"), lines.index("Graph Edges:")
    nodes = [name for line in lines[first + 1 : last] for name in re.split(r"[;,]", line) if name]
    edges: Edges = []
    for line in lines[last + 1 :]:
        if not line:
            break
        found = _TETRAD_EDGE.fullmatch(line)
        if found is None or found[1] not in nodes or found[3] not in nodes:
            raise ParseError(
                f"cannot read {line[:80]!r}; an edge is '1. A --> B' between nodes that are listed"
            )
        edges.append((found[1], found[3], *MARKS_OF_LONG[found[2]]))
    return nodes, edges


# -- lavaan ----------------------------------------------------------------------------------------------------------------

_LAVAAN_NAME = r"[A-Za-z.][A-Za-z0-9._]*"


def write_lavaan(graph: GraphCore) -> str:
    """Write a variance for every node, in data order, a regression for every node with parents, a covariance for every ↔."""
    if graph.kind not in (GraphKind.DAG, GraphKind.ADMG):
        refuse(graph, [GraphKind.DAG], "lavaan's model syntax")
    _check_names(
        graph, _LAVAAN_NAME, "lavaan's model syntax", "anything but letters, digits, dots and underscores"
    )
    lines = [f"{name} ~~ {name}" for name in graph.nodes]
    for k, name in enumerate(graph.nodes):
        parents = [graph.nodes[i] for i in range(graph.n_nodes) if graph._parent_masks[k] >> i & 1]
        if parents:
            lines.append(f"{name} ~ {' + '.join(parents)}")
    lines += [f"{e.u} ~~ {e.v}" for e in graph.edges if e.is_bidirected]
    return "\n".join([*lines, ""])


def read_lavaan(text: str) -> tuple[list[str], Edges]:
    """Read ``~`` and ``~~``; a weight before ``*`` is skipped, latent variables (``=~``) are refused."""
    check_length(text)
    nodes: dict[str, None] = {}
    edges: Edges = []
    for raw in re.split(r"[\n;]", text):
        line = re.split(r"[#!]", raw)[0].strip()
        if not line:
            continue
        parts = re.split(r"\s*(=~|~~|~)\s*", line)
        if len(parts) != 3 or parts[1] == "=~":
            raise ParseError(
                f"cannot read {line[:80]!r}; lines of the form 'y ~ x1 + x2' and 'x ~~ y' can be read"
            )
        left, right = parts[0], [term.split("*")[-1].strip() for term in parts[2].split("+")]
        for name in (left, *right):
            if re.fullmatch(_LAVAAN_NAME, name) is None:
                raise ParseError(f"{name[:80]!r} in {line[:80]!r} is not a name")
            nodes.setdefault(name)
        both = parts[1] == "~~"
        edges += [(n, left, Mark.ARROW if both else Mark.TAIL, Mark.ARROW) for n in right if n != left]
        if not both and left in right:
            raise ParseError(f"{line[:80]!r} regresses {left!r} on itself")
    return list(nodes), edges


# -- Mermaid ---------------------------------------------------------------------------------------------------------------

_MERMAID = {
    (Mark.TAIL, Mark.ARROW): "-->",
    (Mark.ARROW, Mark.ARROW): "<-->",
    (Mark.TAIL, Mark.TAIL): "---",
    (Mark.CIRCLE, Mark.CIRCLE): "o--o",
    (Mark.CIRCLE, Mark.ARROW): "o-->",
    (Mark.TAIL, Mark.CIRCLE): "--o",
}


def write_mermaid(graph: GraphCore) -> str:
    """Write a flow chart; arrows are turned so that Mermaid has a sign for them."""
    lines = ["flowchart TD"]
    for k, name in enumerate(graph.nodes):
        lines.append(f'  n{k}["{_mermaid_text(name)}"]')
    place = {name: k for k, name in enumerate(graph.nodes)}
    for e in graph.edges:
        u, v, ends = place[e.u], place[e.v], (e.mark_u, e.mark_v)
        if ends not in _MERMAID:
            u, v, ends = v, u, ends[::-1]
        lines.append(f"  n{u} {_MERMAID[ends]} n{v}")
    return "\n".join([*lines, ""])


def _mermaid_text(name: str) -> str:
    """Write a label in quotes: Mermaid reads ``#`` codes in it."""
    return "".join(f"#{ord(c)};" if c in '"#&<>;\\`\n\r' else c for c in html.unescape(name))


# -- GML and GraphML -------------------------------------------------------------------------------------------------------


def write_gml(graph: GraphCore) -> str:
    """Write GML."""
    import networkx as nx

    return "\n".join(nx.generate_gml(_with_glyphs(graph))) + "\n"


def read_gml(
    text: str, kind: GraphKind | None
) -> tuple[GraphKind, list[str], Edges, dict[str, dict[str, Any]]]:
    """Read GML."""
    import networkx as nx

    check_length(text)
    try:
        found = nx.parse_gml(text.splitlines())
    except (
        nx.NetworkXError,
        ValueError,
        KeyError,
        TypeError,
        IndexError,
        RecursionError,
        AttributeError,
    ) as error:
        raise ParseError(f"not GML: {error}") from None
    return _from_glyphs(found, kind)


def write_graphml(graph: GraphCore) -> str:
    """Write GraphML."""
    import networkx as nx

    _check_names(graph, r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+", "GraphML", "control characters")
    return "\n".join(nx.generate_graphml(_with_glyphs(graph), named_key_ids=True)) + "\n"


def read_graphml(
    text: str, kind: GraphKind | None
) -> tuple[GraphKind, list[str], Edges, dict[str, dict[str, Any]]]:
    """Read GraphML; a document type, which could define entities, is refused."""
    import networkx as nx

    check_length(text)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ParseError("GraphML with a document type is not read")
    try:
        found = nx.read_graphml(io.BytesIO(text.encode()))
    except (nx.NetworkXError, SyntaxError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ParseError(f"not GraphML: {error}") from None
    return _from_glyphs(found, kind)


def _with_glyphs(graph: GraphCore) -> Any:
    """Return a networkx graph whose arcs carry the glyph of the edge from source to target."""
    import networkx as nx

    out = nx.MultiDiGraph() if graph.kind is GraphKind.ADMG else nx.DiGraph()
    out.graph["kind"] = str(graph.kind)
    for name in graph.nodes:
        role = graph.node_data.get(name, {}).get("role")
        out.add_node(name, **({"role": str(role)} if role else {}))
    for e in graph.edges:
        u, v, ends = (
            (e.v, e.u, (e.mark_v, e.mark_u)) if e.mark_v is Mark.TAIL else (e.u, e.v, (e.mark_u, e.mark_v))
        )
        out.add_edge(u, v, edge=glyph(*ends))
    return out


def _from_glyphs(
    found: Any, kind: GraphKind | None
) -> tuple[GraphKind, list[str], Edges, dict[str, dict[str, Any]]]:
    """Read glyphs; an arc without one is an arrow, an edge without one is undirected."""
    default = "->" if found.is_directed() else "---"
    stated = found.graph.get("kind")
    guess = GraphKind.DAG if found.is_directed() else GraphKind.UG
    edges = [
        (str(u), str(v), *marks_of(str(data.get("edge", default)))) for u, v, data in found.edges(data=True)
    ]
    return (
        kind or (as_kind(stated) if isinstance(stated, str) else guess),
        [str(n) for n in found.nodes],
        edges,
        {str(n): {"role": role} for n, data in found.nodes(data=True) if (role := role_in(str(n), data))},
    )


def _check_names(graph: GraphCore, allowed: str, target: str, what: str) -> None:
    for name in graph.nodes:
        if re.fullmatch(allowed, name) is None:
            raise ConversionError(
                f"{target} cannot hold the name {name!r}: no {what}; relabel() the node first"
            )
