"""Divide and combine: test parts of the rows and combine their p-values, where all rows at once would take too long.

A kernel test of n rows costs more than n: the regression on Z needs a rank that grows with n. A hundred thousand rows in ten parts
cost a tenth of that, and each part still has ten thousand rows. The parts are independent of one another, so that their p-values
combine by the sum of normal quantiles.

References
----------
S. A. Stouffer et al., "The American Soldier", volume 1, 1949, p. 45 (footnote). Y. Liu, J. Xie, "Cauchy combination test: a powerful
test with analytic p-value calculation under arbitrary dependency structures", JASA 115, 2020.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Literal

import numpy as np
from scipy import special

from causalkit._random import Seed, as_generator
from causalkit._validation import ColumnTypes, Floats, check_choice, check_count
from causalkit.independence._base import CITest, FittedTest, Triple, get_test
from causalkit.independence._result import TestResult

__all__ = ["DivideAndCombine"]

SMALLEST_QUANTILE = -8.0
# Below the first logarithm of a p-value its Cauchy quantile dwarfs what the largest p-values can take away; the second is near that of the
# largest float.
TINY_LOG, LARGEST_LOG = -60.0, 709.0
# A p-value of 1 is taken for this much less.
LEAST_REST = 1e-15


class DivideAndCombine(FittedTest):
    """A test on parts of the rows, whose p-values are combined.

    Parameters
    ----------
    test : str or CITest, default="kci"
        The test of each part.
    part_rows : int, default=10_000
        Rows of a part, about; data with fewer than twice as many are tested whole.
    combine : {"stouffer", "cauchy"}, default="stouffer"
        Sum of normal quantiles, or mean of Cauchy quantiles, which is dominated by the smallest p-value.
    column_types : mapping or sequence, optional
        Types of columns; see `KCI`.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the division: rows are shuffled first.

    Notes
    -----
    A dependence that is weak in every part is seen in the sum, though less well than by the test of all rows.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import DivideAndCombine
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.normal(size=(2, 3000))
    >>> test = DivideAndCombine("kci", part_rows=500).fit(np.column_stack([x, y, x + y]))
    >>> test(0, 1).p_value > 0.01, test(0, 2).p_value < 0.001
    (True, True)
    """

    def __init__(
        self,
        test: str | CITest = "kci",
        *,
        part_rows: int = 10_000,
        combine: Literal["stouffer", "cauchy"] = "stouffer",
        column_types: ColumnTypes = None,
        random_state: Seed = 0,
    ) -> None:
        self.test = test
        self.part_rows = part_rows
        self.combine = combine
        self.column_types = column_types
        self.random_state = random_state

    def _prepare(self) -> None:
        check_count("part_rows", self.part_rows, least=50)
        check_choice("combine", self.combine, ("stouffer", "cauchy"))
        n = self.table_.n_rows
        count = max(1, n // self.part_rows)
        order = np.arange(n) if count == 1 else as_generator(self.random_state).permutation(n)
        prototype = get_test(self.test)
        parts = [np.sort(rows) for rows in np.array_split(order, count)]
        tables = [self.table_.take(rows) for rows in parts]
        self._tests = [copy.copy(prototype).fit(table) for table in tables]
        self._constant = [set(table.constant_columns()) for table in tables]

    def _test(self, i: int, j: int, given: tuple[int, ...]) -> TestResult:
        return self._combined([test(i, j, given) for test in self._tests], i, j)

    def batch(self, triples: Iterable[Triple]) -> list[TestResult]:
        """Test many triples on every part.

        Parameters
        ----------
        triples : iterable of (int, int, tuple of int)
            The tests to do.

        Returns
        -------
        list of TestResult
            In the order of the triples.
        """
        checked = [self._check(*triple) for triple in triples]
        of_parts = [test.batch(checked) for test in self._tests]
        every = zip(zip(*of_parts, strict=True), checked, strict=True)
        return [self._combined(list(results), i, j) for results, (i, j, _) in every]

    def _combined(self, results: list[TestResult], i: int, j: int) -> TestResult:
        """Combine the parts in which both variables vary: elsewhere p is 1, which is no evidence and would outweigh that of the others."""
        telling = [r for r, constant in zip(results, self._constant, strict=True) if not {i, j} & constant]
        results = telling or results[:1]
        if len(results) == 1:
            return results[0]
        log_p = np.array([r.log_p_value for r in results])
        statistic, log_p_value = _stouffer(log_p) if self.combine == "stouffer" else _cauchy(log_p)
        effects = [r.effect_size for r in results if r.effect_size is not None]
        effect = float(np.mean(effects)) if effects else None
        n = sum(r.n for r in results)
        return TestResult(statistic, math.exp(log_p_value), log_p_value, n, effect_size=effect)


def _stouffer(log_p: Floats) -> tuple[float, float]:
    """Return the scaled sum of normal quantiles, large for small p-values, and the logarithm of its tail."""
    quantiles = np.maximum(-special.ndtri_exp(log_p), SMALLEST_QUANTILE)
    statistic = float(quantiles.sum() / math.sqrt(len(log_p)))
    return statistic, float(special.log_ndtr(-statistic))


def _cauchy(log_p: Floats) -> tuple[float, float]:
    """Return the mean of Cauchy quantiles, large for small p-values, and the logarithm of its tail.

    A quantile beyond about 1e13 is 1 / (pi p) to rounding, and its tail 1 / (pi x): there sums are taken of logarithms, since p itself
    underflows.
    """
    smallest = float(log_p.min())
    if smallest < TINY_LOG:
        log_statistic = float(special.logsumexp(-log_p)) - math.log(math.pi * len(log_p))
        return math.exp(min(log_statistic, LARGEST_LOG)), -log_statistic - math.log(math.pi)
    # The quantile is cot(pi p), from whichever of p and 1 - p is small and so has all its digits.
    small, large = np.exp(log_p), np.maximum(-np.expm1(log_p), LEAST_REST)
    quantiles = np.where(small < 0.5, 1 / np.tan(math.pi * small), -1 / np.tan(math.pi * large))
    statistic = float(quantiles.mean())
    return statistic, _log_cauchy_tail(statistic)


def _log_cauchy_tail(x: float) -> float:
    """Return the logarithm of the upper tail of a Cauchy variable, not from a difference: SciPy before 1.15 has -inf beyond 1e16."""
    if x > 0:
        return math.log(math.atan(1 / x) / math.pi)
    return math.log1p(-math.atan2(1.0, -x) / math.pi)
