"""Tests of independence for labels: the likelihood-ratio statistic G² and Pearson's chi-square, stratum by stratum."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import ColumnTypes, Floats, read_table
from causalkit.exceptions import DataError
from causalkit.independence._base import FittedTest, one_row_each
from causalkit.independence._null import chi_square_tail
from causalkit.independence._result import TestResult

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
        counts = self._counts(i, j, given).astype(np.float64)
        rows, columns, totals = counts.sum(2), counts.sum(1), counts.sum((1, 2))
        expected = rows[:, :, None] * columns[:, None, :] / totals[:, None, None]
        dof = float(np.sum(((rows > 0).sum(1) - 1) * ((columns > 0).sum(1) - 1)))
        statistic = self._statistic(counts, expected)
        p, log_p = chi_square_tail(statistic, dof)
        return TestResult(statistic, p, log_p, self.table_.n_rows, dof=dof)

    def _counts(self, i: int, j: int, given: tuple[int, ...]) -> NDArray[np.intp]:
        """Return counts (strata, levels of i, levels of j), with the strata that occur."""
        n_i, n_j = (int(self._codes[:, k].max()) + 1 for k in (i, j))
        strata = np.zeros(self.table_.n_rows, dtype=np.intp)
        if given:
            strata = np.unique(self._codes[:, list(given)], axis=0, return_inverse=True)[1].ravel()
        cells = (strata * n_i + self._codes[:, i]) * n_j + self._codes[:, j]
        size = (int(strata.max()) + 1) * n_i * n_j
        return np.bincount(cells, minlength=size).reshape(-1, n_i, n_j)

    def _statistic(self, counts: Floats, expected: Floats) -> float:
        raise NotImplementedError


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
        seen = counts > 0
        return float(2 * np.sum(counts[seen] * np.log(counts[seen] / expected[seen])))


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
        possible = expected > 0
        return float(np.sum((counts[possible] - expected[possible]) ** 2 / expected[possible]))


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
    return _functional(GSquare(), x, y, z)


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
    return _functional(ChiSquare(), x, y, z)


def _functional(test: _ContingencyTest, x: Any, y: Any, z: Any) -> TestResult:
    parts = [one_row_each("x", x), one_row_each("y", y)] + ([] if z is None else [one_row_each("z", z)])
    if len({len(part) for part in parts}) > 1:
        raise DataError(
            f"x, y and z need one row per observation each; lengths are {[len(part) for part in parts]}"
        )
    if parts[0].shape[1] != 1 or parts[1].shape[1] != 1:
        raise DataError("x and y must be single columns in this test; kci_test takes several")
    columns = [_codes(column) for part in parts for column in part.T]
    return test.fit(read_table(np.column_stack(columns)))(0, 1, tuple(range(2, len(columns))))


def _codes(column: Any) -> Floats:
    """Number labels; whole numbers and fractions stay, so that fractions and missing values are still refused."""
    if column.dtype.kind in "ifu":
        return np.asarray(column, dtype=np.float64)
    return np.unique(column.astype(str), return_inverse=True)[1].astype(np.float64)
