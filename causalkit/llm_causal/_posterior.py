r"""What an expert's answers say about the members of an equivalence class, and what to ask next.

Data leave a class of DAGs that differ in the directions of some edges. The prior is uniform over its members. An answer about an edge whose true direction is t is v with the probability
:math:`c(v \mid t)`. Since errors persist, each edge has a belief b with the same law, and an answer is b with the probability :math:`\rho` and drawn afresh otherwise:

.. math:: L(v_1, \dots, v_k \mid t) = \sum_b c(b \mid t) \prod_i \left[ \rho \, 1(v_i = b) + (1 - \rho) \, c(v_i \mid t) \right] .

With :math:`\rho = 1` a repeated question says nothing new, however often. The next question is the one whose answer is expected to take most entropy from the posterior, per token if costs differ.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit._random import Seed
from causalkit._validation import check_count, check_share
from causalkit.exceptions import ParameterError
from causalkit.graph import CausalGraph
from causalkit.llm_causal._members import Members
from causalkit.llm_causal._questions import Answer, Choice, Question
from causalkit.llm_causal._reliability import OUTCOMES, SILENT, Reliability, outcome_of
from causalkit.llm_causal._support import Statement, Support, coin_test, supported

__all__ = ["ClassPosterior"]

Floats: TypeAlias = NDArray[np.float64]


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
        self._claimed: tuple[Statement, ...] = ()
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

    def weighed(
        self,
        true: NDArray[np.bool_],
        probability: float,
        words: str = "a claim",
        arrow: tuple[str, str] | None = None,
    ) -> ClassPosterior:
        """Return the posterior given that a statement is true with a probability.

        Parameters
        ----------
        true : numpy.ndarray of bool, shape (n,)
            In which members it is.
        probability : float
            Of the statement.
        words : str, default="a claim"
            The statement, for receipts of arrows that follow from it.
        arrow : tuple of (str, str), optional
            The arrow, if the statement is one.

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
        if share >= 0.5:
            likely = Statement(words, true, share, arrow)
        else:
            likely = Statement(f"not: {words}", ~true, 1 - share, arrow and (arrow[1], arrow[0]))
        updated._claimed = (*self._claimed, likely)
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

    @property
    def gain_if_even(self) -> float:
        """The expected loss of entropy, in bits, from a first question about an edge of which both directions are equally probable."""
        return _information(0.5, self.reliability.predictive(()))

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
        """Choose arrows that answers or claims speak for, and that can stand together; see `support`.

        Parameters
        ----------
        confidence : float, default=0.8
            Least posterior probability, and least evidence, of an answer or a claim that is followed; both must be above 1/2: at 1/2 both directions would do.

        Returns
        -------
        arrows : tuple of (str, str)
            Directions of some of `edges`, with all that follows from them. None before anything was answered or claimed, however many members agree.
        probability : float
            Posterior probability of the answers and claims that were followed.
        """
        found = self.support(confidence)
        return found.arrows, found.probability

    def support(self, confidence: float = 0.8) -> Support:
        """Say which arrows have evidence, and what follows from what.

        Parameters
        ----------
        confidence : float, default=0.8
            As for `oriented`.

        Returns
        -------
        Support
            Arrows and their reasons.
        """
        check_share("confidence", confidence)
        return supported(self._members, self._weights, self._statements, confidence)

    @property
    def _statements(self) -> list[Statement]:
        """What was said: the direction that the answers about an edge speak for, and claims."""
        found = list(self._claimed)
        for edge, outcomes in self._answers.items():
            ahead = self._members.forward[:, self._place[edge]]
            odds = self.reliability.log_odds([OUTCOMES[k] for k in outcomes])
            u, v = edge if odds > 0 else edge[::-1]
            alone = float(1 / (1 + np.exp(-abs(odds))))
            found += (
                [Statement(f"{u} -> {v}", ahead == (odds > 0), alone, (u, v))] if abs(odds) > 1e-9 else []
            )
        return found

    def coin_test(self, right: int = 0, wrong: int = 0) -> tuple[float, float]:
        """Compare the answers with those of coins that are asked about the same edges.

        Parameters
        ----------
        right, wrong : int
            Directions of known edges that the same expert named rightly and wrongly.

        Returns
        -------
        share : float
            Of coins whose answers fit the class as well: a p-value; 1 if nothing was named. Claims do not count.
        accuracy : float
            That the answers show.
        """
        named = {e: [k for k in outcomes if k != SILENT] for e, outcomes in self._answers.items()}
        said = {e: OUTCOMES[k[0]] == "forward" for e, k in named.items() if k}
        return coin_test(self._members, said, right, wrong)

    def trusting(self, reliability: Reliability) -> ClassPosterior:
        """Return the same posterior for further answers of an expert of another reliability.

        Parameters
        ----------
        reliability : Reliability
            Of the expert.

        Returns
        -------
        ClassPosterior
            A new one.
        """
        updated = object.__new__(ClassPosterior)
        updated.__dict__.update(self.__dict__)
        updated.reliability = reliability
        return updated


def _entropy(weights: Floats) -> float:
    positive = weights[weights > 0]
    return float(-(positive * np.log2(positive)).sum()) + 0.0


def _information(forward: float, table: Floats) -> float:
    """Return the mutual information, in bits, of a direction and the next answer about it."""
    prior = np.array([1 - forward, forward])
    return max(0.0, _entropy(prior @ table) - float(prior @ [_entropy(row) for row in table]))
