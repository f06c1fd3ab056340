"""How sure an arrow is follows from what it rests on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from causalkit import BackgroundKnowledge, CausalGraph
from causalkit.discovery import CDNOD, PC
from causalkit.discovery._confidence import SHARE_RIGHT, confidence_of_triple
from causalkit.independence import DSeparation


def linear(text, n, seed):
    """Rows of a linear model with unit noise along a graph."""
    graph, rng, data = CausalGraph.parse(text, kind="DAG"), np.random.default_rng(seed), {}
    for name in graph.topological_order():
        data[name] = rng.normal(size=n) + sum(0.7 * data[parent] for parent in graph.parents(name))
    return pd.DataFrame(data)


def test_more_evidence_is_more_confidence():
    sure = confidence_of_triple(0.9, 5, 5, 1e-8)
    assert sure > confidence_of_triple(0.1, 5, 5, 1e-8)
    assert sure > confidence_of_triple(0.9, 3, 5, 1e-8)
    assert sure > confidence_of_triple(0.9, 5, 5, 0.03)
    assert 0.3 < confidence_of_triple(0.06, 2, 3, 0.045) < 0.7
    assert 0.95 < sure < 1


def test_receipts_hold_the_counts_of_their_triple():
    model = PC(ci_test="fisher_z").fit(linear("a -> c; b -> c; c -> d", 800, 0))
    collider, follows = model.orientation_["a", "c"], model.orientation_["c", "d"]
    assert (collider.rule, follows.rule) == ("collider", "meek-1")
    assert collider.confidence == confidence_of_triple(
        collider.p_value, collider.n_agreeing, collider.n_sets, collider.p_given_middle
    )
    assert follows.confidence == confidence_of_triple(follows.p_value, follows.n_agreeing, follows.n_sets)
    assert f"{collider.n_sets - collider.n_agreeing} of {collider.n_sets} sets" in collider.note
    edge = next(e for e in model.graph_.edges if (e.u, e.v) == ("a", "c"))
    assert edge.data["confidence"] == collider.confidence


def test_weak_arrows_are_less_sure_than_strong_ones():
    """The same graph, few rows and many: fewer sets agree, and the ends are less clearly dependent given the middle."""
    said = {60: [], 2000: []}
    for n, found in said.items():
        for seed in range(12):
            model = PC(ci_test="fisher_z").fit(linear("a -> c; b -> c; c -> d; d -> e", n, seed))
            found += [r.confidence for r in model.orientation_.values() if r.rule == "collider"]
    assert np.mean(said[60]) < np.mean(said[2000]) - 0.01


def test_what_knowledge_says_has_none():
    model = PC(
        ci_test=DSeparation(CausalGraph.parse("X -> Y")),
        knowledge=BackgroundKnowledge(required=[("X", "Y")]),
    ).fit(linear("X -> Y", 50, 0))
    assert model.orientation_["X", "Y"].confidence is None


@pytest.mark.parametrize("rule", ["context", "invariance"])
def test_arrows_of_contexts(rule):
    rng = np.random.default_rng(0)
    k = np.repeat(np.arange(6), 60)
    x = 2 * rng.normal(size=6)[k] + rng.normal(size=360)
    frame = pd.DataFrame({"x": x, "y": x + rng.normal(size=360), "k": [f"s{c}" for c in k]})
    model = CDNOD(n_components=0).fit(frame, context="k")
    receipt = model.orientation_["k", "x"] if rule == "context" else model.orientation_["x", "y"]
    assert receipt.rule == rule
    expected = SHARE_RIGHT["context"]
    if rule == "invariance":
        expected = confidence_of_triple(receipt.p_value, receipt.n_agreeing, receipt.n_sets)
    assert receipt.confidence == expected
