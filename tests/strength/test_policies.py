"""What happens where arms hardly overlap, where rows are few or come in clusters, and what refuters do to right and wrong graphs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from causalkit import CausalGraph
from causalkit.exceptions import CheckpointError, DataError, ParameterError, PositivityError
from causalkit.strength import (
    BayesianNetwork,
    ChainOracle,
    EventGraph,
    EventLog,
    NetworkOracle,
    arrow_strength,
    causal_strength,
    event_strength,
    make_triplets,
    refute,
    score_triplets,
)

TRIANGLE = CausalGraph.parse("z -> x; z -> y; x -> y")


def separated(n=1500, seed=0):
    """Return rows in which z decides x, so that nothing can be compared; the effect is 0."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    return pd.DataFrame({"z": z, "x": (z > 0).astype(int), "y": rng.normal(size=n) + z**2 * np.sign(z)})


def half_overlapping(n=3000, seed=0):
    """Return rows of which a fifth, far from the others, never goes without x; the effect is 1 everywhere."""
    rng = np.random.default_rng(seed)
    far = rng.random(n) < 0.2
    z = rng.normal(size=n) + 20 * far
    x = (rng.random(n) < np.where(far, 1.0, 1 / (1 + np.exp(-0.4 * z)))).astype(int)
    return pd.DataFrame({"z": z, "x": x, "y": x + z + rng.normal(size=n)})


class TestOverlap:
    @pytest.mark.parametrize("estimator", ["aipw", "ipw", "gcomp", "matching"])
    def test_separated_arms_are_refused(self, estimator):
        with pytest.raises(PositivityError, match="hardly any chance"):
            causal_strength(TRIANGLE, "x", "y", data=separated(), estimator=estimator, n_resamples=20)

    def test_the_least_propensity_is_of_either_arm(self):
        frame = half_overlapping()
        found = causal_strength(TRIANGLE, "x", "y", data=frame, estimator="matching")
        assert found.overlap.smallest_propensity < 0.01
        strata = frame.assign(z=(frame.z > 10).astype(int))
        found = causal_strength(TRIANGLE, "x", "y", data=strata, empty="trim")
        assert found.overlap.smallest_propensity == 0
        assert found.overlap.supported == pytest.approx((strata.z == 0).mean())

    @pytest.mark.parametrize("estimator", ["aipw", "ipw", "gcomp", "matching"])
    def test_rows_without_a_counterpart_can_be_left_out(self, estimator):
        frame = half_overlapping()
        found = causal_strength(
            TRIANGLE, "x", "y", data=frame, estimator=estimator, empty="trim", n_resamples=30
        )
        assert "among" in found.estimand
        assert any("propensities of both arms" in note for note in found.notes)
        assert found.value == pytest.approx(1, abs=0.2)
        kept = float(found.estimand.split()[3].strip("%")) / 100
        assert kept == pytest.approx((frame.z < 10).mean(), abs=0.03)

    def test_what_models_stand_in_for_is_noted(self):
        frame = half_overlapping()
        for estimator in ("gcomp", "matching"):
            found = causal_strength(TRIANGLE, "x", "y", data=frame, estimator=estimator, n_resamples=30)
            assert any("extrapolates" in note for note in found.notes)

    def test_policies_for_strata_are_refused_where_there_are_none(self):
        with pytest.raises(ParameterError, match="is about strata"):
            causal_strength(TRIANGLE, "x", "y", data=half_overlapping(), estimator="ipw", empty="bound")

    def test_front_door_takes_no_estimator(self):
        graph = CausalGraph.parse("u -> x; u -> y; x -> m; m -> y").with_node_data("u", role="latent")
        rng = np.random.default_rng(0)
        frame = pd.DataFrame(rng.integers(0, 2, (200, 3)), columns=["x", "m", "y"])
        with pytest.raises(ParameterError, match="one estimator"):
            causal_strength(graph, "x", "y", data=frame, estimator="aipw")


class TestRows:
    def test_trimming_takes_all_measures_from_the_same_rows(self):
        rng = np.random.default_rng(1)
        z = rng.integers(0, 4, 3000)
        x = np.where(z == 0, 0, rng.integers(0, 2, 3000))
        y = (rng.random(3000) < 0.2 + 0.4 * x + 0.1 * (z == 0)).astype(int)
        frame = pd.DataFrame({"z": z, "x": x, "y": y})
        measures = ("rd", "pn", "ps", "pns", "suppes", "eells")
        found = causal_strength(TRIANGLE, "x", "y", data=frame, empty="trim", measures=measures)
        alone = causal_strength(TRIANGLE, "x", "y", data=frame[frame.z > 0], measures=measures)
        assert found.naive == alone.naive
        for name in measures:
            assert found.measures[name].value == pytest.approx(alone.measures[name].value)
            if name != "rd":
                assert found.measures[name].ci_low == pytest.approx(alone.measures[name].ci_low)

    def test_means_of_one_row_are_named(self):
        frame = pd.DataFrame({"z": [0] * 6 + [1] * 5, "x": [0, 0, 0, 1, 1, 1, 0, 0, 1, 1, 1], "y": range(11)})
        frame.loc[6, "z"] = 2
        frame.loc[8, "z"] = 2
        found = causal_strength(TRIANGLE, "x", "y", data=frame)
        assert any("of one row" in note for note in found.notes)

    def test_a_thin_arm_is_named(self):
        frame = pd.DataFrame({"x": [0] * 50 + [1] * 2, "y": np.arange(52) % 5})
        found = causal_strength(CausalGraph.parse("x -> y"), "x", "y", data=frame, estimator="ipw")
        assert any("an arm has 2 rows" in note for note in found.notes)

    def test_resamples_that_leave_a_ratio_undefined(self):
        frame = pd.DataFrame({"x": [0] * 60 + [1] * 60, "y": [0] * 57 + [1] * 3 + [0] * 36 + [1] * 24})
        graph = CausalGraph.parse("x -> y")
        often = causal_strength(graph, "x", "y", data=frame, ci="bootstrap", measures=("rr",))
        assert np.isfinite(often.interval).all()
        rare = frame.assign(y=[0] * 59 + [1] + [0] * 36 + [1] * 24)
        seldom = causal_strength(graph, "x", "y", data=rare, ci="bootstrap", measures=("rr",))
        assert seldom.value == pytest.approx(24)
        assert seldom.interval == (None, None)

    def test_an_event_that_never_occurs(self):
        with pytest.raises(ParameterError, match="never occurs"):
            causal_strength(TRIANGLE, "x", "y", data=half_overlapping().round(), effect_value=77.0)

    def test_arrays_do_not_show_what_is_hidden(self):
        graph = CausalGraph.parse("u -> x; u -> y; x -> y").with_node_data("u", role="latent")
        rng = np.random.default_rng(0)
        frame = pd.DataFrame(rng.integers(0, 2, (300, 3)), columns=list(graph.nodes))
        from_array = causal_strength(graph, "x", "y", data=frame.to_numpy())
        assert from_array.identification.kind == "bounds"
        assert from_array.measures == causal_strength(graph, "x", "y", data=frame).measures

    def test_twenty_rows_with_numbers_are_not_strata(self):
        rng = np.random.default_rng(0)
        frame = pd.DataFrame({"z": rng.normal(size=18), "x": [0, 1] * 9, "y": rng.normal(size=18)})
        assert (
            causal_strength(TRIANGLE, "x", "y", data=frame, n_folds=2, empty="trim", clip=0.001).estimator
            == "aipw"
        )

    def test_matching_has_no_bootstrap(self):
        for options in ({"ci": "bootstrap"}, {"clusters": "c"}):
            frame = half_overlapping().assign(c=lambda f: np.arange(len(f)) % 50)
            with pytest.raises(ParameterError, match="Abadie and Imbens 2008"):
                causal_strength(TRIANGLE, "x", "y", data=frame, estimator="matching", **options)


class TestClusters:
    @staticmethod
    def rows(seed, number=8, size=30):
        rng = np.random.default_rng(seed)
        cluster = np.repeat(np.arange(number), size)
        x = np.repeat(rng.permutation(number) % 2, size)
        shift = np.repeat(rng.normal(size=number), size)
        return pd.DataFrame({"c": cluster, "x": x, "y": shift + rng.normal(size=number * size)})

    def test_intervals_from_few_clusters_cover(self):
        graph = CausalGraph.parse("x -> y")
        covered, normal = [], []
        for seed in range(300):
            found = causal_strength(graph, "x", "y", data=self.rows(seed), clusters="c")
            covered.append(found.interval[0] < 0 < found.interval[1])
            normal.append(abs(found.value) < 1.96 * found.se)
        assert any("few" in note for note in found.notes)
        assert 0.90 <= np.mean(covered) <= 0.99
        assert np.mean(normal) < np.mean(covered)

    def test_folds_do_not_cut_clusters(self):
        """A forest that sees other rows of a cluster knows its shift, and would leave nothing of it in the residuals."""
        from causalkit.strength._estimators import AugmentedWeighting
        from causalkit.strength._models import Models
        from causalkit.strength._sample import make_sample, read_columns_of

        rng = np.random.default_rng(0)
        frame = self.rows(0, number=20).assign(
            z=rng.normal(size=600), x=rng.integers(0, 2, 600), y=rng.normal(size=600)
        )
        table = read_columns_of(frame, ["x", "y", "z", "c"], ["x", "y", "z"], None)
        sample = make_sample(table, "x", "y", ["z"], (0, 1), None, "c")
        folds = AugmentedWeighting(Models())._folds(sample)
        for test, fit in folds:
            assert not set(sample.clusters[test]) & set(sample.clusters[fit])
        assert sorted(np.concatenate([test for test, _ in folds])) == list(range(600))
        found = causal_strength(TRIANGLE, "x", "y", data=frame, estimator="aipw", clusters="c")
        assert found.interval[0] < 0 < found.interval[1]


class TestRefuters:
    GRAPH = CausalGraph.parse("a -> x; a -> b; b -> y; c -> x; c -> d; d -> y; x -> y")

    @classmethod
    def rows(cls, seed, n=300, hidden=0.0):
        rng = np.random.default_rng(seed)
        a, c, u = rng.normal(size=(3, n))
        b, d = a + rng.normal(size=n), c + rng.normal(size=n)
        x = (rng.random(n) < 1 / (1 + np.exp(-(a + c + hidden * u) / 2))).astype(int)
        y = x + b + d + 2 * hidden * a + rng.normal(size=n)
        return pd.DataFrame({"a": a, "b": b, "c": c, "d": d, "x": x, "y": y})

    def p_values(self, name, repeats, **options):
        found = []
        for seed in range(repeats):
            frame = self.rows(seed, **options)
            strength = causal_strength(self.GRAPH, "x", "y", data=frame, estimator="aipw")
            found.append(refute(strength, frame, tests=[name], n_repeats=10, rng=seed)[name].p_value)
        return np.array(found, dtype=float)

    @pytest.mark.slow
    def test_a_right_graph_is_seldom_rejected_by_its_other_sets(self):
        rejected = (self.p_values("adjustment_sets", 60) < 0.05).mean()
        assert rejected <= 0.15

    @pytest.mark.slow
    def test_a_wrong_graph_is_rejected_by_its_other_sets(self):
        """Without a -> y sets with b in the place of a are not enough."""
        rejected = (self.p_values("adjustment_sets", 20, hidden=1.5, n=1500) < 0.05).mean()
        assert rejected > 0.8

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["placebo", "subset", "random_common_cause"])
    def test_repeated_refuters_hold_their_level(self, name):
        p = self.p_values(name, 80)
        assert (p < 0.05).mean() <= 0.15
        assert (p < 0.5).mean() > 0.2

    def test_a_subset_that_gives_something_else_is_noticed(self):
        """An estimate that depends on how many rows there are: the control of the test."""
        from causalkit.strength._refute import _repeated

        rng = np.random.default_rng(0)
        shifted = _repeated("subset", 1.0, tuple(1.1 + 0.05 * rng.normal(size=20)))
        assert shifted.p_value < 0.001

    def test_other_rows_are_refused(self):
        frame = self.rows(0)
        strength = causal_strength(self.GRAPH, "x", "y", data=frame, estimator="aipw")
        with pytest.raises(ParameterError, match="not the rows"):
            refute(strength, frame.iloc[:200])
        with pytest.raises(ParameterError, match="not the rows"):
            refute(strength, self.rows(1))


class TestEvents:
    def test_a_store_with_answers_that_are_no_probabilities(self, tmp_path):
        import sqlite3
        from contextlib import closing

        log = EventLog([["a", "b"], ["a"], ["b"]])
        oracle = ChainOracle(EventGraph.from_log(log))
        file = tmp_path / "store.sqlite"
        event_strength([("a", "b")], oracle=oracle, store=file)
        for value in (7.5, None, "text"):
            with closing(sqlite3.connect(file)) as base, base:
                base.execute("UPDATE answers SET p1 = ?", (value,))
            with pytest.raises(CheckpointError, match="damaged"):
                event_strength([("a", "b")], oracle=oracle, store=file)

    def test_a_database_of_something_else_is_left_alone(self, tmp_path):
        import sqlite3
        from contextlib import closing

        file = tmp_path / "other.sqlite"
        with closing(sqlite3.connect(file)) as base, base:
            base.execute("CREATE TABLE mine (x)")
        before = file.read_bytes()
        oracle = ChainOracle(EventGraph.from_log(EventLog([["a", "b"]])))
        with pytest.raises(CheckpointError, match="something else"):
            event_strength([("a", "b")], oracle=oracle, store=file)
        assert file.read_bytes() == before

    def test_strengths_of_other_pairs_are_no_answers(self):
        log = EventLog([["set", "boil", "pour"], ["boil", "pour"], ["set"]])
        oracle = ChainOracle(EventGraph.from_log(log))
        questions = make_triplets(CausalGraph.parse("boil -> pour; set"))
        good = event_strength(questions.queries(), events=questions.events, oracle=oracle)
        assert score_triplets(questions, good).n == 2
        others = event_strength([("boil", "set")] * 4, oracle=oracle)
        with pytest.raises(DataError, match="not those of these questions"):
            score_triplets(questions, others)
        turned = event_strength(questions.queries()[::-1], events=questions.events, oracle=oracle)
        with pytest.raises(DataError, match="keep the order"):
            score_triplets(questions, turned)
        with pytest.raises(ParameterError, match="twice"):
            score_triplets(questions, good, order=["set", "boil", "pour", "pour"])

    def test_an_arrow_from_a_value_that_never_occurs(self):
        network = BayesianNetwork(
            CausalGraph.parse("x -> y; z -> y"),
            {"x": (0, 1), "z": (0, 1), "y": (0, 1)},
            {"x": [1.0, 0.0], "z": [0.5, 0.5], "y": [[[1, 0], [1, 0]], [[0, 1], [0, 1]]]},
        )
        assert arrow_strength(network, "x", "y") == 0

    def test_an_oracle_has_no_rows(self):
        network = BayesianNetwork(
            CausalGraph.parse("x -> y"),
            {"x": (0, 1), "y": (0, 1)},
            {"x": [0.5, 0.5], "y": [[0.9, 0.1], [0.5, 0.5]]},
        )
        oracle = NetworkOracle(network)
        for options in ({"clusters": "c"}, {"estimator": "aipw"}, {"empty": "trim"}, {"ci": "bootstrap"}):
            with pytest.raises(ParameterError, match="has no rows"):
                causal_strength(network.graph, "x", "y", oracle=oracle, effect_value=1, **options)


class TestEventsUnderAGraph:
    """One oracle of probabilities answers for all pairs of a graph."""

    GRAPH = CausalGraph.parse("z -> x; z -> y; x -> y; y -> w")

    @pytest.fixture
    def network(self):
        two = (0, 1)
        tables = {
            "z": [0.6, 0.4],
            "x": [[0.8, 0.2], [0.3, 0.7]],
            "y": [[[0.9, 0.1], [0.6, 0.4]], [[0.5, 0.5], [0.2, 0.8]]],
            "w": [[0.7, 0.3], [0.1, 0.9]],
        }
        return BayesianNetwork(self.GRAPH, dict.fromkeys("zxyw", two), tables)

    def test_strengths_are_those_of_interventions(self, network, tmp_path):
        pairs = [("x", "y"), ("x", "w"), ("z", "w"), ("y", "x"), ("x", "y")]
        found = event_strength(pairs, self.GRAPH, NetworkOracle(network), store=tmp_path / "s.sqlite")
        for (cause, effect), value in zip(pairs, found.value, strict=True):
            arms = [network.query(effect, do={cause: v})[1] for v in (0, 1)]
            assert value == pytest.approx(arms[1] - arms[0], abs=1e-12)
        again = event_strength(
            pairs, graph=self.GRAPH, oracle=NetworkOracle(network), store=tmp_path / "s.sqlite"
        )
        assert again.n_asked == 0
        np.testing.assert_array_equal(again.value, found.value)

    def test_another_graph_is_another_oracle(self, network, tmp_path):
        file = tmp_path / "s.sqlite"
        event_strength([("x", "y")], self.GRAPH, NetworkOracle(network), store=file)
        other = CausalGraph.parse("x -> y; y -> w; z")
        with pytest.raises(CheckpointError, match="another file"):
            event_strength([("x", "y")], other, NetworkOracle(network), store=file)

    def test_oracles_that_do_not_fit(self, network):
        chain = ChainOracle(EventGraph.from_log(EventLog([["x", "y"]])))
        with pytest.raises(ParameterError, match="must give probabilities"):
            event_strength([("x", "y")], self.GRAPH, chain)
        with pytest.raises(ParameterError, match="with graph= it answers"):
            event_strength([("x", "y")], oracle=NetworkOracle(network))
        with pytest.raises(ParameterError, match="NoneType"):
            event_strength([("x", "y")])
        with pytest.raises(ParameterError, match="wrap it in NetworkOracle"):
            causal_strength(self.GRAPH, "x", "y", oracle=network, effect_value=1)

    @pytest.mark.parametrize("queries", [[("A",)], None, ("A", "B"), [("A", 1)], ["AB"], 3])
    def test_queries_that_are_no_pairs(self, queries):
        chain = ChainOracle(EventGraph.from_log(EventLog([["A", "B"]])))
        with pytest.raises(DataError, match="pairs of names"):
            event_strength(queries, oracle=chain)


class TestWhatIsNoInput:
    """Each of these raised an error of Python's own."""

    @pytest.mark.parametrize(
        ("call", "said"),
        [
            (lambda f: causal_strength(TRIANGLE, "x", "y", data="file.csv"), "read the file first"),
            (lambda f: causal_strength(TRIANGLE, "x", "y", data=f, outcome_model="rf"), "estimator"),
            (lambda f: causal_strength(TRIANGLE, "x", "y", data=pd.concat([f, f], axis=1)), "unique"),
            (lambda f: CausalGraph.parse(None), "a text is expected"),
            (lambda f: EventLog(None), "sequences of names"),
            (lambda f: EventLog("ab"), "sequences of names"),
            (lambda f: CausalGraph.parse("A <-> B"), "ADMG, MAG, PAG"),
        ],
    )
    def test_is_said(self, call, said):
        from causalkit.exceptions import CausalKitError

        with pytest.raises(CausalKitError, match=said):
            call(half_overlapping(100))

    @pytest.mark.parametrize(("cause", "effect"), [(None, "y"), (0, "y"), ("x", [1])])
    def test_names_are_names(self, cause, effect):
        from causalkit.exceptions import GraphError
        from causalkit.strength import check_adjustment, identify

        with pytest.raises(GraphError, match="by name"):
            identify(TRIANGLE, cause, effect)
        with pytest.raises(GraphError, match="by name"):
            check_adjustment(TRIANGLE, "x", "y", None)
        with pytest.raises(ParameterError, match="positive numbers"):
            identify(TRIANGLE, "x", "y", strategy="minimum", costs={"z": "a"})
