"""Experts as oracles of event strength: log-probabilities from a server over a real socket, and from a model on this machine."""

from __future__ import annotations

import numpy as np
import pytest

from causalkit.exceptions import ExpertError, ParameterError
from causalkit.llm_causal import ChatExpert, LocalExpert, from_callable
from causalkit.strength import (
    EventGraph,
    EventLog,
    LetterOracle,
    LikelihoodOracle,
    LocalModel,
    event_strength,
)
from tests.llm_causal.server import Fails, Script, completion, serving, text

GRAPH = EventGraph.from_log(EventLog([["boil", "pour"], ["pour"]]))


def tells(**chances):
    """A step: tokens with these chances."""

    def step(_):
        reply = completion("A")
        likely = [
            {"token": token, "logprob": float(np.log(p)), "bytes": None} for token, p in chances.items()
        ]
        reply["choices"][0]["logprobs"] = {
            "content": [{**likely[0], "top_logprobs": likely}],
            "refusal": None,
        }
        return reply

    return step


def says_increase(body):
    """Three to one for the letter that says increase, if the cause took place; even if it did not."""
    question = body["messages"][1]["content"]
    first = 0.5 if "did not happen" in question else 0.6 if "A. Increase" in question else 0.2
    second = 0.5 if "did not happen" in question else 0.8 - first
    return tells(A=first, B=second, The=0.1)(body)


class TestServers:
    @pytest.fixture(autouse=True)
    def client(self):
        pytest.importorskip("openai")

    def expert(self, url, **settings):
        return ChatExpert("m", base_url=url, max_retries=0, timeout=5, **settings)

    def test_strength_is_read_from_the_letters(self):
        script = Script(says_increase)
        with serving(script) as url:
            oracle = LetterOracle(self.expert(url), GRAPH, name="m", activity="making tea")
            found = event_strength([("boil", "pour")], oracle=oracle)
        np.testing.assert_allclose(oracle.arms([("boil", "pour")]), [[0.5, 0.75]])
        np.testing.assert_allclose(found.value, [0.25])
        asked = script.bodies[0]
        assert (asked["logprobs"], asked["top_logprobs"], asked["max_tokens"]) == (True, 20, 1)

    def test_replies_are_kept(self, tmp_path):
        script = Script(says_increase)
        with serving(script) as url:
            for _ in range(2):
                self.expert(url, cache=tmp_path / "replies.db").score(["one", "two"], [" A", " B"])
        assert len(script.bodies) == 2

    def test_the_same_token_with_and_without_a_blank_counts_once_each(self):
        with serving(Script(tells(**{"A": 0.25, " A": 0.25, "B": 0.125}))) as url:
            found = self.expert(url).score(["?"], [" A", " B", " C"])
        np.testing.assert_allclose(np.exp(found), [[0.5, 0.125, 0.0]])

    def test_limits_of_length_of_other_servers(self):
        script = Script(says_increase)
        with serving(script) as url:
            self.expert(url, request_options={"max_completion_tokens": 1}).score(["?"], ["A"])
        assert "max_tokens" not in script.bodies[0]

    @pytest.mark.parametrize(
        ("step", "message"),
        [
            (text("A"), "does not tell log-probabilities"),
            (Fails(500), "InternalServerError"),
            (Fails(401), "does not accept the key"),
        ],
    )
    def test_what_gives_no_scores(self, step, message):
        with serving(Script(step)) as url, pytest.raises(ExpertError, match=message):
            self.expert(url).score(["?"], ["A", "B"])


class TestLocalModels:
    def test_scores_are_those_of_the_models_of_strength(self):
        torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")

        class Characters:
            """One token per character."""

            def encode(self, text):
                return [ord(c) % 97 for c in text]

            def __call__(self, text, *, add_special_tokens):
                return {"input_ids": self.encode(text)}

        torch.manual_seed(0)
        config = transformers.GPT2Config(vocab_size=97, n_positions=600, n_embd=16, n_layer=2, n_head=2)
        model = transformers.GPT2LMHeadModel(config).eval()
        prompts, options = ["Answer:", "a longer prompt. Answer:"], [" A", " and so on"]
        expert = LocalExpert(model, Characters(), batch_size=3)
        expected = LocalModel(model, Characters())(prompts, options)
        np.testing.assert_allclose(expert.score(prompts, options), expected, atol=1e-4)
        oracles = [
            LikelihoodOracle(score, GRAPH, name="tiny", activity="making tea")
            for score in (expert, LocalModel(model, Characters()))
        ]
        arms = [oracle.arms([("boil", "pour")]) for oracle in oracles]
        np.testing.assert_allclose(arms[0], arms[1], atol=1e-4)


def test_who_can_only_speak_is_refused_at_once():
    with pytest.raises(ParameterError, match="CallableExpert, which can say no log-probabilities"):
        LetterOracle(from_callable(lambda messages: "A", name="f"), GRAPH, name="f", activity="making tea")
