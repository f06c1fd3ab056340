"""The scorer of local models, on a tiny model built from a configuration, against one forward pass per prompt."""

from __future__ import annotations

import numpy as np
import pytest

from causalkit.exceptions import ParameterError
from causalkit.strength import EventGraph, EventLog, LetterOracle, LocalModel

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


class Characters:
    """One token per character."""

    def encode(self, text):
        return [ord(c) % 97 for c in text]

    def decode(self, ids):
        return "".join(map(chr, ids))


class Greedy(Characters):
    """Takes a colon and a space together, so that an option can change the tokens of the prompt."""

    def encode(self, text):
        return [ord(c) % 97 for c in text.replace(": ", "%")]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=97, n_positions=600, n_embd=16, n_layer=2, n_head=2)
    return transformers.GPT2LMHeadModel(config).eval()


def one_by_one(model, prompt, option):
    """Sum log-probabilities token by token, without padding or batches."""
    encode = Characters().encode
    ids, total = encode(prompt), 0.0
    for token in encode(option):
        with torch.inference_mode():
            logs = torch.log_softmax(model(torch.tensor([ids])).logits[0, -1].double(), dim=-1)
        total += float(logs[token])
        ids = [*ids, token]
    return total


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_scores_are_those_of_single_passes(model, batch_size):
    prompts = ["Answer:", "a much longer prompt than the first one. Answer:", "b"]
    options = [" A", " B", " and so on"]
    found = LocalModel(model, Characters(), batch_size=batch_size)(prompts, options)
    expected = [[one_by_one(model, p, o) for o in options] for p in prompts]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_next_token_is_the_most_likely_of_all(model):
    local = LocalModel(model, Characters())
    options = [chr(k) for k in range(97)]
    said = local.next_tokens(["Answer:", "b"])
    assert said == [options[k] for k in local(["Answer:", "b"], options).argmax(axis=1)]


def test_as_an_oracle_of_events(model):
    graph = EventGraph.from_log(EventLog([["boil", "pour"], ["pour"]]))
    oracle = LetterOracle(
        LocalModel(model, Characters()), graph, name="tiny", activity="making tea", n_prefixes=1
    )
    found = oracle.arms([("boil", "pour")])
    assert ((found > 0) & (found < 1)).all()
    np.testing.assert_array_equal(found, oracle.arms([("boil", "pour")]))


def test_an_option_that_changes_the_tokens_of_the_prompt_is_refused(model):
    with pytest.raises(ParameterError, match="does not begin a new token"):
        LocalModel(model, Greedy())(["Answer:"], [" A"])
    with pytest.raises(ParameterError, match="does not begin a new token"):
        LocalModel(model, Characters())(["Answer:"], [""])
