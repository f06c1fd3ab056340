r"""How closely single codes go with single factors, whatever the type of the factor, and the best matching.

With D_i the centred design of factor i (its values; cosine and sine of an angle; indicators of its categories), the association of a code h with it is
the multiple correlation

.. math:: R_{ij} = \lVert P_{D_i} h_j \rVert / \lVert h_j \rVert ,

with P the projection on the columns of the design: the absolute correlation for a number, the correlation ratio for categories. It ranges from 0 to 1.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata
from sklearn.preprocessing import SplineTransformer

from causalkit._validation import Floats, Table
from causalkit.evaluation._assess import SEVERAL_COLUMNS, Rows, Sample, design

# Columns with no more values than these are levels.
LEVELS = 8

Correlation: TypeAlias = Literal["pearson", "spearman"]


def targets_of(fit: Sample, test: Sample, k: int) -> tuple[Floats, Floats]:
    """Return the design of a factor on two samples, with the same columns."""
    values = np.concatenate([fit.factors.values[:, k], test.factors.values[:, k]])
    whole = design(Table(("z",), values[:, None], (fit.factors.types[k],)), 0)
    return whole[: len(fit.codes)], whole[len(fit.codes) :]


def associations(factors: Table, codes: Floats, correlation: Correlation = "pearson") -> Floats:
    """Return the association of every factor with every code, shape (D, K); 0 for codes that do not vary."""
    units = unit_columns(rankdata(codes, axis=0) if correlation == "spearman" else codes)
    out = np.empty((factors.n_columns, codes.shape[1]))
    plain = [k for k, kind in enumerate(factors.types) if kind not in SEVERAL_COLUMNS]
    numbers = factors.values[:, plain]
    if correlation == "spearman":
        numbers = rankdata(numbers, axis=0)
    out[plain] = np.abs(unit_columns(numbers).T @ units)
    for k in set(range(factors.n_columns)) - set(plain):
        out[k] = np.linalg.norm(_basis(design(factors, k)).T @ units, axis=0)
    return np.minimum(out, 1.0)


def by_slot(scores: Floats, slots: Rows | None) -> Floats:
    """Return scores of things rather than codes, shape (D, S): where several codes stand for one thing, the best of them."""
    if slots is None:
        return scores
    return np.stack([scores[:, slots == s].max(axis=1) for s in range(int(slots.max()) + 1)], axis=1)


def unit_columns(columns: Floats) -> Floats:
    """Return centred columns of length 1; those that do not vary are 0."""
    centred = columns - columns.mean(axis=0)
    length = np.sqrt(np.einsum("ij,ij->j", centred, centred))
    there = length > 1e-12 * np.abs(columns).max(axis=0, initial=0.0) * np.sqrt(len(columns))
    return np.asarray(centred / np.where(there, length, np.inf))


def _basis(columns: Floats) -> Floats:
    """Return an orthonormal basis of the centred columns."""
    left, values, _ = np.linalg.svd(columns - columns.mean(axis=0), full_matrices=False)
    return np.asarray(left[:, values > 1e-10 * max(values[0], 1e-300)])


def matching(scores: Floats) -> list[tuple[int, int]]:
    """Return the pairs (factor, code) of the injective matching with the largest sum."""
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def matched_mean(scores: Floats, pairs: list[tuple[int, int]]) -> float:
    """Return the sum over matched pairs, divided by the number of factors: those without a code count 0."""
    if not len(scores):
        return 0.0
    return float(sum(scores[i, j] for i, j in pairs)) / len(scores)


def ranked(columns: Floats) -> Floats:
    """Return the ranks within every column."""
    return np.asarray(rankdata(columns, axis=0))


def functions_of(values: Floats, knots: int = 6) -> Floats:
    """Return columns of which functions of some values are combinations: of their levels if these are few, otherwise smooth ones."""
    different = np.unique(values)
    if len(different) <= LEVELS:
        return orthonormal((values[:, None] == different).astype(float))
    places = np.unique(np.quantile(values, np.linspace(0, 1, knots)))[:, None]
    return orthonormal(SplineTransformer(knots=places, degree=3).fit_transform(values[:, None]))


def orthonormal(columns: Floats) -> Floats:
    """Return orthonormal columns that span the same as these after centring."""
    left, values, _ = np.linalg.svd(columns - columns.mean(axis=0), full_matrices=False)
    return np.asarray(left[:, values > 1e-9 * max(values[0], 1e-300)])
