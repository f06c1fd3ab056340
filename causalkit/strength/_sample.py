"""The columns that an effect is estimated from: arms, outcome and what is adjusted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from causalkit._validation import ColumnTypes, Table, open_frame, read_table
from causalkit.exceptions import DataError, ParameterError, PositivityError

Floats = NDArray[np.float64]
MANY_LEVELS = 20


@dataclass(frozen=True)
class Sample:
    """Rows ready for an estimator.

    Parameters
    ----------
    dose : numpy.ndarray of float, shape (n,)
        Value of the cause; codes of labels.
    arm : numpy.ndarray of int, shape (n,)
        1 where the cause has the treated value, 0 where it has the control value, -1 elsewhere.
    outcome : numpy.ndarray of float, shape (n,)
        The number whose mean is asked for: 0 or 1 for an event.
    is_event : bool
        Whether the outcome is 0 or 1.
    adjust : Table
        The columns adjusted for.
    doses : tuple of float
        Control and treated value as in `dose`.
    covariates : numpy.ndarray of float, shape (n, p)
        Columns for models: standardised numbers, one 0/1 column per level but the first. Parts of a sample keep those of the whole.
    dose_is_number : bool, default=True
        False for a cause with labels.
    clusters : numpy.ndarray of int, shape (n,), or None
        Number of the cluster of every row, from 0; None if every row stands for itself.
    """

    dose: Floats
    arm: NDArray[np.intp]
    outcome: Floats
    is_event: bool
    adjust: Table
    doses: tuple[float, float]
    covariates: Floats
    dose_is_number: bool = True
    clusters: NDArray[np.intp] | None = None

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.arm)

    @property
    def has_both_arms(self) -> bool:
        """Whether two rows at least have either of the compared values."""
        return min(int((self.arm == a).sum()) for a in (0, 1)) > 1

    def require_both_arms(self) -> None:
        """Raise unless either of the compared values occurs."""
        for a, name in ((0, "control"), (1, "treated")):
            if not (self.arm == a).any():
                raise PositivityError(f"no row has the {name} value of the cause; check cause_values=")

    @cached_property
    def strata(self) -> NDArray[np.intp]:
        """Number of the combination of values that each row has, from 0."""
        if not self.adjust.n_columns:
            return np.zeros(self.n, dtype=np.intp)
        _, codes = np.unique(self.adjust.values, axis=0, return_inverse=True)
        return codes.reshape(-1)

    @property
    def is_discrete(self) -> bool:
        """Whether every column adjusted for has at most twenty different values, and fewer than every other row has its own."""
        most = min(MANY_LEVELS, max(2, self.n // 2))
        return all(len(np.unique(column)) <= most for column in self.adjust.values.T)

    def take(self, rows: NDArray[Any]) -> Sample:
        """Return some of the rows, as often as they are named."""
        return replace(
            self,
            dose=self.dose[rows],
            arm=self.arm[rows],
            outcome=self.outcome[rows],
            adjust=self.adjust.take(rows),
            covariates=self.covariates[rows],
            clusters=None if self.clusters is None else self.clusters[rows],
        )


def read_columns_of(data: Any, names: Sequence[str], nodes: Sequence[str], types: ColumnTypes) -> Table:
    """Read only the columns that are needed, so that others may hold anything."""
    if nw.dependencies.is_into_dataframe(data):
        frame = open_frame(data)
        missing = [name for name in names if name not in frame.columns]
        if missing:
            raise DataError(f"the data have no column {missing[0]!r}; the graph needs columns {list(names)}")
        used = {name: types[name] for name in names if name in types} if isinstance(types, dict) else types
        return read_table(frame.select(list(dict.fromkeys(names))).to_native(), used)
    table = read_table(data, types, names=nodes)
    return table.select([table.index(name) for name in names])


def make_sample(
    table: Table,
    cause: str,
    effect: str,
    adjust: Sequence[str],
    cause_values: tuple[Any, Any] | None,
    effect_value: Any,
    clusters: str | None = None,
) -> Sample:
    """Read arms, outcome and clusters."""
    dose = table.values[:, table.index(cause)]
    low, high = _pair(table, cause, cause_values)
    arm = np.where(dose == high, 1, np.where(dose == low, 0, -1))
    outcome, is_event = _outcome(table, effect, effect_value)
    chosen = table.select([table.index(name) for name in adjust])
    is_number = cause not in table.levels
    groups = None
    if clusters is not None:
        groups = np.unique(table.values[:, table.index(clusters)], return_inverse=True)[1].reshape(-1)
        if groups.max(initial=0) < 1:
            raise ParameterError("all rows are in one cluster, so that nothing can be said about uncertainty")
    return Sample(dose, arm, outcome, is_event, chosen, (low, high), covariates_of(chosen), is_number, groups)


def covariates_of(table: Table) -> Floats:
    """Return columns for models: standardised numbers, and one 0/1 column per label but the first."""
    parts = [np.zeros((table.n_rows, 0))]
    numbers = [k for k, kind in enumerate(table.types) if kind != "categorical"]
    if numbers:
        parts.append(table.select(numbers).standardized())
    for k, kind in enumerate(table.types):
        if kind == "categorical":
            count = len(np.unique(table.values[:, k]))
            if count > max(table.n_rows / 2, MANY_LEVELS):
                raise PositivityError(
                    f"column {table.names[k]!r} has {count} labels in {table.n_rows} rows; adjusting for it leaves nothing to compare"
                )
            parts.append((table.values[:, [k]] == np.unique(table.values[:, k])[1:]).astype(float))
    return np.hstack(parts)


def _pair(table: Table, name: str, values: tuple[Any, Any] | None) -> tuple[float, float]:
    """Return control and treated value as numbers of the table."""
    if values is None:
        found = table.levels.get(name, tuple(np.unique(table.values[:, table.index(name)])[:3].tolist()))
        if list(found) not in ([0, 1], [False, True]):
            raise ParameterError(
                f"cause {name!r} is not 0/1 or False/True (it has {_some(found)}); say which values to compare with "
                "cause_values=(control, treated)"
            )
        return 0.0, 1.0
    low, high = values
    if low == high:
        raise ParameterError(f"cause_values compares {low!r} with itself; give two different values")
    return _code(table, name, low), _code(table, name, high)


def _outcome(table: Table, name: str, value: Any) -> tuple[Floats, bool]:
    column = table.values[:, table.index(name)]
    if value is not None:
        event = column == _code(table, name, value)
        if name not in table.levels and not event.any():
            raise ParameterError(f"effect_value={value!r} never occurs in the column {name!r}")
        return event.astype(float), True
    levels = table.levels.get(name)
    if levels is not None and list(levels) != [False, True]:
        raise ParameterError(
            f"effect {name!r} has labels {_some(levels)}; say whose probability is asked for with effect_value="
        )
    return column, bool(np.isin(column, (0.0, 1.0)).all())


def _code(table: Table, name: str, value: Any) -> float:
    """Return the number that stands for a value in a column."""
    levels = table.levels.get(name)
    if levels is not None:
        if value not in levels:
            text = f"; labels are text here: write {str(value)!r}" if str(value) in levels else ""
            raise ParameterError(
                f"{value!r} is not a value of {name!r}; its values are {_some(levels)}{text}"
            )
        return float(levels.index(value))
    if isinstance(value, str) or not np.isscalar(value):
        raise ParameterError(f"{value!r} is not a number, and {name!r} is a column of numbers")
    return float(value)  # type: ignore[arg-type]


def _some(values: Sequence[Any]) -> str:
    return ", ".join(map(repr, values[:8])) + (", ..." if len(values) > 8 else "")
