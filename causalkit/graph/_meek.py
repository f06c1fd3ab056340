"""Meek's four orientation rules, closed under repetition.

Given some arrows, the rules orient those undirected edges that have the same direction in every directed acyclic graph
with the same skeleton, the same arrows and no further unshielded collider:

1. a → b — c, a and c not adjacent: b → c, otherwise b is a new collider.
2. a → b → c, a — c: a → c, otherwise there is a cycle.
3. a — b, a — c → b, a — d → b, c and d not adjacent: a → b.
4. a — b, a — d → c → b, a adjacent to c, **b and d not adjacent**: a → b.

Rule 4 is needed as soon as arrows come from background knowledge. Leaving out its non-adjacency condition, as some
implementations do, orients too much.

Rules 1, 3 and 4 rest on a triple that is no collider: in rule 1 a, b, c, in rule 3 c, a, d, in rule 4 b, a, d. Where a pattern says
that this triple is ambiguous, the rule is silent.

The rules are applied in rounds: all consequences of the arrows of one round are drawn before the next one starts. So the
rule that is named for an edge does not depend on the order in which edges are listed.

References
----------
C. Meek, "Causal inference and causal explanation with background knowledge", UAI 1995, section 2.1.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from causalkit.exceptions import NotExtendableError
from causalkit.graph._bits import closure, members
from causalkit.graph._pattern import Pattern


class Orientation(NamedTuple):
    """One arrow that a rule has put: from, to, and the number of the rule."""

    tail: int
    head: int
    rule: int


class OpposingRulesError(NotExtendableError):
    """Two rules demand opposite arrows on one edge."""

    def __init__(self, tail: int, head: int) -> None:
        super().__init__(f"the orientation rules demand both directions between nodes {tail} and {head}")
        self.pair = (tail, head)

    def __reduce__(self) -> tuple[type[OpposingRulesError], tuple[int, int]]:
        return type(self), self.pair


def close(pattern: Pattern, opposed: set[frozenset[int]] | None = None) -> list[Orientation]:
    """Apply the rules to a pattern until nothing changes; return the arrows that were put, round by round.

    An edge on which the rules demand opposite arrows raises `OpposingRulesError`. With a set `opposed` such an edge, and one on which
    an arrow would close a cycle, is added to it instead and keeps no direction.
    """
    applied: list[Orientation] = []
    fresh = list(pattern.directed_edges())
    while fresh:
        consequences = _round(pattern, fresh)
        clashes = [arrow for arrow in consequences if arrow[::-1] in consequences]
        if opposed is not None:
            opposed.update(map(frozenset, clashes))
            consequences = _put_unopposed(pattern, consequences, opposed)
        elif clashes:
            raise OpposingRulesError(*clashes[0])
        else:
            for tail, head in consequences:
                pattern.orient(tail, head)
        fresh = list(consequences)
        applied += [Orientation(tail, head, rule) for (tail, head), rule in consequences.items()]
    return applied


def _put_unopposed(
    pattern: Pattern, consequences: dict[tuple[int, int], int], opposed: set[frozenset[int]]
) -> dict[tuple[int, int], int]:
    """Put the arrows that nothing opposes, and return them."""
    put = {}
    for (tail, head), rule in consequences.items():
        if frozenset((tail, head)) in opposed:
            continue
        if closure(1 << head, pattern.children) >> tail & 1:
            opposed.add(frozenset((tail, head)))
            continue
        pattern.orient(tail, head)
        put[tail, head] = rule
    return put


def _round(pattern: Pattern, fresh: list[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Collect what the newest arrows imply, with the lowest rule number for each implied arrow."""
    found: dict[tuple[int, int], int] = {}
    for tail, head in fresh:
        for arrow in _consequences(pattern, tail, head):
            key = (arrow.tail, arrow.head)
            found[key] = min(arrow.rule, found.get(key, arrow.rule))
    return found


def _consequences(pattern: Pattern, tail: int, head: int) -> Iterator[Orientation]:
    """Yield the arrows implied by tail → head playing any part in any rule."""
    yield from _rule_1(pattern, tail, head)
    yield from _rule_2(pattern, tail, head)
    yield from _rule_3(pattern, tail, head)
    yield from _rule_4(pattern, tail, head)


def _rule_1(g: Pattern, a: int, b: int) -> Iterator[Orientation]:
    for c in members(g.undirected[b] & ~g.adjacent[a]):
        if not g.is_ambiguous(a, b, c):
            yield Orientation(b, c, 1)


def _rule_2(g: Pattern, tail: int, head: int) -> Iterator[Orientation]:
    for c in members(g.undirected[tail] & g.children[head]):
        yield Orientation(tail, c, 2)
    for a in members(g.parents[tail] & g.undirected[head]):
        yield Orientation(a, head, 2)


def _rule_3(g: Pattern, c: int, b: int) -> Iterator[Orientation]:
    for a in members(g.undirected[c] & g.undirected[b]):
        others = members(g.undirected[a] & g.parents[b] & ~g.adjacent[c] & ~(1 << c))
        if any(not g.is_ambiguous(c, a, d) for d in others):
            yield Orientation(a, b, 3)


def _rule_4(g: Pattern, tail: int, head: int) -> Iterator[Orientation]:
    d, c = tail, head
    for b in members(g.children[c] & ~g.adjacent[d] & ~(1 << d)):
        yield from _rule_4_at(g, b, c, d)
    c, b = tail, head
    for d in members(g.parents[c] & ~g.adjacent[b]):
        yield from _rule_4_at(g, b, c, d)


def _rule_4_at(g: Pattern, b: int, c: int, d: int) -> Iterator[Orientation]:
    for a in members(g.undirected[b] & g.undirected[d] & g.adjacent[c]):
        if not g.is_ambiguous(b, a, d):
            yield Orientation(a, b, 4)
