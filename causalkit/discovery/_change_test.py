"""Test whether a mechanism changes at all: scores of its parameters per cell, against rows that are dealt out to the cells anew.

If nothing changes, the residuals of the pooled regression are exchangeable between cells. The scores of a cell are the products of
its residuals with the columns of the regression (level, effects) and the sizes of its residuals (scale). Their weighted sums of
squares over cells, alike cells taken together, are large if a parameter moves. Each sum is put on the scale of a p-value by the gamma
law with the mean and variance that dealing anew gives it; the smallest of these is compared with the smallest of each deal, so that
the result is one p-value whatever the number of sums. It is exact if residuals are independent and alike given the causes: it also rejects where
noise depends on a cause whose law changes, where the additive splines do not fit the mechanism, and where rows depend on one another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse, stats

from causalkit._validation import Floats
from causalkit.discovery._cells import Cells
from causalkit.discovery._mechanism_parameters import MechanismFit

__all__ = ["change_p_value"]

DEALS = 499
SMALL = 1e-300


def change_p_value(
    fit: MechanismFit, cells: Cells, rng: np.random.Generator, deals: int | None = None
) -> float:
    """Return the p-value of "this mechanism is the same in all cells".

    Parameters
    ----------
    fit : MechanismFit
        The mechanism.
    cells : Cells
        The cells.
    rng : numpy.random.Generator
        Deals the rows out.
    deals : int, default=499
        Number of deals; the smallest p-value is 1 / (1 + deals).

    Returns
    -------
    float
        From 1 / (1 + deals) to 1.
    """
    deals = DEALS if deals is None else deals
    if cells.number < 2:
        return 1.0
    scores = Scores.of(fit, cells)
    rows = np.arange(len(scores.residuals))
    orders = [rows, *(rng.permutation(rows) for _ in range(deals))]
    sums = np.array([scores.sums(order) for order in orders])
    extreme = _surprise(sums).max(axis=1)
    return float((1 + np.sum(extreme[1:] >= extreme[0] * (1 - 1e-12))) / (1 + deals))


class Scores:
    """What is added up over the rows of each cell."""

    def __init__(
        self, residuals: Floats, blocks: Sequence[Floats], share: sparse.csr_matrix, roots: Sequence[Floats]
    ) -> None:
        self.residuals, self.blocks, self.share, self.roots = residuals, blocks, share, roots
        self.sizes = np.abs(residuals) - np.abs(residuals).mean(axis=0)

    @classmethod
    def of(cls, fit: MechanismFit, cells: Cells) -> Scores:
        """Standardise the residuals, and weight each row by the root of its cell's number of rows."""
        residuals = np.column_stack([law.residuals for law in fit.laws])
        spread = np.sqrt((residuals**2).mean(axis=0))
        residuals = residuals / np.where(spread > 0, spread, 1.0)
        n, weights = len(residuals), 1 / np.sqrt(cells.counts[cells.of_row])
        share = sparse.csr_matrix((weights, (cells.of_row, np.arange(n))), shape=(cells.number, n))
        return cls(residuals, list(_blocks(fit)), share, [_root(gram) for gram in _likeness(cells)])

    def sums(self, order: NDArray[np.intp]) -> list[float]:
        """Return the sum of squares of each block of scores, for each likeness of cells."""
        dealt, found = self.residuals[order], []
        for block in self.blocks:
            products = (block[:, :, None] * dealt[:, None, :]).reshape(len(block), -1)
            found += self._squares(self.share @ products)
        return found + self._squares(self.share @ self.sizes[order])

    def _squares(self, scores: Floats) -> list[float]:
        return [float(((root @ scores) ** 2).sum()) for root in self.roots]


def _blocks(fit: MechanismFit) -> Iterator[Floats]:
    """Yield the columns of the level and of each effect, the straight line of an effect also on its own: most changes show there."""
    for columns in fit.parts.values():
        yield columns
        if columns.shape[1] > 1:
            yield columns[:, :1]


def _likeness(cells: Cells) -> list[Floats]:
    """Return the likenesses of cells at which changes are looked for: unrelated, and over time slow ones too."""
    unrelated = np.eye(cells.number)
    return [unrelated] if cells.places is None else [unrelated, *cells.kernels()[1:]]


def _root(gram: Floats) -> Floats:
    values, vectors = np.linalg.eigh(gram)
    kept = values > 1e-3 * values.max()
    return np.asarray((vectors[:, kept] * np.sqrt(values[kept])).T)


def _surprise(sums: Floats) -> Floats:
    """Return minus the logarithm of each sum's p-value by the gamma law of its column."""
    mean, variance = sums.mean(axis=0), np.maximum(sums.var(axis=0), SMALL)
    shape, scale = (
        np.maximum(mean**2 / variance, SMALL),
        np.maximum(variance / np.maximum(mean, SMALL), SMALL),
    )
    return np.asarray(-stats.gamma.logsf(sums, shape, scale=scale))
