"""Effects that are identified by neither adjustment nor a front-door set: the complete algorithm of Shpitser and Pearl.

`general_estimand` follows the seven lines of ID (Shpitser and Pearl 2006, figure 3) on the latent projection of the graph. In each call, P is a
distribution over the nodes V of a graph G, as an expression in what is observed; y and x are sets. It returns an expression that sums, multiplies and divides
observed probabilities, or nothing if there is a hedge, in which case the effect is not identified by any means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from causalkit.exceptions import ParameterError, PositivityError
from causalkit.graph._bits import closure, topological_order
from causalkit.graph._problem import Problem
from causalkit.graph._projection import districts, project
from causalkit.graph._routes import KNOWN
from causalkit.strength._means import ArmMeans
from causalkit.strength._network import Factor, contract
from causalkit.strength._oracle import ProbabilityOracle
from causalkit.strength._sample import Sample

Floats = NDArray[np.float64]


# -- expressions -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Joint:
    """The observed joint probability of some nodes."""

    nodes: tuple[str, ...]

    def __str__(self) -> str:
        return f"P({', '.join(self.nodes)})" if self.nodes else "1"

    def evaluate(self, whole: Factor) -> Factor:
        """Return the marginal table."""
        return contract([whole], self.nodes)


@dataclass(frozen=True)
class Conditional:
    """An observed conditional probability."""

    nodes: tuple[str, ...]
    given: tuple[str, ...]

    def __str__(self) -> str:
        return f"P({', '.join(self.nodes)} | {', '.join(self.given)})"

    def evaluate(self, whole: Factor) -> Factor:
        """Return the table of ratios."""
        return _ratio(contract([whole], (*self.nodes, *self.given)), contract([whole], self.given))


@dataclass(frozen=True)
class Sum:
    """An expression summed over the values of some nodes."""

    over: tuple[str, ...]
    inner: Expression

    def __str__(self) -> str:
        return f"sum over {', '.join(self.over)} of [{self.inner}]"

    def evaluate(self, whole: Factor) -> Factor:
        """Return the table with these axes summed."""
        inner = self.inner.evaluate(whole)
        return contract([inner], tuple(n for n in inner.scope if n not in self.over))


@dataclass(frozen=True)
class Product:
    """Expressions multiplied."""

    parts: tuple[Expression, ...]

    def __str__(self) -> str:
        return " ".join(f"[{p}]" if isinstance(p, Sum) else str(p) for p in self.parts)

    def evaluate(self, whole: Factor) -> Factor:
        """Return the table over the axes of all parts."""
        factors = [part.evaluate(whole) for part in self.parts]
        return contract(factors, tuple(dict.fromkeys(n for f in factors for n in f.scope)))


@dataclass(frozen=True)
class Fraction:
    """One expression divided by another."""

    above: Expression
    below: Expression

    def __str__(self) -> str:
        return f"({self.above}) / ({self.below})"

    def evaluate(self, whole: Factor) -> Factor:
        """Return the table of ratios; NaN where nothing is below."""
        return _ratio(self.above.evaluate(whole), self.below.evaluate(whole))


Expression = Joint | Conditional | Sum | Product | Fraction


def _ratio(above: Factor, below: Factor) -> Factor:
    scope = tuple(dict.fromkeys((*above.scope, *below.scope)))
    sizes = {n: s for f in (above, below) for n, s in zip(f.scope, f.table.shape, strict=True)}
    shape = tuple(sizes[n] for n in scope)
    top, bottom = (np.broadcast_to(_aligned(f, scope), shape) for f in (above, below))
    return Factor(scope, np.divide(top, bottom, out=np.zeros(shape), where=bottom > 0))


def _aligned(f: Factor, scope: Sequence[str]) -> Floats:
    order = [f.scope.index(n) for n in scope if n in f.scope]
    return f.table.transpose(order)[tuple(slice(None) if n in f.scope else None for n in scope)]


def _marginal(p: Expression, remove: Sequence[str]) -> Expression:
    """Sum nodes out of an expression."""
    if not remove:
        return p
    if isinstance(p, Joint):
        return Joint(tuple(n for n in p.nodes if n not in remove))
    return Sum(tuple(remove), p)


# -- ID --------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _World:
    """A graph G over the nodes `inside`, and its distribution P."""

    names: tuple[str, ...]
    order: tuple[int, ...]
    parents: tuple[int, ...]
    spouses: tuple[int, ...]
    inside: int
    p: Expression

    def listed(self, nodes: int) -> tuple[str, ...]:
        """Return names in topological order."""
        return tuple(self.names[k] for k in self.order if nodes >> k & 1)

    def ancestors(self, nodes: int, cut: int = 0) -> int:
        """Return ancestors, with the nodes, where no arrow enters `cut`."""
        step = [0 if cut >> k & 1 else mask & self.inside for k, mask in enumerate(self.parents)]
        return closure(nodes, step)

    def parts(self, nodes: int) -> list[int]:
        """Return the districts of the graph on some of the nodes."""
        inner = [mask & nodes if nodes >> k & 1 else 0 for k, mask in enumerate(self.spouses)]
        return [d & nodes for d in districts(inner) if d & nodes]

    def restricted(self, nodes: int, p: Expression) -> _World:
        """Return the graph on some of the nodes with another distribution."""
        return _World(self.names, self.order, self.parents, self.spouses, nodes, p)

    def factor(self, node: int) -> Expression:
        """Return P(v | all before v)."""
        before = 0
        for k in self.order:
            if k == node:
                break
            before |= 1 << k & self.inside
        earlier, this = self.listed(before), (self.names[node],)
        if isinstance(self.p, Joint):
            return Conditional(this, earlier) if earlier else Joint(this)
        above = _marginal(self.p, self.listed(self.inside & ~before & ~(1 << node)))
        return Fraction(above, _marginal(self.p, self.listed(self.inside & ~before))) if earlier else above


def general_estimand(problem: Problem) -> Expression | None:
    """Return an expression for the probability of the effects under an intervention, or None; for a DAG or ADMG."""
    if problem.graph.kind not in KNOWN:
        return None
    full = problem.graph._separator
    seen = problem.allowed & ~problem.selected | problem.causes | problem.effects
    parents, spouses = project(full.parents, full.spouses, problem.routes.everything & ~seen)
    order = tuple(k for k in topological_order(parents) or () if seen >> k & 1)
    names = problem.graph.nodes
    p = Joint(tuple(names[k] for k in order))
    world = _World(names, order, tuple(parents), tuple(spouses), seen, p)
    return _identify(problem.effects, problem.causes, world)


def _identify(y: int, x: int, g: _World) -> Expression | None:
    if not x:  # line 1
        return _marginal(g.p, g.listed(g.inside & ~y))
    above = g.ancestors(y)
    if g.inside & ~above:  # line 2
        return _identify(y, x & above, g.restricted(above, _marginal(g.p, g.listed(g.inside & ~above))))
    idle = g.inside & ~x & ~g.ancestors(y, cut=x)
    if idle:  # line 3
        return _identify(y, x | idle, g)
    parts = g.parts(g.inside & ~x)
    if len(parts) > 1:  # line 4
        found = [_identify(s, g.inside & ~s, g) for s in parts]
        if any(f is None for f in found):
            return None
        product = Product(tuple(f for f in found if f is not None))
        return _marginal(product, g.listed(g.inside & ~y & ~x))
    (s,) = parts
    whole = g.parts(g.inside)
    if whole == [g.inside]:  # line 5: a hedge
        return None
    if s in whole:  # line 6
        return _marginal(_product([g.factor(k) for k in g.order if s >> k & 1]), g.listed(s & ~y))
    larger = next(d for d in whole if s & ~d == 0)  # line 7
    p = _product([g.factor(k) for k in g.order if larger >> k & 1])
    return _identify(y, x & larger, g.restricted(larger, p))


def _product(parts: list[Expression]) -> Expression:
    return parts[0] if len(parts) == 1 else Product(tuple(parts))


def nodes_of(estimand: Expression) -> tuple[str, ...]:
    """Return the observed nodes that an expression needs."""
    if isinstance(estimand, Joint):
        return estimand.nodes
    if isinstance(estimand, Conditional):
        return (*estimand.nodes, *estimand.given)
    inner: tuple[Expression, ...]
    if isinstance(estimand, Product):
        inner = estimand.parts
    else:
        inner = (estimand.inner,) if isinstance(estimand, Sum) else (estimand.above, estimand.below)
    return tuple(dict.fromkeys(n for part in inner for n in nodes_of(part)))


# -- numbers -----------------------------------------------------------------------------------------------------------------


def evaluate(estimand: Expression, whole: Factor, event: tuple[str, int], causes: Mapping[str, int]) -> float:
    """Return the probability of an event with causes set, from the joint table of the observed nodes.

    An expression may have further nodes whose value does not matter; the mean by their observed probabilities is taken. Where parts of
    the table are empty, the probabilities of all values of the effect do not sum to one, which is an error.
    """
    found = estimand.evaluate(whole)
    effect, hit = event
    rest = tuple(n for n in found.scope if n != effect and n not in causes)
    table = contract([_at(found, causes)], (effect, *rest)).table
    weights = contract([whole], rest).table
    chances = (table * weights).reshape(len(table), -1).sum(axis=1) / weights.sum()
    if not np.isclose(chances.sum(), 1, atol=1e-6):
        raise PositivityError(
            f"the data lack combinations of {', '.join(found.scope)} that the estimand needs: probabilities sum to {chances.sum():.3f}"
        )
    return float(chances[hit])


def _at(f: Factor, fixed: Mapping[str, int]) -> Factor:
    at = tuple(fixed.get(n, slice(None)) for n in f.scope)
    return Factor(tuple(n for n in f.scope if n not in fixed), f.table[at])


MAX_CELLS = 2_000_000


@dataclass(frozen=True)
class EstimandMeans:
    """Plug-in of a general estimand for discrete columns; intervals come from the bootstrap.

    Parameters
    ----------
    estimand : expression
        What `general_estimand` found.
    cause, effect : str
        The question; all other nodes are columns adjusted for.
    """

    estimand: Expression
    cause: str
    effect: str

    def __call__(self, sample: Sample) -> ArmMeans:
        """Return the means."""
        if not sample.is_event or not sample.is_discrete:
            raise ParameterError(
                "the general estimand needs discrete columns and an event; name one with effect_value="
            )
        names = (self.cause, self.effect, *sample.adjust.names)
        columns = np.column_stack([sample.dose, sample.outcome, sample.adjust.values])
        sample.require_both_arms()
        whole, levels = _table(names, columns)
        doses = [int(np.searchsorted(levels[0], d)) for d in sample.doses]
        means = [evaluate(self.estimand, whole, (self.effect, 1), {self.cause: k}) for k in doses]
        return ArmMeans((means[0], means[1]))


def _table(names: Sequence[str], columns: Floats) -> tuple[Factor, list[Floats]]:
    """Count rows into a joint table, and return the values along every axis."""
    found = [np.unique(column, return_inverse=True) for column in columns.T]
    found[1] = np.array([0.0, 1.0]), columns[:, 1].astype(np.intp)
    shape = tuple(len(values) for values, _ in found)
    if np.prod(shape, dtype=float) > MAX_CELLS:
        raise ParameterError(f"the joint table of {', '.join(names)} has more than {MAX_CELLS} cells")
    counts = np.zeros(shape)
    np.add.at(counts, tuple(codes for _, codes in found), 1.0)
    return Factor(tuple(names), counts / len(columns)), [values for values, _ in found]


def probability_from_oracle(
    estimand: Expression, oracle: ProbabilityOracle, event: tuple[str, Any], cause: tuple[str, Any]
) -> float:
    """Return the probability of an event under an intervention, from an oracle."""
    names = nodes_of(estimand)
    values, weights = oracle.strata(names)
    levels = [list(dict.fromkeys(row[k] for row in values)) for k in range(len(names))]
    table = np.zeros([len(v) for v in levels])
    for row, weight in zip(values, weights, strict=True):
        table[tuple(v.index(x) for v, x in zip(levels, row, strict=True))] = weight
    at = dict(zip(names, levels, strict=True))
    for name, value in (event, cause):
        if value not in at[name]:
            raise ParameterError(f"{value!r} is not a value of {name!r}; its values are {at[name][:8]}")
    table_of = Factor(names, table)
    return evaluate(
        estimand, table_of, (event[0], at[event[0]].index(event[1])), {cause[0]: at[cause[0]].index(cause[1])}
    )
