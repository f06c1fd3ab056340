"""Colliders by the largest p-value: the same graph from an oracle, and fewer false colliders from few rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from causalkit import CausalGraph
from causalkit.datasets import load_network
from causalkit.discovery import PC
from causalkit.exceptions import ParameterError
from causalkit.independence import DSeparation


@pytest.mark.parametrize("network", ["asia", "cancer", "sachs", "child"])
def test_an_oracle_gives_the_class(network):
    truth = load_network(network).graph
    data = np.random.default_rng(0).normal(size=(30, truth.n_nodes))
    model = PC(ci_test=DSeparation(truth), colliders="max_p")
    frame = pd.DataFrame(data, columns=list(truth.nodes))
    assert model.fit(frame).graph_.to_cpdag().equals(truth.to_cpdag())


def chain(rng, n):
    """A chain of weak links: the ends look independent in few rows."""
    x = rng.normal(size=n)
    y = 0.45 * x + rng.normal(size=n)
    return np.column_stack([x, y, 0.45 * y + rng.normal(size=n)])


def false_colliders(rule, runs=200):
    rng = np.random.default_rng(0)
    graphs = [PC(colliders=rule).fit(chain(rng, 60)).graph_ for _ in range(runs)]
    found = [
        g for g in graphs if g.has_edge("X1", "X2") and g.has_edge("X2", "X3") and not g.has_edge("X1", "X3")
    ]
    return np.mean([g.has_directed_edge("X1", "X2") and g.has_directed_edge("X3", "X2") for g in found])


def test_weak_chains_are_seldom_taken_for_colliders():
    """By majority the empty set alone separates the ends and makes a collider; by the largest p-value the middle mostly separates them better."""
    majority, largest = false_colliders("majority"), false_colliders("max_p")
    assert majority > 0.5
    assert largest < majority / 2


def test_true_colliders_stay():
    rng = np.random.default_rng(1)
    found = 0
    for _ in range(50):
        a, b = rng.normal(size=(2, 300))
        c = a + b + 0.5 * rng.normal(size=300)
        graph = PC(colliders="max_p").fit(np.column_stack([a, b, c])).graph_
        found += graph.has_directed_edge("X1", "X3") and graph.has_directed_edge("X2", "X3")
    assert found >= 45


def test_order_of_columns_does_not_matter():
    data = np.random.default_rng(3).normal(size=(200, 6)) @ np.random.default_rng(4).normal(size=(6, 6))
    names = list("abcdef")
    frame = pd.DataFrame(data, columns=names)
    first = PC(colliders="max_p", alpha=0.01).fit(frame).graph_
    second = PC(colliders="max_p", alpha=0.01).fit(frame[names[::-1]]).graph_
    assert str(first) == str(second.reorder(names))


def test_bad():
    with pytest.raises(ParameterError, match="colliders is 'all'"):
        PC(colliders="all").fit(
            np.zeros((20, 2))
            + np.arange(20)[:, None] * [1.0, -1.0]
            + np.random.default_rng(0).normal(size=(20, 2))
        )


def test_the_parts_are_documented_as_tests():
    """Every test that was done is in the table, those for colliders too."""
    data = np.random.default_rng(0).normal(size=(100, 4)).cumsum(axis=1)
    plain, largest = PC().fit(data), PC(colliders="max_p").fit(data)
    assert largest.n_tests_ >= plain.n_tests_
    assert isinstance(largest.graph_, CausalGraph)
