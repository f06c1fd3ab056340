"""One way in and one way out for graphs in files and texts, whatever the format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from causalkit.exceptions import ConversionError, GraphError, ParameterError, ParseError
from causalkit.graph._graph import CausalGraph
from causalkit.graph._marks import GraphKind, Mark, as_kind
from causalkit.graph.formats._limits import read_text
from causalkit.graph.formats._networks import NETWORKS
from causalkit.graph.formats._tables import Network

__all__ = ["FORMATS", "Format", "GraphLike", "as_graph", "read_graph", "write_graph"]


@dataclass(frozen=True)
class Format:
    """A format of graphs in files.

    Parameters
    ----------
    name : str
        Its name.
    suffixes : tuple of str
        Ends of names of files.
    looks_like : str
        Pattern of the start of a text in it; empty if texts do not tell.
    read : callable or None
        From text to a graph; None if it is only written.
    write : callable or None
        From a graph to text; None if it is only read.
    has_kind : bool
        Whether texts say what kind of graph they hold.
    """

    name: str
    suffixes: tuple[str, ...]
    looks_like: str
    read: Callable[[str], CausalGraph] | None
    write: Callable[[CausalGraph], str] | None
    has_kind: bool = True


class NetworkxGraph(Protocol):
    """A graph of networkx, of which pgmpy's and DoWhy's graphs are kinds."""

    nodes: Any
    edges: Any

    def is_directed(self) -> bool:
        """Whether edges have a direction."""
        ...


GraphLike: TypeAlias = CausalGraph | NetworkxGraph
"""What is taken for a graph."""


def as_graph(graph: GraphLike, what: str = "graph") -> CausalGraph:
    """Return a graph of another library as a CausalGraph, if there is one way to read it.

    Parameters
    ----------
    graph : CausalGraph, networkx.DiGraph, or a graph of pgmpy or DoWhy
        The graph. Nodes that it marks as hidden are hidden.
    what : str, default="graph"
        Name of the parameter, for messages.

    Returns
    -------
    CausalGraph
        The same object if it is one.

    Raises
    ------
    GraphError
        If it is no graph, or one that leaves open what its marks mean; the message names the call that reads it.

    Examples
    --------
    >>> import networkx as nx
    >>> from causalkit.graph import as_graph
    >>> print(as_graph(nx.DiGraph([("A", "B")])))
    A -> B
    """
    given: Any = graph
    if isinstance(given, CausalGraph):
        return given
    library = type(given).__module__.partition(".")[0]
    if library == "pgmpy" and hasattr(given, "edges"):
        return CausalGraph.from_pgmpy(given)
    if library == "dowhy":
        return CausalGraph.from_dowhy(given)
    if hasattr(given, "is_directed") and hasattr(given, "edges") and given.is_directed():
        return CausalGraph.from_networkx(given)
    hints = {
        "causallearn": "CausalGraph.from_causal_learn(graph, kind=...) reads it",
        "networkx": "CausalGraph.from_networkx(graph, kind=...) reads an undirected one",
        "pywhy_graphs": "CausalGraph.from_pywhy(graph, kind=...) reads it",
        "numpy": "CausalGraph.from_adjacency(matrix, names) reads a matrix of zeros and ones",
        "builtins": "causalkit.read_graph(text or path) reads a text or a file",
    }
    hint = f": {hints[library]}" if library in hints else ""
    raise GraphError(f"{what} must be a CausalGraph or a networkx.DiGraph; got {type(given).__name__}{hint}")


def graph_of_parents(network: Network) -> CausalGraph:
    """Return the DAG of a network."""
    arrows = [(p, node, Mark.TAIL, Mark.ARROW) for node, of in network.parents.items() for p in of]
    return CausalGraph._from_edges(GraphKind.DAG, network.states, arrows)


def network_text(source: str | Path, format: str | None = None) -> tuple[str, str]:
    """Return the format of a network and its text."""
    if format is not None and format not in NETWORKS:
        raise ParameterError(f"format must be one of {', '.join(NETWORKS)}; got {format!r}")
    path = _as_path(source)
    text = str(source) if path is None else read_text(path)
    names = [format] if format else [e.name for e in _candidates(text, path, None) if e.name in NETWORKS]
    if not names:
        raise ParseError(f"this does not look like a network in one of {', '.join(NETWORKS)}; give format=")
    return names[0], text


def _network(name: str) -> Callable[[str], CausalGraph]:
    def read(text: str) -> CausalGraph:
        return graph_of_parents(NETWORKS[name](text, tables=False))

    return read


_C = CausalGraph
_ENTRIES = (
    Format("json", (".json",), r"\{\s*\"", _C.from_json, _C.to_json),
    Format("dagitty", (".dagitty",), r"(?:dag|pdag|mag|pag)\b[^{\n]*\{", _C.from_dagitty, _C.to_dagitty),
    Format("dot", (".dot", ".gv"), r"(?:strict\s+)?(?:di)?graph\b[^{\[\n]*\{", _C.from_dot, _C.to_dot),
    Format("gml", (".gml",), r"(?:Creator\b[^\n]*\n\s*|Version\b[^\n]*\n\s*)*graph\s*\[", _C.from_gml, _C.to_gml),
    Format("graphml", (".graphml",), r"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<graphml\b", _C.from_graphml, _C.to_graphml),
    Format("tetrad", (".tetrad",), r"Graph Nodes:", _C.from_tetrad, _C.to_tetrad, has_kind=False),
    Format("bif", (".bif",), r"(?:network|variable)\b[^{\n]*\{", _network("bif"), None),
    Format("net", (".net",), r"(?:net|class\s+\w+)\s*\{", _network("net"), None),
    Format("xdsl", (".xdsl",), r"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<smile\b", _network("xdsl"), None),
    Format("xmlbif", (".xmlbif", ".xml"), r"(?:<\?xml[^>]*>\s*)?(?:<!.*?>\s*)*<BIF\b", _network("xmlbif"), None),
    Format("lavaan", (".lav", ".lavaan"), r"[A-Za-z.][\w. +]*(?:=~|~~|~)", _C.from_lavaan, _C.to_lavaan),
    Format("text", (), r"", _C.parse, str, has_kind=False),
    Format("mermaid", (".mmd", ".mermaid"), "", None, _C.to_mermaid),
    Format("svg", (".svg",), "", None, _C.to_svg),
)  # fmt: skip
FORMATS = {entry.name: entry for entry in _ENTRIES}
"""Formats that `read_graph` and `CausalGraph.write` know, by name; NPZ, which is no text, is the one beside them."""
NPZ = ".npz"


def read_graph(
    source: str | Path, format: str | None = None, *, kind: GraphKind | str | None = None
) -> CausalGraph:
    """Read a graph from a file or a text, in any format that the package knows.

    Parameters
    ----------
    source : str or pathlib.Path
        A path, or the text itself. A string is a path if there is a file of that name, or if it ends like one.
    format : str, optional
        ``"json"``, ``"dagitty"``, ``"dot"``, ``"gml"``, ``"graphml"``, ``"tetrad"``, ``"bif"``, ``"net"``, ``"xdsl"``, ``"xmlbif"``, ``"lavaan"``, ``"text"`` (as
        :meth:`causalkit.graph.CausalGraph.parse`) or ``"npz"``; by default what the end of the name says, else what the text looks like.
    kind : GraphKind or str, optional
        Kind of the graph, for texts that do not say it, or say another.

    Returns
    -------
    CausalGraph
        The graph. Of a Bayesian network only the structure is kept; :meth:`causalkit.strength.BayesianNetwork.read` keeps the tables.

    Raises
    ------
    ParseError
        If the text cannot be read; the message says as which format it was read.
    FileNotFoundError
        If a path is no file.

    See Also
    --------
    causalkit.graph.CausalGraph.write : The way out.

    Notes
    -----
    At most 10 million characters (20 million of a network), 10,000 nodes and a million edges are read. A file is UTF-8, UTF-16 with a byte-order mark, or else Latin-1.

    Examples
    --------
    >>> import causalkit
    >>> print(causalkit.read_graph("dag { smoking -> tar -> cancer }"))
    smoking -> tar; tar -> cancer
    >>> print(causalkit.read_graph("y ~ x + z"))
    y, x, z; x -> y; z -> y
    """
    path = _as_path(source)
    if format is not None and format not in (*FORMATS, "npz"):
        raise ParameterError(f"format must be one of {', '.join(FORMATS)} or npz; got {format!r}")
    if format == "npz" or (format is None and path is not None and path.suffix.lower() == NPZ):
        if path is None:
            raise ParameterError("NPZ is read from a path")
        return _with_kind(CausalGraph.from_npz(path), kind)
    text = str(source) if path is None else read_text(path)
    return _first_that_reads(list(_candidates(text, path, format)), text, kind)


def write_graph(graph: CausalGraph, path: str | Path, format: str | None = None) -> Path:
    """Write a graph to a file; see :meth:`causalkit.graph.CausalGraph.write`."""
    target = Path(path)
    by_suffix = {suffix: entry.name for entry in _ENTRIES for suffix in entry.suffixes} | {
        NPZ: "npz",
        ".txt": "text",
    }
    name = format or by_suffix.get(target.suffix.lower())
    writers = {entry.name: entry.write for entry in _ENTRIES if entry.write is not None}
    if name == "npz":
        graph.to_npz(target)
    elif name in writers:
        target.write_text(writers[name](graph), encoding="utf-8")
    else:
        ends = ", ".join(sorted(s for s, n in by_suffix.items() if n in writers or n == "npz"))
        raise ConversionError(
            f"{target.name!r} does not say a format that can be written; names end in {ends}, or give format= one of {', '.join(writers)}, npz"
        )
    return target


def _as_path(source: str | Path) -> Path | None:
    """Return the path that a source is, None for a text."""
    given: object = source
    if isinstance(given, Path):
        return given
    if not isinstance(given, str):
        raise ParameterError(f"a path or a text is expected; got {type(given).__name__}")
    suffixes = (*(s for entry in _ENTRIES for s in entry.suffixes), NPZ, ".txt")
    one_name = len(given) < 1000 and not re.search(r"[\n{}\[\]<>~;\0]|->|--", given)
    return Path(given) if one_name and (given.lower().endswith(suffixes) or Path(given).is_file()) else None


def _candidates(text: str, path: Path | None, format: str | None) -> Iterator[Format]:
    """Yield the formats that a text may be in, the likeliest first."""
    if format is not None:
        yield FORMATS[format]
        return
    readable = [entry for entry in _ENTRIES if entry.read is not None]
    by_name = [e for e in readable if path is not None and path.suffix.lower() in e.suffixes]
    if by_name:
        yield from by_name
        return
    start = text[:10_000].lstrip("\ufeff \t\n")
    seen = [e for e in readable if e.looks_like and re.match(e.looks_like, start, re.DOTALL | re.IGNORECASE)]
    yield from seen[:1]
    # A "graph" is DOT, or DAGitty with its signs; a text without a header may be edges of either.
    if not seen or seen[0].name == "dot":
        yield FORMATS["dagitty"]
    if not seen:
        yield FORMATS["text"]


def _first_that_reads(formats: list[Format], text: str, kind: GraphKind | str | None) -> CausalGraph:
    if not formats[0].name == "text" and formats[0].read is None:
        raise ParameterError(f"{formats[0].name} can be written and not read")
    errors = []
    for entry in formats:
        try:
            return _read(entry, text, kind)
        except ParseError as error:
            errors.append(f"as {entry.name}: {error}")
    raise ParseError("; ".join(errors))


def _read(entry: Format, text: str, kind: GraphKind | str | None) -> CausalGraph:
    read: Any = entry.read
    if kind is None or entry.name in ("json", *NETWORKS):
        return _with_kind(read(text), kind)
    graph: CausalGraph = read(text, as_kind(kind))
    return graph


def _with_kind(graph: CausalGraph, kind: GraphKind | str | None) -> CausalGraph:
    return graph if kind is None else graph.with_kind(kind)
