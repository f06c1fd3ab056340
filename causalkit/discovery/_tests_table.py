"""The record of a search: every test that was done, as columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from causalkit.independence import ResultColumns

__all__ = ["TestRecord", "TestTable"]


class TestRecord(NamedTuple):
    """One test of a search: x against y given z, by name."""

    x: str
    y: str
    given: tuple[str, ...]
    statistic: float
    p_value: float
    log_p_value: float
    independent: bool
    n: int


@dataclass(frozen=True, eq=False)
class TestBlock:
    """Tests with conditioning sets of one size, as arrays.

    Parameters
    ----------
    i, j : numpy.ndarray of int, shape (m,)
        Columns that were tested.
    given : numpy.ndarray of int, shape (m, q)
        Columns that were conditioned on.
    results : ResultColumns
        Statistics and p-values.
    independent : numpy.ndarray of bool, shape (m,)
        Whether independence was accepted.
    """

    __test__ = False

    i: NDArray[np.intp]
    j: NDArray[np.intp]
    given: NDArray[np.intp]
    results: ResultColumns
    independent: NDArray[np.bool_]

    def select(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """Return some of the tests."""
        results, independent = self.results.take(rows), self.independent[rows]
        return type(self)(self.i[rows], self.j[rows], self.given[rows], results, independent)

    def rows(self) -> NDArray[np.intp]:
        """Return i, j and the set of each test in one row."""
        return np.column_stack([self.i, self.j, self.given])


@dataclass(frozen=True, eq=False)
class TestTable:
    """All tests of a search, in the order of conditioning set size.

    Parameters
    ----------
    names : tuple of str
        Names of the variables.
    blocks : tuple of TestBlock
        The tests, by size of conditioning set.
    rows : int or numpy.ndarray of bool, shape (n, d)
        Number of rows, or which entries are missing: a test used the rows that are complete in its columns.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.discovery import PC
    >>> model = PC().fit(np.random.default_rng(0).normal(size=(100, 3)))
    >>> len(model.tests_), model.tests_.of("X1", "X2").to_dict()["given"]
    (3, [()])
    """

    __test__ = False

    names: tuple[str, ...]
    blocks: tuple[TestBlock, ...]
    rows: int | NDArray[np.bool_] = 0

    def __len__(self) -> int:
        return sum(len(block.i) for block in self.blocks)

    def __iter__(self) -> Iterator[TestRecord]:
        for block in self.blocks:
            r = block.results
            numbers = (r.statistic.tolist(), r.p_value.tolist(), r.log_p_value.tolist())
            names = [self._named(block.i), self._named(block.j)]
            sets = (tuple(self.names[k] for k in row) for row in block.given.tolist())
            yield from map(TestRecord, *names, sets, *numbers, block.independent.tolist(), self._used(block))

    def _used(self, block: TestBlock) -> list[int]:
        """Return the number of rows that each test of a block used."""
        if isinstance(self.rows, int):
            return [self.rows] * len(block.i)
        columns = np.column_stack([block.i, block.j, block.given])
        return [int(np.sum(~self.rows[:, k].any(axis=1))) for k in columns]

    def _named(self, positions: NDArray[np.intp]) -> list[str]:
        return [self.names[k] for k in positions.tolist()]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TestTable) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def of(self, x: str, y: str) -> TestTable:
        """Return the tests of one pair of variables, in either order.

        Parameters
        ----------
        x, y : str
            Two variables.

        Returns
        -------
        TestTable
            Their tests.
        """
        pair = sorted(self.names.index(name) if name in self.names else -1 for name in (x, y))
        ends = [np.sort(np.column_stack([block.i, block.j]), axis=1) for block in self.blocks]
        chosen = (b.select((e == pair).all(axis=1)) for b, e in zip(self.blocks, ends, strict=True))
        return TestTable(self.names, tuple(chosen), self.rows)

    def to_dict(self) -> dict[str, list[Any]]:
        """Return the table as columns.

        Returns
        -------
        dict of str to list
            One list per column.
        """
        records = list(self)
        return {name: [getattr(r, name) for r in records] for name in TestRecord._fields}

    def to_pandas(self) -> Any:
        """Return the table as a pandas data frame; needs pandas.

        Returns
        -------
        pandas.DataFrame
            One row per test.
        """
        import pandas as pd

        return pd.DataFrame(self.to_dict())
