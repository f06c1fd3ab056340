"""The factors of an image scene: records of JSON text, read from shards without their pictures, and the typed table that they make."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from causalkit.datasets._images import Rows
from causalkit.datasets._inflating import MOST_LABELS, cells_of
from causalkit.datasets._manifest import Factor, SceneInfo
from causalkit.datasets._reading import reading
from causalkit.datasets._scene_data import SceneData
from causalkit.datasets._shards import OnError, Store, import_parquet
from causalkit.exceptions import DataError

if TYPE_CHECKING:
    import pandas as pd

# Shards that are asked for their labels at a time.
THREADS = 8
NOT_FACTORS = ("id", "view")


class Problems:
    """Raises what is wrong with a row, or notes it."""

    def __init__(self, on_error: OnError) -> None:
        self.on_error = on_error
        self.found: list[str] = []

    def add(self, problem: DataError) -> None:
        """Raise, or remember."""
        if self.on_error == "raise":
            raise problem
        self.found.append(str(problem))


def read_labels(store: Store, problems: Problems) -> pd.DataFrame:
    """Return the factors of all shards, one row each, with the place of every row."""
    import pandas as pd

    with ThreadPoolExecutor(THREADS) as pool:
        texts = list(pool.map(lambda k: read_texts(store, k), range(len(store.shards))))
    parts = [_of_shard(store.shards[k].name, k, found, problems) for k, found in enumerate(texts)]
    return pd.concat(parts, ignore_index=True)


def _of_shard(name: str, number: int, texts: Sequence[Any], problems: Problems) -> pd.DataFrame:
    import pandas as pd

    records, rows = [], []
    for row, text in enumerate(texts):
        try:
            records.append(parse_record(text, f"{name}, row {row}: metavalue"))
            rows.append(row)
        except DataError as problem:
            problems.add(problem)
    return pd.DataFrame.from_records(records).assign(
        shard=number, row=np.array(rows, dtype=np.intp), file=name
    )


def read_texts(store: Store, number: int) -> Sequence[Any]:
    """Return the records of a shard as text; only their column is read, and kept for the next time."""
    shard = store.shards[number]
    kept = store.kept_texts(shard)
    if kept is not None:
        return kept
    with reading(f"{shard.name}, as parquet,"), store.open(shard) as file:
        parquet = import_parquet().ParquetFile(file, pre_buffer=True)
        names = parquet.schema_arrow.names
        if "metavalue" not in names:
            raise DataError(f"{shard.name} has the columns {', '.join(names)}; 'metavalue' is expected")
        texts = cells_of(parquet, "metavalue", f"the labels of {shard.name}", most=MOST_LABELS)
    store.keep_texts(shard, texts)
    return texts


def parse_record(text: Any, where: str) -> dict[str, Any]:
    """Return an object of JSON text."""
    try:
        record = json.loads(text)
    except (TypeError, ValueError, RecursionError) as problem:
        raise DataError(f"{where} is not JSON ({problem}): {str(text)[:60]!r}") from problem
    if not isinstance(record, dict):
        raise DataError(f"{where} is {type(record).__name__}; an object is expected")
    return record


def build_table(
    info: SceneInfo, labels: pd.DataFrame, revision: str | None, problems: Problems, seed: int
) -> SceneData:
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
        _check_views(latents, keys, groups, labels)
    return SceneData(
        info, latents, views, groups, revision=revision, split_seed=seed, skipped=tuple(problems.found)
    )


def _shown(value: Any) -> str:
    return repr(value.item() if isinstance(value, np.generic) else value)


def _integers(labels: pd.DataFrame, name: str) -> Rows:
    values = labels[name].map(
        lambda v: isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 2**53 and v == int(v)
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


def _check_views(latents: pd.DataFrame, factors: list[str], groups: Rows, labels: pd.DataFrame) -> None:
    """Refuse instances whose views have different factors, or that have one view twice."""
    different = latents[factors].groupby(groups).nunique(dropna=False).gt(1).any(axis=1)
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
