"""Graph operations beside networkx, causal-learn, pgmpy and gadjid, in one run on one machine.

Usage: ``python benchmarks/graphs.py``. Times are the best of three (of one where a peer takes long); answers are compared where both give one.
A peer that is not installed, or has no such operation, has no column entry.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import networkx as nx
import numpy as np

from causalkit import CausalGraph
from causalkit.evaluation import aid, shd
from causalkit.graph import random_dag

PEERS = ("networkx", "causal-learn", "pgmpy", "gadjid")


@dataclass
class Row:
    """Seconds of one operation, ours and each peer's."""

    operation: str
    ours: float
    peers: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        cells = [
            f"{milliseconds(self.peers[p]):>11} {ratio(self.peers[p] / self.ours):>6}x"
            if p in self.peers
            else " " * 19
            for p in PEERS
        ]
        return f"{self.operation:34}{milliseconds(self.ours):>11}" + "".join(cells)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds < 1 else f"{seconds * 1e3:,.0f} ms"


def ratio(value: float) -> str:
    return f"{value:.0f}" if value >= 3 else f"{value:.2g}"


def there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


def best(function: Callable[[], object], repeat: int = 3) -> float:
    """Return the shortest time of a call, in seconds."""
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def same(what: str, ours: object, theirs: object) -> None:
    if ours != theirs:
        raise SystemExit(f"{what}: the answers differ")


def queries(graph: CausalGraph, count: int) -> list[tuple[str, str, list[str]]]:
    """Draw separation queries with three conditioning nodes."""
    rng = np.random.default_rng(0)
    return [
        (x, y, z) for x, y, *z in (rng.choice(graph.nodes, 5, replace=False).tolist() for _ in range(count))
    ]


def separation(d: int) -> Row:
    """Time separation queries; the answers must be equal."""
    graph = random_dag(d, expected_degree=3, rng=1)
    peer, asked = graph.to_networkx(), queries(graph, 100)
    askers = {"networkx": lambda x, y, z: nx.is_d_separator(peer, {x}, {y}, set(z))}
    if there("pgmpy"):
        dag = graph.to_pgmpy()
        askers["pgmpy"] = lambda x, y, z: not dag.is_dconnected(x, y, observed=z)
    ours = [graph.separated(x, y, z) for x, y, z in asked]
    row = Row(f"separation, d={d}", best(lambda: [graph.separated(*q) for q in asked]) / len(asked))
    for name, ask in askers.items():
        some = asked if name == "networkx" else asked[:10]
        same(f"separation with {name}", ours[: len(some)], [ask(*q) for q in some])
        row.peers[name] = best(lambda some=some, ask=ask: [ask(*q) for q in some]) / len(some)
    return row


def separator(d: int) -> Row:
    """Time minimal separators of pairs that are not adjacent."""
    graph = random_dag(d, expected_degree=3, rng=1)
    peer = graph.to_networkx()
    pairs = [(x, y) for x, y, _ in queries(graph, 60) if not graph.has_edge(x, y)][:30]
    row = Row(
        f"minimal separator, d={d}", best(lambda: [graph.minimal_separator(*p) for p in pairs]) / len(pairs)
    )
    row.peers["networkx"] = best(lambda: [nx.find_minimal_d_separator(peer, *p) for p in pairs], 1) / len(
        pairs
    )
    for x, y in pairs:
        same("minimal separator", graph.separated(x, y, graph.minimal_separator(x, y) or ()), True)
    return row


def completion(d: int) -> Row:
    """Time the CPDAG of a DAG."""
    graph = random_dag(d, expected_degree=3, rng=1)
    row = Row(f"CPDAG of a DAG, d={d}", best(graph.to_cpdag))
    if d <= 100:
        from causallearn.utils.DAG2CPDAG import dag2cpdag

        general = graph.to_causal_learn()
        row.peers["causal-learn"] = best(lambda: dag2cpdag(general), repeat=1)
        if there("pgmpy"):
            dag = graph.to_pgmpy()
            row.peers["pgmpy"] = best(dag.to_pdag, repeat=1)
    return row


def comparisons(d: int) -> list[Row]:
    """Time distances of two graphs."""
    a, b = (random_dag(d, expected_degree=3, rng=k) for k in (1, 2))
    small, other = (random_dag(100, expected_degree=3, rng=k) for k in (1, 2))
    rows = [Row(f"SHD, d={d}", best(lambda: shd(a, b)))]
    rows.append(Row("parent AID, d=100", best(lambda: aid(small, other, strategy="parent"))))
    if there("causallearn"):
        from causallearn.graph.SHD import SHD

        pair = small.to_cpdag().to_causal_learn(), other.to_cpdag().to_causal_learn()
        ours = small.to_cpdag(), other.to_cpdag()
        rows.insert(
            0,
            Row(
                "SHD of CPDAGs, d=100",
                best(lambda: shd(*ours)),
                {"causal-learn": best(lambda: SHD(*pair), 1)},
            ),
        )
    if there("gadjid"):
        import gadjid

        matrices = [g.to_gadjid() for g in (small, other)]
        rows[-1].peers["gadjid"] = best(
            lambda: gadjid.parent_aid(*matrices, edge_direction="from row to column")
        )
    return rows


def building(d: int) -> list[Row]:
    """Time construction with its check, and what networkx does for the same: build, and look for a cycle."""
    graph = random_dag(d, expected_degree=3, rng=1)
    arrows = [(a, b) for a, b in graph.to_networkx().edges]

    def by_networkx() -> None:
        peer = nx.DiGraph()
        peer.add_nodes_from(graph.nodes)
        peer.add_edges_from(arrows)
        nx.is_directed_acyclic_graph(peer)

    row = Row(f"build and check, d={d}", best(lambda: CausalGraph(graph.kind, graph.nodes, graph.marks), 10))
    row.peers["networkx"] = best(by_networkx, 10)
    node = graph.topological_order()[-1]
    other = Row(f"ancestors of one node, d={d}", best(lambda: graph.ancestors(node), 10))
    peer = graph.to_networkx()
    same("ancestors", set(graph.ancestors(node)) - {node}, nx.ancestors(peer, node))
    other.peers["networkx"] = best(lambda: nx.ancestors(peer, node), 10)
    return [row, other]


def without_peer() -> list[Row]:
    """Time what no peer has."""
    graph, small = random_dag(1000, expected_degree=3, rng=1), random_dag(50, expected_degree=3, rng=1)
    hidden, cpdag = list(small.nodes[:8]), random_dag(200, expected_degree=3, rng=1).to_cpdag()
    return [
        Row("members of a class, counted, d=200", best(cpdag.class_size)),
        Row("a member drawn, d=200", best(lambda: cpdag.sample_member(rng=0))),
        Row("MAG after hiding 8 of 50", best(lambda: small.to_mag(latent=hidden))),
        Row("PAG after hiding 8 of 50", best(lambda: small.to_pag(latent=hidden))),
        Row("ADMG after hiding 100 of 1000", best(lambda: graph.to_admg(latent=graph.nodes[:100]))),
    ]


def main() -> None:
    warnings.simplefilter("ignore")
    print(f"{'operation':34}{'causalkit':>11}" + "".join(f"{p:>19}" for p in PEERS))
    rows = [
        *building(1000),
        separation(100),
        separation(1000),
        separator(100),
        completion(100),
        completion(1000),
    ]
    for row in [*rows, *comparisons(1000), *without_peer()]:
        print(row)


if __name__ == "__main__":
    main()
