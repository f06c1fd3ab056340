"""Marks at the ends of edges, the kinds of graph, and the text form of one edge.

An edge has two ends and each end one mark. ``A -> B`` has a tail at A and an arrowhead at B; ``A o-> B`` a circle at A,
which says that tail and arrowhead are both possible there.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

from causalkit.exceptions import GraphKindError, ParseError

__all__ = ["GraphKind", "Mark", "as_kind"]


class Mark(IntEnum):
    """What stands at one end of an edge.

    ``graph.marks[i, j]`` is the mark **at j** of the edge between i and j. So ``marks[i, j] == Mark.ARROW`` together with
    ``marks[j, i] == Mark.TAIL`` is the directed edge i → j.

    Examples
    --------
    >>> from causalkit import CausalGraph, Mark
    >>> g = CausalGraph.parse("A -> B")
    >>> Mark(g.marks[0, 1]).name, Mark(g.marks[1, 0]).name
    ('ARROW', 'TAIL')
    """

    NONE = 0
    CIRCLE = 1
    ARROW = 2
    TAIL = 3


class GraphKind(StrEnum):
    """The family that a graph belongs to; it says what the marks mean and is checked on construction.

    Examples
    --------
    >>> from causalkit import GraphKind
    >>> [kind.value for kind in GraphKind]
    ['DAG', 'CPDAG', 'MPDAG', 'PDAG', 'ADMG', 'MAG', 'PAG', 'UG', 'UNKNOWN']
    """

    DAG = "DAG"
    CPDAG = "CPDAG"
    MPDAG = "MPDAG"
    PDAG = "PDAG"
    ADMG = "ADMG"
    MAG = "MAG"
    PAG = "PAG"
    UG = "UG"
    UNKNOWN = "UNKNOWN"


def as_kind(kind: GraphKind | str) -> GraphKind:
    """Read a kind given as member or as text in any case."""
    try:
        return GraphKind(kind.upper())
    except (ValueError, AttributeError):
        allowed = ", ".join(GraphKind)
        msg = f"unknown graph kind {kind!r}; allowed are {allowed}"
        raise GraphKindError(msg) from None


_LEFT = {Mark.CIRCLE: "o", Mark.ARROW: "<", Mark.TAIL: "-"}
_RIGHT = {Mark.CIRCLE: "o", Mark.ARROW: ">", Mark.TAIL: "-"}
_LEFT_OF = {glyph: mark for mark, glyph in _LEFT.items()}
_RIGHT_OF = {glyph: mark for mark, glyph in _RIGHT.items()}


def glyph(left: Mark, right: Mark) -> str:
    """Write the two marks of an edge as text, such as ``o->``."""
    if left is Mark.TAIL:
        return "---" if right is Mark.TAIL else f"-{_RIGHT[right]}"
    return f"{_LEFT[left]}-" if right is Mark.TAIL else f"{_LEFT[left]}-{_RIGHT[right]}"


def long_glyph(left: Mark, right: Mark) -> str:
    """Write the two marks of an edge in three characters, such as ``-->``, as Tetrad and tigramite do."""
    return f"{_LEFT[left]}-{_RIGHT[right]}"


MARKS_OF_LONG = {long_glyph(left, right): (left, right) for left in _LEFT for right in _RIGHT}


def marks_of(text: str) -> tuple[Mark, Mark]:
    """Read the two marks of an edge from text; ``--`` and ``---`` are the undirected edge, ``-->`` is ``->``."""
    body = text.replace("@", "o")
    if body in ("--", "---"):
        return Mark.TAIL, Mark.TAIL
    left, right = _LEFT_OF.get(body[:1]), _RIGHT_OF.get(body[-1:])
    if left is None or right is None or set(body[1:-1]) - {"-"} or not 2 <= len(body) <= 4 or "-" not in body:
        msg = f"{text!r} is not an edge; allowed are ->, <-, <->, ---, o-o, o->, <-o, o- and -o"
        raise ParseError(msg)
    return left, right
