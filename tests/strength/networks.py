"""Small networks with exact answers, and the networks of files where they are there."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from causalkit import CausalGraph
from causalkit.strength import BayesianNetwork

FILES = Path(__file__).parents[3] / "shared" / "data" / "networks"
BITS = (0, 1)


def binary(text, **ones):
    """Build a network of 0/1 nodes from the probability of 1 as a function of the parents, in graph order."""
    graph = CausalGraph.parse(text)
    tables = {}
    for name in graph.nodes:
        parents = graph.parents(name)
        p = np.array([ones[name](*row) for row in np.ndindex(*[2] * len(parents))]).reshape(
            [2] * len(parents)
        )
        tables[name] = np.stack([1 - p, p], axis=-1)
    return BayesianNetwork(graph, dict.fromkeys(graph.nodes, BITS), tables)


def triangle():
    return binary(
        "z -> x; z -> y; x -> y",
        z=lambda: 0.5,
        x=lambda z: 0.25 + z / 2,
        y=lambda z, x: 0.1 + 0.3 * x + 0.4 * z,
    )


def hidden_confounder():
    return binary(
        "u -> x; x -> m; m -> y; u -> y",
        u=lambda: 0.5,
        x=lambda u: 0.25 + u / 2,
        m=lambda x: 0.2 + 0.6 * x,
        y=lambda u, m: 0.1 + 0.3 * m + 0.4 * u,
    )


def m_bias():
    return binary(
        "u1 -> x; u1 -> z; u2 -> z; u2 -> y; x -> y",
        u1=lambda: 0.5,
        u2=lambda: 0.5,
        x=lambda u1: 0.2 + 0.6 * u1,
        z=lambda u1, u2: 0.1 + 0.4 * u1 + 0.4 * u2,
        y=lambda x, u2: 0.1 + 0.3 * x + 0.5 * u2,
    )


def sprinkler():
    wet = {(0, 0): 0.0, (0, 1): 0.9, (1, 0): 0.9, (1, 1): 0.99}
    return binary(
        "cloudy -> sprinkler; cloudy -> rain; sprinkler -> wet; rain -> wet",
        cloudy=lambda: 0.5,
        sprinkler=lambda c: 0.1 if c else 0.5,
        rain=lambda c: 0.8 if c else 0.2,
        wet=lambda s, r: wet[s, r],
    )


def asia():
    """Probabilities of Lauritzen and Spiegelhalter (1988), of "yes" = 1."""
    return binary(
        "asia -> tub; smoke -> lung; smoke -> bronc; tub -> either; lung -> either; either -> xray; either -> dysp; bronc -> dysp",
        asia=lambda: 0.01,
        smoke=lambda: 0.5,
        tub=lambda a: 0.05 if a else 0.01,
        lung=lambda s: 0.1 if s else 0.01,
        bronc=lambda s: 0.6 if s else 0.3,
        either=lambda t, lung: float(t or lung),
        xray=lambda e: 0.98 if e else 0.05,
        dysp=lambda *parents: {(0, 0): 0.1, (0, 1): 0.8, (1, 0): 0.7, (1, 1): 0.9}[_either_first(parents)],
    )


def _either_first(parents):
    """Parents of dysp come in data order: bronc was named before either."""
    bronc, either = parents
    return (either, bronc)


@cache
def from_file(name):
    path = FILES / f"{name}.bif"
    if not path.exists():
        pytest.skip(f"{path.name} is not here")
    return BayesianNetwork.from_bif(path)
