"""The loader of Sachs et al.: a generated copy of the schema, and the real file where it is at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from causalkit.datasets import load_sachs
from causalkit.datasets._sachs import PROTEINS, REAGENTS
from causalkit.exceptions import DataError

REAL = Path(__file__).parents[3] / "shared" / "data" / "sachs" / "sachs_log_with_conditions.tsv"
SIZES = (853, 902, 911, 723, 810, 799, 848, 913, 707)


@pytest.fixture
def copy(tmp_path):
    rng = np.random.default_rng(0)
    values = rng.normal(3, 1, size=(30, len(PROTEINS))).round(3)
    given = np.zeros((30, len(REAGENTS)), dtype=int)
    given[:, 0] = 1
    given[10:20, 2] = 1
    given[20:, 0], given[20:, 7] = 0, 1
    frame = pd.DataFrame(np.hstack([values, given]), columns=[*PROTEINS, *REAGENTS])
    frame[list(REAGENTS)] = frame[list(REAGENTS)].astype(int)
    path = tmp_path / "sachs.tsv"
    frame.to_csv(path, sep="\t", index=False)
    return path


def test_conditions_are_combinations_of_reagents(copy):
    data = load_sachs(path=copy)
    assert data.contexts == ("condition",)
    assert data.frame["condition"].iloc[[0, 10, 20]].tolist() == ["cd3_cd28", "cd3_cd28 + aktinhib", "pma"]
    assert tuple(data.frame.columns[:-1]) == data.graph.nodes == PROTEINS
    assert data.graph.n_edges == 20
    assert data.graph.has_directed_edge("raf", "mek")


def test_without_contexts(copy):
    data = load_sachs(contexts=False, path=copy)
    assert data.contexts == ()
    assert "condition" not in data.frame


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "other.tsv"
    pd.DataFrame({"raf": [1.0]}).to_csv(path, sep="\t", index=False)
    with pytest.raises(DataError, match="no column 'mek'"):
        load_sachs(path=path)


@pytest.mark.skipif(not REAL.exists(), reason="the data are not at hand")
def test_the_real_file():
    data = load_sachs(path=REAL)
    assert len(data.frame) == 7466
    assert sorted(data.frame["condition"].value_counts()) == sorted(SIZES)
    text = (REAL.parent / "consensus_graph.txt").read_text()
    arrows = {tuple(line.split(". ")[1].split(" --> ")) for line in text.splitlines() if "-->" in line}
    assert arrows == {(e.u, e.v) for e in data.graph.edges}
