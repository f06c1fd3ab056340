"""Tables in text files as economists, physicians and spreadsheets write them: what separates columns, decimals, and encodings."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from causalkit.exceptions import DataError, MissingDependencyError

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "space": " "}
# Lines that are looked at to see what separates columns; the whole file is read later.
LOOKED_AT = 200
MAX_BYTES = 2_000_000_000
_DECIMAL = {
    ",": re.compile(
        r"\s*[-+]?\d{1,3}(?:\.\d{3})*,\d+(?:[eE][-+]?\d+)?\s*|\s*[-+]?\d*,\d+(?:[eE][-+]?\d+)?\s*"
    )
}
_WHOLE = re.compile(r"\s*[-+]?\d+\s*")
_POINT = re.compile(r"\s*[-+]?\d*\.\d+(?:[eE][-+]?\d+)?\s*")


@dataclass
class Csv:
    """A table of a text file.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table.
    notes : list of str
        What was decided about the file.
    """

    frame: Any
    notes: list[str] = field(default_factory=list)


def read_csv(path: Path, *, sep: str | None = None, decimal: Literal[".", ","] | None = None) -> Csv:
    """Read a text file with one row per observation and a header.

    Parameters
    ----------
    path : pathlib.Path
        The file; UTF-8 with or without a byte-order mark, UTF-16 with one, or else Latin-1.
    sep : str, optional
        What separates columns: one character, or "comma", "semicolon", "tab", "bar", "space"; by default what gives every line the same number of columns.
    decimal : {".", ","}, optional
        By default a comma where columns are not separated by commas and numbers are written with one.

    Returns
    -------
    Csv
        The table, and what was decided.

    Raises
    ------
    DataError
        If the file cannot be read, or it is open how.
    """
    pd = _pandas()
    text, notes = _text_of(path)
    head = list(islice(StringIO(text), LOOKED_AT))
    if not text.strip():
        raise DataError(f"{path.name} is empty")
    chosen = SEPARATORS.get(sep or "", sep) or _separator(head, path.name)
    if len(chosen) != 1:
        raise DataError(f"--sep must be one character or one of {', '.join(SEPARATORS)}; got {sep!r}")
    rows = _rows(head, chosen, path.name)
    point = decimal or _decimal(rows, chosen, path.name)
    if chosen != ",":
        notes.append(f"columns are separated by {_name(chosen)}")
    if point == ",":
        notes.append("numbers are written with a decimal comma")
    try:
        frame = pd.read_csv(
            StringIO(text), sep=chosen, decimal=point, thousands="." if point == "," and _has_thousands(rows) else None,
            skipinitialspace=True,
        )  # fmt: skip
    except (ValueError, csv.Error, RecursionError, MemoryError, OverflowError) as error:
        raise DataError(f"{path.name} cannot be read as a table: {_first_line(error)}") from None
    _check_names(frame, path.name)
    return Csv(_without_index(frame, path.name, notes), notes)


def _pandas() -> Any:
    try:
        import pandas as pd
    except ImportError:
        raise MissingDependencyError("reading tables needs pandas: pip install 'causalkit[frames]'") from None
    return pd


def _text_of(path: Path) -> tuple[str, list[str]]:
    """Return the text of a file, with a note if its encoding had to be guessed."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise DataError(
            f"{path.name} has {size} bytes; at most {MAX_BYTES} are read as text, and Parquet holds more"
        )
    raw = path.read_bytes()
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text, notes = raw.decode(encoding), list[str]()
    except UnicodeDecodeError:
        text, notes = raw.decode("latin-1"), [f"{path.name} is no UTF-8 and was read as Latin-1"]
    if "\0" in text:
        raise DataError(f"{path.name} holds bytes that are no text; is it a table in another format?")
    return text, notes


def _separator(head: Sequence[str], name: str) -> str:
    """Return what gives all lines the same number of columns, two or more."""
    widths = {}
    for sep in SEPARATORS.values():
        try:
            found = {len(row) for row in _rows(head, sep, name) if row}
        except DataError:
            continue
        if len(found) == 1 and (width := found.pop()) > 1:
            widths[sep] = width
    if not widths:
        return _only_column(head, name)
    # A decimal comma cuts numbers: where semicolons or tabs fit as well, they separate.
    return next((sep for sep in (";", "\t", "|") if sep in widths), max(widths, key=lambda sep: widths[sep]))


def _only_column(head: Sequence[str], name: str) -> str:
    """Return a comma for a table of one column; refuse lines of different length."""
    marks = [sep for sep in (",", ";", "\t", "|") if sep in head[0]]
    if marks:
        counts = sorted({len(row) for row in _rows(head, marks[0], name)})
        raise DataError(
            f"lines of {name} have different numbers of columns ({', '.join(map(str, counts[:5]))}) with every separator that was tried; "
            "say it with --sep, or correct the lines"
        )
    return ","


def _rows(head: Sequence[str], sep: str, name: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(head, delimiter=sep, skipinitialspace=sep != " ") if row]
    except csv.Error as error:
        raise DataError(f"{name} cannot be read as a table: {error}") from None


def _decimal(rows: Sequence[Sequence[str]], sep: str, name: str) -> Literal[".", ","]:
    """Return a comma if numbers are written with one, and none with a point."""
    if sep == ",":
        return "."
    cells = [cell for row in rows[1:] for cell in row if cell.strip() and not _WHOLE.fullmatch(cell)]
    commas = [cell for cell in cells if _DECIMAL[","].fullmatch(cell)]
    points = [cell for cell in cells if _POINT.fullmatch(cell)]
    if commas and points and not _has_thousands(rows):
        raise DataError(
            f"{name} holds numbers with a comma ({commas[0].strip()}) and with a point ({points[0].strip()}); say which is the decimal with --decimal"
        )
    return "," if commas else "."


def _has_thousands(rows: Sequence[Sequence[str]]) -> bool:
    """Whether points group digits, as in 1.234,5."""
    return any(re.fullmatch(r"\s*[-+]?\d{1,3}(?:\.\d{3})+,\d+\s*", cell) for row in rows[1:] for cell in row)


def _check_names(frame: Any, name: str) -> None:
    for column in map(str, frame.columns):
        if re.search(r"[\x00-\x1f\x7f-\x9f]", column):
            raise DataError(f"{name} has a column {column!r}, whose name holds control characters; rename it")


def _without_index(frame: Any, name: str, notes: list[str]) -> Any:
    """Leave out a column without a name that numbers the rows, as spreadsheets and R write one."""
    for column in [c for c in frame.columns if re.fullmatch(r"Unnamed: \d+", str(c))]:
        values = frame[column]
        empty = values.isna().all()
        numbers = (
            values.dtype.kind in "iu"
            and (values.diff().dropna() == 1).all()
            and values.iloc[:1].isin((0, 1)).all()
        )
        if not empty and not numbers:
            raise DataError(
                f"a column of {name} has no name and holds {values.iloc[0]!r}, ...; give it one, or leave it out of the file"
            )
        notes.append(
            "a column without a name, which "
            + ("is empty" if empty else "numbers the rows")
            + ", was left out"
        )
        frame = frame.drop(columns=column)
    return frame


def _name(sep: str) -> str:
    return next((f"{word}s" for word, mark in SEPARATORS.items() if mark == sep), repr(sep))


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:200]


def as_cell(cell: str) -> str:
    """Keep spreadsheets from reading a cell as a formula."""
    return f"'{cell}" if cell[:1] in ("'", "=", "+", "-", "@", "\t", "\r") else cell
