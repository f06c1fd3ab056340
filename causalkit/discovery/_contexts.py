"""Contexts: what changes the mechanisms. Which rows share a context, and how similar two contexts are."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from causalkit._validation import (
    ColumnType,
    ColumnTypes,
    Floats,
    Table,
    check_same_index,
    read_columns,
    read_table,
)
from causalkit.exceptions import ColumnTypeWarning, DataError, ParameterError
from causalkit.independence import Circle, Delta, Gaussian
from causalkit.independence._kernel_factory import PHASE_PER_TIME


@dataclass(frozen=True)
class ContextPoints:
    """The different contexts of a data set.

    Parameters
    ----------
    values : numpy.ndarray, shape (m, k)
        The m different contexts; labels as codes, time standardised.
    rows : numpy.ndarray of int, shape (n,)
        Which context each row has.
    types : tuple of str
        Types of the k columns; cyclic ones hold phases.
    source : Table or None
        The contexts as they were given, to read others in the same units.
    """

    values: Floats
    rows: NDArray[np.intp]
    types: tuple[str, ...]
    source: Table | None = None

    @classmethod
    def of(cls, table: Table) -> ContextPoints:
        """Find the different contexts of a table of contexts."""
        labels = np.array([kind in ("categorical", "cyclic") for kind in table.types])
        columns = np.where(labels, table.values, table.standardized())
        values, rows = np.unique(columns, axis=0, return_inverse=True)
        return cls(values, rows.ravel(), table.types, table)

    def take(self, rows: NDArray[np.bool_]) -> ContextPoints:
        """Return the contexts of some rows, in units of their own."""
        if rows.all() or self.source is None:
            return self
        return ContextPoints.of(self.source.take(rows))

    def read(self, context: Any) -> ContextPoints:
        """Read other contexts in the units of these: labels by their names, numbers with the same mean and scale."""
        return self.convert(read_context(context, self._known().declared()))

    def convert(self, given: Table) -> ContextPoints:
        """Turn a table of contexts of the same types into the units of these."""
        source, columns = self._known(), []
        for k, (name, kind) in enumerate(zip(source.names, source.types, strict=True)):
            column = given.values[:, k]
            if kind == "categorical":
                columns.append(_codes(given.levels[given.names[k]], column, source.levels[name], name))
            elif kind == "cyclic":
                columns.append(column)
            else:
                known = source.values[:, k]
                scale = known.std(ddof=1) if len(known) > 1 else 0.0
                columns.append((column - known.mean()) / (scale or 1.0))
        return ContextPoints(np.column_stack(columns), np.arange(given.n_rows), self.types, source)

    def _known(self) -> Table:
        if self.source is None:
            raise DataError("these contexts were given without their source, so that others cannot be read")
        return self.source

    @property
    def is_domain(self) -> bool:
        """Whether all context columns are labels."""
        return all(kind == "categorical" for kind in self.types)

    @property
    def counts(self) -> NDArray[np.intp]:
        """Number of rows in each context."""
        return np.bincount(self.rows, minlength=len(self.values))

    @property
    def labels(self) -> list[int]:
        """Positions of the columns that are labels."""
        return [k for k, kind in enumerate(self.types) if kind == "categorical"]

    @property
    def domains(self) -> NDArray[np.intp]:
        """The combination of labels of each row, numbered from 0; all 0 without labels."""
        numbers = np.unique(self.values[:, self.labels], axis=0, return_inverse=True)[1]
        return np.asarray(numbers.ravel()[self.rows])

    @property
    def along(self) -> Floats:
        """Where each row stands in the order of contexts, in the units of the leading column."""
        return np.asarray(self.values[self.rows, self.leading_column()])

    def leading_column(self) -> int:
        """Return the position of the column that orders the contexts: the first time, else the first number, else the first phase."""
        for kinds in (("time",), ("continuous", "ordinal"), ("cyclic",)):
            found = [k for k, kind in enumerate(self.types) if kind in kinds]
            if found:
                return found[0]
        raise ParameterError("domains have no order")

    def kernel(self, width: float, others: Floats | None = None) -> Floats:
        """Return the kernel between contexts, delta for labels and Gaussian of the given width for the rest: (m, m), or (m, k) with others."""
        ends = self.values if others is None else others
        labels = self.labels
        phases = [k for k, kind in enumerate(self.types) if kind == "cyclic"]
        numbers = [k for k in range(len(self.types)) if k not in labels + phases]
        gram = np.ones((len(self.values), len(ends)))
        if numbers:
            gram = Gaussian(width)(self.values[:, numbers], ends[:, numbers])
        for k in phases:
            gram = gram * Circle(PHASE_PER_TIME * width)(self.values[:, [k]], ends[:, [k]])
        return gram * Delta()(self.values[:, labels], ends[:, labels]) if labels else gram


def _codes(levels: tuple[Any, ...], codes: Floats, known: tuple[Any, ...], name: str) -> Floats:
    """Translate codes of labels into those of known labels."""
    unknown = [level for level in levels if level not in known]
    if unknown:
        raise DataError(
            f"{unknown[0]!r} is no {name} of the data; known are {', '.join(map(repr, known[:8]))}"
        )
    return np.asarray(np.array([known.index(level) for level in levels], dtype=np.float64)[codes.astype(int)])


def split_context(
    data: Any, context: Any, column_types: ColumnTypes, missing: Literal["error", "keep"] = "error"
) -> tuple[Table, Table]:
    """Read data and context into two tables.

    `context` is None (the row number is time), the name or names of columns of the data, or an array or frame of its own. Contexts must
    be there for every row.
    """
    if context is None:
        table = read_table(data, column_types, missing=missing)
        time = np.arange(table.n_rows, dtype=np.float64)[:, None]
        return table, Table((_free_name("time", table),), time, ("time",))
    if np.ndim(context) == 0 and not isinstance(context, str):
        raise ParameterError(_one_column(data, context))
    names = context_names(context, n_rows=len(data) if hasattr(data, "__len__") else 0)
    if names is not None:
        table = read_table(data, column_types, missing=missing)
        _refuse_holes(table, names)
        inside = [table.index(name) for name in names]
        outside = [k for k in range(table.n_columns) if k not in inside]
        if not outside:
            raise DataError("all columns are contexts; at least one variable must remain")
        return table.select(outside), as_context(table.select(inside))
    check_same_index(data, context)
    if not isinstance(column_types, Mapping):
        return read_table(data, column_types, missing=missing), as_context(read_context(context))
    labels = _labels(context)
    inner = {name: kind for name, kind in column_types.items() if name in labels}
    outer = {name: kind for name, kind in column_types.items() if name not in labels}
    return read_table(data, outer, missing=missing), as_context(read_context(context, inner))


def _one_column(data: Any, context: Any) -> str:
    """Say how a context is given that was given as a number."""
    start = f"context={context!r} names no column: names are text"
    if hasattr(data, "columns") or np.ndim(data) != 2:
        return f"{start}, or the contexts themselves are given, one per row"
    return f"{start}. The columns of an array have none: give the contexts themselves, as in fit(numpy.delete(X, {context!r}, axis=1), context=X[:, {context!r}])"


def _refuse_holes(table: Table, names: list[str]) -> None:
    for name in names:
        rows = ~table.complete([table.index(name)])
        if rows.any():
            raise DataError(
                f"context {name!r} is missing in {rows.sum()} rows; every row needs its context: drop these rows, or give them a label of their own"
            )


def context_names(context: Any, n_rows: int) -> list[str] | None:
    """Return column names if that is what the context is; a list with one text per row is the contexts themselves."""
    if isinstance(context, str):
        return [context]
    if (
        isinstance(context, list | tuple)
        and 0 < len(context) != n_rows
        and all(isinstance(name, str) for name in context)
    ):
        return list(context)
    return None


def read_context(context: Any, column_types: ColumnTypes = None) -> Table:
    """Read contexts that are not columns of the data: an array, a series or a data frame."""
    return read_columns(context, _labels(context), column_types)


def _labels(context: Any) -> list[str]:
    """Return the names of the columns of a context; unnamed ones are called ``context``, or ``context1, context2, ...``."""
    if nw.dependencies.is_into_dataframe(context):
        return [str(name) for name in nw.from_native(context, eager_only=True).columns]
    if nw.dependencies.is_into_series(context):
        return [str(nw.from_native(context, series_only=True).name or "context")]
    shape = np.shape(context)
    return ["context"] if len(shape) < 2 or shape[1] == 1 else [f"context{k + 1}" for k in range(shape[1])]


def _free_name(name: str, table: Table) -> str:
    while name in table.names:
        name = f"{name}_"
    return name


def as_context(table: Table) -> Table:
    """Read numeric contexts as time, and warn where they look like the numbers of domains; refuse labels that most rows have alone."""
    _refuse_lone_labels(table)
    labels = [k for k, kind in enumerate(table.types) if kind == "categorical"]
    for k, (name, kind) in enumerate(zip(table.names, table.types, strict=True)):
        column = table.values[:, k]
        different = len(np.unique(column))
        # Times that come once in each domain are times, however many domains there are.
        places = len(np.unique(table.values[:, [*labels, k]], axis=0))
        numbered = np.array_equal(column, np.round(column)) and places <= table.n_rows // 2
        if kind == "continuous" and name in table.inferred and numbered and different > 1:
            text = (
                f"context {name!r} holds {different} different whole numbers and is read as time. If they are labels of domains, "
                f"declare column_types={{{name!r}: 'categorical'}}; if they are times, declare 'time' to silence this warning"
            )
            warnings.warn(text, ColumnTypeWarning, stacklevel=4)
    types: tuple[ColumnType, ...] = tuple("time" if kind == "continuous" else kind for kind in table.types)
    return replace(table, types=types)


def _refuse_lone_labels(table: Table) -> None:
    """Refuse domains of one row each: a date that was not understood, or the number of a row."""
    if table.n_rows < 2 or any(kind != "categorical" for kind in table.types):
        return
    counts = np.unique(table.values, axis=0, return_counts=True)[1]
    if (counts == 1).sum() <= table.n_rows / 2:
        return
    name = table.names[0]
    shown = ", ".join(repr(level) for level in table.levels[name][:3])
    raise DataError(
        f"the contexts {', '.join(map(repr, table.names))} have {len(counts)} different labels in {table.n_rows} rows ({shown}, ...): a domain needs several rows. If they are "
        f"times, give them as dates or numbers; dates are understood as 1959-03-31, 1959-03, 1959Q2, 31.03.1959 or 31 Mar 1959. If they only number the rows, leave column {name!r} out"
    )


def in_order(table: Table) -> Table:
    """Return contexts of which all that are no labels count as time: what drifts along them is no function of them."""
    types: tuple[ColumnType, ...] = tuple(
        "categorical" if kind == "categorical" else "time" for kind in table.types
    )
    return replace(table, types=types)
