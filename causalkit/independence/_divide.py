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
from scipy import special, stats

from causalkit._random import Seed, as_generator
from causalkit._validation import ColumnTypes, Floats, check_choice, check_count
from causalkit.independence._base import CITest, FittedTest, Triple, get_test
from causalkit.independence._result import TestResult

__all__ = ["DivideAndCombine"]

SMALLEST_QUANTILE = -8.0


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
        self._tests = [copy.copy(prototype).fit(self.table_.take(rows)) for rows in parts]

    def _test(self, i: int, j: int, given: tuple[int, ...]) -> TestResult:
        return self._combined([test(i, j, given) for test in self._tests])

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
        return [self._combined(list(results)) for results in zip(*of_parts, strict=True)]

    def _combined(self, results: list[TestResult]) -> TestResult:
        if len(results) == 1:
            return results[0]
        log_p = np.array([r.log_p_value for r in results])
        statistic, log_p_value = _stouffer(log_p) if self.combine == "stouffer" else _cauchy(log_p)
        effects = [r.effect_size for r in results if r.effect_size is not None]
        effect = float(np.mean(effects)) if effects else None
        n = self.table_.n_rows
        return TestResult(statistic, math.exp(log_p_value), log_p_value, n, effect_size=effect)


def _stouffer(log_p: Floats) -> tuple[float, float]:
    """Return the scaled sum of normal quantiles, large for small p-values, and the logarithm of its tail."""
    quantiles = np.maximum(-special.ndtri_exp(log_p), SMALLEST_QUANTILE)
    statistic = float(quantiles.sum() / math.sqrt(len(log_p)))
    return statistic, float(special.log_ndtr(-statistic))


def _cauchy(log_p: Floats) -> tuple[float, float]:
    """Return the mean of Cauchy quantiles and the logarithm of its tail; tiny p-values have the quantile 1 / (pi p)."""
    p = np.minimum(np.exp(log_p), 1 - 1e-15)
    tiny = log_p < -30
    quantiles = np.where(
        tiny, np.exp(np.minimum(-log_p, 600)) / math.pi, np.tan(math.pi * (0.5 - np.maximum(p, 1e-15)))
    )
    statistic = float(quantiles.mean())
    return statistic, float(stats.cauchy.logsf(statistic))
