"""Effects that are known exactly: textbook networks, published tables, and networks of the common repositories."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pandas as pd
import pytest

from causalkit import CausalGraph
from causalkit.exceptions import DataError, GraphError, ParameterError, ParseError, PositivityError
from causalkit.graph import random_dag
from causalkit.strength import (
    BayesianNetwork,
    ClassifierOracle,
    CountsOracle,
    NetworkOracle,
    adjustment_sets,
    causal_strength,
)
from causalkit.strength._oracle import probability_under_do
from tests.strength.networks import asia, binary, from_file, hidden_confounder, m_bias, sprinkler, triangle

EXACT = 1e-9


def ask(net, cause, effect, values=(0, 1), event=1, graph=None, **options):
    return causal_strength(
        graph or net.graph,
        cause,
        effect,
        oracle=NetworkOracle(net),
        cause_values=values,
        effect_value=event,
        **options,
    )


def test_confounded_triangle():
    names = ("rd", "rr", "or", "cheng", "suppes", "pns", "pn", "ps", "nnt", "attributable")
    found = ask(triangle(), "x", "y", measures=names)
    values = {name: m.value for name, m in found.measures.items()}
    assert [found.means[k].value for k in (1, 0)] == pytest.approx([3 / 5, 3 / 10], abs=EXACT)
    assert found.naive == pytest.approx(1 / 2, abs=EXACT)
    expected = {
        "rd": 3 / 10,
        "rr": 2,
        "or": 7 / 2,
        "cheng": 3 / 7,
        "suppes": 1 / 4,
        "nnt": 10 / 3,
        "attributable": 1 / 2,
    }
    assert {k: v for k, v in values.items() if v is not None} == pytest.approx(expected, abs=EXACT)
    bounds = {
        name: (found.measures[name].ci_low, found.measures[name].ci_high) for name in ("pns", "pn", "ps")
    }
    assert bounds["pns"] == pytest.approx((3 / 10, 11 / 20), abs=EXACT)
    assert bounds["pn"] == pytest.approx((3 / 7, 6 / 7), abs=EXACT)
    assert bounds["ps"] == pytest.approx((3 / 8, 5 / 8), abs=EXACT)
    assert found.e_value == pytest.approx(2 + np.sqrt(2), abs=EXACT)


def test_front_door():
    net = hidden_confounder()
    hidden = net.graph.with_node_data("u", role="latent")
    found = ask(net, "x", "y", graph=hidden)
    assert found.identification.kind == "frontdoor"
    assert [m.value for m in found.means] == pytest.approx([9 / 25, 27 / 50], abs=EXACT)
    assert found.value == pytest.approx(9 / 50, abs=EXACT)
    assert found.naive == pytest.approx(0.38, abs=EXACT)


def test_m_bias():
    net = m_bias()
    assert ask(net, "x", "y", strategy="minimal").value == pytest.approx(3 / 10, abs=EXACT)
    oracle = NetworkOracle(net)
    arms = [probability_under_do(oracle, ("y", 1), ("x", v), ["z"])[0] for v in (0, 1)]
    assert arms[1] - arms[0] == pytest.approx(1467 / 5890, abs=EXACT)
    with pytest.raises(GraphError, match="u1 -> z <- u2"):
        ask(net, "x", "y", adjustment_set=["z"])


def kidney_stones():
    cells = {
        ("small", 1): (81, 87),
        ("large", 1): (192, 263),
        ("small", 0): (234, 270),
        ("large", 0): (55, 80),
    }
    rows = [(s, a, k < hit) for (s, a), (hit, n) in cells.items() for k in range(n)]
    return pd.DataFrame(rows, columns=["stone", "surgery", "cured"])


STONES = CausalGraph.parse("stone -> surgery; stone -> cured; surgery -> cured")


@pytest.mark.parametrize("estimator", ["plugin", "gcomp", "ipw"])
def test_kidney_stones(estimator):
    """Charig et al. (1986); the three estimators are the same number where the models are saturated."""
    found = causal_strength(
        STONES, "surgery", "cured", data=kidney_stones(), estimator=estimator, n_resamples=20
    )
    assert [m.value for m in found.means] == pytest.approx([0.778875, 0.8325462], abs=2e-6)
    assert found.value == pytest.approx(0.0536712, abs=2e-6)
    assert found.naive == pytest.approx(-0.0457143, abs=1e-7)


def test_sprinkler_with_intervention_and_evidence():
    net = sprinkler()
    assert [m.value for m in ask(net, "sprinkler", "wet").means] == pytest.approx([0.45, 0.945], abs=EXACT)
    assert net.query("wet", do={"sprinkler": 1}, evidence={"rain": 1})[1] == pytest.approx(0.99, abs=EXACT)
    assert net.query("cloudy", do={"sprinkler": 1})[1] == pytest.approx(0.5, abs=EXACT)


@pytest.mark.parametrize(
    ("cause", "effect", "p1", "p0"),
    [
        ("lung", "dysp", 0.79, 0.4189),
        ("bronc", "dysp", 0.8064828, 0.1388968),
        ("either", "dysp", 0.79, 0.415),
        ("smoke", "dysp", 0.552808, 0.3191332),
        ("asia", "dysp", 0.4501375, 0.4358275),
        ("lung", "xray", 0.98, 0.059672),
    ],
)
def test_asia(cause, effect, p1, p0):
    assert [m.value for m in ask(asia(), cause, effect).means] == pytest.approx([p0, p1], abs=1e-9)


def test_asia_with_sets_that_are_not_valid():
    oracle = NetworkOracle(asia())

    def contrast(z):
        p0, p1 = (probability_under_do(oracle, ("dysp", 1), ("lung", v), z)[0] for v in (0, 1))
        return p1 - p0

    assert contrast([]) == pytest.approx(0.4006083, abs=1e-7)
    assert contrast(["xray"]) == pytest.approx(0.39734, abs=1e-5)
    assert contrast(["smoke", "xray"]) == pytest.approx(0.36839, abs=1e-5)
    with pytest.raises(PositivityError, match="never occurs"):
        contrast(["either"])


FROM_FILES = [
    ("cancer", "Smoker", "Cancer", ("False", "True"), "True", (0.0029, 0.032)),
    ("cancer", "Smoker", "Dyspnoea", ("False", "True"), "True", (0.301015, 0.3112)),
    ("earthquake", "Burglary", "MaryCalls", ("False", "True"), "True", (0.0146782, 0.658738)),
    ("survey", "E", "T", ("uni", "high"), "car", (0.56896, 0.5594)),
    ("sachs", "PKA", "Akt", ("LOW", "HIGH"), "LOW", (0.4186547, 0.7315580)),
    ("sachs", "Erk", "Akt", ("LOW", "HIGH"), "AVG", (None, 0.6804684)),
    ("sachs", "Mek", "Erk", ("LOW", "HIGH"), "HIGH", (None, 0.4325494)),
    ("alarm", "VENTLUNG", "SAO2", ("HIGH", "LOW"), "LOW", (None, 0.1571732)),
    ("alarm", "HYPOVOLEMIA", "BP", ("FALSE", "TRUE"), "LOW", (None, 0.5212947)),
]


@pytest.mark.parametrize(("name", "cause", "effect", "values", "event", "expected"), FROM_FILES)
def test_networks_of_the_repositories(name, cause, effect, values, event, expected):
    """Values of mutilated networks; cancer and survey to the digits given."""
    net = from_file(name)
    states = {s.lower(): s for s in net.states[cause]}
    low, high = (states[v.lower()] for v in values)
    hit = next(s for s in net.states[effect] if s.lower() == event.lower())
    found = ask(net, cause, effect, (low, high), hit)
    for mean, value in zip(found.means, expected, strict=True):
        if value is not None:
            assert mean.value == pytest.approx(value, abs=1e-6)


def test_minimal_sets_of_the_repositories():
    sachs, alarm = from_file("sachs"), from_file("alarm")
    assert ask(
        sachs, "PKA", "Akt", ("LOW", "HIGH"), "LOW", strategy="minimal"
    ).identification.adjustment_set == ("PKC",)
    found = ask(alarm, "VENTLUNG", "SAO2", ("HIGH", "LOW"), "LOW", strategy="minimal")
    assert found.identification.adjustment_set == ("INTUBATION",)


@pytest.mark.parametrize(("cause", "effect"), [("SocioEcon", "MedCost"), ("RiskAversion", "Accident")])
def test_effects_in_the_insurance_network_are_not_conditionals(cause, effect):
    net = from_file("insurance")
    low, high = net.states[cause][:2]
    found = ask(net, cause, effect, (low, high), net.states[effect][0], strategy="minimal")
    for mean, value in zip(found.means, (low, high), strict=True):
        assert mean.value == pytest.approx(net.query(effect, do={cause: value})[0], abs=1e-6)
        assert abs(mean.value - net.query(effect, evidence={cause: value})[0]) > 1e-5
    if cause == "SocioEcon":
        assert found.identification.adjustment_set == ("Age",)


# -- all valid sets agree, and agree with the mutilated network ----------------------------------------------------------------


def random_network(seed, d=6):
    rng = np.random.default_rng(seed)
    graph = random_dag(d, expected_degree=3, rng=seed)
    states = {n: tuple(range(rng.integers(2, 4))) for n in graph.nodes}
    shapes = {n: [len(states[m]) for m in (*graph.parents(n), n)] for n in graph.nodes}
    return BayesianNetwork(
        graph, states, {n: rng.dirichlet(np.ones(s[-1]), size=s[:-1]) for n, s in shapes.items()}
    )


def _causal_pairs(graph):
    return [(a, b) for a in graph.nodes for b in graph.descendants(a)]


@pytest.mark.parametrize("seed", range(8))
def test_every_adjustment_set_gives_what_the_mutilated_network_gives(seed):
    net = random_network(seed)
    oracle = NetworkOracle(net)
    for x, y in _causal_pairs(net.graph):
        truth = net.query(y, do={x: 1})[0]
        for z in adjustment_sets(net.graph, x, y, minimal_only=False):
            assert probability_under_do(oracle, (y, 0), (x, 1), z)[0] == pytest.approx(truth, abs=1e-10)


def test_query_against_the_whole_joint_distribution():
    net = random_network(3, d=5)
    names = net.graph.nodes
    joint = net.query(names)
    for asked in chain(combinations(names, 1), combinations(names, 2)):
        for seen in [n for n in names if n not in asked]:
            kept = [names.index(n) for n in (*asked, seen)]
            table = joint.sum(axis=tuple(k for k in range(len(names)) if k not in kept))
            order = np.argsort(np.argsort(kept))
            table = np.transpose(table, order)[..., 1]
            np.testing.assert_allclose(net.query(asked, evidence={seen: 1}), table / table.sum(), atol=1e-12)


def test_zero_effect_is_zero():
    net = sprinkler()
    found = ask(net, "rain", "sprinkler")
    assert found.identification.kind == "zero"
    assert found.value == 0
    assert found.naive != 0


def test_samples_follow_the_tables():
    net = sprinkler()
    frame = pd.DataFrame(net.sample(40_000, rng=0))
    assert frame["wet"].mean() == pytest.approx(net.query("wet")[1], abs=0.01)
    forced = pd.DataFrame(net.sample(40_000, rng=0, do={"sprinkler": 1}))
    assert forced["wet"].mean() == pytest.approx(0.945, abs=0.005)


def test_counts_are_shares_and_can_be_smoothed():
    frame = pd.DataFrame(sprinkler().sample(500, rng=1))
    oracle, smooth = CountsOracle(frame), CountsOracle(frame, smoothing=2)
    part = frame[(frame.sprinkler == 1) & (frame.rain == 0)]
    given = [{"sprinkler": 1, "rain": 0}]
    assert oracle.probability(("wet", 1), given)[0] == pytest.approx(part.wet.mean())
    expected = (part.wet.sum() + 2 * frame.wet.mean()) / (len(part) + 2)
    assert smooth.probability(("wet", 1), given)[0] == pytest.approx(expected)
    assert oracle.id == CountsOracle(frame).id != smooth.id
    from_oracle = causal_strength(sprinkler().graph, "sprinkler", "wet", oracle=oracle, effect_value=1)
    from_rows = causal_strength(sprinkler().graph, "sprinkler", "wet", data=frame)
    assert from_oracle.value == pytest.approx(from_rows.value, abs=1e-12)


def test_a_classifier_as_oracle_is_the_outcome_model():
    """Logistic regression with and without interaction; without, the answer is that of standardisation by hand."""
    from sklearn.tree import DecisionTreeClassifier

    frame = pd.DataFrame(triangle().sample(3000, rng=0))
    graph = triangle().graph
    tree = ClassifierOracle(frame, DecisionTreeClassifier(), name="tree")
    exact = causal_strength(graph, "x", "y", data=frame).value
    assert causal_strength(graph, "x", "y", oracle=tree, effect_value=1).value == pytest.approx(
        exact, abs=1e-12
    )
    logistic = causal_strength(graph, "x", "y", oracle=ClassifierOracle(frame), effect_value=1)
    assert logistic.value == pytest.approx(exact, abs=0.02)
    assert tree.id != ClassifierOracle(frame).id
    with pytest.raises(DataError, match="always 0"):
        ClassifierOracle(frame.assign(y=0)).probability(("y", 0), [{"x": 0}])


# -- reading and bad input -----------------------------------------------------------------------------------------------------

SMALL = """network small { }
// a comment
variable a { type discrete [ 2 ] { yes, no }; }
variable "b c" { type discrete [ 3 ] { low, mid, high }; property weight = 1 ; }
probability ( a ) { table 0.25, 0.75; }
probability ( "b c" | a ) { (yes) 0.5, 0.25, 0.25; default 0.1, 0.2, 0.7; }
"""


def test_bif():
    net = BayesianNetwork.from_bif(SMALL)
    assert net.states["b c"] == ("low", "mid", "high")
    assert net.query("b c", do={"a": "no"}).tolist() == [0.1, 0.2, 0.7]
    assert net.id == BayesianNetwork.from_bif(SMALL).id


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.25, 0.75", "0.25", "needs 2 numbers"),
        ("0.25, 0.75", "0.25, x", "not a number from 0 to 1"),
        ("(yes)", "(maybe)", "do not have"),
        ("default 0.1, 0.2, 0.7;", "", "misses a combination"),
        ("probability ( a ) { table 0.25, 0.75; }", "", "no probabilities"),
        ("variable a", "variabel a", "expected 'network'"),
        ("discrete [ 2 ]", "continuous [ 2 ]", "only discrete"),
        ("| a )", "| z )", "known variables"),
    ],
)
def test_bif_that_cannot_be_read(old, new, message):
    with pytest.raises(ParseError, match=message):
        BayesianNetwork.from_bif(SMALL.replace(old, new))


def test_truncated_bif_never_hangs():
    for end in range(0, len(SMALL), 7):
        try:
            BayesianNetwork.from_bif(SMALL[:end] + "\n")
        except (ParseError, ParameterError, GraphError):
            continue


def test_bad_questions_to_networks():
    net = sprinkler()
    with pytest.raises(ParameterError, match="not a state of 'rain'"):
        net.query("wet", evidence={"rain": 2})
    with pytest.raises(ParameterError, match="probability zero"):
        binary("a -> b", a=lambda: 1.0, b=lambda a: 0.5).query("b", evidence={"a": 0})
    with pytest.raises(ParameterError, match="once"):
        net.query("wet", evidence={"wet": 1})
    with pytest.raises(ParameterError, match="effect_value"):
        causal_strength(net.graph, "sprinkler", "wet", oracle=NetworkOracle(net))


def asymptotic_variance(net, cause, effect, z):
    """Variance of the plug-in contrast times n: within strata and between them."""
    table = net.query([*z, cause, effect]).reshape(-1, 2, 2)
    weight, arm = table.sum(axis=(1, 2)), table.sum(axis=2)
    mean = table[:, :, 1] / arm
    within = (mean * (1 - mean) / (arm / weight[:, None])).sum(axis=1)
    contrast = mean[:, 1] - mean[:, 0]
    return float(weight @ (within + (contrast - weight @ contrast) ** 2))


@pytest.mark.parametrize(
    ("z", "expected"),
    [(["tub", "bronc"], 3.4739), (["bronc"], 3.4740), (["smoke", "bronc"], 9.5825), (["smoke"], 10.1110)],
)
def test_variance_of_adjustment_sets_in_asia(z, expected):
    """The optimal set has the least; the estimated standard error is that of the formula."""
    net = asia()
    assert asymptotic_variance(net, "lung", "dysp", z) == pytest.approx(expected, abs=2e-4)
    frame = pd.DataFrame(net.sample(60_000, rng=0))
    found = causal_strength(net.graph, "lung", "dysp", data=frame, adjustment_set=z, empty="trim")
    assert found.se * np.sqrt(60_000) == pytest.approx(np.sqrt(expected), rel=0.06)
