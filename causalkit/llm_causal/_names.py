"""A graph from names alone: the answers to a strategy, what they disagree on asked again, and the order that agrees with most of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any, TypeAlias

from causalkit.graph import CausalGraph
from causalkit.llm_causal._ledger import Meter
from causalkit.llm_causal._questions import Answer, Question, Usage
from causalkit.llm_causal._result import BuildResult, Conflict, OpenQuestions
from causalkit.llm_causal._strategies import Strategy, Votes, count_votes, questions_for
from causalkit.llm_causal._variables import Variable

__all__ = ["from_names", "unanswered"]

Pair: TypeAlias = tuple[str, str]
NOT_CALIBRATED = "Without data nothing says how far the expert is right: probabilities are shares of answers, not calibrated."
CYCLE = "it would close a cycle with arrows that were claimed more often"


def from_names(
    meter: Meter,
    variables: tuple[Variable, ...],
    strategy: Strategy,
    samples: int,
    progress: Callable[[str, int], None],
) -> BuildResult:
    """Ask, ask again where answers to whole graphs differ, and draw what was claimed by most."""
    names = [v.name for v in variables]
    answers = meter.ask(questions_for(strategy, variables, samples), strategy)
    progress(strategy, len(answers))
    disputed = count_votes(answers, names).disputed() if strategy == "graph" else []
    again = [Question("direct", pair, k, given=variables) for pair in disputed for k in range(2)]
    answers += meter.ask(again, "disputed pairs")
    votes = count_votes(answers, names)
    graph, cyclic = votes.graph()
    return BuildResult(
        _with_receipts(graph, votes, answers, meter.expert.name),
        _probabilities(votes),
        tuple(Conflict(pair, "no data", counted(answers, pair), "left out", CYCLE) for pair in cyclic),
        tuple(answers),
        meter.ledger,
        None,
        OpenQuestions((), 0.0, Usage()),
        not meter.spent_out and all(a.status == "answered" for a in answers),
        tuple(_notes(meter, answers)),
    )


def _with_receipts(graph: CausalGraph, votes: Votes, answers: Sequence[Answer], expert: str) -> CausalGraph:
    shares = _probabilities(votes)
    pairs = [(e.u, e.v) if graph.has_directed_edge(e.u, e.v) else (e.v, e.u) for e in graph.edges]
    columns: dict[str, list[Any]] = {
        "confidence": [round(shares[pair], 6) for pair in pairs],
        "source": ["expert"] * len(pairs),
        "note": [counted(answers, pair) for pair in pairs],
    }
    meta = {"policy": "names", "expert": expert}
    return CausalGraph(graph.kind, graph.nodes, graph.marks, edge_data=columns, meta=meta)


def _probabilities(votes: Votes) -> dict[Pair, float]:
    """Return shares of answers, for pairs that were asked about."""
    place = {name: k for k, name in enumerate(votes.names)}
    shares = {(u, v): float(votes.shares[place[u], place[v]]) for u, v in permutations(votes.names, 2)}
    return {pair: share for pair, share in shares.items() if share > 0}


def _notes(meter: Meter, answers: Sequence[Answer]) -> list[str]:
    spent = f"The budget was spent ({meter.spent_out}); the graph is of the answers that came."
    return [NOT_CALIBRATED, *([spent] if meter.spent_out else []), *unanswered(answers)]


def unanswered(answers: Sequence[Answer]) -> list[str]:
    """Say how many questions have no answer, and why the first has none; nothing if all have one."""
    lost = [a for a in answers if a.status != "answered"]
    return (
        [f"{len(lost)} of {len(answers)} questions have no answer; the first: {lost[0].problem}."]
        if lost
        else []
    )


def counted(answers: Sequence[Answer], pair: Pair) -> str:
    """Say how many of the answers about a pair claim an arrow."""
    choices = [c for a in answers if a.says_something and (c := a.about(*pair)) is not None]
    return f"{sum(c in ('forward', 'both') for c in choices)} of {len(choices)} answers"
