"""Estimates from rows: agreement of estimators, coverage of intervals, empty strata, bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from causalkit import CausalGraph
from causalkit.exceptions import DataError, GraphError, ParameterError, PositivityError
from causalkit.strength import causal_strength
from tests.strength.networks import hidden_confounder, triangle

TRIANGLE = CausalGraph.parse("z -> x; z -> y; x -> y")


def discrete_rows(n=600, seed=0):
    rng = np.random.default_rng(seed)
    z = rng.integers(0, 3, n)
    x = (rng.random(n) < 0.2 + 0.25 * z).astype(int)
    y = (rng.random(n) < 0.1 + 0.2 * z + 0.3 * x).astype(int)
    return pd.DataFrame({"z": z.astype(str), "x": x, "y": y})


def continuous_rows(n=500, seed=0, effect=1.0):
    rng = np.random.default_rng(seed)
    z, w = rng.normal(size=(2, n))
    x = (rng.random(n) < 1 / (1 + np.exp(-z - 0.5 * w))).astype(int)
    return pd.DataFrame({"z": z, "w": w, "x": x, "y": effect * x + 1.5 * z + w + rng.normal(size=n)})


CONTINUOUS = CausalGraph.parse("z -> x; w -> x; z -> y; w -> y; x -> y")


def test_estimators_agree_where_models_are_saturated():
    """Plug-in, outcome models and Hajek weights with one parameter per stratum; only three levels of one column are adjusted for."""
    frame = discrete_rows()
    found = {
        name: causal_strength(TRIANGLE, "x", "y", data=frame, estimator=name, n_resamples=20)
        for name in ("plugin", "gcomp", "ipw")
    }
    assert found["gcomp"].value == pytest.approx(found["plugin"].value, abs=2e-5)
    assert found["ipw"].value == pytest.approx(found["plugin"].value, abs=2e-5)
    aipw = causal_strength(TRIANGLE, "x", "y", data=frame, estimator="aipw")
    assert aipw.value == pytest.approx(found["plugin"].value, abs=0.02)
    assert aipw.se == pytest.approx(found["plugin"].se, rel=0.1)


@pytest.mark.parametrize("estimator", ["gcomp", "ipw", "aipw", "matching"])
def test_continuous_columns(estimator):
    frame = continuous_rows(2000)
    found = causal_strength(CONTINUOUS, "x", "y", data=frame, estimator=estimator, n_resamples=30)
    assert abs(found.value - 1) < 4 * found.se < 0.6
    assert abs(found.naive - 1) > 1


def coverage(options, repetitions=200, n=400):
    hits = 0
    for seed in range(repetitions):
        found = causal_strength(CONTINUOUS, "x", "y", data=continuous_rows(n, seed), **options)
        low, high = found.interval
        hits += low <= 1 <= high
    return hits / repetitions


@pytest.mark.slow
@pytest.mark.parametrize("estimator", ["aipw", "matching"])
def test_intervals_cover_the_truth(estimator):
    """Two hundred draws at 95 %; the band of an exact interval is .915 to .98."""
    options = {"estimator": estimator, "outcome_model": LinearRegression()}
    if estimator == "aipw":
        options["propensity_model"] = LogisticRegression()
    assert 0.91 <= coverage(options) <= 0.99


def test_intervals_of_weights_are_wide_rather_than_narrow():
    assert coverage({"estimator": "ipw", "propensity_model": LogisticRegression()}, repetitions=100) >= 0.93


@pytest.mark.slow
def test_intervals_of_the_plug_in_cover_the_truth_for_every_measure():
    net, hits = triangle(), {"rd": 0, "rr": 0, "or": 0, "cheng": 0, "good": 0}
    truth = {"rd": 0.3, "rr": 2, "or": 3.5, "cheng": 3 / 7, "good": np.log(0.7 / 0.4)}
    for seed in range(200):
        found = causal_strength(
            net.graph, "x", "y", data=pd.DataFrame(net.sample(400, rng=seed)), measures=tuple(hits)
        )
        for name in hits:
            hits[name] += found.measures[name].ci_low <= truth[name] <= found.measures[name].ci_high
    assert all(0.91 <= count / 200 <= 0.99 for count in hits.values()), hits


@pytest.mark.parametrize("estimator", ["gcomp", "ipw", "aipw", "matching"])
def test_a_constant_added_to_the_outcome_changes_nothing(estimator):
    """Weights that are not divided by their sum would multiply it."""
    frame = continuous_rows(400)
    options = {"estimator": estimator, "n_resamples": 20}
    one = causal_strength(CONTINUOUS, "x", "y", data=frame, **options)
    other = causal_strength(CONTINUOUS, "x", "y", data=frame.assign(y=frame.y + 1000), **options)
    assert other.value == pytest.approx(one.value, abs=1e-6)
    assert other.se == pytest.approx(one.se, rel=1e-3)


def test_bootstrap_and_influence_agree():
    frame = discrete_rows(1500)
    one = causal_strength(TRIANGLE, "x", "y", data=frame, ci="influence")
    two = causal_strength(TRIANGLE, "x", "y", data=frame, ci="bootstrap", n_resamples=300)
    assert one.value == two.value
    assert two.se == pytest.approx(one.se, rel=0.15)
    again = causal_strength(TRIANGLE, "x", "y", data=frame, ci="bootstrap", n_resamples=300)
    assert again.interval == two.interval


def test_rows_in_clusters_are_worth_less():
    frame = discrete_rows(300)
    copies = pd.concat([frame.assign(id=np.arange(len(frame)))] * 4, ignore_index=True)
    single = causal_strength(TRIANGLE, "x", "y", data=frame)
    naive = causal_strength(TRIANGLE, "x", "y", data=copies)
    clustered = causal_strength(TRIANGLE, "x", "y", data=copies, clusters="id")
    assert naive.se == pytest.approx(single.se / 2, rel=1e-6)
    assert clustered.se == pytest.approx(single.se, rel=0.01)


def test_front_door_from_rows():
    net = hidden_confounder()
    graph = net.graph.with_node_data("u", role="latent")
    frame = pd.DataFrame(net.sample(20_000, rng=0)).drop(columns="u")
    found = causal_strength(graph, "x", "y", data=frame, n_resamples=50)
    assert found.value == pytest.approx(0.18, abs=0.02)
    assert found.naive > 0.3
    assert found.interval[0] < 0.18 < found.interval[1]


def test_nodes_without_a_column_are_not_observed():
    frame = discrete_rows().drop(columns="z")
    found = causal_strength(TRIANGLE, "x", "y", data=frame, measures=("rd", "rr"))
    assert found.value is None
    assert "stays open" in found.notes[0]
    assert found.interval[1] - found.interval[0] == pytest.approx(1)
    with pytest.raises(GraphError, match="cannot be bounded"):
        causal_strength(CONTINUOUS, "x", "y", data=continuous_rows(100).drop(columns="z"))


def test_no_assumption_bounds_of_the_triangle():
    """Without the confounder the risk difference of the confounded triangle is between -1/4 and 3/4."""
    frame = pd.DataFrame(triangle().sample(100_000, rng=0)).drop(columns="z")
    found = causal_strength(TRIANGLE, "x", "y", data=frame)
    assert found.interval == pytest.approx((-1 / 4, 3 / 4), abs=0.01)
    assert found.estimand == "bounds on the average effect"


def test_columns_that_are_not_needed_may_hold_anything():
    frame = discrete_rows().assign(note=[None] * 600)
    plain = causal_strength(TRIANGLE, "x", "y", data=frame)
    assert causal_strength(TRIANGLE, "x", "y", data=frame[["note", "y", "z", "x"]]).value == plain.value
    assert (
        causal_strength(TRIANGLE, "x", "y", data=pl.from_pandas(frame.drop(columns="note"))).value
        == plain.value
    )


def with_gap():
    frame = discrete_rows()
    return frame[~((frame.z == "0") & (frame.x == 1))]


def test_empty_strata_are_refused_or_named():
    frame = with_gap()
    with pytest.raises(PositivityError, match="z = 0"):
        causal_strength(TRIANGLE, "x", "y", data=frame)
    trimmed = causal_strength(TRIANGLE, "x", "y", data=frame, empty="trim")
    rest = causal_strength(TRIANGLE, "x", "y", data=frame[frame.z != "0"])
    assert trimmed.value == pytest.approx(rest.value)
    assert trimmed.se == pytest.approx(rest.se)
    assert "among" in trimmed.estimand
    bounds = causal_strength(TRIANGLE, "x", "y", data=frame, empty="bound", measures=("rd", "rr"))
    assert bounds.value is None
    low, high = bounds.interval
    assert low < rest.value < high
    assert high - low == pytest.approx((frame.z == "0").mean())
    assert bounds.estimand == "bounds on the average effect"
    assert bounds.overlap.supported < 1


def test_bounds_hold_whatever_the_unknown_rows_are():
    frame, low, high = with_gap(), [], []
    bounds = causal_strength(TRIANGLE, "x", "y", data=frame, empty="bound")
    for value in (0, 1):
        filled = pd.concat([frame, pd.DataFrame({"z": ["0"], "x": [1], "y": [value]})], ignore_index=True)
        found = causal_strength(TRIANGLE, "x", "y", data=filled).value
        (low if value == 0 else high).append(found)
    assert bounds.interval[0] == pytest.approx(low[0], abs=2e-3)
    assert bounds.interval[1] == pytest.approx(high[0], abs=2e-3)


def test_labels_and_other_values():
    frame = discrete_rows()
    named = frame.assign(x=frame.x.map({0: "no", 1: "yes"}), y=frame.y.map({0: "ill", 1: "well"}))
    plain = causal_strength(TRIANGLE, "x", "y", data=frame)
    found = causal_strength(TRIANGLE, "x", "y", data=named, cause_values=("no", "yes"), effect_value="well")
    assert found.value == plain.value
    mirrored = causal_strength(
        TRIANGLE, "x", "y", data=named, cause_values=("yes", "no"), effect_value="well"
    )
    assert mirrored.value == pytest.approx(-plain.value)
    with pytest.raises(ParameterError, match="cause_values"):
        causal_strength(TRIANGLE, "x", "y", data=named, effect_value="well")
    with pytest.raises(ParameterError, match="effect_value"):
        causal_strength(TRIANGLE, "x", "y", data=named, cause_values=("no", "yes"))
    with pytest.raises(ParameterError, match="'maybe' is not a value"):
        causal_strength(TRIANGLE, "x", "y", data=named, cause_values=("no", "maybe"), effect_value="well")


def test_continuous_cause_gets_one_model():
    rng = np.random.default_rng(0)
    z = rng.normal(size=800)
    dose = z + rng.normal(size=800)
    frame = pd.DataFrame({"z": z, "x": dose, "y": 0.7 * dose + z + rng.normal(size=800)})
    found = causal_strength(TRIANGLE, "x", "y", data=frame, cause_values=(0, 2), n_resamples=50)
    assert found.estimator == "gcomp"
    assert found.value == pytest.approx(1.4, abs=0.15)
    assert found.notes == ("one model over all values of the cause",)


def test_models_of_scikit_learn():
    frame = continuous_rows(1500)
    found = causal_strength(
        CONTINUOUS,
        "x",
        "y",
        data=frame,
        outcome_model=LinearRegression(),
        propensity_model=RandomForestClassifier(min_samples_leaf=30, random_state=0),
    )
    assert abs(found.value - 1) < 4 * found.se
    with pytest.raises(ParameterError, match="predict_proba"):
        causal_strength(CONTINUOUS, "x", "y", data=frame, propensity_model=LinearRegression())


def test_doubly_robust_with_one_wrong_model():
    """A constant outcome model, then constant propensities: the other model is enough; without either it is not."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    frame = continuous_rows(6000)
    for wrong in ({"outcome_model": DummyRegressor()}, {"propensity_model": DummyClassifier()}):
        found = causal_strength(CONTINUOUS, "x", "y", data=frame, estimator="aipw", **wrong)
        assert abs(found.value - 1) < 4 * found.se
    both = causal_strength(
        CONTINUOUS,
        "x",
        "y",
        data=frame,
        estimator="aipw",
        outcome_model=DummyRegressor(),
        propensity_model=DummyClassifier(),
    )
    assert abs(both.value - 1) > 10 * both.se


def test_results_do_not_depend_on_the_order_of_columns_and_nodes():
    frame = continuous_rows(300)
    one = causal_strength(CONTINUOUS, "x", "y", data=frame)
    graph = CONTINUOUS.reorder(["y", "x", "w", "z"])
    other = causal_strength(graph, "x", "y", data=frame[["y", "w", "x", "z"]])
    assert other.value == pytest.approx(one.value, abs=1e-9)
    assert other.se == pytest.approx(one.se, abs=1e-9)


def test_printed_form_names_what_was_done():
    text = str(causal_strength(TRIANGLE, "x", "y", data=with_gap(), empty="trim", measures=("rd", "pns")))
    assert "among" in text
    assert "not adjusted" in text
    assert "between" in text
    assert "P(y | do(x))" in text


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"estimator": "best"}, ParameterError, "estimator is 'best'"),
        ({"measures": ("rd", "magic")}, ParameterError, "no measure 'magic'"),
        ({"measures": ()}, ParameterError, "measures is empty"),
        ({"level": 1.5}, ParameterError, "level"),
        ({"ci": "cluster"}, ParameterError, "needs clusters="),
        ({"ci": "influence", "estimator": "gcomp"}, ParameterError, "no influence function"),
        ({"adjustment_set": []}, GraphError, "x <- z -> y"),
        ({"cause_values": (1, 1)}, ParameterError, "with itself"),
        ({"cause_values": 1}, ParameterError, "must be a pair"),
        ({"clusters": "nowhere"}, DataError, "no column 'nowhere'"),
        ({"strategy": "best"}, ParameterError, "strategy"),
        ({"n_folds": 1}, ParameterError, "n_folds"),
    ],
)
def test_bad_parameters(options, error, message):
    with pytest.raises(error, match=message):
        causal_strength(TRIANGLE, "x", "y", data=discrete_rows(), **options)


def test_bad_data():
    frame = discrete_rows()
    with pytest.raises(ParameterError, match="either data= or oracle="):
        causal_strength(TRIANGLE, "x", "y")
    with pytest.raises(GraphError, match="'y' is not observed"):
        causal_strength(TRIANGLE, "x", "y", data=frame.drop(columns="y"))
    with pytest.raises(DataError, match="missing values"):
        causal_strength(TRIANGLE, "x", "y", data=frame.assign(y=frame.y.where(frame.index > 3)))
    with pytest.raises(PositivityError, match="treated value"):
        causal_strength(TRIANGLE, "x", "y", data=frame.assign(x=0), cause_values=(0, 1))
    with pytest.raises(ParameterError, match="about the probability of an event"):
        causal_strength(CONTINUOUS, "x", "y", data=continuous_rows(50), measures=("rr",))
    with pytest.raises(ParameterError, match="discrete columns"):
        causal_strength(CONTINUOUS, "x", "y", data=continuous_rows(50), estimator="plugin")
