"""Tests between variables that are several columns each."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from causalkit._validation import Table
from causalkit.exceptions import ParameterError
from causalkit.independence._base import CITest, FittedTest
from causalkit.independence._kci import KCI
from causalkit.independence._result import TestResult


class GroupedTest(FittedTest):
    """A kernel test whose variables are the nodes of a table with groups of columns.

    Parameters
    ----------
    test : CITest
        A `KCI`; other tests know single columns only.
    """

    def __init__(self, test: CITest) -> None:
        if not isinstance(test, KCI):
            raise ParameterError(
                f"groups of columns need a test that takes several columns as one variable, ci_test='kci'; got {test!r}"
            )
        self.test = test

    def fit(self, data: Table) -> GroupedTest:
        """Fit the test on all columns.

        Parameters
        ----------
        data : Table
            Columns and their groups.

        Returns
        -------
        GroupedTest
            The test itself; its variables are numbered as the nodes of the table.
        """
        self.table_ = data.nodes()
        self._blocks = [data.positions(name) for name in self.table_.names]
        self.test = self.test.fit(data)
        return self

    def _test(self, i: int, j: int, given: tuple[int, ...]) -> TestResult:
        return self._test_pairs([(i, j)], given)[0]

    def _test_pairs(self, pairs: Sequence[tuple[int, int]], given: tuple[int, ...]) -> list[TestResult]:
        blocks = [(self._blocks[i], self._blocks[j]) for i, j in pairs]
        return self.test.test_blocks(blocks, tuple(chain.from_iterable(self._blocks[k] for k in given)))
