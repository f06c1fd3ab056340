"""Text files of others: lines, cells and JSON, with one kind of error for all that can go wrong."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from causalkit.exceptions import CausalKitError, DataError

MAX_BYTES = 200_000_000


def read_utf8(path: Path, *, error: type[CausalKitError] = DataError, most: int = MAX_BYTES) -> str:
    """Read a file in UTF-8, with or without a byte-order mark, after a look at its size."""
    if not path.is_file():
        raise error(f"there is no file {path}; give the path of your copy")
    size = path.stat().st_size
    if size > most:
        raise error(f"{path} has {size} bytes; at most {most} are read")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as problem:
        raise error(f"{path} is not in UTF-8; save it so ({problem})") from None


def read_rows(
    path: Path, columns: Sequence[str], *, error: type[CausalKitError] = DataError, most: int = MAX_BYTES
) -> list[dict[str, str]]:
    """Read a CSV file with a header as rows of text; cells that are not there are empty.

    Raises `error` if a column is missing, or a line has more cells than the header, as happens to text with a comma outside quotes.
    """
    with io.StringIO(read_utf8(path, error=error, most=most), newline="") as text:
        reader = csv.DictReader(text, restval="")
        try:
            names = list(reader.fieldnames or ())
            absent = [c for c in columns if c not in names]
            if absent:
                raise error(
                    f"{path} has no column {absent[0]!r}; its columns are {', '.join(names[:20]) or 'none'}"
                )
            rows: list[dict[Any, Any]] = []
            for row in reader:
                if any(cell.strip() for cell in row.pop(None, ())):
                    raise error(
                        f"{path}, line {reader.line_num} has more cells than the header; text that holds a comma is written in quotes"
                    )
                rows.append(row)
        except csv.Error as problem:
            raise error(f"{path}, line {reader.line_num} cannot be read as CSV: {problem}") from None
    return rows


def parse_json(text: str, where: str, *, error: type[CausalKitError] = DataError) -> Any:
    """Read JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as problem:
        raise error(f"{where} is not JSON: {problem}") from None
