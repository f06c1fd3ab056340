"""Structures of well-known networks, against the files of the repository where they are there."""

from __future__ import annotations

from pathlib import Path

import pytest

from causalkit.datasets import list_networks, load_network
from causalkit.exceptions import ParameterError
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
