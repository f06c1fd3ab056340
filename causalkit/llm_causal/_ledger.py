"""What may be spent, and what was spent on what."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from causalkit.exceptions import ExpertError, ParameterError
from causalkit.llm_causal._questions import Answer, Expert, Question, Usage

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Budget", "Ledger", "Meter"]

SPENT = "the budget is spent ("
# Attempts in a row to which nothing came.
GIVE_UP = 3
# Replies from the first one on, none of which could be read.
UNREADABLE = 5


@dataclass(frozen=True)
class Budget:
    """What a run may cost; what is None has no limit.

    A question is asked if what it is expected to cost is left, and a reply is mended by a second call only if one is left. Tokens and cost may be passed by what is under way together (the expert's
    ``concurrency``), since nobody knows how long a reply will be.

    Parameters
    ----------
    calls : int, optional
        Requests.
    tokens : int, optional
        Tokens of prompts and completions together.
    cost : float, optional
        In the currency of the prices that the expert was given.
    seconds : float, optional
        Time from the first question to the last one asked.

    Raises
    ------
    ParameterError
        If a limit is not positive.

    Examples
    --------
    >>> from causalkit.llm_causal import Budget
    >>> Budget(calls=50, tokens=20_000)
    Budget(calls=50, tokens=20000, cost=None, seconds=None)
    """

    calls: int | None = None
    tokens: int | None = None
    cost: float | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("calls", "tokens", "cost", "seconds"):
            limit = getattr(self, name)
            kinds: Any = Integral if name in ("calls", "tokens") else Real
            whole = "whole " if kinds is Integral else ""
            if limit is not None and (
                isinstance(limit, bool) or not isinstance(limit, kinds) or not limit > 0
            ):
                raise ParameterError(
                    f"the budget's {name} must be a positive {whole}number or None; got {limit!r}"
                )

    def exceeded_by(self, usage: Usage) -> str:
        """Say which limit a usage is above.

        Parameters
        ----------
        usage : Usage
            What would have been spent.

        Returns
        -------
        str
            The limit in words; empty if none is.
        """
        for name in ("calls", "tokens", "cost"):
            limit, spent = getattr(self, name), getattr(usage, name)
            if limit is not None and spent > limit:
                return f"{name}: {spent:g} would be needed of {limit:g}"
        return ""


@dataclass
class Ledger:
    """What was spent, by purpose.

    Parameters
    ----------
    entries : dict of str to Usage
        Purposes and what they cost.
    counts : dict of str to dict of str to int
        For every purpose the number of answers that were answered, invalid or missing.

    Examples
    --------
    >>> from causalkit.llm_causal import Ledger, Usage
    >>> ledger = Ledger()
    >>> ledger.add("exam", Usage(calls=1, prompt_tokens=80, completion_tokens=5))
    >>> ledger.total.tokens
    85
    """

    entries: dict[str, Usage] = field(default_factory=dict)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)

    def add(self, purpose: str, usage: Usage, status: str = "answered") -> None:
        """Book something.

        Parameters
        ----------
        purpose : str
            What it was for.
        usage : Usage
            What it cost.
        status : str, default="answered"
            What came of it.
        """
        self.entries[purpose] = self.entries.get(purpose, Usage()) + usage
        counts = self.counts.setdefault(purpose, {})
        counts[status] = counts.get(status, 0) + 1

    @property
    def total(self) -> Usage:
        """Everything together."""
        return sum(self.entries.values(), Usage())

    def to_pandas(self) -> pd.DataFrame:
        """Return the ledger as a table.

        Returns
        -------
        pandas.DataFrame
            One row per purpose: questions, calls, tokens, cost, and how many answers could not be read or did not come.
        """
        import pandas as pd

        rows = {
            purpose: {
                "questions": sum(self.counts[purpose].values()),
                "calls": usage.calls,
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "cost": usage.cost,
                "invalid": self.counts[purpose].get("invalid", 0),
                "missing": self.counts[purpose].get("missing", 0),
            }
            for purpose, usage in self.entries.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index")


class Meter:
    """An expert who is asked no more than a budget allows; answers that would exceed it are "missing"."""

    def __init__(
        self,
        expert: Expert,
        budget: Budget,
        record: Callable[[Answer, str], None] = lambda _, __: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.expert, self.budget, self.ledger = expert, budget, Ledger()
        self.spent_out = ""
        self._failures, self._has_answered = 0, False
        self._unread, self._read = 0, False
        self._record, self._clock, self._start = record, clock, None if budget.seconds is None else clock()

    def ask(self, questions: Sequence[Question], purpose: str) -> list[Answer]:
        """Ask as many of the questions, in order, as the budget allows."""
        answers: list[Answer] = []
        while len(answers) < len(questions):
            rest = questions[len(answers) : len(answers) + self._together(len(questions))]
            affordable = self._affordable(rest)
            answers += self._booked(self._asked(rest[:affordable]) if affordable else [], purpose)
            if affordable < len(rest) or self.spent_out:
                break
        self.spent_out = self.spent_out or _told_by(answers)
        unasked = [self._missing(q, f"{SPENT}{self.spent_out})") for q in questions[len(answers) :]]
        return answers + self._booked(unasked, purpose)

    def _together(self, number: int) -> int:
        """Return how many questions to send at once: few until one reply could be read, so that an expert who cannot be understood is found out early."""
        most = int(getattr(self.expert, "concurrency", 0)) or max(number, 1)
        by_machine = getattr(self.expert, "repeats", True)
        return min(most, max(1, UNREADABLE - self._unread)) if by_machine and not self._read else most

    def _count_unread(self, answers: Sequence[Answer]) -> None:
        """Give up an expert of whom not one of the first replies could be read."""
        self._read |= any(a.status == "answered" for a in answers)
        self._unread += sum(a.status == "invalid" for a in answers)
        if not self._read and self._unread >= UNREADABLE:
            self.spent_out = f"patience: none of the first {self._unread} replies could be read, the last: {answers[-1].problem}"

    def _asked(self, questions: Sequence[Question]) -> list[Answer]:
        """Ask; an expert who has answered before and now cannot be asked leaves questions open, and is given up after some attempts."""
        self._leave_calls_for_repairs(len(questions))
        try:
            answers = self._answers(questions)
        except ExpertError as problem:
            if not self._has_answered:
                raise
            answers = [self._missing(q, str(problem)) for q in questions]
        silent = all(a.status == "missing" for a in answers)
        self._failures = self._failures + 1 if silent else 0
        self._has_answered |= not silent
        self._count_unread(answers)
        if self._failures >= GIVE_UP:
            self.spent_out = (
                f"patience: {self._failures} attempts in a row failed, the last with: {answers[0].problem}"
            )
        return answers

    def _answers(self, questions: Sequence[Question]) -> list[Answer]:
        answers: Any = self.expert.answer(questions)
        found = list(answers) if isinstance(answers, Iterable) else []
        if len(found) != len(questions) or not all(isinstance(a, Answer) for a in found):
            raise ParameterError(
                f"the expert {self._name!r} gave {len(found)} answers to {len(questions)} questions; one object of Answer for each is expected"
            )
        return found

    def _leave_calls_for_repairs(self, number: int) -> None:
        """Tell an expert who mends replies by further calls how many of these the budget has left."""
        limit = getattr(self.expert, "limit_repairs", None)
        if limit is not None:
            calls = self.budget.calls
            limit(None if calls is None else max(0, calls - self.ledger.total.calls - number))

    @property
    def _name(self) -> str:
        return str(getattr(self.expert, "name", type(self.expert).__name__))

    def _missing(self, question: Question, problem: str) -> Answer:
        return Answer(question, status="missing", problem=problem, expert=self._name)

    def _booked(self, answers: list[Answer], purpose: str) -> list[Answer]:
        """Book and record answers as they come, so that what was paid for is kept whatever happens next."""
        for answer in answers:
            self.ledger.add(purpose, answer.usage, answer.status)
            self._record(answer, purpose)
        return answers

    def _affordable(self, questions: Sequence[Question]) -> int:
        """Return how many of the first questions can be paid for."""
        if self._start is not None and self._clock() - self._start > (self.budget.seconds or 0):
            self.spent_out = f"time: more than {self.budget.seconds:g} s"
            return 0
        if not questions or not self.budget.exceeded_by(self.ledger.total + self.expert.estimate(questions)):
            return len(questions)
        low, high = 0, len(questions)
        while high - low > 1:
            middle = (low + high) // 2
            over = self.budget.exceeded_by(self.ledger.total + self.expert.estimate(questions[:middle]))
            low, high = (low, middle) if over else (middle, high)
        self.spent_out = self.budget.exceeded_by(self.ledger.total + self.expert.estimate(questions[:high]))
        return low


def in_words(spent_out: str) -> str:
    """Say why no more was asked; patience with an expert is no budget."""
    if spent_out.startswith("patience: "):
        return f"The expert was given up ({spent_out})"
    return f"The budget was spent ({spent_out})"


def _told_by(answers: Sequence[Answer]) -> str:
    """Return what was spent when these answers were recorded, so that a replay ends where the run ended."""
    told = [a.problem for a in answers if a.status == "missing" and a.problem.startswith(SPENT)]
    return told[0].removeprefix(SPENT).removesuffix(")") if told else ""
