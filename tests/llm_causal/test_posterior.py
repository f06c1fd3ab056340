"""Simulated experts, the posterior over a class, the exam, and the order of votes."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from causalkit import CausalGraph
from causalkit.datasets import load_network
from causalkit.exceptions import GraphKindError, ParameterError
from causalkit.llm_causal import (
    Answer,
    ClassPosterior,
    ExpertNoise,
    OracleExpert,
    Question,
    Reliability,
    grade,
)
from causalkit.llm_causal._order import best_order

CHAIN = CausalGraph.parse("A --- B; B --- C", kind="CPDAG")


class TestOracle:
    def test_rates(self):
        graph = CausalGraph.parse("A -> B; B -> C; D")
        noise = ExpertNoise.gpt4_2023()
        expert = OracleExpert(graph, noise, rng=3)
        for kind, pair, row in (
            ("orient", ("A", "B"), noise.edge),
            ("ancestral", ("A", "C"), noise.ancestor),
            ("direct", ("A", "D"), noise.apart),
        ):
            choices = [a.choice for a in expert.answer([Question(kind, pair, k) for k in range(4000)])]
            shares = [choices.count(c) / 4000 for c in ("forward", "backward", "none", "cannot_tell")]
            np.testing.assert_allclose(shares, row, atol=4 * 0.5 / np.sqrt(4000))

    def test_persistence_is_the_share_that_repeats(self):
        graph = CausalGraph.parse("; ".join(f"a{k} -> b{k}" for k in range(1500)))
        for rho in (0.0, 0.8, 1.0):
            expert = OracleExpert(graph, 0.3, persistence=rho, rng=1)
            twice = [
                [expert.answer([Question("orient", (f"a{k}", f"b{k}"), s)])[0].choice for s in (0, 1)]
                for k in range(1500)
            ]
            agree = np.mean([a == b for a, b in twice])
            chance = 0.7**2 + 0.3**2
            assert agree == pytest.approx(rho**2 + (1 - rho**2) * chance, abs=4 * 0.5 / np.sqrt(1500))

    def test_answers_do_not_depend_on_what_else_is_asked(self):
        graph = load_network("asia").graph
        expert = OracleExpert(graph, 0.3, persistence=0.5)
        questions = [Question("orient", (e.u, e.v), k) for e in graph.edges for k in range(3)]
        forward = expert.answer(questions)
        backward = OracleExpert(graph, 0.3, persistence=0.5).answer(questions[::-1])[::-1]
        turned = expert.answer([q.swapped() for q in questions])
        assert forward == backward
        assert [a.about(*q.variables) for a, q in zip(turned, questions, strict=True)] == [
            a.choice for a in forward
        ]

    def test_direct_and_other_causes(self):
        expert = OracleExpert(CausalGraph.parse("A -> B; B -> C"))
        asked = [
            Question("direct", ("A", "C")),
            Question("ancestral", ("C", "A")),
            Question("triplet", ("C", "B", "A")),
            Question("children", ("B",)),
        ]
        found = expert.answer(asked)
        assert [a.choice for a in found[:2]] == ["none", "backward"]
        assert set(found[2].arrows) == {("A", "B"), ("B", "C")}
        assert found[3].arrows == (("B", "C"),)

    def test_bias_to_the_first(self):
        expert = OracleExpert(CausalGraph.parse("A -> B"), first_bias=1.0)
        assert [expert.answer([Question("orient", p)])[0].choice for p in (("A", "B"), ("B", "A"))] == [
            "forward"
        ] * 2

    def test_bad(self):
        with pytest.raises(ParameterError, match="knows a DAG"):
            OracleExpert(CHAIN)
        with pytest.raises(ParameterError, match="sum to 1"):
            ExpertNoise((1, 1, 0, 0), (1, 0, 0, 0), (0, 0, 1, 0))
        with pytest.raises(ParameterError, match="persistence"):
            OracleExpert(CausalGraph.parse("A -> B"), persistence=2)
        with pytest.raises(ParameterError, match="does not answer"):
            OracleExpert(CausalGraph.parse("A -> B")).answer(
                [Question("judge", text="?", options=("a", "b"))]
            )


def brute_force(members, edges, history, reliability):
    """Sum over beliefs by the definition, one member after the other."""
    table, rho = reliability.table(), reliability.persistence
    weights = []
    for member in members:
        weight = 1.0
        for edge, outcomes in history.items():
            row = table[int(member.has_directed_edge(*edge))]
            weight *= sum(
                row[belief] * np.prod([rho * (o == belief) + (1 - rho) * row[o] for o in outcomes])
                for belief in range(3)
            )
        weights.append(weight)
    return np.array(weights) / np.sum(weights)


class TestPosterior:
    @pytest.mark.parametrize("rho", [0.0, 0.6, 1.0])
    @pytest.mark.parametrize("network", ["asia", "child"])
    def test_weights_are_those_of_the_definition(self, network, rho):
        cpdag = load_network(network).graph.to_cpdag()
        reliability = Reliability(0.7, 0.2, rho)
        posterior = ClassPosterior(cpdag, reliability)
        rng, history = np.random.default_rng(0), {}
        for _ in range(2 * len(posterior.edges)):
            edge = posterior.edges[rng.integers(len(posterior.edges))]
            outcome = history[edge][0] if rho == 1 and edge in history else int(rng.integers(3))
            history.setdefault(edge, []).append(outcome)
            posterior = posterior.observe(*edge, ("forward", "backward", "none")[outcome])
        members = [posterior._members.member(k) for k in range(len(posterior.weights))]
        assert {m.to_json() for m in members} == {m.to_json() for m in cpdag.class_members()}
        np.testing.assert_allclose(
            posterior.weights,
            brute_force(members, posterior.edges and history, history, reliability),
            rtol=1e-9,
        )

    def test_an_edge_may_be_named_from_either_end(self):
        start = ClassPosterior(CHAIN, Reliability(0.8, 0.1))
        for choice, turned in (("forward", "backward"), ("backward", "forward"), ("none", "none")):
            np.testing.assert_allclose(
                start.observe("B", "A", choice).weights, start.observe("A", "B", turned).weights
            )

    def test_repeats_of_a_persistent_expert_say_nothing(self):
        start = ClassPosterior(CHAIN, Reliability(0.8, 0.2, 1.0))
        once = start.observe("A", "B", "forward")
        many = once
        for _ in range(20):
            many = many.observe("A", "B", "forward")
        np.testing.assert_allclose(once.weights, many.weights)
        assert once.gains()[0] == pytest.approx(0, abs=1e-12)
        independent = ClassPosterior(CHAIN, Reliability(0.8, 0.2, 0.0))
        for _ in range(20):
            independent = independent.observe("A", "B", "forward")
        assert independent.probability("A", "B") > 0.999

    @pytest.mark.parametrize("rho", [0.0, 0.7])
    def test_gain_is_the_expected_loss_of_entropy(self, rho):
        posterior = ClassPosterior(load_network("asia").graph.to_cpdag(), Reliability(0.6, 0.3, rho)).observe(
            "tub", "asia", "forward"
        )
        for k, edge in enumerate(posterior.edges):
            predictive = posterior._predictive(edge)
            ahead = posterior.marginals[k]
            shares = ahead * predictive[1] + (1 - ahead) * predictive[0]
            after = [posterior.observe(*edge, c).entropy for c in ("forward", "backward", "cannot_tell")]
            assert posterior.gains()[k] == pytest.approx(posterior.entropy - shares @ after, abs=1e-9)

    def test_entropy_asks_near_the_bound(self):
        """On average over all members: within .6 questions of the logarithm of the size of the class, and within .67 for child, where looking one answer further ahead is no better."""
        for network in ("asia", "child", "insurance", "alarm"):
            cpdag = load_network(network).graph.to_cpdag()
            counts = []
            for truth in cpdag.class_members():
                posterior, asked = ClassPosterior(cpdag, Reliability(1, 0)), 0
                while (question := posterior.next_question()) is not None:
                    posterior, asked = posterior.learn(OracleExpert(truth).answer([question])), asked + 1
                assert posterior.best()[0].equals(truth)
                counts.append(asked)
            assert np.mean(counts) <= np.log2(len(counts)) + (0.67 if network == "child" else 0.6)

    @pytest.mark.parametrize("rho", [0.0, 0.8, 1.0])
    def test_the_reported_probability_is_the_rate(self, rho):
        """Truth drawn from the class, an expert who is as assumed: the best member is right as often as it says."""
        cpdag = load_network("asia").graph.to_cpdag()
        right, reported = [], []
        for run in range(300):
            truth = cpdag.sample_member(rng=run)
            posterior = ClassPosterior(cpdag, Reliability(0.8, 0.2, rho))
            expert = OracleExpert(truth, 0.2, persistence=rho, rng=run)
            for k in range(3):
                posterior = posterior.learn(
                    expert.answer([Question("orient", e, k) for e in posterior.edges])
                )
            best, probability = posterior.best()
            right.append(best.equals(truth))
            reported.append(probability)
        assert abs(np.mean(right) - np.mean(reported)) < 0.05 + 2 * np.sqrt(0.25 / 300)

    def test_persistence_that_is_not_known_makes_it_too_sure(self):
        cpdag = load_network("child").graph.to_cpdag()
        gaps = []
        for run in range(100):
            truth = cpdag.sample_member(rng=run)
            posterior = ClassPosterior(cpdag, Reliability(0.8, 0.2, 0.0))
            expert = OracleExpert(truth, 0.2, persistence=1.0, rng=run)
            for k in range(3):
                posterior = posterior.learn(
                    expert.answer([Question("orient", e, k) for e in posterior.edges])
                )
            best, probability = posterior.best()
            gaps.append(probability - best.equals(truth))
        assert np.mean(gaps) > 0.2

    def test_the_target_decides_what_is_asked(self):
        graph = CausalGraph.parse("A --- B; C --- D; D --- E; C --- E", kind="CPDAG")
        posterior = ClassPosterior(graph, Reliability(0.95, 0.05, 0.0))
        values = posterior.evaluate(lambda dag: float(dag.has_directed_edge("A", "B")))
        assert set(posterior.next_question(values=values).variables) == {"A", "B"}
        np.testing.assert_allclose(posterior.spreads(values)[1:], 0, atol=1e-12)

    def test_arrows_stand_together(self):
        for network in ("child", "sachs", "insurance"):
            truth = load_network(network).graph
            cpdag = truth.to_cpdag()
            start = ClassPosterior(cpdag, Reliability(0.8, 0.2, 0.0))
            for run in range(5):
                expert = OracleExpert(truth, 0.4, rng=run)
                posterior = start.learn(expert.answer([Question("orient", e) for e in start.edges]))
                arrows, probability = posterior.oriented(0.5)
                from causalkit import BackgroundKnowledge

                assert cpdag.to_mpdag(BackgroundKnowledge(required=arrows)).class_size() >= 1
                assert 0 < probability <= 1

    def test_large_classes_are_drawn(self):
        clique = CausalGraph.parse(
            "; ".join(f"v{i} --- v{j}" for i in range(9) for j in range(i)), kind="CPDAG"
        )
        posterior = ClassPosterior(clique, Reliability(0.9, 0.1), max_members=500)
        assert (posterior.exact, len(posterior.weights)) == (False, 500)
        assert abs(posterior.probability("v0", "v1") - 0.5) < 0.1

    def test_bad(self):
        posterior = ClassPosterior(CHAIN, Reliability(0.9, 0.1))
        with pytest.raises(ParameterError, match="not joined by an edge without a direction"):
            posterior.observe("A", "C", "forward")
        with pytest.raises(ParameterError, match="no edge joins"):
            posterior.probability("A", "C")
        with pytest.raises(GraphKindError):
            ClassPosterior(CausalGraph.parse("A o-> B", kind="PAG"), Reliability(0.9, 0.1))
        with pytest.raises(ParameterError, match="more than 1"):
            Reliability(0.9, 0.2)

    def test_a_dag_leaves_nothing_to_ask(self):
        posterior = ClassPosterior(CausalGraph.parse("A -> B"), Reliability(0.9, 0.1))
        assert (posterior.next_question(), posterior.entropy, posterior.probability("A", "B")) == (None, 0, 1)


TRUTH = [(f"a{k}", f"b{k}") for k in range(40)]
GRAPH = CausalGraph.parse("; ".join(f"{a} -> {b}" for a, b in TRUTH))


class TestExam:
    def exam(self, noise, n=20, persistence=0.0, rng=0, samples=2):
        expert = OracleExpert(GRAPH, noise, persistence=persistence, rng=rng)
        asked = [
            Question("orient", pair if k % 2 else pair[::-1], s)
            for k, pair in enumerate(TRUTH[:n])
            for s in range(samples)
        ]
        return grade(expert.answer(asked), TRUTH[:n])

    def test_coins_are_refused_and_good_experts_pass(self):
        coins = [self.exam(ExpertNoise.coin(), rng=k).verdict for k in range(60)]
        good = [self.exam(ExpertNoise.gpt4_2023(), rng=k).verdict for k in range(60)]
        assert coins.count("passed") / 60 <= 0.10 + 2.6 * np.sqrt(0.1 * 0.9 / 60)
        assert good.count("passed") >= 55

    def test_an_expert_who_always_names_the_first_is_a_coin(self):
        expert = OracleExpert(GRAPH, first_bias=1.0)
        answers = expert.answer([Question("orient", p if k % 2 else p[::-1]) for k, p in enumerate(TRUTH)])
        assert grade(answers, TRUTH).verdict == "refused"

    def test_rates_and_persistence_come_back(self):
        found = [self.exam(0.2, n=40, persistence=0.8, rng=k) for k in range(30)]
        assert np.mean([f.reliability.accuracy for f in found]) == pytest.approx(0.8, abs=0.05)
        assert np.mean([f.reliability.persistence for f in found]) == pytest.approx(0.8, abs=0.08)
        low = [self.exam(0.2, n=40, persistence=0.0, rng=k).reliability.persistence for k in range(30)]
        assert np.mean(low) < 0.5

    def test_few_questions(self):
        result = self.exam(0.0, n=3)
        assert result.verdict == "too few questions"
        assert 0.5 < result.reliability.accuracy < 0.9

    def test_calibration_of_stated_probabilities(self):
        answers = [
            Answer(Question("orient", p), "forward", probabilities={"forward": 0.9}) for p in TRUTH[:20]
        ]
        result = grade(answers, TRUTH[:20])
        assert result.calibration_error == pytest.approx(0.1)
        assert result.brier == pytest.approx(0.01)

    def test_answers_that_did_not_come_are_counted(self):
        answers = [Answer(Question("orient", p), status="invalid") for p in TRUTH[:6]]
        result = grade(answers, TRUTH[:6])
        assert (result.unread, result.right, result.silent) == (6, 0, 0)


class TestOrder:
    @settings(max_examples=60, deadline=None)
    @given(st.integers(2, 5), st.integers(0, 10_000))
    def test_exact_for_few(self, d, seed):
        weights = np.random.default_rng(seed).integers(0, 5, (d, d)).astype(float)
        np.fill_diagonal(weights, 0)
        best = max(
            sum(weights[o[i], o[j]] for i, j in product(range(d), repeat=2) if i < j)
            for o in permutations(range(d))
        )
        order = best_order(weights)
        assert sorted(order) == list(range(d))
        assert sum(weights[order[i], order[j]] for i in range(d) for j in range(i + 1, d)) == best

    def test_many_are_put_in_their_order(self):
        rng = np.random.default_rng(0)
        true = rng.permutation(40)
        place = np.argsort(true)
        weights = (place[:, None] < place[None, :]) * rng.random((40, 40))
        assert best_order(weights) == true.tolist()
