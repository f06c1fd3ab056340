"""A language model on this machine, asked by the probabilities that it gives to the letters of the options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from causalkit._validation import Floats, check_count
from causalkit.exceptions import MissingDependencyError, ParameterError
from causalkit.llm_causal._prompts import Debiasing, Prompt, write_prompt
from causalkit.llm_causal._questions import Answer, Question, Usage

__all__ = ["LocalExpert"]

ASK = "\n\nThe letter of the right option is:"


class LocalExpert:
    """An expert that gives the probability of every option, from a causal language model of transformers.

    No text is generated, so nothing has to be read: the answer is the option whose letter is the most probable next word. Questions need options: those about pairs, and "judge".

    Parameters
    ----------
    model : object
        A causal language model in the manner of transformers: called with ``input_ids`` and ``attention_mask``, it returns ``logits``.
    tokenizer : object
        Its tokenizer.
    name : str, default="local model"
        Name in receipts.
    debiasing : Debiasing, optional
        What may differ between repetitions of a question.
    batch_size : int, default=8
        Sequences at a time; the answers do not depend on it.

    Raises
    ------
    MissingDependencyError
        If torch is not installed.

    Examples
    --------
    >>> from causalkit.llm_causal import LocalExpert
    >>> LocalExpert.from_pretrained("path/to/model")  # doctest: +SKIP
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        name: str = "local model",
        debiasing: Debiasing | None = None,
        batch_size: int = 8,
    ) -> None:
        try:
            import torch
        except ImportError as problem:
            raise MissingDependencyError(
                "local models need torch: pip install torch transformers"
            ) from problem
        self._torch = torch
        self.model, self.tokenizer, self._name = model, tokenizer, name
        self.debiasing = debiasing or Debiasing()
        self.batch_size = check_count("batch_size", batch_size)

    @classmethod
    def from_pretrained(cls, path: str, *, debiasing: Debiasing | None = None, batch_size: int = 8) -> Self:
        """Load a model and its tokenizer with transformers.

        Parameters
        ----------
        path : str
            A folder, or a name on the Hugging Face hub, from which it is then downloaded.
        debiasing : Debiasing, optional
            As for the class.
        batch_size : int, default=8
            As for the class.

        Returns
        -------
        LocalExpert
            Named by its path.
        """
        try:
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError as problem:
            raise MissingDependencyError(
                "models are loaded with transformers: pip install transformers"
            ) from problem
        model: Any = AutoModelForCausalLM.from_pretrained(path)
        model.eval()
        return cls(
            model, AutoTokenizer.from_pretrained(path), name=path, debiasing=debiasing, batch_size=batch_size
        )

    @property
    def name(self) -> str:
        """Name in receipts."""
        return self._name

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer questions that have options.

        Parameters
        ----------
        questions : sequence of Question
            With what is ``given``.

        Returns
        -------
        list of Answer
            With probabilities of all options, which sum to 1.

        Raises
        ------
        ParameterError
            For questions without options.
        """
        prompts = [self._prompt(q) for q in questions]
        pieces = [self._pieces(prompt) for prompt in prompts]
        scores = self._scores([piece for of_one in pieces for piece in of_one])
        answers, start = [], 0
        for question, prompt, of_one in zip(questions, prompts, pieces, strict=True):
            answers.append(self._answer(question, prompt, scores[start : start + len(of_one)], of_one))
            start += len(of_one)
        return answers

    def _answer(
        self, question: Question, prompt: Prompt, scores: Any, pieces: Sequence[tuple[list[int], list[int]]]
    ) -> Answer:
        shares = np.exp(scores - scores.max())
        shares = shares / shares.sum()
        by_choice = {choice: float(p) for choice, p in zip(prompt.letters.values(), shares, strict=True)}
        best = max(by_choice, key=lambda choice: by_choice[choice])
        usage = Usage(1, sum(len(a) + len(b) for a, b in pieces), 0)
        return Answer(question, best, probabilities=by_choice, expert=self.name, usage=usage)

    def estimate(self, questions: Sequence[Question]) -> Usage:
        """Say how many tokens would be read.

        Parameters
        ----------
        questions : sequence of Question
            What would be asked.

        Returns
        -------
        Usage
            Tokens of prompts, once for every option.
        """
        pieces = [piece for q in questions for piece in self._pieces(self._prompt(q))]
        return Usage(len(questions), sum(len(a) + len(b) for a, b in pieces), 0)

    def score(self, prompts: Sequence[str], options: Sequence[str]) -> Floats:
        """Return the log-probability that each option follows each prompt, as the oracles of event strength ask for.

        Parameters
        ----------
        prompts : sequence of str
            Texts.
        options : sequence of str
            Continuations, of one or more tokens; they should begin with a space.

        Returns
        -------
        numpy.ndarray of float, shape (len(prompts), len(options))
            Natural logarithms, each summed over the tokens of the option.

        See Also
        --------
        causalkit.strength.LetterOracle : Strength from such scores.
        """
        before = [self._encoded(prompt, special=True) for prompt in prompts]
        after = [self._encoded(option, special=False) for option in options]
        scores = self._scores([(start, end) for start in before for end in after])
        return np.asarray(scores, dtype=float).reshape(len(prompts), len(options))

    def _prompt(self, question: Question) -> Prompt:
        if not question.choices:
            raise ParameterError(f"a local model answers questions with options; {question.kind!r} has none")
        return write_prompt(question, self.debiasing)

    def _pieces(self, prompt: Prompt) -> list[tuple[list[int], list[int]]]:
        """Return the tokens of the prompt and of each option."""
        system, user = (m["content"] for m in prompt.messages)
        asked = user.split('\n\nReply as {"reasoning"')[0]
        start = self._encoded(f"{system}\n\n{asked}{ASK}", special=True)
        return [(start, self._encoded(f" {letter}", special=False)) for letter in prompt.letters]

    def _encoded(self, text: str, *, special: bool) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=special)["input_ids"])

    def _scores(self, pieces: Sequence[tuple[list[int], list[int]]]) -> Any:
        """Return the log-probability of every option after its prompt."""
        found: list[float] = []
        for start in range(0, len(pieces), self.batch_size):
            found += self._batch(pieces[start : start + self.batch_size])
        return np.array(found)

    def _batch(self, pieces: Sequence[tuple[list[int], list[int]]]) -> list[float]:
        torch = self._torch
        rows = [a + b for a, b in pieces]
        width = max(map(len, rows))
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
        device = next(self.model.parameters()).device
        with torch.no_grad():
            logits = self.model(input_ids=ids.to(device), attention_mask=mask.to(device)).logits
        logs = torch.log_softmax(logits.double(), dim=-1).cpu()
        return [
            sum(float(logs[k, len(a) + t - 1, token]) for t, token in enumerate(b))
            for k, (a, b) in enumerate(pieces)
        ]
