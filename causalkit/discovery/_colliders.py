"""Colliders: what the tests on the finished skeleton say of every unshielded triple.

Of a triple i - k - j whose ends are not adjacent, k is a collider if what separates i and j leaves k out. Sets are sought where they
must be found if anywhere, among the neighbours of i and among those of j in the *final* skeleton, all of them up to the largest size
that is tested: sets of the level at which a pair happened to be separated are few, and the empty set, which separates whatever is
weakly dependent, would vote alone.

- ``"majority"``: k in fewer than half of the separating sets is a collider, in more than half it is none.
- ``"conservative"``: k in none of them is a collider, in all of them it is none.
- ``"max_p"``: the separating set with the largest p-value decides.

Whatever the rule, a collider makes its causes dependent once it is known: a set that leaves k out must stop separating i and j when k is
added. Without that, and wherever the rule cannot say, the triple is **ambiguous**: nothing is oriented by it. So is a triple through an edge
that knowledge requires and the tests would have removed, since what separates its ends says nothing about an edge that the tests do not
see.

References
----------
J. Ramsey, J. Zhang, P. Spirtes, "Adjacency-faithfulness and conservative causal inference", UAI 2006. D. Colombo, M. Maathuis,
"Order-independent constraint-based causal structure learning", JMLR 15, 2014, sections 4.2 and 4.3. J. Ramsey, "Improving accuracy and
scalability of the PC algorithm by maximizing p-value", arXiv:1610.00378, 2016.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from causalkit.discovery._separations import ConditioningSet
from causalkit.discovery._skeleton import Mask, Skeleton, SkeletonSearch
from causalkit.graph._bits import mask_of, members, rows_to_masks

__all__ = ["AmbiguousTriple", "ColliderRule", "TripleEvidence", "judge_triples"]

ColliderRule: TypeAlias = Literal["majority", "conservative", "max_p"]
Verdict: TypeAlias = Literal["collider", "no collider", "ambiguous"]
COLLIDER_RULES: tuple[ColliderRule, ...] = ("majority", "conservative", "max_p")


class AmbiguousTriple(NamedTuple):
    """Three nodes of which the tests do not say whether the middle one is a collider, and why not.

    Parameters
    ----------
    first, middle, last : str
        The nodes; first and last are not adjacent.
    reason : str
        Why it is open.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit import BackgroundKnowledge, CausalGraph
    >>> from causalkit.discovery import PC
    >>> from causalkit.independence import DSeparation
    >>> test = DSeparation(CausalGraph.parse("X1 -> X2; X3"))
    >>> knowledge = BackgroundKnowledge(required=[("X3", "X1")])
    >>> model = PC(ci_test=test, knowledge=knowledge).fit(np.random.default_rng(0).normal(size=(50, 3)))
    >>> model.ambiguous_[0].middle
    'X1'
    """

    first: str
    middle: str
    last: str
    reason: str


@dataclass(frozen=True)
class TripleEvidence:
    """What the tests say of an unshielded triple i - k - j.

    Parameters
    ----------
    i, k, j : int
        Positions of the nodes; k is the middle, i < j.
    verdict : {"collider", "no collider", "ambiguous"}
        What the triple is taken for.
    reason : str
        Why it is ambiguous; empty otherwise.
    n_sets, n_without : int
        Number of sets that separate i and j, and how many of them leave k out.
    p_value : float
        Largest p-value of a set that speaks for the verdict: one without k for a collider, one with k otherwise; NaN if there is none.
    p_given_middle : float
        Smallest p-value of i against j given k and one of the separating sets without it; NaN if there is none.
    """

    i: int
    k: int
    j: int
    verdict: Verdict
    reason: str = ""
    n_sets: int = 0
    n_without: int = 0
    p_value: float = math.nan
    p_given_middle: float = math.nan

    @property
    def share(self) -> float:
        """Share of the separating sets that hold the middle."""
        return 1 - self.n_without / self.n_sets if self.n_sets else math.nan


def judge_triples(
    search: SkeletonSearch, skeleton: Skeleton, rule: ColliderRule, contexts: frozenset[int] = frozenset()
) -> list[TripleEvidence]:
    """Do the tests that unshielded triples still need, and say for each what it is.

    Parameters
    ----------
    search : SkeletonSearch
        Has found the skeleton, and does the tests.
    skeleton : Skeleton
        The final skeleton; the tests are added to it.
    rule : {"majority", "conservative", "max_p"}
        How separating sets vote.
    contexts : frozenset of int
        Positions of contexts: never the middle of a collider.
    """
    triples = list(unshielded_triples(skeleton.adjacent, contexts))
    apart = np.zeros_like(skeleton.adjacent)
    for i, _, j in triples:
        apart[i, j] = True
    search.test_neighbours(skeleton, apart)
    votes = _votes(skeleton, apart)
    asked = [(i, j, s.given, k) for i, k, j in triples for s in votes[i, j] if k not in s.given]
    search.test_beside(skeleton, [(i, j, tuple(sorted((*given, k)))) for i, j, given, k in asked])
    known = skeleton.tests_between(apart)
    return [_judge(t, votes[t[0], t[2]], known[t[0], t[2]], skeleton, rule) for t in triples]


def unshielded_triples(adjacent: Mask, contexts: frozenset[int]) -> Iterator[tuple[int, int, int]]:
    """Yield i - k - j with i < j not adjacent, k no context, and not two contexts as ends: nothing separates or joins these."""
    masks = rows_to_masks(adjacent)
    outside = mask_of(contexts)
    for k in range(len(adjacent)):
        if k in contexts:
            continue
        for i, j in combinations(members(masks[k]), 2):
            if not masks[i] >> j & 1 and not (outside >> i & 1 and outside >> j & 1):
                yield i, k, j


def _votes(skeleton: Skeleton, apart: Mask) -> dict[tuple[int, int], list[ConditioningSet]]:
    """Return the separating sets of pairs: those among the neighbours of either end, or if there are none those that the search found."""
    pools = rows_to_masks(skeleton.pools)
    found = {}
    for (i, j), tests in skeleton.tests_between(apart).items():
        sets = [test for test in tests.values() if test.separates]
        inside = [s for s in sets if _within(s.given, pools[i]) or _within(s.given, pools[j])]
        found[i, j] = inside or sets
    return found


def _within(given: Sequence[int], pool: int) -> bool:
    mask = mask_of(given)
    return mask & pool == mask


def _judge(
    triple: tuple[int, int, int],
    sets: Sequence[ConditioningSet],
    known: Mapping[tuple[int, ...], ConditioningSet],
    skeleton: Skeleton,
    rule: ColliderRule,
) -> TripleEvidence:
    i, k, j = triple
    without = [s for s in sets if k not in s.given]
    holding = [s for s in sets if k in s.given]
    verdict, reason = _verdict(without, holding, rule)
    beside = [known[with_k] for s in without if (with_k := tuple(sorted((*s.given, k)))) in known]
    if verdict == "collider" and not beside:
        verdict, reason = "ambiguous", "max_cond_size leaves no test of its ends given the middle"
    elif verdict == "collider" and all(test.separates for test in beside):
        verdict, reason = "ambiguous", "its ends are not seen to depend on each other given the middle"
    unseen = [end for end in (i, j) if skeleton.doubtful[end, k]]
    if unseen:
        verdict, reason = "ambiguous", "knowledge requires an edge of it that the tests would have removed"
    side = holding if verdict == "no collider" else without
    return TripleEvidence(
        i,
        k,
        j,
        verdict,
        reason,
        len(sets),
        len(without),
        max((s.p_value for s in side), default=math.nan),
        min((test.p_value for test in beside), default=math.nan),
    )


def _verdict(
    without: Sequence[ConditioningSet], holding: Sequence[ConditioningSet], rule: ColliderRule
) -> tuple[Verdict, str]:
    """Let the separating sets vote."""
    if not without and not holding:
        return "ambiguous", "no set of neighbours separates its ends, although there is no edge between them"
    if rule == "max_p":
        largest = max(s.log_p_value for s in (*without, *holding))
        without, holding = ([s for s in side if s.log_p_value == largest] for side in (without, holding))
    n, m = len(without), len(holding)
    if n == m or (rule == "conservative" and n and m):
        return "ambiguous", f"{n} of {n + m} separating sets leave the middle out"
    return ("collider", "") if n > m else ("no collider", "")
