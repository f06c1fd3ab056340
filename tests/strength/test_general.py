"""The general identification algorithm against networks with hidden causes, and bounds where nothing identifies."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest

from causalkit import CausalGraph
from causalkit.graph._problem import read_problem
from causalkit.strength import BayesianNetwork, NetworkOracle, causal_strength
from causalkit.strength._general import evaluate, general_estimand
from causalkit.strength._network import Factor
from tests.strength.networks import binary


def with_hidden(graph, rng):
    """Return a random binary network with a hidden cause for every bidirected edge."""
    lines = [*graph.nodes, *(f"{u} -> {v}" for u in graph.nodes for v in graph.children(u))]
    for k, (u, v) in enumerate((e.u, e.v) for e in graph.edges if e.is_bidirected):
        lines += [f"H{k} -> {u}", f"H{k} -> {v}"]
    dag = CausalGraph.parse("\n".join(lines))
    tables = {}
    for name in dag.nodes:
        p = rng.uniform(0.1, 0.9, [2] * len(dag.parents(name)))
        tables[name] = np.stack([1 - p, p], axis=-1)
    return BayesianNetwork(dag, dict.fromkeys(dag.nodes, (0, 1)), tables)


def random_admg(seed, d):
    rng = np.random.default_rng(seed)
    names = [f"V{k}" for k in range(d)]
    directed = np.triu(rng.random((d, d)) < 0.5, 1)
    both = np.triu(rng.random((d, d)) < 0.3, 1)
    marks = 2 * directed + 3 * directed.T
    return CausalGraph("ADMG", names, marks, bidirected=both | both.T)


def answer(graph, x, y):
    return general_estimand(read_problem(graph, x, y, None, (), ()))


@pytest.mark.parametrize("seed", range(25))
def test_estimands_give_what_the_mutilated_network_gives(seed):
    graph = random_admg(seed, 4 + seed % 2)
    net = with_hidden(graph, np.random.default_rng(seed))
    whole = Factor(graph.nodes, net.query(graph.nodes))
    for x, y in permutations(graph.nodes, 2):
        estimand = answer(graph, x, y)
        if estimand is not None:
            truth = net.query(y, do={x: 1})[1]
            assert evaluate(estimand, whole, (y, 1), {x: 1}) == pytest.approx(truth, abs=1e-10), (
                str(graph),
                x,
                y,
                str(estimand),
            )


def test_joint_effects_of_two_causes():
    done = 0
    for seed in range(12):
        graph = random_admg(100 + seed, 5)
        net = with_hidden(graph, np.random.default_rng(seed))
        whole = Factor(graph.nodes, net.query(graph.nodes))
        estimand = answer(graph, graph.nodes[:2], graph.nodes[4])
        if estimand is not None:
            done += 1
            truth = net.query(graph.nodes[4], do={graph.nodes[0]: 1, graph.nodes[1]: 0})[1]
            found = evaluate(estimand, whole, (graph.nodes[4], 1), {graph.nodes[0]: 1, graph.nodes[1]: 0})
            assert found == pytest.approx(truth, abs=1e-10)
    assert done > 4


def napkin():
    return binary(
        "u1 -> w; u2 -> w; w -> z; z -> x; u1 -> x; x -> y; u2 -> y",
        u1=lambda: 0.5,
        u2=lambda: 0.5,
        w=lambda a, b: 0.1 + 0.4 * a + 0.4 * b,
        z=lambda w: 0.2 + 0.6 * w,
        x=lambda u1, z: 0.1 + 0.4 * z + 0.4 * u1,
        y=lambda u2, x: 0.1 + 0.3 * x + 0.5 * u2,
    )


def observed_napkin():
    graph = napkin().graph
    for node in ("u1", "u2"):
        graph = graph.with_node_data(node, role="latent")
    return graph


def test_napkin():
    """Pearl's napkin: 13/20 and 7/20, where the plain contrast is .674 and .326; z drops out."""
    net, graph = napkin(), observed_napkin()
    whole = Factor(("w", "z", "x", "y"), net.query(["w", "z", "x", "y"]))
    estimand = answer(graph, "x", "y")
    assert evaluate(estimand, whole, ("y", 1), {"x": 1}) == pytest.approx(13 / 20, abs=1e-12)
    assert evaluate(estimand, whole, ("y", 1), {"x": 0}) == pytest.approx(7 / 20, abs=1e-12)
    plain = net.query("y", evidence={"x": 1})[1]
    assert plain == pytest.approx(0.674, abs=1e-3)


@pytest.mark.parametrize(
    "text",
    [
        "x -> y; x <-> y",
        "x -> m; m -> y; x <-> m",
        "x -> m; m -> y; x <-> m; x <-> y",
        "z -> x; x -> y; x <-> y",
        "x -> y; z -> y; x <-> z; z <-> y",
    ],
)
def test_hedges(text):
    """Graphs that are known not to identify the effect (Shpitser and Pearl 2006, figure 1)."""
    graph = CausalGraph.parse(text, kind="ADMG")
    assert answer(graph, "x", "y") is None


def test_agrees_with_y0_on_what_is_identified():
    """An implementation of others agrees on what is identified."""
    y0 = pytest.importorskip("y0.algorithm.identify")
    from y0.dsl import Variable
    from y0.graph import NxMixedGraph

    for seed in range(30):
        g = random_admg(seed, 4)
        arrows = [(u, v) for u in g.nodes for v in g.children(u)]
        both = [(u, v) for u in g.nodes for v in g.spouses(u) if u < v]
        other = NxMixedGraph.from_str_edges(nodes=list(g.nodes), directed=arrows, undirected=both)
        for x, y in permutations(g.nodes, 2):
            theirs = y0.identify_outcomes(other, treatments=Variable(x), outcomes=Variable(y))
            assert (theirs is None) == (answer(g, x, y) is None), (str(g), x, y)


def test_napkin_from_an_oracle_and_from_rows():
    net, graph = napkin(), observed_napkin()
    exact = causal_strength(graph, "x", "y", oracle=NetworkOracle(net), effect_value=1)
    assert exact.identification.kind == "id"
    assert [m.value for m in exact.means] == pytest.approx([7 / 20, 13 / 20], abs=1e-12)
    frame = pd.DataFrame(net.sample(30_000, rng=0)).drop(columns=["u1", "u2"])
    found = causal_strength(graph, "x", "y", data=frame, n_resamples=30)
    assert found.interval[0] < 0.3 < found.interval[1]
    assert found.se < 0.03
