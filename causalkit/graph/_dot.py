"""DOT, the language of Graphviz: a writer for every kind and a reader for the subset that it writes.

Marks are written as ``arrowtail`` and ``arrowhead``: ``normal`` an arrowhead, ``none`` a tail, ``odot`` a circle.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from causalkit.exceptions import ParseError
from causalkit.graph._bounds import check_length
from causalkit.graph._marks import Mark
from causalkit.graph._roles import role_in

if TYPE_CHECKING:
    from causalkit.graph._core import GraphCore

_SHAPE = {Mark.ARROW: "normal", Mark.TAIL: "none", Mark.CIRCLE: "odot"}
_MARK = {shape: mark for mark, shape in _SHAPE.items()}
_ID = r'(?:"(?:[^"\\]|\\.)*"|[\w.]+)'
_HEAD = re.compile(rf"\s*(strict\s+)?(di)?graph\b\s*(?:{_ID})?\s*\{{")
_ATTRIBUTE = re.compile(rf"([A-Za-z_]\w*)\s*=\s*({_ID})\s*[,;]?\s*")
_STATEMENT = re.compile(rf"\s*+({_ID})(?:\s*+(->|--)\s*+({_ID}))?(?:\s*+\[([^\]]*)\])?[^\S\n]*+(?:;|\n|$)")
_SETTING = re.compile(rf"\s*(?:(?:graph|node)\s*\[[^\]]*\]|[A-Za-z_]\w*\s*=\s*{_ID})\s*(?:;|\n|$)")


def quote(name: str) -> str:
    """Write a name as a quoted DOT identifier."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def write_dot(graph: GraphCore) -> str:
    """Write the graph with the roles of its nodes; context nodes are boxes."""
    lines = [f"digraph {graph.kind} {{"]
    for name in graph.nodes:
        role = graph.node_data.get(name, {}).get("role")
        shape = f"shape={'box' if role == 'context' else 'ellipse'}"
        lines.append(f"  {quote(name)} [{shape}{f', role={role}' if role else ''}];")
    for e in graph.edges:
        style = f"dir=both, arrowtail={_SHAPE[e.mark_u]}, arrowhead={_SHAPE[e.mark_v]}"
        style += ", style=dotted" if e.data.get("rule") == "ambiguous" else ""
        lines.append(f"  {quote(e.u)} -> {quote(e.v)} [{style}];")
    return "\n".join([*lines, "}", ""])


def read_dot(text: str) -> tuple[list[str], list[tuple[str, str, Mark, Mark]], dict[str, dict[str, Any]]]:
    """Read nodes, edges and roles of one flat graph; sub-graphs, ports and HTML labels are refused."""
    check_length(text)
    head = _HEAD.match(text)
    if head is None or not text.rstrip().endswith("}"):
        raise ParseError("a DOT text is 'digraph name { ... }' or 'graph name { ... }'")
    body, directed = text.rstrip()[head.end() : -1].rstrip(), head[2] is not None
    nodes: dict[str, dict[str, Any]] = {}
    edges: list[tuple[str, str, Mark, Mark]] = []
    position = 0
    while position < len(body):
        setting = _SETTING.match(body, position)
        match = setting or _STATEMENT.match(body, position)
        if match is None:
            line = body[position:].strip().splitlines()[0][:60]
            msg = f"cannot read the DOT statement {line!r}; nodes, single edges and settings are understood"
            raise ParseError(msg)
        position = match.end()
        if setting is None:
            _take(match, directed, nodes, edges)
    return list(nodes), edges, {name: data for name, data in nodes.items() if data}


def _take(
    match: re.Match[str],
    directed: bool,
    nodes: dict[str, dict[str, Any]],
    edges: list[tuple[str, str, Mark, Mark]],
) -> None:
    u, arrow, v, attributes = match[1], match[2], match[3], match[4] or ""
    if v is None and u == "edge":
        raise ParseError(
            "defaults for all edges ('edge [...]') are not understood; write attributes at each edge"
        )
    data = nodes.setdefault(_unquote(u), {})
    if v is None:
        role = role_in(_unquote(u), _values(attributes))
        data.update({"role": role} if role else {})
        return
    if (arrow == "->") != directed:
        msg = f"{arrow!r} does not belong in a {'digraph' if directed else 'graph'}"
        raise ParseError(msg)
    nodes.setdefault(_unquote(v), {})
    edges.append((_unquote(u), _unquote(v), *_marks(attributes, directed)))


def _marks(attributes: str, directed: bool) -> tuple[Mark, Mark]:
    """Read the marks of one edge from its attributes, with Graphviz' defaults."""
    values = _values(attributes)
    direction = values.get("dir", "forward" if directed else "none")
    shapes = values.get("arrowtail", "normal"), values.get("arrowhead", "normal")
    if direction not in ("forward", "back", "both", "none") or any(s not in _MARK for s in shapes):
        msg = f"edge attributes [{attributes}] are not understood; arrow shapes are normal, none and odot"
        raise ParseError(msg)
    tail = _MARK[shapes[0]] if direction in ("back", "both") else Mark.TAIL
    head = _MARK[shapes[1]] if direction in ("forward", "both") else Mark.TAIL
    return tail, head


def _values(attributes: str) -> dict[str, str]:
    return {key: _unquote(value) for key, value in _ATTRIBUTE.findall(attributes)}


def _unquote(identifier: str) -> str:
    return re.sub(r"\\(.)", r"\1", identifier[1:-1]) if identifier.startswith('"') else identifier
