"""Pictures inside parquet files, decoded when they are read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalkit.datasets._images import Images, Rows, check_size, resized
from causalkit.datasets._inflating import MOST_PICTURES, cells_of, check_extent, check_memory, check_pixels
from causalkit.datasets._reading import reading
from causalkit.datasets._shards import import_parquet, remember
from causalkit.exceptions import DataError, MissingDependencyError, ParameterError

KEPT_ROW_GROUPS = 2
THREADS = 4


@dataclass(frozen=True)
class ParquetImages:
    """Pictures inside parquet files, decoded when they are read; rows of one row group are read together, and the last groups are kept."""

    files: tuple[Path, ...]
    shard: Rows
    row: Rows
    _kept: OrderedDict[tuple[int, int], list[Any]] = field(
        default_factory=OrderedDict, repr=False, compare=False
    )
    _known_ends: dict[int, NDArray[np.intp]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def n_images(self) -> int:
        """Number of rows."""
        return len(self.row)

    @property
    def identity(self) -> str:
        """Files with sizes and times, and which rows."""
        stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in self.files]
        return f"{stats} {self.shard.tobytes().hex()} {self.row.tobytes().hex()}"

    def read(self, rows: Rows, size: int | None = None) -> Images:
        """Decode some rows."""
        blobs = {int(k): blob for k, blob in self._blobs(rows)}

        def picture(k: np.intp) -> Images:
            return np.asarray(resized(self._decode(blobs[int(k)], int(k))[None], size)[0])

        if not len(rows):
            return np.zeros((0, 0, 0, 3), dtype=np.uint8)
        first = picture(rows[0])
        check_memory(len(rows) * first.size)
        out = np.empty((len(rows), *first.shape), dtype=np.uint8)

        def place(at: int) -> None:
            found = first if at == 0 else picture(rows[at])
            check_size((first, found))
            out[at] = found

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(place, range(len(rows))))
        return out

    def _blobs(self, rows: Rows) -> Iterator[tuple[int, Any]]:
        for shard in np.unique(self.shard[rows]).tolist():
            chosen = rows[self.shard[rows] == shard]
            ends = self._ends(shard)
            group = np.searchsorted(ends, self.row[chosen], side="right")
            for number in np.unique(group).tolist():
                blobs, first = self._group(shard, number), int(ends[number - 1]) if number else 0
                yield from ((int(k), blobs[int(self.row[k]) - first]) for k in chosen[group == number])

    def _ends(self, shard: int) -> NDArray[np.intp]:
        """Return the row after each row group of a shard."""
        if shard not in self._known_ends:
            with reading(str(self.files[shard])):
                metadata = import_parquet().read_metadata(self.files[shard])
            sizes = [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]
            self._known_ends[shard] = np.cumsum(sizes)
        return self._known_ends[shard]

    def _group(self, shard: int, number: int) -> list[Any]:
        found = self._kept.get((shard, number))
        if found is None:
            where = f"row group {number} of {self.files[shard]}"
            with reading(where):
                parquet = import_parquet().ParquetFile(self.files[shard])
                if "image" not in parquet.schema_arrow.names:
                    raise DataError(f"{self.files[shard].name} has no column 'image'")
                found = cells_of(parquet, "image", where, groups=[number], most=MOST_PICTURES)
            remember(self._kept, (shard, number), found, KEPT_ROW_GROUPS)
        return found

    def _decode(self, cell: Any, k: int) -> Images:
        data = cell.get("bytes") if isinstance(cell, Mapping) else cell
        where = f"{self.files[self.shard[k]].name}, row {self.row[k]}"
        if not data:
            raise DataError(f"{where}: there is no picture")
        try:
            return decode_png(data)
        except MissingDependencyError:
            raise
        except Exception as problem:
            raise DataError(f"{where}: the picture cannot be decoded ({problem})") from problem


def decode_png(data: bytes) -> Images:
    """Decode a picture to (height, width, 3): by OpenCV where it is installed, which is faster, else by Pillow."""
    check_pixels(data)
    try:
        import cv2
    except ImportError:
        return _decode_by_pillow(data)
    found = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    if found is None:
        raise ParameterError("not a picture")
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB, dst=found))


def _decode_by_pillow(data: bytes) -> Images:
    try:
        from PIL import Image
    except ImportError as problem:
        raise MissingDependencyError(
            "decoding pictures needs Pillow: pip install 'causalkit[datasets]'"
        ) from problem
    with Image.open(BytesIO(data)) as picture:
        check_extent(*picture.size)
        return np.asarray(picture.convert("RGB"))
