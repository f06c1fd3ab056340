"""Scenes of CausalVerse as they were published: factors first, pictures if they are asked for.

A shard is a parquet file with pictures of a gigabyte and factors of some kilobytes. Reading only the columns of factors, in parts, gives the ground truth of a scene without
its pictures. Pictures are downloaded shard by shard, of this scene only, and decoded when they are read.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import check_choice
from causalkit.datasets._images import Images, Rows, check_size, resized
from causalkit.datasets._manifest import Factor, SceneInfo, describe
from causalkit.datasets._scene_data import SceneData, require_pandas
from causalkit.datasets._shards import DownloadPlan, Folder, Hub, Store, check_plan
from causalkit.exceptions import DataError, MissingDependencyError, ParameterError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_causalverse", "plan_causalverse"]

What: TypeAlias = Literal["latents", "images"]
NOT_FACTORS = ("id", "view")
KEPT_ROW_GROUPS = 2
THREADS = 4


def load_causalverse(
    scene: str,
    what: What = "latents",
    *,
    path: str | Path | None = None,
    revision: str = "main",
    endpoint: str | None = None,
    cache_dir: str | Path | None = None,
    max_bytes: int | None = None,
) -> SceneData:
    """Load an image scene of CausalVerse.

    Parameters
    ----------
    scene : str
        Name of an image scene, one of ``list_scenes(kind="image")``.
    what : {"latents", "images"}, default="latents"
        ``"latents"`` reads factors only: kilobytes of each shard. ``"images"`` downloads the shards of this scene, and of no other, too.
    path : str or pathlib.Path, optional
        Folder with the parquet files of your copy; nothing is downloaded then.
    revision : str, default="main"
        Branch or commit on the hub; what it stood for is in ``.revision``, and giving that makes a run repeatable.
    endpoint : str, optional
        Another server than that of the hub.
    cache_dir : str or pathlib.Path, optional
        Where downloads are kept; by default the cache of ``huggingface_hub``.
    max_bytes : int, optional
        Refuse to download more than this.

    Returns
    -------
    SceneData
        Factors, graph, views, groups, and pictures if asked for. Values that stand for "not worn" are missing.

    Raises
    ------
    ParameterError
        If there is no such scene.
    DataError
        If the scene is a video scene or not on the hub; if it cannot be reached; if a file is incomplete, tampered with, or does not have the columns and keys
        that are expected (with file, row and key); if views of an instance disagree.
    MissingDependencyError
        If ``pip install causalkit[datasets]`` is needed.

    Notes
    -----
    The layout was taken from the card of the data set and from users of it. This loader has been run against a server that speaks the protocol of the hub and against
    files of that layout, and not yet against the hub itself.

    Examples
    --------
    >>> from causalkit.datasets import load_causalverse
    >>> load_causalverse("fall").graph  # doctest: +SKIP
    """
    require_pandas()
    check_choice("what", what, ("latents", "images"))
    info, store = _store(scene, path, revision, endpoint, cache_dir)
    labels = _stacked([_read_labels(store, number) for number in range(len(store.shards))])
    data = _scene(info, labels, store.revision)
    if what == "latents":
        return data
    check_plan(store.plan(f"pictures of {scene}"), max_bytes)
    files = tuple(store.whole(shard) for shard in store.shards)
    source = ParquetImages(files, labels["shard"].to_numpy(), labels["row"].to_numpy())
    return SceneData(data.info, data.latents, data.views, data.groups, source, None, store.revision)


def plan_causalverse(
    scene: str,
    *,
    path: str | Path | None = None,
    revision: str = "main",
    endpoint: str | None = None,
    cache_dir: str | Path | None = None,
) -> DownloadPlan:
    """Say what loading the pictures of a scene would move, without moving it.

    Parameters
    ----------
    scene : str
        Name of an image scene.
    path, revision, endpoint, cache_dir : optional
        As for :func:`load_causalverse`.

    Returns
    -------
    DownloadPlan
        Files, bytes, what is here already, and free disk; printable.

    Examples
    --------
    >>> from causalkit.datasets import plan_causalverse
    >>> print(plan_causalverse("fall"))  # doctest: +SKIP
    """
    return _store(scene, path, revision, endpoint, cache_dir)[1].plan(f"pictures of {scene}")


def _store(
    scene: str, path: str | Path | None, revision: str, endpoint: str | None, cache_dir: str | Path | None
) -> tuple[SceneInfo, Store]:
    info = describe(scene)
    if info.kind != "image":
        where = (
            "is on the hub, but videos are not read yet"
            if info.hub
            else "is not on the hub, as far as is known"
        )
        raise DataError(f"scene {scene!r} has videos and {where}; image scenes: list_scenes(kind='image')")
    if info.split is None or info.hub is None:
        raise DataError(f"scene {scene!r} is not on the hub, as far as is known")
    if path is not None:
        return info, Folder(path, info.split)
    return info, Hub(info.hub, info.split, revision, endpoint, None if cache_dir is None else Path(cache_dir))


# -- factors -----------------------------------------------------------------------------------------------------------------------


def _stacked(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of all shards, in order."""
    import pandas as pd

    return pd.concat(frames, ignore_index=True)


def import_parquet() -> Any:
    """Return the reader of parquet files."""
    try:
        import pyarrow.parquet
    except ImportError as problem:
        raise MissingDependencyError(
            "reading parquet needs pyarrow: pip install 'causalkit[datasets]'"
        ) from problem
    return pyarrow.parquet


def _read_labels(store: Store, number: int) -> pd.DataFrame:
    """Return the factors of one shard, one row each, with the place of every row; only the columns of labels are read."""
    import pandas as pd

    shard = store.shards[number]
    with store.open(shard) as file:
        try:
            parquet = import_parquet().ParquetFile(file, pre_buffer=True)
            names = parquet.schema_arrow.names
            table = parquet.read(columns=["metavalue"])
        except (OSError, ValueError) as problem:
            raise DataError(f"{shard.name} cannot be read as parquet: {problem}") from problem
    if "metavalue" not in names:
        raise DataError(f"{shard.name} has the columns {', '.join(names)}; 'metavalue' is expected")
    texts = table.column("metavalue").to_pylist()
    records = [_parse(text, shard.name, row) for row, text in enumerate(texts)]
    return pd.DataFrame.from_records(records).assign(
        shard=number, row=np.arange(len(records)), file=shard.name
    )


def _parse(text: Any, name: str, row: int) -> dict[str, Any]:
    try:
        record = json.loads(text)
    except (TypeError, ValueError) as problem:
        raise DataError(
            f"{name}, row {row}: metavalue is not JSON ({problem}): {str(text)[:60]!r}"
        ) from problem
    if not isinstance(record, dict):
        raise DataError(f"{name}, row {row}: metavalue is {type(record).__name__}; an object is expected")
    return record


def _scene(info: SceneInfo, labels: pd.DataFrame, revision: str | None) -> SceneData:
    """Build the typed table, views and groups from the records of all shards."""
    if not len(labels):
        raise DataError(f"the shards of {info.name!r} have no rows")
    keys = [factor.name for factor in info.factors]
    for name in keys if info.views is None else [*keys, *NOT_FACTORS]:
        _require(labels, name)
    latents = _typed_table(info, labels)
    n = len(labels)
    views = _integers(labels, "view") if "view" in labels else np.zeros(n, dtype=np.intp)
    groups = _integers(labels, "id") if "id" in labels else np.arange(n)
    if info.views is not None:
        _check_views(latents, groups, labels)
    return SceneData(info, latents, views, groups, revision=revision)


def _shown(value: Any) -> str:
    return repr(value.item() if isinstance(value, np.generic) else value)


def _integers(labels: pd.DataFrame, name: str) -> Rows:
    values = labels[name].map(
        lambda v: isinstance(v, int | float) and not isinstance(v, bool) and v == int(v) and abs(v) < 2**53
    )
    wrong = np.flatnonzero(~values.to_numpy(dtype=bool))
    if wrong.size:
        at = labels.iloc[int(wrong[0])]
        raise DataError(
            f"{at['file']}, row {at['row']}: {name} is {_shown(at[name])}; an integer is expected"
        )
    return labels[name].to_numpy(dtype=np.intp)


def _require(labels: pd.DataFrame, name: str) -> None:
    if name not in labels:
        found = [c for c in labels.columns if c not in ("shard", "row", "file")]
        raise DataError(f"metavalue has no key {name!r}; it has {', '.join(found)}: the layout has changed")
    absent = labels[name].isna().to_numpy() if name in NOT_FACTORS else np.zeros(len(labels), dtype=bool)
    if absent.any():
        at = labels.iloc[int(np.flatnonzero(absent)[0])]
        raise DataError(f"{at['file']}, row {at['row']}: no {name!r}")


def _typed_table(info: SceneInfo, labels: pd.DataFrame) -> pd.DataFrame:
    """Return factors with their types; sentinels are missing, categories categorical; keys that are not in the manifest are kept at the end."""
    import pandas as pd

    known = [factor.name for factor in info.factors]
    others = [c for c in labels.columns if c not in (*known, *NOT_FACTORS, "shard", "row", "file")]
    columns = {f.name: _typed(labels, f, info.sentinels.get(f.name)) for f in info.factors}
    return pd.DataFrame({**columns, **{name: _extra(labels[name]) for name in others}})


def _extra(column: pd.Series) -> pd.Series:
    """Return a column that the manifest does not know: numbers as they are, all else as categories of its JSON text."""
    if column.dtype.kind in "iuf":
        return column
    return column.map(lambda value: value if isinstance(value, str) else json.dumps(value)).astype("category")


def _typed(labels: pd.DataFrame, factor: Factor, sentinel: float | None) -> Any:
    column = labels[factor.name]
    if sentinel is not None:
        column = column.mask(column == sentinel)
    if factor.type == "category":
        nested = np.flatnonzero(column.map(lambda value: isinstance(value, list | dict)).to_numpy())
        if nested.size:
            at = labels.iloc[int(nested[0])]
            raise DataError(
                f"{at['file']}, row {at['row']}: {factor.name} is {_shown(at[factor.name])}; one value is expected"
            )
        return column.astype("category")
    numbers = column.map(_as_number)
    wrong = np.flatnonzero(numbers.isna().to_numpy() & column.notna().to_numpy())
    if wrong.size:
        at = labels.iloc[int(wrong[0])]
        raise DataError(
            f"{at['file']}, row {at['row']}: {factor.name} is {_shown(at[factor.name])}; a number is expected"
        )
    return numbers.astype(float)


def _as_number(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
    return float(value) if number else float("nan")


def _check_views(latents: pd.DataFrame, groups: Rows, labels: pd.DataFrame) -> None:
    """Refuse instances whose views have different factors, or that have one view twice."""
    known = [name for name in latents if latents[name].dtype.kind in "iuf"]
    different = latents[known].groupby(groups).nunique(dropna=False).gt(1).any(axis=1)
    if different.any():
        instance = different.index[int(different.to_numpy().argmax())]
        rows = labels[groups == instance]
        raise DataError(
            f"instance {instance} has different factors in its views ({rows['file'].iloc[0]}, rows {rows['row'].tolist()})"
        )
    twice = labels.duplicated(["id", "view"])
    if twice.any():
        at = labels[twice].iloc[0]
        raise DataError(f"{at['file']}, row {at['row']}: instance {at['id']} has view {at['view']} twice")


# -- pictures ----------------------------------------------------------------------------------------------------------------------


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
        with ThreadPoolExecutor(THREADS) as pool:
            pictures = list(
                pool.map(lambda k: resized(self._decode(blobs[int(k)], int(k))[None], size)[0], rows)
            )
        check_size(pictures)
        return np.stack(pictures) if pictures else np.zeros((0, 0, 0, 3), dtype=np.uint8)

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
            metadata = import_parquet().read_metadata(self.files[shard])
            sizes = [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)]
            self._known_ends[shard] = np.cumsum(sizes)
        return self._known_ends[shard]

    def _group(self, shard: int, number: int) -> list[Any]:
        key = (shard, number)
        if key not in self._kept:
            parquet = import_parquet().ParquetFile(self.files[shard])
            if "image" not in parquet.schema_arrow.names:
                raise DataError(f"{self.files[shard].name} has no column 'image'")
            column = parquet.read_row_group(number, columns=["image"])
            self._kept[key] = column.column("image").to_pylist()
            while len(self._kept) > KEPT_ROW_GROUPS:
                self._kept.popitem(last=False)
        return self._kept[key]

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
    try:
        import cv2
    except ImportError:
        return _decode_by_pillow(data)
    found = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    if found is None:
        raise ParameterError("not a picture")
    return np.asarray(found[:, :, ::-1])


def _decode_by_pillow(data: bytes) -> Images:
    try:
        from PIL import Image
    except ImportError as problem:
        raise MissingDependencyError(
            "decoding pictures needs Pillow: pip install 'causalkit[datasets]'"
        ) from problem
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"))
