"""One column of a table: numbers stay, dates become seconds, labels become codes."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, NamedTuple

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from causalkit._validation._dates import read_dates
from causalkit._validation._types import ColumnType, Declared, Floats
from causalkit.exceptions import DataError, DataTypeError


class Column(NamedTuple):
    """One column as numbers, its type, and its levels if it holds labels."""

    values: Floats
    kind: ColumnType
    levels: tuple[Any, ...] | None = None


def read_column(name: str, values: Any, declared: Declared | None) -> Column:
    """Read one column of a frame or an array: numbers stay, dates become seconds, labels become codes."""
    if isinstance(values, nw.Series):
        return _read_series(name, values, declared)
    kind = values.dtype.kind
    if kind in "iuf":
        return numbers_column(name, values)
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
        return numbers_column(name, series.to_numpy())
    if series.dtype == nw.Boolean:
        return _labels(series.to_numpy())
    if series.dtype in (nw.Categorical, nw.Enum):
        return _labels(np.array([str(value) for value in series.to_list()]))
    if series.dtype == nw.String:
        return _text(name, np.array(series.to_list(), dtype=str), declared)
    native = series.to_native()
    if type(getattr(native, "dtype", None)).__name__ == "PeriodDtype":
        return _read_series(name, nw.from_native(native.dt.to_timestamp(), series_only=True), declared)
    if series.dtype in (nw.Datetime, nw.Date, nw.Object):
        return _objects(name, series.to_list(), declared)
    raise DataError(
        f"column {name!r} has type {series.dtype}, which cannot be read; numbers, text, categories, booleans and dates can"
    )


def _objects(name: str, values: list[Any], declared: Declared | None) -> Column:
    """Read a column of Python objects if they are all of one sort."""
    _refuse_missing(name, np.array([is_missing(value) for value in values]))
    if all(isinstance(value, bool | np.bool_) for value in values):
        return _labels(np.array(values, dtype=bool))
    if all(isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in values):
        return numbers_column(name, np.array(values, dtype=np.float64))
    if all(isinstance(value, str) for value in values):
        return _text(name, np.array(values, dtype=str), declared)
    values = [value.start_time if type(value).__name__ == "Period" else value for value in values]
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


def numbers_column(name: str, values: Any) -> Column:
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
    """Read text as dates, or as labels, unless it looks like numbers with a slip among them."""
    column = _labels(values)
    labels = column.levels or ()
    if declared in (None, "time") and (dates := read_dates(name, labels)) is not None:
        return Column(dates[column.values.astype(int)], "time")
    texts = [label for label in labels if not _is_number(label)]
    if declared is None and texts and len(texts) < len(labels) / 2:
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


def is_missing(value: Any) -> bool:
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
        "rows before the analysis; searches and tests that take missing='testwise' can use the others of each row"
    )
