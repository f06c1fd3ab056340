r"""Pivoted Cholesky factors: a smooth kernel on few columns has a Gram matrix of low numerical rank.

A Gram matrix K of n rows is written as :math:`G^\top G` with G of shape (r, n), where r is as small as the tolerance allows, from r
rows of K only. Each round proposes some rows: half of them those with the largest residual, half spread evenly over what is left of
the trace, so that a block of pivots does not gather at one place. A small pivoted Cholesky factorisation among them drops those that
the others make redundant, and one matrix product updates everything else. All choices are made on the host, with ties broken by
position, so that a factor does not depend on the array library.

References
----------
G. W. Stewart, "Matrix Algorithms: Basic Decompositions", 1998. E. N. Epperly, J. A. Tropp, R. J. Webber, "Embrace rejection: kernel
matrix approximation by accelerated randomly pivoted Cholesky", 2024: blocks of proposals, some of which are rejected.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from causalkit.gpu._backend import Array, Backend

__all__ = ["pivoted_cholesky", "principal_factor"]

Positions: TypeAlias = NDArray[np.intp]
Rows: TypeAlias = Callable[[Positions], Array]

PROPOSALS = (32, 64)
# A proposal that the others of its round explain up to this share is dropped.
REDUNDANT = 1e-3


def pivoted_cholesky(
    rows: Rows,
    diagonal: Array,
    backend: Backend,
    *,
    tolerance: float = 1e-6,
    max_rank: int | None = None,
    order: Positions | None = None,
) -> Array:
    """Factor a positive semi-definite matrix, of which rows can be asked for.

    Parameters
    ----------
    rows : callable
        Takes positions (a host array of int, shape (b,)) and returns these rows of the matrix, shape (b, n).
    diagonal : Array, shape (n,)
        Diagonal of the matrix.
    backend : Backend
        Array library of the rows.
    tolerance : float, default=1e-6
        The factor is complete when no entry of the residual diagonal is larger.
    max_rank : int or None, default=None
        Largest rank; None for n.
    order : numpy.ndarray of int, shape (n,), or None, default=None
        Order of the rows among which proposals are spread and ties broken; None for their own. An order that follows from the values of
        the rows makes the factor the same for any order that the rows come in.

    Returns
    -------
    Array, shape (r, n)
        G with K = G' G, to the tolerance.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.gpu import get_backend, pivoted_cholesky
    >>> x = np.linspace(-2, 2, 500)
    >>> rows = lambda at: np.exp(-0.5 * (x[at, None] - x) ** 2)
    >>> factor = pivoted_cholesky(rows, np.ones(500), get_backend("numpy"), tolerance=1e-8)
    >>> len(factor) < 25, bool(np.abs(factor.T @ factor - rows(np.arange(500))).max() < 1e-7)
    (True, True)
    """
    n = diagonal.shape[0]
    order = np.arange(n) if order is None else order
    limit = n if max_rank is None else min(max_rank, n)
    factor, rank = backend.zeros((min(limit, PROPOSALS[1]), n), diagonal), 0
    residual = backend.to_numpy(diagonal).copy()
    while rank < limit and residual.max() > tolerance:
        count = min(max(PROPOSALS[0], rank), PROPOSALS[1])
        proposed = order[_proposals(residual[order], tolerance, count)]
        new, pivots = _next_rows(rows, factor[:rank, :], residual, proposed, tolerance, limit - rank, backend)
        factor = _with_room(factor, rank, len(pivots), limit, backend)
        factor[rank : rank + len(pivots), :] = new
        rank += len(pivots)
        residual = np.maximum(residual - backend.to_numpy(backend.xp.sum(new**2, axis=0)), 0.0)
        residual[pivots] = 0.0
    return factor[:rank, :]


def _next_rows(
    rows: Rows,
    factor: Array,
    residual: NDArray[np.float64],
    proposed: Positions,
    tolerance: float,
    room: int,
    backend: Backend,
) -> tuple[Array, Positions]:
    """Return the new rows of the factor for one round of proposals, and their pivots."""
    strip = rows(proposed)
    if factor.shape[0]:
        strip = strip - backend.take(factor, proposed, axis=1).mT @ factor
    local = backend.to_numpy(backend.take(strip, proposed, axis=1))
    threshold = max(tolerance, REDUNDANT * float(residual.max()))
    lower, order, count, _ = linalg.lapack.dpstrf(local, lower=1, tol=threshold)
    count = min(count, room)
    chosen = (order[:count] - 1).astype(np.intp)
    triangle = backend.asarray(np.tril(lower[:count, :count]))
    return backend.solve_lower(triangle, backend.take(strip, chosen)), proposed[chosen]


def _proposals(residual: NDArray[np.float64], tolerance: float, count: int) -> Positions:
    """Return positions with a large residual: half the largest, half evenly spaced in the cumulated residual."""
    open_rows = np.flatnonzero(residual > tolerance)
    if len(open_rows) <= count:
        return open_rows
    half = count // 2
    largest = np.argpartition(-residual, half)[:half]
    cumulated = np.cumsum(residual)
    spread = np.searchsorted(cumulated, (np.arange(half) + 0.5) / half * cumulated[-1])
    proposed = np.union1d(largest, spread)
    return np.asarray(proposed[residual[proposed] > tolerance])


def _with_room(factor: Array, used: int, more: int, limit: int, backend: Backend) -> Array:
    """Return the factor with space for more rows, doubled where it is full."""
    if used + more <= factor.shape[0]:
        return factor
    larger = backend.zeros((min(max(2 * factor.shape[0], used + more), limit), factor.shape[1]), factor)
    larger[:used, :] = factor[:used, :]
    return larger


def principal_factor(factor: Array, backend: Backend, *, cut: float = 1e-10) -> tuple[Array, Array]:
    """Return the eigenvectors and eigenvalues of the centred matrix H G' G H, by an eigendecomposition of r columns.

    Parameters
    ----------
    factor : Array, shape (r, n)
        G, not centred.
    backend : Backend
        Array library of the factor.
    cut : float, default=1e-10
        Eigenvalues below this share of the largest are dropped.

    Returns
    -------
    vectors : Array, shape (n, m)
        Orthonormal columns, the largest eigenvalue first.
    values : Array, shape (m,)
        Eigenvalues, descending; none for a constant factor.
    """
    centered = factor - backend.xp.mean(factor, axis=1, keepdims=True)
    values, vectors = backend.eigh(centered @ centered.mT)
    host = backend.to_numpy(values)
    kept = np.flatnonzero(host > max(cut * host[-1], 1e-12) if len(host) else host > 0)[::-1].copy()
    values = backend.take(values, kept)
    return centered.mT @ (backend.take(vectors, kept, axis=1) / backend.xp.sqrt(values)), values
