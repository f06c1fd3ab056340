"""How often independent changes tell the direction, how often they abstain, and whether their p-values are right.

X -> Y, and both mechanisms change over contexts. Usage: ``python benchmarks/independent_changes.py [repetitions]``; 60 rows per domain,
or so many rows over time as the case says. A case is right where the causal direction is rejected in about 5 % of the repetitions.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from causalkit._validation import read_table
from causalkit.discovery import CombinedEmbedding, IndependentChange, KernelEmbedding, ParameterEmbedding
from causalkit.discovery._contexts import ContextPoints

CURVES = {
    "line": lambda v: v,
    "tanh": np.tanh,
    "square": lambda v: v**2 / 2,
    "sine": lambda v: np.sin(1.5 * v),
}
EMBEDDINGS = {
    "parameters": ParameterEmbedding(),
    "kernel": KernelEmbedding(),
    "kernel, L2": KernelEmbedding(form="l2"),
    "both": CombinedEmbedding(),
}


@dataclass(frozen=True)
class Case:
    """Domains (0 for time), rows, what changes, and the curve of Y on X."""

    domains: int
    change: str = "spread"
    curve: str = "line"
    unequal: bool = False
    rows: int = 0
    length: float = 0.0

    @property
    def name(self) -> str:
        """A line of the table."""
        where = f"{self.domains} domains" if self.domains else f"drift {self.length:g}, {self.rows} rows"
        return f"{where}{', unequal' if self.unequal else ''}"


CASES = (
    *(Case(k) for k in (5, 10, 20)),
    Case(20, unequal=True),
    *(Case(20, curve=c) for c in ("tanh", "square", "sine")),
    *(Case(k, "level") for k in (10, 20)),
    Case(20, "level", unequal=True),
    *(Case(20, "level", c) for c in ("tanh", "square", "sine")),
    *(Case(k, "shared") for k in (5, 10, 20)),
    *(Case(0, rows=n, length=w) for n, w in ((400, 0.15), (400, 0.05), (2000, 0.02))),
    Case(0, "level", rows=2000, length=0.02),
    Case(0, "shared", rows=2000, length=0.02),
)


def drift(rng, n, length):
    """Return a smooth random function of time."""
    grid = np.linspace(0, 1, 250)
    kernel = np.exp(-((grid[:, None] - grid) ** 2) / (2 * length**2)) + 1e-8 * np.eye(250)
    return np.interp(np.arange(n) / n, grid, np.linalg.cholesky(kernel) @ rng.normal(size=250))


def draw(case, seed):
    """Return cause, effect and contexts; *level*: the mean of X changes too, *shared*: everything by the same amounts."""
    rng = np.random.default_rng(seed)
    sizes = np.geomspace(10, 200, case.domains).astype(int) if case.unequal else [60] * case.domains
    context = np.repeat(np.arange(case.domains), sizes) if case.domains else np.arange(case.rows)
    n = len(context)
    common = rng.normal(size=case.domains)[context] if case.domains else drift(rng, n, case.length)

    def parameter():
        if case.change == "shared":
            return common
        return rng.normal(size=case.domains)[context] if case.domains else drift(rng, n, case.length)

    level = 0.0 if case.change == "spread" else 1.5
    x = level * parameter() + np.exp(0.5 * parameter()) * rng.normal(size=n)
    y = (1 + 0.7 * parameter()) * CURVES[case.curve](x) + max(level, 0.7) * parameter()
    y = y + 0.7 * np.exp(0.4 * parameter()) * rng.normal(size=n)
    points = ContextPoints.of(read_table(context[:, None], ["categorical" if case.domains else "time"]))
    return read_table(np.column_stack([x, y])), points


def p_values(case, scorer, seed):
    """Return the p-values of the causal and of the other direction, and where a p-value is plausible."""
    table, points = draw(case, seed)
    with threadpool_limits(1):
        forward = scorer.score(table, "X2", ["X1"], points).p_value
        backward = scorer.score(table, "X1", ["X2"], points).p_value
    return forward, backward, scorer.plausible_above(points)


def main(repetitions):
    print(
        f"{repetitions} repetitions; rejected: at .05; decided: one direction rejected and the other plausible"
    )
    for title, embedding in EMBEDDINGS.items():
        scorer = IndependentChange(embedding=embedding, n_exchanges=499)
        print(
            f"\n{title:24} {'changes':8} {'curve':7} {'causal rejected':>15} {'other rejected':>15} {'right':>7} {'wrong':>7}"
        )
        for case in CASES:
            if case.rows > 1000 and title != "parameters":
                continue
            found = Parallel(n_jobs=2)(delayed(p_values)(case, scorer, s) for s in range(repetitions))
            forward, backward, plausible = np.array(found).T
            right = (backward <= 0.05) & (forward > plausible)
            wrong = (forward <= 0.05) & (backward > plausible)
            shares = [np.mean(v) for v in (forward <= 0.05, backward <= 0.05, right, wrong)]
            print(
                f"{case.name:24} {case.change:8} {case.curve:7} {shares[0]:15.2f} {shares[1]:15.2f} {shares[2]:7.2f} {shares[3]:7.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
