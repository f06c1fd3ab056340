"""Archival forms of a graph: JSON with a versioned schema, and NPZ for large graphs.

Neither runs code on reading: JSON is plain data and the arrays are loaded without object support.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import ConversionError, ParseError
from causalkit.graph._edges import EDGE_COLUMNS
from causalkit.graph._marks import Mark, glyph, marks_of
from causalkit.graph.formats._limits import check_number_of_nodes

if TYPE_CHECKING:
    from causalkit.graph._core import GraphCore

FORMAT = "causalkit-graph"
VERSION = 1
MAX_BYTES = 512 * 2**20


def header(graph: GraphCore) -> dict[str, Any]:
    """Collect everything but the edges as plain data."""
    nodes = [{"name": name, **graph.node_data.get(name, {})} for name in graph.nodes]
    return {
        "format": FORMAT,
        "version": VERSION,
        "kind": str(graph.kind),
        "nodes": nodes,
        "meta": dict(graph.meta),
    }


def write_json(graph: GraphCore, *, indent: int | None) -> str:
    """Write the whole graph as JSON text."""
    edges = [{"u": e.u, "edge": glyph(e.mark_u, e.mark_v), "v": e.v, **e.data} for e in graph.edges]
    try:
        return json.dumps(
            {**header(graph), "edges": edges}, indent=indent, ensure_ascii=False, allow_nan=False
        )
    except (TypeError, ValueError) as error:
        msg = f"node data, edge data and meta must be plain finite numbers, strings, lists and dicts to be saved: {error}"
        raise ConversionError(msg) from None


def read_json(text: str) -> dict[str, Any]:
    """Read JSON text and return constructor arguments."""
    if len(text) > MAX_BYTES:
        msg = f"the file has {len(text)} characters; at most {MAX_BYTES} are read"
        raise ParseError(msg)
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        msg = f"not JSON: {error}"
        raise ParseError(msg) from None
    arguments = _arguments(content)
    try:
        return {
            **arguments,
            **_edge_arguments(arguments["nodes"], arguments["kind"], content.get("edges", [])),
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"an edge is not of the form {{'u': name, 'edge': '->', 'v': name}}: {error}"
        raise ParseError(msg) from None


def _arguments(content: Any) -> dict[str, Any]:
    """Check the header and read nodes and meta."""
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        msg = f"not a {FORMAT} file: the entry 'format' is missing or different"
        raise ParseError(msg)
    if content.get("version") != VERSION:
        msg = f"version {content.get('version')!r} of {FORMAT} is not known; this release reads version {VERSION}"
        raise ParseError(msg)
    entries: Any = content.get("nodes")
    meta = content.get("meta", {})
    if (
        not _is_node_list(entries)
        or not isinstance(meta, dict)
        or not isinstance(content.get("edges", []), list)
    ):
        raise ParseError(
            "'nodes' must be a list of objects with a 'name', 'edges' a list and 'meta' an object"
        )
    data = {e["name"]: {k: v for k, v in e.items() if k != "name"} for e in entries if len(e) > 1}
    kind = content.get("kind")
    return {"kind": kind, "nodes": [e["name"] for e in entries], "node_data": data, "meta": meta}


def _is_node_list(entries: Any) -> bool:
    return isinstance(entries, list) and all(
        isinstance(e, dict) and isinstance(e.get("name"), str) for e in entries
    )


def _edge_arguments(nodes: list[str], kind: Any, edges: list[Mapping[str, Any]]) -> dict[str, Any]:
    """Read edges into marks, the bidirected plane and columns, in the graph's own order of edges."""
    at = {name: k for k, name in enumerate(nodes)}
    check_number_of_nodes(len(nodes))
    marks = np.zeros((len(nodes), len(nodes)), dtype=np.uint8)
    plane = np.zeros(marks.shape, dtype=bool)
    rows: dict[tuple[bool, int, int], Mapping[str, Any]] = {}
    for edge in edges:
        i, j = at[edge["u"]], at[edge["v"]]
        left, right = marks_of(edge["edge"])
        bow = kind == "ADMG" and left is Mark.ARROW and right is Mark.ARROW
        if (bow, min(i, j), max(i, j)) in rows:
            msg = f"the edge between {edge['u']!r} and {edge['v']!r} is listed twice"
            raise ParseError(msg)
        if bow:
            plane[i, j] = plane[j, i] = True
        else:
            marks[j, i], marks[i, j] = left, right
        rows[bow, min(i, j), max(i, j)] = edge
    ordered = [rows[key] for key in sorted(rows)]
    columns = {
        name: [e.get(name) for e in ordered] for name in EDGE_COLUMNS if any(name in e for e in ordered)
    }
    return {"marks": marks, "bidirected": plane if plane.any() else None, "edge_data": columns}


def write_npz(graph: GraphCore, path: str | Path) -> None:
    """Write marks as arrays and the rest as a JSON header."""
    columns = {name: list(values) for name, values in graph.edge_data.items()}
    try:
        text = json.dumps({**header(graph), "edge_data": columns}, allow_nan=False)
    except (TypeError, ValueError) as error:
        msg = f"node data, edge data and meta must be plain finite numbers, strings, lists and dicts to be saved: {error}"
        raise ConversionError(msg) from None
    head = np.frombuffer(text.encode(), dtype=np.uint8)
    with Path(path).open("wb") as file:
        np.savez_compressed(file, header=head, marks=graph.marks, bidirected=graph.bidirected)


def read_npz(path: str | Path) -> dict[str, Any]:
    """Read an NPZ file and return constructor arguments."""
    size = Path(path).stat().st_size
    if size > MAX_BYTES:
        raise ParseError(f"{path} has {size} bytes; at most {MAX_BYTES} are read")
    raw = Path(path).read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as file:
            head, marks, plane = (_array(file, name) for name in ("header", "marks", "bidirected"))
        content = json.loads(head.tobytes())
    except (
        ValueError,
        KeyError,
        OSError,
        EOFError,
        TypeError,
        RecursionError,
        NotImplementedError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        msg = f"{path} is not a {FORMAT} NPZ file: {error}"
        raise ParseError(msg) from None
    arguments = _arguments(content)
    bidirected = plane if arguments["kind"] == "ADMG" else None
    return {**arguments, "marks": marks, "bidirected": bidirected, "edge_data": content.get("edge_data", {})}


def _array(file: zipfile.ZipFile, name: str) -> NDArray[np.uint8]:
    """Read an array of one byte per entry, after a look at how much its header claims and how much it inflates to."""
    info = file.getinfo(f"{name}.npy")
    if info.file_size > MAX_BYTES:
        raise ValueError(f"{name} inflates to {info.file_size} bytes; at most {MAX_BYTES} are read")
    with file.open(info) as part:
        version = np.lib.format.read_magic(part)
        if version != (1, 0):
            raise ValueError(f"{name} has version {version} of the NPY format")
        shape, by_column, dtype = np.lib.format.read_array_header_1_0(part)
        size = int(np.prod(shape, dtype=float))
        if dtype not in (np.dtype(np.uint8), np.dtype(bool)) or size > MAX_BYTES:
            raise ValueError(f"{name} claims shape {shape} of {dtype}; at most {MAX_BYTES} bytes are read")
        data = part.read(size + 1)
    if len(data) != size:
        raise ValueError(f"{name} claims {size} bytes and has {'more' if len(data) > size else len(data)}")
    return np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if by_column else "C")
