"""Which of several adjustment sets to take; each strategy returns one as a mask, or None."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from causalkit.graph import GraphKind
from causalkit.graph._bits import members
from causalkit.graph._problem import Problem
from causalkit.strength._cuts import MoralGraph


def optimal(problem: Problem) -> int | None:
    """Return the set of least asymptotic variance (Henckel, Perković and Maathuis 2022).

    Parents of the nodes between cause and effect, that are not forbidden themselves. If it is not observed, the minimal set nearest to
    the effects, which has the least variance among minimal sets (Smucler, Sapienza and Rotnitzky 2022).
    """
    found = problem.optimal | problem.required
    if found & ~problem.allowed or not (_always_valid(problem) or problem.is_valid(found)):
        return minimal(problem)
    return found


def _always_valid(problem: Problem) -> bool:
    """Whether the optimal set needs no check: in a DAG it is valid if any set is, and the parents of one cause are for one effect."""
    return (
        problem.graph.kind is GraphKind.DAG
        and not problem.required
        and problem.causes.bit_count() == problem.effects.bit_count() == 1
    )


def minimal(problem: Problem) -> int | None:
    """Return the minimal set nearest to the effects."""
    if problem.is_hopeless:
        return None
    return problem.backdoor.minimal(problem.effects, problem.causes, problem.required, problem.usable)


def canonical(problem: Problem) -> int | None:
    """Return all usable possible ancestors of causes and effects."""
    return problem.canonical


def parents(problem: Problem) -> int | None:
    """Return the parents of the causes, where they are an adjustment set."""
    found = problem.required
    for node in members(problem.causes):
        found |= problem.routes.parents[node]
    return _checked(problem, found & ~problem.causes)


def temporal(problem: Problem) -> int | None:
    """Return everything that the causes cannot affect, where that is an adjustment set."""
    after = problem.routes.possible_descendants(problem.causes)
    return _checked(problem, problem.allowed & ~after | problem.required)


def _checked(problem: Problem, found: int) -> int | None:
    return found if not found & ~problem.allowed and problem.is_valid(found) else None


def cheapest(problem: Problem, costs: Mapping[int, float]) -> int | None:
    """Return a set of least total cost."""
    if problem.canonical is None:
        return None
    found = MoralGraph(problem).cheapest_separator(costs)
    return None if found is None else found | problem.required


STRATEGIES: dict[str, Callable[[Problem], int | None]] = {
    "optimal": optimal,
    "minimal": minimal,
    "parents": parents,
    "canonical": canonical,
    "temporal": temporal,
}
