"""A part of the pictures of a scene: row groups, chosen from the labels so that every value of every free factor is among them.

Rows are sorted by a factor: the first shard of "fall" has one value of ``u`` only. So a part must not be the first gigabytes. Row groups are taken one
after the other, each the one that adds most values not seen yet for its bytes, and when all were seen, all over again, until the budget is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from causalkit.datasets._images import Rows
from causalkit.datasets._inflating import MOST_PICTURES, check_inflated
from causalkit.datasets._reading import reading
from causalkit.datasets._shards import PART, Shard, Store, import_parquet, unfinished_name
from causalkit.exceptions import DataError

if TYPE_CHECKING:
    from causalkit.datasets._scene_data import SceneData

# More values than these are taken together in so many bins.
LEVELS = 20


@dataclass(frozen=True)
class Part:
    """A row group of a shard: its rows there, the bytes of its pictures, and the values that it holds."""

    shard: int
    group: int
    first: int
    rows: int
    size: int
    values: frozenset[tuple[int, int]] = field(repr=False)
    metadata: Any = field(repr=False, compare=False)

    def as_shard(self, store: Store) -> Shard:
        """Return it under a name of its own."""
        return Shard(f"{store.shards[self.shard].name}{PART}{self.group}", self.size)


def list_parts(store: Store, data: SceneData, shard: Rows, row: Rows) -> list[Part]:
    """Return the row groups of all shards; of each shard only the footer is read."""
    levels, parts = _levels(data), list[Part]()
    for number, file in enumerate(store.shards):
        with store.open(file) as opened:
            metadata = import_parquet().ParquetFile(opened).metadata
        first = 0
        for group in range(metadata.num_row_groups):
            rows = metadata.row_group(group).num_rows
            inside = (shard == number) & (row >= first) & (row < first + rows)
            held = levels[inside]
            values = frozenset((k, int(v)) for k in range(levels.shape[1]) for v in np.unique(held[:, k]))
            parts.append(
                Part(number, group, first, rows, _picture_bytes(metadata.row_group(group)), values, metadata)
            )
            first += rows
    return parts


def _picture_bytes(group: Any) -> int:
    columns = [group.column(k) for k in range(group.num_columns)]
    return sum(c.total_compressed_size for c in columns if c.path_in_schema.split(".")[0] == "image")


def _levels(data: SceneData) -> NDArray[np.intp]:
    """Return the number of the value, or of its bin, of every free factor; of every factor where none is known to be free."""
    names = data.info.names("exogenous") or tuple(data.latents.columns)
    return np.column_stack([_numbered(data.latents[name]) for name in names])


def _numbered(column: Any) -> NDArray[np.intp]:
    codes, values = column.factorize(sort=str(column.dtype) != "category")
    if len(values) <= LEVELS:
        return np.asarray(codes)
    order = np.argsort(np.argsort(codes, kind="stable"), kind="stable")
    return np.asarray(order * LEVELS // len(codes))


def choose(parts: Sequence[Part], budget: int) -> list[Part]:
    """Return row groups that fit, all values first."""
    left, chosen, seen = list(parts), list[Part](), set[tuple[int, int]]()
    while True:
        fitting = [part for part in left if part.size <= budget]
        if not fitting:
            break
        if all(part.values <= seen for part in fitting):
            seen = set()
        best = max(fitting, key=lambda p: (len(p.values - seen) / max(p.size, 1), -p.shard, -p.group))
        seen |= best.values
        budget -= best.size
        chosen.append(best)
        left.remove(best)
    return sorted(chosen, key=lambda p: (p.shard, p.group))


def coverage(parts: Sequence[Part], chosen: Sequence[Part], data: SceneData) -> str:
    """Say how many values of each free factor are among the chosen row groups."""
    names = data.info.names("exogenous") or tuple(data.latents.columns)
    every, held = (set().union(*(p.values for p in some)) for some in (parts, chosen))
    counts = [
        (name, *(sum(k == i for k, _ in some) for some in (held, every))) for i, name in enumerate(names)
    ]
    return ", ".join(f"{some} of {of} values of {name}" for name, some, of in counts)


def fetch(store: Store, part: Part) -> Path:
    """Read the pictures of a row group over the net into a file of its own, unless it is there."""
    shard = store.shards[part.shard]
    path = store.part(shard, part.group)
    if path is None:
        raise DataError(f"{shard.name} is here as a whole; parts are for what must be downloaded")
    if path.exists():
        return path
    parquet = import_parquet()
    with reading(f"row group {part.group} of {shard.name}"):
        with store.open(shard) as opened:
            whole = parquet.ParquetFile(opened, metadata=part.metadata, pre_buffer=True)
            check_inflated(
                whole, "image", part.group, f"row group {part.group} of {shard.name}", MOST_PICTURES
            )
            table = whole.read_row_group(part.group, columns=["image"])
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = unfinished_name(path)
        parquet.write_table(table, unfinished, compression="none")
        unfinished.replace(path)
    return path
