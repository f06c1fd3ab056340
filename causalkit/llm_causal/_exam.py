"""An exam without labels: an expert is asked about edges whose direction the data fix, and is not told that they do.

Its errors there say how far to believe it elsewhere; answers that repeat themselves say how little a repeated question is worth. An expert that is not shown to be better than a coin is
refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, TypeAlias

import numpy as np

from causalkit.exceptions import ParameterError
from causalkit.graph import GraphLike, as_graph
from causalkit.llm_causal._questions import Answer
from causalkit.llm_causal._reliability import Reliability

__all__ = ["ExamResult", "grade", "orientation_accuracy"]

Verdict: TypeAlias = Literal["passed", "refused", "silent", "unreadable", "too few questions"]
LEVEL = 0.80
ENOUGH = 5
# Share of coins that may pass, or look as knowing as an expert who cannot be examined and is followed.
COINS = 0.05
CAUTION = 4
PRIOR = (2.0, 1.0, 1.0)


@dataclass(frozen=True)
class ExamResult:
    """How an expert did on edges whose direction is known.

    Parameters
    ----------
    verdict : {"passed", "refused", "silent", "unreadable", "too few questions"}
        Passed: a coin would have named as many directions rightly in at most 5 % of such exams (exact binomial test). Silent: of five edges or more, no direction was named. Unreadable: not one of the
        replies that came could be read. Too few: fewer than five directions were named; then the rates are mostly assumed, and an expert who did badly on these few is hardly asked, as its answers
        promise nothing.
    right, wrong, silent : int
        Questions by what was mostly answered to them.
    interval : tuple of (float, float)
        Of the share of right directions among those that are named: quantiles .1 and .9 of its posterior. It is the share of agreement with the data, so that arrows of the data that are
        wrong count against the expert.
    reliability : Reliability
        Rates to use for other questions, drawn towards those of an expert who is somewhat better than a coin, as few questions demand; and the persistence of answers.
    calibration_error, brier : float
        Of the probabilities that the expert stated, against the known directions; NaN if it stated none.
    unread : int
        Answers that could not be read, or did not come.
    """

    verdict: Verdict
    right: int
    wrong: int
    silent: int
    interval: tuple[float, float]
    reliability: Reliability
    calibration_error: float
    brier: float
    unread: int

    @property
    def asked(self) -> int:
        """Edges about which at least one answer could be read."""
        return self.right + self.wrong + self.silent

    @property
    def coin(self) -> float:
        """Share of exams in which a coin would name as many directions rightly."""
        from scipy.stats import binom

        return float(binom.sf(self.right - 1, self.right + self.wrong, 0.5))

    def __str__(self) -> str:
        low, high = self.interval
        named = self.right + self.wrong
        words = {
            "passed": f"better than a coin, which does as well in {100 * self.coin:.2g} % of exams",
            "refused": f"not shown to be better than a coin, which does as well in {100 * self.coin:.2g} % of exams: it is not used",
            "silent": "it names no direction: it is not used",
            "unreadable": "no reply could be read: it is not used",
            "too few questions": "too few directions to tell; its rates are mostly assumed",
        }
        return (
            f"{self.right} of {named} directions right ({low:.2f} to {high:.2f}), {self.silent} not named, persistence of answers "
            f"{self.reliability.persistence:.2f}: {words[self.verdict]}"
        )


def grade(
    answers: Sequence[Answer], truth: Sequence[tuple[str, str]], *, assumed_persistence: float = 1.0
) -> ExamResult:
    """Mark an exam.

    Parameters
    ----------
    answers : sequence of Answer
        To questions about the edges of `truth`, some of them repeated.
    truth : sequence of (str, str)
        Causes and effects.
    assumed_persistence : float, default=1.0
        Used if no question was repeated; 1 is the cautious choice.

    Returns
    -------
    ExamResult
        Counts, interval, rates and verdict.
    """
    by_edge = {edge: [c for a in answers if (c := a.about(*edge)) is not None] for edge in truth}
    majority = [_majority(choices) for choices in by_edge.values() if choices]
    right, wrong = majority.count("forward"), majority.count("backward")
    silent = len(majority) - right - wrong
    interval = _interval(right, right + wrong)
    total = len(majority) + sum(PRIOR)
    repeated = any(len(c) > 1 for c in by_edge.values())
    reliability = Reliability(
        (right + PRIOR[0]) / total,
        (wrong + PRIOR[1]) / total,
        _persistence(list(by_edge.values())) if repeated else assumed_persistence,
    )
    unread = sum(a.status != "answered" for a in answers)
    return ExamResult(
        _verdict(answers, right, wrong, silent),
        right,
        wrong,
        silent,
        interval,
        reliability,
        *_calibration(answers, set(truth)),
        unread,
    )


def _verdict(answers: Sequence[Answer], right: int, wrong: int, silent: int) -> Verdict:
    """Judge; what did not come, as from people who have not filled in their sheet, is not held against anybody."""
    from scipy.stats import binom

    if answers and all(a.status == "invalid" for a in answers):
        return "unreadable"
    if right + wrong == 0 and silent >= ENOUGH:
        return "silent"
    if right + wrong < ENOUGH:
        return "too few questions"
    return "passed" if binom.sf(right - 1, right + wrong, 0.5) <= COINS else "refused"


def orientation_accuracy(answers: Sequence[Answer], graph: GraphLike) -> float:
    """Return the share of named directions that are those of a graph.

    Parameters
    ----------
    answers : sequence of Answer
        About pairs that the graph joins by an arrow; others do not count, nor do answers without a direction.
    graph : CausalGraph
        The truth.

    Returns
    -------
    float
        NaN if no direction was named.

    Raises
    ------
    ParameterError
        If an answer was scripted: what was written for a test says nothing of how good an expert is.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.llm_causal import OracleExpert, Question, orientation_accuracy
    >>> truth = CausalGraph.parse("A -> B; B -> C")
    >>> orientation_accuracy(OracleExpert(truth).answer([Question("orient", ("B", "A"))]), truth)
    1.0
    """
    graph = as_graph(graph)
    if any(a.origin == "scripted" for a in answers):
        raise ParameterError(
            "some answers are scripted; no accuracy is computed from what was written for a test"
        )
    pairs = [(a, a.question.variables) for a in answers if a.choice in ("forward", "backward")]
    named = [
        (v if a.choice == "forward" else v[::-1]) for a, v in pairs if graph.edge_between(*v) in ("->", "<-")
    ]
    return float(np.mean([graph.has_directed_edge(*arrow) for arrow in named])) if named else float("nan")


def _majority(choices: Sequence[str]) -> str:
    """Return the direction that is named more often than the other, and at least as often as none."""
    ahead, back = choices.count("forward"), choices.count("backward")
    silent = len(choices) - ahead - back
    if ahead == back or silent > max(ahead, back):
        return "silent"
    return "forward" if ahead > back else "backward"


def _interval(right: int, named: int) -> tuple[float, float]:
    from scipy.stats import beta

    law = beta(right + 1, named - right + 1)
    return float(law.ppf((1 - LEVEL) / 2)), float(law.ppf((1 + LEVEL) / 2))


def _persistence(choices: Sequence[Sequence[str]]) -> float:
    r"""Estimate the share of answers that repeat a belief.

    Two answers agree with the probability :math:`\rho^2 + (1 - \rho^2) C`, where C is the chance that two answers about different edges agree. A few pairs that agree are added: with little to go by, repetition is worth little.
    """
    pairs = [a == b for answers in choices for a, b in combinations(answers, 2)]
    outcomes = [c if c in ("forward", "backward") else "silent" for answers in choices for c in answers]
    shares = np.array([outcomes.count(o) for o in ("forward", "backward", "silent")]) / len(outcomes)
    chance = float(shares @ shares)
    agreement = (sum(pairs) + CAUTION) / (len(pairs) + CAUTION)
    return 1.0 if chance >= 1 else float(np.sqrt(min(1.0, max(0.0, (agreement - chance) / (1 - chance)))))


def _calibration(answers: Sequence[Answer], truth: set[tuple[str, str]]) -> tuple[float, float]:
    """Return expected calibration error (ten bins) and Brier score of stated probabilities."""
    stated, correct = [], []
    for answer in answers:
        share = answer.probabilities.get(str(answer.choice))
        if share is not None and answer.choice in ("forward", "backward"):
            pair = (
                answer.question.variables if answer.choice == "forward" else answer.question.variables[::-1]
            )
            stated.append(share)
            correct.append(pair in truth)
    if not stated:
        return float("nan"), float("nan")
    p, hit = np.array(stated), np.array(correct, dtype=float)
    bins = np.minimum((p * 10).astype(int), 9)
    error = sum(
        abs(p[bins == b].mean() - hit[bins == b].mean()) * (bins == b).mean() for b in np.unique(bins)
    )
    return float(error), float(((p - hit) ** 2).mean())
