"""One question about an effect: causes, effects, what may and what must be adjusted for, and what that leaves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from causalkit.exceptions import GraphError, ParameterError
from causalkit.graph._bits import mask_of, members
from causalkit.graph._core import as_names
from causalkit.graph._graph import CausalGraph
from causalkit.graph._routes import Routes, routes
from causalkit.graph._separation import Separator

Names = str | Iterable[str]


@dataclass(frozen=True)
class Problem:
    """Sets of nodes as masks.

    Parameters
    ----------
    graph : CausalGraph
        The graph that was asked about.
    routes : Routes
        Its structure.
    causes, effects : int
        Disjoint, not empty.
    allowed, required : int
        What may be adjusted for, without causes and effects; and the part of it that must be.
    """

    graph: CausalGraph
    routes: Routes
    causes: int
    effects: int
    allowed: int
    required: int

    def names(self, mask: int) -> tuple[str, ...]:
        """Return the names of a set of nodes."""
        return tuple(self.graph.nodes[k] for k in members(mask))

    @cached_property
    def uncertain(self) -> tuple[tuple[int, int], ...]:
        """First edges of possibly directed paths whose direction or confounding the graph leaves open."""
        return tuple(self.routes.uncertain_starts(self.causes, self.effects))

    @cached_property
    def between(self) -> int:
        """Nodes on proper directed paths from causes to effects, without the causes."""
        return self.routes.between(self.causes, self.effects)

    @cached_property
    def forbidden(self) -> int:
        """Nodes that an adjustment set must not have."""
        return self.routes.possible_descendants(self.between)

    @cached_property
    def backdoor(self) -> Separator:
        """The proper back-door graph of one member of the class."""
        return self.routes.without_first_arrows(self.causes, self.effects)

    @cached_property
    def usable(self) -> int:
        """What may be adjusted for and is not forbidden."""
        return self.allowed & ~self.forbidden

    @cached_property
    def optimal(self) -> int:
        """Parents of the nodes between, that are not forbidden themselves (Henckel, Perković and Maathuis 2022)."""
        found = 0
        for node in members(self.between):
            found |= self.routes.parents[node]
        return found & ~self.causes & ~self.forbidden

    @property
    def is_zero(self) -> bool:
        """Whether no possibly directed path leads from a cause to an effect."""
        return not self.uncertain and not self.between

    def blocks(self, given: int) -> bool:
        """Whether a set blocks every path that is not directed."""
        return not self.backdoor.connected(self.causes, self.effects, given)

    def is_valid(self, given: int) -> bool:
        """Whether a set is an adjustment set."""
        return not self.uncertain and not given & self.forbidden and self.blocks(given)

    @cached_property
    def canonical(self) -> int | None:
        """All usable possible ancestors of causes and effects: an adjustment set if there is any (Perković et al. 2018)."""
        if self.uncertain or self.required & self.forbidden:
            return None
        ancestors = self.routes.possible_ancestors(self.causes | self.effects | self.required)
        given = ancestors & self.usable | self.required
        return given if self.blocks(given) else None


def read_problem(
    graph: CausalGraph,
    cause: Names,
    effect: Names,
    observed: Iterable[str] | None,
    forbid: Names,
    require: Names,
) -> Problem:
    """Read names and check that they fit together."""
    prepared = routes(graph)
    if graph.meta.get("stationary"):
        raise GraphError(
            "a stationary graph leaves out the edges among earlier steps, and paths through the past; write the steps out with unroll()"
        )
    causes, effects = _nodes(graph, cause, "cause"), _nodes(graph, effect, "effect")
    if causes & effects:
        both = [graph.nodes[k] for k in members(causes & effects)]
        raise GraphError(
            f"{both} are among the causes and among the effects; an effect of a node on itself is not defined"
        )
    seen = _observed(graph, observed)
    _check_observed(graph, seen, causes, "cause")
    _check_observed(graph, seen, effects, "effect")
    refused, required = (
        _nodes(graph, forbid, "forbid", may_be_empty=True),
        _nodes(graph, require, "require", may_be_empty=True),
    )
    allowed = seen & ~refused & ~causes & ~effects
    if required & ~allowed:
        wrong = [graph.nodes[k] for k in members(required & ~allowed)]
        raise ParameterError(
            f"require names {wrong}, which are not observed, forbidden, or a cause or effect themselves"
        )
    return Problem(graph, prepared, causes, effects, allowed, required)


def _nodes(graph: CausalGraph, names: Names, what: str, *, may_be_empty: bool = False) -> int:
    mask = mask_of(graph.index(name) for name in as_names(names))
    if not mask and not may_be_empty:
        raise ParameterError(f"{what} is empty; name at least one node")
    return mask


def _observed(graph: CausalGraph, observed: Iterable[str] | None) -> int:
    return observed_nodes(graph) if observed is None else _nodes(graph, observed, "observed")


def observed_nodes(graph: CausalGraph) -> int:
    """Return the nodes whose role is not latent."""
    data = graph.node_data
    hidden = mask_of(graph.index(n) for n, values in data.items() if values.get("role") == "latent")
    return (1 << graph.n_nodes) - 1 & ~hidden


def _check_observed(graph: CausalGraph, seen: int, nodes: int, what: str) -> None:
    hidden = [graph.nodes[k] for k in members(nodes & ~seen)]
    if hidden:
        raise GraphError(f"the {what} {hidden[0]!r} is not observed, so that no data can tell its effect")
