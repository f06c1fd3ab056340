"""Claims about causes, from any expert, and what follows from them for a graph.

"A causes B" is read as a claim about ancestors: it forbids paths from B to A, and does not ask for an arrow. Claims compile to hard constraints for a search (`to_background`), to log-odds for
soft use (`log_odds`), or to questions that are still open (`open_questions`). Whether claims hold together is checked before they are used, and a conflict is told as a smallest set of claims
that cannot all be true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from causalkit._validation import check_choice, check_share
from causalkit.exceptions import GraphKindError, KnowledgeError, ParameterError
from causalkit.graph import BackgroundKnowledge, CausalGraph, GraphKind, Mark
from causalkit.llm_causal._members import Members
from causalkit.llm_causal._questions import Answer, Question

__all__ = ["Applied", "Claim", "KnowledgeBase", "claims_of"]

Relation: TypeAlias = Literal["direct", "ancestor", "not_ancestor", "no_edge", "before", "latent"]
Matrix: TypeAlias = NDArray[np.bool_]
RELATIONS: tuple[Relation, ...] = ("direct", "ancestor", "not_ancestor", "no_edge", "before", "latent")
WORDS = {
    "direct": "{} causes {} directly",
    "ancestor": "{} causes {}, directly or not",
    "not_ancestor": "{} does not cause {}",
    "no_edge": "no arrow joins {} and {}",
    "before": "{} comes before {}",
    "latent": "a hidden variable causes {} and {}",
}


@dataclass(frozen=True)
class Claim:
    """What someone claims about two variables.

    Parameters
    ----------
    subject, object : str
        Two variables.
    relation : {"direct", "ancestor", "not_ancestor", "no_edge", "before", "latent"}
        What is claimed of them, read from subject to object; see the words of `str`.
    probability : float, default=1.0
        That it is true; calibrated, if it is to be used as a weight.
    source : str, default=""
        Who claims it.
    rationale : str, default=""
        Why, in the words of the source.
    citations : tuple of str, default=()
        What the source refers to; nobody has checked it.

    Raises
    ------
    ParameterError
        If the variables are one, or the relation or the probability is not allowed.

    Examples
    --------
    >>> from causalkit.llm_causal import Claim
    >>> print(Claim("smoking", "cancer", "ancestor"))
    smoking causes cancer, directly or not
    """

    subject: str
    object: str
    relation: Relation
    probability: float = 1.0
    source: str = ""
    rationale: str = ""
    citations: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_choice("relation", self.relation, RELATIONS)
        check_share("probability", self.probability)
        if self.subject == self.object:
            raise ParameterError(f"a claim is about two variables; both are {self.subject!r}")

    def __str__(self) -> str:
        return WORDS[self.relation].format(self.subject, self.object)

    def holds_in(self, graph: CausalGraph) -> bool:
        """Whether it is true in a DAG.

        Parameters
        ----------
        graph : CausalGraph
            A DAG; "latent" is true in every one.

        Returns
        -------
        bool
            True if it is.
        """
        u, v = self.subject, self.object
        tests: dict[str, Callable[[], bool]] = {
            "direct": lambda: graph.has_directed_edge(u, v),
            "ancestor": lambda: u in graph.ancestors(v),
            "not_ancestor": lambda: u not in graph.ancestors(v),
            "no_edge": lambda: not graph.has_edge(u, v),
            "before": lambda: v not in graph.ancestors(u),
            "latent": lambda: True,
        }
        return tests[self.relation]()


def claims_of(answer: Answer, probability: float | None = None) -> tuple[Claim, ...]:
    """Read claims from an answer.

    Parameters
    ----------
    answer : Answer
        Of an expert. Arrows of "graph", "children" and "triplet" and answers to "ancestral" and "direct" are claims about ancestors: experts mix up direct and other causes. An
        answer to "orient" is a claim about an arrow, whose presence was told.
    probability : float, optional
        Of each; by default the one that the expert states, which is not calibrated, or 1/2.

    Returns
    -------
    tuple of Claim
        None for "both", "cannot tell", and answers that did not come; "neither" is a claim about both directions.

    Examples
    --------
    >>> from causalkit.llm_causal import Answer, Question, claims_of
    >>> [str(c) for c in claims_of(Answer(Question("direct", ("A", "B")), "backward"))]
    ['B causes A, directly or not']
    """
    if answer.status != "answered":
        return ()
    if answer.arrows:
        stated = answer.probabilities
        return tuple(
            _claim(answer, u, v, "ancestor", probability, stated.get(f"{u} -> {v}")) for u, v in answer.arrows
        )
    if answer.question.kind not in ("orient", "direct", "ancestral"):
        return ()
    u, v = answer.question.variables
    stated_share = answer.probabilities.get(str(answer.choice))
    relation: Relation = "direct" if answer.question.kind == "orient" else "ancestor"
    if answer.choice in ("forward", "backward"):
        cause, effect = (u, v) if answer.choice == "forward" else (v, u)
        return (_claim(answer, cause, effect, relation, probability, stated_share),)
    if answer.choice == "none" and answer.question.kind == "ancestral":
        return tuple(
            _claim(answer, *pair, "not_ancestor", probability, stated_share) for pair in ((u, v), (v, u))
        )
    if answer.choice == "none":
        return (_claim(answer, u, v, "no_edge", probability, stated_share),)
    return ()


def _claim(
    answer: Answer, u: str, v: str, relation: Relation, probability: float | None, stated: float | None
) -> Claim:
    share = probability if probability is not None else 0.5 if stated is None else stated
    return Claim(u, v, relation, share, answer.expert, answer.rationale)


@dataclass(frozen=True)
class Applied:
    """A graph after claims were applied to it.

    Parameters
    ----------
    graph : CausalGraph
        With all arrows that follow.
    residual : tuple of Claim
        Claims that rule out members of the class, but not by an arrow: they hold in some of the members that the graph stands for.
    """

    graph: CausalGraph
    residual: tuple[Claim, ...]


class KnowledgeBase:
    """Claims that are used together.

    Parameters
    ----------
    claims : iterable of Claim, default=()
        From any sources.

    Examples
    --------
    >>> from causalkit.llm_causal import Claim, KnowledgeBase
    >>> base = KnowledgeBase([Claim("A", "B", "ancestor"), Claim("B", "C", "ancestor"), Claim("C", "A", "direct")])
    >>> [str(c) for c in base.conflict()]
    ['A causes B, directly or not', 'B causes C, directly or not', 'C causes A directly']
    """

    def __init__(self, claims: Iterable[Claim] = ()) -> None:
        self.claims = tuple(claims)

    def __len__(self) -> int:
        return len(self.claims)

    def __repr__(self) -> str:
        return f"KnowledgeBase({len(self)} claims about {', '.join(self.names) or 'nothing'})"

    def __iter__(self) -> Iterator[Claim]:
        return iter(self.claims)

    def with_claim(self, claim: Claim) -> KnowledgeBase:
        """Return a knowledge base with one more claim.

        Parameters
        ----------
        claim : Claim
            To add at the end.

        Returns
        -------
        KnowledgeBase
            A new one.
        """
        return KnowledgeBase((*self.claims, claim))

    @property
    def names(self) -> tuple[str, ...]:
        """Variables that claims are about, in order of mention."""
        return tuple(dict.fromkeys(n for c in self.claims for n in (c.subject, c.object)))

    # -- do they hold together -------------------------------------------------------------------------------------------------

    def conflict(self, nodes: Sequence[str] | None = None) -> tuple[Claim, ...]:
        """Return a minimal set of claims that cannot all be true.

        Parameters
        ----------
        nodes : sequence of str, optional
            All variables, if there are no others that a path could go through.

        Returns
        -------
        tuple of Claim
            Without any of them the others hold together; empty if no conflict was found. What is found is one; a few conflicts, of paths that several claims together leave no
            way, are only found by `apply`, which looks at the graphs themselves.
        """
        return _minimal_conflict(self.claims, lambda claims: _consistent(claims, nodes))

    def check(self, nodes: Sequence[str] | None = None) -> None:
        """Raise an error if the claims cannot all be true.

        Parameters
        ----------
        nodes : sequence of str, optional
            As for `conflict`.

        Raises
        ------
        KnowledgeError
            With the conflict.
        """
        core = self.conflict(nodes)
        if core:
            raise KnowledgeError(
                f"these claims cannot all be true: {'; '.join(map(str, core))}", tuple(map(str, core))
            )

    def resolved(self, nodes: Sequence[str] | None = None) -> tuple[KnowledgeBase, tuple[Claim, ...]]:
        """Leave out the least probable claim of every conflict.

        Parameters
        ----------
        nodes : sequence of str, optional
            As for `conflict`.

        Returns
        -------
        kept : KnowledgeBase
            Claims that hold together.
        dropped : tuple of Claim
            The others; of equally probable ones the later.
        """
        kept, dropped = list(self.claims), []
        while core := _minimal_conflict(tuple(kept), lambda claims: _consistent(claims, nodes)):
            weakest = min(range(len(core)), key=lambda k: (core[k].probability, -k))
            dropped.append(core[weakest])
            kept.remove(core[weakest])
        return KnowledgeBase(kept), tuple(dropped)

    # -- what they are compiled to ---------------------------------------------------------------------------------------------

    def to_background(self) -> BackgroundKnowledge:
        """Return what the claims say of single arrows, for the searches PC and CD-NOD.

        Returns
        -------
        BackgroundKnowledge
            "direct" requires an arrow; "ancestor" and "before" forbid the opposite arrow, and so does every chain of them; "not ancestor" forbids the arrow; "no edge" forbids both.
            Paths that are longer are not said by it: `apply` uses them.

        Raises
        ------
        KnowledgeError
            If the claims cannot all be true.
        """
        self.check()
        names = list(self.names)
        above = _closed(_matrix(self.claims, names, ("direct", "ancestor")))
        denied = _denied(self.claims, names, above)
        forbidden = {(names[i], names[j]) for i, j in np.argwhere(denied)}
        for claim in self.claims:
            if claim.relation == "no_edge":
                forbidden |= {(claim.subject, claim.object), (claim.object, claim.subject)}
        required = [(c.subject, c.object) for c in self.claims if c.relation == "direct"]
        return BackgroundKnowledge(required=dict.fromkeys(required), forbidden=sorted(forbidden))

    def log_odds(self, nodes: Sequence[str]) -> NDArray[np.float64]:
        """Return how much the claims speak for and against each arrow.

        Parameters
        ----------
        nodes : sequence of str
            Order of rows and columns.

        Returns
        -------
        numpy.ndarray of float, shape (d, d)
            Sums of log(p / (1 - p)) over claims; row i, column j for the arrow from i to j. Claims about ancestors and order speak against the opposite arrow only.
            Probabilities are kept between .001 and .999.
        """
        odds = np.zeros((len(nodes), len(nodes)))
        place = {name: k for k, name in enumerate(nodes)}
        unknown = [name for name in self.names if name not in place]
        if unknown:
            raise ParameterError(
                f"a claim is about {unknown[0]!r}, which is no node; nodes are {', '.join(nodes)}"
            )
        for claim in self.claims:
            i, j = place[claim.subject], place[claim.object]
            share = min(max(claim.probability, 0.001), 0.999)
            weight = np.log(share / (1 - share))
            odds[i, j] += weight * {"direct": 1, "not_ancestor": -1, "no_edge": -1}.get(claim.relation, 0)
            odds[j, i] -= weight * (claim.relation in ("direct", "ancestor", "before", "no_edge"))
        return odds

    def open_questions(self, graph: CausalGraph) -> tuple[Question, ...]:
        """Return questions about edges without a direction that no claim decides.

        Parameters
        ----------
        graph : CausalGraph
            Of any kind.

        Returns
        -------
        tuple of Question
            Of kind "orient".
        """
        decided = {
            frozenset((c.subject, c.object))
            for c in self.claims
            if c.relation in ("direct", "ancestor", "before", "not_ancestor")
        }
        return tuple(
            Question("orient", (e.u, e.v))
            for e in graph.edges
            if e.is_undirected and frozenset((e.u, e.v)) not in decided
        )

    def apply(self, graph: CausalGraph, *, max_members: int = 20_000) -> Applied:
        """Orient a graph by the claims.

        Parameters
        ----------
        graph : CausalGraph
            A CPDAG, MPDAG, DAG or PAG over the variables of the claims, and others.
        max_members : int, default=20000
            Largest class whose members are listed, so that claims about paths are used in full; in larger ones they are used for single arrows.

        Returns
        -------
        Applied
            For a class of DAGs an MPDAG: every arrow that all members share in which the claims hold. For a PAG, "v does not cause u", said or implied, puts an arrowhead at v on an edge that
            joins them, never a tail; claims that say more than that are residual.

        Raises
        ------
        KnowledgeError
            If the claims hold in no member, with a minimal set of claims that do not.
        GraphKindError
            If the graph stands for no class.
        """
        for name in self.names:
            graph.index(name)
        self.check()
        if graph.kind is GraphKind.PAG:
            return Applied(_with_arrowheads(graph, self.claims), _beyond_arrowheads(graph, self.claims))
        if graph.kind not in (GraphKind.CPDAG, GraphKind.MPDAG, GraphKind.DAG):
            raise GraphKindError(
                f"claims are applied to a CPDAG, an MPDAG, a DAG or a PAG; this graph is a {graph.kind}"
            )
        members = Members.of(graph, max_members, 0)
        if not members.exact:
            oriented = graph.to_mpdag(self.to_background())
            return Applied(
                oriented,
                tuple(c for c in self.claims if c.relation in ("ancestor", "not_ancestor", "before")),
            )
        return self._among(graph, members)

    def _among(self, graph: CausalGraph, members: Members) -> Applied:
        everywhere = np.ones(len(members.forward), dtype=bool)
        holds = {claim: holds_in_members(claim, members) for claim in self.claims}

        def possible(claims: Sequence[Claim]) -> bool:
            return bool(np.logical_and.reduce([everywhere, *(holds[c] for c in claims)]).any())

        core = _minimal_conflict(self.claims, possible)
        if core:
            raise KnowledgeError(
                f"no graph of this class agrees with all of: {'; '.join(map(str, core))}",
                tuple(map(str, core)),
            )
        if graph.kind is GraphKind.DAG:
            return Applied(graph, ())
        left = np.logical_and.reduce([everywhere, *holds.values()])
        share = members.forward[left].mean(axis=0) if members.edges else np.empty(0)
        arrows = [e if s == 1 else e[::-1] for e, s in zip(members.edges, share, strict=True) if s in (0, 1)]
        oriented = graph.to_mpdag(BackgroundKnowledge(required=arrows))
        inside = np.logical_and.reduce(
            [
                everywhere,
                *(members.forward[:, k] == share[k] for k in range(len(share)) if share[k] in (0, 1)),
            ]
        )
        return Applied(oriented, tuple(c for c in self.claims if not holds[c][inside].all()))


def holds_in_members(claim: Claim, members: Members) -> Matrix:
    """Return in which members of a class a claim is true; as `Claim.holds_in`, for all at once."""
    u, v = claim.subject, claim.object
    tests: dict[str, Callable[[], Any]] = {
        "direct": lambda: members.has_arrow(u, v),
        "ancestor": lambda: members.is_ancestor(u, v),
        "not_ancestor": lambda: ~members.is_ancestor(u, v),
        "no_edge": lambda: np.full(len(members.forward), not members.graph.has_edge(u, v)),
        "before": lambda: ~members.is_ancestor(v, u),
        "latent": lambda: np.ones(len(members.forward), dtype=bool),
    }
    return np.asarray(tests[claim.relation](), dtype=bool)


def _matrix(claims: Iterable[Claim], names: Sequence[str], relations: Iterable[str]) -> Matrix:
    found = np.zeros((len(names), len(names)), dtype=bool)
    place = {name: k for k, name in enumerate(names)}
    for claim in claims:
        if claim.relation in relations:
            found[place[claim.subject], place[claim.object]] = True
    return found


def _closed(step: Matrix) -> Matrix:
    reached: Any = step.copy()
    while True:
        further = reached | ((reached.astype(int) @ reached.astype(int)) > 0)
        if (further == reached).all():
            return np.asarray(reached, dtype=bool)
        reached = further


def _denied(claims: Iterable[Claim], names: Sequence[str], above: Matrix) -> Matrix:
    """Return which causes are denied: said so, later in order by a chain of claims about order and causes; and what a denial implies.

    If x does not cause y, then nothing below x does cause anything above y.
    """
    claims = tuple(claims)
    said = _matrix(claims, names, ("not_ancestor",)) | _in_order(claims, names).T
    same = np.eye(len(names), dtype=bool)
    low, high = (above | same).astype(int), (above | same).astype(int)
    implied = (low.T @ said.astype(int) @ high.T) > 0
    return np.asarray(implied & ~same, dtype=bool)


def _in_order(claims: Iterable[Claim], names: Sequence[str]) -> Matrix:
    """Return what comes before what: said so, or as causes do, and by chains of both."""
    return _closed(_matrix(claims, names, ("before", "direct", "ancestor")))


def _consistent(claims: Sequence[Claim], nodes: Sequence[str] | None) -> bool:
    """Whether the claims can all be true of some DAG; with `nodes`, of one over these."""
    names = list(dict.fromkeys([*(nodes or ()), *(n for c in claims for n in (c.subject, c.object))]))
    above = _closed(_matrix(claims, names, ("direct", "ancestor")))
    if _in_order(claims, names).diagonal().any() or (above & _denied(claims, names, above)).any():
        return False
    apart = _matrix(claims, names, ("no_edge",))
    apart |= apart.T
    if (apart & _matrix(claims, names, ("direct",))).any():
        return False
    if nodes is None:
        return True
    ways = _closed(~apart & ~_denied(claims, names, above) & ~np.eye(len(names), dtype=bool))
    return bool((ways | ~above).all())


def _minimal_conflict(
    claims: tuple[Claim, ...], possible: Callable[[Sequence[Claim]], bool]
) -> tuple[Claim, ...]:
    """Drop claims one by one as long as the rest still conflicts."""
    if possible(claims):
        return ()
    core = list(claims)
    for claim in claims:
        rest = list(core)
        rest.remove(claim)
        if not possible(rest):
            core = rest
    return tuple(core)


def _with_arrowheads(graph: CausalGraph, claims: tuple[Claim, ...]) -> CausalGraph:
    """Put an arrowhead at v on the edge of u and v, where v is said, or implied, not to cause u."""
    core = _minimal_conflict(claims, lambda some: _arrowheads(graph, some) is not None)
    if core:
        raise KnowledgeError(
            f"the marks of the graph contradict: {'; '.join(map(str, core))}", tuple(map(str, core))
        )
    marks = _arrowheads(graph, claims)
    return CausalGraph(
        graph.kind, graph.nodes, marks, node_data=graph.node_data, edge_data=_columns(graph), meta=graph.meta
    )


def _columns(graph: CausalGraph) -> dict[str, list[Any]]:
    names = dict.fromkeys(name for edge in graph.edges for name in edge.data)
    return {name: [edge.data.get(name) for edge in graph.edges] for name in names}


def _arrowheads(graph: CausalGraph, claims: Sequence[Claim]) -> Any:
    """Return the marks with arrowheads at what is no cause; None where a tail says that it is one, or an arrowhead that a claimed cause is none."""
    names, marks = graph.nodes, graph.marks.copy()
    above = _closed(_matrix(claims, names, ("direct", "ancestor")))
    denied = _denied(claims, names, above) & (marks != Mark.NONE)
    at_first = marks.T
    if (denied & (at_first == Mark.TAIL)).any() or (above & (at_first == Mark.ARROW)).any():
        return None
    marks[denied.T] = Mark.ARROW
    return marks


def _beyond_arrowheads(graph: CausalGraph, claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Return the claims of which an arrowhead is not all."""
    return tuple(
        c
        for c in claims
        if c.relation not in ("not_ancestor", "before") or not graph.has_edge(c.subject, c.object)
    )
