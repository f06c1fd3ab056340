r"""Deterministic relations: where they are, and tests that are not asked what they cannot know.

If Z determines X, then X is independent of everything given Z, whatever the graph. A search that believes such a test removes edges that are there
(unfaithfulness by determinism). So a test of X against Y given Z is skipped, and the edge stays, where X or Y is a function of Z. Columns that are functions
of each other cannot be told apart by any test; they form a class, of which a search takes one.

Whether X is a function of Z is read off the data: the share of its variance that a smooth regression on Z leaves unexplained, row by row
without the row itself,

.. math:: u(X, Z) = \frac{\sum_i (x_i - \hat x_{-i}(z_i))^2}{\sum_i (x_i - \bar x)^2} .
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from scipy import linalg
from scipy.spatial.distance import cdist

from causalkit._validation import ColumnTypes, Floats, Table, check_between, read_table
from causalkit.exceptions import ParameterError
from causalkit.independence._base import CITest, FittedTest, Triple, get_test
from causalkit.independence._kernels import on_circle
from causalkit.independence._result import TestResult

__all__ = ["SkipDetermined", "equivalent_columns", "unexplained_share"]

Given: TypeAlias = tuple[int, ...]
ROWS, LANDMARKS = 2000, 300
# Tables with fewer different rows are of labels, whose repetitions count; of others a repeated row would predict itself.
FEW = 50
# Widths in medians of the distances, and ridges as shares of the number of rows.
WIDTHS = (1.0, 4.0)
RIDGES = 10.0 ** np.arange(-10, 1)


class Determination:
    """Says of columns of a table how far they are from being functions of others."""

    def __init__(self, table: Table) -> None:
        once = np.sort(np.unique(table.values, axis=0, return_index=True)[1])
        if len(once) < FEW:
            once = np.arange(table.n_rows)
        rows = once[np.linspace(0, len(once) - 1, min(len(once), ROWS)).astype(np.intp)]
        self._table = table.take(rows)
        self.constant = set(self._table.constant_columns())
        self._smoothers: dict[Given, list[tuple[Floats, Floats]]] = {}
        self._shares: dict[tuple[int, Given], float] = {}

    def unexplained(self, k: int, given: Sequence[int]) -> float:
        """Return the share of the variance of column k that a regression on others leaves unexplained."""
        key = (k, tuple(sorted(given)))
        if key not in self._shares:
            self._shares[key] = self._measure(*key)
        return self._shares[key]

    def _measure(self, k: int, given: Given) -> float:
        varying = tuple(g for g in given if g not in self.constant)
        if k in self.constant or not varying:
            return 0.0 if k in self.constant else 1.0
        target = standing_columns(self._table, k)
        target = target - target.mean(axis=0)
        left = min(_left_out(basis, values, target) for basis, values in self._smoother(varying))
        return float(left / np.square(target).sum())

    def _smoother(self, given: Given) -> list[tuple[Floats, Floats]]:
        """Return orthonormal bases of smooth functions of some columns, with the weight of each direction, for every width."""
        if given not in self._smoothers:
            places = np.hstack([_scaled(standing_columns(self._table, g)) for g in given])
            self._smoothers[given] = [_basis(places, width) for width in WIDTHS]
        return self._smoothers[given]


def standing_columns(table: Table, k: int) -> Floats:
    """Return the columns that stand for a variable: cosine and sine of a phase, indicators of labels."""
    column = table.values[:, k]
    if table.types[k] == "cyclic":
        return np.asarray(on_circle(column[:, None]))
    if table.types[k] == "categorical":
        return np.asarray(column[:, None] == np.unique(column), dtype=float)
    return column[:, None]


def _scaled(columns: Floats) -> Floats:
    centred = columns - columns.mean(axis=0)
    return np.asarray(centred / (np.sqrt(np.square(centred).sum(axis=1).mean()) or 1.0))


def _basis(places: Floats, width: float) -> tuple[Floats, Floats]:
    """Return left singular vectors and squared singular values of the columns and Gaussian functions around some rows."""
    some = places[np.linspace(0, len(places) - 1, min(len(places), LANDMARKS)).astype(np.intp)]
    distances = cdist(some, some)
    scale = width * (float(np.median(distances[distances > 0])) if (distances > 0).any() else 1.0)
    root = linalg.cholesky(np.exp(-0.5 * (distances / scale) ** 2) + 1e-9 * np.eye(len(some)), lower=True)
    bumps = linalg.solve_triangular(root, np.exp(-0.5 * (cdist(some, places) / scale) ** 2), lower=True).T
    features = np.hstack([places, bumps])
    left, values, _ = linalg.svd(features - features.mean(axis=0), full_matrices=False)
    kept = values > 1e-7 * max(values[0], 1e-300)
    return left[:, kept], values[kept] ** 2


def _left_out(basis: Floats, values: Floats, target: Floats) -> float:
    """Return the smallest sum of squared errors over ridges, each row predicted without itself."""
    shrink = values / (values + RIDGES[:, None] * len(target))
    leverage = np.square(basis) @ shrink.T + 1 / len(target)
    inside = basis.T @ target
    errors = [
        np.square((target - basis @ (s[:, None] * inside)) / np.maximum(1 - h, 1e-12)[:, None]).sum()
        for s, h in zip(shrink, leverage.T, strict=True)
    ]
    return float(min(errors))


def unexplained_share(
    data: Any, target: int, given: Sequence[int], *, column_types: ColumnTypes = None
) -> float:
    """Return how far a column is from being a function of others.

    Parameters
    ----------
    data : array_like of shape (n, d) or data frame
        One row per observation.
    target : int
        Position of the column.
    given : sequence of int
        Positions of the others.
    column_types : mapping or sequence, optional
        Types of columns; see `causalkit.independence.KCI`.

    Returns
    -------
    float
        Share of the variance of `target` that a smooth regression on `given` leaves, each row predicted without itself: near 0 for a function, about 1, or a
        little more, where there is nothing to learn. Of more than 2,000 rows, 2,000 are looked at.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import unexplained_share
    >>> a, b = np.random.default_rng(0).uniform(1, 2, size=(2, 300))
    >>> data = np.column_stack([a, b, a * b])
    >>> unexplained_share(data, 2, [0, 1]) < 1e-6, unexplained_share(data, 2, [0]) > 0.1
    (True, True)
    """
    table = read_table(data, column_types)
    members: list[Any] = [target, *given]
    for k in members:
        if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 0 <= k < table.n_columns:
            raise ParameterError(
                f"column {k!r} does not exist; columns are numbered 0 to {table.n_columns - 1}"
            )
    if target in given:
        raise ParameterError(f"column {target} is the target and given; they must be different")
    return Determination(table).unexplained(int(target), [int(k) for k in given])


def equivalent_columns(
    data: Any, *, tolerance: float = 1e-3, column_types: ColumnTypes = None
) -> tuple[tuple[str, ...], ...]:
    """Return the classes of columns that are functions of each other.

    No test of independence can tell the members of a class apart: what depends on one depends on all.

    Parameters
    ----------
    data : array_like of shape (n, d) or data frame
        One row per observation.
    tolerance : float, default=1e-3
        Largest unexplained share of variance of a function; see :func:`unexplained_share`.
    column_types : mapping or sequence, optional
        Types of columns; see `causalkit.independence.KCI`.

    Returns
    -------
    tuple of tuple of str
        Names, in the order of columns; columns alone in their class are classes of one.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import equivalent_columns
    >>> a, b = np.random.default_rng(0).uniform(1, 2, size=(2, 300))
    >>> equivalent_columns(np.column_stack([a, b, 1 / a]))
    (('X1', 'X3'), ('X2',))
    """
    check_between("tolerance", tolerance, 0, 1)
    table = read_table(data, column_types)
    known, classes = Determination(table), list[list[int]]()
    for k in range(table.n_columns):
        for members in classes:
            if max(known.unexplained(k, members[:1]), known.unexplained(members[0], [k])) < tolerance:
                members.append(k)
                break
        else:
            classes.append([k])
    return tuple(tuple(table.names[k] for k in members) for members in classes)


class SkipDetermined(FittedTest):
    """Any test, skipped where one side is a function of the conditioning set.

    Parameters
    ----------
    test : str or CITest, default="kci"
        The test.
    tolerance : float, default=1e-3
        Largest unexplained share of variance of a function; see :func:`unexplained_share`.
    column_types : mapping or sequence, optional
        Types of columns; see `KCI`.

    Attributes
    ----------
    skipped_ : dict of (str, tuple of str) to float
        Columns that were found to be functions of conditioning sets, with their unexplained shares.

    Notes
    -----
    Give each observation once: views of one instance, beside a column that tells them apart, look like functions. (Rows that are equal in all columns are looked at once.)

    A skipped test has p-value 0 and says so in its ``note``: a search keeps the edge, which no test has then seen. Edges may remain that a cause and a
    function of it would share; what cannot be known is not removed. Columns that are functions of each other should be reduced to one before
    (:func:`equivalent_columns`).

    References
    ----------
    D. Geiger, T. Verma, J. Pearl, "Identifying independence in Bayesian networks", Networks 20, 1990 (D-separation, for nodes that are functions of others).
    C. Glymour, "Learning the structure of deterministic systems", in "Causal Learning", Oxford, 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.discovery import PC
    >>> from causalkit.independence import SkipDetermined
    >>> h, r, k = np.random.default_rng(0).uniform(1, 2, size=(3, 300))
    >>> m = h * r**2
    >>> data = {"h": h, "r": r, "m": m, "k": k, "l": m / k}
    >>> import pandas as pd
    >>> print(PC(ci_test=SkipDetermined("kci")).fit(pd.DataFrame(data)).graph_)
    h, r, m, k, l; h -> m; r -> m; m -> l; k -> l
    """

    minds_redundancy = True

    def __init__(
        self, test: str | CITest = "kci", *, tolerance: float = 1e-3, column_types: ColumnTypes = None
    ) -> None:
        self.test = test
        self.tolerance = tolerance
        self.column_types = column_types

    def _prepare(self) -> None:
        check_between("tolerance", self.tolerance, 0, 1)
        self._inner = get_test(self.test).fit(self.table_)
        self._known = Determination(self.table_)
        self.skipped_: dict[tuple[str, tuple[str, ...]], float] = {}

    def batch(self, triples: Iterable[Triple]) -> list[TestResult]:
        """Test many triples; those that the data cannot answer are skipped.

        Parameters
        ----------
        triples : iterable of (int, int, tuple of int)
            The tests to do.

        Returns
        -------
        list of TestResult
            In the order of the triples.
        """
        checked = [self._check(*triple) for triple in triples]
        notes = [self._reason(*triple) for triple in checked]
        asked = [t for t, note in zip(checked, notes, strict=True) if not note]
        answers = iter(self._inner.batch(asked) if asked else [])
        return [next(answers) if not note else _skipped(self.table_.n_rows, note) for note in notes]

    def _test(self, i: int, j: int, given: tuple[int, ...]) -> TestResult:
        return self.batch([(i, j, given)])[0]

    def _reason(self, i: int, j: int, given: Given) -> str:
        """Return why a test is skipped; empty if it is not."""
        for k in sorted({i, j} - self._known.constant) if given else ():
            share = self._known.unexplained(k, given)
            if share < self.tolerance:
                name, others = self.table_.names[k], tuple(self.table_.names[g] for g in given)
                self.skipped_[name, others] = share
                return f"skipped: {name} is a function of {', '.join(others)}"
        return ""


def _skipped(n: int, note: str) -> TestResult:
    return TestResult(float("inf"), 0.0, -float("inf"), n, note=note)
