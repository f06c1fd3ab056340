"""How much a small file may grow while it is read: columns of parquet files and pictures are looked at before they are decoded."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from causalkit.exceptions import DataError

# Bytes that a column of labels, a row group of pictures, or one trajectory or video may take in memory.
MOST_LABELS, MOST_PICTURES = 500_000_000, 2_000_000_000
MOST_PIXELS = 25_000_000
MOST_DECODED = 16_000_000_000
ROWS_AT_ONCE = 4096


def cells_of(
    parquet: Any, column: str, where: str, *, groups: Sequence[int] | None = None, most: int
) -> list[Any]:
    """Return the cells of a column, of some row groups or all, while they are fewer bytes than allowed.

    A value that is written once may stand for many rows: so a few rows are decoded at a time, as many as would fit if each held all that is written.
    """
    chosen = list(range(parquet.metadata.num_row_groups) if groups is None else groups)
    chunks = [_written(parquet, column, group) for group in chosen]
    _check(sum(chunks), where, most)
    step = max(1, min(ROWS_AT_ONCE, most // max([1, *chunks])))
    cells: list[Any] = []
    taken = 0
    for batch in parquet.iter_batches(step, row_groups=chosen, columns=[column]):
        taken += batch.nbytes
        _check(taken, where, most)
        cells += batch.column(0).to_pylist()
    return cells


def check_inflated(parquet: Any, column: str, group: int, where: str, most: int) -> None:
    """Refuse a row group of which more is written than allowed."""
    _check(_written(parquet, column, group), where, most)


def _written(parquet: Any, column: str, group: int) -> int:
    """Return how many bytes of a column are written in a row group, before compression."""
    found = parquet.metadata.row_group(group)
    chunks = [found.column(k) for k in range(found.num_columns)]
    return sum(c.total_uncompressed_size for c in chunks if c.path_in_schema.partition(".")[0] == column)


def _check(size: int, where: str, most: int) -> None:
    if size > most:
        raise DataError(f"{where} inflates to more than {most} bytes, which is the most that is read at once")


def check_pixels(data: bytes) -> None:
    """Refuse a picture in PNG that claims more pixels than a camera has; other formats are checked by Pillow as they are opened."""
    if data[:8] == b"\x89PNG\r\n\x1a\n" and len(data) >= 24:
        check_extent(*struct.unpack(">II", data[16:24]))


def check_extent(width: int, height: int) -> None:
    """Refuse a picture that is too large."""
    if width * height > MOST_PIXELS:
        raise DataError(f"a picture of {width} x {height} pixels; at most {MOST_PIXELS} pixels are decoded")


def check_memory(size: int) -> None:
    """Refuse pictures that would fill the memory of a common computer, once decoded."""
    if size > MOST_DECODED:
        raise DataError(
            f"the pictures take {size / 1e9:.1f} GB once decoded; at most {MOST_DECODED / 1e9:.0f} GB are read at once: ask for fewer rows, or a smaller size"
        )
