"""Video scenes: rows of parquet files with videos as text, or a folder with files of videos, records and trajectories.

What stays the same through a clip (gravity, the room, the objects) is the table of factors, under the names of the record: ``Global.Scene.gravity``. What moves
is read with the clips. Saved tensors (``latent/*.pt``) are not read: that would run code from a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from causalkit.datasets._images import Rows
from causalkit.datasets._labels import Problems, parse_record, read_texts
from causalkit.datasets._manifest import Factor, SceneInfo
from causalkit.datasets._recordings import Recordings, TrajectoryFiles, TrajectoryTexts, flat
from causalkit.datasets._scene_data import SceneData
from causalkit.datasets._shards import OnError, Store, import_parquet
from causalkit.datasets._videos import EncodedVideos, VideoFiles
from causalkit.exceptions import DataError

if TYPE_CHECKING:
    import pandas as pd

# Alphabetical, as users of the data found them.
ROBOT_VIEWS = ("agentview", "birdview", "frontview", "robot0_eye_in_hand", "sideview")
MOVING = "Dynamic"
NAMES = ("uuid", "id")


def is_video_folder(path: Path) -> bool:
    """Whether a folder has the layout of files."""
    return (path / "video").is_dir() and (path / "meta").is_dir()


# -- a folder of files -------------------------------------------------------------------------------------------------------------


def load_video_folder(
    info: SceneInfo, path: Path, *, videos: bool, on_error: OnError, seed: int
) -> SceneData:
    """Read records, and find the files of videos and trajectories."""
    problems = Problems(on_error)
    records = {f.stem.removesuffix("_meta"): f for f in sorted((path / "meta").glob("*.json"))}
    if not records:
        raise DataError(f"{path / 'meta'} has no <uuid>.json")
    read = {name: found for name, file in records.items() if (found := _record(file, problems)) is not None}
    if not videos:
        return _assembled(info, list(read.values()), list(read), ("",), None, problems, seed)
    files = _by_name(path / "video", list(read))
    views = tuple(sorted({view for name in read for view in files[name]["color"]}))
    if not views:
        raise DataError(f"{path / 'video'} has no <uuid>_<view>.mp4 of an instance in {path / 'meta'}")
    whole = [name for name in read if _complete(name, files[name]["color"], views, problems)]
    recordings = Recordings(
        VideoFiles(tuple(files[name]["color"][view] for name in whole for view in views)),
        views,
        _depth([files[name]["depth"] for name in whole], views),
        _trajectories(path / "meta", whole, len(views), problems),
    )
    return _assembled(info, [read[name] for name in whole], whole, views, recordings, problems, seed)


def _record(file: Path, problems: Problems) -> dict[str, Any] | None:
    try:
        return _parsed(file.read_text(encoding="utf-8"), str(file))
    except (DataError, OSError, UnicodeDecodeError) as problem:
        problems.add(problem if isinstance(problem, DataError) else DataError(f"{file}: {problem}"))
        return None


def _parsed(text: Any, where: str) -> dict[str, Any]:
    return flat({key: value for key, value in parse_record(text, where).items() if key != MOVING})


def _by_name(folder: Path, names: Sequence[str]) -> dict[str, dict[str, dict[str, Path]]]:
    """Return the files of every instance, by medium and view: ``<uuid>_<view>.mp4``, ``..._color.mp4`` or ``..._depth.mp4``."""
    known = set(names)
    out: dict[str, dict[str, dict[str, Path]]] = {name: {"color": {}, "depth": {}} for name in names}
    for file in sorted(folder.glob("*.mp4")):
        parts = file.stem.split("_")
        ends = [k for k in range(1, len(parts)) if "_".join(parts[:k]) in known]
        if ends:
            rest = parts[ends[-1] :]
            medium = rest[-1] if rest[-1] in ("color", "depth") and len(rest) > 1 else "color"
            view = "_".join(rest[:-1] if rest[-1] == medium else rest)
            out["_".join(parts[: ends[-1]])][medium][view] = file
    return out


def _complete(name: str, found: Mapping[str, Path], views: tuple[str, ...], problems: Problems) -> bool:
    absent = [view for view in views if view not in found]
    if absent:
        problems.add(DataError(f"instance {name} has no video of the view {absent[0]!r}; others have"))
    return not absent


def _depth(found: Sequence[Mapping[str, Path]], views: tuple[str, ...]) -> VideoFiles | None:
    if not any(found):
        return None
    try:
        return VideoFiles(tuple(files[view] for files in found for view in views))
    except KeyError as absent:
        raise DataError(f"some instances have depth, but not all in the view {absent}") from None


def _trajectories(
    folder: Path, names: Sequence[str], n_views: int, problems: Problems
) -> TrajectoryFiles | None:
    paths = [folder / f"{name}.npz" for name in names]
    absent = [path for path in paths if not path.exists()]
    if len(absent) == len(paths):
        return None
    if absent:
        problems.add(DataError(f"{absent[0]} is missing; other instances have trajectories"))
        return None
    return TrajectoryFiles(tuple(path for path in paths for _ in range(n_views)))


# -- parquet files -----------------------------------------------------------------------------------------------------------------


def load_video_shards(
    info: SceneInfo, store: Store, *, videos: bool, on_error: OnError, seed: int
) -> SceneData:
    """Read records from shards, and videos from them when they are asked for."""
    problems = Problems(on_error)
    records: list[dict[str, Any]] = []
    places: list[tuple[int, int]] = []
    for number, shard in enumerate(store.shards):
        for row, text in enumerate(read_texts(store, number)):
            try:
                records.append(_parsed(text, f"{shard.name}, row {row}: metavalue"))
                places.append((number, row))
            except DataError as problem:
                problems.add(problem)
    if not records:
        raise DataError(f"the shards of {info.name!r} have no rows that can be read")
    labels = [_name_of(record, info.name, *place) for record, place in zip(records, places, strict=True)]
    if not videos:
        return _assembled(info, records, labels, ("",), None, problems, seed, store.revision)
    files = tuple(store.whole(shard) for shard in store.shards)
    for path in files:
        _require_columns(path, ("videos", "npz_data"))
    shard_of, row_of = (np.repeat(column, len(ROBOT_VIEWS)) for column in np.array(places).T)
    view = np.tile(np.arange(len(ROBOT_VIEWS)), len(places))
    recordings = Recordings(
        EncodedVideos(files, shard_of, row_of, view),
        ROBOT_VIEWS,
        trajectories=TrajectoryTexts(files, shard_of, row_of),
    )
    return _assembled(info, records, labels, ROBOT_VIEWS, recordings, problems, seed, store.revision)


def _require_columns(path: Path, expected: tuple[str, ...]) -> None:
    names = import_parquet().read_schema(path).names
    for name in expected:
        if name not in names:
            raise DataError(f"{path.name} has the columns {', '.join(names)}; {name!r} is expected")


def _name_of(record: Mapping[str, Any], scene: str, shard: int, row: int) -> str:
    found = next((record[name] for name in NAMES if name in record), None)
    return f"{scene}-{shard}-{row}" if found is None else str(found)


# -- both --------------------------------------------------------------------------------------------------------------------------


def _assembled(
    info: SceneInfo,
    records: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    views: tuple[str, ...],
    recordings: Recordings | None,
    problems: Problems,
    seed: int,
    revision: str | None = None,
) -> SceneData:
    """Put the scene together, one row for each view of each instance."""
    import pandas as pd

    if not records:
        raise DataError(f"no instance of {info.name!r} can be read; the first problem: {problems.found[0]}")
    if len(set(names)) < len(names):
        twice = next(name for k, name in enumerate(names) if name in names[:k])
        raise DataError(f"there are two instances with the name {twice!r}")
    table = pd.DataFrame.from_records(list(records)).drop(columns=list(NAMES), errors="ignore")
    typed = pd.DataFrame({str(name): _typed(column) for name, column in table.items()})
    factors = tuple(
        Factor(name, "category" if typed[name].dtype == "category" else "number", "unknown")
        for name in typed.columns
    )
    groups: Rows = np.repeat(np.arange(len(records)), len(views))
    return SceneData(
        replace(info, factors=factors),
        typed.iloc[groups].reset_index(drop=True),
        np.tile(np.arange(len(views)), len(records)),
        groups,
        revision=revision,
        recordings=recordings,
        names=tuple(names),
        split_seed=seed,
        skipped=tuple(problems.found),
    )


def _typed(column: pd.Series) -> Any:
    """Return numbers as numbers, all else as categories."""
    numbers = column.map(lambda v: v is None or (isinstance(v, int | float) and not isinstance(v, bool)))
    if numbers.all():
        return column.astype(float)
    present = column.map(lambda v: v is not None and not (isinstance(v, float) and np.isnan(v)))
    return column.map(str).where(present).astype("category")
