"""Tests of independence for labels: the likelihood-ratio statistic G² and Pearson's chi-square, stratum by stratum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import ColumnTypes, Floats
from causalkit.exceptions import DataError
from causalkit.independence._base import FittedTest, on_single_columns
from causalkit.independence._result import TestResult
from causalkit.independence._tails import chi_square_tail

__all__ = ["ChiSquare", "GSquare", "chi_square_test", "g_square_test"]

# So many keys of cells are counted at once.
KEYS = 2**20
# Keys are counted in a table while it is at most this many times as large as they are many.
SPARSE = 16


class _ContingencyTest(FittedTest):
    """Counts, degrees of freedom and the tail; subclasses add the statistic of a table."""

    def __init__(self, *, column_types: ColumnTypes = None) -> None:
        self.column_types = column_types

    def _prepare(self) -> None:
        columns = []
        for k, name in enumerate(self.table_.names):
            values = self.table_.values[:, k]
            if self.table_.types[k] != "categorical" and not np.array_equal(values, np.round(values)):
                raise DataError(
                    f"{type(self).__name__} needs labels or whole numbers, and column {name!r} holds fractions; use "
                    "ci_test='kci' or 'fisher_z', or cut the column into classes"
                )
            columns.append(np.unique(values, return_inverse=True)[1])
        self._codes = np.column_stack(columns)

    def _test(self, i: int, j: int, given: tuple[int, ...]) -> TestResult:
        return self._test_pairs([(i, j)], given)[0]

    def _test_pairs(self, pairs: Sequence[tuple[int, int]], given: tuple[int, ...]) -> list[TestResult]:
        """Test all pairs that have one conditioning set, some at a time; the strata are found once."""
        strata = _numbered(self._codes[:, list(given)])
        step = max(1, KEYS // self.table_.n_rows)
        return [
            result
            for start in range(0, len(pairs), step)
            for result in self._tables(np.array(pairs[start : start + step]), strata)
        ]

    def _tables(self, pairs: NDArray[np.intp], strata: NDArray[np.intp]) -> list[TestResult]:
        cells = Cells.of(self._codes[:, pairs[:, 0]].T, self._codes[:, pairs[:, 1]].T, strata)
        terms = np.bincount(
            cells.pair, weights=self._terms(cells.counts, cells.expected), minlength=len(pairs)
        )
        n, out = self.table_.n_rows, []
        for statistic, dof in zip(
            np.maximum(terms, 0.0).tolist(), cells.degrees_of_freedom().tolist(), strict=True
        ):
            p, log_p = chi_square_tail(statistic, dof)
            out.append(TestResult(statistic, p, log_p, n, dof=dof))
        return out

    def _terms(self, counts: Floats, expected: Floats) -> Floats:
        """Return what each cell that occurs adds to the statistic."""
        raise NotImplementedError


@dataclass(frozen=True)
class Cells:
    """The cells that occur in the contingency tables of many pairs, stratum by stratum; empty cells are not stored.

    Parameters
    ----------
    counts : numpy.ndarray, shape (c,)
        Rows in each cell.
    table : numpy.ndarray of int, shape (c,)
        The stratum of a pair that each cell belongs to, numbered over all pairs.
    line, column : numpy.ndarray of int, shape (c,)
        Line and column of each cell, numbered over all tables.
    n_strata : int
        Strata of each pair.
    n_pairs : int
        Number of pairs.
    """

    counts: Floats
    table: NDArray[np.intp]
    line: NDArray[np.intp]
    column: NDArray[np.intp]
    n_strata: int
    n_pairs: int

    @classmethod
    def of(cls, x: NDArray[np.intp], y: NDArray[np.intp], strata: NDArray[np.intp]) -> Cells:
        """Count the cells of pairs of codes, each of shape (pairs, n), within strata of shape (n,)."""
        levels, n_strata = int(max(x.max(), y.max())) + 1, int(strata.max()) + 1
        table = np.arange(len(x))[:, None] * n_strata + strata
        keys, counts = _occurring((table * levels + x) * levels + y, len(x) * n_strata * levels**2)
        table = keys // levels**2
        return cls(counts, table, keys // levels, table * levels + keys % levels, n_strata, len(x))

    @property
    def pair(self) -> NDArray[np.intp]:
        """The pair that each cell belongs to."""
        return self.table // self.n_strata

    @property
    def expected(self) -> Floats:
        """Expected counts under independence within strata."""
        lines, columns, totals = (_sums(self.counts, key) for key in (self.line, self.column, self.table))
        return lines * columns / totals

    def degrees_of_freedom(self) -> Floats:
        """Return the sum over strata of (r - 1)(c - 1), for the r lines and c columns that occur there, for each pair."""
        size, levels = self.n_pairs * self.n_strata, []
        for key in (self.line, self.column):
            first = np.unique(key, return_index=True)[1]
            levels.append(np.bincount(self.table[first], minlength=size))
        each = (levels[0] - 1) * (levels[1] - 1) * (levels[0] > 0)
        return np.asarray(each.reshape(self.n_pairs, self.n_strata).sum(axis=1), dtype=np.float64)


def _numbered(columns: NDArray[np.intp]) -> NDArray[np.intp]:
    """Number the different rows of some columns of codes."""
    strata = np.zeros(len(columns), dtype=np.intp)
    for column in columns.T:
        strata = np.unique(strata * (int(column.max()) + 1) + column, return_inverse=True)[1]
    return strata


def _occurring(keys: NDArray[np.intp], size: int) -> tuple[NDArray[np.intp], Floats]:
    """Return the keys below a size that occur, ascending, and how often; without sorting where a table of all keys is not large."""
    if size <= SPARSE * keys.size:
        table = np.bincount(keys.ravel(), minlength=size)
        found = np.flatnonzero(table)
        return found, table[found].astype(np.float64)
    found, counts = np.unique(keys, return_counts=True)
    return found, counts.astype(np.float64)


def _sums(counts: Floats, keys: NDArray[np.intp]) -> Floats:
    """Return, for each cell, the sum of the counts of all cells with its key."""
    _, position = np.unique(keys, return_inverse=True)
    return np.asarray(np.bincount(position, weights=counts)[position])


class GSquare(_ContingencyTest):
    """Likelihood-ratio test of independence of labels.

    Parameters
    ----------
    column_types : mapping or sequence, optional
        Types of columns. Labels and whole numbers are accepted, fractions refused.

    Notes
    -----
    G² = 2 Σ n log(n / e) over cells and strata. A stratum adds (r - 1)(c - 1) degrees of freedom, where r and c count the
    levels that occur in it: levels that a stratum never shows cannot vary there.

    References
    ----------
    P. Spirtes, C. Glymour, R. Scheines, "Causation, Prediction, and Search", 2nd edition, 2000, section 5.5.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import GSquare
    >>> rng = np.random.default_rng(0)
    >>> z = rng.integers(2, size=500)
    >>> data = np.column_stack([z ^ (rng.random(500) < 0.2), z ^ (rng.random(500) < 0.2), z])
    >>> test = GSquare().fit(data)
    >>> test(0, 1).p_value < 0.001, test(0, 1, (2,)).p_value > 0.05
    (True, True)
    """

    def _terms(self, counts: Floats, expected: Floats) -> Floats:
        return 2 * counts * np.log(counts / expected)


class ChiSquare(_ContingencyTest):
    """Pearson's chi-square test of independence of labels.

    Parameters
    ----------
    column_types : mapping or sequence, optional
        Types of columns. Labels and whole numbers are accepted, fractions refused.

    See Also
    --------
    GSquare : The likelihood-ratio test, with notes on degrees of freedom.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import ChiSquare
    >>> x = np.repeat([0, 0, 1, 1], [30, 20, 20, 30])
    >>> y = np.repeat([0, 1, 0, 1], [30, 20, 20, 30])
    >>> round(ChiSquare().fit(np.column_stack([x, y]))(0, 1).statistic, 6)
    4.0
    """

    def _terms(self, counts: Floats, expected: Floats) -> Floats:
        # They sum to that of (n - e)^2 / e over all cells, those that do not occur included, since n and e have the same total.
        return counts**2 / expected - counts


def g_square_test(x: Any, y: Any, z: Any = None) -> TestResult:
    """Test whether labels x and y are independent given z, by the likelihood ratio.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Labels: strings, booleans or whole numbers.
    z : array_like, shape (n,) or (n, k), optional
        Conditioning labels.

    Returns
    -------
    TestResult
        Statistic, p-value and degrees of freedom.

    Examples
    --------
    >>> from causalkit.independence import g_square_test
    >>> g_square_test(["a", "b"] * 20, ["u", "v"] * 20).dof
    1.0
    """
    return on_single_columns(GSquare(), x, y, z)


def chi_square_test(x: Any, y: Any, z: Any = None) -> TestResult:
    """Test whether labels x and y are independent given z, by Pearson's chi-square.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Labels: strings, booleans or whole numbers.
    z : array_like, shape (n,) or (n, k), optional
        Conditioning labels.

    Returns
    -------
    TestResult
        Statistic, p-value and degrees of freedom.

    Examples
    --------
    >>> from causalkit.independence import chi_square_test
    >>> round(chi_square_test(["a", "b"] * 20, ["u", "v"] * 20).statistic, 6)
    40.0
    """
    return on_single_columns(ChiSquare(), x, y, z)
