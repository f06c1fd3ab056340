"""From a skeleton to arrows: knowledge, contexts, colliders, and what follows from them.

What is a collider is judged in `_colliders`. A collider of which one end is a context is the invariance rule of CD-NOD: the mechanism of k
changes with the context and that of j does not, so that j is a cause of k and not an effect. An ambiguous triple orients nothing, and no
rule takes it for a non-collider.

Conflicts. On finite samples two colliders can demand opposite arrows, or close a cycle. Then colliders are taken one by one,
best supported first, and one that contradicts what stands is recorded and left out: its triple is ambiguous. Nothing is overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TypeAlias

from causalkit.discovery._colliders import AmbiguousTriple, TripleEvidence
from causalkit.discovery._confidence import SHARE_RIGHT, confidence_of_triple
from causalkit.discovery._skeleton import Skeleton
from causalkit.exceptions import KnowledgeError
from causalkit.graph import BackgroundKnowledge
from causalkit.graph._bits import members
from causalkit.graph._meek import close
from causalkit.graph._pattern import Pattern, Triple

Arrow: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Receipt:
    """Why an arrow stands: the rule, the numbers behind it, and a sentence.

    Parameters
    ----------
    rule : str
        ``"context"``, ``"knowledge"``, ``"collider"``, ``"invariance"``, ``"meek-1"`` to ``"meek-4"`` or ``"independent-change"``; for an
        edge between two changing variables without a direction ``"dependent-changes"`` or ``"undecided"``, for one of an ambiguous triple
        ``"ambiguous"``.
    note : str
        The reason in words.
    statistic, p_value : float or None
        The numbers behind it, where there are any; for a triple the largest p-value of a set that separates its ends and speaks for the arrow.
    confidence : float or None
        Probability that the arrow is right, calibrated on simulated data: from the counts and p-values of a triple, for independent changes
        from the p-values of both directions, for other rules the share of their arrows that was right there. None for knowledge, and where there
        is no direction.
    n_sets, n_agreeing : int or None
        For an arrow that a triple decides: number of sets that separate its ends, and how many of them speak for the arrow.
    p_given_middle : float or None
        For an arrow of a collider: smallest p-value of its ends given the middle.
    """

    rule: str
    note: str
    statistic: float | None = None
    p_value: float | None = None
    confidence: float | None = None
    n_sets: int | None = None
    n_agreeing: int | None = None
    p_given_middle: float | None = None


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
    evidence: dict[Triple, TripleEvidence] = field(default_factory=dict)

    # -- steps -------------------------------------------------------------------------------------------------------------

    def orient_contexts(self) -> None:
        """Every edge at a context leaves it: nothing in the system causes its context."""
        for c in self.contexts:
            for v in members(self.pattern.undirected[c]):
                note = f"{self.names[c]} is a context, and no set separates {self.names[v]} from it"
                self.put(c, v, Receipt("context", note))

    def orient_knowledge(self, knowledge: BackgroundKnowledge, skeleton: Skeleton) -> None:
        """Put required arrows, and the reverse of forbidden ones."""
        for i, j in list(self.pattern.undirected_edges()):
            for a, b in ((i, j), (j, i)):
                first, second = self.names[a], self.names[b]
                if knowledge.is_required(first, second):
                    self.put(
                        a,
                        b,
                        Receipt("knowledge", f"{first} -> {second} is required{_unseen(skeleton, i, j)}"),
                    )
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

    def orient_colliders(self, triples: Sequence[TripleEvidence]) -> None:
        """Put all colliders at once if they agree, otherwise one by one, best supported first."""
        self.evidence = {(t.i, t.k, t.j): t for t in triples}
        self.pattern.ambiguous = {key for key, t in self.evidence.items() if t.verdict == "ambiguous"}
        colliders = self._by_support(t for t in triples if t.verdict == "collider")
        together = self._put_colliders(colliders)
        if together is not None and together.is_consistent():
            self.pattern, self.receipts = together.pattern, together.receipts
            return
        for collider in colliders:
            trial = self._put_colliders([collider])
            if trial is None or trial.pattern.cycle() is not None:
                self._leave_out(collider)
            else:
                self.pattern, self.receipts = trial.pattern, trial.receipts

    def _leave_out(self, collider: TripleEvidence) -> None:
        text = "contradicts knowledge or better supported arrows and was left out"
        i, k, j = (self.names[v] for v in (collider.i, collider.k, collider.j))
        self.conflicts.append(f"{i} -> {k} <- {j} {text}")
        key = (collider.i, collider.k, collider.j)
        self.evidence[key] = replace(collider, verdict="ambiguous", reason=f"as a collider it {text}")
        self.pattern.ambiguous.add(key)

    def ambiguous(self) -> tuple[AmbiguousTriple, ...]:
        """List the ambiguous triples that the arrows leave open, by name."""
        found = []
        for i, k, j in self.pattern.unresolved():
            first, middle, last = (self.names[v] for v in (i, k, j))
            found.append(AmbiguousTriple(first, middle, last, self.evidence[i, k, j].reason))
        return tuple(found)

    def remark_ambiguous(self) -> None:
        """Note at each edge without a direction which ambiguous triple it is part of, if nothing else is noted there."""
        for i, k, j in self.pattern.unresolved():
            names = " and ".join(sorted((self.names[i], self.names[j])))
            why = self.evidence[i, k, j].reason
            note = f"open whether {self.names[k]} is an effect of both {names}: {why}"
            for end in (i, j):
                known = {(end, k), (k, end)} & self.remarks.keys()
                if self.pattern.is_undirected(end, k) and not known:
                    self.remarks[end, k] = Receipt("ambiguous", note)

    def close(self) -> None:
        """Apply Meek's rules and note which rule put which arrow; an edge that they pull both ways stays undirected."""
        for step in close(self.pattern, self.opposed):
            self._keep(step.tail, step.head, self._meek_receipt(step.tail, step.head, step.rule))
        for a, b in sorted(sorted(pair) for pair in self.opposed):
            text = f"{self.names[a]} and {self.names[b]}: what else was found demands both directions; the edge has none"
            if text not in self.conflicts:
                self.conflicts.append(text)

    # -- colliders -----------------------------------------------------------------------------------------------------------

    def _by_support(self, colliders: Iterable[TripleEvidence]) -> list[TripleEvidence]:
        """Sort by support and then by name, so that column order does not matter."""
        return sorted(
            colliders, key=lambda c: (-c.p_value, self.names[c.k], sorted((self.names[c.i], self.names[c.j])))
        )

    def _put_colliders(self, colliders: Sequence[TripleEvidence]) -> Orienter | None:
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

    def _collider_receipt(self, c: TripleEvidence) -> Receipt:
        i, k, j = (self.names[v] for v in (c.i, c.k, c.j))
        note = f"{_counts(c, i, k, j)}; with {k} added they depend on each other (p = {c.p_given_middle:.3g})"
        rule = "invariance" if c.i in self.contexts or c.j in self.contexts else "collider"
        return Receipt(
            rule,
            note,
            p_value=c.p_value,
            n_sets=c.n_sets,
            n_agreeing=c.n_without,
            p_given_middle=c.p_given_middle,
        )

    # -- consequences ----------------------------------------------------------------------------------------------------------

    def _meek_receipt(self, tail: int, head: int, rule: int) -> Receipt:
        name = self.names[head]
        if rule == 1:
            return self._non_collider_receipt(tail, head)
        notes = {
            2: f"{name} -> {self.names[tail]} would close a cycle",
            3: f"{name} -> {self.names[tail]} would close a cycle or make a new collider at {self.names[tail]}",
            4: f"{name} -> {self.names[tail]} would close a cycle or make a new collider",
        }
        return Receipt(f"meek-{rule}", notes[rule])

    def _non_collider_receipt(self, tail: int, head: int) -> Receipt:
        """Give the reason of an arrow that would make a new collider the other way round: by a context if there is one."""
        sources = [
            c
            for c in members(self.pattern.parents[tail])
            if not self.pattern.is_adjacent(c, head) and not self.pattern.is_ambiguous(c, tail, head)
        ]
        first = min(sources, key=lambda c: (c not in self.contexts, self.names[c]))
        a, b, c = self.names[first], self.names[tail], self.names[head]
        if first in self.contexts:
            receipt = Receipt("invariance", f"the mechanism of {c} does not change with {a}")
        else:
            receipt = Receipt("meek-1", f"{c} -> {b} would make a new collider with {a}")
        found = self.evidence.get((min(first, head), tail, max(first, head)))
        if found is None:
            return receipt
        return replace(
            receipt,
            note=f"{receipt.note}: {_counts(found, a, b, c)}",
            p_value=found.p_value,
            n_sets=found.n_sets,
            n_agreeing=found.n_sets - found.n_without,
        )

    def put(self, tail: int, head: int, receipt: Receipt) -> None:
        """Orient an undirected edge and keep the reason."""
        self.pattern.orient(tail, head)
        self._keep(tail, head, receipt)

    def _keep(self, tail: int, head: int, receipt: Receipt) -> None:
        self.receipts[tail, head] = replace(receipt, confidence=_confidence(receipt))


def _confidence(r: Receipt) -> float | None:
    """Return what a receipt says, or what its numbers do."""
    if r.confidence is not None:
        return r.confidence
    if r.p_value is None or r.n_agreeing is None or not r.n_sets:
        return SHARE_RIGHT.get(r.rule)
    return confidence_of_triple(r.p_value, r.n_agreeing, r.n_sets, r.p_given_middle)


def _counts(c: TripleEvidence, i: str, k: str, j: str) -> str:
    """Say in how many of the separating sets the middle is."""
    return f"{k} is in {c.n_sets - c.n_without} of {c.n_sets} sets that separate {i} and {j} (largest p = {c.p_value:.3g})"


def _unseen(skeleton: Skeleton, i: int, j: int) -> str:
    """Say of a required edge that the tests would have removed it, if so."""
    found = None if skeleton.evidence is None else skeleton.evidence.get(i, j)
    if not skeleton.doubtful[i, j] or found is None:
        return ""
    return f"; the tests alone would have left it out (p = {found[0]:.3g})"
