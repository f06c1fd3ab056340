r"""Three steps of a kernel test as one kernel launch each: parts of Gaussian Gram matrices, whole factorisations, the variance.

On a GPU the time of small tests goes into launches: a pivoted Cholesky factorisation of rank 100 has a few hundred of them in array
calls, and none of its rounds needs the host. With CuPy these functions launch the kernels of `causalkit.gpu._cuda`; with any other
library they compute the same in NumPy, which is what the kernels are tested against.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from array_api_compat import is_cupy_namespace
from numpy.typing import NDArray

from causalkit.gpu._backend import Array, Backend
from causalkit.gpu._cuda import PIVOT_THREADS, TILE, TILE_THREADS, compiled

__all__ = ["Mixture", "gaussian_part", "pivoted_factors", "squared_sums"]

Floats: TypeAlias = NDArray[np.float64]
Positions: TypeAlias = NDArray[np.intp]

BLOCKS = 4096


@dataclass(frozen=True, eq=False)
class Mixture:
    r"""A sum of Gaussian kernels, :math:`k(x, y) = \sum_m w_m \exp(-\sum_j s_{mj} (x_j - y_j)^2)`.

    Parameters
    ----------
    weights : numpy.ndarray, shape (m,)
        Weight of each term.
    scales : numpy.ndarray, shape (m, d)
        Scale of each term on each column; zero for columns that it does not see.
    """

    weights: Floats
    scales: Floats

    def padded(self, terms: int) -> Mixture:
        """Return the same with terms of weight zero, so that several mixtures are one array."""
        missing = terms - len(self.weights)
        return Mixture(np.pad(self.weights, (0, missing)), np.pad(self.scales, ((0, missing), (0, 0))))


def gaussian_part(left: Array, right: Array, mixture: Mixture, backend: Backend) -> Array:
    """Return the part of a Gram matrix between two sets of points.

    Parameters
    ----------
    left, right : Array, shapes (a, d) and (b, d)
        Points.
    mixture : Mixture
        The kernel.
    backend : Backend
        Array library.

    Returns
    -------
    Array, shape (a, b)
        Similarities.
    """
    if not is_cupy_namespace(backend.xp):
        return backend.asarray(_gaussian_part(backend.to_numpy(left), backend.to_numpy(right), mixture))
    out = backend.xp.empty((left.shape[0], right.shape[0]))
    scales, weights = backend.asarray(mixture.scales), backend.asarray(mixture.weights)
    points = [backend.xp.ascontiguousarray(part) for part in (left, right)]
    numbers = _integers(left.shape[0], right.shape[0], left.shape[1])
    blocks = min(BLOCKS, -(-out.size // TILE_THREADS))
    arguments = (*points, *numbers, scales, weights, *_integers(len(mixture.weights)), out)
    compiled().get_function("gaussian_part")((blocks,), (TILE_THREADS,), arguments)
    return out


def _gaussian_part(left: Floats, right: Floats, mixture: Mixture) -> Floats:
    squares = (left[:, None, :] - right[None, :, :]) ** 2
    return np.asarray(np.exp(-squares @ mixture.scales.T) @ mixture.weights)


def pivoted_factors(
    points: Array,
    mixtures: Sequence[Mixture],
    orders: Sequence[Positions],
    backend: Backend,
    *,
    tolerance: float,
    max_rank: int,
    on_average: bool = False,
) -> list[Array]:
    """Factor the Gram matrices of several kernels on the same points, all in one launch.

    Parameters
    ----------
    points : Array, shape (n, d)
        Points.
    mixtures : sequence of Mixture
        The kernels.
    orders : sequence of numpy.ndarray of int, shape (n,)
        For each kernel the order of rows by which ties are broken.
    backend : Backend
        Array library.
    tolerance : float
        Largest, or mean, residual of the diagonal at which a factor is complete.
    max_rank : int
        Largest rank.
    on_average : bool, default=False
        Whether the mean is meant.

    Returns
    -------
    list of Array of shape (r, n)
        G with G' G the Gram matrix, for each kernel.
    """
    places = np.stack([np.argsort(order) for order in orders])
    terms = max(len(mixture.weights) for mixture in mixtures)
    padded = [mixture.padded(terms) for mixture in mixtures]
    weights, scales = np.stack([m.weights for m in padded]), np.stack([m.scales for m in padded])
    if not is_cupy_namespace(backend.xp):
        host = backend.to_numpy(points)
        rows = [
            _pivoted_factor(host, Mixture(w, s), place, tolerance, max_rank, on_average=on_average)
            for w, s, place in zip(weights, scales, places, strict=True)
        ]
        return [backend.asarray(factor) for factor in rows]
    n, d = points.shape
    factors = backend.xp.zeros((len(mixtures), max_rank, n))
    residuals, ranks = backend.xp.empty((len(mixtures), n)), backend.asarray(np.zeros(len(mixtures)), "int32")
    kernels = (backend.asarray(scales), backend.asarray(weights))
    arguments = (
        *(backend.xp.ascontiguousarray(points), *_integers(n, d), *kernels, *_integers(terms)),
        *(backend.asarray(places, "int32"), np.float64(tolerance), *_integers(on_average, max_rank)),
        *(factors, residuals, ranks),
    )
    compiled().get_function("pivoted_cholesky")((len(mixtures),), (PIVOT_THREADS,), arguments)
    return [factors[k, :rank, :] for k, rank in enumerate(backend.to_numpy(ranks).tolist())]


def _pivoted_factor(
    points: Floats, mixture: Mixture, place: Positions, tolerance: float, max_rank: int, *, on_average: bool
) -> Floats:
    """Factor one Gram matrix, one pivot at a time: the largest residual, of equal ones the earliest."""
    n = len(points)
    factor, residual, rank = np.zeros((max_rank, n)), np.full(n, mixture.weights.sum()), 0
    while rank < max_rank and (residual.mean() if on_average else residual.max()) > tolerance:
        ties = np.flatnonzero(residual == residual.max())
        pivot = int(ties[np.argmin(place[ties])])
        row = _gaussian_part(points[[pivot]], points, mixture)[0] - factor[:rank, pivot] @ factor[:rank]
        factor[rank] = row / np.sqrt(residual[pivot])
        residual = np.maximum(residual - factor[rank] ** 2, 0.0)
        residual[pivot] = 0.0
        rank += 1
    return factor[:rank]


def squared_sums(
    left: Array, right: Array, pairs: NDArray[np.intp], joining: Array | None, backend: Backend
) -> Floats:
    """Return the sums of (A B J)² over all entries for some pairs of factors, in 32 bits, without any Gram matrix in memory.

    Parameters
    ----------
    left, right : Array, shapes (a, n, r) and (b, n, s)
        Factors E of A and of B.
    pairs : numpy.ndarray of int, shape (m, 2)
        Positions in the two.
    joining : Array of shape (n, n) or None
        J, of which the upper triangle is read; None for ones.
    backend : Backend
        Array library.

    Returns
    -------
    numpy.ndarray, shape (m,)
        One sum per pair.
    """
    if not is_cupy_namespace(backend.xp):
        first, second = (backend.to_numpy(part).astype(np.float32) for part in (left, right))
        third = None if joining is None else backend.to_numpy(joining).astype(np.float32)
        return _squared_sums(first, second, pairs, third)
    xp, (_, n, r), s = backend.xp, left.shape, right.shape[2]
    tiles = -(-n // TILE)
    out = xp.empty((len(pairs), tiles**2))
    single = [xp.ascontiguousarray(xp.astype(part, xp.float32)) for part in (left, right)]
    matrix = np.uintp(0) if joining is None else xp.ascontiguousarray(xp.astype(joining, xp.float32))
    arguments = (*single, backend.asarray(pairs, "int32"), *_integers(n, r, s), matrix, out)
    compiled().get_function("squared_sums")((tiles**2, len(pairs)), (TILE_THREADS,), arguments)
    return np.asarray(backend.to_numpy(xp.sum(out, axis=1)))


def _squared_sums(
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    pairs: NDArray[np.intp],
    joining: NDArray[np.float32] | None,
) -> Floats:
    out = np.zeros(len(pairs))
    for k, (i, j) in enumerate(pairs.tolist()):
        product = np.triu((left[i] @ left[i].T) * (right[j] @ right[j].T))
        product = product if joining is None else product * joining
        out[k] = 2 * np.sum(product**2, dtype=np.float64) - np.sum(np.diag(product) ** 2, dtype=np.float64)
    return out


def _integers(*values: int) -> tuple[np.int32, ...]:
    return tuple(np.int32(value) for value in values)
