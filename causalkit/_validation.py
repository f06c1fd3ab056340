"""Data in: arrays and data frames of any library become one checked table of numbers with typed, named columns.

The type of a column decides which kernel or test fits it. A label is never a number: category, string and boolean columns
are categorical, dates are time, everything else is continuous. What was inferred stays visible on the table, and every
type can be declared instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias, get_args

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import DataError, ParameterError

ColumnType: TypeAlias = Literal["continuous", "categorical", "ordinal", "time"]
ColumnTypes: TypeAlias = Mapping[str, ColumnType] | Sequence[ColumnType] | None
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Table:
    """Columns of numbers with names and types.

    Parameters
    ----------
    names : tuple of str
        Names of the d columns.
    values : numpy.ndarray, shape (n, d)
        Finite numbers; categorical columns hold codes 0, 1, ... of their sorted levels.
    types : tuple of str
        ``"continuous"``, ``"categorical"``, ``"ordinal"`` or ``"time"`` for each column.
    inferred : frozenset of str
        Names of the columns whose type was not declared.
    levels : mapping of str to tuple
        Levels of the categorical columns, in the order of their codes.
    """

    names: tuple[str, ...]
    values: Floats
    types: tuple[ColumnType, ...]
    inferred: frozenset[str] = frozenset()
    levels: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

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

    def select(self, columns: Sequence[int]) -> Table:
        """Return some of the columns, in the order given."""
        names = tuple(self.names[k] for k in columns)
        return Table(
            names,
            self.values[:, list(columns)],
            tuple(self.types[k] for k in columns),
            self.inferred & set(names),
            {name: self.levels[name] for name in names if name in self.levels},
        )

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
        )

    def constant_columns(self) -> list[int]:
        """Return the positions of the columns that never vary."""
        if self.n_rows == 0:
            return []
        return np.flatnonzero((self.values == self.values[0]).all(axis=0)).tolist()

    def standardized(self) -> Floats:
        """Return all columns with mean 0 and standard deviation 1 (n - 1 in the denominator); constant columns are 0."""
        centred = self.values - self.values.mean(axis=0)
        scale = np.sqrt((centred**2).sum(axis=0) / max(self.n_rows - 1, 1))
        scale[self.constant_columns()] = 1.0
        return np.asarray(centred / scale)


def read_table(
    data: Any, column_types: ColumnTypes = None, *, names: Iterable[str] | None = None, what: str = "X"
) -> Table:
    """Read an array, a data frame (pandas, polars, pyarrow, ...) or a table into a table.

    Raises `DataError` for missing or infinite values, text among numbers and unreadable columns.
    """
    if isinstance(data, Table):
        return _with_types(data, column_types)
    if nw.dependencies.is_into_dataframe(data):
        table = _read_frame(nw.from_native(data, eager_only=True), _declared(column_types))
    else:
        table = _read_array(data, names, what)
    return _with_types(table, column_types)


def _declared(column_types: ColumnTypes) -> Mapping[str, ColumnType]:
    return column_types if isinstance(column_types, Mapping) else {}


def _with_types(table: Table, column_types: ColumnTypes) -> Table:
    """Apply declared types; a column declared categorical gets codes."""
    if column_types is None:
        return table
    declared = (
        dict(zip(table.names, column_types, strict=False))
        if not isinstance(column_types, Mapping)
        else column_types
    )
    if not isinstance(column_types, Mapping) and len(column_types) != table.n_columns:
        raise ParameterError(
            f"column_types has {len(column_types)} entries for {table.n_columns} columns; give one each"
        )
    for name, kind in declared.items():
        table.index(name)
        if kind not in get_args(ColumnType):
            allowed = ", ".join(get_args(ColumnType))
            raise ParameterError(f"column_types[{name!r}] is {kind!r}; allowed are {allowed}")
    values, levels = table.values.copy(), dict(table.levels)
    for name, kind in declared.items():
        k = table.index(name)
        if kind == "categorical" and table.types[k] != "categorical":
            found, codes = np.unique(values[:, k], return_inverse=True)
            values[:, k], levels[name] = codes, tuple(found.tolist())
        elif kind != "categorical" and table.types[k] == "categorical":
            values[:, k], _ = _numbers_from_levels(name, kind, values[:, k], levels.pop(name))
    types = tuple(declared.get(name, kind) for name, kind in zip(table.names, table.types, strict=True))
    return replace(table, values=values, types=types, inferred=table.inferred - set(declared), levels=levels)


def _numbers_from_levels(name: str, kind: str, codes: Floats, levels: tuple[Any, ...]) -> tuple[Floats, None]:
    """Turn a column of labels that is declared ordered into numbers, if its labels are numbers or booleans."""
    try:
        numbers = np.array([float(level) for level in levels])
    except (TypeError, ValueError):
        shown = ", ".join(repr(level) for level in levels[:4])
        raise DataError(
            f"column {name!r} is declared {kind} but holds text ({shown}); replace the labels by numbers that say their "
            "order, or declare it categorical"
        ) from None
    return numbers[codes.astype(int)], None


# -- arrays ----------------------------------------------------------------------------------------------------------------


def _read_array(data: Any, names: Iterable[str] | None, what: str) -> Table:
    from sklearn.utils import check_array

    boolean = getattr(data, "dtype", None) == np.bool_
    array = check_array(data, dtype="numeric", ensure_all_finite=False, ensure_min_samples=1, input_name=what)
    values = array.astype(np.float64)
    labels = [f"X{k + 1}" for k in range(values.shape[1])] if names is None else [str(name) for name in names]
    if len(labels) != values.shape[1]:
        raise ParameterError(f"{len(labels)} names were given for {values.shape[1]} columns")
    for k, name in enumerate(labels):
        check_finite(name, values[:, k])
    kind: ColumnType = "categorical" if boolean else "continuous"
    levels = (
        {name: tuple(np.unique(values[:, k]).tolist()) for k, name in enumerate(labels)} if boolean else {}
    )
    codes = np.column_stack([np.unique(c, return_inverse=True)[1] for c in values.T]) if boolean else values
    types: tuple[ColumnType, ...] = (kind,) * len(labels)
    return Table(tuple(labels), codes.astype(np.float64), types, frozenset(labels), levels)


def check_finite(name: str, column: Floats) -> None:
    """Raise `DataError` that names the rows if a column has missing or infinite values."""
    bad = np.flatnonzero(~np.isfinite(column))
    if bad.size:
        what = "missing values (NaN)" if np.isnan(column[bad]).any() else "infinite values (inf)"
        raise DataError(_missing_message(name, what, bad))


def _missing_message(name: str, what: str, rows: NDArray[np.intp]) -> str:
    shown = ", ".join(map(str, rows[:5].tolist())) + (", ..." if rows.size > 5 else "")
    return (
        f"column {name!r} has {rows.size} {what}, in row{'s' if rows.size > 1 else ''} {shown} (counted from 0); drop these "
        "rows or fill them in before the analysis"
    )


# -- data frames -------------------------------------------------------------------------------------------------------------


def _read_frame(frame: nw.DataFrame[Any], declared: Mapping[str, ColumnType]) -> Table:
    names = tuple(str(name) for name in frame.columns)
    if len(set(names)) != len(names):
        raise DataError(f"column names must be unique; got {_some(names)}")
    if not names or len(frame) == 0:
        raise DataError(
            f"Found a data frame with shape {frame.shape} while a minimum of 1 row and 1 column is required."
        )
    columns, types, levels = [], [], {}
    for name, original in zip(names, frame.columns, strict=True):
        series = frame[original]
        values, kind, found = _read_series(name, series, declared.get(name))
        columns.append(values)
        types.append(kind)
        if found is not None:
            levels[name] = found
    return Table(names, np.column_stack(columns), tuple(types), frozenset(names), levels)


def _read_series(
    name: str, series: nw.Series[Any], declared: ColumnType | None
) -> tuple[Floats, ColumnType, tuple[Any, ...] | None]:
    """Read one column: numbers stay, dates become seconds, labels become codes."""
    missing = np.flatnonzero(series.is_null().to_numpy())
    if missing.size:
        raise DataError(_missing_message(name, "missing values (NaN)", missing))
    if series.dtype.is_numeric():
        values = series.to_numpy().astype(np.float64)
        check_finite(name, values)
        return values, "continuous", None
    if series.dtype in (nw.Datetime, nw.Date):
        stamps = series.to_numpy().astype("datetime64[ns]").astype(np.int64)
        return stamps / 1e9, "time", None
    if series.dtype in (nw.String, nw.Boolean, nw.Categorical, nw.Enum):
        return _read_labels(name, series, declared)
    if series.dtype == nw.Object:
        return _read_objects(name, series)
    raise DataError(
        f"column {name!r} has type {series.dtype}, which cannot be read; numbers, text, categories, booleans and dates can"
    )


def _read_labels(
    name: str, series: nw.Series[Any], declared: ColumnType | None
) -> tuple[Floats, ColumnType, tuple[Any, ...]]:
    labels = np.array([str(v) for v in series.to_list()]) if series.dtype != nw.Boolean else series.to_numpy()
    levels, codes = np.unique(labels, return_inverse=True)
    mistyped = _text_among_numbers(levels) if series.dtype == nw.String and declared is None else None
    if mistyped is not None:
        raise DataError(
            f"column {name!r} mixes numbers and text ({mistyped!r}, for example); correct the entries, or declare the column "
            f"categorical with column_types={{{name!r}: 'categorical'}}"
        )
    return codes.astype(np.float64), "categorical", tuple(levels.tolist())


def _text_among_numbers(levels: NDArray[Any]) -> str | None:
    """Return a label that is no number if most other labels are numbers."""
    texts = [label for label in levels.tolist() if not _is_number(label)]
    return texts[0] if texts and len(texts) < len(levels) / 2 else None


def _is_number(label: str) -> bool:
    try:
        float(label)
    except ValueError:
        return False
    return True


def _read_objects(name: str, series: nw.Series[Any]) -> tuple[Floats, ColumnType, tuple[Any, ...] | None]:
    """Read a column of Python objects if they are all numbers."""
    values = series.to_list()
    strange = next(
        (v for v in values if not isinstance(v, int | float | np.number) or isinstance(v, bool)), None
    )
    if strange is not None:
        raise DataError(
            f"column {name!r} holds {strange!r} of type {type(strange).__name__} among its values; make the column all "
            "numbers, all text or a categorical"
        )
    numbers = np.array(values, dtype=np.float64)
    check_finite(name, numbers)
    return numbers, "continuous", None


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:12]))
    return shown + (f", ... ({len(names)} in all)" if len(names) > 12 else "")


# -- parameters ----------------------------------------------------------------------------------------------------------------


def check_between(name: str, value: Any, low: float, high: float) -> float:
    """Return a number strictly between two bounds, or raise `ParameterError`."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not low < value < high:
        raise ParameterError(
            f"{name} must be a number greater than {low:g} and less than {high:g}; got {value!r}"
        )
    return float(value)


def check_count(name: str, value: Any, *, least: int = 1) -> int:
    """Return an integer that is large enough, or raise `ParameterError`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ParameterError(f"{name} must be an integer of at least {least}; got {value!r}")
    return int(value)


def check_choice(name: str, value: Any, allowed: Iterable[str]) -> None:
    """Raise `ParameterError` unless a value is one of the allowed names."""
    choices = tuple(allowed)
    if value not in choices:
        raise ParameterError(f"{name} is {value!r}; allowed are {', '.join(map(repr, choices))}")
