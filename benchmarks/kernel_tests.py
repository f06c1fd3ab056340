"""Kernel independence tests and searches beside causal-learn's, in one run on one machine, as ratios.

Usage: ``python benchmarks/kernel_tests.py [--quick] [--device cuda] [--out results.md]``. Ours runs with one BLAS thread, the peer with one or
with all, whichever is faster; times are the best of three. ``paper`` is the definition of the paper with a fixed ridge, compared with
causal-learn's KCI to 2.5e-4; ``default`` is the leave-one-out form, compared with causal-learn's Gaussian-process option where it says so.
Searches run on two processes, which causal-learn cannot. The peer is timed on one test, or one search, and multiplied by the number of tests where a row has many.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import resource
import time
import warnings
from itertools import combinations
from pathlib import Path

import numpy as np
from causallearn.search.ConstraintBased.PC import pc
from causallearn.utils.cit import CIT
from causallearn.utils.PCUtils import SkeletonDiscovery
from threadpoolctl import threadpool_limits

from causalkit.discovery import PC
from causalkit.gpu import device_report
from causalkit.independence import KCI, GSquare

PAPER = {"regression": 1e-3, "form": "joined"}
# The rule of widths differs between the two packages; a fixed width makes them the same test.
WIDTH = 0.7


def best(function, repeat=3):
    """Return the shortest time of a call, in seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


THREADS = [1, os.cpu_count() or 1]


def times_by_threads(function, repeat=3):
    """Return the shortest time of a call for each number of BLAS threads."""
    times = {}
    for threads in THREADS:
        with threadpool_limits(threads):
            times[threads] = best(function, repeat)
    return times


def peer_best(function, repeat=3):
    """Return the shortest time of a call of the peer, at the number of BLAS threads that suits it best."""
    return min(times_by_threads(function, repeat).values())


def best_threads(function):
    """Return that number of threads."""
    times = times_by_threads(function)
    return min(times, key=times.get)


def draw(n, d, seed=0):
    """Return rows of a random nonlinear model in which every variable has up to two parents."""
    rng = np.random.default_rng(seed)
    columns = [rng.normal(size=n)]
    for k in range(1, d):
        parents = rng.choice(k, size=min(k, int(rng.integers(0, 3))), replace=False)
        columns.append(sum((np.tanh(columns[p]) for p in parents), np.zeros(n)) + 0.7 * rng.normal(size=n))
    return np.column_stack(columns)


class Rows:
    """Collects and prints rows: work, our seconds, the peer's, the ratio and the target."""

    def __init__(self):
        self.lines = [
            "| work | causalkit | causal-learn | ratio | target | note |",
            "|---|---|---|---|---|---|",
        ]
        print("\n".join(self.lines), flush=True)

    def add(self, work, ours, peer, target, note=""):
        """Print one row."""
        shown = [f"{peer:.4g} s", f"{peer / ours:.3g}x"] if peer else ["-", "-"]
        line = f"| {work} | {ours:.4g} s | {shown[0]} | {shown[1]} | {target} | {note} |"
        self.lines.append(line)
        print(line, flush=True)


def cold(rows, device, n, n_z, target):
    """One test with nothing kept."""
    data, z = draw(n, 2 + n_z), tuple(range(2, 2 + n_z))
    peer = CIT(data, "kci")
    theirs = peer_best(lambda: CIT(data, "kci")(0, 1, list(z)))
    for name, options in (("paper", PAPER), ("default", {})):
        ours = best(lambda o=options: KCI(device=device, **o).fit(data)(0, 1, z))
        note = ""
        if name == "paper":
            gap = KCI(width=WIDTH, **PAPER).fit(data)(0, 1, z).p_value - peer(0, 1, list(z))
            note = f"dp {abs(gap):.1e}" if 200 <= n < 1200 else ""
        rows.add(
            f"one cold test, n={n}, Z={n_z}, {name}", ours, theirs, target if name == "paper" else "", note
        )


def pairs_of_one_set(rows, device, n, n_z, target, d=20):
    """All pairs of the other variables given one set."""
    data, z = draw(n, d), tuple(range(d - n_z, d))
    triples = [(i, j, z) for i, j in combinations(range(d - n_z), 2)]
    theirs = peer_best(lambda: CIT(data, "kci")(0, 1, list(z)))
    for name, options in (("paper", PAPER), ("tensor", {"regression": 1e-3}), ("default", {})):
        ours = best(lambda o=options: KCI(device=device, **o).fit(data).batch(triples)) / len(triples)
        goal = {"paper": target, "tensor": "1300x", "default": ""}[name]
        rows.add(f"per test, all {len(triples)} pairs of one Z, n={n}, Z={n_z}, {name}", ours, theirs, goal)


def unconditional(rows, device, n, d, target):
    data = draw(n, d)
    triples = [(i, j, ()) for i, j in combinations(range(d), 2)]
    peer = CIT(data, "kci")
    theirs = peer_best(
        lambda: (
            peer.kci_ui.compute_pvalue(data[:, [0]], data[:, [1]]) if hasattr(peer, "kci_ui") else peer(0, 1)
        )
    )
    ours = best(lambda: KCI(device=device).fit(data).batch(triples)) / len(triples)
    rows.add(f"per test, unconditional, all pairs, n={n}, d={d}", ours, theirs, target)


def search(rows, device, n, d, target, *, peer, n_jobs=2):
    """PC end to end, ours on two processes; without `peer` its time is estimated as our number of tests times that of one of its tests."""
    data = draw(n, d)
    theirs = 0
    if peer:
        with threadpool_limits(best_threads(lambda: CIT(data, "kci")(0, 1, [2, 3]))):
            theirs = best(lambda: pc(data, indep_test="kci", show_progress=False), 1)
    for name, options in (("paper", PAPER), ("default", {})):
        model = PC(ci_test=KCI(device=device, **options), n_jobs=n_jobs)
        ours, estimate = best(lambda m=model: m.fit(data), 1), theirs
        note = f"{model.n_tests_} tests"
        if not peer:
            estimate = model.n_tests_ * peer_best(lambda: CIT(data, "kci")(0, 1, [2, 3]), 1)
            note += ", peer estimated"
        rows.add(f"PC, n={n}, d={d}, {name}, {n_jobs} processes", ours, estimate, target, note)


def gemm_share(rows, device, n, d=20):
    """The tensor form of all pairs beside what the machine's matrix products could do in that time."""
    data, z = draw(n, d), (d - 1,)
    triples = [(i, j, z) for i, j in combinations(range(d - 1), 2)]
    test = KCI(device=device, regression=1e-3)
    ours = best(lambda: test.fit(data).batch(triples))
    rank = int(np.mean([f.shape[1] for f in test._features([(k,) for k in range(d - 1)], z)]))
    # Gram matrices of all variables, and two products over their entries, all on the upper triangle.
    flops = n * (n + 1) / 2 * (2 * rank * (d - 1) + 4 * (d - 1) ** 2)
    square = np.random.default_rng(0).normal(size=(n, n))
    rate = 2 * n**3 / best(lambda: square @ square)
    rows.lines.append(
        f"\nshare of the 64-bit GEMM limit ({rate / 1e9:.0f} GFLOP/s), tensor form, n={n}, Z=1, all pairs: {flops / ours / rate:.0%}"
    )
    print(rows.lines[-1], flush=True)


def contingency(rows, n, d):
    """All pairs of labels given one label, by G²."""
    data = np.random.default_rng(0).integers(0, 4, (n, d))
    triples = [(i, j, (d - 1,)) for i, j in combinations(range(d - 1), 2)]

    def twenty():
        # A new object each time: the peer keeps the p-values that it has computed.
        peer = CIT(data, "gsq")
        return [peer(i, j, [d - 1]) for i, j, _ in triples[:20]]

    theirs = peer_best(twenty) / 20
    ours = best(lambda: GSquare().fit(data).batch(triples)) / len(triples)
    rows.add(f"per test, G², all pairs of one Z, n={n}, 4 labels", ours, theirs, "")


def large(rows, device, n, target):
    for n_z in (1, 3):
        data, z = draw(n, 2 + n_z), tuple(range(2, 2 + n_z))
        ours = best(lambda d=data, z=z: KCI(device=device).fit(d)(0, 1, z), 1)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        rows.add(
            f"one cold test, n={n}, Z={n_z}, default",
            ours,
            0,
            target,
            f"peak of the process so far {peak:.2f} GB",
        )


def gaussian_process(rows, device, n, target):
    data, z = draw(n, 4), (2, 3)
    theirs = peer_best(lambda: CIT(data, "kci", use_gp=True)(0, 1, list(z)), 1)
    ours = best(lambda: KCI(device=device).fit(data)(0, 1, z))
    rows.add(f"one cold test, n={n}, Z=2, default against use_gp", ours, theirs, target)


def linear(n, d, seed=0):
    rng = np.random.default_rng(seed)
    present = np.triu(rng.random((d, d)) < 3 / (d - 1), 1)
    weights = present * rng.uniform(0.5, 1, (d, d)) * rng.choice([-1, 1], (d, d))
    return rng.normal(size=(n, d)) @ np.linalg.inv(np.eye(d) - weights)


def fisher_z(rows, d, target, *, peer):
    """The skeleton by Fisher's z, compared edge by edge."""
    data = linear(1000, d)
    ours = best(lambda: skeleton(data), 3 if peer else 1)
    theirs, note = 0, ""
    if peer:
        test = CIT(data, "fisherz")
        start = time.perf_counter()
        graph = SkeletonDiscovery.skeleton_discovery(data, 0.01, test, show_progress=False)
        theirs = time.perf_counter() - start
        same = np.array_equal(np.abs(graph.G.graph) > 0, skeleton(data).adjacent)
        note = "identical skeleton" if same else "DIFFERENT skeleton"
    rows.add(f"Fisher-z skeleton, d={d}, n=1000", ours, theirs, target, note)


def skeleton(data):
    from causalkit._validation import read_table
    from causalkit.graph import BackgroundKnowledge

    model = PC(alpha=0.01)
    return model._find_skeleton(model._check_parameters(), read_table(data, None), BackgroundKnowledge())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out what takes minutes")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--out", type=Path, help="write the table to a file as well")
    options = parser.parse_args()
    head = f"{dt.date.today()}, {platform.processor() or platform.machine()}\n{device_report()}\n"
    print(head)
    rows = Rows()
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        KCI(device=options.device).fit(draw(60, 4)).batch([(0, 1, (2,)), (0, 1, ())])
        for n_z, target in ((1, "70x"), (3, "12x")):
            cold(rows, options.device, 1000, n_z, target)
        for n_z, target in ((1, "1000x"), (2, "700x"), (3, "300x")):
            pairs_of_one_set(rows, options.device, 1000, n_z, target)
        unconditional(rows, options.device, 1000, 100, "300x")
        search(rows, options.device, 500, 8, "", peer=True)
        contingency(rows, 1000, 20)
        fisher_z(rows, 50, "", peer=True)
        large(rows, options.device, 10_000, "0.1 s")
        if not options.quick:
            gaussian_process(rows, options.device, 1000, "300x")
            search(rows, options.device, 1000, 10, "100x", peer=True)
            fisher_z(rows, 200, "1500x", peer=True)
            fisher_z(rows, 1000, "1 s", peer=False)
            large(rows, options.device, 100_000, "2 s")
            search(rows, options.device, 1000, 50, "300x", peer=False)
        gemm_share(rows, options.device, 1000)
    if options.out:
        options.out.write_text(f"{head}\n" + "\n".join(rows.lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
