"""Orient edges among changing variables by looking for sinks, one after the other.

Within each group of variables joined by undirected edges, every variable is tried as the sink: all its undirected neighbours,
with the parents it has, are taken as its causes, and the hypothesis is scored. The best is oriented if it stands out, consequences
are drawn, and the search goes on. A hypothesis that would close a cycle or make a new unshielded collider is never tried.

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
        ``"chosen"``, ``"rejected"``, or the reason for abstaining.
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
        """Score every admissible sink of a group; orient the best one if it stands out."""
        candidates = [v for v in members(group) if self._admissible(v)]
        scores = {v: self._score(v) for v in candidates}
        best, reason = self._decide(scores)
        text = {
            v: "chosen" if v == best else f"abstained: {reason}" if best is None else "rejected"
            for v in candidates
        }
        hypotheses = [self._hypothesis(v, scores[v], text[v]) for v in candidates]
        if best is not None:
            self._orient(best, scores)
        return hypotheses, best

    def _decide(self, scores: dict[int, float]) -> tuple[int | None, str]:
        """Return the sink, or None and the reason for abstaining."""
        if len(scores) < 2:
            return None, "fewer than two admissible sinks to compare"
        if any(math.isnan(s) for s in scores.values()):
            return None, "a mechanism does not change measurably"
        first, second = sorted(scores, key=lambda v: scores[v])[:2]
        gap = scores[second] - scores[first]
        if gap <= max(self.scorer.margin, TIE) * (abs(scores[first]) + abs(scores[second])):
            return None, f"scores {scores[first]:.3g} and {scores[second]:.3g} are too close"
        return first, ""

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
