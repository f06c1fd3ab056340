"""Fisher's z test of zero partial correlation, for columns that are jointly Gaussian."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

from causalkit._validation import ColumnTypes, Floats
from causalkit.exceptions import DataError
from causalkit.independence._base import FittedTest, Indices, columns_of, on_single_columns
from causalkit.independence._result import ResultColumns, TestResult, independent

__all__ = ["FisherZ", "fisher_z_test"]

COLLINEAR = 1e-10
# Below this determinant or remaining variance single tests, which look at the rank, are asked.
CAREFUL = 1e-6


class FisherZ(FittedTest):
    """Fisher's z test of zero partial correlation.

    Parameters
    ----------
    column_types : mapping or sequence, optional
        Types of columns; a categorical column is refused, because its codes are not numbers.

    Notes
    -----
    The statistic is sqrt(n - q - 3) atanh(r) for q columns in S, standard normal under independence of jointly Gaussian columns. If columns of S
    are collinear, the redundant ones are dropped. If x or y is a linear function of S, nothing is left of it and p = 1.

    References
    ----------
    R. A. Fisher, "The distribution of the partial correlation coefficient", Metron 3, 1924.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import FisherZ
    >>> x, z, y = np.random.default_rng(0).normal(size=(3, 300))
    >>> test = FisherZ().fit(np.column_stack([x + z, y + z, z]))
    >>> test(0, 1).p_value < 0.001, test(0, 1, (2,)).p_value > 0.05
    (True, True)
    """

    def __init__(self, *, column_types: ColumnTypes = None) -> None:
        self.column_types = column_types

    def _prepare(self) -> None:
        self._refuse_labels()
        values = self.table_.standardized()
        self._correlation = values.T @ values / (self.table_.n_rows - 1)

    def _test(self, i: int, j: int, given: tuple[int, ...]) -> TestResult:
        n = self.table_.n_rows
        matrix = self._correlation[np.ix_((i, j, *given), (i, j, *given))]
        rest, rank = _partial_covariance(matrix)
        if n - rank - 3 < 1:
            raise DataError(f"{n} rows are too few to condition on {len(given)} columns; use max_cond_size")
        if min(rest[0, 0], rest[1, 1]) < COLLINEAR:
            return independent(
                n, "a linear function of the conditioning set is independent of everything given it"
            )
        r = float(np.clip(rest[0, 1] / math.sqrt(rest[0, 0] * rest[1, 1]), -1 + 1e-15, 1 - 1e-15))
        statistic = math.sqrt(n - rank - 3) * math.atanh(r)
        log_p = math.log(2) + float(special.log_ndtr(-abs(statistic)))
        return TestResult(statistic, math.exp(log_p), log_p, n)

    def columns(self, i: Indices, j: Indices, given: Indices) -> ResultColumns:
        """Test many triples that are given, and returned, as arrays: in closed form for up to one column conditioned on.

        Parameters
        ----------
        i, j : numpy.ndarray of int, shape (m,)
            Positions of the two columns of each test.
        given : numpy.ndarray of int, shape (m, q)
            Positions of the columns conditioned on, q in every test.

        Returns
        -------
        ResultColumns
            Statistics and p-values in the order of the tests.
        """
        n, q = self.table_.n_rows, given.shape[1]
        if n - q - 3 < 1 or not len(i):
            return columns_of(self, i, j, given)
        variance_i, variance_j, covariance, safe = _partial_covariances(self._correlation, i, j, given)
        safe &= np.minimum(variance_i, variance_j) > CAREFUL
        with np.errstate(invalid="ignore", divide="ignore"):
            r = np.clip(covariance / np.sqrt(variance_i * variance_j), -1 + 1e-15, 1 - 1e-15)
            statistic = math.sqrt(n - q - 3) * np.arctanh(r)
        log_p = math.log(2) + special.log_ndtr(-np.abs(statistic))
        out = ResultColumns(statistic, np.exp(log_p), log_p)
        out.put(~safe, columns_of(self, i[~safe], j[~safe], given[~safe]))
        return out


def _partial_covariances(
    matrix: Floats, i: Indices, j: Indices, given: Indices
) -> tuple[Floats, Floats, Floats, NDArray[np.bool_]]:
    """Return variances and covariances of columns i and j given others, and where they can be relied on."""
    if given.shape[1] == 0:
        ones = np.ones(len(i))
        return ones, ones, matrix[i, j], ones > 0
    if given.shape[1] == 1:
        a, b = matrix[i, given[:, 0]], matrix[j, given[:, 0]]
        return 1 - a * a, 1 - b * b, matrix[i, j] - a * b, np.ones(len(i), dtype=bool)
    middle = matrix[given[:, :, None], given[:, None, :]]
    safe = np.linalg.det(middle) > CAREFUL
    middle[~safe] = np.eye(given.shape[1])
    cross = np.stack([matrix[i[:, None], given], matrix[j[:, None], given]], axis=2)
    explained = cross.transpose(0, 2, 1) @ np.linalg.solve(middle, cross)
    rest = matrix[i, j] - explained[:, 0, 1]
    return 1 - explained[:, 0, 0], 1 - explained[:, 1, 1], rest, safe


def _partial_covariance(matrix: Floats) -> tuple[Floats, int]:
    """Return the covariance of the first two columns given the others, and the rank of the others."""
    ends, middle, cross = matrix[:2, :2], matrix[2:, 2:], matrix[2:, :2]
    if not len(middle):
        return ends, 0
    inverse, rank = linalg.pinvh(middle, rtol=COLLINEAR, return_rank=True)
    return np.asarray(ends - cross.T @ inverse @ cross), int(rank)


def fisher_z_test(x: Any, y: Any, z: Any = None) -> TestResult:
    """Test whether x and y have zero (partial) correlation given z.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Two variables.
    z : array_like, shape (n,) or (n, k), optional
        Conditioning variables.

    Returns
    -------
    TestResult
        The statistic is sqrt(n - k - 3) atanh(r).

    Raises
    ------
    DataError
        If a variable holds labels, a value is missing, or rows are too few.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import fisher_z_test
    >>> x, y = np.random.default_rng(0).normal(size=(2, 100))
    >>> fisher_z_test(x, x + y).p_value < 0.001
    True
    """
    return on_single_columns(FisherZ(), x, y, z)
