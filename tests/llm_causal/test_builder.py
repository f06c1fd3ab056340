"""Building graphs: from a class, from data, from names; with experts who are right, wrong, silent, expensive, or not there."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from causalkit import CausalGraph
from causalkit.datasets import load_network
from causalkit.discovery import PC
from causalkit.evaluation import shd
from causalkit.exceptions import DataError, NodeNotFoundError, ParameterError
from causalkit.llm_causal import (
    Answer,
    Budget,
    Claim,
    ExpertNoise,
    GraphBuilder,
    HumanExpert,
    LocalExpert,
    OracleExpert,
    Question,
    Reliability,
    ReplayExpert,
    claims_of_graph,
    from_callable,
    read_review_sheet,
    robustness_card,
    suggest_variables,
)

GOOD = Reliability(0.9, 0.05)
NETWORKS = ("asia", "sachs", "child", "insurance", "alarm")


def session(network="asia", noise=0.0, **settings):
    truth = load_network(network).graph
    expert = settings.pop("expert", None) or OracleExpert(
        truth, noise, persistence=settings.pop("persistence", 1.0)
    )
    return truth, GraphBuilder(truth.nodes, expert=expert, graph=truth.to_cpdag(), **settings)


class TestPolicies:
    @pytest.mark.parametrize("policy", ["data_first", "bayes", "expert_first"])
    @pytest.mark.parametrize("network", NETWORKS)
    def test_a_perfect_expert_finds_the_graph(self, network, policy):
        truth, builder = session(network, policy=policy, reliability=Reliability(0.99, 0.01))
        result = builder.run()
        assert shd(result.graph, truth) == 0
        assert (result.complete, result.conflicts) == (True, ())
        assert all(
            result.probabilities[e.u, e.v] > 0.9 for e in truth.edges if truth.has_directed_edge(e.u, e.v)
        )

    @pytest.mark.parametrize("network", NETWORKS)
    def test_data_first_stays_in_the_class(self, network):
        truth, builder = session(network, ExpertNoise.coin(), reliability=GOOD, confidence=0.5)
        found = builder.run().graph
        assert found.to_dag().to_cpdag().equals(truth.to_cpdag())

    def test_calls_are_few(self):
        """At most one question per open edge of the class."""
        for network, most in zip(NETWORKS, (3, 17, 12, 18, 4), strict=True):
            _, builder = session(network, ExpertNoise.gpt4_2023(), reliability=Reliability(0.73, 0.10, 1.0))
            assert builder.run().ledger.total.calls <= most

    def test_each_policy_decides_and_every_policy_tells(self):
        """The expert says B -> A against a collider of the data."""
        graph = CausalGraph.parse("A -> B; C -> B", kind="CPDAG")
        wrong = OracleExpert(CausalGraph.parse("B -> A; C -> B"))
        for policy, arrow, words in (
            ("data_first", "->", "data come first"),
            ("expert_first", "<-", "the expert comes first"),
        ):
            result = GraphBuilder(
                "ABC"[:0] or ["A", "B", "C"], expert=wrong, graph=graph, policy=policy, reliability=GOOD
            ).run()
            if policy == "data_first":
                assert result.conflicts == ()
                result = GraphBuilder(["A", "B", "C"], expert=wrong, graph=graph, policy=policy).run()
            assert result.graph.edge_between("A", "B") == arrow
            (conflict,) = result.conflicts
            assert conflict.why == words
            assert "2 for B -> A" in conflict.expert or "2 answers for B -> A" in conflict.expert

    def test_bayes_weighs_how_sure_the_data_are(self):
        graph = CausalGraph.parse("A -> B; C -> B", kind="CPDAG")

        class Model:
            def __init__(self, sure):
                self.graph_ = graph
                self.orientation_ = {("A", "B"): _receipt(sure), ("C", "B"): _receipt(0.99)}

        wrong = OracleExpert(CausalGraph.parse("B -> A; C -> B"))
        for sure, arrow in ((0.6, "<-"), (0.995, "->")):
            result = GraphBuilder(
                ["A", "B", "C"], expert=wrong, discovery=Model(sure), policy="bayes", reliability=GOOD
            ).run()
            assert result.graph.edge_between("A", "B") == arrow

    def test_order_of_columns_does_not_matter(self):
        truth = load_network("child").graph
        graphs = []
        for nodes in (truth.nodes, truth.nodes[::-1]):
            expert = OracleExpert(truth, ExpertNoise.gpt4_2023(), persistence=0.8)
            graphs.append(
                GraphBuilder(nodes, expert=expert, graph=truth.reorder(nodes).to_cpdag()).run().graph
            )
        assert (
            graphs[0].equals(graphs[1].reorder(graphs[0].nodes))
            or shd(graphs[0], graphs[1].reorder(graphs[0].nodes)) <= 2
        )


def _receipt(confidence):
    from causalkit.discovery import Receipt

    return Receipt("collider", "by a test", confidence=confidence)


class TestExam:
    def test_a_coin_is_refused_and_told_so(self):
        truth = load_network("alarm").graph
        expert = OracleExpert(truth, ExpertNoise.coin(), persistence=1.0, rng=1)
        result = GraphBuilder(truth.nodes, expert=expert, graph=truth.to_cpdag()).run()
        assert result.exam.verdict == "refused"
        assert not result.complete
        assert "better than a coin" in result.notes[0]
        assert result.graph.to_cpdag().equals(truth.to_cpdag()) if result.graph.kind == "CPDAG" else True
        assert [e.is_undirected for e in result.graph.edges].count(True) == 4

    def test_an_expert_who_always_says_yes(self):
        def first(messages):
            return json.dumps({"reasoning": "", "answer": "A", "confidence": 1.0})

        truth = load_network("alarm").graph
        result = GraphBuilder(truth.nodes, expert=from_callable(first), graph=truth.to_cpdag()).run()
        assert result.exam.verdict == "refused"

    def test_the_exam_does_not_give_answers_away(self):
        asked = []

        class Spy(OracleExpert):
            def answer(self, questions):
                asked.extend(questions)
                return super().answer(questions)

        truth = load_network("alarm").graph
        GraphBuilder(truth.nodes, expert=Spy(truth), graph=truth.to_cpdag()).run()
        assert all(q.variables == tuple(sorted(q.variables)) for q in asked)
        assert {q.kind for q in asked} == {"orient"}


class TestBadExperts:
    def test_prose(self):
        truth, builder = session(
            "asia", expert=from_callable(lambda _: "I believe that smoking is bad."), reliability=GOOD
        )
        result = builder.run()
        assert {a.status for a in result.answers} == {"invalid"}
        assert result.ledger.total.calls == 2 * len(result.answers) <= 6
        assert "have no answer" in result.notes[-1]
        assert [e.is_undirected for e in result.graph.edges].count(True) == 3
        assert truth.n_edges == result.graph.n_edges

    def test_a_budget_that_is_spent_flags_the_result(self):
        _, builder = session("child", reliability=GOOD, budget=Budget(calls=2))
        result = builder.run()
        assert (result.ledger.total.calls, result.complete) == (2, False)
        assert "The budget was spent" in " ".join(result.notes)
        assert result.open.edges
        assert result.open.estimate.calls == len(result.open.edges)

    def test_contradictory_answers_are_conflicts(self):
        """Who says that b causes a and c, and also that it is caused by both, cannot be right in a class without that collider."""
        graph = CausalGraph.parse("A --- B; B --- C", kind="CPDAG")

        class Collider(OracleExpert):
            def answer(self, questions):
                said = {frozenset("AB"): ("A", "B"), frozenset("BC"): ("C", "B")}
                return [
                    Answer(
                        q,
                        "forward" if q.variables == said[q.pair] else "backward",
                        expert="c",
                        origin="scripted",
                    )
                    for q in questions
                ]

        expert = Collider(CausalGraph.parse("A -> B; C -> B"))
        result = GraphBuilder(
            ["A", "B", "C"],
            expert=expert,
            graph=graph,
            reliability=Reliability(0.8, 0.2),
            confidence=0.5,
            policy="data_first",
        ).run()
        assert result.graph.to_dag().unshielded_colliders() == ()

    def test_two_hundred_variables_need_a_budget(self):
        names = [f"v{k}" for k in range(200)]
        expert = OracleExpert(CausalGraph.parse("; ".join(names)))
        with pytest.raises(ParameterError, match="19900 questions, 19900 calls and about 7363000 tokens"):
            GraphBuilder(names, expert=expert, strategy="pairwise").run()
        usage = GraphBuilder(names, expert=expert).estimate()
        assert usage.calls == 3 + 3 * 200
        with pytest.raises(ParameterError, match="603 questions"):
            GraphBuilder(names, expert=expert).run()
        assert GraphBuilder(names, expert=expert, samples=1).estimate().calls == 1


class TestNames:
    def test_from_names(self):
        truth = CausalGraph.parse("A -> B; B -> C; D")
        for strategy in ("graph", "children", "pairwise", "triplet"):
            result = GraphBuilder(truth.nodes, expert=OracleExpert(truth), strategy=strategy).run()
            assert result.graph.equals(truth) or str(result.graph) == str(truth), strategy
            assert "not calibrated" in result.notes[0]
            assert all(e.data["source"] == "expert" for e in result.graph.edges)

    def test_disputed_pairs_are_asked_again(self):
        replies = iter(
            [
                '{"reasoning": "", "edges": [{"cause": "V1", "effect": "V2", "confidence": 1}]}',
                '{"reasoning": "", "edges": []}',
            ]
        )
        asked = []

        def model(messages):
            asked.append(messages)
            return next(replies, '{"reasoning": "", "answer": "A", "confidence": 1}')

        result = GraphBuilder(["A", "B"], expert=from_callable(model), samples=2).run()
        assert set(result.ledger.entries) == {"graph", "disputed pairs"}
        assert len(asked) == 4


class TestData:
    def frame(self, n=800):
        rng = np.random.default_rng(0)
        a = rng.normal(size=n)
        b = a + rng.normal(size=n)
        c = b + rng.normal(size=n)
        return pd.DataFrame({"a": a, "b": b, "c": c})

    def test_data_and_answers(self):
        truth = CausalGraph.parse("a -> b; b -> c")
        builder = GraphBuilder(truth.nodes, expert=OracleExpert(truth), data=self.frame(), reliability=GOOD)
        result = builder.run()
        assert str(result.graph) == "a -> b; b -> c"
        text = builder.explain("a", "b")
        assert "data: a --- b" in text
        assert "oracle (simulated" in text
        assert builder.explain("a", "c").startswith("no edge between a and c")

    def test_a_search_of_ones_own(self):
        truth = CausalGraph.parse("a -> b; b -> c")
        fitted = PC().fit(self.frame())
        result = GraphBuilder(
            truth.nodes, expert=OracleExpert(truth), discovery=fitted, reliability=GOOD
        ).run()
        assert str(result.graph) == "a -> b; b -> c"

    def test_labels_are_tested_as_labels(self):
        rng = np.random.default_rng(0)
        a = rng.integers(0, 2, 600)
        b = np.where(rng.random(600) < 0.85, a, 1 - a)
        frame = pd.DataFrame({"a": np.array(["no", "yes"])[a], "b": np.array(["no", "yes"])[b]})
        result = GraphBuilder(
            ["a", "b"], expert=OracleExpert(CausalGraph.parse("a -> b")), data=frame, reliability=GOOD
        ).run()
        assert str(result.graph) == "a -> b"

    def test_no_row_leaves_the_house(self):
        seen = []

        def model(messages):
            seen.append(json.dumps(messages))
            return '{"reasoning": "", "answer": "A", "confidence": 1}'

        frame = self.frame().round(5)
        GraphBuilder(frame.columns, expert=from_callable(model), data=frame, reliability=GOOD).run()
        assert seen
        assert not any(str(value) in text for text in seen for value in frame.to_numpy().ravel()[:300])

    def test_bad(self):
        expert = OracleExpert(CausalGraph.parse("a -> b"))
        with pytest.raises(ParameterError, match="no column 'z'"):
            GraphBuilder(["a", "z"], expert=expert, data=self.frame()).run()
        with pytest.raises(ParameterError, match="no node 'z'"):
            GraphBuilder(["a", "z"], expert=expert, graph=CausalGraph.parse("a -> b")).run()
        with pytest.raises(ParameterError, match="both given"):
            GraphBuilder(["a", "b"], expert=expert, data=self.frame(), graph=CausalGraph.parse("a -> b"))
        with pytest.raises(ParameterError, match="policy"):
            GraphBuilder(["a", "b"], expert=expert, policy="vote")
        with pytest.raises(ParameterError, match="call run"):
            GraphBuilder(["a", "b"], expert=expert).explain("a", "b")


class TestClaims:
    def test_claims_are_used_before_anything_is_asked(self):
        truth = load_network("asia").graph
        claims = claims_of_graph(truth, source="a book")
        result = GraphBuilder(
            truth.nodes, expert=OracleExpert(truth), graph=truth.to_cpdag(), claims=claims, reliability=GOOD
        ).run()
        assert (shd(result.graph, truth), result.ledger.total.calls) == (0, 0)
        assert result.graph.edges[0].data["note"] == "follows from claims (a book)"

    def test_claims_against_the_class_are_conflicts(self):
        graph = CausalGraph.parse("A -> B; C -> B; B -> D", kind="CPDAG")
        claims = [
            Claim("B", "A", "direct", source="x"),
            Claim("D", "B", "ancestor", 0.6, source="y"),
            Claim("A", "D", "ancestor", source="z"),
        ]
        result = GraphBuilder(
            graph.nodes,
            expert=OracleExpert(CausalGraph.parse("A; B; C; D")),
            graph=graph,
            claims=claims,
            reliability=GOOD,
        ).run()
        assert {c.expert for c in result.conflicts} == {"B causes A directly (x)"}
        assert result.graph.equals(graph) or str(result.graph) == str(graph)


class TestReceipts:
    def test_a_transcript_builds_the_same_graph(self, tmp_path):
        truth = load_network("child").graph
        live = GraphBuilder(
            truth.nodes,
            expert=OracleExpert(truth, ExpertNoise.gpt4_2023(), persistence=0.8),
            graph=truth.to_cpdag(),
            transcript=tmp_path / "t.jsonl",
        ).run()
        again = GraphBuilder(
            truth.nodes, expert=ReplayExpert(tmp_path / "t.jsonl"), graph=truth.to_cpdag()
        ).run()
        assert again.graph.to_json() == live.graph.to_json()
        assert again.to_markdown() == live.to_markdown()

    @pytest.mark.parametrize("budget", [None, Budget(calls=2), Budget(calls=1000)])
    @pytest.mark.parametrize("policy", ["data_first", "bayes"])
    def test_a_run_that_ended_for_lack_of_budget_is_replayed_to_the_same_end(self, tmp_path, budget, policy):
        truth = load_network("child").graph
        path = tmp_path / "t.jsonl"
        options = {"graph": truth.to_cpdag(), "reliability": GOOD, "policy": policy}
        before = GraphBuilder(
            truth.nodes, expert=OracleExpert(truth), transcript=path, budget=Budget(calls=2), **options
        ).run()
        after = GraphBuilder(truth.nodes, expert=ReplayExpert(path), budget=budget, **options).run()
        assert not before.complete
        assert not after.complete
        assert after.graph.to_json() == before.graph.to_json()
        assert after.notes == before.notes

    def test_review_sheets_come_back_as_claims(self, tmp_path):
        truth, builder = session("asia", reliability=Reliability(0.5, 0.25, 1.0), max_questions=1)
        sheet = builder.run().save(tmp_path / "review.csv")
        rows = pd.read_csv(sheet, dtype=str, keep_default_na=False)
        assert not rows["verdict"].any()
        open_rows = rows["edge"] == "---"
        rows.loc[open_rows, "verdict"] = [
            "->" if truth.has_directed_edge(u, v) else "<-"
            for u, v in rows.loc[open_rows, ["u", "v"]].to_numpy()
        ]
        rows.to_csv(sheet, index=False)
        claims = read_review_sheet(sheet, source="Dr. Ito")
        again = GraphBuilder(
            truth.nodes, expert=OracleExpert(truth), graph=truth.to_cpdag(), claims=claims, reliability=GOOD
        ).run()
        assert shd(again.graph, truth) == 0
        rows["verdict"] = "yes"
        rows.to_csv(sheet, index=False)
        with pytest.raises(DataError, match="line 2: 'yes' is no verdict"):
            read_review_sheet(sheet)

    def test_dagitty_there_and_back(self):
        truth, builder = session("asia", reliability=Reliability(0.99, 0.01))
        drawn = CausalGraph.from_dagitty(builder.run().graph.to_dagitty())
        assert {(c.subject, c.object) for c in claims_of_graph(drawn, source="web")} == {
            (u, v) for u in truth.nodes for v in truth.children(u)
        }

    def test_words_of_experts_are_shown_as_text(self, tmp_path):
        bad = "<script>alert(1)</script> | =cmd()"
        names = ["=cmd", "B"]

        def model(messages):
            return json.dumps({"reasoning": bad, "answer": "A", "confidence": 1})

        builder = GraphBuilder(
            names,
            expert=from_callable(model, name=bad),
            graph=CausalGraph.parse('"=cmd" --- B', kind="CPDAG"),
            reliability=GOOD,
        )
        result = builder.run()
        page = result.save(tmp_path / "r.html").read_text()
        assert "<script>" not in page
        assert "'=cmd" in result.to_review_sheet()
        with pytest.raises(ParameterError, match="must end in"):
            result.save(tmp_path / "r.docx")

    def test_tables(self):
        _, builder = session("asia", reliability=GOOD)
        result = builder.run()
        assert list(result.edge_table()["from"])[:1] == ["asia"]
        assert result.conflict_table().empty
        with pytest.raises(NodeNotFoundError):
            builder.explain("asia", "nobody")


class TestPeople:
    def test_a_sheet_is_written_filled_in_and_read(self, tmp_path):
        sheet = tmp_path / "q.csv"
        truth, builder = session("asia", expert=HumanExpert(sheet, "Dr. Ito"), reliability=GOOD)
        first = builder.run()
        assert (first.complete, first.graph.n_edges) == (False, truth.n_edges)
        rows = pd.read_csv(sheet)
        assert len(rows) == 3
        rows["verdict"] = [
            "->" if truth.has_directed_edge(u, v) else "<-" for u, v in rows[["u", "v"]].to_numpy()
        ]
        rows.to_csv(sheet, index=False)
        second = session("asia", expert=HumanExpert(sheet, "Dr. Ito"), reliability=GOOD)[1].run()
        assert (second.complete, shd(second.graph, truth)) == (True, 0)
        rows["verdict"] = "perhaps"
        rows.to_csv(sheet, index=False)
        with pytest.raises(DataError, match="'perhaps' is no verdict"):
            session("asia", expert=HumanExpert(sheet), reliability=GOOD)[1].run()

    def test_only_pairs(self, tmp_path):
        with pytest.raises(ParameterError, match="questions about pairs"):
            HumanExpert(tmp_path / "q.csv").answer([Question("graph")])


class TestSuggestions:
    GRAPH = CausalGraph.parse("z -> x; x -> m; m -> y; c -> x; c -> y; w")

    def suggest(self, name, role):
        reply = json.dumps({"reasoning": "", "proposals": [{"name": name, "rationale": "why"}]})
        (found,) = suggest_variables(
            self.GRAPH.nodes, "x", "y", expert=from_callable(lambda _: reply), graph=self.GRAPH, roles=[role]
        )
        return found

    @pytest.mark.parametrize(
        ("name", "role", "verdict"),
        [
            ("z", "instrument", "fits the graph"),
            ("c", "instrument", "contradicts the graph"),
            ("w", "instrument", "contradicts the graph"),
            ("C", "latent", "fits the graph"),
            ("z", "latent", "fits the graph"),
            ("m", "latent", "contradicts the graph"),
            ("m", "mediator", "fits the graph"),
            ("c", "mediator", "contradicts the graph"),
            ("w", "negative_control", "fits the graph"),
            ("m", "negative_control", "contradicts the graph"),
            ("weather", "instrument", "not in the graph"),
            ("x", "latent", "contradicts the graph"),
        ],
    )
    def test_the_graph_judges(self, name, role, verdict):
        assert self.suggest(name, role).verdict == verdict

    def test_a_hidden_cause_makes_a_variant(self):
        variant = self.suggest("stress", "latent").variant
        assert "x <-> y" in str(variant)
        assert self.GRAPH.n_edges + 1 == variant.n_edges


class TestRobustness:
    """An expert made of names: it knows that rain makes wet, and nothing else."""

    GRAPH = CausalGraph.parse("rain -> wet; fire -> smoke")

    @staticmethod
    def knows_names(messages):
        content = messages[1]["content"]
        listed = json.loads(content.split("Variables:\n")[1].split("\n\n")[0])
        ids = {v["name"]: k for k, v in listed.items()}
        for cause, effect in (("rain", "wet"), ("fire", "smoke")):
            if {cause, effect} <= set(ids):
                letter = next(
                    line[0]
                    for line in content.splitlines()
                    if line[1:3] == ". " and line[3:].startswith(ids[cause]) and line.endswith(ids[effect])
                )
                return json.dumps({"reasoning": "", "answer": letter, "confidence": 1})
        return json.dumps({"reasoning": "", "answer": "E", "confidence": 1})

    def test_who_judges_by_names(self):
        card = robustness_card(
            self.GRAPH.nodes,
            [("rain", "wet"), ("smoke", "fire")],
            expert=from_callable(self.knows_names),
            graph=self.GRAPH,
        )
        rows = {row.condition: row for row in card.rows}
        assert (
            rows["plain"].accuracy,
            rows["other order of the pair"].agreement,
            rows["other words (1)"].agreement,
        ) == (1, 1, 1)
        assert rows["ids only"].named == 0
        assert (rows["names exchanged"].named, rows["names exchanged"].accuracy) != (1, 1)
        assert "ids only" in card.to_markdown()

    def test_who_recites_the_structure(self):
        card = robustness_card(
            self.GRAPH.nodes, [("rain", "wet")], expert=OracleExpert(self.GRAPH), graph=self.GRAPH
        )
        assert {row.accuracy for row in card.rows} == {1.0}
        with pytest.raises(ParameterError, match="no pairs"):
            robustness_card(self.GRAPH.nodes, [], expert=OracleExpert(self.GRAPH))


class TestLocal:
    """A tiny transformer of random weights: scores are right, and knowledge is not there."""

    @pytest.fixture
    def model(self):
        torch = pytest.importorskip("torch")
        torch.manual_seed(0)

        class Network(torch.nn.Module):
            """Two causal layers over bytes, as a configuration would build them."""

            def __init__(self):
                super().__init__()
                self.tokens, self.places = torch.nn.Embedding(300, 32), torch.nn.Embedding(2048, 32)
                layer = torch.nn.TransformerEncoderLayer(32, 2, 64, dropout=0.0, batch_first=True)
                self.layers = torch.nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
                self.head = torch.nn.Linear(32, 300)

            def forward(self, input_ids, attention_mask=None):
                length = input_ids.shape[1]
                later = torch.ones(length, length, dtype=torch.bool).triu(1)
                padding = None if attention_mask is None else attention_mask == 0
                hidden = self.tokens(input_ids) + self.places(torch.arange(length))
                return SimpleNamespace(
                    logits=self.head(self.layers(hidden, mask=later, src_key_padding_mask=padding))
                )

        class Bytes:
            """One token per byte."""

            def __call__(self, text, add_special_tokens):
                return {"input_ids": [256] * add_special_tokens + list(text.encode())}

        return Network().eval(), Bytes()

    def test_scores_are_those_of_a_forward_pass(self, model):
        torch = pytest.importorskip("torch")
        network, tokenizer = model
        question = Question("direct", ("A", "B"), given=())
        for batch_size in (1, 3, 8):
            expert = LocalExpert(network, tokenizer, batch_size=batch_size)
            (answer,) = expert.answer([question])
            logs = []
            for start, option in expert._pieces(expert._prompt(question)):
                with torch.no_grad():
                    out = torch.log_softmax(
                        network(torch.tensor([start + option])).logits.double()[0], dim=-1
                    )
                logs.append(sum(float(out[len(start) + t - 1, token]) for t, token in enumerate(option)))
            expected = np.exp(logs) / np.exp(logs).sum()
            np.testing.assert_allclose(list(answer.probabilities.values()), expected, rtol=1e-4)
            assert sum(answer.probabilities.values()) == pytest.approx(1)

    def test_a_model_of_transformers_built_from_a_configuration(self):
        """Its own tokenizer, its own attention mask; scores are those of one token after the other."""
        torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers

        torch.manual_seed(1)
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        words = Tokenizer(models.BPE(vocab={c: k for k, c in enumerate(alphabet)}, merges=[]))
        words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        words.decoder = decoders.ByteLevel()
        tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words)
        config = transformers.GPT2Config(
            vocab_size=len(alphabet), n_positions=3000, n_embd=16, n_layer=2, n_head=2
        )
        network = transformers.GPT2LMHeadModel(config).eval()
        expert = LocalExpert(network, tokenizer, batch_size=5)
        first, second = expert.answer([Question("orient", ("A", "B")), Question("direct", ("smoke", "fire"))])
        for answer in (first, second):
            logs = []
            for start, option in expert._pieces(expert._prompt(answer.question)):
                ids, total = list(start), 0.0
                for token in option:
                    with torch.inference_mode():
                        out = torch.log_softmax(network(torch.tensor([ids])).logits[0, -1].double(), dim=-1)
                    total += float(out[token])
                    ids.append(token)
                logs.append(total)
            expected = np.exp(np.array(logs) - max(logs))
            np.testing.assert_allclose(
                list(answer.probabilities.values()), expected / expected.sum(), rtol=1e-3
            )

    def test_random_weights_know_nothing(self, model):
        truth = CausalGraph.parse("; ".join(f"u{k} -> w{k}" for k in range(60)))
        asked = [Question("orient", (f"u{k}", f"w{k}") if k % 2 else (f"w{k}", f"u{k}")) for k in range(60)]
        answers = LocalExpert(*model).answer(asked)
        named = [a for a in answers if a.choice in ("forward", "backward")]
        right = sum(
            truth.has_directed_edge(
                *(a.question.variables if a.choice == "forward" else a.question.variables[::-1])
            )
            for a in named
        )
        assert abs(right - len(named) / 2) <= 3 * np.sqrt(max(len(named), 1) / 4)

    def test_questions_without_options(self, model):
        with pytest.raises(ParameterError, match="'graph' has none"):
            LocalExpert(*model).answer([Question("graph")])
