"""From a skeleton to arrows: knowledge, contexts, colliders, and what follows from them.

Colliders. For an unshielded triple i - k - j, k is a collider if fewer than half of the sets that separate i and j contain k,
no collider if more than half do, and ambiguous at exactly half (the majority rule of Colombo and Maathuis 2014, which does not
depend on the order of columns). A collider of which one end is a context is the invariance rule of CD-NOD: the mechanism of k
changes with the context and that of j does not, so that j is a cause of k and not an effect.

Conflicts. On finite samples two colliders can demand opposite arrows, or close a cycle. Then colliders are taken one by one,
best supported first, and one that contradicts what stands is recorded and left out. Nothing is overwritten.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, pairwise
from typing import TypeAlias

from causalkit.discovery._separations import Separation
from causalkit.discovery._skeleton import Skeleton
from causalkit.exceptions import KnowledgeError
from causalkit.graph import BackgroundKnowledge
from causalkit.graph._bits import members
from causalkit.graph._meek import close
from causalkit.graph._pattern import Pattern

Arrow: TypeAlias = tuple[int, int]

# Shares of right arrows by rule over the domains of benchmarks/changing_mechanisms.py (base cells, 2026-11-23).
SHARE_RIGHT = {
    "context": 0.98,
    "invariance": 0.93,
    "collider": 0.84,
    "meek-1": 0.7,
    "meek-2": 0.85,
    "meek-3": 0.85,
    "meek-4": 0.85,
}


@dataclass(frozen=True)
class Receipt:
    """Why an arrow stands: the rule, the numbers behind it, and a sentence.

    Parameters
    ----------
    rule : str
        ``"context"``, ``"knowledge"``, ``"collider"``, ``"invariance"``, ``"meek-1"`` to ``"meek-4"`` or ``"independent-change"``; for an
        edge between two changing variables without a direction ``"dependent-changes"`` or ``"undecided"``.
    note : str
        The reason in words.
    statistic, p_value : float or None
        The numbers behind it, where there are any.
    confidence : float or None
        Probability that the arrow is right: for independent changes from the p-values of both directions, for the other rules the share of
        right arrows on simulated data. None for knowledge, and where there is no direction.
    """

    rule: str
    note: str
    statistic: float | None = None
    p_value: float | None = None
    confidence: float | None = None


@dataclass(frozen=True)
class Collider:
    """An unshielded collider i → k ← j and the support for it."""

    i: int
    k: int
    j: int
    p_value: float
    share: float
    verb: str = "separate"


@dataclass
class Orienter:
    """A pattern that is being oriented, with a receipt for each arrow and a list of conflicts.

    Parameters
    ----------
    pattern : Pattern
        Starts as the undirected skeleton.
    names : sequence of str
        Names of the nodes.
    contexts : frozenset of int
        Positions of context nodes.
    """

    pattern: Pattern
    names: Sequence[str]
    contexts: frozenset[int] = frozenset()
    receipts: dict[Arrow, Receipt] = field(default_factory=dict)
    remarks: dict[Arrow, Receipt] = field(default_factory=dict)
    opposed: set[frozenset[int]] = field(default_factory=set)
    conflicts: list[str] = field(default_factory=list)
    separations: Mapping[Arrow, tuple[Separation, ...]] = field(default_factory=dict)

    # -- steps -------------------------------------------------------------------------------------------------------------

    def orient_contexts(self) -> None:
        """Every edge at a context leaves it: nothing in the system causes its context."""
        for c in self.contexts:
            for v in members(self.pattern.undirected[c]):
                note = f"{self.names[c]} is a context, and no set separates {self.names[v]} from it"
                self.put(c, v, Receipt("context", note))

    def orient_knowledge(self, knowledge: BackgroundKnowledge) -> None:
        """Put required arrows, and the reverse of forbidden ones."""
        for i, j in list(self.pattern.undirected_edges()):
            for a, b in ((i, j), (j, i)):
                first, second = self.names[a], self.names[b]
                if knowledge.is_required(first, second):
                    self.put(a, b, Receipt("knowledge", f"{first} -> {second} is required"))
                    break
                if knowledge.is_forbidden(second, first):
                    self.put(a, b, Receipt("knowledge", f"{second} -> {first} is forbidden"))
                    break
        cycle = self.pattern.cycle()
        if cycle is not None:
            ring = " -> ".join(self.names[k] for k in (*cycle, cycle[0]))
            text = f"the data need edges between {', '.join(self.names[k] for k in cycle)}, and knowledge orients them into the cycle {ring}"
            raise KnowledgeError(
                text, tuple(f"{self.names[a]} -> {self.names[b]}" for a, b in pairwise((*cycle, cycle[0])))
            )

    def orient_colliders(self, skeleton: Skeleton) -> None:
        """Put all colliders at once if they agree, otherwise one by one, best supported first."""
        self.separations = skeleton.separations
        colliders = self._colliders(skeleton)
        together = self._put_colliders(colliders)
        if together is not None and together.is_consistent():
            self.pattern, self.receipts = together.pattern, together.receipts
            return
        for collider in colliders:
            trial = self._put_colliders([collider])
            if trial is None or trial.pattern.cycle() is not None:
                self.conflicts.append(
                    f"{self._text(collider)} contradicts knowledge or better supported arrows and was left out"
                )
            else:
                self.pattern, self.receipts = trial.pattern, trial.receipts

    def close(self) -> None:
        """Apply Meek's rules and note which rule put which arrow; an edge that they pull both ways stays undirected."""
        for step in close(self.pattern, self.opposed):
            self._keep(step.tail, step.head, self._meek_receipt(step.tail, step.head, step.rule))
        for a, b in sorted(sorted(pair) for pair in self.opposed):
            text = f"{self.names[a]} and {self.names[b]}: what else was found demands both directions; the edge has none"
            if text not in self.conflicts:
                self.conflicts.append(text)

    # -- colliders -----------------------------------------------------------------------------------------------------------

    def _colliders(self, skeleton: Skeleton) -> list[Collider]:
        """Find colliders by majority vote, sorted by support and then by name, so that column order does not matter."""
        found = []
        for i, k, j in self._unshielded_triples():
            sets = skeleton.separations.get((min(i, j), max(i, j)), ())
            if not sets:
                continue
            share = sum(k in s.given for s in sets) / len(sets)
            if share < 0.5:
                largest = max(s.p_value for s in sets if k not in s.given)
                verb = "separate" if sets[0].separates else "come closest to separating"
                found.append(Collider(i, k, j, largest, share, verb))
            elif share == 0.5:
                text = f"{self.names[i]}, {self.names[k]}, {self.names[j]}"
                self.conflicts.append(
                    f"ambiguous triple {text}: half of the separating sets hold {self.names[k]}; no collider was put there"
                )
        return sorted(
            found, key=lambda c: (-c.p_value, self.names[c.k], sorted((self.names[c.i], self.names[c.j])))
        )

    def _unshielded_triples(self) -> Iterator[tuple[int, int, int]]:
        for k in range(len(self.names)):
            if k in self.contexts:
                continue
            around = list(members(self.pattern.adjacent[k]))
            for i, j in combinations(around, 2):
                if not self.pattern.is_adjacent(i, j):
                    yield i, k, j

    def _put_colliders(self, colliders: Sequence[Collider]) -> Orienter | None:
        """Put colliders on a copy; return None if they contradict an arrow that stands, or one another."""
        copy = Orienter(self.pattern.copy(), self.names, self.contexts, dict(self.receipts))
        for collider in colliders:
            for end in (collider.i, collider.j):
                if copy.pattern.is_directed(collider.k, end):
                    return None
                if copy.pattern.is_undirected(end, collider.k):
                    copy.put(end, collider.k, self._collider_receipt(collider))
        return copy

    def is_consistent(self) -> bool:
        """Whether Meek's rules neither contradict one another nor close a cycle."""
        closed, opposed = self.pattern.copy(), set[frozenset[int]]()
        close(closed, opposed)
        return not opposed and closed.cycle() is None

    def _collider_receipt(self, c: Collider) -> Receipt:
        ends = f"{self.names[c.i]} and {self.names[c.j]}"
        held = f"{1 - c.share:.0%} of the sets that {c.verb} {ends} leave {self.names[c.k]} out"
        rule = "invariance" if c.i in self.contexts or c.j in self.contexts else "collider"
        return Receipt(rule, f"{held} (largest p = {c.p_value:.3g})", p_value=c.p_value)

    def _text(self, c: Collider) -> str:
        return f"{self.names[c.i]} -> {self.names[c.k]} <- {self.names[c.j]}"

    # -- consequences ----------------------------------------------------------------------------------------------------------

    def _meek_receipt(self, tail: int, head: int, rule: int) -> Receipt:
        name = self.names[head]
        if rule == 1:
            sources = [
                c for c in members(self.pattern.parents[tail]) if not self.pattern.is_adjacent(c, head)
            ]
            contexts = [c for c in sources if c in self.contexts]
            if contexts:
                note = f"the mechanism of {name} does not change with {self.names[contexts[0]]} {self._given(contexts[0], tail, head)}"
                return Receipt("invariance", note)
            first = self.names[sources[0]]
            return Receipt("meek-1", f"{name} -> {self.names[tail]} would make a new collider with {first}")
        notes = {
            2: f"{name} -> {self.names[tail]} would close a cycle",
            3: f"{name} -> {self.names[tail]} would close a cycle or make a new collider at {self.names[tail]}",
            4: f"{name} -> {self.names[tail]} would close a cycle or make a new collider",
        }
        return Receipt(f"meek-{rule}", notes[rule])

    def _given(self, context: int, tail: int, head: int) -> str:
        """Name the set that separates a variable from its context, the one with the largest p-value if there are several."""
        sets = self.separations.get((min(context, head), max(context, head)), ())
        inside = [s for s in sets if tail in s.given]
        if not inside:
            return f"given {self.names[tail]}"
        best = max(inside, key=lambda s: (s.p_value, s.given))
        return f"given {', '.join(self.names[k] for k in best.given)} (p = {best.p_value:.3g})"

    def put(self, tail: int, head: int, receipt: Receipt) -> None:
        """Orient an undirected edge and keep the reason."""
        self.pattern.orient(tail, head)
        self._keep(tail, head, receipt)

    def _keep(self, tail: int, head: int, receipt: Receipt) -> None:
        known = SHARE_RIGHT.get(receipt.rule) if receipt.confidence is None else receipt.confidence
        self.receipts[tail, head] = replace(receipt, confidence=known)
