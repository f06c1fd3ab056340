"""Which sets separate which pairs: kept as the arrays that the tests came in, and turned into objects for the pairs that are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit.discovery._tests_table import TestBlock

__all__ = ["ConditioningSet", "SeparatingSets", "Separations"]

Pair: TypeAlias = tuple[int, int]
Given: TypeAlias = tuple[int, ...]


class ConditioningSet(NamedTuple):
    """A set that a pair was tested given, with the p-value, and whether it separates the pair."""

    given: Given
    p_value: float
    log_p_value: float
    separates: bool


@dataclass(frozen=True, eq=False)
class Found:
    """Tests that found independence, sorted by pair."""

    keys: NDArray[np.intp]
    block: TestBlock

    def of(self, key: int) -> Iterator[ConditioningSet]:
        """Yield the sets of one pair, in the order of the tests."""
        start, stop = np.searchsorted(self.keys, [key, key + 1])
        yield from sets_of(self.block.select(np.arange(start, stop)))


def sets_of(block: TestBlock) -> Iterator[ConditioningSet]:
    """Yield the sets that the tests of a block conditioned on."""
    r = block.results
    sets = map(tuple, block.given.tolist())
    yield from map(
        ConditioningSet, sets, r.p_value.tolist(), r.log_p_value.tolist(), block.independent.tolist()
    )


class Separations(Mapping[Pair, tuple[ConditioningSet, ...]]):
    """The separating sets of each separated pair i < j.

    A search on a thousand variables separates half a million pairs, and orientation asks for a few thousand of them.

    Parameters
    ----------
    d : int
        Number of columns.
    """

    def __init__(self, d: int) -> None:
        self.mask = np.zeros((d, d), dtype=bool)
        self._found: list[Found] = []

    def add(self, block: TestBlock) -> None:
        """Take in the tests of a block that found independence."""
        found = block.select(block.independent)
        keys = found.i * len(self.mask) + found.j
        order = np.argsort(keys, kind="stable")
        self._found.append(Found(keys[order], found.select(order)))
        self.mask[found.i, found.j] = True

    def __getitem__(self, pair: Pair) -> tuple[ConditioningSet, ...]:
        if pair not in self:
            raise KeyError(pair)
        key = pair[0] * len(self.mask) + pair[1]
        return tuple(tested for found in self._found for tested in found.of(key))

    def __contains__(self, pair: object) -> bool:
        return isinstance(pair, tuple) and bool(self.mask[pair])

    def __iter__(self) -> Iterator[Pair]:
        return ((i, j) for i, j in np.argwhere(self.mask).tolist())

    def __len__(self) -> int:
        return int(self.mask.sum())


class SeparatingSets(Mapping[tuple[str, str], tuple[tuple[str, ...], ...]]):
    """The separating sets of a search by the names of a pair, in either order.

    Parameters
    ----------
    names : tuple of str
        Names of the columns.
    separations : Separations
        Sets by position.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.discovery import PC
    >>> a, b, e = np.random.default_rng(0).normal(size=(3, 200))
    >>> PC().fit(np.column_stack([a, a + b + e, b])).sepsets_
    {('X1', 'X3'): ((),)}
    """

    def __init__(self, names: tuple[str, ...], separations: Separations) -> None:
        self._names, self._separations = names, separations
        self._position = {name: k for k, name in enumerate(names)}

    def __getitem__(self, pair: tuple[str, str]) -> tuple[tuple[str, ...], ...]:
        i, j = sorted(self._position[name] for name in pair)
        sets = self._separations[i, j]
        return tuple(tuple(self._names[k] for k in s.given) for s in sets)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((self._names[i], self._names[j]) for i, j in self._separations)

    def __len__(self) -> int:
        return len(self._separations)

    def __repr__(self) -> str:
        return repr(dict(self))
