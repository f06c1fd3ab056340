"""The skeleton: which pairs no set of other variables separates.

This is PC-stable (Colombo and Maathuis 2014). The neighbours of all nodes are frozen at the start of each level, every test of
the level is done, and edges are removed at its end. So neither the order of columns nor the order of tests matters. All
separating sets of the level at which a pair is separated are kept: orientation takes a vote among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit.discovery._tests_table import TestRecord
from causalkit.graph import BackgroundKnowledge
from causalkit.independence import CITest, TestResult

Pair: TypeAlias = tuple[int, int]
Given: TypeAlias = tuple[int, ...]
Progress: TypeAlias = Callable[[str, int, int], None]

CHUNK = 64


@dataclass(frozen=True)
class Separation:
    """A set that separates a pair, or comes closest to it where knowledge keeps the pair apart, and the p-value of that test."""

    given: Given
    p_value: float
    separates: bool = True


@dataclass
class Skeleton:
    """Adjacent pairs, separating sets of the others, and all tests.

    Parameters
    ----------
    adjacent : numpy.ndarray of bool, shape (d, d)
        Symmetric; true where no set was found.
    separations : dict
        For each separated pair (i < j) its separating sets.
    evidence : dict
        For each pair (i < j) the test with the largest p-value: the weakest evidence for an edge.
    records : list of TestRecord
        All tests.
    """

    adjacent: NDArray[np.bool_]
    separations: dict[Pair, tuple[Separation, ...]] = field(default_factory=dict)
    evidence: dict[Pair, TestResult] = field(default_factory=dict)
    records: list[TestRecord] = field(default_factory=list)


class SkeletonSearch:
    """PC-stable search for one fitted test.

    Parameters
    ----------
    test : CITest
        Fitted test.
    names : sequence of str
        Names of the columns.
    alpha : float
        Level of the tests.
    max_cond_size : int or None
        Largest conditioning set; None for no limit.
    knowledge : BackgroundKnowledge
        Pairs that cannot have an edge start without one, required edges are not tested, and a node that cannot be a parent of
        either end is not conditioned on.
    progress : callable
        Called with a text, the number of tests done and the number planned in this level.
    """

    def __init__(
        self,
        test: CITest,
        names: Sequence[str],
        alpha: float,
        max_cond_size: int | None,
        knowledge: BackgroundKnowledge,
        progress: Progress,
    ) -> None:
        self.test = test
        self.names = tuple(names)
        self.alpha = alpha
        self.limit = len(names) if max_cond_size is None else max_cond_size
        self.knowledge = knowledge
        self.progress = progress

    def run(self) -> Skeleton:
        """Search level by level until no pair has enough neighbours left."""
        skeleton = Skeleton(self._initial())
        for size in range(min(self.limit, max(len(self.names) - 2, 0)) + 1):
            plan = self._plan(skeleton.adjacent, size)
            if not plan and size > 0:
                break
            results = self._test_all(plan, size)
            self._settle(skeleton, plan, results)
        self._separate_excluded(skeleton)
        return skeleton

    def _initial(self) -> NDArray[np.bool_]:
        d = len(self.names)
        adjacent = ~np.eye(d, dtype=bool)
        for i, j in combinations(range(d), 2):
            if self.knowledge.excludes_edge(self.names[i], self.names[j]):
                adjacent[i, j] = adjacent[j, i] = False
        return adjacent

    def _plan(self, adjacent: NDArray[np.bool_], size: int) -> list[tuple[int, int, Given]]:
        """List the tests of one level, those with equal conditioning sets together."""
        triples = [
            (i, j, given)
            for i, j in combinations(range(len(self.names)), 2)
            if adjacent[i, j] and not self._required(i, j)
            for given in self._candidates(adjacent, i, j, size)
        ]
        return sorted(triples, key=lambda t: (t[2], t[0], t[1]))

    def _required(self, i: int, j: int) -> bool:
        a, b = self.names[i], self.names[j]
        return self.knowledge.is_required(a, b) or self.knowledge.is_required(b, a)

    def _candidates(self, adjacent: NDArray[np.bool_], i: int, j: int, size: int) -> Iterator[Given]:
        """Yield the sets of possible parents of i, and of j, each once."""
        seen = set()
        for a, b in ((i, j), (j, i)):
            pool = [k for k in np.flatnonzero(adjacent[a]).tolist() if k != b and self._may_be_parent(k, a)]
            for given in combinations(pool, size):
                if given not in seen:
                    seen.add(given)
                    yield given

    def _may_be_parent(self, k: int, a: int) -> bool:
        return not self.knowledge.is_forbidden(self.names[k], self.names[a])

    def _test_all(self, plan: Sequence[tuple[int, int, Given]], size: int) -> list[TestResult]:
        """Do the tests in chunks, so that progress can be told."""
        results: list[TestResult] = []
        for start in range(0, len(plan), CHUNK):
            chunk = plan[start : start + CHUNK]
            i, j, given = chunk[0]
            what = f"{self.names[i]} vs {self.names[j]}" + (f" given {self._names(given)}" if given else "")
            self.progress(f"sets of {size}: {what}", len(results), len(plan))
            results += self.test.batch(chunk)
        self.progress(f"sets of {size}", len(plan), len(plan))
        return results

    def _separate_excluded(self, skeleton: Skeleton) -> None:
        """Find separating sets for pairs without an edge by knowledge, where an unshielded triple depends on them.

        Without this, a triple i - k - j whose ends knowledge keeps apart would be taken for no collider, unseen.
        """
        waiting = [pair for pair in self._pairs_apart(skeleton.adjacent) if pair not in skeleton.separations]
        for size in range(self.limit + 1):
            plan = [
                (i, j, given) for i, j in waiting for given in self._candidates(skeleton.adjacent, i, j, size)
            ]
            if not plan:
                break
            plan.sort(key=lambda t: (t[2], t[0], t[1]))
            self._settle(skeleton, plan, self._test_all(plan, size))
            waiting = [pair for pair in waiting if pair not in skeleton.separations]
        for pair in waiting:
            skeleton.separations[pair] = self._least_dependent(skeleton, pair)

    def _pairs_apart(self, adjacent: NDArray[np.bool_]) -> Iterator[Pair]:
        """Yield pairs with a common neighbour that knowledge keeps apart, except two sources, where nothing can be a cause of either."""
        common = adjacent.astype(int) @ adjacent.astype(int) > 0
        for i, j in combinations(range(len(self.names)), 2):
            excluded = self.knowledge.excludes_edge(self.names[i], self.names[j])
            if excluded and common[i, j] and not (self._is_source(i) and self._is_source(j)):
                yield i, j

    def _is_source(self, k: int) -> bool:
        return all(
            self.knowledge.is_forbidden(name, self.names[k]) for m, name in enumerate(self.names) if m != k
        )

    def _least_dependent(self, skeleton: Skeleton, pair: Pair) -> tuple[Separation, ...]:
        """Return the set with the largest p-value, for a pair that no set separates although it has no edge."""
        i, j = pair
        tests = [r for r in skeleton.records if {r.x, r.y} == {self.names[i], self.names[j]}]
        best = max(tests, key=lambda r: r.log_p_value)
        at = {name: k for k, name in enumerate(self.names)}
        return (Separation(tuple(at[name] for name in best.given), best.p_value, separates=False),)

    def _names(self, columns: Iterable[int]) -> str:
        return ", ".join(self.names[k] for k in columns)

    def _settle(
        self, skeleton: Skeleton, plan: Sequence[tuple[int, int, Given]], results: Sequence[TestResult]
    ) -> None:
        """Record the tests of a level, then remove the edges of all separated pairs."""
        found: dict[Pair, list[Separation]] = {}
        for (i, j, given), result in zip(plan, results, strict=True):
            independent = bool(result.p_value > self.alpha)
            skeleton.records.append(self._record(i, j, given, result, independent))
            weakest = skeleton.evidence.get((i, j))
            if weakest is None or result.log_p_value > weakest.log_p_value:
                skeleton.evidence[i, j] = result
            if independent:
                found.setdefault((i, j), []).append(Separation(given, result.p_value))
        for (i, j), separations in found.items():
            skeleton.separations[i, j] = tuple(separations)
            skeleton.adjacent[i, j] = skeleton.adjacent[j, i] = False

    def _record(self, i: int, j: int, given: Given, result: TestResult, independent: bool) -> TestRecord:
        names = tuple(self.names[k] for k in given)
        log_p = result.log_p_value
        return TestRecord(
            self.names[i], self.names[j], names, result.statistic, result.p_value, log_p, independent
        )
