"""Readers of files from other fields: what they make of right files, and what they say of others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from causalkit.datasets import load_arctic_sea_ice, load_neuropathic_pain, load_tuebingen_pairs
from causalkit.exceptions import DataError

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "data" / "transcripts"


class TestArctic:
    def test_a_row_causes_its_columns(self, tmp_path):
        file = tmp_path / "graph.csv"
        file.write_text("from\\to,A,B,C\nA,0,1,1\nB,0,0,1\nC,1,0,0\n")
        graph = load_arctic_sea_ice(file)
        assert graph.has_directed_edge("A", "B")
        assert graph.has_directed_edge("B", "C")
        assert graph.edge_between("A", "C") == "<->"
        notes = {frozenset((e.u, e.v)): e.data.get("note") for e in graph.edges}
        assert notes[frozenset("AC")] == "each causes the other"
        assert notes[frozenset("AB")] is None

    @pytest.mark.skipif(not PUBLISHED.exists(), reason="the published files are not here")
    def test_the_published_graph(self):
        graph = load_arctic_sea_ice(PUBLISHED / "arctic_sea_ice" / "expert_graph.csv")
        both = sum(e.is_bidirected for e in graph.edges)
        assert (len(graph.nodes), len(graph.edges) + both) == (12, 48)
        assert graph.has_directed_edge("CC", "SW")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "a square table"),
            ("x,A,B\nA,0,1\nC,0,0\n", "names of rows and columns differ"),
            ("x,A,B\nA,0,2\nB,0,0\n", "cells must be 0 or 1"),
            ("x,A,B\nA,0,1,0\nB,0\n", "cells must be 0 or 1, 2 in each row"),
            ("x,A,B\nA,1,0\nB,0,0\n", "'A' causes itself"),
            ("x,A,A\nA,0,0\nA,0,0\n", "names must be there and different"),
            ("x,A,B\nA,0,1\nB,0\n", "cells must be 0 or 1, 2 in each row"),
        ],
    )
    def test_other_files(self, tmp_path, text, message):
        (tmp_path / "graph.csv").write_text(text)
        with pytest.raises(DataError, match=message):
            load_arctic_sea_ice(tmp_path / "graph.csv")

    def test_no_file(self, tmp_path):
        with pytest.raises(DataError, match="there is no file"):
            load_arctic_sea_ice(tmp_path / "graph.csv")


class TestNeuropathic:
    def test_links_are_arrows(self, tmp_path):
        content = {"nodes": [{"id": "a b"}, {"id": "c"}], "links": [{"source": "a b", "target": "c"}]}
        (tmp_path / "graph.json").write_text(json.dumps(content))
        graph = load_neuropathic_pain(tmp_path / "graph.json")
        assert str(graph.kind) == "DAG"
        assert graph.parents("c") == ("a b",)

    @pytest.mark.skipif(not PUBLISHED.exists(), reason="the published files are not here")
    def test_the_published_graph(self):
        graph = load_neuropathic_pain(PUBLISHED / "neuropathic_pain" / "graph.json")
        assert (str(graph.kind), len(graph.nodes), len(graph.edges)) == ("DAG", 221, 475)
        assert graph.has_directed_edge("L T10", "IBS")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("{", "no nodes and links"),
            ('{"nodes": []}', "no nodes and links"),
            ('{"nodes": [{"id": "a"}], "links": [{"source": "a", "target": "b"}]}', "'b', which is no node"),
        ],
    )
    def test_other_files(self, tmp_path, content, message):
        (tmp_path / "graph.json").write_text(content)
        with pytest.raises(DataError, match=message):
            load_neuropathic_pain(tmp_path / "graph.json")


class TestTuebingen:
    @staticmethod
    def folder(tmp_path, meta="0001 1 1 2 2 0.5\n0002 3 3 1 2 1\n0009 1 1 2 2 1\n"):
        (tmp_path / "pairmeta.txt").write_text(meta)
        np.savetxt(tmp_path / "pair0001.txt", [[1, 10], [2, 20], [3, 30]])
        np.savetxt(tmp_path / "pair0002.txt", [[1, 2, 100], [3, 4, 200]])
        return tmp_path

    def test_causes_come_first(self, tmp_path):
        one, two = load_tuebingen_pairs(self.folder(tmp_path))
        for pair in (one, two):
            assert len(pair) == len(pair.frame)
            np.testing.assert_array_equal(pair.as_numpy(), pair.as_dataframe().to_numpy())
            assert set(pair.graph.nodes) == set(pair.frame.columns)
            assert all(e.u.startswith("cause") and e.v.startswith("effect") for e in pair.graph.edges)
        assert (one.name, one.weight, list(one.frame)) == ("0001", 0.5, ["cause", "effect"])
        assert list(two.frame) == ["cause", "effect_1", "effect_2"]
        assert two.frame.cause.tolist() == [100, 200]
        assert two.frame.effect_2.tolist() == [2, 4]

    def test_other_files(self, tmp_path):
        with pytest.raises(DataError, match="there is no file"):
            load_tuebingen_pairs(tmp_path)
        folder = self.folder(tmp_path, "0001 1 1 5 5 1\n")
        with pytest.raises(DataError, match="has 2 columns; pairmeta.txt speaks of column 5"):
            load_tuebingen_pairs(folder)
        with pytest.raises(DataError, match="first and last column"):
            load_tuebingen_pairs(self.folder(tmp_path, "0001 1 1\n"))
        with pytest.raises(DataError, match="no pair0001.txt"):
            load_tuebingen_pairs(self.folder(tmp_path, "0077 1 1 2 2 1\n"))
        self.folder(tmp_path)
        (tmp_path / "pair0001.txt").write_text("a b\n")
        with pytest.raises(DataError, match="should hold numbers"):
            load_tuebingen_pairs(tmp_path)
