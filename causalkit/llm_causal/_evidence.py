"""What data and claims say before an expert is asked: a graph, how sure its parts are, and what they disagree about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from causalkit.exceptions import GraphKindError, KnowledgeError, ParameterError
from causalkit.graph import CausalGraph, GraphKind
from causalkit.llm_causal._claims import Claim, KnowledgeBase
from causalkit.llm_causal._result import Conflict

__all__ = ["Evidence", "with_claims", "with_ensemble"]

Pair: TypeAlias = tuple[str, str]
# A claim as probable as this is taken as true.
CERTAIN = 0.95
ONE_CLASS = (GraphKind.CPDAG, GraphKind.MPDAG, GraphKind.DAG)


@dataclass(frozen=True)
class Evidence:
    """What data say.

    Parameters
    ----------
    graph : CausalGraph
        A CPDAG or MPDAG; a PDAG where no class fits.
    why : mapping of (str, str) to str
        Reasons of arrows, in words.
    confidence : mapping of (str, str) to float
        Probabilities of arrows; 1 for those that are not in it.
    conflicts : tuple of Conflict
        Claims that could not be used with the data.
    claimed : frozenset of (str, str)
        Arrows that follow from claims, not from data.
    weights : tuple of Claim
        Claims that weigh the members of the class: those that are not certain, and those that say more than single arrows can.
    data_graph : CausalGraph or None
        What data say without claims; None where that is `graph`.
    """

    graph: CausalGraph
    why: Mapping[Pair, str] = field(default_factory=dict)
    confidence: Mapping[Pair, float] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    claimed: frozenset[Pair] = frozenset()
    weights: tuple[Claim, ...] = ()
    data_graph: CausalGraph | None = None

    @property
    def of_data(self) -> CausalGraph:
        """What data say without claims."""
        return self.graph if self.data_graph is None else self.data_graph

    @property
    def arrows(self) -> list[Pair]:
        """Arrows, in the order of their names, so that the order of columns does not matter."""
        found = [
            (e.u, e.v) if self.graph.has_directed_edge(e.u, e.v) else (e.v, e.u)
            for e in self.graph.edges
            if e.is_directed
        ]
        return sorted(found)

    @property
    def open(self) -> list[Pair]:
        """Edges without a direction."""
        return sorted((min(e.u, e.v), max(e.u, e.v)) for e in self.graph.edges if e.is_undirected)


def with_ensemble(evidence: Evidence, others: Sequence[CausalGraph]) -> Evidence:
    """Make arrows at most as sure as the share of all searches that have them."""
    if not others:
        return evidence
    for graph in others:
        absent = [node for node in evidence.graph.nodes if node not in graph.nodes]
        if absent:
            raise ParameterError(
                f"a graph of the ensemble has no node {absent[0]!r}, which the first one has"
            )
    share = {
        a: (1 + sum(g.has_directed_edge(*a) for g in others)) / (1 + len(others)) for a in evidence.arrows
    }
    sure = evidence.confidence
    return replace(evidence, confidence={a: min(sure.get(a, 1.0), share[a]) for a in evidence.arrows})


def with_claims(evidence: Evidence, claims: Iterable[Claim]) -> Evidence:
    """Apply claims one after the other, the most probable first; one that no graph of the class agrees with is a conflict.

    Claims that are not nearly certain are kept as weights.
    """
    sure = sorted((c for c in claims if c.probability >= CERTAIN), key=lambda c: -c.probability)
    kept, dropped = KnowledgeBase(sure).resolved(evidence.graph.nodes)
    conflicts = [_left_out(c, "", "it contradicts claims that are at least as probable") for c in dropped]
    graph, used = evidence.graph, KnowledgeBase()
    beyond: tuple[Claim, ...] = ()
    for claim in kept:
        try:
            applied = used.with_claim(claim).apply(evidence.graph)
            graph, used, beyond = applied.graph, used.with_claim(claim), applied.residual
        except (KnowledgeError, GraphKindError) as problem:
            conflicts.append(_left_out(claim, "the equivalence class", str(problem)))
    sources = ", ".join(dict.fromkeys(c.source or "no source" for c in used))
    before = {frozenset(a) for a in evidence.arrows}
    fresh = [a for a in replace(evidence, graph=graph).arrows if frozenset(a) not in before]
    why = {**evidence.why, **dict.fromkeys(fresh, f"follows from claims ({sources})")}
    unsure = tuple(c for c in claims if c.probability < CERTAIN)
    if graph.kind not in ONE_CLASS:
        conflicts += [_left_out(c, "no equivalence class", "there is nothing to weigh") for c in unsure]
    return replace(
        evidence,
        graph=graph,
        why=why,
        conflicts=(*evidence.conflicts, *conflicts),
        claimed=frozenset(fresh),
        weights=(*beyond, *unsure),
        data_graph=evidence.graph,
    )


def _left_out(claim: Claim, data: str, why: str) -> Conflict:
    return Conflict(
        (claim.subject, claim.object), data, f"{claim} ({claim.source or 'claimed'})", "left out", why
    )
