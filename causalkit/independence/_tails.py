"""Tails of the laws that quadratic statistics have under independence: gamma, chi-square, weighted sums of chi-squares.

All tails are survival functions, never one minus a distribution function: that difference is exactly zero below 1e-16
and loses the order of strong dependences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import interpolate, optimize, special

from causalkit._validation import Floats

TINY = 1e-290
# The integral is a sum over these nodes; at the last the integrand is e^-40 of its largest value.
STEP = 0.125
NODES = STEP * np.arange(1, 73)
# The path is followed in steps of these lengths, and its points between are found by so many iterations of Newton's method.
LONGEST, SHORTEST, POLISH, ITERATIONS = 0.5, 1e-6, 4, 12
Points: TypeAlias = NDArray[Any]


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
    r"""Return p and log p of a sum of independent chi-square variables with positive weights.

    With the moment generating function M the tail is the integral of M(s) exp(-s q) / s over a path that crosses the real axis between 0
    and 1 / (2 max w), divided by 2 pi i; with a crossing below 0 the same integral is minus the lower tail. The path taken is the one of
    steepest descent from the saddle point of the whole integrand, the factor 1 / s included. On it the integrand is real and positive
    and falls as :math:`e^{-v^2/2}`, so that nothing cancels, in either tail however far, and the trapezoidal rule in v converges
    geometrically. The derivative of the exponent is a sum of terms c / (b - s) with c > 0 and b real, minus q: all its zeros are real, so
    that the path meets no second saddle point whatever weights and degrees of freedom are.

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
    w, d = weights / unit, np.ones(weights.size) if degrees is None else degrees
    q, upper = statistic / unit, statistic / unit >= float(d @ w)
    log_part = min(_log_of_integral(_Exponent.of(w, d, q, upper=upper)), 0.0)
    if upper:
        return math.exp(log_part), log_part
    log_p = math.log1p(-math.exp(log_part)) if log_part < -1e-300 else -math.inf
    return math.exp(log_p), log_p


@dataclass(frozen=True)
class _Exponent:
    """The exponent log M(s) - s q - log|s| of the integrand, as a function of r = s - base.

    Parameters
    ----------
    w, d : numpy.ndarray, shape (k,)
        Weights, the largest 1, and degrees of freedom.
    q : float
        Where the tail starts.
    base : float
        1/2 where the saddle point is near that branch point, else 0: distances to what is near are then exact.
    sign : float
        1 for the upper tail, whose saddle point is positive, -1 for the lower one.
    """

    w: Floats
    d: Floats
    q: float
    base: float
    sign: float

    @cached_property
    def starts(self) -> Floats:
        """1 - 2 w base, exactly 0 for the largest weight at base 1/2."""
        return np.asarray(1 - 2 * self.w * self.base)

    @cached_property
    def doubled(self) -> Floats:
        """2 w."""
        return 2 * self.w

    @classmethod
    def of(cls, w: Floats, d: Floats, q: float, *, upper: bool) -> _Exponent:
        """Choose the base."""
        at_zero = cls(w, d, q, 0.0, 1.0 if upper else -1.0)
        near_end = upper and at_zero.slope(np.array([0.25])).item() < 0
        return cls(w, d, q, 0.5, 1.0) if near_end else at_zero

    @property
    def bracket(self) -> tuple[float, float]:
        """Logarithms of the distances from the base between which the saddle point is."""
        if self.base > 0:
            return math.log(0.25), math.log(0.5 / (self.q + 4) * min(1.0, float(self.d[self.w.argmax()]))) - 1
        widest = 0.25 if self.sign > 0 else (0.5 * float(self.d.sum()) + 1) / self.q
        return math.log(1 / (self.q + 2 * float(self.d.sum()) + 8)) - 1, math.log(widest) + 1e-9

    def saddle(self) -> float:
        """Return the zero of the slope that the tail asks for; the exponent is convex there."""
        side = -1.0 if self.base > 0 else self.sign
        low, high = self.bracket
        return side * math.exp(
            optimize.brentq(
                lambda u: self.slope(np.array([side * math.exp(u)])).item(), low, high, xtol=1e-14
            )
        )

    def value(self, r: Points) -> Points:
        """Return the exponent without its constant -base q, each logarithm on its principal branch."""
        logs = np.log(self.starts - self.doubled * r[:, None])
        return -0.5 * (logs @ self.d) - self.q * r - np.log(self.sign * (self.base + r))

    def slope(self, r: Points) -> Points:
        """Return the derivative of the exponent."""
        pull = (self.d * self.w / (self.starts - self.doubled * r[:, None])).sum(axis=1)
        return np.asarray(pull - self.q - 1 / (self.base + r))

    def curvature(self, r: float) -> float:
        """Return the second derivative at a point of the real axis."""
        parts = self.w / (self.starts - self.doubled * r)
        return float(2 * (self.d @ parts**2)) + 1 / (self.base + r) ** 2


def _log_of_integral(exponent: _Exponent) -> float:
    """Return log of the integral over the path of steepest descent; the lower half of the path mirrors the upper."""
    saddle = exponent.saddle()
    top = exponent.value(np.array([saddle + 0j])).real.item()
    speed = 1 / math.sqrt(exponent.curvature(saddle))
    v, at, direction = _coarse_path(exponent, top, saddle, speed)
    points = interpolate.CubicHermiteSpline(v, at, direction)(NODES)
    for _ in range(POLISH):
        points -= (exponent.value(points) - top + 0.5 * NODES**2) / exponent.slope(points)
    upward = (-NODES / exponent.slope(points)).imag
    total = 0.5 * speed + float(np.exp(-0.5 * NODES**2) @ upward)
    return float(top - exponent.base * exponent.q + math.log(total * STEP / math.pi))


def _coarse_path(
    exponent: _Exponent, top: float, saddle: float, speed: float
) -> tuple[Floats, Points, Points]:
    """Follow the path, on which the exponent is top - v²/2: return some v, the points there and their derivatives by v."""
    v, at, direction, step = [0.0], [saddle + 0j], [complex(0.0, speed)], LONGEST
    while v[-1] < NODES[-1]:
        start = at[-1] + step * _bent(v, direction, step)
        found = _newton(exponent, top - 0.5 * (v[-1] + step) ** 2, start, step * abs(direction[-1]))
        if found is None and step > SHORTEST:
            step /= 2
            continue
        v.append(v[-1] + step)
        at.append(start if found is None else found)
        direction.append(-v[-1] / complex(exponent.slope(np.array([at[-1]]))[0]))
        step = min(2 * step, LONGEST)
    return np.array(v), np.array(at), np.array(direction)


def _bent(v: list[float], direction: list[complex], step: float) -> complex:
    """Return the mean direction over the next step if it goes on turning as over the last."""
    if len(v) < 2:
        return direction[-1]
    return direction[-1] + 0.5 * step / (v[-1] - v[-2]) * (direction[-1] - direction[-2])


def _newton(exponent: _Exponent, goal: float, start: complex, moved: float) -> complex | None:
    """Return where the exponent has a value, or None if that is not near the start."""
    r = np.array([start])
    for _ in range(ITERATIONS):
        change = (exponent.value(r) - goal) / exponent.slope(r)
        r = r - change
        if not abs(r[0] - start) < 0.3 * moved or r[0].imag <= 0:
            return None
        if abs(change[0]) < 1e-3 * moved:
            return complex(r[0])
    return None
