"""Graph operations beside networkx and causal-learn, in one run on one machine.

Usage: ``python benchmarks/graphs.py``. Times are the best of three.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import networkx as nx
import numpy as np
from causallearn.graph.GeneralGraph import GeneralGraph
from causallearn.utils.DAG2CPDAG import dag2cpdag

from causalkit import CausalGraph
from causalkit.evaluation import shd
from causalkit.graph import random_dag


def best(function: Callable[[], object], repeat: int = 3) -> float:
    """Return the shortest time of a call, in seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def queries(graph: CausalGraph, count: int) -> list[tuple[str, str, list[str]]]:
    """Draw separation queries with three conditioning nodes."""
    rng = np.random.default_rng(0)
    return [
        (x, y, z) for x, y, *z in (rng.choice(graph.nodes, 5, replace=False).tolist() for _ in range(count))
    ]


def separation(d: int) -> tuple[float, float]:
    """Return seconds per query, ours and networkx's; the answers must be equal."""
    graph = random_dag(d, expected_degree=3, rng=1)
    peer, asked = graph.to_networkx(), queries(graph, 100)
    ours = [graph.separated(x, y, z) for x, y, z in asked]
    theirs = [nx.is_d_separator(peer, {x}, {y}, set(z)) for x, y, z in asked]
    if ours != theirs:
        raise SystemExit("the answers differ")
    return (
        best(lambda: [graph.separated(x, y, z) for x, y, z in asked]) / len(asked),
        best(lambda: [nx.is_d_separator(peer, {x}, {y}, set(z)) for x, y, z in asked]) / len(asked),
    )


def completion(d: int) -> tuple[float, float]:
    """Return seconds for the CPDAG of a DAG, ours and causal-learn's."""
    graph = random_dag(d, expected_degree=3, rng=1)
    general: GeneralGraph = graph.to_causal_learn()
    return best(graph.to_cpdag), best(lambda: dag2cpdag(general), repeat=1)


def main() -> None:
    print(f"{'operation':34} {'causalkit':>12} {'peer':>12} {'ratio':>8}")
    for d in (100, 1000):
        ours, theirs = separation(d)
        print(
            f"{f'separation query, d={d}':34} {ours * 1e3:9.3f} ms {theirs * 1e3:9.3f} ms {theirs / ours:7.0f}x  networkx"
        )
    ours, theirs = completion(100)
    print(
        f"{'CPDAG of a DAG, d=100':34} {ours * 1e3:9.3f} ms {theirs * 1e3:9.1f} ms {theirs / ours:7.0f}x  causal-learn"
    )
    graph = random_dag(1000, expected_degree=3, rng=1)
    other = random_dag(1000, expected_degree=3, rng=2)
    build = best(lambda: CausalGraph(graph.kind, graph.nodes, graph.marks))
    for name, seconds in (
        ("build and check, d=1000", build),
        ("CPDAG of a DAG, d=1000", best(graph.to_cpdag)),
        ("SHD, d=1000", best(lambda: shd(graph, other))),
    ):
        print(f"{name:34} {seconds * 1e3:9.3f} ms")


if __name__ == "__main__":
    main()
