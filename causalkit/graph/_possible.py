"""Which nodes could lie downstream, when some directions are not known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from causalkit.graph._bits import members, rows_to_masks
from causalkit.graph._marks import Mark


def steps_ahead(marks: NDArray[np.uint8]) -> list[int]:
    """Return the sets of nodes to which an edge could point: no arrowhead here, and no tail there unless also one here."""
    backwards = (marks.T == Mark.ARROW) | ((marks == Mark.TAIL) & (marks.T == Mark.CIRCLE))
    return rows_to_masks((marks != Mark.NONE) & ~backwards)


def possibly_reachable(ahead: Sequence[int], adjacent: Sequence[int], start: int, avoid: int = 0) -> int:
    """Return the nodes at the end of an unshielded path of steps from `start` that does not enter `avoid`, with `start` itself."""
    reached = start
    seen: set[tuple[int, int]] = set()
    waiting = [(u, v) for u in members(start) for v in members(ahead[u] & ~avoid)]
    while waiting:
        u, v = pair = waiting.pop()
        if pair in seen:
            continue
        seen.add(pair)
        reached |= 1 << v
        waiting += [(v, w) for w in members(ahead[v] & ~avoid & ~adjacent[u] & ~(1 << u))]
    return reached
