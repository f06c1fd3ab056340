"""Kernel ridge regression on a conditioning set: chosen by leave-one-out, with a fixed ridge, or learned.

The ridge decides the level of the test. Too little and the residuals of both variables share the noise of the regression; too
much and they share what the regression missed. Both look like dependence, and no single value is right for one conditioning
column and for five, for a slow drift and for a fast one. So by default kernel and ridge are chosen for each variable and each
conditioning set by the exact leave-one-out error of the regression, which costs one thin eigendecomposition per kernel and none
per variable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from causalkit._validation import check_between
from causalkit.exceptions import ParameterError
from causalkit.gpu import Array, Backend, MemoryBudget, pivoted_cholesky, principal_factor
from causalkit.gpu._fused import pivoted_factors
from causalkit.gpu._ridge import DenseMaker, ResidualMaker, Smoother, Woodbury, leave_one_out_errors
from causalkit.independence._gaussian_process import fit_gaussian_process
from causalkit.independence._kernel_factory import Block, KernelFactory
from causalkit.independence._kernels import Delta, Kernel, On, Product, as_mixture

__all__ = ["FixedRidge", "GaussianProcess", "LeaveOneOut", "Regression"]

RIDGES = tuple(10.0 ** (k / 2) for k in range(-8, 5))
FEATURE_CUT = 1e-4
MAX_FEATURES = 100
# Beyond so many rows, or such a rank, blocks of pivots are better than one pivot at a time.
FUSED_ROWS, FUSED_RANK = 20_000, 512
# With twice as many rows or more the kernel on Z is chosen on this many of them, and only the ridge on all, by the errors of the second number of rows.
SELECTION_ROWS, ERROR_ROWS = 1000, 4000


@dataclass(frozen=True)
class LowRank:
    """How far the pivoted Cholesky factorisation of kernels goes.

    Parameters
    ----------
    tolerance : float, default=1e-6
        Largest entry of the diagonal that may be left of a kernel (whose own diagonal is 1). Kernels of a variable joined with Z, whose
        rank is much higher, are left a hundred times as much.
    max_rank : int or None, default=None
        Largest rank; None for as many as the tolerance asks for.
    variance_rows : int, default=500
        Above 3000 rows, the variance of the null law is estimated from this many of them.

    Examples
    --------
    >>> from causalkit.independence import KCI, LowRank
    >>> KCI(factorization=LowRank(tolerance=1e-12))
    KCI(factorization=LowRank(tolerance=1e-12, max_rank=None, variance_rows=500))
    """

    tolerance: float = 1e-6
    max_rank: int | None = None
    variance_rows: int = 500

    @property
    def joined_tolerance(self) -> float:
        """Tolerance for a variable joined with Z."""
        return min(100 * self.tolerance, 1.0)

    def __post_init__(self) -> None:
        check_between("tolerance", self.tolerance, 0, 1)
        for name in ("max_rank", "variance_rows"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 10):
                raise ParameterError(f"{name} must be a whole number of at least 10; got {value!r}")


@dataclass(frozen=True)
class Workspace:
    """Where kernels are evaluated, and how.

    Parameters
    ----------
    kernels : KernelFactory
        Chooses kernels for columns.
    low_rank : LowRank
        Tolerance and largest rank.
    backend : Backend
        Array library.
    budget : MemoryBudget
        Bytes.
    points : Array, shape (n, d)
        The data on the device.
    """

    kernels: KernelFactory
    low_rank: LowRank
    backend: Backend
    budget: MemoryBudget
    points: Array

    def on_rows(self, rows: NDArray[np.intp]) -> Workspace:
        """Return the same for some of the rows; widths stay those of all rows."""
        kernels = replace(self.kernels, values=self.kernels.values[rows])
        return replace(self, kernels=kernels, points=self.backend.take(self.points, rows))

    def factor(
        self, kernel: Kernel, tolerance: float, max_rank: int | None = None, *, on_average: bool = False
    ) -> Array:
        """Return G of shape (r, n) with G' G the Gram matrix of a kernel."""
        return self.factors([kernel], tolerance, max_rank, on_average=on_average)[0]

    def factors(
        self,
        kernels: Sequence[Kernel],
        tolerance: float,
        max_rank: int | None = None,
        *,
        on_average: bool = False,
    ) -> list[Array]:
        """Return a factor for each kernel; on a backend with fused kernels all at once, where every one is a sum of Gaussians."""
        limits = [rank for rank in (max_rank, self.low_rank.max_rank) if rank is not None]
        options: Any = {
            "tolerance": tolerance,
            "on_average": on_average,
            "max_rank": min(limits, default=None),
        }
        mixtures = (
            [as_mixture(kernel, self.points.shape[1]) for kernel in kernels] if self.backend.fused else []
        )
        if mixtures and None not in mixtures and self.points.shape[0] <= FUSED_ROWS:
            return self._fused_factors(kernels, mixtures, options)
        return [self._factor(kernel, options) for kernel in kernels]

    def _factor(self, kernel: Kernel, options: Any) -> Array:
        return pivoted_cholesky(
            lambda rows, columns: kernel(self._at(rows), self._at(columns)),
            kernel.diagonal(self.points),
            self.backend,
            order=self._order(kernel),
            **options,
        )

    def _fused_factors(self, kernels: Sequence[Kernel], mixtures: Sequence[Any], options: Any) -> list[Array]:
        """Factor as many kernels in one launch as the budget has room for."""
        rank = options["max_rank"] or min(self.points.shape[0], FUSED_RANK)
        size, out = self.budget.rows(8 * rank * self.points.shape[0], what=f"a factor of rank {rank}"), []
        for start in range(0, len(kernels), size):
            part = slice(start, start + size)
            orders = [self._order(kernel) for kernel in kernels[part]]
            found = pivoted_factors(
                self.points, mixtures[part], orders, self.backend, **{**options, "max_rank": rank}
            )
            full = options["max_rank"] is None
            out += [
                self._factor(kernel, options)
                if full and factor.shape[0] == rank < self.points.shape[0]
                else factor
                for kernel, factor in zip(kernels[part], found, strict=True)
            ]
        return out

    def _order(self, kernel: Kernel) -> NDArray[np.intp]:
        """Return the rows by their similarity to the mean: an order that does not depend on that of the rows."""
        center = self.backend.zeros((1, self.points.shape[1]), self.points)
        nearness = self.backend.to_numpy(kernel(center, self.points)[0, :])
        return np.argsort(nearness, kind="stable")

    def _at(self, rows: NDArray[np.intp] | slice) -> Array:
        return self.points[rows, :] if isinstance(rows, slice) else self.backend.take(self.points, rows)

    def features(self, kernel: Kernel, tolerance: float) -> Array:
        """Return centred features F of shape (n, r) with F F' the centred Gram matrix."""
        return self.all_features([kernel], tolerance)[0]

    def all_features(self, kernels: Sequence[Kernel], tolerance: float) -> list[Array]:
        """Return centred features of several kernels."""
        factors = self.factors(kernels, tolerance)
        return [(factor - self.backend.xp.mean(factor, axis=1, keepdims=True)).mT for factor in factors]


@runtime_checkable
class Regression(Protocol):
    """A way to take out of features what a conditioning set explains."""

    def makers(self, z: Block, features: Sequence[Array], work: Workspace) -> list[ResidualMaker]:
        """Return one residual maker for each variable's features; equal ones are the same object.

        Parameters
        ----------
        z : tuple of int
            The conditioning set.
        features : sequence of Array of shape (n, r)
            Centred features of each variable.
        work : Workspace
            Data and array library.

        Returns
        -------
        list of ResidualMaker
            One per variable.
        """
        ...


@dataclass(frozen=True)
class LeaveOneOut:
    """Choose kernel and ridge for each variable by the exact leave-one-out error of the regression of its features.

    Parameters
    ----------
    ridges : tuple of float, default from 1e-4 to 100 in half decades
        Ridges to choose from.
    max_rank : int or None, default=None
        Largest rank of a kernel on the conditioning set; None for 50 + n / 4, at most 400. Any smoother may be chosen from, those of
        truncated kernels too.
    tolerance : float, default=1e-5
        Tolerance of the factors of these kernels.
    max_share : float, default=0.5
        Largest effective degrees of freedom of a regression, as a share of the rows.
    undersmooth : int, default=1
        How many ridges below the one of least error to take. The best prediction has as much bias as variance; what a regression misses
        looks like dependence in a test, while its variance is corrected for.

    Examples
    --------
    >>> from causalkit.independence import KCI, LeaveOneOut
    >>> KCI(regression=LeaveOneOut(ridges=(0.01, 1.0))).regression.ridges
    (0.01, 1.0)
    """

    ridges: tuple[float, ...] = RIDGES
    max_rank: int | None = None
    tolerance: float = 1e-5
    max_share: float = 0.5
    undersmooth: int = 1

    def makers(self, z: Block, features: Sequence[Array], work: Workspace) -> list[ResidualMaker]:
        """Return one residual maker for each variable's features; equal ones are the same object.

        Parameters
        ----------
        z : tuple of int
            The conditioning set.
        features : sequence of Array of shape (n, r)
            Centred features of each variable.
        work : Workspace
            Data and array library.

        Returns
        -------
        list of ResidualMaker
            One per variable.
        """
        leading = [self._leading(f, work.backend) for f in features]
        kernels = list(work.kernels.conditioning_candidates(z))
        if work.kernels.n > 2 * SELECTION_ROWS:
            kernels = self._shortlist(kernels, leading, work)
        spectra = self._spectra(kernels, work)
        choices = self._choices(spectra, leading, work)
        made = {(k, c): self._smoother(*spectra[k], self.ridges[c]) for k, c in set(choices)}
        return [made[choice] for choice in choices]

    def _shortlist(self, kernels: list[Kernel], features: Sequence[Array], work: Workspace) -> list[Kernel]:
        """Return the kernels that are chosen on some of the rows; their ridges are chosen on all."""
        rows = _sampled(work.kernels.n, SELECTION_ROWS)
        few = work.on_rows(rows)
        some = [work.backend.take(f, rows) for f in features]
        centered = [f - work.backend.xp.mean(f, axis=0, keepdims=True) for f in some]
        chosen = {k for k, _ in self._choices(self._spectra(kernels, few), centered, few)}
        return [kernels[k] for k in sorted(chosen)]

    def _spectra(self, kernels: Sequence[Kernel], work: Workspace) -> list[tuple[Array, Array]]:
        n = work.kernels.n
        rank = min(self.max_rank or min(400, 50 + n // 4), max(2, n // 2))
        if work.backend.fused:  # all at once; elsewhere one factor is let go before the next is made
            return [principal_factor(g, work.backend) for g in work.factors(kernels, self.tolerance, rank)]
        return [principal_factor(work.factor(k, self.tolerance, rank), work.backend) for k in kernels]

    def _choices(
        self, spectra: Sequence[tuple[Array, Array]], features: Sequence[Array], work: Workspace
    ) -> list[tuple[int, int]]:
        """Return the position of the kernel and of the ridge with the least leave-one-out error, for each variable."""
        n = work.kernels.n
        limit, rows = self.max_share * n, _sampled(n, ERROR_ROWS) if n > ERROR_ROWS else None
        errors = leave_one_out_errors(
            spectra, self.ridges, features, work.backend, max_degrees=limit, rows=rows
        )
        return [self._undersmoothed(error) for error in errors]

    def _undersmoothed(self, errors: NDArray[np.float64]) -> tuple[int, int]:
        """Return kernel and ridge of the least error, the ridge some steps smaller as far as that is allowed."""
        k, best = (int(at) for at in np.unravel_index(errors.argmin(), errors.shape))
        allowed = np.flatnonzero(np.isfinite(errors[k, : best + 1]))
        return k, int(allowed[max(len(allowed) - 1 - self.undersmooth, 0)])

    @staticmethod
    def _smoother(basis: Array, values: Array, ridge: float) -> Smoother:
        return Smoother(basis, values / (values + ridge))

    @staticmethod
    def _leading(features: Array, backend: Backend) -> Array:
        """Return the principal components of features that matter for the choice: those with a share of the variance."""
        vectors, values = principal_factor(features.mT, backend)
        host = backend.to_numpy(values)[:MAX_FEATURES]
        count = int(np.count_nonzero(host > FEATURE_CUT * host.max(initial=0.0)))
        return vectors[:, :count] * backend.xp.sqrt(values[:count])


@dataclass(frozen=True)
class FixedRidge:
    """Kernel ridge regression with one kernel and one ridge for everything, as the paper has it.

    Parameters
    ----------
    ridge : float, default=1e-3
        The ridge ε, not scaled by the number of rows.

    Examples
    --------
    >>> from causalkit.independence import KCI, FixedRidge
    >>> KCI(regression=FixedRidge(1e-3), form="joined").form
    'joined'
    """

    ridge: float = 1e-3

    def __post_init__(self) -> None:
        check_between("ridge", self.ridge, 0, np.inf)

    def makers(self, z: Block, features: Sequence[Array], work: Workspace) -> list[ResidualMaker]:
        """Return one residual maker for each variable's features; equal ones are the same object.

        Parameters
        ----------
        z : tuple of int
            The conditioning set.
        features : sequence of Array of shape (n, r)
            Centred features of each variable.
        work : Workspace
            Data and array library.

        Returns
        -------
        list of ResidualMaker
            One per variable.
        """
        maker = ridge_maker(work.kernels.conditioning(z), self.ridge, work, centered=True)
        return [maker] * len(features)


@dataclass(frozen=True)
class GaussianProcess:
    """Widths on the numbers in Z, signal and noise learned for each variable by Gaussian-process marginal likelihood.

    The targets are the leading kernel principal components of the variable; widths stay between 1e-3 and 1e4 standard deviations.
    Ten to a hundred times the cost of the others. With labels only in Z there is nothing to learn, and the ridge is fixed.

    Parameters
    ----------
    ridge : float, default=1e-3
        Ridge where Z has labels only.
    starts : tuple of float, default=(1.0,)
        Multiples of the empirical width, each a start of its own, of which the most likely end counts. Fast drift needs a narrow
        start: from a wide one the likelihood may take it for noise.

    Examples
    --------
    >>> from causalkit.independence import GaussianProcess
    >>> GaussianProcess(starts=(1.0, 0.1))
    GaussianProcess(ridge=0.001, starts=(1.0, 0.1))
    """

    ridge: float = 1e-3
    starts: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        check_between("ridge", self.ridge, 0, np.inf)
        given: Any = self.starts
        if not isinstance(given, tuple) or not given:
            raise ParameterError(
                f"starts is {self.starts!r}; give a tuple of at least one multiple of the width, such as (1.0,)"
            )
        for start in self.starts:
            check_between("each of starts", start, 0, np.inf)

    def makers(self, z: Block, features: Sequence[Array], work: Workspace) -> list[ResidualMaker]:
        """Return one residual maker for each variable's features; equal ones are the same object.

        Parameters
        ----------
        z : tuple of int
            The conditioning set.
        features : sequence of Array of shape (n, r)
            Centred features of each variable.
        work : Workspace
            Data and array library.

        Returns
        -------
        list of ResidualMaker
            One per variable.
        """
        if not work.kernels.split(z)[0]:
            return FixedRidge(self.ridge).makers(z, features, work)
        return [self._learned(z, f, work) for f in features]

    def _learned(self, z: Block, features: Array, work: Workspace) -> ResidualMaker:
        """Learn from the leading components, the first scaled to mean square 4; the learned kernel is not centred, as in the original."""
        kernels, (numbers, labels) = work.kernels, work.kernels.split(z)
        inputs, fixed = [kernels.place(k) for k in numbers], Delta(kernels.shared)
        factor: Any = fixed(kernels.values[:, list(labels)]) if labels else 1.0
        start = [kernels.conditional_width(numbers, len(z))] * len(numbers) + [1.0, np.sqrt(0.1)]
        targets = self._targets(features, work)
        fit = fit_gaussian_process(inputs, targets, np.array(start), factor=factor, scales=self.starts)
        learned = kernels.learned(numbers, fit.length_scales)
        if labels:
            learned = Product((learned, On(labels, fixed)))
        return ridge_maker(learned, (fit.noise / fit.signal) ** 2, work, centered=False)

    @staticmethod
    def _targets(features: Array, work: Workspace) -> Any:
        n, (vectors, values) = work.kernels.n, principal_factor(features.mT, work.backend)
        variances = work.backend.to_numpy(values)[: min(400, n // 4)]
        count = int(np.count_nonzero(variances > 1e-5 * variances[0]))
        scale = 2 * np.sqrt(n / variances[0]) * np.sqrt(variances[:count])
        return work.backend.to_numpy(vectors[:, :count]) * scale


def _sampled(n: int, count: int) -> NDArray[np.intp]:
    return np.sort(np.random.default_rng(0).permutation(n)[:count])


def ridge_maker(kernel: Kernel, ridge: float, work: Workspace, *, centered: bool) -> ResidualMaker:
    """Return the residual maker of a kernel: by Woodbury's identity while its rank is small beside n, else by n x n."""
    n, backend = work.kernels.n, work.backend
    scale = float(work.backend.to_numpy(kernel.diagonal(work.points)).max())
    small, tolerance = max(2, n // 3), min(work.low_rank.tolerance, 1e-5 * ridge) * scale
    if work.low_rank.max_rank is not None or _rank_of_some_rows(kernel, tolerance, work) < small:
        factor = work.factor(kernel, tolerance, small)
        if factor.shape[0] < small or work.low_rank.max_rank is not None:
            if centered:
                factor = factor - backend.xp.mean(factor, axis=1, keepdims=True)
            return Woodbury.of(factor, ridge, backend)
    return _dense_maker(kernel, ridge, work, centered=centered)


def _rank_of_some_rows(kernel: Kernel, tolerance: float, work: Workspace) -> int:
    """Return a lower bound of the rank of a kernel that costs next to nothing: the rank of some rows, of more where few are not enough."""
    n, rank = work.kernels.n, 0
    for count in (min(n // 2, 200), min(n // 2, 1000)):
        rows = np.linspace(0, n - 1, count).astype(np.intp)
        gram = work.backend.to_numpy(kernel(work.backend.take(work.points, rows)))
        rank = int(linalg.lapack.dpstrf(gram, lower=1, tol=tolerance)[2])
        if rank < 0.75 * count:
            break
    return rank


def _dense_maker(kernel: Kernel, ridge: float, work: Workspace, *, centered: bool) -> ResidualMaker:
    n, backend = work.kernels.n, work.backend
    work.budget.require(
        24 * n * n,
        what=f"a regression on a conditioning set of full rank, n={n}, float64",
        advice="use regression='loo', or factorization=LowRank(max_rank=...), or raise memory_limit",
    )
    gram = kernel(work.points)
    if centered:
        means = backend.xp.mean(gram, axis=0)
        gram = gram - means[None, :] - means[:, None] + backend.xp.mean(means)
    return DenseMaker.of(gram, ridge, backend)


# From a wide start the likelihood of fast drift may end in noise.
LEARNED = GaussianProcess(starts=(1.0, 0.25, 0.06))
REGRESSIONS: dict[str, Regression] = {"loo": LeaveOneOut(), "gaussian_process": GaussianProcess()}
Strategy: TypeAlias = float | str | Regression


def get_regression(regression: Strategy) -> Regression:
    """Return the regression of a short name: ``"loo"``, ``"gaussian_process"``, or a number for a fixed ridge."""
    if isinstance(regression, str):
        if regression not in REGRESSIONS:
            allowed = ", ".join(map(repr, REGRESSIONS))
            raise ParameterError(
                f"regression is {regression!r}; allowed are {allowed}, a number (the ridge) or a Regression"
            )
        return REGRESSIONS[regression]
    if isinstance(regression, Regression) and not isinstance(regression, type):
        return regression
    return FixedRidge(check_between("regression (the ridge, where it is a number)", regression, 0, np.inf))
