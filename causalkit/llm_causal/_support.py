r"""What stands behind an arrow: statements that somebody made, and what the class makes of them; never the number of members alone.

The members of a class are counted, not observed. In a chain of ten variables eight of ten members have the second arrow, and nobody has said a word. So an arrow is drawn only if a statement about it (an
answer, a claim) is accepted, or if all members in which the accepted statements hold have it, which is what Meek's rules find. A statement is accepted if its posterior probability **and** its evidence
reach the bar. Its evidence is how far its source is believed, by itself, or the posterior that a prior of one to one would have given after all that was said, whichever is more:

.. math:: e = \frac{B}{1 + B}, \quad B = \frac{P(s \mid D) / P(\bar s \mid D)}{P(s) / P(\bar s)},

with the uniform prior over members in the denominator: without evidence B is 1 and e is 1/2, however many members agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit.graph import BackgroundKnowledge
from causalkit.llm_causal._members import Members

__all__ = ["Statement", "Support", "coin_test", "supported"]

Pair: TypeAlias = tuple[str, str]
Mask: TypeAlias = NDArray[np.bool_]
Floats: TypeAlias = NDArray[np.float64]
ACCURACIES = np.arange(0.525, 1.0, 0.05)
# Coins that are judged at once, to bound memory.
BLOCK = 64


@dataclass(frozen=True)
class Statement:
    """Something that an expert or a claim says of the members of a class.

    Parameters
    ----------
    words : str
        What is said.
    true : numpy.ndarray of bool, shape (n,)
        In which members it is true.
    alone : float
        Its probability if nothing else were known: of a claim, what it claims; of answers, what they make of one to one.
    arrow : tuple of (str, str) or None, default=None
        The arrow, if it says one.
    """

    words: str
    true: Mask
    alone: float
    arrow: Pair | None = None


@dataclass(frozen=True)
class Support:
    """Arrows that have evidence.

    Parameters
    ----------
    arrows : tuple of (str, str)
        Directions of open edges: those that were stated and accepted, and those that follow.
    because : mapping of (str, str) to tuple of str
        For arrows that follow, the words of the statements that they follow from; a smallest set.
    probability : float
        Posterior probability of all that was accepted.
    """

    arrows: tuple[Pair, ...] = ()
    because: Mapping[Pair, tuple[str, ...]] | None = None
    probability: float = 1.0


def share_of_evidence(weights: Floats, true: Mask) -> float:
    """Return the posterior of a statement had its prior been 1/2: no evidence is 1/2, whatever the number of members in which it holds."""
    prior, now = float(true.mean()), float(weights @ true)
    ahead, back = now * (1 - prior), (1 - now) * prior
    return ahead / (ahead + back) if ahead + back > 0 else 0.5


def supported(members: Members, weights: Floats, statements: Iterable[Statement], bar: float) -> Support:
    """Accept statements, the surest first, and draw what all members have in which they hold.

    Parameters
    ----------
    members : Members
        Of the class.
    weights : numpy.ndarray of float, shape (n,)
        Their posterior probabilities.
    statements : iterable of Statement
        What was said; one that no member has together with those before is left out.
    bar : float
        Least posterior probability and least evidence; both must be above 1/2 in any case.

    Returns
    -------
    Support
        Without arrows if there is no evidence.
    """
    ranked = [(_sureness(weights, s), s) for s in statements]
    inside = np.ones(len(weights), dtype=bool)
    accepted: list[Statement] = []
    for sure, statement in sorted(ranked, key=lambda entry: (-round(entry[0], 9), entry[1].words)):
        agreeing = inside & statement.true
        if sure >= bar - 1e-12 and sure > 0.5 + 1e-9 and weights[agreeing].sum() > 0:
            accepted.append(statement)
            inside = agreeing
    if not accepted:
        return Support()
    arrows = _shared(members, inside) if members.exact else _closed(members, accepted)
    return Support(arrows, _reasons(members, accepted, arrows), float(weights[inside].sum()))


def _sureness(weights: Floats, statement: Statement) -> float:
    evidence = max(statement.alone, share_of_evidence(weights, statement.true))
    return min(float(weights @ statement.true), evidence)


def _shared(members: Members, inside: Mask) -> tuple[Pair, ...]:
    """Return the directions that all these members have."""
    share = members.forward[inside].mean(axis=0)
    return tuple(
        e if s == 1 else e[::-1] for e, s in zip(members.edges, share, strict=True) if s in (0.0, 1.0)
    )


def _closed(members: Members, accepted: Sequence[Statement]) -> tuple[Pair, ...]:
    """Return what Meek's rules make of stated arrows: that all members of a sample agree says nothing of the others."""
    stated = [s.arrow for s in accepted if s.arrow is not None]
    if not stated:
        return ()
    graph = members.graph.to_mpdag(BackgroundKnowledge(required=stated))
    return tuple(
        e if graph.has_directed_edge(*e) else e[::-1]
        for e in members.edges
        if graph.edge_between(*e) != "---"
    )


def _reasons(
    members: Members, accepted: Sequence[Statement], arrows: Iterable[Pair]
) -> dict[Pair, tuple[str, ...]]:
    """Return for every arrow that nobody stated what it follows from; in a class of which members were drawn, all that was accepted."""
    stated = {s.arrow for s in accepted}
    unsaid = [arrow for arrow in arrows if arrow not in stated]
    if not members.exact:
        return dict.fromkeys(unsaid, tuple(s.words for s in accepted))
    return {arrow: _fewest(accepted, members.has_arrow(*arrow)) for arrow in unsaid}


def _fewest(accepted: Sequence[Statement], arrow: Mask) -> tuple[str, ...]:
    """Drop statements one by one as long as the rest still leaves no member without the arrow."""
    kept = list(accepted)
    for statement in accepted:
        rest = [s for s in kept if s is not statement]
        if not (np.logical_and.reduce([~arrow, *(s.true for s in rest)])).any():
            kept = rest
    return tuple(s.words for s in kept)


def odds_against_a_coin(agreeing: Floats, asked: int, right: Floats, wrong: Floats) -> tuple[Floats, Floats]:
    """Return how much more probable answers are from somebody who knows something than from a coin, and the accuracy that they show.

    Parameters
    ----------
    agreeing : numpy.ndarray of float, shape (n, m)
        For every member of the class, the number of answers of each of m experts that agree with it.
    asked : int
        Edges of the class about which a direction was named; repetitions do not count, as they may repeat a belief.
    right, wrong : numpy.ndarray of float, shape (m,)
        Of edges whose direction is known.

    Returns
    -------
    odds : numpy.ndarray of float, shape (m,)
        Mean over members, and over accuracies above 1/2, all equally weighted.
    accuracy : numpy.ndarray of float, shape (m,)
        Its posterior mean.
    """
    weights = np.array(
        [
            np.exp(
                (agreeing + right) * np.log(2 * a) + (asked - agreeing + wrong) * np.log(2 * (1 - a))
            ).mean(axis=0)
            for a in ACCURACIES
        ]
    )
    return weights.mean(axis=0), ACCURACIES @ weights / weights.sum(axis=0)


def coin_test(
    members: Members, said: Mapping[Pair, bool], right: int = 0, wrong: int = 0, coins: int = 999
) -> tuple[float, float]:
    """Return the share of coins that look as knowing as these answers, and the accuracy that the answers show.

    Parameters
    ----------
    members : Members
        Of the class.
    said : mapping of (str, str) to bool
        For edges, as `members.edges` has them, whether the first direction that was named is the one that is written.
    right, wrong : int
        Of edges whose direction is known.
    coins : int, default=999
        Simulated; they are asked about the same edges. So it is exact if these were chosen beforehand.

    Returns
    -------
    share : float
        A p-value.
    accuracy : float
        As `odds_against_a_coin`.
    """
    rng, places = np.random.default_rng(0), [members.edges.index(edge) for edge in said]
    ahead = 2.0 * members.forward[:, places] - 1
    told = 2.0 * np.array(list(said.values()), dtype=float) - 1
    own = np.array([float(right)]), np.array([float(wrong)])
    odds, accuracy = odds_against_a_coin((ahead @ told[:, None] + len(told)) / 2, len(told), *own)
    alike = 0
    for start in range(0, coins, BLOCK):
        size = min(BLOCK, coins - start)
        flips = rng.choice([-1.0, 1.0], size=(len(told), size))
        hits = rng.binomial(right + wrong, 0.5, size).astype(float)
        drawn, _ = odds_against_a_coin((ahead @ flips + len(told)) / 2, len(told), hits, right + wrong - hits)
        alike += int((drawn >= odds * (1 - 1e-9)).sum())
    return (1 + alike) / (1 + coins), float(accuracy[0])
