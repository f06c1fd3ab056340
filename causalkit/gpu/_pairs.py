r"""Sums over elementwise products of Gram matrices, for all pairs of many variables at once.

The statistic of a kernel independence test is :math:`\sum_{st} A_{st} B_{st} J_{st}` and the variance of its null law is twice
:math:`\sum_{st} (A_{st} B_{st} J_{st})^2`, with the residual Gram matrices :math:`A = E_x E_x^\top` and :math:`B = E_y E_y^\top`. In a tile
of rows and columns every variable's Gram matrix is formed once and flattened; then both sums, for all pairs, are products of two matrices with
one row per variable. Gram matrices are symmetric, so the upper triangle is enough. Nothing of n x n is ever stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit.gpu._backend import Array, Backend
from causalkit.gpu._memory import MemoryBudget
from causalkit.gpu._streams import tensor_cores

__all__ = ["PairSums", "pair_sums", "triple_product_sum"]

Floats: TypeAlias = NDArray[np.float64]
# So few rows are no work for a product of matrices.
FEW_PAIRS = 16
# Tiles of fewer rows make slow products of matrices.
MIN_HEIGHT = 64
WHAT = "part of the Gram matrices of all variables, n={}, float64"

Joining: TypeAlias = Callable[[slice | NDArray[np.intp], slice], Array]


@dataclass(frozen=True)
class PairSums:
    """Sums of elementwise products A B J, and of their squares, for each pair of a left and a right variable.

    Parameters
    ----------
    first, second : numpy.ndarray, shape (a, b)
        Sums over all entries of the products, and of their squares.
    """

    first: Floats
    second: Floats


@dataclass(frozen=True)
class Tile:
    """Some rows and columns of all Gram matrices, and the number of times that each entry counts."""

    rows: slice | NDArray[np.intp]
    columns: slice
    weight: float


def pair_sums(
    left: Array,
    right: Array,
    joining: Joining | None,
    backend: Backend,
    budget: MemoryBudget,
    *,
    rows: NDArray[np.intp] | None = None,
    squares: str | None = "float32",
    firsts: bool = True,
) -> PairSums:
    """Return the sums of A B J, and of their squares, for all pairs.

    Parameters
    ----------
    left, right : Array, shapes (a, n, r) and (b, n, s)
        Factors E of the Gram matrices E E'; the same object twice for all pairs of one list.
    joining : callable or None
        Takes rows and columns, and returns that part of J; None for ones.
    backend : Backend
        Array library.
    budget : MemoryBudget
        Decides how many rows are taken at a time.
    rows : numpy.ndarray of int or None, default=None
        A sample of rows to estimate the sums from; None for all rows, exactly.
    squares : {"float32", "float64"} or None, default="float32"
        Precision of the sums of squares; None leaves them out.
    firsts : bool, default=True
        Whether the sums themselves are wanted; without them everything is done in the precision of the squares.

    Returns
    -------
    PairSums
        Host arrays.
    """
    n = left.shape[1]
    if not firsts and squares is not None:
        dtype = getattr(backend.xp, squares)
        same = right is left
        left = backend.xp.astype(left, dtype)
        right = left if same else backend.xp.astype(right, dtype)
    first = np.zeros((left.shape[0], right.shape[0]))
    second = np.zeros_like(first)
    each = 16 * (left.shape[0] + (0 if right is left else right.shape[0]))
    tiles = _whole_tiles(n, each, budget) if rows is None else _sampled_tiles(n, rows, each, budget)
    for tile in tiles:
        a = _gram_tile(left, tile, backend)
        b = a if right is left else _gram_tile(right, tile, backend)
        j = None if joining is None else joining(tile.rows, tile.columns)
        if firsts:
            first += tile.weight * _on_host(_cross(a, b, j, backend), backend)
        if squares is not None:
            second += tile.weight * _cross_squares(a, b, j, squares, backend)
    return PairSums(first, second)


def _whole_tiles(n: int, each: int, budget: MemoryBudget) -> Iterator[Tile]:
    """Yield the upper triangle; tiles beyond the diagonal count twice."""
    height = min(n, max(MIN_HEIGHT, budget.rows(each * n, what=WHAT.format(n))))
    width = budget.rows(each * height, what=WHAT.format(n))
    for start in range(0, n, height):
        stop = min(start + height, n)
        yield Tile(slice(start, stop), slice(start, stop), 1.0)
        for left in range(stop, n, width):
            yield Tile(slice(start, stop), slice(left, min(left + width, n)), 2.0)


def _sampled_tiles(n: int, rows: NDArray[np.intp], each: int, budget: MemoryBudget) -> Iterator[Tile]:
    """Yield sampled rows, some columns at a time; every row stands for n / len(rows)."""
    width = max(MIN_HEIGHT, budget.rows(each * len(rows), what=WHAT.format(n)))
    for start in range(0, n, width):
        yield Tile(rows, slice(start, min(start + width, n)), n / len(rows))


def _gram_tile(factors: Array, tile: Tile, backend: Backend) -> Array:
    """Return rows and columns of all Gram matrices, shape (a, rows, columns)."""
    if isinstance(tile.rows, slice):
        chosen = factors[:, tile.rows, :]
    else:
        chosen = backend.take(factors, tile.rows, axis=1)
    return backend.xp.matmul(chosen, factors[:, tile.columns, :].mT)


def _on_host(sums: Array, backend: Backend) -> Floats:
    return np.asarray(backend.to_numpy(sums), dtype=np.float64)


def _cross(a: Array, b: Array, weight: Array | None, backend: Backend) -> Array:
    """Return the sums of a b weight over the last two axes, for all pairs."""
    weighted = a if weight is None else a * backend.xp.astype(weight, a.dtype)
    left, right = (backend.xp.reshape(part, (part.shape[0], -1)) for part in (weighted, b))
    if a.shape[0] * b.shape[0] <= FEW_PAIRS:
        return backend.xp.vecdot(left[:, None, :], right[None, :, :])
    return left @ right.mT


def _cross_squares(a: Array, b: Array, weight: Array | None, precision: str, backend: Backend) -> Floats:
    """Return the sums of a² b² weight² over the last two axes, for all pairs, in the given precision."""
    dtype = getattr(backend.xp, precision)
    square = backend.xp.astype(a, dtype) ** 2
    other = square if b is a else backend.xp.astype(b, dtype) ** 2
    with tensor_cores(backend):
        sums = _cross(square, other, None if weight is None else weight**2, backend)
    return _on_host(sums, backend)


def triple_product_sum(
    first: Array, second: Array, third: Array, backend: Backend, budget: MemoryBudget
) -> float:
    r"""Return the sum of A B J from factors of all three, without any Gram matrix.

    Parameters
    ----------
    first, second, third : Array, shapes (n, r), (n, s) and (n, q)
        Factors of A, B and J, in any order.
    backend : Backend
        Array library.
    budget : MemoryBudget
        Decides how many rows are taken at a time.

    Returns
    -------
    float
        :math:`\sum_{abc} (\sum_t E_{ta} F_{tb} L_{tc})^2`, of cost n r s q instead of n² (r + s).
    """
    small, middle, large = sorted((first, second, third), key=lambda factor: int(factor.shape[1]))
    n, size = small.shape[0], small.shape[1] * middle.shape[1]
    step = budget.rows(
        8 * size, what=f"the product of factors of rank {small.shape[1]} and {middle.shape[1]}, float64"
    )
    total = backend.zeros((size, large.shape[1]), small)
    for start in range(0, n, step):
        block = slice(start, min(start + step, n))
        products = small[block, :][:, :, None] * middle[block, :][:, None, :]
        total = total + backend.xp.reshape(products, (-1, size)).mT @ large[block, :]
    return float(backend.xp.sum(total**2))
