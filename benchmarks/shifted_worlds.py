"""A third family of worlds: levels and slopes that move by several standard deviations between domains, some of them small.

Written to try what the first two families do not have: domains whose ranges hardly overlap, and many small domains. Noise is mixed, a law for
each variable. Mechanisms that do not change are the same in all domains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from changing_worlds import Draw

CURVES = {
    "linear": lambda v: v,
    "tanh": lambda v: 2 * np.tanh(v),
    "bend": lambda v: v + 0.5 * np.sin(2 * v),
}
NOISES = {
    "normal": lambda rng, n: rng.normal(size=n),
    "uniform": lambda rng, n: rng.uniform(-np.sqrt(3), np.sqrt(3), n),
    "laplace": lambda rng, n: rng.laplace(size=n) / np.sqrt(2),
    "gamma": lambda rng, n: (rng.gamma(2.0, size=n) - 2) / np.sqrt(2),
}


@dataclass(frozen=True)
class ShiftedWorld:
    """Number of variables, domains, rows in each, and by how many standard deviations levels and slopes move between domains.

    Parameters
    ----------
    variables, domains, rows : int
        Sizes.
    level, slope : float
        Standard deviation over domains of the level, in units of the noise, and of each slope of a changing mechanism.
    share : float
        Share of the mechanisms that change.
    """

    variables: int = 6
    domains: int = 10
    rows: int = 60
    level: float = 3.0
    slope: float = 1.0
    share: float = 0.5
    drift: str = "domains"
    missing: str = "none"
    labels: bool = False

    @property
    def name(self) -> str:
        """What the world is like."""
        return (
            f"shifted, domains {self.domains}, rows {self.rows}, level {self.level:g}, slope {self.slope:g}"
        )


SHIFTED_GRID = (
    ShiftedWorld(),
    ShiftedWorld(domains=20, rows=20, slope=0.0),
    ShiftedWorld(domains=10, rows=40, slope=0.0),
)


def draw_shifted(world: ShiftedWorld, seed: int) -> Draw:
    """Draw one graph and its data."""
    rng = np.random.default_rng([seed, 20261128])
    p = world.variables
    order = rng.permutation(p)
    arrows = np.zeros((p, p), dtype=bool)
    arrows[np.ix_(order, order)] = np.triu(rng.random((p, p)) < 0.35, k=1)
    changing = np.zeros(p, dtype=bool)
    changing[rng.permutation(p)[: max(1, round(world.share * p))]] = True
    context = np.repeat(np.arange(world.domains), world.rows)
    data = np.zeros((len(context), p))
    for v in order:
        data[:, v] = mechanism(world, rng, data[:, np.flatnonzero(arrows[:, v])], changing[v], context)
    return Draw(data, context, arrows, changing, world)


def mechanism(world, rng, parents, changes, context):
    """Return one variable: a curve of each parent, a level, and noise of variance one."""
    moving = world.domains if changes else 1
    total = world.level * changes * rng.normal(size=moving)[context % moving]
    for column in parents.T:
        curve = CURVES[str(rng.choice(list(CURVES)))]
        slope = rng.uniform(0.7, 1.5) * rng.choice([-1, 1]) + world.slope * changes * rng.normal(size=moving)
        total = total + slope[context % moving] * curve((column - column.mean()) / column.std())
    law = NOISES[str(rng.choice(list(NOISES)))]
    return total + law(rng, len(context))
