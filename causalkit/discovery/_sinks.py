"""Orient edges among changing variables by looking for sinks, one after the other.

Within each group of variables joined by undirected edges, a variable is tried as the sink: all its undirected neighbours, with
the parents it has, are taken as its causes, and it is tested whether P(causes) and P(sink | causes) change independently. The
hypotheses that contradict it are those in which a neighbour is an effect of it (together with the neighbours that both have). The
sink is accepted if it is plausible and all these are rejected; then consequences are drawn, and the search goes on. Of several
accepted sinks the one whose rivals are rejected most clearly comes first. What would close a cycle or make a new unshielded
collider is never oriented.

Which p-value rejects is set so that the expected share of wrong directions among the edges decided is at most `alpha`
(Benjamini and Hochberg; of the two directions of an edge at least one is wrong, so that m edges have at most m true hypotheses).

References
----------
B. Huang et al., "Behind distribution shift: mining driving forces of changes and causal arrows", ICDM 2017, algorithm 3 (sinks).
Y. Benjamini, Y. Hochberg, "Controlling the false discovery rate", JRSS B 57, 1995.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from causalkit._validation import Table
from causalkit.discovery._contexts import ContextPoints
from causalkit.discovery._independent_change import ChangeScore, ChangeScorer
from causalkit.discovery._orientation import Orienter, Receipt
from causalkit.graph._bits import members
from causalkit.graph._classes import extension, new_colliders
from causalkit.graph._meek import close

__all__ = ["ChangeHypothesis"]

UNSCORED = ChangeScore(math.nan, math.nan, 0.0)
SHAPE = 0.2


@dataclass(frozen=True)
class ChangeHypothesis:
    """One hypothesis of the search for sinks: an effect, its causes, the test of independent changes, and what became of it.

    Parameters
    ----------
    effect : str
        The variable tried as effect.
    causes : tuple of str
        Its causes under the hypothesis.
    score : float
        Dependence between the changes of P(causes) and P(effect | causes).
    p_value : float
        Of the hypothesis that they change independently.
    decision : str
        ``"chosen"``, ``"rejected"``, ``"plausible"``, ``"neither rejected nor plausible"``, or why it was not tested.
    """

    effect: str
    causes: tuple[str, ...]
    score: float
    p_value: float
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
        Tests hypotheses.
    changing : int
        Set of the variables that change with the context, as bit mask.
    """

    orienter: Orienter
    table: Table
    points: ContextPoints
    scorer: ChangeScorer
    changing: int
    hypotheses: dict[tuple[int, tuple[int, ...]], ChangeHypothesis] = field(default_factory=dict)
    level: float = math.nan
    plausible: float = math.nan

    def run(self) -> list[ChangeHypothesis]:
        """Orient what can be oriented; return every hypothesis that was tested."""
        edges = self._open_edges()
        if not edges:
            return []
        reason = self.scorer.refuses(self.points)
        if reason:
            return self._abstain(edges, reason)
        self.plausible = self.scorer.plausible_above(self.points)
        pairs = [self._score(w, self._rival_causes(w, v)).p_value for e in edges for v, w in (e, e[::-1])]
        self.level = rejection_level(pairs, len(edges), self.scorer.alpha)
        while self._orient_one():
            pass
        for v, w in self._open_edges():
            self._remark(v, w)
        return list(self.hypotheses.values())

    # -- what is open ----------------------------------------------------------------------------------------------------------

    def _inside(self) -> list[int]:
        """Return the undirected neighbours of each changing variable among the changing ones."""
        masks = enumerate(self.orienter.pattern.undirected)
        return [mask & self.changing if self.changing >> v & 1 else 0 for v, mask in masks]

    def _open_edges(self) -> list[tuple[int, int]]:
        """Return the undirected edges between changing variables, in the order of their names."""
        names = self.orienter.names
        pairs = [
            (v, w) for v, mask in enumerate(self._inside()) for w in members(mask) if names[v] < names[w]
        ]
        return sorted(pairs, key=lambda pair: (names[pair[0]], names[pair[1]]))

    # -- hypotheses ------------------------------------------------------------------------------------------------------------

    def _sink_causes(self, v: int) -> tuple[int, ...]:
        pattern = self.orienter.pattern
        return self._without_contexts(pattern.undirected[v] | pattern.parents[v])

    def _rival_causes(self, w: int, v: int) -> tuple[int, ...]:
        """Return the causes of w where v is one of them: v, the neighbours of both, and the parents of w."""
        pattern = self.orienter.pattern
        around = pattern.undirected[w] & (pattern.adjacent[v] | 1 << v)
        return self._without_contexts(around | 1 << v | pattern.parents[w])

    def _without_contexts(self, mask: int) -> tuple[int, ...]:
        return tuple(k for k in members(mask) if k not in self.orienter.contexts)

    def _score(self, v: int, causes: tuple[int, ...]) -> ChangeHypothesis:
        """Test a hypothesis, once."""
        key = (v, causes)
        if key not in self.hypotheses:
            names: Sequence[str] = self.orienter.names
            named = tuple(names[k] for k in causes)
            score = self._scored(v, causes) if named else UNSCORED
            text = "" if np.isfinite(score.p_value) else "a mechanism does not change measurably"
            self.hypotheses[key] = ChangeHypothesis(names[v], named, score.statistic, score.p_value, text)
        return self._judged(key)

    def _scored(self, v: int, causes: tuple[int, ...]) -> ChangeScore:
        """Ask the scorer, on the rows that are complete."""
        names = self.orienter.names
        rows, table = self.table.complete_for([names[u] for u in (v, *causes)])
        return self.scorer.score(table, names[v], [names[k] for k in causes], self.points.take(rows))

    def _judged(self, key: tuple[int, tuple[int, ...]]) -> ChangeHypothesis:
        """Say what the p-value means at the level of this search, once that is known."""
        found = self.hypotheses[key]
        if np.isfinite([self.level, found.p_value]).all() and found.decision != "chosen":
            verdict = "rejected" if found.p_value <= self.level else "neither rejected nor plausible"
            verdict = "plausible" if found.p_value > self.plausible else verdict
            self.hypotheses[key] = found = replace(found, decision=verdict)
        return found

    def _rivals(self, v: int) -> list[ChangeHypothesis]:
        return [self._score(w, self._rival_causes(w, v)) for w in members(self._inside()[v])]

    # -- orienting ---------------------------------------------------------------------------------------------------------------

    def _orient_one(self) -> bool:
        """Orient the clearest accepted sink; return whether there was one."""
        candidates = [v for v, mask in enumerate(self._inside()) if mask and self._accepted(v)]
        if not candidates:
            return False
        best = min(
            candidates, key=lambda v: (max(r.p_value for r in self._rivals(v)), self.orienter.names[v])
        )
        self._orient(best)
        return True

    def _accepted(self, v: int) -> bool:
        if not self._admissible(v):
            return False
        own = self._score(v, self._sink_causes(v))
        return own.decision == "plausible" and all(r.decision == "rejected" for r in self._rivals(v))

    def _admissible(self, sink: int) -> bool:
        """Whether orienting all undirected neighbours into a variable keeps the graph acyclic and its colliders."""
        trial = self.orienter.pattern.copy()
        for v in members(trial.undirected[sink]):
            trial.orient(v, sink)
        if new_colliders(self.orienter.pattern, trial.parents):
            return False
        opposed = set(self.orienter.opposed)
        close(trial, opposed)
        return (
            opposed == self.orienter.opposed
            and trial.cycle() is None
            and (extension(trial) is not None or extension(self.orienter.pattern) is None)
        )

    def _orient(self, sink: int) -> None:
        names, rivals = self.orienter.names, {r.effect: r for r in self._rivals(sink)}
        causes = self._sink_causes(sink)
        own = self._score(sink, causes)
        for v in list(members(self.orienter.pattern.undirected[sink])):
            rival = rivals.get(names[v])
            note = f"the changes of {names[sink]} given {', '.join(own.causes)} are independent of theirs (p = {own.p_value:.3g})"
            if rival is not None:
                note += f", and not the other way round (p = {rival.p_value:.3g})"
            trust = None if rival is None else confidence(rival.p_value, own.p_value)
            self.orienter.put(v, sink, Receipt("independent-change", note, own.score, own.p_value, trust))
        self.hypotheses[sink, causes] = replace(own, decision="chosen")
        self.orienter.close()

    # -- what stays open ---------------------------------------------------------------------------------------------------------

    def _abstain(self, edges: list[tuple[int, int]], reason: str) -> list[ChangeHypothesis]:
        names = self.orienter.names
        text = f"abstained: {reason}"
        for v, w in edges:
            self.orienter.remarks[v, w] = Receipt("undecided", text)
        pairs = [(names[w], (names[v],)) for e in edges for v, w in (e, e[::-1])]
        return [ChangeHypothesis(effect, causes, math.nan, math.nan, text) for effect, causes in pairs]

    def _remark(self, v: int, w: int) -> None:
        """Note why an edge has no direction."""
        first, second = (self._score(b, self._rival_causes(b, a)) for a, b in ((v, w), (w, v)))
        numbers = f"p = {first.p_value:.3g} with {first.effect} as effect, {second.p_value:.3g} with {second.effect}"
        if first.decision == second.decision == "rejected":
            text = f"dependent changes: both directions are rejected ({numbers}); one function of the context may drive both"
            self.orienter.remarks[v, w] = Receipt("dependent-changes", text)
        elif math.isnan(first.p_value) or math.isnan(second.p_value):
            text = "undecided: a mechanism does not change measurably"
            self.orienter.remarks[v, w] = Receipt("undecided", text)
        else:
            self.orienter.remarks[v, w] = Receipt("undecided", f"undecided: {numbers}")


def rejection_level(p_values: Sequence[float], n_edges: int, alpha: float) -> float:
    """Return the largest p-value that rejects, at most alpha (Benjamini and Hochberg with at most one true hypothesis per edge)."""
    p = np.sort([value for value in p_values if np.isfinite(value)])
    steps = alpha * np.arange(1, len(p) + 1) / n_edges
    passed = np.flatnonzero(p <= steps)
    return min(alpha, float(steps[passed[-1]])) if len(passed) else alpha / n_edges


def confidence(rejected: float, plausible: float) -> float:
    """Return the probability of a direction from the p-value of the other one and its own, both directions equally likely before.

    Under the right direction a p-value is uniform, under the wrong one it has the density a p^(a - 1); a = 0.2 is that of a test that rejects
    half of the time at the level .05.
    """
    ratio = (rejected / plausible) ** (SHAPE - 1)
    return float(ratio / (1 + ratio))
