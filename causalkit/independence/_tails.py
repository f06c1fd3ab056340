"""Tails of the laws that quadratic statistics have under independence: gamma, chi-square, weighted sums of chi-squares.

All tails are survival functions, never one minus a distribution function: that difference is exactly zero below 1e-16
and loses the order of strong dependences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from causalkit._validation import Floats

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


def weighted_chi_square_tail(
    statistic: float, weights: Floats, degrees: Floats | None = None
) -> tuple[float, float]:
    """Return p and log p of a sum of independent chi-square variables with positive weights.

    The moment generating function M(s) is analytic off the ray s >= 1 / (2 max w). The tail is the integral of
    M(s) exp(-s q) / s along any path that starts and ends at the right and crosses the real axis between 0 and that ray.
    On a parabola through (about) the saddle point the integrand decays so fast that the trapezoidal rule is exact to
    rounding, in the far tail too, where a simulation would return zero. With the crossing point below zero the same
    integral is minus the lower tail.

    Parameters
    ----------
    statistic : float
        Where the tail starts.
    weights : numpy.ndarray, shape (k,)
        Positive weights.
    degrees : numpy.ndarray of shape (k,) or None, default=None
        Degrees of freedom of each variable, not necessarily whole; None for one each.

    Returns
    -------
    (float, float)
        The tail probability and its logarithm.

    References
    ----------
    S. O. Rice, "Distribution of quadratic forms in normal random variables: evaluation by numerical integration", SIAM
    Journal on Scientific and Statistical Computing 1, 1980. R. Lugannani, S. Rice, Advances in Applied Probability 12, 1980.
    """
    if weights.size == 0 or statistic <= 0:
        return 1.0, 0.0
    unit = float(weights.max())
    law = _Mixture(weights / unit, np.ones(weights.size) if degrees is None else degrees)
    q = statistic / unit
    upper = q >= law.mean
    log_scale, value = _parabola_integral(law, q, _crossing_point(law, q, upper))
    if upper:
        log_p = log_scale + math.log(max(value, 1e-300))
        return min(math.exp(log_p), 1.0), min(log_p, 0.0)
    lower = -math.exp(log_scale) * value
    p = min(max(1.0 - lower, 0.0), 1.0)
    return p, math.log(p) if p > 0 else -math.inf


@dataclass(frozen=True)
class _Mixture:
    """The cumulant generating function K of a weighted sum of chi-square variables."""

    w: Floats
    d: Floats

    @property
    def mean(self) -> float:
        return float(np.sum(self.d * self.w))

    def slope(self, s: float) -> float:
        return float(np.sum(self.d * self.w / (1 - 2 * self.w * s)))

    def curvature(self, s: float) -> float:
        return float(np.sum(2 * self.d * self.w**2 / (1 - 2 * self.w * s) ** 2))

    def value(self, s: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return K(s), each logarithm on its principal branch."""
        total = np.zeros(s.shape, dtype=np.complex128)
        for w, d in zip(_blocks(self.w), _blocks(self.d), strict=True):
            total -= 0.5 * (d[:, None] * np.log(1 - 2 * w[:, None] * s)).sum(axis=0)
        return total


def _blocks(values: Floats) -> list[Floats]:
    return np.array_split(values, max(1, len(values) // 256))


def _crossing_point(law: _Mixture, q: float, upper: bool) -> float:
    """Return a point of the real axis near the saddle point, on the side of zero that the tail asks for."""
    spread = 1.0 / math.sqrt(law.curvature(0.0))
    saddle = _saddle_point(law, q)
    return min(max(saddle, 0.5 * spread), 0.5 - 1e-12) if upper else min(saddle, -0.5 * spread)


def _saddle_point(law: _Mixture, q: float) -> float:
    """Solve K'(s) = q by bisection; K' grows from 0 at minus infinity to infinity at 1/2."""
    low, high = -0.5 * float(law.d.sum()) / q - 1.0, 0.5
    for _ in range(200):
        middle = (low + high) / 2
        if law.slope(middle) > q:
            high = middle
        else:
            low = middle
    return low


def _parabola_integral(law: _Mixture, q: float, c: float) -> tuple[float, float]:
    """Integrate exp(K(s) - s q) / s over s = c + (t^2 / 4 + i t) / sqrt(K''(c)), t = sinh u; return log scale and value."""
    width = 1.0 / math.sqrt(law.curvature(c))
    log_scale = float(law.value(np.array([c], dtype=np.complex128)).real[0]) - c * q
    step = 0.02
    u = step * np.arange(-400, 401)
    t = np.sinh(u)
    s = c + width * (t**2 / 4 + 1j * t)
    exponent = law.value(s) - s * q - log_scale
    slope = width * (t / 2 + 1j) * np.cosh(u)
    keep = exponent.real > -60
    integrand = np.exp(exponent[keep]) / s[keep] * slope[keep]
    return log_scale, float(np.sum(integrand).imag * step / (2 * math.pi))
