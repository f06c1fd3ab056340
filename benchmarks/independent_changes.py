"""How often independent changes tell the direction, and how often they abstain.

X -> Y, and both mechanisms change over contexts: spread of X, slope, intercept and noise of Y; with *shift*, the level of X too.
Usage: ``python benchmarks/independent_changes.py [repetitions]``; 60 rows per domain, or 400 rows over time.
"""

from __future__ import annotations

import sys

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from causalkit._validation import read_table
from causalkit.discovery import IndependentChange
from causalkit.discovery._contexts import ContextPoints


def drift(rng, n, length=0.15):
    """Return a smooth random function of time."""
    t = np.arange(n) / n
    kernel = np.exp(-((t[:, None] - t) ** 2) / (2 * length**2)) + 1e-8 * np.eye(n)
    return rng.multivariate_normal(np.zeros(n), kernel)


def draw(rng, domains, shift):
    """Return cause, effect and contexts."""
    n = 60 * domains if domains else 400
    context = np.repeat(np.arange(domains), 60) if domains else np.arange(n)

    def parameter():
        return rng.normal(size=domains)[context] if domains else drift(rng, n)

    x = 1.5 * shift * parameter() + np.exp(0.5 * parameter()) * rng.normal(size=n)
    intercept = (1.5 if shift else 0.7) * parameter()
    y = (1 + 0.7 * parameter()) * x + intercept + 0.7 * np.exp(0.4 * parameter()) * rng.normal(size=n)
    points = ContextPoints.of(read_table(context[:, None], ["categorical" if domains else "time"]))
    return np.column_stack([x, y]), points


def gap(domains, shift, seed):
    """Return the relative gap between the wrong and the right direction; positive is right."""
    data, points = draw(np.random.default_rng(seed), domains, shift)
    scorer, table = IndependentChange(), read_table(data)
    with threadpool_limits(1):
        right, wrong = scorer.score(table, "X2", ["X1"], points), scorer.score(table, "X1", ["X2"], points)
    return (wrong - right) / (wrong + right)


def main(repetitions):
    print(f"{repetitions} repetitions; margin {IndependentChange().margin:g}")
    print(f"{'contexts':14} {'cause':8} {'right if forced':>16} {'decided':>8} {'right if decided':>17}")
    for domains in (10, 20, 0):
        for shift in (0, 1):
            gaps = np.array(
                Parallel(n_jobs=2)(delayed(gap)(domains, shift, seed) for seed in range(repetitions))
            )
            decided = np.abs(gaps) > IndependentChange().margin
            name = f"{domains} domains" if domains else "smooth time"
            kind = "shifts" if shift else "overlaps"
            print(
                f"{name:14} {kind:8} {np.mean(gaps > 0):16.2f} {decided.mean():8.2f} {np.mean(gaps[decided] > 0):17.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
