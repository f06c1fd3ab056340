"""Kernel ridge regression on a conditioning set: with a fixed ridge, or chosen by leave-one-out, or learned.

The ridge decides the level of the test. Too little and the residuals of both variables share the noise of the regression; too
much and they share what the regression missed. Both look like dependence, and no single value is right for one conditioning
column and for five, for a slow drift and for a fast one. So by default width and ridge are chosen for each variable and each
conditioning set by the exact leave-one-out error of the regression, which costs one thin eigendecomposition per width and none
per variable.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from scipy import linalg

from causalkit._validation import Floats
from causalkit.independence._gaussian_process import fit_gaussian_process, principal_targets
from causalkit.independence._grams import Block, GramFactory
from causalkit.independence._kernels import Delta, Gaussian, center_gram

Ridge: TypeAlias = float | Literal["loo"]

RIDGES = 10.0 ** np.arange(-4, 2.1, 0.5)
FEATURE_CUT = 1e-4
MAX_FEATURES = 100
MAX_SHARE = 0.5


def residual_maker(gram: Floats, ridge: float) -> Floats:
    """Return I - K (K + ridge I)^-1 = ridge (K + ridge I)^-1, by one Cholesky factorisation."""
    factor = linalg.cho_factor(
        gram + ridge * np.eye(len(gram)), lower=True, overwrite_a=True, check_finite=False
    )
    inverse = linalg.cho_solve(factor, np.eye(len(gram)), overwrite_b=True, check_finite=False)
    return np.asarray(ridge * (inverse + inverse.T) / 2)


@dataclass(frozen=True)
class Smoother:
    """A linear smoother U diag(shrink) U'.

    Parameters
    ----------
    basis : numpy.ndarray, shape (n, m)
        Orthonormal columns U.
    shrink : numpy.ndarray, shape (m,)
        Factors between 0 and 1.
    """

    basis: Floats
    shrink: Floats

    def residual_square(self) -> Floats:
        """Return R², the covariance of the residuals of white noise, with R = I - 11'/n - U diag(shrink) U'."""
        n = len(self.basis)
        return np.asarray(np.eye(n) - 1 / n - (self.basis * (1 - (1 - self.shrink) ** 2)) @ self.basis.T)

    def residual_gram(self, gram: Floats) -> Floats:
        """Return R K R with R = I - U diag(shrink) U'."""
        half = gram - self.basis @ (self.shrink[:, None] * (self.basis.T @ gram))
        return np.asarray(half - ((half @ self.basis) * self.shrink) @ self.basis.T)

    @property
    def degrees_of_freedom(self) -> float:
        """Trace of the smoother, the mean included."""
        return float(self.shrink.sum()) + 1.0

    def leave_one_out(self, features: Floats) -> float:
        """Return the sum of squared leave-one-out residuals of centred features.

        The mean is fitted too and has leverage 1/n: without it a smoother that interpolates would seem to predict.
        """
        residuals = features - self.basis @ (self.shrink[:, None] * (self.basis.T @ features))
        leverage = (self.basis**2) @ self.shrink + 1 / len(features)
        return float(np.sum(np.sum(residuals**2, axis=1) / np.maximum(1 - leverage, 1e-10) ** 2))


def thin_eigen(gram: Floats, tolerance: float = 1e-7) -> tuple[Floats, Floats]:
    """Return eigenvectors (n, m) and eigenvalues (m,) of a Gram matrix of low numerical rank, by pivoted Cholesky."""
    packed, pivots, rank, _ = linalg.lapack.dpstrf(gram, lower=1, tol=tolerance)
    factor = np.empty((len(gram), rank))
    factor[pivots - 1] = np.tril(packed)[:, :rank]
    values, vectors = linalg.eigh(factor.T @ factor)
    kept = values > 1e-10 * values[-1]
    return np.asarray(factor @ (vectors[:, kept] / np.sqrt(values[kept]))), np.asarray(values[kept])


def kernel_features(gram: Floats) -> Floats:
    """Return the leading kernel principal components of a centred Gram matrix, scaled by the roots of their eigenvalues."""
    vectors, values = thin_eigen(gram)
    order = np.argsort(values)[::-1][:MAX_FEATURES]
    order = order[values[order] > FEATURE_CUT * values[order[0]]]
    return np.asarray(vectors[:, order] * np.sqrt(values[order]))


class Residual(NamedTuple):
    """The residual Gram matrix R K R of a variable and, where the regression was chosen, R²."""

    gram: Floats
    square: Floats | None = None


class Regression:
    """Residual Gram matrices given conditioning sets; what depends on the set only is kept for the latest one.

    Parameters
    ----------
    grams : GramFactory
        Builder of Gram matrices.
    ridge : float or "loo"
        Ridge where it is not learned.
    """

    def __init__(self, grams: GramFactory, ridge: Ridge) -> None:
        self.grams = grams
        self.ridge = ridge
        self._maker: Floats | None = None
        self._spectra: list[tuple[Floats, Floats]] = []

    def forget(self) -> None:
        """Drop what was kept for another conditioning set."""
        self._maker = None
        self._spectra = []

    def residual(self, gram: Floats, z: Block, *, first: bool) -> Residual:
        """Return R K R for the centred Gram matrix of a variable; R depends on z, and on the variable where it is chosen."""
        numbers, _ = self.grams.split(z)
        if self.grams.width == "learned" and numbers:
            maker = self._learned_maker(z, gram, first)
        elif self.ridge == "loo":
            smoother = self._chosen_smoother(gram, z)
            # Means of groups of labels need no correction: the level holds without it, and power would be lost.
            square = smoother.residual_square() if numbers else None
            return Residual(smoother.residual_gram(gram), square)
        else:
            maker = self._fixed_maker(z, self.ridge)
        return Residual(np.asarray(maker @ gram @ maker))

    def _fixed_maker(self, z: Block, ridge: float) -> Floats:
        if self._maker is None:
            self._maker = residual_maker(center_gram(self.grams.conditioning(z)), ridge)
        return self._maker

    # -- chosen by leave-one-out ---------------------------------------------------------------------------------------------

    def _chosen_smoother(self, gram: Floats, z: Block) -> Smoother:
        """Return the smoother of z with the least leave-one-out error for a variable, over widths and ridges."""
        if not self._spectra:
            self._spectra = [thin_eigen(center_gram(gram)) for gram in self.grams.conditioning_candidates(z)]
        features = kernel_features(gram)
        smoothers = [Smoother(basis, s / (s + ridge)) for basis, s in self._spectra for ridge in RIDGES]
        usable = [
            smoother for smoother in smoothers if smoother.degrees_of_freedom < MAX_SHARE * self.grams.n
        ]
        return min(usable, key=lambda smoother: smoother.leave_one_out(features))

    # -- learned by marginal likelihood ----------------------------------------------------------------------------------------

    def _learned_maker(self, z: Block, gram: Floats, first: bool) -> Floats:
        """Learn widths, signal and noise; the learned kernel is not centred, as in the original."""
        numbers, labels = self.grams.split(z)
        inputs, n = self.grams.values[:, list(numbers)], self.grams.n
        factor = Delta(self.grams.shared)(self.grams.values[:, list(labels)]) if labels else 1.0
        targets = principal_targets(gram, min(400, n // 4) if first else min(200, n // 5))
        scale = self.grams.conditional_width(numbers, len(z))
        start = np.array([scale] * len(numbers) + [1.0, np.sqrt(0.1)])
        fit = fit_gaussian_process(inputs, targets, start, factor=factor)
        kernel = Gaussian(tuple(fit.length_scales), fit.signal**2)(inputs) * factor
        return residual_maker(kernel, fit.noise**2)


def inflation(first: Residual, second: Residual, joining: Floats | float) -> float:
    r"""Return by how much regression inflates the statistic over the mean of its null law.

    The residuals of two independent white noises have covariances :math:`R_X^2` and :math:`R_Y^2`. The statistic sums products of
    residuals over all pairs of rows, with expectation :math:`\sum_{st} (R_X^2)_{st} (R_Y^2)_{st} k_{st}`; the null law takes residuals
    of different rows for uncorrelated and has the sum over s = t only. The ratio is near 1 for a regression with few degrees of freedom,
    and 1.2 for one that follows twelve cycles in three hundred rows, where the difference decides about the level of the test.
    """
    if first.square is None or second.square is None:
        return 1.0
    product = first.square * second.square
    return float(np.sum(product * joining) / np.trace(product))
