"""How many directed acyclic graphs an equivalence class has, and one of them drawn with equal probability.

The members of a class differ in the undirected components of its completed graph. Each component is chordal and is
directed on its own, without cycles and without unshielded colliders (Andersson, Madigan and Perlman 1997), so that the size is a
product. For one component every such orientation has a topological order that begins with a maximal clique; cliques are put in a tree,
and an orientation is counted at the first clique of the tree whose nodes can begin, by leaving out those orders of a clique
that begin with its intersection with an earlier one (Wienöbst, Bannach and Liśkiewicz 2021). What remains once a
clique comes first falls into smaller components, which are counted the same way and remembered. The number of different
components met is at most twice that of the maximal cliques.

References
----------
M. Wienöbst, M. Bannach, M. Liśkiewicz, "Polynomial-time algorithms for counting and sampling Markov equivalent DAGs",
AAAI 2021.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import factorial, prod

import numpy as np

from causalkit.graph._bits import components, mask_of, members


class ChordalOrientations:
    """Acyclic orientations without unshielded colliders of chordal graphs on some of the nodes.

    Parameters
    ----------
    neighbors : sequence of int
        Undirected neighbours of each node; every component is chordal.
    """

    def __init__(self, neighbors: Sequence[int]) -> None:
        self.neighbors = neighbors
        self._counts: dict[int, int] = {}
        self._known: dict[int, list[tuple[int, list[int], int, list[int]]]] = {}

    def components(self, nodes: int) -> list[int]:
        """Return the connected components of the graph on some of the nodes."""
        return components(self.neighbors, nodes)

    def count(self, nodes: int) -> int:
        """Return the number of orientations of the graph on some of the nodes."""
        return prod(self._count(component) for component in self.components(nodes))

    def _count(self, component: int) -> int:
        if component not in self._counts:
            self._counts[component] = sum(weight for _, _, weight, _ in self._beginnings(component))
        return self._counts[component]

    def _beginnings(self, component: int) -> list[tuple[int, list[int], int, list[int]]]:
        """Return every maximal clique, the beginnings that it must not have, the number of orientations that it begins, and what falls apart behind it."""
        if component not in self._known:
            found = []
            for clique, forbidden in self._cliques(component):
                parts = self.after(component, clique)
                weight = _orders(clique, forbidden) * prod(map(self._count, parts))
                found.append((clique, forbidden, weight, parts))
            self._known[component] = found
        return self._known[component]

    def _cliques(self, component: int) -> list[tuple[int, list[int]]]:
        """Return the maximal cliques in the order of a tree, each with those intersections on its path to the root that it contains."""
        cliques, found = self._maximal_cliques(component), []
        parent, links = _clique_tree(cliques)
        for k, clique in enumerate(cliques):
            inside, node = set(), k
            while node:
                if not links[node] & ~clique:
                    inside.add(links[node])
                node = parent[node]
            found.append((clique, sorted(inside, key=int.bit_count)))
        return found

    def _maximal_cliques(self, component: int) -> list[int]:
        """Visit nodes by maximum cardinality; the visited neighbours of a node are a clique with it (Blair and Peyton 1993)."""
        visited, cliques = 0, []
        while component & ~visited:
            node = max(members(component & ~visited), key=lambda v: (self.neighbors[v] & visited).bit_count())
            cliques.append(1 << node | self.neighbors[node] & visited)
            visited |= 1 << node
        return [c for c in cliques if not any(c & ~other == 0 for other in cliques if other != c)]

    def after(self, component: int, clique: int) -> list[int]:
        """Return what falls apart once a clique comes first, in a topological order."""
        classes = [clique, component & ~clique]
        taken, found = 0, []
        while classes:
            first = classes[0]
            node = next(members(first))
            if not (taken | clique) >> node & 1:
                taken |= first
                found += self.components(first)
            classes[0] &= ~(1 << node)
            near = self.neighbors[node]
            classes = [part for c in classes for part in (c & near, c & ~near) if part]
        return found

    def draw(self, nodes: int, rng: np.random.Generator) -> list[int]:
        """Return a topological order of an orientation drawn with equal probability."""
        return [node for component in self.components(nodes) for node in self._draw(component, rng)]

    def _draw(self, component: int, rng: np.random.Generator) -> list[int]:
        beginnings = self._beginnings(component)
        clique, forbidden, _, parts = beginnings[choose([weight for _, _, weight, _ in beginnings], rng)]
        order = _draw_order(clique, forbidden, rng)
        for part in parts:
            order += self._draw(part, rng)
        return order


def _clique_tree(cliques: list[int]) -> tuple[list[int], list[int]]:
    """Return for each clique its parent in a tree of greatest intersections, and that intersection; clique 0 is the root."""
    parent = [0] * len(cliques)
    links = [0] * len(cliques)
    best = [(-1, 0)] * len(cliques)
    waiting, last = set(range(1, len(cliques))), 0
    while waiting:
        for k in waiting:
            best[k] = max(best[k], ((cliques[k] & cliques[last]).bit_count(), last), key=lambda pair: pair[0])
        last = max(waiting, key=lambda k: (best[k][0], -k))
        waiting.remove(last)
        parent[last] = best[last][1]
        links[last] = cliques[last] & cliques[best[last][1]]
    return parent, links


def _orders(clique: int, forbidden: Sequence[int]) -> int:
    """Return the number of orders of a clique that begin with none of the forbidden sets, each of which contains the one before."""
    sets = [*forbidden, clique]
    free: list[int] = []
    for k, whole in enumerate(sets):
        size = whole.bit_count()
        begun = sum(
            factorial(size - part.bit_count()) * count for part, count in zip(sets[:k], free, strict=True)
        )
        free.append(factorial(size) - begun)
    return free[-1]


def _draw_order(clique: int, forbidden: Sequence[int], rng: np.random.Generator) -> list[int]:
    """Draw orders until one begins with no forbidden set, which at least every second does."""
    nodes = list(members(clique))
    while True:
        order = [nodes[k] for k in rng.permutation(len(nodes))]
        if not any(mask_of(order[: part.bit_count()]) == part for part in forbidden):
            return order


def choose(weights: Sequence[int], rng: np.random.Generator) -> int:
    """Draw a position with probability proportional to an integer weight of any size."""
    total = sum(weights)
    ticket = int.from_bytes(rng.bytes((total.bit_length() + 71) // 8), "big") % total
    ends = [0]
    for weight in weights:
        ends.append(ends[-1] + weight)
    return next(k for k, (low, high) in enumerate(pairwise(ends)) if low <= ticket < high)
