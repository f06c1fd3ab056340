"""Variables, questions, answers, budgets and transcripts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from causalkit import CausalGraph
from causalkit.exceptions import DataError, ParameterError
from causalkit.llm_causal import (
    Answer,
    Budget,
    OracleExpert,
    Proposal,
    Question,
    ReplayExpert,
    Transcript,
    Usage,
    Variable,
    as_variables,
    count_votes,
    questions_for,
    read_variables,
)
from causalkit.llm_causal._ledger import Meter

NAMES = ("A", "B", "C")


class TestVariables:
    @pytest.mark.parametrize(
        ("variables", "message"),
        [
            (["A"], "there are 1 variables"),
            ([], "there are 0 variables"),
            ("AB", "is the text"),
            (["A", "A"], "called 'A' and 'A'"),
            (["rain", "Rain "], "differ by more than case"),
            (["A", ""], "empty name"),
            (["A", "x" * 81], "at most 80"),
            ({"A": "y" * 501, "B": ""}, "at most 500"),
            (["A", "B\u200b"], r"U\+200B"),
            (["A", 3], "is text; got 3"),
            ([Variable("A", alias="x"), Variable("B", alias="X")], "called 'x' and 'X'"),
        ],
    )
    def test_bad(self, variables, message):
        with pytest.raises(ParameterError, match=message):
            as_variables(variables)

    def test_descriptions_are_one_line_of_what_readers_see(self):
        first, _ = as_variables({"A": "line\n  break,\tand a soft\u00ad hyphen\u200b", "B": ""})
        assert first.description == "line break, and a soft hyphen"

    @pytest.mark.parametrize(
        "text",
        [
            "A: first\nB: second\n",
            "variables:\n  - name: A\n    description: first\n  - {name: B, description: second}\n",
            '{"A": "first", "B": "second"}',
        ],
    )
    def test_files(self, tmp_path, text):
        path = tmp_path / ("v.json" if text.startswith("{") else "v.yaml")
        path.write_text(text)
        assert read_variables(path) == as_variables({"A": "first", "B": "second"})

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("3", "holds str"),
            ("- name: A\n  kind: x\n- B", "key 'kind'"),
            ("- [1]", "is expected"),
            ("a: [", "is not YAML"),
            ("A: one\nB: two\nA: three", "'A' twice"),
            ("- name:\n- B", "empty name"),
        ],
    )
    def test_bad_files(self, tmp_path, text, message):
        (tmp_path / "v.yaml").write_text(text)
        with pytest.raises(ParameterError, match=message):
            read_variables(tmp_path / "v.yaml")
        with pytest.raises(ParameterError, match="there is no file"):
            read_variables(tmp_path / "w.yaml")

    def test_files_hold_text(self, tmp_path):
        """YAML's other readers make False of NO, 2.5 of 2.50, and None of nothing."""
        path = tmp_path / "v.yaml"
        path.write_text(
            "NO: nitric oxide\non: 2.50\nlong: |\n  two\n  lines\nnothing:\nfull: {description: d, alias: x}\n"
        )
        found = {v.name: (v.description, v.alias) for v in read_variables(path)}
        assert found == {
            "NO": ("nitric oxide", ""),
            "on": ("2.50", ""),
            "long": ("two lines", ""),
            "nothing": ("", ""),
            "full": ("d", "x"),
        }
        path.write_bytes("A: Z\u00fcrich\nB: b\n".encode("latin-1"))
        with pytest.raises(ParameterError, match="UTF-8"):
            read_variables(path)
        (tmp_path / "v.json").write_text('{"A": "", "A": ""}')
        with pytest.raises(ParameterError, match="'A' twice"):
            read_variables(tmp_path / "v.json")


class TestQuestions:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"kind": "direct", "variables": ("A",)}, "about 2 different variables"),
            ({"kind": "direct", "variables": ("A", "A")}, "about 2 different variables"),
            ({"kind": "graph", "variables": ("A",)}, "about 0 different variables"),
            ({"kind": "why", "variables": ()}, "kind is 'why'"),
            ({"kind": "judge", "text": "?", "options": ("yes",)}, "two or more options"),
            ({"kind": "propose", "variables": ("A", "B"), "text": "friend"}, "'latent'"),
        ],
    )
    def test_bad(self, arguments, message):
        with pytest.raises(ParameterError, match=message):
            Question(**arguments)

    def test_answers_are_among_the_choices(self):
        with pytest.raises(ParameterError, match="'maybe' is no answer"):
            Answer(Question("direct", ("A", "B")), "maybe")
        with pytest.raises(ParameterError, match="None is no answer"):
            Answer(Question("direct", ("A", "B")))
        assert Answer(Question("direct", ("A", "B")), status="invalid").choice is None

    @given(st.sampled_from(["forward", "backward", "both", "none", "cannot_tell"]))
    def test_about_turns_with_the_pair(self, choice):
        answer = Answer(Question("direct", ("A", "B")), choice)
        turned = {"forward": "backward", "backward": "forward"}
        assert answer.about("A", "B") == choice
        assert answer.about("B", "A") == turned.get(choice, choice)
        assert answer.about("A", "C") is None

    def test_arrows_say_something_about_what_was_asked(self):
        whole = Answer(Question("graph"), arrows=(("A", "B"), ("C", "B"), ("B", "C")))
        assert [
            whole.about("A", "B"),
            whole.about("B", "A"),
            whole.about("B", "C"),
            whole.about("A", "C"),
        ] == [
            "forward",
            "backward",
            "both",
            "none",
        ]
        effects = Answer(Question("children", ("A",)), arrows=(("A", "B"),))
        assert (effects.about("A", "B"), effects.about("A", "C"), effects.about("B", "C")) == (
            "forward",
            None,
            None,
        )
        three = Answer(Question("triplet", NAMES), arrows=(("A", "B"),))
        assert (three.about("B", "C"), three.about("B", "D")) == ("none", None)

    def test_plain_data_and_back(self):
        answers = [
            Answer(
                Question("judge", text="é?", options=("yes", "no")),
                "no",
                probabilities={"no": 0.5},
                rationale="因果",
            ),
            Answer(Question("graph", sample=2), arrows=(("A", "B"),), usage=Usage(1, 2, 3, 0.5, True)),
            Answer(
                Question("propose", ("A", "B"), text="latent"), proposals=(Proposal("C", "latent", "why"),)
            ),
            Answer(Question("direct", ("A", "B")), status="invalid", problem="prose"),
        ]
        for answer in answers:
            assert Answer.from_dict(json.loads(json.dumps(answer.to_dict()))) == answer
        with pytest.raises(ParameterError, match="no answer of an expert"):
            Answer.from_dict({"question": {"kind": "direct"}})


class TestBudget:
    def test_no_more_than_is_allowed(self):
        expert = OracleExpert(CausalGraph.parse("A -> B; B -> C"))
        questions = [Question("orient", ("A", "B"), k) for k in range(10)]
        for budget, expected in ((Budget(calls=3), 3), (Budget(tokens=1000), 2), (Budget(calls=100), 10)):
            meter = Meter(expert, budget)
            answers = meter.ask(questions, "x")
            assert [a.status for a in answers] == ["answered"] * expected + ["missing"] * (10 - expected)
            assert meter.ledger.total.calls == expected
            assert bool(meter.spent_out) == (expected < 10)

    def test_time(self):
        now = [0.0]
        meter = Meter(OracleExpert(CausalGraph.parse("A -> B")), Budget(seconds=5), clock=lambda: now[0])
        assert meter.ask([Question("orient", ("A", "B"))], "x")[0].status == "answered"
        now[0] = 6
        assert meter.ask([Question("orient", ("A", "B"))], "x")[0].status == "missing"
        assert "time" in meter.spent_out

    @pytest.mark.parametrize("limits", [{"calls": 0}, {"tokens": -1}, {"cost": "1"}, {"seconds": True}])
    def test_bad(self, limits):
        with pytest.raises(ParameterError, match="must be a positive"):
            Budget(**limits)

    def test_ledger_as_a_table(self):
        meter = Meter(OracleExpert(CausalGraph.parse("A -> B")), Budget(calls=1))
        meter.ask([Question("orient", ("A", "B"), k) for k in range(2)], "exam")
        row = meter.ledger.to_pandas().loc["exam"]
        assert (row["questions"], row["calls"], row["missing"]) == (2, 1, 1)

    def test_experts_that_lose_answers(self):
        class Loses(OracleExpert):
            def answer(self, questions):
                return []

        with pytest.raises(ParameterError, match="gave 0 answers to 1 questions"):
            Meter(Loses(CausalGraph.parse("A -> B")), Budget()).ask([Question("orient", ("A", "B"))], "x")


class TestTranscript:
    def fill(self, path, graph="A -> B; B -> C"):
        expert = OracleExpert(CausalGraph.parse(graph))
        transcript = Transcript(as_variables(NAMES), path)
        for answer in expert.answer([Question("orient", ("A", "B")), Question("graph")]):
            transcript.add(answer, "test")
        return transcript

    def test_replay(self, tmp_path):
        transcript = self.fill(tmp_path / "t.jsonl")
        replay = ReplayExpert(tmp_path / "t.jsonl")
        assert replay.answer([a.question for a in transcript.answers]) == transcript.answers
        assert replay.name == "oracle"
        assert replay.estimate([Question("graph")]).calls == 1

    def test_a_miss_is_an_error(self, tmp_path):
        self.fill(tmp_path / "t.jsonl")
        replay = ReplayExpert(tmp_path / "t.jsonl")
        with pytest.raises(DataError, match="no answer to the 'orient' question 1 about A, B"):
            replay.answer([Question("orient", ("A", "B"), 1)])
        told = as_variables({"A": "something else", "B": "", "C": ""})
        with pytest.raises(DataError, match="describes 'A' differently"):
            replay.answer([Question("orient", ("A", "B"), given=told)])

    def test_a_line_that_was_cut_off_is_left_out(self, tmp_path):
        self.fill(tmp_path / "t.jsonl")
        with (tmp_path / "t.jsonl").open("a") as file:
            file.write('{"answer": {"question"')
        assert len(ReplayExpert(tmp_path / "t.jsonl").transcript.answers) == 2

    def test_going_on(self, tmp_path):
        self.fill(tmp_path / "t.jsonl")
        again = Transcript(as_variables(NAMES), tmp_path / "t.jsonl")
        again.add(Answer(Question("orient", ("A", "C")), "forward"), "test")
        assert len(ReplayExpert(tmp_path / "t.jsonl").transcript.answers) == 3
        with pytest.raises(DataError, match="about other variables"):
            Transcript(as_variables(["A", "B"]), tmp_path / "t.jsonl")

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('{"causalkit_transcript": 99, "variables": []}\n', "version 99"),
            ('{"answer": 1}\n', "does not say which version"),
            ("plain\n", "line 1 is not JSON"),
            ('{"causalkit_transcript": 1, "variables": []}\n{"x": 1}\n', "line 2 holds no answer"),
            ('{"causalkit_transcript": 1, "variables": []}\nnot json\n', "line 2 is not JSON"),
        ],
    )
    def test_other_files(self, tmp_path, text, message):
        (tmp_path / "t.jsonl").write_text(text)
        with pytest.raises(DataError, match=message):
            ReplayExpert(tmp_path / "t.jsonl")
        with pytest.raises(DataError, match="there is no transcript"):
            ReplayExpert(tmp_path / "none.jsonl")


class TestVotes:
    def test_every_strategy_finds_the_graph_of_a_perfect_expert(self):
        truth = CausalGraph.parse("A -> B; B -> C; A -> D; D -> C; E")
        variables = as_variables(truth.nodes)
        for strategy in ("graph", "children", "pairwise", "triplet"):
            answers = OracleExpert(truth).answer(questions_for(strategy, variables))
            found, dropped = count_votes(answers, truth.nodes).graph()
            assert (found.equals(truth), dropped) == (True, []), strategy

    def test_cycles_lose_what_is_claimed_least(self):
        answers = [
            Answer(Question("graph", sample=k), arrows=arrows)
            for k, arrows in enumerate(
                [(("A", "B"), ("B", "C"), ("C", "A"))]
                + [(("A", "B"), ("B", "C"))] * 2
                + [(("C", "A"), ("B", "C"), ("A", "B"))]
            )
        ]
        graph, dropped = count_votes(answers, NAMES).graph(least=0.4)
        assert str(graph) == "A -> B; B -> C"
        assert dropped == [("C", "A")]

    def test_disputed_pairs(self):
        answers = [
            Answer(Question("graph", sample=k), arrows=(("A", "B"),) if k % 2 else (("A", "B"), ("B", "C")))
            for k in range(4)
        ]
        assert count_votes(answers, NAMES).disputed() == [("B", "C")]
