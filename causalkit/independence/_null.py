"""Null laws of quadratic statistics: tails of gamma and of weighted sums of chi-square variables.

All tails are survival functions, never one minus a distribution function: that difference is exactly zero below 1e-16
and loses the order of strong dependences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

from causalkit._validation import Floats, check_count
from causalkit.independence._result import TestResult

__all__ = ["Gamma", "Permutation", "Spectral"]

TINY = 1e-290


def log_gammaincc(shape: float, x: float) -> float:
    """Return the logarithm of the regularised upper incomplete gamma function, also where the function underflows."""
    value = float(special.gammaincc(shape, x))
    if value > TINY:
        return math.log(value)
    return shape * math.log(x) - x - float(special.gammaln(shape)) - math.log(_legendre_fraction(shape, x))


def _legendre_fraction(shape: float, x: float) -> float:
    """Evaluate Legendre's continued fraction of x^a e^-x / Γ(a, x) from the back; 60 levels are exact for large x."""
    value = x + 2 * 60 + 1 - shape
    for k in range(60, 0, -1):
        value = x + 2 * k - 1 - shape - k * (k - shape) / value
    return value


def gamma_tail(statistic: float, mean: float, variance: float) -> tuple[float, float, float, float]:
    """Return p, log p, shape and scale of the gamma law with the given mean and variance."""
    if not (mean > 0 and variance > 0 and math.isfinite(mean**2 / variance)):
        return 1.0, 0.0, math.nan, math.nan
    shape, scale = mean**2 / variance, variance / mean
    log_p = log_gammaincc(shape, max(statistic, 0.0) / scale)
    return math.exp(log_p), log_p, shape, scale


def chi_square_tail(statistic: float, dof: float) -> tuple[float, float]:
    """Return p and log p of a chi-square law."""
    if dof <= 0:
        return 1.0, 0.0
    log_p = log_gammaincc(dof / 2, statistic / 2)
    return math.exp(log_p), log_p


def spectral_weights(a: Floats, b: Floats, cut: float, joining: Floats | float = 1.0) -> Floats:
    """Return the weights of the null law of sum(a * b): the eigenvalues of the elementwise product.

    Products of one eigenvector of `a` and one of `b` have the Gram matrix ``a * b`` (Schur), so that the matrix of
    products itself, with one column per pair of eigenvectors, is never formed.
    """
    weights = np.linalg.eigvalsh(_truncate(a, cut) * _truncate(b, cut) * joining)[::-1]
    return np.asarray(weights[weights > cut * weights[0]]) if weights[0] > 0 else np.zeros(0)


def _truncate(matrix: Floats, cut: float) -> Floats:
    """Drop the eigenvalues below `cut` times the largest."""
    values, vectors = np.linalg.eigh(matrix)
    kept = values > cut * values[-1]
    return np.asarray((vectors[:, kept] * values[kept]) @ vectors[:, kept].T)


def weighted_chi_square_tail(statistic: float, weights: Floats) -> tuple[float, float]:
    """Return p and log p of a sum of independent chi-square variables with one degree of freedom and positive weights.

    The moment generating function M(s) is analytic off the ray s >= 1 / (2 max w). The tail is the integral of
    M(s) exp(-s q) / s along any path that starts and ends at the right and crosses the real axis between 0 and that ray.
    On a parabola through (about) the saddle point the integrand decays so fast that the trapezoidal rule is exact to
    rounding, in the far tail too, where a simulation would return zero. With the crossing point below zero the same
    integral is minus the lower tail.

    References
    ----------
    S. O. Rice, "Distribution of quadratic forms in normal random variables: evaluation by numerical integration", SIAM
    Journal on Scientific and Statistical Computing 1, 1980. R. Lugannani, S. Rice, Advances in Applied Probability 12, 1980.
    """
    if weights.size == 0 or statistic <= 0:
        return 1.0, 0.0
    unit = float(weights.max())
    w, q = weights / unit, statistic / unit
    upper = q >= w.sum()
    crossing = _crossing_point(w, q, upper)
    log_scale, value = _parabola_integral(w, q, crossing)
    if upper:
        log_p = log_scale + math.log(max(value, 1e-300))
        return min(math.exp(log_p), 1.0), min(log_p, 0.0)
    lower = -math.exp(log_scale) * value
    p = min(max(1.0 - lower, 0.0), 1.0)
    return p, math.log(p) if p > 0 else -math.inf


def _crossing_point(w: Floats, q: float, upper: bool) -> float:
    """Return a point of the real axis near the saddle point, on the side of zero that the tail asks for."""
    spread = 1.0 / math.sqrt(2 * float(np.sum(w**2)))
    saddle = _saddle_point(w, q)
    return min(max(saddle, 0.5 * spread), 0.5 - 1e-12) if upper else min(saddle, -0.5 * spread)


def _saddle_point(w: Floats, q: float) -> float:
    """Solve K'(s) = q by bisection; K' grows from 0 at minus infinity to infinity at 1/2."""
    low, high = -0.5 * len(w) / q - 1.0, 0.5
    for _ in range(200):
        middle = (low + high) / 2
        if np.sum(w / (1 - 2 * w * middle)) > q:
            high = middle
        else:
            low = middle
    return low


def _parabola_integral(w: Floats, q: float, c: float) -> tuple[float, float]:
    """Integrate exp(K(s) - s q) / s over s = c + (t^2 / 4 + i t) / sqrt(K''(c)), t = sinh u; return log scale and value."""
    width = 1.0 / math.sqrt(float(np.sum(2 * w**2 / (1 - 2 * w * c) ** 2)))
    log_scale = -0.5 * float(np.sum(np.log1p(-2 * w * c))) - c * q
    step = 0.02
    u = step * np.arange(-400, 401)
    t = np.sinh(u)
    s = c + width * (t**2 / 4 + 1j * t)
    exponent = -0.5 * _sum_log(w, s) - s * q - log_scale
    slope = width * (t / 2 + 1j) * np.cosh(u)
    keep = exponent.real > -60
    integrand = np.exp(exponent[keep]) / s[keep] * slope[keep]
    return log_scale, float(np.sum(integrand).imag * step / (2 * math.pi))


def _sum_log(w: Floats, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return the sum over weights of log(1 - 2 w s), each on its principal branch."""
    total = np.zeros(s.shape, dtype=np.complex128)
    for block in np.array_split(w, max(1, len(w) // 256)):
        total += np.log(1 - 2 * block[:, None] * s).sum(axis=0)
    return total


# -- null laws as objects ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gamma:
    """Gamma law with the mean and variance of the null distribution: the fastest, and right to about .005 near p = .05.

    Parameters
    ----------
    cut : float, default=0.0
        Eigenvalues of the two residual Gram matrices below this share of the largest are dropped first, as the original
        implementation does with 1e-5. Zero needs no eigendecomposition.

    Examples
    --------
    >>> from causalkit.independence import Gamma
    >>> Gamma()
    Gamma(cut=0.0)
    """

    cut: float = 0.0

    def unconditional(self, kx: Floats, ky: Floats) -> TestResult:
        """Return the result for two centred Gram matrices.

        Parameters
        ----------
        kx, ky : numpy.ndarray, shape (n, n)
            Centred Gram matrices.

        Returns
        -------
        TestResult
            Statistic and p-value.
        """
        n = len(kx)
        mean = np.trace(kx) * np.trace(ky) / n
        variance = 2 * np.sum(kx**2) * np.sum(ky**2) / n**2
        return _gamma_result(np.sum(kx * ky), mean, variance, n)

    def conditional(
        self, a: Floats, b: Floats, joining: Floats | float = 1.0, inflation: float = 1.0
    ) -> TestResult:
        """Return the result for two residual Gram matrices; the null has covariance ``a * b * joining``, elementwise.

        Parameters
        ----------
        a, b : numpy.ndarray, shape (n, n)
            Residual Gram matrices of the two variables.
        joining : numpy.ndarray of shape (n, n) or float, default=1.0
            Kernel of the conditioning set that joins them.
        inflation : float, default=1.0
            Factor by which the regression inflates the statistic; it is divided out.

        Returns
        -------
        TestResult
            Statistic and p-value.
        """
        statistic = np.sum(a * b * joining) / inflation
        if self.cut > 0:
            a, b = _truncate(a, self.cut), _truncate(b, self.cut)
        product = a * b * joining
        return _gamma_result(statistic, np.trace(product), 2 * np.sum(product**2), len(a))


def _gamma_result(statistic: float, mean: float, variance: float, n: int) -> TestResult:
    p, log_p, shape, scale = gamma_tail(float(statistic), float(mean), float(variance))
    return TestResult(float(statistic), p, log_p, n, shape=shape, scale=scale)


@dataclass(frozen=True)
class Spectral:
    """Exact weighted chi-square law from the eigenvalues, by numerical inversion instead of simulation.

    Parameters
    ----------
    cut : float, default=1e-5
        Eigenvalues below this share of the largest are dropped.

    Examples
    --------
    >>> from causalkit.independence import Spectral
    >>> Spectral()
    Spectral(cut=1e-05)
    """

    cut: float = 1e-5

    def unconditional(self, kx: Floats, ky: Floats) -> TestResult:
        """Return the result for two centred Gram matrices; the weights are products of their eigenvalues over n.

        Parameters
        ----------
        kx, ky : numpy.ndarray, shape (n, n)
            Centred Gram matrices.

        Returns
        -------
        TestResult
            Statistic and p-value.
        """
        a, b = np.linalg.eigvalsh(kx), np.linalg.eigvalsh(ky)
        weights = np.outer(a[a > 0], b[b > 0]).ravel() / len(kx)
        kept = weights[weights > self.cut * weights.max()] if weights.size else weights
        p, log_p = weighted_chi_square_tail(float(np.sum(kx * ky)), kept)
        return TestResult(float(np.sum(kx * ky)), p, log_p, len(kx))

    def conditional(
        self, a: Floats, b: Floats, joining: Floats | float = 1.0, inflation: float = 1.0
    ) -> TestResult:
        """Return the result for two residual Gram matrices, and a kernel that joins them.

        Parameters
        ----------
        a, b : numpy.ndarray, shape (n, n)
            Residual Gram matrices of the two variables.
        joining : numpy.ndarray of shape (n, n) or float, default=1.0
            Kernel of the conditioning set that joins them.
        inflation : float, default=1.0
            Factor by which the regression inflates the statistic; it is divided out.

        Returns
        -------
        TestResult
            Statistic and p-value.
        """
        statistic = float(np.sum(a * b * joining)) / inflation
        p, log_p = weighted_chi_square_tail(statistic, spectral_weights(a, b, self.cut, joining))
        return TestResult(statistic, p, log_p, len(a))


@dataclass(frozen=True)
class Permutation:
    """Permutation law: exact at any sample size, without conditioning set or with labels only in it.

    Rows are permuted within the groups of equal labels. With numbers in the conditioning set no permutation is exact and
    the test refuses.

    Parameters
    ----------
    n_permutations : int, default=999
        Number of permutations; the smallest possible p-value is ``1 / (n_permutations + 1)``.

    Examples
    --------
    >>> from causalkit.independence import Permutation
    >>> Permutation(199)
    Permutation(n_permutations=199)
    """

    n_permutations: int = 999

    def __post_init__(self) -> None:
        check_count("n_permutations", self.n_permutations)

    def within(self, a: Floats, b: Floats, groups: NDArray[np.intp], rng: np.random.Generator) -> TestResult:
        """Return the result with the rows and columns of `b` permuted within groups.

        Parameters
        ----------
        a, b : numpy.ndarray, shape (n, n)
            Gram matrices.
        groups : numpy.ndarray of int, shape (n,)
            Group of each row, numbered from 0.
        rng : numpy.random.Generator
            Source of the permutations.

        Returns
        -------
        TestResult
            Statistic and p-value.
        """
        statistic = float(np.sum(a * b))
        order = np.argsort(groups, kind="stable")
        sizes = np.bincount(groups)
        count = 0
        for _ in range(self.n_permutations):
            shuffled = order[_shuffle_within(sizes, rng)]
            permuted = np.empty_like(order)
            permuted[order] = shuffled
            count += float(np.sum(a * b[np.ix_(permuted, permuted)])) >= statistic * (1 - 1e-12)
        p = (1 + count) / (1 + self.n_permutations)
        return TestResult(statistic, p, math.log(p), len(a))


def _shuffle_within(sizes: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Permute consecutive blocks of the given sizes, each in itself."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return np.lexsort((rng.random(len(labels)), labels))


NullLaw: TypeAlias = Gamma | Spectral | Permutation
