"""Worlds whose mechanisms change, with their truth: the data of the CD-NOD benchmark.

A world is a random graph on standardised functions of the parents, V_i = sum_j b_ij f_ij(V_j) + a_i + s_i e_i. In the changing
modules the intercept a, the coefficients b, the noise scale s or the functions f are drawn anew for each domain, or drift over time.
The grid changes one factor of a base world at a time. Grid, seeds and laws are fixed: methods are compared on them, not tuned.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

import numpy as np

FUNCTIONS = {
    "linear": lambda v: v,
    "tanh": np.tanh,
    "sinc": lambda v: 2 * np.sinc(v),
    "square": lambda v: (v**2 - 1) / np.sqrt(2),
    "cube": lambda v: np.clip(v, -2.5, 2.5) ** 3 / 3,
}


@dataclass(frozen=True)
class World:
    """What a world is like; the defaults are the base cell.

    Parameters
    ----------
    variables, density : int, float
        Number of variables and probability of an edge.
    domains, rows : int
        Number of domains and rows in each; with a drift, ``domains * rows`` rows in all.
    share : float
        Share of changing modules, at least one.
    change : str
        ``"intercept"``, ``"coefficient"``, ``"noise"``, ``"function"``, ``"level"`` (intercepts by 1.5 sd), or ``"mixed"``.
    drift : str
        ``"domains"``, or over time ``"gp 0.15"``, ``"sine 3"``, ``"jump"``, ``"season"``.
    noise : str
        ``"normal"``, ``"uniform"``, ``"t3"`` or ``"laplace"``.
    confounding : str
        ``"none"``, ``"context"`` (changing modules share their change) or ``"latent"`` (a hidden cause of two variables).
    autocorrelation : float
        Of the noise, from row to row.
    missing : str
        ``"none"``, ``"random"`` (a tenth, given another variable) or ``"high"`` (a fifth, large values).
    labels : bool
        Whether every other variable has three labels.
    """

    variables: int = 6
    density: float = 0.3
    domains: int = 10
    rows: int = 100
    share: float = 0.5
    change: str = "mixed"
    drift: str = "domains"
    noise: str = "normal"
    confounding: str = "none"
    autocorrelation: float = 0.0
    missing: str = "none"
    labels: bool = False

    @property
    def name(self) -> str:
        """What differs from the base cell."""
        base = asdict(World())
        parts = [f"{key} {value}" for key, value in asdict(self).items() if value != base[key]]
        return ", ".join(parts) or "base"


@dataclass(frozen=True)
class Draw:
    """Data of a world (n, p), its context (n,), the adjacency of the true graph (from row to column) and the changing modules."""

    data: np.ndarray
    context: np.ndarray
    arrows: np.ndarray
    changing: np.ndarray
    world: World


BASE = World()
OVER_TIME = replace(BASE, drift="gp 0.15")
GRID = (
    BASE,
    *(replace(BASE, domains=k) for k in (2, 3, 5, 20)),
    *(replace(BASE, rows=n) for n in (50, 200, 500)),
    *(replace(BASE, variables=p) for p in (4, 8, 12, 20, 50)),
    *(replace(BASE, density=d) for d in (0.2, 0.5)),
    *(replace(BASE, share=s) for s in (0.2, 0.8)),
    *(replace(BASE, change=c) for c in ("intercept", "coefficient", "noise", "function", "level")),
    *(replace(BASE, domains=20, change=c) for c in ("coefficient", "level")),
    *(replace(BASE, drift=f"gp {length}") for length in (0.05, 0.15, 0.4)),
    *(replace(BASE, drift=f"sine {cycles}") for cycles in (1, 3, 6, 12)),
    *(replace(BASE, drift=d) for d in ("jump", "season")),
    *(replace(BASE, noise=e) for e in ("uniform", "t3", "laplace")),
    *(replace(BASE, confounding=c) for c in ("context", "latent")),
    *(replace(OVER_TIME, autocorrelation=a) for a in (0.5, 0.8)),
    *(replace(BASE, missing=m) for m in ("random", "high")),
    replace(BASE, labels=True),
)


def draw(world: World, seed: int) -> Draw:
    """Draw one graph and its data."""
    rng = np.random.default_rng([seed, 20261123])
    p, n = world.variables, world.domains * world.rows
    order = rng.permutation(p)
    arrows = np.zeros((p, p), dtype=bool)
    arrows[np.ix_(order, order)] = np.triu(rng.random((p, p)) < world.density, k=1)
    changing = np.zeros(p, dtype=bool)
    changing[rng.permutation(p)[: max(1, round(world.share * p))]] = True
    domains = world.drift == "domains"
    context = np.repeat(np.arange(world.domains), world.rows) if domains else np.arange(n)
    shared = path(world, rng) if world.confounding == "context" else None
    latent = rng.normal(size=n) if world.confounding == "latent" else None
    struck = rng.permutation(p)[:2]
    data = np.zeros((n, p))
    for v in order:
        parents = np.flatnonzero(arrows[:, v])
        values = mechanism(world, rng, data[:, parents], changing[v], shared)
        if latent is not None and v in struck:
            values = values + latent * values.std()
        data[:, v] = as_labels(values) if world.labels and v % 2 else values
    return Draw(punch(world, rng, data), context, arrows, changing, world)


def mechanism(world, rng, parents, changes, shared):
    """Return one variable as a function of its standardised parents."""

    def moving(size):
        """A parameter that changes with mean 0 and standard deviation 1 times size, or 0."""
        if not changes or not size:
            return 0.0
        return size * (shared if shared is not None else path(world, rng))

    kinds = ("intercept", "coefficient", "noise") if world.change == "mixed" else (world.change,)
    if not parents.shape[1]:
        kinds = tuple("noise" if kind in ("coefficient", "function") else kind for kind in kinds)
    n, total = world.domains * world.rows, 0.0
    for column in parents.T:
        strength = rng.uniform(0.5, 1.5) * rng.choice([-1, 1])
        curves = [FUNCTIONS[name] for name in rng.permutation(list(FUNCTIONS))[:2]]
        column = (column - column.mean()) / column.std()
        term = curves[0](column)
        if changes and "function" in kinds:
            mix = 1 / (1 + np.exp(-3 * moving(1)))
            term = mix * term + (1 - mix) * curves[1](column)
        slope = 1 + moving(0.7 if "coefficient" in kinds else 0)
        total = total + strength * slope * term
    scale = rng.uniform(0.5, 1.0) * np.exp(moving(0.5 if "noise" in kinds else 0))
    level = moving(1.5 if "level" in kinds else 0.8 if "intercept" in kinds else 0)
    return total + level + scale * noise(world, rng, n)


def path(world, rng):
    """Return a parameter over all rows: one value per domain, or a drift."""
    n = world.domains * world.rows
    t = np.arange(n) / n
    kind, _, number = world.drift.partition(" ")
    if kind == "domains":
        return np.repeat(rng.normal(size=world.domains), world.rows)
    if kind == "gp":
        grid = np.linspace(0, 1, 200)
        kernel = np.exp(-((grid[:, None] - grid) ** 2) / (2 * float(number) ** 2)) + 1e-8 * np.eye(200)
        return np.interp(t, grid, np.linalg.cholesky(kernel) @ rng.normal(size=200))
    if kind == "sine":
        return np.sqrt(2) * np.sin(2 * np.pi * (float(number) * t + rng.random()))
    if kind == "jump":
        return rng.choice([-1, 1]) * np.where(t > rng.uniform(0.2, 0.8), 1.0, -1.0)
    return np.sqrt(2) * np.sin(2 * np.pi * (np.arange(n) / 50 + rng.random()))


def noise(world, rng, n):
    """Return noise of variance 1."""
    laws = {
        "normal": lambda: rng.normal(size=n),
        "uniform": lambda: rng.uniform(-np.sqrt(3), np.sqrt(3), n),
        "t3": lambda: rng.standard_t(3, n) / np.sqrt(3),
        "laplace": lambda: rng.laplace(size=n) / np.sqrt(2),
    }
    e = laws[world.noise]()
    for t in range(1, n if world.autocorrelation else 0):
        e[t] = world.autocorrelation * e[t - 1] + np.sqrt(1 - world.autocorrelation**2) * e[t]
    return e


def as_labels(values):
    """Cut into three labels; they act through their code."""
    return np.searchsorted(np.quantile(values, [1 / 3, 2 / 3]), values).astype(float)


def punch(world, rng, data):
    """Return the data with holes."""
    if world.missing == "none":
        return data
    holed = data.copy()
    for v in range(data.shape[1]):
        driver = data[:, (v + 1) % data.shape[1]] if world.missing == "random" else data[:, v]
        rank = driver.argsort().argsort() / len(driver)
        chance = (0.2 if world.missing == "random" else 0.4) * rank
        holed[rng.random(len(driver)) < chance, v] = np.nan
    return holed
