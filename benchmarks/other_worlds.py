"""A second family of worlds whose mechanisms change, written after the first results: it guards against tuning to the first.

Graphs grow by preferential attachment. A mechanism is a random network of all parents together, so that they interact; noise is skewed.
Changes are not drawn anew for each domain: domains fall into a few regimes, each mechanism into regimes of its own, and sizes differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx
import numpy as np
from changing_worlds import Draw


@dataclass(frozen=True)
class OtherWorld:
    """Number of variables, domains, rows on average, and regimes that a changing mechanism has."""

    variables: int = 7
    domains: int = 12
    rows: int = 100
    regimes: int = 3
    drift: str = "domains"
    missing: str = "none"
    labels: bool = False

    @property
    def name(self) -> str:
        """What the world is like."""
        return f"other, variables {self.variables}, domains {self.domains}, regimes {self.regimes}"


OTHER_GRID = (
    OtherWorld(),
    OtherWorld(domains=20),
    OtherWorld(regimes=6),
    OtherWorld(variables=5, domains=20, regimes=6),
)


def draw_other(world: OtherWorld, seed: int) -> Draw:
    """Draw one graph and its data."""
    rng = np.random.default_rng([seed, 1905])
    p = world.variables
    tree = nx.barabasi_albert_graph(p, 1, seed=int(rng.integers(2**31)))
    extra = rng.permutation(p)[:2]
    order = rng.permutation(p)
    place = np.argsort(order)
    arrows = np.zeros((p, p), dtype=bool)
    for a, b in [*tree.edges, tuple(extra)]:
        first, last = sorted((int(a), int(b)), key=lambda v: place[v])
        arrows[first, last] = first != last
    changing = rng.random(p) < 0.5
    sizes = np.maximum(20, rng.dirichlet(np.full(world.domains, 4.0)) * world.domains * world.rows).astype(
        int
    )
    context = np.repeat(np.arange(world.domains), sizes)
    data = np.zeros((len(context), p))
    for v in order:
        data[:, v] = network(world, rng, data[:, np.flatnonzero(arrows[:, v])], changing[v], context)
    return Draw(data, context, arrows, changing, world)


def network(world, rng, parents, changes, context):
    """Return a variable as a random network of its parents, with weights, level and scale that belong to regimes."""
    regime = rng.integers(world.regimes if changes else 1, size=world.domains)[context]
    n, number = len(context), world.regimes if changes else 1
    e = (rng.gamma(2.0, size=n) - 2) / np.sqrt(2)
    level, scale = rng.normal(size=number)[regime], np.exp(0.4 * rng.normal(size=number))[regime]
    if not parents.shape[1]:
        return level + scale * e
    inputs = (parents - parents.mean(axis=0)) / parents.std(axis=0)
    hidden = np.tanh(inputs @ rng.normal(size=(inputs.shape[1], 6)) + rng.normal(size=6))
    weights = rng.normal(size=6) + 0.8 * rng.normal(size=(number, 6))
    return np.sum(hidden * weights[regime], axis=1) + 0.5 * level + 0.6 * scale * e
