r"""Pairs of variables given one conditioning set: the sums over them that the null laws need.

A variable's kernel is a product of features, :math:`\tilde K_X = F F^\top` with F of shape (n, r). Its residual Gram matrix is
:math:`A = R F (R F)^\top = E E^\top`: what is kept is E, never A. The statistic, the mean and the variance of its null law are sums
over elementwise products of such matrices, computed for all pairs of one conditioning set together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit._random import named_stream
from causalkit._validation import Floats
from causalkit.exceptions import ParameterError
from causalkit.gpu import Array
from causalkit.gpu._fused import squared_sums
from causalkit.gpu._leading import leading_eigenvalues
from causalkit.gpu._pairs import pair_sums, triple_product_sum
from causalkit.gpu._ridge import ResidualMaker, Smoother
from causalkit.independence._kernel_factory import Block
from causalkit.independence._regression import Workspace

__all__ = ["LeadingSpectrum", "Moments", "PairBatch", "Side"]

# Above this many rows the variance comes from a sample of them, and the statistic from factors.
EXACT_ROWS = 3000
# For so few pairs no Gram matrix needs to be shared, and a fused kernel writes none.
FEW_PAIRS = 2
# The variance off the diagonal of W is taken to be at least this share of the whole.
LEAST_SHARE = 0.05

Rows: TypeAlias = slice | NDArray[np.intp]


@dataclass(frozen=True)
class Moments:
    """Statistic, mean and variance of its null law, and effect size, one of each per pair."""

    statistic: Floats
    mean: Floats
    variance: Floats
    effect: Floats


@dataclass(frozen=True)
class LeadingSpectrum:
    """The largest eigenvalues of the matrix of a null law, descending, and the sums of all and of their squares."""

    largest: Floats
    total: float
    squares: float


@dataclass(frozen=True, eq=False)
class Side:
    """The variables that come first in the pairs of a batch, or those that come second.

    Parameters
    ----------
    blocks : tuple of tuple of int
        Columns of each variable.
    factors : tuple of Array of shape (n, r)
        Residual features E of each variable.
    makers : tuple of ResidualMaker or None
        What made the residuals; None where no correction is due.
    """

    blocks: tuple[Block, ...]
    factors: tuple[Array, ...]
    makers: tuple[ResidualMaker, ...] | None = None

    def part(self, positions: slice) -> Side:
        """Return some of the variables."""
        makers = None if self.makers is None else self.makers[positions]
        return Side(self.blocks[positions], self.factors[positions], makers)


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Pairs of variables given one conditioning set.

    Parameters
    ----------
    left, right : Side
        The variables; the same object twice where the form is symmetric.
    pairs : tuple of (int, int)
        Positions in the two sides.
    z : tuple of int
        The conditioning set.
    joined : bool
        Whether the kernel of z / 2 is a third factor.
    work : Workspace
        Data and array library.
    seed : int
        Names all random streams of the test.
    corrected : bool, default=False
        Whether laws are corrected for few rows (`few_rows`).
    """

    left: Side
    right: Side
    pairs: tuple[tuple[int, int], ...]
    z: Block
    joined: bool
    work: Workspace
    seed: int
    corrected: bool = False

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.work.kernels.n

    # -- the sums ---------------------------------------------------------------------------------------------------------------

    @cached_property
    def moments(self) -> Moments:
        """Statistic, mean, variance and effect size of every pair; here the status of all that was factorised on a device is looked at."""
        found = self._conditional_moments() if self.z else self._unconditional_moments()
        if not all(np.isfinite(part).all() for part in (found.statistic, found.mean, found.variance)):
            names = [self.work.kernels.names[k] for k in self.z]
            raise np.linalg.LinAlgError(
                f"a kernel matrix of {', '.join(names) or 'these columns'} could not be factorised"
            )
        return found

    def _unconditional_moments(self) -> Moments:
        """T = ||E_x' E_y||², mean = tr A tr B / n, variance = 2 ||A||² ||B||² / n²."""
        x, y = self._positions()
        (tx, ty), (sx, sy) = self._per_side(_trace), self._per_side(_squared_norm)
        statistic, mean = self._squared_products()[x, y], tx[x] * ty[y] / self.n
        return Moments(
            statistic, mean, 2 * sx[x] * sy[y] / self.n**2, _effect(statistic - mean, sx[x], sy[y])
        )

    def _conditional_moments(self) -> Moments:
        """T = sum A B J, mean = tr (A B J), variance = 2 sum (A B J)²."""
        x, y = self._positions()
        left, scale_x = self._scaled(self._stack(self.left.factors))
        same = self.right is self.left
        right, scale_y = (left, scale_x) if same else self._scaled(self._stack(self.right.factors))
        joining = self._joining if self.joined else None
        backend, budget = self.work.backend, self.work.budget
        diagonals = self._diagonals(left), self._diagonals(right)
        if self._sample is not None:
            # The statistic then comes from factors, and for an estimate 32 bits are enough.
            left = backend.xp.astype(left, backend.xp.float32)
            right = left if same else backend.xp.astype(right, backend.xp.float32)
        few = backend.fused and self._sample is None and len(self.pairs) <= FEW_PAIRS
        options: Any = {"squares": None} if few else {}
        sums = pair_sums(
            left, right, joining, backend, budget, rows=self._sample, firsts=self.joined, **options
        )
        scale = np.outer(scale_x, scale_y)
        mean = (scale * (diagonals[0] * self._joining_diagonal @ diagonals[1].T))[x, y]
        own = self._own_sums(sums.first, diagonals, scale_x, scale_y)
        statistic = (scale * sums.first)[x, y] if self.joined else self._squared_products()[x, y]
        if self.joined and self._sample is not None:
            statistic = self._statistics_from_factors()
        squares = self._few_squares(left, right) if few else sums.second[x, y]
        variance = 2 * scale[x, y] ** 2 * squares
        return Moments(statistic, mean, variance, _effect(statistic - mean, own[0][x], own[1][y]))

    def _few_squares(self, left: Array, right: Array) -> Floats:
        joining = self._joining_triangle if self.joined else None
        return squared_sums(left, right, np.array(self.pairs), joining, self.work.backend)

    def _scaled(self, stack: Array) -> tuple[Array, Floats]:
        """Return factors with rows of length at most 1, whose fourth powers do not underflow, and the squared lengths taken out."""
        xp = self.work.backend.xp
        largest = self.work.backend.to_numpy(xp.max(xp.sum(stack**2, axis=2), axis=1))
        squared = np.where(largest > 0, largest, 1.0)
        return stack / self.work.backend.asarray(np.sqrt(squared))[:, None, None], squared

    def _own_sums(
        self, first: Floats, diagonals: tuple[Floats, Floats], scale_x: Floats, scale_y: Floats
    ) -> tuple[Floats, Floats]:
        """Return the sums of A² J off the diagonal for each variable, which bound the statistic."""
        traces = [s**2 * (d**2).sum(axis=1) for s, d in zip((scale_x, scale_y), diagonals, strict=True)]
        if self.joined:
            own = scale_x**2 * np.diag(first) - traces[0]
            return own, own
        norms = self._per_side(_squared_norm)
        return norms[0] - traces[0], norms[1] - traces[1]

    def _positions(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        positions = np.array(self.pairs, dtype=np.intp).reshape(-1, 2)
        return positions[:, 0], positions[:, 1]

    def _per_side(self, measure: Callable[[Array, Any], Array]) -> tuple[Floats, Floats]:
        xp = self.work.backend.xp
        left, right = (
            np.array([float(measure(e, xp)) for e in side.factors]) for side in (self.left, self.right)
        )
        return left, right

    def _squared_products(self) -> Floats:
        """Return ||E_x' E_y||² for all pairs, from one product of all features side by side."""
        backend = self.work.backend
        sides = [list(side.factors) for side in (self.left, self.right)]
        left, right = (backend.xp.concat(side, axis=1) for side in sides)
        squared = backend.to_numpy((left.mT @ right) ** 2)
        starts = [np.cumsum([0] + [e.shape[1] for e in side])[:-1] for side in sides]
        return np.asarray(np.add.reduceat(np.add.reduceat(squared, starts[0], axis=0), starts[1], axis=1))

    def _statistics_from_factors(self) -> Floats:
        backend, budget, third = self.work.backend, self.work.budget, self._joining_factor
        first, second = self.left.factors, self.right.factors
        return np.array(
            [triple_product_sum(first[i], second[j], third, backend, budget) for i, j in self.pairs]
        )

    # -- parts --------------------------------------------------------------------------------------------------------------------

    def _stack(self, factors: Sequence[Array]) -> Array:
        """Return factors of different ranks as one array, filled up with zeros."""
        rank = max(e.shape[1] for e in factors)
        self.work.budget.require(
            8 * len(factors) * self.n * rank,
            what=f"{len(factors)} factors of rank {rank}, n={self.n}",
            advice="test fewer pairs at a time, or raise memory_limit",
        )
        out = self.work.backend.zeros((len(factors), self.n, rank), factors[0])
        for k, e in enumerate(factors):
            out[k, :, : e.shape[1]] = e
        return out

    @property
    def _joining_diagonal(self) -> Floats:
        """Diagonal of the kernel of z / 2 that the statistic has."""
        if not self.joined or self._sample is None:
            return np.ones(self.n)
        return np.asarray(
            self.work.backend.to_numpy(self.work.backend.xp.sum(self._joining_factor**2, axis=1))
        )

    def _diagonals(self, stack: Array) -> Floats:
        return np.asarray(self.work.backend.to_numpy(self.work.backend.xp.sum(stack**2, axis=2)))

    def _joining(self, rows: Rows, columns: slice) -> Array:
        """Return some rows and columns of the kernel of z / 2."""
        if isinstance(rows, slice):
            return self._joining_triangle[rows, columns]
        points = self.work.points
        return self.work.kernels.joining(self.z)(self.work.backend.take(points, rows), points[columns, :])

    @cached_property
    def _joining_triangle(self) -> Array:
        """The kernel of z / 2 from its diagonal on; it is needed twice."""
        kernel, points, n = self.work.kernels.joining(self.z), self.work.points, self.n
        height = self.work.budget.rows(8 * n, what=f"the kernel of a conditioning set, n={n}, float64")
        out = self.work.backend.zeros((n, n), points)
        for start in range(0, n, height):
            stop = min(start + height, n)
            out[start:stop, start:] = kernel(points[start:stop, :], points[start:, :])
        return out

    @cached_property
    def _joining_factor(self) -> Array:
        """L of shape (n, q) with L L' the kernel of z / 2, or of many rows a kernel that is nearly the same: any kernel makes a valid test."""
        kernel, tolerance = self.work.kernels.joining(self.z), self.work.low_rank.tolerance
        if self._sample is None:
            return self.work.factor(kernel, tolerance).mT
        return self.work.factor(kernel, 1000 * tolerance, on_average=True).mT

    @cached_property
    def _sample(self) -> NDArray[np.intp] | None:
        """Rows to estimate the variance from, or None for all."""
        if self.n <= EXACT_ROWS:
            return None
        rows = self._stream_of(self.z).permutation(self.n)[: self.work.low_rank.variance_rows]
        return np.asarray(np.sort(rows))

    # -- the correction -------------------------------------------------------------------------------------------------------------

    @cached_property
    def inflation(self) -> Floats:
        r"""By how much regression inflates each statistic over the mean of its null law.

        The residuals of two independent white noises have covariances :math:`R_X^2` and :math:`R_Y^2`. The statistic sums products of
        residuals over all pairs of rows, with expectation :math:`\sum_{st} (R_X^2)_{st} (R_Y^2)_{st} J_{st}`; the null law takes residuals
        of different rows for uncorrelated and has the sum over s = t only. The ratio is near 1 for a regression with few degrees of
        freedom, and 1.2 for one that follows twelve cycles in three hundred rows, where the difference decides about the level.
        """
        sides = [side.makers for side in (self.left, self.right) if side.makers is not None]
        makers = {id(maker): maker for side in sides for maker in side if isinstance(maker, Smoother)}
        if not makers:
            return np.ones(len(self.pairs))
        place = {key: k for k, key in enumerate(makers)}
        rows, columns = ([place[id(maker)] for maker in side] for side in sides)
        x, y = self._positions()
        return np.asarray(self._ratios(list(makers.values()))[np.array(rows)[x], np.array(columns)[y]])

    def _ratios(self, makers: Sequence[Smoother]) -> Floats:
        """Return sum(R_X² R_Y² J) / tr(R_X² R_Y² J) for all pairs of residual makers, with R² = I - C and C = V V'."""
        xp = self.work.backend.xp
        stack = self._stack([xp.astype(maker.complement(self.work.backend), xp.float32) for maker in makers])
        joining = self._joining if self.joined else None
        cross = pair_sums(
            stack, stack, joining, self.work.backend, self.work.budget, rows=self._sample, squares=None
        ).first
        own = 1 - self._diagonals(stack).astype(np.float64)
        total = own.sum(axis=1)
        return np.asarray((total[:, None] + total[None, :] - self.n + cross) / (own @ own.T))

    # -- few rows ---------------------------------------------------------------------------------------------------------------

    @cached_property
    def few_rows(self) -> tuple[Floats, Floats]:
        r"""Mean of the statistic under independence, and the factor by which the law spreads too far, for each pair.

        The law :math:`\sum_k \omega_k \chi^2_1` lets the diagonal of W vary as if its entries were squares of normal variables, but they are
        observed: independence leaves open only the signs of entries off the diagonal, with variance :math:`2 \sum_{s \ne t} W_{st}^2`.
        With narrow kernels and 50 rows that is half of :math:`2 \sum_{st} W_{st}^2`, with 1000 rows nearly all. Without conditioning set,
        mean and variance are those over all permutations of the rows.
        """
        moments = self.moments
        if not self.corrected:
            return moments.mean, np.ones(len(self.pairs))
        x, y = self._positions()
        left, right = (
            np.stack([self._own_diagonal(e) for e in side.factors]) for side in (self.left, self.right)
        )
        if self.z:
            joint = left[x] * right[y] * self._joining_diagonal
            mean, variance = moments.mean, moments.variance - 2 * np.sum(joint**2, axis=1)
        else:
            (tx, ty), (sx, sy) = self._per_side(_trace), self._per_side(_squared_norm)
            first, second = (
                (tx[x], sx[x], np.sum(left**2, axis=1)[x]),
                (ty[y], sy[y], np.sum(right**2, axis=1)[y]),
            )
            mean, variance = _permutation_moments(first, second, self.n)
        # A difference of sums: where W is nearly diagonal there is nothing left to correct by.
        return mean, np.sqrt(moments.variance / np.maximum(variance, LEAST_SHARE * moments.variance))

    def _own_diagonal(self, e: Array) -> Floats:
        backend = self.work.backend
        return np.asarray(backend.to_numpy(backend.xp.sum(e**2, axis=1)), dtype=np.float64)

    # -- the spectrum ----------------------------------------------------------------------------------------------------------------

    def product(self, k: int, cut: float = 0.0) -> Floats:
        """Return W = A B J of a pair on the host, after dropping eigenvalues of A and B below a share of the largest."""
        self._require_square("the matrix of a null law", 3)
        i, j = self.pairs[k]
        a, b = _truncated(self._host(self.left, i), cut), _truncated(self._host(self.right, j), cut)
        w = (a @ a.T) * (b @ b.T)
        if self.joined:
            w *= self.work.backend.to_numpy(self.work.kernels.joining(self.z)(self.work.points))
        return np.asarray(w)

    def product_spectrum(self, k: int) -> Floats:
        """Return the eigenvalues of A x B / n of a pair without conditioning set, descending."""
        i, j = self.pairs[k]
        a, b = (np.linalg.eigvalsh(e.T @ e) for e in (self._host(self.left, i), self._host(self.right, j)))
        return np.sort(np.outer(a, b).ravel())[::-1] / self.n

    def cumulants(self, k: int) -> tuple[float, float, float]:
        """Return mean, variance and third cumulant of the null law, tr W, 2 tr W² and 8 tr W³, all from one spectrum or one matrix W."""
        if not self.z:
            values = self.product_spectrum(k)
            first, second, third = (float(np.sum(values**power)) for power in (1, 2, 3))
        else:
            w = self.work.backend.asarray(self.product(k))
            xp = self.work.backend.xp
            first, second = float(xp.sum(xp.linalg.diagonal(w))), float(xp.sum(w**2))
            third = float(xp.sum((w @ w) * w))
        return first, 2 * second, 8 * third

    def leading_spectrum(self, k: int, count: int) -> LeadingSpectrum:
        """Return the largest eigenvalues of W of a pair and the sums over all, of the same W: a sample of rows does not fit to them."""
        if not self.z:
            values = self.product_spectrum(k)
            return LeadingSpectrum(values[:count], float(values.sum()), float(np.sum(values**2)))
        w = self.work.backend.asarray(self.product(k))
        xp = self.work.backend.xp
        sums = float(xp.sum(xp.linalg.diagonal(w))), float(xp.sum(w**2))
        largest = leading_eigenvalues(lambda v: w @ v, self.n, count, self.work.backend, self.stream(k))
        return LeadingSpectrum(largest, *sums)

    def _host(self, side: Side, k: int) -> Floats:
        return np.asarray(self.work.backend.to_numpy(side.factors[k]))

    def _require_square(self, what: str, count: int) -> None:
        self.work.budget.require(
            8 * count * self.n**2,
            what=f"{what}, n={self.n}, float64",
            advice="use null='gamma', or raise memory_limit",
        )

    # -- permutations ----------------------------------------------------------------------------------------------------------------

    def groups(self) -> NDArray[np.intp]:
        """Number the groups of rows with equal labels in Z, in the order of their first rows.

        Returns
        -------
        numpy.ndarray of int, shape (n,)
            Group of each row.
        """
        kernels = self.work.kernels
        numbers, labels = kernels.split(self.z)
        if numbers:
            names = ", ".join(repr(kernels.names[k]) for k in numbers)
            raise ParameterError(
                f"the permutation law needs a conditioning set of labels only, but {names} hold numbers; use null='gamma' or "
                "null='spectral', or declare the columns categorical (z_types, column_types)"
            )
        if not labels:
            return np.zeros(self.n, dtype=np.intp)
        rows = kernels.values[:, list(labels)]
        _, first, groups = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        return np.asarray(np.argsort(np.argsort(first))[groups.ravel()])

    def permutable(self, k: int) -> tuple[Floats, Floats]:
        """Return factors of A J and of B; permuting rows of the second, the variable that comes second by name, permutes B."""
        i, j = self.pairs[k]
        ends = [(self.left, i), (self.right, j)]
        ends.sort(key=lambda end: self._names(end[0].blocks[end[1]]))
        fixed, moved = (self._host(*end) for end in ends)
        if self.joined:
            joining = self.work.backend.to_numpy(self._joining_factor)
            fixed = (fixed[:, :, None] * joining[:, None, :]).reshape(self.n, -1)
        return fixed, moved

    def stream(self, k: int) -> np.random.Generator:
        """Return the random stream of a pair, which belongs to the names of its variables: columns may be in any order."""
        i, j = self.pairs[k]
        return self._stream_of(self.z, *sorted([self.left.blocks[i], self.right.blocks[j]], key=self._names))

    def _stream_of(self, *blocks: Block) -> np.random.Generator:
        names = [sorted(self._names(block)) for block in blocks]
        return named_stream(self.seed, names)

    def _names(self, block: Block) -> list[str]:
        return [self.work.kernels.names[k] for k in block]


def _permutation_moments(
    first: tuple[Floats, Floats, Floats], second: tuple[Floats, Floats, Floats], n: int
) -> tuple[Floats, Floats]:
    """Return mean and variance of tr(A B) over permutations of the rows of B, given tr, tr of the square and sum of squared diagonal of A and of B.

    A and B are centred. F. Kazi-Aoual, S. Hitier, R. Sabatier, J.-D. Lebreton, "Refined approximations to permutation tests for
    multivariate inference", Computational Statistics & Data Analysis 20, 1995.
    """
    (a1, a2, _), (b1, b2, _) = first, second
    spread = ((n - 1) * a2 - a1**2) * ((n - 1) * b2 - b1**2)
    uneven = [n * (n + 1) * t3 - (n - 1) * (t1**2 + 2 * t2) for t1, t2, t3 in (first, second)]
    common = 2 * spread / ((n - 1) ** 2 * (n + 1) * (n - 2))
    rest = uneven[0] * uneven[1] / ((n + 1) * n * (n - 1) * (n - 2) * (n - 3))
    return a1 * b1 / (n - 1), common + rest


def _trace(e: Array, xp: Any) -> Array:
    return xp.sum(e**2)


def _squared_norm(e: Array, xp: Any) -> Array:
    return xp.sum((e.mT @ e) ** 2)


def _effect(excess: Floats, first: Floats, second: Floats) -> Floats:
    """Return the alignment of two residual kernels beyond what independence gives: 0 for none, 1 for equal kernels."""
    bound = np.sqrt(np.maximum(first, 0) * np.maximum(second, 0))
    return np.asarray(np.divide(excess, bound, out=np.zeros_like(excess), where=bound > 0))


def _truncated(factor: Floats, cut: float) -> Floats:
    """Drop the directions of a factor whose eigenvalue is below a share of the largest."""
    if cut <= 0:
        return factor
    values, vectors = np.linalg.eigh(factor.T @ factor)
    return np.asarray(factor @ vectors[:, values > cut * values[-1]])
