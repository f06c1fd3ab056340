"""Random directed acyclic graphs, sized by expected degree so that density does not grow with the number of nodes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from causalkit._random import Seed, as_generator
from causalkit.exceptions import ParameterError
from causalkit.graph._graph import CausalGraph
from causalkit.graph._marks import GraphKind, Mark

__all__ = ["random_dag"]


def random_dag(
    nodes: int | Iterable[str],
    *,
    expected_degree: float = 2.0,
    model: str = "erdos_renyi",
    rng: Seed = None,
) -> CausalGraph:
    """Draw a random directed acyclic graph.

    Parameters
    ----------
    nodes : int or iterable of str
        Number of nodes, then named ``X1, X2, ...``, or their names.
    expected_degree : float, default=2.0
        Expected number of edges at a node, incoming and outgoing together; at most ``d - 1``.
    model : {"erdos_renyi", "scale_free"}, default="erdos_renyi"
        Erdős–Rényi graphs have each edge with the same probability. Scale-free graphs (Barabási and Albert 1999) attach
        each new node to about ``expected_degree / 2`` earlier ones, preferring those with many edges.
    rng : int, numpy.random.Generator or None, default=None
        Seed or generator. The topological order is a uniformly random permutation of the nodes.

    Returns
    -------
    CausalGraph
        A graph of kind DAG.

    Raises
    ------
    ParameterError
        If a parameter is out of range.

    Examples
    --------
    >>> from causalkit.graph import random_dag
    >>> g = random_dag(5, expected_degree=2, rng=0)
    >>> g.kind.value, g.n_nodes
    ('DAG', 5)
    """
    names = [f"X{k + 1}" for k in range(nodes)] if isinstance(nodes, int | np.integer) else list(nodes)
    d, generator = len(names), as_generator(rng)
    if d < 1 or not 0 <= expected_degree <= max(d - 1, 0):
        msg = f"expected_degree={expected_degree!r} with {d} nodes; allowed is 0 to d - 1, with at least one node"
        raise ParameterError(msg)
    if model == "erdos_renyi":
        earlier = _erdos_renyi(d, expected_degree, generator)
    elif model == "scale_free":
        earlier = _scale_free(d, expected_degree, generator)
    else:
        msg = f"unknown model {model!r}; allowed are 'erdos_renyi' and 'scale_free'"
        raise ParameterError(msg)
    order = generator.permutation(d)
    directed = np.zeros((d, d), dtype=bool)
    directed[np.ix_(order, order)] = earlier
    marks = np.where(directed, Mark.ARROW, np.where(directed.T, Mark.TAIL, Mark.NONE))
    return CausalGraph(GraphKind.DAG, names, marks)


def _erdos_renyi(d: int, degree: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    probability = degree / (d - 1) if d > 1 else 0.0
    return np.triu(rng.random((d, d)) < probability, k=1)


def _scale_free(d: int, degree: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Let each node choose among earlier nodes with probability proportional to 1 + their degree.

    The number of choices is the part of ``degree / 2`` that its place allows, rounded up or down at random, so that it is right on
    average.
    """
    edges = np.zeros((d, d), dtype=bool)
    for k in range(1, d):
        wanted = min(_needed(d, k, degree, int(edges.sum())), k)
        count = int(wanted) + int(rng.random() < wanted - int(wanted))
        weight = 1.0 + edges[:k].sum(1)[:k] + edges[:, :k].sum(0)
        edges[rng.choice(k, size=min(count, k), replace=False, p=weight / weight.sum()), k] = True
    return edges


def _needed(d: int, k: int, degree: float, so_far: int) -> float:
    """Return how many edges node k should bring, so that the rest can still reach the expected total."""
    return max(0.0, (degree * d / 2 - so_far) / (d - k))
