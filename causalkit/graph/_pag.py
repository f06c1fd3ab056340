"""The partial ancestral graph of a Markov equivalence class, and one member of the class.

`completed` starts from the skeleton of a maximal ancestral graph with circles at all ends, copies its unshielded colliders and
applies the ten orientation rules of Zhang (2008), under their numbers there. Where a rule asks whether a node is in a separating
set, the graph that we start from answers: on a discriminating path a node is a collider in one member of the class if
it is one in all of them. The rules are sound and complete: a mark is put if and only if all members share it.

`member` goes back: a circle opposite an arrowhead becomes a tail, a circle opposite a tail an arrowhead, and what is left,
circles at both ends, is directed without cycles and without new unshielded colliders (Zhang 2006).

References
----------
J. Zhang, "On the completeness of orientation rules for causal discovery in the presence of latent confounders and
selection bias", Artificial Intelligence 172, 2008, sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations, pairwise, product

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import NotExtendableError
from causalkit.graph import _classes
from causalkit.graph._bits import members, rows_to_masks
from causalkit.graph._marks import Mark
from causalkit.graph._pattern import Pattern

Marks = NDArray[np.uint8]
Puts = Iterator[tuple[int, int, int]]
NONE, CIRCLE, ARROW, TAIL = (int(m) for m in (Mark.NONE, Mark.CIRCLE, Mark.ARROW, Mark.TAIL))


def completed(mag: Marks) -> Marks:
    """Return the marks that all maximal ancestral graphs of the class share, circles elsewhere."""
    found = _Orienting(mag)
    while any(found.apply(rule) for rule in _RULES):
        pass
    return found.marks()


class _Orienting:
    """Marks that are being put; ``at[i][j]`` is the mark at j of the edge i–j."""

    def __init__(self, mag: Marks) -> None:
        self.mag = mag.tolist()
        self.d = len(mag)
        self.adjacent = rows_to_masks(mag != NONE)
        self.at: list[list[int]] = np.where(mag != NONE, CIRCLE, NONE).tolist()
        self._put_colliders()

    def _put_colliders(self) -> None:
        for b in range(self.d):
            into = [a for a in members(self.adjacent[b]) if self.mag[a][b] == ARROW]
            for k, a in enumerate(into):
                for c in into[k + 1 :]:
                    if not self.joined(a, c):
                        self.at[a][b] = self.at[c][b] = ARROW

    def marks(self) -> Marks:
        return np.array(self.at, dtype=np.uint8).reshape(self.d, self.d)

    def joined(self, a: int, b: int) -> bool:
        return bool(self.adjacent[a] >> b & 1)

    def put(self, a: int, b: int, mark: int) -> bool:
        """Replace the circle at b of a–b; return whether there was one."""
        if self.at[a][b] != CIRCLE:
            return False
        self.at[a][b] = mark
        return True

    def apply(self, rule: Callable[[_Orienting], Puts]) -> bool:
        """Put all marks that a rule demands; return whether there was one."""
        changed = False
        for a, b, mark in rule(self):
            changed |= self.put(a, b, mark)
        return changed

    def edge(self, a: int, b: int) -> tuple[int, int]:
        """Return the marks at a and at b."""
        return self.at[b][a], self.at[a][b]

    def circles(self) -> Iterator[tuple[int, int]]:
        """Yield (b, c) for every edge with a circle at b."""
        for b in range(self.d):
            yield from ((b, c) for c in members(self.adjacent[b]) if self.at[c][b] == CIRCLE)

    def others(self, b: int, without: int) -> Iterator[int]:
        """Yield the nodes adjacent to b, but one."""
        return members(self.adjacent[b] & ~(1 << without))

    def possibly_directed(self, a: int, b: int) -> bool:
        """Whether the edge could be a → b: no arrowhead at a, no tail at b."""
        return self.at[b][a] != ARROW and self.at[a][b] != TAIL


def _rule_1(g: _Orienting) -> Puts:
    """A *→ b o–* c, a and c not adjacent: b → c."""
    for b, c in g.circles():
        if any(g.at[a][b] == ARROW and not g.joined(a, c) for a in g.others(b, c)):
            yield c, b, TAIL
            yield b, c, ARROW


def _rule_2(g: _Orienting) -> Puts:
    """A → b *→ c or a *→ b → c, and a *–o c: a *→ c."""
    for c, a in g.circles():
        for b in members(g.adjacent[a] & g.adjacent[c]):
            both = g.at[a][b] == ARROW and g.at[b][c] == ARROW
            if both and TAIL in (g.at[b][a], g.at[c][b]):
                yield a, c, ARROW


def _rule_3(g: _Orienting) -> Puts:
    """A *→ b ←* c, a *–o d o–* c, a and c not adjacent, d *–o b: d *→ b."""
    for b, d in g.circles():
        shared = members(g.adjacent[b] & g.adjacent[d])
        ends = [a for a in shared if g.at[a][b] == ARROW and g.at[a][d] == CIRCLE]
        if any(not g.joined(a, c) for k, a in enumerate(ends) for c in ends[k + 1 :]):
            yield d, b, ARROW


def _rule_4(g: _Orienting) -> Puts:
    """A path discriminating for b between some node and c, and b o–* c: a collider if it is one in the graph we know, else b → c."""
    for b, c in g.circles():
        for a in members(g.adjacent[b] & g.adjacent[c]):
            if g.at[b][a] != ARROW or g.edge(a, c) != (TAIL, ARROW) or not _discriminates(g, a, b, c):
                continue
            collides = g.mag[a][b] == ARROW and g.mag[c][b] == ARROW
            if collides:
                yield a, b, ARROW
            yield c, b, ARROW if collides else TAIL
            yield b, c, ARROW


def _discriminates(g: _Orienting, a: int, b: int, c: int) -> bool:
    """Whether colliders that are parents of c lead back from a to a node not adjacent to c."""
    seen, waiting = 1 << a | 1 << b | 1 << c, [a]
    while waiting:
        node = waiting.pop()
        for before in members(g.adjacent[node] & ~seen):
            if g.at[before][node] != ARROW:
                continue
            if not g.joined(before, c):
                return True
            if g.at[node][before] == ARROW and g.edge(before, c) == (TAIL, ARROW):
                seen |= 1 << before
                waiting.append(before)
    return False


def _rule_5(g: _Orienting) -> Puts:
    """A o–o b and an uncovered path of circles a, c, ..., d, b with a, d and b, c not adjacent: all these edges are undirected."""

    def circles(u: int, v: int) -> bool:
        return g.edge(u, v) == (CIRCLE, CIRCLE)

    for a, b in g.circles():
        for c in g.others(a, b):
            if not circles(a, b) or not circles(a, c) or g.joined(b, c):
                continue
            path = _uncovered(g, [a, c], b, circles, beside=a)
            for u, v in pairwise([b, *path, b] if path else []):
                yield u, v, TAIL
                yield v, u, TAIL


def _rule_6(g: _Orienting) -> Puts:
    """A — b o–* c: a tail at b."""
    for b, c in g.circles():
        if any(g.edge(a, b) == (TAIL, TAIL) for a in g.others(b, c)):
            yield c, b, TAIL


def _rule_7(g: _Orienting) -> Puts:
    """A –o b o–* c, a and c not adjacent: a tail at b."""
    for b, c in g.circles():
        if any(g.edge(a, b) == (TAIL, CIRCLE) and not g.joined(a, c) for a in g.others(b, c)):
            yield c, b, TAIL


def _rule_8(g: _Orienting) -> Puts:
    """A → b → c or a –o b → c, and a o→ c: a → c."""
    for a, c in g.circles():
        if g.at[a][c] != ARROW:
            continue
        for b in members(g.adjacent[a] & g.adjacent[c]):
            if g.edge(b, c) == (TAIL, ARROW) and g.edge(a, b) in ((TAIL, ARROW), (TAIL, CIRCLE)):
                yield c, a, TAIL


def _rule_9(g: _Orienting) -> Puts:
    """A o→ c and an uncovered possibly directed path a, b, ..., c with b and c not adjacent: a → c."""
    for a, c in g.circles():
        if g.at[a][c] == ARROW and any(_leads_to(g, a, b, c) for b in g.others(a, c) if not g.joined(b, c)):
            yield c, a, TAIL


def _rule_10(g: _Orienting) -> Puts:
    """A o→ c, b → c ← d, uncovered possibly directed paths from a to b and to d that begin with non-adjacent nodes: a → c."""
    for a, c in g.circles():
        if g.at[a][c] != ARROW:
            continue
        parents = [b for b in g.others(c, a) if g.edge(b, c) == (TAIL, ARROW)]
        starts = [[u for u in g.others(a, c) if _leads_to(g, a, u, b)] for b in parents]
        pairs = (pair for one, other in combinations(starts, 2) for pair in product(one, other))
        if any(u != v and not g.joined(u, v) for u, v in pairs):
            yield c, a, TAIL


def _leads_to(g: _Orienting, a: int, first: int, goal: int) -> bool:
    """Whether an uncovered possibly directed path from a to the goal begins with a, first."""
    if not g.possibly_directed(a, first):
        return False
    return first == goal or _uncovered(g, [a, first], goal, g.possibly_directed) is not None


def _uncovered(
    g: _Orienting,
    start: list[int],
    goal: int,
    step: Callable[[int, int], bool],
    beside: int | None = None,
) -> list[int] | None:
    """Return a path from its first two nodes to the goal on which no three successive nodes are all adjacent.

    The last node before the goal is not adjacent to `beside`. Breadth first over pairs of successive nodes, each visited once, by
    the shortest path to it.
    """
    seen, waiting = {(start[0], start[1])}, [start]
    for path in waiting:
        u, v = path[-2], path[-1]
        for w in members(g.adjacent[v] & ~g.adjacent[u] & ~(1 << u)):
            if (v, w) in seen or w in path or not step(v, w):
                continue
            if w != goal:
                seen.add((v, w))
                waiting.append([*path, w])
            elif beside is None or not g.joined(beside, v):
                return path
    return None


_RULES = (
    _rule_1,
    _rule_2,
    _rule_3,
    _rule_4,
    _rule_5,
    _rule_6,
    _rule_7,
    _rule_8,
    _rule_9,
    _rule_10,
)


def member(pag: Marks, away_from: int = 0) -> Marks:
    """Return a maximal ancestral graph of the class; edges o–o at the nodes `away_from` leave these if that is possible."""
    marks = pag.copy()
    marks[(pag == CIRCLE) & (pag.T == ARROW)] = TAIL
    marks[(pag == CIRCLE) & (pag.T == TAIL)] = ARROW
    loose = (pag == CIRCLE) & (pag.T == CIRCLE)
    pattern = Pattern.from_skeleton(loose)
    for node in members(away_from):
        for other in members(pattern.undirected[node] & ~away_from):
            pattern.orient(node, other)
    parents = _classes.extension(pattern)
    if parents is None:
        raise NotExtendableError(
            "the edges o-o cannot be directed without a cycle or a new unshielded collider"
        )
    directed = Pattern(parents, [0] * len(marks)).marks()
    return np.where(loose, directed, marks)
