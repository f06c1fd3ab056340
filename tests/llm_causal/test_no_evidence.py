"""No evidence, no arrow: experts who know nothing, say nothing or cannot be read leave the class as the data left it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from causalkit import CausalGraph
from causalkit._cli import main
from causalkit.datasets import load_network
from causalkit.llm_causal import (
    Answer,
    Claim,
    ClassPosterior,
    ExpertNoise,
    GraphBuilder,
    OracleExpert,
    Question,
    Reliability,
    Usage,
    from_callable,
    grade,
)

NETWORKS = ("asia", "sachs", "child", "insurance", "alarm")
POLICIES = ("data_first", "bayes", "expert_first")
GOOD = Reliability(0.9, 0.05)
P = CausalGraph.parse


class Says:
    """Gives one answer to whatever is asked, and counts."""

    name = "says"

    def __init__(self, choice):
        self.choice, self.asked = choice, 0

    def answer(self, questions):
        self.asked += len(questions)
        return [Answer(q, self.choice, expert=self.name, origin="simulated") for q in questions]

    def estimate(self, questions):
        return Usage(calls=len(questions))


def experts():
    return {
        "silent": Says("cannot_tell"),
        "neither": Says("none"),
        "both": Says("both"),
        "unreadable": from_callable(lambda _: "I believe that smoking is bad."),
        "model refuses": from_callable(lambda _: json.dumps({"refusal": "I cannot help with that."})),
    }


def class_and_truth(network):
    truth = load_network(network).graph
    return truth.to_cpdag(), truth


def same_marks(found, expected):
    return found.kind == expected.kind and (found.marks == expected.marks).all()


class TestNoEvidence:
    @pytest.mark.parametrize("trusted", [None, GOOD])
    @pytest.mark.parametrize("policy", POLICIES)
    @pytest.mark.parametrize("name", list(experts()))
    @pytest.mark.parametrize("network", NETWORKS)
    def test_the_result_is_the_class(self, network, name, policy, trusted):
        cpdag, truth = class_and_truth(network)
        result = GraphBuilder(
            truth.nodes, expert=experts()[name], graph=cpdag, policy=policy, reliability=trusted
        ).run()
        opened = [e for e in cpdag.edges if e.is_undirected]
        assert all(result.graph.edge_between(e.u, e.v) == "---" for e in opened)
        assert (result.graph.marks == cpdag.marks).all()
        assert not result.complete
        assert result.nothing
        assert not any("follows from" in e.data["source"] for e in result.graph.edges)

    @pytest.mark.parametrize("network", NETWORKS)
    def test_a_refused_expert_leaves_the_class(self, network):
        cpdag, truth = class_and_truth(network)
        result = GraphBuilder(truth.nodes, expert=OracleExpert(truth, 1.0), graph=cpdag).run()
        if network != "sachs":  # its class fixes no direction, so there is no exam
            assert result.exam.verdict == "refused"
        assert (result.graph.marks == cpdag.marks).all()
        assert (result.complete, bool(result.nothing)) == (False, True)

    @pytest.mark.parametrize("network", NETWORKS)
    def test_a_posterior_without_answers_orients_nothing(self, network):
        cpdag, _ = class_and_truth(network)
        assert ClassPosterior(cpdag, GOOD).oriented(0.5) == ((), 1.0)

    def test_a_long_chain(self):
        """Eight of ten members have v2 -> v3; nobody has said a word."""
        chain = P("; ".join(f"v{k} --- v{k + 1}" for k in range(9)), kind="CPDAG")
        start = ClassPosterior(chain, GOOD)
        assert max(start.probability("v0", "v1"), start.probability("v1", "v0")) > 0.8
        assert start.oriented()[0] == ()
        told = start.observe("v4", "v5", "forward")
        assert set(told.oriented()[0]) == {(f"v{k}", f"v{k + 1}") for k in range(4, 9)}

    def test_silence_changes_nothing(self):
        for network in NETWORKS:
            cpdag, _ = class_and_truth(network)
            posterior = ClassPosterior(cpdag, GOOD)
            for edge in posterior.edges:
                posterior = posterior.observe(*edge, "cannot_tell")
            assert posterior.oriented(0.5)[0] == ()

    @settings(max_examples=40, deadline=None)
    @given(st.sampled_from(NETWORKS), st.integers(0, 10_000), st.floats(0.5, 0.95))
    def test_every_arrow_has_a_statement_or_follows(self, network, seed, bar):
        """Arrows are the closure of those that an answer speaks for, in any class and at any bar."""
        from causalkit import BackgroundKnowledge

        cpdag, _ = class_and_truth(network)
        rng, posterior = np.random.default_rng(seed), ClassPosterior(cpdag, GOOD)
        said = {}
        for k in rng.permutation(len(posterior.edges))[: rng.integers(len(posterior.edges) + 1)]:
            edge = posterior.edges[k]
            choice = ("forward", "backward", "cannot_tell")[rng.integers(3)]
            posterior = posterior.observe(*edge, choice)
            said |= {"forward": {edge}, "backward": {edge[::-1]}}.get(choice, set()) and {
                edge: edge if choice == "forward" else edge[::-1]
            }
        arrows = posterior.oriented(bar)[0]
        stated = [a for a in arrows if a in said.values()]
        closed = cpdag.to_mpdag(BackgroundKnowledge(required=stated)) if stated else cpdag
        assert all(closed.has_directed_edge(*a) for a in arrows)
        assert {frozenset(a) for a in arrows} == {
            frozenset(e) for e in posterior.edges if closed.edge_between(*e) != "---"
        }

    def test_a_weak_answer_does_not_ride_on_the_count(self):
        """Three of four members have v1 -> v2; an expert who is right in 55 of 100 cases says so too."""
        chain = P("; ".join(f"v{k} --- v{k + 1}" for k in range(4)), kind="CPDAG")
        posterior = ClassPosterior(chain, Reliability(0.55, 0.45)).observe("v3", "v4", "forward")
        assert posterior.probability("v3", "v4") > 0.8
        assert posterior.oriented()[0] == ()


class TestReceipts:
    def test_what_follows_names_what_from(self):
        chain = P("A --- B; B --- C", kind="CPDAG")
        result = GraphBuilder(
            ["A", "B", "C"],
            expert=OracleExpert(P("A -> B; B -> C")),
            graph=chain,
            reliability=Reliability(0.99, 0.01),
        ).run()
        assert result.graph.edges[1].data["source"] == "data: an edge; its direction follows from A -> B"

    def test_an_answer_against_an_arrow_is_not_its_source(self):
        chain = P("A --- B; B --- C; C --- D", kind="CPDAG")

        class Collider(Says):
            def answer(self, questions):
                ahead = {("A", "B"): "forward", ("B", "C"): "forward", ("C", "D"): "backward"}
                return [Answer(q, ahead[q.variables], expert="c") for q in questions]

        result = GraphBuilder(
            list("ABCD"), expert=Collider(""), graph=chain, reliability=Reliability(0.9, 0.1), policy="bayes"
        ).run()
        edge = next(e for e in result.graph.edges if {e.u, e.v} == {"C", "D"})
        assert result.graph.has_directed_edge("C", "D")
        assert "expert" not in edge.data["source"]

    def test_claims_are_followed_though_the_expert_is_refused(self):
        cpdag, truth = class_and_truth("alarm")
        edge = next(e for e in cpdag.edges if e.is_undirected)
        result = GraphBuilder(
            truth.nodes,
            expert=OracleExpert(truth, 1.0),
            graph=cpdag,
            claims=[Claim(edge.u, edge.v, "direct", 0.9, "Dr. X")],
        ).run()
        assert result.exam.verdict == "refused"
        assert result.graph.has_directed_edge(edge.u, edge.v)


class TestCoins:
    @pytest.mark.parametrize("named", [5, 7, 10, 13, 20, 40])
    def test_few_coins_pass(self, named):
        """Exactly: no number of right directions passes that a coin reaches in more than 5 % of exams."""
        truth = [(f"a{k}", f"b{k}") for k in range(named)]

        def verdict(right):
            said = ["forward"] * right + ["backward"] * (named - right)
            return grade(
                [Answer(Question("orient", p), c) for p, c in zip(truth, said, strict=True)], truth
            ).verdict

        passing = [right for right in range(named + 1) if verdict(right) == "passed"]
        assert binom.sf(min(passing) - 1, named, 0.5) <= 0.05

    @pytest.mark.parametrize(
        "network", [pytest.param(n, marks=pytest.mark.slow) if n == "sachs" else n for n in NETWORKS]
    )
    def test_false_arrows_are_few(self, network):
        cpdag, truth = class_and_truth(network)
        runs, false = 60, 0
        for k in range(runs):
            coin = OracleExpert(truth, ExpertNoise.coin(), persistence=1.0, rng=k)
            found = GraphBuilder(truth.nodes, expert=coin, graph=cpdag).run().graph
            false += any(e.is_directed and not truth.has_directed_edge(*_tail(found, e)) for e in found.edges)
        assert false <= binom.ppf(0.999, runs, 0.05)

    @pytest.mark.parametrize("network", ["sachs", "child"])
    def test_answers_that_fit_the_class_as_a_coin_would(self, network):
        """The share of coins is a p-value under a coin, and small for somebody who knows."""
        cpdag, truth = class_and_truth(network)
        start, rng = ClassPosterior(cpdag, Reliability(0.5, 0.25)), np.random.default_rng(0)
        shares = []
        for _ in range(40):
            posterior = start
            for edge in start.edges:
                posterior = posterior.observe(*edge, "forward" if rng.random() < 0.5 else "backward")
            shares.append(posterior.coin_test()[0])
        assert np.mean(np.array(shares) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 40)
        known = start.learn(OracleExpert(truth).answer([Question("orient", e) for e in start.edges]))
        assert known.coin_test()[0] <= 0.01
        assert start.coin_test() == (1.0, pytest.approx(0.75))

    def test_how_sure_is_told(self):
        cpdag, truth = class_and_truth("child")
        result = GraphBuilder(truth.nodes, expert=OracleExpert(truth), graph=cpdag).run()
        assert "a better than a coin, which does as well in" in f"a {str(result.exam).split(': ')[-1]}"


def _tail(graph, e):
    return (e.u, e.v) if graph.has_directed_edge(e.u, e.v) else (e.v, e.u)


class TestUnreadable:
    @pytest.mark.parametrize("trusted", [None, GOOD])
    @pytest.mark.parametrize("network", ["sachs", "child", "insurance", "alarm"])
    def test_it_is_said_and_asking_stops_early(self, network, trusted):
        cpdag, truth = class_and_truth(network)
        result = GraphBuilder(
            truth.nodes, expert=experts()["unreadable"], graph=cpdag, reliability=trusted
        ).run()
        assert result.ledger.total.calls <= 10  # five questions, each with one attempt at repair
        assert "could be read" in result.notes[0]
        assert not any("too few directions" in note or "budget" in note for note in result.notes)

    def test_names_too(self):
        result = GraphBuilder(
            [f"v{k}" for k in range(8)], expert=experts()["unreadable"], strategy="pairwise"
        ).run()
        assert result.ledger.total.calls <= 10
        assert "could be read" in result.nothing
        assert not result.complete

    def test_a_silent_expert_about_names(self):
        result = GraphBuilder(list("ABC"), expert=Says("cannot_tell"), strategy="pairwise").run()
        assert "could not tell" in result.nothing
        assert not result.complete
        none = GraphBuilder(list("ABC"), expert=Says("none"), strategy="pairwise").run()
        assert (none.nothing, none.complete) == ("", True)

    def test_silence_is_no_lack_of_known_directions(self):
        cpdag, truth = class_and_truth("alarm")
        result = GraphBuilder(truth.nodes, expert=Says("cannot_tell"), graph=cpdag).run()
        assert result.exam.verdict == "silent"
        assert not any("data fix too few" in note for note in result.notes)


def test_a_command_that_builds_nothing_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "v.yaml").write_text("A: a\nB: b\nC: c\n")
    graph = P("A --- B; B --- C", kind="CPDAG")
    (tmp_path / "g.json").write_text(graph.to_json())
    GraphBuilder(
        list("ABC"), expert=Says("cannot_tell"), graph=graph, reliability=GOOD, transcript="t.jsonl"
    ).run()
    command = ["build", "v.yaml", "--expert", "human:q.csv", "--graph", "g.json", "--trust", ".9", "--quiet"]
    assert main(command) == 1
    assert "nothing was built" in capsys.readouterr().err
    assert (tmp_path / "results" / "graph.json").exists()
