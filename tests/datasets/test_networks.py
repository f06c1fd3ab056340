"""Structures of well-known networks, against the files of the repository where they are there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from causalkit.datasets import list_networks, load_bnrep, load_network
from causalkit.exceptions import DataError, ParameterError
from causalkit.strength import BayesianNetwork

FILES = Path(__file__).parents[3] / "shared" / "data" / "networks"


def test_sizes():
    """Nodes and arcs as the repository lists them."""
    sizes = {name: (g.n_nodes, g.n_edges) for name in list_networks() for g in [load_network(name).graph]}
    assert sizes == {
        "asia": (8, 8),
        "cancer": (5, 4),
        "earthquake": (5, 4),
        "survey": (6, 6),
        "sachs": (11, 17),
        "child": (20, 25),
        "insurance": (27, 52),
        "alarm": (37, 46),
    }


@pytest.mark.parametrize("name", list_networks())
def test_against_the_files(name):
    path = FILES / f"{name}.bif"
    if not path.exists():
        pytest.skip("no BIF files here")
    assert load_network(name).graph == BayesianNetwork.from_bif(path).graph


def test_every_network_says_where_it_is_from():
    for name in list_networks():
        found = load_network(name)
        assert found.description
        assert found.source[-4:].isdigit()


def test_unknown():
    with pytest.raises(ParameterError, match="did you mean 'alarm'"):
        load_network("alarms")
    with pytest.raises(ParameterError, match="there are asia"):
        load_network("zzz")


class RObject(dict):
    """A named list with classes of R."""

    def __init__(self, classes, **entries):
        super().__init__(entries)
        self.classes = classes


def write_rda(path, **objects):
    rdata = pytest.importorskip("rdata")

    def with_class(data, _):
        names = np.array(list(data))
        return list(data.values()), {"names": names, "class": np.array(data.classes)}

    rdata.write_rda(path, objects, constructor_dict={RObject: with_class})
    return path


def fitted(**parents):
    """What bnlearn calls bn.fit: for every node its name, parents, children, and a law."""
    nodes = {
        name: RObject(
            ["bn.fit.gnode"],
            node=np.array([name]),
            parents=np.array(group, dtype=str),
            children=np.array([child for child, others in parents.items() if name in others], dtype=str),
            coefficients=np.zeros(1 + len(group)),
            sd=np.ones(1),
        )
        for name, group in parents.items()
    }
    return RObject(["bn.fit", "bn.fit.gnet"], **nodes)


class TestBnRep:
    def test_parents_are_parents(self, tmp_path):
        network = load_bnrep(
            write_rda(tmp_path / "a.rda", coral=fitted(heat=[], bleach=["heat", "acid"], acid=[]))
        )
        assert network.name == "coral"
        assert network.graph.nodes == ("heat", "bleach", "acid")
        assert network.graph.parents("bleach") == ("heat", "acid")
        assert network.graph.n_edges == 2

    def test_other_objects(self, tmp_path):
        with pytest.raises(DataError, match="is no fitted network"):
            load_bnrep(write_rda(tmp_path / "a.rda", x=np.ones(3)))
        with pytest.raises(DataError, match="holds 2 objects"):
            load_bnrep(write_rda(tmp_path / "b.rda", x=fitted(a=[]), y=fitted(a=[])))
        with pytest.raises(DataError, match="'b' is a parent and no node"):
            load_bnrep(write_rda(tmp_path / "c.rda", x=fitted(a=["b"])))
        with pytest.raises(DataError, match="there is no file"):
            load_bnrep(tmp_path / "none.rda")
        (tmp_path / "d.rda").write_text("plain text")
        with pytest.raises(DataError, match="is no .rda file"):
            load_bnrep(tmp_path / "d.rda")
