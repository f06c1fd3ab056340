"""Gaussian-process regression of many targets at once, to learn kernel widths and noise by marginal likelihood.

The targets are kernel principal components of a variable: regressing them on the conditioning set is regressing the whole
feature map. All targets share one kernel, a Gaussian with one length-scale per input plus white noise, so that one Cholesky
factorisation serves them all.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize
from scipy.spatial.distance import cdist

from causalkit._validation import Floats
from causalkit.exceptions import ConvergenceWarning

BOUNDS = (1e-3, 1e4)
JITTER = 1e-10


@dataclass(frozen=True)
class GaussianProcessFit:
    """Learned hyperparameters.

    Parameters
    ----------
    length_scales : numpy.ndarray, shape (d,)
        One per input.
    signal, noise : float
        Standard deviations of the function and of the noise.
    objective : float
        Negative log marginal likelihood, summed over targets.
    """

    length_scales: Floats
    signal: float
    noise: float
    objective: float


def principal_targets(gram: Floats, n_targets: int, cut: float = 1e-5) -> Floats:
    """Return leading kernel principal components as regression targets, the first scaled to mean square 4.

    Parameters
    ----------
    gram : numpy.ndarray, shape (n, n)
        Gram matrix, centred or not.
    n_targets : int
        Largest number of components.
    cut : float, default=1e-5
        Components below this share of the largest eigenvalue are dropped.

    Returns
    -------
    numpy.ndarray, shape (n, k)
        Columns 2 sqrt(n) v_k sqrt(l_k / l_1).
    """
    n = len(gram)
    values, vectors = linalg.eigh(gram, subset_by_index=[max(0, n - n_targets), n - 1])
    values, vectors = values[::-1], vectors[:, ::-1]
    kept = values > cut * values[0]
    return np.asarray(2 * np.sqrt(n) * vectors[:, kept] * np.sqrt(values[kept] / values[0]))


def fit_gaussian_process(
    inputs: Sequence[Floats],
    targets: Floats,
    start: Floats,
    *,
    factor: Floats | float = 1.0,
    bounds: tuple[float, float] = BOUNDS,
    scales: Sequence[float] = (1.0,),
) -> GaussianProcessFit:
    """Minimise the negative log marginal likelihood within bounds on the length-scales.

    Parameters
    ----------
    inputs : sequence of numpy.ndarray, each of shape (n,) or (n, k)
        What to regress on; each has one length-scale.
    targets : numpy.ndarray, shape (n, m)
        Columns to regress.
    start : numpy.ndarray, shape (d + 2,)
        Length-scales, signal and noise standard deviations to start from.
    factor : numpy.ndarray of shape (n, n) or float, default=1.0
        Fixed kernel that multiplies the learned one, for columns of labels.
    bounds : (float, float), default=(1e-3, 1e4)
        Smallest and largest length-scale; a stable mechanism would make it grow without end.
    scales : sequence of float, default=(1.0,)
        Multiples of the length-scales of `start`, each a start of its own: the likelihood may have several minima.

    Returns
    -------
    GaussianProcessFit
        The best minimiser.
    """
    squares = [cdist(points, points, "sqeuclidean") for points in (np.c_[c] for c in inputs)]
    low, high = np.log(bounds)
    box = [(low, high)] * len(squares) + [(-8.0, 8.0), (-8.0, 4.0)]
    begins = [np.log([*(scale * start[:-2]), *start[-2:]]) for scale in scales]
    fits = [_minimize(begin, box, squares, targets, factor) for begin in begins]
    return min(fits, key=lambda fit: fit.objective)


def _minimize(
    begin: Floats,
    box: Sequence[tuple[float, float]],
    squares: list[Floats],
    targets: Floats,
    factor: Floats | float,
) -> GaussianProcessFit:
    """Minimise from one start, in logarithms."""
    begin = np.clip(begin, *np.transpose(box))
    found = optimize.minimize(
        _objective,
        begin,
        args=(squares, targets, factor),
        jac=True,
        method="L-BFGS-B",
        bounds=box,
        options={"maxiter": 350},
    )
    if not found.success and "ABNORMAL" not in str(found.message):
        warnings.warn(
            f"the kernel widths may not be optimal: {found.message}", ConvergenceWarning, stacklevel=4
        )
    theta = np.exp(found.x)
    return GaussianProcessFit(theta[:-2], float(theta[-2]), float(theta[-1]), float(found.fun))


def _objective(
    log_theta: Floats, squares: list[Floats], targets: Floats, fixed: Floats | float = 1.0
) -> tuple[float, Floats]:
    """Return the negative log marginal likelihood and its gradient in the logarithms of the hyperparameters."""
    n, m = targets.shape
    scales, signal, noise = np.exp(log_theta[:-2]), np.exp(log_theta[-2]), np.exp(log_theta[-1])
    kernel = fixed * signal**2 * np.exp(-0.5 * sum(s / w**2 for s, w in zip(squares, scales, strict=True)))
    jitter = JITTER * signal**2
    factor = linalg.cho_factor(kernel + (noise**2 + jitter) * np.eye(n), lower=True)
    weights = linalg.cho_solve(factor, targets)
    value = (
        0.5 * np.sum(targets * weights)
        + m * np.sum(np.log(np.diag(factor[0])))
        + 0.5 * n * m * np.log(2 * np.pi)
    )
    pull = m * linalg.cho_solve(factor, np.eye(n)) - weights @ weights.T
    shared = pull * kernel
    gradient = [0.5 * np.sum(shared * s) / w**2 for s, w in zip(squares, scales, strict=True)]
    gradient += [np.sum(shared) + jitter * np.trace(pull), noise**2 * np.trace(pull)]
    return float(value), np.array(gradient)
