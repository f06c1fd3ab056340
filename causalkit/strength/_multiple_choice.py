"""Questions about causes put to a language model directly, as multiple choice.

This is what COLD measures of language models (Joshi et al. 2024, section 5.1): no story, no strength, one letter. Every question is put in both
orders of its choices. A model that always says B is right in half of all questions, and its two answers never agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import DataError
from causalkit.strength._prompts import LETTERS, ScoreOptions, as_function, log_probabilities
from causalkit.strength._triplets import Triplets, clustered_se

__all__ = ["MultipleChoice", "answer_triplets"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MultipleChoice:
    """Answers of a model to questions with two choices.

    Parameters
    ----------
    right : numpy.ndarray of float, shape (n, 2)
        Whether the letter of the right choice had the higher score, with the right choice named first and named second; ties count one half.
    accuracy : float
        Mean of `right`.
    se : float
        Its standard error, by clusters of the three events.
    agreement : float
        Share of questions with the same answer in both orders.
    first_letter : float
        Share of answers that are A; far from one half the letters say more than the question.
    success_rate : float or None
        Share of prompts after which the most likely next token is the right letter; a token that is neither letter counts one half. None for a
        model that does not tell its next token.
    """

    right: Floats = field(repr=False)
    accuracy: float
    se: float
    agreement: float
    first_letter: float
    success_rate: float | None

    def __str__(self) -> str:
        lines = [
            f"accuracy       {self.accuracy:.3f} (standard error {self.se:.3f}, {len(self.right)} questions in both orders)",
            f"agreement      {self.agreement:.3f}",
            f"first letter   {self.first_letter:.3f}",
        ]
        if self.success_rate is not None:
            lines.append(f"success rate   {self.success_rate:.3f}")
        return "\n".join(lines)


def answer_triplets(
    triplets: Triplets,
    score: ScoreOptions,
    *,
    name: str,
    activity: str,
    texts: Mapping[str, str] | None = None,
) -> MultipleChoice:
    """Ask a language model which of two events is the more plausible cause, or effect, of a third.

    Parameters
    ----------
    triplets : Triplets
        The questions.
    score : callable or Scorer
        Takes a list of prompts and a list of options, and returns log-probabilities of shape (prompts, options), or has such a method ``score``. If it also has a method
        `next_tokens`, as `LocalModel` has, the success rate is computed.
    name : str
        Name of the model, for messages.
    activity : str
        What is done, in words.
    texts : mapping of str to str, optional
        How to say every event; by default its name.

    Returns
    -------
    MultipleChoice
        Printable.

    Raises
    ------
    DataError
        If there are no questions, or the model does not answer with log-probabilities.

    References
    ----------
    A. Joshi, A. Ahmad, A. Modi, "COLD: Causal reasoning in closed daily activities", NeurIPS 2024, section 5.1.

    Examples
    --------
    >>> import numpy as np
    >>> from causalkit import CausalGraph
    >>> from causalkit.strength import answer_triplets, make_triplets
    >>> questions = make_triplets(CausalGraph.parse("boil -> pour; set_table"))
    >>> def says_b(prompts, options):
    ...     return np.log(np.tile([0.2, 0.8], (len(prompts), 1)))
    >>> answers = answer_triplets(questions, says_b, name="says B", activity="making tea")
    >>> answers.accuracy, answers.agreement
    (0.5, 0.0)
    """
    prompts = choice_prompts(triplets, activity, texts or {})
    logs = log_probabilities(as_function(score), prompts, LETTERS, name).reshape(-1, 2, 2)
    ahead = logs[:, :, 0] - logs[:, :, 1]
    first = (np.sign(ahead) + 1) / 2
    right = np.stack([first[:, 0], 1 - first[:, 1]], axis=1)
    next_tokens: Any = getattr(score, "next_tokens", None)
    return MultipleChoice(
        right,
        float(right.mean()),
        clustered_se(triplets, right.mean(axis=1)),
        float((right[:, 0] == right[:, 1]).mean()),
        float(first.mean()),
        None if next_tokens is None else _success(next_tokens(prompts), len(prompts)),
    )


def choice_prompts(triplets: Triplets, activity: str, texts: Mapping[str, str]) -> list[str]:
    """Return two prompts for every question: with the right choice as A, then as B."""
    if not len(triplets):
        raise DataError(
            "there are no questions; has the graph an arrow, and an event apart from both its ends?"
        )
    say = [texts.get(event, event) for event in triplets.events]
    prompts = []
    for premise, right, wrong, cause in zip(
        triplets.premise, triplets.right, triplets.wrong, triplets.asks_cause, strict=True
    ):
        for a, b in ((right, wrong), (wrong, right)):
            prompts.append(_question(activity, say[premise], say[a], say[b], asks_cause=bool(cause)))
    return prompts


def _question(activity: str, premise: str, a: str, b: str, *, asks_cause: bool) -> str:
    wanted = "brought it about" if asks_cause else "came about through it"
    return (
        f"We study causes in an everyday activity: {activity}.\nThis happened: {premise}.\n"
        f"Which of these two more plausibly {wanted}?\nA. {a}\nB. {b}\nAnswer:"
    )


def _success(said: Sequence[str], n: int) -> float:
    """Return the share of right letters, which are A and B in turn; what is neither counts one half."""
    if len(said) != n or not all(isinstance(token, str) for token in said):
        raise DataError(f"next_tokens gave {len(said)} answers for {n} prompts; one text each is needed")
    letters = [token.strip().rstrip(".):").upper() for token in said]
    wanted = ["A", "B"] * (len(letters) // 2)
    points: list[Any] = [
        letter == right if letter in ("A", "B") else 0.5
        for letter, right in zip(letters, wanted, strict=True)
    ]
    return float(np.mean(points))
