"""What a graph with hidden and selected nodes says about the others.

`project` removes hidden nodes one after the other: what went through a hidden node now goes past it. The result is the
latent projection, in which two children of a hidden node are joined by ↔ (Verma and Pearl 1990; Richardson 2003).

`ancestral` keeps less and fits data better: of every pair it says whether any set of observed nodes separates it, and
which of the two causes the other or a selected node. That is the maximal ancestral graph (Richardson and Spirtes 2002). Two nodes that some set separates are separated by their ancestors and those of the selected nodes
(Richardson and Spirtes 2002, theorem 4.2), so that one query per pair decides, and a pair that no chain of ↔ edges connects
needs none.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from causalkit.graph._bits import closure, components, mask_of, members, transposed
from causalkit.graph._marks import Mark
from causalkit.graph._separation import Separator


def project(parents: Sequence[int], spouses: Sequence[int], hidden: int) -> tuple[list[int], list[int]]:
    """Return the sets of parents and of spouses without the hidden nodes, whose own sets are left empty."""
    up, beside = list(parents), list(spouses)
    down = transposed(parents)
    for h in members(hidden):
        _remove(h, up, down, beside)
    return up, beside


def _remove(h: int, up: list[int], down: list[int], beside: list[int]) -> None:
    """Join what met at h: its parents to its children, its children to one another and to its spouses."""
    above, below, partners = up[h], down[h], beside[h]
    up[h] = down[h] = beside[h] = 0
    for p in members(above):
        down[p] = (down[p] | below) & ~(1 << h)
    for c in members(below):
        up[c] = (up[c] | above) & ~(1 << h)
    for c in members(below):
        beside[c] |= (below | partners) & ~(1 << c)
    for s in members(partners):
        beside[s] = (beside[s] | below) & ~(1 << h | 1 << s)


def districts(spouses: Sequence[int]) -> list[int]:
    """Return the sets of nodes connected by ↔, in the order of their first members."""
    return components(spouses, (1 << len(spouses)) - 1)


def ancestral(
    parents: Sequence[int], spouses: Sequence[int], hidden: int, selected: int
) -> tuple[list[int], NDArray[np.uint8]]:
    """Return the observed nodes and the marks of the maximal ancestral graph over them."""
    up, beside = project(parents, spouses, hidden)
    d = len(up)
    observed = (1 << d) - 1 & ~hidden & ~selected
    ancestors = [closure(1 << k, up) for k in range(d)]
    causes_selection = closure(selected, up)
    separator = Separator(up, transposed(up), beside, [0] * d)
    marks = np.zeros((d, d), dtype=np.uint8)
    for u in members(observed):
        for v in members(_joined(u, separator) & observed & ~((1 << (u + 1)) - 1)):
            relevant = ancestors[u] | ancestors[v] | causes_selection
            given = relevant & (observed | selected) & ~(1 << u | 1 << v)
            if separator.reachable(1 << u, given) >> v & 1:
                marks[v, u] = _mark_at(u, ancestors[v] | causes_selection)
                marks[u, v] = _mark_at(v, ancestors[u] | causes_selection)
    keep = list(members(observed))
    return keep, marks[np.ix_(keep, keep)]


def _mark_at(node: int, causes: int) -> Mark:
    return Mark.TAIL if causes >> node & 1 else Mark.ARROW


def _joined(u: int, g: Separator) -> int:
    """Return the nodes that an edge or a chain of colliders joins to u; no other node can be inseparable from it."""
    inner = closure((1 << u) | g.children[u] | g.spouses[u], g.spouses)
    return inner | g.parents[u] | mask_of(p for node in members(inner) for p in members(g.parents[node]))
