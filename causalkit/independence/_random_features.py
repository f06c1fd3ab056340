r"""Randomised conditional independence tests: RCIT and RCoT, with random Fourier features instead of kernels.

The feature :math:`\sqrt 2 \cos(\omega^\top x + b)` with normal :math:`\omega` and uniform b has the Gaussian kernel as its mean inner
product. With five such features of X (RCIT: of X and Z) and of Y, and a hundred of Z, the statistic is the squared Frobenius norm of the
partial covariance of features,

.. math:: S = n\, \lVert C_{AB} - C_{AC} (C_{CC} + \gamma I)^{-1} C_{CB} \rVert_F^2 ,

a weighted sum of chi-square variables under independence, with the eigenvalues of the covariance of products of residuals as weights.
Here its tail is exact, by numerical inversion, and by default the ridge is chosen by leave-one-out error and the law corrected for few
rows: at 50 rows the authors' ridge leaves nothing but rounding, and true independences are rejected up to 12 times in a hundred where 5 are asked for. The tests are fast and are random: two seeds give two p-values, and they reject too often
given three columns or more. They are here for comparison; `KCI` is as fast, and none of this.

References
----------
E. V. Strobl, K. Zhang, S. Visweswaran, "Approximate kernel-based conditional independence tests for fast non-parametric causal
discovery", Journal of Causal Inference 7(1), 2019, sections 4 and 5.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from scipy import linalg
from scipy.spatial.distance import pdist

from causalkit._random import Seed, entropy, named_stream
from causalkit._validation import ColumnTypes, Floats, check_between, check_count
from causalkit.independence._base import FittedTest
from causalkit.independence._inflation import Regressed, inflation
from causalkit.independence._result import TestResult, independent
from causalkit.independence._tails import weighted_chi_square_tail

__all__ = ["RCIT", "RCoT"]

MEDIAN_ROWS = 500
# Ridges to choose from, as shares of ten rows' worth of a feature; most degrees of freedom, as a share of the rows; eigenvalues that count.
RIDGES = 10.0 ** np.arange(-5, 3.1, 0.5)
MOST_DEGREES, RANK, CUT = 0.5, 1e-8, 1e-10


class RCoT(FittedTest):
    """Randomised conditional correlation test: the features of X do not see Z.

    Parameters
    ----------
    n_features : int, default=5
        Random features of X and of Y.
    n_features_z : int, default=100
        Random features of Z.
    ridge : float or "loo", default="loo"
        Ridge of the regression on the features of Z. By default it is chosen for each side by leave-one-out error, and the law is corrected
        for few rows. The authors have 1e-10 and no correction, with which 100 features of Z leave nothing but rounding of 50 rows.
    column_types : mapping or sequence, optional
        Types of columns; labels are refused.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the features. Every test has its own stream.

    See Also
    --------
    KCI : The test that this one approximates.

    References
    ----------
    E. V. Strobl, K. Zhang, S. Visweswaran, "Approximate kernel-based conditional independence tests for fast non-parametric causal
    discovery", Journal of Causal Inference 7(1), 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import RCoT
    >>> rng = np.random.default_rng(0)
    >>> z = rng.normal(size=500)
    >>> data = np.column_stack([z + rng.normal(size=500), z + rng.normal(size=500), z])
    >>> test = RCoT().fit(data)
    >>> test(0, 1).p_value < 0.001, test(0, 1, (2,)).p_value > 0.01
    (True, True)
    """

    _x_sees_z = False

    def __init__(
        self,
        *,
        n_features: int = 5,
        n_features_z: int = 100,
        ridge: float | Literal["loo"] = "loo",
        column_types: ColumnTypes = None,
        random_state: Seed = 0,
    ) -> None:
        self.n_features = n_features
        self.n_features_z = n_features_z
        self.ridge = ridge
        self.column_types = column_types
        self.random_state = random_state

    def _prepare(self) -> None:
        for name in ("n_features", "n_features_z"):
            check_count(name, getattr(self, name))
        if self.ridge != "loo":
            check_between("ridge", self.ridge, 0, np.inf)
        self._refuse_labels()
        self._values = self.table_.standardized()
        self._constant = set(self.table_.constant_columns())
        self._entropy = entropy(self.random_state)

    def _test(self, i: int, j: int, given: tuple[int, ...]) -> TestResult:
        if {i, j} & self._constant:
            return independent(self.table_.n_rows, "a constant column is independent of everything")
        # Which of the two is X is decided by name, so that neither their order nor that of the columns matters.
        i, j = sorted((i, j), key=lambda k: self.table_.names[k])
        z = tuple(sorted((k for k in given if k not in self._constant), key=lambda k: self.table_.names[k]))
        rng = named_stream(self._entropy, [self.table_.names[k] for k in (i, j, *z)])
        x = (i, *z) if self._x_sees_z else (i,)
        first, second = self._features(x, self.n_features, rng), self._features((j,), self.n_features, rng)
        third = self._features(z, self.n_features_z, rng) if z else np.zeros((len(first), 0))
        if self.ridge == "loo":
            return _few_rows_result(_chosen(first, third), _chosen(second, third))
        if z:
            first, second = _regressed(first, third, self.ridge), _regressed(second, third, self.ridge)
        return self._result(first, second)

    def _result(self, first: Floats, second: Floats) -> TestResult:
        n = len(first)
        statistic = n * float(np.sum((first.T @ second / n) ** 2))
        products = (first[:, :, None] * second[:, None, :]).reshape(n, -1)
        weights = np.linalg.eigvalsh(np.cov(products.T, bias=True).reshape(products.shape[1], -1))
        p, log_p = weighted_chi_square_tail(statistic, weights[weights > 1e-12 * weights[-1]])
        return TestResult(statistic, p, log_p, n)

    def _features(self, columns: tuple[int, ...], count: int, rng: np.random.Generator) -> Floats:
        """Return standardised random Fourier features; the width is the median distance of up to 500 rows."""
        rows = self._values[:, list(columns)]
        distances = pdist(rows[:MEDIAN_ROWS])
        width = float(np.median(distances[distances > 0])) if np.any(distances > 0) else 1.0
        frequencies = rng.standard_normal((len(columns), count)) / width
        features = np.sqrt(2) * np.cos(rows @ frequencies + rng.uniform(0, 2 * np.pi, count))
        spread = features.std(axis=0)
        return np.asarray((features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0))


class RCIT(RCoT):
    """Randomised conditional independence test: the features of X see Z too, as in the paper's KCI.

    Parameters
    ----------
    n_features : int, default=5
        Random features of (X, Z) and of Y.
    n_features_z : int, default=100
        Random features of Z.
    ridge : float or "loo", default="loo"
        Ridge of the regression on the features of Z. By default it is chosen for each side by leave-one-out error, and the law is corrected
        for few rows. The authors have 1e-10 and no correction, with which 100 features of Z leave nothing but rounding of 50 rows.
    column_types : mapping or sequence, optional
        Types of columns; labels are refused.
    random_state : int, numpy.random.Generator or None, default=0
        Seed of the features. Every test has its own stream.

    See Also
    --------
    RCoT : The form with features of X alone, which its authors prefer.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import RCIT
    >>> x, y = np.random.default_rng(0).normal(size=(2, 300))
    >>> RCIT().fit(np.column_stack([x, x**2 + y]))(0, 1).p_value < 0.001
    True
    """

    _x_sees_z = True


def _regressed(features: Floats, on: Floats, ridge: float) -> Floats:
    """Return the residuals of ridge regression on other features."""
    n = len(features)
    factor = linalg.cho_factor(on.T @ on / n + ridge * np.eye(on.shape[1]) + 1e-12 * np.eye(on.shape[1]))
    return np.asarray(features - on @ linalg.cho_solve(factor, on.T @ features / n))


def _chosen(features: Floats, on: Floats) -> Regressed:
    """Return the residuals of the ridge regression on other features that has the least leave-one-out error."""
    n = len(features)
    basis, scales, _ = np.linalg.svd(on, full_matrices=False)
    basis = basis[:, scales > RANK * scales.max(initial=0.0)]
    squares = scales[: basis.shape[1]] ** 2
    shrinks = [s for s in squares / (squares + RIDGES[:, None] * n / 10) if 1 + s.sum() <= MOST_DEGREES * n]
    inner = basis.T @ features
    rests = [features - basis @ (s[:, None] * inner) for s in shrinks]
    errors = [
        np.sum((rest / (1 - 1 / n - basis**2 @ s)[:, None]) ** 2)
        for s, rest in zip(shrinks, rests, strict=True)
    ]
    best = int(np.argmin(errors))
    root = np.sqrt(1 - (1 - shrinks[best]) ** 2)
    return Regressed(rests[best], np.column_stack([np.full(n, n**-0.5), basis * root]))


def _few_rows_result(first: Regressed, second: Regressed) -> TestResult:
    """Return the result under a law corrected for the regression's inflation and for the diagonal, which does not vary (see `KCI`)."""
    n = len(first.rest)
    products = (first.rest[:, :, None] * second.rest[:, None, :]).reshape(n, -1)
    statistic = float(np.sum(products.sum(axis=0) ** 2)) / n
    second_moments = products.T @ products / n
    weights = np.linalg.eigvalsh(second_moments)
    mean, squares = float(np.trace(second_moments)), float(np.sum(second_moments**2))
    apart = squares - float(np.sum(np.sum(products**2, axis=1) ** 2)) / n**2
    stretch = math.sqrt(squares / max(apart, 0.05 * squares))
    asked = mean + stretch * (statistic / inflation(first.complement, second.complement) - mean)
    p, log_p = weighted_chi_square_tail(asked, weights[weights > CUT * weights[-1]])
    return TestResult(statistic, p, log_p, n)
