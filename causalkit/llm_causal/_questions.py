"""Questions to experts and their answers: the one language that models, people and simulated experts speak.

A question about two variables is put in the order (u, v), and answered by one of five choices: u causes v, v causes u, both, neither, or "cannot tell". None of them is ever put
in the place of an answer that did not come: what cannot be read is *invalid*, and counted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, Literal, Protocol, TypeAlias, get_args

from causalkit._validation import check_choice
from causalkit.exceptions import ParameterError
from causalkit.llm_causal._variables import Variable

__all__ = ["Answer", "Expert", "Proposal", "Question", "Usage"]

Kind: TypeAlias = Literal["direct", "ancestral", "orient", "triplet", "children", "graph", "propose", "judge"]
Choice: TypeAlias = Literal["forward", "backward", "both", "none", "cannot_tell"]
Status: TypeAlias = Literal["answered", "invalid", "missing"]
Origin: TypeAlias = Literal["live", "published", "scripted", "simulated", "human"]
Arrow: TypeAlias = tuple[str, str]

CHOICES: tuple[Choice, ...] = ("forward", "backward", "both", "none", "cannot_tell")
PAIRS = ("direct", "ancestral", "orient")
SIZES: Mapping[str, tuple[int, int]] = {
    **dict.fromkeys(PAIRS, (2, 2)),
    "triplet": (3, 3),
    "children": (1, 1),
    "graph": (0, 0),
    "propose": (2, 2),
    "judge": (0, 0),
}
PLAIN = ("choice", "arrows", "unsure", "probabilities", "status", "problem", "rationale", "expert", "origin")
ROLES = ("latent", "instrument", "negative_control", "mediator")
SWAPPED: Mapping[str, Choice] = {"forward": "backward", "backward": "forward"}


@dataclass(frozen=True)
class Question:
    """One thing to ask an expert.

    Parameters
    ----------
    kind : {"direct", "ancestral", "orient", "triplet", "children", "graph", "propose", "judge"}
        Does u cause v, not through other variables; does it, directly or through others; which way does an edge point that is there; which arrows join
        three variables; which variables does this one cause directly; which arrows join all; which new variables play a role for u and v; is a statement true.
    variables : tuple of str
        Two for the first three and for "propose", three for "triplet", one for "children", none for "graph" and "judge".
    sample : int, default=0
        Number of the repetition: words and order may differ from one to the next.
    text : str, default=""
        For "judge": the story and what is asked. For "propose": the role, one of "latent", "instrument", "negative_control", "mediator".
    options : tuple of str, default=()
        For "judge": the answers to choose from, to which "cannot_tell" is added.
    given : tuple of Variable, default=()
        What the expert is told: all variables, with their descriptions. Without it, the bare names of ``variables``.
    told : str, optional
        A digest of ``given``, by which the question is known where what was given is not kept, as in a transcript; computed.

    Raises
    ------
    ParameterError
        If the number of variables does not suit the kind, one is named twice, or one is not among those given.

    Examples
    --------
    >>> from causalkit.llm_causal import Question
    >>> Question("direct", ("smoking", "cancer")).choices
    ('forward', 'backward', 'both', 'none', 'cannot_tell')
    """

    kind: Kind
    variables: tuple[str, ...] = ()
    sample: int = 0
    text: str = ""
    options: tuple[str, ...] = ()
    given: tuple[Variable, ...] = field(default=(), repr=False)
    told: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, tuple(SIZES))
        object.__setattr__(self, "given", tuple(self.given))
        if self.given:
            self._check_given()
        least, most = SIZES[self.kind]
        if not least <= len(self.variables) <= most or len(set(self.variables)) < len(self.variables):
            raise ParameterError(
                f"a question of kind {self.kind!r} is about {least} different variables; got {self.variables!r}"
            )
        if self.kind == "propose":
            check_choice("text", self.text, ROLES)
        if self.kind == "judge" and (not self.text or len(set(self.options)) < 2):
            raise ParameterError(
                "a question of kind 'judge' needs a text and two or more options to choose from"
            )

    def _check_given(self) -> None:
        if not all(isinstance(v, Variable) for v in self.given):
            raise ParameterError(f"given is a tuple of Variable, see as_variables; got {self.given!r}")
        names, told = _names_and_digest(self.given)
        object.__setattr__(self, "told", told)
        absent = [name for name in self.variables if name not in names]
        if absent:
            raise ParameterError(f"the question is about {absent[0]!r}, which is not among what is given")

    @property
    def choices(self) -> tuple[str, ...]:
        """The choices that may be answered; none for questions that are answered by arrows or proposals."""
        if self.kind in PAIRS:
            return CHOICES
        return (*self.options, "cannot_tell") if self.kind == "judge" else ()

    @property
    def key(self) -> str:
        """A short name of the question and of what was told beside it."""
        return digest([self.kind, self.variables, self.sample, self.text, self.options, self.told])

    @property
    def pair(self) -> frozenset[str]:
        """The variables without their order."""
        return frozenset(self.variables)

    def swapped(self) -> Question:
        """Return the same question about two variables in the other order.

        Returns
        -------
        Question
            With ``variables`` reversed.
        """
        return replace(self, variables=self.variables[::-1])


@dataclass(frozen=True)
class Usage:
    """What an answer cost.

    Parameters
    ----------
    calls : int, default=0
        Requests that were made.
    prompt_tokens, completion_tokens : int, default=0
        As the server counts them; estimated from the length of the text where it does not say.
    cost : float, default=0.0
        In the currency of the prices that were given.
    estimated : bool, default=False
        True where tokens are an estimate.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    estimated: bool = False

    @property
    def tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cost + other.cost,
            self.estimated or other.estimated,
        )


@dataclass(frozen=True)
class Proposal:
    """A variable that an expert misses among those given.

    Parameters
    ----------
    name : str
        What it is.
    role : {"latent", "instrument", "negative_control", "mediator"}
        What it would be for the two variables that were asked about.
    rationale : str, default=""
        Why, in the expert's words; it was not checked.
    """

    name: str
    role: str
    rationale: str = ""


@dataclass(frozen=True)
class Answer:
    """What an expert answered.

    Parameters
    ----------
    question : Question
        What was asked.
    choice : str or None, default=None
        One of ``question.choices``, for questions that have some.
    arrows : tuple of (str, str), default=()
        Causes and effects, for "triplet", "children" and "graph".
    unsure : tuple of (str, str), default=()
        Pairs of which the expert cannot tell, for these three kinds.
    proposals : tuple of Proposal, default=()
        For "propose".
    probabilities : mapping of str to float, default={}
        Of choices, or of arrows written "u -> v"; as the expert states them, not calibrated.
    status : {"answered", "invalid", "missing"}, default="answered"
        Invalid: something came that could not be read, after one attempt at repair. Missing: nothing came, as when the budget was spent.
    problem : str, default=""
        What was wrong with it.
    rationale : str, default=""
        Reasons in the expert's words; they were not checked.
    expert : str, default=""
        Who answered.
    origin : {"live", "published", "scripted", "simulated", "human"}, default="live"
        Where the answer comes from. Accuracy may be computed from all but "scripted".
    usage : Usage
        What it cost.
    """

    question: Question
    choice: str | None = None
    arrows: tuple[Arrow, ...] = ()
    unsure: tuple[Arrow, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    probabilities: Mapping[str, float] = field(default_factory=dict)
    status: Status = "answered"
    problem: str = ""
    rationale: str = ""
    expert: str = ""
    origin: Origin = "live"
    usage: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        check_choice("status", self.status, get_args(Status))
        check_choice("origin", self.origin, get_args(Origin))
        if self.status == "answered" and self.question.choices and self.choice not in self.question.choices:
            raise ParameterError(
                f"{self.choice!r} is no answer to a question of kind {self.question.kind!r}; allowed are {', '.join(self.question.choices)}"
            )

    @property
    def says_something(self) -> bool:
        """Whether it was answered, and not by "cannot tell"."""
        return self.status == "answered" and self.choice != "cannot_tell"

    def about(self, tail: str, head: str) -> Choice | None:
        """Return what it says of two variables, seen from `tail` to `head`.

        Parameters
        ----------
        tail, head : str
            Two variables.

        Returns
        -------
        str or None
            A choice; None if the question was not about them or there is no answer. Where arrows are answered, a pair without one is "none", unless the expert said that it cannot
            tell; who does not name v among the effects of u says nothing of an arrow from v to u, so that there it is None.
        """
        if self.status != "answered":
            return None
        if self.question.kind in PAIRS:
            return self._of_choice(tail, head)
        return self._of_arrows(tail, head) if self.question.kind in ("triplet", "children", "graph") else None

    def _of_choice(self, tail: str, head: str) -> Choice | None:
        if {tail, head} != set(self.question.variables):
            return None
        choice: Any = self.choice
        seen: Choice = choice if tail == self.question.variables[0] else SWAPPED.get(choice, choice)
        return seen

    def _of_arrows(self, tail: str, head: str) -> Choice | None:
        asked = set(self.question.variables)
        if self.question.kind == "triplet" and not {tail, head} <= asked:
            return None
        if {(tail, head), (head, tail)} & set(self.unsure):
            return "cannot_tell"
        there, back = (tail, head) in self.arrows, (head, tail) in self.arrows
        if there or back:
            return "both" if there and back else "forward" if there else "backward"
        return None if self.question.kind == "children" else "none"

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain data.

        Returns
        -------
        dict
            What JSON can hold; `Answer.from_dict` reads it. What was told beside the question is not in it.
        """
        content = {name: getattr(self, name) for name in PLAIN}
        question = {f.name: getattr(self.question, f.name) for f in fields(Question) if f.name != "given"}
        proposals = [asdict(p) for p in self.proposals]
        return {"question": question, "proposals": proposals, "usage": asdict(self.usage), **content}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Answer:
        """Read an answer from plain data.

        Parameters
        ----------
        content : mapping
            As `to_dict` writes it.

        Returns
        -------
        Answer
            The same answer.

        Raises
        ------
        ParameterError
            If it is no answer.
        """
        try:
            entries = dict(content)
            entries["question"] = question_from_dict(entries["question"])
            for name in ("arrows", "unsure"):
                entries[name] = tuple((str(a), str(b)) for a, b in entries.get(name, ()))
            entries["proposals"] = tuple(Proposal(**p) for p in entries.get("proposals", ()))
            entries["usage"] = Usage(**entries.get("usage", {}))
            return cls(**entries)
        except (KeyError, TypeError, ValueError) as problem:
            raise ParameterError(f"this is no answer of an expert: {problem!r}") from problem


@lru_cache(maxsize=64)
def _names_and_digest(given: tuple[Variable, ...]) -> tuple[frozenset[str], str]:
    """Return what is asked of every question about the same variables, of which there may be thousands."""
    return frozenset(v.name for v in given), digest([asdict(v) for v in given])


def question_from_dict(content: Mapping[str, Any]) -> Question:
    """Read a question from plain data."""
    entries = dict(content)
    return Question(
        **{**entries, "variables": tuple(entries["variables"]), "options": tuple(entries.get("options", ()))}
    )


def digest(content: Any) -> str:
    """Return a short name that depends on content only, written as canonical JSON."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class Expert(Protocol):
    """Whatever answers questions: a language model, a person, a file of answers, a simulation.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.llm_causal import OracleExpert, Question
    >>> expert = OracleExpert(CausalGraph.parse("A -> B"))
    >>> expert.answer([Question("direct", ("B", "A"))])[0].choice
    'backward'
    """

    @property
    def name(self) -> str:
        """Who it is, in receipts and tables."""
        ...

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Answer questions.

        Parameters
        ----------
        questions : sequence of Question
            What is asked, all at once.

        Returns
        -------
        list of Answer
            One for every question, in their order.
        """
        ...

    def estimate(self, questions: Sequence[Question]) -> Usage:
        """Say what answers would cost, without asking.

        Parameters
        ----------
        questions : sequence of Question
            What would be asked.

        Returns
        -------
        Usage
            An estimate.
        """
        ...
