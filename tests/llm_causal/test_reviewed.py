"""What a review found: each of these went wrong, silently or with an error of Python's own."""

from __future__ import annotations

import json
import time
from itertools import count, permutations

import numpy as np
import pandas as pd
import pytest

from causalkit import CausalGraph
from causalkit.datasets import load_network
from causalkit.discovery import CDNOD, PC, Resampling
from causalkit.exceptions import DataError, ExpertError, KnowledgeError, ParameterError
from causalkit.llm_causal import (
    Answer,
    Budget,
    ChatExpert,
    Claim,
    ClassPosterior,
    GraphBuilder,
    HumanExpert,
    KnowledgeBase,
    OracleExpert,
    Question,
    Reliability,
    ReplayExpert,
    Transcript,
    Variable,
    as_variables,
    count_votes,
    from_callable,
    read_review_sheet,
    robustness_card,
)
from causalkit.llm_causal._claims import holds_in_members
from causalkit.llm_causal._members import Members

P = CausalGraph.parse
GOOD = Reliability(0.95, 0.03)
FIRST = '{"reasoning": "", "answer": "A", "confidence": 1}'


def says(arrows, reasons=""):
    """Return an expert who names the direction of every pair that it is asked about."""

    class Says:
        name = "says"

        def answer(self, questions):
            found = []
            for q in questions:
                u, v = q.variables
                choice = "forward" if (u, v) in arrows else "backward" if (v, u) in arrows else "cannot_tell"
                found.append(Answer(q, choice, rationale=reasons, expert="says", origin="simulated"))
            return found

        def estimate(self, questions):
            from causalkit.llm_causal import Usage

            return Usage(calls=len(questions))

    return Says()


class TestPrompts:
    def test_names_are_told_without_descriptions(self):
        shown = from_callable(lambda _: FIRST).preview(Question("direct", ("smoking", "cancer")))
        assert "smoking" in shown
        assert "cancer" in shown

    @pytest.mark.parametrize(
        "make",
        [
            lambda: Question("direct", ("A", "B"), given=as_variables(["A", "C"])),
            lambda: Question("direct", ("A", "B"), given=("A", "B")),
            lambda: from_callable(lambda _: FIRST).answer([Question("graph")]),
            lambda: Answer(Question("direct", ("A", "B")), status="weird"),
        ],
    )
    def test_questions_that_cannot_be_put(self, make):
        with pytest.raises(ParameterError):
            make()

    def test_what_is_told_is_part_of_the_question(self):
        plain = Question("orient", ("A", "B"), given=as_variables(["A", "B"]))
        other = Question("orient", ("A", "B"), given=(Variable("A", alias="x"), Variable("B", alias="y")))
        assert plain.key != other.key
        again = Answer.from_dict(json.loads(json.dumps(Answer(plain, "forward").to_dict())))
        assert again.question.key == plain.key

    def test_a_card_does_not_reuse_a_sheet(self, tmp_path):
        """Without names, or with names exchanged, the question is another one, and a filled row does not answer it."""
        sheet, truth = tmp_path / "q.csv", P("A -> B; C -> B")
        pairs = [("A", "B"), ("B", "C")]
        robustness_card(truth.nodes, pairs, expert=HumanExpert(sheet), graph=truth)
        rows = pd.read_csv(sheet, dtype=str, keep_default_na=False)
        assert len(rows) == len(rows["key"].unique()) == 5 * len(pairs)


class TestFailures:
    def test_one_failure_leaves_one_question_open(self):
        number = count(1)

        def sometimes(messages):
            if next(number) == 2:
                raise ConnectionError("gone for a moment")
            return FIRST

        result = GraphBuilder(
            list("ABCD"), expert=from_callable(sometimes), strategy="pairwise", samples=1
        ).run()
        assert [a.status for a in result.answers].count("missing") == 1
        assert not result.complete
        assert any("gone for a moment" in note for note in result.notes)

    def test_an_expert_who_never_answers_is_an_error(self):
        def never(messages):
            raise ConnectionError("nobody there")

        with pytest.raises(ExpertError, match="nobody there"):
            GraphBuilder(list("AB"), expert=from_callable(never), strategy="pairwise").run()

    def test_patience_ends(self):
        number = count(1)

        def once(messages):
            if next(number) > 1:
                raise ConnectionError("gone for good")
            return FIRST

        result = GraphBuilder(
            [f"v{k}" for k in range(8)], expert=from_callable(once), strategy="pairwise"
        ).run()
        assert next(number) - 1 == 1 + 3
        assert result.ledger.counts["pairwise"] == {"answered": 1, "missing": 27}
        assert any("patience" in note for note in result.notes)

    def test_halves_of_characters_are_no_crash(self, tmp_path):
        expert = from_callable(lambda _: '{"reasoning": "cut \\ud83d", "answer": "A", "confidence": 1}')
        path = tmp_path / "t.jsonl"
        GraphBuilder(list("AB"), expert=expert, strategy="pairwise", transcript=path).run()
        assert "cut ?" in ReplayExpert(path).transcript.answers[0].rationale

    def test_other_answers_than_answers(self):
        class Lazy:
            name = "lazy"

            def answer(self, questions):
                return None

            def estimate(self, questions):
                from causalkit.llm_causal import Usage

                return Usage()

        with pytest.raises(ParameterError, match="one object of Answer for each"):
            GraphBuilder(list("AB"), expert=Lazy(), strategy="pairwise").run()


class TestBudgets:
    def test_calls_are_never_passed(self):
        for calls, concurrency in ((8, 8), (1, 1), (5, 4)):
            expert = from_callable(lambda _: "prose", concurrency=concurrency)
            names = [f"v{k}" for k in range(6)]
            result = GraphBuilder(names, expert=expert, strategy="pairwise", budget=Budget(calls=calls)).run()
            assert result.ledger.total.calls <= calls

    def test_kept_replies_cost_nothing(self, tmp_path):
        """A budget of three calls a run gets through ten questions in four runs."""
        asked = []
        for _ in range(4):
            expert = from_callable(
                lambda messages: asked.append(messages) or FIRST,
                name="kept",
                concurrency=8,
                cache=tmp_path / "c.sqlite",
            )
            result = GraphBuilder(
                list("ABCDE"), expert=expert, strategy="pairwise", budget=Budget(calls=3)
            ).run()
        assert result.complete
        assert len(asked) == 10

    def test_a_cache_needs_a_name(self, tmp_path):
        with pytest.raises(ParameterError, match="name="):
            from_callable(lambda _: FIRST, cache=tmp_path / "c.sqlite")

    def test_whole_numbers_of_numpy(self):
        assert Budget(calls=np.int64(3)).calls == 3

    @pytest.mark.parametrize("policy", ["data_first", "bayes", "expert_first"])
    @pytest.mark.parametrize("reliability", [None, GOOD])
    def test_the_plan_is_what_is_asked(self, policy, reliability):
        truth = load_network("asia").graph
        session = GraphBuilder(
            truth.nodes,
            expert=OracleExpert(truth),
            graph=truth.to_cpdag(),
            policy=policy,
            reliability=reliability,
        )
        planned = session.estimate().calls
        spent = session.run().ledger.total.calls
        assert spent <= planned
        assert policy == "data_first" or spent == planned

    def test_names_alone_have_a_limit(self):
        number = count()

        def random_graph(messages):
            rng = np.random.default_rng(next(number))
            if "answer" in messages[-1]["content"].split("Reply as")[-1]:
                return FIRST
            pairs = {tuple(rng.choice(12, 2, replace=False) + 1) for _ in range(20)}
            edges = [{"cause": f"V{a}", "effect": f"V{b}", "confidence": 1} for a, b in pairs]
            return json.dumps({"reasoning": "", "edges": edges})

        session = GraphBuilder([f"v{k}" for k in range(12)], expert=from_callable(random_graph))
        planned = session.estimate().calls
        assert session.run().ledger.total.calls <= planned == 3 + 36
        assert session.estimate().calls < planned  # what was paid for is kept


class TestSearches:
    @pytest.fixture
    def frame(self):
        rng = np.random.default_rng(0)
        year = np.repeat(np.arange(8), 40)
        a = 2 * np.sin(year) + rng.normal(size=320)
        b = a + rng.normal(size=320)
        return pd.DataFrame({"A": a, "B": b, "C": rng.normal(size=320), "year": [f"y{k}" for k in year]})

    def test_the_context_is_named(self, frame):
        truth = P("A -> B; C")
        options = {"expert": OracleExpert(truth), "data": frame, "reliability": GOOD}
        session = GraphBuilder(list("ABC"), discovery=CDNOD(), context="year", **options)
        graph = session.run().graph
        assert "year" in graph.nodes
        assert graph.has_directed_edge("year", "A")
        with pytest.raises(ParameterError, match="takes no context"):
            GraphBuilder(list("ABC"), discovery=PC(), context="year", **options).run()
        with pytest.raises(ParameterError, match="no column 'month'"):
            GraphBuilder(list("ABC"), discovery=CDNOD(), context="month", **options).run()

    def test_the_search_of_the_user_stays_as_it_is(self, frame):
        search, options = PC(), {"expert": OracleExpert(P("A -> B; C")), "reliability": GOOD}
        GraphBuilder(list("ABC"), discovery=search, data=frame, **options).run()
        assert not hasattr(search, "graph_")
        search.fit(frame[["A", "B", "C"]])
        other = frame.assign(B=np.random.default_rng(1).normal(size=320))
        found = GraphBuilder(list("ABC"), discovery=search, data=other, **options).run()
        assert found.graph.n_edges == 0

    @pytest.mark.parametrize(
        "options",
        [
            {"discovery": PC()},
            {"discovery": PC(), "graph": P("A --- B", kind="CPDAG")},
            {"context": "year"},
            {"target": lambda _: 0.0},
            {"target": lambda _: 0.0, "graph": P("A --- B", kind="CPDAG"), "policy": "bayes"},
        ],
    )
    def test_what_does_not_go_together(self, options):
        with pytest.raises(ParameterError):
            GraphBuilder(list("AB"), expert=OracleExpert(P("A -> B")), **options)

    def test_other_frames(self, frame):
        polars = pytest.importorskip("polars")
        table = polars.DataFrame({name: frame[name].to_numpy() for name in "ABC"})
        found = GraphBuilder(
            list("ABC"), expert=OracleExpert(P("A -> B; C")), data=table, reliability=GOOD
        ).run()
        assert found.graph.has_edge("A", "B")

    def test_arrows_are_as_sure_as_resamples_say(self, frame):
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(2, 500))
        data = pd.DataFrame({"x": x, "y": y, "z": x + y + 0.3 * rng.normal(size=500)})
        session = GraphBuilder(
            list("xyz"),
            expert=OracleExpert(P("x -> z; y -> z")),
            data=data,
            discovery=PC(resampling=Resampling(5)),
            reliability=GOOD,
        )
        assert session._with_data().confidence["x", "z"] == pytest.approx(6 / 7)


class TestClaims:
    def test_order_is_an_order(self):
        loop = [Claim("A", "B", "before"), Claim("B", "C", "before"), Claim("C", "A", "before")]
        assert len(KnowledgeBase(loop).conflict()) == 3
        forbidden = KnowledgeBase(loop[:2]).to_background().forbidden
        assert ("C", "A") in forbidden
        mixed = [Claim("A", "B", "before"), Claim("B", "C", "ancestor")]
        assert ("C", "A") in KnowledgeBase(mixed).to_background().forbidden

    def test_pags(self):
        both = P("A <-> B", kind="PAG")
        with pytest.raises(KnowledgeError, match="A causes B directly"):
            KnowledgeBase([Claim("A", "B", "direct")]).apply(both)
        no_edge = Claim("A", "B", "no_edge")
        assert KnowledgeBase([no_edge]).apply(P("A o-> B", kind="PAG")).residual == (no_edge,)
        chain = [Claim("A", "B", "ancestor"), Claim("B", "C", "ancestor")]
        found = KnowledgeBase(chain).apply(P("A o-o B; B o-o C; A o-o C", kind="PAG"))
        assert str(found.graph) == "A o-> B; A o-> C; B o-> C"
        assert found.residual == tuple(chain)

    def test_claims_on_graphs_without_choice(self):
        options = {"expert": OracleExpert(P("A -> B")), "reliability": GOOD}
        for graph in (P("A -> B"), P("A -> B", kind="MPDAG")):
            result = GraphBuilder(
                list("AB"), graph=graph, claims=[Claim("A", "B", "direct")], **options
            ).run()
            assert not result.conflicts
            result = GraphBuilder(
                list("AB"), graph=graph, claims=[Claim("B", "A", "direct")], **options
            ).run()
            assert result.conflicts[0].decision == "left out"

    def test_a_claim_about_somebody_else_costs_nothing(self):
        expert = says({("A", "B")})
        with pytest.raises(ParameterError, match="'X', which is no node"):
            GraphBuilder(
                list("AB"),
                expert=expert,
                graph=P("A --- B", kind="CPDAG"),
                claims=[Claim("A", "X", "direct", 0.5)],
            ).run()

    def test_sure_claims_say_no_less_than_unsure_ones(self):
        graph = P("A --- B; A --- C; B --- C; B --- D; C --- D", kind="CPDAG")

        def probability(p):
            session = GraphBuilder(
                list("ABCD"),
                expert=says(set()),
                graph=graph,
                reliability=Reliability(0.5, 0.25),
                claims=[Claim("A", "D", "ancestor", p)],
                min_gain=1.0,
            )
            return session.run().probabilities["A", "B"]

        values = [probability(p) for p in (0.5, 0.8, 0.94, 1.0)]
        assert values == sorted(values)
        assert values[-1] > values[-2] > 0.6

    def test_members_at_once_are_members_one_by_one(self):
        for graph in (load_network("sachs").graph, load_network("child").graph, load_network("asia").graph):
            members = Members.of(graph.to_cpdag(), 1000, 0)
            names = graph.nodes[:6]
            for u, v in permutations(names, 2):
                for relation in ("direct", "ancestor", "not_ancestor", "no_edge", "before", "latent"):
                    claim = Claim(u, v, relation)
                    one = [claim.holds_in(members.member(k)) for k in range(0, len(members.forward), 7)]
                    assert holds_in_members(claim, members)[::7].tolist() == one

    def test_claims_on_large_classes_are_quick(self):
        d = 12
        clique = CausalGraph.from_adjacency(
            np.triu(np.ones((d, d)), 1).astype(int), [f"x{k}" for k in range(d)]
        )
        posterior, start = ClassPosterior(clique.to_cpdag(), GOOD), time.perf_counter()
        for k in range(5):
            posterior = posterior.weighed(
                holds_in_members(Claim("x0", f"x{k + 1}", "ancestor"), posterior.members), 0.9
            )
        assert time.perf_counter() - start < 20
        assert posterior.probability("x0", "x1") > 0.7


class TestReceipts:
    def test_claims_are_not_data(self):
        session = GraphBuilder(
            list("AB"),
            expert=says(set()),
            graph=P("A --- B", kind="CPDAG"),
            reliability=GOOD,
            claims=[Claim("A", "B", "direct", 0.99, "Dr. X")],
        )
        session.run()
        text = session.explain("A", "B")
        assert "data: A --- B\n" in text
        assert "claims: A -> B" in text
        assert "Dr. X" in text

    def test_unsure_claims_are_named(self):
        session = GraphBuilder(
            list("AB"),
            expert=says(set()),
            graph=P("A --- B", kind="CPDAG"),
            reliability=GOOD,
            claims=[Claim("A", "B", "direct", 0.9, "Dr. Y")],
        )
        edge = session.run().graph.edges[0]
        assert edge.data["source"] == "data: an edge; claims: its direction"
        assert "Dr. Y" in edge.data["note"]
        assert "Dr. Y" in session.explain("A", "B")

    def test_reasons_are_shown_and_cannot_pass_for_receipts(self):
        forged = "because\ndata: A -> B (test, p = 1e-30) <b>| x"
        session = GraphBuilder(
            list("AB"), expert=says({("A", "B")}, forged), graph=P("A --- B", kind="CPDAG"), reliability=GOOD
        )
        result = session.run()
        assert sum(line.startswith("data:") for line in session.explain("A", "B").splitlines()) == 1
        for report in (result.to_markdown(), result.to_html()):
            assert "because" in report
            assert "<b>" not in report
        assert "because" in result.to_review_sheet()

    def test_answers_of_children_are_counted_as_asked(self):
        answers = [
            Answer(Question("children", ("A",), k), arrows=(("A", "B"),) if k else (), expert="x")
            for k in range(3)
        ]
        votes = count_votes(answers, ["A", "B", "C"])
        assert (votes.claimed[0, 1], votes.asked[0, 1], votes.asked[1, 0]) == (2, 3, 0)


class TestConflicts:
    def test_answers_that_cannot_stand_together(self):
        graph = P("A --- B; B --- C", kind="CPDAG")
        result = GraphBuilder(
            list("ABC"),
            expert=says({("A", "B"), ("C", "B")}),
            graph=graph,
            reliability=Reliability(0.85, 0.15),
            confidence=0.8,
        ).run()
        assert result.conflicts
        assert {c.decision for c in result.conflicts} <= {"left open", "B -> A", "B -> C"}

    def test_neither_is_against_an_edge(self):
        class Neither:
            name = "neither"

            def answer(self, questions):
                return [Answer(q, "none", expert="neither", origin="simulated") for q in questions]

            def estimate(self, questions):
                from causalkit.llm_causal import Usage

                return Usage()

        result = GraphBuilder(
            list("AB"), expert=Neither(), graph=P("A --- B", kind="CPDAG"), reliability=GOOD
        ).run()
        assert "neither" in result.conflicts[0].expert

    def test_a_weak_expert_is_not_asked_and_that_is_said(self):
        truth = load_network("sachs").graph
        result = GraphBuilder(
            truth.nodes,
            expert=OracleExpert(truth),
            graph=truth.to_cpdag(),
            reliability=Reliability(0.55, 0.45),
        ).run()
        assert not result.answers
        assert any("nothing was asked" in note for note in result.notes)


class TestOrderOfVariables:
    def test_ties_go_nowhere(self):
        for names in (["A", "B"], ["B", "A"]):
            answer = Answer(Question("direct", ("A", "B")), "both", expert="x")
            graph, dropped = count_votes([answer], names).graph()
            assert graph.n_edges == 0
            assert dropped == [("A", "B")]

    def test_cycles_lose_the_same_arrow(self):
        arrows = [("A", "B"), ("B", "C"), ("C", "A")]
        answers = [Answer(Question("direct", pair), "forward", expert="x") for pair in arrows]
        lost = {str(sorted(count_votes(answers, list(names)).graph()[1])) for names in permutations("ABC")}
        assert len(lost) == 1

    @pytest.mark.parametrize("names", [["A", "B"], ["B", "A"]])
    def test_nothing_known_is_no_direction(self, names):
        graph = P("A --- B", kind="CPDAG").reorder(names)
        result = GraphBuilder(names, expert=says(set()), graph=graph, reliability=GOOD, confidence=0.5).run()
        assert result.graph.edge_between("A", "B") == "---"

    def test_the_unit_of_a_target_does_not_matter(self):
        graph, asked = P("A --- B; B --- C", kind="CPDAG"), []
        for unit in (1e-7, 1.0, 1e9):
            result = GraphBuilder(
                list("ABC"),
                expert=says({("A", "B"), ("B", "C")}),
                graph=graph,
                reliability=GOOD,
                target=lambda g, unit=unit: unit * float(g.has_directed_edge("A", "B")),
            ).run()
            asked.append([a.question.variables for a in result.answers])
        assert asked[0] == asked[1] == asked[2] != []


class TestSecrets:
    KEY = "sk-planted-0123456789a"

    def test_addresses_and_headers_with_secrets_are_refused(self):
        pytest.importorskip("openai")
        with pytest.raises(ParameterError, match="password"):
            ChatExpert("m", base_url=f"http://user:{self.KEY}@127.0.0.1:1/v1")
        with pytest.raises(ParameterError, match="extra_headers"):
            ChatExpert("m", request_options={"extra_headers": {"x": self.KEY}})
        with pytest.raises(ParameterError, match="no such name") as caught:
            ChatExpert("m", api_key_env=self.KEY)
        assert self.KEY not in str(caught.value)

    def test_a_key_that_comes_back_is_taken_out(self, monkeypatch, tmp_path):
        pytest.importorskip("openai")
        from tests.llm_causal.server import Fails, Script, serving, text

        monkeypatch.setenv("A_KEY", self.KEY)
        reply = json.dumps({"reasoning": f"your key is {self.KEY}", "answer": "A", "confidence": 1})
        with serving(Script(text(reply))) as url:
            expert = ChatExpert("m", base_url=url, api_key_env="A_KEY", cache=tmp_path / "c.sqlite")
            session = GraphBuilder(
                list("AB"), expert=expert, strategy="pairwise", transcript=tmp_path / "t.jsonl"
            )
            result = session.run()
        result.save(tmp_path / "r.html")
        result.save(tmp_path / "r.md")
        result.save(tmp_path / "r.csv")
        (tmp_path / "g.json").write_text(result.graph.to_json())
        for file in tmp_path.iterdir():
            assert self.KEY.encode() not in file.read_bytes(), file
        long = json.dumps({"error": {"message": "x" * 460 + self.KEY}})
        with serving(Script(Fails(401, body=long))) as url:
            expert = ChatExpert("m", base_url=url, api_key_env="A_KEY")
            with pytest.raises(ExpertError) as caught:
                expert.answer([Question("orient", ("A", "B"))])
        assert self.KEY[:12] not in str(caught.value)

    def test_an_unset_key_is_said(self, monkeypatch):
        pytest.importorskip("openai")
        from tests.llm_causal.server import Fails, Script, serving

        monkeypatch.delenv("NO_SUCH_KEY", raising=False)
        with (
            serving(Script(Fails(401))) as url,
            pytest.raises(ExpertError, match="NO_SUCH_KEY, which is not set"),
        ):
            ChatExpert("m", base_url=url, api_key_env="NO_SUCH_KEY").answer([Question("orient", ("A", "B"))])


class TestSheets:
    def test_reviews_take_what_sheets_of_questions_take(self, tmp_path):
        sheet = tmp_path / "r.csv"
        sheet.write_text("u,v,verdict,comment\nA,B,→,as in the book\nB,C,←,\n", encoding="utf-8")
        first, second = read_review_sheet(sheet)
        assert (str(first), first.rationale) == ("A causes B directly", "as in the book")
        assert str(second) == "C causes B directly"
        for row in ("A,A,->,", "A,,->,"):
            sheet.write_text(f"u,v,verdict,comment\n{row}\n", encoding="utf-8")
            with pytest.raises(DataError, match="line 2"):
                read_review_sheet(sheet)

    def test_people_are_asked_once(self, tmp_path):
        truth = P("A -> C; B -> C; C -> D")
        sheet = tmp_path / "q.csv"
        GraphBuilder(truth.nodes, expert=HumanExpert(sheet), graph=truth.to_cpdag()).run()
        rows = pd.read_csv(sheet, dtype=str, keep_default_na=False)
        assert len(rows) == len(rows[["u", "v"]].drop_duplicates())

    def test_a_sheet_holds_pairs(self, tmp_path):
        with pytest.raises(ParameterError, match="strategy='pairwise'"):
            GraphBuilder(list("AB"), expert=HumanExpert(tmp_path / "q.csv")).run()


class TestTranscripts:
    def test_two_in_one_file(self, tmp_path):
        path = tmp_path / "t.jsonl"
        GraphBuilder(list("AB"), expert=OracleExpert(P("A -> B")), strategy="pairwise", transcript=path).run()
        path.write_text(path.read_text() * 2)
        with pytest.raises(DataError, match="another transcript"):
            ReplayExpert(path)
        path.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(DataError, match="no transcript"):
            ReplayExpert(path)

    def test_a_full_disk_is_said(self, tmp_path):
        path = tmp_path / "t.jsonl"
        transcript = Transcript(as_variables(["A", "B"]), path)
        path.unlink()
        path.mkdir()
        with pytest.raises(DataError, match="cannot be written"):
            transcript.add(Answer(Question("direct", ("A", "B")), "forward"), "x")
        assert len(transcript.answers) == 1


def test_names_that_are_no_nodes():
    with pytest.raises(ParameterError, match="'X', which is not among"):
        robustness_card(["A", "B"], [("A", "X")], expert=OracleExpert(P("A -> B")))
    with pytest.raises(ParameterError, match="'X', which is no node"):
        KnowledgeBase([Claim("A", "X", "direct")]).log_odds(["A", "B"])
