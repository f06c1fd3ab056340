"""DOT, the language of Graphviz, with chains, groups, defaults, ports and comments.

Marks are written as ``arrowtail`` and ``arrowhead``: ``normal`` an arrowhead, ``none`` a tail, ``odot`` a circle. How a graph looks is not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from causalkit.exceptions import ParseError
from causalkit.graph._marks import GraphKind, Mark
from causalkit.graph.formats._roles import attributes_of, node_data_in
from causalkit.graph.formats._statements import Dialect, read_statements

if TYPE_CHECKING:
    from causalkit.graph._core import GraphCore

Edges = list[tuple[str, str, Mark, Mark]]

_SHAPE = {Mark.ARROW: "normal", Mark.TAIL: "none", Mark.CIRCLE: "odot"}
# Shapes of Graphviz that are arrowheads; a "tee" or a "diamond" means something else.
_MARK = {shape: mark for mark, shape in _SHAPE.items()} | dict.fromkeys(
    ("empty", "vee", "open", "onormal", "halfopen"), Mark.ARROW
)
_DOT = Dialect(
    "DOT",
    "->|--",
    '"',
    r"-?(?:\.\d++|\d++(?:\.\d*+)?)(?![^\W\d])|[^\W\d][\w.]*+|[\w.]++",
    html=True,
    flags=False,
)


def quote(name: str) -> str:
    """Write a name as a quoted DOT identifier."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def write_dot(graph: GraphCore) -> str:
    """Write the graph with the parts that nodes have in the data; context nodes are boxes."""
    lines = [f"digraph {graph.kind} {{"]
    for name in graph.nodes:
        data = graph.node_data.get(name, {})
        look = {"shape": "box" if data.get("role") == "context" else "ellipse"} | attributes_of(data)
        lines.append(f"  {quote(name)} [{', '.join(f'{key}={value}' for key, value in look.items())}];")
    for e in graph.edges:
        style = f"dir=both, arrowtail={_SHAPE[e.mark_u]}, arrowhead={_SHAPE[e.mark_v]}"
        style += ", style=dotted" if e.data.get("rule") == "ambiguous" else ""
        lines.append(f"  {quote(e.u)} -> {quote(e.v)} [{style}];")
    return "\n".join([*lines, "}", ""])


def read_dot(text: str) -> tuple[GraphKind, list[str], Edges, dict[str, dict[str, Any]]]:
    """Read kind, nodes, edges and what is said of the parts of nodes."""
    found = read_statements(text, _DOT)
    words = [word.lower() for word in found.header]
    if words[:1] == ["strict"]:
        del words[0]
    if words[:1] not in (["graph"], ["digraph"]):
        raise ParseError("a DOT text is 'digraph name { ... }' or 'graph name { ... }'")
    directed = words[0] == "digraph"
    edges = list(
        dict.fromkeys((u, v, *_marks(u, v, sign, values, directed)) for u, v, sign, values in found.edges)
    )
    data = {name: node_data_in(name, values) for name, values in found.nodes.items()}
    return (
        _kind(found.header[-1], directed, edges),
        list(found.nodes),
        edges,
        {name: values for name, values in data.items() if values},
    )


def _kind(name: str, directed: bool, edges: Edges) -> GraphKind:
    """Return the kind that is the name of a graph, or what a plain graph is."""
    if name in list(GraphKind):
        return GraphKind(name)
    both = any(left is right is Mark.ARROW for *_, left, right in edges)
    return (GraphKind.ADMG if both else GraphKind.DAG) if directed else GraphKind.UG


def _marks(u: str, v: str, sign: str, values: dict[str, str], directed: bool) -> tuple[Mark, Mark]:
    """Read the marks of one edge from its attributes, with Graphviz' defaults."""
    if (sign == "->") != directed:
        raise ParseError(f"{sign!r} does not belong in a {'digraph' if directed else 'graph'}")
    direction = values.get("dir", "forward" if directed else "none")
    tail, head = values.get("arrowtail", "normal"), values.get("arrowhead", "normal")
    drawn = {"forward": (head,), "back": (tail,), "both": (tail, head), "none": ()}
    if direction not in drawn or any(shape not in _MARK for shape in drawn[direction]):
        raise ParseError(
            f"the edge from {u!r} to {v!r} has dir={direction}, arrowtail={tail}, arrowhead={head}; understood are {', '.join(_MARK)} "
            "at ends that are drawn: forward, back, both, none"
        )
    return (
        _MARK[tail] if direction in ("back", "both") else Mark.TAIL,
        _MARK[head] if direction in ("forward", "both") else Mark.TAIL,
    )
