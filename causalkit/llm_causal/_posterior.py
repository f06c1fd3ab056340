r"""What an expert's answers say about the members of an equivalence class, and what to ask next.

Data leave a class of DAGs that differ in the directions of some edges. The prior is uniform over its members. An answer about an edge whose true direction is t is v with the probability
:math:`c(v \mid t)`. Since errors persist, each edge has a belief b with the same law, and an answer is b with the probability :math:`\rho` and drawn afresh otherwise:

.. math:: L(v_1, \dots, v_k \mid t) = \sum_b c(b \mid t) \prod_i \left[ \rho \, 1(v_i = b) + (1 - \rho) \, c(v_i \mid t) \right] .

With :math:`\rho = 1` a repeated question says nothing new, however often. The next question is the one whose answer is expected to take most entropy from the posterior, per token if costs differ.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit._random import Seed
from causalkit._validation import check_count, check_share
from causalkit.exceptions import ParameterError
from causalkit.graph import CausalGraph
from causalkit.llm_causal._members import Members
from causalkit.llm_causal._questions import Answer, Choice, Question

__all__ = ["ClassPosterior", "Reliability"]

Floats: TypeAlias = NDArray[np.float64]
OUTCOMES: tuple[Choice, ...] = ("forward", "backward", "cannot_tell")
SILENT = 2


@dataclass(frozen=True)
class Reliability:
    """How often an expert names the right direction of an edge, and how often answers repeat a belief.

    Parameters
    ----------
    right : float
        Probability of the right direction.
    wrong : float
        Probability of the wrong one; the rest is silence ("cannot tell", "neither", "both").
    persistence : float, default=1.0
        Share of answers that repeat a belief about the pair. At 1, the cautious default, a repeated question says nothing new.

    Raises
    ------
    ParameterError
        If these are no probabilities.

    Examples
    --------
    >>> from causalkit.llm_causal import Reliability
    >>> Reliability(0.73, 0.10).accuracy
    0.8795...
    """

    right: float
    wrong: float
    persistence: float = 1.0

    def __post_init__(self) -> None:
        for name in ("right", "wrong", "persistence"):
            check_share(name, getattr(self, name))
        if self.right + self.wrong > 1 + 1e-9:
            raise ParameterError(
                f"right and wrong sum to {self.right + self.wrong:.3g}, which is more than 1"
            )

    @property
    def silent(self) -> float:
        """Probability of no direction."""
        return max(0.0, 1 - self.right - self.wrong)

    @property
    def accuracy(self) -> float:
        """Share of right directions among those that are named."""
        named = self.right + self.wrong
        return self.right / named if named else 0.5

    def table(self) -> Floats:
        """Return probabilities of answers given the truth.

        Returns
        -------
        numpy.ndarray of float, shape (2, 3)
            Rows: the edge points backward, forward. Columns: forward, backward, silence.
        """
        return np.array([[self.wrong, self.right, self.silent], [self.right, self.wrong, self.silent]])

    def predictive(self, outcomes: Sequence[int]) -> Floats:
        """Return probabilities of the next answer, given the truth and the answers so far.

        Parameters
        ----------
        outcomes : sequence of int
            Columns of `table` that were answered to this question.

        Returns
        -------
        numpy.ndarray of float, shape (2, 3)
            As `table`; all of it that is left of the belief.
        """
        table, rho = self.table(), self.persistence
        beliefs = table.copy()
        for outcome in outcomes:
            beliefs *= rho * (np.arange(3) == outcome) + (1 - rho) * table[:, [outcome]]
        total = beliefs.sum(axis=1, keepdims=True)
        beliefs = np.divide(beliefs, total, out=np.full_like(beliefs, 1 / 3), where=total > 0)
        return np.asarray(rho * beliefs + (1 - rho) * table, dtype=float)

    def log_odds(self, choices: Sequence[Choice]) -> float:
        """Return how much answers about one edge speak for the direction in which they were asked.

        Parameters
        ----------
        choices : sequence of str
            Answers about one pair.

        Returns
        -------
        float
            Natural logarithm of the likelihood ratio of forward to backward; at most about 20 either way.
        """
        outcomes, total = [outcome_of(c) for c in choices], 0.0
        for k, outcome in enumerate(outcomes):
            backward, forward = self.predictive(outcomes[:k])[:, outcome]
            total += float(np.log(max(forward, 1e-9)) - np.log(max(backward, 1e-9)))
        return total

    def effective_samples(self, k: int) -> float:
        """Return how many independent answers k answers to one question are worth.

        Parameters
        ----------
        k : int
            Number of answers.

        Returns
        -------
        float
            The number k / (1 + (k - 1) persistence).
        """
        return k / (1 + (k - 1) * self.persistence)


class ClassPosterior:
    """Probabilities of the members of an equivalence class, given the answers of an expert.

    Parameters
    ----------
    graph : CausalGraph
        A CPDAG or MPDAG.
    reliability : Reliability
        How far the expert is right.
    max_members : int, default=20000
        A class with more members is represented by so many, drawn with equal probability.
    rng : int, numpy.random.Generator or None, default=0
        Seed, for such classes.

    Attributes
    ----------
    graph : CausalGraph
        The class.
    edges : tuple of (str, str)
        Edges that have no direction yet.
    exact : bool
        False if members were drawn.

    Raises
    ------
    GraphKindError
        If the graph stands for no class of DAGs.

    References
    ----------
    Uniform prior over the class and a likelihood per edge: S. Long, A. Piché, V. Zantedeschi, T. Schuster, A. Drouin, "Causal discovery with language models as imperfect experts", 2023,
    section 3; the persistent error is ours.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.llm_causal import ClassPosterior, Reliability
    >>> posterior = ClassPosterior(CausalGraph.parse("A --- B; B --- C", kind="CPDAG"), Reliability(0.9, 0.1))
    >>> posterior.probability("A", "B"), posterior.entropy
    (0.333..., 1.584...)
    >>> posterior.observe("A", "B", "forward").probability("B", "C")
    0.909...
    """

    def __init__(
        self, graph: CausalGraph, reliability: Reliability, *, max_members: int = 20_000, rng: Seed = 0
    ) -> None:
        self._members = Members.of(graph, check_count("max_members", max_members), rng)
        self.reliability = reliability
        self._answers: dict[tuple[str, str], tuple[int, ...]] = {}
        self._weights = np.full(len(self._members.forward), 1 / len(self._members.forward))
        self._place = {edge: k for k, edge in enumerate(self._members.edges)}

    @property
    def graph(self) -> CausalGraph:
        """The class."""
        return self._members.graph

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """Edges that have no direction in the class."""
        return self._members.edges

    @property
    def exact(self) -> bool:
        """Whether all members were listed."""
        return self._members.exact

    @property
    def weights(self) -> Floats:
        """Posterior probabilities of the members."""
        return self._weights

    @property
    def entropy(self) -> float:
        """Entropy of the posterior in bits."""
        return _entropy(self._weights)

    @property
    def marginals(self) -> Floats:
        """Probability that each of `edges` points as it is written."""
        return np.asarray(self._weights @ self._members.forward, dtype=float)

    def probability(self, tail: str, head: str) -> float:
        """Return the probability of an arrow.

        Parameters
        ----------
        tail, head : str
            Two nodes that are joined by an edge.

        Returns
        -------
        float
            0 or 1 for edges that have a direction in the class.

        Raises
        ------
        ParameterError
            If no edge joins them.
        """
        if (tail, head) in self._place:
            return float(self.marginals[self._place[tail, head]])
        if (head, tail) in self._place:
            return 1 - float(self.marginals[self._place[head, tail]])
        if not self.graph.has_edge(tail, head):
            raise ParameterError(f"no edge joins {tail!r} and {head!r}")
        return float(self.graph.has_directed_edge(tail, head))

    # -- answers ---------------------------------------------------------------------------------------------------------------

    def observe(self, tail: str, head: str, choice: Choice) -> ClassPosterior:
        """Return the posterior after one more answer.

        Parameters
        ----------
        tail, head : str
            An edge without a direction.
        choice : str
            "forward" for tail to head, "backward" for head to tail; all else is silence.

        Returns
        -------
        ClassPosterior
            A new one.

        Raises
        ------
        ParameterError
            If this is no edge without a direction.
        """
        edge, outcome = self._read(tail, head, choice)
        updated = object.__new__(ClassPosterior)
        updated.__dict__.update(self.__dict__)
        factor = self._predictive(edge)[:, outcome]
        weights = self._weights * factor[self._members.forward[:, self._place[edge]].astype(int)]
        updated._weights = weights / weights.sum() if weights.sum() > 0 else self._weights
        updated._answers = {**self._answers, edge: (*self._answers.get(edge, ()), outcome)}
        return updated

    def learn(self, answers: Sequence[Answer]) -> ClassPosterior:
        """Return the posterior after answers; those about other pairs, and those that are invalid, say nothing.

        Parameters
        ----------
        answers : sequence of Answer
            Of one expert.

        Returns
        -------
        ClassPosterior
            A new one.
        """
        posterior = self
        for answer in answers:
            for edge in self.edges:
                choice = answer.about(*edge)
                if choice is not None:
                    posterior = posterior.observe(*edge, choice)
        return posterior

    def believe(self, holds: Callable[[CausalGraph], bool], probability: float) -> ClassPosterior:
        """Return the posterior given that a statement is true with a probability.

        Parameters
        ----------
        holds : callable
            Takes a DAG and says whether the statement is true of it.
        probability : float
            Of the statement; members of which it is true are weighed by it, others by the rest.

        Returns
        -------
        ClassPosterior
            A new one; the same if no member would be left.
        """
        true = np.array([holds(self._members.member(row)) for row in range(len(self._weights))], dtype=bool)
        return self.weighed(true, probability)

    @property
    def members(self) -> Members:
        """The members of the class, or those that stand for it."""
        return self._members

    def weighed(self, true: NDArray[np.bool_], probability: float) -> ClassPosterior:
        """Return the posterior given that a statement is true with a probability.

        Parameters
        ----------
        true : numpy.ndarray of bool, shape (n,)
            In which members it is.
        probability : float
            Of the statement.

        Returns
        -------
        ClassPosterior
            A new one; the same if no member would be left.
        """
        share = check_share("probability", probability)
        weights = self._weights * np.where(true, share, 1 - share)
        updated = object.__new__(ClassPosterior)
        updated.__dict__.update(self.__dict__)
        updated._weights = weights / weights.sum() if weights.sum() > 0 else self._weights
        return updated

    @property
    def effective_members(self) -> float:
        """How many equally weighted members the posterior is worth: where members were drawn, few are a poor stand-in for the class."""
        return float(1 / (self._weights @ self._weights))

    def _read(self, tail: str, head: str, choice: Choice) -> tuple[tuple[str, str], int]:
        swapped = (head, tail) in self._place
        edge = (head, tail) if swapped else (tail, head)
        if edge not in self._place:
            raise ParameterError(f"{tail!r} and {head!r} are not joined by an edge without a direction")
        outcome = outcome_of(choice)
        return edge, (1 - outcome if swapped and outcome != SILENT else outcome)

    def _predictive(self, edge: tuple[str, str]) -> Floats:
        """Return P(next answer | direction, answers so far), shape (2, 3)."""
        return self.reliability.predictive(self._answers.get(edge, ()))

    # -- what to ask -----------------------------------------------------------------------------------------------------------

    def gains(self) -> Floats:
        """Return the expected loss of entropy, in bits, from one more question about each edge.

        Returns
        -------
        numpy.ndarray of float, shape (u,)
            In the order of `edges`.
        """
        return np.array(
            [_information(p, self._predictive(e)) for p, e in zip(self.marginals, self.edges, strict=True)]
        )

    def spreads(self, values: Floats) -> Floats:
        """Return the expected loss of variance of a quantity from one more question about each edge.

        Parameters
        ----------
        values : numpy.ndarray of float, shape (n,)
            The quantity in every member, such as an effect; see `evaluate`.

        Returns
        -------
        numpy.ndarray of float, shape (u,)
            In the order of `edges`.
        """
        return np.array([self._spread(values, edge) for edge in self.edges])

    def _spread(self, values: Floats, edge: tuple[str, str]) -> float:
        ahead = self._members.forward[:, self._place[edge]].astype(int)
        joint = self._weights[:, None] * self._predictive(edge)[ahead]
        shares = joint.sum(axis=0)
        means = np.divide(values @ joint, shares, out=np.zeros(3), where=shares > 0)
        overall = float(values @ self._weights)
        return float(shares @ (means - overall) ** 2)

    def evaluate(self, quantity: Callable[[CausalGraph], float]) -> Floats:
        """Compute a quantity in every member, such as the effect of one variable on another.

        Parameters
        ----------
        quantity : callable
            Takes a DAG and returns a number.

        Returns
        -------
        numpy.ndarray of float, shape (n,)
            In the order of `weights`.

        Raises
        ------
        ParameterError
            If it is not a finite number in some member.
        """
        found = np.array(
            [quantity(self._members.member(row)) for row in range(len(self._weights))], dtype=float
        )
        if not np.isfinite(found).all():
            raise ParameterError("the quantity is not a finite number in every graph of the class")
        return found

    def next_question(
        self,
        *,
        costs: Mapping[tuple[str, str], float] | None = None,
        values: Floats | None = None,
        without: Collection[tuple[str, str]] = (),
    ) -> Question | None:
        """Choose what to ask.

        Parameters
        ----------
        costs : mapping of (str, str) to float, optional
            What a question about an edge costs, such as tokens; by default all cost the same.
        values : numpy.ndarray of float, optional
            A quantity in every member: then the question is chosen that narrows it most.
        without : collection of (str, str), default=()
            Edges, as `edges` has them, that are not to be asked about.

        Returns
        -------
        Question or None
            Of kind "orient"; the first of equally good ones by name. None if no answer can change anything.
        """
        gains = self.gains() if values is None else self.spreads(values)
        gains = np.where([edge in without for edge in self.edges], 0.0, gains)
        if not self.edges or gains.max() <= 1e-12:
            return None
        price = np.array(
            [1.0 if costs is None else costs.get(e, costs.get(e[::-1], 1.0)) for e in self.edges]
        )
        worth = gains / price
        ties = np.flatnonzero(worth >= worth.max() * (1 - 1e-9))
        best = int(min(ties, key=lambda k: sorted(self.edges[k])))
        sample = len(self._answers.get(self.edges[best], ()))
        return replace(Question("orient", self.edges[best]), sample=sample)

    # -- what follows ----------------------------------------------------------------------------------------------------------

    def best(self) -> tuple[CausalGraph, float]:
        """Return the most probable member.

        Returns
        -------
        graph : CausalGraph
            A DAG; of equally probable ones the first by the names in its arrows.
        probability : float
            Its posterior probability.
        """
        ties = np.flatnonzero(self._weights >= self._weights.max() * (1 - 1e-9))
        row = min(ties.tolist(), key=self._members.arrows) if len(ties) > 1 else int(ties[0])
        return self._members.member(row), float(self._weights[row])

    def oriented(self, confidence: float = 0.8) -> tuple[tuple[tuple[str, str], ...], float]:
        """Choose arrows that are probable, and that can stand together.

        Parameters
        ----------
        confidence : float, default=0.8
            Least posterior probability of an arrow, which must be above 1/2: at 1/2 both directions would do.

        Returns
        -------
        arrows : tuple of (str, str)
            Directions of some of `edges`, the surest first; one that no member has together with those before is left out.
        probability : float
            Posterior probability that all of them are right.
        """
        check_share("confidence", confidence)
        ahead = self.marginals
        sure = np.maximum(ahead, 1 - ahead)
        inside = np.ones(len(self._weights), dtype=bool)
        arrows = []
        for k in np.argsort(-sure, kind="stable"):
            forward = bool(ahead[k] >= 0.5)
            agreeing = inside & (self._members.forward[:, k] == forward)
            enough = sure[k] >= confidence - 1e-12 and sure[k] > 0.5 + 1e-9
            if enough and self._weights[agreeing].sum() > 0:
                arrows.append(self.edges[k] if forward else self.edges[k][::-1])
                inside = agreeing
        return tuple(arrows), float(self._weights[inside].sum())


def outcome_of(choice: Choice) -> int:
    """Return the column of a table of answers; all but the two directions is silence."""
    return OUTCOMES.index(choice) if choice in OUTCOMES else SILENT


def _entropy(weights: Floats) -> float:
    positive = weights[weights > 0]
    return float(-(positive * np.log2(positive)).sum()) + 0.0


def _information(forward: float, table: Floats) -> float:
    """Return the mutual information, in bits, of a direction and the next answer about it."""
    prior = np.array([1 - forward, forward])
    return max(0.0, _entropy(prior @ table) - float(prior @ [_entropy(row) for row in table]))
