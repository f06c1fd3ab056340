"""Answers of an expert and what data say, put together: the expert is examined, asked what the data leave open, and believed as far as the exam allows.

Three policies. ``data_first``: edges and compelled arrows stay, answers choose among the members of the class. ``bayes``: directions are those of the most probable order, where arrows of the data
weigh as much as they are sure, and answers as much as the exam allows. ``expert_first``: answers are put above the data wherever the expert named a direction. Whatever the policy, each disagreement is
recorded with what was decided.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from causalkit.graph import BackgroundKnowledge, CausalGraph, GraphKind, Mark
from causalkit.llm_causal._claims import Claim, holds_in_members
from causalkit.llm_causal._evidence import ONE_CLASS, Evidence
from causalkit.llm_causal._exam import COINS, ExamResult, grade
from causalkit.llm_causal._ledger import Meter, in_words
from causalkit.llm_causal._names import unanswered
from causalkit.llm_causal._order import best_order
from causalkit.llm_causal._posterior import ClassPosterior
from causalkit.llm_causal._questions import Answer, Choice, Question, Usage
from causalkit.llm_causal._reliability import Reliability
from causalkit.llm_causal._result import BuildResult, Conflict, OpenQuestions
from causalkit.llm_causal._support import Support
from causalkit.llm_causal._variables import Variable

__all__ = ["Fusion", "Policy", "Settings"]

Policy: TypeAlias = Literal["data_first", "bayes", "expert_first"]
Pair: TypeAlias = tuple[str, str]
SUREST, SURE, EXAMINABLE = 0.999, 0.95, 0.85
FEWEST_MEMBERS, NOTHING = 50, 1e-6


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
        self.unused = ""
        self._support = Support()
        self._asked_about: dict[Pair, int] = {}
        self._alone: dict[frozenset[str], float] = {}
        self._told = {v.name for v in settings.variables}

    def run(self) -> BuildResult:
        """Examine, ask, decide."""
        exam = self._examine()
        examined = exam is not None and exam.verdict == "passed"
        trusted = self.settings.reliability is not None
        reliability = self.settings.reliability or (exam.reliability if exam else Reliability(0.5, 0.25, 1.0))
        prior = posterior = self._posterior(reliability)
        self.unused = self._unreadable() or ("" if trusted else self._why_not_asked(exam))
        if not self.unused:
            posterior = self._asked(prior, adaptively=examined or trusted)
            self.unused = self._unreadable()
        if not self.unused and not examined and not trusted:
            reliability, posterior = self._by_themselves(exam, prior, posterior)
        if self.unused:
            self.notes.insert(0, self.unused)
            self.entropy, posterior = [], prior
        return self._result(self._decided(reliability, posterior), reliability, exam, posterior)

    def _unreadable(self) -> str:
        """Say that replies came, and that not one of them could be read."""
        problems = [a.problem for a in self.answers if a.status == "invalid"]
        if not problems or any(a.status == "answered" for a in self.answers):
            return ""
        return f"None of the {len(problems)} replies of the expert could be read, so no more was asked; the first: {problems[0]}."

    def _why_not_asked(self, exam: ExamResult | None) -> str:
        """Say why the exam ends it; nothing if the expert is to be asked about open edges."""
        if exam is None:
            return ""
        reasons = {
            "silent": f"The expert named no direction for any of {exam.asked} edges whose direction the data fix, so it was not asked about others.",
            "refused": "The expert is not shown to be better than a coin on edges whose direction the data fix, so it was not used.",
        }
        return reasons.get(exam.verdict, "")

    def _asked(self, posterior: ClassPosterior | None, *, adaptively: bool) -> ClassPosterior | None:
        """Ask; an expert who was not examined is asked about all open edges, so that its answers can be compared with those of coins."""
        if self.settings.policy == "data_first" and posterior is not None and adaptively:
            return self._ask_adaptively(posterior)
        return self._ask_all(posterior)

    def _by_themselves(
        self, exam: ExamResult | None, prior: ClassPosterior | None, posterior: ClassPosterior | None
    ) -> tuple[Reliability, ClassPosterior | None]:
        """Judge an expert who could not be examined by how well its answers fit one member of the class; believe it as far as they show."""
        right, wrong = (exam.right, exam.wrong) if exam is not None else (0, 0)
        known = f"{right} of {right + wrong}" if right + wrong else "none"
        cause = f"Too few known directions were named to examine the expert ({known} rightly)"
        share, accuracy = (1.0, 0.5) if posterior is None else posterior.coin_test(right, wrong)
        told = f"of coins, {100 * share:.2g} % fit the class as well as its answers"
        if share > COINS or prior is None:
            self.unused = f"{cause}, and its answers about open edges do not show that it is better than a coin ({told}), so they were not used. Give reliability= if you know it."
            return Reliability(0.5, 0.5), posterior
        self.notes.append(f"{cause}, so it was judged by its other answers: {told}.")
        reliability = Reliability(accuracy, 1 - accuracy)
        return reliability, prior.trusting(reliability).learn(self._about_open())

    def _about_open(self) -> list[Answer]:
        opened = {frozenset(p) for p in self.evidence.open}
        return [a for a in self.answers if a.question.pair in opened]

    def _decided(self, reliability: Reliability, posterior: ClassPosterior | None) -> CausalGraph:
        """Return the graph; with an expert who is not heard, of data and claims alone."""
        self._support = Support() if posterior is None else posterior.support(self.settings.confidence)
        if self.unused or (self.settings.policy == "data_first" and posterior is not None):
            return self._in_class()
        return self._by_order(reliability, posterior)

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
            arrow = (claim.subject, claim.object) if claim.relation == "direct" else None
            true = holds_in_members(claim, posterior.members)
            posterior = posterior.weighed(true, claim.probability, str(claim), arrow)
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
        """Return the most telling question; None if the best member is sure and has its evidence, or no question tells enough."""
        if posterior.best()[1] >= SURE and values is None:
            return self._for_evidence(posterior, lost)
        question = posterior.next_question(values=values, without=lost)
        if question is None:
            return None
        k = posterior.edges.index((question.variables[0], question.variables[1]))
        worth = posterior.gains()[k] if values is None else posterior.spreads(values)[k]
        if worth >= self.settings.min_gain:
            return question
        return self._for_evidence(posterior, lost) if values is None else None

    def _for_evidence(self, posterior: ClassPosterior, lost: set[Pair]) -> Question | None:
        """Return a question about an edge on which most members agree but of which nobody has said anything: their number is no evidence."""
        found = {frozenset(arrow) for arrow in posterior.support(self.settings.confidence).arrows}
        bare = [
            e
            for e in posterior.edges
            if frozenset(e) not in found and e not in lost and e not in self._asked_about
        ]
        if not bare or posterior.gain_if_even < self.settings.min_gain:
            return None
        sure = [max(posterior.probability(u, v), posterior.probability(v, u)) for u, v in bare]
        _, _, least = min((round(p, 9), sorted(e), e) for p, e in zip(sure, bare, strict=True))
        return Question("orient", least)

    def _ask_all(self, posterior: ClassPosterior | None) -> ClassPosterior | None:
        answers = self._ask(self.open_questions(), "orientation")
        if posterior is None:
            return None
        learned = posterior.learn(answers)
        self.entropy = [posterior.entropy, learned.entropy]
        return learned

    # -- deciding --------------------------------------------------------------------------------------------------------------

    def _in_class(self) -> CausalGraph:
        arrows = self._support.arrows
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
        open_edge = self.evidence.graph.edge_between(*pair) == "---" and posterior is not None
        if open_edge and not {pair, pair[::-1]} & set(self._support.arrows):
            return 0.0
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
        used = Reliability(0.5, 0.5) if self.unused else reliability
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
            self.notes.append(f"{in_words(self.meter.spent_out)}; what is open was not asked.")
        lost = unanswered(self.answers)
        self.notes += lost
        unheard = self._unheard(still_open)
        self.notes += [unheard] if unheard and not self.unused else []
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
            not (self.meter.spent_out or self.unused or self.thin or lost or unheard),
            tuple(self.notes),
            tuple(self.entropy),
            self._why_nothing(graph, unheard),
        )

    def _unheard(self, still_open: Sequence[Pair]) -> str:
        """Say that the expert was asked about open edges and named no direction of any; nothing if it did."""
        opened = {frozenset(p) for p in self.evidence.open}
        asked = [a for a in self.answers if a.question.pair in opened and a.status == "answered"]
        if not still_open or not asked or any(a.choice in ("forward", "backward") for a in asked):
            return ""
        return f"The expert named no direction for any of the {len({a.question.pair for a in asked})} open edges that it was asked about."

    def _why_nothing(self, graph: CausalGraph, unheard: str) -> str:
        """Say why no edge that the data leave open has a direction; nothing if one has, or none was open."""
        by_data = self.evidence.of_data
        opened = [(e.u, e.v) for e in by_data.edges if e.is_undirected]
        if not opened or any(graph.edge_between(*p) != "---" for p in opened):
            return ""
        ended = f"{in_words(self.meter.spent_out)}." if self.meter.spent_out else ""
        weak = "Nothing that was answered or claimed is sure enough for an arrow."
        return next(filter(None, (self.unused, unheard, ended, *unanswered(self.answers))), weak)

    def _source(self, pair: Pair, graph: CausalGraph) -> str:
        if graph.edge_between(*pair) == "---":
            return "data: an edge"
        if pair in self.evidence.claimed:
            return "data: an edge; claims: its direction"
        if self.evidence.graph.has_directed_edge(*pair):
            return "data"
        choices = self._choices(pair)
        named = choices.count("forward") > choices.count("backward") and not self.unused
        claimed = any(_speaks_for(c, pair) for c in self.evidence.weights)
        speakers = [*(["claims"] if claimed else []), *(["expert"] if named else [])]
        if speakers:
            return f"data: an edge; {' and '.join(speakers)}: its direction"
        reasons = (self._support.because or {}).get(pair)
        return (
            f"data: an edge; its direction follows from {', '.join(reasons) if reasons else 'other arrows'}"
        )

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


def _speaks_for(claim: Claim, pair: Pair) -> bool:
    """Whether a claim about these two variables makes this arrow more probable."""
    if {claim.subject, claim.object} != set(pair) or claim.relation in ("no_edge", "latent"):
        return False
    along = (claim.subject, claim.object) == pair
    denies = claim.relation == "not_ancestor"
    return (along != denies) == (claim.probability > 0.5) and claim.probability != 0.5


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
