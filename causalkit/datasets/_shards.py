"""Where the files of a data set lie: in a folder, or on the Hugging Face hub. Both list shards, open them for reading in parts, and give whole files.

On the hub a revision is resolved to a commit once, files are downloaded by `huggingface_hub` (which resumes broken transfers) into its cache, and a whole file is compared with
the checksum that the hub states before it is used. Reading a part asks for that part only.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, TypeAlias

from causalkit.exceptions import DataError, MissingDependencyError

__all__ = ["DownloadPlan"]

OnError: TypeAlias = Literal["raise", "skip"]
# Between the name of a shard and the number of a row group.
PART = "#"
LOGGER = logging.getLogger("causalkit.datasets")
COMMIT = re.compile("[0-9a-f]{40}")
SHARD = re.compile(r"(?P<split>[\w.-]+)-(?P<number>\d+)-of-(?P<total>\d+)\.parquet$")


@dataclass(frozen=True)
class Shard:
    """A file, with its size in bytes and its checksum, if that is known."""

    name: str
    size: int
    sha256: str | None = None


@dataclass(frozen=True)
class DownloadPlan:
    """What would be moved, before anything is.

    Parameters
    ----------
    what : str
        The data.
    files : tuple of Shard
        Files, with sizes in bytes.
    present : int
        Bytes that are here already.
    free : int
        Bytes that are free where they would go.
    """

    what: str
    files: tuple[Shard, ...] = field(repr=False)
    present: int
    free: int

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(shard.size for shard in self.files)

    @property
    def missing(self) -> int:
        """Bytes that are not here yet."""
        return self.bytes - self.present

    def __str__(self) -> str:
        return (
            f"{self.what}: {len(self.files)} files, {self.bytes / 1e9:.2f} GB, of which {self.present / 1e9:.2f} GB are here; "
            f"{self.missing / 1e9:.2f} GB to download, {self.free / 1e9:.1f} GB free"
        )


def check_plan(plan: DownloadPlan, max_bytes: int | None) -> None:
    """Refuse what does not fit, or is more than was allowed."""
    if max_bytes is not None and plan.missing > max_bytes:
        raise DataError(f"{plan}: more than max_bytes={max_bytes:,}; raise it, or load what='latents'")
    if plan.missing > plan.free:
        raise DataError(f"{plan}: there is no room; free some, or give another cache_dir")


class Store(Protocol):
    """Holds the shards of one scene."""

    @property
    def revision(self) -> str | None:
        """Commit, if there is one."""
        ...

    @property
    def shards(self) -> Sequence[Shard]:
        """Files, in order."""
        ...

    def open(self, shard: Shard) -> Any:
        """Open a shard for reading in parts."""
        ...

    def whole(self, shard: Shard) -> Path:
        """Return the path of a whole shard on this machine."""
        ...

    def plan(self, what: str, shards: Sequence[Shard] | None = None) -> DownloadPlan:
        """Return what would be moved to have shards here; by default all."""
        ...

    def kept_texts(self, shard: Shard) -> list[Any] | None:
        """Return the labels of a shard, if they were kept."""
        ...

    def keep_texts(self, shard: Shard, texts: list[Any]) -> None:
        """Keep the labels of a shard for the next time."""
        ...

    def part(self, shard: Shard, group: int) -> Path | None:
        """Return where a row group of a shard is, or would be kept by itself; None where shards are here as a whole."""
        ...


def of_split(names: Sequence[str], split: str) -> list[str]:
    """Return the names of the shards of a split, in order, and refuse a set with gaps."""
    found = sorted(
        (m for m in map(SHARD.search, names) if m and m["split"] == split), key=lambda m: int(m["number"])
    )
    numbers, totals = [int(m["number"]) for m in found], {int(m["total"]) for m in found}
    if found and (len(totals) > 1 or numbers != list(range(totals.pop()))):
        raise DataError(
            f"the shards of {split!r} are not complete: there are the numbers {numbers} ({found[0].string}, ...)"
        )
    return [m.string for m in found]


class Folder:
    """Shards in a folder, or in its subfolder ``data``."""

    def __init__(self, path: str | Path, split: str) -> None:
        root = Path(path)
        if not root.is_dir():
            raise DataError(
                f"{root} is no folder; give the one that holds {split}-00000-of-NNNNN.parquet, or its parent"
            )
        places = {p.name: p for p in [*root.glob("*.parquet"), *root.glob("data/*.parquet")]}
        names = of_split(sorted(places), split)
        if not names:
            others = sorted({m["split"] for m in map(SHARD.search, places) if m})
            raise DataError(
                f"{root} has no shards of {split!r}; there are shards of {', '.join(others) or 'nothing'}"
            )
        self._places = places
        self.revision: str | None = None
        self.shards = [Shard(name, places[name].stat().st_size) for name in names]

    def open(self, shard: Shard) -> Any:
        """Open a shard for reading in parts."""
        return self._places[shard.name].open("rb")

    def whole(self, shard: Shard) -> Path:
        """Return the path of a shard."""
        return self._places[shard.name]

    def plan(self, what: str, shards: Sequence[Shard] | None = None) -> DownloadPlan:
        """Return that all is here."""
        chosen = tuple(self.shards if shards is None else shards)
        return DownloadPlan(what, chosen, sum(shard.size for shard in chosen), 0)

    def kept_texts(self, shard: Shard) -> list[Any] | None:  # noqa: ARG002 - the shard itself is here
        """Return nothing."""
        return None

    def keep_texts(self, shard: Shard, texts: list[Any]) -> None:
        """Do nothing."""

    def part(self, shard: Shard, group: int) -> Path | None:  # noqa: ARG002 - the shard itself is here
        """Return nothing."""
        return None


class Hub:
    """Shards of a data set on the Hugging Face hub, or a server that speaks its protocol."""

    def __init__(
        self, repository: str, split: str, revision: str, endpoint: str | None, cache_dir: Path | None
    ) -> None:
        self._hub = import_hub()
        self._endpoint, self._cache = endpoint, cache_dir
        self.repository, self._split = repository, split
        self._notes = (
            (cache_dir or Path(self._hub.constants.HF_HUB_CACHE))
            / "causalkit"
            / repository.replace("/", "--")
        )
        kept = self._kept(revision)
        if kept is not None and (COMMIT.fullmatch(revision) or self._hub.constants.HF_HUB_OFFLINE):
            self.revision, self.shards = kept
        else:
            self.revision, self.shards = self._listed(revision)
            self._note(f"refs/{revision}", json.dumps(self.revision))
            self._note(f"{self.revision}/{split}.json", json.dumps([astuple(shard) for shard in self.shards]))

    def _listed(self, revision: str) -> tuple[str | None, list[Shard]]:
        """Ask the hub for the shards of the split."""
        api = self._hub.HfApi(endpoint=self._endpoint)
        try:
            commit = _commit(api.dataset_info(self.repository, revision=revision).sha, self.repository)
            tree = api.list_repo_tree(
                self.repository, "data", recursive=True, revision=commit, repo_type="dataset"
            )
            files = {f.path: f for f in tree if hasattr(f, "size")}
        except (self._hub.errors.HTTPError, self._hub.errors.HfHubHTTPError, OSError) as problem:
            known = self._kept(revision)
            hint = f"; with HF_HUB_OFFLINE=1 the labels of {known[0]} that are here are used" if known else ""
            raise DataError(
                f"cannot list {self.repository} at revision {revision!r}: {_short(problem)}{hint}"
            ) from problem
        names = of_split(list(files), self._split)
        if not names:
            raise DataError(f"{self.repository} has no shards of {self._split!r} at revision {commit}")
        sums = [files[n].lfs.sha256 if files[n].lfs else None for n in names]
        return commit, [Shard(n, files[n].size, known) for n, known in zip(names, sums, strict=True)]

    # -- what was found before -------------------------------------------------------------------------------------------------------

    def _kept(self, revision: str) -> tuple[str | None, list[Shard]] | None:
        """Return commit and shards as they were last listed."""
        try:
            commit = revision if COMMIT.fullmatch(revision) else json.loads(self._read(f"refs/{revision}"))
            return commit, [Shard(*entry) for entry in json.loads(self._read(f"{commit}/{self._split}.json"))]
        except (OSError, ValueError, TypeError):
            return None

    def _read(self, name: str) -> str:
        return self._inside(name).read_text(encoding="utf-8")

    def _inside(self, name: str) -> Path:
        """Return the place of a note, which never lies outside the folder of notes, whatever a server calls its files and commits."""
        path = Path(os.path.normpath(self._notes / name))
        if not path.is_relative_to(os.path.normpath(self._notes)):
            raise DataError(f"{name!r} leads out of the folder in which {self.repository} is kept")
        return path

    def _note(self, name: str, text: str) -> None:
        path = self._inside(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = unfinished_name(path)
            unfinished.write_text(text, encoding="utf-8")
            unfinished.replace(path)
        except OSError:
            LOGGER.info("%s is not writable; this will be asked for again", self._notes)

    def kept_texts(self, shard: Shard) -> list[Any] | None:
        """Return the labels of a shard, if they were kept."""
        try:
            texts = json.loads(self._read(f"{self.revision}/{shard.name}.labels.json"))
        except (OSError, ValueError):
            return None
        return texts if isinstance(texts, list) else None

    def keep_texts(self, shard: Shard, texts: list[Any]) -> None:
        """Keep the labels of a shard for the next time."""
        self._note(f"{self.revision}/{shard.name}.labels.json", json.dumps(texts))

    def part(self, shard: Shard, group: int) -> Path | None:
        """Return where a row group of a shard is kept by itself."""
        return self._inside(f"{self.revision}/{shard.name}.{group}.parquet")

    # -- files -----------------------------------------------------------------------------------------------------------------------

    def open(self, shard: Shard) -> Any:
        """Open a shard for reading in parts: the copy that is here, or over the net without reading ahead."""
        here = self._here(shard)
        if here is not None:
            return here.open("rb")
        system = self._hub.HfFileSystem(endpoint=self._endpoint, skip_instance_cache=True)
        return system.open(
            f"datasets/{self.repository}@{self.revision}/{shard.name}", "rb", cache_type="none"
        )

    def whole(self, shard: Shard) -> Path:
        """Download a shard, unless it is here, and compare it with its checksum."""
        try:
            path = Path(self._hub.hf_hub_download(self.repository, shard.name, **self._where()))
        except (self._hub.errors.HTTPError, self._hub.errors.HfHubHTTPError, OSError) as problem:
            raise DataError(
                f"cannot download {shard.name} of {self.repository}: {_short(problem)}"
            ) from problem
        if shard.sha256 is not None:
            verify(path, shard.sha256)
        return path

    def plan(self, what: str, shards: Sequence[Shard] | None = None) -> DownloadPlan:
        """Return what is missing in the cache."""
        chosen = tuple(self.shards if shards is None else shards)
        present = sum(shard.size for shard in chosen if self._here(shard) is not None)
        cache = self._cache or Path(self._hub.constants.HF_HUB_CACHE)
        existing = next(p for p in (cache, *cache.parents) if p.exists())
        return DownloadPlan(what, chosen, present, shutil.disk_usage(existing).free)

    def _here(self, shard: Shard) -> Path | None:
        """Return where the cache has a shard, or a part of one."""
        name, _, group = shard.name.partition(PART)
        if group:
            path = self.part(Shard(name, 0), int(group))
            return path if path is not None and path.exists() else None
        where = {key: value for key, value in self._where().items() if key != "endpoint"}
        found = self._hub.try_to_load_from_cache(self.repository, shard.name, **where)
        return Path(found) if isinstance(found, str) else None

    def _where(self) -> dict[str, Any]:
        return {
            "repo_type": "dataset",
            "revision": self.revision,
            "endpoint": self._endpoint,
            "cache_dir": self._cache,
        }


def _commit(found: Any, repository: str) -> str:
    """Return what a hub calls a commit, which becomes the name of a folder."""
    if not isinstance(found, str) or COMMIT.fullmatch(found) is None:
        raise DataError(
            f"the server of {repository} names the commit {str(found)[:80]!r}; 40 hexadecimal digits are expected"
        )
    return found


def import_parquet() -> Any:
    """Return the reader of parquet files."""
    try:
        import pyarrow.parquet
    except ImportError as problem:
        raise MissingDependencyError(
            "reading parquet needs pyarrow: pip install 'causalkit[datasets]'"
        ) from problem
    return pyarrow.parquet


def import_hub() -> Any:
    """Return the client of the hub."""
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.errors
    except ImportError as problem:
        raise MissingDependencyError(
            "reading from the hub needs huggingface_hub: pip install 'causalkit[datasets]', or give the folder of a copy with path=..."
        ) from problem
    return huggingface_hub


def _short(problem: Exception) -> str:
    return str(problem).strip().split("\n")[0][:300] or type(problem).__name__


def remember(kept: OrderedDict[Any, Any], key: Any, value: Any, most: int) -> None:
    """Keep a value and forget the oldest; threads may do so at the same time."""
    kept[key] = value
    while len(kept) > most:
        with suppress(KeyError):
            kept.popitem(last=False)


def unfinished_name(path: Path) -> Path:
    """Return a name beside a file, for this writer only, under which it is written until it is whole."""
    return path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")


def _forget(path: Path) -> None:
    """Remove a file of the hub's cache, which is a link to where its content lies."""
    content = path.resolve()
    for file in (path, content):
        with suppress(OSError):
            file.unlink()


def verify(path: Path, sha256: str) -> None:
    """Compare a file with its checksum; a note beside it spares the next comparison while it does not change."""
    stamp = f"{sha256} {path.stat().st_size} {path.stat().st_mtime_ns}"
    note = path.with_name(path.name + ".verified")
    if note.exists() and note.read_text() == stamp:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        _forget(path)
        raise DataError(
            f"{path} had the checksum {found[:12]}..., the hub states {sha256[:12]}...; it was removed from the cache: load again"
        )
    try:
        note.write_text(stamp)
    except OSError:
        LOGGER.info("%s is not writable; the checksum will be compared again", note.parent)
