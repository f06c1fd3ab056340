"""Refuters, where the estimate is right and where it is not; and the strength of single arrows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from causalkit import CausalGraph
from causalkit.exceptions import GraphError, ParameterError
from causalkit.strength import NetworkOracle, arrow_strength, causal_strength, refute
from tests.strength.networks import asia, sprinkler, triangle
from tests.strength.test_strength import CONTINUOUS, continuous_rows


def test_a_right_estimate_passes():
    frame = continuous_rows(800)
    found = refute(causal_strength(CONTINUOUS, "x", "y", data=frame), frame, n_repeats=40)
    assert all(t.p_value is None or t.p_value > 0.01 for t in found.tests)
    assert abs(np.mean(found["placebo"].values)) < 0.1
    assert "placebo" in str(found)


def test_graph_edits_show_on_which_edges_the_answer_hangs():
    frame = continuous_rows(1500)
    found = refute(causal_strength(CONTINUOUS, "x", "y", data=frame), frame, tests=["graph_edits"])[
        "graph_edits"
    ]
    values = dict(zip(found.labels, found.values, strict=True))
    assert abs(values["without z -> y"] - 1) > 1
    assert abs(values["without w -> y"] - 1) > 0.15
    assert values["without z -> x"] == pytest.approx(1, abs=0.2)
    assert values["without x -> y"] == 0
    assert values["y -> x instead"] == 0


def test_sets_disagree_if_the_graph_is_wrong():
    """The chain a -> b -> x with a -> y; the data have b -> y too, so that adjusting for a alone is biased."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=2000)
    b = a + rng.normal(size=2000)
    x = (b + rng.normal(size=2000) > 0).astype(int)
    frame = pd.DataFrame({"a": a, "b": b, "x": x, "y": x + a + rng.normal(size=2000)})
    g = CausalGraph.parse("a -> b; b -> x; a -> y; x -> y")
    right = refute(causal_strength(g, "x", "y", data=frame), frame, tests=["adjustment_sets"])[
        "adjustment_sets"
    ]
    assert right.labels == ("b",)
    assert right.p_value > 0.05
    wrong = frame.assign(y=frame.y + 2 * frame.b)
    found = refute(causal_strength(g, "x", "y", data=wrong), wrong, tests=["adjustment_sets"])[
        "adjustment_sets"
    ]
    assert found.p_value < 1e-4


def test_same_seed_same_refutation():
    frame = continuous_rows(200)
    strength = causal_strength(CONTINUOUS, "x", "y", data=frame)
    assert refute(strength, frame, rng=1) == refute(strength, frame, rng=1)


def test_what_cannot_be_refuted():
    net, frame = triangle(), continuous_rows(200)
    with pytest.raises(ParameterError, match="oracle"):
        refute(causal_strength(net.graph, "x", "y", oracle=NetworkOracle(net), effect_value=1), frame)
    strength = causal_strength(CONTINUOUS, "x", "y", data=frame)
    with pytest.raises(ParameterError, match="tests is 'all'"):
        refute(strength, frame, tests=["all"])
    with pytest.raises(KeyError):
        refute(strength, frame, tests=["subset"])["placebo"]


def test_arrow_strength_is_the_divergence_of_the_cut_network():
    """Against the whole joint distribution, with the arrow cut and fed with an independent copy."""
    net = asia()
    for cause, effect in (("bronc", "dysp"), ("smoke", "lung"), ("lung", "either")):
        parents = net.graph.parents(effect)
        full = net.query([*parents, effect])
        given = np.moveaxis(net.table(effect), parents.index(cause), 0)
        cut = np.einsum("i,i...->...", net.query(cause), given)
        cut = np.expand_dims(cut, parents.index(cause))
        other = np.broadcast_to(net.query(parents)[..., None] * cut, full.shape)
        where = full > 0
        assert arrow_strength(net, cause, effect) == pytest.approx(
            (full[where] * np.log(full[where] / other[where])).sum()
        )
    with pytest.raises(GraphError, match="no arrow"):
        arrow_strength(sprinkler(), "rain", "sprinkler")
