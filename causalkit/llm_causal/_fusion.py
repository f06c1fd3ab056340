"""Answers of an expert and what data say, put together: the expert is examined, asked what the data leave open, and believed as far as the exam allows.

Three policies. ``data_first``: edges and compelled arrows stay, answers choose among the members of the class. ``bayes``: directions are those of the most probable order, where arrows of the data
weigh as much as they are sure, and answers as much as the exam allows. ``expert_first``: answers are put above the data wherever the expert named a direction. Whatever the policy, each disagreement is
recorded with what was decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

import numpy as np

from causalkit.exceptions import GraphKindError, KnowledgeError, ParameterError
from causalkit.graph import BackgroundKnowledge, CausalGraph, GraphKind, Mark
from causalkit.llm_causal._claims import Claim, KnowledgeBase, holds_in_members
from causalkit.llm_causal._exam import ExamResult, grade
from causalkit.llm_causal._ledger import Meter
from causalkit.llm_causal._names import unanswered
from causalkit.llm_causal._order import best_order
from causalkit.llm_causal._posterior import ClassPosterior, Reliability
from causalkit.llm_causal._questions import Answer, Choice, Question, Usage
from causalkit.llm_causal._result import BuildResult, Conflict, OpenQuestions
from causalkit.llm_causal._variables import Variable

__all__ = ["Evidence", "Fusion", "Policy", "Settings", "with_claims", "with_ensemble"]

Policy: TypeAlias = Literal["data_first", "bayes", "expert_first"]
Pair: TypeAlias = tuple[str, str]
SUREST, SURE, EXAMINABLE, CERTAIN = 0.999, 0.95, 0.85, 0.95
FEWEST_MEMBERS, NOTHING = 50, 1e-6
ONE_CLASS = (GraphKind.CPDAG, GraphKind.MPDAG, GraphKind.DAG)


@dataclass(frozen=True)
class Evidence:
    """What data say.

    Parameters
    ----------
    graph : CausalGraph
        A CPDAG or MPDAG; a PDAG where no class fits.
    why : mapping of (str, str) to str
        Reasons of arrows, in words.
    confidence : mapping of (str, str) to float
        Probabilities of arrows; 1 for those that are not in it.
    conflicts : tuple of Conflict
        Claims that could not be used with the data.
    claimed : frozenset of (str, str)
        Arrows that follow from claims, not from data.
    weights : tuple of Claim
        Claims that weigh the members of the class: those that are not certain, and those that say more than single arrows can.
    data_graph : CausalGraph or None
        What data say without claims; None where that is `graph`.
    """

    graph: CausalGraph
    why: Mapping[Pair, str] = field(default_factory=dict)
    confidence: Mapping[Pair, float] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    claimed: frozenset[Pair] = frozenset()
    weights: tuple[Claim, ...] = ()
    data_graph: CausalGraph | None = None

    @property
    def of_data(self) -> CausalGraph:
        """What data say without claims."""
        return self.graph if self.data_graph is None else self.data_graph

    @property
    def arrows(self) -> list[Pair]:
        """Arrows, in the order of their names, so that the order of columns does not matter."""
        found = [
            (e.u, e.v) if self.graph.has_directed_edge(e.u, e.v) else (e.v, e.u)
            for e in self.graph.edges
            if e.is_directed
        ]
        return sorted(found)

    @property
    def open(self) -> list[Pair]:
        """Edges without a direction."""
        return sorted((min(e.u, e.v), max(e.u, e.v)) for e in self.graph.edges if e.is_undirected)


@dataclass(frozen=True)
class Settings:
    """How a run asks and decides; see `GraphBuilder`."""

    variables: tuple[Variable, ...]
    policy: Policy = "data_first"
    samples: int = 1
    reliability: Reliability | None = None
    exam_questions: int = 20
    confidence: float = 0.8
    min_gain: float = 0.05
    max_questions: int | None = None
    target: Callable[[CausalGraph], float] | None = None
    progress: Callable[[str, int], None] = lambda _, __: None


class Fusion:
    """One run with data."""

    def __init__(self, evidence: Evidence, meter: Meter, settings: Settings) -> None:
        self.evidence, self.meter, self.settings = evidence, meter, settings
        self.answers: list[Answer] = []
        self.notes: list[str] = []
        self.entropy: list[float] = []
        self.thin = False
        self._asked_about: dict[Pair, int] = {}
        self._alone: dict[frozenset[str], float] = {}
        self._told = {v.name for v in settings.variables}

    def run(self) -> BuildResult:
        """Examine, ask, decide."""
        exam = self._examine()
        refused = exam is not None and exam.verdict == "refused" and self.settings.reliability is None
        reliability = self.settings.reliability or (exam.reliability if exam else Reliability(0.5, 0.25, 1.0))
        if refused:
            self.notes.append(
                "The expert is not shown to be better than a coin on edges whose direction the data fix, so it was not used."
            )
            self.entropy = []
            return self._result(self.evidence.graph, reliability, exam, posterior=None)
        if self.settings.reliability is None and (exam is None or exam.verdict == "too few questions"):
            self.notes.append(
                "The data fix too few directions to examine the expert; its reliability is mostly assumed. Give reliability= if you know it."
            )
        posterior = self._posterior(reliability)
        if self.settings.policy == "data_first" and posterior is not None:
            posterior = self._ask_adaptively(posterior)
            return self._result(self._in_class(posterior), reliability, exam, posterior)
        posterior = self._ask_all(posterior)
        return self._result(self._by_order(reliability, posterior), reliability, exam, posterior)

    # -- asking ----------------------------------------------------------------------------------------------------------------

    def _ask(self, questions: Sequence[Question], purpose: str) -> list[Answer]:
        answers = self.meter.ask(questions, purpose)
        self.answers += answers
        self.settings.progress(purpose, len(answers))
        return answers

    def _questions(self, pairs: Sequence[Pair], samples: int, first: int = 0) -> list[Question]:
        """Return questions that name pairs in the order of the alphabet: the order must not give the answer away."""
        given = self.settings.variables
        return [
            Question("orient", (min(pair), max(pair)), first + k, given=given)
            for pair in pairs
            for k in range(samples)
            if set(pair) <= self._told
        ]

    def exam_questions(self) -> list[Question]:
        """Return questions about arrows that the data are sure of, each twice so that repetition shows; to weigh data and answers, about all arrows."""
        first = self.settings.policy == "data_first"
        if first and self.settings.reliability is not None:
            return []
        asked = [a for a in self.evidence.arrows if set(a) <= self._told and a not in self.evidence.claimed]
        sure = {a: self.evidence.confidence.get(a, 1.0) for a in asked}
        ranked = sorted((a for a in asked if not first or sure[a] >= EXAMINABLE), key=lambda a: (-sure[a], a))
        repeats = max(2 if getattr(self.meter.expert, "repeats", True) else 1, self.settings.samples)
        return self._questions(ranked[: self.settings.exam_questions] if first else ranked, repeats)

    def open_questions(self) -> list[Question]:
        """Return one question, and its repetitions, about each edge without a direction."""
        return self._questions(self.evidence.open, self.settings.samples)

    def _examine(self) -> ExamResult | None:
        """Ask what data know, and mark the answers about what they are sure of."""
        questions = self.exam_questions()
        answers = self._ask(questions, "exam") if questions else []
        asked = {q.pair for q in questions}
        surest = [
            a
            for a in self.evidence.arrows
            if frozenset(a) in asked and self.evidence.confidence.get(a, 1.0) >= EXAMINABLE
        ]
        return grade(answers, surest) if surest else None

    def _posterior(self, reliability: Reliability) -> ClassPosterior | None:
        """Return the prior over the class; None if what data left is no class."""
        if self.evidence.graph.kind not in ONE_CLASS:
            self.notes.append(
                "No graph without cycles agrees with these edges, arrows and colliders, so directions were chosen by the best order."
            )
            return None
        posterior = ClassPosterior(self.evidence.graph, reliability)
        if not posterior.exact:
            self.notes.append(
                f"The class is large; {len(posterior.weights)} of its members, drawn at random, stand for it."
            )
        for claim in self.evidence.weights:
            posterior = posterior.weighed(holds_in_members(claim, posterior.members), claim.probability)
        return posterior

    def _ask_adaptively(self, posterior: ClassPosterior) -> ClassPosterior:
        """Ask what tells most, until the best member is sure, or nothing that may be asked tells enough."""
        settings = self.settings
        limit = settings.max_questions or 3 * len(posterior.edges)
        values = (
            None if settings.target is None else _standardised(posterior.evaluate(settings.target), posterior)
        )
        self.entropy = [posterior.entropy]
        lost = {edge for edge in posterior.edges if not set(edge) <= self._told}
        for _ in range(limit):
            question = self._next(posterior, values, lost)
            if question is None or self.meter.spent_out:
                break
            edge = (question.variables[0], question.variables[1])
            before = self._asked_about.get(edge, 0)
            self._asked_about[edge] = before + settings.samples
            answers = self._ask(self._questions([edge], settings.samples, before), "orientation")
            if all(a.status != "answered" for a in answers):
                lost.add(edge)
            learned = posterior.learn(answers)
            if not learned.exact and learned.effective_members < FEWEST_MEMBERS:
                self.thin = True
                self.notes.append(
                    "The class is too large for the members that stand for it: after these answers too few are left, so the last answer was not used and no more was asked."
                )
                break
            posterior = learned
            self.entropy.append(posterior.entropy)
        if not self._asked_about and len(posterior.edges) > len(lost) and posterior.best()[1] < SURE:
            self.notes.append(
                f"No question promises {settings.min_gain:g} or more, with an expert as reliable as this one; nothing was asked. min_gain= lowers the bar."
            )
        return posterior

    def _next(self, posterior: ClassPosterior, values: Any, lost: set[Pair]) -> Question | None:
        """Return the most telling question; None if the best member is sure, or no question tells enough."""
        if posterior.best()[1] >= SURE and values is None:
            return None
        question = posterior.next_question(values=values, without=lost)
        if question is None:
            return None
        k = posterior.edges.index((question.variables[0], question.variables[1]))
        worth = posterior.gains()[k] if values is None else posterior.spreads(values)[k]
        return question if worth >= self.settings.min_gain else None

    def _ask_all(self, posterior: ClassPosterior | None) -> ClassPosterior | None:
        answers = self._ask(self.open_questions(), "orientation")
        if posterior is None:
            return None
        learned = posterior.learn(answers)
        self.entropy = [posterior.entropy, learned.entropy]
        return learned

    # -- deciding --------------------------------------------------------------------------------------------------------------

    def _in_class(self, posterior: ClassPosterior) -> CausalGraph:
        arrows, _ = posterior.oriented(self.settings.confidence)
        return (
            self.evidence.graph.to_mpdag(BackgroundKnowledge(required=arrows))
            if arrows
            else self.evidence.graph
        )

    def _by_order(self, reliability: Reliability, posterior: ClassPosterior | None) -> CausalGraph:
        """Give every edge that something speaks for the direction of the order that agrees with most log-odds."""
        graph = self.evidence.graph.reorder(sorted(self.evidence.graph.nodes))
        odds = np.zeros((graph.n_nodes, graph.n_nodes))
        for edge in graph.edges:
            i, j = graph.index(edge.u), graph.index(edge.v)
            odds[i, j] = self._log_odds((edge.u, edge.v), reliability, posterior)
            odds[j, i] = -odds[i, j]
        place = np.argsort(best_order(np.maximum(odds, 0.0)))
        decided = np.abs(odds) > NOTHING
        along = decided & (place[:, None] < place[None, :])
        marks = np.where(along, Mark.ARROW, np.where(graph.marks != Mark.NONE, Mark.TAIL, Mark.NONE))
        kind = (
            GraphKind.DAG
            if all(decided[graph.index(e.u), graph.index(e.v)] for e in graph.edges)
            else GraphKind.PDAG
        )
        return CausalGraph(kind, graph.nodes, marks.astype(np.uint8)).reorder(self.evidence.graph.nodes)

    def _log_odds(self, pair: Pair, reliability: Reliability, posterior: ClassPosterior | None) -> float:
        said = reliability.log_odds(self._choices(pair))
        if self.settings.policy == "expert_first" and abs(said) > 1e-9:
            return 1000 * said
        return _logit(self._probability(pair, reliability, posterior))

    def _probability(self, pair: Pair, reliability: Reliability, posterior: ClassPosterior | None) -> float:
        """Return the probability of an arrow, given an edge, from data and answers."""
        graph = self.evidence.graph
        edge = graph.edge_between(*pair)
        said = reliability.log_odds(self._choices(pair))
        if edge == "---" and posterior is not None:
            return posterior.probability(*pair)
        prior = 0.5
        above_data = self.settings.policy == "expert_first" and abs(said) > NOTHING
        if not above_data and edge in ("->", "<-"):
            arrow = pair if edge == "->" else pair[::-1]
            sure = min(self.evidence.confidence.get(arrow, 1.0), SUREST)
            prior = sure if edge == "->" else 1 - sure
        return float(1 / (1 + np.exp(-(_logit(prior) + said))))

    def _choices(self, pair: Pair) -> list[Choice]:
        return [choice for a in self.answers if (choice := a.about(*pair)) is not None]

    # -- telling ---------------------------------------------------------------------------------------------------------------

    def _result(
        self,
        graph: CausalGraph,
        reliability: Reliability,
        exam: ExamResult | None,
        posterior: ClassPosterior | None,
    ) -> BuildResult:
        refused = exam is not None and exam.verdict == "refused" and self.settings.reliability is None
        used = Reliability(0.5, 0.5) if refused else reliability
        pairs = [(e.u, e.v) if not graph.has_directed_edge(e.v, e.u) else (e.v, e.u) for e in graph.edges]
        shares = {pair: self._probability(pair, used, posterior) for pair in pairs}
        self._alone = {
            frozenset(pair): float(1 / (1 + np.exp(-used.log_odds(self._choices(pair))))) for pair in pairs
        }
        columns: dict[str, list[Any]] = {
            "confidence": [round(shares[p], 6) for p in pairs],
            "source": [self._source(p, graph) for p in pairs],
            "note": [self._note(p) for p in pairs],
        }
        still_open = [p for p in pairs if graph.edge_between(*p) == "---"]
        estimate = self.meter.expert.estimate(self._questions(still_open, 1)) if still_open else Usage()
        unknown = [p for p in still_open if not set(p) <= self._told]
        if unknown:
            self.notes.append(
                f"{len(unknown)} open edges join nodes that the expert is not told of, and were not asked about."
            )
        if self.meter.spent_out:
            self.notes.append(f"The budget was spent ({self.meter.spent_out}); what is open was not asked.")
        lost = unanswered(self.answers)
        self.notes += lost
        return BuildResult(
            CausalGraph(
                graph.kind,
                graph.nodes,
                graph.marks,
                edge_data=columns,
                meta={"policy": self.settings.policy, "expert": self.meter.expert.name},
            ),
            {**shares, **{p[::-1]: 1 - s for p, s in shares.items()}},
            (*self.evidence.conflicts, *self._conflicts(graph, pairs)),
            tuple(self.answers),
            self.meter.ledger,
            exam,
            OpenQuestions(
                tuple(still_open),
                posterior.entropy if posterior is not None else float(len(still_open)),
                estimate,
            ),
            not (self.meter.spent_out or refused or self.thin or lost),
            tuple(self.notes),
            tuple(self.entropy),
        )

    def _source(self, pair: Pair, graph: CausalGraph) -> str:
        if graph.edge_between(*pair) == "---":
            return "data: an edge"
        if pair in self.evidence.claimed:
            return "data: an edge; claims: its direction"
        if self.evidence.graph.has_directed_edge(*pair):
            return "data"
        asked = any(c in ("forward", "backward") for c in self._choices(pair))
        claimed = any({c.subject, c.object} == set(pair) for c in self.evidence.weights)
        speakers = [*(["claims"] if claimed else []), *(["expert"] if asked else [])]
        if not speakers:
            return "data: an edge; its direction follows from others"
        return f"data: an edge; {' and '.join(speakers)}: its direction"

    def _note(self, pair: Pair) -> str:
        parts = [self.evidence.why.get(pair, "")]
        parts += [
            f"claimed by {c.source or 'no source'} ({c.probability:g}): {c}"
            for c in self.evidence.weights
            if {c.subject, c.object} == set(pair)
        ]
        choices = self._choices(pair)
        if choices:
            counts = [
                f"{choices.count(c)} for {u} -> {v}"
                for c, (u, v) in (("forward", pair), ("backward", pair[::-1]))
                if c in choices
            ]
            silent = len(choices) - choices.count("forward") - choices.count("backward")
            parts.append(
                f"{len(choices)} answer{'s' if len(choices) > 1 else ''}: "
                + ", ".join([*counts, *([f"{silent} without a direction"] if silent else [])])
            )
        return "; ".join(filter(None, parts))

    def _conflicts(self, graph: CausalGraph, pairs: Sequence[Pair]) -> list[Conflict]:
        found = []
        for pair in pairs:
            choices = self._choices(pair)
            ahead, back, none = (choices.count(c) for c in ("forward", "backward", "none"))
            arrow = graph.edge_between(*pair) == "->"
            by_data = self.evidence.graph.edge_between(*pair)
            against_expert = arrow and back > ahead
            against_data = arrow and by_data == "<-"
            if against_expert or against_data:
                found.append(self._conflict(pair, by_data, (ahead, back), against_data=against_data))
            elif none > ahead + back:
                shown = f"{pair[0]} {graph.edge_between(*pair)} {pair[1]}"
                found.append(
                    Conflict(
                        pair,
                        "an edge",
                        f"{none} answers: neither",
                        shown,
                        "data decide which edges there are",
                    )
                )
            elif not arrow and self._is_shouted_down(pair):
                said = f"{ahead} answers for {pair[0]} -> {pair[1]}, {back} for {pair[1]} -> {pair[0]}"
                found.append(
                    Conflict(
                        pair,
                        "an edge without a direction",
                        said,
                        "left open",
                        "other answers and the class speak against it",
                    )
                )
        return found

    def _is_shouted_down(self, pair: Pair) -> bool:
        """Whether the answers about a pair would have given it a direction if there were no others."""
        alone = self._alone.get(frozenset(pair), 0.5)
        return max(alone, 1 - alone) >= self.settings.confidence > 0.5

    def _conflict(
        self, pair: Pair, by_data: str | None, counts: tuple[int, int], *, against_data: bool
    ) -> Conflict:
        u, v = pair
        shown = {"->": f"{u} -> {v}", "<-": f"{v} -> {u}"}.get(by_data or "", "an edge without a direction")
        reason = self.evidence.why.get(pair if by_data == "->" else pair[::-1], "")
        why = {
            "data_first": "data come first"
            if by_data == "->"
            else "other answers and the class leave no room for the other direction",
            "bayes": "more probable, given data and answers",
            "expert_first": "the expert comes first"
            if against_data
            else "the other direction would close a cycle",
        }[self.settings.policy]
        said = f"{counts[0]} answers for {u} -> {v}, {counts[1]} for {v} -> {u}"
        return Conflict(pair, f"{shown}{f' ({reason})' if reason else ''}", said, f"{u} -> {v}", why)


def _standardised(values: Any, posterior: ClassPosterior) -> Any:
    """Return a quantity in its own standard deviations over the class, so that its unit does not matter; zeros where all members agree."""
    centred = values - float(values @ posterior.weights)
    spread = float(np.sqrt(centred**2 @ posterior.weights))
    return (
        centred / spread
        if spread > 1e-12 * max(1e-300, float(np.abs(values).max()))
        else np.zeros_like(centred)
    )


def _logit(probability: float) -> float:
    share = min(max(probability, 1 - SUREST), SUREST)
    return float(np.log(share / (1 - share)))


def with_ensemble(evidence: Evidence, others: Sequence[CausalGraph]) -> Evidence:
    """Make arrows at most as sure as the share of all searches that have them."""
    if not others:
        return evidence
    for graph in others:
        absent = [node for node in evidence.graph.nodes if node not in graph.nodes]
        if absent:
            raise ParameterError(
                f"a graph of the ensemble has no node {absent[0]!r}, which the first one has"
            )
    share = {
        a: (1 + sum(g.has_directed_edge(*a) for g in others)) / (1 + len(others)) for a in evidence.arrows
    }
    sure = evidence.confidence
    return replace(evidence, confidence={a: min(sure.get(a, 1.0), share[a]) for a in evidence.arrows})


def with_claims(evidence: Evidence, claims: Iterable[Claim]) -> Evidence:
    """Apply claims one after the other, the most probable first; one that no graph of the class agrees with is a conflict.

    Claims that are not nearly certain are kept as weights.
    """
    sure = sorted((c for c in claims if c.probability >= CERTAIN), key=lambda c: -c.probability)
    kept, dropped = KnowledgeBase(sure).resolved(evidence.graph.nodes)
    conflicts = [_left_out(c, "", "it contradicts claims that are at least as probable") for c in dropped]
    graph, used = evidence.graph, KnowledgeBase()
    beyond: tuple[Claim, ...] = ()
    for claim in kept:
        try:
            applied = used.with_claim(claim).apply(evidence.graph)
            graph, used, beyond = applied.graph, used.with_claim(claim), applied.residual
        except (KnowledgeError, GraphKindError) as problem:
            conflicts.append(_left_out(claim, "the equivalence class", str(problem)))
    sources = ", ".join(dict.fromkeys(c.source or "no source" for c in used))
    before = {frozenset(a) for a in evidence.arrows}
    fresh = [a for a in replace(evidence, graph=graph).arrows if frozenset(a) not in before]
    why = {**evidence.why, **dict.fromkeys(fresh, f"follows from claims ({sources})")}
    unsure = tuple(c for c in claims if c.probability < CERTAIN)
    if graph.kind not in ONE_CLASS:
        conflicts += [_left_out(c, "no equivalence class", "there is nothing to weigh") for c in unsure]
    return replace(
        evidence,
        graph=graph,
        why=why,
        conflicts=(*evidence.conflicts, *conflicts),
        claimed=frozenset(fresh),
        weights=(*beyond, *unsure),
        data_graph=evidence.graph,
    )


def _left_out(claim: Claim, data: str, why: str) -> Conflict:
    return Conflict(
        (claim.subject, claim.object), data, f"{claim} ({claim.source or 'claimed'})", "left out", why
    )
