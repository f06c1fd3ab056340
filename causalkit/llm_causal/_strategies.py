"""What to ask where there are no data: everything at once, every pair, every three, or the effects of each variable; and what graph the answers add up to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import check_choice, check_count
from causalkit.graph import CausalGraph
from causalkit.llm_causal._order import best_order
from causalkit.llm_causal._questions import Answer, Question
from causalkit.llm_causal._variables import Variable

__all__ = ["Votes", "count_votes", "questions_for"]

Strategy: TypeAlias = Literal["graph", "children", "pairwise", "triplet"]
STRATEGIES: tuple[Strategy, ...] = ("graph", "children", "pairwise", "triplet")
Floats: TypeAlias = NDArray[np.float64]


def questions_for(strategy: Strategy, variables: Sequence[Variable], samples: int = 1) -> list[Question]:
    """Return the questions of a strategy.

    Parameters
    ----------
    strategy : {"graph", "children", "pairwise", "triplet"}
        All variables in one question; the effects of each; every pair; every three.
    variables : sequence of Variable
        What the graph is over.
    samples : int, default=1
        Repetitions of each question.

    Returns
    -------
    list of Question
        1, d, d (d - 1) / 2 or d (d - 1) (d - 2) / 6 of them, times `samples`.

    Examples
    --------
    >>> from causalkit.llm_causal import as_variables, questions_for
    >>> [len(questions_for(s, as_variables(list("ABCDE")))) for s in ("graph", "children", "pairwise", "triplet")]
    [1, 5, 10, 10]
    """
    check_choice("strategy", strategy, STRATEGIES)
    check_count("samples", samples)
    names, given = [v.name for v in variables], tuple(variables)
    groups: Mapping[str, list[tuple[str, ...]]] = {
        "graph": [()],
        "children": [(name,) for name in names],
        "pairwise": list(combinations(names, 2)) if strategy == "pairwise" else [],
        "triplet": list(combinations(names, 3)) if strategy == "triplet" else [],
    }
    kind = "direct" if strategy == "pairwise" else strategy
    return [Question(kind, group, k, given=given) for group in groups[strategy] for k in range(samples)]


@dataclass(frozen=True)
class Votes:
    """How often arrows were claimed, of how many answers about their pair.

    Parameters
    ----------
    names : tuple of str
        Order of rows and columns.
    claimed : numpy.ndarray of float, shape (d, d)
        Answers that claim an arrow from row to column.
    asked : numpy.ndarray of float, shape (d, d)
        Answers that could have claimed it.
    """

    names: tuple[str, ...]
    claimed: Floats
    asked: Floats

    @property
    def shares(self) -> Floats:
        """Shares of answers that claim each arrow, drawn towards 1/2 by half an answer for and half against; 0 where nobody was asked."""
        shrunk = (self.claimed + 0.5) / (self.asked + 1)
        return np.asarray(np.where(self.asked > 0, shrunk, 0.0), dtype=float)

    def disputed(self, low: float = 0.25, high: float = 0.75) -> list[tuple[str, str]]:
        """Return pairs on which answers differ.

        Parameters
        ----------
        low, high : float, default=0.25, 0.75
            A pair is disputed if the larger share of its two arrows lies between these.

        Returns
        -------
        list of (str, str)
            The most disputed first.
        """
        either = np.maximum(self.shares, self.shares.T)
        found = [
            (abs(either[i, j] - 0.5), i, j)
            for i, j in combinations(range(len(self.names)), 2)
            if low < either[i, j] < high
        ]
        return [(self.names[i], self.names[j]) for _, i, j in sorted(found)]

    def graph(self, least: float = 0.5) -> tuple[CausalGraph, list[tuple[str, str]]]:
        """Return a DAG of arrows that were claimed often.

        Parameters
        ----------
        least : float, default=0.5
            Arrows need a larger share than this. Of both directions of a pair the more frequent one counts.

        Returns
        -------
        graph : CausalGraph
            A DAG.
        dropped : list of (str, str)
            Arrows that were left out because they go against the order that agrees with most votes.
        """
        wanted = (self.shares > least) & (self.shares >= self.shares.T)
        wanted &= ~(wanted.T & (self.shares == self.shares.T) & np.tri(len(wanted), dtype=bool))
        place = np.argsort(best_order(np.where(wanted, self.shares, 0.0)))
        along = wanted & (place[:, None] < place[None, :])
        arrows = [(self.names[i], self.names[j]) for i, j in np.argwhere(along)]
        dropped = [(self.names[i], self.names[j]) for i, j in np.argwhere(wanted & ~along)]
        empty = CausalGraph.from_adjacency(np.zeros_like(wanted, dtype=int), self.names)
        for u, v in arrows:
            empty = empty.with_edge(u, v)
        return empty, dropped


def count_votes(answers: Sequence[Answer], names: Sequence[str]) -> Votes:
    """Count what answers say of each ordered pair; those that say nothing do not count.

    Parameters
    ----------
    answers : sequence of Answer
        To questions of any strategy.
    names : sequence of str
        Variables.

    Returns
    -------
    Votes
        Counts.

    Examples
    --------
    >>> from causalkit.llm_causal import Answer, Question, count_votes
    >>> votes = count_votes([Answer(Question("graph"), arrows=(("A", "B"),))], ["A", "B"])
    >>> votes.shares.round(2).tolist()
    [[0.0, 0.75], [0.25, 0.0]]
    """
    claimed = np.zeros((len(names), len(names)))
    asked = np.zeros_like(claimed)
    for answer in (a for a in answers if a.says_something):
        for i, j in combinations(range(len(names)), 2):
            _count(claimed, asked, answer, (i, j), (names[i], names[j]))
    return Votes(tuple(names), claimed, asked)


def _count(
    claimed: Floats, asked: Floats, answer: Answer, at: tuple[int, int], pair: tuple[str, str]
) -> None:
    i, j = at
    if answer.question.kind == "children":
        for (a, b), (u, v) in (((i, j), pair), ((j, i), pair[::-1])):
            if (u,) == answer.question.variables:
                asked[a, b] += 1
                claimed[a, b] += (u, v) in answer.arrows
        return
    choice = answer.about(*pair)
    if choice is not None:
        asked[i, j] += 1
        asked[j, i] += 1
        claimed[i, j] += choice in ("forward", "both")
        claimed[j, i] += choice in ("backward", "both")
