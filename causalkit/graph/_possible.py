"""Which nodes could lie downstream, when some directions are not known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from causalkit.graph._bits import mask_of, members, rows_to_masks
from causalkit.graph._marks import Mark


def possibly_reachable(marks: NDArray[np.uint8], adjacent: Sequence[int], start: Iterable[int]) -> int:
    """Return the nodes at the end of an unshielded, possibly directed path from `start`, with `start` itself.

    An edge can be walked from u to v if it has no arrowhead at u, and no tail at v unless it also has a tail at u.
    """
    backwards = (marks.T == Mark.ARROW) | ((marks == Mark.TAIL) & (marks.T == Mark.CIRCLE))
    ahead = rows_to_masks((marks != Mark.NONE) & ~backwards)
    sources = list(start)
    reached = mask_of(sources)
    seen: set[tuple[int, int]] = set()
    waiting = [(u, v) for u in sources for v in members(ahead[u])]
    while waiting:
        u, v = waiting.pop()
        if (u, v) in seen:
            continue
        seen.add((u, v))
        reached |= 1 << v
        waiting += [(v, w) for w in members(ahead[v] & ~adjacent[u] & ~(1 << u))]
    return reached
