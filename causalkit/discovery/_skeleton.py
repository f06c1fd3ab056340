"""The skeleton: which pairs no set of other variables separates.

This is PC-stable (Colombo and Maathuis 2014). The neighbours of all nodes are frozen at the start of each level, every test of
the level is done, and edges are removed at its end. So neither the order of columns nor the order of tests matters. All
separating sets of the level at which a pair is separated are kept: orientation takes a vote among them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit.discovery._plan import Plan, plan_level
from causalkit.discovery._runner import Runner
from causalkit.discovery._separations import Given, Separation, Separations
from causalkit.discovery._tests_table import TestBlock
from causalkit.graph import BackgroundKnowledge

Mask: TypeAlias = NDArray[np.bool_]
Stop: TypeAlias = Literal["exhaustive", "first"]
ColliderRule: TypeAlias = Literal["majority", "max_p"]


class Evidence:
    """For each pair the test with the largest p-value: the weakest evidence for an edge.

    Parameters
    ----------
    d : int
        Number of columns.
    """

    def __init__(self, d: int) -> None:
        self.log_p_value = np.full((d, d), -np.inf)
        self.p_value, self.statistic = np.full((2, d, d), np.nan)

    def add(self, block: TestBlock) -> None:
        """Take in tests; where a pair occurs several times the weakest stays."""
        r, at = block.results, (block.i, block.j)
        before = self.log_p_value[at]
        np.maximum.at(self.log_p_value, at, r.log_p_value)
        weakest = np.flatnonzero((r.log_p_value > before) & (r.log_p_value == self.log_p_value[at]))
        at = block.i[weakest], block.j[weakest]
        self.p_value[at], self.statistic[at] = r.p_value[weakest], r.statistic[weakest]

    def get(self, i: int, j: int) -> tuple[float, float] | None:
        """Return p-value and statistic of a pair i < j, or None if it was never tested."""
        if np.isnan(self.p_value[i, j]):
            return None
        return float(self.p_value[i, j]), float(self.statistic[i, j])


@dataclass
class Skeleton:
    """Adjacent pairs, separating sets of the others, and all tests.

    Parameters
    ----------
    adjacent : numpy.ndarray of bool, shape (d, d)
        Symmetric; true where no set was found.
    separations : Separations
        For each separated pair (i < j) its separating sets.
    evidence : Evidence or None
        For each pair (i < j) the test with the largest p-value.
    blocks : list of TestBlock
        All tests.
    """

    adjacent: Mask
    separations: Separations
    evidence: Evidence | None = None
    blocks: list[TestBlock] = field(default_factory=list)

    @property
    def n_tests(self) -> int:
        """Number of tests done."""
        return sum(len(block.i) for block in self.blocks)


class SkeletonSearch:
    """PC-stable search.

    Parameters
    ----------
    run_tests : Runner
        Does the tests.
    names : sequence of str
        Names of the columns.
    alpha : float
        Level of the tests.
    max_cond_size : int or None
        Largest conditioning set; None for no limit.
    knowledge : BackgroundKnowledge
        Pairs that cannot have an edge start without one, required edges are not tested, and a node that cannot be a parent of
        either end is not conditioned on.
    stop : {"exhaustive", "first"}, default="exhaustive"
        Do all tests of a level, or stop testing a pair at its first separating set.
    colliders : {"majority", "max_p"}, default="majority"
        What orientation goes by: all separating sets that were found, or the one set of neighbours with the largest p-value, of all sizes.
    """

    def __init__(
        self,
        run_tests: Runner,
        names: Sequence[str],
        alpha: float,
        max_cond_size: int | None,
        knowledge: BackgroundKnowledge,
        stop: Stop = "exhaustive",
        colliders: ColliderRule = "majority",
    ) -> None:
        self.colliders = colliders
        self.run_tests = run_tests
        self.names = tuple(names)
        self.alpha = alpha
        self.limit = len(names) if max_cond_size is None else max_cond_size
        self.stop = stop
        d = len(self.names)
        pairs = list(combinations(range(d), 2))
        self._excluded, self._required = np.zeros((2, d, d), dtype=bool)
        self._may_be_parent = np.ones((d, d), dtype=bool)
        self._marginal = np.zeros((d, d))
        for i, j in pairs if knowledge.names() else []:
            a, b = self.names[i], self.names[j]
            self._excluded[i, j] = self._excluded[j, i] = knowledge.excludes_edge(a, b)
            self._required[i, j] = self._required[j, i] = knowledge.is_required(
                a, b
            ) or knowledge.is_required(b, a)
            self._may_be_parent[i, j] = not knowledge.is_forbidden(b, a)
            self._may_be_parent[j, i] = not knowledge.is_forbidden(a, b)

    def run(self) -> Skeleton:
        """Search level by level until no pair has enough neighbours left."""
        d = len(self.names)
        skeleton = Skeleton(~np.eye(d, dtype=bool) & ~self._excluded, Separations(d), Evidence(d))
        for size in range(min(self.limit, max(d - 2, 0)) + 1):
            pairs = skeleton.adjacent & ~self._required
            tested = self._level(skeleton, pairs, size)
            self._remove_separated(skeleton)
            if size == 0:
                self._remember_marginal(skeleton)
            elif not tested:
                break
        self._separate_excluded(skeleton)
        if self.colliders == "max_p":
            self._maximise(skeleton)
        return skeleton

    # -- one level -----------------------------------------------------------------------------------------------------------------

    def _level(self, skeleton: Skeleton, pairs: Mask, size: int) -> bool:
        """Do the tests of one level; nothing is removed before its end. Return whether there were any."""
        pools = skeleton.adjacent & self._may_be_parent
        before = skeleton.n_tests
        if self.stop == "first" and size > 0:
            self._in_waves(skeleton, pairs, pools, size)
        else:
            for plan in plan_level(pairs, pools, size):
                self._test(skeleton, plan)
        return skeleton.n_tests > before

    def _in_waves(self, skeleton: Skeleton, pairs: Mask, pools: Mask, size: int) -> None:
        """Give every pair its next sets, twice as many each time, until one separates it or none is left."""
        waiting = {
            (i, j): self._by_strength(i, j, pools, size) for i, j in np.argwhere(np.triu(pairs)).tolist()
        }
        taken = 1
        while any(waiting.values()):
            wave = [(i, j, given) for (i, j), sets in waiting.items() for given in sets[:taken]]
            i, j, given = (np.array(column, dtype=np.intp) for column in zip(*wave, strict=True))
            self._test(skeleton, Plan(i, j, given.reshape(len(wave), size)).sorted())
            for pair in [pair for pair in waiting if pair in skeleton.separations]:
                sets = waiting.pop(pair)
                first = min(skeleton.separations[pair], key=lambda s: sets.index(s.given))
                skeleton.separations[pair] = (first,)
            waiting = {pair: sets[taken:] for pair, sets in waiting.items()}
            taken *= 2

    def _by_strength(self, i: int, j: int, pools: Mask, size: int) -> list[Given]:
        """Return the sets for a pair, those most dependent on both ends first: the likeliest to separate it.

        Ties are broken by name, so that the order of columns does not matter.
        """
        strength = self._marginal[i] + self._marginal[j]
        sets = {
            given
            for a, b in ((i, j), (j, i))
            for given in combinations([k for k in np.flatnonzero(pools[a]).tolist() if k != b], size)
        }
        return sorted(sets, key=lambda s: (float(strength[list(s)].sum()), sorted(self.names[k] for k in s)))

    def _test(self, skeleton: Skeleton, plan: Plan) -> None:
        """Do the tests of a plan and record them."""
        results = self.run_tests(plan)
        block = TestBlock(plan.i, plan.j, plan.given, results, results.p_value > self.alpha)
        skeleton.blocks.append(block)
        if skeleton.evidence is not None:
            skeleton.evidence.add(block)
        skeleton.separations.add(block)

    def _remember_marginal(self, skeleton: Skeleton) -> None:
        for block in skeleton.blocks:
            self._marginal[block.i, block.j] = self._marginal[block.j, block.i] = block.results.log_p_value

    def _remove_separated(self, skeleton: Skeleton) -> None:
        separated = skeleton.separations.mask
        skeleton.adjacent &= ~(separated | separated.T)

    def _maximise(self, skeleton: Skeleton) -> None:
        """Give every pair with a common neighbour the set with the largest p-value among all sets of neighbours (Ramsey 2016).

        A weak dependence that a small sample does not show separates a pair by the empty set, and would make a collider of what lies between.
        """
        common = skeleton.adjacent.astype(int) @ skeleton.adjacent.astype(int) > 0
        apart = np.triu(common & ~skeleton.adjacent & skeleton.separations.mask, k=1)
        pools = skeleton.adjacent & self._may_be_parent
        largest = int(min(self.limit, pools.sum(axis=1).max(initial=0)))
        for size in range(largest + 1):
            for plan in plan_level(apart | apart.T, pools, size):
                self._test(skeleton, plan)
        for i, j in np.argwhere(apart).tolist():
            found = _least_dependent(skeleton, i, j)
            skeleton.separations[i, j] = (Separation(found.given, found.p_value),)

    # -- pairs that knowledge keeps apart --------------------------------------------------------------------------------------------

    def _separate_excluded(self, skeleton: Skeleton) -> None:
        """Find separating sets for pairs without an edge by knowledge, where an unshielded triple depends on them.

        Without this, a triple i - k - j whose ends knowledge keeps apart would be taken for no collider, unseen.
        """
        if not self._excluded.any():
            return
        waiting = self._pairs_apart(skeleton.adjacent) & ~skeleton.separations.mask
        apart = np.argwhere(waiting).tolist()
        for size in range(self.limit + 1):
            if not self._level(skeleton, waiting | waiting.T, size):
                break
            waiting &= ~skeleton.separations.mask
        for i, j in apart:
            if (i, j) not in skeleton.separations:
                skeleton.separations[i, j] = (_least_dependent(skeleton, i, j),)

    def _pairs_apart(self, adjacent: Mask) -> Mask:
        """Return pairs i < j with a common neighbour that knowledge keeps apart, except two sources, where nothing can be a cause of either."""
        common = adjacent.astype(int) @ adjacent.astype(int) > 0
        possible = self._may_be_parent & ~np.eye(len(self.names), dtype=bool)
        source = ~np.asarray(possible.any(axis=1))
        return np.asarray(np.triu(self._excluded & common & ~(source[:, None] & source[None, :]), k=1))


def _least_dependent(skeleton: Skeleton, i: int, j: int) -> Separation:
    """Return the set with the largest p-value, for a pair that no set separates although it has no edge."""
    of_pair = [block.select((block.i == i) & (block.j == j)) for block in skeleton.blocks]
    tested = [block for block in of_pair if len(block.results.log_p_value)]
    block = max(tested, key=lambda b: b.results.log_p_value.max())
    best = int(block.results.log_p_value.argmax())
    return Separation(tuple(block.given[best].tolist()), float(block.results.p_value[best]), separates=False)
