"""Variables that an expert misses: common causes, instruments, negative controls and mediators, each held against the graph before it is believed.

What is in the graph is computed, never asked. A suggested common cause never enters the graph: it makes a variant of it, in which whatever is estimated can be estimated again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from causalkit._validation import check_choice
from causalkit.exceptions import ParameterError
from causalkit.graph import CausalGraph, GraphKind, GraphLike, Mark, as_graph
from causalkit.llm_causal._ledger import Budget, Meter
from causalkit.llm_causal._questions import ROLES, Expert, Proposal, Question
from causalkit.llm_causal._variables import Described, as_variables

__all__ = ["Suggestion", "suggest_variables"]

Verdict: TypeAlias = Literal["fits the graph", "contradicts the graph", "not in the graph"]


@dataclass(frozen=True)
class Suggestion:
    """A suggested variable, and what the graph says of it.

    Parameters
    ----------
    cause, effect : str
        The two variables it was suggested for.
    proposal : Proposal
        Name, role and the expert's reasons, which nobody has checked.
    verdict : {"fits the graph", "contradicts the graph", "not in the graph"}
        Whether a variable of this name has the role in the graph; for new variables nothing can be said from it.
    reason : str
        Why.
    variant : CausalGraph or None
        For a hidden common cause: the graph as an ADMG with ``<->`` between the two, to see which estimates would change.
    """

    cause: str
    effect: str
    proposal: Proposal
    verdict: Verdict
    reason: str
    variant: CausalGraph | None = None


def suggest_variables(
    variables: Described,
    cause: str,
    effect: str,
    *,
    expert: Expert,
    graph: GraphLike,
    roles: Iterable[str] = ROLES,
    budget: Budget | None = None,
) -> tuple[Suggestion, ...]:
    """Ask an expert for variables that play a role for a cause and an effect, and hold them against a graph.

    Parameters
    ----------
    variables : iterable of str or Variable, or mapping of str to str
        What is in the graph, as the expert is told.
    cause, effect : str
        Two of them.
    expert : Expert
        Who is asked, once for every role.
    graph : CausalGraph
        A DAG.
    roles : iterable of str, default=("latent", "instrument", "negative_control", "mediator")
        Which roles.
    budget : Budget, optional
        What may be spent.

    Returns
    -------
    tuple of Suggestion
        In the order of roles; none for answers that could not be read.

    Raises
    ------
    ParameterError
        If the graph is no DAG, or a role is not known.
    NodeNotFoundError
        If cause or effect is no node.

    Examples
    --------
    >>> from causalkit import CausalGraph
    >>> from causalkit.llm_causal import from_callable, suggest_variables
    >>> def model(messages):
    ...     return '{"reasoning": "", "proposals": [{"name": "season", "rationale": "it moves both"}]}'
    >>> graph = CausalGraph.parse("rain -> sale")
    >>> found = suggest_variables(graph.nodes, "rain", "sale", expert=from_callable(model), graph=graph, roles=["latent"])
    >>> found[0].verdict, str(found[0].variant)
    ('not in the graph', 'rain -> sale; rain <-> sale')
    """
    graph = as_graph(graph)
    if graph.kind is not GraphKind.DAG:
        raise ParameterError(f"suggestions are held against a DAG; this graph is a {graph.kind}")
    graph.index(cause)
    graph.index(effect)
    given, wanted = as_variables(variables), list(roles)
    for role in wanted:
        check_choice("roles", role, ROLES)
    questions = [Question("propose", (cause, effect), text=role, given=given) for role in wanted]
    answers = Meter(expert, budget or Budget()).ask(questions, "suggestions")
    return tuple(_held(graph, cause, effect, p) for answer in answers for p in answer.proposals)


def _held(graph: CausalGraph, cause: str, effect: str, proposal: Proposal) -> Suggestion:
    """Hold a proposal against the graph."""
    known = {name.casefold(): name for name in graph.nodes}.get(proposal.name.strip().casefold())
    if known is None or known in (cause, effect):
        variant = _with_latent(graph, cause, effect) if proposal.role == "latent" else None
        text = "it is one of the two" if known else "it is no variable of the graph"
        return Suggestion(
            cause,
            effect,
            proposal,
            "contradicts the graph" if known else "not in the graph",
            text,
            variant if not known else None,
        )
    problem = CHECKS[proposal.role](graph, cause, effect, known)
    verdict: Verdict = "contradicts the graph" if problem else "fits the graph"
    return Suggestion(cause, effect, proposal, verdict, problem or f"{known} has this role in the graph")


def _with_latent(graph: CausalGraph, cause: str, effect: str) -> CausalGraph:
    return graph.with_kind(GraphKind.ADMG).with_edge(cause, effect, Mark.ARROW, Mark.ARROW)


def _latent(graph: CausalGraph, cause: str, effect: str, name: str) -> str:
    both = name in graph.ancestors(cause) and name in graph.ancestors(effect)
    return "" if both else f"{name} does not cause both {cause} and {effect}"


def _instrument(graph: CausalGraph, cause: str, effect: str, name: str) -> str:
    """An instrument reaches the effect through the cause only: without what leaves the cause, it is separated from the effect."""
    if graph.separated(name, cause):
        return f"{name} and {cause} are independent"
    cut = graph
    for child in graph.children(cause):
        cut = cut.without_edge(cause, child)
    return (
        "" if cut.separated(name, effect) else f"{name} reaches {effect} on other ways than through {cause}"
    )


def _negative_control(graph: CausalGraph, cause: str, effect: str, name: str) -> str:  # noqa: ARG001 - one signature for all roles
    return f"{cause} causes {name}" if name in graph.descendants(cause) else ""


def _mediator(graph: CausalGraph, cause: str, effect: str, name: str) -> str:
    between = name in graph.descendants(cause) and name in graph.ancestors(effect)
    return "" if between else f"no way leads from {cause} through {name} to {effect}"


CHECKS = {
    "latent": _latent,
    "instrument": _instrument,
    "negative_control": _negative_control,
    "mediator": _mediator,
}


def variants_of(suggestions: Sequence[Suggestion]) -> tuple[CausalGraph, ...]:
    """Return the different graphs with a suggested hidden common cause."""
    return tuple(dict.fromkeys(s.variant for s in suggestions if s.variant is not None))
