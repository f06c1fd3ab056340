"""Where the frames of videos come from: files, text inside parquet files, or a cache. All give the same array, or say what is wrong with which file.

A published clip has one keyframe, so that any frame costs all frames before it: ask for all frames of a video at once, or make a cache. A frame that cannot be decoded is an error;
it is never replaced by a black one.
"""

from __future__ import annotations

import base64
import binascii
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from causalkit.datasets._images import Images, Rows, resized
from causalkit.datasets._inflating import MOST_PICTURES, cells_of
from causalkit.datasets._shards import import_parquet, remember
from causalkit.exceptions import DataError, MissingDependencyError

KEPT_ROWS = 2


@dataclass(frozen=True)
class VideoFacts:
    """What the header of a video says."""

    n_frames: int
    frames_per_second: float


class VideoSource(Protocol):
    """Gives frames of videos by row."""

    @property
    def n_videos(self) -> int:
        """Number of videos."""
        ...

    @property
    def identity(self) -> str:
        """What the videos are, as text: different videos have different texts."""
        ...

    def facts(self, row: int) -> VideoFacts:
        """Return number and rate of the frames of a video."""
        ...

    def read(self, row: int, frames: Sequence[int] | Rows, size: int | None = None) -> Images:
        """Return frames of a video, shape (len(frames), height, width, 3); `size` brings each to a square."""
        ...

    def take(self, rows: Rows) -> Self:
        """Return some of the videos."""
        ...


@dataclass(frozen=True)
class VideoFiles:
    """Videos in files of their own."""

    paths: tuple[Path, ...]

    @property
    def n_videos(self) -> int:
        """Number of videos."""
        return len(self.paths)

    @property
    def identity(self) -> str:
        """Files with sizes and times."""
        stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in self.paths]
        return str(stats)

    def facts(self, row: int) -> VideoFacts:
        """Read the header of a video."""
        return probe(self.paths[row], str(self.paths[row]))

    def read(self, row: int, frames: Sequence[int] | Rows, size: int | None = None) -> Images:
        """Decode frames of a video."""
        return decode(self.paths[row], frames, size, str(self.paths[row]))

    def take(self, rows: Rows) -> VideoFiles:
        """Return some of the videos."""
        return VideoFiles(tuple(self.paths[k] for k in rows.tolist()))


@dataclass(frozen=True)
class EncodedVideos:
    """Videos as base64 text in lists inside parquet files: one list per row, one text per view."""

    files: tuple[Path, ...]
    shard: Rows
    row: Rows
    view: Rows
    _kept: OrderedDict[tuple[int, int], list[Any]] = field(
        default_factory=OrderedDict, repr=False, compare=False
    )

    @property
    def n_videos(self) -> int:
        """Number of videos."""
        return len(self.row)

    @property
    def identity(self) -> str:
        """Files with sizes and times, and which of their videos."""
        stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in self.files]
        return f"{stats} {self.shard.tobytes().hex()} {self.row.tobytes().hex()} {self.view.tobytes().hex()}"

    def facts(self, row: int) -> VideoFacts:
        """Read the header of a video."""
        return probe(BytesIO(self._bytes(row)), self._where(row))

    def read(self, row: int, frames: Sequence[int] | Rows, size: int | None = None) -> Images:
        """Decode frames of a video."""
        return decode(BytesIO(self._bytes(row)), frames, size, self._where(row))

    def take(self, rows: Rows) -> EncodedVideos:
        """Return some of the videos."""
        return replace(self, shard=self.shard[rows], row=self.row[rows], view=self.view[rows])

    def _where(self, row: int) -> str:
        return f"{self.files[self.shard[row]].name}, row {self.row[row]}, video {self.view[row]}"

    def _bytes(self, row: int) -> bytes:
        cell = self._cell(int(self.shard[row]), int(self.row[row]))
        if self.view[row] >= len(cell):
            raise DataError(f"{self._where(row)}: there are only {len(cell)} videos in this row")
        try:
            return base64.b64decode(cell[self.view[row]], validate=True)
        except (binascii.Error, TypeError, ValueError) as problem:
            raise DataError(f"{self._where(row)}: this is not base64 text ({problem})") from problem

    def _cell(self, shard: int, row: int) -> list[Any]:
        """Return the texts of a row; those of the last rows are kept, as their views are asked for one after the other."""
        found = self._kept.get((shard, row))
        if found is None:
            parquet = import_parquet().ParquetFile(self.files[shard])
            sizes = [parquet.metadata.row_group(g).num_rows for g in range(parquet.metadata.num_row_groups)]
            group = int(np.searchsorted(np.cumsum(sizes), row, side="right"))
            where = f"row group {group} of {self.files[shard].name}"
            cells = cells_of(parquet, "videos", where, groups=[group], most=2 * MOST_PICTURES)
            found = cells[row - sum(sizes[:group])] or []
            remember(self._kept, (shard, row), found, KEPT_ROWS)
        return found


@dataclass(frozen=True)
class CachedVideos:
    """Videos of one size and length in one file that is mapped into memory."""

    path: Path
    frames_per_second: float
    rows: Rows

    @property
    def n_videos(self) -> int:
        """Number of videos."""
        return len(self.rows)

    @property
    def identity(self) -> str:
        """The name of the file, which stands for its videos, and which of them."""
        return f"{self.path.name} {self.rows.tobytes().hex()}"

    def facts(self, row: int) -> VideoFacts:  # noqa: ARG002 - all videos of a cache are alike
        """Return number and rate of frames."""
        return VideoFacts(int(self._mapped.shape[1]), self.frames_per_second)

    def read(self, row: int, frames: Sequence[int] | Rows, size: int | None = None) -> Images:
        """Read frames of a video."""
        return resized(np.asarray(self._mapped[self.rows[row], np.asarray(frames, dtype=np.intp)]), size)

    def take(self, rows: Rows) -> CachedVideos:
        """Return some of the videos."""
        return replace(self, rows=self.rows[rows])

    @property
    def _mapped(self) -> NDArray[np.uint8]:
        return np.load(self.path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]


# -- decoding ----------------------------------------------------------------------------------------------------------------------


def import_av() -> Any:
    """Return the decoder of videos."""
    try:
        import av
    except ImportError as problem:
        raise MissingDependencyError("videos need PyAV: pip install 'causalkit[datasets]'") from problem
    return av


def probe(video: Path | BytesIO, where: str) -> VideoFacts:
    """Read the header of a video."""
    av = import_av()
    try:
        with av.open(_opened(video)) as container:
            stream = container.streams.video[0]
            return VideoFacts(int(stream.frames), float(stream.average_rate))
    except (av.FFmpegError, OSError, IndexError, TypeError) as problem:
        raise DataError(f"{where}: the video cannot be opened ({problem})") from problem


def decode(video: Path | BytesIO, frames: Sequence[int] | Rows, size: int | None, where: str) -> Images:
    """Decode frames by number; those before the last are decoded too, as they depend on one another."""
    av = import_av()
    wanted = np.asarray(frames, dtype=np.intp)
    if wanted.size and wanted.min() < 0:
        raise DataError(f"{where}: frames are numbered from 0; got {wanted.min()}")
    chosen, found = set(wanted.tolist()), dict[int, Images]()
    try:
        with av.open(_opened(video)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for number, frame in enumerate(islice(container.decode(stream), int(wanted.max(initial=-1)) + 1)):
                if frame.is_corrupt:
                    raise DataError(f"{where}: frame {number} is damaged")
                if number in chosen:
                    found[number] = _picture(frame, size)
    except (av.FFmpegError, OSError, IndexError) as problem:
        raise DataError(f"{where}: frame {len(found)} cannot be decoded ({problem})") from problem
    absent = sorted(chosen - found.keys())
    if absent:
        raise DataError(f"{where}: there is no frame {absent[0]}; the video ends before, or is cut off")
    return np.stack([found[k] for k in wanted.tolist()]) if wanted.size else np.zeros((0, 0, 0, 3), np.uint8)


def _opened(video: Path | BytesIO) -> Any:
    return str(video) if isinstance(video, Path) else video


def _picture(frame: Any, size: int | None) -> Images:
    if size is None:
        return np.asarray(frame.to_ndarray(format="rgb24"))
    small = frame.reformat(width=size, height=size, format="rgb24", interpolation="AREA")
    return np.asarray(small.to_ndarray())
