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
    selected : int, default=0
        Nodes on whose values the rows were selected: part of `required`, because every row has them fixed, and of no answer.
    """

    graph: CausalGraph
    routes: Routes
    causes: int
    effects: int
    allowed: int
    required: int
    selected: int = 0

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
    def asked(self) -> int:
        """What the question says must be adjusted for, without what the rows were selected on."""
        return self.required & ~self.selected

    @cached_property
    def selection_path(self) -> bool:
        """Whether the rows that were selected have another distribution of the effects than all rows.

        The third condition of the selection adjustment criterion (Correa, Tian and Bareinboim 2018, without external data): effects and selection are
        separated in the proper back-door graph. In a class selection must not possibly come after the effect's causes either, since it does in some member.
        """
        if not self.selected or self.uncertain:
            return False
        after = bool(self.selected & self.forbidden)
        return after or self.backdoor.connected(self.effects, self.selected, 0)

    def selection_spares(self, nodes: int) -> bool:
        """Whether the joint distribution of some nodes is the same in the selected rows as in all."""
        return not self.selected or not self.graph._separator.connected(self.selected, nodes, 0)

    @property
    def is_zero(self) -> bool:
        """Whether no possibly directed path leads from a cause to an effect."""
        return not self.uncertain and not self.between

    def blocks(self, given: int) -> bool:
        """Whether a set blocks every path that is not directed."""
        return not self.backdoor.connected(self.causes, self.effects, given)

    def is_valid(self, given: int) -> bool:
        """Whether a set, with what the rows were selected on, is an adjustment set."""
        if self.uncertain or given & self.forbidden or self.selection_path:
            return False
        return self.blocks(given | self.selected)

    @property
    def is_hopeless(self) -> bool:
        """Whether no set can be valid, whatever it has."""
        return bool(self.uncertain or self.required & self.forbidden or self.selection_path)

    @cached_property
    def canonical(self) -> int | None:
        """All usable possible ancestors of causes and effects: an adjustment set if there is any (Perković et al. 2018)."""
        if self.is_hopeless:
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
    selected = graph._having_role("selection")
    _check_not_selected(graph, selected & (causes | effects))
    seen = _observed(graph, observed) & ~selected
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
            f"require names {wrong}, which are not observed, forbidden, selected on, or a cause or effect themselves"
        )
    return Problem(graph, prepared, causes, effects, allowed | selected, required | selected, selected)


def _nodes(graph: CausalGraph, names: Names, what: str, *, may_be_empty: bool = False) -> int:
    mask = mask_of(graph.index(name) for name in as_names(names))
    if not mask and not may_be_empty:
        raise ParameterError(f"{what} is empty; name at least one node")
    return mask


def _observed(graph: CausalGraph, observed: Iterable[str] | None) -> int:
    return observed_nodes(graph) if observed is None else _nodes(graph, observed, "observed")


def observed_nodes(graph: CausalGraph) -> int:
    """Return the nodes that data can have as columns: those that are neither latent nor what the rows were selected on."""
    hidden = graph._having_role("latent") | graph._having_role("selection")
    return (1 << graph.n_nodes) - 1 & ~hidden


def _check_not_selected(graph: CausalGraph, nodes: int) -> None:
    """Raise if a cause or an effect is what the rows were selected on, so that it does not vary."""
    for node in members(nodes):
        raise GraphError(
            f"the rows were selected on {graph.nodes[node]!r}, so that it does not vary in them and has no effect that they could show; "
            "if the data have rows of all its values, give it the role 'system'"
        )


def _check_observed(graph: CausalGraph, seen: int, nodes: int, what: str) -> None:
    hidden = [graph.nodes[k] for k in members(nodes & ~seen)]
    if hidden:
        raise GraphError(f"the {what} {hidden[0]!r} is not observed, so that no data can tell its effect")
