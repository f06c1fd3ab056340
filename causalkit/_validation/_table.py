"""Data in: arrays and data frames of any library become one checked table of numbers with typed, named columns.

The type of a column decides which kernel or test fits it. A label is never a number: category, string and boolean columns
are categorical, dates are time, everything else is continuous. What was inferred stays visible on the table, and every
type can be declared instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from causalkit._validation._parameters import check_between
from causalkit.exceptions import DataError, DataTypeError, ParameterError

PlainType: TypeAlias = Literal["continuous", "categorical", "ordinal", "time"]
ColumnType: TypeAlias = PlainType | Literal["cyclic"]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Cyclic:
    """The type of a column whose values come back: hours, months, angles.

    Parameters
    ----------
    period : float
        After how much a value is the same again, in the units of the column.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit.independence import Cyclic, kci_test
    >>> rng = np.random.default_rng(0)
    >>> hour = rng.uniform(0, 24, size=200)
    >>> load = np.cos(2 * np.pi * hour / 24) + 0.5 * rng.normal(size=200)
    >>> kci_test(load, rng.normal(size=200), hour, z_types=[Cyclic(24)]).p_value > 0.01
    True
    """

    period: float

    def __post_init__(self) -> None:
        check_between("period", self.period, 0, np.inf)


Declared: TypeAlias = PlainType | Cyclic
ColumnTypes: TypeAlias = Mapping[str, Declared] | Sequence[Declared] | None


PLAIN_TYPES: tuple[str, ...] = get_args(PlainType)


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
    read = [_read_column(name, values, declared.get(name)) for name, values in columns]
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
    return _numbers(name, numbers[codes.astype(int)]).values


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
    array = data if hasattr(data, "dtype") else np.asarray(data, dtype=object)
    try:
        array = check_array(array, dtype=None, ensure_all_finite=False, input_name=what)
    except ValueError as error:
        raise DataError(str(error)) from None
    except TypeError as error:
        raise DataTypeError(str(error)) from None
    labels = [f"X{k + 1}" for k in range(array.shape[1])] if names is None else [str(name) for name in names]
    if len(labels) != array.shape[1]:
        raise ParameterError(f"{len(labels)} names were given for {array.shape[1]} columns")
    return list(zip(labels, array.T, strict=True))


def _holes(values: Any) -> NDArray[np.bool_]:
    """Return which entries of a column are missing."""
    if not isinstance(values, nw.Series) and values.dtype.kind in "fiub":
        return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)
    entries = values.to_list() if isinstance(values, nw.Series) else values.tolist()
    return np.array([_is_missing(value) for value in entries], dtype=bool)


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


# -- columns -------------------------------------------------------------------------------------------------------------------


class Column(NamedTuple):
    """One column as numbers, its type, and its levels if it holds labels."""

    values: Floats
    kind: ColumnType
    levels: tuple[Any, ...] | None = None


def _read_column(name: str, values: Any, declared: Declared | None) -> Column:
    """Read one column of a frame or an array: numbers stay, dates become seconds, labels become codes."""
    if isinstance(values, nw.Series):
        return _read_series(name, values, declared)
    kind = values.dtype.kind
    if kind in "iuf":
        return _numbers(name, values)
    if kind == "b":
        return _labels(values)
    if kind == "M":
        _refuse_missing(name, np.isnat(values))
        return Column(values.astype("datetime64[us]").astype(np.float64) / 1e6, "time")
    if kind in "US":
        return _text(name, values.astype(str), declared)
    return _objects(name, values.tolist(), declared)


def _read_series(name: str, series: nw.Series[Any], declared: Declared | None) -> Column:
    _refuse_missing(name, series.is_null().to_numpy())
    if series.dtype.is_numeric():
        return _numbers(name, series.to_numpy())
    if series.dtype == nw.Boolean:
        return _labels(series.to_numpy())
    if series.dtype in (nw.Categorical, nw.Enum):
        return _labels(np.array([str(value) for value in series.to_list()]))
    if series.dtype == nw.String:
        return _text(name, np.array(series.to_list(), dtype=str), declared)
    if series.dtype in (nw.Datetime, nw.Date, nw.Object):
        return _objects(name, series.to_list(), declared)
    raise DataError(
        f"column {name!r} has type {series.dtype}, which cannot be read; numbers, text, categories, booleans and dates can"
    )


def _objects(name: str, values: list[Any], declared: Declared | None) -> Column:
    """Read a column of Python objects if they are all of one sort."""
    _refuse_missing(name, np.array([_is_missing(value) for value in values]))
    if all(isinstance(value, bool | np.bool_) for value in values):
        return _labels(np.array(values, dtype=bool))
    if all(isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in values):
        return _numbers(name, np.array(values, dtype=np.float64))
    if all(isinstance(value, str) for value in values):
        return _text(name, np.array(values, dtype=str), declared)
    if all(isinstance(value, date | np.datetime64) for value in values):
        return Column(np.array([_seconds(value) for value in values]), "time")
    sorts = (bool, int, float, str, date, np.number, np.bool_, np.datetime64)
    strange = next((value for value in values if not isinstance(value, sorts)), None)
    if strange is not None:
        raise DataTypeError(
            f"column {name!r} holds {strange!r} of type {type(strange).__name__}; an argument must be a string, a number, a "
            "boolean or a date"
        )
    text = next((value for value in values if isinstance(value, str)), values[0])
    raise DataError(
        f"column {name!r} mixes numbers and text ({text!r}, for example) or other types; make it all numbers, all text or all dates"
    )


def _seconds(value: Any) -> float:
    """Return seconds since 1970; times without a zone are taken as UTC."""
    if isinstance(value, np.datetime64):
        return float(value.astype("datetime64[us]").astype(np.int64)) / 1e6
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()


def _numbers(name: str, values: Any) -> Column:
    numbers = np.asarray(values, dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if bad.size:
        what = "missing values (NaN)" if np.isnan(numbers[bad]).any() else "infinite values (inf)"
        raise DataError(_missing_message(name, what, bad))
    return Column(numbers, "continuous")


def _labels(values: NDArray[Any]) -> Column:
    levels, codes = np.unique(values, return_inverse=True)
    return Column(codes.astype(np.float64), "categorical", tuple(levels.tolist()))


def _text(name: str, values: NDArray[Any], declared: Declared | None) -> Column:
    """Read text as labels, unless it looks like numbers with a slip among them."""
    column = _labels(values)
    texts = [label for label in column.levels or () if not _is_number(label)]
    if declared is None and texts and len(texts) < len(column.levels or ()) / 2:
        raise DataError(
            f"column {name!r} mixes numbers and text ({texts[0]!r}, for example); correct the entries, or declare the column "
            f"categorical with column_types={{{name!r}: 'categorical'}}"
        )
    return column


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True


def _is_missing(value: Any) -> bool:
    """Whether an object is None, NaN, or the missing value of a data frame library."""
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    return (
        value is None
        or type(value).__name__ in ("NaTType", "NAType")
        or bool(isinstance(value, np.datetime64) and np.isnat(value))
    )


def _refuse_missing(name: str, missing: NDArray[np.bool_]) -> None:
    rows = np.flatnonzero(missing)
    if rows.size:
        raise DataError(_missing_message(name, "missing values (NaN)", rows))


def _missing_message(name: str, what: str, rows: NDArray[np.intp]) -> str:
    shown = ", ".join(map(str, rows[:5].tolist())) + (", ..." if rows.size > 5 else "")
    return (
        f"column {name!r} has {rows.size} {what}, in row{'s' if rows.size > 1 else ''} {shown} (counted from 0); drop these "
        "rows or fill them in before the analysis"
    )


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:12]))
    return shown + (f", ... ({len(names)} in all)" if len(names) > 12 else "")
