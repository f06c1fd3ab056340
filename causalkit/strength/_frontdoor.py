"""The front-door criterion: effects that only pass through observed nodes in between.

A set M of such nodes identifies the effect of X on Y if it meets every directed path from X to Y, no back-door path from X
to M is open, and X blocks all back-door paths from M to Y (Pearl 1995). Then

    p(y | do(x)) = sum_m p(m | x) sum_x' p(y | m, x') p(x').

The largest candidate set is found by taking nodes away: one that a back-door path connects with X, then again and again one
with a back-door path to Y that X leaves open. Taking a node away only opens more paths, so that what is taken away is in no
valid set and the order does not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from causalkit.exceptions import ParameterError, PositivityError
from causalkit.graph._bits import closure, members
from causalkit.graph._problem import Problem
from causalkit.graph._routes import KNOWN
from causalkit.graph._separation import Separator
from causalkit.strength._means import ArmMeans
from causalkit.strength._oracle import ProbabilityOracle, checked_answers
from causalkit.strength._sample import Sample


def front_door(problem: Problem) -> int | None:
    """Return a front-door set from which no node can be left out, or None; for a DAG or ADMG."""
    if problem.graph.kind not in KNOWN:
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
    candidates = problem.allowed & ~problem.selected & _unconfounded(problem)
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
    full = problem.graph._separator
    children = [0 if nodes >> k & 1 else mask for k, mask in enumerate(full.children)]
    return Separator([mask & ~nodes for mask in full.parents], children, full.spouses, full.undirected)


# -- estimation ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FrontDoorMeans:
    """Plug-in of the formula above; the columns of the sample are the mediators, and intervals come from the bootstrap."""

    def __call__(self, sample: Sample) -> ArmMeans:
        """Return the means."""
        if not sample.is_discrete:
            raise ParameterError(
                "the front-door plug-in needs discrete mediators; one has more than twenty values"
            )
        sample.require_both_arms()
        doses, dose = np.unique(sample.dose, return_inverse=True)
        size = sample.strata.max() + 1
        cell = dose * size + sample.strata
        rows = np.bincount(cell, minlength=len(doses) * size).reshape(len(doses), size)
        sums = np.bincount(cell, sample.outcome, len(doses) * size).reshape(rows.shape)
        if (rows == 0).any():
            raise PositivityError(
                "some value of the mediators never occurs with some value of the cause; the front-door sum needs all"
            )
        given_mediator = (rows.sum(axis=1) / sample.n) @ (sums / rows)
        chosen = [int(np.searchsorted(doses, d)) for d in sample.doses]
        means = [float((rows[k] / rows[k].sum()) @ given_mediator) for k in chosen]
        return ArmMeans((means[0], means[1]))


def front_door_probability(
    oracle: ProbabilityOracle, event: tuple[str, Any], cause: tuple[str, Any], mediators: Sequence[str]
) -> float:
    """Return the probability of an event under an intervention by the same formula, from an oracle."""
    values, _ = oracle.strata(mediators)
    doses, weights = oracle.strata([cause[0]])
    total = 0.0
    for row in values:
        set_to = dict(zip(mediators, row, strict=True))
        conditions = [{cause[0]: dose[0], **set_to} for dose in doses]
        within = checked_answers(oracle, oracle.probability(event, conditions), conditions)
        total += _chance(oracle, set_to, cause) * float(weights @ within)
    return total


def _chance(oracle: ProbabilityOracle, values: Mapping[str, Any], cause: tuple[str, Any]) -> float:
    """Return the probability of several values given the cause, by the chain rule."""
    chance, given = 1.0, {cause[0]: cause[1]}
    for name, value in values.items():
        chance *= float(checked_answers(oracle, oracle.probability((name, value), [given]), [given])[0])
        given = {**given, name: value}
    return chance
