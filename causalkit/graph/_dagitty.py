"""DAGitty's text form: ``dag { X [exposure] Y [outcome] X -> Y }``.

The header names the kind; ``@`` is a circle; a node in brackets carries ``exposure``, ``outcome``, ``latent``,
``adjusted``, ``selected`` and ``pos="x,y"``, which are kept as node data.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from causalkit.exceptions import ConversionError, ParseError
from causalkit.graph._bounds import check_length
from causalkit.graph._marks import GraphKind, Mark, marks_of

if TYPE_CHECKING:
    from causalkit.graph._core import GraphCore

KINDS = {"dag": GraphKind.DAG, "pdag": GraphKind.PDAG, "mag": GraphKind.MAG, "pag": GraphKind.PAG}
_FLAGS = ("exposure", "outcome", "latent", "adjusted", "selected")
ROLE_OF = {"latent": "latent", "selected": "selection"}
_SHORT = {
    "e": "exposure",
    "o": "outcome",
    "l": "latent",
    "u": "latent",
    "unobserved": "latent",
    "a": "adjusted",
    "s": "selected",
}
_COMMENT = re.compile(r"/\*.*?\*/|(?://|#)[^\n]*", re.DOTALL)
_HEAD = re.compile(r"\s*(dag|pdag|mag|pag)\b\s*(?:\"[^\"]*\"|\w+)?\s*\{", re.IGNORECASE)
_NAME = r'(?:"(?:[^"\\]|\\.)*"|[^\s\[\]{};"<>@=-]+)'
_PART = re.compile(
    rf"\s*(?:(?P<setting>\w+=\"[^\"]*\")|(?P<glyph>[<@]?-+[>@]?)(?=[\s\"\w.])|(?P<name>{_NAME})\s*(?:\[(?P<options>[^\]]*)\])?|(?P<end>;))"
)
_GLYPH_OF = {Mark.TAIL: ("-", "-"), Mark.ARROW: ("<", ">"), Mark.CIRCLE: ("@", "@")}


def write_dagitty(graph: GraphCore) -> str:
    """Write a graph of a kind that DAGitty knows; an ADMG is a ``dag`` with bidirected edges there."""
    header = (
        {kind: word for word, kind in KINDS.items()}
        | dict.fromkeys((GraphKind.CPDAG, GraphKind.MPDAG), "pdag")
        | {GraphKind.ADMG: "dag"}
    )
    if graph.kind not in header:
        msg = f"DAGitty has no graphs of kind {graph.kind}; to_json() keeps everything"
        raise ConversionError(msg)
    lines = [f"{header[graph.kind]} {{"]
    lines += [f"{_quote(name)}{_options(dict(graph.node_data.get(name, {})))}" for name in graph.nodes]
    lines += [f"{_quote(e.u)} {_glyph(e.mark_u, e.mark_v)} {_quote(e.v)}" for e in graph.edges]
    return "\n".join([*lines, "}", ""])


def _glyph(left: Mark, right: Mark) -> str:
    if left is Mark.TAIL:
        return "--" if right is Mark.TAIL else f"-{_GLYPH_OF[right][1]}"
    return f"{_GLYPH_OF[left][0]}-{_GLYPH_OF[right][1]}"


def _quote(name: str) -> str:
    if re.fullmatch(r"[A-Za-z_][\w.]*", name, re.ASCII):
        return name
    if '"' in name or "\\" in name:
        msg = f"DAGitty's text cannot hold the quote or backslash in node name {name!r}; relabel() it first"
        raise ConversionError(msg)
    return f'"{name}"'


def _options(attributes: dict[str, Any]) -> str:
    words = [flag for flag in _FLAGS if attributes.get(flag) is True]
    words += [flag for flag, role in ROLE_OF.items() if attributes.get("role") == role and flag not in words]
    if "pos" in attributes:
        x, y = attributes["pos"]
        words.append(f'pos="{x},{y}"')
    return f" [{','.join(words)}]" if words else ""


def read_dagitty(
    text: str,
) -> tuple[GraphKind, list[str], list[tuple[str, str, Mark, Mark]], dict[str, dict[str, Any]]]:
    """Read kind, nodes, edges and node data; a ``dag`` with ``<->`` is read as ADMG."""
    check_length(text)
    text = _without_comments(text)
    head = _HEAD.match(text)
    if head is None or not text.rstrip().endswith("}"):
        raise ParseError("a DAGitty text is 'dag { ... }', 'pdag { ... }', 'mag { ... }' or 'pag { ... }'")
    body = text.rstrip()[head.end() : -1].rstrip()
    data: dict[str, dict[str, Any]] = {}
    edges: list[tuple[str, str, Mark, Mark]] = []
    last, glyph, position = "", "", 0
    while position < len(body):
        part = _PART.match(body, position)
        if part is None or (part["glyph"] and (glyph or not last)) or (part["end"] and glyph):
            msg = f"cannot read the DAGitty text from {body[position : position + 40].strip()!r}"
            raise ParseError(msg)
        position = part.end()
        if part["setting"]:
            continue
        if part["glyph"]:
            glyph = part["glyph"]
        elif part["end"]:
            last = ""
        else:
            name = _take_node(part, data, on_edge=bool(glyph))
            if glyph:
                edges.append((last, name, *marks_of(glyph)))
            last, glyph = name, ""
    if glyph:
        raise ParseError("the DAGitty text ends with an edge that leads nowhere")
    kind = KINDS[head[1].lower()]
    if kind is GraphKind.DAG and any(left is right is Mark.ARROW for *_, left, right in edges):
        kind = GraphKind.ADMG
    return kind, list(data), edges, {name: values for name, values in data.items() if values}


def _take_node(part: re.Match[str], data: dict[str, dict[str, Any]], *, on_edge: bool) -> str:
    """Read a node; options after an edge belong to the edge, which has no place for them here."""
    raw = part["name"]
    name = raw[1:-1] if raw.startswith('"') else raw
    attributes = data.setdefault(name, {})
    for word in re.findall(r'[A-Za-z]+(?:\s*=\s*"[^"]*")?', "" if on_edge else part["options"] or ""):
        key, _, value = word.partition("=")
        key = _SHORT.get(key.strip(), key.strip())
        if key == "pos":
            attributes["pos"] = _position(name, value)
        elif key in _FLAGS:
            attributes[key] = True
            if key in ROLE_OF:
                attributes["role"] = ROLE_OF[key]
        elif not value:
            msg = f"node {name!r} has the option {key!r}; known are {', '.join((*_FLAGS, *_SHORT))} and pos"
            raise ParseError(msg)
    return name


def _without_comments(text: str) -> str:
    """Leave out comments, but not what looks like one inside quotes."""
    parts = re.split(r'("(?:[^"\\]|\\.)*")', text)
    return "".join(part if part.startswith('"') else _COMMENT.sub(" ", part) for part in parts)


def _position(name: str, value: str) -> tuple[float, float]:
    try:
        x, y = (float(number) for number in value.strip().strip('"').split(","))
    except ValueError:
        msg = f'node {name!r} has pos={value}; expected two numbers, as in pos="0.5,1.2"'
        raise ParseError(msg) from None
    return x, y
