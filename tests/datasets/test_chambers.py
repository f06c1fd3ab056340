"""Causal Chambers: the published graphs, a folder as the archives unpack, and a server on this machine that stands for the publisher's."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest

from causalkit.datasets import causal_chamber_graph, load_causal_chamber
from causalkit.exceptions import DataError, ParameterError

NAME = "lt_interventions_standard_v1"


def table(seed, columns=("timestamp", "red", "green", "ir_1")):
    return pd.DataFrame(np.random.default_rng(seed).random((5, len(columns))).round(3), columns=list(columns))


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / NAME
    place.mkdir()
    for k, experiment in enumerate(("uniform_red_strong", "uniform_reference")):
        table(k).to_csv(place / f"{experiment}.csv", index=False)
    return place


class TestGraphs:
    @pytest.mark.parametrize(
        ("chamber", "configuration", "nodes", "arrows"),
        [
            ("lt", "standard", 38, 57),
            ("lt", "camera", 42, 65),
            ("wt", "standard", 32, 42),
            ("wt", "pressure-control", 32, 44),
        ],
    )
    def test_counts_of_the_paper(self, chamber, configuration, nodes, arrows):
        graph = causal_chamber_graph(chamber, configuration)
        both = sum(e.is_bidirected for e in graph.edges)
        assert (graph.n_nodes, graph.n_edges + both) == (nodes, arrows)

    def test_polarisers_stand_before_the_third_sensor_only(self):
        graph = causal_chamber_graph("lt")
        assert set(graph.children("pol_1")) == {"angle_1", "ir_3", "vis_3"}

    def test_pressure_control_is_a_feedback(self):
        graph = causal_chamber_graph("wt", "pressure-control")
        assert graph.edge_between("load_in", "pressure_downwind") == "<->"
        assert causal_chamber_graph("wt").has_directed_edge("load_in", "pressure_downwind")

    def test_unknown(self):
        with pytest.raises(ParameterError, match="wt pressure-control"):
            causal_chamber_graph("wt", "camera")


class TestFolder:
    def test_experiments_are_the_context(self, folder):
        data = load_causal_chamber(NAME, path=folder)
        assert data.contexts == ("experiment",)
        assert data.frame.columns.tolist() == ["red", "green", "ir_1", "experiment"]
        assert data.frame["experiment"].value_counts().to_dict() == {
            "uniform_red_strong": 5,
            "uniform_reference": 5,
        }
        assert data.graph == causal_chamber_graph("lt")
        assert "Without a column: blue" in data.description

    def test_order_is_as_asked_and_other_columns_on_request(self, folder):
        data = load_causal_chamber(
            NAME, ["uniform_reference", "uniform_red_strong"], path=folder, extra_columns=True
        )
        assert data.frame["experiment"].iloc[0] == "uniform_reference"
        np.testing.assert_array_equal(data.frame["red"][:5], table(1)["red"])
        assert "timestamp" in data.frame

    @pytest.mark.parametrize("experiments", ["other", [], ["uniform_reference"] * 2])
    def test_experiments_that_are_not_there(self, folder, experiments):
        with pytest.raises(ParameterError, match="there are uniform_red_strong, uniform_reference"):
            load_causal_chamber(NAME, experiments, path=folder)

    def test_pictures_lie_beside_their_table(self, tmp_path):
        place = tmp_path / "palette"
        (place / "images_100").mkdir(parents=True)
        table(0, ("red", "im_1")).assign(image_file=[f"{k}.jpg" for k in range(5)]).to_csv(
            place / "palette.csv", index=False
        )
        for k in range(5):
            (place / "images_100" / f"{k}.jpg").write_bytes(b"")
        data = load_causal_chamber("lt_camera_test_v1", path=tmp_path, image_size="100")
        assert data.frame["image"].iloc[3] == str(place / "images_100" / "3.jpg")
        with pytest.raises(ParameterError, match="there are 100"):
            load_causal_chamber("lt_camera_test_v1", path=tmp_path, image_size="full")
        (place / "images_100" / "3.jpg").unlink()
        with pytest.raises(DataError, match="which is not there"):
            load_causal_chamber("lt_camera_test_v1", path=tmp_path, image_size="100")

    def test_columns_that_differ(self, folder):
        table(2, ("red", "blue")).to_csv(folder / "other.csv", index=False)
        with pytest.raises(DataError, match="do not have the same columns"):
            load_causal_chamber(NAME, path=folder)
        assert len(load_causal_chamber(NAME, "other", path=folder).frame) == 5

    def test_folders_that_are_none(self, tmp_path):
        with pytest.raises(DataError, match="there is no folder"):
            load_causal_chamber(NAME, path=tmp_path / "none")
        with pytest.raises(DataError, match="has no experiments"):
            load_causal_chamber(NAME, path=tmp_path)
        with pytest.raises(ParameterError, match="configuration"):
            load_causal_chamber("lt_new_v9", path=tmp_path)
        table(0, ("x", "y")).to_csv(tmp_path / "a.csv", index=False)
        with pytest.raises(DataError, match="no column of the chamber"):
            load_causal_chamber(NAME, path=tmp_path)


@pytest.fixture
def publisher(tmp_path, folder):
    """Serve a list of data sets and one archive; yields the address of the list and the folder that is served."""
    site = tmp_path / "site"
    site.mkdir()
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, f"{NAME}/{file.name}")
    (site / "data.zip").write_bytes(body.getvalue())
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        md5 = hashlib.md5(body.getvalue(), usedforsecurity=False).hexdigest()
        (site / "directory.yaml").write_text(
            f'datasets:\n  {NAME}:\n    image: False\n    url: "{address}/data.zip"\n    md5: "{md5}"\n'
        )
        yield f"{address}/directory.yaml", site
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@pytest.mark.filterwarnings("ignore::ResourceWarning")
class TestDownload:
    def test_once_and_then_from_the_cache(self, publisher, tmp_path):
        directory, site = publisher
        first = load_causal_chamber(NAME, cache_dir=tmp_path / "cache", directory=directory)
        for file in site.iterdir():
            file.unlink()
        second = load_causal_chamber(NAME, cache_dir=tmp_path / "cache", directory=directory)
        pd.testing.assert_frame_equal(first.frame, second.frame)
        assert len(first.frame) == 10

    def test_other_bytes_leave_nothing(self, publisher, tmp_path):
        directory, site = publisher
        archive = site / "data.zip"
        archive.write_bytes(archive.read_bytes() + b"x")
        with pytest.raises(DataError, match="checksum"):
            load_causal_chamber(NAME, cache_dir=tmp_path / "cache", directory=directory)
        assert not any((tmp_path / "cache" / "causal_chambers").iterdir())

    def test_lists_without_the_data_set(self, publisher, tmp_path):
        directory, site = publisher
        with pytest.raises(ParameterError, match=f"there are {NAME}"):
            load_causal_chamber("wt_walks_v1", cache_dir=tmp_path / "cache", directory=directory)
        (site / "directory.yaml").write_text("nothing: here\n")
        with pytest.raises(DataError, match="no list of data sets"):
            load_causal_chamber(NAME, cache_dir=tmp_path / "cache", directory=directory)


def test_importing_asks_no_network():
    code = (
        "import socket\n"
        "def no(*_, **__): raise AssertionError('a socket was opened')\n"
        "socket.socket.connect = no\n"
        "from causalkit.datasets import causal_chamber_graph\n"
        "assert causal_chamber_graph('wt').n_nodes == 32\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
