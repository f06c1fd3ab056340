r"""Generalised covariance measure: whether the residuals of two regressions on Z are correlated.

Regress X and Y on Z by kernel ridge regression, chosen by exact leave-one-out error, and multiply the residuals. Under independence the
products :math:`R_t = \epsilon_t \xi_t` have mean zero, and

.. math:: T = \sum_t R_t \,/\, \sqrt{\textstyle c \sum_t R_t^2}

is standard normal for n large. Two things differ from the paper, which rejects up to 8 % of true independences at 50 rows where 5 % are
asked for. The mean square is not centred: by signs alone T then has variance 1 at every n, also with heavy tails. And c is what the
regressions inflate the sum by: the residuals of two white noises have covariances :math:`R_X^2` and :math:`R_Y^2`, so that the variance of the sum is
:math:`\sum_{st} (R_X^2)_{st} (R_Y^2)_{st}`, of which the squares have the part with s = t only. Both vanish for n large. The test keeps its level wherever both regressions are good, and it is blind to every dependence that
leaves the residuals uncorrelated: a companion of the kernel test, not a replacement. Labels become one indicator per level, and then
the largest of all :math:`|T|` is compared with its law under the estimated correlation of the products.

References
----------
R. D. Shah, J. Peters, "The hardness of conditional independence testing and the generalised covariance measure", Annals of Statistics
48(3), 2020, sections 3.1 and 3.2.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any

import numpy as np
from scipy import special

from causalkit._random import Seed, entropy, named_stream
from causalkit._validation import ColumnTypes, Floats
from causalkit.gpu import MemoryBudget, get_backend
from causalkit.gpu._threads import single_thread_below
from causalkit.independence._base import FittedTest, on_single_columns
from causalkit.independence._inflation import Regressed, inflation
from causalkit.independence._kernel_factory import KernelFactory
from causalkit.independence._regression import LeaveOneOut, LowRank, Workspace
from causalkit.independence._result import TestResult, independent

__all__ = ["GCM", "gcm_test"]

NO_RESIDUAL = 1e-9
TINY = 1e-300


class GCM(FittedTest):
    """Generalised covariance measure with kernel ridge regression.

    Parameters
    ----------
    n_draws : int, default=9999
        Draws of the law of the largest statistic, where a variable has three or more labels.
    column_types : mapping or sequence, optional
        Types of columns; see `KCI`.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of these draws.

    Notes
    -----
    Without conditioning set the regressions are means, and the test is one of correlation. It has no power against dependence that
    leaves the residuals uncorrelated, such as a common scale or Y depending on the square of X.

    References
    ----------
    R. D. Shah, J. Peters, "The hardness of conditional independence testing and the generalised covariance measure", Annals of
    Statistics 48(3), 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import GCM
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=300)
    >>> data = np.column_stack([np.sin(z) + 0.3 * rng.normal(size=300), np.sin(z) + 0.3 * rng.normal(size=300), z])
    >>> test = GCM().fit(data)
    >>> test(0, 1).p_value < 0.001, test(0, 1, (2,)).p_value > 0.05
    (True, True)
    """

    def __init__(
        self, *, n_draws: int = 9999, column_types: ColumnTypes = None, random_state: Seed = 0
    ) -> None:
        self.n_draws = n_draws
        self.column_types = column_types
        self.random_state = random_state

    def _prepare(self) -> None:
        kernels = KernelFactory.of(self.table_, "empirical", 0.1, 0.5)
        backend = get_backend("numpy")
        budget = MemoryBudget.of(None, backend)
        self._work = Workspace(kernels, LowRank(), backend, budget, backend.asarray(kernels.values))
        self._constant = set(self.table_.constant_columns())
        self._entropy = entropy(self.random_state)
        self._kept: tuple[tuple[int, ...], dict[int, list[Regressed]]] = ((), {})

    def _test(self, i: int, j: int, given: tuple[int, ...]) -> TestResult:
        n = self.table_.n_rows
        if {i, j} & self._constant:
            return independent(n, "a constant column is independent of everything")
        z = tuple(k for k in given if k not in self._constant)
        with single_thread_below(n):
            first, second = self._regressions(i, z), self._regressions(j, z)
            if not (first and second):
                why = "a function of the conditioning set is independent of everything given it"
                return independent(n, why)
            pairs = list(product(first, second))
            products = np.column_stack([a.rest * b.rest for a, b in pairs])
            inflations = np.array([inflation(a.complement, b.complement) for a, b in pairs])
        spread = np.sqrt(inflations * np.sum(products**2, axis=0))
        statistics = products.sum(axis=0) / np.where(spread > 0, spread, np.inf)
        return self._compare(statistics, products, (i, j, *z))

    def _compare(self, statistics: Floats, products: Floats, columns: tuple[int, ...]) -> TestResult:
        """One statistic is normal; the largest of several is compared with draws that are correlated as they are."""
        largest = float(statistics[np.abs(statistics).argmax()])
        if statistics.size == 1:
            log_p = _log_two_sided_t(largest, len(products))
            return TestResult(largest, math.exp(log_p), log_p, len(products))
        names = sorted(self.table_.names[k] for k in columns)
        rng = named_stream(self._entropy, names)
        scaled = products / np.maximum(np.linalg.norm(products, axis=0), TINY)
        correlation = scaled.T @ scaled
        values, vectors = np.linalg.eigh(correlation)
        root = vectors * np.sqrt(np.maximum(values, 0))
        draws = np.abs(rng.standard_normal((self.n_draws, len(root))) @ root.T).max(axis=1)
        p = (1 + np.count_nonzero(draws >= abs(largest))) / (1 + self.n_draws)
        return TestResult(largest, p, math.log(p), len(products))

    def _regressions(self, k: int, z: tuple[int, ...]) -> list[Regressed]:
        """Return what a regression on z leaves of a column; one per level but the last for labels."""
        if self._kept[0] != z:
            self._kept = (z, {})
        if k not in self._kept[1]:
            self._kept[1][k] = self._regressed(self._features(k), z)
        return self._kept[1][k]

    def _features(self, k: int) -> Floats:
        values = self._work.kernels.values[:, [k]]
        if self.table_.types[k] == "categorical":
            values = (values == np.unique(values)[:-1]).astype(np.float64)
        return np.asarray(values - values.mean(axis=0))

    def _regressed(self, features: Floats, z: tuple[int, ...]) -> list[Regressed]:
        n = len(features)
        columns = [features[:, [k]] for k in range(features.shape[1])]
        if z:
            makers: Any = LeaveOneOut(undersmooth=0).makers(z, columns, self._work)
            found = [
                Regressed(maker.residual(f)[:, 0], maker.complement(self._work.backend))
                for maker, f in zip(makers, columns, strict=True)
            ]
        else:
            found = [Regressed(f[:, 0], np.full((n, 1), n**-0.5)) for f in columns]
        return [r for r, f in zip(found, columns, strict=True) if r.rest.std() > NO_RESIDUAL * f.std()]


def _log_two_sided_t(statistic: float, n: int) -> float:
    """Return log p of a sum of n normal products over the root of its sum of squares: 1 - statistic² / n has a beta law."""
    a, x = (n - 1) / 2, 1 - min(statistic**2 / n, 1 - 1e-16)
    value = float(special.betainc(a, 0.5, x))
    if value > TINY:
        return math.log(value)
    series = math.log(float(special.hyp2f1(a + 0.5, 1, a + 1, x)))
    return a * math.log(x) + 0.5 * math.log1p(-x) - math.log(a) - float(special.betaln(a, 0.5)) + series


def gcm_test(x: Any, y: Any, z: Any = None) -> TestResult:
    """Test whether the residuals of x and y after kernel regressions on z are uncorrelated.

    Parameters
    ----------
    x, y : array_like, shape (n,)
        Two variables; strings and booleans are labels.
    z : array_like, shape (n,) or (n, k), optional
        Conditioning variables.

    Returns
    -------
    TestResult
        The statistic is standard normal under independence; of several, the largest.

    Raises
    ------
    DataError
        If lengths differ, values are missing, or there are fewer than 10 rows.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import gcm_test
    >>> x, y = np.random.default_rng(0).normal(size=(2, 100))
    >>> gcm_test(x, x + y).p_value < 0.001
    True
    """
    return on_single_columns(GCM(), x, y, z)
