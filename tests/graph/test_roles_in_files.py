"""Tests that a node which a file marks as hidden or selected is one after reading, in every language that can say it."""

from __future__ import annotations

import networkx as nx
import pytest

from causalkit import CausalGraph
from causalkit.exceptions import ParseError
from causalkit.strength import identify

HIDDEN = CausalGraph.parse("u -> x; u -> y; x -> y").with_node_data("u", role="latent")


def never_adjusts_for_u(graph):
    return graph.node_data["u"]["role"] == "latent" and "u" not in (
        identify(graph, "x", "y").adjustment_set or ()
    )


@pytest.mark.parametrize("language", ["dot", "graphml", "gml", "json", "networkx", "dagitty", "dowhy"])
def test_hidden_nodes_stay_hidden(language):
    if not hasattr(HIDDEN, f"to_{language}"):
        pytest.skip(f"there is no {language}")
    if language == "dowhy":
        pytest.importorskip("dowhy")
    assert never_adjusts_for_u(getattr(CausalGraph, f"from_{language}")(getattr(HIDDEN, f"to_{language}")()))


@pytest.mark.parametrize("role", ["latent", "selection", "context"])
@pytest.mark.parametrize("language", ["dot", "graphml", "json", "networkx"])
def test_roles_come_back(role, language):
    graph = CausalGraph.parse("a -> b; c -> b").with_node_data("c", role=role)
    assert getattr(CausalGraph, f"from_{language}")(getattr(graph, f"to_{language}")()) == graph


@pytest.mark.parametrize(
    "text",
    [
        'digraph { u [observed="no"]; u -> x; u -> y; x -> y }',
        "digraph { u -> x; u -> y; x -> y; u [latent=yes] }",
        'digraph { u [label="U" unobserved="1"]; u -> x; u -> y; x -> y }',
    ],
)
def test_flags_of_other_tools(text):
    assert never_adjusts_for_u(CausalGraph.from_dot(text))


def test_flags_in_a_networkx_graph():
    other = nx.DiGraph([("u", "x"), ("u", "y"), ("x", "y")])
    other.nodes["u"]["observed"] = "no"
    other.nodes["x"].update(observed="yes", role="gene", colour="red")
    graph = CausalGraph.from_networkx(other)
    assert never_adjusts_for_u(graph)
    assert "x" not in graph.node_data


@pytest.mark.parametrize("attribute", ["role=hiden", "observed=perhaps", "observed=no, role=selection"])
def test_what_is_not_understood_is_refused(attribute):
    with pytest.raises(ParseError, match="'u'"):
        CausalGraph.from_dot(f"digraph {{ u [{attribute}]; u -> x }}")
