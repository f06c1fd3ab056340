"""A path that a set of nodes leaves open, as text: the witness in a verdict about an adjustment set."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from causalkit.graph._bits import closure, members
from causalkit.graph._separation import Separator

State = tuple[int, bool]


def open_path(g: Separator, sources: int, targets: int, given: int, names: Sequence[str]) -> str | None:
    """Return a shortest path from a source to a target that `given` leaves open, such as ``"X <- U -> Y"``, or None.

    Where the shortest connection enters a collider that is open because of a descendant, the detour to the descendant is not written.
    """
    colliders = closure(given, g.parents)
    came: dict[State, tuple[State, str] | None] = {(s, False): None for s in members(sources & ~given)}
    waiting = deque(came)
    while waiting:
        state = waiting.popleft()
        if targets >> state[0] & 1:
            return _written(came, state, names)
        for glyph, following in _steps(g, state, given, colliders):
            if following not in came:
                came[following] = (state, glyph)
                waiting.append(following)
    return None


def _steps(g: Separator, state: State, given: int, colliders: int) -> Iterator[tuple[str, State]]:
    """Yield edges on which an open path can go on; the flag says whether it arrives at an arrowhead."""
    node, at_head = state
    blocked = given >> node & 1
    if not blocked:
        yield from (("->", (child, True)) for child in members(g.children[node]))
        yield from (("---", (other, False)) for other in members(g.undirected[node]))
    if colliders >> node & 1 if at_head else not blocked:
        yield from (("<-", (parent, False)) for parent in members(g.parents[node]))
        yield from (("<->", (other, True)) for other in members(g.spouses[node]))


def _written(came: dict[State, tuple[State, str] | None], state: State, names: Sequence[str]) -> str:
    parts = [names[state[0]]]
    while (step := came[state]) is not None:
        state, glyph = step
        parts += [glyph, names[state[0]]]
    return " ".join(reversed(parts))
