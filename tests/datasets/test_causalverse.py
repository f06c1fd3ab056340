"""Loading scenes of CausalVerse from files and from a server that speaks the protocol of the hub, with its real client."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from causalkit.datasets import load_causalverse, make_scene, plan_causalverse, published_splits
from causalkit.exceptions import DataError, MissingDependencyError, ParameterError

from .hub import SHA, FakeHub, serving

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
Image = pytest.importorskip("PIL.Image")

REPOSITORY = "CausalVerse/CausalVerse_Image"


def png(picture):
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "png")
    return out.getvalue()


def shards(scene, records, pictures, n_shards, *, padding=0, group_rows=(7,)):
    """Write shards as the hub has them: pictures as PNG in a struct, factors as JSON text, a few rows per row group."""
    out, noise = {}, np.random.default_rng(0)
    for k, rows in enumerate(np.array_split(np.arange(len(records)), n_shards)):
        table = pa.table(
            {
                "image": [
                    {"bytes": png(pictures[r]) + noise.bytes(padding), "path": f"{r}.png"} for r in rows
                ],
                "render_path": [f"{scene}/{r}.png" for r in rows],
                "metavalue": [json.dumps(records[r]) for r in rows],
            }
        )
        sink = io.BytesIO()
        pq.write_table(table, sink, row_group_size=group_rows[k % len(group_rows)])
        out[f"data/{scene}-{k:05d}-of-{n_shards:05d}.parquet"] = sink.getvalue()
    return out


def fall(n=15, size=20):
    """A small version of fall, sorted by a factor as the published rows are."""
    scene = make_scene("fall", n, size=size, rng=4)
    frame = scene.as_dataframe()
    order = np.argsort(frame.u.to_numpy(), kind="stable")
    records = frame.iloc[order].to_dict("records")
    return scene.take(order), records, scene.take(order).as_numpy()[1]


def put(folder, files):
    for name, body in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return folder


class TestFolder:
    def test_factors_graph_views_and_pictures(self, tmp_path):
        scene, records, pictures = fall()
        put(tmp_path, shards("fall", records, pictures, 3))
        found = load_causalverse("fall", "images", path=tmp_path)
        np.testing.assert_allclose(found.latents, scene.latents)
        np.testing.assert_array_equal(found.views, scene.views)
        np.testing.assert_array_equal(found.groups, scene.groups)
        assert found.graph == scene.graph
        np.testing.assert_array_equal(found.as_numpy()[1], pictures)
        rows = [40, 3, 17, 59, 3]
        np.testing.assert_array_equal(found.as_numpy(rows)[1], pictures[rows])
        assert load_causalverse("fall", path=tmp_path / "data").images is None

    def test_row_groups_of_different_sizes(self, tmp_path):
        _, records, pictures = fall()
        put(tmp_path, shards("fall", records, pictures, 3, group_rows=(3, 11, 20)))
        found = load_causalverse("fall", "images", path=tmp_path)
        for rows in (range(60), [59, 0, 23, 24, 41, 2, 3], [20, 19]):
            np.testing.assert_array_equal(found.as_numpy(rows)[1], pictures[list(rows)])

    def test_splits_do_not_depend_on_shards(self, tmp_path):
        _, records, pictures = fall()
        parts = []
        for n_shards in (1, 4):
            folder = put(tmp_path / str(n_shards), shards("fall", records, pictures, n_shards))
            data = load_causalverse("fall", path=folder)
            parts.append({name: set(data.groups[rows]) for name, rows in data.splits(seed=2).items()})
        assert parts[0] == parts[1]

    def test_a_human_scene(self, tmp_path):
        """Categories, sentinels and RGBA pictures; no instances and one view."""
        records = []
        for k in range(6):
            numbers = dict.fromkeys(
                ["age", "muscle", "weight", "proportions", "cupsize", "firmness"], 0.5 * k
            )
            kinds = dict.fromkeys(
                ["race", "skin", "pose", "eye_texture", "eyes", "hair", "eyelashes", "eyebrows"], k % 3
            )
            worn = {
                "suit": k if k % 2 else -1,
                "shirts": -1 if k % 2 else k,
                "pants": -1 if k % 2 else 2,
                "shoes": 1,
            }
            records.append({"domain": "scene2", "gender": k % 2, **numbers, **kinds, **worn})
        pictures = np.random.default_rng(0).integers(256, size=(6, 9, 9, 4)).astype(np.uint8)
        pictures[..., 3] = 255
        put(tmp_path, shards("scene2", records, pictures, 1))
        found = load_causalverse("scene2", "images", path=tmp_path)
        assert found.latents.suit.isna().tolist() == [True, False] * 3
        assert str(found.latents.gender.dtype) == "category"
        assert set(found.latents.shirts.cat.categories) == {0, 2, 4}
        np.testing.assert_array_equal(found.as_numpy()[1], pictures[..., :3])
        assert np.isnan(found.as_numpy()[0][0, list(found.latents).index("suit")])
        with pytest.raises(DataError, match="not published"):
            found.graph  # noqa: B018

    def test_keys_that_are_new_are_kept(self, tmp_path):
        _, records, pictures = fall()
        put(tmp_path, shards("fall", [{**r, "weather": "dry"} for r in records], pictures, 1))
        found = load_causalverse("fall", path=tmp_path)
        assert found.latents.weather.unique().tolist() == ["dry"]
        assert found.as_numpy()[0].shape == (60, 5)

    def test_pictures_of_different_sizes(self, tmp_path):
        _, records, pictures = fall(n=4)
        mixed = [p if k % 2 else np.repeat(np.repeat(p, 2, 0), 2, 1) for k, p in enumerate(pictures)]
        put(tmp_path, shards("fall", records, mixed, 1))
        data = load_causalverse("fall", "images", path=tmp_path)
        with pytest.raises(DataError, match=r"bring them to one with cache\(size\)"):
            data.as_numpy()
        np.testing.assert_array_equal(data.cache(20, tmp_path / "cache").as_numpy()[1], pictures)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda r: r.pop("h1"), "data/fall|no key 'h1'|h1 is nan"),
            (lambda r: r.update(h1="high"), "row 3: h1 is 'high'; a number is expected"),
            (lambda r: r.pop("id"), "row 3: no 'id'"),
            (lambda r: r.update(h1=99.0), "different factors in its views"),
            (lambda r: r.update(h1=float("inf")), "row 3: h1 is inf; a number"),
            (lambda r: r.update(id="a0"), "row 3: id is 'a0'; an integer"),
            (lambda r: r.update(id=0.5), "row 3: id is 0.5; an integer"),
            (lambda r: r.update(view=(r["view"] + 1) % 4), "twice"),
        ],
    )
    def test_one_bad_row(self, tmp_path, change, message):
        _, records, pictures = fall()
        if message.startswith("data"):
            for record in records:
                change(record)
        else:
            change(records[3])
        put(tmp_path, shards("fall", records, pictures, 1))
        with pytest.raises(DataError, match=message):
            load_causalverse("fall", path=tmp_path)

    def test_files_that_are_not_right(self, tmp_path):
        _, records, pictures = fall()
        files = shards("fall", records, pictures, 3)
        with pytest.raises(DataError, match="is no folder"):
            load_causalverse("fall", path=tmp_path / "nowhere")
        with pytest.raises(DataError, match="no shards of 'fall'; there are shards of nothing"):
            load_causalverse("fall", path=tmp_path)
        put(tmp_path, files)
        with pytest.raises(DataError, match="no shards of 'spring'; there are shards of fall"):
            load_causalverse("spring", path=tmp_path)
        first, second, _ = (tmp_path / name for name in files)
        second.unlink()
        with pytest.raises(DataError, match="not complete"):
            load_causalverse("fall", path=tmp_path)
        put(tmp_path, files)
        first.write_bytes(first.read_bytes()[:-100])
        with pytest.raises(DataError, match="00000-of-00003.parquet, as parquet, cannot be read"):
            load_causalverse("fall", path=tmp_path)
        pq.write_table(pa.table({"pixels": [1]}), first)
        with pytest.raises(DataError, match="has the columns pixels; 'metavalue' is expected"):
            load_causalverse("fall", path=tmp_path)
        for text, message in (
            ("{'id': 3}", "row 0: metavalue is not JSON"),
            ("[1]", "row 0: metavalue is list"),
            (None, "not JSON"),
        ):
            pq.write_table(
                pa.table({"metavalue": pa.array([text], pa.string()), "render_path": ["x"]}), first
            )
            with pytest.raises(DataError, match=message):
                load_causalverse("fall", path=tmp_path)

    def test_no_rows(self, tmp_path):
        (tmp_path / "data").mkdir()
        empty = pa.table({"metavalue": pa.array([], pa.string()), "render_path": pa.array([], pa.string())})
        pq.write_table(empty, tmp_path / "data" / "fall-00000-of-00001.parquet")
        with pytest.raises(DataError, match="have no rows"):
            load_causalverse("fall", path=tmp_path)

    def test_pictures_that_are_not_right(self, tmp_path):
        _, records, pictures = fall()
        files = shards("fall", records, pictures, 1)
        name = next(iter(files))
        put(tmp_path, files)
        table = pq.read_table(tmp_path / name)
        for row, cell, message in (
            (9, {"bytes": b"no picture", "path": ""}, "row 9: the picture cannot be decoded"),
            (11, {"bytes": None, "path": ""}, "row 11: there is no picture"),
        ):
            cells = table.column("image").to_pylist()
            cells[row] = cell
            pq.write_table(table.set_column(0, "image", pa.array(cells)), tmp_path / name, row_group_size=7)
            data = load_causalverse("fall", "images", path=tmp_path)
            assert data.as_numpy([8])[1].shape == (1, 20, 20, 3)
            with pytest.raises(DataError, match=message):
                data.as_numpy([8, row])


class TestViews:
    def test_columns_that_the_manifest_does_not_know_may_differ(self, tmp_path):
        _, records, pictures = fall()
        put(tmp_path, shards("fall", [{**r, "cam": 0.5 + r["view"]} for r in records], pictures, 1))
        assert load_causalverse("fall", path=tmp_path).latents.cam.nunique() == 4


class TestSkipping:
    def test_records_that_cannot_be_read(self, tmp_path):
        _, records, pictures = fall()
        name, body = next(iter(shards("fall", records, pictures, 1).items()))
        table = pq.read_table(io.BytesIO(body))
        texts = table.column("metavalue").to_pylist()
        texts[7], texts[30] = "{'id': 3}", None
        folder = put(tmp_path, {name: b""})
        pq.write_table(table.set_column(2, "metavalue", pa.array(texts)), folder / name, row_group_size=9)
        with pytest.raises(DataError, match="row 7: metavalue is not JSON"):
            load_causalverse("fall", path=folder)
        found = load_causalverse("fall", "images", path=folder, on_error="skip")
        assert len(found) == 58
        assert [text.split(":")[0][-6:] for text in found.skipped] == [" row 7", "row 30"]
        kept = [k for k in range(60) if k not in (7, 30)]
        np.testing.assert_array_equal(found.as_numpy()[1], pictures[kept])

    def test_pictures_that_cannot_be_decoded(self, tmp_path):
        _, records, pictures = fall()
        name, body = next(iter(shards("fall", records, pictures, 1).items()))
        table = pq.read_table(io.BytesIO(body))
        cells = table.column("image").to_pylist()
        cells[9] = {"bytes": b"no picture", "path": ""}
        folder = put(tmp_path, {name: b""})
        pq.write_table(table.set_column(0, "image", pa.array(cells)), folder / name, row_group_size=9)
        data = load_causalverse("fall", "images", path=folder)
        with pytest.raises(DataError, match="row 9: the picture cannot be decoded"):
            data.cache(10, tmp_path / "cache")
        assert not list((tmp_path / "cache").glob("*.npy"))
        for _ in range(2):
            found = data.cache(20, tmp_path / "cache", on_error="skip")
            assert len(found) == len(found.groups) == 59
            assert len(found.skipped) == 1
            assert "row 9: the picture cannot be decoded" in found.skipped[0]
            np.testing.assert_array_equal(found.as_numpy()[1], np.delete(pictures, 9, axis=0))
        with pytest.raises(DataError, match="row 9 is not in the cache"):
            data.cache(20, tmp_path / "cache")

    def test_a_note_of_what_was_lost_goes_with_its_file(self, tmp_path):
        """What failed once and was written again is not missing any more."""
        from causalkit.datasets._cache import cached_pictures

        class Source:
            n_images, identity, broken = 3, "x", True

            def read(self, rows, size=None):
                if self.broken and 1 in rows:
                    raise DataError("not now")
                return np.full((len(rows), size, size, 3), 200, dtype=np.uint8)

        source, path = Source(), tmp_path / "a.npy"
        assert cached_pictures(source, 4, path, "skip") == {1: "not now"}
        path.unlink()
        source.broken = False
        assert [cached_pictures(source, 4, path, "skip") for _ in range(2)] == [{}, {}]

    def test_two_writers_of_one_cache(self, tmp_path):
        """Each writes a file of its own; the one that ends last stays, and both are whole."""
        import threading
        from concurrent.futures import ThreadPoolExecutor

        from causalkit.datasets._cache import cached_pictures

        both = threading.Barrier(2)

        class Source:
            n_images, identity = 600, "x"

            def read(self, rows, size=None):
                if rows[0] == 256:
                    both.wait(20)
                return np.full((len(rows), size, size, 3), 200, dtype=np.uint8)

        path = tmp_path / "a.npy"
        with ThreadPoolExecutor(2) as pool:
            lost = list(pool.map(lambda _: cached_pictures(Source(), 4, path, "raise"), range(2)))
        assert lost == [{}, {}]
        assert (np.load(path) == 200).all()
        assert [p.name for p in tmp_path.iterdir()] == ["a.npy"]


class TestNames:
    def test_scenes_that_cannot_be_read(self):
        with pytest.raises(ParameterError, match="did you mean 'fall'"):
            load_causalverse("fal")
        with pytest.raises(
            ParameterError, match="what is 'videos'; allowed are 'latents' and 'images'|allowed"
        ):
            load_causalverse("fall", "videos")
        with pytest.raises(ParameterError, match="what is 'images'"):
            load_causalverse("robotics_kitchen", "images")

    def test_without_the_client(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "huggingface_hub", None)
        with pytest.raises(MissingDependencyError, match=r"causalkit\[datasets\]"):
            load_causalverse("fall")


class TestHub:
    @pytest.fixture
    def hub(self):
        pytest.importorskip("huggingface_hub")
        _, records, pictures = fall(n=60)
        files = shards("fall", records, pictures, 3, padding=50_000)
        other = shards("spring", records[:8], pictures[:8], 1)
        return FakeHub(REPOSITORY, {**files, **other, "README.md": b"card"})

    def test_factors_cost_next_to_nothing(self, hub, tmp_path):
        with serving(hub) as address:
            found = load_causalverse("fall", endpoint=address, cache_dir=tmp_path)
        scene, _, _ = fall(n=60)
        np.testing.assert_allclose(found.latents, scene.latents)
        assert found.revision == SHA
        whole = sum(len(body) for name, body in hub.files.items() if "fall" in name)
        assert hub.sent < 0.05 * whole
        assert len(hub.ranges) <= 3 * (1 + 12), "one for the end of each file and one for each row group"
        assert not any("spring" in name for name, _, _ in hub.ranges)

    def test_plan_then_pictures_then_nothing(self, hub, tmp_path):
        with serving(hub) as address:
            where = {"endpoint": address, "cache_dir": tmp_path}
            before = plan_causalverse("fall", **where)
            found = load_causalverse("fall", "images", **where)
            after = plan_causalverse("fall", **where)
            sent = hub.sent
            again = load_causalverse("fall", "images", revision=SHA, **where)
            assert hub.sent - sent < 0.01 * before.bytes, "what is here is not sent again"
        assert before.present == 0
        assert before.missing == before.bytes == sum(len(b) for n, b in hub.files.items() if "fall" in n)
        assert after.missing == 0
        assert "0.00 GB to download" in str(after)
        pictures = fall(n=60)[2]
        np.testing.assert_array_equal(found.as_numpy()[1], pictures)
        np.testing.assert_array_equal(again.as_numpy([5])[1], pictures[[5]])
        assert not any("spring" in path for method, path in hub.requests if method == "GET")

    def test_what_is_not_in_the_manifest_is_looked_for(self, hub, tmp_path):
        with serving(hub) as address:
            assert published_splits(endpoint=address) == {REPOSITORY: ("fall", "spring")}
            with pytest.raises(DataError, match="not on the hub under this name.*fall, spring"):
                load_causalverse("traffic_town01", endpoint=address, cache_dir=tmp_path)
            name = "data/traffic_town01-00000-of-00001.parquet"
            sink = io.BytesIO()
            pq.write_table(pa.table({"metavalue": ['{"Weather": {"rain": 0.5}}']}), sink)
            hub.files[name] = sink.getvalue()
            found = load_causalverse("traffic_town01", endpoint=address, cache_dir=tmp_path)
        assert found.latents["Weather.rain"].tolist() == [0.5]

    def test_a_part_that_holds_every_value(self, hub, tmp_path):
        """Rows are sorted by u: the first shard has a third of its values, a sample of a third of the bytes has all."""
        with serving(hub) as address:
            where = {"endpoint": address, "cache_dir": tmp_path}
            whole = plan_causalverse("fall", **where)
            budget = whole.bytes // 3
            plan = plan_causalverse("fall", max_bytes=budget, **where)
            hub.sent = 0
            found = load_causalverse("fall", "images", max_bytes=budget, if_larger="sample", **where)
            assert hub.sent < 1.05 * budget
            hub.sent, hub.requests[:] = 0, []
            again = load_causalverse("fall", "images", max_bytes=budget, if_larger="sample", **where)
            assert hub.sent < 0.05 * budget, "parts that are here are not sent again"
            after = plan_causalverse("fall", max_bytes=budget, **where)
        scene, _, pictures = fall(n=60)
        shard = len(scene) // 3
        every = set(scene.latents.u)
        assert set(scene.latents.u[:shard]) < every
        assert set(found.latents.u) == every
        for name in ("h1", "r"):
            assert set(found.latents[name]) == set(scene.latents[name])
        assert plan.bytes <= budget
        assert (
            "of 36 row groups with 10 of 10 values of h1, 10 of 10 values of r, 10 of 10 values of u"
            in str(plan)
        )
        assert (plan.present, after.missing) == (0, 0)
        place = {(g, v): k for k, (g, v) in enumerate(zip(scene.groups, scene.views, strict=True))}
        rows = [place[key] for key in zip(found.groups, found.views, strict=True)]
        for loaded in (found, again):
            np.testing.assert_array_equal(loaded.as_numpy()[1], pictures[rows])
            np.testing.assert_allclose(loaded.latents, scene.latents.iloc[rows])

    def test_a_budget_for_nothing(self, hub, tmp_path):
        with serving(hub) as address, pytest.raises(DataError, match="less than the smallest row group"):
            load_causalverse(
                "fall", "images", endpoint=address, cache_dir=tmp_path, max_bytes=10, if_larger="sample"
            )

    def test_a_commit_that_was_seen_needs_no_network(self, hub, tmp_path):
        with serving(hub) as address:
            first = load_causalverse("fall", endpoint=address, cache_dir=tmp_path)
            hub.requests[:] = []
            again = load_causalverse("fall", revision=SHA, endpoint=address, cache_dir=tmp_path)
            assert hub.requests == []
        assert again.latents.equals(first.latents)
        with pytest.raises(DataError, match="cannot list.*HF_HUB_OFFLINE=1 the labels of aaaa"):
            load_causalverse("fall", endpoint="http://127.0.0.1:9", cache_dir=tmp_path)
        code = (
            "from causalkit.datasets import load_causalverse\n"
            f"print(len(load_causalverse('fall', cache_dir=r'{tmp_path}')))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert done.stdout == "240\n"

    def test_notes_that_are_broken_are_asked_for_again(self, hub, tmp_path):
        with serving(hub) as address:
            load_causalverse("fall", endpoint=address, cache_dir=tmp_path)
            notes = list((tmp_path / "causalkit").rglob("*.json"))
            assert len(notes) == 4
            for path in notes:
                path.write_text("[[")
            found = load_causalverse("fall", revision=SHA, endpoint=address, cache_dir=tmp_path)
        assert len(found) == 240

    def test_a_cache_that_cannot_be_written(self, hub, tmp_path):
        """The place of the notes is a file: nothing is kept, and everything works."""
        (tmp_path / "causalkit").write_text("in the way")
        with serving(hub) as address:
            found = load_causalverse("fall", endpoint=address, cache_dir=tmp_path)
        assert len(found) == 240

    def test_more_than_was_allowed(self, hub, tmp_path):
        with serving(hub) as address, pytest.raises(DataError, match="max_bytes=1,000"):
            load_causalverse("fall", "images", endpoint=address, cache_dir=tmp_path, max_bytes=1000)
        assert not list(Path(tmp_path).rglob("*.parquet"))

    @pytest.mark.parametrize("after", [0, 5000])
    def test_a_broken_transfer_is_taken_up_again(self, hub, tmp_path, after):
        pictures = fall(n=60)[2]
        with serving(hub) as address:
            latents = load_causalverse("fall", endpoint=address, cache_dir=tmp_path)
            assert len(latents) == 240
            hub.break_after = after
            try:
                found = load_causalverse("fall", "images", endpoint=address, cache_dir=tmp_path)
            except DataError:
                found = load_causalverse("fall", "images", endpoint=address, cache_dir=tmp_path)
        np.testing.assert_array_equal(found.as_numpy()[1], pictures)

    def test_tampered_content_is_found(self, hub, tmp_path):
        name = "data/fall-00001-of-00003.parquet"
        with serving(hub) as address:
            hub.tampered = {name}
            with pytest.raises(DataError, match="removed from the cache: load again"):
                load_causalverse("fall", "images", endpoint=address, cache_dir=tmp_path)
            hub.tampered = set()
            again = load_causalverse("fall", "images", endpoint=address, cache_dir=tmp_path)
            assert len(again.as_numpy()[1]) == len(again)

    def test_unknown_revision_and_no_server(self, hub, tmp_path):
        with serving(hub) as address, pytest.raises(DataError, match="cannot list"):
            load_causalverse("fall", revision="b" * 40, endpoint=address, cache_dir=tmp_path)
        with pytest.raises(DataError, match="cannot list"):
            load_causalverse("fall", endpoint="http://127.0.0.1:9", cache_dir=tmp_path)

    def test_offline(self, tmp_path):
        """In a process of its own, since the client reads this setting once."""
        pytest.importorskip("huggingface_hub")
        code = (
            "from causalkit.datasets import load_causalverse\n"
            "from causalkit.exceptions import DataError\n"
            f"try:\n    load_causalverse('fall', cache_dir=r'{tmp_path}')\nexcept DataError as problem:\n    print(problem)\n"
        )
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=120,
        )
        assert "cannot list" in done.stdout
        assert "ffline" in done.stdout
