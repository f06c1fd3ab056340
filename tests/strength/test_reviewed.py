"""Cases that an independent review found wrong, each with what is right."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from causalkit import CausalGraph
from causalkit.exceptions import DataError, GraphError, ParameterError, PositivityError
from causalkit.strength import (
    BayesianNetwork,
    EventGraph,
    EventLog,
    NetworkOracle,
    causal_strength,
    identify,
    refute,
)
from tests.strength.networks import hidden_confounder, triangle
from tests.strength.test_general import napkin, observed_napkin
from tests.strength.test_strength import TRIANGLE, discrete_rows

BOW = CausalGraph.parse("x -> y; x <-> y", kind="ADMG")


def strata(seed, n=1200):
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 3, n)
    x = (rng.random(n) < np.array([0.2, 0.8, 0.2])[z]).astype(int)
    return pd.DataFrame({"z": z, "x": x, "y": (rng.random(n) < np.array([0.1, 0.9, 0.1])[z]).astype(int)})


def test_matching_uses_all_rows_at_the_same_place():
    frame = strata(0)
    plugin = causal_strength(TRIANGLE, "x", "y", data=frame)
    matched = causal_strength(TRIANGLE, "x", "y", data=frame, estimator="matching")
    assert matched.value == pytest.approx(plugin.value, abs=1e-9)
    assert matched.se == pytest.approx(plugin.se, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["x -> y", "z -> x; z -> y; x -> y"])
def test_intervals_of_matching_cover_with_ties(text):
    graph, hits = CausalGraph.parse(text), 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        frame = (
            strata(seed, 300)
            if "z" in text
            else pd.DataFrame(rng.integers(0, 2, (300, 2)), columns=["x", "y"])
        )
        low, high = causal_strength(graph, "x", "y", data=frame, estimator="matching").interval
        hits += low <= 0 <= high
    assert 0.88 <= hits / 100 <= 1


@pytest.mark.parametrize("estimator", ["gcomp", "ipw", "aipw", "matching"])
def test_all_estimators_are_about_all_rows_where_the_cause_has_more_values(estimator):
    rng = np.random.default_rng(0)
    z = rng.normal(size=3000)
    x = rng.integers(0, 3, 3000) * (z > -0.5)
    frame = pd.DataFrame({"z": z, "x": x, "y": x * (1 + z) + z + rng.normal(size=3000)})
    found = causal_strength(
        TRIANGLE,
        "x",
        "y",
        data=frame[frame.z > -0.5],
        cause_values=(0, 1),
        estimator=estimator,
        n_resamples=30,
    )
    truth = 1 + frame.z[frame.z > -0.5].mean()
    assert abs(found.value - truth) < 4 * found.se < 0.6


def test_probabilities_of_causation_under_bounds_are_the_widest():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 2, 2000)
    frame = pd.DataFrame({"x": x, "y": x * (rng.random(2000) < 0.4)}).astype(int)
    found = causal_strength(BOW, "x", "y", data=frame, measures=("pn", "ps", "pns"))
    for name in ("pn", "ps", "pns"):
        assert found.measures[name].ci_low < found.measures[name].ci_high
    assert found.measures["ps"].ci_high == pytest.approx(1, abs=1e-9)


def test_probabilities_of_causation_need_two_values():
    frame = discrete_rows()
    frame.loc[frame.index[::7], "x"] = 2
    with pytest.raises(ParameterError, match="two values"):
        causal_strength(TRIANGLE, "x", "y", data=frame, cause_values=(0, 1), measures=("pns",), empty="trim")


def test_bounds_of_ratios_are_unbounded_where_they_are():
    frame = pd.DataFrame({"x": [0] * 50 + [1] * 50, "y": [0] * 50 + [1] * 20 + [0] * 30})
    found = causal_strength(BOW, "x", "y", data=frame, measures=("rd", "rr", "nnt", "or"))
    assert found.measures["rr"].ci_low == pytest.approx(0.4)
    assert found.measures["rr"].ci_high == np.inf
    assert found.measures["or"].ci_high == np.inf
    assert found.measures["nnt"].ci_low is None
    assert "not defined" in str(found)


def test_number_needed_to_treat_has_no_interval_around_zero():
    frame = strata(0)
    found = causal_strength(TRIANGLE, "x", "y", data=frame, measures=("rd", "nnt"))
    assert found.interval[0] < 0 < found.interval[1]
    assert found.measures["nnt"].ci_low is None
    strong = causal_strength(TRIANGLE, "x", "y", data=discrete_rows(3000), measures=("nnt", "rd"))
    rd = strong.measures["rd"]
    assert strong.interval == pytest.approx((1 / rd.ci_high, 1 / rd.ci_low))


def test_general_estimand_needs_its_combinations():
    frame = pd.DataFrame(napkin().sample(5000, rng=0))
    frame = frame[~((frame.x == 1) & (frame.z == 0))]
    with pytest.raises(PositivityError, match="probabilities sum to"):
        causal_strength(observed_napkin(), "x", "y", data=frame, n_resamples=20)


@pytest.mark.parametrize("make", [lambda: (hidden_confounder(), "u"), lambda: (napkin(), ("u1", "u2"))])
def test_values_that_do_not_occur_are_named(make):
    net, hidden = make()
    graph = net.graph
    for node in [hidden] if isinstance(hidden, str) else hidden:
        graph = graph.with_node_data(node, role="latent")
    frame = pd.DataFrame(net.sample(500, rng=0))
    for values in ((0, 5), (5, 1)):
        with pytest.raises(PositivityError, match="no row has"):
            causal_strength(graph, "x", "y", data=frame, cause_values=values, n_resamples=20)
    with pytest.raises(ParameterError, match="not a"):
        causal_strength(graph, "x", "y", oracle=NetworkOracle(net), cause_values=("a", "b"), effect_value=1)
    flat = causal_strength(graph, "x", "y", data=frame.assign(y=0), n_resamples=20)
    assert flat.value == pytest.approx(0)


def test_a_given_set_is_what_is_used():
    graph = napkin().graph
    frame = pd.DataFrame(napkin().sample(3000, rng=0))
    latent = observed_napkin()
    assert identify(latent, "x", "y").kind == "id"
    found = causal_strength(graph, "x", "y", data=frame, adjustment_set=["u1", "z"])
    assert found.estimator == "plugin"


def test_placebo_of_a_ratio_is_one():
    frame = discrete_rows(1500)
    found = refute(
        causal_strength(TRIANGLE, "x", "y", data=frame, measures=("rr",)), frame, tests=["placebo"]
    )["placebo"]
    assert found.expected == 1
    assert found.p_value > 0.01
    needed = causal_strength(TRIANGLE, "x", "y", data=frame, measures=("nnt",))
    assert refute(needed, frame, tests=["placebo"])["placebo"].expected == 0


def test_refuters_survive_what_cannot_be_estimated():
    frame = pd.DataFrame({"z": [0] * 60 + [1] * 2, "x": [0, 1] * 31, "y": [0, 1, 1] * 20 + [0, 1]})
    found = refute(causal_strength(TRIANGLE, "x", "y", data=frame), frame, n_repeats=10)
    assert None in found["placebo"].values
    rng = np.random.default_rng(0)
    m = rng.normal(size=200)
    rows = pd.DataFrame({"m": m, "x": rng.integers(0, 2, 200), "y": m})
    graph = CausalGraph.parse("x -> u; u -> y; x -> m; m -> y")
    assert refute(causal_strength(graph, "x", "y", data=rows), rows, tests=["graph_edits"])


def test_one_cluster_says_nothing():
    with pytest.raises(ParameterError, match="one cluster"):
        causal_strength(TRIANGLE, "x", "y", data=discrete_rows().assign(c=1), clusters="c")


def test_labels_are_not_doses():
    frame = pd.DataFrame({"x": ["a", "b", "c"] * 50 + ["d"], "y": [0.0, 10.0, 0.0] * 50 + [5.0]})
    graph = CausalGraph.parse("x -> y")
    found = causal_strength(graph, "x", "y", data=frame, cause_values=("a", "d"))
    assert found.value == pytest.approx(5)
    numbers = frame.assign(x=np.arange(151) % 3)
    extrapolated = causal_strength(graph, "x", "y", data=numbers, cause_values=(0.5, 5), n_resamples=20)
    assert any("extrapolated" in note for note in extrapolated.notes)


def test_a_label_per_row_is_refused():
    frame = discrete_rows().assign(z=[f"id {k}" for k in range(600)])
    with pytest.raises(PositivityError, match="600 labels in 600 rows"):
        causal_strength(TRIANGLE, "x", "y", data=frame, estimator="aipw")


def test_what_is_not_defined_is_said_so():
    found = causal_strength(
        TRIANGLE, "x", "y", data=discrete_rows().assign(y=1), measures=("rd", "or", "nnt", "eells")
    )
    assert str(found).count("not defined") == 2


def test_pair_of_values_may_be_an_array():
    found = causal_strength(TRIANGLE, "x", "y", data=discrete_rows(), cause_values=np.array([0, 1]))
    assert found.value == causal_strength(TRIANGLE, "x", "y", data=discrete_rows()).value


def test_bootstrap_samples_without_an_arm_are_counted():
    frame = pd.concat(
        [discrete_rows(300), pd.DataFrame({"z": ["9"] * 6, "x": [0, 0, 0, 1, 1, 1], "y": [0, 1, 0, 1, 1, 0]})]
    )
    found = causal_strength(TRIANGLE, "x", "y", data=frame, ci="bootstrap", n_resamples=200)
    assert any("were left out" in note for note in found.notes)


def test_large_and_deep_networks():
    """More children than einsum takes operands, evidence of tiny probability, and nodes that do not matter."""
    lines = "; ".join(f"c -> l{k}" for k in range(80))
    tables = {"c": [0.5, 0.5], **{f"l{k}": [[1 - 1e-6, 1e-6], [1 - 2e-6, 2e-6]] for k in range(80)}}
    star = CausalGraph.parse(lines)
    net = BayesianNetwork(star, dict.fromkeys(star.nodes, (0, 1)), tables)
    ones = {f"l{k}": 1 for k in range(80)}
    np.testing.assert_allclose(net.query("c", evidence=ones)[1], 1 / (1 + 0.5**80), rtol=1e-9)
    rng = np.random.default_rng(0)
    chain = CausalGraph.parse("; ".join(f"n{k} -> n{k + 1}" for k in range(300)))
    deep = BayesianNetwork(
        chain,
        dict.fromkeys(chain.nodes, (0, 1)),
        {n: rng.dirichlet([1, 1], size=2 if chain.parents(n) else None) for n in chain.nodes},
    )
    evidence = dict.fromkeys(chain.nodes[1:], 0)
    assert deep.query("n0", evidence=evidence).sum() == pytest.approx(1)
    assert deep.query("n1", do={"n0": 1})[1] == pytest.approx(deep.table("n1")[1, 1])


def test_many_trajectories():
    layers = [[f"{k}a", f"{k}b"] for k in range(1100)]
    log = EventLog(
        [
            [pair[rng] for pair, rng in zip(layers, bits, strict=True)]
            for bits in np.random.default_rng(0).integers(0, 2, (30, 1100))
        ]
    )
    step = EventGraph.from_log(log).transitions("uniform_trajectory")
    assert np.isfinite(step).all()


def test_messages():
    with pytest.raises(GraphError, match="CausalGraph"):
        causal_strength("x -> y", "x", "y", data=discrete_rows())
    with pytest.raises(ParameterError, match="one cause and one effect"):
        causal_strength(TRIANGLE, ["x", "z"], "y", data=discrete_rows())
    with pytest.raises(ParameterError, match="'pns'"):
        causal_strength(TRIANGLE, "x", "y", data=discrete_rows(), measures=("xx",))
    for wrong in (["ab"], [1, 2]):
        with pytest.raises(DataError, match="list of names"):
            EventLog(wrong)
    hidden = hidden_confounder().graph.with_node_data("u", role="latent")
    assert "strategy='auto'" in identify(hidden, "x", "y", strategy="minimal").reason


def test_unadjusted_contrast_of_an_arm_that_never_occurs_is_none():
    frame = pd.DataFrame({"x": np.linspace(0, 1, 50), "y": [0, 1] * 25})
    found = causal_strength(
        CausalGraph.parse("x -> y"),
        "x",
        "y",
        data=frame,
        cause_values=(0.2501, 0.75),
        measures=("rd", "suppes"),
        n_resamples=20,
    )
    assert found.naive is None
    assert found.measures["suppes"].value is None
    assert (
        causal_strength(
            triangle().graph, "x", "z", data=discrete_rows().assign(z=lambda f: f.z.astype(int))
        ).value
        == 0
    )
