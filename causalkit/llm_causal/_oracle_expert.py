"""A simulated expert, who knows a graph and errs as it is told to.

Errors of language models are persistent: asked again, they repeat the same belief. So every pair has a belief, drawn once, and an answer is the belief with the probability
`persistence` and a fresh draw otherwise. Draws belong to the seed, the pair and the sample, not to the order of questions: asking more changes no answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, Self, TypeAlias

from causalkit._validation import check_share
from causalkit.exceptions import ParameterError
from causalkit.graph import CausalGraph, GraphKind
from causalkit.llm_causal._questions import PAIRS, SWAPPED, Answer, Choice, Question, Usage

__all__ = ["ExpertNoise", "OracleExpert"]

Row: TypeAlias = tuple[float, float, float, float]
Relation: TypeAlias = Literal["edge", "ancestor", "apart"]
ANSWERS: tuple[Choice, ...] = ("forward", "backward", "none", "cannot_tell")
TOKENS_PER_PAIR, TOKENS_PER_TRIPLET = 370, 450


@dataclass(frozen=True)
class ExpertNoise:
    """How an expert answers questions about two variables, given what is true of them.

    Parameters
    ----------
    edge : tuple of four float
        Probabilities of "u causes v", "v causes u", "neither" and "cannot tell" where u is a direct cause of v.
    ancestor : tuple of four float
        The same where u is a cause of v, but not a direct one.
    apart : tuple of four float
        The same where neither causes the other.
    direct_ancestor : tuple of four float, optional
        As `ancestor`, for questions about direct causes. By default the same: experts mix these up.

    Raises
    ------
    ParameterError
        If a row is no distribution.

    References
    ----------
    Rates of `gpt4_2023`: pooled over eight networks from the history of answers published with T. Ban et al., "Integrating large language model for improved causal discovery",
    2023 (ILS-CSL); its pairs without a path had been proposed by a score search, so they are harder than random ones.

    Examples
    --------
    >>> from causalkit.llm_causal import ExpertNoise
    >>> ExpertNoise.symmetric(0.1).edge
    (0.9, 0.1, 0.0, 0.0)
    """

    edge: Row
    ancestor: Row
    apart: Row
    direct_ancestor: Row | None = None

    def __post_init__(self) -> None:
        for name in ("edge", "ancestor", "apart", "direct_ancestor"):
            row = getattr(self, name)
            if row is not None and (len(row) != 4 or min(row) < 0 or abs(sum(row) - 1) > 1e-9):
                raise ParameterError(
                    f"{name} must hold four probabilities that sum to 1 (forward, backward, none, cannot tell); got {row!r}"
                )

    @classmethod
    def perfect(cls) -> Self:
        """Return an expert without errors.

        Returns
        -------
        ExpertNoise
            Tells direct causes from others where asked for direct ones.
        """
        return cls((1, 0, 0, 0), (1, 0, 0, 0), (0, 0, 1, 0), (0, 0, 1, 0))

    @classmethod
    def symmetric(cls, error: float) -> Self:
        """Return an expert who takes the wrong direction at a rate, and invents or misses nothing else.

        Parameters
        ----------
        error : float
            Between 0 and 1.

        Returns
        -------
        ExpertNoise
            Without "cannot tell".
        """
        wrong = check_share("error", error)
        right = (1 - wrong, wrong, 0.0, 0.0)
        return cls(right, right, (0, 0, 1, 0), (0, 0, 1, 0))

    @classmethod
    def gpt4_2023(cls) -> Self:
        """Return an expert with the rates of GPT-4 in published answers of 2023.

        Returns
        -------
        ExpertNoise
            Direct causes are named at a rate of .73; more than a third of the pairs without a path are called causes.
        """
        return cls((0.73, 0.10, 0.02, 0.15), (0.47, 0.09, 0.29, 0.15), (0.18, 0.18, 0.41, 0.23))

    @classmethod
    def coin(cls) -> Self:
        """Return an expert who knows nothing and says one direction or the other.

        Returns
        -------
        ExpertNoise
            Half forward, half backward, whatever is true.
        """
        half = (0.5, 0.5, 0.0, 0.0)
        return cls(half, half, half)

    def row(self, kind: str, relation: Relation) -> Row:
        """Return the distribution of answers.

        Parameters
        ----------
        kind : str
            Of the question.
        relation : {"edge", "ancestor", "apart"}
            What is true.

        Returns
        -------
        tuple of four float
            Probabilities of forward, backward, none and "cannot tell".
        """
        direct = kind != "ancestral" and self.direct_ancestor is not None
        chosen: Row = getattr(self, "direct_ancestor" if relation == "ancestor" and direct else relation)
        return chosen


class OracleExpert:
    """An expert who knows the true graph, and errs at rates that are known.

    Parameters
    ----------
    graph : CausalGraph
        A DAG.
    noise : float or ExpertNoise, default=0.0
        A rate at which directions are reversed, or rates of all kinds of errors.
    persistence : float, default=0.0
        Share of answers that repeat a belief about the pair, drawn once; 1 for an expert who always says the same.
    first_bias : float, default=0.0
        Share of answers to questions about two variables that name the first of them as the cause, whatever is true.
    rng : int, default=0
        Seed.
    name : str, default="oracle"
        Name in receipts.

    Raises
    ------
    ParameterError
        If the graph is no DAG, or a share is not between 0 and 1.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.llm_causal import OracleExpert, Question
    >>> expert = OracleExpert(CausalGraph.parse("A -> B; B -> C"))
    >>> [a.choice for a in expert.answer([Question("ancestral", ("A", "C")), Question("direct", ("A", "C"))])]
    ['forward', 'none']
    """

    def __init__(
        self,
        graph: CausalGraph,
        noise: float | ExpertNoise = 0.0,
        *,
        persistence: float = 0.0,
        first_bias: float = 0.0,
        rng: int = 0,
        name: str = "oracle",
    ) -> None:
        if graph.kind is not GraphKind.DAG:
            raise ParameterError(f"a simulated expert knows a DAG; this graph is a {graph.kind}")
        self.graph = graph
        self.noise = noise if isinstance(noise, ExpertNoise) else _of_rate(noise)
        self.persistence = check_share("persistence", persistence)
        self.first_bias = check_share("first_bias", first_bias)
        self.rng = rng
        self._name = name
        self._above = {node: frozenset(graph.ancestors(node)) - {node} for node in graph.nodes}

    @property
    def name(self) -> str:
        """Name in receipts."""
        return self._name

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer questions.

        Parameters
        ----------
        questions : sequence of Question
            About variables of the graph.

        Returns
        -------
        list of Answer
            Of origin "simulated".

        Raises
        ------
        NodeNotFoundError
            If a variable is not in the graph.
        ParameterError
            For questions of a kind that a graph does not answer.
        """
        return [self._answer(question) for question in questions]

    def estimate(self, questions: Sequence[Question]) -> Usage:
        """Say what answers would cost: as much as such questions cost with models of 2023.

        Parameters
        ----------
        questions : sequence of Question
            What would be asked.

        Returns
        -------
        Usage
            Calls and tokens.
        """
        return Usage(len(questions), sum(map(self._tokens, questions)), 0, estimated=True)

    def _tokens(self, question: Question) -> int:
        """Return what a question cost in 2023, with reasons: per pair or triplet, or per variable listed and arrow named."""
        if question.kind in PAIRS:
            return TOKENS_PER_PAIR
        if question.kind == "triplet":
            return TOKENS_PER_TRIPLET
        if question.kind not in ("graph", "children"):
            raise ParameterError(f"a graph does not answer questions of kind {question.kind!r}")
        arrows = (
            self.graph.n_edges if question.kind == "graph" else len(self.graph.children(*question.variables))
        )
        return 200 + 25 * self.graph.n_nodes + 40 * arrows

    def _answer(self, question: Question) -> Answer:
        for node in question.variables:
            self.graph.index(node)
        if question.kind in PAIRS:
            return self._reply(question, choice=self._choice(question))
        pairs = self._pairs(question)
        arrows = [
            arrow
            for pair in pairs
            for arrow in _arrows(pair, self._of_pair(question, *pair))
            if question.kind != "children" or arrow[0] in question.variables
        ]
        return self._reply(question, arrows=tuple(arrows))

    def _reply(
        self, question: Question, choice: str | None = None, arrows: tuple[tuple[str, str], ...] = ()
    ) -> Answer:
        usage = self.estimate([question])
        return Answer(question, choice, arrows, expert=self.name, origin="simulated", usage=usage)

    def _pairs(self, question: Question) -> Iterable[tuple[str, str]]:
        """Return the pairs that a question about more than two variables is about."""
        if question.kind == "graph":
            return combinations(self.graph.nodes, 2)
        if question.kind == "triplet":
            return combinations(question.variables, 2)
        if question.kind == "children":
            (cause,) = question.variables
            return [(cause, node) for node in self.graph.nodes if node != cause]
        raise ParameterError(f"a graph does not answer questions of kind {question.kind!r}")

    def _choice(self, question: Question) -> Choice:
        u, v = question.variables
        biased = self._share("bias", u, v, question.sample) < self.first_bias
        return "forward" if biased else self._of_pair(question, u, v)

    def _of_pair(self, question: Question, u: str, v: str) -> Choice:
        """Draw an answer about two variables, from the belief or afresh."""
        low, high = sorted((u, v))
        tail, head, relation = self._truth(low, high)
        row = self.noise.row(question.kind, relation)
        others = sorted(set(question.variables) - {u, v})
        kind = "ancestral" if question.kind == "ancestral" else "direct"
        fresh = (question.kind, low, high, *others, question.sample)
        repeats = self._share("repeat", *fresh) < self.persistence
        drawn = ANSWERS[
            _index(row, self._share(kind, low, high) if repeats else self._share("fresh", *fresh))
        ]
        return drawn if (tail, head) == (u, v) else SWAPPED.get(drawn, drawn)

    def _share(self, *key: object) -> float:
        """Return the number between 0 and 1 that belongs to a key."""
        drawn = hashlib.blake2b(repr((self.rng, key)).encode(), digest_size=8).digest()
        return int.from_bytes(drawn, "big") / 2**64

    def _truth(self, u: str, v: str) -> tuple[str, str, Relation]:
        """Return cause, effect and their relation."""
        if self.graph.has_edge(u, v):
            return (u, v, "edge") if self.graph.has_directed_edge(u, v) else (v, u, "edge")
        if u in self._above[v]:
            return u, v, "ancestor"
        return (v, u, "ancestor") if v in self._above[u] else (u, v, "apart")


def _of_rate(error: float) -> ExpertNoise:
    return ExpertNoise.symmetric(error) if error else ExpertNoise.perfect()


def _index(row: Row, share: float) -> int:
    total = 0.0
    for k, probability in enumerate(row):
        total += probability
        if share < total:
            return k
    return max(k for k, p in enumerate(row) if p > 0)


def _arrows(pair: tuple[str, str], choice: Choice) -> list[tuple[str, str]]:
    return {"forward": [pair], "backward": [pair[::-1]], "both": [pair, pair[::-1]]}.get(choice, [])
