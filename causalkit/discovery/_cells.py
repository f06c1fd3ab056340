"""Cells of a context: groups of rows that are alike enough in context to share one mechanism, and how cells can be exchanged.

A domain is a cell. Time is cut into stretches of equally many rows, within each domain if there are domains too. The null
hypothesis that two mechanisms change independently of one another is tested by giving the contexts of one of them to other cells:
domains are permuted, stretches of time are shifted round a circle, since neighbours in time are alike and no two orders of them
are equally likely.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import Floats
from causalkit.discovery._contexts import ContextPoints
from causalkit.exceptions import DataError

__all__ = ["Cells"]

MOST = 48
ROWS = 10
WIDTHS = (0.03, 0.08, 0.2, 0.5)
LENGTHS = (0.1, 1.0)
JITTER = 1e-4
ALL_PERMUTATIONS = 6
BETWEEN = 16

Likeness: TypeAlias = Callable[[Floats], Floats]


def _smooth(width: float) -> Likeness:
    return lambda apart: np.exp(-(apart**2) / (2 * width**2))


def _rough(length: float) -> Likeness:
    return lambda apart: np.exp(-apart / length)


SMOOTH = tuple(map(_smooth, WIDTHS))
ROUGH = tuple(map(_rough, LENGTHS))


@dataclass(frozen=True)
class Cells:
    """The K cells of a context.

    Parameters
    ----------
    points : ContextPoints
        The contexts.
    of_row : numpy.ndarray of int, shape (n,)
        The cell of each row.
    strata : numpy.ndarray of int, shape (K,)
        The domain of each cell, where contexts have an order; else all zero.
    places : numpy.ndarray of shape (K,) or None
        Place of each cell along the order, from 0 to 1; None for domains.
    centres : numpy.ndarray, shape (K, k)
        Mean context of each cell; labels as codes, time standardised.
    """

    points: ContextPoints
    of_row: NDArray[np.intp]
    strata: NDArray[np.intp]
    places: Floats | None
    centres: Floats

    @classmethod
    def of(cls, points: ContextPoints, most: int = MOST, rows: int = ROWS) -> Cells:
        """Cut the contexts of a data set into cells, ordered contexts into at most so many of at least so many rows each."""
        if points.is_domain:
            return cls(points, points.rows, np.zeros(len(points.values), dtype=np.intp), None, points.values)
        domains, along = points.domains, points.along
        of_row = np.zeros(len(along), dtype=np.intp)
        strata: list[int] = []
        places: list[float] = []
        for domain in range(int(domains.max()) + 1):
            inside = np.flatnonzero(domains == domain)
            number = int(np.clip(len(inside) // rows, 1, max(1, most // (int(domains.max()) + 1))))
            cuts = stretches(along[inside], number)
            of_row[inside] = len(strata) + cuts
            number = int(cuts.max()) + 1
            strata += [domain] * number
            places += [(k + 0.5) / number for k in range(number)]
        counts = np.bincount(of_row)
        values = points.values[points.rows]
        centres = np.column_stack([np.bincount(of_row, column) / counts for column in values.T])
        return cls(points, of_row, np.array(strata), np.array(places), centres)

    @property
    def number(self) -> int:
        """Number of cells."""
        return len(self.strata)

    @property
    def counts(self) -> NDArray[np.intp]:
        """Rows in each cell."""
        return np.bincount(self.of_row, minlength=self.number)

    @property
    def is_cycle(self) -> bool:
        """Whether the order of cells goes round a circle."""
        return self.places is not None and self.points.types[self.points.leading_column()] == "cyclic"

    def kernels(self) -> list[Floats]:
        """Return how alike the parameters of two cells may be, from quickly to slowly changing; unrelated for domains."""
        return self._grams(SMOOTH)

    def paths(self) -> list[Floats]:
        """Return what the path of a parameter may be like: as smooth as `kernels`, or as rough as a random walk; unrelated for domains."""
        return self._grams(SMOOTH + ROUGH)

    def _grams(self, likenesses: Sequence[Likeness]) -> list[Floats]:
        if self.places is None:
            return [np.eye(self.number)]
        apart = np.abs(self.places[:, None] - self.places[None, :])
        apart = np.sin(np.pi * apart) / np.pi if self.is_cycle else apart
        same = self.strata[:, None] == self.strata[None, :]
        grams = (likeness(apart) * same for likeness in likenesses)
        return [(1 - JITTER) * gram + JITTER * np.eye(self.number) for gram in grams]

    def between(self) -> list[float]:
        """Return for each of `paths` the variance of the path about the line from one cell to the next, on average over the line.

        In units of the variance of the path; none for domains, which have nothing between them.
        """
        if self.places is None:
            return [0.0]
        step = float(np.bincount(self.strata).max()) ** -1
        u = (np.arange(BETWEEN) + 0.5) / BETWEEN
        return [
            float(
                np.mean(
                    1
                    + (1 - u) ** 2
                    + u**2
                    + 2 * u * (1 - u) * likeness(np.array(step))
                    - 2 * (1 - u) * likeness(u * step)
                    - 2 * u * likeness((1 - u) * step)
                )
            )
            for likeness in SMOOTH + ROUGH
        ]

    def spread(self, values: Floats, points: ContextPoints | None = None) -> Floats:
        """Return values of cells (K, k) at the different contexts of `points` (by default those of the data), (m, k).

        Between the centres of stretches they are interpolated, beyond them constant; a domain has the value of its cell.
        """
        wanted = self.points if points is None else points
        if self.places is None:
            return np.asarray(values[_matches(wanted.values, self.centres)])
        labels = wanted.labels
        order, found = wanted.leading_column(), np.empty((len(wanted.values), values.shape[1]))
        first = np.unique(self.strata, return_index=True)[1]
        stratum = _matches(wanted.values[:, labels], self.centres[first][:, labels]) if labels else None
        for s in range(len(first)):
            cells = np.flatnonzero(self.strata == s)
            at = np.ones(len(found), dtype=bool) if stratum is None else stratum == s
            for k in range(values.shape[1]):
                along, centres = wanted.values[at, order], self.centres[cells, order]
                period = 1.0 if self.is_cycle else None
                found[at, k] = np.interp(along, centres, values[cells, k], period=period)
        return found

    # -- exchanging cells ------------------------------------------------------------------------------------------------------

    def exchanges(self, number: int, order: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
        """Yield ways to give the contexts of one mechanism to the cells of another, the identity not among them.

        All permutations of up to six domains, else `number` random ones; all shifts of one stretch of time, else `number`
        combinations of shifts within domains. `order` lists the cells in an order that does not depend on their labels.
        """
        rng = np.random.default_rng(0)
        if self.places is None:
            yield from self._permutations(number, order, rng)
            return
        parts = [np.flatnonzero(self.strata == s) for s in range(int(self.strata.max()) + 1)]
        if len(parts) == 1:
            yield from (np.roll(parts[0], -k) for k in range(1, self.number))
            return
        for _ in range(number):
            yield np.concatenate([np.roll(part, -int(rng.integers(len(part)))) for part in parts])

    def _permutations(
        self, number: int, order: NDArray[np.intp], rng: np.random.Generator
    ) -> Iterator[NDArray[np.intp]]:
        if self.number <= ALL_PERMUTATIONS:
            others = list(permutations(range(self.number)))[1:]
            draws = (np.array(p) for p in others)
        else:
            draws = (rng.permutation(self.number) for _ in range(number))
        for draw in draws:
            exchange = np.empty(self.number, dtype=np.intp)
            exchange[order] = order[draw]
            yield exchange

    def independent_number(self, values: Floats) -> float:
        """Return how many exchanges count as independent, from the values of a statistic under each of them.

        Neighbouring shifts of slow changes give almost the same value: M shifts whose values have the autocorrelations r count as
        M / (1 + 2 sum r), the sum ending before the first that is not positive.
        """
        if self.places is None or int(self.strata.max()) > 0 or len(values) < 3:
            return float(len(values))
        centred = values - values.mean()
        spectrum = np.abs(np.fft.fft(centred)) ** 2
        covariance = np.fft.ifft(spectrum).real
        if covariance[0] <= 0:
            return 1.0
        related = covariance[1 : len(values) // 2 + 1] / covariance[0]
        stop = int(np.argmax(related <= 0)) if (related <= 0).any() else len(related)
        return max(1.0, len(values) / (1 + 2 * float(related[:stop].sum())))


def _matches(rows: Floats, known: Floats) -> NDArray[np.intp]:
    """Return the position of each row among known ones."""
    same = (rows[:, None, :] == known[None, :, :]).all(axis=2)
    if not same.any(axis=1).all():
        raise DataError("a context is asked for that is none of the domains of the data")
    return np.asarray(same.argmax(axis=1))


def stretches(along: Floats, number: int) -> NDArray[np.intp]:
    """Cut rows into stretches of about equally many along an order; equal values stay together; numbered without gaps."""
    rank = np.searchsorted(np.sort(along), along, side="left")
    raw = rank * number // len(along)
    return np.unique(raw, return_inverse=True)[1].ravel()


def smallest_p_value(independent: float) -> float:
    """Return the smallest p-value that so many independent exchanges can give."""
    return 1 / (1 + independent) if math.isfinite(independent) else 0.0
