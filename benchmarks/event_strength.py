"""Time and memory of millions of event queries on one core.

Usage: ``python benchmarks/event_strength.py [queries]``; by default 9.5 million, the size of the instance version of COLD, over an event
graph of thirty events, with exact chains and with counts from two hundred sequences.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
from threadpoolctl import threadpool_limits

from causalkit.graph import random_dag
from causalkit.strength import ChainOracle, EventGraph, EventLog, LogOracle, event_strength

EVENTS = 30


def sequences(rng, graph, n):
    """Draw sequences from the event graph by its uniform-node law."""
    step, k = graph.transitions(), len(graph.events)
    found = []
    for _ in range(n):
        node, path = k, []
        while (node := int(rng.choice(k + 2, p=step[node]))) != k + 1:
            path.append(graph.events[node])
        found.append(path)
    return found


def main(n):
    rng = np.random.default_rng(0)
    graph = EventGraph.from_graph(random_dag(EVENTS, expected_degree=5, rng=1))
    log = EventLog(sequences(rng, graph, 200))
    seen = log.presence.mean(axis=0)
    usable = np.array([k for k in range(len(log.events)) if 0 < seen[k] < 1])
    queries = usable[rng.integers(len(usable), size=(n, 2))]
    queries[:, 1] = np.where(queries[:, 0] == queries[:, 1], usable[0], queries[:, 1])
    queries[:, 0] = np.where(queries[:, 0] == queries[:, 1], usable[1], queries[:, 0])
    for title, oracle in (("chain", ChainOracle(graph)), ("counts", LogOracle(log, backwards="count"))):
        with threadpool_limits(1):
            start = time.perf_counter()
            found = event_strength(queries, events=log.events, oracle=oracle)
            seconds = time.perf_counter() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{title:8} {n:,} queries, {len(found.pairs):,} different: {seconds:.2f} s, peak {peak:,.0f} MB in all"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9_500_000)
