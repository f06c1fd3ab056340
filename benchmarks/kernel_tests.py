"""Kernel independence tests beside causal-learn's, in one run on one machine, one BLAS thread each.

Usage: ``python benchmarks/kernel_tests.py``. Times are the best of three.
"""

from __future__ import annotations

import time
import warnings

import numpy as np
from causallearn.search.ConstraintBased.PC import pc
from causallearn.utils.cit import CIT
from threadpoolctl import threadpool_limits

from causalkit.discovery import PC
from causalkit.independence import KCI


def best(function, repeat=3):
    """Return the shortest time of a call, in seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def draw(n, d):
    """Return rows of a chain of nonlinear relations."""
    rng = np.random.default_rng(0)
    columns = [rng.normal(size=n)]
    for _ in range(d - 1):
        columns.append(np.tanh(columns[-1]) + 0.5 * rng.normal(size=n))
    return np.column_stack(columns)


def single(n, n_z):
    """Return seconds for one test without anything kept: default, the original's ridge, causal-learn."""
    data, z = draw(n, 2 + n_z), tuple(range(2, 2 + n_z))
    return (
        best(lambda: KCI().fit(data)(0, 1, z)),
        best(lambda: KCI(regression=1e-3).fit(data)(0, 1, z)),
        best(lambda: CIT(data, "kci")(0, 1, list(z))),
    )


def search(n, d):
    """Return seconds for PC with each test."""
    data = draw(n, d)
    return (
        best(lambda: PC(ci_test="kci").fit(data), 1),
        best(lambda: PC(ci_test=KCI(regression=1e-3)).fit(data), 1),
        best(lambda: pc(data, indep_test="kci", show_progress=False), 1),
    )


def main():
    print(f"{'work':28} {'causalkit':>12} {'ridge 1e-3':>12} {'causal-learn':>13} {'ratios':>14}")
    cells = [
        (f"one test, n={n}, |Z|={q}", lambda n=n, q=q: single(n, q)) for n in (300, 1000) for q in (0, 1, 3)
    ]
    cells.append(("PC, d=6, n=300", lambda: search(300, 6)))
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, work in cells:
            ours, fixed, peer = work()
            print(
                f"{name:28} {ours:10.4f} s {fixed:10.4f} s {peer:11.4f} s {peer / ours:6.1f}x {peer / fixed:5.1f}x",
                flush=True,
            )


if __name__ == "__main__":
    main()
