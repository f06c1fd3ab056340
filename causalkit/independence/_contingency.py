"""Tests of independence for labels: the likelihood-ratio statistic G² and Pearson's chi-square, stratum by stratum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import ColumnTypes, Floats
from causalkit.exceptions import DataError
from causalkit.independence._base import FittedTest, on_single_columns
from causalkit.independence._result import TestResult
from causalkit.independence._tails import chi_square_tail

__all__ = ["ChiSquare", "GSquare", "chi_square_test", "g_square_test"]


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
        counts, expected, dof = self._cells(i, j, given)
        statistic = max(self._statistic(counts, expected), 0.0)
        p, log_p = chi_square_tail(statistic, dof)
        return TestResult(statistic, p, log_p, self.table_.n_rows, dof=dof)

    def _cells(self, i: int, j: int, given: tuple[int, ...]) -> tuple[Floats, Floats, float]:
        """Return counts and expected counts of the cells that occur, and the degrees of freedom; nothing else is stored."""
        strata = np.zeros(self.table_.n_rows, dtype=np.intp)
        if given:
            strata = np.unique(self._codes[:, list(given)], axis=0, return_inverse=True)[1].ravel()
        cells, counts = np.unique(
            np.column_stack([strata, self._codes[:, [i, j]]]), axis=0, return_counts=True
        )
        totals = np.bincount(strata)
        rows, in_row = _margin(cells[:, [0, 1]], counts)
        columns, in_column = _margin(cells[:, [0, 2]], counts)
        expected = rows[in_row] * columns[in_column] / totals[cells[:, 0]]
        levels = [np.bincount(np.unique(cells[:, [0, k]], axis=0)[:, 0]) for k in (1, 2)]
        return counts.astype(np.float64), expected, float(np.sum((levels[0] - 1) * (levels[1] - 1)))

    def _statistic(self, counts: Floats, expected: Floats) -> float:
        raise NotImplementedError


def _margin(keys: NDArray[np.intp], counts: NDArray[np.intp]) -> tuple[Floats, NDArray[np.intp]]:
    """Add counts with equal keys; return the sums and the position of each cell's sum."""
    position = np.unique(keys, axis=0, return_inverse=True)[1].ravel()
    return np.bincount(position, weights=counts).astype(np.float64), np.asarray(position)


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

    def _statistic(self, counts: Floats, expected: Floats) -> float:
        return float(2 * np.sum(counts * np.log(counts / expected)))


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

    def _statistic(self, counts: Floats, expected: Floats) -> float:
        # The sum of (n - e)^2 / e over all cells, those that do not occur included, since n and e have the same total.
        return float(np.sum(counts**2 / expected) - np.sum(counts))


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
