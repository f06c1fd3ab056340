"""Videos of a scene with what moves in them: clips of a fixed length and time step, and the trajectories of their frames.

The step between the frames of a clip is in seconds. A video that is too short for a clip gives none; its frames are never spread differently, since a lag of two steps must mean
the same time in all clips.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import check_between, check_choice, check_count
from causalkit.datasets._images import Images, Rows
from causalkit.datasets._inflating import MOST_PICTURES, cells_of
from causalkit.datasets._shards import import_parquet
from causalkit.datasets._videos import VideoSource
from causalkit.exceptions import DataError, ParameterError

__all__ = ["Clip", "Clips", "Recordings"]

Medium: TypeAlias = Literal["color", "depth"]
Arrays: TypeAlias = dict[str, NDArray[np.float64]]
# A step is a whole number of frames up to this share of a frame.
ROUNDING = 1e-6


class TrajectorySource(Protocol):
    """Gives the arrays of moving things by row, time first."""

    def read(self, row: int) -> Arrays:
        """Return the arrays of a row."""
        ...

    def take(self, rows: Rows) -> Self:
        """Return some of the rows."""
        ...


@dataclass(frozen=True)
class TrajectoryFiles:
    """Trajectories in files of NumPy arrays, one file per instance."""

    paths: tuple[Path, ...]

    def read(self, row: int) -> Arrays:
        """Read the arrays of a row."""
        path = self.paths[row]
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return {
                    name: time_first(np.asarray(arrays[name], dtype=float), f"{path}, {name}")
                    for name in arrays.files
                }
        except (OSError, ValueError, zipfile.BadZipFile, EOFError) as problem:
            raise DataError(f"{path} cannot be read as arrays: {problem}") from problem

    def take(self, rows: Rows) -> TrajectoryFiles:
        """Return some of the rows."""
        return TrajectoryFiles(tuple(self.paths[k] for k in rows.tolist()))


@dataclass(frozen=True)
class TrajectoryTexts:
    """Trajectories as JSON text in a column of parquet files."""

    files: tuple[Path, ...]
    shard: Rows
    row: Rows

    def read(self, row: int) -> Arrays:
        """Read the arrays of a row."""
        path, at = self.files[self.shard[row]], int(self.row[row])
        parquet = import_parquet().ParquetFile(path)
        for number in range(parquet.metadata.num_row_groups):
            size = parquet.metadata.row_group(number).num_rows
            if at < size:
                where = f"row group {number} of {path.name}"
                text = cells_of(parquet, "npz_data", where, groups=[number], most=MOST_PICTURES)[at]
                return _arrays(text, f"{path.name}, row {self.row[row]}")
            at -= size
        raise DataError(f"{path.name} has no row {self.row[row]}")

    def take(self, rows: Rows) -> TrajectoryTexts:
        """Return some of the rows."""
        return replace(self, shard=self.shard[rows], row=self.row[rows])


def _arrays(text: Any, where: str) -> Arrays:
    try:
        record = json.loads(text)
        return {
            name: time_first(np.asarray(value, dtype=float), f"{where}, {name}")
            for name, value in record.items()
        }
    except (TypeError, ValueError, AttributeError) as problem:
        raise DataError(f"{where}: npz_data does not hold arrays of numbers ({problem})") from problem


def time_first(array: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    """Return an array with time as its first axis: (T,), (T, D), or from (objects, T, D) to (T, objects, D)."""
    if array.ndim not in (1, 2, 3):
        raise DataError(f"{where} has {array.ndim} axes; expected are (T, D), or (objects, T, D)")
    return np.moveaxis(array, 1, 0) if array.ndim == 3 else array


@dataclass(frozen=True)
class Recordings:
    """Videos of every row of a scene.

    Parameters
    ----------
    color : VideoSource
        Pictures.
    view_names : tuple of str
        Names of the views, by their numbers.
    depth : VideoSource or None
        Depth as grey pictures, 8 bit: not in metres.
    trajectories : TrajectorySource or None
        What moves.
    """

    color: VideoSource = field(repr=False)
    view_names: tuple[str, ...]
    depth: VideoSource | None = field(repr=False, default=None)
    trajectories: TrajectorySource | None = field(repr=False, default=None)

    def medium(self, name: Medium) -> VideoSource:
        """Return the videos of a medium.

        Parameters
        ----------
        name : {"color", "depth"}
            Which.

        Returns
        -------
        VideoSource
            Its videos.
        """
        check_choice("medium", name, ("color", "depth"))
        source = self.color if name == "color" else self.depth
        if source is None:
            raise DataError("these videos have no depth")
        return source

    def take(self, rows: Rows) -> Recordings:
        """Return some of the rows.

        Parameters
        ----------
        rows : numpy.ndarray of int
            Positions.

        Returns
        -------
        Recordings
            The same media and views.
        """
        return replace(
            self,
            color=self.color.take(rows),
            depth=None if self.depth is None else self.depth.take(rows),
            trajectories=None if self.trajectories is None else self.trajectories.take(rows),
        )

    def steps(self, seconds: float) -> int:
        """Return how many frames a time step is, by the rate of the first video; a clip of a video with another rate is an error.

        Parameters
        ----------
        seconds : float
            The step.

        Returns
        -------
        int
            Frames, at least 1.

        Raises
        ------
        ParameterError
            If it is not a whole number of frames.
        """
        check_between("stride_seconds", seconds, 0, np.inf)
        rate = self.color.facts(0).frames_per_second
        count = round(seconds * rate)
        if count < 1 or abs(seconds * rate - count) > ROUNDING * max(count, 1):
            near = sorted({max(int(np.floor(seconds * rate)), 1), int(np.ceil(seconds * rate))})
            allowed = " or ".join(f"{k / rate:.6g}" for k in near)
            raise ParameterError(
                f"stride_seconds={seconds} is {seconds * rate:.3g} frames at {rate:g} frames a second; take {allowed}"
            )
        return count


@dataclass(frozen=True)
class Clip:
    """Frames of one video, with the trajectories at the same times.

    Parameters
    ----------
    row : int
        Row of the scene.
    frames : numpy.ndarray of int, shape (t,)
        Numbers of the frames.
    images : numpy.ndarray of uint8, shape (t, height, width, 3)
        Pictures.
    trajectories : dict of str to numpy.ndarray, shape (t, ...)
        What moves, at these frames; empty if it was not published.
    """

    row: int
    frames: Rows
    images: Images = field(repr=False)
    trajectories: Arrays = field(repr=False)


@dataclass(frozen=True)
class Clips:
    """Clips of one length and time step; each is decoded when it is asked for.

    Parameters
    ----------
    recordings : Recordings
        The videos.
    rows, starts : numpy.ndarray of int, shape (n,)
        Row and first frame of each clip.
    n_frames, step : int
        Frames of a clip, and how many frames of the video one is after the other.
    length : int
        Frames that every video must have.
    size : int or None
        Height and width to which pictures are brought.
    medium : {"color", "depth"}
        What is shown.
    """

    recordings: Recordings = field(repr=False)
    rows: Rows = field(repr=False)
    starts: Rows = field(repr=False)
    n_frames: int
    step: int
    length: int
    size: int | None
    medium: Medium

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, k: Any) -> Any:
        """Decode a clip; a slice gives clips that are not decoded yet."""
        if isinstance(k, slice):
            return replace(self, rows=self.rows[k], starts=self.starts[k])
        at = range(len(self))[k]
        row = int(self.rows[at])
        frames = self.starts[at] + self.step * np.arange(self.n_frames)
        medium = self.recordings.medium(self.medium)
        rates = [medium.facts(k).frames_per_second for k in (0, row)]
        if abs(rates[0] - rates[1]) > ROUNDING * rates[0]:
            raise DataError(
                f"row {row} has {rates[1]:g} frames a second and row 0 has {rates[0]:g}, so that {self.step} frames are not the same time; take rows of one rate"
            )
        images = medium.read(row, frames, self.size)
        return Clip(row, frames, images, self._trajectories(row, frames))

    def __iter__(self) -> Iterator[Clip]:
        return (self[k] for k in range(len(self)))

    def _trajectories(self, row: int, frames: Rows) -> Arrays:
        if self.recordings.trajectories is None:
            return {}
        arrays = self.recordings.trajectories.read(row)
        for name, array in arrays.items():
            if len(array) != self.length:
                raise DataError(
                    f"row {row}: {name} has {len(array)} times and the video {self.length} frames; they do not belong together"
                )
        return {name: array[frames] for name, array in arrays.items()}

    def as_torch(self) -> Any:
        """Return a data set of torch.

        Returns
        -------
        torch.utils.data.Dataset
            Items are dicts of ``video`` (float32 from 0 to 1, shape (t, 3, height, width)), ``row``, ``frames``, and every trajectory
            by its name (float32).

        Raises
        ------
        MissingDependencyError
            If torch is not installed.
        """
        from causalkit.datasets._torch import clip_dataset

        return clip_dataset(self)


def make_clips(
    recordings: Recordings,
    n_rows: int,
    frames: int,
    stride_seconds: float,
    every_seconds: float | None,
    size: int | None,
    medium: Medium,
) -> Clips:
    """Lay clips over all videos, as many as fit into the length of the first."""
    check_count("frames", frames)
    if size is not None:
        check_count("size", size)
    step, length = recordings.steps(stride_seconds), recordings.medium(medium).facts(0).n_frames
    span = step * (frames - 1) + 1
    if span > length:
        most = (length - 1) // step + 1
        raise ParameterError(
            f"{frames} frames, {step} apart, need {span} frames, and videos have {length}: at this stride a clip has {most} at most"
        )
    between = step * frames if every_seconds is None else recordings.steps(every_seconds)
    starts = np.arange(0, length - span + 1, between)
    rows = np.repeat(np.arange(n_rows), len(starts))
    return Clips(recordings, rows, np.tile(starts, n_rows), frames, step, length, size, medium)


def flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested record with one key per value: ``Global.Scene.gravity``, ``Object.0.path``."""
    out: dict[str, Any] = {}
    for key, value in record.items():
        name = f"{prefix}{key}"
        if isinstance(value, list):
            value = {str(k): entry for k, entry in enumerate(value)}
        if isinstance(value, Mapping):
            out |= flat(value, f"{name}.")
        else:
            out[name] = value
    return out
