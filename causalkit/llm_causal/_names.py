"""A graph from names alone: the answers to a strategy, what they disagree on asked again, and the order that agrees with most of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any, TypeAlias

from causalkit.graph import CausalGraph
from causalkit.llm_causal._ledger import Meter, in_words
from causalkit.llm_causal._questions import Answer, Question, Usage
from causalkit.llm_causal._result import BuildResult, Conflict, OpenQuestions
from causalkit.llm_causal._strategies import Strategy, Votes, count_votes, questions_for
from causalkit.llm_causal._variables import Variable

__all__ = ["from_names", "unanswered"]

Pair: TypeAlias = tuple[str, str]
NOT_CALIBRATED = "Without data nothing says how far the expert is right: probabilities are shares of answers, not calibrated."
TIE = "as many answers claim the opposite"
CYCLE = "it would close a cycle with arrows that were claimed more often"


def from_names(
    meter: Meter,
    variables: tuple[Variable, ...],
    strategy: Strategy,
    samples: int,
    limit: int,
    progress: Callable[[str, int], None],
) -> BuildResult:
    """Ask, ask again about the pairs on which answers to whole graphs differ most, and draw what was claimed by most."""
    names = [v.name for v in variables]
    answers = meter.ask(questions_for(strategy, variables, samples), strategy)
    progress(strategy, len(answers))
    disputed = _to_settle(answers, names) if strategy == "graph" and samples > 1 else []
    again = [Question("direct", pair, k, given=variables) for pair in disputed for k in range(2)][:limit]
    answers += meter.ask(again, "disputed pairs")
    votes = count_votes(answers, names)
    graph, cyclic = votes.graph()
    return BuildResult(
        _with_receipts(graph, votes, meter.expert.name),
        _probabilities(votes),
        tuple(
            Conflict(pair, "no data", counted(votes, pair), "left out", _why(votes, pair)) for pair in cyclic
        ),
        tuple(answers),
        meter.ledger,
        None,
        OpenQuestions((), 0.0, Usage()),
        not meter.spent_out and not _why_nothing(answers) and all(a.status == "answered" for a in answers),
        tuple(_notes(meter, answers)),
        nothing=_why_nothing(answers),
    )


def _to_settle(answers: Sequence[Answer], names: Sequence[str]) -> list[Pair]:
    """Return pairs on which answers differ, the most disputed first, then those of which an answer says that it cannot tell."""
    disputed = count_votes(answers, names).disputed()
    known = {frozenset(pair) for pair in disputed}
    unsure = {frozenset(pair) for answer in answers for pair in answer.unsure} - known
    return [*disputed, *sorted((min(pair), max(pair)) for pair in unsure)]


def _with_receipts(graph: CausalGraph, votes: Votes, expert: str) -> CausalGraph:
    shares = _probabilities(votes)
    pairs = [(e.u, e.v) if graph.has_directed_edge(e.u, e.v) else (e.v, e.u) for e in graph.edges]
    columns: dict[str, list[Any]] = {
        "confidence": [round(shares[pair], 6) for pair in pairs],
        "source": ["expert"] * len(pairs),
        "note": [counted(votes, pair) for pair in pairs],
    }
    meta = {"policy": "names", "expert": expert}
    return CausalGraph(graph.kind, graph.nodes, graph.marks, edge_data=columns, meta=meta)


def _probabilities(votes: Votes) -> dict[Pair, float]:
    """Return shares of answers, for pairs that were asked about."""
    place = {name: k for k, name in enumerate(votes.names)}
    shares = {(u, v): float(votes.shares[place[u], place[v]]) for u, v in permutations(votes.names, 2)}
    return {pair: share for pair, share in shares.items() if share > 0}


def _notes(meter: Meter, answers: Sequence[Answer]) -> list[str]:
    spent = f"{in_words(meter.spent_out)}; the graph is of the answers that came." if meter.spent_out else ""
    nothing = _why_nothing(answers)
    return [NOT_CALIBRATED, *filter(None, [spent, nothing]), *unanswered(answers)]


def _why_nothing(answers: Sequence[Answer]) -> str:
    """Say that nothing was said of any pair; nothing if something was: that there is no arrow is something."""
    if any(a.says_something for a in answers):
        return ""
    if any(a.status == "answered" for a in answers):
        return "The expert could not tell of any pair, so that there is no arrow means nothing."
    unread = any(a.status == "invalid" for a in answers)
    return "No reply of the expert could be read." if unread else "No answer came."


def unanswered(answers: Sequence[Answer]) -> list[str]:
    """Say how many questions have no answer, and why the first has none; nothing if all have one."""
    lost = [a for a in answers if a.status != "answered"]
    return (
        [f"{len(lost)} of {len(answers)} questions have no answer; the first: {lost[0].problem}."]
        if lost
        else []
    )


def counted(votes: Votes, pair: Pair) -> str:
    """Say how many of the answers that could claim an arrow do."""
    i, j = (votes.names.index(name) for name in pair)
    return f"{votes.claimed[i, j]:.0f} of {votes.asked[i, j]:.0f} answers"


def _why(votes: Votes, pair: Pair) -> str:
    i, j = (votes.names.index(name) for name in pair)
    return TIE if votes.shares[i, j] == votes.shares[j, i] else CYCLE
