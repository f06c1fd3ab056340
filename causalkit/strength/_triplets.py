"""Questions about causes, made from a causal graph, and how well strengths answer them.

A question names a premise and two choices: which of them is more plausibly its cause, or its effect? COLD makes them from a causal graph
(Joshi et al. 2024, algorithm 1). In closed form: for every ancestor x of y, and every third event w that is separated from both given nothing, ask for
the cause of y among x and w, and for the effect of x among y and w. Two events are separated given nothing if and only if they have
no common ancestor, themselves included.

A strength answers a question by being larger for the right choice (algorithm 2). Beside the accuracy stand those of rules that know no cause:
the order of events alone, and the number of hops in the graph of successions; and the accuracy among questions where both choices are on the
right side of the premise in time, where order says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import DataError, ParameterError
from causalkit.graph import GraphKind, GraphLike, as_graph
from causalkit.graph._bits import all_reachable, members
from causalkit.strength._event_strength import EventStrengths
from causalkit.strength._events import EventGraph

__all__ = ["TripletScores", "Triplets", "make_triplets", "score_triplets"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Triplets:
    """Questions with a right and a wrong choice.

    Parameters
    ----------
    events : tuple of str
        Names.
    premise, right, wrong : numpy.ndarray of int, shape (n,)
        Events, by place.
    asks_cause : numpy.ndarray of bool, shape (n,)
        Whether the cause of the premise is asked for; else its effect.
    """

    events: tuple[str, ...]
    premise: NDArray[np.intp] = field(repr=False)
    right: NDArray[np.intp] = field(repr=False)
    wrong: NDArray[np.intp] = field(repr=False)
    asks_cause: NDArray[np.bool_] = field(repr=False)

    def __len__(self) -> int:
        return len(self.premise)

    def queries(self) -> NDArray[np.intp]:
        """Return the pairs to ask for, shape (2 n, 2): for every question that of the right choice, then those of the wrong ones.

        Returns
        -------
        numpy.ndarray of int
            Cause and effect, by place.
        """
        parts = []
        for choice in (self.right, self.wrong):
            cause = np.where(self.asks_cause, choice, self.premise)
            effect = np.where(self.asks_cause, self.premise, choice)
            parts.append(np.column_stack([cause, effect]))
        return np.vstack(parts)

    def to_pandas(self) -> Any:
        """Return one row per question.

        Returns
        -------
        pandas.DataFrame
            Columns question, premise, right, wrong.
        """
        import pandas as pd

        names = np.array(self.events, dtype=object)
        question = np.where(self.asks_cause, "cause", "effect")
        columns = {"premise": names[self.premise], "right": names[self.right], "wrong": names[self.wrong]}
        return pd.DataFrame({"question": question, **columns})


def make_triplets(graph: GraphLike) -> Triplets:
    """Return all questions that a causal graph over events answers.

    Parameters
    ----------
    graph : CausalGraph
        A DAG.

    Returns
    -------
    Triplets
        Two for every ancestor, descendant and third event that is separated from both.

    Raises
    ------
    GraphKindError
        If the graph is not a DAG.

    References
    ----------
    A. Joshi, A. Ahmad, A. Modi, "COLD: Causal reasoning in closed daily activities", NeurIPS 2024, algorithm 1.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.strength import make_triplets
    >>> make_triplets(CausalGraph.parse("boil -> pour; set_table")).to_pandas()
      question premise right      wrong
    0    cause    pour  boil  set_table
    1   effect    boil  pour  set_table
    """
    graph = as_graph(graph)
    graph._require([GraphKind.DAG], "make_triplets")
    above = all_reachable(graph._parent_masks)
    with_self = [mask | 1 << k for k, mask in enumerate(above)]
    rows = []
    for y, ancestors in enumerate(above):
        for x in members(ancestors):
            apart = [w for w in range(graph.n_nodes) if not with_self[w] & (with_self[x] | with_self[y])]
            rows += [(y, x, w, True) for w in apart]
            rows += [(x, y, w, False) for w in apart]
    table = np.array(rows, dtype=np.intp).reshape(-1, 4)
    return Triplets(graph.nodes, table[:, 0], table[:, 1], table[:, 2], table[:, 3].astype(bool))


@dataclass(frozen=True)
class TripletScores:
    """How well strengths answer questions, beside rules that know no cause.

    Parameters
    ----------
    accuracy : float
        Share of questions with the larger strength at the right choice; ties count one half.
    se : float
        Standard error, by clusters of the three events: questions about the same events are not independent.
    n : int
        Questions.
    order_only : float or None
        Accuracy of the rule that takes the choice on the right side of the premise in time, and guesses where both are.
    fewest_hops : float or None
        Accuracy of the rule that takes the choice with fewer successions between it and the premise.
    first_choice : float
        Accuracy of always taking the choice that is named first, if the right one is first in half of the questions.
    accuracy_order_matched : float or None
        Accuracy where both choices are on the right side in time.
    n_order_matched : int
        Questions of that kind.
    """

    accuracy: float
    se: float
    n: int
    order_only: float | None
    fewest_hops: float | None
    first_choice: float
    accuracy_order_matched: float | None
    n_order_matched: int

    def __str__(self) -> str:
        lines = [
            f"accuracy            {self.accuracy:.3f} (standard error {self.se:.3f}, {self.n} questions)"
        ]
        for label, value in (
            ("order alone", self.order_only),
            ("fewest hops", self.fewest_hops),
            ("first choice", self.first_choice),
        ):
            if value is not None:
                lines.append(f"{label:19} {value:.3f}")
        if self.accuracy_order_matched is not None:
            lines.append(
                f"order no help       {self.accuracy_order_matched:.3f} ({self.n_order_matched} questions)"
            )
        return "\n".join(lines)


def score_triplets(
    triplets: Triplets,
    strengths: EventStrengths,
    *,
    order: Sequence[str] | None = None,
    successions: EventGraph | None = None,
) -> TripletScores:
    """Score strengths on questions.

    Parameters
    ----------
    triplets : Triplets
        The questions.
    strengths : EventStrengths
        The result of ``event_strength(triplets.queries(), events=triplets.events, oracle=...)``.
    order : sequence of str, optional
        All events in the order of time, for the rule of order.
    successions : EventGraph, optional
        For the rule of hops.

    Returns
    -------
    TripletScores
        Printable.

    Raises
    ------
    DataError
        If the strengths are not those of these questions.
    ParameterError
        If `order` does not list every event.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.strength import ChainOracle, EventGraph, EventLog, event_strength, make_triplets, score_triplets
    >>> log = EventLog([["set_table", "boil", "pour"], ["boil", "pour"], ["set_table"]])
    >>> questions = make_triplets(CausalGraph.parse("boil -> pour; set_table"))
    >>> oracle = ChainOracle(EventGraph.from_log(log))
    >>> strengths = event_strength(questions.queries(), events=questions.events, oracle=oracle)
    >>> score_triplets(questions, strengths).accuracy
    1.0
    """
    n = len(triplets)
    value = strengths.value
    if len(value) != 2 * n or n == 0:
        raise DataError(f"{n} questions need {2 * n} strengths and at least one question; got {len(value)}")
    _check_same_pairs(triplets, strengths)
    won = _won(value[:n], value[n:])
    by_order = matched = hops = None
    if order is not None:
        by_order, matched = _by_order(triplets, order)
    if successions is not None:
        hops = _by_hops(triplets, successions)
    there = matched is not None and bool(matched.any())
    return TripletScores(
        float(won.mean()),
        clustered_se(triplets, won),
        n,
        None if by_order is None else float(by_order.mean()),
        None if hops is None else float(hops.mean()),
        0.5,
        float(won[matched].mean()) if there else None,
        int(matched.sum()) if matched is not None else 0,
    )


def _check_same_pairs(triplets: Triplets, strengths: EventStrengths) -> None:
    """Raise unless the strengths are of the pairs that the questions ask for."""
    asked = triplets.queries()
    pairs = {(triplets.events[c], triplets.events[e]) for c, e in np.unique(asked, axis=0).tolist()}
    if pairs != set(strengths.pairs):
        other = min(pairs ^ set(strengths.pairs))
        raise DataError(
            f"the strengths are not those of these questions: {other} is in one of the two only; ask for triplets.queries()"
        )
    number = {event: k for k, event in enumerate(triplets.events)}
    place = np.full((len(number), len(number)), -1)
    for k, (cause, effect) in enumerate(strengths.pairs):
        place[number[cause], number[effect]] = k
    wrong = np.flatnonzero(place[asked[:, 0], asked[:, 1]] != strengths.place)
    if len(wrong):
        cause, effect = strengths.pairs[strengths.place[wrong[0]]]
        raise DataError(
            f"strength {wrong[0]} is of {cause!r} on {effect!r}, which is not what its question asks; keep the order of triplets.queries()"
        )


def _won(right: Floats, wrong: Floats) -> Floats:
    return np.asarray((right > wrong) + 0.5 * (right == wrong), dtype=float)


def _by_order(triplets: Triplets, order: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
    place: Mapping[str, int] = {event: k for k, event in enumerate(order)}
    missing = [event for event in triplets.events if event not in place]
    if missing or len(place) < len(order):
        problem = f"does not list {missing[0]!r}" if missing else "lists an event twice"
        raise ParameterError(f"order {problem}; it must list every event once")
    at = np.array([place[event] for event in triplets.events])
    sign = np.where(triplets.asks_cause, -1, 1)
    right, wrong = ((sign * (at[c] - at[triplets.premise]) > 0) for c in (triplets.right, triplets.wrong))
    return _won(right.astype(float), wrong.astype(float)), right & wrong


def _by_hops(triplets: Triplets, successions: EventGraph) -> Floats:
    at = np.array([successions.index(event) for event in triplets.events])
    hops = successions.hops().astype(float)
    hops[hops < 0] = np.inf
    pairs = triplets.queries()
    far = hops[at[pairs[:, 0]], at[pairs[:, 1]]]
    return _won(-far[: len(triplets)], -far[len(triplets) :])


def clustered_se(triplets: Triplets, won: Floats) -> float:
    """Return the standard error of a mean over questions, those about the same three events being one cluster."""
    three = np.sort(np.column_stack([triplets.premise, triplets.right, triplets.wrong]), axis=1)
    _, cluster = np.unique(three, axis=0, return_inverse=True)
    sums = np.bincount(cluster.reshape(-1), weights=won - won.mean())
    groups = len(sums)
    return float(np.sqrt((sums**2).sum() * groups / max(groups - 1, 1)) / len(won))
