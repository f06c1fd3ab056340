"""What a model replied, as an answer; or what is wrong with it, in words that help it to mend the reply."""

from __future__ import annotations

import json
from typing import Any

from causalkit.llm_causal._prompts import Prompt, import_pydantic
from causalkit.llm_causal._questions import Answer, Proposal, Question

__all__ = ["UnreadableError", "read_reply", "sound"]

LONGEST = 200_000


class UnreadableError(ValueError):
    """A reply is not in the form that was asked for; the message says where."""


def read_reply(text: str, question: Question, prompt: Prompt) -> Answer:
    """Read a reply; raise `UnreadableError` if it is not in the form that was asked for."""
    reply = _validated(text, prompt)
    common: dict[str, Any] = {"rationale": reply.reasoning}
    if prompt.letters:
        choice = prompt.letters[reply.answer]
        return Answer(question, choice, probabilities={choice: reply.confidence}, **common)
    if question.kind == "propose":
        proposals = tuple(Proposal(p.name, question.text, p.rationale) for p in reply.proposals)
        return Answer(question, proposals=proposals, **common)
    return _arrows(reply, question, prompt, common)


def _validated(text: str, prompt: Prompt) -> Any:
    pydantic = import_pydantic()
    try:
        content = _json(text)
        # Who is unsure of nothing often leaves that list out.
        unsaid: dict[str, list[Any]] = {"unsure": []} if "unsure" in prompt.reply.model_fields else {}
        return prompt.reply.model_validate(unsaid | content)
    except pydantic.ValidationError as problem:
        first = problem.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the object"
        raise UnreadableError(f"{place}: {first['msg']}") from problem


def _json(text: str) -> Any:
    """Return the object in a text: the text itself, or from its first brace to its last, as in a fenced block."""
    if len(text) > LONGEST:
        raise UnreadableError(f"the reply has {len(text)} characters; at most {LONGEST} are read")
    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise UnreadableError("the reply holds no JSON object" if text.strip() else "the reply is empty")
    try:
        return sound(json.loads(text[start : end + 1]))
    except (ValueError, RecursionError) as problem:
        raise UnreadableError(f"the reply is not JSON: {problem}") from problem


def sound(content: Any) -> Any:
    """Return plain data without halves of characters, which no file in UTF-8 can hold: models cut emoji in two."""
    if isinstance(content, str):
        return content.encode("utf-8", "replace").decode("utf-8")
    if isinstance(content, list):
        return [sound(part) for part in content]
    if isinstance(content, dict):
        return {sound(key): sound(value) for key, value in content.items()}
    return content


def _arrows(reply: Any, question: Question, prompt: Prompt, common: dict[str, Any]) -> Answer:
    arrows = {(prompt.names[e.cause], prompt.names[e.effect]): float(e.confidence) for e in reply.edges}
    unsure = tuple((prompt.names[p.first], prompt.names[p.second]) for p in reply.unsure)
    both = sorted({frozenset(p) for p in unsure} & {frozenset(p) for p in arrows}, key=sorted)
    if both:
        raise UnreadableError(
            f"{' and '.join(sorted(both[0]))} stand under edges and under unsure; only one can be meant"
        )
    for cause, effect in (*arrows, *unsure):
        if cause == effect:
            raise UnreadableError(f"edges: {cause!r} cannot cause itself")
        if question.kind == "children" and cause not in question.variables:
            raise UnreadableError(f"edges: only effects of {question.variables[0]!r} were asked for")
        if question.kind == "triplet" and not {cause, effect} <= question.pair:
            raise UnreadableError("edges: only three variables were asked about")
    stated = {f"{cause} -> {effect}": p for (cause, effect), p in arrows.items()}
    return Answer(question, arrows=tuple(arrows), unsure=unsure, probabilities=stated, **common)
