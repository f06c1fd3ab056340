r"""Null laws: how a kernel statistic is distributed under independence.

The statistic is a sum of chi-square variables weighted by the eigenvalues of :math:`W = A \circ B \circ J` (of
:math:`A \otimes B / n` without conditioning set). The laws differ in how much of that spectrum they use: its first two power sums, its
first three, its largest eigenvalues and the first two power sums of the rest, or all of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import Floats, check_between, check_count
from causalkit.independence._residuals import PairBatch
from causalkit.independence._result import TestResult
from causalkit.independence._tails import chi_square_tail, gamma_tail, weighted_chi_square_tail

__all__ = ["CircularShift", "Gamma", "HallBuckleyEagleson", "NullLaw", "Permutation", "Spectral"]


@runtime_checkable
class NullLaw(Protocol):
    """Turns the pairs of one conditioning set into results."""

    def results(self, batch: PairBatch) -> list[TestResult]:
        """Return one result per pair.

        Parameters
        ----------
        batch : PairBatch
            Pairs of variables given one conditioning set.

        Returns
        -------
        list of TestResult
            In the order of the pairs.
        """
        ...


@dataclass(frozen=True)
class Gamma:
    """Gamma law with the mean and variance of the null distribution: the fastest, and right to about .005 near p = .05.

    Parameters
    ----------
    cut : float, default=0.0
        Eigenvalues of the two residual Gram matrices below this share of the largest are dropped first, as the original
        implementation does with 1e-5. Zero needs no eigendecomposition.

    Examples
    --------
    >>> from causalkit.independence import Gamma
    >>> Gamma()
    Gamma(cut=0.0)
    """

    cut: float = 0.0

    def results(self, batch: PairBatch) -> list[TestResult]:
        """Return one result per pair.

        Parameters
        ----------
        batch : PairBatch
            Pairs of variables given one conditioning set.

        Returns
        -------
        list of TestResult
            In the order of the pairs.
        """
        moments = batch.moments
        means, variances = moments.mean, moments.variance
        if self.cut > 0 and batch.z:
            products = [batch.product(k, self.cut) for k in range(len(batch.pairs))]
            means = np.array([np.trace(w) for w in products])
            variances = np.array([2 * np.sum(w**2) for w in products])

        def tail(k: int, statistic: float) -> dict[str, Any]:
            p, log_p, shape, scale = gamma_tail(statistic, float(means[k]), float(variances[k]))
            return {"p_value": p, "log_p_value": log_p, "shape": shape, "scale": scale}

        return _results(batch, tail)


@dataclass(frozen=True)
class HallBuckleyEagleson:
    """Chi-square law with the first three cumulants of the null distribution: better than gamma in the tail, for n³ a test.

    References
    ----------
    M. J. Buckley, G. K. Eagleson, "An approximation to the distribution of quadratic forms in normal random variables",
    Australian Journal of Statistics 30A, 1988.

    Examples
    --------
    >>> from causalkit.independence import HallBuckleyEagleson
    >>> HallBuckleyEagleson()
    HallBuckleyEagleson()
    """

    def results(self, batch: PairBatch) -> list[TestResult]:
        """Return one result per pair.

        Parameters
        ----------
        batch : PairBatch
            Pairs of variables given one conditioning set.

        Returns
        -------
        list of TestResult
            In the order of the pairs.
        """

        def tail(k: int, statistic: float) -> dict[str, Any]:
            p, log_p, dof = self._tail(statistic, *batch.cumulants(k))
            return {"p_value": p, "log_p_value": log_p, "dof": dof}

        return _results(batch, tail)

    @staticmethod
    def _tail(statistic: float, mean: float, variance: float, third: float) -> tuple[float, float, float]:
        """Match (T - mean) / sd with (chi² - dof) / sqrt(2 dof), the dof chosen by skewness."""
        if not (mean > 0 and variance > 0 and third > 0):
            return 1.0, 0.0, math.nan
        dof = 8 * variance**3 / third**2
        q = dof + math.sqrt(2 * dof) * (statistic - mean) / math.sqrt(variance)
        p, log_p = chi_square_tail(q, dof) if q > 0 else (1.0, 0.0)
        return p, log_p, dof


@dataclass(frozen=True)
class Spectral:
    """Weighted chi-square law from the eigenvalues, by numerical inversion instead of simulation.

    Parameters
    ----------
    leading : int or None, default=20
        Number of the largest eigenvalues that enter one by one; the others enter as one chi-square variable with their mean and
        variance. None takes all of them, for n³ a test: the law is then exact.
    cut : float, default=1e-5
        With ``leading=None``: eigenvalues below this share of the largest are dropped.

    References
    ----------
    T. Lumley, J. Brody, G. Peloso, A. Morrison, K. Rice, "FastSKAT: sequence kernel association tests for very large sets of
    markers", Genetic Epidemiology 42, 2018, for the leading eigenvalues.

    Examples
    --------
    >>> from causalkit.independence import Spectral
    >>> Spectral()
    Spectral(leading=20, cut=1e-05)
    """

    leading: int | None = 20
    cut: float = 1e-5

    def __post_init__(self) -> None:
        if self.leading is not None:
            check_count("leading", self.leading)
        check_between("cut", self.cut, -1e-300, 1)

    def results(self, batch: PairBatch) -> list[TestResult]:
        """Return one result per pair.

        Parameters
        ----------
        batch : PairBatch
            Pairs of variables given one conditioning set.

        Returns
        -------
        list of TestResult
            In the order of the pairs.
        """

        def tail(k: int, statistic: float) -> dict[str, Any]:
            if self.leading is None:
                weights, degrees = self._all(batch, k), None
            else:
                weights, degrees = self._leading(batch, k, self.leading)
            p, log_p = weighted_chi_square_tail(statistic, weights, degrees)
            return {"p_value": p, "log_p_value": log_p}

        return _results(batch, tail)

    def _all(self, batch: PairBatch, k: int) -> Floats:
        weights = batch.product_spectrum(k) if not batch.z else _eigenvalues(batch.product(k, self.cut))
        return np.asarray(weights[weights > max(self.cut * weights.max(initial=0.0), 0.0)])

    @staticmethod
    def _leading(batch: PairBatch, k: int, count: int) -> tuple[Floats, Floats]:
        """Return the largest eigenvalues and one weight for the rest, with its degrees of freedom."""
        found = batch.leading_spectrum(k, count)
        return _with_rest(found.largest[found.largest > 0], found.total, found.squares, batch.n - count)


def _with_rest(largest: Floats, total: float, squares: float, others: int) -> tuple[Floats, Floats]:
    """Return the largest eigenvalues and one weight for at most so many others, and the degrees of freedom of each."""
    ones, rest = np.ones(largest.size), total - float(largest.sum())
    if rest <= 1e-9 * total:
        return largest, ones
    # A difference of sums: what is left must be possible for eigenvalues between zero and the smallest that is known. By their number
    # their squares sum to at least rest² / others; by their size to at most rest * smallest and, with one degree of freedom at least, rest².
    most = min(rest * float(largest[-1]), rest**2)
    rest_squares = min(max(squares - float(np.sum(largest**2)), rest**2 / max(others, 1)), most)
    return np.append(largest, rest_squares / rest), np.append(ones, rest**2 / rest_squares)


@dataclass(frozen=True)
class Permutation:
    """Permutation law: exact at any sample size, without conditioning set or with labels only in it.

    Rows are permuted within the groups of equal labels. With numbers in the conditioning set no permutation is exact and
    the test refuses.

    Parameters
    ----------
    n_permutations : int, default=999
        Number of permutations; the smallest possible p-value is ``1 / (n_permutations + 1)``.

    Examples
    --------
    >>> from causalkit.independence import Permutation
    >>> Permutation(199)
    Permutation(n_permutations=199)
    """

    n_permutations: int = 999

    def __post_init__(self) -> None:
        check_count("n_permutations", self.n_permutations)

    def results(self, batch: PairBatch) -> list[TestResult]:
        """Return one result per pair; each draws from the stream that belongs to the names of its variables.

        Parameters
        ----------
        batch : PairBatch
            Pairs of variables given one conditioning set of labels.

        Returns
        -------
        list of TestResult
            In the order of the pairs.
        """
        groups = batch.groups()
        order, sizes = np.argsort(groups, kind="stable"), np.bincount(groups)

        def exchanges(rng: np.random.Generator) -> Iterator[NDArray[np.intp]]:
            for _ in range(self.n_permutations):
                permuted = np.empty_like(order)
                permuted[order] = order[_shuffle_within(sizes, rng)]
                yield permuted

        return [_by_exchange(batch, k, exchanges(batch.stream(k))) for k in range(len(batch.pairs))]


@dataclass(frozen=True)
class CircularShift:
    """Law for time series: the rows of one variable are shifted against those of the other, which keeps the autocorrelation of both.

    Rows must be in the order of time. With labels in the conditioning set rows are shifted within them; with numbers the residuals are
    shifted, which is approximate. Rows that depend on their predecessors make the other laws reject too often.

    Parameters
    ----------
    n_shifts : int, default=199
        Largest number of shifts, evenly spaced.
    gap : int, optional
        Smallest shift, at least as long as the rows remember; by default a twentieth of the rows.

    References
    ----------
    K. Chwialkowski, A. Gretton, "A kernel independence test for random processes", ICML 2014 (shifts as the law under independence).

    Examples
    --------
    >>> from causalkit.independence import CircularShift
    >>> CircularShift(99).n_shifts
    99
    """

    n_shifts: int = 199
    gap: int | None = None

    def __post_init__(self) -> None:
        check_count("n_shifts", self.n_shifts)
        if self.gap is not None:
            check_count("gap", self.gap)

    def results(self, batch: PairBatch) -> list[TestResult]:
        """Return one result per pair.

        Parameters
        ----------
        batch : PairBatch
            Pairs of variables given one conditioning set.

        Returns
        -------
        list of TestResult
            In the order of the pairs.
        """
        numbers, _ = batch.work.kernels.split(batch.z)
        groups = np.zeros(batch.n, dtype=np.intp) if numbers else batch.groups()
        shifts = list(self._shifts(groups))
        return [_by_exchange(batch, k, iter(shifts)) for k in range(len(batch.pairs))]

    def _shifts(self, groups: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
        """Yield row orders in which each group is shifted by the same share of its length."""
        n = len(groups)
        gap = min(self.gap or max(1, n // 20), max(1, n // 2))
        parts = [np.flatnonzero(groups == g) for g in range(int(groups.max()) + 1)]
        steps = np.unique(np.linspace(gap, n - gap, min(self.n_shifts, max(1, n - 2 * gap + 1))).astype(int))
        for step in steps:
            shifted = np.empty(n, dtype=np.intp)
            for part in parts:
                shifted[part] = np.roll(part, round(step * len(part) / n))
            yield shifted


def _by_exchange(batch: PairBatch, k: int, exchanges: Iterator[NDArray[np.intp]]) -> TestResult:
    """Compare the statistic of a pair with those after exchanges of the rows of one side; the identity counts as one."""
    fixed, moved = batch.permutable(k)
    statistic = float(np.sum((fixed.T @ moved) ** 2))
    values = np.array([np.sum((fixed.T @ moved[rows]) ** 2) for rows in exchanges])
    p = (1 + int(np.sum(values >= statistic * (1 - 1e-12)))) / (1 + len(values))
    return TestResult(statistic, p, math.log(p), batch.n, effect_size=float(batch.moments.effect[k]))


def _results(batch: PairBatch, tail: Callable[[int, float], dict[str, Any]]) -> list[TestResult]:
    """Return one result per pair, given what a law says about the statistic of a pair."""
    statistics, effects = batch.moments.statistic / batch.inflation, batch.moments.effect
    mean, factor = batch.few_rows
    # A law has a mean and a variance of its own: it is asked about what lies as far from them as the statistic lies from those of few rows.
    asked = batch.moments.mean + factor * (statistics - mean)
    rows = zip(statistics.tolist(), effects.tolist(), asked.tolist(), strict=True)
    return [
        TestResult(statistic, n=batch.n, effect_size=effect, **tail(k, where))
        for k, (statistic, effect, where) in enumerate(rows)
    ]


def _eigenvalues(matrix: Floats) -> Floats:
    """Return the eigenvalues of a symmetric matrix, descending."""
    return np.asarray(np.linalg.eigvalsh(matrix)[::-1])


def _shuffle_within(sizes: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.intp]:
    """Permute consecutive blocks of the given sizes, each in itself."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return np.lexsort((rng.random(len(labels)), labels))
