"""Data in: arrays and data frames of any library become one checked table of numbers with typed, named columns.

The type of a column decides which kernel or test fits it. A label is never a number: category, string and boolean columns
are categorical, dates are time, everything else is continuous. What was inferred stays visible on the table, and every
type can be declared instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from causalkit._validation._columns import is_missing, numbers_column, read_column
from causalkit._validation._types import PLAIN_TYPES, ColumnType, ColumnTypes, Cyclic, Declared, Floats
from causalkit.exceptions import DataError, DataTypeError, ParameterError


@dataclass(frozen=True)
class Table:
    """Columns of numbers with names and types.

    Parameters
    ----------
    names : tuple of str
        Names of the d columns.
    values : numpy.ndarray, shape (n, d)
        Finite numbers; categorical columns hold codes 0, 1, ... of their sorted levels, cyclic ones phases from 0 to 1.
    types : tuple of str
        ``"continuous"``, ``"categorical"``, ``"ordinal"``, ``"time"`` or ``"cyclic"`` for each column.
    inferred : frozenset of str
        Names of the columns whose type was not declared.
    levels : mapping of str to tuple
        Levels of the categorical columns, in the order of their codes.
    missing : numpy.ndarray of bool, shape (n, d), or None
        Which entries are missing; they hold another value of their column. None if none is.
    periods : mapping of str to float
        Periods of the cyclic columns.
    groups : mapping of str to tuple of str
        Columns that are one variable together.
    """

    names: tuple[str, ...]
    values: Floats
    types: tuple[ColumnType, ...]
    inferred: frozenset[str] = frozenset()
    levels: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    missing: NDArray[np.bool_] | None = None
    periods: Mapping[str, float] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.values)

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self.names)

    def index(self, name: str) -> int:
        """Return the position of a column."""
        try:
            return self.names.index(name)
        except ValueError:
            raise DataError(f"there is no column {name!r}; the columns are {_some(self.names)}") from None

    def positions(self, name: str) -> tuple[int, ...]:
        """Return the positions of the columns of a variable: one, or those of a group."""
        return tuple(self.index(column) for column in self.groups.get(name, (name,)))

    def grouped(self, groups: Mapping[str, Sequence[str]] | None) -> Table:
        """Declare groups of columns, checked."""
        found: dict[str, tuple[str, ...]] = {}
        taken: dict[str, str] = {}
        for name, members in (groups or {}).items():
            columns = (members,) if isinstance(members, str) else tuple(members)
            if not columns:
                raise ParameterError(f"group {name!r} has no columns")
            for column in columns:
                self.index(column)
                if taken.setdefault(column, name) != name or columns.count(column) > 1:
                    raise ParameterError(
                        f"column {column!r} is named twice in groups; a column belongs to one group"
                    )
            found[str(name)] = columns
        clash = [name for name in found if name in self.names and name not in found[name]]
        if clash:
            raise ParameterError(f"group {clash[0]!r} has the name of a column that is not in it; rename it")
        return replace(self, groups=found)

    def nodes(self) -> Table:
        """Return one column per variable, a group standing where its first column stands; values are those of that column."""
        if not self.groups:
            return self
        owner = {column: name for name, columns in self.groups.items() for column in columns}
        names = list(dict.fromkeys(owner.get(name, name) for name in self.names))
        places = [self.positions(name) for name in names]
        kinds = [{self.types[k] for k in block} for block in places]
        types = tuple(next(iter(k)) if len(k) == 1 else "continuous" for k in kinds)
        return Table(tuple(names), self.values[:, [block[0] for block in places]], types)

    def select(self, columns: Sequence[int]) -> Table:
        """Return some of the columns, in the order given."""
        names = tuple(self.names[k] for k in columns)
        return Table(
            names,
            self.values[:, list(columns)],
            tuple(self.types[k] for k in columns),
            self.inferred & set(names),
            {name: self.levels[name] for name in names if name in self.levels},
            None if self.missing is None else self.missing[:, list(columns)],
            {name: self.periods[name] for name in names if name in self.periods},
        )

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Table:
        """Return some of the rows."""
        missing = None if self.missing is None else self.missing[rows]
        return replace(self, values=self.values[rows], missing=missing)

    def complete(self, columns: Sequence[int]) -> NDArray[np.bool_]:
        """Return which rows have no missing entry in some columns, shape (n,)."""
        if self.missing is None:
            return np.ones(self.n_rows, dtype=bool)
        return np.asarray(~self.missing[:, list(columns)].any(axis=1))

    def without_holes(self, rows: NDArray[np.bool_]) -> Table:
        """Return some of the rows, of which nothing is missing in the columns that are looked at."""
        return replace(self.take(rows), missing=None)

    def complete_for(self, names: Iterable[str]) -> tuple[NDArray[np.bool_], Table]:
        """Return which rows are complete in all columns of some variables, and a table of these rows."""
        rows = self.complete([k for name in names for k in self.positions(name)])
        return rows, self if rows.all() else self.without_holes(rows)

    def join(self, other: Table) -> Table:
        """Return the columns of both tables side by side."""
        twice = [name for name in other.names if name in self.names]
        if twice:
            raise DataError(f"column {twice[0]!r} occurs twice; rename one of them")
        if other.n_rows != self.n_rows:
            raise DataError(
                f"the context has {other.n_rows} rows and the data have {self.n_rows}; give one context per row"
            )
        return Table(
            self.names + other.names,
            np.hstack([self.values, other.values]),
            self.types + other.types,
            self.inferred | other.inferred,
            {**self.levels, **other.levels},
            _beside(self, other),
            {**self.periods, **other.periods},
            {**self.groups, **other.groups},
        )

    def declared(self) -> list[Declared]:
        """Return the types of the columns as they would be declared."""
        return [
            Cyclic(self.periods[name]) if kind == "cyclic" else kind
            for name, kind in zip(self.names, self.types, strict=True)
        ]

    def constant_columns(self) -> list[int]:
        """Return the positions of the columns that never vary."""
        if self.n_rows == 0:
            return []
        return np.flatnonzero((self.values == self.values[0]).all(axis=0)).tolist()

    def standardized(self) -> Floats:
        """Return all columns with mean 0 and standard deviation 1 (n - 1 in the denominator); constant columns are 0."""
        centred = self.values - self.values.mean(axis=0)
        centred[:, self.constant_columns()] = 0.0
        largest = np.abs(centred).max(axis=0, initial=0.0)
        centred = centred / np.where(largest > 0, largest, 1.0)
        scale = np.sqrt((centred**2).sum(axis=0) / max(self.n_rows - 1, 1))
        return np.asarray(centred / np.where(scale > 0, scale, 1.0))


def _beside(left: Table, right: Table) -> NDArray[np.bool_] | None:
    """Return what is missing in two tables side by side."""
    if left.missing is None and right.missing is None:
        return None
    parts = [np.zeros(t.values.shape, dtype=bool) if t.missing is None else t.missing for t in (left, right)]
    return np.hstack(parts)


def read_table(
    data: Any,
    column_types: ColumnTypes = None,
    *,
    names: Iterable[str] | None = None,
    what: str = "X",
    missing: Literal["error", "keep"] = "error",
) -> Table:
    """Read an array, a data frame (pandas, polars, pyarrow, ...) or a table into a table.

    Raises `DataError` for missing values (unless they are kept), infinite values, text among numbers and unreadable columns.
    """
    if isinstance(data, Table):
        return _with_types(data, column_types)
    data = without_mask(data)
    columns = (
        _frame_columns(data) if nw.dependencies.is_into_dataframe(data) else _array_columns(data, names, what)
    )
    holes = [_holes(values) for _, values in columns] if missing == "keep" else []
    columns = (
        [_filled(*column, hole) for column, hole in zip(columns, holes, strict=True)] if holes else columns
    )
    declared = _by_name([name for name, _ in columns], column_types)
    read = [read_column(name, values, declared.get(name)) for name, values in columns]
    labels = tuple(name for name, _ in columns)
    levels = {
        name: column.levels for name, column in zip(labels, read, strict=True) if column.levels is not None
    }
    table = Table(
        labels,
        np.column_stack([column.values for column in read]),
        tuple(column.kind for column in read),
        frozenset(labels),
        levels,
        np.column_stack(holes) if np.any(holes) else None,
    )
    return _with_types(table, declared)


def without_mask(data: Any) -> Any:
    """Return an array in which what NumPy masks is missing; anything else as it is."""
    if not isinstance(data, np.ma.MaskedArray):
        return data
    hidden = np.ma.getmaskarray(data)
    if not hidden.any():
        return np.asarray(data.data)
    plain = data.data.astype(np.float64 if data.dtype.kind in "fiu" else object)
    plain[hidden] = np.nan if data.dtype.kind in "fiu" else None
    return plain


def read_columns(values: Any, names: str | Sequence[str], column_types: ColumnTypes = None) -> Table:
    """Read one argument of a function: a list, an array of one or two dimensions, a series or a data frame.

    `names` are given to unnamed columns; a single text is numbered ``x1, x2, ...`` and given to named columns too.
    """
    values = without_mask(values)
    if nw.dependencies.is_into_series(values):
        series = nw.from_native(values, series_only=True)
        values = series.alias(str(series.name or _numbered(names, 1)[0])).to_frame().to_native()
    if nw.dependencies.is_into_dataframe(values):
        table = read_table(values, column_types)
        return replace_names(table, _numbered(names, table.n_columns)) if isinstance(names, str) else table
    if hasattr(values, "codes") and hasattr(values, "categories"):
        values = [None if code < 0 else str(values.categories[code]) for code in values.codes]
    array = np.asarray(values, dtype=None if hasattr(values, "dtype") else object)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise DataError(f"{names} must have one or two dimensions; got shape {array.shape}")
    return read_table(array, column_types, names=_numbered(names, array.shape[1]), what=str(names))


def check_same_index(first: Any, other: Any) -> None:
    """Refuse two pandas objects whose rows are labelled differently: they would be matched by position."""
    labels = [getattr(item, "index", None) for item in (first, other)]
    if all(hasattr(label, "equals") for label in labels) and not labels[0].equals(labels[1]):  # type: ignore[union-attr]
        raise DataError(
            "the rows of the two inputs have different index labels, and rows are matched by position; bring them into the same "
            "order (for example with .loc[frame.index]) or drop the labels with .to_numpy()"
        )


def _numbered(names: str | Sequence[str], count: int) -> list[str]:
    return [f"{names}{k + 1}" for k in range(count)] if isinstance(names, str) else list(names)


def replace_names(table: Table, names: Sequence[str]) -> Table:
    """Return the same columns under other names."""
    new = dict(zip(table.names, names, strict=True))
    inferred = frozenset(new[name] for name in table.inferred)
    levels = {new[name]: found for name, found in table.levels.items()}
    periods = {new[name]: period for name, period in table.periods.items()}
    return replace(table, names=tuple(names), inferred=inferred, levels=levels, periods=periods)


# -- types -------------------------------------------------------------------------------------------------------------------


def _by_name(names: Sequence[str], column_types: ColumnTypes) -> Mapping[str, Declared]:
    """Return declared types by name, checked."""
    if column_types is None:
        return {}
    if not isinstance(column_types, Mapping):
        if len(column_types) != len(names):
            raise ParameterError(
                f"column_types has {len(column_types)} entries for {len(names)} columns; give one each"
            )
        column_types = dict(zip(names, column_types, strict=True))
    for name, kind in column_types.items():
        if name not in names:
            raise DataError(
                f"column_types mentions {name!r}; there is no column {name!r}; the columns are {_some(names)}"
            )
        if not isinstance(kind, Cyclic) and kind not in PLAIN_TYPES:
            allowed = ", ".join(PLAIN_TYPES)
            raise ParameterError(
                f"column_types[{name!r}] is {kind!r}; allowed are {allowed} and Cyclic(period)"
            )
    return column_types


def _with_types(table: Table, column_types: ColumnTypes) -> Table:
    """Apply declared types; a column declared categorical gets codes."""
    declared = _by_name(table.names, column_types)
    values, levels, periods = table.values.copy(), dict(table.levels), dict(table.periods)
    for name, kind in declared.items():
        k = table.index(name)
        if table.types[k] == "cyclic":
            continue
        if kind == "categorical" and table.types[k] != "categorical":
            found, codes = np.unique(values[:, k], return_inverse=True)
            values[:, k], levels[name] = codes, tuple(found.tolist())
        elif kind != "categorical" and table.types[k] == "categorical":
            values[:, k] = _numbers_from_levels(name, kind, values[:, k], levels.pop(name))
        if isinstance(kind, Cyclic):
            values[:, k], periods[name] = values[:, k] / kind.period % 1.0, kind.period
    types = tuple(
        _stored(declared.get(name, kind)) for name, kind in zip(table.names, table.types, strict=True)
    )
    inferred = table.inferred - set(declared)
    return replace(table, values=values, types=types, inferred=inferred, levels=levels, periods=periods)


def _stored(kind: Declared | ColumnType) -> ColumnType:
    return "cyclic" if isinstance(kind, Cyclic) else kind


def _numbers_from_levels(name: str, kind: object, codes: Floats, levels: tuple[Any, ...]) -> Floats:
    """Turn a column of labels that is declared ordered into numbers, if its labels are numbers or booleans."""
    try:
        numbers = np.array([float(level) for level in levels])
    except (TypeError, ValueError):
        shown = ", ".join(repr(level) for level in levels[:4])
        raise DataError(
            f"column {name!r} is declared {kind} but holds text ({shown}); replace the labels by numbers that say their "
            "order, or declare it categorical"
        ) from None
    return numbers_column(name, numbers[codes.astype(int)]).values


# -- containers ----------------------------------------------------------------------------------------------------------------


def open_frame(data: Any) -> Any:
    """Return a data frame of any library behind one interface."""
    try:
        return nw.from_native(data, eager_only=True)
    except (nw.exceptions.NarwhalsError, TypeError, ValueError) as error:
        raise DataError(f"the data frame cannot be read: {error}") from None


def _frame_columns(data: Any) -> list[tuple[str, Any]]:
    """Split a data frame into named columns."""
    frame = open_frame(data)
    plain = list(getattr(data, "columns", frame.columns))
    kinds = {type(name).__name__ for name in plain}
    if "str" in kinds and len(kinds) > 1:
        strange = next(name for name in plain if not isinstance(name, str))
        raise DataError(
            f"column names must be all text or all numbers; {strange!r} is of type {type(strange).__name__}: frame.columns = frame.columns.astype(str) makes them text"
        )
    names = [str(name) for name in frame.columns]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise DataError(f"column names must be unique; {twice[0]!r} occurs {names.count(twice[0])} times")
    if not names or len(frame) == 0:
        raise DataError(
            f"Found a data frame with shape {frame.shape} while a minimum of 1 row and 1 column is required."
        )
    return list(zip(names, frame.iter_columns(), strict=True))


def _array_columns(data: Any, names: Iterable[str] | None, what: str) -> list[tuple[str, Any]]:
    """Split an array into named columns."""
    from sklearn.utils import check_array

    if isinstance(data, dict) and not hasattr(data, "shape"):
        raise DataError(f"{what} is a dictionary, which is no table; pass pandas.DataFrame({what})")
    if isinstance(data, str | Path):
        raise DataError(
            f"{what} is a path, {str(data)!r}, and no table; read the file first, as with pandas.read_csv"
        )
    if hasattr(data, "collect") and hasattr(data, "collect_schema"):
        raise DataError(
            f"{what} is a {type(data).__name__}, whose rows are not there yet; give {what}.collect()"
        )
    array = data if hasattr(data, "dtype") else np.asarray(data, dtype=object)
    if len(np.shape(array)) > 2:
        raise DataError(_of_three(what, np.shape(array)))
    try:
        array = check_array(array, dtype=None, ensure_all_finite=False, input_name=what)
    except ValueError as error:
        # A second line shows the whole array.
        raise DataError(str(error).partition("\n")[0]) from None
    except TypeError as error:
        raise DataTypeError(str(error)) from None
    labels = [f"X{k + 1}" for k in range(array.shape[1])] if names is None else [str(name) for name in names]
    if len(labels) != array.shape[1]:
        raise ParameterError(f"{len(labels)} names were given for {array.shape[1]} columns")
    return list(zip(labels, array.T, strict=True))


def _of_three(what: str, shape: tuple[int, ...]) -> str:
    """Say how an array of subjects, times and variables is given."""
    start = f"{what} has shape {shape}, and one row per observation is needed, of two dimensions"
    if len(shape) > 3:
        return start
    return (
        f"{start}. If these are subjects x times x variables, give {what}.reshape(-1, {shape[2]}) and context=pandas.DataFrame({{'subject': "
        f"numpy.repeat(numpy.arange({shape[0]}), {shape[1]}).astype(str), 'time': numpy.tile(numpy.arange({shape[1]}), {shape[0]})}}), or one of the two"
    )


def _holes(values: Any) -> NDArray[np.bool_]:
    """Return which entries of a column are missing."""
    if not isinstance(values, nw.Series) and values.dtype.kind in "fiub":
        return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)
    entries = values.to_list() if isinstance(values, nw.Series) else values.tolist()
    return np.array([is_missing(value) for value in entries], dtype=bool)


def _filled(name: str, values: Any, holes: NDArray[np.bool_]) -> tuple[str, Any]:
    """Put another value of the column where one is missing; what is there is never looked at."""
    if not holes.any():
        return name, values
    if holes.all():
        raise DataError(f"column {name!r} holds no value at all; drop it")
    entries = values.to_list() if isinstance(values, nw.Series) else values.tolist()
    other = entries[int(np.argmin(holes))]
    filled = [other if hole else value for hole, value in zip(holes, entries, strict=True)]
    if isinstance(values, nw.Series) and values.dtype in (nw.Categorical, nw.Enum):
        filled = [str(value) for value in filled]
    array = np.empty(len(filled), dtype=object)
    array[:] = filled
    return name, array


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:12]))
    return shown + (f", ... ({len(names)} in all)" if len(names) > 12 else "")
