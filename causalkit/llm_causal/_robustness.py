"""How far answers depend on words: the same questions in other words, without names, under names of other variables, and without one of the sources.

An expert who judges by mechanisms gives the same answers in other words, knows nothing when names are gone, and follows the names when they are exchanged. One who recites a graph goes on
reciting it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from causalkit._random import Seed, as_generator
from causalkit._validation import check_count
from causalkit.exceptions import KnowledgeError, ParameterError
from causalkit.graph import CausalGraph
from causalkit.llm_causal._claims import Claim, KnowledgeBase
from causalkit.llm_causal._ledger import Budget, Meter
from causalkit.llm_causal._questions import Answer, Expert, Question
from causalkit.llm_causal._variables import Described, Variable, as_variables

__all__ = ["RobustnessCard", "RobustnessRow", "leave_one_source_out", "robustness_card"]


@dataclass(frozen=True)
class RobustnessRow:
    """One way of asking.

    Parameters
    ----------
    condition : str
        How the questions were asked.
    n : int
        Questions.
    named : float
        Share that was answered by a direction.
    agreement : float
        Share of directions equal to those of the plain questions, where both name one; NaN if none do.
    accuracy : float
        Share of directions that are those of the graph; NaN without a graph.
    expected : str
        What an expert who knows the subject would show.
    """

    condition: str
    n: int
    named: float
    agreement: float
    accuracy: float
    expected: str


@dataclass(frozen=True)
class RobustnessCard:
    """How answers change with the way of asking.

    Parameters
    ----------
    expert : str
        Who was asked.
    rows : tuple of RobustnessRow
        One per way.
    """

    expert: str
    rows: tuple[RobustnessRow, ...]

    def __str__(self) -> str:
        return self.to_markdown()

    def to_markdown(self) -> str:
        """Return the card as a table.

        Returns
        -------
        str
            Markdown.
        """
        lines = [
            f"# Robustness of {self.expert}",
            "",
            "| asked | questions | named | agreement | accuracy | expected |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {r.condition} | {r.n} | {r.named:.2f} | {_number(r.agreement)} | {_number(r.accuracy)} | {r.expected} |"
            for r in self.rows
        ]
        return "\n".join(lines)


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"


def robustness_card(
    variables: Described,
    pairs: Sequence[tuple[str, str]],
    *,
    expert: Expert,
    graph: CausalGraph | None = None,
    samples: int = 2,
    budget: Budget | None = None,
    rng: Seed = 0,
) -> RobustnessCard:
    """Ask for directions in several ways.

    Parameters
    ----------
    variables : iterable of str or Variable, or mapping of str to str
        With the descriptions that the expert is told.
    pairs : sequence of (str, str)
        Pairs that are joined by an edge; which of the two is named first says nothing.
    expert : Expert
        Who is asked: 4 questions per pair and further sample.
    graph : CausalGraph, optional
        With the directions, for accuracy over pairs that it joins by an arrow.
    samples : int, default=2
        Ways of the plain question: first words, and others with other orders of options and variables.
    budget : Budget, optional
        What may be spent.
    rng : int, numpy.random.Generator or None, default=0
        Seed of the exchange of names.

    Returns
    -------
    RobustnessCard
        Plain; the two variables in the other order; other words; ids only; names exchanged.

    Raises
    ------
    ParameterError
        If there are no pairs.

    Notes
    -----
    Under exchanged names every variable is called, and described, as another one. "accuracy" is then still that of the graph of the variables themselves: about 1/2 is expected of an expert who
    judges by names, and more of one who recites the structure in spite of them.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.llm_causal import OracleExpert, robustness_card
    >>> graph = CausalGraph.parse("A -> B; C -> B")
    >>> card = robustness_card(graph.nodes, [("A", "B"), ("B", "C")], expert=OracleExpert(graph), graph=graph)
    >>> card.rows[0].accuracy
    1.0
    """
    if not pairs or len({frozenset(pair) for pair in pairs}) < len(pairs):
        raise ParameterError(
            "there are no pairs to ask about"
            if not pairs
            else "each pair is asked about once; one is named twice"
        )
    given, more = as_variables(variables), check_count("samples", samples)
    meter = Meter(expert, budget or Budget())
    plain = _directions(meter, pairs, given, 0)
    ways: list[tuple[str, Callable[[], Mapping[tuple[str, str], bool | None]], str]] = [
        ("plain", lambda: plain, "right"),
        ("other order of the pair", lambda: _directions(meter, pairs, given, 0, swap=True), "the same"),
        *(
            (f"other words ({k})", lambda k=k: _directions(meter, pairs, given, k), "the same")
            for k in range(1, more)
        ),
        (
            "ids only",
            lambda: _directions(meter, pairs, _without_names(given), 0),
            "nothing known: accuracy about 1/2, or no direction",
        ),
        (
            "names exchanged",
            lambda: _directions(meter, pairs, _exchanged(given, rng), 0),
            "the names followed: accuracy about 1/2",
        ),
    ]
    return RobustnessCard(
        expert.name, tuple(_row(name, ask(), plain, graph, expected) for name, ask, expected in ways)
    )


def _directions(
    meter: Meter,
    pairs: Sequence[tuple[str, str]],
    given: tuple[Variable, ...],
    sample: int,
    *,
    swap: bool = False,
) -> dict[tuple[str, str], bool | None]:
    """Return for every pair whether its first variable is said to be the cause; None where no direction is named."""
    asked = [Question("orient", pair[::-1] if swap else pair, sample, given=given) for pair in pairs]
    answers: list[Answer] = meter.ask(asked, "robustness")
    said = [a.about(*pair) for a, pair in zip(answers, pairs, strict=True)]
    return {
        pair: {"forward": True, "backward": False}.get(str(s)) for pair, s in zip(pairs, said, strict=True)
    }


def _row(
    condition: str,
    found: Mapping[tuple[str, str], bool | None],
    plain: Mapping[tuple[str, str], bool | None],
    graph: CausalGraph | None,
    expected: str,
) -> RobustnessRow:
    named = {pair: ahead for pair, ahead in found.items() if ahead is not None}
    same = [ahead == plain[pair] for pair, ahead in named.items() if plain[pair] is not None]
    right = (
        []
        if graph is None
        else [
            graph.has_directed_edge(*(pair if ahead else pair[::-1]))
            for pair, ahead in named.items()
            if graph.edge_between(*pair) in ("->", "<-")
        ]
    )
    return RobustnessRow(condition, len(found), len(named) / len(found), _mean(same), _mean(right), expected)


def _mean(hits: Sequence[bool]) -> float:
    return float(np.mean(hits)) if hits else float("nan")


def _without_names(given: Sequence[Variable]) -> tuple[Variable, ...]:
    return tuple(Variable(v.name, "", f"variable {k + 1}") for k, v in enumerate(given))


def _exchanged(given: Sequence[Variable], rng: Seed) -> tuple[Variable, ...]:
    """Give every variable the name and the description of another one, in a circle of random order."""
    order = as_generator(rng).permutation(len(given))
    other = {int(order[k]): given[int(order[(k + 1) % len(order)])] for k in range(len(order))}
    return tuple(
        replace(v, alias=other[k].said, description=other[k].description) for k, v in enumerate(given)
    )


def leave_one_source_out(
    claims: Sequence[Claim] | KnowledgeBase, graph: CausalGraph
) -> dict[str, tuple[tuple[str, str], ...]]:
    """Say which arrows hang on one source alone.

    Parameters
    ----------
    claims : sequence of Claim or KnowledgeBase
        From several sources.
    graph : CausalGraph
        A CPDAG or MPDAG.

    Returns
    -------
    dict of str to tuple of (str, str)
        For every source the arrows that are lost without its claims.

    Raises
    ------
    KnowledgeError
        If all claims together fit no member of the class.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.llm_causal import Claim, leave_one_source_out
    >>> graph = CausalGraph.parse("A --- B; B --- C", kind="CPDAG")
    >>> leave_one_source_out([Claim("A", "B", "direct", source="paper"), Claim("B", "A", "not_ancestor", source="model")], graph)
    {'paper': (), 'model': ()}
    """
    kept = tuple(claims)
    arrows = _arrows(KnowledgeBase(kept).apply(graph).graph)
    lost = {}
    for source in dict.fromkeys(c.source for c in kept):
        try:
            rest = _arrows(KnowledgeBase(c for c in kept if c.source != source).apply(graph).graph)
        except KnowledgeError:
            rest = set()
        lost[source] = tuple(sorted(arrows - rest))
    return lost


def _arrows(graph: CausalGraph) -> set[tuple[str, str]]:
    return {
        (e.u, e.v) if graph.has_directed_edge(e.u, e.v) else (e.v, e.u) for e in graph.edges if e.is_directed
    }
