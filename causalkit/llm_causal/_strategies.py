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
from causalkit.llm_causal._questions import PAIRS, Answer, Question
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
            Arrows that were left out because they go against the order that agrees with most votes, or because as many votes were for the opposite. The same ones in any
            order of the variables.
        """
        often = self.shares > least
        wanted = often & (self.shares > self.shares.T)
        by_name = np.argsort(np.array(self.names, dtype=object))
        weights = np.where(wanted, self.shares, 0.0)[np.ix_(by_name, by_name)]
        place = np.empty(len(by_name), dtype=int)
        place[by_name[best_order(weights)]] = np.arange(len(by_name))
        along = wanted & (place[:, None] < place[None, :])
        arrows = [(self.names[i], self.names[j]) for i, j in np.argwhere(along)]
        tied = often & (self.shares == self.shares.T)
        dropped = [(self.names[i], self.names[j]) for i, j in np.argwhere(wanted & ~along)]
        dropped += sorted(
            tuple(sorted((self.names[i], self.names[j]))) for i, j in np.argwhere(np.triu(tied))
        )
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
    place = {name: k for k, name in enumerate(names)}
    for answer in (a for a in answers if a.says_something):
        asked += _could_claim(answer, place)
        for cause, effect in _claims_in(answer):
            if cause in place and effect in place:
                claimed[place[cause], place[effect]] += 1
    return Votes(tuple(names), claimed, asked)


def _claims_in(answer: Answer) -> tuple[tuple[str, str], ...]:
    """Return the arrows that an answer claims."""
    if answer.question.kind not in PAIRS:
        return answer.arrows
    u, v = answer.question.variables
    ahead, back = ((u, v),), ((v, u),)
    return {"forward": ahead, "backward": back, "both": ahead + back}.get(str(answer.choice), ())


def _could_claim(answer: Answer, place: Mapping[str, int]) -> Floats:
    """Return 1 for the arrows that an answer decides: of all, those among some variables, or those out of one, but for pairs of which the expert cannot tell."""
    asked = np.zeros((len(place), len(place)))
    about = [place[name] for name in answer.question.variables if name in place]
    if answer.question.kind == "graph":
        asked[:] = 1
    elif answer.question.kind == "children":
        asked[about] = 1
    elif answer.question.kind in (*PAIRS, "triplet"):
        asked[np.ix_(about, about)] = 1
    for u, v in answer.unsure:
        if u in place and v in place:
            asked[place[u], place[v]] = asked[place[v], place[u]] = 0
    np.fill_diagonal(asked, 0)
    return asked
