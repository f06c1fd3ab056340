"""What went wrong when others tried it, each with the smallest case that showed it."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from causalkit import CausalGraph
from causalkit.exceptions import DataError, GraphError, GraphKindError, ParameterError
from causalkit.llm_causal import (
    Answer,
    Budget,
    Claim,
    GraphBuilder,
    HumanExpert,
    OracleExpert,
    Question,
    Reliability,
    ReplayExpert,
    as_variables,
    from_callable,
    orientation_accuracy,
    read_review_sheet,
    robustness_card,
    suggest_variables,
)

R = Reliability(0.9, 0.05)
CHAIN = CausalGraph.parse("A --- B; B --- C", kind="CPDAG")
DAG = CausalGraph.parse("A -> B; B -> C; C -> D")


def build(graph=CHAIN, truth="C -> B; B -> A", **settings):
    expert = settings.pop("expert", None) or OracleExpert(CausalGraph.parse(truth))
    return GraphBuilder(graph.nodes, expert=expert, graph=graph, **{"reliability": R, **settings})


class TestClaims:
    def test_a_claim_that_is_surely_false_is_not_followed(self):
        result = build(claims=[Claim("A", "B", "direct", 0.0, "dr")]).run()
        assert result.graph.has_directed_edge("B", "A")
        assert result.graph.has_directed_edge("C", "B")

    def test_a_claim_weighs_what_it_is_worth(self):
        silent = from_callable(lambda _: "nothing")
        for probability in (0.2, 0.6, 0.9):
            result = build(expert=silent, claims=[Claim("A", "B", "direct", probability, "dr")]).run()
            assert result.probabilities["A", "B"] == pytest.approx(
                probability / 3 / (probability / 3 + (1 - probability) * 2 / 3)
            )

    def test_an_arrow_from_a_claim_names_its_source(self):
        result = build(claims=[Claim("A", "B", "direct", 0.99, "Dr. X")]).run()
        assert {e.data["source"] for e in result.graph.edges} == {"data: an edge; claims: its direction"}
        assert "Dr. X" in result.graph.edges[0].data["note"]

    def test_claims_need_something_to_be_applied_to(self):
        with pytest.raises(ParameterError, match="give data, or a graph"):
            GraphBuilder(["A", "B"], expert=OracleExpert(DAG), claims=[Claim("A", "B", "direct")])


class TestClasses:
    def test_too_few_members_are_not_trusted(self):
        n = 12
        truth = CausalGraph.from_adjacency(
            np.triu(np.ones((n, n)), 1).astype(int), [f"x{i:02d}" for i in range(n)]
        )
        result = GraphBuilder(
            truth.nodes,
            expert=OracleExpert(truth),
            graph=truth.to_cpdag(),
            reliability=R,
            budget=Budget(calls=300),
        ).run()
        assert not result.complete
        assert "too large" in " ".join(result.notes)
        told = {frozenset(a.question.variables) for a in result.answers[:-1]}
        wrong = [
            e for e in result.graph.edges if e.is_directed and e.u > e.v and frozenset((e.u, e.v)) in told
        ]
        assert not wrong

    @pytest.mark.parametrize(
        ("text", "kind"),
        [("A o-> B; B <-> C", "PAG"), ("A <-> B; B -> C", "ADMG"), ("A <-> B; B -> C", "MAG")],
    )
    def test_other_kinds_are_refused(self, text, kind):
        with pytest.raises(GraphKindError, match=f"this graph is a {kind}"):
            build(CausalGraph.parse(text, kind=kind)).run()

    def test_a_pdag_that_is_a_class_is_one(self):
        graph = CausalGraph.parse("A -> B; B --- C", kind="PDAG")
        result = build(graph, "A -> B; B -> C").run()
        assert str(result.graph) == "A -> B; B -> C"
        assert result.ledger.total.calls == 0

    @pytest.mark.parametrize("policy", ["bayes", "expert_first"])
    def test_an_edge_of_which_nothing_is_known_has_no_direction(self, policy):
        for text in ("A --- B; C", "B --- A; C"):
            graph = CausalGraph.parse(text, kind="CPDAG")
            result = build(graph, expert=from_callable(lambda _: "junk"), policy=policy).run()
            assert result.graph.edge_between("A", "B") == "---"

    def test_the_expert_first_means_before_any_number_of_arrows_of_the_data(self):
        class OneThing(OracleExpert):
            def answer(self, questions):
                return [
                    Answer(q, "backward" if q.variables == ("A", "C") else "cannot_tell", expert="one")
                    for q in questions
                ]

        graph = CausalGraph.parse("A -> B; B -> C; A -> C").with_kind("MPDAG")
        found = build(graph, expert=OneThing(CausalGraph.parse("A")), policy="expert_first").run().graph
        assert found.has_directed_edge("C", "A")
        assert (
            not build(graph, expert=OneThing(CausalGraph.parse("A")), policy="bayes")
            .run()
            .graph.has_directed_edge("C", "A")
        )

    def test_the_expert_first_means_its_probability(self):
        graph = CausalGraph.parse("A -> B; C -> B", kind="CPDAG")
        result = build(graph, "B -> A; B -> C", policy="expert_first").run()
        assert all(e.data["confidence"] > 0.9 for e in result.graph.edges)

    def test_nodes_that_the_expert_is_not_told_of(self):
        dag = CausalGraph.parse("A -> B; B -> C; C -> D")
        result = GraphBuilder(
            ["A", "B"], expert=OracleExpert(dag), graph=dag.to_cpdag(), reliability=Reliability(0.5, 0.45)
        ).run()
        assert any("not told of" in note for note in result.notes)


class TestFlags:
    @pytest.mark.parametrize("strategy", ["graph", "pairwise"])
    def test_no_answers_is_not_complete(self, strategy):
        result = GraphBuilder(list("ABC"), expert=from_callable(lambda _: "junk"), strategy=strategy).run()
        assert not result.complete
        assert "have no answer" in result.notes[-1]

    def test_a_sheet_without_verdicts_is_not_complete(self, tmp_path):
        result = GraphBuilder(list("ABC"), expert=HumanExpert(tmp_path / "q.csv"), strategy="pairwise").run()
        assert (result.complete, "fill in the column verdict" in result.notes[-1]) == (False, True)

    def test_a_budget_is_passed_by_what_is_under_way_only(self):
        expert = from_callable(lambda _: '{"answer": "A"}')
        result = GraphBuilder(list("ABCD"), expert=expert, strategy="pairwise", budget=Budget(calls=3)).run()
        assert result.ledger.total.calls <= 4
        assert "of 3" in " ".join(result.notes)

    def test_whole_calls(self):
        with pytest.raises(ParameterError, match="whole number"):
            Budget(calls=1.5)

    def test_answers_before_a_crash_are_kept(self, tmp_path):
        replies = iter(['{"reasoning": "", "answer": "A", "confidence": 1}'] * 2)
        expert = from_callable(lambda _: next(replies))
        result = GraphBuilder(
            list("ABC"), expert=expert, strategy="pairwise", transcript=tmp_path / "t.jsonl"
        ).run()
        assert not result.complete
        assert any("StopIteration" in note for note in result.notes)
        assert [a.status for a in result.answers] == ["answered", "answered", "missing"]
        assert len(ReplayExpert(tmp_path / "t.jsonl").transcript.answers) == 3


class TestFiles:
    def test_a_transcript_that_was_cut_off_goes_on_whole(self, tmp_path):
        path = tmp_path / "t.jsonl"
        build(transcript=path).run()
        path.write_text(path.read_text()[:-40])
        build(transcript=path).run()
        assert len(ReplayExpert(path).transcript.answers) >= 2
        header = path.read_text().split("\n")[0]
        path.write_text(header)
        build(transcript=path).run()
        assert ReplayExpert(path).transcript.answers
        with pytest.raises(DataError, match="no folder"):
            build(transcript=tmp_path / "none" / "t.jsonl").run()

    def test_sheets_saved_in_other_ways(self, tmp_path):
        path = tmp_path / "q.csv"
        given = as_variables({"A": "café", "B": "", "C": ""})
        first, second = (Question("orient", pair, given=given) for pair in (("A", "B"), ("B", "C")))
        expert = HumanExpert(path)
        expert.answer([first])
        rows = pd.read_csv(path, dtype=str, keep_default_na=False)
        rows["verdict"] = "→"
        rows[["verdict", *(c for c in rows if c != "verdict")]].to_csv(path, index=False)
        path.write_text(path.read_text().rstrip("\n"))
        answers = expert.answer([first, second])
        assert [a.choice for a in answers] == ["forward", None]
        assert [a.choice for a in expert.answer([first, second])] == ["forward", None]
        assert len(pd.read_csv(path)) == 2
        path.write_bytes(path.read_text().encode("utf-16"))
        with pytest.raises(DataError, match="UTF-8"):
            expert.answer([first])

    def test_names_of_all_kinds_come_back(self, tmp_path):
        names = ['=x"1', "a,b", "é;ü", "-n", "'q"]
        text = "; ".join(json.dumps(n, ensure_ascii=False) for n in names)
        graph = CausalGraph.parse(f'{text}; "a,b" --- "\'q"; "-n" --- "é;ü"', kind="CPDAG")
        result = GraphBuilder(names, expert=from_callable(lambda _: "junk"), graph=graph, reliability=R).run()
        sheet = result.save(tmp_path / "r.csv")
        rows = pd.read_csv(sheet, dtype=str, keep_default_na=False)
        rows["verdict"] = "->"
        rows.to_csv(sheet, index=False)
        claims = read_review_sheet(sheet)
        assert {n for c in claims for n in (c.subject, c.object)} == {"a,b", "'q", "-n", "é;ü"}


def test_scripted_answers_have_no_accuracy():
    answers = [
        Answer(Question("orient", ("A", "B")), "forward", origin=origin)
        for origin in ("scripted", "published")
    ]
    with pytest.raises(ParameterError, match="scripted"):
        orientation_accuracy(answers, DAG)
    assert orientation_accuracy(answers[1:], DAG) == 1.0
    assert np.isnan(orientation_accuracy([], DAG))


def test_importing_needs_no_extra():
    code = (
        "import sys\n"
        "for name in ('openai', 'pydantic', 'torch', 'transformers', 'pandas', 'yaml'): sys.modules[name] = None\n"
        "from causalkit.llm_causal import GraphBuilder, OracleExpert\n"
        "from causalkit import CausalGraph\n"
        "g = CausalGraph.parse('A -> B')\n"
        "assert str(GraphBuilder(['A', 'B'], expert=OracleExpert(g)).run().graph) == 'A -> B'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


class TestMistakes:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"expert": "gpt-4"}, "methods answer and estimate"),
            ({"graph": CHAIN, "claims": "A"}, "objects of Claim"),
            ({"graph": CHAIN, "min_gain": "x"}, "min_gain"),
            ({"graph": CHAIN, "target": "A"}, "function of a graph"),
        ],
    )
    def test_settings(self, settings, message):
        with pytest.raises(ParameterError, match=message):
            GraphBuilder(list("ABC"), **{"expert": OracleExpert(DAG), **settings})

    def test_a_graph_as_text(self):
        with pytest.raises(GraphError, match=r"read_graph\(text or path\) reads a text"):
            GraphBuilder(list("ABC"), graph="A -> B", expert=OracleExpert(DAG))

    def test_a_target_that_is_no_number(self):
        with pytest.raises(ParameterError, match="finite"):
            build(target=lambda _: float("nan")).run()

    def test_who_cannot_propose(self):
        with pytest.raises(ParameterError, match="does not answer questions of kind 'propose'"):
            suggest_variables(DAG.nodes, "A", "C", expert=OracleExpert(DAG), graph=DAG)

    def test_accuracy_needs_arrows(self):
        card = robustness_card(DAG.nodes, [("A", "B")], expert=OracleExpert(DAG), graph=DAG.to_cpdag())
        assert np.isnan(card.rows[0].accuracy)
        with pytest.raises(ParameterError, match="named twice"):
            robustness_card(DAG.nodes, [("A", "B"), ("B", "A")], expert=OracleExpert(DAG))


@pytest.mark.slow
def test_policies_do_not_depend_on_the_order_of_columns():
    """A sample on which the expert says nothing about half of the edges."""
    rng = np.random.default_rng(1)
    weights = np.triu(rng.normal(size=(6, 6)) * (rng.random((6, 6)) < 0.5), 1)
    data = np.linalg.solve((np.eye(6) - weights.T), rng.normal(size=(6, 400))).T
    frame = pd.DataFrame(data, columns=list("abcdef"))

    class Half(OracleExpert):
        def answer(self, questions):
            return [
                Answer(q, "none" if min(q.variables) < "c" else "forward", expert="half") for q in questions
            ]

    for policy in ("data_first", "bayes", "expert_first"):
        graphs = []
        for order in ("abcdef", "fedcba", "cafdbe"):
            columns = frame[list(order)]
            result = GraphBuilder(
                list(order), expert=Half(CausalGraph.parse("a")), data=columns, policy=policy, reliability=R
            ).run()
            graphs.append(result.graph.reorder(list("abcdef")).to_json())
        shown = [json.loads(g)["edges"] for g in graphs]
        assert [[(e["u"], e["v"]) for e in s] for s in shown[1:]] == [
            [(e["u"], e["v"]) for e in shown[0]]
        ] * 2, policy
