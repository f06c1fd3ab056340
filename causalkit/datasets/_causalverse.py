"""Scenes of CausalVerse as they were published: factors first, pictures if they are asked for.

A shard is a parquet file with pictures of a gigabyte and factors of some kilobytes. Reading only the columns of factors, in parts, gives the ground truth of a scene without
its pictures. Pictures are downloaded shard by shard, of this scene only, and decoded when they are read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from causalkit._validation import check_choice
from causalkit.datasets._labels import Problems, build_table, read_labels
from causalkit.datasets._manifest import SceneInfo, describe
from causalkit.datasets._parquet_images import ParquetImages
from causalkit.datasets._partial import Part, choose, coverage, fetch, list_parts
from causalkit.datasets._reading import require_pandas
from causalkit.datasets._scene_data import SceneData
from causalkit.datasets._shards import (
    SHARD,
    DownloadPlan,
    Folder,
    Hub,
    OnError,
    Store,
    check_plan,
    import_hub,
)
from causalkit.datasets._video_scenes import is_video_folder, load_video_folder, load_video_shards
from causalkit.exceptions import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_causalverse", "plan_causalverse", "published_splits"]

What: TypeAlias = Literal["latents", "images", "videos"]
IfLarger: TypeAlias = Literal["raise", "sample"]
ORGANISATION = "CausalVerse"


@dataclass(frozen=True)
class Where:
    """Where data are looked for."""

    path: Path | None
    revision: str
    endpoint: str | None
    cache_dir: Path | None
    repository: str | None

    @classmethod
    def of(
        cls,
        path: str | Path | None,
        revision: str,
        endpoint: str | None,
        cache_dir: str | Path | None,
        repository: str | None,
    ) -> Where:
        """Read paths."""
        folders = (None if folder is None else Path(folder) for folder in (path, cache_dir))
        own, cache = folders
        return cls(own, revision, endpoint, cache, repository)


def load_causalverse(
    scene: str,
    what: What = "latents",
    *,
    path: str | Path | None = None,
    revision: str = "main",
    repository: str | None = None,
    endpoint: str | None = None,
    cache_dir: str | Path | None = None,
    max_bytes: int | None = None,
    if_larger: IfLarger = "raise",
    on_error: OnError = "raise",
    split_seed: int = 0,
) -> SceneData:
    """Load a scene of CausalVerse.

    Parameters
    ----------
    scene : str
        Name of a scene, one of :func:`list_scenes`.
    what : {"latents", "images", "videos"}, default="latents"
        ``"latents"`` reads factors only: kilobytes of each shard. ``"images"``, or ``"videos"`` for a video scene, downloads the shards of this scene, and of no
        other, too.
    path : str or pathlib.Path, optional
        Your copy: the folder with the parquet files, or for video scenes also a folder with ``video``, ``meta`` and ``latent``; nothing is downloaded then.
    revision : str, default="main"
        Branch or commit on the hub; what it stood for is in ``.revision``, and giving that makes a run repeatable.
    repository : str, optional
        Another repository of the hub. By default the one that is known; of scenes that were not published when this was written, the one of the organisation that has a
        split of this name.
    endpoint : str, optional
        Another server than that of the hub.
    cache_dir : str or pathlib.Path, optional
        Where downloads are kept; by default the cache of ``huggingface_hub``. Labels are kept there too, so that a commit that was seen before, or anything with
        ``HF_HUB_OFFLINE=1``, needs no network.
    max_bytes : int, optional
        Do not download more than this.
    if_larger : {"raise", "sample"}, default="raise"
        What to do with pictures that are more than `max_bytes`: refuse, or download row groups that together hold every value of every free factor as far as
        the budget reaches. These parts cannot be compared with the checksum of the whole file.
    on_error : {"raise", "skip"}, default="raise"
        Refuse records that cannot be read, or leave them out and say in ``.skipped`` which they were.
    split_seed : int, default=0
        Seed of ``.splits()``.

    Returns
    -------
    SceneData
        Factors, graph, views, groups, and pictures or videos if asked for. Values that stand for "not worn" are missing.

    Raises
    ------
    ParameterError
        If there is no such scene, or it does not have what is asked for.
    DataError
        If the scene is not on the hub; if it cannot be reached; if a file is incomplete, tampered with, or does not have the columns and keys
        that are expected (with file, row and key); if views of an instance disagree.
    MissingDependencyError
        If ``pip install causalkit[datasets]`` is needed.

    Notes
    -----
    The layouts were taken from the cards of the data sets, from the authors' code and from users. This loader has been run against a server that speaks the protocol of the
    hub and against files of these layouts, and not yet against the hub itself. For the robot in the kitchen the order of the five views is that which users report. Saved tensors
    of the folder layout (``latent/*.pt``) are not read, as that would run code from a file.

    Examples
    --------
    >>> from causalkit.datasets import load_causalverse
    >>> load_causalverse("fall").graph  # doctest: +SKIP
    """
    require_pandas()
    info = describe(scene)
    check_choice("what", what, ("latents", f"{info.kind}s"))
    check_choice("if_larger", if_larger, ("raise", "sample"))
    check_choice("on_error", on_error, ("raise", "skip"))
    where = Where.of(path, revision, endpoint, cache_dir, repository)
    if info.kind == "video":
        return _load_videos(info, where, what == "videos", max_bytes, on_error, split_seed)
    store = _store(info, where)
    problems = Problems(on_error)
    labels = read_labels(store, problems)
    data = build_table(info, labels, store.revision, problems, split_seed)
    if what == "latents":
        return data
    plan = store.plan(f"pictures of {scene}")
    if max_bytes is not None and plan.missing > max_bytes and if_larger == "sample":
        return _with_parts(data, store, labels, _parts(data, store, labels, max_bytes)[1])
    check_plan(plan, max_bytes)
    files = tuple(store.whole(shard) for shard in store.shards)
    return replace(data, images=ParquetImages(files, labels["shard"].to_numpy(), labels["row"].to_numpy()))


def plan_causalverse(
    scene: str,
    *,
    path: str | Path | None = None,
    revision: str = "main",
    repository: str | None = None,
    endpoint: str | None = None,
    cache_dir: str | Path | None = None,
    max_bytes: int | None = None,
) -> DownloadPlan:
    """Say what loading the pictures or videos of a scene would move, without moving it.

    Parameters
    ----------
    scene : str
        Name of a scene.
    path, revision, repository, endpoint, cache_dir : optional
        As for :func:`load_causalverse`.
    max_bytes : int, optional
        Plan the part of an image scene that ``if_larger="sample"`` would download; the plan says which values it covers. Needs the labels, which are read.

    Returns
    -------
    DownloadPlan
        Files, bytes, what is here already, and free disk; printable.

    Examples
    --------
    >>> from causalkit.datasets import plan_causalverse
    >>> print(plan_causalverse("fall"))  # doctest: +SKIP
    """
    info = describe(scene)
    where = Where.of(path, revision, endpoint, cache_dir, repository)
    store = _store(info, where)
    plan = store.plan(f"{info.kind}s of {scene}")
    if max_bytes is None or plan.missing <= max_bytes or info.kind == "video":
        return plan
    problems = Problems("skip")
    labels = read_labels(store, problems)
    data = build_table(info, labels, store.revision, problems, 0)
    parts, chosen = _parts(data, store, labels, max_bytes)
    covered = coverage(parts, chosen, data)
    what = f"a part of the images of {scene}, {len(chosen)} of {len(parts)} row groups with {covered}"
    return store.plan(what, [part.as_shard(store) for part in chosen])


def published_splits(*, endpoint: str | None = None) -> dict[str, tuple[str, ...]]:
    """Ask the hub which data sets CausalVerse has published, and which splits, each a scene, they have.

    Parameters
    ----------
    endpoint : str, optional
        Another server than that of the hub.

    Returns
    -------
    dict of str to tuple of str
        Splits of every repository, by the names of its parquet files.

    Raises
    ------
    DataError
        If the hub cannot be reached.

    Examples
    --------
    >>> from causalkit.datasets import published_splits
    >>> published_splits()  # doctest: +SKIP
    """
    hub = import_hub()
    api = hub.HfApi(endpoint=endpoint)
    try:
        names = [found.id for found in api.list_datasets(author=ORGANISATION)]
        files = {name: api.list_repo_files(name, repo_type="dataset") for name in names}
    except (hub.errors.HTTPError, hub.errors.HfHubHTTPError, OSError) as problem:
        raise DataError(f"cannot list the data sets of {ORGANISATION}: {problem}") from problem
    return {
        name: tuple(sorted({m["split"] for m in map(SHARD.search, listed) if m}))
        for name, listed in sorted(files.items())
    }


def _store(info: SceneInfo, where: Where) -> Store:
    split = info.split or info.name
    if where.path is not None:
        return Folder(where.path, split)
    repository = where.repository or info.hub or _search(info, where)
    return Hub(repository, split, where.revision, where.endpoint, where.cache_dir)


def _search(info: SceneInfo, where: Where) -> str:
    """Return the repository that has a scene which was not published when the manifest was written."""
    published = published_splits(endpoint=where.endpoint)
    found = [name for name, splits in published.items() if info.name in splits]
    if not found:
        listed = "; ".join(
            f"{name}: {', '.join(splits) or 'no parquet files'}" for name, splits in published.items()
        )
        raise DataError(
            f"scene {info.name!r} is not on the hub under this name. {ORGANISATION} has {listed or 'nothing'}. "
            "Give repository=... if it is one of these, or path=... for your copy"
        )
    return found[0]


def _load_videos(
    info: SceneInfo, where: Where, videos: bool, max_bytes: int | None, on_error: OnError, seed: int
) -> SceneData:
    if where.path is not None and is_video_folder(where.path):
        return load_video_folder(info, where.path, videos=videos, on_error=on_error, seed=seed)
    store = _store(info, where)
    if videos:
        check_plan(store.plan(f"videos of {info.name}"), max_bytes)
    return load_video_shards(info, store, videos=videos, on_error=on_error, seed=seed)


# -- a part of the pictures --------------------------------------------------------------------------------------------------------


def _parts(data: SceneData, store: Store, labels: pd.DataFrame, budget: int) -> tuple[list[Part], list[Part]]:
    """Return all row groups, and those that fit a budget and hold as many values as possible."""
    parts = list_parts(store, data, labels["shard"].to_numpy(), labels["row"].to_numpy())
    chosen = choose(parts, budget)
    if not chosen:
        smallest = min(part.size for part in parts)
        raise DataError(f"max_bytes={budget:,} is less than the smallest row group, {smallest:,} bytes")
    return parts, chosen


def _with_parts(data: SceneData, store: Store, labels: pd.DataFrame, chosen: list[Part]) -> SceneData:
    """Download row groups, and return their rows."""
    check_plan(store.plan("a part of the pictures", [part.as_shard(store) for part in chosen]), None)
    shard, row = labels["shard"].to_numpy(), labels["row"].to_numpy()
    inside = [
        np.flatnonzero((shard == p.shard) & (row >= p.first) & (row < p.first + p.rows)) for p in chosen
    ]
    rows = np.concatenate(inside)
    part_of = np.repeat(np.arange(len(chosen)), [len(some) for some in inside])
    first = np.array([p.first for p in chosen])[part_of]
    files = tuple(fetch(store, part) for part in chosen)
    return replace(data.take(rows), images=ParquetImages(files, part_of, row[rows] - first))
