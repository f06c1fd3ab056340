"""Where to put the nodes: layers from causes to effects, with few crossings.

The method is that of Sugiyama, Tagawa and Toda (1981). Nodes get layers by longest path along the arrows, edges over
several layers are cut by invisible nodes, layers are ordered by the medians of their neighbours, and positions are
relaxed towards the neighbours' mean under a minimal distance. Undirected edges are layered along a consistent extension
where there is one, so that a drawing of a class looks like a drawing of one of its members.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from causalkit.graph import _classes
from causalkit.graph._bits import members, topological_order
from causalkit.graph._marks import Mark
from causalkit.graph._pattern import Pattern

if TYPE_CHECKING:
    from causalkit.graph._core import GraphCore

SWEEPS = 12
Point = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """Positions of nodes and bends of edges, in units of one layer and one slot; y grows downwards.

    Parameters
    ----------
    position : dict of str to (float, float)
        Where each node is.
    bends : dict of (str, str) to list of (float, float)
        Points that a long edge passes between its two ends, keyed by the edge in node order.
    """

    position: dict[str, Point]
    bends: dict[tuple[str, str], list[Point]]

    def bends_of(self, u: str, v: str) -> list[Point]:
        """Return the bends of an edge in the direction from u to v."""
        return self.bends[u, v] if (u, v) in self.bends else self.bends.get((v, u), [])[::-1]


def layered_layout(graph: GraphCore) -> Layout:
    """Lay a graph out in layers."""
    layer_of = _layers(graph)
    links = [
        (i, j) if layer_of[i] <= layer_of[j] else (j, i) for i, j in graph._pairs + graph._bidirected_pairs
    ]
    chains, layer_of = _cut_long_links(links, layer_of)
    layers = _initial_order(layer_of)
    up, down = _neighbours(chains, len(layer_of))
    layers = _reduce_crossings(layers, up, down)
    x = _straighten(layers, up, down, len(layer_of))
    y = np.asarray(layer_of, dtype=float)
    position = {name: (float(x[k]), float(y[k])) for k, name in enumerate(graph.nodes)}
    bends = {
        (graph.nodes[chain[0]], graph.nodes[chain[-1]]): [(float(x[k]), float(y[k])) for k in chain[1:-1]]
        for chain in chains
        if len(chain) > 2
    }
    return Layout(position, bends)


def _layers(graph: GraphCore) -> list[int]:
    """Give each node the length of the longest path into it; context nodes share the first layer."""
    parents = _ordering_parents(graph)
    order = topological_order(parents)
    if order is None:
        return [k % 6 for k in range(graph.n_nodes)]
    contexts = [k for k, n in enumerate(graph.nodes) if graph.node_data.get(n, {}).get("role") == "context"]
    layer = [0] * graph.n_nodes
    for node in order:
        if node not in contexts:
            above = [layer[p] + 1 for p in members(parents[node])]
            layer[node] = max([*above, 1 if contexts else 0])
    return _pull_down(layer, parents, order, contexts)


def _pull_down(layer: list[int], parents: list[int], order: list[int], contexts: list[int]) -> list[int]:
    """Move nodes without parents next to their first child, so that edges stay short."""
    children: list[list[int]] = [[] for _ in layer]
    for node in order:
        for parent in members(parents[node]):
            children[parent].append(node)
    for node in order:
        if not parents[node] and children[node] and node not in contexts:
            layer[node] = min(layer[c] for c in children[node]) - 1
    return layer


def _ordering_parents(graph: GraphCore) -> list[int]:
    """Return an acyclic orientation of the edges: an extension if there is one, arrowheads and data order otherwise."""
    parents = _classes.extension(Pattern.from_marks(graph.marks)) if not _has_other_marks(graph) else None
    if parents is not None:
        return parents
    out = list(graph._parent_masks)
    position = {node: k for k, node in enumerate(topological_order(out) or range(graph.n_nodes))}
    for i, j in graph._pairs:
        if graph._directed[i, j] or graph._directed[j, i]:
            continue
        into_i, into_j = graph.marks[j, i] == Mark.ARROW, graph.marks[i, j] == Mark.ARROW
        first = position[i] < position[j] if into_i == into_j else into_j
        tail, head = (i, j) if first else (j, i)
        out[head] |= 1 << tail
        if topological_order(out) is None:
            out[head] &= ~(1 << tail)
    return out


def _has_other_marks(graph: GraphCore) -> bool:
    both = graph.marks == graph.marks.T
    return bool((graph.marks == Mark.CIRCLE).any() or (both & (graph.marks == Mark.ARROW)).any())


def _cut_long_links(links: list[tuple[int, int]], layer_of: list[int]) -> tuple[list[list[int]], list[int]]:
    """Replace each link over several layers by a chain through new invisible nodes."""
    layers, chains = list(layer_of), []
    for i, j in links:
        inner = range(layers[i] + 1, layers[j])
        first = len(layers)
        layers.extend(inner)
        chains.append([i, *range(first, first + len(inner)), j])
    return chains, layers


def _initial_order(layer_of: list[int]) -> list[list[int]]:
    layers: list[list[int]] = [[] for _ in range(max(layer_of, default=0) + 1)]
    for node, layer in enumerate(layer_of):
        layers[layer].append(node)
    return layers


def _neighbours(chains: list[list[int]], size: int) -> tuple[list[list[int]], list[list[int]]]:
    up: list[list[int]] = [[] for _ in range(size)]
    down: list[list[int]] = [[] for _ in range(size)]
    for chain in chains:
        for a, b in pairwise(chain):
            down[a].append(b)
            up[b].append(a)
    return up, down


def _reduce_crossings(layers: list[list[int]], up: list[list[int]], down: list[list[int]]) -> list[list[int]]:
    """Sweep down and up, sorting each layer by the mean place of its neighbours; keep the best order seen."""
    best, best_count = [list(layer) for layer in layers], _crossings(layers, down)
    for sweep in range(SWEEPS):
        toward, rows = (up, layers[1:]) if sweep % 2 == 0 else (down, layers[-2::-1])
        for row in rows:
            place = {node: k for layer in layers for k, node in enumerate(layer)}
            row.sort(key=lambda n: float(np.mean([place[m] for m in toward[n]])) if toward[n] else place[n])
        count = _crossings(layers, down)
        if count < best_count:
            best, best_count = [list(layer) for layer in layers], count
    return best


def _crossings(layers: list[list[int]], down: list[list[int]]) -> int:
    total = 0
    place = {node: k for layer in layers for k, node in enumerate(layer)}
    for layer in layers[:-1]:
        ends = np.array([place[m] for node in layer for m in sorted(down[node], key=place.__getitem__)])
        total += int(np.sum(np.triu(ends[:, None] > ends[None, :], k=1))) if len(ends) > 1 else 0
    return total


def _straighten(
    layers: list[list[int]], up: list[list[int]], down: list[list[int]], size: int
) -> list[float]:
    """Pull nodes towards the mean of their neighbours while neighbours in a layer stay one slot apart."""
    x = [0.0] * size
    for layer in layers:
        for k, node in enumerate(layer):
            x[node] = k - (len(layer) - 1) / 2
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            wanted = [
                float(np.mean([x[m] for m in up[n] + down[n]])) if up[n] or down[n] else x[n] for n in layer
            ]
            for node, value in zip(layer, _spaced(wanted), strict=True):
                x[node] = value
    return x


def _spaced(wanted: list[float]) -> list[float]:
    """Return the places nearest to `wanted` (least squares) that keep order and distance one: isotonic regression."""
    blocks: list[tuple[float, int]] = []
    for k, value in enumerate(wanted):
        mean, count = value - k, 1
        while blocks and blocks[-1][0] > mean:
            last, size = blocks.pop()
            mean, count = (mean * count + last * size) / (count + size), count + size
        blocks.append((mean, count))
    flat = [mean for mean, count in blocks for _ in range(count)]
    return [value + k for k, value in enumerate(flat)]
