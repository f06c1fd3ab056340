"""Random models of X and Y given Z, under independence and under four kinds of dependence, for studies of size and power.

Z has q columns, normal with correlation .3. X and Y are random smooth functions of Z plus noise; what is left of them after Z is the
noise alone. Under an alternative a part of Y's noise is a function of X's noise, which shrinks with the root of the sample size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MODELS = ("one", "all", "heteroscedastic", "heavy tails", "discrete", "mixed")
ALTERNATIVES = ("linear", "quadratic", "sign of z", "scale")
FUNCTIONS = (np.tanh, np.sin, np.square, np.cos, lambda v: v)
# Share of Y's noise that comes from X's at 400 rows.
STRENGTH = 0.2


@dataclass(frozen=True)
class Draw:
    """Columns x, y under independence, y under each alternative, then those of Z; with the type of each."""

    columns: np.ndarray
    types: tuple[str, ...]

    @property
    def given(self) -> tuple[int, ...]:
        """Positions of the columns of Z."""
        return tuple(range(2 + len(ALTERNATIVES), self.columns.shape[1]))


def draw(model: str, n: int, q: int, repetition: int) -> Draw:
    """Draw n rows of a model with q conditioning columns; the same repetition is the same draw."""
    rng = np.random.default_rng([MODELS.index(model), n, q, repetition])
    z, kinds = _conditioning(model, n, q, rng)
    x_part, y_part = _parts(model, z, kinds, rng)
    scale = 0.5 * (np.abs(z[:, 0]) if model == "heteroscedastic" and q else np.ones(n))
    noise = rng.standard_t(3, size=(2, n)) / np.sqrt(3) if model == "heavy tails" else rng.normal(size=(2, n))
    x = x_part + scale * noise[0]
    ys = [y_part + scale * each for each in _dependent(noise, z)]
    columns = [x, y_part + scale * noise[1], *ys]
    types = ["continuous"] * len(columns)
    if not q and model in ("discrete", "mixed"):
        columns = [np.round(2 * c) if model == "discrete" or k else c for k, c in enumerate(columns)]
    return Draw(np.column_stack([*columns, z]), (*types, *kinds))


def _conditioning(model, n, q, rng):
    z = rng.multivariate_normal(np.zeros(q), 0.3 + 0.7 * np.eye(q), size=n) if q else np.zeros((n, 0))
    if model == "heavy tails":
        z = z / np.sqrt(rng.chisquare(3, size=(n, 1)) / 3)
    labels = q if model == "discrete" else q // 2 if model == "mixed" else 0
    kinds = ["continuous"] * (q - labels) + ["categorical"] * labels
    for k in range(q - labels, q):
        z[:, k] = np.digitize(z[:, k], [0.0] if model == "discrete" else [-0.43, 0.43])
    return z, tuple(kinds)


def _parts(model, z, kinds, rng):
    """Return what Z contributes to X and to Y."""
    n, q = z.shape
    if not q:
        return np.zeros(n), np.zeros(n)
    levels = np.array(kinds) == "categorical"
    effects = rng.normal(size=(2, q, 3))
    labelled = [
        sum((e[k][z[:, k].astype(int)] for k in np.flatnonzero(levels)), np.zeros(n)) for e in effects
    ]
    numbers = z[:, ~levels]
    if not numbers.shape[1]:
        return labelled
    width = numbers.shape[1]
    weights = np.eye(width)[[0, 0]]
    if model in ("all", "mixed"):
        weights = rng.uniform(0.5, 1, (2, width)) / np.sqrt(width)
    functions = [FUNCTIONS[k] for k in rng.choice(len(FUNCTIONS), 2)]
    smooth = [f(np.clip(numbers @ w, -6, 6)) for f, w in zip(functions, weights, strict=True)]
    return [s + part for s, part in zip(smooth, labelled, strict=True)]


def _dependent(noise, z):
    """Return Y's noise under each alternative, with its variance kept."""
    n = noise.shape[1]
    share = min(STRENGTH * np.sqrt(400 / n), 0.9)
    signs = (
        np.sign(z[:, 0] - np.mean(z[:, 0])) if z.shape[1] else np.where(np.abs(noise[0]) > 0.67, 1.0, -1.0)
    )
    square = noise[0] ** 2 - 1
    carried = [noise[0], square / max(square.std(), 1e-9), signs * noise[0]]
    mixtures = [share * part + np.sqrt(1 - share**2) * noise[1] for part in carried]
    scaled = noise[1] * np.exp(share * np.clip(noise[0], -4, 4))
    return [*mixtures, scaled / scaled.std()]
