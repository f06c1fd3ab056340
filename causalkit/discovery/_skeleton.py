"""The skeleton: which pairs no set of other variables separates.

This is PC-stable (Colombo and Maathuis 2014). The neighbours of all nodes are frozen at the start of each level, every test of
the level is done, and edges are removed at its end. So neither the order of columns nor the order of tests matters. All
separating sets that are found are kept.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit.discovery._plan import Plan, plan_level
from causalkit.discovery._runner import Runner
from causalkit.discovery._separations import ConditioningSet, Given, Pair, Separations, sets_of
from causalkit.discovery._tests_table import TestBlock
from causalkit.graph import BackgroundKnowledge

Mask: TypeAlias = NDArray[np.bool_]
Stop: TypeAlias = Literal["exhaustive", "first"]


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
    pools : numpy.ndarray of bool, shape (d, d)
        Row a: the neighbours of a that can be its causes, as far as knowledge goes.
    doubtful : numpy.ndarray of bool, shape (d, d)
        Symmetric; true for an edge that knowledge requires and some set separates.
    evidence : Evidence or None
        For each pair (i < j) the test with the largest p-value.
    blocks : list of TestBlock
        All tests.
    """

    adjacent: Mask
    separations: Separations
    pools: Mask
    doubtful: Mask
    evidence: Evidence | None = None
    blocks: list[TestBlock] = field(default_factory=list)

    @property
    def n_tests(self) -> int:
        """Number of tests done."""
        return sum(len(block.i) for block in self.blocks)

    def tests_between(self, pairs: Mask) -> dict[Pair, dict[Given, ConditioningSet]]:
        """Return all tests of some pairs i < j, by conditioning set."""
        found: dict[Pair, dict[Given, ConditioningSet]] = {(i, j): {} for i, j in np.argwhere(pairs).tolist()}
        for block in self.blocks:
            part = block.select(pairs[block.i, block.j])
            for i, j, tested in zip(part.i.tolist(), part.j.tolist(), sets_of(part), strict=True):
                found[i, j][tested.given] = tested
        return found


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
        Pairs that cannot have an edge start without one, required edges stay whatever the tests say, and a node that cannot be a parent
        of either end is not conditioned on.
    stop : {"exhaustive", "first"}, default="exhaustive"
        Do all tests of a level, or stop testing a pair at its first separating set.
    """

    def __init__(
        self,
        run_tests: Runner,
        names: Sequence[str],
        alpha: float,
        max_cond_size: int | None,
        knowledge: BackgroundKnowledge,
        stop: Stop = "exhaustive",
    ) -> None:
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
        possible = ~np.eye(d, dtype=bool) & ~self._excluded
        skeleton = Skeleton(possible, Separations(d), possible, np.zeros_like(possible), Evidence(d))
        for size in range(min(self.limit, max(d - 2, 0)) + 1):
            skeleton.pools = skeleton.adjacent & self._may_be_parent
            tested = self._level(skeleton, skeleton.adjacent & ~skeleton.doubtful, size)
            self._remove_separated(skeleton)
            if size == 0:
                self._remember_marginal(skeleton)
            elif not tested:
                break
        skeleton.pools = skeleton.adjacent & self._may_be_parent
        return skeleton

    def test_neighbours(self, skeleton: Skeleton, pairs: Mask) -> None:
        """Test pairs i < j given every set of neighbours of either end, up to the limit, as far as that has not been done."""
        largest = int(min(self.limit, skeleton.pools.sum(axis=1).max(initial=0)))
        for size in range(largest + 1):
            for plan in plan_level(pairs | pairs.T, skeleton.pools, size):
                self._test_new(skeleton, plan)

    def test_beside(self, skeleton: Skeleton, tests: Collection[tuple[int, int, Given]]) -> None:
        """Do single tests (i, j, given), as far as the limit allows and they have not been done."""
        for size in sorted({len(given) for *_, given in tests if len(given) <= self.limit}):
            rows = np.array([(i, j, *given) for i, j, given in tests if len(given) == size], dtype=np.intp)
            self._test_new(skeleton, Plan(rows[:, 0], rows[:, 1], rows[:, 2:]))

    # -- one level -----------------------------------------------------------------------------------------------------------------

    def _level(self, skeleton: Skeleton, pairs: Mask, size: int) -> bool:
        """Do the tests of one level; nothing is removed before its end. Return whether there were any."""
        before = skeleton.n_tests
        if self.stop == "first" and size > 0:
            self._in_waves(skeleton, pairs, skeleton.pools, size)
        else:
            for plan in plan_level(pairs, skeleton.pools, size):
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
            found = skeleton.separations.mask | skeleton.doubtful
            waiting = {pair: sets[taken:] for pair, sets in waiting.items() if not found[pair]}
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
        required = self._required[block.i, block.j]
        skeleton.separations.add(block.select(~required))
        held = block.select(required & block.independent)
        skeleton.doubtful[held.i, held.j] = skeleton.doubtful[held.j, held.i] = True

    def _test_new(self, skeleton: Skeleton, plan: Plan) -> None:
        """Do the tests of a plan that are not among those done, each once."""
        asked = np.zeros_like(skeleton.adjacent)
        asked[plan.i, plan.j] = True
        alike = [block for block in skeleton.blocks if block.given.shape[1] == plan.given.shape[1]]
        done = [part.rows() for block in alike if len((part := block.select(asked[block.i, block.j])).i)]
        rows = np.concatenate([*done, np.column_stack([plan.i, plan.j, plan.given])])
        first = np.unique(rows, axis=0, return_index=True)[1] - (len(rows) - len(plan))
        new = np.sort(first[first >= 0])
        if len(new):
            self._test(skeleton, plan[new].sorted())

    def _remember_marginal(self, skeleton: Skeleton) -> None:
        for block in skeleton.blocks:
            self._marginal[block.i, block.j] = self._marginal[block.j, block.i] = block.results.log_p_value

    def _remove_separated(self, skeleton: Skeleton) -> None:
        separated = skeleton.separations.mask
        skeleton.adjacent &= ~(separated | separated.T)
