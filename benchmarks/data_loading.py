"""Loading scenes: labels, cold and warm pictures, and the scores of representations, beside other ways to do it.

Run with ``python benchmarks/data_loading.py [--out FILE]``; OpenCV, datasets and torch are used where they are installed. Pictures are drawn by the miniature renderer with
grain, so that a PNG is about as large as a published one (270 kB). Times are the best of three, in seconds of this process's CPU and of the wall; nothing is downloaded: the
remote row speaks to a server in this process.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import platform
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from causalkit.datasets import load_causalverse, make_scene
from causalkit.evaluation import dci, mcc

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.datasets.hub import FakeHub, serving

REPOSITORY = "CausalVerse/CausalVerse_Image"
ROWS, SHARDS, PICTURES = 40_000, 11, 96


@dataclass
class Row:
    """One measurement."""

    work: str
    how: str
    cpu_seconds: float
    wall_seconds: float
    note: str


def timed(work: str, how: str, call: Callable[[], Any], note: str = "", repeats: int = 3) -> Row:
    """Return the best of some runs."""
    best = (np.inf, np.inf)
    for _ in range(repeats):
        cpu, wall = time.process_time(), time.perf_counter()
        call()
        best = min(best, (time.process_time() - cpu, time.perf_counter() - wall))
    return Row(work, how, best[0], best[1], note)


# -- data --------------------------------------------------------------------------------------------------------------------------


def shard(records: list[str], blobs: list[bytes], group_rows: int) -> bytes:
    table = pa.table(
        {
            "image": [{"bytes": blob, "path": f"{k}.png"} for k, blob in enumerate(blobs)],
            "render_path": [f"fall/{k}.png" for k in range(len(blobs))],
            "metavalue": records,
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=group_rows)
    return sink.getvalue()


def label_files() -> dict[str, bytes]:
    """Return eleven shards with the labels of 40,000 rows, and pictures of a few bytes."""
    records = [json.dumps(r) for r in make_scene("fall", ROWS // 4, size=8).as_dataframe().to_dict("records")]
    parts = np.array_split(np.arange(ROWS), SHARDS)
    noise = np.random.default_rng(0)
    return {
        f"data/fall-{k:05d}-of-{SHARDS:05d}.parquet": shard(
            [records[r] for r in rows], [noise.bytes(400) for _ in rows], 100
        )
        for k, rows in enumerate(parts)
    }


def large_pictures() -> tuple[list[str], list[bytes], list[np.ndarray]]:
    """Return pictures of 800 x 600 with grain, as PNG."""
    scene = make_scene("fall", PICTURES // 4, size=800)
    records = [json.dumps(r) for r in scene.as_dataframe().to_dict("records")]
    grain = np.random.default_rng(0)
    pictures = []
    for k in range(PICTURES):
        whole = scene.images.read(np.array([k]))[0][100:700].astype(int)
        pictures.append(np.clip(whole + (grain.random(whole.shape) < 0.04), 0, 255).astype(np.uint8))
    blobs = []
    for picture in pictures:
        out = io.BytesIO()
        Image.fromarray(picture).save(out, "png")
        blobs.append(out.getvalue())
    return records, blobs, pictures


# -- labels ------------------------------------------------------------------------------------------------------------------------


def labels(folder: Path) -> Iterator[Row]:
    files = label_files()
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    yield timed("labels of 40,000 rows, local", "causalkit", lambda: load_causalverse("fall", path=folder))
    hub = FakeHub(REPOSITORY, files)
    with serving(hub) as address, tempfile.TemporaryDirectory() as cache:
        row = timed(
            "labels of 40,000 rows, remote",
            "causalkit",
            lambda: load_causalverse("fall", endpoint=address, cache_dir=cache),
            repeats=1,
        )
        row.note = f"{hub.sent / 1e6:.2f} MB in {len(hub.requests)} requests; files of {sum(map(len, files.values())) / 1e6:.0f} MB"
        yield row
    if find_spec("datasets"):
        yield timed(
            "labels of 40,000 rows, local", "datasets, map-style", lambda: map_style(folder), repeats=1
        )
        yield timed(
            "labels of 40,000 rows, local", "datasets, streaming", lambda: streaming(folder), repeats=1
        )


def map_style(folder: Path) -> int:
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        files = sorted(map(str, folder.glob("data/*.parquet")))
        data = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=cache)
        return len([json.loads(text) for text in data["metavalue"]])


def streaming(folder: Path) -> int:
    import datasets

    files = sorted(map(str, folder.glob("data/*.parquet")))
    data = datasets.load_dataset("parquet", data_files=files, split="train", streaming=True)
    return len([json.loads(row["metavalue"]) for row in data])


# -- cold pictures -----------------------------------------------------------------------------------------------------------------


def cold(folder: Path) -> Iterator[Row]:
    records, blobs, pictures = large_pictures()
    size = np.mean([len(blob) for blob in blobs]) / 1e3
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "fall-00000-of-00001.parquet").write_bytes(shard(records, blobs, 24))
    data = load_causalverse("fall", "images", path=folder)
    rows = np.arange(PICTURES)
    work = f"decode {PICTURES} PNG of 800 x 600"
    note = f"{size:.0f} kB each"
    yield timed(work, "inflate only", lambda: [zlib.decompress(inside(blob)) for blob in blobs], note)
    if find_spec("cv2"):
        import cv2

        def one(blob: bytes) -> Any:
            return cv2.imdecode(np.frombuffer(blob, np.uint8), cv2.IMREAD_COLOR)

        cv2.setNumThreads(1)
        yield timed(work, "OpenCV, one thread", lambda: [one(blob) for blob in blobs], note)
    yield timed(
        work, "Pillow, one thread", lambda: [np.asarray(Image.open(io.BytesIO(b))) for b in blobs], note
    )
    yield timed(work, "causalkit", lambda: data.images.read(rows), f"{note}; from parquet, threads")
    yield timed(work, "causalkit, to 64 pixels", lambda: data.images.read(rows, 64), note)
    loose = folder / "loose"
    loose.mkdir()
    for k, picture in enumerate(pictures):
        Image.fromarray(picture).save(loose / f"{k}.png")
    pd.DataFrame([json.loads(r) for r in records]).assign(file=[f"{k}.png" for k in range(PICTURES)]).to_csv(
        loose / "labels.csv"
    )
    yield timed(
        work, "loose PNG and CSV, as the authors", lambda: authors_epoch(loose), "float tensors of 224 pixels"
    )
    if find_spec("datasets"):
        yield timed(work, "datasets, map-style", lambda: decode_by_datasets(folder), note, repeats=1)


def inside(png: bytes) -> bytes:
    """Return the compressed part of a PNG."""
    out, at = [], 8
    while at < len(png):
        length = int.from_bytes(png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            out.append(png[at + 8 : at + 8 + length])
        at += length + 12
    return b"".join(out)


def authors_epoch(folder: Path) -> int:
    """Read as the authors' data set does: a row of the table by position, a file, a resized float array."""
    table = pd.read_csv(folder / "labels.csv")
    total = 0
    for k in range(len(table)):
        row = table.iloc[k]
        picture = Image.open(folder / row["file"]).convert("RGB").resize((224, 224))
        pixels = np.asarray(picture, dtype=np.float32) / 255
        factors = np.array([row[name] for name in ("h1", "r", "u", "h2")], dtype=np.float32)
        total += len(pixels) + len(factors)
    return total


def decode_by_datasets(folder: Path) -> int:
    import datasets

    datasets.disable_progress_bars()
    with tempfile.TemporaryDirectory() as cache:
        files = sorted(map(str, folder.glob("data/*.parquet")))
        data = datasets.load_dataset("parquet", data_files=files, split="train", cache_dir=cache)
        data = data.cast_column("image", datasets.Image())
        return sum(np.asarray(row["image"]).shape[0] for row in data)


# -- warm pictures -----------------------------------------------------------------------------------------------------------------


def warm(folder: Path) -> Iterator[Row]:
    scene = make_scene("fall", ROWS // 4, size=64).cache(64, folder)
    order = np.random.default_rng(0).permutation(ROWS)

    def as_floats(rows: np.ndarray) -> float:
        return float((scene.images.read(rows).astype(np.float32) / 255)[0, 0, 0, 0])

    work = "an epoch of 40,000 pictures of 64 pixels, to floats"
    parts = [np.sort(part) for part in np.array_split(order, ROWS // 500)]
    yield timed(work, "causalkit, NumPy", lambda: [as_floats(part) for part in parts])

    def by_two() -> None:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(as_floats, parts))

    yield timed(work, "causalkit, NumPy, two threads", by_two)
    if find_spec("torch"):
        import torch
        from torch.utils.data import BatchSampler, DataLoader, RandomSampler

        torch.set_num_threads(2)
        data = scene.as_torch()

        def joined(items: list[dict[str, Any]]) -> Any:
            return items

        def epoch() -> int:
            batches = BatchSampler(RandomSampler(data), 500, drop_last=False)
            loader = DataLoader(data, batch_sampler=batches, collate_fn=joined)
            return sum(len(batch) for batch in loader)

        yield timed(work, "causalkit, torch DataLoader", epoch, "batches of 500 by __getitems__")


# -- scores ------------------------------------------------------------------------------------------------------------------------


def scores() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(10_000, 129))
    codes = z @ rng.normal(size=(129, 129)) + z
    quiet = {"n_bootstrap": 0, "n_permutations": 0}
    yield timed(
        "MCC, 129 x 129, 10,000 rows", "causalkit", lambda: mcc(z, codes, **quiet), "with its ceiling"
    )
    yield timed(
        "MCC, 129 x 129, 10,000 rows",
        "loop over pairs",
        lambda: by_pairs(z, codes),
        "np.corrcoef, SciPy's assignment",
        1,
    )
    z, codes = z[:, :57], codes[:, :57]
    yield timed(
        "DCI, 57 x 57, 10,000 rows",
        "causalkit, lasso",
        lambda: dci(z, codes, **quiet),
        "three scores with ceilings",
        1,
    )


def by_pairs(z: np.ndarray, codes: np.ndarray) -> float:
    """Compute it as most scripts do."""
    from scipy.optimize import linear_sum_assignment

    d = z.shape[1]
    matrix = np.array([[abs(np.corrcoef(z[:, i], codes[:, j])[0, 1]) for j in range(d)] for i in range(d)])
    rows, columns = linear_sum_assignment(-matrix)
    return float(matrix[rows, columns].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, help="write the table here, as CSV")
    arguments = parser.parse_args()
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for part in (labels(root / "labels"), cold(root / "cold"), warm(root / "warm"), scores()):
            for row in part:
                rows.append(row)
                print(
                    f"{row.work:52} {row.how:36} {row.cpu_seconds:8.2f} {row.wall_seconds:8.2f}  {row.note}",
                    flush=True,
                )
    if arguments.out:
        with arguments.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(asdict(rows[0])))
            writer.writeheader()
            writer.writerows(map(asdict, rows))


if __name__ == "__main__":
    main()
