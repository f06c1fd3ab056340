"""DAGitty's text form: ``dag { X [exposure] Y [outcome] X -> Y }``, and the lists of its first releases.

The header names the kind; ``@`` is a circle; a node in brackets carries ``exposure``, ``outcome``, ``latent``, ``adjusted``, ``selected`` and ``pos="x,y"``, which
are kept as node data, an edge ``beta``, which is its strength. A text with an arrow and without a header is a ``dag``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import unquote

from causalkit.exceptions import ConversionError, ParseError
from causalkit.graph._marks import GraphKind, Mark, marks_of
from causalkit.graph.formats._limits import check_length, check_number_of_nodes, finite
from causalkit.graph.formats._roles import (
    FLAG_OF_ROLE,
    KEYS,
    MARK_OF_FLAG,
    MARKS,
    ROLE_OF_FLAG,
    attributes_of,
    node_data_in,
)
from causalkit.graph.formats._statements import Dialect, read_statements

if TYPE_CHECKING:
    from causalkit.graph._core import GraphCore

Edges: TypeAlias = list[tuple[str, str, Mark, Mark, dict[str, Any]]]
Found: TypeAlias = tuple[GraphKind, list[str], Edges, dict[str, dict[str, Any]]]

KINDS = {"dag": GraphKind.DAG, "pdag": GraphKind.PDAG, "mag": GraphKind.MAG, "pag": GraphKind.PAG}
_HEADER = re.compile(
    r"\s*+(?:strict\s++)?(?:dag|pdag|mag|pag|digraph|graph)\b[^{\n]*+\{|\s*+\{", re.IGNORECASE
)
_DAGITTY = Dialect(
    "DAGitty", r"[<@]?-++[>@]?|[→←↔]", "\"'", r"[^\s\[\]{};,:+=\"'<>@→←↔-]++", html=False, flags=True
)
_ARROWS = {"→": "->", "←": "<-", "↔": "<->"}
_GLYPH_OF = {Mark.TAIL: ("-", "-"), Mark.ARROW: ("<", ">"), Mark.CIRCLE: ("@", "@")}
_IS_DAGITTY = (
    "a DAGitty text is 'dag { ... }', 'pdag { ... }', 'mag { ... }', 'pag { ... }' or 'graph { ... }'"
)


def write_dagitty(graph: GraphCore) -> str:
    """Write a graph of a kind that DAGitty knows; an ADMG is a ``dag`` with bidirected edges there."""
    header = (
        {kind: word for word, kind in KINDS.items()}
        | dict.fromkeys((GraphKind.CPDAG, GraphKind.MPDAG), "pdag")
        | {GraphKind.ADMG: "dag", GraphKind.UG: "graph"}
    )
    if graph.kind not in header:
        raise ConversionError(f"DAGitty has no graphs of kind {graph.kind}; to_json() keeps everything")
    lines = [f"{header[graph.kind]} {{"]
    lines += [f"{_quote(name)}{_options(dict(graph.node_data.get(name, {})))}" for name in graph.nodes]
    for e in graph.edges:
        beta = f' [beta="{e.data["strength"]}"]' if e.data.get("strength") is not None else ""
        lines.append(f"{_quote(e.u)} {_glyph(e.mark_u, e.mark_v)} {_quote(e.v)}{beta}")
    return "\n".join([*lines, "}", ""])


def _glyph(left: Mark, right: Mark) -> str:
    if left is Mark.TAIL:
        return "--" if right is Mark.TAIL else f"-{_GLYPH_OF[right][1]}"
    return f"{_GLYPH_OF[left][0]}-{_GLYPH_OF[right][1]}"


def _quote(name: str) -> str:
    if re.fullmatch(r"[A-Za-z_][\w.]*", name, re.ASCII) and name.lower() not in (
        "graph",
        "node",
        "edge",
        "subgraph",
    ):
        return name
    if '"' in name or "\\" in name:
        msg = f"DAGitty's text cannot hold the quote or backslash in node name {name!r}; relabel() it first"
        raise ConversionError(msg)
    return f'"{name}"'


def _options(data: dict[str, Any]) -> str:
    values = attributes_of(data)
    flag = FLAG_OF_ROLE.get(values.pop("role", "")) if data.get("role") in FLAG_OF_ROLE else None
    words = [mark for mark in MARKS if values.pop(mark, None)] + [flag] * (flag is not None)
    values |= {key: value for key, value in data.items() if isinstance(value, str) and key not in KEYS}
    words += [f'{key}="{value}"' for key, value in values.items()]
    if "pos" in data:
        x, y = data["pos"]
        words.append(f'pos="{x},{y}"')
    return f" [{','.join(map(str, words))}]" if words else ""


def read_dagitty(text: str) -> Found:
    """Read kind, nodes, edges and node data; a ``dag`` with ``<->`` is read as ADMG."""
    check_length(text)
    if not _HEADER.match(text):
        if not re.search("->|<-|[→←↔]", text):
            return _read_lists(text)
        text = f"dag {{ {text} }}"
    found = read_statements(text, _DAGITTY)
    words = [word.lower() for word in found.header]
    word = next((w for w in words[: 1 + (words[:1] == ["strict"])] if w != "strict"), "")
    if word not in (*KINDS, "graph", "digraph"):
        raise ParseError(_IS_DAGITTY)
    edges = _once([(u, v, *_marks(sign), _strength(u, v, values)) for u, v, sign, values in found.edges])
    data = {name: _node_data(name, values) for name, values in found.nodes.items()}
    return (
        _kind(word, edges),
        list(found.nodes),
        edges,
        {name: values for name, values in data.items() if values},
    )


def _kind(word: str, edges: Edges) -> GraphKind:
    """Return the kind that a header names; a "graph" is what its edges make it."""
    ends = {tuple(sorted((left, right))) for _, _, left, right, _ in edges}
    line, both = (Mark.TAIL, Mark.TAIL), (Mark.ARROW, Mark.ARROW)
    if word in KINDS and word != "dag":
        return KINDS[word]
    if word == "graph" and any(Mark.CIRCLE in pair for pair in ends):
        return GraphKind.UNKNOWN
    if word == "graph" and line in ends:
        return GraphKind.UG if ends == {line} else GraphKind.PDAG
    return GraphKind.ADMG if both in ends else GraphKind.DAG


def _marks(sign: str) -> tuple[Mark, Mark]:
    """Read a sign; a circle beside a line is ``@--``, with the line's tail."""
    return (
        marks_of(re.sub("-+", "-", plain))
        if (plain := _ARROWS.get(sign, sign)).strip("-")
        else marks_of("--")
    )


def _once(edges: Edges) -> Edges:
    """Join edges that are written again."""
    found: dict[tuple[str, str, Mark, Mark], dict[str, Any]] = {}
    for u, v, left, right, data in edges:
        found.setdefault((u, v, left, right), {}).update(data)
    return [(*ends, data) for ends, data in found.items()]


def _strength(u: str, v: str, values: dict[str, str]) -> dict[str, Any]:
    if "beta" not in values:
        return {}
    return {"strength": finite(values["beta"], f"beta of the edge from {u!r} to {v!r}")}


def _node_data(name: str, values: dict[str, str]) -> dict[str, Any]:
    """Read the options of a node."""
    data: dict[str, Any] = {}
    for key, value in values.items():
        if key in ROLE_OF_FLAG and not value:
            data.setdefault("role", ROLE_OF_FLAG[key])
            if data["role"] != ROLE_OF_FLAG[key]:
                raise ParseError(f"node {name!r} is latent and selected; it can be one of them")
        elif key in MARK_OF_FLAG and not value:
            data[MARK_OF_FLAG[key]] = True
        elif key == "pos":
            data["pos"] = _position(name, value)
        elif not value:
            known = ", ".join((*ROLE_OF_FLAG, *MARK_OF_FLAG))
            raise ParseError(f"node {name!r} has the option {key!r}; known are {known} and pos")
        elif key not in ("name", "lag"):
            data[key] = value
    return data | node_data_in(name, {key: value for key, value in data.items() if isinstance(value, str)})


def _position(name: str, value: str) -> tuple[float, float]:
    numbers = value.split(",")
    if len(numbers) != 2:
        raise ParseError(f'node {name!r} has pos={value!r}; expected two numbers, as in pos="0.5,1.2"')
    x, y = (finite(number, f"pos of node {name!r}") for number in numbers)
    return x, y


# -- the lists of the first releases ---------------------------------------------------------------------------------------

_LETTERS: dict[str, dict[str, Any]] = {
    "E": {"exposure": True},
    "O": {"outcome": True},
    "A": {"adjusted": True},
    "U": {"role": "latent"},
    "S": {"role": "selection"},
}


def _read_lists(text: str) -> Found:
    """Read one line per node, an empty line, and one line per node with those that it causes, or a matrix of zeros and ones."""
    above, _, below = "\n".join(line.rstrip() for line in text.strip().splitlines()).partition("\n\n")
    data: dict[str, dict[str, Any]] = {}
    for line in above.splitlines():
        name, values = _node_line(line.split())
        check_number_of_nodes(len(data) + 1)
        data[name] = values
    read = _matrix if re.fullmatch(r"[\s01]++", below) else _lists
    arrows = list(read(list(data), below))
    if not data or not below:
        raise ParseError(_IS_DAGITTY)
    both = {(u, v) for u, v in arrows if (v, u) in set(arrows)}
    edges: Edges = [(u, v, Mark.TAIL, Mark.ARROW, {}) for u, v in dict.fromkeys(arrows) if (u, v) not in both]
    edges += [(u, v, Mark.ARROW, Mark.ARROW, {}) for u, v in sorted(both) if u < v]
    return _kind("dag", edges), list(data), edges, {name: values for name, values in data.items() if values}


def _node_line(words: list[str]) -> tuple[str, dict[str, Any]]:
    """Read a name, a letter for its part or a weight, and its position behind ``@``."""
    values: dict[str, Any] = {}
    place = words.pop()[1:] if len(words) > 1 and words[-1].startswith("@") else ""
    if len(words) > 1 and re.fullmatch("[EOAUS]|[0-9]+", words[-1]):
        values |= _LETTERS.get(words.pop(), {})
    if not words or set("{}[];") & set("".join(words)):
        raise ParseError(_IS_DAGITTY)
    name = unquote(" ".join(words))
    return name, values | ({"pos": _position(name, place)} if place else {})


def _matrix(names: list[str], text: str) -> Iterator[tuple[str, str]]:
    """Yield the arrows of a matrix of zeros and ones, from row to column."""
    numbers = text.split()
    if len(numbers) != len(names) ** 2:
        raise ParseError(
            f"there are {len(names)} nodes and {len(numbers)} zeros and ones; expected {len(names) ** 2}"
        )
    yield from (
        (names[k // len(names)], names[k % len(names)]) for k, one in enumerate(numbers) if one == "1"
    )


def _lists(names: list[str], text: str) -> Iterator[tuple[str, str]]:
    """Yield the arrows of lines that name a node and those that it causes."""
    known = set(names)
    for line in text.splitlines():
        first, *others = [unquote(word) for word in line.split() if not word.startswith("@")] or [""]
        strange = next((word for word in (first, *others) if word and word not in known), None)
        if strange is not None:
            raise ParseError(f"{strange[:80]!r} is not one of the nodes that are listed; {_IS_DAGITTY}")
        yield from ((first, other) for other in others)
