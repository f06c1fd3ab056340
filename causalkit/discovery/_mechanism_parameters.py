"""Mechanisms as points with few coordinates: the parameters of a regression, and of the law of its causes, in each cell of a context.

The kernel embedding of a mechanism in one context is a ridge regression on that context's rows. Outside their range it shrinks
to the pooled mechanism, so that its error depends on where the causes lie: where the causes' distribution moves between contexts,
the effect's mechanism seems to move with it, in the causal direction too. A regression with few parameters has no such
error as long as it fits, and its noise can be estimated. So

* **P(effect | causes)** has the coefficients of an additive spline regression, basis functions orthonormal over all rows, and the
  logarithm of its residual scale; labels count as 0/1 columns;
* **P(causes)** has their means and the matrix logarithm of their covariance, which does not depend on the order of columns.

All are predicted as random effects (`_random_effects`), standardised, and weighted by their reliability. Inner products of
the coordinates through a Gaussian kernel of median width make the Gram matrices that are compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg
from scipy.interpolate import BSpline

from causalkit._validation import ColumnType, Floats, Table, check_count
from causalkit.discovery._cells import Cells
from causalkit.discovery._embedding import gaussian_gram
from causalkit.discovery._random_effects import (
    Draws,
    Effects,
    Fit,
    Moments,
    effects_of_fits,
    effects_of_regression,
    log_scale,
    regression_fits,
    smooth,
)
from causalkit.gpu._threads import single_thread_below
from causalkit.independence._kernels import on_circle

__all__ = ["ParameterEmbedding"]

MOST_COLUMNS = 16
RANK = 1e-6
FLAT = 1e-3


@dataclass(frozen=True)
class ParameterEmbedding:
    """Embed mechanisms by the parameters of additive spline regressions.

    Parameters
    ----------
    n_basis : int, default=8
        Basis functions per numeric cause; fewer where a cause has fewer different values, and with several causes at most 16 in all.

    Examples
    --------
    >>> from causalkit.discovery import IndependentChange, ParameterEmbedding
    >>> IndependentChange(embedding=ParameterEmbedding(n_basis=1)).embedding.n_basis
    1
    """

    n_basis: int = 8

    def __post_init__(self) -> None:
        check_count("n_basis", self.n_basis)

    def grams(self, table: Table, effect: str, causes: Sequence[str], cells: Cells) -> tuple[Floats, Floats]:
        """Return the Gram matrices over cells of P(causes) and of P(effect | causes).

        Parameters
        ----------
        table : Table
            The variables.
        effect : str
            Name of the effect.
        causes : sequence of str
            Names of its causes; at least one.
        cells : Cells
            The cells of the context.

        Returns
        -------
        tuple of numpy.ndarray of shape (K, K)
            All ones where a mechanism does not change measurably.
        """
        kernels = cells.kernels()
        with single_thread_below(cells.number):
            marginal = law_of_causes(table, causes, cells, kernels)
            design = additive_design(table, causes, self.n_basis)
            conditional = law_of_effect(table, effect, design, cells, kernels)
        return parameter_gram(marginal), parameter_gram(conditional)

    def mechanism(
        self, table: Table, effect: str, causes: Sequence[str], cells: Cells, kernels: Sequence[Floats]
    ) -> MechanismFit:
        """Fit the parameters of P(effect | causes) over cells.

        Parameters
        ----------
        table : Table
            The variables.
        effect : str
            Name of the effect.
        causes : sequence of str
            Names of its causes; none for the law of a root variable.
        cells : Cells
            The cells of the context.
        kernels : sequence of numpy.ndarray of shape (K, K)
            Candidates for the likeness of cells.

        Returns
        -------
        MechanismFit
            One regression per column of the effect, each fitted with every kernel.
        """
        parts = design_parts(table, causes, self.n_basis)
        design = np.hstack(list(parts.values()))
        laws = []
        for columns, kind in columns_of(table, effect):
            for residuals in pooled_residuals(design, columns).T:
                moments = Moments.of(design, residuals, cells.of_row, cells.number)
                fits = regression_fits(moments, kernels)
                laws.append(Law(residuals, moments, tuple(fits), kind != "categorical"))
        return MechanismFit(parts, tuple(laws), tuple(kernels))


@dataclass(frozen=True)
class Law:
    """The regression of one column of an effect: its pooled residuals, moments per cell, a fit per kernel, and if its scale is a parameter."""

    residuals: Floats
    moments: Moments
    fits: tuple[Fit, ...]
    with_scale: bool


@dataclass(frozen=True)
class MechanismFit:
    """The parameters of a mechanism over cells.

    Parameters
    ----------
    parts : dict of str to numpy.ndarray
        Columns of the design, by what they stand for: ``"level"`` or ``"effect of <cause>"``.
    laws : tuple of Law
        One per column of the effect.
    kernels : tuple of numpy.ndarray of shape (K, K)
        The candidates for the likeness of cells.
    """

    parts: dict[str, Floats]
    laws: tuple[Law, ...]
    kernels: tuple[Floats, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """What each parameter is a parameter of: ``"level"``, ``"effect of <cause>"`` or ``"scale"``."""
        coefficients = [name for name, columns in self.parts.items() for _ in range(columns.shape[1])]
        return tuple(
            name for law in self.laws for name in coefficients + (["scale"] if law.with_scale else [])
        )

    def effects(self, draws: Draws | None = None) -> Effects:
        """Return the deviations of all parameters, with draws of their posterior where they are asked for."""
        parts = [
            effects_of_fits(law.fits, self.kernels, with_scale=law.with_scale, draws=draws)
            for law in self.laws
        ]
        return Effects.beside(parts)


def parameter_gram(effects: Effects) -> Floats:
    """Return the Gaussian kernel between the standardised parameters of cells."""
    rows = effects.standardized()
    if float(rows.var(axis=0).sum()) < FLAT:
        return np.ones((len(rows), len(rows)))
    return gaussian_gram(rows @ rows.T)


def columns_of(table: Table, name: str) -> list[tuple[Floats, ColumnType]]:
    """Return the columns of a variable, by type: standardised numbers (n, 1), points on a circle (n, 2), or 0/1 columns of labels (n, L)."""
    return [_read(table, k) for k in table.positions(name)]


def _read(table: Table, k: int) -> tuple[Floats, ColumnType]:
    kind = table.types[k]
    if kind == "cyclic":
        return on_circle(table.values[:, [k]]), kind
    if kind == "categorical":
        codes = table.values[:, k].astype(int)
        return np.eye(codes.max() + 1)[codes], kind
    return table.select([k]).standardized(), kind


# -- the law of the causes ---------------------------------------------------------------------------------------------------------


def law_of_causes(table: Table, causes: Sequence[str], cells: Cells, kernels: Sequence[Floats]) -> Effects:
    """Predict means and log covariance of the causes over cells."""
    read = [part for name in causes for part in columns_of(table, name)]
    numbers = [columns for columns, kind in read if kind != "categorical"]
    parts = [_mean(column, cells, kernels) for columns, _ in read for column in columns.T]
    if numbers:
        parts += _log_covariance(np.hstack(numbers), cells, kernels)
    return Effects.beside(parts)


def _mean(column: Floats, cells: Cells, kernels: Sequence[Floats]) -> Effects:
    counts = cells.counts
    means = np.bincount(cells.of_row, column, cells.number) / counts
    within = np.bincount(cells.of_row, (column - means[cells.of_row]) ** 2, cells.number)
    pooled = within.sum() / max(counts.sum() - cells.number, 1)
    variances = (within + pooled) / counts
    return smooth(means, np.maximum(variances, np.finfo(float).eps) / counts, kernels)[0]


def _log_covariance(columns: Floats, cells: Cells, kernels: Sequence[Floats]) -> list[Effects]:
    """Half the logarithm of each cell's covariance: log standard deviations on the diagonal, correlation beside it.

    With several columns one pooled row is added to each cell, so that cells with few rows have a logarithm.
    """
    size, freedom = columns.shape[1], np.maximum(cells.counts - 1.0, 1.0)
    centred = columns.copy()
    for k in range(cells.number):
        centred[cells.of_row == k] -= centred[cells.of_row == k].mean(axis=0)
    pooled = centred.T @ centred / max(len(columns) - cells.number, 1)
    scatter = np.array(
        [centred[cells.of_row == k].T @ centred[cells.of_row == k] for k in range(cells.number)]
    )
    if size == 1:
        return [smooth(*log_scale(scatter[:, 0, 0], freedom), kernels)[0]]
    tiny = np.finfo(float).eps * np.trace(pooled) * np.eye(size)
    logs = np.array(
        [linalg.logm((s + pooled + tiny) / (f + 1)).real / 2 for s, f in zip(scatter, freedom, strict=True)]
    )
    rows, others = np.triu_indices(size)
    weights = np.where(rows == others, 1.0, np.sqrt(2.0))
    noise = 1 / (2 * freedom)
    return [
        smooth(w * logs[:, i, j], noise, kernels)[0] for i, j, w in zip(rows, others, weights, strict=True)
    ]


# -- the law of the effect ---------------------------------------------------------------------------------------------------------


def law_of_effect(
    table: Table, effect: str, design: Floats, cells: Cells, kernels: Sequence[Floats]
) -> Effects:
    """Predict coefficients and residual scale of the regression of an effect over cells."""
    parts = []
    for columns, kind in columns_of(table, effect):
        for residuals in pooled_residuals(design, columns).T:
            moments = Moments.of(design, residuals, cells.of_row, cells.number)
            parts.append(effects_of_regression(moments, kernels, with_scale=kind != "categorical"))
    return Effects.beside(parts)


def pooled_residuals(design: Floats, columns: Floats) -> Floats:
    """Return what the regression on all rows leaves of columns."""
    return np.asarray(columns - design @ np.linalg.lstsq(design, columns, rcond=None)[0])


def additive_design(table: Table, causes: Sequence[str], n_basis: int) -> Floats:
    """Return an intercept and, for each cause, basis functions that are orthonormal over all rows, side by side."""
    return np.hstack(list(design_parts(table, causes, n_basis).values()))


def design_parts(table: Table, causes: Sequence[str], n_basis: int) -> dict[str, Floats]:
    """Return the columns of the regression on each cause, by what they stand for."""
    columns = sum(len(table.positions(name)) for name in causes)
    size = max(1, min(n_basis, MOST_COLUMNS // max(columns, 1)))
    parts = {"level": np.ones((table.n_rows, 1))}
    for name in causes:
        bases = [
            orthonormal(splines(columns[:, 0], size)) if columns.shape[1] == 1 else standard(columns)
            for columns, _ in columns_of(table, name)
        ]
        parts[f"effect of {name}"] = np.hstack(bases)
    return parts


def standard(columns: Floats) -> Floats:
    """Return centred columns with mean square 1: all 0/1 columns of labels alike, so that no label is the reference."""
    centred = columns - columns.mean(axis=0)
    return np.asarray(centred / np.sqrt((centred**2).mean(axis=0)))


def splines(values: Floats, size: int) -> Floats:
    """Return the numbers themselves and cubic B-splines with knots at quantiles, `size` columns in all once made independent."""
    if size < 4:
        return values[:, None] ** np.arange(1, size + 1)
    low, high = values.min(), values.max()
    inner = np.unique(np.quantile(values, np.linspace(0, 1, size - 1)[1:-1]))
    inner = inner[(inner > low) & (inner < high)]
    knots = np.concatenate([[low] * 4, inner, [high] * 4])
    basis = BSpline.design_matrix(np.clip(values, low, high), knots, 3).toarray()
    return np.column_stack([values, basis])


def orthonormal(columns: Floats) -> Floats:
    """Return centred columns made orthonormal (mean square 1) one after the other, without those that add nothing."""
    centred = columns - columns.mean(axis=0)
    triangle = np.linalg.qr(centred, mode="r")
    diagonal = np.abs(np.diag(triangle))
    kept = np.flatnonzero(diagonal > RANK * max(float(diagonal.max(initial=0.0)), np.finfo(float).tiny))
    basis, signs = np.linalg.qr(centred[:, kept])
    return np.asarray(basis * np.sign(np.diag(signs)) * np.sqrt(len(columns)))
