"""Decode once: all pictures or videos of a scene at one size, in one file that is mapped into memory.

The file takes its name only when it is whole. What could not be decoded stands, with its reason, in a note beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit.datasets._images import ImageSource
from causalkit.datasets._shards import OnError, unfinished_name
from causalkit.datasets._videos import VideoSource
from causalkit.exceptions import DataError

Lost: TypeAlias = dict[int, str]
BATCH, THREADS = 256, 2


def cached_pictures(source: ImageSource, size: int, path: Path, on_error: OnError) -> Lost:
    """Write the pictures, unless the file is there; return what could not be decoded."""

    def fill(out: NDArray[np.uint8], rows: Sequence[int]) -> None:
        out[rows] = source.read(np.asarray(rows, dtype=np.intp), size)

    parts = [list(range(k, min(k + BATCH, source.n_images))) for k in range(0, source.n_images, BATCH)]
    return _written(path, (source.n_images, size, size, 3), parts, fill, on_error)


def cached_videos(source: VideoSource, size: int, path: Path, on_error: OnError) -> Lost:
    """Write all frames of the videos, unless the file is there; return what could not be decoded."""
    length = source.facts(0).n_frames

    def fill(out: NDArray[np.uint8], rows: Sequence[int]) -> None:
        for row in rows:
            found = source.facts(row).n_frames
            if found != length:
                raise DataError(
                    f"video {row} has {found} frames and video 0 has {length}; a cache needs the same number"
                )
            out[row] = source.read(row, range(length), size)

    parts = [[k] for k in range(source.n_videos)]
    return _written(path, (source.n_videos, length, size, size, 3), parts, fill, on_error)


def _written(
    path: Path,
    shape: tuple[int, ...],
    parts: Sequence[list[int]],
    fill: Callable[[NDArray[np.uint8], Sequence[int]], None],
    on_error: OnError,
) -> Lost:
    lost = _noted(path) if path.exists() else _write(path, shape, parts, fill, on_error)
    if lost and on_error == "raise":
        row, reason = next(iter(lost.items()))
        raise DataError(f"row {row} is not in the cache {path.name}: {reason}")
    return lost


def _write(
    path: Path,
    shape: tuple[int, ...],
    parts: Sequence[list[int]],
    fill: Callable[[NDArray[np.uint8], Sequence[int]], None],
    on_error: OnError,
) -> Lost:
    from numpy.lib.format import open_memmap

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = unfinished_name(path)
    out = open_memmap(unfinished, mode="w+", dtype=np.uint8, shape=shape)

    def attempt(rows: list[int]) -> Lost:
        try:
            fill(out, rows)
        except DataError as problem:
            if on_error == "raise":
                raise
            return {rows[0]: str(problem)} if len(rows) == 1 else _joined(attempt([k]) for k in rows)
        return {}

    try:
        with ThreadPoolExecutor(THREADS) as pool:
            lost = _joined(pool.map(attempt, parts))
        out.flush()
        _note(path).unlink(missing_ok=True)
        if lost:
            _note(path).write_text(json.dumps(lost), encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return lost


def _joined(parts: Any) -> Lost:
    return {row: reason for part in parts for row, reason in part.items()}


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".lost.json")


def _noted(path: Path) -> Lost:
    note = _note(path)
    if not note.exists():
        return {}
    return {int(row): str(reason) for row, reason in json.loads(note.read_text(encoding="utf-8")).items()}
