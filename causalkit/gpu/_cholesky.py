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

from collections.abc import Callable, Iterator
from functools import reduce
from operator import add
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from causalkit.gpu._backend import Array, Backend

__all__ = ["pivoted_cholesky", "principal_factor"]

Positions: TypeAlias = NDArray[np.intp]
Part: TypeAlias = Callable[[Positions, Positions | slice], Array]

PROPOSALS = (32, 64)
# Columns at a time: on a CPU larger arrays are new memory at every round.
COLUMNS = {False: 2**14, True: 2**62}
# Rows that a factor has room for from the start. On a CPU large arrays of zeros take memory as they are written.
ROOM, LARGE_ROOM = 64, 1024
# A proposal that the others of its round explain up to this share is dropped.
REDUNDANT = 1e-3


def pivoted_cholesky(
    part: Part,
    diagonal: Array,
    backend: Backend,
    *,
    tolerance: float = 1e-6,
    on_average: bool = False,
    max_rank: int | None = None,
    order: Positions | None = None,
) -> Array:
    """Factor a positive semi-definite matrix, parts of which can be asked for.

    Parameters
    ----------
    part : callable
        Takes row positions (a host array of int) and column positions (the same, or a slice), and returns that part of the matrix.
    diagonal : Array, shape (n,)
        Diagonal of the matrix.
    backend : Backend
        Array library of the matrix.
    tolerance : float, default=1e-6
        The factor is complete when no entry of the residual diagonal is larger.
    on_average : bool, default=False
        Whether the mean of the residual diagonal is meant instead: a few rows far from all others may then be left out.
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
    >>> part = lambda rows, columns: np.exp(-0.5 * (x[rows, None] - x[columns]) ** 2)
    >>> factor = pivoted_cholesky(part, np.ones(500), get_backend("numpy"), tolerance=1e-8)
    >>> len(factor) < 25, bool(np.abs(factor.T @ factor - part(slice(None), slice(None))).max() < 1e-7)
    (True, True)
    """
    n = diagonal.shape[0]
    order = np.arange(n) if order is None else order
    limit = n if max_rank is None else min(max_rank, n)
    room = LARGE_ROOM if n > COLUMNS[backend.on_gpu] else ROOM
    factor, rank = backend.zeros((min(limit, room), n), diagonal), 0
    residual = backend.to_numpy(diagonal).copy()
    while rank < limit and (residual.mean() if on_average else residual.max()) > tolerance:
        count = min(max(PROPOSALS[0], rank), PROPOSALS[1])
        proposed = order[_proposals(residual[order], tolerance, count)]
        least = max(tolerance, REDUNDANT * float(residual.max()))
        triangle, pivots = _pivots(part, factor[:rank, :], proposed, least, limit - rank, backend)
        factor = _with_room(factor, rank, len(pivots), limit, backend)
        _add_rows(part, factor, rank, triangle, pivots, residual, backend)
        rank += len(pivots)
        residual[pivots] = 0.0
    return factor[:rank, :]


def _pivots(
    part: Part, factor: Array, proposed: Positions, least: float, room: int, backend: Backend
) -> tuple[Array, Positions]:
    """Return which of the proposals become pivots, and the Cholesky factor of what is left of the matrix among them."""
    known = backend.take(factor, proposed, axis=1)
    local = backend.to_numpy(part(proposed, proposed) - known.mT @ known)
    lower, order, count, _ = linalg.lapack.dpstrf(local, lower=1, tol=least)
    count = min(count, room)
    return backend.asarray(np.tril(lower[:count, :count])), proposed[order[:count] - 1]


def _add_rows(
    part: Part,
    factor: Array,
    rank: int,
    triangle: Array,
    pivots: Positions,
    residual: NDArray[np.float64],
    backend: Backend,
) -> None:
    """Write the new rows of the factor and take their squares from the residual, some columns at a time."""
    n, new = len(residual), slice(rank, rank + len(pivots))
    known = backend.take(factor[:rank, :], pivots, axis=1).mT
    for start in range(0, n, COLUMNS[backend.on_gpu]):
        columns = slice(start, min(start + COLUMNS[backend.on_gpu], n))
        strip = part(pivots, columns) - known @ factor[:rank, columns]
        rows = backend.solve_lower(triangle, strip)
        factor[new, columns] = rows
        left = residual[columns] - backend.to_numpy(backend.xp.sum(rows**2, axis=0))
        residual[columns] = np.maximum(left, 0.0)


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
    means = backend.xp.mean(factor, axis=1, keepdims=True)
    values, vectors = backend.eigh(
        reduce(add, (part @ part.mT for part in _centered_parts(factor, means, backend)))
    )
    host = backend.to_numpy(values)
    kept = np.flatnonzero(host > max(cut * host[-1], 1e-12) if len(host) else host > 0)[::-1].copy()
    values = backend.take(values, kept)
    scaled = backend.take(vectors, kept, axis=1) / backend.xp.sqrt(values)
    rows = [part.mT @ scaled for part in _centered_parts(factor, means, backend)]
    return backend.xp.concat(rows, axis=0) if len(rows) > 1 else rows[0], values


def _centered_parts(factor: Array, means: Array, backend: Backend) -> Iterator[Array]:
    """Yield some centred columns at a time; a centred copy of everything would be the largest array there is."""
    step = COLUMNS[backend.on_gpu]
    for start in range(0, factor.shape[1], step):
        yield factor[:, start : min(start + step, factor.shape[1])] - means
