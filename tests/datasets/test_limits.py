"""Small files that grow, and servers that name files and commits so that they would lie elsewhere."""

from __future__ import annotations

import json
import struct
import tracemalloc
import zlib

import pytest

from causalkit.datasets import _inflating as inflating
from causalkit.datasets import load_causalverse
from causalkit.exceptions import DataError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

from tests.datasets import hub as hubs
from tests.datasets.test_causalverse import REPOSITORY, fall, put, shards


def png(width, height):
    """A picture of one colour: megapixels in kilobytes."""

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    packer = zlib.compressobj(9)
    line = b"\0" * (3 * width + 1)
    body = b"".join(packer.compress(line) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def shard(folder, images, records):
    folder.mkdir(exist_ok=True)
    table = pa.table(
        {"image": images, "render_path": [f"fall/{k}.png" for k in range(len(images))], "metavalue": records}
    )
    path = folder / "fall-00000-of-00001.parquet"
    pq.write_table(table, path, compression="zstd")
    return path


def peak_of(action):
    tracemalloc.start()
    try:
        action()
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return peak


def test_pictures_of_more_pixels_than_a_camera_has(tmp_path):
    _, records, _ = fall(n=4)
    big = {"bytes": png(12_000, 12_000), "path": "x.png"}
    path = shard(tmp_path / "data", [big] * 4, [json.dumps(r) for r in records[:4]])
    assert path.stat().st_size < 2_000_000
    scene = load_causalverse("fall", "images", path=tmp_path)

    def read():
        with pytest.raises(DataError, match="12000 x 12000 pixels"):
            scene.as_numpy()

    assert peak_of(read) < 100e6


def test_labels_that_stand_for_many_rows(tmp_path, monkeypatch):
    """One text, written once, in half a million rows."""
    monkeypatch.setattr("causalkit.datasets._labels.MOST_LABELS", 20_000_000)
    _, records, _ = fall(n=4)
    text = json.dumps({**records[0], "more": "x" * 4000})
    n = 500_000
    table = pa.table({
        "image": pa.array([None] * n, type=pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        "metavalue": pa.DictionaryArray.from_arrays(pa.array([0] * n, type=pa.int32()), pa.array([text])).cast(pa.string()) if n < 10
        else pa.chunked_array([pa.array([text] * 1000)] * (n // 1000)),
    })  # fmt: skip
    folder = tmp_path / "data"
    folder.mkdir()
    path = folder / "fall-00000-of-00001.parquet"
    pq.write_table(table, path, compression="zstd")
    del table
    assert path.stat().st_size < 1_000_000

    def read():
        with pytest.raises(DataError, match="inflates to more than 20000000 bytes"):
            load_causalverse("fall", path=tmp_path)

    assert peak_of(read) < 200e6


def test_what_is_decoded_at_once_is_bounded(tmp_path, monkeypatch):
    _, records, pictures = fall()
    put(tmp_path, shards("fall", records, pictures, 3))
    scene = load_causalverse("fall", "images", path=tmp_path)
    monkeypatch.setattr(inflating, "MOST_DECODED", 10_000)
    with pytest.raises(DataError, match="ask for fewer rows"):
        scene.as_numpy()
    assert scene.as_numpy([0])[1].shape == (1, 20, 20, 3)


@pytest.mark.parametrize("commit", ["../../../elsewhere", "/tmp/elsewhere", "", "main", "A" * 40, "a" * 41])
def test_a_commit_that_is_a_path(commit, tmp_path, monkeypatch):
    pytest.importorskip("huggingface_hub")
    _, records, pictures = fall()
    monkeypatch.setattr(hubs, "SHA", commit)
    cache = tmp_path / "cache"
    server = hubs.FakeHub(REPOSITORY, shards("fall", records, pictures, 1))
    with hubs.serving(server) as address, pytest.raises(DataError, match="names the commit"):
        load_causalverse("fall", endpoint=address, cache_dir=cache)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and not p.is_relative_to(cache)]


def test_a_revision_that_leads_elsewhere(tmp_path):
    pytest.importorskip("huggingface_hub")
    _, records, pictures = fall()
    server = hubs.FakeHub(REPOSITORY, shards("fall", records, pictures, 1))
    cache = tmp_path / "a" / "b" / "cache"
    with hubs.serving(server) as address, pytest.raises(DataError):
        load_causalverse("fall", endpoint=address, cache_dir=cache, revision="../../../../../up")
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and not p.is_relative_to(cache)]
