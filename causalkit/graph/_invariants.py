"""What each kind of graph must satisfy; every error names the nodes that show the violation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import InvalidGraphError, NotExtendableError
from causalkit.graph import _classes, _meek
from causalkit.graph._bits import closure, find_cycle, members, true_pairs
from causalkit.graph._marks import GraphKind, Mark, glyph
from causalkit.graph._pattern import Pattern
from causalkit.graph._separation import Separator

if TYPE_CHECKING:
    from causalkit.graph._core import GraphCore

DIRECTED = frozenset({(Mark.TAIL, Mark.ARROW), (Mark.ARROW, Mark.TAIL)})
UNDIRECTED = frozenset({(Mark.TAIL, Mark.TAIL)})
BIDIRECTED = frozenset({(Mark.ARROW, Mark.ARROW)})

ALLOWED_EDGES = {
    GraphKind.DAG: DIRECTED,
    GraphKind.PDAG: DIRECTED | UNDIRECTED,
    GraphKind.MPDAG: DIRECTED | UNDIRECTED,
    GraphKind.CPDAG: DIRECTED | UNDIRECTED,
    GraphKind.ADMG: DIRECTED,
    GraphKind.MAG: DIRECTED | UNDIRECTED | BIDIRECTED,
    GraphKind.UG: UNDIRECTED,
}


def _table(edges: frozenset[tuple[Mark, Mark]]) -> NDArray[np.bool_]:
    """Return which pairs of marks an edge may have, by their codes."""
    table = np.zeros((4, 4), dtype=bool)
    for left, right in edges:
        table[left, right] = True
    return table


_ALLOWED = {kind: _table(edges) for kind, edges in ALLOWED_EDGES.items()}


def check_invariants(graph: GraphCore) -> None:
    """Raise `InvalidGraphError` with a witness unless the graph satisfies every rule of its kind."""
    _check_pairs(graph)
    _check_context(graph)
    if graph.kind in (GraphKind.UG, GraphKind.UNKNOWN):
        return
    _check_acyclic(graph)
    further = _FURTHER_CHECKS.get(graph.kind)
    if further is not None:
        further(graph)


def _fail(graph: GraphCore, text: str, nodes: Sequence[int]) -> NoReturn:
    names = tuple(graph.nodes[k] for k in nodes)
    raise InvalidGraphError(f"not a valid {graph.kind}: {text}", witness=names)


def _name(graph: GraphCore, i: int, j: int) -> str:
    left, right = Mark(int(graph.marks[j, i])), Mark(int(graph.marks[i, j]))
    return f"{graph.nodes[i]} {glyph(left, right)} {graph.nodes[j]}"


def _check_pairs(graph: GraphCore) -> None:
    marks = graph.marks
    loops = np.flatnonzero(marks.diagonal())
    if loops.size:
        _fail(graph, f"node {graph.nodes[loops[0]]!r} has an edge to itself", [int(loops[0])])
    edges = marks != Mark.NONE
    halves = edges != edges.T
    if halves.any():
        i, j = true_pairs(halves)[0]
        _fail(
            graph,
            f"the edge between {graph.nodes[i]!r} and {graph.nodes[j]!r} has a mark at only one end",
            [i, j],
        )
    if graph.kind in ALLOWED_EDGES and graph._pairs:
        pairs = np.array(graph._pairs)
        left, right = marks[pairs[:, 1], pairs[:, 0]], marks[pairs[:, 0], pairs[:, 1]]
        wrong = np.flatnonzero(~_ALLOWED[graph.kind][left, right])
        if wrong.size:
            i, j = pairs[wrong[0]].tolist()
            others = _kinds_with(Mark(int(left[wrong[0]])), Mark(int(right[wrong[0]])))
            text = f"the edge {_name(graph, i, j)} is not allowed in this kind; kinds that have such edges: {', '.join(others)}"
            _fail(graph, text, [i, j])


def _kinds_with(left: Mark, right: Mark) -> list[str]:
    """Return the kinds of graph that have an edge with these marks."""
    known = [kind for kind in GraphKind if kind is not GraphKind.UNKNOWN]
    both = left is right is Mark.ARROW
    return [
        str(kind)
        for kind in known
        if kind not in ALLOWED_EDGES or _ALLOWED[kind][left, right] or (both and kind is GraphKind.ADMG)
    ]


def _check_context(graph: GraphCore) -> None:
    """A context node is exogenous: nothing may point at it, unless its attribute ``exogenous`` is False."""
    for name, attributes in graph.node_data.items():
        if attributes.get("role") != "context" or attributes.get("exogenous") is False:
            continue
        k = graph.index(name)
        causes = np.flatnonzero((graph.marks[:, k] == Mark.ARROW) | graph.bidirected[:, k])
        if causes.size:
            i = int(causes[0])
            _fail(
                graph,
                f"context node {name!r} has an arrowhead from {graph.nodes[i]!r}; contexts are exogenous",
                [i, k],
            )


def _check_acyclic(graph: GraphCore) -> None:
    cycle = find_cycle(graph._child_masks)
    if cycle is not None:
        names = [graph.nodes[k] for k in cycle]
        _fail(graph, f"directed cycle {' -> '.join([*names, names[0]])}", cycle)


def _check_mpdag(graph: GraphCore) -> None:
    pattern = Pattern.from_marks(graph.marks)
    closed = pattern.copy()
    try:
        steps = _meek.close(closed)
    except _meek.OpposingRulesError as error:
        i, j = error.pair
        _fail(graph, f"Meek's rules demand both directions for {_name(graph, i, j)}", [i, j])
    if steps:
        first = steps[0]
        edge = _name(graph, first.tail, first.head)
        arrow = f"{graph.nodes[first.tail]} -> {graph.nodes[first.head]}"
        _fail(graph, f"{edge} must be {arrow} by Meek's rule {first.rule}", [first.tail, first.head])
    _extension(graph, pattern)


def _extension(graph: GraphCore, pattern: Pattern) -> list[int]:
    """Return the parent sets of an extension, or raise if there is none."""
    parents = _classes.extension(pattern)
    if parents is None:
        raise NotExtendableError(
            f"not a valid {graph.kind}: no directed acyclic graph has these edges and colliders"
        )
    return parents


def _check_cpdag(graph: GraphCore) -> None:
    """A CPDAG is the completed graph of any of its extensions: compare the two."""
    parents = _extension(graph, Pattern.from_marks(graph.marks))
    expected = _classes.completed(parents).marks()
    for i, j in graph._pairs:
        if graph.marks[i, j] != expected[i, j] or graph.marks[j, i] != expected[j, i]:
            left, right = Mark(int(expected[j, i])), Mark(int(expected[i, j]))
            text = f"{graph.nodes[i]} {glyph(left, right)} {graph.nodes[j]}"
            _fail(
                graph, f"{_name(graph, i, j)} should be {text} in the completed graph of this class", [i, j]
            )


def _check_ancestral(graph: GraphCore) -> None:
    """No almost directed cycle: a ↔ b forbids a directed path between a and b."""
    for i, mask in enumerate(graph._spouse_masks):
        below = closure(1 << i, graph._child_masks) & mask
        for j in members(below):
            text = f"{graph.nodes[i]} <-> {graph.nodes[j]}, but {graph.nodes[i]} is an ancestor of {graph.nodes[j]}"
            _fail(graph, text, [i, j])


def _check_mag(graph: GraphCore) -> None:
    _check_ancestral(graph)
    for k, mask in enumerate(graph._undirected_masks):
        into = graph._parent_masks[k] | graph._spouse_masks[k]
        if mask and into:
            i = next(members(into))
            _fail(
                graph,
                f"an arrowhead from {graph.nodes[i]!r} meets the undirected edge at {graph.nodes[k]!r}",
                [i, k],
            )
    _check_maximal(graph)


def _check_maximal(graph: GraphCore) -> None:
    """Non-adjacent nodes must be separable; if any set separates them, their anterior set does."""
    masks = (graph._parent_masks, graph._child_masks, graph._spouse_masks, graph._undirected_masks)
    separator = Separator(*masks)
    for i in range(graph.n_nodes):
        for j in range(i + 1, graph.n_nodes):
            if graph.marks[i, j] != Mark.NONE:
                continue
            pair = 1 << i | 1 << j
            given = separator.anterior(pair) & ~pair
            if separator.reachable(1 << i, given) >> j & 1:
                _fail(
                    graph,
                    f"{graph.nodes[i]!r} and {graph.nodes[j]!r} are not adjacent and no set separates them",
                    [i, j],
                )


_FURTHER_CHECKS: dict[GraphKind, Callable[[GraphCore], None]] = {
    GraphKind.MPDAG: _check_mpdag,
    GraphKind.CPDAG: _check_cpdag,
    GraphKind.MAG: _check_mag,
    GraphKind.PAG: _check_ancestral,
}
