r"""Ridge regression on kernel features: residual makers of low rank, and the leave-one-out error of many at once.

With a centred Gram matrix :math:`\tilde K = G^\top G` of rank m the residual maker of kernel ridge regression is, by Woodbury's identity,

.. math:: R = I - \tilde K (\tilde K + \varepsilon I)^{-1} = I - G^\top (G G^\top + \varepsilon I_m)^{-1} G,

an m x m Cholesky factorisation instead of one of n x n. In the basis U of eigenvectors of :math:`\tilde K` it is
:math:`I - U\,\mathrm{diag}(s / (s + \varepsilon))\,U^\top` for all ridges at once, and the leave-one-out residual of row t is the residual
divided by :math:`1 - h_{tt}`, with the leverage :math:`h`: no refitting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from causalkit.gpu._backend import Array, Backend

__all__ = ["DenseMaker", "ResidualMaker", "Smoother", "Woodbury", "leave_one_out_errors", "residuals"]


class ResidualMaker(Protocol):
    """Anything that takes what a regression explains out of features."""

    def residual(self, features: Array) -> Array:
        """Return R F for features F of shape (n, r)."""
        ...


@dataclass(frozen=True)
class Smoother:
    """R = I - U diag(shrink) U', with the mean taken out already.

    Parameters
    ----------
    basis : Array, shape (n, m)
        Orthonormal, centred columns U.
    shrink : Array, shape (m,)
        Factors between 0 and 1.
    """

    basis: Array
    shrink: Array

    def residual(self, features: Array) -> Array:
        """Return R F for centred features F of shape (n, r)."""
        return features - self.basis @ (self.shrink[:, None] * (self.basis.mT @ features))

    def complement(self, backend: Backend) -> Array:
        """Return V of shape (n, m + 1) with R² = I - V V', for the R that takes out the mean too."""
        xp, n = backend.xp, self.basis.shape[0]
        constant = backend.zeros((n, 1), self.basis) + n**-0.5
        return xp.concat([constant, self.basis * xp.sqrt(1 - (1 - self.shrink) ** 2)], axis=1)


@dataclass(frozen=True)
class Woodbury:
    """R = I - G' (G G' + ridge I)^-1 G.

    Parameters
    ----------
    factor : Array, shape (m, n)
        G.
    lower : Array, shape (m, m)
        Lower Cholesky factor of G G' + ridge I.
    backend : Backend
        Their array library.
    """

    factor: Array
    lower: Array
    backend: Backend

    @classmethod
    def of(cls, factor: Array, ridge: float, backend: Backend) -> Woodbury:
        """Factorise for a ridge."""
        identity = backend.asarray(np.eye(factor.shape[0]))
        return cls(factor, backend.cholesky(factor @ factor.mT + ridge * identity), backend)

    def residual(self, features: Array) -> Array:
        """Return R F for features F of shape (n, r)."""
        half = self.backend.solve_lower(self.lower, self.factor @ features)
        return features - self.factor.mT @ self.backend.solve_lower(self.lower, half, transposed=True)


@dataclass(frozen=True)
class DenseMaker:
    """R = ridge (K + ridge I)^-1, for kernels whose rank is no smaller than n.

    Parameters
    ----------
    lower : Array, shape (n, n)
        Lower Cholesky factor of K + ridge I.
    ridge : float
        The ridge.
    backend : Backend
        Array library.
    """

    lower: Array
    ridge: float
    backend: Backend

    @classmethod
    def of(cls, gram: Array, ridge: float, backend: Backend) -> DenseMaker:
        """Factorise a Gram matrix for a ridge."""
        return cls(backend.cholesky(gram + ridge * backend.asarray(np.eye(gram.shape[0]))), ridge, backend)

    def residual(self, features: Array) -> Array:
        """Return R F for features F of shape (n, r); with more columns than rows R itself pays for itself."""
        return self._solved(features) if features.shape[1] <= self.lower.shape[0] else self.matrix @ features

    @cached_property
    def matrix(self) -> Array:
        """R, of shape (n, n)."""
        return self._solved(self.backend.asarray(np.eye(self.lower.shape[0])))

    def _solved(self, features: Array) -> Array:
        half = self.backend.solve_lower(self.lower, features)
        return self.ridge * self.backend.solve_lower(self.lower, half, transposed=True)


def residuals(makers: Sequence[ResidualMaker], features: Sequence[Array], backend: Backend) -> list[Array]:
    """Return R F of several variables; those that share a residual maker are done in one go.

    Parameters
    ----------
    makers : sequence of ResidualMaker
        One per variable; shared ones are the same object.
    features : sequence of Array of shape (n, r)
        Features of each variable.
    backend : Backend
        Array library.

    Returns
    -------
    list of Array of shape (n, r)
        Residual features of each variable.
    """
    shared: dict[int, list[int]] = {}
    for k, maker in enumerate(makers):
        shared.setdefault(id(maker), []).append(k)
    out: list[Array] = [None] * len(makers)
    for members in shared.values():
        done = makers[members[0]].residual(backend.xp.concat([features[k] for k in members], axis=1))
        ends = np.cumsum([0] + [features[k].shape[1] for k in members])
        for k, start, stop in zip(members, ends[:-1], ends[1:], strict=True):
            out[k] = done[:, int(start) : int(stop)]
    return out


def leave_one_out_errors(
    spectra: Sequence[tuple[Array, Array]],
    ridges: Sequence[float],
    features: Sequence[Array],
    backend: Backend,
    *,
    max_degrees: float,
    rows: NDArray[np.intp] | None = None,
) -> NDArray[np.float64]:
    """Return the leave-one-out error of several variables for each kernel and each ridge.

    Parameters
    ----------
    spectra : sequence of (Array of shape (n, m), Array of shape (m,))
        Eigenvectors and eigenvalues of each centred kernel.
    ridges : sequence of float
        Ridges.
    features : sequence of Array of shape (n, r)
        Centred features of each variable.
    backend : Backend
        Array library.
    max_degrees : float
        Kernels and ridges with more effective degrees of freedom, the mean included, get an infinite error.
    rows : numpy.ndarray of int or None, default=None
        Rows whose errors are summed, of regressions on all rows; None for all.

    Returns
    -------
    numpy.ndarray, shape (variables, kernels, ridges)
        Sums of squared leave-one-out residuals.

    Notes
    -----
    The mean is fitted too and has leverage 1/n: without it a smoother that interpolates would seem to predict.
    """
    xp = backend.xp
    stacked = xp.concat(list(features), axis=1) if len(features) > 1 else features[0]
    starts = np.cumsum([0] + [f.shape[1] for f in features])[:-1]
    errors = np.full((len(features), len(spectra), len(ridges)), np.inf)
    targets = stacked if rows is None else backend.take(stacked, rows)
    for k, (basis, values) in enumerate(spectra):
        projected = basis.mT @ stacked
        chosen = basis if rows is None else backend.take(basis, rows)
        squared_basis = chosen**2
        for c, ridge in enumerate(ridges):
            shrink = values / (values + ridge)
            if float(xp.sum(shrink)) + 1 >= max_degrees:
                continue
            remaining = 1 - 1 / stacked.shape[0] - squared_basis @ shrink
            remaining = xp.where(remaining > 1e-10, remaining, backend.zeros((), remaining) + 1e-10)
            residuals = targets - chosen @ (shrink[:, None] * projected)
            columns = backend.to_numpy((1 / remaining**2) @ residuals**2)
            errors[:, k, c] = np.add.reduceat(columns, starts)
    return errors
