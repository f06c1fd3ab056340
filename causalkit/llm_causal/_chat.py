"""Experts behind a server that speaks the protocol of chat completions: hosted, or vLLM, Ollama, llama.cpp on your machine.

Connections, time limits and retries are the openai library's. What a server promises of the form of replies is not relied on: every reply is checked here.
"""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import numpy as np

from causalkit._store import KEY, holds_secret, like_a_key, redact, secret_entries
from causalkit._validation import Floats, check_choice
from causalkit.exceptions import ExpertError, MissingDependencyError, ParameterError
from causalkit.llm_causal._prompted import Asking, Completion, Messages, PromptedExpert
from causalkit.llm_causal._prompts import Debiasing, Prompt
from causalkit.llm_causal._reading import sound

__all__ = ["ChatExpert"]

Structured: TypeAlias = Literal["json_schema", "json_object", "text"]
STRUCTURED: tuple[Structured, ...] = ("json_schema", "json_object", "text")
OURS = ("model", "messages", "response_format", "stream", "n")
ONE_LETTER = "Reply with the letter of the right option, and with nothing else."
SECRETIVE = ("extra_headers", "extra_query")


class ChatExpert(PromptedExpert):
    """A language model as an expert.

    Parameters
    ----------
    model : str
        Name of the model, as the server knows it.
    base_url : str, optional
        Address of the server, such as ``"http://127.0.0.1:8000/v1"``; by default that of the openai library.
    api_key_env : str, default="OPENAI_API_KEY"
        Name of the environment variable that holds the key. The key itself is never a parameter, and is in no message, cache or transcript. Local servers may need none.
    client : object, optional
        An ``openai.OpenAI`` object of your own, such as one for Azure; then `base_url`, `api_key_env`, `timeout` and `max_retries` are its own.
    structured : {"json_schema", "json_object", "text"}, default="json_schema"
        What the server is asked to guarantee of the form of replies: that they fit a schema, that they are JSON, nothing. Replies are checked in any case.
    request_options : mapping, optional
        Other entries of a request, such as ``{"temperature": 0}``; reasoning models accept few.
    timeout : float, default=120.0
        Seconds for a reply.
    max_retries : int, default=3
        Attempts after the first, for server errors, time-outs and limits (with the pause that the server asks for).
    debiasing : Debiasing, optional
        What may differ between repetitions of a question.
    concurrency : int, default=8
        Requests at a time.
    requests_per_minute, tokens_per_minute : int, optional
        Limits.
    prices : tuple of (float, float), default=(0, 0)
        Of a million tokens of prompts and of replies; the cost in ledgers is 0 without.
    cache : str or pathlib.Path, optional
        SQLite file of replies, so that none is paid for twice; by default they are kept while the expert lives.

    Raises
    ------
    MissingDependencyError
        If the openai library is not installed.
    ParameterError
        If a parameter is not allowed.

    Examples
    --------
    >>> from causalkit.llm_causal import ChatExpert
    >>> ChatExpert("qwen3", base_url="http://127.0.0.1:8000/v1")
    ChatExpert('qwen3', base_url='http://127.0.0.1:8000/v1', api_key_env='OPENAI_API_KEY')
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key_env: str = "OPENAI_API_KEY",
        client: Any = None,
        structured: Structured = "json_schema",
        request_options: Mapping[str, Any] | None = None,
        timeout: float = 120.0,
        max_retries: int = 3,
        debiasing: Debiasing | None = None,
        concurrency: int = 8,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        prices: tuple[float, float] = (0.0, 0.0),
        cache: str | Path | None = None,
    ) -> None:
        super().__init__(
            Asking(debiasing, concurrency, requests_per_minute, tokens_per_minute, prices, cache)
        )
        check_choice("structured", structured, STRUCTURED)
        _check_options(request_options or {})
        _check_address(base_url)
        if holds_secret(model):
            raise ParameterError(
                "model holds what looks like a key; a key is given by the environment variable that api_key_env names"
            )
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", api_key_env):
            raise ParameterError(
                "api_key_env must be the name of an environment variable; what was given is no such name (was it the key itself?)"
            )
        self.model, self.base_url, self.api_key_env, self.structured = (
            model,
            base_url,
            api_key_env,
            structured,
        )
        self.request_options = dict(request_options or {})
        self._client = client if client is not None else self._connect(timeout, max_retries)

    def __repr__(self) -> str:
        return f"ChatExpert({self.model!r}, base_url={self.base_url!r}, api_key_env={self.api_key_env!r})"

    @property
    def name(self) -> str:
        """The model, and where it is."""
        address = self.base_url or _address_of(self._client)
        return f"{self.model} at {address}" if address else self.model

    def _connect(self, timeout: float, max_retries: int) -> Any:
        openai = _import_openai()
        key = os.environ.get(self.api_key_env) or "none"
        client = openai.OpenAI(base_url=self.base_url, api_key=key, timeout=timeout, max_retries=max_retries)
        weakref.finalize(self, client.close)
        return client

    def _request(self, messages: Messages, prompt: Prompt) -> dict[str, Any]:
        request: dict[str, Any] = {"model": self.model, "messages": messages, **self.request_options}
        if self.structured == "json_schema":
            form = {"name": "reply", "strict": True, "schema": prompt.schema}
            request["response_format"] = {"type": "json_schema", "json_schema": form}
        if self.structured == "json_object":
            request["response_format"] = {"type": "json_object"}
        return request

    def score(self, prompts: Sequence[str], options: Sequence[str]) -> Floats:
        """Return the log-probability that each option is the first token of a reply, as the oracles of event strength ask for.

        Replies are one token long, kept like all others, and asked for as fast as the limits allow.

        Parameters
        ----------
        prompts : sequence of str
            Texts.
        options : sequence of str
            What a reply may be, of one token each, such as letters; blanks around them do not count.

        Returns
        -------
        numpy.ndarray of float, shape (len(prompts), len(options))
            Natural logarithms; minus infinity for what is not among the 20 most likely tokens, which is as far as servers tell.

        Raises
        ------
        ExpertError
            If the server does not tell log-probabilities, or does not reply to a prompt. What came before is kept.

        See Also
        --------
        causalkit.strength.LetterOracle : Strength from such scores.
        """
        requests = [self._one_token(prompt) for prompt in prompts]
        with ThreadPoolExecutor(min(self.concurrency, max(len(requests), 1))) as pool:
            replies = list(pool.map(lambda request: self._reply(request, 0)[0], requests))
        return np.array([self._logs(reply, options) for reply in replies]).reshape(len(prompts), len(options))

    def _one_token(self, prompt: str) -> dict[str, Any]:
        messages = [{"role": "system", "content": ONE_LETTER}, {"role": "user", "content": prompt}]
        length = {} if "max_completion_tokens" in self.request_options else {"max_tokens": 1}
        asked = {"logprobs": True, "top_logprobs": 20, **length, **self.request_options}
        return {"model": self.model, "messages": messages, **asked}

    def _logs(self, reply: Completion, options: Sequence[str]) -> list[float]:
        if not reply.first:
            why = (
                reply.problem
                or "it does not tell log-probabilities of tokens; local servers do, and LocalExpert"
            )
            raise ExpertError(f"{self.name} cannot score options: {why}")
        logs = dict.fromkeys((option.strip() for option in options), -np.inf)
        for token, log in reply.first:
            if token.strip() in logs:
                logs[token.strip()] = np.logaddexp(logs[token.strip()], log)
        return [min(float(logs[option.strip()]), 0.0) for option in options]

    def _complete(self, request: dict[str, Any]) -> Completion:
        openai = _import_openai()
        try:
            reply = self._client.chat.completions.create(**request)
        except (openai.RateLimitError, openai.InternalServerError, openai.APIConnectionError) as problem:
            return Completion(problem=self._redacted(f"{type(problem).__name__}: {problem}"))
        except openai.APIStatusError as problem:
            raise ExpertError(self._redacted(self._advice(problem))) from None
        except (openai.OpenAIError, ValueError, AttributeError, TypeError) as problem:
            return Completion(problem=self._redacted(f"the server's reply is no chat completion: {problem}"))
        found = _completion(reply)
        return replace(
            found,
            text=self._redacted(sound(found.text)),
            refusal=self._redacted(found.refusal),
            model=self._redacted(found.model),
        )

    def _advice(self, problem: Any) -> str:
        """Say what a refused request means."""
        unset = "" if os.environ.get(self.api_key_env) else ", which is not set"
        what = {
            401: f"the server does not accept the key in the environment variable {self.api_key_env}{unset}",
            403: f"the key in {self.api_key_env} may not use the model {self.model!r}",
            404: f"the server has no model {self.model!r}, or {self.base_url or 'its address'} does not end in the right path (often /v1)",
            400: "the server does not accept the request; if it does not know schemas, try structured='json_object' or 'text'",
        }
        said = self._redacted(str(problem))[:500]
        return f"{self.name}: {what.get(problem.status_code, 'the server refuses the request')} ({said})"

    def _redacted(self, text: str) -> str:
        key, own = os.environ.get(self.api_key_env, ""), str(getattr(self._client, "api_key", "") or "")
        return redact(text, key, own)


def _check_options(options: Mapping[str, Any]) -> None:
    taken = sorted(set(options) & set(OURS))
    if taken:
        raise ParameterError(f"request_options holds {taken[0]!r}, which is set by the expert itself")
    hidden = sorted({*secret_entries(options), *(set(options) & set(SECRETIVE))})
    if hidden:
        raise ParameterError(
            f"request_options holds {hidden[0]!r}, and what is in it would stand in transcripts; give client=openai.OpenAI(default_headers=...)"
        )


def _check_address(base_url: str | None) -> None:
    if base_url is None:
        return
    parts = urlsplit(base_url)
    what = (
        "a user or password"
        if parts.username is not None
        else "a query"
        if parts.query or parts.fragment
        else "what looks like a key"
        if any(like_a_key(part) for part in parts.path.split("/"))
        else ""
    )
    if what:
        raise ParameterError(
            f"base_url holds {what}, which would stand in receipts; give client=openai.OpenAI(...) with it"
        )


def _address_of(client: Any) -> str:
    """Return the address of a client without what is secret in it; nothing for that of the library."""
    parts = urlsplit(str(getattr(client, "base_url", "") or ""))
    host = parts.hostname or ""
    if not host or host == "api.openai.com":
        return ""
    port = f":{parts.port}" if parts.port else ""
    path = "/".join(KEY if like_a_key(part) else part for part in parts.path.split("/"))
    return f"{parts.scheme}://{host}{port}{path}"


def _import_openai() -> Any:
    try:
        import openai
    except ImportError as problem:
        raise MissingDependencyError(
            "servers are asked through the openai library: pip install 'causalkit[llm]', or use from_callable"
        ) from problem
    return openai


def _completion(reply: Any) -> Completion:
    """Read what servers send, some of whom leave much out."""
    choices = getattr(reply, "choices", None)
    if not choices:
        return Completion(problem="the server's reply is no chat completion: it has no choices")
    message = choices[0].message
    text = (getattr(message, "content", None) or "") if message is not None else ""
    usage = getattr(reply, "usage", None)
    return Completion(
        text,
        getattr(usage, "prompt_tokens", None),
        getattr(usage, "completion_tokens", None),
        refusal=str(getattr(message, "refusal", None) or ""),
        model=str(getattr(reply, "model", None) or ""),
        first=_first_tokens(choices[0]),
    )


def _first_tokens(choice: Any) -> tuple[tuple[str, float], ...]:
    """Return the most likely first tokens with their log-probabilities, if the server tells them."""
    content = getattr(getattr(choice, "logprobs", None), "content", None)
    likely = getattr(content[0], "top_logprobs", None) if content else None
    return tuple((str(one.token), float(one.logprob)) for one in likely or ())
