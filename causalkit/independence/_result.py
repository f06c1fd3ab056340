"""The outcome of one independence test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import Floats

__all__ = ["ResultColumns", "TestResult"]


@dataclass(frozen=True, slots=True)
class TestResult:
    """Statistic and p-value of one test of independence.

    Parameters
    ----------
    statistic : float
        Value of the test statistic; its scale depends on the test.
    p_value : float
        Probability, under independence, of a statistic at least as large.
    log_p_value : float
        Natural logarithm of the p-value; finite where the p-value itself is too small for a float.
    n : int
        Number of rows used.
    dof : float or None
        Degrees of freedom of a chi-square law.
    shape, scale : float or None
        Parameters of a gamma law that approximates the null distribution.
    effect_size : float or None
        Kernel tests: alignment of the two (residual) kernels beyond what independence gives, from about 0 to 1. Unlike the p-value it
        does not shrink as rows are added.
    note : str
        Why the test was decided without its statistic, where it was; empty otherwise.

    Examples
    --------
    >>> from causalkit.independence import fisher_z_test
    >>> result = fisher_z_test([1, 2, 3, 4, 5, 6, 7, 8.5, 9, 10, 11, 12], [2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11])
    >>> result.p_value < 0.001
    True
    """

    # The name starts with "Test", which test runners take for a class of tests.
    __test__ = False

    statistic: float
    p_value: float
    log_p_value: float
    n: int
    dof: float | None = None
    shape: float | None = None
    scale: float | None = None
    effect_size: float | None = None
    note: str = ""


def independent(n: int, note: str) -> TestResult:
    """Return the result of a test that needs no computation because one side never varies."""
    return TestResult(statistic=0.0, p_value=1.0, log_p_value=0.0, n=n, note=note)


@dataclass(frozen=True, eq=False)
class ResultColumns:
    """The results of many tests as columns, for searches that do a million of them.

    Parameters
    ----------
    statistic, p_value, log_p_value : numpy.ndarray, shape (m,)
        As in `TestResult`.
    """

    statistic: Floats
    p_value: Floats
    log_p_value: Floats

    @classmethod
    def of(cls, results: Sequence[TestResult]) -> Self:
        """Collect single results.

        Parameters
        ----------
        results : sequence of TestResult
            The results.

        Returns
        -------
        ResultColumns
            Their numbers, in the same order.
        """
        rows = np.array([(r.statistic, r.p_value, r.log_p_value) for r in results], dtype=np.float64)
        return cls(*rows.reshape(-1, 3).T)

    @classmethod
    def concatenated(cls, parts: Sequence[Self]) -> Self:
        """Join the results of several parts.

        Parameters
        ----------
        parts : sequence of ResultColumns
            The parts.

        Returns
        -------
        ResultColumns
            All results, one part after the other.
        """
        return cls(*(np.concatenate(columns) for columns in zip(*map(cls._columns, parts), strict=True)))

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """Return some of the results.

        Parameters
        ----------
        rows : numpy.ndarray of bool, shape (m,), or of int
            Which ones.

        Returns
        -------
        ResultColumns
            Those, in this order.
        """
        return type(self)(*(column[rows] for column in self._columns()))

    def put(self, rows: NDArray[np.bool_], other: Self) -> None:
        """Replace some of the results by others.

        Parameters
        ----------
        rows : numpy.ndarray of bool, shape (m,)
            Which ones.
        other : ResultColumns
            As many results as `rows` marks.
        """
        for column, new in zip(self._columns(), other._columns(), strict=True):
            column[rows] = new

    def _columns(self) -> tuple[Floats, Floats, Floats]:
        return self.statistic, self.p_value, self.log_p_value
