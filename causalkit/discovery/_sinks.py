"""Orient edges among changing variables by looking for sinks, one after the other.

Within each group of variables joined by undirected edges, every variable is tried as the sink: all its undirected neighbours,
with the parents it has, are taken as its causes, and the hypothesis is scored. Two hypotheses exclude each other if their sinks are
neighbours: the best one that stands out from its neighbours is oriented, consequences are drawn, and the search goes on. What
would close a cycle or make a new unshielded collider is scored for comparison and never oriented.

References
----------
B. Huang et al., "Behind distribution shift: mining driving forces of changes and causal arrows", ICDM 2017, algorithm 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from causalkit._validation import Table
from causalkit.discovery._contexts import ContextPoints
from causalkit.discovery._independent_change import ChangeScorer
from causalkit.discovery._orientation import Orienter, Receipt
from causalkit.exceptions import NotExtendableError
from causalkit.graph._bits import closure, members
from causalkit.graph._classes import extension, new_colliders

__all__ = ["ChangeHypothesis"]

TIE = 1e-9


@dataclass(frozen=True)
class ChangeHypothesis:
    """One hypothesis of the search for sinks: an effect, its causes, its score, and what became of it.

    Parameters
    ----------
    effect : str
        The variable tried as sink.
    causes : tuple of str
        Its undirected neighbours and parents.
    score : float
        Dependence between the changes of P(causes) and P(effect | causes); smaller is better.
    decision : str
        ``"chosen"``, or the reason why it was not.
    """

    effect: str
    causes: tuple[str, ...]
    score: float
    decision: str


@dataclass
class SinkSearch:
    """The search on one partly oriented graph.

    Parameters
    ----------
    orienter : Orienter
        The graph; it is changed.
    table : Table
        The variables.
    points : ContextPoints
        The contexts.
    scorer : ChangeScorer
        Scores hypotheses.
    changing : int
        Set of the variables that change with the context, as bit mask.
    """

    orienter: Orienter
    table: Table
    points: ContextPoints
    scorer: ChangeScorer
    changing: int

    def run(self) -> list[ChangeHypothesis]:
        """Orient what can be oriented; return every hypothesis that was scored."""
        done: list[ChangeHypothesis] = []
        reason = self.scorer.refuses(self.points)
        waiting = self._groups()
        while waiting:
            group = waiting.pop(0)
            if reason:
                done += [self._hypothesis(v, math.nan, f"abstained: {reason}") for v in members(group)]
                continue
            hypotheses, sink = self._try_group(group)
            done += hypotheses
            if sink is not None:
                waiting = [g for g in self._groups() if g & group or g in waiting]
        return done

    def _groups(self) -> list[int]:
        """Return the groups of changing variables that undirected edges still join."""
        inside = [
            mask & self.changing if self.changing >> v & 1 else 0
            for v, mask in enumerate(self.orienter.pattern.undirected)
        ]
        groups, seen = [], 0
        for v, mask in enumerate(inside):
            if mask and not seen >> v & 1:
                group = closure(1 << v, inside)
                seen |= group
                groups.append(group)
        return groups

    def _try_group(self, group: int) -> tuple[list[ChangeHypothesis], int | None]:
        """Score every sink of a group; orient the best admissible one that stands out from its neighbours."""
        scores = {v: self._score(v) for v in members(group)}
        reasons = {v: self._objection(v, scores) for v in scores}
        standing = [v for v, reason in reasons.items() if not reason]
        best = min(standing, key=lambda v: (scores[v], self.orienter.names[v]), default=None)
        decisions = {v: "chosen" if v == best else reason or "not the best" for v, reason in reasons.items()}
        hypotheses = [self._hypothesis(v, scores[v], decisions[v]) for v in scores]
        if best is not None:
            self._orient(best, scores)
        return hypotheses, best

    def _objection(self, v: int, scores: dict[int, float]) -> str:
        """Return why a variable is not taken as sink, or an empty text; only its neighbours contradict it."""
        rivals = [scores[k] for k in members(self.orienter.pattern.undirected[v]) if k in scores]
        if math.isnan(scores[v]) or any(math.isnan(s) for s in rivals):
            return "abstained: a mechanism does not change measurably"
        if not self._admissible(v):
            return "it would close a cycle or make a new collider"
        rival = min(rivals)
        if abs(rival - scores[v]) <= max(self.scorer.margin, TIE) * (abs(rival) + abs(scores[v])):
            return f"abstained: scores {scores[v]:.3g} and {rival:.3g} are too close"
        if rival < scores[v]:
            return f"a neighbour is better ({rival:.3g} against {scores[v]:.3g})"
        return ""

    def _admissible(self, sink: int) -> bool:
        """Whether orienting all undirected neighbours into a variable keeps the graph acyclic and its colliders."""
        trial = self.orienter.pattern.copy()
        for v in members(trial.undirected[sink]):
            trial.orient(v, sink)
        if new_colliders(self.orienter.pattern, trial.parents):
            return False
        copy = Orienter(trial, self.orienter.names, self.orienter.contexts)
        try:
            copy.close()
        except NotExtendableError:
            return False
        return trial.cycle() is None and (
            extension(trial) is not None or extension(self.orienter.pattern) is None
        )

    def _causes(self, v: int) -> list[int]:
        pattern = self.orienter.pattern
        return [
            k for k in members(pattern.undirected[v] | pattern.parents[v]) if k not in self.orienter.contexts
        ]

    def _score(self, v: int) -> float:
        names = self.orienter.names
        return self.scorer.score(self.table, names[v], [names[k] for k in self._causes(v)], self.points)

    def _orient(self, sink: int, scores: dict[int, float]) -> None:
        names = self.orienter.names
        for v in list(members(self.orienter.pattern.undirected[sink])):
            others = ", ".join(
                f"{names[k]} {scores[k]:.3g}" for k in sorted(scores, key=lambda k: names[k]) if k != sink
            )
            note = f"changes look most independent with {names[sink]} as effect: score {scores[sink]:.3g} against {others}"
            self.orienter.put(v, sink, Receipt("independent-change", note, statistic=scores[sink]))
        self.orienter.close()

    def _hypothesis(self, v: int, score: float, decision: str) -> ChangeHypothesis:
        names: Sequence[str] = self.orienter.names
        return ChangeHypothesis(names[v], tuple(names[k] for k in self._causes(v)), score, decision)
