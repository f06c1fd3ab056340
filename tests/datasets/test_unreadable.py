"""What cannot be read is said in one way: which file or address, and what was wrong with it. Each of these raised an error of some library."""

from __future__ import annotations

import lzma

import numpy as np
import pytest

from causalkit.datasets import _sachs as sachs
from causalkit.datasets import (
    load_bnrep,
    load_causal_chamber,
    load_causalverse,
    load_sachs,
    load_tuebingen_pairs,
)
from causalkit.exceptions import DataError, ParameterError


class TestSachs:
    @pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00\x01", b"a\tb\n1\t2\n"])
    def test_files(self, tmp_path, content):
        file = tmp_path / "sachs.tsv"
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(DataError, match=r"sachs\.tsv|no column"):
            load_sachs(path=file)

    def test_a_folder_and_text_among_numbers(self, tmp_path):
        with pytest.raises(DataError):
            load_sachs(path=tmp_path)
        file = tmp_path / "s.tsv"
        names = [*sachs.PROTEINS, *sachs.REAGENTS]
        file.write_text("\t".join(names) + "\n" + "\t".join(["x"] * len(names)) + "\n")
        with pytest.raises(DataError, match="a column of"):
            load_sachs(path=file)

    def test_a_download_that_fails(self, monkeypatch, tmp_path):
        pytest.importorskip("pooch")
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setattr(sachs, "URL", "http://127.0.0.1:9/sachs.tsv")
        with pytest.raises(DataError, match=r"http://127\.0\.0\.1:9/sachs\.tsv cannot be read"):
            load_sachs()

    def test_a_download_of_something_else(self, monkeypatch, tmp_path):
        pytest.importorskip("pooch")
        import threading
        from http.server import BaseHTTPRequestHandler, HTTPServer

        class Other(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"other")

            def log_message(self, *_):
                pass

        server = HTTPServer(("127.0.0.1", 0), Other)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        monkeypatch.setattr(sachs, "URL", f"http://127.0.0.1:{server.server_port}/sachs.tsv")
        try:
            with pytest.raises(DataError, match="hash"):
                load_sachs()
        finally:
            server.shutdown()
            server.server_close()


class TestChambers:
    def test_names(self):
        for name in (None, "foo", 3):
            with pytest.raises(ParameterError, match="begin with 'lt'"):
                load_causal_chamber(name)

    def test_no_network_and_no_folder(self, tmp_path):
        pytest.importorskip("pooch")
        name, where = "lt_interventions_standard_v1", {"directory": "http://127.0.0.1:9/directory.yaml"}
        with pytest.raises(DataError, match="directory.yaml cannot be read"):
            load_causal_chamber(name, cache_dir=tmp_path, **where)
        file = tmp_path / "file"
        file.write_text("")
        with pytest.raises(DataError, match="the cache"):
            load_causal_chamber(name, cache_dir=file, **where)

    def test_experiments_are_named(self, tmp_path):
        (tmp_path / "one.csv").write_text("red,green\n1,2\n")
        with pytest.raises(ParameterError, match="named by text"):
            load_causal_chamber("lt_interventions_standard_v1", 3, path=tmp_path)


class TestPairs:
    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("0001 1 1 2 2 x", "the weight in the line"),
            ("0001 1 1 2 2 nan", "0 or more"),
            ("0001 1 2 2 3 1", "first and last column"),
        ],
    )
    def test_lists(self, tmp_path, line, said):
        (tmp_path / "pairmeta.txt").write_text(line + "\n")
        np.savetxt(tmp_path / "pair0001.txt", np.ones((3, 3)))
        with pytest.raises(DataError, match=said):
            load_tuebingen_pairs(tmp_path)

    def test_other_encodings(self, tmp_path):
        (tmp_path / "pairmeta.txt").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(DataError, match=r"pairmeta\.txt cannot be read"):
            load_tuebingen_pairs(tmp_path)


@pytest.mark.parametrize(
    "content", [lzma.compress(b"RDX3\nX\n" * 50)[:40], b"RDX3\nX\n\x00", b"nothing", b""]
)
def test_files_of_r(tmp_path, content):
    pytest.importorskip("rdata")
    file = tmp_path / "net.rda"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"net\.rda"):
        load_bnrep(file)


class TestShards:
    def test_a_shard_that_goes_away_is_said(self, tmp_path):
        pytest.importorskip("pyarrow")
        from tests.datasets.test_causalverse import fall, put, shards

        _, records, pictures = fall()
        put(tmp_path, shards("fall", records, pictures, 3))
        found = load_causalverse("fall", "images", path=tmp_path)
        for file in sorted(tmp_path.rglob("*.parquet"))[1:]:
            file.write_bytes(b"PAR1" + b"x" * 50)
        with pytest.raises(DataError, match=r"row group|fall-00001"):
            found.as_numpy()
        kept = found.cache(8, tmp_path / "cache", on_error="skip")
        assert 0 < len(kept) < len(found)
        assert len(kept.skipped) == len(found) - len(kept)
