"""Kernels for the columns of a table, by column type, with the widths of the kernel conditional independence test.

Numbers get a Gaussian kernel on standardised values, labels a delta kernel. Inside a conditioning set that also holds
numbers, a context (labels or time) enters as ``shared + (1 - shared) k_C``: part of the regression is common to all contexts
and part is specific to each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.spatial.distance import pdist

from causalkit._validation import Floats, Table
from causalkit.independence._kernels import (
    Circle,
    Delta,
    Gaussian,
    Kernel,
    Mean,
    On,
    Product,
    Shared,
    on_circle,
)

Width: TypeAlias = float | Literal["empirical", "median", "learned"]
Block: TypeAlias = tuple[int, ...]

MEDIAN_ROWS = 1000
NUMBER_WIDTHS = (0.5, 1.0, 2.0, 4.0)
ADDITIVE_WIDTHS = (0.5, 1.0, 2.0)
SCALES_OF_TIME = (0.04, 0.1, 0.25, 0.6)
SCALES_OF_PHASE = (0.25, 1.0)
PHASE_PER_TIME = 1.8
SLOW = 0.4
TIME_WIDTHS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)


@dataclass(frozen=True)
class KernelFactory:
    """Chooses the kernels of one table.

    Parameters
    ----------
    values : numpy.ndarray, shape (n, d)
        Standardised numbers; codes for labels.
    types : tuple of str
        Column types.
    names : tuple of str
        Column names.
    width : float or str
        Width of Gaussian kernels; see `causalkit.independence.KCI`.
    time_width : float
        Width of the Gaussian kernel on standardised time in a conditioning set.
    shared : float
        Share of a context's kernel that is common to all contexts, beside numbers.
    """

    values: Floats
    types: tuple[str, ...]
    names: tuple[str, ...]
    width: Width
    time_width: float
    shared: float

    @classmethod
    def of(cls, table: Table, width: Width, time_width: float, shared: float) -> KernelFactory:
        """Standardise the numbers of a table; codes of labels and phases stay as they are."""
        labels = np.array([kind in ("categorical", "cyclic") for kind in table.types])
        values = np.where(labels, table.values, table.standardized())
        return cls(values, table.types, table.names, width, time_width, shared)

    # -- widths ------------------------------------------------------------------------------------------------------------

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.values)

    def unconditional_width(self, block: Block) -> float:
        """Return the width for a block without conditioning set: it shrinks with n and with the number of columns."""
        if self.width == "median":
            return self.median_distance(block)
        base = self._number(0.8 if self.n < 200 else 0.5 if self.n < 1200 else 0.3)
        return base / math.sqrt(len(block))

    def conditional_width(self, block: Block, size: int) -> float:
        """Return the width for a block in a test with `size` conditioning columns: it grows with that number."""
        if self.width == "median":
            return self.median_distance(block)
        return self._number(1.2 if self.n <= 200 else 0.6 if self.n < 1200 else 0.4) * math.sqrt(max(size, 1))

    def _number(self, empirical: float) -> float:
        return empirical if isinstance(self.width, str) else float(self.width)

    def median_distance(self, block: Block) -> float:
        """Return the median distance between different rows of numbers.

        Beyond a thousand rows it is taken on a thousand, evenly spaced by their distance from the mean, so that neither the order of
        rows nor that of columns matters.
        """
        rows = self.values[:, list(self.split(block)[0])]
        rows = rows[np.argsort((rows**2).sum(axis=1), kind="stable")]
        distances = pdist(rows[np.linspace(0, self.n - 1, min(self.n, MEDIAN_ROWS)).astype(int)])
        positive = distances[distances > 0]
        return float(np.median(positive)) if positive.size else 1.0

    # -- kernels ---------------------------------------------------------------------------------------------------------------

    def split(self, block: Sequence[int]) -> tuple[Block, Block]:
        """Split columns into numbers (with time) and labels."""
        numbers = tuple(k for k in block if self.types[k] != "categorical")
        return numbers, tuple(k for k in block if self.types[k] == "categorical")

    def kernel(self, block: Block, width: float) -> Kernel:
        """Return the kernel of one or several columns taken together as one variable.

        A variable may follow time slowly or in many cycles, and a single width sees one of the two. So time has the mean of four
        Gaussian kernels, unless a width was asked for.
        """
        numbers, labels = self.split(block)
        time = tuple(k for k in numbers if self.types[k] == "time") if self.width == "empirical" else ()
        phases = tuple(k for k in numbers if self.types[k] == "cyclic")
        plain = tuple(k for k in numbers if k not in time + phases)
        widths = [max(w, self.trend_only) for w in SCALES_OF_TIME]
        scales = [Mean(tuple(On((k,), Gaussian(w)) for w in dict.fromkeys(widths))) for k in time]
        circles = [Mean(tuple(On((k,), Circle(w)) for w in SCALES_OF_PHASE)) for k in phases]
        return _product([*_on(plain, Gaussian(width)), *_on(labels, Delta()), *scales, *circles])

    def joining(self, given: Block) -> Kernel:
        """Return the kernel of z / 2, which joins the conditioning set to two variables at half weight."""
        width = self.conditional_width(given, len(given))
        numbers, labels = self.split(given)
        return _product([*_on(numbers, Gaussian(2 * width)), *_on(labels, Delta(0.5))])

    def joined(self, block: Block, given: Block, width: float) -> Kernel:
        """Return the kernel of (x, z / 2), as one Gaussian on all numbers of both."""
        (numbers, labels), (given_numbers, given_labels) = self.split(block), self.split(given)
        widths = (width,) * len(numbers) + (2 * width,) * len(given_numbers)
        return _product(
            [
                *_on(numbers + given_numbers, Gaussian(widths)),
                *_on(labels, Delta()),
                *_on(given_labels, Delta(0.5)),
            ]
        )

    def conditioning(self, given: Block) -> Kernel:
        """Return the kernel of a conditioning set, for the regression on it."""
        plain, time, labels = self._kinds(given)
        base = list(_on(plain, Gaussian(self.conditional_width(plain, len(plain)))) if plain else ())
        return self._with_context(base, time, labels, self.time_width)

    def place(self, k: int) -> Floats:
        """Return the points of a column that is not labels: its values, or for phases places on the unit circle."""
        column = self.values[:, [k]]
        return np.asarray(on_circle(column)) if self.types[k] == "cyclic" else column

    def learned(self, numbers: Block, widths: Floats) -> Kernel:
        """Return the kernel of numbers with a width for each."""
        width = dict(zip(numbers, widths.tolist(), strict=True))
        straight = tuple(k for k in numbers if self.types[k] != "cyclic")
        phases = [On((k,), Circle(width[k])) for k in numbers if k not in straight]
        return _product([*_on(straight, Gaussian(tuple(width[k] for k in straight))), *phases])

    def conditioning_candidates(self, given: Block) -> Iterator[Kernel]:
        """Yield the kernels of a conditioning set for a range of widths, to choose from."""
        plain, time, labels = self._kinds(given)
        widths = [w for w in TIME_WIDTHS if w >= self.trend_only] if time else [1.0]
        for time_width in widths:
            for base in self._number_candidates(plain) if plain else ([],):
                yield self._with_context(base, time, labels, time_width)

    def _number_candidates(self, plain: Block) -> Iterator[list[Kernel]]:
        """Yield kernels on numbers: of all columns jointly, and, for several columns, sums over single columns.

        A joint kernel needs many rows to see that only one of five columns matters; a sum sees it at once, and cannot see
        interactions. Their mean can do both.
        """
        root = math.sqrt(len(plain))
        for factor in NUMBER_WIDTHS:
            yield [On(plain, Gaussian(factor * root))]
        if len(plain) > 1:
            for width in ADDITIVE_WIDTHS:
                additive = Mean(tuple(On((k,), Gaussian(width)) for k in plain))
                yield [additive]
                yield [Mean((additive, On(plain, Gaussian(2.0 * root))))]

    @property
    def trend_only(self) -> float:
        """Smallest width of time: beside a cycle, time stands for what the cycle leaves, and must not follow it."""
        return SLOW if "cyclic" in self.types else 0.0

    def _kinds(self, given: Block) -> tuple[Block, Block, Block]:
        """Split columns into numbers, time and labels."""
        plain = tuple(k for k in given if self.types[k] in ("continuous", "ordinal"))
        time = tuple(k for k in given if self.types[k] in ("time", "cyclic"))
        return plain, time, tuple(k for k in given if self.types[k] == "categorical")

    def _with_context(self, base: list[Kernel], time: Block, labels: Block, time_width: float) -> Kernel:
        """Multiply the kernel of the numbers, if any, with that of time and labels, part of it shared by all contexts."""
        phases = tuple(k for k in time if self.types[k] == "cyclic")
        straight = tuple(k for k in time if k not in phases)
        context: list[Kernel] = [*_on(straight, Gaussian(time_width)), *_on(labels, Delta())]
        context += [On((k,), Circle(PHASE_PER_TIME * time_width)) for k in phases]
        if base and context:
            context = [Shared(self.shared, _product(context))]
        return _product([*base, *context])


def _on(columns: Block, kernel: Kernel) -> Iterator[Kernel]:
    if columns:
        yield On(columns, kernel)


def _product(kernels: list[Kernel]) -> Kernel:
    return kernels[0] if len(kernels) == 1 else Product(tuple(kernels))
