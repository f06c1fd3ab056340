"""The record of a search: every test that was done, as columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

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


@dataclass(frozen=True)
class TestTable:
    """All tests of a search, in the order of conditioning set size.

    Parameters
    ----------
    records : tuple of TestRecord
        One record per test.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.discovery import PC
    >>> model = PC().fit(np.random.default_rng(0).normal(size=(100, 3)))
    >>> len(model.tests_)
    3
    """

    __test__ = False

    records: tuple[TestRecord, ...]

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[TestRecord]:
        return iter(self.records)

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
        return TestTable(tuple(r for r in self.records if {r.x, r.y} == {x, y}))

    def to_dict(self) -> dict[str, list[Any]]:
        """Return the table as columns.

        Returns
        -------
        dict of str to list
            One list per column.
        """
        return {name: [getattr(r, name) for r in self.records] for name in TestRecord._fields}

    def to_pandas(self) -> Any:
        """Return the table as a pandas data frame; needs pandas.

        Returns
        -------
        pandas.DataFrame
            One row per test.
        """
        import pandas as pd

        return pd.DataFrame(self.to_dict())
