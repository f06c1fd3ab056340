"""What experts cannot tell, how far their answers agree, and what other searches say."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest

from causalkit import CausalGraph
from causalkit.discovery import PC
from causalkit.exceptions import ParameterError
from causalkit.llm_causal import (
    Answer,
    ExpertNoise,
    GraphBuilder,
    OracleExpert,
    Question,
    Reliability,
    as_variables,
    count_votes,
    from_callable,
)

P = CausalGraph.parse
ABC = as_variables(list("ABC"))


def replies(*contents):
    """An expert who replies this and that, the last one for ever, and what it was asked."""
    asked, left = [], list(contents)

    def model(messages):
        asked.append(messages[1]["content"])
        return json.dumps({"reasoning": "", **(left.pop(0) if len(left) > 1 else left[0])})

    return from_callable(model), asked


def edge(cause, effect):
    return {"cause": cause, "effect": effect, "confidence": 1.0}


class TestCannotTell:
    @pytest.mark.parametrize(("kind", "about"), [("graph", ()), ("children", "A"), ("triplet", "ABC")])
    def test_it_is_neither_an_arrow_nor_none(self, kind, about):
        names = {}

        def model(messages):
            listed = json.loads(messages[1]["content"].split("Variables:\n")[1].split("\n\n")[0])
            names.update({v["name"]: k for k, v in listed.items()})
            return json.dumps(
                {
                    "reasoning": "",
                    "edges": [edge(names["A"], names["B"])],
                    "unsure": [{"first": names["A"], "second": names["C"]}],
                }
            )

        (answer,) = from_callable(model).answer([Question(kind, tuple(about), given=ABC)])
        assert answer.about("A", "B") == "forward"
        assert answer.about("A", "C") == answer.about("C", "A") == "cannot_tell"
        assert Answer.from_dict(answer.to_dict()).unsure == (("A", "C"),)
        votes = count_votes([answer], "ABC")
        assert votes.asked[0].tolist() == [0, 1, 0]

    def test_every_question_offers_it(self):
        expert, _ = replies({})
        for kind, about in (
            ("graph", ()),
            ("children", "A"),
            ("triplet", "ABC"),
            ("direct", "AB"),
            ("orient", "AB"),
        ):
            assert "cannot tell" in expert.preview(Question(kind, tuple(about), given=ABC))

    def test_who_leaves_the_list_out_is_unsure_of_nothing(self):
        expert, asked = replies({"edges": []})
        (answer,) = expert.answer([Question("graph", given=ABC)])
        assert (answer.status, answer.unsure, len(asked)) == ("answered", (), 1)

    def test_an_arrow_of_which_it_cannot_tell_is_no_answer(self):
        both = {"edges": [edge("V1", "V2")], "unsure": [{"first": "V2", "second": "V1"}]}
        expert, asked = replies(both)
        (answer,) = expert.answer([Question("graph", given=ABC)])
        assert answer.status == "invalid"
        assert "only one can be meant" in answer.problem
        assert len(asked) == 2

    def test_such_pairs_are_asked_about_on_their_own(self):
        def model(messages):
            content = messages[1]["content"]
            if '"edges"' in content:
                listed = json.loads(content.split("Variables:\n")[1].split("\n\n")[0])
                ids = {v["name"]: k for k, v in listed.items()}
                unsure = [{"first": ids["C"], "second": ids["A"]}]
                return json.dumps({"reasoning": "", "edges": [edge(ids["A"], ids["B"])], "unsure": unsure})
            letter = next(line[0] for line in content.splitlines() if line[1:] == ". neither")
            return json.dumps({"reasoning": "", "answer": letter, "confidence": 1.0})

        result = GraphBuilder(ABC, expert=from_callable(model)).run()
        again = {a.question.variables for a in result.answers if a.question.kind == "direct"}
        assert again == {("A", "C")}
        assert str(result.graph) == "A -> B; C"
        once = GraphBuilder(ABC, expert=from_callable(model), samples=1)
        assert once.run().ledger.total.calls == 1


class TestAgreement:
    def test_of_choices_and_of_arrows(self):
        def answers(*choices):
            return [
                Answer(Question("orient", ("A", "B"), sample=k), choice) for k, choice in enumerate(choices)
            ]

        result = GraphBuilder(
            ["A", "B"], expert=OracleExpert(P("A -> B")), graph=P("A --- B", kind="CPDAG")
        ).run()
        arrows = [
            Answer(Question("graph", sample=k), arrows=found)
            for k, found in enumerate(((("A", "B"), ("B", "C")), (("A", "B"),)))
        ]
        for told, expected in (
            (answers("forward", "forward", "backward"), 1 / 3),
            (arrows, 1 / 2),
            ([*answers("forward", "forward"), *arrows], 3 / 4),
            ([Answer(Question("graph", sample=k)) for k in range(2)], 1.0),
        ):
            found = type(result)(**{**result.__dict__, "answers": tuple(told)})
            assert found.agreement == pytest.approx(expected)
            assert f"{expected:.2f}" in found.to_markdown()
        nothing = type(result)(**{**result.__dict__, "answers": tuple(answers("forward"))})
        assert math.isnan(nothing.agreement)
        assert "Agreement" not in nothing.to_markdown()

    def test_of_an_expert_who_guesses(self):
        """Two guesses among three answers agree in one case of three."""
        truth = P("; ".join(f"u{k} -> w{k}" for k in range(200)))
        coin = OracleExpert(truth, ExpertNoise(*[(1 / 3, 1 / 3, 1 / 3, 0.0)] * 3), persistence=0.0)
        session = GraphBuilder(
            truth.nodes,
            expert=coin,
            graph=truth.to_cpdag(),
            policy="bayes",
            samples=2,
            reliability=Reliability(0.9, 0.05),
        )
        assert session.run().agreement == pytest.approx(1 / 3, abs=3 * np.sqrt(2 / 9 / 200))


class TestEnsemble:
    """A -> C <- B, C -> D: C -> D, E and F: all arrows are compelled."""

    truth = P("A -> C; B -> C; C -> D; C -> E; C -> F")

    def session(self, ensemble, **settings):
        return GraphBuilder(
            self.truth.nodes,
            expert=OracleExpert(self.truth),
            graph=self.truth.to_cpdag(),
            ensemble=ensemble,
            **settings,
        )

    def exam(self, ensemble):
        return {q.variables for q in self.session(ensemble).questions()}

    def test_the_exam_is_about_what_all_searches_found(self):
        everything = {("A", "C"), ("B", "C"), ("C", "D"), ("C", "E"), ("C", "F")}
        assert self.exam([]) == self.exam([self.truth, self.truth.to_cpdag()]) == everything
        other = P("A -> C; B -> C; D -> C; C -> E; C --- F", kind="PDAG")
        assert self.exam([self.truth, other]) == everything - {("C", "D"), ("C", "F")}

    def test_an_arrow_that_others_do_not_have_weighs_less(self):
        other = P("A -> C; B -> C; D -> C; C -> E; C -> F")
        against = OracleExpert(P("A -> C; B -> C; D -> C; C -> E; C -> F"))
        found = {}
        for name, ensemble in (("alone", []), ("disputed", [other])):
            session = GraphBuilder(
                self.truth.nodes,
                expert=against,
                graph=self.truth.to_cpdag(),
                ensemble=ensemble,
                policy="bayes",
                reliability=Reliability(0.8, 0.1),
            )
            found[name] = session.run().graph.edge_between("C", "D")
        assert found == {"alone": "->", "disputed": "<-"}

    def test_other_searches_are_fitted_to_the_data(self):
        """One that agrees changes nothing; one that finds no edge leaves nothing to examine."""
        rng = np.random.default_rng(0)
        a, b = rng.normal(size=(2, 500))
        frame = pd.DataFrame({"A": a, "B": b, "C": a + b + rng.normal(size=500)})
        truth, agrees = P("A -> C; B -> C"), PC(ci_test="fisher_z", alpha=0.01)
        blind = PC(ci_test="fisher_z", alpha=1e-90)

        def exam(ensemble):
            session = GraphBuilder(truth.nodes, expert=OracleExpert(truth), data=frame, ensemble=ensemble)
            return {q.variables for q in session.questions()}

        assert exam([]) == exam([agrees]) == {("A", "C"), ("B", "C")}
        assert exam([agrees, blind]) == set()
        assert not hasattr(agrees, "graph_")

    @pytest.mark.parametrize(
        ("ensemble", "message"),
        [
            ([PC()], "there are no data"),
            (["pc"], "got str"),
            ([P("A -> C")], "has no node 'B'"),
        ],
    )
    def test_what_cannot_be_used(self, ensemble, message):
        with pytest.raises(ParameterError, match=message):
            self.session(ensemble).run()
