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
from causalkit.graph._convert import refuse
from causalkit.graph._marks import MARKS_OF_LONG, GraphKind, Mark, as_kind, glyph, long_glyph, marks_of
from causalkit.graph.formats._limits import check_length, finite
from causalkit.graph.formats._roles import attributes_of, node_data_in, refuse_roles

if TYPE_CHECKING:
    from causalkit.graph._core import GraphCore

Edges = list[tuple[str, str, Mark, Mark]]
EdgesWithData = list[tuple[str, str, Mark, Mark, dict[str, Any]]]
NodeData = dict[str, dict[str, Any]]

# -- Tetrad ----------------------------------------------------------------------------------------------------------------

_TETRAD_EDGE = re.compile(r"\d+\.\s*(\S+)\s+([<o-]-[>o-])\s+(\S+)((?:\s+(?:dd|pd|nl|pl))*)\s*(\[.*)?")
_BOOTSTRAP = re.compile(r"\[([^\[\]]*)\]:([0-9.eE+-]+)")
_ENDS = {"latent": ("(", ")"), "selection": ("[", "]")}


def write_tetrad(graph: GraphCore) -> str:
    """Write nodes, hidden ones in parentheses and selected ones in brackets, and numbered edges."""
    check_names(graph, r"[^\s;,()\[\]]+", "Tetrad's text", "white space, commas, semicolons or brackets")
    refuse_roles(graph, "Tetrad's text", allowed=("latent", "selection"))
    names = []
    for name in graph.nodes:
        first, last = _ENDS.get(graph.node_data.get(name, {}).get("role", "system"), ("", ""))
        names.append(f"{first}{name}{last}")
    lines = ["Graph Nodes:", ";".join(names), "", "Graph Edges:"]
    for k, e in enumerate(graph.edges, start=1):
        lines.append(f"{k}. {e.u} {long_glyph(e.mark_u, e.mark_v)} {e.v}")
    return "\n".join([*lines, ""])


def read_tetrad(text: str) -> tuple[list[str], EdgesWithData, NodeData]:
    """Read nodes and edges; the letters behind an edge that say how sure Tetrad is are skipped."""
    check_length(text)
    lines = [line.strip() for line in text.splitlines()]
    if "Graph Nodes:" not in lines or "Graph Edges:" not in lines:
        raise ParseError("a graph of Tetrad has a line 'Graph Nodes:' and a line 'Graph Edges:'")
    first, last = lines.index("Graph Nodes:"), lines.index("Graph Edges:")
    words = [name.strip() for line in lines[first + 1 : last] for name in re.split(r"[;,]", line)]
    nodes = dict(_tetrad_node(word) for word in words if word)
    edges: EdgesWithData = []
    for line in lines[last + 1 :]:
        if not line:
            break
        found = _TETRAD_EDGE.fullmatch(line)
        if found is None or found[1] not in nodes or found[3] not in nodes:
            raise ParseError(
                f"cannot read {line[:80]!r}; an edge is '1. A --> B' between nodes that are listed"
            )
        edge = f"{found[1]} {found[2]} {found[3]}"
        edges.append((found[1], found[3], *MARKS_OF_LONG[found[2]], _tetrad_bootstrap(edge, found[5] or "")))
    return list(nodes), edges, {name: {"role": role} for name, role in nodes.items() if role}


def _tetrad_node(word: str) -> tuple[str, str]:
    for role, (first, last) in _ENDS.items():
        if word.startswith(first) and word.endswith(last) and len(word) > 2:
            return word[1:-1], role
    return word, ""


def _tetrad_bootstrap(edge: str, text: str) -> dict[str, Any]:
    """Return the probability that a bootstrap gives to the edge as it is drawn."""
    shares = {re.sub(r"(\s+(?:dd|pd|nl|pl))+$", "", what): share for what, share in _BOOTSTRAP.findall(text)}
    if edge not in shares:
        return {}
    return {"confidence": finite(shares[edge], f"the probability of {edge!r}")}


# -- lavaan ----------------------------------------------------------------------------------------------------------------

_LAVAAN_NAME = r"[A-Za-z.][A-Za-z0-9._]*"
# An operator at the end of a line, or at the start of the next one, goes on with it.
_GOES_ON = re.compile(r"(?<=[+*~=,(])\s*\n\s*|\s*\n\s*(?=[+*])")
_STATEMENT = re.compile(r"\s*([^~=:<>]*?)\s*(=~|<~|~~|~\*~|:=|==|~|<|>)\s*(.*)", re.DOTALL)


def write_lavaan(graph: GraphCore) -> str:
    """Write a variance for every node, in data order, a regression for every node with parents, a covariance for every ↔; hidden nodes are measured by their children."""
    if graph.kind not in (GraphKind.DAG, GraphKind.ADMG):
        refuse(graph, [GraphKind.DAG], "lavaan's model syntax")
    refuse_roles(graph, "lavaan's model syntax", allowed=("latent",))
    check_names(
        graph, _LAVAAN_NAME, "lavaan's model syntax", "anything but letters, digits, dots and underscores"
    )
    hidden = [name for name in graph.nodes if graph.node_data.get(name, {}).get("role") == "latent"]
    effects: dict[str, list[str]] = {name: [] for name in graph.nodes}
    causes: dict[str, list[str]] = {name: [] for name in graph.nodes}
    for e in graph.edges:
        if e.is_directed:
            effects[e.u].append(e.v)
            causes[e.v] += [e.u] * (e.u not in hidden)
    if alone := [name for name in hidden if not effects[name]]:
        raise ConversionError(
            f"lavaan's model syntax cannot say that {alone[0]!r} is hidden, since it has no effects"
        )
    lines = [f"{name} ~~ {name}" for name in graph.nodes]
    lines += [f"{name} =~ {' + '.join(effects[name])}" for name in hidden]
    lines += [f"{name} ~ {' + '.join(parents)}" for name, parents in causes.items() if parents]
    lines += [f"{e.u} ~~ {e.v}" for e in graph.edges if e.is_bidirected]
    return "\n".join([*lines, ""])


def read_lavaan(text: str) -> tuple[GraphKind, list[str], EdgesWithData, NodeData]:
    """Read ``~``, ``~~`` and ``=~``; a number before ``*`` is a strength, what says nothing of the graph is skipped."""
    check_length(text)
    nodes: dict[str, dict[str, Any]] = {}
    edges: EdgesWithData = []
    plain = "\n".join(re.split("[#!]", line)[0].rstrip() for line in text.splitlines())
    for statement in re.split(r"[\n;]", _GOES_ON.sub(" ", plain)):
        if statement.strip():
            edges += _lavaan_statement(statement.strip(), nodes)
    edges = list({repr(edge[:4]): edge for edge in edges}.values())
    kind = GraphKind.ADMG if any(left is right for _, _, left, right, _ in edges) else GraphKind.DAG
    return kind, list(nodes), edges, {name: data for name, data in nodes.items() if data}


def _lavaan_statement(line: str, nodes: dict[str, dict[str, Any]]) -> EdgesWithData:
    """Read one statement; several names on the left share what is on the right."""
    parts = _STATEMENT.fullmatch(line)
    if parts is None or parts[2] in ("<~", "~*~"):
        raise ParseError(
            f"cannot read {line[:80]!r}; statements of the form 'y ~ x1 + x2', 'x ~~ y' and 'f =~ x1 + x2' can be read"
        )
    operator = parts[2]
    if operator in (":=", "==", "<", ">"):
        return []
    lefts = [term.strip() for term in parts[1].split("+")]
    rights = [_lavaan_term(term, line) for term in parts[3].split("+")]
    for name in (*lefts, *(name for name, _ in rights if name != "1")):
        if re.fullmatch(_LAVAAN_NAME, name) is None:
            raise ParseError(f"{name[:80]!r} in {line[:80]!r} is not a name")
        nodes.setdefault(name, {})
    found: EdgesWithData = []
    for left in lefts:
        if operator == "=~":
            nodes[left]["role"] = "latent"
        found += [edge for name, data in rights if (edge := _lavaan_edge(operator, left, name, data, line))]
    return found


def _lavaan_edge(
    operator: str, left: str, right: str, data: dict[str, Any], line: str
) -> tuple[str, str, Mark, Mark, dict[str, Any]] | None:
    """Return the edge of one term; a variance, an intercept and what is fixed at 0 are none."""
    if right == "1" or (operator == "~~" and left == right) or data.get("strength") == 0:
        return None
    if left == right:
        raise ParseError(f"{line[:80]!r} regresses {left!r} on itself")
    if operator == "~~":
        u, v = sorted((left, right))
        return u, v, Mark.ARROW, Mark.ARROW, {}
    cause, effect = (left, right) if operator == "=~" else (right, left)
    return cause, effect, Mark.TAIL, Mark.ARROW, data


def _lavaan_term(term: str, line: str) -> tuple[str, dict[str, Any]]:
    """Read a name with what is before ``*``: a number is a strength, other modifiers name or start a parameter."""
    *modifiers, name = (part.strip() for part in term.split("*"))
    if name in ("", "0"):
        raise ParseError(f"a name is missing in {line[:80]!r}")
    numbers = [m for m in modifiers if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", m)]
    return name, {"strength": finite(numbers[0], f"the number before {name!r}")} if numbers else {}


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
        found = nx.parse_gml(text.splitlines(), label="id")
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
    return _from_glyphs(_by_label(found), kind)


def _by_label(found: Any) -> Any:
    """Return the graph with its labels as names, if every node has one of its own."""
    import networkx as nx

    labels = {node: data.get("label") for node, data in found.nodes(data=True)}
    # Editors put line ends around labels; what this package wrote is taken as it is.
    texts = {
        node: str(label) if "kind" in found.graph else str(label).strip() for node, label in labels.items()
    }
    if None in labels.values() or not all(texts.values()) or len(set(texts.values())) < len(texts):
        return found
    return nx.relabel_nodes(found, texts)


def write_graphml(graph: GraphCore) -> str:
    """Write GraphML."""
    import networkx as nx

    check_names(graph, r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]+", "GraphML", "control characters")
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
    return _from_glyphs(_by_label(found), kind)


def _with_glyphs(graph: GraphCore) -> Any:
    """Return a networkx graph whose arcs carry the glyph of the edge from source to target."""
    import networkx as nx

    out = nx.MultiDiGraph() if graph.kind is GraphKind.ADMG else nx.DiGraph()
    out.graph["kind"] = str(graph.kind)
    for name in graph.nodes:
        out.add_node(name, **attributes_of(graph.node_data.get(name, {})))
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
        {str(n): kept for n, data in found.nodes(data=True) if (kept := node_data_in(str(n), data))},
    )


def check_names(graph: GraphCore, allowed: str, target: str, what: str) -> None:
    for name in graph.nodes:
        if re.fullmatch(allowed, name) is None:
            raise ConversionError(
                f"{target} cannot hold the name {name!r}: no {what}; relabel() the node first"
            )
