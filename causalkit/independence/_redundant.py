"""A look at the columns before they are tested: which of them say what others say.

If one column is a copy of another up to a little noise, or a total of others, or a number that others give after rounding, then given
those others it is independent of everything, whatever the graph: edges are missed, arrows are turned, and no p-value shows it. Such columns
are easily found beforehand, and only who knows the data can say which of them to keep.

Looked for are, among columns of numbers, sums and multiples (linear, and in logarithms for products and ratios), up to a share of variance of
0.001 or up to rounding; smooth and stepwise functions of one other column; and labels or numbers that other labels fix.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

from causalkit._validation import ColumnTypes, Floats, Table, read_table
from causalkit.exceptions import RedundantColumnWarning

__all__ = ["Redundancy", "redundant_columns", "warn_of_redundancy"]

Kind: TypeAlias = Literal["copy", "sum", "product", "function", "labels"]

TOLERANCE = 1e-3
# A total of more parts than this, or of more than one per so many rows, is what any regression finds by chance.
PARTS, ROWS_PER_PART, MANY = 12, 10, 60
MIN_ROWS = 20
# Rounding explains a deviation only where it is fine: units of this share of a standard deviation, summed over the parts.
FINE = 0.35
SHOWN, SCREEN = 6, 256
# What happens by chance more often than this proves nothing.
CHANCE = 1e-9


@dataclass(frozen=True)
class Redundancy:
    """A column that others give.

    Parameters
    ----------
    column : str
        The column.
    others : tuple of str
        The columns that give it.
    kind : {"copy", "sum", "product", "function", "labels"}
        How: a multiple of one, a sum of multiples, a product of powers, a function of one, or fixed by labels.
    unexplained : float
        Share of its variance that they leave.
    """

    column: str
    others: tuple[str, ...]
    kind: Kind
    unexplained: float

    @property
    def remedy(self) -> str:
        """What to do about it."""
        if len(self.others) == 1:
            return f"keep one of {self.column!r} and {self.others[0]!r}"
        return f"leave {self.column!r} or one of the others out, or test with SkipDetermined"

    @property
    def how(self) -> str:
        """In which way the others give it, in words."""
        others = ", ".join(map(repr, self.others))
        return {
            "copy": f"nearly a copy of {others}",
            "sum": f"nearly a weighted sum of {others}",
            "product": f"nearly a product of powers of {others}",
            "function": f"nearly a function of {others}",
            "labels": f"fixed by the labels of {others}",
        }[self.kind]

    def __str__(self) -> str:
        return f"{self.column!r} is {self.how}: {self.remedy}"


def redundant_columns(data: Any, *, column_types: ColumnTypes = None) -> tuple[Redundancy, ...]:
    """Return the columns that others give: copies, totals, products, functions, labels within labels.

    Parameters
    ----------
    data : array_like of shape (n, d) or data frame
        One row per observation. Fewer than 20 complete rows are not looked at.
    column_types : mapping or sequence, optional
        Types of columns; see `causalkit.independence.KCI`.

    Returns
    -------
    tuple of Redundancy
        One for each column that others give, in the order of columns. Of a sum every part is a sum too, and is named once, as the column
        that stands last.

    See Also
    --------
    equivalent_columns : Columns that are smooth functions of one another.
    SkipDetermined : A test that is not asked what it cannot know.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from causalkit.independence import redundant_columns
    >>> rng = np.random.default_rng(0)
    >>> kg, cm = rng.normal(75, 12, size=200), rng.normal(172, 9, size=200)
    >>> people = pd.DataFrame({"kg": kg, "cm": cm, "lb": (kg / 0.4536).round(), "bmi": kg / (cm / 100) ** 2})
    >>> for found in redundant_columns(people):
    ...     print(found)
    'lb' is nearly a copy of 'kg': keep one of 'lb' and 'kg'
    'bmi' is nearly a product of powers of 'kg', 'cm': leave 'bmi' or one of the others out, or test with SkipDetermined
    """
    table = read_table(data, column_types, missing="keep")
    whole = table.without_holes(table.complete(range(table.n_columns)))
    if whole.n_rows < MIN_ROWS:
        return ()
    return tuple(_look(whole))


def warn_of_redundancy(table: Table, what: str) -> None:
    """Warn of the columns of a table that others give; columns of one group may."""
    owner = {column: name for name, columns in table.groups.items() for column in columns}
    found = [
        r
        for r in redundant_columns(table)
        if not any(owner.get(r.column, r.column) == owner.get(other) for other in r.others)
    ]
    if found:
        shown = "; ".join(map(str, found[:SHOWN])) + (
            f"; and {len(found) - SHOWN} more" * (len(found) > SHOWN)
        )
        text = f"given the columns that fix it, a column is independent of everything, so that {what} may be wrong. {shown}"
        warnings.warn(text, RedundantColumnWarning, stacklevel=4)


def _look(table: Table) -> Iterator[Redundancy]:
    """Take the columns in their order, each against those before it that are not redundant themselves."""
    varying = [k for k in range(table.n_columns) if k not in set(table.constant_columns())]
    numbers = [k for k in varying if table.types[k] in ("continuous", "ordinal")]
    linear = _Fits(table.values[:, numbers])
    positive = [k for k in numbers if (table.values[:, k] > 0).all()]
    logs = _Fits(np.log(np.where(table.values > 0, table.values, 1.0))[:, positive])
    may = _candidates(table)
    kept: list[int] = []
    for k in varying:
        found = None
        if k in numbers:
            found = _combination(table, k, numbers, kept, linear, "sum")
        if found is None and k in positive:
            found = _combination(table, k, positive, kept, logs, "product")
        if found is None:
            found = _function(table, k, kept, may)
        if found is None:
            kept.append(k)
        else:
            yield found


class _Fits:
    """Regressions of columns on others, with what rounding may have done to them."""

    def __init__(self, values: Floats) -> None:
        self.values = values - values.mean(axis=0)
        self.scale = np.sqrt(np.square(self.values).mean(axis=0))
        self.units = np.array([_unit(column) for column in values.T])
        self._bound = self._least_shares()

    def _least_shares(self) -> Floats:
        """Return what all other columns leave of each: less is not possible. Where rows are too few for that, what the best one leaves."""
        n, d = self.values.shape
        z = self.values / np.where(self.scale > 0, self.scale, 1.0)
        correlation = z.T @ z / n
        if n >= ROWS_PER_PART * d:
            return np.asarray(1 / np.diagonal(linalg.inv(correlation + 1e-12 * np.eye(d))))
        if d <= MANY:
            return np.zeros(d)
        return np.asarray(1 - np.square(correlation - np.eye(d)).max(axis=1))

    def of(self, k: int, others: Sequence[int]) -> tuple[list[int], float] | None:
        """Return the others that give column k, and the share of variance that they leave; None if they do not."""
        loose = max(TOLERANCE, FINE**2 * bool(self.units.any()))
        if self._bound[k] > loose or not others:
            return None
        return self._few(k, others) or self._all(k, others)

    def _few(self, k: int, others: Sequence[int]) -> tuple[list[int], float] | None:
        """Add the column that helps most, one after the other."""
        most = min(PARTS if len(others) < MANY else 2, len(self.values) // ROWS_PER_PART, len(others))
        chosen: list[int] = []
        rest = self.values[:, k]
        while len(chosen) < most:
            pool = [g for g in others if g not in chosen]
            chosen.append(pool[int(np.abs(rest @ (self.values[:, pool] / self.scale[pool])).argmax())])
            share, rest, weights = self._fit(k, chosen)
            if share < TOLERANCE or self._rounded(k, chosen, weights, rest):
                return chosen, share
        return None

    def _all(self, k: int, others: Sequence[int]) -> tuple[list[int], float] | None:
        """Take all columns, and name those with a weight."""
        if len(self.values) < ROWS_PER_PART * len(others):
            return None
        share, _, weights = self._fit(k, list(others))
        heavy = np.abs(weights) * self.scale[list(others)] > 0.01 * self.scale[k]
        return ([g for g, h in zip(others, heavy, strict=True) if h], share) if share < TOLERANCE else None

    def _fit(self, k: int, chosen: list[int]) -> tuple[float, Floats, Floats]:
        target = self.values[:, k]
        weights = linalg.lstsq(self.values[:, chosen], target)[0]
        rest = target - self.values[:, chosen] @ weights
        freedom = len(rest) / (len(rest) - len(chosen))
        return float(np.square(rest).sum() / np.square(target).sum()) * freedom, rest, weights

    def _rounded(self, k: int, chosen: list[int], weights: Floats, rest: Floats) -> bool:
        """Whether rounding the columns to their units would explain every deviation."""
        slack = (self.units[k] + np.abs(weights) @ self.units[chosen]) / 2
        return bool(0 < slack <= FINE * self.scale[k] and np.abs(rest).max() <= 1.02 * slack)


def _unit(column: Floats) -> float:
    """Return the step in which a column is rounded; 0 if it has none that repeats."""
    levels = np.unique(column)
    if len(levels) < 2 or len(levels) > 0.9 * len(column):
        return 0.0
    gap = float(np.diff(levels).min())
    steps = (levels - levels[0]) / gap
    return gap if np.abs(steps - np.round(steps)).max() < 1e-6 * max(1.0, steps[-1]) else 0.0


def _combination(
    table: Table, k: int, columns: Sequence[int], kept: Sequence[int], fits: _Fits, kind: Kind
) -> Redundancy | None:
    """Return how a column is a sum, or in logarithms a product, of those before it."""
    place = {c: p for p, c in enumerate(columns)}
    found = fits.of(place[k], [place[c] for c in kept if c in place])
    if found is None:
        return None
    names = tuple(table.names[c] for c in sorted(columns[p] for p in found[0]))
    copy = len(names) == 1 and kind == "sum"
    return Redundancy(table.names[k], names, "copy" if copy else kind, found[1])


# -- functions of one column -----------------------------------------------------------------------------------------------------------


def _candidates(table: Table) -> NDArray[np.bool_]:
    """Return which columns (second) may be functions of which others (first), from some of the rows."""
    rows = np.linspace(0, table.n_rows - 1, min(table.n_rows, SCREEN)).astype(np.intp)
    values = table.take(rows).standardized()
    may = np.zeros((table.n_columns,) * 2, dtype=bool)
    for g in range(table.n_columns):
        ordered = values[np.argsort(values[:, g], kind="stable")]
        steps = np.diff(ordered, axis=0)
        small = np.square(steps).mean(axis=0) / 2 < 0.1
        may[g] = small | (np.count_nonzero(steps, axis=0) < len(rows) / 2)
    np.fill_diagonal(may, val=False)
    return may


def _function(table: Table, k: int, kept: Sequence[int], may: NDArray[np.bool_]) -> Redundancy | None:
    """Return how a column is a function of one of those before it, or gives it."""
    for g in kept:
        for target, source in ((k, g), (g, k)):
            share = _left_by(table, target, source) if may[source, target] else None
            if share is not None:
                kind: Kind = "labels" if table.types[source] == "categorical" else "function"
                return Redundancy(table.names[target], (table.names[source],), kind, share)
    return None


def _left_by(table: Table, target: int, source: int) -> float | None:
    """Return the share of the variance of a column that a function of another leaves, if that is next to nothing."""
    if table.types[source] in ("time", "cyclic") or table.types[target] in ("time", "cyclic"):
        return None
    if table.types[source] == "categorical":
        return _left_by_labels(table, target, source)
    order = np.lexsort((table.values[:, target], table.values[:, source]))
    along, ordered = table.values[order, source], table.values[order, target]
    if _in_runs(ordered):
        return 0.0
    return None if table.types[target] == "categorical" else _left_between(along, ordered)


def _in_runs(ordered: Floats) -> bool:
    """Whether every value stands in one run, and not by chance: a function in steps."""
    counts = np.unique(ordered, return_counts=True)[1]
    runs = 1 + np.count_nonzero(ordered[1:] != ordered[:-1])
    return runs == len(counts) and _chance_of_runs(counts) < CHANCE


def _left_between(along: Floats, ordered: Floats) -> float | None:
    """Return the share of variance that is left when each row is drawn between the rows before and after it."""
    gap = along[2:] - along[:-2]
    weight = np.where(gap > 0, (along[1:-1] - along[:-2]) / np.where(gap > 0, gap, 1.0), 0.5)
    error = ordered[1:-1] - ordered[:-2] - weight * (ordered[2:] - ordered[:-2])
    # Independent rows would leave this multiple of their variance.
    multiple = 1 + weight**2 + (1 - weight) ** 2
    share = float((np.square(error) / multiple).mean() / ordered.var())
    return share if share < TOLERANCE else None


def _chance_of_runs(counts: NDArray[np.intp]) -> float:
    """Return the probability that every value stands in one run, in an order at random."""
    n = int(counts.sum())
    return float(
        np.exp(special.gammaln(len(counts) + 1) + special.gammaln(counts + 1).sum() - special.gammaln(n + 1))
    )


def _left_by_labels(table: Table, target: int, source: int) -> float | None:
    """Return 0 if every label goes with one value, and not by chance."""
    codes = np.unique(table.values[:, source], return_inverse=True)[1].ravel()
    values, place = np.unique(table.values[:, target], return_inverse=True)
    if len(np.unique(codes * len(values) + place.ravel())) > codes.max() + 1:
        return None
    shares = np.bincount(place.ravel()) / len(codes)
    chance = np.log([np.sum(shares**size) for size in np.bincount(codes)]).sum()
    return 0.0 if chance < np.log(CHANCE) else None
