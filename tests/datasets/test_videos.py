"""Video scenes: a folder of files, rows with base64 text, clips, trajectories, and files that are damaged."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest

from causalkit.datasets import load_causalverse, make_scene
from causalkit.exceptions import DataError, ParameterError

av = pytest.importorskip("av")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

VIEWS = ("bird", "front")
LENGTH, RATE = 30, 10


def mp4(seed, n_frames=LENGTH, size=32, rate=RATE):
    """Encode a clip with one keyframe whose frames are plain: frame k of clip `seed` is as bright as 8 k, plus a little."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.options = {"g": "1000", "crf": "1"}
        for k in range(n_frames):
            picture = np.full((size, size, 3), 8 * k + seed % 5, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return out.getvalue()


def record(k):
    return {
        "Global": {
            "Scene": {
                "scene": f"apt_{k % 3}",
                "gravity": -9.8 + k,
                "requires_lighting": bool(k % 2),
            },
            "Object": [{"asset": "ball", "mass": 1.0 + k}, {"asset": "cup", "mass": 2.0}],
        },
        "Dynamic": ["position"],
    }


def paths(k):
    """Return the way of two things over time, (objects, T, D): T is told from the others by its length."""
    time = np.arange(LENGTH, dtype=float)
    return np.stack([np.stack([time, time * k, time**2], axis=1), np.zeros((LENGTH, 3))])


@pytest.fixture
def folder(tmp_path):
    for part in ("video", "meta", "latent"):
        (tmp_path / part).mkdir()
    for k in range(6):
        name = f"u_{k}"
        (tmp_path / "meta" / f"{name}.json").write_text(json.dumps(record(k)))
        np.savez(tmp_path / "meta" / f"{name}.npz", position=paths(k))
        for view in VIEWS:
            (tmp_path / "video" / f"{name}_{view}_color.mp4").write_bytes(mp4(k))
            (tmp_path / "video" / f"{name}_{view}_depth.mp4").write_bytes(mp4(k, size=16))
    return tmp_path


def brightness(images):
    return images.reshape(len(images), -1).mean(axis=1)


def test_videos_of_another_rate_do_not_share_a_time_step(folder):
    """Two frames of a video of 20 frames a second are half the time of two frames of the others."""
    name = min(p for p in (folder / "video").glob("u_3_*_color.mp4"))
    name.write_bytes(mp4(3, rate=2 * RATE))
    found = load_causalverse("fall_simple", "videos", path=folder)
    clips = found.clips(3, 0.2)
    good = [
        k
        for k in range(len(clips))
        if found.recordings.color.facts(int(clips.rows[k])).frames_per_second == RATE
    ]
    assert len(clips[good[0]].images) == 3
    with pytest.raises(DataError, match="20 frames a second and row 0 has 10"):
        [clips[k] for k in range(len(clips)) if k not in good]


class TestFolder:
    def test_factors_views_and_names(self, folder):
        found = load_causalverse("fall_simple", "videos", path=folder)
        assert found.recordings.view_names == VIEWS
        assert len(found) == 12
        assert found.names == tuple(f"u_{k}" for k in range(6))
        np.testing.assert_array_equal(found.groups, np.repeat(np.arange(6), 2))
        np.testing.assert_array_equal(found.views, np.tile([0, 1], 6))
        types = {f.name: f.type for f in found.schema}
        assert types["Global.Scene.gravity"] == "number"
        assert types["Global.Scene.scene"] == types["Global.Scene.requires_lighting"] == "category"
        assert found.latents["Global.Object.0.mass"].tolist() == np.repeat(1.0 + np.arange(6), 2).tolist()
        assert not any("Dynamic" in name for name in found.latents)
        assert len(load_causalverse("fall_simple", path=folder)) == 6

    def test_clips(self, folder):
        found = load_causalverse("fall_simple", "videos", path=folder)
        clips = found.clips(4, 0.2)
        assert len(clips) == 12 * 3, "a clip takes seven frames of thirty and the next starts at the eighth"
        clip = clips[4]
        assert clip.row == 1
        np.testing.assert_array_equal(clip.frames, 8 + 2 * np.arange(4))
        np.testing.assert_allclose(brightness(clip.images), 8 * clip.frames, atol=3)
        np.testing.assert_array_equal(clip.trajectories["position"][:, 0, 0], clip.frames)
        assert clip.trajectories["position"].shape == (4, 2, 3)
        assert found.clips(4, 0.2, size=8)[0].images.shape == (4, 8, 8, 3)
        assert found.clips(2, 0.1, medium="depth")[3].images.shape == (2, 16, 16, 3)
        assert len(found.clips(4, 0.2, every_seconds=0.1)) == 12 * 24
        assert len(found.clips(4, 0.2)[:7]) == 7
        assert len(list(found.take([0, 3]).clips(10, 0.1))) == 6

    def test_a_step_means_the_same_in_all_clips(self, folder):
        found = load_causalverse("fall_simple", "videos", path=folder)
        with pytest.raises(
            ParameterError, match=r"0.15 is 1.5 frames at 10 frames a second; take 0.1 or 0.2"
        ):
            found.clips(4, 0.15)
        with pytest.raises(
            ParameterError, match="need 46 frames, and videos have 30: at this stride a clip has 10"
        ):
            found.clips(16, 0.3)

    def test_temporal_pairs(self, folder):
        pairs = load_causalverse("fall_simple", "videos", path=folder).pairs("temporal", stride_seconds=0.5)
        assert len(pairs) == 12 * 25
        assert (pairs.second - pairs["first"] == 5).all()
        assert pairs.groupby("row")["first"].max().eq(24).all()
        with pytest.raises(DataError, match="no videos here"):
            make_scene("fall", 5, size=8).pairs("temporal")

    def test_splits_by_name(self, folder):
        """An instance goes to a part by its name; with others away the rest stays in its order."""
        found = load_causalverse("fall_simple", "videos", path=folder, split_seed=4)
        parts = found.splits(by="uuid")
        whole = {name: {found.names[found.groups[r]] for r in rows} for name, rows in parts.items()}
        assert sum(map(len, whole.values())) == 6
        assert {k: v.tolist() for k, v in parts.items()} == {
            k: v.tolist() for k, v in found.splits(by="uuid", seed=4).items()
        }
        with pytest.raises(ParameterError, match="numbers and no names"):
            make_scene("fall", 5, size=8).splits(by="uuid")

    def test_a_cache_of_all_frames(self, folder, tmp_path):
        found = load_causalverse("fall_simple", "videos", path=folder)
        small = found.cache(8, tmp_path / "cache")
        for rows in (slice(None), [7, 2]):
            pick = np.arange(12)[rows]
            a = found.take(pick).clips(5, 0.2, size=8)
            b = small.take(pick).clips(5, 0.2)
            assert all(
                np.array_equal(x.images, y.images)
                and x.trajectories["position"].tolist() == y.trajectories["position"].tolist()
                for x, y in zip(a, b, strict=True)
            )
        (folder / "video" / "u_2_front_color.mp4").write_bytes(mp4(2, n_frames=20))
        with pytest.raises(DataError, match="video 5 has 20 frames and video 0 has 30"):
            load_causalverse("fall_simple", "videos", path=folder).cache(8, tmp_path / "cache")
        again = load_causalverse("fall_simple", "videos", path=folder).cache(
            8, tmp_path / "cache", on_error="skip"
        )
        assert len(again) == 11
        assert "row 5: video 5 has 20 frames" in again.skipped[0]

    def test_as_torch(self, folder):
        torch = pytest.importorskip("torch")
        clips = load_causalverse("fall_simple", "videos", path=folder).clips(3, 0.1, size=8)
        loader = torch.utils.data.DataLoader(clips.as_torch(), batch_size=4)
        batch = next(iter(loader))
        assert batch["video"].shape == (4, 3, 3, 8, 8)
        assert batch["position"].shape == (4, 3, 2, 3)


class TestDamage:
    @pytest.mark.parametrize(
        "damage",
        [
            lambda b: b[:100],
            lambda b: b[: len(b) // 2],
            lambda b: b[:-400],
            lambda b: b[:900] + bytes(80) + b[980:],
            lambda b: b"",
        ],
    )
    def test_a_damaged_video_is_an_error_with_its_path(self, folder, damage):
        path = folder / "video" / "u_3_front_color.mp4"
        path.write_bytes(damage(mp4(3)))
        found = load_causalverse("fall_simple", "videos", path=folder)
        rows = np.flatnonzero(found.groups == 3)
        assert found.take(rows[:1]).clips(30, 0.1)[0].images.shape[0] == 30
        with pytest.raises(DataError, match="u_3_front_color.mp4"):
            found.clips(30, 0.1)[int(rows[1])]

    def test_a_frame_that_the_decoder_made_up_is_an_error(self, folder):
        """Zeros inside a frame: the decoder conceals them and flags the frame; no picture is better than a wrong one."""
        whole = mp4(3)

        def flagged(body):
            try:
                with av.open(io.BytesIO(body)) as container:
                    frames = list(container.decode(video=0))
                    return any(frame.is_corrupt for frame in frames)
            except av.FFmpegError:
                return False

        damaged = (whole[:k] + bytes(12) + whole[k + 12 :] for k in range(60, len(whole) - 60, 20))
        found = next((body for body in damaged if flagged(body)), None)
        if found is None:
            pytest.skip("this encoder leaves no place whose damage is concealed")
        (folder / "video" / "u_3_front_color.mp4").write_bytes(found)
        clips = load_causalverse("fall_simple", "videos", path=folder).clips(30, 0.1)
        with pytest.raises(DataError, match="u_3_front_color.mp4: frame .* is damaged"):
            clips[7]

    def test_a_shorter_video_is_an_error(self, folder):
        (folder / "video" / "u_3_front_color.mp4").write_bytes(mp4(3, n_frames=20))
        clips = load_causalverse("fall_simple", "videos", path=folder).clips(10, 0.1)
        assert len(clips[21].images) == 10
        with pytest.raises(DataError, match="there is no frame 20"):
            clips[23]

    def test_trajectories_of_another_length(self, folder):
        np.savez(folder / "meta" / "u_0.npz", position=paths(0)[:, :20])
        clips = load_causalverse("fall_simple", "videos", path=folder).clips(5, 0.1)
        with pytest.raises(DataError, match="position has 20 times and the video 30 frames"):
            clips[0]

    def test_trajectories_that_are_no_arrays(self, folder):
        (folder / "meta" / "u_0.npz").write_bytes(b"PK\x03\x04 cut")
        clips = load_causalverse("fall_simple", "videos", path=folder).clips(5, 0.1)
        with pytest.raises(DataError, match="u_0.npz cannot be read as arrays"):
            clips[0]
        np.savez(folder / "meta" / "u_0.npz", position=np.array([{"a": 1}], dtype=object))
        with pytest.raises(DataError, match="u_0.npz cannot be read as arrays"):
            clips[0]

    def test_a_view_that_is_missing(self, folder):
        (folder / "video" / "u_1_bird_color.mp4").unlink()
        with pytest.raises(DataError, match="instance u_1 has no video of the view 'bird'"):
            load_causalverse("fall_simple", "videos", path=folder)
        found = load_causalverse("fall_simple", "videos", path=folder, on_error="skip")
        assert found.names == ("u_0", "u_2", "u_3", "u_4", "u_5")
        assert len(found.skipped) == 1
        assert found.latents["Global.Scene.gravity"].iloc[2] == pytest.approx(-7.8)
        np.testing.assert_array_equal(found.clips(2, 0.1)[30].trajectories["position"][:, 0, 1], [0, 2])

    def test_records_that_are_not_right(self, folder):
        (folder / "meta" / "u_4.json").write_text("{'a': 1}")
        with pytest.raises(DataError, match="u_4.json is not JSON"):
            load_causalverse("fall_simple", path=folder)
        assert len(load_causalverse("fall_simple", path=folder, on_error="skip")) == 5
        for file in (folder / "meta").glob("*.json"):
            file.unlink()
        with pytest.raises(DataError, match="has no <uuid>.json"):
            load_causalverse("fall_simple", path=folder)


class TestKitchen:
    @staticmethod
    def shard(tmp_path, n=3, change=None):
        rows = [
            {
                "videos": [base64.b64encode(mp4(5 * k + v, size=16)).decode() for v in range(5)],
                "metavalue": json.dumps(
                    {"uuid": f"e{k}", "Robots": {"damping_ratio": 0.5 + k}, "Object": [{"path": "cup"}]}
                ),
                "npz_data": json.dumps(
                    {
                        "joint_pos": (np.arange(LENGTH)[:, None] * np.ones(7)).tolist(),
                        "pos_objects": paths(k).tolist(),
                    }
                ),
            }
            for k in range(n)
        ]
        if change is not None:
            change(rows)
        (tmp_path / "data").mkdir(exist_ok=True)
        pq.write_table(
            pa.Table.from_pylist(rows),
            tmp_path / "data" / "robotics_kitchen-00000-of-00001.parquet",
            row_group_size=2,
        )
        return tmp_path

    def test_videos_and_trajectories(self, tmp_path):
        found = load_causalverse("robotics_kitchen", "videos", path=self.shard(tmp_path))
        assert len(found) == 15
        assert found.names == ("e0", "e1", "e2")
        assert found.recordings.view_names[2] == "frontview"
        clip = found.clips(3, 0.5)[2 * 12]
        np.testing.assert_allclose(brightness(clip.images), 8 * clip.frames + 12 % 5, atol=3)
        assert clip.trajectories["joint_pos"].shape == (3, 7)
        np.testing.assert_array_equal(clip.trajectories["pos_objects"][:, 0, 1], 2 * clip.frames)
        assert found.latents["Robots.damping_ratio"].tolist() == np.repeat([0.5, 1.5, 2.5], 5).tolist()

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (lambda rows: rows[1].update(videos=["%%%"] * 5), "row 1, video 0: this is not base64"),
            (
                lambda rows: rows[1].update(videos=rows[1]["videos"][:3]),
                "row 1, video 3: there are only 3 videos",
            ),
            (lambda rows: rows[1].update(npz_data="{'a'"), "row 1: npz_data does not hold arrays"),
        ],
    )
    def test_what_is_wrong_is_said_with_its_row(self, tmp_path, change, message):
        found = load_causalverse("robotics_kitchen", "videos", path=self.shard(tmp_path, change=change))
        clips = found.clips(3, 0.5)
        assert len(clips[0].images) == 3
        with pytest.raises(DataError, match=message):
            for clip in clips:
                assert len(clip.images) == 3

    def test_columns_that_are_missing(self, tmp_path):
        def change(rows):
            for row in rows:
                del row["npz_data"]

        folder = self.shard(tmp_path, change=change)
        with pytest.raises(DataError, match="'npz_data' is expected"):
            load_causalverse("robotics_kitchen", "videos", path=folder)
        assert len(load_causalverse("robotics_kitchen", path=folder)) == 3

    def test_two_of_one_name(self, tmp_path):
        folder = self.shard(tmp_path, change=lambda rows: rows[2].update(metavalue=rows[0]["metavalue"]))
        with pytest.raises(DataError, match="two instances with the name 'e0'"):
            load_causalverse("robotics_kitchen", path=folder)
