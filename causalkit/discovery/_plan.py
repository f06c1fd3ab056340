"""Which tests a level of a search does: every pair given every subset of the neighbours of either end, as arrays.

A level of a search on a thousand variables has a million tests. They are enumerated with one index array per pool size, and in
pieces, so that a level that is too large to hold is still too large only to finish.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, islice
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Plan", "plan_level"]

Mask: TypeAlias = NDArray[np.bool_]
Indices: TypeAlias = NDArray[np.intp]

PIECE = 2**19


@dataclass(frozen=True, eq=False)
class Plan:
    """Tests to do: column i against column j, each with a conditioning set of the same size.

    Parameters
    ----------
    i, j : numpy.ndarray of int, shape (m,)
        The pairs, i < j.
    given : numpy.ndarray of int, shape (m, q)
        The conditioning sets, ascending.
    """

    i: Indices
    j: Indices
    given: Indices

    def __len__(self) -> int:
        return len(self.i)

    def __getitem__(self, rows: slice | Indices) -> Plan:
        return Plan(self.i[rows], self.j[rows], self.given[rows])

    def sorted(self) -> Plan:
        """Return the tests with equal conditioning sets next to one another."""
        return self[np.lexsort((self.j, self.i, *self.given.T[::-1]))]

    def group_starts(self) -> Indices:
        """Return where a new conditioning set starts in a sorted plan."""
        changed = (self.given[1:] != self.given[:-1]).any(axis=1)
        return np.concatenate([[0], np.flatnonzero(changed) + 1]).astype(np.intp)


def plan_level(pairs: Mask, pools: Mask, size: int) -> Iterator[Plan]:
    """Yield the tests of a level in pieces, each sorted by conditioning set.

    Parameters
    ----------
    pairs : numpy.ndarray of bool, shape (d, d)
        Symmetric: the pairs to test.
    pools : numpy.ndarray of bool, shape (d, d)
        Row a: what can be conditioned on in a test of a.
    size : int
        Size of the conditioning sets.

    Yields
    ------
    Plan
        Tests; together every pair given every subset of the pool of either end, each once.
    """
    waiting: list[Plan] = []
    size_waiting = 0
    for a in np.flatnonzero(pairs.any(axis=1) & (pools.sum(axis=1) >= size)).tolist():
        for part in _tests_of(a, pairs, pools, size):
            waiting.append(part)
            size_waiting += len(part)
            if size_waiting >= PIECE:
                yield _joined(waiting)
                waiting, size_waiting = [], 0
    if size_waiting:
        yield _joined(waiting)


def _joined(parts: list[Plan]) -> Plan:
    columns = (np.concatenate([getattr(part, name) for part in parts]) for name in ("i", "j", "given"))
    return Plan(*columns).sorted()


def _tests_of(a: int, pairs: Mask, pools: Mask, size: int) -> Iterator[Plan]:
    """Yield the tests of a with its partners given subsets of its pool."""
    pool, partners = np.flatnonzero(pools[a]), np.flatnonzero(pairs[a])
    step = max(1, PIECE // max(len(partners), 1))
    for chosen in _subsets(len(pool), size, step):
        sets = pool[chosen]
        allowed = ~(sets[None, :, :] == partners[:, None, None]).any(axis=2)
        # The end with the smaller number has brought in the subsets of both pools already.
        inside = pools[partners[:, None, None], sets[None, :, :]].all(axis=2)
        allowed &= ~inside | (partners > a)[:, None]
        b, s = np.nonzero(allowed)
        other = partners[b]
        yield Plan(np.minimum(other, a), np.maximum(other, a), sets[s])


def _subsets(n: int, size: int, step: int) -> Iterator[Indices]:
    """Yield all subsets of range(n) of a size, some rows at a time."""
    if n <= 30 and size <= 3:
        yield _all_subsets(n, size)
        return
    subsets = combinations(range(n), size)
    while rows := list(islice(subsets, step)):
        yield np.array(rows, dtype=np.intp).reshape(len(rows), size)


@lru_cache(maxsize=256)
def _all_subsets(n: int, size: int) -> Indices:
    rows = list(combinations(range(n), size))
    return np.array(rows, dtype=np.intp).reshape(len(rows), size)
