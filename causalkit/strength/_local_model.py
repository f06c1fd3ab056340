"""Scores of a local language model: the log-probability of each option after each prompt.

Prompts of similar length are padded on the left and run together. An option that is several tokens is scored whole: the sum of the
log-probabilities of its tokens, each after those before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import check_count
from causalkit.exceptions import MissingDependencyError, ParameterError

__all__ = ["LocalModel"]


class LocalModel:
    """A causal language model of transformers as a function from prompts and options to log-probabilities.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        A model that predicts the next token; it is used on the device that it is on, and put into evaluation mode.
    tokenizer : transformers.PreTrainedTokenizerBase
        Its tokenizer.
    batch_size : int, default=16
        Sequences run together. Results differ between batch sizes by rounding only.

    Raises
    ------
    MissingDependencyError
        If torch is not installed.

    Notes
    -----
    Needs ``pip install causalkit[torch]`` and transformers. The tokens of a prompt and of prompt and option together must agree where they overlap, as they
    do if options begin with a space.

    Examples
    --------
    ::

        from transformers import AutoModelForCausalLM, AutoTokenizer

        name = "microsoft/phi-2"
        score = LocalModel(AutoModelForCausalLM.from_pretrained(name), AutoTokenizer.from_pretrained(name))
        oracle = LetterOracle(score, graph, name=name, activity="baking a cake")
    """

    def __init__(self, model: Any, tokenizer: Any, *, batch_size: int = 16) -> None:
        try:
            import torch
        except ImportError:
            raise MissingDependencyError(
                "LocalModel needs torch: pip install 'causalkit[torch]' transformers"
            ) from None
        self._torch, self.model, self.tokenizer = torch, model.eval(), tokenizer
        self.batch_size = check_count("batch_size", batch_size)

    def __call__(self, prompts: Sequence[str], options: Sequence[str]) -> NDArray[np.float64]:
        """Return the log-probability that each option follows each prompt.

        Parameters
        ----------
        prompts : sequence of str
            Texts.
        options : sequence of str
            Continuations.

        Returns
        -------
        numpy.ndarray of float, shape (len(prompts), len(options))
            Natural logarithms.
        """
        pairs = [self._tokens(prompt, option) for prompt in prompts for option in options]
        order = sorted(range(len(pairs)), key=lambda k: (len(pairs[k][0]) + len(pairs[k][1]), k))
        found = np.empty(len(pairs))
        for first in range(0, len(order), self.batch_size):
            batch = order[first : first + self.batch_size]
            found[batch] = self._scores([pairs[k] for k in batch])
        return found.reshape(len(prompts), len(options))

    def next_tokens(self, prompts: Sequence[str]) -> list[str]:
        """Return the most likely next token of every prompt, as text.

        Parameters
        ----------
        prompts : sequence of str
            Texts.

        Returns
        -------
        list of str
            One token each.
        """
        return [self.tokenizer.decode([self._next(list(self.tokenizer.encode(p)))]) for p in prompts]

    def _next(self, tokens: list[int]) -> int:
        torch = self._torch
        ids = torch.tensor([tokens], device=next(self.model.parameters()).device)
        with torch.inference_mode():
            return int(self.model(input_ids=ids).logits[0, -1].argmax())

    def _tokens(self, prompt: str, option: str) -> tuple[list[int], list[int]]:
        before = list(self.tokenizer.encode(prompt))
        whole = list(self.tokenizer.encode(prompt + option))
        if not before or whole[: len(before)] != before or len(whole) == len(before):
            raise ParameterError(
                f"option {option!r} does not begin a new token after the prompt (which ends in {prompt[-20:]!r}); options should begin with a space"
            )
        return before, whole[len(before) :]

    def _scores(self, pairs: list[tuple[list[int], list[int]]]) -> NDArray[np.float64]:
        torch = self._torch
        longest = max(len(a) + len(b) for a, b in pairs)
        rows = [[0] * (longest - len(a) - len(b)) + a + b for a, b in pairs]
        mask = [[0] * (longest - len(a) - len(b)) + [1] * (len(a) + len(b)) for a, b in pairs]
        device = next(self.model.parameters()).device
        ids, seen = torch.tensor(rows, device=device), torch.tensor(mask, device=device)
        places = (seen.cumsum(1) - 1).clamp(min=0)
        with torch.inference_mode():
            logits = self.model(input_ids=ids, attention_mask=seen, position_ids=places).logits
            logs = torch.log_softmax(logits[:, :-1].double(), dim=-1)
            each = logs.gather(2, ids[:, 1:, None])[..., 0].cpu().numpy()
        return np.array([row[-len(option) :].sum() for row, (_, option) in zip(each, pairs, strict=True)])
