"""What says how probable an event is after another one, or without it.

An event oracle answers pairs (cause, effect) with two probabilities: that the effect follows where the cause happens, and where it does not. The
difference is the causal strength of COLD (Joshi et al. 2024, section 4),

    D(E1 -> E2) = P(E2 | do(E1)) - P(E2 | do(not E1)) = p(E2 | E1) - sum over t of p(t) p(E2 | not E1, t),

with t what happened before E1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import check_between, check_choice
from causalkit.exceptions import DataError, GraphError, PositivityError
from causalkit.graph import CausalGraph
from causalkit.strength._content import content_id
from causalkit.strength._events import EventGraph, EventLog, Law
from causalkit.strength._identification import identify

__all__ = ["ChainOracle", "EventOracle", "LogOracle"]

Floats = NDArray[np.float64]
Pairs = Sequence[tuple[str, str]]


@runtime_checkable
class EventOracle(Protocol):
    """What gives probabilities of events after, or without, another one."""

    @property
    def id(self) -> str:
        """Name of the oracle, the same for the same content."""
        ...

    def arms(self, pairs: Pairs) -> Floats:
        """Return for each (cause, effect) the probability of the effect without and with the cause.

        Parameters
        ----------
        pairs : sequence of (str, str)
            Causes and effects.

        Returns
        -------
        numpy.ndarray of float, shape (len(pairs), 2)
            Without and with.
        """
        ...


Avoidance = Literal["drop", "renormalize"]
Prefixes = Literal["weighted", "uniform"]
Backwards = Literal["raise", "count"]


class ChainOracle:
    """Probabilities of a Markov chain over an event graph, exactly.

    Parameters
    ----------
    graph : EventGraph
        Which event can follow which.
    law : {"uniform_node", "uniform_trajectory", "observed"}, default="uniform_node"
        Law of the next event; the first two are D_n and D_t of COLD.
    avoid : {"drop", "renormalize"}, default="drop"
        What *not E1* means. ``"drop"`` is the probability of getting to E2 without E1 on the way; the mass of what would have gone through E1
        is lost: that is how the paper's formula reads, and it favours positive strengths. ``"renormalize"`` is the conditional probability given that E1 is avoided
        (Doob's transform).
    prefixes : {"weighted", "uniform"}, default="weighted"
        Weights of what happened before E1: their probabilities, or each different one the same.

    Notes
    -----
    With N = (I - T)^-1, the probabilities of ever getting from one event to another, those of doing so without E1 are
    N[i, j] - N[i, E1] N[E1, j], for all pairs at once.

    References
    ----------
    A. Joshi, A. Ahmad, A. Modi, "COLD: Causal reasoning in closed daily activities", NeurIPS 2024, section 4.

    Examples
    --------
    >>> from causalkit.strength import ChainOracle, EventGraph, EventLog
    >>> graph = EventGraph.from_log(EventLog([["A", "C"], ["A"], ["B", "C"]]))
    >>> ChainOracle(graph).arms([("A", "C")]).tolist()
    [[0.5, 0.5]]
    >>> ChainOracle(graph, avoid="renormalize").arms([("A", "C")]).tolist()
    [[1.0, 0.5]]
    """

    def __init__(
        self,
        graph: EventGraph,
        law: Law = "uniform_node",
        *,
        avoid: Avoidance = "drop",
        prefixes: Prefixes = "weighted",
    ) -> None:
        check_choice("law", law, get_args(Law))
        check_choice("avoid", avoid, get_args(Avoidance))
        check_choice("prefixes", prefixes, get_args(Prefixes))
        self.graph, self.law, self.avoid, self.prefixes = graph, law, avoid, prefixes

    @property
    def id(self) -> str:
        """Name of the oracle, the same for the same content."""
        content = (self.graph.events, self.law, self.avoid, self.prefixes)
        return content_id("chain", repr(content), self.graph.counts.tobytes())

    @cached_property
    def _all(self) -> tuple[Floats, Floats]:
        """Probabilities without and with the cause for all pairs, shape (k, k): row cause, column effect."""
        k = len(self.graph.events)
        step = self.graph.transitions(self.law)
        ever: Floats = np.asarray(np.linalg.inv(np.eye(k + 2) - step), dtype=float)
        reach = ever[:k, :k] - np.eye(k)
        without = np.stack([self._without(cause, step, ever)[:k] for cause in range(k)])
        return without, reach

    def _without(self, cause: int, step: Floats, ever: Floats) -> Floats:
        """Return the probability of every event from what happened before the cause, if the cause is left out."""
        weights = self._before(cause, step, ever)
        found = ever - np.outer(ever[:, cause], ever[cause])
        np.fill_diagonal(found, 0.0)
        if self.avoid == "renormalize":
            escape = 1 - ever[:, cause]
            possible = escape > 1e-12
            found = np.where(
                possible[:, None], found * escape / np.where(possible, escape, 1.0)[:, None], 0.0
            )
            weights = np.where(possible, weights, 0.0)
        total = weights.sum()
        return weights @ found / total if total > 0 else np.full(len(found), np.nan)

    def _before(self, cause: int, step: Floats, ever: Floats) -> Floats:
        """Return the weights of the last event before the cause."""
        start = len(step) - 2
        if self.prefixes == "weighted":
            weights = ever[start] * step[:, cause]
        else:
            paths, total = self.graph._paths_from_start, self.graph._paths_from_start[cause]
            weights = np.array(
                [n / total if p > 0 else 0.0 for n, p in zip(paths, step[:, cause], strict=True)]
            )
        return np.asarray(weights / weights.sum())

    def arms(self, pairs: Pairs) -> Floats:
        """Return for each (cause, effect) the probability of the effect without and with the cause.

        Parameters
        ----------
        pairs : sequence of (str, str)
            Events of the graph.

        Returns
        -------
        numpy.ndarray of float, shape (len(pairs), 2)
            Without and with.

        Raises
        ------
        PositivityError
            With ``avoid="renormalize"``, if every trajectory that comes near a cause goes through it.
        """
        without, reach = self._all
        at = np.array([(self.graph.index(c), self.graph.index(e)) for c, e in pairs], dtype=np.intp).reshape(
            -1, 2
        )
        found = np.column_stack([without[at[:, 0], at[:, 1]], reach[at[:, 0], at[:, 1]]])
        if np.isnan(found).any():
            cause = pairs[int(np.flatnonzero(np.isnan(found[:, 0]))[0])][0]
            raise PositivityError(
                f"no trajectory avoids {cause!r}, so that its absence has no probability; use avoid='drop'"
            )
        return found


class LogOracle:
    """Shares of sequences, by strata of what is adjusted for.

    Parameters
    ----------
    log : EventLog
        Sequences.
    graph : CausalGraph, optional
        A graph over the events; what it says to adjust for is adjusted for. Without it, shares are compared as they are.
    ordered : bool, default=True
        Whether the effect counts only where it comes after the cause. Without the cause, it counts wherever it happens.
    backwards : {"raise", "count"}, default="raise"
        What to do about an effect that comes before its cause in every sequence that has both: refuse, since the question is probably the wrong
        way round, or count it as never following, as questions about any pair of events need.
    smoothing : float, default=0.5
        Rows by which the share in a stratum is drawn towards the share of the arm; with 0 a stratum without an arm is an error.

    Examples
    --------
    >>> from causalkit.strength import EventLog, LogOracle
    >>> log = EventLog([["A", "B"], ["A", "B"], ["A"], ["B"], ["C"]])
    >>> LogOracle(log, smoothing=0).arms([("A", "B")]).round(3).tolist()
    [[0.5, 0.667]]
    """

    def __init__(
        self,
        log: EventLog,
        graph: CausalGraph | None = None,
        *,
        ordered: bool = True,
        backwards: Backwards = "raise",
        smoothing: float = 0.5,
    ) -> None:
        check_choice("backwards", backwards, get_args(Backwards))
        self.log, self.graph, self.ordered, self.backwards = log, graph, ordered, backwards
        self.smoothing = check_between("smoothing", smoothing, -1e-300, np.inf)
        self._column = {event: k for k, event in enumerate(log.events)}

    @property
    def id(self) -> str:
        """Name of the oracle, the same for the same content."""
        graph = "" if self.graph is None else self.graph.to_json()
        text = repr((self.log.sequences, graph, self.ordered, self.smoothing))
        return content_id("log", text)

    def arms(self, pairs: Pairs) -> Floats:
        """Return for each (cause, effect) the share of the effect without and with the cause.

        Parameters
        ----------
        pairs : sequence of (str, str)
            Events of the log.

        Returns
        -------
        numpy.ndarray of float, shape (len(pairs), 2)
            Without and with.

        Raises
        ------
        PositivityError
            If an event always or never happens, or, without smoothing, a stratum lacks an arm.
        GraphError
            If the graph says that an effect is not identified from the events.
        """
        return np.array([self._pair(cause, effect) for cause, effect in pairs]).reshape(-1, 2)

    def _pair(self, cause: str, effect: str) -> tuple[float, float]:
        for event in (cause, effect):
            if event not in self._column:
                raise DataError(
                    f"{event!r} never happens in the log; its events are {', '.join(map(repr, self.log.events[:8]))}, ..."
                )
        there = self.log.presence[:, self._column[cause]]
        if there.all() or not there.any():
            always = "every" if there.all() else "no"
            raise PositivityError(
                f"{cause!r} happens in {always} sequence, so that there is nothing to compare with"
            )
        adjust = self._adjust(cause, effect)
        if adjust is None:
            share = float(self.log.presence[:, self._column[effect]].mean())
            return share, share
        return self._standardized(there, self._happens(cause, effect), adjust)

    def _happens(self, cause: str, effect: str) -> NDArray[np.bool_]:
        """Return where the effect counts."""
        first, second = (self.log.positions[:, self._column[event]] for event in (cause, effect))
        both = (first >= 0) & (second >= 0)
        if self.ordered and self.backwards == "raise" and both.any() and (second < first)[both].all():
            raise DataError(
                f"{effect!r} comes before {cause!r} in every sequence that has both; ask the other way round, or count it with backwards='count'"
            )
        return np.asarray((second >= 0) & ((first < 0) | (second > first)) if self.ordered else second >= 0)

    def _adjust(self, cause: str, effect: str) -> list[int] | None:
        """Return the columns to adjust for; None where the graph says that there is no effect."""
        if self.graph is None:
            return []
        observed = [e for e in self.graph.nodes if e in self._column]
        found = identify(self.graph, cause, effect, observed=observed, strategy="minimal")
        if found.kind == "zero":
            return None
        if found.adjustment_set is None:
            raise GraphError(f"the effect of {cause!r} on {effect!r} is not identified: {found.reason}")
        return [self._column[event] for event in found.adjustment_set]

    def _standardized(
        self, there: NDArray[np.bool_], happens: NDArray[np.bool_], adjust: list[int]
    ) -> tuple[float, float]:
        stratum = (
            np.unique(self.log.presence[:, adjust], axis=0, return_inverse=True)[1].reshape(-1)
            if adjust
            else np.zeros(len(there), np.intp)
        )
        weights = np.bincount(stratum) / len(stratum)
        means = []
        for arm in (~there, there):
            rows = np.bincount(stratum[arm], minlength=len(weights)) + self.smoothing
            hits = (
                np.bincount(stratum[arm & happens], minlength=len(weights))
                + self.smoothing * happens[arm].mean()
            )
            if (rows == 0).any():
                raise PositivityError(
                    f"{(rows == 0).sum()} of {len(rows)} strata lack an arm; smooth, or adjust for less"
                )
            means.append(float(weights @ (hits / rows)))
        return means[0], means[1]
