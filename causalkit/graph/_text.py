r"""The text form of a graph: edges separated by semicolons, as in ``A -> B; B o-o C; D``.

A name that holds spaces or one of ``; , " < >`` is written in double quotes, with ``\`` before a quote or backslash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from causalkit.exceptions import ParseError
from causalkit.graph._marks import Mark, glyph, marks_of
from causalkit.graph.formats._limits import check_length

if TYPE_CHECKING:
    from causalkit.graph._core import GraphCore

_TOKEN = re.compile(r'[^\S\n]*(?:"((?:[^"\\]|\\.)*)"|([;,\n])|([^\s;,"]+))')
_ARROW_INSIDE = re.compile(r"--|->|<|>|o-o")
_BARE = re.compile(r"[^\s;,\"<>\\-][^\s;,\"<>\\]*\Z")


def quote(name: str) -> str:
    """Write a node name, quoted if it could not be read back bare."""
    if _BARE.match(name) and not _ARROW_INSIDE.search(name):
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def write_text(graph: GraphCore) -> str:
    """Write all edges; nodes are listed first where edges alone would lose a node or the order of nodes."""
    edges = [f"{quote(e.u)} {glyph(e.mark_u, e.mark_v)} {quote(e.v)}" for e in graph.edges]
    mentioned = list(dict.fromkeys(name for e in graph.edges for name in (e.u, e.v)))
    rest = [name for name in graph.nodes if name not in set(mentioned)]
    if tuple(mentioned + rest) == graph.nodes:
        return "; ".join(edges + [quote(name) for name in rest])
    return "; ".join([", ".join(map(quote, graph.nodes)), *edges])


def read_text(text: str) -> tuple[list[str], list[tuple[str, Mark, Mark, str]]]:
    """Read nodes, in order of first mention, and edges as (u, mark at u, mark at v, v)."""
    check_length(text)
    nodes: dict[str, None] = {}
    edges = []
    for statement in _statements(_tokens(text)):
        names, glyphs = statement[::2], statement[1::2]
        if len(statement) % 2 == 0 or not all(bare for bare, _ in glyphs):
            words = " ".join(word for _, word in statement)
            msg = f"cannot read {words!r}; write edges as 'A -> B', with spaces around the arrow, and ';' between them"
            raise ParseError(msg)
        for bare, name in names:
            _check_name(bare, name)
            nodes[name] = None
        for k, (_, arrow) in enumerate(glyphs):
            edges.append((names[k][1], *marks_of(arrow), names[k + 1][1]))
    return list(nodes), edges


def _check_name(bare: bool, name: str) -> None:
    if not name:
        raise ParseError('an empty name "" is not a node')
    if bare and _ARROW_INSIDE.search(name):
        msg = f"cannot read {name!r} as a name; write spaces around the arrow, as in 'A -> B', or quote the name"
        raise ParseError(msg)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    """Yield (type, word) with type 'q' quoted, 's' separator, 'b' bare."""
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            msg = f"cannot read the text from {text[position : position + 20]!r}: is a quote left open?"
            raise ParseError(msg)
        position = match.end()
        if match[1] is not None:
            yield "q", re.sub(r"\\(.)", r"\1", match[1])
        else:
            yield ("s", match[2]) if match[2] else ("b", match[3])


def _statements(tokens: Iterable[tuple[str, str]]) -> Iterator[list[tuple[bool, str]]]:
    """Group words between separators; each word comes with whether it was bare."""
    current: list[tuple[bool, str]] = []
    for kind, word in tokens:
        if kind != "s":
            current.append((kind == "b", word))
        elif current:
            yield current
            current = []
    if current:
        yield current
