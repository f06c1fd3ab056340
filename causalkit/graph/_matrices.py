"""Matrices in which other libraries keep graphs.

====================  ==========================================================================================================
gadjid                int8; 1 at [i, j] is i → j if read from row to column, 2 at one of [i, j], [j, i] is i — j
bnlearn, gCastle      0/1; 1 at [i, j] alone is i → j, 1 at both is i — j
lingam                weights B with x = B x + e, so that B[j, i] is the weight of i → j: transposed against the others
tigramite             strings such as ``'-->'`` at [i, j] and ``'<--'`` at [j, i]; a third axis holds lags, [i, j, τ] being the
                      edge from i at time t - τ to j at time t
====================  ==========================================================================================================
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from causalkit.exceptions import ConversionError
from causalkit.graph._convert import DIRECTED_KINDS, Marks, directed_to_marks, refuse, square
from causalkit.graph._marks import MARKS_OF_LONG, GraphKind, Mark, long_glyph

if TYPE_CHECKING:
    from causalkit.graph._core import GraphCore

UNORIENTED = (GraphKind.CPDAG, GraphKind.MPDAG, GraphKind.PDAG, GraphKind.UG)


def to_gadjid(graph: GraphCore) -> NDArray[np.int8]:
    """Write 1 for i → j at [i, j] and 2 for i — j at the upper one of its two places."""
    refuse(graph, DIRECTED_KINDS, "gadjid's matrix")
    arrow = (graph.marks == Mark.ARROW) & (graph.marks.T == Mark.TAIL)
    line = np.triu((graph.marks == Mark.TAIL) & (graph.marks.T == Mark.TAIL))
    return np.asarray(arrow + 2 * line, dtype=np.int8)


def gadjid_to_marks(matrix: ArrayLike) -> Marks:
    """Read gadjid's matrix, from row to column."""
    array = square(matrix, "gadjid's matrix")
    if not np.isin(array, [0, 1, 2]).all():
        raise ConversionError(
            f"gadjid's matrix holds 0, 1 and 2 only; got {np.setdiff1d(array, [0, 1, 2])[:3].tolist()}"
        )
    line = (array == 2) | (array.T == 2)
    if (line & ((array == 1) | (array.T == 1))).any() or ((array == 1) & (array.T == 1)).any():
        raise ConversionError(
            "two entries of one pair contradict each other in gadjid's matrix: 1 with 1, or 1 with 2"
        )
    return _marks(array == 1, line)


def to_bnlearn(graph: GraphCore) -> NDArray[np.int_]:
    """Write 1 at [i, j] for i → j and at both places for i — j."""
    refuse(graph, DIRECTED_KINDS, "an amat of bnlearn")
    return np.asarray(
        (graph.marks == Mark.ARROW) | ((graph.marks == Mark.TAIL) & (graph.marks.T == Mark.TAIL)), dtype=int
    )


def bnlearn_to_marks(matrix: ArrayLike) -> Marks:
    """Read bnlearn's amat."""
    array = square(matrix, "an amat of bnlearn")
    if not np.isin(array, [0, 1]).all():
        raise ConversionError(
            f"an amat of bnlearn holds 0 and 1 only; got {np.setdiff1d(array, [0, 1])[:3].tolist()}"
        )
    one = array == 1
    return _marks(one & ~one.T, one & one.T)


def _marks(arrow: NDArray[np.bool_], line: NDArray[np.bool_]) -> Marks:
    marks = directed_to_marks(arrow)
    marks[line] = Mark.TAIL
    return marks


def to_weights(graph: GraphCore) -> NDArray[np.float64]:
    """Write the strength of i → j at [i, j]; 1 where none is known."""
    refuse(graph, [GraphKind.DAG], "a matrix of weights")
    weights = np.zeros(graph.marks.shape)
    for k, (i, j) in enumerate(graph._pairs):
        known = graph.edge_data.get("strength")
        value = 1.0 if known is None or known[k] is None else float(known[k])
        if value == 0 or not np.isfinite(value):
            raise ConversionError(
                f"the edge {graph.nodes[i]!r}, {graph.nodes[j]!r} has strength {value}; a weight of 0 would remove it"
            )
        at = (i, j) if graph.marks[i, j] == Mark.ARROW else (j, i)
        weights[at] = value
    return weights


def weights_to_graph(matrix: ArrayLike, threshold: float) -> tuple[Marks, list[float]]:
    """Read weights; return marks, and the weights in the order of the edges."""
    array = np.asarray(square(matrix, "a matrix of weights"), dtype=float)
    if not np.isfinite(array).all():
        raise ConversionError("a matrix of weights holds finite numbers only")
    arrow = np.abs(array) > threshold
    both = np.argwhere(arrow & arrow.T)
    if both.size:
        i, j = both[0]
        raise ConversionError(
            f"weights [{i}, {j}] and [{j}, {i}] are both above the threshold {threshold:g}; a DAG has one of them"
        )
    kept = np.where(arrow, array, 0.0)
    pairs = np.argwhere(np.triu(arrow | arrow.T, 1)).tolist()
    return _marks(arrow, np.zeros_like(arrow)), [float(kept[i, j] + kept[j, i]) for i, j in pairs]


# -- tigramite -------------------------------------------------------------------------------------------------------------


def to_tigramite(graph: GraphCore) -> NDArray[np.str_]:
    """Write edges as strings; a third axis holds lags if some node has one."""
    if graph.kind is GraphKind.ADMG:
        refuse(graph, [k for k in GraphKind if k is not GraphKind.ADMG], "tigramite's array")
    lags = [int(graph.node_data.get(name, {}).get("lag", 0)) for name in graph.nodes]
    variables = [str(graph.node_data.get(name, {}).get("variable", name)) for name in graph.nodes]
    names = [name for name, lag in zip(graph.nodes, lags, strict=True) if lag == 0]
    place = {name: k for k, name in enumerate(names)}
    lost = [v for v in variables if v not in place]
    if lost:
        raise ConversionError(
            f"the node with attribute variable={lost[0]!r} has a lag, and no node {lost[0]!r} is at lag 0"
        )
    found = np.full((len(names), len(names), 1 - min(lags, default=0)), "", dtype="<U3")
    for i, j, text, back in _strings(graph):
        _place(found, place, variables, lags, (i, j), text, back)
    return found if min(lags, default=0) < 0 else found[:, :, 0]


def _strings(graph: GraphCore) -> Iterator[tuple[int, int, str, str]]:
    """Yield every edge as read from i and as read from j."""
    for i, j in graph._pairs:
        ends = Mark(int(graph.marks[j, i])), Mark(int(graph.marks[i, j]))
        if graph.kind in UNORIENTED and ends == (Mark.TAIL, Mark.TAIL):
            ends = (Mark.CIRCLE, Mark.CIRCLE)
        elif Mark.TAIL in ends and Mark.ARROW not in ends:
            raise ConversionError(
                f"tigramite has no string for the edge between {graph.nodes[i]!r} and {graph.nodes[j]!r}"
            )
        yield i, j, long_glyph(*ends), long_glyph(*ends[::-1])


def _place(
    found: NDArray[np.str_],
    place: dict[str, int],
    variables: list[str],
    lags: list[int],
    pair: tuple[int, int],
    text: str,
    back: str,
) -> None:
    i, j = pair
    if lags[i] > lags[j]:
        i, j, text, back = j, i, back, text
    if lags[j] != 0:
        raise ConversionError(
            "an edge between two lagged nodes repeats one at lag 0; leave it out and let the graph be stationary"
        )
    a, b = place[variables[i]], place[variables[j]]
    found[a, b, -lags[i]] = text
    if lags[i] == 0:
        found[b, a, 0] = back


def tigramite_to_edges(
    array: Any, variables: Iterable[str] | None, kind: GraphKind
) -> tuple[list[str], list[tuple[str, str, Mark, Mark, dict[str, Any]]], dict[str, dict[str, Any]]]:
    """Read strings; return nodes, edges and node data. Lagged nodes are named ``X[-1]``."""
    strings = np.asarray(array)
    if strings.dtype.kind != "U" or strings.ndim not in (2, 3) or strings.shape[0] != strings.shape[1]:
        raise ConversionError(
            f"tigramite's array holds strings and has shape (N, N) or (N, N, lags + 1); got {strings.dtype} {strings.shape}"
        )
    strings = strings[:, :, None] if strings.ndim == 2 else strings
    names = [f"X{k + 1}" for k in range(len(strings))] if variables is None else list(variables)
    if len(names) != len(strings):
        raise ConversionError(f"{len(names)} names for {len(strings)} variables")
    half = np.argwhere((strings[:, :, 0] != "") != (strings[:, :, 0].T != ""))
    if half.size or (np.diagonal(strings[:, :, 0]) != "").any():
        raise ConversionError(
            "the part at lag 0 must have an edge in both directions of a pair or in none, and no loops"
        )
    edges = [
        _edge(strings, names, kind, *at)
        for at in np.argwhere(strings != "").tolist()
        if at[2] > 0 or at[0] < at[1]
    ]
    lagged = [(name, tau) for tau in range(1, strings.shape[2]) for name in names]
    data = {f"{name}[-{tau}]": {"lag": -tau, "variable": name} for name, tau in lagged}
    return [*names, *data], edges, data


CONFLICT = {"rule": "conflict", "note": "the search that found this edge had reasons for both directions"}


def _edge(
    strings: NDArray[np.str_], names: list[str], kind: GraphKind, i: int, j: int, tau: int
) -> tuple[str, str, Mark, Mark, dict[str, Any]]:
    """Read one string; a conflict of directions, ``x``, is an end of which nothing is known."""
    said = str(strings[i, j, tau])
    text = said.replace("x", "o")
    if text not in MARKS_OF_LONG:
        raise ConversionError(
            f"{said!r} at [{i}, {j}, {tau}] cannot be read; double edges ('+') have no place in a graph"
        )
    left, right = MARKS_OF_LONG[text]
    if tau == 0 and str(strings[j, i, 0]).replace("x", "o") != long_glyph(right, left):
        raise ConversionError(
            f"{text!r} at [{i}, {j}, 0] and {strings[j, i, 0]!r} at [{j}, {i}, 0] are not the same edge read both ways"
        )
    conflict = "x" in said
    if conflict and kind is GraphKind.DAG:
        raise ConversionError(
            f"{said!r} at [{i}, {j}, {tau}] is a conflict of directions, which a DAG cannot hold; read it as kind='PDAG'"
        )
    if kind in UNORIENTED and (conflict or left is right is Mark.CIRCLE):
        left = right = Mark.TAIL
    name = names[i] if tau == 0 else f"{names[i]}[-{tau}]"
    return name, names[j], left, right, CONFLICT if conflict else {}
