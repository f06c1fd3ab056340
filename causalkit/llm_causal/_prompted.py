"""Experts that are asked in words: one prompt, one reply, one attempt at repair, and never a second guess."""

from __future__ import annotations

import json
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from causalkit._store import redact
from causalkit._validation import check_count
from causalkit.exceptions import ExpertError, ParameterError
from causalkit.llm_causal._cache import ReplyCache
from causalkit.llm_causal._prompts import PROMPT_VERSION, Debiasing, Prompt, write_prompt
from causalkit.llm_causal._questions import Answer, Question, Usage, digest
from causalkit.llm_causal._reading import UnreadableError, read_reply, sound

__all__ = ["CallableExpert", "Completion", "PromptedExpert", "Throttle", "from_callable"]

Messages: TypeAlias = list[dict[str, str]]
CHARACTERS_PER_TOKEN = 4
TOKENS_PER_REPLY, TOKENS_PER_EDGE = 150, 40
REPAIR = "Your reply could not be read: {problem}. Reply again with one JSON object of the form that was asked for, and nothing else. Be brief."


@dataclass(frozen=True)
class Completion:
    """What came back for one request.

    Parameters
    ----------
    text : str
        The reply.
    prompt_tokens, completion_tokens : int or None
        As the server counts them; None where it does not say.
    refusal : str
        Why it would not reply.
    problem : str
        Why nothing came; then there is nothing to read.
    model : str
        What the server calls itself.
    first : tuple of (str, float)
        The most likely first tokens with their log-probabilities, where these were asked for.
    """

    text: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    refusal: str = ""
    problem: str = ""
    model: str = ""
    first: Sequence[tuple[str, float]] = ()


class Throttle:
    """Waits so that no more than so many requests, and tokens, fall into one minute."""

    def __init__(
        self,
        requests: int | None,
        tokens: int | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._limits = (requests, tokens)
        self._clock, self._sleep = clock, sleep
        self._events: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()

    def wait(self, tokens: int) -> None:
        """Return when a request of so many tokens may be made."""
        while (pause := self._reserve(tokens)) > 0:
            self._sleep(pause)

    def _reserve(self, tokens: int) -> float:
        """Book the request and return 0, or return how long to wait until the oldest one is a minute old."""
        requests, per_minute = self._limits
        with self._lock:
            now = self._clock()
            while self._events and self._events[0][0] <= now - 60:
                self._events.popleft()
            many = requests is not None and len(self._events) >= requests
            much = per_minute is not None and sum(n for _, n in self._events) + tokens > per_minute
            if self._events and (many or much):
                return self._events[0][0] + 60 - now
            self._events.append((now, tokens))
            return 0.0


@dataclass(frozen=True)
class Asking:
    """How an expert is asked, whatever it is behind."""

    debiasing: Debiasing | None
    concurrency: int
    requests_per_minute: int | None
    tokens_per_minute: int | None
    prices: tuple[float, float]
    cache: str | Path | None


class PromptedExpert(ABC):
    """What experts have in common that are asked in words."""

    def __init__(self, asking: Asking) -> None:
        self.debiasing = asking.debiasing or Debiasing()
        self.concurrency = check_count("concurrency", asking.concurrency)
        self.prices = asking.prices
        self._throttle = Throttle(asking.requests_per_minute, asking.tokens_per_minute)
        self._cache = ReplyCache(asking.cache)
        self._exchanges: dict[str, list[Any]] = {}
        self._lock = threading.Lock()
        self._repairs: int | None = None

    @property
    @abstractmethod
    def name(self) -> str:
        """Name in receipts."""

    @abstractmethod
    def _request(self, messages: Messages, prompt: Prompt) -> dict[str, Any]:
        """Return what would be sent, as plain data and without any key."""

    @abstractmethod
    def _complete(self, request: dict[str, Any]) -> Completion:
        """Send it."""

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer questions.

        Parameters
        ----------
        questions : sequence of Question
            With what is ``given``.

        Returns
        -------
        list of Answer
            In the order of the questions, whatever the order in which replies came.

        Raises
        ------
        ExpertError
            If none of the questions could be asked: the server is out of reach, or does not accept the key, the model or the form of requests. If some could, the others have
            answers that are "missing".
        """
        with ThreadPoolExecutor(min(self.concurrency, max(len(questions), 1))) as pool:
            answers = list(pool.map(self._answer_or_refusal, questions))
        refusals = [answer for answer in answers if isinstance(answer, ExpertError)]
        if refusals and len(refusals) == len(answers):
            raise refusals[0]
        found = [
            Answer(question, status="missing", problem=str(answer), expert=self.name)
            if isinstance(answer, ExpertError)
            else answer
            for question, answer in zip(questions, answers, strict=True)
        ]
        if found and all(answer.status == "missing" for answer in found):
            raise ExpertError(f"{self.name} could not be asked: {found[0].problem}")
        return found

    def _answer_or_refusal(self, question: Question) -> Answer | ExpertError:
        """Return a refusal as it is, so that what others in the batch have paid for is not lost with it."""
        try:
            return self._answer(question)
        except ExpertError as refusal:
            return refusal

    def limit_repairs(self, number: int | None) -> None:
        """Say how many replies may be mended from now on, each by one more call.

        Those who keep a budget call it before they ask, so that no repair passes what they have left.

        Parameters
        ----------
        number : int or None
            Calls that repairs may cost; None for as many as there are replies that cannot be read.
        """
        with self._lock:
            self._repairs = number

    def _may_repair(self) -> bool:
        with self._lock:
            if self._repairs is None:
                return True
            self._repairs -= 1
            return self._repairs >= 0

    def _answer(self, question: Question) -> Answer:
        prompt = write_prompt(question, self.debiasing)
        messages: Messages = [dict(m) for m in prompt.messages]
        spent, exchange = Usage(), []
        for attempt in range(2):
            request = self._request(messages, prompt)
            reply, usage = self._reply(request, question.sample)
            spent = spent + usage
            exchange.append({"request": request, "reply": reply.__dict__})
            answer = self._read(reply, question, prompt)
            if answer.status != "invalid" or reply.refusal or attempt or not self._may_repair():
                break
            messages += [
                {"role": "assistant", "content": reply.text},
                {"role": "user", "content": REPAIR.format(problem=answer.problem)},
            ]
        self._exchanges[question.key] = exchange
        return replace(answer, expert=self.name, origin="live", usage=spent)

    def _read(self, reply: Completion, question: Question, prompt: Prompt) -> Answer:
        if reply.problem:
            return Answer(question, status="missing", problem=reply.problem)
        if reply.refusal:
            return Answer(question, status="invalid", problem=f"refused: {reply.refusal}")
        try:
            return read_reply(reply.text, question, prompt)
        except UnreadableError as problem:
            return Answer(question, status="invalid", problem=str(problem))

    def _reply(self, request: dict[str, Any], sample: int) -> tuple[Completion, Usage]:
        """Return the reply to a request, kept or asked for, and what it cost now."""
        key = self._key(request, sample)
        kept = self._kept(key)
        if kept is not None:
            return kept, Usage()
        self._throttle.wait(_tokens(request))
        reply = self._complete(request)
        if not reply.problem:
            self._cache.put(key, reply.__dict__)
        return reply, self._usage(request, reply)

    def _key(self, request: dict[str, Any], sample: int) -> str:
        return digest([PROMPT_VERSION, self.name, request, sample])

    def _kept(self, key: str) -> Completion | None:
        """Return a reply that was paid for before; what an older version kept in another form counts as not there."""
        kept = self._cache.get(key)
        try:
            return None if kept is None else Completion(**kept)
        except TypeError:
            return None

    def _usage(self, request: dict[str, Any], reply: Completion) -> Usage:
        if reply.problem:
            return Usage(1)
        stated = reply.prompt_tokens is not None and reply.completion_tokens is not None
        prompt = reply.prompt_tokens if reply.prompt_tokens is not None else _tokens(request)
        completion = (
            reply.completion_tokens
            if reply.completion_tokens is not None
            else len(reply.text) // CHARACTERS_PER_TOKEN
        )
        return Usage(1, prompt, completion, self._price(prompt, completion), estimated=not stated)

    def _price(self, prompt: int, completion: int) -> float:
        return (prompt * self.prices[0] + completion * self.prices[1]) / 1e6

    def exchange(self, question: Question) -> list[Any]:
        """Return what was sent and received for a question.

        Parameters
        ----------
        question : Question
            One that was answered.

        Returns
        -------
        list of dict
            Requests and replies, as plain data without any key; empty if it was not asked.
        """
        return list(self._exchanges.get(question.key, ()))

    def preview(self, question: Question) -> str:
        """Return exactly what would be sent, without sending it.

        Parameters
        ----------
        question : Question
            With what is ``given``.

        Returns
        -------
        str
            The body of the request, as JSON.
        """
        prompt = write_prompt(question, self.debiasing)
        request = self._request([dict(m) for m in prompt.messages], prompt)
        return json.dumps(request, ensure_ascii=False, indent=1)

    def estimate(self, questions: Sequence[Question]) -> Usage:
        """Say what answers would cost, without asking: prompts by their length, replies by what is asked for, and nothing for replies that are kept.

        Parameters
        ----------
        questions : sequence of Question
            What would be asked.

        Returns
        -------
        Usage
            Calls, tokens, and cost by `prices`.
        """
        total = Usage()
        for question in questions:
            prompt = write_prompt(question, self.debiasing)
            request = self._request([dict(m) for m in prompt.messages], prompt)
            if self._kept(self._key(request, question.sample)) is not None:
                continue
            sent = _tokens(request)
            edges = 0 if prompt.letters else 2 * len(prompt.names)
            reply = TOKENS_PER_REPLY + TOKENS_PER_EDGE * edges
            total = total + Usage(1, sent, reply, self._price(sent, reply), estimated=True)
        return total


def _tokens(request: Mapping[str, Any]) -> int:
    return sum(len(m["content"]) for m in request["messages"]) // CHARACTERS_PER_TOKEN


class CallableExpert(PromptedExpert):
    """An expert behind any function that takes messages and returns text; see `from_callable`."""

    def __init__(self, function: Callable[[Messages], str], name: str, asking: Asking) -> None:
        super().__init__(asking)
        self._function, self._name = function, name

    @property
    def name(self) -> str:
        """Name in receipts."""
        return self._name

    def _request(self, messages: Messages, prompt: Prompt) -> dict[str, Any]:
        form = f"\n\nJSON schema of the reply:\n{json.dumps(prompt.schema, sort_keys=True)}"
        return {"messages": [{**messages[0], "content": messages[0]["content"] + form}, *messages[1:]]}

    def _complete(self, request: dict[str, Any]) -> Completion:
        try:
            text = self._function([dict(m) for m in request["messages"]])
        except ExpertError as refusal:
            raise ExpertError(redact(str(refusal))) from None
        except Exception as problem:  # noqa: BLE001 - a function of the user's may raise anything, and the run goes on without its answer
            return Completion(problem=redact(f"the function raised {type(problem).__name__}: {problem}"))
        if not isinstance(text, str):
            raise ExpertError(
                f"{self.name} returned {type(text).__name__}; a function that answers messages returns text"
            )
        return Completion(redact(sound(text)))


def from_callable(
    function: Callable[[Messages], str],
    *,
    name: str = "callable",
    debiasing: Debiasing | None = None,
    concurrency: int = 1,
    requests_per_minute: int | None = None,
    tokens_per_minute: int | None = None,
    prices: tuple[float, float] = (0.0, 0.0),
    cache: str | Path | None = None,
) -> CallableExpert:
    """Make an expert of any function that answers messages, such as one around another library or a company's gateway.

    Parameters
    ----------
    function : callable
        Takes a list of messages, each a dict with ``role`` and ``content``, and returns text.
    name : str, default="callable"
        Name in receipts, and part of the key under which replies are kept: give each model another. With a cache it must be given.
    debiasing : Debiasing, optional
        What may differ between repetitions of a question.
    concurrency : int, default=1
        Threads; more than one only if the function bears it.
    requests_per_minute, tokens_per_minute : int, optional
        Limits.
    prices : tuple of (float, float), default=(0, 0)
        Of a million tokens of prompts and of replies.
    cache : str or pathlib.Path, optional
        SQLite file of replies; by default they are kept while the expert lives.

    Returns
    -------
    CallableExpert
        An expert; needs ``pip install causalkit[llm]`` for the check of replies.

    Examples
    --------
    >>> from causalkit.llm_causal import Question, from_callable
    >>> def always_first(messages):
    ...     return '{"reasoning": "it stands first", "answer": "A", "confidence": 0.5}'
    >>> expert = from_callable(always_first, name="first")
    >>> answer, = expert.answer([Question("orient", ("A", "B"))])
    >>> answer.status, answer.rationale
    ('answered', 'it stands first')
    """
    if cache is not None and name == "callable":
        raise ParameterError("with cache=, give each function a name=: replies are kept under it")
    asking = Asking(debiasing, concurrency, requests_per_minute, tokens_per_minute, prices, cache)
    return CallableExpert(function, name, asking)
