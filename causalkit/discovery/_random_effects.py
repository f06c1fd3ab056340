r"""Parameters that differ between the cells of a context, estimated together.

A single cell has few rows, so its own estimate is noisy, the noisier the less its rows say. All cells together say how much a
parameter varies at all, and which vary together. So the parameters are random effects: over cells their deviations from the pooled
values are normal with covariance :math:`T \otimes R`, where R says how alike cells are (the identity for domains, a smooth kernel for
stretches of time), and their best prediction (BLUP) shrinks what is noise and keeps what is signal. T is found by EM, the width of R by
the likelihood.

For a regression in cell k with the moments :math:`G_k = D_k' D_k`, :math:`h_k = D_k' e_k` of design and pooled residuals and
residual variance :math:`\sigma_k^2`, the deviations u of all coefficients have the posterior precision
:math:`\operatorname{blkdiag}(G_k / \sigma_k^2) + T^{-1} \otimes R^{-1}` and the mean that solves it for
:math:`h_k / \sigma_k^2`. EM then sets :math:`T_{ij} = (u_i' R^{-1} u_j + \operatorname{tr} R^{-1} C_{ij}) / K`.

References
----------
N. Laird, J. Ware, "Random-effects models for longitudinal data", Biometrics 38, 1982 (the model and its EM).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.special import digamma, polygamma

from causalkit._validation import Floats

__all__ = ["Effects", "Moments", "effects_of_regression", "smooth"]

STEPS = 22
SCALE_STEPS = 7
EARLY = 8
BEHIND = 12.0
SHARES = np.array([1e-6, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1.0, 1.3, 2.0, 3.0])
LEAST = 1e-7


@dataclass(frozen=True)
class Effects:
    """Predicted deviations of some parameters over cells.

    Parameters
    ----------
    values : numpy.ndarray, shape (K, p)
        Deviations from the pooled parameters.
    variances : numpy.ndarray, shape (p,)
        Variances of the true deviations, as estimated.
    units : numpy.ndarray of shape (p,), optional
        What counts as one unit of change: for coefficients the residual scale, for logarithms of scales 1 / sqrt(2), so that the
        square of a deviation is twice its Kullback-Leibler divergence from the pooled mechanism. Ones by default.
    chosen : tuple of int, default=(0, 0)
        Which of the candidate kernels the coefficients, and which the scale took.
    draws : numpy.ndarray of shape (D, K, p), optional
        Draws of the true deviations from their posterior, over the candidate kernels too; left out unless they are asked for.
    """

    values: Floats
    variances: Floats
    units: Floats | None = None
    chosen: tuple[int, int] = (0, 0)
    draws: Floats | None = None

    def natural(self) -> Floats:
        """Return the deviations in their units, centred."""
        centred = self.values - self.values.mean(axis=0)
        return np.asarray(centred if self.units is None else centred / self.units)

    def natural_draws(self) -> Floats:
        """Return the draws in units of the deviations, each centred: (D, K, p)."""
        if self.draws is None:
            return np.empty((0, *self.values.shape))
        centred = self.draws - self.draws.mean(axis=1, keepdims=True)
        return np.asarray(centred if self.units is None else centred / self.units)

    def standardized(self) -> Floats:
        """Return the deviations with unit variance times their reliability, so that a parameter that hardly changes hardly counts."""
        centred = self.values - self.values.mean(axis=0)
        spread = centred.var(axis=0)
        reliable = np.minimum(1.0, spread / np.maximum(self.variances, np.finfo(float).tiny))
        return np.asarray(centred / np.sqrt(spread + np.finfo(float).tiny) * reliable)

    @classmethod
    def beside(cls, parts: Sequence[Effects]) -> Effects:
        """Put the parameters of several estimations side by side."""
        units = [np.ones(p.values.shape[1]) if p.units is None else p.units for p in parts]
        values, variances = np.hstack([p.values for p in parts]), np.concatenate([p.variances for p in parts])
        known = [part.draws for part in parts if part.draws is not None]
        draws = np.concatenate(known, axis=2) if len(known) == len(parts) else None
        return cls(values, variances, np.concatenate(units), parts[0].chosen, draws)


@dataclass(frozen=True)
class Draws:
    """How many draws of a posterior are wanted, and from what.

    `between` says for each candidate kernel how far a path strays from the line between neighbouring cells, as a share of its variance:
    the draws are of what holds at a row, not at the centre of its cell.
    """

    number: int
    rng: np.random.Generator
    between: Sequence[float] = ()

    def strayed(self, paths: Floats, kernel: int, variances: Floats) -> Floats:
        """Add to draws (d, K, p) of parameters with these variances what lies between cells."""
        spread = np.sqrt(self.between[kernel] * variances) if self.between else np.zeros_like(variances)
        return np.asarray(paths + spread * self.rng.normal(size=paths.shape))

    def split(self, evidence: Sequence[float]) -> NDArray[np.intp]:
        """Share the draws out among models by their posterior probability, all models being as likely before the data."""
        logs = np.asarray(evidence, dtype=np.float64)
        weights = np.exp(logs - logs.max())
        return np.asarray(self.rng.multinomial(self.number, weights / weights.sum()), dtype=np.intp)

    def mix(self, parts: Sequence[Floats]) -> Floats:
        """Join the draws of several models in random order, so that those of different parameters pair off at random."""
        joined = np.concatenate(list(parts))
        return np.asarray(joined[self.rng.permutation(len(joined))])


def smooth(
    estimates: Floats, noise: Floats, kernels: Sequence[Floats], draws: Draws | None = None
) -> tuple[Effects, float]:
    """Predict one parameter, by its unit the logarithm of a scale, from its estimates; return it and its pooled value.

    Parameters
    ----------
    estimates : numpy.ndarray, shape (K,)
        An estimate per cell.
    noise : numpy.ndarray, shape (K,)
        Their sampling variances.
    kernels : sequence of numpy.ndarray of shape (K, K)
        Candidates for the likeness R of cells.
    draws : Draws, optional
        Draws that are wanted of the posterior, over variances and kernels.
    """
    total = max(float(estimates.var()), np.finfo(float).tiny)
    grams = np.repeat(np.array(kernels), len(SHARES), axis=0)
    variances = np.tile(SHARES * total, len(kernels))
    likelihoods, deviations, means = _scalar_fits(estimates, noise, variances[:, None, None] * grams)
    best, drawn = int(likelihoods.argmax()), None
    if draws is not None:
        numbers = draws.split(likelihoods.tolist())
        drawn = draws.mix(
            [
                draws.strayed(
                    _scalar_draws(grams[k], variances[k], noise, deviations[k], int(numbers[k]), draws.rng),
                    int(k) // len(SHARES),
                    variances[[k]],
                )
                for k in np.flatnonzero(numbers)
            ]
        )
    chosen, units = (0, best // len(SHARES)), np.array([np.sqrt(0.5)])
    found = Effects(deviations[best][:, None], variances[[best]], units, chosen, drawn)
    return found, float(means[best])


def _scalar_fits(estimates: Floats, noise: Floats, priors: Floats) -> tuple[Floats, Floats, Floats]:
    """Return restricted log likelihoods (f,), predictions (f, K) and means (f,) for a stack of prior covariances (f, K, K)."""
    total = priors + np.diag(noise)
    factors = np.linalg.cholesky(total)
    columns = np.column_stack([estimates, np.ones_like(estimates)])
    solved = np.linalg.solve(total, np.broadcast_to(columns, (len(priors), *columns.shape)))
    inverse_ones, ones = solved[..., 1], solved[..., 1].sum(axis=1)
    means = inverse_ones @ estimates / ones
    rest = solved[..., 0] - means[:, None] * inverse_ones
    squares = rest @ estimates - means * rest.sum(axis=1)
    volume = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
    likelihoods = -0.5 * (squares + np.log(ones)) - volume
    return likelihoods, np.einsum("fkl,fl->fk", priors, rest), means


def _scalar_draws(
    gram: Floats, variance: float, noise: Floats, means: Floats, number: int, rng: np.random.Generator
) -> Floats:
    """Draw deviations given their variance: a path of the prior, moved by what a made-up measurement of it gets wrong (Matheron)."""
    size = len(means)
    prior = np.linalg.cholesky(variance * gram + 1e-12 * variance * np.eye(size))
    paths = prior @ rng.normal(size=(size, number))
    measured = paths + np.sqrt(noise)[:, None] * rng.normal(size=(size, number))
    gain = variance * gram @ np.linalg.inv(variance * gram + np.diag(noise))
    return np.asarray((means[:, None] + paths - gain @ measured).T[:, :, None])


# -- regressions ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Moments:
    """What the rows of each cell say about a regression on p columns.

    Parameters
    ----------
    gram : numpy.ndarray, shape (K, p, p)
        Products of the columns of the design.
    cross : numpy.ndarray, shape (K, p)
        Their products with the residuals of the pooled regression.
    squares : numpy.ndarray, shape (K,)
        Sums of squares of these residuals.
    counts : numpy.ndarray, shape (K,)
        Numbers of rows.
    """

    gram: Floats
    cross: Floats
    squares: Floats
    counts: NDArray[np.intp]

    @classmethod
    def of(cls, design: Floats, residuals: Floats, cells: NDArray[np.intp], number: int) -> Moments:
        """Sum over the rows of each cell."""
        rows = [np.flatnonzero(cells == k) for k in range(number)]
        gram = np.array([design[r].T @ design[r] for r in rows])
        cross = np.array([design[r].T @ residuals[r] for r in rows])
        squares = np.array([residuals[r] @ residuals[r] for r in rows])
        return cls(gram, cross, squares, np.array([len(r) for r in rows]))


@dataclass(frozen=True)
class Posterior:
    """Means (K, p) and covariances within cells (K, p, p) of the deviations, their products (p, p) in the metric of R, and the log evidence."""

    means: Floats
    within: Floats
    power: Floats
    evidence: float
    factor: Floats | None = None

    def draw(self, number: int, rng: np.random.Generator) -> Floats:
        """Draw deviations of all cells, (number, K, p)."""
        cells, columns = self.means.shape
        if self.factor is None:
            roots = np.linalg.cholesky(self.within)
            return np.asarray(
                self.means + np.einsum("kij,dkj->dki", roots, rng.normal(size=(number, cells, columns)))
            )
        white = rng.normal(size=(cells * columns, number))
        paths = linalg.solve_triangular(self.factor.T, white, lower=False).T
        return np.asarray(self.means + paths.reshape(number, columns, cells).transpose(0, 2, 1))


@dataclass(frozen=True)
class Fit:
    """A regression with random effects: its posterior, the covariance T of effects, and the residual variance of each cell.

    `measured` are the estimates of the logarithm of each cell's residual scale and their sampling variances, `scale` what is predicted
    from them about the pooled value `mean`.
    """

    posterior: Posterior
    covariance: Floats
    noise: Floats
    scale: Effects
    measured: tuple[Floats, Floats]
    mean: float = 0.0


def effects_of_regression(
    moments: Moments,
    kernels: Sequence[Floats],
    *,
    scale_kernels: Sequence[Floats] | None = None,
    with_scale: bool = True,
    draws: Draws | None = None,
) -> Effects:
    """Predict how the coefficients of a regression, and the logarithm of its residual scale, differ between cells.

    Parameters
    ----------
    moments : Moments
        What the rows say.
    kernels : sequence of numpy.ndarray of shape (K, K)
        Candidates for the likeness of cells; the most likely is taken.
    scale_kernels : sequence of numpy.ndarray of shape (K, K), optional
        The same for the residual scale; by default those of the coefficients.
    with_scale : bool, default=True
        Whether the residual scale is a parameter of its own; of labels it is not.
    draws : Draws, optional
        Draws that are wanted of the posterior.
    """
    fits = [_fit(moments, gram, scale_kernels or kernels) for gram in kernels]
    return effects_of_fits(fits, scale_kernels or kernels, with_scale=with_scale, draws=draws)


def regression_fits(
    moments: Moments, kernels: Sequence[Floats], scale_kernels: Sequence[Floats] | None = None
) -> list[Fit]:
    """Fit the random effects of a regression once for each candidate kernel; kernels that fall far behind are not followed to the end."""
    scales = scale_kernels or kernels
    if len(kernels) == 1:
        return [_fit(moments, kernels[0], scales)]
    early = [_improved(moments, gram, scales, _start(moments), range(EARLY)) for gram in kernels]
    best = early[likeliest(early)].posterior.evidence
    return [
        _improved(moments, gram, scales, fit, range(EARLY, STEPS))
        if fit.posterior.evidence > best - BEHIND
        else fit
        for gram, fit in zip(kernels, early, strict=True)
    ]


def likeliest(fits: Sequence[Fit]) -> int:
    """Return the position of the fit with the largest evidence."""
    return max(range(len(fits)), key=lambda k: fits[k].posterior.evidence)


def effects_of_fits(
    fits: Sequence[Fit], scale_kernels: Sequence[Floats], *, with_scale: bool, draws: Draws | None = None
) -> Effects:
    """Return the effects of the likeliest fit; their draws are from all fits, by evidence."""
    kernel = likeliest(fits)
    fit = fits[kernel]
    residual = np.exp(0.5 * np.log(fit.noise).mean())
    variances = np.diag(fit.covariance).copy()
    units, drawn, scale = np.full(len(variances), residual), None, fit.scale
    if draws is not None:
        numbers = draws.split([f.posterior.evidence for f in fits])
        drawn = draws.mix(
            [
                draws.strayed(fits[k].posterior.draw(int(n), draws.rng), k, np.diag(fits[k].covariance))
                for k, n in enumerate(numbers)
                if n
            ]
        )
        scale = smooth(*fit.measured, scale_kernels, draws)[0]
    coefficients = Effects(fit.posterior.means, variances, units, (kernel, fit.scale.chosen[1]), drawn)
    return Effects.beside([coefficients, scale]) if with_scale else coefficients


def _fit(moments: Moments, gram: Floats, kernels: Sequence[Floats]) -> Fit:
    """Find the variances by EM, and the residual scales on the way."""
    return _improved(moments, gram, kernels, _start(moments), range(STEPS))


def _start(moments: Moments) -> Fit:
    number, columns = moments.cross.shape
    pooled = float(moments.squares.sum() / moments.counts.sum())
    start = Effects(np.zeros((number, 1)), np.zeros(1))
    nothing = Posterior(
        np.zeros((number, columns)), np.zeros((number, columns, columns)), np.zeros((columns, columns)), 0.0
    )
    measured = (np.zeros(number), np.ones(number))
    return Fit(nothing, 0.1 * pooled * np.eye(columns), np.full(number, pooled), start, measured)


def _improved(
    moments: Moments, gram: Floats, kernels: Sequence[Floats], fit: Fit, steps: Iterable[int]
) -> Fit:
    """Go some steps of the EM."""
    pooled = float(moments.squares.sum() / moments.counts.sum())
    for step in steps:
        posterior = _posterior(moments, gram, fit)
        covariance = posterior.power / len(gram) + LEAST * pooled * np.eye(len(fit.covariance))
        fit = replace(fit, posterior=posterior, covariance=covariance)
        if step % SCALE_STEPS == 0:
            fit = _with_scales(moments, fit, kernels)
    return fit


def _posterior(moments: Moments, gram: Floats, fit: Fit) -> Posterior:
    if np.array_equal(gram, np.eye(len(gram))):
        return _unrelated(moments, fit)
    return _related(moments, gram, fit)


def _unrelated(moments: Moments, fit: Fit) -> Posterior:
    """R = I: every cell on its own, given the variances."""
    precision = moments.gram / fit.noise[:, None, None] + np.linalg.inv(fit.covariance)
    within = np.linalg.inv(precision)
    target = moments.cross / fit.noise[:, None]
    means = np.einsum("kij,kj->ki", within, target)
    power = means.T @ means + within.sum(axis=0)
    volume = np.linalg.slogdet(within)[1].sum() - len(means) * np.linalg.slogdet(fit.covariance)[1]
    evidence = _evidence(moments, fit, float(np.sum(target * means)), float(volume))
    return Posterior(means, np.asarray(within), np.asarray(power), evidence)


def _related(moments: Moments, gram: Floats, fit: Fit) -> Posterior:
    """All cells at once: unknowns are ordered by parameter, then cell."""
    number, columns = moments.cross.shape
    inverse, cells = np.linalg.inv(gram), np.arange(number)
    precision = np.einsum("ij,kl->ikjl", np.linalg.inv(fit.covariance), inverse)
    precision[:, cells, :, cells] += moments.gram / fit.noise[:, None, None]
    factor = linalg.cholesky(precision.reshape(number * columns, -1), lower=True, overwrite_a=True)
    target = (moments.cross / fit.noise[:, None]).T.ravel()
    means = linalg.cho_solve((factor, True), target)
    covariance = _inverse(factor).reshape(precision.shape)
    paths = means.reshape(columns, number)
    power = paths @ inverse @ paths.T + np.einsum("kl,ikjl->ij", inverse, covariance)
    volume = -2 * np.log(np.diag(factor)).sum() - number * np.linalg.slogdet(fit.covariance)[1]
    volume -= columns * np.linalg.slogdet(gram)[1]
    evidence = _evidence(moments, fit, float(target @ means), volume)
    return Posterior(paths.T, covariance[:, cells, :, cells], power, evidence, factor)


def _inverse(factor: Floats) -> Floats:
    """Return the inverse of a matrix from its lower Cholesky factor, at a third of the cost of solving for the identity."""
    lower, _ = linalg.lapack.dpotri(factor, lower=1)
    lower = np.tril(lower)
    whole = lower + lower.T
    whole[np.diag_indices_from(whole)] *= 0.5
    return np.asarray(whole)


def _evidence(moments: Moments, fit: Fit, explained: float, volume: float) -> float:
    """Return the log marginal likelihood up to a constant."""
    unexplained = np.sum(moments.squares / fit.noise) - explained
    return float(-0.5 * (unexplained + np.sum(moments.counts * np.log(fit.noise)) - volume))


def _with_scales(moments: Moments, fit: Fit, kernels: Sequence[Floats]) -> Fit:
    """Estimate the residual scale of each cell, on the logarithmic scale, from what the coefficients leave."""
    means, within = fit.posterior.means, fit.posterior.within
    left = moments.squares - 2 * np.sum(means * moments.cross, axis=1)
    left += np.einsum("ki,kij,kj->k", means, moments.gram, means)
    used = np.einsum("kij,kij->k", within, moments.gram) / fit.noise
    estimates, noise = log_scale(left, np.maximum(moments.counts - used, 1.0))
    scale, mean = smooth(estimates, noise, kernels)
    variances = np.exp(2 * (mean + scale.values[:, 0]))
    return replace(fit, noise=variances, scale=scale, measured=(estimates, noise), mean=mean)


def log_scale(squares: Floats, freedom: Floats) -> tuple[Floats, Floats]:
    """Return unbiased estimates of the logarithm of a standard deviation, and their variances, from chi-square sums of squares."""
    floor = LEAST * max(float(squares.sum() / freedom.sum()), np.finfo(float).tiny)
    raw = np.maximum(squares / freedom, floor)
    estimates = 0.5 * (np.log(raw) - digamma(freedom / 2) + np.log(freedom / 2))
    return estimates, 0.25 * polygamma(1, freedom / 2)
