"""The front-door criterion: effects that only pass through observed nodes in between.

A set M of such nodes identifies the effect of X on Y if it meets every directed path from X to Y, no back-door path from X
to M is open, and X blocks all back-door paths from M to Y (Pearl 1995). Then

    p(y | do(x)) = sum_m p(m | x) sum_x' p(y | m, x') p(x').

The largest candidate set is found by taking nodes away: one that a back-door path connects with X, then again and again one
with a back-door path to Y that X leaves open. Taking a node away only opens more paths, so that what is taken away is in no
valid set and the order does not matter.
"""

from __future__ import annotations

from causalkit.graph._bits import closure, members
from causalkit.graph._separation import Separator
from causalkit.strength._problem import Problem
from causalkit.strength._routes import KNOWN


def front_door(problem: Problem) -> int | None:
    """Return a front-door set from which no node can be left out, or None; for a DAG or ADMG."""
    if problem.routes.graph.kind not in KNOWN:
        return None
    candidates = _largest(problem)
    if not _intercepts(problem, candidates):
        return None
    for node in members(candidates & ~problem.required):
        if is_front_door(problem, candidates & ~(1 << node)):
            candidates &= ~(1 << node)
    return candidates


def is_front_door(problem: Problem, mediators: int) -> bool:
    """Whether a set satisfies the criterion."""
    return (
        _intercepts(problem, mediators)
        and not mediators & ~_unconfounded(problem)
        and not _open_back_doors(problem, mediators)
    )


def _largest(problem: Problem) -> int:
    candidates = problem.allowed & _unconfounded(problem)
    while bad := _open_back_doors(problem, candidates):
        candidates &= ~bad
    return candidates


def _intercepts(problem: Problem, mediators: int) -> bool:
    """Whether every directed path from causes to effects passes the set."""
    reached = closure(problem.causes, problem.routes.children, within=~mediators)
    return not reached & problem.effects


def _unconfounded(problem: Problem) -> int:
    """Return the nodes to which no back-door path from the causes is open."""
    g = _without_arrows_out_of(problem, problem.causes)
    return problem.routes.everything & ~g.reachable(problem.causes, 0)


def _open_back_doors(problem: Problem, mediators: int) -> int:
    """Return the mediators with a back-door path to the effects that the causes leave open."""
    g = _without_arrows_out_of(problem, mediators)
    return g.reachable(problem.effects, problem.causes) & mediators


def _without_arrows_out_of(problem: Problem, nodes: int) -> Separator:
    full = problem.routes.graph._separator
    children = [0 if nodes >> k & 1 else mask for k, mask in enumerate(full.children)]
    return Separator([mask & ~nodes for mask in full.parents], children, full.spouses, full.undirected)
